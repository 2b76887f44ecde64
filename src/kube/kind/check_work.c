/* SPDX-License-Identifier: Apache-2.0 */
/* What makes pods: deployments and the like, jobs. Source: pkg/apis/apps/validation, pkg/apis/batch/validation. */
#include "kube/kind/check_work.h"

static bool percent_of(const struct schema_int_or_string *v, long *ret)
{
	const char *s = v->string;
	size_t n = s ? strlen(s) : 0;
	*ret = 0;
	if (n < 2 || s[n - 1] != '%' || strspn(s, "0123456789") != n - 1)
		return false;
	for (size_t i = 0; i < n - 1; i++)
		*ret = MIN(*ret * 10 + (s[i] - '0'), 1000000L);
	return true;
}

static bool is_zero(const struct schema_int_or_string *v)
{
	long p;
	return v->string ? percent_of(v, &p) && p == 0 : v->number == 0;
}

void check_int_or_percent(struct check *c, const char *field, const struct schema_int_or_string *v, bool at_most_100)
{
	long percent;
	if (!v)
		return;
	if (!v->string) {
		check_nonnegative(c, field, v->number);
	} else if (!percent_of(v, &percent)) {
		wrong_text(c, field, v->string, "a valid percent string must be a numeric string followed by an ending '%%' (e.g. '1%%',  or '93%%', regex used for "
			"validation is '[0-9]+%%')");
	} else if (at_most_100 && percent > 100) {
		wrong_text(c, field, v->string, "must not be greater than 100%%");
	}
}

static void check_some_selector(struct check *c, const struct kube_label_selector *s, const char *what)
{
	if (!s) {
		wrong(c, "selector", REQUIRED);
		return;
	}
	check_selector(c, "selector", s);
	if (!s->n_match_labels && !s->n_match_expressions)
		wrong_value(c, "selector", T_kube_label_selector, s, arena_fmt(c->a, "empty selector is invalid for %s", what));
}

void kind_validate_deployment(struct check *c, const void *obj, const void *old)
{
	const struct kube_deployment_spec *s = &((const struct kube_deployment *)obj)->spec;
	WITHIN(c, "spec") {
		check_some_selector(c, s->selector, "deployment");
		c->kind = "ReplicaSet";
		check_controller_template(c, &s->template, s->selector);
		const struct kube_rolling_update_deployment *r = s->strategy.rolling_update;
		WITHIN(c, "strategy") {
			if (is(s->strategy.type, "Recreate")) {
				if (r)
					wrong(c, "rollingUpdate", "Forbidden: may not be specified when strategy `type` is 'Recreate'");
			} else if (!is(s->strategy.type, "RollingUpdate")) {
				AUTO(buf) struct buf b = BUF_INIT(4096);
				schema_to_json(T_kube_deployment_strategy, &s->strategy, 0, &b);
				wrong(c, NULL, "Unsupported value: %s: supported values: \"Recreate\", \"RollingUpdate\"", b.ptr);
			} else if (r) WITHIN(c, "rollingUpdate") {
				check_int_or_percent(c, "maxUnavailable", r->max_unavailable, true);
				check_int_or_percent(c, "maxSurge", r->max_surge, false);
				if (r->max_unavailable && r->max_surge && is_zero(r->max_unavailable) && is_zero(r->max_surge)) {
					if (r->max_unavailable->string)
						wrong_text(c, "maxUnavailable", r->max_unavailable->string, "may not be 0 when `maxSurge` is 0");
					else
						wrong_int(c, "maxUnavailable", 0, "may not be 0 when `maxSurge` is 0");
				}
			}
		}
		if (s->progress_deadline_seconds) {
			check_nonnegative(c, "progressDeadlineSeconds", *s->progress_deadline_seconds);
			if (*s->progress_deadline_seconds <= s->min_ready_seconds)
				wrong_int(c, "progressDeadlineSeconds", *s->progress_deadline_seconds, "must be greater than minReadySeconds");
		}
		if (old)
			check_immutable(c, "selector", T_kube_label_selector, s->selector, ((const struct kube_deployment *)old)->spec.selector);
	}
}

void kind_validate_replica_set(struct check *c, const void *obj, const void *old)
{
	const struct kube_replica_set_spec *s = &((const struct kube_replica_set *)obj)->spec;
	WITHIN(c, "spec") {
		check_some_selector(c, s->selector, "deployment");
		c->kind = "ReplicaSet";
		check_controller_template(c, &s->template, s->selector);
		if (old)
			check_immutable(c, "selector", T_kube_label_selector, s->selector, ((const struct kube_replica_set *)old)->spec.selector);
	}
}

