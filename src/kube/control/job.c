// SPDX-License-Identifier: Apache-2.0
/*
 * Jobs: pods that run to their end. Each pod carries a finalizer until its end
 * has been counted, in three steps that may be interrupted anywhere:
 *
 *	pod ended ──▶ its uid in status.uncountedTerminatedPods ──▶ finalizer removed ──▶ counted, uid dropped
 *
 * An index that succeeded is a fact that can be written twice, so of indexed
 * jobs only failures go that way. A job's end is told (SuccessCriteriaMet,
 * FailureTarget) before its pods are gone, and final (Complete, Failed) when all are counted.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/num.h"
#include "kube/control/job_int.h"

enum { BURST = 500, UNCOUNTED_MAX = 500 };

struct state {
	struct informer *jobs, *pods;
	struct expects *expects, *job_expects;
	struct map backoff;                   /* key → struct failures */
};
struct failures { unsigned n; int64_t last_ns; };

struct work {
	struct sync *s;
	struct state *st;
	struct kube_job job;                  /* own copy of the head; status is changed here */
	struct kube_job_status was;
	struct owner o;
	bool is_indexed, only_failed;
	int32_t completions, parallelism;     /* completions -1: none said */
	struct objects pods;
	const struct kube_pod **active;
	uint32_t n_active, n_ready, n_terminating;
	const char **succeeded, **failed;     /* uncounted uids */
	uint32_t n_succeeded, n_failed;
	const struct kube_pod **count;        /* whose finalizer goes */
	uint32_t n_count;
	struct index_set done, lost;
	const char *fail_reason, *fail_message, *done_reason, *done_message;
	int32_t new_failures;
	const struct kube_pod **kill;
	int32_t *create;                      /* indexes, or -1 */
	uint32_t n_made;
};

static const struct kube_resource *pod_resource(void) { return kube_resource_find("", "v1", "pods"); }

/* --- conditions */

static struct kube_job_condition *condition(const struct kube_job_status *t, const char *type)
{
	struct kube_job_condition *c = KUBE_CONDITION(t->conditions, t->n_conditions, type);

	return c;
}
static bool condition_is(const struct kube_job_status *t, const char *type, const char *status)
{
	const struct kube_job_condition *c = condition(t, type);

	return c && text_eq(c->status, status);
}

static int set_condition(struct work *w, const char *type, const char *status, const char *reason, const char *message)
{
	struct kube_job_status *t = &w->job.status;
	struct kube_job_condition *v = arena_array(&w->s->a, t->n_conditions + 1, sizeof *v), *old = condition(t, type);
	const char *now = sync_now_text(w->s);
	uint32_t n = t->n_conditions;

	if (!v || !now)
		return -ENOMEM;
	if (n)
		memcpy(v, t->conditions, n * sizeof *v);
	struct kube_job_condition fresh = { type, status, now, now, reason, message };

	if (old)
		v[old - t->conditions] = fresh;
	else
		v[n++] = fresh;
	t->conditions = v;
	t->n_conditions = n;
	return 0;
}

static const struct kube_job_condition *end_of(const struct kube_job_status *t)
{
	if (condition_is(t, "Complete", "True"))
		return condition(t, "Complete");
	return condition_is(t, "Failed", "True") ? condition(t, "Failed") : NULL;
}

/* --- counting */

static bool has_uid(const char *const *v, uint32_t n, const char *uid)
{
	for (uint32_t i = 0; i < n; i++)
		if (!strcmp(v[i], uid))
			return true;
	return false;
}

static bool pod_failed(const struct work *w, const struct kube_pod *p)
{
	if (text_eq(p->status.phase, "Failed"))
		return true;
	return kube_is_deleting(&p->metadata) && !text_eq(p->status.phase, "Succeeded") && !w->only_failed;
}

static struct failures *failures_of(struct state *st, const char *key)
{
	struct failures *f = map_gets(&st->backoff, key);

	if (!f) {
		f = calloc(1, sizeof *f);
		if (f && map_sets(&st->backoff, key, f) < 0) {
			free(f);
			f = NULL;
		}
	}
	return f;
}

static void forget_backoff(struct state *st, const char *key) { free(map_dels(&st->backoff, key)); }

