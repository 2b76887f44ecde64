/* SPDX-License-Identifier: Apache-2.0 */
/* GET …/stats (one sample), GET …/top. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "api/shim.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "engine/shim_link.h"

static uint64_t system_cpu_ns(void)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	if (file_read(AT_FDCWD, "/proc/stat", &b) < 0)
		return 0;
	struct slice rest = buf_slice(&b), line, word;
	slice_next(&rest, '\n', &line);
	uint64_t sum = 0, v;
	int n = 0;
	/* "cpu  user nice system idle iowait irq softirq …": as Docker, the first seven */
	while (n < 7 && slice_next(&line, ' ', &word)) {
		if (num_parse_u64(word, UINT64_MAX, &v) < 0)
			continue;
		sum += v;
		n++;
	}
	return sum * (uint64_t)(NS_PER_S / sysconf(_SC_CLK_TCK));
}

static struct docker_stats_blkio_entry *io_view(const struct shim_io *v, uint32_t n, struct arena *a)
{
	struct docker_stats_blkio_entry *o = arena_array(a, n, sizeof *o);
	for (uint32_t i = 0; o && i < n; i++)
		o[i] = (struct docker_stats_blkio_entry){ v[i].major, v[i].minor, arena_strdup(a, v[i].op), v[i].value };
	return o;
}

static uint64_t mem_total(void)
{
	struct sysinfo si;
	return sysinfo(&si) == 0 ? (uint64_t)si.totalram * si.mem_unit : 0;
}

static int fill(struct container *c, const struct shim_stats *s, struct arena *a, struct docker_container_stats *ret)
{
	struct docker_stats_cpu *cpu = &ret->cpu_stats;
	cpu->cpu_usage = (struct docker_stats_cpu_usage){ .total_usage = s->cpu_usage_ns, .percpu_usage = s->cpu_per_cpu_ns,
		.n_percpu_usage = s->n_cpu_per_cpu_ns, .usage_in_kernelmode = s->cpu_system_ns, .usage_in_usermode = s->cpu_user_ns };
	cpu->system_cpu_usage = system_cpu_ns();
	cpu->online_cpus = (uint32_t)get_nprocs();
	cpu->throttling_data = (struct docker_stats_throttling){ s->cpu_periods, s->cpu_throttled, s->cpu_throttled_ns };
	struct docker_stats_memory *m = &ret->memory_stats;
	m->usage = s->memory_usage;
	m->max_usage = s->is_v2 ? 0 : s->memory_max_usage;
	m->failcnt = s->memory_failcnt;
	m->limit = s->memory_limit && *s->memory_limit < mem_total() ? *s->memory_limit : mem_total();
	m->stats = arena_array(a, s->n_memory_stat, sizeof *m->stats);
	if (!m->stats)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->n_memory_stat; i++)
		m->stats[m->n_stats++] = (struct docker_uint64_entry){ s->memory_stat[i].key, s->memory_stat[i].value };
	ret->pids_stats.current = s->pids_current;
	ret->pids_stats.limit = s->pids_limit ? *s->pids_limit : 0;
	ret->blkio_stats.io_service_bytes_recursive = io_view(s->io_bytes, s->n_io_bytes, a);
	ret->blkio_stats.n_io_service_bytes_recursive = s->n_io_bytes;
	ret->blkio_stats.io_serviced_recursive = io_view(s->io_ops, s->n_io_ops, a);
	ret->blkio_stats.n_io_serviced_recursive = s->n_io_ops;
	return 0;
}

static void networks_fill_wait(struct container *c, struct arena *a, struct docker_container_stats *ret)
{
	struct net_interface_stats *v;
	uint32_t n;
	if (net_stats_wait(c->engine->config.net, c->id, a, &v, &n) < 0 || !n)
		return;
	ret->networks = arena_array(a, n, sizeof *ret->networks);
	for (uint32_t i = 0; ret->networks && i < n; i++)
		ret->networks[ret->n_networks++] = (struct docker_stats_network_entry){ arena_strdup(a, v[i].name),
			{ .rx_bytes = v[i].rx_bytes, .rx_packets = v[i].rx_packets, .rx_errors = v[i].rx_errors, .rx_dropped = v[i].rx_dropped,
			  .tx_bytes = v[i].tx_bytes, .tx_packets = v[i].tx_packets, .tx_errors = v[i].tx_errors, .tx_dropped = v[i].tx_dropped } };
}

int container_stats_wait(struct engine *eng, const char *name, struct arena *a, struct docker_container_stats *ret, struct err *e)
{
	AUTO(container) struct container *c = NULL;
	int r = container_find(eng, name, &c, e);
	if (r < 0)
		return r;
	*ret = (struct docker_container_stats){ .id = arena_strdup(a, c->id), .name = arena_fmt(a, "/%s", c->name), .read = CLOCK_ZERO_TEXT,
		.preread = CLOCK_ZERO_TEXT };
	if (!container_is_alive(c))
		return 0;
	struct shim_stats *s;
	r = shim_stats_wait(c, a, &s, e);
	if (r == -ESRCH)
		return 0;       /* it ended meanwhile */
	if (r < 0)
		return r;
	ret->read = time_text(a, clock_realtime_ns());
	if (fill(c, s, a, ret) < 0)
		return err_nomem(e);
	networks_fill_wait(c, a, ret);
	return 0;
}

