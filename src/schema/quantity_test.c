/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/quantity.h"

#include <errno.h>

#include "api/kube.h"
#include "base/auto.h"
#include "base/test.h"
#include "schema/schema.h"

static const char *canonical(const char *s)
{
	static struct arena a = { .max_bytes = 1 << 20 };
	struct err e = { 0 };
	const char *t = quantity_canonical(&a, s, &e);
	return t ? t : arena_strdup(&a, e.text);
}

TEST(a_quantity_is_written_in_canonical_form)
{
	static const char *const pairs[][2] = {
		{ "0.5", "500m" }, { "1.5", "1500m" }, { "1000m", "1" }, { "1000", "1k" }, { "0", "0" }, { "-0", "0" }, { "00.100", "100m" },
		{ "1024Mi", "1Gi" }, { "1.5Gi", "1536Mi" }, { "0.5Gi", "512Mi" }, { "1023", "1023" }, { "512Ki", "512Ki" }, { "0.1Ki", "102400m" },
		{ "1.1Ki", "1126400m" }, { "1e3", "1e3" }, { "1E3", "1e3" }, { "12e4", "120e3" }, { "100u", "100u" }, { "0.0000000001", "1n" },
		{ "-1.5", "-1500m" }, { "128974848", "128974848" }, { "129M", "129M" }, { "9E", "9E" }, { "8Ei", "9223372036854775807" },
		{ "250m", "250m" }, { "64Mi", "64Mi" }, { "1.", "1" }, { ".5", "500m" }, { "+3", "3" }, { "1e0", "1" },
	};
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		CHECK_STR(canonical(pairs[i][0]), pairs[i][1]);
}

TEST(what_is_no_quantity_is_refused_in_kubernetes_words)
{
	const char *wrong = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
	CHECK_STR(canonical(""), wrong);
	CHECK_STR(canonical("abc"), wrong);
	CHECK_STR(canonical("1.2.3"), wrong);
	CHECK_STR(canonical("1 Gi"), wrong);
	CHECK_STR(canonical("1x"), wrong);
	CHECK_STR(canonical("1GiB"), wrong);
	CHECK_STR(canonical("1mm"), "unable to parse quantity's suffix");
	CHECK_STR(canonical("1e"), "unable to parse quantity's suffix");
}

TEST(quantities_count_round_up_and_compare)
{
	CHECK_INT(quantity_text_value("1.5"), 2);
	CHECK_INT(quantity_text_milli("1.5"), 1500);
	CHECK_INT(quantity_text_milli("100u"), 1);
	CHECK_INT(quantity_text_value("2Ki"), 2048);
	CHECK_INT(quantity_text_value(NULL), 0);
	struct quantity a, b;
	CHECK_INT(quantity_parse(SLICE("1Gi"), &a, NULL), 0);
	CHECK_INT(quantity_parse(SLICE("512Mi"), &b, NULL), 0);
	CHECK_INT(quantity_cmp(&a, &b), 1);
	quantity_add(&a, &b);
	char text[QUANTITY_TEXT_MAX];
	quantity_format(text, &a);
	CHECK_STR(text, "1536Mi");
	quantity_sub(&a, &a);
	CHECK(a.nano == 0);
}

TEST(a_decoded_object_has_canonical_quantities)
{
	struct arena a = { .max_bytes = 1 << 20 };
	struct err e;
	struct kube_resource_requirements r;
	CHECK_OK(schema_from_json(T_kube_resource_requirements, SLICE("{\"limits\":{\"cpu\":0.5,\"memory\":\"1024Mi\"}}"), 0, &a, &r, &e), &e);
	CHECK_STR(r.limits[0].value, "500m");
	CHECK_STR(r.limits[1].value, "1Gi");
	CHECK_INT(schema_from_json(T_kube_resource_requirements, SLICE("{\"limits\":{\"cpu\":\"lots\"}}"), 0, &a, &r, &e), -EINVAL);
	CHECK_STR(e.text, "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
	arena_release(&a);
}
