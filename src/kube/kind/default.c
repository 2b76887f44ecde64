/* SPDX-License-Identifier: Apache-2.0 */
/* Defaults that depend on more than one field; the others are rows in api/kube/kube.over. */
#include "kube/kind/kind_int.h"

#include <ctype.h>

int kind_pairs_set(struct arena *a, struct schema_pair **v, uint32_t *n, const char *key, const char *value, bool replace)
{
	for (uint32_t i = 0; i < *n; i++) {
		if (strcmp((*v)[i].key, key))
			continue;
		if (replace)
			(*v)[i].value = value;
		return 0;
	}
	struct schema_pair *w = arena_array(a, *n + 1, sizeof *w);
	if (!w)
		return -E2BIG;
	if (*n)
		memcpy(w, *v, *n * sizeof *w);
	w[*n] = (struct schema_pair){ key, value };
	*v = w;
	++*n;
	return 0;
}

/* A new value where there is none. */
#define SET_DEFAULT(arena, place, ...) ({ \
	int set_r_ = 0; \
	if (!(place)) { \
		(place) = arena_alloc((arena), sizeof *(place)); \
		if (place) \
			*(place) = (__typeof__(*(place)))__VA_ARGS__; \
		else \
			set_r_ = -E2BIG; \
	} \
	set_r_; })

int kind_default_replication_controller(struct arena *a, void *obj)
{
	struct kube_replication_controller *o = obj;
	const struct kube_object_meta *m = o->spec.template ? &o->spec.template->metadata : NULL;
	(void)a;
	if (!m || !m->n_labels)
		return 0;
	if (!o->spec.n_selector) {
		o->spec.selector = m->labels;
		o->spec.n_selector = m->n_labels;
	}
	if (!o->metadata.n_labels) {
		o->metadata.labels = m->labels;
		o->metadata.n_labels = m->n_labels;
	}
	return 0;
}

int kind_default_deployment(struct arena *a, void *obj)
{
	struct kube_deployment_strategy *s = &((struct kube_deployment *)obj)->spec.strategy;
	if (!is(s->type, "RollingUpdate"))
		return 0;
	int r = SET_DEFAULT(a, s->rolling_update, { 0 });
	if (r == 0)
		r = SET_DEFAULT(a, s->rolling_update->max_unavailable, { .string = "25%" });
	return r < 0 ? r : SET_DEFAULT(a, s->rolling_update->max_surge, { .string = "25%" });
}

int kind_default_daemon_set(struct arena *a, void *obj)
{
	struct kube_daemon_set_update_strategy *s = &((struct kube_daemon_set *)obj)->spec.update_strategy;
	if (!is(s->type, "RollingUpdate"))
		return 0;
	int r = SET_DEFAULT(a, s->rolling_update, { 0 });
	if (r == 0)
		r = SET_DEFAULT(a, s->rolling_update->max_unavailable, { .number = 1 });
	return r < 0 ? r : SET_DEFAULT(a, s->rolling_update->max_surge, { .number = 0 });
}

int kind_default_stateful_set(struct arena *a, void *obj)
{
	struct kube_stateful_set *o = obj;
	struct kube_stateful_set_update_strategy *s = &o->spec.update_strategy;
	int r = 0;
	if (!is_set(s->type)) {
		s->type = "RollingUpdate";
		r = SET_DEFAULT(a, s->rolling_update, { 0 });
	}
	if (r == 0 && is(s->type, "RollingUpdate") && s->rolling_update)
		r = SET_DEFAULT(a, s->rolling_update->partition, 0);
	for (uint32_t i = 0; i < o->spec.n_volume_claim_templates; i++) {
		struct kube_persistent_volume_claim *c = &o->spec.volume_claim_templates[i];
		c->kind = "PersistentVolumeClaim";
		c->api_version = "v1";
	}
	return r;
}

/* Of jobs alone: what a cron job holds stays as it was written. */
static int default_job_spec(struct arena *a, struct kube_job_spec *s)
{
	int r = 0;
	if (!s->completions && !s->parallelism)
		r = SET_DEFAULT(a, s->completions, 1);
	if (r == 0)
		r = SET_DEFAULT(a, s->parallelism, 1);
	if (r == 0)
		r = SET_DEFAULT(a, s->backoff_limit, (s->backoff_limit_per_index ? INT32_MAX : 6));
	if (r == 0)
		r = SET_DEFAULT(a, s->suspend, false);
	if (r == 0)
		r = SET_DEFAULT(a, s->manual_selector, false);
	if (!is_set(s->completion_mode))
		s->completion_mode = "NonIndexed";
	if (!is_set(s->pod_replacement_policy))
		s->pod_replacement_policy = s->pod_failure_policy ? "Failed" : "TerminatingOrFailed";
	return r;
}

