/* SPDX-License-Identifier: Apache-2.0 */
#include "build/build.h"
#include "build/dockerfile.h"
#include "build/words.h"

static const char *none(void *arg, struct slice name)
{
	return name.len % 2 ? "va lue" : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	struct df_file f;
	struct word_env env = { none, NULL };
	arena_init(&a, 16 << 20);
	if (size < (1 << 16) && df_parse(slice_n(data, size), &a, &f, NULL) == 0) {
		for (uint32_t i = 0; i < f.n_steps; i++) {
			const char **v, *one;
			uint32_t n;
			struct image_config c = { 0 };
			word_expand(slice_of(f.steps[i].rest), f.escape, &env, &a, &one, NULL);
			word_expand_split(slice_of(f.steps[i].rest), f.escape, &env, &a, &v, &n, NULL);
			build_change(f.steps[i].text, &a, &c, NULL);
		}
	}
	arena_release(&a);
	return 0;
}
