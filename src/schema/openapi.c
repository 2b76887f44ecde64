/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/openapi.h"

#include <stdlib.h>

#include "schema/schema_int.h"

/* Go packages of the files of api/kube, as OpenAPI names them. */
static const char *const packages[][2] = {
	{ "core_v1", "io.k8s.api.core.v1" }, { "apps_v1", "io.k8s.api.apps.v1" }, { "batch_v1", "io.k8s.api.batch.v1" },
	{ "meta_v1", "io.k8s.apimachinery.pkg.apis.meta.v1" }, { "networking_v1", "io.k8s.api.networking.v1" },
	{ "discovery_v1", "io.k8s.api.discovery.v1" }, { "storage_v1", "io.k8s.api.storage.v1" }, { "rbac_v1", "io.k8s.api.rbac.v1" },
	{ "policy_v1", "io.k8s.api.policy.v1" }, { "autoscaling_v1", "io.k8s.api.autoscaling.v1" },
	{ "autoscaling_v2", "io.k8s.api.autoscaling.v2" }, { "coordination_v1", "io.k8s.api.coordination.v1" },
	{ "events_v1", "io.k8s.api.events.v1" }, { "scheduling_v1", "io.k8s.api.scheduling.v1" }, { "node_v1", "io.k8s.api.node.v1" },
	{ "certificates_v1", "io.k8s.api.certificates.v1" }, { "authentication_v1", "io.k8s.api.authentication.v1" },
	{ "authorization_v1", "io.k8s.api.authorization.v1" }, { "admission_v1", "io.k8s.api.admission.v1" },
	{ "scheduling_v1alpha3", "io.k8s.api.scheduling.v1alpha3" }, { "apidiscovery_v2", "io.k8s.api.apidiscovery.v2" },
	{ "apiextensions_v1", "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1" }, { "pkg_version", "io.k8s.apimachinery.pkg.version" },
};

#define META "io.k8s.apimachinery.pkg.apis.meta.v1."

/* Scalars that are types of their own in Kubernetes' documents. */
static const struct scalar {
	uint8_t kind;
	const char *name, *type, *format, *help;
} scalars[] = {
	{ SCHEMA_METATIME, META "Time", "string", "date-time", "A point in time as RFC 3339 text, to the second." },
	{ SCHEMA_MICROTIME, META "MicroTime", "string", "date-time", "A point in time as RFC 3339 text, to the microsecond." },
	{ SCHEMA_DURATION, META "Duration", "string", NULL, "A length of time, for example 1m30s." },
	{ SCHEMA_FIELDSV1, META "FieldsV1", "object", NULL, "A set of fields, as a tree of their names." },
	{ SCHEMA_RAWEXT, "io.k8s.apimachinery.pkg.runtime.RawExtension", "object", NULL, "An object of any kind." },
	{ SCHEMA_QUANTITY, "io.k8s.apimachinery.pkg.api.resource.Quantity", "string", NULL,
		"An amount: a number with an optional suffix, for example 250m, 1.5, 64Mi or 2G." },
	{ SCHEMA_INTSTR, "io.k8s.apimachinery.pkg.util.intstr.IntOrString", "string", "int-or-string", "A number, or text such as a name or a percentage." },
};

struct maker {
	const struct schema_domain *d;
	enum openapi_version v;
	struct arena *a;
	struct tree *schemas;
	uint32_t *queue;
	uint32_t n;
	bool *seen;
	uint8_t scalars_used;
	int error;
};

static struct tree *set(struct maker *m, struct tree *map, const char *key, struct tree v)
{
	static struct tree nowhere;
	struct tree *p = tree_set(m->a, map, slice_of(key), v);
	if (p)
		return p;
	m->error = -E2BIG;
	nowhere = tree_map();
	return &nowhere;
}

static void set_text(struct maker *m, struct tree *map, const char *key, const char *text)
{
	set(m, map, key, tree_string(slice_of(text)));
}

