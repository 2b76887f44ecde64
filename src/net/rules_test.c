// SPDX-License-Identifier: Apache-2.0
#include "base/auto.h"
#include "base/test.h"
#include "net/rules.h"

static unsigned count(const struct buf *text, const char *what)
{
	unsigned n = 0;
	for (const char *p = text->ptr; (p = strstr(p, what)); p += strlen(what))
		n++;
	return n;
}

TEST(the_base_table_is_replaced_in_one_batch)
{
	AUTO(buf) struct buf text = BUF_INIT(64 * 1024);
	AUTO(nft_batch) struct nft_batch b;
	nft_batch_init(&b);
	b.trace = &text;
	rules_base(&b, "t", (struct net_cidr){ 0x0af40000, 16 });
	CHECK_INT(b.error, 0);
	CHECK(slice_starts(buf_slice(&text), "add table t\ndelete table t\nadd table t\n"));
	CHECK_INT(count(&text, "add chain"), 5);
	CHECK_INT(count(&text, "add set"), 7);
	CHECK_INT(count(&text, "add map"), 2);
	CHECK_INT(count(&text, "add rule"), 19);
	CHECK_INT(count(&text, "masq"), 4 + 1 + 1);     /* four rules, the set and its use */
}

TEST(a_published_port_is_one_element)
{
	AUTO(buf) struct buf text = BUF_INIT(4096);
	AUTO(nft_batch) struct nft_batch b;
	nft_batch_init(&b);
	b.trace = &text;
	rules_port(&b, "t", &(struct rules_port){ NET_TCP, 0, 8080, 0xac110002, 80 }, true);
	rules_port(&b, "t", &(struct rules_port){ NET_UDP, 0x7f000001, 53, 0xac110002, 5353 }, false);
	CHECK_STR(text.ptr, "add element dnat_any 060000001f900000 : ac11000200500000\n"
		"delete element dnat_addr 7f0000011100000000350000 : ac11000214e90000\n");
}

TEST(an_internal_network_is_not_masqueraded)
{
	AUTO(buf) struct buf text = BUF_INIT(8192);
	AUTO(nft_batch) struct nft_batch b;
	nft_batch_init(&b);
	b.trace = &text;
	rules_network(&b, "t", &(struct rules_network){ "br0", .masquerade = true, .icc = false, .internal = true }, true);
	CHECK_INT(count(&text, "element bridges"), 1);
	CHECK_INT(count(&text, "element internal"), 1);
	CHECK_INT(count(&text, "element masq"), 0);
	CHECK_INT(count(&text, "element icc"), 0);
}

TEST(an_open_network_is_entered_from_anywhere)
{
	AUTO(buf) struct buf text = BUF_INIT(8192);
	AUTO(nft_batch) struct nft_batch b;
	nft_batch_init(&b);
	b.trace = &text;
	rules_network(&b, "t", &(struct rules_network){ "br0", .masquerade = true, .open = true }, true);
	CHECK_INT(count(&text, "element open"), 1);
	CHECK_INT(count(&text, "element pairs"), 0);
	CHECK_INT(count(&text, "element masq"), 1);
}
