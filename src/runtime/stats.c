/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of a container's cgroup, and watching it for kills by memory. */
#include "runtime/runtime_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"

enum { TEXT_MAX = 1 << 20 };

static uint64_t number(const struct sys_cgroup *cg, const char *controller, const char *file, uint64_t otherwise)
{
	uint64_t n;
	return sys_cgroup_number(cg, controller, file, &n) < 0 ? otherwise : n;
}

static uint64_t keyed(const struct sys_cgroup *cg, const char *controller, const char *file, const char *key)
{
	uint64_t n;
	return sys_cgroup_keyed(cg, controller, file, key, &n) < 0 ? 0 : n;
}

/* v1 says "no limit" with a number just below 2^63. */
static uint64_t limit_v1(uint64_t n)
{
	return n >= 0x7ffffffffffff000ULL ? UINT64_MAX : n;
}

static int memory_stat(const struct sys_cgroup *cg, struct arena *a, struct runtime_stats *ret)
{
	AUTO(buf) struct buf text = BUF_INIT(TEXT_MAX);
	struct slice rest, line, k, v;
	if (sys_cgroup_read(cg, "memory", "memory.stat", &text) < 0)
		return 0;
	uint32_t n = 0;
	for (size_t i = 0; i < text.len; i++)
		n += text.ptr[i] == '\n';
	struct runtime_stat *out = arena_array(a, n + 1, sizeof *out);
	if (!out)
		return -ENOMEM;
	rest = buf_slice(&text);
	ret->memory_stat = out;
	while (slice_next(&rest, '\n', &line) && ret->n_memory_stat <= n)
		if (slice_cut(line, ' ', &k, &v)) {
			struct runtime_stat *s = &out[ret->n_memory_stat];
			if (num_parse_u64(slice_trim(v), UINT64_MAX, &s->value) == 0 && (s->key = arena_dup(a, k)))
				ret->n_memory_stat++;
		}
	return 0;
}

/* "8:0 Read 123" lines. */
static int io_v1(const struct sys_cgroup *cg, const char *file, const char *older, struct arena *a,
		 struct runtime_blkio_entry **ret, uint32_t *n_ret)
{
	AUTO(buf) struct buf text = BUF_INIT(TEXT_MAX);
	if (sys_cgroup_read(cg, "blkio", file, &text) < 0 || text.len < 10) {
		buf_reset(&text);
		if (sys_cgroup_read(cg, "blkio", older, &text) < 0)
			return 0;
	}
	struct slice rest = buf_slice(&text), line, dev, op, major, minor;
	uint32_t n = 0;
	for (size_t i = 0; i < text.len; i++)
		n += text.ptr[i] == '\n';
	struct runtime_blkio_entry *v = arena_array(a, n + 1, sizeof *v);
	if (!v)
		return -ENOMEM;
	*ret = v;
	while (slice_next(&rest, '\n', &line)) {
		struct runtime_blkio_entry *x = &v[*n_ret];
		struct slice value;
		if (*n_ret > n || !slice_cut(line, ' ', &dev, &op) || !slice_cut(op, ' ', &op, &value) ||
		    !slice_cut(dev, ':', &major, &minor))
			continue;
		if (num_parse_u64(major, UINT32_MAX, &x->major) == 0 && num_parse_u64(minor, UINT32_MAX, &x->minor) == 0 &&
		    num_parse_u64(slice_trim(value), UINT64_MAX, &x->value) == 0 && (x->op = arena_dup(a, op)))
			(*n_ret)++;
	}
	return 0;
}

