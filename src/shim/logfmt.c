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

/* What all lines of one call share. */
struct writer {
	enum log_format format;
	const char *stream;
	struct slice attrs;
	char when[CLOCK_TEXT_MAX];
	struct buf whole, text;          /* json-file: the line; the line in quotes */
	struct buf *out;
};

static int put_json(struct writer *w, struct slice a, struct slice b, bool newline)
{
	buf_reset(&w->text);
	if (a.len || newline) {
		buf_reset(&w->whole);
		buf_addslice(&w->whole, a);
		buf_addslice(&w->whole, b);
		if (newline)
			buf_addc(&w->whole, '\n');
		b = buf_slice(&w->whole);
	}
	json_put_string(&w->text, b.ptr, b.len, SCHEMA_ESCAPE_HTML);
	struct shim_log_line line = { .log = buf_slice(&w->text), .stream = w->stream, .attrs = w->attrs, .time = w->when };
	int r = buf_error(&w->whole) < 0 ? buf_error(&w->whole) : buf_error(&w->text);
	if (r == 0)
		r = schema_to_json(T_shim_log_line, &line, SCHEMA_NEWLINE, w->out);
	return r < 0 ? r : buf_error(w->out);
}

static int put_cri(struct writer *w, struct slice a, struct slice b, bool complete)
{
	buf_adds(w->out, w->when);
	buf_addc(w->out, ' ');
	buf_adds(w->out, w->stream);
	buf_add(w->out, complete ? " F " : " P ", 3);
	buf_addslice(w->out, a);
	buf_addslice(w->out, b);
	return buf_addc(w->out, '\n');
}

/* One piece, made of what waited and what came. */
static int put(struct line *l, struct writer *w, struct slice text, bool complete)
{
	struct slice rest = slice_n(l->rest, l->n);
	int r = w->format == LOG_CRI ? put_cri(w, rest, text, complete) : put_json(w, rest, text, complete);
	l->n = 0;
	return r;
}

int line_add(struct line *l, enum log_format f, const char *stream, struct slice attrs, struct slice text, bool end, int64_t now_ns, struct buf *out)
{
	struct writer w = { .format = f, .stream = stream, .attrs = attrs, .whole = BUF_INIT(SHIM_LINE_MAX + 1),
			    .text = BUF_INIT(6 * (SHIM_LINE_MAX + 1) + 2), .out = out };
	int r = 0;
	if (f == LOG_CRI)
		clock_rfc3339_fixed(w.when, now_ns);
	else
		clock_rfc3339_nano(w.when, now_ns);
	while (text.len && r == 0) {
		size_t room = SHIM_LINE_MAX - l->n, look = text.len < room ? text.len : room;
		const char *nl = memchr(text.ptr, '\n', look);
		size_t n = nl ? (size_t)(nl - text.ptr) : look;
		if (!nl && n < room) {
			if (!l->rest && !(l->rest = malloc(SHIM_LINE_MAX))) {
				r = -ENOMEM;
				break;
			}
			memcpy(l->rest + l->n, text.ptr, n);
			l->n += n;
			break;
		}
		r = put(l, &w, slice_n(text.ptr, n), nl);
		n += nl != NULL;
		text = slice_n(text.ptr + n, text.len - n);
	}
	if (end && r == 0) {
		if (l->n)
			r = put(l, &w, slice_n("", 0), false);
		free(l->rest);
		l->rest = NULL;
	}
	buf_release(&w.whole);
	buf_release(&w.text);
	return r;
}
