// SPDX-License-Identifier: Apache-2.0
#include "kube/auth/ca_int.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "base/clock.h"
#include "base/fd.h"

enum { CA_YEARS = 10 };

static const char *const masters[] = { "system:masters" }, *const nodes[] = { "system:nodes" };
const struct kube_cert kube_cert_admin = { .common_name = "kubernetes-admin", .organizations = masters, .n_organizations = 1, .is_client = true };
static const struct kube_cert authority = { .common_name = "kubernetes" };

int64_t ca_now_s(const struct kube_ca *ca) { return (ca->now_ns ? ca->now_ns() : clock_realtime_ns()) / NS_PER_S; }

/* --- files -------------------------------------------------------------------------- */

static int write_pem(const char *path, int (*put)(void *x, struct buf *out, struct err *e), void *x, mode_t mode, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(PEM_MAX);
	int r = put(x, &text, e);
	if (r == 0)
		r = file_write_atomic(AT_FDCWD, path, buf_slice(&text), mode, e);
	explicit_bzero(text.ptr, text.len);
	return r;
}

static int put_key(void *x, struct buf *out, struct err *e) { return cert_key_pem(x, out, e); }
static int put_cert(void *x, struct buf *out, struct err *e) { return cert_pem(x, out, e); }

static int read_key(const char *path, EVP_PKEY **ret, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(PEM_MAX);
	int r = file_read(AT_FDCWD, path, &text);
	if (r < 0)
		return err_sys(e, r, "reading %s", path);
	r = cert_key_parse(buf_slice(&text), ret, e);
	explicit_bzero(text.ptr, text.len);
	return r < 0 ? err_prefix(e, "%s", path) : 0;
}

static int read_cert(const char *path, X509 **ret, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(PEM_MAX);
	int r = file_read(AT_FDCWD, path, &text);
	if (r < 0)
		return err_sys(e, r, "reading %s", path);
	r = cert_parse(buf_slice(&text), ret, e);
	return r < 0 ? err_prefix(e, "%s", path) : 0;
}

/* --- the authority -------------------------------------------------------------------- */

static int set_cert(struct kube_ca *ca, X509 *x, struct err *e)
{
	AUTO(buf) struct buf pem = BUF_INIT(PEM_MAX);
	int r = cert_pem(x, &pem, e);
	char *text = r == 0 ? buf_take(&pem) : NULL;
	if (r == 0 && !text)
		r = err_nomem(e);
	if (r < 0) {
		X509_free(x);
		return r;
	}
	/* others may be reading the one before: it stays until the end, once in some years */
	free(ca->retired_pem);
	X509_free(ca->retired_cert);
	ca->retired_pem = ca->pem;
	ca->retired_cert = ca->cert;
	ca->pem = text;
	ca->cert = x;
	return 0;
}

/* A certificate for the authority's key; renewing keeps the key, so what it signed stays good. */
static int make_authority(struct kube_ca *ca, struct err *e)
{
	X509 *x;
	int64_t now = ca_now_s(ca);
	struct cert_times t = { now - CERT_BACKDATE_S, now + (int64_t)CA_YEARS * YEAR_S };
	int r = cert_make(&authority, ca->key, NULL, ca->key, t, (struct cert_usage){ .is_authority = true }, &x, e);
	if (r == 0)
		r = write_pem(ca->cert_path, put_cert, x, 0644, e);
	else
		return r;
	if (r < 0) {
		X509_free(x);
		return r;
	}
	return set_cert(ca, x, e);
}

