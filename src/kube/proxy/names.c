/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One fiber holds the connection to the dns process: after each connect
 * everything is told, then what has changed. Nothing is kept but which services
 * have changed; what there is to tell is read from the caches.
 */
#include "kube/proxy/names.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "api/dns.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "sys/netlink.h"

#define AGAIN_NS (500 * NS_PER_MS)
#define ANSWER_NS (10 * NS_PER_S)
enum { PACKET_MAX = 128 * 1024, DNS_PORT = 53, ENDPOINTS_MOST = 900 };

struct names {
	struct loop *loop;
	char *run, *address, *domain, *link;
	struct informer *services, *slices;
	struct informer_handler on_service, on_slice;
	struct map changed;             /* "ns/name" → (itself) */
	struct waitq work, ended;
	int fd;
	bool stopping, running, handlers;
};

static bool is(const char *s, const char *what) { return s && !strcmp(s, what); }

/* --- the address and its sockets -------------------------------------------------------------- */
static int make_link(void *arg)
{
	struct names *n = arg;
	struct netlink nl AUTO(netlink) = NETLINK_CLOSED;
	struct netlink_batch b AUTO(netlink_batch);
	struct link_info l;
	struct in_addr a;
	struct err e = { 0 };
	if (inet_pton(AF_INET, n->address, &a) != 1)
		return -EINVAL;
	int r = netlink_open(NETLINK_ROUTE, &nl);
	if (r < 0)
		return r;
	netlink_batch_init(&b, &nl);
	if (link_get(&nl, n->link, &l) < 0) {
		/* a bridge without ports: a device that only has an address, which local programs reach */
		link_add_bridge(&b, &(struct link_bridge){ .name = n->link });
		r = netlink_batch_send(&b, &e);
		if (r == 0)
			r = link_get(&nl, n->link, &l);
		if (r < 0)
			return r;
	}
	addr_add(&b, l.index, ntohl(a.s_addr), 32);
	r = netlink_batch_send(&b, &e);
	return r == -EEXIST ? 0 : r;
}

