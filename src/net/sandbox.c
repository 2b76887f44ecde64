// SPDX-License-Identifier: Apache-2.0
/*
 * Sandboxes: a container's namespace, its record in RUN/net/, its lock. The
 * record is renamed into place but not synced: it is worth nothing after the
 * boot that the namespace lives in.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "api/net.h"
#include "base/assert.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/rand.h"
#include "net/net_int.h"

int net_job_wait(int (*fn)(void *), void *arg)
{
	return job_wait(fn, arg);
}

struct sandbox *sandbox_find(struct net *n, const char *container)
{
	return map_gets(&n->sandboxes, container);
}

static void sandbox_free(struct net *n, struct sandbox *s)
{
	struct endpoint *p;
	list_each(p, &s->endpoints, node)
		endpoint_free(n, p);
	for (size_t i = 0; i < s->holds.n; i++)
		if (s->holds.v[i] >= 0)
			close(s->holds.v[i]);
	vec_release(&s->holds);
	vec_release(&s->ports);
	free(s->name);
	free(s->path);
	arena_release(&s->arena);
	free(s);
}

void sandboxes_free(struct net *n)
{
	size_t pos = 0;
	for (struct map_entry *x; (x = map_next(&n->sandboxes, &pos));)
		sandbox_free(n, x->value);
	map_release(&n->sandboxes);
}

static struct sandbox *sandbox_new(struct net *n, const char *container, const char *name, const char *hostname, const char *netns)
{
	struct sandbox *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	arena_init(&s->arena, OBJECT_MAX_BYTES);
	list_init(&s->endpoints);
	fmutex_init(&s->lock);
	s->container = arena_strdup(&s->arena, container);
	s->hostname = arena_strdup(&s->arena, hostname ? hostname : "");
	s->name = slice_dup(slice_of(name ? name : ""));
	s->path = netns[0] ? fmt_new("%s/netns/%s", n->run, netns) : slice_dup(SLICE(""));
	if (s->container && s->hostname && s->name && s->path && fmt_into(s->netns, sizeof s->netns, "%s", netns))
		return s;
	sandbox_free(n, s);
	return NULL;
}

static void unref(struct net *n, struct sandbox *s)
{
	must(s->refs > 0);
	if (--s->refs == 0 && s->closed)
		sandbox_free(n, s);
}

struct sandbox *sandbox_lock_wait(struct net *n, const char *container, struct err *e)
{
	struct sandbox *s = sandbox_find(n, container);
	if (!s) {
		err_set(e, ENOENT, "container %.12s has no network sandbox", container);
		return NULL;
	}
	s->refs++;
	int r = fmutex_lock_wait(&s->lock);
	if (r == 0 && !s->closed)
		return s;
	err_set(e, r < 0 ? r : ENOENT, "container %.12s has no network sandbox any more", container);
	if (r == 0)
		fmutex_unlock(&s->lock);
	unref(n, s);
	return NULL;
}

void sandbox_unlock(struct net *n, struct sandbox *s)
{
	fmutex_unlock(&s->lock);
	unref(n, s);
}

/* --- records */

static bool record_path(const struct net *n, const char *container, char *dst, size_t size)
{
	return fmt_into(dst, size, "%s/net/%s.json", n->run, container);
}

static int write_record(const struct net *n, const char *container, struct slice text)
{
	char path[4096], tmp[4096];
	if (!record_path(n, container, path, sizeof path) || !fmt_into(tmp, sizeof tmp, "%s/net/.%s.tmp", n->run, container))
		return -ENAMETOOLONG;
	AUTO(close) int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	int r = fd_write_all(fd, text.ptr, text.len);
	if (r == 0 && rename(tmp, path) < 0)
		r = -errno;
	return r;
}

static void endpoint_record(const struct endpoint *p, struct net_endpoint_record *r)
{
	*r = (struct net_endpoint_record){ .id = p->pub.id, .network = p->pub.network, .ipv4 = p->pub.ipv4, .mac = p->pub.mac, .ifname = p->pub.ifname,
		.index = p->index, .veth = p->veth, .aliases = p->aliases, .n_aliases = p->n_aliases, .gw_priority = p->pub.gw_priority };
}

