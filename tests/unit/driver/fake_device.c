/* SPDX-License-Identifier: BSD-3-Clause */
#include "fake_device.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>

#include "linux/virtio_media.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t a, b; /* split: flags, next. packed: id, flags */
};

#define F_NEXT     1
#define F_WRITE    2
#define F_INDIRECT 4
#define F_PACKED   (1ULL << 34)

static bool
is_packed(const struct fake_ring *r)
{
	return (r->at.features & F_PACKED) != 0;
}

void
fake_ring_init(struct fake_ring *r, struct driver *drv, unsigned int queue)
{
	memset(r, 0, sizeof(*r));
	r->drv = drv;
	r->avail_wrap = r->used_wrap = true;
	cr_assert_eq(driver_ring_layout(drv, queue, &r->at), 0);
}

static void
add_piece(struct fake_ring *r, struct fake_chain *c, const struct desc *d, bool write)
{
	struct fake_piece *p = &c->pieces[c->nb_read + c->nb_write];

	cr_assert_lt(c->nb_read + c->nb_write, FAKE_MAX_DESCS);
	cr_assert(write || c->nb_write == 0, "readable behind writable");
	p->mem = driver_mem_host(r->drv, d->addr, d->len);
	p->len = d->len;
	cr_assert_not_null(p->mem, "outside guest memory");
	*(write ? &c->nb_write : &c->nb_read) += 1;
}

static struct desc *
table_of(struct fake_ring *r, const struct desc *d, unsigned int *nb)
{
	struct desc *table = driver_mem_host(r->drv, d->addr, d->len);

	cr_assert_not_null(table);
	cr_assert(d->len > 0 && d->len % sizeof(*d) == 0);
	*nb = d->len / sizeof(*d);
	return table;
}

static bool
pop_split(struct fake_ring *r, struct fake_chain *c)
{
	uint16_t *avail = r->at.driver;
	struct desc *table = r->at.desc, *d;
	unsigned int nb = r->at.size, i;

	if (__atomic_load_n(&avail[1], __ATOMIC_ACQUIRE) == r->avail) {
		return false;
	}
	c->id = avail[2 + r->avail++ % r->at.size];
	cr_assert_lt(c->id, r->at.size);
	i = c->id;
	c->nb_slots = 1;
	c->indirect = (table[i].a & F_INDIRECT) != 0;
	if (c->indirect) {
		table = table_of(r, &table[i], &nb);
		i = 0;
	}
	for (;;) {
		cr_assert_lt(i, nb);
		d = &table[i];
		add_piece(r, c, d, d->a & F_WRITE);
		if (!(d->a & F_NEXT)) {
			return true;
		}
		i = d->b;
	}
}

static bool
packed_is_avail(const struct fake_ring *r, uint16_t flags)
{
	return ((flags >> 7) & 1) == r->avail_wrap && (flags >> 15) != r->avail_wrap;
}

static bool
pop_packed(struct fake_ring *r, struct fake_chain *c)
{
	struct desc *ring = r->at.desc, *d;
	uint16_t flags = __atomic_load_n(&ring[r->avail].b, __ATOMIC_ACQUIRE);
	unsigned int nb;

	if (!packed_is_avail(r, flags)) {
		return false;
	}
	for (;;) {
		d = &ring[r->avail];
		c->id = d->a;
		c->nb_slots++;
		flags = d->b;
		cr_assert(packed_is_avail(r, flags));
		if (++r->avail == r->at.size) {
			r->avail = 0;
			r->avail_wrap = !r->avail_wrap;
		}
		if (flags & F_INDIRECT) {
			struct desc *table = table_of(r, d, &nb);

			c->indirect = true;
			for (unsigned int i = 0; i < nb; i++) {
				add_piece(r, c, &table[i], table[i].b & F_WRITE);
			}
		} else {
			add_piece(r, c, d, flags & F_WRITE);
		}
		if (!(flags & F_NEXT)) {
			return true;
		}
	}
}

bool
fake_pop(struct fake_ring *r, struct fake_chain *c)
{
	memset(c, 0, sizeof(*c));
	return is_packed(r) ? pop_packed(r, c) : pop_split(r, c);
}

