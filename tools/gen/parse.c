/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads .kind files: messages, fields and their types. Containers inside
 * containers become messages of their own here (see schema/rows.h).
 */
#include "gen.h"

#include "base/num.h"

static const struct { const char *word; int kind; } scalars[] = {
	{ "bool", SCHEMA_BOOL }, { "int8", SCHEMA_I8 }, { "int16", SCHEMA_I16 }, { "int32", SCHEMA_I32 }, { "int64", SCHEMA_I64 },
	{ "int", SCHEMA_I64 }, { "uint", SCHEMA_U64 }, { "uint8", SCHEMA_U8 }, { "uint16", SCHEMA_U16 }, { "uint32", SCHEMA_U32 }, { "uint64", SCHEMA_U64 },
	{ "float64", SCHEMA_F64 }, { "string", SCHEMA_STRING }, { "time", SCHEMA_TIME }, { "metatime", SCHEMA_METATIME },
	{ "microtime", SCHEMA_MICROTIME }, { "duration", SCHEMA_DURATION }, { "quantity", SCHEMA_QUANTITY }, { "json", SCHEMA_JSON },
	{ "rawextension", SCHEMA_RAWEXT }, { "fields", SCHEMA_FIELDSV1 }, { "bytes", SCHEMA_BYTES }, { "intorstring", SCHEMA_INTSTR },
	{ "empty", SCHEMA_EMPTY },
};
/* Go's types whose size depends on the machine say their own name in errors. */
static const char *const go_sizes[] = { "int", "uint" };

static struct gen_type *type_named(struct gen *g, const char *name, const char *where)
{
	struct gen_type *t = map_gets(&g->by_name, name);
	if (t)
		return t;
	t = arena_new(&g->a, struct gen_type);
	t->name = copy(g, slice_of(name));
	t->c = arena_fmt(&g->a, "%s_%s", g->domain, snake_case(g, name));
	t->where = where;
	if (map_sets(&g->by_name, name, t) || vec_push(&g->types, t))
		die(where, "out of memory");
	return t;
}

static bool is_container(const char *type)
{
	return !strncmp(type, "[]", 2) || !strncmp(type, "map[string]", 11) || !strcmp(type, "strslice");
}

/* "[]Port" -> "PortList", "map[string]int64" -> "Int64Map" */
static char *mangle(struct gen *g, const char *type)
{
	if (*type == '*')
		return mangle(g, type + 1);
	if (!strncmp(type, "[]", 2))
		return arena_fmt(&g->a, "%sList", mangle(g, type + 2));
	if (!strncmp(type, "map[string]", 11))
		return arena_fmt(&g->a, "%sMap", mangle(g, type + 11));
	char *name = copy(g, slice_of(type));
	if (name[0] >= 'a' && name[0] <= 'z')
		name[0] = (char)(name[0] - 'a' + 'A');
	return name;
}

static struct gen_field *field_add(struct gen *g, struct gen_type *t, const char *json, const char *where)
{
	for (size_t i = 0; i < t->fields.n; i++)
		if (slice_eq_nocase(slice_of(t->fields.v[i].json), slice_of(json)))
			die(where, "%s has %s already", t->name, json);
	if (t->fields.n == 255)
		die(where, "%s has more than 255 fields", t->name);
	struct gen_field f = { .json = copy(g, slice_of(json)), .c = snake_case(g, json), .where = where };
	if (vec_push(&t->fields, f))
		die(where, "out of memory");
	return &t->fields.v[t->fields.n - 1];
}

static void type_parse(struct gen *g, struct gen_field *f, const char *type);

