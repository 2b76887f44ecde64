// SPDX-License-Identifier: Apache-2.0
/* Cron jobs: a job each time the schedule says so, under the concurrency policy; and the history of those that have ended. */
#include <errno.h>

#include "base/clock.h"
#include "kube/control/control_int.h"
#include "kube/control/cron_int.h"

#define SCHEDULED "batch.kubernetes.io/cronjob-scheduled-timestamp"
enum { MISSED_MANY = 100 };

struct state {
	struct informer *cron_jobs, *jobs;
	struct expects *expects, *job_expects;
};
struct work {
	struct sync *s;
	struct state *st;
	struct kube_cron_job cj;             /* own copy of the head; status is changed here */
	const struct kube_cron_job_status *was;
	struct owner o;
	struct objects jobs;
	struct cron cron;
	struct zone *zone;
};

static const struct kube_job_condition *end_of(const struct kube_job *j)
{
	for (uint32_t i = 0; i < j->status.n_conditions; i++)
		if ((text_eq(j->status.conditions[i].type, "Complete") || text_eq(j->status.conditions[i].type, "Failed")) &&
		    text_eq(j->status.conditions[i].status, "True"))
			return &j->status.conditions[i];
	return NULL;
}

static const struct kube_resource *job_resource(void) { return kube_resource_find("batch", "v1", "jobs"); }

static void tell(struct work *w, const char *type, const char *reason, const char *message) { kevents_add(w->s->k->events, w->o.r, w->o.m, NULL, type, reason, "%s", message); }

/* --- which are active */

static const struct kube_job *job_of_uid(const struct work *w, const char *uid)
{
	for (uint32_t i = 0; i < w->jobs.n; i++)
		if (text_eq(((const struct kube_head *)w->jobs.v[i])->metadata.uid, uid))
			return w->jobs.v[i];
	return NULL;
}

static int push_active(struct work *w, const struct kube_object_meta *m)
{
	struct kube_cron_job_status *t = &w->cj.status;
	struct kube_object_reference *v = arena_array(&w->s->a, t->n_active + 1, sizeof *v);

	if (!v)
		return -ENOMEM;
	if (t->n_active)
		memcpy(v, t->active, t->n_active * sizeof *v);
	v[t->n_active++] = (struct kube_object_reference){ .api_version = "batch/v1", .kind = "Job", .namespace = m->namespace, .name = m->name, .uid = m->uid,
		.resource_version = m->resource_version };
	t->active = v;
	return 0;
}

static int drop_active(struct work *w, const char *uid)
{
	struct kube_cron_job_status *t = &w->cj.status;
	struct kube_object_reference *v = arena_array(&w->s->a, t->n_active, sizeof *v);
	uint32_t n = 0;

	if (!v)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->n_active; i++)
		if (!text_eq(t->active[i].uid, uid))
			v[n++] = t->active[i];
	t->active = n ? v : NULL;
	t->n_active = n;
	return 0;
}

static bool is_active(const struct work *w, const char *uid)
{
	for (uint32_t i = 0; i < w->cj.status.n_active; i++)
		if (text_eq(w->cj.status.active[i].uid, uid))
			return true;
	return false;
}

static int update_active(struct work *w)
{
	int r = 0;

	for (uint32_t i = 0; i < w->jobs.n && r == 0; i++) {
		const struct kube_job *j = w->jobs.v[i];
		const struct kube_job_condition *end = end_of(j);
		bool known = is_active(w, j->metadata.uid);

		if (known && end) {
			r = drop_active(w, j->metadata.uid);
			kevents_add(w->s->k->events, w->o.r, w->o.m, NULL, "Normal", "SawCompletedJob", "Saw completed job: %s, condition: %s", j->metadata.name,
				end->type);
		} else if (!known && !end && !kube_is_deleting(&j->metadata)) {
			/* Made by an earlier sync that did not live to write it down. */
			r = push_active(w, &j->metadata);
		}
		if (end && text_eq(end->type, "Complete") && j->status.completion_time &&
		    kube_time_ns(j->status.completion_time) > kube_time_ns(w->cj.status.last_successful_time))
			w->cj.status.last_successful_time = j->status.completion_time;
	}
	for (uint32_t i = 0; i < w->was->n_active && r == 0; i++)
		if (!job_of_uid(w, w->was->active[i].uid)) {
			r = drop_active(w, w->was->active[i].uid);
			kevents_add(w->s->k->events, w->o.r, w->o.m, NULL, "Normal", "MissingJob", "Active job went missing: %s", w->was->active[i].name);
		}
	return r;
}

