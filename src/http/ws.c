// SPDX-License-Identifier: Apache-2.0
#include "http/ws.h"
#include <errno.h>
#include "base/assert.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/rand.h"
#include "codec/base64.h"
#include "http/sha1.h"
#include "http/upgrade.h"

enum { OP_CONTINUE, OP_TEXT, OP_BINARY, OP_CLOSE = 8, OP_PING, OP_PONG };
enum { FRAME_MAX = 16 * 1024, OUT_MAX = 64 * 1024, PONGS_MAX = 4096, CONTROL_MAX = 125, SEND_MAX = 8 * 1024 * 1024, HEAD_MAX = 14 };

struct ws {
	struct stream s;
	struct stream *under;
	bool client, text;
	bool in_ended, fragmented, close_sent;
	int error;
	/* the frame being read */
	unsigned char head[HEAD_MAX], control[CONTROL_MAX];
	unsigned head_n, control_n, mask_at;
	bool in_frame, fresh /* no byte of this message was read yet */, began;
	unsigned opcode;
	uint64_t left;
	unsigned char mask[4];
	struct buf out;                 /* frames that the stream below has not taken yet */
};

static struct ws *of(struct stream *s) { return container_of(s, struct ws, s); }
static void flushed(void *arg, int status);

/* --- out */

static int flush(struct ws *w)
{
	while (w->out.len && !w->error) {
		ssize_t n = stream_write_now(w->under, w->out.ptr, w->out.len);

		if (n == -EAGAIN) {
			if (w->under->on[STREAM_WRITABLE].fn || !stream_notify(w->under, STREAM_WRITABLE, flushed, w))
				return -EAGAIN;
			continue;
		}
		if (n < 0)
			w->error = (int)n;
		else
			buf_drop(&w->out, (size_t)n);
	}
	if (!w->out.len && w->out.cap > OUT_MAX)
		buf_release(&w->out);
	return w->error;
}

static void flushed(void *arg, int status)
{
	struct ws *w = arg;

	if (status < 0 || flush(w) == -EAGAIN)
		return;
	stream_fire(&w->s, STREAM_WRITABLE);
}

static int put_frame2(struct ws *w, unsigned opcode, struct slice first, const void *p, size_t rest)
{
	size_t n = first.len + rest;
	unsigned char head[HEAD_MAX] = { (unsigned char)(0x80 | opcode) }, key[4];
	size_t len = 2, start;

	if (n < 126) {
		head[1] = (unsigned char)n;
	} else if (n < 65536) {
		head[1] = 126;
		head[2] = (unsigned char)(n >> 8);
		head[3] = (unsigned char)n;
		len = 4;
	} else {
		head[1] = 127;
		for (unsigned i = 0; i < 8; i++)
			head[2 + i] = (unsigned char)((uint64_t)n >> (56 - 8 * i));
		len = 10;
	}
	if (w->client) {
		rand_bytes(key, sizeof key);
		head[1] |= 0x80;
		memcpy(head + len, key, 4);
		len += 4;
	}
	if (buf_reserve(&w->out, len + n) < 0)
		return -ENOMEM;
	buf_add(&w->out, head, len);
	start = w->out.len;
	buf_addslice(&w->out, first);
	buf_add(&w->out, p, rest);
	for (size_t i = 0; w->client && i < n; i++)
		w->out.ptr[start + i] ^= (char)key[i & 3];
	return 0;
}

static int put_frame(struct ws *w, unsigned opcode, const void *p, size_t n) { return put_frame2(w, opcode, SLICE(""), p, n); }

int ws_message_now(struct stream *s, struct slice head, struct slice p)
{
	struct ws *w = of(s);
	int r = w->close_sent ? -EPIPE : flush(w);

	must(head.len + p.len <= WS_MESSAGE_MAX);
	if (r == 0)
		r = put_frame2(w, w->text ? OP_TEXT : OP_BINARY, head, p.ptr, p.len);
	if (r < 0)
		return r;
	r = flush(w);
	return r == -EAGAIN ? 0 : r;
}

static int flush_wait(struct ws *w)
{
	int r;

	while ((r = w->close_sent ? -EPIPE : flush(w)) == -EAGAIN) {
		r = stream_ready_wait(&w->s, STREAM_WRITABLE, w->s.timeout_ns);
		if (r < 0)
			break;
	}
	return r;
}

