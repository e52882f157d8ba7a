/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory tables, whole and one region at a time, and what lookups then find: through a whole
 * connection (gateway.c) with a front-end that has memory slots. Checked are lookups at the edges
 * of all regions and at addresses of the input against a search of the regions one by one, and
 * that an acknowledged message changed the table as it says.
 *
 * Input: that of steps.h, without options. A region: u8 file, then
 * gpa, size, uva and offset, each a u8 in units that make overlaps and edges likely, or, with bit 7
 * of the first byte, a u64.
 */
#include <string.h>

#include "gateway.h"
#include "steps.h"

#define MAX_STEPS 64
#define MAX_SENT  64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t unit_bits[] = {10, 8, 12, 8}; /* gpa, size, uva, offset */

struct region {
	struct message_region r;
	enum kernel_kind kind;
	unsigned int file;
};

static struct region sent[MAX_SENT];
static unsigned int nb_sent;
static struct guest_mem_region before[MESSAGE_LIBRARY_REGIONS];
static uint32_t nb_before;
static struct {
	unsigned int nb;
	uint64_t status; /* of the last */
} replies;

static void
quiet_log(enum log_level level, const char *type, const char *line)
{
}

static void
replied(void *arg, const uint8_t *data, size_t n, const int *fds, unsigned int nb_fds)
{
	must(n == MESSAGE_HEADER_BYTES + sizeof(uint64_t));
	memcpy(&replies.status, data + MESSAGE_HEADER_BYTES, sizeof(replies.status));
	replies.nb++;
}

/* The library's regions, one by one, against the search. */
static void
look_up(uint64_t gpa, uint64_t len, uint32_t hint)
{
	uint64_t n = len;
	volatile char *p = guest_mem_translate(&bed->mem, &hint, gpa, &n);

	must(hint < GUEST_MEM_MAX_REGIONS);
	for (uint32_t i = 0; i < bed->nb_regions; i++) {
		const struct guest_mem_region *r = &bed->regions[i];
		uint64_t off = gpa - r->gpa;

		if (off < r->size_bytes) {
			must(p == r->addr + off && n == MIN(len, r->size_bytes - off));
			(void)p[0];
			(void)p[n - 1];
			return;
		}
	}
	must(p == NULL);
}

static void
check_lookups(void)
{
	for (uint32_t i = 0; bed->has_memory && i < bed->nb_regions; i++) {
		const struct guest_mem_region *r = &bed->regions[i];

		look_up(r->gpa, r->size_bytes, i);
		look_up(r->gpa + r->size_bytes - 1, 4096, 0);
		look_up(r->gpa + r->size_bytes, 1, i);
		look_up(r->gpa - 1, UINT64_MAX, 63);
	}
}

/* True when it was acknowledged. Fds are taken. */
static bool
exchange(uint32_t request, const void *payload, size_t n, const int *fds, unsigned int nb_fds)
{
	uint8_t data[MESSAGE_HEADER_BYTES + sizeof(struct message_mem_table)];
	struct message_header h = {request, MESSAGE_VERSION | MESSAGE_NEED_REPLY, (uint32_t)n};
	unsigned int nb = replies.nb;

	memcpy(before, bed->regions, sizeof(before));
	nb_before = bed->nb_regions;
	memcpy(data, &h, sizeof(h));
	memcpy(data + sizeof(h), payload, n);
	must(kernel_feed(&bed->outer, data, sizeof(h) + n, fds, nb_fds));
	bed_run();
	must(replies.nb == nb + 1);
	check_lookups();
	return replies.status == 0;
}

static struct region
read_region(struct input *in)
{
	static const enum kernel_kind kinds[] = {KERNEL_FILE, KERNEL_FILE, KERNEL_FILE, KERNEL_FILE,
		KERNEL_FILE, KERNEL_READ_ONLY, KERNEL_EVENTFD, KERNEL_PIPE};
	uint8_t what = u8(in);
	uint64_t v[4];
	struct region region = {
		.kind = kinds[what % ARRAY_SIZE(kinds)], .file = what % KERNEL_NB_FILES};

	for (unsigned int i = 0; i < ARRAY_SIZE(v); i++) {
		v[i] = what & 0x80 ? number(in, 8) : (uint64_t)u8(in) << unit_bits[i];
	}
	region.r = (struct message_region){v[0], v[1], v[2], v[3]};
	if (nb_sent < MAX_SENT) {
		sent[nb_sent++] = region;
	}
	return region;
}

