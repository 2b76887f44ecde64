// SPDX-License-Identifier: Apache-2.0
/* Rules of nftables: expressions, one function each. Source: include/uapi/linux/netfilter/nf_tables.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include "sys/nft_int.h"

static uint32_t reg_of(unsigned reg)
{
	return NFT_REG32_00 + reg;
}

/* A new expression at the end of the rule; NULL when the batch has failed. */
static struct nftnl_expr *expr(struct nft_rule *r, const char *name)
{
	if (!r->rule)
		return NULL;
	struct nftnl_expr *x = nftnl_expr_alloc(name);
	if (!x) {
		r->batch->error = -ENOMEM;
		return NULL;
	}
	nftnl_rule_add_expr(r->rule, x);
	return x;
}

struct nft_rule nft_rule_start(struct nft_batch *b, enum nft_family f, const char *table, const char *chain, const char *comment)
{
	struct nft_rule r = { .batch = b, .rule = b->error ? NULL : nftnl_rule_alloc() };
	if (!r.rule) {
		b->error = b->error ? b->error : -ENOMEM;
		return r;
	}
	nftnl_rule_set_u32(r.rule, NFTNL_RULE_FAMILY, f);
	nftnl_rule_set_str(r.rule, NFTNL_RULE_TABLE, table);
	nftnl_rule_set_str(r.rule, NFTNL_RULE_CHAIN, chain);
	if (comment) {
		struct nftnl_udata_buf *u = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);
		if (u && nftnl_udata_put_strz(u, NFTNL_UDATA_RULE_COMMENT, comment))
			nftnl_rule_set_data(r.rule, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(u), nftnl_udata_buf_len(u));
		else
			b->error = -ENOMEM;
		if (u)
			nftnl_udata_buf_free(u);
	}
	return r;
}

void nft_rule_add(struct nft_rule *r, bool insert)
{
	if (!r->rule)
		return;
	struct nlmsghdr *h = nft_message(r->batch, NFT_MSG_NEWRULE, (enum nft_family)nftnl_rule_get_u32(r->rule, NFTNL_RULE_FAMILY),
		(uint16_t)(NLM_F_CREATE | (insert ? 0 : NLM_F_APPEND)));
	if (h) {
		nftnl_rule_nlmsg_build_payload(h, r->rule);
		nft_message_end(r->batch, h);
		char text[2048];
		if (r->batch->trace && nftnl_rule_snprintf(text, sizeof text, r->rule, NFTNL_OUTPUT_DEFAULT, 0) >= 0)
			nft_trace(r->batch, insert ? "insert rule" : "add rule", text);
	}
	nftnl_rule_free(r->rule);
	r->rule = NULL;
}

void nft_load_meta(struct nft_rule *r, uint32_t key, unsigned reg)
{
	struct nftnl_expr *x = expr(r, "meta");
	if (!x)
		return;
	nftnl_expr_set_u32(x, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(x, NFTNL_EXPR_META_DREG, reg_of(reg));
}

void nft_load_payload(struct nft_rule *r, uint32_t base, uint32_t offset, uint32_t len, unsigned reg)
{
	struct nftnl_expr *x = expr(r, "payload");
	if (!x)
		return;
	nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_LEN, len);
	nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_DREG, reg_of(reg));
}

