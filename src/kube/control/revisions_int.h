/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Controller revisions: the templates that a daemon set or stateful set has
 * had, numbered. The data is the patch that brings a template back, which is
 * what kubectl rollout undo sends.
 */
#pragma once
#include "kube/control/control_int.h"

struct revisions {
	struct kube_controller_revision **v;   /* by number, the oldest first */
	uint32_t n;
	struct kube_controller_revision *now;  /* of the template as it is; among v */
	const char *hash;                      /* of it */
};
/*
 * Those of the owner; makes or renumbers the one for template. hash_label: the label that a revision carries its hash under.
 * *collisions is counted up when the name is another's (-EEXIST then, in e: to be tried again).
 */
int revisions_wait(struct sync *s, struct informer *i, const struct owner *o, const struct kube_pod_template_spec *t, const char *hash_label,
	int32_t *collisions, struct expects *x, struct revisions *ret, struct err *e);
/* The template that a revision holds. */
int revision_template(struct sync *s, const struct kube_controller_revision *r, struct kube_pod_template_spec *ret, struct err *e);
/* Removes the oldest beyond `limit` of those that is_live does not want. */
int revisions_trim_wait(struct sync *s, const struct revisions *r, int32_t limit, bool (*is_live)(void *arg, const struct kube_controller_revision *r), void *arg,
	struct err *e);
