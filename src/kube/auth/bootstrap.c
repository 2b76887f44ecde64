// SPDX-License-Identifier: Apache-2.0
#include "kube/auth/bootstrap.h"
#include <errno.h>
#include "base/auto.h"
#include "base/log.h"
#include "io/fiber.h"
#include "kube/auth/bootstrap_rows.h"
#include "kube/auth/rbac.h"

#define GROUP "rbac.authorization.k8s.io"
#define AUTOUPDATE "rbac.authorization.kubernetes.io/autoupdate"

enum { ARENA_MAX = 4 * 1024 * 1024, FIBERS = 16 };

static const char *const aggregate_labels[] = { "rbac.authorization.k8s.io/aggregate-to-admin", "rbac.authorization.k8s.io/aggregate-to-edit",
	"rbac.authorization.k8s.io/aggregate-to-view" };

/* --- rows become objects ---------------------------------------------------------------- */

/* "a,b" → two texts; "" is one empty text. */
static int split(struct arena *a, struct slice s, const char ***ret, uint32_t *n)
{
	struct slice rest = s, one;
	size_t most = 1;
	for (size_t i = 0; i < s.len; i++)
		most += s.ptr[i] == ',';
	*ret = arena_array(a, most, sizeof **ret);
	*n = 0;
	if (!*ret)
		return -ENOMEM;
	while (slice_next(&rest, ',', &one))
		if (!((*ret)[(*n)++] = arena_dup(a, one)))
			return -ENOMEM;
	return 0;
}

static int make_rule(struct arena *a, const char *row, struct kube_policy_rule *ret)
{
	struct slice rest = slice_of(row), verbs, groups, things, names;
	slice_next(&rest, '|', &verbs);
	slice_next(&rest, '|', &groups);
	slice_next(&rest, '|', &things);
	*ret = (struct kube_policy_rule){ 0 };
	if (split(a, verbs, &ret->verbs, &ret->n_verbs) < 0)
		return -ENOMEM;
	if (slice_is(groups, "@"))
		return split(a, things, &ret->non_resource_urls, &ret->n_non_resource_urls);
	if (split(a, groups, &ret->api_groups, &ret->n_api_groups) < 0 || split(a, things, &ret->resources, &ret->n_resources) < 0)
		return -ENOMEM;
	return slice_next(&rest, '|', &names) ? split(a, names, &ret->resource_names, &ret->n_resource_names) : 0;
}

static int make_rules(struct arena *a, const char *const *rows, struct kube_policy_rule **ret, uint32_t *n)
{
	size_t count = 0;
	while (rows && rows[count])
		count++;
	*ret = arena_array(a, count, sizeof **ret);
	*n = (uint32_t)count;
	for (size_t i = 0; i < count; i++)
		if (!*ret || make_rule(a, rows[i], &(*ret)[i]) < 0)
			return -ENOMEM;
	return *ret ? 0 : -ENOMEM;
}

static int make_meta(struct arena *a, const char *ns, const char *name, unsigned labels, struct kube_object_meta *ret)
{
	struct schema_pair *l = arena_array(a, 1 + ARRAY_LEN(aggregate_labels), sizeof *l), *annotation = arena_new(a, struct schema_pair);
	if (!l || !annotation)
		return -ENOMEM;
	*ret = (struct kube_object_meta){ .name = name, .namespace = ns, .labels = l, .annotations = annotation, .n_annotations = 1 };
	annotation[0] = (struct schema_pair){ AUTOUPDATE, "true" };
	l[ret->n_labels++] = (struct schema_pair){ "kubernetes.io/bootstrapping", "rbac-defaults" };
	for (size_t i = 0; i < ARRAY_LEN(aggregate_labels); i++)
		if (labels & 1u << i)
			l[ret->n_labels++] = (struct schema_pair){ aggregate_labels[i], "true" };
	return 0;
}

