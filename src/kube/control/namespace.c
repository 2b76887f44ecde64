// SPDX-License-Identifier: Apache-2.0
/*
 * Namespaces that end: pods first, then everything else that lives in them,
 * built in or custom; when nothing is left, the finalizer goes and the API
 * server drops the namespace. What stays behind is told by conditions.
 */
#include <errno.h>

#include "base/clock.h"
#include "kube/control/control_int.h"

enum { ANSWER_MAX = 64 * 1024 * 1024, KINDS_TOLD_MAX = 10 };
static const int64_t AGAIN_NS = NS_PER_S;

struct state { struct informer *namespaces, *pods, *crds; };

/* What the content came to. */
struct tally {
	unsigned remaining, failures;
	struct buf left, finalizers;         /* sentences' parts */
	unsigned n_left, n_finalizers;
	struct err first;
};

static int count_wait(struct sync *s, const char *target, struct kube_partial_object_metadata_list *ret, struct err *e)
{
	AUTO(buf) struct buf out = BUF_INIT(ANSWER_MAX);
	int status, r = kclient_raw_wait(s->c->client, "GET", target, NULL, slice_n(NULL, 0), &status, &out, e);

	*ret = (struct kube_partial_object_metadata_list){ 0 };
	if (r < 0)
		return r;
	if (status == 404 || status == 405)
		return 0;
	if (status != 200)
		return err_set(e, EIO, "listing %s: the API server answered %d", target, status);
	return schema_from_json(T_kube_partial_object_metadata_list, buf_slice(&out), 0, &s->a, ret, e);
}

static void tell_finalizers(struct tally *t, const struct kube_partial_object_metadata_list *l)
{
	for (uint32_t i = 0; i < l->n_items; i++)
		for (uint32_t f = 0; f < l->items[i].metadata.n_finalizers; f++) {
			const char *name = l->items[i].metadata.finalizers[f];
			unsigned n = 0;
			bool first = true;

			for (uint32_t k = 0; k < l->n_items; k++)
				if (kube_has_finalizer(&l->items[k].metadata, name)) {
					first &= k >= i;
					n++;
				}
			if (first && t->n_finalizers++ < KINDS_TOLD_MAX)
				buf_addf(&t->finalizers, "%s%s in %u resource instances", t->finalizers.len ? ", " : "", name, n);
		}
}

/* Removes what there is of one resource; counts what is still there. */
static void empty_wait(struct sync *s, const char *ns, const char *group, const char *version, const char *plural, struct tally *t)
{
	AUTO(buf) struct buf target = BUF_INIT(2048);
	AUTO(buf) struct buf out = BUF_INIT(ANSWER_MAX);
	struct kube_resource r = { .group = group, .version = version, .plural = plural, .namespaced = true };
	struct kube_partial_object_metadata_list l;
	struct err e;
	int status, rc;

	kube_resource_path(&r, ns, NULL, NULL, &target);
	rc = buf_error(&target) ? -E2BIG : count_wait(s, target.ptr, &l, &e);
	if (rc == 0 && l.n_items) {
		rc = kclient_raw_wait(s->c->client, "DELETE", target.ptr, NULL, slice_n(NULL, 0), &status, &out, &e);
		if (rc == 0 && status >= 300 && status != 404)
			rc = err_set(&e, EIO, "deleting %s: the API server answered %d", target.ptr, status);
		if (rc == 0)
			rc = count_wait(s, target.ptr, &l, &e);
	}
	if (rc < 0) {
		if (!t->failures++)
			t->first = e;
		return;
	}
	if (!l.n_items)
		return;
	t->remaining += l.n_items;
	if (t->n_left++ < KINDS_TOLD_MAX)
		buf_addf(&t->left, "%s%s.%s has %u resource instances", t->left.len ? ", " : "", plural, group, l.n_items);
	tell_finalizers(t, &l);
}

static void empty_all_wait(struct sync *s, struct state *st, const char *ns, struct tally *t)
{
	struct objects crds;

	empty_wait(s, ns, "", "v1", "pods", t);
	if (t->remaining || t->failures)
		return;
	for (unsigned i = 0; i < n_kube_resources && !s->c->freed; i++) {
		const struct kube_resource *r = &kube_resources[i];

		if (r->namespaced && !r->stored_as_group && (r->verbs & KV_DELETECOLLECTION) && (r->verbs & KV_LIST) && strcmp(r->plural, "pods") != 0)
			empty_wait(s, ns, r->group, r->version, r->plural, t);
	}
	if (sync_list(s, st->crds, NULL, NULL, &crds) < 0)
		return;
	for (uint32_t i = 0; i < crds.n && !s->c->freed; i++) {
		const struct kube_custom_resource_definition *c = crds.v[i];

		for (uint32_t v = 0; v < c->spec.n_versions && text_eq(c->spec.scope, "Namespaced"); v++)
			if (c->spec.versions[v].served && c->spec.versions[v].storage)
				empty_wait(s, ns, c->spec.group, c->spec.versions[v].name, c->spec.names.plural, t);
	}
}

static int set_condition(struct sync *s, struct kube_namespace_status *t, const char *type, bool is_true, const char *reason, const char *message)
{
	const struct kube_namespace_condition *old = KUBE_CONDITION(t->conditions, t->n_conditions, type);
	const char *status = is_true ? "True" : "False";
	struct kube_namespace_condition *v = arena_array(&s->a, t->n_conditions + 1, sizeof *v);
	uint32_t n = 0;

	if (!v || !message)
		return -ENOMEM;
	if (old && text_eq(old->status, status) && text_eq(old->reason, reason) && text_eq(old->message, message))
		return 0;
	/* In place, so that their order stays. */
	for (; n < t->n_conditions; n++)
		v[n] = t->conditions[n];
	struct kube_namespace_condition fresh = { type, status, old && text_eq(old->status, status) ? old->last_transition_time : sync_now_text(s), reason, message };

	if (old)
		v[old - t->conditions] = fresh;
	else
		v[n++] = fresh;
	t->conditions = v;
	t->n_conditions = n;
	return 0;
}

