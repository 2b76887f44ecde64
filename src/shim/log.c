/* SPDX-License-Identifier: Apache-2.0 */
/* The log file: appended to, rotated as Docker does (x, x.1, x.2 …; a file is full when it has reached max_size before a write). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "shim/shim_int.h"

enum { PENDING_MAX = 8 << 20 };

int log_reopen(struct log *l, struct err *e)
{
	struct stat st;
	if (l->format == LOG_NONE)
		return 0;
	int fd = open(l->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0 || fstat(fd, &st) < 0) {
		int r = -errno;
		if (fd >= 0)
			close(fd);
		return err_sys(e, r, "open the log %s", l->path);
	}
	if (l->fd >= 0)
		close(l->fd);
	l->fd = fd;
	l->size = st.st_size;
	return 0;
}

int log_open(struct log *l, const struct shim_log *c, struct err *e)
{
	*l = (struct log){ .fd = -1, .path = c->path, .attrs = c->attrs, .max_size = c->max_size };
	buf_init(&l->pending, PENDING_MAX);
	l->max_file = c->max_file < 1 ? 1 : c->max_file > 1000 ? 1000 : (int)c->max_file;
	if (!c->format || !strcmp(c->format, "none"))
		return 0;
	if (!strcmp(c->format, "json-file"))
		l->format = LOG_JSON_FILE;
	else if (!strcmp(c->format, "cri"))
		l->format = LOG_CRI;
	else
		return err_set(e, EINVAL, "unknown log format \"%s\"", c->format);
	return c->path ? log_reopen(l, e) : err_set(e, EINVAL, "a log without a path");
}

static void rotate(struct log *l)
{
	char from[4096], to[4096];
	if (l->max_file > 1) {
		for (int i = l->max_file - 1; i > 1; i--)
			if (fmt_into(from, sizeof from, "%s.%d", l->path, i - 1) && fmt_into(to, sizeof to, "%s.%d", l->path, i))
				rename(from, to);
		if (!fmt_into(to, sizeof to, "%s.1", l->path) || rename(l->path, to) < 0)
			return;
		log_reopen(l, NULL);
	} else if (ftruncate(l->fd, 0) == 0) {
		l->size = 0;
	}
}

static void write_out(struct log *l, struct slice text)
{
	if (l->max_size > 0 && l->size >= l->max_size)
		rotate(l);
	if (l->fd >= 0 && fd_write_all(l->fd, text.ptr, text.len) == 0)
		l->size += (int64_t)text.len;
	else
		l->lost += text.len;
}

void log_add(struct log *l, struct line *line, bool is_stderr, struct slice text, bool end)
{
	if (l->format == LOG_NONE)
		return;
	int r = line_add(line, l->format, is_stderr ? "stderr" : "stdout", l->attrs, text, end, clock_realtime_ns(), &l->pending);
	if (r < 0)
		l->lost += text.len;
	struct slice rest = buf_slice(&l->pending);
	/* with a limit each line is looked at, so that a file passes it by one line only */
	while (rest.len && l->max_size > 0) {
		ptrdiff_t nl = slice_find(rest, '\n');
		size_t n = nl < 0 ? rest.len : (size_t)nl + 1;
		/* as many lines as fit */
		while (n < rest.len && l->size + (int64_t)n < l->max_size) {
			nl = slice_find(slice_n(rest.ptr + n, rest.len - n), '\n');
			n = nl < 0 ? rest.len : n + (size_t)nl + 1;
		}
		write_out(l, slice_n(rest.ptr, n));
		rest = slice_n(rest.ptr + n, rest.len - n);
	}
	if (rest.len)
		write_out(l, rest);
	/* a burst does not keep its memory */
	if (l->pending.cap > 128 << 10)
		buf_release(&l->pending);
	else
		buf_reset(&l->pending);
}
