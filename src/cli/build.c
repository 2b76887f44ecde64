/* SPDX-License-Identifier: Apache-2.0 */
/* build: packs the context, sends it, shows what the engine answers (classic text). */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/rand.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/human.h"
#include "cli/image.h"
#include "cli/pack.h"
#include "cli/progress.h"
#include "cli/spec.h"
#include "cli/text.h"
#include "schema/tree.h"

struct build {
	struct cli *c;
	struct pack *pack;
	struct stream *body;          /* the whole context from standard input */
	const char *remote;
	const char *dockerfile;       /* its name in the context */
	struct slice dockerfile_text; /* from standard input or from outside the context */
	int64_t shown_at;
	bool tty;
	const char *id;
};

/* --- what to build --------------------------------------------------------------- */

static int read_stdin(struct build *b, struct buf *text, struct err *e)
{
	int r = fd_slurp(0, text);
	return r < 0 ? err_sys(e, r, "read standard input") : 0;
}

static bool is_remote(const char *s)
{
	return !strncmp(s, "http://", 7) || !strncmp(s, "https://", 8) || !strncmp(s, "git://", 6) || !strncmp(s, "git@", 4) ||
	       !strncmp(s, "github.com/", 11);
}

/* Magic numbers of tar, gzip, bzip2, xz, zstd; otherwise it is a Dockerfile. */
static bool looks_like_archive(struct slice s)
{
	return (s.len > 262 && memcmp(s.ptr + 257, "ustar", 5) == 0) || (s.len > 3 && memcmp(s.ptr, "\x1f\x8b", 2) == 0) ||
	       slice_starts(s, "BZh") || slice_starts(s, "\xfd" "7zXZ") || slice_starts(s, "\x28\xb5\x2f\xfd");
}

/* Context "-": an archive, or a Dockerfile alone. */
static int context_from_stdin(struct build *b, struct http_call *call, struct err *e)
{
	struct buf text = BUF_INIT(2UL << 30);
	int r = read_stdin(b, &text, e);

	if (r < 0)
		return r;
	if (looks_like_archive(buf_slice(&text))) {
		b->dockerfile = *flag_str(&b->c->f, "file") ? flag_str(&b->c->f, "file") : "Dockerfile";
		call->body = buf_slice(&text);
		return 0;
	}
	if (*flag_str(&b->c->f, "file"))
		return err_set(e, EINVAL, "ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles");
	b->dockerfile = "Dockerfile";
	r = pack_add_text(b->pack, "Dockerfile", buf_slice(&text));
	buf_release(&text);
	return r < 0 ? err_nomem(e) : 0;
}

static int outside(struct build *b, const char *path, struct err *e)
{
	struct buf text = BUF_INIT(64 << 20);
	char digits[17];
	int r = strcmp(path, "-") == 0 ? fd_slurp(0, &text) : file_read(AT_FDCWD, path, &text);

	if (r < 0)
		return err_set(e, -r, "unable to prepare context: unable to evaluate symlinks in Dockerfile path: lstat %s: %s", path,
			       r == -ENOENT ? "no such file or directory" : strerror(-r));
	rand_hex(digits, 8);
	b->dockerfile = cli_fmt(b->c, ".dockerfile.%s", digits);
	b->dockerfile_text = buf_slice(&text);
	return 0;
}

/* Finds the Dockerfile; sets its name in the context, or its text if it lies outside. */
static int find_dockerfile(struct build *b, const char *root, struct err *e)
{
	const char *flag = flag_str(&b->c->f, "file"), *given = *flag ? flag : cli_fmt(b->c, "%s/Dockerfile", root);
	char full[PATH_MAX], folder[PATH_MAX], *slash;
	size_t n = strlen(root);
	const char *absolute = given;
	char here[PATH_MAX];

	if (strcmp(flag, "-") == 0)
		return outside(b, "-", e);
	if (!*flag && access(given, F_OK) < 0 && access(cli_fmt(b->c, "%s/dockerfile", root), F_OK) == 0)
		given = cli_fmt(b->c, "%s/dockerfile", root);
	if (given[0] != '/' && getcwd(here, sizeof here))
		absolute = cli_fmt(b->c, "%s/%s", here, given);
	else
		absolute = given;
	if (access(given, F_OK) < 0) {
		char clean[PATH_MAX + 2];
		if (strlen(absolute) < PATH_MAX)
			path_clean(clean, absolute);
		return err_set(e, ENOENT, "unable to prepare context: unable to evaluate symlinks in Dockerfile path: lstat %.300s: no such file or directory",
			       clean);
	}
	/* the link itself may lie in the context although its target does not */
	fmt_into(folder, sizeof folder, "%s", absolute);
	slash = strrchr(folder, '/');
	*slash = 0;
	if (!realpath(*folder ? folder : "/", full))
		return err_sys(e, errno, "find %s", given);
	const char *inside = cli_fmt(b->c, "%s/%s", full, slash + 1);
	if (strncmp(inside, root, n) == 0 && inside[n] == '/') {
		b->dockerfile = inside + n + 1;
		return 0;
	}
	return outside(b, given, e);
}