static int tell_wait(struct sync *s, const struct kube_namespace *cached, struct tally *t, struct err *e)
{
	struct kube_namespace ns = *cached;
	struct arena *a = &s->a;
	int r;

	ns.status.phase = "Terminating";
	r = set_condition(s, &ns.status, "NamespaceDeletionDiscoveryFailure", false, "ResourcesDiscovered", "All resources successfully discovered");
	if (r == 0)
		r = set_condition(s, &ns.status, "NamespaceDeletionGroupVersionParsingFailure", false, "ParsedGroupVersions",
			"All legacy kube types successfully parsed");
	if (r == 0 && t->failures)
		r = set_condition(s, &ns.status, "NamespaceDeletionContentFailure", true, "ContentDeletionFailed",
			arena_fmt(a, "Failed to delete all resource types, %u remaining: %s", t->failures, t->first.text));
	else if (r == 0)
		r = set_condition(s, &ns.status, "NamespaceDeletionContentFailure", false, "ContentDeleted",
			"All content successfully deleted, may be waiting on finalization");
	if (r == 0 && t->remaining)
		r = set_condition(s, &ns.status, "NamespaceContentRemaining", true, "SomeResourcesRemain",
			arena_fmt(a, "Some resources are remaining: %s", t->left.ptr));
	else if (r == 0)
		r = set_condition(s, &ns.status, "NamespaceContentRemaining", false, "ContentRemoved", "All content successfully removed");
	if (r == 0 && t->n_finalizers)
		r = set_condition(s, &ns.status, "NamespaceFinalizersRemaining", true, "SomeFinalizersRemain",
			arena_fmt(a, "Some content in the namespace has finalizers remaining: %s", t->finalizers.ptr));
	else if (r == 0)
		r = set_condition(s, &ns.status, "NamespaceFinalizersRemaining", false, "ContentHasNoFinalizers", "All content-preserving finalizers finished");
	if (r < 0)
		return err_nomem(e);
	if (schema_equal(T_kube_namespace_status, &ns.status, &cached->status))
		return 0;
	return kclient_update_wait(s->c->client, kube_resource_find("", "v1", "namespaces"), "status", &ns, a, NULL, e);
}

static int finalize_wait(struct sync *s, const char *key, struct err *e)
{
	const struct kube_resource *r = kube_resource_find("", "v1", "namespaces");
	struct kube_namespace ns;
	const char **left;
	uint32_t n = 0;
	int rc = kclient_get_wait(s->c->client, r, NULL, key, &s->a, &ns, e);

	if (rc < 0)
		return rc;
	left = arena_array(&s->a, ns.spec.n_finalizers, sizeof *left);
	if (!left)
		return err_nomem(e);
	for (uint32_t i = 0; i < ns.spec.n_finalizers; i++)
		if (strcmp(ns.spec.finalizers[i], "kubernetes") != 0)
			left[n++] = ns.spec.finalizers[i];
	ns.spec.finalizers = left;
	ns.spec.n_finalizers = n;
	return kclient_update_wait(s->c->client, r, "finalize", &ns, &s->a, NULL, e);
}

static int sync_wait(struct ctl *k, const char *key, struct err *e)
{
	struct state *st = k->own;
	AUTO(sync) struct sync s;
	struct tally t = { .left = BUF_INIT(4096), .finalizers = BUF_INIT(4096) };
	const struct kube_namespace *ns;
	int r;

	sync_begin(&s, k);
	ns = sync_get(&s, st->namespaces, key);
	if (!ns || !kube_is_deleting(&ns->metadata) || !ns->spec.n_finalizers)
		return 0;
	empty_all_wait(&s, st, key, &t);
	if (k->c->freed)
		r = -ECANCELED;
	else if (t.remaining || t.failures) {
		r = tell_wait(&s, ns, &t, e);
		if (r == 0 && t.failures)
			r = err_set(e, t.first.code, "%s", t.first.text);
		else if (r == 0)
			ctl_add_after(k, key, AGAIN_NS);
	} else {
		r = finalize_wait(&s, key, e);
	}
	buf_release(&t.left);
	buf_release(&t.finalizers);
	return r == -ENOENT ? 0 : r;
}

static void on_namespace(struct ctl *k, struct kobject *old, struct kobject *now)
{
	if (now && kube_is_deleting(kobject_meta(now)))
		ctl_add(k, now->key);
}

/* The last pod is what most wait for. */
static void on_pod(struct ctl *k, struct kobject *old, struct kobject *now)
{
	struct state *st = k->own;
	struct kobject *ns = now ? NULL : informer_get_key(st->namespaces, kobject_meta(old)->namespace);

	if (ns && kube_is_deleting(kobject_meta(ns)))
		ctl_add(k, ns->key);
}

int namespace_start(struct control *c, struct err *e)
{
	struct ctl *k = ctl_new(c, "namespace", NULL, 4, sync_wait, sizeof(struct state));
	struct state *st;
	int r;

	if (!k)
		return -ENOMEM;
	st = k->own;
	st->namespaces = ctl_need(k, "", "namespaces");
	st->pods = ctl_need(k, "", "pods");
	st->crds = ctl_need(k, "apiextensions.k8s.io", "customresourcedefinitions");
	r = ctl_on(k, st->namespaces, on_namespace);
	return r == 0 ? ctl_on(k, st->pods, on_pod) : r;
}
