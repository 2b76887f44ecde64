/* SPDX-License-Identifier: Apache-2.0 */
/* Subresources that are no view of the object: scale, binding, eviction, token. Streams are in proxy.c. */
#include "kube/api/api_int.h"

#include <string.h>

#include "base/clock.h"
#include "schema/patch.h"

/* --- which a resource has */

unsigned api_n_subresources(const struct api_resource *r)
{
	unsigned n = 0;
	if (r->custom)
		return api_custom_subresources(r, NULL, 0);
	for (unsigned i = 0; i < n_kube_subresources; i++)
		n += !strcmp(kube_subresources[i].plural, r->row->plural) && !strcmp(kube_subresources[i].group, r->row->group) &&
			!strcmp(kube_subresources[i].version, r->row->version);
	return n;
}

struct kube_subresource api_subresource_at(const struct api_resource *r, unsigned at)
{
	struct kube_subresource s = { 0 };
	if (r->custom) {
		api_custom_subresources(r, &s, at);
		return s;
	}
	for (unsigned i = 0; i < n_kube_subresources; i++)
		if (!strcmp(kube_subresources[i].plural, r->row->plural) && !strcmp(kube_subresources[i].group, r->row->group) &&
		    !strcmp(kube_subresources[i].version, r->row->version) && at-- == 0)
			return kube_subresources[i];
	return s;
}

/* --- scale */

static const char *selector_of_tree(struct api_req *q, const struct tree *v, bool is_map)
{
	struct kube_label_selector s = { 0 };
	struct selector sel;
	AUTO(buf) struct buf b = BUF_INIT(64 * 1024);
	if (!v)
		return NULL;
	if (v->type == TREE_STRING)
		return arena_dup(q->arena, tree_text(v));
	if (is_map) {
		struct tree wrap = tree_map();
		if (!tree_set(q->arena, &wrap, SLICE("matchLabels"), *v) || tree_to_struct(&wrap, T_kube_label_selector, 0, q->arena, &s, NULL) < 0)
			return NULL;
	} else if (tree_to_struct(v, T_kube_label_selector, 0, q->arena, &s, NULL) < 0) {
		return NULL;
	}
	if (selector_of(q->arena, &s, &sel, NULL) < 0)
		return NULL;
	selector_text(&sel, &b);
	return arena_dup(q->arena, buf_slice(&b));
}

static struct api_scale_paths paths_of(const struct api_resource *r)
{
	static const struct api_scale_paths usual = { "spec.replicas", "status.replicas", "spec.selector" };
	return r->custom ? api_custom_scale_paths(r) : usual;
}

static int scale_of(struct api_req *q, const struct api_object *o, struct kube_scale *ret)
{
	struct tree t;
	struct err e = { 0 };
	struct api_scale_paths p = paths_of(q->res);
	const struct kube_object_meta *m = &o->head->metadata;
	int64_t n = 0;
	if (api_object_to_tree(o, q->arena, &t, &e) < 0)
		return api_from_err(q, &e);
	*ret = (struct kube_scale){ "Scale", "autoscaling/v1" };
	ret->metadata = (struct kube_object_meta){ .name = m->name, .namespace = m->namespace, .uid = m->uid, .resource_version = m->resource_version,
		.creation_timestamp = m->creation_timestamp };
	if (tree_i64(tree_path(&t, p.replicas), &n) == 0)
		ret->spec.replicas = (int32_t)n;
	n = 0;
	if (tree_i64(tree_path(&t, p.status_replicas), &n) == 0)
		ret->status.replicas = (int32_t)n;
	if (p.selector)
		ret->status.selector = selector_of_tree(q, tree_path(&t, p.selector), !strcmp(q->res->text, "replicationcontrollers"));
	return 0;
}

/* Sets a path of maps ("spec.replicas"). */
static int set_path(struct arena *a, struct tree *t, const char *path, struct tree value)
{
	struct slice piece, rest = slice_of(path);
	while (slice_cut(rest, '.', &piece, &rest)) {
		struct tree *next = tree_get_mut(t, piece);
		if (!next || next->type != TREE_MAP)
			next = tree_set(a, t, piece, tree_map());
		if (!next)
			return -ENOMEM;
		t = next;
	}
	return tree_set(a, t, piece, value) ? 0 : -ENOMEM;
}

struct scaling { bool is_patch; struct kube_scale body; };

