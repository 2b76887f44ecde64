// SPDX-License-Identifier: Apache-2.0
/*
 * The netlink socket: exchange of batches, acknowledgements, dumps. What the
 * messages say is in netlink_route.c. Invariant: a socket has no answers
 * waiting between two calls; an exchange that fails half-way closes it.
 */
#include "sys/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "sys/netlink_int.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

enum { ANSWER_BYTES = 32 * 1024, SEND_BUFFER_BYTES = 1024 * 1024, WAIT_SECONDS = 20 };

int netlink_open(int protocol, struct netlink *ret)
{
	AUTO(close) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		return -errno;
	struct sockaddr_nl self = { .nl_family = AF_NETLINK };
	if (bind(fd, (struct sockaddr *)&self, sizeof self) < 0)
		return -errno;
	int on = 1, send_bytes = SEND_BUFFER_BYTES;
	struct timeval wait = { .tv_sec = WAIT_SECONDS };
	/* Older kernels lack the first two; then errors come without text. */
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
	setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &send_bytes, sizeof send_bytes);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &send_bytes, sizeof send_bytes);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	*ret = (struct netlink){ .fd = take_fd(&fd), .seq = 1, .is_transaction = protocol == NETLINK_NETFILTER };
	return 0;
}

void netlink_close(struct netlink *nl)
{
	if (nl->fd >= 0)
		close(nl->fd);
	nl->fd = -1;
}

/* The text attribute behind an error message, with NETLINK_CAP_ACK: right behind struct nlmsgerr. */
static void take_text(const struct nlmsghdr *h, char *dst, size_t size)
{
	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	const char *at = (const char *)h + MNL_ALIGN(sizeof *h + sizeof(struct nlmsgerr));
	const char *end = (const char *)h + h->nlmsg_len;
	if (!(h->nlmsg_flags & NLM_F_CAPPED)) {
		/* The refused request was echoed; its length is inside. */
		const struct nlmsgerr *m = mnl_nlmsg_get_payload(h);
		size_t echoed = m->msg.nlmsg_len > sizeof m->msg ? MNL_ALIGN(m->msg.nlmsg_len - sizeof m->msg) : 0;
		if (echoed > (size_t)(end > at ? end - at : 0))
			return;
		at += echoed;
	}
	while (at < end && mnl_attr_ok((const struct nlattr *)at, (int)(end - at))) {
		const struct nlattr *a = (const struct nlattr *)at;
		if (mnl_attr_get_type(a) == NLMSGERR_ATTR_MSG) {
			size_t n = mnl_attr_get_payload_len(a);
			const char *s = mnl_attr_get_payload(a);
			n = MIN(strnlen(s, n), size - 1);
			memcpy(dst, s, n);
			dst[n] = 0;
			return;
		}
		at += MNL_ALIGN(a->nla_len);
	}
}

int netlink_take_acks(struct netlink_acks *a, const void *p, size_t n)
{
	if (n < sizeof(struct nlmsghdr))
		return -EBADMSG;
	for (bool more = netlink_is_whole(p, n); more; more = netlink_step(&p, &n)) {
		const struct nlmsghdr *h = p;
		if (h->nlmsg_type != NLMSG_ERROR || mnl_nlmsg_get_payload_len(h) < sizeof(struct nlmsgerr))
			continue;
		if (h->nlmsg_seq - a->first_seq > a->last_seq - a->first_seq)
			continue;
		const struct nlmsgerr *m = mnl_nlmsg_get_payload(h);
		a->done |= h->nlmsg_seq == a->last_seq;
		if (m->error != 0 && a->error == 0) {
			a->error = m->error < 0 && m->error > -4096 ? m->error : -EPROTO;
			a->failed_seq = h->nlmsg_seq;
			take_text(h, a->text, sizeof a->text);
		}
	}
	return 0;
}

static ssize_t receive(struct netlink *nl, void *p, size_t n)
{
	for (;;) {
		struct sockaddr_nl from = { 0 };
		struct iovec v = { p, n };
		struct msghdr m = { .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &v, .msg_iovlen = 1 };
		ssize_t r = recvmsg(nl->fd, &m, 0);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (m.msg_flags & MSG_TRUNC)
			return -EMSGSIZE;
		/* Only the kernel (port 0) is believed. */
		if (from.nl_pid == 0)
			return r;
	}
}

