/* SPDX-License-Identifier: BSD-3-Clause */
#include "capacity/search.h"

#include "base/util.h"

#define FIRST 16
#define FINE  16 /* to 1/16 */

unsigned int
search_next(const struct search *s)
{
	if (s->bad == 0) {
		if (s->good == s->most) {
			return 0;
		}
		return MIN(s->good == 0 ? FIRST : 2 * s->good, s->most);
	}
	if (s->bad - s->good <= MAX(s->good / FINE, 1)) {
		return 0;
	}
	return s->good + (s->bad - s->good) / 2;
}

void
search_tell(struct search *s, unsigned int nb, bool holds)
{
	if (holds) {
		s->good = MAX(s->good, nb);
	} else {
		s->bad = s->bad == 0 ? nb : MIN(s->bad, nb);
	}
}
