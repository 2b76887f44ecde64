/* SPDX-License-Identifier: Apache-2.0 */
/* Between netlink.c (the socket) and netlink_route.c (the messages). */
#pragma once
#include <linux/netlink.h>
#include "base/auto.h"
#include "sys/netlink.h"

/* A whole message lies in the first n bytes. (libmnl compares lengths as int, so that a huge one passes.) */
static inline bool netlink_is_whole(const void *p, size_t n)
{
	const struct nlmsghdr *h = p;
	return n >= sizeof *h && h->nlmsg_len >= sizeof *h && h->nlmsg_len <= n;
}
/* Steps to the message behind; false at the end. */
static inline bool netlink_step(const void **p, size_t *n)
{
	size_t len = (((const struct nlmsghdr *)*p)->nlmsg_len + 3u) & ~(size_t)3;
	if (len >= *n)
		return false;
	*p = (const char *)*p + len;
	*n -= len;
	return netlink_is_whole(*p, *n);
}

enum { NETLINK_MESSAGE_MAX = 1024 };   /* room that a started message has */
/* Starts a request at the end of the batch, NULL when the batch has failed; netlink_batch_end takes it in. */
struct nlmsghdr *netlink_batch_message(struct netlink_batch *b, uint16_t type, uint16_t flags);
void netlink_batch_end(struct netlink_batch *b, struct nlmsghdr *h);
/* Sends one request and hands every answer to fn; with NLM_F_DUMP until the end, else one. fn's non-zero result is returned. */
int netlink_dump(struct netlink *nl, struct nlmsghdr *request, int (*fn)(void *arg, const void *msg, size_t n), void *arg);
