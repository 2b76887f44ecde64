/* SPDX-License-Identifier: Apache-2.0 */
/* From a JSONSchemaProps document to a compiled schema; and what server-side apply asks of one. */
#include "schema/crd_int.h"
#include "schema/schema_int.h"

static const char *const type_names[] = { "", "object", "array", "string", "integer", "number", "boolean" };

struct compiler {
	struct crd_schema *s;
	unsigned depth;
};

static int compile(struct compiler *c, const struct tree *doc, struct crd_prop *p);

static bool flag(const struct tree *doc, const char *key) { return tree_is_true(tree_gets(doc, key)); }

static struct crd_limit limit(const struct tree *doc, const char *key)
{
	const struct tree *v = tree_gets(doc, key);
	if (!v || v->type != TREE_NUMBER)
		return (struct crd_limit){ 0 };
	AUTO(free) char *text = slice_dup(tree_text(v));
	return (struct crd_limit){ text != NULL, text ? strtod(text, NULL) : 0 };
}

/* NULL when there is no such text. */
static int text(struct compiler *c, const struct tree *doc, const char *key, const char **ret)
{
	const struct tree *v = tree_gets(doc, key);
	*ret = NULL;
	if (!v || v->type != TREE_STRING || !v->n)
		return 0;
	return (*ret = arena_dup(&c->s->a, tree_text(v))) ? 0 : -E2BIG;
}

static int many(struct compiler *c, const struct tree *doc, const char *key, struct crd_prop **ret, uint32_t *n)
{
	const struct tree *v = tree_gets(doc, key);
	if (!v || v->type != TREE_LIST)
		return 0;
	*ret = arena_array(&c->s->a, v->n, sizeof **ret);
	if (!*ret)
		return -E2BIG;
	for (uint32_t i = 0; i < v->n; i++) {
		int r = compile(c, &v->items[i], &(*ret)[i]);
		if (r < 0)
			return r;
	}
	*n = v->n;
	return 0;
}

static int one(struct compiler *c, const struct tree *doc, const char *key, struct crd_prop **ret)
{
	const struct tree *v = tree_gets(doc, key);
	if (!v || v->type != TREE_MAP)
		return 0;
	*ret = arena_new(&c->s->a, struct crd_prop);
	return *ret ? compile(c, v, *ret) : -E2BIG;
}

static int compare_named(const void *x, const void *y)
{
	return slice_cmp(((const struct crd_named *)x)->name, ((const struct crd_named *)y)->name);
}

static int properties(struct compiler *c, const struct tree *doc, struct crd_prop *p)
{
	const struct tree *v = tree_gets(doc, "properties");
	if (!v || v->type != TREE_MAP)
		return 0;
	p->props = arena_array(&c->s->a, v->n, sizeof *p->props);
	if (!p->props)
		return -E2BIG;
	for (uint32_t i = 0; i < v->n; i++) {
		p->props[i].name = key_of(&v->members[i]);
		int r = compile(c, &v->members[i].value, &p->props[i].prop);
		if (r < 0)
			return r;
	}
	p->n_props = v->n;
	if (v->n)
		qsort(p->props, v->n, sizeof *p->props, compare_named);
	return 0;
}

/* "name,protocol" */
static int list_keys(struct compiler *c, const struct tree *doc, const char **ret)
{
	const struct tree *v = tree_gets(doc, "x-kubernetes-list-map-keys");
	AUTO(buf) struct buf b = BUF_INIT(4096);
	for (uint32_t i = 0; v && v->type == TREE_LIST && i < v->n; i++)
		buf_addf(&b, "%s%.*s", i ? "," : "", SLICE_FMT(tree_text(&v->items[i])));
	*ret = NULL;
	if (buf_error(&b))
		return -E2BIG;
	return !b.len || (*ret = arena_dup(&c->s->a, buf_slice(&b))) ? 0 : -E2BIG;
}

