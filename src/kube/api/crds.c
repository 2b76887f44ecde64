/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CustomResourceDefinitions: one fiber makes what is served follow what is
 * stored. Names are accepted, versions served; a definition that is being
 * deleted loses its objects first, then its finalizer.
 *
 *   stored --names free--> NamesAccepted, Established --served--> deletionTimestamp --objects gone--> finalizer removed
 */
#include "kube/api/crds.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "kube/api/custom.h"

struct definition {
	int64_t revision;               /* that what is served comes from */
	struct api_resource *storage;   /* the version that is stored; a reference */
	VEC(struct api_resource *) served;
	bool is_terminating;
};

struct api_crds {
	struct kube_api *api;
	struct map by_name;             /* struct definition */
	struct fiber *fiber;
	bool stop;
};

typedef struct kube_custom_resource_definition crd;

static struct api_cache *cache_of_definitions(struct kube_api *a) { return api_cache_of(a, "customresourcedefinitions.apiextensions.k8s.io"); }

/* --- serving */

static void unserve(struct kube_api *a, struct definition *d)
{
	for (size_t i = 0; i < d->served.n; i++) {
		struct api_resource *r = d->served.v[i];
		api_resource_remove(a, r);
		r->is_gone = true;
		if (r->cache)
			waitq_wake_all(&r->cache->changed);
		api_resource_unref(r);
	}
	d->served.n = 0;
	if (d->storage && d->storage->cache && d->storage->cache->of == d->storage)
		d->storage->cache->of = NULL;
	if (d->storage)
		api_resource_unref(d->storage);
	d->storage = NULL;
}

/* v2 before v1 before v1beta2 before v1alpha1 before other words. */
static int64_t rank(const char *v)
{
	char *end;
	if (*v != 'v' || v[1] < '1' || v[1] > '9')
		return 0;
	int64_t major = strtol(v + 1, &end, 10), minor = 0, kind = 3;
	if (!strncmp(end, "beta", 4) || !strncmp(end, "alpha", 5)) {
		kind = *end == 'b' ? 2 : 1;
		minor = strtol(end + (*end == 'b' ? 4 : 5), &end, 10);
	}
	return *end ? 0 : kind * 1000000000000LL + major * 100000 + minor;
}

static int serve(struct kube_api *a, struct definition *d, const crd *def, struct err *e)
{
	VEC(struct api_resource *) all = { 0 };
	struct api_resource *storage = NULL;
	bool is_mixed = def->spec.n_versions > 1 || def->status.n_stored_versions > 1;
	int x = 0;
	for (uint32_t i = 0; i < def->spec.n_versions && x == 0; i++) {
		const struct kube_custom_resource_definition_version *v = &def->spec.versions[i];
		struct api_resource *r = NULL;
		if (!v->served && !v->storage)
			continue;
		x = api_custom_new(def, v, &r, e);
		if (x == 0 && v->storage)
			storage = api_resource_ref(r);
		if (x == 0 && (!v->served || vec_push(&all, r) < 0))
			api_resource_unref(r);
	}
	if (x == 0 && !storage)
		x = err_set(e, EINVAL, "no version is stored");
	unserve(a, d);
	struct api_cache *c = x == 0 ? api_cache_of(a, storage->text) : NULL;
	for (size_t i = 0; x == 0 && i < all.n; i++)
		for (size_t k = i + 1; k < all.n; k++)
			if (rank(all.v[k]->row->version) > rank(all.v[i]->row->version)) {
				struct api_resource *tmp = all.v[i];
				all.v[i] = all.v[k];
				all.v[k] = tmp;
			}
	for (size_t i = 0; i < all.n; i++) {
		struct api_resource *r = all.v[i];
		if (x == 0 && r != storage)
			r->stored = api_resource_ref(storage);
		r->is_mixed = is_mixed;
		r->cache = c;
		if (x < 0 || !c || vec_push(&d->served, r) < 0 || api_resource_add(a, r) < 0)
			api_resource_unref(r);
	}
	if (storage) {
		storage->cache = c;
		storage->is_mixed = is_mixed;
	}
	if (x == 0 && c) {
		d->storage = storage;
		(void)api_cache_refield(c, storage);
	} else if (storage) {
		api_resource_unref(storage);
	}
	vec_release(&all);
	return x;
}

/* --- the definition's status */

static struct kube_custom_resource_definition_condition *condition(struct api_req *q, crd *d, const char *type)
{
	struct kube_custom_resource_definition_condition *c = KUBE_CONDITION(d->status.conditions, d->status.n_conditions, type);
	if (c)
		return c;
	struct kube_custom_resource_definition_condition *v = arena_array(q->arena, d->status.n_conditions + 1, sizeof *v);
	if (!v)
		return NULL;
	if (d->status.n_conditions)
		memcpy(v, d->status.conditions, d->status.n_conditions * sizeof *v);
	d->status.conditions = v;
	c = &v[d->status.n_conditions++];
	*c = (struct kube_custom_resource_definition_condition){ .type = type };
	return c;
}

