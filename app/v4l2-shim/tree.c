/* SPDX-License-Identifier: BSD-3-Clause */
#include "v4l2-shim/tree.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/compiler.h"
#include "v4l2-shim/protocol.h"

#define REAL_CLASS "/sys/class/video4linux"

/* Makes the folders of a path below the tree, and with text the file at its end. */
static int
put(const char *tree, const char *name, const char *text)
{
	char path[PATH_MAX];
	int len = snprintf(path, sizeof(path), "%s/%s", tree, name);
	FILE *file;

	if (len < 0 || (size_t)len >= sizeof(path)) {
		return -ENAMETOOLONG;
	}
	for (char *slash = path + strlen(tree) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		if (mkdir(path, 0700) != 0 && errno != EEXIST) {
			return -errno;
		}
		*slash = '/';
	}
	if (text == NULL) {
		return 0;
	}
	file = fopen(path, "we");
	if (file == NULL) {
		return -errno;
	}
	fputs(text, file);
	return fclose(file) == 0 ? 0 : -errno;
}

static int
put_link(const char *tree, const char *name, const char *target)
{
	char path[PATH_MAX];
	int ret = put(tree, name, NULL);

	if (ret == 0) {
		ret = snprintf(path, sizeof(path), "%s/%s", tree, name) < (int)sizeof(path)
		              ? 0
		              : -ENAMETOOLONG;
	}
	if (ret == 0 && symlink(target, path) != 0 && errno != EEXIST) {
		ret = -errno;
	}
	return ret;
}

static int
link_real(const char *tree)
{
	DIR *dir = opendir(REAL_CLASS);
	struct dirent *entry;
	int ret = 0;

	while (dir != NULL && ret == 0 && (entry = readdir(dir)) != NULL) {
		char name[PATH_MAX], target[PATH_MAX];

		if (entry->d_name[0] == '.') {
			continue;
		}
		snprintf(name, sizeof(name), "sys/class/video4linux/%s", entry->d_name);
		snprintf(target, sizeof(target), REAL_CLASS "/%s", entry->d_name);
		ret = put_link(tree, name, target);
	}
	if (dir != NULL) {
		closedir(dir);
	}
	return ret;
}

int
tree_create(char *path, size_t size)
{
	const char *base = getenv("XDG_RUNTIME_DIR");
	int ret;

	if (base == NULL || access(base, W_OK) != 0) {
		base = "/tmp";
	}
	if (snprintf(path, size, "%s/vmedia-v4l2-XXXXXX", base) >= (int)size) {
		return -ENAMETOOLONG;
	}
	if (mkdtemp(path) == NULL) {
		return -errno;
	}
	ret = put(path, "sys/class/video4linux/", NULL);
	if (ret == 0) {
		ret = put(path, "sys/dev/char/", NULL);
	}
	return ret == 0 ? link_real(path) : ret;
}

static int
add_links(const char *path, const struct tree_node *node)
{
	unsigned int n = node->number;
	char name[128], target[128];
	int ret;

	/* What a user adds by this number hides a real one. */
	snprintf(name, sizeof(name), "%s/sys/class/video4linux/%s%u", path, node->kind, n);
	unlink(name);
	snprintf(name, sizeof(name), "sys/class/video4linux/%s%u", node->kind, n);
	snprintf(target, sizeof(target), "../../devices/platform/vmedia.%u/video4linux/%s%u", n,
		node->kind, n);
	ret = put_link(path, name, target);
	snprintf(name, sizeof(name), "sys/dev/char/%u:%u", SHIM_VIDEO_MAJOR, n);
	if (ret == 0) {
		ret = put_link(path, name, target);
	}
	snprintf(name, sizeof(name), "sys/devices/platform/vmedia.%u/video4linux/%s%u/subsystem", n,
		node->kind, n);
	return ret == 0 ? put_link(path, name, "../../../../../class/video4linux") : ret;
}

static int
put_attribute(
	const char *path, const struct tree_node *node, const char *attribute, const char *text)
{
	char name[128];

	snprintf(name, sizeof(name), "sys/devices/platform/vmedia.%u/video4linux/%s%u/%s",
		node->number, node->kind, node->number, attribute);
	return put(path, name, text);
}

/* What udev's v4l_id finds out of a real device, as udev keeps it. */
static int
put_udev_data(const char *path, const struct tree_node *node)
{
	static const struct {
		uint32_t bits;
		const char *name;
	} kinds[] = {
		{V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_VIDEO_CAPTURE_MPLANE, "capture:"},
		{V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_VIDEO_OUTPUT_MPLANE, "video_output:"},
	};
	char name[64], can[64] = ":", text[256];
	size_t used = 1;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if ((node->cap.device_caps & kinds[i].bits) != 0) {
			used += (size_t)snprintf(
				can + used, sizeof(can) - used, "%s", kinds[i].name);
		}
	}
	snprintf(name, sizeof(name), "run/udev/data/c%u:%u", SHIM_VIDEO_MAJOR, node->number);
	snprintf(text, sizeof(text),
		"I:1\nE:ID_V4L_VERSION=2\nE:ID_V4L_PRODUCT=%s\nE:ID_V4L_CAPABILITIES=%s\nV:1\n",
		(const char *)node->cap.card, can);
	return put(path, name, text);
}

int
tree_add(const char *path, const struct tree_node *node)
{
	char name[64], dev[32], uevent[96];
	int ret;

	snprintf(name, sizeof(name), "%s\n", (const char *)node->cap.card);
	snprintf(dev, sizeof(dev), "%u:%u\n", SHIM_VIDEO_MAJOR, node->number);
	snprintf(uevent, sizeof(uevent), "MAJOR=%u\nMINOR=%u\nDEVNAME=%s%u\n", SHIM_VIDEO_MAJOR,
		node->number, node->kind, node->number);
	ret = put_attribute(path, node, "name", name);
	ret = ret == 0 ? put_attribute(path, node, "dev", dev) : ret;
	ret = ret == 0 ? put_attribute(path, node, "index", "0\n") : ret;
	ret = ret == 0 ? put_attribute(path, node, "uevent", uevent) : ret;
	ret = ret == 0 ? put_udev_data(path, node) : ret;
	return ret == 0 ? add_links(path, node) : ret;
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

void
tree_remove(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