/* "8:0 rbytes=1 wbytes=2 rios=3 …" lines. */
static int io_v2(const struct sys_cgroup *cg, struct arena *a, struct runtime_stats *ret)
{
	static const struct {
		const char *key, *op;
		bool bytes;
	} keys[] = { { "rbytes", "Read", true }, { "wbytes", "Write", true }, { "dbytes", "Discard", true },
		     { "rios", "Read", false },	 { "wios", "Write", false },  { "dios", "Discard", false } };
	AUTO(buf) struct buf text = BUF_INIT(TEXT_MAX);
	if (sys_cgroup_read(cg, "", "io.stat", &text) < 0)
		return 0;
	struct slice rest = buf_slice(&text), line, dev, fields, one, k, v, major, minor;
	uint32_t n = 0;
	for (size_t i = 0; i < text.len; i++)
		n += text.ptr[i] == '\n';
	ret->io_bytes = arena_array(a, (size_t)n * 3 + 1, sizeof *ret->io_bytes);
	ret->io_ops = arena_array(a, (size_t)n * 3 + 1, sizeof *ret->io_ops);
	if (!ret->io_bytes || !ret->io_ops)
		return -ENOMEM;
	while (slice_next(&rest, '\n', &line)) {
		struct runtime_blkio_entry x;
		if (!slice_cut(line, ' ', &dev, &fields) || !slice_cut(dev, ':', &major, &minor) ||
		    num_parse_u64(major, UINT32_MAX, &x.major) < 0 || num_parse_u64(minor, UINT32_MAX, &x.minor) < 0)
			continue;
		unsigned left = ARRAY_LEN(keys);
		while (slice_next(&fields, ' ', &one) && left) {
			for (size_t i = 0; i < ARRAY_LEN(keys) && slice_cut(one, '=', &k, &v); i++) {
				if (!slice_is(k, keys[i].key) || num_parse_u64(v, UINT64_MAX, &x.value) < 0)
					continue;
				x.op = keys[i].op;
				left--;
				if (keys[i].bytes && ret->n_io_bytes < n * 3)
					ret->io_bytes[ret->n_io_bytes++] = x;
				else if (!keys[i].bytes && ret->n_io_ops < n * 3)
					ret->io_ops[ret->n_io_ops++] = x;
			}
		}
	}
	return 0;
}

static int per_cpu(const struct sys_cgroup *cg, struct arena *a, struct runtime_stats *ret)
{
	AUTO(buf) struct buf text = BUF_INIT(TEXT_MAX);
	if (sys_cgroup_read(cg, "cpuacct", "cpuacct.usage_percpu", &text) < 0)
		return 0;
	struct slice rest = slice_trim(buf_slice(&text)), one;
	uint32_t n = 1;
	for (size_t i = 0; i < rest.len; i++)
		n += rest.ptr[i] == ' ';
	ret->cpu_per_cpu_ns = arena_array(a, n, sizeof *ret->cpu_per_cpu_ns);
	if (!ret->cpu_per_cpu_ns)
		return -ENOMEM;
	while (slice_next(&rest, ' ', &one) && ret->n_cpu_per_cpu_ns < n)
		if (num_parse_u64(one, UINT64_MAX, &ret->cpu_per_cpu_ns[ret->n_cpu_per_cpu_ns]) == 0)
			ret->n_cpu_per_cpu_ns++;
	return 0;
}

static int stats_v1(const struct sys_cgroup *cg, struct arena *a, struct runtime_stats *s)
{
	/* cpuacct.stat counts in ticks of a hundredth of a second, whatever the kernel's HZ. */
	uint64_t tick = 10000000;
	s->cpu_usage_ns = number(cg, "cpuacct", "cpuacct.usage", 0);
	s->cpu_user_ns = keyed(cg, "cpuacct", "cpuacct.stat", "user") * tick;
	s->cpu_system_ns = keyed(cg, "cpuacct", "cpuacct.stat", "system") * tick;
	s->cpu_periods = keyed(cg, "cpu", "cpu.stat", "nr_periods");
	s->cpu_throttled = keyed(cg, "cpu", "cpu.stat", "nr_throttled");
	s->cpu_throttled_ns = keyed(cg, "cpu", "cpu.stat", "throttled_time");
	s->memory_usage = number(cg, "memory", "memory.usage_in_bytes", 0);
	s->memory_max_usage = number(cg, "memory", "memory.max_usage_in_bytes", 0);
	s->memory_limit = limit_v1(number(cg, "memory", "memory.limit_in_bytes", UINT64_MAX));
	s->memory_failcnt = number(cg, "memory", "memory.failcnt", 0);
	s->swap_usage = number(cg, "memory", "memory.memsw.usage_in_bytes", 0);
	s->swap_limit = limit_v1(number(cg, "memory", "memory.memsw.limit_in_bytes", UINT64_MAX));
	s->kernel_usage = number(cg, "memory", "memory.kmem.usage_in_bytes", 0);
	s->oom_kills = keyed(cg, "memory", "memory.oom_control", "oom_kill");
	int r = per_cpu(cg, a, s);
	if (r == 0)
		r = io_v1(cg, "blkio.bfq.io_service_bytes_recursive", "blkio.throttle.io_service_bytes_recursive", a, &s->io_bytes,
			  &s->n_io_bytes);
	if (r == 0)
		r = io_v1(cg, "blkio.bfq.io_serviced_recursive", "blkio.throttle.io_serviced_recursive", a, &s->io_ops, &s->n_io_ops);
	return r;
}

