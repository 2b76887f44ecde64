/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server-side apply: merging what is applied, pruning what is not any more, who
 * owns what after a write. Source: the behaviour of Kubernetes' API server
 * (KEP 555); its managedFields and conflicts are compared with ours in
 * test/schema.
 */
#include "schema/apply.h"
#include "schema/apply_int.h"
#include "schema/patch.h"
#include "schema/schema_int.h"

#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"

/* Never owned by anybody. */
static const char unowned[] = "apiVersion,kind,metadata,metadata.name,metadata.namespace,metadata.creationTimestamp,metadata.selfLink,"
	"metadata.uid,metadata.clusterName,metadata.generation,metadata.managedFields,metadata.resourceVersion";

struct apply {
	const struct apply_who *who;
	struct arena *a;
	struct err *e;
	struct fields unowned, reset;
	struct apply_entries entries;
	struct tree live;              /* without managedFields */
	struct apply_conflicts conflicts;
	struct fields conflict_set;    /* of all managers */
};

static int no_room(struct apply *x)
{
	return err_set(x->e, E2BIG, "the object is too large");
}

static int start(struct apply *x)
{
	if (fields_add_names(&x->unowned, unowned, x->a) < 0 || (x->who->reset && fields_add_names(&x->reset, x->who->reset, x->a) < 0))
		return no_room(x);
	return 0;
}

static const struct tree *managed_of(const struct tree *v)
{
	return tree_gets(tree_gets(v, "metadata"), "managedFields");
}

/* A copy whose metadata is its own, with managedFields as given (null: without). */
static int with_managed(struct apply *x, const struct tree *v, struct tree managed, struct tree *ret)
{
	struct tree out = tree_map(), meta = tree_map();
	const struct tree *old = tree_gets(v, "metadata");
	bool is_set = managed.type != TREE_NULL;
	for (uint32_t i = 0; old && old->type == TREE_MAP && i < old->n; i++)
		if (!slice_is(key_of(&old->members[i]), "managedFields") && !member_add(x->a, &meta, &old->members[i], old->members[i].value))
			return no_room(x);
	if (is_set && !tree_set(x->a, &meta, SLICE("managedFields"), managed))
		return no_room(x);
	for (uint32_t i = 0; v->type == TREE_MAP && i < v->n; i++) {
		bool is_meta = slice_is(key_of(&v->members[i]), "metadata") && v->members[i].value.type == TREE_MAP;
		if (!member_add(x->a, &out, &v->members[i], is_meta ? meta : v->members[i].value))
			return no_room(x);
	}
	/* the walks over two objects at once need some room on the stack for each level */
	if (!is_set && tree_depth(&out) > APPLY_MAX_DEPTH)
		return err_set(x->e, E2BIG, "the object is nested too deeply");
	if (is_set && (!old || old->type != TREE_MAP) && !tree_set(x->a, &out, SLICE("metadata"), meta))
		return no_room(x);
	*ret = out;
	return 0;
}

static int finish(struct apply *x, const struct tree *v, struct tree *ret)
{
	struct tree managed;
	if (apply_entries_write(&x->entries, x->a, &managed) < 0)
		return no_room(x);
	return with_managed(x, v, managed, ret);
}

/* --- what every write does to the entries --- */

struct noted {
	struct apply *x;
	const char *message;
};

static int note_conflict(void *arg, const char *path)
{
	struct noted *n = arg;
	struct apply_conflicts *c = &n->x->conflicts;
	if (!(c->n & (c->n - 1))) {
		struct apply_conflict *p = arena_array(n->x->a, c->n ? 2 * (size_t)c->n : 1, sizeof *p);
		if (!p)
			return -E2BIG;
		if (c->n)
			memcpy(p, c->v, c->n * sizeof *p);
		c->v = p;
	}
	char *field = arena_strdup(n->x->a, path);
	if (!field)
		return -E2BIG;
	c->v[c->n++] = (struct apply_conflict){ n->message, field };
	return 0;
}

