/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs a libFuzzer target over every file of the folders given: the corpus as a plain test. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data;
	long size;

	if (f == NULL || fseek(f, 0, SEEK_END) != 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -errno;
	}
	size = ftell(f);
	rewind(f);
	data = malloc(size > 0 ? (size_t)size : 1); /* exact, so that ASan sees an overrun */
	if (data == NULL || fread(data, 1, (size_t)size, f) != (size_t)size) {
		fprintf(stderr, "%s: cannot be read\n", path);
		return -EIO;
	}
	fclose(f);
	LLVMFuzzerTestOneInput(data, (size_t)size);
	free(data);
	return 0;
}

static int
replay_folder(const char *folder, unsigned int *nb_files)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	int rc = 0;

	if (dir == NULL) {
		fprintf(stderr, "%s: %s\n", folder, strerror(errno));
		return -errno;
	}
	while (rc == 0 && (entry = readdir(dir)) != NULL) {
		char path[PATH_MAX];

		if (entry->d_name[0] == '.') {
			continue;
		}
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		rc = replay_file(path);
		(*nb_files)++;
	}
	closedir(dir);
	return rc;
}

int
main(int argc, char **argv)
{
	unsigned int nb_files = 0;

	for (int i = 1; i < argc; i++) {
		if (replay_folder(argv[i], &nb_files) != 0) {
			return EXIT_FAILURE;
		}
	}
	printf("%u inputs replayed\n", nb_files);
	return nb_files > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