static int make_scale(struct api_req *q, void *arg, const struct api_object *old, struct api_object *now)
{
	struct scaling *s = arg;
	struct kube_scale have, want = s->body;
	struct tree t, n;
	struct err e = { 0 };
	int x = scale_of(q, old, &have);
	if (x < 0)
		return x;
	if (s->is_patch) {
		struct tree doc, patched;
		if (tree_from_struct(T_kube_scale, &have, q->arena, &doc, &e) < 0)
			return api_from_err(q, &e);
		x = api_patch_tree(q, T_kube_scale, &doc, &patched);
		if (x < 0)
			return x;
		if (tree_to_struct(&patched, T_kube_scale, 0, q->arena, &want, &e) < 0)
			return api_from_err(q, &e);
	}
	if (want.metadata.resource_version && *want.metadata.resource_version && strcmp(want.metadata.resource_version, have.metadata.resource_version))
		return api_conflict(q, q->res, q->at.name, NULL);
	if (want.spec.replicas < 0)
		return api_invalid(q, "Scale", "autoscaling", q->at.name, slice_of(arena_fmt(q->arena,
			"spec.replicas: Invalid value: %d: must be greater than or equal to 0", want.spec.replicas)));
	x = api_object_to_tree(old, q->arena, &t, &e);
	if (x == 0)
		x = tree_int(q->arena, want.spec.replicas, &n);
	if (x == 0)
		x = set_path(q->arena, &t, paths_of(q->res).replicas, n);
	if (x == 0)
		x = api_object_from_tree(q->res, &t, q->arena, now, &e);
	return x < 0 && e.code ? api_from_err(q, &e) : x;
}

static int reply_scale(struct api_req *q, const struct api_version *v)
{
	struct api_object o;
	struct kube_scale s;
	struct err e = { 0 };
	struct store_object fake = { .value = v->value.ptr, .value_len = (uint32_t)v->value.len, .revision = v->revision };
	if (api_object_from_stored(q->res, &fake, q->arena, &o, &e) < 0)
		return api_from_err(q, &e);
	int x = scale_of(q, &o, &s);
	return x < 0 ? x : api_reply_struct(q, 200, T_kube_scale, &s);
}

static int scale_wait(struct api_req *q)
{
	AUTO(api_version) struct api_version v = { 0 };
	struct scaling s = { .is_patch = !strcmp(q->at.verb, "patch") };
	int x = 0;
	if (!strcmp(q->at.verb, "get")) {
		x = api_current_wait(q, q->res, q->at.namespace_, q->at.name, &v.o);
		if (x < 0)
			return x;
		v.value = slice_n(v.o->value, v.o->value_len);
		v.revision = v.o->revision;
		return reply_scale(q, &v);
	}
	x = api_read_body_wait(q);
	if (x == 0 && !s.is_patch)
		x = api_decode(q, T_kube_scale, "autoscaling/v1", "Scale", &s.body);
	if (x < 0)
		return x;
	const struct api_change c = { .make = make_scale, .arg = &s, .what = API_SPEC };
	x = api_change_wait(q, q->res, q->at.namespace_, q->at.name, &c, &v);
	return x < 0 ? x : reply_scale(q, &v);
}

/* --- binding */

static int set_scheduled(struct api_req *q, struct kube_pod *pod)
{
	struct kube_pod_condition *v = arena_array(q->arena, pod->status.n_conditions + 1, sizeof *v);
	uint32_t n = 0;
	if (!v)
		return -ENOMEM;
	for (uint32_t i = 0; i < pod->status.n_conditions; i++)
		if (strcmp(pod->status.conditions[i].type, "PodScheduled"))
			v[n++] = pod->status.conditions[i];
	v[n++] = (struct kube_pod_condition){ .type = "PodScheduled", .status = "True", .last_transition_time = api_time_text(q, api_now_ns(q)) };
	pod->status.conditions = v;
	pod->status.n_conditions = n;
	return 0;
}

static int make_binding(struct api_req *q, void *arg, const struct api_object *old, struct api_object *now)
{
	const struct kube_binding *b = arg;
	struct kube_pod *pod = (struct kube_pod *)now->head;
	if (b->metadata.uid && *b->metadata.uid && strcmp(b->metadata.uid, pod->metadata.uid))
		return api_conflict(q, q->res, q->at.name, arena_fmt(q->arena, "Precondition failed: UID in precondition: %s, UID in object meta: %s", b->metadata.uid,
			pod->metadata.uid));
	if (pod->metadata.deletion_timestamp)
		return api_conflict(q, q->res, q->at.name, arena_fmt(q->arena, "pod %s is being deleted, cannot be assigned to a host", q->at.name));
	if (pod->spec.node_name && *pod->spec.node_name)
		return api_conflict(q, q->res, q->at.name, arena_fmt(q->arena, "pod %s is already assigned to node \"%s\"", q->at.name, pod->spec.node_name));
	if (pod->spec.n_scheduling_gates)
		return api_conflict(q, q->res, q->at.name, arena_fmt(q->arena, "pod %s has non-empty .spec.schedulingGates", q->at.name));
	pod->spec.node_name = b->target.name;
	for (uint32_t i = 0; i < b->metadata.n_annotations; i++) {
		pod->metadata.annotations = kube_pairs_with(q->arena, pod->metadata.annotations, &pod->metadata.n_annotations, b->metadata.annotations[i].key,
			b->metadata.annotations[i].value);
		if (!pod->metadata.annotations)
			return -ENOMEM;
	}
	return set_scheduled(q, pod);
}

