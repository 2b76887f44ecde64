/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a create or an update may say: each endpoint writes its part of an
 * object and leaves the rest as it is. Source: PrepareForCreate and
 * PrepareForUpdate of pkg/registry.
 */
#include "kube/kind/check.h"

#include "base/clock.h"
#include "base/num.h"

#define MEMBER(obj, at) ((char *)(obj) + (at))

int kind_prepare_create(struct schema_ref ref, struct arena *a, void *obj)
{
	const struct kind_row *row = kind_row(ref);
	struct kind_object *o = obj;
	o->metadata.generation = row && row->has_generation ? 1 : 0;
	if (!row)
		return 0;
	if (row->is_cluster)
		o->metadata.namespace = NULL;   /* what a manifest says is of no matter */
	/* a node tells its state when it registers itself; scale has no life of its own */
	if (row->status_size && ref.type != T_kube_node.type && ref.type != T_kube_scale.type)
		memset(MEMBER(obj, row->status_at), 0, row->status_size);
	return row->create ? row->create(a, obj) : 0;
}

int kind_prepare_update(struct schema_ref ref, enum kind_write what, struct arena *a, void *obj, const void *old)
{
	const struct kind_row *row = kind_row(ref);
	struct kube_object_meta *m = &((struct kind_object *)obj)->metadata;
	const struct kube_object_meta *was = &((const struct kind_object *)old)->metadata;
	m->generation = was->generation;
	if (!row)
		return 0;
	if (row->is_cluster)
		m->namespace = NULL;
	size_t spec_size = row->spec.domain ? schema_size(row->spec) : 0;
	if (what == KIND_STATUS && spec_size)
		memcpy(MEMBER(obj, row->spec_at), MEMBER(old, row->spec_at), spec_size);
	if (what != KIND_STATUS && what != KIND_APPROVAL && row->status_size)
		memcpy(MEMBER(obj, row->status_at), MEMBER(old, row->status_at), row->status_size);
	int r = row->update ? row->update(what, a, obj, old) : 0;
	if (r == 0 && row->has_generation && spec_size && !kind_is_same(row->spec, MEMBER(obj, row->spec_at), MEMBER(old, row->spec_at)))
		m->generation = was->generation + 1;
	return r;
}

/* --- pods --- */

static int add_condition(struct arena *a, struct kube_pod_status *s, const struct kube_pod_condition *c)
{
	struct kube_pod_condition *w = arena_array(a, s->n_conditions + 1, sizeof *w);
	if (!w)
		return -E2BIG;
	if (s->n_conditions)
		memcpy(w, s->conditions, s->n_conditions * sizeof *w);
	w[s->n_conditions++] = *c;
	s->conditions = w;
	return 0;
}

int kind_create_pod(struct arena *a, void *obj)
{
	struct kube_pod *o = obj;
	o->status.phase = "Pending";
	o->status.qos_class = kind_pod_qos(&o->spec);
	if (!o->spec.n_scheduling_gates)
		return 0;
	struct kube_pod_condition gated = { .type = "PodScheduled", .status = "False", .reason = "SchedulingGated",
		.message = "Scheduling is blocked due to non-empty scheduling gates", .last_transition_time = o->metadata.creation_timestamp };
	return add_condition(a, &o->status, &gated);
}

static bool is_same_container(const struct kube_container *a, const struct kube_container *b)
{
	return is(a->name, or_empty(b->name));
}

/* Of containers, only resources and what a change of them does. False when they are not the same ones: validation says so. */
static bool keep_resources(struct arena *a, struct kube_container **v, uint32_t n, const struct kube_container *old, uint32_t n_old)
{
	if (n != n_old)
		return false;
	struct kube_container *w = arena_array(a, n, sizeof *w);
	for (uint32_t i = 0; w && i < n; i++) {
		if (!is_same_container(&(*v)[i], &old[i]))
			return false;
		w[i] = old[i];
		w[i].resources = (*v)[i].resources;
		w[i].resize_policy = (*v)[i].resize_policy;
		w[i].n_resize_policy = (*v)[i].n_resize_policy;
	}
	*v = w;
	return w != NULL;
}

static void meta_of_status(struct kube_object_meta *m, const struct kube_object_meta *old)
{
	struct kube_managed_fields_entry *fields = m->managed_fields;
	uint32_t n = m->n_managed_fields;
	const char *version = m->resource_version;
	*m = *old;
	m->managed_fields = fields;
	m->n_managed_fields = n;
	m->resource_version = version;
}

