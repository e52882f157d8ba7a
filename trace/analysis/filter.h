/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the filters of the plugin have in common: one port in, one out, a queue of messages that go
 * out next. A filter is one const struct filter_kind.
 */
#ifndef VMEDIA_ANALYSIS_FILTER_H
#define VMEDIA_ANALYSIS_FILTER_H

#include <babeltrace2/babeltrace.h>

#include "analysis/options.h"
#include "analysis/reader.h"

struct filter;

struct filter_kind {
	enum options_user user;
	size_t state_bytes; /* of the filter's own, zeroed */
	/* Takes over the reference of the message; what is wrong, or NULL. */
	const char *(*take)(struct filter *filter, const bt_message *message);
	const char *(*end)(struct filter *filter); /* nothing more comes; what is wrong, or NULL */
	void (*fini)(struct filter *filter);
};

extern const struct filter_kind filter_spans, filter_select;

/* One message iterator. */
struct filter {
	const struct filter_kind *kind;
	const struct options *options;
	bt_self_message_iterator *self;
	bt_message_iterator *upstream;
	struct reader reader;
	struct reader_output output;
	void *state;
	const bt_message **ready; /* ring of messages to hand on */
	uint64_t nb_ready, first_ready, ready_size;
	bool is_at_end;
};

/* Hands a message on, with its reference; false: no memory. */
bool filter_emit(struct filter *filter, const bt_message *message);

#endif
