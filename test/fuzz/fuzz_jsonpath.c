/* SPDX-License-Identifier: Apache-2.0 */
/* A document, then a template. */
#include "schema/jsonpath.h"
#include "split.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = slice_n(data, size);
	struct arena a;
	struct err e;
	if (size > 1 << 12)
		return 0;
	arena_init(&a, 32 << 20);
	struct tree doc = next_tree(&rest, &a);
	for (unsigned flags = 0; flags < 8; flags++) {
		struct jsonpath *p;
		struct jsonpath_results found;
		struct buf out = BUF_INIT(1 << 20);
		if (jsonpath_parse(rest, flags, &a, &p, &e) == 0) {
			(void)jsonpath_print(p, &doc, flags, &a, &out, &e);
			(void)jsonpath_find(p, &doc, flags, &a, &found, &e);
		}
		buf_release(&out);
	}
	arena_release(&a);
	return 0;
}
