// SPDX-License-Identifier: Apache-2.0
/*
 * net/ by hand, for the tests beside: one command a line on stdin, one answer
 * a line on stdout ("ok …" or "error CODE text"). Not part of the product.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "io/fiber.h"
#include "io/loop.h"
#include "net/net.h"
#include "store/kv.h"

enum { WORDS = 64 };
struct tool {
	struct loop *loop;
	struct kv *kv;
	struct net *net;
	struct net_options options;
	char *word[WORDS];
	unsigned n;
};

/* The value of key=value among the words, or NULL. */
static const char *opt(struct tool *t, const char *key)
{
	size_t n = strlen(key);
	for (unsigned i = 1; i < t->n; i++)
		if (!strncmp(t->word[i], key, n) && t->word[i][n] == '=')
			return t->word[i] + n + 1;
	return NULL;
}

static uint32_t opts(struct tool *t, const char *key, const char **v)
{
	uint32_t k = 0;
	size_t n = strlen(key);
	for (unsigned i = 1; i < t->n; i++)
		if (!strncmp(t->word[i], key, n) && t->word[i][n] == '=')
			v[k++] = t->word[i] + n + 1;
	return k;
}

static int create(struct tool *t, struct err *e)
{
	const char *raw[WORDS];
	struct schema_pair pairs[WORDS];
	uint32_t n = opts(t, "opt", raw);
	for (uint32_t i = 0; i < n; i++) {
		char *eq = strchr(raw[i], '=');
		*eq = 0;
		pairs[i] = (struct schema_pair){ raw[i], eq + 1 };
	}
	struct net_create c = { .name = t->word[1], .driver = opt(t, "driver"), .subnet = opt(t, "subnet"), .gateway = opt(t, "gateway"),
		.ip_range = opt(t, "range"), .internal = opt(t, "internal"), .options = pairs, .n_options = n };
	const struct net_network *w;
	int r = net_create_wait(t->net, &c, &w, e);
	if (r == 0)
		printf("ok %s %s %s %s\n", w->id, w->subnet, w->gateway, w->bridge);
	return r;
}

static int list(struct tool *t)
{
	size_t pos = 0;
	printf("ok");
	for (const struct net_network *w; (w = net_next(t->net, &pos));)
		printf(" %s:%s:%s:%s", w->name, w->driver, w->subnet, w->bridge);
	printf("\n");
	return 0;
}

static int attach(struct tool *t, struct err *e)
{
	const char *aliases[WORDS];
	struct net_attach a = { .container = t->word[1], .network = t->word[2], .ipv4 = opt(t, "ip"), .mac = opt(t, "mac"), .aliases = aliases };
	a.n_aliases = opts(t, "alias", aliases);
	if (opt(t, "gw"))
		a.gw_priority = (int32_t)strtol(opt(t, "gw"), NULL, 10);
	const struct net_endpoint *p;
	int r = net_attach_wait(t->net, &a, &p, e);
	if (r == 0)
		printf("ok %s %s/%u %s %s %s\n", p->id, p->ipv4, p->prefix_len, p->gateway, p->mac, p->ifname);
	return r;
}

/* [ip,]first[-last],port[/proto] */
static int publish(struct tool *t, struct err *e)
{
	struct net_port_request q[WORDS] = { 0 };
	for (unsigned i = 2; i < t->n; i++) {
		struct slice rest = slice_of(t->word[i]), part[3], first, last, port, proto;
		unsigned n = 0;
		while (n < 3 && slice_next(&rest, ',', &part[n]))
			n++;
		if (n == 3)
			q[i - 2].host_ip = slice_dup(part[0]);
		uint64_t v = 0;
		bool range = slice_cut(part[n - 2], '-', &first, &last);
		num_parse_u64(first, 65535, &v);
		q[i - 2].host_first = q[i - 2].host_last = (uint16_t)v;
		if (range && num_parse_u64(last, 65535, &v) == 0)
			q[i - 2].host_last = (uint16_t)v;
		slice_cut(part[n - 1], '/', &port, &proto);
		num_parse_u64(port, 65535, &v);
		q[i - 2].container_port = (uint16_t)v;
		net_proto_parse(proto, &q[i - 2].proto);
	}
	int r = net_publish_wait(t->net, t->word[1], q, t->n - 2, e);
	if (r == 0)
		printf("ok\n");
	return r;
}

