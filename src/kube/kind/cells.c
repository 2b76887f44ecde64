/* SPDX-License-Identifier: Apache-2.0 */
/* Writing cells; what a kind without columns of its own shows. */
#include "kube/kind/kind_int.h"

#include "base/clock.h"
#include "kube/meta/text.h"

static void add(struct cells *c, struct tree v)
{
	if (!tree_append(c->a, c->list, v))
		c->error = -E2BIG;
}

void cell_text(struct cells *c, const char *s)
{
	add(c, tree_string(slice_of(or_empty(s))));
}

void cell_fmt(struct cells *c, const char *fmt, ...)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 16);
	va_list ap;
	va_start(ap, fmt);
	buf_addfv(&b, fmt, ap);
	va_end(ap);
	cell_buf(c, &b);
}

void cell_buf(struct cells *c, const struct buf *b)
{
	char *s = arena_dup(c->a, buf_slice(b));
	if (!s)
		c->error = -E2BIG;
	cell_text(c, s);
}

void cell_int(struct cells *c, int64_t v)
{
	struct tree t = { 0 };
	if (tree_int(c->a, v, &t) < 0)
		c->error = -E2BIG;
	add(c, t);
}

void cell_bool(struct cells *c, bool v)
{
	add(c, tree_bool(v));
}

void cell_age(struct cells *c, const char *time)
{
	char t[KUBE_DURATION_MAX];
	cell_fmt(c, "%s", kube_age(t, time, c->now_ns));
}

void cell_containers(struct cells *c, const struct kube_pod_spec *s)
{
	AUTO(buf) struct buf names = BUF_INIT(1 << 16), images = BUF_INIT(1 << 16);
	for (uint32_t i = 0; s && i < s->n_containers; i++) {
		buf_addf(&names, "%s%s", i ? "," : "", or_empty(s->containers[i].name));
		buf_addf(&images, "%s%s", i ? "," : "", or_empty(s->containers[i].image));
	}
	cell_buf(c, &names);
	cell_buf(c, &images);
}

void cell_labels(struct cells *c, const struct schema_pair *v, uint32_t n)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 16);
	kube_labels_text(v, n, &b);
	cell_buf(c, &b);
}

void cell_selector(struct cells *c, const struct kube_label_selector *s)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 16);
	kube_selector_text(s, &b);
	if (!b.len)
		buf_adds(&b, "<none>");
	cell_buf(c, &b);
}

static const struct kind_column plain_columns[] = {
	{ "Name", "string", "name", 0, "The object's name" },
	{ "Created At", "date", "", 0, "When it was created" },
};

const struct kind_column *kind_columns(struct schema_ref ref, unsigned *ret_n)
{
	const struct kind_row *r = kind_row(ref);
	if (r && r->table) {
		*ret_n = r->table->n;
		return r->table->columns;
	}
	*ret_n = ARRAY_LEN(plain_columns);
	return plain_columns;
}

int kind_cells(struct schema_ref ref, const void *obj, int64_t now_ns, struct arena *a, struct tree *ret_cells)
{
	const struct kind_row *r = kind_row(ref);
	*ret_cells = tree_list();
	struct cells c = { .a = a, .list = ret_cells, .now_ns = now_ns };
	if (r && r->table) {
		r->table->cells(&c, obj);
	} else {
		const struct kube_object_meta *m = &((const struct kind_object *)obj)->metadata;
		cell_text(&c, m->name);
		cell_text(&c, m->creation_timestamp ? m->creation_timestamp : "<unknown>");
	}
	return c.error;
}

const struct kube_table_row_condition *kind_row_condition(struct schema_ref ref, const void *obj)
{
	static const struct kube_table_row_condition succeeded = { .type = "Completed", .status = "True", .reason = "Succeeded",
		.message = "The pod has completed successfully." };
	static const struct kube_table_row_condition failed = { .type = "Completed", .status = "True", .reason = "Failed",
		.message = "The pod failed." };
	if (ref.domain != &schema_kube || ref.type != T_kube_pod.type)
		return NULL;
	const struct kube_pod *p = obj;
	return is(p->status.phase, "Succeeded") ? &succeeded : is(p->status.phase, "Failed") ? &failed : NULL;
}
