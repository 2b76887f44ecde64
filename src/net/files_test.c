// SPDX-License-Identifier: Apache-2.0
#include "base/auto.h"
#include "base/test.h"
#include "net/net.h"

#include <errno.h>

static void check_resolv(const char *host, struct net_dns_settings s, bool embedded, const char *want)
{
	AUTO(buf) struct buf out = BUF_INIT(4096);
	CHECK_INT(net_resolv_conf(slice_of(host), &s, embedded, &out), 0);
	CHECK_STR(out.ptr, want);
}

TEST(resolv_conf_of_the_default_bridge_has_no_loopback_server)
{
	check_resolv("# c\nnameserver 127.0.0.53\nnameserver 10.0.0.2\nnameserver ::1\nsearch a.example\nsearch b.example c.example\noptions edns0 trust-ad\n",
		(struct net_dns_settings){ 0 }, false, "nameserver 10.0.0.2\nsearch b.example c.example\noptions edns0 trust-ad\n");
	check_resolv("nameserver 127.0.0.53\n", (struct net_dns_settings){ 0 }, false, "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
	check_resolv("", (struct net_dns_settings){ 0 }, false, "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
}

TEST(resolv_conf_of_a_user_network_asks_the_embedded_server)
{
	const char *const servers[] = { "1.1.1.1" }, *const search[] = { "x.y", "z" }, *const none[] = { "." }, *const options[] = { "ndots:3" };
	check_resolv("nameserver 10.0.0.2\n", (struct net_dns_settings){ 0 }, true, "nameserver 127.0.0.11\noptions ndots:0\n");
	check_resolv("nameserver 10.0.0.2\noptions edns0\n", (struct net_dns_settings){ .servers = servers, .n_servers = 1, .search = search, .n_search = 2 }, true,
		"nameserver 127.0.0.11\nsearch x.y z\noptions edns0 ndots:0\n");
	check_resolv("search q\n", (struct net_dns_settings){ .search = none, .n_search = 1, .options = options, .n_options = 1 }, true,
		"nameserver 127.0.0.11\noptions ndots:3\n");
	check_resolv("nameserver 10.0.0.2\n", (struct net_dns_settings){ .servers = servers, .n_servers = 1 }, false, "nameserver 1.1.1.1\n");
}

#define HEAD "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"
TEST(hosts_file)
{
	AUTO(buf) struct buf out = BUF_INIT(4096);
	struct err e = { 0 };
	const char *const addrs[] = { "172.17.0.2" };
	const char *const extra[] = { "db:10.0.0.5", "host.docker.internal:host-gateway", "six=[fd00::1]" };
	struct net_hosts_settings s = { .hostname = "web", .domainname = "example.org", .addresses = addrs, .n_addresses = 1, .extra = extra, .n_extra = 3,
		.host_gateway = "172.17.0.1" };
	CHECK_OK(net_hosts(&s, &out, &e), &e);
	CHECK_STR(out.ptr, HEAD "10.0.0.5\tdb\n172.17.0.1\thost.docker.internal\nfd00::1\tsix\n172.17.0.2\tweb.example.org web\n");
	const char *const bad[] = { "db:nowhere" };
	s.extra = bad;
	s.n_extra = 1;
	CHECK_INT(net_hosts(&s, &out, &e), -EINVAL);
	CHECK_STR(e.text, "invalid IP address in add-host: \"nowhere\"");
	s.extra = (const char *const[]){ "db" };
	CHECK_INT(net_hosts(&s, &out, &e), -EINVAL);
}