static void note_end(struct work *w, const struct kube_pod *p, bool failed)
{
	struct failures *f = failures_of(w->st, w->o.key);
	int64_t at = job_pod_finished_ns(p);

	if (!f)
		return;
	f->n = failed ? f->n + 1 : 0;
	f->last_ns = MAX(f->last_ns, at ? at : w->s->now_ns);
}

static int64_t index_failures(const struct kube_pod *p)
{
	const char *text = kube_annotation(&p->metadata, JOB_INDEX_FAILURES);
	int64_t n = 0;

	if (text)
		num_parse_i64(slice_of(text), 0, INT32_MAX, &n);
	return n;
}

/* One pod that has ended and was not seen before. */
static void take_end(struct work *w, const struct kube_pod *p)
{
	enum job_action action = JOB_COUNT;
	const char *why = NULL;
	int32_t index = job_pod_index(p);

	if (text_eq(p->status.phase, "Succeeded")) {
		if (w->is_indexed)
			index_set_add(&w->done, index);
		else
			w->succeeded[w->n_succeeded++] = p->metadata.uid;
		note_end(w, p, false);
		return;
	}
	action = job_failure_action(&w->s->a, &w->job, p, &why);
	if (action == JOB_IGNORE)
		return;
	if (action == JOB_FAIL && !w->fail_reason) {
		w->fail_reason = "PodFailurePolicy";
		w->fail_message = why ? why : "";
	}
	if (w->is_indexed && w->job.spec.backoff_limit_per_index &&
	    (action == JOB_FAIL_INDEX || index_failures(p) >= *w->job.spec.backoff_limit_per_index))
		index_set_add(&w->lost, index);
	w->failed[w->n_failed++] = p->metadata.uid;
	w->new_failures++;
	note_end(w, p, true);
}

/* Uids whose pods are counted by now: gone, or without the finalizer. */
static uint32_t settle(const struct work *w, const char **v, uint32_t *n)
{
	uint32_t kept = 0, settled;

	for (uint32_t i = 0; i < *n; i++) {
		bool waits = false;

		for (uint32_t k = 0; k < w->pods.n && !waits; k++) {
			const struct kube_pod *p = w->pods.v[k];

			waits = text_eq(p->metadata.uid, v[i]) && kube_has_finalizer(&p->metadata, JOB_FINALIZER);
		}
		if (waits)
			v[kept++] = v[i];
	}
	settled = *n - kept;
	*n = kept;
	return settled;
}

static int prepare(struct work *w)
{
	const struct kube_uncounted_terminated_pods *u = w->was.uncounted_terminated_pods;
	uint32_t n = w->pods.n + (u ? u->n_succeeded + u->n_failed : 0);
	struct arena *a = &w->s->a;

	w->active = arena_array(a, w->pods.n, sizeof *w->active);
	w->count = arena_array(a, w->pods.n, sizeof *w->count);
	w->succeeded = arena_array(a, n, sizeof *w->succeeded);
	w->failed = arena_array(a, n, sizeof *w->failed);
	if (!w->active || !w->count || !w->succeeded || !w->failed)
		return -ENOMEM;
	for (uint32_t i = 0; u && i < u->n_succeeded; i++)
		w->succeeded[w->n_succeeded++] = u->succeeded[i];
	for (uint32_t i = 0; u && i < u->n_failed; i++)
		w->failed[w->n_failed++] = u->failed[i];
	if (w->is_indexed) {
		if (index_set_init(a, &w->done, w->completions) < 0 || index_set_init(a, &w->lost, w->completions) < 0)
			return -ENOMEM;
		index_set_read(&w->done, w->was.completed_indexes);
		index_set_read(&w->lost, w->was.failed_indexes);
	}
	return 0;
}

