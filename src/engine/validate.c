/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container's configuration may say, in Docker's words, and the defaults
 * the engine fills in. Numbers are checked by rows where rows can.
 */
#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <sys/sysinfo.h>

#include "base/clock.h"
#include "base/num.h"
#include "engine/caps.h"
#include "engine/engine_int.h"

#define BAD(...) return err_set(e, EINVAL, __VA_ARGS__)

static int check_health(const struct docker_healthcheck_config *h, struct err *e)
{
	if (!h)
		return 0;
	if (h->interval && h->interval < NS_PER_MS)
		BAD("Interval in Healthcheck cannot be less than 1ms");
	if (h->timeout && h->timeout < NS_PER_MS)
		BAD("Timeout in Healthcheck cannot be less than 1ms");
	if (h->retries < 0)
		BAD("Retries in Healthcheck cannot be negative");
	if (h->start_period && h->start_period < NS_PER_MS)
		BAD("StartPeriod in Healthcheck cannot be less than 1ms");
	if (h->start_interval && h->start_interval < NS_PER_MS)
		BAD("StartInterval in Healthcheck cannot be less than 1ms");
	return 0;
}

static int check_restart(const struct docker_restart_policy *p, struct err *e)
{
	const char *n = p->name ? p->name : "";
	int64_t most = p->maximum_retry_count;
	if (!*n)
		return 0;
	if (!strcmp(n, "on-failure")) {
		if (most < 0)
			BAD("invalid restart policy: maximum retry count cannot be negative");
		return 0;
	}
	if (strcmp(n, "always") && strcmp(n, "no") && strcmp(n, "unless-stopped"))
		BAD("invalid restart policy: unknown policy '%s'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'", n);
	if (most)
		BAD("invalid restart policy: maximum retry count can only be used with 'on-failure'%s", most < 0 ? " and cannot be negative" : "");
	return 0;
}

static int check_caps(const char *const *v, uint32_t n, const char *what, struct err *e)
{
	char bad[64];
	for (uint32_t i = 0; i < n; i++)
		if (!cap_normal(v[i], bad))
			BAD("invalid %s: unknown capability: \"%s\"", what, bad);
	return 0;
}

static int check_mode(const char *m, const char *what, const char *const *known, bool container_ok, struct err *e)
{
	if (!m || !*m)
		return 0;
	for (; *known; known++)
		if (!strcmp(*known, m))
			return 0;
	if (container_ok && !strncmp(m, "container:", 10) && m[10])
		return 0;
	BAD("invalid %s: %s", what, m);
}

static int check_port_key(const char *key, struct err *e)
{
	uint16_t port;
	enum net_proto proto;
	if (port_spec_parse(key, &port, &proto) < 0)
		BAD("invalid port specification: \"%s\"", key);
	return 0;
}

static int check_host_port(const char *s, struct err *e)
{
	struct slice first, last;
	int64_t a, b;
	if (!s || !*s)
		return 0;
	bool range = slice_cut(slice_of(s), '-', &first, &last);
	if (num_parse_i64(first, 0, 65535, &a) < 0 || (range && (num_parse_i64(last, 0, 65535, &b) < 0 || b < a)))
		BAD("invalid port specification: \"%s\"", s);
	return 0;
}

