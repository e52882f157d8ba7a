/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "script.h"

static unsigned int
name_find(struct script *script, const char *name, bool *is_new)
{
	unsigned int i = 0;

	while (i < script->nb_names && strcmp(script->names[i].name, name) != 0) {
		i++;
	}
	*is_new = i == script->nb_names;
	if (*is_new && i < SCRIPT_NAMES_MAX) {
		snprintf(script->names[i].name, sizeof(script->names[i].name), "%s", name);
		script->nb_names++;
	}
	return i;
}

static unsigned int
field_find(struct script_name *name, const char *field, bool may_add)
{
	unsigned int i = 0;

	while (i < name->nb_fields && strcmp(name->fields[i], field) != 0) {
		i++;
	}
	if (i == name->nb_fields && may_add && i < SCRIPT_FIELDS_MAX) {
		snprintf(name->fields[i], sizeof(name->fields[i]), "%s", field);
		name->nb_fields++;
	}
	return i < name->nb_fields ? i : SCRIPT_FIELDS_MAX;
}

static bool
field_read(struct script *script, struct script_line *line, char *word, bool is_new)
{
	struct script_name *name = &script->names[line->name];
	char *value = strchr(word, '='), *end;
	unsigned int i;

	if (value == NULL) {
		return false;
	}
	*value++ = '\0';
	i = field_find(name, word, is_new);
	if (i == SCRIPT_FIELDS_MAX) {
		return false;
	}
	line->values[i] = (int64_t)strtoll(value, &end, 0);
	if (*end != '\0') {
		name->is_text[i] = true;
		snprintf(line->text, sizeof(line->text), "%s", value);
	}
	if (strcmp(word, "seq") == 0 && line->values[i] >= script->nb_seqs) {
		script->nb_seqs = line->values[i] + 1;
	}
	if (strcmp(word, "sequence") == 0 && line->values[i] >= script->nb_sequences) {
		script->nb_sequences = line->values[i] + 1;
	}
	return true;
}

static bool
line_read(struct script *script, struct script_line *line, char *text)
{
	char *rest, *word = strtok_r(text, " \n", &rest);
	bool is_new;

	memset(line, 0, sizeof(*line));
	line->time_ns = strtoull(word, NULL, 10);
	word = strtok_r(NULL, " \n", &rest);
	if (word == NULL) {
		return false;
	}
	if (strcmp(word, "lost") == 0) {
		word = strtok_r(NULL, " \n", &rest);
		line->nb_lost = word != NULL ? strtoull(word, NULL, 10) : 0;
		return line->nb_lost != 0;
	}
	line->name = name_find(script, word, &is_new);
	if (line->name == SCRIPT_NAMES_MAX) {
		return false;
	}
	while ((word = strtok_r(NULL, " \n", &rest)) != NULL) {
		if (!field_read(script, line, word, is_new)) {
			return false;
		}
	}
	return true;
}

static bool
lines_read(struct script *script, FILE *in)
{
	char text[1024];

	while (fgets(text, sizeof(text), in) != NULL) {
		struct script_line *lines;

		if (text[0] == '#' || text[0] == '\n') {
			continue;
		}
		lines = realloc(script->lines, (script->nb_lines + 1) * sizeof(*lines));
		if (lines == NULL) {
			return false;
		}
		script->lines = lines;
		if (!line_read(script, &lines[script->nb_lines], text)) {
			fprintf(stderr, "script: event %u is not understood\n",
				script->nb_lines + 1);
			return false;
		}
		script->nb_lines++;
	}
	return script->nb_lines != 0;
}

struct script *
script_read(const char *path)
{
	struct script *script = calloc(1, sizeof(*script));
	FILE *in = fopen(path, "re");

	if (script == NULL || in == NULL || !lines_read(script, in)) {
		fprintf(stderr, "script: cannot use %s\n", path);
		script_free(script);
		script = NULL;
	} else {
		script->period_ns = script->lines[script->nb_lines - 1].time_ns + 1;
	}
	if (in != NULL) {
		fclose(in);
	}
	return script;
}

void
script_free(struct script *script)
{
	if (script != NULL) {
		free(script->lines);
	}
	free(script);
}
