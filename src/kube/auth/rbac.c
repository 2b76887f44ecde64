// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include "codec/json.h"
#include "kube/auth/bootstrap.h"
#include "kube/auth/rbac_int.h"
#include "kube/meta/resource.h"
#include "kube/meta/selector.h"

enum { ITEM_MAX = 16 * 1024 * 1024, PATH_MAX_ = 600 };

/* --- feeding ---------------------------------------------------------------------------- */

static const struct schema_ref *type_of(enum kube_rbac_kind kind)
{
	static const struct schema_ref types[KUBE_RBAC_KINDS] = { T_kube_role, T_kube_cluster_role, T_kube_role_binding, T_kube_cluster_role_binding };
	return &types[kind];
}

static bool is_namespaced(enum kube_rbac_kind kind) { return kind == KUBE_ROLE || kind == KUBE_ROLE_BINDING; }

static struct slice key_of(char buf[PATH_MAX_], enum kube_rbac_kind kind, const char *ns, const char *name)
{
	if (!is_namespaced(kind))
		return slice_of(name);
	fmt_into(buf, PATH_MAX_, "%s/%s", ns, name);
	return slice_of(buf);
}

static void item_free(struct rbac_item *i)
{
	if (i)
		arena_release(&i->arena);
	free(i);
}

static void unlist(struct kube_rbac *x, struct rbac_item *i)
{
	struct rbac_namespace *n = map_gets(&x->namespaces, i->ns);
	for (size_t k = 0; n && k < n->bindings.n; k++)
		if (n->bindings.v[k] == i) {
			vec_remove(&n->bindings, k);
			break;
		}
	if (n && n->bindings.n == 0) {
		map_dels(&x->namespaces, i->ns);
		vec_release(&n->bindings);
		free(n);
	}
}

static int list(struct kube_rbac *x, struct rbac_item *i)
{
	struct rbac_namespace *n = map_gets(&x->namespaces, i->ns);
	if (!n && (n = calloc(1, sizeof *n)) && map_sets(&x->namespaces, i->ns, n) < 0) {
		free(n);
		n = NULL;
	}
	return n ? vec_push(&n->bindings, i) : -ENOMEM;
}

void kube_rbac_remove(struct kube_rbac *x, enum kube_rbac_kind kind, const char *ns, const char *name)
{
	char buf[PATH_MAX_];
	struct rbac_item *i = map_del(&x->objects[kind], key_of(buf, kind, ns, name));
	if (i && kind == KUBE_ROLE_BINDING)
		unlist(x, i);
	item_free(i);
}

int kube_rbac_put(struct kube_rbac *x, enum kube_rbac_kind kind, const void *obj)
{
	const struct kube_object_meta *meta = &((const struct kube_role *)obj)->metadata;
	const char *ns = is_namespaced(kind) && meta->namespace ? meta->namespace : "", *name = meta->name ? meta->name : "";
	char buf[PATH_MAX_];
	struct rbac_item *i = calloc(1, sizeof *i);

	if (!i)
		return -ENOMEM;
	arena_init(&i->arena, ITEM_MAX);
	i->obj = arena_alloc(&i->arena, schema_size(*type_of(kind)));
	i->ns = arena_strdup(&i->arena, ns);
	i->name = arena_strdup(&i->arena, name);
	if (!i->obj || !i->ns || !i->name || schema_copy(*type_of(kind), obj, &i->arena, i->obj) < 0) {
		item_free(i);
		return -ENOMEM;
	}
	kube_rbac_remove(x, kind, ns, name);
	if (map_set(&x->objects[kind], key_of(buf, kind, ns, name), i, NULL) < 0) {
		item_free(i);
		return -ENOMEM;
	}
	if (kind == KUBE_ROLE_BINDING && list(x, i) < 0) {
		kube_rbac_remove(x, kind, ns, name);
		return -ENOMEM;
	}
	return 0;
}

int kube_rbac_put_pod(struct kube_rbac *x, const struct kube_pod *pod) { return node_graph_put(x->graph, pod); }
void kube_rbac_remove_pod(struct kube_rbac *x, const char *ns, const char *name) { node_graph_remove(x->graph, ns, name); }

