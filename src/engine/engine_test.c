/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the engine that need no machine: names, filters, ports, signals, capabilities, merging, statuses. */
#include <errno.h>
#include <signal.h>

#include "base/clock.h"
#include "base/test.h"
#include "engine/caps.h"
#include "engine/engine_int.h"
#include "engine/spec.h"

static struct arena arena(void)
{
	struct arena a;
	arena_init(&a, 16 << 20);
	return a;
}

TEST(container_names_are_dockers)
{
	static const struct { const char *name; bool ok; } rows[] = {
		{ "web", true }, { "a1", true }, { "/web", true }, { "a.b_c-d", true }, { "9x", true }, { "a", false }, { "", false }, { "/", false },
		{ "-a", false }, { ".a", false }, { "_a", false }, { "a b", false }, { "a/b", false }, { "a:b", false }, { "ä1", false },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_INT(name_check(rows[i].name, NULL) == 0, rows[i].ok);
	struct err e = { 0 };
	CHECK(name_check("a/b", &e) < 0);
	CHECK_STR(e.text, "Invalid container name (a/b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed");
}

TEST(random_names_pass_their_own_check)
{
	struct engine eng = { 0 };
	char name[96];
	map_init(&eng.by_name);
	for (int i = 0; i < 200; i++) {
		CHECK_INT(name_random(&eng, name, sizeof name), 0);
		CHECK_INT(name_check(name, NULL), 0);
		CHECK_INT(map_sets(&eng.by_name, name, &eng), 0);
	}
	map_release(&eng.by_name);
}

TEST(signals_by_name_and_number)
{
	static const struct { const char *text; int want; } rows[] = {
		{ "TERM", SIGTERM }, { "SIGTERM", SIGTERM }, { "sigkill", SIGKILL }, { "9", 9 }, { "64", 64 }, { "RTMIN", 34 }, { "SIGRTMIN+3", 37 },
		{ "RTMAX-1", 63 }, { "0", -EINVAL }, { "65", -EINVAL }, { "-1", -EINVAL }, { "", -EINVAL }, { "FOO", -EINVAL },
		{ "RTMIN+31", -EINVAL }, { "RTMIN-1", -EINVAL }, { "SIG", -EINVAL },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int sig = 0, r = signal_parse(rows[i].text, &sig);
		CHECK_INT(r < 0 ? r : sig, rows[i].want);
	}
}

TEST(ports_have_a_number_and_a_protocol)
{
	uint16_t port;
	enum net_proto proto;
	CHECK_INT(port_spec_parse("80/tcp", &port, &proto), 0);
	CHECK_INT(port, 80);
	CHECK_INT(port_spec_parse("53/udp", &port, &proto), 0);
	CHECK_INT(proto, NET_UDP);
	CHECK_INT(port_spec_parse("80", &port, &proto), 0);
	CHECK_INT(proto, NET_TCP);
	static const char *const bad[] = { "", "0/tcp", "65536/tcp", "80/foo", "x/tcp", "-1", "80-90/tcp" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(port_spec_parse(bad[i], &port, &proto) < 0);
}

TEST(filters_are_read_in_both_forms)
{
	AUTO(arena) struct arena a = arena();
	struct filters f;
	struct err e = { 0 };
	CHECK_OK(filters_parse(&a, "{\"label\":{\"a=b\":true,\"c\":true},\"status\":{\"running\":true}}", &f, &e), &e);
	CHECK_INT(f.n, 2);
	CHECK_INT(filters_get(&f, "label")->n, 2);
	CHECK_OK(filters_parse(&a, "{\"name\":[\"web\"]}", &f, &e), &e);
	CHECK_STR(filters_get(&f, "name")->values[0], "web");
	CHECK_OK(filters_parse(&a, "", &f, &e), &e);
	CHECK_INT(f.n, 0);
	CHECK(filters_parse(&a, "zzz", &f, &e) == -EINVAL);
	CHECK(filters_parse(&a, "[1]", &f, &e) == -EINVAL);
}

TEST(filters_match_as_docker_does)
{
	AUTO(arena) struct arena a = arena();
	struct filters f;
	struct err e = { 0 };
	struct schema_pair labels[] = { { "a", "b" }, { "c", "" } };
	CHECK_OK(filters_parse(&a, "{\"label\":[\"a=b\",\"c\"],\"label!\":[\"d\"],\"name\":[\"^we\"],\"dangling\":[\"1\"]}", &f, &e), &e);
	CHECK(filters_labels(&f, labels, 2, true));
	CHECK(!filters_labels(&f, labels, 1, true));
	CHECK(filters_match(&f, "name", "web"));
	CHECK(!filters_match(&f, "name", "aweb"));
	CHECK(filters_match(&f, "absent", "x"));
	bool dangling = false;
	CHECK_INT(filters_bool(&f, "dangling", &dangling, &e), 0);
	CHECK(dangling);
	static const char *const known[] = { "label", "label!", "name", NULL };
	CHECK(filters_check(&f, known, &e) == -EINVAL);
	CHECK_STR(e.text, "invalid filter 'dangling'");
}

TEST(times_in_every_form_the_api_takes)
{
	int64_t now = 1000 * NS_PER_S, t;
	CHECK_INT(api_time_parse("12", now, &t), 0);
	CHECK_INT(t, 12 * NS_PER_S);
	CHECK_INT(api_time_parse("12.5", now, &t), 0);
	CHECK_INT(t, 12 * NS_PER_S + NS_PER_S / 2);
	CHECK_INT(api_time_parse("10m", now, &t), 0);
	CHECK_INT(t, 400 * NS_PER_S);
	CHECK_INT(api_time_parse("1970-01-01T00:01:00Z", now, &t), 0);
	CHECK_INT(t, 60 * NS_PER_S);
	CHECK_INT(api_time_parse("1970-01-02", now, &t), 0);
	CHECK_INT(t, 86400 * NS_PER_S);
	static const char *const bad[] = { "", "zz", "12.", "12.1234567890", "1970-13-01" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(api_time_parse(bad[i], now, &t) < 0);
}

TEST(capability_names_are_normalised)
{
	char out[64];
	CHECK(cap_normal("net_admin", out));
	CHECK_STR(out, "CAP_NET_ADMIN");
	CHECK(cap_normal("CAP_chown", out));
	CHECK_STR(out, "CAP_CHOWN");
	CHECK(cap_normal("all", out));
	CHECK(!cap_normal("foo", out));
	CHECK_STR(out, "CAP_FOO");
	CHECK(!cap_normal("", out));
}

static bool has(const char **v, uint32_t n, const char *s)
{
	return strings_have(v, n, s);
}

TEST(capabilities_follow_add_and_drop)
{
	AUTO(arena) struct arena a = arena();
	static const char *const all[] = { "ALL" }, *const chown[] = { "CHOWN" }, *const kill[] = { "CAP_KILL" };
	uint32_t n;
	const char **v = caps_for(NULL, 0, chown, 1, false, &a, &n);
	CHECK(!has(v, n, "CAP_CHOWN") && has(v, n, "CAP_KILL") && !has(v, n, "CAP_SYS_ADMIN"));
	v = caps_for(kill, 1, all, 1, false, &a, &n);
	CHECK_INT(n, 1);
	CHECK_STR(v[0], "CAP_KILL");
	v = caps_for(all, 1, kill, 1, false, &a, &n);
	CHECK(!has(v, n, "CAP_KILL") && has(v, n, "CAP_CHOWN"));
	caps_for(NULL, 0, all, 1, false, &a, &n);
	CHECK_INT(n, 0);
}

TEST(what_the_user_left_open_is_the_images)
{
	AUTO(arena) struct arena a = arena();
	struct err e = { 0 };
	const char *env[] = { "A=1", "B=2" }, *user_env[] = { "B=3" }, *cmd[] = { "sh" }, *entry[] = { "/entry" };
	struct schema_pair labels[] = { { "k", "image" }, { "l", "image" } }, own[] = { { "k", "mine" } };
	struct docker_image_config i = { .env = env, .n_env = 2, .cmd = cmd, .n_cmd = 1, .entrypoint = entry, .n_entrypoint = 1, .working_dir = "/w",
		.user = "u", .labels = labels, .n_labels = 2 };
	struct docker_container_config c = { .env = user_env, .n_env = 1, .labels = own, .n_labels = 1 };
	CHECK_OK(merge_image(&c, &i, &a, &e), &e);
	CHECK_INT(c.n_env, 2);
	CHECK_STR(c.env[0], "B=3");
	CHECK_STR(c.env[1], "A=1");
	CHECK_STR(c.cmd[0], "sh");
	CHECK_STR(c.entrypoint[0], "/entry");
	CHECK_STR(c.working_dir, "/w");
	CHECK_STR(schema_pair_get(c.labels, c.n_labels, "k"), "mine");
	CHECK_STR(schema_pair_get(c.labels, c.n_labels, "l"), "image");
	/* an entrypoint of one's own forgets the image's command */
	const char *other[] = { "/other" };
	c = (struct docker_container_config){ .entrypoint = other, .n_entrypoint = 1 };
	CHECK_OK(merge_image(&c, &i, &a, &e), &e);
	CHECK_INT(c.n_cmd, 0);
	/* a command of one's own keeps the image's entrypoint */
	c = (struct docker_container_config){ .cmd = other, .n_cmd = 1 };
	CHECK_OK(merge_image(&c, &i, &a, &e), &e);
	CHECK_STR(c.entrypoint[0], "/entry");
	CHECK_STR(c.cmd[0], "/other");
}

static int host_check(const char *json, struct err *e)
{
	AUTO(arena) struct arena a = arena();
	struct engine eng = { 0 };
	struct docker_host_config h;
	const char **w = NULL;
	uint32_t n = 0;
	int r = schema_from_json(T_docker_host_config, slice_of(json), SCHEMA_FOLD_CASE, &a, &h, e);
	return r < 0 ? r : validate_host(&eng, &h, false, &a, &w, &n, e);
}

TEST(host_configurations_are_refused_in_dockers_words)
{
	static const struct { const char *json, *text; } rows[] = {
		{ "{\"Memory\":100}", "Minimum memory limit allowed is 6MB" },
		{ "{\"MemorySwap\":10000000}", "You should always set the Memory limit when using Memoryswap limit, see usage" },
		{ "{\"Memory\":20000000,\"MemorySwap\":10000000}", "Minimum memoryswap limit should be larger than memory limit, see usage" },
		{ "{\"MemorySwappiness\":101}", "Invalid value: 101, valid memory swappiness range is 0-100" },
		{ "{\"MemoryReservation\":5}", "Minimum memory reservation allowed is 6MB" },
		{ "{\"Memory\":10000000,\"MemoryReservation\":20000000}", "Minimum memory limit can not be less than memory reservation limit, see usage" },
		{ "{\"NanoCpus\":1000000000,\"CpuPeriod\":1000}", "Conflicting options: Nano CPUs and CPU Period cannot both be set." },
		{ "{\"NanoCpus\":1000000000,\"CpuQuota\":1000}", "Conflicting options: Nano CPUs and CPU Quota cannot both be set." },
		{ "{\"CpuPeriod\":10}", "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)" },
		{ "{\"CpuQuota\":10}", "CPU cfs quota can not be less than 1ms (i.e. 1000)" },
		{ "{\"CpusetCpus\":\"x\"}", "Invalid value x for cpuset cpus" },
		{ "{\"CpusetMems\":\"x\"}", "Invalid value x for cpuset mems" },
		{ "{\"BlkioWeight\":5}", "Range of blkio weight is from 10 to 1000" },
		{ "{\"ShmSize\":-1}", "SHM size can not be less than 0" },
		{ "{\"OomScoreAdj\":2000}", "Invalid value 2000, range for oom score adj is [-1000, 1000]" },
		{ "{\"RestartPolicy\":{\"Name\":\"always\",\"MaximumRetryCount\":2}}", "invalid restart policy: maximum retry count can only be used with 'on-failure'" },
		{ "{\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":-2}}", "invalid restart policy: maximum retry count cannot be negative" },
		{ "{\"RestartPolicy\":{\"Name\":\"x\"}}", "invalid restart policy: unknown policy 'x'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'" },
		{ "{\"AutoRemove\":true,\"RestartPolicy\":{\"Name\":\"always\"}}", "can't create 'AutoRemove' container with restart policy" },
		{ "{\"CapAdd\":[\"x\"]}", "invalid CapAdd: unknown capability: \"CAP_X\"" },
		{ "{\"CapDrop\":[\"x\"]}", "invalid CapDrop: unknown capability: \"CAP_X\"" },
		{ "{\"PidMode\":\"x\"}", "invalid PID mode: x" },
		{ "{\"IpcMode\":\"x\"}", "invalid IPC mode: x" },
		{ "{\"UTSMode\":\"x\"}", "invalid UTS mode: x" },
		{ "{\"CgroupnsMode\":\"x\"}", "invalid cgroup namespace mode: x" },
		{ "{\"PortBindings\":{\"x\":[]}}", "invalid port specification: \"x\"" },
		{ "{\"PortBindings\":{\"80/tcp\":[{\"HostPort\":\"x\"}]}}", "invalid port specification: \"x\"" },
		{ "{\"PortBindings\":{\"80/tcp\":[{\"HostPort\":\"90-80\"}]}}", "invalid port specification: \"90-80\"" },
		{ "{\"LogConfig\":{\"Type\":\"x\"}}", "logger: no log driver named 'x' is registered" },
		{ "{\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{\"x\":\"y\"}}}", "unknown log opt 'x' for json-file log driver" },
		{ "{\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{\"max-size\":\"y\"}}}", "invalid size: 'y'" },
		{ "{\"SecurityOpt\":[\"x\"]}", "invalid --security-opt 2: \"x\"" },
		{ "{\"ExtraHosts\":[\"x\"]}", "bad format for add-host: \"x\"" },
		{ "{\"Ulimits\":[{\"Name\":\"x\"}]}", "invalid ulimit type: x" },
		{ "{\"Ulimits\":[{\"Name\":\"nofile\",\"Soft\":2,\"Hard\":1}]}", "ulimit soft limit must be less than or equal to hard limit: 2 > 1" },
		{ "{\"Devices\":[{\"PathOnHost\":\"/dev/null\",\"CgroupPermissions\":\"x\"}]}", "invalid device mode: x" },
		{ "{\"Runtime\":\"x\"}", "unknown or invalid runtime name: x" },
		{ "{\"Isolation\":\"hyperv\"}", "invalid isolation 'hyperv' on linux" },
		{ "{\"Annotations\":{\"\":\"x\"}}", "invalid Annotations: the empty string is not permitted as an annotation key" },
		{ "{\"Dns\":[\"x y\"]}", "bad nameserver address x y" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = { 0 };
		CHECK_INT(host_check(rows[i].json, &e), -EINVAL);
		CHECK_STR(e.text, rows[i].text);
	}
	struct err e = { 0 };
	CHECK_OK(host_check("{}", &e), &e);
	CHECK_OK(host_check("{\"Memory\":67108864,\"MemorySwap\":-1,\"PidsLimit\":0,\"MemorySwappiness\":-1,\"CpusetCpus\":\"0\"}", &e), &e);
}

static void move_child(enum container_status from, enum container_status to)
{
	struct engine eng = { 0 };
	struct container *c = container_new(&eng, "0123", "x");
	c->status = from;
	container_move(c, to);
	CHECK_INT(c->status, to);
	container_unref(c);
}

TEST(statuses_move_by_the_table)
{
	move_child(STATUS_CREATED, STATUS_RUNNING);
	move_child(STATUS_RUNNING, STATUS_PAUSED);
	move_child(STATUS_PAUSED, STATUS_RUNNING);
	move_child(STATUS_RUNNING, STATUS_RESTARTING);
	move_child(STATUS_RESTARTING, STATUS_RUNNING);
	move_child(STATUS_RUNNING, STATUS_EXITED);
	move_child(STATUS_EXITED, STATUS_REMOVING);
	move_child(STATUS_REMOVING, STATUS_DEAD);
	move_child(STATUS_DEAD, STATUS_REMOVING);
}

TEST(limits_become_an_oci_specification)
{
	AUTO(arena) struct arena a = arena();
	struct err e = { 0 };
	struct oci_linux_resources r = { 0 };
	struct docker_host_config h = { .memory = 64 << 20, .memory_swap = 128 << 20, .nano_cpus = 500000000, .cpuset_cpus = "0" };
	CHECK_OK(spec_limits(&a, &h, &r, &e), &e);
	CHECK_INT(*r.memory->limit, 64 << 20);
	CHECK_INT(*r.memory->swap, 128 << 20);
	CHECK_INT(*r.cpu->period, 100000);
	CHECK_INT(*r.cpu->quota, 50000);
	CHECK_STR(r.cpu->cpus, "0");
	CHECK(!r.pids && !r.block_io && !r.cpu->shares);
}
