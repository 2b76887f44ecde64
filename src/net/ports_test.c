// SPDX-License-Identifier: Apache-2.0
#include "base/test.h"
#include "net/ports.h"

#include <errno.h>

TEST(all_addresses_conflict_with_each_one)
{
	struct ports p;
	ports_init(&p);
	CHECK_INT(ports_take(&p, NET_TCP, 0x7f000001, 80), 0);
	CHECK_INT(ports_take(&p, NET_TCP, 0x0a000001, 80), 0);
	CHECK_INT(ports_take(&p, NET_TCP, 0x7f000001, 80), -EADDRINUSE);
	CHECK_INT(ports_take(&p, NET_TCP, 0, 80), -EADDRINUSE);
	CHECK_INT(ports_take(&p, NET_UDP, 0, 80), 0);
	CHECK_INT(ports_take(&p, NET_UDP, 0x7f000001, 80), -EADDRINUSE);
	ports_give_back(&p, NET_TCP, 0x7f000001, 80);
	ports_give_back(&p, NET_TCP, 0x0a000001, 80);
	CHECK_INT(ports_take(&p, NET_TCP, 0, 80), 0);
	ports_release(&p);
}

TEST(random_ports_go_on_behind_the_last_one)
{
	struct ports p;
	uint16_t port;
	ports_init(&p);
	CHECK_INT(ports_choose(&p, NET_TCP, 0, 0, 0, NULL, NULL, &port), 0);
	CHECK_INT(port, 32768);
	ports_give_back(&p, NET_TCP, 0, port);
	CHECK_INT(ports_choose(&p, NET_TCP, 0, 0, 0, NULL, NULL, &port), 0);
	CHECK_INT(port, 32769);
	p.next[NET_TCP] = NET_PORT_LAST;
	CHECK_INT(ports_choose(&p, NET_TCP, 0, 0, 0, NULL, NULL, &port), 0);
	CHECK_INT(port, NET_PORT_LAST);
	CHECK_INT(ports_choose(&p, NET_TCP, 0, 0, 0, NULL, NULL, &port), 0);
	CHECK_INT(port, 32768);
	ports_release(&p);
}

static int odd_only(void *arg, uint16_t port)
{
	return port % 2 ? 0 : -EADDRINUSE;
}

TEST(a_range_gives_its_first_usable_port)
{
	struct ports p;
	uint16_t port;
	ports_init(&p);
	CHECK_INT(ports_choose(&p, NET_TCP, 0, 8000, 8003, odd_only, NULL, &port), 0);
	CHECK_INT(port, 8001);
	CHECK_INT(ports_choose(&p, NET_TCP, 0, 8000, 8003, odd_only, NULL, &port), 0);
	CHECK_INT(port, 8003);
	CHECK_INT(ports_choose(&p, NET_TCP, 0, 8000, 8003, odd_only, NULL, &port), -EADDRINUSE);
	CHECK_INT(ports_choose(&p, NET_TCP, 0, 65535, 65535, NULL, NULL, &port), 0);
	ports_release(&p);
}
