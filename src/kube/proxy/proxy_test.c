/* SPDX-License-Identifier: Apache-2.0 */
#include <netinet/in.h>
#include <string.h>

#include "base/auto.h"
#include "base/test.h"
#include "kube/proxy/proxy_int.h"

static unsigned count(const struct buf *text, const char *what)
{
	unsigned n = 0;
	for (const char *p = text->ptr; (p = strstr(p, what)); p += strlen(what))
		n++;
	return n;
}

static const uint32_t vip[] = { 0x0a600005 };
static const struct proxy_endpoint two[] = { { 0x0af40002, 8080 }, { 0x0af40003, 8080 } };

TEST(the_service_table_is_replaced_in_one_batch)
{
	AUTO(buf) struct buf text = BUF_INIT(256 * 1024);
	AUTO(nft_batch) struct nft_batch b;
	nft_batch_init(&b);
	b.trace = &text;
	proxy_rules_base(&b, "t");
	CHECK_INT(b.error, 0);
	CHECK(slice_starts(buf_slice(&text), "add table t\ndelete table t\nadd table t\n"));
	CHECK_INT(count(&text, "add map"), 28);
	CHECK_INT(count(&text, "add set"), 2);
	CHECK_INT(count(&text, "add chain"), 5);
	CHECK_INT(count(&text, "add rule") + count(&text, "insert rule"), 56 + 12);
}

TEST(every_endpoint_has_its_share_of_slots)
{
	for (size_t n = 1; n <= 1020; n++) {
		uint32_t slots = proxy_slots[proxy_class(n)];
		CHECK(slots >= n);
		/* the luckiest endpoint against an even share */
		double most = (double)(slots / n + (slots % n > 0)) / slots * (double)n;
		CHECK(most <= (n <= 127 ? 1.13 : 2.0));
	}
	CHECK_INT(proxy_slots[proxy_class(1)], 1);
	CHECK_INT(proxy_slots[proxy_class(4)], 12);
	CHECK_INT(proxy_slots[proxy_class(5)], 60);
}

TEST(only_what_changed_goes_to_the_kernel)
{
	AUTO(buf) struct buf text = BUF_INIT(64 * 1024);
	AUTO(nft_batch) struct nft_batch b;
	struct proxy_table is, should;
	struct proxy_port p = { IPPROTO_TCP, 80, 30123, vip, 1, two, two, 2, 2, NULL, 0, false };
	nft_batch_init(&b);
	b.trace = &text;
	proxy_table_init(&is);
	proxy_table_init(&should);
	CHECK(proxy_table_add(&is, &p) == 0);
	p.n_node = 1;
	CHECK(proxy_table_add(&should, &p) == 0);
	proxy_rules_change(&b, "t", NULL, &is);
	CHECK_STR(text.ptr,
		"add element cluster_2 0a600005060000000050000000000000 : 0af400021f900000\n"
		"add element cluster_2 0a600005060000000050000001000000 : 0af400031f900000\n"
		"add element node_2 0600000075ab000000000000 : 0af400021f900000\n"
		"add element node_2 0600000075ab000001000000 : 0af400031f900000\n");
	buf_reset(&text);
	proxy_rules_change(&b, "t", &is, &should);
	CHECK_STR(text.ptr,
		"delete element node_2 0600000075ab000000000000 : 0af400021f900000\n"
		"delete element node_2 0600000075ab000001000000 : 0af400031f900000\n"
		"add element node_1 0600000075ab000000000000 : 0af400021f900000\n");
	proxy_table_release(&is);
	proxy_table_release(&should);
}

TEST(a_service_without_endpoints_is_refused)
{
	AUTO(buf) struct buf text = BUF_INIT(64 * 1024);
	AUTO(nft_batch) struct nft_batch b;
	struct proxy_table should;
	struct proxy_port p = { IPPROTO_UDP, 53, 0, vip, 1, NULL, NULL, 0, 0, NULL, 0, false };
	nft_batch_init(&b);
	b.trace = &text;
	proxy_table_init(&should);
	CHECK(proxy_table_add(&should, &p) == 0);
	proxy_rules_change(&b, "t", NULL, &should);
	CHECK_STR(text.ptr, "add element cluster_none 0a6000051100000000350000\n");
	proxy_table_release(&should);
}
