/* SPDX-License-Identifier: Apache-2.0 */
/* One served version of a custom resource, and the definitions it comes from. */
#pragma once
#include "kube/api/openapi.h"
#include "schema/crd.h"
#include "schema/jsonpath.h"

struct api_column { const char *name, *type, *format, *description; int priority; struct jsonpath *path; };
struct api_custom {
	struct kube_resource row;         /* what the resource's row points to */
	struct arena arena;               /* all texts, the paths, the schema document */
	const char *definition;           /* name of the CustomResourceDefinition */
	struct crd_schema *schema;        /* NULL: anything goes */
	struct tree document;             /* openAPIV3Schema, null when there is none */
	const char *list_kind;
	const char *const *categories;
	struct api_column *columns;
	size_t n_columns;
	const char **fields;              /* selectable: "spec.color" */
	size_t n_fields;
	bool has_status, has_scale, is_deprecated;
	const char *deprecation;
	struct api_scale_paths scale;     /* without the leading dot */
};

/* One version of a definition as a resource of its own reference; stored is set by the caller. */
int api_custom_new(const struct kube_custom_resource_definition *d, const struct kube_custom_resource_definition_version *v, struct api_resource **ret, struct err *e);
void api_custom_free(struct api_resource *r);
/* definition.c: refuses a definition that is wrong; compiles its schemas. */
int api_custom_check_definition(struct api_req *q, const struct kube_custom_resource_definition *d, const struct kube_custom_resource_definition *old);
