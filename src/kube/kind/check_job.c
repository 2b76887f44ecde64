/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs and cron jobs. Source: pkg/apis/batch/validation. */
#include "kube/kind/check_work.h"

#include "base/num.h"

#define MANY_COMPLETIONS "must be less than or equal to 10000 when completions are above 100000 and used with backoff limit per index"
enum { MANY = 100000, TEN_THOUSAND = 10000, MAX_RULES = 20, MAX_EXIT_CODES = 255, MAX_INDEXES = 64 * 1024 };

static void check_exit_codes(struct check *c, const struct kube_pod_failure_policy_on_exit_codes_requirement *r, const struct kube_pod_spec *pod)
{
	AUTO(buf) struct buf values = BUF_INIT(16 << 10);
	bool is_known = !r->container_name, is_ordered = true;
	if (!is_set(r->operator))
		wrong(c, "operator", REQUIRED ": valid values: [\"In\" \"NotIn\"]");
	else
		one_of(c, "operator", r->operator, "In|NotIn");
	for (uint32_t i = 0; !is_known && i < pod->n_containers; i++)
		is_known = is(pod->containers[i].name, r->container_name);
	for (uint32_t i = 0; !is_known && i < pod->n_init_containers; i++)
		is_known = is(pod->init_containers[i].name, r->container_name);
	if (!is_known)
		wrong_text(c, "containerName", r->container_name, "must be one of the container or initContainer names in the pod template");
	if (!r->n_values)
		wrong(c, "values", "Invalid value: %s: at least one value is required", r->values ? "[]" : "null");
	else if (r->n_values > MAX_EXIT_CODES)
		wrong(c, "values", "Too many: %u: must have at most %u items", r->n_values, MAX_EXIT_CODES);
	EACH(c, "values", i, r->n_values) {
		if (is(r->operator, "In") && !r->values[i])
			wrong_int(c, NULL, 0, "must not be 0 for the In operator");
		uint32_t j = 0;
		while (j < i && r->values[j] != r->values[i])
			j++;
		if (j < i)
			wrong(c, NULL, "Duplicate value: %d", r->values[i]);
		if (i && r->values[i - 1] > r->values[i])
			is_ordered = false;
		buf_addf(&values, "%s%d", i ? "," : "", r->values[i]);
	}
	if (!is_ordered)
		wrong(c, "values", "Invalid value: [%s]: must be ordered", values.ptr);
}

static void check_failure_policy(struct check *c, const struct kube_job_spec *s)
{
	const struct kube_pod_failure_policy *p = s->pod_failure_policy;
	if (p->n_rules > MAX_RULES)
		wrong(c, "rules", "Too many: %u: must have at most %u items", p->n_rules, MAX_RULES);
	EACH(c, "rules", i, p->n_rules) {
		const struct kube_pod_failure_policy_rule *r = &p->rules[i];
		if (!is_set(r->action))
			wrong(c, "action", REQUIRED ": valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]");
		else if (is(r->action, "FailIndex") && !s->backoff_limit_per_index)
			wrong_text(c, "action", r->action, "requires the backoffLimitPerIndex to be set");
		else
			one_of(c, "action", r->action, "Count|FailIndex|FailJob|Ignore");
		if (r->on_exit_codes)
			WITHIN(c, "onExitCodes") check_exit_codes(c, r->on_exit_codes, &s->template.spec);
		if (r->n_on_pod_conditions > MAX_RULES)
			wrong(c, "onPodConditions", "Too many: %u: must have at most %u items", r->n_on_pod_conditions, MAX_RULES);
		EACH(c, "onPodConditions", j, r->n_on_pod_conditions) {
			check_qualified_name(c, "type", r->on_pod_conditions[j].type);
			if (!is_set(r->on_pod_conditions[j].status))
				wrong(c, "status", REQUIRED ": valid values: [\"False\" \"True\" \"Unknown\"]");
			else
				one_of(c, "status", r->on_pod_conditions[j].status, "False|True|Unknown");
		}
		if (r->on_exit_codes && r->n_on_pod_conditions)
			wrong(c, NULL, "Invalid value: specifying both OnExitCodes and OnPodConditions is not supported");
		if (!r->on_exit_codes && !r->n_on_pod_conditions)
			wrong(c, NULL, "Invalid value: specifying one of OnExitCodes and OnPodConditions is required");
	}
}

/* A number of an index, below completions; what is wrong with it as Go's parser says it. */
static bool index_of(struct slice text, int64_t completions, int64_t *ret, struct buf *why)
{
	struct slice digits = text.len && *text.ptr == '+' ? slice_n(text.ptr + 1, text.len - 1) : text;
	if (num_parse_i64(digits, INT32_MIN, INT64_MAX, ret) < 0)
		buf_addf(why, "cannot convert string to integer for index: \"%.*s\"", SLICE_FMT(text));
	else if (*ret >= completions)
		buf_addf(why, "too large index: \"%.*s\"", SLICE_FMT(text));
	return !why->len;
}

/* How many indexes "0,2-4" names; says in why what is wrong. */
static int64_t count_indexes(const char *text, int64_t completions, struct buf *why)
{
	struct slice rest = slice_of(text), part, first, tail;
	int64_t total = 0, last = -1, x, y = 0;
	bool is_first = true;
	while (*text && slice_next(&rest, ',', &part)) {
		bool has_end = slice_cut(part, '-', &first, &tail);
		if (has_end && memchr(tail.ptr, '-', tail.len)) {
			buf_addf(why, "the fragment \"%.*s\" violates the requirement that an index interval can have at most two parts separated by '-'", SLICE_FMT(part));
			return 0;
		}
		if (!index_of(first, completions, &x, why) || (has_end && !index_of(tail, completions, &y, why)))
			return 0;
		if (!has_end)
			y = x;
		if (has_end && x >= y)
			buf_addf(why, "non-increasing order, previous: %lld, current: %lld", (long long)x, (long long)y);
		else if (!is_first && last >= x)
			buf_addf(why, "non-increasing order, previous: %lld, current: %lld", (long long)last, (long long)x);
		if (why->len)
			return 0;
		total += y - x + 1;
		last = y;
		is_first = false;
	}
	return total;
}

