/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration, secrets, namespaces, nodes, access, policy. Source: the validation folders of pkg/apis. */
#include "schema/quantity.h"
#include "kube/kind/check_work.h"

enum { MAX_DATA = 1 << 20 };

static struct slice bytes_of(const struct kube_secret *o, const char *key, bool *found)
{
	for (uint32_t i = 0; i < o->n_data; i++)
		if (!strcmp(o->data[i].key, key)) {
			*found = true;
			return o->data[i].value;
		}
	*found = false;
	return slice_n("", 0);
}

static void need_key(struct check *c, const struct kube_secret *o, const char *key, bool is_json)
{
	bool found;
	struct slice v = bytes_of(o, key, &found);
	if (!found) {
		WITHIN_KEY(c, "data", key) wrong(c, NULL, REQUIRED);
	} else if (is_json) {
		struct tree t;
		struct err e = { 0 };
		AUTO(arena) struct arena a;
		arena_init(&a, 16 << 20);
		if (tree_from_json(v, 0, &a, &t, &e) < 0 || t.type != TREE_MAP)
			WITHIN_KEY(c, "data", key) wrong_text(c, NULL, "<secret contents redacted>", "%s", *e.text ? e.text : "json: cannot unmarshal into Go value of type map[string]interface {}");
	}
}

#define FROZEN "Forbidden: field is immutable when `immutable` is set"

static bool is_frozen(struct check *c, const bool *now, const bool *old)
{
	bool frozen = old && *old;
	if (frozen && (!now || !*now))
		wrong(c, "immutable", FROZEN);
	return frozen;
}

static bool same_bytes(const struct kube_bytes_entry *a, uint32_t n_a, const struct kube_bytes_entry *b, uint32_t n_b)
{
	if (n_a != n_b)
		return false;
	for (uint32_t i = 0; i < n_a; i++) {
		bool same = false;
		for (uint32_t k = 0; k < n_b; k++)
			same |= !strcmp(a[i].key, b[k].key) && slice_eq(a[i].value, b[k].value);
		if (!same)
			return false;
	}
	return true;
}

static bool same_pairs(const struct schema_pair *a, uint32_t n_a, const struct schema_pair *b, uint32_t n_b)
{
	if (n_a != n_b)
		return false;
	for (uint32_t i = 0; i < n_a; i++)
		if (!is(schema_pair_get(b, n_b, a[i].key), or_empty(a[i].value)))
			return false;
	return true;
}

void kind_validate_secret(struct check *c, const void *obj, const void *old)
{
	const struct kube_secret *o = obj, *was = old;
	size_t bytes = 0;
	bool a, b;
	if (was) {
		check_immutable_text(c, "type", o->type, was->type);
		if (is_frozen(c, o->immutable, was->immutable) && !same_bytes(o->data, o->n_data, was->data, was->n_data))
			wrong(c, "data", FROZEN);
	}
	for (uint32_t i = 0; i < o->n_data; i++) {
		WITHIN_KEY(c, "data", o->data[i].key) check_data_key(c, NULL, o->data[i].key);
		bytes += o->data[i].value.len;
	}
	if (bytes > MAX_DATA)
		wrong(c, "data", "Too long: may not be more than %d bytes", MAX_DATA);
	if (is(o->type, "kubernetes.io/service-account-token")) {
		const char *account = "kubernetes.io/service-account.name";
		if (!is_set(schema_pair_get(o->metadata.annotations, o->metadata.n_annotations, account)))
			WITHIN(c, "metadata") WITHIN_KEY(c, "annotations", account) wrong(c, NULL, REQUIRED);
	} else if (is(o->type, "kubernetes.io/dockercfg")) {
		need_key(c, o, ".dockercfg", true);
	} else if (is(o->type, "kubernetes.io/dockerconfigjson")) {
		need_key(c, o, ".dockerconfigjson", true);
	} else if (is(o->type, "kubernetes.io/basic-auth")) {
		bytes_of(o, "username", &a);
		bytes_of(o, "password", &b);
		if (!a && !b) {
			need_key(c, o, "username", false);
			need_key(c, o, "password", false);
		}
	} else if (is(o->type, "kubernetes.io/ssh-auth")) {
		if (!bytes_of(o, "ssh-privatekey", &a).len)
			WITHIN_KEY(c, "data", "ssh-privatekey") wrong(c, NULL, REQUIRED);
	} else if (is(o->type, "kubernetes.io/tls")) {
		need_key(c, o, "tls.crt", false);
		need_key(c, o, "tls.key", false);
	}
}

