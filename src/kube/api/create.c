/* SPDX-License-Identifier: Apache-2.0 */
/* Create: names, uids, times; then admission, defaults, validation, the store. */
#include "kube/api/admit.h"

#include <string.h>

#include "base/clock.h"
#include "base/rand.h"
#include "kube/api/address.h"
#include "kube/api/quota.h"


static void new_uid(char dst[40])
{
	uint8_t b[16];
	rand_bytes(b, sizeof b);
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	fmt_into(dst, 40, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9],
		b[10], b[11], b[12], b[13], b[14], b[15]);
}

static const char *generated_name(struct api_req *q, const char *base)
{
	static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
	char tail[6] = "";
	for (int i = 0; i < 5; i++)
		tail[i] = letters[rand_u64() % (sizeof letters - 1)];
	return arena_fmt(q->arena, "%.58s%s", base, tail);
}

/* Nothing is made in a namespace that is not there or is going. */
static int check_namespace_wait(struct api_req *q, const struct api_resource *r, const char *ns)
{
	struct api_cache *c = api_cache_of(q->api, "namespaces");
	if (!r->row->namespaced || !c)
		return 0;
	struct api_entry *x = api_cache_get(c, "", ns);
	if (!x && api_fresh_wait(q, 0) == 0)
		x = api_cache_get(c, "", ns);
	if (!x)
		return api_not_found(q, api_resource_find(q->api, "", "v1", "namespaces"), ns);
	const char *phase = schema_pair_get(x->fields, x->n_fields, "status.phase");
	if (!phase || strcmp(phase, "Terminating"))
		return 0;
	int refused = api_forbidden(q, r, q->at.name, arena_fmt(q->arena, "unable to create new content in namespace %s because it is being terminated", ns));
	api_cause(q, "NamespaceTerminating", arena_fmt(q->arena, "namespace %s is being terminated", ns), "metadata.namespace");
	return refused;
}

static int name_it(struct api_req *q, struct api_object *o)
{
	struct kube_object_meta *m = &o->head->metadata;
	char uid[40];
	if ((!m->name || !*m->name) && m->generate_name && *m->generate_name)
		m->name = generated_name(q, m->generate_name);
	if (!m->name || !*m->name)
		return api_invalid_one(q, o->res, "", "metadata.name", "FieldValueRequired", "Required value: name or generateName is required");
	new_uid(uid);
	m->uid = arena_strdup(q->arena, uid);
	m->creation_timestamp = api_time_text(q, api_now_ns(q));
	m->deletion_timestamp = NULL;
	m->deletion_grace_period_seconds = NULL;
	m->self_link = NULL;
	m->generation = o->res->custom ? 1 : 0;
	return m->uid && m->creation_timestamp ? 0 : -ENOMEM;
}

static int place_it(struct api_req *q, struct api_object *o)
{
	struct kube_object_meta *m = &o->head->metadata;
	if (m->resource_version && *m->resource_version && strcmp(m->resource_version, "0"))
		return api_bad_request(q, "resourceVersion should not be set on objects to be created");
	m->resource_version = NULL;
	if (!o->res->row->namespaced) {
		m->namespace = NULL;
		return 0;
	}
	if (m->namespace && *m->namespace && strcmp(m->namespace, q->at.namespace_))
		return api_bad_request(q, "the namespace of the provided object does not match the namespace sent on the request");
	m->namespace = q->at.namespace_;
	return 0;
}

/* One try; -EEXIST when the name is taken. */
static int store_it_wait(struct api_req *q, struct api_object *o, struct api_version *ret)
{
	struct err e = { 0 };
	struct slice value;
	const char *key = api_key(q->arena, o->res, o->head->metadata.namespace, o->head->metadata.name);
	int x = key ? api_object_encode(o, q->arena, &value, &e) : -ENOMEM;
	if (x < 0)
		return e.code ? api_from_err(q, &e) : x;
	if (strlen(key) > 1000)
		return api_bad_request(q, "the name is too long");
	if (q->dry_run) {
		if (api_cache_get(o->res->cache, o->head->metadata.namespace, o->head->metadata.name))
			return -EEXIST;
		*ret = (struct api_version){ .value = value };
		return 0;
	}
	struct store_object *now = NULL;
	x = store_create_wait(q->api->store, key, value, &now, &e);
	if (x == -EEXIST)
		return x;
	if (x < 0)
		return api_from_err(q, &e);
	*ret = (struct api_version){ now, slice_n(now->value, now->value_len), now->revision };
	return 0;
}

/* A namespace has its account from the start, so that the first pod need not wait for a controller. */
static void api_created_wait(struct api_req *q, const struct api_object *o)
{
	struct kube_service_account sa = { .metadata.name = "default" };
	if (!q->dry_run && !o->res->custom && !strcmp(o->res->text, "namespaces"))
		(void)api_ensure_wait(q->api, "", "v1", "serviceaccounts", o->head->metadata.name, &sa, NULL);
}

int api_insert_wait(struct api_req *q, struct api_object *o, struct api_version *ret)
{
	struct kube_object_meta *m = &o->head->metadata;
	bool generated = (!m->name || !*m->name) && m->generate_name && *m->generate_name;
	if (o->res->is_ending)
		return api_refuse(q, 405, "MethodNotAllowed", "create not allowed while custom resource definition is terminating");
	int x = place_it(q, o);
	if (x == 0)
		x = name_it(q, o);
	if (x == 0)
		x = check_namespace_wait(q, o->res, m->namespace);
	if (x == 0)
		x = api_default(q, o);
	if (x == 0)
		x = api_admit_wait(q, NULL, o);
	if (x == 0)
		x = api_prepare_create(q, o);
	if (x == 0)
		x = api_request_origin(q, o);
	if (x == 0)
		x = api_allocate_wait(q, NULL, o);
	if (x == 0)
		x = api_validate(q, NULL, o, API_SPEC);
	if (x == 0)
		x = api_track(q, NULL, o, q->is_apply ? "Apply" : "Update");
	if (x == 0)
		x = api_quota_wait(q, o);
	bool held = x == 1;
	if (x >= 0)
		x = store_it_wait(q, o, ret);
	for (int tries = 0; x == -EEXIST && generated && tries < 7; tries++) {
		m->name = generated_name(q, m->generate_name);
		x = m->name ? store_it_wait(q, o, ret) : -ENOMEM;
	}
	if (x == -EEXIST) {
		x = api_exists(q, o->res, m->name);
		if (generated && q->refusal)
			q->refusal->message = arena_fmt(q->arena, "%s, the server was not able to generate a unique name for the object", q->refusal->message);
	}
	if (held)
		api_quota_done_wait(q, x == 0 ? ret->revision : 0);
	if (x < 0)
		api_unallocate_wait(q, NULL, o);
	else
		api_created_wait(q, o);
	return x;
}

int api_create_wait(struct api_req *q)
{
	struct api_object o;
	AUTO(api_version) struct api_version v = { 0 };
	int x = api_read_body_wait(q);
	if (x < 0)
		return x;
	if (!q->res->row->list.domain && !q->res->custom)
		return api_review_wait(q);
	x = api_decode_object(q, &o);
	if (x == 0)
		x = api_insert_wait(q, &o, &v);
	return x < 0 ? x : api_reply_version(q, 201, &v);
}
