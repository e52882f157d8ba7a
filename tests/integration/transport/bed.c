/* SPDX-License-Identifier: BSD-3-Clause */
/* The gateway with one device and a front-end's memory, for each test anew. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "bed.h"
#include "transport/eal.h"
#include "transport/gateway.h"

#define AVAIL_OFFSET 0x80000u
#define USED_OFFSET  0xa0000u

struct bed bed;

static void
memory_init(struct fe *fe)
{
	for (int i = 0; i < FE_NB_REGIONS; i++) {
		fe->mem_fds[i] = memfd_create("guest", MFD_CLOEXEC);
		cr_assert_eq(ftruncate(fe->mem_fds[i], FE_MEM_BYTES), 0);
		fe->mem[i] = mmap(
			NULL, FE_MEM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fe->mem_fds[i], 0);
		cr_assert_neq(fe->mem[i], MAP_FAILED);
		fe->regions[i] = (struct fe_region){i * FE_GPA, FE_MEM_BYTES, 0};
	}
	for (int i = 0; i < TRANSPORT_NB_QUEUES; i++) {
		uint64_t ring = (uint64_t)i * FE_RING_STRIDE;

		fe->rings[i] = (struct fe_ring){ring, ring + USED_OFFSET, ring + AVAIL_OFFSET};
		fe->kicks[i] = eventfd(0, EFD_CLOEXEC);
		fe->calls[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
}

static void
create_transport(enum transport_compat compat)
{
	struct transport_config config = {.name = "cam0",
		.path = bed.path,
		.listen_fd = -1,
		.arena_fd = bed.arena_fd,
		.arena_bytes = FE_ARENA_BYTES,
		.lost = &bed.dev.lost,
		.lost_mark = 1,
		.compat = compat};

	cr_assert_eq(vhost_user_ops.create(&config, &fake_listener, &bed.dev, &bed.transport), 0);
}

void
bed_offer(enum transport_compat compat, uint64_t offer)
{
	fe_disconnect(&bed.fe);
	vhost_user_ops.destroy(bed.transport);
	create_transport(compat);
	bed.fe.offer = offer;
	bed.dev.nb_resets = 0;
	fe_connect(&bed.fe, bed.path);
}

void
bed_set_up(void)
{
	struct transport_eal_config eal = {.program = "vmedia-test"};

	memset(&bed, 0, sizeof(bed));
	cr_assert_eq(transport_eal_init(&eal), 0);
	cr_assert_eq(gateway_start(), 0);
	snprintf(bed.path, sizeof(bed.path), "/tmp/vmedia-test-%d.sock", (int)getpid());
	bed.arena_fd = memfd_create("arena", MFD_CLOEXEC);
	cr_assert_eq(ftruncate(bed.arena_fd, FE_ARENA_BYTES), 0);
	fake_device_init(&bed.dev);
	create_transport(TRANSPORT_COMPAT_AUTO);
	bed.fe.fd = -1;
	bed.fe.channel = -1;
	bed.fe.protocol = FE_PROTOCOL;
	bed.fe.features = FE_VIRTIO;
	bed.fe.offer = FE_OFFER;
	bed.fe.queue_size = FE_QUEUE_SIZE;
	bed.fe.uva = FE_UVA;
	bed.fe.mq = true;
	memory_init(&bed.fe);
	fe_connect(&bed.fe, bed.path);
}

void
bed_tear_down(void)
{
	vhost_user_ops.destroy(bed.transport);
	cr_assert_eq(access(bed.path, F_OK), -1);
	cr_assert_eq(gateway_stop(), 0);
	fe_disconnect(&bed.fe);
	for (int i = 0; i < FE_NB_REGIONS; i++) {
		munmap(bed.fe.mem[i], FE_MEM_BYTES);
		close(bed.fe.mem_fds[i]);
	}
	for (int i = 0; i < TRANSPORT_NB_QUEUES; i++) {
		close(bed.fe.kicks[i]);
		close(bed.fe.calls[i]);
	}
	close(bed.arena_fd);
	fake_device_fini(&bed.dev);
	cr_assert_eq(bed.dev.nb_breaches, 0, "the listener's contract was broken %u times",
		bed.dev.nb_breaches);
	transport_eal_fini();
}

void
bed_assert_runs(void)
{
	const struct fake_device *dev = &bed.dev;
	struct transport_status status;

	cr_assert(dev->running[0] && dev->running[1]);
	cr_assert_eq(dev->mem.nb_regions, FE_NB_REGIONS);
	for (int queue = 0; queue < TRANSPORT_NB_QUEUES; queue++) {
		const struct virtq_config *config = &dev->configs[queue];

		cr_assert_eq(config->size, bed.fe.queue_size);
		cr_assert_geq(config->callfd, 0);
		cr_assert_geq(config->kickfd, 0);
		cr_assert(config->event_idx);
		cr_assert_eq(config->indirect, (bed.fe.features & 1ull << 28) != 0);
		cr_assert_eq(
			(char *)config->desc - bed.dev.mem.regions[0].addr, queue * FE_RING_STRIDE);
	}
	vhost_user_status(bed.transport, &status);
	cr_assert(status.connected && status.started);
	cr_assert_eq(status.features, bed.fe.features);
	cr_assert_eq(status.protocol_features, bed.fe.protocol);
	cr_assert_eq(status.nb_bad_messages, 0);
}

unsigned int
bed_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int nb = 0;

	while (readdir(dir) != NULL) {
		nb++;
	}
	closedir(dir);
	return nb;
}
