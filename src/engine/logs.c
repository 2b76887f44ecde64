/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker logs: reads json-file logs (ID-json.log, .1, .2 … as rotated, older
 * ones gzip when they end in .gz), oldest first, and follows the newest by
 * inotify across rotation.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "codec/json.h"
#include "engine/engine_int.h"

enum { LINE_MAX_BYTES = 1 << 20, FILES_MAX = 1000, CHUNK = 64 * 1024 };

struct reading {
	const struct container_logs *how;
	const struct byte_sink *out;
	bool tty, is_over;               /* until was reached */
	struct arena arena;              /* one line */
	struct buf frame;
	int64_t skip;                    /* lines left out before the tail begins */
};

static const char *details_of(struct reading *r, const struct docker_log_line *l)
{
	AUTO(buf) struct buf b = BUF_INIT(64 * 1024);
	for (uint32_t i = 0; i < l->n_attrs; i++)
		buf_addf(&b, "%s%s=%s", i ? "," : "", l->attrs[i].key, str_or(l->attrs[i].value, ""));
	buf_addc(&b, ' ');
	return arena_dup(&r->arena, buf_slice(&b));
}

/* Sends one line of the file. < 0 ends the reading. */
static int line_emit(struct reading *r, struct slice text)
{
	struct docker_log_line l;
	const struct container_logs *h = r->how;
	arena_release(&r->arena);
	if (!text.len || schema_from_json(T_docker_log_line, text, 0, &r->arena, &l, NULL) < 0 || !l.log)
		return 0;
	bool is_err = str_is(l.stream, "stderr");
	if (is_err ? !h->is_stderr : !h->is_stdout)
		return 0;
	int64_t at = 0;
	if (l.time)
		clock_parse_rfc3339(slice_of(l.time), &at);
	if (h->since_ns && at < h->since_ns)
		return 0;
	if (h->until_ns && at > h->until_ns) {
		r->is_over = true;
		return 0;
	}
	buf_reset(&r->frame);
	if (!r->tty)
		buf_add(&r->frame, "\0\0\0\0\0\0\0\0", 8);
	if (h->timestamps) {
		char t[CLOCK_TEXT_MAX];
		clock_rfc3339_fixed(t, at);
		buf_addf(&r->frame, "%s ", t);
	}
	if (h->details)
		buf_adds(&r->frame, str_or(details_of(r, &l), ""));
	buf_adds(&r->frame, l.log);
	if (buf_error(&r->frame))
		return 0;
	if (!r->tty) {
		uint32_t n = (uint32_t)(r->frame.len - 8);
		unsigned char *p = (unsigned char *)r->frame.ptr;
		p[0] = is_err ? 2 : 1;
		p[4] = (unsigned char)(n >> 24);
		p[5] = (unsigned char)(n >> 16);
		p[6] = (unsigned char)(n >> 8);
		p[7] = (unsigned char)n;
	}
	return r->out->write(r->out->arg, r->frame.ptr, r->frame.len);
}

struct reader { int fd; struct buf pending; };

/* Everything up to the end of the file as it is now. */
static int file_emit(struct reading *r, struct reader *f)
{
	char *chunk = malloc(CHUNK);
	int ret = chunk ? 0 : -ENOMEM;
	while (ret >= 0 && !r->is_over) {
		ssize_t n = read(f->fd, chunk, CHUNK);
		if (n <= 0) {
			ret = n < 0 ? -errno : 0;
			break;
		}
		/* lines that end in this chunk go out from it directly */
		struct slice rest = slice_n(chunk, (size_t)n);
		for (ptrdiff_t nl; ret >= 0 && !r->is_over && (nl = slice_find(rest, '\n')) >= 0;) {
			struct slice line = slice_n(rest.ptr, (size_t)nl);
			if (f->pending.len) {
				buf_addslice(&f->pending, line);
				line = buf_slice(&f->pending);
			}
			if (r->skip > 0)
				r->skip--;
			else
				ret = line_emit(r, line);
			buf_reset(&f->pending);
			rest = slice_n(rest.ptr + nl + 1, rest.len - (size_t)nl - 1);
		}
		if (buf_addslice(&f->pending, rest) < 0)
			buf_reset(&f->pending);     /* a line past the ceiling cannot be ours */
	}
	free(chunk);
	return ret;
}

static int64_t lines_in(int fd)
{
	char *chunk = malloc(CHUNK);
	int64_t lines = 0;
	ssize_t n;
	while (chunk && (n = read(fd, chunk, CHUNK)) > 0)
		for (const char *p = chunk, *end = chunk + n; (p = memchr(p, '\n', (size_t)(end - p))); p++)
			lines++;
	free(chunk);
	lseek(fd, 0, SEEK_SET);
	return lines;
}

static void reader_close(struct reader *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	buf_release(&f->pending);
}