static int open_sockets(const struct names *n, int fds[2])
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(DNS_PORT) };
	const int on = 1;
	inet_pton(AF_INET, n->address, &sa.sin_addr);
	fds[0] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r = fds[0] < 0 || fds[1] < 0 ? -errno : 0;
	/* the dns process may hold the old ones: the new ones stand beside them until it takes them over */
	for (int i = 0; i < 2 && r == 0; i++)
		if (setsockopt(fds[i], SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 || setsockopt(fds[i], SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0 ||
			bind(fds[i], (struct sockaddr *)&sa, sizeof sa) < 0 || (i && listen(fds[i], 128) < 0))
			r = -errno;
	for (int i = 0; i < 2 && r < 0; i++)
		if (fds[i] >= 0)
			close(take_fd(&fds[i]));
	return r;
}

/* --- telling ------------------------------------------------------------------------------------- */
static int tell_wait(struct names *n, const struct dns_request *q, const int *fds, size_t n_fds, struct err *e)
{
	struct buf text AUTO(buf) = BUF_INIT(PACKET_MAX);
	struct arena a AUTO(arena);
	char room[4096];
	struct dns_answer answer;
	arena_init(&a, 64 << 10);
	int r = schema_to_json(T_dns_request, q, 0, &text);
	if (r < 0)
		return err_sys(e, -r, "write a message to the dns process");
	ssize_t k = fd_send(n->fd, text.ptr, text.len, fds, n_fds);
	if (k < 0)
		return err_sys(e, (int)-k, "tell the dns process");
	r = fd_wait(n->fd, WATCH_READ, ANSWER_NS);
	if (r < 0)
		return err_sys(e, -r, "wait for the dns process");
	k = recv(n->fd, room, sizeof room, MSG_DONTWAIT);
	if (k <= 0)
		return err_set(e, EPIPE, "the dns process has gone");
	r = schema_from_json(T_dns_answer, slice_n(room, (size_t)k), 0, &a, &answer, e);
	if (r == 0 && answer.error && *answer.error)
		log_warn("the dns process refused", "op=%s error=\"%s\"", q->op, answer.error);
	return r;
}

struct gather { struct arena *a; const char *namespace; struct dns_service *s; bool all; struct dns_service_endpoint *v; struct dns_port *ports; };

static const char *lower(struct arena *a, const char *s)
{
	char *p = arena_strdup(a, s ? s : "");
	for (char *c = p; c && *c; c++)
		*c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
	return p;
}

static int add_slice(void *arg, struct kobject *o)
{
	struct gather *g = arg;
	const struct kube_endpoint_slice *s = o->obj;
	if (!is(s->address_type, "IPv4") || !is(s->metadata.namespace, g->namespace))
		return 0;
	for (uint32_t i = 0; i < s->n_endpoints && g->s->n_endpoints < ENDPOINTS_MOST; i++) {
		const struct kube_endpoint *e = &s->endpoints[i];
		if (!e->n_addresses || !(g->all || !e->conditions.ready || *e->conditions.ready))
			continue;
		g->v[g->s->n_endpoints++] = (struct dns_service_endpoint){ e->addresses[0], e->hostname };
	}
	/* a headless service's ports are those of its endpoints */
	for (uint32_t i = 0; i < s->n_ports && g->s->n_ports < 64; i++) {
		bool known = !s->ports[i].name || !*s->ports[i].name || !s->ports[i].port;
		for (uint32_t k = 0; k < g->s->n_ports && !known; k++)
			known = is(g->ports[k].name, s->ports[i].name);
		if (!known)
			g->ports[g->s->n_ports++] = (struct dns_port){ s->ports[i].name, lower(g->a, s->ports[i].protocol), (uint16_t)*s->ports[i].port };
	}
	return 0;
}

static int describe(struct names *n, const struct kube_service *s, struct arena *a, struct dns_service *ret)
{
	*ret = (struct dns_service){ .namespace = s->metadata.namespace, .name = s->metadata.name };
	struct dns_port *ports = arena_array(a, 64 + s->spec.n_ports, sizeof *ports);
	struct dns_service_endpoint *v = arena_array(a, ENDPOINTS_MOST, sizeof *v);
	if (!ports || !v)
		return -ENOMEM;
	ret->ports = ports;
	if (is(s->spec.type, "ExternalName")) {
		ret->external_name = lower(a, s->spec.external_name);
		return 0;
	}
	if (s->spec.cluster_ip && *s->spec.cluster_ip && strcmp(s->spec.cluster_ip, "None")) {
		ret->address = s->spec.cluster_ip;
		for (uint32_t i = 0; i < s->spec.n_ports; i++)
			ports[ret->n_ports++] = (struct dns_port){ s->spec.ports[i].name, lower(a, s->spec.ports[i].protocol), (uint16_t)s->spec.ports[i].port };
		return 0;
	}
	struct gather g = { a, s->metadata.namespace, ret, s->spec.publish_not_ready_addresses, v, ports };
	ret->endpoints = v;
	informer_each_indexed(n->slices, "service", s->metadata.name, add_slice, &g);
	return 0;
}

static int tell_service_wait(struct names *n, const char *key, struct err *e)
{
	struct arena a AUTO(arena);
	struct kobject *o = informer_get_key(n->services, key);
	arena_init(&a, 4 << 20);
	struct dns_request q = { .op = o ? "service" : "service-remove" };
	int r = 0;
	if (o) {
		kobject_ref(o);
		r = describe(n, o->obj, &a, &q.service);
	} else {
		const char *slash = strchr(key, '/');
		q.service.namespace = arena_fmt(&a, "%.*s", slash ? (int)(slash - key) : 0, key);
		q.service.name = slash ? slash + 1 : key;
	}
	if (r < 0)
		err_nomem(e);
	if (r == 0)
		r = tell_wait(n, &q, NULL, 0, e);
	kobject_unref(o);
	return r;
}

static int collect(void *arg, struct kobject *o)
{
	return map_sets(arg, o->key, arg);
}

static int tell_all_wait(struct names *n, struct err *e)
{
	int fds[2] = { -1, -1 };
	int r = job_wait(make_link, n);
	if (r < 0)
		return err_sys(e, -r, "give %s the address %s", n->link, n->address);
	r = open_sockets(n, fds);
	if (r < 0)
		return err_sys(e, -r, "listen on %s:53", n->address);
	const struct dns_request cluster = { .op = "cluster", .domain = n->domain, .sockets = true };
	r = tell_wait(n, &cluster, fds, 2, e);
	for (int i = 0; i < 2; i++)
		close(fds[i]);
	const struct dns_request begin = { .op = "services-begin" }, end = { .op = "services-end" };
	if (r == 0)
		r = tell_wait(n, &begin, NULL, 0, e);
	struct map all;
	size_t pos = 0;
	map_init(&all);
	if (r == 0 && (r = informer_each(n->services, NULL, collect, &all)) < 0)
		err_nomem(e);
	for (struct map_entry *m; r == 0 && (m = map_next(&all, &pos));)
		r = tell_service_wait(n, m->key, e);
	map_release(&all);
	return r < 0 ? r : tell_wait(n, &end, NULL, 0, e);
}

static int connect_dns(struct names *n, struct err *e)
{
	char path[512];
	if (!fmt_into(path, sizeof path, "%s/dns.sock", n->run))
		return err_set(e, ENAMETOOLONG, "folder %s", n->run);
	int fd = unix_connect(path, SOCK_SEQPACKET, e);
	if (fd < 0)
		return fd;
	fd_set_nonblock(fd, true);
	n->fd = fd;
	return 0;
}

/* The peer is quiet unless asked: readable means that it has gone. */
static bool peer_gone(struct names *n)
{
	char c;
	ssize_t k = recv(n->fd, &c, 1, MSG_DONTWAIT | MSG_PEEK);
	return k == 0 || (k < 0 && errno != EAGAIN && errno != EINTR);
}

static int serve_wait(struct names *n, struct err *e)
{
	int r = connect_dns(n, e);
	if (r == 0)
		r = tell_all_wait(n, e);
	while (r == 0 && !n->stopping) {
		size_t pos = 0;
		struct map_entry *m = map_next(&n->changed, &pos);
		if (m) {
			char *key AUTO(free) = strdup(m->key);
			map_dels(&n->changed, m->key);
			if (!key)
				return -ENOMEM;
			r = tell_service_wait(n, key, e);
			continue;
		}
		waitq_wait(&n->work, 2 * NS_PER_S);
		if (peer_gone(n))
			r = err_set(e, EPIPE, "the dns process has gone");
	}
	return r;
}

static void changed(struct names *n, const char *key)
{
	if (map_sets(&n->changed, key, n) < 0)
		log_error("no memory for a changed service", "service=%s", key);
	waitq_wake_all(&n->work);
}

static void on_service(struct informer_handler *h, struct kobject *old, struct kobject *now)
{
	changed(container_of(h, struct names, on_service), now ? now->key : old->key);
}

static void on_slice(struct informer_handler *h, struct kobject *old, struct kobject *now)
{
	char key[520];
	const struct kube_object_meta *m = kobject_meta(now ? now : old);
	const char *name = schema_pair_get(m->labels, m->n_labels, "kubernetes.io/service-name");
	if (name && fmt_into(key, sizeof key, "%s/%s", m->namespace ? m->namespace : "", name))
		changed(container_of(h, struct names, on_slice), key);
}

static void names_fiber(void *arg)
{
	struct names *n = arg;
	bool said = false;
	if (informer_synced_wait(n->services, -1) < 0 || informer_synced_wait(n->slices, -1) < 0)
		return;
	informer_add_handler(n->services, &n->on_service);
	informer_add_handler(n->slices, &n->on_slice);
	n->handlers = n->running = true;
	while (!n->stopping) {
		struct err e = { 0 };
		int r = serve_wait(n, &e);
		if (n->fd >= 0)
			close(take_fd(&n->fd));
		if (r < 0 && !said)
			log_warn("cluster names reach the dns process later", "error=\"%s\"", e.text);
		said = r < 0;
		if (!n->stopping)
			waitq_wait(&n->ended, AGAIN_NS);
	}
	n->running = false;
	waitq_wake_all(&n->ended);
}

static unsigned service_of(const struct kobject *o, const char *ret[8])
{
	const struct kube_object_meta *m = kobject_meta(o);
	ret[0] = schema_pair_get(m->labels, m->n_labels, "kubernetes.io/service-name");
	return ret[0] ? 1 : 0;
}

static void names_free(struct names *n)
{
	map_release(&n->changed);
	free(n->run);
	free(n->address);
	free(n->domain);
	free(n->link);
	free(n);
}

int names_start(struct kclient *c, const struct names_config *cfg, struct names **ret, struct err *e)
{
	struct names *n = calloc(1, sizeof *n);
	if (!n)
		return err_nomem(e);
	n->loop = kclient_loop(c);
	n->fd = -1;
	map_init(&n->changed);
	waitq_init(&n->work);
	waitq_init(&n->ended);
	n->run = strdup(cfg->run);
	n->address = strdup(cfg->address);
	n->domain = strdup(cfg->domain);
	n->link = strdup(cfg->link ? cfg->link : "coracle-dns");
	n->services = informers_get(cfg->informers, kube_resource_find("", "v1", "services"));
	n->slices = informers_get(cfg->informers, kube_resource_find("discovery.k8s.io", "v1", "endpointslices"));
	n->on_service.event = on_service;
	n->on_slice.event = on_slice;
	bool whole = n->run && n->address && n->domain && n->link && n->services && n->slices;
	int r = whole ? informer_add_index(n->slices, "service", service_of) : -ENOMEM;
	if (r == 0 || r == -EEXIST)
		r = fiber_start(n->loop, "names", names_fiber, n);
	if (r < 0) {
		names_free(n);
		return err_set(e, -r, "start the feed of cluster names");
	}
	*ret = n;
	return 0;
}

void names_stop_wait(struct names *n)
{
	if (!n)
		return;
	n->stopping = true;
	waitq_wake_all(&n->work);
	waitq_wake_all(&n->ended);
	while (n->running && waitq_wait(&n->ended, -1) == 0)
		;
	if (n->handlers) {
		informer_remove_handler(&n->on_service);
		informer_remove_handler(&n->on_slice);
	}
	names_free(n);
}

int names_down(const char *link, struct err *e)
{
	struct netlink nl AUTO(netlink) = NETLINK_CLOSED;
	struct netlink_batch b AUTO(netlink_batch);
	struct link_info l;
	const char *name = link ? link : "coracle-dns";
	int r = netlink_open(NETLINK_ROUTE, &nl);
	if (r < 0)
		return err_sys(e, -r, "open a netlink socket");
	netlink_batch_init(&b, &nl);
	if (link_get(&nl, name, &l) < 0)
		return 0;
	link_del(&b, name);
	return netlink_batch_send(&b, e);
}
