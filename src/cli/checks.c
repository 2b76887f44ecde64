/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of flag values. See checks.h. */
#include "cli/checks.h"
#include <arpa/inet.h>
#include <ctype.h>
#include "base/auto.h"
#include "base/num.h"
#include "cli/mount.h"
#include "cli/spec.h"

static bool is_ip(const char *s)
{
	unsigned char raw[16];
	return inet_pton(AF_INET, s, raw) == 1 || inet_pton(AF_INET6, s, raw) == 1;
}

int check_address(const char *value, struct err *e)
{
	char text[128];
	struct slice s = slice_trim(slice_of(value));

	fmt_into(text, sizeof text, "%.*s", SLICE_FMT(s));
	return is_ip(text) ? 0 : err_set(e, EINVAL, "IP address is not correctly formatted: %s", value);
}

int check_attach(const char *value, struct err *e)
{
	struct slice s = slice_of(value);

	if (slice_eq_nocase(s, SLICE("stdin")) || slice_eq_nocase(s, SLICE("stdout")) || slice_eq_nocase(s, SLICE("stderr")))
		return 0;
	return err_set(e, EINVAL, "valid streams are STDIN, STDOUT and STDERR");
}

int check_device_rule(const char *value, struct err *e)
{
	char kind, major[16], minor[16], access_[8], rest;

	if (sscanf(value, "%c %15[0-9*]:%15[0-9*] %7[rwm]%c", &kind, major, minor, access_, &rest) != 4 || !strchr("abc", kind))
		return err_set(e, EINVAL, "invalid device cgroup format '%s'", value);
	return 0;
}

int check_dns_search(const char *value, struct err *e)
{
	bool ok = *value != 0;

	if (strcmp(value, ".") == 0)
		return 0;
	for (const char *p = value; *p; p++)
		ok &= isalnum((unsigned char)*p) || strchr("-_. ", *p);
	return ok ? 0 : err_set(e, EINVAL, "%s is not a valid domain", value);
}

int check_env(const char *value, struct err *e)
{
	return *value == '=' || !*value ? err_set(e, EINVAL, "invalid environment variable: %s", value) : 0;
}

int check_extra_host(const char *value, struct err *e)
{
	struct slice name, address, s = slice_of(value);
	char text[128];

	if (!slice_cut(s, '=', &name, &address) && !slice_cut(s, ':', &name, &address))
		return err_set(e, EINVAL, "bad format for add-host: \"%s\"", value);
	if (!name.len)
		return err_set(e, EINVAL, "bad format for add-host: \"%s\"", value);
	if (slice_is(address, "host-gateway"))
		return 0;
	if (slice_starts(address, "[") && slice_ends(address, "]"))
		address = slice_n(address.ptr + 1, address.len - 2);
	fmt_into(text, sizeof text, "%.*s", SLICE_FMT(address));
	return is_ip(text) ? 0 : err_set(e, EINVAL, "invalid IP address in add-host: \"%.*s\"", SLICE_FMT(address));
}

int check_link(const char *value, struct err *e)
{
	struct slice rest = slice_of(value), piece;
	int n = 0;

	if (!*value)
		return err_set(e, EINVAL, "empty string specified for links");
	while (slice_next(&rest, ':', &piece))
		n++;
	return n > 2 ? err_set(e, EINVAL, "bad format for links: %s", value) : 0;
}

int check_log_level(const char *value, struct err *e)
{
	static const char *const levels[] = { "debug", "info", "warn", "warning", "error", "fatal", "panic", "trace" };

	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		if (strcasecmp(value, levels[i]) == 0)
			return 0;
	return err_set(e, EINVAL, "not a valid logrus Level: \"%s\"", value);
}

int check_mount(const char *value, struct err *e)
{
	struct docker_mount m;
	AUTO(arena) struct arena a = { 0 };
	arena_init(&a, 4 << 20);
	return mount_parse(&a, value, &m, e);
}

int check_tag(const char *value, struct err *e)
{
	AUTO(arena) struct arena a = { 0 };

	arena_init(&a, 1 << 20);
	return spec_reference_ok(value) ? 0 : err_set(e, EINVAL, "%s", spec_reference_error(&a, value));
}

static int check_throttle(const char *value, bool bytes, struct err *e)
{
	struct docker_throttle_device d;
	AUTO(arena) struct arena a = { 0 };
	arena_init(&a, 1 << 20);
	return spec_throttle(&a, value, bytes, &d, e);
}

int check_throttle_bytes(const char *value, struct err *e) { return check_throttle(value, true, e); }
int check_throttle_ops(const char *value, struct err *e) { return check_throttle(value, false, e); }

int check_ulimit(const char *value, struct err *e)
{
	struct docker_ulimit u;
	AUTO(arena) struct arena a = { 0 };
	arena_init(&a, 1 << 20);
	return spec_ulimit(&a, value, &u, e);
}

int check_weight_device(const char *value, struct err *e)
{
	struct docker_weight_device w;
	AUTO(arena) struct arena a = { 0 };
	arena_init(&a, 1 << 20);
	return spec_weight(&a, value, &w, e);
}
