/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel should know, as a map of elements: key = map number and the
 * element's key, value = its data. Pure; the difference of two is what changes.
 */
#pragma once
#include "base/map.h"
#include "kube/client/client.h"
#include "sys/nft.h"

/*
 * A service port with n endpoints lives in the maps of one class: `slots` keys
 * that a random number (or the client's address) picks from, each naming an
 * endpoint. 1, 2, 3, 4, 6, 12 and all divisors of 60 are exact; others are even
 * to some per cent. At most 1,020 endpoints a port take traffic.
 */
enum { PROXY_CLASSES = 7 };
extern const uint32_t proxy_slots[PROXY_CLASSES];
unsigned proxy_class(size_t n_endpoints);

enum proxy_kind { PROXY_CLUSTER, PROXY_NODE, PROXY_KINDS };           /* keys: address, protocol, port; protocol, port */
struct proxy_element { uint32_t key_len, data_len; char bytes[28]; };  /* key, then data */

struct proxy_table {
	struct map elements;            /* "set name\0" + key → struct proxy_element, owned */
};
void proxy_table_init(struct proxy_table *t);
void proxy_table_release(struct proxy_table *t);

struct proxy_endpoint { uint32_t addr; uint16_t port; };
/* One port of a service. addrs in host order. 0 or -ENOMEM. */
struct proxy_port {
	uint8_t proto;                  /* IPPROTO_ */
	uint16_t port, node_port;
	const uint32_t *addrs;
	size_t n_addrs;
	const struct proxy_endpoint *cluster, *node;     /* for cluster addresses; for node ports and external addresses */
	size_t n_cluster, n_node;
	const uint32_t *external;       /* addresses that follow the node ports' policy */
	size_t n_external;
	bool sticky;
};
int proxy_table_add(struct proxy_table *t, const struct proxy_port *p);
/* Chains, rules and empty maps: the table anew. */
void proxy_rules_base(struct nft_batch *b, const char *table);
/* From what is there (may be NULL: nothing) to what should be. */
void proxy_rules_change(struct nft_batch *b, const char *table, const struct proxy_table *is, const struct proxy_table *should);

/* All service ports of the informers' objects. */
int proxy_table_build(struct proxy_table *t, const struct informer *services, const struct informer *slices, const char *node_name);
