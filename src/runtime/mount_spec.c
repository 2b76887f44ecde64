/* SPDX-License-Identifier: Apache-2.0 */
/* The specification's mounts, in order, each onto a descriptor inside the root. */
#include "runtime/runtime_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "sys/kernel.h"
#include "sys/mounts.h"
#include "sys/rootpath.h"

/* Absolute; relative sources of binds are relative to the bundle. */
static int source_path(const struct job *j, const struct oci_mount *m, char *dst, size_t size, struct err *e)
{
	const char *s = m->source ? m->source : "";
	bool ok = s[0] == '/' ? fmt_into(dst, size, "%s", s) : fmt_into(dst, size, "%s/%s", j->bundle, s);
	return ok ? 0 : err_sys(e, ENAMETOOLONG, "mount source %s", s);
}

static bool is_bind(const struct oci_mount *m, const struct sys_mount_opts *o)
{
	return o->bind || (m->type && (!strcmp(m->type, "bind") || !strcmp(m->type, "rbind")));
}

static int open_source(const struct job *j, const struct oci_mount *m, const struct sys_mount_opts *o, struct err *e)
{
	char path[4096];
	int r = source_path(j, m, path, sizeof path, e);
	if (r < 0)
		return r;
	int fd = sys_bind_open(AT_FDCWD, path, o->recursive || (m->type && !strcmp(m->type, "rbind")));
	if (fd >= 0)
		return fd;
	return err_sys(e, fd, "error mounting \"%s\" to rootfs at \"%s\": open the source", path, m->destination);
}

/* A user namespace with these mappings, as a descriptor: what an idmapped mount needs. */
static int make_idmap(const struct oci_mount *m, const struct oci_linux *l, struct err *e)
{
	struct oci_linux map = { .uid_mappings = m->n_uid_mappings ? m->uid_mappings : l->uid_mappings,
				 .n_uid_mappings = m->n_uid_mappings ? m->n_uid_mappings : l->n_uid_mappings,
				 .gid_mappings = m->n_gid_mappings ? m->gid_mappings : l->gid_mappings,
				 .n_gid_mappings = m->n_gid_mappings ? m->n_gid_mappings : l->n_gid_mappings };
	if (!map.n_uid_mappings || !map.n_gid_mappings)
		return err_set(e, EINVAL, "mount %s: an idmapped mount needs uidMappings and gidMappings", m->destination);
	struct k_clone_args a = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
	pid_t pid = k_clone3(&a, sizeof a);
	if (pid == 0)
		for (;;)
			pause();
	if (pid < 0)
		return err_sys(e, pid, "make a user namespace for mount %s", m->destination);
	char path[64];
	int fd = -1, r = userns_map(pid, &map, e);
	if (r == 0) {
		fmt_into(path, sizeof path, "/proc/%d/ns/user", pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		r = fd < 0 ? err_sys(e, errno, "open %s", path) : fd;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return r;
}

static int idmap(int mnt, const struct oci_mount *m, const struct sys_mount_opts *o, const struct oci_linux *l, struct err *e)
{
	AUTO(close) int ns = make_idmap(m, l, e);
	if (ns < 0)
		return ns;
	struct k_mount_attr a = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)ns };
	int r = k_mount_setattr(mnt, "", AT_EMPTY_PATH | (o->ridmap ? AT_RECURSIVE : 0), &a);
	return r < 0 ? err_sys(e, r, "mount %s: map the owners", m->destination) : 0;
}

int rootfs_open_sources(struct job *j, struct err *e)
{
	const struct oci_spec *s = j->spec;
	j->mount_fds = arena_array(j->arena, s->n_mounts, sizeof *j->mount_fds);
	if (!j->mount_fds)
		return err_nomem(e);
	for (uint32_t i = 0; i < s->n_mounts; i++)
		j->mount_fds[i] = -1;
	struct sys_mount_opts *o = arena_new(j->arena, struct sys_mount_opts);
	if (!o)
		return err_nomem(e);
	for (uint32_t i = 0; i < s->n_mounts; i++) {
		const struct oci_mount *m = &s->mounts[i];
		int r = sys_mount_options(m->options, m->n_options, o, e);
		if (r < 0)
			return r;
		bool mapped = o->idmap || m->n_uid_mappings || m->n_gid_mappings;
		if (!is_bind(m, o)) {
			if (mapped)
				return err_set(e, EINVAL, "mount %s: only bind mounts can be idmapped", m->destination);
			continue;
		}
		if (!mapped && !j->in_userns)
			continue;
		r = j->mount_fds[i] = open_source(j, m, o, e);
		if (r >= 0 && mapped)
			r = idmap(j->mount_fds[i], m, o, s->linux, e);
		if (r < 0)
			return r;
		struct k_mount_attr slave = { .propagation = MS_SLAVE };
		(void)k_mount_setattr(j->mount_fds[i], "", AT_EMPTY_PATH | AT_RECURSIVE, &slave);
	}
	return 0;
}

