/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nftables table. A new connection meets, in the nat chains of prerouting
 * and output, one rule a class of service sizes:
 *
 *   load daddr, protocol, port, random(slots) → look up in cluster_SLOTS → dnat
 *
 * and the same for node ports on local addresses, and for sticky services with
 * a hash of the client's address in place of the random number. So the cost of a
 * packet does not grow with services, and a change touches its own elements only.
 */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <stdlib.h>

#include "kube/proxy/proxy_int.h"

const uint32_t proxy_slots[PROXY_CLASSES] = { 1, 2, 3, 12, 60, 240, 1020 };
static const char *const kinds[PROXY_KINDS] = { "cluster", "node" };

unsigned proxy_class(size_t n)
{
	for (unsigned i = 0; i < PROXY_CLASSES; i++)
		if (n && n <= proxy_slots[i] && proxy_slots[i] % n == 0)
			return i;
	for (unsigned i = 0; i < PROXY_CLASSES; i++)
		if (proxy_slots[i] >= 8 * n)
			return i;
	return PROXY_CLASSES - 1;
}

static const char *set_name(char dst[32], enum proxy_kind k, bool sticky, unsigned class)
{
	snprintf(dst, 32, "%s%s_%u", kinds[k], sticky ? "_sticky" : "", proxy_slots[class]);
	return dst;
}

static void dispatch(struct nft_batch *b, const char *table, const char *chain, enum proxy_kind k, bool sticky, unsigned class)
{
	char name[32];
	unsigned at = 0;
	struct nft_rule r = nft_rule_start(b, NFT_INET, table, chain, NULL);
	nft_match_ipv4(&r);
	if (k == PROXY_CLUSTER)
		nft_load_payload(&r, NFT_PAYLOAD_NETWORK_HEADER, 16, 4, at++);
	else
		nft_match_local_daddr(&r);
	nft_load_meta(&r, NFT_META_L4PROTO, at++);
	nft_load_payload(&r, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, at++);
	if (sticky) {
		nft_load_payload(&r, NFT_PAYLOAD_NETWORK_HEADER, 12, 4, at + 1);
		nft_load_hash(&r, proxy_slots[class], at + 1, at);
	} else {
		nft_load_random(&r, proxy_slots[class], at);
	}
	nft_lookup_map(&r, set_name(name, k, sticky, class), 0, 0);
	nft_dnat(&r, 0, 1);
	nft_rule_add(&r, false);
}

static void refuse(struct nft_batch *b, const char *table, const char *chain)
{
	for (int k = 0; k < PROXY_KINDS; k++)
		for (int tcp = 0; tcp < 2; tcp++) {
			struct nft_rule r = nft_rule_start(b, NFT_INET, table, chain, "no endpoint");
			unsigned at = 0;
			nft_match_ipv4(&r);
			if (tcp)
				nft_match_l4proto(&r, IPPROTO_TCP);
			if (k == PROXY_CLUSTER)
				nft_load_payload(&r, NFT_PAYLOAD_NETWORK_HEADER, 16, 4, at++);
			else
				nft_match_local_daddr(&r);
			nft_load_meta(&r, NFT_META_L4PROTO, at++);
			nft_load_payload(&r, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, at++);
			nft_lookup(&r, k == PROXY_CLUSTER ? "cluster_none" : "node_none", 0, false);
			/* TCP comes second here and, put in front, first in the chain */
			nft_reject(&r, tcp);
			nft_rule_add(&r, true);
		}
}

void proxy_rules_base(struct nft_batch *b, const char *table)
{
	static const struct nft_chain chains[] = {
		{ "prerouting", "nat", NF_INET_PRE_ROUTING, -101 },
		{ "output", "nat", NF_INET_LOCAL_OUT, -101 },
		{ "input_refuse", "filter", NF_INET_LOCAL_IN, -1 },
		{ "forward_refuse", "filter", NF_INET_FORWARD, -1 },
		{ "output_refuse", "filter", NF_INET_LOCAL_OUT, -1 },
	};
	static const char *const nat[] = { "prerouting", "output" }, *const filters[] = { "input_refuse", "forward_refuse", "output_refuse" };
	char name[32];
	/* Added first, so that the removal that makes room never meets an empty place. */
	nft_table_add(b, NFT_INET, table);
	nft_table_del(b, NFT_INET, table);
	nft_table_add(b, NFT_INET, table);
	nft_set_add(b, NFT_INET, table, &(struct nft_set){ "cluster_none", { NFT_TYPE_ADDR, NFT_TYPE_PROTO, NFT_TYPE_PORT } });
	nft_set_add(b, NFT_INET, table, &(struct nft_set){ "node_none", { NFT_TYPE_PROTO, NFT_TYPE_PORT } });
	for (int sticky = 0; sticky < 2; sticky++)
		for (unsigned i = 0; i < PROXY_CLASSES; i++) {
			nft_set_add(b, NFT_INET, table, &(struct nft_set){ set_name(name, PROXY_CLUSTER, sticky, i),
				{ NFT_TYPE_ADDR, NFT_TYPE_PROTO, NFT_TYPE_PORT, NFT_TYPE_MARK }, { NFT_TYPE_ADDR, NFT_TYPE_PORT } });
			nft_set_add(b, NFT_INET, table, &(struct nft_set){ set_name(name, PROXY_NODE, sticky, i),
				{ NFT_TYPE_PROTO, NFT_TYPE_PORT, NFT_TYPE_MARK }, { NFT_TYPE_ADDR, NFT_TYPE_PORT } });
		}
	for (size_t i = 0; i < ARRAY_LEN(chains); i++)
		nft_chain_add(b, NFT_INET, table, &chains[i]);
	for (size_t c = 0; c < ARRAY_LEN(nat); c++)
		for (int k = 0; k < PROXY_KINDS; k++)
			for (int sticky = 0; sticky < 2; sticky++)
				for (unsigned i = 0; i < PROXY_CLASSES; i++)
					dispatch(b, table, nat[c], k, sticky, i);
	for (size_t c = 0; c < ARRAY_LEN(filters); c++)
		refuse(b, table, filters[c]);
}

