// SPDX-License-Identifier: Apache-2.0
#include "net/ipam.h"

#include <errno.h>

#include "net/addr.h"

const struct ipam_pool ipam_default_pools[] = {
	{ { 0xac110000, 16 }, 16 },     /* 172.17.0.0/16 */
	{ { 0xac120000, 15 }, 16 },     /* 172.18.0.0 … 172.19.255.255 */
	{ { 0xac140000, 14 }, 16 },     /* 172.20 … 172.23 */
	{ { 0xac180000, 13 }, 16 },     /* 172.24 … 172.31 */
	{ { 0xc0a80000, 16 }, 20 },     /* 192.168.0.0/16 in pieces of /20 */
};
const size_t ipam_n_default_pools = ARRAY_LEN(ipam_default_pools);

void ipam_init(struct ipam *m, struct net_cidr subnet, struct net_cidr range)
{
	*m = (struct ipam){ .subnet = subnet, .range = range };
	m->subnet.addr &= net_mask(subnet.len);
	m->range.addr &= net_mask(range.len);
}

void ipam_release(struct ipam *m)
{
	vec_release(&m->used);
}

/* Position of addr, or where it belongs. */
static size_t position(const struct ipam *m, uint32_t addr)
{
	size_t lo = 0, hi = m->used.n;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (m->used.v[mid] < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool ipam_has(const struct ipam *m, uint32_t addr)
{
	size_t at = position(m, addr);
	return at < m->used.n && m->used.v[at] == addr;
}

/* The network and broadcast addresses are nobody's; a /31 and a /32 have neither. */
static bool usable(const struct ipam *m, uint32_t addr)
{
	uint32_t host = addr & ~net_mask(m->subnet.len);
	return net_cidr_has(m->subnet, addr) && (m->subnet.len >= 31 || (host != 0 && host != ~net_mask(m->subnet.len)));
}

int ipam_take(struct ipam *m, uint32_t addr)
{
	if (!usable(m, addr))
		return -EINVAL;
	size_t at = position(m, addr);
	if (at < m->used.n && m->used.v[at] == addr)
		return -EADDRINUSE;
	if (vec_reserve(&m->used, 1) < 0)
		return -ENOMEM;
	memmove(m->used.v + at + 1, m->used.v + at, (m->used.n - at) * sizeof *m->used.v);
	m->used.v[at] = addr;
	m->used.n++;
	return 0;
}

int ipam_take_any(struct ipam *m, bool (*busy)(void *, uint32_t), void *arg, uint32_t *ret)
{
	enum { BUSY_LOOKED_AT = 1024 };
	uint64_t first = m->range.addr, last = m->range.addr | (uint32_t)~net_mask(m->range.len);
	size_t at = position(m, (uint32_t)first);
	uint64_t found_busy = UINT64_MAX;
	unsigned n_busy = 0;
	for (uint64_t a = first; a <= last; a++) {
		if (at < m->used.n && m->used.v[at] == a) {
			at++;
			continue;
		}
		if (!usable(m, (uint32_t)a))
			continue;
		if (busy && n_busy < BUSY_LOOKED_AT && busy(arg, (uint32_t)a)) {
			n_busy++;
			found_busy = found_busy == UINT64_MAX ? a : found_busy;
			continue;
		}
		*ret = (uint32_t)a;
		return ipam_take(m, (uint32_t)a);
	}
	if (found_busy == UINT64_MAX)
		return -ENOSPC;
	*ret = (uint32_t)found_busy;
	return ipam_take(m, *ret);
}

void ipam_give_back(struct ipam *m, uint32_t addr)
{
	size_t at = position(m, addr);
	if (at < m->used.n && m->used.v[at] == addr)
		vec_remove(&m->used, at);
}

int ipam_choose(const struct ipam_pool *pools, size_t n, const struct net_cidr *taken, size_t n_taken, struct net_cidr *ret)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t len = MAX(pools[i].piece_len, pools[i].range.len);
		uint64_t end = (uint64_t)(pools[i].range.addr | (uint32_t)~net_mask(pools[i].range.len));
		for (uint64_t a = pools[i].range.addr & net_mask(pools[i].range.len); a <= end; a += 1ull << (32 - len)) {
			struct net_cidr c = { (uint32_t)a, len };
			size_t k = 0;
			while (k < n_taken && !net_cidr_overlap(c, taken[k]))
				k++;
			if (k == n_taken) {
				*ret = c;
				return 0;
			}
		}
	}
	return -ENOSPC;
}
