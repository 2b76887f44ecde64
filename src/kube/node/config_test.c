/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/test.h"
#include "kube/node/gc.h"
#include "kube/node/server.h"

static struct arena a;
static struct node_settings set = { .name = "n1", .ip = "192.0.2.1", .pods_dir = "/p", .logs_dir = "/l", .seccomp_dir = "/s", .cluster_dns = "10.96.0.10",
	.cluster_domain = "cluster.local", .resolv_conf = "/dev/null", .memory_bytes = 1000 << 20, .cpu_milli = 4000 };

static struct kube_pod *pod(const char *spec)
{
	struct err e = { 0 };
	arena_init(&a, POD_ARENA_MAX);
	struct kube_pod *p = arena_new(&a, struct kube_pod);
	const char *json = arena_fmt(&a, "{\"metadata\":{\"name\":\"web-0\",\"namespace\":\"d\",\"uid\":\"u\",\"labels\":{\"b\":\"2\",\"a\":\"x\\\"y\"}},\"spec\":%s}", spec);
	CHECK_OK(schema_from_json(T_kube_pod, slice_of(json), 0, &a, p, &e), &e);
	return p;
}

TEST(variables_are_expanded_once_and_unknown_ones_stay)
{
	struct schema_pair env[] = { { "A", "1" }, { "B", "$(A)" } };
	arena_init(&a, 1 << 20);
	CHECK_STR(env_expand(&a, "$(A) $(B) $$(A) $(C) $A $", env, 2), "1 $(A) $(A) $(C) $A $");
	CHECK_STR(env_expand(&a, "$$$(A) $(", env, 2), "$1 $(");
	arena_release(&a);
}

TEST(fields_of_a_pod_have_the_downward_apis_form)
{
	struct kube_pod *p = pod("{\"serviceAccountName\":\"sa\",\"containers\":[]}");
	const char *ips[] = { "10.0.0.1", "fd00::1" }, *v = NULL;
	struct config_in in = { .set = &set, .pod = p, .pod_ip = ips[0], .pod_ips = ips, .n_pod_ips = 2 };
	struct err e = { 0 };
	CHECK_OK(field_value(&in, "metadata.labels", &a, &v, &e), &e);
	CHECK_STR(v, "a=\"x\\\"y\"\nb=\"2\"");
	CHECK_OK(field_value(&in, "metadata.labels['b']", &a, &v, &e), &e);
	CHECK_STR(v, "2");
	CHECK_OK(field_value(&in, "status.podIPs", &a, &v, &e), &e);
	CHECK_STR(v, "10.0.0.1,fd00::1");
	CHECK_OK(field_value(&in, "spec.nodeName", &a, &v, &e), &e);
	CHECK_STR(v, "n1");
	CHECK_INT(field_value(&in, "spec.nothing", &a, &v, &e), -EINVAL);
	arena_release(&a);
}

TEST(resources_are_divided_and_rounded_up)
{
	struct kube_pod *p = pod("{\"containers\":[{\"name\":\"c\",\"resources\":{\"limits\":{\"cpu\":\"1500m\",\"memory\":\"100Mi\"}}}]}");
	struct config_in in = { .set = &set, .pod = p };
	const struct kube_container *c = p->spec.containers;
	const char *v;
	struct err e = { 0 };
	CHECK_OK(resource_value(&in, c, "limits.cpu", NULL, &a, &v, &e), &e);
	CHECK_STR(v, "2");
	CHECK_OK(resource_value(&in, c, "limits.cpu", "1m", &a, &v, &e), &e);
	CHECK_STR(v, "1500");
	CHECK_OK(resource_value(&in, c, "limits.memory", "1Mi", &a, &v, &e), &e);
	CHECK_STR(v, "100");
	CHECK_OK(resource_value(&in, c, "requests.memory", NULL, &a, &v, &e), &e);
	CHECK_STR(v, "0");
	arena_release(&a);
}

