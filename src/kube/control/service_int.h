/* SPDX-License-Identifier: Apache-2.0 */
/* What endpoints and endpoint slices have in common: which pods a service means, and under which ports. */
#pragma once
#include "kube/control/control_int.h"

struct service_state {
	struct informer *services, *pods, *nodes, *written;   /* written: Endpoints or EndpointSlices */
	struct expects *expects;
};
/* Queue and caches of a controller that writes group/plural; on_written is told of changes of those. */
int service_start(struct control *c, const char *name, const char *group, const char *plural, int (*sync_wait)(struct ctl *k, const char *key, struct err *e),
	void (*on_written)(struct ctl *k, struct kobject *old, struct kobject *now), struct ctl **ret);
bool service_is_headless(const struct kube_service *svc);
/* May this pod be among the endpoints; those that are being deleted only if `terminating`. */
bool service_takes(const struct kube_pod *p, bool terminating);
/* The pod's number for a port of the service; -ENOENT when it names none that the pod has. */
int service_pod_port(const struct kube_pod *p, const struct kube_service_port *port, int32_t *ret);
/* The name under which a headless service knows the pod, or NULL. */
const char *service_hostname(const struct kube_service *svc, const struct kube_pod *p);
struct kube_object_reference *service_target(struct arena *a, const struct kube_pod *p);
/* The pods that the service selects, by name. */
int service_pods(struct sync *s, struct service_state *st, const struct kube_service *svc, struct objects *ret);
/* The pod's address of this family ("IPv4", "IPv6"), or NULL. */
const char *pod_address(const struct kube_pod *p, const char *family);
/* svc's labels, those of `more` on top; NULL without memory. */
struct schema_pair *service_labels(struct arena *a, const struct kube_service *svc, const struct schema_pair *more, uint32_t n_more, uint32_t *n);
bool pairs_equal(const struct schema_pair *a, uint32_t n, const struct schema_pair *b, uint32_t n_b);
#define TRIGGER_ANNOTATION "endpoints.kubernetes.io/last-change-trigger-time"
