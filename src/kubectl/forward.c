/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl port-forward and proxy: local ports that lead into the cluster. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "http/proxy.h"
#include "http/server.h"
#include "io/fiber.h"
#include "kube/stream/forward.h"
#include "kubectl/commands.h"

/* --- port-forward ------------------------------------------------------------------------------------- */
struct forwarding {
	struct kctl *k;
	struct forward *f;
};
struct local { struct forwarding *x; unsigned local, remote; struct listener *listener; };

static void say_error(struct local *l, struct stream *error)
{
	char text[4096];
	ssize_t n = stream_read_wait(error, text, sizeof text);
	if (n > 0)
		kctl_warn(l->x->k, "E an error occurred forwarding %u -> %u: %.*s", l->local, l->remote, (int)n, text);
	stream_close(error);
}

struct error_watch { struct local *l; struct stream *s; };
static void error_fiber(void *arg)
{
	struct error_watch *w = arg;
	say_error(w->l, w->s);
	free(w);
}

static void accepted(void *arg, struct stream *s)
{
	struct local *l = arg;
	struct stream *data, *error;
	struct err e = { 0 };
	kctl_print(l->x->k, "Handling connection for %u\n", l->local);
	kctl_flush(l->x->k);
	if (forward_open_wait(l->x->f, l->remote, &data, &error, &e) < 0) {
		kctl_warn(l->x->k, "E error forwarding port %u: %s", l->remote, e.text);
		stream_close(s);
		return;
	}
	struct error_watch *w = malloc(sizeof *w);
	if (w) {
		*w = (struct error_watch){ l, error };
		if (fiber_start(l->x->k->loop, "errors", error_fiber, w) < 0) {
			free(w);
			stream_close(error);
		}
	}
	stream_pump_wait(s, data, 0);
	stream_close(data);
	stream_close(s);
}

/* A service's port is another one in its pods. */
static int pod_port(struct kctl *k, const struct kctl_target *t, const struct tree *object, const struct tree *pod, const char *text, unsigned *ret, struct err *e)
{
	const struct tree *ports = tree_path(object, "spec.ports"), *containers = tree_path(pod, "spec.containers");
	const char *name = text;
	int64_t n = 0, v;
	bool number = num_parse_i64(slice_of(text), 1, 65535, &n) == 0;
	if (!strcmp(t->kind.plural, "services")) {
		bool found = false;
		for (uint32_t i = 0; ports && i < ports->n && !found; i++) {
			const struct tree *p = tree_at(ports, i);
			if (number ? tree_i64(tree_gets(p, "port"), &v) < 0 || v != n : strcmp(kctl_text_at(k, p, "name"), text))
				continue;
			found = true;
			name = kctl_text_at(k, p, "targetPort");
			if (!*name || !strcmp(kctl_text_at(k, object, "spec.clusterIP"), "None"))
				name = *name ? name : kctl_text_at(k, p, "port");
			number = num_parse_i64(slice_of(name), 1, 65535, &n) == 0;
		}
		if (!found)
			return err_set(e, EINVAL, "Service %s does not have a service port %s", t->name, text);
	}
	for (uint32_t i = 0; !number && containers && i < containers->n; i++) {
		const struct tree *list = tree_gets(tree_at(containers, i), "ports");
		for (uint32_t j = 0; list && j < list->n && !number; j++)
			if (!strcmp(kctl_text_at(k, tree_at(list, j), "name"), name))
				number = tree_i64(tree_gets(tree_at(list, j), "containerPort"), &n) == 0;
	}
	if (!number)
		return err_set(e, EINVAL, "Pod '%s' does not have a named port '%s'", kctl_text_at(k, pod, "metadata.name"), name);
	*ret = (unsigned)n;
	return 0;
}

static unsigned port_of(int fd)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof sa;
	if (getsockname(fd, (struct sockaddr *)&sa, &n) < 0)
		return 0;
	return ntohs(sa.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&sa)->sin6_port : ((struct sockaddr_in *)&sa)->sin_port);
}

static int listen_on(struct kctl *k, struct forwarding *x, const char *address, unsigned local, unsigned remote, unsigned *got, struct err *e)
{
	struct local *l = arena_new(&k->arena, struct local);
	int fd = l ? listen_tcp(address, local, e) : err_nomem(e);
	if (fd < 0)
		return fd;
	*l = (struct local){ x, port_of(fd), remote, NULL };
	*got = l->local;
	int r = listener_new(k->loop, fd, 1000, accepted, l, &l->listener);
	if (r < 0)
		return err_sys(e, -r, "listen on %s:%u", address, local);
	bool six = strchr(address, ':');
	kctl_print(k, "Forwarding from %s%s%s:%u -> %u\n", six ? "[" : "", address, six ? "]" : "", l->local, remote);
	return 0;
}

