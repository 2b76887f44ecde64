/* SPDX-License-Identifier: Apache-2.0 */
/* The authority: files and their modes, renewal, kubeconfigs, requests; and a server over it that knows who comes. */
#include "kube/auth/ca_int.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/test.h"
#include "io/sim.h"
#include <fcntl.h>

static int64_t now_ns;
static int64_t clock_now(void) { return now_ns; }

static const char *file(const char *name)
{
	static char p[4][300];
	static unsigned i;
	char *at = p[i++ % 4];
	fmt_into(at, sizeof p[0], "%s/pki/%s", test_dir(), name);
	return at;
}

static struct kube_ca *open_ca(void)
{
	static const char *const names[] = { "10.1.2.3", "box.example" };
	struct kube_ca *ca;
	struct err e = { 0 };
	char dir[300];
	fmt_into(dir, sizeof dir, "%s/pki", test_dir());
	if (!now_ns)
		now_ns = clock_realtime_ns();
	const struct kube_ca_options o = { .dir = dir, .names = names, .n_names = 2, .now_ns = clock_now };
	CHECK_OK(kube_ca_open(&o, &ca, &e), &e);
	return ca;
}

static char *slurp(const char *path)
{
	struct buf b = BUF_INIT(1 << 20);
	CHECK_INT(file_read(AT_FDCWD, path, &b), 0);
	return buf_take(&b);
}

static int mode(const char *path)
{
	struct stat st;
	CHECK_INT(stat(path, &st), 0);
	return st.st_mode & 0777;
}

TEST(the_authority_is_made_once_with_tight_modes)
{
	struct kube_ca *ca = open_ca();
	AUTO(free) char *first = slurp(file("ca.crt"));
	CHECK_STR(kube_ca_pem(ca), first);
	CHECK_INT(mode(file("")), 0700);
	CHECK_INT(mode(file("ca.key")), 0600);
	CHECK_INT(mode(file("ca.crt")), 0644);
	CHECK_INT(mode(file("apiserver.key")), 0600);
	kube_ca_free(ca);
	ca = open_ca();
	CHECK_STR(kube_ca_pem(ca), first);
	kube_ca_free(ca);
}

TEST(the_serving_certificate_has_every_name)
{
	struct kube_ca *ca = open_ca();
	AUTO(x509) X509 *x = NULL;
	struct err e;
	AUTO(free) char *pem = slurp(file("apiserver.crt"));
	CHECK_OK(cert_parse(slice_of(pem), &x, &e), &e);
	static const char *const hosts[] = { "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc.cluster.local", "box.example" };
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		CHECK(X509_check_host(x, hosts[i], 0, 0, NULL) == 1);
	static const char *const addresses[] = { "127.0.0.1", "::1", "10.96.0.1", "10.1.2.3" };
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
		CHECK(X509_check_ip_asc(x, addresses[i], 0) == 1);
	CHECK(X509_check_host(x, "other", 0, 0, NULL) != 1);
	kube_ca_free(ca);
}

TEST(certificates_are_renewed_when_two_thirds_are_over)
{
	struct err e = { 0 };
	struct kube_ca *ca = open_ca();
	AUTO(free) char *first = slurp(file("apiserver.crt"));
	AUTO(free) char *authority = slurp(file("ca.crt"));
	CHECK_INT(kube_ca_renew(ca, &e), 0);
	now_ns += 200 * 86400 * NS_PER_S;
	CHECK_INT(kube_ca_renew(ca, &e), 0);
	now_ns += 50 * 86400 * NS_PER_S;
	CHECK_INT(kube_ca_renew(ca, &e), 1);
	CHECK_INT(kube_ca_renew(ca, &e), 0);
	AUTO(free) char *second = slurp(file("apiserver.crt"));
	CHECK(strcmp(first, second) != 0);
	CHECK_STR(kube_ca_pem(ca), authority);
	now_ns += 7LL * 365 * 86400 * NS_PER_S;
	CHECK_INT(kube_ca_renew(ca, &e), 1);
	CHECK(strcmp(kube_ca_pem(ca), authority) != 0);
	/* the key is the same: what was signed before stays good */
	AUTO(x509) X509 *x = NULL;
	CHECK_OK(cert_parse(slice_of(second), &x, &e), &e);
	CHECK_INT(X509_verify(x, X509_get0_pubkey(ca->cert)), 1);
	kube_ca_free(ca);
}

TEST(an_authority_without_its_key_is_an_error)
{
	struct err e = { 0 };
	kube_ca_free(open_ca());
	CHECK_INT(unlink(file("ca.key")), 0);
	char dir[300];
	fmt_into(dir, sizeof dir, "%s/pki", test_dir());
	struct kube_ca *ca;
	CHECK_INT(kube_ca_open(&(struct kube_ca_options){ .dir = dir }, &ca, &e), -ENOENT);
}

