/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OpenAPI documents of the API: version 3 (one a group and version; kubectl
 * 1.29 and later, explain) and version 2 (one of everything). Made from the
 * rows of kube/meta/resource.h and the definitions; custom resources are added
 * from their schemas. Texts are the same for the same input, so that their
 * digest can be an ETag. A call costs milliseconds: cache the text.
 */
#pragma once
#include "schema/openapi.h"

/* One version of a custom resource. */
struct kind_openapi_custom {
	const char *group, *version, *plural, *kind, *list_kind;
	bool namespaced, has_status, has_scale;
	const struct tree *schema;      /* openAPIV3Schema; NULL for none */
};

/*
 * /openapi/v3/api/v1, /openapi/v3/apis/G/V: built-in resources of the group and
 * version and those of custom[] that belong there; appended to out as JSON.
 * 0, -ENOENT when there are none, -E2BIG.
 */
int kind_openapi_v3(const char *group, const char *version, const struct kind_openapi_custom *custom, size_t n, struct buf *out);
/* /openapi/v2 as JSON. 0 or -E2BIG. */
int kind_openapi_v2(const struct kind_openapi_custom *custom, size_t n, struct buf *out);
/* The same as application/com.github.proto-openapi.spec.v2@v1.0+protobuf (kubectl 1.28 and before ask for nothing else). 0 or -E2BIG. */
int kind_openapi_v2_protobuf(const struct kind_openapi_custom *custom, size_t n, struct buf *out);
