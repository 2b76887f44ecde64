/* SPDX-License-Identifier: Apache-2.0 */
/* JSON as structs of three domains and as a tree: what is read is written and read again as the same value. */
#include "api/docker.h"
#include "api/kube.h"
#include "api/oci.h"
#include "base/assert.h"
#include "schema/tree.h"

static void as_struct(struct schema_ref t, struct slice text, unsigned flags)
{
	struct arena a;
	arena_init(&a, 32 << 20);
	void *x = arena_alloc(&a, schema_size(t)), *y = arena_alloc(&a, schema_size(t));
	struct err e;
	if (schema_from_json(t, text, flags, &a, x, &e) == 0) {
		struct buf b = BUF_INIT(64 << 20);
		if (schema_to_json(t, x, 0, &b) == 0) {
			must(schema_from_json(t, buf_slice(&b), SCHEMA_STRICT, &a, y, &e) == 0);
			must(schema_copy(t, y, &a, x) == 0 && schema_equal(t, x, y));
		}
		buf_release(&b);
	}
	arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_n(data, size);
	if (size > 1 << 16)
		return 0;
	as_struct(T_docker_container_create, text, SCHEMA_FOLD_CASE);
	as_struct(T_docker_container_inspect, text, SCHEMA_STRICT);
	as_struct(T_oci_spec, text, SCHEMA_FOLD_CASE | SCHEMA_NO_COPY);
	as_struct(T_kube_pod, text, 0);
	struct arena a;
	arena_init(&a, 32 << 20);
	struct tree x, y;
	struct err e;
	struct buf b = BUF_INIT(64 << 20);
	if (tree_from_json(text, 0, &a, &x, &e) == 0 && tree_to_json(&x, SCHEMA_ESCAPE_HTML | SCHEMA_INDENT, &b) == 0) {
		must(tree_from_json(buf_slice(&b), SCHEMA_STRICT, &a, &y, &e) == 0);
		must(tree_equal(&x, &y));
		/* what a strict reading refuses is what a reporting one names */
		struct buf twice = BUF_INIT(1 << 20);
		unsigned n = 0;
		must(tree_from_json_report(text, 0, &a, &y, &twice, &n, &e) == 0 && tree_equal(&x, &y));
		must((tree_from_json(text, SCHEMA_STRICT, &a, &y, &e) < 0) == (n > 0));
		buf_release(&twice);
	}
	buf_release(&b);
	arena_release(&a);
	return 0;
}
