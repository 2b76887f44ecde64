/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server-side apply: who owns which field, over trees. For PATCH with
 * application/apply-patch+yaml apply_patch() merges; after every other write (after
 * admission and defaults, before storage) apply_track() books what changed. Both
 * write metadata.managedFields of what they return. Nothing that comes in is changed;
 * results share memory with it.
 */
#pragma once
#include "schema/fields.h"

enum { APPLY_MAX_UPDATE_MANAGERS = 10, APPLY_MAX_DEPTH = 128 };

struct apply_who {
	struct schema_node node;    /* the kind: schema_node_of(T_kube_deployment), crd_node(schema), … */
	const char *api_version;    /* that of the request: "apps/v1" */
	const char *manager;        /* fieldManager=, or the start of the User-Agent up to '/'; at most 128 bytes */
	const char *subresource;    /* NULL or "status", "scale", … */
	const char *now;            /* RFC 3339 in whole seconds */
	const char *reset;          /* what this endpoint does not write and nobody owns through it: "status", "spec,metadata.labels", or NULL */
	bool is_forced;
};
struct apply_conflict {
	const char *message;        /* conflict with "kubectl" using apps/v1   (cause FieldManagerConflict) */
	const char *field;          /* .spec.replicas */
};
struct apply_conflicts {
	struct apply_conflict *v;
	uint32_t n;
};

/*
 * Merges an applied configuration into live (NULL: the object is to be
 * created). What the manager owned and no longer applies is removed unless others own it.
 * *ret is the object to validate and store; *changed says whether it differs from live in
 * more than the entry's time. Errors: -EBUSY (conflicts, also in *conflicts; 409 Conflict; text as
 * Kubernetes words it), -EINVAL (metadata.managedFields must be nil, no apiVersion, bad keys: 400), -E2BIG.
 */
int apply_patch(const struct apply_who *who, const struct tree *live, const struct tree *applied, struct arena *a,
	struct tree *ret, bool *changed, struct apply_conflicts *conflicts, struct err *e);
/*
 * Books a create (live NULL), put or patch: the fields that changed are the
 * manager's now; those that went are nobody's. Never fails for managedFields that cannot be
 * read (they are dropped). 0 or -E2BIG.
 */
int apply_track(const struct apply_who *who, const struct tree *live, const struct tree *object, struct arena *a,
	struct tree *ret, struct err *e);
/* metadata.managedFields as a client sent them: 0, or -EINVAL with Kubernetes' words (bad operation, fieldsType, manager, …). */
int apply_check_managed(const struct tree *object, struct err *e);
