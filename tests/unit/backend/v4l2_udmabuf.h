/* SPDX-License-Identifier: BSD-3-Clause */
/* udmabuf behind the system calls of backend v4l2: what it is given, it maps, as a driver would. */
#ifndef VMEDIA_TESTS_BACKEND_V4L2_UDMABUF_H
#define VMEDIA_TESTS_BACKEND_V4L2_UDMABUF_H

#include <stdbool.h>
#include <stdint.h>

struct udmabuf_create;

/* An fd that stands for /dev/udmabuf. */
int udmabuf_open(void);
/* As the kernel: -EINVAL unless offset and size are of whole pages in a file that cannot shrink. */
int udmabuf_create(int udmabuf, const struct udmabuf_create *create);
/* False: the fd is none of ours. */
bool udmabuf_close(int fd);
/* The memory of a DMA buffer; NULL: the fd is none. */
void *udmabuf_memory(int fd);
void udmabuf_sync(uint64_t flags);

/* DMA buffers there are, and that ever were; how often a CPU was said to begin, and to end. */
uint32_t udmabuf_nb(void), udmabuf_nb_made(void);
uint32_t udmabuf_nb_begun(void), udmabuf_nb_ended(void);

#endif
