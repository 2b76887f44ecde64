/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pod's spec in CRI's words: sandbox and container configuration, security
 * contexts, resources, DNS. Labels and annotations are those that other
 * programs look for (crictl, log shippers): io.kubernetes.pod.name and so on.
 */
#include "kube/node/node_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"
#include "schema/quantity.h"

enum { CPU_PERIOD_US = 100000, MAX_SEARCHES = 32, MAX_SERVERS = 3 };

static bool is(const char *a, const char *b)
{
	return a && !strcmp(a, b);
}

static const char *amount(const struct kube_quantity_entry *v, uint32_t n, const char *key)
{
	for (uint32_t i = 0; i < n; i++)
		if (is(v[i].key, key))
			return v[i].value;
	return NULL;
}

/* Capped, so that sums and products of what nobody has fit. */
static int64_t milli_of(const char *text)
{
	return MIN(quantity_text_milli(text), 1000000000000);
}

static int64_t bytes_of(const char *text)
{
	return MIN(quantity_text_value(text), INT64_MAX / 1024);
}

/* --- resources ----------------------------------------------------------------------------------------------- */

static int64_t shares_of(int64_t milli)
{
	return milli <= 0 ? 2 : MIN(MAX(milli * 1024 / 1000, 2), 262144);
}

static int64_t quota_of(int64_t milli)
{
	return milli <= 0 ? 0 : MAX(milli * CPU_PERIOD_US / 1000, 1000);
}

static int64_t oom_score(const struct node_settings *set, const struct kube_pod *pod, int64_t memory_request)
{
	const char *qos = pod_qos(pod);

	if (is(qos, "Guaranteed") || (pod->spec.priority && *pod->spec.priority >= 2000000000))
		return -997;
	if (is(qos, "BestEffort"))
		return 1000;
	int64_t total = MAX(set->memory_bytes, 1);
	int64_t score = 1000 - (int64_t)((__int128)1000 * memory_request / total);
	return MAX(MIN(score, 999), 3);
}

void config_resources(const struct node_settings *set, const struct kube_pod *pod, const struct kube_container *c, struct cri_linux_container_resources *ret)
{
	const struct kube_resource_requirements *r = &c->resources;
	int64_t cpu_limit = milli_of(amount(r->limits, r->n_limits, "cpu"));
	const char *cpu_text = amount(r->requests, r->n_requests, "cpu");
	int64_t cpu_request = cpu_text ? milli_of(cpu_text) : cpu_limit;
	int64_t memory_limit = bytes_of(amount(r->limits, r->n_limits, "memory"));
	int64_t memory_request = bytes_of(amount(r->requests, r->n_requests, "memory"));

	*ret = (struct cri_linux_container_resources){ .cpu_shares = shares_of(cpu_request), .cpu_period = CPU_PERIOD_US, .cpu_quota = quota_of(cpu_limit),
		.memory_limit_in_bytes = memory_limit, .oom_score_adj = oom_score(set, pod, memory_request) };
}

static void add_resources(const struct kube_container *c, int64_t *request, int64_t *limit, int64_t *memory, bool *all_cpu, bool *all_memory)
{
	const struct kube_resource_requirements *r = &c->resources;
	int64_t l = milli_of(amount(r->limits, r->n_limits, "cpu")), m = bytes_of(amount(r->limits, r->n_limits, "memory"));
	const char *text = amount(r->requests, r->n_requests, "cpu");

	*request += text ? milli_of(text) : l;
	*limit += l;
	*memory += m;
	*all_cpu &= l > 0;
	*all_memory &= m > 0;
}

