// SPDX-License-Identifier: Apache-2.0
/*
 * Connection tracking: forgetting UDP flows. A flow that goes on keeps the
 * translation (or its lack) that its first packet met, so a port that is
 * published or withdrawn takes effect for it only when it is forgotten.
 * Source: include/uapi/linux/netfilter/nfnetlink_conntrack.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "sys/netlink_int.h"

enum { ATTRS = CTA_MAX + 1 };
struct attrs { const struct nlattr *v[ATTRS]; };

static int take(const struct nlattr *a, void *arg)
{
	struct attrs *t = arg;
	if (mnl_attr_get_type(a) < ATTRS)
		t->v[mnl_attr_get_type(a)] = a;
	return MNL_CB_OK;
}

static struct attrs inside(const struct nlattr *a)
{
	struct attrs t = { 0 };
	if (a)
		mnl_attr_parse_nested(a, take, &t);
	return t;
}

struct flows { struct netlink_batch *b; const uint16_t *ports; size_t n; };

static int visit(void *arg, const void *msg, size_t n)
{
	struct flows *f = arg;
	struct attrs t = { 0 };
	const struct nlmsghdr *h = msg;
	if (mnl_nlmsg_get_payload_len(h) < sizeof(struct nfgenmsg) || mnl_attr_parse(h, sizeof(struct nfgenmsg), take, &t) < 0 || !t.v[CTA_TUPLE_ORIG])
		return 0;
	struct attrs tuple = inside(t.v[CTA_TUPLE_ORIG]), proto = inside(tuple.v[CTA_TUPLE_PROTO]);
	const struct nlattr *num = proto.v[CTA_PROTO_NUM], *port = proto.v[CTA_PROTO_DST_PORT];
	if (!num || !port || mnl_attr_get_payload_len(num) < 1 || mnl_attr_get_payload_len(port) < 2 || mnl_attr_get_u8(num) != IPPROTO_UDP)
		return 0;
	size_t i = 0;
	while (i < f->n && htons(f->ports[i]) != mnl_attr_get_u16(port))
		i++;
	size_t room = mnl_attr_get_payload_len(t.v[CTA_TUPLE_ORIG]);
	struct nlmsghdr *d = i < f->n && room < NETLINK_MESSAGE_MAX / 2 ?
		netlink_batch_message(f->b, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, 0) : NULL;
	if (!d)
		return 0;
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(d, sizeof *g);
	*g = (struct nfgenmsg){ .nfgen_family = AF_INET, .version = NFNETLINK_V0 };
	mnl_attr_put(d, CTA_TUPLE_ORIG | NLA_F_NESTED, room, mnl_attr_get_payload(t.v[CTA_TUPLE_ORIG]));
	netlink_batch_end(f->b, d);
	return 0;
}

int conntrack_forget_udp(const uint16_t *ports, size_t n)
{
	AUTO(netlink) struct netlink nl = NETLINK_CLOSED;
	int r = netlink_open(NETLINK_NETFILTER, &nl);
	if (r < 0)
		return r;
	nl.is_transaction = false;      /* deletions stand for themselves */
	char room[256];
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	h->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof *g);
	*g = (struct nfgenmsg){ .nfgen_family = AF_INET, .version = NFNETLINK_V0 };
	AUTO(netlink_batch) struct netlink_batch b;
	netlink_batch_init(&b, &nl);
	b.first_seq += 1;               /* the dump takes one */
	struct flows f = { &b, ports, n };
	r = netlink_dump(&nl, h, visit, &f);
	if (r < 0)
		return r;
	/* One that ended by itself meanwhile is -ENOENT, which is as good. */
	r = netlink_batch_send(&b, NULL);
	return r == -ENOENT ? 0 : r;
}
