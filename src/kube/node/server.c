/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kubelet's API over TLS. Who may ask: a client certificate of the
 * cluster's authority with the group system:masters, or anybody (certificate or
 * bearer token) whom the API server lets do it: get, create … of nodes/proxy,
 * nodes/stats, nodes/metrics, nodes/log. Commands and forwarded ports are not
 * served here: the runtime says where (CRI Exec, Attach, PortForward), and
 * the bytes are passed on.
 */
#include "kube/node/server.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "http/proxy.h"

struct node_server {
	struct node *n;
	struct kclient *client;
	struct http_server *http;
	struct tls_config *tls;
};

struct node *server_node(const struct http_request *r)
{
	return ((struct node_server *)r->user)->n;
}

/* --- who may --------------------------------------------------------------------------------------------------- */

static const char *subresource_of(const char *path)
{
	return !strncmp(path, "/stats", 6) ? "stats" : !strncmp(path, "/metrics", 8) ? "metrics" : !strncmp(path, "/logs", 5) ? "log" : "proxy";
}

static const char *verb_of(struct slice method)
{
	return slice_is(method, "POST") ? "create" : slice_is(method, "PUT") ? "update" : slice_is(method, "PATCH") ? "patch" :
		slice_is(method, "DELETE") ? "delete" : "get";
}

static int token_user_wait(struct node_server *s, struct slice token, struct arena *a, struct kube_user_info *ret, struct err *e)
{
	struct kube_token_review q = { .spec = { .token = arena_dup(a, token) } }, p = { 0 };
	int r = kclient_create_wait(s->client, kube_resource_find("authentication.k8s.io", "v1", "tokenreviews"), NULL, &q, a, &p, e);

	if (r < 0)
		return r;
	if (!p.status.authenticated)
		return err_set(e, EKEYREJECTED, "Unauthorized");
	*ret = p.status.user;
	return 0;
}

static int review_wait(struct node_server *s, const struct http_request *r, const struct kube_user_info *u, struct err *e)
{
	struct kube_resource_attributes at = { .verb = verb_of(r->method), .version = "v1", .resource = "nodes", .name = s->n->set.name,
		.subresource = subresource_of(r->path) };
	struct kube_subject_access_review q = { .spec = { .resource_attributes = &at, .user = u->username, .uid = u->uid, .groups = u->groups, .n_groups = u->n_groups } };
	struct kube_subject_access_review p = { 0 };
	int rc = kclient_create_wait(s->client, kube_resource_find("authorization.k8s.io", "v1", "subjectaccessreviews"), NULL, &q, r->arena, &p, e);

	if (rc < 0)
		return rc;
	return p.status.allowed ? 0 : err_set(e, EACCES, "Forbidden (user=%s, verb=%s, resource=nodes, subresource=%s)", u->username, at.verb, at.subresource);
}

static int admit(struct http_request *r, const char **path, struct err *e)
{
	struct node_server *s = r->user;
	struct slice auth = http_header_get(&r->headers, "Authorization");
	struct kube_user_info u = { 0 };

	if (!strcmp(*path, "/healthz"))
		return 0;
	if (r->peer_name) {
		u.username = r->peer_name;
		u.groups = (const char **)r->peer_organizations;
		u.n_groups = (uint32_t)r->n_peer_organizations;
		for (uint32_t i = 0; i < u.n_groups; i++)
			if (!strcmp(u.groups[i], "system:masters"))
				return 0;
	} else if (slice_starts(auth, "Bearer ")) {
		int rc = token_user_wait(s, slice_trim(slice_n(auth.ptr + 7, auth.len - 7)), r->arena, &u, e);
		if (rc < 0)
			return rc;
	} else {
		return err_set(e, EKEYREJECTED, "Unauthorized");
	}
	return review_wait(s, r, &u, e);
}

/* --- which pod --------------------------------------------------------------------------------------------------- */

struct found {
	struct pod_worker *w;
	struct pod_view v;
	struct pod_container *c;
};

static int find_pod(struct http_request *r, struct found *f, struct err *e)
{
	const char *ns = http_param(r, "ns"), *name = http_param(r, "pod");

	f->w = worker_find(server_node(r), ns, name);
	if (!f->w)
		return err_set(e, ENOENT, "pod \"%s\" not found in namespace \"%s\"", name, ns);
	return worker_view(f->w, r->arena, &f->v) < 0 ? err_nomem(e) : 0;
}

