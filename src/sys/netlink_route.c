// SPDX-License-Identifier: Apache-2.0
/* rtnetlink messages: building and reading. Attributes are read with bounds; what is not there stays zero. */
#include "sys/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include "sys/netlink_int.h"

/* --- building */

static struct ifinfomsg *link_message(struct netlink_batch *b, uint16_t type, uint16_t flags, struct nlmsghdr **ret)
{
	struct nlmsghdr *h = netlink_batch_message(b, type, flags);
	if (!h)
		return NULL;
	*ret = h;
	return mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
}

/* Names longer than the kernel takes fail the batch. */
static void put_name(struct netlink_batch *b, struct nlmsghdr *h, const char *name)
{
	if (!name[0] || strlen(name) >= IFNAMSIZ)
		b->error = -EINVAL;
	else
		mnl_attr_put_strz(h, IFLA_IFNAME, name);
}

/*
 * Up, without an IPv6 link-local address: bridges and their ports have no business with one, and it costs multicast traffic
 * on every start. The kernel takes this only of links that exist, so it is a request of its own before they come up.
 */
static void up_without_ipv6(struct netlink_batch *b, const char *name, const struct link_veth *port)
{
	struct nlmsghdr *h;
	struct ifinfomsg *i = link_message(b, RTM_NEWLINK, 0, &h);
	if (!i)
		return;
	put_name(b, h, name);
	struct nlattr *spec = mnl_attr_nest_start(h, IFLA_AF_SPEC);
	struct nlattr *inet6 = mnl_attr_nest_start(h, AF_INET6);
	mnl_attr_put_u8(h, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(h, inet6);
	mnl_attr_nest_end(h, spec);
	if (port && port->master) {
		struct nlattr *info = mnl_attr_nest_start(h, IFLA_LINKINFO);
		mnl_attr_put_strz(h, IFLA_INFO_SLAVE_KIND, "bridge");
		struct nlattr *data = mnl_attr_nest_start(h, IFLA_INFO_SLAVE_DATA);
		mnl_attr_put_u8(h, IFLA_BRPORT_MODE, port->hairpin);
		mnl_attr_put_u8(h, IFLA_BRPORT_ISOLATED, port->isolated);
		mnl_attr_nest_end(h, data);
		mnl_attr_nest_end(h, info);
	}
	netlink_batch_end(b, h);
	if (!(i = link_message(b, RTM_NEWLINK, 0, &h)))
		return;
	i->ifi_flags = i->ifi_change = IFF_UP;
	put_name(b, h, name);
	netlink_batch_end(b, h);
}

void link_add_bridge(struct netlink_batch *b, const struct link_bridge *l)
{
	struct nlmsghdr *h;
	struct ifinfomsg *i = link_message(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &h);
	if (!i)
		return;
	put_name(b, h, l->name);
	if (l->mac)
		mnl_attr_put(h, IFLA_ADDRESS, 6, l->mac->b);
	if (l->mtu)
		mnl_attr_put_u32(h, IFLA_MTU, l->mtu);
	struct nlattr *info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, "bridge");
	struct nlattr *data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	mnl_attr_put_u32(h, IFLA_BR_STP_STATE, 0);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
	netlink_batch_end(b, h);
	up_without_ipv6(b, l->name, NULL);
}

void link_add_veth(struct netlink_batch *b, const struct link_veth *l)
{
	struct nlmsghdr *h;
	struct ifinfomsg *i = link_message(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &h);
	if (!i)
		return;
	put_name(b, h, l->name);
	if (l->master)
		mnl_attr_put_u32(h, IFLA_MASTER, l->master);
	if (l->mtu)
		mnl_attr_put_u32(h, IFLA_MTU, l->mtu);
	struct nlattr *info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, "veth");
	struct nlattr *data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	struct nlattr *peer = mnl_attr_nest_start(h, VETH_INFO_PEER);
	struct ifinfomsg *p = mnl_nlmsg_put_extra_header(h, sizeof *p);
	p->ifi_index = (int)l->peer_index;
	put_name(b, h, l->peer_name);
	mnl_attr_put(h, IFLA_ADDRESS, 6, l->peer_mac.b);
	if (l->mtu)
		mnl_attr_put_u32(h, IFLA_MTU, l->mtu);
	if (l->peer_netns >= 0)
		mnl_attr_put_u32(h, IFLA_NET_NS_FD, (uint32_t)l->peer_netns);
	mnl_attr_nest_end(h, peer);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
	netlink_batch_end(b, h);
	up_without_ipv6(b, l->name, l);
}

