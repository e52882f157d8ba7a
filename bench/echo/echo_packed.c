/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT: virtio 1.4, 2.8. */
#include "echo/echo.h"

#include <linux/virtio_ring.h>

#define F_AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define F_USED  (1u << VRING_PACKED_DESC_F_USED)

static inline void *
host(const struct echo_ring *r, uint64_t gpa)
{
	return (void *)(uintptr_t)(gpa + r->to_host);
}

static void
copy_table(const struct echo_ring *r, const struct vring_packed_desc *d, struct echo_copy *copy)
{
	const struct vring_packed_desc *entry = host(r, d->addr);

	for (uint32_t i = 0; i < d->len / sizeof(*entry); i++, entry++) {
		echo_copy_desc(
			copy, host(r, entry->addr), entry->len, entry->flags & VRING_DESC_F_WRITE);
	}
}

static inline void
advance(const struct echo_ring *r, uint16_t *position, bool *wrap, uint16_t nb)
{
	*position += nb;
	if (*position >= r->at.size) {
		*position -= r->at.size;
		*wrap = !*wrap;
	}
}

bool
echo_packed_pop(struct echo_ring *r, struct echo_used *used)
{
	const struct vring_packed_desc *ring = r->at.desc, *d = &ring[r->avail];
	uint16_t flags = __atomic_load_n(&d->flags, __ATOMIC_ACQUIRE);
	struct echo_copy copy;

	if ((flags & (F_AVAIL | F_USED)) != (r->avail_wrap ? F_AVAIL : F_USED)) {
		return false;
	}
	used->nb_descs = 0;
	echo_copy_begin(r, &copy);
	for (;;) {
		d = &ring[r->avail];
		used->nb_descs++;
		advance(r, &r->avail, &r->avail_wrap, 1);
		if (d->flags & VRING_DESC_F_INDIRECT) {
			copy_table(r, d, &copy);
		} else {
			echo_copy_desc(
				&copy, host(r, d->addr), d->len, d->flags & VRING_DESC_F_WRITE);
		}
		if (!(d->flags & VRING_DESC_F_NEXT)) {
			break;
		}
	}
	used->id = d->id;
	used->len = copy.nb_written;
	return true;
}

void
echo_packed_push(struct echo_ring *r, const struct echo_used *used)
{
	struct vring_packed_desc *d = (struct vring_packed_desc *)r->at.desc + r->used;
	unsigned int flags =
		(r->used_wrap ? F_AVAIL | F_USED : 0) | (used->len > 0 ? VRING_DESC_F_WRITE : 0);

	d->id = used->id;
	d->len = used->len;
	__atomic_store_n(&d->flags, (uint16_t)flags, __ATOMIC_RELEASE);
	advance(r, &r->used, &r->used_wrap, used->nb_descs);
}