static const char *name_of(const struct schema_domain *d, const struct schema_type *t, struct arena *a)
{
	const char *file = text_at(d, t->file), *go = text_at(d, t->go_name), *dot = strrchr(go, '.');
	for (size_t i = 0; t->file && t->go_name && i < ARRAY_LEN(packages); i++)
		if (!strcmp(packages[i][0], file))
			return arena_fmt(a, "%s.%s", packages[i][1], dot ? dot + 1 : go);
	return NULL;
}

const char *schema_openapi_name(struct schema_ref t, struct arena *a)
{
	return name_of(t.domain, type_at(t.domain, t.type), a);
}

int schema_openapi_ref(enum openapi_version v, const char *name, struct arena *a, struct tree *ret)
{
	const char *ref = arena_fmt(a, "%s%s", v == OPENAPI_V3 ? "#/components/schemas/" : "#/definitions/", name);
	*ret = tree_map();
	return ref && tree_set(a, ret, SLICE("$ref"), tree_string(slice_of(ref))) ? 0 : -E2BIG;
}

/* A reference; beside one, version 3 allows nothing, so it is put into allOf where more is said. */
static void refer(struct maker *m, const char *name, bool by_value, bool has_more, struct tree *out)
{
	struct tree ref;
	if (!name || schema_openapi_ref(m->v, name, m->a, &ref) < 0) {
		m->error = name ? -E2BIG : m->error;
		*out = tree_map();
		return;
	}
	if (m->v == OPENAPI_V2 || (!by_value && !has_more)) {
		*out = ref;
		return;
	}
	struct tree all = tree_list();
	*out = tree_map();
	if (!tree_append(m->a, &all, ref))
		m->error = -E2BIG;
	set(m, out, "allOf", all);
	if (by_value)
		set(m, out, "default", tree_map());
}

static void value_schema(struct maker *m, const struct schema_field *f, bool by_value, bool has_more, struct tree *out);

static void message_schema(struct maker *m, const struct schema_field *f, bool by_value, bool has_more, struct tree *out)
{
	const struct schema_type *t = type_at(m->d, f->sub);
	if (t->flags & SCHEMA_TRANSPARENT) {
		value_schema(m, fields_of(m->d, t), false, has_more, out);
		return;
	}
	if (!m->seen[f->sub]) {
		m->seen[f->sub] = true;
		m->queue[m->n++] = f->sub;
	}
	const char *name = name_of(m->d, t, m->a);
	if (!name) {
		*out = tree_map();
		set_text(m, out, "type", "object");
		return;
	}
	refer(m, name, by_value, has_more, out);
}

/* One value, without its shape. */
static void one_schema(struct maker *m, const struct schema_field *f, bool by_value, bool has_more, struct tree *out)
{
	static const struct { const char *type, *format; } simple[SCHEMA_KINDS] = {
		[SCHEMA_BOOL] = { "boolean", NULL }, [SCHEMA_I8] = { "integer", "int32" }, [SCHEMA_I16] = { "integer", "int32" },
		[SCHEMA_I32] = { "integer", "int32" }, [SCHEMA_I64] = { "integer", "int64" }, [SCHEMA_U8] = { "integer", "byte" },
		[SCHEMA_U16] = { "integer", "int32" }, [SCHEMA_U32] = { "integer", "int64" }, [SCHEMA_U64] = { "integer", "int64" },
		[SCHEMA_F64] = { "number", "double" }, [SCHEMA_STRING] = { "string", NULL }, [SCHEMA_TIME] = { "string", "date-time" },
		[SCHEMA_BYTES] = { "string", "byte" }, [SCHEMA_EMPTY] = { "object", NULL },
	};
	if (f->kind == SCHEMA_MESSAGE) {
		message_schema(m, f, by_value, has_more, out);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(scalars); i++) {
		if (scalars[i].kind != f->kind)
			continue;
		m->scalars_used |= (uint8_t)(1u << i);
		refer(m, scalars[i].name, false, has_more, out);
		return;
	}
	*out = tree_map();
	if (simple[f->kind].format)
		set_text(m, out, "format", simple[f->kind].format);
	if (simple[f->kind].type)
		set_text(m, out, "type", simple[f->kind].type);
}