void link_del(struct netlink_batch *b, const char *name)
{
	struct nlmsghdr *h;
	if (!link_message(b, RTM_DELLINK, 0, &h))
		return;
	put_name(b, h, name);
	netlink_batch_end(b, h);
}

/* A change of an existing link; NULL when the batch has failed. */
static struct nlmsghdr *link_change(struct netlink_batch *b, uint32_t index, bool set_flags, bool up)
{
	struct nlmsghdr *h;
	struct ifinfomsg *i = link_message(b, RTM_NEWLINK, 0, &h);
	if (!i)
		return NULL;
	i->ifi_index = (int)index;
	if (set_flags) {
		i->ifi_change = IFF_UP;
		i->ifi_flags = up ? IFF_UP : 0;
	}
	return h;
}

void link_up(struct netlink_batch *b, uint32_t index, bool up)
{
	struct nlmsghdr *h = link_change(b, index, true, up);
	if (h)
		netlink_batch_end(b, h);
}

void link_rename(struct netlink_batch *b, uint32_t index, const char *name)
{
	struct nlmsghdr *h = link_change(b, index, false, false);
	if (!h)
		return;
	put_name(b, h, name);
	netlink_batch_end(b, h);
}

static void change_u32(struct netlink_batch *b, uint32_t index, uint16_t attr, uint32_t value)
{
	struct nlmsghdr *h = link_change(b, index, false, false);
	if (!h)
		return;
	mnl_attr_put_u32(h, attr, value);
	netlink_batch_end(b, h);
}

void link_set_mtu(struct netlink_batch *b, uint32_t index, uint32_t mtu)
{
	change_u32(b, index, IFLA_MTU, mtu);
}

void link_set_master(struct netlink_batch *b, uint32_t index, uint32_t master)
{
	change_u32(b, index, IFLA_MASTER, master);
}

static void addr_message(struct netlink_batch *b, uint16_t type, uint16_t flags, uint32_t index, uint32_t addr, uint8_t len)
{
	struct nlmsghdr *h = netlink_batch_message(b, type, flags);
	if (!h)
		return;
	struct ifaddrmsg *i = mnl_nlmsg_put_extra_header(h, sizeof *i);
	i->ifa_family = AF_INET;
	i->ifa_prefixlen = len;
	i->ifa_index = index;
	mnl_attr_put_u32(h, IFA_LOCAL, htonl(addr));
	mnl_attr_put_u32(h, IFA_ADDRESS, htonl(addr));
	if (len < 31)
		mnl_attr_put_u32(h, IFA_BROADCAST, htonl(addr | (uint32_t)(0xffffffffull >> len)));
	netlink_batch_end(b, h);
}

void addr_add(struct netlink_batch *b, uint32_t index, uint32_t addr, uint8_t len)
{
	addr_message(b, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, index, addr, len);
}

void addr_del(struct netlink_batch *b, uint32_t index, uint32_t addr, uint8_t len)
{
	addr_message(b, RTM_DELADDR, 0, index, addr, len);
}

static void route_message(struct netlink_batch *b, uint16_t type, uint16_t flags, uint32_t dst, uint8_t len, uint32_t gateway, uint32_t index)
{
	struct nlmsghdr *h = netlink_batch_message(b, type, flags);
	if (!h)
		return;
	struct rtmsg *r = mnl_nlmsg_put_extra_header(h, sizeof *r);
	r->rtm_family = AF_INET;
	r->rtm_dst_len = len;
	r->rtm_table = RT_TABLE_MAIN;
	r->rtm_protocol = RTPROT_BOOT;
	r->rtm_scope = gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	r->rtm_type = RTN_UNICAST;
	if (len)
		mnl_attr_put_u32(h, RTA_DST, htonl(dst));
	if (gateway)
		mnl_attr_put_u32(h, RTA_GATEWAY, htonl(gateway));
	if (index)
		mnl_attr_put_u32(h, RTA_OIF, index);
	netlink_batch_end(b, h);
}

