/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kubelet: registers this machine as a node, runs the pods that are bound
 * to it through any CRI v1 runtime, reports, and serves logs, exec, attach,
 * port-forward and statistics on a TLS port.
 */
#pragma once
#include "base/err.h"
#include "io/loop.h"
#include "io/stream.h"

#define KUBE_NODE_VERSION "v1.36.0"

struct node_config {
	/* the API server: a kubeconfig's current context, or a connect function (in process) */
	const char *kubeconfig;
	int (*connect_wait)(void *arg, struct stream **ret, struct err *e);
	void *connect_arg;
	const char *name;              /* NULL: the host's name in lower case */
	const char *runtime_socket;    /* CRI; a leading unix:// is fine */
	const char *root, *run;        /* ROOT/node is ours */
	const char *logs;              /* NULL: /var/log/pods for the default root, else ROOT/node/logs */
	const char *listen_host;       /* of the kubelet's API; port 0: none */
	unsigned listen_port;
	const char *cluster_dns, *cluster_domain;
	const char *ip;                /* NULL: found */
	const char *labels;            /* more labels for the node: "a=b,c=d", or NULL */
	const char *cgroup_root;       /* NULL: /kubepods */
	const char *tls_cert, *tls_key;   /* of the kubelet's API; NULL: asked of the cluster, self-signed until then */
	const char *client_ca;         /* whose client certificates are let in; NULL: that of the kubeconfig */
};
struct node_run;
/* Starts its fibers and returns; what is not there yet (API server, runtime) is waited for. The strings must outlive it. */
int node_run_new(struct loop *l, const struct node_config *c, struct node_run **ret, struct err *e);
/* Ends its fibers; containers go on. done(arg) when all have ended: then free. */
void node_run_stop(struct node_run *r, void (*done)(void *arg), void *arg);
void node_run_free(struct node_run *r);
