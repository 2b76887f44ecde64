/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A person (or a pipe) connected to a container's streams: standard input goes
 * in, with detach keys; output comes out, framed or raw; the terminal is in raw
 * mode meanwhile and its size follows; signals are passed on.
 */
#pragma once
#include "cli/api.h"
#include "io/stream.h"

struct session {
	struct cli *c;
	struct stream *conn;
	bool tty;                    /* raw stream, and our terminal is made raw */
	bool input;                  /* standard input is attached */
	const char *keys;            /* "ctrl-p,ctrl-q" */
	const char *resize_path;     /* "/containers/ID" or "/exec/ID"; NULL: no resizing */
	const char *kill_path;       /* "/containers/ID": signals go there; NULL: they do not */
	bool detached;               /* the detach keys were typed */
	struct fiber *reader;
	uint8_t key_bytes[16];
	size_t n_keys, matched;
};
/* Checks "ctrl-a,b" and the like; -EINVAL. */
int session_keys_parse(const char *keys, uint8_t bytes[16], size_t *ret_n, struct err *e);
/* The keys in force: --detach-keys, config.json, the default ("" for the engine's). */
const char *session_keys(struct cli *c);
/* Signals and window size from now on; before start. */
void session_begin(struct session *s);
/* Sends the window's size now. May suspend. */
void session_resize_wait(struct session *s);
/* Copies until the output ends or the keys were typed; 0 or -errno. */
int session_run_wait(struct session *s, struct err *e);
void session_end(struct session *s);

/* Output of the multiplexed form (8-byte frames) to stdout and stderr; read gives bytes, 0 at the end. */
typedef ssize_t (*session_read_fn)(void *arg, void *p, size_t n);
int session_demux_wait(session_read_fn read, void *arg, bool raw, struct err *e);
/* "the input device is not a TTY" where it has to be one. */
int session_check_tty(struct cli *c, bool input, bool tty, struct err *e);
