// SPDX-License-Identifier: Apache-2.0
/*
 * Networks: creation, removal, look-up, and bringing them up at start. A record
 * is durable before its bridge exists, and gone before its bridge goes; a
 * bridge without a record is swept at the next start by its name.
 */
#include <errno.h>
#include <stdio.h>

#include "api/net.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "base/rand.h"
#include "net/net_int.h"
#include "store/kv.h"

#define OPTION "com.docker.network."
enum { DEFAULT_MTU = 1500 };

static bool is_true(const char *s)
{
	return s && (!strcmp(s, "true") || !strcmp(s, "1") || !strcmp(s, "True") || !strcmp(s, "TRUE") || !strcmp(s, "t") || !strcmp(s, "T"));
}

struct network *network_by_id(struct net *n, const char *id)
{
	struct network *w;
	list_each(w, &n->networks, node)
		if (!strcmp(w->pub.id, id))
			return w;
	return NULL;
}

struct network *network_find(struct net *n, const char *key, struct err *e)
{
	struct network *w, *found = network_by_id(n, key);
	if (found)
		return found;
	list_each(w, &n->networks, node)
		if (!strcmp(w->pub.name, key))
			return w;
	unsigned matches = 0;
	list_each(w, &n->networks, node)
		if (key[0] && slice_starts(slice_of(w->pub.id), key)) {
			found = w;
			matches++;
		}
	if (matches == 1)
		return found;
	if (matches)
		err_set(e, EINVAL, "network %s is ambiguous (%u matches found based on ID prefix)", key, matches);
	else
		err_set(e, ENOENT, "network %s not found", key);
	return NULL;
}

int net_find(struct net *n, const char *key, const struct net_network **ret, struct err *e)
{
	struct err why = { 0 };
	struct network *w = network_find(n, key, &why);
	if (!w)
		return err_set(e, why.code, "%s", why.text);
	if (w->pub.owner[0])
		return err_set(e, ENOENT, "network %s not found", key);
	*ret = &w->pub;
	return 0;
}

static struct network *find_owned(struct net *n, const char *owner, const char *name)
{
	struct network *w;
	list_each(w, &n->networks, node)
		if (!strcmp(w->pub.owner, owner) && !strcmp(w->pub.name, name))
			return w;
	return NULL;
}

int net_find_owned(struct net *n, const char *owner, const char *name, const struct net_network **ret, struct err *e)
{
	struct network *w = find_owned(n, owner, name);
	if (!w)
		return err_set(e, ENOENT, "network %s of %s not found", name, owner);
	*ret = &w->pub;
	return 0;
}

const struct net_network *net_next(struct net *n, size_t *pos)
{
	size_t i = 0;
	struct network *w;
	list_each(w, &n->networks, node) {
		if (w->pub.owner[0])
			continue;
		if (i++ == *pos) {
			(*pos)++;
			return &w->pub;
		}
	}
	return NULL;
}

struct net_bridge network_bridge(const struct network *w)
{
	return (struct net_bridge){ w->pub.bridge, { w->gateway, w->subnet.len }, w->pub.mtu };
}

struct rules_network network_rules(const struct network *w)
{
	return (struct rules_network){ w->pub.bridge, w->masquerade, w->icc, w->pub.internal, w->pub.owner[0] != 0 };
}

static void network_free(struct network *w)
{
	list_del(&w->node);
	ipam_release(&w->ipam);
	arena_release(&w->arena);
	free(w);
}

void networks_free(struct net *n)
{
	struct network *w;
	list_each(w, &n->networks, node)
		network_free(w);
}

/* --- from record to network and back */

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

static void from_record(struct network *w, const struct net_network_record *r)
{
	w->pub = (struct net_network){
		.id = or_empty(r->id), .name = or_empty(r->name), .owner = or_empty(r->owner), .driver = or_empty(r->driver), .created = or_empty(r->created),
		.subnet = or_empty(r->subnet), .gateway = or_empty(r->gateway), .ip_range = or_empty(r->ip_range),
		.has_ipam_config = r->has_ipam_config, .internal = r->internal, .attachable = r->attachable, .enable_ipv6 = r->enable_ipv6,
		.bridge = or_empty(r->bridge), .mtu = r->mtu, .options = r->options, .n_options = r->n_options,
		.labels = r->labels, .n_labels = r->n_labels, .aux = r->aux, .n_aux = r->n_aux,
	};
}