static void count_pods(struct work *w)
{
	struct kube_job_status *t = &w->job.status;

	t->succeeded += (int32_t)settle(w, w->succeeded, &w->n_succeeded);
	t->failed += (int32_t)settle(w, w->failed, &w->n_failed);
	for (uint32_t i = 0; i < w->pods.n; i++) {
		const struct kube_pod *p = w->pods.v[i];
		bool ended = text_eq(p->status.phase, "Succeeded") || pod_failed(w, p);

		if (kube_pod_is_active(p)) {
			w->active[w->n_active++] = p;
			w->n_ready += kube_pod_is_ready(p);
		} else if (!kube_pod_is_terminal(p)) {
			w->n_terminating++;
		}
		if (!ended || !kube_has_finalizer(&p->metadata, JOB_FINALIZER))
			continue;
		if (!has_uid(w->succeeded, w->n_succeeded, p->metadata.uid) && !has_uid(w->failed, w->n_failed, p->metadata.uid)) {
			if (w->n_succeeded + w->n_failed >= UNCOUNTED_MAX)
				continue;
			take_end(w, p);
		}
		w->count[w->n_count++] = p;
	}
}

static int put_counts(struct work *w)
{
	struct kube_job_status *t = &w->job.status;
	struct kube_uncounted_terminated_pods *u = arena_new(&w->s->a, struct kube_uncounted_terminated_pods);

	if (!u)
		return -ENOMEM;
	*u = (struct kube_uncounted_terminated_pods){ w->n_succeeded ? w->succeeded : NULL, w->n_succeeded, w->n_failed ? w->failed : NULL, w->n_failed };
	t->uncounted_terminated_pods = u;
	if (w->is_indexed) {
		t->completed_indexes = index_set_text(&w->s->a, &w->done);
		t->succeeded = w->done.n;
		t->failed_indexes = w->job.spec.backoff_limit_per_index ? index_set_text(&w->s->a, &w->lost) : t->failed_indexes;
	}
	return 0;
}

static int32_t n_succeeded(const struct work *w) { return w->is_indexed ? w->done.n : w->job.status.succeeded + (int32_t)w->n_succeeded; }
static int32_t n_failed(const struct work *w) { return w->job.status.failed + (int32_t)w->n_failed; }

/* --- does it go on? */

static bool is_past_restarts(const struct work *w, int32_t limit)
{
	int64_t n = 0;

	if (!text_eq(w->job.spec.template.spec.restart_policy, "OnFailure"))
		return false;
	for (uint32_t i = 0; i < w->n_active; i++) {
		const struct kube_pod_status *t = &w->active[i]->status;

		for (uint32_t k = 0; k < t->n_init_container_statuses; k++)
			n += t->init_container_statuses[k].restart_count;
		for (uint32_t k = 0; k < t->n_container_statuses; k++)
			n += t->container_statuses[k].restart_count;
	}
	return limit == 0 ? n > 0 : n >= limit;
}

static void judge_failure(struct work *w)
{
	const struct kube_job_spec *spec = &w->job.spec;
	const struct kube_job_condition *target = condition(&w->was, "FailureTarget");
	int32_t limit = spec->backoff_limit ? *spec->backoff_limit : spec->backoff_limit_per_index ? INT32_MAX : 6;

	if (target && text_eq(target->status, "True")) {
		w->fail_reason = target->reason;
		w->fail_message = target->message;
	}
	if (w->fail_reason)
		return;
	if (n_failed(w) > limit || is_past_restarts(w, limit)) {
		w->fail_reason = "BackoffLimitExceeded";
		w->fail_message = "Job has reached the specified backoff limit";
	} else if (spec->active_deadline_seconds && w->job.status.start_time && !(spec->suspend && *spec->suspend)) {
		int64_t left = kube_time_ns(w->job.status.start_time) + *spec->active_deadline_seconds * NS_PER_S - w->s->now_ns;

		if (left <= 0) {
			w->fail_reason = "DeadlineExceeded";
			w->fail_message = "Job was active longer than specified deadline";
		} else {
			ctl_add_after(w->s->k, w->o.key, left);
		}
	}
	if (!w->fail_reason && spec->backoff_limit_per_index) {
		if (spec->max_failed_indexes && w->lost.n > *spec->max_failed_indexes) {
			w->fail_reason = "MaxFailedIndexesExceeded";
			w->fail_message = "Job has exceeded the specified maximal number of failed indexes";
		} else if (w->lost.n && w->lost.n + w->done.n >= w->completions) {
			w->fail_reason = "FailedIndexes";
			w->fail_message = "Job has failed indexes";
		}
	}
}

