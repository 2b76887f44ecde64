/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of objects that are there: one loop for put, patch, status and all the
 * server's own; who changes gives a function that is called again after a conflict.
 */
#include "kube/api/api_int.h"

#include <string.h>

#include "base/num.h"
#include "kube/api/address.h"

enum { TRIES = 6 };


/* What no client changes. */
static void keep_metadata(const struct api_object *old, struct api_object *o)
{
	const struct kube_object_meta *a = &old->head->metadata;
	struct kube_object_meta *m = &o->head->metadata;
	m->uid = a->uid;
	m->creation_timestamp = a->creation_timestamp;
	m->deletion_timestamp = a->deletion_timestamp;
	m->deletion_grace_period_seconds = a->deletion_grace_period_seconds;
	m->generation = a->generation;
	m->self_link = NULL;
	m->name = a->name;
	m->namespace = a->namespace;
	m->generate_name = a->generate_name;
}

/* The object is to go with this update: it was being deleted and the last finalizer is gone. */
static bool is_finished(const struct api_object *o)
{
	const struct kube_object_meta *m = &o->head->metadata;
	if (!m->deletion_timestamp || m->n_finalizers || (m->deletion_grace_period_seconds && *m->deletion_grace_period_seconds))
		return false;
	if (o->res->custom || strcmp(o->res->text, "namespaces"))
		return true;
	return ((const struct kube_namespace *)o->head)->spec.n_finalizers == 0;
}

static int from_make(struct api_req *q, const struct api_change *c, const struct api_object *old, struct api_object *o)
{
	int x = c->make(q, c->arg, old, o);
	if (x < 0)
		return x;
	o->base = old->base;
	keep_metadata(old, o);
	if (c->as_is)
		return 0;
	x = api_default(q, o);
	if (x == 0)
		x = api_prepare_update(q, old, o, c->what);
	if (x == 0)
		x = api_admit_wait(q, old, o);
	if (x == 0 && c->what == API_SPEC)
		x = api_allocate_wait(q, old, o);
	if (x == 0)
		x = api_validate(q, old, o, c->what);
	if (x == 0)
		x = api_track(q, old, o, c->operation ? c->operation : "Update");
	return x;
}

static int finish_wait(struct api_req *q, struct api_resource *r, const char *name, const char *key, struct store_object *was, struct api_version *ret)
{
	struct err e = { 0 };
	struct store_object *gone = NULL;
	int x = store_delete_wait(q->api->store, key, was->revision, &gone, NULL, &e);
	if (x == -EBUSY || x == -ENOENT)
		return -EBUSY;
	if (x < 0)
		return api_from_err(q, &e);
	api_released(q, r, was);
	ret->revision = gone->revision;
	store_object_unref(gone);
	return 0;
}

/* One try: 0, -EBUSY when somebody else was faster. */
static int try_wait(struct api_req *q, struct api_resource *r, const char *ns, const char *name, const struct api_change *c, struct store_object *was,
	struct api_version *ret)
{
	struct api_object old, now;
	struct slice value;
	struct err e = { 0 };
	struct store_object *stored = NULL;
	int x = api_object_from_stored(r, was, q->arena, &old, &e);
	if (x == 0)
		x = api_object_copy(&old, q->arena, &now, &e);
	if (x < 0)
		return api_from_err(q, &e);
	x = from_make(q, c, &old, &now);
	if (x == 0)
		x = api_object_encode(&now, q->arena, &value, &e);
	if (x < 0) {
		api_unallocate_wait(q, &old, &now);
		return e.code ? api_from_err(q, &e) : x;
	}
	if (q->dry_run || slice_eq(value, slice_n(was->value, was->value_len))) {
		*ret = (struct api_version){ .o = store_object_ref(was), .value = value, .revision = was->revision };
		return 0;
	}
	const char *key = api_key(q->arena, r, ns, name);
	if (!key)
		return -ENOMEM;
	if (is_finished(&now)) {
		ret->value = value;
		return finish_wait(q, r, name, key, was, ret);
	}
	x = store_update_wait(q->api->store, key, value, was->revision, &stored, NULL, &e);
	if (x < 0) {
		api_unallocate_wait(q, &old, &now);
		return x == -EBUSY || x == -ENOENT ? -EBUSY : api_from_err(q, &e);
	}
	api_allocated_wait(q, &old, &now);
	*ret = (struct api_version){ stored, slice_n(stored->value, stored->value_len), stored->revision };
	return 0;
}

