/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Talking to an API server from inside Coracle: typed calls, list-watch caches
 * ("informers"), work queues, leases, events. Over HTTPS, or in process: then
 * connect_wait gives one end of a stream pair whose other end the API server
 * serves; semantics are the same. One client lives on one loop; *_wait in a fiber.
 */
#pragma once
#include <stdbool.h>
#include "api/kube.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"
#include "io/stream.h"
#include "kube/meta/resource.h"

struct kclient;
struct kclient_config {
	/* one of: a kubeconfig's current context (whose certificates are taken anew when the file changes), an address, or a connect function */
	const char *kubeconfig;
	const char *server;                         /* https://host:port */
	const char *ca_file, *cert_file, *key_file; /* PEM */
	struct slice ca, cert, key;                 /* the same as bytes; before the files */
	const char *sni;                            /* name that the server's certificate must have; NULL: the address' */
	bool insecure;                              /* do not check it */
	const char *token;                          /* bearer; or NULL */
	int (*connect_wait)(void *arg, struct stream **ret, struct err *e);
	void *connect_arg;
	const char *user_agent;
};
int kclient_new(struct loop *l, const struct kclient_config *c, struct kclient **ret, struct err *e);
/* Calls and informers must have ended. */
void kclient_free(struct kclient *c);
struct loop *kclient_loop(struct kclient *c);

/*
 * Calls. obj is a struct of r->type; ret_obj (may be NULL) gets the answer in the arena.
 * Errors by the Status' reason: -ENOENT NotFound, -EEXIST AlreadyExists,
 * -EBUSY Conflict, -EACCES Forbidden, -EKEYREJECTED Unauthorized, -EINVAL
 * Invalid/BadRequest, -ESTALE Gone/Expired, -EAGAIN TooManyRequests, -ETIMEDOUT;
 * -EHOSTDOWN and other network errors. e's text is the Status' message.
 */
int kclient_get_wait(struct kclient *c, const struct kube_resource *r, const char *ns, const char *name, struct arena *a, void *ret_obj, struct err *e);
/* ret_list: struct of r->list. selectors may be NULL. */
int kclient_list_wait(struct kclient *c, const struct kube_resource *r, const char *ns, const char *label_selector, const char *field_selector,
	struct arena *a, void *ret_list, struct err *e);
int kclient_create_wait(struct kclient *c, const struct kube_resource *r, const char *ns, const void *obj, struct arena *a, void *ret_obj, struct err *e);
/* A subresource that is created: pods/binding, pods/eviction, serviceaccounts/token. obj and ret_obj are of its row's type. */
int kclient_create_sub_wait(struct kclient *c, const struct kube_resource *r, const char *ns, const char *name, const char *sub, const void *obj,
	struct arena *a, void *ret_obj, struct err *e);
/* sub: NULL, "status", "scale" …; name and namespace come from obj's metadata. */
int kclient_update_wait(struct kclient *c, const struct kube_resource *r, const char *sub, const void *obj, struct arena *a, void *ret_obj, struct err *e);
enum kclient_patch { KPATCH_JSON, KPATCH_MERGE, KPATCH_STRATEGIC, KPATCH_APPLY };
int kclient_patch_wait(struct kclient *c, const struct kube_resource *r, const char *ns, const char *name, const char *sub, enum kclient_patch type,
	struct slice body, struct arena *a, void *ret_obj, struct err *e);
/* o may be NULL. */
int kclient_delete_wait(struct kclient *c, const struct kube_resource *r, const char *ns, const char *name, const struct kube_delete_options *o, struct err *e);
/* Anything: body and answer as they are (JSON); *status is HTTP's. 0 also for errors of the server. */
int kclient_raw_wait(struct kclient *c, const char *method, const char *target, const char *content_type, struct slice body, int *status, struct buf *out,
	struct err *e);
struct http_client;
struct http_client *kclient_http(struct kclient *c);     /* for streams and upgrades; add kclient_authorize's header */
const char *kclient_bearer(struct kclient *c);           /* "Bearer …" or NULL */

