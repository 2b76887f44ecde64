/* SPDX-License-Identifier: Apache-2.0 */
/* GET /info and /system/df. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "base/fd.h"
#include "engine/engine_int.h"
#include "engine/volumes.h"

static bool file_says(const char *path, char c)
{
	AUTO(buf) struct buf b = BUF_INIT(4096);
	return file_read(AT_FDCWD, path, &b) == 0 && b.len && b.ptr[0] == c;
}

static const char *os_name(struct arena *a)
{
	AUTO(buf) struct buf b = BUF_INIT(64 * 1024);
	struct slice rest, line;
	if (file_read(AT_FDCWD, "/etc/os-release", &b) < 0)
		return "Linux";
	rest = buf_slice(&b);
	while (slice_next(&rest, '\n', &line)) {
		if (!slice_starts(line, "PRETTY_NAME="))
			continue;
		struct slice v = slice_n(line.ptr + 12, line.len - 12);
		if (v.len >= 2 && v.ptr[0] == '"')
			v = slice_n(v.ptr + 1, v.len - 2);
		return arena_dup(a, v);
	}
	return "Linux";
}

static int64_t descriptors(void)
{
	int64_t n = 0;
	DIR *d = opendir("/proc/self/fd");
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return MAX(n - 3, (int64_t)0);
}

static struct docker_string_list *rows(struct arena *a, const char *const (*v)[2], size_t n)
{
	struct docker_string_list *o = arena_array(a, n, sizeof *o);
	for (size_t i = 0; o && i < n; i++)
		o[i] = (struct docker_string_list){ strings_copy(a, v[i], 2), 2 };
	return o;
}

static void counts(struct engine *eng, struct docker_info *o)
{
	for (size_t i = 0; i < eng->list.n; i++) {
		const struct container *c = eng->list.v[i];
		if (c->pod)
			continue;
		o->containers++;
		if (c->status == STATUS_PAUSED)
			o->containers_paused++;
		else if (container_is_running(c))
			o->containers_running++;
		else
			o->containers_stopped++;
	}
}

static int registry_fill(struct engine *eng, struct arena *a, struct docker_info *o)
{
	const struct engine_config *g = &eng->config;
	struct docker_info_registry *r = o->registry_config = arena_new(a, struct docker_info_registry);
	struct docker_index_info_entry *x = arena_array(a, g->n_insecure_registries + 1, sizeof *x);
	if (!r || !x)
		return -ENOMEM;
	static const char *const loopback[] = { "::1/128", "127.0.0.0/8" };
	r->insecure_registry_cidrs = strings_copy(a, loopback, 2);
	r->n_insecure_registry_cidrs = 2;
	r->mirrors = strings_copy(a, g->registry_mirrors, (uint32_t)g->n_registry_mirrors);
	r->n_mirrors = (uint32_t)g->n_registry_mirrors;
	uint32_t n = 0;
	x[n++] = (struct docker_index_info_entry){ "docker.io", { .name = "docker.io", .mirrors = r->mirrors, .n_mirrors = r->n_mirrors,
		.secure = true, .official = true } };
	for (size_t i = 0; i < g->n_insecure_registries; i++)
		x[n++] = (struct docker_index_info_entry){ g->insecure_registries[i], { .name = g->insecure_registries[i],
			.mirrors = arena_array(a, 0, sizeof(char *)) } };
	r->index_configs = x;
	r->n_index_configs = n;
	return 0;
}

int engine_info_wait(struct engine *eng, struct arena *a, struct docker_info *ret, struct err *e)
{
	static const char *const driver[][2] = { { "Backing Filesystem", "extfs" }, { "Supports d_type", "true" }, { "Using metacopy", "false" },
		{ "Native Overlay Diff", "true" }, { "userxattr", "false" } };
	static const char *const volume[] = { "local" }, *const network[] = { "bridge", "host", "null" }, *const log[] = { "json-file", "local", "none" };
	static const char *const runtimes[] = { "io.containerd.runc.v2", "runc" };
	struct utsname un;
	struct sysinfo si;
	struct image_info *images;
	size_t n_images = 0;
	const struct engine_config *g = &eng->config;
	bool v2 = eng->is_cgroup_v2;
	struct stat st;
	uname(&un);
	sysinfo(&si);
	image_list(g->images, IMAGE_DOCKER, 0, a, &images, &n_images, NULL);
	*ret = (struct docker_info){ .id = eng->id, .images = (int64_t)n_images, .driver = "overlay2", .driver_status = rows(a, driver, ARRAY_LEN(driver)),
		.n_driver_status = ARRAY_LEN(driver),
		.plugins = { .volume = strings_copy(a, volume, 1), .n_volume = 1, .network = strings_copy(a, network, 3), .n_network = 3,
			     .log = strings_copy(a, log, 3), .n_log = 3 },
		.memory_limit = true, .swap_limit = v2 || stat("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes", &st) == 0,
		.cpu_cfs_period = true, .cpu_cfs_quota = true, .cpu_shares = true, .cpu_set = true, .pids_limit = true,
		.ipv4_forwarding = file_says("/proc/sys/net/ipv4/ip_forward", '1'), .debug = g->debug, .n_fd = descriptors(),
		.oom_kill_disable = !v2, .n_goroutines = fiber_count(eng->loop), .system_time = time_text(a, clock_realtime_ns()),
		.logging_driver = str_or(g->log_driver, "json-file"), .cgroup_driver = "cgroupfs", .cgroup_version = v2 ? "2" : "1",
		.n_events_listener = events_readers(eng->events), .kernel_version = arena_strdup(a, un.release), .operating_system = os_name(a),
		.os_version = "", .os_type = "linux", .architecture = arena_strdup(a, un.machine), .index_server_address = "https://index.docker.io/v1/",
		.ncpu = get_nprocs(), .mem_total = (int64_t)si.totalram * si.mem_unit, .docker_root_dir = g->root, .http_proxy = "", .https_proxy = "",
		.no_proxy = "", .name = g->hostname, .labels = strings_copy(a, g->labels, (uint32_t)g->n_labels), .n_labels = (uint32_t)g->n_labels,
		.default_runtime = "runc", .live_restore_enabled = true, .isolation = "", .init_binary = "docker-init",
		.swarm = { .node_id = "", .node_addr = "", .local_node_state = "inactive", .error = "" } };
	counts(eng, ret);
	ret->runtimes = arena_array(a, 2, sizeof *ret->runtimes);
	if (!ret->runtimes || registry_fill(eng, a, ret) < 0)
		return err_nomem(e);
	for (int i = 0; i < 2; i++)
		ret->runtimes[ret->n_runtimes++] = (struct docker_runtime_with_status_entry){ runtimes[i], { .path = i ? "runc" : NULL } };
	strings_push(a, &ret->security_options, &ret->n_security_options, "name=seccomp,profile=builtin");
	if (file_says("/sys/module/apparmor/parameters/enabled", 'Y'))
		strings_push(a, &ret->security_options, &ret->n_security_options, "name=apparmor");
	if (v2)
		strings_push(a, &ret->security_options, &ret->n_security_options, "name=cgroupns");
	if (g->userns_remap)
		strings_push(a, &ret->security_options, &ret->n_security_options, "name=userns");
	ret->cdi_spec_dirs = arena_array(a, 0, sizeof(char *));
	if (!ret->ipv4_forwarding)
		strings_push(a, &ret->warnings, &ret->n_warnings, "WARNING: IPv4 forwarding is disabled");
	return 0;
}

int engine_df_wait(struct engine *eng, bool containers, bool volumes, struct arena *a, struct docker_disk_usage *ret, struct err *e)
{
	int r = 0;
	if (containers) {
		struct container_list how = { .all = true, .size = true };
		struct docker_container_summaries l;
		r = container_list_wait(eng, &how, a, &l, e);
		ret->containers = l.items;
		ret->n_containers = l.n_items;
	}
	if (r == 0 && volumes)
		r = engine_volume_usage_wait(eng, a, &ret->volumes, &ret->n_volumes, e);
	return r;
}