static int scalars(struct compiler *c, const struct tree *doc, struct crd_prop *p)
{
	const char *list, *map;
	int r = text(c, doc, "type", &p->type_text);
	if (r == 0)
		r = text(c, doc, "format", &p->format);
	if (r == 0)
		r = text(c, doc, "pattern", &p->pattern_text);
	if (r == 0)
		r = text(c, doc, "x-kubernetes-list-type", &list);
	if (r == 0)
		r = text(c, doc, "x-kubernetes-map-type", &map);
	if (r == 0)
		r = list_keys(c, doc, &p->keys);
	if (r < 0)
		return r;
	for (uint8_t i = 0; p->type_text && i < ARRAY_LEN(type_names); i++)
		if (!strcmp(p->type_text, type_names[i]))
			p->type = i;
	p->list_type = list ? list[0] : 0;
	p->is_atomic_map = map && !strcmp(map, "atomic");
	p->is_nullable = flag(doc, "nullable");
	p->is_preserving = flag(doc, "x-kubernetes-preserve-unknown-fields");
	p->is_embedded = flag(doc, "x-kubernetes-embedded-resource");
	p->is_int_or_string = flag(doc, "x-kubernetes-int-or-string");
	p->is_max_exclusive = flag(doc, "exclusiveMaximum");
	p->is_min_exclusive = flag(doc, "exclusiveMinimum");
	p->max = limit(doc, "maximum");
	p->min = limit(doc, "minimum");
	p->multiple = limit(doc, "multipleOf");
	p->max_len = limit(doc, "maxLength");
	p->min_len = limit(doc, "minLength");
	p->max_items = limit(doc, "maxItems");
	p->min_items = limit(doc, "minItems");
	p->max_props = limit(doc, "maxProperties");
	p->min_props = limit(doc, "minProperties");
	const struct tree *d = tree_gets(doc, "default"), *enums = tree_gets(doc, "enum"), *required = tree_gets(doc, "required");
	p->default_value = d && d->type != TREE_NULL ? d : NULL;
	p->enums = enums && enums->type == TREE_LIST && enums->n ? enums : NULL;
	p->required = required && required->type == TREE_LIST && required->n ? required : NULL;
	return 0;
}

static int compile(struct compiler *c, const struct tree *doc, struct crd_prop *p)
{
	const struct tree *additional = tree_gets(doc, "additionalProperties");
	*p = (struct crd_prop){ .hooks = &crd_hooks, .schema = c->s, .doc = doc };
	int r = scalars(c, doc, p);
	if (r == 0)
		r = properties(c, doc, p);
	if (r == 0)
		r = one(c, doc, "items", &p->items);
	if (r == 0)
		r = one(c, doc, "additionalProperties", &p->additional);
	if (r == 0)
		r = one(c, doc, "not", &p->not_);
	if (r == 0)
		r = many(c, doc, "allOf", &p->all_of, &p->n_all);
	if (r == 0)
		r = many(c, doc, "anyOf", &p->any_of, &p->n_any);
	if (r == 0)
		r = many(c, doc, "oneOf", &p->one_of, &p->n_one);
	p->has_additional = additional && (additional->type == TREE_MAP || additional->type == TREE_BOOL);
	p->allows_additional = p->additional || tree_is_true(additional);
	return r;
}

/* The document is ours: defaults lose what the schema does not know. */
static void prune_defaults(struct crd_prop *p)
{
	if (p->default_value)
		crd_prune_at(p, (struct tree *)p->default_value);
	for (uint32_t i = 0; i < p->n_props; i++)
		prune_defaults(&p->props[i].prop);
	if (p->items)
		prune_defaults(p->items);
	if (p->additional)
		prune_defaults(p->additional);
}