void route_add(struct netlink_batch *b, uint32_t dst, uint8_t len, uint32_t gateway, uint32_t index, bool replace)
{
	route_message(b, RTM_NEWROUTE, NLM_F_CREATE | (replace ? NLM_F_REPLACE : NLM_F_EXCL), dst, len, gateway, index);
}

void route_del(struct netlink_batch *b, uint32_t dst, uint8_t len, uint32_t gateway, uint32_t index)
{
	route_message(b, RTM_DELROUTE, 0, dst, len, gateway, index);
}

/* --- reading */

enum { ATTRS_MAX = 72 };
struct attrs { const struct nlattr *v[ATTRS_MAX]; };

static int take_attr(const struct nlattr *a, void *arg)
{
	struct attrs *t = arg;
	uint16_t type = mnl_attr_get_type(a);
	if (type < ATTRS_MAX)
		t->v[type] = a;
	return MNL_CB_OK;
}

/* Header of `type` with at least `extra` bytes behind it; its attributes. */
static const void *open_message(const void *msg, size_t n, uint16_t type, size_t extra, struct attrs *t)
{
	const struct nlmsghdr *h = msg;
	if (!netlink_is_whole(msg, n) || h->nlmsg_type != type || mnl_nlmsg_get_payload_len(h) < extra)
		return NULL;
	*t = (struct attrs){ 0 };
	if (mnl_attr_parse(h, (unsigned)extra, take_attr, t) < 0)
		return NULL;
	return mnl_nlmsg_get_payload(h);
}

static uint32_t get_u32(const struct nlattr *a)
{
	return a && mnl_attr_get_payload_len(a) >= 4 ? mnl_attr_get_u32(a) : 0;
}

static void get_text(const struct nlattr *a, char *dst, size_t size)
{
	size_t n = a ? strnlen(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a)) : 0;
	n = MIN(n, size - 1);
	if (n)
		memcpy(dst, mnl_attr_get_payload(a), n);
	dst[n] = 0;
}

bool link_parse(const void *msg, size_t n, struct link_info *ret)
{
	struct attrs t;
	const struct ifinfomsg *i = open_message(msg, n, RTM_NEWLINK, sizeof *i, &t);
	if (!i)
		return false;
	*ret = (struct link_info){ .index = (uint32_t)i->ifi_index, .flags = i->ifi_flags };
	ret->master = get_u32(t.v[IFLA_MASTER]);
	ret->mtu = get_u32(t.v[IFLA_MTU]);
	get_text(t.v[IFLA_IFNAME], ret->name, sizeof ret->name);
	if (t.v[IFLA_ADDRESS] && mnl_attr_get_payload_len(t.v[IFLA_ADDRESS]) == 6)
		memcpy(ret->mac, mnl_attr_get_payload(t.v[IFLA_ADDRESS]), 6);
	if (t.v[IFLA_LINKINFO]) {
		struct attrs info = { 0 };
		mnl_attr_parse_nested(t.v[IFLA_LINKINFO], take_attr, &info);
		get_text(info.v[IFLA_INFO_KIND], ret->kind, sizeof ret->kind);
	}
	const struct nlattr *stats = t.v[IFLA_STATS64];
	/* The kernel's struct grew; what we read is its oldest part. */
	if (stats && mnl_attr_get_payload_len(stats) >= offsetof(struct rtnl_link_stats64, multicast)) {
		struct rtnl_link_stats64 s = { 0 };
		memcpy(&s, mnl_attr_get_payload(stats), MIN((size_t)mnl_attr_get_payload_len(stats), sizeof s));
		ret->has_stats = true;
		ret->rx_bytes = s.rx_bytes, ret->rx_packets = s.rx_packets, ret->rx_errors = s.rx_errors, ret->rx_dropped = s.rx_dropped;
		ret->tx_bytes = s.tx_bytes, ret->tx_packets = s.tx_packets, ret->tx_errors = s.tx_errors, ret->tx_dropped = s.tx_dropped;
	}
	return true;
}

