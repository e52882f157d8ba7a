/* SPDX-License-Identifier: BSD-3-Clause */
/* Controls that another one decides about, as automatic gain does about gain: V4L2's auto clusters.
 */
#include "device/internal.h"

#define AUTOMATIC (V4L2_CTRL_FLAG_VOLATILE | V4L2_CTRL_FLAG_INACTIVE)

uint32_t
cluster_flags(const struct vmedia_node *node, const struct vmedia_ctrl_desc *desc)
{
	for (uint32_t i = 0; i < node->nb_ctrls; i++) {
		if (desc->master != 0 && node->ctrls[i].id == desc->master) {
			return node->ctrls[i].value != 0 ? AUTOMATIC : 0;
		}
	}
	return 0;
}

bool
cluster_has_master(const struct vmedia_node *node, const struct vmedia_ctrl_desc *desc)
{
	for (uint32_t i = 0; i < node->nb_ctrls; i++) {
		if (node->ctrls[i].master == desc->id) {
			return true;
		}
	}
	return false;
}

void
cluster_keep(struct vmedia_session *session, const struct vmedia_ctrl_desc *master)
{
	struct vmedia_device *device = session->device;
	struct ctrl_state *states = session_context(session)->ctrls;

	for (uint32_t i = 0; i < device->node.nb_ctrls; i++) {
		const struct vmedia_ctrl_desc *desc = &device->node.ctrls[i];
		int64_t before = states[i].value;

		if (desc->master == master->id && (states[i].flags & V4L2_CTRL_FLAG_VOLATILE) &&
			device->backend->get_ctrl(session, desc->id, &states[i].value) == 0 &&
			states[i].value != before) {
			device->ctrl_changed[i] |= V4L2_EVENT_CTRL_CH_VALUE | CTRL_IS_NEWS;
		}
	}
}

void
cluster_switch(
	struct vmedia_session *session, const struct vmedia_ctrl_desc *master, bool is_automatic)
{
	struct vmedia_device *device = session->device;
	struct ctrl_state *states = session_context(session)->ctrls;

	for (uint32_t i = 0; i < device->node.nb_ctrls; i++) {
		const struct vmedia_ctrl_desc *desc = &device->node.ctrls[i];

		if (desc->master != master->id) {
			continue;
		}
		states[i].flags &= ~(uint32_t)AUTOMATIC;
		states[i].flags |= is_automatic ? AUTOMATIC : 0;
		device->ctrl_changed[i] |= V4L2_EVENT_CTRL_CH_FLAGS | CTRL_IS_NEWS;
		if (!is_automatic) {
			device->backend->set_ctrl(session, desc->id, states[i].value);
		}
	}
}
