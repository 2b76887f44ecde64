/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a schema structural: every value has a known shape, and allOf, anyOf,
 * oneOf and not only restrict what that shape already says. The wordings are
 * those of Kubernetes' apiextensions API.
 */
#include "schema/crd_int.h"
#include "schema/schema_int.h"

enum level { ROOT, ITEM, FIELD };

struct checker {
	struct crd_schema *s;
	struct buf path;
	struct schema_problems *p;
	int error;
};

static size_t push(struct checker *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static size_t push(struct checker *c, const char *fmt, ...)
{
	size_t len = c->path.len;
	va_list ap;
	va_start(ap, fmt);
	buf_addfv(&c->path, fmt, ap);
	va_end(ap);
	return len;
}

static void pop(struct checker *c, size_t len)
{
	if (buf_error(&c->path))
		c->error = -E2BIG;
	else
		buf_truncate(&c->path, len);
}

static void required(struct checker *c, const char *child, const char *detail)
{
	size_t len = push(c, ".%s", child);
	problem_required(c->p, c->path.ptr, detail);
	pop(c, len);
}

static void forbidden(struct checker *c, const char *child, const char *detail)
{
	size_t len = push(c, "%s%s", *child ? "." : "", child);
	problem_forbidden(c->p, c->path.ptr, detail);
	pop(c, len);
}

static void invalid(struct checker *c, const char *child, const struct tree *v, const char *detail)
{
	static const struct tree null;
	size_t len = push(c, ".%s", child);
	problem_invalid(c->p, c->path.ptr, v ? v : &null, detail);
	pop(c, len);
}

static void unsupported(struct checker *c, const char *child, const struct tree *v, const char *allowed)
{
	size_t len = push(c, ".%s", child);
	problem_addf(c->p, c->path.ptr, "FieldValueNotSupported", "Unsupported value: \"%.*s\": supported values: %s", SLICE_FMT(tree_text(v)), allowed);
	pop(c, len);
}

/* --- what holds for every part of a schema --- */

static void check_unsupported(struct checker *c, const struct crd_prop *p)
{
	static const char *const words[][2] = {
		{ "id", "id is not supported" }, { "additionalItems", "additionalItems is not supported" },
		{ "patternProperties", "patternProperties is not supported" }, { "definitions", "definitions is not supported" },
		{ "dependencies", "dependencies is not supported" }, { "$ref", "$ref is not supported" },
	};
	const struct tree *items = tree_gets(p->doc, "items");
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		const struct tree *v = tree_gets(p->doc, words[i][0]);
		if (v && v->type != TREE_NULL && !(v->type == TREE_STRING && !v->n) && !(v->type == TREE_MAP && !v->n))
			forbidden(c, words[i][0], words[i][1]);
	}
	if (p->type_text && !strcmp(p->type_text, "null"))
		forbidden(c, "type", "type cannot be set to null, use nullable as an alternative");
	else if (p->type_text && p->type == CRD_ANY)
		unsupported(c, "type", tree_gets(p->doc, "type"), "\"array\", \"boolean\", \"integer\", \"number\", \"object\", \"string\"");
	if (items && items->type == TREE_LIST)
		forbidden(c, "items", "items must be a schema object and not an array");
	if (tree_is_true(tree_gets(p->doc, "uniqueItems")))
		forbidden(c, "uniqueItems", "uniqueItems cannot be set to true since the runtime complexity becomes quadratic");
	if (p->n_props && p->has_additional && (p->additional || !p->allows_additional))
		forbidden(c, "additionalProperties", "additionalProperties and properties are mutual exclusive");
	const struct tree *preserve = tree_gets(p->doc, "x-kubernetes-preserve-unknown-fields");
	if (preserve && preserve->type == TREE_BOOL && !preserve->is_true)
		invalid(c, "x-kubernetes-preserve-unknown-fields", preserve, "must be true or undefined");
}

