/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/api/columns.h"

#include <string.h>

#include "base/clock.h"
#include "kube/kind/kind.h"

static int json_cell(struct arena *a, const struct tree *v, struct slice *ret)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	if (tree_to_json(v, SCHEMA_ESCAPE_HTML, &b) < 0)
		return -E2BIG;
	*ret = slice_n(arena_dup(a, buf_slice(&b)), b.len);
	return ret->ptr ? 0 : -ENOMEM;
}

static int built_in_row(struct api_req *q, const struct api_item *item, struct kube_table_row *row, struct err *e)
{
	struct schema_ref t = q->res->row->type;
	struct tree cells;
	void *obj = arena_alloc(q->arena, schema_size(t));
	if (!obj)
		return err_nomem(e);
	int x = schema_from_json(t, item->value, 0, q->arena, obj, e);
	if (x == 0 && kind_cells(t, obj, api_now_ns(q), q->arena, &cells) < 0)
		x = err_nomem(e);
	if (x < 0)
		return x;
	row->cells = arena_array(q->arena, cells.n, sizeof *row->cells);
	if (!row->cells)
		return err_nomem(e);
	row->n_cells = cells.n;
	for (uint32_t i = 0; i < cells.n; i++)
		if (json_cell(q->arena, &cells.items[i], &row->cells[i]) < 0)
			return err_nomem(e);
	const struct kube_table_row_condition *c = kind_row_condition(t, obj);
	if (c) {
		row->conditions = arena_new(q->arena, struct kube_table_row_condition);
		if (!row->conditions)
			return err_nomem(e);
		row->conditions[0] = *c;
		row->n_conditions = 1;
	}
	return 0;
}

int api_columns(struct api_req *q, struct kube_table *t, struct err *e)
{
	if (!q->res->custom) {
		unsigned n;
		const struct kind_column *c = kind_columns(q->res->row->type, &n);
		t->column_definitions = arena_array(q->arena, n, sizeof *t->column_definitions);
		if (!t->column_definitions)
			return err_nomem(e);
		t->n_column_definitions = n;
		for (unsigned i = 0; i < n; i++)
			t->column_definitions[i] = (struct kube_table_column_definition){ c[i].name, c[i].type, c[i].format, c[i].description, c[i].priority };
		return 0;
	}
	return api_custom_columns(q, t, e);
}

int api_cells(struct api_req *q, const struct api_item *item, struct kube_table_row *row, struct err *e)
{
	if (!q->res->custom)
		return built_in_row(q, item, row, e);
	return api_custom_cells(q, item, row, e);
}