/* What options ask for of a mount that exists (detached or not). */
static int set_attributes(int mnt, const struct oci_mount *m, const struct sys_mount_opts *o, bool own, struct err *e)
{
	int r = 0;
	uint64_t set = sys_mount_attrs(o->flags), clr = sys_mount_attrs(o->cleared);
	if (own && (set || clr))
		r = sys_mount_setattr(mnt, set, clr, false);
	if (r == 0 && (o->rec_set || o->rec_clr))
		r = sys_mount_setattr(mnt, o->rec_set, o->rec_clr, true);
	for (unsigned i = 0; r == 0 && i < o->n_propagation; i++) {
		struct k_mount_attr a = { .propagation = o->propagation[i] & ~(uint64_t)MS_REC };
		r = k_mount_setattr(mnt, "", AT_EMPTY_PATH | (o->propagation[i] & MS_REC ? AT_RECURSIVE : 0), &a);
	}
	return r < 0 ? err_sys(e, r, "mount %s: set its options", m->destination) : 0;
}

static int mount_bind(struct job *j, int rootfd, uint32_t i, const struct sys_mount_opts *o, struct err *e)
{
	const struct oci_mount *m = &j->spec->mounts[i];
	bool given = j->mount_fds && j->mount_fds[i] >= 0;
	AUTO(close) int mnt = given ? take_fd(&j->mount_fds[i]) : open_source(j, m, o, e);
	struct stat st;
	if (mnt < 0)
		return mnt;
	if (fstat(mnt, &st) < 0)
		return err_sys(e, errno, "mount %s: look at its source", m->destination);
	AUTO(close) int target = sys_root_make(rootfd, m->destination, S_ISDIR(st.st_mode), 0755, e);
	if (target < 0)
		return target;
	int r = set_attributes(mnt, m, o, true, e);
	if (r < 0)
		return r;
	r = sys_mount_attach(mnt, target);
	return r < 0 ? err_sys(e, r, "error mounting \"%s\" to rootfs at \"%s\"", m->source, m->destination) : 0;
}

/* A tmpfs that starts with what the image has there. */
static int mount_copy_up(int target, const struct oci_mount *m, const struct sys_mount_opts *o, struct err *e)
{
	AUTO(close) int from = -1;
	char path[32];
	sys_fd_path(path, target);
	from = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(close) int mnt = sys_tmpfs_open(o->data, sys_mount_attrs(o->flags) & ~(uint64_t)MOUNT_ATTR_RDONLY);
	if (from < 0 || mnt < 0)
		return err_sys(e, from < 0 ? errno : mnt, "mount tmpfs on %s", m->destination);
	int r = sys_copy_tree(from, mnt, e);
	if (r < 0)
		return err_prefix(e, "mount tmpfs on %s", m->destination);
	if (o->flags & MS_RDONLY)
		r = sys_mount_setattr(mnt, MOUNT_ATTR_RDONLY, 0, false);
	if (r == 0)
		r = sys_mount_attach(mnt, target);
	return r < 0 ? err_sys(e, r, "mount tmpfs on %s", m->destination) : 0;
}

/* sysfs cannot be mounted in a user namespace that does not own the network namespace: the host's, as crun does. */
static int bind_sys(int target)
{
	AUTO(close) int mnt = sys_bind_open(AT_FDCWD, "/sys", true);
	int r = mnt < 0 ? mnt : sys_mount_setattr(mnt, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, 0, false);
	return r < 0 ? r : sys_mount_attach(mnt, target);
}

/* proc and sysfs hold what masks are for: a link there would leave it open somewhere else (CVE-2019-19921). */
static int check_not_link(int rootfd, const struct oci_mount *m, struct err *e)
{
	struct stat st;
	AUTO(close) int at = path_open_in_root(rootfd, m->destination, O_PATH | O_NOFOLLOW, 0);
	if (at >= 0 && fstat(at, &st) == 0 && !S_ISDIR(st.st_mode))
		return err_set(e, EINVAL, "filesystem \"%s\" must be mounted on ordinary directory", m->type);
	return 0;
}