int api_crd_set_condition(struct api_req *q, crd *d, const char *type, bool on, const char *reason, const char *message)
{
	struct kube_custom_resource_definition_condition *c = condition(q, d, type);
	const char *status = on ? "True" : "False";
	if (!c)
		return -ENOMEM;
	if (!c->status || strcmp(c->status, status))
		c->last_transition_time = api_time_text(q, api_now_ns(q));
	c->status = status;
	c->reason = reason;
	c->message = message;
	return 0;
}

static bool is_true(const crd *d, const char *type)
{
	const struct kube_custom_resource_definition_condition *c = KUBE_CONDITION(d->status.conditions, d->status.n_conditions, type);
	return c && c->status && !strcmp(c->status, "True");
}

/* Does somebody else in the group already have one of these names? */
static const char *conflict(struct api_req *q, const crd *d)
{
	struct api_cache *c = cache_of_definitions(q->api);
	struct api_resource *r = api_resource_find(q->api, "apiextensions.k8s.io", "v1", "customresourcedefinitions");
	for (size_t i = 0; i < c->items.n; i++) {
		struct api_object o;
		if (!strcmp(c->items.v[i]->name, d->metadata.name) || api_object_from_stored(r, c->items.v[i]->o, q->arena, &o, NULL) < 0)
			continue;
		const crd *x = (const crd *)o.head;
		if (strcmp(x->spec.group, d->spec.group) || !is_true(x, "NamesAccepted"))
			continue;
		if (!strcmp(x->spec.names.kind, d->spec.names.kind))
			return arena_fmt(q->arena, "\"%s\" is already in use", d->spec.names.kind);
		if (x->spec.names.list_kind && d->spec.names.list_kind && !strcmp(x->spec.names.list_kind, d->spec.names.list_kind))
			return arena_fmt(q->arena, "\"%s\" is already in use", d->spec.names.list_kind);
	}
	return NULL;
}

static int make_status(struct api_req *q, void *arg, const struct api_object *old, struct api_object *now)
{
	crd *d = (crd *)now->head;
	const char *taken = conflict(q, d);
	int x = api_crd_set_condition(q, d, "NamesAccepted", !taken, taken ? "KindConflict" : "NoConflicts", taken ? taken : "no conflicts found");
	if (x == 0 && !taken)
		d->status.accepted_names = d->spec.names;
	if (x == 0 && (!taken || !is_true(d, "Established")))
		x = api_crd_set_condition(q, d, "Established", !taken, taken ? "NotAccepted" : "InitialNamesAccepted",
			taken ? "not all names are accepted" : "the initial names have been accepted");
	return x;
}

static bool names_equal(const struct kube_custom_resource_definition_names *a, const struct kube_custom_resource_definition_names *b)
{
	return schema_equal(T_kube_custom_resource_definition_names, a, b);
}

static int change_wait(struct api_req *q, const char *name, int (*make)(struct api_req *, void *, const struct api_object *, struct api_object *))
{
	AUTO(api_version) struct api_version v = { 0 };
	const struct api_change c = { .make = make, .what = API_STATUS, .as_is = true };
	return api_change_wait(q, q->res, "", name, &c, &v);
}

/* --- the end of one */

static int make_finished(struct api_req *q, void *arg, const struct api_object *old, struct api_object *now)
{
	struct kube_object_meta *m = &now->head->metadata;
	const char **v = arena_array(q->arena, m->n_finalizers, sizeof *v);
	uint32_t n = 0;
	if (!v)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->n_finalizers; i++)
		if (strcmp(m->finalizers[i], API_CRD_FINALIZER))
			v[n++] = m->finalizers[i];
	m->finalizers = n ? v : NULL;
	m->n_finalizers = n;
	return 0;
}

static int remove_objects_wait(struct api_req *q, struct definition *d)
{
	struct api_resource *crds = q->res, *r = d->storage;
	VEC(struct api_entry *) v = { 0 };
	for (size_t i = 0; i < r->cache->items.n; i++)
		if (vec_push(&v, r->cache->items.v[i]) == 0)
			api_entry_ref(r->cache->items.v[i]);
	q->res = r;
	for (size_t i = 0; i < v.n; i++) {
		AUTO(api_version) struct api_version gone = { 0 };
		const struct kube_delete_options o = { 0 };
		bool is_gone;
		int x = api_remove_wait(q, r, v.v[i]->ns, v.v[i]->name, &o, &gone, &is_gone);
		if (x < 0)
			q->refusal = NULL;
		api_entry_unref(v.v[i]);
	}
	q->res = crds;
	vec_release(&v);
	return (int)MIN(r->cache->items.n, (size_t)1000000);
}

