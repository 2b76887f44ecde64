// SPDX-License-Identifier: Apache-2.0
#include "dns/message.h"

#include <errno.h>

#include "base/auto.h"
#include "base/num.h"

enum { HEADER = 12, LABEL_MAX = 63, ANSWER_TTL = 600, RECORDS_LOOKED_AT = 16 };
enum { FLAG_QR = 0x8000, FLAG_OPCODE = 0x7800, FLAG_TC = 0x0200, FLAG_RD = 0x0100, FLAG_RA = 0x0080, FLAG_RCODE = 0x000f };

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* Reads an uncompressed name at *at; false when it does not end inside, is too long or has a pointer. */
static bool read_name(const uint8_t *p, size_t n, size_t *at, char *dst, bool *plain)
{
	size_t len = 0, total = 1;
	*plain = true;
	for (;;) {
		if (*at >= n)
			return false;
		size_t label = p[(*at)++];
		if (label == 0)
			break;
		total += label + 1;
		if (label > LABEL_MAX || total > DNS_NAME_MAX || label > n - *at)
			return false;
		if (len)
			dst[len++] = '.';
		for (size_t i = 0; i < label; i++) {
			uint8_t c = p[(*at)++];
			if (c <= ' ' || c >= 127 || c == '.')
				*plain = false;
			dst[len++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
		}
	}
	dst[len] = 0;
	return true;
}

/* Steps over a name that may be compressed. */
static bool skip_name(const uint8_t *p, size_t n, size_t *at)
{
	while (*at < n) {
		uint8_t c = p[(*at)++];
		if (c == 0)
			return true;
		if (c >= 0xc0) {
			(*at)++;
			return *at <= n;
		}
		if (c > LABEL_MAX || c > n - *at)
			return false;
		*at += c;
	}
	return false;
}

/* The asker's datagram size out of an OPT record among `count` records at `at`. */
static size_t find_udp_room(const uint8_t *p, size_t n, size_t at, unsigned count)
{
	for (unsigned i = 0; i < count && i < RECORDS_LOOKED_AT; i++) {
		if (!skip_name(p, n, &at) || n - at < 10)
			break;
		unsigned type = get16(p + at), class_ = get16(p + at + 2), len = get16(p + at + 8);
		if (type == DNS_TYPE_OPT)
			return MIN(MAX((size_t)class_, (size_t)DNS_UDP_PLAIN), (size_t)DNS_UDP_MOST);
		at += 10;
		if (len > n - at)
			break;
		at += len;
	}
	return DNS_UDP_PLAIN;
}

int dns_query_parse(const void *msg, size_t n, struct dns_query *ret)
{
	const uint8_t *p = msg;
	struct dns_query q = { .udp_room = DNS_UDP_PLAIN };
	if (n < HEADER || n > DNS_MESSAGE_MAX)
		return -EBADMSG;
	unsigned flags = get16(p + 2);
	q.id = (uint16_t)get16(p);
	if (flags & FLAG_QR)
		return -EBADMSG;       /* an answer to an answer would be a loop */
	q.recursion = flags & FLAG_RD;
	size_t at = HEADER;
	q.question_end = HEADER;
	if (get16(p + 4) == 1 && read_name(p, n, &at, q.name, &q.is_plain) && n - at >= 4) {
		q.type = (uint16_t)get16(p + at);
		q.class_ = (uint16_t)get16(p + at + 2);
		q.question_end = at + 4;
		q.is_query = (flags & FLAG_OPCODE) == 0;
		q.udp_room = find_udp_room(p, n, q.question_end, get16(p + 6) + get16(p + 8) + get16(p + 10));
	}
	*ret = q;
	return 0;
}

static void add16(struct buf *b, unsigned v)
{
	buf_add(b, (char[]){ (char)(v >> 8), (char)v }, 2);
}

/* A record about the question's name, which stands at offset 12. */
static void add_record(struct buf *b, unsigned type, const void *data, size_t len)
{
	add16(b, 0xc00c);
	add16(b, type);
	add16(b, DNS_CLASS_IN);
	add16(b, ANSWER_TTL >> 16);
	add16(b, ANSWER_TTL & 0xffff);
	add16(b, (unsigned)len);
	buf_add(b, data, len);
}

/* Dotted text as labels; 0 when it does not fit. dst: DNS_NAME_MAX bytes. */
static size_t encode_name(uint8_t *dst, const char *name)
{
	struct slice rest = slice_of(name), label;
	size_t at = 0;
	while (slice_next(&rest, '.', &label)) {
		if (label.len == 0 || label.len > LABEL_MAX || at + label.len + 2 > DNS_NAME_MAX)
			return 0;
		dst[at++] = (uint8_t)label.len;
		memcpy(dst + at, label.ptr, label.len);
		at += label.len;
	}
	dst[at++] = 0;
	return at;
}

int dns_answer(struct buf *out, const void *query, const struct dns_query *q, unsigned rcode, const uint32_t *addrs, size_t n, const char *target, size_t room)
{
	enum { A_RECORD = 16 };
	uint8_t name[DNS_NAME_MAX + 1];
	size_t target_len = target ? encode_name(name, target) : 0;
	size_t fits = room > q->question_end ? (room - q->question_end) / A_RECORD : 0;
	bool cut = n > fits;
	n = MIN(n, fits);
	add16(out, q->id);
	add16(out, FLAG_QR | (cut ? FLAG_TC : 0) | (q->recursion ? FLAG_RD : 0) | FLAG_RA | (rcode & FLAG_RCODE));
	add16(out, q->question_end > HEADER);
	add16(out, (unsigned)n + (target_len != 0));
	add16(out, 0);
	add16(out, 0);
	buf_add(out, (const char *)query + HEADER, q->question_end - HEADER);
	for (size_t i = 0; i < n; i++) {
		const uint8_t a[4] = { (uint8_t)(addrs[i] >> 24), (uint8_t)(addrs[i] >> 16), (uint8_t)(addrs[i] >> 8), (uint8_t)addrs[i] };
		add_record(out, DNS_TYPE_A, a, 4);
	}
	if (target_len)
		add_record(out, DNS_TYPE_PTR, name, target_len);
	return buf_error(out);
}

enum { ZONE_TTL = 5 };

/* One record with its own name's bytes in front; nothing is added when it does not fit. */
static bool add_zone_record(struct buf *out, const uint8_t *name, size_t name_len, unsigned type, const void *data, size_t len, size_t end)
{
	if (out->len + name_len + 10 + len > end)
		return false;
	buf_add(out, name, name_len);
	add16(out, type);
	add16(out, DNS_CLASS_IN);
	add16(out, 0);
	add16(out, ZONE_TTL);
	add16(out, (unsigned)len);
	buf_add(out, data, len);
	return true;
}

static size_t record_data(const struct dns_record *r, uint8_t data[DNS_NAME_MAX + 8])
{
	size_t n;
	switch (r->type) {
	case DNS_TYPE_A:
		for (int i = 0; i < 4; i++)
			data[i] = (uint8_t)(r->addr >> (24 - 8 * i));
		return 4;
	case DNS_TYPE_SRV:
		data[0] = data[1] = 0;
		data[2] = (uint8_t)(r->weight >> 8);
		data[3] = (uint8_t)r->weight;
		data[4] = (uint8_t)(r->port >> 8);
		data[5] = (uint8_t)r->port;
		n = encode_name(data + 6, r->text);
		return n ? n + 6 : 0;
	case DNS_TYPE_TXT:
		n = MIN(strlen(r->text), (size_t)255);
		data[0] = (uint8_t)n;
		memcpy(data + 1, r->text, n);
		return n + 1;
	default: return encode_name(data, r->text);
	}
}

/* ns.dns.ZONE hostmaster.ZONE and five numbers */
static void add_soa(struct buf *out, const char *zone, size_t end)
{
	uint8_t owner[DNS_NAME_MAX + 1], data[2 * DNS_NAME_MAX + 32];
	char text[DNS_NAME_MAX + 1];
	static const uint32_t numbers[] = { 1, 7200, 1800, 86400, ZONE_TTL };
	size_t owner_len = encode_name(owner, zone), n = 0, part;
	for (int i = 0; i < 2; i++) {
		if (!owner_len || !fmt_into(text, sizeof text, "%s.%s", i ? "hostmaster" : "ns.dns", zone) || !(part = encode_name(data + n, text)))
			return;
		n += part;
	}
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		for (int k = 0; k < 4; k++)
			data[n++] = (uint8_t)(numbers[i] >> (24 - 8 * k));
	if (add_zone_record(out, owner, owner_len, DNS_TYPE_SOA, data, n, end))
		out->ptr[9] = 1;
}

int dns_answer_zone(struct buf *out, const void *query, const struct dns_query *q, unsigned rcode, const struct dns_record *v, size_t n, const char *zone,
	size_t room)
{
	enum { FLAG_AA = 0x0400 };
	static const uint8_t question[2] = { 0xc0, 0x0c };
	uint8_t data[DNS_NAME_MAX + 8];
	unsigned count = 0;
	bool cut = false;
	add16(out, q->id);
	add16(out, 0);
	add16(out, q->question_end > HEADER);
	add16(out, 0);
	add16(out, 0);
	add16(out, 0);
	buf_add(out, (const char *)query + HEADER, q->question_end - HEADER);
	for (size_t i = 0; i < n && !cut; i++) {
		size_t len = record_data(&v[i], data);
		if (!len)
			continue;
		cut = !add_zone_record(out, question, 2, v[i].type, data, len, room);
		count += !cut;
	}
	if (!n && zone)
		add_soa(out, zone, room);
	if (buf_error(out))
		return buf_error(out);
	unsigned flags = FLAG_QR | FLAG_AA | (cut ? FLAG_TC : 0) | (q->recursion ? FLAG_RD : 0) | FLAG_RA | (rcode & FLAG_RCODE);
	out->ptr[2] = (char)(flags >> 8);
	out->ptr[3] = (char)flags;
	out->ptr[6] = (char)(count >> 8);
	out->ptr[7] = (char)count;
	return 0;
}

bool dns_reverse_addr(const char *name, uint32_t *ret)
{
	struct slice rest = slice_of(name), part;
	uint32_t addr = 0;
	if (!slice_ends(rest, ".in-addr.arpa"))
		return false;
	rest.len -= sizeof ".in-addr.arpa" - 1;
	for (unsigned i = 0; i < 4; i++) {
		uint64_t n;
		if (!slice_next(&rest, '.', &part) || num_parse_u64(part, 255, &n) < 0)
			return false;
		addr |= (uint32_t)n << (8 * i);
	}
	if (rest.ptr)
		return false;
	*ret = addr;
	return true;
}

bool dns_reply_matches(const void *reply, size_t n, const void *query, const struct dns_query *q, unsigned *rcode, bool *truncated)
{
	const uint8_t *r = reply;
	char name[DNS_NAME_MAX + 1];
	bool plain;
	size_t at = HEADER;
	if (n < HEADER || get16(r) != get16(query) || !(get16(r + 2) & FLAG_QR))
		return false;
	*rcode = get16(r + 2) & FLAG_RCODE;
	*truncated = get16(r + 2) & FLAG_TC;
	/* Some servers leave the question out of an error. */
	if (get16(r + 4) == 0)
		return *rcode != DNS_OK;
	return get16(r + 4) == 1 && read_name(r, n, &at, name, &plain) && n - at >= 4 && get16(r + at) == q->type && get16(r + at + 2) == q->class_ &&
		!strcmp(name, q->name);
}
