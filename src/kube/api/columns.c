/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/api/columns.h"

#include "kube/kind/kind.h"

int api_columns(struct api_req *q, struct kube_table *t, struct err *e)
{
	unsigned n;
	if (q->res->custom)
		return api_custom_columns(q, t, e);
	const struct kind_column *c = kind_columns(q->res->row->type, &n);
	t->column_definitions = arena_array(q->arena, n, sizeof *t->column_definitions);
	if (!t->column_definitions)
		return err_nomem(e);
	t->n_column_definitions = n;
	for (unsigned i = 0; i < n; i++)
		t->column_definitions[i] = (struct kube_table_column_definition){ c[i].name, c[i].type, c[i].format, c[i].description, c[i].priority };
	return 0;
}

int api_cells(struct api_req *q, const struct api_item *item, struct tree *ret, const struct kube_table_row_condition **condition, struct err *e)
{
	struct schema_ref t = q->res->row->type;
	if (q->res->custom)
		return api_custom_cells(q, item, ret, e);
	void *obj = arena_alloc(q->arena, schema_size(t));
	if (!obj)
		return err_nomem(e);
	int x = schema_from_json(t, item->value, SCHEMA_NO_COPY, q->arena, obj, e);
	if (x < 0)
		return x;
	*condition = kind_row_condition(t, obj);
	return kind_cells(t, obj, api_now_ns(q), q->arena, ret) < 0 ? err_nomem(e) : 0;
}
