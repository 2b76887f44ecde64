/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is passed on: logs, exec, attach and port-forward to the pod's kubelet;
 * …/proxy of nodes to theirs, of pods and services to the pods themselves. The
 * client's credentials stop here; kubelets see the API server's own certificate.
 */
#include "kube/api/api_int.h"

#include <string.h>

#include "base/num.h"
#include "http/proxy.h"
#include "http/ws.h"
#include "kube/api/admit.h"

struct target {
	const char *host;
	unsigned port;
	struct tls_config *tls;
	const char *path;              /* with query */
	const char *prefix, *backend;  /* of proxies: redirects are rewritten */
	bool is_kubelet;
};

static bool is_set(const char *s) { return s && *s; }

/* --- which kubelet */

static int kubelet_of(struct api_req *q, const char *node, struct target *t)
{
	static const char *const order[] = { "InternalIP", "ExternalIP", "Hostname", "InternalDNS", "ExternalDNS" };
	const struct kube_node *n = api_cached(q, "", "v1", "nodes", "", node);
	if (!q->api->kubelet_tls)
		return api_refuse(q, 503, "ServiceUnavailable", "this server has no certificate for kubelets");
	if (!n)
		return api_not_found(q, api_resource_find(q->api, "", "v1", "nodes"), node);
	for (size_t i = 0; i < ARRAY_LEN(order) && !t->host; i++)
		for (uint32_t k = 0; k < n->status.n_addresses && !t->host; k++)
			if (!strcmp(n->status.addresses[k].type, order[i]))
				t->host = n->status.addresses[k].address;
	if (!t->host)
		return api_refuse(q, 500, "InternalError", "no preferred addresses found; known addresses: []");
	int32_t port = n->status.daemon_endpoints.kubelet_endpoint.port;
	t->port = port > 0 ? (unsigned)port : 10250;
	t->tls = q->api->kubelet_tls;
	t->is_kubelet = true;
	return 0;
}

/* --- pods: which container */

static bool has_container(const struct kube_pod_spec *s, const char *name)
{
	for (uint32_t i = 0; i < s->n_containers; i++)
		if (!strcmp(s->containers[i].name, name))
			return true;
	for (uint32_t i = 0; i < s->n_init_containers; i++)
		if (!strcmp(s->init_containers[i].name, name))
			return true;
	for (uint32_t i = 0; i < s->n_ephemeral_containers; i++)
		if (!strcmp(s->ephemeral_containers[i].name, name))
			return true;
	return false;
}

static int container_of_pod(struct api_req *q, const struct kube_pod *pod, const char **ret)
{
	const char *name = http_query_get(&q->http->query, "container");
	AUTO(buf) struct buf b = BUF_INIT(16384);
	const struct kube_pod_spec *s = &pod->spec;
	if (is_set(name)) {
		*ret = name;
		return has_container(s, name) ? 0 : api_bad_request(q, "container %s is not valid for pod %s", name, pod->metadata.name);
	}
	const char *chosen = kube_annotation(&pod->metadata, "kubectl.kubernetes.io/default-container");
	if (s->n_containers == 1 || (chosen && has_container(s, chosen))) {
		*ret = chosen && has_container(s, chosen) ? chosen : s->containers[0].name;
		return 0;
	}
	for (uint32_t i = 0; i < s->n_containers; i++)
		buf_addf(&b, "%s%s", i ? " " : "", s->containers[i].name);
	if (s->n_init_containers) {
		buf_adds(&b, "] or one of the init containers: [");
		for (uint32_t i = 0; i < s->n_init_containers; i++)
			buf_addf(&b, "%s%s", i ? " " : "", s->init_containers[i].name);
	}
	return api_bad_request(q, "a container name must be specified for pod %s, choose one of: [%s]", pod->metadata.name, b.ptr);
}

static void add_query(struct buf *b, const char *name, const char *value)
{
	buf_addf(b, "%c%s=", strchr(b->ptr, '?') ? '&' : '?', name);
	http_percent_encode(b, slice_of(value));
}

