/* SPDX-License-Identifier: Apache-2.0 */
/* Pods as a whole, and what may change in one. Source: pkg/apis/core/validation, ValidatePodSpec and ValidatePodUpdate. */
#include "kube/kind/check_pod.h"

#define SYSCTL_PART "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
#define SYSCTL "(" SYSCTL_PART

/* Words with dots or slashes between them. */
static bool is_sysctl(const char *name)
{
	size_t len = strlen(name);
	for (size_t i = 0; i < len; i++) {
		char c = name[i];
		bool is_inside = i && i + 1 < len && !strchr("./", name[i - 1]) && !strchr("./", name[i + 1]);
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || ((c == '-' || c == '_') && is_inside) || (strchr("./", c) && i && i + 1 < len && !strchr("./", name[i - 1]))))
			return false;
	}
	return len && len <= 253;
}

static void check_security(struct check *c, const struct kube_pod_spec *s)
{
	const struct kube_pod_security_context *p = s->security_context;
	if (!p)
		return;
	WITHIN(c, "securityContext") {
		check_user_id(c, "fsGroup", p->fs_group);
		check_user_id(c, "runAsUser", p->run_as_user);
		check_user_id(c, "runAsGroup", p->run_as_group);
		for (uint32_t i = 0; i < p->n_supplemental_groups; i++)
			WITHIN_ITEM(c, "supplementalGroups", i) check_user_id(c, NULL, &p->supplemental_groups[i]);
		if (s->share_process_namespace && *s->share_process_namespace && s->host_pid)
			wrong(c, "shareProcessNamespace", "Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled");
		EACH(c, "sysctls", i, p->n_sysctls) {
			const char *name = or_empty(p->sysctls[i].name);
			if (!*name)
				wrong(c, "name", REQUIRED);
			else if (!is_sysctl(name))
				wrong_text(c, "name", name, "must have at most 253 characters and match regex ^" SYSCTL "[\\./])*" SYSCTL_PART "$");
			for (uint32_t k = 0; *name && k < i; k++)
				if (is(p->sysctls[k].name, name))
					wrong(c, "name", "Duplicate value: %s", check_quote(c, name));
		}
		if (p->fs_group_change_policy)
			one_of(c, "fsGroupChangePolicy", p->fs_group_change_policy, "Always|OnRootMismatch");
		check_seccomp(c, p->seccomp_profile);
		if (p->supplemental_groups_policy)
			one_of(c, "supplementalGroupsPolicy", p->supplemental_groups_policy, "Merge|Strict");
	}
}

static void check_dns(struct check *c, const struct kube_pod_spec *s)
{
	const struct kube_pod_dns_config *d = s->dns_config;
	if (is(s->dns_policy, "None") && !d) {
		wrong(c, "dnsConfig", REQUIRED ": must provide `dnsConfig` when `dnsPolicy` is None");
		return;
	}
	if (!d)
		return;
	WITHIN(c, "dnsConfig") {
		if (is(s->dns_policy, "None") && !d->n_nameservers) {
			wrong(c, "nameservers", REQUIRED ": must provide at least one DNS nameserver when `dnsPolicy` is None");
			return;
		}
		if (d->n_nameservers > 3)
			wrong(c, "nameservers", "Invalid value: must not have more than 3 nameservers");
		for (uint32_t i = 0; i < d->n_nameservers; i++)
			WITHIN_ITEM(c, "nameservers", i) check_ip(c, NULL, d->nameservers[i]);
		if (d->n_searches > 32)
			wrong(c, "searches", "Invalid value: must not have more than 32 search paths");
		EACH(c, "options", i, d->n_options)
			if (!is_set(d->options[i].name))
				wrong(c, NULL, REQUIRED ": must not be empty");
	}
}

static void check_host_network(struct check *c, const struct kube_pod_spec *s, bool is_pod)
{
	if (!s->host_network)
		return;
	EACH(c, "containers", i, s->n_containers) {
		EACH(c, "ports", k, s->containers[i].n_ports) {
			const struct kube_container_port *p = &s->containers[i].ports[k];
			if ((is_pod || p->host_port) && p->host_port != p->container_port)
				wrong_int(c, "hostPort", p->host_port, "must match `containerPort` when `hostNetwork` is true");
		}
	}
}

