// SPDX-License-Identifier: Apache-2.0
/*
 * What nodes may do: the graph pod → node with what each pod refers to, the
 * node authoriser over it, and the checks of writes (NodeRestriction). Lists of
 * nodes and pods must select their own. Not covered: a node may get any pod by its name.
 */
#include <errno.h>
#include "kube/auth/rbac_int.h"

#define LEASE_NS "kube-node-lease"
#define MIRROR "kubernetes.io/config.mirror"
#define RESTRICTED "node-restriction.kubernetes.io/"

enum ref_kind { REF_SECRET, REF_CONFIG_MAP, REF_CLAIM, REF_ACCOUNT, REF_KINDS };
struct node_ref { enum ref_kind kind; const char *name; };
struct node_pod {
	struct arena arena;
	const char *ns, *name, *node;
	VEC(struct node_ref) refs;
};
struct node_pods { VEC(struct node_pod *) v; };
struct node_graph {
	struct map pods;               /* "ns/name" → struct node_pod */
	struct map nodes;              /* node → struct node_pods */
};

/* --- what a pod refers to -------------------------------------------------------------------- */

typedef int ref_fn(void *arg, enum ref_kind kind, const char *name);

static int say(ref_fn *fn, void *arg, enum ref_kind kind, const char *name) { return name && *name ? fn(arg, kind, name) : 0; }

static int container_refs(const struct kube_env_var *env, uint32_t n, const struct kube_env_from_source *from, uint32_t n_from, ref_fn *fn, void *arg)
{
	int r = 0;
	for (uint32_t i = 0; i < n && r == 0; i++) {
		const struct kube_env_var_source *s = env[i].value_from;
		if (s && s->config_map_key_ref)
			r = say(fn, arg, REF_CONFIG_MAP, s->config_map_key_ref->name);
		if (s && r == 0 && s->secret_key_ref)
			r = say(fn, arg, REF_SECRET, s->secret_key_ref->name);
	}
	for (uint32_t i = 0; i < n_from && r == 0; i++) {
		if (from[i].config_map_ref)
			r = say(fn, arg, REF_CONFIG_MAP, from[i].config_map_ref->name);
		if (r == 0 && from[i].secret_ref)
			r = say(fn, arg, REF_SECRET, from[i].secret_ref->name);
	}
	return r;
}

static int volume_refs(const struct kube_pod *pod, const struct kube_volume *v, ref_fn *fn, void *arg)
{
	int r = v->secret ? say(fn, arg, REF_SECRET, v->secret->secret_name) : 0;
	if (r == 0 && v->config_map)
		r = say(fn, arg, REF_CONFIG_MAP, v->config_map->name);
	if (r == 0 && v->persistent_volume_claim)
		r = say(fn, arg, REF_CLAIM, v->persistent_volume_claim->claim_name);
	if (r == 0 && v->csi && v->csi->node_publish_secret_ref)
		r = say(fn, arg, REF_SECRET, v->csi->node_publish_secret_ref->name);
	if (r == 0 && v->ephemeral) {
		AUTO(free) char *claim = fmt_new("%s-%s", pod->metadata.name, v->name);
		r = claim ? fn(arg, REF_CLAIM, claim) : -ENOMEM;
	}
	for (uint32_t i = 0; v->projected && i < v->projected->n_sources && r == 0; i++) {
		const struct kube_volume_projection *p = &v->projected->sources[i];
		if (p->secret)
			r = say(fn, arg, REF_SECRET, p->secret->name);
		if (r == 0 && p->config_map)
			r = say(fn, arg, REF_CONFIG_MAP, p->config_map->name);
	}
	return r;
}