void config_pod_resources(const struct kube_pod *pod, struct cri_linux_container_resources *ret)
{
	int64_t request = 0, limit = 0, memory = 0, init_request = 0, init_limit = 0, init_memory = 0;
	bool all_cpu = pod->spec.n_containers > 0, all_memory = all_cpu;

	for (uint32_t i = 0; i < pod->spec.n_containers; i++)
		add_resources(&pod->spec.containers[i], &request, &limit, &memory, &all_cpu, &all_memory);
	for (uint32_t i = 0; i < pod->spec.n_init_containers; i++) {
		const struct kube_container *c = &pod->spec.init_containers[i];
		int64_t a = 0, b = 0, m = 0;
		if (is(c->restart_policy, "Always")) {
			add_resources(c, &request, &limit, &memory, &all_cpu, &all_memory);
			continue;
		}
		add_resources(c, &a, &b, &m, &all_cpu, &all_memory);
		init_request = MAX(init_request, a);
		init_limit = MAX(init_limit, b);
		init_memory = MAX(init_memory, m);
	}
	request = MAX(request, init_request);
	limit = MAX(limit, init_limit);
	memory = MAX(memory, init_memory);
	const struct kube_resource_requirements *own = pod->spec.resources;
	if (own) {
		/* the pod's own word stands above the sums */
		const char *c = amount(own->requests, own->n_requests, "cpu"), *lc = amount(own->limits, own->n_limits, "cpu"),
			*lm = amount(own->limits, own->n_limits, "memory");
		request = c ? milli_of(c) : lc ? milli_of(lc) : request;
		limit = lc ? milli_of(lc) : limit;
		memory = lm ? bytes_of(lm) : memory;
		all_cpu |= lc != NULL;
		all_memory |= lm != NULL;
	}
	*ret = (struct cri_linux_container_resources){ .cpu_shares = shares_of(request), .cpu_period = CPU_PERIOD_US,
		.cpu_quota = all_cpu ? quota_of(limit) : 0, .memory_limit_in_bytes = all_memory ? memory : 0 };
}

const char *config_cgroup(const struct node_settings *set, const struct kube_pod *pod, struct arena *a)
{
	const char *qos = pod_qos(pod);
	const char *middle = is(qos, "Guaranteed") ? "" : is(qos, "Burstable") ? "/burstable" : "/besteffort";

	return arena_fmt(a, "%s%s/pod%s", set->cgroup_root ? set->cgroup_root : "/kubepods", middle, pod->metadata.uid);
}

/* --- names --------------------------------------------------------------------------------------------------- */

void pod_hostname(const struct config_in *in, struct arena *a, const char **name, const char **domain)
{
	const struct kube_pod_spec *s = &in->pod->spec;
	const char *host = s->hostname && *s->hostname ? s->hostname : in->pod->metadata.name;

	*domain = "";
	if (s->hostname_override && *s->hostname_override) {
		*name = s->hostname_override;
		return;
	}
	*name = arena_fmt(a, "%.63s", host);
	/* cutting may leave a '-' or '.' at the end, where a name must not have one */
	for (size_t n = *name ? strlen(*name) : 0; n && ((*name)[n - 1] == '-' || (*name)[n - 1] == '.'); n--)
		((char *)*name)[n - 1] = 0;
	if (s->subdomain && *s->subdomain)
		*domain = arena_fmt(a, "%s.%s.svc.%s", s->subdomain, in->pod->metadata.namespace, in->set->cluster_domain);
}

/* --- DNS ----------------------------------------------------------------------------------------------------- */

static bool has(const char **v, uint32_t n, const char *s)
{
	for (uint32_t i = 0; i < n; i++)
		if (!strcmp(v[i], s))
			return true;
	return false;
}

static void add(const char **v, uint32_t *n, uint32_t most, const char *s)
{
	if (s && *s && *n < most && !has(v, *n, s))
		v[(*n)++] = s;
}

/* The machine's own resolv.conf. */
static void host_dns(const struct node_settings *set, struct arena *a, struct cri_dns_config *d, bool servers)
{
	AUTO(buf) struct buf b = BUF_INIT(64 << 10);
	struct slice rest, line, word;

	if (file_read(AT_FDCWD, set->resolv_conf ? set->resolv_conf : "/etc/resolv.conf", &b) < 0)
		return;
	rest = buf_slice(&b);
	while (slice_next(&rest, '\n', &line)) {
		line = slice_trim(line);
		slice_cut(line, ' ', &word, &line);
		line = slice_trim(line);
		if (slice_is(word, "nameserver") && servers) {
			add(d->servers, &d->n_servers, MAX_SERVERS, arena_dup(a, line));
		} else if (slice_is(word, "search")) {
			while (slice_next(&line, ' ', &word))
				add(d->searches, &d->n_searches, MAX_SEARCHES, arena_dup(a, word));
		} else if (slice_is(word, "options") && servers) {
			while (slice_next(&line, ' ', &word))
				add(d->options, &d->n_options, MAX_SEARCHES, arena_dup(a, word));
		}
	}
}

