// SPDX-License-Identifier: Apache-2.0
/* The servers of a resolv.conf. Source: resolv.conf(5). */
#include "base/auto.h"
#include "dns/server.h"

unsigned dns_upstreams(struct slice text, struct dns_upstream *v, unsigned room)
{
	struct slice line;
	unsigned n = 0;
	while (n < room && slice_next(&text, '\n', &line)) {
		line = slice_trim(line);
		if (!slice_starts(line, "nameserver") || line.len < 12 || (line.ptr[10] != ' ' && line.ptr[10] != '\t'))
			continue;
		struct slice addr = slice_trim(slice_n(line.ptr + 10, line.len - 10));
		size_t end = 0;
		while (end < addr.len && addr.ptr[end] != ' ' && addr.ptr[end] != '\t' && addr.ptr[end] != '#' && addr.ptr[end] != ';')
			end++;
		if (end && fmt_into(v[n].addr, sizeof v[n].addr, "%.*s", (int)end, addr.ptr))
			n++;
	}
	return n;
}
