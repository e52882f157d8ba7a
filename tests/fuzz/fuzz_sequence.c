/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest that sends whole sequences of commands, most of them nearly right, to null (camera,
 * display, codec), pattern and transform devices over loopback. Checked is (sequence.c) that every
 * command is answered once, that driver and device agree on each buffer and each comes back once,
 * that a stop leaves no command behind, and that a reset leaves nothing.
 *
 * Input: that of steps.h; options: bits 0-2 device, 3 packed, 4 EVENT_IDX, 5-6 shape of chains. An
 * ioctl: u8 session, u8 code, u8 bytes cut from its end, u8 from its room, the fields of its family
 * in make_*(), and then changes to its bytes, each u16 position and u8 value.
 */
#include <errno.h>
#include <string.h>

#include "sequence.h"
#include "steps.h"

#define MAX_STEPS   256
#define MAX_CHANGES 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A command under construction. */
static struct {
	union {
		uint8_t bytes[SEQ_MAX_COMMAND];
		struct virtio_media_cmd_ioctl ioctl;
		struct virtio_media_cmd_mmap mmap;
		struct virtio_media_cmd_munmap munmap;
	};
	size_t n;
	size_t room; /* of the answer, header included */
} cmd;

static void
quiet_log(enum log_level level, const char *type, const char *line)
{
}

static void
put(const void *p, size_t n)
{
	n = MIN(n, sizeof(cmd.bytes) - cmd.n);
	memcpy(cmd.bytes + cmd.n, p, n);
	cmd.n += n;
}

static uint32_t
session_of(uint8_t slot)
{
	return slot < 200 ? seq.sessions[slot % SEQ_NB_SESSIONS] : slot;
}

/* Most often one of the device's. */
static uint32_t
read_type(struct input *in)
{
	uint8_t v = u8(in);

	return v < 224 ? seq_type(v & 1) : v & 15;
}

static uint32_t
read_memory(struct input *in)
{
	static const uint32_t memories[] = {V4L2_MEMORY_MMAP, V4L2_MEMORY_USERPTR, V4L2_MEMORY_MMAP,
		V4L2_MEMORY_DMABUF, 0, V4L2_MEMORY_MMAP, V4L2_MEMORY_USERPTR, 99};

	return memories[u8(in) % ARRAY_SIZE(memories)];
}

static uint32_t
read_fourcc(struct input *in)
{
	static const uint32_t fourccs[] = {V4L2_PIX_FMT_NV12, V4L2_PIX_FMT_NV12M, V4L2_PIX_FMT_YUYV,
		V4L2_PIX_FMT_GREY, V4L2_PIX_FMT_XBGR32, V4L2_PIX_FMT_MJPEG, V4L2_PIX_FMT_RGB24, 0};

	return fourccs[u8(in) % ARRAY_SIZE(fourccs)];
}

static uint32_t
read_ctrl(struct input *in)
{
	static const uint32_t ids[] = {V4L2_CID_BRIGHTNESS, V4L2_CID_GAIN, V4L2_CID_TEST_PATTERN,
		V4L2_CID_HFLIP, V4L2_CID_USER_CLASS, V4L2_CTRL_FLAG_NEXT_CTRL,
		V4L2_CTRL_FLAG_NEXT_COMPOUND, 0};

	return ids[u8(in) % ARRAY_SIZE(ids)] + (u8(in) & 3);
}

static void
make_type(struct input *in)
{
	uint32_t type = read_type(in);

	put(&type, sizeof(type));
}

static struct v4l2_format
read_format(struct input *in)
{
	struct v4l2_format f = {.type = read_type(in)};
	struct v4l2_pix_format_mplane *mp = &f.fmt.pix_mp;
	uint32_t fourcc = read_fourcc(in), width = u8(in), height = u8(in);

	if (v4l2_type_is_multiplanar(f.type)) {
		*mp = (struct v4l2_pix_format_mplane){
			.width = width, .height = height, .pixelformat = fourcc};
		mp->num_planes = u8(in) % 10;
		for (unsigned int i = 0; i < VIDEO_MAX_PLANES && i < mp->num_planes; i++) {
			mp->plane_fmt[i].sizeimage = (uint32_t)number(in, 2);
			mp->plane_fmt[i].bytesperline = u8(in);
		}
	} else {
		f.fmt.pix = (struct v4l2_pix_format){.width = width,
			.height = height,
			.pixelformat = fourcc,
			.sizeimage = (uint32_t)number(in, 2),
			.bytesperline = u8(in)};
	}
	return f;
}

