/* SPDX-License-Identifier: Apache-2.0 */
/* CEL functions that Kubernetes adds: quantities, addresses, URLs. */
#include <arpa/inet.h>
#include <ctype.h>

#include "base/num.h"
#include "schema/cel_int.h"
#include "schema/quantity.h"
#include "schema/schema_int.h"

typedef const struct cel_value *args;
typedef struct cel_value *result;

/* --- quantities --- */

static int quantity_of(struct cel_run *x, const struct quantity *q, result ret)
{
	struct quantity *copy = arena_new(x->a, struct quantity);
	if (!copy)
		return cel_no_room(x);
	*copy = *q;
	*ret = (struct cel_value){ .type = CEL_QUANTITY, .p = copy };
	return 0;
}

static int f_quantity(struct cel_run *x, args v, uint32_t n, result ret)
{
	struct quantity q;
	struct err why;
	if (v->type != CEL_STRING)
		return cel_no_overload(x);
	return quantity_parse(v->s, &q, &why) < 0 ? cel_fail(x, "%.400s", why.text) : quantity_of(x, &q, ret);
}

static int f_is_quantity(struct cel_run *x, args v, uint32_t n, result ret)
{
	struct quantity q;
	struct err why;
	if (v->type != CEL_STRING)
		return cel_no_overload(x);
	*ret = cel_bool(quantity_parse(v->s, &q, &why) == 0);
	return 0;
}

static bool is_whole(const struct quantity *q)
{
	return q->nano % 1000000000 == 0 && q->nano / 1000000000 <= INT64_MAX && q->nano / 1000000000 >= INT64_MIN;
}

static int f_is_integer(struct cel_run *x, args v, uint32_t n, result ret)
{
	if (v->type != CEL_QUANTITY)
		return cel_no_overload(x);
	*ret = cel_bool(is_whole(v->p));
	return 0;
}

static int f_as_integer(struct cel_run *x, args v, uint32_t n, result ret)
{
	if (v->type != CEL_QUANTITY)
		return cel_no_overload(x);
	if (!is_whole(v->p))
		return cel_fail(x, "cannot convert value to integer");
	*ret = cel_integer((int64_t)(((const struct quantity *)v->p)->nano / 1000000000));
	return 0;
}

static int f_as_float(struct cel_run *x, args v, uint32_t n, result ret)
{
	if (v->type != CEL_QUANTITY)
		return cel_no_overload(x);
	*ret = cel_double((double)((const struct quantity *)v->p)->nano / 1e9);
	return 0;
}

static int f_sign(struct cel_run *x, args v, uint32_t n, result ret)
{
	if (v->type != CEL_QUANTITY)
		return cel_no_overload(x);
	const struct quantity *q = v->p;
	*ret = cel_integer(q->nano > 0 ? 1 : q->nano < 0 ? -1 : 0);
	return 0;
}

static int sum(struct cel_run *x, args v, bool is_sub, result ret)
{
	struct quantity a, b = { 0 };
	if (v[0].type != CEL_QUANTITY || (v[1].type != CEL_QUANTITY && v[1].type != CEL_INT))
		return cel_no_overload(x);
	a = *(const struct quantity *)v[0].p;
	if (v[1].type == CEL_INT)
		b.nano = (__int128)v[1].i * 1000000000;
	else
		b = *(const struct quantity *)v[1].p;
	if (is_sub)
		quantity_sub(&a, &b);
	else
		quantity_add(&a, &b);
	return quantity_of(x, &a, ret);
}

static int f_add(struct cel_run *x, args v, uint32_t n, result ret) { return sum(x, v, false, ret); }
static int f_sub(struct cel_run *x, args v, uint32_t n, result ret) { return sum(x, v, true, ret); }

static int order(struct cel_run *x, args v, int *ret)
{
	if (v[0].type != CEL_QUANTITY || v[1].type != CEL_QUANTITY)
		return cel_no_overload(x);
	*ret = quantity_cmp(v[0].p, v[1].p);
	return 0;
}

