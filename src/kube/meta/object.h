/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about objects that many parts ask: owners, conditions, what a pod's status comes to, times, hashes. Pure. */
#pragma once
#include <stdbool.h>
#include "api/kube.h"
#include "base/arena.h"
#include "kube/meta/resource.h"

/* Times: metadata's RFC 3339 text and nanoseconds since the epoch; 0 for NULL, "" and what is no time. */
int64_t kube_time_ns(const char *text);
const char *kube_time_text(struct arena *a, int64_t realtime_ns);        /* whole seconds; NULL without memory */
const char *kube_microtime_text(struct arena *a, int64_t realtime_ns);   /* six decimals, as leases and events have them */

/* The owner that is the controller, or NULL; whether that is the one with this uid. */
const struct kube_owner_reference *kube_controller_of(const struct kube_object_meta *m);
bool kube_controlled_by(const struct kube_object_meta *m, const char *uid);
/* A controller reference to an object of r. Strings stay owner's or static. NULL without memory. */
struct kube_owner_reference *kube_controller_ref(struct arena *a, const struct kube_resource *r, const struct kube_object_meta *owner);
bool kube_has_finalizer(const struct kube_object_meta *m, const char *name);
static inline bool kube_is_deleting(const struct kube_object_meta *m) { return m->deletion_timestamp != NULL; }
const char *kube_label(const struct kube_object_meta *m, const char *key);
const char *kube_annotation(const struct kube_object_meta *m, const char *key);
/* The pairs with key set, as a new list in the arena; NULL without memory. value NULL removes it. *n is in and out. */
struct schema_pair *kube_pairs_with(struct arena *a, const struct schema_pair *v, uint32_t *n, const char *key, const char *value);
/* "ns/name" or "name", in buf (returned). */
const char *kube_key(const struct kube_object_meta *m, char *buf, size_t n);
/* Splits "ns/name"; ns is "" without one. Into the arena; 0 or -ENOMEM. */
int kube_key_split(struct arena *a, const char *key, const char **ns, const char **name);

/* Pods. */
bool kube_pod_is_ready(const struct kube_pod *p);                        /* condition Ready is True */
/* Ready for min_ready_seconds. *again_ns (may be NULL) is the time that is missing, when only time is; else 0. */
bool kube_pod_is_available(const struct kube_pod *p, int32_t min_ready_seconds, int64_t now_ns, int64_t *again_ns);
bool kube_pod_is_terminal(const struct kube_pod *p);                     /* phase Succeeded or Failed */
bool kube_pod_is_active(const struct kube_pod *p);                       /* neither terminal nor being deleted */
const struct kube_pod_condition *kube_pod_condition(const struct kube_pod *p, const char *type);

/* In a list of any kind of condition (a pointer and a number): the one of this type, or NULL. */
#define KUBE_CONDITION(conditions, n, want) ({ \
	__typeof__((conditions)[0]) *kc_found_ = NULL; \
	for (uint32_t kc_i_ = 0; kc_i_ < (n); kc_i_++) \
		if ((conditions)[kc_i_].type && !strcmp((conditions)[kc_i_].type, (want))) { \
			kc_found_ = &(conditions)[kc_i_]; \
			break; \
		} \
	kc_found_; })

/* Kubernetes' safe alphabet for generated names: 32 bits as text. dst: 16. */
void kube_safe_text(char *dst, uint32_t v);
/* pod-template-hash of a template (labels of that name in it do not count); collisions NULL or a deployment's count. dst: 16. */
int kube_template_hash(const struct kube_pod_template_spec *t, const int32_t *collisions, char *dst);
uint32_t kube_fnv32(uint32_t seed, struct slice s);                      /* FNV-1a; begin with KUBE_FNV32 */
#define KUBE_FNV32 2166136261u
/* name-xxxxx with a random suffix (for names that clients choose); dst is n bytes, the base is cut to fit 63. */
void kube_random_name(char *dst, size_t n, const char *base);