void check_pod_spec(struct check *c, const struct kube_pod_spec *s, bool is_pod)
{
	check_volumes(c, s->volumes, s->n_volumes);
	check_containers(c, s, is_pod);
	if (s->resources)
		check_resources(c, "resources", s->resources);
	check_host_network(c, s, is_pod);
	one_of(c, "restartPolicy", s->restart_policy, "Always|OnFailure|Never");
	one_of(c, "dnsPolicy", s->dns_policy, "ClusterFirstWithHostNet|ClusterFirst|Default|None");
	check_labels(c, "nodeSelector", s->node_selector, s->n_node_selector);
	check_security(c, s);
	check_affinity(c, s->affinity);
	check_dns(c, s);
	EACH(c, "readinessGates", i, s->n_readiness_gates)
		check_qualified_name(c, "conditionType", s->readiness_gates[i].condition_type);
	EACH(c, "schedulingGates", i, s->n_scheduling_gates) {
		check_qualified_name(c, NULL, s->scheduling_gates[i].name);
		for (uint32_t k = 0; k < i; k++)
			if (is(s->scheduling_gates[k].name, or_empty(s->scheduling_gates[i].name)))
				wrong(c, NULL, "Duplicate value: %s", check_quote(c, s->scheduling_gates[i].name));
	}
	check_spread(c, s->topology_spread_constraints, s->n_topology_spread_constraints);
	if (is_set(s->service_account_name))
		check_name(c, "serviceAccountName", s->service_account_name, NAME_SUBDOMAIN);
	if (is_set(s->node_name))
		check_name(c, "nodeName", s->node_name, NAME_SUBDOMAIN);
	if (s->active_deadline_seconds && (*s->active_deadline_seconds < 1 || *s->active_deadline_seconds > INT32_MAX))
		wrong_int(c, "activeDeadlineSeconds", *s->active_deadline_seconds, "must be between 1 and 2147483647, inclusive");
	if (is_set(s->hostname))
		check_name(c, "hostname", s->hostname, NAME_LABEL);
	if (is_set(s->subdomain))
		check_name(c, "subdomain", s->subdomain, NAME_LABEL);
	check_tolerations(c, s->tolerations, s->n_tolerations);
	EACH(c, "hostAliases", i, s->n_host_aliases) {
		check_ip(c, "ip", s->host_aliases[i].ip);
		for (uint32_t k = 0; k < s->host_aliases[i].n_hostnames; k++)
			WITHIN_ITEM(c, "hostnames", k) check_name(c, NULL, s->host_aliases[i].hostnames[k], NAME_SUBDOMAIN);
	}
	if (is_set(s->priority_class_name))
		check_name(c, "priorityClassName", s->priority_class_name, NAME_SUBDOMAIN);
	if (s->runtime_class_name)
		check_name(c, "runtimeClassName", s->runtime_class_name, NAME_SUBDOMAIN);
	if (s->preemption_policy)
		one_of(c, "preemptionPolicy", s->preemption_policy, "PreemptLowerPriority|Never");
	if (s->os)
		WITHIN(c, "os") one_of(c, "name", s->os->name, "linux|windows");
}

/* --- updates --- */

static bool check_same_containers(struct check *c, const char *field, uint32_t n, uint32_t n_old)
{
	if (n == n_old)
		return true;
	wrong(c, field, "Forbidden: pod updates may not add or remove containers");
	return false;
}

static void check_deadline(struct check *c, const int64_t *now, const int64_t *old)
{
	if (now && old && *old < *now)
		wrong_int(c, "activeDeadlineSeconds", *now, "must be less than or equal to previous value");
	else if (!now && old)
		wrong(c, "activeDeadlineSeconds", "Invalid value: null: must not update from a positive integer to nil value");
}