/* The client's flags in the kubelet's names. */
static void add_stream_query(struct api_req *q, struct buf *b)
{
	static const struct { const char *from, *to; } names[] = { { "stdin", "input" }, { "stdout", "output" }, { "stderr", "error" }, { "tty", "tty" } };
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *v = http_query_get(&q->http->query, names[i].from);
		if (api_param_is(v))
			add_query(b, names[i].to, "1");
	}
	for (size_t i = 0; i < q->http->query.n; i++)
		if (slice_is(q->http->query.v[i].name, "command"))
			add_query(b, "command", arena_dup(q->arena, q->http->query.v[i].value));
}

static int kubelet_path(struct api_req *q, const struct kube_pod *pod, struct target *t)
{
	static const char *const passed[] = { "follow", "previous", "sinceSeconds", "sinceTime", "timestamps", "tailLines", "limitBytes", "stream" };
	AUTO(buf) struct buf b = BUF_INIT(256 * 1024);
	const char *sub = q->at.subresource, *container = NULL;
	int x = strcmp(sub, "portforward") ? container_of_pod(q, pod, &container) : 0;
	if (x < 0)
		return x;
	if (!strcmp(sub, "portforward")) {
		buf_addf(&b, "/portForward/%s/%s", pod->metadata.namespace, pod->metadata.name);
		for (size_t i = 0; i < q->http->query.n; i++)
			if (slice_is(q->http->query.v[i].name, "ports"))
				add_query(&b, "port", arena_dup(q->arena, q->http->query.v[i].value));
	} else if (!strcmp(sub, "log")) {
		buf_addf(&b, "/containerLogs/%s/%s/%s", pod->metadata.namespace, pod->metadata.name, container);
		for (size_t i = 0; i < ARRAY_LEN(passed); i++) {
			const char *v = http_query_get(&q->http->query, passed[i]);
			if (is_set(v))
				add_query(&b, passed[i], v);
		}
	} else {
		buf_addf(&b, "/%s/%s/%s/%s", sub, pod->metadata.namespace, pod->metadata.name, container);
		add_stream_query(q, &b);
	}
	t->path = arena_dup(q->arena, buf_slice(&b));
	return t->path && !buf_error(&b) ? 0 : -ENOMEM;
}

static int pod_to_kubelet(struct api_req *q, struct target *t)
{
	int x = api_fresh_wait(q, 0);
	const struct kube_pod *pod = x == 0 ? api_cached(q, "", "v1", "pods", q->at.namespace_, q->at.name) : NULL;
	if (x < 0)
		return x;
	if (!pod)
		return api_not_found(q, q->res, q->at.name);
	if (!is_set(pod->spec.node_name))
		return api_bad_request(q, "pod %s does not have a host assigned", q->at.name);
	x = kubelet_path(q, pod, t);
	return x < 0 ? x : kubelet_of(q, pod->spec.node_name, t);
}

/* --- …/proxy */

/* "[scheme:]name[:port]" */
static void split_name(struct api_req *q, const char **scheme, const char **name, const char **port)
{
	char *s = arena_strdup(q->arena, q->at.name);
	*scheme = *port = "";
	*name = q->at.name;
	char *a = s ? strchr(s, ':') : NULL, *b = a ? strchr(a + 1, ':') : NULL;
	if (!a)
		return;
	*a = 0;
	if (!b) {
		*name = s;
		*port = a + 1;
		return;
	}
	*b = 0;
	*scheme = s;
	*name = a + 1;
	*port = b + 1;
}

/* The rest of the path and the query as the client encoded them. */
static const char *raw_rest(struct api_req *q)
{
	const char *at = arena_dup(q->arena, q->http->target);
	const char *end = at ? strstr(at, "/proxy") : NULL;
	/* the subresource is the first "/proxy" that a slash, a question mark or the end follows, behind the name */
	while (end && end[6] && end[6] != '/' && end[6] != '?')
		end = strstr(end + 1, "/proxy");
	if (!end)
		return "/";
	end += 6;
	return *end == '/' ? end : arena_fmt(q->arena, "/%s", end);
}

