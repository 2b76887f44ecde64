/* SPDX-License-Identifier: Apache-2.0 */
/* Flags, tables, sizes, times, ports, mounts: what the real client does with the same input. */
#include "base/auto.h"
#include "base/clock.h"
#include "base/test.h"
#include "cli/flags.h"
#include "cli/human.h"
#include "cli/mount.h"
#include "cli/ports.h"
#include "cli/spec.h"
#include "cli/table.h"

static const struct flag rows[] = {
	{ "all", 'a', FLAG_BOOL }, { "interactive", 'i', FLAG_BOOL }, { "tty", 't', FLAG_BOOL },
	{ "publish", 'p', FLAG_LIST }, { "memory", 'm', FLAG_BYTES }, { "last", 'n', FLAG_INT, NULL, "-1" }, { "alias", 0, FLAG_CSV },
};
static struct arena arena;
static struct flags parsed;

static const char *parse(int argc, const char *const *argv, bool intermixed)
{
	static struct err e;

	arena_release(&arena);
	arena_init(&arena, 1 << 20);
	e = (struct err){ 0 };
	return flags_parse(&parsed, &arena, rows, ARRAY_LEN(rows), argc, argv, intermixed, &e) < 0 ? e.text : "";
}
#define PARSE(...) parse((int)ARRAY_LEN(((const char *[]){ __VA_ARGS__ })), (const char *[]){ __VA_ARGS__ }, true)

TEST(flags_shorts_combine_and_take_values)
{
	CHECK_STR(PARSE("-it", "-p80:80", "-p", "1:1", "--memory=64m", "x", "-n3", "y"), "");
	CHECK(flag_bool(&parsed, "interactive") && flag_bool(&parsed, "tty") && !flag_bool(&parsed, "all"));
	CHECK_INT(flag_list(&parsed, "publish")->n, 2);
	CHECK_STR(flag_list(&parsed, "publish")->v[0], "80:80");
	CHECK_INT(flag_num(&parsed, "memory"), 64 << 20);
	CHECK_INT(flag_num(&parsed, "last"), 3);
	CHECK_INT(parsed.argc, 2);
	CHECK_STR(PARSE("--all=false", "--alias", "a,b", "--", "-x"), "");
	CHECK(flag_changed(&parsed, "all") && !flag_bool(&parsed, "all"));
	CHECK_INT(flag_list(&parsed, "alias")->n, 2);
	CHECK_STR(parsed.argv[0], "-x");
}

TEST(flags_behind_the_first_argument_belong_to_the_command)
{
	const char *argv[] = { "-i", "image", "ls", "-a" };

	CHECK_STR(parse(4, argv, false), "");
	CHECK_INT(parsed.argc, 3);
	CHECK(!flag_bool(&parsed, "all"));
}

TEST(flags_errors_have_pflags_words)
{
	CHECK_STR(PARSE("--nope"), "unknown flag: --nope");
	CHECK_STR(PARSE("-z"), "unknown shorthand flag: 'z' in -z");
	CHECK_STR(PARSE("-n"), "flag needs an argument: 'n' in -n");
	CHECK_STR(PARSE("--last"), "flag needs an argument: --last");
	CHECK_STR(PARSE("-m", "abc"), "invalid argument \"abc\" for \"-m, --memory\" flag: invalid size: 'abc'");
	CHECK_STR(PARSE("--all=foo"), "invalid argument \"foo\" for \"-a, --all\" flag: strconv.ParseBool: parsing \"foo\": invalid syntax");
	CHECK_STR(PARSE("-n", "x"), "invalid argument \"x\" for \"-n, --last\" flag: strconv.ParseInt: parsing \"x\": invalid syntax");
}

static const char *lay(const char *text)
{
	static struct buf out = BUF_INIT(1 << 16);

	buf_reset(&out);
	CHECK_INT(table_layout(slice_of(text), 10, 3, &out), 0);
	return out.ptr;
}

TEST(table_columns_are_as_wide_as_their_widest_cell)
{
	CHECK_STR(lay("NAME\tID\nlonger-name\tx\n"), "NAME          ID\nlonger-name   x\n");
	CHECK_STR(lay("A\tB\tC\n\tx\ty\n"), "A         B         C\n          x         y\n");
	CHECK_STR(lay("A\tB\nalone\nb\tc\n"), "A         B\nalone\nb         c\n");
	CHECK_STR(lay("ÄÄ\tB\n"), "ÄÄ        B\n");
	CHECK_STR(lay("A\tB\t\nb\t\t\n"), "A         B         \nb                   \n");
}