static void
make_format(struct input *in)
{
	struct v4l2_format f = read_format(in);

	put(&f, sizeof(f));
}

static void
make_reqbufs(struct input *in)
{
	struct v4l2_requestbuffers rb = {
		.count = u8(in) % 40, .type = read_type(in), .memory = read_memory(in)};

	put(&rb, sizeof(rb));
}

static void
make_create_bufs(struct input *in)
{
	struct v4l2_create_buffers create = {.count = u8(in) % 40, .memory = read_memory(in)};

	create.format = read_format(in);
	put(&create, sizeof(create));
}

static void
make_remove_bufs(struct input *in)
{
	struct v4l2_remove_buffers remove = {
		.index = u8(in) % 36, .count = u8(in) % 5, .type = read_type(in)};

	put(&remove, sizeof(remove));
}

/* Pieces of guest memory, or not quite. */
static void
make_sg_list(struct input *in)
{
	unsigned int nb = u8(in) % 4;

	for (unsigned int i = 0; i < nb; i++) {
		struct virtio_media_sg_entry sg = {
			.start = SEQ_PAGES_GPA + number(in, 3) % (SEQ_PAGES_BYTES + 4096),
			.len = (uint32_t)number(in, 2)};

		put(&sg, sizeof(sg));
	}
}

static void
make_buffer(struct input *in)
{
	struct v4l2_buffer b = {
		.index = u8(in) % 36, .type = read_type(in), .memory = read_memory(in)};
	struct v4l2_plane planes[10] = {0};
	uint8_t nb = 1;

	b.bytesused = (uint32_t)number(in, 2);
	b.length = (uint32_t)number(in, 2);
	b.flags = u8(in) < 8 ? (uint32_t)number(in, 4) : 0;
	b.timestamp.tv_sec = u8(in);
	if (v4l2_type_is_multiplanar(b.type)) {
		b.length = nb = u8(in) % ARRAY_SIZE(planes);
		for (unsigned int i = 0; i < nb; i++) {
			planes[i].bytesused = (uint32_t)number(in, 2);
			planes[i].length = (uint32_t)number(in, 2);
			planes[i].data_offset = u8(in);
		}
	}
	put(&b, sizeof(b));
	put(planes, v4l2_type_is_multiplanar(b.type) ? nb * sizeof(planes[0]) : 0);
	for (unsigned int i = 0; b.memory == V4L2_MEMORY_USERPTR && i < nb; i++) {
		make_sg_list(in);
	}
	cmd.room += 8 * sizeof(planes[0]);
}

static void
make_ctrl(struct input *in)
{
	struct v4l2_control c = {.id = read_ctrl(in), .value = (int32_t)number(in, 2) - 100};

	put(&c, sizeof(c));
}

static void
make_ext_ctrls(struct input *in)
{
	struct v4l2_ext_controls e = {.count = u8(in) % 6};
	struct v4l2_ext_control c[6] = {0};

	e.which = u8(in) < 16 ? (uint32_t)number(in, 4) : 0;
	for (unsigned int i = 0; i < e.count; i++) {
		c[i].id = read_ctrl(in);
		c[i].value = (int32_t)number(in, 2) - 100;
		c[i].size = u8(in) < 16 ? (uint32_t)number(in, 2) : 0;
	}
	put(&e, sizeof(e));
	put(c, e.count * sizeof(c[0]));
	for (unsigned int i = 0; i < e.count; i++) {
		if (c[i].size > 0) {
			make_sg_list(in);
		}
	}
	cmd.room += 6 * sizeof(c[0]);
}

static void
make_subscription(struct input *in)
{
	static const uint32_t types[] = {V4L2_EVENT_ALL, V4L2_EVENT_CTRL, V4L2_EVENT_CTRL,
		V4L2_EVENT_EOS, V4L2_EVENT_SOURCE_CHANGE, 77};
	struct v4l2_event_subscription sub = {.type = types[u8(in) % ARRAY_SIZE(types)]};

	sub.id = sub.type == V4L2_EVENT_CTRL ? read_ctrl(in) : u8(in) & 1;
	sub.flags = u8(in) & 7;
	put(&sub, sizeof(sub));
}

