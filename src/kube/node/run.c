/* SPDX-License-Identifier: Apache-2.0 */
/* All of the kubelet put together: its clients, informers and fibers, in the order in which they can begin. */
#include "kube/node/node.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "kube/node/api.h"
#include "kube/node/gc.h"
#include "kube/node/register.h"
#include "kube/node/server.h"

enum { FIBERS = 8 };

struct node_run {
	struct node node;
	struct loop *loop;
	struct node_config c;
	struct arena strings;
	struct kclient *client;
	struct informer *pods, *own;
	struct informer_handler on_pod;
	struct register_config reg;
	struct node_server *server;
	struct running { struct node_run *r; void (*main)(void *); void *arg; struct fiber *fiber; } fibers[FIBERS];
	unsigned n_fibers, n_alive;
	struct timer poll;
	void (*done)(void *arg);
	void *done_arg;
};

static void on_pod(struct informer_handler *h, struct kobject *old, struct kobject *now)
{
	struct node_run *r = container_of(h, struct node_run, on_pod);
	/* the same name, another pod */
	if (old && (!now || strcmp(kobject_meta(old)->uid, kobject_meta(now)->uid)))
		workers_deleted(&r->node, old);
	if (now && workers_update(&r->node, now) < 0)
		log_warn("pod cannot be taken", "pod=%s", now->key);
}

static void on_object(void *arg, const char *plural, const char *ns, const char *name)
{
	workers_refresh(arg, plural, ns, name);
}

static void fiber_main(void *arg)
{
	struct running *x = arg;

	x->fiber = fiber_self();
	x->main(x->arg);
	x->fiber = NULL;
	x->r->n_alive--;
}

static int begin(struct node_run *r, void (*fn)(void *), void *arg)
{
	struct running *x = &r->fibers[r->n_fibers++];

	*x = (struct running){ .r = r, .main = fn, .arg = arg };
	r->n_alive++;
	int rc = fiber_start(r->loop, "node", fiber_main, x);
	if (rc < 0)
		r->n_alive--;
	return rc;
}

/* --- start --------------------------------------------------------------------------------------------------- */

static int hello_wait(struct node_run *r)
{
	struct node *n = &r->node;
	struct cri_version_request q = { .version = "v1" };
	int64_t pause = NS_PER_S / 20;

	for (bool told = false; !n->is_stopping;) {
		struct cri_version_response p = { 0 };
		struct arena a;
		struct err e = { 0 };
		arena_init(&a, 1 << 20);
		int rc = n->rt->call_wait(n->rt, CRI_VERSION, &q, &a, &p, 0, &e);
		if (rc >= 0) {
			fmt_into(n->runtime_name, sizeof n->runtime_name, "%s", p.runtime_name ? p.runtime_name : "cri");
			fmt_into(n->runtime_version, sizeof n->runtime_version, "%s", p.runtime_version ? p.runtime_version : "");
		}
		arena_release(&a);
		if (rc >= 0 || rc == -ECANCELED)
			return rc;
		if (!told)
			log_warn("waiting for the container runtime", "socket=%s error=%s", r->c.runtime_socket, e.text);
		told = true;
		if (sleep_wait(pause) < 0)
			return -ECANCELED;
		pause = MIN(pause * 2, 2 * NS_PER_S);
	}
	return -ECANCELED;
}

static void main_wait(void *arg)
{
	struct node_run *r = arg;
	struct err e = { 0 };

	if (hello_wait(r) < 0)
		return;
	begin(r, register_main, &r->reg);
	begin(r, lease_main, &r->reg);
	begin(r, node_events_main, &r->node);
	while (informer_synced_wait(r->pods, 5 * NS_PER_S) < 0 || node_api_synced_wait(r->node.api, 5 * NS_PER_S) < 0)
		if (r->node.is_stopping || fiber_cancelled(fiber_self()))
			return;
	informer_add_handler(r->pods, &r->on_pod);
	if (node_adopt_wait(&r->node, &e) < 0)
		log_warn("leftovers cannot be found", "error=%s", e.text);
	begin(r, gc_main, &r->node);
}

static const char *own_name(struct arena *a)
{
	char name[256];

	if (gethostname(name, sizeof name) < 0 || !*name)
		return "node";
	name[sizeof name - 1] = 0;
	for (char *p = name; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return arena_strdup(a, name);
}

static int folders(struct node_run *r, struct node_settings *s, struct err *e)
{
	struct arena *a = &r->strings;
	s->root = arena_fmt(a, "%s/node", r->c.root);
	s->pods_dir = arena_fmt(a, "%s/node/pods", r->c.root);
	s->seccomp_dir = arena_fmt(a, "%s/node/seccomp", r->c.root);
	s->logs_dir = r->c.logs ? r->c.logs : !strcmp(r->c.root, "/var/lib/coracle") ? "/var/log/pods" : arena_fmt(a, "%s/node/logs", r->c.root);
	const char *const dirs[] = { s->root, s->pods_dir, s->seccomp_dir, s->logs_dir };
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		int rc = dirs[i] ? dir_make(AT_FDCWD, dirs[i], 0755) : -ENOMEM;
		if (rc < 0)
			return err_sys(e, rc, "making %s", dirs[i] ? dirs[i] : "folders");
	}
	return 0;
}