static int check_ports(const struct docker_host_config *h, struct err *e)
{
	for (uint32_t i = 0; i < h->n_port_bindings; i++) {
		int r = check_port_key(h->port_bindings[i].key, e);
		for (uint32_t k = 0; r == 0 && k < h->port_bindings[i].n_value; k++)
			r = check_host_port(h->port_bindings[i].value[k].host_port, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int validate_config(struct engine *eng, struct docker_container_config *c, struct docker_host_config *h, struct arena *a, struct err *e)
{
	if (c->working_dir && *c->working_dir) {
		char *clean = arena_alloc(a, strlen(c->working_dir) + 2);
		if (!clean)
			return err_nomem(e);
		if (*c->working_dir != '/')
			BAD("the working directory '%s' is invalid, it needs to be an absolute path", c->working_dir);
	}
	for (uint32_t i = 0; i < c->n_env; i++)
		if (!*c->env[i] || *c->env[i] == '=')
			BAD("invalid environment variable: %s", c->env[i]);
	int r = check_health(c->healthcheck, e);
	if (r < 0)
		return r;
	if (c->stop_signal && *c->stop_signal) {
		int sig;
		if (signal_parse(c->stop_signal, &sig) < 0)
			BAD("invalid signal: %s", c->stop_signal);
	}
	for (uint32_t i = 0; i < c->n_exposed_ports; i++) {
		r = check_port_key(c->exposed_ports[i].key, e);
		if (r < 0)
			return r;
	}
	if (c->hostname && *c->hostname) {
		size_t n = strlen(c->hostname);
		if (n > 64)
			BAD("invalid hostname: %s", c->hostname);
		if (str_is(h->uts_mode, "host"))
			BAD("conflicting options: hostname and the UTS mode");
	}
	return 0;
}

/* --- numbers of the host configuration */
static int check_cpuset(const char *s, bool *out_of_range, unsigned most)
{
	struct slice rest = slice_of(s), one;
	*out_of_range = false;
	while (slice_next(&rest, ',', &one)) {
		struct slice first, last;
		int64_t a, b;
		bool range = slice_cut(one, '-', &first, &last);
		if (num_parse_i64(first, 0, 100000, &a) < 0 || (range && num_parse_i64(last, 0, 100000, &b) < 0))
			return -EINVAL;
		if (!range)
			b = a;
		if (b < a)
			return -EINVAL;
		if (b >= most)
			*out_of_range = true;
	}
	return 0;
}

static int check_memory(struct docker_host_config *h, bool is_update, struct arena *a, const char ***w, uint32_t *n_w, struct err *e)
{
	const int64_t least = 6 * 1024 * 1024;
	if (h->memory && h->memory < least)
		BAD("Minimum memory limit allowed is 6MB");
	if (h->memory > 0 && h->memory_swap > 0 && h->memory_swap < h->memory)
		BAD("Minimum memoryswap limit should be larger than memory limit, see usage");
	if (!h->memory && h->memory_swap > 0 && !is_update)
		BAD("You should always set the Memory limit when using Memoryswap limit, see usage");
	if (h->memory_swappiness && *h->memory_swappiness != -1 && (*h->memory_swappiness < 0 || *h->memory_swappiness > 100))
		BAD("Invalid value: %lld, valid memory swappiness range is 0-100", (long long)*h->memory_swappiness);
	if (h->memory_reservation > 0 && h->memory_reservation < least)
		BAD("Minimum memory reservation allowed is 6MB");
	if (h->memory > 0 && h->memory_reservation > 0 && h->memory < h->memory_reservation)
		BAD("Minimum memory limit can not be less than memory reservation limit, see usage");
	if (h->oom_kill_disable && *h->oom_kill_disable && !h->memory)
		return strings_push(a, w, n_w, "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.");
	return 0;
}

static int check_cpu(const struct docker_host_config *h, struct err *e)
{
	int n = get_nprocs();
	if (h->nano_cpus > 0 && h->cpu_period > 0)
		BAD("Conflicting options: Nano CPUs and CPU Period cannot both be set.");
	if (h->nano_cpus > 0 && h->cpu_quota > 0)
		BAD("Conflicting options: Nano CPUs and CPU Quota cannot both be set.");
	if (h->nano_cpus < 0 || h->nano_cpus > n * 1000000000LL)
		BAD("range of CPUs is from 0.01 to %d.00, as there are only %d CPUs available", n, n);
	if (h->cpu_period && (h->cpu_period < 1000 || h->cpu_period > 1000000))
		BAD("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
	if (h->cpu_quota > 0 && h->cpu_quota < 1000)
		BAD("CPU cfs quota can not be less than 1ms (i.e. 1000)");
	if (h->cpu_shares < 0)
		BAD("shares must be greater than 0");
	bool outside;
	if (h->cpuset_cpus && *h->cpuset_cpus) {
		if (check_cpuset(h->cpuset_cpus, &outside, (unsigned)get_nprocs_conf()) < 0)
			BAD("Invalid value %s for cpuset cpus", h->cpuset_cpus);
		if (outside)
			BAD("Requested CPUs are not available - requested %s, available: 0-%d", h->cpuset_cpus, get_nprocs_conf() - 1);
	}
	if (h->cpuset_mems && *h->cpuset_mems) {
		if (check_cpuset(h->cpuset_mems, &outside, 1024) < 0)
			BAD("Invalid value %s for cpuset mems", h->cpuset_mems);
		if (outside)
			BAD("Requested memory nodes are not available - requested %s, available: 0", h->cpuset_mems);
	}
	return 0;
}

static int check_io(const struct docker_host_config *h, struct err *e)
{
	if (h->blkio_weight && (h->blkio_weight < 10 || h->blkio_weight > 1000))
		BAD("Range of blkio weight is from 10 to 1000");
	if (h->io_maximum_bandwidth || h->io_maximum_iops)
		BAD("Invalid QoS settings: linux does not support Maximum IO Bandwidth or Maximum IO IOps");
	const struct { const struct docker_throttle_device *v; uint32_t n; } lists[] = {
		{ h->blkio_device_read_bps, h->n_blkio_device_read_bps }, { h->blkio_device_write_bps, h->n_blkio_device_write_bps },
		{ h->blkio_device_read_iops, h->n_blkio_device_read_iops }, { h->blkio_device_write_iops, h->n_blkio_device_write_iops },
	};
	for (size_t l = 0; l < ARRAY_LEN(lists); l++)
		for (uint32_t i = 0; i < lists[l].n; i++)
			if (!lists[l].v[i].path || *lists[l].v[i].path != '/')
				BAD("bad format for device path: %s", str_or(lists[l].v[i].path, ""));
	return 0;
}

static const char *const ulimit_names[] = { "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss",
	"rtprio", "rttime", "sigpending", "stack", NULL };

static int check_lists(const struct docker_host_config *h, struct err *e)
{
	for (uint32_t i = 0; i < h->n_ulimits; i++) {
		const struct docker_ulimit *u = &h->ulimits[i];
		const char *const *k = ulimit_names;
		while (*k && !str_is(u->name, *k))
			k++;
		if (!*k)
			BAD("invalid ulimit type: %s", str_or(u->name, ""));
		if (u->hard != -1 && (u->soft == -1 || u->soft > u->hard))
			BAD("ulimit soft limit must be less than or equal to hard limit: %lld > %lld", (long long)u->soft, (long long)u->hard);
	}
	for (uint32_t i = 0; i < h->n_devices; i++) {
		const struct docker_device_mapping *d = &h->devices[i];
		for (const char *s = d->cgroup_permissions ? d->cgroup_permissions : ""; *s; s++)
			if (!strchr("rwm", *s))
				BAD("invalid device mode: %s", d->cgroup_permissions);
	}
	for (uint32_t i = 0; i < h->n_extra_hosts; i++) {
		const char *x = h->extra_hosts[i], *colon = strchr(x, ':');
		if (!colon || colon == x || !colon[1])
			BAD("bad format for add-host: \"%s\"", x);
	}
	for (uint32_t i = 0; i < h->n_annotations; i++)
		if (!*h->annotations[i].key)
			BAD("invalid Annotations: the empty string is not permitted as an annotation key");
	for (uint32_t i = 0; i < h->n_sysctls; i++)
		if (!*h->sysctls[i].key)
			BAD("sysctl '' is not whitelisted");
	for (uint32_t i = 0; i < h->n_dns; i++)
		if (!h->dns[i] || strspn(h->dns[i], "0123456789abcdefABCDEF.:") != strlen(h->dns[i]) || !*h->dns[i])
			BAD("bad nameserver address %s", str_or(h->dns[i], ""));
	for (uint32_t i = 0; i < h->n_storage_opt; i++)
		BAD("--storage-opt is supported only for overlay over xfs with 'pquota' mount option");
	return 0;
}

static int check_log(const struct engine *eng, const struct docker_log_config *l, struct err *e)
{
	static const char *const drivers[] = { "json-file", "local", "none", "journald", "syslog", NULL };
	static const char *const options[] = { "max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex", "tag", "mode",
		"max-buffer-size", "cache-disabled", "cache-max-size", "cache-max-file", "cache-compress", NULL };
	const char *type = str_or(l->type, "json-file");
	const char *const *k = drivers;
	while (*k && strcmp(*k, type))
		k++;
	if (!*k)
		BAD("logger: no log driver named '%s' is registered", type);
	if (!strcmp(type, "journald") || !strcmp(type, "syslog"))
		return err_set(e, EINVAL, "logger: the log driver '%s' is not available here; use json-file, local or none", type);
	const char *mode = schema_pair_get(l->config, l->n_config, "mode");
	if (mode && strcmp(mode, "blocking") && strcmp(mode, "non-blocking"))
		BAD("logger: logging mode not supported: %s", mode);
	if (schema_pair_get(l->config, l->n_config, "max-buffer-size") && !str_is(mode, "non-blocking"))
		BAD("logger: max-buffer-size option is only supported with 'mode=non-blocking'");
	for (uint32_t i = 0; i < l->n_config; i++) {
		const char *key = l->config[i].key, *value = str_or(l->config[i].value, "");
		int64_t n;
		const char *const *o = options;
		while (*o && strcmp(*o, key))
			o++;
		if (!*o)
			BAD("unknown log opt '%s' for %s log driver", key, type);
		if (!strcmp(key, "max-size") && strcmp(value, "-1") && num_parse_bytes(slice_of(value), &n) < 0)
			BAD("invalid size: '%s'", value);
		if (!strcmp(key, "max-file") && num_parse_i64(slice_of(value), 1, 100000, &n) < 0)
			BAD("max-file cannot be less than 1");
	}
	if (!schema_pair_get(l->config, l->n_config, "max-size") && str_is(schema_pair_get(l->config, l->n_config, "compress"), "true") &&
	    !strcmp(type, "json-file"))
		BAD("compress cannot be true when max-file is less than 2 or max-size is not set");
	return 0;
}

static int check_security(const struct docker_host_config *h, struct err *e)
{
	static const char *const keys[] = { "label", "apparmor", "seccomp", "no-new-privileges", "writable-cgroups", "systempaths", NULL };
	for (uint32_t i = 0; i < h->n_security_opt; i++) {
		const char *o = h->security_opt[i];
		if (!strcmp(o, "no-new-privileges") || !strcmp(o, "disable"))
			continue;
		size_t n = strcspn(o, "=:");
		const char *const *k = keys;
		while (*k && (strlen(*k) != n || strncmp(*k, o, n)))
			k++;
		if (!o[n] || !*k)
			BAD("invalid --security-opt 2: \"%s\"", o);
		if (!strncmp(o, "no-new-privileges", 17) && strcmp(o + n + 1, "true") && strcmp(o + n + 1, "false"))
			BAD("invalid --security-opt 2: \"%s\"", o);
	}
	return 0;
}

static int check_modes(struct engine *eng, const struct docker_host_config *h, struct err *e)
{
	static const char *const pid[] = { "host", NULL }, *const ipc[] = { "host", "none", "private", "shareable", NULL },
		*const uts[] = { "host", NULL }, *const userns[] = { "host", NULL }, *const cgroupns[] = { "host", "private", NULL };
	int r = check_mode(h->pid_mode, "PID mode", pid, true, e);
	if (r == 0)
		r = check_mode(h->ipc_mode, "IPC mode", ipc, true, e);
	if (r == 0)
		r = check_mode(h->uts_mode, "UTS mode", uts, false, e);
	if (r == 0)
		r = check_mode(h->userns_mode, "user namespace mode", userns, false, e);
	if (r == 0)
		r = check_mode(h->cgroupns_mode, "cgroup namespace mode", cgroupns, false, e);
	if (r == 0 && eng->config.userns_remap && !str_is(h->userns_mode, "host")) {
		if (h->privileged)
			BAD("privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode");
		if (str_is(h->network_mode, "host"))
			BAD("cannot share the host's network namespace when user namespaces are enabled");
		if (str_is(h->pid_mode, "host"))
			BAD("cannot share the host PID namespace when user namespaces are enabled");
	}
	return r;
}

int validate_host(struct engine *eng, struct docker_host_config *h, bool is_update, struct arena *a, const char ***warnings, uint32_t *n_warnings,
		  struct err *e)
{
	int r = check_memory(h, is_update, a, warnings, n_warnings, e);
	if (r == 0)
		r = check_cpu(h, e);
	if (r == 0)
		r = check_io(h, e);
	if (r == 0)
		r = check_restart(&h->restart_policy, e);
	if (r < 0 || is_update)
		return r;
	if (h->auto_remove && h->restart_policy.name && *h->restart_policy.name && strcmp(h->restart_policy.name, "no"))
		BAD("can't create 'AutoRemove' container with restart policy");
	if (h->shm_size < 0)
		BAD("SHM size can not be less than 0");
	if (h->oom_score_adj < -1000 || h->oom_score_adj > 1000)
		BAD("Invalid value %lld, range for oom score adj is [-1000, 1000]", (long long)h->oom_score_adj);
	if (h->isolation && *h->isolation && strcmp(h->isolation, "default"))
		BAD("invalid isolation '%s' on linux", h->isolation);
	if (h->runtime && *h->runtime && strcmp(h->runtime, "runc") && strcmp(h->runtime, "coracle") && strcmp(h->runtime, "io.containerd.runc.v2"))
		BAD("unknown or invalid runtime name: %s", h->runtime);
	if (h->n_device_requests)
		return err_set(e, EINVAL, "could not select device driver \"%s\" with capabilities: []", str_or(h->device_requests[0].driver, ""));
	r = check_caps(h->cap_add, h->n_cap_add, "CapAdd", e);
	if (r == 0)
		r = check_caps(h->cap_drop, h->n_cap_drop, "CapDrop", e);
	if (r == 0)
		r = check_modes(eng, h, e);
	if (r == 0)
		r = check_ports(h, e);
	if (r == 0)
		r = check_lists(h, e);
	if (r == 0)
		r = check_log(eng, &h->log_config, e);
	return r == 0 ? check_security(h, e) : r;
}