static void check_pattern(struct checker *c, struct crd_prop *p)
{
	struct err e = { 0 };
	if (!p->pattern_text)
		return;
	int r = crd_pattern_new(p->pattern_text, c->s->patterns, &p->pattern, &e);
	if (r == -ENOMEM)
		c->error = r;
	if (r == 0) {
		c->s->patterns = p->pattern;
		return;
	}
	AUTO(free) char *why = fmt_new("must be a valid regular expression, but isn't: %s", e.text);
	invalid(c, "pattern", tree_gets(p->doc, "pattern"), why ? why : "");
}

static void check_keys(struct checker *c, const struct crd_prop *p)
{
	const struct tree *keys = tree_gets(p->doc, "x-kubernetes-list-map-keys");
	if (!p->keys) {
		required(c, "x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type is map");
		return;
	}
	if (!p->items) {
		required(c, "items", "must have a schema if x-kubernetes-list-type is map");
		return;
	}
	if (p->items->type != CRD_OBJECT)
		invalid(c, "items.type", tree_gets(p->items->doc, "type"), "must be object if parent array's x-kubernetes-list-type is map");
	for (uint32_t i = 0; keys && i < keys->n; i++) {
		struct slice key = tree_text(&keys->items[i]);
		const struct crd_prop *at = crd_find(p->items, key);
		bool is_required = false;
		for (uint32_t k = 0; p->items->required && k < p->items->required->n; k++)
			is_required |= slice_eq(tree_text(&p->items->required->items[k]), key);
		for (uint32_t k = 0; k < i; k++)
			if (slice_eq(tree_text(&keys->items[k]), key))
				invalid(c, "x-kubernetes-list-map-keys", keys, "must not contain duplicate entries");
		if (!at) {
			invalid(c, "x-kubernetes-list-map-keys", keys, "entries must all be names of item properties");
			continue;
		}
		size_t len = push(c, ".items.properties[%.*s]", SLICE_FMT(key));
		if (at->type == CRD_OBJECT || at->type == CRD_ARRAY)
			invalid(c, "type", tree_gets(at->doc, "type"), "must be a scalar type if parent array's x-kubernetes-list-type is map");
		if (!is_required && !at->default_value)
			required(c, "default", "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property");
		if (at->is_nullable)
			forbidden(c, "nullable", "this property is in x-kubernetes-list-map-keys, so it cannot be nullable");
		pop(c, len);
	}
}

static void check_list_and_map(struct checker *c, const struct crd_prop *p)
{
	const struct tree *list = tree_gets(p->doc, "x-kubernetes-list-type"), *map = tree_gets(p->doc, "x-kubernetes-map-type");
	struct slice l = tree_text(list), m = tree_text(map);
	if (m.len && !slice_is(m, "atomic") && !slice_is(m, "granular"))
		unsupported(c, "x-kubernetes-map-type", map, "\"atomic\", \"granular\"");
	if (m.len && p->type != CRD_OBJECT) {
		if (p->type_text)
			invalid(c, "type", tree_gets(p->doc, "type"), "must be object if x-kubernetes-map-type is specified");
		else
			required(c, "type", "must be object if x-kubernetes-map-type is specified");
	}
	if (l.len && p->type != CRD_ARRAY) {
		if (p->type_text)
			invalid(c, "type", tree_gets(p->doc, "type"), "must be array if x-kubernetes-list-type is specified");
		else
			required(c, "type", "must be array if x-kubernetes-list-type is specified");
	} else if (l.len && !slice_is(l, "atomic") && !slice_is(l, "set") && !slice_is(l, "map")) {
		unsupported(c, "x-kubernetes-list-type", list, "\"atomic\", \"set\", \"map\"");
	}
	if (slice_is(l, "set") && p->items) {
		bool is_list = p->items->type == CRD_ARRAY, is_map = p->items->type == CRD_OBJECT;
		if (is_list && p->items->list_type && p->items->list_type != 'a')
			invalid(c, "items.x-kubernetes-list-type", tree_gets(p->items->doc, "x-kubernetes-list-type"),
				"must be atomic as item of a list with x-kubernetes-list-type=set");
		if (is_map && !p->items->is_atomic_map)
			invalid(c, "items.x-kubernetes-map-type", tree_gets(p->items->doc, "x-kubernetes-map-type"),
				"must be atomic as item of a list with x-kubernetes-list-type=set");
	}
	if ((slice_is(l, "set") || slice_is(l, "map")) && p->items && p->items->is_nullable)
		forbidden(c, "items.nullable", slice_is(l, "set") ? "cannot be nullable when x-kubernetes-list-type is set"
			: "cannot be nullable when x-kubernetes-list-type is map");
	if (slice_is(l, "map"))
		check_keys(c, p);
	else if (p->keys && l.len)
		invalid(c, "x-kubernetes-list-type", list, "must be map if x-kubernetes-list-map-keys is non-empty");
	else if (p->keys)
		required(c, "x-kubernetes-list-type", "must be map if x-kubernetes-list-map-keys is non-empty");
}

