/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT: virtio 1.4, 2.7. */
#include "echo/echo.h"

#include <linux/virtio_ring.h>

static inline void *
host(const struct echo_ring *r, uint64_t gpa)
{
	return (void *)(uintptr_t)(gpa + r->to_host);
}

static uint32_t
copy_chain(const struct echo_ring *r, uint16_t head)
{
	const struct vring_desc *table = r->at.desc, *d = &table[head];
	struct echo_copy copy;

	if (d->flags & VRING_DESC_F_INDIRECT) {
		table = d = host(r, d->addr);
	}
	echo_copy_begin(r, &copy);
	for (;;) {
		echo_copy_desc(&copy, host(r, d->addr), d->len, d->flags & VRING_DESC_F_WRITE);
		if (!(d->flags & VRING_DESC_F_NEXT)) {
			return copy.nb_written;
		}
		d = &table[d->next];
	}
}

bool
echo_split_pop(struct echo_ring *r, struct echo_used *used)
{
	const struct vring_avail *avail = r->at.driver;

	if (__atomic_load_n(&avail->idx, __ATOMIC_ACQUIRE) == r->avail) {
		return false;
	}
	used->id = avail->ring[r->avail++ & (r->at.size - 1)];
	used->len = copy_chain(r, used->id);
	return true;
}

void
echo_split_push(struct echo_ring *r, const struct echo_used *used)
{
	struct vring_used *ring = r->at.device;
	struct vring_used_elem *elem = &ring->ring[r->used & (r->at.size - 1)];

	elem->id = used->id;
	elem->len = used->len;
	__atomic_store_n(&ring->idx, ++r->used, __ATOMIC_RELEASE);
}
