// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include "base/clock.h"
#include "base/num.h"
#include "kube/control/job_int.h"

int index_set_init(struct arena *a, struct index_set *x, int32_t size)
{
	if (size < 0 || size > JOB_INDEXES_MAX)
		return -E2BIG;
	*x = (struct index_set){ arena_alloc(a, (size_t)size / 8 + 1), size, 0 };
	return x->bits ? 0 : -ENOMEM;
}

bool index_set_has(const struct index_set *x, int32_t i) { return i >= 0 && i < x->size && (x->bits[i / 8] >> (i % 8) & 1); }

void index_set_add(struct index_set *x, int32_t i)
{
	if (i < 0 || i >= x->size || index_set_has(x, i))
		return;
	x->bits[i / 8] |= (uint8_t)(1u << (i % 8));
	x->n++;
}

void index_set_read(struct index_set *x, const char *text)
{
	struct slice rest = slice_of(text), piece;

	while (slice_next(&rest, ',', &piece)) {
		struct slice from, to;
		bool range = slice_cut(piece, '-', &from, &to);
		int64_t first, last;

		if (num_parse_i64(from, 0, INT32_MAX, &first) < 0)
			continue;
		last = first;
		if (range && num_parse_i64(to, first, INT32_MAX, &last) < 0)
			continue;
		for (int64_t i = first; i <= last && i < x->size; i++)
			index_set_add(x, (int32_t)i);
	}
}

const char *index_set_text(struct arena *a, const struct index_set *x)
{
	AUTO(buf) struct buf out = BUF_INIT(1024 * 1024);

	if (!x->n)
		return NULL;
	for (int32_t i = 0; i < x->size; i++) {
		int32_t last = i;

		if (!index_set_has(x, i))
			continue;
		while (index_set_has(x, last + 1))
			last++;
		buf_addf(&out, "%s%d", out.len ? "," : "", i);
		if (last > i)
			buf_addf(&out, "%c%d", last == i + 1 ? ',' : '-', last);
		i = last;
	}
	return buf_error(&out) ? NULL : arena_dup(a, buf_slice(&out));
}

int32_t job_pod_index(const struct kube_pod *p)
{
	const char *text = kube_annotation(&p->metadata, JOB_INDEX);
	int64_t n;

	return text && num_parse_i64(slice_of(text), 0, INT32_MAX, &n) == 0 ? (int32_t)n : -1;
}

int64_t job_pod_finished_ns(const struct kube_pod *p)
{
	int64_t last = 0;

	for (uint32_t i = 0; i < p->status.n_container_statuses; i++) {
		const struct kube_container_state_terminated *t = p->status.container_statuses[i].state.terminated;
		int64_t at = t ? kube_time_ns(t->finished_at) : 0;

		last = MAX(last, at);
	}
	return last ? last : kube_time_ns(p->metadata.deletion_timestamp);
}

/* --- failure policy */

static bool has_value(const struct kube_pod_failure_policy_on_exit_codes_requirement *q, int32_t code)
{
	for (uint32_t i = 0; i < q->n_values; i++)
		if (q->values[i] == code)
			return true;
	return false;
}

static const struct kube_container_status *exit_match(const struct kube_pod_failure_policy_on_exit_codes_requirement *q,
	const struct kube_container_status *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct kube_container_state_terminated *t = v[i].state.terminated;

		if (!t || t->exit_code == 0 || (q->container_name && *q->container_name && !text_eq(q->container_name, v[i].name)))
			continue;
		if (has_value(q, t->exit_code) == text_eq(q->operator, "In"))
			return &v[i];
	}
	return NULL;
}

static const struct kube_pod_condition *condition_match(const struct kube_pod_failure_policy_rule *r, const struct kube_pod *p)
{
	for (uint32_t i = 0; i < r->n_on_pod_conditions; i++) {
		const struct kube_pod_condition *c = kube_pod_condition(p, r->on_pod_conditions[i].type);
		const char *want = r->on_pod_conditions[i].status;

		if (c && text_eq(c->status, want && *want ? want : "True"))
			return c;
	}
	return NULL;
}

static enum job_action action_of(const char *name)
{
	return text_eq(name, "Ignore") ? JOB_IGNORE : text_eq(name, "FailJob") ? JOB_FAIL : text_eq(name, "FailIndex") ? JOB_FAIL_INDEX : JOB_COUNT;
}

enum job_action job_failure_action(struct arena *a, const struct kube_job *j, const struct kube_pod *p, const char **why)
{
	const struct kube_pod_failure_policy *f = j->spec.pod_failure_policy;

	for (uint32_t i = 0; f && i < f->n_rules; i++) {
		const struct kube_pod_failure_policy_rule *r = &f->rules[i];
		const struct kube_container_status *c = NULL;
		const struct kube_pod_condition *pc = NULL;

		if (r->on_exit_codes && !kube_is_deleting(&p->metadata)) {
			c = exit_match(r->on_exit_codes, p->status.container_statuses, p->status.n_container_statuses);
			if (!c)
				c = exit_match(r->on_exit_codes, p->status.init_container_statuses, p->status.n_init_container_statuses);
		}
		if (!c && r->n_on_pod_conditions)
			pc = condition_match(r, p);
		if (c)
			*why = arena_fmt(a, "Container %s for pod %s/%s failed with exit code %d matching %s rule at index %u", c->name, p->metadata.namespace,
				p->metadata.name, c->state.terminated->exit_code, r->action, i);
		else if (pc)
			*why = arena_fmt(a, "Pod %s/%s has condition %s matching %s rule at index %u", p->metadata.namespace, p->metadata.name, pc->type, r->action, i);
		if (c || pc)
			return action_of(r->action);
	}
	return JOB_COUNT;
}

int job_success_rule(struct arena *a, const struct kube_job *j, const struct index_set *succeeded)
{
	const struct kube_success_policy *p = j->spec.success_policy;

	for (uint32_t i = 0; p && i < p->n_rules; i++) {
		const struct kube_success_policy_rule *r = &p->rules[i];
		struct index_set want;
		int32_t among = 0;

		if (index_set_init(a, &want, succeeded->size) < 0)
			return -1;
		if (r->succeeded_indexes && *r->succeeded_indexes)
			index_set_read(&want, r->succeeded_indexes);
		else
			for (int32_t k = 0; k < want.size; k++)
				index_set_add(&want, k);
		for (int32_t k = 0; k < want.size; k++)
			among += index_set_has(&want, k) && index_set_has(succeeded, k);
		if (among >= (r->succeeded_count ? *r->succeeded_count : want.n))
			return (int)i;
	}
	return -1;
}

int64_t job_backoff_ns(unsigned failures)
{
	if (!failures)
		return 0;
	failures = MIN(failures, 10u);
	return MIN((10 * NS_PER_S) << (failures - 1), 600 * NS_PER_S);
}
