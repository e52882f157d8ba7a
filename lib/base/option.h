/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * key=value by table: one row of struct vmedia_option parses, checks, stores and is the help text.
 * Used for --device, the config file and the options of backends. Control thread.
 */
#ifndef VMEDIA_BASE_OPTION_H
#define VMEDIA_BASE_OPTION_H

#include <stddef.h>
#include <stdio.h>

#include "vmedia/backend.h"

/* The row of a key, or NULL. The table ends with a NULL key; NULL is an empty table. */
const struct vmedia_option *option_find(const struct vmedia_option *table, const char *key);

/* Stores the defaults of all rows into the struct at base. */
void option_defaults(const struct vmedia_option *table, void *base);

/*
 * Checks value and stores it at base + row->offset; base NULL: only checks. A STRING is stored as
 * the pointer given, which must live on. -EINVAL: `why` says what is allowed.
 */
int option_store(const struct vmedia_option *row, void *base, const char *value, char *why,
	size_t why_bytes);

/* What is allowed, as text: "1 .. 240", "nv12 | yuyv", "yes | no", "text". */
void option_allowed(const struct vmedia_option *row, char *text, size_t text_bytes);

/* All keys: "width, height, fps", or "none". */
void option_keys(const struct vmedia_option *table, char *text, size_t text_bytes);

/* All rows as an aligned table: key, allowed, default, help. */
void option_help(const struct vmedia_option *table, FILE *out);

#endif
