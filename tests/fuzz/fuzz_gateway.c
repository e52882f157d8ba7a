/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A front-end that may send anything, whole connections of it: the gateway's state machine with
 * its event loop, librte_vhost and a device played by gateway.c on the same thread.
 *
 * Input: that of steps.h; options: bits 0-1 compat, 2 no arena. Messages are those of the wire, in
 * pieces as they come. Checked is that each message is taken once, that one which wants an answer
 * has it before the next is taken, and that nothing is left at the end: no descriptor, no memory,
 * no question of the device.
 */
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "gateway.h"
#include "steps.h"

#define MAX_STEPS 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
quiet_log(enum log_level level, const char *type, const char *line)
{
}

/* What the front-end sent and got back. */
static struct {
	/* whole messages sent, as their headers cut the stream */
	uint8_t header[MESSAGE_HEADER_BYTES];
	size_t got;
	uint32_t nb_skip; /* of the payload */
	unsigned int nb_sent;
	bool nonsense; /* a header that ends the connection: what follows means nothing */
	/* taken by the gateway */
	unsigned int nb_taken;
	uint32_t request;
	bool must_reply, may_reply; /* to the last one */
	uint8_t reply[MESSAGE_HEADER_BYTES + MESSAGE_MAX_PAYLOAD];
	size_t reply_got;
} fe;

static void
note_header(void)
{
	struct message_header h;

	memcpy(&h, fe.header, sizeof(h));
	fe.nonsense = (h.flags & 3) != MESSAGE_VERSION || (h.flags & MESSAGE_REPLY) != 0 ||
	              h.size > MESSAGE_MAX_PAYLOAD;
	fe.nb_skip = h.size;
	fe.got = 0;
	fe.nb_sent += h.size == 0;
}

static void
note_sent(const uint8_t *data, size_t n)
{
	while (n > 0 && !fe.nonsense) {
		size_t step = MIN(n, (size_t)fe.nb_skip);

		if (step > 0) {
			fe.nb_skip -= (uint32_t)step;
			fe.nb_sent += fe.nb_skip == 0;
		} else {
			step = MIN(n, MESSAGE_HEADER_BYTES - fe.got);
			memcpy(fe.header + fe.got, data, step);
			fe.got += step;
			if (fe.got == MESSAGE_HEADER_BYTES) {
				note_header();
			}
		}
		data += step;
		n -= step;
	}
}

int __real_dispatch_request(struct vhost_user *vu);
int __wrap_dispatch_request(struct vhost_user *vu);

/* In between the state machine and dispatch.c: each message once, the one before it answered. */
int
__wrap_dispatch_request(struct vhost_user *vu)
{
	const struct message_header *h = &vu->reader.msg.header;
	const struct message_spec *spec = message_spec(h->request);

	must(!fe.must_reply && ++fe.nb_taken <= fe.nb_sent);
	fe.request = h->request;
	fe.must_reply = (h->flags & MESSAGE_NEED_REPLY) != 0;
	fe.may_reply = fe.must_reply || (spec != NULL && spec->replies);
	return __real_dispatch_request(vu);
}

static void
replied(void *arg, const uint8_t *data, size_t n, const int *fds, unsigned int nb_fds)
{
	struct message_header h;

	must(nb_fds == 0 && n <= sizeof(fe.reply) - fe.reply_got);
	memcpy(fe.reply + fe.reply_got, data, n);
	fe.reply_got += n;
	if (fe.reply_got < sizeof(h)) {
		return;
	}
	memcpy(&h, fe.reply, sizeof(h));
	must(h.flags == (MESSAGE_VERSION | MESSAGE_REPLY) && h.size <= MESSAGE_MAX_PAYLOAD);
	must(fe.may_reply && h.request == fe.request && fe.reply_got <= sizeof(h) + h.size);
	if (fe.reply_got == sizeof(h) + h.size) {
		fe.must_reply = false;
		fe.may_reply = false;
		fe.reply_got = 0;
	}
}

/* The gateway waits for nobody else: it has taken and answered everything. */
static void
check_replies(void)
{
	if (bed->vu->state == CONN_READ && !kernel_is_readable(&bed->outer) && !fe.nonsense) {
		must(fe.nb_taken == fe.nb_sent && !fe.must_reply && fe.reply_got == 0);
	}
}

/* We ask for nothing while the device is stopped for the front-end (QEMU would crash), which is not
 * so while something changes under rings that go on. */
static void
channel_sent(void *arg, const uint8_t *data, size_t n, const int *fds, unsigned int nb_fds)
{
	bool changing = bed->vu->state != CONN_READ && !dispatch_is_stop(bed->vu);
	struct message_header h;

	memcpy(&h, data, sizeof(h));
	must(n == sizeof(h) + h.size);
	must((bed->running[0] && bed->running[1]) || changing);
	must(h.request == MSG_BACKEND_CONFIG_CHANGE || nb_fds == 1);
}

static int
new_fd(uint8_t kind)
{
	unsigned int nb = bed->nb_channels;

	switch (kind % KERNEL_NB_KINDS) {
	case KERNEL_EVENTFD:
	case KERNEL_PIPE:
		return kernel_open(kind % KERNEL_NB_KINDS, 0);
	case KERNEL_READ_ONLY:
		return kernel_open(KERNEL_READ_ONLY, 1);
	case KERNEL_STREAM:
		if (nb == BED_NB_CHANNELS) {
			return kernel_open(KERNEL_PIPE, 0);
		}
		bed->nb_channels++;
		bed->channels[nb].sent = channel_sent;
		return kernel_open_stream(&bed->channels[nb]);
	default:
		return kernel_open(KERNEL_FILE, kind / KERNEL_NB_KINDS % KERNEL_NB_FILES);
	}
}