/* Follows until the container has ended and its log is read out. */
static int follow_wait(struct reading *r, struct container *c, const char *path, struct reader *f)
{
	AUTO(close) int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char *dir = slice_dup(slice_n(path, (size_t)slice_rfind(slice_of(path), '/')));
	if (watch < 0 || !dir || inotify_add_watch(watch, dir, IN_MODIFY | IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO) < 0) {
		free(dir);
		return -errno;
	}
	free(dir);
	int ret = 0;
	while (ret >= 0 && !r->is_over) {
		bool was_alive = container_is_running(c) && !c->is_gone;
		ret = f->fd >= 0 ? file_emit(r, f) : 0;
		if (ret < 0)
			break;
		struct stat mine, now;
		if (stat(path, &now) == 0 && (f->fd < 0 || (fstat(f->fd, &mine) == 0 && mine.st_ino != now.st_ino))) {
			/* rotated: what was written to the old one in between is read first, above on the next round of the old fd */
			if (f->fd >= 0)
				ret = file_emit(r, f);
			reader_close(f);
			buf_init(&f->pending, LINE_MAX_BYTES);
			f->fd = open(path, O_RDONLY | O_CLOEXEC);
			continue;
		}
		if (!was_alive && !c->is_starting)
			break;
		int w = fd_wait(watch, WATCH_READ, NS_PER_S);
		if (w == -ETIMEDOUT) {
			if (r->out->gone(r->out->arg))
				return -EPIPE;
			if (r->how->until_ns && clock_realtime_ns() > r->how->until_ns)
				break;
			continue;
		}
		if (w < 0)
			return w;
		char events[4096];
		while (read(watch, events, sizeof events) > 0)
			;
	}
	return ret;
}

/* Opens what exists, newest last. */
static unsigned files_open(const char *path, struct reader *v, unsigned most)
{
	unsigned n = 0;
	for (unsigned i = most; i-- > 0;) {
		char *p = i ? fmt_new("%s.%u", path, i) : strdup(path);
		int fd = p ? open(p, O_RDONLY | O_CLOEXEC) : -1;
		free(p);
		if (fd < 0)
			continue;
		v[n].fd = fd;
		buf_init(&v[n].pending, LINE_MAX_BYTES);
		n++;
	}
	return n;
}

static unsigned files_count(const char *path)
{
	struct stat st;
	unsigned n = 1;
	for (; n < FILES_MAX; n++) {
		char *p = fmt_new("%s.%u", path, n);
		bool have = p && stat(p, &st) == 0;
		free(p);
		if (!have)
			break;
	}
	return n;
}

int container_logs_check(struct engine *eng, const char *name, const struct container_logs *how, struct arena *a, struct container_brief *ret,
			 struct err *e)
{
	AUTO(container) struct container *c = NULL;
	int r = container_find(eng, name, &c, e);
	if (r < 0)
		return r;
	if (c->status == STATUS_REMOVING || c->status == STATUS_DEAD)
		return err_set(e, EBUSY, "can not get logs from container which is dead or marked for removal");
	if (str_is(c->host->log_config.type, "none"))
		return err_set(e, EOPNOTSUPP, "configured logging driver does not support reading");
	return container_brief(eng, c->id, a, ret, e);
}

int container_logs_wait(struct engine *eng, const char *name, const struct container_logs *how, const struct byte_sink *out, struct err *e)
{
	AUTO(container) struct container *c = NULL;
	int ret = container_find(eng, name, &c, e);
	if (ret < 0)
		return ret;
	AUTO(arena) struct arena a;
	arena_init(&a, 1 << 20);
	char *path = fmt_new("%s/%s-json.log", container_dir(c, &a), c->id);
	if (!path)
		return err_nomem(e);
	struct reading r = { .how = how, .out = out, .tty = c->config->tty };
	arena_init(&r.arena, 8 << 20);
	buf_init(&r.frame, 4 << 20);
	unsigned most = files_count(path), n = 0;
	struct reader *v = calloc(most, sizeof *v);
	if (v)
		n = files_open(path, v, most);
	if (how->tail >= 0) {
		int64_t lines = 0;
		for (unsigned i = 0; i < n; i++)
			lines += lines_in(v[i].fd);
		r.skip = lines > how->tail ? lines - how->tail : 0;
	}
	for (unsigned i = 0; ret >= 0 && i < n && !r.is_over; i++)
		ret = file_emit(&r, &v[i]);
	if (ret >= 0 && how->follow && !r.is_over) {
		struct reader none = { .fd = -1, .pending = BUF_INIT(LINE_MAX_BYTES) };
		ret = follow_wait(&r, c, path, n ? &v[n - 1] : &none);
		if (!n)
			reader_close(&none);
	}
	for (unsigned i = 0; i < n; i++)
		reader_close(&v[i]);
	free(v);
	free(path);
	arena_release(&r.arena);
	buf_release(&r.frame);
	return ret < 0 ? err_sys(e, ret, "reading logs") : 0;
}
