/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes of pods. Source: pkg/apis/core/validation, validateVolumeSource and what it calls. */
#include "kube/kind/check_pod.h"

#include "schema/quantity.h"

#define ENV_FIELDS "metadata.name|metadata.namespace|metadata.uid|spec.nodeName|spec.serviceAccountName|status.hostIP|status.hostIPs|status.podIP|status.podIPs"
#define VOLUME_FIELDS "metadata.annotations|metadata.labels|metadata.name|metadata.namespace|metadata.uid"
#define RESOURCES "limits.cpu|limits.ephemeral-storage|limits.memory|requests.cpu|requests.ephemeral-storage|requests.memory"

static bool in_list(const char *value, const char *allowed)
{
	struct slice rest = slice_of(allowed), word;
	while (slice_next(&rest, '|', &word))
		if (slice_is(word, value))
			return true;
	return false;
}

void check_field_ref(struct check *c, const char *field, const struct kube_object_field_selector *s, bool is_volume)
{
	static const char known[] = ENV_FIELDS "|" VOLUME_FIELDS "|spec.restartPolicy|spec.schedulerName|status.phase|spec.host";
	const char *allowed = is_volume ? VOLUME_FIELDS : ENV_FIELDS, *path = or_empty(s->field_path), *bracket = strstr(path, "['");
	WITHIN(c, field) {
		if (!is_set(s->api_version)) {
			wrong(c, "apiVersion", REQUIRED);
			return;
		}
		if (!*path) {
			wrong(c, "fieldPath", REQUIRED);
			return;
		}
		if (bracket && strlen(bracket) > 4 && !strcmp(path + strlen(path) - 2, "']")) {
			const char *base = arena_dup(c->a, slice_n(path, (size_t)(bracket - path)));
			const char *key = arena_dup(c->a, slice_n(bracket + 2, strlen(bracket) - 4));
			if (is(base, "metadata.annotations") || is(base, "metadata.labels"))
				check_qualified_name(c, NULL, key);
			else
				wrong_text(c, NULL, base, "does not support subscript");
			return;
		}
		if (!is(s->api_version, "v1"))
			wrong_text(c, "fieldPath", path, "error converting fieldPath: unsupported pod version: %s", s->api_version);
		else if (!in_list(path, known))
			wrong_text(c, "fieldPath", path, "error converting fieldPath: field label not supported: %s", path);
		else
			one_of(c, "fieldPath", path, allowed);
	}
}

void check_resource_ref(struct check *c, const char *field, const struct kube_resource_field_selector *s, bool is_volume)
{
	const char *r = or_empty(s->resource);
	WITHIN(c, field) {
		if (is_volume && !is_set(s->container_name))
			wrong(c, "containerName", REQUIRED);
		else if (!*r)
			wrong(c, "resource", REQUIRED);
		else if (strncmp(r, "limits.hugepages-", 17) && strncmp(r, "requests.hugepages-", 19))
			one_of(c, "resource", r, RESOURCES);
	}
}

static void check_no_backsteps(struct check *c, const char *field, const char *path)
{
	struct slice rest = slice_of(path), part;
	while (slice_next(&rest, '/', &part)) {
		if (slice_is(part, "..")) {
			wrong_text(c, field, path, "must not contain '..'");
			return;
		}
	}
}

void check_descending_path(struct check *c, const char *field, const char *path)
{
	if (*path == '/')
		wrong_text(c, field, path, "must be a relative path");
	check_no_backsteps(c, field, path);
}

static void check_local_path(struct check *c, const char *field, const char *path)
{
	check_descending_path(c, field, path);
	if (!strncmp(path, "..", 2) && strncmp(path, "../", 3) && strcmp(path, ".."))
		wrong_text(c, field, path, "must not start with '..'");
}

static void check_mode(struct check *c, const char *field, const int32_t *mode)
{
	if (mode && (*mode < 0 || *mode > 0777))
		wrong_int(c, field, *mode, "must be a number between 0 and 0777 (octal), both inclusive");
}

