// SPDX-License-Identifier: Apache-2.0
/* Opening and closing: the order in which records, kernel and dns process are brought together. */
#include "net/net.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "net/net_int.h"

enum { READY_DEFAULT = 4, RESOLV_MAX_BYTES = 64 * 1024 };

static char *dup_or(const char *s, const char *otherwise)
{
	return slice_dup(slice_of(s ? s : otherwise));
}

static int set_up(struct net *n, const struct net_options *o, struct err *e)
{
	n->kernel = o->kernel ? o->kernel : &net_kernel_real;
	n->no_firewall_rule = o->no_firewall_rule;
	n->pods = o->pods;
	n->ready_want = o->ready ? o->ready : READY_DEFAULT;
	list_init(&n->networks);
	map_init(&n->sandboxes);
	ports_init(&n->ports);
	fmutex_init(&n->create_lock);
	waitq_init(&n->refilled);
	buf_init(&n->resolv_conf, RESOLV_MAX_BYTES);
	n->run = dup_or(o->run, "");
	n->bridge = dup_or(o->bridge, "coracle0");
	n->table = dup_or(o->table, "coracle_engine");
	n->resolv_path = dup_or(o->resolv_conf, "/etc/resolv.conf");
	n->dns_program = o->dns_program ? dup_or(o->dns_program, "") : NULL;
	if (!n->run || !n->bridge || !n->table || !n->resolv_path || (o->dns_program && !n->dns_program))
		return err_nomem(e);
	if (strlen(n->bridge) == 0 || strlen(n->bridge) > 15)
		return err_set(e, EINVAL, "invalid bridge name \"%s\"", n->bridge);
	for (uint32_t i = 0; i < o->n_pools; i++)
		if (vec_push(&n->pools, (struct ipam_pool){ o->pools[i], o->pools[i].len < 16 ? 16 : o->pools[i].len }) < 0)
			return err_nomem(e);
	for (size_t i = 0; o->n_pools == 0 && i < ipam_n_default_pools; i++)
		if (vec_push(&n->pools, ipam_default_pools[i]) < 0)
			return err_nomem(e);
	return 0;
}

struct netlink net_nft_take(struct net *n)
{
	return n->nft_idle.n ? n->nft_idle.v[--n->nft_idle.n] : NETLINK_CLOSED;
}

void net_nft_give_back(struct net *n, struct netlink nl)
{
	if (nl.fd >= 0 && vec_push(&n->nft_idle, nl) < 0)
		netlink_close(&nl);
}

struct commit_job { const struct net_kernel *k; struct nft_batch *b; struct netlink nl; struct err err; };
static int commit_job(void *arg)
{
	struct commit_job *j = arg;
	return j->k->commit(&j->nl, j->b, &j->err);
}

int net_commit_wait(struct net *n, struct nft_batch *b, struct err *e)
{
	if (nft_batch_empty(b))
		return 0;
	struct commit_job j = { n->kernel, b, net_nft_take(n), { 0 } };
	int r = net_job_wait(commit_job, &j);
	net_nft_give_back(n, j.nl);
	return r < 0 ? err_set(e, r, "%s", j.err.text) : 0;
}

struct start_job { const struct net_kernel *k; struct err err; };
static int start_job(void *arg)
{
	struct start_job *j = arg;
	return j->k->forwarding_on(&j->err);
}

/* Bridges first, then table, networks and ports in one transaction: what was published stays so without a gap. */
static int bring_up_wait(struct net *n, struct err *e)
{
	AUTO(nft_batch) struct nft_batch b;
	nft_batch_init(&b);
	rules_base(&b, n->table, n->pods);
	struct start_job j = { n->kernel, { 0 } };
	int r = net_job_wait(start_job, &j);
	if (r < 0)
		return err_set(e, r, "%s", j.err.text);
	if ((r = networks_up_wait(n, &b, e)) < 0)
		return r;
	size_t pos = 0;
	for (struct map_entry *x; (x = map_next(&n->sandboxes, &pos));) {
		struct sandbox *s = x->value;
		if (s->target)
			ports_elements(n, &b, s, true);
		sandbox_self_elements(n, &b, s, true);
	}
	r = net_commit_wait(n, &b, e);
	return r < 0 ? err_prefix(e, "set up nftables table %s", n->table) : 0;
}

