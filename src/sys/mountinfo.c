/* SPDX-License-Identifier: Apache-2.0 */
/* proc_pid_mountinfo(5). */
#include "sys/mounts.h"

#include <errno.h>

#include "base/num.h"

static int number(struct slice s, uint32_t *ret)
{
	uint64_t n;
	if (num_parse_u64(s, UINT32_MAX, &n) < 0)
		return -EBADMSG;
	*ret = (uint32_t)n;
	return 0;
}

static int parse(struct slice line, struct sys_mountinfo *m)
{
	struct slice id, parent, dev, major, minor, rest;
	if (!slice_cut(line, ' ', &id, &rest) || !slice_cut(rest, ' ', &parent, &rest) ||
	    !slice_cut(rest, ' ', &dev, &rest) || !slice_cut(dev, ':', &major, &minor))
		return -EBADMSG;
	if (number(id, &m->id) < 0 || number(parent, &m->parent) < 0 || number(major, &m->major) < 0 ||
	    number(minor, &m->minor) < 0)
		return -EBADMSG;
	if (!slice_cut(rest, ' ', &m->root, &rest) || !slice_cut(rest, ' ', &m->mount_point, &rest) ||
	    !slice_cut(rest, ' ', &m->options, &rest))
		return -EBADMSG;
	/* Zero or more optional fields, then a lone "-". */
	m->optional = slice_n(rest.ptr, 0);
	for (;;) {
		struct slice field;
		if (!slice_cut(rest, ' ', &field, &rest))
			return -EBADMSG;
		if (slice_is(field, "-"))
			break;
		m->optional.len = (size_t)(field.ptr + field.len - m->optional.ptr);
	}
	if (!slice_cut(rest, ' ', &m->type, &rest) || !slice_cut(rest, ' ', &m->source, &m->super_options))
		return -EBADMSG;
	return 0;
}

int sys_mountinfo_next(struct slice *text, struct sys_mountinfo *ret)
{
	struct slice line;
	do {
		if (text->len == 0)
			return 0;
		slice_cut(*text, '\n', &line, text);
	} while (line.len == 0);
	int r = parse(line, ret);
	return r < 0 ? r : 1;
}

static bool octal(const char *p)
{
	return p[0] >= '0' && p[0] <= '3' && p[1] >= '0' && p[1] <= '7' && p[2] >= '0' && p[2] <= '7';
}

bool sys_mountinfo_path(struct slice s, char *dst, size_t size)
{
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++) {
		if (n + 1 >= size)
			return false;
		if (s.ptr[i] == '\\' && i + 3 < s.len && octal(s.ptr + i + 1)) {
			dst[n++] = (char)((s.ptr[i + 1] - '0') << 6 | (s.ptr[i + 2] - '0') << 3 | (s.ptr[i + 3] - '0'));
			i += 3;
		} else {
			dst[n++] = s.ptr[i];
		}
	}
	if (size == 0)
		return false;
	dst[n] = 0;
	return true;
}
