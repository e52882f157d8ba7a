/* SPDX-License-Identifier: BSD-3-Clause */
/* The list of backends, which register themselves before main(), and the options of one device. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/option.h"
#include "device/internal.h"

LOG_TYPE_USE(device);

#define MAX_BACKENDS 32

static const struct vmedia_backend_ops *backends[MAX_BACKENDS];
static unsigned int nb_backends;

void
vmedia_backend_register(const struct vmedia_backend_ops *ops)
{
	if (nb_backends < MAX_BACKENDS) {
		backends[nb_backends++] = ops;
	} else {
		fprintf(stderr, "vmedia: backend %s is one too many (at most %d)\n", ops->name,
			MAX_BACKENDS);
	}
}

const struct vmedia_backend_ops *
backend_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < nb_backends; i++) {
		if (strcmp(backends[i]->name, name) == 0) {
			return backends[i];
		}
	}
	return NULL;
}

const struct vmedia_backend_ops *
backend_next(const struct vmedia_backend_ops *previous)
{
	unsigned int i;

	if (previous == NULL) {
		return nb_backends > 0 ? backends[0] : NULL;
	}
	for (i = 0; i + 1 < nb_backends; i++) {
		if (backends[i] == previous) {
			return backends[i + 1];
		}
	}
	return NULL;
}

/* "fps, size, pattern", or "none". */
static void
list_keys(const struct vmedia_option *table, char *text, size_t text_bytes)
{
	size_t used = 0;

	snprintf(text, text_bytes, "none");
	for (; table != NULL && table->key != NULL && used < text_bytes; table++) {
		int n = snprintf(
			text + used, text_bytes - used, "%s%s", used > 0 ? ", " : "", table->key);

		used += n > 0 ? (size_t)n : 0;
	}
}

int
backend_option_check(const struct vmedia_backend_ops *backend, const char *key, const char *value,
	char *why, size_t why_bytes)
{
	const struct vmedia_option *row = option_find(backend->options, key);
	char keys[256];

	if (row == NULL) {
		list_keys(backend->options, keys, sizeof(keys));
		snprintf(why, why_bytes, "%s=%s: backend %s has no such option; it has: %s", key,
			value, backend->name, keys);
		return -EINVAL;
	}
	return option_store(row, NULL, value, why, why_bytes);
}

int
device_options_store(const char *name, const struct vmedia_backend_ops *backend,
	const struct device_option *options, uint32_t nb_options, void *priv)
{
	char why[384];
	uint32_t i;
	int err;

	option_defaults(backend->options, priv);
	for (i = 0; i < nb_options; i++) {
		const struct device_option *o = &options[i];

		err = backend_option_check(backend, o->key, o->value, why, sizeof(why));
		if (err == 0) {
			err = option_store(option_find(backend->options, o->key), priv, o->value,
				why, sizeof(why));
		}
		if (err != 0) {
			log_err(&log_device, "device %s: %s", name, why);
			return err;
		}
	}
	return 0;
}
