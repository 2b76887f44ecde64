/* SPDX-License-Identifier: Apache-2.0 */
/* Columns of configuration, storage, access and policy. */
#include "kube/kind/kind_int.h"

#include <stdlib.h>

#include "base/clock.h"
#include "kube/meta/text.h"

#define NAME { "Name", "string", "name", 0, "The object's name" }
#define AGE { "Age", "string", "", 0, "Time since it was created" }

static const struct kind_column secret_columns[] = { NAME, { "Type", "string", "", 0, "What it holds" }, { "Data", "string", "", 0, "Number of its values" }, AGE };
static void secret_cells(struct cells *c, const void *obj)
{
	const struct kube_secret *o = obj;
	cell_text(c, o->metadata.name);
	cell_text(c, o->type);
	cell_int(c, o->n_data);
	cell_age(c, o->metadata.creation_timestamp);
}
TABLE(secret);

static const struct kind_column config_map_columns[] = { NAME, { "Data", "string", "", 0, "Number of its values" }, AGE };
static void config_map_cells(struct cells *c, const void *obj)
{
	const struct kube_config_map *o = obj;
	cell_text(c, o->metadata.name);
	cell_int(c, (int64_t)o->n_data + o->n_binary_data);
	cell_age(c, o->metadata.creation_timestamp);
}
TABLE(config_map);

static const struct kind_column service_account_columns[] = { NAME, AGE };
static void service_account_cells(struct cells *c, const void *obj)
{
	const struct kube_service_account *o = obj;
	cell_text(c, o->metadata.name);
	cell_age(c, o->metadata.creation_timestamp);
}
TABLE(service_account);

static void cell_access_modes(struct cells *c, const char **modes, uint32_t n)
{
	static const char *const known[][2] = { { "ReadWriteOnce", "RWO" }, { "ReadOnlyMany", "ROX" }, { "ReadWriteMany", "RWX" }, { "ReadWriteOncePod", "RWOP" } };
	char text[32] = "";
	for (size_t k = 0; k < ARRAY_LEN(known); k++)
		for (uint32_t i = 0; i < n; i++)
			if (is(modes[i], known[k][0])) {
				fmt_into(text + strlen(text), sizeof text - strlen(text), "%s%s", *text ? "," : "", known[k][1]);
				break;
			}
	cell_fmt(c, "%s", text);
}

static const char *quantity_of(const struct kube_quantity_entry *v, uint32_t n, const char *key)
{
	for (uint32_t i = 0; i < n; i++)
		if (is(v[i].key, key))
			return v[i].value;
	return "0";
}

static const char *class_of(const struct kube_object_meta *m, const char *name)
{
	const char *old = schema_pair_get(m->annotations, m->n_annotations, "volume.beta.kubernetes.io/storage-class");
	return old ? old : or_empty(name);
}

static const char *or_unset(const char *s)
{
	return s ? s : "<unset>";
}

static const struct kind_column persistent_volume_columns[] = { NAME, { "Capacity", "string", "", 0, "Its size" },
	{ "Access Modes", "string", "", 0, "How it may be mounted" }, { "Reclaim Policy", "string", "", 0, "What happens when it is given back" },
	{ "Status", "string", "", 0, "Whether it is taken" }, { "Claim", "string", "", 0, "Who has it" }, { "StorageClass", "string", "", 0, "Its class" },
	{ "VolumeAttributesClass", "string", "", 0, "Class of its attributes" }, { "Reason", "string", "", 0, "Why it failed" }, AGE,
	{ "VolumeMode", "string", "", 1, "File system or block device" } };
static void persistent_volume_cells(struct cells *c, const void *obj)
{
	const struct kube_persistent_volume *o = obj;
	cell_text(c, o->metadata.name);
	cell_text(c, quantity_of(o->spec.capacity, o->spec.n_capacity, "storage"));
	cell_access_modes(c, o->spec.access_modes, o->spec.n_access_modes);
	cell_text(c, o->spec.persistent_volume_reclaim_policy);
	cell_text(c, o->metadata.deletion_timestamp ? "Terminating" : o->status.phase);
	if (o->spec.claim_ref)
		cell_fmt(c, "%s/%s", or_empty(o->spec.claim_ref->namespace), or_empty(o->spec.claim_ref->name));
	else
		cell_text(c, "");
	cell_text(c, class_of(&o->metadata, o->spec.storage_class_name));
	cell_text(c, or_unset(o->spec.volume_attributes_class_name));
	cell_text(c, o->status.reason);
	cell_age(c, o->metadata.creation_timestamp);
	cell_text(c, or_unset(o->spec.volume_mode));
}
TABLE(persistent_volume);

static const struct kind_column persistent_volume_claim_columns[] = { NAME, { "Status", "string", "", 0, "Whether it has a volume" },
	{ "Volume", "string", "", 0, "The volume it has" }, { "Capacity", "string", "", 0, "Size of that volume" },
	{ "Access Modes", "string", "", 0, "How it may be mounted" }, { "StorageClass", "string", "", 0, "Its class" },
	{ "VolumeAttributesClass", "string", "", 0, "Class of its attributes" }, AGE, { "VolumeMode", "string", "", 1, "File system or block device" } };
