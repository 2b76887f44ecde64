/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests, indexes and configurations from strangers, and compressed layers: decoded, picked from, written again. */
#include <stdlib.h>

#include "api/image.h"
#include "base/auto.h"
#include "codec/compress.h"
#include "image/platform.h"

static void inflate_any(struct slice in)
{
	AUTO(inflate) struct inflate *x = NULL;
	static char out[65536];
	ssize_t n;
	size_t total = 0;
	if (inflate_new(compression_detect(in), &x) < 0)
		return;
	while ((n = inflate_step(x, &in, out, sizeof out)) > 0 && (total += (size_t)n) < 16 << 20)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena) struct arena a;
	AUTO(buf) struct buf out = BUF_INIT(16 << 20);
	struct image_manifest m;
	struct image_index x;
	struct image_image c;
	struct slice text = slice_n(data, size);
	arena_init(&a, 64 << 20);
	if (schema_from_json(T_image_manifest, text, SCHEMA_FOLD_CASE, &a, &m, NULL) >= 0)
		schema_to_json(T_image_manifest, &m, 0, &out);
	if (schema_from_json(T_image_index, text, SCHEMA_FOLD_CASE, &a, &x, NULL) >= 0) {
		const struct image_descriptor *d = platform_pick(&x, NULL);
		if (d && (d < x.manifests || d >= x.manifests + x.n_manifests))
			abort();
	}
	if (schema_from_json(T_image_image, text, SCHEMA_FOLD_CASE, &a, &c, NULL) >= 0)
		schema_to_json(T_image_image, &c, 0, &out);
	inflate_any(text);
	return 0;
}