int sandbox_save(struct net *n, struct sandbox *s, struct err *e)
{
	AUTO(arena) struct arena a;
	arena_init(&a, RECORD_MAX_BYTES);
	struct net_sandbox_record rec = { .container = s->container, .name = s->name, .hostname = s->hostname, .netns = s->netns,
		.dns = s->dns, .n_dns = s->n_dns };
	struct endpoint *p;
	list_each(p, &s->endpoints, node)
		rec.n_endpoints++;
	rec.endpoints = arena_array(&a, rec.n_endpoints + 1, sizeof *rec.endpoints);
	rec.ports = arena_array(&a, s->ports.n + 1, sizeof *rec.ports);
	if (!rec.endpoints || !rec.ports)
		return err_nomem(e);
	size_t i = 0;
	list_each(p, &s->endpoints, node)
		endpoint_record(p, &rec.endpoints[i++]);
	rec.n_ports = (uint32_t)s->ports.n;
	for (i = 0; i < s->ports.n; i++)
		rec.ports[i] = (struct net_port_record){ net_proto_name(s->ports.v[i].proto), s->ports.v[i].container_port, s->ports.v[i].host_ip,
			s->ports.v[i].host_port };
	AUTO(buf) struct buf text = BUF_INIT(RECORD_MAX_BYTES);
	int r = schema_to_json(T_net_sandbox_record, &rec, 0, &text);
	if (r >= 0 && (r = buf_error(&text)) == 0)
		r = write_record(n, s->container, buf_slice(&text));
	return r < 0 ? err_sys(e, r, "record the network of container %.12s", s->container) : 0;
}

static const char **copy_strings(struct arena *a, const char *const *v, uint32_t n)
{
	const char **p = arena_array(a, n + 1, sizeof *p);
	for (uint32_t i = 0; p && i < n; i++)
		if (!(p[i] = arena_strdup(a, v[i])))
			return NULL;
	return p;
}

/* An endpoint out of its record; what no longer fits (its network is gone) is dropped. */
static void adopt_endpoint(struct net *n, struct sandbox *s, const struct net_endpoint_record *r)
{
	struct network *w = network_by_id(n, r->network ? r->network : "");
	struct endpoint *p = w ? endpoint_new(n, s, w) : NULL;
	if (!p) {
		log_warn("an endpoint's network is gone", "container=%.12s network=%.12s", s->container, r->network ? r->network : "");
		return;
	}
	fmt_into(p->veth, sizeof p->veth, "%s", r->veth ? r->veth : "");
	p->index = r->index;
	p->pub.gw_priority = r->gw_priority;
	p->pub.id = arena_strdup(&p->arena, r->id ? r->id : "");
	p->pub.ifname = arena_strdup(&p->arena, r->ifname ? r->ifname : "");
	p->aliases = copy_strings(&p->arena, r->aliases, r->n_aliases);
	p->n_aliases = p->aliases ? r->n_aliases : 0;
	if (r->ipv4 && r->ipv4[0] && net_addr_parse(slice_of(r->ipv4), &p->addr) == 0 && ipam_take(&w->ipam, p->addr) < 0)
		p->addr = 0;
	if (r->mac)
		net_mac_parse(slice_of(r->mac), p->mac);
	endpoint_fill(p);
	endpoint_name(p);
}