static int open_authority(struct kube_ca *ca, struct err *e)
{
	AUTO(free) char *key_path = fmt_new("%s/ca.key", ca->dir);
	X509 *x;
	if (!key_path)
		return err_nomem(e);
	bool has_key = access(key_path, F_OK) == 0, has_cert = access(ca->cert_path, F_OK) == 0;
	if (!has_key && has_cert)
		return err_set(e, ENOENT, "%s is there but its key %s is not", ca->cert_path, key_path);
	if (!has_key) {
		int r = cert_new_key(&ca->key, e);
		if (r == 0)
			r = write_pem(key_path, put_key, ca->key, 0600, e);
		return r == 0 ? make_authority(ca, e) : r;
	}
	int r = read_key(key_path, &ca->key, e);
	if (r < 0)
		return r;
	if (!has_cert)                 /* killed between the two files */
		return make_authority(ca, e);
	r = read_cert(ca->cert_path, &x, e);
	if (r == 0 && X509_check_private_key(x, ca->key) != 1) {
		X509_free(x);
		r = err_set(e, EINVAL, "the key %s does not belong to the certificate %s", key_path, ca->cert_path);
	}
	if (r == 0)
		r = set_cert(ca, x, e);
	return r == 0 && cert_is_due(ca->cert, ca_now_s(ca)) ? make_authority(ca, e) : r;
}

/* --- what it signs ---------------------------------------------------------------------- */

int ca_make(struct kube_ca *ca, const struct kube_cert *c, EVP_PKEY *key, struct cert_usage u, X509 **ret, struct err *e)
{
	int64_t now = ca_now_s(ca), life = c->life_ns ? c->life_ns / NS_PER_S : YEAR_S;
	struct cert_times own = cert_times(ca->cert), t = { now - CERT_BACKDATE_S, MIN(now + life, own.until_s) };
	return cert_make(c, key, ca->cert, ca->key, t, u, ret, e);
}

static int issue(struct kube_ca *ca, const struct kube_cert *c, X509 **ret, EVP_PKEY **ret_key, struct err *e)
{
	AUTO(pkey) EVP_PKEY *key = NULL;
	int r = cert_new_key(&key, e);
	if (r == 0)
		r = ca_make(ca, c, key, (struct cert_usage){ .digital_signature = true, .server = c->is_server, .client = c->is_client }, ret, e);
	if (r == 0)
		*ret_key = take_ptr(key);
	return r;
}

int kube_ca_issue(struct kube_ca *ca, const struct kube_cert *c, struct buf *cert_out, struct buf *key_out, struct err *e)
{
	AUTO(x509) X509 *x = NULL;
	AUTO(pkey) EVP_PKEY *key = NULL;
	int r = issue(ca, c, &x, &key, e);
	if (r == 0)
		r = cert_pem(x, cert_out, e);
	return r == 0 ? cert_key_pem(key, key_out, e) : r;
}

static bool pair_is_good(struct kube_ca *ca, const char *cert_path, const char *key_path, const struct kube_cert *c)
{
	AUTO(x509) X509 *x = NULL;
	AUTO(pkey) EVP_PKEY *key = NULL;
	struct err ignored;
	return read_cert(cert_path, &x, &ignored) == 0 && read_key(key_path, &key, &ignored) == 0 && X509_check_private_key(x, key) == 1 &&
		!cert_is_due(x, ca_now_s(ca)) && cert_is_for(x, c, ca->cert);
}

int kube_ca_ensure(struct kube_ca *ca, const char *dir, const char *name, const struct kube_cert *c, struct err *e)
{
	AUTO(free) char *cert_path = fmt_new("%s/%s.crt", dir, name);
	AUTO(free) char *key_path = fmt_new("%s/%s.key", dir, name);
	AUTO(x509) X509 *x = NULL;
	AUTO(pkey) EVP_PKEY *key = NULL;
	if (!cert_path || !key_path)
		return err_nomem(e);
	if (pair_is_good(ca, cert_path, key_path, c))
		return 0;
	int r = issue(ca, c, &x, &key, e);
	if (r == 0)
		r = write_pem(key_path, put_key, key, 0600, e);
	if (r == 0)
		r = write_pem(cert_path, put_cert, x, 0644, e);
	return r < 0 ? r : 1;
}

static int ensure_serving(struct kube_ca *ca, struct err *e)
{
	const struct kube_cert c = { .common_name = "kube-apiserver", .names = ca->names, .n_names = ca->n_names, .is_server = true };
	return kube_ca_ensure(ca, ca->dir, "apiserver", &c, e);
}

