/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a description: two spaces a level, cells divided by tabs, laid out together at the end. */
#pragma once
#include "kubectl/commands.h"

struct desc {
	struct kctl *k;
	struct buf out;
	const struct tree *pod;          /* the one under way: what its environment refers to */
};
void desc_line(struct desc *d, int level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* "Title:\ta=b" with further pairs below; separator "=" or ": ". */
void desc_map(struct desc *d, int level, const char *title, const struct tree *map, const char *separator);
const char *desc_time(struct desc *d, const struct tree *t);            /* "Wed, 25 Nov 2026 08:22:02 +0000" */
const char *desc_age(struct desc *d, const struct tree *t);             /* "3m20s" */
const char *desc_or(struct desc *d, const struct tree *t, const char *otherwise);
static inline const char *desc_at(struct desc *d, const struct tree *t, const char *path) { return kctl_text_at(d->k, t, path); }
/* Pod templates and pods (describe_pod.c). */
void desc_pod(struct desc *d, const struct tree *o);
void desc_template(struct desc *d, int level, const struct tree *template);
void desc_containers(struct desc *d, int level, const char *title, const struct tree *list, const struct tree *statuses);
void desc_volumes(struct desc *d, int level, const struct tree *list);
void desc_selector_tail(struct desc *d, const struct tree *spec);
/* Lists from the server that a description needs; a failure leaves them out, as kubectl does. */
const struct tree *desc_list_wait(struct desc *d, const char *kind, const char *ns, const char *label_selector, const char *field_selector);
void desc_conditions(struct desc *d, const struct tree *list, bool with_reason);
/* What is not a workload (describe_more.c). */
void desc_account(struct desc *d, const struct tree *o);
void desc_role(struct desc *d, const struct tree *o);
void desc_binding(struct desc *d, const struct tree *o);
void desc_quota(struct desc *d, const struct tree *o);
void desc_quota_lines(struct desc *d, int level, const struct tree *o);
void desc_limits(struct desc *d, const struct tree *o);
void desc_limit_lines(struct desc *d, const char *indent, const struct tree *o);
void desc_priority(struct desc *d, const struct tree *o);
void desc_claim(struct desc *d, const struct tree *o);
void desc_volume(struct desc *d, const struct tree *o);
void desc_class(struct desc *d, const struct tree *o);
void desc_ingress_class(struct desc *d, const struct tree *o);
void desc_ingress(struct desc *d, const struct tree *o);
void desc_hpa(struct desc *d, const struct tree *o);
void desc_budget(struct desc *d, const struct tree *o);
void desc_ends(struct desc *d, const struct tree *o);
void desc_slice(struct desc *d, const struct tree *o);
/* The ready ends of a service's port, "10.0.0.1:80,… + 2 more…". describe.c */
void desc_endpoints(struct desc *d, const struct tree *service, const char *port, struct buf *out);
