// SPDX-License-Identifier: Apache-2.0
/*
 * Certificate signing requests of the three signers that a cluster's authority
 * serves. Rules and words: pkg/apis/certificates/helpers.go, pkg/controller/certificates/signer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include "base/clock.h"
#include "kube/auth/ca_int.h"

enum { CSR_NAMES_MAX = 256, CSR_LEAST_S = 600 };

#define SIGNER_CLIENT "kubernetes.io/kube-apiserver-client"
#define SIGNER_KUBELET_CLIENT "kubernetes.io/kube-apiserver-client-kubelet"
#define SIGNER_KUBELET_SERVING "kubernetes.io/kubelet-serving"

bool kube_ca_serves_signer(const char *s)
{
	return s && (strcmp(s, SIGNER_CLIENT) == 0 || strcmp(s, SIGNER_KUBELET_CLIENT) == 0 || strcmp(s, SIGNER_KUBELET_SERVING) == 0);
}

/* --- reading ------------------------------------------------------------------------ */

static const char *string_text(struct arena *a, const ASN1_STRING *s)
{
	struct slice t = slice_n(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
	return t.len && !memchr(t.ptr, 0, t.len) ? arena_dup(a, t) : NULL;
}

static int read_subject(X509_REQ *q, struct arena *a, struct kube_csr *ret, struct err *e)
{
	X509_NAME *name = X509_REQ_get_subject_name(q);
	int n = X509_NAME_entry_count(name), at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	const char **o = arena_array(a, (size_t)n, sizeof *o);

	if (!o)
		return err_nomem(e);
	ret->common_name = at < 0 ? "" : string_text(a, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	for (at = -1; (at = X509_NAME_get_index_by_NID(name, NID_organizationName, at)) >= 0;)
		if (!(o[ret->n_organizations++] = string_text(a, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)))))
			return err_set(e, EINVAL, "the request's subject has an organization that is no text");
	ret->organizations = o;
	return ret->common_name ? 0 : err_set(e, EINVAL, "the request's subject has a common name that is no text");
}

static const char *address_text(struct arena *a, const ASN1_STRING *s)
{
	char text[INET6_ADDRSTRLEN];
	int n = ASN1_STRING_length(s);
	if ((n != 4 && n != 16) || !inet_ntop(n == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(s), text, sizeof text))
		return NULL;
	return arena_strdup(a, text);
}

static int read_names(GENERAL_NAMES *all, struct arena *a, struct kube_csr *ret, struct err *e)
{
	int n = sk_GENERAL_NAME_num(all);
	const char **dns = arena_array(a, CSR_NAMES_MAX, sizeof *dns), **ip = arena_array(a, CSR_NAMES_MAX, sizeof *ip);

	if (!dns || !ip)
		return err_nomem(e);
	if (n > CSR_NAMES_MAX)
		return err_set(e, EINVAL, "the request has more than %d names", CSR_NAMES_MAX);
	for (int i = 0; i < n; i++) {
		int type;
		const ASN1_STRING *s = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(all, i), &type);
		const char *text = type == GEN_DNS ? string_text(a, s) : type == GEN_IPADD ? address_text(a, s) : "";
		if (!text)
			return err_set(e, EINVAL, "the request has a name that is no text");
		if (type == GEN_DNS)
			dns[ret->n_dns_names++] = text;
		else if (type == GEN_IPADD)
			ip[ret->n_addresses++] = text;
		else
			ret->has_other_names = true;
	}
	ret->dns_names = dns;
	ret->addresses = ip;
	return 0;
}

static int parse(struct slice pem, X509_REQ **ret, struct err *e)
{
	BIO *b = BIO_new_mem_buf(pem.ptr, (int)MIN(pem.len, (size_t)PEM_MAX));
	*ret = b ? PEM_read_bio_X509_REQ(b, NULL, NULL, NULL) : NULL;
	BIO_free(b);
	ERR_clear_error();
	if (!*ret)
		return err_set(e, EINVAL, "PEM block type must be CERTIFICATE REQUEST");
	EVP_PKEY *key = X509_REQ_get0_pubkey(*ret);
	if (key && X509_REQ_verify(*ret, key) == 1)
		return 0;
	ERR_clear_error();
	X509_REQ_free(*ret);
	*ret = NULL;
	return err_set(e, EINVAL, "the request is not signed with its own key");
}

int kube_csr_parse(struct slice pem, struct arena *a, struct kube_csr *ret, struct err *e)
{
	AUTO(req) X509_REQ *q = NULL;
	int r = parse(pem, &q, e);
	if (r < 0)
		return r;
	*ret = (struct kube_csr){ 0 };
	r = read_subject(q, a, ret, e);
	STACK_OF(X509_EXTENSION) *exts = r == 0 ? X509_REQ_get_extensions(q) : NULL;
	GENERAL_NAMES *all = exts ? X509V3_get_d2i(exts, NID_subject_alt_name, NULL, NULL) : NULL;
	if (all)
		r = read_names(all, a, ret, e);
	GENERAL_NAMES_free(all);
	sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
	ERR_clear_error();
	return r;
}

/* --- rules ---------------------------------------------------------------------------- */

/* Of "digital signature", "key encipherment", "server auth" and "client auth"; false when there is another. */
static bool read_usages(const struct kube_certificate_signing_request *r, struct cert_usage *ret)
{
	*ret = (struct cert_usage){ 0 };
	for (uint32_t i = 0; i < r->spec.n_usages; i++) {
		const char *u = r->spec.usages[i];
		bool *at = !strcmp(u, "digital signature") ? &ret->digital_signature : !strcmp(u, "key encipherment") ? &ret->key_encipherment :
			!strcmp(u, "server auth") ? &ret->server : !strcmp(u, "client auth") ? &ret->client : NULL;
		if (!at)
			return false;
		*at = true;
	}
	return true;
}

