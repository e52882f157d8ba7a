/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "analysis/heat.h"
#include "analysis/latency.h"
#include "analysis/slow.h"
#include "analysis/streams.h"
#include "make.h"

#define SECOND 1000000000ULL

static uint64_t
sum(const uint32_t *data, uint32_t nb)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < nb; i++) {
		total += data[i];
	}
	return total;
}

Test(tables, columns_widen_and_lose_nothing)
{
	static struct heat heat;
	uint64_t time_ns = 5 * SECOND;

	for (unsigned int i = 0; i < 100000; i++) {
		heat_record(&heat, time_ns, 100 + i);
		time_ns += 1000000 + i;
	}
	cr_assert_eq(sum(heat.counts, NB_COLUMNS * HEAT_ROWS), 100000u);
	cr_assert_leq(heat.columns.nb_used, NB_COLUMNS);
	cr_assert_gt(heat.columns.nb_used, NB_COLUMNS / 2);
	cr_assert_eq(columns_find(&heat.columns, time_ns - 1000000), heat.columns.nb_used - 1);
	cr_assert_eq(columns_find(&heat.columns, 1), 0u, "a time before the first one");
}

Test(tables, heat_rows_cover_all_values_in_order)
{
	for (uint32_t row = 1; row + 1 < HEAT_ROWS; row++) {
		cr_assert_eq(heat_row(heat_row_low(row)), row);
		cr_assert_eq(heat_row(heat_row_low(row + 1) - 1), row);
	}
	cr_assert_eq(heat_row(0), 0u);
	cr_assert_eq(heat_row(UINT64_MAX), HEAT_ROWS - 1);
}

static void
count_sessions(const struct latency_row *row, void *arg)
{
	uint64_t *counts = arg;

	if (row->group == LATENCY_SESSION) {
		counts[0]++;
		counts[1] += hist_count(row->ns);
	}
}

Test(tables, sessions_beyond_the_table_are_counted_together)
{
	struct latency *latency = latency_create();
	uint64_t counts[2] = {0, 0};

	for (uint32_t i = 0; i < LATENCY_MAX_SESSIONS + 50; i++) {
		struct span span = make_span(1000 + i, 900, 15);

		span.session = i;
		cr_assert_eq(latency_record(latency, &span), 0);
		cr_assert_eq(latency_record(latency, &span), 0);
	}
	latency_finish(latency);
	latency_rows(latency, count_sessions, counts);
	cr_assert_eq(counts[0], LATENCY_MAX_SESSIONS + 1);
	cr_assert_eq(counts[1], 2 * (LATENCY_MAX_SESSIONS + 50));
	cr_assert_eq(hist_count(&latency->all.ns[SPAN_TOTAL]), counts[1]);
	latency_destroy(latency);
}

Test(tables, any_code_has_a_place)
{
	static const uint32_t codes[] = {
		0, 15, 104, 105, 0xff00, 0xff01, 0xff05, 0xff06, 0xffff, UINT32_MAX};
	struct latency *latency = latency_create();

	for (unsigned int i = 0; i < 10; i++) {
		struct span span = make_span(1000, 900, codes[i]);

		cr_assert_eq(latency_record(latency, &span), 0);
	}
	latency_finish(latency);
	cr_assert_eq(hist_count(&latency->all.ns[SPAN_TOTAL]), 10u);
	cr_assert_eq(hist_count(&latency->codes[LATENCY_NB_CODES - 1]->ns[SPAN_TOTAL]), 3u);
	latency_destroy(latency);
}

static void
slow_add(struct slow *slow, uint64_t time_ns, uint64_t total_ns)
{
	struct event event = make_event(EVENT_cmd_span, time_ns);
	struct span span = make_span(time_ns - total_ns, total_ns, 15);

	slow_event(slow, &event);
	cr_assert_eq(slow_command(slow, &span), 0);
}

Test(tables, the_slowest_are_kept_in_order)
{
	struct slow *slow = slow_create(5, 1000);

	for (uint64_t i = 0; i < 1000; i++) {
		slow_add(slow, 1000000 + i * 100000, 1000 + i * 7919 % 1000);
	}
	cr_assert_eq(slow->nb, 5u);
	for (uint32_t i = 0; i < 5; i++) {
		cr_assert_eq(slow->commands[i]->span.ns[SPAN_TOTAL], 1999u - i);
	}
	slow_destroy(slow);
}

