/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/meta/text.h"

#include "api/kube.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/test.h"

TEST(ages_are_written_as_kubectl_shows_them)
{
	static const struct { int64_t s; const char *text; } rows[] = {
		{ -5, "<invalid>" }, { -1, "0s" }, { 0, "0s" }, { 119, "119s" }, { 120, "2m" }, { 200, "3m20s" }, { 599, "9m59s" }, { 600, "10m" },
		{ 10799, "179m" }, { 10800, "3h" }, { 7 * 3600 + 120, "7h2m" }, { 8 * 3600 + 120, "8h" }, { 48 * 3600, "2d" }, { 51 * 3600, "2d3h" },
		{ 8 * 86400 + 3600, "8d" }, { 364 * 86400, "364d" }, { 731LL * 86400, "2y1d" }, { 730LL * 86400, "2y" }, { 3000LL * 86400, "8y" },
	};
	char t[KUBE_DURATION_MAX];
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_STR(kube_human_duration(t, rows[i].s * NS_PER_S), rows[i].text);
	CHECK_STR(kube_age(t, NULL, 0), "<unknown>");
	CHECK_STR(kube_age(t, "1970-01-01T00:00:00Z", 61 * NS_PER_S), "61s");
}

TEST(selectors_are_written_by_key)
{
	const char *values[] = { "z", "y" };
	struct schema_pair labels[] = { { "b", "1" }, { "a", "2" } };
	struct kube_label_selector_requirement x[] = { { .key = "aa", .operator = "In", .values = values, .n_values = 2 },
		{ .key = "c", .operator = "DoesNotExist" } };
	struct kube_label_selector s = { .match_labels = labels, .n_match_labels = 2, .match_expressions = x, .n_match_expressions = 2 };
	AUTO(buf) struct buf b = BUF_INIT(1000);
	kube_selector_text(&s, &b);
	CHECK_STR(b.ptr, "a=2,aa in (y,z),b=1,!c");
	buf_reset(&b);
	kube_labels_text(labels, 2, &b);
	CHECK_STR(b.ptr, "a=2,b=1");
	buf_reset(&b);
	kube_labels_text(NULL, 0, &b);
	CHECK_STR(b.ptr, "<none>");
}
