/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML -> trees, on libyaml's events. Scalars mean what they mean to
 * Kubernetes' reader (YAML 1.1; see yaml_scalar.c). An alias is a copy of what
 * it names, so the arena's ceiling stops documents that grow by them.
 */
#include <yaml.h>

#include "base/vec.h"
#include "codec/json.h"
#include "schema/schema_int.h"
#include "schema/tree_int.h"
#include "schema/yaml_int.h"

struct anchor {
	struct slice name;
	struct tree value;
};

struct reader {
	yaml_parser_t p;
	struct arena *a;
	struct gather g;
	VEC(struct anchor) anchors;
	unsigned flags, depth;
	struct err *e;
};

static int no_room(struct reader *r)
{
	return err_set(r->e, E2BIG, "yaml: the document is too large");
}

/* libyaml's sentence, with the line as Go's port of it counts. */
static int parse_error(struct reader *r)
{
	size_t line = r->p.problem_mark.line ? r->p.problem_mark.line + (r->p.error == YAML_SCANNER_ERROR) : r->p.context_mark.line;
	const char *what = r->p.problem ? r->p.problem : "unknown problem parsing YAML content";
	if (r->p.error == YAML_MEMORY_ERROR)
		return err_nomem(r->e);
	return line ? err_set(r->e, EBADMSG, "yaml: line %zu: %s", line, what) : err_set(r->e, EBADMSG, "yaml: %s", what);
}

static int next(struct reader *r, yaml_event_t *ev)
{
	return yaml_parser_parse(&r->p, ev) ? 0 : parse_error(r);
}

static int keep(struct reader *r, struct slice s, struct slice *ret)
{
	char *p = arena_chars(r->a, s.len + 1);
	if (!p)
		return no_room(r);
	memcpy(p, s.ptr, s.len);
	p[s.len] = 0;
	*ret = slice_n(p, s.len);
	return 0;
}

static int scalar(struct reader *r, const yaml_event_t *ev, struct tree *v)
{
	struct slice text = slice_n(ev->data.scalar.value, ev->data.scalar.length), kept;
	const char *tag = (const char *)ev->data.scalar.tag;
	enum yaml_meaning m = YAML_TEXT;
	if (!tag && ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		m = yaml_resolve(text);
	else if (tag && strcmp(tag, YAML_STR_TAG) && strcmp(tag, "!"))
		m = yaml_resolve(text);
	char number[40];
	switch (m) {
	case YAML_IS_NULL:
		*v = tree_null();
		return 0;
	case YAML_IS_TRUE: case YAML_IS_FALSE:
		*v = tree_bool(m == YAML_IS_TRUE);
		return 0;
	case YAML_IS_NAN:
		return err_set(r->e, EINVAL, "json: unsupported value: %.*s", SLICE_FMT(text));
	case YAML_IS_NUMBER:
		text = yaml_number(text, number);
		break;
	default:
		break;
	}
	int k = keep(r, text, &kept);
	if (k == 0)
		*v = m == YAML_IS_NUMBER ? tree_number(kept) : tree_string(kept);
	return k;
}

static int remember(struct reader *r, const yaml_char_t *name, const struct tree *v)
{
	struct anchor a = { .value = *v };
	int k = keep(r, slice_of((const char *)name), &a.name);
	if (k < 0)
		return k;
	if (r->anchors.n >= 10000)
		return err_set(r->e, E2BIG, "yaml: too many anchors");
	return vec_push(&r->anchors, a) < 0 ? err_nomem(r->e) : 0;
}

static int alias(struct reader *r, const yaml_event_t *ev, struct tree *v)
{
	struct slice name = slice_of((const char *)ev->data.alias.anchor);
	for (size_t i = r->anchors.n; i-- > 0;)
		if (slice_eq(r->anchors.v[i].name, name))
			return tree_copy(&r->anchors.v[i].value, r->a, v) < 0 ? no_room(r) : 0;
	return err_set(r->e, EINVAL, "yaml: unknown anchor '%.*s' referenced", SLICE_FMT(name));
}

static int node(struct reader *r, yaml_event_t *ev, struct tree *v);

static int list(struct reader *r, struct tree *v)
{
	struct gather_list l;
	gather_begin(&r->g, &l, sizeof(struct tree));
	for (;;) {
		yaml_event_t ev;
		int k = next(r, &ev);
		if (k < 0)
			return k;
		if (ev.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&ev);
			break;
		}
		struct tree *item = gather_push(&r->g, &l);
		k = item ? node(r, &ev, item) : no_room(r);
		yaml_event_delete(&ev);
		if (k < 0)
			return k;
	}
	*v = (struct tree){ .type = TREE_LIST, .n = (uint32_t)l.n };
	v->items = gather_end(&r->g, &l, r->a);
	return v->items ? 0 : no_room(r);
}

/* A key is text, whatever it looks like; booleans in their JSON spelling. */
static int key(struct reader *r, const yaml_event_t *ev, struct slice *ret, bool *is_merge)
{
	if (ev->type != YAML_SCALAR_EVENT)
		return err_set(r->e, EINVAL, "yaml: line %zu: invalid map key", ev->start_mark.line + 1);
	struct slice s = slice_n(ev->data.scalar.value, ev->data.scalar.length);
	bool is_plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !ev->data.scalar.tag;
	*is_merge = is_plain && slice_is(s, "<<");
	if (is_plain && !*is_merge) {
		enum yaml_meaning m = yaml_resolve(s);
		if (m == YAML_IS_TRUE || m == YAML_IS_FALSE)
			s = slice_of(m == YAML_IS_TRUE ? "true" : "false");
	}
	return keep(r, s, ret);
}