/* The role system:node as it is by default: nodes have it without a binding. */
static int take_node_rules(void *arg, const struct kube_resource *r, const char *ns, const void *obj)
{
	struct kube_rbac *x = arg;
	const struct kube_cluster_role *c = obj;
	if (strcmp(r->plural, "clusterroles") != 0 || strcmp(c->metadata.name, "system:node") != 0)
		return 0;
	x->node_rules = c->rules;
	x->n_node_rules = c->n_rules;
	return 1;
}

int kube_rbac_new(struct kube_rbac **ret)
{
	struct kube_rbac *x = calloc(1, sizeof *x);
	if (!x)
		return -ENOMEM;
	for (unsigned k = 0; k < KUBE_RBAC_KINDS; k++)
		map_init(&x->objects[k]);
	map_init(&x->namespaces);
	arena_init(&x->arena, ITEM_MAX);
	if (node_graph_new(&x->graph) < 0 || kube_bootstrap_each(&x->arena, take_node_rules, x) != 1) {
		kube_rbac_free(x);
		return -ENOMEM;
	}
	*ret = x;
	return 0;
}

void kube_rbac_free(struct kube_rbac *x)
{
	struct map_entry *m;
	if (!x)
		return;
	for (unsigned k = 0; k < KUBE_RBAC_KINDS; k++) {
		for (size_t pos = 0; (m = map_next(&x->objects[k], &pos));)
			item_free(m->value);
		map_release(&x->objects[k]);
	}
	for (size_t pos = 0; (m = map_next(&x->namespaces, &pos));) {
		struct rbac_namespace *n = m->value;
		vec_release(&n->bindings);
		free(n);
	}
	map_release(&x->namespaces);
	node_graph_free(x->graph);
	arena_release(&x->arena);
	free(x);
}

/* --- whose rules ------------------------------------------------------------------------ */

static bool is_account(const char *user, const char *ns, const char *name)
{
	static const char prefix[] = "system:serviceaccount:";
	size_t n = strlen(ns);
	if (strncmp(user, prefix, sizeof prefix - 1) != 0)
		return false;
	user += sizeof prefix - 1;
	return strncmp(user, ns, n) == 0 && user[n] == ':' && strcmp(user + n + 1, name) == 0;
}

static const struct kube_subject *subject_of(const struct kube_subject *v, uint32_t n, const char *binding_ns, const struct kube_user *u)
{
	for (uint32_t i = 0; i < n; i++) {
		const char *kind = v[i].kind ? v[i].kind : "", *name = v[i].name ? v[i].name : "";
		const char *ns = v[i].namespace && *v[i].namespace ? v[i].namespace : binding_ns;
		if (strcmp(kind, "User") == 0 ? strcmp(name, u->name) == 0 : strcmp(kind, "Group") == 0 ? kube_user_in_group(u, name) :
			strcmp(kind, "ServiceAccount") == 0 && *ns && is_account(u->name, ns, name))
			return &v[i];
	}
	return NULL;
}

/* One reason why rules hold; rules NULL: the role is not there. */
struct grant {
	const struct rbac_item *binding;
	const struct kube_role_ref *ref;
	const struct kube_subject *subject;
	const struct kube_policy_rule *rules;
	uint32_t n;
	bool is_cluster;
};
typedef int grant_fn(void *arg, const struct grant *g);     /* non-zero ends the walk */

static int grant(struct kube_rbac *x, struct grant *g, grant_fn *fn, void *arg)
{
	char buf[PATH_MAX_];
	const char *kind = g->ref->kind ? g->ref->kind : "", *name = g->ref->name ? g->ref->name : "";
	const struct rbac_item *i = NULL;
	if (strcmp(kind, "ClusterRole") == 0) {
		i = map_gets(&x->objects[KUBE_CLUSTER_ROLE], name);
		const struct kube_cluster_role *c = i ? i->obj : NULL;
		g->rules = c ? c->rules : NULL;
		g->n = c ? c->n_rules : 0;
	} else if (strcmp(kind, "Role") == 0 && !g->is_cluster) {
		i = map_get(&x->objects[KUBE_ROLE], key_of(buf, KUBE_ROLE, g->binding->ns, name));
		const struct kube_role *r = i ? i->obj : NULL;
		g->rules = r ? r->rules : NULL;
		g->n = r ? r->n_rules : 0;
	}
	return fn(arg, g);
}

