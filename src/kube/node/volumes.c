/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pod's folder and volumes:
 *
 *   PODS/UID/volumes/kubernetes.io~KIND/NAME     as upstream names them
 *   PODS/UID/volume-subpaths/NAME/CONTAINER/N    bind mounts of subPath
 *   PODS/UID/containers/NAME/ATTEMPT             termination messages
 *   PODS/UID/etc-hosts
 *
 * One row a kind of volume. What blocks (files, mounts) is a job.
 */
#include "kube/node/node_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "schema/quantity.h"

/* --- paths --------------------------------------------------------------------------------------------------- */

const char *pod_log_dir(const struct node_settings *set, const char *ns, const char *name, const char *uid, struct arena *a)
{
	return arena_fmt(a, "%s/%s_%s_%s", set->logs_dir, ns, name, uid);
}

const char *container_log_path(const struct node_settings *set, const struct kube_pod *pod, const char *container, uint32_t attempt, struct arena *a)
{
	const struct kube_object_meta *m = &pod->metadata;
	return arena_fmt(a, "%s/%s_%s_%s/%s/%u.log", set->logs_dir, m->namespace, m->name, m->uid, container, attempt);
}

const char *termination_log_path(const struct node_settings *set, const struct kube_pod *pod, const char *container, uint32_t attempt, struct arena *a)
{
	return arena_fmt(a, "%s/%s/containers/%s/%u", set->pods_dir, pod->metadata.uid, container, attempt);
}

static bool is_data(const struct kube_volume *v)
{
	return v->config_map || v->secret || v->downward_api || v->projected;
}

static const char *kind_dir(const struct kube_volume *v)
{
	return v->empty_dir ? "kubernetes.io~empty-dir" : v->config_map ? "kubernetes.io~configmap" : v->secret ? "kubernetes.io~secret" :
		v->downward_api ? "kubernetes.io~downward-api" : v->projected ? "kubernetes.io~projected" : NULL;
}

bool volumes_are_live(const struct kube_pod *pod)
{
	for (uint32_t i = 0; i < pod->spec.n_volumes; i++)
		if (is_data(&pod->spec.volumes[i]))
			return true;
	return false;
}

/* --- claims -------------------------------------------------------------------------------------------------- */

static int claim_wait(const struct config_in *in, const char *name, struct arena *a, struct kube_persistent_volume *ret, struct err *e)
{
	struct kube_persistent_volume_claim c = { 0 };
	int r = in->api->get_wait(in->api, kube_resource_find("", "v1", "persistentvolumeclaims"), in->pod->metadata.namespace, name, a, &c, e);

	if (r < 0)
		return r == -ENOENT ? err_set(e, EINVAL, "persistentvolumeclaim \"%s\" not found", name) : r;
	if (!c.spec.volume_name || !*c.spec.volume_name || !c.status.phase || strcmp(c.status.phase, "Bound"))
		return err_set(e, EAGAIN, "PVC %s/%s is not bound", in->pod->metadata.namespace, name);
	return in->api->get_wait(in->api, kube_resource_find("", "v1", "persistentvolumes"), NULL, c.spec.volume_name, a, ret, e);
}

int volume_path_wait(const struct config_in *in, const struct kube_volume *v, struct arena *a, const char **ret, bool *read_only, struct err *e)
{
	const char *kind = kind_dir(v);
	const char *claim = v->persistent_volume_claim ? v->persistent_volume_claim->claim_name :
		v->ephemeral ? arena_fmt(a, "%s-%s", in->pod->metadata.name, v->name) : NULL;

	*read_only = is_data(v) || (v->persistent_volume_claim && v->persistent_volume_claim->read_only);
	if (v->host_path) {
		*ret = v->host_path->path;
		return 0;
	}
	if (kind) {
		*ret = arena_fmt(a, "%s/%s/volumes/%s/%s", in->set->pods_dir, in->pod->metadata.uid, kind, v->name);
		return *ret ? 0 : err_nomem(e);
	}
	if (!claim)
		return err_set(e, EOPNOTSUPP, "this node does not know the kind of volume \"%s\"", v->name);
	struct kube_persistent_volume pv = { 0 };
	int r = claim_wait(in, claim, a, &pv, e);
	if (r < 0)
		return r;
	*ret = pv.spec.host_path ? pv.spec.host_path->path : pv.spec.local ? pv.spec.local->path : NULL;
	return *ret ? 0 : err_set(e, EOPNOTSUPP, "this node does not know the kind of persistent volume \"%s\"", pv.metadata.name);
}

