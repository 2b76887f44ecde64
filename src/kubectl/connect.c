/* SPDX-License-Identifier: Apache-2.0 */
/* Which cluster, as whom, in which namespace: flags over kubeconfig files over the machine's own cluster. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "codec/base64.h"
#include "kubectl/kctl.h"

#define MACHINE_CONFIG "/etc/coracle/kubeconfig"
enum { CONFIG_MAX = 4 << 20, FILES_MOST = 16 };

static const char *home_config(struct kctl *k)
{
	const char *home = getenv("HOME");
	return home && *home ? kctl_fmt(k, "%s/.kube/config", home) : NULL;
}

static int read_one(struct kctl *k, const char *path, struct tree *ret, struct err *e)
{
	struct buf text AUTO(buf) = BUF_INIT(CONFIG_MAX);
	struct tree docs;
	int r = file_read(AT_FDCWD, path, &text);
	if (r < 0)
		return r == -ENOENT ? r : err_sys(e, -r, "read %s", path);
	r = tree_from_yaml(buf_slice(&text), 0, &k->arena, &docs, e);
	if (r < 0)
		return err_prefix(e, "error loading config file \"%s\"", path);
	const struct tree *t = tree_at(&docs, 0);
	*ret = t && t->type == TREE_MAP ? *t : tree_map();
	/* files are named from the folder of the one that names them */
	const char *slash = strrchr(path, '/');
	static const struct { const char *list, *inner, *key; } files[] = {
		{ "clusters", "cluster", "certificate-authority" },
		{ "users", "user", "client-certificate" },
		{ "users", "user", "client-key" },
		{ "users", "user", "tokenFile" },
	};
	for (size_t i = 0; slash && i < ARRAY_LEN(files); i++) {
		const struct tree *list = tree_gets(ret, files[i].list);
		for (uint32_t j = 0; list && list->type == TREE_LIST && j < list->n; j++) {
			struct tree *v = tree_get_mut(tree_get_mut((struct tree *)tree_at(list, j), slice_of(files[i].inner)), slice_of(files[i].key));
			const char *name = v ? kctl_text(k, v) : "";
			if (*name && *name != '/')
				*v = tree_string(slice_of(kctl_fmt(k, "%.*s/%s", (int)(slash - path), path, name)));
		}
	}
	return 0;
}

/* The first file that has a name wins; lists of named things are joined. */
static void merge(struct kctl *k, struct tree *into, const struct tree *from)
{
	static const char *const lists[] = { "clusters", "contexts", "users" };
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		const struct tree *list = tree_gets(from, lists[i]);
		struct tree *mine = kctl_list(k, into, lists[i]);
		for (uint32_t j = 0; list && list->type == TREE_LIST && j < list->n; j++) {
			bool known = false;
			for (uint32_t m = 0; m < mine->n && !known; m++)
				known = !strcmp(kctl_text_at(k, tree_at(mine, m), "name"), kctl_text_at(k, tree_at(list, j), "name"));
			if (!known)
				tree_append(&k->arena, mine, *tree_at(list, j));
		}
	}
	if (!*kctl_text_at(k, into, "current-context") && *kctl_text_at(k, from, "current-context"))
		kctl_set_text(k, into, "current-context", kctl_text_at(k, from, "current-context"));
}

int kctl_config(struct kctl *k, struct tree *ret, const char **ret_file, struct err *e)
{
	const char *explicit = flag_str(&k->f, "kubeconfig"), *env = getenv("KUBECONFIG"), *files[FILES_MOST];
	size_t n = 0;
	if (*explicit) {
		files[n++] = explicit;
	} else if (env && *env) {
		struct slice rest = slice_of(env), one;
		while (n < FILES_MOST && slice_next(&rest, ':', &one))
			if (one.len)
				files[n++] = kctl_fmt(k, "%.*s", SLICE_FMT(one));
	} else {
		const char *home = home_config(k);
		if (home)
			files[n++] = home;
		files[n++] = MACHINE_CONFIG;
	}
	*ret = tree_map();
	kctl_set_text(k, ret, "apiVersion", "v1");
	kctl_set_text(k, ret, "kind", "Config");
	const char *first = n ? files[0] : NULL;
	for (size_t i = 0; i < n; i++) {
		struct tree one;
		int r = read_one(k, files[i], &one, e);
		if (r == -ENOENT && *explicit)
			return err_set(e, ENOENT, "stat %s: no such file or directory", files[i]);
		if (r == -ENOENT || r == -EACCES)
			continue;
		if (r < 0)
			return r;
		merge(k, ret, &one);
	}
	if (ret_file)
		*ret_file = first;
	return 0;
}

