/* SPDX-License-Identifier: Apache-2.0 */
/* Containers: names, ports, environment, mounts, probes, resources, security. Source: pkg/apis/core/validation. */
#include "kube/kind/check_pod.h"

#include "schema/quantity.h"

static void check_ports(struct check *c, const struct kube_container *k)
{
	EACH(c, "ports", i, k->n_ports) {
		const struct kube_container_port *p = &k->ports[i];
		if (is_set(p->name)) {
			unsigned before = c->p->n;
			check_port_name(c, "name", p->name);
			for (uint32_t j = 0; j < i && c->p->n == before; j++)
				if (is(k->ports[j].name, p->name))
					wrong(c, "name", "Duplicate value: %s", check_quote(c, p->name));
		}
		if (!p->container_port)
			wrong(c, "containerPort", REQUIRED);
		else
			check_port(c, "containerPort", p->container_port);
		if (p->host_port)
			check_port(c, "hostPort", p->host_port);
		one_of(c, "protocol", p->protocol, "SCTP|TCP|UDP");
	}
}

/* Printable ASCII but '='. */
static void check_env_name(struct check *c, const char *field, const char *name)
{
	for (const char *p = name; *p; p++) {
		if (*p >= ' ' && *p <= '~' && *p != '=')
			continue;
		wrong_text(c, field, name, "a valid environment variable name must consist only of printable ASCII characters other than '='");
		return;
	}
}

static void check_source_name(struct check *c, const char *field, const char *name)
{
	WITHIN(c, field) {
		if (is_set(name))
			check_name(c, "name", name, NAME_SUBDOMAIN);
		else
			wrong(c, "name", REQUIRED);
	}
}

static void check_key_ref(struct check *c, const char *field, const char *name, const char *key)
{
	WITHIN(c, field) {
		check_name(c, "name", name, NAME_SUBDOMAIN);
		if (!is_set(key))
			wrong(c, "key", REQUIRED);
		else
			check_data_key(c, "key", key);
	}
}

