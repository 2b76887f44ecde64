/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl explain: fields and their sentences, from the server's OpenAPI version 3. */
#include <stdlib.h>
#include <string.h>

#include "kubectl/commands.h"

enum { WIDTH = 76, DEPTH_MOST = 24 };

struct explain { struct kctl *k; const struct tree *schemas; bool recursive; };

/* The document of a group and version, through the index. */
static int document_wait(struct kctl *k, const char *group, const char *version, struct tree *ret, struct err *e)
{
	struct tree index;
	const char *key = *group ? kctl_fmt(k, "apis/%s/%s", group, version) : kctl_fmt(k, "api/%s", version);
	int r = kctl_get_wait(k, "/openapi/v3", &index, e);
	if (r < 0)
		return r;
	const char *url = kctl_text(k, tree_gets(tree_get(tree_gets(&index, "paths"), slice_of(key)), "serverRelativeURL"));
	if (!*url)
		return err_set(e, ENOENT, "couldn't find resource for \"%s/%s, Resource=%s\"", group, version, kctl_arg(k, 0));
	return kctl_get_wait(k, url, ret, e);
}

static const char *ref_of(struct explain *x, const struct tree *s)
{
	const struct tree *all = tree_gets(s, "allOf"), *ref = tree_gets(s, "$ref");
	if (!ref && all && all->n == 1)
		ref = tree_gets(tree_at(all, 0), "$ref");
	return ref ? kctl_text(x->k, ref) : NULL;
}

static const struct tree *follow(struct explain *x, const struct tree *s)
{
	const char *ref = s ? ref_of(x, s) : NULL;
	const char *slash = ref ? strrchr(ref, '/') : NULL;
	return slash ? tree_get(x->schemas, slice_of(slash + 1)) : NULL;
}

/* What a field leads to: through references, items and values. */
static const struct tree *inner(struct explain *x, const struct tree *s)
{
	for (int i = 0; i < DEPTH_MOST && s; i++) {
		const struct tree *next = follow(x, s);
		if (!next)
			next = tree_gets(s, "items");
		if (!next && !tree_gets(s, "properties")) {
			next = tree_gets(s, "additionalProperties");
			if (next && next->type != TREE_MAP)
				next = NULL;
		}
		if (!next)
			return s;
		s = next;
	}
	return s;
}

static const char *type_text(struct explain *x, const struct tree *s)
{
	struct kctl *k = x->k;
	const char *ref = s ? ref_of(x, s) : NULL, *type = s ? kctl_text_at(k, s, "type") : "";
	const struct tree *more = s ? tree_gets(s, "additionalProperties") : NULL;
	if (ref) {
		const char *dot = strrchr(ref, '.'), *slash = strrchr(ref, '/');
		const char *name = dot ? dot + 1 : slash ? slash + 1 : ref;
		return !strcmp(name, "Time") || !strcmp(name, "MicroTime") ? "string" : name;
	}
	if (!strcmp(type, "array"))
		return kctl_fmt(k, "[]%s", type_text(x, tree_gets(s, "items")));
	if (!strcmp(type, "object") && more && more->type == TREE_MAP && more->n)
		return kctl_fmt(k, "map[string]%s", type_text(x, more));
	if (!*type && s && tree_is_true(tree_gets(s, "x-kubernetes-int-or-string")))
		return "IntOrString";
	return *type ? type : "Object";
}

static void wrapped(struct kctl *k, const char *text, int indent, size_t width)
{
	struct slice rest = slice_of(text), line;
	while (slice_next(&rest, '\n', &line)) {
		size_t col = 0;
		struct slice words = line, w;
		if (!line.len) {
			kctl_print(k, "%*s\n", indent, "");
			continue;
		}
		while (slice_next(&words, ' ', &w)) {
			if (col && col + 1 + w.len > width) {
				kctl_print(k, "\n");
				col = 0;
			}
			if (!col)
				kctl_print(k, "%*s%.*s", indent, "", SLICE_FMT(w));
			else
				kctl_print(k, " %.*s", SLICE_FMT(w));
			col += (col ? 1 : 0) + w.len;
		}
		kctl_print(k, "\n");
	}
}

