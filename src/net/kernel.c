// SPDX-License-Identifier: Apache-2.0
/*
 * The real kernel behind struct net_kernel. Runs on worker threads: a function
 * that enters another network namespace comes back before it returns (a thread
 * that could not come back ends the process: everything after would act in the
 * wrong place).
 */
#include "net/kernel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/rand.h"
#include "net/addr.h"
#include "sys/netlink.h"

#ifndef NSFS_MAGIC
#define NSFS_MAGIC 0x6e736673
#endif

/* --- being elsewhere for a moment */

struct away { int home; };

static void auto_away(struct away *a)
{
	if (a->home < 0)
		return;
	must(setns(a->home, CLONE_NEWNET) == 0);
	close(a->home);
}

static int here(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int go(struct away *a, const char *netns)
{
	AUTO(close) int to = open(netns, O_RDONLY | O_CLOEXEC);
	if (to < 0)
		return -errno;
	AUTO(close) int home = here();
	if (home < 0)
		return home;
	if (setns(to, CLONE_NEWNET) < 0)
		return -errno;
	a->home = take_fd(&home);
	return 0;
}

/* --- namespaces */

/* As Docker's containers have them; missing ones (no IPv6) are skipped. */
static void container_sysctls(void)
{
	file_poke(AT_FDCWD, "/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
	file_poke(AT_FDCWD, "/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
	/* Interfaces get no IPv6 address of their own making; lo keeps ::1. */
	file_poke(AT_FDCWD, "/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
}

static int furnish(struct err *e)
{
	AUTO(netlink) struct netlink nl = NETLINK_CLOSED;
	int r = netlink_open(NETLINK_ROUTE, &nl);
	if (r < 0)
		return err_sys(e, r, "open a netlink socket");
	AUTO(netlink_batch) struct netlink_batch b;
	netlink_batch_init(&b, &nl);
	link_up(&b, 1, true);
	if ((r = netlink_batch_send(&b, e)) < 0)
		return r;
	container_sysctls();
	AUTO(nft_batch) struct nft_batch rules;
	nft_batch_init(&rules);
	rules_dns(&rules);
	return nft_batch_commit(&rules, e);
}

static int netns_make(const char *path, struct err *e)
{
	AUTO(away) struct away away = { here() };
	if (away.home < 0)
		return err_sys(e, away.home, "open the host's network namespace");
	AUTO(close) int point = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (point < 0)
		return err_sys(e, errno, "create %s", path);
	int r = 0;
	if (unshare(CLONE_NEWNET) < 0)
		r = err_sys(e, errno, "make a network namespace");
	else if (mount("/proc/thread-self/ns/net", path, NULL, MS_BIND, NULL) < 0)
		r = err_sys(e, errno, "bind a network namespace to %s", path);
	else if ((r = furnish(e)) < 0)
		umount2(path, MNT_DETACH);
	if (r < 0)
		unlink(path);
	return r;
}

static void netns_drop(const char *path)
{
	umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
	unlink(path);
}

static bool netns_is(const char *path)
{
	struct statfs s;
	return statfs(path, &s) == 0 && s.f_type == NSFS_MAGIC;
}

static int tcp_socket(const char *netns, bool v6, struct err *e)
{
	AUTO(away) struct away away = { -1 };
	int r = netns[0] ? go(&away, netns) : 0;
	if (r < 0)
		return err_sys(e, r, "enter %s", netns);
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd < 0 ? err_sys(e, errno, "make a socket in %s", netns) : fd;
}

static int sysctls(const char *netns, const struct schema_pair *v, uint32_t n, struct err *e)
{
	AUTO(away) struct away away = { -1 };
	int r = go(&away, netns);
	if (r < 0)
		return err_sys(e, r, "enter %s", netns);
	AUTO(close) int sys = open("/proc/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (sys < 0)
		return err_sys(e, errno, "open /proc/sys");
	for (uint32_t i = 0; i < n; i++) {
		char path[256];
		if (strncmp(v[i].key, "net.", 4) || strchr(v[i].key, '/') || strstr(v[i].key, "..") || !fmt_into(path, sizeof path, "%s", v[i].key))
			return err_set(e, EINVAL, "sysctl %s is not in the network namespace", v[i].key);
		for (char *p = path; *p; p++)
			*p = *p == '.' ? '/' : *p;
		AUTO(close) int fd = path_open_beneath(sys, path, O_WRONLY | O_NOFOLLOW, 0);
		if (fd < 0)
			return err_sys(e, fd, "open sysctl key %s", v[i].key);
		if ((r = fd_write_all(fd, v[i].value, strlen(v[i].value))) < 0)
			return err_sys(e, r, "write sysctl key %s", v[i].key);
	}
	return 0;
}

/* --- bridges */

static int interface_sysctl(const char *name, const char *key, const char *value)
{
	char path[128];
	fmt_into(path, sizeof path, "/proc/sys/net/ipv4/conf/%s/%s", name, key);
	return file_poke(AT_FDCWD, path, value);
}

struct own_addrs { uint32_t index, want; uint8_t len; bool found; };
static int note_addr(void *arg, const struct addr_info *a)
{
	struct own_addrs *o = arg;
	if (a->index == o->index && a->addr == o->want && a->prefix_len == o->len)
		o->found = true;
	return 0;
}

static int bridge_up(const struct net_bridge *w, uint32_t *ret_index, struct err *e)
{
	AUTO(netlink) struct netlink nl = NETLINK_CLOSED;
	int r = netlink_open(NETLINK_ROUTE, &nl);
	if (r < 0)
		return err_sys(e, r, "open a netlink socket");
	AUTO(netlink_batch) struct netlink_batch b;
	netlink_batch_init(&b, &nl);
	struct link_info l;
	r = link_get(&nl, w->name, &l);
	if (r == -ENODEV) {
		struct link_mac mac = { { 0x02, 0x42 } };
		rand_bytes(mac.b + 2, 4);
		link_add_bridge(&b, &(struct link_bridge){ w->name, &mac, w->mtu });
		if ((r = netlink_batch_send(&b, e)) < 0)
			return err_prefix(e, "create bridge %s", w->name);
		r = link_get(&nl, w->name, &l);
	}
	if (r < 0)
		return err_sys(e, r, "look up bridge %s", w->name);
	if (strcmp(l.kind, "bridge"))
		return err_set(e, EEXIST, "device %s exists and is no bridge", w->name);
	struct own_addrs own = { l.index, w->addr.addr, w->addr.len, false };
	if ((r = addr_each(&nl, note_addr, &own)) < 0)
		return err_sys(e, r, "list addresses");
	if (!own.found && w->addr.addr)
		addr_add(&b, l.index, w->addr.addr, w->addr.len);
	link_up(&b, l.index, true);
	if ((r = netlink_batch_send(&b, e)) < 0)
		return err_prefix(e, "set up bridge %s", w->name);
	/* Connections from 127.0.0.1 to a published port leave over the bridge; the table's guard keeps 127/8 closed. */
	if ((r = interface_sysctl(w->name, "route_localnet", "1")) < 0)
		return err_sys(e, r, "set route_localnet of %s", w->name);
	*ret_index = l.index;
	return 0;
}

static int del_link(const char *name, struct err *e)
{
	AUTO(netlink) struct netlink nl = NETLINK_CLOSED;
	int r = netlink_open(NETLINK_ROUTE, &nl);
	if (r < 0)
		return err_sys(e, r, "open a netlink socket");
	AUTO(netlink_batch) struct netlink_batch b;
	netlink_batch_init(&b, &nl);
	link_del(&b, name);
	struct err why = { 0 };
	r = netlink_batch_send(&b, &why);
	return r < 0 && r != -ENODEV ? err_set(e, r, "remove device %s: %s", name, why.text) : 0;
}

struct route_room { struct net_cidr *v; size_t room, n; };
static int note_route(void *arg, const struct route_info *i)
{
	struct route_room *t = arg;
	if (i->len > 0 && t->n < t->room && i->table != RT_TABLE_LOCAL)
		t->v[t->n++] = (struct net_cidr){ i->dst, i->len };
	return 0;
}

static int routes(struct net_cidr *v, size_t room, size_t *n, struct err *e)
{
	AUTO(netlink) struct netlink nl = NETLINK_CLOSED;
	struct route_room t = { v, room, 0 };
	int r = netlink_open(NETLINK_ROUTE, &nl);
	if (r == 0)
		r = route_each(&nl, note_route, &t);
	if (r < 0)
		return err_sys(e, r, "list routes");
	*n = t.n;
	return 0;
}

static int forwarding_on(struct err *e)
{
	int r = file_poke(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", "1");
	return r < 0 ? err_sys(e, r, "enable IPv4 forwarding") : 0;
}

/* --- endpoints */

static int inner_side(struct net_plan *p, struct err *e)
{
	AUTO(away) struct away away = { -1 };
	int r = go(&away, p->netns);
	if (r < 0)
		return err_sys(e, r, "enter %s", p->netns);
	AUTO(netlink) struct netlink nl = NETLINK_CLOSED;
	struct link_info l;
	if ((r = netlink_open(NETLINK_ROUTE, &nl)) < 0 || (r = link_get(&nl, p->ifname, &l)) < 0)
		return err_sys(e, r, "find %s in %s", p->ifname, p->netns);
	AUTO(netlink_batch) struct netlink_batch b;
	netlink_batch_init(&b, &nl);
	addr_add(&b, l.index, p->addr, p->routed ? 32 : p->len);
	link_up(&b, l.index, true);
	if (p->routed && p->gateway)
		route_add(&b, p->gateway, 32, 0, l.index, true);
	if (p->default_route && p->gateway)
		route_add(&b, 0, 0, p->gateway, l.index, true);
	p->index = l.index;
	return netlink_batch_send(&b, e);
}

static int attach(struct net_plan *p, struct err *e)
{
	AUTO(close) int ns = open(p->netns, O_RDONLY | O_CLOEXEC);
	if (ns < 0)
		return err_sys(e, errno, "open %s", p->netns);
	AUTO(netlink) struct netlink nl = NETLINK_CLOSED;
	int r = netlink_open(NETLINK_ROUTE, &nl);
	if (r < 0)
		return err_sys(e, r, "open a netlink socket");
	AUTO(netlink_batch) struct netlink_batch b;
	netlink_batch_init(&b, &nl);
	struct link_veth veth = { .name = p->veth, .master = p->bridge_index, .mtu = p->mtu, .peer_name = p->ifname, .peer_netns = ns,
		.isolated = p->isolated, .hairpin = true };
	memcpy(veth.peer_mac.b, p->mac, 6);
	link_add_veth(&b, &veth);
	if ((r = netlink_batch_send(&b, e)) < 0)
		return err_prefix(e, "create veth %s", p->veth);
	if ((r = inner_side(p, e)) < 0) {
		del_link(p->veth, NULL);
		return err_prefix(e, "set up %s of %s", p->ifname, p->netns);
	}
	return 0;
}

static int default_route(const char *netns, uint32_t index, uint32_t gateway, struct err *e)
{
	AUTO(away) struct away away = { -1 };
	AUTO(netlink) struct netlink nl = NETLINK_CLOSED;
	int r = go(&away, netns);
	if (r < 0 || (r = netlink_open(NETLINK_ROUTE, &nl)) < 0)
		return err_sys(e, r, "enter %s", netns);
	AUTO(netlink_batch) struct netlink_batch b;
	netlink_batch_init(&b, &nl);
	if (gateway)
		route_add(&b, 0, 0, gateway, index, true);
	else
		route_del(&b, 0, 0, 0, 0);
	struct err why = { 0 };
	r = netlink_batch_send(&b, &why);
	return r < 0 && r != -ESRCH ? err_set(e, r, "set the default route in %s: %s", netns, why.text) : 0;
}

static int dns_socket(int type)
{
	AUTO(close) int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	int on = 1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(DNS_INNER_PORT), .sin_addr.s_addr = htonl(DNS_INNER_ADDR) };
	if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || (type == SOCK_STREAM && listen(fd, 16) < 0))
		return -errno;
	return take_fd(&fd);
}

static int dns_sockets(const char *netns, int fds[2], struct err *e)
{
	AUTO(away) struct away away = { -1 };
	int r = go(&away, netns);
	if (r < 0)
		return err_sys(e, r, "enter %s", netns);
	AUTO(close) int udp = dns_socket(SOCK_DGRAM), tcp = dns_socket(SOCK_STREAM);
	if (udp < 0 || tcp < 0)
		return err_sys(e, udp < 0 ? udp : tcp, "open the name server's sockets in %s", netns);
	fds[0] = take_fd(&udp);
	fds[1] = take_fd(&tcp);
	return 0;
}

static int hold_port(enum net_proto proto, uint32_t addr, uint16_t port)
{
	static const struct { int type, proto; } kinds[] = {
		[NET_TCP] = { SOCK_STREAM, IPPROTO_TCP }, [NET_UDP] = { SOCK_DGRAM, IPPROTO_UDP }, [NET_SCTP] = { SOCK_STREAM, IPPROTO_SCTP },
	};
	AUTO(close) int fd = socket(AF_INET, kinds[proto].type | SOCK_CLOEXEC, kinds[proto].proto);
	if (fd < 0)
		return -errno;
	/* On while binding, so that connections in TIME_WAIT do not count (not for UDP: there it would share with a listener);
	 * off afterwards, so that another program's listen() fails. */
	int on = proto != NET_UDP, off = 0;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(addr) };
	if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &off, sizeof off);
	return take_fd(&fd);
}

struct stats_room { struct net_interface_stats *v; size_t room, n; };
static int note_stats(void *arg, const struct link_info *l)
{
	struct stats_room *t = arg;
	if (l->flags & IFF_LOOPBACK || t->n == t->room)
		return 0;
	struct net_interface_stats *s = &t->v[t->n++];
	*s = (struct net_interface_stats){ .rx_bytes = l->rx_bytes, .rx_packets = l->rx_packets, .rx_errors = l->rx_errors, .rx_dropped = l->rx_dropped,
		.tx_bytes = l->tx_bytes, .tx_packets = l->tx_packets, .tx_errors = l->tx_errors, .tx_dropped = l->tx_dropped };
	fmt_into(s->name, sizeof s->name, "%s", l->name);
	return 0;
}

static int stats(const char *netns, struct net_interface_stats *v, size_t room, size_t *n)
{
	AUTO(away) struct away away = { -1 };
	AUTO(netlink) struct netlink nl = NETLINK_CLOSED;
	struct stats_room t = { v, room, 0 };
	int r = go(&away, netns);
	if (r < 0 || (r = netlink_open(NETLINK_ROUTE, &nl)) < 0 || (r = link_each(&nl, note_stats, &t)) < 0)
		return r;
	*n = t.n;
	return 0;
}

static bool link_is(const char *name)
{
	return if_nametoindex(name) != 0;
}

/* --- beside another firewall */

enum { FOREIGN_MOST = 16 };
struct foreign { enum nft_family family; char table[64], name[64]; };
struct foreign_room { const char *ours; struct foreign v[FOREIGN_MOST]; size_t n; bool all; };

static int note_chain(void *arg, const struct nft_chain_info *c)
{
	struct foreign_room *t = arg;
	bool wanted = c->hook == 2 /* NF_INET_FORWARD */ && !strcmp(c->type, "filter") && (c->family == NFT_IP || c->family == NFT_INET);
	if (!wanted || (!c->policy_drop && !t->all) || t->n == FOREIGN_MOST || !strcmp(c->table, t->ours))
		return 0;
	struct foreign *x = &t->v[t->n];
	x->family = c->family;
	if (fmt_into(x->table, sizeof x->table, "%s", c->table) && fmt_into(x->name, sizeof x->name, "%s", c->name))
		t->n++;
	return 0;
}

struct own_rules { struct nft_batch *b; const struct foreign *chain; const char *comment; };
static int drop_own_rule(void *arg, uint64_t handle, const char *comment)
{
	struct own_rules *o = arg;
	if (!strcmp(comment, o->comment))
		nft_rule_del(o->b, o->chain->family, o->chain->table, o->chain->name, handle);
	return 0;
}

/* --- the same for legacy xtables, which only its own tool can change */

static bool legacy_filter_in_use(void)
{
	AUTO(buf) struct buf text = BUF_INIT(4096);
	struct slice rest, line;
	if (file_read(AT_FDCWD, "/proc/net/ip_tables_names", &text) < 0)
		return false;
	for (rest = buf_slice(&text); slice_next(&rest, '\n', &line);)
		if (slice_is(line, "filter"))
			return true;
	return false;
}

/* Exit status of iptables-legacy, or -errno (-ENOENT without the tool). */
static int iptables(const char *action, const char *direction, const char *bridge, const char *comment)
{
	const char *argv[] = { "iptables-legacy", "-w", "5", action, "FORWARD", direction, bridge, "-m", "comment", "--comment", comment, "-j", "ACCEPT", NULL };
	pid_t pid;
	int status;
	posix_spawn_file_actions_t quiet;
	posix_spawn_file_actions_init(&quiet);
	for (int fd = 0; fd < 3; fd++)
		posix_spawn_file_actions_addopen(&quiet, fd, "/dev/null", O_RDWR, 0);
	int r = posix_spawnp(&pid, argv[0], &quiet, NULL, (char **)argv, environ);
	posix_spawn_file_actions_destroy(&quiet);
	if (r)
		return -r;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}

static void legacy(const struct net_bridges *there, const struct net_bridges *gone, const char *comment, char *where, size_t where_size)
{
	if (!legacy_filter_in_use())
		return;
	for (int out = 0; out < 2; out++) {
		const char *direction = out ? "-o" : "-i";
		for (size_t i = 0; i < gone->n; i++)
			while (iptables("-D", direction, gone->v[i], comment) == 0)
				;
		for (size_t i = 0; i < there->n; i++)
			if (iptables("-C", direction, there->v[i], comment) > 0 && iptables("-I", direction, there->v[i], comment) == 0)
				fmt_into(where, where_size, "iptables-legacy filter FORWARD");
	}
}

static int coexist(const char *table, const struct net_bridges *there, const struct net_bridges *gone, char *where, size_t where_size)
{
	struct foreign_room t = { .ours = table, .all = there->n == 0 };
	AUTO(nft_batch) struct nft_batch b;
	nft_batch_init(&b);
	char comment[128];
	fmt_into(comment, sizeof comment, "coracle %s", table);
	where[0] = 0;
	int r = nft_chain_each(note_chain, &t);
	for (size_t i = 0; r >= 0 && i < t.n; i++) {
		struct own_rules own = { &b, &t.v[i], comment };
		r = nft_rule_each(t.v[i].family, t.v[i].table, t.v[i].name, drop_own_rule, &own);
		for (size_t k = 0; k < there->n; k++)
			rules_accept(&b, t.v[i].family, t.v[i].table, t.v[i].name, there->v[k], comment);
		if (!where[0])
			fmt_into(where, where_size, "%s %s %s", t.v[i].family == NFT_IP ? "ip" : "inet", t.v[i].table, t.v[i].name);
	}
	legacy(there, gone, comment, where, where_size);
	return r < 0 ? r : nft_batch_empty(&b) ? 0 : nft_batch_commit(&b, NULL);
}

const struct net_kernel net_kernel_real = {
	.bridge_up = bridge_up, .bridge_down = del_link, .routes = routes, .forwarding_on = forwarding_on,
	.netns_make = netns_make, .netns_drop = netns_drop, .netns_is = netns_is, .sysctls = sysctls,
	.attach = attach, .detach = del_link, .default_route = default_route, .tcp_socket = tcp_socket, .dns_sockets = dns_sockets,
	.commit = nft_batch_commit_on, .forget_udp = conntrack_forget_udp, .hold_port = hold_port, .stats = stats, .link_is = link_is, .coexist = coexist,
};
