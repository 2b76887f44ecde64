/* SPDX-License-Identifier: Apache-2.0 */
/* Deployments and what is like them. Source: pkg/apis/apps/validation. */
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
	return v->string ? !percent_of(v, &p) || p == 0 : v->number == 0;
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
		if (strcmp(what, "daemonset"))  /* of a daemon set only the labels are said to be wrong */
			wrong(c, "selector", REQUIRED);
		return;
	}
	check_selector(c, "selector", s);
	if (!selector_is_valid(c, s) && strcmp(what, "daemonset"))
		wrong_value(c, "selector", T_kube_label_selector, s, strcmp(what, "statefulset") ? "invalid label selector" : "");
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
				wrong(c, NULL, "Unsupported value: {\"Type\":%s,\"RollingUpdate\":null}: supported values: \"Recreate\", \"RollingUpdate\"",
					check_quote(c, or_empty(s->strategy.type)));
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
		if (!is(s->update_strategy.type, "RollingUpdate") && !is(s->update_strategy.type, "OnDelete"))
			wrong(c, "updateStrategy", "Unsupported value: {\"Type\":%s,\"RollingUpdate\":null}: supported values: \"RollingUpdate\", \"OnDelete\"",
				check_quote(c, or_empty(s->update_strategy.type)));
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
			wrong(c, "updateStrategy", "Invalid value: {\"Type\":%s,\"RollingUpdate\":null}: must be 'RollingUpdate' or 'OnDelete'", check_quote(c, or_empty(u->type)));
		if (!is_set(s->pod_management_policy))
			wrong(c, "podManagementPolicy", REQUIRED);
		else if (!is(s->pod_management_policy, "OrderedReady") && !is(s->pod_management_policy, "Parallel"))
			wrong_text(c, "podManagementPolicy", s->pod_management_policy, "must be 'OrderedReady' or 'Parallel'");
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
