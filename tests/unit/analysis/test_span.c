/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <string.h>

#include "base/compiler.h"
#include "make.h"

static struct spans spans;
static struct span span;

static const enum event_kind kinds[] = {EVENT_cmd_dequeue, EVENT_cmd_parse, EVENT_backend_begin,
	EVENT_backend_end, EVENT_cmd_publish};

static bool
add(enum event_kind kind, uint64_t time_ns, uint32_t device, uint64_t seq)
{
	struct event event = make_stage(kind, time_ns, device, seq);

	return spans_add(&spans, &event, &span);
}

Test(span, five_stages_become_one_span)
{
	static const uint64_t times[] = {1000, 1100, 1300, 1600, 2000};
	static const uint64_t ns[] = {100, 200, 300, 400, 1000};

	for (unsigned int i = 0; i < 4; i++) {
		cr_assert_not(add(kinds[i], times[i], 3, 77));
	}
	cr_assert(add(EVENT_cmd_publish, times[4], 3, 77));
	cr_assert_eq(span.device, 3u);
	cr_assert_eq(span.seq, 77u);
	cr_assert_eq(span.begin_ns, 1000u);
	cr_assert_eq(memcmp(span.ns, ns, sizeof(ns)), 0);
	cr_assert_not(span.disorder);
	cr_assert_eq(spans.nb_in_flight, 0u);
}

Test(span, what_the_stages_say_is_kept)
{
	struct event parse = make_stage(EVENT_cmd_parse, 20, 0, 5);
	struct event publish = make_stage(EVENT_cmd_publish, 30, 0, 5);

	make_set(&parse, FIELD_session, 9);
	make_set(&parse, FIELD_code, 15);
	make_set(&publish, FIELD_status, -22);
	cr_assert_not(add(EVENT_cmd_dequeue, 10, 0, 5));
	cr_assert_not(spans_add(&spans, &parse, &span));
	cr_assert(spans_add(&spans, &publish, &span));
	cr_assert_eq(span.session, 9u);
	cr_assert_eq(span.code, 15u);
	cr_assert_eq(span.status, -22);
	/* the stages without an event took no time */
	cr_assert_eq(span.ns[SPAN_WAIT] + span.ns[SPAN_BACKEND], 0u);
	cr_assert_eq(span.ns[SPAN_PUBLISH], 10u);
}

Test(span, one_event_with_all_times_is_the_same_span)
{
	struct event event = make_stage(EVENT_cmd_span, 2000, 3, 77);
	static const uint64_t ns[] = {100, 200, 300, 400, 1000};

	make_set(&event, FIELD_parse_ns, 100);
	make_set(&event, FIELD_begin_ns, 300);
	make_set(&event, FIELD_end_ns, 600);
	make_set(&event, FIELD_publish_ns, 1000);
	cr_assert(spans_add(&spans, &event, &span));
	cr_assert_eq(span.begin_ns, 1000u);
	cr_assert_eq(memcmp(span.ns, ns, sizeof(ns)), 0);
	cr_assert_not(span.disorder);
	make_set(&event, FIELD_begin_ns, 50);
	cr_assert(spans_add(&spans, &event, &span));
	cr_assert(span.disorder);
}

Test(span, a_stage_that_comes_too_early_is_disorder_and_no_huge_number)
{
	add(EVENT_cmd_dequeue, 1000, 0, 1);
	add(EVENT_backend_begin, 900, 0, 1);
	cr_assert(add(EVENT_cmd_publish, 1200, 0, 1));
	cr_assert(span.disorder);
	cr_assert_eq(span.ns[SPAN_WAIT], 0u);
	cr_assert_eq(span.ns[SPAN_TOTAL], 200u);
}

Test(span, many_in_flight_are_kept_apart_in_any_order)
{
	static unsigned int order[SPANS_MAX];
	unsigned int random = 1;

	for (unsigned int i = 0; i < SPANS_MAX; i++) {
		add(EVENT_cmd_dequeue, 1000 + i, i % 7, i);
		order[i] = i;
	}
	cr_assert_eq(spans.nb_in_flight, SPANS_MAX);
	for (unsigned int i = SPANS_MAX - 1; i > 0; i--) {
		unsigned int j, swap = order[i];

		random = random * 1103515245u + 12345u;
		j = (random >> 8) % (i + 1);
		order[i] = order[j];
		order[j] = swap;
	}
	for (unsigned int i = 0; i < SPANS_MAX; i++) {
		unsigned int seq = order[i];

		cr_assert(add(EVENT_cmd_publish, 100000, seq % 7, seq), "number %u", seq);
		cr_assert_eq(span.begin_ns, 1000 + seq);
	}
	cr_assert_eq(spans.nb_in_flight, 0u);
	cr_assert_eq(spans.nb_orphans, 0u);
}

Test(span, more_than_fit_are_counted_and_the_others_stay_right)
{
	for (unsigned int i = 0; i < SPANS_MAX + 10; i++) {
		add(EVENT_cmd_dequeue, 1000 + i, 0, i);
	}
	cr_assert_eq(spans.nb_dropped, 10u);
	cr_assert_not(add(EVENT_cmd_publish, 9000, 0, SPANS_MAX + 3));
	cr_assert_eq(spans.nb_orphans, 1u);
	cr_assert(add(EVENT_cmd_publish, 9000, 0, 3));
}

Test(span, orphans_and_repeats_are_counted)
{
	cr_assert_not(add(EVENT_backend_end, 10, 0, 1));
	cr_assert_eq(spans.nb_orphans, 1u);
	add(EVENT_cmd_dequeue, 20, 0, 2);
	add(EVENT_cmd_dequeue, 30, 0, 2);
	cr_assert_eq(spans.nb_twice, 1u);
	cr_assert_eq(spans.nb_in_flight, 1u);
}

Test(span, a_device_is_forgotten_and_no_other)
{
	for (unsigned int i = 0; i < 600; i++) {
		add(EVENT_cmd_dequeue, 1000 + i, i % 3, i);
	}
	spans_forget(&spans, 1);
	cr_assert_eq(spans.nb_in_flight, 400u);
	for (unsigned int i = 0; i < 600; i++) {
		cr_assert_eq(add(EVENT_cmd_publish, 5000, i % 3, i), i % 3 != 1);
	}
}
