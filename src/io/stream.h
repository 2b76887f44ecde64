/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream: read, write, half-close, with back-pressure. Sockets, pipes, TLS,
 * hijacked HTTP connections, WebSocket, SPDY and HTTP/2 streams are all one,
 * so any protocol runs over any other.
 *
 * One fiber may read while another writes. Every *_wait returns -ECANCELED in
 * a cancelled fiber and -ETIMEDOUT past the stream's time-out.
 */
#pragma once
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include "base/buf.h"
#include "base/err.h"
#include "io/fiber.h"

struct stream;
/*
 * What a kind of stream must offer: calls that never suspend, and a promise to
 * say (stream_fire) when it is worth trying again after an -EAGAIN. Everything
 * that waits is made of these, once, in stream.c; so state objects without a
 * fiber (idle connections) use the same streams.
 */
struct stream_ops {
	const char *name;
	ssize_t (*read_now)(struct stream *s, void *p, size_t n);         /* bytes (> 0), 0 at the end of input, -EAGAIN, -errno */
	ssize_t (*write_now)(struct stream *s, const void *p, size_t n);  /* bytes taken (> 0), -EAGAIN; -EPIPE when the peer is gone */
	int (*shutdown_now)(struct stream *s);       /* no more writes, the other direction goes on; 0, -EAGAIN (try when writable), -errno */
	void (*close)(struct stream *s);             /* frees s */
	int (*fd)(struct stream *s);                 /* the descriptor when bytes pass through it unchanged, else -1; may be NULL */
	/* Somebody waits for this now, or (on = false) no longer; NULL if the stream always says. Returns true if it already is so. */
	bool (*want)(struct stream *s, unsigned what, bool on);
	/* Written bytes have left (nothing is held back): 0, -EAGAIN (try when writable), -errno; NULL when writes hold nothing back. */
	int (*flush_now)(struct stream *s);
};
enum { STREAM_READABLE, STREAM_WRITABLE, STREAM_HANGUP /* the peer has closed or half-closed */, STREAM_EVENTS };
struct stream {
	const struct stream_ops *ops;
	struct loop *loop;
	int64_t timeout_ns;                          /* for one read or write; <= 0: none */
	bool is_loopback;                            /* accepted from this machine: loopback address or Unix socket */
	struct stream_waiter {
		void (*fn)(void *arg, int status);
		void *arg;
	} on[STREAM_EVENTS];
};

/* Calls fn(arg, 0) once, on the loop outside of any fiber, when `what` may have become true; arm it after an -EAGAIN. If the stream
 * is closed before, fn(arg, -ECANCELED), and s is no more. One waiter for each; fn NULL takes it back. True: it already is so, not armed. */
bool stream_notify(struct stream *s, unsigned what, void (*fn)(void *arg, int status), void *arg);
/* For kinds of streams: tells the waiter, if there is one. s may be freed when this returns. */
void stream_fire(struct stream *s, unsigned what);
/* Sends all waiters of s away with -ECANCELED, as a close would; s lives on. */
void stream_abandon(struct stream *s);
/* The kind's own call, never suspends; 0 bytes of n = 0 are not an end. */
static inline ssize_t stream_read_now(struct stream *s, void *p, size_t n) { return s->ops->read_now(s, p, n); }
static inline ssize_t stream_write_now(struct stream *s, const void *p, size_t n) { return s->ops->write_now(s, p, n); }
/* Waits until `what` may be true: 0, -ETIMEDOUT, -ECANCELED (also when s was closed meanwhile). timeout_ns <= 0: no end. */
int stream_ready_wait(struct stream *s, unsigned what, int64_t timeout_ns);

/* Bytes (> 0), 0 at the end of input, -errno. */
ssize_t stream_read_wait(struct stream *s, void *p, size_t n);
/* Exactly n bytes: 0, -EPIPE if the input ends before, -errno. */
int stream_read_all_wait(struct stream *s, void *p, size_t n);
int stream_write_wait(struct stream *s, const void *p, size_t n);   /* all of it: 0 or -errno */
int stream_shutdown_wait(struct stream *s);
void stream_close(struct stream *s);             /* NULL is fine. Fibers that wait on s get -ECANCELED */
static inline void auto_stream(struct stream **s) { stream_close(*s); }
/*
 * Waits, at most most_ns, until the peer has read all that was written: on a Unix socket, where the kernel tells; at once on
 * anything else. For peers that drop what comes right behind an answer's head (docker-py). Suspends.
 */
