/* SPDX-License-Identifier: Apache-2.0 */
/* Flags of run and create -> API message. See create.h. */
#include "cli/create.h"
#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include "base/fd.h"
#include "base/path.h"
#include "cli/config.h"
#include "cli/mount.h"
#include "cli/ports.h"
#include "cli/spec.h"
#include "cli/text.h"
#include "schema/tree.h"

#define LIST(name, where, field) text_list(flag_list(&c->f, name), &(where)->field, &(where)->n_##field)
#define NEW(n, T) ((T *)arena_array(&c->arena, (n) ? (n) : 1, sizeof(T)))

static int64_t *number_or_null(struct cli *c, const char *flag)
{
	int64_t *p = flag_changed(&c->f, flag) ? NEW(1, int64_t) : NULL;
	if (p)
		*p = flag_num(&c->f, flag);
	return p;
}

static const char *text_or_null(struct cli *c, const char *flag)
{
	const char *s = flag_str(&c->f, flag);
	return *s ? s : NULL;
}

static int pairs(struct cli *c, const char *flag, struct schema_pair **v, uint32_t *n)
{
	const struct flag_value *f = flag_list(&c->f, flag);

	for (size_t i = 0; i < f->n; i++)
		if (pair_add(&c->arena, v, n, f->v[i]) < 0)
			return -ENOMEM;
	if (!*v)
		*v = NEW(1, struct schema_pair);
	return 0;
}

/* --- process ------------------------------------------------------------------- */

static bool attach_has(struct cli *c, const char *stream)
{
	const struct flag_value *f = flag_list(&c->f, "attach");

	for (size_t i = 0; i < f->n; i++)
		if (strcasecmp(f->v[i], stream) == 0)
			return true;
	return false;
}

static void fill_streams(struct cli *c, struct docker_container_create *b)
{
	bool stdin_open = flag_bool(&c->f, "interactive");

	b->attach_stdin = attach_has(c, "stdin");
	b->attach_stdout = attach_has(c, "stdout");
	b->attach_stderr = attach_has(c, "stderr");
	if (!flag_list(&c->f, "attach")->n) {
		b->attach_stdout = b->attach_stderr = true;
		b->attach_stdin = stdin_open;
	}
	b->tty = flag_bool(&c->f, "tty");
	b->open_stdin = stdin_open;
	b->stdin_once = stdin_open && b->attach_stdin;
}

static int fill_labels(struct cli *c, struct docker_container_create *b, struct err *e)
{
	const struct flag_value *files = flag_list(&c->f, "label-file");
	int r;

	for (size_t i = 0; i < files->n; i++) {
		const char **lines = NULL;
		uint32_t n = 0;
		if ((r = text_file(&c->arena, files->v[i], false, &lines, &n, e)) < 0)
			return r;
		for (uint32_t k = 0; k < n; k++)
			pair_add(&c->arena, &b->labels, &b->n_labels, lines[k]);
	}
	return pairs(c, "label", &b->labels, &b->n_labels) < 0 ? err_nomem(e) : 0;
}

static int fill_health(struct cli *c, struct docker_container_create *b, struct err *e)
{
	static const char *const names[] = { "health-cmd", "health-interval", "health-timeout", "health-start-period", "health-start-interval",
					     "health-retries" };
	struct docker_healthcheck_config *h = NEW(1, struct docker_healthcheck_config);
	bool any = false;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		any |= *flag_str(&c->f, names[i]) && strcmp(flag_str(&c->f, names[i]), "0s") != 0 && strcmp(flag_str(&c->f, names[i]), "0") != 0;
	if (flag_bool(&c->f, "no-healthcheck")) {
		if (any)
			return err_set(e, EINVAL, "--no-healthcheck conflicts with --health-* options");
		b->healthcheck = h;
		return text_add(&c->arena, &h->test, &h->n_test, "NONE") < 0 ? err_nomem(e) : 0;
	}
	if (!any)
		return 0;
	const char *cmd = flag_str(&c->f, "health-cmd");
	if (*cmd && (text_add(&c->arena, &h->test, &h->n_test, "CMD-SHELL") < 0 || text_add(&c->arena, &h->test, &h->n_test, cmd) < 0))
		return err_nomem(e);
	h->interval = flag_num(&c->f, "health-interval");
	h->timeout = flag_num(&c->f, "health-timeout");
	h->start_period = flag_num(&c->f, "health-start-period");
	h->start_interval = flag_num(&c->f, "health-start-interval");
	h->retries = flag_num(&c->f, "health-retries");
	if (h->interval < 0)
		return err_set(e, EINVAL, "--health-interval cannot be negative");
	if (h->timeout < 0)
		return err_set(e, EINVAL, "--health-timeout cannot be negative");
	if (h->retries < 0)
		return err_set(e, EINVAL, "--health-retries cannot be negative");
	if (h->start_period < 0)
		return err_set(e, EINVAL, "--health-start-period cannot be negative");
	b->healthcheck = h;
	return 0;
}

