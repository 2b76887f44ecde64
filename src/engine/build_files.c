/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a build: the context as a folder, COPY and ADD as unpack jobs
 * into a new upper folder over the parent's layers, which then is the layer.
 */
#include "engine/build_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "api/unpack.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "codec/compress.h"
#include "codec/ignore.h"
#include "engine/feed.h"

int building_context_wait(struct engine_building *b, struct err *e)
{
	int r = dir_make(AT_FDCWD, b->context, 0700);
	if (r < 0)
		return err_sys(e, r, "make a folder for the build context");
	struct unpack_job job = { .op = "extract", .target.dir = b->context, .path = "/" };
	struct unpack_report report;
	r = feed_job_wait(b->eng, &job, b->how->context, &b->a, &report, e);
	return r < 0 ? err_prefix(e, "unpack the build context") : 0;
}

/* Opens a path of the context, links resolved inside it. fd or -errno. */
static int open_in_context(struct engine_building *b, const char *path, uint64_t flags, struct stat *st)
{
	AUTO(close) int dir = open(b->context, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO(close) int fd = dir < 0 ? -errno : path_open_in_root(dir, path, flags, 0);
	return fd < 0 ? fd : fstat(fd, st) < 0 ? -errno : take_fd(&fd);
}

static int remove_from_context(struct engine_building *b, const char *name)
{
	struct stat st;
	const char *base = path_base(name);
	AUTO(free) char *folder = strndup(name, (size_t)(base - name));
	if (!folder)
		return -ENOMEM;
	AUTO(close) int dir = open_in_context(b, *folder ? folder : ".", O_PATH | O_DIRECTORY, &st);
	return dir < 0 ? dir : unlinkat(dir, base, 0) < 0 ? -errno : 0;
}

/* The client sends the Dockerfile and .dockerignore also when they are ignored: COPY must not see them then. */
static int forget_ignored(struct engine_building *b, const char *dockerfile, struct err *e)
{
	const char *names[] = { dockerfile, ".dockerignore" };
	struct ignore ignored;
	struct stat st;
	AUTO(close) int fd = open_in_context(b, ".dockerignore", O_RDONLY | O_NONBLOCK, &st);
	if (fd < 0 || !S_ISREG(st.st_mode))
		return 0;
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);
	int r = fd_slurp(fd, &text);
	if (r < 0)
		return err_sys(e, r, "read .dockerignore");
	r = ignore_parse(&b->a, buf_slice(&text), &ignored, e);
	for (int i = 0; r == 0 && i < 2; i++) {
		AUTO(free) char *clean = malloc(strlen(names[i]) + 2);
		if (!clean)
			return err_nomem(e);
		path_clean(clean, names[i]);
		r = ignore_matches(&ignored, clean) ? remove_from_context(b, clean) : 0;
		r = r < 0 && r != -ENOENT ? err_sys(e, r, "remove the ignored %s", clean) : 0;
	}
	return r;
}

int building_dockerfile(struct engine_building *b, struct slice *ret, struct err *e)
{
	const char *name = str_or(b->how->dockerfile, "Dockerfile");
	struct stat st;
	AUTO(close) int fd = open_in_context(b, name, O_RDONLY | O_NONBLOCK, &st);
	if (fd < 0 || !S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "Cannot locate specified Dockerfile: %s", name);
	AUTO(buf) struct buf text = BUF_INIT(8 << 20);
	int r = fd_slurp(fd, &text);
	if (r < 0)
		return err_sys(e, r, "read %s", name);
	if (!slice_trim(buf_slice(&text)).len)
		return err_set(e, EINVAL, "the Dockerfile (%s) cannot be empty", name);
	char *copy = arena_dup(&b->a, buf_slice(&text));
	if (!copy)
		return err_nomem(e);
	*ret = slice_n(copy, text.len);
	return forget_ignored(b, name, e);
}

/* --- a new layer over a parent ---------------------------------------------------- */

/* Fresh upper and work folders; the target of jobs that write into the layer. */
static int new_layer(struct engine_building *b, const char *parent, struct unpack_root *ret, struct err *e)
{
	unsigned n = b->n_layers++;
	char *upper = arena_fmt(&b->a, "%s/layer%u", b->dir, n), *work = arena_fmt(&b->a, "%s/work%u", b->dir, n);
	if (!upper || !work)
		return err_nomem(e);
	if (mkdir(upper, 0755) < 0 || mkdir(work, 0700) < 0)
		return err_sys(e, errno, "make a folder for a layer");
	*ret = (struct unpack_root){ 0 };
	int r = parent[0] ? jobs_image_root(b->eng, parent, &b->a, ret, e) : 0;
	if (r < 0)
		return r;
	if (!ret->n_lower) {
		*ret = (struct unpack_root){ .dir = upper };
	} else {
		ret->upper = upper;
		ret->work = work;
	}
	return 0;
}

