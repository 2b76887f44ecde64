/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What controllers are made of. A controller is a row of the table in
 * control.c; its start function makes a `ctl` (queue, events, the caches it
 * needs) and says which changes put which key into the queue. Its sync
 * function is level-triggered: it looks at what is, not at what happened.
 */
#pragma once
#include "base/list.h"
#include "base/map.h"
#include "base/vec.h"
#include "io/fiber.h"
#include "kube/control/control.h"
#include "kube/meta/object.h"
#include "kube/meta/selector.h"

struct control {
	struct loop *loop;
	struct kclient *client;
	struct informers *informers;
	struct control_config cfg;
	struct arena arena;                 /* the controllers themselves */
	struct list all;                    /* struct ctl */
	unsigned refs;                      /* the owner's, running syncs' */
	bool freed;
};

struct ctl {
	struct list node;
	struct control *c;
	const char *name;
	struct workqueue *queue;
	struct kevents *events;
	struct informer *needs[12];         /* synced before the first sync */
	unsigned n_needs;
	struct fiber *ticker;               /* of ctl_every, while it lives; one a controller */
	bool is_ready;
	int (*sync_wait)(struct ctl *k, const char *key, struct err *e);
	void *own;                          /* the controller's */
	void (*release)(struct ctl *k);     /* of what own holds beyond the arena; may be NULL */
};

/* --- starting. NULL without memory; then the start function gives -ENOMEM. */
struct ctl *ctl_new(struct control *c, const char *name, const char *component, unsigned workers,
	int (*sync_wait)(struct ctl *k, const char *key, struct err *e), size_t own_size);
/* The shared cache of a resource of version v1, which this controller's syncs may then read. */
struct informer *ctl_need(struct ctl *k, const char *group, const char *plural);
/* Calls fn for every change. */
int ctl_on(struct ctl *k, struct informer *i, void (*fn)(struct ctl *k, struct kobject *old, struct kobject *now));
/* Into the queue; after the controllers were stopped nothing happens. */
void ctl_add(struct ctl *k, const char *key);
void ctl_add_after(struct ctl *k, const char *key, int64_t after_ns);
/* Puts the object's own key into the queue: for ctl_on. */
void ctl_enqueue(struct ctl *k, struct kobject *old, struct kobject *now);
/* Puts the key of the controller of old and now into the queue, when it is of this kind. */
void ctl_enqueue_owner(struct ctl *k, const char *kind, struct kobject *old, struct kobject *now);
/* An object without a controller: puts the keys of those owners into the queue that select it. True when there is one. */
bool ctl_enqueue_selecting(struct ctl *k, struct informer *owners, const struct kobject *o,
	int (*selector)(struct arena *a, const void *owner, struct selector *ret));
/* Calls fn every `ns`, in a fiber, when the caches are there. */
int ctl_every(struct ctl *k, int64_t ns, void (*fn_wait)(struct ctl *k));
/* The indexes that claim_wait uses: "controller" (uid of an object's controller), "orphans" (namespace of one without). */
int ctl_index_controller(struct informer *i);

/* --- one sync: an arena, and references to what it looks at */
struct sync {
	struct ctl *k;
	struct control *c;
	struct arena a;
	VEC(struct kobject *) refs;
	int64_t now_ns;                     /* realtime, of its beginning */
};
void sync_begin(struct sync *s, struct ctl *k);
void sync_end(struct sync *s);
static inline void auto_sync(struct sync *s) { sync_end(s); }
/* The cached object, kept until the sync ends; NULL when there is none. */
void *sync_get(struct sync *s, struct informer *i, const char *key);
void *sync_get2(struct sync *s, struct informer *i, const char *ns, const char *name);
struct objects { void **v; uint32_t n; };
/* All under an index' key (index NULL: in the namespace `key`, NULL: all); kept until the sync ends. */
int sync_list(struct sync *s, struct informer *i, const char *index, const char *key, struct objects *ret);
const char *sync_now_text(struct sync *s);

