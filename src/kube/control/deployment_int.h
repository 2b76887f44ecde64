/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A deployment while it is looked at: its replica sets, with the sizes they
 * have been given in this sync. Arithmetic (deployment_math.c) is pure; what
 * it decides is written by deployment.c.
 */
#pragma once
#include "kube/control/control_int.h"

#define REVISION_ANNOTATION "deployment.kubernetes.io/revision"
#define HISTORY_ANNOTATION "deployment.kubernetes.io/revision-history"
#define DESIRED_ANNOTATION "deployment.kubernetes.io/desired-replicas"
#define MAX_ANNOTATION "deployment.kubernetes.io/max-replicas"
#define HASH_LABEL "pod-template-hash"

struct rset {
	struct kube_replica_set *rs;         /* this sync's own copy of the head; what it points to is the cache's */
	int32_t replicas;                    /* as of now: spec.replicas, or what it was scaled to */
};
static inline int32_t rset_available(const struct rset *r) { return r ? r->rs->status.available_replicas : 0; }

/* What a deployment says, with defaults. */
struct wishes {
	int32_t replicas, surge, unavailable;   /* the two resolved against replicas; 0 for Recreate */
	bool is_rolling;
};
int deployment_wishes(const struct kube_deployment *d, struct wishes *ret);
/* The new set's size when it may grow by what surge leaves. */
int32_t deployment_new_size(const struct wishes *w, int32_t new_replicas, int32_t all_replicas);
/* By how much old sets may shrink in all, unhealthy pods first; <= 0: not. */
int32_t deployment_scale_down_room(const struct wishes *w, int32_t all_replicas, int32_t new_replicas, int32_t new_available);
/* Share of `to_add` (signed; `added` is given away already) that a set of this size gets when a deployment is resized in the middle of a roll-out. */
int32_t deployment_share(const struct wishes *w, int32_t size, int32_t max_before, int32_t to_add, int32_t added);
/* Sizes for all sets (sorted by size: the one that gets the rest first), into sizes. */
void deployment_share_out(const struct wishes *w, const int32_t *sizes_now, const int32_t *max_before, uint32_t n, int32_t *sizes);

/* Conditions: sets one (see upstream: same status and reason changes nothing), or removes it. Into d->status, in the arena. 0 or -ENOMEM. */
int deployment_condition_set(struct sync *s, struct kube_deployment_status *t, const char *type, const char *status, const char *reason, const char *message);
int deployment_condition_remove(struct sync *s, struct kube_deployment_status *t, const char *type);
static inline struct kube_deployment_condition *deployment_condition(const struct kube_deployment_status *t, const char *type)
{
	return KUBE_CONDITION(t->conditions, t->n_conditions, type);
}
static inline bool has_deadline(const struct kube_deployment *d)
{
	return d->spec.progress_deadline_seconds && *d->spec.progress_deadline_seconds != INT32_MAX;
}
bool deployment_is_complete(const struct kube_deployment *d, const struct kube_deployment_status *t);
bool deployment_is_progressing(const struct kube_deployment_status *old, const struct kube_deployment_status *now);
bool deployment_has_timed_out(const struct kube_deployment *d, const struct kube_deployment_status *t, int64_t now_ns);
/* Counts and conditions that follow from sets (new_ may be NULL); failures and deadline included. 0 or -ENOMEM. */
int deployment_status(struct sync *s, const struct kube_deployment *d, struct rset *const *all, uint32_t n, const struct rset *new_, bool rollout,
	struct kube_deployment_status *ret);
bool deployment_status_equal(const struct kube_deployment_status *a, const struct kube_deployment_status *b);
