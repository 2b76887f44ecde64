/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CustomResourceDefinition's openAPIV3Schema, compiled once and then frozen:
 * objects are pruned, defaulted and validated with it, and server-side apply
 * reads its list types. Counted, and may be shared by threads.
 *
 * Rules in CEL (x-kubernetes-validations) are compiled with the schema and run on objects that are otherwise
 * valid; see cel.h for what of CEL there is. A rule that needs more is refused with the schema.
 */
#pragma once
#include "schema/node.h"

struct crd_schema;

/* What is wrong, as causes of a Status: `field: message` is the line of text. */
struct schema_problem {
	const char *field;      /* "spec.replicas" */
	const char *reason;     /* FieldValueInvalid, FieldValueRequired, … */
	const char *message;    /* Invalid value: "x": spec.replicas in body must be … */
};
struct schema_problems {
	struct arena *a;        /* where the texts go */
	struct schema_problem *v;
	uint32_t n, room;
	bool is_full;           /* past the ceiling, or without memory: more was found than is here */
};
/* "[a: x, b: y]", or "a: x" for one. */
void schema_problems_print(const struct schema_problems *p, struct buf *out);

/*
 * Compiles a schema document. Problems (structure, patterns, defaults, lists of keys …) go to *p with
 * fields below `path` ("spec.validation.openAPIV3Schema"); then *ret is not set and the answer is -EINVAL.
 * metadata is the type of objects' metadata, for server-side apply (T_kube_object_meta).
 * Others: -E2BIG, -ENOMEM.
 */
int crd_compile(const struct tree *schema, struct schema_ref metadata, const char *path, struct schema_problems *p, struct crd_schema **ret);
struct crd_schema *crd_ref(struct crd_schema *s);
struct crd_schema *crd_unref(struct crd_schema *s);
/* Its place for server-side apply; valid while s is. */
struct schema_node crd_node(const struct crd_schema *s);

/*
 * Removes members that the schema does not name, in place; obj is the caller's own. Paths of what went
 * are appended as `unknown field "spec.foo"`, separated by ", ", with their number in *n; unknown may be NULL.
 */
void crd_prune(const struct crd_schema *s, struct tree *obj, struct buf *unknown, unsigned *n);
/* Fills in defaults and drops nulls that are not nullable and have a default, in place. 0 or -E2BIG. */
int crd_default(const struct crd_schema *s, struct tree *obj, struct arena *a);
/*
 * Checks obj; with old (may be NULL: a create) values that have not changed are not checked again, as Kubernetes
 * does since 1.30. Returns the number of problems (also those past the ceiling). Regular expressions run here:
 * more than a millisecond on large objects.
 */
unsigned crd_validate(const struct crd_schema *s, const struct tree *obj, const struct tree *old, struct schema_problems *p);
