/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cp: files between a container and this machine, as tar both ways. Where a
 * copy lands follows `cp -a`: into a folder that exists, else under the new
 * name; a source that ends in "/." stands for what is in it.
 */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include "base/fd.h"
#include "base/path.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/human.h"
#include "cli/image.h"
#include "cli/pack.h"
#include "cli/unpack.h"
#include "codec/base64.h"

enum { GO_DIR = 0x80000000u, GO_LINK = 0x08000000u };

struct side { const char *container, *path; };

/* "name:/path"; a colon behind a slash or at the second place of a path is part of it */
static struct side split(struct cli *c, const char *arg)
{
	const char *colon = strchr(arg, ':');

	if (arg[0] == '/' || arg[0] == '.' || !colon || colon == arg)
		return (struct side){ NULL, arg };
	return (struct side){ arena_dup(&c->arena, slice_n(arg, (size_t)(colon - arg))), colon + 1 };
}

static const char *clean(struct cli *c, const char *path)
{
	char *out = arena_alloc(&c->arena, strlen(path) + 4);

	if (!out)
		return path;
	path_clean(out, path);
	return out;
}

static bool is_contents(const char *path)
{
	size_t n = strlen(path);
	return strcmp(path, ".") == 0 || (n >= 2 && strcmp(path + n - 2, "/.") == 0);
}

static bool ends_in_slash(const char *path)
{
	size_t n = strlen(path);
	return n && path[n - 1] == '/';
}

static const char *parent_of(struct cli *c, const char *path)
{
	const char *slash = strrchr(path, '/');
	if (!slash)
		return ".";
	return slash == path ? "/" : arena_dup(&c->arena, slice_n(path, (size_t)(slash - path)));
}

static int parse_stat(struct cli *c, const struct http_call *call, struct docker_path_stat *ret, struct err *e)
{
	AUTO(buf) struct buf json = BUF_INIT(1 << 20);

	if (base64_decode(&json, http_header_get(&call->reply_headers, "X-Docker-Container-Path-Stat")) < 0)
		return err_set(e, EBADMSG, "unable to decode container path stat header");
	return schema_from_json(T_docker_path_stat, buf_slice(&json), SCHEMA_FOLD_CASE, &c->arena, ret, e);
}

static int stat_in_container(struct cli *c, const struct side *s, const char *path, struct docker_path_stat *ret, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;
	struct http_call call = { .method = "HEAD" };
	int r;

	buf_addf(&t.b, "/containers/%s/archive", api_esc(c, s->container));
	target_add(&t, "path", path);
	call.target = t.b.ptr;
	if ((r = api_open_wait(c, &call, e)) < 0)
		return r;
	r = parse_stat(c, &call, ret, e);
	http_call_release(&call);
	return r;
}

static void say(struct cli *c, int64_t bytes, const char *to)
{
	char size[HUMAN_MAX];

	if (flag_bool(&c->f, "quiet") || !isatty(2))
		return;
	human_size(size, (double)bytes, 3);
	cli_warn(c, "Successfully copied %s to %s", size, to);
}

/* --- out of a container ------------------------------------------------------------ */

static ssize_t read_call(void *arg, void *p, size_t n)
{
	return http_call_read_wait(arg, p, n);
}

/* Where on this machine the top of the archive goes: a folder, and its name there ("" for its contents). */
static int local_target(struct cli *c, const char *dst, bool src_dir, bool contents, const char *src_name, const char **folder,
			const char **name, struct err *e)
{
	struct stat st;
	bool exists = stat(dst, &st) == 0;

	if (exists && S_ISDIR(st.st_mode)) {
		*folder = dst;
		*name = contents && src_dir ? "" : src_name;
		return 0;
	}
	if (exists && src_dir)
		return err_set(e, ENOTDIR, "cannot copy directory");
	if (ends_in_slash(dst) && !src_dir)
		return err_set(e, exists ? ENOTDIR : ENOENT, exists ? "not a directory" : "no such directory");
	const char *tidy = clean(c, dst);
	*folder = parent_of(c, tidy);
	*name = path_base(tidy);
	if (stat(*folder, &st) < 0)
		return err_set(e, ENOENT, "invalid output path: directory \"%s\" does not exist", *folder);
	return 0;
}

static int copy_out(struct cli *c, const struct side *src, const char *dst, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;
	struct http_call call = { .method = "GET" };
	struct docker_path_stat st = { 0 };
	const char *path = src->path, *folder = "", *name = "";
	struct unpack x = { .owner = flag_bool(&c->f, "archive") };
	int r;

	if (flag_bool(&c->f, "follow-link") && stat_in_container(c, src, path, &st, NULL) == 0 && (st.mode & GO_LINK) && st.link_target)
		path = st.link_target[0] == '/' ? st.link_target : cli_fmt(c, "%s/%s", parent_of(c, path), st.link_target);
	buf_addf(&t.b, "/containers/%s/archive", api_esc(c, src->container));
	target_add(&t, "path", *path ? path : "/");
	call.target = t.b.ptr;
	if ((r = api_open_wait(c, &call, e)) < 0)
		return r;
	if (strcmp(dst, "-") == 0) {
		r = api_copy_wait(c, &call, 1, e);
		http_call_release(&call);
		return r;
	}
	if ((r = parse_stat(c, &call, &st, e)) == 0)
		r = local_target(c, dst, st.mode & GO_DIR, is_contents(path), path_base(clean(c, src->path)), &folder, &name, e);
	if (r == 0) {
		x.read = read_call;
		x.arg = &call;
		x.rename = strcmp(name, "/") == 0 ? "" : name;
		r = unpack_run_wait(&x, folder, e);
	}
	http_call_release(&call);
	if (r == 0)
		say(c, x.bytes, dst);
	return r;
}

