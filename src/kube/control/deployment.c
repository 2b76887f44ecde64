// SPDX-License-Identifier: Apache-2.0
/*
 * Deployments: one replica set a version of the template, the newest of which
 * grows while the others shrink. Undo is a change of the template that some
 * client makes (kubectl rollout undo); revisions and their history are
 * annotations of the sets.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/num.h"
#include "kube/control/deployment_int.h"

enum { HISTORY_BYTES_MAX = 2000 };

struct state {
	struct informer *deployments, *sets, *pods;
	struct expects *expects;
};
/* One sync of one deployment. */
struct work {
	struct sync *s;
	struct state *st;
	struct kube_deployment *d;           /* own copy of the head */
	const char *key;
	struct owner o;
	struct wishes w;
	struct rset **all;                   /* by creation, oldest first */
	uint32_t n;
	struct rset *new_;                   /* of all, or NULL */
};

static const struct kube_resource *rs_resource(void) { return kube_resource_find("apps", "v1", "replicasets"); }

/* --- sets */

static int by_creation(const void *a, const void *b)
{
	const struct kube_object_meta *p = &(*(struct rset *const *)a)->rs->metadata, *q = &(*(struct rset *const *)b)->rs->metadata;
	int64_t s = kube_time_ns(p->creation_timestamp), t = kube_time_ns(q->creation_timestamp);

	return s != t ? (s < t ? -1 : 1) : strcmp(p->name, q->name);
}

static int64_t revision_of(const struct kube_object_meta *m)
{
	const char *text = kube_annotation(m, REVISION_ANNOTATION);
	int64_t v = 0;

	if (text)
		num_parse_i64(slice_of(text), 0, INT64_MAX, &v);
	return v;
}

static bool same_template(struct sync *s, const struct kube_pod_template_spec *a, const struct kube_pod_template_spec *b)
{
	struct kube_pod_template_spec p = *a, q = *b;

	p.metadata.labels = kube_pairs_with(&s->a, a->metadata.labels, &p.metadata.n_labels, HASH_LABEL, NULL);
	q.metadata.labels = kube_pairs_with(&s->a, b->metadata.labels, &q.metadata.n_labels, HASH_LABEL, NULL);
	if (!p.metadata.n_labels)
		p.metadata.labels = NULL;
	if (!q.metadata.n_labels)
		q.metadata.labels = NULL;
	return schema_equal(T_kube_pod_template_spec, &p, &q);
}

static int load_sets_wait(struct work *w, struct err *e)
{
	struct objects sets;
	int r = claim_wait(w->s, w->st->sets, &w->o, &sets, e);

	if (r < 0)
		return r;
	w->all = arena_array(&w->s->a, sets.n + 1, sizeof *w->all);
	if (!w->all)
		return err_nomem(e);
	for (uint32_t i = 0; i < sets.n; i++) {
		struct rset *x = arena_new(&w->s->a, struct rset);
		struct kube_replica_set *copy = arena_new(&w->s->a, struct kube_replica_set);

		if (!x || !copy)
			return err_nomem(e);
		*copy = *(const struct kube_replica_set *)sets.v[i];
		*x = (struct rset){ copy, count_or(copy->spec.replicas, 1) };
		w->all[w->n++] = x;
	}
	qsort(w->all, w->n, sizeof *w->all, by_creation);
	for (uint32_t i = 0; i < w->n && !w->new_; i++)
		if (same_template(w->s, &w->all[i]->rs->spec.template, &w->d->spec.template))
			w->new_ = w->all[i];
	return 0;
}

static int32_t sum_replicas(const struct work *w)
{
	int32_t n = 0;

	for (uint32_t i = 0; i < w->n; i++)
		n += w->all[i]->replicas;
	return n;
}

static bool is_old(const struct work *w, const struct rset *x) { return x != w->new_; }

/* --- annotations */