/* Index or id, then type or fourcc: how ENUM_* and QUERY* begin. */
static void
make_query(struct input *in)
{
	uint8_t how = u8(in);
	uint32_t words[3] = {how & 1 ? read_ctrl(in) : u8(in) % 20,
		how & 2 ? read_type(in) : read_fourcc(in), u8(in)};

	put(words, sizeof(words));
}

static const struct {
	uint8_t code;
	void (*make)(struct input *in);
} ioctls[] = {
	{_IOC_NR(VIDIOC_REQBUFS), make_reqbufs},
	{_IOC_NR(VIDIOC_QBUF), make_buffer},
	{_IOC_NR(VIDIOC_STREAMON), make_type},
	{_IOC_NR(VIDIOC_STREAMOFF), make_type},
	{_IOC_NR(VIDIOC_QUERYBUF), make_buffer},
	{_IOC_NR(VIDIOC_PREPARE_BUF), make_buffer},
	{_IOC_NR(VIDIOC_CREATE_BUFS), make_create_bufs},
	{_IOC_NR(VIDIOC_S_FMT), make_format},
	{_IOC_NR(VIDIOC_G_FMT), make_format},
	{_IOC_NR(VIDIOC_TRY_FMT), make_format},
	{_IOC_NR(VIDIOC_ENUM_FMT), make_query},
	{_IOC_NR(VIDIOC_ENUM_FRAMESIZES), make_query},
	{_IOC_NR(VIDIOC_ENUM_FRAMEINTERVALS), make_query},
	{_IOC_NR(VIDIOC_G_PARM), make_type},
	{_IOC_NR(VIDIOC_S_PARM), make_type},
	{_IOC_NR(VIDIOC_QUERYCTRL), make_query},
	{_IOC_NR(VIDIOC_QUERY_EXT_CTRL), make_query},
	{_IOC_NR(VIDIOC_QUERYMENU), make_query},
	{_IOC_NR(VIDIOC_G_CTRL), make_ctrl},
	{_IOC_NR(VIDIOC_S_CTRL), make_ctrl},
	{_IOC_NR(VIDIOC_G_EXT_CTRLS), make_ext_ctrls},
	{_IOC_NR(VIDIOC_S_EXT_CTRLS), make_ext_ctrls},
	{_IOC_NR(VIDIOC_TRY_EXT_CTRLS), make_ext_ctrls},
	{_IOC_NR(VIDIOC_SUBSCRIBE_EVENT), make_subscription},
	{_IOC_NR(VIDIOC_UNSUBSCRIBE_EVENT), make_subscription},
	{_IOC_NR(VIDIOC_ENUMINPUT), make_query},
	{_IOC_NR(VIDIOC_S_INPUT), make_query},
	{_IOC_NR(VIDIOC_S_OUTPUT), make_query},
};

/* ---- steps ---- */

static void
change(struct input *in)
{
	for (unsigned int i = 0; i < MAX_CHANGES && in->left > 0; i++) {
		size_t at = number(in, 2) % cmd.n;

		cmd.bytes[at] = u8(in);
	}
}

static void
begin(uint32_t what, uint8_t slot)
{
	memset(&cmd, 0, sizeof(cmd.ioctl) + sizeof(cmd.mmap));
	cmd.ioctl.hdr.cmd = what;
	cmd.ioctl.session_id = session_of(slot);
}

static void
step_ioctl(struct input *in)
{
	uint8_t slot = u8(in), code = u8(in), cut_in = u8(in), cut_room = u8(in);
	const struct ioctl_desc *desc;

	begin(VIRTIO_MEDIA_CMD_IOCTL, slot);
	cmd.ioctl.code = code < 140 ? ioctls[code % ARRAY_SIZE(ioctls)].code : code - 140u;
	cmd.n = sizeof(cmd.ioctl);
	desc = ioctl_lookup(cmd.ioctl.code);
	cmd.room = sizeof(struct virtio_media_resp_ioctl) + (desc ? desc->payload_bytes : 0);
	if (code < 140) {
		ioctls[code % ARRAY_SIZE(ioctls)].make(in);
	} else if (cmd.ioctl.code == _IOC_NR(VIDIOC_REMOVE_BUFS)) {
		make_remove_bufs(in);
	}
	if (desc != NULL && cmd.n < sizeof(cmd.ioctl) + desc->payload_bytes) {
		size_t n = sizeof(cmd.ioctl) + desc->payload_bytes - cmd.n;

		memset(cmd.bytes + cmd.n, 0, n);
		cmd.n += n;
	}
	change(in);
	seq_send(cmd.bytes, cmd.n - MIN(cmd.n - 1, (size_t)cut_in),
		(uint32_t)(cmd.room - MIN(cmd.room, (size_t)cut_room)));
}

