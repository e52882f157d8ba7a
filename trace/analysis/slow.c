/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "analysis/slow.h"

struct slow *
slow_create(uint32_t nb_wanted, uint64_t context_ns)
{
	struct slow *slow = calloc(1, sizeof(*slow));

	if (slow != NULL) {
		slow->nb_wanted = MIN(nb_wanted, SLOW_MAX);
		slow->context_ns = context_ns;
	}
	return slow;
}

void
slow_destroy(struct slow *slow)
{
	for (uint32_t i = 0; slow != NULL && i < slow->nb; i++) {
		free(slow->commands[i]);
	}
	free(slow);
}

static void
note_make(const struct event *event, struct slow_note *note)
{
	unsigned int nb = 0;

	note->time_ns = event->time_ns;
	note->kind = event->kind;
	note->present = 0;
	for (unsigned int i = 0; i < NB_FIELDS && nb < SLOW_NOTE_FIELDS; i++) {
		if (event_has(event, i)) {
			note->present |= 1ULL << i;
			note->fields[nb++] = event->fields[i];
		}
	}
}

void
slow_note_event(const struct slow_note *note, struct event *event)
{
	unsigned int nb = 0;

	event->time_ns = note->time_ns;
	event->kind = note->kind;
	event->present = note->present;
	event->text = NULL;
	for (unsigned int i = 0; i < NB_FIELDS; i++) {
		if (event_has(event, i)) {
			event->fields[i] = note->fields[nb++];
		}
	}
}

static uint64_t
end_of(const struct span *span)
{
	return span->begin_ns + span->ns[SPAN_TOTAL];
}

/* What comes after a command that is kept already. */
void
slow_event(struct slow *slow, const struct event *event)
{
	struct slow_note *note = &slow->history[slow->nb_history++ % SLOW_HISTORY];

	note_make(event, note);
	for (uint32_t i = 0; i < slow->nb; i++) {
		struct slow_command *command = slow->commands[i];

		if (event->time_ns > end_of(&command->span) + slow->context_ns) {
			continue;
		}
		if (command->nb_notes < SLOW_NOTES) {
			command->notes[command->nb_notes++] = *note;
		} else {
			command->nb_left_out++;
		}
	}
}

static void
notes_copy(const struct slow *slow, struct slow_command *command, uint64_t from, uint64_t to)
{
	for (; from < to; from++) {
		command->notes[command->nb_notes++] = slow->history[from % SLOW_HISTORY];
	}
}

/* What came ahead of its end; of too many the ones about its begin and the ones about its end. */
static void
look_back(const struct slow *slow, struct slow_command *command)
{
	uint64_t from_ns = command->span.begin_ns - MIN(command->span.begin_ns, slow->context_ns);
	uint64_t oldest = slow->nb_history - MIN(slow->nb_history, SLOW_HISTORY);
	uint64_t first = slow->nb_history, last = slow->nb_history;

	while (first > oldest && slow->history[(first - 1) % SLOW_HISTORY].time_ns >= from_ns) {
		first--;
	}
	command->nb_notes = 0;
	command->nb_left_out = 0;
	if (last - first <= SLOW_AT_BEGIN + SLOW_AT_END) {
		notes_copy(slow, command, first, last);
		return;
	}
	command->nb_left_out = (uint32_t)(last - first - SLOW_AT_BEGIN - SLOW_AT_END);
	notes_copy(slow, command, first, first + SLOW_AT_BEGIN);
	notes_copy(slow, command, last - SLOW_AT_END, last);
}

int
slow_command(struct slow *slow, const struct span *span)
{
	struct slow_command *command;
	uint32_t at;

	if (slow->nb == slow->nb_wanted &&
		span->ns[SPAN_TOTAL] <= slow->commands[slow->nb - 1]->span.ns[SPAN_TOTAL]) {
		return 0;
	}
	if (slow->nb == slow->nb_wanted) {
		command = slow->commands[--slow->nb];
	} else {
		command = malloc(sizeof(*command));
	}
	if (command == NULL) {
		return -ENOMEM;
	}
	command->span = *span;
	look_back(slow, command);
	for (at = slow->nb++; at > 0; at--) {
		if (slow->commands[at - 1]->span.ns[SPAN_TOTAL] >= span->ns[SPAN_TOTAL]) {
			break;
		}
		slow->commands[at] = slow->commands[at - 1];
	}
	slow->commands[at] = command;
	return 0;
}
