/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes' streaming without a Kubernetes, for real clients: a front server
 * on loopback (its port is printed) takes /exec, /attach and /portforward as
 * the API server does, asks a CRI streaming server in the same process for a
 * URL, and passes the upgrade on to it; below /direct/ it answers by itself.
 * Commands are words: cat, both, exit N, spit N, sizes, fail, sleep.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include "base/clock.h"
#include "base/num.h"
#include "cri/stream.h"
#include "http/proxy.h"
#include "kube/stream/forward.h"

static struct cri_streams *streams;

/* --- the engine's part */

static void spit_wait(struct stream *to, int64_t n)
{
	char p[10000];

	for (size_t i = 0; i < sizeof p; i++)
		p[i] = (char)('a' + i % 26);
	for (; n > 0 && stream_write_wait(to, p, (size_t)MIN(n, (int64_t)sizeof p)) == 0; n -= sizeof p)
		;
}

static void sizes_wait(struct remote *io)
{
	struct remote_size s;
	char text[64];

	while (remote_size_wait(io, &s) == 1) {
		fmt_into(text, sizeof text, "%ux%u ", s.width, s.height);
		if (s.width == 1 || stream_write_wait(io->out, text, strlen(text)) < 0)
			return;
	}
}

static int run_wait(const char *const *cmd, size_t n, struct remote *io, int *code, struct err *e)
{
	const char *what = n ? cmd[0] : "";
	int64_t number = 0;

	if (n > 1)
		num_parse_i64(slice_of(cmd[1]), 0, INT32_MAX, &number);
	*code = 0;
	if (!strcmp(what, "cat")) {
		stream_copy_wait(io->out, io->in);
	} else if (!strcmp(what, "both")) {
		stream_write_wait(io->out, "out", 3);
		stream_write_wait(io->err, "err", 3);
	} else if (!strcmp(what, "spit")) {
		spit_wait(io->out, number);
	} else if (!strcmp(what, "sizes")) {
		sizes_wait(io);
	} else if (!strcmp(what, "exit")) {
		*code = (int)number;
	} else if (!strcmp(what, "sleep")) {
		remote_gone_wait(io, number * NS_PER_S);
	} else {
		return err_set(e, ENOENT, "exec: \"%s\": executable file not found in $PATH", what);
	}
	return 0;
}

static int exec_wait(void *arg, const struct cri_stream_request *q, struct remote *io, int *code, struct err *e)
{
	return run_wait(q->cmd, q->n_cmd, io, code, e);
}

static int attach_wait(void *arg, const struct cri_stream_request *q, struct remote *io, struct err *e)
{
	int code;

	return run_wait((const char *const[]){ "cat" }, 1, io, &code, e);
}

static int connect_wait(void *arg, const char *sandbox, unsigned port, struct stream **ret, struct err *e)
{
	return stream_connect_tcp_wait("127.0.0.1", port, 5 * NS_PER_S, ret, e);
}

/* --- the API server's part */

static size_t words(const struct http_request *r, const char **cmd, size_t most)
{
	size_t n = 0;

	for (size_t i = 0; i < r->query.n && n < most; i++)
		if (slice_is(r->query.v[i].name, "command"))
			cmd[n++] = r->query.v[i].value.ptr;
	return n;
}

static int pass_wait(struct http_request *r, const struct cri_stream_request *q, struct err *e)
{
	char url[CRI_STREAM_URL_MAX];
	struct http_client *c;
	struct http_client_config f = { .host = "127.0.0.1" };
	const char *at, *path;
	uint64_t port = 0;
	int n = cri_streams_url(streams, q, url, e);

	if (n < 0)
		return n;
	at = url + strlen("http://127.0.0.1:");
	path = strchr(at, '/');
	num_parse_u64(slice_n(at, (size_t)(path - at)), 65535, &port);
	f.port = (unsigned)port;
	n = http_client_new(fiber_loop(fiber_self()), &f, &c);
	if (n < 0)
		return n;
	n = http_proxy_upgrade_wait(r, &(struct http_proxy){ .to = c, .target = path }, e);
	http_client_free(c);
	return n;
}

static int remote_request(struct http_request *r, enum cri_stream_kind kind, struct err *e)
{
	const char *cmd[8];
	struct cri_stream_request q = { .kind = kind, .id = "container", .cmd = cmd, .n_cmd = words(r, cmd, 8) };
	int n = remote_wants_from_query(r, &q.wants, e);

	return n < 0 ? n : pass_wait(r, &q, e);
}

static int exec_request(struct http_request *r, struct err *e) { return remote_request(r, CRI_STREAM_EXEC, e); }
static int attach_request(struct http_request *r, struct err *e) { return remote_request(r, CRI_STREAM_ATTACH, e); }

