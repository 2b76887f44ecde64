/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The built-in resources of the API, as rows: what discovery says, what a
 * client must know to build a path, and the type that carries the object.
 * Shared by the API server, the clients inside Coracle, OpenAPI and kubectl.
 * Facts from the OpenAPI document and discovery of Kubernetes 1.36.
 */
#pragma once
#include <stdbool.h>
#include "schema/schema.h"

enum kube_verbs {
	KV_CREATE = 1, KV_DELETE = 2, KV_DELETECOLLECTION = 4, KV_GET = 8, KV_LIST = 16, KV_PATCH = 32, KV_UPDATE = 64, KV_WATCH = 128,
	KV_ALL = 255,
	KV_GPU = KV_GET | KV_PATCH | KV_UPDATE,
};

struct kube_resource {
	const char *group;             /* "" for core */
	const char *version;
	const char *plural, *singular, *kind;
	bool namespaced;
	unsigned verbs;                /* enum kube_verbs */
	const char *const *short_names; /* NULL-terminated or NULL */
	const char *category;          /* "all", "api-extensions" or NULL */
	struct schema_ref type, list;  /* list.domain NULL where there is no list */
	/* The group/version/plural that stores it when this row is another view of the same objects (events.k8s.io, autoscaling/v1); or NULL. */
	const char *stored_as_group, *stored_as_version;
};

/* A subresource of a row above: pods/log, deployments/scale. */
struct kube_subresource {
	const char *group, *version, *plural, *name;
	unsigned verbs;
	const char *kind_group, *kind_version, *kind;   /* of what is sent and answered */
	struct schema_ref type;
};

/* In discovery order. */
extern const struct kube_resource kube_resources[];
extern const unsigned n_kube_resources;
extern const struct kube_subresource kube_subresources[];
extern const unsigned n_kube_subresources;
/* Group/versions in the order discovery lists them, the preferred version of a group first. */
struct kube_group_version { const char *group, *version; };
extern const struct kube_group_version kube_group_versions[];
extern const unsigned n_kube_group_versions;

/* NULL when there is none. */
const struct kube_resource *kube_resource_find(const char *group, const char *version, const char *plural);
const struct kube_resource *kube_resource_of_kind(const char *group, const char *version, const char *kind);
const struct kube_subresource *kube_subresource_find(const struct kube_resource *r, const char *name);
/* "v1", "apps/v1"; into buf (returned). */
const char *kube_group_version_text(const char *group, const char *version, char *buf, size_t n);
/* "pods", "deployments.apps": how errors name a resource. */
const char *kube_resource_text(const struct kube_resource *r, char *buf, size_t n);
/*
 * "/api/v1/namespaces/ns/pods/name/sub", "/apis/apps/v1/…": appended to out.
 * namespace_ NULL or "": all namespaces (or not namespaced); name and sub may be NULL.
 */
void kube_resource_path(const struct kube_resource *r, const char *namespace_, const char *name, const char *sub, struct buf *out);