static int note_conflicts(struct apply *x, const struct apply_entry *entry, const struct fields *set)
{
	const char *whom = apply_entry_print(entry, x->a);
	struct noted n = { x, whom ? arena_fmt(x->a, "conflict with %s", whom) : NULL };
	if (!n.message || fields_each(set, note_conflict, &n) < 0 || fields_union(&x->conflict_set, set, x->a, &x->conflict_set) < 0)
		return no_room(x);
	return 0;
}

static int compare(struct apply *x, const struct tree *before, const struct tree *after, struct fields_diff *ret)
{
	struct fields_diff d;
	int r = fields_compare(&x->who->node, before, after, x->a, &d, x->e);
	if (r < 0)
		return r;
	if (fields_minus_below(&d.added, &x->reset, x->a, &d.added) < 0 || fields_minus_below(&d.modified, &x->reset, x->a, &d.modified) < 0 ||
	    fields_minus_below(&d.removed, &x->reset, x->a, &d.removed) < 0)
		return no_room(x);
	*ret = d;
	return 0;
}

static int by_manager(const void *p, const void *q)
{
	const struct apply_entry *x = *(struct apply_entry *const *)p, *y = *(struct apply_entry *const *)q;
	int r = slice_cmp(x->manager, y->manager);
	r = r ? r : x->is_apply != y->is_apply ? (x->is_apply ? -1 : 1) : slice_cmp(x->api_version, y->api_version);
	return r ? r : slice_cmp(x->subresource, y->subresource);
}

