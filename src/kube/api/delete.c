/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delete: at once, or marked and left to finalizers, to the kubelet (pods) or to
 * the namespace controller.
 *
 *   there --(finalizers, grace > 0, a namespace)--> deletionTimestamp set --(an update leaves none: update.c)--> gone
 *      \------------------------------(nothing to wait for)-------------------------------------------------------^
 */
#include "kube/api/api_int.h"

#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "kube/api/address.h"
#include "kube/api/crds.h"

enum { TRIES = 8 };

static const char *query(const struct api_req *q, const char *name)
{
	const char *v = http_query_get(&q->http->query, name);
	return v ? v : "";
}

static int from_query(struct api_req *q, struct kube_delete_options *o)
{
	const char *grace = query(q, "gracePeriodSeconds"), *policy = query(q, "propagationPolicy"), *orphan = query(q, "orphanDependents");
	if (*grace) {
		o->grace_period_seconds = arena_new(q->arena, int64_t);
		if (!o->grace_period_seconds)
			return -ENOMEM;
		if (num_parse_i64(slice_of(grace), INT64_MIN, INT64_MAX, o->grace_period_seconds) < 0)
			return api_bad_request(q, "gracePeriodSeconds: Invalid value: \"%s\"", grace);
	}
	if (*policy)
		o->propagation_policy = policy;
	if (*orphan) {
		o->orphan_dependents = arena_new(q->arena, bool);
		if (!o->orphan_dependents)
			return -ENOMEM;
		*o->orphan_dependents = api_param_is(orphan);
	}
	return 0;
}

static int read_options_wait(struct api_req *q, struct kube_delete_options *o)
{
	int x = api_read_body_wait(q);
	*o = (struct kube_delete_options){ 0 };
	if (x == 0 && q->body.len) {
		/* any group's DeleteOptions will do */
		q->fields = API_FIELDS_IGNORE;
		x = api_decode(q, T_kube_delete_options, NULL, "DeleteOptions", o);
	}
	if (x == 0)
		x = from_query(q, o);
	if (x < 0)
		return x;
	if (o->n_dry_run)
		q->dry_run = true;
	const char *p = o->propagation_policy;
	if (p && o->orphan_dependents)
		return api_refuse(q, 422, "Invalid", "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Invalid value: \"%s\": orphanDependents and deletionPropagation cannot be both set", p);
	if (p && strcmp(p, "Background") && strcmp(p, "Foreground") && strcmp(p, "Orphan"))
		return api_refuse(q, 422, "Invalid", "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"%s\": supported values: "
			"\"Background\", \"Foreground\", \"Orphan\"", p);
	return 0;
}

static int check_preconditions(struct api_req *q, const struct api_resource *r, const struct kube_object_meta *m, const struct kube_preconditions *p)
{
	if (p && p->uid && strcmp(p->uid, m->uid))
		return api_conflict(q, r, m->name, arena_fmt(q->arena, "Precondition failed: UID in precondition: %s, UID in object meta: %s", p->uid, m->uid));
	if (p && p->resource_version && *p->resource_version && strcmp(p->resource_version, m->resource_version))
		return api_conflict(q, r, m->name, arena_fmt(q->arena, "Precondition failed: ResourceVersion in precondition: %s, ResourceVersion in object meta: %s",
			p->resource_version, m->resource_version));
	return 0;
}

static int set_finalizer(struct api_req *q, struct kube_object_meta *m, const char *name, bool on)
{
	const char **v = arena_array(q->arena, m->n_finalizers + 1, sizeof *v);
	uint32_t n = 0;
	if (!v)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->n_finalizers; i++)
		if (strcmp(m->finalizers[i], name))
			v[n++] = m->finalizers[i];
	if (on)
		v[n++] = name;
	m->finalizers = n ? v : NULL;
	m->n_finalizers = n;
	return 0;
}

static int apply_policy(struct api_req *q, const struct api_resource *r, struct kube_object_meta *m, const struct kube_delete_options *o)
{
	const char *p = o->propagation_policy;
	if (o->orphan_dependents)
		p = *o->orphan_dependents ? "Orphan" : "Background";
	if (!p && (!strcmp(r->text, "jobs.batch") || !strcmp(r->text, "replicationcontrollers"))) {
		/* these two orphan by default, as they did before there was a policy */
		p = "Orphan";
		if (r->text[0] == 'j')
			api_warn(q, "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set "
				"propagationPolicy=Orphan to suppress this warning");
	}
	if (!p)
		return 0;
	int x = set_finalizer(q, m, "foregroundDeletion", !strcmp(p, "Foreground"));
	return x < 0 ? x : set_finalizer(q, m, "orphan", !strcmp(p, "Orphan"));
}

static int64_t grace_of_pod(const struct kube_pod *pod, const struct kube_delete_options *o)
{
	int64_t grace = pod->spec.termination_grace_period_seconds ? *pod->spec.termination_grace_period_seconds : 30;
	const char *phase = pod->status.phase;
	if (o->grace_period_seconds)
		grace = *o->grace_period_seconds;
	if (!pod->spec.node_name || !*pod->spec.node_name || (phase && (!strcmp(phase, "Succeeded") || !strcmp(phase, "Failed"))))
		grace = 0;
	return grace < 0 ? 1 : grace;
}

