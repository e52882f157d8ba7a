/* SPDX-License-Identifier: BSD-3-Clause */
/* protocol.md 7.1: create, config, start, stop, reset; options; the registry. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "fake/guest_virtq.h"
#include "harness.h"

static char logged[1024];

static void
catch_log(enum log_level level, const char *type, const char *line)
{
	strncat(logged, line, sizeof(logged) - strlen(logged) - 1);
}

static int
create_with(const char *key, const char *value)
{
	struct reactor_config reactor_config = {.name = "test", .cpu = -1};
	struct device_option option = {key, value};
	struct device_config config = {
		.name = "cam0",
		.backend = backend_find("harness"),
		.options = &option,
		.nb_options = 1,
		.transport = &loopback_ops,
	};
	struct vmedia_device *device;
	int err;

	cr_assert_eq(reactor_create(&reactor_config, &config.reactor), 0);
	err = device_create(&config, &device);
	cr_assert_neq(err, 0);
	reactor_destroy(config.reactor);
	return err;
}

Test(device_lifecycle, a_bad_option_says_which_and_what_is_allowed)
{
	log_set_sink(catch_log);
	cr_assert_eq(create_with("fps", "abc"), -EINVAL);
	cr_assert_not_null(strstr(logged, "device cam0: fps=abc: "), "%s", logged);
	cr_assert_not_null(strstr(logged, "240"), "%s", logged);
	logged[0] = '\0';
	cr_assert_eq(create_with("mode", "loud"), -EINVAL);
	cr_assert_not_null(strstr(logged, "calm"), "%s", logged);
	logged[0] = '\0';
	cr_assert_eq(create_with("fsp", "30"), -EINVAL);
	cr_assert_not_null(strstr(logged, "fps, mode, label"), "%s", logged);
}

Test(device_lifecycle, options_reach_the_backend)
{
	char value[] = "front door";
	const struct device_option options[] = {{"fps", "60"}, {"mode", "wild"}, {"label", value}};
	struct h *h = h_create(&(struct h_config){.options = options, .nb_options = 3});

	memset(value, 'x', sizeof(value) - 1); /* the device has its own copy */
	cr_assert_eq(h->backend->fps, 60);
	cr_assert_eq(h->backend->mode, 1);
	cr_assert_str_eq(h->backend->label, "front door");
	h_destroy(h);
	h = h_create(NULL);
	cr_assert_eq(h->backend->fps, 30);
	cr_assert_null(h->backend->label);
	h_destroy(h);
}

Test(device_lifecycle, the_registry_lists_what_is_linked)
{
	char why[256];

	cr_assert_eq(backend_find("harness"), &h_backend_ops);
	cr_assert_null(backend_find("camera obscura"));
	cr_assert_eq(backend_next(NULL), &h_backend_ops);
	cr_assert_null(backend_next(&h_backend_ops));
	cr_assert_eq(backend_option_check(&h_backend_ops, "fps", "240", why, sizeof(why)), 0);
	cr_assert_eq(backend_option_check(&h_backend_ops, "fps", "241", why, sizeof(why)), -EINVAL);
}

Test(device_lifecycle, the_arena_holds_32_buffers_of_the_default_format)
{
	struct h *h = h_create(NULL);

	cr_assert_eq(shm_arena_size(h->device->arena), 32 * SHM_GRANULE_BYTES);
	h_destroy(h);
	h = h_create(&(struct h_config){.m2m = true});
	cr_assert_eq(shm_arena_size(h->device->arena), 64 * SHM_GRANULE_BYTES);
	h_destroy(h);
}

Test(device_lifecycle, the_arena_can_be_planned_before_the_device_exists)
{
	struct reactor_config reactor_config = {.name = "test", .cpu = -1};
	struct device_config config = {.name = "cam0", .backend = &h_backend_ops};

	cr_assert_eq(reactor_create(&reactor_config, &config.reactor), 0);
	cr_assert_eq(device_plan_arena(&config), 0);
	cr_assert_eq(config.arena.size_bytes, 32 * SHM_GRANULE_BYTES);
	config.arena.size_bytes = 1 << 20;
	cr_assert_eq(device_plan_arena(&config), 0);
	cr_assert_eq(config.arena.size_bytes, 1 << 20);
	reactor_destroy(config.reactor);
}

/* proves: R-5 R-9 */
Test(device_lifecycle, config_space_is_little_endian_and_ends_with_nul)
{
	struct h *h = h_create(NULL);
	uint8_t config[TRANSPORT_CONFIG_BYTES];

	memset(h->device->node.card, 'x', sizeof(h->device->node.card));
	device_listener.get_config(h->device, config);
	cr_assert_arr_eq(config, "\x01\x00\x00\x04", 4);
	cr_assert_arr_eq(config + 4, "\0\0\0\0", 4);
	cr_assert_eq(config[8], 'x');
	cr_assert_eq(config[39], 0);
	h_destroy(h);
}

static void
check_start_without_kick(bool packed)
{
	struct h *h = h_create(&(struct h_config){.packed = packed});
	struct virtio_media_cmd_open cmd = {.hdr.cmd = VIRTIO_MEDIA_CMD_OPEN};
	static struct h_reply reply;

	loopback_reset(h->transport);
	fake_guest_reset(h->guest, 0);
	fake_guest_reset(h->guest, 1);
	h_post_events(h, 16, H_EVENT_SIZE);
	h_send(h, &cmd, sizeof(cmd), 16);
	cr_assert_eq(h_recv(h, &reply), -EAGAIN); /* not before the start */
	h_start(h);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.len, 16);
	h_destroy(h);
}

