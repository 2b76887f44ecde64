/* SPDX-License-Identifier: Apache-2.0 */
/* DOMAIN.h: plain structs, in an order that C accepts, and the T_ references. */
#include "gen.h"

static const char *c_type(const struct gen *g, const struct gen_field *f)
{
	(void)g;
	switch (f->kind) {
	case SCHEMA_BOOL: return "bool ";
	case SCHEMA_I8: return "int8_t ";
	case SCHEMA_I16: return "int16_t ";
	case SCHEMA_I32: return "int32_t ";
	case SCHEMA_I64: return "int64_t ";
	case SCHEMA_U8: return "uint8_t ";
	case SCHEMA_U16: return "uint16_t ";
	case SCHEMA_U32: return "uint32_t ";
	case SCHEMA_U64: return "uint64_t ";
	case SCHEMA_F64: return "double ";
	case SCHEMA_JSON: case SCHEMA_RAWEXT: case SCHEMA_FIELDSV1: case SCHEMA_BYTES: return "struct slice ";
	case SCHEMA_INTSTR: return "struct schema_int_or_string ";
	default: return "const char *";
	}
}

static void member(const struct gen *g, const struct gen_field *f, struct buf *out)
{
	if (f->kind == SCHEMA_EMPTY && f->shape == SCHEMA_ONE)
		return;
	bool is_many = f->shape == SCHEMA_LIST || f->shape == SCHEMA_MAP;
	const char *star = f->shape == SCHEMA_ONE ? "" : "*";
	if (f->flags & SCHEMA_PAIRS)
		buf_addf(out, "\tstruct schema_pair *%s;", f->c);
	else if (f->kind == SCHEMA_MESSAGE)
		buf_addf(out, "\tstruct %s %s%s;", f->message->c, star, f->c);
	else
		buf_addf(out, "\t%s%s%s;", c_type(g, f), star, f->c);
	if (is_many)
		buf_addf(out, "\n\tuint32_t n_%s;", f->c);
	if (f->help)
		buf_addf(out, " /* %s */", f->help);
	buf_addc(out, '\n');
}

/* What is held by value comes first. */
static void print_type(const struct gen *g, struct gen_type *t, struct buf *out)
{
	if (t->is_printed)
		return;
	if (t->is_printing)
		die(t->where, "%s contains itself by value", t->name);
	t->is_printing = true;
	for (size_t i = 0; i < t->fields.n; i++)
		if (t->fields.v[i].kind == SCHEMA_MESSAGE && t->fields.v[i].shape == SCHEMA_ONE)
			print_type(g, t->fields.v[i].message, out);
	if (t->help)
		buf_addf(out, "/* %s */\n", t->help);
	buf_addf(out, "struct %s {\n", t->c);
	size_t before = out->len;
	for (size_t i = 0; i < t->fields.n; i++)
		member(g, &t->fields.v[i], out);
	if (out->len == before)
		buf_adds(out, "\tchar no_member;\n");
	buf_adds(out, "};\n");
	t->is_printed = true;
}

void emit_header(struct gen *g, struct buf *out)
{
	buf_addf(out, "/* Made by tools/gen from api/%s; not edited by hand. */\n#pragma once\n#include \"schema/schema.h\"\n\n", g->domain);
	buf_addf(out, "extern const struct schema_domain schema_%s;\n\n", g->domain);
	for (size_t i = 0; i < g->types.n; i++)
		buf_addf(out, "struct %s;\n", g->types.v[i]->c);
	buf_addc(out, '\n');
	for (size_t i = 0; i < g->types.n; i++)
		print_type(g, g->types.v[i], out);
	buf_addc(out, '\n');
	for (size_t i = 0; i < g->types.n; i++)
		if (!(g->types.v[i]->flags & SCHEMA_ENTRY))
			buf_addf(out, "#define T_%s ((struct schema_ref){ &schema_%s, %zu })\n", g->types.v[i]->c, g->domain, i);
}
