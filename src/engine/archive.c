/* SPDX-License-Identifier: Apache-2.0 */
/* cp in and out, export, diff: jobs on the container's root file system. */
#include <errno.h>
#include <fcntl.h>

#include "engine/feed.h"
#include "engine/jobs.h"

struct tar_job {
	struct container *c;
	struct job_proc *proc;
	struct stream *out;
	struct arena arena;
};

struct stream *tar_job_stream(struct tar_job *j)
{
	return j->out;
}

static void tar_job_free(struct tar_job *j, bool kill)
{
	if (j->proc)
		jobs_end_wait(j->proc, kill);
	stream_close(j->out);
	container_unref(j->c);
	arena_release(&j->arena);
	free(j);
}

int tar_job_end_wait(struct tar_job *j, struct err *e)
{
	struct unpack_report rep;
	struct err own = { 0 };
	stream_close(take_ptr(j->out));
	int r;
	bool done = false;
	while ((r = jobs_next_wait(j->proc, &j->arena, &rep, &own)) > 0 && !(done = rep.done))
		;
	if (r >= 0)
		r = done ? 0 : err_set(&own, EIO, "the job on the container's files ended without a report");
	tar_job_free(j, r < 0);
	if (r < 0 && e)
		*e = own;
	return r;
}

/* A job with its output on a pipe. Takes the reference of c. */
static int tar_job_new(struct container *c, const struct unpack_job *job, struct tar_job **ret, struct err *e)
{
	int ends[2];
	struct tar_job *j = calloc(1, sizeof *j);
	if (!j || pipe2(ends, O_CLOEXEC) < 0) {
		free(j);
		container_unref(c);
		return err_sys(e, errno, "making a pipe");
	}
	j->c = c;
	arena_init(&j->arena, 64 << 20);
	fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
	int r = stream_from_fd(c->engine->loop, ends[0], &j->out);
	if (r < 0)
		close(ends[0]);
	if (r == 0)
		r = jobs_start(c->engine, job, -1, ends[1], &j->proc, e);
	close(ends[1]);
	if (r < 0) {
		tar_job_free(j, true);
		return e && e->code ? r : err_sys(e, r, "starting a job");
	}
	*ret = j;
	return 0;
}

static int stat_view(const struct unpack_report *rep, struct arena *a, struct docker_path_stat *ret, struct err *e)
{
	if (!rep->stat)
		return err_set(e, EIO, "the job on the container's files gave no answer");
	*ret = (struct docker_path_stat){ .name = arena_strdup(a, rep->stat->name), .size = rep->stat->size, .mode = rep->stat->mode,
		.mtime = arena_strdup(a, rep->stat->mtime), .link_target = arena_strdup(a, str_or(rep->stat->link_target, "")) };
	return 0;
}

static int not_found(const char *container, const char *path, int r, struct err *e)
{
	if (r == -ENOENT || r == -ENOTDIR)
		return err_set(e, ENOENT, "Could not find the file %s in container %s", path, container);
	return r;
}

int container_path_stat_wait(struct engine *eng, const char *name, const char *path, struct arena *a, struct docker_path_stat *ret, struct err *e)
{
	AUTO(container) struct container *c = NULL;
	int r = container_find(eng, name, &c, e);
	if (r < 0)
		return r;
	struct unpack_job job = { .op = "stat", .path = path };
	struct unpack_report rep;
	r = jobs_root(c, false, a, &job.target, e);
	if (r == 0)
		r = not_found(name, path, jobs_run_wait(eng, &job, -1, -1, a, &rep, e), e);
	return r < 0 ? r : stat_view(&rep, a, ret, e);
}

int container_archive_get_wait(struct engine *eng, const char *name, const char *path, struct arena *a, struct docker_path_stat *ret_stat,
			       struct tar_job **ret, struct err *e)
{
	AUTO(container) struct container *c = NULL;
	int r = container_find(eng, name, &c, e);
	if (r < 0)
		return r;
	struct unpack_job job = { .op = "archive", .path = path };
	r = jobs_root(c, false, a, &job.target, e);
	struct tar_job *j;
	if (r == 0)
		r = tar_job_new(container_ref(c), &job, &j, e);
	if (r < 0)
		return r;
	struct unpack_report rep = { 0 };
	r = jobs_next_wait(j->proc, a, &rep, e);
	if (r == 0)
		r = err_set(e, EIO, "the job on the container's files gave no answer");
	if (r > 0)
		r = stat_view(&rep, a, ret_stat, e);
	if (r < 0) {
		r = not_found(name, path, r, e);
		tar_job_free(j, true);
		return r;
	}
	container_event(c, "archive-path", NULL, 0);
	*ret = j;
	return 0;
}