static int find_conflicts(struct apply *x, const struct fields *changed, const struct apply_entry *self)
{
	struct apply_entry **v = arena_array(x->a, x->entries.n, sizeof *v);
	if (!v)
		return no_room(x);
	for (uint32_t i = 0; i < x->entries.n; i++)
		v[i] = &x->entries.v[i];
	if (x->entries.n)
		qsort(v, x->entries.n, sizeof *v, by_manager);
	for (uint32_t i = 0; i < x->entries.n; i++) {
		struct fields hit;
		if (v[i] == self)
			continue;
		if (fields_and(&v[i]->set, changed, x->a, &hit) < 0)
			return no_room(x);
		int r = fields_is_empty(&hit) ? 0 : note_conflicts(x, v[i], &hit);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Takes what changed from all entries but self; 1: there are conflicts and is_forced is not set. */
static int take(struct apply *x, const struct fields_diff *d, const struct apply_entry *self, bool is_forced)
{
	struct fields changed;
	if (fields_union(&d->modified, &d->added, x->a, &changed) < 0)
		return no_room(x);
	int r = is_forced ? 0 : find_conflicts(x, &changed, self);
	if (r < 0)
		return r;
	if (x->conflicts.n)
		return 1;
	for (uint32_t i = 0; i < x->entries.n; i++) {
		struct apply_entry *entry = &x->entries.v[i];
		if (entry == self)
			continue;
		if (fields_minus(&entry->set, &changed, x->a, &entry->set) < 0 || fields_minus(&entry->set, &d->removed, x->a, &entry->set) < 0)
			return no_room(x);
	}
	return 0;
}

static void drop_empty(struct apply *x)
{
	for (uint32_t i = 0; i < x->entries.n;) {
		if (fields_is_empty(&x->entries.v[i].set))
			apply_entry_remove(&x->entries, &x->entries.v[i]);
		else
			i++;
	}
}

static struct apply_entry self_of(const struct apply_who *who, const char *manager, bool is_apply)
{
	struct apply_entry self = { .manager = slice_of(manager && *manager ? manager : "unknown"), .subresource = slice_of(who->subresource),
		.api_version = slice_of(who->api_version), .time = slice_of(who->now), .is_apply = is_apply };
	return self;
}

/* Books before → after as an update. */
static int track(struct apply *x, const struct tree *before, const struct tree *after, const char *manager)
{
	struct apply_entry self = self_of(x->who, manager, false);
	struct fields_diff d;
	int r = compare(x, before, after, &d);
	if (r == 0)
		r = take(x, &d, NULL, true);
	if (r < 0)
		return r;
	if (fields_union(&d.modified, &d.added, x->a, &self.set) < 0 || fields_minus_below(&self.set, &x->reset, x->a, &self.set) < 0 ||
	    fields_minus(&self.set, &x->unowned, x->a, &self.set) < 0)
		return no_room(x);
	if (!fields_is_empty(&self.set)) {
		struct apply_entry *entry = apply_entry_find(&x->entries, &self);
		if (!entry)
			entry = apply_entry_add(&x->entries, &self, x->a);
		if (!entry || fields_union(&entry->set, &self.set, x->a, &entry->set) < 0)
			return no_room(x);
		entry->time = self.time;
	}
	drop_empty(x);
	return apply_entries_cap(&x->entries, x->a) < 0 ? no_room(x) : 0;
}

/* [] or [{}]: a client asks for managedFields to be dropped. */
static bool is_reset(const struct tree *managed)
{
	if (!managed || managed->type != TREE_LIST)
		return false;
	return !managed->n || (managed->n == 1 && managed->items[0].type == TREE_MAP && !managed->items[0].n);
}

static int object_set(struct apply *x, const struct tree *v, unsigned flags, struct fields *ret)
{
	return fields_from_object(&x->who->node, v, flags, x->a, ret, x->e);
}

int apply_track(const struct apply_who *who, const struct tree *live, const struct tree *object, struct arena *a, struct tree *ret,
	struct err *e)
{
	static const struct tree nothing = { .type = TREE_MAP };
	struct apply x = { .who = who, .a = a, .e = e };
	struct tree now;
	struct err ignored;
	const struct tree *sent = who->subresource && *who->subresource ? managed_of(live) : managed_of(object);
	int r = start(&x);
	if (r == 0)
		r = with_managed(&x, live ? live : &nothing, tree_null(), &x.live);
	if (r == 0)
		r = with_managed(&x, object, tree_null(), &now);
	if (r < 0)
		return r;
	if (!is_reset(sent) && (apply_entries_read(sent, a, &x.entries, &ignored) < 0 || !x.entries.n) &&
	    apply_entries_read(managed_of(live), a, &x.entries, &ignored) < 0)
		x.entries = (struct apply_entries){ 0 };
	if (live && !x.entries.n) {
		/* an object that was never tracked stays so until somebody applies to it */
		*ret = now;
		return 0;
	}
	r = track(&x, &x.live, &now, who->manager);
	if (r == -EINVAL) {
		/* lists that cannot be told apart: the entries stay as they are */
		r = with_managed(&x, object, live && managed_of(live) ? *managed_of(live) : tree_null(), ret);
		return r;
	}
	return r < 0 ? r : finish(&x, &now, ret);
}

/* --- apply --- */

/* What may go: fields that the manager applied last time and that nobody owns now. */
static int prune(struct apply *x, const struct tree *merged, const struct fields *last, struct tree *ret)
{
	const struct schema_node *n = &x->who->node;
	struct fields last_named, merged_set, pruned_set, owned = { 0 }, gone;
	struct tree pruned;
	*ret = *merged;
	if (fields_is_empty(last))
		return 0;
	if (fields_with_named(last, n, x->a, &last_named) < 0 || fields_remove(n, merged, &last_named, x->a, &pruned) < 0)
		return no_room(x);
	for (uint32_t i = 0; i < x->entries.n; i++)
		if (fields_union(&owned, &x->entries.v[i].set, x->a, &owned) < 0)
			return no_room(x);
	int r = object_set(x, merged, 0, &merged_set);
	if (r == 0)
		r = object_set(x, &pruned, 0, &pruned_set);
	if (r < 0)
		return r;
	/* back comes what others (or this configuration) own */
	if (fields_with_named(&merged_set, n, x->a, &merged_set) < 0 || fields_with_named(&pruned_set, n, x->a, &pruned_set) < 0 ||
	    fields_with_named(&owned, n, x->a, &owned) < 0 || fields_union(&pruned_set, &owned, x->a, &gone) < 0 ||
	    fields_minus(&merged_set, &gone, x->a, &gone) < 0 || fields_remove(n, merged, &gone, x->a, &pruned) < 0)
		return no_room(x);
	/* and what the manager did not own: only its own may go */
	r = object_set(x, &pruned, 0, &pruned_set);
	if (r < 0)
		return r;
	if (fields_with_named(&pruned_set, n, x->a, &pruned_set) < 0 || fields_minus(&merged_set, &pruned_set, x->a, &gone) < 0 ||
	    fields_and(&gone, &last_named, x->a, &gone) < 0 || fields_remove(n, merged, &gone, x->a, ret) < 0)
		return no_room(x);
	return 0;
}

/* The merge itself. 1: conflicts. *ret is the new object without managedFields. */
static int apply_once(struct apply *x, const struct tree *applied, bool is_forced, struct tree *ret)
{
	struct apply_entry like = self_of(x->who, x->who->manager, true), *self;
	struct fields set, last = { 0 };
	struct fields_diff d;
	struct tree merged;
	bool is_there;
	int r = apply_merge(&x->who->node, &x->live, applied, x->a, &merged, &is_there, x->e);
	if (r == 0)
		r = object_set(x, applied, FIELDS_STRICT, &set);
	if (r < 0)
		return r;
	if (!is_there)
		merged = tree_map();
	if (fields_minus_below(&set, &x->reset, x->a, &set) < 0)
		return no_room(x);
	self = apply_entry_find(&x->entries, &like);
	if (self)
		last = self->set;
	else if (!(self = apply_entry_add(&x->entries, &(struct apply_entry){ .manager = like.manager, .subresource = like.subresource,
		.api_version = like.api_version, .is_apply = true }, x->a)))
		return no_room(x);
	self->set = set;
	self->api_version = like.api_version;
	r = prune(x, &merged, &last, ret);
	if (r == 0)
		r = compare(x, &x->live, ret, &d);
	if (r == 0)
		r = take(x, &d, self, is_forced);
	if (r)
		return r;
	if (fields_minus(&self->set, &x->unowned, x->a, &self->set) < 0)
		return no_room(x);
	if (!tree_equal(&x->live, ret) || !self->time.len)
		self->time = like.time;
	drop_empty(x);
	return 0;
}

/* The conflicts that a former client-side apply explains: its fields as they still are in the live object. */
static int allowed_conflicts(struct apply *x, struct fields *ret)
{
	struct slice text = tree_text(tree_gets(tree_gets(tree_gets(&x->live, "metadata"), "annotations"), LAST_APPLIED));
	struct tree last;
	struct fields_diff d;
	struct fields set;
	struct err ignored;
	if (!text.len || tree_from_json(text, 0, x->a, &last, &ignored) < 0 ||
	    !slice_is(tree_text(tree_gets(&last, "apiVersion")), x->who->api_version) ||
	    fields_from_object(&x->who->node, &last, 0, x->a, &set, &ignored) < 0 ||
	    fields_compare(&x->who->node, &last, &x->live, x->a, &d, &ignored) < 0)
		return -ENOENT;
	if (fields_minus(&set, &d.modified, x->a, &set) < 0 || fields_minus(&set, &d.added, x->a, &set) < 0 ||
	    fields_minus(&set, &d.removed, x->a, ret) < 0)
		return no_room(x);
	return 0;
}

/* Keeps the annotation of client-side apply true for those who go back to it. */
static int update_last_applied(struct apply *x, const struct tree *applied, struct tree *object)
{
	const struct tree *meta = tree_gets(object, "metadata"), *old = tree_gets(meta, "annotations");
	struct tree copy, annotations, new_meta, out;
	if (!tree_text(tree_gets(old, LAST_APPLIED)).len)
		return 0;
	if (tree_clone(applied, x->a, &copy) < 0 || tree_clone(old, x->a, &annotations) < 0 || tree_clone(meta, x->a, &new_meta) < 0 ||
	    tree_clone(object, x->a, &out) < 0)
		return no_room(x);
	struct tree *given = tree_get_mut(tree_get_mut(&copy, SLICE("metadata")), SLICE("annotations"));
	if (given && given->type == TREE_MAP)
		(void)tree_remove(given, SLICE(LAST_APPLIED));
	AUTO(buf) struct buf text = BUF_INIT(256 << 10);
	if (tree_to_json(&copy, SCHEMA_ESCAPE_HTML | SCHEMA_SORTED | SCHEMA_NEWLINE, &text) < 0) {
		(void)tree_remove(&annotations, SLICE(LAST_APPLIED));
	} else {
		char *s = arena_dup(x->a, buf_slice(&text));
		if (!s || !tree_set(x->a, &annotations, SLICE(LAST_APPLIED), tree_string(slice_n(s, text.len))))
			return no_room(x);
	}
	if (!tree_set(x->a, &new_meta, SLICE("annotations"), annotations) || !tree_set(x->a, &out, SLICE("metadata"), new_meta))
		return no_room(x);
	*object = out;
	return 0;
}

static int say_conflicts(struct apply *x)
{
	const struct apply_conflicts *c = &x->conflicts;
	AUTO(buf) struct buf b = BUF_INIT(4096);
	if (c->n == 1)
		return err_set(x->e, EBUSY, "Apply failed with 1 conflict: %s: %s", c->v[0].message, c->v[0].field);
	const char *last = "";
	for (uint32_t i = 0; i < c->n; i++) {
		if (strcmp(last, c->v[i].message))
			buf_addf(&b, "%sconflicts with %s:", i ? "\n" : "", c->v[i].message + sizeof "conflict with " - 1);
		buf_addf(&b, "\n- %s", c->v[i].field);
		last = c->v[i].message;
	}
	return err_set(x->e, EBUSY, "Apply failed with %u conflicts: %s", c->n, b.ptr);
}

/* Drops the conflicts that are allowed. */
static int filter_conflicts(struct apply *x, const struct fields *allowed)
{
	struct apply_conflicts kept = { x->conflicts.v, 0 };
	struct fields left;
	if (fields_minus(&x->conflict_set, allowed, x->a, &left) < 0)
		return no_room(x);
	struct apply again = { .who = x->who, .a = x->a, .e = x->e };
	struct noted n = { &again, "" };
	if (fields_each(&left, note_conflict, &n) < 0)
		return no_room(x);
	for (uint32_t i = 0; i < x->conflicts.n; i++)
		for (uint32_t k = 0; k < again.conflicts.n; k++)
			if (!strcmp(x->conflicts.v[i].field, again.conflicts.v[k].field)) {
				kept.v[kept.n++] = x->conflicts.v[i];
				break;
			}
	x->conflicts = kept;
	return 0;
}

static int check_applied(struct apply *x, const struct tree *applied)
{
	const struct tree *managed = managed_of(applied);
	struct slice version = tree_text(tree_gets(applied, "apiVersion"));
	if (tree_depth(applied) > APPLY_MAX_DEPTH)
		return err_set(x->e, E2BIG, "the object is nested too deeply");
	if (applied->type != TREE_MAP)
		return err_set(x->e, EINVAL, "error decoding YAML: the configuration is not an object");
	if (managed && managed->type != TREE_NULL)
		return err_set(x->e, EINVAL, "metadata.managedFields must be nil");
	if (!slice_is(version, x->who->api_version))
		return err_set(x->e, EINVAL, "Incorrect version specified in apply patch. Specified patch version: %.*s, expected: %s",
			SLICE_FMT(version), x->who->api_version);
	return 0;
}

/* "failed to create typed patch object (ns/name; apps/v1, Kind=Deployment): …" */
static void say_which(struct apply *x, const struct tree *applied)
{
	const struct tree *meta = tree_gets(applied, "metadata");
	err_prefix(x->e, "failed to create typed patch object (%.*s/%.*s; %s, Kind=%.*s)", SLICE_FMT(tree_text(tree_gets(meta, "namespace"))),
		SLICE_FMT(tree_text(tree_gets(meta, "name"))), x->who->api_version, SLICE_FMT(tree_text(tree_gets(applied, "kind"))));
}

static int apply_live(struct apply *x, const struct tree *live, const struct tree *applied, struct tree *ret)
{
	struct apply_entries before;
	int r = apply_entries_read(managed_of(live), x->a, &x->entries, x->e);
	if (r < 0)
		return r == -EINVAL ? err_prefix(x->e, "failed to decode managed fields") : r;
	if (!x->entries.n && live) {
		r = track(x, &(struct tree){ .type = TREE_MAP }, &x->live, "before-first-apply");
		if (r < 0)
			return r;
	}
	before = x->entries;
	before.v = arena_array(x->a, before.n, sizeof *before.v);
	before.room = 0;
	if (!before.v)
		return no_room(x);
	if (before.n)
		memcpy(before.v, x->entries.v, before.n * sizeof *before.v);
	r = apply_once(x, applied, x->who->is_forced, ret);
	if (r == -EINVAL)
		say_which(x, applied);
	struct fields allowed;
	if (r != 1)
		return r;
	if (x->who->manager && !strcmp(x->who->manager, "kubectl") && allowed_conflicts(x, &allowed) == 0) {
		r = filter_conflicts(x, &allowed);
		if (r < 0)
			return r;
		if (!x->conflicts.n) {
			x->entries = before;
			return apply_once(x, applied, true, ret);
		}
	}
	return say_conflicts(x);
}

int apply_patch(const struct apply_who *who, const struct tree *live, const struct tree *applied, struct arena *a, struct tree *ret,
	bool *changed, struct apply_conflicts *conflicts, struct err *e)
{
	static const struct tree nothing = { .type = TREE_MAP };
	struct apply x = { .who = who, .a = a, .e = e };
	struct tree object, out;
	int r = start(&x);
	if (r == 0)
		r = check_applied(&x, applied);
	if (r == 0)
		r = with_managed(&x, live ? live : &nothing, tree_null(), &x.live);
	if (r == 0)
		r = apply_live(&x, live, applied, &object);
	if (conflicts)
		*conflicts = x.conflicts;
	if (r == 0 && who->manager && !strcmp(who->manager, "kubectl"))
		r = update_last_applied(&x, applied, &object);
	if (r == 0)
		r = finish(&x, &object, &out);
	if (r < 0)
		return r;
	*changed = !live || !tree_equal(live, &out);
	*ret = out;
	return 0;
}

int apply_check_managed(const struct tree *object, struct err *e)
{
	const struct tree *list = managed_of(object);
	for (uint32_t i = 0; list && list->type == TREE_LIST && i < list->n; i++) {
		const struct tree *v = &list->items[i];
		struct slice operation = tree_text(tree_gets(v, "operation")), type = tree_text(tree_gets(v, "fieldsType"));
		struct slice manager = tree_text(tree_gets(v, "manager")), sub = tree_text(tree_gets(v, "subresource"));
		if (is_reset(list))
			return 0;
		if (!slice_is(operation, "Apply") && !slice_is(operation, "Update"))
			return err_set(e, EINVAL, "metadata.managedFields[%u].operation: Invalid value: \"%.*s\": must be `Apply` or `Update`", i,
				SLICE_FMT(operation));
		if (type.len && !slice_is(type, "FieldsV1"))
			return err_set(e, EINVAL, "metadata.managedFields[%u].fieldsType: Invalid value: \"%.*s\": must be `FieldsV1`", i, SLICE_FMT(type));
		if (manager.len > 128)
			return err_set(e, EINVAL, "metadata.managedFields[%u].manager: Too long: may not be more than 128 bytes", i);
		if (sub.len > 256)
			return err_set(e, EINVAL, "metadata.managedFields[%u].subresource: Too long: may not be more than 256 bytes", i);
	}
	return 0;
}
