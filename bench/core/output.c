/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#ifdef HAVE_JSONC
#include <json.h>

int
output_json(const char *path, struct json_object *top)
{
	int ret = 0;

	errno = 0;
	if (json_object_to_file_ext(path, top, JSON_C_TO_STRING_PRETTY) != 0) {
		ret = errno != 0 ? -errno : -EIO;
		fprintf(stderr, "cannot write %s: %s\n", path, strerror(-ret));
	}
	json_object_put(top);
	return ret;
}
#endif
