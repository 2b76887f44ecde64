/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS messages, as far as a name server for containers needs them: reading a
 * query, writing its answer, checking that a reply belongs to a query. Pure;
 * input comes from strangers. Source: RFC 1035, 6891 (the OPT record).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"

enum { DNS_MESSAGE_MAX = 65535, DNS_UDP_PLAIN = 512, DNS_UDP_MOST = 4096, DNS_NAME_MAX = 255 };
enum { DNS_TYPE_A = 1, DNS_TYPE_CNAME = 5, DNS_TYPE_SOA = 6, DNS_TYPE_PTR = 12, DNS_TYPE_TXT = 16, DNS_TYPE_SRV = 33, DNS_TYPE_AAAA = 28, DNS_TYPE_OPT = 41, DNS_CLASS_IN = 1 };
enum { DNS_OK = 0, DNS_FORMERR = 1, DNS_SERVFAIL = 2, DNS_NXDOMAIN = 3, DNS_NOTIMP = 4, DNS_REFUSED = 5 };

struct dns_query {
	uint16_t id, type, class_;
	bool is_query;              /* standard query, one question, nothing else odd about it */
	bool recursion;             /* RD */
	size_t question_end;        /* header and question are bytes 0 … question_end */
	size_t udp_room;            /* what the asker takes in a datagram */
	char name[DNS_NAME_MAX + 1];/* lower case, dots between labels, no last dot; "" is the root */
	bool is_plain;              /* no label has a dot or an unprintable byte; only then name says it all */
};
/* 0; -EBADMSG: too broken even to be answered. */
int dns_query_parse(const void *p, size_t n, struct dns_query *ret);

/* Appends an answer with n addresses (host byte order), a pointer target, or neither. query: the bytes parsed. Cut (TC) where room ends. */
int dns_answer(struct buf *out, const void *query, const struct dns_query *q, unsigned rcode, const uint32_t *addrs, size_t n, const char *target, size_t room);

/*
 * An answer of several records about the question's name, from a zone of our
 * own (AA). What does not fit is left out and said (TC). With no record and a
 * zone name, the zone's SOA stands in the authority section, so that resolvers keep the "no".
 */
struct dns_record { unsigned type; uint32_t addr; uint16_t port, weight; const char *text; };   /* A: addr; SRV: port, weight, text; PTR, CNAME, TXT: text */
int dns_answer_zone(struct buf *out, const void *query, const struct dns_query *q, unsigned rcode, const struct dns_record *v, size_t n, const char *zone,
	size_t room);

/* The address of a d.c.b.a.in-addr.arpa name; false otherwise. */
bool dns_reverse_addr(const char *name, uint32_t *ret);

/* Whether reply (n bytes) answers the question of query; its rcode and TC. */
bool dns_reply_matches(const void *reply, size_t n, const void *query, const struct dns_query *q, unsigned *rcode, bool *truncated);
