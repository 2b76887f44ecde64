/* SPDX-License-Identifier: Apache-2.0 */
/* The keys that leave a container running and end the attachment: "ctrl-p,ctrl-q". */
#include <errno.h>

#include "shim/shim_int.h"

static int key(struct slice k)
{
	if (k.len == 1)
		return (uint8_t)k.ptr[0];
	if (!slice_starts(k, "ctrl-") || k.len != 6)
		return -EINVAL;
	char c = k.ptr[5];
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 1;
	if (c == '@')
		return 0;
	if (c >= '[' && c <= '_')
		return c - '[' + 27;
	return -EINVAL;
}

int detach_parse(const char *text, struct detach *ret, struct err *e)
{
	struct slice rest = slice_of(text && *text ? text : "ctrl-p,ctrl-q"), piece;
	struct detach d = { 0 };
	while (slice_next(&rest, ',', &piece)) {
		int c = key(piece);
		if (c < 0)
			return err_set(e, EINVAL, "Unknown character: '%.*s'", SLICE_FMT(piece));
		if (d.n == SHIM_DETACH_MAX)
			return err_set(e, EINVAL, "more than %d detach keys", SHIM_DETACH_MAX);
		d.keys[d.n++] = (uint8_t)c;
	}
	*ret = d;
	return 0;
}

bool detach_filter(struct detach *d, const char *p, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t c = (uint8_t)p[i];
		if (d->n && c == d->keys[d->at]) {
			if (++d->at == d->n) {
				d->at = 0;
				return true;
			}
			continue;
		}
		/* it was no sequence: what was held back goes on, and this byte may begin one */
		buf_add(out, d->keys, d->at);
		d->at = 0;
		if (d->n && c == d->keys[0])
			d->at = 1;
		else
			buf_addc(out, (char)c);
	}
	return false;
}
