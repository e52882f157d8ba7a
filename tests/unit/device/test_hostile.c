/* SPDX-License-Identifier: BSD-3-Clause */
/* A driver that sends anything. What counts is that every chain comes back once, and sanitizers. */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

#define NB_COMMANDS 4000

static uint32_t seed;

static uint32_t
random_below(uint32_t n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 8) % n;
}

/* Mostly small numbers, which reach further into the device than large ones. */
static uint32_t
random_word(void)
{
	switch (random_below(4)) {
	case 0:
		return random_below(4);
	case 1:
		return 1 + random_below(32);
	case 2:
		return random_below(2) ? V4L2_PIX_FMT_YUYV : H_CTRL;
	default:
		return seed ^ random_below(UINT32_MAX);
	}
}

/* A live one, most of the time. */
static uint32_t
random_session(const struct h *h)
{
	const struct vmedia_session *session = TAILQ_FIRST(&h->device->sessions);
	uint32_t nb = random_below(4);

	while (session != NULL && nb-- > 0 && TAILQ_NEXT(session, link) != NULL) {
		session = TAILQ_NEXT(session, link);
	}
	return session != NULL ? session->id : random_below(8);
}

static size_t
make_command(const struct h *h, uint32_t *words)
{
	static const uint8_t codes[] = {4, 5, 8, 9, 15, 18, 19, 22, 28, 64, 71, 72, 90, 91, 92, 93};
	static const uint8_t commands[] = {1, 1, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 4, 5};
	uint32_t nb = 1 + random_below(80), i;

	for (i = 0; i < nb; i++) {
		words[i] = random_word();
	}
	words[0] = commands[random_below(sizeof(commands))];
	if (nb > 2 && random_below(8) != 0) {
		words[2] = random_session(h);
	}
	if (nb > 4 && words[0] == VIRTIO_MEDIA_CMD_IOCTL) {
		words[3] = random_below(4) != 0 ? codes[random_below(sizeof(codes))]
		                                : random_below(110);
		words[4 + random_below(2)] = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	}
	return nb * sizeof(words[0]) - random_below(16) % (nb * sizeof(words[0]));
}

/* One that a driver could send, too. */
static size_t
make_sane_command(const struct h *h, uint32_t *words)
{
	uint32_t type = V4L2_BUF_TYPE_VIDEO_CAPTURE + random_below(h->config.m2m ? 2 : 1);
	uint32_t session = random_session(h);
	uint32_t offset = random_below(40) * SHM_GRANULE_BYTES;

	memset(words, 0, 512);
	words[0] = VIRTIO_MEDIA_CMD_IOCTL;
	words[2] = session;
	switch (random_below(10)) {
	case 0:
		words[3] = _IOC_NR(VIDIOC_REQBUFS);
		words[4] = random_below(6);
		words[5] = type;
		words[6] = V4L2_MEMORY_MMAP;
		return 16 + sizeof(struct v4l2_requestbuffers);
	case 1:
	case 2:
	case 3:
		words[3] = _IOC_NR(VIDIOC_QBUF);
		words[4] = random_below(6);
		words[5] = type;
		words[19] = V4L2_MEMORY_MMAP;
		return 16 + sizeof(struct v4l2_buffer);
	case 4:
	case 5:
		words[3] = random_below(3) ? _IOC_NR(VIDIOC_STREAMON) : _IOC_NR(VIDIOC_STREAMOFF);
		words[4] = type;
		return 20;
	case 6:
		words[3] = _IOC_NR(VIDIOC_SUBSCRIBE_EVENT) + random_below(2);
		words[4] = V4L2_EVENT_CTRL;
		words[5] = H_CTRL;
		words[6] = random_below(4);
		return 16 + sizeof(struct v4l2_event_subscription);
	case 7:
		words[3] = _IOC_NR(VIDIOC_S_CTRL);
		words[4] = H_CTRL;
		words[5] = random_below(300);
		return 24;
	case 8:
		words[0] = VIRTIO_MEDIA_CMD_MMAP;
		words[3] = 1;
		words[4] = offset;
		return 20;
	default:
		words[0] = VIRTIO_MEDIA_CMD_MUNMAP;
		words[2] = offset;
		return 16;
	}
}

