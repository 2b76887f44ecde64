/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is particular to each built-in kind of Kubernetes: defaults, what the
 * server sets or ignores in a request, validation with the wordings clients
 * match, fields for selectors, columns of kubectl get. Pure functions on
 * structs; the generic part of an API server (names, uids, versions, times,
 * finalizers) and addresses of services are kube/api's. One row a kind in
 * kind.c. Facts: Kubernetes 1.36, pkg/apis, pkg/registry, pkg/printers.
 *
 * `ref` is a kind's type (T_kube_pod); a kind without a row gets the general
 * behaviour, so that a new one is served before it has rules.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "schema/schema.h"
#include "schema/tree.h"
#include "api/kube.h"

/* How the struct of every kind begins. */
struct kind_object {
	const char *kind, *api_version;
	struct kube_object_meta metadata;
};

/* --- defaults --- */

/* Fills what is absent, everywhere in obj, new memory from the arena. Run after every decode (create, update, patch). 0 or -E2BIG. */
int kind_default(struct schema_ref ref, struct arena *a, void *obj);

/* --- what a write may say --- */

enum kind_write {
	KIND_SPEC,              /* the resource itself */
	KIND_STATUS,            /* …/status */
	KIND_EPHEMERAL,         /* pods/…/ephemeralcontainers */
	KIND_RESIZE,            /* pods/…/resize */
	KIND_APPROVAL,          /* certificatesigningrequests/…/approval */
	KIND_FINALIZE,          /* namespaces/…/finalize */
};
/*
 * Before a create: the status is emptied (or set as the kind says), generation
 * becomes 1, stringData becomes data, a job gets its selector, a pod its QoS
 * class. metadata's name, uid and creationTimestamp must be set already. 0 or -E2BIG.
 */
int kind_prepare_create(struct schema_ref ref, struct arena *a, void *obj);
/*
 * Before an update through `what`: the parts that this endpoint ignores are
 * taken from old, generation grows when the specification changed. 0 or -E2BIG.
 */
int kind_prepare_update(struct schema_ref ref, enum kind_write what, struct arena *a, void *obj, const void *old);

/* --- validation --- */

/* One cause of a Status of reason Invalid. */
struct kind_problem {
	const char *type;       /* "FieldValueRequired", "FieldValueInvalid", … as in status.details.causes[].reason */
	const char *field;      /* "spec.containers[0].name" */
	const char *message;    /* "Required value: …" */
};
/* Texts are in the arena; at most 100. */
struct kind_problems {
	struct arena *a;
	struct kind_problem v[100];
	unsigned n;
};
/* What is wrong in a create (old NULL) or in an update through `what`. Returns problems->n. */
unsigned kind_validate(struct schema_ref ref, enum kind_write what, const void *obj, const void *old, struct kind_problems *p);
/* The sentence of the Status: `Pod "x" is invalid: spec.a: Required value`, or `[…, …]` of several; kind is "Pod" or "Deployment.apps". */
void kind_problems_text(const struct kind_problems *p, const char *kind, const char *name, struct buf *out);

/* --- other views of the same objects --- */

/*
 * Turns an object of one version into another: core and events.k8s.io Events,
 * HorizontalPodAutoscaler v1 and v2. old (may be NULL) is the stored object that
 * an update in the other version replaces: what that version cannot say is kept.
 * ret shares memory with obj and old. 0, -E2BIG, or -ENOTSUP for other pairs.
 */
int kind_convert(struct schema_ref from, const void *obj, struct schema_ref to, const void *old, struct arena *a, void *ret);

/* --- fields for selectors --- */

enum { KIND_FIELD_MAX = 24 };
struct kind_field {
	const char *path;       /* "spec.nodeName" */
	const char *(*get)(const void *obj, char tmp[KIND_FIELD_MAX]);   /* "" where it is absent; numbers are written into tmp */
};
/* Ends with a NULL path; metadata.name and metadata.namespace, which every kind has, are not in it. Never NULL. */
const struct kind_field *kind_fields(struct schema_ref ref);

/* --- columns of kubectl get --- */

struct kind_column {
	const char *name, *type, *format;   /* "Name" "string" "name"; format "" for none */
	int priority;                       /* 1: only with -o wide */
	const char *description;
};
/* *ret_n of them; every kind has some (NAME and CREATED AT at least). */
const struct kind_column *kind_columns(struct schema_ref ref, unsigned *ret_n);
/* The cells of one object in the order of its columns, as a new list. 0 or -E2BIG. */
int kind_cells(struct schema_ref ref, const void *obj, int64_t now_ns, struct arena *a, struct tree *ret_cells);
/* Conditions of its row: a pod that has ended is {type Completed, status True, reason, message}; NULL for the rest. */
const struct kube_table_row_condition *kind_row_condition(struct schema_ref ref, const void *obj);