/* --- elements ----------------------------------------------------------------------- */
void proxy_table_init(struct proxy_table *t) { map_init(&t->elements); }

void proxy_table_release(struct proxy_table *t)
{
	size_t pos = 0;
	for (struct map_entry *m; (m = map_next(&t->elements, &pos));)
		free(m->value);
	map_release(&t->elements);
}

static int add(struct proxy_table *t, const char *set, const void *key, size_t key_len, const void *data, size_t data_len)
{
	char name[64];
	size_t n = strlen(set) + 1;
	memcpy(name, set, n);
	memcpy(name + n, key, key_len);
	struct proxy_element *x = calloc(1, sizeof *x), *old = NULL;
	if (!x)
		return -ENOMEM;
	x->key_len = (uint32_t)key_len;
	x->data_len = (uint32_t)data_len;
	memcpy(x->bytes, key, key_len);
	if (data_len)
		memcpy(x->bytes + key_len, data, data_len);
	/* two services with the same external address and port: the first one has it */
	if (map_get(&t->elements, slice_n(name, n + key_len))) {
		free(x);
		return 0;
	}
	int r = map_set(&t->elements, slice_n(name, n + key_len), x, (void **)&old);
	if (r < 0)
		free(x);
	return r;
}

static int add_target(struct proxy_table *t, enum proxy_kind k, uint32_t addr, uint8_t proto, uint16_t port, const struct proxy_endpoint *to, size_t n,
	bool sticky)
{
	char set[32], key[16] = { 0 }, data[8] = { 0 };
	size_t at = 0;
	uint32_t a = htonl(addr);
	uint16_t p = htons(port);
	if (k == PROXY_CLUSTER) {
		memcpy(key, &a, 4);
		at = 4;
	}
	key[at] = (char)proto;
	memcpy(key + at + 4, &p, 2);
	at += 8;
	if (!n)
		return add(t, k == PROXY_CLUSTER ? "cluster_none" : "node_none", key, at, NULL, 0);
	unsigned class = proxy_class(n);
	set_name(set, k, sticky, class);
	for (uint32_t slot = 0; slot < proxy_slots[class]; slot++) {
		const struct proxy_endpoint *e = &to[slot % n];
		memcpy(key + at, &slot, 4);
		a = htonl(e->addr);
		p = htons(e->port);
		memcpy(data, &a, 4);
		memcpy(data + 4, &p, 2);
		int r = add(t, set, key, at + 4, data, 8);
		if (r < 0)
			return r;
	}
	return 0;
}

int proxy_table_add(struct proxy_table *t, const struct proxy_port *p)
{
	int r = 0;
	for (size_t i = 0; i < p->n_addrs && r == 0; i++)
		r = add_target(t, PROXY_CLUSTER, p->addrs[i], p->proto, p->port, p->cluster, p->n_cluster, p->sticky);
	for (size_t i = 0; i < p->n_external && r == 0; i++)
		r = add_target(t, PROXY_CLUSTER, p->external[i], p->proto, p->port, p->node, p->n_node, p->sticky);
	if (r == 0 && p->node_port)
		r = add_target(t, PROXY_NODE, 0, p->proto, p->node_port, p->node, p->n_node, p->sticky);
	return r;
}

static void element(struct nft_batch *b, const char *table, const struct map_entry *m, bool on)
{
	const struct proxy_element *x = m->value;
	nft_element(b, NFT_INET, table, m->key, on, slice_n(x->bytes, x->key_len), x->data_len ? slice_n(x->bytes + x->key_len, x->data_len) : (struct slice){ 0 });
}

static bool same(const struct proxy_element *a, const struct proxy_element *b)
{
	return a && b && a->data_len == b->data_len && !memcmp(a->bytes, b->bytes, a->key_len + a->data_len);
}

void proxy_rules_change(struct nft_batch *b, const char *table, const struct proxy_table *is, const struct proxy_table *should)
{
	size_t pos = 0;
	/* what goes first, so that an element may come back with other data */
	for (struct map_entry *m; is && (m = map_next(&is->elements, &pos));)
		if (!same(m->value, map_get(&should->elements, slice_n(m->key, m->key_len))))
			element(b, table, m, false);
	pos = 0;
	for (struct map_entry *m; (m = map_next(&should->elements, &pos));)
		if (!is || !same(m->value, map_get(&is->elements, slice_n(m->key, m->key_len))))
			element(b, table, m, true);
}