static void check_items(struct check *c, const struct kube_key_to_path *v, uint32_t n)
{
	EACH(c, "items", i, n) {
		if (!is_set(v[i].key))
			wrong(c, "key", REQUIRED);
		if (!is_set(v[i].path))
			wrong(c, "path", REQUIRED);
		check_local_path(c, "path", or_empty(v[i].path));
		check_mode(c, "mode", v[i].mode);
	}
}

static void check_downward_file(struct check *c, const struct kube_downward_api_volume_file *f)
{
	if (!is_set(f->path))
		wrong(c, "path", REQUIRED);
	check_local_path(c, "path", or_empty(f->path));
	if (f->field_ref) {
		check_field_ref(c, "fieldRef", f->field_ref, true);
		if (f->resource_field_ref)
			wrong_text(c, NULL, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously");
	} else if (f->resource_field_ref) {
		check_resource_ref(c, "resourceFieldRef", f->resource_field_ref, true);
	} else {
		wrong(c, NULL, REQUIRED ": one of fieldRef and resourceFieldRef is required");
	}
	check_mode(c, "mode", f->mode);
}

static void check_projection(struct check *c, const struct kube_volume_projection *p)
{
	unsigned n = !!p->secret + !!p->config_map + !!p->downward_api + !!p->service_account_token + !!p->cluster_trust_bundle + !!p->pod_certificate;
	if (p->secret) WITHIN(c, "secret") {
		if (!is_set(p->secret->name))
			wrong(c, "name", REQUIRED);
		check_items(c, p->secret->items, p->secret->n_items);
	}
	if (p->config_map) WITHIN(c, "configMap") {
		if (!is_set(p->config_map->name))
			wrong(c, "name", REQUIRED);
		check_items(c, p->config_map->items, p->config_map->n_items);
	}
	if (p->downward_api) WITHIN(c, "downwardAPI")
		for (uint32_t i = 0; i < p->downward_api->n_items; i++)
			check_downward_file(c, &p->downward_api->items[i]);
	if (p->service_account_token) WITHIN(c, "serviceAccountToken") {
		const int64_t *s = p->service_account_token->expiration_seconds;
		if (s && *s < 600)
			wrong_int(c, "expirationSeconds", *s, "may not specify a duration less than 10 minutes");
		if (s && *s > 1LL << 32)
			wrong_int(c, "expirationSeconds", *s, "may not specify a duration larger than 2^32 seconds");
		if (is_set(p->service_account_token->path))
			check_local_path(c, "path", p->service_account_token->path);
	}
	if (n > 1)
		wrong(c, NULL, "Forbidden: may not specify more than 1 volume type per source");
}

/* Names of the sources, in the order of the struct's members; two as Kubernetes has them in its errors. */
static const char *const source_names[] = {
	"hostPath", "emptyDir", "gcePersistentDisk", "awsElasticBlockStore", "gitRepo", "secret", "nfs", "iscsi", "glusterfs", "persistentVolumeClaim", "rbd",
	"flexVolume", "cinder", "cephFS", "flocker", "downwarAPI", "fc", "azureFile", "configMap", "vsphereVolume", "quobyte", "azureDisk",
	"photonPersistentDisk", "projected", "portworxVolume", "scaleIO", "storageos", "csi", "ephemeral", "image",
};
_Static_assert(sizeof(struct kube_volume) == (ARRAY_LEN(source_names) + 1) * sizeof(void *), "one name a source");

void check_nfs(struct check *c, const struct kube_nfs_volume_source *s)
{
	if (!s)
		return;
	WITHIN(c, "nfs") {
		if (!is_set(s->server))
			wrong(c, "server", REQUIRED);
		if (!is_set(s->path))
			wrong(c, "path", REQUIRED);
		if (or_empty(s->path)[0] != '/')
			wrong_text(c, "path", s->path, "must be an absolute path");
	}
}

static void check_first_source(struct check *c, const struct kube_volume *v)
{
	if (v->empty_dir && v->empty_dir->size_limit && v->empty_dir->size_limit[0] == '-')
		WITHIN(c, "emptyDir") wrong(c, "sizeLimit", "Forbidden: SizeLimit field must be a valid resource quantity");
	if (v->host_path) WITHIN(c, "hostPath") {
		if (!is_set(v->host_path->path)) {
			wrong(c, "path", REQUIRED);
		} else {
			check_no_backsteps(c, "path", v->host_path->path);
			if (v->host_path->type)
				one_of(c, "type", v->host_path->type, HOST_PATH_TYPES);
		}
	}
	if (v->secret) WITHIN(c, "secret") {
		if (!is_set(v->secret->secret_name))
			wrong(c, "secretName", REQUIRED);
		check_mode(c, "defaultMode", v->secret->default_mode);
		check_items(c, v->secret->items, v->secret->n_items);
	}
	if (v->config_map) WITHIN(c, "configMap") {
		if (!is_set(v->config_map->name))
			wrong(c, "name", REQUIRED);
		check_mode(c, "defaultMode", v->config_map->default_mode);
		check_items(c, v->config_map->items, v->config_map->n_items);
	}
	check_nfs(c, v->nfs);
	if (v->persistent_volume_claim && !is_set(v->persistent_volume_claim->claim_name))
		WITHIN(c, "persistentVolumeClaim") wrong(c, "claimName", REQUIRED);
	if (v->downward_api) WITHIN(c, "downwardAPI") {
		check_mode(c, "defaultMode", v->downward_api->default_mode);
		for (uint32_t i = 0; i < v->downward_api->n_items; i++)
			check_downward_file(c, &v->downward_api->items[i]);
	}
	if (v->projected) WITHIN(c, "projected") {
		check_mode(c, "defaultMode", v->projected->default_mode);
		EACH(c, "sources", i, v->projected->n_sources)
			check_projection(c, &v->projected->sources[i]);
		for (uint32_t i = 0; i < v->projected->n_sources; i++)
			if (v->projected->sources[i].service_account_token && !is_set(v->projected->sources[i].service_account_token->path))
				wrong(c, "path", REQUIRED);
	}
	if (v->ephemeral) WITHIN(c, "ephemeral") {
		if (!v->ephemeral->volume_claim_template)
			wrong(c, "volumeClaimTemplate", REQUIRED);
		else WITHIN(c, "volumeClaimTemplate") WITHIN(c, "spec")
			check_claim_spec(c, &v->ephemeral->volume_claim_template->spec);
	}
	if (v->image) WITHIN(c, "image") {
		if (!is_set(v->image->reference))
			wrong(c, "reference", REQUIRED);
		one_of(c, "pullPolicy", v->image->pull_policy, "Always|IfNotPresent|Never");
	}
}

void check_volumes(struct check *c, const struct kube_volume *v, uint32_t n)
{
	bool *is_right = arena_array(c->a, n, sizeof *is_right);
	c->right_volumes = is_right;
	EACH(c, "volumes", i, n) {
		void *const *sources = (void *const *)&v[i] + 1;
		unsigned found = v[i].empty_dir != NULL, before = c->p->n;
		for (size_t k = 0; k < ARRAY_LEN(source_names); k++)
			if (sources[k] && sources[k] != v[i].empty_dir && found++)
				wrong(c, source_names[k], "Forbidden: may not specify more than 1 volume type");
		if (!found)
			wrong(c, NULL, REQUIRED ": must specify a volume type");
		if (found == 1)
			check_first_source(c, &v[i]);
		if (!is_set(v[i].name))
			wrong(c, "name", REQUIRED);
		else
			check_name(c, "name", v[i].name, NAME_LABEL);
		if (is_right)
			is_right[i] = c->p->n == before;
		for (uint32_t k = 0; is_right && k < i; k++)
			if (is_right[k] && is(v[k].name, or_empty(v[i].name))) {
				wrong(c, "name", "Duplicate value: %s", check_quote(c, v[i].name));
				break;
			}
	}
}
