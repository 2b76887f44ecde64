// SPDX-License-Identifier: Apache-2.0
/*
 * Garbage collection by owner references. An object goes when all of its
 * owners are gone (or wait for their dependents to go); an owner that is
 * deleted in the foreground goes behind those dependents that block it; one
 * that is deleted with `orphan` leaves its dependents without it.
 *
 * An owner is looked for in the caches by kind and name and compared by uid;
 * what is not there is asked of the API server before anything is removed.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/num.h"
#include "kube/control/gc_int.h"
#include "schema/tree.h"

enum owner_state { OWNER_SOLID, OWNER_DANGLING, OWNER_WAITING };

struct item {
	struct sync *s;
	struct gc *gc;
	struct monitor *m;
	struct kobject *o;
	const struct kube_object_meta *meta;
};

/* --- dependents */

struct dependent { struct monitor *m; struct kobject *o; };
struct dependents { VEC(struct dependent) v; struct monitor *m; };

static int gather_dependent(void *arg, struct kobject *o)
{
	struct dependents *d = arg;
	struct dependent x = { d->m, kobject_ref(o) };

	if (vec_push(&d->v, x) == 0)
		return 0;
	kobject_unref(o);
	return -ENOMEM;
}

static int dependents_of(struct gc *gc, const char *uid, struct dependents *ret)
{
	struct monitor *m;
	int r = 0;

	list_each(m, &gc->monitors, node) {
		ret->m = m;
		if (r == 0)
			r = informer_each_indexed(m->informer, "owner", uid, gather_dependent, ret);
	}
	return r;
}

static void dependents_release(struct dependents *d)
{
	for (size_t i = 0; i < d->v.n; i++)
		kobject_unref(d->v.v[i].o);
	vec_release(&d->v);
}

static bool blocks(const struct kube_object_meta *m, const char *owner_uid)
{
	for (uint32_t i = 0; i < m->n_owner_references; i++)
		if (text_eq(m->owner_references[i].uid, owner_uid))
			return m->owner_references[i].block_owner_deletion && *m->owner_references[i].block_owner_deletion;
	return false;
}

/* --- writing: merge patches of metadata, which custom resources take as well */

static int patch_list_wait(struct sync *s, const struct kube_resource *r, const struct kube_object_meta *m, const char *field, struct tree list, struct err *e)
{
	AUTO(buf) struct buf body = BUF_INIT(1024 * 1024);
	struct tree patch = tree_map(), meta = tree_map();

	if (!tree_set(&s->a, &meta, SLICE("resourceVersion"), tree_string(slice_of(m->resource_version))) ||
	    !tree_set(&s->a, &meta, SLICE("uid"), tree_string(slice_of(m->uid))) ||
	    !tree_set(&s->a, &meta, slice_of(field), list.n ? list : tree_null()) || !tree_set(&s->a, &patch, SLICE("metadata"), meta) ||
	    tree_to_json(&patch, 0, &body) < 0)
		return err_nomem(e);
	return kclient_patch_wait(s->c->client, r, m->namespace, m->name, NULL, KPATCH_MERGE, buf_slice(&body), &s->a, NULL, e);
}

static int remove_finalizer_wait(struct item *it, const char *name, struct err *e)
{
	struct tree list = tree_list();
	int r;

	for (uint32_t i = 0; i < it->meta->n_finalizers; i++)
		if (strcmp(it->meta->finalizers[i], name) != 0 && !tree_append(&it->s->a, &list, tree_string(slice_of(it->meta->finalizers[i]))))
			return err_nomem(e);
	r = patch_list_wait(it->s, &it->m->resource, it->meta, "finalizers", list, e);
	return r == -ENOENT ? 0 : r;
}

static int remove_owners_wait(struct sync *s, const struct kube_resource *r, const struct kube_object_meta *m, bool (*leaves)(void *arg, uint32_t i), void *arg,
	struct err *e)
{
	struct tree list = tree_list();
	int rc;

	for (uint32_t i = 0; i < m->n_owner_references; i++) {
		struct tree ref;

		if (leaves(arg, i))
			continue;
		if (tree_from_struct(T_kube_owner_reference, &m->owner_references[i], &s->a, &ref, e) < 0 || !tree_append(&s->a, &list, ref))
			return err_nomem(e);
	}
	rc = patch_list_wait(s, r, m, "ownerReferences", list, e);
	return rc == -ENOENT ? 0 : rc;
}

static int delete_wait(struct item *it, const char *policy, struct err *e)
{
	struct kube_preconditions pre = { it->meta->uid, it->meta->resource_version };
	struct kube_delete_options d = { .preconditions = &pre, .propagation_policy = policy };
	int r = kclient_delete_wait(it->s->c->client, &it->m->resource, it->meta->namespace, it->meta->name, &d, e);

	return r == -ENOENT ? 0 : r;
}