/* --- allOf and its like: they may only restrict --- */

static void check_nested(struct checker *c, struct crd_prop *p, bool skip_any);

static void check_values(struct checker *c, struct crd_prop *p, bool skip_any, bool skip_first_all)
{
	for (uint32_t i = 0; i < p->n_any; i++) {
		size_t len = push(c, ".anyOf[%u]", i);
		if (!skip_any)
			check_nested(c, &p->any_of[i], false);
		pop(c, len);
	}
	for (uint32_t i = 0; i < p->n_all; i++) {
		size_t len = push(c, ".allOf[%u]", i);
		check_nested(c, &p->all_of[i], skip_first_all && !i);
		pop(c, len);
	}
	for (uint32_t i = 0; i < p->n_one; i++) {
		size_t len = push(c, ".oneOf[%u]", i);
		check_nested(c, &p->one_of[i], false);
		pop(c, len);
	}
	if (p->not_) {
		size_t len = push(c, ".not");
		check_nested(c, p->not_, false);
		pop(c, len);
	}
	check_pattern(c, p);
}

static void check_nested(struct checker *c, struct crd_prop *p, bool skip_any)
{
	static const char *const flags[] = { "nullable", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource",
		"x-kubernetes-int-or-string" };
	static const char *const texts[] = { "type", "title", "description" }, *const any[] = { "default", "x-kubernetes-list-type", "x-kubernetes-map-type" };
	check_unsupported(c, p);
	check_values(c, p, skip_any, false);
	if (p->items) {
		size_t len = push(c, ".items");
		check_nested(c, p->items, false);
		pop(c, len);
	}
	for (uint32_t i = 0; i < p->n_props; i++) {
		size_t len = push(c, ".properties[%.*s]", SLICE_FMT(p->props[i].name));
		check_nested(c, &p->props[i].prop, false);
		pop(c, len);
		if (slice_is(p->props[i].name, "metadata"))
			forbidden(c, "properties[metadata]", "must not be specified in a nested context");
	}
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (tree_text(tree_gets(p->doc, texts[i])).len)
			forbidden(c, texts[i], "must be empty to be structural");
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (tree_is_true(tree_gets(p->doc, flags[i])))
			forbidden(c, flags[i], "must be false to be structural");
	for (size_t i = 0; i < ARRAY_LEN(any); i++)
		if (tree_gets(p->doc, any[i]))
			forbidden(c, any[i], "must be undefined to be structural");
	if (p->additional || p->allows_additional)
		forbidden(c, "additionalProperties", "must be undefined to be structural");
	const struct tree *rules = tree_gets(p->doc, "x-kubernetes-validations");
	if (p->keys)
		forbidden(c, "x-kubernetes-list-map-keys", "must be empty to be structural");
	if (rules && rules->type == TREE_LIST && rules->n)
		forbidden(c, "x-kubernetes-validations", "must be empty to be structural");
}

