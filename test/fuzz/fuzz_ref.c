/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a reference: what is taken must come back the same, whole and familiar; and URLs, which registries send. */
#include <stdlib.h>

#include "base/auto.h"
#include "image/ref.h"
#include "image/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena) struct arena a;
	struct ref r, again;
	struct url u, base;
	arena_init(&a, 1 << 20);
	struct slice text = slice_n(data, size);
	if (ref_parse(text, &a, &r, NULL) >= 0) {
		const char *full = ref_text(&r, &a), *familiar = ref_familiar(&r, &a);
		if (full && (ref_parse(slice_of(full), &a, &again, NULL) < 0 || strcmp(ref_text(&again, &a), full) != 0))
			abort();
		/* a familiar name of 64 hex digits reads as an ID: Docker has that too */
		if (full && familiar && !ref_is_hex_id(slice_of(familiar)) &&
		    (ref_parse(slice_of(familiar), &a, &again, NULL) < 0 || strcmp(ref_text(&again, &a), full) != 0))
			abort();
	}
	if (url_parse(SLICE("https://reg.example:5000/v2/x?y=1"), NULL, &a, &base, NULL) < 0)
		abort();
	if (url_parse(text, &base, &a, &u, NULL) >= 0 && (!u.host || !*u.host || u.port == 0 || !u.target))
		abort();
	return 0;
}
