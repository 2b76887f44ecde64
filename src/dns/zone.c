// SPDX-License-Identifier: Apache-2.0
#include "dns/zone.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/map.h"
#include "base/vec.h"

enum { SERVICE_MAX_BYTES = 4 << 20, KEY_MAX = 400 };
struct service {
	struct arena arena;
	struct dns_service s;
	uint64_t round;
};
struct holder { const struct service *s; const char *hostname; };
struct holders { VEC(struct holder) v; };
struct dns_zone {
	char domain[DNS_NAME_MAX + 1];
	struct map services;            /* "ns/name" */
	struct map reverse;             /* address as text → holders */
	uint64_t round;
};

int dns_zone_new(const char *domain, struct dns_zone **ret)
{
	struct dns_zone *z = calloc(1, sizeof *z);
	if (!z)
		return -ENOMEM;
	map_init(&z->services);
	map_init(&z->reverse);
	if (!fmt_into(z->domain, sizeof z->domain, "%s", domain) || !*domain) {
		free(z);
		return -EINVAL;
	}
	for (char *p = z->domain; *p; p++)
		*p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
	*ret = z;
	return 0;
}

const char *dns_zone_domain(const struct dns_zone *z) { return z->domain; }

static void unbook(struct dns_zone *z, const char *address, const struct service *s)
{
	struct holders *h = map_gets(&z->reverse, address);
	for (size_t i = 0; h && i < h->v.n;)
		if (h->v.v[i].s == s)
			vec_remove(&h->v, i);
		else
			i++;
	if (h && !h->v.n) {
		map_dels(&z->reverse, address);
		vec_release(&h->v);
		free(h);
	}
}

static int book(struct dns_zone *z, const char *address, const struct service *s, const char *hostname)
{
	struct holders *h = map_gets(&z->reverse, address);
	struct holder one = { s, hostname };
	if (!h) {
		h = calloc(1, sizeof *h);
		if (!h || map_sets(&z->reverse, address, h) < 0) {
			free(h);
			return -ENOMEM;
		}
	}
	return vec_push(&h->v, one);
}

static bool is_set(const char *s) { return s && *s; }

static void service_free(struct dns_zone *z, struct service *s)
{
	if (is_set(s->s.address))
		unbook(z, s->s.address, s);
	for (uint32_t i = 0; i < s->s.n_endpoints; i++)
		unbook(z, s->s.endpoints[i].address, s);
	arena_release(&s->arena);
	free(s);
}

void dns_zone_free(struct dns_zone *z)
{
	if (!z)
		return;
	size_t pos = 0;
	for (struct map_entry *m; (m = map_next(&z->services, &pos));)
		service_free(z, m->value);
	map_release(&z->services);
	map_release(&z->reverse);
	free(z);
}

void dns_zone_remove(struct dns_zone *z, const char *ns, const char *name)
{
	char key[KEY_MAX];
	struct service *s = fmt_into(key, sizeof key, "%s/%s", ns, name) ? map_dels(&z->services, key) : NULL;
	if (s)
		service_free(z, s);
}

int dns_zone_set(struct dns_zone *z, const struct dns_service *from, struct err *e)
{
	char key[KEY_MAX];
	if (!is_set(from->namespace) || !is_set(from->name) || !fmt_into(key, sizeof key, "%s/%s", from->namespace, from->name))
		return err_set(e, EINVAL, "a service without namespace or name");
	dns_zone_remove(z, from->namespace, from->name);
	struct service *s = calloc(1, sizeof *s);
	if (!s)
		return err_nomem(e);
	arena_init(&s->arena, SERVICE_MAX_BYTES);
	s->round = z->round;
	int r = schema_copy(T_dns_service, from, &s->arena, &s->s);
	if (r == 0 && is_set(s->s.address))
		r = book(z, s->s.address, s, NULL);
	for (uint32_t i = 0; r == 0 && i < s->s.n_endpoints && !is_set(s->s.address); i++)
		r = book(z, s->s.endpoints[i].address, s, s->s.endpoints[i].hostname);
	if (r == 0)
		r = map_sets(&z->services, key, s);
	if (r < 0) {
		service_free(z, s);
		return err_sys(e, -r, "keep the names of service %s", key);
	}
	return 0;
}

void dns_zone_begin(struct dns_zone *z) { z->round++; }