int ws_send_wait(struct stream *s, struct slice p)
{
	struct ws *w = of(s);
	int r = p.len > SEND_MAX ? -EMSGSIZE : flush_wait(w);

	fiber_yield_wait();
	if (r == 0)
		r = put_frame2(w, w->text ? OP_TEXT : OP_BINARY, p, "", 0);
	return r < 0 ? r : flush_wait(w);
}

bool ws_message_began(const struct stream *s) { return container_of(s, struct ws, s)->began; }

static ssize_t ws_write_now(struct stream *s, const void *p, size_t n)
{
	struct ws *w = of(s);
	int r = w->close_sent ? -EPIPE : flush(w);

	if (r < 0)
		return r;
	n = MIN(n, (size_t)FRAME_MAX);
	r = put_frame(w, w->text ? OP_TEXT : OP_BINARY, p, n);
	if (r < 0)
		return r;
	r = flush(w);
	return r < 0 && r != -EAGAIN ? r : (ssize_t)n;
}

static void send_close(struct ws *w, unsigned code)
{
	unsigned char p[2] = { (unsigned char)(code >> 8), (unsigned char)code };

	if (!w->close_sent && put_frame(w, OP_CLOSE, p, 2) == 0)
		flush(w);
	w->close_sent = true;
}

/* --- in */

static int violation(struct ws *w)
{
	send_close(w, 1002);
	w->in_ended = true;
	w->error = -EPROTO;
	return -EPROTO;
}

static unsigned head_needed(const struct ws *w)
{
	unsigned n = 2;

	if (w->head_n >= 2) {
		unsigned len = w->head[1] & 0x7f;

		n += len == 126 ? 2 : len == 127 ? 8 : 0;
		n += w->head[1] & 0x80 ? 4 : 0;
	}
	return n;
}

/* A whole frame head is there: RFC 6455 section 5.2. */
static int begin_frame(struct ws *w)
{
	unsigned first = w->head[0], op = first & 15, len = w->head[1] & 0x7f, at = 2;
	bool fin = first & 0x80, masked = w->head[1] & 0x80;
	unsigned bytes = len == 126 ? 2 : len == 127 ? 8 : 0;

	w->left = bytes ? 0 : len;
	for (unsigned i = 0; i < bytes; i++)
		w->left = w->left << 8 | w->head[at++];
	if (masked)
		memcpy(w->mask, w->head + at, 4);
	else
		memset(w->mask, 0, 4);
	w->mask_at = w->head_n = w->control_n = 0;
	w->opcode = op;
	w->in_frame = true;
	if ((first & 0x70) || masked == w->client || w->left >> 63)
		return violation(w);
	if (op >= OP_CLOSE)
		return op > OP_PONG || !fin || w->left > CONTROL_MAX ? violation(w) : 0;
	if (op > OP_BINARY || (op == OP_CONTINUE) != w->fragmented)
		return violation(w);
	w->fragmented = !fin;
	w->fresh |= op != OP_CONTINUE;
	return 0;
}

static void end_control(struct ws *w)
{
	if (w->opcode == OP_PING && w->out.len < PONGS_MAX && !w->close_sent) {
		put_frame(w, OP_PONG, w->control, w->control_n);
		flush(w);
	} else if (w->opcode == OP_CLOSE) {
		send_close(w, w->control_n >= 2 ? (unsigned)w->control[0] << 8 | w->control[1] : 1000);
		w->in_ended = true;
	}
}

static void unmask(struct ws *w, unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] ^= w->mask[w->mask_at++ & 3];
}

static ssize_t ws_read_now(struct stream *s, void *p, size_t n)
{
	struct ws *w = of(s);

	while (!w->in_ended && n > 0) {
		bool control = w->in_frame && w->opcode >= OP_CLOSE;
		unsigned char *to;
		size_t room;
		ssize_t r;

		if (w->in_frame && !w->left) {
			w->in_frame = false;
			if (control)
				end_control(w);
			continue;
		}
		if (!w->in_frame) {
			to = w->head + w->head_n;
			room = head_needed(w) - w->head_n;
		} else {
			to = control ? w->control + w->control_n : p;
			room = control ? w->left : MIN((uint64_t)n, w->left);
		}
		r = stream_read_now(w->under, to, room);
		if (r <= 0)
			return r == 0 ? -ECONNRESET : r;
		if (!w->in_frame) {
			w->head_n += (unsigned)r;
			if (w->head_n == head_needed(w) && begin_frame(w) < 0)
				return -EPROTO;
			continue;
		}
		unmask(w, to, (size_t)r);
		w->left -= (uint64_t)r;
		if (!control) {
			w->began = w->fresh;
			w->fresh = false;
			return r;
		}
		w->control_n += (unsigned)r;
	}
	return n == 0 || w->error != -EPROTO ? 0 : -EPROTO;
}