/* --- jobs ---------------------------------------------------------------------------------------------------- */

struct volume_job {
	const char *dir, *type;
	int64_t gid;                /* fsGroup; -1 none */
	bool in_memory;
	int64_t size;
	unsigned mode;
	struct data_files files;
	struct err e;
};

/* chgrp -R, and rights for the group; what a fsGroup asks for. Does not follow links. */
static int own_tree(int dirfd, const char *name, gid_t gid, int depth)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (fchownat(dirfd, name, (uid_t)-1, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return 0;
	mode_t mode = st.st_mode & 07777;
	mode |= S_ISDIR(st.st_mode) ? 02770 : (mode & 0400 ? 0040 : 0) | (mode & 0200 ? 0020 : 0) | (mode & 0100 ? 0010 : 0);
	if (fchmodat(dirfd, name, mode, 0) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode) || depth <= 0)
		return 0;
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *x;
	int r = 0;
	if (!d) {
		if (fd >= 0)
			close(fd);
		return -errno;
	}
	while (r == 0 && (x = readdir(d)))
		if (strcmp(x->d_name, ".") && strcmp(x->d_name, ".."))
			r = own_tree(fd, x->d_name, gid, depth - 1);
	closedir(d);
	return r;
}

static bool is_mount_point(const char *path)
{
	struct stat st, up;
	char parent[4096];

	fmt_into(parent, sizeof parent, "%s/..", path);
	return stat(path, &st) == 0 && stat(parent, &up) == 0 && st.st_dev != up.st_dev;
}

static int make_empty_dir(void *arg)
{
	struct volume_job *j = arg;
	struct stat st;
	bool is_new = stat(j->dir, &st) < 0;
	int r = dir_make(AT_FDCWD, j->dir, 0755);

	if (r < 0)
		return err_sys(&j->e, r, "making %s", j->dir);
	if (j->in_memory && !is_mount_point(j->dir)) {
		char data[64] = "mode=0777";
		if (j->size > 0)
			fmt_into(data, sizeof data, "mode=0777,size=%lld", (long long)j->size);
		if (mount("tmpfs", j->dir, "tmpfs", 0, data) < 0)
			return err_sys(&j->e, errno, "mounting tmpfs on %s", j->dir);
		is_new = true;
	}
	if (!is_new)
		return 0;
	chmod(j->dir, j->mode);
	r = j->gid >= 0 ? own_tree(AT_FDCWD, j->dir, (gid_t)j->gid, 64) : 0;
	return r < 0 ? err_sys(&j->e, r, "giving %s to group %lld", j->dir, (long long)j->gid) : 0;
}

static int make_data(void *arg)
{
	struct volume_job *j = arg;
	int r = dir_make(AT_FDCWD, j->dir, 0755);

	if (r < 0)
		return err_sys(&j->e, r, "making %s", j->dir);
	chmod(j->dir, 0777);
	return atomic_write(j->dir, j->files.v, j->files.n, j->gid, &j->e);
}

