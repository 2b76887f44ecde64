/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks of containers: bridges, network namespaces, addresses, published
 * ports and names. The engine is the only caller; everything here belongs to
 * its loop.
 *
 * What lives where: networks are durable records in kv ("network/ID"). What a
 * boot does not outlive (sandboxes, endpoints, published ports) is a file per
 * container in RUN/net/, beside the namespaces in RUN/netns/. The kernel keeps
 * forwarding, and the dns process keeps answering, while no engine runs; a new
 * engine reads the files, compares them with the kernel and takes over.
 *
 * A sandbox is one container's network namespace. Its life:
 *
 *   net_sandbox_open_wait ─▶ open ──net_attach_wait──▶ with endpoints ──net_publish_wait──▶ ports live
 *                             │ ◀──net_detach_wait────────┘   ▲                                 │
 *                             ▼                               └────────net_unpublish_wait───────┘
 *   net_sandbox_close_wait: gone with everything in it (ports, names, addresses, namespace)
 *
 * Errors carry Docker 28's wordings where clients show or match them.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "schema/schema.h"

struct kv;
struct loop;
struct net_kernel;
struct net;

struct net_cidr { uint32_t addr; uint8_t len; };       /* host byte order */
/* "10.1.0.0/16": 0 or -EINVAL. */
int net_cidr_read(const char *text, struct net_cidr *ret);

struct net_options {
	const char *run;                 /* RUN folder; required */
	const char *bridge;              /* default bridge device; NULL: coracle0 */
	const char *subnet;              /* of the default bridge, "10.1.0.0/24"; NULL: the first free pool */
	const char *table;               /* nftables table (family inet); NULL: coracle_engine */
	const struct net_cidr *pools;    /* where subnets come from; NULL: 172.17.0.0/16 … 172.31.0.0/16, then 192.168.0.0/16 in /20 */
	uint32_t n_pools;
	bool no_firewall_rule;           /* do not add ACCEPT rules to a FORWARD chain whose policy is DROP */
	bool no_default_bridge;          /* networks host and none only */
	struct net_cidr pods;            /* the cluster's pods: from networks of other owners they are reached without masquerade; len 0: none */
	unsigned ready;                  /* namespaces kept ready; 0: 4 */
	const char *dns_program;         /* coracled; started as `dns --run RUN` when nobody answers on RUN/dns.sock. NULL: never */
	const char *resolv_conf;         /* the host's; NULL: /etc/resolv.conf */
	const struct net_kernel *kernel; /* a double in tests; NULL: the real one (net/kernel.h) */
};

/* Loads records, makes or adopts bridge and table, collects what a crash left, connects to dns (in the background). Suspends. */
int net_open_wait(struct loop *l, struct kv *kv, const struct net_options *o, struct net **ret, struct err *e);
/* Frees memory only: containers keep their network. */
void net_free(struct net *n);
/* For `down`: removes bridges, table, firewall rules, ready namespaces. Sandboxes must be closed before; records of networks stay. */
int net_down_wait(struct net *n, struct err *e);
/* After a restart, once the engine knows which containers run: closes every sandbox whose container is not alive. */
int net_collect_wait(struct net *n, bool (*alive)(void *arg, const char *container), void *arg);

/* --- networks ------------------------------------------------------------ */

/* Valid until the network is removed; do not keep across a suspend without looking it up again. */
struct net_network {
	const char *id;                  /* 64 hex digits */
	const char *name;
	const char *owner;               /* "": Docker's; others are not found by its names and not listed */
	const char *driver;              /* bridge, host, null */
	const char *created;             /* RFC 3339 */
	const char *subnet, *gateway, *ip_range;   /* "172.18.0.0/16", "172.18.0.1", "" when none; "" for host and none */
	bool has_ipam_config;            /* the user gave subnet or gateway */
	bool internal, attachable, enable_ipv6, config_only;
	bool predefined;                 /* bridge, host, none: cannot be removed */
	bool is_default_bridge;          /* no embedded DNS there, as in Docker */
	const char *bridge;              /* device name; "" for host and none */
	uint32_t mtu;
	struct schema_pair *options, *labels, *aux;  /* as given (aux: --aux-address name -> address) */
	uint32_t n_options, n_labels, n_aux;
};

