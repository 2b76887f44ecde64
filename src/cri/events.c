/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GetContainerEvents: what happens to containers and sandboxes, to every
 * listener. The engine tells on the loop; a listener's queue is bounded, one
 * that is too slow is cut off and lists anew.
 */
#include <errno.h>

#include "cri/cri_int.h"

enum { QUEUE_MAX = 1000 };

struct note { char id[65], sandbox[65]; int32_t type; int64_t at_ns; };

struct watcher {
	struct list node;
	VEC(struct note) queue;
	bool is_late;
	struct waitq more;
};

static void tell(struct cri *x, const char *id, const char *sandbox, int32_t type)
{
	struct watcher *w;
	list_each(w, &x->watchers, node) {
		struct note n = { .type = type, .at_ns = loop_realtime_ns(x->loop) };
		fmt_into(n.id, sizeof n.id, "%s", id);
		fmt_into(n.sandbox, sizeof n.sandbox, "%s", sandbox);
		if (w->queue.n >= QUEUE_MAX || vec_push(&w->queue, n) < 0)
			w->is_late = true;
		waitq_wake_all(&w->more);
	}
}

static void on_container(void *arg, const char *id, const char *sandbox, const char *action)
{
	static const struct { const char *action; int32_t type; } rows[] = {
		{ "create", CRI_CONTAINER_CREATED_EVENT }, { "start", CRI_CONTAINER_STARTED_EVENT }, { "die", CRI_CONTAINER_STOPPED_EVENT },
		{ "destroy", CRI_CONTAINER_DELETED_EVENT },
	};
	if (!strcmp(action, "die"))
		sandbox_holder_ended(arg, sandbox, id);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!strcmp(rows[i].action, action))
			tell(arg, id, sandbox, rows[i].type);
}

void events_open(struct cri *x) { pod_listen(x->engine, on_container, x); }

void sandbox_event(struct cri *x, struct sandbox *s, int32_t type) { tell(x, s->rec.id, s->rec.id, type); }

static int send_wait(struct grpc_call *c, const struct note *n, struct err *e)
{
	struct cri *x = cri_of(c);
	AUTO(arena) struct arena a;
	AUTO(sandbox) struct sandbox *s = NULL;
	struct pod_view v;
	size_t pos = 0, room = 0;
	arena_init(&a, 16 << 20);
	struct cri_container_event_response p = { .container_id = n->id, .container_event_type = n->type, .created_at = n->at_ns };
	if (pod_sandbox_find(x, n->sandbox, &s, NULL) == 0) {
		p.pod_sandbox_status = arena_new(&a, struct cri_pod_sandbox_status);
		if (!p.pod_sandbox_status || sandbox_status_fill(x, s, &a, p.pod_sandbox_status, e) < 0)
			return err_nomem(e);
		while (pod_next(x->engine, &pos, &v))
			room += !strcmp(v.sandbox, n->sandbox);
		p.containers_statuses = arena_array(&a, room, sizeof *p.containers_statuses);
		pos = 0;
		while (p.containers_statuses && p.n_containers_statuses < room && pod_next(x->engine, &pos, &v))
			if (!strcmp(v.sandbox, n->sandbox) && (!s->rec.holder || strcmp(s->rec.holder, v.id)) &&
			    container_status_fill(x, &v, &a, &p.containers_statuses[p.n_containers_statuses], NULL) == 0)
				p.n_containers_statuses++;
	}
	return grpc_send_wait(c, &p, e);
}

STREAM(get_container_events)
{
	struct cri *x = cri_of(c);
	struct watcher w = { .is_late = false };
	int r = 0;
	waitq_init(&w.more);
	list_add_tail(&x->watchers, &w.node);
	while (r >= 0 && !w.is_late) {
		if (!w.queue.n) {
			r = waitq_wait(&w.more, -1);
			continue;
		}
		struct note n = w.queue.v[0];
		vec_remove(&w.queue, 0);
		r = send_wait(c, &n, e);
	}
	list_del(&w.node);
	vec_release(&w.queue);
	if (r == -ECANCELED)
		return err_set(e, ECANCELED, "the client has left");
	return w.is_late ? err_set(e, E2BIG, "the listener is too slow") : r;
}
