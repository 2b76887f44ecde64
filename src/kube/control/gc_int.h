/* SPDX-License-Identifier: Apache-2.0 */
/* The garbage collector's view: a cache of every deletable resource, each with an index of objects by their owners' uids. */
#pragma once
#include "base/map.h"
#include "kube/control/control_int.h"

enum { GC_ABSENT_MAX = 1024 };

struct gc;
/* One resource. Shared caches are the controllers'; others hold metadata only and are ours. */
struct monitor {
	struct list node;
	struct gc *gc;
	struct informer *informer;
	struct kube_resource resource;      /* own copy, whose type is that of the cache */
	struct arena strings;               /* of a custom resource's row */
	struct informer_handler handler;
	unsigned number;                    /* names it in keys */
	bool is_shared, is_custom;
};
struct gc {
	struct ctl *k;
	struct list monitors, ended;
	unsigned next_number;
	struct informer *crds;
	struct map absent;                  /* uids of which we know that they are gone */
	char *absent_ring[GC_ABSENT_MAX];
	unsigned absent_at;
};

int gc_monitor_add(struct gc *gc, const struct kube_resource *r, bool is_custom, struct arena *strings, struct monitor **ret);
/* No longer watched. Its row stays until the end, for syncs that are on their way with it. */
void gc_monitor_end(struct monitor *m);
struct monitor *gc_monitor_of_kind(struct gc *gc, const char *api_version, const char *kind);
struct monitor *gc_monitor_by_number(struct gc *gc, unsigned number);
/* "number|key|uid" into the queue. */
void gc_enqueue(struct monitor *m, const struct kobject *o);
void gc_mark_absent(struct gc *gc, const char *uid);
static inline bool gc_is_absent(const struct gc *gc, const char *uid) { return map_gets(&gc->absent, uid); }

#define FINALIZER_FOREGROUND "foregroundDeletion"
#define FINALIZER_ORPHAN "orphan"
static inline bool gc_waits_for_dependents(const struct kube_object_meta *m) { return kube_is_deleting(m) && kube_has_finalizer(m, FINALIZER_FOREGROUND); }