void
fake_push_id(struct fake_ring *r, uint32_t id, uint16_t nb_slots, uint32_t len)
{
	if (is_packed(r)) {
		struct desc *d = &((struct desc *)r->at.desc)[r->used];
		uint16_t flags = r->used_wrap ? 0x8080 : 0;

		d->a = (uint16_t)id;
		d->len = len;
		flags |= len > 0 ? F_WRITE : 0;
		__atomic_store_n(&d->b, flags, __ATOMIC_RELEASE);
		r->used += nb_slots;
		if (r->used >= r->at.size) {
			r->used -= r->at.size;
			r->used_wrap = !r->used_wrap;
		}
	} else {
		uint16_t *idx = (uint16_t *)r->at.device + 1;
		uint32_t *elem = (uint32_t *)r->at.device + 1 + 2 * (size_t)(r->used % r->at.size);

		elem[0] = id;
		elem[1] = len;
		__atomic_store_n(idx, ++r->used, __ATOMIC_RELEASE);
	}
	if (r->at.call_fd >= 0) {
		cr_assert_eq(eventfd_write(r->at.call_fd, 1), 0); /* wanted or not */
	}
}

void
fake_push(struct fake_ring *r, const struct fake_chain *c, uint32_t len)
{
	fake_push_id(r, c->id, c->nb_slots, len);
}

uint32_t
fake_read(const struct fake_chain *c, void *to, uint32_t max)
{
	uint32_t n = 0;

	for (unsigned int i = 0; i < c->nb_read; i++) {
		cr_assert_leq(n + c->pieces[i].len, max);
		memcpy((uint8_t *)to + n, c->pieces[i].mem, c->pieces[i].len);
		n += c->pieces[i].len;
	}
	return n;
}

uint32_t
fake_write(const struct fake_chain *c, const void *from, uint32_t len)
{
	uint32_t n = 0;

	for (unsigned int i = c->nb_read; i < c->nb_read + c->nb_write && n < len; i++) {
		uint32_t part = len - n < c->pieces[i].len ? len - n : c->pieces[i].len;

		memcpy(c->pieces[i].mem, (const uint8_t *)from + n, part);
		n += part;
	}
	return n;
}

static void *
server_run(void *arg)
{
	struct fake_server *s = arg;
	uint8_t cmd[32768], resp[32768];

	for (unsigned int i = 0; i < s->nb;) {
		struct fake_chain c;
		uint32_t cmd_len, used_len;

		if (!fake_pop(s->ring, &c)) {
			if (__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE)) {
				break;
			}
			sched_yield();
			continue;
		}
		memset(resp, 0, sizeof(resp));
		cmd_len = fake_read(&c, cmd, sizeof(cmd));
		used_len = s->answer(cmd, cmd_len, resp, s->arg);
		fake_write(&c, resp, used_len);
		fake_push(s->ring, &c, used_len);
		i++;
	}
	return NULL;
}

void
fake_serve(
	struct fake_server *s, struct fake_ring *r, fake_answer_fn *fn, void *arg, unsigned int nb)
{
	*s = (struct fake_server){.ring = r, .answer = fn, .arg = arg, .nb = nb};
	cr_assert_eq(pthread_create(&s->thread, NULL, server_run, s), 0);
}

void
fake_serve_end(struct fake_server *s)
{
	__atomic_store_n(&s->stop, true, __ATOMIC_RELEASE);
	pthread_join(s->thread, NULL);
}

static uint32_t
answer_open(const uint8_t *cmd, uint32_t cmd_len, uint8_t *resp, void *arg)
{
	struct virtio_media_resp_open open = {.session_id = *(uint32_t *)arg};

	cr_assert_eq(cmd_len, sizeof(struct virtio_media_cmd_open));
	memcpy(resp, &open, sizeof(open));
	return sizeof(open);
}

static int
open_session(struct fake_ring *r, uint32_t id, struct driver_session **session)
{
	struct fake_server s;
	int ret;

	fake_serve(&s, r, answer_open, &id, 1);
	ret = driver_open(r->drv, session);
	fake_serve_end(&s);
	return ret;
}

struct driver_session *
fake_open(struct fake_ring *r, uint32_t id)
{
	struct driver_session *session = NULL;

	cr_assert_eq(open_session(r, id, &session), 0);
	return session;
}

int
fake_open_status(struct fake_ring *r, uint32_t id)
{
	struct driver_session *session = NULL;

	return open_session(r, id, &session);
}

bool
fake_event(struct fake_ring *r, const void *event, uint32_t len, uint32_t used_len)
{
	struct fake_chain c;

	if (!fake_pop(r, &c)) {
		return false;
	}
	cr_assert_eq(c.nb_read, 0);
	fake_write(&c, event, len);
	fake_push(r, &c, used_len);
	return true;
}

void
fake_end(struct driver *drv)
{
	driver_disconnect(drv);
	fake_check_leaks();
}

void
fake_check_leaks(void)
{
#ifdef __SANITIZE_ADDRESS__
	cr_assert_eq(__lsan_do_recoverable_leak_check(), 0);
#endif
}