struct net_create {
	const char *name;
	const char *owner;               /* NULL or "": Docker's; another's name may be anything */
	const char *driver;              /* NULL or "": bridge */
	const char *subnet, *gateway, *ip_range;     /* NULL or "": chosen */
	bool internal, attachable, enable_ipv6;
	const struct schema_pair *options;           /* com.docker.network.bridge.name, .enable_icc, .enable_ip_masquerade, */
	uint32_t n_options;                          /* .host_binding_ipv4, com.docker.network.driver.mtu; unknown ones are kept */
	const struct schema_pair *labels;
	uint32_t n_labels;
	const struct schema_pair *aux;               /* reserved addresses */
	uint32_t n_aux;
};
/*
 * -EEXIST "network with name x already exists", -EPERM for predefined names, -EINVAL for malformed or unusable addresses
 * and unknown drivers, -ENOSPC when no pool is free. Durable when it returns.
 */
int net_create_wait(struct net *n, const struct net_create *how, const struct net_network **ret, struct err *e);
/* -ENOENT, -EPERM (predefined: "bridge is a pre-defined network and cannot be removed"), -EACCES (403 in Docker: has active endpoints). */
int net_remove_wait(struct net *n, const char *name_or_id, struct err *e);
/* By name, full id, or unique prefix of an id. -ENOENT "network x not found"; -EINVAL when a prefix is ambiguous. */
int net_find(struct net *n, const char *name_or_id, const struct net_network **ret, struct err *e);
/* One of another owner, by its name. */
int net_find_owned(struct net *n, const char *owner, const char *name, const struct net_network **ret, struct err *e);
int net_remove_owned_wait(struct net *n, const char *owner, const char *name, struct err *e);
/* All networks in order of creation, predefined first; *pos starts at 0; NULL at the end. */
const struct net_network *net_next(struct net *n, size_t *pos);

/* --- sandboxes ----------------------------------------------------------- */

struct net_sandbox_options {
	const char *container;           /* 64 hex digits */
	const char *name;                /* the container's name without slash */
	const char *hostname;            /* resolves too; NULL or "" when none */
	const struct schema_pair *sysctls;           /* net.* only; written inside the namespace */
	uint32_t n_sysctls;
	const char *const *dns;          /* upstream servers of the embedded DNS (--dns); NULL: the host's */
	uint32_t n_dns;
	bool host;                       /* --network host: no namespace, records only */
};
/*
 * Takes a ready namespace (lo is up; net.ipv4.ping_group_range and ip_unprivileged_port_start are as Docker's containers have
 * them). *ret_path is its bind mount, RUN/netns/…, or "" for host; valid until closed. -EEXIST when the container has one.
 */
int net_sandbox_open_wait(struct net *n, const struct net_sandbox_options *o, const char **ret_path, struct err *e);
/* Unpublishes, detaches, drops the namespace (the kernel deletes the veths behind). 0 also when there is none. */
int net_sandbox_close_wait(struct net *n, const char *container);
/* The bind mount of an open sandbox, "" for host, NULL when there is none. */
const char *net_sandbox_path(struct net *n, const char *container);
/* A TCP socket (IPv4, or IPv6) that lives in the sandbox's namespace, not connected; the host's for a host sandbox. Blocking descriptor or -errno. */
int net_sandbox_socket_wait(struct net *n, const char *container, bool v6, struct err *e);
/* The container was renamed: names in DNS follow. 0 also when it has no sandbox. */
int net_sandbox_rename_wait(struct net *n, const char *container, const char *name, struct err *e);

/* --- endpoints ----------------------------------------------------------- */

struct net_attach {
	const char *container;           /* its sandbox must be open */
	const char *network;             /* name or id */
	const char *ipv4;                /* requested address; NULL or "": any */
	const char *mac;                 /* NULL or "": derived from the address */
	const char *const *aliases;      /* --network-alias, compose service names */
	uint32_t n_aliases;
	const char *ifname;              /* NULL: ethN, the first free */
	int32_t gw_priority;             /* the highest (then the first by name) gives the default route */
};
/* Valid until the endpoint or its sandbox goes; copy before suspending. */
struct net_endpoint {
	const char *id;                  /* 64 hex digits */
	const char *network;             /* id */
	const char *container, *container_name;
	const char *ipv4;                /* "172.17.0.2"; "" for host, none */
	uint8_t prefix_len;
	const char *gateway;             /* "" for internal networks, host, none */
	const char *mac;
	const char *ifname;              /* inside */
	const char *host_ifname;         /* veth… outside */
	const char *const *dns_names;    /* name, aliases, short id, hostname; NULL on the default bridge */
	uint32_t n_dns_names;
	int32_t gw_priority;
};
/*
 * Also for running containers (docker network connect). -EEXIST "endpoint with name N already exists in network X",
 * -EADDRINUSE "Address already in use", -EINVAL "no configured subnet contains IP address x", -ENOSPC "no available IPv4
 * addresses on this network's address pools: …".
 */
