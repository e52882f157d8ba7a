/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>

#include "analysis/chrome.h"
#include "analysis/describe.h"

#define PID_REACTORS 100000u /* above every device: the process of the reactors */

static void
separate(struct chrome *chrome)
{
	fputs(chrome->nb_written++ != 0 ? ",\n" : "\n", chrome->out);
}

/* Names come from the traced process: what would break JSON becomes '?'. */
static void
print_escaped(FILE *out, const char *text)
{
	for (const char *c = text; *c != '\0'; c++) {
		fputc((unsigned char)*c < 0x20 || *c == '"' || *c == '\\' ? '?' : *c, out);
	}
}

static void
print_us(FILE *out, const char *key, uint64_t ns)
{
	fprintf(out, ",\"%s\":%" PRIu64 ".%03" PRIu64, key, ns / 1000, ns % 1000);
}

static void
slice(struct chrome *chrome, const struct span *span, const char *name, uint64_t begin_ns,
	uint64_t ns)
{
	separate(chrome);
	fprintf(chrome->out, "{\"ph\":\"X\",\"name\":\"%s\",\"pid\":%u,\"tid\":%u", name,
		span->device, span->session);
	print_us(chrome->out, "ts", begin_ns);
	print_us(chrome->out, "dur", ns);
}

void
chrome_span(struct chrome *chrome, const struct span *span)
{
	uint64_t begin_ns = span->begin_ns;
	char name[16];

	slice(chrome, span, event_code_name(span->code, name), begin_ns, span->ns[SPAN_TOTAL]);
	fprintf(chrome->out, ",\"args\":{\"seq\":%" PRIu64 ",\"status\":%d}}", span->seq,
		span->status);
	for (unsigned int i = 0; i < SPAN_NB_STAGES; i++) {
		if (span->ns[i] != 0) {
			slice(chrome, span, span_stage_names[i], begin_ns, span->ns[i]);
			fputc('}', chrome->out);
		}
		begin_ns += span->ns[i];
	}
}

static void
process_name(struct chrome *chrome, const struct event *event)
{
	separate(chrome);
	fprintf(chrome->out,
		"{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":%" PRIu64
		",\"args\":{\"name\":\"device %" PRIu64 " ",
		event_get(event, FIELD_device), event_get(event, FIELD_device));
	print_escaped(chrome->out, event->text);
	fputs("\"}}", chrome->out);
}

/* Queued buffers as a curve. */
static void
counter(struct chrome *chrome, const struct event *event)
{
	separate(chrome);
	fprintf(chrome->out,
		"{\"ph\":\"C\",\"name\":\"queued, session %" PRIu64 "\",\"pid\":%" PRIu64,
		event_get(event, FIELD_session), event_get(event, FIELD_device));
	print_us(chrome->out, "ts", event->time_ns);
	fprintf(chrome->out, ",\"args\":{\"buffers\":%" PRIu64 "}}",
		event_get(event, FIELD_nb_queued));
}

void
chrome_event(struct chrome *chrome, const struct event *event)
{
	bool is_reactor = !event_has(event, FIELD_device);
	char text[256];

	if (event->text != NULL && !is_reactor) {
		process_name(chrome, event);
	}
	separate(chrome);
	fprintf(chrome->out,
		"{\"ph\":\"i\",\"s\":\"t\",\"name\":\"%s\",\"pid\":%" PRIu64 ",\"tid\":%" PRIu64,
		event_name(event->kind), is_reactor ? PID_REACTORS : event_get(event, FIELD_device),
		is_reactor ? event_get(event, FIELD_reactor) : event_get(event, FIELD_session));
	print_us(chrome->out, "ts", event->time_ns);
	describe_event(event, text, sizeof(text));
	fprintf(chrome->out, ",\"args\":{\"what\":\"%s\"}}", text);
	if (event_has(event, FIELD_nb_queued) && event_has(event, FIELD_session)) {
		counter(chrome, event);
	}
}

void
chrome_begin(struct chrome *chrome, FILE *out)
{
	chrome->out = out;
	chrome->nb_written = 0;
	fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[", out);
	separate(chrome);
	fprintf(out,
		"{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":%u,\"args\":{\"name\":"
		"\"reactors\"}}",
		PID_REACTORS);
}

void
chrome_end(struct chrome *chrome)
{
	fputs("\n]}\n", chrome->out);
}
