// SPDX-License-Identifier: Apache-2.0
/*
 * Small controllers that need what only this folder has: roles that collect
 * others, the tokens of legacy secrets, signatures under certificate requests.
 * Each looks at one key and writes what is missing, if anything is.
 */
#include <errno.h>
#include "base/auto.h"
#include "base/clock.h"
#include "kube/auth/auth_int.h"
#include "kube/meta/object.h"

enum { ARENA_BYTES = 16 << 20 };

/* --- aggregated roles ------------------------------------------------------------------- */

int auth_aggregate_wait(void *arg, const char *key, struct err *e)
{
	struct kube_auth *x = arg;
	struct kobject *o = informer_get_key(x->roles[KUBE_CLUSTER_ROLE], key);
	AUTO(arena) struct arena a;
	struct kube_cluster_role role;
	bool changed;
	arena_init(&a, ARENA_BYTES);
	if (!o || !((const struct kube_cluster_role *)o->obj)->aggregation_rule)
		return 0;
	if (schema_copy(T_kube_cluster_role, o->obj, &a, &role) < 0 || kube_rbac_aggregate(x->rbac, &role, &a, &role.rules, &role.n_rules, &changed) < 0)
		return err_nomem(e);
	return changed ? kclient_update_wait(x->client, o->resource, NULL, &role, &a, NULL, e) : 0;
}

/* --- certificate requests ------------------------------------------------------------------- */

static bool has_condition(const struct kube_certificate_signing_request *r, const char *type)
{
	for (uint32_t i = 0; i < r->status.n_conditions; i++)
		if (r->status.conditions[i].type && strcmp(r->status.conditions[i].type, type) == 0 &&
			!(r->status.conditions[i].status && strcmp(r->status.conditions[i].status, "False") == 0))
			return true;
	return false;
}

static int add_condition(struct kube_auth *x, struct kube_certificate_signing_request *r, const char *type, const char *reason, const char *message,
	struct arena *a)
{
	struct kube_certificate_signing_request_condition *v = arena_array(a, (size_t)r->status.n_conditions + 1, sizeof *v);
	const char *now = kube_time_text(a, loop_realtime_ns(kclient_loop(x->client)));
	if (!v || !now)
		return -ENOMEM;
	if (r->status.n_conditions)
		memcpy(v, r->status.conditions, r->status.n_conditions * sizeof *v);
	v[r->status.n_conditions++] = (struct kube_certificate_signing_request_condition){ type, "True", reason, message, now, now };
	r->status.conditions = v;
	return 0;
}

/* A node that renews its own certificate needs no person's word, if roles say so. */
static bool may_approve(struct kube_auth *x, const struct kube_certificate_signing_request *r, const struct kube_csr *csr, struct arena *a)
{
	const struct kube_user u = { .name = r->spec.username ? r->spec.username : "", .groups = r->spec.groups, .n_groups = r->spec.n_groups };
	struct kube_attributes at = { .verb = "create", .group = "certificates.k8s.io", .version = "*", .resource = "certificatesigningrequests", .namespace_ = "",
		.name = "", .path = "", .is_resource = true };
	struct err ignored;
	at.subresource = kube_csr_is_own_node(r, csr) ? "selfnodeclient" : "nodeclient";
	if (!r->spec.signer_name || strcmp(r->spec.signer_name, "kubernetes.io/kube-apiserver-client-kubelet") != 0 || kube_csr_check(r, csr, &ignored) < 0)
		return false;
	/* a node with a certificate of its own renews it, as k3s and kubeadm bind it by default */
	if (kube_csr_is_own_node(r, csr) && kube_user_node(&u))
		return true;
	return kube_rbac_allowed(x->rbac, &u, &at, a, NULL) == 1;
}

int auth_sign_wait(void *arg, const char *key, struct err *e)
{
	struct kube_auth *x = arg;
	struct kobject *o = informer_get_key(x->requests, key);
	AUTO(arena) struct arena a;
	struct kube_certificate_signing_request r;
	struct kube_csr csr;
	struct err why = { 0 };
	arena_init(&a, ARENA_BYTES);
	if (!o)
		return 0;
	if (schema_copy(T_kube_certificate_signing_request, o->obj, &a, &r) < 0)
		return err_nomem(e);
	if (!kube_ca_serves_signer(r.spec.signer_name) || r.status.certificate.len || has_condition(&r, "Denied") || has_condition(&r, "Failed"))
		return 0;
	int rc = kube_csr_parse(r.spec.request, &a, &csr, &why);
	if (!has_condition(&r, "Approved")) {
		if (rc < 0 || !may_approve(x, &r, &csr, &a))
			return 0;
		if (add_condition(x, &r, "Approved", "AutoApproved", "Auto approving kubelet client certificate after SubjectAccessReview.", &a) < 0)
			return err_nomem(e);
		return kclient_update_wait(x->client, o->resource, "approval", &r, &a, NULL, e);
	}
	if (rc == 0)
		rc = kube_ca_sign(x->ca, &r, &a, &r.status.certificate, &why);
	if (rc < 0 && add_condition(x, &r, "Failed", "SignerValidationFailure", arena_strdup(&a, why.text), &a) < 0)
		return err_nomem(e);
	return kclient_update_wait(x->client, o->resource, "status", &r, &a, NULL, e);
}

