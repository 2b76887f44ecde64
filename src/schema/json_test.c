/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/schema.h"

#include "api/docker.h"
#include "api/image.h"
#include "api/oci.h"
#include "base/auto.h"
#include "base/test.h"

static struct arena a = { .max_bytes = 64 << 20 };
static struct err e;

#define READ(type, doc, flags) ({ \
	struct docker_##type v_; \
	CHECK_OK(schema_from_json(T_docker_##type, slice_of(doc), flags, &a, &v_, &e), &e); \
	v_; })
#define REFUSED(type, doc, flags, code, why) do { \
	struct docker_##type v_; \
	CHECK_INT(schema_from_json(T_docker_##type, slice_of(doc), flags, &a, &v_, &e), code); \
	CHECK_STR(e.text, why); } while (0)

static const char *json(struct schema_ref t, const void *obj, unsigned flags)
{
	AUTO(buf) struct buf b = BUF_INIT(16 << 20);
	CHECK_INT(schema_to_json(t, obj, flags, &b), 0);
	return arena_dup(&a, buf_slice(&b));
}

TEST(container_create_is_decoded_as_docker_sends_it)
{
	struct docker_container_create c = READ(container_create,
		"{\"Hostname\":\"\",\"ExposedPorts\":{\"80/tcp\":{}},\"Tty\":true,\"Env\":[\"A=1\",\"B=\\u0032\"],\"Cmd\":null,\"Entrypoint\":[],"
		"\"Image\":\"busybox\",\"Labels\":{\"x\":\"y\",\"b\":\"c\"},\"unknown\":{\"a\":[1]},\"StopTimeout\":7,"
		"\"HostConfig\":{\"Binds\":[\"/a:/b\"],\"NetworkMode\":\"default\",\"PortBindings\":{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"8080\"}]},"
		"\"NanoCpus\":500000000,\"OomKillDisable\":false,\"PidsLimit\":null,\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{}},"
		"\"ConsoleSize\":[24,80],\"BlkioWeight\":10},"
		"\"NetworkingConfig\":{\"EndpointsConfig\":{\"net\":{\"Aliases\":[\"web\"]}}}}", SCHEMA_FOLD_CASE);
	CHECK_STR(c.hostname, "");
	CHECK(c.domainname == NULL && c.tty);
	CHECK_INT(c.n_exposed_ports, 1);
	CHECK_STR(c.exposed_ports[0].key, "80/tcp");
	CHECK_INT(c.n_env, 2);
	CHECK_STR(c.env[1], "B=2");
	CHECK(c.cmd == NULL);
	CHECK(c.entrypoint != NULL && c.n_entrypoint == 0);
	CHECK_STR(schema_pair_get(c.labels, c.n_labels, "b"), "c");
	CHECK_INT(*c.stop_timeout, 7);
	CHECK_STR(c.host_config->port_bindings[0].value[0].host_port, "8080");
	CHECK_INT(c.host_config->nano_cpus, 500000000);
	CHECK(c.host_config->oom_kill_disable && !*c.host_config->oom_kill_disable);
	CHECK(!c.host_config->pids_limit);
	CHECK_INT(c.host_config->console_size[1], 80);
	CHECK_INT(c.host_config->blkio_weight, 10);
	CHECK(c.host_config->log_config.config && !c.host_config->log_config.n_config);
	CHECK_STR(c.networking_config->endpoints_config[0].value.aliases[0], "web");
}

TEST(keys_match_without_case_only_when_asked)
{
	CHECK_STR(READ(container_create, "{\"image\":\"x\"}", SCHEMA_FOLD_CASE).image, "x");
	CHECK(READ(container_create, "{\"image\":\"x\"}", 0).image == NULL);
	CHECK_STR(READ(container_create, "{\"Im\\u0061ge\":\"x\"}", 0).image, "x");
}

TEST(a_bare_string_is_a_list_where_go_has_strslice)
{
	struct docker_container_create c = READ(container_create, "{\"Cmd\":\"sh\",\"Entrypoint\":\"/e\"}", 0);
	CHECK_INT(c.n_cmd, 1);
	CHECK_STR(c.cmd[0], "sh");
	CHECK_STR(c.entrypoint[0], "/e");
}

TEST(type_errors_are_worded_as_go_words_them)
{
	REFUSED(container_create, "{\"Env\":\"A=1\"}", 0, -EINVAL,
		"json: cannot unmarshal string into Go struct field CreateRequest.Config.Env of type []string");
	REFUSED(container_create, "{\"Env\":[1]}", 0, -EINVAL, "json: cannot unmarshal number into Go struct field CreateRequest.Config.Env of type string");
	REFUSED(container_create, "{\"Cmd\":[1]}", 0, -EINVAL, "json: cannot unmarshal array into Go struct field CreateRequest.Config.Cmd of type string");
	REFUSED(container_create, "{\"Tty\":\"x\"}", 0, -EINVAL, "json: cannot unmarshal string into Go struct field CreateRequest.Config.Tty of type bool");
	REFUSED(container_create, "{\"HostConfig\":{\"Memory\":\"1g\"}}", 0, -EINVAL,
		"json: cannot unmarshal string into Go struct field HostConfig.HostConfig.Resources.Memory of type int64");
	REFUSED(container_create, "{\"HostConfig\":{\"Memory\":1.5}}", 0, -EINVAL,
		"json: cannot unmarshal number 1.5 into Go struct field HostConfig.HostConfig.Resources.Memory of type int64");
	REFUSED(container_create, "{\"HostConfig\":{\"BlkioWeight\":70000}}", 0, -EINVAL,
		"json: cannot unmarshal number 70000 into Go struct field HostConfig.HostConfig.Resources.BlkioWeight of type uint16");
	REFUSED(container_create, "{\"HostConfig\":{\"CpuCount\":\"1\"}}", 0, -EINVAL,
		"json: cannot unmarshal string into Go struct field HostConfig.HostConfig.Resources.CpuCount of type int64");
	REFUSED(container_create, "{\"HostConfig\":[]}", 0, -EINVAL,
		"json: cannot unmarshal array into Go struct field CreateRequest.HostConfig of type container.HostConfig");
	REFUSED(container_create, "{\"Labels\":[]}", 0, -EINVAL,
		"json: cannot unmarshal array into Go struct field CreateRequest.Config.Labels of type map[string]string");
	REFUSED(container_create, "[]", 0, -EINVAL, "json: cannot unmarshal array into Go value of type container.CreateRequest");
	REFUSED(container_create, "{\"HostConfig\":{\"NetworkMode\":3}}", 0, -EINVAL,
		"json: cannot unmarshal number into Go struct field HostConfig.HostConfig.NetworkMode of type container.NetworkMode");
}

TEST(broken_text_is_refused)
{
	REFUSED(container_create, "", 0, -EBADMSG, "unexpected end of JSON input");
	REFUSED(container_create, "{\"Env\":[\"a\" \"b\"]}", 0, -EBADMSG, "invalid character '\"' after array element");
	REFUSED(container_create, "{\"Tty\":tru}", 0, -EBADMSG, "invalid character '}' in literal true (expecting 'e')");
	REFUSED(container_create, "{\"Env\":tru}", 0, -EBADMSG, "invalid character '}' in literal true (expecting 'e')");
	REFUSED(container_create, "{\"zzz\":[1,}", 0, -EBADMSG, "invalid character '}' looking for beginning of value");
	REFUSED(container_create, "{} {}", 0, -EBADMSG, "invalid character '{' after top-level value");
	REFUSED(container_create, "{\"StopTimeout\":01}", 0, -EBADMSG, "invalid character '1' after object key:value pair");
	REFUSED(container_create, "{\"StopTimeout\":-}", 0, -EBADMSG, "invalid character '}' in numeric literal");
}

TEST(every_cut_of_a_document_is_refused)
{
	static const char text[] = "{\"Env\":[\"A=1\",\"B=\\u0032\"],\"Labels\":{\"a\":\"b\"},\"StopTimeout\":12,\"HostConfig\":{\"Memory\":-5,\"Init\":true}}";
	for (size_t n = 0; n < sizeof text - 1; n++) {
		char *exact = malloc(n ? n : 1);   /* so that the address sanitizer sees a step too far */
		memcpy(exact, text, n);
		struct docker_container_create c;
		CHECK_INT(schema_from_json(T_docker_container_create, slice_n(exact, n), SCHEMA_STRICT, &a, &c, &e), -EBADMSG);
		free(exact);
	}
}

TEST(integers_hold_their_bounds)
{
	struct docker_host_config h = READ(host_config, "{\"Memory\":9223372036854775807,\"CpuQuota\":-9223372036854775808,"
		"\"IOMaximumBandwidth\":18446744073709551615,\"BlkioWeight\":65535,\"CpuShares\":-0}", 0);
	CHECK(h.memory == INT64_MAX && h.cpu_quota == INT64_MIN && h.io_maximum_bandwidth == UINT64_MAX && h.blkio_weight == 65535);
	REFUSED(host_config, "{\"Memory\":9223372036854775808}", 0, -EINVAL,
		"json: cannot unmarshal number 9223372036854775808 into Go struct field HostConfig.Resources.Memory of type int64");
	REFUSED(host_config, "{\"IOMaximumBandwidth\":18446744073709551616}", 0, -EINVAL,
		"json: cannot unmarshal number 18446744073709551616 into Go struct field HostConfig.Resources.IOMaximumBandwidth of type uint64");
	REFUSED(host_config, "{\"IOMaximumBandwidth\":-1}", 0, -EINVAL,
		"json: cannot unmarshal number -1 into Go struct field HostConfig.Resources.IOMaximumBandwidth of type uint64");
}

TEST(strict_names_every_unknown_and_duplicate_field)
{
	static const char text[] = "{\"Tty\":true,\"Tty\":false,\"foo\":1,\"HostConfig\":{\"Mounts\":[{\"Type\":\"bind\"},{\"Tupe\":\"x\"}]},"
		"\"Labels\":{\"a\":\"1\",\"a\":\"2\"}}";
	REFUSED(container_create, text, SCHEMA_STRICT, -EINVAL, "duplicate field \"Tty\", unknown field \"foo\", "
		"unknown field \"HostConfig.Mounts[1].Tupe\", duplicate field \"Labels.a\"");
	struct docker_container_create c;
	AUTO(buf) struct buf problems = BUF_INIT(4096);
	unsigned n;
	CHECK_OK(schema_from_json_report(T_docker_container_create, slice_of(text), SCHEMA_STRICT, &a, &c, &problems, &n, &e), &e);
	CHECK_INT(n, 4);
	CHECK(!c.tty);
	CHECK_INT(c.n_labels, 1);
	CHECK_STR(c.labels[0].value, "2");
}

TEST(absent_null_and_empty_are_kept_apart)
{
	struct docker_container_created c = { .id = "x" };
	CHECK_STR(json(T_docker_container_created, &c, 0), "{\"Id\":\"x\",\"Warnings\":null}");
	const char *none[1];
	c.warnings = none;
	CHECK_STR(json(T_docker_container_created, &c, 0), "{\"Id\":\"x\",\"Warnings\":[]}");
	none[0] = "w<";
	c.n_warnings = 1;
	CHECK_STR(json(T_docker_container_created, &c, SCHEMA_NEWLINE), "{\"Id\":\"x\",\"Warnings\":[\"w<\"]}\n");
	CHECK_STR(json(T_docker_container_created, &c, SCHEMA_ESCAPE_HTML), "{\"Id\":\"x\",\"Warnings\":[\"w\\u003c\"]}");
	CHECK_STR(json(T_docker_container_created, &c, SCHEMA_INDENT), "{\n    \"Id\": \"x\",\n    \"Warnings\": [\n        \"w<\"\n    ]\n}");
}

TEST(maps_are_written_by_key_and_read_in_order)
{
	struct docker_labels l = READ(labels, "{\"b\":\"1\",\"a\":\"2\",\"c\":\"3\",\"a\":\"4\"}", 0);
	CHECK_STR(l.items[0].key, "b");
	CHECK_STR(json(T_docker_labels, &l, 0), "{\"a\":\"4\",\"b\":\"1\",\"c\":\"3\"}");
	struct docker_build_args b = READ(build_args, "{\"x\":null,\"y\":\"\"}", 0);
	CHECK(b.items[0].value == NULL);
	CHECK_STR(json(T_docker_build_args, &b, 0), "{\"x\":null,\"y\":\"\"}");
	struct docker_filters f = READ(filters, "{\"label\":{\"b\":true,\"a\":true}}", 0);
	CHECK_STR(json(T_docker_filters, &f, 0), "{\"label\":{\"a\":true,\"b\":true}}");
}

TEST(a_large_map_keeps_the_last_of_each_key)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	buf_addc(&b, '{');
	for (int i = 0; i < 3000; i++)
		buf_addf(&b, "%s\"k%d\":\"%d\"", i ? "," : "", i * 7919 % 1000, i);
	buf_addc(&b, '}');
	struct docker_labels l = READ(labels, b.ptr, 0);
	CHECK_INT(l.n_items, 1000);
	CHECK_STR(schema_pair_get(l.items, l.n_items, "k0"), "2000");
	const char *out = json(T_docker_labels, &l, 0);
	CHECK(!strncmp(out, "{\"k0\":\"2000\",\"k1\":", 18));
}