/* What `<<` brings: members that the map does not have itself. */
static int merge(struct reader *r, struct tree *v, const struct tree *from)
{
	if (from->type == TREE_LIST) {
		for (uint32_t i = 0; i < from->n; i++) {
			int k = from->items[i].type == TREE_MAP ? merge(r, v, &from->items[i]) : -EINVAL;
			if (k < 0)
				return k == -EINVAL ? err_set(r->e, EINVAL, "yaml: map merge requires map or sequence of maps as the value") : k;
		}
		return 0;
	}
	if (from->type != TREE_MAP)
		return err_set(r->e, EINVAL, "yaml: map merge requires map or sequence of maps as the value");
	for (uint32_t i = 0; i < from->n; i++) {
		struct slice name = slice_n(from->members[i].key, from->members[i].key_len);
		if (!tree_get(v, name) && !tree_set(r->a, v, name, from->members[i].value))
			return no_room(r);
	}
	return 0;
}

static int member(struct reader *r, yaml_event_t *ev, struct gather_list *l, struct tree *merged)
{
	struct slice name;
	bool is_merge = false;
	int k = key(r, ev, &name, &is_merge);
	if (k < 0)
		return k;
	if (r->flags & SCHEMA_STRICT && !is_merge && l->n < 4096) {
		const struct tree sofar = { .type = TREE_MAP, .n = (uint32_t)l->n, .members = (struct tree_member *)l->base };
		if (tree_get(&sofar, name))
			return err_set(r->e, EINVAL, "yaml: unmarshal errors:\n  line %zu: key \"%.*s\" already set in map", ev->start_mark.line + 1,
				SLICE_FMT(name));
	}
	struct tree *place = merged;
	if (!is_merge) {
		struct tree_member *m = gather_push(&r->g, l);
		if (!m)
			return no_room(r);
		m->key = name.ptr;
		m->key_len = name.len;
		place = &m->value;
	}
	yaml_event_t value;
	k = next(r, &value);
	if (k < 0)
		return k;
	k = node(r, &value, place);
	yaml_event_delete(&value);
	return k;
}

static int map(struct reader *r, struct tree *v)
{
	struct gather_list l;
	struct tree merged = tree_null();
	gather_begin(&r->g, &l, sizeof(struct tree_member));
	for (;;) {
		yaml_event_t ev;
		int k = next(r, &ev);
		if (k < 0)
			return k;
		if (ev.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&ev);
			break;
		}
		k = member(r, &ev, &l, &merged);
		yaml_event_delete(&ev);
		if (k < 0)
			return k;
	}
	struct slice twice;
	l.n = members_dedup((struct tree_member *)l.base, (uint32_t)l.n, &twice);
	*v = (struct tree){ .type = TREE_MAP, .n = (uint32_t)l.n };
	v->members = gather_end(&r->g, &l, r->a);
	if (!v->members)
		return no_room(r);
	return merged.type == TREE_NULL ? 0 : merge(r, v, &merged);
}

static int node(struct reader *r, yaml_event_t *ev, struct tree *v)
{
	int k;
	const yaml_char_t *anchor = NULL;
	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		anchor = ev->data.scalar.anchor;
		k = scalar(r, ev, v);
		break;
	case YAML_ALIAS_EVENT:
		return alias(r, ev, v);
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		if (r->depth >= TREE_MAX_DEPTH)
			return err_set(r->e, E2BIG, "yaml: the document is nested too deeply");
		r->depth++;
		if (ev->type == YAML_SEQUENCE_START_EVENT) {
			anchor = ev->data.sequence_start.anchor;
			k = list(r, v);
		} else {
			anchor = ev->data.mapping_start.anchor;
			k = map(r, v);
		}
		r->depth--;
		break;
	default:
		return err_set(r->e, EBADMSG, "yaml: unexpected event");
	}
	return k == 0 && anchor ? remember(r, anchor, v) : k;
}

/* Everything up to the end of the stream. */
static int documents(struct reader *r, struct tree *ret)
{
	struct gather_list l;
	bool done = false;
	gather_begin(&r->g, &l, sizeof(struct tree));
	while (!done) {
		yaml_event_t ev;
		int k = next(r, &ev);
		if (k < 0)
			return k;
		if (ev.type == YAML_DOCUMENT_START_EVENT) {
			struct tree *doc = gather_push(&r->g, &l);
			yaml_event_delete(&ev);
			r->anchors.n = 0;
			k = doc ? next(r, &ev) : no_room(r);
			if (k < 0)
				return k;
			k = node(r, &ev, doc);
		}
		done = ev.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&ev);
		if (k < 0)
			return k;
	}
	*ret = (struct tree){ .type = TREE_LIST, .n = (uint32_t)l.n };
	ret->items = gather_end(&r->g, &l, r->a);
	return ret->items ? 0 : no_room(r);
}

int tree_from_yaml(struct slice text, unsigned flags, struct arena *a, struct tree *ret, struct err *e)
{
	struct reader r = { .a = a, .flags = flags, .e = e };
	if (text.len > UINT32_MAX / 2)
		return no_room(&r);
	if (!yaml_parser_initialize(&r.p))
		return err_nomem(e);
	yaml_parser_set_input_string(&r.p, (const unsigned char *)(text.ptr ? text.ptr : ""), text.len);
	gather_init(&r.g, a->max_bytes);
	struct tree v = { 0 };
	int k = documents(&r, &v);
	gather_release(&r.g);
	vec_release(&r.anchors);
	yaml_parser_delete(&r.p);
	if (k == 0)
		*ret = v;
	return k;
}