static int annotate(struct sync *s, struct kube_object_meta *m, const char *key, const char *value, bool *changed)
{
	const char *now = kube_annotation(m, key);

	if (now && value && !strcmp(now, value))
		return 0;
	m->annotations = kube_pairs_with(&s->a, m->annotations, &m->n_annotations, key, value);
	*changed = true;
	return m->annotations && value ? 0 : -ENOMEM;
}

static bool is_own_annotation(const char *key)
{
	static const char *const own[] = { "kubectl.kubernetes.io/last-applied-configuration", REVISION_ANNOTATION, HISTORY_ANNOTATION, DESIRED_ANNOTATION,
		MAX_ANNOTATION, "deprecated.deployment.rollback.to" };

	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (!strcmp(key, own[i]))
			return true;
	return false;
}

static int annotate_sizes(struct work *w, struct kube_object_meta *m, bool *changed)
{
	int r = annotate(w->s, m, DESIRED_ANNOTATION, arena_fmt(&w->s->a, "%d", w->w.replicas), changed);

	return r < 0 ? r : annotate(w->s, m, MAX_ANNOTATION, arena_fmt(&w->s->a, "%d", w->w.replicas + w->w.surge), changed);
}

/* What the new set takes from its deployment, and its number in the history. */
static int annotate_new(struct work *w, struct kube_object_meta *m, int64_t revision, bool exists, bool *changed)
{
	const struct kube_object_meta *d = &w->d->metadata;
	struct arena *a = &w->s->a;
	int64_t old = revision_of(m);
	int r = 0;

	for (uint32_t i = 0; i < d->n_annotations && r == 0; i++)
		if (!is_own_annotation(d->annotations[i].key))
			r = annotate(w->s, m, d->annotations[i].key, d->annotations[i].value, changed);
	if (r == 0 && old < revision) {
		const char *was = kube_annotation(m, REVISION_ANNOTATION), *history = kube_annotation(m, HISTORY_ANNOTATION);

		r = annotate(w->s, m, REVISION_ANNOTATION, arena_fmt(a, "%lld", (long long)revision), changed);
		if (r == 0 && was && *was && (!history || strlen(history) < HISTORY_BYTES_MAX))
			r = annotate(w->s, m, HISTORY_ANNOTATION, history && *history ? arena_fmt(a, "%s,%s", history, was) : was, changed);
	}
	return r < 0 || exists ? r : annotate_sizes(w, m, changed);
}

/* The deployment shows the revision it is at. */
static int show_revision_wait(struct work *w, const char *revision, struct err *e)
{
	struct kube_deployment *answer = arena_new(&w->s->a, struct kube_deployment);
	struct kube_object_meta m = w->d->metadata;
	bool changed = false;
	int r;

	if (!revision || !answer || annotate(w->s, &m, REVISION_ANNOTATION, revision, &changed) < 0)
		return err_nomem(e);
	if (!changed)
		return 0;
	/* By way of the status: annotations that are written with the specification count as a change of it. */
	struct kube_deployment d = *w->d;

	d.metadata = m;
	r = kclient_update_wait(w->s->c->client, w->o.r, "status", &d, &w->s->a, answer, e);
	if (r == 0) {
		/* What follows in this sync must not conflict with it. */
		w->d->metadata = answer->metadata;
		w->o.m = &w->d->metadata;
	}
	return r;
}

/* --- the new set */

static int write_status_wait(struct work *w, const struct kube_deployment_status *t, struct err *e)
{
	struct kube_deployment *answer = arena_new(&w->s->a, struct kube_deployment);
	struct kube_deployment d = *w->d;
	int r;

	if (!answer)
		return err_nomem(e);
	d.status = *t;
	r = kclient_update_wait(w->s->c->client, w->o.r, "status", &d, &w->s->a, answer, e);
	if (r == 0) {
		w->d->status = *t;
		w->d->metadata.resource_version = answer->metadata.resource_version;
	}
	return r;
}