static void check_only_added(struct check *c, const struct kube_pod_spec *s, const struct kube_pod_spec *old)
{
	for (uint32_t i = 0; i < old->n_tolerations; i++) {
		bool kept = false;
		for (uint32_t k = 0; k < s->n_tolerations && !kept; k++) {
			struct kube_toleration a = s->tolerations[k], b = old->tolerations[i];
			a.toleration_seconds = b.toleration_seconds = NULL;
			kept = schema_equal(T_kube_toleration, &a, &b);
		}
		if (kept)
			continue;
		wrong(c, "tolerations", "Forbidden: existing toleration can not be modified except its tolerationSeconds");
		break;
	}
	for (uint32_t i = 0; i < s->n_scheduling_gates; i++) {
		bool known = false;
		for (uint32_t k = 0; k < old->n_scheduling_gates; k++)
			known |= is(old->scheduling_gates[k].name, or_empty(s->scheduling_gates[i].name));
		if (!known)
			WITHIN_ITEM(c, "schedulingGates", i) wrong(c, NULL, "Forbidden: only deletion is allowed, but found new scheduling gate '%s'", or_empty(s->scheduling_gates[i].name));
	}
}

/* Containers with the images of others. */
static struct kube_container *with_images(struct check *c, const struct kube_container *v, const struct kube_container *old, uint32_t n)
{
	struct kube_container *w = arena_array(c->a, n, sizeof *w);
	for (uint32_t i = 0; w && i < n; i++) {
		w[i] = v[i];
		w[i].image = old[i].image;
	}
	return w;
}

static void check_update(struct check *c, const struct kube_pod_spec *s, const struct kube_pod_spec *old)
{
	if (!check_same_containers(c, "containers", s->n_containers, old->n_containers) ||
		!check_same_containers(c, "initContainers", s->n_init_containers, old->n_init_containers))
		return;
	check_deadline(c, s->active_deadline_seconds, old->active_deadline_seconds);
	check_only_added(c, s, old);
	struct kube_pod_spec rest = *s;
	rest.containers = with_images(c, s->containers, old->containers, s->n_containers);
	rest.init_containers = with_images(c, s->init_containers, old->init_containers, s->n_init_containers);
	rest.active_deadline_seconds = old->active_deadline_seconds;
	rest.scheduling_gates = old->scheduling_gates;
	rest.n_scheduling_gates = old->n_scheduling_gates;
	rest.tolerations = old->tolerations;
	rest.n_tolerations = old->n_tolerations;
	if (old->termination_grace_period_seconds && *old->termination_grace_period_seconds < 0)
		rest.termination_grace_period_seconds = old->termination_grace_period_seconds;
	if (old->n_scheduling_gates) {
		/* a pod that waits at a gate may still be told where to go */
		rest.node_selector = old->node_selector;
		rest.n_node_selector = old->n_node_selector;
		rest.affinity = old->affinity;
	}
	if (!rest.containers || !rest.init_containers || !kind_is_same(T_kube_pod_spec, &rest, old))
		wrong(c, NULL, "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
			"`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` "
			"(allow it to be set to 1 if it was previously negative)\n");
}

/* pods/ephemeralcontainers: those that are there stay as they are. */
static void check_ephemeral_update(struct check *c, const struct kube_pod_spec *s, const struct kube_pod_spec *old)
{
	for (uint32_t i = 0; i < old->n_ephemeral_containers; i++) {
		const struct kube_ephemeral_container *was = &old->ephemeral_containers[i], *now = NULL;
		for (uint32_t k = 0; k < s->n_ephemeral_containers && !now; k++)
			if (is(s->ephemeral_containers[k].name, was->name))
				now = &s->ephemeral_containers[k];
		if (!now)
			wrong(c, "ephemeralContainers", "Forbidden: existing ephemeral containers %s may not be removed\n", check_quote(c, was->name));
		else if (!kind_is_same(T_kube_ephemeral_container, now, was))
			wrong(c, "ephemeralContainers", "Forbidden: existing ephemeral containers %s may not be changed\n", check_quote(c, was->name));
	}
}