/* The made-up message for a container inside another one, or a map's entry. */
static struct gen_type *made_up(struct gen *g, struct gen_field *of, const char *type, bool is_entry)
{
	struct gen_type *t = type_named(g, is_entry ? arena_fmt(&g->a, "%sEntry", mangle(g, type)) : mangle(g, type), of->where);
	if (t->is_defined)
		return t;
	t->is_defined = true;
	t->flags = is_entry ? SCHEMA_ENTRY : SCHEMA_TRANSPARENT;
	if (is_entry) {
		struct gen_field *key = field_add(g, t, "key", of->where);
		key->kind = SCHEMA_STRING;
		key->number = 1;
	}
	const char *where = of->where;
	struct gen_field *value = field_add(g, t, is_entry ? "value" : "items", where);
	value->number = is_entry ? 2 : 1;
	type_parse(g, value, type);
	/* protobuf has no map of lists: the list is a message's only field there */
	if (is_entry && value->shape == SCHEMA_LIST) {
		value->number = 1;
		value->outer = 2;
	}
	return t;
}

static bool is_text(int kind)
{
	return kind >= SCHEMA_STRING && kind <= SCHEMA_QUANTITY;
}

static bool is_slice(int kind)
{
	return kind >= SCHEMA_JSON && kind <= SCHEMA_BYTES;
}

static void base_parse(struct gen *g, struct gen_field *f, const char *type)
{
	for (size_t i = 0; i < sizeof go_sizes / sizeof *go_sizes; i++)
		if (!strcmp(type, go_sizes[i]))
			f->go = (char *)go_sizes[i];
	for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++) {
		if (!strcmp(type, scalars[i].word)) {
			f->kind = scalars[i].kind;
			return;
		}
	}
	if (type[0] < 'A' || type[0] > 'Z')
		die(f->where, "no type is called %s", type);
	f->kind = SCHEMA_MESSAGE;
	f->message = type_named(g, type, f->where);
}

static void type_parse(struct gen *g, struct gen_field *f, const char *type)
{
	if (!strcmp(type, "strslice")) {
		f->shape = SCHEMA_LIST;
		f->kind = SCHEMA_STRING;
		f->flags |= SCHEMA_OR_STRING;
		return;
	}
	if (!strncmp(type, "[]", 2) || !strncmp(type, "map[string]", 11)) {
		bool is_map = type[0] == 'm';
		const char *item = type + (is_map ? 11 : 2);
		f->shape = is_map ? SCHEMA_MAP : SCHEMA_LIST;
		if (is_map && (!strcmp(item, "string") || !strcmp(item, "*string"))) {
			f->kind = SCHEMA_STRING;
			f->flags |= SCHEMA_PAIRS | (*item == '*' ? SCHEMA_NULLABLE : 0);
		} else if (is_map) {
			f->kind = SCHEMA_MESSAGE;
			/* field_add may move f's array only when f sits in the same type, which cannot be */
			f->message = made_up(g, f, item, true);
		} else if (is_container(item)) {
			f->kind = SCHEMA_MESSAGE;
			f->message = made_up(g, f, item, false);
		} else {
			base_parse(g, f, *item == '*' ? item + 1 : item);
		}
		return;
	}
	bool is_ptr = *type == '*';
	base_parse(g, f, type + is_ptr);
	if (!is_ptr || is_slice(f->kind))
		return;
	if (is_text(f->kind))
		f->flags |= SCHEMA_NULLABLE;
	else
		f->shape = SCHEMA_PTR;
}

/* "12" or "2.12" */
static void number_parse(struct gen_field *f, struct slice s)
{
	struct slice head, tail;
	uint64_t a, b = 0;
	bool has_outer = slice_cut(s, '.', &head, &tail);
	if (num_parse_u64(head, 65535, &a) || (has_outer && num_parse_u64(tail, 65535, &b)))
		die(f->where, "bad protobuf number");
	f->number = (unsigned)(has_outer ? b : a);
	f->outer = has_outer ? (unsigned)a : 0;
}