static void persistent_volume_claim_cells(struct cells *c, const void *obj)
{
	const struct kube_persistent_volume_claim *o = obj;
	bool is_bound = is_set(o->spec.volume_name);
	cell_text(c, o->metadata.name);
	cell_text(c, o->metadata.deletion_timestamp ? "Terminating" : o->status.phase);
	cell_text(c, o->spec.volume_name);
	cell_text(c, is_bound ? quantity_of(o->status.capacity, o->status.n_capacity, "storage") : "");
	cell_access_modes(c, o->status.access_modes, is_bound ? o->status.n_access_modes : 0);
	cell_text(c, class_of(&o->metadata, o->spec.storage_class_name));
	cell_text(c, or_unset(o->spec.volume_attributes_class_name));
	cell_age(c, o->metadata.creation_timestamp);
	cell_text(c, or_unset(o->spec.volume_mode));
}
TABLE(persistent_volume_claim);

static const struct kind_column storage_class_columns[] = { NAME, { "Provisioner", "string", "", 0, "Who makes its volumes" },
	{ "ReclaimPolicy", "string", "", 0, "What happens to volumes given back" }, { "VolumeBindingMode", "string", "", 0, "When a claim gets its volume" },
	{ "AllowVolumeExpansion", "string", "", 0, "Whether claims may grow" }, AGE };
static void storage_class_cells(struct cells *c, const void *obj)
{
	const struct kube_storage_class *o = obj;
	const struct kube_object_meta *m = &o->metadata;
	bool is_default = is(schema_pair_get(m->annotations, m->n_annotations, "storageclass.kubernetes.io/is-default-class"), "true") ||
		is(schema_pair_get(m->annotations, m->n_annotations, "storageclass.beta.kubernetes.io/is-default-class"), "true");
	cell_fmt(c, "%s%s", or_empty(m->name), is_default ? " (default)" : "");
	cell_text(c, o->provisioner);
	cell_text(c, o->reclaim_policy ? o->reclaim_policy : "Delete");
	cell_text(c, o->volume_binding_mode ? o->volume_binding_mode : "Immediate");
	cell_bool(c, o->allow_volume_expansion && *o->allow_volume_expansion);
	cell_age(c, m->creation_timestamp);
}
TABLE(storage_class);

static const struct kind_column component_status_columns[] = { NAME, { "Status", "string", "", 0, "Whether it is healthy" },
	{ "Message", "string", "", 0, "What it says" }, { "Error", "string", "", 0, "What is wrong" } };
static void component_status_cells(struct cells *c, const void *obj)
{
	const struct kube_component_status *o = obj;
	const struct kube_component_condition *healthy = NULL;
	for (uint32_t i = 0; i < o->n_conditions && !healthy; i++)
		if (is(o->conditions[i].type, "Healthy"))
			healthy = &o->conditions[i];
	cell_text(c, o->metadata.name);
	cell_text(c, !healthy ? "Unknown" : is(healthy->status, "True") ? "Healthy" : "Unhealthy");
	cell_text(c, healthy ? healthy->message : "");
	cell_text(c, healthy ? healthy->error : "");
}
TABLE(component_status);

static int by_key(const void *a, const void *b)
{
	return strcmp((*(const struct kube_quantity_entry *const *)a)->key, (*(const struct kube_quantity_entry *const *)b)->key);
}

static const struct kind_column resource_quota_columns[] = { NAME, { "Request", "string", "", 0, "Used and allowed amounts" },
	{ "Limit", "string", "", 0, "Used and allowed limits" }, AGE };
