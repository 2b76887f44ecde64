/* SPDX-License-Identifier: Apache-2.0 */
/* Is a CustomResourceDefinition that somebody wants to store any good? Source: apiextensions' validation. */
#include "kube/api/custom.h"

#include <string.h>

typedef struct kube_custom_resource_definition crd;

struct problems { struct api_req *q; struct schema_problems p; };

static void problem(struct problems *x, const char *field, const char *reason, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static void problem(struct problems *x, const char *field, const char *reason, const char *fmt, ...)
{
	va_list ap;
	AUTO(buf) struct buf b = BUF_INIT(16384);
	va_start(ap, fmt);
	buf_addfv(&b, fmt, ap);
	va_end(ap);
	struct schema_problems *p = &x->p;
	if (p->n == p->room) {
		struct schema_problem *v = arena_array(x->q->arena, p->room ? 2 * p->room : 8, sizeof *v);
		if (!v)
			return;
		if (p->n)
			memcpy(v, p->v, p->n * sizeof *v);
		p->v = v;
		p->room = p->room ? 2 * p->room : 8;
	}
	p->v[p->n++] = (struct schema_problem){ field, reason, arena_dup(x->q->arena, buf_slice(&b)) };
}

static bool is_set(const char *s) { return s && *s; }
static const char *or_empty(const char *s) { return s ? s : ""; }

static bool is_label(const char *s)
{
	size_t n = strlen(s);
	if (!n || n > 63 || s[0] == '-' || s[n - 1] == '-')
		return false;
	return s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-")] == 0;
}

static void check_name(struct problems *x, const char *field, const char *value, bool any_case)
{
	if (!is_set(value)) {
		problem(x, field, "FieldValueRequired", "Required value");
		return;
	}
	char *lower = arena_strdup(x->q->arena, value);
	for (char *c = lower; c && any_case && *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c |= 0x20;
	if (lower && !is_label(lower))
		problem(x, field, "FieldValueInvalid", "Invalid value: \"%s\": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
			"alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')", value);
}

static void check_version(struct problems *x, const crd *d, uint32_t i)
{
	const struct kube_custom_resource_definition_version *v = &d->spec.versions[i];
	struct arena *a = x->q->arena;
	struct tree t;
	struct crd_schema *s = NULL;
	check_name(x, arena_fmt(a, "spec.versions[%u].name", i), v->name, false);
	for (uint32_t k = 0; k < i; k++)
		if (!strcmp(or_empty(d->spec.versions[k].name), or_empty(v->name)))
			problem(x, "spec.versions", "FieldValueInvalid", "Invalid value: \"%s\": must contain unique version names", or_empty(v->name));
	const char *path = arena_fmt(a, "spec.versions[%u].schema.openAPIV3Schema", i);
	if (!v->schema || !v->schema->open_apiv3_schema) {
		problem(x, path, "FieldValueRequired", "Required value: schemas are required");
		return;
	}
	if (tree_from_struct(T_kube_json_schema_props, v->schema->open_apiv3_schema, a, &t, NULL) == 0 &&
	    crd_compile(&t, T_kube_object_meta, path, &x->p, &s) == 0)
		crd_unref(s);
	if (v->subresources && v->subresources->scale) {
		const char *at = arena_fmt(a, "spec.versions[%u].subresources.scale", i);
		if (strncmp(or_empty(v->subresources->scale->spec_replicas_path), ".spec.", 6))
			problem(x, arena_fmt(a, "%s.specReplicasPath", at), "FieldValueInvalid", "Invalid value: \"%s\": should be a json path under .spec",
				or_empty(v->subresources->scale->spec_replicas_path));
		if (strncmp(or_empty(v->subresources->scale->status_replicas_path), ".status.", 8))
			problem(x, arena_fmt(a, "%s.statusReplicasPath", at), "FieldValueInvalid", "Invalid value: \"%s\": should be a json path under .status",
				or_empty(v->subresources->scale->status_replicas_path));
	}
	for (uint32_t k = 0; k < v->n_additional_printer_columns; k++) {
		const struct kube_custom_resource_column_definition *c = &v->additional_printer_columns[k];
		const char *at = arena_fmt(a, "spec.versions[%u].additionalPrinterColumns[%u]", i, k);
		if (!is_set(c->name))
			problem(x, arena_fmt(a, "%s.name", at), "FieldValueRequired", "Required value");
		if (!is_set(c->type) || !strstr(" integer number string boolean date ", arena_fmt(a, " %s ", c->type)))
			problem(x, arena_fmt(a, "%s.type", at), "FieldValueInvalid", "Invalid value: \"%s\": must be one of boolean,date,integer,number,string", or_empty(c->type));
		if (!is_set(c->json_path))
			problem(x, arena_fmt(a, "%s.JSONPath", at), "FieldValueRequired", "Required value");
	}
}

static void check_immutable(struct problems *x, const char *field, const char *now, const char *old)
{
	if (strcmp(or_empty(now), or_empty(old)))
		problem(x, field, "FieldValueInvalid", "Invalid value: \"%s\": field is immutable", or_empty(now));
}

static void check_spec(struct problems *x, const crd *d, const crd *old)
{
	const struct kube_custom_resource_definition_spec *s = &d->spec;
	unsigned n_storage = 0;
	if (!is_set(s->group))
		problem(x, "spec.group", "FieldValueRequired", "Required value");
	else if (!strchr(s->group, '.'))
		problem(x, "spec.group", "FieldValueInvalid", "Invalid value: \"%s\": should be a domain with at least one dot", s->group);
	if (!is_set(s->scope))
		problem(x, "spec.scope", "FieldValueRequired", "Required value");
	else if (strcmp(s->scope, "Cluster") && strcmp(s->scope, "Namespaced"))
		problem(x, "spec.scope", "FieldValueNotSupported", "Unsupported value: \"%s\": supported values: \"Cluster\", \"Namespaced\"", s->scope);
	check_name(x, "spec.names.plural", s->names.plural, false);
	check_name(x, "spec.names.singular", s->names.singular, false);
	check_name(x, "spec.names.kind", s->names.kind, true);
	check_name(x, "spec.names.listKind", s->names.list_kind, true);
	if (is_set(s->names.kind) && is_set(s->names.list_kind) && !strcmp(s->names.kind, s->names.list_kind))
		problem(x, "spec.names.listKind", "FieldValueInvalid", "Invalid value: \"%s\": kind and listKind may not be the same", s->names.list_kind);
	for (uint32_t i = 0; i < s->n_versions; i++) {
		n_storage += s->versions[i].storage;
		check_version(x, d, i);
	}
	if (n_storage != 1)
		problem(x, "spec.versions", "FieldValueInvalid", "Invalid value: \"\": must have exactly one version marked as storage version");
	if (s->conversion && s->conversion->strategy && strcmp(s->conversion->strategy, "None"))
		problem(x, "spec.conversion.strategy", "FieldValueNotSupported", "Unsupported value: \"%s\": supported values: \"None\"", s->conversion->strategy);
	if (!old)
		return;
	for (uint32_t i = 0; i < d->status.n_stored_versions; i++) {
		const char *v = d->status.stored_versions[i];
		bool found = false;
		for (uint32_t k = 0; k < s->n_versions; k++)
			found |= !strcmp(or_empty(s->versions[k].name), v);
		if (!found)
			problem(x, arena_fmt(x->q->arena, "status.storedVersions[%u]", i), "FieldValueInvalid", "Invalid value: \"%s\": missing from spec.versions; %s was previously "
				"a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in %s and removes %s from "
				"status.storedVersions", v, v, v, v);
	}
	check_immutable(x, "spec.group", s->group, old->spec.group);
	check_immutable(x, "spec.names.plural", s->names.plural, old->spec.names.plural);
	check_immutable(x, "spec.scope", s->scope, old->spec.scope);
	check_immutable(x, "spec.names.kind", s->names.kind, old->spec.names.kind);
}

int api_custom_check_definition(struct api_req *q, const crd *d, const crd *old)
{
	struct problems x = { q, { .a = q->arena } };
	AUTO(buf) struct buf b = BUF_INIT(256 * 1024);
	const char *want = arena_fmt(q->arena, "%s.%s", or_empty(d->spec.names.plural), or_empty(d->spec.group));
	if (want && strcmp(want, d->metadata.name))
		problem(&x, "metadata.name", "FieldValueInvalid", "Invalid value: \"%s\": must be spec.names.plural+\".\"+spec.group", d->metadata.name);
	check_spec(&x, d, old);
	if (!x.p.n)
		return 0;
	schema_problems_print(&x.p, &b);
	int r = api_refuse(q, 422, "Invalid", "CustomResourceDefinition.apiextensions.k8s.io \"%s\" is invalid: %s", d->metadata.name, b.ptr);
	for (uint32_t i = 0; i < x.p.n; i++)
		api_cause(q, x.p.v[i].reason, x.p.v[i].message, x.p.v[i].field);
	if (q->refusal && q->refusal->details) {
		q->refusal->details->name = d->metadata.name;
		q->refusal->details->group = "apiextensions.k8s.io";
		q->refusal->details->kind = "CustomResourceDefinition";
	}
	return r;
}