/* Every grant for the user: cluster-wide ones, then those of ns. */
static int each_grant(struct kube_rbac *x, const struct kube_user *u, const char *ns, grant_fn *fn, void *arg)
{
	struct map_entry *m;
	for (size_t pos = 0; (m = map_next(&x->objects[KUBE_CLUSTER_ROLE_BINDING], &pos));) {
		const struct rbac_item *i = m->value;
		const struct kube_cluster_role_binding *b = i->obj;
		struct grant g = { .binding = i, .ref = &b->role_ref, .is_cluster = true, .subject = subject_of(b->subjects, b->n_subjects, "", u) };
		int r = g.subject ? grant(x, &g, fn, arg) : 0;
		if (r)
			return r;
	}
	struct rbac_namespace *n = *ns ? map_gets(&x->namespaces, ns) : NULL;
	for (size_t k = 0; n && k < n->bindings.n; k++) {
		const struct kube_role_binding *b = n->bindings.v[k]->obj;
		struct grant g = { .binding = n->bindings.v[k], .ref = &b->role_ref, .subject = subject_of(b->subjects, b->n_subjects, ns, u) };
		int r = g.subject ? grant(x, &g, fn, arg) : 0;
		if (r)
			return r;
	}
	return 0;
}

struct collect { struct arena *a; struct kube_rules *out; };

static int collect_rules(void *arg, const struct grant *g)
{
	struct collect *c = arg;
	struct kube_rules *o = c->out;
	if (o->n + g->n > o->cap) {
		size_t cap = MAX(o->cap * 2, o->n + g->n);
		const struct kube_policy_rule **v = arena_array(c->a, cap, sizeof *v);
		if (!v)
			return -ENOMEM;
		if (o->n)
			memcpy(v, o->v, o->n * sizeof *v);
		o->v = v;
		o->cap = cap;
	}
	for (uint32_t i = 0; i < g->n; i++)
		o->v[o->n++] = &g->rules[i];
	return 0;
}

int kube_rbac_rules(struct kube_rbac *x, const struct kube_user *u, const char *ns, struct arena *a, struct kube_rules *ret)
{
	struct collect c = { a, ret };
	*ret = (struct kube_rules){ 0 };
	return each_grant(x, u, ns, collect_rules, &c);
}

/* --- the answer --------------------------------------------------------------------------- */

struct question {
	const struct kube_attributes *at;
	struct arena *a;
	const char **reason;
	struct buf lost;               /* roles that bindings name and nobody has */
	unsigned n_lost;
};

static void say(struct question *q, const struct grant *g)
{
	const struct kube_subject *s = g->subject;
	const char *ns = g->is_cluster ? NULL : g->binding->ns;
	if (strcmp(s->kind, "ServiceAccount") == 0)
		*q->reason = arena_fmt(q->a, "RBAC: allowed by %s \"%s%s%s\" of %s \"%s\" to ServiceAccount \"%s/%s\"", ns ? "RoleBinding" : "ClusterRoleBinding",
			g->binding->name, ns ? "/" : "", ns ? ns : "", g->ref->kind, g->ref->name, s->name, s->namespace && *s->namespace ? s->namespace : g->binding->ns);
	else
		*q->reason = arena_fmt(q->a, "RBAC: allowed by %s \"%s%s%s\" of %s \"%s\" to %s \"%s\"", ns ? "RoleBinding" : "ClusterRoleBinding", g->binding->name,
			ns ? "/" : "", ns ? ns : "", g->ref->kind, g->ref->name, s->kind, s->name);
}

static int ask(void *arg, const struct grant *g)
{
	struct question *q = arg;
	for (uint32_t i = 0; i < g->n; i++)
		if (kube_rule_allows(&g->rules[i], q->at)) {
			if (q->reason)
				say(q, g);
			return 1;
		}
	if (!g->rules && q->n_lost < 10) {
		bool is_cluster = g->ref->kind && strcmp(g->ref->kind, "ClusterRole") == 0;
		buf_addf(&q->lost, "%s%s.rbac.authorization.k8s.io \"%s\" not found", q->n_lost ? ", " : "", is_cluster ? "clusterrole" : "role",
			g->ref->name ? g->ref->name : "");
		q->n_lost++;
	}
	return 0;
}