/* --- what was written and is not yet in the cache. A sync whose own writes are missing there would do its work twice; it waits for the events instead. */
struct expects;
int expects_new(struct loop *l, struct expects **ret);
void expects_free(struct expects *x);
/* An object of i was created or changed on behalf of key. */
void expects_wrote(struct expects *x, const char *key, const struct kube_object_meta *written);
void expects_deleted(struct expects *x, const char *key, const struct kube_object_meta *deleted);
/* True when all of it is in the cache (or five minutes have passed); the queue gets the key again otherwise, should the events not bring it. */
bool expects_met(struct expects *x, struct ctl *k, const char *key, const struct informer *i);
void expects_forget(struct expects *x, const char *key);

/* --- writing */
/* Runs one(arg, i) for i < n in fibers of their own: 1, then 2, 4, … at a time, at most 64; stops behind a batch in which one failed.
 * *done (may be NULL) is the number that did not fail; 0 or the first error, told in e. */
int batch_wait(struct control *c, unsigned n, int (*one_wait)(void *arg, unsigned i, struct err *e), void *arg, unsigned *done, struct err *e);
/* The object with other metadata, by PUT: a stale one is a conflict, and the key comes again. */
int update_meta_wait(struct sync *s, const struct kube_resource *r, const void *obj, const struct kube_object_meta *m, void *ret_obj, struct err *e);
/* The namespace is going away: creating in it fails, and that is as it should be. */
bool is_namespace_ending(const struct err *e);

/* --- children: objects of a kind that a controller owns */
struct owner {
	const struct kube_resource *r;
	const struct kube_object_meta *m;
	struct selector selector;
	const char *key;
};
/*
 * The objects of i that are the owner's: those it controls and that match, and those without a controller that match and are
 * adopted now. What it controls and does not match is released. Kept until the sync ends.
 */
int claim_wait(struct sync *s, struct informer *i, const struct owner *o, struct objects *ret, struct err *e);
/* A pod of the template, not yet sent: labels, annotations, finalizers, spec; generateName (or name), controller. NULL without memory. */
struct kube_pod *pod_of_template(struct sync *s, const struct owner *o, const struct kube_pod_template_spec *t, const char *name);
/* Sends it, with the events that go along; into x. */
int control_pod_create_wait(struct sync *s, const struct owner *o, struct kube_pod *p, struct expects *x, struct err *e);
int control_pod_delete_wait(struct sync *s, const struct owner *o, const struct kube_pod *p, struct expects *x, struct err *e);
/* Those that should go first in front; ranks (may be NULL): higher goes earlier among equals. */
void pods_sort_for_deletion(const struct kube_pod **v, uint32_t n, const unsigned *ranks, int64_t now_ns);

/* --- arithmetic */
/* A number, or a percentage of total, rounded. -EINVAL for another text. NULL is 0. */
int int_or_percent(const struct schema_int_or_string *v, int32_t total, bool round_up, int32_t *ret);
static inline int32_t count_or(const int32_t *v, int32_t otherwise) { return v ? *v : otherwise; }
static inline bool text_eq(const char *a, const char *b) { return !strcmp(a ? a : "", b ? b : ""); }

/* --- the controllers */
int replicaset_start(struct control *c, struct err *e);
int replicationcontroller_start(struct control *c, struct err *e);
int deployment_start(struct control *c, struct err *e);
int endpoints_start(struct control *c, struct err *e);
int endpointslice_start(struct control *c, struct err *e);
int namespace_start(struct control *c, struct err *e);
int serviceaccount_start(struct control *c, struct err *e);
int root_ca_start(struct control *c, struct err *e);
int gc_start(struct control *c, struct err *e);
int daemonset_start(struct control *c, struct err *e);
int job_start_controller(struct control *c, struct err *e);
int cronjob_start(struct control *c, struct err *e);
int statefulset_start(struct control *c, struct err *e);
int node_start(struct control *c, struct err *e);
int podgc_start(struct control *c, struct err *e);
int disruption_start(struct control *c, struct err *e);
int volume_start(struct control *c, struct err *e);
