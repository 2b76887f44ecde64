/* SPDX-License-Identifier: Apache-2.0 */
/* Selectors of requests: labels (kube/meta) and fields ("spec.nodeName=n1,metadata.name!=x"), matched against entries. */
#include "kube/api/api_int.h"

#include <string.h>

#include "kube/kind/kind.h"


bool api_has_field(const struct api_resource *r, const char *field)
{
	if (!strcmp(field, "metadata.name") || !strcmp(field, "metadata.namespace"))
		return true;
	if (r->custom)
		return api_custom_field(r, field);
	for (const struct kind_field *f = kind_fields(r->stored->row->type); f->path; f++)
		if (!strcmp(f->path, field))
			return true;
	return false;
}

/* One "a=b" with \, and \= as Kubernetes escapes them. */
static int parse_field(struct api_req *q, struct slice piece, struct api_field_term *r)
{
	char *t = arena_dup(q->arena, piece);
	if (!t)
		return -ENOMEM;
	char *eq = NULL;
	for (char *p = t; *p && !eq; p++) {
		if (*p == '\\' && p[1])
			p++;
		else if (*p == '=' || (*p == '!' && p[1] == '='))
			eq = p;
	}
	if (!eq)
		return api_bad_request(q, "invalid selector: '%s'; can't understand '%s'", t, t);
	const char *value = eq[0] == '!' || eq[1] == '=' ? eq + 2 : eq + 1;
	r->is_not = eq[0] == '!';
	char *out = arena_strdup(q->arena, value), *w = out;
	if (!out)
		return -ENOMEM;
	for (const char *p = value; *p; p++) {
		if (*p == '\\' && p[1])
			p++;
		*w++ = *p;
	}
	*w = 0;
	*eq = 0;
	r->key = t;
	if (!api_has_field(q->res, r->key))
		return api_bad_request(q, "field label not supported: %s", r->key);
	r->value = out;
	return 0;
}

static int parse_fields(struct api_req *q, const char *text, struct api_selector *ret)
{
	size_t n = 1, i = 0;
	for (const char *p = text; *p; p++)
		n += *p == ',';
	ret->fields = arena_array(q->arena, n, sizeof *ret->fields);
	if (!ret->fields)
		return -ENOMEM;
	while (*text) {
		const char *end = text;
		while (*end && *end != ',')
			end += *end == '\\' && end[1] ? 2 : 1;
		if (end > text) {
			int x = parse_field(q, slice_n(text, (size_t)(end - text)), &ret->fields[i]);
			if (x < 0)
				return x;
			i++;
		}
		text = *end ? end + 1 : end;
	}
	ret->n_fields = i;
	return 0;
}

int api_selector_parse(struct api_req *q, const char *labels, const char *fields, struct api_selector *ret)
{
	struct err e = { 0 };
	*ret = (struct api_selector){ 0 };
	if (selector_parse(q->arena, labels, &ret->labels, &e) < 0)
		return api_bad_request(q, "%s", e.text);
	return fields && *fields ? parse_fields(q, fields, ret) : 0;
}

static const char *field_value(const struct api_entry *x, const char *field)
{
	if (!strcmp(field, "metadata.name"))
		return x->name;
	if (!strcmp(field, "metadata.namespace"))
		return x->ns;
	const char *v = schema_pair_get(x->fields, x->n_fields, field);
	return v ? v : "";
}

bool api_selector_matches(const struct api_selector *s, const struct api_entry *x)
{
	for (size_t i = 0; i < s->n_fields; i++)
		if (!strcmp(s->fields[i].value, field_value(x, s->fields[i].key)) == s->fields[i].is_not)
			return false;
	return selector_matches(&s->labels, x->labels, x->n_labels);
}

bool api_selector_empty(const struct api_selector *s) { return !s->n_fields && selector_is_empty(&s->labels); }
