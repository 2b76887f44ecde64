/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node's own fibers: events of the runtime to the workers they concern,
 * and, once at start, the end of what runs for pods that are no more.
 */
#include "kube/node/node_int.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/vec.h"

void node_init(struct node *n, struct loop *l, const struct node_settings *s, struct node_runtime *rt, struct node_api *api)
{
	*n = (struct node){ .loop = l, .set = *s, .rt = rt, .api = api };
	list_init(&n->workers);
	map_init(&n->by_uid);
	fmt_into(n->runtime_name, sizeof n->runtime_name, "cri");
}

static void cancel(struct pod_worker *w)
{
	struct container_memory *m;

	kills_cancel(w);
	list_each(m, &w->memories, node)
		probes_stop(m);
	if (w->builder)
		fiber_cancel(w->builder);
	if (w->publisher)
		fiber_cancel(w->publisher);
	if (w->fiber)
		fiber_cancel(w->fiber);
}

void node_stop(struct node *n)
{
	struct pod_worker *w;

	n->is_stopping = true;
	list_each(w, &n->workers, node)
		cancel(w);
}

/* --- events -------------------------------------------------------------------------------------------------- */

static void on_event(void *arg, const struct cri_container_event_response *ev)
{
	const struct cri_pod_sandbox_status *s = ev->pod_sandbox_status;
	workers_stale(arg, s && s->metadata && s->metadata->uid && *s->metadata->uid ? s->metadata->uid : NULL);
}

void node_events_main(void *arg)
{
	struct node *n = arg;
	int64_t pause = NS_PER_S / 5;

	while (!n->is_stopping) {
		struct err e = { 0 };
		int64_t began = loop_monotonic_ns(n->loop);
		int r = n->rt->events_wait(n->rt, on_event, n, &e);
		if (r == -ECANCELED)
			break;
		bool none = r == -ENOSYS || r == -EOPNOTSUPP;
		if (none && !n->has_no_events)
			log_warn("the runtime has no events: looking each second", "error=%s", e.text);
		n->has_no_events = none;
		if (loop_monotonic_ns(n->loop) - began > 10 * NS_PER_S)
			pause = NS_PER_S / 5;
		if (sleep_wait(none ? NS_PER_S : pause) < 0)
			break;
		if (!none)
			pause = MIN(pause * 2, 5 * NS_PER_S);
		workers_stale(n, NULL);          /* something may have been missed */
	}
}

/* --- leftovers ----------------------------------------------------------------------------------------------- */

struct orphan { char *uid, *ns, *name; int64_t grace_s; };
typedef VEC(struct orphan) orphans;

static bool has_orphan(const orphans *v, const char *uid)
{
	for (size_t i = 0; i < v->n; i++)
		if (!strcmp(v->v[i].uid, uid))
			return true;
	return false;
}

static int add_orphan(orphans *v, const char *uid, const char *ns, const char *name)
{
	return vec_push(v, (struct orphan){ slice_dup(slice_of(uid)), slice_dup(slice_of(ns)), slice_dup(slice_of(name)), 30 });
}

static int find_sandboxes_wait(struct node *n, orphans *v, struct err *e)
{
	struct cri_list_pod_sandbox_request q = { 0 };
	struct cri_list_pod_sandbox_response p = { 0 };
	struct arena a;

	arena_init(&a, POD_ARENA_MAX);
	int r = n->rt->call_wait(n->rt, CRI_LIST_SANDBOXES, &q, &a, &p, 0, e);
	for (uint32_t i = 0; r >= 0 && i < p.n_items; i++) {
		const struct cri_pod_sandbox *s = &p.items[i];
		const char *uid = schema_pair_get(s->labels, s->n_labels, "io.kubernetes.pod.uid");
		/* without the label somebody else made it (crictl): not ours to end */
		if (uid && s->metadata && !worker_find_uid(n, uid) && !has_orphan(v, uid))
			r = add_orphan(v, uid, s->metadata->namespace ? s->metadata->namespace : "", s->metadata->name ? s->metadata->name : "");
	}
	arena_release(&a);
	return r < 0 ? r : 0;
}

struct scan_job { const char *dir; VEC(char *) names; };

static int scan(void *arg)
{
	struct scan_job *j = arg;
	DIR *d = opendir(j->dir);
	struct dirent *x;

	while (d && (x = readdir(d)))
		if (x->d_name[0] != '.')
			vec_push(&j->names, slice_dup(slice_of(x->d_name)));
	if (d)
		closedir(d);
	return 0;
}

static void find_folders_wait(struct node *n, orphans *v)
{
	struct scan_job j = { .dir = n->set.pods_dir };

	job_wait(scan, &j);
	for (size_t i = 0; i < j.names.n; i++) {
		if (j.names.v[i] && !worker_find_uid(n, j.names.v[i]) && !has_orphan(v, j.names.v[i]))
			add_orphan(v, j.names.v[i], "", "");
		free(j.names.v[i]);
	}
	vec_release(&j.names);
}

static int end_orphan_wait(struct node *n, const struct orphan *o, struct err *e)
{
	int r = runtime_pod_stop_wait(n->rt, o->uid, o->grace_s, e);

	if (r >= 0)
		r = runtime_pod_remove_wait(n->rt, o->uid, e);
	if (r >= 0)
		r = volumes_teardown_wait(&n->set, o->uid, true, e);
	if (r >= 0 && *o->name)
		r = logs_remove_wait(&n->set, o->ns, o->name, o->uid, e);
	if (r >= 0)
		cgroup_remove_wait(&n->set, o->uid);
	return r;
}

int node_adopt_wait(struct node *n, struct err *e)
{
	orphans v = { 0 };
	int r = find_sandboxes_wait(n, &v, e);

	if (r >= 0)
		find_folders_wait(n, &v);
	for (size_t i = 0; i < v.n; i++) {
		struct err why = { 0 };
		/* it may have come meanwhile */
		if (r >= 0 && !worker_find_uid(n, v.v[i].uid)) {
			log_info("ending what is left of a pod that is no more", "pod=%s/%s uid=%s", v.v[i].ns, v.v[i].name, v.v[i].uid);
			if (end_orphan_wait(n, &v.v[i], &why) < 0)
				log_warn("leftovers of a pod stay", "uid=%s error=%s", v.v[i].uid, why.text);
		}
		free(v.v[i].uid);
		free(v.v[i].ns);
		free(v.v[i].name);
	}
	vec_release(&v);
	return r;
}
