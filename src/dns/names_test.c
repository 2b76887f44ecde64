// SPDX-License-Identifier: Apache-2.0
#include "dns/names.h"

#include "base/auto.h"
#include "base/test.h"

static void set(struct dns_names *t, const char *container, const char *network, const char *addr, const char *a, const char *b)
{
	const char *names[] = { a, b };
	struct dns_endpoint p = { .network = network, .network_name = network, .address = addr, .names = names, .n_names = b ? 2 : 1 };
	struct dns_request r = { .op = "set", .container = container, .endpoints = &p, .n_endpoints = 1 };
	struct err e = { 0 };
	CHECK_OK(dns_names_set(t, &r, &e), &e);
}

TEST(a_container_sees_the_names_of_its_own_networks)
{
	struct dns_names t;
	uint32_t addrs[DNS_ADDRS_MOST];
	char text[300];
	dns_names_init(&t);
	set(&t, "c1", "n1", "10.0.0.2", "Web", "svc");
	set(&t, "c2", "n1", "10.0.0.3", "db", "svc");
	set(&t, "c3", "n2", "10.1.0.2", "web", NULL);
	struct dns_box *one = dns_names_box(&t, "c1"), *three = dns_names_box(&t, "c3");
	CHECK_INT(dns_names_find(&t, one, "web", addrs), 1);
	CHECK_INT(addrs[0], 0x0a000002);
	CHECK_INT(dns_names_find(&t, one, "web.n1", addrs), 1);
	CHECK_INT(dns_names_find(&t, one, "web.n2", addrs), 0);
	CHECK_INT(dns_names_find(&t, one, "svc", addrs), 2);
	CHECK_INT(dns_names_find(&t, three, "svc", addrs), 0);
	CHECK_INT(dns_names_find(&t, three, "web", addrs), 1);
	CHECK_INT(addrs[0], 0x0a010002);
	CHECK(dns_names_reverse(&t, one, 0x0a000003, text, sizeof text));
	CHECK_STR(text, "db.n1");
	CHECK(!dns_names_reverse(&t, three, 0x0a000003, text, sizeof text));
	dns_names_release(&t);
}

TEST(setting_again_replaces_and_removing_forgets)
{
	struct dns_names t;
	uint32_t addrs[DNS_ADDRS_MOST];
	dns_names_init(&t);
	set(&t, "c1", "n1", "10.0.0.2", "web", "#0a000009");
	set(&t, "c2", "n1", "10.0.0.3", "db", NULL);
	struct dns_box *two = dns_names_box(&t, "c2");
	set(&t, "c1", "n1", "10.0.0.4", "www", NULL);
	CHECK_INT(dns_names_find(&t, two, "web", addrs), 0);
	CHECK_INT(dns_names_find(&t, two, "www", addrs), 1);
	CHECK_INT(dns_names_find(&t, two, "#0a000004", addrs), 0);
	dns_names_remove(&t, "c1");
	CHECK_INT(dns_names_find(&t, two, "www", addrs), 0);
	dns_names_remove(&t, "c1");
	CHECK_INT(t.entries.n, 2);
	dns_names_release(&t);
}
