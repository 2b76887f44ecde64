/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Kubernetes API server: a pipeline (who asks, may they, for what), one
 * generic registry for built-in and custom resources, a watch cache for each,
 * discovery. It speaks HTTP on streams that it is given; wiring, sockets and
 * certificates are main/server.c's. All of it on one loop.
 */
#pragma once
#include "api/kube.h"
#include "http/server.h"
#include "kube/meta/user.h"
#include "store/store.h"

struct kube_api;
struct kube_api_config {
	struct store *store;
	const struct kube_authenticator *authenticator;   /* NULL: the client certificate's common name, in no group but those everybody is in */
	const struct kube_authorizer *authorizer;         /* NULL: everybody may do everything */
	const struct kube_reviewer *reviewer;             /* reviews, tokens, who may give which rights, OpenID documents; NULL: none of these */
	const char *build;                                /* our own version, shown behind Kubernetes'; static text */
	const char *service_cidr;                         /* NULL: 10.96.0.0/12 */
	const char *advertise_host;                       /* the address in the endpoints of the service "kubernetes"; NULL: 127.0.0.1 */
	unsigned advertise_port;
	/* To kubelets, as a client: a certificate that they trust. NULL: log, exec, attach, port-forward and proxy are refused. */
	const struct tls_files *kubelet_tls;
};
int kube_api_new(struct loop *l, const struct kube_api_config *c, struct kube_api **ret, struct err *e);
/* Loads the watch cache, makes what every cluster has (namespaces, the service "kubernetes", priority classes). Suspends. */
int kube_api_start_wait(struct kube_api *a, struct err *e);
/* The certificate for kubelets has been renewed. */
int kube_api_reload(struct kube_api *a, const struct tls_files *kubelet, struct err *e);
/* Each pod on a node as the watch cache has it: whatever a watcher was told is there. Stops when fn gives non-zero and returns that. Does not suspend. */
int kube_api_each_pod(struct kube_api *a, const char *node, int (*fn)(void *arg, const struct kube_pod *pod), void *arg);
/* No request may run. */
void kube_api_free(struct kube_api *a);
/* Stops listening and cancels what runs; kube_api_free comes when kube_api_is_idle. */
void kube_api_stop(struct kube_api *a);
bool kube_api_is_idle(const struct kube_api *a);
/* Serves a listening socket (taken). */
int kube_api_listen(struct kube_api *a, int fd, struct tls_config *tls, struct err *e);
/* Clients in this process: *ret is a connection served as if u had been authenticated on it. u's strings live as long as the API server. */
int kube_api_connect(struct kube_api *a, const struct kube_user *u, struct stream **ret, struct err *e);
/* The same as a kclient's connect_wait: arg is one of these. */
struct kube_api_door { struct kube_api *api; struct kube_user user; };
int kube_api_door_wait(void *door, struct stream **ret, struct err *e);
