/* SPDX-License-Identifier: Apache-2.0 */
/* Between server.c (ears, connections, own answers) and forward.c (questions under way to others). */
#pragma once
#include <sys/socket.h>
#include "base/list.h"
#include "dns/message.h"
#include "dns/server.h"

enum { FLIGHTS_MOST = 1024, EAR_FLIGHTS_MOST = 256, CLUSTER_FLIGHTS_MOST = 768, EAR_CONNS_MOST = 16, CLUSTER_CONNS_MOST = 256, UPSTREAMS_MOST = 3, UPSTREAM_WAIT_MS = 2000, CONN_IDLE_S = 10 };

struct ear {
	struct dns_server *server;
	char container[80];
	struct watch udp, tcp;
	struct list conns, flights;
	unsigned n_conns, n_flights;
	bool is_cluster;
};
/* A TCP connection of a container: one question at a time. */
struct conn {
	struct list node;
	struct ear *ear;
	struct watch watch;
	struct timer idle;
	struct buf in, out;
	bool asking;                    /* a flight is under way for it */
	bool working;                   /* conn_questions is on the stack */
};
struct dns_server {
	struct loop *loop;
	struct dns_seams seams;
	struct dns_names names;
	struct map ears;
	struct dns_zone *zone;          /* of the cluster's ear */
	unsigned n_flights;
};
/* Who asked. */
struct asker {
	struct ear *ear;
	struct conn *conn;              /* NULL: by datagram, from: */
	struct sockaddr_storage from;
	socklen_t from_len;
};
void asker_reply(const struct asker *a, const void *p, size_t n);
void asker_fail(const struct asker *a, const void *query, const struct dns_query *q, unsigned rcode);
/* Works off whole questions that wait in a connection, as long as none is under way. */
void conn_questions(struct conn *c);
/* Sends the question on; replies by itself, sooner or later, whatever happens. */
void forward(const struct asker *a, const void *query, size_t n, const struct dns_query *q);
/* Ends flights of an ear: all (conn NULL), or those of a connection that is going. */
void forward_cancel(struct ear *ear, const struct conn *conn);