static int update_new_wait(struct work *w, int64_t revision, struct err *e)
{
	struct kube_replica_set copy = *w->new_->rs, *answer = arena_new(&w->s->a, struct kube_replica_set);
	bool changed = copy.spec.min_ready_seconds != w->d->spec.min_ready_seconds;
	int r;

	if (!answer || annotate_new(w, &copy.metadata, revision, true, &changed) < 0)
		return err_nomem(e);
	if (changed) {
		copy.spec.min_ready_seconds = w->d->spec.min_ready_seconds;
		r = kclient_update_wait(w->s->c->client, rs_resource(), NULL, &copy, &w->s->a, answer, e);
		if (r < 0)
			return r;
		expects_wrote(w->st->expects, w->key, &answer->metadata);
		*w->new_->rs = *answer;
	}
	r = show_revision_wait(w, kube_annotation(&w->new_->rs->metadata, REVISION_ANNOTATION), e);
	if (r == 0 && has_deadline(w->d) && !deployment_condition(&w->d->status, "Progressing")) {
		struct kube_deployment_status t = w->d->status;

		if (deployment_condition_set(w->s, &t, "Progressing", "True", "FoundNewReplicaSet",
			arena_fmt(&w->s->a, "Found new replica set \"%s\"", w->new_->rs->metadata.name)) < 0)
			return err_nomem(e);
		r = write_status_wait(w, &t, e);
	}
	return r;
}

static int fill_new(struct work *w, int64_t revision, struct kube_replica_set *rs)
{
	struct arena *a = &w->s->a;
	const struct kube_deployment *d = w->d;
	struct kube_label_selector *sel = arena_new(a, struct kube_label_selector);
	int32_t *replicas = arena_new(a, int32_t);
	char *hash = arena_alloc(a, 16);
	bool changed;
	int r;

	if (!sel || !replicas || !hash)
		return -ENOMEM;
	r = kube_template_hash(&d->spec.template, d->status.collision_count, hash);
	if (r < 0)
		return r;
	rs->metadata.name = arena_fmt(a, "%s-%s", d->metadata.name, hash);
	rs->metadata.namespace = d->metadata.namespace;
	rs->metadata.owner_references = kube_controller_ref(a, w->o.r, w->o.m);
	rs->metadata.n_owner_references = 1;
	rs->spec.template = d->spec.template;
	rs->spec.template.metadata.labels = kube_pairs_with(a, d->spec.template.metadata.labels, &rs->spec.template.metadata.n_labels, HASH_LABEL, hash);
	rs->metadata.labels = rs->spec.template.metadata.labels;
	rs->metadata.n_labels = rs->spec.template.metadata.n_labels;
	if (d->spec.selector)
		*sel = *d->spec.selector;
	sel->match_labels = kube_pairs_with(a, sel->match_labels, &sel->n_match_labels, HASH_LABEL, hash);
	rs->spec.selector = sel;
	rs->spec.min_ready_seconds = d->spec.min_ready_seconds;
	*replicas = deployment_new_size(&w->w, 0, sum_replicas(w));
	rs->spec.replicas = replicas;
	if (!rs->metadata.name || !rs->metadata.owner_references || !rs->metadata.labels || !sel->match_labels)
		return -ENOMEM;
	return annotate_new(w, &rs->metadata, revision, false, &changed);
}

/* The name is taken: by our own set of an earlier sync (fine), or by something else (a collision: the next hash will be another). */
static int collided_wait(struct work *w, const struct kube_replica_set *want, struct kube_replica_set *ret, struct err *e)
{
	struct kube_deployment_status t = w->d->status;
	int32_t *count = arena_new(&w->s->a, int32_t);
	int r = kclient_get_wait(w->s->c->client, rs_resource(), want->metadata.namespace, want->metadata.name, &w->s->a, ret, e);

	if (r < 0)
		return r;
	if (kube_controlled_by(&ret->metadata, w->d->metadata.uid) && same_template(w->s, &ret->spec.template, &w->d->spec.template))
		return 0;
	if (!count)
		return err_nomem(e);
	*count = count_or(t.collision_count, 0) + 1;
	t.collision_count = count;
	r = write_status_wait(w, &t, e);
	return r < 0 ? r : err_set(e, EEXIST, "replica set %s exists and is another's", want->metadata.name);
}

