/* SPDX-License-Identifier: BSD-3-Clause */
/* virtio_media.h before anything else, in strict C99 and as C++: it compiles, or the build fails.
 */
#include <linux/virtio_media.h>

/* What a program outside of vmedia would do with it. */
unsigned int header_alone(void);

unsigned int
header_alone(void)
{
	struct virtio_media_cmd_mmap mmap = {{VIRTIO_MEDIA_CMD_MMAP, 0}, 1, 0, 0};
	struct virtio_media_event_error error = {{VIRTIO_MEDIA_EVT_ERROR, 1}, 5, 0};

	mmap.flags = 1u << VIRTIO_MEDIA_MMAP_FLAG_RW_BIT;
	return mmap.flags + error.error_code +
	       (unsigned int)sizeof(struct virtio_media_event_dqbuf);
}