static int pod_refs(const struct kube_pod *pod, ref_fn *fn, void *arg)
{
	const struct kube_pod_spec *s = &pod->spec;
	int r = say(fn, arg, REF_ACCOUNT, s->service_account_name);
	for (uint32_t i = 0; i < s->n_image_pull_secrets && r == 0; i++)
		r = say(fn, arg, REF_SECRET, s->image_pull_secrets[i].name);
	for (uint32_t i = 0; i < s->n_init_containers && r == 0; i++)
		r = container_refs(s->init_containers[i].env, s->init_containers[i].n_env, s->init_containers[i].env_from, s->init_containers[i].n_env_from, fn, arg);
	for (uint32_t i = 0; i < s->n_containers && r == 0; i++)
		r = container_refs(s->containers[i].env, s->containers[i].n_env, s->containers[i].env_from, s->containers[i].n_env_from, fn, arg);
	for (uint32_t i = 0; i < s->n_ephemeral_containers && r == 0; i++)
		r = container_refs(s->ephemeral_containers[i].env, s->ephemeral_containers[i].n_env, s->ephemeral_containers[i].env_from,
			s->ephemeral_containers[i].n_env_from, fn, arg);
	for (uint32_t i = 0; i < s->n_volumes && r == 0; i++)
		r = volume_refs(pod, &s->volumes[i], fn, arg);
	return r;
}

/* --- the graph ----------------------------------------------------------------------------------- */

static void pod_free(struct node_pod *p)
{
	if (!p)
		return;
	vec_release(&p->refs);
	arena_release(&p->arena);
	free(p);
}

int node_graph_new(struct node_graph **ret)
{
	*ret = calloc(1, sizeof **ret);
	if (!*ret)
		return -ENOMEM;
	map_init(&(*ret)->pods);
	map_init(&(*ret)->nodes);
	return 0;
}

void node_graph_free(struct node_graph *g)
{
	struct map_entry *m;
	if (!g)
		return;
	for (size_t pos = 0; (m = map_next(&g->pods, &pos));)
		pod_free(m->value);
	for (size_t pos = 0; (m = map_next(&g->nodes, &pos));) {
		struct node_pods *n = m->value;
		vec_release(&n->v);
		free(n);
	}
	map_release(&g->pods);
	map_release(&g->nodes);
	free(g);
}

static void take_out(struct node_graph *g, const char *key)
{
	struct node_pod *p = map_dels(&g->pods, key);
	struct node_pods *n = p ? map_gets(&g->nodes, p->node) : NULL;
	for (size_t i = 0; n && i < n->v.n; i++)
		if (n->v.v[i] == p) {
			n->v.v[i] = n->v.v[--n->v.n];
			break;
		}
	if (n && n->v.n == 0) {
		map_dels(&g->nodes, p->node);
		vec_release(&n->v);
		free(n);
	}
	pod_free(p);
}

void node_graph_remove(struct node_graph *g, const char *ns, const char *name)
{
	char key[600];
	fmt_into(key, sizeof key, "%s/%s", ns, name);
	take_out(g, key);
}

static int add_ref(void *arg, enum ref_kind kind, const char *name)
{
	struct node_pod *p = arg;
	for (size_t i = 0; i < p->refs.n; i++)
		if (p->refs.v[i].kind == kind && strcmp(p->refs.v[i].name, name) == 0)
			return 0;
	const char *copy = arena_strdup(&p->arena, name);
	return copy ? vec_push(&p->refs, (struct node_ref){ kind, copy }) : -ENOMEM;
}

static int add_to_node(struct node_graph *g, struct node_pod *p)
{
	struct node_pods *n = map_gets(&g->nodes, p->node);
	if (!n && (n = calloc(1, sizeof *n)) && map_sets(&g->nodes, p->node, n) < 0) {
		free(n);
		n = NULL;
	}
	return n ? vec_push(&n->v, p) : -ENOMEM;
}

