/* SPDX-License-Identifier: BSD-3-Clause */
/* Listings: a folder where our devices have entries shows these after the real ones; below them
 * /sys is redirected. */
#include <dirent.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "v4l2-shim/shim.h"

#define NB_LISTINGS 16 /* of these folders at a time; a further one does not show our devices */

/* Where one entry per device is added, of a prefix, NULL its kind, and its number; or a single one:
 * a folder that is redirected as a whole. */
static const struct folder {
	const char *path, *prefix;
	bool single;
	unsigned char type;
} folders[] = {
	{"/dev", NULL, false, DT_CHR},
	{"/sys/dev/char", "81:", false, DT_LNK},
	{"/sys/class", "video4linux", true, DT_DIR},
};

/* A listing under way, and the next entry of ours to show once the real ones are through. */
static struct listing {
	DIR *dir;
	const struct folder *folder;
	unsigned int next;
	struct dirent entry;
} listings[NB_LISTINGS];
LOCK_RENEWED_BY_FORK();
static atomic_uint nb_listings;

static struct listing *
find(DIR *dir)
{
	for (unsigned int i = 0; i < NB_LISTINGS; i++) {
		if (listings[i].dir == dir) {
			return &listings[i];
		}
	}
	return NULL;
}

static DIR *
watch(DIR *dir, const struct folder *folder)
{
	struct listing *listing;

	if (dir == NULL || folder == NULL) {
		return dir;
	}
	pthread_mutex_lock(&lock);
	listing = find(NULL);
	if (listing != NULL) {
		*listing = (struct listing){.dir = dir, .folder = folder};
		atomic_fetch_add(&nb_listings, 1);
	}
	pthread_mutex_unlock(&lock);
	return dir;
}

/* The folder that a path names, slashes at its end or not; NULL: none of these. */
static const struct folder *
folder_by_path(const char *path)
{
	for (size_t i = 0; path != NULL && i < ARRAY_SIZE(folders); i++) {
		size_t len = strlen(folders[i].path);

		if (strncmp(path, folders[i].path, len) == 0 &&
			path[len + strspn(path + len, "/")] == '\0') {
			return &folders[i];
		}
	}
	return NULL;
}

EXPORT DIR *
opendir(const char *path)
{
	char buf[PATH_ROOM];

	return watch(NEXT(opendir)(path_redirect(AT_FDCWD, path, buf)), folder_by_path(path));
}

EXPORT DIR *
fdopendir(int fd)
{
	char link[32], path[32];
	int saved = errno;
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = NEXT(readlink)(link, path, sizeof(path) - 1);
	errno = saved;
	path[len > 0 ? len : 0] = '\0';
	return watch(NEXT(fdopendir)(fd), folder_by_path(path));
}

EXPORT int
closedir(DIR *dir)
{
	if (atomic_load(&nb_listings) > 0) {
		struct listing *listing;

		pthread_mutex_lock(&lock);
		listing = dir != NULL ? find(dir) : NULL;
		if (listing != NULL) {
			listing->dir = NULL;
			atomic_fetch_sub(&nb_listings, 1);
		}
		pthread_mutex_unlock(&lock);
	}
	return NEXT(closedir)(dir);
}

EXPORT void
rewinddir(DIR *dir)
{
	struct listing *listing = dir != NULL ? find(dir) : NULL;

	if (listing != NULL) {
		listing->next = 0;
	}
	NEXT(rewinddir)(dir);
}

/* The name of entry n of ours; false: there is none. */
static bool
name_of(const struct folder *folder, unsigned int n, char *name, size_t size)
{
	if (folder->single) {
		snprintf(name, size, "%s", folder->prefix);
		return n == 0;
	}
	snprintf(name, size, "%s%u", folder->prefix != NULL ? folder->prefix : device_kind(n), n);
	return device_exists(n);
}

/* An entry of ours hides a real one of the same name. */
static bool
is_hidden(const struct folder *folder, const struct dirent *entry)
{
	char name[32];

	if (folder->prefix != NULL &&
		strncmp(entry->d_name, folder->prefix, strlen(folder->prefix)) != 0) {
		return false;
	}
	for (unsigned int n = 0; n < SHIM_MAX_DEVICES; n++) {
		if (name_of(folder, n, name, sizeof(name)) && strcmp(name, entry->d_name) == 0) {
			return true;
		}
	}
	return false;
}

static struct dirent *
next_device(struct listing *listing)
{
	struct dirent *entry = &listing->entry;

	*entry = (struct dirent){.d_type = listing->folder->type, .d_reclen = sizeof(*entry)};
	while (listing->next < SHIM_MAX_DEVICES) {
		unsigned int n = listing->next++;

		if (name_of(listing->folder, n, entry->d_name, sizeof(entry->d_name))) {
			entry->d_ino = DEVICE_INODE + n;
			entry->d_off = (off_t)listing->next;
			return entry;
		}
	}
	return NULL;
}

EXPORT struct dirent *
readdir(DIR *dir)
{
	struct listing *listing;
	struct dirent *entry;

	if (atomic_load(&nb_listings) == 0) {
		return NEXT(readdir)(dir);
	}
	listing = dir != NULL ? find(dir) : NULL;
	do {
		entry = NEXT(readdir)(dir);
	} while (listing != NULL && entry != NULL && is_hidden(listing->folder, entry));
	return entry == NULL && listing != NULL ? next_device(listing) : entry;
}

EXPORT struct dirent64 *
readdir64(DIR *dir)
{
	return (struct dirent64 *)(void *)readdir(dir);
}
