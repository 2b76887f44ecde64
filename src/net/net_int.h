/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of net/ share. State belongs to the loop; kernel work is a job with its own data (struct net_kernel). */
#pragma once
#include "base/arena.h"
#include "base/list.h"
#include "base/map.h"
#include "base/vec.h"
#include "io/fiber.h"
#include "net/addr.h"
#include "net/dns_client.h"
#include "net/ipam.h"
#include "net/kernel.h"
#include "net/net.h"
#include "net/ports.h"
#include "net/rules.h"
#include "sys/netlink.h"

enum { OBJECT_MAX_BYTES = 1024 * 1024, RECORD_MAX_BYTES = 1024 * 1024, SUBNET_SMALLEST = 30 };

struct network {
	struct net_network pub;
	struct arena arena;             /* of everything pub points to */
	struct list node;
	struct ipam ipam;               /* bridge networks */
	struct net_cidr subnet;
	uint32_t gateway;               /* the bridge's own address */
	uint32_t bridge_index;
	bool icc, masquerade;
	uint32_t host_binding;          /* default host address of published ports; 0 all */
	unsigned users;                 /* endpoints, and attaches under way */
};

struct endpoint {
	struct net_endpoint pub;
	struct arena arena;
	struct list node;               /* in sandbox.endpoints */
	struct sandbox *sandbox;
	struct network *network;
	uint32_t addr;
	uint32_t index;                 /* of the interface inside */
	uint8_t mac[6];
	const char **aliases;
	uint32_t n_aliases;
	char veth[16];
};

struct sandbox {
	struct arena arena;
	const char *container, *hostname;
	char *name;                     /* malloc'ed: renames */
	char *path;                     /* bind mount; "" for the host's */
	char netns[24];                 /* its file name */
	const char **dns;
	uint32_t n_dns;
	struct list endpoints;
	VEC(struct net_port) ports;
	VEC(int) holds;                 /* sockets that keep other programs off our host ports; as many as ports, -1 none */
	uint32_t target;                /* where the ports lead now; 0 nowhere */
	struct fmutex lock;             /* changes of one sandbox do not interleave */
	unsigned refs;                  /* fibers that hold or wait for the lock */
	bool closed;
};

/* An address given back: closed until its veth is gone. */
struct quarantine { uint32_t addr; char veth[16]; };

struct net {
	struct loop *loop;
	struct kv *kv;
	const struct net_kernel *kernel;
	char *run, *bridge, *table, *resolv_path;
	char *dns_program;
	bool no_firewall_rule;
	struct net_cidr pods;
	VEC(struct ipam_pool) pools;
	struct list networks;           /* of struct network, predefined first */
	struct map sandboxes;           /* container -> struct sandbox */
	struct ports ports;
	VEC(struct quarantine) quarantine;
	VEC(struct netlink) nft_idle;
	VEC(char *) ready;              /* file names of ready namespaces */
	unsigned ready_want;
	bool refilling, closing;
	struct waitq refilled;
	struct fmutex create_lock;      /* choice of a subnet until it is recorded */
	struct dns_client *dns;
	struct buf resolv_conf;
	int64_t resolv_changed;         /* its time when read */
	struct network *default_bridge;
};

/* Runs a kernel job; on a loop that is closing too. */
int net_job_wait(int (*fn)(void *arg), void *arg);
/* nftables sockets are kept open (nft_batch_commit_on): one for a job, given back afterwards. */
struct netlink net_nft_take(struct net *n);
void net_nft_give_back(struct net *n, struct netlink nl);
/* Commits on a worker; 0 at once when the batch is empty. */
int net_commit_wait(struct net *n, struct nft_batch *b, struct err *e);

/* network.c */
struct network *network_find(struct net *n, const char *name_or_id, struct err *e);
struct network *network_by_id(struct net *n, const char *id);
int networks_load_wait(struct net *n, const struct net_options *o, struct err *e);
/* Every bridge into the kernel; their elements into b. */
int networks_up_wait(struct net *n, struct nft_batch *b, struct err *e);
void networks_down_wait(struct net *n);
void networks_free(struct net *n);
struct net_bridge network_bridge(const struct network *w);
struct rules_network network_rules(const struct network *w);

/* sandbox.c */
int sandboxes_load(struct net *n, struct err *e);
void sandboxes_free(struct net *n);
struct sandbox *sandbox_find(struct net *n, const char *container);
/* Takes the sandbox's lock; NULL when it is gone (-ENOENT in e). */
struct sandbox *sandbox_lock_wait(struct net *n, const char *container, struct err *e);
void sandbox_unlock(struct net *n, struct sandbox *s);
int sandbox_save(struct net *n, struct sandbox *s, struct err *e);
void net_refill(struct net *n);     /* starts a fiber that makes namespaces until enough are ready */
bool net_addr_busy(void *arg, uint32_t addr);

/* endpoint.c */
struct endpoint *sandbox_gateway(const struct sandbox *s);
struct endpoint *endpoint_new(struct net *n, struct sandbox *s, struct network *w);
void endpoint_free(struct net *n, struct endpoint *p);   /* gives the address back */
int endpoint_name(struct endpoint *p);                   /* fills dns_names anew */
void endpoint_fill(struct endpoint *p);                  /* pub from the rest */
void sandbox_tell_dns_wait(struct net *n, struct sandbox *s);
/* Elements of the endpoints on open networks. */
void sandbox_self_elements(struct net *n, struct nft_batch *b, const struct sandbox *s, bool add);
struct dns_source net_dns_source(struct net *n);

/* publish.c */
int ports_adopt(struct net *n, struct sandbox *s);       /* books what a record says and holds the sockets */
int ports_follow_wait(struct net *n, struct sandbox *s, struct err *e);   /* leads ports to the present gateway endpoint */
void ports_forget(struct net *n, struct sandbox *s);     /* unbooks; the kernel's elements must be gone */
void ports_forget_flows_wait(struct net *n, const struct sandbox *s);
void ports_elements(struct net *n, struct nft_batch *b, const struct sandbox *s, bool add);