void kind_validate_config_map(struct check *c, const void *obj, const void *old)
{
	const struct kube_config_map *o = obj, *was = old;
	size_t bytes = 0;
	if (was && is_frozen(c, o->immutable, was->immutable)) {
		if (!same_pairs(o->data, o->n_data, was->data, was->n_data))
			wrong(c, "data", FROZEN);
		if (!same_bytes(o->binary_data, o->n_binary_data, was->binary_data, was->n_binary_data))
			wrong(c, "binaryData", FROZEN);
	}
	for (uint32_t i = 0; i < o->n_data; i++) {
		WITHIN_KEY(c, "data", o->data[i].key) {
			check_data_key(c, NULL, o->data[i].key);
			for (uint32_t k = 0; k < o->n_binary_data; k++)
				if (!strcmp(o->binary_data[k].key, o->data[i].key))
					wrong_text(c, NULL, o->data[i].key, "duplicate of key present in binaryData");
		}
		bytes += strlen(or_empty(o->data[i].value));
	}
	for (uint32_t i = 0; i < o->n_binary_data; i++) {
		WITHIN_KEY(c, "binaryData", o->binary_data[i].key) check_data_key(c, NULL, o->binary_data[i].key);
		bytes += o->binary_data[i].value.len;
	}
	if (bytes > MAX_DATA)
		wrong(c, NULL, "Too long: may not be more than %d bytes", MAX_DATA);
}

void kind_validate_namespace(struct check *c, const void *obj, const void *old)
{
	const struct kube_namespace *o = obj;
	(void)old;
	WITHIN(c, "spec") for (uint32_t i = 0; i < o->spec.n_finalizers; i++) {
		const char *f = or_empty(o->spec.finalizers[i]);
		check_qualified_name(c, "finalizers", f);
		if (!is_standard_finalizer(f))
			wrong_text(c, "finalizers", f, "name is neither a standard finalizer name nor is it fully qualified");
	}
}

void kind_validate_node(struct check *c, const void *obj, const void *old)
{
	const struct kube_node *o = obj, *was = old;
	/* Kubernetes says so: metadata.taints */
	WITHIN(c, "metadata") {
		EACH(c, "taints", i, o->spec.n_taints) {
			const struct kube_taint *t = &o->spec.taints[i];
			check_qualified_name(c, "key", t->key);
			if (!name_is(t->value, NAME_LABEL))
				check_label_value(c, "value", t->value);
			if (!is_set(t->effect))
				wrong(c, "effect", REQUIRED);
			else
				one_of(c, "effect", t->effect, "NoSchedule|PreferNoSchedule|NoExecute");
			for (uint32_t k = 0; k < i; k++)
				if (is(o->spec.taints[k].key, or_empty(t->key)) && is(o->spec.taints[k].effect, or_empty(t->effect)))
					wrong(c, NULL, "Duplicate value: {\"Key\":\"%s\",\"Value\":\"%s\",\"Effect\":\"%s\",\"TimeAdded\":null}: taints must be unique by key and effect pair", or_empty(t->key), or_empty(t->value), or_empty(t->effect));
		}
	}
	WITHIN(c, "spec") {
		if (was && is_set(was->spec.provider_id) && strcmp(was->spec.provider_id, or_empty(o->spec.provider_id)))
			wrong(c, "providerID", "Forbidden: node updates may not change providerID except from \"\" to valid");
		if (was && was->spec.n_pod_cidrs && o->spec.n_pod_cidrs && strcmp(or_empty(was->spec.pod_cidrs[0]), or_empty(o->spec.pod_cidrs[0])))
			wrong(c, "podCIDRs", "Forbidden: node updates may not change podCIDR except from \"\" to valid");
	}
}

/* --- access --- */

static void check_rules(struct check *c, const struct kube_policy_rule *v, uint32_t n, bool is_namespaced)
{
	EACH(c, "rules", i, n) {
		const struct kube_policy_rule *r = &v[i];
		if (!r->n_verbs)
			wrong(c, "verbs", REQUIRED ": verbs must contain at least one value");
		if (r->n_non_resource_urls) {
			AUTO(buf) struct buf b = BUF_INIT(4096);
			for (uint32_t k = 0; k < r->n_non_resource_urls; k++)
				buf_addf(&b, "%s\"%s\"", k ? "," : "", r->non_resource_urls[k]);
			if (is_namespaced)
				wrong(c, "nonResourceURLs", "Invalid value: [%s]: namespaced rules cannot apply to non-resource URLs", b.ptr);
			if (r->n_api_groups || r->n_resources || r->n_resource_names)
				wrong(c, "nonResourceURLs", "Invalid value: [%s]: rules cannot apply to both regular resources and non-resource URLs", b.ptr);
			continue;
		}
		if (!r->n_api_groups)
			wrong(c, "apiGroups", REQUIRED ": resource rules must supply at least one api group");
		if (!r->n_resources)
			wrong(c, "resources", REQUIRED ": resource rules must supply at least one resource");
	}
}