static int ports(struct tool *t)
{
	const struct net_port *v;
	uint32_t n = net_ports(t->net, t->word[1], &v);
	printf("ok");
	for (uint32_t i = 0; i < n; i++)
		printf(" %s:%u:%u/%s", v[i].host_ip, v[i].host_port, v[i].container_port, net_proto_name(v[i].proto));
	printf("\n");
	return 0;
}

static int endpoints(struct tool *t)
{
	size_t pos = 0;
	printf("ok");
	for (const struct net_endpoint *p; (p = net_endpoint_next(t->net, t->word[1], NULL, &pos));)
		printf(" %s=%s", p->ifname, p->ipv4);
	printf("\n");
	return 0;
}

static int stats(struct tool *t)
{
	AUTO(arena) struct arena a;
	arena_init(&a, 1024 * 1024);
	struct net_interface_stats *v;
	uint32_t n = 0;
	int r = net_stats_wait(t->net, t->word[1], &a, &v, &n);
	if (r < 0)
		return r;
	printf("ok");
	for (uint32_t i = 0; i < n; i++)
		printf(" %s:%llu:%llu", v[i].name, (unsigned long long)v[i].rx_bytes, (unsigned long long)v[i].tx_bytes);
	printf("\n");
	return 0;
}

static bool is_listed(void *arg, const char *container)
{
	struct tool *t = arg;
	for (unsigned i = 1; i < t->n; i++)
		if (!strcmp(t->word[i], container))
			return true;
	return false;
}

/* Medians of `bench N`: open, attach, publish, close. */
static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

static int bench(struct tool *t, struct err *e)
{
	enum { MOST = 512 };
	static int64_t v[5][MOST];
	unsigned n = t->n > 1 ? (unsigned)strtol(t->word[1], NULL, 10) : 50;
	for (unsigned i = 0; i < n && i < MOST; i++) {
		char id[65];
		fmt_into(id, sizeof id, "%064x", i + 1);
		int64_t at[6];
		struct net_sandbox_options o = { .container = id, .name = id };
		struct net_attach a = { .container = id, .network = t->n > 2 ? t->word[2] : "bridge" };
		struct net_port_request q = { .container_port = 80 };
		at[0] = clock_monotonic_ns();
		int r = net_sandbox_open_wait(t->net, &o, NULL, e);
		at[1] = clock_monotonic_ns();
		if (r == 0)
			r = net_attach_wait(t->net, &a, NULL, e);
		at[2] = clock_monotonic_ns();
		if (r == 0)
			r = net_publish_wait(t->net, id, &q, 1, e);
		at[3] = clock_monotonic_ns();
		net_sandbox_close_wait(t->net, id);
		at[4] = clock_monotonic_ns();
		if (r < 0)
			return r;
		for (int k = 0; k < 4; k++)
			v[k][i] = at[k + 1] - at[k];
		sleep_wait(20 * NS_PER_MS);
	}
	static const char *const what[] = { "open", "attach", "publish", "close" };
	printf("ok");
	for (int k = 0; k < 4; k++) {
		qsort(v[k], n, sizeof v[k][0], by_value);
		printf(" %s %.3f ms", what[k], (double)v[k][n / 2] / 1e6);
	}
	printf("\n");
	return 0;
}