int kube_rbac_allowed(struct kube_rbac *x, const struct kube_user *u, const struct kube_attributes *at, struct arena *a, const char **reason)
{
	struct question q = { .at = at, .a = a, .reason = reason, .lost = BUF_INIT(4096) };
	const char *node = kube_user_node(u), *node_reason = NULL;
	if (kube_user_in_group(u, "system:masters"))
		return 1;
	if (node && node_allowed(x, node, at, a, &node_reason))
		return 1;
	int r = each_grant(x, u, at->is_resource ? at->namespace_ : "", ask, &q);
	if (r == 0 && reason) {
		if (q.n_lost)
			*reason = arena_fmt(a, q.n_lost > 1 ? "RBAC: [%s]" : "RBAC: %s", q.lost.ptr);
		else if (node_reason)
			*reason = node_reason;
	}
	buf_release(&q.lost);
	return r;
}

static int allowed(void *arg, const struct kube_user *u, const struct kube_attributes *at, struct arena *a, const char **reason)
{
	return kube_rbac_allowed(arg, u, at, a, reason);
}

struct kube_authorizer kube_rbac_authorizer(struct kube_rbac *x) { return (struct kube_authorizer){ allowed, x }; }

/* --- escalation ----------------------------------------------------------------------------- */

static bool may(struct kube_rbac *x, const struct kube_user *u, const char *verb, const char *resource, const char *ns, const char *name, struct arena *a)
{
	const struct kube_attributes at = { .verb = verb, .group = "rbac.authorization.k8s.io", .version = "v1", .resource = resource, .subresource = "",
		.namespace_ = ns, .name = name, .path = "", .is_resource = true };
	return kube_rbac_allowed(x, u, &at, a, NULL) == 1;
}

/* What stands behind "is forbidden: ". */
static int refuse(const struct kube_user *u, const char *missing, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);
	buf_adds(&text, "user ");
	json_put_string(&text, u->name, strlen(u->name), 0);
	buf_adds(&text, " (groups=[");
	for (size_t i = 0; i < u->n_groups; i++) {
		buf_adds(&text, i ? " " : "");
		json_put_string(&text, u->groups[i], strlen(u->groups[i]), 0);
	}
	buf_addf(&text, "]) is attempting to grant RBAC permissions not currently held:\n%s", missing);
	return err_set(e, EACCES, "%s", text.ptr);
}

static int check_rules(struct kube_rbac *x, const struct kube_user *u, const char *ns, const struct kube_policy_rule *rules, uint32_t n, struct arena *a,
	struct err *e)
{
	struct kube_rules own;
	AUTO(buf) struct buf missing = BUF_INIT(1 << 20);
	if (kube_rbac_rules(x, u, ns, a, &own) < 0)
		return err_nomem(e);
	return kube_rules_cover(&own, rules, n, &missing) ? 0 : refuse(u, missing.ptr, e);
}

static int check_role(struct kube_rbac *x, const struct kube_user *u, const struct kube_resource *r, const struct kube_cluster_role *c, const void *old,
	struct arena *a, struct err *e)
{
	const char *ns = r->namespaced && c->metadata.namespace ? c->metadata.namespace : "", *name = c->metadata.name ? c->metadata.name : "";
	const struct kube_cluster_role *was = old;
	const char *all[] = { "*" };
	const struct kube_policy_rule everything = { .verbs = all, .n_verbs = 1, .api_groups = all, .n_api_groups = 1, .resources = all, .n_resources = 1 };
	if (may(x, u, "escalate", r->plural, ns, name, a))
		return 0;
	struct kube_cluster_role now = { .rules = c->rules, .n_rules = c->n_rules, .aggregation_rule = r->namespaced ? NULL : c->aggregation_rule };
	struct kube_cluster_role before = { 0 };
	if (was)
		before = (struct kube_cluster_role){ .rules = was->rules, .n_rules = was->n_rules, .aggregation_rule = r->namespaced ? NULL : was->aggregation_rule };
	if (was && schema_equal(T_kube_cluster_role, &now, &before))
		return 0;
	if (now.aggregation_rule) {        /* what it will collect is not known */
		int rc = check_rules(x, u, "", &everything, 1, a, e);
		if (rc < 0)
			return rc;
	}
	return check_rules(x, u, ns, c->rules, c->n_rules, a, e);
}