static int stats_v2(const struct sys_cgroup *cg, struct arena *a, struct runtime_stats *s)
{
	s->cpu_usage_ns = keyed(cg, "", "cpu.stat", "usage_usec") * 1000;
	s->cpu_user_ns = keyed(cg, "", "cpu.stat", "user_usec") * 1000;
	s->cpu_system_ns = keyed(cg, "", "cpu.stat", "system_usec") * 1000;
	s->cpu_periods = keyed(cg, "", "cpu.stat", "nr_periods");
	s->cpu_throttled = keyed(cg, "", "cpu.stat", "nr_throttled");
	s->cpu_throttled_ns = keyed(cg, "", "cpu.stat", "throttled_usec") * 1000;
	s->memory_usage = number(cg, "", "memory.current", 0);
	s->memory_max_usage = number(cg, "", "memory.peak", 0);
	s->memory_limit = number(cg, "", "memory.max", UINT64_MAX);
	s->memory_failcnt = keyed(cg, "", "memory.events", "max");
	s->swap_usage = number(cg, "", "memory.swap.current", 0);
	s->swap_limit = number(cg, "", "memory.swap.max", UINT64_MAX);
	s->kernel_usage = keyed(cg, "", "memory.stat", "kernel");
	s->oom_kills = keyed(cg, "", "memory.events", "oom_kill");
	return io_v2(cg, a, s);
}

int runtime_stats(const char *state_root, const char *id, struct arena *a, struct runtime_stats *ret, struct err *e)
{
	AUTO(container) struct container c;
	int r = container_open(&c, state_root, id, false, e);
	if (r < 0)
		return r;
	if (!c.cgroup.layout)
		return err_set(e, ENOENT, "container %s has no control group", id);
	*ret = (struct runtime_stats){ .is_v2 = c.layout.is_v2 };
	ret->pids_current = number(&c.cgroup, "pids", "pids.current", 0);
	ret->pids_limit = number(&c.cgroup, "pids", "pids.max", UINT64_MAX);
	r = c.layout.is_v2 ? stats_v2(&c.cgroup, a, ret) : stats_v1(&c.cgroup, a, ret);
	if (r == 0)
		r = memory_stat(&c.cgroup, a, ret);
	return r < 0 ? err_nomem(e) : 0;
}

static int watch_v1(int dir)
{
	char text[32];
	AUTO(close) int control = openat(dir, "memory.oom_control", O_RDONLY | O_CLOEXEC);
	AUTO(close) int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (control < 0 || event < 0)
		return -errno;
	fmt_into(text, sizeof text, "%d %d", event, control);
	int r = file_poke(dir, "cgroup.event_control", text);
	return r < 0 ? r : take_fd(&event);
}

static int watch_v2(int dir)
{
	char path[64];
	AUTO(close) int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	fmt_into(path, sizeof path, "/proc/self/fd/%d/memory.events", dir);
	if (fd < 0 || inotify_add_watch(fd, path, IN_MODIFY) < 0)
		return -errno;
	return take_fd(&fd);
}

int runtime_oom_watch(const char *state_root, const char *id, struct err *e)
{
	AUTO(container) struct container c;
	int r = container_open(&c, state_root, id, false, e);
	if (r < 0)
		return r;
	int dir = sys_cgroup_dir(&c.cgroup, "memory");
	if (dir < 0)
		return err_set(e, EOPNOTSUPP, "container %s has no memory control group", id);
	r = c.layout.is_v2 ? watch_v2(dir) : watch_v1(dir);
	return r < 0 ? err_sys(e, r, "watch the container's memory events") : r;
}

int runtime_oom_kills(const char *state_root, const char *id, uint64_t *ret, struct err *e)
{
	AUTO(container) struct container c;
	int r = container_open(&c, state_root, id, false, e);
	if (r < 0)
		return r;
	if (sys_cgroup_dir(&c.cgroup, "memory") < 0)
		return err_set(e, EOPNOTSUPP, "container %s has no memory control group", id);
	r = sys_cgroup_keyed(&c.cgroup, "memory", c.layout.is_v2 ? "memory.events" : "memory.oom_control", "oom_kill", ret);
	return r < 0 ? err_sys(e, r, "read the container's memory events") : 0;
}
