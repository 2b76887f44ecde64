// SPDX-License-Identifier: Apache-2.0
#include "kube/auth/jwt.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include "base/fd.h"
#include "codec/base64.h"
#include "kube/auth/cert_int.h"

enum { HALF = 32 };                /* bytes of a P-256 coordinate */

int jwt_base64(struct slice s, struct buf *out)
{
	int r = base64_encode(out, s, true);
	size_t n = out->len;
	while (n && out->ptr[n - 1] == '=')
		n--;
	buf_truncate(out, n);
	return r;
}

/* --- the key ---------------------------------------------------------------------- */

static int key_id(struct jwt_key *k, struct err *e)
{
	unsigned char *der = NULL, digest[32];
	int n = i2d_PUBKEY(k->pkey, &der);
	AUTO(buf) struct buf text = BUF_INIT(sizeof k->id - 1);
	bool ok = n > 0 && EVP_Digest(der, (size_t)n, digest, NULL, EVP_sha256(), NULL) == 1 && jwt_base64(slice_n(digest, sizeof digest), &text) == 0;
	OPENSSL_free(der);
	return ok && fmt_into(k->id, sizeof k->id, "%s", text.ptr) ? 0 : err_set(e, EINVAL, "naming a signing key: %s", cert_reason());
}

static int make_key(const char *path, struct jwt_key *k, struct err *e)
{
	AUTO(buf) struct buf pem = BUF_INIT(PEM_MAX);
	int r = cert_new_key(&k->pkey, e);
	if (r == 0)
		r = cert_key_pem(k->pkey, &pem, e);
	if (r == 0)
		r = file_write_atomic(AT_FDCWD, path, buf_slice(&pem), 0600, e);
	explicit_bzero(pem.ptr, pem.len);
	return r;
}

static int read_key(const char *path, struct jwt_key *k, struct err *e)
{
	AUTO(buf) struct buf pem = BUF_INIT(PEM_MAX);
	char group[32] = "";
	int r = file_read(AT_FDCWD, path, &pem);
	if (r < 0)
		return err_sys(e, r, "reading %s", path);
	r = cert_key_parse(buf_slice(&pem), &k->pkey, e);
	explicit_bzero(pem.ptr, pem.len);
	if (r < 0)
		return err_prefix(e, "%s", path);
	if (EVP_PKEY_get_group_name(k->pkey, group, sizeof group, NULL) != 1 || strcmp(group, "prime256v1") != 0) {
		ERR_clear_error();
		return err_set(e, EINVAL, "%s is no EC key on P-256", path);
	}
	return 0;
}

int jwt_key_open(const char *path, struct jwt_key *ret, struct err *e)
{
	struct jwt_key k = { 0 };
	int r = access(path, F_OK) == 0 ? read_key(path, &k, e) : make_key(path, &k, e);
	if (r == 0)
		r = key_id(&k, e);
	if (r == 0 && !(k.known = calloc(JWT_KNOWN, sizeof *k.known)))
		r = err_nomem(e);
	if (r < 0)
		jwt_key_release(&k);
	else
		*ret = k;
	return r;
}

void jwt_key_release(struct jwt_key *k)
{
	EVP_PKEY_free(k->pkey);
	k->pkey = NULL;
	free(k->known);
	k->known = NULL;
}

int jwt_public(const struct jwt_key *k, struct arena *a, struct auth_key *ret, struct err *e)
{
	unsigned char point[1 + 2 * HALF];
	size_t n = 0;
	AUTO(buf) struct buf x = BUF_INIT(64);
	AUTO(buf) struct buf y = BUF_INIT(64);
	if (EVP_PKEY_get_octet_string_param(k->pkey, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &n) != 1 || n != sizeof point || point[0] != 4)
		return err_set(e, EINVAL, "reading the public key: %s", cert_reason());
	jwt_base64(slice_n(point + 1, HALF), &x);
	jwt_base64(slice_n(point + 1 + HALF, HALF), &y);
	*ret = (struct auth_key){ .use = "sig", .kty = "EC", .kid = arena_strdup(a, k->id), .crv = "P-256", .alg = "ES256", .x = arena_strdup(a, x.ptr),
		.y = arena_strdup(a, y.ptr) };
	return ret->kid && ret->x && ret->y ? 0 : err_nomem(e);
}

/* --- signatures: r and s side by side, where OpenSSL has DER ----------------------------- */

static bool sign(EVP_PKEY *key, struct slice text, unsigned char out[2 * HALF])
{
	unsigned char der[128];
	size_t n = sizeof der;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
		EVP_DigestSign(ctx, der, &n, (const unsigned char *)text.ptr, text.len) == 1;
	const unsigned char *p = der;
	ECDSA_SIG *sig = ok ? d2i_ECDSA_SIG(NULL, &p, (long)n) : NULL;
	ok = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, HALF) == HALF && BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + HALF, HALF) == HALF;
	ECDSA_SIG_free(sig);
	EVP_MD_CTX_free(ctx);
	return ok;
}

