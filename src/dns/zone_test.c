/* SPDX-License-Identifier: Apache-2.0 */
/* The names of Kubernetes' DNS specification 1.1.0. */
#include <stdio.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/test.h"
#include "dns/zone.h"

static const char *find(const struct dns_zone *z, const char *name, unsigned type)
{
	static char text[2048];
	struct dns_zone_answer *a = malloc(sizeof *a);
	struct buf b = BUF_INIT(2000);
	CHECK(a);
	if (!dns_zone_find(z, name, type, a)) {
		free(a);
		return "elsewhere";
	}
	if (a->rcode)
		buf_addf(&b, "rcode %u", a->rcode);
	for (size_t i = 0; i < a->n; i++) {
		const struct dns_record *r = &a->v[i];
		if (r->type == DNS_TYPE_A)
			buf_addf(&b, "%s%u.%u.%u.%u", i ? " " : "", r->addr >> 24, r->addr >> 16 & 255, r->addr >> 8 & 255, r->addr & 255);
		else if (r->type == DNS_TYPE_SRV)
			buf_addf(&b, "%s%u %s", i ? ", " : "", r->port, r->text);
		else
			buf_addf(&b, "%s%s", i ? " " : "", r->text);
	}
	snprintf(text, sizeof text, "%s", b.ptr);
	buf_release(&b);
	free(a);
	return text;
}

TEST(names_of_services_and_pods_are_those_of_the_specification)
{
	struct dns_zone *z;
	struct err e = { 0 };
	struct dns_port http = { "http", "tcp", 80 };
	struct dns_service_endpoint ends[] = { { "10.244.0.7", "web-0" }, { "10.244.0.8", NULL } };
	struct dns_service plain = { .namespace = "default", .name = "web", .address = "10.96.0.5", .ports = &http, .n_ports = 1 };
	struct dns_service headless = { .namespace = "db", .name = "pg", .ports = &http, .n_ports = 1, .endpoints = ends, .n_endpoints = 2 };
	struct dns_service outside = { .namespace = "default", .name = "ext", .external_name = "example.org" };
	struct dns_service empty = { .namespace = "db", .name = "none" };
	CHECK(dns_zone_new("cluster.local", &z) == 0);
	CHECK_OK(dns_zone_set(z, &plain, &e), &e);
	CHECK_OK(dns_zone_set(z, &headless, &e), &e);
	CHECK_OK(dns_zone_set(z, &outside, &e), &e);
	CHECK_OK(dns_zone_set(z, &empty, &e), &e);
	CHECK_STR(find(z, "web.default.svc.cluster.local", DNS_TYPE_A), "10.96.0.5");
	CHECK_STR(find(z, "web.default.svc.cluster.local", DNS_TYPE_AAAA), "");
	CHECK_STR(find(z, "_http._tcp.web.default.svc.cluster.local", DNS_TYPE_SRV), "80 web.default.svc.cluster.local");
	CHECK_STR(find(z, "_https._tcp.web.default.svc.cluster.local", DNS_TYPE_SRV), "rcode 3");
	CHECK_STR(find(z, "5.0.96.10.in-addr.arpa", DNS_TYPE_PTR), "web.default.svc.cluster.local");
	CHECK_STR(find(z, "pg.db.svc.cluster.local", DNS_TYPE_A), "10.244.0.7 10.244.0.8");
	CHECK_STR(find(z, "web-0.pg.db.svc.cluster.local", DNS_TYPE_A), "10.244.0.7");
	CHECK_STR(find(z, "10-244-0-8.pg.db.svc.cluster.local", DNS_TYPE_A), "10.244.0.8");
	CHECK_STR(find(z, "web-1.pg.db.svc.cluster.local", DNS_TYPE_A), "rcode 3");
	CHECK_STR(find(z, "_http._tcp.pg.db.svc.cluster.local", DNS_TYPE_SRV), "80 web-0.pg.db.svc.cluster.local, 80 10-244-0-8.pg.db.svc.cluster.local");
	CHECK_STR(find(z, "7.0.244.10.in-addr.arpa", DNS_TYPE_PTR), "web-0.pg.db.svc.cluster.local");
	CHECK_STR(find(z, "none.db.svc.cluster.local", DNS_TYPE_A), "rcode 3");
	CHECK_STR(find(z, "ext.default.svc.cluster.local", DNS_TYPE_A), "example.org");
	CHECK_STR(find(z, "10-244-0-9.default.pod.cluster.local", DNS_TYPE_A), "10.244.0.9");
	CHECK_STR(find(z, "dns-version.cluster.local", DNS_TYPE_TXT), "1.1.0");
	CHECK_STR(find(z, "nothing.default.svc.cluster.local", DNS_TYPE_A), "rcode 3");
	CHECK_STR(find(z, "default.svc.cluster.local", DNS_TYPE_A), "");
	CHECK_STR(find(z, "example.org", DNS_TYPE_A), "elsewhere");
	CHECK_STR(find(z, "xcluster.local", DNS_TYPE_A), "elsewhere");
	CHECK_STR(find(z, "1.1.1.1.in-addr.arpa", DNS_TYPE_PTR), "elsewhere");
	dns_zone_free(z);
}

TEST(services_not_named_again_between_begin_and_end_go)
{
	struct dns_zone *z;
	struct err e = { 0 };
	struct dns_service a = { .namespace = "n", .name = "a", .address = "10.96.0.1" }, b = { .namespace = "n", .name = "b", .address = "10.96.0.2" };
	CHECK(dns_zone_new("c.l", &z) == 0);
	CHECK_OK(dns_zone_set(z, &a, &e), &e);
	CHECK_OK(dns_zone_set(z, &b, &e), &e);
	dns_zone_begin(z);
	CHECK_OK(dns_zone_set(z, &b, &e), &e);
	dns_zone_end(z);
	CHECK_STR(find(z, "a.n.svc.c.l", DNS_TYPE_A), "rcode 3");
	CHECK_STR(find(z, "b.n.svc.c.l", DNS_TYPE_A), "10.96.0.2");
	CHECK_STR(find(z, "1.0.96.10.in-addr.arpa", DNS_TYPE_PTR), "elsewhere");
	dns_zone_free(z);
}
