// SPDX-License-Identifier: Apache-2.0
/* Roll-out arithmetic and what a deployment's status comes to. Pure but for the arena. */
#include <errno.h>

#include "base/clock.h"
#include "kube/control/deployment_int.h"

int deployment_wishes(const struct kube_deployment *d, struct wishes *ret)
{
	const struct kube_rolling_update_deployment *u = d->spec.strategy.rolling_update;
	struct wishes w = { .replicas = count_or(d->spec.replicas, 1), .is_rolling = !text_eq(d->spec.strategy.type, "Recreate") };
	int r = 0;

	if (w.is_rolling) {
		struct schema_int_or_string quarter = { .string = "25%" };

		r = int_or_percent(u && u->max_surge ? u->max_surge : &quarter, w.replicas, true, &w.surge);
		if (r == 0)
			r = int_or_percent(u && u->max_unavailable ? u->max_unavailable : &quarter, w.replicas, false, &w.unavailable);
		/* Both nothing would never move. */
		if (w.surge == 0 && w.unavailable == 0)
			w.unavailable = 1;
		w.unavailable = MIN(w.unavailable, w.replicas);
	}
	*ret = w;
	return r;
}

int32_t deployment_new_size(const struct wishes *w, int32_t new_replicas, int32_t all_replicas)
{
	int32_t most = w->replicas + w->surge;

	if (!w->is_rolling)
		return w->replicas;
	if (all_replicas >= most)
		return new_replicas;
	return new_replicas + MIN(most - all_replicas, w->replicas - new_replicas);
}

int32_t deployment_scale_down_room(const struct wishes *w, int32_t all_replicas, int32_t new_replicas, int32_t new_available)
{
	return all_replicas - (w->replicas - w->unavailable) - (new_replicas - new_available);
}

int32_t deployment_share(const struct wishes *w, int32_t size, int32_t max_before, int32_t to_add, int32_t added)
{
	int32_t fraction, left = to_add - added;

	if (size == 0 || to_add == 0 || left == 0)
		return 0;
	if (w->replicas == 0)
		fraction = -size;
	else if (max_before <= 0)
		fraction = 0;
	else
		fraction = (int32_t)(((int64_t)size * (w->replicas + w->surge) * 2 + max_before) / (2 * (int64_t)max_before)) - size;
	return to_add > 0 ? MIN(fraction, left) : MAX(fraction, left);
}

void deployment_share_out(const struct wishes *w, const int32_t *sizes_now, const int32_t *max_before, uint32_t n, int32_t *sizes)
{
	int32_t allowed = w->replicas > 0 ? w->replicas + w->surge : 0, all = 0, added = 0, to_add;

	for (uint32_t i = 0; i < n; i++)
		all += sizes_now[i];
	to_add = allowed - all;
	for (uint32_t i = 0; i < n; i++) {
		int32_t share = deployment_share(w, sizes_now[i], max_before[i], to_add, added);

		sizes[i] = sizes_now[i] + share;
		added += share;
	}
	if (n && to_add)
		sizes[0] = MAX(sizes[0] + to_add - added, 0);
}

/* --- conditions */

int deployment_condition_remove(struct sync *s, struct kube_deployment_status *t, const char *type)
{
	struct kube_deployment_condition *v;
	uint32_t n = 0;

	if (!deployment_condition(t, type))
		return 0;
	v = arena_array(&s->a, t->n_conditions, sizeof *v);
	if (!v)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->n_conditions; i++)
		if (!text_eq(t->conditions[i].type, type))
			v[n++] = t->conditions[i];
	t->conditions = v;
	t->n_conditions = n;
	return 0;
}

int deployment_condition_set(struct sync *s, struct kube_deployment_status *t, const char *type, const char *status, const char *reason, const char *message)
{
	const struct kube_deployment_condition *old = deployment_condition(t, type);
	const char *now = sync_now_text(s), *since = old && text_eq(old->status, status) ? old->last_transition_time : now;
	struct kube_deployment_condition *v = arena_array(&s->a, t->n_conditions + 1, sizeof *v);
	uint32_t n = 0;

	if (!v || !now || !message)
		return -ENOMEM;
	if (old && text_eq(old->status, status) && text_eq(old->reason, reason))
		return 0;
	for (uint32_t i = 0; i < t->n_conditions; i++)
		if (!text_eq(t->conditions[i].type, type))
			v[n++] = t->conditions[i];
	v[n++] = (struct kube_deployment_condition){ type, status, now, since, reason, message };
	t->conditions = v;
	t->n_conditions = n;
	return 0;
}

bool deployment_is_complete(const struct kube_deployment *d, const struct kube_deployment_status *t)
{
	int32_t want = count_or(d->spec.replicas, 1);

	return t->updated_replicas == want && t->replicas == want && t->available_replicas == want && t->observed_generation >= d->metadata.generation;
}