static int check_binding(struct kube_rbac *x, const struct kube_user *u, const struct kube_resource *r, const struct kube_role_binding *b, const void *old,
	struct arena *a, struct err *e)
{
	const char *ns = r->namespaced && b->metadata.namespace ? b->metadata.namespace : "";
	const struct kube_role_binding *was = old;
	char buf[PATH_MAX_];
	const char *role = b->role_ref.name ? b->role_ref.name : "";
	bool is_cluster = b->role_ref.kind && strcmp(b->role_ref.kind, "ClusterRole") == 0;
	if (was && was->n_subjects == b->n_subjects) {
		struct kube_role_binding x1 = { .subjects = b->subjects, .n_subjects = b->n_subjects, .role_ref = b->role_ref };
		struct kube_role_binding x2 = { .subjects = was->subjects, .n_subjects = was->n_subjects, .role_ref = was->role_ref };
		if (schema_equal(T_kube_role_binding, &x1, &x2))
			return 0;
	}
	if (may(x, u, "bind", is_cluster ? "clusterroles" : "roles", ns, role, a))
		return 0;
	const struct rbac_item *i = is_cluster ? map_gets(&x->objects[KUBE_CLUSTER_ROLE], role) : map_get(&x->objects[KUBE_ROLE], key_of(buf, KUBE_ROLE, ns, role));
	if (!i)
		return err_set(e, ENOENT, "%s.rbac.authorization.k8s.io \"%s\" not found", is_cluster ? "clusterroles" : "roles", role);
	const struct kube_cluster_role *c = i->obj;     /* rules stand at the same place in both */
	return check_rules(x, u, ns, c->rules, c->n_rules, a, e);
}
_Static_assert(offsetof(struct kube_role, rules) == offsetof(struct kube_cluster_role, rules), "Role and ClusterRole begin alike");
_Static_assert(offsetof(struct kube_role_binding, role_ref) == offsetof(struct kube_cluster_role_binding, role_ref), "and so do their bindings");

int kube_rbac_check_write(struct kube_rbac *x, const struct kube_user *u, const struct kube_resource *r, const void *obj, const void *old, struct arena *a,
	struct err *e)
{
	if (strcmp(r->group, "rbac.authorization.k8s.io") != 0 || kube_user_in_group(u, "system:masters"))
		return 0;
	return strstr(r->plural, "bindings") ? check_binding(x, u, r, obj, old, a, e) : check_role(x, u, r, obj, old, a, e);
}

/* --- aggregation ------------------------------------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct rbac_item *const *)a)->name, (*(const struct rbac_item *const *)b)->name);
}

static bool is_selected(struct arena *a, const struct kube_cluster_role *role, const struct kube_cluster_role *c)
{
	struct selector s;
	struct err ignored;
	for (uint32_t i = 0; i < role->aggregation_rule->n_cluster_role_selectors; i++)
		if (selector_of(a, &role->aggregation_rule->cluster_role_selectors[i], &s, &ignored) == 0 &&
			selector_matches(&s, c->metadata.labels, c->metadata.n_labels))
			return true;
	return false;
}

int kube_rbac_aggregate(struct kube_rbac *x, const struct kube_cluster_role *role, struct arena *a, struct kube_policy_rule **ret, uint32_t *n, bool *changed)
{
	struct map_entry *m;
	size_t most = x->objects[KUBE_CLUSTER_ROLE].n, n_items = 0, n_rules = 0;
	const struct rbac_item **items = arena_array(a, most, sizeof *items);
	if (!items || !role->aggregation_rule)
		return items ? -EINVAL : -ENOMEM;
	for (size_t pos = 0; (m = map_next(&x->objects[KUBE_CLUSTER_ROLE], &pos));) {
		const struct rbac_item *i = m->value;
		if (strcmp(i->name, role->metadata.name) == 0 || !is_selected(a, role, i->obj))
			continue;
		items[n_items++] = i;
		n_rules += ((const struct kube_cluster_role *)i->obj)->n_rules;
	}
	qsort(items, n_items, sizeof *items, by_name);
	struct kube_policy_rule *v = arena_array(a, n_rules, sizeof *v);
	uint32_t at = 0;
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < n_items; i++) {
		const struct kube_cluster_role *c = items[i]->obj;
		for (uint32_t k = 0; k < c->n_rules; k++) {
			bool there = false;
			for (uint32_t j = 0; j < at && !there; j++)
				there = schema_equal(T_kube_policy_rule, &v[j], &c->rules[k]);
			if (!there && schema_copy(T_kube_policy_rule, &c->rules[k], a, &v[at++]) < 0)
				return -ENOMEM;
		}
	}
	*changed = at != role->n_rules;
	for (uint32_t i = 0; i < at && !*changed; i++)
		*changed = !schema_equal(T_kube_policy_rule, &v[i], &role->rules[i]);
	*ret = v;
	*n = at;
	return 0;
}
