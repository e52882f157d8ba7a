/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who the front-end is, as far as its first message tells, what it is offered, and which flavour of
 * shared memory it chose. The number of SHMEM moved four times (vmm.md 1.1), so what counts is what
 * comes back in SET_PROTOCOL_FEATURES. Gateway thread.
 */
#include "transport/internal.h"

#define BIT(n) (1ULL << (n))
#define OFFER_ALWAYS                                                                         \
	(BIT(MSG_F_MQ) | BIT(MSG_F_REPLY_ACK) | BIT(MSG_F_BACKEND_REQ) | BIT(MSG_F_CONFIG) | \
		BIT(MSG_F_BACKEND_SEND_FD))
#define SHMEM_TODAY   (BIT(MSG_F_SHMEM) | BIT(MSG_F_SHMEM_2026))
#define SHMEM_HISTORY (BIT(MSG_F_SHMEM_2025) | BIT(MSG_F_SHMEM_CROSVM))

/* MEM_SLOTS crash QEMU at a reboot (vmm.md 1.4), STATUS brings nothing: for those that insist. */
#define OFFER_SLOTS (BIT(MSG_F_MEM_SLOTS) | BIT(MSG_F_STATUS))

static const struct {
	uint64_t always;
	uint64_t with_arena;
} offers[] = {
	[TRANSPORT_COMPAT_AUTO] = {OFFER_ALWAYS, SHMEM_TODAY},
	[TRANSPORT_COMPAT_CURRENT] = {OFFER_ALWAYS, BIT(MSG_F_SHMEM)},
	[TRANSPORT_COMPAT_LEGACY] = {OFFER_ALWAYS, SHMEM_TODAY | SHMEM_HISTORY},
	[TRANSPORT_COMPAT_ALL] = {OFFER_ALWAYS | OFFER_SLOTS | BIT(MSG_F_RESET_DEVICE),
		SHMEM_TODAY | SHMEM_HISTORY},
};

static const char *const names[] = {
	[FRONTEND_UNKNOWN] = "unknown",
	[FRONTEND_QEMU] = "QEMU or libkrun",
	[FRONTEND_CROSVM] = "crosvm or Cloud Hypervisor",
	[FRONTEND_ALIOTH] = "alioth",
};

void
frontend_greet(struct vhost_user *vu)
{
	const struct message_header *header = &vu->reader.msg.header;

	if (vu->kind != FRONTEND_UNKNOWN) {
		return;
	}
	if (header->request == MSG_SET_OWNER) {
		vu->kind = FRONTEND_CROSVM;
	} else if ((header->flags & MESSAGE_NEED_REPLY) != 0) {
		vu->kind = FRONTEND_ALIOTH;
	} else {
		vu->kind = FRONTEND_QEMU;
	}
}

const char *
frontend_name(const struct vhost_user *vu)
{
	return names[vu->kind];
}

uint64_t
frontend_offer(const struct vhost_user *vu)
{
	uint64_t offer = offers[vu->compat].always;

	offer |= vu->arena_fd >= 0 ? offers[vu->compat].with_arena : 0;
	if (vu->compat == TRANSPORT_COMPAT_AUTO && vu->kind == FRONTEND_ALIOTH) {
		offer |= OFFER_SLOTS;
	}
	return offer;
}

enum shmem_flavour
frontend_shmem(const struct vhost_user *vu)
{
	if ((vu->protocol_features & BIT(MSG_F_BACKEND_REQ)) == 0) {
		return SHMEM_NONE;
	}
	if ((vu->protocol_features & (SHMEM_TODAY | BIT(MSG_F_SHMEM_2025))) != 0) {
		return SHMEM_STANDARD;
	}
	return (vu->protocol_features & BIT(MSG_F_SHMEM_CROSVM)) != 0 ? SHMEM_CROSVM : SHMEM_NONE;
}
