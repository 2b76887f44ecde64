// SPDX-License-Identifier: Apache-2.0
#include "net/rules.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>

#include "net/addr.h"

#define LOOPBACK 0x7f000000u
#define MARK_HAIRPIN 0x02000000u
/* NF_CT_STATE_BIT of established and related; the header has it for the kernel only. */
enum { STATE_ESTABLISHED = 1 << 1, STATE_RELATED = 1 << 2 };

static uint8_t ip_proto(enum net_proto p)
{
	return p == NET_TCP ? IPPROTO_TCP : p == NET_UDP ? IPPROTO_UDP : IPPROTO_SCTP;
}

static const struct nft_chain chains[] = {
	{ "guard", "filter", NF_INET_PRE_ROUTING, -300 },
	{ "prerouting", "nat", NF_INET_PRE_ROUTING, -100 },
	{ "output", "nat", NF_INET_LOCAL_OUT, -100 },
	{ "forward", "filter", NF_INET_FORWARD, 0 },
	{ "postrouting", "nat", NF_INET_POST_ROUTING, 100 },
};

static const struct nft_set sets[] = {
	{ "bridges", { NFT_TYPE_IFNAME } },
	{ "masq", { NFT_TYPE_IFNAME } },
	{ "internal", { NFT_TYPE_IFNAME } },
	{ "open", { NFT_TYPE_IFNAME } },
	{ "icc", { NFT_TYPE_IFNAME, NFT_TYPE_IFNAME } },
	{ "pairs", { NFT_TYPE_IFNAME, NFT_TYPE_IFNAME } },
	{ "self", { NFT_TYPE_ADDR, NFT_TYPE_ADDR } },
	{ "dnat_any", { NFT_TYPE_PROTO, NFT_TYPE_PORT }, { NFT_TYPE_ADDR, NFT_TYPE_PORT } },
	{ "dnat_addr", { NFT_TYPE_ADDR, NFT_TYPE_PROTO, NFT_TYPE_PORT }, { NFT_TYPE_ADDR, NFT_TYPE_PORT } },
};

struct build { struct nft_batch *b; const char *table; };

static struct nft_rule start(struct build x, const char *chain, const char *comment)
{
	return nft_rule_start(x.b, NFT_INET, x.table, chain, comment);
}

static void finish(struct nft_rule *r, int verdict)
{
	nft_verdict(r, verdict);
	nft_rule_add(r, false);
}

static void in_set(struct nft_rule *r, uint32_t meta, const char *set, bool invert)
{
	nft_load_meta(r, meta, 0);
	nft_lookup(r, set, 0, invert);
}

/* iifname . oifname in a set of pairs */
static void same_bridge(struct nft_rule *r, const char *set)
{
	nft_load_meta(r, NFT_META_IIFNAME, 0);
	nft_load_meta(r, NFT_META_OIFNAME, 4);
	nft_lookup(r, set, 0, false);
}

static void guard(struct build x)
{
	for (int source = 0; source < 2; source++) {
		struct nft_rule r = start(x, "guard", "127/8 is for this host alone");
		nft_match_iifname(&r, "lo", false);
		nft_match_ipv4(&r);
		if (source)
			nft_match_saddr(&r, LOOPBACK, 8);
		else
			nft_match_daddr(&r, LOOPBACK, 8);
		finish(&r, NF_DROP);
	}
}

static void dnat(struct build x, const char *chain)
{
	for (int any = 0; any < 2; any++) {
		struct nft_rule r = start(x, chain, "published ports");
		unsigned at = 0;
		nft_match_ipv4(&r);
		nft_match_local_daddr(&r);
		if (!any)
			nft_load_payload(&r, NFT_PAYLOAD_NETWORK_HEADER, 16, 4, at++);
		nft_load_meta(&r, NFT_META_L4PROTO, at++);
		nft_load_payload(&r, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, at++);
		nft_lookup_map(&r, any ? "dnat_any" : "dnat_addr", 0, 0);
		nft_dnat(&r, 0, 1);
		nft_rule_add(&r, false);
	}
}

