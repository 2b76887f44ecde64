/* SPDX-License-Identifier: Apache-2.0 */
/* The container's counters as one message, the same for cgroups v1 and v2. */
#include <errno.h>

#include "base/clock.h"
#include "shim/shim_int.h"

static const uint64_t *limit(struct arena *a, uint64_t v)
{
	uint64_t *p = v == UINT64_MAX ? NULL : arena_new(a, uint64_t);
	if (p)
		*p = v;
	return p;
}

static struct shim_io *io_list(struct arena *a, const struct runtime_blkio_entry *v, uint32_t n)
{
	struct shim_io *out = n ? arena_array(a, n, sizeof *out) : NULL;
	for (uint32_t i = 0; out && i < n; i++)
		out[i] = (struct shim_io){ .major = v[i].major, .minor = v[i].minor, .op = v[i].op, .value = v[i].value };
	return out;
}

int stats_read(struct shim *s, struct arena *a, struct shim_stats *ret, struct err *e)
{
	struct runtime_stats r;
	if (s->config->runtime)
		return err_set(e, EOPNOTSUPP, "no statistics with the runtime %s", s->config->runtime);
	if (s->status < SHIM_CREATED || s->status > SHIM_PAUSED)
		return err_set(e, ESRCH, "container is not running");
	int n = runtime_stats(s->config->state_root, s->config->id, a, &r, e);
	if (n < 0)
		return n;
	char *when = arena_alloc(a, CLOCK_TEXT_MAX);
	struct shim_counter *m = arena_array(a, r.n_memory_stat + 1, sizeof *m);
	if (!when || !m)
		return err_nomem(e);
	clock_rfc3339_nano(when, clock_realtime_ns());
	for (uint32_t i = 0; i < r.n_memory_stat; i++)
		m[i] = (struct shim_counter){ .key = r.memory_stat[i].key, .value = r.memory_stat[i].value };
	*ret = (struct shim_stats){
		.time = when, .is_v2 = r.is_v2, .cpu_usage_ns = r.cpu_usage_ns, .cpu_user_ns = r.cpu_user_ns, .cpu_system_ns = r.cpu_system_ns,
		.cpu_per_cpu_ns = r.cpu_per_cpu_ns, .n_cpu_per_cpu_ns = r.n_cpu_per_cpu_ns, .cpu_periods = r.cpu_periods,
		.cpu_throttled = r.cpu_throttled, .cpu_throttled_ns = r.cpu_throttled_ns, .memory_usage = r.memory_usage,
		.memory_max_usage = r.memory_max_usage, .memory_limit = (uint64_t *)limit(a, r.memory_limit), .memory_failcnt = r.memory_failcnt,
		.memory_stat = m, .n_memory_stat = r.n_memory_stat, .swap_usage = r.swap_usage, .swap_limit = (uint64_t *)limit(a, r.swap_limit),
		.kernel_usage = r.kernel_usage, .pids_current = r.pids_current, .pids_limit = (uint64_t *)limit(a, r.pids_limit),
		.io_bytes = io_list(a, r.io_bytes, r.n_io_bytes), .n_io_bytes = r.n_io_bytes,
		.io_ops = io_list(a, r.io_ops, r.n_io_ops), .n_io_ops = r.n_io_ops, .oom_kills = r.oom_kills,
	};
	return 0;
}
