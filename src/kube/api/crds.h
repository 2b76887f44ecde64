/* SPDX-License-Identifier: Apache-2.0 */
/* Serving what CustomResourceDefinitions say. */
#pragma once
#include "kube/api/api_int.h"

#define API_CRD_FINALIZER "customresourcecleanup.apiextensions.k8s.io"

/* Serves those that are stored, then follows in a fiber. */
int api_crds_start_wait(struct kube_api *a, struct err *e);
void api_crds_stop(struct kube_api *a);
bool api_crds_is_idle(const struct kube_api *a);
void api_crds_free(struct kube_api *a);
int api_crd_set_condition(struct api_req *q, struct kube_custom_resource_definition *d, const char *type, bool on, const char *reason, const char *message);
