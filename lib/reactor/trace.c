/* SPDX-License-Identifier: BSD-3-Clause */
/* What a reactor tells a tracer, behind the branch that looks whether anybody listens. */
#include "base/clock.h"
#include "reactor/internal.h"
#include "trace/hooks.h"

void
reactor_trace_start(const struct reactor *reactor)
{
	trace_hook(reactor_start, .reactor = reactor->index, .name = reactor->name,
		.cpu = reactor->cpu, .idle = (uint8_t)reactor->idle);
}

void
reactor_trace_stat(struct reactor *reactor, uint64_t now_tsc)
{
	const struct reactor_stats *stats = &reactor->stats;

	if (now_tsc - reactor->stat_tsc < clock_tsc_hz()) {
		return;
	}
	reactor->stat_tsc = now_tsc;
	trace_hook(reactor_stat, .reactor = reactor->index, .tsc = clock_tsc(),
		.nb_passes = stats->nb_passes, .busy_ns = clock_tsc_to_ns(stats->busy_tsc),
		.idle_ns = clock_tsc_to_ns(stats->idle_tsc),
		.sleep_ns = clock_tsc_to_ns(stats->sleep_tsc));
}

void
reactor_trace_over_budget(const struct reactor *reactor, uint64_t pass_tsc)
{
	trace_hook(pass_over_budget, .reactor = reactor->index,
		.pass_ns = clock_tsc_to_ns(pass_tsc),
		.budget_ns = clock_tsc_to_ns(reactor->budget_tsc));
}

void
reactor_trace_sleep(const struct reactor *reactor, uint64_t now_tsc, uint64_t deadline_tsc)
{
	trace_hook(poll_sleep, .reactor = reactor->index,
		.timeout_ns = deadline_tsc == REACTOR_NO_DEADLINE
	                              ? UINT64_MAX
	                              : clock_tsc_to_ns(deadline_tsc - now_tsc));
}

void
reactor_trace_wake(const struct reactor *reactor, uint64_t slept_tsc, int nb_ready)
{
	/* A message is an eventfd among those that became readable. */
	trace_hook(poll_wake, .reactor = reactor->index,
		.cause = atomic_load(&reactor->inbox.head) != NULL ? TRACE_WAKE_MESSAGE
	                 : nb_ready > 0                            ? TRACE_WAKE_KICK
	                                                           : TRACE_WAKE_TIMEOUT,
		.slept_ns = clock_tsc_to_ns(slept_tsc));
}

void
reactor_statedump(struct reactor *reactor)
{
	trace_hook(statedump_begin, .reactor = reactor->index, .name = reactor->name,
		.cpu = reactor->cpu, .idle = (uint8_t)reactor->idle, .tsc = clock_tsc(),
		.tsc_hz = clock_tsc_hz_so_far());
}
