// SPDX-License-Identifier: Apache-2.0
/* The state of net/ over a recording double of the kernel, with steps that fail on demand. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/auto.h"
#include "base/fd.h"
#include "base/test.h"
#include "io/fiber.h"
#include "io/loop.h"
#include "net/kernel.h"
#include "net/net.h"
#include "store/kv.h"

/* What the double was asked, and the name of the step that fails next. Written on workers, one at a time per test. */
static struct { char log[16384]; const char *fails; int fails_with; bool veth_stays; uint16_t busy_port; } fake;

static int step(const char *name, const char *fmt, ...)
{
	va_list ap;
	size_t at = strlen(fake.log);
	at += (size_t)snprintf(fake.log + at, sizeof fake.log - at, "%s ", name);
	va_start(ap, fmt);
	vsnprintf(fake.log + at, sizeof fake.log - at, fmt, ap);
	va_end(ap);
	at = strlen(fake.log);
	snprintf(fake.log + at, sizeof fake.log - at, "\n");
	return fake.fails && !strcmp(fake.fails, name) ? -fake.fails_with : 0;
}

static int f_bridge_up(const struct net_bridge *b, uint32_t *index, struct err *e)
{
	*index = 7;
	return step("bridge_up", "%s", b->name) < 0 ? err_set(e, fake.fails_with, "no bridge") : 0;
}
static int f_bridge_down(const char *name, struct err *e) { return step("bridge_down", "%s", name); }
static int f_routes(struct net_cidr *v, size_t room, size_t *n, struct err *e)
{
	v[0] = (struct net_cidr){ 0xac110000, 24 };     /* the host routes 172.17.0.0/24 */
	*n = 1;
	return 0;
}
static int f_forwarding_on(struct err *e) { return 0; }
static int f_netns_make(const char *path, struct err *e)
{
	int fd = open(path, O_CREAT | O_EXCL | O_CLOEXEC | O_WRONLY, 0600);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? err_sys(e, errno, "make %s", path) : 0;
}
static void f_netns_drop(const char *path) { unlink(path); }
static bool f_netns_is(const char *path) { return access(path, F_OK) == 0; }
static int f_sysctls(const char *netns, const struct schema_pair *v, uint32_t n, struct err *e) { return step("sysctls", "%u", n); }
static int f_attach(struct net_plan *p, struct err *e)
{
	p->index = 2;
	int r = step("attach", "%s %08x%s", p->ifname, p->addr, p->default_route ? " default" : "");
	return r < 0 ? err_set(e, r, "cannot attach") : 0;
}
static int f_detach(const char *veth, struct err *e) { return step("detach", "-"); }
static int f_default_route(const char *netns, uint32_t index, uint32_t gateway, struct err *e) { return step("default_route", "%08x", gateway); }
static int f_dns_sockets(const char *netns, int fds[2], struct err *e) { return -ENOENT; }
static int f_commit(struct netlink *nl, struct nft_batch *b, struct err *e)
{
	int r = step("commit", "%u", b->n);
	b->n = 0;
	b->len = 0;
	return r < 0 ? err_set(e, r, "refused") : 0;
}
static int f_hold_port(enum net_proto proto, uint32_t addr, uint16_t port)
{
	return port == fake.busy_port ? -EADDRINUSE : open("/dev/null", O_RDONLY | O_CLOEXEC);
}
static int f_forget_udp(const uint16_t *ports, size_t n) { return step("forget", "%zu", n); }
static int f_stats(const char *netns, struct net_interface_stats *v, size_t room, size_t *n)
{
	*n = 0;
	return 0;
}
static bool f_link_is(const char *name) { return fake.veth_stays; }
static int f_coexist(const char *table, const struct net_bridges *there, const struct net_bridges *gone, char *where, size_t size)
{
	where[0] = 0;
	return 0;
}
static const struct net_kernel fake_kernel = {
	.bridge_up = f_bridge_up, .bridge_down = f_bridge_down, .routes = f_routes, .forwarding_on = f_forwarding_on, .netns_make = f_netns_make,
	.netns_drop = f_netns_drop, .netns_is = f_netns_is, .sysctls = f_sysctls, .attach = f_attach, .detach = f_detach,
	.default_route = f_default_route, .dns_sockets = f_dns_sockets, .commit = f_commit, .forget_udp = f_forget_udp, .hold_port = f_hold_port, .stats = f_stats,
	.link_is = f_link_is, .coexist = f_coexist,
};

struct world {
	struct loop *loop;
	struct kv *kv;
	struct net *net;
	struct err e;
	void (*body)(struct world *w);
};