Test(tables, a_slow_command_keeps_what_was_around_it)
{
	struct slow *slow = slow_create(1, 1000);
	const struct slow_command *command;

	for (uint64_t time = 100; time <= 10000; time += 100) {
		struct event event = make_event(EVENT_notify, time);
		struct span span = make_span(4000, 1000, 15);

		slow_event(slow, &event);
		if (time == 5000) {
			cr_assert_eq(slow_command(slow, &span), 0);
		}
	}
	command = slow->commands[0];
	cr_assert_eq(command->nb_notes, 31u);
	cr_assert_eq(command->notes[0].time_ns, 3000u);
	cr_assert_eq(command->notes[30].time_ns, 6000u);
	slow_destroy(slow);
}

Test(tables, of_too_much_around_begin_and_end_stay)
{
	struct slow *slow = slow_create(1, 1000);
	const struct slow_command *command;

	for (uint64_t time = 1; time <= 100000; time++) {
		struct event event = make_event(EVENT_notify, time);
		struct span span = make_span(99000, 900, 15);

		slow_event(slow, &event);
		if (time == 99900) {
			cr_assert_eq(slow_command(slow, &span), 0);
		}
	}
	command = slow->commands[0];
	cr_assert_eq(command->nb_notes, SLOW_NOTES);
	cr_assert_eq(command->notes[0].time_ns, 98000u);
	cr_assert_eq(command->notes[SLOW_AT_BEGIN + SLOW_AT_END - 1].time_ns, 99900u);
	cr_assert_eq(command->nb_left_out, 1901u + 100u - SLOW_NOTES);
	slow_destroy(slow);
}

Test(tables, a_note_is_the_event_again)
{
	struct slow *slow = slow_create(1, 1000);
	struct event event = make_event(EVENT_dqbuf_publish, 500), again;
	struct span span = make_span(400, 400, 15);

	make_set(&event, FIELD_index, 3);
	make_set(&event, FIELD_status, -5);
	slow_event(slow, &event);
	slow_command(slow, &span);
	slow_note_event(&slow->commands[0]->notes[0], &again);
	cr_assert_eq(again.present, event.present);
	cr_assert_eq(again.kind, event.kind);
	cr_assert_eq(event_get(&again, FIELD_index), 3u);
	cr_assert_eq((int32_t)event_get(&again, FIELD_status), -5);
	slow_destroy(slow);
}

static void
frame(struct streams *streams, uint64_t time_ns, uint32_t sequence)
{
	struct event event = make_event(EVENT_dqbuf_publish, time_ns);

	make_set(&event, FIELD_buftype, 1);
	make_set(&event, FIELD_sequence, sequence);
	make_set(&event, FIELD_nb_queued, 2);
	make_set(&event, FIELD_latency_ns, 1000);
	streams_add(streams, &event);
}

Test(tables, streams_count_frames_gaps_and_misses)
{
	struct streams *streams = streams_create();
	struct event missed = make_event(EVENT_frame_missed, 3 * SECOND);
	const struct stream *stream;

	missed.present &= ~(1ULL << FIELD_session);
	make_set(&missed, FIELD_cause, 1);
	make_set(&missed, FIELD_nb_periods, 2);
	streams_add(streams, &missed); /* no stream yet: nothing to count it for */
	cr_assert_eq(streams->nb, 0u);
	for (uint32_t i = 0; i < 100; i++) {
		frame(streams, SECOND + i * 10000000ULL, i < 50 ? i : i + 2);
	}
	streams_add(streams, &missed);
	stream = streams->streams[0];
	cr_assert_eq(stream->nb_frames, 100u);
	cr_assert_eq(stream->nb_gaps, 2u);
	cr_assert_eq(stream_missed(stream), 2u);
	cr_assert_eq(stream->nb_missed[1], 2u);
	cr_assert_float_eq(stream_fps(stream), 100, 0.01);
	cr_assert_eq(stream->first_ns, SECOND - 1000);
	streams_destroy(streams);
}

Test(tables, streams_beyond_the_table_are_counted)
{
	struct streams *streams = streams_create();

	for (uint32_t i = 0; i < STREAMS_MAX + 3; i++) {
		struct event event = make_event(EVENT_dqbuf_publish, SECOND + i);

		make_set(&event, FIELD_session, i);
		streams_add(streams, &event);
	}
	cr_assert_eq(streams->nb, STREAMS_MAX);
	cr_assert_eq(streams->nb_uncounted, 3u);
	streams_destroy(streams);
}