static const char *own_description(struct explain *x, const struct tree *s) { return s ? kctl_text_at(x->k, s, "description") : ""; }

/* The field's own sentence, then that of the type it leads to. */
static void descriptions(struct explain *x, const struct tree *s, int indent, bool types)
{
	bool said = false;
	for (int i = 0; i < DEPTH_MOST && s; i++) {
		const char *text = own_description(x, s);
		if (*text) {
			wrapped(x->k, text, indent, WIDTH);
			said = true;
		}
		if (!types)
			break;
		const struct tree *next = follow(x, s);
		if (!next)
			next = tree_gets(s, "items");
		if (!next && tree_gets(s, "additionalProperties") && tree_gets(s, "additionalProperties")->type == TREE_MAP)
			next = tree_gets(s, "additionalProperties");
		s = next;
	}
	if (!said)
		kctl_print(x->k, "%*s<empty>\n", indent, "");
}

static const char *enum_text(struct explain *x, const struct tree *list)
{
	struct buf b AUTO(buf) = BUF_INIT(64 << 10);
	for (uint32_t i = 0; i < list->n; i++) {
		const char *v = kctl_text(x->k, tree_at(list, i));
		buf_addf(&b, "%s%s", i ? ", " : "", *v ? v : "\"\"");
	}
	return kctl_fmt(x->k, "%s", b.ptr);
}

static int by_key(const void *a, const void *b)
{
	const struct tree_member *x = a, *y = b;
	return slice_cmp(slice_n(x->key, x->key_len), slice_n(y->key, y->key_len));
}

static bool is_required(struct explain *x, const struct tree *s, struct slice name)
{
	const struct tree *list = tree_gets(s, "required");
	for (uint32_t i = 0; list && i < list->n; i++)
		if (slice_eq(tree_text(tree_at(list, i)), name))
			return true;
	return false;
}

static void fields(struct explain *x, const struct tree *s, int level, const struct tree **trail, unsigned depth)
{
	struct kctl *k = x->k;
	const struct tree *properties = tree_gets(s, "properties");
	struct tree sorted;
	if (!properties || tree_copy(properties, &k->arena, &sorted) < 0)
		return;
	qsort(sorted.members, sorted.n, sizeof *sorted.members, by_key);
	for (uint32_t i = 0; i < sorted.n; i++) {
		const struct tree_member *m = &sorted.members[i];
		struct slice name = slice_n(m->key, m->key_len);
		const struct tree *values = tree_gets(&m->value, "enum"), *to = inner(x, &m->value);
		kctl_print(k, "%*s%.*s\t<%s>%s\n", level * 2, "", SLICE_FMT(name), type_text(x, &m->value), is_required(x, s, name) ? " -required-" : "");
		if (!values)
			values = to ? tree_gets(to, "enum") : NULL;
		if (values && values->n)
			kctl_print(k, "%*senum: %s\n", level * 2 + (x->recursive ? 0 : 2), "", enum_text(x, values));
		if (!x->recursive) {
			const char *text = own_description(x, &m->value);
			if (*text)
				wrapped(k, text, level * 2 + 2, WIDTH);
			else
				kctl_print(k, "%*s<no description>\n", level * 2 + 2, "");
			kctl_print(k, "\n");
			continue;
		}
		bool seen = false;
		for (unsigned j = 0; j < depth && !seen; j++)
			seen = trail[j] == to;
		if (to && to != &m->value && !seen && depth < DEPTH_MOST) {
			trail[depth] = to;
			fields(x, to, level + 1, trail, depth + 1);
		} else if (to == &m->value && tree_gets(to, "properties") && depth < DEPTH_MOST) {
			trail[depth] = to;
			fields(x, to, level + 1, trail, depth + 1);
		}
	}
}

static const struct tree *schema_of_kind(struct explain *x, const struct kctl_kind *kind)
{
	for (uint32_t i = 0; x->schemas && i < x->schemas->n; i++) {
		const struct tree *s = &x->schemas->members[i].value, *list = tree_gets(s, "x-kubernetes-group-version-kind");
		for (uint32_t j = 0; list && j < list->n; j++) {
			const struct tree *g = tree_at(list, j);
			if (!strcmp(kctl_text_at(x->k, g, "group"), kind->group) && !strcmp(kctl_text_at(x->k, g, "version"), kind->version) && !strcmp(kctl_text_at(x->k, g, "kind"), kind->kind))
				return s;
		}
	}
	return NULL;
}