static int f_less(struct cel_run *x, args v, uint32_t n, result ret)
{
	int o = 0, r = order(x, v, &o);
	*ret = cel_bool(o < 0);
	return r;
}

static int f_greater(struct cel_run *x, args v, uint32_t n, result ret)
{
	int o = 0, r = order(x, v, &o);
	*ret = cel_bool(o > 0);
	return r;
}

static int f_compare(struct cel_run *x, args v, uint32_t n, result ret)
{
	int o = 0, r = order(x, v, &o);
	*ret = cel_integer(o);
	return r;
}

/* --- addresses --- */

struct address {
	unsigned char bytes[16];
	int family;               /* 4 or 6 */
	unsigned bits;            /* of a CIDR */
};

static bool parse_ip(struct slice s, struct address *ret)
{
	char text[64];
	*ret = (struct address){ 0 };
	if (s.len >= sizeof text || !s.len || memchr(s.ptr, 0, s.len) || slice_find(s, '%') >= 0)
		return false;
	(void)fmt_into(text, sizeof text, "%.*s", SLICE_FMT(s));
	ret->family = strchr(text, ':') ? 6 : 4;
	if (ret->family == 6 && strchr(text, '.'))
		return false;       /* ::ffff:1.2.3.4 is not taken */
	return inet_pton(ret->family == 6 ? AF_INET6 : AF_INET, text, ret->bytes) == 1;
}

static bool parse_cidr(struct slice s, struct address *ret)
{
	struct slice ip, bits;
	uint64_t n;
	if (!slice_cut(s, '/', &ip, &bits) || !parse_ip(ip, ret) || num_parse_u64(bits, ret->family == 6 ? 128 : 32, &n) < 0)
		return false;
	ret->bits = (unsigned)n;
	return true;
}

static int print_ip(struct cel_run *x, const struct address *a, bool has_bits, result ret)
{
	char text[INET6_ADDRSTRLEN], full[INET6_ADDRSTRLEN + 8];
	if (!inet_ntop(a->family == 6 ? AF_INET6 : AF_INET, a->bytes, text, sizeof text))
		return cel_no_overload(x);
	(void)fmt_into(full, sizeof full, has_bits ? "%s/%u" : "%s", text, a->bits);
	return cel_text(x, ret, slice_of(full));
}

static int address_of(struct cel_run *x, const struct address *a, bool is_cidr, result ret)
{
	struct address *copy = arena_new(x->a, struct address);
	struct cel_value text;
	if (!copy)
		return cel_no_room(x);
	*copy = *a;
	int r = print_ip(x, a, is_cidr, &text);
	*ret = (struct cel_value){ .type = is_cidr ? CEL_CIDR : CEL_IP, .p = copy, .s = text.s };
	return r;
}

/* ip("1.2.3.4"), and cidr.ip() */
static int f_ip(struct cel_run *x, args v, uint32_t n, result ret)
{
	struct address a;
	if (v->type == CEL_CIDR)
		return address_of(x, v->p, false, ret);
	if (v->type != CEL_STRING)
		return cel_no_overload(x);
	return parse_ip(v->s, &a) ? address_of(x, &a, false, ret)
		: cel_fail(x, "IP Address \"%.*s\" parse error during conversion from string: ParseAddr(\"%.*s\"): unable to parse IP", SLICE_FMT(v->s), SLICE_FMT(v->s));
}

static int f_is_ip(struct cel_run *x, args v, uint32_t n, result ret)
{
	struct address a;
	*ret = cel_bool(v->type == CEL_STRING && parse_ip(v->s, &a));
	return v->type == CEL_STRING ? 0 : cel_no_overload(x);
}

static int f_is_canonical(struct cel_run *x, args v, uint32_t n, result ret)
{
	struct address a;
	struct cel_value text;
	if (v->type != CEL_STRING)
		return cel_no_overload(x);
	if (!parse_ip(v->s, &a))
		return cel_fail(x, "IP Address \"%.*s\" parse error during conversion from string: ParseAddr(\"%.*s\"): unable to parse IP", SLICE_FMT(v->s), SLICE_FMT(v->s));
	int r = print_ip(x, &a, false, &text);
	*ret = cel_bool(r == 0 && slice_eq(text.s, v->s));
	return r;
}