static bool is_signed(EVP_PKEY *key, struct slice text, struct slice signature)
{
	if (signature.len != 2 * HALF)
		return false;
	const unsigned char *raw = (const unsigned char *)signature.ptr;
	BIGNUM *r = BN_bin2bn(raw, HALF, NULL), *s = BN_bin2bn(raw + HALF, HALF, NULL);
	ECDSA_SIG *sig = ECDSA_SIG_new();
	unsigned char *der = NULL;
	int n = -1;
	if (r && s && sig && ECDSA_SIG_set0(sig, r, s) == 1) {
		n = i2d_ECDSA_SIG(sig, &der);
	} else {
		BN_free(r);
		BN_free(s);
	}
	EVP_MD_CTX *ctx = n > 0 ? EVP_MD_CTX_new() : NULL;
	bool ok = ctx && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
		EVP_DigestVerify(ctx, der, (size_t)n, (const unsigned char *)text.ptr, text.len) == 1;
	EVP_MD_CTX_free(ctx);
	OPENSSL_free(der);
	ECDSA_SIG_free(sig);
	ERR_clear_error();
	return ok;
}

/* --- tokens ------------------------------------------------------------------------------ */

static bool decode(struct slice text, struct arena *a, struct slice *ret)
{
	AUTO(buf) struct buf out = BUF_INIT(JWT_MAX);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
			return false;
	}
	if (base64_decode(&out, text) < 0)
		return false;
	const char *p = arena_dup(a, buf_slice(&out));
	*ret = slice_n(p, out.len);
	return p != NULL;
}

int kube_jwt_split(struct slice token, struct arena *a, struct kube_jwt *ret, struct err *e)
{
	struct slice rest = token, head, body, signature, more;
	if (token.len > JWT_MAX)
		return err_set(e, EKEYREJECTED, "the token is too long");
	if (!slice_next(&rest, '.', &head) || !slice_next(&rest, '.', &body) || !slice_next(&rest, '.', &signature) || slice_next(&rest, '.', &more))
		return err_set(e, EKEYREJECTED, "the token has not three parts");
	ret->signed_part = slice_n(token.ptr, head.len + 1 + body.len);
	if (!decode(head, a, &ret->header) || !decode(body, a, &ret->claims) || !decode(signature, a, &ret->signature))
		return err_set(e, EKEYREJECTED, "the token is no base64url");
	return 0;
}

static int encode_part(struct schema_ref t, const void *obj, struct buf *out)
{
	AUTO(buf) struct buf json = BUF_INIT(JWT_MAX);
	int r = schema_to_json(t, obj, 0, &json);
	return r == 0 ? jwt_base64(buf_slice(&json), out) : r;
}

int jwt_sign(const struct jwt_key *k, const struct auth_claims *c, struct arena *a, const char **ret, struct err *e)
{
	const struct auth_header h = { .alg = "ES256", .kid = k->id };
	AUTO(buf) struct buf out = BUF_INIT(JWT_MAX);
	unsigned char raw[2 * HALF];
	int r = encode_part(T_auth_header, &h, &out);
	if (r == 0)
		r = buf_addc(&out, '.');
	if (r == 0)
		r = encode_part(T_auth_claims, c, &out);
	if (r < 0)
		return err_sys(e, r, "writing a token");
	if (!sign(k->pkey, buf_slice(&out), raw))
		return err_set(e, EIO, "signing a token: %s", cert_reason());
	buf_addc(&out, '.');
	jwt_base64(slice_n(raw, sizeof raw), &out);
	*ret = buf_error(&out) ? NULL : arena_dup(a, buf_slice(&out));
	return *ret ? 0 : err_nomem(e);
}

/* The token's slot, if its signature was good before; else the slot to note it in. */
static bool is_known(const struct jwt_key *k, const char *token, unsigned char digest[32], unsigned char **slot)
{
	EVP_Digest(token, strlen(token), digest, NULL, EVP_sha256(), NULL);
	*slot = k->known[(digest[0] | digest[1] << 8) % JWT_KNOWN];
	return memcmp(*slot, digest, 32) == 0;
}

int jwt_verify(const struct jwt_key *k, const char *token, struct arena *a, struct auth_claims *ret, struct err *e)
{
	struct kube_jwt t;
	struct auth_header h;
	struct err why;
	unsigned char digest[32], *slot;
	int r = kube_jwt_split(slice_of(token), a, &t, e);
	if (r < 0)
		return r;
	if (schema_from_json(T_auth_header, t.header, 0, a, &h, &why) < 0 || !h.alg || strcmp(h.alg, "ES256") != 0)
		return err_set(e, EKEYREJECTED, "the token is not signed with ES256");
	if (h.kid && *h.kid && strcmp(h.kid, k->id) != 0)
		return err_set(e, EKEYREJECTED, "the token is signed with an unknown key");
	if (!is_known(k, token, digest, &slot)) {
		if (!is_signed(k->pkey, t.signed_part, t.signature))
			return err_set(e, EKEYREJECTED, "the token's signature is not good");
		memcpy(slot, digest, sizeof digest);
	}
	if (schema_from_json(T_auth_claims, t.claims, 0, a, ret, &why) < 0)
		return err_set(e, EKEYREJECTED, "the token's claims cannot be read: %s", why.text);
	return 0;
}