static int finish_wait(struct api_req *q, struct definition *d, const crd *def)
{
	d->is_terminating = true;
	for (size_t i = 0; i < d->served.n; i++)
		d->served.v[i]->is_ending = true;
	if (!kube_has_finalizer(&def->metadata, API_CRD_FINALIZER))
		return 0;
	if (d->storage) {
		int left = remove_objects_wait(q, d);
		int x = api_fresh_wait(q, 0);
		if (x < 0 || (left && d->storage->cache->items.n))
			return x;
	}
	return change_wait(q, def->metadata.name, make_finished);
}

/* --- following */

static int sync_one_wait(struct kube_api *a, struct definition *d, const char *name, struct store_object *stored, struct err *e)
{
	AUTO(arena) struct arena arena;
	struct api_req q;
	struct api_object o;
	arena_init(&arena, 256 << 20);
	int x = api_own_req(a, &arena, "apiextensions.k8s.io", "v1", "customresourcedefinitions", "", &q);
	if (x == 0)
		x = api_object_from_stored(q.res, stored, &arena, &o, e);
	if (x < 0)
		return x;
	const crd *def = (const crd *)o.head;
	if (def->metadata.deletion_timestamp && d->storage)
		return api_own_error(&q, finish_wait(&q, d, def), e);
	if (!def->metadata.deletion_timestamp && (!is_true(def, "Established") || !names_equal(&def->spec.names, &def->status.accepted_names))) {
		x = change_wait(&q, name, make_status);
		/* the change comes back as another event */
		if (x < 0)
			return api_own_error(&q, x, e);
	}
	if (!is_true(def, "Established"))
		return 0;
	x = serve(a, d, def, e);
	if (x == 0 && def->metadata.deletion_timestamp)
		x = api_own_error(&q, finish_wait(&q, d, def), e);
	return x;
}

static void definition_free(struct kube_api *a, struct definition *d)
{
	unserve(a, d);
	vec_release(&d->served);
	free(d);
}

static bool sync_all_wait(struct api_crds *c)
{
	struct api_cache *cache = cache_of_definitions(c->api);
	VEC(struct api_entry *) v = { 0 };
	bool again = false;
	for (size_t i = 0; i < cache->items.n; i++)
		if (vec_push(&v, cache->items.v[i]) == 0)
			api_entry_ref(cache->items.v[i]);
	for (size_t i = 0; i < v.n; i++) {
		struct definition *d = map_gets(&c->by_name, v.v[i]->name);
		struct err e = { 0 };
		if (!d && (d = calloc(1, sizeof *d)) && map_sets(&c->by_name, v.v[i]->name, d) < 0) {
			free(d);
			d = NULL;
		}
		if (d && (d->revision != v.v[i]->o->revision || d->is_terminating)) {
			int x = sync_one_wait(c->api, d, v.v[i]->name, v.v[i]->o, &e);
			if (x < 0 && x != -ECANCELED)
				log_warn("a custom resource definition is not served", "name=%s error=%s", v.v[i]->name, e.text);
			d->revision = v.v[i]->o->revision;
			again |= d->is_terminating;
		}
		api_entry_unref(v.v[i]);
	}
	vec_release(&v);
	size_t at = 0;
	for (struct map_entry *m; (m = map_next(&c->by_name, &at));)
		if (!api_cache_get(cache, "", m->key)) {
			struct definition *d = m->value;
			map_dels(&c->by_name, m->key);
			definition_free(c->api, d);
		}
	return again;
}

static void follow(void *arg)
{
	struct api_crds *c = arg;
	struct api_cache *cache = cache_of_definitions(c->api);
	c->fiber = fiber_self();
	while (!c->stop) {
		uint64_t before = cache->next;
		bool again = sync_all_wait(c);
		if (c->stop)
			break;
		if (cache->next == before)
			waitq_wait(&cache->changed, again ? NS_PER_S / 4 : -1);
	}
	c->fiber = NULL;
	if (c->stop)
		waitq_wake_all(&c->api->seen);
}

int api_crds_start_wait(struct kube_api *a, struct err *e)
{
	struct api_crds *c = calloc(1, sizeof *c);
	if (!c || !cache_of_definitions(a)) {
		free(c);
		return err_nomem(e);
	}
	c->api = a;
	map_init(&c->by_name);
	a->crds = c;
	sync_all_wait(c);
	int r = fiber_start(a->loop, "definitions", follow, c);
	return r < 0 ? err_sys(e, r, "following custom resource definitions") : 0;
}

void api_crds_stop(struct kube_api *a)
{
	if (!a->crds)
		return;
	a->crds->stop = true;
	if (a->crds->fiber)
		fiber_cancel(a->crds->fiber);
}

bool api_crds_is_idle(const struct kube_api *a) { return !a->crds || !a->crds->fiber; }

void api_crds_free(struct kube_api *a)
{
	size_t at = 0;
	if (!a->crds)
		return;
	for (struct map_entry *m; (m = map_next(&a->crds->by_name, &at));)
		definition_free(a, m->value);
	map_release(&a->crds->by_name);
	free(a->crds);
	a->crds = NULL;
}