static void own_dns(const struct kube_pod_dns_config *c, struct arena *a, struct cri_dns_config *d)
{
	for (uint32_t i = 0; i < c->n_nameservers; i++)
		add(d->servers, &d->n_servers, MAX_SERVERS, c->nameservers[i]);
	for (uint32_t i = 0; i < c->n_searches; i++)
		add(d->searches, &d->n_searches, MAX_SEARCHES, c->searches[i]);
	for (uint32_t i = 0; i < c->n_options; i++) {
		const struct kube_pod_dns_config_option *o = &c->options[i];
		const char *text = o->value ? arena_fmt(a, "%s:%s", o->name, o->value) : o->name;
		size_t len = strlen(o->name);
		bool replaced = false;
		for (uint32_t k = 0; k < d->n_options && !replaced; k++)
			if (!strncmp(d->options[k], o->name, len) && (!d->options[k][len] || d->options[k][len] == ':')) {
				d->options[k] = text;
				replaced = true;
			}
		if (!replaced)
			add(d->options, &d->n_options, MAX_SEARCHES, text);
	}
}

static struct cri_dns_config *dns_of(const struct config_in *in, struct arena *a)
{
	const struct kube_pod_spec *s = &in->pod->spec;
	struct cri_dns_config *d = arena_new(a, struct cri_dns_config);
	const char *policy = s->dns_policy && *s->dns_policy ? s->dns_policy : "ClusterFirst", *ns = in->pod->metadata.namespace;
	const char *domain = in->set->cluster_domain;

	if (!d)
		return NULL;
	d->servers = arena_array(a, MAX_SERVERS, sizeof *d->servers);
	d->searches = arena_array(a, MAX_SEARCHES, sizeof *d->searches);
	d->options = arena_array(a, MAX_SEARCHES, sizeof *d->options);
	if (!d->servers || !d->searches || !d->options)
		return NULL;
	bool cluster = is(policy, "ClusterFirstWithHostNet") || (is(policy, "ClusterFirst") && !s->host_network);
	if (cluster && in->set->cluster_dns && *in->set->cluster_dns) {
		add(d->servers, &d->n_servers, MAX_SERVERS, in->set->cluster_dns);
		add(d->searches, &d->n_searches, MAX_SEARCHES, arena_fmt(a, "%s.svc.%s", ns, domain));
		add(d->searches, &d->n_searches, MAX_SEARCHES, arena_fmt(a, "svc.%s", domain));
		add(d->searches, &d->n_searches, MAX_SEARCHES, domain);
		host_dns(in->set, a, d, false);
		add(d->options, &d->n_options, MAX_SEARCHES, "ndots:5");
	} else if (!is(policy, "None")) {
		host_dns(in->set, a, d, true);
	}
	if (s->dns_config)
		own_dns(s->dns_config, a, d);
	return d;
}

/* --- security ------------------------------------------------------------------------------------------------ */

static struct cri_int64_value *int_value(const int64_t *p, struct arena *a)
{
	struct cri_int64_value *v = p ? arena_new(a, struct cri_int64_value) : NULL;
	if (v)
		v->value = *p;
	return v;
}

static struct cri_namespace_option *namespaces_of(const struct kube_pod *pod, const char *target_id, struct arena *a)
{
	const struct kube_pod_spec *s = &pod->spec;
	struct cri_namespace_option *o = arena_new(a, struct cri_namespace_option);

	if (!o)
		return NULL;
	o->network = s->host_network ? CRI_NAMESPACE_MODE_NODE : CRI_NAMESPACE_MODE_POD;
	o->ipc = s->host_ipc ? CRI_NAMESPACE_MODE_NODE : CRI_NAMESPACE_MODE_POD;
	o->pid = s->host_pid ? CRI_NAMESPACE_MODE_NODE : is_true(s->share_process_namespace) ? CRI_NAMESPACE_MODE_POD : CRI_NAMESPACE_MODE_CONTAINER;
	if (target_id) {
		o->pid = CRI_NAMESPACE_MODE_TARGET;
		o->target_id = target_id;
	}
	return o;
}

static struct cri_security_profile *seccomp_of(const struct node_settings *set, const struct kube_seccomp_profile *p, struct arena *a)
{
	struct cri_security_profile *r = arena_new(a, struct cri_security_profile);

