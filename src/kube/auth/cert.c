// SPDX-License-Identifier: Apache-2.0
#include "kube/auth/cert_int.h"
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include "base/rand.h"

const char *cert_reason(void)
{
	const char *s = ERR_reason_error_string(ERR_get_error());
	ERR_clear_error();
	return s ? s : "unknown error";
}

int cert_new_key(EVP_PKEY **ret, struct err *e)
{
	*ret = EVP_EC_gen("P-256");
	return *ret ? 0 : err_set(e, ENOMEM, "making a key: %s", cert_reason());
}

/* --- PEM ------------------------------------------------------------------------- */

static int take_bio(BIO *b, int ok, struct buf *out, struct err *e)
{
	char *p;
	long n = ok ? BIO_get_mem_data(b, &p) : -1;
	int r = n < 0 ? err_set(e, ENOMEM, "writing PEM: %s", cert_reason()) : buf_add(out, p, (size_t)n);
	BIO_free(b);
	return r;
}

int cert_key_pem(EVP_PKEY *key, struct buf *out, struct err *e)
{
	BIO *b = BIO_new(BIO_s_secmem());
	return take_bio(b, b && PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL), out, e);
}

int cert_pem(X509 *x, struct buf *out, struct err *e)
{
	BIO *b = BIO_new(BIO_s_mem());
	return take_bio(b, b && PEM_write_bio_X509(b, x), out, e);
}

/* Nobody is asked for a password. */
static int no_password(char *p, int n, int rw, void *arg) { return -1; }

int cert_key_parse(struct slice pem, EVP_PKEY **ret, struct err *e)
{
	BIO *b = BIO_new_mem_buf(pem.ptr, (int)pem.len);
	*ret = b ? PEM_read_bio_PrivateKey(b, NULL, no_password, NULL) : NULL;
	BIO_free(b);
	return *ret ? 0 : err_set(e, EINVAL, "no private key in PEM: %s", cert_reason());
}

int cert_parse(struct slice pem, X509 **ret, struct err *e)
{
	BIO *b = BIO_new_mem_buf(pem.ptr, (int)pem.len);
	*ret = b ? PEM_read_bio_X509(b, NULL, no_password, NULL) : NULL;
	BIO_free(b);
	return *ret ? 0 : err_set(e, EINVAL, "no certificate in PEM: %s", cert_reason());
}

/* --- making ----------------------------------------------------------------------- */

static bool extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	bool ok = ext && X509_add_ext(x, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return ok;
}

/* A DNS name or an address; built by hand, so that no name can be read as OpenSSL's configuration. */
static bool alt_name(GENERAL_NAMES *all, const char *name)
{
	unsigned char ip[16];
	int n = inet_pton(AF_INET, name, ip) == 1 ? 4 : inet_pton(AF_INET6, name, ip) == 1 ? 16 : 0;
	GENERAL_NAME *g = GENERAL_NAME_new();
	ASN1_STRING *s = n ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();

	if (!g || !s || ASN1_STRING_set(s, n ? (const void *)ip : name, n ? n : (int)strlen(name)) != 1) {
		GENERAL_NAME_free(g);
		ASN1_STRING_free(s);
		return false;
	}
	GENERAL_NAME_set0_value(g, n ? GEN_IPADD : GEN_DNS, s);
	if (sk_GENERAL_NAME_push(all, g) > 0)
		return true;
	GENERAL_NAME_free(g);
	return false;
}

static bool alt_names(X509 *x, const struct kube_cert *c)
{
	GENERAL_NAMES *all = c->n_names ? GENERAL_NAMES_new() : NULL;
	bool ok = true;

	for (size_t i = 0; i < c->n_names && ok; i++)
		ok = all && alt_name(all, c->names[i]);
	if (ok && all)
		ok = X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, X509V3_ADD_DEFAULT) == 1;
	GENERAL_NAMES_free(all);
	return ok;
}

static bool subject(X509 *x, const struct kube_cert *c)
{
	X509_NAME *name = X509_get_subject_name(x);
	for (size_t i = 0; i < c->n_organizations; i++)
		if (X509_NAME_add_entry_by_NID(name, NID_organizationName, MBSTRING_UTF8, (const unsigned char *)c->organizations[i], -1, -1, 0) != 1)
			return false;
	return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, (const unsigned char *)c->common_name, -1, -1, 0) == 1;
}

