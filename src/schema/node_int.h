/* SPDX-License-Identifier: Apache-2.0 */
/* What places in types ask of their two sources. */
#pragma once
#include "schema/node.h"

/* First member of every struct crd_prop, so that rows need not be linked with compiled schemas. */
struct crd_hooks {
	enum schema_node_kind (*kind)(const struct schema_node *n, const struct tree *v);
	struct schema_node (*member)(const struct schema_node *n, struct slice key);
	struct schema_node (*item)(const struct schema_node *n);
	const char *(*keys)(const struct schema_node *n);
	bool (*has_member)(const struct schema_node *n, struct slice key);
	bool (*key_default)(const struct schema_node *n, struct slice key, struct tree *ret);
};

/* How a strategic merge patch treats a field. */
struct schema_patch_how {
	bool is_merge, is_retain, is_replace;
	struct slice key;       /* of maps in a merged list; empty: scalars */
};
void schema_node_patch(const struct schema_node *n, struct schema_patch_how *ret);