static struct net_network_record to_record(const struct net_network *p)
{
	return (struct net_network_record){
		.id = p->id, .name = p->name, .owner = p->owner, .driver = p->driver, .created = p->created, .subnet = p->subnet, .gateway = p->gateway,
		.ip_range = p->ip_range, .has_ipam_config = p->has_ipam_config, .internal = p->internal, .attachable = p->attachable,
		.enable_ipv6 = p->enable_ipv6, .bridge = p->bridge, .mtu = p->mtu, .options = p->options, .n_options = p->n_options,
		.labels = p->labels, .n_labels = p->n_labels, .aux = p->aux, .n_aux = p->n_aux,
	};
}

static int read_options(struct network *w, struct err *e)
{
	const struct net_network *p = &w->pub;
	const char *icc = schema_pair_get(p->options, p->n_options, OPTION "bridge.enable_icc");
	const char *masq = schema_pair_get(p->options, p->n_options, OPTION "bridge.enable_ip_masquerade");
	const char *host = schema_pair_get(p->options, p->n_options, OPTION "bridge.host_binding_ipv4");
	w->icc = !icc || is_true(icc);
	w->masquerade = !masq || is_true(masq);
	if (host && host[0] && net_addr_parse(slice_of(host), &w->host_binding) < 0)
		return err_set(e, EINVAL, "invalid IPv4 address \"%s\" in option " OPTION "bridge.host_binding_ipv4", host);
	return 0;
}

/* Subnet, gateway, range and reserved addresses of a bridge network, into its allocator. */
static int read_addresses(struct network *w, struct err *e)
{
	struct net_cidr range;
	uint32_t addr;
	if (net_cidr_parse(slice_of(w->pub.subnet), &w->subnet) < 0 || w->subnet.len > SUBNET_SMALLEST)
		return err_set(e, EINVAL, "invalid network config:\ninvalid subnet %s: invalid CIDR block notation", w->pub.subnet);
	range = w->subnet;
	if (w->pub.ip_range[0] && (net_cidr_parse(slice_of(w->pub.ip_range), &range) < 0 || range.len < w->subnet.len || !net_cidr_has(w->subnet, range.addr)))
		return err_set(e, EINVAL, "invalid network config:\ninvalid ip-range %s: it should be within the subnet %s", w->pub.ip_range, w->pub.subnet);
	ipam_init(&w->ipam, w->subnet, range);
	if (net_addr_parse(slice_of(w->pub.gateway), &w->gateway) < 0 || ipam_take(&w->ipam, w->gateway) < 0)
		return err_set(e, EINVAL, "invalid network config:\ninvalid gateway %s: it should be an address of the subnet %s", w->pub.gateway, w->pub.subnet);
	for (uint32_t i = 0; i < w->pub.n_aux; i++)
		if (net_addr_parse(slice_of(w->pub.aux[i].value), &addr) < 0 || ipam_take(&w->ipam, addr) < 0)
			return err_set(e, EINVAL, "invalid network config:\ninvalid auxiliary address %s: it should be a free address of the subnet %s",
				w->pub.aux[i].value, w->pub.subnet);
	return 0;
}

static struct network *network_new(void)
{
	struct network *w = calloc(1, sizeof *w);
	if (!w)
		return NULL;
	arena_init(&w->arena, OBJECT_MAX_BYTES);
	list_init(&w->node);
	return w;
}

static int save_wait(struct net *n, struct network *w, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(RECORD_MAX_BYTES);
	struct net_network_record r = to_record(&w->pub);
	int result = schema_to_json(T_net_network_record, &r, 0, &text);
	if (result < 0 || (result = buf_error(&text)) < 0)
		return err_sys(e, result, "encode network %s", w->pub.name);
	char key[80];
	fmt_into(key, sizeof key, "network/%s", w->pub.id);
	return kv_put_wait(n->kv, key, buf_slice(&text), e);
}