static int make_aggregation(struct arena *a, unsigned collects, struct kube_aggregation_rule **ret)
{
	struct kube_aggregation_rule *g = arena_new(a, struct kube_aggregation_rule);
	struct kube_label_selector *s = arena_new(a, struct kube_label_selector);
	struct schema_pair *p = arena_new(a, struct schema_pair);
	if (!g || !s || !p)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_LEN(aggregate_labels); i++)
		if (collects & 1u << i)
			*p = (struct schema_pair){ aggregate_labels[i], "true" };
	*s = (struct kube_label_selector){ .match_labels = p, .n_match_labels = 1 };
	*g = (struct kube_aggregation_rule){ s, 1 };
	*ret = g;
	return 0;
}

static int make_subjects(struct arena *a, const char *const *rows, struct kube_subject **ret, uint32_t *n)
{
	size_t count = 0;
	while (rows && rows[count])
		count++;
	struct kube_subject *v = arena_array(a, count, sizeof *v);
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct slice rest = slice_of(rows[i]), kind, first, second;
		slice_next(&rest, ' ', &kind);
		slice_next(&rest, ' ', &first);
		v[i].kind = arena_dup(a, kind);
		if (slice_next(&rest, ' ', &second)) {
			v[i].namespace = arena_dup(a, first);
			v[i].name = arena_dup(a, second);
		} else {
			v[i].api_group = GROUP;
			v[i].name = arena_dup(a, first);
		}
		if (!v[i].kind || !v[i].name)
			return -ENOMEM;
	}
	*ret = count ? v : NULL;
	*n = (uint32_t)count;
	return 0;
}

typedef int each_fn(void *arg, const struct kube_resource *r, const char *ns, const void *obj);

static const struct kube_resource *resource(const char *plural) { return kube_resource_find(GROUP, "v1", plural); }

static int each_role(struct arena *a, const struct bootstrap_role *row, each_fn *fn, void *arg)
{
	struct kube_cluster_role c = { .kind = "ClusterRole", .api_version = GROUP "/v1" };
	if (make_meta(a, row->ns, row->name, row->labels, &c.metadata) < 0 || make_rules(a, row->rules, &c.rules, &c.n_rules) < 0)
		return -ENOMEM;
	if (row->collects && make_aggregation(a, row->collects, &c.aggregation_rule) < 0)
		return -ENOMEM;
	if (!row->ns)
		return fn(arg, resource("clusterroles"), NULL, &c);
	const struct kube_role r = { .kind = "Role", .api_version = GROUP "/v1", .metadata = c.metadata, .rules = c.rules, .n_rules = c.n_rules };
	return fn(arg, resource("roles"), row->ns, &r);
}

static int each_binding(struct arena *a, const struct bootstrap_binding *row, each_fn *fn, void *arg)
{
	struct kube_cluster_role_binding c = { .kind = "ClusterRoleBinding", .api_version = GROUP "/v1", .role_ref = { GROUP, "ClusterRole", row->role } };
	if (make_meta(a, row->ns, row->name, 0, &c.metadata) < 0 || make_subjects(a, row->subjects, &c.subjects, &c.n_subjects) < 0)
		return -ENOMEM;
	if (!row->ns)
		return fn(arg, resource("clusterrolebindings"), NULL, &c);
	const struct kube_role_binding b = { .kind = "RoleBinding", .api_version = GROUP "/v1", .metadata = c.metadata, .subjects = c.subjects,
		.n_subjects = c.n_subjects, .role_ref = { GROUP, "Role", row->role } };
	return fn(arg, resource("rolebindings"), row->ns, &b);
}

static int each_controller(struct arena *a, const struct bootstrap_controller *row, each_fn *fn, void *arg)
{
	const char *name = arena_fmt(a, "system:controller:%s", row->name), *subject = arena_fmt(a, "ServiceAccount kube-system %s", row->name);
	const char *const subjects[] = { subject, NULL };
	if (!name || !subject)
		return -ENOMEM;
	int r = each_role(a, &(struct bootstrap_role){ .name = name, .rules = row->rules }, fn, arg);
	return r ? r : each_binding(a, &(struct bootstrap_binding){ .name = name, .role = name, .subjects = subjects }, fn, arg);
}

