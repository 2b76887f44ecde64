/* SPDX-License-Identifier: Apache-2.0 */
/* A document, then an expression. */
#include "schema/cel.h"
#include "split.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const vars[] = { "self", "oldSelf", NULL };
	struct slice rest = slice_n(data, size);
	struct cel_program *p;
	struct arena a;
	struct err e;
	if (size > 1 << 12)
		return 0;
	arena_init(&a, 32 << 20);
	struct tree doc = next_tree(&rest, &a);
	if (cel_compile(rest, vars, &a, &p, &e) == 0) {
		struct cel_input in[] = { { "self", &doc, NULL, false }, { "oldSelf", NULL, NULL, true } };
		unsigned budget = 20000;
		struct slice text;
		bool b;
		(void)cel_eval_bool(p, in, 2, &budget, &a, &b, &e);
		(void)cel_eval_string(p, in, 2, &budget, &a, &text, &e);
		cel_release(p);
	}
	arena_release(&a);
	return 0;
}
