/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificate signing requests: who asks is what authentication says, and only
 * who may approve or sign for the signer writes conditions or certificates.
 */
#include "kube/api/admit.h"

#include <string.h>

static bool is_request(const struct api_object *o) { return !o->res->custom && !strcmp(o->res->text, "certificatesigningrequests.certificates.k8s.io"); }

int api_request_origin(struct api_req *q, struct api_object *o)
{
	if (!is_request(o))
		return 0;
	struct kube_certificate_signing_request_spec *s = &((struct kube_certificate_signing_request *)o->head)->spec;
	const char **groups = arena_array(q->arena, q->user.n_groups, sizeof *groups);
	struct kube_string_list_entry *extra = arena_array(q->arena, q->user.n_extra, sizeof *extra);
	if (!groups || !extra)
		return -ENOMEM;
	for (size_t i = 0; i < q->user.n_groups; i++)
		groups[i] = q->user.groups[i];
	for (size_t i = 0; i < q->user.n_extra; i++)
		extra[i] = (struct kube_string_list_entry){ q->user.extra[i].key, (const char **)q->user.extra[i].values, (uint32_t)q->user.extra[i].n_values };
	s->username = q->user.name;
	s->uid = q->user.uid;
	s->groups = groups;
	s->n_groups = (uint32_t)q->user.n_groups;
	s->extra = q->user.n_extra ? extra : NULL;
	s->n_extra = (uint32_t)q->user.n_extra;
	return 0;
}

/* The signer's name, or its domain with a star, as a "signer" the user has the verb on. */
static bool may(struct api_req *q, const char *verb, const char *signer)
{
	const struct kube_authorizer *a = q->api->c.authorizer;
	struct kube_attributes at = { .verb = verb, .group = "certificates.k8s.io", .version = "*", .resource = "signers", .subresource = "", .namespace_ = "",
		.name = signer, .path = "", .is_resource = true };
	const char *slash = strchr(signer, '/'), *reason = NULL;
	if (!a || kube_user_in_group(&q->user, "system:masters") || a->allowed(a->arg, &q->user, &at, q->arena, &reason) > 0)
		return true;
	at.name = slash ? arena_fmt(q->arena, "%.*s/*", (int)(slash - signer), signer) : NULL;
	return at.name && a->allowed(a->arg, &q->user, &at, q->arena, &reason) > 0;
}

int api_admit_request(struct api_req *q, const struct api_object *old, const struct api_object *o)
{
	if (!is_request(o) || q->is_own)
		return 0;
	const struct kube_certificate_signing_request *now = (const void *)o->head, *was = (const void *)old->head;
	const char *signer = was->spec.signer_name ? was->spec.signer_name : "", *verb = NULL;
	if (!strcmp(q->at.subresource, "approval"))
		verb = "approve";
	else if (!strcmp(q->at.subresource, "status") && (now->status.certificate.len != was->status.certificate.len ||
		(now->status.certificate.len && memcmp(now->status.certificate.ptr, was->status.certificate.ptr, now->status.certificate.len))))
		verb = "sign";
	if (!verb || may(q, verb, signer))
		return 0;
	return api_forbidden(q, o->res, o->head->metadata.name, arena_fmt(q->arena, "user not permitted to %s requests with signerName \"%s\"", verb, signer));
}
