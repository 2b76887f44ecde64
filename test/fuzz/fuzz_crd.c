/* SPDX-License-Identifier: Apache-2.0 */
/* A schema and an object: compiled, pruned, filled, checked; what was pruned and filled once stays as it is. */
#include "api/kube.h"
#include "base/assert.h"
#include "schema/crd.h"
#include "split.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = slice_n(data, size);
	struct arena a;
	struct crd_schema *s = NULL;
	if (size > 1 << 13)
		return 0;
	arena_init(&a, 64 << 20);
	struct schema_problems p = { .a = &a };
	struct buf unknown = BUF_INIT(1 << 20);
	struct tree schema = next_tree(&rest, &a), x = next_tree(&rest, &a), copy;
	unsigned n;
	if (crd_compile(&schema, T_kube_object_meta, "schema", &p, &s) == 0) {
		crd_prune(s, &x, &unknown, &n);
		must(tree_copy(&x, &a, &copy) == 0);
		crd_prune(s, &copy, &unknown, &n);
		must(n == 0 && tree_equal(&x, &copy));
		if (crd_default(s, &x, &a) == 0)
			(void)crd_validate(s, &x, &copy, &p);
		(void)crd_validate(s, &x, NULL, &p);
		crd_unref(s);
	}
	schema_problems_print(&p, &unknown);
	buf_release(&unknown);
	arena_release(&a);
	return 0;
}