void kind_validate_role(struct check *c, const void *obj, const void *old)
{
	const struct kube_role *o = obj;
	(void)old;
	check_rules(c, o->rules, o->n_rules, true);
}

void kind_validate_cluster_role(struct check *c, const void *obj, const void *old)
{
	const struct kube_cluster_role *o = obj;
	(void)old;
	check_rules(c, o->rules, o->n_rules, false);
	if (!o->aggregation_rule)
		return;
	WITHIN(c, "aggregationRule") {
		if (!o->aggregation_rule->n_cluster_role_selectors)
			wrong(c, "clusterRoleSelectors", REQUIRED ": at least one clusterRoleSelector required if aggregationRule is non-nil");
		for (uint32_t i = 0; i < o->aggregation_rule->n_cluster_role_selectors; i++)
			check_selector(c, arena_fmt(c->a, "clusterRoleSelectors[%u]", i), &o->aggregation_rule->cluster_role_selectors[i]);
	}
}

#define RBAC_GROUP "rbac.authorization.k8s.io"

static void check_binding(struct check *c, const struct kube_role_ref *r, const struct kube_role_ref *old, const struct kube_subject *v, uint32_t n, bool is_namespaced)
{
	WITHIN(c, "roleRef") {
		one_of(c, "apiGroup", r->api_group, RBAC_GROUP);
		one_of(c, "kind", r->kind, is_namespaced ? "Role|ClusterRole" : "ClusterRole");
		if (!is_set(r->name))
			wrong(c, "name", REQUIRED);
		else
			check_name(c, "name", r->name, NAME_PATH);
	}
	EACH(c, "subjects", i, n) {
		if (!is_set(v[i].name))
			wrong(c, "name", REQUIRED);
		if (is(v[i].kind, "ServiceAccount")) {
			if (is_set(v[i].name))
				check_name(c, "name", v[i].name, NAME_SUBDOMAIN);
			if (is_set(v[i].api_group))
				wrong(c, "apiGroup", "Unsupported value: %s: supported values: \"\"", check_quote(c, v[i].api_group));
			if (!is_namespaced && !is_set(v[i].namespace))
				wrong(c, "namespace", REQUIRED);
		} else if (is(v[i].kind, "User") || is(v[i].kind, "Group")) {
			one_of(c, "apiGroup", v[i].api_group, RBAC_GROUP);
		} else {
			one_of(c, "kind", v[i].kind, "ServiceAccount|User|Group");
		}
	}
	if (old && (!is(r->api_group, or_empty(old->api_group)) || !is(r->kind, or_empty(old->kind)) || !is(r->name, or_empty(old->name))))
		wrong(c, "roleRef", "Invalid value: {\"APIGroup\":%s,\"Kind\":%s,\"Name\":%s}: cannot change roleRef", check_quote(c, or_empty(r->api_group)),
			check_quote(c, or_empty(r->kind)), check_quote(c, or_empty(r->name)));
}

void kind_validate_role_binding(struct check *c, const void *obj, const void *old)
{
	const struct kube_role_binding *o = obj, *was = old;
	check_binding(c, &o->role_ref, was ? &was->role_ref : NULL, o->subjects, o->n_subjects, true);
}

void kind_validate_cluster_role_binding(struct check *c, const void *obj, const void *old)
{
	const struct kube_cluster_role_binding *o = obj, *was = old;
	check_binding(c, &o->role_ref, was ? &was->role_ref : NULL, o->subjects, o->n_subjects, false);
}

/* --- policy --- */

