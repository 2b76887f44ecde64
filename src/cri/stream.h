/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CRI streaming server: plain HTTP on a loopback port of its own, where
 * the URLs that Exec, Attach and PortForward answer with are served:
 * /exec/TOKEN, /attach/TOKEN, /portforward/TOKEN. A token is random, good for
 * one use and one minute. What is behind it is the seam below; main/ or the
 * CRI server fills it with the engine.
 */
#pragma once
#include "kube/stream/remote.h"

enum cri_stream_kind { CRI_STREAM_EXEC, CRI_STREAM_ATTACH, CRI_STREAM_PORT_FORWARD };
struct cri_stream_request {
	enum cri_stream_kind kind;
	const char *id;                /* container; sandbox for port-forward */
	const char *const *cmd;        /* exec: n_cmd words */
	size_t n_cmd;
	struct remote_wants wants;     /* exec, attach; at least one of in, out, err; no err with tty */
	const uint16_t *ports;         /* port-forward: as CRI's request names them; may be none */
	size_t n_ports;
};

struct cri_stream_ops {
	/*
	 * Runs q->cmd: copies io->in to it and half-closes behind its end, output to io->out and io->err, follows remote_size_wait(io). Returns
	 * when the command has ended and its output is written: 0 and *exit_code; or < 0 and e when it could not be run. Should end
	 * when remote_gone(io). Does not close io. In a fiber.
	 */
	int (*exec_wait)(void *arg, const struct cri_stream_request *q, struct remote *io, int *exit_code, struct err *e);
	/* Joins the container's streams likewise, until it ends or the client goes. */
	int (*attach_wait)(void *arg, const struct cri_stream_request *q, struct remote *io, struct err *e);
	/* A TCP connection to localhost:port inside the sandbox's network namespace. */
	int (*connect_wait)(void *arg, const char *sandbox_id, unsigned port, struct stream **ret, struct err *e);
};

struct cri_streams;
/* Listens on 127.0.0.1, any free port. ops and arg outlive it. */
int cri_streams_new(struct loop *l, const struct cri_stream_ops *ops, void *arg, struct cri_streams **ret, struct err *e);
void cri_streams_free(struct cri_streams *s);
/* Serves one connection (taken) as if it had come to that port. */
int cri_streams_serve(struct cri_streams *s, struct stream *stream);
enum { CRI_STREAM_URL_MAX = 128 };
/* Keeps a copy of q for one use within a minute and writes its URL. -EINVAL for a request that asks for nothing, -EBUSY past 1,000. */
int cri_streams_url(struct cri_streams *s, const struct cri_stream_request *q, char url[CRI_STREAM_URL_MAX], struct err *e);
