/* SPDX-License-Identifier: Apache-2.0 */
/* YAML: what is read is written and read again as the same documents. */
#include "base/assert.h"
#include "schema/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 1 << 14)
		return 0;
	struct arena a;
	arena_init(&a, 8 << 20);
	struct tree docs, again;
	struct err e;
	if (tree_from_yaml(slice_n(data, size), 0, &a, &docs, &e) == 0) {
		for (uint32_t i = 0; i < docs.n && i < 4; i++) {
			struct buf b = BUF_INIT(32 << 20);
			if (tree_to_yaml(&docs.items[i], SCHEMA_SORTED, &b) == 0 && tree_from_yaml(buf_slice(&b), 0, &a, &again, &e) == 0)
				must(again.n == 1 && tree_equal(&docs.items[i], &again.items[0]));
			buf_release(&b);
		}
	}
	arena_release(&a);
	return 0;
}
