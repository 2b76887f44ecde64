/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "kube/api/api_int.h"
#include "kube/kind/openapi.h"

/* Custom resources for the documents, in the request's arena; they stay valid while a worker reads them. */
int api_custom_documents(struct api_req *q, const struct kind_openapi_custom **ret, size_t *n);
void api_openapi_free(struct api_openapi *x);