void kind_validate_replication_controller(struct check *c, const void *obj, const void *old)
{
	const struct kube_replication_controller_spec *s = &((const struct kube_replication_controller *)obj)->spec;
	(void)old;
	WITHIN(c, "spec") {
		struct kube_label_selector all = { .match_labels = s->selector, .n_match_labels = s->n_selector };
		if (!s->n_selector)
			wrong(c, "selector", REQUIRED);
		if (!s->template) {
			wrong(c, "template", REQUIRED);
			return;
		}
		c->kind = "ReplicationController";
		check_controller_template(c, s->template, &all);
	}
}

void kind_validate_daemon_set(struct check *c, const void *obj, const void *old)
{
	const struct kube_daemon_set_spec *s = &((const struct kube_daemon_set *)obj)->spec;
	WITHIN(c, "spec") {
		check_some_selector(c, s->selector, "daemonset");
		c->kind = "DaemonSet";
		check_controller_template(c, &s->template, s->selector);
		const struct kube_rolling_update_daemon_set *r = s->update_strategy.rolling_update;
		WITHIN(c, "updateStrategy") {
			if (is(s->update_strategy.type, "RollingUpdate") && r && r->max_unavailable && r->max_surge) WITHIN(c, "rollingUpdate") {
				check_int_or_percent(c, "maxUnavailable", r->max_unavailable, true);
				check_int_or_percent(c, "maxSurge", r->max_surge, true);
				if (!is_zero(r->max_unavailable) && !is_zero(r->max_surge)) {
					if (r->max_surge->string)
						wrong_text(c, "maxSurge", r->max_surge->string, "may not be set when maxUnavailable is non-zero");
					else
						wrong_int(c, "maxSurge", r->max_surge->number, "may not be set when maxUnavailable is non-zero");
				} else if (is_zero(r->max_unavailable) && is_zero(r->max_surge)) {
					wrong(c, "maxUnavailable", REQUIRED ": cannot be 0 when maxSurge is 0");
				}
			}
		}
		if (old)
			check_immutable(c, "selector", T_kube_label_selector, s->selector, ((const struct kube_daemon_set *)old)->spec.selector);
	}
}

/* The template with the volumes that the claims will be. */
static struct kube_pod_template_spec *with_claims(struct check *c, const struct kube_stateful_set_spec *s)
{
	struct kube_pod_template_spec *t = arena_new(c->a, struct kube_pod_template_spec);
	struct kube_volume *v = arena_array(c->a, s->template.spec.n_volumes + s->n_volume_claim_templates, sizeof *v);
	uint32_t n = 0;
	if (!t || !v)
		return NULL;
	*t = s->template;
	for (uint32_t i = 0; i < s->n_volume_claim_templates; i++) {
		v[n].persistent_volume_claim = arena_new(c->a, struct kube_persistent_volume_claim_volume_source);
		if (!v[n].persistent_volume_claim)
			return NULL;
		v[n].name = s->volume_claim_templates[i].metadata.name;
		v[n++].persistent_volume_claim->claim_name = s->volume_claim_templates[i].metadata.name;
	}
	for (uint32_t i = 0; i < s->template.spec.n_volumes; i++) {
		bool replaced = false;
		for (uint32_t k = 0; k < s->n_volume_claim_templates; k++)
			replaced |= is(v[k].name, or_empty(s->template.spec.volumes[i].name));
		if (!replaced)
			v[n++] = s->template.spec.volumes[i];
	}
	t->spec.volumes = v;
	t->spec.n_volumes = n;
	t->spec.subdomain = t->spec.hostname = NULL;
	return t;
}

void kind_validate_stateful_set(struct check *c, const void *obj, const void *old)
{
	const struct kube_stateful_set_spec *s = &((const struct kube_stateful_set *)obj)->spec;
	WITHIN(c, "spec") {
		const struct kube_stateful_set_update_strategy *u = &s->update_strategy;
		if (is(u->type, "OnDelete") && u->rolling_update)
			WITHIN(c, "updateStrategy") wrong_value(c, "rollingUpdate", T_kube_rolling_update_stateful_set_strategy, u->rolling_update,
				"only allowed for updateStrategy 'RollingUpdate'");
		else if (!is(u->type, "OnDelete") && !is(u->type, "RollingUpdate"))
			wrong_value(c, "updateStrategy", T_kube_stateful_set_update_strategy, u, "must be 'RollingUpdate' or 'OnDelete'");
		if (u->rolling_update && u->rolling_update->partition)
			WITHIN(c, "updateStrategy") WITHIN(c, "rollingUpdate") check_nonnegative(c, "partition", *u->rolling_update->partition);
		if (!old && is_set(s->service_name))
			check_name(c, "serviceName", s->service_name, NAME_LABEL);
		check_some_selector(c, s->selector, "statefulset");
		c->kind = "StatefulSet";
		struct kube_pod_template_spec *t = with_claims(c, s);
		if (t)
			check_controller_template(c, t, s->selector);
		EACH(c, "volumeClaimTemplates", i, old ? 0 : s->n_volume_claim_templates) {
			if (!is_set(s->volume_claim_templates[i].metadata.name))
				WITHIN(c, "metadata") wrong(c, "name", REQUIRED);
			WITHIN(c, "spec") check_claim_spec(c, &s->volume_claim_templates[i].spec);
		}
	}
	if (!old)
		return;
	const struct kube_stateful_set_spec *was = &((const struct kube_stateful_set *)old)->spec;
	struct kube_stateful_set_spec rest = *s;
	rest.replicas = was->replicas;
	rest.template = was->template;
	rest.update_strategy = was->update_strategy;
	rest.min_ready_seconds = was->min_ready_seconds;
	rest.ordinals = was->ordinals;
	rest.revision_history_limit = was->revision_history_limit;
	rest.persistent_volume_claim_retention_policy = was->persistent_volume_claim_retention_policy;
	if (!kind_is_same(T_kube_stateful_set_spec, &rest, was))
		wrong(c, "spec", "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
			"'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden");
}