static void check_env(struct check *c, const struct kube_container *k)
{
	EACH(c, "env", i, k->n_env) {
		const struct kube_env_var *e = &k->env[i];
		const struct kube_env_var_source *s = e->value_from;
		if (!is_set(e->name))
			wrong(c, "name", REQUIRED);
		else
			check_env_name(c, "name", e->name);
		if (s) WITHIN(c, "valueFrom") {
			unsigned n = !!s->field_ref + !!s->resource_field_ref + !!s->config_map_key_ref + !!s->secret_key_ref + !!s->file_key_ref;
			if (s->field_ref)
				check_field_ref(c, "fieldRef", s->field_ref, false);
			if (s->resource_field_ref)
				check_resource_ref(c, "resourceFieldRef", s->resource_field_ref, false);
			if (s->config_map_key_ref)
				check_key_ref(c, "configMapKeyRef", s->config_map_key_ref->name, s->config_map_key_ref->key);
			if (s->secret_key_ref)
				check_key_ref(c, "secretKeyRef", s->secret_key_ref->name, s->secret_key_ref->key);
			if (!n)
				wrong_text(c, NULL, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`");
			else if (is_set(e->value))
				wrong_text(c, NULL, "", "may not be specified when `value` is not empty");
			else if (n > 1)
				wrong_text(c, NULL, "", "may not have more than one field specified at a time");
		}
	}
	for (uint32_t i = 0; i < k->n_env_from; i++) {
		const struct kube_env_from_source *e = &k->env_from[i];
		WITHIN_ITEM(c, "envFrom", i) {
			if (is_set(e->prefix))
				check_env_name(c, "prefix", e->prefix);
			if (e->config_map_ref)
				check_source_name(c, "configMapRef", e->config_map_ref->name);
			if (e->secret_ref)
				check_source_name(c, "secretRef", e->secret_ref->name);
		}
		if (!e->config_map_ref && !e->secret_ref)
			wrong_text(c, "envFrom", "", "must specify one of: `configMapRef` or `secretRef`");
		else if (e->config_map_ref && e->secret_ref)
			wrong_text(c, "envFrom", "", "may not have more than one field specified at a time");
	}
}

static bool has_volume(const struct check *c, const struct kube_pod_spec *s, const char *name)
{
	for (uint32_t i = 0; i < s->n_volumes; i++)
		if (is(s->volumes[i].name, name) && (!c->right_volumes || c->right_volumes[i]))
			return true;
	return false;
}

static void check_mounts(struct check *c, const struct kube_container *k, const struct kube_pod_spec *s)
{
	bool is_privileged = k->security_context && k->security_context->privileged && *k->security_context->privileged;
	for (uint32_t i = 0; i < k->n_volume_mounts; i++) {
		const struct kube_volume_mount *m = &k->volume_mounts[i];
		WITHIN_ITEM(c, "volumeMounts", i) {
			if (!is_set(m->name))
				wrong(c, "name", REQUIRED);
			if (!has_volume(c, s, or_empty(m->name)))
				wrong(c, "name", "Not found: %s", check_quote(c, m->name));
			if (!is_set(m->mount_path))
				wrong(c, "mountPath", REQUIRED);
			for (uint32_t j = 0; j < i; j++)
				if (is(k->volume_mounts[j].mount_path, or_empty(m->mount_path))) {
					wrong_text(c, "mountPath", m->mount_path, "must be unique");
					break;
				}
			for (uint32_t j = 0; j < k->n_volume_devices; j++) {
				if (is(k->volume_devices[j].name, or_empty(m->name)))
					wrong_text(c, "name", m->name, "must not already exist in volumeDevices");
				if (is(k->volume_devices[j].device_path, or_empty(m->mount_path)))
					wrong_text(c, "mountPath", m->mount_path, "must not already exist as a path in volumeDevices");
			}
			if (is_set(m->sub_path_expr) && is_set(m->sub_path))
				wrong_text(c, "subPathExpr", m->sub_path_expr, "subPathExpr and subPath are mutually exclusive");
		}
		/* Kubernetes says these of the list, not of the item */
		WITHIN(c, "volumeMounts") {
			if (is_set(m->sub_path))
				check_descending_path(c, "subPath", m->sub_path);
			if (is_set(m->sub_path_expr))
				check_descending_path(c, "subPathExpr", m->sub_path_expr);
			if (m->mount_propagation) {
				one_of(c, "mountPropagation", m->mount_propagation, "Bidirectional|HostToContainer|None");
				if (is(m->mount_propagation, "Bidirectional") && !is_privileged)
					wrong(c, "mountPropagation", "Forbidden: Bidirectional mount propagation is available only to privileged containers");
			}
			if (m->recursive_read_only && one_of(c, "recursiveReadOnly", m->recursive_read_only, "Disabled|Enabled|IfPossible") &&
				!is(m->recursive_read_only, "Disabled") && !m->read_only)
				wrong(c, "recursiveReadOnly", "Forbidden: may only be specified when readOnly is true");
		}
	}
	EACH(c, "volumeDevices", i, k->n_volume_devices) {
		const struct kube_volume_device *d = &k->volume_devices[i];
		if (!is_set(d->name))
			wrong(c, "name", REQUIRED);
		else if (!has_volume(c, s, d->name))
			wrong(c, "name", "Not found: %s", check_quote(c, d->name));
		if (!is_set(d->device_path))
			wrong(c, "devicePath", REQUIRED);
	}
}

static bool is_standard(const char *name)
{
	return is(name, "cpu") || is(name, "memory") || is(name, "ephemeral-storage") || !strncmp(name, "hugepages-", 10);
}

/* One that is not Kubernetes' own: of whole pieces, and never promised twice. */
static bool is_extended(const char *name)
{
	return strchr(name, '/') && !strstr(name, "kubernetes.io/") && strncmp(name, "requests.", 9);
}

static bool may_overcommit(const char *name)
{
	return !is_extended(name) && strncmp(name, "hugepages-", 10);
}

void check_quantity(struct check *c, const char *name, const char *value)
{
	struct quantity q;
	if (quantity_parse(slice_of(or_empty(value)), &q, NULL) < 0)
		return;
	if (q.nano < 0)
		wrong_text(c, NULL, value, "must be greater than or equal to 0");
	if (is_extended(name) && q.nano % 1000000000)
		wrong_text(c, NULL, value, "must be an integer");
}

bool is_standard_resource(const char *name)
{
	static const char *const names[] = { "requests.cpu", "requests.memory", "requests.ephemeral-storage", "limits.cpu", "limits.memory",
		"limits.ephemeral-storage", "pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps", "persistentvolumeclaims",
		"storage", "requests.storage", "services.nodeports", "services.loadbalancers" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(name, names[i]))
			return true;
	return is_standard(name) || !strncmp(name, "requests.hugepages-", 19);
}

void check_resource_name(struct check *c, const char *name)
{
	if (!is_qualified_name(name))
		check_qualified_name(c, NULL, name);
	else if (!strchr(name, '/') && !is_standard_resource(name))
		wrong_text(c, NULL, name, "must be a standard resource type or fully qualified");
	if (!strchr(name, '/') && !is_standard(name))
		wrong_text(c, NULL, name, "must be a standard resource for containers");
	else if (strchr(name, '/') && !strstr(name, "kubernetes.io/") && !is_extended(name))
		wrong_text(c, NULL, name, "doesn't follow extended resource name standard");
}

void check_resources(struct check *c, const char *field, const struct kube_resource_requirements *r)
{
	WITHIN(c, field) {
		bool huge = false, usual = false;
		for (uint32_t i = 0; i < r->n_limits; i++) {
			WITHIN_KEY(c, "limits", r->limits[i].key) {
				check_resource_name(c, r->limits[i].key);
				check_quantity(c, r->limits[i].key, r->limits[i].value);
			}
			huge |= !strncmp(r->limits[i].key, "hugepages-", 10);
			usual |= is(r->limits[i].key, "cpu") || is(r->limits[i].key, "memory");
		}
		for (uint32_t i = 0; i < r->n_requests; i++) {
			const char *name = r->requests[i].key, *value = or_empty(r->requests[i].value), *limit = kind_quantity_of(r->limits, r->n_limits, name);
			struct quantity q, l;
			WITHIN_KEY(c, "requests", name) {
				check_resource_name(c, name);
				check_quantity(c, name, value);
			}
			huge |= !strncmp(name, "hugepages-", 10);
			usual |= is(name, "cpu") || is(name, "memory");
			if (limit && quantity_parse(slice_of(value), &q, NULL) == 0 && quantity_parse(slice_of(limit), &l, NULL) == 0) {
				if (quantity_cmp(&q, &l) && !may_overcommit(name))
					wrong_text(c, "requests", value, "must be equal to %s limit of %s", name, limit);
				else if (quantity_cmp(&q, &l) > 0)
					wrong_text(c, "requests", value, "must be less than or equal to %s limit of %s", name, limit);
			} else if (!limit && !may_overcommit(name)) {
				wrong(c, "limits", REQUIRED ": Limit must be set for non overcommitable resources");
			}
		}
		if (huge && !usual)
			wrong(c, NULL, "Forbidden: HugePages require cpu or memory");
	}
}

void check_user_id(struct check *c, const char *field, const int64_t *id)
{
	if (id && (*id < 0 || *id > INT32_MAX))
		wrong_int(c, field, *id, "must be between 0 and 2147483647, inclusive");
}

void check_seccomp(struct check *c, const struct kube_seccomp_profile *p)
{
	if (!p)
		return;
	WITHIN(c, "seccompProfile") {
		if (!is_set(p->type))
			wrong(c, "type", REQUIRED ": type is required when seccompProfile is set");
		else
			one_of(c, "type", p->type, "Localhost|RuntimeDefault|Unconfined");
		if (is(p->type, "Localhost") && !p->localhost_profile)
			wrong(c, "localhostProfile", REQUIRED ": must be set when seccomp type is Localhost");
		else if (is(p->type, "Localhost"))
			check_descending_path(c, "localhostProfile", p->localhost_profile);
		else if (p->localhost_profile)
			wrong_value(c, "localhostProfile", T_kube_seccomp_profile, p, "can only be set when seccomp type is Localhost");
	}
}

static void check_security(struct check *c, const struct kube_security_context *s)
{
	if (!s)
		return;
	WITHIN(c, "securityContext") {
		check_user_id(c, "runAsUser", s->run_as_user);
		check_user_id(c, "runAsGroup", s->run_as_group);
		if (s->proc_mount)
			one_of(c, "procMount", s->proc_mount, "Default|Unmasked");
		check_seccomp(c, s->seccomp_profile);
		if (!s->allow_privilege_escalation || *s->allow_privilege_escalation)
			return;
		if (s->privileged && *s->privileged)
			wrong_value(c, NULL, T_kube_security_context, s, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
		for (uint32_t i = 0; s->capabilities && i < s->capabilities->n_add; i++)
			if (is(s->capabilities->add[i], "CAP_SYS_ADMIN"))
				wrong_value(c, NULL, T_kube_security_context, s, "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN");
	}
}

static void check_any_port(struct check *c, const struct schema_int_or_string *p)
{
	if (p->string)
		check_port_name(c, "port", p->string);
	else
		check_port(c, "port", p->number);
}

/* What a probe or a hook does: one of them, of which the further ones are forbidden. */
struct handler {
	const struct kube_exec_action *exec;
	const struct kube_http_get_action *http;
	const struct kube_tcp_socket_action *tcp;
	const struct kube_grpc_action *grpc;
	const struct kube_sleep_action *sleep;
};

static bool is_further(struct check *c, const char *field, unsigned *n)
{
	if (!(*n)++)
		return false;
	wrong(c, field, "Forbidden: may not specify more than 1 handler type");
	return true;
}

static void check_handler(struct check *c, const struct handler *h, const int64_t *grace)
{
	unsigned n = 0;
	if (h->exec && !is_further(c, "exec", &n) && !h->exec->n_command)
		WITHIN(c, "exec") wrong(c, "command", REQUIRED);
	if (h->http && !is_further(c, "httpGet", &n)) WITHIN(c, "httpGet") {
		if (!is_set(h->http->path))
			wrong(c, "path", REQUIRED);
		check_any_port(c, &h->http->port);
		one_of(c, "scheme", h->http->scheme, "HTTP|HTTPS");
		for (uint32_t i = 0; i < h->http->n_http_headers; i++) {
			const char *name = or_empty(h->http->http_headers[i].name);
			if (!*name || strspn(name, "-ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") != strlen(name))
				wrong_text(c, "httpHeaders", name, "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', "
					"regex used for validation is '[-A-Za-z0-9]+')");
		}
	}
	if (h->tcp && !is_further(c, "tcpSocket", &n)) WITHIN(c, "tcpSocket")
		check_any_port(c, &h->tcp->port);
	if (h->grpc && !is_further(c, "grpc", &n)) WITHIN(c, "grpc")
		check_port(c, "port", h->grpc->port);
	if (h->sleep && !is_further(c, "sleep", &n)) {
		if (h->sleep->seconds < 0 || (grace && h->sleep->seconds > *grace))
			wrong_int(c, "sleep", h->sleep->seconds, "must be non-negative and less than terminationGracePeriodSeconds (%lld)", grace ? (long long)*grace : 0LL);
	}
	if (!n)
		wrong(c, NULL, REQUIRED ": must specify a handler type");
}

static void check_probe(struct check *c, const char *field, const struct kube_probe *p, const int64_t *grace)
{
	if (!p)
		return;
	WITHIN(c, field) {
		struct handler h = { p->exec, p->http_get, p->tcp_socket, p->grpc, NULL };
		check_handler(c, &h, grace);
		check_nonnegative(c, "initialDelaySeconds", p->initial_delay_seconds);
		check_nonnegative(c, "timeoutSeconds", p->timeout_seconds);
		check_nonnegative(c, "periodSeconds", p->period_seconds);
		check_nonnegative(c, "successThreshold", p->success_threshold);
		check_nonnegative(c, "failureThreshold", p->failure_threshold);
		if (p->termination_grace_period_seconds && *p->termination_grace_period_seconds <= 0)
			wrong_int(c, "terminationGracePeriodSeconds", *p->termination_grace_period_seconds, "must be greater than 0");
		if (strcmp(field, "readinessProbe")) {
			if (p->success_threshold != 1)
				wrong_int(c, "successThreshold", p->success_threshold, "must be 1");
		} else if (p->termination_grace_period_seconds) {
			wrong_int(c, "terminationGracePeriodSeconds", *p->termination_grace_period_seconds, "must not be set for readinessProbes");
		}
	}
}

static void check_hook(struct check *c, const char *field, const struct kube_lifecycle_handler *k, const int64_t *grace)
{
	if (!k)
		return;
	WITHIN(c, field) {
		struct handler h = { k->exec, k->http_get, k->tcp_socket, NULL, k->sleep };
		check_handler(c, &h, grace);
	}
}

static void check_probes(struct check *c, const struct kube_container *k, const int64_t *grace)
{
	if (k->lifecycle) WITHIN(c, "lifecycle") {
		check_hook(c, "postStart", k->lifecycle->post_start, grace);
		check_hook(c, "preStop", k->lifecycle->pre_stop, grace);
	}
	check_probe(c, "livenessProbe", k->liveness_probe, grace);
	check_probe(c, "readinessProbe", k->readiness_probe, grace);
	check_probe(c, "startupProbe", k->startup_probe, grace);
}

static void check_common(struct check *c, const struct kube_container *k, const struct kube_pod_spec *s, bool is_pod)
{
	if (!is_set(k->name))
		wrong(c, "name", REQUIRED);
	else
		check_name(c, "name", k->name, NAME_LABEL);
	if (!is_set(k->image)) {
		wrong(c, "image", REQUIRED);
	} else if (is_pod) {
		struct slice all = slice_of(k->image);
		if (slice_trim(all).len != all.len)
			wrong_text(c, "image", k->image, "must not have leading or trailing whitespace");
	}
	one_of(c, "terminationMessagePolicy", k->termination_message_policy, "File|FallbackToLogsOnError");
	check_ports(c, k);
	check_env(c, k);
	check_mounts(c, k, s);
	one_of(c, "imagePullPolicy", k->image_pull_policy, "Always|IfNotPresent|Never");
	check_resources(c, "resources", &k->resources);
	check_security(c, k->security_context);
}

static bool is_named_before(const struct kube_pod_spec *s, const char *name, const struct kube_container *end)
{
	for (uint32_t i = 0; i < s->n_containers; i++) {
		if (&s->containers[i] == end)
			return false;
		if (is(s->containers[i].name, name))
			return true;
	}
	for (uint32_t i = 0; i < s->n_init_containers; i++) {
		if (&s->init_containers[i] == end)
			return false;
		if (is(s->init_containers[i].name, name))
			return true;
	}
	for (uint32_t i = 0; i < s->n_ephemeral_containers; i++) {
		const struct kube_container *k = (const struct kube_container *)&s->ephemeral_containers[i];
		if (k == end)
			return false;
		if (is(k->name, name))
			return true;
	}
	return false;
}

static void check_unique(struct check *c, const struct kube_pod_spec *s, const struct kube_container *k)
{
	if (is_set(k->name) && is_named_before(s, k->name, k))
		wrong(c, "name", "Duplicate value: %s", check_quote(c, k->name));
}

/* Two of the containers must not want the same port of the machine. */
static void check_host_ports(struct check *c, const char *list, const struct kube_container *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t p = 0; p < v[i].n_ports; p++) {
			const struct kube_container_port *a = &v[i].ports[p];
			bool taken = false;
			for (uint32_t k = 0; k <= i && a->host_port; k++) {
				for (uint32_t q = 0; q < (k == i ? p : v[k].n_ports); q++) {
					const struct kube_container_port *b = &v[k].ports[q];
					taken |= b->host_port == a->host_port && is(b->protocol, or_empty(a->protocol)) && !strcmp(or_empty(b->host_ip), or_empty(a->host_ip));
				}
			}
			if (taken) WITHIN_ITEM(c, list, i) WITHIN_ITEM(c, "ports", p)
				wrong(c, "hostPort", "Duplicate value: \"%s/%s/%d\"", or_empty(a->protocol), or_empty(a->host_ip), a->host_port);
		}
	}
}

static void check_init(struct check *c, const struct kube_pod_spec *s, const struct kube_container *k)
{
	static const char text[] = "Forbidden: may not be set for init containers without restartPolicy=Always";
	if (k->restart_policy)
		one_of(c, "restartPolicy", k->restart_policy, "Always|Never|OnFailure");
	check_unique(c, s, k);
	if (is(k->restart_policy, "Always")) {
		check_probes(c, k, s->termination_grace_period_seconds);
		return;
	}
	if (k->lifecycle)
		wrong(c, "lifecycle", "%s", text);
	if (k->liveness_probe)
		wrong(c, "livenessProbe", "%s", text);
	if (k->readiness_probe)
		wrong(c, "readinessProbe", "%s", text);
	if (k->startup_probe)
		wrong(c, "startupProbe", "%s", text);
}

static void check_ephemeral(struct check *c, const struct kube_pod_spec *s, const struct kube_ephemeral_container *e)
{
	static const char text[] = "Forbidden: cannot be set for an Ephemeral Container";
	const struct kube_container *k = (const struct kube_container *)e;
	check_common(c, k, s, true);
	check_unique(c, s, k);
	if (is_set(e->target_container_name)) {
		bool found = false;
		for (uint32_t i = 0; i < s->n_containers; i++)
			found |= is(s->containers[i].name, e->target_container_name);
		for (uint32_t i = 0; i < s->n_init_containers; i++)
			found |= is(s->init_containers[i].name, e->target_container_name);
		if (!found)
			wrong(c, "targetContainerName", "Not found: %s", check_quote(c, e->target_container_name));
	}
	if (k->n_ports)
		wrong(c, "Ports", "%s", text);
	if (k->liveness_probe)
		wrong(c, "LivenessProbe", "%s", text);
	if (k->readiness_probe)
		wrong(c, "ReadinessProbe", "%s", text);
	if (k->startup_probe)
		wrong(c, "StartupProbe", "%s", text);
	if (k->lifecycle)
		wrong(c, "Lifecycle", "%s", text);
	if (k->resources.n_limits || k->resources.n_requests)
		wrong(c, "Resources", "%s", text);
}

void check_containers(struct check *c, const struct kube_pod_spec *s, bool is_pod)
{
	if (!s->n_containers)
		wrong(c, "containers", REQUIRED);
	EACH(c, "containers", i, s->n_containers) {
		const struct kube_container *k = &s->containers[i];
		check_common(c, k, s, is_pod);
		check_unique(c, s, k);
		check_probes(c, k, s->termination_grace_period_seconds);
		if (k->restart_policy)
			one_of(c, "restartPolicy", k->restart_policy, "Always|Never|OnFailure");
	}
	check_host_ports(c, "containers", s->containers, s->n_containers);
	EACH(c, "initContainers", i, s->n_init_containers) {
		check_common(c, &s->init_containers[i], s, is_pod);
		check_init(c, s, &s->init_containers[i]);
	}
	EACH(c, "ephemeralContainers", i, s->n_ephemeral_containers)
		check_ephemeral(c, s, &s->ephemeral_containers[i]);
}
