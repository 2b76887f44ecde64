// SPDX-License-Identifier: Apache-2.0
/* What a container finds in /etc/resolv.conf and /etc/hosts. Pure: text in, text out. Source: resolv.conf(5), hosts(5). */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

#include "base/auto.h"
#include "net/addr.h"
#include "net/net.h"

/* The next word of a line; false at its end or at a comment. */
static bool next_word(struct slice *line, struct slice *ret)
{
	*line = slice_trim(*line);
	if (line->len == 0 || line->ptr[0] == '#' || line->ptr[0] == ';')
		return false;
	size_t n = 0;
	while (n < line->len && line->ptr[n] != ' ' && line->ptr[n] != '\t')
		n++;
	*ret = slice_n(line->ptr, n);
	*line = slice_n(line->ptr + n, line->len - n);
	return true;
}

static bool is_loopback(struct slice s)
{
	char text[64];
	struct in6_addr six;
	if (slice_starts(s, "127."))
		return true;
	ptrdiff_t zone = slice_find(s, '%');
	return fmt_into(text, sizeof text, "%.*s", zone >= 0 ? (int)zone : (int)s.len, s.ptr) && inet_pton(AF_INET6, text, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

/* Words behind `key` on every line that starts with it (the last line only for search), each on its own line or all on one. */
static unsigned copy_words(struct slice text, const char *key, bool no_loopback, struct buf *out)
{
	struct slice line, word;
	unsigned n = 0;
	while (slice_next(&text, '\n', &line)) {
		if (!next_word(&line, &word) || !slice_is(word, key))
			continue;
		if (!strcmp(key, "nameserver")) {
			/* IPv6 servers cannot be reached from networks without IPv6. */
			if (!next_word(&line, &word) || (no_loopback && (is_loopback(word) || slice_find(word, ':') >= 0)))
				continue;
			buf_addf(out, "nameserver %.*s\n", SLICE_FMT(word));
			n++;
			continue;
		}
		while (next_word(&line, &word)) {
			buf_addf(out, "%s%.*s", n ? " " : "", SLICE_FMT(word));
			n++;
		}
	}
	return n;
}

/* Only the last search line of a file counts. */
static struct slice last_line_of(struct slice text, const char *key)
{
	struct slice line, word, found = { 0 };
	while (slice_next(&text, '\n', &line)) {
		struct slice rest = line;
		if (next_word(&rest, &word) && slice_is(word, key))
			found = line;
	}
	return found;
}

static void add_list(struct buf *out, const char *const *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		buf_addf(out, "%s%s", i ? " " : "", v[i]);
}

static void add_search(struct slice host, const struct net_dns_settings *s, struct buf *out)
{
	AUTO(buf) struct buf words = BUF_INIT(8192);
	/* --dns-search . means none at all. */
	if (s->n_search && !(s->n_search == 1 && !strcmp(s->search[0], ".")))
		add_list(&words, s->search, s->n_search);
	else if (!s->n_search)
		copy_words(last_line_of(host, "search"), "search", false, &words);
	if (words.len)
		buf_addf(out, "search %s\n", words.ptr);
}

int net_resolv_conf(struct slice host, const struct net_dns_settings *s, bool embedded, struct buf *out)
{
	unsigned servers = 0;
	if (embedded) {
		buf_adds(out, "nameserver 127.0.0.11\n");
		servers = 1;
	}
	for (uint32_t i = 0; !embedded && i < s->n_servers; i++, servers++)
		buf_addf(out, "nameserver %s\n", s->servers[i]);
	if (!servers)
		servers = copy_words(host, "nameserver", true, out);
	if (!servers)
		buf_adds(out, "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
	add_search(host, s, out);
	AUTO(buf) struct buf options = BUF_INIT(8192);
	if (s->n_options)
		add_list(&options, s->options, s->n_options);
	else
		copy_words(host, "options", false, &options);
	/* Single-label names are asked of us first, unless the user wants otherwise. */
	if (embedded && !strstr(options.ptr, "ndots:"))
		buf_addf(&options, "%sndots:0", options.len ? " " : "");
	if (options.len)
		buf_addf(out, "options %s\n", options.ptr);
	return buf_error(out) ? buf_error(out) : buf_error(&options);
}

static int add_extra(const char *entry, const char *host_gateway, struct buf *out, struct err *e)
{
	struct slice text = slice_of(entry), name, addr;
	/* "name=ip" is the newer form; a first colon also occurs inside IPv6 addresses, never in names. */
	if (!slice_cut(text, slice_find(text, '=') >= 0 ? '=' : ':', &name, &addr) || name.len == 0)
		return err_set(e, EINVAL, "bad format for add-host: \"%s\"", entry);
	if (slice_is(addr, "host-gateway")) {
		if (!host_gateway || !host_gateway[0])
			return err_set(e, EINVAL, "unable to derive the IP value for host-gateway");
		addr = slice_of(host_gateway);
	}
	if (addr.len > 2 && addr.ptr[0] == '[' && addr.ptr[addr.len - 1] == ']')
		addr = slice_n(addr.ptr + 1, addr.len - 2);
	char ip[64];
	struct in6_addr six;
	uint32_t four;
	if (net_addr_parse(addr, &four) < 0 && (!fmt_into(ip, sizeof ip, "%.*s", SLICE_FMT(addr)) || inet_pton(AF_INET6, ip, &six) != 1))
		return err_set(e, EINVAL, "invalid IP address in add-host: \"%.*s\"", SLICE_FMT(addr));
	buf_addf(out, "%.*s\t%.*s\n", SLICE_FMT(addr), SLICE_FMT(name));
	return 0;
}

int net_hosts(const struct net_hosts_settings *s, struct buf *out, struct err *e)
{
	buf_adds(out, "127.0.0.1\tlocalhost\n"
		"::1\tlocalhost ip6-localhost ip6-loopback\n"
		"fe00::\tip6-localnet\n"
		"ff00::\tip6-mcastprefix\n"
		"ff02::1\tip6-allnodes\n"
		"ff02::2\tip6-allrouters\n");
	for (uint32_t i = 0; i < s->n_extra; i++) {
		int r = add_extra(s->extra[i], s->host_gateway, out, e);
		if (r < 0)
			return r;
	}
	for (uint32_t i = 0; i < s->n_addresses && s->hostname && s->hostname[0]; i++) {
		if (!s->addresses[i][0])
			continue;
		buf_addf(out, "%s\t", s->addresses[i]);
		if (s->domainname && s->domainname[0])
			buf_addf(out, "%s.%s ", s->hostname, s->domainname);
		buf_addf(out, "%s\n", s->hostname);
	}
	return buf_error(out) ? err_sys(e, buf_error(out), "write /etc/hosts") : 0;
}