/* --- into a container --------------------------------------------------------------- */

static int put_archive(struct cli *c, const struct side *dst, const char *folder, struct stream *body, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;
	struct http_call call = { .method = "PUT", .body_stream = body, .body_length = -1 };
	int r;

	buf_addf(&t.b, "/containers/%s/archive", api_esc(c, dst->container));
	target_add(&t, "noOverwriteDirNonDir", "true");
	if (flag_bool(&c->f, "archive"))
		target_add(&t, "copyUIDGID", "true");
	target_add(&t, "path", folder);
	call.target = t.b.ptr;
	call_header(c, &call, "Content-Type", "application/x-tar");
	if ((r = api_open_wait(c, &call, e)) < 0)
		return r;
	http_call_release(&call);
	return 0;
}

static int copy_in(struct cli *c, const char *src, const struct side *dst, struct err *e)
{
	struct docker_path_stat there = { 0 };
	const char *path = *dst->path ? dst->path : "/", *folder = path, *name;
	struct err ignored = { 0 };
	struct stat st;
	struct pack *pack;
	char real[PATH_MAX];
	int r;

	bool exists = stat_in_container(c, dst, path, &there, &ignored) == 0;
	if (!exists && ignored.code != ENOENT) {
		*e = ignored;
		return -e->code;
	}
	if (exists && (there.mode & GO_LINK) && there.link_target && *there.link_target) {
		path = there.link_target[0] == '/' ? there.link_target : cli_fmt(c, "%s/%s", parent_of(c, path), there.link_target);
		exists = stat_in_container(c, dst, path, &there, &ignored) == 0;
	}
	c->long_error = NULL;
	if (strcmp(src, "-") == 0) {
		struct stream *in;
		if (!exists || !(there.mode & GO_DIR))
			return err_set(e, ENOTDIR, "destination \"%s:%s\" must be a directory", dst->container, dst->path);
		return image_input_stream(c, 0, &in, e) < 0 ? -e->code : put_archive(c, dst, path, in, e);
	}
	if ((flag_bool(&c->f, "follow-link") || ends_in_slash(src) || is_contents(src)) && realpath(src, real) && !is_contents(src))
		r = lstat(real, &st), name = path_base(clean(c, src)), src = cli_fmt(c, "%s", real);
	else
		r = lstat(src, &st), name = path_base(clean(c, src));
	if (r < 0)
		return err_set(e, errno, "lstat %s: %s", src, errno == ENOENT ? "no such file or directory" : strerror(errno));
	bool dir = S_ISDIR(st.st_mode);
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "/") == 0)
		name = realpath(src, real) ? cli_fmt(c, "%s", path_base(real)) : name;
	if (exists && (there.mode & GO_DIR)) {
		folder = path;
		if (dir && is_contents(src))
			name = "";
	} else if (exists && dir) {
		return err_set(e, ENOTDIR, "cannot copy directory");
	} else {
		if (!exists && ends_in_slash(path) && !dir)
			return err_set(e, ENOENT, "no such directory");
		folder = parent_of(c, clean(c, path));
		name = path_base(clean(c, path));
	}
	if (pack_new(c->loop, &pack) < 0)
		return err_nomem(e);
	r = pack_add(pack, src, name, NULL, true, e);
	if (r == 0)
		r = put_archive(c, dst, folder, pack_stream(pack), e);
	if (pack_error(pack))
		r = err_set(e, EIO, "%s", pack_error(pack)->text);
	if (r == 0)
		say(c, pack_bytes(pack), cli_fmt(c, "%s:%s", dst->container, dst->path));
	pack_free(pack);
	return r;
}

int cmd_cp(struct cli *c, struct err *e)
{
	struct side from = split(c, cli_arg(c, 0)), to = split(c, cli_arg(c, 1));

	if (!*cli_arg(c, 0))
		return err_set(e, EINVAL, "source can not be empty");
	if (!*cli_arg(c, 1))
		return err_set(e, EINVAL, "destination can not be empty");
	if (from.container && to.container)
		return err_set(e, EINVAL, "copying between containers is not supported");
	if (from.container)
		return copy_out(c, &from, to.path, e);
	if (to.container)
		return copy_in(c, from.path, &to, e);
	return err_set(e, EINVAL, "must specify at least one container source");
}