void kind_validate_priority_class(struct check *c, const void *obj, const void *old)
{
	const struct kube_priority_class *o = obj, *was = old;
	bool is_system = !strncmp(or_empty(o->metadata.name), "system-", 7);
	bool is_known = is(o->metadata.name, "system-cluster-critical") || is(o->metadata.name, "system-node-critical");
	if (is_system && !is_known)
		WITHIN(c, "metadata") wrong(c, "name", "Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: %s is not a known system priority class", o->metadata.name);
	else if (!is_system && o->value > 1000000000)
		wrong(c, "value", "Forbidden: maximum allowed value of a user defined priority is 1000000000");
	if (o->preemption_policy)
		one_of(c, "preemptionPolicy", o->preemption_policy, "PreemptLowerPriority|Never");
	if (was && was->value != o->value)
		wrong(c, "value", "Forbidden: may not be changed in an update.");
	if (was)
		check_immutable_text(c, "preemptionPolicy", o->preemption_policy, was->preemption_policy);
}

void kind_validate_pod_disruption_budget(struct check *c, const void *obj, const void *old)
{
	const struct kube_pod_disruption_budget_spec *s = &((const struct kube_pod_disruption_budget *)obj)->spec;
	(void)old;
	if (s->min_available && s->max_unavailable)
		wrong_value(c, "spec", T_kube_pod_disruption_budget_spec, s, "minAvailable and maxUnavailable cannot be both set");
	WITHIN(c, "spec") {
		check_int_or_percent(c, "minAvailable", s->min_available, true);
		check_int_or_percent(c, "maxUnavailable", s->max_unavailable, true);
		check_selector(c, "selector", s->selector);
		if (s->unhealthy_pod_eviction_policy)
			one_of(c, "unhealthyPodEvictionPolicy", s->unhealthy_pod_eviction_policy, "AlwaysAllow|IfHealthyBudget");
	}
}

void kind_validate_lease(struct check *c, const void *obj, const void *old)
{
	const struct kube_lease_spec *s = &((const struct kube_lease *)obj)->spec;
	(void)old;
	WITHIN(c, "spec") {
		if (s->lease_duration_seconds && *s->lease_duration_seconds <= 0)
			wrong_int(c, "leaseDurationSeconds", *s->lease_duration_seconds, "must be greater than 0");
		if (s->lease_transitions)
			check_nonnegative(c, "leaseTransitions", *s->lease_transitions);
	}
}

static bool is_quota_resource(const char *name)
{
	static const char *const names[] = { "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.storage", "requests.ephemeral-storage",
		"limits.cpu", "limits.memory", "limits.ephemeral-storage", "pods", "resourcequotas", "services", "replicationcontrollers", "secrets",
		"persistentvolumeclaims", "configmaps", "services.nodeports", "services.loadbalancers" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(name, names[i]))
			return true;
	return strchr(name, '/') || !strncmp(name, "hugepages-", 10) || !strncmp(name, "requests.hugepages-", 19);
}

void kind_validate_resource_quota(struct check *c, const void *obj, const void *old)
{
	const struct kube_resource_quota_spec *s = &((const struct kube_resource_quota *)obj)->spec;
	(void)old;
	WITHIN(c, "spec") for (uint32_t i = 0; i < s->n_hard; i++)
		WITHIN_KEY(c, "hard", s->hard[i].key) {
			if (!is_qualified_name(s->hard[i].key))
				check_qualified_name(c, NULL, s->hard[i].key);
			else if (!strchr(s->hard[i].key, '/') && !is_standard_resource(s->hard[i].key))
				wrong_text(c, NULL, s->hard[i].key, "must be a standard resource type or fully qualified");
			if (!is_quota_resource(or_empty(s->hard[i].key)))
				wrong_text(c, NULL, s->hard[i].key, "must be a standard resource for quota");
			check_quantity(c, s->hard[i].key, s->hard[i].value);
		}
}

/* What of two lists is larger in the first is said at `field`, with the amount that `shown` has there. */
static void check_not_above(struct check *c, const char *field, const struct kube_quantity_entry *v, uint32_t n, const char *name,
	const struct kube_quantity_entry *top, uint32_t n_top, const char *top_name, bool shows_top)
{
	for (uint32_t i = 0; i < n; i++) {
		const char *most = kind_quantity_of(top, n_top, v[i].key);
		struct quantity a, b;
		if (!most || quantity_parse(slice_of(v[i].value), &a, NULL) < 0 || quantity_parse(slice_of(most), &b, NULL) < 0 || quantity_cmp(&a, &b) <= 0)
			continue;
		WITHIN_KEY(c, field, v[i].key)
			wrong_text(c, NULL, shows_top ? most : v[i].value, "%s value %s is greater than %s value %s", name, v[i].value, top_name, most);
	}
}