/* Everything that v restricts must be said by s too. */
static void check_complete(struct checker *c, const struct crd_prop *v, const struct crd_prop *s, struct buf *where)
{
	size_t len = where->len;
	const struct { const char *word; const struct crd_prop *v; uint32_t n; } lists[] = {
		{ "allOf", v->all_of, v->n_all }, { "anyOf", v->any_of, v->n_any }, { "oneOf", v->one_of, v->n_one }, { "not", v->not_, v->not_ != NULL },
	};
	for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
		for (uint32_t i = 0; i < lists[k].n; i++) {
			const struct crd_prop *x = &lists[k].v[i];
			if (k < 3)
				buf_addf(where, ".%s[%u]", lists[k].word, i);
			else
				buf_addf(where, ".not");
			check_complete(c, x, s, where);
			for (uint32_t m = 0; m < x->n_props; m++) {
				struct slice name = x->props[m].name;
				const struct crd_prop *at = crd_find(s, name);
				size_t here = where->len, mine = push(c, ".properties[%.*s]", SLICE_FMT(name));
				buf_addf(where, ".properties[%.*s]", SLICE_FMT(name));
				AUTO(free) char *detail = fmt_new("because it is defined in %s", where->ptr);
				if (!at)
					problem_required(c->p, c->path.ptr, detail ? detail : "");
				else
					check_complete(c, &x->props[m].prop, at, where);
				buf_truncate(where, here);
				pop(c, mine);
			}
			if (x->items && !s->items) {
				AUTO(free) char *detail = fmt_new("because it is defined in %s.items", where->ptr);
				required(c, "items", detail ? detail : "");
			}
			buf_truncate(where, len);
		}
	}
}

/* --- the shape --- */

static bool is_only_type(const struct crd_prop *p, const char *type)
{
	return p->doc->type == TREE_MAP && p->doc->n == 1 && p->type_text && !strcmp(p->type_text, type);
}

static bool is_int_or_string(const struct crd_prop *v, uint32_t n)
{
	return n == 2 && is_only_type(&v[0], "integer") && is_only_type(&v[1], "string");
}

static void check_metadata(struct checker *c, const struct crd_prop *p, bool is_checked, enum level level)
{
	if (is_checked && p->type != CRD_OBJECT)
		invalid(c, "type", tree_gets(p->doc, "type"), "must be object");
	if (level != ROOT)
		return;
	bool is_more = false;
	for (uint32_t i = 0; i < p->n_props; i++)
		is_more |= !slice_is(p->props[i].name, "name") && !slice_is(p->props[i].name, "generateName");
	for (uint32_t i = 0; p->doc->type == TREE_MAP && i < p->doc->n; i++)
		is_more |= !slice_is(key_of(&p->doc->members[i]), "type") && !slice_is(key_of(&p->doc->members[i]), "properties");
	if (is_more)
		forbidden(c, "", "must not specify anything other than name and generateName, but metadata is implicitly specified");
}

static void check_type(struct checker *c, const struct crd_prop *p, enum level level)
{
	if (p->is_embedded && p->type != CRD_OBJECT) {
		if (p->type_text)
			invalid(c, "type", tree_gets(p->doc, "type"), "must be object if x-kubernetes-embedded-resource is true");
		else
			required(c, "type", "must be object if x-kubernetes-embedded-resource is true");
	} else if (!p->type_text && !p->is_int_or_string && !p->is_preserving) {
		required(c, "type", level == ROOT ? "must not be empty at the root" : level == ITEM ? "must not be empty for specified array items"
			: "must not be empty for specified object fields");
	}
	if (level == ROOT && p->type_text && p->type != CRD_OBJECT)
		invalid(c, "type", tree_gets(p->doc, "type"), "must be object at the root");
}

