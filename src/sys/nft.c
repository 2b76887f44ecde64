// SPDX-License-Identifier: Apache-2.0
/*
 * Batches and objects of nftables; expressions of rules are in nft_rule.c.
 * The wire format is libnftnl's business; what is ours is that a batch has one
 * acknowledgement, on its last message, however long it is.
 */
#include "sys/nft.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <netinet/in.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "sys/netlink_int.h"
#include "sys/nft_int.h"

enum { BATCH_START_BYTES = 8192, BATCH_MOST_BYTES = 4 * 1024 * 1024, FIRST_SEQ = 1 };

void nft_batch_init(struct nft_batch *b)
{
	*b = (struct nft_batch){ .error = 0 };
}

void nft_batch_release(struct nft_batch *b)
{
	free(b->ptr);
	*b = (struct nft_batch){ .trace = b->trace };
}

/* Room for one more message, NULL when the batch has failed. */
static char *batch_room(struct nft_batch *b)
{
	if (b->error)
		return NULL;
	if (b->cap - b->len < NFT_MESSAGE_MAX) {
		size_t cap = b->cap ? b->cap * 2 : BATCH_START_BYTES;
		char *p = cap <= BATCH_MOST_BYTES ? realloc(b->ptr, cap) : NULL;
		if (!p) {
			b->error = cap <= BATCH_MOST_BYTES ? -ENOMEM : -E2BIG;
			return NULL;
		}
		b->ptr = p;
		b->cap = cap;
	}
	return b->ptr + b->len;
}

static void batch_took(struct nft_batch *b, const struct nlmsghdr *h)
{
	b->len += MNL_ALIGN(h->nlmsg_len);
	b->n++;
}

struct nlmsghdr *nft_message(struct nft_batch *b, uint16_t type, enum nft_family f, uint16_t flags)
{
	if (b->n == 0) {
		char *room = batch_room(b);
		if (!room)
			return NULL;
		batch_took(b, nftnl_batch_begin(room, FIRST_SEQ));
	}
	char *room = batch_room(b);
	return room ? nftnl_nlmsg_build_hdr(room, type, (uint16_t)f, flags, FIRST_SEQ + b->n) : NULL;
}

void nft_message_end(struct nft_batch *b, struct nlmsghdr *h)
{
	batch_took(b, h);
}

void nft_trace(struct nft_batch *b, const char *what, const char *text)
{
	if (b->trace)
		buf_addf(b->trace, "%s %s\n", what, text);
}

int nft_batch_commit(struct nft_batch *b, struct err *e)
{
	AUTO(netlink) struct netlink nl = NETLINK_CLOSED;
	return nft_batch_commit_on(&nl, b, e);
}

int nft_batch_commit_on(struct netlink *nl, struct nft_batch *b, struct err *e)
{
	if (b->error)
		return err_sys(e, b->error, "build nftables batch");
	if (b->n == 0)
		return 0;
	/* The last message asks for the acknowledgement. */
	struct nlmsghdr *h = (void *)b->ptr, *last = h;
	for (size_t at = 0; at < b->len; at += MNL_ALIGN(h->nlmsg_len)) {
		h = (void *)(b->ptr + at);
		last = h;
	}
	last->nlmsg_flags |= NLM_F_ACK;
	uint32_t last_seq = last->nlmsg_seq;
	char *room = batch_room(b);
	if (!room)
		return err_sys(e, b->error, "build nftables batch");
	batch_took(b, nftnl_batch_end(room, last_seq + 1));
	int r = nl->fd >= 0 ? 0 : netlink_open(NETLINK_NETFILTER, nl);
	if (r < 0)
		err_sys(e, r, "open an nftables socket");
	else
		r = netlink_exchange(nl, b->ptr, b->len, FIRST_SEQ, last_seq, NULL, e);
	/* Answers to the rest of a refused batch would be taken for those of the next. */
	if (r < 0)
		netlink_close(nl);
	b->len = 0;
	b->n = 0;
	return r;
}

/* --- tables and chains */

static void put_table(struct nft_batch *b, uint16_t type, uint16_t flags, enum nft_family f, const char *table)
{
	struct nlmsghdr *h = nft_message(b, type, f, flags);
	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, table);
	nft_message_end(b, h);
	nft_trace(b, type == NFT_MSG_NEWTABLE ? "add table" : "delete table", table);
}