/* --- owners that are on their way out */

static int finish_foreground_wait(struct item *it, struct err *e)
{
	struct dependents d = { 0 };
	bool blocked = false;
	int r = dependents_of(it->gc, it->meta->uid, &d);

	for (size_t i = 0; i < d.v.n; i++) {
		blocked |= blocks(kobject_meta(d.v.v[i].o), it->meta->uid);
		if (!kube_is_deleting(kobject_meta(d.v.v[i].o)))
			gc_enqueue(d.v.v[i].m, d.v.v[i].o);
	}
	dependents_release(&d);
	if (r < 0)
		return err_nomem(e);
	return blocked ? 0 : remove_finalizer_wait(it, FINALIZER_FOREGROUND, e);
}

struct leaving { const struct kube_object_meta *m; const char *uid; };
static bool leaves_uid(void *arg, uint32_t i)
{
	struct leaving *x = arg;

	return text_eq(x->m->owner_references[i].uid, x->uid);
}

static int finish_orphan_wait(struct item *it, struct err *e)
{
	struct dependents d = { 0 };
	int r = dependents_of(it->gc, it->meta->uid, &d);

	for (size_t i = 0; i < d.v.n && r == 0; i++) {
		struct leaving x = { kobject_meta(d.v.v[i].o), it->meta->uid };
		struct kube_resource row = d.v.v[i].m->resource;

		r = remove_owners_wait(it->s, &row, x.m, leaves_uid, &x, e);
	}
	dependents_release(&d);
	return r < 0 ? r : remove_finalizer_wait(it, FINALIZER_ORPHAN, e);
}

/* --- dependents */

/* The owner itself, of the API server: OWNER_…, or -errno. */
static int ask_owner_wait(struct item *it, const struct kube_resource *r, const struct kube_owner_reference *ref, struct err *e)
{
	AUTO(buf) struct buf target = BUF_INIT(2048);
	AUTO(buf) struct buf out = BUF_INIT(16 * 1024 * 1024);
	struct kube_partial_object_metadata live;
	int status, rc;

	kube_resource_path(r, it->meta->namespace, ref->name, NULL, &target);
	rc = buf_error(&target) ? err_nomem(e) : kclient_raw_wait(it->s->c->client, "GET", target.ptr, NULL, slice_n(NULL, 0), &status, &out, e);
	if (rc < 0)
		return rc;
	if (status == 404) {
		gc_mark_absent(it->gc, ref->uid);
		return OWNER_DANGLING;
	}
	if (status != 200)
		return err_set(e, EIO, "looking for owner %s: the API server answered %d", target.ptr, status);
	rc = schema_from_json(T_kube_partial_object_metadata, buf_slice(&out), 0, &it->s->a, &live, e);
	if (rc < 0)
		return rc;
	if (!text_eq(live.metadata.uid, ref->uid)) {
		gc_mark_absent(it->gc, ref->uid);
		return OWNER_DANGLING;
	}
	return gc_waits_for_dependents(&live.metadata) ? OWNER_WAITING : OWNER_SOLID;
}

static int owner_state_wait(struct item *it, const struct kube_owner_reference *ref, struct err *e)
{
	struct monitor *m = gc_monitor_of_kind(it->gc, ref->api_version, ref->kind);
	bool is_own_namespace = it->meta->namespace && *it->meta->namespace;
	struct slice group, version;
	const struct kube_resource *r = m ? &m->resource : NULL;
	struct kube_resource copy;
	struct kobject *owner;

	if (!ref->uid || !ref->name || !ref->kind)
		return OWNER_DANGLING;
	if (gc_is_absent(it->gc, ref->uid))
		return OWNER_DANGLING;
	if (m && m->resource.namespaced && !is_own_namespace)
		return OWNER_DANGLING;       /* what is of the cluster cannot be owned by what is of a namespace */
	owner = m ? informer_get(m->informer, m->resource.namespaced ? it->meta->namespace : NULL, ref->name) : NULL;
	if (owner && text_eq(kobject_meta(owner)->uid, ref->uid))
		return gc_waits_for_dependents(kobject_meta(owner)) ? OWNER_WAITING : OWNER_SOLID;
	if (!m) {
		if (!slice_cut(slice_of(ref->api_version), '/', &group, &version)) {
			version = group;
			group = SLICE("");
		}
		r = kube_resource_of_kind(arena_dup(&it->s->a, group), arena_dup(&it->s->a, version), ref->kind);
		if (!r)
			return err_set(e, ENOENT, "there is no resource of kind %s in %s, which owns %s", ref->kind, ref->api_version ? ref->api_version : "\"\"", it->o->key);
	}
	copy = *r;
	return ask_owner_wait(it, &copy, ref, e);
}

