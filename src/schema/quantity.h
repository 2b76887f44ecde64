/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes' quantities: "100m", "1.5Gi", "2e3". A value is held in billionths
 * with the family of its suffix, which it keeps when written. Decoding puts
 * every quantity into canonical form, as Kubernetes does ("0.5" is "500m",
 * "1024Mi" is "1Gi"). Source: k8s.io/apimachinery pkg/api/resource.
 */
#pragma once
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"

enum quantity_format { QUANTITY_DECIMAL, QUANTITY_BINARY, QUANTITY_EXPONENT };
struct quantity {
	__int128 nano;
	enum quantity_format format;
};
enum { QUANTITY_TEXT_MAX = 48 };

/* More than nine decimals are rounded up (away from zero), what is too large is capped. -EINVAL with Kubernetes' sentence. */
int quantity_parse(struct slice s, struct quantity *ret, struct err *e);
/* Canonical text into dst (QUANTITY_TEXT_MAX); returns its length. */
size_t quantity_format(char *dst, const struct quantity *q);
/* Whole units and thousandths, rounded up as Kubernetes' Value() and MilliValue(); saturate. */
int64_t quantity_value(const struct quantity *q);
int64_t quantity_milli(const struct quantity *q);
/* The same of a text; 0 for NULL and what is none (decoded objects have no such). */
int64_t quantity_text_value(const char *s);
int64_t quantity_text_milli(const char *s);
/* -1, 0, 1. */
int quantity_cmp(const struct quantity *a, const struct quantity *b);
/* a += b; takes over b's format while a is zero. Saturates. */
void quantity_add(struct quantity *a, const struct quantity *b);
void quantity_sub(struct quantity *a, const struct quantity *b);
/* Canonical text in the arena (s itself if it is canonical already), or NULL: -EINVAL in e, or no room. */
const char *quantity_canonical(struct arena *a, const char *s, struct err *e);
/* In the arena, or NULL. */
const char *quantity_text(struct arena *a, const struct quantity *q);
