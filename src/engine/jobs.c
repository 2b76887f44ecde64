/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/jobs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"

enum { JOB_TEXT_MAX = 1 << 20, REPORT_LINE_MAX = 64 << 20 };

struct job_proc {
	struct child child;
	struct stream *reports;
	struct buf in;
	struct waitq q;
	bool exited;
	int status;
};

static void on_exit_(struct child *c, int status)
{
	struct job_proc *p = container_of(c, struct job_proc, child);
	p->exited = true;
	p->status = status;
	waitq_wake_all(&p->q);
}

/* A read-only memory file with the job's text. */
static int job_file(const struct unpack_job *job, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(JOB_TEXT_MAX);
	if (schema_to_json(T_unpack_job, job, 0, &text) < 0 || buf_error(&text))
		return err_set(e, EINVAL, "the job on the container's files is too large");
	AUTO(close) int fd = memfd_create("job", MFD_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "making a memory file");
	int r = fd_write_all(fd, text.ptr, text.len);
	if (r < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, r < 0 ? r : errno, "writing a memory file");
	return take_fd(&fd);
}

int jobs_start(struct engine *eng, const struct unpack_job *job, int in_fd, int out_fd, struct job_proc **ret, struct err *e)
{
	AUTO(close) int text = job_file(job, e);
	if (text < 0)
		return text;
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, errno, "making a pipe");
	AUTO(close) int wr = ends[1];
	struct job_proc *p = calloc(1, sizeof *p);
	if (!p) {
		close(ends[0]);
		return err_nomem(e);
	}
	waitq_init(&p->q);
	buf_init(&p->in, REPORT_LINE_MAX);
	int r = stream_from_fd(eng->loop, ends[0], &p->reports);
	if (r < 0) {
		close(ends[0]);
		free(p);
		return err_sys(e, r, "watching a pipe");
	}
	const char *argv[] = { eng->config.runtime, "unpack", "--job", "3", "--report", "4", NULL };
	int fds[] = { in_fd, out_fd, 2, text, wr };
	struct spawn how = { .path = eng->config.runtime, .argv = argv, .fds = fds, .n_fds = 5 };
	r = child_spawn(eng->loop, &p->child, &how, on_exit_, e);
	if (r < 0) {
		stream_close(p->reports);
		free(p);
		return r;
	}
	*ret = p;
	return 0;
}

int jobs_next_wait(struct job_proc *p, struct arena *a, struct unpack_report *ret, struct err *e)
{
	for (;;) {
		ptrdiff_t nl = slice_find(buf_slice(&p->in), '\n');
		if (nl >= 0) {
			int r = schema_from_json(T_unpack_report, slice_n(p->in.ptr, (size_t)nl), 0, a, ret, e);
			buf_drop(&p->in, (size_t)nl + 1);
			if (r < 0)
				return r;
			if (ret->code)
				return err_set(e, (int)ret->code, "%s", str_or(ret->error, strerror((int)ret->code)));
			return 1;
		}
		char chunk[4096];
		ssize_t n = stream_read_wait(p->reports, chunk, sizeof chunk);
		if (n < 0)
			return err_sys(e, (int)n, "reading a job's report");
		if (n == 0)
			return 0;
		if (buf_add(&p->in, chunk, (size_t)n) < 0)
			return err_set(e, EMSGSIZE, "a job's report is too large");
	}
}

void jobs_end_wait(struct job_proc *p, bool kill)
{
	if (!p)
		return;
	if (kill && !p->exited)
		child_kill(&p->child, SIGKILL);
	while (!p->exited) {
		if (waitq_wait(&p->q, -1) == -ECANCELED) {
			child_kill(&p->child, SIGKILL);
			child_forget(&p->child);
			break;
		}
	}
	stream_close(p->reports);
	buf_release(&p->in);
	free(p);
}

int jobs_run_wait(struct engine *eng, const struct unpack_job *job, int in_fd, int out_fd, struct arena *a, struct unpack_report *ret, struct err *e)
{
	struct job_proc *p;
	int r = jobs_start(eng, job, in_fd, out_fd, &p, e);
	if (r < 0)
		return r;
	bool done = false;
	while ((r = jobs_next_wait(p, a, ret, e)) > 0 && !(done = ret->done))
		;
	if (r == 0 && !done)
		r = err_set(e, EIO, "the job on the container's files ended without a report");
	jobs_end_wait(p, r < 0);
	return r < 0 ? r : 0;
}

/* --- roots */
static uint64_t pid_start_of(int64_t pid)
{
	char path[64];
	AUTO(buf) struct buf b = BUF_INIT(4096);
	fmt_into(path, sizeof path, "/proc/%lld/stat", (long long)pid);
	if (file_read(AT_FDCWD, path, &b) < 0)
		return 0;
	/* fields are counted behind the name, which may hold anything */
	ptrdiff_t at = slice_rfind(buf_slice(&b), ')');
	if (at < 0)
		return 0;
	struct slice rest = slice_n(b.ptr + at + 2, b.len - (size_t)at - 2), one = { 0 };
	for (int field = 3; field <= 22; field++)
		if (!slice_next(&rest, ' ', &one))
			return 0;
	uint64_t v = 0;
	num_parse_u64(one, UINT64_MAX, &v);
	return v;
}

