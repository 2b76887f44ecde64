/* SPDX-License-Identifier: Apache-2.0 */
/* The kubelet's API on its TLS port; logs.c and stats.c answer parts of it. */
#pragma once
#include "http/server.h"
#include "kube/node/node.h"
#include "kube/node/node_int.h"

struct node_server;
int node_server_new(struct node *n, struct kclient *client, const struct node_config *c, struct node_server **ret, struct err *e);
void node_server_free(struct node_server *s);
/* The node that a request is for. */
struct node *server_node(const struct http_request *r);

/* logs.c: one container's log as text. */
struct log_options {
	bool follow, timestamps;
	int64_t tail;                  /* lines from the end; -1 all */
	int64_t since_ns;              /* realtime; 0 all */
	int64_t limit_bytes;           /* -1 none */
	const char *stream;            /* NULL both; "stdout" or "stderr" */
};
/* Writes the log files that begin with path (rotated ones first) to the request. runs() says whether more may come. Suspends. */
int logs_send_wait(struct http_request *r, const char *path, const struct log_options *o, bool (*runs)(void *arg), void *arg, struct err *e);
/* One line of a log in CRI's format; false when it is none. */
struct log_line { struct slice time, stream, text; bool is_partial; };
bool log_line_parse(struct slice line, struct log_line *ret);

/* stats.c */
int stats_summary_wait(struct http_request *r, struct err *e);
int stats_metrics_wait(struct http_request *r, struct err *e);            /* /metrics */
int stats_resource_wait(struct http_request *r, struct err *e);           /* /metrics/resource */
