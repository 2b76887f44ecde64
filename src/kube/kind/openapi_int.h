/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the OpenAPI writer share. */
#pragma once
#include <errno.h>
#include <string.h>
#include "base/auto.h"
#include "kube/kind/openapi.h"
#include "kube/meta/resource.h"

struct openapi {
	enum openapi_version v;
	struct arena *a;
	struct tree paths, schemas;
	int error;
};
/* One resource, built in or custom, with the names of its schemas. */
struct openapi_resource {
	const char *group, *version, *plural, *kind;
	const char *schema, *list_schema;   /* list_schema NULL: no list */
	bool namespaced;
	unsigned verbs;
};
struct openapi_sub {
	const char *name, *group, *version, *kind, *schema;
	unsigned verbs;
};

struct tree *oa_set(struct openapi *o, struct tree *map, const char *key, struct tree v);
void oa_text(struct openapi *o, struct tree *map, const char *key, const char *text);
void oa_append(struct openapi *o, struct tree *list, struct tree v);
struct tree oa_gvk(struct openapi *o, const char *group, const char *version, const char *kind);
/* openapi_paths.c */
void oa_paths(struct openapi *o, const struct openapi_resource *r);
void oa_sub_paths(struct openapi *o, const struct openapi_resource *r, const struct openapi_sub *s);
void oa_discovery_path(struct openapi *o, const char *group, const char *version);
/* openapi_custom.c */
void oa_custom(struct openapi *o, const struct kind_openapi_custom *c);