int jobs_image_root(struct engine *eng, const char *image_id, struct arena *a, struct unpack_root *ret, struct err *e)
{
	const char **lower = NULL;
	size_t n = 0;
	*ret = (struct unpack_root){ 0 };
	if (*image_id) {
		int r = image_lowerdirs(eng->config.images, image_id, a, &lower, &n, e);
		if (r < 0)
			return r;
	}
	if (!n) {
		/* an image without layers: an empty folder stands for them */
		const char *empty = arena_fmt(a, "%s/engine/empty", eng->config.root);
		if (!empty || dir_make(AT_FDCWD, empty, 0755) < 0)
			return err_set(e, EIO, "making %s", empty ? empty : "a folder");
		lower = arena_array(a, 1, sizeof *lower);
		if (!lower)
			return err_nomem(e);
		lower[n++] = empty;
	}
	ret->lower = lower;
	ret->n_lower = (uint32_t)n;
	return 0;
}

int jobs_root(struct container *c, bool writable, struct arena *a, struct unpack_root *ret, struct err *e)
{
	if (container_is_alive(c) && c->pid > 0) {
		*ret = (struct unpack_root){ .pid = c->pid, .pid_start = pid_start_of(c->pid) };
		return 0;
	}
	int r = jobs_image_root(c->engine, c->image_id, a, ret, e);
	if (r < 0)
		return r;
	const char *dir = container_dir(c, a);
	ret->upper = arena_fmt(a, "%s/upper", dir);
	ret->work = arena_fmt(a, "%s/work", dir);
	if (!ret->upper || !ret->work)
		return err_nomem(e);
	/* volumes and binds are part of what cp sees */
	struct unpack_bind *b = arena_array(a, c->n_mounts, sizeof *b);
	if (!b)
		return err_nomem(e);
	uint32_t n = 0;
	for (uint32_t i = 0; i < c->n_mounts; i++) {
		const struct mount_point *p = &c->mounts[i];
		struct stat st;
		if ((strcmp(p->type, "bind") && strcmp(p->type, "volume")) || stat(p->source, &st) < 0)
			continue;
		b[n++] = (struct unpack_bind){ .source = p->source, .target = p->target, .read_only = !p->rw || !writable };
	}
	ret->mounts = b;
	ret->n_mounts = n;
	return 0;
}

static bool dir_is_empty(const char *path)
{
	DIR *d = opendir(path);
	bool empty = true;
	if (!d)
		return false;
	for (struct dirent *de; empty && (de = readdir(d));)
		empty = !strcmp(de->d_name, ".") || !strcmp(de->d_name, "..");
	closedir(d);
	return empty;
}

int jobs_copy_up_wait(struct container *c, const char *target, const char *volume_dir, struct err *e)
{
	if (!dir_is_empty(volume_dir))
		return 0;
	AUTO(arena) struct arena a;
	arena_init(&a, 4 << 20);
	struct unpack_root source;
	int r = jobs_image_root(c->engine, c->image_id, &a, &source, e);
	if (r < 0)
		return r;
	/* cheap look before a process: does any layer have something there? */
	bool any = false;
	for (uint32_t i = 0; i < source.n_lower && !any; i++) {
		AUTO(close) int dir = open(source.lower[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		AUTO(close) int fd = dir < 0 ? -1 : path_open_in_root(dir, target, O_PATH, 0);
		any = fd >= 0;
	}
	if (!any)
		return 0;
	struct unpack_job stat_job = { .op = "stat", .target = source, .path = target };
	struct unpack_report rep;
	struct err ignored = { 0 };
	r = jobs_run_wait(c->engine, &stat_job, -1, -1, &a, &rep, &ignored);
	if (r < 0)
		return r == -ENOENT || r == -ENOTDIR ? 0 : err_set(e, r, "%s", ignored.text);
	if (!rep.stat || !(rep.stat->mode & 1u << 31))
		return 0;
	const char *paths[] = { target };
	struct unpack_job job = { .op = "copy", .target = { .dir = volume_dir }, .source = &source, .source_dir = "/", .path = "/",
		.paths = paths, .n_paths = 1, .keep_owner = true };
	r = jobs_run_wait(c->engine, &job, -1, -1, &a, &rep, e);
	return r < 0 ? err_prefix(e, "failed to populate volume") : 0;
}

int jobs_lookup_wait(struct container *c, const char *user, const char *const *groups, uint32_t n_groups, struct arena *a, struct spec_user *ret,
		     struct err *e)
{
	struct unpack_job job = { .op = "lookup", .user = user && *user ? user : NULL, .groups = (const char **)groups, .n_groups = n_groups };
	int r = jobs_root(c, false, a, &job.target, e);
	if (r < 0)
		return r;
	job.target.mounts = NULL;
	job.target.n_mounts = 0;
	job.target.work = NULL;
	if (job.target.upper) {
		/* read only: the upper folder is just the topmost layer */
		const char **lower = arena_array(a, job.target.n_lower + 1, sizeof *lower);
		if (!lower)
			return err_nomem(e);
		lower[0] = job.target.upper;
		memcpy(lower + 1, job.target.lower, job.target.n_lower * sizeof *lower);
		job.target.lower = lower;
		job.target.n_lower++;
		job.target.upper = NULL;
	}
	struct unpack_report rep;
	r = jobs_run_wait(c->engine, &job, -1, -1, a, &rep, e);
	if (r < 0)
		return r;
	if (!rep.user)
		return err_set(e, EIO, "looking up user %s gave nothing", str_or(user, "root"));
	*ret = (struct spec_user){ .uid = rep.user->uid, .gid = rep.user->gid, .gids = rep.user->gids, .n_gids = rep.user->n_gids,
		.home = str_or(rep.user->home, "/") };
	return 0;
}
