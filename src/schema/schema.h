/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interpreter of message definitions (ARCHITECTURE.md, "Messages"). Rows
 * generated from api/ drive JSON, YAML and protobuf to and from plain C
 * structs, and validation, defaults, copies and comparison.
 *
 * Naming: a definition `HostConfig` of domain `docker` gives
 * `struct docker_host_config` and the reference T_docker_host_config.
 * In structs: strings are `const char *` (NULL absent); scalars that Go holds by
 * value are values, by pointer are pointers (NULL absent); nested messages
 * likewise; lists are `T *x; uint32_t n_x;` (NULL absent, non-NULL with 0 is []);
 * maps are lists of {key, value} entries in the order read; raw JSON and bytes
 * are slices; times are RFC 3339 text. Everything decoded lives in the arena.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct schema_domain;
struct schema_ref {
	const struct schema_domain *domain;
	uint32_t type;
};

/* gcc defines these two for the sake of programs of 1985; they are field names */
#undef linux
#undef unix

/* A Kubernetes IntOrString: string NULL means the number. */
struct schema_int_or_string {
	const char *string;
	int64_t number;
};
/* string -> string maps, shared by all domains */
struct schema_pair { const char *key, *value; };

enum schema_decode_flags {
	SCHEMA_STRICT = 1,          /* unknown and duplicate fields are errors, all of them named with their path */
	SCHEMA_FOLD_CASE = 2,       /* keys match without case, as Go does (Docker, OCI) */
	SCHEMA_NO_COPY = 4,         /* raw JSON (and a tree's strings without escapes) points into the text, which outlives the arena */
};
enum schema_encode_flags {
	SCHEMA_ESCAPE_HTML = 1,     /* <>& as \u003c…, as Kubernetes and Go's default encoder */
	SCHEMA_INDENT = 2,          /* four spaces, for files and people */
	SCHEMA_NEWLINE = 4,         /* end with a newline, as Go's Encoder does */
};
/* Among the encode flags: leaves out fields that API version 1.minor does not have. */
#define SCHEMA_API(minor) ((unsigned)(minor) << 16)

/*
 * Decodes text into *obj (zeroed first; the struct of t). Errors: -EBADMSG
 * (not JSON; Go's sentence), -EINVAL (wrong type or unknown field, with the
 * path and Go's wording), -E2BIG (too deep or larger than the arena may be).
 */
int schema_from_json(struct schema_ref t, struct slice text, unsigned flags, struct arena *a, void *obj, struct err *e);
/*
 * The same, and what SCHEMA_STRICT finds does not fail but is appended to
 * problems: `unknown field "spec.foo", duplicate field "spec.x"` (at most 100);
 * *n_problems is their number.
 */
int schema_from_json_report(struct schema_ref t, struct slice text, unsigned flags, struct arena *a, void *obj,
	struct buf *problems, unsigned *n_problems, struct err *e);
/* Appends obj's JSON to out; check buf_error too. Maps are written by key, as Go does. 0 or out's error. */
int schema_to_json(struct schema_ref t, const void *obj, unsigned flags, struct buf *out);
/*
 * Protobuf, for domains whose definitions have numbers. Bytes are those of
 * Kubernetes' own writer; its envelope ("k8s\0" and T_kube_unknown) is the
 * caller's. Errors: -EBADMSG (cut off), -EINVAL (wrong wire type, NUL in text), -E2BIG.
 */
int schema_from_protobuf(struct schema_ref t, struct slice bytes, struct arena *a, void *obj, struct err *e);
int schema_to_protobuf(struct schema_ref t, const void *obj, struct buf *out);
/* Deep copy into another arena; shares no memory with from. 0 or -ENOMEM. */
int schema_copy(struct schema_ref t, const void *from, struct arena *a, void *to);
/* Same value: NULL and empty lists differ, text that cannot be null does not; the order of maps does not matter. */
bool schema_equal(struct schema_ref t, const void *a, const void *b);
/* Fills what is absent (NULL, "", a number by value that is 0) and has a default in a .over file, at any depth. 0 or -E2BIG. */
int schema_default(struct schema_ref t, struct arena *a, void *obj);
/*
 * Checks obj against the rules of .over files; with old (may be NULL) also what
 * may not change. Appends what is wrong in Kubernetes' wording, separated by
 * ", ": `spec.restartPolicy: Unsupported value: "x": supported values: "Always",
 * …`; returns their number (at most 100).
 */
unsigned schema_validate(struct schema_ref t, const void *obj, const void *old, struct buf *problems);
/* The same, each problem on its own: report(arg, "spec.restartPolicy", "Unsupported value: …"). */
unsigned schema_check(struct schema_ref t, const void *obj, const void *old, void (*report)(void *arg, const char *path, const char *message),
	void *arg);
/* Bytes of the struct of t. */
size_t schema_size(struct schema_ref t);
/* First value of a key in a pair list, NULL when absent. */
const char *schema_pair_get(const struct schema_pair *v, uint32_t n, const char *key);