static int fill_process(struct cli *c, struct create *x, struct err *e)
{
	struct docker_container_create *b = &x->body;
	int r;

	fill_streams(c, b);
	b->image = x->image;
	b->hostname = flag_str(&c->f, "hostname");
	b->domainname = flag_str(&c->f, "domainname");
	b->user = flag_str(&c->f, "user");
	b->working_dir = flag_str(&c->f, "workdir");
	b->stop_signal = text_or_null(c, "stop-signal");
	b->stop_timeout = number_or_null(c, "stop-timeout");
	if (c->f.argc > 1) {
		b->cmd = c->f.argv + 1;
		b->n_cmd = (uint32_t)c->f.argc - 1;
	}
	if (flag_changed(&c->f, "entrypoint") && text_add(&c->arena, &b->entrypoint, &b->n_entrypoint, flag_str(&c->f, "entrypoint")) < 0)
		return err_nomem(e);
	if ((r = text_env(&c->arena, &c->f, &b->env, &b->n_env, e)) < 0 || (r = fill_labels(c, b, e)) < 0)
		return r;
	return fill_health(c, b, e);
}

/* --- files --------------------------------------------------------------------- */

static int fill_volumes(struct cli *c, struct create *x, struct err *e)
{
	const struct flag_value *f = flag_list(&c->f, "volume"), *tmpfs = flag_list(&c->f, "tmpfs"), *mounts = flag_list(&c->f, "mount");
	char full[PATH_MAX];

	x->body.volumes = NEW(f->n, struct docker_empty_entry);
	for (size_t i = 0; i < f->n; i++) {
		const char *v = f->v[i];
		char *colon = strchr(v, ':');
		if (!*v || v[0] == ':' || strstr(v, "::"))
			return err_set(e, EINVAL, "invalid spec: %s: empty section between colons", *v ? v : "");
		if (!colon) {
			x->body.volumes[x->body.n_volumes++].key = v;
			continue;
		}
		if (v[0] == '.' || v[0] == '~') {
			const char *source = arena_dup(&c->arena, slice_n(v, (size_t)(colon - v)));
			if (v[0] == '.') {
				/* a relative source is relative to us; it may not exist yet */
				char here[PATH_MAX], *joined;
				if (!realpath(source, full)) {
					joined = getcwd(here, sizeof here) ? (char *)cli_fmt(c, "%s/%s", here, source) : (char *)source;
					path_clean(full, joined);
				}
				v = cli_fmt(c, "%s%s", full, colon);
			}
		}
		if (text_add(&c->arena, &x->host.binds, &x->host.n_binds, v) < 0)
			return err_nomem(e);
	}
	for (size_t i = 0; i < tmpfs->n; i++) {
		struct slice path, options;
		slice_cut(slice_of(tmpfs->v[i]), ':', &path, &options);
		pair_set(&c->arena, &x->host.tmpfs, &x->host.n_tmpfs, arena_dup(&c->arena, path), arena_dup(&c->arena, options));
	}
	if (mounts->n)
		x->host.mounts = NEW(mounts->n, struct docker_mount);
	for (size_t i = 0; i < mounts->n; i++)
		if (mount_parse(&c->arena, mounts->v[i], &x->host.mounts[x->host.n_mounts++], e) < 0)
			return -EINVAL;
	LIST("volumes-from", &x->host, volumes_from);
	x->host.volume_driver = flag_str(&c->f, "volume-driver");
	x->host.readonly_rootfs = flag_bool(&c->f, "read-only");
	x->host.shm_size = flag_num(&c->f, "shm-size");
	if (flag_list(&c->f, "storage-opt")->n)
		pairs(c, "storage-opt", &x->host.storage_opt, &x->host.n_storage_opt);
	return 0;
}