int net_attach_wait(struct net *n, const struct net_attach *how, const struct net_endpoint **ret, struct err *e);
/* -ENOENT "container C is not connected to network X". Ports that lead to that endpoint move to another one or go. */
int net_detach_wait(struct net *n, const char *container, const char *network, struct err *e);
/* Endpoints of a container (network NULL), of a network (container NULL), or of both; *pos starts at 0; NULL at the end. */
const struct net_endpoint *net_endpoint_next(struct net *n, const char *container, const char *network, size_t *pos);

/* --- published ports ------------------------------------------------------ */

enum net_proto { NET_TCP, NET_UDP, NET_SCTP };
const char *net_proto_name(enum net_proto p);                 /* "tcp" */
int net_proto_parse(struct slice s, enum net_proto *ret);     /* 0 or -EINVAL; "" is tcp */

struct net_port_request {
	enum net_proto proto;
	uint16_t container_port;
	const char *host_ip;             /* NULL or "": the network's host_binding_ipv4, else 0.0.0.0 */
	uint16_t host_first, host_last;  /* 0, 0: any of 32768–60999; first = last: that one; else the first free of the range */
};
struct net_port {
	enum net_proto proto;
	uint16_t container_port;
	char host_ip[16];                /* "0.0.0.0" */
	uint16_t host_port;
};
/*
 * All or none, for the sandbox's endpoint with the default route. -EADDRINUSE with Docker's texts: "driver failed programming
 * external connectivity on endpoint NAME (ID): Bind for 0.0.0.0:80 failed: port is already allocated" (another container) or
 * "…: failed to bind host port for 0.0.0.0:80:172.17.0.2:80/tcp: address already in use" (another program). IPv6 host
 * addresses are refused (-EOPNOTSUPP). A host sandbox publishes nothing and gets 0.
 */
int net_publish_wait(struct net *n, const char *container, const struct net_port_request *r, uint32_t n_r, struct err *e);
int net_unpublish_wait(struct net *n, const char *container);
/* What is published for the container; the array is valid until the next suspend. */
uint32_t net_ports(struct net *n, const char *container, const struct net_port **ret);

/* --- numbers --------------------------------------------------------------- */

struct net_interface_stats {
	char name[16];
	uint64_t rx_bytes, rx_packets, rx_errors, rx_dropped;
	uint64_t tx_bytes, tx_packets, tx_errors, tx_dropped;
};
/* Of every interface in the container's namespace but lo; an array in a. -ENOENT without a sandbox; n 0 for host. */
int net_stats_wait(struct net *n, const char *container, struct arena *a, struct net_interface_stats **ret, uint32_t *ret_n);

/* --- files inside a container (net/files.c) -------------------------------- */

struct net_dns_settings {
	const char *const *servers, *const *search, *const *options;   /* --dns --dns-search --dns-option; NULL: the host's */
	uint32_t n_servers, n_search, n_options;
};
/*
 * /etc/resolv.conf. embedded: the container is on a user-defined network and asks 127.0.0.11 (options ndots:0); otherwise the
 * host's servers without loopback ones, or 8.8.8.8 and 8.8.4.4 where none is left. host_text is the host's file.
 */
int net_resolv_conf(struct slice host_text, const struct net_dns_settings *s, bool embedded, struct buf *out);

struct net_hosts_settings {
	const char *hostname, *domainname;
	const char *const *addresses;    /* of the container's endpoints, the one with the default route first */
	uint32_t n_addresses;
	const char *const *extra;        /* --add-host "name:ip", "name=ip", "name:host-gateway" */
	uint32_t n_extra;
	const char *host_gateway;        /* net_host_gateway() */
};
/* /etc/hosts; -EINVAL `invalid IP address in add-host: "x"`. */
int net_hosts(const struct net_hosts_settings *s, struct buf *out, struct err *e);
/* The address that host-gateway stands for: the default bridge's. "" without one. */
const char *net_host_gateway(struct net *n);
/* The host's resolv.conf as read by net_open_wait and kept fresh. */
struct slice net_host_resolv_conf(struct net *n);
