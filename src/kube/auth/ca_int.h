/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "kube/auth/cert_int.h"

enum { CERT_BACKDATE_S = 300, YEAR_S = 365 * 86400 };

struct kube_ca {
	char *dir, *cert_path, *serving_cert, *serving_key;
	char *pem, *retired_pem;
	EVP_PKEY *key;
	X509 *cert, *retired_cert;
	const char **names;            /* of the serving certificate; each malloc'ed */
	size_t n_names;
	int64_t (*now_ns)(void);
};
int64_t ca_now_s(const struct kube_ca *ca);
/* A certificate of this authority for key, cut to the authority's own end. */
int ca_make(struct kube_ca *ca, const struct kube_cert *c, EVP_PKEY *key, struct cert_usage u, X509 **ret, struct err *e);
