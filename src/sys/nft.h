/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nftables through libnftnl: a batch of objects, rules and elements that the
 * kernel takes whole or not at all. Blocking, for jobs and start-up code; acts
 * in the calling thread's network namespace.
 *
 * Building never fails in the middle: the batch remembers the first error and
 * nft_batch_commit returns it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "sys/netlink.h"

struct nft_batch {
	char *ptr;
	size_t len, cap;
	uint32_t n;                  /* messages, the opening one included */
	uint32_t set_id;
	int error;
	struct buf *trace;           /* not NULL: one line of text an object, for tests */
};
void nft_batch_init(struct nft_batch *b);
void nft_batch_release(struct nft_batch *b);
static inline void auto_nft_batch(struct nft_batch *b) { nft_batch_release(b); }
/* Sends the batch and empties it. 0, or -errno of the first refused object (-ENOENT: deleted what is not there). */
int nft_batch_commit(struct nft_batch *b, struct err *e);
/*
 * The same on a socket that stays open (opened when closed; closed when it failed half-way). Worth it where elements are
 * deleted: closing any nftables socket waits for the kernel to have freed them, some 10 ms.
 */
int nft_batch_commit_on(struct netlink *nl, struct nft_batch *b, struct err *e);
static inline bool nft_batch_empty(const struct nft_batch *b) { return b->n <= 1 && !b->error; }

enum nft_family { NFT_INET = 1, NFT_IP = 2, NFT_BRIDGE = 7 };       /* NFPROTO_* */

void nft_table_add(struct nft_batch *b, enum nft_family f, const char *table);   /* no error if there */
void nft_table_del(struct nft_batch *b, enum nft_family f, const char *table);

struct nft_chain {
	const char *name;
	const char *type;            /* "filter", "nat"; NULL: not a base chain */
	uint32_t hook;               /* NF_INET_… */
	int32_t priority;
	bool policy_drop;
};
void nft_chain_add(struct nft_batch *b, enum nft_family f, const char *table, const struct nft_chain *c);
void nft_chain_flush(struct nft_batch *b, enum nft_family f, const char *table, const char *chain);

/* Data types as nft(8) numbers them, so that `nft list ruleset` prints what we made. */
enum nft_type { NFT_TYPE_ADDR = 7, NFT_TYPE_PROTO = 12, NFT_TYPE_PORT = 13, NFT_TYPE_MARK = 19 /* 4 bytes, the host's order */, NFT_TYPE_IFNAME = 41 };
enum { NFT_KEY_PARTS = 4 };
struct nft_set {
	const char *name;
	enum nft_type key[NFT_KEY_PARTS];    /* 0 ends */
	enum nft_type data[NFT_KEY_PARTS];   /* a map; first 0: a set */
};
void nft_set_add(struct nft_batch *b, enum nft_family f, const char *table, const struct nft_set *s);
void nft_set_flush(struct nft_batch *b, enum nft_family f, const char *table, const char *set);
/* One element; parts of a key are padded to 4 bytes each. data NULL for sets. Adding what is there with other data is -EEXIST. */
void nft_element(struct nft_batch *b, enum nft_family f, const char *table, const char *set, bool add, struct slice key, struct slice data);

/* --- rules: start, matches in order, one verdict, done */
struct nft_rule {
	struct nft_batch *batch;
	struct nftnl_rule *rule;
};
/* comment: shown by nft(8); NULL none. insert: at the front of the chain. */
struct nft_rule nft_rule_start(struct nft_batch *b, enum nft_family f, const char *table, const char *chain, const char *comment);
void nft_rule_add(struct nft_rule *r, bool insert);

/* Registers are 4 bytes wide, numbered from 0; an interface name takes 4 of them. */
void nft_load_meta(struct nft_rule *r, uint32_t meta_key, unsigned reg);                    /* NFT_META_… */
/* Sets bits of the packet's mark and leaves the others; matches packets that have them. Register 0. */
void nft_mark_add(struct nft_rule *r, uint32_t bits);
void nft_match_mark(struct nft_rule *r, uint32_t bits);
void nft_load_payload(struct nft_rule *r, uint32_t base, uint32_t offset, uint32_t len, unsigned reg);  /* NFT_PAYLOAD_… */
void nft_load_ct(struct nft_rule *r, uint32_t ct_key, unsigned reg);                        /* NFT_CT_… */
void nft_load_fib_type(struct nft_rule *r, bool source, unsigned reg);                      /* RTN_… of an address */
void nft_mask(struct nft_rule *r, unsigned reg, const void *mask, uint32_t len);
void nft_cmp(struct nft_rule *r, unsigned reg, bool equal, const void *p, uint32_t len);
void nft_lookup(struct nft_rule *r, const char *set, unsigned reg, bool invert);
void nft_lookup_map(struct nft_rule *r, const char *map, unsigned reg, unsigned data_reg);
void nft_set_payload(struct nft_rule *r, unsigned reg, uint32_t base, uint32_t offset, uint32_t len, uint32_t csum_offset, uint32_t flags);
void nft_load_value(struct nft_rule *r, unsigned reg, const void *p, uint32_t len);
void nft_dnat(struct nft_rule *r, unsigned addr_reg, unsigned port_reg);                    /* IPv4 */
void nft_masquerade(struct nft_rule *r);
/* 0..below-1: at random, or always the same one for the 4 bytes in register `of` (an address). */
void nft_load_random(struct nft_rule *r, uint32_t below, unsigned reg);
void nft_load_hash(struct nft_rule *r, uint32_t below, unsigned of, unsigned reg);
/* Ends it: TCP by a reset, anything else by "port unreachable". */
void nft_reject(struct nft_rule *r, bool tcp);
void nft_counter(struct nft_rule *r);
void nft_verdict(struct nft_rule *r, int verdict);                                          /* NF_ACCEPT, NF_DROP, NFT_RETURN */

/* Shorthands made of the above; they use registers from 0. */
void nft_match_ipv4(struct nft_rule *r);
void nft_match_l4proto(struct nft_rule *r, uint8_t proto);
void nft_match_iifname(struct nft_rule *r, const char *name, bool equal);
void nft_match_oifname(struct nft_rule *r, const char *name, bool equal);
void nft_match_saddr(struct nft_rule *r, uint32_t addr, uint8_t prefix_len);                /* host byte order */
void nft_match_daddr(struct nft_rule *r, uint32_t addr, uint8_t prefix_len);
void nft_match_ct_state(struct nft_rule *r, uint32_t bits);
void nft_match_ct_status(struct nft_rule *r, uint32_t bits);
void nft_match_local_daddr(struct nft_rule *r);

/* --- asking */
struct nft_chain_info { enum nft_family family; const char *table, *name, *type; uint32_t hook; int32_t priority; bool policy_drop; };
/* Base chains of all families. fn's non-zero result ends the walk and is returned. */
int nft_chain_each(int (*fn)(void *arg, const struct nft_chain_info *c), void *arg);
/* Rules of a chain: handle and comment ("" without one). */
int nft_rule_each(enum nft_family f, const char *table, const char *chain, int (*fn)(void *arg, uint64_t handle, const char *comment), void *arg);
void nft_rule_del(struct nft_batch *b, enum nft_family f, const char *table, const char *chain, uint64_t handle);
/* Elements of a set or map, key and data as stored. */
int nft_element_each(enum nft_family f, const char *table, const char *set, int (*fn)(void *arg, struct slice key, struct slice data), void *arg);
