/* SPDX-License-Identifier: Apache-2.0 */
/* _ping, version, info, events, df, auth; and what is not here: swarm, plugins. */
#include <errno.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "docker_api/api_int.h"
#include "image/image.h"

static void ping_headers(struct http_request *r)
{
	http_header_add(r, "Builder-Version", "1");
	http_header_add(r, "Cache-Control", "no-cache, no-store, must-revalidate");
	http_header_add(r, "Pragma", "no-cache");
	http_header_add(r, "Swarm", "inactive");
}

static int ping(struct http_request *r, struct err *e)
{
	ping_headers(r);
	return http_reply(r, 200, "text/plain; charset=utf-8", SLICE("OK"));
}

static int ping_head(struct http_request *r, struct err *e)
{
	ping_headers(r);
	return http_reply(r, 200, "text/plain; charset=utf-8", (struct slice){ 0 });
}

#if defined(__x86_64__)
#define ARCH "amd64"
#elif defined(__aarch64__)
#define ARCH "arm64"
#else
#define ARCH "unknown"
#endif

static int version(struct http_request *r, struct err *e)
{
	struct utsname un;
	uname(&un);
	struct schema_pair engine_details[] = { { "ApiVersion", DOCKER_API_VERSION }, { "Arch", ARCH }, { "BuildTime", "2026-01-01T00:00:00.000000000+00:00" },
		{ "Experimental", "false" }, { "GitCommit", "coracle" }, { "GoVersion", "none" }, { "KernelVersion", un.release },
		{ "MinAPIVersion", DOCKER_API_LEAST_VERSION }, { "Os", "linux" } };
	struct docker_component_version parts[] = {
		{ "Engine", DOCKER_VERSION, engine_details, ARRAY_LEN(engine_details) },
	};
	struct docker_version out = { .platform = { "Coracle" }, .components = parts, .n_components = ARRAY_LEN(parts), .version = DOCKER_VERSION,
		.api_version = DOCKER_API_VERSION, .min_api_version = DOCKER_API_LEAST_VERSION, .git_commit = "coracle", .go_version = "none",
		.os = "linux", .arch = ARCH, .kernel_version = un.release, .build_time = "2026-01-01T00:00:00.000000000+00:00" };
	return reply_json(r, 200, T_docker_version, &out);
}

static int info(struct http_request *r, struct err *e)
{
	struct docker_info out;
	int ret = engine_info_wait(engine_of(r), r->arena, &out, e);
	out.server_version = DOCKER_VERSION;
	return ret < 0 ? ret : reply_json(r, 200, T_docker_info, &out);
}

static int event_time(struct http_request *r, const char *name, int64_t *ret, struct err *e)
{
	const char *s = query(r, name);
	*ret = 0;
	if (!s || !*s)
		return 0;
	if (api_time_parse(s, clock_realtime_ns(), ret) < 0)
		return err_set(e, EINVAL, "invalid value for \"%s\": failed to parse value as time or duration: \"%s\"", name, s);
	return 0;
}

static int events(struct http_request *r, struct err *e)
{
	static const char *const known[] = { "config", "container", "daemon", "event", "image", "label", "network", "node", "plugin", "scope",
		"secret", "service", "type", "volume", NULL };
	struct filters f;
	int64_t since, until;
	int ret = event_time(r, "since", &since, e);
	if (ret == 0)
		ret = event_time(r, "until", &until, e);
	if (ret == 0)
		ret = query_filters(r, &f, e);
	if (ret == 0)
		ret = filters_check(&f, known, e);
	struct event_reader *reader;
	if (ret == 0)
		ret = event_reader_new(engine_of(r), since, until, &f, &reader, e);
	if (ret < 0)
		return ret;
	ret = http_begin_wait(r, 200, "application/json");
	while (ret == 0) {
		const struct docker_event *m;
		int got = event_reader_next_wait(reader, 2 * NS_PER_S, &m);
		if (got == -ETIMEDOUT) {
			if (http_peer_gone(r))
				break;
			continue;
		}
		if (got <= 0) {
			ret = got;
			break;
		}
		AUTO(buf) struct buf b = BUF_INIT(4 << 20);
		schema_to_json(T_docker_event, m, SCHEMA_NEWLINE, &b);
		ret = http_write_wait(r, b.ptr, b.len);
	}
	event_reader_free(reader);
	return ret;
}

static int df(struct http_request *r, struct err *e)
{
	uint32_t n;
	const char **types = query_all(r, "type", &n);
	bool all = n == 0, c = all, v = all, i = all, b = all;
	for (uint32_t k = 0; types && k < n; k++) {
		if (!strcmp(types[k], "container"))
			c = true;
		else if (!strcmp(types[k], "image"))
			i = true;
		else if (!strcmp(types[k], "volume"))
			v = true;
		else if (!strcmp(types[k], "build-cache"))
			b = true;
		else
			return err_set(e, EINVAL, "unknown object type: %s", types[k]);
	}
	struct docker_disk_usage out = { 0 };
	int ret = engine_df_wait(engine_of(r), c, v, r->arena, &out, e);
	if (ret == 0 && i)
		ret = images_df(r, &out, e);
	if (b)
		out.build_cache = arena_array(r->arena, 0, sizeof *out.build_cache);
	return ret < 0 ? ret : reply_json(r, 200, T_docker_disk_usage, &out);
}