static void judge_success(struct work *w)
{
	const struct kube_job_condition *met = condition(&w->was, "SuccessCriteriaMet");
	int rule = -1;

	if (met && text_eq(met->status, "True")) {
		w->done_reason = met->reason;
		w->done_message = met->message;
		return;
	}
	if (w->is_indexed && w->job.spec.success_policy)
		rule = job_success_rule(&w->s->a, &w->job, &w->done);
	if (rule >= 0) {
		w->done_reason = "SuccessPolicy";
		w->done_message = arena_fmt(&w->s->a, "Matched rules at index %d", rule);
	} else if (w->completions >= 0 ? n_succeeded(w) >= w->completions : n_succeeded(w) > 0 && w->n_active == 0) {
		w->done_reason = "CompletionsReached";
		w->done_message = "Reached expected number of succeeded pods";
	}
}

static int tell_target(struct work *w)
{
	/* What is met once stays met, failures that come later or not. */
	if (w->done_reason) {
		w->fail_reason = NULL;
		return condition_is(&w->was, "SuccessCriteriaMet", "True") ? 0 : set_condition(w, "SuccessCriteriaMet", "True", w->done_reason, w->done_message);
	}
	if (w->fail_reason && !condition_is(&w->was, "FailureTarget", "True"))
		return set_condition(w, "FailureTarget", "True", w->fail_reason, w->fail_message);
	return 0;
}

/* --- pods */

static struct kube_env_var *with_index_env(struct arena *a, const struct kube_env_var *v, uint32_t *n)
{
	struct kube_env_var *to = arena_array(a, *n + 1, sizeof *to);
	struct kube_env_var_source *from = arena_new(a, struct kube_env_var_source);
	struct kube_object_field_selector *field = arena_new(a, struct kube_object_field_selector);

	if (!to || !from || !field)
		return NULL;
	if (*n)
		memcpy(to, v, *n * sizeof *to);
	for (uint32_t i = 0; i < *n; i++)
		if (text_eq(v[i].name, "JOB_COMPLETION_INDEX"))
			return to;
	field->field_path = "metadata.labels['" JOB_INDEX "']";
	from->field_ref = field;
	to[(*n)++] = (struct kube_env_var){ .name = "JOB_COMPLETION_INDEX", .value_from = from };
	return to;
}

static struct kube_container *with_index(struct arena *a, const struct kube_container *v, uint32_t n)
{
	struct kube_container *to = arena_array(a, n, sizeof *to);

	for (uint32_t i = 0; i < n && to; i++) {
		to[i] = v[i];
		to[i].env = with_index_env(a, v[i].env, &to[i].n_env);
		if (!to[i].env)
			return NULL;
	}
	return to;
}

/* Failures of this index so far, for the pod that comes next. */
static int64_t failures_before(const struct work *w, int32_t index)
{
	int64_t most = 0;

	for (uint32_t i = 0; i < w->pods.n; i++) {
		const struct kube_pod *p = w->pods.v[i];

		if (job_pod_index(p) == index && pod_failed(w, p))
			most = MAX(most, index_failures(p) + 1);
	}
	return most;
}

static int mark_index(struct work *w, struct kube_pod *p, int32_t index)
{
	struct arena *a = &w->s->a;
	const char *text = arena_fmt(a, "%d", index);

	if (!text)
		return -ENOMEM;
	p->metadata.generate_name = arena_fmt(a, "%.200s-%d-", w->o.m->name, index);
	p->metadata.labels = kube_pairs_with(a, p->metadata.labels, &p->metadata.n_labels, JOB_INDEX, text);
	p->metadata.annotations = kube_pairs_with(a, p->metadata.annotations, &p->metadata.n_annotations, JOB_INDEX, text);
	if (p->metadata.annotations && w->job.spec.backoff_limit_per_index)
		p->metadata.annotations = kube_pairs_with(a, p->metadata.annotations, &p->metadata.n_annotations, JOB_INDEX_FAILURES,
			arena_fmt(a, "%lld", (long long)failures_before(w, index)));
	p->spec.hostname = arena_fmt(a, "%.50s-%d", w->o.m->name, index);
	p->spec.containers = with_index(a, p->spec.containers, p->spec.n_containers);
	p->spec.init_containers = p->spec.n_init_containers ? with_index(a, p->spec.init_containers, p->spec.n_init_containers) : NULL;
	return p->metadata.generate_name && p->metadata.labels && p->metadata.annotations && p->spec.containers ? 0 : -ENOMEM;
}

