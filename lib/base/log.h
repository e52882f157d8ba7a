/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Logging: one type per room, one sink for the process. Surprises are logged; paths are traced and
 * numbers are counted instead. Never on a hot path but for the rate-limited fault of a guest.
 *
 * A file says once LOG_TYPE_DEFINE(virtq) or LOG_TYPE_USE(virtq) and then log_warning(&log_virtq,
 * ...).
 */
#ifndef VMEDIA_BASE_LOG_H
#define VMEDIA_BASE_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

enum log_level {
	LOG_LEVEL_ERR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

struct log_type {
	const char *name; /* "virtq" */
	enum log_level level;
	struct log_type *next;
};

/* Called with a complete line without a newline; any thread. */
typedef void log_sink_fn(enum log_level level, const char *type, const char *line);

/* The default sink writes "vmedia.TYPE: line" to stderr. Set before other threads start. */
void log_set_sink(log_sink_fn *sink);

/* "debug" for all types or "virtq:debug". -EINVAL for an unknown type or level. */
int log_set_level(const char *spec);

/* Registers a type; LOG_TYPE_DEFINE calls it from a constructor. */
void log_type_register(struct log_type *type);

void log_write(const struct log_type *type, enum log_level level, const char *fmt, ...)
	__printf_like(3, 4);

/* At most one line a second per state; tells how many were kept back. Single thread per state. */
struct log_ratelimit {
	uint64_t next_ns;
	uint32_t suppressed;
};
bool log_ratelimit_pass(struct log_ratelimit *limit, uint32_t *suppressed);

#define LOG_TYPE_DEFINE(room)                                                \
	struct log_type log_##room = {#room, LOG_LEVEL_NOTICE, NULL};        \
	static void __attribute__((constructor)) log_##room##_register(void) \
	{                                                                    \
		log_type_register(&log_##room);                              \
	}                                                                    \
	struct log_type log_##room
#define LOG_TYPE_USE(room) extern struct log_type log_##room

#define log_err(type, ...)     log_write((type), LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warning(type, ...) log_write((type), LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(type, ...)  log_write((type), LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(type, ...)    log_write((type), LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(type, ...)   log_write((type), LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