/* --- jobs --- */

static void check_job_spec(struct check *c, const struct kube_job_spec *s)
{
	bool is_indexed = is(s->completion_mode, "Indexed");
	if (s->backoff_limit_per_index)
		check_nonnegative(c, "backoffLimitPerIndex", *s->backoff_limit_per_index);
	if (s->max_failed_indexes) {
		check_nonnegative(c, "maxFailedIndexes", *s->max_failed_indexes);
		if (!s->backoff_limit_per_index)
			wrong(c, "backoffLimitPerIndex", REQUIRED ": when maxFailedIndexes is specified");
	}
	if (is_indexed) {
		if (!s->completions)
			wrong(c, "completions", REQUIRED ": when completion mode is Indexed");
		if (s->parallelism && *s->parallelism > 100000)
			wrong_int(c, "parallelism", *s->parallelism, "must be less than or equal to 100000 when completion mode is Indexed");
		if (s->completions && s->max_failed_indexes && *s->max_failed_indexes > *s->completions)
			wrong_int(c, "maxFailedIndexes", *s->max_failed_indexes, "must be less than or equal to completions");
	} else {
		if (s->backoff_limit_per_index)
			wrong_int(c, "backoffLimitPerIndex", *s->backoff_limit_per_index, "requires indexed completion mode");
		if (s->max_failed_indexes)
			wrong_int(c, "maxFailedIndexes", *s->max_failed_indexes, "requires indexed completion mode");
		if (s->success_policy)
			wrong_value(c, "successPolicy", T_kube_success_policy, s->success_policy, "requires indexed completion mode");
	}
	if (s->pod_replacement_policy)
		one_of(c, "podReplacementPolicy", s->pod_replacement_policy, "Failed|TerminatingOrFailed");
	WITHIN(c, "template") {
		const char *policy = s->template.spec.restart_policy;
		check_template(c, &s->template);
		WITHIN(c, "spec") {
			if (!is_set(policy) || is(policy, "Always"))
				wrong(c, "restartPolicy", REQUIRED ": valid values: \"OnFailure\", \"Never\"");
			else if (!is(policy, "OnFailure") && !is(policy, "Never"))
				one_of(c, "restartPolicy", policy, "OnFailure|Never");
			else if (s->pod_failure_policy && !is(policy, "Never"))
				wrong_text(c, "restartPolicy", policy, "only \"Never\" is supported when podFailurePolicy is specified");
		}
	}
}

static void check_job_update(struct check *c, const struct kube_job_spec *s, const struct kube_job_spec *old)
{
	bool same = s->completions && old->completions ? *s->completions == *old->completions : s->completions == old->completions;
	if (!same && !is(s->completion_mode, "Indexed")) {
		if (s->completions)
			wrong_int(c, "completions", *s->completions, "field is immutable");
		else
			wrong(c, "completions", "Invalid value: null: field is immutable");
	} else if (!same && s->completions && s->parallelism && *s->completions != *s->parallelism) {
		wrong_int(c, "completions", *s->completions, "can only be modified in tandem with spec.parallelism");
	}
	check_immutable(c, "selector", T_kube_label_selector, s->selector, old->selector);
	struct kube_pod_template_spec rest = s->template;
	if (old->suspend && *old->suspend) {
		/* while it sleeps, where its pods go may still change */
		rest.metadata.labels = old->template.metadata.labels;
		rest.metadata.n_labels = old->template.metadata.n_labels;
		rest.metadata.annotations = old->template.metadata.annotations;
		rest.metadata.n_annotations = old->template.metadata.n_annotations;
		rest.spec.node_selector = old->template.spec.node_selector;
		rest.spec.n_node_selector = old->template.spec.n_node_selector;
		rest.spec.tolerations = old->template.spec.tolerations;
		rest.spec.n_tolerations = old->template.spec.n_tolerations;
		rest.spec.affinity = old->template.spec.affinity;
		rest.spec.scheduling_gates = old->template.spec.scheduling_gates;
		rest.spec.n_scheduling_gates = old->template.spec.n_scheduling_gates;
	}
	check_immutable(c, "template", T_kube_pod_template_spec, &rest, &old->template);
	check_immutable_text(c, "completionMode", s->completion_mode, old->completion_mode);
	check_immutable(c, "podFailurePolicy", T_kube_pod_failure_policy, s->pod_failure_policy, old->pod_failure_policy);
	check_immutable(c, "successPolicy", T_kube_success_policy, s->success_policy, old->success_policy);
	check_immutable_text(c, "managedBy", s->managed_by, old->managed_by);
}