/* --- history */

static int by_start(const void *a, const void *b)
{
	const struct kube_job *p = *(const struct kube_job *const *)a, *q = *(const struct kube_job *const *)b;
	int64_t s = kube_time_ns(p->metadata.creation_timestamp), t = kube_time_ns(q->metadata.creation_timestamp);

	return s != t ? (s < t ? -1 : 1) : strcmp(p->metadata.name, q->metadata.name);
}

static int remove_job_wait(struct work *w, const struct kube_job *j, struct err *e)
{
	struct kube_delete_options d = { .propagation_policy = "Background" };
	int r = kclient_delete_wait(w->s->c->client, job_resource(), j->metadata.namespace, j->metadata.name, &d, e);

	if (r < 0 && r != -ENOENT) {
		if (r != -ECANCELED)
			kevents_add(w->s->k->events, w->o.r, w->o.m, NULL, "Warning", "FailedDelete", "Deleted job: %s", e->text);
		return r;
	}
	expects_deleted(w->st->job_expects, w->o.key, &j->metadata);
	kevents_add(w->s->k->events, w->o.r, w->o.m, NULL, "Normal", "SuccessfulDelete", "Deleted job %s", j->metadata.name);
	return drop_active(w, j->metadata.uid) < 0 ? err_nomem(e) : 0;
}

static int trim_wait(struct work *w, const char *kind, int32_t keep, struct err *e)
{
	int32_t n = 0;
	int r = 0;

	for (uint32_t i = 0; i < w->jobs.n; i++)
		n += end_of(w->jobs.v[i]) && text_eq(end_of(w->jobs.v[i])->type, kind);
	for (uint32_t i = 0; i < w->jobs.n && n > keep && r == 0; i++) {
		const struct kube_job_condition *end = end_of(w->jobs.v[i]);

		if (!end || !text_eq(end->type, kind) || kube_is_deleting(&((const struct kube_head *)w->jobs.v[i])->metadata))
			continue;
		r = remove_job_wait(w, w->jobs.v[i], e);
		n--;
	}
	return r;
}

/* --- the next one */

/* The last time up to now that was due and not done, 0 for none; *next is the first one behind now. */
static int64_t due(struct work *w, int64_t *next)
{
	int64_t now = w->s->now_ns / NS_PER_S, from = kube_time_ns(w->cj.status.last_schedule_time) / NS_PER_S, found = 0, at;
	unsigned missed = 0;

	if (!from)
		from = kube_time_ns(w->cj.metadata.creation_timestamp) / NS_PER_S;
	if (w->cj.spec.starting_deadline_seconds && now - *w->cj.spec.starting_deadline_seconds > from)
		from = now - *w->cj.spec.starting_deadline_seconds;
	if (w->cron.every_s && now > from) {
		found = from + (now - from) / w->cron.every_s * w->cron.every_s;
		*next = found + w->cron.every_s;
		return found > from ? found : 0;
	}
	/* After a long time away, only the last day is looked at. */
	if (now - from > 86400 && cron_next(&w->cron, w->zone, now - 86400) < now && cron_next(&w->cron, w->zone, now - 86400))
		from = now - 86400;
	at = cron_next(&w->cron, w->zone, from);
	while (at && at <= now) {
		found = at;
		if (++missed == MISSED_MANY + 1)
			tell(w, "Warning", "TooManyMissedTimes", "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew");
		at = cron_next(&w->cron, w->zone, at);
	}
	*next = at;
	return found;
}