static const struct tree *named(struct kctl *k, const struct tree *config, const char *list, const char *name, const char *inner)
{
	const struct tree *l = tree_gets(config, list);
	for (uint32_t i = 0; l && i < l->n; i++)
		if (!strcmp(kctl_text_at(k, tree_at(l, i), "name"), name))
			return tree_gets(tree_at(l, i), inner);
	return NULL;
}

static struct slice data_of(struct kctl *k, const struct tree *t, const char *key)
{
	struct slice text = slice_of(kctl_text(k, tree_gets(t, key)));
	struct buf b = BUF_INIT(1 << 20);
	struct slice ret = { 0 };
	if (text.len && base64_decode(&b, text) == 0) {
		char *p = arena_dup(&k->arena, buf_slice(&b));
		if (p)
			ret = slice_n(p, b.len);
	}
	buf_release(&b);
	return ret;
}

static const char *or_null(const char *s) { return s && *s ? s : NULL; }

/* Whether the command itself has a flag of this name (create rolebinding --user): then it says nothing of the connection. */
static bool is_own(struct kctl *k, const char *flag)
{
	for (size_t i = 0; k->cmd && i < k->cmd->n_flags; i++)
		if (!strcmp(k->cmd->flags[i].name, flag))
			return true;
	return false;
}

static const char *first_of(struct kctl *k, const char *flag, const struct tree *t, const char *key)
{
	const char *v = is_own(k, flag) ? "" : flag_str(&k->f, flag);
	return *v ? v : or_null(kctl_text(k, tree_gets(t, key)));
}

int kctl_client(struct kctl *k, struct err *e)
{
	struct tree config;
	if (k->client)
		return 0;
	int r = kctl_config(k, &config, NULL, e);
	if (r < 0)
		return r;
	const char *name = flag_str(&k->f, "context");
	if (!*name)
		name = kctl_text_at(k, &config, "current-context");
	const struct tree *context = named(k, &config, "contexts", name, "context");
	if (!context && *flag_str(&k->f, "context"))
		return err_set(e, EINVAL, "Error in configuration: context was not found for specified context: %s", name);
	const char *cluster_name = first_of(k, "cluster", context, "cluster"), *user_name = first_of(k, "user", context, "user");
	const struct tree *cluster = cluster_name ? named(k, &config, "clusters", cluster_name, "cluster") : NULL;
	const struct tree *user = user_name ? named(k, &config, "users", user_name, "user") : NULL;
	if (!cluster && *flag_str(&k->f, "cluster"))
		return err_set(e, EINVAL, "no server found for cluster \"%s\"", cluster_name);
	if (!user && !is_own(k, "user") && *flag_str(&k->f, "user"))
		return err_set(e, EINVAL, "auth info \"%s\" does not exist", user_name);
	const char *ns = first_of(k, "namespace", context, "namespace");
	k->ns = ns ? ns : "default";
	k->ns_explicit = *flag_str(&k->f, "namespace");
	struct kclient_config c = {
		.server = first_of(k, "server", cluster, "server"),
		.ca_file = first_of(k, "certificate-authority", cluster, "certificate-authority"),
		.cert_file = first_of(k, "client-certificate", user, "client-certificate"),
		.key_file = first_of(k, "client-key", user, "client-key"),
		.token = first_of(k, "token", user, "token"),
		.sni = first_of(k, "tls-server-name", cluster, "tls-server-name"),
		.insecure = flag_bool(&k->f, "insecure-skip-tls-verify") || tree_is_true(tree_gets(cluster, "insecure-skip-tls-verify")),
		.user_agent = "kubectl/v1.36.0 (linux) coracle",
	};
	if (!*flag_str(&k->f, "certificate-authority"))
		c.ca = data_of(k, cluster, "certificate-authority-data");
	if (!*flag_str(&k->f, "client-certificate")) {
		c.cert = data_of(k, user, "client-certificate-data");
		c.key = data_of(k, user, "client-key-data");
	}
	const char *token_file = kctl_text_at(k, user, "tokenFile");
	struct buf token = BUF_INIT(64 << 10);
	if (!c.token && *token_file && file_read(AT_FDCWD, token_file, &token) == 0)
		c.token = kctl_fmt(k, "%.*s", SLICE_FMT(slice_trim(buf_slice(&token))));
	buf_release(&token);
	if (user && (tree_gets(user, "exec") || tree_gets(user, "auth-provider")))
		return err_set(e, EOPNOTSUPP, "user \"%s\" signs in by a plugin; this kubectl takes client certificates and tokens", user_name);
	if (!c.server)
		return err_set(e, EINVAL, "there is no cluster to speak to: no kubeconfig names one (`coracle up` starts one, --kubeconfig or --server name one)");
	if (!strstr(c.server, "://"))
		c.server = kctl_fmt(k, "http://%s", c.server);
	k->server = c.server;
	return kclient_new(k->loop, &c, &k->client, e);
}