int kind_default_job(struct arena *a, void *obj)
{
	struct kube_job *o = obj;
	const struct kube_object_meta *m = &o->spec.template.metadata;
	if (m->n_labels && !o->metadata.n_labels) {
		o->metadata.labels = m->labels;
		o->metadata.n_labels = m->n_labels;
	}
	return default_job_spec(a, &o->spec);
}

static bool is_external(const struct kube_service *o)
{
	return is(o->spec.type, "LoadBalancer") || is(o->spec.type, "NodePort") || (is(o->spec.type, "ClusterIP") && o->spec.n_external_ips);
}

int kind_default_service(struct arena *a, void *obj)
{
	struct kube_service *o = obj;
	struct kube_service_spec *s = &o->spec;
	int r = 0;
	if (is(s->session_affinity, "None"))
		s->session_affinity_config = NULL;
	if (is(s->session_affinity, "ClientIP") &&
		!(s->session_affinity_config && s->session_affinity_config->client_ip && s->session_affinity_config->client_ip->timeout_seconds)) {
		s->session_affinity_config = arena_new(a, struct kube_session_affinity_config);
		r = !s->session_affinity_config ? -E2BIG : SET_DEFAULT(a, s->session_affinity_config->client_ip, { 0 });
		if (r == 0)
			r = SET_DEFAULT(a, s->session_affinity_config->client_ip->timeout_seconds, 10800);
	}
	for (uint32_t i = 0; i < s->n_ports; i++) {
		struct schema_int_or_string *t = &s->ports[i].target_port;
		if (t->string ? !*t->string : !t->number)
			*t = (struct schema_int_or_string){ .number = s->ports[i].port };
	}
	if (is_external(o) && !is_set(s->external_traffic_policy))
		s->external_traffic_policy = "Cluster";
	bool is_balanced = is(s->type, "LoadBalancer");
	if (!is_set(s->internal_traffic_policy) && (is(s->type, "NodePort") || is_balanced || is(s->type, "ClusterIP")))
		s->internal_traffic_policy = "Cluster";
	if (r == 0 && is_balanced)
		r = SET_DEFAULT(a, s->allocate_load_balancer_node_ports, true);
	for (uint32_t i = 0; is_balanced && i < o->status.load_balancer.n_ingress; i++) {
		struct kube_load_balancer_ingress *in = &o->status.load_balancer.ingress[i];
		if (is_set(in->ip) && !in->ip_mode)
			in->ip_mode = "VIP";
	}
	return r;
}

int kind_default_namespace(struct arena *a, void *obj)
{
	struct kube_object_meta *m = &((struct kube_namespace *)obj)->metadata;
	return is_set(m->name) ? kind_pairs_set(a, &m->labels, &m->n_labels, "kubernetes.io/metadata.name", m->name, true) : 0;
}

int kind_default_node(struct arena *a, void *obj)
{
	struct kube_node *o = obj;
	(void)a;
	if (!o->status.allocatable && o->status.capacity) {
		o->status.allocatable = o->status.capacity;
		o->status.n_allocatable = o->status.n_capacity;
	}
	/* one address range in two forms */
	if (is_set(o->spec.pod_cidr) && !o->spec.n_pod_cidrs) {
		o->spec.pod_cidrs = arena_array(a, 1, sizeof *o->spec.pod_cidrs);
		if (!o->spec.pod_cidrs)
			return -E2BIG;
		o->spec.pod_cidrs[0] = o->spec.pod_cidr;
		o->spec.n_pod_cidrs = 1;
	}
	if (!is_set(o->spec.pod_cidr) && o->spec.n_pod_cidrs)
		o->spec.pod_cidr = o->spec.pod_cidrs[0];
	return 0;
}

/* Adds to *to what it lacks of from. */
static int merge_quantities(struct arena *a, struct kube_quantity_entry **to, uint32_t *n, const struct kube_quantity_entry *from, uint32_t n_from)
{
	for (uint32_t i = 0; i < n_from; i++)
		if (!kind_quantity_of(*to, *n, from[i].key) && kind_quantity_add(a, to, n, from[i].key, from[i].value) < 0)
			return -E2BIG;
	return 0;
}

