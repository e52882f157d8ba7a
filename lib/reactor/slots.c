/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of pollers that a pass walks; it grows when one is added and closes its gaps after a
 * pass. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "reactor/internal.h"

LOG_TYPE_USE(reactor);

#define FIRST_SLOTS 64

static const uint16_t nothing;

/* Called in each pass. */
static const struct slot awake = {.word = &nothing};
/* Never called, and gone after the pass. */
static const struct slot empty = {.word = &nothing, .due_tsc = UINT64_MAX};

static void
grow(struct reactor *reactor)
{
	uint32_t nb = reactor->nb_slots_max > 0 ? 2 * reactor->nb_slots_max : FIRST_SLOTS;
	struct slot *slots = aligned_alloc(CACHE_LINE_BYTES, nb * sizeof(*slots));

	if (slots == NULL) {
		log_err(&log_reactor, "%s: no memory for %u pollers", reactor->name, nb);
		abort();
	}
	if (reactor->nb_slots > 0) {
		memcpy(slots, reactor->slots, reactor->nb_slots * sizeof(*slots));
	}
	free(reactor->slots);
	reactor->slots = slots;
	reactor->nb_slots_max = nb;
}

void
slot_add(struct reactor *reactor, struct poller *poller)
{
	if (reactor->nb_slots == reactor->nb_slots_max) {
		grow(reactor);
	}
	poller->slot = reactor->nb_slots++;
	reactor->slots[poller->slot] = awake;
	reactor->slots[poller->slot].poller = poller;
}

void
slot_del(struct reactor *reactor, struct poller *poller)
{
	reactor->slots[poller->slot] = empty;
	reactor->slots_deleted = true;
}

void
slots_compact(struct reactor *reactor)
{
	uint32_t nb = 0;

	for (uint32_t i = 0; i < reactor->nb_slots; i++) {
		struct poller *poller = reactor->slots[i].poller;

		if (poller != NULL) {
			reactor->slots[nb] = reactor->slots[i];
			poller->slot = nb++;
		}
	}
	reactor->nb_slots = nb;
	reactor->slots_deleted = false;
}

void
slots_fini(struct reactor *reactor)
{
	free(reactor->slots);
}
