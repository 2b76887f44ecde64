/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One error type for the whole tree. A function that can fail returns >= 0 on
 * success and -errno on failure; where a person will read the reason, its last
 * parameter is `struct err *e`, filled on failure and untouched on success.
 *
 * A struct err is plain data of 512 bytes, so that a child between clone and
 * exec can write it up a pipe and the sentence reaches the user unchanged. The
 * text says what was attempted on what and why it failed, lower case, no full
 * stop. Never log and return the same error.
 */
#pragma once
#include <stdarg.h>

struct err {
	int code;       /* positive errno; 0 while unset */
	char text[508]; /* NUL-terminated, cut on a character boundary */
};

/*
 * Sets code and text, returns -code. e may be NULL. code is a positive errno
 * (a negative one is turned round, so `return err_set(e, -r, …)` and
 * `err_set(e, r, …)` both work).
 */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int err_setv(struct err *e, int code, const char *fmt, va_list ap);

/* Like err_set and adds ": " and the errno's own text (strerror). */
int err_sys(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "context: " before the text of an error already set; returns -e->code. */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Out of memory, said once the same way. */
int err_nomem(struct err *e);

/* What an error means at the edges: one row a code. */
int err_http_status(int code);           /* 400..504; 500 when the table has no row */
const char *err_reason(int code);        /* Kubernetes reason, e.g. "NotFound" */
int err_exit_code(int code);             /* process exit code, 1..127 */
const char *err_name(int code);          /* "ENOENT" */
