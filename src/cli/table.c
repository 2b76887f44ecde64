/* SPDX-License-Identifier: Apache-2.0 */
/* Column layout. See table.h. */
#include "cli/table.h"
#include <errno.h>
#include "base/auto.h"
#include "base/vec.h"

struct cell { struct slice text; size_t width; };
struct line { size_t first, n; };     /* cells; the last one is not tab-terminated */

struct layout {
	VEC(struct cell) cells;
	VEC(struct line) lines;
	VEC(size_t) widths;               /* of the columns decided so far on this path */
	unsigned least, padding;
	struct buf *out;
};

static size_t count_chars(struct slice s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++)
		n += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
	return n;
}

static int cut_cells(struct layout *l, struct slice text)
{
	struct slice line, cell;

	while (slice_next(&text, '\n', &line)) {
		struct line row = { l->cells.n, 0 };
		while (slice_next(&line, '\t', &cell)) {
			if (vec_push(&l->cells, (struct cell){ cell, count_chars(cell) }) < 0)
				return -ENOMEM;
			row.n++;
		}
		if (vec_push(&l->lines, row) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void write_lines(struct layout *l, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		const struct line *row = &l->lines.v[i];
		size_t pending = 0;
		for (size_t j = 0; j < row->n; j++) {
			const struct cell *c = &l->cells.v[row->first + j];
			if (c->width)
				buf_addf(l->out, "%*s", (int)pending, "");
			else if (j < l->widths.n) {
				pending += l->widths.v[j];
				continue;
			}
			pending = c->width ? 0 : pending;
			buf_addslice(l->out, c->text);
			if (j < l->widths.n && l->widths.v[j] > c->width)
				pending = l->widths.v[j] - c->width;
		}
		if (row->n && l->cells.v[row->first + row->n - 1].width == 0)
			buf_addf(l->out, "%*s", (int)pending, "");
		if (i + 1 < l->lines.n)
			buf_addc(l->out, '\n');
	}
}

/* Lines [from, to) share the columns in widths; finds the next column's blocks among them. */
static int format_block(struct layout *l, size_t from, size_t to)
{
	size_t column = l->widths.n, at = from;
	int r;

	for (size_t i = from; i < to; i++) {
		if (column + 1 >= l->lines.v[i].n)
			continue;
		write_lines(l, at, i);
		at = i;
		size_t width = l->least;
		while (i < to && column + 1 < l->lines.v[i].n) {
			width = MAX(width, l->cells.v[l->lines.v[i].first + column].width + l->padding);
			i++;
		}
		if (vec_push(&l->widths, width) < 0)
			return -ENOMEM;
		if ((r = format_block(l, at, i)) < 0)
			return r;
		l->widths.n--;
		at = i;
		i--;
	}
	write_lines(l, at, to);
	return 0;
}

int table_layout(struct slice text, unsigned least, unsigned padding, struct buf *out)
{
	struct layout l = { .least = least, .padding = padding, .out = out };
	int r = cut_cells(&l, text);

	if (r == 0)
		r = format_block(&l, 0, l.lines.n);
	vec_release(&l.cells);
	vec_release(&l.lines);
	vec_release(&l.widths);
	return r < 0 ? r : buf_error(out);
}