int node_graph_put(struct node_graph *g, const struct kube_pod *pod)
{
	const char *ns = pod->metadata.namespace ? pod->metadata.namespace : "", *name = pod->metadata.name ? pod->metadata.name : "";
	char key[600];
	fmt_into(key, sizeof key, "%s/%s", ns, name);
	take_out(g, key);
	if (!pod->spec.node_name || !*pod->spec.node_name)
		return 0;
	struct node_pod *p = calloc(1, sizeof *p);
	if (!p)
		return -ENOMEM;
	arena_init(&p->arena, 1 << 20);
	p->ns = arena_strdup(&p->arena, ns);
	p->name = arena_strdup(&p->arena, name);
	p->node = arena_strdup(&p->arena, pod->spec.node_name);
	if (!p->ns || !p->name || !p->node || pod_refs(pod, add_ref, p) < 0 || map_sets(&g->pods, key, p) < 0) {
		pod_free(p);
		return -ENOMEM;
	}
	if (add_to_node(g, p) < 0) {
		take_out(g, key);
		return -ENOMEM;
	}
	return 0;
}

static bool refers(const struct node_graph *g, const char *node, enum ref_kind kind, const char *ns, const char *name)
{
	const struct node_pods *n = map_gets(&g->nodes, node);
	for (size_t i = 0; n && i < n->v.n; i++) {
		const struct node_pod *p = n->v.v[i];
		if (strcmp(p->ns, ns) != 0)
			continue;
		for (size_t k = 0; k < p->refs.n; k++)
			if (p->refs.v[k].kind == kind && strcmp(p->refs.v[k].name, name) == 0)
				return true;
	}
	return false;
}

void kube_rbac_set_pods(struct kube_rbac *x, const struct kube_pod_source *source) { x->pods = *source; }

static int put_fresh(void *arg, const struct kube_pod *pod) { return node_graph_put(arg, pod) < 0; }

/* Looks at the source for what the watch has not told yet; false when there is none. */
static bool refresh(const struct kube_rbac *x, const char *node)
{
	if (!x->pods.each)
		return false;
	x->pods.each(x->pods.arg, node, put_fresh, x->graph);
	return true;
}

static bool is_on_node(const struct kube_rbac *x, const char *key, const char *node)
{
	const struct node_pod *p = map_gets(&x->graph->pods, key);
	return p && strcmp(p->node, node) == 0;
}

bool kube_rbac_pod_is_on(const struct kube_rbac *x, const char *ns, const char *name, const char *node)
{
	char key[600];
	fmt_into(key, sizeof key, "%s/%s", ns, name);
	return is_on_node(x, key, node) || (refresh(x, node) && is_on_node(x, key, node));
}

/* --- the authoriser -------------------------------------------------------------------------------- */

static bool one_of(const char *s, const char *list)
{
	struct slice rest = slice_of(list), one;
	while (slice_next(&rest, ',', &one))
		if (slice_is(one, s))
			return true;
	return false;
}

struct verdict { struct arena *a; const char *node, **reason; };

static bool no(struct verdict *v, const char *why)
{
	*v->reason = arena_strdup(v->a, why);
	return false;
}

static bool by_reference(const struct kube_rbac *x, struct verdict *v, const struct kube_attributes *at, enum ref_kind kind, const char *verbs)
{
	if (!one_of(at->verb, verbs))
		return no(v, kind == REF_SECRET || kind == REF_CONFIG_MAP ? "can only read resources of this type" : "this is not a node's business");
	if (!*at->name)
		return no(v, "No Object name found");
	if (refers(x->graph, v->node, kind, at->namespace_, at->name) || (refresh(x, v->node) && refers(x->graph, v->node, kind, at->namespace_, at->name)))
		return true;
	*v->reason = arena_fmt(v->a, "no relationship found between node '%s' and this object", v->node);
	return false;
}

static bool own_name(struct verdict *v, const struct kube_attributes *at, const char *verbs, const char *what)
{
	if (!one_of(at->verb, verbs))
		return no(v, "this is not a node's business");
	if (strcmp(at->verb, "create") == 0 || strcmp(at->name, v->node) == 0)
		return true;
	*v->reason = arena_fmt(v->a, "can only access %s with the same name as the requesting node", what);
	return false;
}

