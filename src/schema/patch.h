/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patches of trees, as the Kubernetes API server takes them and kubectl makes
 * them: JSON patch (RFC 6902), merge patch (RFC 7396) and the strategic merge
 * patch, which knows from a type's rows what lists merge by.
 *
 * Nothing that comes in is changed. What comes out lies in the arena and shares
 * text (and whole values) with what came in, which must live as long; it is
 * not to be edited in place where it may share (tree_clone first).
 *
 * Errors, beside -E2BIG (too large, too deep, past the arena's ceiling):
 *   -EBADMSG  this is no patch                              400 BadRequest
 *   -EDOM     it does not fit this document                 422 Invalid
 *   -EBADE    a `test` operation failed                     422 Invalid
 */
#pragma once
#include "schema/tree.h"

enum { PATCH_MAX_OPS = 10000, PATCH_MAX_COPY_BYTES = 3 << 20 };

/* A copy of the structure that shares the text. 0 or -E2BIG (no room). */
int tree_clone(const struct tree *v, struct arena *a, struct tree *ret);

/*
 * RFC 6902 with what Kubernetes' library makes of it: negative indexes count
 * from the end; `replace` and `test` of a member that is not there act as if
 * it were null; the whole document cannot be added or removed.
 */
int tree_json_patch(const struct tree *doc, const struct tree *patch, struct arena *a, struct tree *ret, struct err *e);

/* RFC 7396. */
int tree_merge_patch(const struct tree *doc, const struct tree *patch, struct arena *a, struct tree *ret, struct err *e);
/* The merge patch that makes modified of original ({} when they are equal). */
int tree_merge_diff(const struct tree *original, const struct tree *modified, struct arena *a, struct tree *ret, struct err *e);
/*
 * As kubectl apply for types it does not know: what modified (the file) sets
 * or changes in current (the live object), and null for what original (the last
 * applied file; may be NULL) had and modified has not.
 */
int tree_merge_diff3(const struct tree *original, const struct tree *modified, const struct tree *current, struct arena *a,
	struct tree *ret, struct err *e);

/*
 * Strategic merge patch for a document of type t: $patch, $retainKeys,
 * $deleteFromPrimitiveList/x, $setElementOrder/x.
 */
int tree_strategic_patch(struct schema_ref t, const struct tree *doc, const struct tree *patch, struct arena *a, struct tree *ret,
	struct err *e);
/* The strategic patch that makes modified of original. */
int tree_strategic_diff(struct schema_ref t, const struct tree *original, const struct tree *modified, struct arena *a,
	struct tree *ret, struct err *e);
/* As tree_merge_diff3, strategic: what kubectl apply sends for types it knows. */
int tree_strategic_diff3(struct schema_ref t, const struct tree *original, const struct tree *modified, const struct tree *current,
	struct arena *a, struct tree *ret, struct err *e);