int kcmd_explain(struct kctl *k, struct err *e)
{
	struct explain x = { .k = k, .recursive = flag_bool(&k->f, "recursive") };
	const char *format = flag_str(&k->f, "output"), *version = flag_str(&k->f, "api-version"), *arg = kctl_arg(k, 0);
	struct kctl_kind kind;
	struct slice rest = slice_of(arg), part;
	struct tree doc;
	if (*format && strcmp(format, "plaintext") && strcmp(format, "plaintext-openapiv2"))
		return err_set(e, EINVAL, "unrecognized format: %s", format);
	int r = kctl_client(k, e);
	slice_next(&rest, '.', &part);
	const char *type = kctl_fmt(k, "%.*s", SLICE_FMT(part));
	/* "ingresses.networking.k8s.io.spec": as much as names a resource */
	if (r == 0)
		r = kctl_kind_wait(k, type, &kind, e);
	for (size_t at = strlen(type); r == 0 && at < strlen(arg);) {
		size_t next = at + 1 + strcspn(arg + at + 1, ".");
		struct kctl_kind more;
		struct err ignored;
		const char *name = kctl_fmt(k, "%.*s", (int)next, arg);
		struct slice group = slice_n(arg + strlen(type) + 1, next - strlen(type) - 1);
		at = next;
		if (slice_find(group, '.') < 0 && !slice_is(group, "apps") && !slice_is(group, "batch") && !slice_is(group, "autoscaling") && !slice_is(group, "policy"))
			continue;
		if (kctl_kind_wait(k, name, &more, &ignored) == 0) {
			kind = more;
			rest = next < strlen(arg) ? slice_of(arg + next + 1) : (struct slice){ 0 };
			break;
		}
	}
	if (r == 0 && *version) {
		struct slice g, v;
		if (!slice_cut(slice_of(version), '/', &g, &v)) {
			v = g;
			g = slice_n("", 0);
		}
		kind.group = kctl_fmt(k, "%.*s", SLICE_FMT(g));
		kind.version = kctl_fmt(k, "%.*s", SLICE_FMT(v));
	}
	if (r == 0)
		r = document_wait(k, kind.group, kind.version, &doc, e);
	if (r < 0)
		return r;
	x.schemas = tree_path(&doc, "components.schemas");
	const struct tree *s = schema_of_kind(&x, &kind), *field = NULL;
	if (!s)
		return err_set(e, ENOENT, "couldn't find resource for \"%s, Kind=%s\"", kctl_group_version(k, &kind), kind.kind);
	const char *last = NULL;
	if (*kind.group)
		kctl_print(k, "GROUP:      %s\n", kind.group);
	kctl_print(k, "KIND:       %s\nVERSION:    %s\n\n", kind.kind, kind.version);
	while (rest.len && slice_next(&rest, '.', &part)) {
		const struct tree *from = inner(&x, field ? field : s);
		field = tree_get(tree_gets(from, "properties"), part);
		last = kctl_fmt(k, "%.*s", SLICE_FMT(part));
		if (!field)
			return err_set(e, ENOENT, "field \"%s\" does not exist", last);
	}
	const struct tree *shown = field ? inner(&x, field) : s;
	if (field) {
		const struct tree *values = tree_gets(field, "enum");
		kctl_print(k, "FIELD: %s <%s>\n", last, type_text(&x, field));
		if (values && values->n)
			kctl_print(k, "ENUM:\n");
		for (uint32_t i = 0; values && i < values->n; i++)
			kctl_print(k, "    %s\n", kctl_text(k, tree_at(values, i)));
		kctl_print(k, "\n\n");
	}
	kctl_print(k, "DESCRIPTION:\n");
	descriptions(&x, field ? field : s, 4, true);
	kctl_print(k, "    \n");
	if (tree_gets(shown, "properties")) {
		const struct tree *trail[DEPTH_MOST] = { shown };
		kctl_print(k, "FIELDS:\n");
		fields(&x, shown, 1, trail, 1);
	}
	kctl_print(k, "\n");
	return 0;
}