static int open_ports(struct kctl *k, struct forwarding *x, unsigned local, unsigned remote, struct err *e)
{
	const struct flag_value *addresses = flag_list(&k->f, "address");
	unsigned got = local;
	int r = 0;
	bool any = false;
	const char *const usual[] = { "localhost" };
	for (size_t i = 0; r == 0 && i < MAX(addresses->n, (size_t)1); i++) {
		const char *a = addresses->n ? addresses->v[i] : usual[0];
		if (strcmp(a, "localhost")) {
			r = listen_on(k, x, a, got, remote, &got, e);
			any |= r == 0;
			continue;
		}
		/* either of the two will do: a machine may be without IPv6 */
		struct err four = { 0 }, six = { 0 };
		int one = listen_on(k, x, "127.0.0.1", got, remote, &got, &four), other = listen_on(k, x, "::1", got, remote, &got, &six);
		any |= one == 0 || other == 0;
		if (one < 0 && other < 0) {
			*e = four;
			r = one;
		}
	}
	if (r < 0) {
		char why[300];
		fmt_into(why, sizeof why, "%s", e->text);
		return err_set(e, EADDRINUSE, "unable to listen on port %u: %s", local, why);
	}
	return 0;
}

int kcmd_port_forward(struct kctl *k, struct err *e)
{
	struct forwarding *x = arena_new(&k->arena, struct forwarding);
	struct kctl_target t;
	struct kctl_kind pods;
	struct tree pod, object;
	struct http_header h[1];
	struct http_headers headers = { h, 0 };
	int r = kctl_one_wait(k, kctl_arg(k, 0), "pods", &t, e);
	if (r == 0)
		r = kctl_pod_of_wait(k, &t, &pod, e);
	object = pod;
	if (r == 0 && strcmp(t.kind.plural, "pods"))
		r = kctl_get_wait(k, kctl_path(k, &t.kind, t.ns, t.name, NULL, NULL), &object, e);
	if (r == 0)
		r = kctl_kind_wait(k, "pods", &pods, e);
	if (r == 0 && !x)
		return err_nomem(e);
	if (r < 0)
		return r;
	const char *name = kctl_text_at(k, &pod, "metadata.name"), *phase = kctl_text_at(k, &pod, "status.phase");
	if (strcmp(phase, "Running"))
		return err_set(e, EINVAL, "unable to forward port because pod is not running. Current status=%s", phase);
	if (kclient_bearer(k->client))
		h[headers.n++] = (struct http_header){ SLICE("Authorization"), slice_of(kclient_bearer(k->client)) };
	x->k = k;
	r = forward_connect_wait(kclient_http(k->client), kctl_path(k, &pods, kctl_text_at(k, &pod, "metadata.namespace"), name, "portforward", NULL), &headers, &x->f, e);
	for (int i = 1; r == 0 && i < k->f.argc; i++) {
		struct slice first, second;
		unsigned remote = 0;
		int64_t local = -1;
		bool two = slice_cut(slice_of(k->f.argv[i]), ':', &first, &second);
		const char *there = two ? second.ptr : kctl_fmt(k, "%.*s", SLICE_FMT(first));
		r = pod_port(k, &t, &object, &pod, there, &remote, e);
		if (r == 0 && two && !first.len)
			local = 0;
		else if (r == 0 && num_parse_i64(first, 0, 65535, &local) < 0 && !two)
			local = remote;
		if (r == 0 && local < 0)
			return err_set(e, EINVAL, "error parsing local port '%.*s'", SLICE_FMT(first));
		if (r == 0)
			r = open_ports(k, x, (unsigned)local, remote, e);
	}
	kctl_flush(k);
	if (r == 0) {
		forward_gone_wait(x->f, -1);
		r = err_set(e, ENOTCONN, "lost connection to pod");
	}
	return r;
}

/* --- proxy -------------------------------------------------------------------------------------------------- */
struct proxy {
	struct kctl *k;
	regex_t hosts[16], accept[16], reject[16];
	size_t n_hosts, n_accept, n_reject;
	const char *prefix;
	bool filter;
};