int kind_update_pod(enum kind_write what, struct arena *a, void *obj, const void *old)
{
	struct kube_pod *o = obj;
	const struct kube_pod *was = old;
	if (what == KIND_STATUS) {
		o->metadata.deletion_timestamp = was->metadata.deletion_timestamp;
		o->metadata.owner_references = was->metadata.owner_references;
		o->metadata.n_owner_references = was->metadata.n_owner_references;
		if (!is_set(o->status.qos_class))
			o->status.qos_class = was->status.qos_class;
	} else if (what == KIND_EPHEMERAL) {
		struct kube_ephemeral_container *v = o->spec.ephemeral_containers;
		uint32_t n = o->spec.n_ephemeral_containers;
		o->spec = was->spec;
		o->spec.ephemeral_containers = v;
		o->spec.n_ephemeral_containers = n;
		meta_of_status(&o->metadata, &was->metadata);
	} else if (what == KIND_RESIZE) {
		struct kube_container *v = o->spec.containers, *init = o->spec.init_containers;
		if (!keep_resources(a, &v, o->spec.n_containers, was->spec.containers, was->spec.n_containers) ||
			!keep_resources(a, &init, o->spec.n_init_containers, was->spec.init_containers, was->spec.n_init_containers))
			return 0;
		struct kube_resource_requirements *all = o->spec.resources;
		o->spec = was->spec;
		o->spec.containers = v;
		o->spec.init_containers = init;
		o->spec.resources = all;
		meta_of_status(&o->metadata, &was->metadata);
	}
	return 0;
}

/* --- workloads --- */

int kind_update_deployment(enum kind_write what, struct arena *a, void *obj, const void *old)
{
	struct kube_deployment *o = obj;
	const struct kube_deployment *was = old;
	(void)a;
	if (what == KIND_STATUS) {
		o->metadata.labels = was->metadata.labels;
		o->metadata.n_labels = was->metadata.n_labels;
		return 0;
	}
	/* its annotations go to its replica sets, so they count too */
	bool same = o->metadata.n_annotations == was->metadata.n_annotations;
	for (uint32_t i = 0; same && i < o->metadata.n_annotations; i++) {
		const char *v = schema_pair_get(was->metadata.annotations, was->metadata.n_annotations, o->metadata.annotations[i].key);
		same = v && is(o->metadata.annotations[i].value, v);
	}
	if (!same)
		o->metadata.generation = was->metadata.generation + 1;
	return 0;
}

/* How often its template has changed, from the time of the first API; clients still read it there. */
#define TEMPLATE_GENERATION "deprecated.daemonset.template.generation"

static int64_t template_generation(const struct kube_object_meta *m)
{
	const char *text = schema_pair_get(m->annotations, m->n_annotations, TEMPLATE_GENERATION);
	int64_t v = 0;
	return text && num_parse_i64(slice_of(text), 1, INT64_MAX, &v) == 0 ? v : 1;
}

static int set_template_generation(struct arena *a, struct kube_object_meta *m, int64_t v)
{
	const char *text = arena_fmt(a, "%lld", (long long)v);
	return text ? kind_pairs_set(a, &m->annotations, &m->n_annotations, TEMPLATE_GENERATION, text, true) : -E2BIG;
}

int kind_create_daemon_set(struct arena *a, void *obj)
{
	struct kube_object_meta *m = &((struct kube_daemon_set *)obj)->metadata;
	return set_template_generation(a, m, template_generation(m));
}

int kind_update_daemon_set(enum kind_write what, struct arena *a, void *obj, const void *old)
{
	struct kube_daemon_set *o = obj;
	const struct kube_daemon_set *was = old;
	(void)what;
	bool same = kind_is_same(T_kube_pod_template_spec, &o->spec.template, &was->spec.template);
	return set_template_generation(a, &o->metadata, template_generation(&was->metadata) + (same ? 0 : 1));
}