static int create_one_wait(void *arg, unsigned i, struct err *e)
{
	struct work *w = arg;
	struct kube_pod *p = pod_of_template(w->s, &w->o, &w->job.spec.template, NULL);
	const char **f = p ? arena_array(&w->s->a, p->metadata.n_finalizers + 1, sizeof *f) : NULL;
	int r;

	if (!f)
		return err_nomem(e);
	if (p->metadata.n_finalizers)
		memcpy(f, p->metadata.finalizers, p->metadata.n_finalizers * sizeof *f);
	f[p->metadata.n_finalizers++] = JOB_FINALIZER;
	p->metadata.finalizers = f;
	if (w->create[i] >= 0 && mark_index(w, p, w->create[i]) < 0)
		return err_nomem(e);
	r = control_pod_create_wait(w->s, &w->o, p, w->st->expects, e);
	w->n_made += r == 0;
	return r;
}

static int kill_one_wait(void *arg, unsigned i, struct err *e)
{
	struct work *w = arg;
	int r = control_pod_delete_wait(w->s, &w->o, w->kill[i], w->st->expects, e);

	return r;
}

static int kill_wait(struct work *w, const struct kube_pod **v, uint32_t n, struct err *e)
{
	unsigned done = 0;
	int r;

	w->kill = v;
	r = batch_wait(w->s->c, n, kill_one_wait, w, &done, e);
	w->n_active -= done;
	w->n_terminating += done;
	return r;
}

/* Indexes that want a pod: the lowest first. */
static uint32_t free_indexes(struct work *w, int32_t *v, uint32_t most)
{
	struct index_set taken;
	uint32_t n = 0;

	if (index_set_init(&w->s->a, &taken, w->completions) < 0)
		return 0;
	for (uint32_t i = 0; i < w->pods.n; i++) {
		const struct kube_pod *p = w->pods.v[i];

		/* One that is on its way out holds its index until it has failed, where only failures are replaced. */
		if (kube_pod_is_active(p) || (w->only_failed && !kube_pod_is_terminal(p)))
			index_set_add(&taken, job_pod_index(p));
	}
	for (int32_t i = 0; i < w->completions && n < most; i++)
		if (!index_set_has(&w->done, i) && !index_set_has(&w->lost, i) && !index_set_has(&taken, i))
			v[n++] = i;
	return n;
}

static int32_t wanted_active(const struct work *w)
{
	if (w->completions < 0)
		return n_succeeded(w) > 0 ? MIN((int32_t)w->n_active, w->parallelism) : w->parallelism;
	return MAX(MIN(w->completions - n_succeeded(w) - w->lost.n, w->parallelism), 0);
}

static int grow_wait(struct work *w, uint32_t n, struct err *e)
{
	const struct failures *f = map_gets(&w->st->backoff, w->o.key);
	int64_t left = f && f->n ? f->last_ns + job_backoff_ns(f->n) - w->s->now_ns : 0;
	int r;

	if (left > 0) {
		ctl_add_after(w->s->k, w->o.key, left);
		return 0;
	}
	n = MIN(n, (uint32_t)BURST);
	w->create = arena_array(&w->s->a, n, sizeof *w->create);
	if (!w->create)
		return err_nomem(e);
	if (w->is_indexed)
		n = free_indexes(w, w->create, n);
	else
		memset(w->create, 0xff, n * sizeof *w->create);
	r = batch_wait(w->s->c, n, create_one_wait, w, NULL, e);
	w->n_active += w->n_made;
	return r < 0 && is_namespace_ending(e) ? 0 : r;
}