/* proves: R-11 R-12 */
Test(device_lifecycle, what_is_in_the_ring_at_the_start_needs_no_kick)
{
	check_start_without_kick(false);
	check_start_without_kick(true);
}

/* proves: R-13 B23 B26 */
Test(device_lifecycle, a_reset_leaves_nothing)
{
	struct h *h = h_create(NULL);
	struct shm_arena_usage usage;
	uint32_t s = h_open(h);
	uint64_t addr;

	h_open(h);
	cr_assert_eq(h_reqbufs(h, s, 4), 4);
	cr_assert_eq(h_mmap(h, s, 0, 1, &addr), 0);
	cr_assert_eq(h_qbuf(h, s, 0), 0);
	cr_assert_eq(h_stream(h, s, true), 0);
	h->backend->frames_allowed = 1;
	h->device->backend_due_tsc = 0;
	h_pass(h, 2);
	cr_assert_eq(h->device->nb_pending, 1);
	loopback_reset(h->transport);
	h_settle(h);
	cr_assert_eq(h->device->nb_open_sessions, 0);
	cr_assert_eq(h->device->nb_pending, 0);
	cr_assert_eq(h->device->window, WINDOW_NONE);
	shm_arena_usage(h->device->arena, &usage);
	cr_assert_eq(usage.allocated_bytes, 0);
	fake_guest_reset(h->guest, 0);
	fake_guest_reset(h->guest, 1);
	h_start(h);
	s = h_open(h);
	cr_assert_eq(h_munmap(h, addr), -EINVAL);
	cr_assert_eq(h_reqbufs(h, s, 32), 32);
	h_destroy(h);
}

static void
check_stop_and_go_on(bool packed)
{
	struct h *h = h_create(&(struct h_config){.packed = packed});
	uint32_t s = h_open(h);
	struct v4l2_control c = {.id = H_CTRL};

	for (int i = 0; i < 5; i++) {
		struct virtq_config config = fake_guest_virtq(h->guest, 0);

		config.avail_base = loopback_ring_stop(h->transport, 0, TRANSPORT_STOP);
		config.used_base = config.avail_base;
		cr_assert_eq(loopback_ring_start(h->transport, 0, &config), 0);
		cr_assert_eq(h_ioctl(h, s, _IOC_NR(VIDIOC_G_CTRL), &c, sizeof(c), sizeof(c)), 0);
	}
	h_destroy(h);
}

Test(device_lifecycle, a_ring_that_stops_and_starts_goes_on)
{
	check_stop_and_go_on(false);
	check_stop_and_go_on(true);
}

/* proves: R-14 B6 B48 */
Test(device_lifecycle, a_ring_that_cannot_be_trusted_breaks_only_until_the_reset)
{
	struct h *h = h_create(NULL);
	struct device_stats stats;
	uint16_t *avail = h->guest->queues[0].driver;

	avail[1] = 30000; /* more than the ring holds */
	h_pass(h, 3);
	device_stats(h->device, &stats);
	cr_assert(stats.broken);
	loopback_reset(h->transport);
	fake_guest_reset(h->guest, 0);
	fake_guest_reset(h->guest, 1);
	h_start(h);
	device_stats(h->device, &stats);
	cr_assert_not(stats.broken);
	h_open(h);
	h_destroy(h);
}

Test(device_lifecycle, arming_sees_commands_and_wants_event_buffers_only_when_events_wait)
{
	struct h *h = h_create(&(struct h_config){.event_idx = true});
	struct poller *poller = &h->device->poller;
	struct virtio_media_cmd_open cmd = {.hdr.cmd = VIRTIO_MEDIA_CMD_OPEN};

	h_pass(h, 2);
	h_post_events(h, 4, H_EVENT_SIZE);
	cr_assert_not(device_poller_ops.arm(poller));
	cr_assert(h->device->vqs[0].kicks_wanted);
	fake_guest_nb_kicks(h->guest, 0);
	h_send(h, &cmd, sizeof(cmd), 16);
	cr_assert_eq(fake_guest_nb_kicks(h->guest, 0), 1);
	cr_assert(device_poller_ops.arm(poller));
	device_poller_ops.disarm(poller);
	cr_assert_not(h->device->vqs[0].kicks_wanted);
	h_destroy(h);
}

Test(device_lifecycle, both_histograms_count_what_was_published)
{
	struct h *h = h_create(NULL);
	static struct hist copy;
	uint32_t s = h_open(h);

	cr_assert_eq(h_reqbufs(h, s, 1), 1);
	hist_snapshot(device_command_hist(h->device), &copy);
	cr_assert_eq(hist_count(&copy), 2);
	device_hists_reset(h->device);
	cr_assert_eq(h_qbuf(h, s, 0), 0);
	cr_assert_eq(h_stream(h, s, true), 0);
	h_post_events(h, 1, H_EVENT_SIZE);
	h->backend->frames_allowed = 1;
	h->device->backend_due_tsc = 0;
	h_pass(h, 2);
	hist_snapshot(device_frame_hist(h->device), &copy);
	cr_assert_eq(hist_count(&copy), 1);
	hist_snapshot(device_command_hist(h->device), &copy);
	cr_assert_eq(hist_count(&copy), 2);
	h_destroy(h);
}
