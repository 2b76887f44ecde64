/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Image references: what people type, taken apart and normalised as Docker
 * does (grammar: distribution/reference). Pure.
 */
#pragma once
#include "base/arena.h"
#include "base/err.h"

#define REF_HUB "docker.io"

struct ref {
	const char *domain;       /* "docker.io", "localhost:5000" */
	const char *path;         /* "library/ubuntu" */
	const char *tag;          /* NULL: none */
	const char *digest;       /* "sha256:…" or NULL */
};

/* "ubuntu" -> docker.io, library/ubuntu, no tag. Strings live in the arena. Errors (EINVAL) in Docker's words. */
int ref_parse(struct slice text, struct arena *a, struct ref *ret, struct err *e);
/* Sets tag "latest" where there is neither tag nor digest. */
void ref_default_tag(struct ref *r);
/* "docker.io/library/ubuntu" and "ubuntu"; NULL without memory. */
const char *ref_name(const struct ref *r, struct arena *a);
const char *ref_familiar_name(const struct ref *r, struct arena *a);
/* With tag and digest as present. */
const char *ref_text(const struct ref *r, struct arena *a);
const char *ref_familiar(const struct ref *r, struct arena *a);
/* Whether s could be a tag, and a repository path of a registry ("a/b_c"). */
bool ref_is_tag(struct slice s);
bool ref_is_path(struct slice s);
/* 64 hex digits: never a name. */
bool ref_is_hex_id(struct slice s);
