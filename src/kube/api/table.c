/* SPDX-License-Identifier: Apache-2.0 */
/* Tables and bare metadata: what kubectl get and metadata clients ask for. */
#include "kube/api/api_int.h"

#include <string.h>

#include "base/clock.h"
#include "kube/api/columns.h"

static int partial_struct(struct api_req *q, const struct api_item *item, struct kube_partial_object_metadata *m, struct err *e)
{
	int x = schema_from_json(T_kube_partial_object_metadata, item->value, SCHEMA_NO_COPY, q->arena, m, e);
	if (x < 0)
		return x;
	m->kind = "PartialObjectMetadata";
	m->api_version = arena_fmt(q->arena, "meta.k8s.io/%s", q->media.meta_version ? q->media.meta_version : "v1");
	m->metadata.resource_version = item->revision ? arena_fmt(q->arena, "%lld", (long long)item->revision) : NULL;
	return m->api_version ? 0 : err_nomem(e);
}

int api_partial(struct api_req *q, const struct api_item *item, struct buf *out, struct err *e)
{
	struct kube_partial_object_metadata m;
	int x = partial_struct(q, item, &m, e);
	return x < 0 ? x : schema_to_json(T_kube_partial_object_metadata, &m, SCHEMA_ESCAPE_HTML, out);
}

static int row_object(struct api_req *q, const struct api_item *item, const char *include, struct slice *ret, struct err *e)
{
	AUTO(buf) struct buf b = BUF_INIT(4 * API_OBJECT_MAX);
	if (!strcmp(include, "None"))
		return 0;
	if (!strcmp(include, "Object")) {
		api_splice(&b, item->value, item->rv_at, item->revision);
	} else {
		int x = api_partial(q, item, &b, e);
		if (x < 0)
			return x;
	}
	*ret = slice_n(arena_dup(q->arena, buf_slice(&b)), b.len);
	return ret->ptr && !buf_error(&b) ? 0 : err_nomem(e);
}

int api_table(struct api_req *q, const struct api_item *items, size_t n, const struct kube_list_meta *meta, bool columns, struct buf *out, struct err *e)
{
	const char *include = http_query_get(&q->http->query, "includeObject");
	struct kube_table t = { "Table", arena_fmt(q->arena, "meta.k8s.io/%s", q->media.meta_version), .metadata = *meta };
	t.rows = arena_array(q->arena, n, sizeof *t.rows);
	if (!t.api_version || !t.rows)
		return err_nomem(e);
	t.n_rows = (uint32_t)n;
	t.column_definitions = (struct kube_table_column_definition[1]){ { 0 } };
	int x = columns ? api_columns(q, &t, e) : 0;
	for (size_t i = 0; i < n && x == 0; i++) {
		x = api_cells(q, &items[i], &t.rows[i], e);
		if (x == 0)
			x = row_object(q, &items[i], include ? include : "Metadata", &t.rows[i].object, e);
		if ((i & 31) == 31)
			fiber_yield_wait();
	}
	if (x == 0)
		x = schema_to_json(T_kube_table, &t, SCHEMA_ESCAPE_HTML, out);
	return x;
}
