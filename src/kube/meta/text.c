/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/meta/text.h"

#include <stdlib.h>
#include <string.h>

#include "api/kube.h"
#include "base/auto.h"
#include "base/clock.h"

static const char *pair_of_units(char *dst, int64_t a, const char *ua, int64_t b, const char *ub)
{
	if (b)
		fmt_into(dst, KUBE_DURATION_MAX, "%lld%s%lld%s", (long long)a, ua, (long long)b, ub);
	else
		fmt_into(dst, KUBE_DURATION_MAX, "%lld%s", (long long)a, ua);
	return dst;
}

const char *kube_human_duration(char *dst, int64_t ns)
{
	int64_t s = ns / NS_PER_S, m = s / 60, h = m / 60, d = h / 24;
	if (s < -1) {
		fmt_into(dst, KUBE_DURATION_MAX, "<invalid>");
		return dst;
	}
	if (s < 120)
		return pair_of_units(dst, s < 0 ? 0 : s, "s", 0, "");
	if (m < 10)
		return pair_of_units(dst, m, "m", s % 60, "s");
	if (m < 180)
		return pair_of_units(dst, m, "m", 0, "");
	if (h < 8)
		return pair_of_units(dst, h, "h", m % 60, "m");
	if (h < 48)
		return pair_of_units(dst, h, "h", 0, "");
	if (d < 8)
		return pair_of_units(dst, d, "d", h % 24, "h");
	if (d < 365 * 2)
		return pair_of_units(dst, d, "d", 0, "");
	if (d < 365 * 8)
		return pair_of_units(dst, d / 365, "y", d % 365, "d");
	return pair_of_units(dst, d / 365, "y", 0, "");
}

const char *kube_age(char *dst, const char *time, int64_t now_ns)
{
	int64_t ns;
	if (time && clock_parse_rfc3339(slice_of(time), &ns) == 0 && ns != INT64_MIN)
		return kube_human_duration(dst, now_ns - ns);
	fmt_into(dst, KUBE_DURATION_MAX, "<unknown>");
	return dst;
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct schema_pair *)a)->key, ((const struct schema_pair *)b)->key);
}

void kube_labels_text(const struct schema_pair *labels, uint32_t n, struct buf *out)
{
	if (!n) {
		buf_adds(out, "<none>");
		return;
	}
	AUTO(free) struct schema_pair *v = malloc(n * sizeof *v);
	if (!v) {
		out->error = -ENOMEM;
		return;
	}
	memcpy(v, labels, n * sizeof *v);
	qsort(v, n, sizeof *v, by_key);
	for (uint32_t i = 0; i < n; i++)
		buf_addf(out, "%s%s=%s", i ? "," : "", v[i].key, v[i].value ? v[i].value : "");
}

/* One requirement: of a label (pair) or of an expression. */
struct requirement {
	const char *key;
	const struct schema_pair *label;
	const struct kube_label_selector_requirement *expression;
};

static int by_requirement(const void *a, const void *b)
{
	return strcmp(((const struct requirement *)a)->key, ((const struct requirement *)b)->key);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void expression_text(const struct kube_label_selector_requirement *x, struct buf *out)
{
	const char *op = x->operator ? x->operator : "";
	bool is_in = !strcmp(op, "In");
	if (!strcmp(op, "Exists") || !strcmp(op, "DoesNotExist")) {
		buf_addf(out, "%s%s", op[0] == 'D' ? "!" : "", x->key);
		return;
	}
	AUTO(free) const char **v = malloc((x->n_values + 1) * sizeof *v);
	if (!v) {
		out->error = -ENOMEM;
		return;
	}
	for (uint32_t i = 0; i < x->n_values; i++)
		v[i] = x->values[i];
	qsort(v, x->n_values, sizeof *v, by_text);
	buf_addf(out, "%s %s (", x->key, is_in ? "in" : "notin");
	for (uint32_t i = 0; i < x->n_values; i++)
		buf_addf(out, "%s%s", i ? "," : "", v[i]);
	buf_addc(out, ')');
}

void kube_selector_text(const struct kube_label_selector *s, struct buf *out)
{
	uint32_t n = s ? s->n_match_labels + s->n_match_expressions : 0;
	if (!n)
		return;
	AUTO(free) struct requirement *v = calloc(n, sizeof *v);
	if (!v) {
		out->error = -ENOMEM;
		return;
	}
	for (uint32_t i = 0; i < s->n_match_labels; i++)
		v[i] = (struct requirement){ .key = s->match_labels[i].key, .label = &s->match_labels[i] };
	for (uint32_t i = 0; i < s->n_match_expressions; i++) {
		const char *key = s->match_expressions[i].key;
		v[s->n_match_labels + i] = (struct requirement){ .key = key ? key : "", .expression = &s->match_expressions[i] };
	}
	qsort(v, n, sizeof *v, by_requirement);
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			buf_addc(out, ',');
		if (v[i].label)
			buf_addf(out, "%s=%s", v[i].key, v[i].label->value ? v[i].label->value : "");
		else
			expression_text(v[i].expression, out);
	}
}
