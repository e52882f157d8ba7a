/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <stdlib.h>

#include "fixture.h"

#define NB_SENDERS  4
#define NB_MESSAGES 20000

struct numbered {
	struct reactor_msg msg;
	struct sender *sender;
	unsigned int number;
};

struct sender {
	struct reactor *reactor;
	struct numbered *messages;
	unsigned int nb_received; /* reactor thread */
	unsigned int nb_wrong;
	bool strange_thread;
};

static void
receive(void *arg)
{
	struct numbered *numbered = arg;
	struct sender *sender = numbered->sender;

	sender->nb_wrong += numbered->number != sender->nb_received;
	sender->nb_received++;
	sender->strange_thread |= !reactor_is_current(sender->reactor);
	numbered->number = UINT32_MAX; /* twice would be wrong, too */
}

static void *
send_all(void *arg)
{
	struct sender *sender = arg;

	for (unsigned int i = 0; i < NB_MESSAGES; i++) {
		struct numbered *numbered = &sender->messages[i];

		numbered->number = i;
		numbered->sender = sender;
		numbered->msg.fn = receive;
		numbered->msg.arg = numbered;
		reactor_send(sender->reactor, &numbered->msg);
		if (i % 1024 == 0) {
			usleep(100); /* lets it fall asleep now and then */
		}
	}
	return NULL;
}

static void
senders_run(enum reactor_idle idle)
{
	struct reactor *reactor = reactor_started(idle, -1);
	struct sender senders[NB_SENDERS] = {0};
	pthread_t threads[NB_SENDERS];
	struct reactor_stats stats;

	for (int i = 0; i < NB_SENDERS; i++) {
		senders[i].reactor = reactor;
		senders[i].messages = calloc(NB_MESSAGES, sizeof(*senders[i].messages));
		pthread_create(&threads[i], NULL, send_all, &senders[i]);
	}
	for (int i = 0; i < NB_SENDERS; i++) {
		pthread_join(threads[i], NULL);
	}
	reactor_stop(reactor);
	reactor_stats(reactor, &stats);
	for (int i = 0; i < NB_SENDERS; i++) {
		cr_expect_eq(senders[i].nb_received, NB_MESSAGES);
		cr_expect_eq(senders[i].nb_wrong, 0);
		cr_expect_not(senders[i].strange_thread);
		free(senders[i].messages);
	}
	cr_expect_eq(stats.nb_messages, NB_SENDERS * NB_MESSAGES + 1, "and the one that stops");
	reactor_destroy(reactor);
}

Test(reactor_message, four_senders_lose_none_and_keep_their_order_in_poll_mode)
{
	senders_run(REACTOR_POLL);
}

Test(reactor_message, four_senders_lose_none_and_keep_their_order_in_adaptive_mode)
{
	senders_run(REACTOR_ADAPTIVE);
}

Test(reactor_message, four_senders_lose_none_and_keep_their_order_in_interrupt_mode)
{
	senders_run(REACTOR_INTERRUPT);
}

struct echo {
	struct reactor *reactor;
	struct reactor_msg msg;
	_Atomic unsigned int nb_runs;
};

static void
echo_again(void *arg)
{
	struct echo *echo = arg;

	atomic_fetch_add(&echo->nb_runs, 1);
	reactor_send(echo->reactor, &echo->msg);
}

Test(reactor_message, one_that_sends_itself_again_is_called_once_a_pass)
{
	const struct reactor_config config = {.cpu = -1};
	struct echo echo = {.msg = {.fn = echo_again, .arg = &echo}};

	cr_assert_eq(reactor_create(&config, &echo.reactor), 0);
	reactor_send(echo.reactor, &echo.msg);
	for (unsigned int i = 1; i <= 5; i++) {
		cr_expect_eq(reactor_pass(echo.reactor), 1);
		cr_expect_eq(echo.nb_runs, i);
	}
	echo.msg.fn = (void (*)(void *))free;
	echo.msg.arg = NULL;
	reactor_destroy(echo.reactor);
}

static void
count(void *arg)
{
	struct echo *echo = arg;

	echo->nb_runs += reactor_is_current(echo->reactor) ? 1 : 100;
}

Test(reactor_message, call_returns_after_the_function_ran_on_the_reactor)
{
	struct echo echo = {.reactor = reactor_started(REACTOR_INTERRUPT, -1)};

	for (unsigned int i = 1; i <= 100; i++) {
		reactor_call(echo.reactor, count, &echo);
		cr_expect_eq(echo.nb_runs, i);
	}
	cr_expect_not(reactor_is_current(echo.reactor));
	reactor_destroy(echo.reactor);
}

static void
count_anywhere(void *arg)
{
	struct echo *echo = arg;

	echo->nb_runs++;
}

Test(reactor_message, call_before_start_and_after_stop_runs_at_once)
{
	const struct reactor_config config = {.cpu = -1};
	struct echo echo = {0};

	cr_assert_eq(reactor_create(&config, &echo.reactor), 0);
	reactor_call(echo.reactor, count_anywhere, &echo);
	cr_expect_eq(echo.nb_runs, 1);
	cr_assert_eq(reactor_start(echo.reactor), 0);
	reactor_stop(echo.reactor);
	reactor_call(echo.reactor, count_anywhere, &echo);
	cr_expect_eq(echo.nb_runs, 2);
	reactor_destroy(echo.reactor);
}