TEST(sizes_and_times_for_people)
{
	char s[HUMAN_MAX];

	human_size(s, 3072, 4);
	CHECK_STR(s, "3.072kB");
	human_size(s, 1980000, 3);
	CHECK_STR(s, "1.98MB");
	human_size(s, 0, 3);
	CHECK_STR(s, "0B");
	human_binary_size(s, 64 << 20);
	CHECK_STR(s, "64MiB");
	human_binary_size(s, 2097152000.0);
	CHECK_STR(s, "1.953GiB");
	human_duration(s, NS_PER_S / 2);
	CHECK_STR(s, "Less than a second");
	human_duration(s, 61 * NS_PER_S);
	CHECK_STR(s, "About a minute");
	human_duration(s, 5400 * NS_PER_S);
	CHECK_STR(s, "2 hours");
	human_duration(s, 3600LL * 24 * 20 * NS_PER_S);
	CHECK_STR(s, "2 weeks");
}

TEST(ports_of_all_forms)
{
	struct ports p = { 0 };
	struct err e = { 0 };

	arena_release(&arena);
	arena_init(&arena, 1 << 20);
	CHECK_OK(ports_publish(&arena, &p, "8080:80", &e), &e);
	CHECK_OK(ports_publish(&arena, &p, "127.0.0.1::53/udp", &e), &e);
	CHECK_OK(ports_publish(&arena, &p, "[::1]:90-91:90-91", &e), &e);
	CHECK_OK(ports_publish(&arena, &p, "7000-7005:7", &e), &e);
	CHECK_INT(p.n_exposed, 5);
	CHECK_STR(p.bindings[0].value[0].host_port, "8080");
	CHECK_STR(p.bindings[1].value[0].host_ip, "127.0.0.1");
	CHECK_STR(p.bindings[1].key, "53/udp");
	CHECK_STR(p.bindings[2].value[0].host_ip, "::1");
	CHECK_STR(p.bindings[4].value[0].host_port, "7000-7005");
	CHECK(ports_publish(&arena, &p, "99999:1", &e) < 0);
	CHECK_STR(e.text, "invalid hostPort: 99999");
	CHECK(ports_publish(&arena, &p, "80:", &e) < 0);
	CHECK_STR(e.text, "no port specified: 80:<empty>");
	CHECK(ports_publish(&arena, &p, "80:80/foo", &e) < 0);
	CHECK_STR(e.text, "invalid proto: foo");
	CHECK(ports_publish(&arena, &p, "1-3:1-2", &e) < 0);
	CHECK_STR(e.text, "invalid ranges specified for container and host Ports: 1-2 and 1-3");
}

TEST(mounts_are_read_and_refused)
{
	struct docker_mount m;
	struct err e = { 0 };

	arena_release(&arena);
	arena_init(&arena, 1 << 20);
	CHECK_OK(mount_parse(&arena, "type=bind,src=/a,dst=/b,ro,bind-propagation=rslave", &m, &e), &e);
	CHECK_STR(m.type, "bind");
	CHECK_STR(m.source, "/a");
	CHECK(m.read_only);
	CHECK_STR(m.bind_options->propagation, "rslave");
	CHECK_OK(mount_parse(&arena, "type=volume,\"volume-opt=o=a,b\",target=/x", &m, &e), &e);
	CHECK_STR(m.volume_options->driver_config->options[0].value, "a,b");
	CHECK(mount_parse(&arena, "type=bind,src=/a", &m, &e) < 0);
	CHECK_STR(e.text, "target is required");
	CHECK(mount_parse(&arena, "type=tmpfs,target=/a,volume-nocopy", &m, &e) < 0);
	CHECK_STR(e.text, "cannot mix 'volume-*' options with mount type 'tmpfs'");
	CHECK(mount_parse(&arena, "target=/a,foo=1", &m, &e) < 0);
	CHECK_STR(e.text, "unexpected key 'foo' in 'foo=1'");
}

TEST(image_names)
{
	arena_release(&arena);
	arena_init(&arena, 1 << 20);
	CHECK_STR(spec_full_repo(&arena, SLICE("busybox")), "docker.io/library/busybox");
	CHECK_STR(spec_full_repo(&arena, SLICE("localhost:5000/x")), "localhost:5000/x");
	CHECK_STR(spec_familiar(&arena, SLICE("docker.io/library/x")), "x");
	CHECK_SLICE(spec_image("localhost:5000/a/b:v1").tag, "v1");
	CHECK_SLICE(spec_image("localhost:5000/a/b").repo, "localhost:5000/a/b");
	CHECK(spec_reference_ok("busybox") && spec_reference_ok("localhost:5000/x:1"));
	CHECK(spec_reference_ok("a/b:c") && !spec_reference_ok("A") && !spec_reference_ok("a:") && !spec_reference_ok("") && !spec_reference_ok("a//b"));
}