static void forward(struct build x)
{
	struct nft_rule r = start(x, "forward", "answers");
	nft_match_ct_state(&r, STATE_ESTABLISHED | STATE_RELATED);
	finish(&r, NF_ACCEPT);
	r = start(x, "forward", "a neighbour's published port");
	same_bridge(&r, "pairs");
	nft_match_ct_status(&r, IPS_DST_NAT);
	nft_mark_add(&r, MARK_HAIRPIN);
	nft_rule_add(&r, false);
	r = start(x, "forward", "within a bridge");
	same_bridge(&r, "icc");
	finish(&r, NF_ACCEPT);
	r = start(x, "forward", "internal networks do not leave");
	in_set(&r, NFT_META_IIFNAME, "internal", false);
	finish(&r, NF_DROP);
	r = start(x, "forward", "internal networks are not entered");
	in_set(&r, NFT_META_OIFNAME, "internal", false);
	finish(&r, NF_DROP);
	r = start(x, "forward", "published ports");
	in_set(&r, NFT_META_OIFNAME, "bridges", false);
	nft_match_ct_status(&r, IPS_DST_NAT);
	finish(&r, NF_ACCEPT);
	r = start(x, "forward", "pods are reached by their addresses");
	in_set(&r, NFT_META_OIFNAME, "open", false);
	finish(&r, NF_ACCEPT);
	r = start(x, "forward", "bridges are isolated");
	in_set(&r, NFT_META_OIFNAME, "bridges", false);
	finish(&r, NF_DROP);
}

static void postrouting(struct build x, struct net_cidr pods)
{
	struct nft_rule r = start(x, "postrouting", "localhost to a published port");
	nft_match_ipv4(&r);
	nft_match_saddr(&r, LOOPBACK, 8);
	in_set(&r, NFT_META_OIFNAME, "bridges", false);
	nft_masquerade(&r);
	nft_rule_add(&r, false);
	r = start(x, "postrouting", "a neighbour's published port");
	nft_match_ipv4(&r);
	nft_match_mark(&r, MARK_HAIRPIN);
	nft_masquerade(&r);
	nft_rule_add(&r, false);
	r = start(x, "postrouting", "a pod that reaches itself through a service");
	nft_match_ipv4(&r);
	in_set(&r, NFT_META_OIFNAME, "open", false);
	nft_load_payload(&r, NFT_PAYLOAD_NETWORK_HEADER, 12, 4, 0);
	nft_load_payload(&r, NFT_PAYLOAD_NETWORK_HEADER, 16, 4, 1);
	nft_lookup(&r, "self", 0, false);
	nft_masquerade(&r);
	nft_rule_add(&r, false);
	if (pods.len) {
		r = start(x, "postrouting", "pods know each other by their addresses");
		nft_match_ipv4(&r);
		in_set(&r, NFT_META_IIFNAME, "open", false);
		nft_match_daddr(&r, pods.addr, pods.len);
		finish(&r, NF_ACCEPT);
	}
	r = start(x, "postrouting", "leaving");
	nft_match_ipv4(&r);
	in_set(&r, NFT_META_IIFNAME, "masq", false);
	in_set(&r, NFT_META_OIFNAME, "bridges", true);
	nft_masquerade(&r);
	nft_rule_add(&r, false);
}

void rules_base(struct nft_batch *b, const char *table, struct net_cidr pods)
{
	struct build x = { b, table };
	/* Added first, so that the removal that makes room never meets an empty place. */
	nft_table_add(b, NFT_INET, table);
	nft_table_del(b, NFT_INET, table);
	nft_table_add(b, NFT_INET, table);
	for (size_t i = 0; i < ARRAY_LEN(sets); i++)
		nft_set_add(b, NFT_INET, table, &sets[i]);
	for (size_t i = 0; i < ARRAY_LEN(chains); i++)
		nft_chain_add(b, NFT_INET, table, &chains[i]);
	guard(x);
	dnat(x, "prerouting");
	dnat(x, "output");
	forward(x);
	postrouting(x, pods);
}

