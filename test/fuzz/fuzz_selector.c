/* SPDX-License-Identifier: Apache-2.0 */
/* Selectors of labels and fields; what was read prints as something that reads as the same. */
#include "base/arena.h"
#include "base/assert.h"
#include "kube/meta/selector.h"

static const char *value(void *arg, const char *field) { return *field == 'a' ? "b" : NULL; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct schema_pair labels[] = { { "a", "b" }, { "app", "5" } };
	struct selector s, again;
	struct arena a;
	struct err e;
	char *text;
	if (size > 1 << 12)
		return 0;
	arena_init(&a, 16 << 20);
	text = arena_dup(&a, slice_n(data, size));
	if (selector_parse(&a, text, &s, &e) == 0) {
		struct buf one = BUF_INIT(1 << 20), two = BUF_INIT(1 << 20);
		bool matches = selector_matches(&s, labels, 2);
		selector_text(&s, &one);
		must(selector_parse(&a, one.ptr, &again, &e) == 0 && again.n_terms == s.n_terms && selector_matches(&again, labels, 2) == matches);
		selector_text(&again, &two);
		must(!strcmp(one.ptr, two.ptr));
		buf_release(&one);
		buf_release(&two);
	}
	if (field_selector_parse(&a, text, &s, &e) == 0)
		(void)field_selector_matches(&s, value, NULL);
	arena_release(&a);
	return 0;
}