/* --- top: the host's ps, filtered */
static int words(struct slice line, uint32_t most, struct arena *a, struct docker_string_list *ret)
{
	ret->items = NULL;
	ret->n_items = 0;
	line = slice_trim(line);
	while (line.len) {
		size_t n = 0;
		if (ret->n_items + 1 == most)
			n = line.len;
		else
			while (n < line.len && line.ptr[n] != ' ' && line.ptr[n] != '\t')
				n++;
		if (strings_push(a, &ret->items, &ret->n_items, arena_dup(a, slice_n(line.ptr, n))) < 0)
			return -ENOMEM;
		line = slice_trim(slice_n(line.ptr + n, line.len - n));
	}
	return 0;
}

static bool pid_in(const int64_t *v, uint32_t n, const char *text)
{
	int64_t p;
	if (num_parse_i64(slice_of(text), 0, INT64_MAX, &p) < 0)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (v[i] == p)
			return true;
	return false;
}

static int parse_ps(struct slice text, const int64_t *pids, uint32_t n_pids, struct arena *a, struct docker_container_top *ret, struct err *e)
{
	struct slice line;
	struct docker_string_list titles;
	if (!slice_next(&text, '\n', &line) || words(line, UINT32_MAX, a, &titles) < 0)
		return err_set(e, EIO, "ps printed nothing");
	uint32_t at = titles.n_items;
	for (uint32_t i = 0; i < titles.n_items && at == titles.n_items; i++)
		if (!strcmp(titles.items[i], "PID"))
			at = i;
	if (at == titles.n_items)
		return err_set(e, EINVAL, "Couldn't find PID field in ps output");
	ret->titles = titles.items;
	ret->n_titles = titles.n_items;
	VEC(struct docker_string_list) rows = { 0 };
	int r = 0;
	while (r == 0 && slice_next(&text, '\n', &line)) {
		struct docker_string_list row;
		r = words(line, titles.n_items, a, &row);
		if (r == 0 && row.n_items > at && pid_in(pids, n_pids, row.items[at]))
			r = vec_push(&rows, row);
	}
	ret->processes = arena_array(a, rows.n, sizeof *ret->processes);
	if (ret->processes && rows.n)
		memcpy(ret->processes, rows.v, rows.n * sizeof *rows.v);
	ret->n_processes = ret->processes ? (uint32_t)rows.n : 0;
	vec_release(&rows);
	return r < 0 || !ret->processes ? err_nomem(e) : 0;
}

struct ps { struct child child; bool over; struct waitq q; };

static void ps_over(struct child *k, int status)
{
	struct ps *p = container_of(k, struct ps, child);
	p->over = true;
	waitq_wake_all(&p->q);
}

static int ps_wait(struct engine *eng, const char *const *argv, struct buf *out, struct err *e)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, errno, "making a pipe");
	struct stream *s;
	int r = stream_from_fd(eng->loop, ends[0], &s);
	if (r < 0) {
		close(ends[0]);
		close(ends[1]);
		return err_sys(e, r, "watching a pipe");
	}
	struct ps p = { .over = false };
	waitq_init(&p.q);
	int fds[] = { -1, ends[1], ends[1] };
	const char *const env[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL };
	struct spawn how = { .path = argv[0], .argv = argv, .envp = env, .fds = fds, .n_fds = 3 };
	r = child_spawn(eng->loop, &p.child, &how, ps_over, e);
	close(ends[1]);
	bool spawned = r == 0;
	char chunk[8192];
	while (r == 0) {
		ssize_t n = stream_read_wait(s, chunk, sizeof chunk);
		if (n <= 0)
			break;
		r = buf_add(out, chunk, (size_t)n);
	}
	stream_close(s);
	if (spawned && r < 0)
		child_kill(&p.child, 9);
	while (spawned && !p.over)
		if (waitq_wait(&p.q, -1) == -ECANCELED) {
			child_forget(&p.child);
			break;
		}
	return r;
}

int container_top_wait(struct engine *eng, const char *name, const char *ps_args, struct arena *a, struct docker_container_top *ret,
		       struct err *e)
{
	AUTO(container) struct container *c = NULL;
	int r = container_find(eng, name, &c, e);
	if (r < 0)
		return r;
	/* "pid" renamed by the user's own format would hide what is looked for */
	for (const char *s = ps_args; (s = strstr(s, "=")); s++)
		if (strcspn(s + 1, " \t,") && strncmp(s + 1, "PID", 3) && s > ps_args + 2 && !strncmp(s - 3, "pid", 3))
			return err_set(e, EINVAL, "specifying \"%s\" is not allowed", s - 3);
	if (!container_is_running(c))
		return err_set(e, EBUSY, "container %s is not running", c->id);
	if (c->status == STATUS_RESTARTING)
		return err_set(e, EBUSY, "container %s is restarting, wait until the container is running", c->id);
	int64_t *pids;
	uint32_t n_pids;
	r = shim_pids_wait(c, a, &pids, &n_pids, e);
	if (r < 0)
		return r;
	struct docker_string_list args;
	const char **argv = NULL;
	uint32_t n = 0;
	if (words(slice_of(ps_args), UINT32_MAX, a, &args) < 0)
		return err_nomem(e);
	strings_push(a, &argv, &n, "/bin/ps");
	for (uint32_t i = 0; i < args.n_items; i++)
		strings_push(a, &argv, &n, args.items[i]);
	strings_push(a, &argv, &n, "");
	argv[n - 1] = NULL;
	AUTO(buf) struct buf out = BUF_INIT(64 << 20);
	r = ps_wait(eng, argv, &out, e);
	if (r < 0)
		return e && e->code ? r : err_sys(e, r, "running ps");
	if (!out.len || !memmem(out.ptr, out.len, "PID", 3))
		return err_set(e, EINVAL, "ps: exit status 1: %.*s", (int)MIN(out.len, (size_t)200), out.ptr);
	container_event(c, "top", NULL, 0);
	return parse_ps(buf_slice(&out), pids, n_pids, a, ret, e);
}