TEST(quality_of_service_decides_cgroup_and_oom_score)
{
	struct cri_linux_container_resources r;
	struct kube_pod *p = pod("{\"containers\":[{\"name\":\"c\",\"resources\":{\"limits\":{\"cpu\":\"500m\",\"memory\":\"100Mi\"}}}]}");
	CHECK_STR(pod_qos(p), "Guaranteed");
	CHECK_STR(config_cgroup(&set, p, &a), "/kubepods/podu");
	config_resources(&set, p, p->spec.containers, &r);
	CHECK_INT(r.cpu_shares, 512);
	CHECK_INT(r.cpu_quota, 50000);
	CHECK_INT(r.memory_limit_in_bytes, 100 << 20);
	CHECK_INT(r.oom_score_adj, -997);
	arena_release(&a);
	p = pod("{\"containers\":[{\"name\":\"c\",\"resources\":{\"requests\":{\"memory\":\"100Mi\"}}}]}");
	CHECK_STR(config_cgroup(&set, p, &a), "/kubepods/burstable/podu");
	config_resources(&set, p, p->spec.containers, &r);
	CHECK_INT(r.oom_score_adj, 900);
	CHECK_INT(r.cpu_shares, 2);
	arena_release(&a);
	p = pod("{\"containers\":[{\"name\":\"c\"}]}");
	CHECK_STR(pod_qos(p), "BestEffort");
	config_resources(&set, p, p->spec.containers, &r);
	CHECK_INT(r.oom_score_adj, 1000);
	arena_release(&a);
}

TEST(names_are_resolved_by_the_cluster_unless_the_pod_is_on_the_hosts_network)
{
	struct cri_pod_sandbox_config c;
	struct err e = { 0 };
	struct config_in in = { .set = &set, .pod = pod("{\"containers\":[],\"subdomain\":\"s\",\"setHostnameAsFQDN\":true,"
		"\"dnsConfig\":{\"nameservers\":[\"192.0.2.53\"],\"options\":[{\"name\":\"ndots\",\"value\":\"2\"},{\"name\":\"x\"}]}}") };
	CHECK_OK(config_sandbox(&in, 3, &a, &c, &e), &e);
	CHECK_STR(c.hostname, "web-0.s.d.svc.cluster.local");
	CHECK_INT(c.dns_config->n_servers, 2);
	CHECK_STR(c.dns_config->servers[0], "10.96.0.10");
	CHECK_STR(c.dns_config->searches[0], "d.svc.cluster.local");
	CHECK_STR(c.dns_config->options[0], "ndots:2");
	CHECK_STR(c.dns_config->options[1], "x");
	CHECK_STR(c.log_directory, "/l/d_web-0_u");
	CHECK_STR(schema_pair_get(c.labels, c.n_labels, "io.kubernetes.pod.uid"), "u");
	CHECK_INT(c.metadata->attempt, 3);
	arena_release(&a);
	in.pod = pod("{\"containers\":[{\"name\":\"c\",\"ports\":[{\"containerPort\":80,\"hostPort\":8080},{\"containerPort\":81}]}],\"hostNetwork\":true}");
	CHECK_OK(config_sandbox(&in, 0, &a, &c, &e), &e);
	CHECK_INT(c.dns_config->n_servers, 0);
	CHECK_INT(c.n_port_mappings, 1);
	CHECK_INT(c.linux->security_context->namespace_options->network, CRI_NAMESPACE_MODE_NODE);
	arena_release(&a);
}

static void read_back(const char *dir, const char *name, const char *want)
{
	AUTO(buf) struct buf b = BUF_INIT(4096);
	char path[600];
	fmt_into(path, sizeof path, "%s/%s", dir, name);
	CHECK_INT(file_read(AT_FDCWD, path, &b), 0);
	CHECK_STR(b.ptr, want);
}

