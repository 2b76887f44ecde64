/* SPDX-License-Identifier: Apache-2.0 */
/* Places in types: rows. What compiled schemas answer is in crd_node.c's functions, called here. */
#include "schema/node.h"
#include "schema/node_int.h"
#include "schema/schema_int.h"

static const struct crd_hooks *crd(const struct schema_node *n)
{
	return *(const struct crd_hooks *const *)n->prop;
}

struct schema_node schema_node_of(struct schema_ref t)
{
	return (struct schema_node){ .domain = t.domain, .type = t.type };
}

/* Messages that stand for a list or map become that list or map; entries of maps their value. */
static struct schema_node resolve(struct schema_node n)
{
	const struct schema_domain *d = n.domain;
	for (int i = 0; i < 8; i++) {
		const struct schema_field *f = n.field;
		bool is_whole_many = f && !n.is_item && f->shape >= SCHEMA_LIST;
		if (is_whole_many || (f && (f->kind != SCHEMA_MESSAGE || f->flags & SCHEMA_PAIRS)))
			return n;
		const struct schema_type *t = type_at(d, f ? f->sub : n.type);
		if (f && f->shape == SCHEMA_MAP && n.is_item)
			n = (struct schema_node){ .domain = d, .field = value_of(d, t) };
		else if (t->flags & SCHEMA_TRANSPARENT)
			n = (struct schema_node){ .domain = d, .field = fields_of(d, t) };
		else
			return (struct schema_node){ .domain = d, .type = (uint32_t)(t - d->types) };
	}
	return n;
}

const struct schema_list_row *schema_list_row(const struct schema_domain *d, const struct schema_field *f)
{
	uint32_t index = (uint32_t)(f - d->fields), lo = 0, hi = d->n_lists;
	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;
		if (d->lists[mid].field < index)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < d->n_lists && d->lists[lo].field == index ? &d->lists[lo] : NULL;
}

enum schema_node_kind schema_node_kind(const struct schema_node *n, const struct tree *v)
{
	if (n->prop)
		return crd(n)->kind(n, v);
	if (!n->domain)
		return v && (v->type == TREE_MAP || v->type == TREE_NULL) ? NODE_MAP : NODE_LEAF;
	struct schema_node at = resolve(*n);
	if (!at.field)
		return type_at(at.domain, at.type)->is_atomic ? NODE_LEAF : NODE_MAP;
	if (at.is_item || at.field->shape < SCHEMA_LIST)
		return NODE_LEAF;
	const struct schema_list_row *row = schema_list_row(at.domain, at.field);
	if (at.field->shape == SCHEMA_MAP)
		return row && row->type == 'a' ? NODE_LEAF : NODE_MAP;
	return !row ? NODE_LEAF : row->type == 's' ? NODE_SET : row->type == 'm' ? NODE_ASSOC : NODE_LEAF;
}

struct schema_node schema_node_member(const struct schema_node *n, struct slice key)
{
	if (n->prop)
		return crd(n)->member(n, key);
	if (!n->domain)
		return *n;
	struct schema_node at = resolve(*n);
	if (!at.field) {
		const struct schema_field *f = field_find(at.domain, type_at(at.domain, at.type), key.ptr, key.len, false);
		return f ? (struct schema_node){ .domain = at.domain, .field = f } : schema_node_any();
	}
	if (at.field->shape == SCHEMA_MAP && !at.is_item)
		return (struct schema_node){ .domain = at.domain, .field = at.field, .is_item = true };
	return schema_node_any();
}

struct schema_node schema_node_item(const struct schema_node *n)
{
	if (n->prop)
		return crd(n)->item(n);
	if (!n->domain)
		return *n;
	struct schema_node at = resolve(*n);
	if (at.field && at.field->shape == SCHEMA_LIST && !at.is_item)
		return (struct schema_node){ .domain = at.domain, .field = at.field, .is_item = true };
	return schema_node_any();
}

const char *schema_node_keys(const struct schema_node *n)
{
	if (n->prop)
		return crd(n)->keys(n);
	if (!n->domain)
		return NULL;
	struct schema_node at = resolve(*n);
	const struct schema_list_row *row = at.field && !at.is_item ? schema_list_row(at.domain, at.field) : NULL;
	return row && row->type == 'm' && row->keys ? text_at(at.domain, row->keys) : NULL;
}

bool schema_node_has_member(const struct schema_node *n, struct slice key)
{
	if (n->prop)
		return crd(n)->has_member(n, key);
	if (!n->domain)
		return false;
	struct schema_node at = resolve(*n);
	return !at.field && field_find(at.domain, type_at(at.domain, at.type), key.ptr, key.len, false);
}

bool schema_node_key_default(const struct schema_node *item, struct slice key, struct tree *ret)
{
	if (item->prop)
		return crd(item)->key_default(item, key, ret);
	struct schema_node at = schema_node_member(item, key);
	if (!at.field || !kind_is_text(at.field->kind) || !(at.field->flags & SCHEMA_RULES))
		return false;
	uint32_t index = (uint32_t)(at.field - at.domain->fields);
	for (uint32_t i = 0; i < at.domain->n_rules; i++) {
		const struct schema_rule *r = &at.domain->rules[i];
		if (r->field == index && r->kind == SCHEMA_RULE_DEFAULT) {
			*ret = tree_string(slice_of(text_at(at.domain, r->text)));
			return true;
		}
	}
	return false;
}

void schema_node_patch(const struct schema_node *n, struct schema_patch_how *ret)
{
	*ret = (struct schema_patch_how){ 0 };
	if (!n->domain)
		return;
	struct schema_node at = *n;
	const struct schema_list_row *row = at.field && !at.is_item ? schema_list_row(at.domain, at.field) : NULL;
	if (!row)
		return;
	*ret = (struct schema_patch_how){ .is_merge = row->patch & 1, .is_retain = row->patch & 2, .is_replace = row->patch & 4,
		.key = row->merge_key ? slice_of(text_at(at.domain, row->merge_key)) : slice_n(NULL, 0) };
}