TEST(lists_of_lists_and_answers_that_are_lists_are_decoded)
{
	struct docker_container_top t = READ(container_top, "{\"Titles\":[\"PID\"],\"Processes\":[[\"1\",\"x\"],[],[\"2\"]]}", 0);
	CHECK_INT(t.n_processes, 3);
	CHECK_STR(t.processes[0].items[1], "x");
	CHECK_STR(t.processes[2].items[0], "2");
	CHECK_STR(json(T_docker_container_top, &t, 0), "{\"Processes\":[[\"1\",\"x\"],[],[\"2\"]],\"Titles\":[\"PID\"]}");
	struct docker_save_manifests m = READ(save_manifests, "[{\"Config\":\"c\",\"RepoTags\":null,\"Layers\":[]},{\"Config\":\"d\"}]", 0);
	CHECK_INT(m.n_items, 2);
	CHECK_STR(json(T_docker_save_manifests, &m, 0),
		"[{\"Config\":\"c\",\"RepoTags\":null,\"Layers\":[]},{\"Config\":\"d\",\"RepoTags\":null,\"Layers\":null}]");
}

TEST(long_nested_lists_survive_growth)
{
	AUTO(buf) struct buf b = BUF_INIT(8 << 20);
	buf_adds(&b, "{\"Processes\":[");
	for (int i = 0; i < 500; i++) {
		buf_addf(&b, "%s[", i ? "," : "");
		for (int k = 0; k < i; k++)
			buf_addf(&b, "%s\"%d.%d\"", k ? "," : "", i, k);
		buf_addc(&b, ']');
	}
	buf_adds(&b, "],\"Titles\":[]}");
	struct docker_container_top t = READ(container_top, b.ptr, 0);
	CHECK_INT(t.n_processes, 500);
	CHECK_STR(t.processes[499].items[498], "499.498");
	CHECK_STR(json(T_docker_container_top, &t, 0), b.ptr);
}