TEST(files_of_a_volume_change_together)
{
	const char *dir = test_dir();
	struct err e = { 0 };
	char first[300], second[300], path[300];
	struct atomic_file one[] = { { "a", SLICE("1"), 0644, -1 }, { "sub/b", SLICE("2"), 0400, -1 } };
	struct atomic_file two[] = { { "sub/b", SLICE("3"), 0400, -1 }, { "c", SLICE("4"), 0644, -1 } };
	struct stat st;

	fmt_into(path, sizeof path, "%s/..data", dir);
	CHECK_OK(atomic_write(dir, one, 2, -1, &e), &e);
	read_back(dir, "a", "1");
	read_back(dir, "sub/b", "2");
	first[readlink(path, first, sizeof first - 1)] = 0;
	CHECK_OK(atomic_write(dir, one, 2, -1, &e), &e);
	ssize_t n = readlink(path, second, sizeof second - 1);
	second[n] = 0;
	CHECK(!strncmp(first, second, (size_t)n));                  /* the same is not written again */
	CHECK_OK(atomic_write(dir, two, 2, -1, &e), &e);
	read_back(dir, "sub/b", "3");
	read_back(dir, "c", "4");
	fmt_into(path, sizeof path, "%s/a", dir);
	CHECK(lstat(path, &st) < 0);
	fmt_into(path, sizeof path, "%s/%.*s", dir, (int)n, second);
	CHECK(stat(path, &st) < 0);                                 /* the old set is gone */
}

TEST(paths_that_leave_a_volume_are_refused)
{
	const char *const bad[] = { "/a", "../a", "a/../../b", "..data", "", "a//b", "a/." };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct atomic_file f = { bad[i], SLICE("x"), 0644, -1 };
		struct err e = { 0 };
		CHECK_INT(atomic_write(test_dir(), &f, 1, -1, &e), -EINVAL);
	}
}

TEST(a_line_of_a_log_is_taken_apart)
{
	struct log_line l;
	CHECK(log_line_parse(SLICE("2020-01-01T00:00:00.1Z stderr F some text"), &l));
	CHECK_SLICE(l.text, "some text");
	CHECK_SLICE(l.stream, "stderr");
	CHECK(!l.is_partial);
	CHECK(log_line_parse(SLICE("2020-01-01T00:00:00.1Z stdout P "), &l));
	CHECK(l.is_partial && !l.text.len);
	CHECK(log_line_parse(SLICE("2020-01-01T00:00:00.1Z stdout F:x "), &l));
	CHECK(!log_line_parse(SLICE("garbage"), &l));
	CHECK(!log_line_parse(SLICE("a b c d"), &l));
	CHECK(!log_line_parse(SLICE(""), &l));
}

TEST(low_memory_takes_who_uses_more_than_it_asked_for_least_important_first)
{
	struct evict_candidate v[] = { { 900, 1000, 0 }, { 500, 100, 5 }, { 300, 100, 0 }, { 400, 100, 0 }, { 5000, 0, 2000000000 } };
	CHECK_INT(evict_pick(v, 5), 3);
	CHECK_INT(evict_pick(v, 2), 1);
	CHECK_INT(evict_pick(v, 1), 0);
	CHECK_INT(evict_pick(v + 4, 1), -1);
}

TEST(names_that_would_leave_a_folder_are_refused_at_the_door)
{
	const char *const bad[] = { "{\"containers\":[{\"name\":\"../x\"}]}", "{\"containers\":[{}]}", "{\"containers\":[{\"name\":\"a\",\"command\":[null]}]}",
		"{\"containers\":[{\"name\":\"a\",\"volumeMounts\":[{\"name\":\"v\"}]}]}", "{\"volumes\":[{\"name\":\"a/b\"}],\"containers\":[]}",
		"{\"volumes\":[{\"name\":\"v\",\"configMap\":{}}],\"containers\":[]}", "{\"containers\":[{\"name\":\"a\",\"env\":[{}]}]}" };
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK_INT(pod_is_sound(pod(bad[i]), &e), -EINVAL);
		arena_release(&a);
	}
	CHECK_INT(pod_is_sound(pod("{\"containers\":[{\"name\":\"a\"}],\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}]}"), &e), 0);
	arena_release(&a);
}
