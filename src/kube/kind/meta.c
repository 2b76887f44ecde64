/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata of all kinds, and the run of a validation. Source: apimachinery pkg/api/validation/objectmeta.go. */
#include "kube/kind/check.h"

/* A generated name's beginning may end in what the end of a name may not be. */
static void check_generate_name(struct check *c, const char *prefix, enum name_rule rule)
{
	size_t n = strlen(prefix);
	char *masked = arena_strdup(c->a, prefix);
	if (!masked)
		return;
	if (n > 1 && masked[n - 1] == '-') {
		masked[n - 2] = 'a';
		masked[n - 1] = 0;
	}
	if (!name_is(masked, rule))
		check_name(c, "generateName", prefix, rule);
}

static const char *owners_text(struct check *c, const struct kube_object_meta *m)
{
	AUTO(buf) struct buf b = BUF_INIT(32 << 10);
	for (uint32_t i = 0; i < m->n_owner_references; i++) {
		buf_addc(&b, i ? ',' : '[');
		schema_to_json(T_kube_owner_reference, &m->owner_references[i], 0, &b);
	}
	buf_addc(&b, ']');
	return or_empty(arena_dup(c->a, buf_slice(&b)));
}

static void check_owners(struct check *c, const struct kube_object_meta *m)
{
	const struct kube_owner_reference *controller = NULL;
	for (uint32_t i = 0; i < m->n_owner_references; i++) {
		const struct kube_owner_reference *o = &m->owner_references[i];
		WITHIN(c, "ownerReferences") {
			const char *slash = strchr(or_empty(o->api_version), '/');
			if (!is_set(o->api_version) || (slash && !slash[1]))
				wrong_text(c, "apiVersion", o->api_version, "version must not be empty");
			if (!is_set(o->kind))
				wrong_text(c, "kind", o->kind, "must not be empty");
			if (!is_set(o->name))
				wrong_text(c, "name", o->name, "must not be empty");
			if (!is_set(o->uid))
				wrong_text(c, "uid", o->uid, "must not be empty");
			if (is(o->api_version, "v1") && is(o->kind, "Event"))
				wrong_value(c, NULL, T_kube_owner_reference, o, "/v1, Kind=Event is disallowed from being an owner");
		}
		if (!o->controller || !*o->controller)
			continue;
		if (controller)
			wrong(c, "ownerReferences", "Invalid value: %s: Only one reference can have Controller set to true. Found \"true\" in references for %s/%s and %s/%s",
				owners_text(c, m), or_empty(controller->kind), or_empty(controller->name), or_empty(o->kind), or_empty(o->name));
		else
			controller = o;
	}
}

bool is_standard_finalizer(const char *name)
{
	return strchr(name, '/') || !strcmp(name, "kubernetes") || !strcmp(name, "orphan") || !strcmp(name, "foregroundDeletion");
}

static void check_finalizers(struct check *c, const struct kube_object_meta *m)
{
	bool orphan = false, foreground = false;
	for (uint32_t i = 0; i < m->n_finalizers; i++) {
		check_qualified_name(c, "finalizers", m->finalizers[i]);
		orphan |= is(m->finalizers[i], "orphan");
		foreground |= is(m->finalizers[i], "foregroundDeletion");
		if (!is_standard_finalizer(or_empty(m->finalizers[i])))
			WITHIN_ITEM(c, "finalizers", i) wrong_text(c, NULL, m->finalizers[i], "name is neither a standard finalizer name nor is it fully qualified");
	}
	if (orphan && foreground)
		wrong(c, "finalizers", "Invalid value: finalizer orphan and foregroundDeletion cannot be both set");
}

/* Who wrote what. */
static void check_managers(struct check *c, const struct kube_object_meta *m)
{
	EACH(c, "managedFields", i, m->n_managed_fields) {
		const struct kube_managed_fields_entry *f = &m->managed_fields[i];
		if (!is(f->operation, "Apply") && !is(f->operation, "Update"))
			wrong_text(c, "operation", f->operation, "must be `Apply` or `Update`");
		if (is_set(f->fields_type) && !is(f->fields_type, "FieldsV1"))
			wrong_text(c, "fieldsType", f->fields_type, "must be `FieldsV1`");
		if (strlen(or_empty(f->manager)) > 128)
			wrong(c, "manager", "Too long: may not be more than 128 bytes");
	}
}

