/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cluster's own certificate authority (EC P-256), below ROOT/server/pki:
 *
 *   ca.crt ca.key          the authority, ten years
 *   apiserver.crt .key     serving: this machine's names and addresses, kubernetes.default.svc…, the service address
 *   sa.key                 signs service-account tokens (kube/auth/token.h)
 *
 * Folder 0700, keys 0600, certificates 0644; written whole or not at all. What
 * has used up two thirds of its life is renewed by kube_ca_renew. Blocking: at
 * start, or in a job. Not the approval of requests, which is a controller's.
 */
#pragma once
#include "api/kube.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "io/stream.h"

struct kube_ca;
struct kube_ca_options {
	const char *dir;                        /* made if it is not there */
	const char *const *names;               /* more names and addresses of this machine, for the serving certificate */
	size_t n_names;
	const char *domain;                     /* NULL: "cluster.local" */
	const char *service_address;            /* of the Service kubernetes; NULL: "10.96.0.1" */
	int64_t (*now_ns)(void);                /* realtime; NULL: the clock (tests) */
};
/* Loads or makes the authority and the serving certificate. */
int kube_ca_open(const struct kube_ca_options *o, struct kube_ca **ret, struct err *e);
void kube_ca_free(struct kube_ca *ca);
/* The authority's certificate as PEM, as kubeconfigs and kube-root-ca.crt carry it. */
const char *kube_ca_pem(const struct kube_ca *ca);
/* For tls_config_new and tls_config_reload of the server: asks for client certificates, demands none. Paths live as long as ca. */
void kube_ca_serving_files(const struct kube_ca *ca, struct tls_files *ret);
/* Renews what is due. 1: the serving certificate is new (tls_config_reload); 0: nothing; -errno. Once an hour is plenty. */
int kube_ca_renew(struct kube_ca *ca, struct err *e);

struct kube_cert {
	const char *common_name;
	const char *const *organizations;
	size_t n_organizations;
	const char *const *names;               /* DNS names and addresses */
	size_t n_names;
	bool is_server, is_client;
	int64_t life_ns;                        /* 0: one year */
};
/* A new key and its certificate, appended as PEM. */
int kube_ca_issue(struct kube_ca *ca, const struct kube_cert *c, struct buf *cert_pem, struct buf *key_pem, struct err *e);
/* The pair of files DIR/NAME.crt and .key, made or renewed if due (also when the names in it differ). 1 when written, 0 when good. */
int kube_ca_ensure(struct kube_ca *ca, const char *dir, const char *name, const struct kube_cert *c, struct err *e);
/*
 * A kubeconfig with this identity inside (a new key each time it is written): server "https://127.0.0.1:6443", mode 0600.
 * Kept when it exists, is of this authority and server, and two thirds of its life are not over. 1 when written.
 */
int kube_ca_kubeconfig(struct kube_ca *ca, const char *path, const char *server, const char *context, const struct kube_cert *c, struct err *e);
/* The two that everybody needs. */
extern const struct kube_cert kube_cert_admin;                            /* kubernetes-admin, system:masters */
int kube_ca_node_kubeconfig(struct kube_ca *ca, const char *path, const char *server, const char *node, struct err *e);

/* --- requests (CertificateSigningRequest) ------------------------------------- */
struct kube_csr {
	const char *common_name;
	const char *const *organizations;
	size_t n_organizations;
	const char *const *dns_names, *const *addresses;
	size_t n_dns_names, n_addresses;
	bool has_other_names;                   /* e-mail, URI */
};
/* Reads a PEM request and checks its own signature. -EINVAL with upstream's words. */
int kube_csr_parse(struct slice pem, struct arena *a, struct kube_csr *ret, struct err *e);
/* True for the signers that this authority serves: kube-apiserver-client, kube-apiserver-client-kubelet, kubelet-serving. */
bool kube_ca_serves_signer(const char *signer_name);
/*
 * Does the request keep to its signer's rules (names, usages)? -EINVAL with the
 * reason for the condition Failed. And the node that a kubelet's request is
 * for may be approved without a person: kube_csr_is_own_node.
 */
int kube_csr_check(const struct kube_certificate_signing_request *r, const struct kube_csr *csr, struct err *e);
/* The requester is the node named in the request and asks for a kubelet's client certificate: approved by itself, as kube-controller-manager does. */
bool kube_csr_is_own_node(const struct kube_certificate_signing_request *r, const struct kube_csr *csr);
/* Signs it as asked (spec.expirationSeconds, at most a year); PEM in arena. */
int kube_ca_sign(struct kube_ca *ca, const struct kube_certificate_signing_request *r, struct arena *a, struct slice *ret_pem, struct err *e);