/* One of a's resources is not in b; with only_fixed, of those that are not cpu or memory. */
static bool has_lost(const struct kube_quantity_entry *a, uint32_t n, const struct kube_quantity_entry *b, uint32_t n_b, bool only_fixed)
{
	for (uint32_t i = 0; i < n; i++) {
		bool is_there = only_fixed && (is(a[i].key, "cpu") || is(a[i].key, "memory"));
		for (uint32_t k = 0; k < n_b && !is_there; k++)
			is_there = is(a[i].key, b[k].key) && (!only_fixed || is(a[i].value, b[k].value));
		if (!is_there)
			return true;
	}
	return false;
}

static void check_container_resize(struct check *c, const struct kube_resource_requirements *r, const struct kube_resource_requirements *old)
{
	WITHIN(c, "resources") {
		if (has_lost(old->requests, old->n_requests, r->requests, r->n_requests, false))
			wrong(c, "requests", "Forbidden: resource requests cannot be removed");
		if (has_lost(old->limits, old->n_limits, r->limits, r->n_limits, false))
			wrong(c, "limits", "Forbidden: resource limits cannot be removed");
	}
}

static bool is_fixed_same(const struct kube_resource_requirements *r, const struct kube_resource_requirements *old)
{
	return !has_lost(old->requests, old->n_requests, r->requests, r->n_requests, true) &&
		!has_lost(r->requests, r->n_requests, old->requests, old->n_requests, true) &&
		!has_lost(old->limits, old->n_limits, r->limits, r->n_limits, true) && !has_lost(r->limits, r->n_limits, old->limits, old->n_limits, true);
}

static void check_order(struct check *c, const char *list, const struct kube_container *v, uint32_t n, const struct kube_container *old, uint32_t n_old)
{
	if (n != n_old) {
		wrong(c, list, "Forbidden: %s may not be added or removed on resize", list);
		return;
	}
	EACH(c, list, i, n)
		if (!is(v[i].name, old[i].name))
			wrong(c, "name", "Forbidden: %s may not be renamed or reordered on resize", list);
}

/* pods/resize: cpu and memory of containers that stay the same. */
static void check_resize(struct check *c, const struct kube_pod *o, const struct kube_pod *was)
{
	const struct kube_pod_spec *s = &o->spec, *old = &was->spec;
	const char *qos = kind_pod_qos(s);
	if (!is(was->status.qos_class, qos))
		wrong_text(c, NULL, o->status.qos_class, "Pod QOS Class may not change as a result of resizing");
	unsigned before = c->p->n;
	check_order(c, "containers", s->containers, s->n_containers, old->containers, old->n_containers);
	check_order(c, "initContainers", s->init_containers, s->n_init_containers, old->init_containers, old->n_init_containers);
	if (c->p->n > before)
		return;
	EACH(c, "initContainers", i, s->n_init_containers)
		if (is(old->init_containers[i].restart_policy, "Always"))
			check_container_resize(c, &s->init_containers[i].resources, &old->init_containers[i].resources);
	EACH(c, "containers", i, s->n_containers)
		check_container_resize(c, &s->containers[i].resources, &old->containers[i].resources);
	for (uint32_t i = 0; i < s->n_containers; i++)
		if (!is_fixed_same(&s->containers[i].resources, &old->containers[i].resources))
			wrong(c, NULL, "Forbidden: only cpu and memory resources are mutable");
}