void kind_validate_job(struct check *c, const void *obj, const void *old)
{
	const struct kube_job *o = obj;
	const struct kube_object_meta *t = &o->spec.template.metadata;
	bool is_manual = o->spec.manual_selector && *o->spec.manual_selector;
	WITHIN(c, "spec") {
		check_job_spec(c, &o->spec);
		if (!o->spec.selector)
			wrong(c, "selector", REQUIRED);
		else
			check_selector(c, "selector", o->spec.selector);
		if (o->spec.selector && !template_matches(o->spec.selector, t->labels, t->n_labels))
			WITHIN(c, "template") WITHIN(c, "metadata") wrong(c, "labels", "Invalid value: `selector` does not match template `labels`");
		if (!old && !is_manual && o->spec.selector) {
			struct schema_pair made[] = { { "controller-uid", o->metadata.uid }, { "batch.kubernetes.io/controller-uid", o->metadata.uid },
				{ "job-name", o->metadata.name }, { "batch.kubernetes.io/job-name", o->metadata.name } };
			if (!template_matches(o->spec.selector, made, ARRAY_LEN(made)))
				wrong_value(c, "selector", T_kube_label_selector, o->spec.selector, "`selector` not auto-generated");
		}
		if (old)
			check_job_update(c, &o->spec, &((const struct kube_job *)old)->spec);
	}
	if (!old && is(o->spec.completion_mode, "Indexed") && o->spec.completions && *o->spec.completions > 0) {
		const char *last = arena_fmt(c->a, "%s-%d", or_empty(o->metadata.name), *o->spec.completions - 1);
		if (!name_is(last, NAME_LABEL))
			WITHIN(c, "metadata") wrong_text(c, "name", o->metadata.name, "will not able to create pod with invalid DNS label: %s", last);
	}
}

void kind_validate_cron_job(struct check *c, const void *obj, const void *old)
{
	const struct kube_cron_job *o = obj;
	const struct kube_cron_job_spec *s = &o->spec;
	WITHIN(c, "spec") {
		AUTO(buf) struct buf why = BUF_INIT(4096);
		if (!is_set(s->schedule)) {
			wrong(c, "schedule", REQUIRED);
		} else {
			if (!cron_is_valid(s->schedule, &why))
				wrong_text(c, "schedule", s->schedule, "%s", why.ptr);
			if (strstr(s->schedule, "TZ"))
				wrong_text(c, "schedule", s->schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
		}
		if (s->time_zone && !*s->time_zone)
			wrong_text(c, "timeZone", "", "timeZone must be nil or non-empty string");
		else if (s->time_zone && (strstr(s->time_zone, "..") || s->time_zone[0] == '/' || s->time_zone[0] == '-'))
			wrong_text(c, "timeZone", s->time_zone, "unknown time zone %s", s->time_zone);
		else if (is(s->time_zone, "Local"))
			wrong_text(c, "timeZone", s->time_zone, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones");
		WITHIN(c, "jobTemplate") {
			WITHIN(c, "metadata") {
				check_labels(c, "labels", s->job_template.metadata.labels, s->job_template.metadata.n_labels);
				check_annotations(c, "annotations", s->job_template.metadata.annotations, s->job_template.metadata.n_annotations);
			}
			WITHIN(c, "spec") {
				check_job_spec(c, &s->job_template.spec);
				if (s->job_template.spec.manual_selector && *s->job_template.spec.manual_selector)
					one_of(c, "manualSelector", "true", "nil|false");
			}
		}
	}
	if (!old && strlen(or_empty(o->metadata.name)) > 52)
		WITHIN(c, "metadata") wrong_text(c, "name", o->metadata.name, "must be no more than 52 characters");
}