void nft_table_add(struct nft_batch *b, enum nft_family f, const char *table)
{
	put_table(b, NFT_MSG_NEWTABLE, NLM_F_CREATE, f, table);
}

void nft_table_del(struct nft_batch *b, enum nft_family f, const char *table)
{
	put_table(b, NFT_MSG_DELTABLE, 0, f, table);
}

void nft_chain_add(struct nft_batch *b, enum nft_family f, const char *table, const struct nft_chain *c)
{
	struct nlmsghdr *h = nft_message(b, NFT_MSG_NEWCHAIN, f, NLM_F_CREATE);
	struct nftnl_chain *x = h ? nftnl_chain_alloc() : NULL;
	if (!x) {
		b->error = b->error ? b->error : -ENOMEM;
		return;
	}
	nftnl_chain_set_str(x, NFTNL_CHAIN_TABLE, table);
	nftnl_chain_set_str(x, NFTNL_CHAIN_NAME, c->name);
	if (c->type) {
		nftnl_chain_set_str(x, NFTNL_CHAIN_TYPE, c->type);
		nftnl_chain_set_u32(x, NFTNL_CHAIN_HOOKNUM, c->hook);
		nftnl_chain_set_s32(x, NFTNL_CHAIN_PRIO, c->priority);
		nftnl_chain_set_u32(x, NFTNL_CHAIN_POLICY, c->policy_drop ? NF_DROP : NF_ACCEPT);
	}
	nftnl_chain_nlmsg_build_payload(h, x);
	nftnl_chain_free(x);
	nft_message_end(b, h);
	nft_trace(b, "add chain", c->name);
}

void nft_chain_flush(struct nft_batch *b, enum nft_family f, const char *table, const char *chain)
{
	struct nlmsghdr *h = nft_message(b, NFT_MSG_DELRULE, f, 0);
	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_RULE_TABLE, table);
	mnl_attr_put_strz(h, NFTA_RULE_CHAIN, chain);
	nft_message_end(b, h);
	nft_trace(b, "flush chain", chain);
}

/* --- sets and elements */

/* nft(8) packs the types of a concatenation, six bits each, first part highest; every part is padded to four bytes. */
static void pack_types(const enum nft_type *parts, uint32_t *type, uint32_t *len)
{
	unsigned n = 0;
	*type = 0;
	*len = 0;
	for (; n < NFT_KEY_PARTS && parts[n]; n++) {
		uint32_t one = parts[n] == NFT_TYPE_ADDR || parts[n] == NFT_TYPE_MARK ? 4 : parts[n] == NFT_TYPE_PORT ? 2 : parts[n] == NFT_TYPE_PROTO ? 1 : 16;
		*type = *type << 6 | parts[n];
		*len += (one + 3) & ~3u;
		if (n == 0 && !parts[1])
			*len = one;
	}
}

void nft_set_add(struct nft_batch *b, enum nft_family f, const char *table, const struct nft_set *s)
{
	struct nlmsghdr *h = nft_message(b, NFT_MSG_NEWSET, f, NLM_F_CREATE);
	struct nftnl_set *x = h ? nftnl_set_alloc() : NULL;
	if (!x) {
		b->error = b->error ? b->error : -ENOMEM;
		return;
	}
	uint32_t type, len;
	pack_types(s->key, &type, &len);
	nftnl_set_set_str(x, NFTNL_SET_TABLE, table);
	nftnl_set_set_str(x, NFTNL_SET_NAME, s->name);
	nftnl_set_set_u32(x, NFTNL_SET_ID, ++b->set_id);
	nftnl_set_set_u32(x, NFTNL_SET_KEY_TYPE, type);
	nftnl_set_set_u32(x, NFTNL_SET_KEY_LEN, len);
	if (s->data[0]) {
		pack_types(s->data, &type, &len);
		nftnl_set_set_u32(x, NFTNL_SET_FLAGS, NFT_SET_MAP);
		nftnl_set_set_u32(x, NFTNL_SET_DATA_TYPE, type);
		nftnl_set_set_u32(x, NFTNL_SET_DATA_LEN, len);
	}
	/* Names are strings in host order; without this nft(8) prints them empty. */
	struct nftnl_udata_buf *u = s->key[0] == NFT_TYPE_IFNAME ? nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN) : NULL;
	if (u) {
		nftnl_udata_put_u32(u, NFTNL_UDATA_SET_KEYBYTEORDER, 1);
		nftnl_set_set_data(x, NFTNL_SET_USERDATA, nftnl_udata_buf_data(u), nftnl_udata_buf_len(u));
		nftnl_udata_buf_free(u);
	}
	nftnl_set_nlmsg_build_payload(h, x);
	nftnl_set_free(x);
	nft_message_end(b, h);
	nft_trace(b, s->data[0] ? "add map" : "add set", s->name);
}