void kind_validate_pod(struct check *c, const void *obj, const void *old)
{
	const struct kube_pod *o = obj, *was = old;
	WITHIN(c, "spec") {
		check_pod_spec(c, &o->spec, true);
		for (uint32_t i = 0; !is_set(o->spec.service_account_name) && i < o->spec.n_volumes; i++) {
			const struct kube_projected_volume_source *p = o->spec.volumes[i].projected;
			for (uint32_t k = 0; p && k < p->n_sources; k++)
				if (p->sources[k].service_account_token)
					WITHIN_ITEM(c, "volumes", i) WITHIN(c, "projected") WITHIN_ITEM(c, "sources", k)
						wrong(c, "serviceAccountToken", "Forbidden: must not be specified when serviceAccountName is not set");
		}
		if (!was && o->spec.n_ephemeral_containers)
			wrong(c, "ephemeralContainers", "Forbidden: cannot be set on create");
		if (!was && is_set(o->spec.node_name) && o->spec.n_scheduling_gates)
			wrong(c, "nodeName", "Forbidden: cannot be set until all schedulingGates have been cleared");
		if (was && c->what == KIND_SPEC)
			check_update(c, &o->spec, &was->spec);
		else if (was && c->what == KIND_EPHEMERAL)
			check_ephemeral_update(c, &o->spec, &was->spec);
		else if (was && c->what == KIND_RESIZE)
			check_resize(c, o, was);
	}
}

/* --- templates --- */

void check_template(struct check *c, const struct kube_pod_template_spec *t)
{
	/* Kubernetes leaves metadata out of their path */
	check_labels(c, "labels", t->metadata.labels, t->metadata.n_labels);
	check_annotations(c, "annotations", t->metadata.annotations, t->metadata.n_annotations);
	WITHIN(c, "spec") {
		check_pod_spec(c, &t->spec, false);
		if (t->spec.n_ephemeral_containers)
			wrong(c, "ephemeralContainers", "Forbidden: ephemeral containers not allowed in pod template");
	}
}

bool template_matches(const struct kube_label_selector *s, const struct schema_pair *labels, uint32_t n)
{
	for (uint32_t i = 0; i < s->n_match_labels; i++)
		if (!is(schema_pair_get(labels, n, s->match_labels[i].key), or_empty(s->match_labels[i].value)))
			return false;
	for (uint32_t i = 0; i < s->n_match_expressions; i++) {
		const struct kube_label_selector_requirement *x = &s->match_expressions[i];
		const char *v = schema_pair_get(labels, n, or_empty(x->key));
		bool listed = false;
		for (uint32_t k = 0; k < x->n_values; k++)
			listed |= v && is(x->values[k], v);
		if (is(x->operator, "In") ? !listed : is(x->operator, "NotIn") ? listed : is(x->operator, "Exists") ? !v : v != NULL)
			return false;
	}
	return true;
}

void check_matched(struct check *c, const struct kube_object_meta *m, const struct kube_label_selector *selector)
{
	AUTO(buf) struct buf b = BUF_INIT(64 << 10);
	bool is_map = is(c->kind, "ReplicationController");     /* whose values may be any */
	if (selector && ((!is_map && !selector_is_valid(c, selector)) || template_matches(selector, m->labels, m->n_labels)))
		return;
	for (uint32_t i = 0; i < m->n_labels; i++)
		buf_addf(&b, "%s%s:%s", i ? "," : "", check_quote(c, m->labels[i].key), check_quote(c, or_empty(m->labels[i].value)));
	WITHIN(c, "metadata")
		wrong(c, "labels", m->n_labels ? "Invalid value: {%s}: `selector` does not match template `labels`" :
			"Invalid value: null%s: `selector` does not match template `labels`", m->n_labels ? b.ptr : "");
}

void check_controller_template(struct check *c, const struct kube_pod_template_spec *t, const struct kube_label_selector *selector)
{
	WITHIN(c, "template") {
		check_matched(c, &t->metadata, selector);
		check_template(c, t);
		WITHIN(c, "spec") {
			if (is_set(t->spec.restart_policy) && !is(t->spec.restart_policy, "Always"))
				wrong(c, "restartPolicy", "Unsupported value: %s: supported values: \"Always\"", check_quote(c, t->spec.restart_policy));
			if (t->spec.active_deadline_seconds)
				wrong(c, "activeDeadlineSeconds", "Forbidden: activeDeadlineSeconds in %s is not Supported", c->kind);
		}
	}
}

void kind_validate_pod_template(struct check *c, const void *obj, const void *old)
{
	(void)old;
	WITHIN(c, "template") check_template(c, &((const struct kube_pod_template *)obj)->template);
}