bool addr_parse(const void *msg, size_t n, struct addr_info *ret)
{
	struct attrs t;
	const struct ifaddrmsg *i = open_message(msg, n, RTM_NEWADDR, sizeof *i, &t);
	if (!i || i->ifa_family != AF_INET)
		return false;
	const struct nlattr *a = t.v[IFA_LOCAL] ? t.v[IFA_LOCAL] : t.v[IFA_ADDRESS];
	*ret = (struct addr_info){ .index = i->ifa_index, .addr = ntohl(get_u32(a)), .prefix_len = i->ifa_prefixlen };
	return true;
}

bool route_parse(const void *msg, size_t n, struct route_info *ret)
{
	struct attrs t;
	const struct rtmsg *r = open_message(msg, n, RTM_NEWROUTE, sizeof *r, &t);
	if (!r || r->rtm_family != AF_INET || r->rtm_type != RTN_UNICAST || r->rtm_dst_len > 32)
		return false;
	*ret = (struct route_info){ .len = r->rtm_dst_len, .dst = ntohl(get_u32(t.v[RTA_DST])), .gateway = ntohl(get_u32(t.v[RTA_GATEWAY])) };
	ret->index = get_u32(t.v[RTA_OIF]);
	ret->table = t.v[RTA_TABLE] ? get_u32(t.v[RTA_TABLE]) : r->rtm_table;
	return true;
}

/* --- asking */

struct link_walk { int (*fn)(void *, const struct link_info *); void *arg; };
static int link_visit(void *arg, const void *msg, size_t n)
{
	struct link_walk *w = arg;
	struct link_info l;
	return link_parse(msg, n, &l) ? w->fn(w->arg, &l) : 0;
}

int link_each(struct netlink *nl, int (*fn)(void *, const struct link_info *), void *arg)
{
	char room[256];
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	h->nlmsg_type = RTM_GETLINK;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	struct link_walk w = { fn, arg };
	return netlink_dump(nl, h, link_visit, &w);
}

static int link_keep(void *arg, const struct link_info *l)
{
	*(struct link_info *)arg = *l;
	return 0;
}

int link_get(struct netlink *nl, const char *name, struct link_info *ret)
{
	char room[256];
	if (!name[0] || strlen(name) >= IFNAMSIZ)
		return -ENODEV;
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	h->nlmsg_type = RTM_GETLINK;
	h->nlmsg_flags = NLM_F_REQUEST;
	mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	struct link_info found = { 0 };
	struct link_walk w = { link_keep, &found };
	int r = netlink_dump(nl, h, link_visit, &w);
	if (r < 0)
		return r;
	if (!found.index)
		return -ENODEV;
	*ret = found;
	return 0;
}

struct addr_walk { int (*fn)(void *, const struct addr_info *); void *arg; };
static int addr_visit(void *arg, const void *msg, size_t n)
{
	struct addr_walk *w = arg;
	struct addr_info a;
	return addr_parse(msg, n, &a) ? w->fn(w->arg, &a) : 0;
}

int addr_each(struct netlink *nl, int (*fn)(void *, const struct addr_info *), void *arg)
{
	char room[256];
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	h->nlmsg_type = RTM_GETADDR;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	struct ifaddrmsg *i = mnl_nlmsg_put_extra_header(h, sizeof *i);
	i->ifa_family = AF_INET;
	struct addr_walk w = { fn, arg };
	return netlink_dump(nl, h, addr_visit, &w);
}

struct route_walk { int (*fn)(void *, const struct route_info *); void *arg; };
static int route_visit(void *arg, const void *msg, size_t n)
{
	struct route_walk *w = arg;
	struct route_info r;
	return route_parse(msg, n, &r) ? w->fn(w->arg, &r) : 0;
}

int route_each(struct netlink *nl, int (*fn)(void *, const struct route_info *), void *arg)
{
	char room[256];
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	h->nlmsg_type = RTM_GETROUTE;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	struct rtmsg *r = mnl_nlmsg_put_extra_header(h, sizeof *r);
	r->rtm_family = AF_INET;
	struct route_walk w = { fn, arg };
	return netlink_dump(nl, h, route_visit, &w);
}
