/* SPDX-License-Identifier: Apache-2.0 */
/* A pattern, and a text behind the first line's end. */
#include "base/auto.h"
#include "schema/crd_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice pattern, text;
	struct crd_pattern *p = NULL;
	struct err e;
	if (size > 1 << 12)
		return 0;
	(void)slice_cut(slice_n(data, size), '\n', &pattern, &text);
	AUTO(free) char *copy = slice_dup(pattern);
	if (!copy || crd_pattern_new(copy, NULL, &p, &e) < 0)
		return 0;
	(void)crd_pattern_match(p, text);
	crd_patterns_free(p);
	return 0;
}