/* --- network ------------------------------------------------------------------- */

static int fill_ports(struct cli *c, struct create *x, struct err *e)
{
	const struct flag_value *publish = flag_list(&c->f, "publish"), *expose = flag_list(&c->f, "expose");
	struct ports p = { 0 };

	for (size_t i = 0; i < publish->n; i++) {
		const char *spec = publish->v[i];
		/* the long form is turned into the short one */
		if (strchr(spec, '=')) {
			const char *field, *target = "", *published = "", *protocol = "tcp";
			while (csv_next(&c->arena, &spec, &field)) {
				const char *value = strchr(field, '=');
				if (!value)
					return err_set(e, EINVAL, "invalid field: %s", field);
				if (!strncmp(field, "target=", 7))
					target = value + 1;
				else if (!strncmp(field, "published=", 10))
					published = value + 1;
				else if (!strncmp(field, "protocol=", 9))
					protocol = value + 1;
				else if (strncmp(field, "mode=", 5))
					return err_set(e, EINVAL, "invalid field key: %.*s", (int)(value - field), field);
			}
			spec = cli_fmt(c, "%s:%s/%s", published, target, protocol);
		}
		if (ports_publish(&c->arena, &p, spec, e) < 0)
			return -EINVAL;
	}
	for (size_t i = 0; i < expose->n; i++)
		if (ports_expose(&c->arena, &p, expose->v[i], e) < 0)
			return -EINVAL;
	x->body.exposed_ports = p.exposed;
	x->body.n_exposed_ports = p.n_exposed;
	x->host.port_bindings = p.bindings ? p.bindings : NEW(1, struct docker_port_binding_list_entry);
	x->host.n_port_bindings = p.n_bindings;
	x->host.publish_all_ports = flag_bool(&c->f, "publish-all");
	return 0;
}

/* name=…,alias=…,ip=… */
static int parse_network(struct cli *c, const char *spec, struct docker_endpoint_settings_entry *n, struct err *e)
{
	const char *field;

	if (!strchr(spec, '=')) {
		n->key = spec;
		return 0;
	}
	while (csv_next(&c->arena, &spec, &field)) {
		char *value = strchr(field, '=');
		struct docker_endpoint_settings *s = &n->value;
		if (!value)
			return err_set(e, EINVAL, "invalid field %s", field);
		*value++ = 0;
		if (!s->ipam_config && strstr("ip ip6 link-local-ip", field))
			s->ipam_config = NEW(1, struct docker_endpoint_ipam);
		if (!strcmp(field, "name"))
			n->key = value;
		else if (!strcmp(field, "alias"))
			text_add(&c->arena, &s->aliases, &s->n_aliases, value);
		else if (!strcmp(field, "ip"))
			s->ipam_config->ipv4_address = value;
		else if (!strcmp(field, "ip6"))
			s->ipam_config->ipv6_address = value;
		else if (!strcmp(field, "mac-address"))
			s->mac_address = value;
		else if (!strcmp(field, "link-local-ip"))
			text_add(&c->arena, &s->ipam_config->link_local_ips, &s->ipam_config->n_link_local_ips, value);
		else if (!strcmp(field, "driver-opt"))
			pair_add(&c->arena, &s->driver_opts, &s->n_driver_opts, value);
		else if (!strcmp(field, "gw-priority"))
			s->gw_priority = strtoll(value, NULL, 10);
		else
			return err_set(e, EINVAL, "invalid field key %s", field);
	}
	return n->key ? 0 : err_set(e, EINVAL, "network name/id is not specified");
}

static bool user_defined(const char *mode)
{
	return *mode && strcmp(mode, "default") && strcmp(mode, "bridge") && strcmp(mode, "host") && strcmp(mode, "none") &&
	       strncmp(mode, "container:", 10);
}

static void add_values(struct cli *c, const char *flag, const char ***v, uint32_t *n)
{
	const struct flag_value *f = flag_list(&c->f, flag);
	for (size_t i = 0; i < f->n; i++)
		text_add(&c->arena, v, n, f->v[i]);
}