int api_change_wait(struct api_req *q, struct api_resource *r, const char *ns, const char *name, const struct api_change *c, struct api_version *ret)
{
	for (int i = 0; i < TRIES; i++) {
		struct store_object *was = NULL;
		int x = api_current_wait(q, r, ns, name, &was);
		if (x < 0)
			return x;
		if (c->if_revision && was->revision != c->if_revision)
			x = api_conflict(q, r, name, NULL);
		else
			x = try_wait(q, r, ns, name, c, was, ret);
		store_object_unref(was);
		if (x != -EBUSY)
			return x;
	}
	return api_conflict(q, r, name, NULL);
}

/* --- PUT */

static bool needs_revision(const struct api_resource *r)
{
	static const char *const rows[] = { "customresourcedefinitions.apiextensions.k8s.io", "networkpolicies.networking.k8s.io" };
	if (r->custom)
		return true;
	return !strcmp(r->text, rows[0]);
}

static int check_put(struct api_req *q, const struct api_object *body, const struct api_object *old)
{
	const struct kube_object_meta *m = &body->head->metadata;
	int64_t rv = 0, have = 0;
	if (m->uid && *m->uid && strcmp(m->uid, old->head->metadata.uid))
		return api_conflict(q, q->res, q->at.name, arena_fmt(q->arena, "Precondition failed: UID in precondition: %s, UID in object meta: %s", m->uid,
			old->head->metadata.uid));
	if (!m->resource_version || !*m->resource_version) {
		if (needs_revision(q->res))
			return api_invalid_one(q, q->res, q->at.name, "metadata.resourceVersion", "FieldValueInvalid", "Invalid value: 0: must be specified for an update");
		return 0;
	}
	int x = api_parse_rv(q, m->resource_version, &rv);
	if (x == 0)
		x = api_parse_rv(q, old->head->metadata.resource_version, &have);
	return x < 0 ? x : rv == have || !rv ? 0 : api_conflict(q, q->res, q->at.name, NULL);
}

static int make_put(struct api_req *q, void *arg, const struct api_object *old, struct api_object *now)
{
	const struct api_object *body = arg;
	struct err e = { 0 };
	int x = check_put(q, body, old);
	if (x < 0)
		return x;
	return api_object_copy(body, q->arena, now, &e) < 0 ? api_from_err(q, &e) : 0;
}

enum api_what api_what_of(const struct api_req *q)
{
	static const struct { const char *name; enum api_what what; } rows[] = {
		{ "status", API_STATUS }, { "ephemeralcontainers", API_EPHEMERAL }, { "resize", API_RESIZE }, { "approval", API_APPROVAL }, { "finalize", API_FINALIZE },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!strcmp(q->at.subresource, rows[i].name))
			return rows[i].what;
	return API_SPEC;
}

static bool may_create_on_update(const struct api_resource *r)
{
	static const char *const rows[] = { "endpoints", "events", "limitranges", "leases.coordination.k8s.io", "roles.rbac.authorization.k8s.io",
		"rolebindings.rbac.authorization.k8s.io", "clusterroles.rbac.authorization.k8s.io", "clusterrolebindings.rbac.authorization.k8s.io" };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!strcmp(r->text, rows[i]))
			return true;
	return false;
}

static int check_names(struct api_req *q, const struct api_object *body)
{
	struct kube_object_meta *m = &body->head->metadata;
	if (!m->name || !*m->name)
		return api_bad_request(q, "name must be provided");
	if (strcmp(m->name, q->at.name))
		return api_bad_request(q, "the name of the object (%s) does not match the name on the URL (%s)", m->name, q->at.name);
	if (q->res->row->namespaced && m->namespace && *m->namespace && strcmp(m->namespace, q->at.namespace_))
		return api_bad_request(q, "the namespace of the object (%s) does not match the namespace on the URL (%s)", m->namespace, q->at.namespace_);
	return 0;
}

int api_update_wait(struct api_req *q)
{
	struct api_object body;
	AUTO(api_version) struct api_version v = { 0 };
	int x = api_read_body_wait(q);
	if (x == 0)
		x = api_decode_object(q, &body);
	if (x == 0)
		x = check_names(q, &body);
	if (x < 0)
		return x;
	const struct api_change c = { .make = make_put, .arg = &body, .what = api_what_of(q) };
	x = api_change_wait(q, q->res, q->at.namespace_, q->at.name, &c, &v);
	if (x < 0 && q->refusal && q->refusal->code == 404 && !q->sub && may_create_on_update(q->res)) {
		q->refusal = NULL;
		body.head->metadata.resource_version = NULL;
		x = api_insert_wait(q, &body, &v);
		return x < 0 ? x : api_reply_version(q, 201, &v);
	}
	return x < 0 ? x : api_reply_version(q, 200, &v);
}
