/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has which name on which network, and what a container may see of it: the
 * networks it is on itself. Pure. Names are compared without case.
 */
#pragma once
#include "api/dns.h"
#include "base/arena.h"
#include "base/map.h"

struct dns_names { struct map boxes, entries; };
/* A container as the name server sees it. */
struct dns_box {
	struct arena arena;
	const char *container;
	struct dns_endpoint *endpoints;
	uint32_t n_endpoints;
	const char **servers;
	uint32_t n_servers;
	bool no_forward;
};
void dns_names_init(struct dns_names *t);
void dns_names_release(struct dns_names *t);
/* Replaces what is known of r->container; r is copied. The box stays the same object while it is known. 0, -EINVAL, -ENOMEM. */
int dns_names_set(struct dns_names *t, const struct dns_request *r, struct err *e);
void dns_names_remove(struct dns_names *t, const char *container);
struct dns_box *dns_names_box(const struct dns_names *t, const char *container);

enum { DNS_ADDRS_MOST = 256 };
/* Addresses of `name` (lower case) as seen by box: its networks in order, the first that knows the name; then name.network. Count; 0 unknown. */
size_t dns_names_find(const struct dns_names *t, const struct dns_box *box, const char *name, uint32_t addrs[DNS_ADDRS_MOST]);
/* "name.network" of an address on one of the box's networks; false when unknown. */
bool dns_names_reverse(const struct dns_names *t, const struct dns_box *box, uint32_t addr, char *dst, size_t size);