static int open_wait(struct net *n, const struct net_options *o, struct err *e)
{
	int r = set_up(n, o, e);
	if (r < 0 || (r = networks_load_wait(n, o, e)) < 0)
		return r;
	if ((r = sandboxes_load(n, e)) < 0 || (r = bring_up_wait(n, e)) < 0)
		return r;
	struct dns_source source = net_dns_source(n);
	r = dns_client_new(n->loop, n->run, n->dns_program, &source, &n->dns);
	if (r < 0)
		return err_sys(e, r, "start the client of the dns process");
	net_refill(n);
	return 0;
}

int net_open_wait(struct loop *l, struct kv *kv, const struct net_options *o, struct net **ret, struct err *e)
{
	struct net *n = calloc(1, sizeof *n);
	if (!n)
		return err_nomem(e);
	n->loop = l;
	n->kv = kv;
	int r = open_wait(n, o, e);
	if (r < 0) {
		net_free(n);
		return r;
	}
	*ret = n;
	return 0;
}

void net_free(struct net *n)
{
	if (!n)
		return;
	n->closing = true;
	dns_client_free(n->dns);
	n->dns = NULL;
	/* The fiber that makes namespaces comes back to it once more and calls again. */
	if (n->refilling)
		return;
	sandboxes_free(n);
	networks_free(n);
	ports_release(&n->ports);
	for (size_t i = 0; i < n->ready.n; i++)
		free(n->ready.v[i]);
	vec_release(&n->ready);
	for (size_t i = 0; i < n->nft_idle.n; i++)
		netlink_close(&n->nft_idle.v[i]);
	vec_release(&n->nft_idle);
	vec_release(&n->quarantine);
	vec_release(&n->pools);
	buf_release(&n->resolv_conf);
	free(n->run);
	free(n->bridge);
	free(n->table);
	free(n->resolv_path);
	free(n->dns_program);
	free(n);
}

struct end_job { struct net *n; };
static int end_job(void *arg)
{
	struct end_job *j = arg;
	char path[4096];
	for (size_t i = 0; i < j->n->ready.n; i++)
		if (fmt_into(path, sizeof path, "%s/netns/%s", j->n->run, j->n->ready.v[i]))
			j->n->kernel->netns_drop(path);
	return 0;
}

int net_down_wait(struct net *n, struct err *e)
{
	if (n->sandboxes.n)
		return err_set(e, EBUSY, "%zu containers still have a network", n->sandboxes.n);
	n->ready_want = 0;
	while (n->refilling)
		waitq_wait(&n->refilled, -1);
	networks_down_wait(n);
	dns_client_stop_wait(n->dns);
	AUTO(nft_batch) struct nft_batch b;
	nft_batch_init(&b);
	nft_table_add(&b, NFT_INET, n->table);
	nft_table_del(&b, NFT_INET, n->table);
	struct end_job j = { n };
	net_job_wait(end_job, &j);
	int r = net_commit_wait(n, &b, e);
	for (size_t i = 0; i < n->ready.n; i++)
		free(n->ready.v[i]);
	n->ready.n = 0;
	return r < 0 ? err_prefix(e, "remove nftables table %s", n->table) : 0;
}

const char *net_host_gateway(struct net *n)
{
	return n->default_bridge ? n->default_bridge->pub.gateway : "";
}

struct slice net_host_resolv_conf(struct net *n)
{
	struct stat s;
	bool there = stat(n->resolv_path, &s) == 0;
	int64_t changed = there ? s.st_mtim.tv_sec * 1000000000LL + s.st_mtim.tv_nsec : -1;
	if (changed != n->resolv_changed) {
		n->resolv_changed = changed;
		buf_reset(&n->resolv_conf);
		if (there && file_read(AT_FDCWD, n->resolv_path, &n->resolv_conf) < 0)
			buf_reset(&n->resolv_conf);
	}
	return buf_slice(&n->resolv_conf);
}
