/* SPDX-License-Identifier: BSD-3-Clause */
#include "driver/qtest.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/log.h"
#include "base/util.h"
#include "driver/frontend.h"

LOG_TYPE_USE(driver);

#define COMMAND_BYTES 96
#define VALUE_DIGITS  16

void
qtest_init(struct qtest *qt, int sock, int timeout_ms)
{
	*qt = (struct qtest){.sock = sock, .timeout_ms = timeout_ms};
}

void
qtest_fini(struct qtest *qt)
{
	if (qt->sock >= 0) {
		close(qt->sock);
	}
	qt->sock = -1;
	qt->dead = true;
}

bool
qtest_is_dead(const struct qtest *qt)
{
	char byte;

	return qt->dead || recv(qt->sock, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -EPROTO;
}

/* What follows "OK" and, if anything does, a blank. */
static int
answer_of(const char *line, const char **answer)
{
	if (strncmp(line, "IRQ ", 4) == 0) {
		return -EAGAIN;
	}
	if (strncmp(line, "OK", 2) != 0 || (line[2] != '\0' && line[2] != ' ')) {
		return -EPROTO;
	}
	*answer = line + (line[2] == ' ' ? 3 : 2);
	return 0;
}

static int
digits_of(const char *line, const char **digits, size_t *nb)
{
	int ret = answer_of(line, digits);

	if (ret == 0 && strncmp(*digits, "0x", 2) != 0) {
		ret = -EPROTO;
	}
	if (ret == 0) {
		*digits += 2;
		*nb = strlen(*digits);
		ret = strspn(*digits, "0123456789abcdef") == *nb ? 0 : -EPROTO;
	}
	return ret;
}

int
qtest_parse_done(const char *line)
{
	const char *rest;
	int ret = answer_of(line, &rest);

	return ret == 0 && *rest != '\0' ? -EPROTO : ret;
}

int
qtest_parse_value(const char *line, uint64_t *value)
{
	const char *digits;
	uint64_t sum = 0;
	size_t nb;
	int ret = digits_of(line, &digits, &nb);

	if (ret != 0 || nb == 0 || nb > VALUE_DIGITS) {
		return ret != 0 ? ret : -EPROTO;
	}
	for (size_t i = 0; i < nb; i++) {
		sum = sum << 4 | (uint64_t)digit(digits[i]);
	}
	*value = sum;
	return 0;
}

int
qtest_parse_bytes(const char *line, void *data, size_t bytes)
{
	uint8_t *to = data;
	const char *digits;
	size_t nb;
	int ret = digits_of(line, &digits, &nb);

	if (ret != 0 || nb != 2 * bytes) {
		return ret != 0 ? ret : -EPROTO;
	}
	for (size_t i = 0; i < bytes; i++) {
		to[i] = (uint8_t)(digit(digits[2 * i]) << 4 | digit(digits[2 * i + 1]));
	}
	return 0;
}

static int
send_all(struct qtest *qt, const char *text, size_t bytes, uint64_t deadline_ns)
{
	int ret = 0;

	while (bytes > 0 && ret == 0) {
		ssize_t n = send(qt->sock, text, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0) {
			text += n;
			bytes -= (size_t)n;
		} else if (errno == EAGAIN || errno == EINTR) {
			ret = message_wait(qt->sock, POLLOUT, -1, deadline_ns);
		} else {
			ret = -errno;
		}
	}
	return ret;
}

/* More bytes into buf, which has room. */
static int
fill(struct qtest *qt, uint64_t deadline_ns)
{
	for (;;) {
		ssize_t n = recv(qt->sock, qt->buf + qt->nb_bytes, sizeof(qt->buf) - qt->nb_bytes,
			MSG_DONTWAIT);
		int ret;

		if (n > 0) {
			qt->nb_bytes += (size_t)n;
			return 0;
		}
		if (n == 0) {
			return -ECONNRESET;
		}
		if (errno != EAGAIN && errno != EINTR) {
			return -errno;
		}
		ret = message_wait(qt->sock, POLLIN, -1, deadline_ns);
		if (ret != 0) {
			return ret;
		}
	}
}

/* The next line, valid until the one after it. */
static int
read_line(struct qtest *qt, uint64_t deadline_ns, const char **line)
{
	char *end;

	qt->nb_bytes -= qt->line_bytes;
	memmove(qt->buf, qt->buf + qt->line_bytes, qt->nb_bytes);
	qt->line_bytes = 0;
	while ((end = memchr(qt->buf, '\n', qt->nb_bytes)) == NULL) {
		int ret = qt->nb_bytes < sizeof(qt->buf) ? fill(qt, deadline_ns) : -EPROTO;

		if (ret != 0) {
			return ret;
		}
	}
	*end = '\0';
	qt->line_bytes = (size_t)(end - qt->buf) + 1;
	*line = qt->buf;
	return strlen(qt->buf) + 1 == qt->line_bytes ? 0 : -EPROTO; /* no zero inside */
}

/* What an answer has to be. */
struct expected {
	uint64_t *value; /* a number ... */
	void *data;      /* ... or bytes, or nothing */
	size_t bytes;
};

static int
parse(const char *line, const struct expected *expected)
{
	if (expected->value != NULL) {
		return qtest_parse_value(line, expected->value);
	}
	return expected->data != NULL ? qtest_parse_bytes(line, expected->data, expected->bytes)
	                              : qtest_parse_done(line);
}

static int __printf_like(3, 4)
	ask(struct qtest *qt, const struct expected *expected, const char *format, ...)
{
	uint64_t deadline_ns = message_deadline(qt->timeout_ms);
	char command[COMMAND_BYTES];
	const char *line = "";
	va_list ap;
	int ret, n;

	if (qt->dead) {
		return -ENODEV;
	}
	va_start(ap, format);
	n = vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	ret = send_all(qt, command, (size_t)n, deadline_ns);
	while (ret == 0) {
		ret = read_line(qt, deadline_ns, &line);
		if (ret == 0 && (ret = parse(line, expected)) == 0) {
			return 0;
		}
		if (ret == -EAGAIN) {
			ret = clock_monotonic_ns() < deadline_ns ? 0 : -ETIMEDOUT;
		}
	}
	log_warning(&log_driver, "qtest: %.*s: %s%s%.60s", n - 1, command, strerror(-ret),
		line[0] != '\0' ? ", " : "", line);
	qt->dead = true;
	return ret;
}

int
qtest_out(struct qtest *qt, uint16_t port, uint32_t value)
{
	return ask(qt, &(struct expected){0}, "outl 0x%x 0x%x\n", port, value);
}

/* A number that has to fit. */
static int
narrow(struct qtest *qt, uint64_t wide, unsigned int bytes, uint32_t *value)
{
	if (wide >> (8 * bytes) != 0) {
		qt->dead = true;
		return -EPROTO;
	}
	*value = (uint32_t)wide;
	return 0;
}

int
qtest_in(struct qtest *qt, uint16_t port, uint32_t *value)
{
	uint64_t wide = 0;
	int ret = ask(qt, &(struct expected){.value = &wide}, "inl 0x%x\n", port);

	return ret == 0 ? narrow(qt, wide, 4, value) : ret;
}

static char
width(unsigned int bytes)
{
	return bytes == 1 ? 'b' : bytes == 2 ? 'w' : 'l';
}

int
qtest_write(struct qtest *qt, uint64_t address, unsigned int bytes, uint32_t value)
{
	return ask(qt, &(struct expected){0}, "write%c 0x%" PRIx64 " 0x%x\n", width(bytes), address,
		value);
}

int
qtest_read(struct qtest *qt, uint64_t address, unsigned int bytes, uint32_t *value)
{
	uint64_t wide = 0;
	int ret = ask(qt, &(struct expected){.value = &wide}, "read%c 0x%" PRIx64 "\n",
		width(bytes), address);

	return ret == 0 ? narrow(qt, wide, bytes, value) : ret;
}

int
qtest_read_bytes(struct qtest *qt, uint64_t address, void *data, size_t bytes)
{
	uint8_t *to = data;
	int ret = 0;

	while (bytes > 0 && ret == 0) {
		size_t part = MIN(bytes, (size_t)QTEST_CHUNK_BYTES);

		ret = ask(qt, &(struct expected){.data = to, .bytes = part},
			"read 0x%" PRIx64 " 0x%zx\n", address, part);
		address += part;
		to += part;
		bytes -= part;
	}
	return ret;
}