static void resource_quota_cells(struct cells *c, const void *obj)
{
	const struct kube_resource_quota *o = obj;
	AUTO(buf) struct buf requests = BUF_INIT(1 << 16), limits = BUF_INIT(1 << 16);
	uint32_t n = o->status.n_hard;
	AUTO(free) const struct kube_quantity_entry **v = malloc((n + 1) * sizeof *v);
	if (!v) {
		c->error = -ENOMEM;
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		v[i] = &o->status.hard[i];
	qsort(v, n, sizeof *v, by_key);
	for (uint32_t i = 0; i < n; i++) {
		struct buf *b = strncmp(v[i]->key, "limits.", 7) ? &requests : &limits;
		buf_addf(b, "%s%s: %s/%s", b->len ? ", " : "", v[i]->key, quantity_of(o->status.used, o->status.n_used, v[i]->key), or_empty(v[i]->value));
	}
	cell_text(c, o->metadata.name);
	cell_buf(c, &requests);
	cell_buf(c, &limits);
	cell_age(c, o->metadata.creation_timestamp);
}
TABLE(resource_quota);

static const struct kind_column lease_columns[] = { NAME, { "Holder", "string", "", 0, "Who holds it" }, AGE };
static void lease_cells(struct cells *c, const void *obj)
{
	const struct kube_lease *o = obj;
	cell_text(c, o->metadata.name);
	cell_text(c, o->spec.holder_identity);
	cell_age(c, o->metadata.creation_timestamp);
}
TABLE(lease);

static const struct kind_column priority_class_columns[] = { NAME, { "Value", "integer", "", 0, "The priority; higher goes first" },
	{ "Global-Default", "boolean", "", 0, "Whether pods without a class get it" }, AGE,
	{ "PreemptionPolicy", "string", "", 0, "Whether its pods push others out" } };
static void priority_class_cells(struct cells *c, const void *obj)
{
	const struct kube_priority_class *o = obj;
	cell_text(c, o->metadata.name);
	cell_int(c, o->value);
	cell_bool(c, o->global_default);
	cell_age(c, o->metadata.creation_timestamp);
	cell_text(c, o->preemption_policy);
}
TABLE(priority_class);

static const struct kind_column runtime_class_columns[] = { NAME, { "Handler", "string", "", 0, "Name of the runtime on each machine" }, AGE };
static void runtime_class_cells(struct cells *c, const void *obj)
{
	const struct kube_runtime_class *o = obj;
	cell_text(c, o->metadata.name);
	cell_text(c, o->handler);
	cell_age(c, o->metadata.creation_timestamp);
}
TABLE(runtime_class);

static void binding_cells(struct cells *c, const struct kube_object_meta *m, const struct kube_role_ref *ref, const struct kube_subject *s, uint32_t n)
{
	AUTO(buf) struct buf users = BUF_INIT(1 << 16), groups = BUF_INIT(1 << 16), accounts = BUF_INIT(1 << 16);
	for (uint32_t i = 0; i < n; i++) {
		bool is_account = is(s[i].kind, "ServiceAccount");
		struct buf *b = is_account ? &accounts : is(s[i].kind, "Group") ? &groups : is(s[i].kind, "User") ? &users : NULL;
		if (!b)
			continue;
		buf_adds(b, b->len ? ", " : "");
		if (is_account)
			buf_addf(b, "%s/", or_empty(s[i].namespace));
		buf_adds(b, or_empty(s[i].name));
	}
	cell_text(c, m->name);
	cell_fmt(c, "%s/%s", or_empty(ref->kind), or_empty(ref->name));
	cell_age(c, m->creation_timestamp);
	cell_buf(c, &users);
	cell_buf(c, &groups);
	cell_buf(c, &accounts);
}

#define BINDING_COLUMNS { NAME, { "Role", "string", "", 0, "The role that is given" }, AGE, { "Users", "string", "", 1, "Users who get it" }, \
	{ "Groups", "string", "", 1, "Groups that get it" }, { "ServiceAccounts", "string", "", 1, "Service accounts that get it" } }
static const struct kind_column role_binding_columns[] = BINDING_COLUMNS;
static void role_binding_cells(struct cells *c, const void *obj)
{
	const struct kube_role_binding *o = obj;
	binding_cells(c, &o->metadata, &o->role_ref, o->subjects, o->n_subjects);
}
TABLE(role_binding);

static const struct kind_column cluster_role_binding_columns[] = BINDING_COLUMNS;
static void cluster_role_binding_cells(struct cells *c, const void *obj)
{
	const struct kube_cluster_role_binding *o = obj;
	binding_cells(c, &o->metadata, &o->role_ref, o->subjects, o->n_subjects);
}
TABLE(cluster_role_binding);

static const struct kind_column certificate_signing_request_columns[] = { NAME, AGE, { "SignerName", "string", "", 0, "Who is to sign it" },
	{ "Requestor", "string", "", 0, "Who asks" }, { "RequestedDuration", "string", "", 0, "How long it shall be valid" },
	{ "Condition", "string", "", 0, "What has been decided" } };
static void certificate_signing_request_cells(struct cells *c, const void *obj)
{
	const struct kube_certificate_signing_request *o = obj;
	bool approved = false, denied = false, failed = false;
	char text[KUBE_DURATION_MAX];
	for (uint32_t i = 0; i < o->status.n_conditions; i++) {
		approved |= is(o->status.conditions[i].type, "Approved");
		denied |= is(o->status.conditions[i].type, "Denied");
		failed |= is(o->status.conditions[i].type, "Failed");
	}
	cell_text(c, o->metadata.name);
	cell_age(c, o->metadata.creation_timestamp);
	cell_text(c, is_set(o->spec.signer_name) ? o->spec.signer_name : "<none>");
	cell_text(c, o->spec.username);
	if (o->spec.expiration_seconds)
		cell_fmt(c, "%s", kube_human_duration(text, *o->spec.expiration_seconds * NS_PER_S));
	else
		cell_text(c, "<none>");
	cell_fmt(c, "%s%s%s", denied ? "Denied" : approved ? "Approved" : "Pending", failed ? ",Failed" : "", o->status.certificate.len ? ",Issued" : "");
}
TABLE(certificate_signing_request);