static int pod_port(const struct kube_pod *pod, const char *port, unsigned *ret)
{
	int64_t n;
	if (is_set(port) && num_parse_i64(slice_of(port), 1, 65535, &n) == 0) {
		*ret = (unsigned)n;
		return 0;
	}
	for (uint32_t i = 0; i < pod->spec.n_containers; i++)
		for (uint32_t k = 0; k < pod->spec.containers[i].n_ports; k++) {
			const struct kube_container_port *p = &pod->spec.containers[i].ports[k];
			if (!is_set(port) || (p->name && !strcmp(p->name, port))) {
				*ret = (unsigned)p->container_port;
				return 0;
			}
		}
	*ret = 80;
	return is_set(port) ? -ENOENT : 0;
}

static int pod_target(struct api_req *q, struct target *t, const char **scheme)
{
	const char *name, *port;
	split_name(q, scheme, &name, &port);
	const struct kube_pod *pod = api_cached(q, "", "v1", "pods", q->at.namespace_, name);
	if (!pod)
		return api_not_found(q, q->res, name);
	if (!is_set(pod->status.pod_ip))
		return api_bad_request(q, "address not allowed");
	t->host = pod->status.pod_ip;
	return pod_port(pod, port, &t->port) < 0 ? api_refuse(q, 503, "ServiceUnavailable", "no port %s in pod %s", port, name) : 0;
}

struct finding { struct api_req *q; const char *service, *port_name; const char *host; unsigned port; };

static int look_for_endpoint(void *arg, void *obj)
{
	struct finding *f = arg;
	const struct kube_endpoint_slice *s = obj;
	const char *of = kube_label(&s->metadata, "kubernetes.io/service-name");
	if (!of || strcmp(of, f->service))
		return 0;
	for (uint32_t p = 0; p < s->n_ports; p++) {
		if (!s->ports[p].port || strcmp(s->ports[p].name ? s->ports[p].name : "", f->port_name))
			continue;
		for (uint32_t i = 0; i < s->n_endpoints; i++) {
			const struct kube_endpoint *ep = &s->endpoints[i];
			if (!ep->n_addresses || (ep->conditions.ready && !*ep->conditions.ready))
				continue;
			f->host = ep->addresses[0];
			f->port = (unsigned)*s->ports[p].port;
			return 1;
		}
	}
	return 0;
}

static int service_target(struct api_req *q, struct target *t, const char **scheme)
{
	const char *name, *port;
	int64_t number = 0;
	split_name(q, scheme, &name, &port);
	const struct kube_service *s = api_cached(q, "", "v1", "services", q->at.namespace_, name);
	if (!s)
		return api_not_found(q, q->res, name);
	const struct kube_service_port *found = !is_set(port) && s->spec.n_ports == 1 ? &s->spec.ports[0] : NULL;
	(void)num_parse_i64(slice_of(port), 1, 65535, &number);
	for (uint32_t i = 0; i < s->spec.n_ports && !found; i++) {
		const struct kube_service_port *p = &s->spec.ports[i];
		if ((number && p->port == number) || (!number && !strcmp(p->name ? p->name : "", port)))
			found = p;
	}
	if (!found)
		return api_refuse(q, 503, "ServiceUnavailable", "no service port \"%s\" found for service \"%s\"", port, name);
	struct finding f = { q, name, found->name ? found->name : "", NULL, 0 };
	api_cached_each(q, "discovery.k8s.io", "v1", "endpointslices", q->at.namespace_, look_for_endpoint, &f);
	if (!f.host)
		return api_refuse(q, 503, "ServiceUnavailable", "no endpoints available for service \"%s\"", name);
	t->host = f.host;
	t->port = f.port;
	return 0;
}