static int find_container(struct http_request *r, struct found *f, struct err *e)
{
	const char *name = http_param(r, "container");
	int rc = find_pod(r, f, e);

	for (unsigned i = 0; rc == 0 && i < f->v.n_containers; i++)
		if (!strcmp(f->v.containers[i].spec->name, name))
			f->c = &f->v.containers[i];
	if (rc == 0 && !f->c)
		return err_set(e, ENOENT, "container %s not found in pod %s_%s", name, http_param(r, "pod"), http_param(r, "ns"));
	return rc;
}

/* --- logs ---------------------------------------------------------------------------------------------------------- */

struct follower { struct node *n; char *uid, *id; };

static bool still_runs(void *arg)
{
	struct follower *f = arg;
	struct pod_worker *w = worker_find_uid(f->n, f->uid);

	for (uint32_t i = 0; w && i < w->observed.n_containers; i++)
		if (!strcmp(w->observed.containers[i].id, f->id))
			return w->observed.containers[i].state != CRI_CONTAINER_EXITED;
	return false;
}

static int number(const struct http_request *r, const char *key, int64_t missing, int64_t *ret, struct err *e)
{
	const char *s = http_query_get(&r->query, key);

	*ret = missing;
	if (!s || !*s)
		return 0;
	return num_parse_i64(slice_of(s), 0, INT64_MAX, ret) < 0 ? err_set(e, EINVAL, "%s: \"%s\" is no number", key, s) : 0;
}

static int log_query(struct http_request *r, struct log_options *o, struct err *e)
{
	int64_t seconds, now = loop_realtime_ns(server_node(r)->loop);
	const char *since = http_query_get(&r->query, "sinceTime"), *stream = http_query_get(&r->query, "stream");
	int rc = number(r, "tailLines", -1, &o->tail, e);

	if (rc == 0)
		rc = number(r, "limitBytes", -1, &o->limit_bytes, e);
	if (rc == 0)
		rc = number(r, "sinceSeconds", 0, &seconds, e);
	if (rc < 0)
		return rc;
	o->since_ns = seconds ? now - MIN(seconds, 1LL << 32) * NS_PER_S : 0;
	if (since && *since && clock_parse_rfc3339(slice_of(since), &o->since_ns) < 0)
		return err_set(e, EINVAL, "sinceTime: \"%s\" is no time", since);
	o->follow = http_query_bool(&r->query, "follow");
	o->timestamps = http_query_bool(&r->query, "timestamps");
	o->stream = !stream || !strcmp(stream, "All") ? NULL : !strcmp(stream, "Stderr") ? "stderr" : "stdout";
	return 0;
}

/* Which run of the container is meant; the wordings are those of kubectl logs. */
static int log_run(struct http_request *r, const struct found *f, const struct cri_container_status **ret, struct err *e)
{
	const struct pod_container *c = f->c;
	const char *name = c->spec->name, *pod = http_param(r, "pod");
	const struct kube_container_status *s = NULL;

	if (http_query_bool(&r->query, "previous")) {
		*ret = cri_has_ended(c->now) && c->memory->waiting_reason ? c->now : c->before;
		return *ret ? 0 : err_set(e, EINVAL, "previous terminated container \"%s\" in pod \"%s\" not found", name, pod);
	}
	*ret = c->now;
	if (c->now && c->now->state != CRI_CONTAINER_CREATED)
		return 0;
	if (c->before) {
		*ret = c->before;
		return 0;
	}
	s = f->w->want ? pod_old_status(f->v.pod, c) : NULL;
	const char *reason = c->memory->waiting_reason ? c->memory->waiting_reason : s && s->state.waiting ? s->state.waiting->reason : "ContainerCreating";
	if (!strcmp(reason, "ErrImagePull") || !strcmp(reason, "ImagePullBackOff") || !strcmp(reason, "ErrImageNeverPull") || !strcmp(reason, "InvalidImageName"))
		return err_set(e, EINVAL, "container \"%s\" in pod \"%s\" is waiting to start: %s", name, pod, !strcmp(reason, "ErrImagePull") ?
			"image can't be pulled" : !strcmp(reason, "ImagePullBackOff") ? "trying and failing to pull image" : reason);
	return err_set(e, EINVAL, "container \"%s\" in pod \"%s\" is waiting to start: %s", name, pod, reason);
}

