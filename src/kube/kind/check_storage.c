/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes, claims and their classes. Source: pkg/apis/core/validation, pkg/apis/storage/validation. */
#include "kube/kind/check_pod.h"

#include "schema/quantity.h"

#define MODES "ReadOnlyMany|ReadWriteMany|ReadWriteOnce|ReadWriteOncePod"

static void check_modes(struct check *c, const char **v, uint32_t n, const char *missing)
{
	bool alone = false;
	if (!n)
		wrong(c, "accessModes", "%s", missing);
	for (uint32_t i = 0; i < n; i++) {
		one_of(c, "accessModes", v[i], MODES);
		alone |= is(v[i], "ReadWriteOncePod");
	}
	if (alone && n > 1)
		wrong(c, "accessModes", "Forbidden: may not use ReadWriteOncePod with other access modes");
}

static void check_positive(struct check *c, const char *value)
{
	struct quantity q;
	if (quantity_parse(slice_of(or_empty(value)), &q, NULL) == 0 && q.nano <= 0)
		wrong_text(c, NULL, value, "must be greater than zero");
}

void check_claim_spec(struct check *c, const struct kube_persistent_volume_claim_spec *s)
{
	check_modes(c, s->access_modes, s->n_access_modes, REQUIRED ": at least 1 access mode is required");
	check_selector(c, "selector", s->selector);
	const char *size = kind_quantity_of(s->resources.requests, s->resources.n_requests, "storage");
	WITHIN_KEY(c, "resources", "storage") {
		if (!size)
			wrong(c, NULL, REQUIRED);
		else
			check_positive(c, size);
	}
	if (is_set(s->storage_class_name))
		check_name(c, "storageClassName", s->storage_class_name, NAME_SUBDOMAIN);
	if (s->volume_mode)
		one_of(c, "volumeMode", s->volume_mode, "Block|Filesystem");
	if (is_set(s->volume_attributes_class_name))
		check_name(c, "volumeAttributesClassName", s->volume_attributes_class_name, NAME_SUBDOMAIN);
}

void kind_validate_persistent_volume_claim(struct check *c, const void *obj, const void *old)
{
	const struct kube_persistent_volume_claim *o = obj, *was = old;
	WITHIN(c, "spec") check_claim_spec(c, &o->spec);
	if (!was)
		return;
	struct kube_persistent_volume_claim_spec rest = o->spec;
	bool is_bound = is(o->status.phase, "Bound");
	if (!is_set(was->spec.volume_name))
		rest.volume_name = was->spec.volume_name;
	if (is_bound) {
		rest.resources = was->spec.resources;
		rest.volume_attributes_class_name = was->spec.volume_attributes_class_name;
	}
	if (!was->spec.storage_class_name)
		rest.storage_class_name = NULL;
	if (!kind_is_same(T_kube_persistent_volume_claim_spec, &rest, &was->spec))
		wrong(c, "spec", "Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n");
	struct quantity now, before, have;
	const char *a = kind_quantity_of(o->spec.resources.requests, o->spec.resources.n_requests, "storage");
	const char *b = kind_quantity_of(was->spec.resources.requests, was->spec.resources.n_requests, "storage");
	const char *h = kind_quantity_of(was->status.capacity, was->status.n_capacity, "storage");
	if (a && b && quantity_parse(slice_of(a), &now, NULL) == 0 && quantity_parse(slice_of(b), &before, NULL) == 0 && quantity_cmp(&now, &before) < 0 &&
		quantity_parse(slice_of(h ? h : "0"), &have, NULL) == 0 && quantity_cmp(&now, &have) <= 0)
		wrong(c, "spec.resources.requests.storage", "Forbidden: field can not be less than status.capacity");
	check_immutable_text(c, "volumeMode", o->spec.volume_mode, was->spec.volume_mode);
}

/* Where its bytes are: exactly one place. */
static void check_places(struct check *c, const struct kube_persistent_volume_spec *s)
{
	const struct { const char *name; const void *source; } places[] = {
		{ "hostPath", s->host_path }, { "gcePersistentDisk", s->gce_persistent_disk }, { "awsElasticBlockStore", s->aws_elastic_block_store },
		{ "glusterfs", s->glusterfs }, { "flocker", s->flocker }, { "nfs", s->nfs }, { "rbd", s->rbd }, { "quobyte", s->quobyte },
		{ "cephFS", s->cephfs }, { "iscsi", s->iscsi }, { "cinder", s->cinder }, { "fc", s->fc }, { "flexVolume", s->flex_volume },
		{ "azureFile", s->azure_file }, { "vsphereVolume", s->vsphere_volume }, { "photonPersistentDisk", s->photon_persistent_disk },
		{ "portworxVolume", s->portworx_volume }, { "azureDisk", s->azure_disk }, { "scaleIO", s->scale_io }, { "local", s->local },
		{ "storageos", s->storageos }, { "csi", s->csi },
	};
	unsigned n = 0;
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (places[i].source && n++)
			wrong(c, places[i].name, "Forbidden: may not specify more than 1 volume type");
	if (!n)
		wrong(c, NULL, REQUIRED ": must specify a volume type");
}