static int mount_other(struct job *j, int rootfd, const struct oci_mount *m, struct sys_mount_opts *o, struct err *e)
{
	bool tmpfs = !strcmp(m->type, "tmpfs");
	int r = !strcmp(m->type, "proc") || !strcmp(m->type, "sysfs") ? check_not_link(rootfd, m, e) : 0;
	if (r < 0)
		return r;
	AUTO(close) int before = tmpfs ? path_open_in_root(rootfd, m->destination, O_PATH, 0) : -1;
	AUTO(close) int target = sys_root_make(rootfd, m->destination, true, 0755, e);
	struct stat st;
	if (target < 0)
		return target;
	/* A tmpfs over an image's folder keeps its mode, which /tmp needs. */
	if (before >= 0 && !strstr(o->data, "mode=") && fstat(before, &st) == 0) {
		size_t n = strlen(o->data);
		fmt_into(o->data + n, sizeof o->data - n, "%smode=%o", n ? "," : "", st.st_mode & 07777);
	}
	const char *label = j->spec->linux ? j->spec->linux->mount_label : NULL;
	if (label && *label && (tmpfs || !strcmp(m->type, "mqueue")) && access("/sys/fs/selinux/enforce", F_OK) == 0) {
		size_t n = strlen(o->data);
		fmt_into(o->data + n, sizeof o->data - n, "%scontext=\"%s\"", n ? "," : "", label);
	}
	/* /dev gets its contents first. */
	unsigned long flags = o->flags & ~(strcmp(m->destination, "/dev") ? 0UL : (unsigned long)MS_RDONLY);
	if (tmpfs && o->tmpcopyup) {
		r = mount_copy_up(target, m, o, e);
	} else {
		r = sys_mount_fs(m->source, target, m->type, flags, o->data, e);
		if (r == -EPERM && !strcmp(m->type, "sysfs") && bind_sys(target) == 0)
			r = 0;
		if (r < 0)
			err_prefix(e, "error mounting \"%s\" to rootfs at \"%s\"", m->source ? m->source : m->type, m->destination);
	}
	if (r < 0 || !(o->rec_set || o->rec_clr || o->n_propagation))
		return r;
	AUTO(close) int mnt = path_open_in_root(rootfd, m->destination, O_PATH, 0);
	return mnt < 0 ? err_sys(e, mnt, "open %s", m->destination) : set_attributes(mnt, m, o, false, e);
}

static int mount_one(struct job *j, int rootfd, uint32_t i, struct sys_mount_opts *o, struct err *e)
{
	const struct oci_mount *m = &j->spec->mounts[i];
	int r = sys_mount_options(m->options, m->n_options, o, e);
	if (r < 0)
		return r;
	if (m->type && !strcmp(m->type, "cgroup"))
		return mount_cgroup(j, rootfd, m, e);
	if (is_bind(m, o))
		return mount_bind(j, rootfd, i, o, e);
	if (!m->type || !*m->type) {
		/* "remount" and pure propagation changes have no type */
		if (!(o->flags & MS_REMOUNT) && !o->n_propagation)
			return err_set(e, EINVAL, "mount %s has no type", m->destination);
		AUTO(close) int mnt = path_open_in_root(rootfd, m->destination, O_PATH, 0);
		return mnt < 0 ? err_sys(e, mnt, "open %s", m->destination) : set_attributes(mnt, m, o, true, e);
	}
	return mount_other(j, rootfd, m, o, e);
}

static bool own_dev(const struct oci_spec *s, bool *ro)
{
	/* With /dev bound from elsewhere its contents are not ours to make. */
	bool own = true;
	for (uint32_t i = 0; i < s->n_mounts; i++) {
		if (strcmp(s->mounts[i].destination, "/dev") && strcmp(s->mounts[i].destination, "/dev/"))
			continue;
		own = !s->mounts[i].type || strcmp(s->mounts[i].type, "bind");
		*ro = false;
		for (uint32_t k = 0; k < s->mounts[i].n_options; k++) {
			own &= strcmp(s->mounts[i].options[k], "bind") && strcmp(s->mounts[i].options[k], "rbind");
			*ro |= !strcmp(s->mounts[i].options[k], "ro");
		}
	}
	return own;
}

int mount_all(struct job *j, int rootfd, struct err *e)
{
	struct sys_mount_opts *o = arena_new(j->arena, struct sys_mount_opts);
	mode_t mask = umask(0);
	int r = o ? 0 : err_nomem(e);
	for (uint32_t i = 0; r == 0 && i < j->spec->n_mounts; i++)
		r = mount_one(j, rootfd, i, o, e);
	bool ro = false;
	if (r == 0 && own_dev(j->spec, &ro)) {
		r = devices_make(j, rootfd, e);
		if (r == 0 && ro) {
			AUTO(close) int dev = path_open_in_root(rootfd, "/dev", O_PATH, 0);
			r = dev < 0 ? dev : sys_mount_setattr(dev, MOUNT_ATTR_RDONLY, 0, false);
			if (r < 0)
				err_sys(e, r, "make /dev read-only");
		}
	}
	umask(mask);
	return r;
}