static int settings(struct node_run *r, struct node_settings *s, struct err *e)
{
	struct arena *a = &r->strings;
	struct node_facts f;
	char ip[64];

	*s = (struct node_settings){ .cluster_dns = r->c.cluster_dns, .cluster_domain = r->c.cluster_domain ? r->c.cluster_domain : "cluster.local",
		.cgroup_root = r->c.cgroup_root ? r->c.cgroup_root : "/kubepods", .resolv_conf = "/etc/resolv.conf" };
	int rc = folders(r, s, e);
	if (rc < 0)
		return rc;
	facts_read(&f, s->root);
	s->memory_bytes = f.memory_bytes;
	s->cpu_milli = f.cpus * 1000;
	s->hostname = own_name(a);
	s->name = r->c.name ? r->c.name : s->hostname;
	if (r->c.name)
		s->hostname = r->c.name;
	if (r->c.ip) {
		s->ip = r->c.ip;
	} else {
		node_find_ip(ip);
		s->ip = arena_strdup(a, ip);
	}
	return s->hostname && s->ip ? 0 : err_nomem(e);
}

static int clients(struct node_run *r, const struct node_settings *s, struct node_runtime **rt, struct node_api **api, struct err *e)
{
	struct kclient_config kc = { .kubeconfig = r->c.kubeconfig, .connect_wait = r->c.connect_wait, .connect_arg = r->c.connect_arg,
		.user_agent = "kubelet/" KUBE_NODE_VERSION " (linux/amd64) coracle" };
	const char *socket = r->c.runtime_socket;
	int rc = kclient_new(r->loop, &kc, &r->client, e);

	if (rc < 0)
		return rc;
	if (!strncmp(socket, "unix://", 7))
		socket += 7;
	rc = node_runtime_new(r->loop, socket, rt);
	if (rc < 0)
		return err_sys(e, rc, "making a client of %s", socket);
	rc = node_api_new(r->client, s->name, api, e);
	if (rc >= 0)
		rc = informer_new(r->client, kube_resource_find("", "v1", "pods"), NULL, NULL, arena_fmt(&r->strings, "spec.nodeName=%s", s->name), &r->pods, e);
	if (rc >= 0)
		rc = informer_new(r->client, kube_resource_find("", "v1", "nodes"), NULL, NULL, arena_fmt(&r->strings, "metadata.name=%s", s->name), &r->own, e);
	return rc;
}

int node_run_new(struct loop *l, const struct node_config *c, struct node_run **ret, struct err *e)
{
	struct node_run *r = calloc(1, sizeof *r);
	struct node_settings s;
	struct node_runtime *rt = NULL;
	struct node_api *api = NULL;

	if (!r)
		return err_nomem(e);
	r->loop = l;
	r->c = *c;
	arena_init(&r->strings, 1 << 20);
	r->on_pod.event = on_pod;
	list_init(&r->on_pod.node);
	int rc = settings(r, &s, e);
	if (rc >= 0)
		rc = clients(r, &s, &rt, &api, e);
	node_init(&r->node, l, &s, rt, api);
	if (rc >= 0)
		node_api_on_change(api, on_object, &r->node);
	r->reg = (struct register_config){ .node = &r->node, .client = r->client, .own = r->own, .labels = c->labels, .port = c->listen_port };
	if (rc >= 0 && c->listen_port)
		rc = node_server_new(&r->node, r->client, c, &r->server, e);
	if (rc >= 0)
		rc = begin(r, main_wait, r);
	if (rc < 0) {
		node_run_free(r);
		return rc;
	}
	*ret = r;
	return 0;
}

/* --- end ----------------------------------------------------------------------------------------------------- */

static void look(struct timer *t)
{
	struct node_run *r = container_of(t, struct node_run, poll);
	if (r->n_alive || !list_empty(&r->node.workers))
		timer_set(r->loop, &r->poll, NS_PER_S / 100, look);
	else
		r->done(r->done_arg);
}

void node_run_stop(struct node_run *r, void (*done)(void *arg), void *arg)
{
	r->done = done;
	r->done_arg = arg;
	informer_remove_handler(&r->on_pod);
	node_server_free(r->server);
	r->server = NULL;
	node_stop(&r->node);
	for (unsigned i = 0; i < r->n_fibers; i++)
		if (r->fibers[i].fiber)
			fiber_cancel(r->fibers[i].fiber);
	timer_set(r->loop, &r->poll, NS_PER_MS, look);
}

void node_run_free(struct node_run *r)
{
	if (!r)
		return;
	timer_cancel(&r->poll);
	node_server_free(r->server);
	if (r->pods)
		informer_free(r->pods);
	if (r->own)
		informer_free(r->own);
	node_api_free(r->node.api);
	node_runtime_free(r->node.rt);
	if (r->client)
		kclient_free(r->client);
	map_release(&r->node.by_uid);
	arena_release(&r->strings);
	free(r);
}