static int adopt(struct net *n, struct slice text)
{
	AUTO(arena) struct arena a;
	arena_init(&a, RECORD_MAX_BYTES);
	struct net_sandbox_record r;
	struct err e = { 0 };
	int result = schema_from_json(T_net_sandbox_record, text, 0, &a, &r, &e);
	if (result < 0 || !r.container || sandbox_find(n, r.container))
		return result < 0 ? result : -EINVAL;
	if (r.netns && strchr(r.netns, '/'))
		return -EINVAL;
	struct sandbox *s = sandbox_new(n, r.container, r.name, r.hostname, r.netns ? r.netns : "");
	if (!s)
		return -ENOMEM;
	/* A boot leaves records (where RUN is on a disk) but no namespaces. */
	if ((s->path[0] && !n->kernel->netns_is(s->path)) || map_sets(&n->sandboxes, r.container, s) < 0) {
		sandbox_free(n, s);
		return -ESTALE;
	}
	s->dns = copy_strings(&s->arena, r.dns, r.n_dns);
	s->n_dns = s->dns ? r.n_dns : 0;
	for (uint32_t i = 0; i < r.n_endpoints; i++)
		adopt_endpoint(n, s, &r.endpoints[i]);
	for (uint32_t i = 0; i < r.n_ports; i++) {
		struct net_port port = { .container_port = r.ports[i].container_port, .host_port = r.ports[i].host_port };
		fmt_into(port.host_ip, sizeof port.host_ip, "%s", r.ports[i].host_ip ? r.ports[i].host_ip : "");
		if (net_proto_parse(slice_of(r.ports[i].proto), &port.proto) == 0)
			(void)vec_push(&s->ports, port);
	}
	return ports_adopt(n, s);
}

/* Calls fn for each name in RUN/SUB. */
static int each_name(const struct net *n, const char *sub, void (*fn)(struct net *n, const char *path, const char *name), struct net *arg, struct err *e)
{
	char folder[4096], path[4096];
	if (!fmt_into(folder, sizeof folder, "%s/%s", n->run, sub))
		return err_set(e, ENAMETOOLONG, "folder %s/%s", n->run, sub);
	int r = dir_make(AT_FDCWD, folder, 0700);
	DIR *d = r < 0 ? NULL : opendir(folder);
	if (!d)
		return err_sys(e, r < 0 ? r : errno, "open %s", folder);
	for (struct dirent *x; (x = readdir(d));)
		if (strcmp(x->d_name, ".") && strcmp(x->d_name, "..") && fmt_into(path, sizeof path, "%s/%s", folder, x->d_name))
			fn(arg, path, x->d_name);
	closedir(d);
	return 0;
}

static void load_record(struct net *n, const char *path, const char *name)
{
	AUTO(buf) struct buf text = BUF_INIT(RECORD_MAX_BYTES);
	int r = name[0] == '.' ? -ESTALE : file_read(AT_FDCWD, path, &text);
	if (r >= 0)
		r = adopt(n, buf_slice(&text));
	if (r < 0) {
		unlink(path);
		if (r != -ESTALE)
			log_warn("a sandbox record was dropped", "file=%s error=%s", path, err_name(-r));
	}
}

/* Namespaces that no record names: half-made sandboxes, and the ready ones of the engine before us. */
static void sweep_netns(struct net *n, const char *path, const char *name)
{
	size_t pos = 0;
	for (struct map_entry *x; (x = map_next(&n->sandboxes, &pos));)
		if (!strcmp(((struct sandbox *)x->value)->netns, name))
			return;
	n->kernel->netns_drop(path);
}

int sandboxes_load(struct net *n, struct err *e)
{
	int r = each_name(n, "net", load_record, n, e);
	return r < 0 ? r : each_name(n, "netns", sweep_netns, n, e);
}

/* --- ready namespaces */

struct make_job { const struct net_kernel *k; char path[4096]; struct err err; };
static int make_job(void *arg)
{
	struct make_job *j = arg;
	return j->k->netns_make(j->path, &j->err);
}

static int make_wait(struct net *n, char name[24], struct err *e)
{
	AUTO(free) struct make_job *j = calloc(1, sizeof *j);
	if (!j)
		return err_nomem(e);
	rand_hex(name, 6);
	j->k = n->kernel;
	if (!fmt_into(j->path, sizeof j->path, "%s/netns/%s", n->run, name))
		return err_set(e, ENAMETOOLONG, "folder %s/netns", n->run);
	int r = net_job_wait(make_job, j);
	return r < 0 ? err_set(e, r, "%s", j->err.text) : 0;
}

