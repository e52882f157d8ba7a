/* SPDX-License-Identifier: BSD-3-Clause */
/* The wire layout, held against the compiler: every size and offset of protocol.md 1.2 to 1.5. */
#include <stddef.h>

#include "linux/virtio_media.h"
#include "protocol/ioctl_table.h"
#include "protocol/v4l2.h"

/* Payloads are copied as they are; a big-endian host would need a translation of each struct. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "host must be little-endian");

#define SIZE(type, bytes)       _Static_assert(sizeof(type) == (bytes), #type)
#define AT(type, member, where) _Static_assert(offsetof(type, member) == (where), #type "." #member)

/* 1.2 configuration space */
SIZE(struct virtio_media_config, 40);
AT(struct virtio_media_config, device_caps, 0);
AT(struct virtio_media_config, device_type, 4);
AT(struct virtio_media_config, card, 8);

/* 1.3 commands and responses */
SIZE(struct virtio_media_cmd_header, 8);
AT(struct virtio_media_cmd_header, cmd, 0);
AT(struct virtio_media_cmd_header, reserved, 4);
SIZE(struct virtio_media_resp_header, 8);
AT(struct virtio_media_resp_header, status, 0);
AT(struct virtio_media_resp_header, reserved, 4);
SIZE(struct virtio_media_cmd_open, 8);
SIZE(struct virtio_media_resp_open, 16);
AT(struct virtio_media_resp_open, session_id, 8);
AT(struct virtio_media_resp_open, reserved, 12);
SIZE(struct virtio_media_cmd_close, 16);
AT(struct virtio_media_cmd_close, session_id, 8);
AT(struct virtio_media_cmd_close, reserved, 12);
SIZE(struct virtio_media_cmd_ioctl, 16);
AT(struct virtio_media_cmd_ioctl, session_id, 8);
AT(struct virtio_media_cmd_ioctl, code, 12);
SIZE(struct virtio_media_resp_ioctl, 8);
SIZE(struct virtio_media_cmd_mmap, 20);
AT(struct virtio_media_cmd_mmap, session_id, 8);
AT(struct virtio_media_cmd_mmap, flags, 12);
AT(struct virtio_media_cmd_mmap, offset, 16);
SIZE(struct virtio_media_resp_mmap, 24);
AT(struct virtio_media_resp_mmap, driver_addr, 8);
AT(struct virtio_media_resp_mmap, len, 16);
SIZE(struct virtio_media_cmd_munmap, 16);
AT(struct virtio_media_cmd_munmap, driver_addr, 8);
SIZE(struct virtio_media_resp_munmap, 8);
SIZE(struct virtio_media_sg_entry, 16);
AT(struct virtio_media_sg_entry, start, 0);
AT(struct virtio_media_sg_entry, len, 8);
AT(struct virtio_media_sg_entry, reserved, 12);

/* 1.4 events */
SIZE(struct virtio_media_event_header, 8);
AT(struct virtio_media_event_header, event, 0);
AT(struct virtio_media_event_header, session_id, 4);
SIZE(struct virtio_media_event_error, 16);
AT(struct virtio_media_event_error, error_code, 8);
AT(struct virtio_media_event_error, reserved, 12);
SIZE(struct virtio_media_event_dqbuf, 608);
AT(struct virtio_media_event_dqbuf, buffer, 8);
AT(struct virtio_media_event_dqbuf, planes, 96);
SIZE(struct virtio_media_event_event, 144);
AT(struct virtio_media_event_event, event, 8);

/* 1.1 */
_Static_assert(VIRTIO_MEDIA_MAX_PLANES == VIDEO_MAX_PLANES, "planes");
_Static_assert(V4L2_CID_MAX_CTRLS == 1024, "controls of one command");
_Static_assert(VIDEO_MAX_FRAME == 32, "buffers of one queue");

