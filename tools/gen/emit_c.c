/* SPDX-License-Identifier: Apache-2.0 */
/* DOMAIN.c: strings, rows, hash slots, rules. */
#include "gen.h"

struct pool {
	struct map offsets;
	struct buf text;     /* C literals */
	size_t len;
};

static size_t intern(struct pool *p, const char *s)
{
	if (!s || !*s)
		return 0;
	struct map_entry *e = map_gets(&p->offsets, s);
	if (e)
		return (size_t)(uintptr_t)e;
	size_t at = p->len;
	buf_adds(&p->text, "\t\"");
	for (const char *c = s; *c; c++)
		buf_addf(&p->text, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
	buf_adds(&p->text, "\\0\"\n");
	p->len += strlen(s) + 1;
	map_sets(&p->offsets, s, (void *)(uintptr_t)at);
	return at;
}

/* A table of at least twice as many slots as fields and a seed without collisions, if one is found. */
static unsigned slots_make(const struct gen_type *t, uint8_t *slots, uint32_t *ret_seed)
{
	unsigned bits = 1;
	while ((1u << bits) < 2 * t->fields.n)
		bits++;
	for (uint32_t seed = 0;; seed++) {
		unsigned collisions = 0;
		if (seed == 4000 && bits < 9) {
			bits++;
			seed = 0;
		}
		memset(slots, 0, 1u << bits);
		for (size_t i = 0; i < t->fields.n; i++) {
			const char *s = t->fields.v[i].json;
			uint32_t at = schema_hash(s, strlen(s), seed) >> (32 - bits);
			for (; slots[at]; at = (at + 1) & ((1u << bits) - 1))
				collisions++;
			slots[at] = (uint8_t)(i + 1);
		}
		if (!collisions || seed > 4000) {
			*ret_seed = seed;
			return bits;
		}
	}
}

static unsigned pb_key(const struct gen_field *f)
{
	return f->outer ? f->outer * 65536 + f->number : f->number * 65536;
}

static void order_print(const struct gen_type *t, struct buf *out)
{
	uint8_t order[256];
	for (size_t i = 0; i < t->fields.n; i++) {
		size_t k = i;
		for (; k && pb_key(&t->fields.v[order[k - 1]]) > pb_key(&t->fields.v[i]); k--)
			order[k] = order[k - 1];
		order[k] = (uint8_t)i;
	}
	for (size_t i = 0; i < t->fields.n; i++)
		buf_addf(out, "%u,", order[i]);
	buf_addc(out, '\n');
}

static bool is_plain(const struct gen_type *t)
{
	for (size_t i = 0; i < t->fields.n; i++) {
		const struct gen_field *f = &t->fields.v[i];
		if (f->shape != SCHEMA_ONE || (f->kind > SCHEMA_F64 && (f->kind != SCHEMA_MESSAGE || !is_plain(f->message))))
			return false;
	}
	return true;
}

static void field_print(struct gen_type *t, struct gen_field *f, struct pool *p, struct buf *out)
{
	bool is_many = f->shape == SCHEMA_LIST || f->shape == SCHEMA_MAP;
	bool has_member = f->kind != SCHEMA_EMPTY || f->shape != SCHEMA_ONE;
	buf_addf(out, "\t{ .name = %zu, .name_len = %zu, .kind = %d, .shape = %d", intern(p, f->json), strlen(f->json), f->kind, f->shape);
	if (has_member)
		buf_addf(out, ", .offset = offsetof(struct %s, %s)", t->c, f->c);
	if (is_many)
		buf_addf(out, ", .n_offset = offsetof(struct %s, n_%s)", t->c, f->c);
	if (f->message)
		buf_addf(out, ", .sub = %u", f->message->index);
	if (f->flags)
		buf_addf(out, ", .flags = %u", f->flags);
	if (f->number)
		buf_addf(out, ", .number = %u, .outer = %u", f->number, f->outer);
	if (f->since || f->until)
		buf_addf(out, ", .since = %u, .until = %u", f->since, f->until);
	if (f->go)
		buf_addf(out, ", .go_type = %zu", intern(p, f->go));
	if (f->in)
		buf_addf(out, ", .go_in = %zu", intern(p, f->in));
	buf_adds(out, " },\n");
}

static void list_row_print(const struct gen_field *f, size_t index, struct pool *p, struct buf *out)
{
	unsigned patch = 0;
	if (f->patch)
		patch = (strstr(f->patch, "merge") ? 1 : 0) | (strstr(f->patch, "retainKeys") ? 2 : 0) | (strstr(f->patch, "replace") ? 4 : 0);
	buf_addf(out, "\t{ %zu, %zu, %zu, %d, %u },\n", index, intern(p, f->list_keys), intern(p, f->merge_key),
		f->list_type ? f->list_type[0] : 0, patch);
}

/* "api/kube/core_v1.kind:12" -> "core_v1" */
static const char *file_stem(struct gen *g, const char *where)
{
	struct slice s = slice_of(where);
	ptrdiff_t slash = slice_rfind(s, '/');
	if (slash >= 0)
		s = slice_n(s.ptr + slash + 1, s.len - (size_t)slash - 1);
	ptrdiff_t dot = slice_find(s, '.');
	return copy(g, slice_n(s.ptr, dot < 0 ? s.len : (size_t)dot));
}

void emit_rows(struct gen *g, struct buf *out)
{
	struct pool p = { .text = BUF_INIT(16 << 20), .len = 1 };
	struct buf types = BUF_INIT(16 << 20), fields = BUF_INIT(64 << 20), slots = BUF_INIT(16 << 20), order = BUF_INIT(16 << 20);
	struct buf help = BUF_INIT(16 << 20), lists = BUF_INIT(16 << 20), rules = BUF_INIT(16 << 20);
	size_t n_fields = 0, n_slots = 0, n_lists = 0, n_rules = 0;
	bool has_numbers = false, has_help = false;
	map_init(&p.offsets);
	for (size_t i = 0; i < g->types.n; i++) {
		struct gen_type *t = g->types.v[i];
		uint8_t table[1024];
		uint32_t seed;
		unsigned bits = slots_make(t, table, &seed);
		buf_addf(&types, "\t{ .name = %zu, .go_name = %zu, .help = %zu, .file = %zu, .first = %zu, .slots = %zu, .seed = %u, .size = sizeof(struct %s), "
			".n_fields = %zu, .slot_bits = %u, .flags = %u, .is_plain = %d, .is_atomic = %d },\n",
			intern(&p, t->name), intern(&p, t->go), intern(&p, t->help), t->flags ? 0 : intern(&p, file_stem(g, t->where)), n_fields, n_slots, seed, t->c, t->fields.n, bits, t->flags, is_plain(t), t->is_atomic);
		for (unsigned k = 0; k < 1u << bits; k++)
			buf_addf(&slots, "%u,", table[k]);
		buf_addc(&slots, '\n');
		n_slots += 1u << bits;
		order_print(t, &order);
		for (size_t k = 0; k < t->fields.n; k++, n_fields++) {
			struct gen_field *f = &t->fields.v[k];
			has_numbers |= f->number && !t->flags;
			field_print(t, f, &p, &fields);
			has_help |= f->help != NULL;
			buf_addf(&help, "%zu,", intern(&p, f->help));
			if (f->list_type || f->patch || f->merge_key) {
				list_row_print(f, n_fields, &p, &lists);
				n_lists++;
			}
			for (size_t r = 0; r < f->rules.n; r++, n_rules++)
				buf_addf(&rules, "\t{ %zu, %zu, %d },\n", n_fields, intern(&p, f->rules.v[r].text), f->rules.v[r].kind);
		}
	}
	buf_addf(out, "/* Made by tools/gen from api/%s; not edited by hand. */\n#include \"api/%s.h\"\n#include <stddef.h>\n"
		"#include \"schema/rows.h\"\n\n", g->domain, g->domain);
	buf_addf(out, "static const char strings[] = \"\\0\"\n%s\t/* names are copied in blocks of 16 */\n\t\"\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\";\n", p.text.ptr);
	buf_addf(out, "static const struct schema_type types[] = {\n%s};\n", types.ptr);
	buf_addf(out, "static const struct schema_field fields[] = {\n%s};\n", fields.ptr);
	buf_addf(out, "static const uint8_t slots[] = {\n%s};\n", slots.ptr);
	if (has_numbers)
		buf_addf(out, "static const uint8_t order[] = {\n%s};\n", order.ptr);
	if (has_help)
		buf_addf(out, "static const uint32_t help[] = {\n%s\n};\n", help.ptr);
	if (n_lists)
		buf_addf(out, "static const struct schema_list_row lists[] = {\n%s};\n", lists.ptr);
	if (n_rules)
		buf_addf(out, "static const struct schema_rule rules[] = {\n%s};\n", rules.ptr);
	buf_addf(out, "const struct schema_domain schema_%s = {\n\t.name = \"%s\", .strings = strings, .types = types, .fields = fields, "
		".slots = slots,\n\t.n_types = %zu, .n_fields = %zu, .n_lists = %zu, .n_rules = %zu,\n", g->domain, g->domain,
		g->types.n, n_fields, n_lists, n_rules);
	buf_addf(out, "\t%s%s%s%s\n};\n", has_numbers ? ".order = order, " : "", has_help ? ".help = help, " : "",
		n_lists ? ".lists = lists, " : "", n_rules ? ".rules = rules, " : "");
	struct buf *all[] = { &types, &fields, &slots, &order, &help, &lists, &rules, &p.text };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		if (buf_error(all[i]))
			die(g->domain, "the table is too large");
		buf_release(all[i]);
	}
	map_release(&p.offsets);
}
