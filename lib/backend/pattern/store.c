/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT: every byte of a large frame. */
#include "backend/pattern/store.h"

#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/compiler.h"
#include "base/util.h"

#define FORGET_SHIFT 5 /* `least` rises by 1/32 at most with each frame of its way */
#define GAIN_SHIFT   5 /* the other way must be faster by 1/32 */

#if defined(__SSE2__)
#define CAN_PASS_CACHES true

/* Whole lines past the caches, what is before and behind them through. */
static void
write_past_caches(char *to, const char *from, uint32_t nb_bytes)
{
	uint32_t head = (uint32_t)(-(uintptr_t)to % CACHE_LINE_BYTES);

	head = MIN(head, nb_bytes);
	memcpy(to, from, head);
	to += head;
	from += head;
	nb_bytes -= head;
	for (; nb_bytes >= CACHE_LINE_BYTES; nb_bytes -= CACHE_LINE_BYTES) {
		const __m128i *in = (const void *)from;
		__m128i *out = (void *)to;
		__m128i a = _mm_loadu_si128(in), b = _mm_loadu_si128(in + 1);
		__m128i c = _mm_loadu_si128(in + 2), d = _mm_loadu_si128(in + 3);

		_mm_stream_si128(out, a);
		_mm_stream_si128(out + 1, b);
		_mm_stream_si128(out + 2, c);
		_mm_stream_si128(out + 3, d);
		from += CACHE_LINE_BYTES;
		to += CACHE_LINE_BYTES;
	}
	memcpy(to, from, nb_bytes);
}

/* A release store does not order non-temporal stores. */
static void
order_past_caches(void)
{
	_mm_sfence();
}
#else
#define CAN_PASS_CACHES false

static void
write_past_caches(char *to, const char *from, uint32_t nb_bytes)
{
	memcpy(to, from, nb_bytes);
}

static void
order_past_caches(void)
{
}
#endif

void
store_init(struct store *s, uint64_t frame_bytes)
{
	*s = (struct store){.is_choosing = CAN_PASS_CACHES && frame_bytes >= STORE_LEAST_BYTES};
}

void
store_force(struct store *s, enum store_way way)
{
	*s = (struct store){.way = way};
}

void
store_forget(struct store *s)
{
	*s = (struct store){.is_choosing = s->is_choosing, .way = s->way};
}

static enum store_way
other_way(enum store_way way)
{
	return way == STORE_CACHED ? STORE_PAST_CACHES : STORE_CACHED;
}

void
store_begin(struct store *s)
{
	enum store_way before = s->way;

	if (!s->is_choosing) {
		return;
	}
	s->ticks = 0;
	if (s->nb_frames < STORE_NB_FIRST) {
		s->way = s->nb_frames < STORE_NB_FIRST / 2 ? STORE_CACHED : STORE_PAST_CACHES;
	} else {
		s->way = s->nb_frames % STORE_TRY_EVERY < 2 ? other_way(s->better) : s->better;
	}
	/* what the frame before left in the caches would count for this one */
	s->counts = s->nb_frames > 0 && s->way == before;
	s->nb_frames++;
}

/* A frame that was interrupted counts little: the next one is below it. */
static void
learn(struct store *s)
{
	uint64_t *least = &s->least[s->way];
	uint64_t other;

	*least = *least == 0 ? s->ticks : MIN(*least + (*least >> FORGET_SHIFT), s->ticks);
	other = s->least[other_way(s->better)];
	if (other != 0 && other + (other >> GAIN_SHIFT) < s->least[s->better]) {
		s->better = other_way(s->better);
	}
}

void
store_flush(const struct store *s)
{
	if (s->way == STORE_PAST_CACHES) {
		order_past_caches();
	}
}

void
store_spent(struct store *s, uint64_t ticks, bool is_complete)
{
	s->ticks += ticks;
	if (is_complete && s->counts) {
		learn(s);
	}
}

void
store_write(struct store *s, struct vmedia_plane *plane, uint32_t offset, const void *src,
	uint32_t nb_bytes)
{
	if (s->way == STORE_CACHED || plane->addr == NULL || offset > plane->length ||
		nb_bytes > plane->length - offset) {
		vmedia_plane_write(plane, offset, src, nb_bytes);
		return;
	}
	write_past_caches((char *)plane->addr + offset, src, nb_bytes);
}
