/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tagged value tree: JSON or YAML of no C type, or of one when order, raw
 * numbers, null and presence matter (templates, patches, custom resources).
 * Sixteen bytes a value; everything lies in the arena. A tree read once and
 * not edited may be shared by threads.
 */
#pragma once
#include "schema/schema.h"

enum tree_type { TREE_NULL, TREE_BOOL, TREE_NUMBER, TREE_STRING, TREE_LIST, TREE_MAP };

struct tree_member;
struct tree {
	uint8_t type;                    /* enum tree_type; all zero is null */
	bool is_true;                    /* BOOL */
	uint16_t room;                   /* LIST, MAP: places behind n that edits may use */
	uint32_t n;                      /* bytes of text; items; members */
	union {
		const char *text;            /* STRING: unescaped; NUMBER: as it was written. Not terminated: see tree_text */
		struct tree *items;
		struct tree_member *members; /* in the order read; each key once (the last one counts) */
	};
};
struct tree_member {
	const char *key;
	size_t key_len;
	struct tree value;
};

enum { TREE_MAX_DEPTH = 256 };

/*
 * Flags: SCHEMA_NO_COPY (strings point into the text), SCHEMA_STRICT (a key
 * that comes twice is an error). Errors: -EBADMSG, -EINVAL, -E2BIG, as schema_from_json.
 */
int tree_from_json(struct slice text, unsigned flags, struct arena *a, struct tree *ret, struct err *e);
/*
 * The same, and keys that come twice are appended to problems: `duplicate field "spec.x", duplicate field "spec.l[0].y"`
 * (at most 100); *n_problems is their number.
 */
int tree_from_json_report(struct slice text, unsigned flags, struct arena *a, struct tree *ret, struct buf *problems, unsigned *n_problems,
	struct err *e);
enum { SCHEMA_SORTED = 8 };          /* among the encode flags, for trees: members by key */
/* Appends; flags as schema_to_json. 0 or out's error. */
int tree_to_json(const struct tree *v, unsigned flags, struct buf *out);

/* Between a tree and the struct of t; flags and errors as schema_from_json's. */
int tree_to_struct(const struct tree *v, struct schema_ref t, unsigned flags, struct arena *a, void *obj, struct err *e);
int tree_from_struct(struct schema_ref t, const void *obj, struct arena *a, struct tree *ret, struct err *e);

/*
 * YAML as kubectl reads it (YAML 1.1 scalars: yes and 0777 mean what they
 * meant; merge keys and anchors, with a ceiling): the documents of a stream, as
 * a list. Errors: -EBADMSG "yaml: line 3: …". schema/yaml.c: not in coracle-runtime.
 */
int tree_from_yaml(struct slice text, unsigned flags, struct arena *a, struct tree *ret_documents, struct err *e);
/* Block style, two spaces, as kubectl prints. SCHEMA_SORTED as above. */
int tree_to_yaml(const struct tree *v, unsigned flags, struct buf *out);

/* --- looking; NULL (or null's answer) for what is not there or of another type; v may be NULL --- */
const struct tree *tree_get(const struct tree *v, struct slice key);
static inline const struct tree *tree_gets(const struct tree *v, const char *key) { return tree_get(v, slice_of(key)); }
const struct tree *tree_at(const struct tree *v, uint32_t i);
/* "spec.containers[0].image"; a key with dots as ["a.b/c"]. */
const struct tree *tree_path(const struct tree *v, const char *path);
/* STRING and NUMBER; empty for others. */
static inline struct slice tree_text(const struct tree *v)
{
	return v && (v->type == TREE_STRING || v->type == TREE_NUMBER) ? slice_n(v->text, v->n) : slice_n("", 0);
}
static inline bool tree_is_true(const struct tree *v) { return v && v->type == TREE_BOOL && v->is_true; }
/* 0, or -EINVAL (no integer), -ERANGE. "1.0" and "1e3" are integers. */
int tree_i64(const struct tree *v, int64_t *ret);
/* Numbers compare by value (1 is 1.0), maps without order. */
bool tree_equal(const struct tree *a, const struct tree *b);

/* --- making and editing; 0/non-NULL, or -ENOMEM/NULL past the arena's ceiling --- */
static inline struct tree tree_null(void) { return (struct tree){ 0 }; }
static inline struct tree tree_bool(bool v) { return (struct tree){ .type = TREE_BOOL, .is_true = v }; }
/* The text must live as long as the tree. */
static inline struct tree tree_string(struct slice s) { return (struct tree){ .type = TREE_STRING, .n = (uint32_t)s.len, .text = s.ptr }; }
static inline struct tree tree_number(struct slice s) { return (struct tree){ .type = TREE_NUMBER, .n = (uint32_t)s.len, .text = s.ptr }; }
int tree_int(struct arena *a, int64_t v, struct tree *ret);
static inline struct tree tree_list(void) { return (struct tree){ .type = TREE_LIST }; }
static inline struct tree tree_map(void) { return (struct tree){ .type = TREE_MAP }; }
/* Sets or adds a member and returns its value's place (valid until the map is edited again); the key must live as long. */
struct tree *tree_set(struct arena *a, struct tree *map, struct slice key, struct tree value);
bool tree_remove(struct tree *map, struct slice key);
struct tree *tree_append(struct arena *a, struct tree *list, struct tree value);
void tree_remove_at(struct tree *list, uint32_t i);
/* A place to change, for lookups on a tree of one's own. */
static inline struct tree *tree_get_mut(struct tree *v, struct slice key) { return (struct tree *)tree_get(v, key); }
/* Deep copy. */
int tree_copy(const struct tree *v, struct arena *a, struct tree *ret);
