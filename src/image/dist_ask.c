/* SPDX-License-Identifier: Apache-2.0 */
/* One request of the distribution client: endpoints in turn, tokens when asked for, redirects, patience. */
#include "image/dist_int.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/dist.h"
#include "base/auto.h"
#include "base/clock.h"

enum { DIST_ERROR_MAX = 256 * 1024, DIST_CHUNK = 256 * 1024 };

/* --- a file as a request's body --------------------------------------------------------- */

struct file_stream {
	struct stream s;
	int fd;
	int64_t at, len;
	const struct dist_progress *progress;
};

struct read_job { int fd; char *p; size_t n; int64_t at; };

static int read_job(void *arg)
{
	struct read_job *j = arg;
	ssize_t n = pread(j->fd, j->p, j->n, j->at);
	return n < 0 ? -errno : (int)n;
}

static ssize_t file_read_wait(struct stream *s, void *p, size_t n)
{
	struct file_stream *f = container_of(s, struct file_stream, s);
	struct read_job j = { f->fd, p, MIN(n, (size_t)DIST_CHUNK), f->at };
	j.n = (size_t)MIN((int64_t)j.n, f->len - f->at);
	if (j.n == 0)
		return 0;
	int got = job_wait(read_job, &j);
	if (got == 0)
		return -EIO;
	if (got > 0)
		f->at += got;
	if (got > 0 && f->progress)
		f->progress->fn(f->progress->arg, f->at);
	return got;
}

static ssize_t file_write_wait(struct stream *s, const void *p, size_t n) { return -EBADF; }
static int file_shutdown_wait(struct stream *s) { return 0; }
static void file_close(struct stream *s) { free(container_of(s, struct file_stream, s)); }
static int file_fd(struct stream *s) { return -1; }

static const struct stream_ops file_ops = { "file", file_read_wait, file_write_wait, file_shutdown_wait, file_close, file_fd };

static struct stream *file_stream_new(int fd, int64_t len, const struct dist_progress *p)
{
	struct file_stream *f = calloc(1, sizeof *f);
	if (!f)
		return NULL;
	f->s.ops = &file_ops;
	f->fd = fd;
	f->len = len;
	f->progress = p;
	return &f->s;
}

/* --- one exchange --------------------------------------------------------------------------- */

void answer_release(struct answer *x)
{
	http_call_release(&x->call);
	stream_close(take_ptr(x->body));
	http_client_free(take_ptr(x->client));
	tls_config_free(take_ptr(x->tls));
	arena_release(&x->a);
}

static int endpoint_open(struct dist *d, struct endpoint *p, struct err *e)
{
	int r = 0;
	if (p->client)
		return 0;
	if (p->url.is_https && (r = dist_tls(d, &p->url, !p->may_be_insecure, &p->tls, e)) < 0)
		return r;
	return dist_client(d, &p->url, p->tls, &p->client, e);
}

static const char *target_of(struct dist *d, const struct endpoint *p, const struct ask *q, struct arena *a)
{
	if (q->path[0] == '/')
		return arena_fmt(a, "%s%s", p->url.target, q->path);
	return arena_fmt(a, "%s/v2/%s/%s", p->url.target, d->ref->path, q->path);
}

