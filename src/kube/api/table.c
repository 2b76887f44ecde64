/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables and bare metadata: what kubectl get and metadata clients ask for. The
 * metadata of stored bytes is copied as it stands; only cells are computed.
 */
#include "kube/api/api_int.h"

#include <string.h>

#include "base/clock.h"
#include "codec/json.h"
#include "kube/api/columns.h"

/* The value of "metadata" in the item's bytes. */
static int metadata_of(const struct api_item *item, uint32_t *from, uint32_t *to)
{
	uint32_t at = item->meta_at + (uint32_t)sizeof "\"metadata\":" - 1;
	if (at >= item->value.len)
		return -EBADMSG;
	struct json_in in = json_in(item->value);
	struct slice value;
	in.p += at;
	if (json_peek(&in) != '{' || json_skip(&in, &value) < 0)
		return -EBADMSG;
	*from = (uint32_t)(value.ptr - item->value.ptr);
	*to = *from + (uint32_t)value.len;
	return 0;
}

int api_partial(struct api_req *q, const struct api_item *item, struct buf *out, struct err *e)
{
	uint32_t from, to;
	if (metadata_of(item, &from, &to) < 0)
		return err_set(e, EBADMSG, "the stored object cannot be read");
	buf_addf(out, "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/%s\",\"metadata\":", q->media.meta_version ? q->media.meta_version : "v1");
	if (item->rv_at > from && item->rv_at <= to)
		api_splice(out, slice_n(item->value.ptr + from, to - from), item->rv_at - from, item->revision);
	else
		buf_add(out, item->value.ptr + from, to - from);
	return buf_addc(out, '}');
}

/* "rows" is the last member: the table without any, opened again. */
static int open_table(struct api_req *q, const struct kube_list_meta *meta, bool columns, struct buf *out, struct err *e)
{
	struct kube_table t = { "Table", arena_fmt(q->arena, "meta.k8s.io/%s", q->media.meta_version), .metadata = *meta };
	t.rows = arena_array(q->arena, 0, sizeof *t.rows);
	t.column_definitions = (struct kube_table_column_definition[1]){ { 0 } };
	if (!t.api_version || !t.rows)
		return err_nomem(e);
	int x = columns ? api_columns(q, &t, e) : 0;
	if (x == 0 && schema_to_json(T_kube_table, &t, SCHEMA_ESCAPE_HTML, out) < 0)
		x = err_set(e, E2BIG, "the table is too large");
	if (x == 0)
		buf_truncate(out, out->len - 2);
	return x;
}

/* {"cells":[…],"conditions":[…],"object":{…}} */
static int add_row(struct api_req *q, const struct api_item *item, const char *include, struct buf *out, struct err *e)
{
	struct tree cells;
	const struct kube_table_row_condition *condition = NULL;
	int x = api_cells(q, item, &cells, &condition, e);
	if (x < 0)
		return x;
	buf_adds(out, "{\"cells\":");
	if (tree_to_json(&cells, SCHEMA_ESCAPE_HTML, out) < 0)
		return err_set(e, E2BIG, "the table is too large");
	if (condition) {
		buf_adds(out, ",\"conditions\":[");
		schema_to_json(T_kube_table_row_condition, condition, SCHEMA_ESCAPE_HTML, out);
		buf_addc(out, ']');
	}
	if (strcmp(include, "None")) {
		buf_adds(out, ",\"object\":");
		if (!strcmp(include, "Object"))
			api_splice(out, item->value, item->rv_at, item->revision);
		else
			x = api_partial(q, item, out, e);
	}
	buf_addc(out, '}');
	return x;
}

int api_table(struct api_req *q, const struct api_item *items, size_t n, const struct kube_list_meta *meta, bool columns, struct buf *out, struct err *e)
{
	const char *include = http_query_get(&q->http->query, "includeObject");
	struct arena *saved = q->arena;
	int x = open_table(q, meta, columns, out, e);
	for (size_t i = 0; i < n && x == 0; i++) {
		/* an object is decoded for its cells, and gone */
		AUTO(arena) struct arena a;
		arena_init(&a, 64 << 20);
		q->arena = &a;
		if (i)
			buf_addc(out, ',');
		x = add_row(q, &items[i], include ? include : "Metadata", out, e);
		q->arena = saved;
		if ((i & 31) == 31)
			fiber_yield_wait();
	}
	buf_adds(out, "]}");
	if (x == 0 && buf_error(out))
		x = err_set(e, E2BIG, "the table is too large");
	return x;
}
