/* SPDX-License-Identifier: BSD-3-Clause */
/* Bad input gets an error that says which, where and what is allowed. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/config.h"

static struct config config;
static char why[1024];

static void
start(void)
{
	config_init(&config);
	why[0] = '\0';
}

static void
end(void)
{
	config_fini(&config);
}

TestSuite(config, .init = start, .fini = end);

static void
expect_error(int rc, const char *part)
{
	cr_assert_eq(rc, -EINVAL);
	cr_assert_not_null(strstr(why, part), "'%s' does not say '%s'", why, part);
}

static int
add(const char *text)
{
	return config_add_device(&config, text, why, sizeof(why));
}

static int
check(void)
{
	return config_check(&config, why, sizeof(why));
}

static int
read_text(const char *text)
{
	char path[] = "/tmp/vmedia-config-XXXXXX";
	int fd = mkstemp(path);
	int rc;

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	rc = config_read_file(&config, path, why, sizeof(why));
	unlink(path);
	return rc;
}

Test(config, a_device_needs_no_more_than_socket_and_backend)
{
	cr_assert_eq(add("socket=/run/x/cam0.sock,backend=pattern"), 0, "%s", why);
	cr_assert_eq(check(), 0, "%s", why);
	cr_assert_str_eq(config.devices[0]->name, "cam0");
	cr_assert_eq(config.nb_reactors, 1);
}

Test(config, no_device_is_an_error_that_says_how_to_add_one)
{
	expect_error(check(), "--device socket=PATH,backend=NAME");
}

Test(config, an_unknown_backend_is_named_with_those_there_are)
{
	cr_assert_eq(add("socket=/a.sock,backend=camera"), 0);
	expect_error(check(), "backend=camera is unknown");
	cr_assert_not_null(strstr(why, "pattern"));
	cr_assert_not_null(strstr(why, "null"));
}

Test(config, an_unknown_key_names_the_device_the_key_and_what_is_allowed)
{
	cr_assert_eq(add("socket=/a.sock,backend=pattern,colour=red"), 0);
	expect_error(check(), "device a:");
	cr_assert_not_null(strstr(why, "colour"));
	cr_assert_not_null(strstr(why, "width"));
}

Test(config, a_value_out_of_range_names_the_range)
{
	cr_assert_eq(add("socket=/a.sock,backend=pattern,fps=100000"), 0);
	expect_error(check(), "1 .. 240");
	expect_error(add("socket=/b.sock,backend=pattern,pages=3m"), "auto | 4k | 2m | 1g");
	expect_error(add("socket=/b.sock,backend=pattern,shm-mb=-1"), "0 .. 4096");
}

Test(config, a_part_without_a_value_shows_the_form)
{
	expect_error(add("socket=/a.sock,pattern"), "'pattern': key=value is expected");
}

Test(config, equal_names_and_equal_sockets_are_refused)
{
	cr_assert_eq(add("socket=/x/a.sock,backend=null"), 0);
	cr_assert_eq(add("socket=/y/a.sock,backend=null"), 0);
	expect_error(check(), "two devices are called a");
	config_fini(&config);
	cr_assert_eq(add("socket=/x/a.sock,backend=null"), 0);
	cr_assert_eq(add("socket=/x/a.sock,backend=null,name=b"), 0);
	expect_error(check(), "same socket=/x/a.sock");
}

Test(config, cpus_that_are_not_there_or_no_list_are_refused)
{
	cr_assert_eq(add("socket=/a.sock,backend=null"), 0);
	cr_assert_eq(config_set(&config, "cpus", "1000", why, sizeof(why)), 0);
	expect_error(check(), "CPU 1000 does not exist");
	cr_assert_eq(config_set(&config, "cpus", "0;1", why, sizeof(why)), 0);
	expect_error(check(), "a list such as 1,3-5");
	cr_assert_eq(config_set(&config, "cpus", "3-1", why, sizeof(why)), 0);
	expect_error(check(), "a list such as 1,3-5");
}

Test(config, a_reactor_that_is_not_there_is_refused)
{
	cr_assert_eq(add("socket=/a.sock,backend=null,reactor=1"), 0);
	expect_error(check(), "there are only 1");
}

Test(config, the_file_has_the_same_keys_as_the_command_line)
{
	cr_assert_eq(read_text("[vmediad]\nidle = poll\nspin-us = 20\n"
			       "[device cam0]\nsocket = /run/cam0.sock\nbackend = pattern\n"
			       "width = 640\n[device sink]\nsocket = /s.sock\nbackend = null\n"),
		0, "%s", why);
	cr_assert_eq(check(), 0, "%s", why);
	cr_assert_eq(config.nb_devices, 2);
	cr_assert_eq(config.spin_us, 20);
	cr_assert_eq(config.idle, 0);
	cr_assert_str_eq(config.devices[0]->name, "cam0");
	cr_assert_str_eq(config.devices[0]->options[0].key, "width");
}

Test(config, an_error_in_the_file_names_file_and_line)
{
	expect_error(read_text("[vmediad]\nidle = poll\nspin = 20\n"), ":3: unknown key 'spin'");
	cr_assert_not_null(strstr(why, "spin-us"));
}

Test(config, an_unknown_section_is_named_with_those_there_are)
{
	expect_error(read_text("[camera]\nsocket = /x\n"), "section [camera] is unknown");
	expect_error(read_text("[vmediad]\nidle\n"), ":2:");
	expect_error(config_read_file(&config, "/nonexistent.ini", why, sizeof(why)),
		"/nonexistent.ini: cannot be read");
}

Test(config, help_lists_every_key_of_core_and_backends)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	config_help(out);
	fclose(out);
	for (const struct vmedia_option *row = config_device_options; row->key != NULL; row++) {
		cr_assert_not_null(strstr(text, row->key), "%s", row->key);
	}
	cr_assert_not_null(strstr(text, "backend=null"));
	cr_assert_not_null(strstr(text, "fps"));
	free(text);
}