	if (!r)
		return NULL;
	r->profile_type = CRI_PROFILE_TYPE_UNCONFINED;
	if (p && is(p->type, "RuntimeDefault")) {
		r->profile_type = CRI_PROFILE_TYPE_RUNTIME_DEFAULT;
	} else if (p && is(p->type, "Localhost") && p->localhost_profile) {
		r->profile_type = CRI_PROFILE_TYPE_LOCALHOST;
		r->localhost_ref = arena_fmt(a, "%s/%s", set->seccomp_dir, p->localhost_profile);
	}
	return r;
}

static void groups_of(const struct kube_pod *pod, struct arena *a, int64_t **ret, uint32_t *n)
{
	const struct kube_pod_security_context *s = pod->spec.security_context;
	int64_t *v;

	if (!s || !(v = arena_array(a, s->n_supplemental_groups + 1, sizeof *v)))
		return;
	for (uint32_t i = 0; i < s->n_supplemental_groups; i++)
		v[(*n)++] = s->supplemental_groups[i];
	if (s->fs_group)
		v[(*n)++] = *s->fs_group;
	*ret = v;
}

static const char *const masked_paths[] = { "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
	"/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap" };
static const char *const readonly_paths[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger" };

static int check_user(const struct kube_pod *pod, const struct kube_container *c, const int64_t *user, const struct container_extra *x, struct err *e)
{
	const struct kube_security_context *s = c->security_context;
	const bool *non_root = s && s->run_as_non_root ? s->run_as_non_root : pod->spec.security_context ? pod->spec.security_context->run_as_non_root : NULL;
	struct arena a;
	int r = 0;

	if (!is_true(non_root))
		return 0;
	arena_init(&a, 64 << 10);
	const char *name = pod_full_name(pod, &a);
	if (user && *user == 0)
		r = err_set(e, EINVAL, "container's runAsUser breaks non-root policy (pod: \"%s\", container: %s)", name, c->name);
	else if (!user && x->image_username)
		r = err_set(e, EINVAL, "container has runAsNonRoot and image has non-numeric user (%s), cannot verify user is non-root (pod: \"%s\", container: %s)",
			x->image_username, name, c->name);
	else if (!user && x->image_uid == 0)
		r = err_set(e, EINVAL, "container has runAsNonRoot and image will run as root (pod: \"%s\", container: %s)", name, c->name);
	arena_release(&a);
	return r;
}

static bool drops_privileges(const struct kube_security_context *s)
{
	return s && s->allow_privilege_escalation && !*s->allow_privilege_escalation && !is_true(s->privileged);
}

static int container_security(const struct config_in *in, const struct pod_container *c, const struct container_extra *x, struct arena *a,
	struct cri_linux_container_security_context **ret, struct err *e)
{
	const struct kube_security_context *s = c->spec->security_context;
	const struct kube_pod_security_context *p = in->pod->spec.security_context;
	const int64_t *user = s && s->run_as_user ? s->run_as_user : p ? p->run_as_user : NULL;
	const int64_t *group = s && s->run_as_group ? s->run_as_group : p ? p->run_as_group : NULL;
	const struct kube_seccomp_profile *seccomp = s && s->seccomp_profile ? s->seccomp_profile : p ? p->seccomp_profile : NULL;
	struct cri_linux_container_security_context *o = arena_new(a, struct cri_linux_container_security_context);
	int r = check_user(in->pod, c->spec, user, x, e);

	if (r < 0 || !o)
		return r < 0 ? r : err_nomem(e);
	o->run_as_user = int_value(user, a);
	o->run_as_group = int_value(group, a);
	if (group && !user) {
		/* CRI takes a group only beside a user: the image's */
		if (x->image_username)
			o->run_as_username = x->image_username;
		else
			o->run_as_user = int_value(&(int64_t){ MAX(x->image_uid, 0) }, a);
	}
	o->namespace_options = namespaces_of(in->pod, x->target_id, a);
	groups_of(in->pod, a, &o->supplemental_groups, &o->n_supplemental_groups);
	o->supplemental_groups_policy = p && is(p->supplemental_groups_policy, "Strict") ? CRI_SUPPLEMENTAL_GROUPS_POLICY_STRICT : CRI_SUPPLEMENTAL_GROUPS_POLICY_MERGE;
	o->privileged = s && is_true(s->privileged);
	o->readonly_rootfs = s && is_true(s->read_only_root_filesystem);
	o->no_new_privs = drops_privileges(s);
	o->seccomp = seccomp_of(in->set, o->privileged ? NULL : seccomp, a);
	if (s && s->capabilities) {
		o->capabilities = arena_new(a, struct cri_capability);
		if (!o->capabilities)
			return err_nomem(e);
		*o->capabilities = (struct cri_capability){ .add_capabilities = s->capabilities->add, .n_add_capabilities = s->capabilities->n_add,
			.drop_capabilities = s->capabilities->drop, .n_drop_capabilities = s->capabilities->n_drop };
	}
	if (!o->privileged && !(s && is(s->proc_mount, "Unmasked"))) {
		o->masked_paths = (const char **)masked_paths;
		o->n_masked_paths = ARRAY_LEN(masked_paths);
		o->readonly_paths = (const char **)readonly_paths;
		o->n_readonly_paths = ARRAY_LEN(readonly_paths);
	}
	*ret = o;
	return 0;
}

static bool has_privileged(const struct kube_pod *pod)
{
	for (uint32_t i = 0; i < pod->spec.n_containers; i++)
		if (pod->spec.containers[i].security_context && is_true(pod->spec.containers[i].security_context->privileged))
			return true;
	for (uint32_t i = 0; i < pod->spec.n_init_containers; i++)
		if (pod->spec.init_containers[i].security_context && is_true(pod->spec.init_containers[i].security_context->privileged))
			return true;
	return false;
}

static struct cri_linux_pod_sandbox_config *sandbox_linux(const struct config_in *in, struct arena *a)
{
	const struct kube_pod_security_context *p = in->pod->spec.security_context;
	struct cri_linux_pod_sandbox_config *l = arena_new(a, struct cri_linux_pod_sandbox_config);
	struct cri_linux_sandbox_security_context *s = arena_new(a, struct cri_linux_sandbox_security_context);

	if (!l || !s)
		return NULL;
	l->cgroup_parent = config_cgroup(in->set, in->pod, a);
	l->security_context = s;
	s->namespace_options = namespaces_of(in->pod, NULL, a);
	s->privileged = has_privileged(in->pod);
	s->seccomp = seccomp_of(in->set, &(struct kube_seccomp_profile){ .type = "RuntimeDefault" }, a);
	groups_of(in->pod, a, &s->supplemental_groups, &s->n_supplemental_groups);
	if (p) {
		s->run_as_user = int_value(p->run_as_user, a);
		s->run_as_group = p->run_as_user ? int_value(p->run_as_group, a) : NULL;
		l->sysctls = arena_array(a, p->n_sysctls + 1, sizeof *l->sysctls);
		for (uint32_t i = 0; l->sysctls && i < p->n_sysctls; i++)
			l->sysctls[l->n_sysctls++] = (struct schema_pair){ p->sysctls[i].name, p->sysctls[i].value };
	}
	l->resources = arena_new(a, struct cri_linux_container_resources);
	if (!l->resources)
		return NULL;
	config_pod_resources(in->pod, l->resources);
	return l;
}

/* --- labels -------------------------------------------------------------------------------------------------- */

static int pairs(const struct schema_pair *from, uint32_t n_from, const struct schema_pair *more, uint32_t n_more, struct arena *a, struct schema_pair **ret,
	uint32_t *n)
{
	struct schema_pair *v = arena_array(a, n_from + n_more + 1, sizeof *v);

	if (!v)
		return -ENOMEM;
	for (uint32_t i = 0; i < n_from; i++)
		v[(*n)++] = from[i];
	for (uint32_t i = 0; i < n_more; i++)
		v[(*n)++] = more[i];
	*ret = v;
	return 0;
}

static int protocol_of(const char *s)
{
	return is(s, "UDP") ? CRI_PROTOCOL_UDP : is(s, "SCTP") ? CRI_PROTOCOL_SCTP : CRI_PROTOCOL_TCP;
}

static void host_ports(const struct kube_container *c, struct cri_pod_sandbox_config *ret)
{
	for (uint32_t i = 0; i < c->n_ports; i++) {
		const struct kube_container_port *p = &c->ports[i];
		if (p->host_port)
			ret->port_mappings[ret->n_port_mappings++] = (struct cri_port_mapping){ .protocol = protocol_of(p->protocol),
				.container_port = p->container_port, .host_port = p->host_port, .host_ip = p->host_ip };
	}
}

static int ports_of(const struct kube_pod *pod, struct arena *a, struct cri_pod_sandbox_config *ret)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < pod->spec.n_containers; i++)
		n += pod->spec.containers[i].n_ports;
	for (uint32_t i = 0; i < pod->spec.n_init_containers; i++)
		n += pod->spec.init_containers[i].n_ports;
	ret->port_mappings = arena_array(a, n + 1, sizeof *ret->port_mappings);
	if (!ret->port_mappings)
		return -ENOMEM;
	for (uint32_t i = 0; i < pod->spec.n_init_containers; i++)
		if (is(pod->spec.init_containers[i].restart_policy, "Always"))
			host_ports(&pod->spec.init_containers[i], ret);
	for (uint32_t i = 0; i < pod->spec.n_containers; i++)
		host_ports(&pod->spec.containers[i], ret);
	return 0;
}

