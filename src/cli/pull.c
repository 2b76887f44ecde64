/* SPDX-License-Identifier: Apache-2.0 */
/* pull, push, and the pull inside run and create. */
#include "cli/pull.h"
#include <fcntl.h>
#include "base/fd.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/create.h"
#include "cli/human.h"
#include "cli/progress.h"
#include "cli/spec.h"

const char *pull_familiar(struct cli *c, const char *image)
{
	struct image_name n = spec_image(image);
	const char *repo;

	if (!spec_reference_ok(image))
		return NULL;
	repo = spec_familiar(&c->arena, n.repo);
	if (n.digest.len && n.tag.len)
		return cli_fmt(c, "%s:%.*s@%.*s", repo, SLICE_FMT(n.tag), SLICE_FMT(n.digest));
	if (n.digest.len)
		return cli_fmt(c, "%s@%.*s", repo, SLICE_FMT(n.digest));
	return n.tag.len ? cli_fmt(c, "%s:%.*s", repo, SLICE_FMT(n.tag)) : cli_fmt(c, "%s:latest", repo);
}

int pull_image_wait(struct cli *c, const char *image, const char *platform, bool all_tags, int fd, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;
	struct image_name n = spec_image(image);
	struct http_call call = { .method = "POST" };
	struct cli_progress p;
	const char *auth;
	int r;

	buf_adds(&t.b, "/images/create");
	target_add(&t, "fromImage", spec_full_repo(&c->arena, n.repo));
	if (!all_tags)
		target_add(&t, "tag", n.digest.len ? arena_dup(&c->arena, n.digest) : n.tag.len ? arena_dup(&c->arena, n.tag) : "latest");
	if (*platform)
		target_add(&t, "platform", platform);
	call.target = t.b.ptr;
	if ((r = auth_header_wait(c, image, &auth, e)) < 0)
		return r;
	call_header(c, &call, "X-Registry-Auth", auth);
	if ((r = api_open_wait(c, &call, e)) < 0)
		return r;
	cli_progress_init(&p, c, fd);
	r = cli_progress_copy_wait(&p, &call, e);
	http_call_release(&call);
	return r;
}

int cmd_pull(struct cli *c, struct err *e)
{
	const char *image = cli_arg(c, 0), *name = pull_familiar(c, image), *platform = flag_str(&c->f, "platform");
	struct image_name n = spec_image(image);
	bool all = flag_bool(&c->f, "all-tags"), quiet = flag_bool(&c->f, "quiet");
	int r;

	if (!name)
		return err_set(e, EINVAL, "%s", spec_reference_error(&c->arena, image));
	if (all && (n.tag.len || n.digest.len))
		return err_set(e, EINVAL, "tag can't be used with --all-tags/-a");
	if (!*platform && getenv("DOCKER_DEFAULT_PLATFORM"))
		platform = getenv("DOCKER_DEFAULT_PLATFORM");
	if (!all && !n.tag.len && !n.digest.len && !quiet)
		cli_print(c, "Using default tag: latest\n");
	cli_flush(c);
	if ((r = pull_image_wait(c, image, platform, all, quiet ? -1 : 1, e)) < 0)
		return r;
	const char *full = spec_full_repo(&c->arena, n.repo);
	if (n.digest.len)
		cli_print(c, "%s@%.*s\n", full, SLICE_FMT(n.digest));
	else if (all)
		cli_print(c, "%s\n", full);
	else
		cli_print(c, "%s:%s\n", full, n.tag.len ? arena_dup(&c->arena, n.tag) : "latest");
	return 0;
}

