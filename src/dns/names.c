// SPDX-License-Identifier: Apache-2.0
/*
 * One map from "network/name" and "network/#address" to entries. An entry
 * lists (address, container's first name); several containers may share one.
 */
#include "dns/names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "base/auto.h"
#include "base/vec.h"

enum { BOX_MAX_BYTES = 256 * 1024, KEY_MAX = 600 };
struct holder { uint32_t addr; const struct dns_box *box; const char *name; };
struct entry { VEC(struct holder) v; };

void dns_names_init(struct dns_names *t)
{
	map_init(&t->boxes);
	map_init(&t->entries);
}

static void box_free(struct dns_box *b)
{
	arena_release(&b->arena);
	free(b);
}

void dns_names_release(struct dns_names *t)
{
	size_t pos = 0;
	struct map_entry *x;
	while ((x = map_next(&t->boxes, &pos)))
		box_free(x->value);
	for (pos = 0; (x = map_next(&t->entries, &pos));) {
		struct entry *e = x->value;
		vec_release(&e->v);
		free(e);
	}
	map_release(&t->boxes);
	map_release(&t->entries);
}

static bool name_key(char key[KEY_MAX], const char *network, const char *name)
{
	if (!fmt_into(key, KEY_MAX, "%s/%s", network, name))
		return false;
	for (char *p = key; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p += 32;
	return true;
}

static bool addr_key(char key[KEY_MAX], const char *network, uint32_t addr)
{
	return fmt_into(key, KEY_MAX, "%s/#%08x", network, addr);
}

static int hold(struct dns_names *t, const char *key, struct holder h)
{
	struct entry *e = map_gets(&t->entries, key);
	if (!e) {
		e = calloc(1, sizeof *e);
		if (!e || map_sets(&t->entries, key, e) < 0) {
			free(e);
			return -ENOMEM;
		}
	}
	return vec_push(&e->v, h);
}

static void drop(struct dns_names *t, const char *key, const struct dns_box *box)
{
	struct entry *e = map_gets(&t->entries, key);
	for (size_t i = 0; e && i < e->v.n;)
		if (e->v.v[i].box == box)
			vec_remove(&e->v, i);
		else
			i++;
	if (e && e->v.n == 0) {
		map_dels(&t->entries, key);
		vec_release(&e->v);
		free(e);
	}
}

/* Books or unbooks all names of a box. */
static int book(struct dns_names *t, const struct dns_box *box, bool on)
{
	char key[KEY_MAX];
	for (uint32_t i = 0; i < box->n_endpoints; i++) {
		const struct dns_endpoint *p = &box->endpoints[i];
		struct in_addr a;
		if (!p->network || !p->address || inet_pton(AF_INET, p->address, &a) != 1)
			continue;
		struct holder h = { ntohl(a.s_addr), box, p->n_names ? p->names[0] : "" };
		for (uint32_t k = 0; k <= p->n_names; k++) {
			bool good = k < p->n_names ? p->names[k] && p->names[k][0] != '#' && name_key(key, p->network, p->names[k]) : addr_key(key, p->network, h.addr);
			int r = 0;
			if (good && on)
				r = hold(t, key, h);
			else if (good)
				drop(t, key, box);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

struct dns_box *dns_names_box(const struct dns_names *t, const char *container)
{
	return map_gets(&t->boxes, container);
}

int dns_names_set(struct dns_names *t, const struct dns_request *r, struct err *e)
{
	if (!r->container || !r->container[0])
		return err_set(e, EINVAL, "a container is missing");
	struct dns_box *b = dns_names_box(t, r->container);
	if (b) {
		book(t, b, false);
		arena_release(&b->arena);
	} else {
		b = calloc(1, sizeof *b);
		if (!b || map_sets(&t->boxes, r->container, b) < 0) {
			free(b);
			return err_nomem(e);
		}
	}
	struct dns_request copy = { 0 };
	arena_init(&b->arena, BOX_MAX_BYTES);
	int result = schema_copy(T_dns_request, r, &b->arena, &copy);
	b->container = copy.container ? copy.container : "";
	b->endpoints = copy.endpoints;
	b->n_endpoints = copy.n_endpoints;
	b->servers = copy.servers;
	b->n_servers = copy.n_servers;
	b->no_forward = copy.no_forward;
	if (result >= 0)
		result = book(t, b, true);
	return result < 0 ? err_sys(e, result, "keep the names of container %.12s", r->container) : 0;
}

void dns_names_remove(struct dns_names *t, const char *container)
{
	struct dns_box *b = map_dels(&t->boxes, container);
	if (!b)
		return;
	book(t, b, false);
	box_free(b);
}

static size_t copy_addrs(const struct dns_names *t, const char *network, const char *name, uint32_t addrs[DNS_ADDRS_MOST])
{
	char key[KEY_MAX];
	const struct entry *e = name[0] != '#' && name_key(key, network, name) ? map_gets(&t->entries, key) : NULL;
	size_t n = 0;
	for (size_t i = 0; e && i < e->v.n && n < DNS_ADDRS_MOST; i++)
		addrs[n++] = e->v.v[i].addr;
	return n;
}

size_t dns_names_find(const struct dns_names *t, const struct dns_box *box, const char *name, uint32_t addrs[DNS_ADDRS_MOST])
{
	size_t n = 0;
	for (uint32_t i = 0; i < box->n_endpoints && n == 0; i++)
		n = copy_addrs(t, box->endpoints[i].network, name, addrs);
	struct slice whole = slice_of(name);
	ptrdiff_t dot = n ? -1 : slice_rfind(whole, '.');
	char head[256];
	if (dot <= 0 || !fmt_into(head, sizeof head, "%.*s", (int)dot, name))
		return n;
	for (uint32_t i = 0; i < box->n_endpoints && n == 0; i++) {
		const char *network = box->endpoints[i].network_name;
		if (network && slice_eq_nocase(slice_of(network), slice_of(name + dot + 1)))
			n = copy_addrs(t, box->endpoints[i].network, head, addrs);
	}
	return n;
}

bool dns_names_reverse(const struct dns_names *t, const struct dns_box *box, uint32_t addr, char *dst, size_t size)
{
	char key[KEY_MAX];
	for (uint32_t i = 0; i < box->n_endpoints; i++) {
		const struct dns_endpoint *p = &box->endpoints[i];
		const struct entry *e = addr_key(key, p->network, addr) ? map_gets(&t->entries, key) : NULL;
		if (e)
			return fmt_into(dst, size, "%s.%s", e->v.v[0].name, p->network_name ? p->network_name : "");
	}
	return false;
}