int kind_create_job(struct arena *a, void *obj)
{
	struct kube_job *o = obj;
	struct kube_object_meta *t = &o->spec.template.metadata;
	const char *name = or_empty(o->metadata.name), *uid = or_empty(o->metadata.uid);
	bool is_shared = o->metadata.labels == t->labels;      /* by default a job has the labels of its pods */
	if (o->spec.manual_selector && *o->spec.manual_selector)
		return 0;
	const struct { const char *key, *value; } labels[] = { { "job-name", name }, { "batch.kubernetes.io/job-name", name },
		{ "controller-uid", uid }, { "batch.kubernetes.io/controller-uid", uid } };
	for (size_t i = 0; i < ARRAY_LEN(labels); i++)
		if (kind_pairs_set(a, &t->labels, &t->n_labels, labels[i].key, labels[i].value, false) < 0)
			return -E2BIG;
	if (is_shared) {
		o->metadata.labels = t->labels;
		o->metadata.n_labels = t->n_labels;
	}
	if (!o->spec.selector)
		o->spec.selector = arena_new(a, struct kube_label_selector);
	struct kube_label_selector *s = o->spec.selector;
	return s ? kind_pairs_set(a, &s->match_labels, &s->n_match_labels, "batch.kubernetes.io/controller-uid", uid, false) : -E2BIG;
}

/* --- namespaces, secrets, accounts --- */

int kind_create_namespace(struct arena *a, void *obj)
{
	struct kube_namespace *o = obj;
	o->status.phase = "Active";
	for (uint32_t i = 0; i < o->spec.n_finalizers; i++)
		if (is(o->spec.finalizers[i], "kubernetes"))
			return 0;
	const char **v = arena_array(a, o->spec.n_finalizers + 1, sizeof *v);
	if (!v)
		return -E2BIG;
	for (uint32_t i = 0; i < o->spec.n_finalizers; i++)
		v[i] = o->spec.finalizers[i];
	v[o->spec.n_finalizers++] = "kubernetes";
	o->spec.finalizers = v;
	return 0;
}

int kind_update_namespace(enum kind_write what, struct arena *a, void *obj, const void *old)
{
	struct kube_namespace *o = obj;
	const struct kube_namespace *was = old;
	(void)a;
	if (what == KIND_SPEC) {
		o->spec.finalizers = was->spec.finalizers;
		o->spec.n_finalizers = was->spec.n_finalizers;
	}
	return 0;
}

/* What was given as text joins the bytes and is gone. */
int kind_create_secret(struct arena *a, void *obj)
{
	struct kube_secret *o = obj;
	if (!o->n_string_data)
		return 0;
	struct kube_bytes_entry *v = arena_array(a, o->n_data + o->n_string_data, sizeof *v);
	uint32_t n = o->n_data;
	if (!v)
		return -E2BIG;
	if (n)
		memcpy(v, o->data, n * sizeof *v);
	for (uint32_t i = 0; i < o->n_string_data; i++) {
		uint32_t k = 0;
		while (k < n && strcmp(v[k].key, o->string_data[i].key))
			k++;
		v[k] = (struct kube_bytes_entry){ .key = o->string_data[i].key, .value = slice_of(or_empty(o->string_data[i].value)) };
		n += k == n;
	}
	o->data = v;
	o->n_data = n;
	o->string_data = NULL;
	o->n_string_data = 0;
	return 0;
}

int kind_update_secret(enum kind_write what, struct arena *a, void *obj, const void *old)
{
	struct kube_secret *o = obj;
	(void)what;
	if (!is_set(o->type))
		o->type = ((const struct kube_secret *)old)->type;
	return kind_create_secret(a, obj);
}

/* A list of names, nothing more. */
int kind_create_service_account(struct arena *a, void *obj)
{
	struct kube_service_account *o = obj;
	(void)a;
	for (uint32_t i = 0; i < o->n_secrets; i++)
		o->secrets[i] = (struct kube_object_reference){ .name = o->secrets[i].name };
	return 0;
}

int kind_update_service_account(enum kind_write what, struct arena *a, void *obj, const void *old)
{
	(void)what;
	(void)old;
	return kind_create_service_account(a, obj);
}

/* --- storage --- */

int kind_create_persistent_volume(struct arena *a, void *obj)
{
	struct kube_persistent_volume *o = obj;
	(void)a;
	o->status.phase = "Pending";
	o->status.last_phase_transition_time = o->metadata.creation_timestamp;
	return 0;
}

int kind_create_persistent_volume_claim(struct arena *a, void *obj)
{
	(void)a;
	((struct kube_persistent_volume_claim *)obj)->status.phase = "Pending";
	return 0;
}