static int create_failed_wait(struct work *w, int error, const struct err *why)
{
	struct kube_deployment_status t = w->d->status;
	struct err ignored;

	if (error == -ECANCELED || is_namespace_ending(why))
		return error;
	kevents_add(w->s->k->events, w->o.r, w->o.m, NULL, "Warning", "ReplicaSetCreateError", "Failed to create new replica set: %s", why->text);
	if (has_deadline(w->d) && deployment_condition_set(w->s, &t, "Progressing", "False", "ReplicaSetCreateError", arena_strdup(&w->s->a, why->text)) == 0 &&
	    t.conditions != w->d->status.conditions)
		write_status_wait(w, &t, &ignored);
	return error;
}

static int create_new_wait(struct work *w, int64_t revision, struct err *e)
{
	struct kube_replica_set want = { 0 }, *made = arena_new(&w->s->a, struct kube_replica_set);
	struct rset *x = arena_new(&w->s->a, struct rset), **all = arena_array(&w->s->a, w->n + 2, sizeof *all);
	struct kube_deployment_status t;
	int r;

	if (!made || !x || !all || fill_new(w, revision, &want) < 0)
		return err_nomem(e);
	r = kclient_create_wait(w->s->c->client, rs_resource(), want.metadata.namespace, &want, &w->s->a, made, e);
	if (r == 0) {
		expects_wrote(w->st->expects, w->key, &made->metadata);
		if (*want.spec.replicas > 0)
			kevents_add(w->s->k->events, w->o.r, w->o.m, NULL, "Normal", "ScalingReplicaSet", "Scaled up replica set %s from 0 to %d",
				made->metadata.name, *want.spec.replicas);
	} else if (r == -EEXIST) {
		r = collided_wait(w, &want, made, e);
	} else {
		r = create_failed_wait(w, r, e);
		return r < 0 && is_namespace_ending(e) ? -ECANCELED : r;
	}
	if (r < 0)
		return r;
	if (w->n)
		memcpy(all, w->all, w->n * sizeof *all);
	*x = (struct rset){ made, count_or(made->spec.replicas, 1) };
	all[w->n++] = x;
	w->all = all;
	w->new_ = x;
	r = show_revision_wait(w, kube_annotation(&made->metadata, REVISION_ANNOTATION), e);
	t = w->d->status;
	if (r == 0 && has_deadline(w->d)) {
		if (deployment_condition_set(w->s, &t, "Progressing", "True", "NewReplicaSetCreated",
			arena_fmt(&w->s->a, "Created new replica set \"%s\"", made->metadata.name)) < 0)
			return err_nomem(e);
		if (t.conditions != w->d->status.conditions)
			r = write_status_wait(w, &t, e);
	}
	return r;
}

/* Makes sure that the new set is there (when may_create) and numbered behind the others. */
static int ensure_new_wait(struct work *w, bool may_create, struct err *e)
{
	int64_t revision = 0;

	for (uint32_t i = 0; i < w->n; i++)
		if (is_old(w, w->all[i]))
			revision = MAX(revision, revision_of(&w->all[i]->rs->metadata));
	if (w->new_)
		return update_new_wait(w, revision + 1, e);
	return may_create ? create_new_wait(w, revision + 1, e) : 0;
}

/* --- scaling */

