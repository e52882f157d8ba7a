/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory whose pages somebody else can take away: what a front-end shares with us it can truncate
 * or punch, and huge pages can run out. The next touch is then a SIGBUS of whoever touched, on any
 * thread. While guarding is on, that touch meets private memory instead: the handler maps zeroed
 * pages from the page that is gone to the end of the range (a file that was cut has nothing behind
 * it either), and sets a mark in the word of the range's owner. The owner finds the mark in its own
 * time and ends itself; nobody else notices.
 *
 * A SIGBUS of any other address, or one that was sent, goes to the handler that was there before.
 */
#ifndef VMEDIA_BASE_FAULT_H
#define VMEDIA_BASE_FAULT_H

#include <stdatomic.h>
#include <stddef.h>

/* Ranges guarded at a time, in the process. */
#define FAULT_MAX_RANGES 16384

/*
 * Once per process, around all others; control thread. A negative errno of sigaction(2). Threads
 * that touch guarded memory must not block SIGBUS: the kernel then ends the process.
 */
int fault_start(void);
void fault_stop(void);

/*
 * Guards [addr, addr + bytes), which is whole pages of page_bytes of one mapping, writable. A fault
 * ORs `mark` into *owner. The range's number, or -ENOSPC, -EINVAL. Any thread; takes a lock, which
 * the handler never does. The range does not overlap another one, and is taken out before the
 * memory is unmapped; nobody may touch the memory while it is taken out.
 */
int fault_guard(void *addr, size_t bytes, size_t page_bytes, atomic_uint *owner, unsigned int mark);
void fault_unguard(int range);

#endif
