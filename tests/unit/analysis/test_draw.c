/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/chrome.h"
#include "analysis/describe.h"
#include "analysis/svg.h"
#include "make.h"

static char *text;
static size_t bytes;
static FILE *out;

static void
set_up(void)
{
	out = open_memstream(&text, &bytes);
}

static void
tear_down(void)
{
	fclose(out);
	free(text);
}

static const char *
written(void)
{
	fflush(out);
	return text;
}

Test(draw, text_is_escaped, .init = set_up, .fini = tear_down)
{
	svg_escape(out, "a<b>&\"c\"\n\x01é");
	cr_assert_str_eq(written(), "a&lt;b&gt;&amp;&quot;c&quot;??é");
}

Test(draw, a_box_with_a_tip, .init = set_up, .fini = tear_down)
{
	svg_rect(out, &(struct svg_box){1, 2, 3, 4}, "c0", "x<y");
	cr_assert_str_eq(written(),
		"<rect x=\"1.0\" y=\"2.0\" width=\"3.00\" height=\"4.00\" class=\"c0\">"
		"<title>x&lt;y</title></rect>\n");
}

Test(draw, a_pale_cell_without_a_tip, .init = set_up, .fini = tear_down)
{
	svg_cell(out, &(struct svg_box){0, 0, 1, 1}, "heat", 0.25, NULL);
	cr_assert_str_eq(written(), "<rect x=\"0.0\" y=\"0.0\" width=\"1.00\" height=\"1.00\" "
				    "class=\"heat\" opacity=\"0.25\"/>\n");
}

Test(draw, durations_have_three_digits_and_a_unit)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = {{0, "0 ns"}, {7, "7 ns"}, {999, "999 ns"}, {1000, "1 µs"}, {1234, "1.23 µs"},
		{12345, "12.3 µs"}, {123456, "123 µs"}, {999600, "1.00 ms"}, {5000000, "5 ms"},
		{1500000000, "1.50 s"}, {123000000000, "123 s"}, {UINT64_MAX, "none"}};
	char got[24];

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert_str_eq(describe_ns(cases[i].ns, got), cases[i].text);
	}
}

Test(draw, an_event_in_words)
{
	struct event event = make_event(EVENT_frame_missed, 0);
	char got[128];

	make_set(&event, FIELD_cause, 2);
	make_set(&event, FIELD_nb_periods, 3);
	describe_event(&event, got, sizeof(got));
	cr_assert_str_eq(got, "device 0, session 1, cause late reactor, nb_periods 3");
	make_set(&event, FIELD_cause, 77);
	describe_event(&event, got, sizeof(got));
	cr_assert(strstr(got, "cause 77"));
	describe_event(&event, got, 12);
	cr_assert_eq(strlen(got), 11u, "what does not fit is cut");
}

Test(draw, codes_have_names)
{
	char got[16];

	cr_assert_str_eq(event_code_name(15, got), "QBUF");
	cr_assert_str_eq(event_code_name(0xff01, got), "OPEN");
	cr_assert_str_eq(event_code_name(0xff00, got), "MALFORMED");
	cr_assert_str_eq(event_code_name(0xdead, got), "code 0xdead");
	cr_assert_str_eq(event_code_name(1, got), "code 0x1");
}

Test(draw, a_command_as_slices, .init = set_up, .fini = tear_down)
{
	struct span span = make_span(1234567, 1000, 15);
	struct chrome chrome;

	chrome_begin(&chrome, out);
	chrome_span(&chrome, &span);
	chrome_end(&chrome);
	cr_assert(strstr(written(), "{\"ph\":\"X\",\"name\":\"QBUF\",\"pid\":0,\"tid\":1,"
				    "\"ts\":1234.567,\"dur\":1.000,"));
	cr_assert(strstr(written(), "\"name\":\"publish\",\"pid\":0,\"tid\":1,\"ts\":1235.467,"
				    "\"dur\":0.100}"));
}
