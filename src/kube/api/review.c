/* SPDX-License-Identifier: Apache-2.0 */
/* Resources that are questions, answered by kube/auth and never stored: reviews of access, tokens and oneself. */
#include "kube/api/api_int.h"

#include <string.h>

int api_review_wait(struct api_req *q)
{
	const struct kube_reviewer *v = q->api->c.reviewer;
	struct err e = { 0 };
	q->media.shape = API_WHOLE;
	if (!strcmp(q->res->row->plural, "bindings"))
		return api_bindings_wait(q);
	if (!v || !v->review_wait)
		return api_refuse(q, 501, "NotImplemented", "this server answers no reviews");
	struct api_head *obj = arena_alloc(q->arena, schema_size(q->res->row->type));
	int x = obj ? api_decode(q, q->res->row->type, q->res->api_version, q->res->row->kind, obj) : -ENOMEM;
	if (x < 0)
		return x;
	if (v->review_wait(v->arg, &q->user, q->res->row, q->at.namespace_, obj, q->arena, &e) < 0)
		return api_from_err(q, &e);
	obj->kind = q->res->row->kind;
	obj->api_version = q->res->api_version;
	return api_reply_struct(q, 201, q->res->row->type, obj);
}
