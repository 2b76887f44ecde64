/* SPDX-License-Identifier: Apache-2.0 */
/* A query from a container, the same bytes as an upstream's reply to it, and a resolv.conf. */
#include "base/auto.h"
#include "dns/message.h"
#include "dns/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_query q;
	if (dns_query_parse(data, size, &q) == 0) {
		static const uint32_t addrs[40] = { 0x0a000001 };
		AUTO(buf) struct buf out = BUF_INIT(DNS_MESSAGE_MAX);
		uint32_t addr;
		bool cut;
		unsigned rcode;
		dns_answer(&out, data, &q, DNS_OK, addrs, size % 40, NULL, q.udp_room);
		if (out.len > q.udp_room && out.len > q.question_end)
			abort();
		if (!dns_reply_matches(out.ptr, out.len, data, &q, &rcode, &cut) && q.question_end > 12)
			abort();
		dns_reverse_addr(q.name, &addr);
		buf_reset(&out);
		dns_answer(&out, data, &q, DNS_OK, NULL, 0, q.name, DNS_MESSAGE_MAX);
		/* any bytes behind the header as an upstream's reply */
		if (size > 24)
			dns_reply_matches(data + 12, size - 12, data, &q, &rcode, &cut);
	}
	struct dns_upstream v[3];
	dns_upstreams(slice_n(data, size), v, 3);
	return 0;
}