/* --- kernel jobs */

struct up_job { const struct net_kernel *k; struct net_bridge bridge; uint32_t index; struct err err; };
static int up_job(void *arg)
{
	struct up_job *j = arg;
	return j->k->bridge_up(&j->bridge, &j->index, &j->err);
}

struct down_job { const struct net_kernel *k; const char *name; };
static int down_job(void *arg)
{
	struct down_job *j = arg;
	return j->k->bridge_down(j->name, NULL);
}

struct routes_job { const struct net_kernel *k; struct net_cidr v[1024]; size_t n; struct err err; };
static int routes_job(void *arg)
{
	struct routes_job *j = arg;
	return j->k->routes(j->v, ARRAY_LEN(j->v) / 2, &j->n, &j->err);
}

struct coexist_job { const struct net_kernel *k; const char *table; struct net_bridges there, gone; char where[160]; };
static int coexist_job(void *arg)
{
	struct coexist_job *j = arg;
	return j->k->coexist(j->table, &j->there, &j->gone, j->where, sizeof j->where);
}

/* Our rules in foreign forward chains follow the bridges there are: all but gone (NULL none), or none at all. */
static void coexist_wait(struct net *n, const char *gone, bool down)
{
	if (n->no_firewall_rule)
		return;
	AUTO(arena) struct arena a;
	arena_init(&a, OBJECT_MAX_BYTES);
	struct network *w;
	size_t count = 0;
	list_each(w, &n->networks, node)
		count += w->bridge_index != 0;
	const char **v = arena_array(&a, count + 2, sizeof *v);
	struct coexist_job j = { .k = n->kernel, .table = n->table };
	if (!v)
		return;
	struct net_bridges *to = down ? &j.gone : &j.there;
	to->v = v;
	list_each(w, &n->networks, node)
		if (w->bridge_index && to->n < count && (v[to->n] = arena_strdup(&a, w->pub.bridge)))
			to->n++;
	if (gone && !down) {
		v[count] = gone;
		j.gone = (struct net_bridges){ v + count, 1 };
	}
	int r = net_job_wait(coexist_job, &j);
	if (r < 0)
		log_warn("cannot add rules to another firewall's forward chain", "error=%s", err_name(-r));
	else if (j.where[0] && j.there.n)
		log_info("another firewall drops forwarded packets by default; added accept rules for our bridges there", "chain=\"%s\" bridges=%zu", j.where, j.there.n);
}

/* Bridge and rules of a network into the kernel. */
static int bring_up_wait(struct net *n, struct network *w, struct err *e)
{
	if (!w->pub.bridge[0])
		return 0;
	struct up_job j = { n->kernel, network_bridge(w), 0, { 0 } };
	int r = net_job_wait(up_job, &j);
	if (r < 0)
		return err_set(e, r, "%s", j.err.text);
	w->bridge_index = j.index;
	AUTO(nft_batch) struct nft_batch b;
	nft_batch_init(&b);
	struct rules_network rules = network_rules(w);
	rules_network(&b, n->table, &rules, true);
	r = net_commit_wait(n, &b, e);
	return r < 0 ? err_prefix(e, "add bridge %s to nftables", w->pub.bridge) : 0;
}

static void take_down_wait(struct net *n, struct network *w)
{
	if (!w->pub.bridge[0])
		return;
	AUTO(nft_batch) struct nft_batch b;
	nft_batch_init(&b);
	struct rules_network rules = network_rules(w);
	rules_network(&b, n->table, &rules, false);
	net_commit_wait(n, &b, NULL);
	struct down_job j = { n->kernel, w->pub.bridge };
	net_job_wait(down_job, &j);
	w->bridge_index = 0;
}

/* --- creation */

