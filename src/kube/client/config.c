// SPDX-License-Identifier: Apache-2.0
/* A kubeconfig's current context. Exec plugins and auth providers are refused: the parts of Coracle carry certificates or tokens. */
#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"
#include "kube/client/client_int.h"
#include "schema/tree.h"

enum { KUBECONFIG_MAX = 4 * 1024 * 1024 };

/* Files in a kubeconfig are named from its folder. */
static const char *beside(struct arena *a, const char *config, const char *path)
{
	const char *slash = strrchr(config, '/');

	if (!path || !*path || *path == '/' || !slash)
		return path && *path ? path : NULL;
	return arena_fmt(a, "%.*s/%s", (int)(slash - config), config, path);
}

static int token_of(const char *config, const struct kube_auth_info *u, struct arena *a, const char **ret, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(64 * 1024);
	const char *path = beside(a, config, u->token_file);
	int r;

	*ret = u->token && *u->token ? u->token : NULL;
	if (*ret || !path)
		return 0;
	r = file_read(AT_FDCWD, path, &text);
	if (r < 0)
		return err_sys(e, r, "reading token file %s", path);
	*ret = arena_dup(a, slice_trim(buf_slice(&text)));
	return *ret ? 0 : err_nomem(e);
}

static int take_context(const char *path, const struct kube_config *k, struct arena *a, struct kclient_target *ret, struct err *e)
{
	const struct kube_context *context = NULL;
	const struct kube_cluster *cluster = NULL;
	const struct kube_auth_info *user = NULL;
	const char *current = k->current_context ? k->current_context : "";

	for (uint32_t i = 0; i < k->n_contexts; i++)
		if (k->contexts[i].name && !strcmp(k->contexts[i].name, current))
			context = &k->contexts[i].context;
	if (!context)
		return err_set(e, EINVAL, "kubeconfig %s: there is no context \"%s\"", path, current);
	for (uint32_t i = 0; i < k->n_clusters; i++)
		if (k->clusters[i].name && context->cluster && !strcmp(k->clusters[i].name, context->cluster))
			cluster = &k->clusters[i].cluster;
	for (uint32_t i = 0; i < k->n_users; i++)
		if (k->users[i].name && context->user && !strcmp(k->users[i].name, context->user))
			user = &k->users[i].user;
	if (!cluster || !cluster->server)
		return err_set(e, EINVAL, "kubeconfig %s: context \"%s\" has no cluster with a server", path, current);
	ret->server = cluster->server;
	ret->sni = cluster->tls_server_name && *cluster->tls_server_name ? cluster->tls_server_name : NULL;
	ret->insecure = cluster->insecure_skip_tls_verify;
	ret->ca = cluster->certificate_authority_data;
	ret->ca_file = beside(a, path, cluster->certificate_authority);
	if (!user)
		return 0;
	if (user->exec || user->auth_provider || user->username)
		return err_set(e, EOPNOTSUPP, "kubeconfig %s: user \"%s\" signs in with a plugin or a password; a client certificate or a token is needed", path,
			context->user);
	ret->cert = user->client_certificate_data;
	ret->key = user->client_key_data;
	ret->cert_file = beside(a, path, user->client_certificate);
	ret->key_file = beside(a, path, user->client_key);
	return token_of(path, user, a, &ret->token, e);
}

int kubeconfig_read(const char *path, struct arena *a, struct kclient_target *ret, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(KUBECONFIG_MAX);
	struct kube_config k;
	struct tree docs;
	int r;

	r = file_read(AT_FDCWD, path, &text);
	if (r < 0)
		return err_sys(e, r, "reading kubeconfig %s", path);
	r = tree_from_yaml(buf_slice(&text), 0, a, &docs, e);
	if (r == 0 && docs.n != 1)
		r = err_set(e, EINVAL, "one document is expected, not %u", docs.n);
	if (r == 0)
		r = tree_to_struct(tree_at(&docs, 0), T_kube_config, 0, a, &k, e);
	if (r < 0) {
		err_prefix(e, "kubeconfig %s", path);
		return r;
	}
	return take_context(path, &k, a, ret, e);
}