static int node_target(struct api_req *q, struct target *t)
{
	const char *scheme, *name, *port;
	int64_t n;
	split_name(q, &scheme, &name, &port);
	int x = kubelet_of(q, name, t);
	if (x == 0 && is_set(port) && num_parse_i64(slice_of(port), 1, 65535, &n) == 0)
		t->port = (unsigned)n;
	return x;
}

static int proxy_target(struct api_req *q, struct target *t)
{
	const char *scheme = "";
	int x = api_fresh_wait(q, 0);
	if (x == 0)
		x = !strcmp(q->res->text, "nodes") ? node_target(q, t) : !strcmp(q->res->text, "pods") ? pod_target(q, t, &scheme) : service_target(q, t, &scheme);
	if (x < 0)
		return x;
	if (!strcmp(scheme, "https"))
		t->tls = q->api->backend_tls;
	t->path = raw_rest(q);
	t->prefix = *q->at.namespace_ ? arena_fmt(q->arena, "/api/v1/namespaces/%s/%s/%s/proxy", q->at.namespace_, q->res->row->plural, q->at.name) :
		arena_fmt(q->arena, "/api/v1/%s/%s/proxy", q->res->row->plural, q->at.name);
	t->backend = arena_fmt(q->arena, "%s://%s:%u", t->tls ? "https" : "http", t->host, t->port);
	return t->path && t->prefix && t->backend ? 0 : -ENOMEM;
}

/* --- on its way */

static int pass_wait(struct api_req *q, const struct target *t)
{
	static const struct http_header dropped[] = { { SLICE("Authorization"), SLICE("") }, { SLICE("Impersonate-User"), SLICE("") },
		{ SLICE("Impersonate-Group"), SLICE("") }, { SLICE("Accept-Encoding"), SLICE("") } };
	const struct http_headers set = { (struct http_header *)dropped, t->is_kubelet ? 4 : 3 };
	const struct http_client_config c = { .host = t->host, .port = t->port, .tls = t->tls };
	struct http_client *client;
	struct err e = { 0 };
	if (http_client_new(q->api->loop, &c, &client) < 0)
		return -ENOMEM;
	const struct http_proxy p = { .to = client, .target = t->path, .set = &set, .prefix = t->prefix, .backend = t->backend, .scheme = "https" };
	/* a log has nothing to say in other protocols: its text goes in messages */
	bool log = !strcmp(q->at.subresource, "log") && ws_wanted(q->http);
	int x = log ? http_proxy_websocket_wait(q->http, &p, &e) : http_upgrade_wanted(q->http) ? http_proxy_upgrade_wait(q->http, &p, &e) :
		http_proxy_wait(q->http, &p, &e);
	http_client_free(client);
	if (x >= 0 || http_begun(q->http))
		return x;
	if (t->is_kubelet && !t->prefix)
		return api_refuse(q, 500, "InternalError", "error dialing backend: %s", e.text);
	return api_refuse(q, 503, "ServiceUnavailable", "error trying to reach service: %s", e.text);
}

int api_stream_wait(struct api_req *q)
{
	struct target t = { 0 };
	timer_cancel(&q->watchdog.timer);
	bool proxy = !strcmp(q->at.subresource, "proxy");
	if (proxy && !*q->rest && slice_is(q->http->method, "GET") && !http_upgrade_wanted(q->http)) {
		struct slice path, query;
		slice_cut(q->http->target, '?', &path, &query);
		if (!slice_ends(path, "/")) {
			http_header_add(q->http, "Location", arena_fmt(q->arena, query.len ? "%.*s/?%.*s" : "%.*s/%.*s", SLICE_FMT(path), SLICE_FMT(query)));
			return http_reply(q->http, 301, NULL, SLICE(""));
		}
	}
	int x = proxy ? proxy_target(q, &t) : pod_to_kubelet(q, &t);
	return x < 0 ? x : pass_wait(q, &t);
}