void api_released(struct api_req *q, struct api_resource *r, const struct store_object *was)
{
	struct api_object o;
	if (!r->custom && !strcmp(r->text, "services") && api_object_from_stored(r, was, q->arena, &o, NULL) == 0)
		api_allocated_wait(q, &o, NULL);
}

/* --- how it goes */

enum outcome { KEEP, MARK, REMOVE };

static int set_deletion(struct api_req *q, struct kube_object_meta *m, int64_t grace)
{
	int64_t *g = arena_new(q->arena, int64_t);
	m->deletion_timestamp = api_time_text(q, api_now_ns(q) + grace * NS_PER_S);
	m->deletion_grace_period_seconds = g;
	if (!g || !m->deletion_timestamp)
		return -ENOMEM;
	*g = grace;
	if (m->generation > 0)
		m->generation++;
	return 0;
}

/* Marks o as being deleted, if that is how it goes. */
static int mark(struct api_req *q, struct api_object *o, const struct kube_delete_options *opts, enum outcome *ret)
{
	struct kube_object_meta *m = &o->head->metadata;
	bool is_pod = !o->res->custom && !strcmp(o->res->text, "pods");
	bool is_ns = !o->res->custom && !strcmp(o->res->text, "namespaces");
	int64_t grace = is_pod ? grace_of_pod((const struct kube_pod *)o->head, opts) : 0;
	int x = apply_policy(q, o->res, m, opts);
	if (x < 0)
		return x;
	if (is_pod && m->deletion_timestamp && m->deletion_grace_period_seconds) {
		int64_t have = *m->deletion_grace_period_seconds;
		if (grace >= have && have > 0) {
			*ret = KEEP;
			return 0;
		}
		if (grace > 0 || m->n_finalizers) {
			/* the clock began when it was first deleted */
			int64_t began = kube_time_ns(m->deletion_timestamp) - have * NS_PER_S;
			m->deletion_timestamp = api_time_text(q, began + grace * NS_PER_S);
			*m->deletion_grace_period_seconds = grace;
			*ret = have == grace ? KEEP : MARK;
			return 0;
		}
		*ret = REMOVE;
		return 0;
	}
	if (is_ns) {
		struct kube_namespace *ns = (struct kube_namespace *)o->head;
		*ret = m->deletion_timestamp && (ns->spec.n_finalizers || m->n_finalizers) ? KEEP : ns->spec.n_finalizers || m->n_finalizers ? MARK : REMOVE;
		ns->status.phase = "Terminating";
		return *ret == MARK ? set_deletion(q, m, 0) : 0;
	}
	if (!o->res->custom && !strcmp(o->res->text, "customresourcedefinitions.apiextensions.k8s.io") && !m->deletion_timestamp) {
		struct kube_custom_resource_definition *d = (struct kube_custom_resource_definition *)o->head;
		if ((x = set_finalizer(q, m, API_CRD_FINALIZER, true)) < 0 ||
		    (x = api_crd_set_condition(q, d, "Terminating", true, "InstanceDeletionPending", "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon")) < 0)
			return x;
	}
	if (grace > 0 || m->n_finalizers) {
		*ret = MARK;
		return m->deletion_timestamp ? 0 : set_deletion(q, m, grace);
	}
	*ret = REMOVE;
	return 0;
}

static int put_marked_wait(struct api_req *q, struct api_object *o, const char *key, const struct store_object *was, struct api_version *ret)
{
	struct slice value;
	struct err e = { 0 };
	struct store_object *now = NULL;
	int x = api_object_encode(o, q->arena, &value, &e);
	if (x < 0)
		return api_from_err(q, &e);
	if (q->dry_run) {
		*ret = (struct api_version){ .value = value, .revision = was->revision };
		return 0;
	}
	x = store_update_wait(q->api->store, key, value, was->revision, &now, NULL, &e);
	if (x == -EBUSY || x == -ENOENT)
		return -EBUSY;
	if (x < 0)
		return api_from_err(q, &e);
	*ret = (struct api_version){ now, slice_n(now->value, now->value_len), now->revision };
	return 0;
}

static int take_away_wait(struct api_req *q, struct api_resource *r, const char *key, struct store_object *was, struct api_version *ret)
{
	struct err e = { 0 };
	struct store_object *gone = NULL;
	*ret = (struct api_version){ store_object_ref(was), slice_n(was->value, was->value_len), was->revision };
	if (q->dry_run)
		return 0;
	int x = store_delete_wait(q->api->store, key, was->revision, &gone, NULL, &e);
	if (x < 0) {
		ret->o = store_object_unref(ret->o);
		return x == -EBUSY || x == -ENOENT ? -EBUSY : api_from_err(q, &e);
	}
	ret->revision = gone->revision;
	store_object_unref(gone);
	api_released(q, r, was);
	return 0;
}