/* --- cached objects: frozen, counted, one arena each ------------------------ */
struct kobject {
	unsigned refs;
	const struct kube_resource *resource;
	const char *key;                            /* "ns/name" or "name" */
	int64_t revision;                           /* resourceVersion */
	struct arena arena;
	void *obj;                                  /* struct of resource->type */
};
struct kobject *kobject_ref(struct kobject *o);
struct kobject *kobject_unref(struct kobject *o);
/* Every object's metadata stands at the same place. */
struct kube_head { const char *kind, *api_version; struct kube_object_meta metadata; };
static inline const struct kube_object_meta *kobject_meta(const struct kobject *o) { return &((const struct kube_head *)o->obj)->metadata; }

/* --- informers ------------------------------------------------------------- */
struct informer;
struct informer_handler {
	struct list node;
	/* old NULL: added; now NULL: deleted. On the loop, must not suspend; references stay the informer's. At resync of a lost watch, differences only. */
	void (*event)(struct informer_handler *h, struct kobject *old, struct kobject *now);
};
/*
 * One list-watch of a resource; the cache follows. Lists again after 410;
 * reconnects with back-off (0.1 s to 10 s). Memory: one kobject each, without managedFields.
 */
int informer_new(struct kclient *c, const struct kube_resource *r, const char *ns, const char *label_selector, const char *field_selector, struct informer **ret,
	struct err *e);
void informer_free(struct informer *i);
/* Objects already there are told as added, at once if synced. */
void informer_add_handler(struct informer *i, struct informer_handler *h);
void informer_remove_handler(struct informer_handler *h);
bool informer_synced(const struct informer *i);
const struct kube_resource *informer_resource(const struct informer *i);
/* How far the cache has come: every write with this resourceVersion or a smaller one is in it. */
int64_t informer_revision(const struct informer *i);
int informer_synced_wait(struct informer *i, int64_t timeout_ns);
/* NULL when absent; the cache's own reference (ref it to keep it across a suspend). */
struct kobject *informer_get(const struct informer *i, const char *ns, const char *name);
struct kobject *informer_get_key(const struct informer *i, const char *key);
/* In one namespace (NULL: all); stops when fn gives non-zero and returns that. fn must not suspend. */
int informer_each(const struct informer *i, const char *ns, int (*fn)(void *arg, struct kobject *o), void *arg);
/* An index: objects under the strings that keys() gives for each (at most 8). By name; e.g. "owner" → controller uid, "node" → spec.nodeName. */
int informer_add_index(struct informer *i, const char *index, unsigned (*keys)(const struct kobject *o, const char *ret[8]));
int informer_each_indexed(const struct informer *i, const char *index, const char *key, int (*fn)(void *arg, struct kobject *o), void *arg);

/* One informer a resource, shared: made on first use. */
struct informers;
int informers_new(struct kclient *c, struct informers **ret);
void informers_free(struct informers *f);
struct informer *informers_get(struct informers *f, const struct kube_resource *r);
/* The one that was made already, or NULL. */
struct informer *informers_find(struct informers *f, const struct kube_resource *r);
int informers_synced_wait(struct informers *f, int64_t timeout_ns);

/* --- work queues: each key is worked on by one fiber at a time ---------------- */
struct workqueue;
struct workqueue_config {
	const char *name;                           /* static text, for logs */
	unsigned workers;                           /* fibers; default 1 */
	/* < 0: again with back-off (5 ms doubling to 1000 s, as client-go's); 0 forgets the back-off. May suspend. */
	int (*sync_wait)(void *arg, const char *key, struct err *e);
	void *arg;
};
int workqueue_new(struct loop *l, const struct workqueue_config *c, struct workqueue **ret);
void workqueue_free(struct workqueue *q);                             /* cancels the workers */
void workqueue_add(struct workqueue *q, const char *key);             /* copies; a key already waiting is there once */
void workqueue_add_after(struct workqueue *q, const char *key, int64_t after_ns);
size_t workqueue_length(const struct workqueue *q);

/* --- events: "Scheduled", "Pulled" …; written in the background, repeated ones counted up, at most some a second --- */
struct kevents;
int kevents_new(struct kclient *c, const char *component, const char *host, struct kevents **ret);
void kevents_free(struct kevents *ev);
/* about: the head of the object (copied); type "Normal" or "Warning". */
void kevents_add(struct kevents *ev, const struct kube_resource *r, const struct kube_object_meta *about, const char *field_path, const char *type,
	const char *reason, const char *fmt, ...) __attribute__((format(printf, 7, 8)));