static bool
is_mappable(const struct region *region)
{
	uint64_t end;

	return region->kind == KERNEL_FILE && region->file != 0 && region->r.size_bytes > 0 &&
	       add_ok(region->r.mmap_offset, region->r.size_bytes, &end) &&
	       end <= KERNEL_FILE_BYTES;
}

static bool
is_same(const struct guest_mem_region *g, const struct message_region *r)
{
	return g->gpa == r->gpa && g->size_bytes == r->size_bytes && g->uva == r->uva;
}

/* The library has exactly the mappable ones of these. */
static void
check_set(const struct region *regions, unsigned int nb)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < nb; i++) {
		if (is_mappable(&regions[i])) {
			must(kept < bed->nb_regions && is_same(&bed->regions[kept], &regions[i].r));
			kept++;
		}
	}
	must(kept == bed->nb_regions);
}

static void
step_set(struct input *in)
{
	struct message_mem_table table = {.nb_regions = u8(in) % (MESSAGE_MAX_REGIONS + 1)};
	struct region regions[MESSAGE_MAX_REGIONS];
	int fds[MESSAGE_MAX_REGIONS];

	for (unsigned int i = 0; i < table.nb_regions; i++) {
		regions[i] = read_region(in);
		table.regions[i] = regions[i].r;
		fds[i] = kernel_open(regions[i].kind, regions[i].file);
	}
	if (exchange(MSG_SET_MEM_TABLE, &table, MESSAGE_MEM_TABLE_BYTES(table.nb_regions), fds,
		    table.nb_regions)) {
		check_set(regions, table.nb_regions);
	}
}

static void
step_add(struct input *in)
{
	struct region region = read_region(in);
	struct message_mem_reg reg = {.region = region.r};
	int fd = kernel_open(region.kind, region.file);

	if (!exchange(MSG_ADD_MEM_REG, &reg, sizeof(reg), &fd, 1)) {
		return;
	}
	if (is_mappable(&region)) {
		must(bed->nb_regions == nb_before + 1 &&
			is_same(&bed->regions[nb_before], &region.r));
	} else {
		must(bed->nb_regions == nb_before);
	}
}

/* Most often one that was sent. */
static void
step_remove(struct input *in)
{
	uint8_t which = u8(in);
	struct message_mem_reg reg = {0};
	unsigned int nb_same = 0;

	if (which < nb_sent) {
		reg.region = sent[which].r;
	} else {
		reg.region = read_region(in).r;
	}
	if (!exchange(MSG_REM_MEM_REG, &reg, sizeof(reg), NULL, 0)) {
		return;
	}
	for (unsigned int i = 0; i < nb_before; i++) {
		nb_same += is_same(&before[i], &reg.region);
	}
	must(bed->nb_regions == nb_before || (nb_same > 0 && bed->nb_regions == nb_before - 1));
}

static void
step_look_up(struct input *in)
{
	uint64_t gpa = number(in, 8), len = number(in, 4) + 1;
	uint32_t hint = u8(in) % GUEST_MEM_MAX_REGIONS;

	if (bed->has_memory) {
		look_up(gpa, len, hint);
	}
}

static void
step_refuse(struct input *in)
{
	bed->library_refuses = u8(in) & 1;
}

static void (*const steps[])(struct input *in) = {step_set, step_add, step_add, step_remove,
	step_remove, step_look_up, step_refuse, step_set};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint64_t slots = 1ULL << MSG_F_MEM_SLOTS | 1ULL << MSG_F_REPLY_ACK;
	struct input in = {data, size}, args;

	u8(&in);
	log_set_sink(quiet_log);
	log_set_level("transport:err");
	memset(&replies, 0, sizeof(replies));
	nb_sent = 0;
	bed_open(TRANSPORT_COMPAT_ALL, true);
	bed->outer.sent = replied;
	must(exchange(MSG_SET_PROTOCOL_FEATURES, &slots, sizeof(slots), NULL, 0));
	for (unsigned int i = 0; i < MAX_STEPS && in.left > 0; i++) {
		steps[step_read(&in, &args) % ARRAY_SIZE(steps)](&args);
		must(bed->vu->state == CONN_READ);
	}
	bed_close();
	return 0;
}