static int manage_wait(struct work *w, struct err *e)
{
	const struct kube_job_spec *spec = &w->job.spec;
	int32_t want = wanted_active(w), have = (int32_t)w->n_active + (w->only_failed ? (int32_t)w->n_terminating : 0);

	if (kube_is_deleting(w->o.m))
		return 0;
	if (w->fail_reason || w->done_reason || (spec->suspend && *spec->suspend))
		return kill_wait(w, w->active, w->n_active, e);
	if (have > want) {
		pods_sort_for_deletion(w->active, w->n_active, NULL, w->s->now_ns);
		return kill_wait(w, w->active, MIN((uint32_t)(have - want), w->n_active), e);
	}
	return have < want ? grow_wait(w, (uint32_t)(want - have), e) : 0;
}

/* --- finalizers */

static int release_wait(struct sync *s, const struct kube_pod *p, struct expects *x, const char *key, struct err *e)
{
	struct kube_object_meta m = p->metadata;
	struct kube_pod *answer = arena_new(&s->a, struct kube_pod);
	const char **f = arena_array(&s->a, m.n_finalizers, sizeof *f);
	uint32_t n = 0;
	int r;

	if (!answer || !f)
		return err_nomem(e);
	for (uint32_t i = 0; i < m.n_finalizers; i++)
		if (strcmp(m.finalizers[i], JOB_FINALIZER) != 0)
			f[n++] = m.finalizers[i];
	m.finalizers = n ? f : NULL;
	m.n_finalizers = n;
	r = update_meta_wait(s, pod_resource(), p, &m, answer, e);
	if (r == 0 && x && answer->metadata.resource_version)
		expects_wrote(x, key, &answer->metadata);
	return r == -ENOENT ? 0 : r;
}

static int release_one_wait(void *arg, unsigned i, struct err *e)
{
	struct work *w = arg;
	int r = release_wait(w->s, w->count[i], w->st->expects, w->o.key, e);

	/* This sync's own view: it has none any more. */
	if (r == 0)
		for (uint32_t k = 0; k < w->pods.n; k++)
			if (w->pods.v[k] == w->count[i])
				w->pods.v[k] = w->pods.v[--w->pods.n];
	return r;
}

/* --- status */

static int write_status_wait(struct work *w, struct err *e)
{
	struct kube_job *answer = arena_new(&w->s->a, struct kube_job);
	int r;

	if (put_counts(w) < 0 || !answer)
		return err_nomem(e);
	if (schema_equal(T_kube_job_status, &w->job.status, &w->was))
		return 0;
	r = kclient_update_wait(w->s->c->client, w->o.r, "status", &w->job, &w->s->a, answer, e);
	if (r < 0)
		return r;
	expects_wrote(w->st->job_expects, w->o.key, &answer->metadata);
	w->job.metadata.resource_version = answer->metadata.resource_version;
	w->was = w->job.status;
	return 0;
}

static int put_activity(struct work *w)
{
	struct kube_job_status *t = &w->job.status;
	int32_t *ready = arena_new(&w->s->a, int32_t), *terminating = arena_new(&w->s->a, int32_t);

	if (!ready || !terminating)
		return -ENOMEM;
	t->active = (int32_t)w->n_active;
	*ready = (int32_t)MIN(w->n_ready, w->n_active);
	*terminating = (int32_t)w->n_terminating;
	t->ready = ready;
	t->terminating = terminating;
	return 0;
}

/* The job's end, when nothing of it is left to count. */
static int put_end(struct work *w)
{
	int r = 0;

	if ((!w->fail_reason && !w->done_reason) || w->n_active || w->n_terminating || w->n_succeeded || w->n_failed)
		return 0;
	if (w->done_reason) {
		r = set_condition(w, "Complete", "True", w->done_reason, w->done_message);
		w->job.status.completion_time = sync_now_text(w->s);
		kevents_add(w->s->k->events, w->o.r, w->o.m, NULL, "Normal", "Completed", "Job completed");
	} else {
		r = set_condition(w, "Failed", "True", w->fail_reason, w->fail_message);
		kevents_add(w->s->k->events, w->o.r, w->o.m, NULL, "Warning", w->fail_reason, "%s", w->fail_message);
	}
	forget_backoff(w->st, w->o.key);
	return r;
}

