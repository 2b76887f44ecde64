// SPDX-License-Identifier: Apache-2.0
#include "dns/message.h"

#include <errno.h>

#include "base/auto.h"
#include "base/test.h"
#include "dns/server.h"

#define QUERY(labels, type) "\x12\x67\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" labels "\0\0" type "\0\1"
static const char web[] = QUERY("\3Web\4Mine", "\1");

TEST(a_query_is_read_and_its_name_lowered)
{
	struct dns_query q;
	CHECK_INT(dns_query_parse(web, sizeof web - 1, &q), 0);
	CHECK_STR(q.name, "web.mine");
	CHECK(q.is_query && q.recursion && q.is_plain);
	CHECK_INT(q.type, DNS_TYPE_A);
	CHECK_INT(q.id, 0x1267);
	CHECK_INT(q.udp_room, 512);
	CHECK_INT(q.question_end, sizeof web - 1);
}

TEST(broken_queries_are_refused_or_marked)
{
	struct dns_query q;
	CHECK_INT(dns_query_parse(web, 11, &q), -EBADMSG);
	CHECK_INT(dns_query_parse(web, 20, &q), 0);
	CHECK(!q.is_query);
	char answer[sizeof web];
	memcpy(answer, web, sizeof web);
	answer[2] |= (char)0x80;
	CHECK_INT(dns_query_parse(answer, sizeof web - 1, &q), -EBADMSG);
	static const char loop[] = "\x12\x67\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\0\1\0\1";
	CHECK_INT(dns_query_parse(loop, sizeof loop - 1, &q), 0);
	CHECK(!q.is_query);
	static const char odd[] = QUERY("\3a.b", "\1");
	CHECK_INT(dns_query_parse(odd, sizeof odd - 1, &q), 0);
	CHECK(q.is_query && !q.is_plain);
}

TEST(an_answer_belongs_to_its_query)
{
	AUTO(buf) struct buf out = BUF_INIT(4096);
	struct dns_query q;
	unsigned rcode;
	bool cut;
	dns_query_parse(web, sizeof web - 1, &q);
	CHECK_INT(dns_answer(&out, web, &q, DNS_OK, (uint32_t[]){ 0xac110002 }, 1, NULL, q.udp_room), 0);
	CHECK(!memcmp(out.ptr + out.len - 4, "\xac\x11\0\2", 4));
	CHECK(dns_reply_matches(out.ptr, out.len, web, &q, &rcode, &cut));
	CHECK_INT(rcode, 0);
	CHECK(!cut);
	out.ptr[14] ^= 1;       /* another name */
	CHECK(!dns_reply_matches(out.ptr, out.len, web, &q, &rcode, &cut));
	out.ptr[14] ^= 1;
	out.ptr[0] ^= 1;        /* another id */
	CHECK(!dns_reply_matches(out.ptr, out.len, web, &q, &rcode, &cut));
}

TEST(an_answer_that_is_too_long_for_a_datagram_says_so)
{
	AUTO(buf) struct buf out = BUF_INIT(8192);
	struct dns_query q;
	unsigned rcode;
	bool cut;
	uint32_t addrs[100] = { 0 };
	dns_query_parse(web, sizeof web - 1, &q);
	CHECK_INT(dns_answer(&out, web, &q, DNS_OK, addrs, 100, NULL, q.udp_room), 0);
	CHECK(out.len <= 512);
	CHECK(dns_reply_matches(out.ptr, out.len, web, &q, &rcode, &cut));
	CHECK(cut);
}

TEST(reverse_names)
{
	uint32_t a;
	CHECK(dns_reverse_addr("2.0.17.172.in-addr.arpa", &a));
	CHECK_INT(a, 0xac110002);
	CHECK(!dns_reverse_addr("17.172.in-addr.arpa", &a));
	CHECK(!dns_reverse_addr("1.2.0.17.172.in-addr.arpa", &a));
	CHECK(!dns_reverse_addr("x.0.17.172.in-addr.arpa", &a));
	CHECK(!dns_reverse_addr("in-addr.arpa", &a));
}

TEST(upstream_servers_of_resolv_conf)
{
	struct dns_upstream v[3];
	CHECK_INT(dns_upstreams(SLICE("# no\nnameserver 10.0.0.1\n nameserver\t::1 # c\nnameserver\nnameservers 1.1.1.1\nsearch x\nnameserver 127.0.0.53"), v, 3), 3);
	CHECK_STR(v[0].addr, "10.0.0.1");
	CHECK_STR(v[1].addr, "::1");
	CHECK_STR(v[2].addr, "127.0.0.53");
}
