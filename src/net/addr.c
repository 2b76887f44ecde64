// SPDX-License-Identifier: Apache-2.0
#include "net/addr.h"

#include <errno.h>

#include "base/num.h"

int net_addr_parse(struct slice s, uint32_t *ret)
{
	uint32_t addr = 0;
	struct slice part;
	for (int i = 0; i < 4; i++) {
		uint64_t n;
		if (!slice_next(&s, '.', &part) || (part.len > 1 && part.ptr[0] == '0') || num_parse_u64(part, 255, &n) < 0)
			return -EINVAL;
		addr = addr << 8 | (uint32_t)n;
	}
	if (s.ptr)
		return -EINVAL;
	*ret = addr;
	return 0;
}

void net_addr_format(char *dst, uint32_t a)
{
	fmt_into(dst, NET_ADDR_TEXT, "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
}

int net_cidr_parse(struct slice s, struct net_cidr *ret)
{
	struct slice addr, len;
	uint64_t n;
	struct net_cidr c;
	if (!slice_cut(s, '/', &addr, &len) || (len.len > 1 && len.ptr[0] == '0') || num_parse_u64(len, 32, &n) < 0 || net_addr_parse(addr, &c.addr) < 0)
		return -EINVAL;
	c.len = (uint8_t)n;
	*ret = c;
	return 0;
}

void net_cidr_format(char *dst, struct net_cidr c)
{
	char addr[NET_ADDR_TEXT];
	net_addr_format(addr, c.addr);
	fmt_into(dst, NET_CIDR_TEXT, "%s/%u", addr, c.len);
}

int net_mac_parse(struct slice s, uint8_t ret[6])
{
	uint8_t mac[6];
	if (s.len != 17)
		return -EINVAL;
	for (unsigned i = 0; i < 6; i++) {
		uint64_t n;
		if ((i && s.ptr[3 * i - 1] != ':' && s.ptr[3 * i - 1] != '-') || num_parse_base(slice_n(s.ptr + 3 * i, 2), 16, 255, &n) < 0)
			return -EINVAL;
		mac[i] = (uint8_t)n;
	}
	if (mac[0] & 1)
		return -EINVAL;
	memcpy(ret, mac, 6);
	return 0;
}

void net_mac_format(char *dst, const uint8_t m[6])
{
	fmt_into(dst, NET_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
}

void net_mac_of_addr(uint8_t mac[6], uint32_t addr)
{
	const uint8_t m[6] = { 0x02, 0x42, (uint8_t)(addr >> 24), (uint8_t)(addr >> 16), (uint8_t)(addr >> 8), (uint8_t)addr };
	memcpy(mac, m, 6);
}

int net_cidr_read(const char *text, struct net_cidr *ret)
{
	int r = net_cidr_parse(slice_of(text), ret);
	if (r == 0)
		ret->addr &= net_mask(ret->len);
	return r;
}