static void attr_parse(struct gen *g, struct gen_field *f, char *word)
{
	struct slice name, value;
	slice_cut(slice_of(word), '=', &name, &value);
	char *v = copy(g, value);
	if (slice_is(name, "omitempty"))
		f->flags |= SCHEMA_OMITEMPTY;
	else if (slice_is(name, "omitzero"))
		f->flags |= SCHEMA_OMITZERO;
	else if (slice_is(name, "quoted"))
		f->flags |= SCHEMA_QUOTED;
	else if (slice_is(name, "pb"))
		number_parse(f, value);
	else if (slice_is(name, "c"))
		f->c = v;
	else if (slice_is(name, "go"))
		f->go = v;
	else if (slice_is(name, "in"))
		f->in = v;
	else if (slice_is(name, "list"))
		f->list_type = v;
	else if (slice_is(name, "keys"))
		f->list_keys = v;
	else if (slice_is(name, "patch"))
		f->patch = v;
	else if (slice_is(name, "merge"))
		f->merge_key = v;
	else
		die(f->where, "what is %s?", word);
}

static void field_parse(struct gen *g, struct gen_type *t, const char *where, struct slice line)
{
	char *w[24];
	unsigned n = words_split(g, where, line, w, 24);
	if (n < 2)
		die(where, "a field is NAME TYPE [attributes]");
	struct gen_field *f = field_add(g, t, w[0], where);
	type_parse(g, f, w[1]);
	if (f->shape >= SCHEMA_LIST)
		f->go = NULL;      /* that was the element's */
	for (unsigned i = 2; i < n; i++)
		attr_parse(g, f, w[i]);
	for (size_t i = 0; i + 1 < t->fields.n; i++)
		if (!strcmp(t->fields.v[i].c, f->c))
			die(where, "%s and %s are both %s in C; say c=NAME", t->fields.v[i].json, f->json, f->c);
}

static void kind_line(struct gen *g, const char *where, struct slice line, void *data)
{
	struct gen_type **at = data;
	if (line.ptr[0] == '\t') {
		if (!*at || (*at)->flags)
			die(where, "a field without its kind");
		field_parse(g, *at, where, line);
		return;
	}
	char *w[8];
	unsigned n = words_split(g, where, line, w, 8);
	if (n == 2 && !strcmp(w[0], "domain")) {
		if (strcmp(w[1], g->domain))
			die(where, "this folder's domain is %s", g->domain);
		return;
	}
	if (n < 2 || strcmp(w[0], "kind") || w[1][0] < 'A' || w[1][0] > 'Z')
		die(where, "expected `kind Name`");
	struct gen_type *t = type_named(g, w[1], where);
	if (t->is_defined)
		die(where, "%s is defined already at %s", w[1], t->where);
	t->is_defined = true;
	t->where = where;
	*at = t;
	if (n == 4 && !strcmp(w[2], "=")) {
		if (!is_container(w[3]))
			die(where, "only a list or a map may follow =");
		t->flags = SCHEMA_TRANSPARENT;
		type_parse(g, field_add(g, t, "items", where), w[3]);
		return;
	}
	for (unsigned i = 2; i < n; i++) {
		if (slice_starts(slice_of(w[i]), "go="))
			t->go = w[i] + 3;
		else if (!strcmp(w[i], "atomic"))
			t->is_atomic = true;
		else
			die(where, "expected `kind Name [go=pkg.Name] [atomic]` or `kind Name = []Other`");
	}
}

void parse_kind_file(struct gen *g, const char *path)
{
	struct gen_type *at = NULL;
	each_line(g, path, kind_line, &at);
}

void parse_check(struct gen *g)
{
	struct map seen;
	map_init(&seen);
	for (size_t i = 0; i < g->types.n; i++) {
		struct gen_type *t = g->types.v[i];
		if (!t->is_defined)
			die(t->where, "no kind is called %s", t->name);
		struct gen_type *other = map_gets(&seen, t->c);
		if (other)
			die(t->where, "%s and %s are both struct %s", t->name, other->name, t->c);
		if (map_sets(&seen, t->c, t))
			die(t->where, "out of memory");
		t->index = (unsigned)i;
	}
	map_release(&seen);
}