static int compile(const char *list, regex_t *v, size_t *n, struct err *e)
{
	struct slice rest = slice_of(list), one;
	while (rest.len && slice_next(&rest, ',', &one)) {
		char text[1024];
		if (*n == 16 || !fmt_into(text, sizeof text, "%.*s", SLICE_FMT(one)) || regcomp(&v[*n], text, REG_EXTENDED | REG_NOSUB))
			return err_set(e, EINVAL, "cannot use %.*s as a regular expression", SLICE_FMT(one));
		(*n)++;
	}
	return 0;
}

static bool any_matches(const regex_t *v, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (!regexec(&v[i], text, 0, NULL, 0))
			return true;
	return false;
}

static int handle(struct http_request *r, struct err *e)
{
	struct proxy *p = r->user;
	struct kctl *k = p->k;
	struct slice host = http_header_get(&r->headers, "Host");
	char name[300];
	fmt_into(name, sizeof name, "%.*s", SLICE_FMT(host));
	/* without its port */
	char *colon = strrchr(name, ':');
	if (colon && (name[0] != '[' || strchr(colon, ']') == NULL))
		*colon = 0;
	if (p->filter && (!any_matches(p->hosts, p->n_hosts, name) || !any_matches(p->accept, p->n_accept, r->path) || any_matches(p->reject, p->n_reject, r->path)))
		return http_reply(r, 403, "text/plain", SLICE("Forbidden\n"));
	struct http_header set[2];
	struct http_headers headers = { set, 0 };
	if (kclient_bearer(k->client))
		set[headers.n++] = (struct http_header){ SLICE("Authorization"), slice_of(kclient_bearer(k->client)) };
	size_t skip = strlen(p->prefix);
	const char *target = arena_fmt(r->arena, "%.*s", SLICE_FMT(r->target));
	if (!target || strncmp(target, p->prefix, skip - 1))
		return http_reply(r, 404, "text/plain", SLICE("404 page not found\n"));
	const struct http_proxy x = { .to = kclient_http(k->client), .target = target + skip - 1, .set = &headers };
	return http_upgrade_wanted(r) ? http_proxy_upgrade_wait(r, &x, e) : http_proxy_wait(r, &x, e);
}

int kcmd_proxy(struct kctl *k, struct err *e)
{
	static const struct http_route routes[] = {
		{ "GET", "/{path:*}", handle }, { "GET", "/", handle }, { "POST", "/{path:*}", handle }, { "PUT", "/{path:*}", handle }, { "PATCH", "/{path:*}", handle },
		{ "DELETE", "/{path:*}", handle }, { "OPTIONS", "/{path:*}", handle }, { "HEAD", "/{path:*}", handle },
	};
	struct proxy *p = arena_new(&k->arena, struct proxy);
	const char *address = flag_str(&k->f, "address"), *socket = flag_str(&k->f, "unix-socket");
	struct http_server *server;
	int r = kctl_client(k, e), fd = -1;
	if (r == 0 && !p)
		return err_nomem(e);
	if (r < 0)
		return r;
	p->k = k;
	p->filter = !flag_bool(&k->f, "disable-filter");
	p->prefix = flag_str(&k->f, "api-prefix");
	if (*flag_str(&k->f, "www"))
		return err_set(e, EOPNOTSUPP, "--www is not supported by this kubectl: serve files by another program");
	r = compile(flag_str(&k->f, "accept-hosts"), p->hosts, &p->n_hosts, e);
	if (r == 0)
		r = compile(flag_str(&k->f, "accept-paths"), p->accept, &p->n_accept, e);
	if (r == 0)
		r = compile(flag_str(&k->f, "reject-paths"), p->reject, &p->n_reject, e);
	if (!p->filter)
		kctl_warn(k, "Request filter disabled, your proxy is vulnerable to XSRF attacks, please be cautious");
	const struct http_server_config c = { .routes = routes, .n_routes = ARRAY_LEN(routes), .user = p, .max_connections = 1000 };
	if (r == 0 && (r = http_server_new(k->loop, &c, &server)) < 0)
		return err_nomem(e);
	if (r < 0)
		return r;
	if (*socket) {
		unlink(socket);
		fd = unix_listen(socket, 0600, SOCK_STREAM, e);
	} else {
		fd = listen_tcp(address, (unsigned)flag_num(&k->f, "port"), e);
	}
	if (fd < 0)
		return fd;
	if (*socket)
		kctl_print(k, "Starting to serve on %s\n", socket);
	else
		kctl_print(k, strchr(address, ':') ? "Starting to serve on [%s]:%u\n" : "Starting to serve on %s:%u\n", address, port_of(fd));
	kctl_flush(k);
	r = http_server_listen(server, fd, NULL, e);
	while (r == 0)
		r = sleep_wait(3600 * NS_PER_S);
	return r;
}