/* The list is of what has exactly this in the field. */
static bool selects(const struct kube_attributes *at, const char *field, const char *value)
{
	struct slice rest = slice_of(at->field_selector ? at->field_selector : ""), term, key, v;
	while (slice_next(&rest, ',', &term)) {
		if (!slice_cut(term, '=', &key, &v))
			continue;
		if (slice_starts(v, "="))
			v = slice_n(v.ptr + 1, v.len - 1);
		if (slice_is(key, field) && slice_is(v, value))
			return true;
	}
	return false;
}

bool node_allowed(const struct kube_rbac *x, const char *node, const struct kube_attributes *at, struct arena *a, const char **reason)
{
	struct verdict v = { a, node, reason };
	if (at->is_resource && !*at->group) {
		if (strcmp(at->resource, "secrets") == 0)
			return by_reference(x, &v, at, REF_SECRET, "get,list,watch");
		if (strcmp(at->resource, "configmaps") == 0)
			return by_reference(x, &v, at, REF_CONFIG_MAP, "get,list,watch");
		if (strcmp(at->resource, "persistentvolumeclaims") == 0)
			return by_reference(x, &v, at, REF_CLAIM, *at->subresource ? "get,patch,update" : "get");
		if (strcmp(at->resource, "serviceaccounts") == 0)
			return by_reference(x, &v, at, REF_ACCOUNT, strcmp(at->subresource, "token") == 0 ? "create" : *at->subresource ? "" : "get");
		if (strcmp(at->resource, "nodes") == 0 && one_of(at->verb, "get,patch,update,delete") && (!*at->subresource || strcmp(at->subresource, "status") == 0))
			return own_name(&v, at, "get,patch,update", "Node");
		if (strcmp(at->resource, "nodes") == 0 && one_of(at->verb, "list,watch"))
			return own_name(&v, at, "list,watch", "Node");
		if (strcmp(at->resource, "pods") == 0 && one_of(at->verb, "list,watch,deletecollection") && !selects(at, "spec.nodeName", node))
			return no(&v, "can only list/watch pods with spec.nodeName field selector");
	}
	if (at->is_resource && strcmp(at->group, "coordination.k8s.io") == 0 && strcmp(at->resource, "leases") == 0)
		return strcmp(at->namespace_, LEASE_NS) == 0 ? own_name(&v, at, "get,create,update,patch,delete", "node lease") :
			no(&v, "can only access leases in the \"" LEASE_NS "\" system namespace");
	if (at->is_resource && strcmp(at->group, "storage.k8s.io") == 0 && strcmp(at->resource, "csinodes") == 0)
		return own_name(&v, at, "get,create,update,patch,delete", "CSINode");
	for (uint32_t i = 0; i < x->n_node_rules; i++)
		if (kube_rule_allows(&x->node_rules[i], at))
			return true;
	return false;
}

/* --- writes ------------------------------------------------------------------------------------------- */

struct write { const char *node; const struct kube_attributes *at; struct err *e; };

/* What stands behind "is forbidden: ". */
static int forbid(const struct write *w, const char *why) { return err_set(w->e, EACCES, "%s", why); }
static int forbid_node(const struct write *w, const char *why) { return err_set(w->e, EACCES, "node \"%s\" %s", w->node, why); }

static bool is_on(const struct kube_pod *p, const char *node) { return p && p->spec.node_name && strcmp(p->spec.node_name, node) == 0; }
static const char *name_of(const struct kube_object_meta *m) { return m->name ? m->name : ""; }

static int no_ref(void *arg, enum ref_kind kind, const char *name) { return 1 + (int)kind; }