/* The old single flags apply to the first network. */
static void network_flags(struct cli *c, struct docker_endpoint_settings_entry *first)
{
	struct docker_endpoint_settings *s = &first->value;
	const char *ip = flag_str(&c->f, "ip"), *ip6 = flag_str(&c->f, "ip6");

	add_values(c, "network-alias", &s->aliases, &s->n_aliases);
	add_values(c, "net-alias", &s->aliases, &s->n_aliases);
	if (user_defined(first->key))
		add_values(c, "link", &s->links, &s->n_links);
	if (!s->ipam_config && (*ip || *ip6 || flag_list(&c->f, "link-local-ip")->n))
		s->ipam_config = NEW(1, struct docker_endpoint_ipam);
	if (*ip)
		s->ipam_config->ipv4_address = ip;
	if (*ip6)
		s->ipam_config->ipv6_address = ip6;
	if (s->ipam_config)
		add_values(c, "link-local-ip", &s->ipam_config->link_local_ips, &s->ipam_config->n_link_local_ips);
	if (*flag_str(&c->f, "mac-address"))
		s->mac_address = flag_str(&c->f, "mac-address");
}

static int fill_networks(struct cli *c, struct create *x, struct err *e)
{
	const struct flag_value *a = flag_list(&c->f, "network"), *b = flag_list(&c->f, "net");
	size_t n = a->n + b->n;
	struct docker_endpoint_settings_entry *v = NEW(n + 1, struct docker_endpoint_settings_entry);

	for (size_t i = 0; i < n; i++)
		if (parse_network(c, i < a->n ? a->v[i] : b->v[i - a->n], &v[i], e) < 0)
			return -EINVAL;
	if (!n)
		v[n++].key = "default";
	network_flags(c, &v[0]);
	x->host.network_mode = v[0].key;
	x->networks.endpoints_config = v;
	x->networks.n_endpoints_config = (uint32_t)n;
	if (!strncmp(v[0].key, "container:", 10))
		x->networks.n_endpoints_config = 0;
	LIST("dns", &x->host, dns);
	LIST("dns-option", &x->host, dns_options);
	add_values(c, "dns-opt", &x->host.dns_options, &x->host.n_dns_options);
	LIST("dns-search", &x->host, dns_search);
	if (!x->host.dns)
		x->host.dns = NEW(1, const char *);
	if (!x->host.dns_options)
		x->host.dns_options = NEW(1, const char *);
	if (!x->host.dns_search)
		x->host.dns_search = NEW(1, const char *);
	LIST("add-host", &x->host, extra_hosts);
	for (uint32_t i = 0; i < x->host.n_extra_hosts; i++) {
		/* name=address is another way to write name:address */
		char *eq = strchr(x->host.extra_hosts[i], '=');
		if (eq)
			x->host.extra_hosts[i] = cli_fmt(c, "%.*s:%s", (int)(eq - x->host.extra_hosts[i]), x->host.extra_hosts[i], eq + 1);
	}
	LIST("link", &x->host, links);
	return fill_ports(c, x, e);
}

/* --- limits and rights --------------------------------------------------------- */

static int fill_devices(struct cli *c, struct docker_host_config *h, struct err *e)
{
	const struct flag_value *f = flag_list(&c->f, "device");
	int r;

	h->devices = NEW(f->n, struct docker_device_mapping);
	for (size_t i = 0; i < f->n; i++)
		if ((r = spec_device(&c->arena, f->v[i], &h->devices[h->n_devices++], e)) < 0)
			return r;
	LIST("device-cgroup-rule", h, device_cgroup_rules);
	f = flag_list(&c->f, "gpus");
	if (f->n)
		h->device_requests = NEW(f->n, struct docker_device_request);
	for (size_t i = 0; i < f->n; i++)
		if ((r = spec_gpus(&c->arena, f->v[i], &h->device_requests[h->n_device_requests++], e)) < 0)
			return r;
	return 0;
}

static int throttles(struct cli *c, const char *flag, bool bytes, struct docker_throttle_device **v, uint32_t *n, struct err *e)
{
	const struct flag_value *f = flag_list(&c->f, flag);

	*v = NEW(f->n, struct docker_throttle_device);
	for (size_t i = 0; i < f->n; i++)
		if (spec_throttle(&c->arena, f->v[i], bytes, &(*v)[(*n)++], e) < 0)
			return -EINVAL;
	return 0;
}

