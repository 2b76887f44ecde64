/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as the kernel's answers: acknowledgements, links, addresses, routes. */
#include "sys/netlink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* The kernel's messages are aligned to four bytes. */
	void *p = malloc(size + 4);
	if (!p)
		return 0;
	memcpy(p, data, size);
	struct netlink_acks acks = { .first_seq = size ? data[0] : 0, .last_seq = (size ? data[0] : 0) + 3 };
	struct link_info l;
	struct addr_info a;
	struct route_info r;
	netlink_take_acks(&acks, p, size);
	link_parse(p, size, &l);
	addr_parse(p, size, &a);
	route_parse(p, size, &r);
	free(p);
	return 0;
}