static void check_range(struct check *c, const struct kube_limit_range_item *l)
{
	bool is_pod = is(l->type, "Pod");
	const struct kube_quantity_entry *def = l->default_, *req = l->default_request;
	uint32_t n_def = is_pod ? 0 : l->n_default_, n_req = is_pod ? 0 : l->n_default_request;
	check_not_above(c, "min", l->min, l->n_min, "min", l->max, l->n_max, "max", false);
	check_not_above(c, "defaultRequest", l->min, l->n_min, "min", req, n_req, "default request", true);
	check_not_above(c, "defaultRequest", req, n_req, "default request", l->max, l->n_max, "max", false);
	check_not_above(c, "defaultRequest", req, n_req, "default request", def, n_def, "default limit", false);
	check_not_above(c, "default", l->min, l->n_min, "min", def, n_def, "default", false);
	check_not_above(c, "default", def, n_def, "default", l->max, l->n_max, "max", true);
	for (uint32_t i = 0; i < l->n_max_limit_request_ratio; i++)
		if (quantity_text_milli(l->max_limit_request_ratio[i].value) < 1000)
			WITHIN_KEY(c, "maxLimitRequestRatio", l->max_limit_request_ratio[i].key)
				wrong_text(c, NULL, l->max_limit_request_ratio[i].value, "ratio %s is less than 1", l->max_limit_request_ratio[i].value);
}

void kind_validate_limit_range(struct check *c, const void *obj, const void *old)
{
	const struct kube_limit_range_spec *s = &((const struct kube_limit_range *)obj)->spec;
	(void)old;
	WITHIN(c, "spec") EACH(c, "limits", i, s->n_limits) {
		const struct kube_limit_range_item *l = &s->limits[i];
		for (uint32_t k = 0; k < i; k++)
			if (is(s->limits[k].type, or_empty(l->type)))
				wrong(c, "type", "Duplicate value: %s", check_quote(c, l->type));
		const struct kube_quantity_entry *lists[] = { l->max, l->min, l->default_, l->default_request, l->max_limit_request_ratio };
		const uint32_t sizes[] = { l->n_max, l->n_min, l->n_default_, l->n_default_request, l->n_max_limit_request_ratio };
		static const char *const fields[] = { "max", "min", "default", "defaultRequest", "maxLimitRequestRatio" };
		for (size_t k = 0; k < ARRAY_LEN(lists); k++)
			for (uint32_t j = 0; j < sizes[k]; j++)
				WITHIN_KEY(c, fields[k], lists[k][j].key) {
					if (is(l->type, "Pod") || is(l->type, "Container"))
						check_resource_name(c, lists[k][j].key);
					else if (!is_qualified_name(lists[k][j].key))
						check_qualified_name(c, NULL, lists[k][j].key);
					else if (!strchr(lists[k][j].key, '/') && !is_standard_resource(lists[k][j].key))
						wrong_text(c, NULL, lists[k][j].key, "must be a standard resource type or fully qualified");
				}
		if (!is_qualified_name(l->type))
			check_qualified_name(c, "type", l->type);
		else if (!strchr(l->type, '/') && !is(l->type, "Pod") && !is(l->type, "Container") && !is(l->type, "PersistentVolumeClaim"))
			wrong_text(c, "type", l->type, "must be a standard limit type or fully qualified");
		check_range(c, l);
		if (is(l->type, "PersistentVolumeClaim") && !kind_quantity_of(l->min, l->n_min, "storage") && !kind_quantity_of(l->max, l->n_max, "storage"))
			wrong(c, "limits", REQUIRED ": either minimum or maximum storage value is required, but neither was provided");
		if (is(l->type, "Pod") && l->n_default_)
			wrong(c, "default", "Forbidden: may not be specified when `type` is 'Pod'");
		if (is(l->type, "Pod") && l->n_default_request)
			wrong(c, "defaultRequest", "Forbidden: may not be specified when `type` is 'Pod'");
	}
}

void kind_validate_controller_revision(struct check *c, const void *obj, const void *old)
{
	const struct kube_controller_revision *o = obj, *was = old;
	check_nonnegative(c, "revision", o->revision);
	if (!o->data.ptr)
		wrong(c, "data", REQUIRED ": data is mandatory");
	if (was && !slice_eq(o->data, was->data))
		wrong(c, "data", "Invalid value: %.*s: field is immutable", (int)MIN(o->data.len, (size_t)4000), o->data.ptr);
}