static int read_ignore(struct build *b, const char *root, struct ignore *ret, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(4 << 20);
	int r = -ENOENT;

	*ret = (struct ignore){ 0 };
	if (!b->dockerfile_text.ptr)
		r = file_read(AT_FDCWD, cli_fmt(b->c, "%s/%s.dockerignore", root, b->dockerfile), &text);
	if (r == -ENOENT)
		r = file_read(AT_FDCWD, cli_fmt(b->c, "%s/.dockerignore", root), &text);
	if (r < 0)
		return r == -ENOENT ? 0 : err_sys(e, r, "read .dockerignore");
	if ((r = ignore_parse(&b->c->arena, buf_slice(&text), ret, e)) < 0)
		return r;
	/* the engine needs both, whatever the patterns say */
	if (ignore_matches(ret, ".dockerignore"))
		r = ignore_keep(&b->c->arena, ret, ".dockerignore");
	if (r >= 0 && !b->dockerfile_text.ptr && ignore_matches(ret, b->dockerfile))
		r = ignore_keep(&b->c->arena, ret, b->dockerfile);
	return r < 0 ? err_nomem(e) : 0;
}

static int context_from_folder(struct build *b, const char *path, struct err *e)
{
	char root[PATH_MAX];
	struct ignore ignore;
	struct stat st;
	int r;

	if (stat(path, &st) < 0)
		return err_set(e, ENOENT, "unable to prepare context: path \"%s\" not found", path);
	if (!realpath(path, root) || !S_ISDIR(st.st_mode))
		return err_set(e, ENOTDIR, "unable to prepare context: context must be a directory: %s", path);
	if ((r = find_dockerfile(b, root, e)) < 0 || (r = read_ignore(b, root, &ignore, e)) < 0)
		return r;
	if ((r = pack_add(b->pack, root, "", &ignore, false, e)) < 0)
		return err_prefix(e, "error checking context");
	if (b->dockerfile_text.ptr && pack_add_text(b->pack, b->dockerfile, b->dockerfile_text) < 0)
		return err_nomem(e);
	return 0;
}

/* --- how ------------------------------------------------------------------------- */

static void add_json(struct cli *c, struct target *t, const char *name, struct schema_ref type, const void *obj)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);

	if (schema_to_json(type, obj, 0, &text) == 0)
		target_add(t, name, text.ptr);
}

static void add_number(struct cli *c, struct target *t, const char *name, const char *flag)
{
	if (flag_num(&c->f, flag))
		target_add(t, name, cli_fmt(c, "%lld", (long long)flag_num(&c->f, flag)));
}

static void add_text(struct cli *c, struct target *t, const char *name, const char *flag)
{
	if (*flag_str(&c->f, flag))
		target_add(t, name, flag_str(&c->f, flag));
}