static int finish_layer_wait(struct engine_building *b, const struct unpack_root *root, struct build_layer **ret, struct err *e)
{
	struct image_layer *l;
	int r = image_layer_from_dir_wait(engine_images(b->eng), root->upper ? root->upper : root->dir, true, &l, e);
	if (r == 0)
		*ret = (struct build_layer *)l;
	return r;
}

static int run_job_wait(struct engine_building *b, const struct unpack_job *job, struct unpack_report *report, struct err *e)
{
	return jobs_run_wait(b->eng, job, -1, -1, &b->a, report, e);
}

/* --- where the sources are -------------------------------------------------------- */

/* Here-documents become files of a folder of their own, so that they are copied like others. */
static int write_inlines(struct engine_building *b, const struct build_copy *c, const char **dir, struct err *e)
{
	*dir = arena_fmt(&b->a, "%s/inline%u", b->dir, b->n_layers++);
	if (!*dir)
		return err_nomem(e);
	if (mkdir(*dir, 0700) < 0)
		return err_sys(e, errno, "make a folder for a here-document");
	AUTO(close) int fd = open(*dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < c->n_inlines; i++) {
		if (!path_is_name(slice_of(c->inlines[i].name)))
			return err_set(e, EINVAL, "invalid here-document name \"%s\"", c->inlines[i].name);
		AUTO(close) int f = openat(fd, c->inlines[i].name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
		int r = f < 0 ? -errno : fd_write_all(f, c->inlines[i].text, strlen(c->inlines[i].text));
		if (r < 0)
			return err_sys(e, r, "write the here-document %s", c->inlines[i].name);
	}
	return 0;
}

static int source_root(struct engine_building *b, const struct build_copy *c, struct unpack_root *ret, struct err *e)
{
	*ret = (struct unpack_root){ 0 };
	if (c->from_image)
		return jobs_image_root(b->eng, c->from_image, &b->a, ret, e);
	ret->dir = b->context;
	return 0;
}

static int check_sources(const struct build_copy *c, struct err *e)
{
	for (size_t i = 0; i < c->n_sources; i++) {
		const char *s = c->sources[i];
		if (strncmp(s, "http://", 7) && strncmp(s, "https://", 8) && strncmp(s, "git@", 4))
			continue;
		if (!c->is_add)
			return err_set(e, EINVAL, "source can't be a URL for COPY");
		return err_set(e, EOPNOTSUPP, "ADD %s: fetching a URL is not supported; use RUN with a download tool of the image", s);
	}
	return 0;
}

/* "file", "dir" or "multi", as the history shows them. */
static const char *source_kind(struct engine_building *b, const struct build_copy *c)
{
	struct stat st;
	if (c->n_sources + c->n_inlines > 1)
		return "multi";
	AUTO(close) int fd = c->from_image || !c->n_sources ? -1 : open_in_context(b, c->sources[0], O_PATH, &st);
	return fd >= 0 && S_ISDIR(st.st_mode) ? "dir" : "file";
}

static int sum_wait(struct engine_building *b, struct unpack_root root, const char *const *paths, size_t n, struct buf *out, struct err *e)
{
	struct unpack_report report;
	struct unpack_job job = { .op = "sum", .target = root, .source_dir = "/", .paths = (const char **)paths, .n_paths = (uint32_t)n };
	int r = run_job_wait(b, &job, &report, e);
	if (r < 0)
		return r;
	struct slice hex = slice_of(str_or(report.digest, ""));
	if (slice_starts(hex, "sha256:"))
		hex = slice_n(hex.ptr + 7, hex.len - 7);
	return buf_addslice(out, hex);
}

int building_copy_sum_wait(void *arg, const struct build_copy *c, char *sum, size_t size, struct err *e)
{
	static const char *const all[] = { "." };
	struct engine_building *b = arg;
	struct unpack_root root;
	AUTO(buf) struct buf text = BUF_INIT(512);
	int r = check_sources(c, e);
	buf_addf(&text, "%s:", source_kind(b, c));
	if (r == 0 && c->n_sources) {
		r = source_root(b, c, &root, e);
		if (r == 0)
			r = sum_wait(b, root, c->sources, c->n_sources, &text, e);
	}
	if (r == 0 && c->n_inlines) {
		root = (struct unpack_root){ 0 };
		r = write_inlines(b, c, &root.dir, e);
		if (r == 0)
			r = sum_wait(b, root, all, 1, &text, e);
	}
	if (r < 0)
		return err_prefix(e, "%s failed", c->is_add ? "ADD" : "COPY");
	return fmt_into(sum, size, "%s", text.ptr) ? 0 : err_set(e, EINVAL, "the checksum of the sources is too long");
}

/* --- ADD: archives of the context are unpacked ------------------------------------------- */

/* A file of the context that is an archive: its descriptor, or -1. */
static int open_archive(struct engine_building *b, const struct build_copy *c, const char *source)
{
	char start[512];
	struct stat st;
	if (!c->is_add || c->from_image)
		return -1;
	AUTO(close) int fd = open_in_context(b, source, O_RDONLY | O_NONBLOCK, &st);
	if (fd < 0 || !S_ISREG(st.st_mode))
		return -1;
	ssize_t n = pread(fd, start, sizeof start, 0);
	if (n < COMPRESSION_MAGIC_BYTES)
		return -1;
	bool packed = compression_detect(slice_n(start, (size_t)n)) != COMPRESSION_NONE;
	bool tar = n == sizeof start && !memcmp(start + 257, "ustar", 5);
	return packed || tar ? take_fd(&fd) : -1;
}

/* Takes fd. */
static int add_archive_wait(struct engine_building *b, const struct build_copy *c, struct unpack_root target, int fd, struct err *e)
{
	struct unpack_report report;
	struct stream *in;
	const char *path = c->destination;
	int r = stream_from_fd(b->eng->loop, fd, &in);
	if (r < 0) {
		close(fd);
		return err_sys(e, r, "open an archive of the context");
	}
	struct unpack_job make = { .op = "mkdir", .target = target, .paths = &path, .n_paths = 1 };
	struct unpack_job job = { .op = "extract", .target = target, .path = path, .chown = c->chown };
	r = run_job_wait(b, &make, &report, e);
	if (r == 0)
		r = feed_job_wait(b->eng, &job, in, &b->a, &report, e);
	stream_close(in);
	return r;
}

static int copy_plain_wait(struct engine_building *b, const struct build_copy *c, struct unpack_root target, struct unpack_root source,
			   const char *const *paths, uint32_t n, struct err *e)
{
	struct unpack_report report;
	struct unpack_job job = { .op = "copy", .target = target, .source = &source, .source_dir = "/", .paths = (const char **)paths, .n_paths = n,
				  .path = c->destination, .chown = c->chown, .keep_owner = c->from_image && !c->chown };
	int64_t mode;
	uint64_t bits;
	if (c->chmod) {
		if (num_parse_base(slice_of(c->chmod), 8, 07777, &bits) < 0)
			return err_set(e, EINVAL, "invalid --chmod \"%s\": an octal mode is expected", c->chmod);
		mode = (int64_t)bits;
		job.chmod = &mode;
	}
	return run_job_wait(b, &job, &report, e);
}

static int copy_sources_wait(struct engine_building *b, const struct build_copy *c, struct unpack_root target, struct err *e)
{
	struct unpack_root source;
	const char **plain = arena_array(&b->a, c->n_sources, sizeof *plain);
	uint32_t n = 0;
	int r = plain ? source_root(b, c, &source, e) : err_nomem(e);
	for (size_t i = 0; r == 0 && i < c->n_sources; i++) {
		int fd = open_archive(b, c, c->sources[i]);
		if (fd < 0)
			plain[n++] = c->sources[i];
		else
			r = add_archive_wait(b, c, target, fd, e);
	}
	if (r == 0 && n)
		r = copy_plain_wait(b, c, target, source, plain, n, e);
	if (r == 0 && c->n_inlines) {
		const char *all = ".";
		source = (struct unpack_root){ 0 };
		r = write_inlines(b, c, &source.dir, e);
		if (r == 0)
			r = copy_plain_wait(b, c, target, source, c->n_inlines == 1 ? &c->inlines[0].name : &all, 1, e);
	}
	return r;
}

int building_copy_wait(void *arg, const char *parent, const struct build_copy *c, struct build_layer **ret, struct err *e)
{
	struct engine_building *b = arg;
	struct unpack_root target;
	int r = new_layer(b, parent, &target, e);
	if (r == 0)
		r = copy_sources_wait(b, c, target, e);
	if (r < 0)
		return err_prefix(e, "%s failed", c->is_add ? "ADD" : "COPY");
	return finish_layer_wait(b, &target, ret, e);
}

int building_mkdir_wait(void *arg, const char *parent, const char *path, struct build_layer **ret, struct err *e)
{
	struct engine_building *b = arg;
	struct unpack_root target;
	struct unpack_report report;
	int r = new_layer(b, parent, &target, e);
	if (r < 0)
		return r;
	struct unpack_job job = { .op = "mkdir", .target = target, .paths = &path, .n_paths = 1 };
	r = run_job_wait(b, &job, &report, e);
	return r < 0 ? r : finish_layer_wait(b, &target, ret, e);
}