static void open_net(struct world *w)
{
	struct net_options o = { .run = test_dir(), .ready = 1, .kernel = &fake_kernel, .resolv_conf = "/dev/null" };
	CHECK_OK(net_open_wait(w->loop, w->kv, &o, &w->net, &w->e), &w->e);
}

static void on_fiber(void *arg)
{
	struct world *w = arg;
	open_net(w);
	w->body(w);
	net_free(w->net);
	/* Its fibers (the maker of namespaces, the dns client) notice and end. */
	while (fiber_count(w->loop) > 1)
		sleep_wait(100 * 1000);
	loop_stop(w->loop);
}

static void in_world(void (*body)(struct world *w))
{
	struct world w = { .body = body };
	char path[256];
	fmt_into(path, sizeof path, "%s/state.db", test_dir());
	CHECK_OK(loop_new(&w.loop, &w.e), &w.e);
	CHECK_OK(kv_open(w.loop, path, &w.kv, &w.e), &w.e);
	CHECK_INT(fiber_start(w.loop, "test", on_fiber, &w), 0);
	loop_run(w.loop);
	kv_close(w.kv);
	loop_free(w.loop);
}

static const char A[] = "aaaaaaaaaaaaaaaa", B[] = "bbbbbbbbbbbbbbbb";

static void sandbox(struct world *w, const char *id, const char *name)
{
	struct net_sandbox_options o = { .container = id, .name = name };
	CHECK_OK(net_sandbox_open_wait(w->net, &o, NULL, &w->e), &w->e);
}

static int attach(struct world *w, const char *id, const char *network, const char *ip, const struct net_endpoint **p)
{
	struct net_attach a = { .container = id, .network = network, .ipv4 = ip };
	return net_attach_wait(w->net, &a, p, &w->e);
}

static int publish(struct world *w, const char *id, uint16_t host)
{
	struct net_port_request q = { .container_port = 80, .host_first = host, .host_last = host };
	return net_publish_wait(w->net, id, &q, 1, &w->e);
}

static void life(struct world *w)
{
	const struct net_endpoint *p;
	const struct net_network *bridge;
	const struct net_port *ports;
	CHECK_INT(net_find(w->net, "bridge", &bridge, &w->e), 0);
	CHECK_STR(bridge->subnet, "172.18.0.0/16");     /* 172.17 is routed */
	sandbox(w, A, "web");
	CHECK_OK(attach(w, A, "bridge", NULL, &p), &w->e);
	CHECK_STR(p->ipv4, "172.18.0.2");
	CHECK_STR(p->mac, "02:42:ac:12:00:02");
	CHECK_STR(p->gateway, "172.18.0.1");
	CHECK(p->dns_names == NULL);
	CHECK(strstr(fake.log, "attach eth0 ac120002 default\n") != NULL);
	CHECK_INT(attach(w, A, "bridge", NULL, &p), -EEXIST);
	CHECK_OK(publish(w, A, 8080), &w->e);
	CHECK_INT(net_ports(w->net, A, &ports), 1);
	CHECK_INT(ports->host_port, 8080);
	/* a new engine finds the same */
	net_free(w->net);
	open_net(w);
	size_t pos = 0;
	p = net_endpoint_next(w->net, A, NULL, &pos);
	CHECK(p != NULL);
	CHECK_STR(p->ipv4, "172.18.0.2");
	CHECK_STR(p->container_name, "web");
	CHECK_INT(net_ports(w->net, A, &ports), 1);
	sandbox(w, B, "db");
	CHECK_OK(attach(w, B, "bridge", NULL, &p), &w->e);
	CHECK_STR(p->ipv4, "172.18.0.3");
	CHECK_INT(publish(w, B, 8080), -EADDRINUSE);
	CHECK(strstr(w->e.text, "Bind for 0.0.0.0:8080 failed: port is already allocated") != NULL);
	CHECK_INT(net_sandbox_close_wait(w->net, A), 0);
	CHECK(net_sandbox_path(w->net, A) == NULL);
	CHECK_OK(publish(w, B, 8080), &w->e);
}
TEST(a_sandbox_lives_on_over_a_new_engine) { in_world(life); }