static int f_family(struct cel_run *x, args v, uint32_t n, result ret)
{
	if (v->type != CEL_IP)
		return cel_no_overload(x);
	*ret = cel_integer(((const struct address *)v->p)->family);
	return 0;
}

static int kind(struct cel_run *x, args v, char what, result ret)
{
	static const unsigned char zero[16], one[16] = { [15] = 1 };
	if (v->type != CEL_IP)
		return cel_no_overload(x);
	const struct address *a = v->p;
	const unsigned char *b = a->bytes;
	size_t len = a->family == 6 ? 16 : 4;
	bool is_4 = a->family == 4, is_none = !memcmp(b, zero, len), is_loop = is_4 ? b[0] == 127 : !memcmp(b, one, 16);
	bool is_multi = is_4 ? (b[0] & 0xf0) == 0xe0 : b[0] == 0xff;
	bool is_link = is_4 ? b[0] == 169 && b[1] == 254 : b[0] == 0xfe && (b[1] & 0xc0) == 0x80;
	bool is_link_multi = is_4 ? b[0] == 224 && !b[1] && !b[2] : b[0] == 0xff && (b[1] & 0x0f) == 2;
	bool is_broadcast = is_4 && b[0] == 255 && b[1] == 255 && b[2] == 255 && b[3] == 255;
	*ret = cel_bool(what == 'u' ? is_none : what == 'l' ? is_loop : what == 'm' ? is_link_multi : what == 'k' ? is_link
		: !is_none && !is_loop && !is_multi && !is_link && !is_broadcast);
	return 0;
}

static int f_is_unspecified(struct cel_run *x, args v, uint32_t n, result ret) { return kind(x, v, 'u', ret); }
static int f_is_loopback(struct cel_run *x, args v, uint32_t n, result ret) { return kind(x, v, 'l', ret); }
static int f_is_link_multicast(struct cel_run *x, args v, uint32_t n, result ret) { return kind(x, v, 'm', ret); }
static int f_is_link_unicast(struct cel_run *x, args v, uint32_t n, result ret) { return kind(x, v, 'k', ret); }
static int f_is_global(struct cel_run *x, args v, uint32_t n, result ret) { return kind(x, v, 'g', ret); }

static int f_cidr(struct cel_run *x, args v, uint32_t n, result ret)
{
	struct address a;
	if (v->type != CEL_STRING)
		return cel_no_overload(x);
	return parse_cidr(v->s, &a) ? address_of(x, &a, true, ret)
		: cel_fail(x, "network address parse error during conversion from string: netip.ParsePrefix(\"%.*s\")", SLICE_FMT(v->s));
}

static int f_is_cidr(struct cel_run *x, args v, uint32_t n, result ret)
{
	struct address a;
	*ret = cel_bool(v->type == CEL_STRING && parse_cidr(v->s, &a));
	return v->type == CEL_STRING ? 0 : cel_no_overload(x);
}

static bool covers(const struct address *net, const struct address *a)
{
	unsigned whole = net->bits / 8, rest = net->bits % 8;
	if (net->family != a->family || memcmp(net->bytes, a->bytes, whole))
		return false;
	return !rest || ((net->bytes[whole] ^ a->bytes[whole]) >> (8 - rest)) == 0;
}

/* An address or a text that is one. */
static int argument(struct cel_run *x, args v, bool is_cidr, struct address *ret)
{
	if (v->type == (is_cidr ? CEL_CIDR : CEL_IP)) {
		*ret = *(const struct address *)v->p;
		return 0;
	}
	if (v->type != CEL_STRING)
		return cel_no_overload(x);
	if (is_cidr ? parse_cidr(v->s, ret) : parse_ip(v->s, ret))
		return 0;
	return cel_fail(x, "%s \"%.*s\" parse error during conversion from string", is_cidr ? "network address" : "IP Address", SLICE_FMT(v->s));
}

