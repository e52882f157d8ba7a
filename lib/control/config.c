/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "control/config.h"

static const char *const idle_names[] = {"poll", "adaptive", "interrupt", NULL};
static const char *const compat_names[] = {"auto", "current", "legacy", "all", NULL};
static const char *const page_names[] = {"auto", "4k", "2m", "1g", NULL};

#define PROCESS(field) offsetof(struct config, field)
const struct vmedia_option config_options[] = {
	{"cpus", "CPUs of the reactors, one each, as 1,3-5; default: the last CPU allowed",
		VMEDIA_OPTION_STRING, PROCESS(cpus)},
	{"idle", "what a reactor does without work", VMEDIA_OPTION_CHOICE, PROCESS(idle), 0, 0,
		idle_names, "adaptive"},
	{"spin-us", "µs an adaptive reactor spins before it sleeps", VMEDIA_OPTION_U32,
		PROCESS(spin_us), 0, 1000000, NULL, "50"},
	{"umwait",
		"where a reactor would spin, wait for the driver's store (UMWAIT): needs such a CPU",
		VMEDIA_OPTION_BOOL, PROCESS(umwait), 0, 0, NULL, "no"},
	{"budget-us", "µs of long work (rendering) per reactor pass", VMEDIA_OPTION_U32,
		PROCESS(budget_us), 5, 100000, NULL, "50"},
	{"balance-ms",
		"ms between looks whether a device had better move to another reactor; 0: never",
		VMEDIA_OPTION_U32, PROCESS(balance_ms), 0, 3600000, NULL, "0"},
	{"trace", "load the LTTng-UST tracepoints at the start", VMEDIA_OPTION_BOOL, PROCESS(trace),
		0, 0, NULL, "no"},
	{"log", "level, or ROOM:LEVEL; err | warning | notice | info | debug", VMEDIA_OPTION_STRING,
		PROCESS(log), 0, 0, NULL, "notice"},
	{NULL},
};

#define DEVICE(field) offsetof(struct config_device, field)
const struct vmedia_option config_device_options[] = {
	{"socket", "path of the vhost-user socket", VMEDIA_OPTION_STRING, DEVICE(socket)},
	{"backend", "what stands behind the device", VMEDIA_OPTION_STRING, DEVICE(backend_name)},
	{"name", "name in logs and statistics; default: from socket", VMEDIA_OPTION_STRING,
		DEVICE(name)},
	{"pages", "page size of the arena", VMEDIA_OPTION_CHOICE, DEVICE(pages), 0, 0, page_names,
		"auto"},
	{"shm-mb", "MiB for buffers, rounded up to a power of two; 0: 32 of the first format",
		VMEDIA_OPTION_U32, DEVICE(shm_mb), 0, 4096, NULL, "0"},
	{"hugetlbfs", "mounted hugetlbfs directory for the arena instead of a memfd",
		VMEDIA_OPTION_STRING, DEVICE(hugetlbfs)},
	{"reactor", "index of the reactor; default: in turn", VMEDIA_OPTION_U32, DEVICE(reactor), 0,
		CONFIG_MAX_REACTORS - 1},
	{"deadline-ms", "a command is answered by then, ms", VMEDIA_OPTION_U32, DEVICE(deadline_ms),
		10, 4000, NULL, "2000"},
	{"sessions", "most sessions open at once", VMEDIA_OPTION_U32, DEVICE(max_sessions), 1,
		65536, NULL, "256"},
	{"compat", "front-ends to please: see vmediad.md", VMEDIA_OPTION_CHOICE, DEVICE(compat), 0,
		0, compat_names, "auto"},
	{"shared-pages", "buffers in the guest's own memory (USERPTR) are accepted",
		VMEDIA_OPTION_BOOL, DEVICE(shared_pages), 0, 0, NULL, "no"},
	{"remove-buffers", "single buffers can be given back (REMOVE_BUFS): see vmediad.md",
		VMEDIA_OPTION_BOOL, DEVICE(remove_buffers), 0, 0, NULL, "no"},
	{"coalesce-us", "least time between two interrupts for frames alone, µs; 0: none",
		VMEDIA_OPTION_U32, DEVICE(coalesce_us), 0, 10000, NULL, "0"},
	{"arena-no-access", "test: map the arena PROT_NONE in vmediad", VMEDIA_OPTION_BOOL,
		DEVICE(arena_no_access), 0, 0, NULL, "no"},
	{"stamp-done", "test: a frame's timecode tells the TSC when it was done",
		VMEDIA_OPTION_BOOL, DEVICE(stamp_done), 0, 0, NULL, "no"},
	{NULL},
};

