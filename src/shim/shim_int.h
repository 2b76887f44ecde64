/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the shim is made of. One loop owns everything; nothing is shared.
 *
 *   new ──create──▶ created ──start──▶ running ◀──pause/resume──▶ paused
 *    │                 │                  │                          │
 *    └──delete──┐      └──init exits──────┴──▶ stopped ◀─────────────┘
 *               ▼                                 │ delete, or nobody connected
 *              end ◀──────────────────────────────┘
 *
 * The container's own process and each exec is a session: streams or a
 * terminal, an input, attached clients. A session's output goes to the log (the
 * container's own only) and to every client. A client whose buffer is full
 * stops the reading, so that the process waits, as with Docker; nothing is
 * lost and memory is bounded.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "api/shim.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "base/vec.h"
#include "runtime/runtime.h"

enum {
	SHIM_READ = 32 << 10,            /* taken from a stream at once */
	SHIM_CLIENT_MAX = 256 << 10,     /* a client's output that waits; above, the streams are not read */
	SHIM_INPUT_MAX = 64 << 10,       /* input that waits for the process; above, clients are not read */
	SHIM_CLIENTS = 64,               /* of all sessions together */
	SHIM_EXECS = 1024,
	SHIM_CONTROLS = 8,
	SHIM_PACKET_MAX = 1 << 20,       /* a request or message */
	SHIM_QUEUE_MAX = 4 << 20,        /* messages that wait for a control connection; above, it is closed */
	SHIM_LINE_MAX = 16 << 10,        /* Docker's: a longer line is logged in pieces */
	SHIM_LINGER_MS = 2000,           /* streams that others hold open after the process is gone */
	SHIM_DETACH_MAX = 16,
};

struct shim;

/* --- loop.c ---------------------------------------------------------------- */
struct watch {
	int fd;                          /* owned; -1 when closed */
	uint32_t events;                 /* as registered */
	void (*ready)(struct shim *s, struct watch *w, uint32_t events);
};
int watch_add(struct shim *s, struct watch *w, int fd, uint32_t events, void (*ready)(struct shim *, struct watch *, uint32_t));
int watch_set(struct shim *s, struct watch *w, uint32_t events);
/* Takes it out of the loop and closes the descriptor; harmless when it is already. */
void watch_close(struct shim *s, struct watch *w);
/* Waits (timeout_ms -1: without end) and calls what is ready. */
int loop_turn(struct shim *s, int timeout_ms);
/* Memory of something that the current turn may still point to is freed at its end. */
void loop_free_later(struct shim *s, void *p);

/* --- detach.c -------------------------------------------------------------- */
struct detach {
	uint8_t keys[SHIM_DETACH_MAX];
	uint8_t n, at;                   /* at: how many of them have just been seen */
};
/* "ctrl-p,ctrl-q", "a,b", "ctrl-@": 0 or -EINVAL with Docker's wording. "" means Docker's default. */
int detach_parse(const char *text, struct detach *ret, struct err *e);
/* Filters typed bytes: what goes on is appended to out; true when the sequence is complete (the rest is dropped). */
bool detach_filter(struct detach *d, const char *p, size_t n, struct buf *out);

/* --- logfmt.c: pure --------------------------------------------------------- */
enum log_format { LOG_NONE, LOG_JSON_FILE, LOG_CRI };
/* A stream's text cut into lines; the piece without its end waits here. */
struct line {
	char *rest;                      /* SHIM_LINE_MAX bytes, taken with the first piece that needs it */
	size_t n;
};
/* Appends what is complete (with `end`: everything) to out in the format. */
int line_add(struct line *l, enum log_format f, const char *stream, struct slice attrs, struct slice text, bool end, int64_t now_ns, struct buf *out);

/* --- log.c ------------------------------------------------------------------- */
struct log {
	enum log_format format;
	const char *path;
	struct slice attrs;
	int64_t max_size, size;
	int max_file;
	int fd;
	struct buf pending;              /* being formatted; empty between turns */
	uint64_t lost;                   /* bytes that could not be written */
};
int log_open(struct log *l, const struct shim_log *c, struct err *e);
int log_reopen(struct log *l, struct err *e);
void log_add(struct log *l, struct line *line, bool is_stderr, struct slice text, bool end);

