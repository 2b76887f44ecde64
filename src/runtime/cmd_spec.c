/* SPDX-License-Identifier: Apache-2.0 */
/* spec: the config.json that `runc spec` writes; features: what there is, from the tables that decide. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/cli_int.h"
#include "sys/mounts.h"
#include "sys/names.h"
#include "sys/seccomp.h"

#define LIST(...) .options = (const char *[]){ __VA_ARGS__ }, .n_options = sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *)

int cmd_spec(struct cli *c, struct err *e)
{
	static const char *args[] = { "sh" };
	static const char *env[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm" };
	static const char *caps[] = { "CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE" };
	static const char *masked[] = { "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
					"/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi" };
	static const char *readonly[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger" };
	struct oci_posix_rlimit nofile = { "RLIMIT_NOFILE", 1024, 1024 };
	struct oci_linux_capabilities cap = { caps, 3, caps, 3, NULL, 0, caps, 3, NULL, 0 };
	struct oci_process p = { .terminal = true, .args = args, .n_args = 1, .env = env, .n_env = 2, .cwd = "/",
				 .capabilities = &cap, .rlimits = &nofile, .n_rlimits = 1, .no_new_privileges = true };
	struct oci_root root = { "rootfs", true };
	struct oci_mount mounts[] = {
		{ .destination = "/proc", .type = "proc", .source = "proc" },
		{ .destination = "/dev", .type = "tmpfs", .source = "tmpfs", LIST("nosuid", "strictatime", "mode=755", "size=65536k") },
		{ .destination = "/dev/pts", .type = "devpts", .source = "devpts",
		  LIST("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5") },
		{ .destination = "/dev/shm", .type = "tmpfs", .source = "shm", LIST("nosuid", "noexec", "nodev", "mode=1777", "size=65536k") },
		{ .destination = "/dev/mqueue", .type = "mqueue", .source = "mqueue", LIST("nosuid", "noexec", "nodev") },
		{ .destination = "/sys", .type = "sysfs", .source = "sysfs", LIST("nosuid", "noexec", "nodev", "ro") },
		{ .destination = "/sys/fs/cgroup", .type = "cgroup", .source = "cgroup", LIST("nosuid", "noexec", "nodev", "relatime", "ro") },
	};
	struct oci_linux_device_cgroup deny = { .allow = false, .access = "rwm" };
	struct oci_linux_resources res = { .devices = &deny, .n_devices = 1 };
	struct oci_linux_namespace ns[] = { { "pid", NULL }, { "network", NULL }, { "ipc", NULL }, { "uts", NULL },
					    { "mount", NULL }, { "cgroup", NULL }, { "user", NULL } };
	struct oci_linux l = { .resources = &res, .namespaces = ns, .n_namespaces = 6, .masked_paths = masked,
			       .n_masked_paths = ARRAY_LEN(masked), .readonly_paths = readonly, .n_readonly_paths = ARRAY_LEN(readonly) };
	struct oci_linux_id_mapping uid = { 0, geteuid(), 1 }, gid = { 0, getegid(), 1 };
	struct oci_spec s = { .oci_version = "1.2.1", .process = &p, .root = &root, .hostname = "runc", .mounts = mounts,
			      .n_mounts = ARRAY_LEN(mounts), .linux = &l };
	if (c->spec_rootless) {
		/* Own user instead of own network; no limits, and /sys from the host. */
		ns[1] = ns[6];
		l.uid_mappings = &uid;
		l.gid_mappings = &gid;
		l.n_uid_mappings = l.n_gid_mappings = 1;
		l.resources = NULL;
		mounts[2].n_options = 5;
		mounts[5] = (struct oci_mount){ .destination = "/sys", .type = "none", .source = "/sys", LIST("rbind", "nosuid", "noexec", "nodev", "ro") };
	}
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);
	int r = schema_to_json(T_oci_spec, &s, SCHEMA_INDENT | SCHEMA_NEWLINE, &text);
	if (r < 0 || (r = buf_error(&text)) < 0)
		return err_sys(e, r, "write config.json");
	if (c->bundle && chdir(c->bundle) < 0)
		return err_sys(e, errno, "chdir %s", c->bundle);
	AUTO(close) int fd = open("config.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0 && errno == EEXIST)
		return err_set(e, EEXIST, "file config.json exists. Remove it first");
	r = fd < 0 ? -errno : fd_write_all(fd, text.ptr, text.len);
	return r < 0 ? err_sys(e, r, "write config.json") : 0;
}

static uint32_t count(const char *const *v)
{
	uint32_t n = 0;
	while (v[n])
		n++;
	return n;
}

int cmd_features(struct cli *c, struct err *e)
{
	static const char *hooks[] = { "prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop" };
	const char *ns[16], *caps[64];
	bool yes = true, no = false;
	uint32_t n_ns = 0, n_caps = 0;
	for (const struct sys_ns *n = sys_namespaces; n->name; n++)
		ns[n_ns++] = n->name;
	while (sys_cap_name(n_caps)) {
		caps[n_caps] = sys_cap_name(n_caps);
		n_caps++;
	}
	struct oci_features_cgroup cg = { .v1 = &yes, .v2 = &yes, .systemd = &no, .systemd_user = &no, .rdma = &yes };
	struct oci_features_seccomp sec = { .enabled = &yes };
#define NAMES(field, list) sec.field = (const char **)(list), sec.n_##field = count(list)
	NAMES(actions, sys_seccomp_action_names);
	NAMES(operators, sys_seccomp_op_names);
	NAMES(archs, sys_seccomp_arch_names);
	NAMES(known_flags, sys_seccomp_flag_names);
	NAMES(supported_flags, sys_seccomp_flag_names);
	struct oci_features_apparmor aa = { &yes };
	struct oci_features_selinux se = { &yes };
	struct oci_features_intel_rdt rdt = { .enabled = &no };
	struct oci_id_map idmap = { &yes };
	struct oci_mount_extensions ext = { &idmap };
	struct oci_net_devices net = { &no };
	struct oci_features_linux l = { .namespaces = ns, .n_namespaces = n_ns, .capabilities = caps, .n_capabilities = n_caps,
					.cgroup = &cg, .seccomp = &sec, .apparmor = &aa, .selinux = &se, .intel_rdt = &rdt,
					.mount_extensions = &ext, .net_devices = &net };
	struct oci_features f = { .oci_version_min = "1.0.0", .oci_version_max = "1.3.0", .hooks = hooks, .n_hooks = ARRAY_LEN(hooks),
				  .mount_options = (const char **)sys_mount_option_names, .n_mount_options = count(sys_mount_option_names),
				  .linux = &l };
	return cli_print(T_oci_features, &f, SCHEMA_INDENT, e);
}