bool deployment_is_progressing(const struct kube_deployment_status *old, const struct kube_deployment_status *now)
{
	return now->updated_replicas > old->updated_replicas || now->replicas - now->updated_replicas < old->replicas - old->updated_replicas ||
		now->ready_replicas > old->ready_replicas || now->available_replicas > old->available_replicas;
}

bool deployment_has_timed_out(const struct kube_deployment *d, const struct kube_deployment_status *t, int64_t now_ns)
{
	const struct kube_deployment_condition *c = deployment_condition(t, "Progressing");

	if (!has_deadline(d) || !c || text_eq(c->reason, "NewReplicaSetAvailable"))
		return false;
	if (text_eq(c->reason, "ProgressDeadlineExceeded"))
		return true;
	return kube_time_ns(c->last_update_time) + *d->spec.progress_deadline_seconds * NS_PER_S < now_ns;
}

/* --- status */

static int progress(struct sync *s, const struct kube_deployment *d, const struct rset *new_, struct kube_deployment_status *t)
{
	const struct kube_deployment_condition *now = deployment_condition(&d->status, "Progressing");
	bool was_complete = t->replicas == t->updated_replicas && now && text_eq(now->reason, "NewReplicaSetAvailable");
	const char *who = new_ ? "ReplicaSet" : "Deployment", *name = new_ ? new_->rs->metadata.name : d->metadata.name;

	if (!has_deadline(d))
		return deployment_condition_remove(s, t, "Progressing");
	if (was_complete)
		return 0;
	if (deployment_is_complete(d, t))
		return deployment_condition_set(s, t, "Progressing", "True", "NewReplicaSetAvailable",
			arena_fmt(&s->a, "%s \"%s\" has successfully progressed.", who, name));
	if (deployment_is_progressing(&d->status, t)) {
		const char *since = now && text_eq(now->status, "True") ? now->last_transition_time : NULL;
		int r;

		/* Again with the same reason: the deadline counts from the last progress. */
		r = deployment_condition_remove(s, t, "Progressing");
		if (r == 0)
			r = deployment_condition_set(s, t, "Progressing", "True", "ReplicaSetUpdated", arena_fmt(&s->a, "%s \"%s\" is progressing.", who, name));
		if (r == 0 && since)
			deployment_condition(t, "Progressing")->last_transition_time = since;
		return r;
	}
	if (deployment_has_timed_out(d, t, s->now_ns))
		return deployment_condition_set(s, t, "Progressing", "False", "ProgressDeadlineExceeded",
			arena_fmt(&s->a, "%s \"%s\" has timed out progressing.", who, name));
	return 0;
}

/* A set that cannot make pods says why on its deployment as well; the new set's word counts most. */
static int failures(struct sync *s, struct rset *const *all, uint32_t n, const struct rset *new_, struct kube_deployment_status *t)
{
	const struct kube_replica_set_condition *found = NULL;
	int r;

	if (new_)
		found = KUBE_CONDITION(new_->rs->status.conditions, new_->rs->status.n_conditions, "ReplicaFailure");
	for (uint32_t i = 0; i < n && !found; i++)
		found = KUBE_CONDITION(all[i]->rs->status.conditions, all[i]->rs->status.n_conditions, "ReplicaFailure");
	if (!found)
		return deployment_condition_remove(s, t, "ReplicaFailure");
	r = deployment_condition_set(s, t, "ReplicaFailure", found->status, found->reason, found->message ? found->message : "");
	return r;
}

int deployment_status(struct sync *s, const struct kube_deployment *d, struct rset *const *all, uint32_t n, const struct rset *new_, bool rollout,
	struct kube_deployment_status *ret)
{
	struct kube_deployment_status t = { .observed_generation = d->metadata.generation, .conditions = d->status.conditions,
		.n_conditions = d->status.n_conditions, .collision_count = d->status.collision_count };
	int32_t *terminating = arena_new(&s->a, int32_t);
	struct wishes w;
	int r = deployment_wishes(d, &w);

	if (r < 0 || !terminating)
		return r < 0 ? r : -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const struct kube_replica_set_status *x = &all[i]->rs->status;

		t.replicas += x->replicas;
		t.ready_replicas += x->ready_replicas;
		t.available_replicas += x->available_replicas;
		*terminating += count_or(x->terminating_replicas, 0);
	}
	t.terminating_replicas = terminating;
	t.updated_replicas = new_ ? new_->rs->status.replicas : 0;
	t.unavailable_replicas = MAX(t.replicas - t.available_replicas, 0);
	if (t.available_replicas >= w.replicas - w.unavailable)
		r = deployment_condition_set(s, &t, "Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.");
	else
		r = deployment_condition_set(s, &t, "Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.");
	if (r == 0 && rollout) {
		r = progress(s, d, new_, &t);
		if (r == 0)
			r = failures(s, all, n, new_, &t);
	}
	*ret = t;
	return r;
}

bool deployment_status_equal(const struct kube_deployment_status *a, const struct kube_deployment_status *b)
{
	return schema_equal(T_kube_deployment_status, a, b);
}