static int build(struct crd_schema *s, const struct tree *schema, const char *path, struct schema_problems *p)
{
	struct compiler c = { .s = s };
	if (tree_copy(schema, &s->a, &s->doc) < 0)
		return -E2BIG;
	int r = compile(&c, &s->doc, &s->root);
	if (r < 0)
		return r;
	s->root.is_root = true;
	uint32_t before = p->n;
	r = crd_check_structure(s, path, p);
	if (r < 0)
		return r;
	if (p->n > before || p->is_full)
		return -EINVAL;
	prune_defaults(&s->root);
	return 0;
}

int crd_compile(const struct tree *schema, struct schema_ref metadata, const char *path, struct schema_problems *p, struct crd_schema **ret)
{
	struct crd_schema *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	arena_init(&s->a, CRD_MAX_BYTES);
	atomic_init(&s->refs, 1);
	s->metadata = metadata;
	int r = build(s, schema, path, p);
	if (r < 0) {
		crd_unref(s);
		return r;
	}
	*ret = s;
	return 0;
}

struct crd_schema *crd_ref(struct crd_schema *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

struct crd_schema *crd_unref(struct crd_schema *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return NULL;
	crd_rules_release(s);
	crd_patterns_free(s->patterns);
	arena_release(&s->a);
	free(s);
	return NULL;
}

/* --- looking --- */

const struct crd_prop *crd_find(const struct crd_prop *p, struct slice name)
{
	uint32_t lo = 0, hi = p->n_props;
	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;
		int r = slice_cmp(p->props[mid].name, name);
		if (r == 0)
			return &p->props[mid].prop;
		if (r < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

const struct crd_prop *crd_member(const struct crd_prop *p, struct slice name)
{
	const struct crd_prop *named = crd_find(p, name);
	return named ? named : p->additional;
}

struct schema_node crd_node(const struct crd_schema *s)
{
	return (struct schema_node){ .prop = &s->root };
}

static bool has_type_meta(const struct crd_prop *p) { return p->is_root || p->is_embedded; }

static enum schema_node_kind node_kind(const struct schema_node *n, const struct tree *v)
{
	const struct crd_prop *p = n->prop;
	if (p->is_int_or_string)
		return NODE_LEAF;
	switch (p->type) {
	case CRD_OBJECT:
		return p->is_atomic_map ? NODE_LEAF : NODE_MAP;
	case CRD_ARRAY:
		return p->list_type == 's' ? NODE_SET : p->list_type == 'm' && p->keys ? NODE_ASSOC : NODE_LEAF;
	case CRD_ANY:
		return v && (v->type == TREE_MAP || v->type == TREE_NULL) ? NODE_MAP : NODE_LEAF;
	}
	return NODE_LEAF;
}

static struct schema_node node_member(const struct schema_node *n, struct slice key)
{
	const struct crd_prop *p = n->prop;
	if (has_type_meta(p) && slice_is(key, "metadata") && p->schema->metadata.domain)
		return schema_node_of(p->schema->metadata);
	const struct crd_prop *below = crd_member(p, key);
	return below ? (struct schema_node){ .prop = below } : schema_node_any();
}

static struct schema_node node_item(const struct schema_node *n)
{
	return n->prop->items ? (struct schema_node){ .prop = n->prop->items } : schema_node_any();
}

static const char *node_keys(const struct schema_node *n)
{
	return n->prop->list_type == 'm' ? n->prop->keys : NULL;
}

static bool node_has_member(const struct schema_node *n, struct slice key)
{
	if (has_type_meta(n->prop) && (slice_is(key, "metadata") || slice_is(key, "kind") || slice_is(key, "apiVersion")))
		return true;
	return crd_find(n->prop, key) != NULL;
}

static bool node_key_default(const struct schema_node *item, struct slice key, struct tree *ret)
{
	const struct crd_prop *p = crd_find(item->prop, key);
	if (!p || !p->default_value)
		return false;
	*ret = *p->default_value;
	return true;
}

const struct crd_hooks crd_hooks = { node_kind, node_member, node_item, node_keys, node_has_member, node_key_default };
