/* SPDX-License-Identifier: BSD-3-Clause */
#include "fake_device.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

static void *
reactor_like(void *arg)
{
	struct fake_device *dev = arg;

	pthread_mutex_lock(&dev->lock);
	while (!dev->stop) {
		void (*done)(void *arg) = dev->done;

		if (done == NULL) {
			pthread_cond_wait(&dev->changed, &dev->lock);
			continue;
		}
		if (dev->quiesce_delay_ms != 0) {
			pthread_mutex_unlock(&dev->lock);
			usleep(dev->quiesce_delay_ms * 1000);
			pthread_mutex_lock(&dev->lock);
		}
		dev->done = NULL;
		dev->quiet = true;
		done(dev->done_arg);
	}
	pthread_mutex_unlock(&dev->lock);
	return NULL;
}

static void
quiesce(void *device, enum transport_quiesce why, void (*done)(void *arg), void *arg)
{
	struct fake_device *dev = device;

	pthread_mutex_lock(&dev->lock);
	dev->nb_breaches += dev->quiet || dev->done != NULL;
	dev->done = done;
	dev->done_arg = arg;
	dev->nb_quiesces++;
	dev->nb_stops += why == TRANSPORT_STOP;
	pthread_cond_broadcast(&dev->changed);
	pthread_mutex_unlock(&dev->lock);
}

/* Locks the device for an up-call that is legal only while it is quiet. */
static struct fake_device *
enter_quiet(void *device)
{
	struct fake_device *dev = device;

	pthread_mutex_lock(&dev->lock);
	dev->nb_breaches += !dev->quiet;
	return dev;
}

static void
leave(struct fake_device *dev)
{
	pthread_cond_broadcast(&dev->changed);
	pthread_mutex_unlock(&dev->lock);
}

static void
resume(void *device)
{
	struct fake_device *dev = enter_quiet(device);

	dev->quiet = false;
	leave(dev);
}

static void
set_memory(void *device, const struct guest_mem *mem)
{
	struct fake_device *dev = enter_quiet(device);

	dev->nb_set_memory++;
	if (mem != NULL) {
		dev->mem = *mem;
	} else {
		memset(&dev->mem, 0, sizeof(dev->mem));
	}
	leave(dev);
}

static int
ring_start(void *device, unsigned int queue, const struct virtq_config *config)
{
	struct fake_device *dev = enter_quiet(device);

	dev->nb_breaches += queue >= TRANSPORT_NB_QUEUES || dev->running[queue];
	dev->running[queue] = true;
	dev->nb_starts[queue]++;
	dev->configs[queue] = *config;
	dev->bases[queue] = config->avail_base;
	leave(dev);
	return 0;
}

static uint16_t
ring_stop(void *device, unsigned int queue)
{
	struct fake_device *dev = enter_quiet(device);
	uint16_t base = dev->bases[queue];

	dev->running[queue] = false;
	leave(dev);
	return base;
}

static void
reset(void *device)
{
	struct fake_device *dev = enter_quiet(device);

	dev->nb_resets++;
	dev->nb_breaches += dev->running[0] || dev->running[1];
	leave(dev);
}

static void
window_ready(void *device, int status)
{
	struct fake_device *dev = device;

	pthread_mutex_lock(&dev->lock);
	dev->nb_windows++;
	dev->window_status = status;
	leave(dev);
}

static void
get_config(void *device, uint8_t config[TRANSPORT_CONFIG_BYTES])
{
	for (unsigned int i = 0; i < TRANSPORT_CONFIG_BYTES; i++) {
		config[i] = (uint8_t)(i + 1);
	}
}

const struct transport_listener fake_listener = {
	.quiesce = quiesce,
	.resume = resume,
	.set_memory = set_memory,
	.ring_start = ring_start,
	.ring_stop = ring_stop,
	.reset = reset,
	.window_ready = window_ready,
	.get_config = get_config,
};

void
fake_device_init(struct fake_device *dev)
{
	memset(dev, 0, sizeof(*dev));
	pthread_mutex_init(&dev->lock, NULL);
	pthread_cond_init(&dev->changed, NULL);
	pthread_create(&dev->thread, NULL, reactor_like, dev);
}

void
fake_device_fini(struct fake_device *dev)
{
	pthread_mutex_lock(&dev->lock);
	dev->stop = true;
	leave(dev);
	pthread_join(dev->thread, NULL);
	pthread_cond_destroy(&dev->changed);
	pthread_mutex_destroy(&dev->lock);
}

static struct timespec
in_3_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += 3;
	return ts;
}

int
fake_device_wait_window(struct fake_device *dev, unsigned int nb)
{
	struct timespec until = in_3_s();
	int status;

	pthread_mutex_lock(&dev->lock);
	while (dev->nb_windows < nb &&
		pthread_cond_timedwait(&dev->changed, &dev->lock, &until) == 0) {
	}
	status = dev->nb_windows == nb ? dev->window_status : 1;
	pthread_mutex_unlock(&dev->lock);
	return status;
}

bool
fake_device_wait_detached(struct fake_device *dev)
{
	struct timespec until = in_3_s();
	bool detached;

	pthread_mutex_lock(&dev->lock);
	while ((dev->mem.nb_regions != 0 || dev->quiet) &&
		pthread_cond_timedwait(&dev->changed, &dev->lock, &until) == 0) {
	}
	detached = dev->mem.nb_regions == 0;
	pthread_mutex_unlock(&dev->lock);
	return detached;
}