static void
take_answers(struct h *h, unsigned int *nb_left)
{
	static struct h_reply reply;

	while (h_recv(h, &reply) == 0) {
		cr_assert_gt(*nb_left, 0);
		cr_assert(reply.len < 8 || reply.hdr.status <= 133, "%u", reply.hdr.status);
		(*nb_left)--;
	}
}

static void
complete_all(struct h *h)
{
	for (unsigned int i = 0; i < DEVICE_NB_REQUESTS; i++) {
		struct vmedia_request *request = &h->device->requests[i];

		if (request->state == REQUEST_DEFERRED &&
			request->desc->nr == _IOC_NR(VIDIOC_S_STD)) {
			vmedia_request_complete(request, 0);
		}
	}
}

static void
attack(const struct h_config *config)
{
	struct h *h = h_create(config);
	uint8_t event[H_EVENT_SIZE];
	uint32_t words[128];
	unsigned int nb_left = 0, i;
	uint64_t end_ns = clock_monotonic_ns() + 10 * NSEC_PER_SEC;
	bool sent;

	h_post_events(h, 16, H_EVENT_SIZE);
	for (i = 0; i < NB_COMMANDS && clock_monotonic_ns() < end_ns; i += sent) {
		size_t bytes =
			random_below(4) ? make_sane_command(h, words) : make_command(h, words);

		/* No more than the ring can take, whatever is deferred. */
		sent = nb_left < 40;
		if (sent) {
			h_send(h, words, bytes, random_below(8) ? 512 : random_below(64));
			nb_left++;
		} else {
			usleep(200); /* the drain barrier */
		}
		h->backend->frames_allowed = random_below(3);
		take_answers(h, &nb_left);
		if (random_below(3) == 0) {
			complete_all(h);
		}
		if (h_event(h, event) >= 0) {
			h_post_events(h, 1, random_below(8) == 0 ? 16 : H_EVENT_SIZE);
		}
	}
	h_settle(h);
	end_ns = clock_monotonic_ns() + 5 * NSEC_PER_SEC;
	while (nb_left > 0 && clock_monotonic_ns() < end_ns) {
		complete_all(h);
		take_answers(h, &nb_left);
		h_settle(h);
	}
	cr_assert_eq(nb_left, 0);
	/* It got far enough to mean something. */
	cr_assert_lt(h->device->counters.nb_failed * 10, h->device->counters.nb_commands * 9);
	cr_assert_gt(h->device->counters.nb_frames + h->device->counters.nb_cancelled, 10);
	cr_assert_gt(h->device->counters.nb_deferred, 5);
	h_destroy(h);
}

static void
attack_both(uint32_t first_seed)
{
	log_set_level("device:err");
	for (seed = first_seed; seed < first_seed + 2; seed++) {
		attack(&(struct h_config){.drain_ms = 1, .max_sessions = 3});
		attack(&(struct h_config){
			.drain_ms = 1, .max_sessions = 3, .packed = true, .event_idx = true});
	}
}

Test(device_hostile, random_commands_all_come_back)
{
	attack_both(1);
}

Test(device_hostile, random_commands_in_random_pieces_all_come_back)
{
	log_set_level("device:err");
	seed = 99;
	attack(&(struct h_config){.drain_ms = 1, .max_sessions = 3, .cut = H_CUT_RANDOM});
}

Test(device_hostile, random_commands_to_an_m2m_node_all_come_back)
{
	log_set_level("device:err");
	seed = 7;
	attack(&(struct h_config){.drain_ms = 1, .max_sessions = 3, .m2m = true});
}