static int scale_wait(struct work *w, struct rset *x, int32_t to, bool *scaled, struct err *e)
{
	struct kube_replica_set copy = *x->rs, *answer = arena_new(&w->s->a, struct kube_replica_set);
	int32_t from = x->replicas;
	bool changed = from != to;
	int r;

	if (!answer || annotate_sizes(w, &copy.metadata, &changed) < 0)
		return err_nomem(e);
	if (!changed)
		return 0;
	copy.spec.replicas = &to;
	r = kclient_update_wait(w->s->c->client, rs_resource(), NULL, &copy, &w->s->a, answer, e);
	if (r < 0)
		return r;
	expects_wrote(w->st->expects, w->key, &answer->metadata);
	*x->rs = *answer;
	x->replicas = to;
	if (from == to)
		return 0;
	*scaled = true;
	kevents_add(w->s->k->events, w->o.r, w->o.m, NULL, "Normal", "ScalingReplicaSet", "Scaled %s replica set %s from %d to %d", to > from ? "up" : "down",
		copy.metadata.name, from, to);
	return 0;
}

static uint32_t active_sets(const struct work *w, struct rset **ret)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->n; i++)
		if (w->all[i]->replicas > 0)
			ret[n++] = w->all[i];
	return n;
}

static int larger_newer_first(const void *a, const void *b)
{
	const struct rset *p = *(struct rset *const *)a, *q = *(struct rset *const *)b;

	return p->replicas != q->replicas ? (p->replicas > q->replicas ? -1 : 1) : -by_creation(a, b);
}

static int larger_older_first(const void *a, const void *b)
{
	const struct rset *p = *(struct rset *const *)a, *q = *(struct rset *const *)b;

	return p->replicas != q->replicas ? (p->replicas > q->replicas ? -1 : 1) : by_creation(a, b);
}

static int32_t annotated(const struct rset *x, const char *key, int32_t otherwise)
{
	const char *text = kube_annotation(&x->rs->metadata, key);
	int64_t v;

	return text && num_parse_i64(slice_of(text), 0, INT32_MAX, &v) == 0 ? (int32_t)v : otherwise;
}

/* In the middle of a roll-out, all active sets grow or shrink by their share. */
static int scale_all_wait(struct work *w, struct rset **active, uint32_t n, struct err *e)
{
	int32_t *now = arena_array(&w->s->a, n, sizeof *now), *before = arena_array(&w->s->a, n, sizeof *before), *to = arena_array(&w->s->a, n, sizeof *to);
	int32_t sum = 0;
	bool scaled = false;
	int r = 0;

	if (!now || !before || !to)
		return err_nomem(e);
	for (uint32_t i = 0; i < n; i++)
		sum += active[i]->replicas;
	qsort(active, n, sizeof *active, sum <= w->w.replicas + w->w.surge && w->w.replicas > 0 ? larger_newer_first : larger_older_first);
	for (uint32_t i = 0; i < n; i++) {
		now[i] = active[i]->replicas;
		before[i] = annotated(active[i], MAX_ANNOTATION, w->d->status.replicas);
	}
	deployment_share_out(&w->w, now, before, n, to);
	for (uint32_t i = 0; i < n && r == 0; i++)
		r = scale_wait(w, active[i], to[i], &scaled, e);
	return r;
}

static bool is_saturated(const struct work *w)
{
	const struct rset *x = w->new_;

	return x && x->replicas == w->w.replicas && annotated(x, DESIRED_ANNOTATION, -1) == w->w.replicas && rset_available(x) == w->w.replicas;
}

static int rescale_wait(struct work *w, struct err *e)
{
	struct rset **active = arena_array(&w->s->a, w->n, sizeof *active), *one;
	bool scaled = false;
	uint32_t n;
	int r = 0;

	if (!active)
		return err_nomem(e);
	n = active_sets(w, active);
	if (n <= 1) {
		one = n ? active[0] : w->new_ ? w->new_ : w->n ? w->all[w->n - 1] : NULL;
		return one ? scale_wait(w, one, w->w.replicas, &scaled, e) : 0;
	}
	if (is_saturated(w)) {
		for (uint32_t i = 0; i < n && r == 0; i++)
			if (is_old(w, active[i]))
				r = scale_wait(w, active[i], 0, &scaled, e);
		return r;
	}
	return w->w.is_rolling ? scale_all_wait(w, active, n, e) : 0;
}

/* --- rolling */

