/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of trees as Go prints them. */
#include "schema/number.h"

#include "base/auto.h"
#include "base/num.h"

void go_double(char *dst, double v)
{
	char digits[40];
	int precision = 0;
	do
		(void)fmt_into(digits, sizeof digits, "%.*e", precision, v);
	while (strtod(digits, NULL) != v && ++precision < 17);
	char *e = strchr(digits, 'e');
	long exponent = e ? strtol(e + 1, NULL, 10) : 0;
	if (v != v || v - v != 0)
		(void)fmt_into(dst, 32, "%s", v != v ? "NaN" : v < 0 ? "-Inf" : "+Inf");
	else if (exponent < -4 || exponent >= 6)
		(void)fmt_into(dst, 32, "%s", digits);
	else
		(void)fmt_into(dst, 32, "%.*f", (int)MAX(precision - exponent, 0L), v);
}

void go_number(const struct tree *v, struct buf *out)
{
	int64_t i;
	char text[32];
	if (num_parse_i64(tree_text(v), INT64_MIN, INT64_MAX, &i) == 0) {
		buf_addf(out, "%lld", (long long)i);
		return;
	}
	AUTO(free) char *copy = slice_dup(tree_text(v));
	go_double(text, copy ? strtod(copy, NULL) : 0);
	buf_adds(out, text);
}
