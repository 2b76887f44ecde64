/* SPDX-License-Identifier: Apache-2.0 */
/* Three documents as original, modified (or a patch) and current: patches of every kind, applied and made. */
#include "api/kube.h"
#include "base/assert.h"
#include "schema/patch.h"
#include "split.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = slice_n(data, size);
	struct arena a;
	struct err e;
	if (size > 1 << 13)
		return 0;
	arena_init(&a, 64 << 20);
	struct tree x = next_tree(&rest, &a), y = next_tree(&rest, &a), z = next_tree(&rest, &a), out, back;
	(void)tree_json_patch(&x, &y, &a, &out, &e);
	(void)tree_merge_patch(&x, &y, &a, &out, &e);
	(void)tree_strategic_patch(T_kube_deployment, &x, &y, &a, &out, &e);
	if (tree_merge_diff(&x, &y, &a, &out, &e) == 0)
		(void)tree_merge_patch(&x, &out, &a, &back, &e);
	(void)tree_merge_diff3(&x, &y, &z, &a, &out, &e);
	if (tree_strategic_diff(T_kube_deployment, &x, &y, &a, &out, &e) == 0)
		(void)tree_strategic_patch(T_kube_deployment, &x, &out, &a, &back, &e);
	if (tree_strategic_diff3(T_kube_deployment, &x, &y, &z, &a, &out, &e) == 0)
		(void)tree_strategic_patch(T_kube_deployment, &z, &out, &a, &back, &e);
	arena_release(&a);
	return 0;
}
