/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <ini.h>
#include <string.h>

#include "control/config.h"

struct reader {
	struct config *config;
	char why[512]; /* of the first bad line */
	int rc;
};

static int
set(struct reader *r, const char *section, const char *key, const char *value)
{
	static const char prefix[] = "device ";
	struct config_device *device;

	if (strcmp(section, "vmediad") == 0) {
		return config_set(r->config, key, value, r->why, sizeof(r->why));
	}
	if (strncmp(section, prefix, sizeof(prefix) - 1) != 0) {
		snprintf(r->why, sizeof(r->why),
			"section [%s] is unknown; there are [vmediad] and [device NAME]", section);
		return -EINVAL;
	}
	device = config_device_get(r->config, section + sizeof(prefix) - 1);
	if (device == NULL) {
		snprintf(r->why, sizeof(r->why), "more than %d devices", CONFIG_MAX_DEVICES);
		return -EINVAL;
	}
	return config_device_set(device, key, value, r->why, sizeof(r->why));
}

/* inih wants 1 for success; it goes on after a failure, so the first reason is kept. */
static int
handle_line(void *arg, const char *section, const char *key, const char *value)
{
	struct reader *r = arg;

	if (r->rc != 0) {
		return 0;
	}
	r->rc = set(r, section, key, value);
	return r->rc == 0;
}

int
config_read_file(struct config *config, const char *path, char *why, size_t why_bytes)
{
	struct reader r = {.config = config};
	int line = ini_parse(path, handle_line, &r);

	if (line == 0) {
		return 0;
	}
	if (line < 0) {
		snprintf(why, why_bytes, "%s: cannot be read: %s", path, strerror(errno));
	} else if (r.rc == 0) {
		snprintf(why, why_bytes, "%s:%d: key = value or [section] is expected", path, line);
	} else {
		snprintf(why, why_bytes, "%s:%d: %s", path, line, r.why);
	}
	return -EINVAL;
}