/* 1.5 V4L2 structs that need code */
SIZE(struct v4l2_buffer, 88);
AT(struct v4l2_buffer, index, 0);
AT(struct v4l2_buffer, type, 4);
AT(struct v4l2_buffer, bytesused, 8);
AT(struct v4l2_buffer, flags, 12);
AT(struct v4l2_buffer, field, 16);
AT(struct v4l2_buffer, timestamp.tv_sec, 24);
AT(struct v4l2_buffer, timestamp.tv_usec, 32);
AT(struct v4l2_buffer, timecode, 40);
AT(struct v4l2_buffer, sequence, 56);
AT(struct v4l2_buffer, memory, 60);
AT(struct v4l2_buffer, m.planes, 64);
AT(struct v4l2_buffer, length, 72);
AT(struct v4l2_buffer, reserved2, 76);
AT(struct v4l2_buffer, request_fd, 80);
SIZE(struct v4l2_plane, 64);
AT(struct v4l2_plane, bytesused, 0);
AT(struct v4l2_plane, length, 4);
AT(struct v4l2_plane, m.userptr, 8);
AT(struct v4l2_plane, data_offset, 16);
AT(struct v4l2_plane, reserved, 20);
SIZE(struct v4l2_ext_controls, 32);
AT(struct v4l2_ext_controls, which, 0);
AT(struct v4l2_ext_controls, count, 4);
AT(struct v4l2_ext_controls, error_idx, 8);
AT(struct v4l2_ext_controls, request_fd, 12);
AT(struct v4l2_ext_controls, reserved, 16);
AT(struct v4l2_ext_controls, controls, 24);
SIZE(struct v4l2_ext_control, 20);
AT(struct v4l2_ext_control, id, 0);
AT(struct v4l2_ext_control, size, 4);
AT(struct v4l2_ext_control, reserved2, 8);
AT(struct v4l2_ext_control, value64, 12);
SIZE(struct v4l2_requestbuffers, 20);
AT(struct v4l2_requestbuffers, count, 0);
AT(struct v4l2_requestbuffers, type, 4);
AT(struct v4l2_requestbuffers, memory, 8);
AT(struct v4l2_requestbuffers, capabilities, 12);
AT(struct v4l2_requestbuffers, flags, 16);
AT(struct v4l2_requestbuffers, reserved, 17);
SIZE(struct v4l2_create_buffers, 256);
AT(struct v4l2_create_buffers, index, 0);
AT(struct v4l2_create_buffers, count, 4);
AT(struct v4l2_create_buffers, memory, 8);
AT(struct v4l2_create_buffers, format, 16);
AT(struct v4l2_create_buffers, capabilities, 224);
AT(struct v4l2_create_buffers, flags, 228);
_Static_assert(V4L2_CREATE_BUFFERS_MAX_OFFSET + 24 == sizeof(struct v4l2_create_buffers), "max");
SIZE(struct v4l2_remove_buffers, 64);
AT(struct v4l2_remove_buffers, index, 0);
AT(struct v4l2_remove_buffers, count, 4);
AT(struct v4l2_remove_buffers, type, 8);
AT(struct v4l2_remove_buffers, reserved, 12);
SIZE(struct v4l2_exportbuffer, 64);
AT(struct v4l2_exportbuffer, type, 0);
AT(struct v4l2_exportbuffer, index, 4);
AT(struct v4l2_exportbuffer, plane, 8);
AT(struct v4l2_exportbuffer, flags, 12);
AT(struct v4l2_exportbuffer, fd, 16);
AT(struct v4l2_exportbuffer, reserved, 20);
SIZE(struct v4l2_format, 208);
AT(struct v4l2_format, type, 0);
AT(struct v4l2_format, fmt, 8);
SIZE(struct v4l2_pix_format, 48);
AT(struct v4l2_pix_format, width, 0);
AT(struct v4l2_pix_format, height, 4);
AT(struct v4l2_pix_format, pixelformat, 8);
AT(struct v4l2_pix_format, field, 12);
AT(struct v4l2_pix_format, bytesperline, 16);
AT(struct v4l2_pix_format, sizeimage, 20);
AT(struct v4l2_pix_format, colorspace, 24);
AT(struct v4l2_pix_format, priv, 28);
AT(struct v4l2_pix_format, flags, 32);
AT(struct v4l2_pix_format, ycbcr_enc, 36);
AT(struct v4l2_pix_format, quantization, 40);
AT(struct v4l2_pix_format, xfer_func, 44);
SIZE(struct v4l2_pix_format_mplane, 192);
AT(struct v4l2_pix_format_mplane, width, 0);
AT(struct v4l2_pix_format_mplane, height, 4);
AT(struct v4l2_pix_format_mplane, pixelformat, 8);
AT(struct v4l2_pix_format_mplane, field, 12);
AT(struct v4l2_pix_format_mplane, colorspace, 16);
AT(struct v4l2_pix_format_mplane, plane_fmt, 20);
AT(struct v4l2_pix_format_mplane, num_planes, 180);
AT(struct v4l2_pix_format_mplane, flags, 181);
AT(struct v4l2_pix_format_mplane, ycbcr_enc, 182);
AT(struct v4l2_pix_format_mplane, quantization, 183);
AT(struct v4l2_pix_format_mplane, xfer_func, 184);
AT(struct v4l2_pix_format_mplane, reserved, 185);
AT(struct v4l2_format, fmt.pix_mp.num_planes, 188);
SIZE(struct v4l2_plane_pix_format, 20);
AT(struct v4l2_plane_pix_format, sizeimage, 0);
AT(struct v4l2_plane_pix_format, bytesperline, 4);
AT(struct v4l2_plane_pix_format, reserved, 8);
SIZE(struct v4l2_event, 136);
AT(struct v4l2_event, type, 0);
AT(struct v4l2_event, u, 8);
AT(struct v4l2_event, u.src_change.changes, 8);
AT(struct v4l2_event, pending, 72);
AT(struct v4l2_event, sequence, 76);
AT(struct v4l2_event, timestamp, 80);
AT(struct v4l2_event, id, 96);
AT(struct v4l2_event, reserved, 100);
AT(struct v4l2_event_ctrl, changes, 0);
AT(struct v4l2_event_ctrl, type, 4);
AT(struct v4l2_event_ctrl, value64, 8);
AT(struct v4l2_event_ctrl, flags, 16);
AT(struct v4l2_event_ctrl, minimum, 20);
AT(struct v4l2_event_ctrl, maximum, 24);
AT(struct v4l2_event_ctrl, step, 28);
AT(struct v4l2_event_ctrl, default_value, 32);
SIZE(struct v4l2_event_subscription, 32);
AT(struct v4l2_event_subscription, type, 0);
AT(struct v4l2_event_subscription, id, 4);
AT(struct v4l2_event_subscription, flags, 8);
AT(struct v4l2_event_subscription, reserved, 12);
SIZE(struct v4l2_fmtdesc, 64);
AT(struct v4l2_fmtdesc, index, 0);
AT(struct v4l2_fmtdesc, type, 4);
AT(struct v4l2_fmtdesc, flags, 8);
AT(struct v4l2_fmtdesc, description, 12);
AT(struct v4l2_fmtdesc, pixelformat, 44);
AT(struct v4l2_fmtdesc, mbus_code, 48);
AT(struct v4l2_fmtdesc, reserved, 52);
SIZE(struct v4l2_frmsizeenum, 44);
AT(struct v4l2_frmsizeenum, index, 0);
AT(struct v4l2_frmsizeenum, pixel_format, 4);
AT(struct v4l2_frmsizeenum, type, 8);
AT(struct v4l2_frmsizeenum, stepwise, 12);
AT(struct v4l2_frmsizeenum, reserved, 36);
SIZE(struct v4l2_frmivalenum, 52);
AT(struct v4l2_frmivalenum, index, 0);
AT(struct v4l2_frmivalenum, pixel_format, 4);
AT(struct v4l2_frmivalenum, width, 8);
AT(struct v4l2_frmivalenum, height, 12);
AT(struct v4l2_frmivalenum, type, 16);
AT(struct v4l2_frmivalenum, stepwise, 20);
AT(struct v4l2_frmivalenum, reserved, 44);
SIZE(struct v4l2_streamparm, 204);
AT(struct v4l2_streamparm, type, 0);
AT(struct v4l2_streamparm, parm, 4);
AT(struct v4l2_captureparm, capability, 0);
AT(struct v4l2_captureparm, capturemode, 4);
AT(struct v4l2_captureparm, timeperframe, 8);
AT(struct v4l2_captureparm, extendedmode, 16);
AT(struct v4l2_captureparm, readbuffers, 20);
SIZE(struct v4l2_selection, 64);
AT(struct v4l2_selection, type, 0);
AT(struct v4l2_selection, target, 4);
AT(struct v4l2_selection, flags, 8);
AT(struct v4l2_selection, r, 12);
AT(struct v4l2_selection, reserved, 28);
SIZE(struct v4l2_input, 80);
AT(struct v4l2_input, index, 0);
AT(struct v4l2_input, name, 4);
AT(struct v4l2_input, type, 36);
AT(struct v4l2_input, audioset, 40);
AT(struct v4l2_input, tuner, 44);
AT(struct v4l2_input, std, 48);
AT(struct v4l2_input, status, 56);
AT(struct v4l2_input, capabilities, 60);
AT(struct v4l2_input, reserved, 64);
SIZE(struct v4l2_output, 72);
AT(struct v4l2_output, index, 0);
AT(struct v4l2_output, name, 4);
AT(struct v4l2_output, type, 36);
AT(struct v4l2_output, audioset, 40);
AT(struct v4l2_output, modulator, 44);
AT(struct v4l2_output, std, 48);
AT(struct v4l2_output, capabilities, 56);
AT(struct v4l2_output, reserved, 60);
SIZE(struct v4l2_queryctrl, 68);
AT(struct v4l2_queryctrl, id, 0);
AT(struct v4l2_queryctrl, type, 4);
AT(struct v4l2_queryctrl, name, 8);
AT(struct v4l2_queryctrl, minimum, 40);
AT(struct v4l2_queryctrl, maximum, 44);
AT(struct v4l2_queryctrl, step, 48);
AT(struct v4l2_queryctrl, default_value, 52);
AT(struct v4l2_queryctrl, flags, 56);
AT(struct v4l2_queryctrl, reserved, 60);
SIZE(struct v4l2_query_ext_ctrl, 232);
AT(struct v4l2_query_ext_ctrl, id, 0);
AT(struct v4l2_query_ext_ctrl, type, 4);
AT(struct v4l2_query_ext_ctrl, name, 8);
AT(struct v4l2_query_ext_ctrl, minimum, 40);
AT(struct v4l2_query_ext_ctrl, maximum, 48);
AT(struct v4l2_query_ext_ctrl, step, 56);
AT(struct v4l2_query_ext_ctrl, default_value, 64);
AT(struct v4l2_query_ext_ctrl, flags, 72);
AT(struct v4l2_query_ext_ctrl, elem_size, 76);
AT(struct v4l2_query_ext_ctrl, elems, 80);
AT(struct v4l2_query_ext_ctrl, nr_of_dims, 84);
AT(struct v4l2_query_ext_ctrl, dims, 88);
AT(struct v4l2_query_ext_ctrl, reserved, 104);
SIZE(struct v4l2_querymenu, 44);
AT(struct v4l2_querymenu, id, 0);
AT(struct v4l2_querymenu, index, 4);
AT(struct v4l2_querymenu, name, 8);
AT(struct v4l2_querymenu, value, 8);
AT(struct v4l2_querymenu, reserved, 40);
SIZE(struct v4l2_decoder_cmd, 72);
AT(struct v4l2_decoder_cmd, cmd, 0);
AT(struct v4l2_decoder_cmd, flags, 4);
AT(struct v4l2_decoder_cmd, raw, 8);
SIZE(struct v4l2_encoder_cmd, 40);
AT(struct v4l2_encoder_cmd, cmd, 0);
AT(struct v4l2_encoder_cmd, flags, 4);
AT(struct v4l2_encoder_cmd, raw, 8);

/* 1.6: number, direction and size of each row are those of the VIDIOC_ macro. */
#define DIR_NONE _IOC_NONE
#define DIR_R    _IOC_READ
#define DIR_W    _IOC_WRITE
#define DIR_WR   (_IOC_READ | _IOC_WRITE)
#define ROW(name, nr, dir, type, shape, class)                                          \
	_Static_assert(_IOC(DIR_##dir, 'V', nr, sizeof(type)) == VIDIOC_##name, #name); \
	_Static_assert((nr) < VMEDIA_NB_IOCTLS, #name);
VMEDIA_IOCTL_TABLE(ROW)