/* What the host routes and what our networks have, even those that are not up. */
static int taken_wait(struct net *n, struct routes_job *j, struct err *e)
{
	j->k = n->kernel;
	int r = net_job_wait(routes_job, j);
	if (r < 0)
		return err_set(e, r, "%s", j->err.text);
	struct network *w;
	list_each(w, &n->networks, node)
		if (w->pub.bridge[0] && j->n < ARRAY_LEN(j->v))
			j->v[j->n++] = w->subnet;
	return 0;
}

static int choose_subnet_wait(struct net *n, struct net_cidr *ret, struct err *e)
{
	AUTO(free) struct routes_job *j = calloc(1, sizeof *j);
	if (!j)
		return err_nomem(e);
	int r = taken_wait(n, j, e);
	if (r < 0)
		return r;
	if (ipam_choose(n->pools.v, n->pools.n, j->v, j->n, ret) < 0)
		return err_set(e, ENOSPC, "all predefined address pools have been fully subnetted");
	return 0;
}

static int check_driver(const struct net_create *c, struct err *e)
{
	const char *d = c->driver && c->driver[0] ? c->driver : "bridge";
	if (!strcmp(d, "bridge"))
		return 0;
	if (!strcmp(d, "host") || !strcmp(d, "null"))
		return err_set(e, EPERM, "only one instance of \"%s\" network is allowed", d);
	if (!strcmp(d, "macvlan") || !strcmp(d, "ipvlan") || !strcmp(d, "overlay"))
		return err_set(e, EOPNOTSUPP, "network driver %s is not supported by this engine; use bridge, host or none", d);
	return err_set(e, ENOENT, "could not find plugin %s in v1 plugin registry: plugin \"%s\" not found", d, d);
}

static int check_name(struct net *n, const char *name, struct err *e)
{
	size_t len = strlen(name);
	bool good = len > 0 && len < 256;
	for (size_t i = 0; i < len && good; i++) {
		char c = name[i];
		bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		good = alnum || (i > 0 && (c == '_' || c == '.' || c == '-'));
	}
	if (!good)
		return err_set(e, EINVAL, "invalid network name \"%s\": only [a-zA-Z0-9][a-zA-Z0-9_.-]* are allowed", name);
	if (!strcmp(name, "bridge") || !strcmp(name, "host") || !strcmp(name, "none") || !strcmp(name, "default"))
		return err_set(e, EPERM, "operation is not permitted on predefined %s network ", name);
	struct network *w;
	list_each(w, &n->networks, node)
		if (!strcmp(w->pub.name, name))
			return err_set(e, EEXIST, "network with name %s already exists", name);
	return 0;
}

static struct schema_pair *copy_pairs(struct arena *a, const struct schema_pair *v, uint32_t n)
{
	struct schema_pair *p = arena_array(a, n + 1, sizeof *p);
	for (uint32_t i = 0; p && i < n; i++) {
		p[i] = (struct schema_pair){ arena_strdup(a, v[i].key), arena_strdup(a, v[i].value ? v[i].value : "") };
		if (!p[i].key || !p[i].value)
			return NULL;
	}
	return p;
}