static int grow_new_wait(struct work *w, bool *scaled, struct err *e)
{
	int32_t to = w->w.replicas;

	if (w->new_->replicas < to)
		to = deployment_new_size(&w->w, w->new_->replicas, sum_replicas(w));
	return scale_wait(w, w->new_, to, scaled, e);
}

static int shrink_old_wait(struct work *w, bool *scaled, struct err *e)
{
	int32_t old = 0, available = 0, room, down;
	int r = 0;

	for (uint32_t i = 0; i < w->n; i++)
		old += is_old(w, w->all[i]) ? w->all[i]->replicas : 0;
	if (old == 0)
		return 0;
	room = deployment_scale_down_room(&w->w, sum_replicas(w), w->new_->replicas, rset_available(w->new_));
	if (room <= 0)
		return 0;
	/* What does not work anyway goes first. */
	for (uint32_t i = 0; i < w->n && r == 0 && room > 0; i++) {
		struct rset *x = w->all[i];
		int32_t unhealthy = x->replicas - rset_available(x);

		if (!is_old(w, x) || x->replicas == 0 || unhealthy <= 0)
			continue;
		down = MIN(room, unhealthy);
		room -= down;
		r = scale_wait(w, x, x->replicas - down, scaled, e);
	}
	for (uint32_t i = 0; i < w->n; i++)
		available += rset_available(w->all[i]);
	room = available - (w->w.replicas - w->w.unavailable);
	for (uint32_t i = 0; i < w->n && r == 0 && room > 0; i++) {
		struct rset *x = w->all[i];

		if (!is_old(w, x) || x->replicas == 0)
			continue;
		down = MIN(x->replicas, room);
		room -= down;
		r = scale_wait(w, x, x->replicas - down, scaled, e);
	}
	return r;
}

/* --- the ends of a sync */

static int status_wait(struct work *w, bool rollout, struct err *e)
{
	const struct kube_deployment_condition *c;
	struct kube_deployment_status t;

	if (deployment_status(w->s, w->d, w->all, w->n, w->new_, rollout, &t) < 0)
		return err_nomem(e);
	c = deployment_condition(&t, "Progressing");
	/* Nothing happens at the deadline, so somebody must look. */
	if (rollout && c && has_deadline(w->d) && !deployment_is_complete(w->d, &t) && !text_eq(c->reason, "ProgressDeadlineExceeded") &&
	    !text_eq(c->reason, "NewReplicaSetAvailable"))
		ctl_add_after(w->s->k, w->key,
			MAX(kube_time_ns(c->last_update_time) + *w->d->spec.progress_deadline_seconds * NS_PER_S - w->s->now_ns, (int64_t)0) + NS_PER_S);
	if (deployment_status_equal(&t, &w->d->status))
		return 0;
	return write_status_wait(w, &t, e);
}

static int by_revision(const void *a, const void *b)
{
	int64_t p = revision_of(&(*(struct rset *const *)a)->rs->metadata), q = revision_of(&(*(struct rset *const *)b)->rs->metadata);

	return p != q ? (p < q ? -1 : 1) : by_creation(a, b);
}

/* Old sets beyond the history that is wanted. */
static int clean_up_wait(struct work *w, struct err *e)
{
	int64_t limit = count_or(w->d->spec.revision_history_limit, 10), diff;
	struct rset **old = arena_array(&w->s->a, w->n, sizeof *old);
	uint32_t n = 0;
	int r = 0;

	if (!old)
		return err_nomem(e);
	for (uint32_t i = 0; i < w->n; i++)
		if (is_old(w, w->all[i]) && !kube_is_deleting(&w->all[i]->rs->metadata))
			old[n++] = w->all[i];
	diff = n - limit;
	if (diff <= 0)
		return 0;
	qsort(old, n, sizeof *old, by_revision);
	for (int64_t i = 0; i < diff && r == 0; i++) {
		const struct kube_replica_set *rs = old[i]->rs;

		if (rs->status.replicas || old[i]->replicas || rs->metadata.generation > rs->status.observed_generation)
			continue;
		r = kclient_delete_wait(w->s->c->client, rs_resource(), rs->metadata.namespace, rs->metadata.name, NULL, e);
		if (r == -ENOENT)
			r = 0;
		if (r == 0)
			expects_deleted(w->st->expects, w->key, &rs->metadata);
	}
	return r;
}

