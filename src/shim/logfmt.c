/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream's bytes as log lines. json-file (Docker): an object a line, whose
 * `log` ends with \n where the text did; a line longer than 16 KiB is several
 * objects. cri (Kubernetes): "TIME STREAM F TEXT", P for a piece without end.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "codec/json.h"
#include "schema/schema.h"
#include "shim/shim_int.h"

static int put_json(const char *stream, struct slice attrs, struct slice a, struct slice b, bool newline, int64_t now_ns, struct buf *out)
{
	char when[CLOCK_TEXT_MAX];
	AUTO(buf) struct buf whole = BUF_INIT(SHIM_LINE_MAX + 1), text = BUF_INIT(6 * (SHIM_LINE_MAX + 1) + 2);
	buf_addslice(&whole, a);
	buf_addslice(&whole, b);
	if (newline)
		buf_addc(&whole, '\n');
	json_put_string(&text, whole.ptr, whole.len, SCHEMA_ESCAPE_HTML);
	clock_rfc3339_nano(when, now_ns);
	struct shim_log_line line = { .log = buf_slice(&text), .stream = stream, .attrs = attrs, .time = when };
	int r = buf_error(&whole) < 0 ? buf_error(&whole) : buf_error(&text);
	if (r == 0)
		r = schema_to_json(T_shim_log_line, &line, SCHEMA_NEWLINE, out);
	buf_release(&whole);
	return r < 0 ? r : buf_error(out);
}

static int put_cri(const char *stream, struct slice a, struct slice b, bool complete, int64_t now_ns, struct buf *out)
{
	char when[CLOCK_TEXT_MAX];
	clock_rfc3339_fixed(when, now_ns);
	buf_addf(out, "%s %s %c ", when, stream, complete ? 'F' : 'P');
	buf_addslice(out, a);
	buf_addslice(out, b);
	return buf_addc(out, '\n');
}

/* One piece, made of what waited and what came. */
static int put(struct line *l, enum log_format f, const char *stream, struct slice attrs, struct slice text, bool complete, int64_t now_ns, struct buf *out)
{
	struct slice rest = slice_n(l->rest, l->n);
	int r = f == LOG_CRI ? put_cri(stream, rest, text, complete, now_ns, out) : put_json(stream, attrs, rest, text, complete, now_ns, out);
	l->n = 0;
	l->is_partial = !complete;
	return r;
}

int line_add(struct line *l, enum log_format f, const char *stream, struct slice attrs, struct slice text, bool end, int64_t now_ns, struct buf *out)
{
	int r = 0;
	while (text.len && r == 0) {
		size_t room = SHIM_LINE_MAX - l->n, look = text.len < room ? text.len : room;
		const char *nl = memchr(text.ptr, '\n', look);
		size_t n = nl ? (size_t)(nl - text.ptr) : look;
		if (!nl && n < room) {
			if (!l->rest && !(l->rest = malloc(SHIM_LINE_MAX)))
				return -ENOMEM;
			memcpy(l->rest + l->n, text.ptr, n);
			l->n += n;
			break;
		}
		r = put(l, f, stream, attrs, slice_n(text.ptr, n), nl, now_ns, out);
		n += nl != NULL;
		text = slice_n(text.ptr + n, text.len - n);
	}
	if (end && r == 0) {
		if (l->n)
			r = put(l, f, stream, attrs, slice_n("", 0), false, now_ns, out);
		free(l->rest);
		l->rest = NULL;
	}
	return r;
}
