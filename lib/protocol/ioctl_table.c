/* SPDX-License-Identifier: BSD-3-Clause */
/* The table itself; an object of its own so that the driver can link it without decode and encode.
 */
#include "protocol/ioctl_table.h"

#define ROW(_name, _nr, _dir, _type, _shape, _class) \
	[_nr] = {                                    \
		.name = #_name,                      \
		.payload_bytes = sizeof(_type),      \
		.nr = (_nr),                         \
		.dir = IOCTL_DIR_##_dir,             \
		.shape = IOCTL_SHAPE_##_shape,       \
		.flags = IOCTL_FLAG_##_class,        \
	},

const struct ioctl_desc ioctl_table[VMEDIA_NB_IOCTLS] = {VMEDIA_IOCTL_TABLE(ROW)};
