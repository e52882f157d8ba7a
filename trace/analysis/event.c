/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <linux/virtio_media.h>

#include "base/compiler.h"
#include "protocol/ioctl_table.h"
#include "analysis/event.h"

#define NAME(name) #name,

static const char *const event_names[] = {EVENT_NAMES(NAME)};
static const char *const field_names[] = {FIELD_NAMES(NAME)};
static const char *const command_names[] = {
	[0] = "MALFORMED",
	[VIRTIO_MEDIA_CMD_OPEN] = "OPEN",
	[VIRTIO_MEDIA_CMD_CLOSE] = "CLOSE",
	[VIRTIO_MEDIA_CMD_IOCTL] = "IOCTL",
	[VIRTIO_MEDIA_CMD_MMAP] = "MMAP",
	[VIRTIO_MEDIA_CMD_MUNMAP] = "MUNMAP",
};

static int
find(const char *const *names, int nb, const char *name)
{
	for (int i = 0; i < nb; i++) {
		if (strcmp(names[i], name) == 0) {
			return i;
		}
	}
	return -ENOENT;
}

int
event_find(const char *name)
{
	return find(event_names, NB_EVENTS, name);
}

int
event_find_field(const char *name)
{
	return find(field_names, NB_FIELDS, name);
}

const char *
event_name(enum event_kind kind)
{
	return event_names[kind];
}

const char *
event_field_name(enum event_field field)
{
	return field_names[field];
}

const char *
event_code_name(uint32_t code, char *text)
{
	uint32_t command = code - EVENT_CODE_COMMAND;
	const struct ioctl_desc *desc = ioctl_lookup(code);

	if (desc != NULL) {
		return desc->name;
	}
	if (command < ARRAY_SIZE(command_names) && command_names[command] != NULL) {
		return command_names[command];
	}
	snprintf(text, 16, "code %#x", code);
	return text;
}

bool
event_is_code(const char *name)
{
	char text[16];

	if (strncasecmp(name, "code ", 5) == 0) {
		return true;
	}
	for (uint32_t i = 0; i < 256; i++) {
		if (strcasecmp(name, event_code_name(i, text)) == 0 ||
			strcasecmp(name, event_code_name(EVENT_CODE_COMMAND + i, text)) == 0) {
			return true;
		}
	}
	return false;
}