static int auth(struct http_request *r, struct err *e)
{
	struct docker_auth_config body;
	int ret = body_json(r, T_docker_auth_config, &body, false, e);
	if (ret < 0)
		return ret;
	struct image_auth a = { body.username, body.password, body.identitytoken, body.registrytoken };
	const char *token = "";
	ret = image_login_wait(engine_images(engine_of(r)), body.serveraddress ? body.serveraddress : "", &a, r->arena, &token, e);
	if (ret == -EACCES)
		ret = -(e->code = EKEYREJECTED);
	struct docker_auth_ok out = { .identity_token = token ? token : "", .status = "Login Succeeded" };
	return ret < 0 ? ret : reply_json(r, 200, T_docker_auth_ok, &out);
}

const struct http_route routes_system[] = {
	{ "HEAD", "/_ping", ping_head },
	{ "GET", "/_ping", ping },
	{ "GET", "/version", version },
	{ "GET", "/info", info },
	{ "GET", "/events", events },
	{ "GET", "/system/df", df },
	{ "POST", "/auth", auth },
	{ 0 }
};

/* --- what this engine does not do */
static int no_swarm(struct http_request *r, struct err *e)
{
	return err_set(e, EHOSTDOWN, "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again.");
}

static int no_swarm_init(struct http_request *r, struct err *e)
{
	return err_set(e, EOPNOTSUPP, "swarm mode is not supported by this engine");
}

static int not_in_swarm(struct http_request *r, struct err *e)
{
	return err_set(e, EHOSTDOWN, "This node is not part of a swarm");
}

static int plugins(struct http_request *r, struct err *e)
{
	return http_reply(r, 200, "application/json", SLICE("[]\n"));
}

static int no_plugins(struct http_request *r, struct err *e)
{
	return err_set(e, EOPNOTSUPP, "plugins are not supported by this engine");
}

static int no_plugin(struct http_request *r, struct err *e)
{
	return err_set(e, ENOENT, "plugin \"%s\" not found", http_param(r, "name"));
}

static int no_session(struct http_request *r, struct err *e)
{
	return err_set(e, EOPNOTSUPP, "sessions of BuildKit are not supported by this engine; use the classic builder (DOCKER_BUILDKIT=0)");
}

static int no_checkpoint(struct http_request *r, struct err *e)
{
	return err_set(e, EOPNOTSUPP, "checkpoints are not supported by this engine");
}

const struct http_route routes_absent[] = {
	{ "POST", "/swarm/init", no_swarm_init },
	{ "POST", "/swarm/join", no_swarm_init },
	{ "POST", "/swarm/leave", not_in_swarm },
	{ "GET", "/swarm", no_swarm },
	{ "GET", "/swarm/unlockkey", no_swarm },
	{ "POST", "/swarm/{rest}", no_swarm },
	{ "GET", "/nodes", no_swarm }, { "GET", "/nodes/{id}", no_swarm }, { "DELETE", "/nodes/{id}", no_swarm }, { "POST", "/nodes/{id}/update", no_swarm },
	{ "GET", "/services", no_swarm }, { "POST", "/services/create", no_swarm }, { "GET", "/services/{id}", no_swarm },
	{ "DELETE", "/services/{id}", no_swarm }, { "POST", "/services/{id}/update", no_swarm }, { "GET", "/services/{id}/logs", no_swarm },
	{ "GET", "/tasks", no_swarm }, { "GET", "/tasks/{id}", no_swarm }, { "GET", "/tasks/{id}/logs", no_swarm },
	{ "GET", "/secrets", no_swarm }, { "POST", "/secrets/create", no_swarm }, { "GET", "/secrets/{id}", no_swarm },
	{ "DELETE", "/secrets/{id}", no_swarm }, { "POST", "/secrets/{id}/update", no_swarm },
	{ "GET", "/configs", no_swarm }, { "POST", "/configs/create", no_swarm }, { "GET", "/configs/{id}", no_swarm },
	{ "DELETE", "/configs/{id}", no_swarm }, { "POST", "/configs/{id}/update", no_swarm },
	{ "GET", "/plugins", plugins },
	{ "GET", "/plugins/privileges", no_plugins },
	{ "POST", "/plugins/pull", no_plugins },
	{ "POST", "/plugins/create", no_plugins },
	{ "GET", "/plugins/{name:*}/json", no_plugin },
	{ "DELETE", "/plugins/{name:*}", no_plugin },
	{ "POST", "/plugins/{name:*}/enable", no_plugin },
	{ "POST", "/plugins/{name:*}/disable", no_plugin },
	{ "POST", "/plugins/{name:*}/upgrade", no_plugin },
	{ "POST", "/plugins/{name:*}/push", no_plugin },
	{ "POST", "/plugins/{name:*}/set", no_plugin },
	{ "POST", "/session", no_session },
	{ "POST", "/grpc", no_session },
	{ "GET", "/containers/{id}/checkpoints", no_checkpoint },
	{ "POST", "/containers/{id}/checkpoints", no_checkpoint },
	{ "DELETE", "/containers/{id}/checkpoints/{name}", no_checkpoint },
	{ 0 }
};
