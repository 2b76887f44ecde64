/* SPDX-License-Identifier: Apache-2.0 */
/* What `up`, `down` and `status` know of the cluster: whether its node is Ready, and the kubeconfig that the user gets. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <poll.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "io/fiber.h"
#include "kube/client/client.h"
#include "kube/meta/object.h"
#include "main/folders.h"
#include "main/supervisor_int.h"

#define READY_NS (60 * NS_PER_S)

struct wait {
	const struct sup_options *o;
	struct loop *loop;
	struct informer_handler on_node;
	struct waitq changed;
	bool ready;
	int result;
	struct err *e;
};

static void on_node(struct informer_handler *h, struct kobject *old, struct kobject *now)
{
	struct wait *w = container_of(h, struct wait, on_node);
	const struct kube_node *n = now ? now->obj : NULL;
	if (!n || strcmp(n->metadata.name, w->o->node_name))
		return;
	const struct kube_node_condition *c = KUBE_CONDITION(n->status.conditions, n->status.n_conditions, "Ready");
	w->ready = c && c->status && !strcmp(c->status, "True");
	waitq_wake_all(&w->changed);
}

static void wait_fiber(void *arg)
{
	struct wait *w = arg;
	char path[512];
	struct kclient *c = NULL;
	struct informer *nodes = NULL;
	int64_t end = clock_monotonic_ns() + READY_NS;
	fmt_into(path, sizeof path, "%s/kubeconfig", w->o->config);
	while (access(path, R_OK) < 0 && clock_monotonic_ns() < end)
		sleep_wait(5 * NS_PER_MS);
	struct kclient_config kc = { .kubeconfig = path, .user_agent = "coracle-up" };
	int r = kclient_new(w->loop, &kc, &c, w->e);
	if (r == 0)
		r = informer_new(c, kube_resource_find("", "v1", "nodes"), NULL, NULL, NULL, &nodes, w->e);
	if (r == 0) {
		w->on_node.event = on_node;
		informer_add_handler(nodes, &w->on_node);
		while (!w->ready && clock_monotonic_ns() < end)
			waitq_wait(&w->changed, NS_PER_S);
		if (!w->ready)
			r = err_set(w->e, ETIMEDOUT, "the node %s did not become Ready within %d s: see the logs below %s/log", w->o->node_name, (int)(READY_NS / NS_PER_S), w->o->root);
		informer_remove_handler(&w->on_node);
		informer_free(nodes);
	}
	kclient_free(c);
	w->result = r;
	loop_stop(w->loop);
}

int sup_wait_cluster(const struct sup_options *o, struct err *e)
{
	struct wait w = { .o = o, .e = e };
	int r = loop_new(&w.loop, e);
	if (r < 0)
		return r;
	waitq_init(&w.changed);
	r = fiber_start(w.loop, "wait", wait_fiber, &w);
	if (r >= 0)
		loop_run(w.loop);
	/* the process ends soon: fibers of the informer may still be on their way out, and the loop is left to the kernel */
	return r < 0 ? r : w.result;
}

/* The user behind sudo, else this one. */
static struct passwd *person(void)
{
	const char *name = getenv("SUDO_USER");
	return name && *name ? getpwnam(name) : getpwuid(getuid());
}

static bool paths(const struct sup_options *o, char mine[512], char theirs[512], char folder[512])
{
	struct passwd *p = person();
	const char *home = !getenv("SUDO_USER") && getenv("HOME") ? getenv("HOME") : p ? p->pw_dir : NULL;
	return home && !strcmp(o->config, DEFAULT_CONFIG) && fmt_into(mine, 512, "%s/kubeconfig", o->config) && fmt_into(folder, 512, "%s/.kube", home) &&
		fmt_into(theirs, 512, "%s/.kube/config", home);
}

static bool same_text(const char *a, const char *b)
{
	struct buf x AUTO(buf) = BUF_INIT(1 << 20), y AUTO(buf) = BUF_INIT(1 << 20);
	return file_read(AT_FDCWD, a, &x) == 0 && file_read(AT_FDCWD, b, &y) == 0 && slice_eq(buf_slice(&x), buf_slice(&y));
}

bool sup_offer_kubeconfig(const struct sup_options *o)
{
	char mine[512], theirs[512], folder[512];
	struct buf text AUTO(buf) = BUF_INIT(1 << 20);
	struct passwd *p = person();
	if (!paths(o, mine, theirs, folder))
		return false;
	if (access(theirs, F_OK) == 0)
		return same_text(mine, theirs);
	bool made = mkdir(folder, 0750) == 0;
	if (file_read(AT_FDCWD, mine, &text) < 0 || file_write_atomic(AT_FDCWD, theirs, buf_slice(&text), 0600, NULL) < 0)
		return false;
	if (p && ((made && lchown(folder, p->pw_uid, p->pw_gid) < 0) || lchown(theirs, p->pw_uid, p->pw_gid) < 0))
		return false;
	return true;
}

void sup_take_kubeconfig_back(const struct sup_options *o)
{
	char mine[512], theirs[512], folder[512];
	if (!paths(o, mine, theirs, folder) || !same_text(mine, theirs))
		return;
	unlink(theirs);
	rmdir(folder); /* only when empty */
}