static int forward_request(struct http_request *r, struct err *e)
{
	const char *text = http_query_get(&r->query, "ports");
	uint64_t port = 0;
	uint16_t ports[1];

	if (text)
		num_parse_u64(slice_of(text), 65535, &port);
	ports[0] = (uint16_t)port;
	return pass_wait(r, &(struct cri_stream_request){ .kind = CRI_STREAM_PORT_FORWARD, .id = "sandbox", .ports = ports, .n_ports = port ? 1 : 0 }, e);
}

/* --- without a proxy, and without WebSocket for clients that fall back */

static int direct_request(struct http_request *r, struct err *e)
{
	const char *cmd[8];
	size_t n_cmd = words(r, cmd, 8);
	struct remote_wants w;
	struct remote *io;
	struct err why = { 0 };
	int code, n = remote_wants_from_query(r, &w, e);

	if (n == 0)
		n = remote_accept_wait(r, &w, &io, e);
	if (n < 0)
		return n;
	n = run_wait(cmd, n_cmd, io, &code, &why);
	n = n < 0 ? remote_fail_wait(io, &why) : remote_exit_wait(io, code);
	remote_close_wait(io);
	return n;
}

static int none_request(struct http_request *r, struct err *e)
{
	return http_reply(r, 404, "application/json",
		SLICE("{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":\"pods \\\"x\\\" not found\",\"reason\":\"NotFound\",\"code\":404}"));
}

/* --- as much of an API server as kubectl looks at before it asks for a stream; pod "x" has one container */

#define PODS "/api/v1/namespaces/{ns}/pods/{name}"

static int text_request(struct http_request *r, struct err *e)
{
	return http_reply(r, 200, "application/json", slice_of(r->route->data));
}

static const char api[] = "{\"kind\":\"APIVersions\",\"versions\":[\"v1\"],\"serverAddressByClientCIDRs\":[]}";
static const char apis[] = "{\"kind\":\"APIGroupList\",\"apiVersion\":\"v1\",\"groups\":[]}";
static const char v1[] = "{\"kind\":\"APIResourceList\",\"groupVersion\":\"v1\",\"resources\":[{\"name\":\"pods\",\"singularName\":\"pod\","
	"\"namespaced\":true,\"kind\":\"Pod\",\"verbs\":[\"get\",\"list\"],\"shortNames\":[\"po\"]}]}";
static const char pod[] = "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\",\"namespace\":\"default\",\"uid\":\"1\"},"
	"\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"stdin\":true}]},\"status\":{\"phase\":\"Running\"}}";

static const struct http_route routes[] = {
	{ "GET", "/api", text_request, api }, { "GET", "/apis", text_request, apis }, { "GET", "/api/v1", text_request, v1 },
	{ "GET", PODS, text_request, pod },
	{ "GET", PODS "/exec", exec_request }, { "POST", PODS "/exec", exec_request },
	{ "GET", PODS "/attach", attach_request }, { "POST", PODS "/attach", attach_request },
	{ "GET", PODS "/portforward", forward_request }, { "POST", PODS "/portforward", forward_request },
	{ "GET", "/exec", exec_request }, { "POST", "/exec", exec_request }, { "GET", "/attach", attach_request }, { "POST", "/attach", attach_request },
	{ "GET", "/portforward", forward_request }, { "POST", "/portforward", forward_request },
	{ "GET", "/direct/exec", direct_request }, { "POST", "/direct/exec", direct_request },
	{ "GET", "/none", none_request }, { "POST", "/none", none_request },
};

int main(void)
{
	static const struct cri_stream_ops ops = { exec_wait, attach_wait, connect_wait };
	const struct http_server_config c = { .routes = routes, .n_routes = ARRAY_LEN(routes) };
	struct sockaddr_in a = { 0 };
	socklen_t n = sizeof a;
	struct http_server *front;
	struct loop *l;
	struct err e = { 0 };
	int fd = -1, r = loop_new(&l, &e);

	if (r == 0)
		r = cri_streams_new(l, &ops, NULL, &streams, &e);
	if (r == 0)
		r = http_server_new(l, &c, &front);
	if (r == 0)
		r = fd = listen_tcp("127.0.0.1", 0, &e);
	if (r < 0 || getsockname(fd, (struct sockaddr *)&a, &n) < 0 || http_server_listen(front, fd, NULL, &e) < 0) {
		fprintf(stderr, "stream-driver: %s\n", e.text);
		return 1;
	}
	printf("%u\n", ntohs(a.sin_port));
	fflush(stdout);
	return loop_run(l) < 0;
}
