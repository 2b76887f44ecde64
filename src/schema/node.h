/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A place in a type: what the algorithms of server-side apply ask of a schema,
 * whether it is rows (built-in kinds), a compiled CustomResourceDefinition, or
 * none at all. A small value, passed around by copy; it points into the rows
 * or the compiled schema, which must live as long.
 */
#pragma once
#include "schema/tree.h"

struct crd_prop;
struct schema_field;
struct schema_node {
	const struct schema_domain *domain;   /* rows */
	const struct schema_field *field;     /* NULL: the message `type` itself */
	uint32_t type;
	bool is_item;                         /* an element of field's list, a value of its map */
	const struct crd_prop *prop;          /* compiled */
	/* neither: no schema; what a value is follows from the value */
};

enum schema_node_kind {
	NODE_LEAF = 1,      /* a scalar, or a list or map that is replaced as a whole */
	NODE_MAP,           /* members merge */
	NODE_SET,           /* a list of scalars, each once */
	NODE_ASSOC,         /* a list of maps that schema_node_keys tell apart */
};

struct schema_node schema_node_of(struct schema_ref t);
static inline struct schema_node schema_node_any(void) { return (struct schema_node){ 0 }; }
/* What v (which may be NULL) is at this place. */
enum schema_node_kind schema_node_kind(const struct schema_node *n, const struct tree *v);
/* The place of a member of a map, of an element of a list. */
struct schema_node schema_node_member(const struct schema_node *n, struct slice key);
struct schema_node schema_node_item(const struct schema_node *n);
/* "port,protocol"; NULL when the node is no NODE_ASSOC. */
const char *schema_node_keys(const struct schema_node *n);
/* The value a key of an element has when it is not written; false: none. *ret points into the schema. */
bool schema_node_key_default(const struct schema_node *item, struct slice key, struct tree *ret);
/* Does the schema name this member (fields of structs, properties, any map's key)? */
bool schema_node_has_member(const struct schema_node *n, struct slice key);
