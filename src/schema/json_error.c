/* SPDX-License-Identifier: Apache-2.0 */
/* What a decoding says when it fails: Go's sentences, because clients' tests and eyes know them. */
#include "schema/json_read_int.h"

int dec_syntax(struct dec *d)
{
	return json_err(&d->in, d->e);
}

int dec_bad(struct dec *d, const char *what)
{
	json_bad(&d->in, what);
	return json_err(&d->in, d->e);
}

int dec_no_room(struct dec *d)
{
	return err_set(d->e, E2BIG, "the message is too large");
}

/* Go's name of one value of the field's kind. */
static const char *element_name(const struct dec *d, const struct schema_field *f)
{
	static const char *const names[SCHEMA_KINDS] = {
		[SCHEMA_BOOL] = "bool", [SCHEMA_I8] = "int8", [SCHEMA_I16] = "int16", [SCHEMA_I32] = "int32", [SCHEMA_I64] = "int64",
		[SCHEMA_U8] = "uint8", [SCHEMA_U16] = "uint16", [SCHEMA_U32] = "uint32", [SCHEMA_U64] = "uint64", [SCHEMA_F64] = "float64",
		[SCHEMA_BYTES] = "[]uint8", [SCHEMA_EMPTY] = "struct {}",
	};
	if (f->kind == SCHEMA_MESSAGE && !(f->flags & SCHEMA_PAIRS)) {
		const struct schema_type *t = type_at(d->d, f->sub);
		return text_at(d->d, t->go_name ? t->go_name : t->name);
	}
	return names[f->kind] ? names[f->kind] : "string";
}

static void type_name(const struct dec *d, const struct schema_field *f, bool element, struct buf *out)
{
	if (f->go_type && !(element && f->shape >= SCHEMA_LIST)) {
		buf_adds(out, text_at(d->d, f->go_type));
		return;
	}
	if (!element && f->shape >= SCHEMA_LIST)
		buf_adds(out, f->shape == SCHEMA_LIST ? "[]" : "map[string]");
	if (f->kind == SCHEMA_MESSAGE) {
		const struct schema_type *t = type_at(d->d, f->sub);
		if (t->flags) {
			type_name(d, &d->d->fields[t->first + t->n_fields - 1], false, out);
			return;
		}
	}
	buf_adds(out, element_name(d, f));
}

int dec_type_error(struct dec *d, const struct frame *fr, const char *value, const char *type)
{
	AUTO(buf) struct buf path = BUF_INIT(1024);
	AUTO(buf) struct buf name = BUF_INIT(256);
	const struct frame *in_struct = NULL;
	bool element = fr && (fr->index >= 0 || fr->key.ptr);
	/* Go's path has neither indexes nor keys */
	for (const struct frame *f = fr; f; f = f->up) {
		if (f->t->flags || !f->f)
			continue;
		if (!in_struct)
			in_struct = f;
		AUTO(buf) struct buf longer = BUF_INIT(1024);
		const char *embedded = text_at(d->d, f->f->go_in);
		buf_addf(&longer, "%s%s%s%s%s", embedded, *embedded ? "." : "", text_at(d->d, f->f->name), path.len ? "." : "", path.ptr);
		buf_reset(&path);
		buf_addslice(&path, buf_slice(&longer));
	}
	if (type)
		buf_adds(&name, type);
	else if (fr && fr->f)
		type_name(d, fr->f, element, &name);
	else if (fr)
		buf_adds(&name, text_at(d->d, fr->t->go_name ? fr->t->go_name : fr->t->name));
	if (!in_struct)
		return err_set(d->e, EINVAL, "json: cannot unmarshal %s into Go value of type %s", value, name.ptr);
	const struct schema_type *t = in_struct->t;
	const char *go = text_at(d->d, t->go_name ? t->go_name : t->name), *dot = strrchr(go, '.');
	return err_set(d->e, EINVAL, "json: cannot unmarshal %s into Go struct field %s.%s of type %s", value, dot ? dot + 1 : go, path.ptr, name.ptr);
}

int dec_wrong(struct dec *d, const struct frame *fr, const char *type)
{
	char c = json_peek(&d->in);
	/* a value that is no JSON at all is the greater fault */
	struct slice text;
	if (json_skip(&d->in, &text) < 0)
		return dec_syntax(d);
	return dec_type_error(d, fr, json_kind(c), type);
}

void dec_problem(struct dec *d, const struct frame *fr, const char *what, struct slice name)
{
	if (!d->problems || d->n_problems >= SCHEMA_MAX_PROBLEMS)
		return;
	AUTO(buf) struct buf path = BUF_INIT(4096);
	frame_path(d->d, fr, &path);
	buf_addf(d->problems, "%s%s field \"%s%s%.*s\"", d->n_problems ? ", " : "", what, path.ptr, path.len ? "." : "", SLICE_FMT(name));
	d->n_problems++;
}