static int finish_wait(struct work *w, struct err *e)
{
	int r = 0;

	if (deployment_is_complete(w->d, &w->d->status))
		r = clean_up_wait(w, e);
	return r < 0 ? r : status_wait(w, true, e);
}

static int rolling_wait(struct work *w, struct err *e)
{
	bool scaled = false;
	int r = ensure_new_wait(w, true, e);

	if (r == 0)
		r = grow_new_wait(w, &scaled, e);
	if (r == 0 && !scaled)
		r = shrink_old_wait(w, &scaled, e);
	if (r < 0)
		return r;
	return scaled ? status_wait(w, true, e) : finish_wait(w, e);
}

static int old_pods_run(const struct work *w)
{
	for (uint32_t i = 0; i < w->n; i++) {
		struct objects pods;

		if (!is_old(w, w->all[i]))
			continue;
		int r = sync_list(w->s, w->st->pods, "controller", w->all[i]->rs->metadata.uid, &pods);

		if (r < 0)
			return r;
		for (uint32_t k = 0; k < pods.n; k++)
			if (!kube_pod_is_terminal(pods.v[k]))
				return 1;
	}
	return 0;
}

static int recreate_wait(struct work *w, struct err *e)
{
	bool scaled = false;
	int r = ensure_new_wait(w, false, e);

	for (uint32_t i = 0; i < w->n && r == 0; i++)
		if (is_old(w, w->all[i]) && w->all[i]->replicas > 0)
			r = scale_wait(w, w->all[i], 0, &scaled, e);
	if (r < 0)
		return r;
	if (scaled)
		return status_wait(w, true, e);
	r = old_pods_run(w);
	if (r < 0)
		return err_sys(e, r, "looking for pods of old replica sets");
	if (r)
		return status_wait(w, true, e);
	if (!w->new_)
		r = ensure_new_wait(w, true, e);
	if (r == 0)
		r = scale_wait(w, w->new_, w->w.replicas, &scaled, e);
	return r < 0 ? r : finish_wait(w, e);
}

/* --- */

