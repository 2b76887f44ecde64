/* SPDX-License-Identifier: Apache-2.0 */
/* Validation of pods, in parts; templates of pods use it too. */
#pragma once
#include "kube/kind/check.h"

/* Of the place where the specification is. is_pod: a pod itself, not a template. */
void check_pod_spec(struct check *c, const struct kube_pod_spec *s, bool is_pod);
/* "metadata" and "spec" below the place. */
void check_template(struct check *c, const struct kube_pod_template_spec *t);
/* A template of a controller: its labels must match the selector; restartPolicy must be Always, nothing has a deadline. */
/* The labels of a template, which selector must select: none selects nothing, an empty one everything. */
void check_matched(struct check *c, const struct kube_object_meta *m, const struct kube_label_selector *selector);
void check_controller_template(struct check *c, const struct kube_pod_template_spec *t, const struct kube_label_selector *selector);
bool template_matches(const struct kube_label_selector *s, const struct schema_pair *labels, uint32_t n);

void check_containers(struct check *c, const struct kube_pod_spec *s, bool is_pod);
void check_resources(struct check *c, const char *field, const struct kube_resource_requirements *r);
/* Of a container. */
void check_resource_name(struct check *c, const char *name);
/* cpu, storage, pods, requests.cpu, …: names without a domain that Kubernetes knows. */
bool is_standard_resource(const char *name);
void check_quantity(struct check *c, const char *name, const char *value);
#define HOST_PATH_TYPES "|BlockDevice|CharDevice|Directory|DirectoryOrCreate|File|FileOrCreate|Socket"
/* s may be NULL. */
void check_nfs(struct check *c, const struct kube_nfs_volume_source *s);
void check_volumes(struct check *c, const struct kube_volume *v, uint32_t n);
void check_affinity(struct check *c, const struct kube_affinity *a);
void check_node_selector(struct check *c, const struct kube_node_selector *s);
void check_tolerations(struct check *c, const struct kube_toleration *v, uint32_t n);
void check_spread(struct check *c, const struct kube_topology_spread_constraint *v, uint32_t n);
void check_field_ref(struct check *c, const char *field, const struct kube_object_field_selector *s, bool is_volume);
void check_resource_ref(struct check *c, const char *field, const struct kube_resource_field_selector *s, bool is_volume);
void check_descending_path(struct check *c, const char *field, const char *path);
void check_user_id(struct check *c, const char *field, const int64_t *id);
void check_seccomp(struct check *c, const struct kube_seccomp_profile *p);
void check_claim_spec(struct check *c, const struct kube_persistent_volume_claim_spec *s);
