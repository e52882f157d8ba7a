/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What vmediad is told: process settings and devices, from the command line and a config file. The
 * option tables here parse, check and are the help text. Control thread only.
 */
#ifndef VMEDIA_CONTROL_CONFIG_H
#define VMEDIA_CONTROL_CONFIG_H

#include <stdint.h>
#include <stdio.h>

#include "base/option.h"
#include "device/device.h"

#define CONFIG_MAX_DEVICES         1024
#define CONFIG_MAX_REACTORS        64
#define CONFIG_MAX_BACKEND_OPTIONS 32

struct config_text;

struct config_device {
	const char *name;   /* default: the socket's file name without ".sock" */
	const char *socket; /* path; NULL: an inherited fd of that name */
	const char *backend_name;
	const struct vmedia_backend_ops *backend;
	uint32_t pages; /* enum shm_page_size */
	uint32_t shm_mb;
	uint32_t reactor; /* index, or CONFIG_ANY_REACTOR */
	uint32_t deadline_ms;
	uint32_t max_sessions;
	uint32_t compat; /* enum transport_compat */
	uint32_t shared_pages;
	uint32_t remove_buffers;
	uint32_t arena_no_access;
	uint32_t coalesce_us;
	uint32_t stamp_done;
	const char *hugetlbfs;
	/* keys of the backend, checked against its table when the whole device is known */
	struct device_option options[CONFIG_MAX_BACKEND_OPTIONS];
	uint32_t nb_options;
	struct config_text *texts; /* what the strings above point to; config_fini frees them */
};

#define CONFIG_ANY_REACTOR 0xffffu

struct config {
	const char *cpus; /* text; parsed into reactor_cpus */
	uint32_t idle;    /* enum reactor_idle */
	uint32_t spin_us;
	uint32_t umwait;
	uint32_t budget_us;
	uint32_t balance_ms; /* 0: devices stay */
	uint32_t trace;
	const char *log;
	int reactor_cpus[CONFIG_MAX_REACTORS];
	uint32_t nb_reactors;
	struct config_device *devices[CONFIG_MAX_DEVICES];
	uint32_t nb_devices;
	struct config_text *texts;
};

/* One row per key of [vmediad] = long option, and of [device …] = part of --device. */
extern const struct vmedia_option config_options[];
extern const struct vmedia_option config_device_options[];

void config_init(struct config *config);
void config_fini(struct config *config);
/* A copy of text that lives as long as the list; never NULL. */
char *config_keep(struct config_text **texts, const char *text);

/* All return 0 or -EINVAL with one sentence in `why` that says which, where and what is allowed. */
int config_set(
	struct config *config, const char *key, const char *value, char *why, size_t why_bytes);
/* "socket=PATH,backend=NAME[,key=value…]" */
int config_add_device(struct config *config, const char *text, char *why, size_t why_bytes);
/* INI: [vmediad] and [device NAME] with the same keys. Names file and line. */
int config_read_file(struct config *config, const char *path, char *why, size_t why_bytes);
/* Last: defaults of CPUs, names, duplicates, backends and their keys. */
int config_check(struct config *config, char *why, size_t why_bytes);

/* A device by name, made when it does not exist; NULL: too many. For the file reader. */
struct config_device *config_device_get(struct config *config, const char *name);
int config_device_set(struct config_device *device, const char *key, const char *value, char *why,
	size_t why_bytes);

/* The keys of --device and of every backend, as tables. */
void config_help(FILE *out);

#endif
