/* SPDX-License-Identifier: Apache-2.0 */
/* Custom resources. */
#include "kube/api/openapi.h"

int api_custom_default(struct api_req *q, struct api_object *o) { return 0; }
int api_custom_validate(struct api_req *q, const struct api_object *old, struct api_object *o) { return 0; }
unsigned api_custom_subresources(const struct api_resource *r, struct kube_subresource *ret, unsigned at) { return 0; }
struct api_scale_paths api_custom_scale_paths(const struct api_resource *r) { return (struct api_scale_paths){ 0 }; }
bool api_custom_field(const struct api_resource *r, const char *field) { return false; }
int api_custom_fields(const struct api_resource *r, struct slice value, struct arena *a, struct schema_pair *ret, unsigned most, unsigned *n) { return 0; }
struct schema_node api_custom_node(const struct api_resource *r) { return schema_node_any(); }
int api_custom_check(struct api_req *q, const struct tree *t) { return 0; }
int api_custom_documents(struct api_req *q, const struct kind_openapi_custom **ret, size_t *n) { *ret = NULL; *n = 0; return 0; }
