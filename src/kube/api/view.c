/* SPDX-License-Identifier: Apache-2.0 */
/* Resources that are another view of what is stored: events.k8s.io/v1 of core events, autoscaling/v1 of autoscaling/v2. */
#include "kube/api/api_int.h"
#include "kube/kind/kind.h"

int api_convert(const struct api_resource *from, const void *obj, const struct api_resource *to, const void *old, struct arena *a, struct api_head **ret,
	struct err *e)
{
	struct api_head *h = arena_alloc(a, schema_size(to->row->type));
	if (!h)
		return err_nomem(e);
	int x = kind_convert(from->row->type, obj, to->row->type, old, a, h);
	if (x < 0)
		return err_sys(e, x, "converting %s to %s", from->api_version, to->api_version);
	h->kind = to->row->kind;
	h->api_version = to->api_version;
	*ret = h;
	return 0;
}

int api_view(const struct api_resource *r, struct slice stored, struct arena *a, struct slice *ret, struct err *e)
{
	AUTO(buf) struct buf b = BUF_INIT(4 * API_OBJECT_MAX);
	struct api_head *h;
	if (r->custom)
		return api_custom_view(r, stored, a, ret, e);
	void *obj = arena_alloc(a, schema_size(r->stored->row->type));
	if (!obj)
		return err_nomem(e);
	int x = schema_from_json(r->stored->row->type, stored, 0, a, obj, e);
	if (x == 0)
		x = api_convert(r->stored, obj, r, NULL, a, &h, e);
	if (x == 0 && schema_to_json(r->row->type, h, SCHEMA_ESCAPE_HTML, &b) < 0)
		x = err_set(e, E2BIG, "the object is too large");
	if (x < 0)
		return x;
	*ret = slice_n(arena_dup(a, buf_slice(&b)), b.len);
	return ret->ptr ? 0 : err_nomem(e);
}
