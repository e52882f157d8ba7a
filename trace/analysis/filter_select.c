/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flt.vmedia.select: the events of one device or session, or what happened around commands of one
 * ioctl or of a certain slowness. A command is known to be slow when it ends, so messages wait in a
 * window; what leaves it unselected is dropped. Streams, packets and losses always go on.
 */
#include <stdlib.h>
#include <strings.h>

#include "base/util.h"
#include "analysis/filter.h"
#include "analysis/span.h"

#define WINDOW 16384u /* messages that wait at most */

struct waiting {
	const bt_message *message;
	uint64_t time_ns;
	bool is_selected;
	bool is_excluded; /* another device or session */
};

struct select {
	struct spans spans;
	uint64_t until_ns; /* up to here everything is near a selected command */
	uint64_t nb_in, nb_out;
	struct waiting window[WINDOW];
};

static bool
wants_commands(const struct options *options)
{
	return options->ioctl[0] != '\0' || options->min_us != 0;
}

static bool
excludes(const struct options *options, const struct event *event)
{
	return (options->device >= 0 && event_has(event, FIELD_device) &&
		       event_get(event, FIELD_device) != (uint64_t)options->device) ||
	       (options->session >= 0 && event_has(event, FIELD_session) &&
		       event_get(event, FIELD_session) != (uint64_t)options->session);
}

static bool
matches(const struct options *options, const struct span *span)
{
	char name[16];

	return (options->device < 0 || span->device == options->device) &&
	       (options->session < 0 || span->session == options->session) &&
	       span->ns[SPAN_TOTAL] >= options->min_us * 1000 &&
	       (options->ioctl[0] == '\0' ||
		       strcasecmp(options->ioctl, event_code_name(span->code, name)) == 0);
}

/* The oldest one leaves; what is wrong, or NULL. */
static const char *
leave(struct filter *filter, struct select *select)
{
	struct waiting *oldest = &select->window[select->nb_out++ % WINDOW];

	if (!oldest->is_selected) {
		bt_message_put_ref(oldest->message);
		return NULL;
	}
	return filter_emit(filter, oldest->message) ? NULL : "no memory";
}

static void
select_around(struct filter *filter, struct select *select, const struct span *span)
{
	uint64_t context_ns = filter->options->context_us * 1000;
	uint64_t from_ns = span->begin_ns - MIN(span->begin_ns, context_ns);

	select->until_ns =
		MAX(select->until_ns, span->begin_ns + span->ns[SPAN_TOTAL] + context_ns);
	for (uint64_t i = select->nb_in; i > select->nb_out; i--) {
		struct waiting *waiting = &select->window[(i - 1) % WINDOW];

		if (waiting->time_ns != 0 && waiting->time_ns < from_ns) {
			break;
		}
		waiting->is_selected |= !waiting->is_excluded;
	}
}

/* An event that is not ours is near a command when its time is. */
static uint64_t
time_of(const bt_message *message)
{
	int64_t ns = 0;

	if (bt_message_get_type(message) == BT_MESSAGE_TYPE_EVENT) {
		bt_clock_snapshot_get_ns_from_origin(
			bt_message_event_borrow_default_clock_snapshot_const(message), &ns);
	}
	return (uint64_t)ns;
}

static const char *
take(struct filter *filter, const bt_message *message)
{
	struct select *select = filter->state;
	const struct event *event = &filter->output.event;
	struct waiting *waiting = &select->window[select->nb_in % WINDOW];
	const char *wrong = NULL;
	enum reader_result result;
	struct span span;

	if (select->nb_in - select->nb_out == WINDOW) {
		wrong = leave(filter, select);
	}
	filter->reader.wants = (1ULL << NB_EVENTS) - 1;
	result = reader_read(&filter->reader, message, &filter->output);
	if (result == READER_NO_CLOCK || result == READER_NO_MEMORY || wrong != NULL) {
		bt_message_put_ref(message);
		return result == READER_NO_CLOCK ? "the trace has a stream without a clock"
		                                 : "no memory";
	}
	*waiting = (struct waiting){.message = message, .time_ns = time_of(message)};
	waiting->is_excluded = result == READER_EVENT && excludes(filter->options, event);
	waiting->is_selected =
		waiting->time_ns == 0 ||
		(!waiting->is_excluded &&
			(!wants_commands(filter->options) || waiting->time_ns <= select->until_ns));
	select->nb_in++;
	if (result == READER_EVENT &&
		(1ULL << event->kind & spans_wants(filter->reader.known)) != 0 &&
		spans_add(&select->spans, event, &span) && matches(filter->options, &span)) {
		select_around(filter, select, &span);
	}
	if (!wants_commands(filter->options)) {
		return leave(filter, select);
	}
	return NULL;
}

static const char *
end(struct filter *filter)
{
	struct select *select = filter->state;
	const char *wrong = NULL;

	while (wrong == NULL && select->nb_in != select->nb_out) {
		wrong = leave(filter, select);
	}
	return wrong;
}

static void
fini(struct filter *filter)
{
	struct select *select = filter->state;

	while (select->nb_in != select->nb_out) {
		bt_message_put_ref(select->window[select->nb_out++ % WINDOW].message);
	}
}

const struct filter_kind filter_select = {
	.user = OPTIONS_SELECT,
	.state_bytes = sizeof(struct select),
	.take = take,
	.end = end,
	.fini = fini,
};