static bool is_same_place(const struct kube_persistent_volume_spec *a, const struct kube_persistent_volume_spec *b)
{
	struct kube_persistent_volume_spec rest = *b;
	rest.capacity = a->capacity;
	rest.n_capacity = a->n_capacity;
	rest.access_modes = a->access_modes;
	rest.n_access_modes = a->n_access_modes;
	rest.claim_ref = a->claim_ref;
	rest.persistent_volume_reclaim_policy = a->persistent_volume_reclaim_policy;
	rest.storage_class_name = a->storage_class_name;
	rest.mount_options = a->mount_options;
	rest.n_mount_options = a->n_mount_options;
	rest.volume_mode = a->volume_mode;
	rest.node_affinity = a->node_affinity;
	rest.volume_attributes_class_name = a->volume_attributes_class_name;
	return kind_is_same(T_kube_persistent_volume_spec, a, &rest);
}

void kind_validate_persistent_volume(struct check *c, const void *obj, const void *old)
{
	const struct kube_persistent_volume *o = obj, *was = old;
	const struct kube_persistent_volume_spec *s = &o->spec;
	WITHIN(c, "spec") {
		check_modes(c, s->access_modes, s->n_access_modes, REQUIRED);
		if (!s->n_capacity)
			wrong(c, "capacity", REQUIRED);
		if (!kind_quantity_of(s->capacity, s->n_capacity, "storage") || s->n_capacity > 1)
			wrong(c, "capacity", "Unsupported value: %s: supported values: \"storage\"", s->n_capacity ? "{}" : "null");
		for (uint32_t i = 0; i < s->n_capacity; i++)
			WITHIN_KEY(c, "capacity", s->capacity[i].key) check_positive(c, s->capacity[i].value);
		if (is_set(s->persistent_volume_reclaim_policy))
			one_of(c, "persistentVolumeReclaimPolicy", s->persistent_volume_reclaim_policy, "Delete|Recycle|Retain");
		if (s->node_affinity && s->node_affinity->required)
			WITHIN(c, "nodeAffinity") WITHIN(c, "required") check_node_selector(c, s->node_affinity->required);
		check_places(c, s);
		if (s->host_path && !is_set(s->host_path->path))
			WITHIN(c, "hostPath") wrong(c, "path", REQUIRED);
		if (s->host_path && s->host_path->type)
			WITHIN(c, "hostPath") one_of(c, "type", s->host_path->type, HOST_PATH_TYPES);
		check_nfs(c, s->nfs);
		if (s->csi) WITHIN(c, "csi") {
			if (!is_set(s->csi->driver))
				wrong(c, "driver", REQUIRED);
			else
				check_name(c, "driver", s->csi->driver, NAME_SUBDOMAIN);
			if (!is_set(s->csi->volume_handle))
				wrong(c, "volumeHandle", REQUIRED);
		}
		if (s->local) {
			if (!is_set(s->local->path))
				WITHIN(c, "local") wrong(c, "path", REQUIRED);
			if (!s->node_affinity)
				wrong(c, "nodeAffinity", REQUIRED ": Local volume requires node affinity");
		}
		if (is_set(s->storage_class_name))
			check_name(c, "storageClassName", s->storage_class_name, NAME_SUBDOMAIN);
		if (s->volume_mode)
			one_of(c, "volumeMode", s->volume_mode, "Block|Filesystem");
		if (was)
			check_immutable_text(c, "volumeMode", s->volume_mode, was->spec.volume_mode);
		if (was && !is_same_place(s, &was->spec))
			wrong(c, "persistentvolumesource", "Forbidden: spec.persistentvolumesource is immutable after creation\n");
	}
}

void kind_validate_storage_class(struct check *c, const void *obj, const void *old)
{
	const struct kube_storage_class *o = obj, *was = old;
	if (!is_set(o->provisioner))
		wrong(c, "provisioner", REQUIRED);
	else if (!is_qualified_name(o->provisioner))
		check_qualified_name(c, "provisioner", o->provisioner);
	if (o->reclaim_policy)
		one_of(c, "reclaimPolicy", o->reclaim_policy, "Delete|Retain");
	if (!o->volume_binding_mode)
		wrong(c, "volumeBindingMode", REQUIRED);
	else
		one_of(c, "volumeBindingMode", o->volume_binding_mode, "Immediate|WaitForFirstConsumer");
	if (!was)
		return;
	bool same = o->n_parameters == was->n_parameters;
	for (uint32_t i = 0; same && i < o->n_parameters; i++)
		same = is(schema_pair_get(was->parameters, was->n_parameters, o->parameters[i].key), or_empty(o->parameters[i].value));
	if (!same) {
		AUTO(buf) struct buf b = BUF_INIT(64 << 10);
		for (uint32_t i = 0; i < o->n_parameters; i++)
			buf_addf(&b, "%s%s:%s", i ? "," : "", check_quote(c, o->parameters[i].key), check_quote(c, or_empty(o->parameters[i].value)));
		wrong(c, "parameters", "Invalid value: {%s}: field is immutable", b.len ? b.ptr : "");
	}
	check_immutable_text(c, "provisioner", o->provisioner, was->provisioner);
	check_immutable_text(c, "reclaimPolicy", o->reclaim_policy, was->reclaim_policy);
	check_immutable_text(c, "volumeBindingMode", o->volume_binding_mode, was->volume_binding_mode);
}