static int fill_block_io(struct cli *c, struct docker_host_config *h, struct err *e)
{
	const struct flag_value *f = flag_list(&c->f, "blkio-weight-device");

	h->blkio_weight = (uint16_t)flag_num(&c->f, "blkio-weight");
	h->blkio_weight_device = NEW(f->n, struct docker_weight_device);
	for (size_t i = 0; i < f->n; i++)
		if (spec_weight(&c->arena, f->v[i], &h->blkio_weight_device[h->n_blkio_weight_device++], e) < 0)
			return -EINVAL;
	if (throttles(c, "device-read-bps", true, &h->blkio_device_read_bps, &h->n_blkio_device_read_bps, e) < 0 ||
	    throttles(c, "device-write-bps", true, &h->blkio_device_write_bps, &h->n_blkio_device_write_bps, e) < 0 ||
	    throttles(c, "device-read-iops", false, &h->blkio_device_read_iops, &h->n_blkio_device_read_iops, e) < 0 ||
	    throttles(c, "device-write-iops", false, &h->blkio_device_write_iops, &h->n_blkio_device_write_iops, e) < 0)
		return -EINVAL;
	return 0;
}

static void fill_limits(struct cli *c, struct docker_host_config *h)
{
	h->cpu_shares = flag_num(&c->f, "cpu-shares");
	h->cpu_period = flag_num(&c->f, "cpu-period");
	h->cpu_quota = flag_num(&c->f, "cpu-quota");
	h->cpu_realtime_period = flag_num(&c->f, "cpu-rt-period");
	h->cpu_realtime_runtime = flag_num(&c->f, "cpu-rt-runtime");
	h->cpuset_cpus = flag_str(&c->f, "cpuset-cpus");
	h->cpuset_mems = flag_str(&c->f, "cpuset-mems");
	h->nano_cpus = flag_num(&c->f, "cpus");
	h->cpu_count = flag_num(&c->f, "cpu-count");
	h->cpu_percent = flag_num(&c->f, "cpu-percent");
	h->io_maximum_iops = (uint64_t)flag_num(&c->f, "io-maxiops");
	h->io_maximum_bandwidth = (uint64_t)flag_num(&c->f, "io-maxbandwidth");
	h->memory = flag_num(&c->f, "memory");
	h->memory_swap = flag_num(&c->f, "memory-swap");
	h->memory_reservation = flag_num(&c->f, "memory-reservation");
	h->kernel_memory = flag_num(&c->f, "kernel-memory");
	h->memory_swappiness = NEW(1, int64_t);
	*h->memory_swappiness = flag_num(&c->f, "memory-swappiness");
	h->oom_kill_disable = NEW(1, bool);
	*h->oom_kill_disable = flag_bool(&c->f, "oom-kill-disable");
	h->oom_score_adj = flag_num(&c->f, "oom-score-adj");
	h->pids_limit = NEW(1, int64_t);
	*h->pids_limit = flag_num(&c->f, "pids-limit");
	h->cgroup_parent = flag_str(&c->f, "cgroup-parent");
}

static int security_option(struct cli *c, struct docker_host_config *h, const char *text, struct err *e)
{
	AUTO(buf) struct buf file = BUF_INIT(4 << 20), compact = BUF_INIT(4 << 20);
	struct tree t;
	int r;

	if (strcmp(text, "systempaths=unconfined") == 0) {
		h->masked_paths = NEW(1, const char *);
		h->readonly_paths = NEW(1, const char *);
		return 0;
	}
	if (!strpbrk(text, "=:") && strcmp(text, "no-new-privileges") != 0 && strcmp(text, "writable-cgroups") != 0)
		return err_set(e, EINVAL, "invalid --security-opt: \"%s\"", text);
	if (strncmp(text, "seccomp=", 8) == 0 && strcmp(text + 8, "unconfined") != 0 && strcmp(text + 8, "builtin") != 0) {
		if ((r = file_read(AT_FDCWD, text + 8, &file)) < 0)
			return err_set(e, -r, "opening seccomp profile (%s) failed: open %s: %s", text + 8, text + 8,
				       r == -ENOENT ? "no such file or directory" : strerror(-r));
		if (tree_from_json(buf_slice(&file), 0, &c->arena, &t, NULL) < 0)
			return err_set(e, EINVAL, "compacting json for seccomp profile (%s) failed: invalid character", text + 8);
		tree_to_json(&t, 0, &compact);
		text = cli_fmt(c, "seccomp=%s", compact.ptr);
	}
	return text_add(&c->arena, &h->security_opt, &h->n_security_opt, text) < 0 ? err_nomem(e) : 0;
}