static void failing(struct world *w)
{
	const struct net_endpoint *p;
	const struct net_port *ports;
	sandbox(w, A, "web");
	fake.fails = "attach";
	fake.fails_with = ENODEV;
	CHECK_INT(attach(w, A, "bridge", NULL, &p), -ENODEV);
	fake.fails = NULL;
	size_t pos = 0;
	CHECK(net_endpoint_next(w->net, A, NULL, &pos) == NULL);
	CHECK_OK(attach(w, A, "bridge", NULL, &p), &w->e);
	CHECK_STR(p->ipv4, "172.18.0.2");
	fake.fails = "commit";
	CHECK_INT(publish(w, A, 8080), -ENODEV);
	fake.fails = NULL;
	CHECK_INT(net_ports(w->net, A, &ports), 0);
	fake.busy_port = 8080;
	CHECK_INT(publish(w, A, 8080), -EADDRINUSE);
	CHECK(strstr(w->e.text, "failed to bind host port for 0.0.0.0:8080:172.18.0.2:80/tcp: address already in use") != NULL);
	fake.busy_port = 0;
	CHECK_OK(publish(w, A, 8080), &w->e);
	/* a network that cannot come up leaves nothing */
	struct net_create c = { .name = "mine" };
	const struct net_network *mine;
	fake.fails = "bridge_up";
	CHECK_INT(net_create_wait(w->net, &c, &mine, &w->e), -ENODEV);
	fake.fails = NULL;
	CHECK_INT(net_find(w->net, "mine", &mine, &w->e), -ENOENT);
	CHECK_OK(net_create_wait(w->net, &c, &mine, &w->e), &w->e);
	CHECK_STR(mine->subnet, "172.19.0.0/16");
}
TEST(a_step_that_fails_leaves_nothing_booked) { in_world(failing); }

static void quarantine(struct world *w)
{
	const struct net_endpoint *p;
	sandbox(w, A, "web");
	CHECK_OK(attach(w, A, "bridge", NULL, &p), &w->e);
	fake.veth_stays = true;
	net_sandbox_close_wait(w->net, A);
	sandbox(w, A, "web");
	CHECK_OK(attach(w, A, "bridge", NULL, &p), &w->e);
	CHECK_STR(p->ipv4, "172.18.0.3");
	fake.veth_stays = false;
	sandbox(w, B, "db");
	CHECK_OK(attach(w, B, "bridge", NULL, &p), &w->e);
	CHECK_STR(p->ipv4, "172.18.0.2");
}
TEST(an_address_waits_until_its_old_interface_is_gone) { in_world(quarantine); }

static void moving(struct world *w)
{
	const struct net_endpoint *p;
	const struct net_network *x;
	struct net_create c = { .name = "aaa", .subnet = "10.5.0.0/24" }, inner = { .name = "a0", .internal = true };
	CHECK_OK(net_create_wait(w->net, &c, &x, &w->e), &w->e);
	CHECK_OK(net_create_wait(w->net, &inner, &x, &w->e), &w->e);
	sandbox(w, A, "web");
	CHECK_OK(attach(w, A, "bridge", NULL, &p), &w->e);
	CHECK_OK(publish(w, A, 8080), &w->e);
	fake.log[0] = 0;
	CHECK_OK(attach(w, A, "aaa", "10.5.0.77", &p), &w->e);
	CHECK_STR(p->ifname, "eth1");
	CHECK_INT(p->n_dns_names, 2);
	CHECK_STR(p->dns_names[0], "web");
	CHECK(strstr(fake.log, "attach eth1 0a05004d default\ncommit 3\n") != NULL);     /* opening, out, in */
	CHECK_OK(attach(w, A, "a0", NULL, &p), &w->e);
	CHECK_STR(p->gateway, "");
	CHECK_INT(net_remove_wait(w->net, "aaa", &w->e), -EACCES);
	CHECK_OK(net_detach_wait(w->net, A, "aaa", &w->e), &w->e);
	CHECK(strstr(fake.log, "detach -\ndefault_route ac120001\n") != NULL);
	CHECK_OK(net_remove_wait(w->net, "aaa", &w->e), &w->e);
	CHECK_INT(net_detach_wait(w->net, A, "bridge2", &w->e), -ENOENT);
}
TEST(the_first_network_by_name_leads_and_ports_follow) { in_world(moving); }

static bool only_b(void *arg, const char *container) { return !strcmp(container, B); }
static void collecting(struct world *w)
{
	sandbox(w, A, "web");
	sandbox(w, B, "db");
	char stray[256];
	fmt_into(stray, sizeof stray, "%s/netns/0123456789ab", test_dir());
	f_netns_make(stray, &w->e);
	net_free(w->net);
	open_net(w);
	CHECK(access(stray, F_OK) < 0);
	net_collect_wait(w->net, only_b, NULL);
	CHECK(net_sandbox_path(w->net, A) == NULL);
	CHECK(net_sandbox_path(w->net, B) != NULL);
}
TEST(what_nobody_owns_is_collected) { in_world(collecting); }