static int check_host_path(void *arg)
{
	static const struct { const char *type, *what; mode_t mode; } rows[] = {
		{ "Directory", "a directory", S_IFDIR }, { "File", "a file", S_IFREG }, { "Socket", "a socket file", S_IFSOCK },
		{ "CharDevice", "a character device", S_IFCHR }, { "BlockDevice", "a block device", S_IFBLK },
		{ "DirectoryOrCreate", "a directory", S_IFDIR }, { "FileOrCreate", "a file", S_IFREG },
	};
	struct volume_job *j = arg;
	struct stat st;
	bool is_there = stat(j->dir, &st) == 0;

	if (!is_there && !strcmp(j->type, "DirectoryOrCreate")) {
		int r = dir_make(AT_FDCWD, j->dir, 0755);
		return r < 0 ? err_sys(&j->e, r, "making %s", j->dir) : 0;
	}
	if (!is_there && !strcmp(j->type, "FileOrCreate")) {
		AUTO(close) int fd = open(j->dir, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		return fd < 0 ? err_sys(&j->e, errno, "making %s", j->dir) : 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!strcmp(j->type, rows[i].type) && (!is_there || (st.st_mode & S_IFMT) != rows[i].mode))
			return err_set(&j->e, EINVAL, "hostPath type check failed: %s is not %s", j->dir, rows[i].what);
	return 0;
}

static int run_job_wait(int (*fn)(void *), struct volume_job *j, struct err *e)
{
	int r = job_wait(fn, j);

	if (r < 0 && j->e.code)
		*e = j->e;
	else if (r < 0)
		err_sys(e, r, "preparing %s", j->dir);
	return r;
}

/* --- making all ---------------------------------------------------------------------------------------------- */

static int64_t fs_group(const struct kube_pod *pod)
{
	const struct kube_pod_security_context *s = pod->spec.security_context;
	return s && s->fs_group ? *s->fs_group : -1;
}

static int setup_one_wait(const struct config_in *in, const struct kube_volume *v, struct arena *a, struct err *e)
{
	struct volume_job j = { .gid = fs_group(in->pod), .mode = 0777, .type = "" };
	bool read_only;
	int r;

	if (v->image)
		return 0;
	r = volume_path_wait(in, v, a, &j.dir, &read_only, e);
	if (r < 0)
		return r;
	if (v->empty_dir) {
		j.in_memory = v->empty_dir->medium && !strcmp(v->empty_dir->medium, "Memory");
		j.size = quantity_text_value(v->empty_dir->size_limit);
		if (v->empty_dir->mode)
			j.mode = (unsigned)*v->empty_dir->mode & 07777;
		return run_job_wait(make_empty_dir, &j, e);
	}
	if (is_data(v)) {
		r = data_files_wait(in, v, a, &j.files, e);
		return r < 0 ? r : run_job_wait(make_data, &j, e);
	}
	if (v->host_path) {
		j.type = v->host_path->type ? v->host_path->type : "";
		return *j.type ? run_job_wait(check_host_path, &j, e) : 0;
	}
	j.type = "DirectoryOrCreate";          /* a claim's folder */
	return run_job_wait(check_host_path, &j, e);
}

int volumes_setup_wait(const struct config_in *in, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; i < in->pod->spec.n_volumes && r >= 0; i++) {
		struct arena a;
		arena_init(&a, POD_ARENA_MAX);
		r = setup_one_wait(in, &in->pod->spec.volumes[i], &a, e);
		arena_release(&a);
		if (r < 0 && r != -ECANCELED)
			err_prefix(e, "MountVolume.SetUp failed for volume \"%s\" ", in->pod->spec.volumes[i].name);
	}
	return r;
}

struct folders_job { const char *v[4]; struct err e; };

static int make_folders(void *arg)
{
	struct folders_job *j = arg;
	for (size_t i = 0; i < ARRAY_LEN(j->v); i++) {
		int r = j->v[i] ? dir_make(AT_FDCWD, j->v[i], 0755) : 0;
		if (r < 0)
			return err_sys(&j->e, r, "making %s", j->v[i]);
	}
	return 0;
}

int volumes_folders_wait(const struct node_settings *set, const struct kube_pod *pod, struct err *e)
{
	struct folders_job j = { 0 };
	struct arena a;
	const struct kube_object_meta *m = &pod->metadata;

	arena_init(&a, 64 << 10);
	j.v[0] = arena_fmt(&a, "%s/%s/volumes", set->pods_dir, m->uid);
	j.v[1] = arena_fmt(&a, "%s/%s/containers", set->pods_dir, m->uid);
	j.v[2] = pod_log_dir(set, m->namespace, m->name, m->uid, &a);
	int r = job_wait(make_folders, &j);
	if (r < 0)
		*e = j.e;
	arena_release(&a);
	return r;
}
