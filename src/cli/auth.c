/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials: config.json's auths and the helper programs. See config.h. */
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include "base/fd.h"
#include "cli/config.h"
#include "cli/config_int.h"
#include "cli/spec.h"
#include "codec/base64.h"

extern char **environ;

/* Runs docker-credential-HELPER VERB with input; its output. The helpers answer at once or ask a person, so this blocks. */
static int helper_run(struct cli *c, const char *helper, const char *verb, struct slice input, struct buf *out, struct err *e)
{
	const char *name = cli_fmt(c, "docker-credential-%s", helper);
	char *const argv[] = { (char *)name, (char *)verb, NULL };
	posix_spawn_file_actions_t actions;
	int in[2] = { -1, -1 }, from[2] = { -1, -1 }, status = 0, r;
	pid_t pid;

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
		return err_sys(e, errno, "make a pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], 0);
	posix_spawn_file_actions_adddup2(&actions, from[1], 1);
	r = posix_spawnp(&pid, name, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(in[0]);
	close(from[1]);
	if (r == 0) {
		fd_write_all(in[1], input.ptr, input.len);
		close(in[1]);
		fd_slurp(from[0], out);
		waitpid(pid, &status, 0);
	} else {
		close(in[1]);
	}
	close(from[0]);
	if (r != 0)
		return err_set(e, r, "error getting credentials - err: exec: \"%s\": executable file not found in $PATH, out: ``", name);
	struct slice text = slice_trim(buf_slice(out));
	if (status != 0)
		return err_set(e, EIO, "error getting credentials - err: exit status %d, out: `%.*s`", WEXITSTATUS(status), SLICE_FMT(text));
	return 0;
}

static const char *helper_for(struct cli *c, const char *registry)
{
	struct docker_cli_config *conf = config_get(c);
	const char *own = schema_pair_get(conf->cred_helpers, conf->n_cred_helpers, registry);

	if (own && *own)
		return own;
	return conf->creds_store && *conf->creds_store ? conf->creds_store : NULL;
}

/* "https://host/v1/" and "host" are one registry. */
static struct slice host_of(const char *s)
{
	struct slice host = slice_of(s), rest;

	if (slice_starts(host, "https://"))
		host = slice_n(host.ptr + 8, host.len - 8);
	else if (slice_starts(host, "http://"))
		host = slice_n(host.ptr + 7, host.len - 7);
	slice_cut(host, '/', &host, &rest);
	return host;
}

static int from_helper(struct cli *c, const char *helper, const char *registry, struct docker_auth_config *ret, struct err *e)
{
	AUTO(buf) struct buf out = BUF_INIT(1 << 20);
	struct tree t;
	int r = helper_run(c, helper, "get", slice_of(registry), &out, e);

	if (r < 0)
		return strstr(out.ptr, "credentials not found") ? 0 : r;
	if ((r = tree_from_json(buf_slice(&out), 0, &c->arena, &t, e)) < 0)
		return r;
	const char *user = arena_dup(&c->arena, tree_text(tree_gets(&t, "Username")));
	const char *secret = arena_dup(&c->arena, tree_text(tree_gets(&t, "Secret")));
	ret->serveraddress = registry;
	if (strcmp(user, "<token>") == 0) {
		ret->identitytoken = secret;
	} else {
		ret->username = user;
		ret->password = secret;
	}
	return 0;
}

static int decode_auth(struct cli *c, const struct docker_auth_config *in, const char *registry, struct docker_auth_config *ret)
{
	AUTO(buf) struct buf plain = BUF_INIT(1 << 20);
	struct slice user, password;

	*ret = *in;
	ret->serveraddress = registry;
	ret->auth = NULL;
	if (!in->auth || !*in->auth)
		return 0;
	if (base64_decode(&plain, slice_of(in->auth)) < 0 || !slice_cut(buf_slice(&plain), ':', &user, &password))
		return -EINVAL;
	ret->username = arena_dup(&c->arena, user);
	ret->password = arena_dup(&c->arena, password);
	return 0;
}

int auth_get_wait(struct cli *c, const char *registry, struct docker_auth_config *ret, struct err *e)
{
	struct docker_cli_config *conf = config_get(c);
	const char *helper = helper_for(c, registry);

	*ret = (struct docker_auth_config){ 0 };
	if (helper)
		return from_helper(c, helper, registry, ret, e);
	for (uint32_t i = 0; i < conf->n_auths; i++)
		if (strcmp(conf->auths[i].key, registry) == 0 || slice_eq(host_of(conf->auths[i].key), host_of(registry)))
			return decode_auth(c, &conf->auths[i].value, registry, ret) < 0 ?
				err_set(e, EINVAL, "invalid auth configuration file") : 0;
	return 0;
}

static int store_in_file(struct cli *c, const char *registry, const struct docker_auth_config *auth, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);
	const char *plain = cli_fmt(c, "%s:%s", auth->username ? auth->username : "", auth->password ? auth->password : "");
	struct tree t, entry = tree_map(), *auths;
	int r = config_edit(c, &t, e);

	if (r < 0)
		return r;
	auths = tree_get_mut(&t, SLICE("auths"));
	if (!auths || auths->type != TREE_MAP)
		auths = tree_set(&c->arena, &t, SLICE("auths"), tree_map());
	base64_encode(&text, slice_of(plain), false);
	const char *coded = arena_dup(&c->arena, buf_slice(&text));
	if (!auth->identitytoken || !*auth->identitytoken || *plain != ':')
		tree_set(&c->arena, &entry, SLICE("auth"), tree_string(slice_of(coded)));
	if (auth->identitytoken && *auth->identitytoken)
		tree_set(&c->arena, &entry, SLICE("identitytoken"), tree_string(slice_of(auth->identitytoken)));
	if (!auths || !tree_set(&c->arena, auths, slice_of(registry), entry))
		return err_nomem(e);
	return config_save(c, &t, e);
}

int auth_store_wait(struct cli *c, const char *registry, const struct docker_auth_config *auth, const char **ret_where, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
	const char *helper = helper_for(c, registry);
	struct tree t = tree_map();
	bool token = auth->identitytoken && *auth->identitytoken;

	*ret_where = helper;
	if (!helper)
		return store_in_file(c, registry, auth, e);
	tree_set(&c->arena, &t, SLICE("ServerURL"), tree_string(slice_of(registry)));
	tree_set(&c->arena, &t, SLICE("Username"), tree_string(slice_of(token ? "<token>" : auth->username)));
	tree_set(&c->arena, &t, SLICE("Secret"), tree_string(slice_of(token ? auth->identitytoken : auth->password)));
	if (tree_to_json(&t, 0, &text) < 0)
		return err_nomem(e);
	return helper_run(c, helper, "store", buf_slice(&text), &out, e);
}

int auth_erase_wait(struct cli *c, const char *registry, bool *ret_had, struct err *e)
{
	AUTO(buf) struct buf out = BUF_INIT(1 << 20);
	const char *helper = helper_for(c, registry);
	struct tree t, *auths;
	int r;

	*ret_had = false;
	if ((r = config_edit(c, &t, e)) < 0)
		return r;
	auths = tree_get_mut(&t, SLICE("auths"));
	for (uint32_t i = 0; auths && auths->type == TREE_MAP && i < auths->n; i++) {
		struct slice key = slice_n(auths->members[i].key, auths->members[i].key_len);
		const char *name = arena_dup(&c->arena, key);
		if (!slice_eq(host_of(name), host_of(registry)))
			continue;
		tree_remove(auths, key);
		*ret_had = true;
		i--;
	}
	if (*ret_had && (r = config_save(c, &t, e)) < 0)
		return r;
	if (helper) {
		*ret_had = true;
		return helper_run(c, helper, "erase", slice_of(registry), &out, e);
	}
	return 0;
}

const char *image_registry(struct cli *c, const char *name)
{
	const char *full = spec_full_repo(&c->arena, spec_image(name).repo);
	struct slice host, rest;

	slice_cut(slice_of(full), '/', &host, &rest);
	return arena_dup(&c->arena, host);
}

static const char *coded_json(struct cli *c, struct schema_ref t, const void *obj)
{
	AUTO(buf) struct buf json = BUF_INIT(1 << 20), text = BUF_INIT(2 << 20);

	if (schema_to_json(t, obj, 0, &json) < 0 || base64_encode(&text, buf_slice(&json), true) < 0)
		return "";
	return arena_dup(&c->arena, buf_slice(&text));
}

int auth_header_wait(struct cli *c, const char *image, const char **ret, struct err *e)
{
	const char *registry = image_registry(c, image);
	struct docker_auth_config auth;
	int r = auth_get_wait(c, strcmp(registry, "docker.io") == 0 ? AUTH_HUB : registry, &auth, e);

	if (r < 0)
		return r;
	*ret = coded_json(c, T_docker_auth_config, &auth);
	return 0;
}

int auth_all_header_wait(struct cli *c, const char **ret, struct err *e)
{
	struct docker_cli_config *conf = config_get(c);
	struct docker_auth_configs all = { 0 };
	uint32_t n = conf->n_auths + conf->n_cred_helpers;

	all.items = arena_array(&c->arena, n + 1, sizeof *all.items);
	if (!all.items)
		return err_nomem(e);
	for (uint32_t i = 0; i < n; i++) {
		struct docker_auth_config_entry *x = &all.items[all.n_items];
		x->key = i < conf->n_auths ? conf->auths[i].key : conf->cred_helpers[i - conf->n_auths].key;
		if (auth_get_wait(c, x->key, &x->value, NULL) == 0 && (x->value.username || x->value.identitytoken || x->value.registrytoken))
			all.n_items++;
	}
	*ret = coded_json(c, T_docker_auth_configs, &all);
	return 0;
}
