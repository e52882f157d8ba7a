/* SPDX-License-Identifier: BSD-3-Clause */
/* What is not done for a front-end, and why: counted each time, told once a second. */
#include "stats/counters.h"
#include "transport/internal.h"

static const char *const texts[] = {
#define X(name, help) [REFUSED_##name] = help,
	TRANSPORT_REFUSALS(X)
#undef X
};

void
refusal_count(struct vhost_user *vu, enum refusal why)
{
	counter_inc(&vu->refused[why]);
}

int
refuse(struct vhost_user *vu, enum refusal why, int err)
{
	const struct message *msg = &vu->reader.msg;
	uint32_t suppressed;

	refusal_count(vu, why);
	if (log_ratelimit_pass(&vu->message_log, &suppressed)) {
		log_warning(&log_transport,
			"%s: %s (%u), %u bytes, %u fds: refused for %s (%u more like it)", vu->name,
			message_name(vu->request), vu->request, msg->header.size, msg->nb_fds,
			texts[why], suppressed);
	}
	return err;
}

void
refusals_read(const struct vhost_user *vu, struct transport_status *status)
{
	status->nb_bad_messages = 0;
#define X(name, help)                                                      \
	status->refused.name = counter_read(&vu->refused[REFUSED_##name]); \
	status->nb_bad_messages += status->refused.name;
	TRANSPORT_BAD_MESSAGES(X)
#undef X
#define X(name, help) status->refused.name = counter_read(&vu->refused[REFUSED_##name]);
	TRANSPORT_BAD_ANSWERS(X)
#undef X
	status->nb_map_refused = status->refused.map_refused;
}
