/* SPDX-License-Identifier: Apache-2.0 */
/* How Kubernetes writes ages, labels and selectors for people; shared by server-side tables and kubectl. */
#pragma once
#include <stdint.h>
#include "schema/schema.h"

struct kube_label_selector;

enum { KUBE_DURATION_MAX = 32 };
/* "5s", "3m20s", "4h", "2d3h", "1y20d"; "<invalid>" for what lies more than a second ahead. dst: KUBE_DURATION_MAX; returned. */
const char *kube_human_duration(char *dst, int64_t ns);
/* The age of an RFC 3339 time, "<unknown>" for NULL and what is none. */
const char *kube_age(char *dst, const char *time, int64_t now_ns);
/* "a=b,c=d" by key, "<none>" for none; appended. */
void kube_labels_text(const struct schema_pair *labels, uint32_t n, struct buf *out);
/* "a=b,c in (d,e),!f" by key; nothing for NULL and for an empty selector; appended. */
void kube_selector_text(const struct kube_label_selector *s, struct buf *out);
