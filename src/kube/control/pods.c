// SPDX-License-Identifier: Apache-2.0
/* Children: claiming them, making pods from a template, and which pods go first. */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "kube/control/control_int.h"

/* --- adoption and release */

/* Before anything is adopted: the owner itself, not the cache, must say that it is still the same and not on its way out. */
static int may_adopt_wait(struct sync *s, const struct owner *o, int *known, struct err *e)
{
	struct kube_head *live;

	if (*known <= 0)
		return *known;
	live = arena_alloc(&s->a, schema_size(o->r->type));
	*known = live ? kclient_get_wait(s->c->client, o->r, o->m->namespace, o->m->name, &s->a, live, e) : err_nomem(e);
	if (*known == 0 && (!text_eq(live->metadata.uid, o->m->uid) || kube_is_deleting(&live->metadata)))
		*known = err_set(e, ESTALE, "%s %s has been deleted and is not adopting", o->r->kind, o->key);
	return *known;
}

static int adopt_wait(struct sync *s, const struct kube_resource *r, const struct owner *o, const struct kube_head *h, struct err *e)
{
	struct kube_object_meta m = h->metadata;
	struct kube_owner_reference *refs = arena_array(&s->a, m.n_owner_references + 1, sizeof *refs), *ref = kube_controller_ref(&s->a, o->r, o->m);

	if (!refs || !ref)
		return err_nomem(e);
	if (m.n_owner_references)
		memcpy(refs, m.owner_references, m.n_owner_references * sizeof *refs);
	refs[m.n_owner_references++] = *ref;
	m.owner_references = refs;
	return update_meta_wait(s, r, h, &m, NULL, e);
}

static int release_wait(struct sync *s, const struct kube_resource *r, const struct owner *o, const struct kube_head *h, struct err *e)
{
	struct kube_object_meta m = h->metadata;
	struct kube_owner_reference *refs = arena_array(&s->a, m.n_owner_references, sizeof *refs);
	uint32_t n = 0;

	if (!refs)
		return err_nomem(e);
	for (uint32_t i = 0; i < m.n_owner_references; i++)
		if (!text_eq(m.owner_references[i].uid, o->m->uid))
			refs[n++] = m.owner_references[i];
	m.owner_references = refs;
	m.n_owner_references = n;
	return update_meta_wait(s, r, h, &m, NULL, e);
}

int claim_wait(struct sync *s, struct informer *i, const struct owner *o, struct objects *ret, struct err *e)
{
	const struct kube_resource *r = informer_resource(i);
	struct objects own, orphans;
	int may_adopt = 1, rc;
	uint32_t n = 0;

	rc = sync_list(s, i, "controller", o->m->uid, &own);
	if (rc == 0)
		rc = sync_list(s, i, "orphans", o->m->namespace, &orphans);
	ret->v = rc < 0 ? NULL : arena_array(&s->a, own.n + orphans.n, sizeof(void *));
	if (!ret->v)
		return err_sys(e, rc < 0 ? rc : -ENOMEM, "listing %s of %s", r->plural, o->key);
	for (uint32_t k = 0; k < own.n; k++) {
		const struct kube_head *h = own.v[k];

		if (selector_matches(&o->selector, h->metadata.labels, h->metadata.n_labels)) {
			ret->v[n++] = own.v[k];
		} else if (!kube_is_deleting(o->m)) {
			rc = release_wait(s, r, o, h, e);
			if (rc < 0 && rc != -ENOENT)
				return rc;
		}
	}
	for (uint32_t k = 0; k < orphans.n && !kube_is_deleting(o->m); k++) {
		const struct kube_head *h = orphans.v[k];

		if (kube_is_deleting(&h->metadata) || !selector_matches(&o->selector, h->metadata.labels, h->metadata.n_labels))
			continue;
		rc = may_adopt_wait(s, o, &may_adopt, e);
		if (rc == 0)
			rc = adopt_wait(s, r, o, h, e);
		if (rc == -ENOENT)
			continue;
		if (rc < 0)
			return rc;
		ret->v[n++] = orphans.v[k];
	}
	ret->n = n;
	return 0;
}

/* --- pods */

struct kube_pod *pod_of_template(struct sync *s, const struct owner *o, const struct kube_pod_template_spec *t, const char *name)
{
	struct kube_pod *p = arena_new(&s->a, struct kube_pod);
	struct kube_object_meta *m;

	if (!p)
		return NULL;
	m = &p->metadata;
	m->name = name;
	/* Room for the suffix: a name may be 253 long, but what is generated is cut. */
	m->generate_name = name ? NULL : arena_fmt(&s->a, "%.200s-", o->m->name);
	m->namespace = o->m->namespace;
	m->labels = t->metadata.labels;
	m->n_labels = t->metadata.n_labels;
	m->annotations = t->metadata.annotations;
	m->n_annotations = t->metadata.n_annotations;
	m->finalizers = t->metadata.finalizers;
	m->n_finalizers = t->metadata.n_finalizers;
	m->owner_references = kube_controller_ref(&s->a, o->r, o->m);
	m->n_owner_references = 1;
	p->spec = t->spec;
	return m->owner_references && (m->name || m->generate_name) ? p : NULL;
}