/* Fills pub from what the user wrote; addresses are chosen later. */
static int describe(struct network *w, const struct net_create *c, struct err *e)
{
	struct arena *a = &w->arena;
	char id[65], created[CLOCK_TEXT_MAX];
	rand_hex(id, 32);
	clock_rfc3339_nano(created, clock_realtime_ns());
	w->pub = (struct net_network){
		.id = arena_strdup(a, id), .name = arena_strdup(a, c->name), .owner = arena_strdup(a, or_empty(c->owner)), .driver = "bridge", .created = arena_strdup(a, created),
		.subnet = arena_strdup(a, or_empty(c->subnet)), .gateway = arena_strdup(a, or_empty(c->gateway)),
		.ip_range = arena_strdup(a, or_empty(c->ip_range)), .internal = c->internal, .attachable = c->attachable, .enable_ipv6 = c->enable_ipv6,
		.options = copy_pairs(a, c->options, c->n_options), .n_options = c->n_options,
		.labels = copy_pairs(a, c->labels, c->n_labels), .n_labels = c->n_labels, .aux = copy_pairs(a, c->aux, c->n_aux), .n_aux = c->n_aux,
	};
	struct net_network *p = &w->pub;
	p->has_ipam_config = p->subnet && (p->subnet[0] || (p->gateway && p->gateway[0]));
	const char *bridge = schema_pair_get(c->options, c->n_options, OPTION "bridge.name");
	p->bridge = bridge && bridge[0] ? arena_strdup(a, bridge) : arena_fmt(a, "br-%.12s", id);
	if (!p->id || !p->name || !p->owner || !p->created || !p->subnet || !p->gateway || !p->ip_range || !p->options || !p->labels || !p->aux || !p->bridge)
		return err_nomem(e);
	if (strlen(p->bridge) > 15 || strchr(p->bridge, '/') || !strcmp(p->bridge, ".") || !strcmp(p->bridge, "..") || strpbrk(p->bridge, " \t\n:"))
		return err_set(e, EINVAL, "invalid bridge name \"%s\"", p->bridge);
	const char *mtu = schema_pair_get(c->options, c->n_options, OPTION "driver.mtu");
	int64_t number = DEFAULT_MTU;
	if (mtu && mtu[0] && num_parse_i64(slice_of(mtu), 68, 65535, &number) < 0)
		return err_set(e, EINVAL, "invalid MTU \"%s\": it should be a number from 68 to 65535", mtu);
	p->mtu = (uint32_t)number;
	return read_options(w, e);
}

/* Subnet and gateway as given, or chosen. The create lock is held. */
static int place_wait(struct net *n, struct network *w, struct err *e)
{
	struct net_network *p = &w->pub;
	char text[NET_CIDR_TEXT];
	struct net_cidr subnet;
	int r;
	if (!p->subnet[0]) {
		if (p->gateway[0] || p->ip_range[0])
			return err_set(e, EINVAL, "invalid network config:\nuser-specified gateway or ip-range need a subnet");
		if ((r = choose_subnet_wait(n, &subnet, e)) < 0)
			return r;
	} else {
		if (net_cidr_parse(slice_of(p->subnet), &subnet) < 0 || subnet.len > SUBNET_SMALLEST)
			return err_set(e, EINVAL, "invalid network config:\ninvalid subnet %s: invalid CIDR block notation", p->subnet);
		if (subnet.addr & ~net_mask(subnet.len)) {
			subnet.addr &= net_mask(subnet.len);
			net_cidr_format(text, subnet);
			return err_set(e, EINVAL, "invalid network config:\ninvalid subnet %s: it should be %s", p->subnet, text);
		}
		struct network *other;
		list_each(other, &n->networks, node)
			if (other->pub.bridge[0] && net_cidr_overlap(other->subnet, subnet))
				return err_set(e, EACCES, "invalid pool request: Pool overlaps with other one on this address space");
	}
	net_cidr_format(text, subnet);
	p->subnet = arena_strdup(&w->arena, text);
	if (!p->gateway[0]) {
		struct net_cidr range = subnet;
		if (p->ip_range[0])
			net_cidr_parse(slice_of(p->ip_range), &range);
		net_addr_format(text, net_cidr_has(subnet, range.addr) && range.len < 31 ? (range.addr & net_mask(range.len)) + 1 : subnet.addr + 1);
		p->gateway = arena_strdup(&w->arena, text);
	}
	if (!p->subnet || !p->gateway)
		return err_nomem(e);
	return read_addresses(w, e);
}

static int create_locked_wait(struct net *n, struct network *w, struct err *e)
{
	struct network *other;
	list_each(other, &n->networks, node)
		if (!strcmp(other->pub.bridge, w->pub.bridge))
			return err_set(e, EACCES, "cannot create network %s (%s): conflicts with network %s (%s): networks have same bridge name",
				w->pub.id, w->pub.bridge, other->pub.id, other->pub.bridge);
	int r = place_wait(n, w, e);
	if (r < 0 || (r = save_wait(n, w, e)) < 0)
		return r;
	if ((r = bring_up_wait(n, w, e)) < 0) {
		char key[80];
		fmt_into(key, sizeof key, "network/%s", w->pub.id);
		take_down_wait(n, w);
		kv_delete_wait(n->kv, key, NULL);
		return r;
	}
	list_add_tail(&n->networks, &w->node);
	coexist_wait(n, NULL, false);
	return 0;
}