struct judged { const unsigned char *states; };
static bool leaves_if_not_solid(void *arg, uint32_t i) { return ((struct judged *)arg)->states[i] != OWNER_SOLID; }

/* A dependent of ours that is itself being deleted in the foreground and blocked by us would wait for us for ever. */
static int unblock_cycle_wait(struct item *it, struct dependents *d, struct err *e)
{
	bool cycle = false;
	struct kube_object_meta m = *it->meta;
	struct kube_owner_reference *refs;
	struct tree list = tree_list();

	for (size_t i = 0; i < d->v.n; i++)
		cycle |= gc_waits_for_dependents(kobject_meta(d->v.v[i].o));
	if (!cycle)
		return 0;
	refs = arena_array(&it->s->a, m.n_owner_references, sizeof *refs);
	if (!refs)
		return err_nomem(e);
	for (uint32_t i = 0; i < m.n_owner_references; i++) {
		struct tree ref;

		refs[i] = m.owner_references[i];
		refs[i].block_owner_deletion = NULL;
		if (tree_from_struct(T_kube_owner_reference, &refs[i], &it->s->a, &ref, e) < 0 || !tree_append(&it->s->a, &list, ref))
			return err_nomem(e);
	}
	return patch_list_wait(it->s, &it->m->resource, &m, "ownerReferences", list, e);
}

static int collect_wait(struct item *it, struct err *e)
{
	unsigned char *states = arena_alloc(&it->s->a, it->meta->n_owner_references);
	unsigned n_solid = 0, n_waiting = 0, n_dangling = 0;
	struct dependents d = { 0 };
	int r = 0;

	if (!states)
		return err_nomem(e);
	for (uint32_t i = 0; i < it->meta->n_owner_references; i++) {
		r = owner_state_wait(it, &it->meta->owner_references[i], e);
		if (r < 0)
			return r;
		states[i] = (unsigned char)r;
		n_solid += r == OWNER_SOLID;
		n_waiting += r == OWNER_WAITING;
		n_dangling += r == OWNER_DANGLING;
	}
	if (n_solid) {
		struct judged j = { states };

		if (!n_waiting && !n_dangling)
			return 0;
		return remove_owners_wait(it->s, &it->m->resource, it->meta, leaves_if_not_solid, &j, e);
	}
	if (n_waiting) {
		r = dependents_of(it->gc, it->meta->uid, &d);
		if (r == 0 && d.v.n) {
			r = unblock_cycle_wait(it, &d, e);
			dependents_release(&d);
			return r < 0 ? r : delete_wait(it, "Foreground", e);
		}
		dependents_release(&d);
	}
	return delete_wait(it, kube_has_finalizer(it->meta, FINALIZER_ORPHAN) ? "Orphan" : kube_has_finalizer(it->meta, FINALIZER_FOREGROUND) ?
		"Foreground" : "Background", e);
}

/* --- */

static int custom_wait(struct gc *gc, const char *name, struct err *e);

static int sync_wait(struct ctl *k, const char *key, struct err *e)
{
	struct gc *gc = *(struct gc **)k->own;
	AUTO(sync) struct sync s;
	struct item it = { .s = &s, .gc = gc };
	struct slice rest = slice_of(key), number, name, uid;
	int64_t n;
	int r;

	sync_begin(&s, k);
	if (slice_starts(rest, "crd|"))
		return custom_wait(gc, key + 4, e);
	if (!slice_next(&rest, '|', &number) || !slice_next(&rest, '|', &name) || !slice_next(&rest, '|', &uid) ||
	    num_parse_i64(number, 0, UINT32_MAX, &n) < 0)
		return 0;
	it.m = gc_monitor_by_number(gc, (unsigned)n);
	it.o = it.m ? informer_get_key(it.m->informer, arena_dup(&s.a, name)) : NULL;
	if (!it.o || vec_push(&s.refs, it.o) < 0)
		return 0;
	kobject_ref(it.o);
	it.meta = kobject_meta(it.o);
	if (!slice_is(uid, it.meta->uid))
		return 0;
	if (kube_is_deleting(it.meta)) {
		if (kube_has_finalizer(it.meta, FINALIZER_ORPHAN))
			return finish_orphan_wait(&it, e);
		return kube_has_finalizer(it.meta, FINALIZER_FOREGROUND) ? finish_foreground_wait(&it, e) : 0;
	}
	r = it.meta->n_owner_references ? collect_wait(&it, e) : 0;
	return r;
}

/* --- custom resources come and go */