/* Sends q to x->url through the endpoint's client, or through one of its own for other places. */
static int exchange_wait(struct dist *d, struct endpoint *p, const struct ask *q, struct answer *x, struct err *e)
{
	struct http_header *h = arena_array(&x->a, q->n_headers + 2, sizeof *h);
	bool at_home = url_same_place(&x->url, &p->url);
	struct http_client *client = p->client;
	int r;
	if (!h)
		return err_nomem(e);
	http_call_release(&x->call);
	stream_close(take_ptr(x->body));
	x->call = (struct http_call){ .method = q->method, .target = x->url.target, .headers.v = h, .body = q->body, .body_length = -1 };
	h[x->call.headers.n++] = (struct http_header){ SLICE("User-Agent"), slice_of(d->s->user_agent) };
	if (at_home && d->authorization) {
		const char *value = arena_strdup(&x->a, d->authorization);
		if (!value)
			return err_nomem(e);
		h[x->call.headers.n++] = (struct http_header){ SLICE("Authorization"), slice_of(value) };
	}
	for (size_t i = 0; i < q->n_headers; i++)
		h[x->call.headers.n++] = q->headers[i];
	if (q->body_fd) {
		x->body = file_stream_new(*q->body_fd, q->body_length, q->progress);
		if (!x->body)
			return err_nomem(e);
		x->call.body_stream = x->body;
		x->call.body_length = q->body_length;
	}
	if (!at_home) {
		if (p->url.is_https && !x->url.is_https && !p->may_be_insecure)
			return err_set(e, EPERM, "redirected from TLS to %s without", x->url.authority);
		http_client_free(take_ptr(x->client));
		tls_config_free(take_ptr(x->tls));
		if (x->url.is_https && (r = dist_tls(d, &x->url, !p->may_be_insecure, &x->tls, e)) < 0)
			return r;
		if ((r = dist_client(d, &x->url, x->tls, &x->client, e)) < 0)
			return r;
		client = x->client;
	}
	return http_call_wait(client, &x->call, e);
}

static bool is_redirect(int status) { return status == 301 || status == 302 || status == 303 || status == 307 || status == 308; }

/* Follows redirects and renews the authorization once. */
static int converse_wait(struct dist *d, struct endpoint *p, const struct ask *q, struct answer *x, struct err *e)
{
	unsigned tried_auth = 0;
	for (unsigned hops = 0;;) {
		unsigned round = d->auth_round;
		int r = exchange_wait(d, p, q, x, e);
		if (r < 0)
			return r;
		if (is_redirect(x->call.status) && (!strcmp(q->method, "GET") || !strcmp(q->method, "HEAD"))) {
			struct slice where = http_header_get(&x->call.reply_headers, "Location");
			if (++hops > DIST_REDIRECTS_MAX)
				return err_set(e, ELOOP, "more than %d redirects", DIST_REDIRECTS_MAX);
			struct url next;
			if ((r = url_parse(where, &x->url, &x->a, &next, e)) < 0)
				return r;
			x->url = next;
			continue;
		}
		if (x->call.status != 401 || !url_same_place(&x->url, &p->url) || tried_auth++ > 1)
			return 0;
		if ((r = fmutex_lock_wait(&d->auth_lock)) < 0)
			return err_sys(e, r, "waiting for a token");
		/* somebody else may have renewed it meanwhile */
		struct err why = { 0 };
		r = d->auth_round == round ? tried_auth > 1 ? -EKEYREJECTED : dist_authorize_wait(d, &x->call.reply_headers, &x->url, &why) : 0;
		fmutex_unlock(&d->auth_lock);
		if (r < 0) {
			if (why.code && !q->keep_errors && strncmp(why.text, "no basic", 8) == 0)
				return err_set(e, why.code, "%s \"%s://%s%s\": %s", !strcmp(q->method, "HEAD") ? "Head" : "Get",
					       x->url.is_https ? "https" : "http", x->url.authority, x->url.target, why.text);
			if (why.code)
				return err_set(e, why.code, "%s", why.text);
			return 0;
		}
	}
}

static int connect_error(struct endpoint *p, const struct ask *q, const struct err *why, struct err *e)
{
	const char *verb = !strcmp(q->method, "GET") ? "Get" : !strcmp(q->method, "HEAD") ? "Head" : !strcmp(q->method, "PUT") ? "Put" : "Post";
	const char *scheme = p->url.is_https ? "https" : "http";
	if (why->code == ECONNREFUSED)
		return err_set(e, why->code, "%s \"%s://%s/v2/\": dial tcp %s:%u: connect: connection refused", verb, scheme, p->url.authority,
			       p->url.host, p->url.port);
	return err_set(e, why->code, "%s \"%s://%s/v2/\": %s", verb, scheme, p->url.authority, why->text);
}