static int get_logs(struct http_request *r, struct err *e)
{
	struct node *n = server_node(r);
	struct found f = { 0 };
	struct log_options o = { 0 };
	const struct cri_container_status *s = NULL;
	int rc = log_query(r, &o, e);

	if (rc == 0)
		rc = find_container(r, &f, e);
	if (rc == 0)
		rc = log_run(r, &f, &s, e);
	if (rc < 0)
		return rc;
	struct follower x = { .n = n, .uid = arena_strdup(r->arena, f.w->uid), .id = arena_strdup(r->arena, s->id) };
	const char *path = s->log_path && *s->log_path == '/' ? arena_strdup(r->arena, s->log_path) :
		container_log_path(&n->set, worker_pod(f.w), f.c->spec->name, s->metadata->attempt, r->arena);
	return path && x.uid && x.id ? logs_send_wait(r, path, &o, still_runs, &x, e) : err_nomem(e);
}

/* --- exec, attach, port-forward -------------------------------------------------------------------------------------- */

static int pass_on_wait(struct http_request *r, const char *url, struct err *e)
{
	struct slice rest = slice_of(url), host, port;
	int64_t number = 0;
	struct http_client *client = NULL;

	if (slice_starts(rest, "http://"))
		rest = slice_n(rest.ptr + 7, rest.len - 7);
	else if (strstr(url, "://"))
		return err_set(e, EOPNOTSUPP, "the runtime serves streams at %s, which is not plain HTTP", url);
	ptrdiff_t slash = slice_find(rest, '/');
	host = slash < 0 ? rest : slice_n(rest.ptr, (size_t)slash);
	const char *target = slash < 0 ? "/" : rest.ptr + slash;
	slice_cut(host, ':', &host, &port);
	if (num_parse_i64(port, 1, 65535, &number) < 0)
		return err_set(e, EBADMSG, "the runtime's URL for streams is no URL: %s", url);
	struct http_client_config c = { .host = arena_dup(r->arena, host), .port = (unsigned)number, .connect_timeout_ns = 10 * NS_PER_S };
	int rc = http_client_new(server_node(r)->loop, &c, &client);
	if (rc < 0)
		return err_sys(e, rc, "connecting to the runtime");
	struct http_proxy p = { .to = client, .target = target };
	rc = http_proxy_upgrade_wait(r, &p, e);
	http_client_free(client);
	return rc;
}

/* stdin, stdout … as API server and clients spell it, input, output … as the kubelet's own API does. */
static bool wants(const struct http_request *r, const char *a, const char *b)
{
	return http_query_bool(&r->query, a) || http_query_bool(&r->query, b);
}

static int running_id(struct http_request *r, struct found *f, const char **ret, struct err *e)
{
	int rc = find_container(r, f, e);

	if (rc < 0)
		return rc;
	if (!cri_is_running(f->c->now))
		return err_set(e, EINVAL, "container not found (\"%s\")", f->c->spec->name);
	*ret = arena_strdup(r->arena, f->c->now->id);
	return *ret ? 0 : err_nomem(e);
}

static const char **words(struct http_request *r, const char *key, uint32_t *n)
{
	const char **v = arena_array(r->arena, r->query.n + 1, sizeof *v);
	for (size_t i = 0; v && i < r->query.n; i++)
		if (slice_is(r->query.v[i].name, key))
			v[(*n)++] = arena_dup(r->arena, r->query.v[i].value);
	return v;
}

static int do_exec(struct http_request *r, struct err *e)
{
	struct node *n = server_node(r);
	struct found f = { 0 };
	struct cri_exec_request q = { 0 };
	struct cri_exec_response p = { 0 };
	int rc = running_id(r, &f, &q.container_id, e);

	if (rc < 0)
		return rc;
	q.cmd = words(r, "command", &q.n_cmd);
	q.tty = http_query_bool(&r->query, "tty");
	q.stdin_ = wants(r, "stdin", "input");
	q.stdout_ = wants(r, "stdout", "output");
	q.stderr_ = wants(r, "stderr", "error") && !q.tty;
	if (!q.n_cmd)
		return err_set(e, EINVAL, "you must specify at least one command for the container");
	rc = n->rt->call_wait(n->rt, CRI_EXEC, &q, r->arena, &p, 0, e);
	return rc < 0 ? rc : pass_on_wait(r, p.url ? p.url : "", e);
}