static int custom_row(const struct kube_custom_resource_definition *c, struct arena *a, struct kube_resource *ret)
{
	const char *version = NULL;

	for (uint32_t i = 0; i < c->spec.n_versions; i++)
		if (c->spec.versions[i].served && (!version || c->spec.versions[i].storage))
			version = c->spec.versions[i].name;
	if (!version)
		return -ENOENT;
	*ret = (struct kube_resource){ .group = arena_strdup(a, c->spec.group), .version = arena_strdup(a, version),
		.plural = arena_strdup(a, c->spec.names.plural), .singular = "", .kind = arena_strdup(a, c->spec.names.kind),
		.namespaced = text_eq(c->spec.scope, "Namespaced"), .verbs = KV_ALL };
	return ret->group && ret->version && ret->plural && ret->kind ? 0 : -ENOMEM;
}

static bool is_established(const struct kube_custom_resource_definition *c)
{
	for (uint32_t i = 0; i < c->status.n_conditions; i++)
		if (text_eq(c->status.conditions[i].type, "Established"))
			return text_eq(c->status.conditions[i].status, "True");
	return false;
}

static int custom_wait(struct gc *gc, const char *name, struct err *e)
{
	struct kobject *o = informer_get_key(gc->crds, name);
	const struct kube_custom_resource_definition *c = o ? o->obj : NULL;
	struct monitor *m, *found = NULL;
	struct kube_resource row;
	struct arena a;
	int r;

	list_each(m, &gc->monitors, node) {
		char text[600];

		if (m->is_custom && fmt_into(text, sizeof text, "%s.%s", m->resource.plural, m->resource.group) && !strcmp(text, name))
			found = m;
	}
	if (!c || !is_established(c) || kube_is_deleting(&c->metadata)) {
		if (found && !c)
			gc_monitor_end(found);
		return 0;
	}
	if (found)
		return 0;
	arena_init(&a, 64 * 1024);
	r = custom_row(c, &a, &row);
	if (r == 0)
		r = gc_monitor_add(gc, &row, true, &a, NULL);
	if (r < 0)
		arena_release(&a);
	return r == -ENOENT ? 0 : r < 0 ? err_sys(e, r, "watching %s", name) : 0;
}

static void on_crd(struct ctl *k, struct kobject *old, struct kobject *now)
{
	char key[600];

	if (fmt_into(key, sizeof key, "crd|%s", now ? now->key : old->key))
		ctl_add(k, key);
}

/* --- start: behind all other controllers, so that their caches are used */

static void release(struct ctl *k)
{
	struct gc *gc = *(struct gc **)k->own;

	while (!list_empty(&gc->monitors))
		gc_monitor_end(list_first(&gc->monitors, struct monitor, node));
	while (!list_empty(&gc->ended)) {
		struct monitor *m = list_first(&gc->ended, struct monitor, node);

		list_del(&m->node);
		arena_release(&m->strings);
		free(m);
	}
	for (unsigned i = 0; i < GC_ABSENT_MAX; i++)
		free(gc->absent_ring[i]);
	map_release(&gc->absent);
	free(gc);
}

/* The first sync waits for all built-in resources. */
static int ready_sync_wait(struct ctl *k, const char *key, struct err *e)
{
	struct gc *gc = *(struct gc **)k->own;
	struct monitor *m;
	int r = 0;

	list_each(m, &gc->monitors, node)
		if (r == 0 && !m->is_custom && !informer_synced(m->informer))
			r = -EAGAIN;
	if (r < 0) {
		ctl_add_after(k, key, 100 * NS_PER_MS);
		return 0;
	}
	k->sync_wait = sync_wait;
	return sync_wait(k, key, e);
}

int gc_start(struct control *c, struct err *e)
{
	struct ctl *k = ctl_new(c, "garbage-collector", "garbage-collector-controller", 8, ready_sync_wait, sizeof(struct gc *));
	struct gc *gc = k ? calloc(1, sizeof *gc) : NULL;
	int r = 0;

	if (!gc)
		return -ENOMEM;
	*(struct gc **)k->own = gc;
	k->release = release;
	gc->k = k;
	list_init(&gc->monitors);
	list_init(&gc->ended);
	map_init(&gc->absent);
	gc->crds = ctl_need(k, "apiextensions.k8s.io", "customresourcedefinitions");
	for (unsigned i = 0; i < n_kube_resources && r == 0; i++) {
		const struct kube_resource *row = &kube_resources[i];
		const unsigned must_have = KV_DELETE | KV_LIST | KV_WATCH;

		/* Events own nothing and are owned by nothing, and there are many of them. */
		if ((row->verbs & must_have) == must_have && !row->stored_as_group && strcmp(row->plural, "events") != 0 && row->list.domain)
			r = gc_monitor_add(gc, row, false, NULL, NULL);
	}
	return r == 0 ? ctl_on(k, gc->crds, on_crd) : r;
}