static int binding_wait(struct api_req *q)
{
	struct kube_binding b;
	AUTO(api_version) struct api_version v = { 0 };
	int x = api_read_body_wait(q);
	if (x == 0)
		x = api_decode(q, T_kube_binding, "v1", "Binding", &b);
	if (x < 0)
		return x;
	if (q->at.name[0] == 0)
		q->at.name = b.metadata.name ? b.metadata.name : "";
	if (b.target.kind && *b.target.kind && strcmp(b.target.kind, "Node"))
		return api_invalid(q, "Binding", "", q->at.name, slice_of("target.kind: Unsupported value: \"\": supported values: \"Node\", \"<empty>\""));
	if (!b.target.name || !*b.target.name)
		return api_invalid(q, "Binding", "", q->at.name, slice_of("target.name: Required value"));
	const struct api_change c = { .make = make_binding, .arg = &b, .what = API_SPEC, .as_is = true };
	x = api_change_wait(q, q->res, q->at.namespace_, q->at.name, &c, &v);
	if (x < 0)
		return x;
	struct kube_status s = { "Status", "v1", .status = "Success", .code = 201 };
	return api_reply_struct(q, 201, T_kube_status, &s);
}

/* POST …/bindings */
int api_bindings_wait(struct api_req *q)
{
	q->res = api_resource_find(q->api, "", "v1", "pods");
	return binding_wait(q);
}

/* --- eviction */

static int make_disruption(struct api_req *q, void *arg, const struct api_object *old, struct api_object *now)
{
	const char *pod = arg;
	struct kube_pod_disruption_budget *pdb = (struct kube_pod_disruption_budget *)now->head;
	struct kube_pod_disruption_budget_status *s = &pdb->status;
	if (s->observed_generation < pdb->metadata.generation || s->disruptions_allowed <= 0) {
		bool stale = s->observed_generation < pdb->metadata.generation;
		int x = api_refuse(q, 429, "TooManyRequests", stale ? "Cannot evict pod as it would violate the pod's disruption budget." :
			"Cannot evict pod as it would violate the pod's disruption budget.");
		api_cause(q, "DisruptionBudget", stale ? arena_fmt(q->arena, "The disruption budget %s is still being processed by the server.", pdb->metadata.name) :
			arena_fmt(q->arena, "The disruption budget %s needs %d healthy pods and has %d currently", pdb->metadata.name, s->desired_healthy,
				s->current_healthy), NULL);
		if (stale && q->refusal && q->refusal->details)
			q->refusal->details->retry_after_seconds = 10;
		return x;
	}
	s->disruptions_allowed--;
	struct kube_metatime_entry *v = arena_array(q->arena, s->n_disrupted_pods + 1, sizeof *v);
	if (!v)
		return -ENOMEM;
	if (s->n_disrupted_pods)
		memcpy(v, s->disrupted_pods, s->n_disrupted_pods * sizeof *v);
	v[s->n_disrupted_pods++] = (struct kube_metatime_entry){ pod, api_time_text(q, api_now_ns(q)) };
	s->disrupted_pods = v;
	return 0;
}