void nft_load_ct(struct nft_rule *r, uint32_t key, unsigned reg)
{
	struct nftnl_expr *x = expr(r, "ct");
	if (!x)
		return;
	nftnl_expr_set_u32(x, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(x, NFTNL_EXPR_CT_DREG, reg_of(reg));
}

void nft_load_fib_type(struct nft_rule *r, bool source, unsigned reg)
{
	struct nftnl_expr *x = expr(r, "fib");
	if (!x)
		return;
	nftnl_expr_set_u32(x, NFTNL_EXPR_FIB_DREG, reg_of(reg));
	nftnl_expr_set_u32(x, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	nftnl_expr_set_u32(x, NFTNL_EXPR_FIB_FLAGS, source ? NFTA_FIB_F_SADDR : NFTA_FIB_F_DADDR);
}

void nft_mask(struct nft_rule *r, unsigned reg, const void *mask, uint32_t len)
{
	struct nftnl_expr *x = expr(r, "bitwise");
	if (!x)
		return;
	const char zero[16] = { 0 };
	nftnl_expr_set_u32(x, NFTNL_EXPR_BITWISE_SREG, reg_of(reg));
	nftnl_expr_set_u32(x, NFTNL_EXPR_BITWISE_DREG, reg_of(reg));
	nftnl_expr_set_u32(x, NFTNL_EXPR_BITWISE_LEN, len);
	nftnl_expr_set(x, NFTNL_EXPR_BITWISE_MASK, mask, len);
	nftnl_expr_set(x, NFTNL_EXPR_BITWISE_XOR, zero, len);
}

void nft_mark_add(struct nft_rule *r, uint32_t bits)
{
	uint32_t keep = ~bits;
	nft_load_meta(r, NFT_META_MARK, 0);
	struct nftnl_expr *x = expr(r, "bitwise");
	if (!x)
		return;
	nftnl_expr_set_u32(x, NFTNL_EXPR_BITWISE_SREG, reg_of(0));
	nftnl_expr_set_u32(x, NFTNL_EXPR_BITWISE_DREG, reg_of(0));
	nftnl_expr_set_u32(x, NFTNL_EXPR_BITWISE_LEN, 4);
	nftnl_expr_set(x, NFTNL_EXPR_BITWISE_MASK, &keep, 4);
	nftnl_expr_set(x, NFTNL_EXPR_BITWISE_XOR, &bits, 4);
	if (!(x = expr(r, "meta")))
		return;
	nftnl_expr_set_u32(x, NFTNL_EXPR_META_KEY, NFT_META_MARK);
	nftnl_expr_set_u32(x, NFTNL_EXPR_META_SREG, reg_of(0));
}

void nft_match_mark(struct nft_rule *r, uint32_t bits)
{
	const uint32_t none = 0;
	nft_load_meta(r, NFT_META_MARK, 0);
	nft_mask(r, 0, &bits, 4);
	nft_cmp(r, 0, false, &none, 4);
}

void nft_cmp(struct nft_rule *r, unsigned reg, bool equal, const void *p, uint32_t len)
{
	struct nftnl_expr *x = expr(r, "cmp");
	if (!x)
		return;
	nftnl_expr_set_u32(x, NFTNL_EXPR_CMP_SREG, reg_of(reg));
	nftnl_expr_set_u32(x, NFTNL_EXPR_CMP_OP, equal ? NFT_CMP_EQ : NFT_CMP_NEQ);
	nftnl_expr_set(x, NFTNL_EXPR_CMP_DATA, p, len);
}

static struct nftnl_expr *lookup(struct nft_rule *r, const char *set, unsigned reg)
{
	struct nftnl_expr *x = expr(r, "lookup");
	if (!x)
		return NULL;
	nftnl_expr_set_u32(x, NFTNL_EXPR_LOOKUP_SREG, reg_of(reg));
	nftnl_expr_set_str(x, NFTNL_EXPR_LOOKUP_SET, set);
	return x;
}

void nft_lookup(struct nft_rule *r, const char *set, unsigned reg, bool invert)
{
	struct nftnl_expr *x = lookup(r, set, reg);
	if (x && invert)
		nftnl_expr_set_u32(x, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
}

void nft_lookup_map(struct nft_rule *r, const char *map, unsigned reg, unsigned data_reg)
{
	struct nftnl_expr *x = lookup(r, map, reg);
	if (x)
		nftnl_expr_set_u32(x, NFTNL_EXPR_LOOKUP_DREG, reg_of(data_reg));
}

void nft_load_value(struct nft_rule *r, unsigned reg, const void *p, uint32_t len)
{
	struct nftnl_expr *x = expr(r, "immediate");
	if (!x)
		return;
	nftnl_expr_set_u32(x, NFTNL_EXPR_IMM_DREG, reg_of(reg));
	nftnl_expr_set(x, NFTNL_EXPR_IMM_DATA, p, len);
}

void nft_set_payload(struct nft_rule *r, unsigned reg, uint32_t base, uint32_t offset, uint32_t len, uint32_t csum_offset, uint32_t flags)
{
	struct nftnl_expr *x = expr(r, "payload");
	if (!x)
		return;
	nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_SREG, reg_of(reg));
	nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_LEN, len);
	nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_INET);
	nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_CSUM_OFFSET, csum_offset);
	if (flags)
		nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_FLAGS, flags);
}

