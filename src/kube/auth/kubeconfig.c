// SPDX-License-Identifier: Apache-2.0
/* kubeconfigs that carry an identity of the cluster's authority inside. */
#include <errno.h>
#include <fcntl.h>
#include "base/fd.h"
#include "kube/auth/ca_int.h"
#include "schema/tree.h"

enum { KUBECONFIG_MAX = 1024 * 1024 };

static int read_config(const char *path, struct arena *a, struct kube_config *ret)
{
	AUTO(buf) struct buf text = BUF_INIT(KUBECONFIG_MAX);
	struct tree docs;
	struct err ignored;
	int r = file_read(AT_FDCWD, path, &text);
	if (r == 0)
		r = tree_from_yaml(buf_slice(&text), 0, a, &docs, &ignored);
	if (r == 0)
		r = docs.n == 1 ? tree_to_struct(tree_at(&docs, 0), T_kube_config, 0, a, ret, &ignored) : -EINVAL;
	explicit_bzero(text.ptr, text.len);
	return r;
}

/* Is what stands there ours, for this server and identity, and fresh? */
static bool is_good(struct kube_ca *ca, const char *path, const char *server, const struct kube_cert *c)
{
	AUTO(arena) struct arena a;
	AUTO(x509) X509 *x = NULL;
	struct kube_config k;
	struct err ignored;

	arena_init(&a, 4 * KUBECONFIG_MAX);
	if (read_config(path, &a, &k) < 0 || k.n_clusters != 1 || k.n_users != 1 || !k.clusters[0].cluster.server)
		return false;
	if (strcmp(k.clusters[0].cluster.server, server) != 0 || !slice_is(k.clusters[0].cluster.certificate_authority_data, ca->pem))
		return false;
	struct slice pem = k.users[0].user.client_certificate_data;
	return pem.ptr && cert_parse(pem, &x, &ignored) == 0 && cert_is_for(x, c, ca->cert) && !cert_is_due(x, ca_now_s(ca));
}

static int write_config(const char *path, const struct kube_config *k, struct err *e)
{
	AUTO(arena) struct arena a;
	AUTO(buf) struct buf text = BUF_INIT(KUBECONFIG_MAX);
	struct tree t;

	arena_init(&a, 4 * KUBECONFIG_MAX);
	int r = tree_from_struct(T_kube_config, k, &a, &t, e);
	if (r == 0)
		r = tree_to_yaml(&t, 0, &text);
	if (r == 0)
		r = file_write_atomic(AT_FDCWD, path, buf_slice(&text), 0600, e);
	explicit_bzero(text.ptr, text.len);
	return r;
}

int kube_ca_kubeconfig(struct kube_ca *ca, const char *path, const char *server, const char *context, const struct kube_cert *c, struct err *e)
{
	AUTO(buf) struct buf cert = BUF_INIT(PEM_MAX);
	AUTO(buf) struct buf key = BUF_INIT(PEM_MAX);
	AUTO(free) char *user_name = fmt_new("%s-user", context);

	if (!user_name)
		return err_nomem(e);
	if (is_good(ca, path, server, c))
		return 0;
	int r = kube_ca_issue(ca, c, &cert, &key, e);
	if (r < 0)
		return r;
	struct kube_named_cluster cluster = { .name = context, .cluster = { .server = server, .certificate_authority_data = slice_of(ca->pem) } };
	struct kube_named_auth_info user = { .name = user_name,
		.user = { .client_certificate_data = buf_slice(&cert), .client_key_data = buf_slice(&key) } };
	struct kube_named_context ctx = { .name = context, .context = { .cluster = context, .user = user_name } };
	struct kube_config k = { .kind = "Config", .api_version = "v1", .clusters = &cluster, .n_clusters = 1, .users = &user, .n_users = 1,
		.contexts = &ctx, .n_contexts = 1, .current_context = context };
	r = write_config(path, &k, e);
	explicit_bzero(key.ptr, key.len);
	return r < 0 ? r : 1;
}
