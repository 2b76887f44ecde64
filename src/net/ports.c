// SPDX-License-Identifier: Apache-2.0
#include "net/ports.h"

#include <errno.h>

#include "base/vec.h"

struct ports_slot { VEC(uint32_t) addrs; };

static struct slice key_of(char dst[3], enum net_proto proto, uint16_t port)
{
	dst[0] = (char)proto;
	dst[1] = (char)(port >> 8);
	dst[2] = (char)port;
	return slice_n(dst, 3);
}

void ports_init(struct ports *p)
{
	map_init(&p->taken);
	for (size_t i = 0; i < ARRAY_LEN(p->next); i++)
		p->next[i] = NET_PORT_FIRST;
}

void ports_release(struct ports *p)
{
	size_t pos = 0;
	for (struct map_entry *x; (x = map_next(&p->taken, &pos));) {
		struct ports_slot *s = x->value;
		vec_release(&s->addrs);
		free(s);
	}
	map_release(&p->taken);
}

bool ports_is_free(const struct ports *p, enum net_proto proto, uint32_t addr, uint16_t port)
{
	char key[3];
	const struct ports_slot *s = map_get(&p->taken, key_of(key, proto, port));
	for (size_t i = 0; s && i < s->addrs.n; i++)
		if (addr == 0 || s->addrs.v[i] == 0 || s->addrs.v[i] == addr)
			return false;
	return true;
}

int ports_take(struct ports *p, enum net_proto proto, uint32_t addr, uint16_t port)
{
	char key[3];
	if (!ports_is_free(p, proto, addr, port))
		return -EADDRINUSE;
	struct ports_slot *s = map_get(&p->taken, key_of(key, proto, port));
	if (!s) {
		s = calloc(1, sizeof *s);
		if (!s || map_set(&p->taken, key_of(key, proto, port), s, NULL) < 0) {
			free(s);
			return -ENOMEM;
		}
	}
	return vec_push(&s->addrs, addr);
}

void ports_give_back(struct ports *p, enum net_proto proto, uint32_t addr, uint16_t port)
{
	char key[3];
	struct ports_slot *s = map_get(&p->taken, key_of(key, proto, port));
	for (size_t i = 0; s && i < s->addrs.n; i++) {
		if (s->addrs.v[i] != addr)
			continue;
		vec_remove(&s->addrs, i);
		break;
	}
	if (s && s->addrs.n == 0) {
		map_del(&p->taken, key_of(key, proto, port));
		vec_release(&s->addrs);
		free(s);
	}
}

int ports_choose(struct ports *p, enum net_proto proto, uint32_t addr, uint16_t first, uint16_t last,
	int (*usable)(void *, uint16_t), void *arg, uint16_t *ret)
{
	bool random = first == 0 && last == 0;
	if (random)
		first = NET_PORT_FIRST, last = NET_PORT_LAST;
	uint32_t count = (uint32_t)(last - first) + 1, start = random ? (uint32_t)(p->next[proto] - first) : 0;
	int why = -EADDRINUSE;
	for (uint32_t i = 0; i < count; i++) {
		uint16_t port = (uint16_t)(first + (start + i) % count);
		if (!ports_is_free(p, proto, addr, port))
			continue;
		int r = usable ? usable(arg, port) : 0;
		if (r == 0)
			r = ports_take(p, proto, addr, port);
		if (r < 0 && (r != -EADDRINUSE || count == 1))
			return r;
		if (r < 0) {
			why = r;
			continue;
		}
		if (random)
			p->next[proto] = port == last ? first : (uint16_t)(port + 1);
		*ret = port;
		return 0;
	}
	return why;
}
