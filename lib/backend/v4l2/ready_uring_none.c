/* SPDX-License-Identifier: BSD-3-Clause */
/* Built without liburing. */
#include <errno.h>
#include <stddef.h>

#include "backend/v4l2/ready.h"

static int
create(struct ready *ready)
{
	(void)ready;
	return -ENOSYS;
}

const struct ready_ops ready_uring = {"io_uring", create, NULL, NULL, NULL, NULL, NULL};
