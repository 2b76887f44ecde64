/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What users call (reads, writes, closes) changes state and queues frames, but
 * tells nobody: waiters are told and events given by calls of the loop, so
 * that nothing is freed or entered twice under somebody's feet. A stream is
 * counted: by the connection until both directions are over, by its holder.
 *
 * Frames, section 2.2 of the draft:
 *   control  1|version:15  type:16   flags:8 length:24   payload
 *   data     0|stream:31             flags:8 length:24   bytes
 */
#pragma once
#include "base/assert.h"
#include "http/spdy.h"

enum { SYN_STREAM = 1, SYN_REPLY, RST_STREAM, SETTINGS, PING = 6, GOAWAY, HEADERS, WINDOW_UPDATE };
enum { FLAG_FIN = 1, FLAG_UNIDIRECTIONAL = 2, SETTING_MAX_STREAMS = 4, SETTING_WINDOW = 7 };
enum { DEFAULT_WINDOW = 64 * 1024, WINDOW = 256 * 1024, IN_MAX = WINDOW + 32 * 1024, BUFFERED_MAX = 8 * 1024 * 1024, FRAME_MAX = 16 * 1024,
	BATCH = 16 * 1024, OUT_DATA_MAX = 64 * 1024, OUT_STOP_READING = 192 * 1024, OUT_MAX = 512 * 1024, CONTROL_MAX = 64 * 1024,
	STREAMS_MAX = 1024, ID_MAX = 0x7fffffff };

struct spdy {
	struct stream *under;           /* NULL once dead */
	struct loop *loop;
	const struct spdy_events *events;
	void *arg;
	struct list streams, touched;
	unsigned n_live, n_over, busy;
	bool server, going, dead, told, freed, posted, clean;
	bool goaway_in, goaway_out, finished /* nothing more is sent */, windows /* the peer does flow control */;
	struct loop_call call;
	struct waitq gone_q, out_q;
	struct spdy_block *encode, *decode;
	uint32_t next_id, last_id;      /* ours to come, the peer's last */
	int64_t send_window, initial_window;
	size_t received, buffered;
	/* the frame being read */
	unsigned char head[8];
	unsigned head_n;
	bool in_frame, control;
	uint32_t type, flags, id;
	size_t left;
	struct buf payload;
	struct buf out;                 /* frames that the stream below has not taken yet */
	uint64_t queued, sent;          /* bytes that went into out and left it, ever */
};

/* --- spdy.c: the connection, and frames out */
/* Has the loop tell what was touched, soon. */
void spdy_later(struct spdy *c);
void spdy_touch(struct spdy_stream *st, unsigned what);
void spdy_touch_all(struct spdy_stream *st);
void spdy_die(struct spdy *c, bool clean);
void spdy_flush(struct spdy *c);
void spdy_put_words(struct spdy *c, unsigned n, const uint32_t *w);
void spdy_put_rst(struct spdy *c, uint32_t id, uint32_t status);
void spdy_put_window(struct spdy *c, uint32_t id, size_t n);
void spdy_put_goaway(struct spdy *c, uint32_t status);
void spdy_put_data(struct spdy *c, uint32_t id, const void *p, size_t n, bool fin);
static inline uint32_t spdy_control_word(unsigned type) { return 0x80030000u | type; }

/* --- spdy_stream.c */
struct spdy_stream *spdy_st_new(struct spdy *c, uint32_t id, bool ours);
void spdy_st_unref(struct spdy_stream *st);
/* The open stream of this number, or NULL. */
struct spdy_stream *spdy_st_find(struct spdy *c, uint32_t id);
/* Resets it. */
void spdy_st_end(struct spdy_stream *st, uint32_t status);
static inline bool spdy_st_over(const struct spdy_stream *st) { return st->reset || (st->in_ended && st->out_ended); }

/* --- spdy_in.c */
void spdy_parse(struct spdy *c, const unsigned char *p, size_t n);