static int check_kubelet(const struct kube_csr *csr, struct err *e)
{
	if (csr->n_organizations != 1 || strcmp(csr->organizations[0], "system:nodes") != 0)
		return err_set(e, EINVAL, "subject organization is not system:nodes");
	if (strncmp(csr->common_name, "system:node:", 12) != 0)
		return err_set(e, EINVAL, "subject common name does not begin with system:node: ");
	return 0;
}

static int check_kubelet_serving(const struct kube_csr *csr, struct cert_usage u, struct err *e)
{
	int r = check_kubelet(csr, e);
	if (r < 0)
		return r;
	if (csr->n_dns_names + csr->n_addresses == 0)
		return err_set(e, EINVAL, "DNS or IP subjectAltName is required");
	if (csr->has_other_names)
		return err_set(e, EINVAL, "Email and URI subjectAltNames are not allowed");
	return u.digital_signature && u.server && !u.client ? 0 : err_set(e, EINVAL, "usages did not match [digital signature key encipherment server auth]");
}

static int check_kubelet_client(const struct kube_csr *csr, struct cert_usage u, struct err *e)
{
	int r = check_kubelet(csr, e);
	if (r < 0)
		return r;
	if (csr->n_dns_names)
		return err_set(e, EINVAL, "DNS subjectAltNames are not allowed");
	if (csr->n_addresses)
		return err_set(e, EINVAL, "IP subjectAltNames are not allowed");
	if (csr->has_other_names)
		return err_set(e, EINVAL, "Email and URI subjectAltNames are not allowed");
	return u.digital_signature && u.client && !u.server ? 0 : err_set(e, EINVAL, "usages did not match [digital signature key encipherment client auth]");
}

int kube_csr_check(const struct kube_certificate_signing_request *r, const struct kube_csr *csr, struct err *e)
{
	const char *signer = r->spec.signer_name ? r->spec.signer_name : "";
	struct cert_usage u;

	if (!kube_ca_serves_signer(signer))
		return err_set(e, EINVAL, "%s is not served by this cluster's authority", signer);
	if (!read_usages(r, &u))
		return err_set(e, EINVAL, "invalid usage for %s certificate", strrchr(signer, '/') + 1);
	if (strcmp(signer, SIGNER_KUBELET_SERVING) == 0)
		return check_kubelet_serving(csr, u, e);
	if (strcmp(signer, SIGNER_KUBELET_CLIENT) == 0)
		return check_kubelet_client(csr, u, e);
	for (size_t i = 0; i < csr->n_organizations; i++)
		if (strcmp(csr->organizations[i], "system:masters") == 0)
			return err_set(e, EINVAL, "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed");
	return u.client && !u.server ? 0 : err_set(e, EINVAL, "usages must be client auth, with digital signature or key encipherment");
}

bool kube_csr_is_own_node(const struct kube_certificate_signing_request *r, const struct kube_csr *csr)
{
	struct err ignored;
	return r->spec.signer_name && strcmp(r->spec.signer_name, SIGNER_KUBELET_CLIENT) == 0 && r->spec.username &&
		strcmp(r->spec.username, csr->common_name) == 0 && kube_csr_check(r, csr, &ignored) == 0;
}

/* --- signing ---------------------------------------------------------------------------- */

int kube_ca_sign(struct kube_ca *ca, const struct kube_certificate_signing_request *r, struct arena *a, struct slice *ret_pem, struct err *e)
{
	AUTO(req) X509_REQ *q = NULL;
	AUTO(x509) X509 *x = NULL;
	AUTO(buf) struct buf pem = BUF_INIT(PEM_MAX);
	struct kube_csr csr;
	struct cert_usage u;
	int rc = kube_csr_parse(r->spec.request, a, &csr, e);

	if (rc == 0)
		rc = kube_csr_check(r, &csr, e);
	if (rc == 0)
		rc = parse(r->spec.request, &q, e);
	if (rc < 0)
		return rc;
	read_usages(r, &u);
	const char **names = arena_array(a, csr.n_dns_names + csr.n_addresses, sizeof *names);
	if (!names)
		return err_nomem(e);
	for (size_t i = 0; i < csr.n_dns_names; i++)
		names[i] = csr.dns_names[i];
	for (size_t i = 0; i < csr.n_addresses; i++)
		names[csr.n_dns_names + i] = csr.addresses[i];
	int64_t life = r->spec.expiration_seconds ? MAX(*r->spec.expiration_seconds, (int32_t)CSR_LEAST_S) : YEAR_S;
	const struct kube_cert c = { .common_name = csr.common_name, .organizations = csr.organizations, .n_organizations = csr.n_organizations,
		.names = names, .n_names = csr.n_dns_names + csr.n_addresses, .life_ns = MIN(life, (int64_t)YEAR_S) * NS_PER_S };
	rc = ca_make(ca, &c, X509_REQ_get0_pubkey(q), u, &x, e);
	if (rc == 0)
		rc = cert_pem(x, &pem, e);
	if (rc < 0)
		return rc;
	const char *text = arena_dup(a, buf_slice(&pem));
	if (!text)
		return err_nomem(e);
	*ret_pem = slice_of(text);
	return 0;
}
