/* SPDX-License-Identifier: Apache-2.0 */
#include "main/names.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

enum { NAMES_MAX = 32 };

static bool address_text(const struct sockaddr *sa, char *dst, socklen_t n)
{
	if (sa->sa_family == AF_INET)
		return inet_ntop(AF_INET, &((const struct sockaddr_in *)sa)->sin_addr, dst, n);
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)sa;
	return sa->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr) && inet_ntop(AF_INET6, &six->sin6_addr, dst, n);
}

const char *const *host_names(struct arena *a, const char *first, size_t *n)
{
	const char **v = arena_array(a, NAMES_MAX, sizeof *v);
	char text[256];
	struct ifaddrs *all = NULL;

	*n = 0;
	if (!v)
		return NULL;
	if (*first)
		v[(*n)++] = arena_strdup(a, first);
	if (gethostname(text, sizeof text) == 0 && memchr(text, 0, sizeof text) && *text)
		v[(*n)++] = arena_strdup(a, text);
	if (getifaddrs(&all) < 0)
		return v;
	for (const struct ifaddrs *i = all; i && *n < NAMES_MAX; i = i->ifa_next)
		if (i->ifa_addr && (i->ifa_flags & IFF_UP) && !(i->ifa_flags & IFF_LOOPBACK) && address_text(i->ifa_addr, text, sizeof text))
			v[(*n)++] = arena_strdup(a, text);
	freeifaddrs(all);
	for (size_t i = 0; i < *n; i++)
		if (!v[i])
			*n = i;
	return v;
}