int control_pod_create_wait(struct sync *s, const struct owner *o, struct kube_pod *p, struct expects *x, struct err *e)
{
	struct kube_pod *made = arena_new(&s->a, struct kube_pod);
	const struct kube_resource *pods = kube_resource_find("", "v1", "pods");
	int r;

	if (!made)
		return err_nomem(e);
	r = kclient_create_wait(s->c->client, pods, o->m->namespace, p, &s->a, made, e);
	if (r < 0) {
		if (!is_namespace_ending(e) && r != -ECANCELED)
			kevents_add(s->k->events, o->r, o->m, NULL, "Warning", "FailedCreate", "Error creating: %s", e->text);
		return r;
	}
	if (x)
		expects_wrote(x, o->key, &made->metadata);
	kevents_add(s->k->events, o->r, o->m, NULL, "Normal", "SuccessfulCreate", "Created pod: %s", made->metadata.name);
	return 0;
}

int control_pod_delete_wait(struct sync *s, const struct owner *o, const struct kube_pod *p, struct expects *x, struct err *e)
{
	struct kube_preconditions pre = { .uid = p->metadata.uid };
	struct kube_delete_options d = { .preconditions = &pre };
	int r = kclient_delete_wait(s->c->client, kube_resource_find("", "v1", "pods"), p->metadata.namespace, p->metadata.name, &d, e);

	if (r < 0 && r != -ENOENT && r != -EBUSY) {
		if (r != -ECANCELED)
			kevents_add(s->k->events, o->r, o->m, NULL, "Warning", "FailedDelete", "Error deleting: %s", e->text);
		return r;
	}
	if (x)
		expects_deleted(x, o->key, &p->metadata);
	if (r == 0)
		kevents_add(s->k->events, o->r, o->m, NULL, "Normal", "SuccessfulDelete", "Deleted pod: %s", p->metadata.name);
	return 0;
}

/* --- which goes first */

static int phase_rank(const struct kube_pod *p)
{
	const char *phase = p->status.phase ? p->status.phase : "";

	return !strcmp(phase, "Pending") ? 0 : !strcmp(phase, "Running") ? 2 : 1;
}

static int64_t deletion_cost(const struct kube_pod *p)
{
	const char *text = kube_annotation(&p->metadata, "controller.kubernetes.io/pod-deletion-cost");
	int64_t cost = 0;

	if (text)
		num_parse_i64(slice_of(text), INT32_MIN, INT32_MAX, &cost);
	return cost;
}

static int64_t ready_since(const struct kube_pod *p)
{
	const struct kube_pod_condition *c = kube_pod_condition(p, "Ready");

	return c && text_eq(c->status, "True") ? kube_time_ns(c->last_transition_time) : 0;
}

static int64_t most_restarts(const struct kube_pod *p)
{
	int64_t most = 0;

	for (uint32_t i = 0; i < p->status.n_container_statuses; i++)
		most = MAX(most, (int64_t)p->status.container_statuses[i].restart_count);
	return most;
}

/* Ages count by their order of magnitude, so that of pods of about one age none is always the victim. */
static int age_class(int64_t since_ns, int64_t now_ns)
{
	int64_t s = since_ns && now_ns > since_ns ? (now_ns - since_ns) / NS_PER_S : 0;
	int n = 0;

	while (s) {
		s >>= 1;
		n++;
	}
	return n;
}

struct ranked {
	const struct kube_pod *p;
	unsigned rank;
	int64_t now_ns;
};

#define LESS_FIRST(a, b) do { if ((a) != (b)) return (a) < (b) ? -1 : 1; } while (0)
static int deletion_order(const void *va, const void *vb)
{
	const struct ranked *a = va, *b = vb;
	const struct kube_pod *p = a->p, *q = b->p;
	bool p_ready = kube_pod_is_ready(p), q_ready = kube_pod_is_ready(q);

	LESS_FIRST(p->spec.node_name && *p->spec.node_name, q->spec.node_name && *q->spec.node_name);
	LESS_FIRST(phase_rank(p), phase_rank(q));
	LESS_FIRST(p_ready, q_ready);
	LESS_FIRST(deletion_cost(p), deletion_cost(q));
	LESS_FIRST(b->rank, a->rank);
	if (p_ready && q_ready)
		LESS_FIRST(age_class(ready_since(p), a->now_ns), age_class(ready_since(q), a->now_ns));
	LESS_FIRST(most_restarts(q), most_restarts(p));
	LESS_FIRST(age_class(kube_time_ns(p->metadata.creation_timestamp), a->now_ns), age_class(kube_time_ns(q->metadata.creation_timestamp), a->now_ns));
	return strcmp(p->metadata.uid ? p->metadata.uid : "", q->metadata.uid ? q->metadata.uid : "");
}

void pods_sort_for_deletion(const struct kube_pod **v, uint32_t n, const unsigned *ranks, int64_t now_ns)
{
	AUTO(free) struct ranked *r = calloc(n ? n : 1, sizeof *r);

	/* Without memory any order will do. */
	if (!r || n < 2)
		return;
	for (uint32_t i = 0; i < n; i++)
		r[i] = (struct ranked){ v[i], ranks ? ranks[i] : 0, now_ns };
	qsort(r, n, sizeof *r, deletion_order);
	for (uint32_t i = 0; i < n; i++)
		v[i] = r[i].p;
}
