/* SPDX-License-Identifier: Apache-2.0 */
/* Port specifications. See ports.h. */
#include "cli/ports.h"
#include <arpa/inet.h>
#include "base/auto.h"
#include "base/num.h"

struct range { int64_t from, to; };

static int parse_range(struct slice s, struct range *r)
{
	struct slice a, b;

	if (!slice_cut(s, '-', &a, &b))
		b = a;
	if (num_parse_i64(a, 0, 65535, &r->from) < 0 || num_parse_i64(b, 0, 65535, &r->to) < 0 || r->to < r->from)
		return -EINVAL;
	return 0;
}

/* Appends one member to a list that lives in the arena; doubles at powers of two. */
static void *grow(struct arena *a, void *v, uint32_t n, size_t size)
{
	if (n & (n - 1) || (n == 0 && v))
		return v;
	void *more = arena_array(a, n ? (size_t)n * 2 : 1, size);
	if (more && n)
		memcpy(more, v, n * size);
	return more;
}

static int add_exposed(struct arena *a, struct ports *p, const char *key)
{
	for (uint32_t i = 0; i < p->n_exposed; i++)
		if (strcmp(p->exposed[i].key, key) == 0)
			return 0;
	p->exposed = grow(a, p->exposed, p->n_exposed, sizeof *p->exposed);
	if (!p->exposed)
		return -ENOMEM;
	p->exposed[p->n_exposed++].key = key;
	return 0;
}

static int add_binding(struct arena *a, struct ports *p, const char *key, struct docker_port_binding b)
{
	struct docker_port_binding_list_entry *entry;
	uint32_t i = 0;

	while (i < p->n_bindings && strcmp(p->bindings[i].key, key) != 0)
		i++;
	if (i == p->n_bindings) {
		p->bindings = grow(a, p->bindings, p->n_bindings, sizeof *p->bindings);
		if (!p->bindings)
			return -ENOMEM;
		p->bindings[p->n_bindings++] = (struct docker_port_binding_list_entry){ .key = key };
	}
	entry = &p->bindings[i];
	entry->value = grow(a, entry->value, entry->n_value, sizeof *entry->value);
	if (!entry->value)
		return -ENOMEM;
	entry->value[entry->n_value++] = b;
	return 0;
}

static int split_protocol(struct slice *s, struct slice *protocol, struct err *e)
{
	struct slice head, tail;

	*protocol = SLICE("tcp");
	if (!slice_cut(*s, '/', &head, &tail))
		return 0;
	*s = head;
	if (tail.len)
		*protocol = tail;
	if (!slice_eq_nocase(*protocol, SLICE("tcp")) && !slice_eq_nocase(*protocol, SLICE("udp")) &&
	    !slice_eq_nocase(*protocol, SLICE("sctp")))
		return err_set(e, EINVAL, "invalid proto: %.*s", SLICE_FMT(tail));
	return 0;
}

/* "[::1]:80:80" -> address, host, container; from the right, as addresses hold colons. */
static void split_spec(struct slice s, struct slice *address, struct slice *host, struct slice *container)
{
	ptrdiff_t at = slice_rfind(s, ':');

	*address = *host = (struct slice){ 0 };
	*container = s;
	if (at < 0)
		return;
	*container = slice_n(s.ptr + at + 1, s.len - (size_t)at - 1);
	s.len = (size_t)at;
	at = slice_rfind(s, ':');
	*host = s;
	if (at < 0)
		return;
	*host = slice_n(s.ptr + at + 1, s.len - (size_t)at - 1);
	*address = slice_n(s.ptr, (size_t)at);
}

static int check_ip(struct slice *address)
{
	unsigned char raw[16];
	char text[64];

	if (slice_starts(*address, "[") && slice_ends(*address, "]"))
		*address = slice_n(address->ptr + 1, address->len - 2);
	if (!fmt_into(text, sizeof text, "%.*s", SLICE_FMT(*address)))
		return -EINVAL;
	return inet_pton(AF_INET, text, raw) == 1 || inet_pton(AF_INET6, text, raw) == 1 ? 0 : -EINVAL;
}

int ports_publish(struct arena *a, struct ports *p, const char *spec, struct err *e)
{
	struct slice s = slice_of(spec), protocol, address, host, container, shown;
	struct range in, out = { 0 };
	int r = split_protocol(&s, &protocol, e);

	if (r < 0)
		return r;
	split_spec(s, &address, &host, &container);
	shown = address;
	if (address.len && check_ip(&address) < 0)
		return err_set(e, EINVAL, "invalid IP address: %.*s", SLICE_FMT(shown));
	if (!container.len)
		return err_set(e, EINVAL, "no port specified: %s<empty>", spec);
	if (parse_range(container, &in) < 0)
		return err_set(e, EINVAL, "invalid containerPort: %.*s", SLICE_FMT(container));
	if (host.len && parse_range(host, &out) < 0)
		return err_set(e, EINVAL, "invalid hostPort: %.*s", SLICE_FMT(host));
	if (host.len && in.to - in.from != out.to - out.from && in.from != in.to)
		return err_set(e, EINVAL, "invalid ranges specified for container and host Ports: %.*s and %.*s", SLICE_FMT(container),
			       SLICE_FMT(host));
	for (int64_t i = 0; i <= in.to - in.from; i++) {
		const char *key = arena_fmt(a, "%lld/%.*s", (long long)(in.from + i), SLICE_FMT(protocol));
		struct docker_port_binding b = { arena_dup(a, address), "" };
		if (host.len && in.from == in.to && out.from != out.to)
			b.host_port = arena_fmt(a, "%lld-%lld", (long long)out.from, (long long)out.to);
		else if (host.len)
			b.host_port = arena_fmt(a, "%lld", (long long)(out.from + i));
		if (!key || add_exposed(a, p, key) < 0 || add_binding(a, p, key, b) < 0)
			return err_nomem(e);
	}
	return 0;
}

int ports_expose(struct arena *a, struct ports *p, const char *spec, struct err *e)
{
	struct slice s = slice_of(spec), protocol;
	struct range in;
	int r;

	if (slice_find(s, ':') >= 0)
		return err_set(e, EINVAL, "invalid port format for --expose: %s", spec);
	if ((r = split_protocol(&s, &protocol, e)) < 0)
		return r;
	if (parse_range(s, &in) < 0)
		return err_set(e, EINVAL, "invalid range format for --expose: %s, error: invalid port range", spec);
	for (int64_t i = in.from; i <= in.to; i++) {
		const char *key = arena_fmt(a, "%lld/%.*s", (long long)i, SLICE_FMT(protocol));
		if (!key || add_exposed(a, p, key) < 0)
			return err_nomem(e);
	}
	return 0;
}
