/* SPDX-License-Identifier: Apache-2.0 */
/* The classic builder's text of an event ("Step 1/6 : …\n", " ---> Running in …\n"), appended to out; nothing for some events. */
#pragma once
#include "build/build.h"

/* quiet: only what -q prints (the image id at the end). */
void build_text(const struct build_event *ev, bool quiet, struct buf *out);