void nft_dnat(struct nft_rule *r, unsigned addr_reg, unsigned port_reg)
{
	struct nftnl_expr *x = expr(r, "nat");
	if (!x)
		return;
	nftnl_expr_set_u32(x, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
	nftnl_expr_set_u32(x, NFTNL_EXPR_NAT_FAMILY, NFPROTO_IPV4);
	nftnl_expr_set_u32(x, NFTNL_EXPR_NAT_REG_ADDR_MIN, reg_of(addr_reg));
	nftnl_expr_set_u32(x, NFTNL_EXPR_NAT_REG_PROTO_MIN, reg_of(port_reg));
	nftnl_expr_set_u32(x, NFTNL_EXPR_NAT_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED);
}

void nft_masquerade(struct nft_rule *r)
{
	expr(r, "masq");
}

void nft_load_random(struct nft_rule *r, uint32_t below, unsigned reg)
{
	struct nftnl_expr *x = expr(r, "numgen");
	if (!x)
		return;
	nftnl_expr_set_u32(x, NFTNL_EXPR_NG_DREG, reg_of(reg));
	nftnl_expr_set_u32(x, NFTNL_EXPR_NG_MODULUS, below);
	nftnl_expr_set_u32(x, NFTNL_EXPR_NG_TYPE, NFT_NG_RANDOM);
	nftnl_expr_set_u32(x, NFTNL_EXPR_NG_OFFSET, 0);
}

void nft_load_hash(struct nft_rule *r, uint32_t below, unsigned of, unsigned reg)
{
	struct nftnl_expr *x = expr(r, "hash");
	if (!x)
		return;
	nftnl_expr_set_u32(x, NFTNL_EXPR_HASH_SREG, reg_of(of));
	nftnl_expr_set_u32(x, NFTNL_EXPR_HASH_DREG, reg_of(reg));
	nftnl_expr_set_u32(x, NFTNL_EXPR_HASH_LEN, 4);
	nftnl_expr_set_u32(x, NFTNL_EXPR_HASH_MODULUS, below);
	nftnl_expr_set_u32(x, NFTNL_EXPR_HASH_SEED, 1); /* the same one on every node and after a restart */
	nftnl_expr_set_u32(x, NFTNL_EXPR_HASH_TYPE, NFT_HASH_JENKINS);
}

void nft_reject(struct nft_rule *r, bool tcp)
{
	struct nftnl_expr *x = expr(r, "reject");
	if (!x)
		return;
	nftnl_expr_set_u32(x, NFTNL_EXPR_REJECT_TYPE, tcp ? NFT_REJECT_TCP_RST : NFT_REJECT_ICMPX_UNREACH);
	nftnl_expr_set_u8(x, NFTNL_EXPR_REJECT_CODE, tcp ? 0 : NFT_REJECT_ICMPX_PORT_UNREACH);
}

void nft_counter(struct nft_rule *r)
{
	expr(r, "counter");
}

void nft_verdict(struct nft_rule *r, int verdict)
{
	struct nftnl_expr *x = expr(r, "immediate");
	if (!x)
		return;
	nftnl_expr_set_u32(x, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(x, NFTNL_EXPR_IMM_VERDICT, (uint32_t)verdict);
}

/* --- shorthands */

void nft_match_ipv4(struct nft_rule *r)
{
	const uint8_t ipv4 = NFPROTO_IPV4;
	nft_load_meta(r, NFT_META_NFPROTO, 0);
	nft_cmp(r, 0, true, &ipv4, 1);
}

void nft_match_l4proto(struct nft_rule *r, uint8_t proto)
{
	nft_load_meta(r, NFT_META_L4PROTO, 0);
	nft_cmp(r, 0, true, &proto, 1);
}

static void match_name(struct nft_rule *r, uint32_t key, const char *name, bool equal)
{
	char padded[IFNAMSIZ] = { 0 };
	fmt_into(padded, sizeof padded, "%s", name);
	nft_load_meta(r, key, 0);
	nft_cmp(r, 0, equal, padded, sizeof padded);
}

void nft_match_iifname(struct nft_rule *r, const char *name, bool equal)
{
	match_name(r, NFT_META_IIFNAME, name, equal);
}

void nft_match_oifname(struct nft_rule *r, const char *name, bool equal)
{
	match_name(r, NFT_META_OIFNAME, name, equal);
}

static void match_addr(struct nft_rule *r, uint32_t offset, uint32_t addr, uint8_t len)
{
	uint32_t mask = htonl(len ? 0xffffffffu << (32 - len) : 0), want = htonl(addr) & mask;
	nft_load_payload(r, NFT_PAYLOAD_NETWORK_HEADER, offset, 4, 0);
	if (len < 32)
		nft_mask(r, 0, &mask, 4);
	nft_cmp(r, 0, true, &want, 4);
}

void nft_match_saddr(struct nft_rule *r, uint32_t addr, uint8_t len)
{
	match_addr(r, 12, addr, len);
}

void nft_match_daddr(struct nft_rule *r, uint32_t addr, uint8_t len)
{
	match_addr(r, 16, addr, len);
}

static void match_ct_bits(struct nft_rule *r, uint32_t key, uint32_t bits)
{
	const uint32_t none = 0;
	nft_load_ct(r, key, 0);
	nft_mask(r, 0, &bits, 4);
	nft_cmp(r, 0, false, &none, 4);
}

void nft_match_ct_state(struct nft_rule *r, uint32_t bits)
{
	match_ct_bits(r, NFT_CT_STATE, bits);
}

void nft_match_ct_status(struct nft_rule *r, uint32_t bits)
{
	match_ct_bits(r, NFT_CT_STATUS, bits);
}

void nft_match_local_daddr(struct nft_rule *r)
{
	const uint32_t local = RTN_LOCAL;
	nft_load_fib_type(r, false, 0);
	nft_cmp(r, 0, true, &local, 4);
}
