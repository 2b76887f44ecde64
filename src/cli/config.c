/* SPDX-License-Identifier: Apache-2.0 */
/* config.json and contexts. See config.h. */
#include "cli/config.h"
#include <fcntl.h>
#include "base/fd.h"
#include "base/path.h"
#include "cli/config_int.h"
#include "codec/sha256.h"

const char *config_dir(struct cli *c)
{
	const char *dir = flag_str(&c->globals, "config"), *env = getenv("DOCKER_CONFIG"), *home = getenv("HOME");

	if (*dir)
		return dir;
	if (env && *env)
		return env;
	return cli_fmt(c, "%s/.docker", home && *home ? home : "/root");
}

struct docker_cli_config *config_get(struct cli *c)
{
	AUTO(buf) struct buf text = BUF_INIT(4 << 20);
	const char *path = cli_fmt(c, "%s/config.json", config_dir(c));
	struct err e = { 0 };
	int r;

	if (c->config)
		return c->config;
	c->config = arena_new(&c->arena, struct docker_cli_config);
	r = file_read(AT_FDCWD, path, &text);
	if (r == 0 && text.len)
		r = schema_from_json(T_docker_cli_config, buf_slice(&text), 0, &c->arena, c->config, &e);
	if (r < 0 && r != -ENOENT && r != -ENOTDIR) {
		fprintf(stderr, "WARNING: Error loading config file: %s: %s\n", path, e.text[0] ? e.text : strerror(-r));
		*c->config = (struct docker_cli_config){ 0 };
	}
	return c->config;
}

int config_edit(struct cli *c, struct tree *ret, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(4 << 20);
	int r = file_read(AT_FDCWD, cli_fmt(c, "%s/config.json", config_dir(c)), &text);

	*ret = tree_map();
	if (r < 0 || !slice_trim(buf_slice(&text)).len)
		return r == -ENOENT || r == -ENOTDIR || r >= 0 ? 0 : err_sys(e, r, "read config.json");
	r = tree_from_json(buf_slice(&text), 0, &c->arena, ret, e);
	return r < 0 ? r : ret->type == TREE_MAP ? 0 : err_set(e, EINVAL, "config.json is no object");
}

int config_save(struct cli *c, const struct tree *t, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(4 << 20);

	if (tree_to_json(t, SCHEMA_INDENT, &text) < 0)
		return err_nomem(e);
	dir_make(AT_FDCWD, config_dir(c), 0700);
	return file_write_atomic(AT_FDCWD, cli_fmt(c, "%s/config.json", config_dir(c)), buf_slice(&text), 0600, e);
}

/* --- contexts ------------------------------------------------------------------ */

const char *context_current(struct cli *c)
{
	const char *flag = flag_str(&c->globals, "context"), *env = getenv("DOCKER_CONTEXT"), *host = getenv("DOCKER_HOST");

	if (*flag)
		return flag;
	if (flag_list(&c->globals, "host")->n || (host && *host))
		return "default";
	if (env && *env)
		return env;
	const char *kept = config_get(c)->current_context;
	return kept && *kept ? kept : "default";
}

void context_id(const char *name, char dst[65])
{
	struct sha256 sum;

	sha256_init(&sum);
	sha256_add(&sum, name, strlen(name));
	sha256_end_hex(&sum, dst);
}

const char *context_meta_path(struct cli *c, const char *name)
{
	char id[65];

	context_id(name, id);
	return cli_fmt(c, "%s/contexts/meta/%s/meta.json", config_dir(c), id);
}

const char *context_tls_dir(struct cli *c, const char *name)
{
	char id[65];

	context_id(name, id);
	return cli_fmt(c, "%s/contexts/tls/%s/docker", config_dir(c), id);
}

static const char *tls_file(struct cli *c, const char *name, const char *file)
{
	const char *path = cli_fmt(c, "%s/%s", context_tls_dir(c, name), file);
	return access(path, R_OK) == 0 ? path : NULL;
}

int context_load(struct cli *c, const char *name, struct context *ret, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);
	const struct tree *endpoint;
	struct tree t;
	int r;

	*ret = (struct context){ .name = name, .description = "" };
	if ((r = file_read(AT_FDCWD, context_meta_path(c, name), &text)) < 0)
		return err_set(e, ENOENT, "context \"%s\": context not found: open %s: %s", name, context_meta_path(c, name),
			       r == -ENOENT || r == -ENOTDIR ? "no such file or directory" : strerror(-r));
	if ((r = tree_from_json(buf_slice(&text), 0, &c->arena, &t, e)) < 0)
		return r;
	endpoint = tree_path(&t, "Endpoints.docker");
	ret->description = arena_dup(&c->arena, tree_text(tree_path(&t, "Metadata.Description")));
	ret->host = arena_dup(&c->arena, tree_text(tree_gets(endpoint, "Host")));
	ret->skip_verify = tree_is_true(tree_gets(endpoint, "SkipTLSVerify"));
	ret->ca = tls_file(c, name, "ca.pem");
	ret->cert = tls_file(c, name, "cert.pem");
	ret->key = tls_file(c, name, "key.pem");
	return 0;
}