static int paused_wait(struct work *w, struct err *e)
{
	const struct kube_deployment_condition *c = deployment_condition(&w->d->status, "Progressing");
	struct kube_deployment_status t = w->d->status;
	bool says_paused = c && text_eq(c->reason, "DeploymentPaused");
	int r;

	if (!has_deadline(w->d) || (c && text_eq(c->reason, "ProgressDeadlineExceeded")) || w->d->spec.paused == says_paused)
		return 0;
	if (w->d->spec.paused)
		r = deployment_condition_set(w->s, &t, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused");
	else
		r = deployment_condition_set(w->s, &t, "Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed");
	return r < 0 ? err_nomem(e) : write_status_wait(w, &t, e);
}

static bool was_resized(const struct work *w)
{
	for (uint32_t i = 0; i < w->n; i++)
		if (w->all[i]->replicas > 0 && annotated(w->all[i], DESIRED_ANNOTATION, w->w.replicas) != w->w.replicas)
			return true;
	return false;
}

static int work_wait(struct work *w, struct err *e)
{
	int r = load_sets_wait(w, e);

	if (r < 0)
		return r;
	if (kube_is_deleting(&w->d->metadata))
		return status_wait(w, false, e);
	r = paused_wait(w, e);
	if (r < 0)
		return r;
	if (w->d->spec.paused || was_resized(w)) {
		r = ensure_new_wait(w, false, e);
		if (r == 0)
			r = rescale_wait(w, e);
		if (r == 0 && w->d->spec.paused)
			r = clean_up_wait(w, e);
		return r < 0 ? r : status_wait(w, false, e);
	}
	return w->w.is_rolling ? rolling_wait(w, e) : recreate_wait(w, e);
}

static int sync_wait(struct ctl *k, const char *key, struct err *e)
{
	struct state *st = k->own;
	AUTO(sync) struct sync s;
	struct kube_deployment d;
	struct work w = { .s = &s, .st = st, .d = &d, .key = key };
	const struct kube_deployment *cached;
	int r;

	sync_begin(&s, k);
	cached = sync_get(&s, st->deployments, key);
	if (!cached) {
		expects_forget(st->expects, key);
		return 0;
	}
	if (!expects_met(st->expects, k, key, st->sets))
		return 0;
	d = *cached;
	w.o = (struct owner){ .r = informer_resource(st->deployments), .m = &d.metadata, .key = key };
	if (d.spec.selector && !d.spec.selector->n_match_labels && !d.spec.selector->n_match_expressions) {
		kevents_add(k->events, w.o.r, w.o.m, NULL, "Warning", "SelectingAll", "This deployment is selecting all pods. A non-empty selector is required.");
		return 0;
	}
	r = selector_of(&s.a, d.spec.selector, &w.o.selector, e);
	if (r == 0 && deployment_wishes(&d, &w.w) < 0)
		r = err_set(e, EINVAL, "deployment %s: maxSurge or maxUnavailable is neither a number nor a percentage", key);
	if (r == 0)
		r = work_wait(&w, e);
	return r == -ENOENT || (r < 0 && is_namespace_ending(e)) ? 0 : r;
}

/* --- what wakes it */

static int selector_of_deployment(struct arena *a, const void *o, struct selector *ret)
{
	return selector_of(a, ((const struct kube_deployment *)o)->spec.selector, ret, NULL);
}

static void on_set(struct ctl *k, struct kobject *old, struct kobject *now)
{
	ctl_enqueue_owner(k, "Deployment", old, now);
	if (now)
		ctl_enqueue_selecting(k, ((struct state *)k->own)->deployments, now, selector_of_deployment);
}

/* Recreate waits for the last pod of the old sets. */
static void on_pod(struct ctl *k, struct kobject *old, struct kobject *now)
{
	struct state *st = k->own;
	const struct kube_object_meta *m = kobject_meta(old ? old : now);
	const struct kube_owner_reference *ref = kube_controller_of(m);
	struct kobject *set, *d;

	if (!ref || !text_eq(ref->kind, "ReplicaSet") || (now && !kube_pod_is_terminal(now->obj)))
		return;
	set = informer_get(st->sets, m->namespace, ref->name);
	ref = set ? kube_controller_of(kobject_meta(set)) : NULL;
	d = ref ? informer_get(st->deployments, m->namespace, ref->name) : NULL;
	if (d && text_eq(((const struct kube_deployment *)d->obj)->spec.strategy.type, "Recreate"))
		ctl_add(k, d->key);
}

static void release(struct ctl *k) { expects_free(((struct state *)k->own)->expects); }

int deployment_start(struct control *c, struct err *e)
{
	struct ctl *k = ctl_new(c, "deployment", "deployment-controller", 8, sync_wait, sizeof(struct state));
	struct state *st;
	int r;

	if (!k)
		return -ENOMEM;
	st = k->own;
	k->release = release;
	st->deployments = ctl_need(k, "apps", "deployments");
	st->sets = ctl_need(k, "apps", "replicasets");
	st->pods = ctl_need(k, "", "pods");
	r = expects_new(c->loop, &st->expects);
	if (r == 0)
		r = ctl_index_controller(st->sets);
	if (r == 0)
		r = ctl_index_controller(st->pods);
	if (r == 0)
		r = ctl_on(k, st->deployments, ctl_enqueue);
	if (r == 0)
		r = ctl_on(k, st->sets, on_set);
	return r == 0 ? ctl_on(k, st->pods, on_pod) : r;
}