/* --- the rest of a stream */

static void relay(struct ws *w, int status, unsigned what)
{
	if (status == 0)
		stream_fire(&w->s, what);
}

static void relay_read(void *arg, int status) { relay(arg, status, STREAM_READABLE); }
static void relay_hangup(void *arg, int status) { relay(arg, status, STREAM_HANGUP); }

static bool ws_want(struct stream *s, unsigned what, bool on)
{
	struct ws *w = of(s);

	if (what == STREAM_WRITABLE)
		return on && flush(w) != -EAGAIN;
	return stream_notify(w->under, what, !on ? NULL : what == STREAM_READABLE ? relay_read : relay_hangup, w);
}

static int ws_flush_now(struct stream *s) { return flush(of(s)); }

static int ws_shutdown_now(struct stream *s)
{
	struct ws *w = of(s);

	send_close(w, 1000);
	return flush(w);
}

static void ws_close(struct stream *s)
{
	struct ws *w = of(s);

	send_close(w, 1000);
	for (unsigned i = 0; i < STREAM_EVENTS; i++)
		stream_notify(w->under, i, NULL, NULL);
	stream_close(w->under);
	buf_release(&w->out);
	free(w);
}

static const struct stream_ops ws_ops = {
	.name = "websocket", .read_now = ws_read_now, .write_now = ws_write_now, .shutdown_now = ws_shutdown_now, .close = ws_close,
	.want = ws_want, .flush_now = ws_flush_now,
};

int ws_wrap(struct stream *under, bool client, bool text, struct stream **ret)
{
	struct ws *w = calloc(1, sizeof *w);

	if (!w) {
		stream_close(under);
		return -ENOMEM;
	}
	w->s = (struct stream){ .ops = &ws_ops, .loop = under->loop, .timeout_ns = under->timeout_ns };
	w->under = under;
	w->client = client;
	w->text = text;
	w->out = BUF_INIT(SEND_MAX + OUT_MAX);
	*ret = &w->s;
	return 0;
}

/* --- listening for those who only send */

struct ws_listener {
	struct stream *ws;
	struct fiber *owner;
	struct waitq over;
	bool stopping, done;
};

static void listen_fiber(void *arg)
{
	struct ws_listener *x = arg;
	char drop[1024];

	while (stream_read_wait(x->ws, drop, sizeof drop) > 0)
		;
	x->done = true;
	if (!x->stopping)
		fiber_cancel(x->owner);
	waitq_wake_all(&x->over);
	fiber_wake(x->owner);
}

int ws_listen_start(struct stream *ws, struct ws_listener **ret)
{
	struct ws_listener *x = calloc(1, sizeof *x);
	int r;

	if (!x)
		return -ENOMEM;
	x->ws = ws;
	x->owner = fiber_self();
	waitq_init(&x->over);
	r = fiber_start(ws->loop, "ws listen", listen_fiber, x);
	if (r < 0)
		free(x);
	else
		*ret = x;
	return r;
}

void ws_listen_stop_wait(struct ws_listener *x)
{
	static const int64_t patience_ns = 5 * NS_PER_S;

	x->stopping = true;
	if (!x->done && stream_shutdown_wait(x->ws) == 0)
		waitq_wait(&x->over, patience_ns);
	while (!x->done) {
		stream_abandon(x->ws);
		fiber_suspend_wait();
	}
	free(x);
}

/* --- handshakes: section 4 */

/* base64(SHA-1(key + the specification's identifier)) */
static int accept_key(struct slice key, struct buf *out)
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	AUTO(buf) struct buf b = BUF_INIT(256);
	unsigned char digest[20];

	if (buf_addslice(&b, key) < 0 || buf_adds(&b, guid) < 0)
		return buf_error(&b);
	sha1(b.ptr, b.len, digest);
	return base64_encode(out, slice_n(digest, sizeof digest), false);
}

