/* SPDX-License-Identifier: Apache-2.0 */
/* X.509 by OpenSSL, for the files of this folder. Nothing here knows Kubernetes. */
#pragma once
#include <openssl/evp.h>
#include <openssl/x509.h>
#include "base/auto.h"
#include "kube/auth/ca.h"

enum { PEM_MAX = 64 * 1024 };

AUTO_DEFINE(x509, X509 *, X509_free)
AUTO_DEFINE(req, X509_REQ *, X509_REQ_free)
AUTO_DEFINE(pkey, EVP_PKEY *, EVP_PKEY_free)

/* OpenSSL's first queued reason; empties the queue. */
const char *cert_reason(void);
int cert_new_key(EVP_PKEY **ret, struct err *e);
/* PEM text, appended, and back. -EINVAL. */
int cert_key_pem(EVP_PKEY *key, struct buf *out, struct err *e);
int cert_pem(X509 *x, struct buf *out, struct err *e);
int cert_key_parse(struct slice pem, EVP_PKEY **ret, struct err *e);
int cert_parse(struct slice pem, X509 **ret, struct err *e);

struct cert_times { int64_t from_s, until_s; };      /* since the epoch */
struct cert_usage { bool is_authority, digital_signature, key_encipherment, server, client; };
/*
 * Makes and signs a certificate: names and organizations from c, for this
 * public key. issuer NULL: signs itself with issuer_key.
 */
int cert_make(const struct kube_cert *c, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, struct cert_times t, struct cert_usage u, X509 **ret,
	struct err *e);
struct cert_times cert_times(const X509 *x);
/* Two thirds of its life are over, or it has not begun. */
bool cert_is_due(const X509 *x, int64_t now_s);
/* Signed by this authority, for this common name and (at least) these names, and no organization but these. */
bool cert_is_for(X509 *x, const struct kube_cert *c, X509 *issuer);