static void add_lists(struct cli *c, struct target *t)
{
	const struct flag_value *args = flag_list(&c->f, "build-arg"), *labels = flag_list(&c->f, "label"), *tags = flag_list(&c->f, "tag"),
				*hosts = flag_list(&c->f, "add-host"), *from = flag_list(&c->f, "cache-from"), *security = flag_list(&c->f, "security-opt");
	struct docker_build_args a = { 0 };
	struct docker_labels l = { 0 };
	struct docker_strings s = { 0 };

	a.items = arena_array(&c->arena, args->n + 1, sizeof *a.items);
	for (size_t i = 0; a.items && i < args->n; i++) {
		/* a bare name takes our value, and is null without one */
		const char *eq = strchr(args->v[i], '=');
		a.items[a.n_items].key = eq ? arena_dup(&c->arena, slice_n(args->v[i], (size_t)(eq - args->v[i]))) : args->v[i];
		a.items[a.n_items++].value = eq ? eq + 1 : getenv(args->v[i]);
	}
	add_json(c, t, "buildargs", T_docker_build_args, &a);
	for (size_t i = 0; i < labels->n; i++)
		pair_add(&c->arena, &l.items, &l.n_items, labels->v[i]);
	if (!l.items)
		l.items = arena_new(&c->arena, struct schema_pair);
	add_json(c, t, "labels", T_docker_labels, &l);
	text_list(from, &s.items, &s.n_items);
	if (s.n_items)
		add_json(c, t, "cachefrom", T_docker_strings, &s);
	text_list(security, &s.items, &s.n_items);
	if (s.n_items)
		add_json(c, t, "securityopt", T_docker_strings, &s);
	for (size_t i = 0; i < hosts->n; i++)
		target_add(t, "extrahosts", hosts->v[i]);
	for (size_t i = 0; i < tags->n; i++)
		target_add(t, "t", tags->v[i]);
}

static int add_ulimits(struct cli *c, struct target *t, struct err *e)
{
	const struct flag_value *f = flag_list(&c->f, "ulimit");
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);
	struct tree all = tree_list();

	for (size_t i = 0; i < f->n; i++) {
		struct docker_ulimit u = { 0 };
		struct tree one;
		int r = spec_ulimit(&c->arena, f->v[i], &u, e);
		if (r < 0 || (r = tree_from_struct(T_docker_ulimit, &u, &c->arena, &one, e)) < 0)
			return r;
		tree_append(&c->arena, &all, one);
	}
	if (f->n && tree_to_json(&all, 0, &text) == 0)
		target_add(t, "ulimits", text.ptr);
	return 0;
}

static int add_options(struct build *b, struct target *t, struct err *e)
{
	struct cli *c = b->c;
	const char *platform = flag_str(&c->f, "platform");

	add_lists(c, t);
	add_text(c, t, "cgroupparent", "cgroup-parent");
	add_number(c, t, "cpuperiod", "cpu-period");
	add_number(c, t, "cpuquota", "cpu-quota");
	add_number(c, t, "cpushares", "cpu-shares");
	add_text(c, t, "cpusetcpus", "cpuset-cpus");
	add_text(c, t, "cpusetmems", "cpuset-mems");
	if (b->dockerfile)
		target_add(t, "dockerfile", b->dockerfile);
	if (flag_bool(&c->f, "force-rm"))
		target_add(t, "forcerm", "1");
	add_number(c, t, "memory", "memory");
	add_number(c, t, "memswap", "memory-swap");
	add_text(c, t, "networkmode", "network");
	if (flag_bool(&c->f, "no-cache"))
		target_add(t, "nocache", "1");
	if (!*platform && getenv("DOCKER_DEFAULT_PLATFORM"))
		platform = getenv("DOCKER_DEFAULT_PLATFORM");
	if (*platform)
		target_add(t, "platform", platform);
	if (flag_bool(&c->f, "pull"))
		target_add(t, "pull", "1");
	if (flag_bool(&c->f, "quiet"))
		target_add(t, "q", "1");
	if (b->remote)
		target_add(t, "remote", b->remote);
	target_add(t, "rm", flag_bool(&c->f, "rm") ? "1" : "0");
	add_number(c, t, "shmsize", "shm-size");
	if (flag_bool(&c->f, "squash"))
		target_add(t, "squash", "1");
	add_text(c, t, "target", "target");
	target_add(t, "version", "1");
	return add_ulimits(c, t, e);
}

/* --- doing it ---------------------------------------------------------------------- */

static void show_sent(struct build *b, const char *end)
{
	char size[HUMAN_MAX];

	human_size(size, (double)pack_bytes(b->pack), 4);
	cli_print(b->c, "Sending build context to Docker daemon %8s\r%s", size, end);
	cli_flush(b->c);
}