void dns_zone_end(struct dns_zone *z)
{
	size_t pos = 0;
	for (struct map_entry *m; (m = map_next(&z->services, &pos));) {
		struct service *s = m->value;
		if (s->round == z->round)
			continue;
		map_del(&z->services, slice_n(m->key, m->key_len));
		service_free(z, s);
	}
}

/* --- finding ------------------------------------------------------------------------------- */
static const char *keep(struct dns_zone_answer *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static const char *keep(struct dns_zone_answer *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(a->texts + a->used, sizeof a->texts - a->used, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof a->texts - a->used)
		return NULL;
	const char *ret = a->texts + a->used;
	a->used += (size_t)n + 1;
	return ret;
}

static void add(struct dns_zone_answer *a, struct dns_record r)
{
	if (a->n < DNS_ZONE_RECORDS && (r.type == DNS_TYPE_A || r.text))
		a->v[a->n++] = r;
}

static bool parse_addr(const char *text, uint32_t *ret)
{
	struct in_addr a;
	if (!is_set(text) || inet_pton(AF_INET, text, &a) != 1)
		return false;
	*ret = ntohl(a.s_addr);
	return true;
}

static void add_addr(struct dns_zone_answer *a, const char *text)
{
	uint32_t addr;
	if (parse_addr(text, &addr))
		add(a, (struct dns_record){ .type = DNS_TYPE_A, .addr = addr });
}

/* "10-1-2-3" */
static void dashed(const char *address, char dst[20])
{
	size_t i = 0;
	for (; address[i] && i < 19; i++)
		dst[i] = address[i] == '.' ? '-' : address[i];
	dst[i] = 0;
}

static bool is_host(const struct dns_service_endpoint *e, const char *host)
{
	char dash[20];
	dashed(e->address, dash);
	return !strcmp(is_set(e->hostname) ? e->hostname : dash, host);
}

/* host NULL: the service itself */
static void find_service(const struct dns_service *s, const char *host, unsigned type, struct dns_zone_answer *a)
{
	bool known = !host;
	if (!host && is_set(s->external_name)) {
		add(a, (struct dns_record){ .type = DNS_TYPE_CNAME, .text = s->external_name });
		return;
	}
	if (is_set(s->address)) {
		if (!host && type == DNS_TYPE_A)
			add_addr(a, s->address);
		a->rcode = host ? DNS_NXDOMAIN : DNS_OK;
		return;
	}
	known = false;
	for (uint32_t i = 0; i < s->n_endpoints; i++) {
		if (host && !is_host(&s->endpoints[i], host))
			continue;
		known = true;
		if (type == DNS_TYPE_A)
			add_addr(a, s->endpoints[i].address);
	}
	a->rcode = known ? DNS_OK : DNS_NXDOMAIN;
}

static void find_srv(const struct dns_zone *z, const struct dns_service *s, const char *port, const char *proto, unsigned type, struct dns_zone_answer *a)
{
	bool known = false;
	char dash[20];
	for (uint32_t i = 0; i < s->n_ports; i++) {
		const struct dns_port *p = &s->ports[i];
		if (!is_set(p->name) || strcmp(p->name, port) || strcmp(p->protocol ? p->protocol : "tcp", proto))
			continue;
		known = true;
		if (type == DNS_TYPE_SRV && is_set(s->address))
			add(a, (struct dns_record){ .type = DNS_TYPE_SRV, .port = p->port, .weight = 100, .text = keep(a, "%s.%s.svc.%s", s->name, s->namespace, z->domain) });
		for (uint32_t k = 0; type == DNS_TYPE_SRV && !is_set(s->address) && k < s->n_endpoints; k++) {
			dashed(s->endpoints[k].address, dash);
			add(a, (struct dns_record){ .type = DNS_TYPE_SRV, .port = p->port, .weight = (uint16_t)MAX(100 / s->n_endpoints, 1u),
				.text = keep(a, "%s.%s.%s.svc.%s", is_set(s->endpoints[k].hostname) ? s->endpoints[k].hostname : dash, s->name, s->namespace, z->domain) });
		}
	}
	a->rcode = known ? DNS_OK : DNS_NXDOMAIN;
}

/* An address of a service or an endpoint is ours; others are asked elsewhere. */
static bool find_reverse(const struct dns_zone *z, const char *name, unsigned type, struct dns_zone_answer *a)
{
	uint32_t addr;
	char text[20], dash[20];
	if (!dns_reverse_addr(name, &addr))
		return false;
	struct in_addr in = { htonl(addr) };
	inet_ntop(AF_INET, &in, text, sizeof text);
	const struct holders *h = map_gets(&z->reverse, text);
	dashed(text, dash);
	for (size_t i = 0; h && type == DNS_TYPE_PTR && i < h->v.n; i++) {
		const struct dns_service *s = &h->v.v[i].s->s;
		if (is_set(s->address))
			add(a, (struct dns_record){ .type = DNS_TYPE_PTR, .text = keep(a, "%s.%s.svc.%s", s->name, s->namespace, z->domain) });
		else
			add(a, (struct dns_record){ .type = DNS_TYPE_PTR,
				.text = keep(a, "%s.%s.%s.svc.%s", is_set(h->v.v[i].hostname) ? h->v.v[i].hostname : dash, s->name, s->namespace, z->domain) });
	}
	return h;
}

static bool namespace_known(const struct dns_zone *z, const char *ns)
{
	size_t pos = 0, n = strlen(ns);
	for (struct map_entry *m; (m = map_next(&z->services, &pos));)
		if (m->key_len > n && !memcmp(m->key, ns, n) && m->key[n] == '/')
			return true;
	return false;
}

static void find_pod(const char *label, unsigned type, struct dns_zone_answer *a)
{
	char text[20];
	uint32_t addr;
	size_t i = 0;
	for (; label[i] && i < sizeof text - 1; i++)
		text[i] = label[i] == '-' ? '.' : label[i];
	text[i] = 0;
	if (!parse_addr(text, &addr))
		a->rcode = DNS_NXDOMAIN;
	else if (type == DNS_TYPE_A)
		add(a, (struct dns_record){ .type = DNS_TYPE_A, .addr = addr });
}

bool dns_zone_find(const struct dns_zone *z, const char *name, unsigned type, struct dns_zone_answer *a)
{
	enum { LABELS = 8 };
	char copy[DNS_NAME_MAX + 1], *labels[LABELS], key[KEY_MAX];
	size_t n = strlen(name), zone = strlen(z->domain), k = 0;
	a->rcode = DNS_OK;
	a->n = a->used = 0;
	if (find_reverse(z, name, type, a))
		return true;
	if (n < zone || strcmp(name + n - zone, z->domain) || (n > zone && name[n - zone - 1] != '.'))
		return false;
	if (n == zone)
		return true;
	fmt_into(copy, sizeof copy, "%.*s", (int)(n - zone - 1), name);
	/* from the right: svc, namespace, service, … */
	for (char *dot; k < LABELS; copy[dot ? dot - copy : 0] = 0) {
		dot = strrchr(copy, '.');
		labels[k++] = dot ? dot + 1 : copy;
		if (!dot)
			break;
	}
	a->rcode = DNS_NXDOMAIN;
	if (k == 1 && !strcmp(labels[0], "dns-version")) {
		a->rcode = DNS_OK;
		if (type == DNS_TYPE_TXT)
			add(a, (struct dns_record){ .type = DNS_TYPE_TXT, .text = "1.1.0" });
		return true;
	}
	if (strcmp(labels[0], "svc") && strcmp(labels[0], "pod"))
		return true;
	if (k == 1 || (k == 2 && namespace_known(z, labels[1]))) {
		a->rcode = DNS_OK; /* an empty place between names */
		return true;
	}
	if (!strcmp(labels[0], "pod")) {
		if (k == 3) {
			a->rcode = DNS_OK;
			find_pod(labels[2], type, a);
		}
		return true;
	}
	struct service *s = k >= 3 && fmt_into(key, sizeof key, "%s/%s", labels[1], labels[2]) ? map_gets(&z->services, key) : NULL;
	if (!s)
		return true;
	a->rcode = DNS_OK;
	if (k == 3)
		find_service(&s->s, NULL, type, a);
	else if (k == 5 && labels[4][0] == '_' && labels[3][0] == '_')
		find_srv(z, &s->s, labels[4] + 1, labels[3] + 1, type, a);
	else if (k == 4 && labels[3][0] != '_')
		find_service(&s->s, labels[3], type, a);
	else
		a->rcode = k == 4 ? DNS_OK : DNS_NXDOMAIN;
	return true;
}
