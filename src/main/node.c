/* SPDX-License-Identifier: Apache-2.0 */
/* The role `node`: flags, its certificate, and the kubelet. */
#include "main/node.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/kube.h"
#include "base/auto.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "codec/base64.h"
#include "io/fiber.h"
#include "kube/auth/ca.h"
#include "kube/node/node.h"
#include "main/folders.h"
#include "main/node_cleanup.h"
#include "main/node_services.h"
#include "schema/tree.h"

struct options {
	const char *kubeconfig, *name, *runtime, *root, *run, *config, *listen, *dns, *domain, *ip, *labels, *logs, *cgroup_root, *cert, *key, *client_ca,
		*log_level, *proxy_kubeconfig, *proxy_table, *dns_link;
	bool cleanup;
};

#define OPT(f) offsetof(struct options, f)
static const struct flag {
	const char *name;
	size_t at;
	const char *help;
} flags[] = {
	{ "kubeconfig", OPT(kubeconfig), "how to reach the API server (CONFIG/kubeconfig)" },
	{ "node-name", OPT(name), "name of this node (the host's)" },
	{ "container-runtime-endpoint", OPT(runtime), "socket of a CRI v1 runtime (RUN/cri.sock)" },
	{ "root", OPT(root), "folder of everything that lasts" },
	{ "run", OPT(run), "folder of what a boot does not outlive" },
	{ "config", OPT(config), "folder of configuration" },
	{ "listen", OPT(listen), "HOST:PORT of the kubelet's API (0.0.0.0:10250); port 0: none" },
	{ "cluster-dns", OPT(dns), "name server of pods (10.96.0.10)" },
	{ "cluster-domain", OPT(domain), "domain of the cluster (cluster.local)" },
	{ "node-ip", OPT(ip), "address of this node" },
	{ "node-labels", OPT(labels), "labels of this node: a=b,c=d" },
	{ "pod-logs", OPT(logs), "folder of container logs (/var/log/pods)" },
	{ "cgroup-root", OPT(cgroup_root), "cgroup above those of pods (/kubepods)" },
	{ "tls-cert-file", OPT(cert), "certificate of the kubelet's API (self-signed)" },
	{ "tls-private-key-file", OPT(key), "its key" },
	{ "client-ca-file", OPT(client_ca), "whose client certificates are let in (the kubeconfig's authority)" },
	{ "proxy-kubeconfig", OPT(proxy_kubeconfig), "how the service proxy reaches the API server; none: no service proxy (the kubelet's)" },
	{ "nft-table", OPT(proxy_table), "nftables table of services, family inet (coracle_node)" },
	{ "dns-link", OPT(dns_link), "device that carries the name server's address (coracle-dns)" },
	{ "log-level", OPT(log_level), "debug, info, warn, error" },
};

static int usage(FILE *f, int code)
{
	fprintf(f, "usage: coracle node [flags]\n\n");
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		fprintf(f, "  --%-28s %s\n", flags[i].name, flags[i].help);
	fprintf(f, "  --%-28s %s\n", "cleanup", "only remove what a node that has ended left in the kernel: mounts of volumes, rules, devices");
	return code;
}

static int read_flags(int argc, char **argv, struct options *o)
{
	struct option rows[ARRAY_LEN(flags) + 3] = { 0 };
	int c, index;

	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		rows[i] = (struct option){ flags[i].name, required_argument, NULL, 1 };
	rows[ARRAY_LEN(flags)] = (struct option){ "help", no_argument, NULL, 'h' };
	rows[ARRAY_LEN(flags) + 1] = (struct option){ "cleanup", no_argument, NULL, 'c' };
	optind = 1;
	while ((c = getopt_long(argc, argv, "", rows, &index)) >= 0) {
		if (c == 'h')
			return usage(stdout, 1);
		if (c == 'c') {
			o->cleanup = true;
			continue;
		}
		if (c != 1)
			return -EINVAL;
		*(const char **)((char *)o + flags[index].at) = optarg;
	}
	if (optind < argc || !o->cert != !o->key) {
		fprintf(stderr, "node: %s\n", optind < argc ? "takes no arguments" : "--tls-cert-file and --tls-private-key-file go together");
		return -EINVAL;
	}
	return 0;
}

struct role {
	struct options o;
	struct loop *loop;
	struct node_run *node;
	struct node_services *services;
	struct kube_ca *ca;
	struct arena a;
	char host[256];
	bool is_stopping;
};

static int split_listen(struct role *x, struct node_config *c, struct err *e)
{
	ptrdiff_t colon = slice_rfind(slice_of(x->o.listen), ':');
	int64_t port;

	if (colon < 0 || num_parse_i64(slice_of(x->o.listen + colon + 1), 0, 65535, &port) < 0)
		return err_set(e, EINVAL, "--listen %s: must be HOST:PORT", x->o.listen);
	struct slice host = slice_n(x->o.listen, (size_t)colon);
	fmt_into(x->host, sizeof x->host, "%.*s", SLICE_FMT(slice_is(host, "0.0.0.0") ? SLICE("") : host));
	c->listen_host = x->host;
	c->listen_port = (unsigned)port;
	return 0;
}