static int try_wait(struct api_req *q, struct api_resource *r, const char *key, const struct kube_delete_options *opts, struct store_object *was,
	struct api_version *ret, bool *gone)
{
	struct api_object o;
	struct err e = { 0 };
	enum outcome how = REMOVE;
	if (api_object_from_stored(r, was, q->arena, &o, &e) < 0)
		return api_from_err(q, &e);
	int x = check_preconditions(q, r, &o.head->metadata, opts->preconditions);
	if (x == 0)
		x = api_admit_delete(q, &o);
	if (x == 0)
		x = mark(q, &o, opts, &how);
	if (x < 0)
		return x;
	*gone = how == REMOVE;
	if (how == KEEP) {
		*ret = (struct api_version){ store_object_ref(was), slice_n(was->value, was->value_len), was->revision };
		return 0;
	}
	return how == MARK ? put_marked_wait(q, &o, key, was, ret) : take_away_wait(q, r, key, was, ret);
}

int api_remove_wait(struct api_req *q, struct api_resource *r, const char *ns, const char *name, const struct kube_delete_options *opts,
	struct api_version *ret, bool *gone)
{
	static const char *const kept[] = { "default", "kube-system", "kube-public" };
	for (size_t i = 0; i < ARRAY_LEN(kept) && !strcmp(r->text, "namespaces"); i++)
		if (!strcmp(name, kept[i]))
			return api_forbidden(q, r, name, "this namespace may not be deleted");
	for (int i = 0; i < TRIES; i++) {
		struct store_object *was = NULL;
		int x = api_current_wait(q, r, ns, name, &was);
		if (x < 0)
			return x;
		const char *key = api_key(q->arena, r, ns, name);
		x = key ? try_wait(q, r, key, opts, was, ret, gone) : -ENOMEM;
		store_object_unref(was);
		if (x != -EBUSY)
			return x;
	}
	return api_conflict(q, r, name, NULL);
}

/* These give back what was deleted; the others a Status. */
static bool gives_object(const struct api_resource *r)
{
	static const char *const rows[] = { "pods", "services", "serviceaccounts", "persistentvolumes", "persistentvolumeclaims", "resourcequotas", "podtemplates",
		"podsecuritypolicies.policy" };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!strcmp(r->text, rows[i]))
			return true;
	return false;
}

int api_delete_wait(struct api_req *q)
{
	struct kube_delete_options o;
	AUTO(api_version) struct api_version v = { 0 };
	struct kube_partial_object_metadata m;
	bool gone = false;
	int x = read_options_wait(q, &o);
	if (x == 0)
		x = api_remove_wait(q, q->res, q->at.namespace_, q->at.name, &o, &v, &gone);
	if (x < 0)
		return x;
	if (!gone || gives_object(q->res))
		return api_reply_version(q, 200, &v);
	if (schema_from_json(T_kube_partial_object_metadata, v.value, 0, q->arena, &m, NULL) < 0)
		return -EBADMSG;
	q->media.shape = API_WHOLE;
	return api_send_success(q, q->res, q->at.name, m.metadata.uid);
}

/* --- collections */

static int find_all_wait(struct api_req *q, struct api_selector *sel, struct api_entry ***ret, size_t *n)
{
	VEC(struct api_entry *) v = { 0 };
	size_t from, to;
	int x = api_fresh_wait(q, 0);
	if (x < 0)
		return x;
	api_cache_range(q->res->cache, q->at.namespace_, &from, &to);
	for (size_t i = from; i < to && x == 0; i++)
		if (api_selector_matches(sel, q->res->cache->items.v[i])) {
			x = vec_push(&v, q->res->cache->items.v[i]);
			if (x == 0)
				api_entry_ref(q->res->cache->items.v[i]);
		}
	*ret = v.v;
	*n = v.n;
	return x;
}

int api_delete_collection_wait(struct api_req *q)
{
	struct kube_delete_options o;
	struct api_selector sel;
	struct api_entry **v = NULL;
	size_t n = 0;
	int x = read_options_wait(q, &o);
	if (x == 0)
		x = api_selector_parse(q, query(q, "labelSelector"), query(q, "fieldSelector"), &sel);
	if (x == 0)
		x = find_all_wait(q, &sel, &v, &n);
	for (size_t i = 0; i < n; i++) {
		struct api_version gone = { 0 };
		bool is_gone;
		if (x == 0)
			x = api_remove_wait(q, q->res, v[i]->ns, v[i]->name, &o, &gone, &is_gone);
		if (x < 0 && q->refusal && q->refusal->code == 404) {
			q->refusal = NULL;
			x = 0;
		}
		store_object_unref(gone.o);
		api_entry_unref(v[i]);
	}
	free(v);
	if (x < 0)
		return x;
	struct kube_status_details d = { .group = q->res->row->group, .kind = q->res->row->plural };
	struct kube_status s = { "Status", "v1", .status = "Success", .details = &d, .code = 200 };
	q->media.shape = API_WHOLE;
	return api_reply_struct(q, 200, T_kube_status, &s);
}