bool ws_wanted(const struct http_request *r)
{
	return http_header_has(&r->headers, "Connection", "upgrade") && http_header_has(&r->headers, "Upgrade", "websocket");
}

int ws_accept_wait(struct http_request *r, const char *protocol, bool text, struct stream **ret, struct err *e)
{
	struct slice key = http_header_get(&r->headers, "Sec-WebSocket-Key");
	AUTO(buf) struct buf accept = BUF_INIT(64), raw = BUF_INIT(64);
	struct stream *under;
	int n;

	if (!ws_wanted(r) || !slice_is(r->method, "GET"))
		return err_set(e, EINVAL, "not a WebSocket handshake");
	if (!slice_is(http_header_get(&r->headers, "Sec-WebSocket-Version"), "13")) {
		http_header_add(r, "Sec-WebSocket-Version", "13");
		return err_set(e, EINVAL, "unsupported WebSocket version");
	}
	if (key.len > 64 || base64_decode(&raw, key) < 0 || raw.len != 16)
		return err_set(e, EINVAL, "malformed Sec-WebSocket-Key");
	n = accept_key(key, &accept);
	if (n == 0)
		n = http_header_add(r, "Sec-WebSocket-Accept", accept.ptr);
	if (n == 0 && protocol)
		n = http_header_add(r, "Sec-WebSocket-Protocol", protocol);
	if (n == 0)
		n = http_hijack_wait(r, 101, NULL, "websocket", &under);
	if (n == 0)
		n = ws_wrap(under, false, text, ret);
	return n < 0 ? err_sys(e, n, "WebSocket handshake") : 0;
}

const char *ws_choose(const struct http_request *r, const char *const *ours, size_t n, bool *offered)
{
	*offered = false;
	for (size_t i = 0; i < r->headers.n; i++) {
		struct slice rest = r->headers.v[i].value, one;

		if (!slice_eq_nocase(r->headers.v[i].name, SLICE("Sec-WebSocket-Protocol")))
			continue;
		while (slice_next(&rest, ',', &one)) {
			*offered = true;
			for (size_t k = 0; k < n; k++)
				if (slice_is(slice_trim(one), ours[k]))
					return ours[k];
		}
	}
	return NULL;
}

int ws_ask_wait(struct http_client *c, const char *target, const char *protocols, const struct http_headers *headers, bool text,
	struct http_upgraded *how, struct stream **ret, struct err *e)
{
	AUTO(buf) struct buf key = BUF_INIT(64), want = BUF_INIT(64);
	unsigned char nonce[16];
	struct http_header h[32];
	struct http_headers all = { h, 0 };
	struct stream *under;
	int r;

	rand_bytes(nonce, sizeof nonce);
	r = base64_encode(&key, slice_n(nonce, sizeof nonce), false);
	if (r == 0)
		r = accept_key(buf_slice(&key), &want);
	if (r < 0)
		return err_sys(e, r, "WebSocket handshake");
	h[all.n++] = (struct http_header){ SLICE("Sec-WebSocket-Version"), SLICE("13") };
	h[all.n++] = (struct http_header){ SLICE("Sec-WebSocket-Key"), buf_slice(&key) };
	if (protocols)
		h[all.n++] = (struct http_header){ SLICE("Sec-WebSocket-Protocol"), slice_of(protocols) };
	for (size_t i = 0; headers && i < headers->n; i++) {
		if (all.n == ARRAY_LEN(h))
			return err_set(e, E2BIG, "%s: too many headers", target);
		h[all.n++] = headers->v[i];
	}
	r = http_upgrade_wait(c, "GET", target, "websocket", &all, how, &under, e);
	if (r < 0)
		return r;
	if (strcmp(how->accept, want.ptr) != 0) {
		stream_close(under);
		return err_set(e, EPROTO, "%s does not speak WebSocket", target);
	}
	r = ws_wrap(under, true, text, ret);
	return r < 0 ? err_sys(e, r, "WebSocket handshake") : 0;
}

int ws_connect_wait(struct http_client *c, const char *target, const char *protocol, bool text, struct stream **ret, struct err *e)
{
	struct http_upgraded how = { 0 };
	int r = ws_ask_wait(c, target, protocol, NULL, text, &how, ret, e);

	http_upgraded_release(&how);
	return r;
}