static void
step_open(struct input *in)
{
	uint32_t room = sizeof(struct virtio_media_resp_open);

	begin(VIRTIO_MEDIA_CMD_OPEN, 0);
	seq_send(cmd.bytes, sizeof(struct virtio_media_cmd_open), room - u8(in) % (room + 1));
}

static void
step_close(struct input *in)
{
	begin(VIRTIO_MEDIA_CMD_CLOSE, u8(in));
	seq_send(cmd.bytes, sizeof(struct virtio_media_cmd_close), u8(in) & 8);
}

/* session, granule, flags, bytes cut from the room */
static void
step_mmap(struct input *in)
{
	uint32_t room = sizeof(struct virtio_media_resp_mmap);

	begin(VIRTIO_MEDIA_CMD_MMAP, u8(in));
	cmd.mmap.offset = u8(in) % 20 * SHM_GRANULE_BYTES;
	cmd.mmap.flags = u8(in) & 3;
	seq_send(cmd.bytes, sizeof(cmd.mmap), room - u8(in) % (room + 1));
}

static void
step_munmap(struct input *in)
{
	uint8_t which = u8(in);

	begin(VIRTIO_MEDIA_CMD_MUNMAP, 0);
	cmd.munmap.driver_addr = which < 200 ? seq.windows[which % SEQ_NB_SESSIONS]
	                                     : which % 20 * (uint64_t)SHM_GRANULE_BYTES;
	seq_send(cmd.bytes, sizeof(cmd.munmap), sizeof(struct virtio_media_resp_munmap));
}

/* u8 room, then the bytes of a command. */
static void
step_raw(struct input *in)
{
	const uint8_t *p;
	uint8_t room = u8(in);

	memset(&cmd, 0, sizeof(cmd.ioctl));
	cmd.n = bytes(in, &p, sizeof(cmd.bytes));
	memcpy(cmd.bytes, p, cmd.n);
	seq_send(cmd.bytes, cmd.n, room);
}

static void
step_post(struct input *in)
{
	static const uint32_t sizes[] = {SEQ_EVENT_BYTES, SEQ_EVENT_BYTES, SEQ_EVENT_BYTES, 16, 136,
		SEQ_EVENT_BYTES - 1, 1, 4096};
	uint32_t size = sizes[u8(in) % ARRAY_SIZE(sizes)];

	for (unsigned int nb = u8(in) % 16 + 1; nb > 0; nb--) {
		seq_post_event(size);
	}
}

/* number, then bit 0: no offload, bit 1: deadlines are over */
static void
step_pass(struct input *in)
{
	unsigned int nb = u8(in) % 8 + 1;
	uint8_t how = u8(in);

	while (nb-- > 0) {
		seq_pass(!(how & 1), how & 2);
	}
}

static void
step_window(struct input *in)
{
	static const int statuses[] = {0, 0, 0, -ENOTSUP, -EIO, -ETIMEDOUT};

	seq_window(statuses[u8(in) % ARRAY_SIZE(statuses)]);
}

static void
step_life(struct input *in)
{
	uint8_t what = u8(in) % 6;

	if (what == 0) {
		seq_reset();
	} else if (what == 1) {
		seq_pause();
	} else {
		seq_memory(what - 2u);
	}
}

/* As it goes most often: sent, carried out, answered. */
static void
step_whole_ioctl(struct input *in)
{
	step_ioctl(in);
	seq_pass(true, false);
	seq_pass(true, false);
}

static void (*const steps[])(struct input *in) = {step_whole_ioctl, step_ioctl, step_open,
	step_close, step_mmap, step_munmap, step_raw, step_post, step_pass, step_window, step_life,
	step_whole_ioctl};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size}, args;
	uint8_t options = u8(&in);

	log_set_sink(quiet_log);
	seq_begin(
		options & 7, options & 8, options & 16, (enum fake_shape)((options >> 5 & 3) % 3));
	for (unsigned int i = 0; i < MAX_STEPS && in.left > 0; i++) {
		steps[step_read(&in, &args) % ARRAY_SIZE(steps)](&args);
	}
	seq_end();
	return 0;
}