int netlink_exchange(struct netlink *nl, const void *p, size_t len, uint32_t first_seq, uint32_t last_seq, uint32_t *which, struct err *e)
{
	AUTO(free) char *answer = malloc(ANSWER_BYTES);
	if (!answer)
		return err_nomem(e);
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct netlink_acks acks = { .first_seq = first_seq, .last_seq = last_seq };
	ssize_t r;
	do
		r = sendto(nl->fd, p, len, 0, (struct sockaddr *)&kernel, sizeof kernel);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return err_sys(e, errno, "send netlink requests");
	/* A refusal of the first stands for a whole nftables batch; the rest is then left unread, as the socket is used once. */
	while (!acks.done && !(acks.error && acks.failed_seq == first_seq && nl->is_transaction)) {
		r = receive(nl, answer, ANSWER_BYTES);
		if (r >= 0)
			r = netlink_take_acks(&acks, answer, (size_t)r);
		if (r < 0) {
			netlink_close(nl);
			return err_sys(e, (int)r, "wait for netlink acknowledgements");
		}
	}
	if (acks.error == 0)
		return 0;
	if (which)
		*which = acks.failed_seq - first_seq;
	return err_sys(e, acks.error, "%s", acks.text[0] ? acks.text : "netlink request refused");
}

int netlink_dump(struct netlink *nl, struct nlmsghdr *request, int (*fn)(void *arg, const void *msg, size_t n), void *arg)
{
	AUTO(free) char *answer = malloc(ANSWER_BYTES);
	if (!answer)
		return -ENOMEM;
	bool one = !(request->nlmsg_flags & NLM_F_DUMP);
	request->nlmsg_seq = nl->seq++;
	if (send(nl->fd, request, request->nlmsg_len, 0) < 0)
		return -errno;
	int result = 0;
	for (;;) {
		ssize_t r = receive(nl, answer, ANSWER_BYTES);
		if (r < 0) {
			netlink_close(nl);
			return (int)r;
		}
		const void *at = answer;
		size_t left = (size_t)r;
		for (bool more = netlink_is_whole(at, left); more; more = netlink_step(&at, &left)) {
			const struct nlmsghdr *h = at;
			if (h->nlmsg_seq != request->nlmsg_seq)
				continue;
			if (h->nlmsg_type == NLMSG_DONE)
				return result;
			if (h->nlmsg_type == NLMSG_ERROR) {
				if (mnl_nlmsg_get_payload_len(h) < sizeof(struct nlmsgerr))
					return -EBADMSG;
				int error = ((const struct nlmsgerr *)mnl_nlmsg_get_payload(h))->error;
				return error < 0 ? error : result;
			}
			if (result == 0)
				result = fn(arg, h, h->nlmsg_len);
			if (one)
				return result;
		}
	}
}

void netlink_batch_init(struct netlink_batch *b, struct netlink *nl)
{
	*b = (struct netlink_batch){ .nl = nl, .first_seq = nl->seq };
}

void netlink_batch_release(struct netlink_batch *b)
{
	free(b->ptr);
	b->ptr = NULL;
	b->len = b->cap = 0;
	b->n = 0;
}

struct nlmsghdr *netlink_batch_message(struct netlink_batch *b, uint16_t type, uint16_t flags)
{
	enum { START_BYTES = 4096, MOST_BYTES = 512 * 1024 };
	if (b->error)
		return NULL;
	if (b->cap - b->len < NETLINK_MESSAGE_MAX) {
		size_t cap = b->cap ? b->cap * 2 : START_BYTES;
		char *p = cap <= MOST_BYTES ? realloc(b->ptr, cap) : NULL;
		if (!p) {
			b->error = cap <= MOST_BYTES ? -ENOMEM : -E2BIG;
			return NULL;
		}
		b->ptr = p;
		b->cap = cap;
	}
	struct nlmsghdr *h = mnl_nlmsg_put_header(b->ptr + b->len);
	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	h->nlmsg_seq = b->first_seq + b->n;
	return h;
}

void netlink_batch_end(struct netlink_batch *b, struct nlmsghdr *h)
{
	b->len += MNL_ALIGN(h->nlmsg_len);
	b->n++;
}

int netlink_batch_send(struct netlink_batch *b, struct err *e)
{
	int r = b->error;
	if (r < 0)
		err_sys(e, r, "build netlink requests");
	else if (b->n)
		r = netlink_exchange(b->nl, b->ptr, b->len, b->first_seq, b->first_seq + b->n - 1, NULL, e);
	b->nl->seq = b->first_seq + b->n;
	b->first_seq = b->nl->seq;
	b->len = 0;
	b->n = 0;
	b->error = 0;
	return r;
}