static int fill_rights(struct cli *c, struct docker_host_config *h, struct err *e)
{
	const struct flag_value *f = flag_list(&c->f, "security-opt");

	for (size_t i = 0; i < f->n; i++)
		if (security_option(c, h, f->v[i], e) < 0)
			return -EINVAL;
	LIST("cap-add", h, cap_add);
	LIST("cap-drop", h, cap_drop);
	LIST("group-add", h, group_add);
	h->privileged = flag_bool(&c->f, "privileged");
	h->pid_mode = flag_str(&c->f, "pid");
	h->ipc_mode = flag_str(&c->f, "ipc");
	h->uts_mode = flag_str(&c->f, "uts");
	h->userns_mode = flag_str(&c->f, "userns");
	h->cgroupns_mode = flag_str(&c->f, "cgroupns");
	h->isolation = flag_str(&c->f, "isolation");
	h->runtime = text_or_null(c, "runtime");
	if (*h->pid_mode && strcmp(h->pid_mode, "host") && strncmp(h->pid_mode, "container:", 10))
		return err_set(e, EINVAL, "--pid: invalid PID mode");
	if (*h->uts_mode && strcmp(h->uts_mode, "host"))
		return err_set(e, EINVAL, "--uts: invalid UTS mode");
	if (*h->userns_mode && strcmp(h->userns_mode, "host"))
		return err_set(e, EINVAL, "--userns: invalid USER mode");
	if (*h->cgroupns_mode && strcmp(h->cgroupns_mode, "host") && strcmp(h->cgroupns_mode, "private"))
		return err_set(e, EINVAL, "--cgroupns: invalid CGROUP mode");
	if (flag_list(&c->f, "annotation")->n)
		pairs(c, "annotation", &h->annotations, &h->n_annotations);
	if (flag_list(&c->f, "sysctl")->n)
		pairs(c, "sysctl", &h->sysctls, &h->n_sysctls);
	f = flag_list(&c->f, "ulimit");
	h->ulimits = NEW(f->n, struct docker_ulimit);
	for (size_t i = 0; i < f->n; i++)
		if (spec_ulimit(&c->arena, f->v[i], &h->ulimits[h->n_ulimits++], e) < 0)
			return -EINVAL;
	return 0;
}

int create_from_flags(struct cli *c, struct create *x, struct err *e)
{
	int64_t swappiness = flag_num(&c->f, "memory-swappiness");

	*x = (struct create){ .image = cli_arg(c, 0) };
	x->body.host_config = &x->host;
	x->body.networking_config = &x->networks;
	if (swappiness != -1 && (swappiness < 0 || swappiness > 100))
		return err_set(e, EINVAL, "invalid value: %lld. Valid memory swappiness range is 0-100", (long long)swappiness);
	if (spec_restart(&c->arena, flag_str(&c->f, "restart"), &x->host.restart_policy, e) < 0)
		return -EINVAL;
	x->host.auto_remove = flag_bool(&c->f, "rm");
	if (x->host.auto_remove && strcmp(flag_str(&c->f, "restart"), "no") && *flag_str(&c->f, "restart"))
		return err_set(e, EINVAL, "conflicting options: cannot specify both --restart and --rm");
	x->host.container_id_file = flag_str(&c->f, "cidfile");
	x->host.log_config.type = flag_str(&c->f, "log-driver");
	pairs(c, "log-opt", &x->host.log_config.config, &x->host.log_config.n_config);
	if (flag_changed(&c->f, "init")) {
		x->host.init = NEW(1, bool);
		*x->host.init = flag_bool(&c->f, "init");
	}
	fill_limits(c, &x->host);
	if (fill_process(c, x, e) < 0 || fill_volumes(c, x, e) < 0 || fill_networks(c, x, e) < 0 || fill_devices(c, &x->host, e) < 0 ||
	    fill_block_io(c, &x->host, e) < 0 || fill_rights(c, &x->host, e) < 0)
		return -EINVAL;
	return 0;
}
