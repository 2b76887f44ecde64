/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Validation's vocabulary. A place is entered by WITHIN and its kin, and left
 * at the end of the block, however it ends.
 * What is wrong is said in Kubernetes' words, which clients match:
 *
 *   WITHIN(c, "spec") WITHIN_ITEM(c, "containers", i) wrong(c, "image", REQUIRED);
 */
#pragma once
#include "kube/kind/kind_int.h"

struct check {
	struct kind_problems *p;
	struct arena *a;
	enum kind_write what;
	const char *kind;       /* "ReplicaSet" */
	const bool *right_volumes;      /* which volumes of the pod that is looked at have no fault; NULL: all */
	size_t len;
	char path[1024];
};

#define REQUIRED "Required value"

/* field NULL: the place itself. message starts with the type: "Required value", "Invalid value: …", "Forbidden: …". */
void wrong(struct check *c, const char *field, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* `Invalid value: "v": detail`. */
void wrong_text(struct check *c, const char *field, const char *value, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void wrong_int(struct check *c, const char *field, long long value, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* `Invalid value: {…}: detail`, the value as its JSON. */
void wrong_value(struct check *c, const char *field, struct schema_ref t, const void *value, const char *detail);
/* `Unsupported value: "v": supported values: "a", "b"` unless value is one of them ("a|b"); false then. */
bool one_of(struct check *c, const char *field, const char *value, const char *allowed);
/* The value in quotes, as Go's %q; in the arena. */
const char *check_quote(struct check *c, const char *s);

size_t check_enter(struct check *c, const char *name);
size_t check_enter_item(struct check *c, const char *name, uint32_t i);
size_t check_enter_key(struct check *c, const char *name, const char *key);
struct check_place {
	struct check *c;
	size_t mark;
	bool is_in;
};
static inline void auto_check_place(struct check_place *p)
{
	p->c->len = p->mark;
	p->c->path[p->mark] = 0;
}
#define WITHIN_(c_, enter, n) WITHIN_AT(c_, enter, n)
#define WITHIN_AT(c_, enter, n) for (AUTO(check_place) struct check_place place_##n = { c_, enter, true }; place_##n.is_in; place_##n.is_in = false)
#define WITHIN(c, name) WITHIN_(c, check_enter(c, name), __COUNTER__)
#define WITHIN_ITEM(c, name, i) WITHIN_(c, check_enter_item(c, name, i), __COUNTER__)
#define WITHIN_KEY(c, name, key) WITHIN_(c, check_enter_key(c, name, key), __COUNTER__)
/* Every item of a list: EACH(c, "ports", i, spec->n_ports) …spec->ports[i]… */
#define EACH(c, name, i, n) for (uint32_t i = 0; i < (n); i++) WITHIN_ITEM(c, name, i)

/* --- names and other texts: each says all that is wrong, at `field` --- */

enum name_rule { NAME_SUBDOMAIN, NAME_LABEL, NAME_LABEL_1035, NAME_PATH };
bool check_name(struct check *c, const char *field, const char *value, enum name_rule rule);
/* Without saying anything. */
bool name_is(const char *value, enum name_rule rule);
void check_qualified_name(struct check *c, const char *field, const char *value);
bool is_qualified_name(const char *value);
void check_label_value(struct check *c, const char *field, const char *value);
void check_labels(struct check *c, const char *field, const struct schema_pair *v, uint32_t n);
void check_annotations(struct check *c, const char *field, const struct schema_pair *v, uint32_t n);
void check_selector(struct check *c, const char *field, const struct kube_label_selector *s);
/* Without saying anything. */
bool selector_is_valid(const struct check *c, const struct kube_label_selector *s);
void check_port_name(struct check *c, const char *field, const char *value);
bool is_standard_finalizer(const char *name);
/* 1..65535. */
void check_port(struct check *c, const char *field, int64_t port);
void check_nonnegative(struct check *c, const char *field, int64_t v);
/* A key of a config map or secret. */
void check_data_key(struct check *c, const char *field, const char *key);
bool is_ip(const char *s);
void check_ip(struct check *c, const char *field, const char *s);
/* "field is immutable" when texts, lists or messages differ. */
void check_immutable(struct check *c, const char *field, struct schema_ref t, const void *now, const void *old);
void check_immutable_text(struct check *c, const char *field, const char *now, const char *old);

void check_meta(struct check *c, const struct kube_object_meta *m, bool is_namespaced, enum name_rule rule);
void check_meta_update(struct check *c, const struct kube_object_meta *m, const struct kube_object_meta *old);
bool kind_is_same(struct schema_ref t, const void *a, const void *b);