/* --- secrets that ask for a token ------------------------------------------------------------- */

static struct slice *datum(struct kube_secret *s, const char *key)
{
	for (uint32_t i = 0; i < s->n_data; i++)
		if (strcmp(s->data[i].key, key) == 0)
			return &s->data[i].value;
	return NULL;
}

static void set_datum(struct kube_secret *s, const char *key, const char *value)
{
	struct slice *at = datum(s, key);
	if (at)
		*at = slice_of(value);
	else
		s->data[s->n_data++] = (struct kube_bytes_entry){ key, slice_of(value) };
}

static int set_uid(struct kube_secret *s, const char *uid, struct arena *a)
{
	static const char key[] = "kubernetes.io/service-account.uid";
	struct schema_pair *v = arena_array(a, (size_t)s->metadata.n_annotations + 1, sizeof *v);
	if (!v)
		return -ENOMEM;
	memcpy(v, s->metadata.annotations, s->metadata.n_annotations * sizeof *v);
	s->metadata.annotations = v;
	v[s->metadata.n_annotations++] = (struct schema_pair){ key, uid };
	return 0;
}

/* The account of a secret that asks for a token: gives it one, or deletes the secret when its account is gone. */
int auth_secret_token_wait(void *arg, const char *key, struct err *e)
{
	struct kube_auth *x = arg;
	struct kobject *o = informer_get_key(x->secrets, key);
	AUTO(arena) struct arena a;
	struct kube_secret s;
	struct kube_service_account sa;
	const char *token;
	arena_init(&a, ARENA_BYTES);
	if (!o || informer_synced_wait(x->accounts, -1) < 0)
		return 0;
	if (schema_copy(T_kube_secret, o->obj, &a, &s) < 0)
		return err_nomem(e);
	const char *name = schema_pair_get(s.metadata.annotations, s.metadata.n_annotations, "kubernetes.io/service-account.name");
	const char *uid = schema_pair_get(s.metadata.annotations, s.metadata.n_annotations, "kubernetes.io/service-account.uid");
	if (!name || !*name)
		return 0;
	int r = kclient_get_wait(x->client, kube_resource_find("", "v1", "serviceaccounts"), s.metadata.namespace, name, &a, &sa, e);
	if (r == -ENOENT || (r == 0 && uid && *uid && strcmp(uid, sa.metadata.uid) != 0)) {
		r = kclient_delete_wait(x->client, kube_resource_find("", "v1", "secrets"), s.metadata.namespace, s.metadata.name,
			&(struct kube_delete_options){ .preconditions = &(struct kube_preconditions){ .uid = s.metadata.uid } }, e);
		return r == -ENOENT ? 0 : r;
	}
	if (r < 0)
		return r;
	if (datum(&s, "token") && (datum(&s, "ca.crt") || !x->ca) && datum(&s, "namespace") && uid && *uid)
		return 0;
	struct kube_bytes_entry *v = arena_array(&a, (size_t)s.n_data + 3, sizeof *v);
	if (!v)
		return err_nomem(e);
	if (s.n_data)
		memcpy(v, s.data, s.n_data * sizeof *v);
	s.data = v;
	const struct kube_token_subject subject = { s.metadata.namespace, name, sa.metadata.uid };
	r = kube_token_issue_legacy(x->tokens, &subject, s.metadata.name, &a, &token, e);
	if (r < 0)
		return r;
	if (!datum(&s, "token"))
		set_datum(&s, "token", token);
	set_datum(&s, "namespace", s.metadata.namespace);
	if (x->ca)
		set_datum(&s, "ca.crt", kube_ca_pem(x->ca));
	if ((!uid || !*uid) && set_uid(&s, sa.metadata.uid, &a) < 0)
		return err_nomem(e);
	return kclient_update_wait(x->client, o->resource, NULL, &s, &a, NULL, e);
}
