/* SPDX-License-Identifier: BSD-3-Clause */
/* What can only be judged when everything has been read. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "control/config.h"
#include "reactor/reactor.h"

static int
add_cpu(struct config *config, long cpu, const cpu_set_t *allowed, char *why, size_t why_bytes)
{
	if (cpu < 0 || cpu >= CPU_SETSIZE || !CPU_ISSET((int)cpu, allowed)) {
		snprintf(why, why_bytes, "cpus=%s: CPU %ld does not exist or is not allowed here",
			config->cpus, cpu);
		return -EINVAL;
	}
	if (config->nb_reactors == CONFIG_MAX_REACTORS) {
		snprintf(why, why_bytes, "cpus=%s: more than %d reactors", config->cpus,
			CONFIG_MAX_REACTORS);
		return -EINVAL;
	}
	config->reactor_cpus[config->nb_reactors++] = (int)cpu;
	return 0;
}

/* "1,3-5" */
static int
parse_cpus(struct config *config, const cpu_set_t *allowed, char *why, size_t why_bytes)
{
	const char *at = config->cpus;
	int rc = 0;

	while (rc == 0 && *at != '\0') {
		char *end;
		long first = strtol(at, &end, 10);
		long last = first;

		if (end != at && *end == '-') {
			at = end + 1;
			last = strtol(at, &end, 10);
		}
		if (end == at || (*end != ',' && *end != '\0') || last < first ||
			last >= CPU_SETSIZE) {
			snprintf(why, why_bytes, "cpus=%s: a list such as 1,3-5 is expected",
				config->cpus);
			return -EINVAL;
		}
		for (long cpu = first; rc == 0 && cpu <= last; cpu++) {
			rc = add_cpu(config, cpu, allowed, why, why_bytes);
		}
		at = *end == ',' ? end + 1 : end;
	}
	return rc;
}

static int
check_cpus(struct config *config, char *why, size_t why_bytes)
{
	cpu_set_t allowed;

	CPU_ZERO(&allowed);
	sched_getaffinity(0, sizeof(allowed), &allowed);
	config->nb_reactors = 0;
	if (config->cpus != NULL) {
		return parse_cpus(config, &allowed, why, why_bytes);
	}
	for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--) {
		if (CPU_ISSET(cpu, &allowed)) {
			config->reactor_cpus[config->nb_reactors++] = cpu;
			break;
		}
	}
	return 0;
}

static int
check_socket_path(const struct config_device *device, char *why, size_t why_bytes)
{
	size_t most = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

	if (device->socket == NULL || strlen(device->socket) <= most) {
		return 0;
	}
	snprintf(why, why_bytes, "socket=%s: the path has %zu bytes, at most %zu are allowed",
		device->socket, strlen(device->socket), most);
	return -EINVAL;
}

/* "/run/vmedia/cam0.sock" → "cam0" */
static void
name_from_socket(struct config_device *device)
{
	const char *base = strrchr(device->socket, '/');
	char *name = config_keep(&device->texts, base != NULL ? base + 1 : device->socket);
	char *dot;

	dot = strrchr(name, '.');
	if (dot != NULL && dot != name) {
		*dot = '\0';
	}
	device->name = name;
}

static void
list_backends(char *text, size_t text_bytes)
{
	const struct vmedia_backend_ops *backend = NULL;
	size_t at = 0;

	while ((backend = backend_next(backend)) != NULL && at < text_bytes) {
		at += (size_t)snprintf(
			text + at, text_bytes - at, "%s%s", at > 0 ? ", " : "", backend->name);
	}
}

static int
check_backend(struct config_device *device, char *why, size_t why_bytes)
{
	char known[256] = "";

	list_backends(known, sizeof(known));
	if (device->backend_name == NULL) {
		snprintf(why, why_bytes, "device %s: backend= is missing; there are %s",
			device->name, known);
		return -EINVAL;
	}
	device->backend = backend_find(device->backend_name);
	if (device->backend == NULL) {
		snprintf(why, why_bytes, "device %s: backend=%s is unknown; there are %s",
			device->name, device->backend_name, known);
		return -EINVAL;
	}
	for (uint32_t i = 0; i < device->nb_options; i++) {
		char detail[384];

		if (backend_option_check(device->backend, device->options[i].key,
			    device->options[i].value, detail, sizeof(detail)) != 0) {
			snprintf(why, why_bytes, "device %s: %s", device->name, detail);
			return -EINVAL;
		}
	}
	return 0;
}

/* What of the core's own a backend cannot offer that hands everything on to another device. */
static int
check_forwarding(const struct config_device *device, char *why, size_t why_bytes)
{
	if (!device->backend->forwards || !device->remove_buffers) {
		return 0;
	}
	snprintf(why, why_bytes, "device %s: backend=%s does not have remove-buffers=yes",
		device->name, device->backend->name);
	return -EINVAL;
}

static int
check_device(const struct config *config, uint32_t index, char *why, size_t why_bytes)
{
	struct config_device *device = config->devices[index];

	if (device->socket == NULL && device->name == NULL) {
		snprintf(why, why_bytes, "device %u: socket=PATH is missing", index);
		return -EINVAL;
	}
	if (check_socket_path(device, why, why_bytes) != 0) {
		return -EINVAL;
	}
	if (device->name == NULL) {
		name_from_socket(device);
	}
	for (uint32_t i = 0; i < index; i++) {
		const struct config_device *other = config->devices[i];

		if (strcmp(other->name, device->name) == 0) {
			snprintf(why, why_bytes,
				"two devices are called %s: give one another name=", device->name);
			return -EINVAL;
		}
		if (other->socket != NULL && device->socket != NULL &&
			strcmp(other->socket, device->socket) == 0) {
			snprintf(why, why_bytes, "devices %s and %s have the same socket=%s",
				other->name, device->name, device->socket);
			return -EINVAL;
		}
	}
	if (device->reactor != CONFIG_ANY_REACTOR && device->reactor >= config->nb_reactors) {
		snprintf(why, why_bytes, "device %s: reactor=%u, but there are only %u (cpus=)",
			device->name, device->reactor, config->nb_reactors);
		return -EINVAL;
	}
	if (check_backend(device, why, why_bytes) != 0) {
		return -EINVAL;
	}
	return check_forwarding(device, why, why_bytes);
}

static int
check_umwait(const struct config *config, char *why, size_t why_bytes)
{
	const char *but = NULL;

	if (!reactor_can_umwait()) {
		but = "this CPU has no UMWAIT (WAITPKG)";
	} else if (config->idle == REACTOR_INTERRUPT) {
		but = "with idle=interrupt a reactor never spins";
	}
	if (config->umwait == 0 || but == NULL) {
		return 0;
	}
	snprintf(why, why_bytes, "umwait=yes: %s: leave it away", but);
	return -EINVAL;
}

int
config_check(struct config *config, char *why, size_t why_bytes)
{
	int rc = check_cpus(config, why, why_bytes);

	rc = rc != 0 ? rc : check_umwait(config, why, why_bytes);
	if (rc == 0 && config->nb_devices == 0) {
		snprintf(why, why_bytes,
			"no device: say --device socket=PATH,backend=NAME or give a config file");
		rc = -EINVAL;
	}
	for (uint32_t i = 0; rc == 0 && i < config->nb_devices; i++) {
		rc = check_device(config, i, why, why_bytes);
	}
	return rc;
}