static size_t n_rows(void) { return n_bootstrap_roles + n_bootstrap_bindings + n_bootstrap_controllers; }

static int each_row(struct arena *a, size_t i, each_fn *fn, void *arg)
{
	if (i < n_bootstrap_roles)
		return each_role(a, &bootstrap_roles[i], fn, arg);
	i -= n_bootstrap_roles;
	if (i < n_bootstrap_bindings)
		return each_binding(a, &bootstrap_bindings[i], fn, arg);
	return each_controller(a, &bootstrap_controllers[i - n_bootstrap_bindings], fn, arg);
}

int kube_bootstrap_each(struct arena *a, int (*fn)(void *arg, const struct kube_resource *r, const char *ns, const void *obj), void *arg)
{
	int r = 0;
	for (size_t i = 0; i < n_rows() && r == 0; i++)
		r = each_row(a, i, fn, arg);
	return r;
}

/* --- reconciling -------------------------------------------------------------------------- */

/* Adds what `from` has and *to has not. 1 when something was added. */
static int add_pairs(struct arena *a, struct schema_pair **to, uint32_t *n, const struct schema_pair *from, uint32_t n_from)
{
	struct schema_pair *v = arena_array(a, (size_t)*n + n_from, sizeof *v);
	uint32_t was = *n;
	if (!v)
		return -ENOMEM;
	if (was)
		memcpy(v, *to, was * sizeof *v);
	for (uint32_t i = 0; i < n_from; i++)
		if (!schema_pair_get(*to, was, from[i].key))
			v[(*n)++] = from[i];
	*to = v;
	return *n > was;
}

static int add_meta(struct arena *a, struct kube_object_meta *to, const struct kube_object_meta *from)
{
	int l = add_pairs(a, &to->labels, &to->n_labels, from->labels, from->n_labels);
	int r = add_pairs(a, &to->annotations, &to->n_annotations, from->annotations, from->n_annotations);
	return l < 0 ? l : r < 0 ? r : l || r;
}

static int add_rules(struct arena *a, struct kube_policy_rule **to, uint32_t *n, const struct kube_policy_rule *from, uint32_t n_from)
{
	struct kube_policy_rule *v = arena_array(a, (size_t)*n + n_from, sizeof *v);
	const struct kube_policy_rule **have = arena_array(a, *n, sizeof *have);
	struct kube_rules owner = { have, *n, *n };
	uint32_t was = *n;
	if (!v || !have)
		return -ENOMEM;
	for (uint32_t i = 0; i < was; i++) {
		v[i] = (*to)[i];
		have[i] = &v[i];
	}
	for (uint32_t i = 0; i < n_from; i++)
		if (!kube_rules_cover(&owner, &from[i], 1, NULL))
			v[(*n)++] = from[i];
	*to = v;
	return *n > was;
}

static bool same_text(const char *a, const char *b) { return strcmp(a ? a : "", b ? b : "") == 0; }

static int add_subjects(struct arena *a, struct kube_subject **to, uint32_t *n, const struct kube_subject *from, uint32_t n_from)
{
	struct kube_subject *v = arena_array(a, (size_t)*n + n_from, sizeof *v);
	uint32_t was = *n;
	if (!v)
		return -ENOMEM;
	if (was)
		memcpy(v, *to, was * sizeof *v);
	for (uint32_t i = 0; i < n_from; i++) {
		bool there = false;
		for (uint32_t k = 0; k < was && !there; k++)
			there = same_text(v[k].kind, from[i].kind) && same_text(v[k].name, from[i].name) && same_text(v[k].namespace, from[i].namespace);
		if (!there)
			v[(*n)++] = from[i];
	}
	*to = v;
	return *n > was;
}

