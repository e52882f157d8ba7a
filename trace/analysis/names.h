/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The events and fields that the analysis reads, by their names in provider/events.toml, where they
 * are explained. A test compares the two.
 */
#ifndef VMEDIA_ANALYSIS_NAMES_H
#define VMEDIA_ANALYSIS_NAMES_H

/* clang-format off */
#define EVENT_NAMES(X) \
	X(reactor_start) X(device_add) X(device_remove) X(device_reset) X(ring_start) X(ring_stop) \
	X(ring_broken) X(session_open) X(session_close) X(format) X(buffers) X(stream_on) \
	X(stream_off) X(shm_map) X(shm_unmap) X(cmd_span) X(cmd_dequeue) X(cmd_parse) X(cmd_park) \
	X(backend_begin) X(backend_end) X(cmd_publish) X(deadline) X(cmd_malformed) X(buf_queued) \
	X(frame_begin) X(frame_done) X(dqbuf_publish) X(event_publish) X(frame_missed) \
	X(evq_starved) X(evq_refill) X(notify) X(poll_sleep) X(poll_wake) X(pass_over_budget) \
	X(statedump_device) X(statedump_session) X(statedump_format)

#define FIELD_NAMES(X) \
	X(device) X(reactor) X(session) X(seq) X(code) X(status) X(parse_ns) \
	X(begin_ns) X(end_ns) X(publish_ns) X(buftype) X(index) X(sequence) X(timestamp_ns) \
	X(held_ns) X(latency_ns) X(nb_queued) X(nb_buffers) X(nb_cancelled) X(backlog) X(cause) \
	X(nb_periods) X(starved_ns) X(queue) X(sent) X(slept_ns) X(timeout_ns) X(pass_ns) \
	X(budget_ns) X(width) X(height) X(fourcc) X(fps_num) X(fps_den) X(bytesused) X(flags) \
	X(name)
/* clang-format on */

#endif