static int make_job_wait(struct work *w, int64_t at_s, struct err *e)
{
	struct arena *a = &w->s->a;
	const struct kube_job_template_spec *t = &w->cj.spec.job_template;
	struct kube_job want = { .spec = t->spec }, *made = arena_new(a, struct kube_job);
	struct kube_object_meta *m = &want.metadata;
	int r;

	m->name = arena_fmt(a, "%.52s-%lld", w->cj.metadata.name, (long long)at_s / 60);
	m->namespace = w->cj.metadata.namespace;
	m->labels = t->metadata.labels;
	m->n_labels = t->metadata.n_labels;
	m->n_annotations = t->metadata.n_annotations;
	m->annotations = kube_pairs_with(a, t->metadata.annotations, &m->n_annotations, SCHEDULED, kube_time_text(a, at_s * NS_PER_S));
	m->owner_references = kube_controller_ref(a, w->o.r, w->o.m);
	m->n_owner_references = 1;
	if (!made || !m->name || !m->annotations || !m->owner_references)
		return err_nomem(e);
	r = kclient_create_wait(w->s->c->client, job_resource(), m->namespace, &want, a, made, e);
	if (r == -EEXIST) {
		r = kclient_get_wait(w->s->c->client, job_resource(), m->namespace, m->name, a, made, e);
		if (r < 0 || !kube_controlled_by(&made->metadata, w->cj.metadata.uid))
			return r < 0 ? r : err_set(e, EEXIST, "job %s is another's", m->name);
	} else if (r < 0) {
		if (!is_namespace_ending(e) && r != -ECANCELED)
			kevents_add(w->s->k->events, w->o.r, w->o.m, NULL, "Warning", "FailedCreate", "Error creating job: %s", e->text);
		return is_namespace_ending(e) ? 0 : r;
	} else {
		expects_wrote(w->st->job_expects, w->o.key, &made->metadata);
		kevents_add(w->s->k->events, w->o.r, w->o.m, NULL, "Normal", "SuccessfulCreate", "Created job %s", made->metadata.name);
	}
	w->cj.status.last_schedule_time = kube_time_text(a, at_s * NS_PER_S);
	return is_active(w, made->metadata.uid) ? 0 : push_active(w, &made->metadata) < 0 ? err_nomem(e) : 0;
}

static int start_wait(struct work *w, int64_t at_s, struct err *e)
{
	const char *policy = w->cj.spec.concurrency_policy;
	int r = 0;

	if (w->cj.spec.starting_deadline_seconds && at_s + *w->cj.spec.starting_deadline_seconds < w->s->now_ns / NS_PER_S) {
		tell(w, "Warning", "MissSchedule", "Missed scheduled time to start a job");
		return 0;
	}
	if (text_eq(policy, "Forbid") && w->cj.status.n_active) {
		tell(w, "Normal", "JobAlreadyActive", "Not starting job because prior execution is running and concurrency policy is Forbid");
		return 0;
	}
	if (text_eq(policy, "Replace"))
		for (uint32_t i = 0; i < w->was->n_active && r == 0; i++) {
			const struct kube_job *j = job_of_uid(w, w->was->active[i].uid);

			if (j && !end_of(j))
				r = remove_job_wait(w, j, e);
		}
	return r < 0 ? r : make_job_wait(w, at_s, e);
}

static int write_status_wait(struct work *w, struct err *e)
{
	struct kube_cron_job *answer = arena_new(&w->s->a, struct kube_cron_job);
	int r;

	if (!answer)
		return err_nomem(e);
	if (schema_equal(T_kube_cron_job_status, &w->cj.status, w->was))
		return 0;
	r = kclient_update_wait(w->s->c->client, w->o.r, "status", &w->cj, &w->s->a, answer, e);
	if (r == 0)
		expects_wrote(w->st->expects, w->o.key, &answer->metadata);
	return r;
}