int net_create_wait(struct net *n, const struct net_create *c, const struct net_network **ret, struct err *e)
{
	struct network *w = network_new();
	if (!w)
		return err_nomem(e);
	int r = fmutex_lock_wait(&n->create_lock);
	if (r < 0) {
		network_free(w);
		return err_sys(e, r, "create network %s", c->name);
	}
	if (c->owner && c->owner[0])
		r = find_owned(n, c->owner, c->name) ? err_set(e, EEXIST, "network %s of %s already exists", c->name, c->owner) : 0;
	else
		r = check_name(n, c->name, e);
	if (r == 0 && (r = check_driver(c, e)) == 0 && (r = describe(w, c, e)) == 0)
		r = create_locked_wait(n, w, e);
	fmutex_unlock(&n->create_lock);
	if (r < 0) {
		network_free(w);
		return r;
	}
	if (ret)
		*ret = &w->pub;
	return 0;
}

static int remove_wait(struct net *n, const char *owner, const char *key, struct err *e)
{
	int r = fmutex_lock_wait(&n->create_lock);
	if (r < 0)
		return err_sys(e, r, "remove network %s", key);
	struct err why = { 0 };
	struct network *w = owner[0] ? find_owned(n, owner, key) : network_find(n, key, &why);
	if (!w && owner[0])
		err_set(&why, ENOENT, "network %s of %s not found", key, owner);
	else if (w && strcmp(w->pub.owner, owner)) {
		w = NULL;
		err_set(&why, ENOENT, "network %s not found", key);
	}
	if (!w)
		r = err_set(e, why.code, "%s", why.text);
	else if (w->pub.predefined)
		r = err_set(e, EPERM, "%s is a pre-defined network and cannot be removed", w->pub.name);
	else if (w->users) {
		size_t pos = 0;
		const struct net_endpoint *p = net_endpoint_next(n, NULL, w->pub.id, &pos);
		r = err_set(e, EACCES, "error while removing network: network %s has active endpoints (name:\"%s\" id:\"%.12s\")", w->pub.name,
			p ? p->container_name : "", p ? p->id : "");
	} else {
		char record[80];
		fmt_into(record, sizeof record, "network/%s", w->pub.id);
		list_del(&w->node);
		r = kv_delete_wait(n->kv, record, e);
		if (r < 0) {
			list_add_tail(&n->networks, &w->node);
		} else {
			take_down_wait(n, w);
			coexist_wait(n, w->pub.bridge, false);
			network_free(w);
		}
	}
	fmutex_unlock(&n->create_lock);
	return r;
}

int net_remove_wait(struct net *n, const char *key, struct err *e)
{
	return remove_wait(n, "", key, e);
}

int net_remove_owned_wait(struct net *n, const char *owner, const char *name, struct err *e)
{
	return remove_wait(n, owner, name, e);
}

/* --- start and end */

static int load_one(void *arg, const char *key, struct slice value)
{
	struct net *n = arg;
	struct network *w = network_new();
	if (!w)
		return -ENOMEM;
	struct net_network_record rec;
	struct err e = { 0 };
	int r = schema_from_json(T_net_network_record, value, 0, &w->arena, &rec, &e);
	if (r >= 0) {
		from_record(w, &rec);
		r = read_options(w, &e);
	}
	if (r >= 0 && w->pub.bridge[0])
		r = read_addresses(w, &e);
	if (r < 0) {
		log_error("a network's record is damaged and was left alone", "key=%s error=\"%s\"", key, e.text);
		network_free(w);
		return 0;
	}
	/* In order of creation; times are text of one form. */
	struct list *at = n->networks.prev;
	while (at != &n->networks && strcmp(list_entry(at, struct network, node)->pub.created, w->pub.created) > 0)
		at = at->prev;
	list_insert_(&w->node, at, at->next);
	return 0;
}