/* u8 number of descriptors (below 20) and their kinds. */
static unsigned int
read_fds(struct input *in, int *fds)
{
	unsigned int nb = u8(in) % 20;

	for (unsigned int i = 0; i < nb; i++) {
		fds[i] = new_fd(u8(in));
	}
	return nb;
}

static void
send_outer(const uint8_t *data, size_t n, const int *fds, unsigned int nb_fds)
{
	if (kernel_feed(&bed->outer, data, n, fds, nb_fds)) {
		note_sent(data, n);
	}
}

/* Bytes as they are: descriptors, then the bytes. */
static void
step_piece(struct input *in)
{
	const uint8_t *p;
	int fds[20];
	unsigned int nb = read_fds(in, fds);
	size_t n = bytes(in, &p, in->left);

	send_outer(p, n, fds, nb);
}

/* A whole message: u16 request, u8 flags, descriptors, then the payload. */
static void
step_message(struct input *in)
{
	static uint8_t data[MESSAGE_HEADER_BYTES + MESSAGE_MAX_PAYLOAD];
	struct message_header h = {.request = (uint32_t)number(in, 2)};
	const uint8_t *p;
	unsigned int nb;
	int fds[20];

	h.flags = MESSAGE_VERSION | (u8(in) & MESSAGE_NEED_REPLY);
	nb = read_fds(in, fds);
	h.size = (uint32_t)bytes(in, &p, MESSAGE_MAX_PAYLOAD);
	memcpy(data, &h, sizeof(h));
	memcpy(data + sizeof(h), p, h.size);
	send_outer(data, sizeof(h) + h.size, fds, nb);
}

/* On the back-end channel: descriptors, then the bytes. */
static void
step_channel(struct input *in)
{
	const uint8_t *p;
	int fds[20];
	unsigned int nb = read_fds(in, fds);
	size_t n = bytes(in, &p, in->left);
	struct kernel_stream *s = bed_channel();

	if (s != NULL) {
		kernel_feed(s, p, n, fds, nb);
		return;
	}
	for (unsigned int i = 0; i < nb; i++) {
		close(fds[i]);
	}
}

/* An answer to SHMEM_MAP with a u8 value. */
static void
step_map_answer(struct input *in)
{
	struct {
		struct message_header header;
		uint64_t value;
	} __attribute__((packed))
	reply = {.header = {MSG_BACKEND_SHMEM_MAP, MESSAGE_VERSION | MESSAGE_REPLY, 8}};

	reply.value = u8(in);
	if (bed_channel() != NULL) {
		kernel_feed(bed_channel(), (const uint8_t *)&reply, sizeof(reply), NULL, 0);
	}
}

/* How fast the others are: bit 0 the device, 1 the library, 2 the library refuses, 3 the
 * front-end does not read. */
static void
step_pace(struct input *in)
{
	uint8_t pace = u8(in);

	bed->device_slow = pace & 1;
	bed->library_slow = pace & 2;
	bed->library_refuses = pace & 4;
	bed->outer.room = pace & 8 ? u8(in) : SIZE_MAX;
	if (!bed->device_slow) {
		bed_device_quiet();
	}
	if (!bed->library_slow) {
		bed_library_answer();
	}
}

/* Guest memory, which the guest may write at any time: file, u16 position, u16 value. */
static void
step_poke(struct input *in)
{
	int fd = kernel_open(KERNEL_FILE, u8(in) % KERNEL_NB_FILES);
	size_t at = number(in, 2) % (KERNEL_FILE_BYTES - 1);
	uint16_t value = (uint16_t)number(in, 2);

	memcpy(kernel_file(fd) + at, &value, sizeof(value));
	close(fd);
}

static void
step_others(struct input *in)
{
	switch (u8(in) % 8) {
	case 0:
		bed_device_quiet();
		break;
	case 1:
		bed_library_answer();
		break;
	case 2:
		kernel_sleep(500 * NSEC_PER_MSEC);
		break;
	case 3:
		bed->inner.hung_up = true;
		break;
	case 4:
		gateway_post(bed->vu, EVENT_GIVE_UP);
		break;
	case 5:
		if (bed_channel() != NULL) {
			bed_channel()->hung_up = true;
		}
		break;
	default:
		bed_window();
	}
}

static void (*const steps[])(struct input *in) = {step_message, step_piece, step_channel,
	step_map_answer, step_pace, step_poke, step_others, step_message};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size}, args;
	uint8_t options = u8(&in);

	log_set_sink(quiet_log);
	log_set_level("transport:err");
	memset(&fe, 0, sizeof(fe));
	bed_open((enum transport_compat)(options & 3), !(options & 4));
	bed->outer.sent = replied;
	for (unsigned int i = 0; i < MAX_STEPS && in.left > 0 && bed->vu->state != CONN_IDLE; i++) {
		steps[step_read(&in, &args) % ARRAY_SIZE(steps)](&args);
		bed_run();
		check_replies();
	}
	bed_close();
	return 0;
}