/* Takes one disruption from the budget that covers the pod. */
static int take_disruption_wait(struct api_req *q, const struct kube_pod *pod)
{
	struct api_resource *r = api_resource_find(q->api, "policy", "v1", "poddisruptionbudgets");
	const char *found = NULL;
	size_t from, to;
	const char *phase = pod->status.phase;
	if (!r || (phase && (!strcmp(phase, "Succeeded") || !strcmp(phase, "Failed") || !strcmp(phase, "Pending"))) || pod->metadata.deletion_timestamp)
		return 0;
	api_cache_range(r->cache, pod->metadata.namespace, &from, &to);
	for (size_t i = from; i < to; i++) {
		struct api_object o;
		struct selector sel;
		struct err e = { 0 };
		if (api_object_from_stored(r, r->cache->items.v[i]->o, q->arena, &o, &e) < 0)
			continue;
		const struct kube_pod_disruption_budget *pdb = (const struct kube_pod_disruption_budget *)o.head;
		if (selector_of(q->arena, pdb->spec.selector, &sel, &e) < 0 || !selector_matches(&sel, pod->metadata.labels, pod->metadata.n_labels))
			continue;
		if (found)
			return api_refuse(q, 500, "InternalError", "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.");
		found = pdb->metadata.name;
	}
	if (!found)
		return 0;
	AUTO(api_version) struct api_version v = { 0 };
	const struct api_change c = { .make = make_disruption, .arg = (void *)pod->metadata.name, .what = API_STATUS, .as_is = true };
	return api_change_wait(q, r, pod->metadata.namespace, found, &c, &v);
}

static int eviction_wait(struct api_req *q)
{
	struct kube_eviction ev;
	struct api_object o;
	struct err e = { 0 };
	AUTO(api_version) struct api_version was = { 0 }, v = { 0 };
	bool gone;
	int x = api_read_body_wait(q);
	if (x == 0)
		x = api_decode(q, T_kube_eviction, "policy/v1", "Eviction", &ev);
	if (x == 0)
		x = api_current_wait(q, q->res, q->at.namespace_, q->at.name, &was.o);
	if (x < 0)
		return x;
	if (ev.metadata.name && *ev.metadata.name && strcmp(ev.metadata.name, q->at.name))
		return api_bad_request(q, "name in URL does not match name in Eviction object");
	if (ev.delete_options && ev.delete_options->n_dry_run)
		q->dry_run = true;
	if (api_object_from_stored(q->res, was.o, q->arena, &o, &e) < 0)
		return api_from_err(q, &e);
	x = take_disruption_wait(q, (const struct kube_pod *)o.head);
	struct kube_delete_options opts = ev.delete_options ? *ev.delete_options : (struct kube_delete_options){ 0 };
	if (x == 0)
		x = api_remove_wait(q, q->res, q->at.namespace_, q->at.name, &opts, &v, &gone);
	if (x < 0)
		return x;
	struct kube_status s = { "Status", "v1", .status = "Success", .code = 201 };
	return api_reply_struct(q, 201, T_kube_status, &s);
}

/* --- token */

static int token_wait(struct api_req *q)
{
	struct kube_token_request t;
	struct api_object o;
	struct err e = { 0 };
	AUTO(api_version) struct api_version was = { 0 };
	const struct kube_reviewer *v = q->api->c.reviewer;
	if (!v || !v->token_wait)
		return api_refuse(q, 501, "NotImplemented", "this server issues no tokens");
	int x = api_read_body_wait(q);
	if (x == 0)
		x = api_decode(q, T_kube_token_request, "authentication.k8s.io/v1", "TokenRequest", &t);
	if (x == 0)
		x = api_current_wait(q, q->res, q->at.namespace_, q->at.name, &was.o);
	if (x < 0)
		return x;
	if (api_object_from_stored(q->res, was.o, q->arena, &o, &e) < 0)
		return api_from_err(q, &e);
	x = v->token_wait(v->arg, &q->user, (const struct kube_service_account *)o.head, &t, q->arena, &e);
	if (x < 0)
		return e.code == EINVAL ? api_invalid(q, "TokenRequest", "authentication.k8s.io", "", slice_of(arena_strdup(q->arena, e.text))) : api_from_err(q, &e);
	t.kind = "TokenRequest";
	t.api_version = "authentication.k8s.io/v1";
	t.metadata.name = q->at.name;
	t.metadata.namespace = q->at.namespace_;
	t.metadata.creation_timestamp = api_time_text(q, api_now_ns(q));
	return api_reply_struct(q, 201, T_kube_token_request, &t);
}

/* --- all of them */

static const struct { const char *name; int (*run)(struct api_req *q); } rows[] = {
	{ "scale", scale_wait }, { "binding", binding_wait }, { "eviction", eviction_wait }, { "token", token_wait },
	{ "log", api_stream_wait }, { "exec", api_stream_wait }, { "attach", api_stream_wait }, { "portforward", api_stream_wait }, { "proxy", api_stream_wait },
};

int api_subresource_wait(struct api_req *q)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (strcmp(rows[i].name, q->at.subresource))
			continue;
		int x = rows[i].run == api_stream_wait ? 0 : api_negotiate(q, false);
		return x < 0 ? x : rows[i].run(q);
	}
	return api_method_refused(q);
}