static void value_schema(struct maker *m, const struct schema_field *f, bool by_value, bool has_more, struct tree *out)
{
	struct tree inner;
	if (f->shape < SCHEMA_LIST) {
		one_schema(m, f, by_value, has_more, out);
		return;
	}
	*out = tree_map();
	if (f->shape == SCHEMA_LIST) {
		one_schema(m, f, m->v == OPENAPI_V3, false, &inner);
		set(m, out, "items", inner);
		set_text(m, out, "type", "array");
		return;
	}
	if (f->flags & SCHEMA_PAIRS) {
		inner = tree_map();
		set_text(m, &inner, "type", "string");
	} else {
		value_schema(m, value_of(m->d, type_at(m->d, f->sub)), m->v == OPENAPI_V3, false, &inner);
	}
	set(m, out, "additionalProperties", inner);
	set_text(m, out, "type", "object");
}

static const struct schema_list_row *list_row(const struct schema_domain *d, const struct schema_field *f)
{
	uint32_t index = (uint32_t)(f - d->fields), lo = 0, hi = d->n_lists;
	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;
		if (d->lists[mid].field < index)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < d->n_lists && d->lists[lo].field == index ? &d->lists[lo] : NULL;
}

/* How the list merges. */
static void merge_facts(struct maker *m, const struct schema_field *f, struct tree *out)
{
	const struct schema_list_row *r = list_row(m->d, f);
	if (!r)
		return;
	if (r->type == 'a' && f->shape != SCHEMA_LIST)
		set_text(m, out, "x-kubernetes-map-type", "atomic");
	if (r->type && f->shape == SCHEMA_LIST) {
		struct tree keys = tree_list();
		struct slice rest = slice_of(text_at(m->d, r->keys)), key;
		while (r->keys && slice_next(&rest, ',', &key))
			if (!tree_append(m->a, &keys, tree_string(key)))
				m->error = -E2BIG;
		if (r->keys)
			set(m, out, "x-kubernetes-list-map-keys", keys);
		set_text(m, out, "x-kubernetes-list-type", r->type == 'm' ? "map" : r->type == 's' ? "set" : "atomic");
	}
	if (r->merge_key)
		set_text(m, out, "x-kubernetes-patch-merge-key", text_at(m->d, r->merge_key));
	static const char *const strategies[] = { NULL, "merge", "retainKeys", "merge,retainKeys", "replace" };
	if (r->patch && r->patch < ARRAY_LEN(strategies))
		set_text(m, out, "x-kubernetes-patch-strategy", strategies[r->patch]);
}

static void type_schema(struct maker *m, const struct schema_type *t, struct tree *out)
{
	const struct schema_field *f = fields_of(m->d, t);
	struct tree properties = tree_map(), required = tree_list();
	*out = tree_map();
	if (t->help)
		set_text(m, out, "description", text_at(m->d, t->help));
	for (uint8_t i = 0; i < t->n_fields; i++) {
		const char *help = m->d->help ? text_at(m->d, m->d->help[(uint32_t)(&f[i] - m->d->fields)]) : "";
		bool by_value = f[i].shape == SCHEMA_ONE && f[i].kind == SCHEMA_MESSAGE && m->v == OPENAPI_V3;
		struct tree p;
		value_schema(m, &f[i], by_value, *help || list_row(m->d, &f[i]), &p);
		if (*help)
			set_text(m, &p, "description", help);
		merge_facts(m, &f[i], &p);
		set(m, &properties, text_at(m->d, f[i].name), p);
		if (!(f[i].flags & (SCHEMA_OMITEMPTY | SCHEMA_OMITZERO | SCHEMA_OPTIONAL)) && !tree_append(m->a, &required, tree_string(slice_of(text_at(m->d, f[i].name)))))
			m->error = -E2BIG;
	}
	if (t->n_fields)
		set(m, out, "properties", properties);
	if (required.n)
		set(m, out, "required", required);
	set_text(m, out, "type", "object");
	if (t->is_atomic)
		set_text(m, out, "x-kubernetes-map-type", "atomic");
}