void
config_init(struct config *config)
{
	memset(config, 0, sizeof(*config));
	option_defaults(config_options, config);
}

struct config_text {
	struct config_text *next;
	char chars[];
};

char *
config_keep(struct config_text **texts, const char *text)
{
	size_t bytes = strlen(text) + 1;
	struct config_text *copy = malloc(sizeof(*copy) + bytes);

	if (copy == NULL) {
		abort();
	}
	memcpy(copy->chars, text, bytes);
	copy->next = *texts;
	*texts = copy;
	return copy->chars;
}

static void
free_texts(struct config_text **texts)
{
	while (*texts != NULL) {
		struct config_text *next = (*texts)->next;

		free(*texts);
		*texts = next;
	}
}

void
config_fini(struct config *config)
{
	for (uint32_t i = 0; i < config->nb_devices; i++) {
		free_texts(&config->devices[i]->texts);
		free(config->devices[i]);
	}
	config->nb_devices = 0;
	free_texts(&config->texts);
}

int
config_set(struct config *config, const char *key, const char *value, char *why, size_t why_bytes)
{
	const struct vmedia_option *row = option_find(config_options, key);
	char keys[256];

	if (row == NULL) {
		option_keys(config_options, keys, sizeof(keys));
		snprintf(why, why_bytes, "unknown key '%s'; there are %s", key, keys);
		return -EINVAL;
	}
	return option_store(row, config, config_keep(&config->texts, value), why, why_bytes);
}

static struct config_device *
device_new(struct config *config)
{
	struct config_device *device;

	if (config->nb_devices == CONFIG_MAX_DEVICES) {
		return NULL;
	}
	device = calloc(1, sizeof(*device));
	if (device != NULL) {
		option_defaults(config_device_options, device);
		device->reactor = CONFIG_ANY_REACTOR;
		config->devices[config->nb_devices++] = device;
	}
	return device;
}

struct config_device *
config_device_get(struct config *config, const char *name)
{
	struct config_device *device;

	for (uint32_t i = 0; i < config->nb_devices; i++) {
		if (config->devices[i]->name != NULL &&
			strcmp(config->devices[i]->name, name) == 0) {
			return config->devices[i];
		}
	}
	device = device_new(config);
	if (device != NULL) {
		device->name = config_keep(&device->texts, name);
	}
	return device;
}

/* Keys that the core does not know are the backend's; config_check looks at them. */
int
config_device_set(struct config_device *device, const char *key, const char *value, char *why,
	size_t why_bytes)
{
	const struct vmedia_option *row = option_find(config_device_options, key);

	if (row != NULL) {
		return option_store(
			row, device, config_keep(&device->texts, value), why, why_bytes);
	}
	if (device->nb_options == CONFIG_MAX_BACKEND_OPTIONS) {
		snprintf(why, why_bytes, "%s=%s: more than %d backend keys", key, value,
			CONFIG_MAX_BACKEND_OPTIONS);
		return -EINVAL;
	}
	device->options[device->nb_options++] = (struct device_option){
		config_keep(&device->texts, key),
		config_keep(&device->texts, value),
	};
	return 0;
}

int
config_add_device(struct config *config, const char *text, char *why, size_t why_bytes)
{
	char *rest = config_keep(&config->texts, text);
	char *part;
	struct config_device *device = device_new(config);
	int rc = 0;

	if (device == NULL) {
		snprintf(why, why_bytes, "more than %d devices", CONFIG_MAX_DEVICES);
		rc = -EINVAL;
	}
	while (rc == 0 && (part = strsep(&rest, ",")) != NULL) {
		char *value;

		part += strspn(part, " ");
		value = strchr(part, '=');

		if (value == NULL) {
			snprintf(why, why_bytes,
				"'%s': key=value is expected, as in socket=/run/cam0.sock,backend=pattern",
				part);
			rc = -EINVAL;
			break;
		}
		*value++ = '\0';
		rc = config_device_set(device, part, value, why, why_bytes);
	}
	return rc;
}

void
config_help(FILE *out)
{
	const struct vmedia_backend_ops *backend = NULL;

	fprintf(out,
		"\nKeys of --device and of a [device NAME] section: values, default, meaning\n");
	option_help(config_device_options, out);
	while ((backend = backend_next(backend)) != NULL) {
		fprintf(out, "\nbackend=%s  %s\n", backend->name, backend->summary);
		option_help(backend->options, out);
	}
}