static int suspend(struct work *w)
{
	bool is = w->job.spec.suspend && *w->job.spec.suspend, was = condition_is(&w->was, "Suspended", "True");
	const char *reason = is ? "JobSuspended" : "JobResumed", *message = is ? "Job suspended" : "Job resumed";

	if (!is && !w->job.status.start_time)
		w->job.status.start_time = sync_now_text(w->s);
	if (is == was)
		return 0;
	kevents_add(w->s->k->events, w->o.r, w->o.m, NULL, "Normal", is ? "Suspended" : "Resumed", "%s", message);
	/* The deadline counts from the beginning of the last run. */
	w->job.status.start_time = is ? NULL : sync_now_text(w->s);
	return set_condition(w, "Suspended", is ? "True" : "False", reason, message);
}

static int go_on_wait(struct work *w, struct err *e)
{
	unsigned released = 0;
	struct err later = { 0 };
	int r, failed;

	if (prepare(w) < 0)
		return err_set(e, E2BIG, "job %s has too many indexes or pods", w->o.key);
	count_pods(w);
	judge_success(w);
	judge_failure(w);
	if (suspend(w) < 0 || tell_target(w) < 0)
		return err_nomem(e);
	if (w->n_count) {
		r = write_status_wait(w, e);
		if (r < 0)
			return r;
	}
	failed = batch_wait(w->s->c, w->n_count, release_one_wait, w, &released, &later);
	if (failed == -ECANCELED)
		return failed;
	w->job.status.succeeded += w->is_indexed ? 0 : (int32_t)settle(w, w->succeeded, &w->n_succeeded);
	w->job.status.failed += (int32_t)settle(w, w->failed, &w->n_failed);
	r = manage_wait(w, failed ? e : &later);
	if (r == -ECANCELED)
		return r;
	failed = failed ? failed : r;
	if (put_activity(w) < 0 || put_end(w) < 0)
		return err_nomem(e);
	r = write_status_wait(w, e);
	if (r == 0 && failed < 0) {
		*e = later;
		r = failed;
	}
	return r;
}

/* --- after its end */

static int ended_wait(struct work *w, const struct kube_job_condition *end, struct err *e)
{
	const int32_t *ttl = w->job.spec.ttl_seconds_after_finished;
	struct kube_preconditions pre = { .uid = w->o.m->uid, .resource_version = w->o.m->resource_version };
	struct kube_delete_options d = { .preconditions = &pre, .propagation_policy = "Foreground" };
	int64_t left;
	int r = 0;

	forget_backoff(w->st, w->o.key);
	for (uint32_t i = 0; i < w->pods.n && r == 0; i++)
		if (kube_has_finalizer(&((const struct kube_pod *)w->pods.v[i])->metadata, JOB_FINALIZER))
			r = release_wait(w->s, w->pods.v[i], w->st->expects, w->o.key, e);
	if (r < 0 || !ttl || kube_is_deleting(w->o.m))
		return r;
	left = kube_time_ns(end->last_transition_time) + *ttl * NS_PER_S - w->s->now_ns;
	if (left > 0) {
		ctl_add_after(w->s->k, w->o.key, left);
		return 0;
	}
	r = kclient_delete_wait(w->s->c->client, w->o.r, w->o.m->namespace, w->o.m->name, &d, e);
	return r == -ENOENT ? 0 : r;
}

static int selector_of_job(struct arena *a, const void *o, struct selector *ret)
{
	return selector_of(a, ((const struct kube_job *)o)->spec.selector, ret, NULL);
}

/* A pod whose job is gone keeps nobody waiting. */
static int orphan_wait(struct sync *s, struct state *st, const char *key, struct err *e)
{
	const struct kube_pod *p = sync_get(s, st->pods, key);
	const struct kube_owner_reference *ref = p ? kube_controller_of(&p->metadata) : NULL;
	struct kobject *job;

	if (!p || !kube_has_finalizer(&p->metadata, JOB_FINALIZER))
		return 0;
	if (ref && !text_eq(ref->kind, "Job"))
		return 0;
	/* One that a job is about to adopt is still to be counted. */
	if (!ref && ctl_enqueue_selecting(s->k, st->jobs, informer_get_key(st->pods, key), selector_of_job))
		return 0;
	job = ref ? informer_get(st->jobs, p->metadata.namespace, ref->name) : NULL;
	return job && text_eq(kobject_meta(job)->uid, ref->uid) ? 0 : release_wait(s, p, NULL, key, e);
}