static int work_wait(struct work *w, struct err *e)
{
	struct err why;
	int64_t at, next = 0;
	int r = 0, rc;

	if (update_active(w) < 0)
		return err_nomem(e);
	if (w->jobs.n)
		qsort(w->jobs.v, w->jobs.n, sizeof *w->jobs.v, by_start);
	if (kube_is_deleting(w->o.m))
		return write_status_wait(w, e);
	if (w->cj.spec.successful_jobs_history_limit)
		r = trim_wait(w, "Complete", *w->cj.spec.successful_jobs_history_limit, e);
	if (r == 0 && w->cj.spec.failed_jobs_history_limit)
		r = trim_wait(w, "Failed", *w->cj.spec.failed_jobs_history_limit, e);
	if (r < 0)
		return r;
	if (w->cj.spec.suspend && *w->cj.spec.suspend)
		return write_status_wait(w, e);
	if (w->cj.spec.time_zone && zone_load(w->cj.spec.time_zone, &w->zone) < 0) {
		kevents_add(w->s->k->events, w->o.r, w->o.m, NULL, "Warning", "UnknownTimeZone", "invalid timeZone: %s: unknown time zone %s",
			w->cj.spec.time_zone, w->cj.spec.time_zone);
		return write_status_wait(w, e);
	}
	if (cron_parse(w->cj.spec.schedule, &w->cron, &why) < 0) {
		kevents_add(w->s->k->events, w->o.r, w->o.m, NULL, "Warning", "UnparseableSchedule", "unparseable schedule: %s : %s", w->cj.spec.schedule, why.text);
		return write_status_wait(w, e);
	}
	at = due(w, &next);
	if (at)
		r = start_wait(w, at, e);
	if (next)
		ctl_add_after(w->s->k, w->o.key, next * NS_PER_S - w->s->now_ns + 100 * NS_PER_MS);
	if (r == -ECANCELED)
		return r;
	rc = write_status_wait(w, r < 0 ? &why : e);
	return r < 0 ? r : rc;
}

static int sync_wait(struct ctl *k, const char *key, struct err *e)
{
	struct state *st = k->own;
	AUTO(sync) struct sync s;
	struct work w = { .s = &s, .st = st };
	const struct kube_cron_job *cached;
	int r;

	sync_begin(&s, k);
	cached = sync_get(&s, st->cron_jobs, key);
	if (!cached) {
		expects_forget(st->expects, key);
		expects_forget(st->job_expects, key);
		return 0;
	}
	if (!expects_met(st->expects, k, key, st->cron_jobs) || !expects_met(st->job_expects, k, key, st->jobs))
		return 0;
	w.cj = *cached;
	w.was = &cached->status;
	w.o = (struct owner){ .r = informer_resource(st->cron_jobs), .m = &w.cj.metadata, .key = key };
	r = sync_list(&s, st->jobs, "controller", w.cj.metadata.uid, &w.jobs);
	r = r < 0 ? err_sys(e, r, "listing jobs of %s", key) : work_wait(&w, e);
	zone_free(w.zone);
	return r == -ENOENT ? 0 : r;
}

static void on_job(struct ctl *k, struct kobject *old, struct kobject *now) { ctl_enqueue_owner(k, "CronJob", old, now); }

static void release(struct ctl *k)
{
	expects_free(((struct state *)k->own)->expects);
	expects_free(((struct state *)k->own)->job_expects);
}

int cronjob_start(struct control *c, struct err *e)
{
	struct ctl *k = ctl_new(c, "cronjob", "cronjob-controller", 4, sync_wait, sizeof(struct state));
	struct state *st;
	int r;

	if (!k)
		return -ENOMEM;
	st = k->own;
	k->release = release;
	st->cron_jobs = ctl_need(k, "batch", "cronjobs");
	st->jobs = ctl_need(k, "batch", "jobs");
	r = expects_new(c->loop, &st->expects);
	if (r == 0)
		r = expects_new(c->loop, &st->job_expects);
	if (r == 0)
		r = ctl_index_controller(st->jobs);
	if (r == 0)
		r = ctl_on(k, st->cron_jobs, ctl_enqueue);
	return r == 0 ? ctl_on(k, st->jobs, on_job) : r;
}
