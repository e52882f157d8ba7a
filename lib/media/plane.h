/* SPDX-License-Identifier: BSD-3-Clause */
/* Planes made of the guest's own pages (SHARED_PAGES). Access is vmedia_plane_write and _read. */
#ifndef VMEDIA_MEDIA_PLANE_H
#define VMEDIA_MEDIA_PLANE_H

#include "vmedia/backend.h"

/* The plane consists of these nb pieces from now on, of nothing with nb 0. The array stays the
 * caller's. The pieces may cover less than plane->length: what is not covered is not there. */
void plane_set_segments(struct vmedia_plane *plane, struct iovec *segments, uint32_t nb);

#endif