static void element(struct nft_batch *b, const char *table, const char *set, bool add, const char *name, int times)
{
	char key[2 * IFNAMSIZ] = { 0 };
	fmt_into(key, IFNAMSIZ, "%s", name);
	fmt_into(key + IFNAMSIZ, IFNAMSIZ, "%s", name);
	nft_element(b, NFT_INET, table, set, add, slice_n(key, (size_t)times * IFNAMSIZ), (struct slice){ 0 });
}

void rules_network(struct nft_batch *b, const char *table, const struct rules_network *w, bool add)
{
	element(b, table, "bridges", add, w->bridge, 1);
	if (!w->open)
		element(b, table, "pairs", add, w->bridge, 2);
	if (w->masquerade && !w->internal)
		element(b, table, "masq", add, w->bridge, 1);
	if (w->internal)
		element(b, table, "internal", add, w->bridge, 1);
	if (w->open)
		element(b, table, "open", add, w->bridge, 1);
	if (w->icc)
		element(b, table, "icc", add, w->bridge, 2);
}

void rules_self(struct nft_batch *b, const char *table, uint32_t addr, bool add)
{
	uint32_t key[2] = { htonl(addr), htonl(addr) };
	nft_element(b, NFT_INET, table, "self", add, slice_n(key, sizeof key), (struct slice){ 0 });
}

void rules_port(struct nft_batch *b, const char *table, const struct rules_port *p, bool add)
{
	char key[12] = { 0 }, data[8] = { 0 };
	uint32_t host = htonl(p->host_addr), addr = htonl(p->addr);
	uint16_t host_port = htons(p->host_port), port = htons(p->port);
	size_t at = 0;
	if (p->host_addr) {
		memcpy(key, &host, 4);
		at = 4;
	}
	key[at] = (char)ip_proto(p->proto);
	memcpy(key + at + 4, &host_port, 2);
	memcpy(data, &addr, 4);
	memcpy(data + 4, &port, 2);
	nft_element(b, NFT_INET, table, p->host_addr ? "dnat_addr" : "dnat_any", add, slice_n(key, at + 8), slice_n(data, 8));
}

void rules_accept(struct nft_batch *b, enum nft_family f, const char *table, const char *chain, const char *bridge, const char *comment)
{
	for (int out = 0; out < 2; out++) {
		struct nft_rule r = nft_rule_start(b, f, table, chain, comment);
		if (out)
			nft_match_oifname(&r, bridge, true);
		else
			nft_match_iifname(&r, bridge, true);
		nft_counter(&r);
		nft_verdict(&r, NF_ACCEPT);
		nft_rule_add(&r, true);
	}
}

void rules_dns(struct nft_batch *b)
{
	static const char table[] = "coracle_dns", chain[] = "output";
	nft_table_add(b, NFT_IP, table);
	nft_chain_add(b, NFT_IP, table, &(struct nft_chain){ chain, "filter", NF_INET_LOCAL_OUT, -300 });
	/* Requests get the inner port as destination, answers port 53 as source: either is one 16-bit field and its checksum. */
	for (int i = 0; i < 4; i++) {
		bool answer = i & 1, tcp = i & 2;
		uint16_t want = htons(answer ? DNS_INNER_PORT : 53), put = htons(answer ? 53 : DNS_INNER_PORT);
		uint32_t offset = answer ? 0 : 2;
		struct nft_rule r = nft_rule_start(b, NFT_IP, table, chain, NULL);
		if (answer)
			nft_match_saddr(&r, DNS_INNER_ADDR, 32);
		else
			nft_match_daddr(&r, DNS_INNER_ADDR, 32);
		nft_match_l4proto(&r, tcp ? IPPROTO_TCP : IPPROTO_UDP);
		nft_load_payload(&r, NFT_PAYLOAD_TRANSPORT_HEADER, offset, 2, 0);
		nft_cmp(&r, 0, true, &want, 2);
		nft_load_value(&r, 0, &put, 2);
		nft_set_payload(&r, 0, NFT_PAYLOAD_TRANSPORT_HEADER, offset, 2, tcp ? 16 : 6, 0);
		nft_rule_add(&r, false);
	}
}