static void refill(void *arg)
{
	struct net *n = arg;
	while (!n->closing && n->ready.n < n->ready_want) {
		char name[24];
		struct err e = { 0 };
		int r = make_wait(n, name, &e);
		if (r == 0 && n->closing)
			break;          /* swept at the next start */
		char *kept = r < 0 ? NULL : slice_dup(slice_of(name));
		if (!kept || vec_push(&n->ready, kept) < 0) {
			free(kept);
			log_warn("cannot make a network namespace ahead", "error=\"%s\"", e.text);
			break;
		}
	}
	n->refilling = false;
	waitq_wake_all(&n->refilled);
	if (n->closing)
		net_free(n);
}

void net_refill(struct net *n)
{
	if (n->refilling || n->closing || n->ready.n >= n->ready_want)
		return;
	n->refilling = fiber_start(n->loop, "netns refill", refill, n) == 0;
}

static int take_ready_wait(struct net *n, char name[24], struct err *e)
{
	if (n->ready.n == 0)
		return make_wait(n, name, e);
	char *first = n->ready.v[0];
	vec_remove(&n->ready, 0);
	fmt_into(name, 24, "%s", first);
	free(first);
	return 0;
}

/* --- opening and closing */

struct sysctl_job { const struct net_kernel *k; const char *netns; const struct schema_pair *v; uint32_t n; struct err err; };
static int sysctl_job(void *arg)
{
	struct sysctl_job *j = arg;
	return j->k->sysctls(j->netns, j->v, j->n, &j->err);
}

struct drop_job { const struct net_kernel *k; struct nft_batch *rules; const char *netns; struct netlink nl; };
static int drop_job(void *arg)
{
	struct drop_job *j = arg;
	/* First nothing leads there any more, then it goes. */
	if (!nft_batch_empty(j->rules))
		j->k->commit(&j->nl, j->rules, NULL);
	if (j->netns[0])
		j->k->netns_drop(j->netns);
	return 0;
}

int net_sandbox_open_wait(struct net *n, const struct net_sandbox_options *o, const char **ret_path, struct err *e)
{
	struct sandbox *s;
	/* One that is being closed is waited for. */
	if (sandbox_find(n, o->container) && (s = sandbox_lock_wait(n, o->container, NULL))) {
		sandbox_unlock(n, s);
		return err_set(e, EEXIST, "container %.12s has a network sandbox already", o->container);
	}
	char netns[24] = "";
	int r = o->host ? 0 : take_ready_wait(n, netns, e);
	net_refill(n);
	if (r < 0)
		return r;
	s = sandbox_new(n, o->container, o->name, o->hostname, netns);
	if (!s)
		return err_nomem(e);    /* the namespace is swept at the next start */
	s->dns = copy_strings(&s->arena, o->dns, o->n_dns);
	s->n_dns = s->dns ? o->n_dns : 0;
	struct sysctl_job j = { n->kernel, s->path, o->sysctls, o->n_sysctls, { 0 } };
	if (o->n_sysctls && (o->host || (r = net_job_wait(sysctl_job, &j)) < 0))
		r = o->host ? err_set(e, EINVAL, "sysctl %s cannot be set with the host's network", o->sysctls[0].key) : err_set(e, r, "%s", j.err.text);
	if (r == 0 && sandbox_find(n, o->container))
		r = err_set(e, EEXIST, "container %.12s has a network sandbox already", o->container);
	if (r == 0)
		r = sandbox_save(n, s, e);
	if (r == 0 && map_sets(&n->sandboxes, o->container, s) < 0)
		r = err_nomem(e);
	if (r < 0) {
		AUTO(nft_batch) struct nft_batch none;
		nft_batch_init(&none);
		struct drop_job drop = { n->kernel, &none, s->path, NETLINK_CLOSED };
		net_job_wait(drop_job, &drop);
		sandbox_free(n, s);
		return r;
	}
	if (ret_path)
		*ret_path = s->path;
	return 0;
}