static int pod_write(const struct write *w, const struct kube_pod *p, const struct kube_pod *old)
{
	static const char *const cannot[REF_KINDS] = { "can not create pods that reference secrets", "can not create pods that reference configmaps",
		"can not create pods that reference persistentvolumeclaims", "can not create pods that reference a service account" };
	if (strcmp(w->at->subresource, "status") == 0)
		return is_on(old, w->node) ? 0 : forbid_node(w, "can only update pod status for pods with spec.nodeName set to itself");
	if (strcmp(w->at->subresource, "eviction") == 0)
		return is_on(old, w->node) ? 0 : forbid_node(w, "can only evict pods with spec.nodeName set to itself");
	if (*w->at->subresource)
		return forbid_node(w, "may not use this subresource");
	if (strcmp(w->at->verb, "delete") == 0)
		return is_on(old, w->node) ? 0 : forbid_node(w, "can only delete pods with spec.nodeName set to itself");
	if (strcmp(w->at->verb, "create") != 0 || !p)
		return forbid_node(w, "may not change pods");
	if (!schema_pair_get(p->metadata.annotations, p->metadata.n_annotations, MIRROR))
		return forbid_node(w, "can only create mirror pods; this one does not have \"" MIRROR "\" annotation");
	if (!is_on(p, w->node))
		return forbid_node(w, "can only create pods with spec.nodeName set to itself");
	int r = pod_refs(p, no_ref, NULL);
	return r > 0 ? forbid_node(w, cannot[r - 1]) : r;
}

/* Labels below node-restriction.kubernetes.io/ are for others to set. */
static bool restricted_labels_differ(const struct kube_node *n, const struct kube_node *old)
{
	for (uint32_t i = 0; i < n->metadata.n_labels; i++) {
		const struct schema_pair *l = &n->metadata.labels[i];
		if (!strstr(l->key, RESTRICTED))
			continue;
		const char *was = old ? schema_pair_get(old->metadata.labels, old->metadata.n_labels, l->key) : NULL;
		if (!was || strcmp(was, l->value ? l->value : "") != 0)
			return true;
	}
	for (uint32_t i = 0; old && i < old->metadata.n_labels; i++)
		if (strstr(old->metadata.labels[i].key, RESTRICTED) && !schema_pair_get(n->metadata.labels, n->metadata.n_labels, old->metadata.labels[i].key))
			return true;
	return false;
}

static int node_object_write(const struct write *w, const struct kube_node *n, const struct kube_node *old)
{
	const char *name = *w->at->name ? w->at->name : n ? name_of(&n->metadata) : "";
	char text[400];
	if (strcmp(name, w->node) != 0) {
		fmt_into(text, sizeof text, "is not allowed to modify node \"%s\"", name);
		return forbid_node(w, text);
	}
	if (n && restricted_labels_differ(n, old))
		return forbid_node(w, "is not allowed to modify labels of the prefix " RESTRICTED);
	if (n && old && !*w->at->subresource) {
		struct kube_node a = { .spec = { .taints = n->spec.taints, .n_taints = n->spec.n_taints } };
		struct kube_node b = { .spec = { .taints = old->spec.taints, .n_taints = old->spec.n_taints } };
		if (n->spec.n_taints + old->spec.n_taints && !schema_equal(T_kube_node, &a, &b))
			return forbid_node(w, "is not allowed to modify taints");
	}
	return 0;
}

int kube_rbac_check_node_write(struct kube_rbac *x, const struct kube_user *u, const struct kube_attributes *at, const void *obj, const void *old, struct err *e)
{
	const char *node = kube_user_node(u);
	struct write w = { node, at, e };
	if (!node)
		return 0;
	const struct kube_lease *head = obj ? obj : old;       /* metadata is at the same place everywhere */
	if (!*at->group && strcmp(at->resource, "pods") == 0)
		return pod_write(&w, obj, old);
	if (!*at->group && strcmp(at->resource, "nodes") == 0)
		return node_object_write(&w, obj, old);
	if (strcmp(at->group, "coordination.k8s.io") == 0 && head && strcmp(at->resource, "leases") == 0) {
		if (strcmp(at->namespace_, LEASE_NS) != 0)
			return forbid(&w, "can only access leases in the \"" LEASE_NS "\" system namespace");
		return strcmp(name_of(&head->metadata), node) == 0 ? 0 :
			forbid(&w, "can only access node lease with the same name as the requesting node");
	}
	if (strcmp(at->group, "storage.k8s.io") == 0 && head && strcmp(at->resource, "csinodes") == 0 && strcmp(name_of(&head->metadata), node) != 0)
		return forbid(&w, "can only access CSINode with the same name as the requesting node");
	return 0;
}