int kind_default_limit_range(struct arena *a, void *obj)
{
	struct kube_limit_range *o = obj;
	int r = 0;
	for (uint32_t i = 0; i < o->spec.n_limits && r == 0; i++) {
		struct kube_limit_range_item *l = &o->spec.limits[i];
		if (!is(l->type, "Container"))
			continue;
		r = merge_quantities(a, &l->default_, &l->n_default_, l->max, l->n_max);
		if (r == 0)
			r = merge_quantities(a, &l->default_request, &l->n_default_request, l->default_, l->n_default_);
		if (r == 0)
			r = merge_quantities(a, &l->default_request, &l->n_default_request, l->min, l->n_min);
	}
	return r;
}

static void default_subjects(struct kube_subject *s, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (!is_set(s[i].api_group) && (is(s[i].kind, "User") || is(s[i].kind, "Group")))
			s[i].api_group = "rbac.authorization.k8s.io";
}

int kind_default_role_binding(struct arena *a, void *obj)
{
	struct kube_role_binding *o = obj;
	(void)a;
	default_subjects(o->subjects, o->n_subjects);
	return 0;
}

int kind_default_cluster_role_binding(struct arena *a, void *obj)
{
	struct kube_cluster_role_binding *o = obj;
	(void)a;
	default_subjects(o->subjects, o->n_subjects);
	return 0;
}

/* Scaling rules that say something get the rest: up, four pods or double every 15 seconds; down, all of them. */
static int default_scaling(struct arena *a, struct kube_hpa_scaling_rules **rules, bool is_up)
{
	int r = SET_DEFAULT(a, *rules, { 0 });
	if (r < 0)
		return r;
	struct kube_hpa_scaling_rules *s = *rules;
	if (!is_set(s->select_policy))
		s->select_policy = "Max";
	if (is_up && SET_DEFAULT(a, s->stabilization_window_seconds, 0) < 0)
		return -E2BIG;
	if (s->policies)
		return 0;
	s->policies = arena_array(a, 2, sizeof *s->policies);
	if (!s->policies)
		return -E2BIG;
	if (is_up)
		s->policies[s->n_policies++] = (struct kube_hpa_scaling_policy){ .type = "Pods", .value = 4, .period_seconds = 15 };
	s->policies[s->n_policies++] = (struct kube_hpa_scaling_policy){ .type = "Percent", .value = 100, .period_seconds = 15 };
	return 0;
}

int kind_default_horizontal_pod_autoscaler(struct arena *a, void *obj)
{
	struct kube_horizontal_pod_autoscaler_spec *s = &((struct kube_horizontal_pod_autoscaler *)obj)->spec;
	int r = 0;
	if (!s->n_metrics) {
		s->metrics = arena_new(a, struct kube_metric_spec);
		if (!s->metrics)
			return -E2BIG;
		s->n_metrics = 1;
		s->metrics[0].type = "Resource";
		r = SET_DEFAULT(a, s->metrics[0].resource, { .name = "cpu", .target = { .type = "Utilization" } });
		if (r == 0)
			r = SET_DEFAULT(a, s->metrics[0].resource->target.average_utilization, 80);
	}
	if (r == 0 && s->behavior)
		r = default_scaling(a, &s->behavior->scale_up, true);
	return r < 0 || !s->behavior ? r : default_scaling(a, &s->behavior->scale_down, false);
}

int kind_default_custom_resource_definition(struct arena *a, void *obj)
{
	struct kube_custom_resource_definition *o = obj;
	struct kube_custom_resource_definition_names *n = &o->spec.names;
	if (!is_set(n->singular) && is_set(n->kind)) {
		char *s = arena_strdup(a, n->kind);
		if (!s)
			return -E2BIG;
		for (char *p = s; *p; p++)
			*p = (char)tolower((unsigned char)*p);
		n->singular = s;
	}
	if (!is_set(n->list_kind) && is_set(n->kind)) {
		n->list_kind = arena_fmt(a, "%sList", n->kind);
		if (!n->list_kind)
			return -E2BIG;
	}
	return SET_DEFAULT(a, o->spec.conversion, { .strategy = "None" });
}

int kind_default(struct schema_ref ref, struct arena *a, void *obj)
{
	int r = schema_default(ref, a, obj);
	struct kube_pod_spec *s = kind_pod_spec(ref, obj);
	if (r == 0 && s)
		r = kind_default_pod_spec(a, s);
	const struct kind_row *row = kind_row(ref);
	return r < 0 || !row || !row->defaults ? r : row->defaults(a, obj);
}