static int command(struct tool *t, struct err *e)
{
	const char *c = t->word[0];
	int r = 0;
	if (!strcmp(c, "create") && t->n > 1)
		return create(t, e);
	if (!strcmp(c, "ls"))
		return list(t);
	if (!strcmp(c, "attach") && t->n > 2)
		return attach(t, e);
	if (!strcmp(c, "publish") && t->n > 2)
		return publish(t, e);
	if (!strcmp(c, "ports") && t->n > 1)
		return ports(t);
	if (!strcmp(c, "endpoints") && t->n > 1)
		return endpoints(t);
	if (!strcmp(c, "stats") && t->n > 1)
		return stats(t);
	if (!strcmp(c, "bench"))
		return bench(t, e);
	if (!strcmp(c, "rm") && t->n > 1) {
		r = net_remove_wait(t->net, t->word[1], e);
	} else if (!strcmp(c, "sandbox") && t->n > 2) {
		const char *dns[WORDS];
		struct net_sandbox_options o = { .container = t->word[1], .name = t->word[2], .hostname = opt(t, "hostname"), .dns = dns, .host = opt(t, "host") };
		o.n_dns = opts(t, "dns", dns);
		struct schema_pair sysctl = { "net.ipv4.ip_default_ttl", opt(t, "ttl") };
		o.sysctls = &sysctl;
		o.n_sysctls = sysctl.value != NULL;
		const char *path;
		r = net_sandbox_open_wait(t->net, &o, &path, e);
		if (r == 0) {
			printf("ok %s\n", path);
			return 0;
		}
	} else if (!strcmp(c, "detach") && t->n > 2) {
		r = net_detach_wait(t->net, t->word[1], t->word[2], e);
	} else if (!strcmp(c, "unpublish") && t->n > 1) {
		r = net_unpublish_wait(t->net, t->word[1]);
	} else if (!strcmp(c, "close") && t->n > 1) {
		r = net_sandbox_close_wait(t->net, t->word[1]);
	} else if (!strcmp(c, "rename") && t->n > 2) {
		r = net_sandbox_rename_wait(t->net, t->word[1], t->word[2], e);
	} else if (!strcmp(c, "collect")) {
		r = net_collect_wait(t->net, is_listed, t);
	} else if (!strcmp(c, "down")) {
		r = net_down_wait(t->net, e);
	} else {
		r = err_set(e, EINVAL, "no such command: %s", c);
	}
	if (r == 0)
		printf("ok\n");
	return r;
}

static void one_line(struct tool *t, char *line)
{
	struct err e = { 0 };
	char *save;
	t->n = 0;
	for (char *w = strtok_r(line, " ", &save); w && t->n < WORDS; w = strtok_r(NULL, " ", &save))
		t->word[t->n++] = w;
	int r = t->n ? command(t, &e) : 0;
	if (r < 0)
		printf("error %s %s\n", err_name(-r), e.text);
	fflush(stdout);
}

static void run(void *arg)
{
	struct tool *t = arg;
	struct err e = { 0 };
	int r = net_open_wait(t->loop, t->kv, &t->options, &t->net, &e);
	if (r < 0)
		printf("error %s %s\n", err_name(-r), e.text);
	else
		printf("ok\n");
	fflush(stdout);
	AUTO(buf) struct buf in = BUF_INIT(1024 * 1024);
	fd_set_nonblock(0, true);
	while (r >= 0) {
		ptrdiff_t end;
		while ((end = slice_find(buf_slice(&in), '\n')) >= 0) {
			in.ptr[end] = 0;
			one_line(t, in.ptr);
			buf_drop(&in, (size_t)end + 1);
		}
		buf_reserve(&in, 4096);
		ssize_t n = read(0, in.ptr + in.len, 4096);
		if (n == 0)
			break;
		if (n < 0 && errno == EAGAIN)
			fd_wait(0, WATCH_READ, -1);
		else if (n < 0)
			break;
		else
			in.len += (size_t)n;
	}
	net_free(t->net);
	loop_stop(t->loop);
}

int main(int argc, char **argv)
{
	struct tool t = { .options = { .dns_program = getenv("CORACLED"), .run = argc > 1 ? argv[1] : NULL } };
	struct err e = { 0 };
	char path[4096];
	if (argc < 4) {
		fprintf(stderr, "usage: net-tool RUN BRIDGE TABLE [SUBNET]\n");
		return 2;
	}
	t.options.bridge = argv[2];
	t.options.table = argv[3];
	t.options.subnet = argc > 4 ? argv[4] : NULL;
	fmt_into(path, sizeof path, "%s/state.db", argv[1]);
	if (loop_new(&t.loop, &e) < 0 || kv_open(t.loop, path, &t.kv, &e) < 0 || fiber_start(t.loop, "tool", run, &t) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	loop_run(t.loop);
	kv_close(t.kv);
	return 0;
}