static void on_progress(void *arg, int64_t bytes)
{
	struct build *b = arg;
	int64_t now = clock_monotonic_ns();

	if (!b->tty || now - b->shown_at < 100 * NS_PER_MS)
		return;
	b->shown_at = now;
	show_sent(b, "");
}

static void on_aux(struct cli_progress *p, struct slice json)
{
	struct build *b = p->user;
	struct docker_build_result result = { 0 };

	if (schema_from_json(T_docker_build_result, json, SCHEMA_FOLD_CASE, &p->c->arena, &result, NULL) == 0 && result.id && *result.id)
		b->id = result.id;
}

static int answer(struct build *b, struct http_call *call, struct err *e)
{
	struct cli *c = b->c;
	bool quiet = flag_bool(&c->f, "quiet");
	AUTO(buf) struct buf text = BUF_INIT(16 << 20);
	const char *iidfile = flag_str(&c->f, "iidfile");
	struct cli_progress p;
	int r;

	cli_progress_init(&p, c, quiet ? -1 : 1);
	p.aux = on_aux;
	p.user = b;
	p.text = quiet ? &text : NULL;
	r = cli_progress_copy_wait(&p, call, e);
	if (r < 0) {
		if (quiet)
			fd_write_all(2, text.ptr, text.len);
		if (p.error_code)
			c->exit_code = (int)(p.error_code & 0xff);
		return r;
	}
	if (quiet) {
		struct slice id = slice_trim(buf_slice(&text));
		if (!b->id && slice_starts(id, "sha256:"))
			b->id = arena_dup(&c->arena, id);
		cli_print(c, "%.*s", (int)text.len, text.ptr);
	}
	if (*iidfile) {
		if (!b->id)
			return err_set(e, EIO, "server did not provide an image ID. Cannot write %s", iidfile);
		return file_write_atomic(AT_FDCWD, iidfile, slice_of(b->id), 0666, e);
	}
	return 0;
}

static int send_build(struct build *b, struct http_call *call, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;
	struct cli *c = b->c;
	const char *auths;
	bool packed = !b->remote && !call->body.ptr;
	int r;

	buf_adds(&t.b, "/build");
	if ((r = add_options(b, &t, e)) < 0 || (r = auth_all_header_wait(c, &auths, e)) < 0)
		return r;
	call->method = "POST";
	call->target = t.b.ptr;
	call->body_length = -1;
	if (packed) {
		call->body_stream = pack_stream(b->pack);
		pack_on_progress(b->pack, on_progress, b);
	}
	call_header(c, call, "Content-Type", "application/x-tar");
	call_header(c, call, "X-Registry-Config", auths);
	r = api_open_wait(c, call, e);
	if (packed && pack_error(b->pack))
		return err_set(e, EIO, "error checking context: %s", pack_error(b->pack)->text);
	if (packed && pack_bytes(b->pack) && !flag_bool(&c->f, "quiet"))
		show_sent(b, "\r\n");
	if (r < 0)
		return r;
	r = answer(b, call, e);
	http_call_release(call);
	return r;
}

int cmd_build(struct cli *c, struct err *e)
{
	struct build b = { .c = c, .tty = isatty(1) && !flag_bool(&c->f, "quiet") };
	const char *context = cli_arg(c, 0), *iidfile = flag_str(&c->f, "iidfile");
	struct http_call call = { 0 };
	int r;

	if (*iidfile)
		unlink(iidfile);
	if (strcmp(context, "-") == 0 && strcmp(flag_str(&c->f, "file"), "-") == 0)
		return err_set(e, EINVAL, "invalid argument: can't use stdin for both build context and dockerfile");
	if (pack_new(c->loop, &b.pack) < 0)
		return err_nomem(e);
	if (strcmp(context, "-") == 0) {
		r = context_from_stdin(&b, &call, e);
	} else if (is_remote(context)) {
		b.remote = context;
		b.dockerfile = *flag_str(&c->f, "file") ? flag_str(&c->f, "file") : NULL;
		r = 0;
	} else {
		r = context_from_folder(&b, context, e);
	}
	if (r >= 0)
		r = send_build(&b, &call, e);
	pack_free(b.pack);
	return r;
}