/* The authority in the kubeconfig, as a file for TLS. */
static int client_ca(struct role *x, const char *dir, struct node_config *c, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(4 << 20), pem = BUF_INIT(1 << 20);
	struct tree docs;
	struct kube_config k;

	int r = file_read(AT_FDCWD, x->o.kubeconfig, &text);
	if (r < 0)
		return err_sys(e, r, "reading %s", x->o.kubeconfig);
	r = tree_from_yaml(buf_slice(&text), 0, &x->a, &docs, e);
	if (r == 0)
		r = docs.n ? tree_to_struct(&docs.items[0], T_kube_config, 0, &x->a, &k, e) : err_set(e, EINVAL, "%s is empty", x->o.kubeconfig);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < k.n_clusters && !c->client_ca; i++) {
		const struct kube_cluster *cl = &k.clusters[i].cluster;
		if (cl->certificate_authority_data.len) {
			c->client_ca = arena_fmt(&x->a, "%s/client-ca.crt", dir);
			r = file_write_atomic(AT_FDCWD, c->client_ca, cl->certificate_authority_data, 0644, e);
		} else if (cl->certificate_authority && *cl->certificate_authority) {
			c->client_ca = cl->certificate_authority;
		}
	}
	return r;
}

/* A serving certificate of the node's own when none was given. */
static int certificate(struct role *x, struct node_config *c, struct err *e)
{
	const char *dir = arena_fmt(&x->a, "%s/node/pki", x->o.root), *names[4];
	char host[256] = "localhost";
	int r = dir_make(AT_FDCWD, dir, 0700);

	if (r < 0)
		return err_sys(e, r, "making %s", dir);
	if (!c->client_ca)
		r = client_ca(x, dir, c, e);
	if (r < 0 || c->tls_cert)
		return r;
	gethostname(host, sizeof host - 1);
	unsigned n = 0;
	names[n++] = host;
	names[n++] = "127.0.0.1";
	if (c->ip)
		names[n++] = c->ip;
	if (c->name && strcmp(c->name, host))
		names[n++] = c->name;
	struct kube_ca_options o = { .dir = dir };
	struct kube_cert cert = { .common_name = arena_fmt(&x->a, "system:node:%s", c->name ? c->name : host), .names = names, .n_names = n, .is_server = true };
	r = kube_ca_open(&o, &x->ca, e);
	if (r >= 0)
		r = kube_ca_ensure(x->ca, dir, "kubelet", &cert, e);
	c->tls_cert = arena_fmt(&x->a, "%s/kubelet.crt", dir);
	c->tls_key = arena_fmt(&x->a, "%s/kubelet.key", dir);
	return r;
}

static void stopped(void *arg)
{
	loop_stop(((struct role *)arg)->loop);
}

static void stop_services(void *arg)
{
	struct role *x = arg;

	node_services_stop_wait(x->services);
	x->services = NULL;
	node_run_stop(x->node, stopped, x);
}

static void on_signal(void *arg, int signal)
{
	struct role *x = arg;

	if (x->is_stopping || fiber_start(x->loop, "stop", stop_services, x) < 0)
		loop_stop(x->loop);
	x->is_stopping = true;
}

static int run(struct role *x, struct err *e)
{
	const struct options *o = &x->o;
	struct node_config c = { .kubeconfig = o->kubeconfig, .name = o->name, .root = o->root, .run = o->run, .logs = o->logs, .ip = o->ip, .labels = o->labels,
		.cgroup_root = o->cgroup_root, .tls_cert = o->cert, .tls_key = o->key, .client_ca = o->client_ca,
		.cluster_dns = o->dns, .cluster_domain = o->domain,
		.runtime_socket = o->runtime ? o->runtime : arena_fmt(&x->a, "%s/cri.sock", o->run) };
	int r = split_listen(x, &c, e);

	if (r == 0 && c.listen_port)
		r = certificate(x, &c, e);
	if (r >= 0)
		r = loop_new(&x->loop, e);
	if (r < 0)
		return r;
	loop_signal(x->loop, SIGTERM, on_signal, x);
	loop_signal(x->loop, SIGINT, on_signal, x);
	r = node_run_new(x->loop, &c, &x->node, e);
	const struct node_services_options so = { .kubeconfig = o->proxy_kubeconfig ? o->proxy_kubeconfig : o->kubeconfig, .node_name = o->name, .table = o->proxy_table,
		.run = o->run, .dns = o->dns, .domain = o->domain, .dns_link = o->dns_link };
	if (r >= 0 && strcmp(so.kubeconfig, "none"))
		r = node_services_start(x->loop, &so, &x->services, e);
	if (r < 0)
		return r;
	r = loop_run(x->loop);
	node_run_free(x->node);
	return r;
}

int node_main(int argc, char **argv)
{
	struct role x = { .o = { .root = DEFAULT_ROOT, .run = DEFAULT_RUN, .config = DEFAULT_CONFIG, .listen = "0.0.0.0:10250", .dns = "10.96.0.10",
		.domain = "cluster.local" } };
	struct err e = { 0 };
	int r = read_flags(argc, argv, &x.o);

	if (r != 0)
		return r < 0 ? 2 : 0;
	arena_init(&x.a, 16 << 20);
	if (x.o.log_level)
		log_setup(!strcmp(x.o.log_level, "debug") ? LOG_DEBUG_ : !strcmp(x.o.log_level, "warn") ? LOG_WARN_ : !strcmp(x.o.log_level, "error") ? LOG_ERROR_ :
			LOG_INFO_, "node");
	if (!x.o.kubeconfig)
		x.o.kubeconfig = arena_fmt(&x.a, "%s/kubeconfig", x.o.config);
	r = x.o.cleanup ? node_cleanup(arena_fmt(&x.a, "%s/node/pods", x.o.root), x.o.cgroup_root ? x.o.cgroup_root : "/kubepods", x.o.proxy_table, x.o.dns_link, &e) : run(&x, &e);
	if (r < 0)
		log_error("node cannot run", "error=%s", e.code ? e.text : err_name(-r));
	kube_ca_free(x.ca);
	if (x.loop)
		loop_free(x.loop);
	arena_release(&x.a);
	return r < 0 ? 1 : 0;
}
