/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads .over files: what we know beyond the definitions. A line names a kind
 * (`Kind help="…"`) or a field (`Kind.field since=1.44 enum=a|b …`); one that
 * names something that is not there stops the build.
 */
#include "gen.h"

#include "base/num.h"

static const struct { const char *word; int kind; } rules[] = {
	{ "default", SCHEMA_RULE_DEFAULT }, { "enum", SCHEMA_RULE_ENUM }, { "min", SCHEMA_RULE_MIN }, { "max", SCHEMA_RULE_MAX },
	{ "minlen", SCHEMA_RULE_MIN_LEN }, { "maxlen", SCHEMA_RULE_MAX_LEN }, { "format", SCHEMA_RULE_FORMAT },
	{ "immutable", SCHEMA_RULE_IMMUTABLE }, { "required", SCHEMA_RULE_REQUIRED },
};

/* "1.44" -> 44 */
static unsigned version_parse(const char *where, struct slice s)
{
	uint64_t v;
	if (!slice_starts(s, "1.") || num_parse_u64(slice_n(s.ptr + 2, s.len - 2), 9999, &v))
		die(where, "a version is 1.N");
	return (unsigned)v;
}

static void field_over(struct gen *g, struct gen_field *f, const char *where, char *word)
{
	struct slice name, value;
	slice_cut(slice_of(word), '=', &name, &value);
	if (slice_is(name, "since")) {
		f->since = version_parse(where, value);
		return;
	}
	if (slice_is(name, "until")) {
		f->until = version_parse(where, value);
		return;
	}
	if (slice_is(name, "optional")) {
		f->flags |= SCHEMA_OPTIONAL;
		return;
	}
	if (slice_is(name, "help")) {
		f->help = copy(g, value);
		return;
	}
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		if (!slice_is(name, rules[i].word))
			continue;
		f->flags |= SCHEMA_RULES;
		struct gen_rule r = { rules[i].kind, copy(g, value) };
		if (vec_push(&f->rules, r))
			die(where, "out of memory");
		return;
	}
	die(where, "what is %s?", word);
}

static void over_line(struct gen *g, const char *where, struct slice line, void *data)
{
	(void)data;
	char *w[24];
	unsigned n = words_split(g, where, slice_trim(line), w, 24);
	if (n == 2 && !strcmp(w[0], "domain"))
		return;
	struct slice kind, field;
	bool has_field = slice_cut(slice_of(w[0]), '.', &kind, &field);
	struct gen_type *t = map_get(&g->by_name, kind);
	if (!t)
		die(where, "stale: no kind is called %.*s", SLICE_FMT(kind));
	if (!has_field) {
		for (unsigned i = 1; i < n; i++) {
			if (strncmp(w[i], "help=", 5))
				die(where, "a kind has only help=");
			t->help = w[i] + 5;
		}
		return;
	}
	for (size_t k = 0; k < t->fields.n; k++) {
		if (!slice_is(field, t->fields.v[k].json))
			continue;
		for (unsigned i = 1; i < n; i++)
			field_over(g, &t->fields.v[k], where, w[i]);
		return;
	}
	die(where, "stale: %s has no field %.*s", t->name, SLICE_FMT(field));
}

void parse_over_file(struct gen *g, const char *path)
{
	each_line(g, path, over_line, NULL);
}