int kind_update_persistent_volume(enum kind_write what, struct arena *a, void *obj, const void *old)
{
	struct kube_persistent_volume *o = obj;
	const struct kube_persistent_volume *was = old;
	if (what != KIND_STATUS)
		return 0;
	const char *before = was->status.last_phase_transition_time, *now = o->status.last_phase_transition_time;
	if (is(o->status.phase, or_empty(was->status.phase))) {
		if (!now)
			o->status.last_phase_transition_time = before;
	} else if (!now || is(before, now)) {
		char text[CLOCK_TEXT_MAX];
		clock_rfc3339(text, clock_realtime_ns());
		o->status.last_phase_transition_time = arena_strdup(a, text);
		if (!o->status.last_phase_transition_time)
			return -E2BIG;
	}
	return 0;
}

/* --- endpoint slices: the whole of them is the specification --- */

int kind_update_endpoint_slice(enum kind_write what, struct arena *a, void *obj, const void *old)
{
	struct kube_endpoint_slice *o = obj, now = *o, was = *(const struct kube_endpoint_slice *)old;
	(void)what;
	(void)a;
	now.metadata = (struct kube_object_meta){ .labels = now.metadata.labels, .n_labels = now.metadata.n_labels };
	was.metadata = (struct kube_object_meta){ .labels = was.metadata.labels, .n_labels = was.metadata.n_labels };
	if (!kind_is_same(T_kube_endpoint_slice, &now, &was))
		o->metadata.generation++;
	return 0;
}

/* --- certificates --- */

int kind_create_certificate_signing_request(struct arena *a, void *obj)
{
	struct kube_certificate_signing_request_spec *s = &((struct kube_certificate_signing_request *)obj)->spec;
	(void)a;
	/* who asks is said by authentication, not by the one who asks */
	s->username = s->uid = NULL;
	s->groups = NULL;
	s->extra = NULL;
	s->n_groups = s->n_extra = 0;
	return 0;
}

int kind_update_certificate_signing_request(enum kind_write what, struct arena *a, void *obj, const void *old)
{
	struct kube_certificate_signing_request *o = obj;
	const struct kube_certificate_signing_request *was = old;
	char text[CLOCK_TEXT_MAX];
	o->spec = was->spec;
	if (what == KIND_APPROVAL)
		o->status.certificate = was->status.certificate;
	if (what == KIND_SPEC)
		return 0;
	clock_rfc3339(text, clock_realtime_ns());
	for (uint32_t i = 0; i < o->status.n_conditions; i++) {
		struct kube_certificate_signing_request_condition *c = &o->status.conditions[i];
		if (!c->last_transition_time)
			c->last_transition_time = arena_strdup(a, text);
		if (!c->last_update_time)
			c->last_update_time = arena_strdup(a, text);
		if (!c->last_transition_time || !c->last_update_time)
			return -E2BIG;
	}
	return 0;
}

/* --- definitions of custom resources --- */

static int remember_stored(struct arena *a, struct kube_custom_resource_definition *o)
{
	struct kube_custom_resource_definition_status *s = &o->status;
	const char *stored = NULL;
	for (uint32_t i = 0; i < o->spec.n_versions; i++)
		if (o->spec.versions[i].storage)
			stored = o->spec.versions[i].name;
	for (uint32_t i = 0; i < s->n_stored_versions; i++)
		if (is(s->stored_versions[i], or_empty(stored)))
			return 0;
	if (!stored)
		return 0;
	const char **v = arena_array(a, s->n_stored_versions + 1, sizeof *v);
	if (!v)
		return -E2BIG;
	for (uint32_t i = 0; i < s->n_stored_versions; i++)
		v[i] = s->stored_versions[i];
	v[s->n_stored_versions++] = stored;
	s->stored_versions = v;
	return 0;
}

int kind_create_custom_resource_definition(struct arena *a, void *obj)
{
	return remember_stored(a, obj);
}

int kind_update_custom_resource_definition(enum kind_write what, struct arena *a, void *obj, const void *old)
{
	struct kube_custom_resource_definition *o = obj;
	if (what == KIND_STATUS) {
		meta_of_status(&o->metadata, &((const struct kube_custom_resource_definition *)old)->metadata);
		return 0;
	}
	return remember_stored(a, o);
}
