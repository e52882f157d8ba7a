/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/compiler.h"
#include "worker.h"

#define QUEUE_ITEMS 4096 /* a power of two; more than all buffers of 64 streams */

struct item {
	struct stream *stream;
	uint32_t index;
};

struct queue {
	struct item items[QUEUE_ITEMS];
	unsigned int head, tail;
};

struct worker {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct queue todo, done;
	int fd;
	bool stopping;
};

static void
put(struct queue *q, struct item item)
{
	q->items[q->tail++ % QUEUE_ITEMS] = item;
}

static bool
get(struct queue *q, struct item *item)
{
	if (q->head == q->tail) {
		return false;
	}
	*item = q->items[q->head++ % QUEUE_ITEMS];
	return true;
}

static void *
run(void *arg)
{
	struct worker *w = arg;
	struct item item;

	pthread_setname_np(pthread_self(), "verify");
	/* this thread only: the driver thread goes first when an interrupt comes */
	setpriority(PRIO_PROCESS, (id_t)gettid(), 10);
	pthread_mutex_lock(&w->lock);
	for (;;) {
		if (get(&w->todo, &item)) {
			pthread_mutex_unlock(&w->lock);
			stream_verify(item.stream, item.index);
			pthread_mutex_lock(&w->lock);
			put(&w->done, item);
			eventfd_write(w->fd, 1);
		} else if (w->stopping) {
			break;
		} else {
			pthread_cond_wait(&w->wake, &w->lock);
		}
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

int
worker_start(struct worker **worker)
{
	struct worker *w = calloc(1, sizeof(*w));
	int rc;

	if (w == NULL) {
		return -ENOMEM;
	}
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	w->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	rc = w->fd < 0 ? -errno : -pthread_create(&w->thread, NULL, run, w);
	if (rc != 0) {
		free(w);
		return rc;
	}
	*worker = w;
	return 0;
}

void
worker_stop(struct worker *w)
{
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	close(w->fd);
	free(w);
}

void
worker_push(struct worker *w, struct stream *stream, uint32_t index)
{
	pthread_mutex_lock(&w->lock);
	put(&w->todo, (struct item){stream, index});
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

bool
worker_pop(struct worker *w, struct stream **stream, uint32_t *index)
{
	struct item item;
	eventfd_t nb;
	bool some;

	pthread_mutex_lock(&w->lock);
	some = get(&w->done, &item);
	if (!some) {
		eventfd_read(w->fd, &nb);
	}
	pthread_mutex_unlock(&w->lock);
	if (some) {
		*stream = item.stream;
		*index = item.index;
	}
	return some;
}

int
worker_fd(const struct worker *w)
{
	return w->fd;
}