int config_sandbox(const struct config_in *in, uint32_t attempt, struct arena *a, struct cri_pod_sandbox_config *ret, struct err *e)
{
	const struct kube_object_meta *m = &in->pod->metadata;
	struct schema_pair labels[] = { { "io.kubernetes.pod.name", m->name }, { "io.kubernetes.pod.namespace", m->namespace },
		{ "io.kubernetes.pod.uid", m->uid } };
	struct schema_pair notes[] = { { "kubernetes.io/config.source", "api" } };
	const char *name, *domain;

	*ret = (struct cri_pod_sandbox_config){ .metadata = arena_new(a, struct cri_pod_sandbox_metadata) };
	if (!ret->metadata)
		return err_nomem(e);
	*ret->metadata = (struct cri_pod_sandbox_metadata){ .name = m->name, .uid = m->uid, .namespace = m->namespace, .attempt = attempt };
	pod_hostname(in, a, &name, &domain);
	if (!pod_is_host_network(in->pod))
		ret->hostname = is_true(in->pod->spec.set_hostname_as_fqdn) && *domain ? arena_fmt(a, "%s.%s", name, domain) : name;
	if (ret->hostname && strlen(ret->hostname) > 64)
		return err_set(e, EINVAL, "failed to construct FQDN from pod hostname and cluster domain, FQDN %s is too long (64 characters is the max, %zu characters requested)",
			ret->hostname, strlen(ret->hostname));
	ret->log_directory = pod_log_dir(in->set, m->namespace, m->name, m->uid, a);
	ret->dns_config = dns_of(in, a);
	ret->linux = sandbox_linux(in, a);
	if (!ret->dns_config || !ret->linux || ports_of(in->pod, a, ret) < 0 ||
		pairs(m->labels, m->n_labels, labels, ARRAY_LEN(labels), a, &ret->labels, &ret->n_labels) < 0 ||
		pairs(m->annotations, m->n_annotations, notes, ARRAY_LEN(notes), a, &ret->annotations, &ret->n_annotations) < 0)
		return err_nomem(e);
	return 0;
}

