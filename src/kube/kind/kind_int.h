/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. */
#pragma once
#include <errno.h>
#include <string.h>
#include "base/auto.h"
#include "kube/kind/kind.h"

static inline bool is_set(const char *s) { return s && *s; }
static inline bool is(const char *s, const char *want) { return s && !strcmp(s, want); }
static inline const char *or_empty(const char *s) { return s ? s : ""; }

/* --- cells --- */

struct cells {
	struct arena *a;
	struct tree *list;
	int64_t now_ns;
	int error;
};
void cell_text(struct cells *c, const char *s);        /* the text must live as long as the cells */
void cell_fmt(struct cells *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void cell_int(struct cells *c, int64_t v);
void cell_bool(struct cells *c, bool v);
void cell_age(struct cells *c, const char *time);
void cell_buf(struct cells *c, const struct buf *b);   /* a copy */
void cell_containers(struct cells *c, const struct kube_pod_spec *s);   /* two: names, images */
void cell_labels(struct cells *c, const struct schema_pair *v, uint32_t n);
void cell_selector(struct cells *c, const struct kube_label_selector *s);   /* "<none>" when it selects by nothing */

struct kind_table {
	const struct kind_column *columns;
	unsigned n;
	void (*cells)(struct cells *c, const void *obj);
};
#define TABLE(prefix) const struct kind_table prefix##_table = { prefix##_columns, ARRAY_LEN(prefix##_columns), prefix##_cells }
extern const struct kind_table pod_table, pod_template_table, replication_controller_table, replica_set_table, deployment_table, stateful_set_table,
	daemon_set_table, controller_revision_table, job_table, cron_job_table, service_table, endpoints_table, endpoint_slice_table, ingress_table,
	ingress_class_table, node_table, namespace_table, event_table, events_event_table, secret_table, config_map_table, service_account_table,
	persistent_volume_table, persistent_volume_claim_table, storage_class_table, component_status_table, resource_quota_table, lease_table,
	priority_class_table, runtime_class_table, pod_disruption_budget_table, horizontal_pod_autoscaler_table, horizontal_pod_autoscaler_v1_table,
	role_binding_table, cluster_role_binding_table, certificate_signing_request_table, scale_table;

/* --- a kind's row --- */

struct check;
struct kind_row {
	struct schema_ref type;
	struct schema_ref spec;         /* domain NULL: no member spec that generation follows */
	uint16_t spec_at, status_at, status_size;
	const struct kind_table *table;
	const struct kind_field *fields;
	int (*defaults)(struct arena *a, void *obj);
	int (*create)(struct arena *a, void *obj);
	int (*update)(enum kind_write what, struct arena *a, void *obj, const void *old);
	void (*validate)(struct check *c, const void *obj, const void *old);
	void (*validate_status)(struct check *c, enum kind_write what, const void *obj, const void *old);
	uint8_t name;                   /* enum name_rule */
	bool is_cluster;                /* not in a namespace */
	bool has_generation;            /* metadata.generation counts changes; else it stays 0 */
};
/* NULL when there is none. */
const struct kind_row *kind_row(struct schema_ref ref);

/* --- shared by defaults and preparation --- */

/* Sets key; an existing one stays unless replace. The list is copied, not changed in place. 0 or -E2BIG. */
int kind_pairs_set(struct arena *a, struct schema_pair **v, uint32_t *n, const char *key, const char *value, bool replace);
/* NULL when it is not in the list. */
const char *kind_quantity_of(const struct kube_quantity_entry *v, uint32_t n, const char *key);
int kind_quantity_add(struct arena *a, struct kube_quantity_entry **v, uint32_t *n, const char *key, const char *value);
/* The pod specification in a pod or in what makes pods; NULL in other kinds. */
struct kube_pod_spec *kind_pod_spec(struct schema_ref ref, void *obj);
struct kube_pod_template_spec *kind_template(struct schema_ref ref, void *obj);
struct kube_container *kind_container_of(struct kube_ephemeral_container *c);
const char *kind_pod_qos(const struct kube_pod_spec *s);

int kind_default_pod_spec(struct arena *a, struct kube_pod_spec *s);
int kind_default_pod(struct arena *a, void *obj);
int kind_default_replication_controller(struct arena *a, void *obj);
int kind_default_deployment(struct arena *a, void *obj);
int kind_default_daemon_set(struct arena *a, void *obj);
int kind_default_stateful_set(struct arena *a, void *obj);
int kind_default_job(struct arena *a, void *obj);
int kind_default_service(struct arena *a, void *obj);
int kind_default_namespace(struct arena *a, void *obj);
int kind_default_node(struct arena *a, void *obj);
int kind_default_limit_range(struct arena *a, void *obj);
int kind_default_role_binding(struct arena *a, void *obj);
int kind_default_cluster_role_binding(struct arena *a, void *obj);
int kind_default_horizontal_pod_autoscaler(struct arena *a, void *obj);
int kind_default_custom_resource_definition(struct arena *a, void *obj);

/* --- preparation of creates and updates --- */

int kind_create_pod(struct arena *a, void *obj);
int kind_create_job(struct arena *a, void *obj);
int kind_create_namespace(struct arena *a, void *obj);
int kind_create_secret(struct arena *a, void *obj);
int kind_create_service(struct arena *a, void *obj);
int kind_create_service_account(struct arena *a, void *obj);
int kind_create_persistent_volume(struct arena *a, void *obj);
int kind_create_persistent_volume_claim(struct arena *a, void *obj);
int kind_create_certificate_signing_request(struct arena *a, void *obj);
int kind_create_custom_resource_definition(struct arena *a, void *obj);
int kind_update_pod(enum kind_write what, struct arena *a, void *obj, const void *old);
int kind_update_namespace(enum kind_write what, struct arena *a, void *obj, const void *old);
int kind_update_secret(enum kind_write what, struct arena *a, void *obj, const void *old);
int kind_update_service(enum kind_write what, struct arena *a, void *obj, const void *old);
int kind_update_service_account(enum kind_write what, struct arena *a, void *obj, const void *old);
int kind_create_daemon_set(struct arena *a, void *obj);
int kind_update_daemon_set(enum kind_write what, struct arena *a, void *obj, const void *old);
int kind_update_deployment(enum kind_write what, struct arena *a, void *obj, const void *old);
int kind_update_persistent_volume(enum kind_write what, struct arena *a, void *obj, const void *old);
int kind_update_endpoint_slice(enum kind_write what, struct arena *a, void *obj, const void *old);
int kind_update_certificate_signing_request(enum kind_write what, struct arena *a, void *obj, const void *old);
int kind_update_custom_resource_definition(enum kind_write what, struct arena *a, void *obj, const void *old);

extern const struct kind_field pod_fields[], service_fields[], node_fields[], namespace_fields[], secret_fields[], event_fields[], events_event_fields[],
	replica_set_fields[], replication_controller_fields[], job_fields[], certificate_signing_request_fields[];

/* --- validation: what is particular to a kind, below its root --- */

#define VALIDATE(x) void kind_validate_##x(struct check *c, const void *obj, const void *old)
VALIDATE(pod);
VALIDATE(pod_template);
VALIDATE(deployment);
VALIDATE(replica_set);
VALIDATE(replication_controller);
VALIDATE(daemon_set);
VALIDATE(stateful_set);
VALIDATE(job);
VALIDATE(cron_job);
VALIDATE(service);
VALIDATE(endpoints);
VALIDATE(endpoint_slice);
VALIDATE(ingress);
VALIDATE(ingress_class);
VALIDATE(secret);
VALIDATE(config_map);
VALIDATE(namespace);
VALIDATE(node);
VALIDATE(role);
VALIDATE(cluster_role);
VALIDATE(role_binding);
VALIDATE(cluster_role_binding);
VALIDATE(priority_class);
VALIDATE(pod_disruption_budget);
VALIDATE(horizontal_pod_autoscaler);
VALIDATE(lease);
VALIDATE(resource_quota);
VALIDATE(limit_range);
VALIDATE(controller_revision);
VALIDATE(persistent_volume_claim);
VALIDATE(persistent_volume);
VALIDATE(storage_class);
#undef VALIDATE