TEST(raw_json_is_kept_and_compacted)
{
	struct docker_message m = READ(message, "{\"stream\":\"x\",\"aux\": {\"ID\" : \"sha256:1\"}}", 0);
	CHECK_SLICE(m.aux, "{\"ID\" : \"sha256:1\"}");
	CHECK_STR(json(T_docker_message, &m, 0), "{\"stream\":\"x\",\"aux\":{\"ID\":\"sha256:1\"}}");
	m = READ(message, "{\"aux\":null}", 0);
	CHECK_STR(json(T_docker_message, &m, 0), "{}");
}

TEST(times_are_checked_and_absent_ones_are_year_one)
{
	struct docker_network n = { 0 };
	CHECK(strstr(json(T_docker_network, &n, 0), "\"Created\":\"0001-01-01T00:00:00Z\""));
	CHECK_STR(READ(network, "{\"Created\":\"2026-01-02T03:04:05.678Z\"}", 0).created, "2026-01-02T03:04:05.678Z");
	struct docker_network m;
	CHECK_INT(schema_from_json(T_docker_network, SLICE("{\"Created\":\"yesterday\"}"), 0, &a, &m, &e), -EINVAL);
}

TEST(bytes_are_base64)
{
	struct image_descriptor d;
	CHECK_OK(schema_from_json(T_image_descriptor, SLICE("{\"mediaType\":\"m\",\"digest\":\"d\",\"size\":3,\"data\":\"YWJj\"}"), 0, &a, &d, &e), &e);
	CHECK_SLICE(d.data, "abc");
	CHECK_STR(json(T_image_descriptor, &d, 0), "{\"mediaType\":\"m\",\"digest\":\"d\",\"size\":3,\"data\":\"YWJj\"}");
}