void nft_set_flush(struct nft_batch *b, enum nft_family f, const char *table, const char *set)
{
	struct nlmsghdr *h = nft_message(b, NFT_MSG_DELSETELEM, f, 0);
	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, table);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, set);
	nft_message_end(b, h);
	nft_trace(b, "flush set", set);
}

void nft_element(struct nft_batch *b, enum nft_family f, const char *table, const char *set, bool add, struct slice key, struct slice data)
{
	struct nlmsghdr *h = nft_message(b, add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM, f, add ? NLM_F_CREATE : 0);
	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, table);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, set);
	struct nlattr *list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
	struct nlattr *one = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	struct nlattr *k = mnl_attr_nest_start(h, NFTA_SET_ELEM_KEY);
	mnl_attr_put(h, NFTA_DATA_VALUE, key.len, key.ptr);
	mnl_attr_nest_end(h, k);
	if (data.len && add) {
		struct nlattr *d = mnl_attr_nest_start(h, NFTA_SET_ELEM_DATA);
		mnl_attr_put(h, NFTA_DATA_VALUE, data.len, data.ptr);
		mnl_attr_nest_end(h, d);
	}
	mnl_attr_nest_end(h, one);
	mnl_attr_nest_end(h, list);
	nft_message_end(b, h);
	if (b->trace) {
		buf_addf(b->trace, "%s element %s ", add ? "add" : "delete", set);
		for (size_t i = 0; i < key.len; i++)
			buf_addf(b->trace, "%02x", (unsigned char)key.ptr[i]);
		for (size_t i = 0; i < data.len; i++)
			buf_addf(b->trace, "%s%02x", i ? "" : " : ", (unsigned char)data.ptr[i]);
		buf_addc(b->trace, '\n');
	}
}

/* --- asking */

struct walk { int (*visit)(const struct nlmsghdr *h, struct walk *w); void *fn, *arg; const char *set; };

static int walk_one(void *arg, const void *msg, size_t n)
{
	struct walk *w = arg;
	return w->visit(msg, w);
}

/* Dumps with the given attributes (NULL ends) put behind the header. */
static int dump(uint16_t type, enum nft_family f, const uint16_t *attrs, const char *const *values, struct walk *w)
{
	AUTO(netlink) struct netlink nl = NETLINK_CLOSED;
	int r = netlink_open(NETLINK_NETFILTER, &nl);
	if (r < 0)
		return r;
	char room[1024];
	struct nlmsghdr *h = nftnl_nlmsg_build_hdr(room, type, (uint16_t)f, NLM_F_DUMP, 0);
	for (unsigned i = 0; values && values[i]; i++) {
		if (strlen(values[i]) > 255)
			return -EINVAL;
		mnl_attr_put_strz(h, attrs[i], values[i]);
	}
	return netlink_dump(&nl, h, walk_one, w);
}

static int visit_chain(const struct nlmsghdr *h, struct walk *w)
{
	struct nftnl_chain *c = nftnl_chain_alloc();
	if (!c)
		return -ENOMEM;
	int r = 0;
	if (nftnl_chain_nlmsg_parse(h, c) == 0 && nftnl_chain_is_set(c, NFTNL_CHAIN_HOOKNUM)) {
		int (*fn)(void *, const struct nft_chain_info *) = w->fn;
		const char *type = nftnl_chain_get_str(c, NFTNL_CHAIN_TYPE);
		r = fn(w->arg, &(struct nft_chain_info){
			.family = nftnl_chain_get_u32(c, NFTNL_CHAIN_FAMILY), .table = nftnl_chain_get_str(c, NFTNL_CHAIN_TABLE),
			.name = nftnl_chain_get_str(c, NFTNL_CHAIN_NAME), .type = type ? type : "", .hook = nftnl_chain_get_u32(c, NFTNL_CHAIN_HOOKNUM),
			.priority = nftnl_chain_get_s32(c, NFTNL_CHAIN_PRIO), .policy_drop = nftnl_chain_is_set(c, NFTNL_CHAIN_POLICY) &&
				nftnl_chain_get_u32(c, NFTNL_CHAIN_POLICY) == NF_DROP });
	}
	nftnl_chain_free(c);
	return r;
}

