/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows as OpenAPI schemas, versions 2 and 3, the way Kubernetes publishes its
 * own types: names from Go packages, x-kubernetes-… for how lists merge,
 * descriptions from help= in .over files. Paths are the caller's.
 */
#pragma once
#include "schema/tree.h"

enum openapi_version { OPENAPI_V2 = 2, OPENAPI_V3 = 3 };

/* "io.k8s.api.core.v1.Pod"; NULL for what has no Go package, and without room. */
const char *schema_openapi_name(struct schema_ref t, struct arena *a);
/* {"$ref": "#/components/schemas/NAME"} (or #/definitions/NAME). */
int schema_openapi_ref(enum openapi_version v, const char *name, struct arena *a, struct tree *ret);
/*
 * Adds to the map `schemas`, under their names, the schemas of t and of all that it holds, unless they are there. 0 or -E2BIG.
 */
int schema_openapi_add(struct schema_ref t, enum openapi_version v, struct arena *a, struct tree *schemas);
/* Fields of t and of all it holds that have (with) and have no (without) sentence; paths of the latter are appended to out, a line each. */
void schema_help_share(struct schema_ref t, unsigned *with, unsigned *without, struct buf *out);