static const char spec[] = "{\"ociVersion\":\"1.2.0\",\"process\":{\"user\":{\"uid\":0,\"gid\":0,\"additionalGids\":[1,2]},\"args\":[\"sh\"],\"cwd\":\"/\","
	"\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"hard\":1024,\"soft\":1024}]},\"root\":{\"path\":\"rootfs\"},"
	"\"linux\":{\"sysctl\":{\"net.x\":\"1\"},\"resources\":{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}],\"memory\":{\"limit\":-1}},"
	"\"namespaces\":[{\"type\":\"pid\"}],\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"a\"],\"action\":\"b\"}]}}}";

TEST(an_oci_specification_survives_the_round)
{
	struct oci_spec s;
	CHECK_OK(schema_from_json(T_oci_spec, slice_of(spec), SCHEMA_STRICT, &a, &s, &e), &e);
	CHECK_INT(*s.linux->resources->memory->limit, -1);
	CHECK_STR(json(T_oci_spec, &s, 0), spec);
}

TEST(a_copy_shares_nothing_and_is_equal)
{
	struct arena one, two;
	arena_init(&one, 1 << 20);
	arena_init(&two, 1 << 20);
	struct oci_spec s, t;
	CHECK_OK(schema_from_json(T_oci_spec, slice_of(spec), 0, &one, &s, &e), &e);
	CHECK_INT(schema_copy(T_oci_spec, &s, &two, &t), 0);
	CHECK(schema_equal(T_oci_spec, &s, &t));
	s.process->args[0] = "bash";
	CHECK(!schema_equal(T_oci_spec, &s, &t));
	arena_release(&one);
	CHECK_STR(json(T_oci_spec, &t, 0), spec);
	arena_release(&two);
}

