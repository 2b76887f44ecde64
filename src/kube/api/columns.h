/* SPDX-License-Identifier: Apache-2.0 */
/* What a resource's table shows: the kind's own columns, a custom resource's printer columns, or name and age. */
#pragma once
#include "kube/api/api_int.h"

int api_columns(struct api_req *q, struct kube_table *t, struct err *e);
/* The cells of one object as a list; *condition (may stay NULL) is its row's. In the request's arena. */
int api_cells(struct api_req *q, const struct api_item *item, struct tree *ret, const struct kube_table_row_condition **condition, struct err *e);
int api_custom_columns(struct api_req *q, struct kube_table *t, struct err *e);
int api_custom_cells(struct api_req *q, const struct api_item *item, struct tree *ret, struct err *e);
