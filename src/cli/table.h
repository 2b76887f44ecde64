/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Columns of text, laid out as Go's text/tabwriter does: a cell ends with a
 * tab, a column is a run of neighbouring lines that have that cell, its width
 * is the widest cell plus the padding, at least `least`; what stands behind a
 * line's last tab is not part of a column. Width is counted in characters.
 */
#pragma once
#include "base/buf.h"

/* Lays out `text` (lines with tabs) and appends it to out. */
int table_layout(struct slice text, unsigned least, unsigned padding, struct buf *out);