TEST(equality_ignores_the_order_of_maps_only)
{
	struct docker_container_create x = READ(container_create, "{\"Labels\":{\"a\":\"1\",\"b\":\"2\"},\"Env\":[\"1\",\"2\"]}", 0);
	struct docker_container_create y = READ(container_create, "{\"Env\":[\"1\",\"2\"],\"Labels\":{\"b\":\"2\",\"a\":\"1\"}}", 0);
	CHECK(schema_equal(T_docker_container_create, &x, &y));
	struct docker_container_create z = READ(container_create, "{\"Labels\":{\"a\":\"1\",\"b\":\"2\"},\"Env\":[\"2\",\"1\"]}", 0);
	CHECK(!schema_equal(T_docker_container_create, &x, &z));
	struct docker_container_create n = READ(container_create, "{\"Env\":[]}", 0), m = READ(container_create, "{}", 0);
	CHECK(!schema_equal(T_docker_container_create, &n, &m));
}

TEST(a_message_larger_than_the_arena_is_refused)
{
	struct arena small;
	arena_init(&small, 2048);
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	buf_adds(&b, "{\"Env\":[\"");
	for (int i = 0; i < 5000; i++)
		buf_addc(&b, 'x');
	buf_adds(&b, "\"]}");
	struct docker_container_create c;
	CHECK_INT(schema_from_json(T_docker_container_create, buf_slice(&b), 0, &small, &c, &e), -E2BIG);
	arena_release(&small);
}