static const char **expanded(const char *const *v, uint32_t n, const struct schema_pair *env, uint32_t n_env, struct arena *a)
{
	const char **r = arena_array(a, n + 1, sizeof *r);
	for (uint32_t i = 0; r && i < n; i++)
		r[i] = env_expand(a, v[i], env, n_env);
	return r;
}

static int stop_signal_of(const struct kube_container *c)
{
	static const struct { const char *name; int value; } rows[] = {
		{ "SIGTERM", CRI_SIGNAL_SIGTERM }, { "SIGKILL", CRI_SIGNAL_SIGKILL }, { "SIGINT", CRI_SIGNAL_SIGINT }, { "SIGQUIT", CRI_SIGNAL_SIGQUIT },
		{ "SIGHUP", CRI_SIGNAL_SIGHUP }, { "SIGUSR1", CRI_SIGNAL_SIGUSR1 }, { "SIGUSR2", CRI_SIGNAL_SIGUSR2 }, { "SIGWINCH", CRI_SIGNAL_SIGWINCH },
		{ "SIGABRT", CRI_SIGNAL_SIGABRT }, { "SIGALRM", CRI_SIGNAL_SIGALRM }, { "SIGCONT", CRI_SIGNAL_SIGCONT },
		{ "SIGPWR", CRI_SIGNAL_SIGPWR }, { "SIGRTMIN", CRI_SIGNAL_SIGRTMIN }, { "SIGRTMIN+3", CRI_SIGNAL_SIGRTMINPLUS3 },
		{ "SIGRTMIN+4", CRI_SIGNAL_SIGRTMINPLUS4 }, { "SIGTSTP", CRI_SIGNAL_SIGTSTP }, { "SIGSTOP", CRI_SIGNAL_SIGSTOP },
	};
	const char *s = c->lifecycle ? c->lifecycle->stop_signal : NULL;
	for (size_t i = 0; s && i < ARRAY_LEN(rows); i++)
		if (!strcmp(rows[i].name, s))
			return rows[i].value;
	return CRI_SIGNAL_RUNTIME_DEFAULT;
}

