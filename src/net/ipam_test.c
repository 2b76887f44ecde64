// SPDX-License-Identifier: Apache-2.0
#include "base/test.h"
#include "net/addr.h"
#include "net/ipam.h"

static struct net_cidr cidr(const char *s)
{
	struct net_cidr c;
	CHECK_INT(net_cidr_parse(slice_of(s), &c), 0);
	return c;
}

static uint32_t addr(const char *s)
{
	uint32_t a;
	CHECK_INT(net_addr_parse(slice_of(s), &a), 0);
	return a;
}

TEST(addresses_are_parsed_strictly)
{
	static const char *const bad[] = { "", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.-1", "01.2.3.4", "1.2.3.4 ", "1..2.3", "a.b.c.d", "1.2.3.4.", "+1.2.3.4" };
	uint32_t a;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (net_addr_parse(slice_of(bad[i]), &a) == 0)
			test_fail(__FILE__, __LINE__, "\"%s\" passed", bad[i]);
	CHECK_INT(addr("172.17.0.2"), 0xac110002);
	char text[NET_CIDR_TEXT];
	net_cidr_format(text, cidr("255.255.255.255/32"));
	CHECK_STR(text, "255.255.255.255/32");
	struct net_cidr c;
	CHECK_INT(net_cidr_parse(SLICE("1.2.3.4/33"), &c), -EINVAL);
	CHECK_INT(net_cidr_parse(SLICE("1.2.3.4"), &c), -EINVAL);
}

TEST(mac_addresses)
{
	uint8_t mac[6];
	char text[NET_MAC_TEXT];
	CHECK_INT(net_mac_parse(SLICE("02:42:ac:11:00:02"), mac), 0);
	net_mac_format(text, mac);
	CHECK_STR(text, "02:42:ac:11:00:02");
	CHECK_INT(net_mac_parse(SLICE("03:42:ac:11:00:02"), mac), -EINVAL);
	CHECK_INT(net_mac_parse(SLICE("02:42:ac:11:00:0"), mac), -EINVAL);
	CHECK_INT(net_mac_parse(SLICE("02:42:ac:11:00:zz"), mac), -EINVAL);
	net_mac_of_addr(mac, addr("172.17.0.3"));
	net_mac_format(text, mac);
	CHECK_STR(text, "02:42:ac:11:00:03");
}

TEST(the_lowest_free_address_is_given_out)
{
	struct ipam m;
	uint32_t a;
	ipam_init(&m, cidr("172.17.0.0/16"), cidr("172.17.0.0/16"));
	CHECK_INT(ipam_take(&m, addr("172.17.0.1")), 0);
	CHECK_INT(ipam_take_any(&m, NULL, NULL, &a), 0);
	CHECK_INT(a, addr("172.17.0.2"));
	CHECK_INT(ipam_take_any(&m, NULL, NULL, &a), 0);
	CHECK_INT(a, addr("172.17.0.3"));
	ipam_give_back(&m, addr("172.17.0.2"));
	CHECK_INT(ipam_take_any(&m, NULL, NULL, &a), 0);
	CHECK_INT(a, addr("172.17.0.2"));
	CHECK_INT(ipam_take(&m, a), -EADDRINUSE);
	CHECK_INT(ipam_take(&m, addr("172.18.0.2")), -EINVAL);
	CHECK_INT(ipam_take(&m, addr("172.17.0.0")), -EINVAL);
	CHECK_INT(ipam_take(&m, addr("172.17.255.255")), -EINVAL);
	ipam_release(&m);
}

static bool is_two(void *arg, uint32_t a)
{
	return (a & 255) == 2;
}

TEST(a_busy_address_is_avoided_while_there_are_others)
{
	struct ipam m;
	uint32_t a;
	ipam_init(&m, cidr("10.0.0.0/30"), cidr("10.0.0.0/30"));
	CHECK_INT(ipam_take_any(&m, is_two, NULL, &a), 0);
	CHECK_INT(a, addr("10.0.0.1"));
	CHECK_INT(ipam_take_any(&m, is_two, NULL, &a), 0);
	CHECK_INT(a, addr("10.0.0.2"));
	CHECK_INT(ipam_take_any(&m, is_two, NULL, &a), -ENOSPC);
	ipam_release(&m);
}

TEST(free_choices_stay_inside_the_ip_range)
{
	struct ipam m;
	uint32_t a;
	ipam_init(&m, cidr("10.1.0.0/16"), cidr("10.1.5.0/31"));
	CHECK_INT(ipam_take_any(&m, NULL, NULL, &a), 0);
	CHECK_INT(a, addr("10.1.5.0"));
	CHECK_INT(ipam_take_any(&m, NULL, NULL, &a), 0);
	CHECK_INT(ipam_take_any(&m, NULL, NULL, &a), -ENOSPC);
	CHECK_INT(ipam_take(&m, addr("10.1.7.7")), 0);
	ipam_release(&m);
	ipam_init(&m, cidr("255.255.255.252/30"), cidr("255.255.255.252/30"));
	CHECK_INT(ipam_take_any(&m, NULL, NULL, &a), 0);
	CHECK_INT(ipam_take_any(&m, NULL, NULL, &a), 0);
	CHECK_INT(ipam_take_any(&m, NULL, NULL, &a), -ENOSPC);
	ipam_release(&m);
}

TEST(subnets_come_from_the_first_free_pool)
{
	struct net_cidr c, taken[40] = { 0 };
	size_t n = 0;
	char text[NET_CIDR_TEXT];
	CHECK_INT(ipam_choose(ipam_default_pools, ipam_n_default_pools, taken, n, &c), 0);
	net_cidr_format(text, c);
	CHECK_STR(text, "172.17.0.0/16");
	taken[n++] = cidr("172.17.8.0/24");      /* a route of the host */
	taken[n++] = cidr("172.16.0.0/15");      /* wider than a pool */
	taken[n++] = cidr("172.18.0.0/16");
	CHECK_INT(ipam_choose(ipam_default_pools, ipam_n_default_pools, taken, n, &c), 0);
	net_cidr_format(text, c);
	CHECK_STR(text, "172.19.0.0/16");
	taken[n++] = cidr("172.16.0.0/12");
	CHECK_INT(ipam_choose(ipam_default_pools, ipam_n_default_pools, taken, n, &c), 0);
	net_cidr_format(text, c);
	CHECK_STR(text, "192.168.0.0/20");
	taken[n++] = c;
	CHECK_INT(ipam_choose(ipam_default_pools, ipam_n_default_pools, taken, n, &c), 0);
	net_cidr_format(text, c);
	CHECK_STR(text, "192.168.16.0/20");
	taken[n++] = cidr("0.0.0.0/0");
	CHECK_INT(ipam_choose(ipam_default_pools, ipam_n_default_pools, taken, n, &c), -ENOSPC);
}