/* The three that are always there; the default bridge's record keeps its id and subnet. */
static int predefine_wait(struct net *n, const char *name, const char *driver, const char *bridge, const char *subnet, struct err *e)
{
	struct network *w = NULL, *x;
	list_each(x, &n->networks, node)
		if (!strcmp(x->pub.name, name))
			w = x;
	bool again = w && bridge && ((subnet && strcmp(w->pub.subnet, subnet)) || strcmp(w->pub.bridge, bridge));
	if (again)
		network_free(w);
	if (!w || again) {
		static const struct schema_pair options[] = {
			{ OPTION "bridge.default_bridge", "true" }, { OPTION "bridge.enable_icc", "true" }, { OPTION "bridge.enable_ip_masquerade", "true" },
			{ OPTION "bridge.host_binding_ipv4", "0.0.0.0" }, { OPTION "bridge.name", NULL }, { OPTION "driver.mtu", "1500" },
		};
		struct schema_pair mine[ARRAY_LEN(options)];
		memcpy(mine, options, sizeof options);
		for (size_t i = 0; i < ARRAY_LEN(mine); i++)
			if (!mine[i].value)
				mine[i].value = bridge;
		struct net_create c = { .name = name, .subnet = subnet, .options = mine, .n_options = bridge ? ARRAY_LEN(mine) : 0 };
		if (!(w = network_new()))
			return err_nomem(e);
		int r = describe(w, &c, e);
		if (r == 0 && !bridge)
			w->pub.bridge = "";
		w->pub.driver = driver;
		if (r == 0 && bridge)
			r = place_wait(n, w, e);
		if (bridge)
			w->pub.has_ipam_config = true;
		if (r < 0 || (r = save_wait(n, w, e)) < 0) {
			network_free(w);
			return r;
		}
	}
	list_del(&w->node);
	list_add_head(&n->networks, &w->node);
	w->pub.predefined = true;
	w->pub.is_default_bridge = bridge != NULL;
	if (bridge)
		n->default_bridge = w;
	return 0;
}

int networks_load_wait(struct net *n, const struct net_options *o, struct err *e)
{
	kv_each(n->kv, "network/", load_one, n);
	/* Each goes to the front of the list, so the last one stands first. */
	int r = predefine_wait(n, "none", "null", NULL, NULL, e);
	if (r == 0)
		r = predefine_wait(n, "host", "host", NULL, NULL, e);
	if (r == 0 && !o->no_default_bridge)
		r = predefine_wait(n, "bridge", "bridge", n->bridge, o->subnet, e);
	return r;
}

int networks_up_wait(struct net *n, struct nft_batch *b, struct err *e)
{
	struct network *w;
	list_each(w, &n->networks, node) {
		if (!w->pub.bridge[0])
			continue;
		struct up_job j = { n->kernel, network_bridge(w), 0, { 0 } };
		int r = net_job_wait(up_job, &j);
		/* One bad network (its name taken by another device, its subnet by a VPN) does not keep the engine from starting. */
		if (r < 0 && w == n->default_bridge)
			return err_set(e, r, "%s", j.err.text);
		if (r < 0)
			log_error("a network cannot be brought up", "network=%s error=\"%s\"", w->pub.name, j.err.text);
		w->bridge_index = r < 0 ? 0 : j.index;
		struct rules_network rules = network_rules(w);
		rules_network(b, n->table, &rules, true);
	}
	coexist_wait(n, NULL, false);
	return 0;
}

void networks_down_wait(struct net *n)
{
	struct network *w;
	coexist_wait(n, NULL, true);
	list_each(w, &n->networks, node) {
		struct down_job j = { n->kernel, w->pub.bridge };
		if (w->pub.bridge[0])
			net_job_wait(down_job, &j);
		w->bridge_index = 0;
	}
}
