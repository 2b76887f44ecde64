/* SPDX-License-Identifier: Apache-2.0 */
/* Admission: what the server adds to a write, and what it refuses. */
#include "kube/api/api_int.h"

int api_admit_wait(struct api_req *q, const struct api_object *old, struct api_object *o) { return 0; }

void api_admit_undo_wait(struct api_req *q, const struct api_object *old, struct api_object *o) { }

void api_released(struct api_req *q, struct api_resource *r, const struct store_object *was) { }
