/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of admission share. */
#pragma once
#include "kube/api/api_int.h"

/* The struct of a cached object, in the request's arena; NULL when it is not there. */
void *api_cached(struct api_req *q, const char *group, const char *version, const char *plural, const char *ns, const char *name);
/* Each of a namespace (NULL: all); stops when fn gives non-zero and returns that. */
int api_cached_each(struct api_req *q, const char *group, const char *version, const char *plural, const char *ns, int (*fn)(void *arg, void *obj), void *arg);
int api_admit_pod(struct api_req *q, struct api_object *o);
/* A certificate signing request says who asked for it. Behind api_prepare_create. */
int api_request_origin(struct api_req *q, struct api_object *o);
/* And its approval and its certificate are for those to write who may approve or sign. */
int api_admit_request(struct api_req *q, const struct api_object *old, const struct api_object *o);
/* LimitRanger: defaults and bounds of a pod or claim. */
int api_limit(struct api_req *q, struct api_object *o);
