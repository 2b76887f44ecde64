/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's side of the dns process (doc/format/dns.md): a fiber that keeps
 * a connection to RUN/dns.sock, brings the process to the wanted state whenever
 * either of the two was restarted, and passes on changes. Nothing is kept here
 * but which containers have changed: what is wanted is asked of the source.
 */
#pragma once
#include "api/dns.h"
#include "base/arena.h"
#include "io/loop.h"

struct dns_client;
struct dns_source {
	void *arg;
	/* Fills a `set` request (memory in a) and returns true when the container wants names resolved, else false. */
	bool (*describe)(void *arg, const char *container, struct arena *a, struct dns_request *ret);
	/* Opens the container's sockets. 0 or -errno. */
	int (*sockets_wait)(void *arg, const char *container, int fds[2]);
	/* Calls fn for every container that may want names resolved; fn does not suspend. */
	void (*each)(void *arg, void (*fn)(void *fn_arg, const char *container), void *fn_arg);
};
/* program: coracled, started when nobody answers; NULL never. Strings are copied. */
int dns_client_new(struct loop *l, const char *run, const char *program, const struct dns_source *source, struct dns_client **ret);
void dns_client_free(struct dns_client *c);
/* For `down`: the process ends. 0 also when there is none. */
int dns_client_stop_wait(struct dns_client *c);
/* Says that a container's wants have changed and waits until the process knows, or timeout_ns has passed (-ETIMEDOUT; it is done later). */
int dns_client_sync_wait(struct dns_client *c, const char *container, int64_t timeout_ns);