static int container_notes(const struct config_in *in, const struct pod_container *c, const struct container_extra *x, struct arena *a,
	struct cri_container_config *ret)
{
	const struct kube_object_meta *m = &in->pod->metadata;
	const struct kube_container *s = c->spec;
	char hash[9];
	plan_hash(s, hash);
	struct schema_pair labels[] = { { "io.kubernetes.container.name", s->name }, { "io.kubernetes.pod.name", m->name },
		{ "io.kubernetes.pod.namespace", m->namespace }, { "io.kubernetes.pod.uid", m->uid } };
	struct schema_pair notes[] = {
		{ "io.kubernetes.container.hash", arena_strdup(a, hash) },
		{ "io.kubernetes.container.restartCount", arena_fmt(a, "%u", x->attempt) },
		{ "io.kubernetes.container.terminationMessagePath", s->termination_message_path ? s->termination_message_path : "/dev/termination-log" },
		{ "io.kubernetes.container.terminationMessagePolicy", s->termination_message_policy ? s->termination_message_policy : "File" },
		{ "io.kubernetes.pod.terminationGracePeriod", arena_fmt(a, "%lld", (long long)(in->pod->spec.termination_grace_period_seconds ?
			*in->pod->spec.termination_grace_period_seconds : 30)) },
	};

	if (pairs(labels, ARRAY_LEN(labels), NULL, 0, a, &ret->labels, &ret->n_labels) < 0)
		return -ENOMEM;
	return pairs(notes, ARRAY_LEN(notes), NULL, 0, a, &ret->annotations, &ret->n_annotations);
}

int config_container_wait(const struct config_in *in, const struct pod_container *c, const struct container_extra *x, struct arena *a,
	struct cri_container_config *ret, struct err *e)
{
	const struct kube_container *s = c->spec;
	struct schema_pair *env;
	uint32_t n_env;
	int r = env_make_wait(in, c, a, &env, &n_env, e);

	if (r < 0)
		return r;
	*ret = (struct cri_container_config){ .metadata = arena_new(a, struct cri_container_metadata), .image = arena_new(a, struct cri_image_spec),
		.linux = arena_new(a, struct cri_linux_container_config), .envs = arena_array(a, n_env + 1, sizeof *ret->envs) };
	if (!ret->metadata || !ret->image || !ret->linux || !ret->envs)
		return err_nomem(e);
	*ret->metadata = (struct cri_container_metadata){ .name = s->name, .attempt = x->attempt };
	*ret->image = (struct cri_image_spec){ .image = x->image_ref, .user_specified_image = s->image };
	ret->command = expanded(s->command, s->n_command, env, n_env, a);
	ret->n_command = s->n_command;
	ret->args = expanded(s->args, s->n_args, env, n_env, a);
	ret->n_args = s->n_args;
	ret->working_dir = s->working_dir;
	for (uint32_t i = 0; i < n_env; i++)
		ret->envs[ret->n_envs++] = (struct cri_key_value){ env[i].key, slice_of(env[i].value ? env[i].value : "") };
	ret->mounts = (struct cri_mount *)x->mounts;
	ret->n_mounts = x->n_mounts;
	ret->log_path = arena_fmt(a, "%s/%u.log", s->name, x->attempt);
	ret->stdin_ = s->stdin_;
	ret->stdin_once = s->stdin_once;
	ret->tty = s->tty;
	ret->stop_signal = stop_signal_of(s);
	ret->linux->resources = arena_new(a, struct cri_linux_container_resources);
	if (!ret->linux->resources || !ret->command || !ret->args || !ret->log_path || container_notes(in, c, x, a, ret) < 0)
		return err_nomem(e);
	config_resources(in->set, in->pod, s, ret->linux->resources);
	return container_security(in, c, x, a, &ret->linux->security_context, e);
}