int net_sandbox_close_wait(struct net *n, const char *container)
{
	struct sandbox *s = sandbox_lock_wait(n, container, NULL);
	if (!s)
		return 0;
	AUTO(nft_batch) struct nft_batch b;
	nft_batch_init(&b);
	if (s->target)
		ports_elements(n, &b, s, false);
	sandbox_self_elements(n, &b, s, false);
	/* Closed first: the dns client finds nothing to describe and lets the sockets go, which hold the namespace. */
	bool named = s->path[0] != 0;
	s->closed = true;
	map_dels(&n->sandboxes, container);
	struct drop_job j = { n->kernel, &b, s->path, net_nft_take(n) };
	net_job_wait(drop_job, &j);
	net_nft_give_back(n, j.nl);
	ports_forget_flows_wait(n, s);
	char path[4096];
	if (record_path(n, container, path, sizeof path))
		unlink(path);
	ports_forget(n, s);
	if (named && n->dns)
		dns_client_sync_wait(n->dns, container, 0);
	sandbox_unlock(n, s);
	return 0;
}

struct socket_job { const struct net_kernel *k; char path[4096]; bool v6; struct err err; };
static int socket_job(void *arg)
{
	struct socket_job *j = arg;
	return j->k->tcp_socket(j->path, j->v6, &j->err);
}

int net_sandbox_socket_wait(struct net *n, const char *container, bool v6, struct err *e)
{
	struct sandbox *s = sandbox_find(n, container);
	if (!s)
		return err_set(e, ENOENT, "no network sandbox for %s", container);
	struct socket_job j = { .k = n->kernel, .v6 = v6 };
	if (!fmt_into(j.path, sizeof j.path, "%s", s->path))
		return err_set(e, ENAMETOOLONG, "the path of a namespace is too long");
	int r = net_job_wait(socket_job, &j);
	return r < 0 ? err_set(e, r, "%s", j.err.text) : r;
}

const char *net_sandbox_path(struct net *n, const char *container)
{
	struct sandbox *s = sandbox_find(n, container);
	return s ? s->path : NULL;
}

int net_sandbox_rename_wait(struct net *n, const char *container, const char *name, struct err *e)
{
	if (!sandbox_find(n, container))
		return 0;
	struct sandbox *s = sandbox_lock_wait(n, container, e);
	if (!s)
		return -ENOENT;
	char *copy = slice_dup(slice_of(name));
	int r = copy ? 0 : err_nomem(e);
	if (r == 0) {
		free(s->name);
		s->name = copy;
		struct endpoint *p;
		list_each(p, &s->endpoints, node) {
			endpoint_fill(p);
			endpoint_name(p);
		}
		r = sandbox_save(n, s, e);
		sandbox_tell_dns_wait(n, s);
	}
	sandbox_unlock(n, s);
	return r;
}

int net_collect_wait(struct net *n, bool (*alive)(void *, const char *), void *arg)
{
	for (;;) {
		size_t pos = 0;
		struct map_entry *x;
		char dead[80] = "";
		while (!dead[0] && (x = map_next(&n->sandboxes, &pos)))
			if (!alive(arg, x->key))
				fmt_into(dead, sizeof dead, "%s", x->key);
		if (!dead[0])
			return 0;
		log_info("a container's network outlived it and was removed", "container=%.12s", dead);
		net_sandbox_close_wait(n, dead);
	}
}

/* --- numbers */

enum { INTERFACES_MOST = 64 };
struct stats_job { const struct net_kernel *k; const char *netns; struct net_interface_stats *v; size_t n; };
static int stats_job(void *arg)
{
	struct stats_job *j = arg;
	return j->k->stats(j->netns, j->v, INTERFACES_MOST, &j->n);
}

int net_stats_wait(struct net *n, const char *container, struct arena *a, struct net_interface_stats **ret, uint32_t *ret_n)
{
	struct sandbox *s = sandbox_find(n, container);
	if (!s)
		return -ENOENT;
	struct stats_job j = { n->kernel, arena_strdup(a, s->path), arena_array(a, INTERFACES_MOST, sizeof *j.v), 0 };
	if (!j.netns || !j.v)
		return -ENOMEM;
	int r = j.netns[0] ? net_job_wait(stats_job, &j) : 0;
	if (r < 0)
		return r;
	*ret = j.v;
	*ret_n = (uint32_t)j.n;
	return 0;
}