static void check_success_policy(struct check *c, const struct kube_job_spec *s)
{
	const struct kube_success_policy *p = s->success_policy;
	int64_t completions = s->completions ? *s->completions : 0;
	if (!p->n_rules)
		wrong(c, "rules", REQUIRED ": at least one rules must be specified when the successPolicy is specified");
	if (p->n_rules > MAX_RULES)
		wrong(c, "rules", "Too many: %u: must have at most %u items", p->n_rules, MAX_RULES);
	EACH(c, "rules", i, p->n_rules) {
		const struct kube_success_policy_rule *r = &p->rules[i];
		AUTO(buf) struct buf why = BUF_INIT(4096);
		int64_t total = 0;
		if (!r->succeeded_count && !r->succeeded_indexes)
			wrong(c, NULL, REQUIRED ": at least one of succeededCount or succeededIndexes must be specified");
		if (r->succeeded_indexes) {
			if (strlen(r->succeeded_indexes) > MAX_INDEXES)
				wrong(c, "succeededIndexes", "Too long: may not be more than %u bytes", MAX_INDEXES);
			total = count_indexes(r->succeeded_indexes, completions, &why);
			if (why.len)
				wrong_text(c, "succeededIndexes", r->succeeded_indexes, "error parsing succeededIndexes: %s", why.ptr);
		}
		if (!r->succeeded_count)
			continue;
		check_nonnegative(c, "succeededCount", *r->succeeded_count);
		if (*r->succeeded_count > completions)
			wrong_int(c, "succeededCount", *r->succeeded_count, "must be less than or equal to %lld (the number of specified completions)",
				(long long)completions);
		if (r->succeeded_indexes && *r->succeeded_count > total)
			wrong_int(c, "succeededCount", *r->succeeded_count,
				"must be less than or equal to %lld (the number of indexes in the specified succeededIndexes field)", (long long)total);
	}
}

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
	if (s->managed_by) {
		const char *path = strchr(s->managed_by, '/');
		if (!*s->managed_by)
			wrong(c, "managedBy", REQUIRED);
		else if (!path || path == s->managed_by || !path[1])
			wrong_text(c, "managedBy", s->managed_by, "must be a domain-prefixed path (such as \"acme.io/foo\")");
		else
			check_name(c, "managedBy", arena_fmt(c->a, "%.*s", (int)(path - s->managed_by), s->managed_by), NAME_SUBDOMAIN);
		if (strlen(s->managed_by) > 63)
			wrong(c, "managedBy", "Too long: may not be more than 63 bytes");
	}
	if (is_indexed) {
		if (!s->completions)
			wrong(c, "completions", REQUIRED ": when completion mode is Indexed");
		if (s->parallelism && *s->parallelism > MANY)
			wrong_int(c, "parallelism", *s->parallelism, "must be less than or equal to 100000 when completion mode is Indexed");
		if (s->completions && s->max_failed_indexes && *s->max_failed_indexes > *s->completions)
			wrong_int(c, "maxFailedIndexes", *s->max_failed_indexes, "must be less than or equal to completions");
		if (s->max_failed_indexes && *s->max_failed_indexes > MANY)
			wrong_int(c, "maxFailedIndexes", *s->max_failed_indexes, "must be less than or equal to 100000");
		if (s->completions && *s->completions > MANY && s->backoff_limit_per_index) {
			if (!s->max_failed_indexes)
				wrong(c, "maxFailedIndexes", REQUIRED ": must be specified when completions is above 100000");
			else if (*s->max_failed_indexes > TEN_THOUSAND)
				wrong_int(c, "maxFailedIndexes", *s->max_failed_indexes, MANY_COMPLETIONS);
			if (s->parallelism && *s->parallelism > TEN_THOUSAND)
				wrong_int(c, "parallelism", *s->parallelism, MANY_COMPLETIONS);
		}
	} else if (!s->completion_mode || is(s->completion_mode, "NonIndexed")) {
		if (s->backoff_limit_per_index)
			wrong_int(c, "backoffLimitPerIndex", *s->backoff_limit_per_index, "requires indexed completion mode");
		if (s->max_failed_indexes)
			wrong_int(c, "maxFailedIndexes", *s->max_failed_indexes, "requires indexed completion mode");
	}
	if (s->pod_failure_policy)
		WITHIN(c, "podFailurePolicy") check_failure_policy(c, s);
	if (s->success_policy && !is_indexed)
		wrong_value(c, "successPolicy", T_kube_success_policy, s->success_policy, "requires indexed completion mode");
	else if (s->success_policy)
		WITHIN(c, "successPolicy") check_success_policy(c, s);
	if (s->pod_replacement_policy)
		one_of(c, "podReplacementPolicy", s->pod_replacement_policy, s->pod_failure_policy ? "Failed" : "Failed|TerminatingOrFailed");
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
		if (o->spec.selector)
			WITHIN(c, "template") check_matched(c, t, o->spec.selector);
		if (!old && !is_manual && o->spec.selector && selector_is_valid(c, o->spec.selector)) {
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