int cmd_push(struct cli *c, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;
	const char *image = cli_arg(c, 0), *auth, *repo;
	struct image_name n = spec_image(image);
	struct http_call call = { .method = "POST" };
	bool all = flag_bool(&c->f, "all-tags"), quiet = flag_bool(&c->f, "quiet");
	struct cli_progress p;
	int r;

	if (!spec_reference_ok(image))
		return err_set(e, EINVAL, "%s", spec_reference_error(&c->arena, image));
	if (n.digest.len)
		return err_set(e, EINVAL, "cannot push a digest reference");
	if (all && n.tag.len)
		return err_set(e, EINVAL, "tag can't be used with --all-tags/-a");
	repo = spec_full_repo(&c->arena, n.repo);
	const char *tag = n.tag.len ? arena_dup(&c->arena, n.tag) : "latest";
	if (!all && !n.tag.len && !quiet)
		cli_print(c, "Using default tag: latest\n");
	cli_flush(c);
	if ((r = auth_header_wait(c, image, &auth, e)) < 0)
		return r;
	buf_addf(&t.b, "/images/%s/push", api_esc(c, repo));
	if (!all)
		target_add(&t, "tag", tag);
	if (*flag_str(&c->f, "platform"))
		target_add(&t, "platform", cli_fmt(c, "{\"os\":\"%s\"}", flag_str(&c->f, "platform")));
	call.target = t.b.ptr;
	call_header(c, &call, "X-Registry-Auth", auth);
	if ((r = api_open_wait(c, &call, e)) < 0)
		return r;
	cli_progress_init(&p, c, quiet ? -1 : 1);
	r = cli_progress_copy_wait(&p, &call, e);
	http_call_release(&call);
	if (r == 0 && quiet)
		cli_print(c, all ? "%s\n" : "%s:%s\n", repo, tag);
	return r;
}

/* --- create with its pull ------------------------------------------------------- */

static int create_once_wait(struct cli *c, struct create *x, const char *platform, struct docker_container_created *ret, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;
	const char *name = flag_str(&c->f, "name");

	buf_adds(&t.b, "/containers/create");
	if (*name)
		target_add(&t, "name", name);
	if (*platform)
		target_add(&t, "platform", platform);
	return api_json_wait(c, "POST", t.b.ptr, T_docker_container_create, &x->body, T_docker_container_created, ret, e);
}

static int write_cidfile(const char *path, const char *id, struct err *e)
{
	return file_write_atomic(AT_FDCWD, path, slice_of(id), 0644, e);
}

int create_send_wait(struct cli *c, struct create *x, const char **ret_id, struct err *e)
{
	const char *pull = flag_str(&c->f, "pull"), *cidfile = flag_str(&c->f, "cidfile"), *platform = flag_str(&c->f, "platform");
	const char *name = pull_familiar(c, x->image);
	struct docker_container_created done = { 0 };
	int fd = flag_bool(&c->f, "quiet") ? -1 : 2, r;

	if (strcmp(pull, "always") && strcmp(pull, "missing") && strcmp(pull, "never"))
		return err_set(e, EINVAL, "invalid pull option: '%s': must be one of \"always\", \"missing\" or \"never\"", pull);
	if (!*platform && getenv("DOCKER_DEFAULT_PLATFORM"))
		platform = getenv("DOCKER_DEFAULT_PLATFORM");
	if (*cidfile && access(cidfile, F_OK) == 0)
		return err_set(e, EEXIST, "container ID file found, make sure the other container isn't running or delete %s", cidfile);
	if (!name && strlen(x->image) != 64)
		return err_set(e, EINVAL, "%s", spec_reference_error(&c->arena, x->image));
	if (strcmp(pull, "always") == 0 && name && (r = pull_image_wait(c, x->image, platform, false, fd, e)) < 0)
		return r;
	r = create_once_wait(c, x, platform, &done, e);
	if (r == -ENOENT && name && strcmp(pull, "missing") == 0 && strstr(e->text, "o such image")) {
		if (fd >= 0)
			cli_warn(c, "Unable to find image '%s' locally", name);
		if ((r = pull_image_wait(c, x->image, platform, false, fd, e)) < 0)
			return r;
		r = create_once_wait(c, x, platform, &done, e);
	}
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < done.n_warnings; i++)
		cli_warn(c, "WARNING: %s", done.warnings[i]);
	*ret_id = done.id;
	return *cidfile ? write_cidfile(cidfile, done.id, e) : 0;
}

int cmd_create(struct cli *c, struct err *e)
{
	struct create *x = arena_new(&c->arena, struct create);
	const char *id;
	int r;

	if (!x)
		return err_nomem(e);
	if ((r = create_from_flags(c, x, e)) < 0 || (r = create_send_wait(c, x, &id, e)) < 0)
		return r;
	cli_print(c, "%s\n", id);
	return 0;
}
