/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A trace as text, one event per line, times ascending:
 *
 *   1000 cmd_span device=0 session=1 seq=7 code=15 status=-22 publish_ns=900
 *   2000 lost 3
 *
 * Fields of an event are those of its first line; `name=` may be followed by text without blanks.
 */
#ifndef VMEDIA_TESTS_ANALYSIS_SCRIPT_H
#define VMEDIA_TESTS_ANALYSIS_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>

#define SCRIPT_FIELDS_MAX 24u
#define SCRIPT_NAMES_MAX  48u

struct script_name {
	char name[32];
	unsigned int nb_fields;
	char fields[SCRIPT_FIELDS_MAX][24];
	bool is_text[SCRIPT_FIELDS_MAX];
};

struct script_line {
	uint64_t time_ns;
	uint64_t nb_lost;  /* not 0: no event, but a loss */
	unsigned int name; /* index into names */
	int64_t values[SCRIPT_FIELDS_MAX];
	char text[64]; /* of the field that is one */
};

struct script {
	struct script_name names[SCRIPT_NAMES_MAX];
	unsigned int nb_names;
	struct script_line *lines;
	unsigned int nb_lines;
	uint64_t period_ns;   /* one round, when it is repeated */
	int64_t nb_seqs;      /* how much `seq` grows in one round */
	int64_t nb_sequences; /* and `sequence` */
};

/* NULL: what is wrong went to stderr. */
struct script *script_read(const char *path);
void script_free(struct script *script);

#endif