/* --- session.c --------------------------------------------------------------- */
struct session;
struct stream {
	struct watch w;                  /* first: a watch is its stream */
	struct session *session;
	bool is_stderr, is_open;
	struct line line;
};
struct session {
	struct list link;                /* shim.sessions */
	char *id;                        /* exec's; NULL for the container's own */
	bool tty, stdin_once;
	pid_t pid;                       /* 0 once reaped */
	uint64_t pid_start;
	int status;                      /* as waitpid gave it */
	bool has_exited, is_told;
	int64_t linger_until_ns;         /* 0: not waiting */
	struct stream out[2];            /* stdout (or the terminal) and stderr */
	struct watch in;                 /* what feeds the process; fd -1: none */
	bool in_ends;                    /* close it when in_queue is empty */
	struct buf in_queue;
	int master;                      /* for resize; owned by out[0] */
	struct list clients;
	bool is_blocked;
};
struct client {
	struct watch w;                  /* first */
	struct list link;                /* session.clients */
	struct session *session;
	char *name;
	bool wants_in, wants[2];         /* stdin; stdout, stderr */
	bool is_ending;                  /* closed when out is empty */
	struct detach detach;
	struct buf out;
	int64_t moved_ns;                /* when it last took something */
};
/* An empty session; 0 or -ENOMEM. */
int session_new(struct shim *s, const char *id, bool tty, struct session **ret);
/* Takes descriptors (-1: none): our ends of pipes, or the terminal's master as out. */
int session_streams(struct shim *s, struct session *x, int in, int out, int err, struct err *e);
/* Adds a client on a socket (taken also on failure). */
int session_attach(struct shim *s, struct session *x, int fd, const struct shim_request *q, struct err *e);
void session_exited(struct shim *s, struct session *x, int status);
/* Reads what is in the pipes now, without waiting for more. */
void session_drain(struct shim *s, struct session *x);
/* Input ends as soon as what waits is written. */
void session_end_input(struct shim *s, struct session *x);
/* All streams are at their end, and no client has output left. */
bool session_is_done(const struct session *x);
/* Closes streams; clients end when they have what waits for them. */
void session_finish(struct shim *s, struct session *x);
void session_free(struct shim *s, struct session *x);
int session_resize(struct session *x, uint16_t height, uint16_t width, struct err *e);
struct session *session_find(struct shim *s, const char *exec_id);
/* Descriptors for a new process and our ends of them. */
struct pipes {
	int theirs[3], ours[3];
};
int pipes_make(struct pipes *p, bool with_in, struct err *e);
void pipes_close_theirs(struct pipes *p);
void pipes_close(struct pipes *p);

/* --- backend.c, other.c: our runtime in this process, or another one as a program --- */
struct backend {
	int (*create)(struct shim *s, struct runtime_stdio *io, struct err *e);    /* fills s->proc */
	int (*start)(struct shim *s, struct err *e);
	int (*exec)(struct shim *s, const struct shim_request *q, struct arena *a, bool *ret_tty, struct runtime_stdio *io, struct runtime_proc *ret, struct err *e);
	int (*kill)(struct shim *s, int signal, bool all, struct err *e);
	int (*pause)(struct shim *s, bool paused, struct err *e);
	int (*update)(struct shim *s, struct slice resources, struct err *e);
	int (*pids)(struct shim *s, struct arena *a, pid_t **ret, uint32_t *n, struct err *e);
	int (*remove)(struct shim *s, bool force, struct err *e);
};
extern const struct backend backend_own, backend_other;

/* --- control.c --------------------------------------------------------------- */
struct control {
	struct watch w;                  /* first */
	struct list link;
	struct list queue;               /* messages that wait */
	size_t queued;
};
int control_add(struct shim *s, int fd);
int control_listen(struct shim *s, struct err *e);
void control_event(struct shim *s, const struct shim_message *m);
/* commands.c: does a request (fd: what came with it, taken) and fills the answer. */
void command_run(struct shim *s, const struct shim_request *q, int fd, struct arena *a, struct shim_message *answer);

/* --- setup.c ----------------------------------------------------------------- */
int setup_config(struct shim *s, const char *bundle, struct err *e);
/* Own session, cgroup, mount namespace, root file system, log. */
int setup_world(struct shim *s, struct err *e);
void setup_undo(struct shim *s);

/* --- life.c -------------------------------------------------------------------- */
/* The session of the container's own process is there before the process, so that clients can attach first. */
int life_session(struct shim *s, struct err *e);
int life_create(struct shim *s, struct err *e);
int life_start(struct shim *s, struct err *e);
int life_exec(struct shim *s, const struct shim_request *q, int fd, struct arena *a, pid_t *ret_pid, struct err *e);
int life_delete(struct shim *s, bool force, struct err *e);
/* Reaps what has died. */
void life_reap(struct shim *s);
/* What is due: lingering streams, finished sessions, the end. Milliseconds to the next, or -1. */
int life_tick(struct shim *s);
void life_oom(struct shim *s, struct watch *w, uint32_t events);

/* --- stats.c ------------------------------------------------------------------- */
int stats_read(struct shim *s, struct arena *a, struct shim_stats *ret, struct err *e);

enum shim_status { SHIM_NEW, SHIM_CREATED, SHIM_RUNNING, SHIM_PAUSED, SHIM_STOPPED, SHIM_DELETED };
struct shim {
	struct arena arena;              /* configuration; lives as long as the shim */
	const struct shim_config *config;
	const char *bundle;
	const struct backend *backend;
	enum runtime_cgroup_manager cgroup_manager;
	enum shim_status status;
	bool is_mounted;                 /* rootfs, in the host's namespace (shared_mounts) */
	bool tty;
	int epoll;
	struct watch child, listener, oom;
	uint64_t oom_kills;
	bool had_oom;
	struct runtime_proc proc;
	struct session *main;
	struct list sessions, controls;
	unsigned n_sessions, n_clients, n_controls;
	struct log log;
	int64_t started_ns, exited_ns;
	char *error;                     /* why it never ran */
	VEC(void *) later;               /* freed at the end of the turn */
	char data[SHIM_READ];            /* what a stream or client just gave */
	struct buf scratch;
	bool is_over;
};
int64_t pid_start_time(pid_t pid);