static void scalar_schemas(struct maker *m)
{
	for (size_t i = 0; i < ARRAY_LEN(scalars); i++) {
		const struct scalar *s = &scalars[i];
		if (!(m->scalars_used & 1u << i) || tree_gets(m->schemas, s->name))
			continue;
		struct tree *t = set(m, m->schemas, s->name, tree_map());
		set_text(m, t, "description", s->help);
		if (s->format)
			set_text(m, t, "format", s->format);
		if (m->v == OPENAPI_V3 && (s->kind == SCHEMA_INTSTR || s->kind == SCHEMA_QUANTITY)) {
			struct tree either = tree_list(), number = tree_map(), text = tree_map();
			set_text(m, &number, "type", s->kind == SCHEMA_INTSTR ? "integer" : "number");
			set_text(m, &text, "type", "string");
			if (!tree_append(m->a, &either, s->kind == SCHEMA_INTSTR ? number : text) || !tree_append(m->a, &either, s->kind == SCHEMA_INTSTR ? text : number))
				m->error = -E2BIG;
			set(m, t, "oneOf", either);
		} else {
			set_text(m, t, "type", s->type);
		}
	}
}

int schema_openapi_add(struct schema_ref t, enum openapi_version v, struct arena *a, struct tree *schemas)
{
	struct maker m = { .d = t.domain, .v = v, .a = a, .schemas = schemas };
	AUTO(free) uint32_t *queue = malloc((t.domain->n_types + 1) * sizeof *queue);
	AUTO(free) bool *seen = calloc(t.domain->n_types, sizeof *seen);
	if (!queue || !seen)
		return -ENOMEM;
	m.queue = queue;
	m.seen = seen;
	m.queue[m.n++] = t.type;
	m.seen[t.type] = true;
	for (uint32_t i = 0; i < m.n && !m.error; i++) {
		const struct schema_type *type = type_at(m.d, m.queue[i]);
		const char *name = name_of(m.d, type, a);
		struct tree schema;
		/* what is there already has brought along what it holds */
		if (!name || tree_gets(schemas, name))
			continue;
		type_schema(&m, type, &schema);
		set(&m, schemas, name, schema);
	}
	scalar_schemas(&m);
	return m.error;
}

void schema_help_share(struct schema_ref t, unsigned *with, unsigned *without, struct buf *out)
{
	const struct schema_domain *d = t.domain;
	AUTO(free) uint32_t *queue = malloc((d->n_types + 1) * sizeof *queue);
	AUTO(free) bool *seen = calloc(d->n_types, sizeof *seen);
	uint32_t n = 0;
	*with = *without = 0;
	if (!queue || !seen)
		return;
	queue[n++] = t.type;
	seen[t.type] = true;
	for (uint32_t i = 0; i < n; i++) {
		const struct schema_type *type = type_at(d, queue[i]);
		const struct schema_field *f = fields_of(d, type);
		for (uint8_t k = 0; k < type->n_fields; k++) {
			bool is_made_up = type->flags != 0, has_help = d->help && d->help[(uint32_t)(&f[k] - d->fields)];
			if (!is_made_up) {
				*(has_help ? with : without) += 1;
				if (!has_help)
					buf_addf(out, "%s.%s\n", text_at(d, type->name), text_at(d, f[k].name));
			}
			bool has_type = f[k].kind == SCHEMA_MESSAGE || (f[k].shape == SCHEMA_MAP && !(f[k].flags & SCHEMA_PAIRS));
			if (has_type && !seen[f[k].sub]) {
				seen[f[k].sub] = true;
				queue[n++] = f[k].sub;
			}
		}
	}
}
