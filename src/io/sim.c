// SPDX-License-Identifier: Apache-2.0
/* Simulated time and network; see sim.h. */
#include "io/sim.h"
#include <errno.h>
#include "base/clock.h"
#include "base/map.h"
#include "io/loop_int.h"

struct sim {
	int64_t monotonic_ns, realtime_ns;
};

static int64_t sim_monotonic(void *ctx) { return ((struct sim *)ctx)->monotonic_ns; }
static int64_t sim_realtime(void *ctx) { return ((struct sim *)ctx)->realtime_ns; }

static void advance(struct sim *x, int64_t ns)
{
	x->monotonic_ns += ns;
	x->realtime_ns += ns;
}

static int sim_wait(void *ctx, struct loop *l, struct epoll_event *ev, int n, int64_t timeout_ns)
{
	bool outside = l->n_jobs || l->n_children;
	int r = loop_os_wait(NULL, l, ev, n, 0);

	if (r != 0 || timeout_ns == 0)
		return r;
	if (outside)
		return loop_os_wait(NULL, l, ev, n, -1);
	if (timeout_ns < 0)
		return l->n_signals ? loop_os_wait(NULL, l, ev, n, -1) : -EDEADLK;
	advance(ctx, timeout_ns);
	return 0;
}

static const struct loop_os sim_os = { sim_monotonic, sim_realtime, sim_wait };

int sim_loop_new(struct loop **ret, struct err *e)
{
	struct sim *x = calloc(1, sizeof *x);

	if (!x)
		return err_nomem(e);
	x->monotonic_ns = NS_PER_S;
	x->realtime_ns = 1577836800 * NS_PER_S;
	int r = loop_new_os(&sim_os, x, ret, e);
	if (r < 0)
		free(x);
	else
		(*ret)->owns_ctx = true;
	return r;
}

void sim_advance(struct loop *l, int64_t ns)
{
	advance(l->os_ctx, ns);
	l->now_ns = l->os->monotonic_ns(l->os_ctx);
}

struct place {
	void (*accepted)(void *arg, struct stream *s);
	void *arg;
};
struct sim_net {
	struct loop *loop;
	size_t buffer_bytes;
	struct map places;
};

int sim_net_new(struct loop *l, size_t buffer_bytes, struct sim_net **ret)
{
	struct sim_net *n = calloc(1, sizeof *n);

	if (!n)
		return -ENOMEM;
	n->loop = l;
	n->buffer_bytes = buffer_bytes;
	map_init(&n->places);
	*ret = n;
	return 0;
}

void sim_net_free(struct sim_net *n)
{
	struct map_entry *m;
	size_t pos = 0;

	if (!n)
		return;
	while ((m = map_next(&n->places, &pos)))
		free(m->value);
	map_release(&n->places);
	free(n);
}

int sim_net_listen(struct sim_net *n, const char *name, void (*accepted)(void *arg, struct stream *s), void *arg)
{
	struct place *p = calloc(1, sizeof *p);
	int r;

	if (!p)
		return -ENOMEM;
	*p = (struct place){ accepted, arg };
	r = map_gets(&n->places, name) ? -EADDRINUSE : map_sets(&n->places, name, p);
	if (r < 0)
		free(p);
	return r;
}

int sim_net_connect(struct sim_net *n, const char *name, struct stream **ret)
{
	struct place *p = map_gets(&n->places, name);
	struct stream *theirs;
	int r;

	if (!p)
		return -ECONNREFUSED;
	r = stream_pair(n->loop, n->buffer_bytes, ret, &theirs);
	if (r == 0)
		p->accepted(p->arg, theirs);
	return r;
}
