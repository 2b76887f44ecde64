/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The double of clock, waiting and network, for tests that need no sleeping:
 * a loop whose time stands still while anything can run and jumps to the next
 * timer when nothing can. Workers and children are waited for in real time,
 * without moving the clock. Descriptors work; what they have ready counts as
 * "can run".
 */
#pragma once
#include "io/loop.h"
#include "io/stream.h"

/* A loop that starts at monotonic 1 s, realtime 2020-01-01T00:00:00Z. loop_run returns -EDEADLK when nothing can ever happen. */
int sim_loop_new(struct loop **ret, struct err *e);
/* Moves the clock by hand, as if a turn had taken that long. */
void sim_advance(struct loop *l, int64_t ns);

/* A network of named places: listening is taking a name, connecting gives a stream_pair. */
struct sim_net;
int sim_net_new(struct loop *l, size_t buffer_bytes, struct sim_net **ret);
void sim_net_free(struct sim_net *n);
/* accepted is called on the loop, without a fiber, and owns s. */
int sim_net_listen(struct sim_net *n, const char *name, void (*accepted)(void *arg, struct stream *s), void *arg);
int sim_net_connect(struct sim_net *n, const char *name, struct stream **ret);    /* -ECONNREFUSED when nobody listens */
