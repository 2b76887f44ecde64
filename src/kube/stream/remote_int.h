/* SPDX-License-Identifier: Apache-2.0 */
/* What both sides of a remote command share. */
#pragma once
#include "http/spdy.h"
#include "kube/stream/channels.h"
#include "kube/stream/remote.h"

enum remote_stream { REMOTE_IN, REMOTE_OUT, REMOTE_ERR, REMOTE_ERROR, REMOTE_RESIZE, REMOTE_STREAMS };
extern const char *const remote_stream_types[REMOTE_STREAMS];   /* the streamType header's values; in the order of channel numbers */
extern const char *const remote_spdy_protocols[4];              /* v4 first */

struct remote_int {
	struct remote pub;
	struct loop *loop;
	bool client, told /* the final Status was sent */;
	struct channels *channels;      /* one of these two */
	struct spdy *spdy;
	struct spdy_stream *streams[REMOTE_STREAMS];
	unsigned n_streams;
	struct waitq opened_q;
	struct buf sizes;               /* of the resize stream, not yet a whole object */
};

struct remote_int *remote_int_new(struct loop *l, const struct remote_wants *w, bool client);
/* Frees at once what remote_close_wait closes in peace. */
void remote_int_free(struct remote_int *x);
/* Wraps a WebSocket; takes it. */
int remote_over_channels(struct remote_int *x, struct stream *ws, unsigned version, bool base64);
/* Wraps a connection that speaks SPDY; takes it. */
int remote_over_spdy(struct remote_int *x, struct stream *s, const char *protocol);
/* Puts the SPDY streams that are there into pub. */
void remote_name_streams(struct remote_int *x);