static bool serial(X509 *x)
{
	uint64_t n = (rand_u64() >> 1) | 1;
	return ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), n) == 1;
}

static bool usages(X509 *x, X509 *issuer, struct cert_usage u)
{
	if (u.is_authority)
		return extension(x, issuer, NID_basic_constraints, "critical,CA:TRUE") &&
			extension(x, issuer, NID_key_usage, "critical,digitalSignature,keyEncipherment,keyCertSign,cRLSign") &&
			extension(x, issuer, NID_subject_key_identifier, "hash");
	const char *key = u.digital_signature && u.key_encipherment ? "critical,digitalSignature,keyEncipherment" :
		u.key_encipherment ? "critical,keyEncipherment" : "critical,digitalSignature";
	const char *ext = u.server && u.client ? "serverAuth,clientAuth" : u.server ? "serverAuth" : "clientAuth";
	return extension(x, issuer, NID_basic_constraints, "critical,CA:FALSE") && extension(x, issuer, NID_key_usage, key) &&
		extension(x, issuer, NID_ext_key_usage, ext) && extension(x, issuer, NID_authority_key_identifier, "keyid:always");
}

int cert_make(const struct kube_cert *c, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, struct cert_times t, struct cert_usage u, X509 **ret,
	struct err *e)
{
	AUTO(x509) X509 *x = X509_new();
	X509 *by = issuer ? issuer : x;
	bool ok = x && X509_set_version(x, X509_VERSION_3) == 1 && serial(x) && subject(x, c) &&
		ASN1_TIME_set(X509_getm_notBefore(x), (time_t)t.from_s) && ASN1_TIME_set(X509_getm_notAfter(x), (time_t)t.until_s) &&
		X509_set_issuer_name(x, X509_get_subject_name(by)) == 1 && X509_set_pubkey(x, key) == 1 && usages(x, by, u) && alt_names(x, c) &&
		X509_sign(x, issuer_key, EVP_sha256()) > 0;

	if (!ok)
		return err_set(e, EINVAL, "making a certificate for %s: %s", c->common_name, cert_reason());
	*ret = take_ptr(x);
	return 0;
}

/* --- looking ------------------------------------------------------------------------ */

static int64_t seconds(const ASN1_TIME *t)
{
	int days = 0, rest = 0;
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	int ok = epoch && ASN1_TIME_diff(&days, &rest, epoch, t);
	ASN1_TIME_free(epoch);
	return ok ? (int64_t)days * 86400 + rest : 0;
}

struct cert_times cert_times(const X509 *x) { return (struct cert_times){ seconds(X509_get0_notBefore(x)), seconds(X509_get0_notAfter(x)) }; }

bool cert_is_due(const X509 *x, int64_t now_s)
{
	struct cert_times t = cert_times(x);
	return now_s < t.from_s || now_s >= t.from_s + (t.until_s - t.from_s) / 3 * 2;
}

static bool has_name(X509 *x, const char *name)
{
	unsigned char ip[16];
	bool is_ip = inet_pton(AF_INET, name, ip) == 1 || inet_pton(AF_INET6, name, ip) == 1;
	return is_ip ? X509_check_ip_asc(x, name, 0) == 1 : X509_check_host(x, name, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1;
}

static bool entry_is(X509_NAME *name, int at, const char *want)
{
	const ASN1_STRING *s = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
	return slice_is(slice_n(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)), want);
}

bool cert_is_for(X509 *x, const struct kube_cert *c, X509 *issuer)
{
	X509_NAME *name = X509_get_subject_name(x);
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1), o = -1;

	if (X509_verify(x, X509_get0_pubkey(issuer)) != 1 || at < 0 || !entry_is(name, at, c->common_name)) {
		ERR_clear_error();
		return false;
	}
	for (size_t i = 0; i < c->n_organizations; i++) {
		o = X509_NAME_get_index_by_NID(name, NID_organizationName, o);
		if (o < 0 || !entry_is(name, o, c->organizations[i]))
			return false;
	}
	if (X509_NAME_get_index_by_NID(name, NID_organizationName, o) >= 0)
		return false;
	for (size_t i = 0; i < c->n_names; i++)
		if (!has_name(x, c->names[i]))
			return false;
	return true;
}
