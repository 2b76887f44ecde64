/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tools/gen writes and the interpreter reads: constant rows that say where
 * in a C struct a field lives and how it looks on each wire. Only offsets, no
 * pointers inside rows, so that tables stay in read-only pages without
 * relocations. Code outside schema/ has no business here.
 *
 * A message is a run of fields. Lists of lists, maps of lists and top-level
 * lists go through messages that the generator makes up: an *entry* has the
 * fields key and value; a *transparent* message has one field, items, and
 * stands on the wire for that field alone.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "schema/schema.h"

enum schema_kind {
	SCHEMA_BOOL = 1,
	SCHEMA_I8, SCHEMA_I16, SCHEMA_I32, SCHEMA_I64,
	SCHEMA_U8, SCHEMA_U16, SCHEMA_U32, SCHEMA_U64,
	SCHEMA_F64,
	SCHEMA_STRING,
	SCHEMA_TIME,          /* Go's time.Time: text; absent is year 1 */
	SCHEMA_METATIME,      /* Kubernetes: seconds; absent is null */
	SCHEMA_MICROTIME,     /* six decimals; absent is null */
	SCHEMA_DURATION,      /* "1h2m" */
	SCHEMA_QUANTITY,      /* "100m"; a number is accepted too */
	SCHEMA_JSON,          /* any value, kept as text: struct slice */
	SCHEMA_RAWEXT,        /* the same, an embedded Kubernetes object */
	SCHEMA_FIELDSV1,      /* the same, metadata.managedFields[].fieldsV1 */
	SCHEMA_BYTES,         /* base64 in JSON: struct slice */
	SCHEMA_INTSTR,        /* struct schema_int_or_string */
	SCHEMA_EMPTY,         /* {} (no member: the value of a set) */
	SCHEMA_MESSAGE,       /* types[sub] */
	SCHEMA_KINDS
};
enum schema_shape { SCHEMA_ONE, SCHEMA_PTR, SCHEMA_LIST, SCHEMA_MAP };

enum schema_field_flags {
	SCHEMA_OMITEMPTY = 1,   /* not written when empty, in Go's sense */
	SCHEMA_OMITZERO = 2,    /* not written when all of it is zero */
	SCHEMA_NULLABLE = 4,    /* text that can be null: *string, and map[string]*string's values */
	SCHEMA_OR_STRING = 8,   /* a list that also accepts one bare string */
	SCHEMA_QUOTED = 16,     /* a number written as a string */
	SCHEMA_PAIRS = 32,      /* map[string]string: struct schema_pair */
	SCHEMA_RULES = 64,      /* the domain's rules have some for this field */
	SCHEMA_OPTIONAL = 128,  /* always written, but need not be given: not among OpenAPI's required */
};

struct schema_field {
	uint32_t name;             /* offset in strings */
	uint32_t go_type;          /* for error texts; 0: follows from kind and shape */
	uint32_t go_in;            /* likewise: the embedded struct that Go has it in, 0: none */
	uint16_t offset;           /* of the member */
	uint16_t n_offset;         /* of its n_ (LIST, MAP) */
	uint16_t sub;              /* MESSAGE: its type; MAP without PAIRS: the entry's type */
	uint16_t number, outer;    /* protobuf; outer: number of the message it sits in there though not in C; 0 = none */
	uint16_t flags;
	uint16_t since, until;     /* API versions, minor only (1.44 is 44); 0 = always */
	uint8_t name_len, kind, shape;
};

enum schema_type_flags { SCHEMA_TRANSPARENT = 1, SCHEMA_ENTRY = 2 };

struct schema_type {
	uint32_t name;             /* of the definition */
	uint32_t go_name;          /* 0 = none */
	uint32_t help;             /* a sentence; 0 = none */
	uint32_t file;             /* of the definition, without ending: "core_v1"; 0 for those the generator makes up */
	uint32_t first;            /* its fields: fields[first .. first + n_fields) */
	uint32_t slots;            /* its hash slots: slots[slots .. + 1 << slot_bits), field + 1 or 0 */
	uint32_t seed;
	uint32_t size;             /* of the C struct */
	uint8_t n_fields, slot_bits, flags;
	uint8_t is_plain;          /* nothing in it points to memory */
	uint8_t is_atomic;         /* server-side apply replaces it as a whole */
};

/* What lists merge by (Kubernetes); sorted by field. */
struct schema_list_row {
	uint32_t field;
	uint32_t keys;             /* "a,b" offset in strings, 0 = none: listMapKeys */
	uint32_t merge_key;        /* patchMergeKey */
	uint8_t type;              /* 'a'tomic, 's'et, 'm'ap, 0 not said */
	uint8_t patch;             /* bits: 1 merge, 2 retainKeys, 4 replace */
};

enum schema_rule_kind {
	SCHEMA_RULE_DEFAULT = 1,   /* text of the default value */
	SCHEMA_RULE_ENUM,          /* "a|b|c" */
	SCHEMA_RULE_MIN, SCHEMA_RULE_MAX,            /* of numbers */
	SCHEMA_RULE_MIN_LEN, SCHEMA_RULE_MAX_LEN,    /* of text and lists */
	SCHEMA_RULE_FORMAT,        /* dns1123-label, dns1123-subdomain, … */
	SCHEMA_RULE_IMMUTABLE,
	SCHEMA_RULE_REQUIRED,
};
struct schema_rule {
	uint32_t field;
	uint32_t text;             /* offset in strings */
	uint8_t kind;
};

struct schema_domain {
	const char *name;
	const char *strings;       /* offset 0 is "" */
	const struct schema_type *types;
	const struct schema_field *fields;
	const uint8_t *slots;
	const uint8_t *order;      /* fields of each type by protobuf number, like fields; NULL without */
	const uint32_t *help;      /* a sentence a field, offsets; NULL without */
	const struct schema_list_row *lists;
	const struct schema_rule *rules;
	uint32_t n_types, n_fields, n_lists, n_rules;
};

static inline uint64_t schema_load(const char *s, size_t n)
{
	uint64_t v = 0;
	if (n >= 8) {
		memcpy(&v, s, 8);
	} else if (n >= 4) {
		uint32_t a, b;
		memcpy(&a, s, 4);
		memcpy(&b, s + n - 4, 4);
		v = a | (uint64_t)b << 32;
	} else if (n) {
		v = (uint8_t)s[0] | (uint64_t)(uint8_t)s[n / 2] << 8 | (uint64_t)(uint8_t)s[n - 1] << 16;
	}
	return v | 0x2020202020202020u;
}

/* Of a key, without case; the generator looks for a seed without collisions. */
static inline uint32_t schema_hash(const char *s, size_t n, uint32_t seed)
{
	uint64_t h = schema_load(s, n) * 0x9e3779b97f4a7c15u;
	if (n > 8)
		h ^= schema_load(s + n - 8, 8) * 0xc2b2ae3d27d4eb4fu;
	h ^= h >> 29;
	h = (h + n) * (0x9fb21c651e98df25u + 2 * (uint64_t)seed);
	return (uint32_t)(h >> 32);
}