void stream_drained_wait(struct stream *s, int64_t most_ns);
int stream_fd(struct stream *s);                 /* the descriptor when bytes pass through it unchanged, else -1; stays the stream's */
/* Copies a to b until a's end; bytes or -errno. Does not half-close. */
int64_t stream_copy_wait(struct stream *to, struct stream *from);
/* Copies both ways, each direction half-closed behind its end, until both have ended: 0; or until one breaks: -errno. b_linger_ns > 0: once
 * b's input has ended, a must end its own within that time. Closes neither; no other fiber may use them meanwhile. */
int stream_pump_wait(struct stream *a, struct stream *b, int64_t b_linger_ns);

/* A stream over a descriptor (socket, pipe, terminal), which it then owns and sets non-blocking. */
int stream_from_fd(struct loop *l, int fd, struct stream **ret);
/* A stream that gives `first` (copied) and then what `under` gives; takes `under`, also on failure. */
int stream_prepend(struct slice first, struct stream *under, struct stream **ret);
/* Two connected in-memory streams with a bounded buffer each way; also the double for tests. */
int stream_pair(struct loop *l, size_t buffer_bytes, struct stream **a, struct stream **b);

/* --- connecting and listening */
int stream_connect_unix_wait(const char *path, struct stream **ret, struct err *e);
/* Resolves (on a worker) and tries each address. */
int stream_connect_tcp_wait(const char *host, unsigned port, int64_t timeout_ns, struct stream **ret, struct err *e);

struct listener;
/* Calls accepted(arg, s) in a new fiber per connection; it owns s. Takes fd. Past `most` connections it stops accepting. */
int listener_new(struct loop *l, int fd, unsigned most, void (*accepted)(void *arg, struct stream *s), void *arg, struct listener **ret);
/* Like it, but accepted is called on the loop without a fiber, and may refuse by closing s; listener_done when a connection is over. */
int listener_new_raw(struct loop *l, int fd, unsigned most, void (*accepted)(void *arg, struct stream *s), void *arg, struct listener **ret);
void listener_done(struct listener *x);
void listener_free(struct listener *x);          /* stops and closes; connections go on */
int listen_tcp(const char *host, unsigned port, struct err *e);    /* fd; SO_REUSEADDR; host "" = all addresses, IPv6 too */

/* --- TLS over any stream (io/tls.c; `coracle` loads OpenSSL only when first used) */
struct tls_config;
struct tls_files { const char *ca, *cert, *key; bool verify_peer; bool system_ca; };
int tls_config_new(const struct tls_files *f, bool server, struct tls_config **ret, struct err *e);
void tls_config_free(struct tls_config *c);
/* Reads the files again, for handshakes to come; streams that are there keep what they have. On failure nothing changes. */
int tls_config_reload(struct tls_config *c, const struct tls_files *f, struct err *e);
/* Takes `under`, also on failure. server_name: SNI and the name that is checked; NULL on servers. alpn: "h2,http/1.1" or NULL. */
int tls_wrap_wait(struct tls_config *c, struct stream *under, const char *server_name, const char *alpn, struct stream **ret, struct err *e);
const char *tls_alpn(struct stream *s);          /* what was agreed, or "" */
/* The peer certificate's subject common name, or NULL without one; owned by the stream. */
const char *tls_peer_name(struct stream *s);
/* Who the peer's verified certificate says it is: subject common name and organizations. Counted (one loop); NULL without one. */
struct tls_peer {
	unsigned refs;
	const char *name;
	const char **organizations;
	size_t n_organizations;
};
struct tls_peer *tls_peer(struct stream *s);     /* the stream's reference */
struct tls_peer *tls_peer_ref(struct tls_peer *p);
struct tls_peer *tls_peer_unref(struct tls_peer *p);