/* Tries endpoints until one answers; a mirror's "not found" goes on to the next. */
static int somewhere_wait(struct dist *d, const struct ask *q, struct answer *x, struct err *e)
{
	for (;;) {
		size_t at = d->at;
		struct endpoint *p = &d->ends[at];
		struct err why = { 0 };
		int r = endpoint_open(d, p, &why);
		if (r >= 0) {
			x->url = q->url ? *q->url : p->url;
			if (!q->url && !(x->url.target = target_of(d, p, q, &x->a)))
				return err_nomem(e);
			r = converse_wait(d, p, q, x, &why);
		}
		bool is_last = at + 1 == d->n_ends;
		if (d->at != at && r < 0)
			continue;         /* another fiber went on meanwhile */
		if (r >= 0 && (!p->is_mirror || is_last || x->call.status < 400)) {
			d->is_settled = true;
			return 0;
		}
		if (d->is_settled || is_last || r == -EKEYREJECTED || r == -ECANCELED) {
			if (r == -ECONNREFUSED || r == -ENOENT || r == -ETIMEDOUT || r == -EHOSTUNREACH || r == -ENETUNREACH)
				return connect_error(p, q, &why, e);
			return err_set(e, r, "%s", why.text);
		}
		if (d->at == at)
			d->at++;
	}
}

static bool is_passing(int r, int status)
{
	return r == -ECONNRESET || r == -EPIPE || r == -ETIMEDOUT || r == -EPROTO || (r >= 0 && (status == 429 || status >= 500));
}

int dist_ask_wait(struct dist *d, const struct ask *q, struct answer *x, struct err *e)
{
	bool repeats = !q->body_fd && (!strcmp(q->method, "GET") || !strcmp(q->method, "HEAD"));
	struct err why = { 0 };
	int r = 0;
	for (int i = 0; i < DIST_TRIES; i++) {
		if (!x->a.max_bytes)
			arena_init(&x->a, 4 << 20);
		r = somewhere_wait(d, q, x, &why);
		if (!repeats || !d->is_settled || !is_passing(r, x->call.status) || i + 1 == DIST_TRIES)
			break;
		answer_release(x);
		*x = (struct answer){ 0 };
		if ((r = sleep_wait((250 * NS_PER_MS) << i)) < 0)
			return err_sys(e, r, "waiting");
	}
	if (r < 0)
		return err_set(e, why.code ? why.code : r, "%s", why.text);
	return x->call.status >= 400 && !q->keep_errors ? dist_error_wait(d, x, q->method, e) : 0;
}

/* --- errors ------------------------------------------------------------------------------------ */

static int code_errno(const char *code, int status)
{
	if (!strcmp(code, "DENIED"))
		return EACCES;
	if (!strcmp(code, "UNAUTHORIZED") || status == 401)
		return EKEYREJECTED;
	if (status == 404)
		return ENOENT;
	if (status == 403)
		return EACCES;
	if (status == 413)
		return E2BIG;
	return status >= 500 ? EHOSTDOWN : EINVAL;
}

int dist_error_wait(struct dist *d, struct answer *x, const char *method, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(DIST_ERROR_MAX), code = BUF_INIT(128);
	struct dist_errors all = { 0 };
	d->last_code[0] = 0;
	int status = x->call.status;
	if (strcmp(method, "HEAD") != 0 && http_call_body_wait(&x->call, DIST_ERROR_MAX, &text, NULL) >= 0 && text.len &&
	    schema_from_json(T_dist_errors, buf_slice(&text), SCHEMA_FOLD_CASE, &x->a, &all, NULL) >= 0 && all.n_errors && all.errors[0].code) {
		fmt_into(d->last_code, sizeof d->last_code, "%s", all.errors[0].code);
		for (const char *p = d->last_code; *p; p++)
			buf_addc(&code, *p == '_' ? ' ' : *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p);
		return err_set(e, code_errno(d->last_code, status), "%s: %s", code.ptr, all.errors[0].message ? all.errors[0].message : "unknown");
	}
	if (status == 401)
		return err_set(e, EKEYREJECTED, "unauthorized: authentication required");
	if (status == 403)
		return err_set(e, EACCES, "denied: requested access to the resource is denied");
	return err_set(e, code_errno("", status), "received unexpected HTTP status: %d %s", status, http_status_text(status));
}