int container_export_wait(struct engine *eng, const char *name, struct tar_job **ret, struct err *e)
{
	AUTO(container) struct container *c = NULL;
	int r = container_find(eng, name, &c, e);
	if (r < 0)
		return r;
	if (c->status == STATUS_REMOVING || c->status == STATUS_DEAD)
		return err_set(e, EBUSY, "You cannot export container %s which is being removed", c->id);
	AUTO(arena) struct arena a;
	arena_init(&a, 4 << 20);
	struct unpack_job job = { .op = "export" };
	r = jobs_root(c, false, &a, &job.target, e);
	job.target.mounts = NULL;
	job.target.n_mounts = 0;
	if (r == 0)
		r = tar_job_new(container_ref(c), &job, ret, e);
	if (r == 0)
		container_event(c, "export", NULL, 0);
	return r;
}

/* --- in */
static bool is_read_only(const struct container *c, const char *path, struct err *e)
{
	const struct mount_point *best = NULL;
	for (uint32_t i = 0; i < c->n_mounts; i++) {
		size_t n = strlen(c->mounts[i].target);
		if (!strncmp(path, c->mounts[i].target, n) && (path[n] == '/' || !path[n]) && (!best || n > strlen(best->target)))
			best = &c->mounts[i];
	}
	if (best && !best->rw) {
		err_set(e, EACCES, "mounted volume is marked read-only");
		return true;
	}
	if (!best && c->host->readonly_rootfs) {
		err_set(e, EACCES, "container rootfs is marked read-only");
		return true;
	}
	return false;
}

int container_archive_put_wait(struct engine *eng, const char *name, const char *path, struct stream *tar, bool no_overwrite, bool copy_ids,
			       struct err *e)
{
	AUTO(container) struct container *c = NULL;
	int r = container_find(eng, name, &c, e);
	if (r < 0)
		return r;
	if (is_read_only(c, path, e))
		return -EACCES;
	AUTO(arena) struct arena a;
	arena_init(&a, 4 << 20);
	struct unpack_job job = { .op = "extract", .path = path, .no_overwrite_dir_non_dir = no_overwrite };
	if (copy_ids && c->config->user && *c->config->user)
		job.chown = c->config->user;
	r = jobs_root(c, true, &a, &job.target, e);
	if (r < 0)
		return r;
	struct unpack_report rep;
	r = feed_job_wait(eng, &job, tar, &a, &rep, e);
	if (r < 0)
		return r == -ENOENT ? err_set(e, ENOENT, "Could not find the file %s in container %s", path, name) : r;
	container_event(c, "extract-to-dir", NULL, 0);
	return 0;
}

int container_changes_wait(struct engine *eng, const char *name, struct arena *a, struct docker_container_changes *ret, struct err *e)
{
	AUTO(container) struct container *c = NULL;
	int r = container_find(eng, name, &c, e);
	if (r < 0)
		return r;
	struct unpack_job job = { .op = "changes" };
	r = jobs_image_root(eng, c->image_id, a, &job.target, e);
	const char *dir = container_dir(c, a);
	job.target.upper = arena_fmt(a, "%s/upper", dir);
	struct unpack_report rep;
	if (r == 0)
		r = jobs_run_wait(eng, &job, -1, -1, a, &rep, e);
	if (r < 0)
		return r;
	ret->items = arena_array(a, rep.n_changes, sizeof *ret->items);
	ret->n_items = 0;
	if (!ret->items)
		return err_nomem(e);
	for (uint32_t i = 0; i < rep.n_changes; i++)
		ret->items[ret->n_items++] = (struct docker_container_change){ .kind = (uint8_t)rep.changes[i].kind, .path = rep.changes[i].path };
	return 0;
}