TEST(a_kubeconfig_is_kept_until_it_is_due_or_for_another_server)
{
	struct err e = { 0 };
	struct kube_ca *ca = open_ca();
	const char *path = file("kubeconfig");
	CHECK_INT(kube_ca_kubeconfig(ca, path, "https://127.0.0.1:6443", "coracle", &kube_cert_admin, &e), 1);
	CHECK_INT(mode(path), 0600);
	CHECK_INT(kube_ca_kubeconfig(ca, path, "https://127.0.0.1:6443", "coracle", &kube_cert_admin, &e), 0);
	CHECK_INT(kube_ca_kubeconfig(ca, path, "https://127.0.0.1:7443", "coracle", &kube_cert_admin, &e), 1);
	now_ns += 300 * 86400 * NS_PER_S;
	CHECK_INT(kube_ca_kubeconfig(ca, path, "https://127.0.0.1:7443", "coracle", &kube_cert_admin, &e), 1);
	CHECK_INT(kube_ca_node_kubeconfig(ca, path, "https://127.0.0.1:7443", "n1", &e), 1);
	CHECK_INT(kube_ca_node_kubeconfig(ca, path, "https://127.0.0.1:7443", "n1", &e), 0);
	CHECK_INT(kube_ca_node_kubeconfig(ca, path, "https://127.0.0.1:7443", "n2", &e), 1);
	AUTO(free) char *text = slurp(path);
	CHECK(strstr(text, "apiVersion: v1\n") && strstr(text, "kind: Config\n") && strstr(text, "current-context: coracle-node\n"));
	kube_ca_free(ca);
}

/* --- requests ----------------------------------------------------------------------- */

static struct slice make_request(const char *cn, const char *o, const char *san, struct buf *out)
{
	AUTO(req) X509_REQ *q = X509_REQ_new();
	AUTO(pkey) EVP_PKEY *key = EVP_EC_gen("P-256");
	X509_NAME *name = X509_REQ_get_subject_name(q);
	if (o)
		X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)o, -1, -1, 0);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0);
	X509_REQ_set_pubkey(q, key);
	if (san) {
		STACK_OF(X509_EXTENSION) *exts = sk_X509_EXTENSION_new_null();
		sk_X509_EXTENSION_push(exts, X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san));
		X509_REQ_add_extensions(q, exts);
		sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
	}
	CHECK(X509_REQ_sign(q, key, EVP_sha256()) > 0);
	BIO *b = BIO_new(BIO_s_mem());
	PEM_write_bio_X509_REQ(b, q);
	char *p;
	long n = BIO_get_mem_data(b, &p);
	buf_reset(out);
	buf_add(out, p, (size_t)n);
	BIO_free(b);
	return buf_slice(out);
}

TEST(requests_are_signed_when_they_keep_to_their_signers_rules)
{
	struct kube_ca *ca = open_ca();
	AUTO(arena) struct arena a;
	AUTO(buf) struct buf pem = BUF_INIT(65536);
	struct err e = { 0 };
	struct slice cert;
	struct kube_csr csr;
	static const char *client[] = { "digital signature", "client auth" }, *server[] = { "digital signature", "server auth" };
	arena_init(&a, 1 << 20);
	struct kube_certificate_signing_request r = { .spec = { .signer_name = "kubernetes.io/kube-apiserver-client-kubelet", .usages = client,
		.n_usages = 2, .username = "system:node:n1" } };
	r.spec.request = make_request("system:node:n1", "system:nodes", NULL, &pem);
	CHECK_OK(kube_ca_sign(ca, &r, &a, &cert, &e), &e);
	CHECK_OK(kube_csr_parse(r.spec.request, &a, &csr, &e), &e);
	CHECK(kube_csr_is_own_node(&r, &csr));
	r.spec.username = "system:node:n2";
	CHECK(!kube_csr_is_own_node(&r, &csr));
	AUTO(x509) X509 *x = NULL;
	CHECK_OK(cert_parse(cert, &x, &e), &e);
	CHECK_INT(X509_verify(x, X509_get0_pubkey(ca->cert)), 1);
	r.spec.request = make_request("system:node:n1", "system:masters", NULL, &pem);
	CHECK_INT(kube_ca_sign(ca, &r, &a, &cert, &e), -EINVAL);
	CHECK_STR(e.text, "subject organization is not system:nodes");
	r.spec.signer_name = "kubernetes.io/kube-apiserver-client";
	CHECK_INT(kube_ca_sign(ca, &r, &a, &cert, &e), -EINVAL);
	int32_t day = 86400;
	r.spec.expiration_seconds = &day;
	r.spec.request = make_request("alice", "dev", NULL, &pem);
	CHECK_OK(kube_ca_sign(ca, &r, &a, &cert, &e), &e);
	AUTO(x509) X509 *y = NULL;
	CHECK_OK(cert_parse(cert, &y, &e), &e);
	CHECK_INT(cert_times(y).until_s, now_ns / NS_PER_S + day);
	r.spec.signer_name = "kubernetes.io/kubelet-serving";
	r.spec.usages = server;
	r.spec.request = make_request("system:node:n1", "system:nodes", NULL, &pem);
	CHECK_INT(kube_ca_sign(ca, &r, &a, &cert, &e), -EINVAL);
	CHECK_STR(e.text, "DNS or IP subjectAltName is required");
	r.spec.request = make_request("system:node:n1", "system:nodes", "DNS:n1,IP:10.0.0.1", &pem);
	CHECK_OK(kube_ca_sign(ca, &r, &a, &cert, &e), &e);
	r.spec.request = SLICE("nonsense");
	CHECK_INT(kube_ca_sign(ca, &r, &a, &cert, &e), -EINVAL);
	kube_ca_free(ca);
}