static void check_extensions(struct checker *c, const struct crd_prop *p, enum level level)
{
	static const struct tree yes = { .type = TREE_BOOL, .is_true = true };
	if (p->is_int_or_string && p->is_preserving)
		invalid(c, "x-kubernetes-preserve-unknown-fields", &yes, "must be false if x-kubernetes-int-or-string is true");
	if (p->is_int_or_string && p->is_embedded)
		invalid(c, "x-kubernetes-embedded-resource", &yes, "must be false if x-kubernetes-int-or-string is true");
	if (p->is_embedded && p->has_additional)
		forbidden(c, "additionalProperties", "must not be used if x-kubernetes-embedded-resource is set");
	if (p->is_embedded && !p->is_preserving && !p->n_props)
		required(c, "properties",
			"must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields");
	if (level == ROOT && p->has_additional)
		forbidden(c, "additionalProperties", "must not be used at the root");
	if (level == ROOT && p->is_nullable)
		forbidden(c, "nullable", "nullable cannot be true at the root");
}

static void check_shape(struct checker *c, struct crd_prop *p, enum level level)
{
	bool is_meta_checked = level == ROOT || p->is_embedded;
	size_t len;
	check_unsupported(c, p);
	check_list_and_map(c, p);
	if (p->type == CRD_ARRAY && !p->items)
		required(c, "items", "must be specified");
	if (p->items) {
		len = push(c, ".items");
		check_shape(c, p->items, ITEM);
		pop(c, len);
	}
	for (uint32_t i = 0; i < p->n_props; i++) {
		struct crd_prop *at = &p->props[i].prop;
		len = push(c, ".properties[%.*s]", SLICE_FMT(p->props[i].name));
		check_shape(c, at, FIELD);
		if (is_meta_checked && (slice_is(p->props[i].name, "kind") || slice_is(p->props[i].name, "apiVersion")) && at->type != CRD_STRING)
			invalid(c, "type", tree_gets(at->doc, "type"), "must be string");
		if (slice_is(p->props[i].name, "metadata"))
			check_metadata(c, at, is_meta_checked, level);
		pop(c, len);
	}
	if (p->additional) {
		len = push(c, ".additionalProperties");
		check_shape(c, p->additional, FIELD);
		pop(c, len);
	}
	check_extensions(c, p, level);
	int r = crd_rules_compile(c->s, p, c->path.ptr, c->p);
	c->error = c->error ? c->error : r;
	check_values(c, p, is_int_or_string(p->any_of, p->n_any), p->n_all && is_int_or_string(p->all_of[0].any_of, p->all_of[0].n_any));
	check_type(c, p, level);
}

static void check_defaults(struct checker *c, const struct crd_prop *p)
{
	size_t len = push(c, ".default");
	if (p->default_value)
		crd_check_default(p, c->path.ptr, c->p);
	pop(c, len);
	for (uint32_t i = 0; i < p->n_props; i++) {
		len = push(c, ".properties[%.*s]", SLICE_FMT(p->props[i].name));
		check_defaults(c, &p->props[i].prop);
		pop(c, len);
	}
	if (p->items) {
		len = push(c, ".items");
		check_defaults(c, p->items);
		pop(c, len);
	}
	if (p->additional) {
		len = push(c, ".additionalProperties");
		check_defaults(c, p->additional);
		pop(c, len);
	}
}

static int by_text(const void *x, const void *y)
{
	const struct schema_problem *l = x, *r = y;
	int order = strcmp(l->field, r->field);
	return order ? order : strcmp(l->message, r->message);
}

int crd_check_structure(struct crd_schema *s, const char *path, struct schema_problems *p)
{
	struct checker c = { .s = s, .path = BUF_INIT(64 << 10), .p = p };
	struct buf where = BUF_INIT(64 << 10);
	uint32_t before = p->n;
	buf_adds(&c.path, path);
	buf_adds(&where, path);
	check_shape(&c, &s->root, ROOT);
	check_complete(&c, &s->root, &s->root, &where);
	if (p->n == before)
		check_defaults(&c, &s->root);
	if (p->n > before)
		qsort(p->v + before, p->n - before, sizeof *p->v, by_text);
	if (buf_error(&where))
		c.error = -E2BIG;
	buf_release(&where);
	buf_release(&c.path);
	return c.error;
}