static int f_contains_ip(struct cel_run *x, args v, uint32_t n, result ret)
{
	struct address a;
	int r = v->type == CEL_CIDR ? argument(x, v + 1, false, &a) : cel_no_overload(x);
	if (r == 0)
		*ret = cel_bool(covers(v->p, &a));
	return r;
}

static int f_contains_cidr(struct cel_run *x, args v, uint32_t n, result ret)
{
	struct address a;
	int r = v->type == CEL_CIDR ? argument(x, v + 1, true, &a) : cel_no_overload(x);
	if (r == 0)
		*ret = cel_bool(((const struct address *)v->p)->bits <= a.bits && covers(v->p, &a));
	return r;
}

static int f_masked(struct cel_run *x, args v, uint32_t n, result ret)
{
	if (v->type != CEL_CIDR)
		return cel_no_overload(x);
	struct address a = *(const struct address *)v->p;
	for (unsigned i = a.bits; i < (a.family == 6 ? 128u : 32u); i++)
		a.bytes[i / 8] &= (unsigned char)~(0x80 >> i % 8);
	return address_of(x, &a, true, ret);
}

static int f_prefix_length(struct cel_run *x, args v, uint32_t n, result ret)
{
	if (v->type != CEL_CIDR)
		return cel_no_overload(x);
	*ret = cel_integer(((const struct address *)v->p)->bits);
	return 0;
}

/* --- URLs: absolute, or a rooted path --- */

struct parts { struct slice scheme, host, name, port, path, query; };

static bool parse_url(struct slice s, struct parts *ret)
{
	size_t i = 0;
	*ret = (struct parts){ 0 };
	for (size_t k = 0; k < s.len; k++)
		if ((unsigned char)s.ptr[k] <= 0x20 || s.ptr[k] == 0x7f)
			return false;
	while (i < s.len && (isalnum((unsigned char)s.ptr[i]) || strchr("+-.", s.ptr[i])))
		i++;
	struct slice rest = s;
	if (i && i < s.len && s.ptr[i] == ':' && isalpha((unsigned char)s.ptr[0])) {
		ret->scheme = slice_n(s.ptr, i);
		rest = slice_n(s.ptr + i + 1, s.len - i - 1);
	} else if (!s.len || s.ptr[0] != '/') {
		return false;
	}
	(void)slice_cut(rest, '?', &rest, &ret->query);
	if (ret->scheme.len && slice_starts(rest, "//")) {
		rest = slice_n(rest.ptr + 2, rest.len - 2);
		ptrdiff_t slash = slice_find(rest, '/');
		ret->host = slash < 0 ? rest : slice_n(rest.ptr, (size_t)slash);
		rest = slice_n(rest.ptr + ret->host.len, rest.len - ret->host.len);
		ptrdiff_t at = slice_rfind(ret->host, '@');
		if (at >= 0)
			ret->host = slice_n(ret->host.ptr + at + 1, ret->host.len - (size_t)at - 1);
	}
	ret->path = rest;
	ret->name = ret->host;
	ptrdiff_t colon = slice_rfind(ret->host, ':'), bracket = slice_rfind(ret->host, ']');
	if (colon > bracket) {
		ret->name = slice_n(ret->host.ptr, (size_t)colon);
		ret->port = slice_n(ret->host.ptr + colon + 1, ret->host.len - (size_t)colon - 1);
		for (size_t k = 0; k < ret->port.len; k++)
			if (!isdigit((unsigned char)ret->port.ptr[k]))
				return false;
	}
	if (ret->name.len > 1 && ret->name.ptr[0] == '[')
		ret->name = slice_n(ret->name.ptr + 1, ret->name.len - 2);
	return true;
}

static int f_url(struct cel_run *x, args v, uint32_t n, result ret)
{
	struct parts p;
	if (v->type != CEL_STRING)
		return cel_no_overload(x);
	if (!parse_url(v->s, &p))
		return cel_fail(x, "URL parse error during conversion from string: parse \"%.*s\": invalid URI for request", SLICE_FMT(v->s));
	*ret = (struct cel_value){ .type = CEL_URL, .s = v->s };
	return 0;
}