int nft_chain_each(int (*fn)(void *, const struct nft_chain_info *), void *arg)
{
	struct walk w = { visit_chain, fn, arg, NULL };
	return dump(NFT_MSG_GETCHAIN, (enum nft_family)NFPROTO_UNSPEC, NULL, NULL, &w);
}

static int take_comment(const struct nftnl_udata *u, void *arg)
{
	if (nftnl_udata_type(u) == NFTNL_UDATA_RULE_COMMENT && nftnl_udata_len(u) > 0 &&
	    ((const char *)nftnl_udata_get(u))[nftnl_udata_len(u) - 1] == 0)
		*(const char **)arg = nftnl_udata_get(u);
	return 0;
}

static int visit_rule(const struct nlmsghdr *h, struct walk *w)
{
	struct nftnl_rule *x = nftnl_rule_alloc();
	if (!x)
		return -ENOMEM;
	int r = 0;
	if (nftnl_rule_nlmsg_parse(h, x) == 0) {
		const char *comment = "";
		uint32_t n = 0;
		const void *udata = nftnl_rule_is_set(x, NFTNL_RULE_USERDATA) ? nftnl_rule_get_data(x, NFTNL_RULE_USERDATA, &n) : NULL;
		if (udata)
			nftnl_udata_parse(udata, n, take_comment, &comment);
		int (*fn)(void *, uint64_t, const char *) = w->fn;
		r = fn(w->arg, nftnl_rule_get_u64(x, NFTNL_RULE_HANDLE), comment);
	}
	nftnl_rule_free(x);
	return r;
}

int nft_rule_each(enum nft_family f, const char *table, const char *chain, int (*fn)(void *, uint64_t, const char *), void *arg)
{
	struct walk w = { visit_rule, fn, arg, NULL };
	const uint16_t attrs[] = { NFTA_RULE_TABLE, NFTA_RULE_CHAIN };
	return dump(NFT_MSG_GETRULE, f, attrs, (const char *[]){ table, chain, NULL }, &w);
}

void nft_rule_del(struct nft_batch *b, enum nft_family f, const char *table, const char *chain, uint64_t handle)
{
	struct nlmsghdr *h = nft_message(b, NFT_MSG_DELRULE, f, 0);
	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_RULE_TABLE, table);
	mnl_attr_put_strz(h, NFTA_RULE_CHAIN, chain);
	mnl_attr_put_u64(h, NFTA_RULE_HANDLE, htobe64(handle));
	nft_message_end(b, h);
	nft_trace(b, "delete rule", chain);
}

static int visit_elements(const struct nlmsghdr *h, struct walk *w)
{
	struct nftnl_set *s = nftnl_set_alloc();
	if (!s)
		return -ENOMEM;
	int r = 0;
	struct nftnl_set_elems_iter *it = nftnl_set_elems_nlmsg_parse(h, s) == 0 ? nftnl_set_elems_iter_create(s) : NULL;
	for (struct nftnl_set_elem *x; it && r == 0 && (x = nftnl_set_elems_iter_next(it));) {
		uint32_t k = 0, d = 0;
		const void *key = nftnl_set_elem_get(x, NFTNL_SET_ELEM_KEY, &k);
		const void *data = nftnl_set_elem_is_set(x, NFTNL_SET_ELEM_DATA) ? nftnl_set_elem_get(x, NFTNL_SET_ELEM_DATA, &d) : NULL;
		int (*fn)(void *, struct slice, struct slice) = w->fn;
		r = fn(w->arg, slice_n(key, k), slice_n(data, d));
	}
	if (it)
		nftnl_set_elems_iter_destroy(it);
	nftnl_set_free(s);
	return r;
}

int nft_element_each(enum nft_family f, const char *table, const char *set, int (*fn)(void *, struct slice, struct slice), void *arg)
{
	struct walk w = { visit_elements, fn, arg, set };
	const uint16_t attrs[] = { NFTA_SET_ELEM_LIST_TABLE, NFTA_SET_ELEM_LIST_SET };
	return dump(NFT_MSG_GETSETELEM, f, attrs, (const char *[]){ table, set, NULL }, &w);
}
