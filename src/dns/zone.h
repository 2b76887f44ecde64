/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of a cluster's services and pods, as the DNS specification 1.1.0 of
 * Kubernetes has them. Pure. Names are compared in lower case.
 *
 *   SVC.NS.svc.DOMAIN              A: the cluster address, or each ready endpoint; CNAME of an external name
 *   HOST.SVC.NS.svc.DOMAIN         A: one endpoint, by host name or by its address with dashes
 *   _PORT._PROTO.SVC.NS.svc.DOMAIN SRV
 *   a-b-c-d.NS.pod.DOMAIN          A: a.b.c.d
 *   dns-version.DOMAIN             TXT "1.1.0"
 */
#pragma once
#include "api/dns.h"
#include "dns/message.h"

struct dns_zone;
int dns_zone_new(const char *domain, struct dns_zone **ret);
void dns_zone_free(struct dns_zone *z);
const char *dns_zone_domain(const struct dns_zone *z);
/* Replaces what is known of the service; s is copied. 0, -EINVAL, -ENOMEM. */
int dns_zone_set(struct dns_zone *z, const struct dns_service *s, struct err *e);
void dns_zone_remove(struct dns_zone *z, const char *namespace_, const char *name);
/* Between the two, services that are set are kept; the others go at the end. */
void dns_zone_begin(struct dns_zone *z);
void dns_zone_end(struct dns_zone *z);

enum { DNS_ZONE_RECORDS = 1024 };
struct dns_zone_answer {
	unsigned rcode;
	struct dns_record v[DNS_ZONE_RECORDS];
	size_t n;
	char texts[64 << 10];           /* names that records point to */
	size_t used;
};
/* False when the question is not about this zone (nor an address of it). q->name is lower case. */
bool dns_zone_find(const struct dns_zone *z, const char *name, unsigned type, struct dns_zone_answer *ret);