static int do_attach(struct http_request *r, struct err *e)
{
	struct node *n = server_node(r);
	struct found f = { 0 };
	struct cri_attach_request q = { 0 };
	struct cri_attach_response p = { 0 };
	int rc = running_id(r, &f, &q.container_id, e);

	if (rc < 0)
		return rc;
	q.tty = http_query_bool(&r->query, "tty") || f.c->spec->tty;
	q.stdin_ = wants(r, "stdin", "input");
	q.stdout_ = wants(r, "stdout", "output");
	q.stderr_ = wants(r, "stderr", "error") && !q.tty;
	rc = n->rt->call_wait(n->rt, CRI_ATTACH, &q, r->arena, &p, 0, e);
	return rc < 0 ? rc : pass_on_wait(r, p.url ? p.url : "", e);
}

static int do_forward(struct http_request *r, struct err *e)
{
	struct node *n = server_node(r);
	struct found f = { 0 };
	struct cri_port_forward_request q = { 0 };
	struct cri_port_forward_response p = { 0 };
	uint32_t n_ports = 0;
	int rc = find_pod(r, &f, e);

	if (rc < 0)
		return rc;
	if (!f.v.observed->n_sandboxes || f.v.observed->sandboxes[0].state != CRI_SANDBOX_READY)
		return err_set(e, EINVAL, "pod %s_%s has no running sandbox", http_param(r, "pod"), http_param(r, "ns"));
	q.pod_sandbox_id = arena_strdup(r->arena, f.v.observed->sandboxes[0].id);
	const char *const keys[] = { "port", "ports" };
	q.port = arena_array(r->arena, r->query.n + 1, sizeof *q.port);
	for (size_t k = 0; q.port && k < ARRAY_LEN(keys); k++) {
		const char **v = words(r, keys[k], &n_ports);
		for (uint32_t i = 0; v && i < n_ports; i++) {
			int64_t x;
			if (v[i] && num_parse_i64(slice_of(v[i]), 1, 65535, &x) == 0)
				q.port[q.n_port++] = (int32_t)x;
		}
		n_ports = 0;
	}
	rc = n->rt->call_wait(n->rt, CRI_PORT_FORWARD, &q, r->arena, &p, 0, e);
	return rc < 0 ? rc : pass_on_wait(r, p.url ? p.url : "", e);
}

static int do_run(struct http_request *r, struct err *e)
{
	struct node *n = server_node(r);
	struct found f = { 0 };
	struct cri_exec_sync_request q = { 0 };
	struct cri_exec_sync_response p = { 0 };
	const char *cmd = http_query_get(&r->query, "cmd");
	struct slice rest = slice_of(cmd ? cmd : ""), word;
	int rc = running_id(r, &f, &q.container_id, e);

	if (rc < 0)
		return rc;
	q.cmd = arena_array(r->arena, rest.len + 1, sizeof *q.cmd);
	while (q.cmd && rest.len && slice_next(&rest, ' ', &word))
		if (word.len)
			q.cmd[q.n_cmd++] = arena_dup(r->arena, word);
	rc = n->rt->call_wait(n->rt, CRI_EXEC_SYNC, &q, r->arena, &p, 0, e);
	if (rc < 0)
		return rc;
	return http_reply(r, 200, "text/plain", p.stdout_.len ? p.stdout_ : p.stderr_);
}

/* --- the rest -------------------------------------------------------------------------------------------------------- */

static int get_health(struct http_request *r, struct err *e)
{
	return http_reply(r, 200, "text/plain; charset=utf-8", SLICE("ok"));
}