int kube_ca_renew(struct kube_ca *ca, struct err *e)
{
	if (cert_is_due(ca->cert, ca_now_s(ca))) {
		int r = make_authority(ca, e);
		if (r < 0)
			return r;
	}
	return ensure_serving(ca, e);
}

/* --- opening ------------------------------------------------------------------------------ */

static int add_name(struct kube_ca *ca, const char *name)
{
	for (size_t i = 0; i < ca->n_names; i++)
		if (strcmp(ca->names[i], name) == 0)
			return 0;
	char *copy = slice_dup(slice_of(name));
	if (!copy)
		return -ENOMEM;
	ca->names[ca->n_names++] = copy;
	return 0;
}

static int serving_names(struct kube_ca *ca, const struct kube_ca_options *o)
{
	const char *domain = o->domain ? o->domain : "cluster.local";
	char full[300];
	fmt_into(full, sizeof full, "kubernetes.default.svc.%s", domain);
	const char *const always[] = { "localhost", "127.0.0.1", "::1", "kubernetes", "kubernetes.default", "kubernetes.default.svc", full,
		o->service_address ? o->service_address : "10.96.0.1" };
	ca->names = calloc(ARRAY_LEN(always) + o->n_names, sizeof *ca->names);
	if (!ca->names)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		if (add_name(ca, always[i]) < 0)
			return -ENOMEM;
	for (size_t i = 0; i < o->n_names; i++)
		if (add_name(ca, o->names[i]) < 0)
			return -ENOMEM;
	return 0;
}

void kube_ca_free(struct kube_ca *ca)
{
	if (!ca)
		return;
	EVP_PKEY_free(ca->key);
	X509_free(ca->cert);
	for (size_t i = 0; i < ca->n_names; i++)
		free((char *)ca->names[i]);
	free(ca->names);
	X509_free(ca->retired_cert);
	free(ca->retired_pem);
	free(ca->pem);
	free(ca->dir);
	free(ca->cert_path);
	free(ca->serving_cert);
	free(ca->serving_key);
	free(ca);
}
AUTO_DEFINE(kube_ca, struct kube_ca *, kube_ca_free)

int kube_ca_open(const struct kube_ca_options *o, struct kube_ca **ret, struct err *e)
{
	AUTO(kube_ca) struct kube_ca *ca = calloc(1, sizeof *ca);
	if (!ca)
		return err_nomem(e);
	ca->now_ns = o->now_ns;
	ca->dir = slice_dup(slice_of(o->dir));
	ca->cert_path = fmt_new("%s/ca.crt", o->dir);
	ca->serving_cert = fmt_new("%s/apiserver.crt", o->dir);
	ca->serving_key = fmt_new("%s/apiserver.key", o->dir);
	if (!ca->dir || !ca->cert_path || !ca->serving_cert || !ca->serving_key || serving_names(ca, o) < 0)
		return err_nomem(e);
	int r = dir_make(AT_FDCWD, o->dir, 0700);
	if (r < 0)
		return err_sys(e, r, "making %s", o->dir);
	r = open_authority(ca, e);
	if (r == 0)
		r = ensure_serving(ca, e);
	if (r < 0)
		return r;
	*ret = take_ptr(ca);
	return 0;
}

const char *kube_ca_pem(const struct kube_ca *ca) { return ca->pem; }

void kube_ca_serving_files(const struct kube_ca *ca, struct tls_files *ret)
{
	*ret = (struct tls_files){ .ca = ca->cert_path, .cert = ca->serving_cert, .key = ca->serving_key };
}

int kube_ca_node_kubeconfig(struct kube_ca *ca, const char *path, const char *server, const char *node, struct err *e)
{
	AUTO(free) char *name = fmt_new("system:node:%s", node);
	const struct kube_cert c = { .common_name = name, .organizations = nodes, .n_organizations = 1, .is_client = true };
	return name ? kube_ca_kubeconfig(ca, path, server, "coracle-node", &c, e) : err_nomem(e);
}
