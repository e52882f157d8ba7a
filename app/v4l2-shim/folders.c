/* SPDX-License-Identifier: BSD-3-Clause */
/* Listings: /dev has one entry more per device of ours, /sys is redirected. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "v4l2-shim/shim.h"

#define NB_LISTINGS 16 /* of /dev at a time; a further one does not show our devices */

/* A listing of /dev under way, and the next device to show once the real ones are through. */
static struct listing {
	DIR *dir;
	unsigned int next;
	struct dirent entry;
} listings[NB_LISTINGS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint nb_listings;

static void
after_fork(void)
{
	pthread_mutex_init(&lock, NULL);
}

static __attribute__((constructor)) void
prepare(void)
{
	pthread_atfork(NULL, NULL, after_fork);
}

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
watch(DIR *dir)
{
	struct listing *listing;

	if (dir == NULL) {
		return NULL;
	}
	pthread_mutex_lock(&lock);
	listing = find(NULL);
	if (listing != NULL) {
		*listing = (struct listing){.dir = dir};
		atomic_fetch_add(&nb_listings, 1);
	}
	pthread_mutex_unlock(&lock);
	return dir;
}

static bool
is_dev(const char *path)
{
	return path != NULL && strncmp(path, "/dev", 4) == 0 &&
	       path[4 + strspn(path + 4, "/")] == '\0';
}

EXPORT DIR *
opendir(const char *path)
{
	char buf[PATH_ROOM];

	if (is_dev(path)) {
		return watch(NEXT(opendir)(path));
	}
	return NEXT(opendir)(path_redirect(AT_FDCWD, path, buf));
}

EXPORT DIR *
fdopendir(int fd)
{
	char link[32], folder[8];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = NEXT(readlink)(link, folder, sizeof(folder));
	if (len == 4 && memcmp(folder, "/dev", 4) == 0) {
		return watch(NEXT(fdopendir)(fd));
	}
	return NEXT(fdopendir)(fd);
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

/* A number of ours hides a real device of the same name. */
static bool
is_hidden(const struct dirent *entry)
{
	char path[sizeof(entry->d_name) + 5];

	if (strncmp(entry->d_name, "video", 5) != 0) {
		return false;
	}
	snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
	return device_by_path(path) >= 0;
}

static struct dirent *
next_device(struct listing *listing)
{
	struct dirent *entry = &listing->entry;

	while (listing->next < SHIM_MAX_DEVICES && !device_exists(listing->next)) {
		listing->next++;
	}
	if (listing->next == SHIM_MAX_DEVICES) {
		return NULL;
	}
	*entry = (struct dirent){.d_ino = 0x564d0000u + listing->next,
		.d_type = DT_CHR,
		.d_reclen = sizeof(*entry),
		.d_off = (off_t)listing->next};
	snprintf(entry->d_name, sizeof(entry->d_name), "video%u", listing->next++);
	return entry;
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
	} while (listing != NULL && entry != NULL && is_hidden(entry));
	return entry == NULL && listing != NULL ? next_device(listing) : entry;
}

EXPORT struct dirent64 *
readdir64(DIR *dir)
{
	return (struct dirent64 *)(void *)readdir(dir);
}
