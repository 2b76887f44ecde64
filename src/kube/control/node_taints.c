// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <errno.h>

#include "base/clock.h"
#include "base/num.h"
#include "kube/control/node_int.h"
#include "kube/control/nodefit_int.h"

/* Which condition with which status brings which taint. */
static const struct row { const char *condition, *status, *taint; } rows[] = {
	{ "Ready", "False", TAINT_NOT_READY },
	{ "Ready", "Unknown", TAINT_UNREACHABLE },
	{ "MemoryPressure", "True", "node.kubernetes.io/memory-pressure" },
	{ "DiskPressure", "True", "node.kubernetes.io/disk-pressure" },
	{ "PIDPressure", "True", "node.kubernetes.io/pid-pressure" },
	{ "NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable" },
};
#define TAINT_UNSCHEDULABLE "node.kubernetes.io/unschedulable"

static bool is_ours(const struct kube_taint *t)
{
	if (text_eq(t->effect, "NoExecute"))
		return text_eq(t->key, TAINT_NOT_READY) || text_eq(t->key, TAINT_UNREACHABLE);
	if (!text_eq(t->effect, "NoSchedule"))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (text_eq(t->key, rows[i].taint))
			return true;
	return text_eq(t->key, TAINT_UNSCHEDULABLE);
}

static bool has_taint(const struct kube_node *n, const char *key, const char *effect, const struct kube_taint **ret)
{
	for (uint32_t i = 0; i < n->spec.n_taints; i++)
		if (text_eq(n->spec.taints[i].key, key) && text_eq(n->spec.taints[i].effect, effect)) {
			*ret = &n->spec.taints[i];
			return true;
		}
	return false;
}

static int add(struct arena *a, const struct kube_node *node, struct kube_taint *v, uint32_t *n, const char *key, const char *effect, int64_t now_ns)
{
	const struct kube_taint *old;

	if (has_taint(node, key, effect, &old)) {
		v[(*n)++] = *old;
		return 0;
	}
	v[*n] = (struct kube_taint){ .key = key, .effect = effect, .time_added = kube_time_text(a, now_ns) };
	return v[(*n)++].time_added ? 0 : -ENOMEM;
}

struct kube_taint *node_taints(struct arena *a, const struct kube_node *node, bool may_evict, int64_t now_ns, uint32_t *ret_n)
{
	struct kube_taint *v = arena_array(a, node->spec.n_taints + 2 * ARRAY_LEN(rows) + 1, sizeof *v);
	const struct kube_node_condition *ready = KUBE_CONDITION(node->status.conditions, node->status.n_conditions, "Ready");
	uint32_t n = 0;
	int r = 0;

	if (!v)
		return NULL;
	for (uint32_t i = 0; i < node->spec.n_taints; i++)
		if (!is_ours(&node->spec.taints[i]))
			v[n++] = node->spec.taints[i];
	for (size_t i = 0; i < ARRAY_LEN(rows) && r == 0; i++) {
		const struct kube_node_condition *c = KUBE_CONDITION(node->status.conditions, node->status.n_conditions, rows[i].condition);

		if (c && text_eq(c->status, rows[i].status))
			r = add(a, node, v, &n, rows[i].taint, "NoSchedule", now_ns);
	}
	/* A node that was never heard of is not ready. */
	if (!ready && r == 0)
		r = add(a, node, v, &n, TAINT_NOT_READY, "NoSchedule", now_ns);
	if (node->spec.unschedulable && r == 0)
		r = add(a, node, v, &n, TAINT_UNSCHEDULABLE, "NoSchedule", now_ns);
	if (ready && may_evict && r == 0 && text_eq(ready->status, "False"))
		r = add(a, node, v, &n, TAINT_NOT_READY, "NoExecute", now_ns);
	if (ready && may_evict && r == 0 && text_eq(ready->status, "Unknown"))
		r = add(a, node, v, &n, TAINT_UNREACHABLE, "NoExecute", now_ns);
	*ret_n = n;
	return r < 0 ? NULL : v;
}

bool taints_equal(const struct kube_taint *a, uint32_t n, const struct kube_taint *b, uint32_t n_b)
{
	if (n != n_b)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		bool found = false;

		for (uint32_t k = 0; k < n && !found; k++)
			found = text_eq(a[i].key, b[k].key) && text_eq(a[i].effect, b[k].effect) && text_eq(a[i].value, b[k].value);
		if (!found)
			return false;
	}
	return true;
}

int64_t taint_eviction_ns(const struct kube_node *n, const struct kube_pod *p, int64_t seen_ns)
{
	int64_t first = 0;

	for (uint32_t i = 0; i < n->spec.n_taints; i++) {
		const struct kube_taint *t = &n->spec.taints[i];
		int64_t since = kube_time_ns(t->time_added), at = 0;
		bool tolerated = false, for_ever = false;

		if (!text_eq(t->effect, "NoExecute"))
			continue;
		since = since ? since : seen_ns;
		for (uint32_t k = 0; k < p->spec.n_tolerations; k++) {
			const struct kube_toleration *q = &p->spec.tolerations[k];
			int64_t end;

			if (!taint_is_tolerated(t, q, 1))
				continue;
			tolerated = true;
			if (!q->toleration_seconds) {
				for_ever |= !at;
				continue;
			}
			end = since + MIN(MAX(*q->toleration_seconds, (int64_t)0), (int64_t)1000000000) * NS_PER_S;
			at = at ? MIN(at, end) : end;
		}
		if (!tolerated)
			return since ? since : 1;
		if (at)
			first = first ? MIN(first, at) : at;
	}
	return first;
}

/* --- addresses for pods */

static int parse_cidr(const char *cidr, uint32_t *network, int64_t *bits)
{
	struct slice address, length;
	struct in_addr in;
	char text[20];

	if (!slice_cut(slice_of(cidr), '/', &address, &length) || num_parse_i64(length, 0, 24, bits) < 0 ||
	    !fmt_into(text, sizeof text, "%.*s", SLICE_FMT(address)) || inet_pton(AF_INET, text, &in) != 1)
		return -EINVAL;
	*network = ntohl(in.s_addr) & (uint32_t)(*bits ? ~0u << (32 - *bits) : 0);
	return 0;
}

int cidr_slice(const char *cidr, uint32_t i, char *dst)
{
	uint32_t network, at;
	int64_t bits;

	if (parse_cidr(cidr, &network, &bits) < 0)
		return -EINVAL;
	if (i >= 1u << (24 - bits))
		return -ERANGE;
	at = network + (i << 8);
	fmt_into(dst, 20, "%u.%u.%u.0/24", at >> 24, at >> 16 & 255, at >> 8 & 255);
	return 0;
}

int64_t cidr_index(const char *cidr, const char *slice24)
{
	uint32_t network, at;
	int64_t bits, length;

	if (parse_cidr(cidr, &network, &bits) < 0 || parse_cidr(slice24, &at, &length) < 0 || length != 24 || at < network ||
	    (at - network) >> 8 >= 1u << (24 - bits))
		return -1;
	return (at - network) >> 8;
}