/* Brings `have` up to `want`; 1 when it must be written. Metadata is at the same place in all four. */
static int merge(struct arena *a, const struct kube_resource *r, void *have, const void *want)
{
	struct kube_cluster_role *h = have;
	const struct kube_cluster_role *w = want;
	const char *update = schema_pair_get(h->metadata.annotations, h->metadata.n_annotations, AUTOUPDATE);
	if (update && strcmp(update, "false") == 0)
		return 0;
	int meta = add_meta(a, &h->metadata, &w->metadata), body;
	if (strstr(r->plural, "bindings")) {
		struct kube_role_binding *hb = have;
		const struct kube_role_binding *wb = want;
		if (!same_text(hb->role_ref.name, wb->role_ref.name) || !same_text(hb->role_ref.kind, wb->role_ref.kind)) {
			log_warn("a default binding refers to another role and stays so", "binding=%s role=%s", w->metadata.name, hb->role_ref.name);
			return 0;
		}
		body = add_subjects(a, &hb->subjects, &hb->n_subjects, wb->subjects, wb->n_subjects);
	} else if (r->namespaced || !w->aggregation_rule) {
		body = add_rules(a, &h->rules, &h->n_rules, w->rules, w->n_rules);
	} else {
		body = h->aggregation_rule ? 0 : 1;
		if (body)
			h->aggregation_rule = w->aggregation_rule;
	}
	return meta < 0 ? meta : body < 0 ? body : meta || body;
}

/* Several fibers take rows in turn, so that what they write shares commits. */
struct reconcile {
	const struct kube_bootstrap_store *s;
	size_t next;
	unsigned running;
	int result;
	struct err err;
	struct fiber *waiter;
};

static int reconcile_wait(void *arg, const struct kube_resource *r, const char *ns, const void *obj)
{
	struct reconcile *c = arg;
	AUTO(arena) struct arena a;
	const char *name = ((const struct kube_cluster_role *)obj)->metadata.name;
	struct err e = { 0 };

	arena_init(&a, ARENA_MAX);
	void *have = arena_alloc(&a, schema_size(r->type));
	int rc = have ? c->s->get_wait(c->s->arg, r, ns, name, &a, have, &e) : err_nomem(&e);
	if (rc == -ENOENT) {
		rc = c->s->create_wait(c->s->arg, r, ns, obj, &a, &e);
		rc = rc == -EEXIST ? 0 : rc;
	} else if (rc >= 0) {
		rc = merge(&a, r, have, obj);
		if (rc == 1)
			rc = c->s->update_wait(c->s->arg, r, ns, have, &a, &e);
		else if (rc < 0)
			err_nomem(&e);
	}
	return rc < 0 ? err_set(&c->err, e.code, "default %s %s: %s", r->kind, name, e.text) : 0;
}

static void reconcile_rows(void *arg)
{
	struct reconcile *c = arg;
	while (c->next < n_rows() && c->result == 0) {
		AUTO(arena) struct arena a;
		arena_init(&a, ARENA_MAX);
		int r = each_row(&a, c->next++, reconcile_wait, c);
		if (r < 0)
			c->result = r;
	}
	if (--c->running == 0 && c->waiter)
		fiber_wake(c->waiter);
}

int kube_bootstrap_wait(const struct kube_bootstrap_store *s, struct err *e)
{
	struct reconcile c = { .s = s };
	struct fiber *self = fiber_self();
	c.waiter = self;
	for (int i = 0; self && i < FIBERS; i++) {
		c.running++;
		if (fiber_start(fiber_loop(self), "default roles", reconcile_rows, &c) < 0)
			c.running--;
	}
	if (c.running == 0 && c.next < n_rows()) {
		c.running = 1;
		reconcile_rows(&c);
	}
	while (c.running)          /* also when cancelled: they hold what is here */
		fiber_suspend_wait();
	return c.result < 0 ? err_set(e, c.err.code ? c.err.code : ENOMEM, "%s", c.err.text) : 0;
}