static int f_is_url(struct cel_run *x, args v, uint32_t n, result ret)
{
	struct parts p;
	*ret = cel_bool(v->type == CEL_STRING && parse_url(v->s, &p));
	return v->type == CEL_STRING ? 0 : cel_no_overload(x);
}

static int url_part(struct cel_run *x, args v, char what, result ret)
{
	struct parts p;
	if (v->type != CEL_URL || !parse_url(v->s, &p))
		return cel_no_overload(x);
	*ret = cel_string(what == 's' ? p.scheme : what == 'h' ? p.host : what == 'n' ? p.name : what == 'p' ? p.port : p.path);
	return 0;
}

static int f_scheme(struct cel_run *x, args v, uint32_t n, result ret) { return url_part(x, v, 's', ret); }
static int f_host(struct cel_run *x, args v, uint32_t n, result ret) { return url_part(x, v, 'h', ret); }
static int f_hostname(struct cel_run *x, args v, uint32_t n, result ret) { return url_part(x, v, 'n', ret); }
static int f_port(struct cel_run *x, args v, uint32_t n, result ret) { return url_part(x, v, 'p', ret); }
static int f_path(struct cel_run *x, args v, uint32_t n, result ret) { return url_part(x, v, 'e', ret); }

const struct cel_function cel_kube_functions[] = {
	{ "quantity", 1, 1, CEL_GLOBAL, f_quantity }, { "isQuantity", 1, 1, CEL_GLOBAL, f_is_quantity }, { "isInteger", 1, 1, CEL_MEMBER, f_is_integer },
	{ "asInteger", 1, 1, CEL_MEMBER, f_as_integer }, { "asApproximateFloat", 1, 1, CEL_MEMBER, f_as_float }, { "sign", 1, 1, CEL_MEMBER, f_sign },
	{ "add", 2, 2, CEL_MEMBER, f_add }, { "sub", 2, 2, CEL_MEMBER, f_sub }, { "isLessThan", 2, 2, CEL_MEMBER, f_less },
	{ "isGreaterThan", 2, 2, CEL_MEMBER, f_greater }, { "compareTo", 2, 2, CEL_MEMBER, f_compare },
	{ "ip", 1, 1, CEL_GLOBAL | CEL_MEMBER, f_ip }, { "isIP", 1, 1, CEL_GLOBAL, f_is_ip }, { "ip.isCanonical", 1, 1, CEL_GLOBAL, f_is_canonical },
	{ "family", 1, 1, CEL_MEMBER, f_family }, { "isUnspecified", 1, 1, CEL_MEMBER, f_is_unspecified }, { "isLoopback", 1, 1, CEL_MEMBER, f_is_loopback },
	{ "isLinkLocalMulticast", 1, 1, CEL_MEMBER, f_is_link_multicast }, { "isLinkLocalUnicast", 1, 1, CEL_MEMBER, f_is_link_unicast },
	{ "isGlobalUnicast", 1, 1, CEL_MEMBER, f_is_global }, { "cidr", 1, 1, CEL_GLOBAL, f_cidr }, { "isCIDR", 1, 1, CEL_GLOBAL, f_is_cidr },
	{ "containsIP", 2, 2, CEL_MEMBER, f_contains_ip }, { "containsCIDR", 2, 2, CEL_MEMBER, f_contains_cidr }, { "masked", 1, 1, CEL_MEMBER, f_masked },
	{ "prefixLength", 1, 1, CEL_MEMBER, f_prefix_length }, { "url", 1, 1, CEL_GLOBAL, f_url }, { "isURL", 1, 1, CEL_GLOBAL, f_is_url },
	{ "getScheme", 1, 1, CEL_MEMBER, f_scheme }, { "getHost", 1, 1, CEL_MEMBER, f_host }, { "getHostname", 1, 1, CEL_MEMBER, f_hostname },
	{ "getPort", 1, 1, CEL_MEMBER, f_port }, { "getEscapedPath", 1, 1, CEL_MEMBER, f_path },
};
const uint32_t cel_n_kube_functions = ARRAY_LEN(cel_kube_functions);
