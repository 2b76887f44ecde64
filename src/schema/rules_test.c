/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/schema.h"

#include "api/docker.h"
#include "api/kube.h"
#include "base/auto.h"
#include "base/test.h"

static struct arena a = { .max_bytes = 64 << 20 };
static struct err e;

static void read_into(struct schema_ref t, const char *doc, void *obj)
{
	CHECK_OK(schema_from_json(t, slice_of(doc), SCHEMA_STRICT, &a, obj, &e), &e);
}

TEST(defaults_fill_what_is_absent_at_any_depth)
{
	struct kube_deployment d;
	read_into(T_kube_deployment, "{\"spec\":{\"replicas\":0,\"strategy\":{\"rollingUpdate\":{\"maxSurge\":1}},\"template\":{\"spec\":{\"containers\":["
		"{\"name\":\"c\",\"ports\":[{\"containerPort\":80}],\"livenessProbe\":{\"periodSeconds\":3}}]}}}}", &d);
	CHECK_INT(schema_default(T_kube_deployment, &a, &d), 0);
	CHECK_INT(*d.spec.replicas, 0);
	CHECK_INT(*d.spec.revision_history_limit, 10);
	CHECK_STR(d.spec.strategy.type, "RollingUpdate");
	CHECK_STR(d.spec.strategy.rolling_update->max_unavailable->string, "25%");
	CHECK(!d.spec.strategy.rolling_update->max_surge->string && d.spec.strategy.rolling_update->max_surge->number == 1);
	const struct kube_pod_spec *p = &d.spec.template.spec;
	CHECK_STR(p->restart_policy, "Always");
	CHECK_INT(*p->termination_grace_period_seconds, 30);
	CHECK_STR(p->containers[0].ports[0].protocol, "TCP");
	CHECK_INT(p->containers[0].liveness_probe->period_seconds, 3);
	CHECK_INT(p->containers[0].liveness_probe->failure_threshold, 3);
}

TEST(validation_names_every_problem_as_kubernetes_does)
{
	struct kube_cron_job c;
	struct kube_runtime_class r;
	AUTO(buf) struct buf b = BUF_INIT(1 << 16);
	read_into(T_kube_cron_job, "{\"spec\":{\"schedule\":\"\",\"concurrencyPolicy\":\"Sometimes\",\"failedJobsHistoryLimit\":-1,\"jobTemplate\":{\"spec\":{"
		"\"parallelism\":-2,\"template\":{\"spec\":{\"containers\":null}}}}}}", &c);
	CHECK_INT(schema_validate(T_kube_cron_job, &c, NULL, &b), 3);
	CHECK_STR(b.ptr, "spec.concurrencyPolicy: Unsupported value: \"Sometimes\": supported values: \"Allow\", \"Forbid\", \"Replace\", "
		"spec.jobTemplate.spec.parallelism: Invalid value: -2: must be greater than or equal to 0, "
		"spec.failedJobsHistoryLimit: Invalid value: -1: must be greater than or equal to 0");
	buf_reset(&b);
	read_into(T_kube_runtime_class, "{\"handler\":\"A b\"}", &r);
	CHECK_INT(schema_validate(T_kube_runtime_class, &r, NULL, &b), 1);
	CHECK_STR(b.ptr, "handler: Invalid value: \"A b\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
		"and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
		"'[a-z0-9]([-a-z0-9]*[a-z0-9])?')");
	buf_reset(&b);
	read_into(T_kube_runtime_class, "{\"handler\":\"\"}", &r);
	CHECK_INT(schema_validate(T_kube_runtime_class, &r, NULL, &b), 1);
	CHECK_STR(b.ptr, "handler: Required value");
}

TEST(immutable_fields_may_not_change)
{
	struct kube_runtime_class old, new;
	AUTO(buf) struct buf b = BUF_INIT(1 << 16);
	read_into(T_kube_runtime_class, "{\"handler\":\"a\"}", &old);
	read_into(T_kube_runtime_class, "{\"handler\":\"a\"}", &new);
	CHECK_INT(schema_validate(T_kube_runtime_class, &new, &old, &b), 0);
	new.handler = "b";
	CHECK_INT(schema_validate(T_kube_runtime_class, &new, &old, &b), 1);
	CHECK_STR(b.ptr, "handler: Invalid value: \"b\": field is immutable");
}

TEST(older_clients_get_the_fields_of_their_version)
{
	struct docker_network n = { .name = "n" };
	AUTO(buf) struct buf b = BUF_INIT(1 << 16);
	CHECK_INT(schema_to_json(T_docker_network, &n, SCHEMA_API(47), &b), 0);
	CHECK(!strstr(b.ptr, "EnableIPv4") && strstr(b.ptr, "EnableIPv6"));
	buf_reset(&b);
	CHECK_INT(schema_to_json(T_docker_network, &n, SCHEMA_API(48), &b), 0);
	CHECK(strstr(b.ptr, "EnableIPv4") != NULL);
	buf_reset(&b);
	CHECK_INT(schema_to_json(T_docker_network, &n, 0, &b), 0);
	CHECK(strstr(b.ptr, "EnableIPv4") != NULL);
}
