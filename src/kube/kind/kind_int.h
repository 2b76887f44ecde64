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
};
/* NULL when there is none. */
const struct kind_row *kind_row(struct schema_ref ref);
