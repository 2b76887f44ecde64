/* SPDX-License-Identifier: Apache-2.0 */
#include "build/text.h"

/* "sha256:0123456789abcdef…" or a container id -> its first twelve digits */
static struct slice short_id(const char *id)
{
	struct slice s = slice_of(id);
	if (slice_starts(s, "sha256:"))
		s = slice_n(s.ptr + 7, s.len - 7);
	return slice_n(s.ptr, s.len < 12 ? s.len : 12);
}

void build_text(const struct build_event *ev, bool quiet, struct buf *out)
{
	if (quiet) {
		if (ev->kind == BUILD_BUILT)
			buf_addf(out, "%s\n", ev->id);
		return;
	}
	switch (ev->kind) {
	case BUILD_STEP:
		buf_addf(out, "Step %d/%d : %s\n", ev->number, ev->total, ev->text);
		break;
	case BUILD_CACHED:
		buf_adds(out, " ---> Using cache\n");
		break;
	case BUILD_RUNNING:
		buf_addf(out, " ---> Running in %.*s\n", SLICE_FMT(short_id(ev->id)));
		break;
	case BUILD_REMOVED:
		buf_addf(out, "Removing intermediate container %.*s\n", SLICE_FMT(short_id(ev->id)));
		break;
	case BUILD_STEP_DONE:
		buf_addf(out, " ---> %.*s\n", SLICE_FMT(short_id(ev->id)));
		break;
	case BUILD_WARNING:
		buf_addf(out, "%s\n", ev->text);
		break;
	case BUILD_BUILT:
		buf_addf(out, "Successfully built %.*s\n", SLICE_FMT(short_id(ev->id)));
		break;
	case BUILD_TAGGED:
		buf_addf(out, "Successfully tagged %s\n", ev->text);
		break;
	}
}