static int get_pods(struct http_request *r, struct err *e)
{
	struct node *n = server_node(r);
	struct kube_pod_list list = { .kind = "PodList", .api_version = "v1" };
	AUTO(buf) struct buf out = BUF_INIT(64 << 20);
	struct pod_worker *w;
	size_t most = 0;

	list_each(w, &n->workers, node)
		most++;
	list.items = arena_array(r->arena, most + 1, sizeof *list.items);
	if (!list.items)
		return err_nomem(e);
	list_each(w, &n->workers, node) {
		struct kube_pod *p = &list.items[list.n_items++];
		*p = *worker_pod(w);
		if (w->want)
			p->status = *w->want;
	}
	schema_to_json(T_kube_pod_list, &list, 0, &out);
	return buf_error(&out) < 0 ? err_nomem(e) : http_reply(r, 200, "application/json", buf_slice(&out));
}

static const struct http_route routes[] = {
	{ "GET", "/healthz", get_health, NULL },
	{ "GET", "/pods", get_pods, NULL },
	{ "GET", "/runningpods", get_pods, NULL },
	{ "GET", "/containerLogs/{ns}/{pod}/{container}", get_logs, NULL },
	{ "GET", "/exec/{ns}/{pod}/{container}", do_exec, NULL },
	{ "POST", "/exec/{ns}/{pod}/{container}", do_exec, NULL },
	{ "GET", "/exec/{ns}/{pod}/{uid}/{container}", do_exec, NULL },
	{ "POST", "/exec/{ns}/{pod}/{uid}/{container}", do_exec, NULL },
	{ "GET", "/attach/{ns}/{pod}/{container}", do_attach, NULL },
	{ "POST", "/attach/{ns}/{pod}/{container}", do_attach, NULL },
	{ "GET", "/attach/{ns}/{pod}/{uid}/{container}", do_attach, NULL },
	{ "POST", "/attach/{ns}/{pod}/{uid}/{container}", do_attach, NULL },
	{ "GET", "/portForward/{ns}/{pod}", do_forward, NULL },
	{ "POST", "/portForward/{ns}/{pod}", do_forward, NULL },
	{ "GET", "/portForward/{ns}/{pod}/{uid}", do_forward, NULL },
	{ "POST", "/portForward/{ns}/{pod}/{uid}", do_forward, NULL },
	{ "POST", "/run/{ns}/{pod}/{container}", do_run, NULL },
	{ "POST", "/run/{ns}/{pod}/{uid}/{container}", do_run, NULL },
	{ "GET", "/stats/summary", stats_summary_wait, NULL },
	{ "GET", "/metrics", stats_metrics_wait, NULL },
	{ "GET", "/metrics/resource", stats_resource_wait, NULL },
};

static void write_error(struct http_request *r, int status, const struct err *e)
{
	/* the API server passes answers on as they are, and kubectl logs shows the message of a Status */
	if (r->path && !strncmp(r->path, "/containerLogs/", 15)) {
		struct kube_status s = { .kind = "Status", .api_version = "v1", .status = "Failure", .message = e->text, .code = status,
			.reason = status == 400 ? "BadRequest" : err_reason(e->code) };
		AUTO(buf) struct buf out = BUF_INIT(64 << 10);
		schema_to_json(T_kube_status, &s, 0, &out);
		http_reply(r, status, "application/json", buf_slice(&out));
		return;
	}
	http_reply(r, status, "text/plain; charset=utf-8", slice_of(e->text));
}

int node_server_new(struct node *n, struct kclient *client, const struct node_config *c, struct node_server **ret, struct err *e)
{
	struct node_server *s = calloc(1, sizeof *s);
	struct http_server_config hc = { .routes = routes, .n_routes = ARRAY_LEN(routes), .user = s, .before = admit, .write_error = write_error };
	struct tls_files f = { .ca = c->client_ca, .cert = c->tls_cert, .key = c->tls_key };
	int r = s ? 0 : err_nomem(e);

	if (r == 0) {
		s->n = n;
		s->client = client;
		r = tls_config_new(&f, true, &s->tls, e);
	}
	if (r >= 0)
		r = http_server_new(n->loop, &hc, &s->http);
	int fd = r < 0 ? -1 : listen_tcp(c->listen_host ? c->listen_host : "", c->listen_port, e);
	if (r >= 0)
		r = fd < 0 ? fd : http_server_listen(s->http, fd, s->tls, e);
	if (r < 0) {
		node_server_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void node_server_free(struct node_server *s)
{
	if (!s)
		return;
	http_server_free(s->http);
	tls_config_free(s->tls);
	free(s);
}