static int sync_wait(struct ctl *k, const char *key, struct err *e)
{
	struct state *st = k->own;
	AUTO(sync) struct sync s;
	struct work w = { .s = &s, .st = st };
	const struct kube_job *cached;
	const struct kube_job_condition *end;
	int r;

	sync_begin(&s, k);
	if (!strncmp(key, "orphan|", 7))
		return orphan_wait(&s, st, key + 7, e);
	cached = sync_get(&s, st->jobs, key);
	if (!cached) {
		expects_forget(st->expects, key);
		expects_forget(st->job_expects, key);
		forget_backoff(st, key);
		return 0;
	}
	if (cached->spec.managed_by && !text_eq(cached->spec.managed_by, "kubernetes.io/job-controller"))
		return 0;
	if (!expects_met(st->expects, k, key, st->pods) || !expects_met(st->job_expects, k, key, st->jobs))
		return 0;
	w.job = *cached;
	w.was = cached->status;
	w.o = (struct owner){ .r = informer_resource(st->jobs), .m = &w.job.metadata, .key = key };
	w.is_indexed = text_eq(w.job.spec.completion_mode, "Indexed");
	w.only_failed = text_eq(w.job.spec.pod_replacement_policy, "Failed");
	w.completions = count_or(w.job.spec.completions, w.is_indexed ? 0 : -1);
	w.parallelism = count_or(w.job.spec.parallelism, 1);
	r = selector_of(&s.a, w.job.spec.selector, &w.o.selector, e);
	if (r == 0)
		r = claim_wait(&s, st->pods, &w.o, &w.pods, e);
	if (r < 0)
		return r;
	end = end_of(&w.was);
	r = end ? ended_wait(&w, end, e) : go_on_wait(&w, e);
	return r == -ENOENT ? 0 : r;
}

/* --- what wakes it */

static void enqueue_orphan(struct ctl *k, const struct kobject *o)
{
	char key[700];

	if (fmt_into(key, sizeof key, "orphan|%s", o->key))
		ctl_add(k, key);
}

static int orphan_one(void *arg, struct kobject *o)
{
	enqueue_orphan(arg, o);
	return 0;
}

static void on_job(struct ctl *k, struct kobject *old, struct kobject *now)
{
	struct state *st = k->own;

	ctl_enqueue(k, old, now);
	if (!now)
		informer_each_indexed(st->pods, "controller", kobject_meta(old)->uid, orphan_one, k);
}

static void on_pod(struct ctl *k, struct kobject *old, struct kobject *now)
{
	const struct kube_owner_reference *ref;

	ctl_enqueue_owner(k, "Job", old, now);
	if (now)
		ctl_enqueue_selecting(k, ((struct state *)k->own)->jobs, now, selector_of_job);
	if (!now || !kube_has_finalizer(kobject_meta(now), JOB_FINALIZER))
		return;
	ref = kube_controller_of(kobject_meta(now));
	if (!ref || (text_eq(ref->kind, "Job") && !informer_get(((struct state *)k->own)->jobs, kobject_meta(now)->namespace, ref->name)))
		enqueue_orphan(k, now);
}

static void release(struct ctl *k)
{
	struct state *st = k->own;
	struct map_entry *m;
	size_t pos = 0;

	expects_free(st->expects);
	expects_free(st->job_expects);
	while ((m = map_next(&st->backoff, &pos)))
		free(m->value);
	map_release(&st->backoff);
}

int job_start_controller(struct control *c, struct err *e)
{
	struct ctl *k = ctl_new(c, "job", "job-controller", 8, sync_wait, sizeof(struct state));
	struct state *st;
	int r;

	if (!k)
		return -ENOMEM;
	st = k->own;
	map_init(&st->backoff);
	k->release = release;
	st->jobs = ctl_need(k, "batch", "jobs");
	st->pods = ctl_need(k, "", "pods");
	r = expects_new(c->loop, &st->expects);
	if (r == 0)
		r = expects_new(c->loop, &st->job_expects);
	if (r == 0)
		r = ctl_index_controller(st->pods);
	if (r == 0)
		r = ctl_on(k, st->jobs, on_job);
	return r == 0 ? ctl_on(k, st->pods, on_pod) : r;
}