void check_meta(struct check *c, const struct kube_object_meta *m, bool is_namespaced, enum name_rule rule)
{
	WITHIN(c, "metadata") {
		if (is_set(m->generate_name))
			check_generate_name(c, m->generate_name, rule);
		if (!is_set(m->name))
			wrong(c, "name", REQUIRED ": name or generateName is required");
		else
			check_name(c, "name", m->name, rule);
		if (is_namespaced && !is_set(m->namespace))
			wrong(c, "namespace", REQUIRED);
		else if (is_namespaced && !name_is(m->namespace, NAME_LABEL))
			check_name(c, "namespace", m->namespace, NAME_LABEL);
		else if (!is_namespaced && is_set(m->namespace))
			wrong(c, "namespace", "Forbidden: not allowed on this type");
		check_nonnegative(c, "generation", m->generation);
		check_labels(c, "labels", m->labels, m->n_labels);
		check_annotations(c, "annotations", m->annotations, m->n_annotations);
		check_owners(c, m);
		check_finalizers(c, m);
		check_managers(c, m);
	}
}

void check_meta_update(struct check *c, const struct kube_object_meta *m, const struct kube_object_meta *old)
{
	WITHIN(c, "metadata") {
		if (old->deletion_timestamp) {
			for (uint32_t i = 0; i < m->n_finalizers; i++) {
				bool known = false;
				for (uint32_t k = 0; k < old->n_finalizers; k++)
					known |= is(m->finalizers[i], or_empty(old->finalizers[k]));
				if (!known)
					wrong(c, "finalizers", "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{%s}",
						check_quote(c, m->finalizers[i]));
			}
		}
		check_immutable_text(c, "name", m->name, old->name);
		check_immutable_text(c, "namespace", m->namespace, old->namespace);
		check_immutable_text(c, "uid", m->uid, old->uid);
		check_labels(c, "labels", m->labels, m->n_labels);
		check_annotations(c, "annotations", m->annotations, m->n_annotations);
		check_owners(c, m);
		check_finalizers(c, m);
		check_managers(c, m);
	}
}

static void from_rule(void *arg, const char *path, const char *message)
{
	struct check *c = arg;
	for (unsigned i = 0; i < c->p->n; i++)
		if (!strcmp(c->p->v[i].field, path) && !strcmp(c->p->v[i].message, message))
			return;
	wrong(c, path, "%s", message);
}

unsigned kind_validate(struct schema_ref ref, enum kind_write what, const void *obj, const void *old, struct kind_problems *p)
{
	const struct kind_row *row = kind_row(ref);
	const struct kube_object_meta *m = &((const struct kind_object *)obj)->metadata;
	struct check c = { .p = p, .a = p->a, .what = what, .kind = or_empty(((const struct kind_object *)obj)->kind) };
	if (old)
		check_meta_update(&c, m, &((const struct kind_object *)old)->metadata);
	else
		check_meta(&c, m, !row || !row->is_cluster, row ? row->name : NAME_SUBDOMAIN);
	if (what == KIND_SPEC || what == KIND_EPHEMERAL || what == KIND_RESIZE) {
		if (row && row->validate)
			row->validate(&c, obj, old);
		schema_check(ref, obj, old, from_rule, &c);
	}
	if (what != KIND_SPEC && row && row->validate_status)
		row->validate_status(&c, what, obj, old);
	return p->n;
}

void kind_problems_text(const struct kind_problems *p, const char *kind, const char *name, struct buf *out)
{
	unsigned said = 0;
	AUTO(buf) struct buf list = BUF_INIT(1 << 20);
	for (unsigned i = 0; i < p->n; i++) {
		bool again = false;
		for (unsigned k = 0; k < i && !again; k++)
			again = !strcmp(p->v[k].field, p->v[i].field) && !strcmp(p->v[k].message, p->v[i].message);
		if (!again)
			buf_addf(&list, "%s%s: %s", said++ ? ", " : "", p->v[i].field, p->v[i].message);
	}
	buf_addf(out, "%s \"%s\" is invalid: %s%s%s", kind, or_empty(name), said > 1 ? "[" : "", list.ptr, said > 1 ? "]" : "");
}
