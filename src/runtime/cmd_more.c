/* SPDX-License-Identifier: Apache-2.0 */
/* state, list, kill, delete, pause, resume, ps, update, events. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "runtime/cli_int.h"
#include "sys/names.h"

static struct runtime_listed listed(const struct runtime_info *i)
{
	return (struct runtime_listed){ .oci_version = "1.2.1", .id = i->id, .pid = i->pid, .status = runtime_status_text(i->status),
					.bundle = i->bundle, .rootfs = i->rootfs, .created = i->created,
					.annotations = (struct schema_pair *)i->annotations, .n_annotations = i->n_annotations,
					.owner = i->owner ? i->owner : "" };
}

int cmd_state(struct cli *c, struct err *e)
{
	struct runtime_info i;
	int r = runtime_state(c->root, c->args[0], &c->arena, &i, e);
	if (r < 0)
		return r;
	struct runtime_listed l = listed(&i);
	return cli_print(T_runtime_listed, &l, SCHEMA_INDENT, e);
}

int cmd_list(struct cli *c, struct err *e)
{
	struct runtime_info *v;
	uint32_t n;
	int r = runtime_list(c->root, &c->arena, &v, &n, e);
	if (r < 0)
		return r;
	if (c->quiet) {
		for (uint32_t i = 0; i < n; i++)
			printf("%s\n", v[i].id);
		return 0;
	}
	if (c->format && !strcmp(c->format, "json")) {
		struct runtime_listed_all all = { arena_array(&c->arena, n, sizeof *all.items), n };
		for (uint32_t i = 0; all.items && i < n; i++)
			all.items[i] = listed(&v[i]);
		return all.items ? cli_print(T_runtime_listed_all, &all, 0, e) : err_nomem(e);
	}
	if (c->format && strcmp(c->format, "table"))
		return err_set(e, EINVAL, "invalid format option");
	int id = 2, bundle = 6;
	for (uint32_t i = 0; i < n; i++) {
		id = MAX(id, (int)strlen(v[i].id));
		bundle = MAX(bundle, (int)strlen(v[i].bundle));
	}
	printf("%-*s   %-9s   %-9s   %-*s   %-30s   OWNER\n", id, "ID", "PID", "STATUS", bundle, "BUNDLE", "CREATED");
	for (uint32_t i = 0; i < n; i++)
		printf("%-*s   %-9d   %-9s   %-*s   %-30s   root\n", id, v[i].id, v[i].pid, runtime_status_text(v[i].status), bundle,
		       v[i].bundle, v[i].created);
	return 0;
}

int cmd_kill(struct cli *c, struct err *e)
{
	const char *name = c->n_args > 1 ? c->args[1] : "SIGTERM";
	int sig = sys_signal_from_name(name);
	if (sig < 0)
		return err_set(e, EINVAL, "unknown signal \"%s\"", name);
	return runtime_kill(c->root, c->args[0], sig, c->all, e);
}

int cmd_delete(struct cli *c, struct err *e)
{
	return runtime_delete(c->root, c->args[0], c->force, e);
}

int cmd_pause(struct cli *c, struct err *e)
{
	return runtime_pause(c->root, c->args[0], e);
}

int cmd_resume(struct cli *c, struct err *e)
{
	return runtime_resume(c->root, c->args[0], e);
}

int cmd_checkpoint(struct cli *c, struct err *e)
{
	return err_set(e, EOPNOTSUPP, "checkpoint and restore are not supported");
}

/* The host's ps, of which the lines of the container's processes are kept. */
static int ps_table(struct cli *c, const pid_t *pids, uint32_t n, struct err *e)
{
	char *argv[64] = { "ps", "-ef", NULL };
	int out[2], status;
	for (int i = 1; i < c->n_args && i < 62; i++) {
		argv[i] = c->args[i];
		argv[i + 1] = NULL;
	}
	if (pipe2(out, O_CLOEXEC) < 0)
		return err_sys(e, errno, "make a pipe");
	pid_t child = fork();
	if (child == 0) {
		dup2(out[1], 1);
		execvp("ps", argv);
		_exit(127);
	}
	close(out[1]);
	AUTO(buf) struct buf text = BUF_INIT(16 << 20);
	int r = fd_slurp(out[0], &text);
	close(out[0]);
	if (child < 0 || waitpid(child, &status, 0) < 0 || status || r < 0)
		return err_set(e, EIO, "ps failed");
	struct slice rest = buf_slice(&text), line, words, one;
	int column = -1;
	while (slice_next(&rest, '\n', &line)) {
		int k = 0;
		int64_t pid = -1;
		words = line;
		while (slice_next(&words, ' ', &one)) {
			if (one.len == 0)
				continue;
			if (column < 0 && slice_is(one, "PID"))
				column = k;
			else if (column == k)
				(void)num_parse_i64(one, 0, INT32_MAX, &pid);
			k++;
		}
		bool print = pid < 0 && line.len;
		for (uint32_t i = 0; i < n; i++)
			print |= pids[i] == pid;
		if (column < 0)
			return err_set(e, EINVAL, "couldn't find PID field in ps output");
		if (print)
			printf("%.*s\n", SLICE_FMT(line));
	}
	return 0;
}

int cmd_ps(struct cli *c, struct err *e)
{
	pid_t *pids;
	uint32_t n;
	int r = runtime_ps(c->root, c->args[0], &c->arena, &pids, &n, e);
	if (r < 0)
		return r;
	if (!c->format || !strcmp(c->format, "table"))
		return ps_table(c, pids, n, e);
	if (strcmp(c->format, "json"))
		return err_set(e, EINVAL, "invalid format option");
	struct runtime_pids list = { arena_array(&c->arena, n, sizeof *list.items), n };
	for (uint32_t i = 0; list.items && i < n; i++)
		list.items[i] = pids[i];
	return list.items ? cli_print(T_runtime_pids, &list, 0, e) : err_nomem(e);
}

static int number(struct cli *c, const char *flag, const char *text, bool bytes, int64_t **ret, struct err *e)
{
	int64_t n;
	if (!text || !*text)
		return 0;
	int r = bytes && strcmp(text, "-1") ? num_parse_bytes(slice_of(text), &n) : num_parse_i64(slice_of(text), INT64_MIN, INT64_MAX, &n);
	if (r < 0)
		return err_set(e, EINVAL, "invalid value for %s: %s", flag, text);
	*ret = arena_new(&c->arena, int64_t);
	if (!*ret)
		return err_nomem(e);
	**ret = n;
	return 0;
}

static int update_flags(struct cli *c, struct oci_linux_resources *res, struct err *e)
{
	struct oci_linux_memory *m = arena_new(&c->arena, struct oci_linux_memory);
	struct oci_linux_cpu *cpu = arena_new(&c->arena, struct oci_linux_cpu);
	struct oci_linux_pids *pids = arena_new(&c->arena, struct oci_linux_pids);
	struct oci_linux_block_io *io = arena_new(&c->arena, struct oci_linux_block_io);
	int64_t *weight = NULL;
	if (!m || !cpu || !pids || !io)
		return err_nomem(e);
	res->memory = m;
	res->cpu = cpu;
	res->pids = pids;
	res->block_io = io;
	const struct {
		const char *flag, *text;
		bool bytes;
		int64_t **at;
	} rows[] = {
		{ "memory", c->memory, true, &m->limit },
		{ "memory-swap", c->memory_swap, true, &m->swap },
		{ "memory-reservation", c->memory_reservation, true, &m->reservation },
		{ "kernel-memory-tcp", c->kernel_tcp, true, &m->kernel_tcp },
		{ "cpu-share", c->cpu_share, false, (int64_t **)&cpu->shares },
		{ "cpu-quota", c->cpu_quota, false, &cpu->quota },
		{ "cpu-period", c->cpu_period, false, (int64_t **)&cpu->period },
		{ "cpu-burst", c->cpu_burst, false, (int64_t **)&cpu->burst },
		{ "cpu-idle", c->cpu_idle, false, &cpu->idle },
		{ "cpu-rt-runtime", c->cpu_rt_runtime, false, &cpu->realtime_runtime },
		{ "cpu-rt-period", c->cpu_rt_period, false, (int64_t **)&cpu->realtime_period },
		{ "pids-limit", c->pids_limit, false, &pids->limit },
		{ "blkio-weight", c->blkio_weight, false, &weight },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int r = number(c, rows[i].flag, rows[i].text, rows[i].bytes, rows[i].at, e);
		if (r < 0)
			return r;
	}
	cpu->cpus = c->cpuset_cpus;
	cpu->mems = c->cpuset_mems;
	if (weight) {
		io->weight = arena_new(&c->arena, uint16_t);
		if (!io->weight)
			return err_nomem(e);
		*io->weight = (uint16_t)*weight;
	}
	return 0;
}

int cmd_update(struct cli *c, struct err *e)
{
	struct oci_linux_resources res = { 0 };
	int r;
	if (c->l3 || c->membw)
		return err_set(e, EOPNOTSUPP, "intelRdt is not supported");
	if (c->resources) {
		AUTO(buf) struct buf text = BUF_INIT(1 << 20);
		r = !strcmp(c->resources, "-") ? fd_slurp(0, &text) : file_read(AT_FDCWD, c->resources, &text);
		if (r < 0)
			return err_sys(e, r, "read %s", c->resources);
		r = schema_from_json(T_oci_linux_resources, buf_slice(&text), SCHEMA_FOLD_CASE, &c->arena, &res, e);
	} else {
		r = update_flags(c, &res, e);
	}
	return r < 0 ? r : runtime_update(c->root, c->args[0], &res, e);
}

static struct runtime_event_blkio_entry *entries(struct cli *c, const struct runtime_blkio_entry *v, uint32_t n)
{
	struct runtime_event_blkio_entry *out = arena_array(&c->arena, n, sizeof *out);
	for (uint32_t i = 0; out && i < n; i++)
		out[i] = (struct runtime_event_blkio_entry){ v[i].major, v[i].minor, v[i].op, v[i].value };
	return out;
}

static int print_stats(struct cli *c, struct err *e)
{
	struct runtime_stats s;
	int r = runtime_stats(c->root, c->args[0], &c->arena, &s, e);
	if (r < 0)
		return r;
	struct runtime_event_stats d = {
		.cpu = { { s.cpu_usage_ns, s.cpu_per_cpu_ns, s.n_cpu_per_cpu_ns, s.cpu_system_ns, s.cpu_user_ns },
			 { s.cpu_periods, s.cpu_throttled, s.cpu_throttled_ns } },
		.memory = { .usage = { s.memory_limit, s.memory_usage, s.memory_max_usage, s.memory_failcnt },
			    .swap = { .limit = s.swap_limit, .usage = s.swap_usage },
			    .kernel = { .limit = UINT64_MAX, .usage = s.kernel_usage } },
		.pids = { s.pids_current, s.pids_limit == UINT64_MAX ? 0 : s.pids_limit },
		.blkio = { entries(c, s.io_bytes, s.n_io_bytes), s.n_io_bytes, entries(c, s.io_ops, s.n_io_ops), s.n_io_ops },
		.intel_rdt = SLICE("{}"),
		.network_interfaces = SLICE("null"),
	};
	d.memory.raw = arena_array(&c->arena, s.n_memory_stat, sizeof *d.memory.raw);
	for (uint32_t i = 0; d.memory.raw && i < s.n_memory_stat; i++) {
		d.memory.raw[d.memory.n_raw++] = (struct runtime_uint64_entry){ s.memory_stat[i].key, s.memory_stat[i].value };
		if (!strcmp(s.memory_stat[i].key, "cache") || !strcmp(s.memory_stat[i].key, "file"))
			d.memory.cache = s.memory_stat[i].value;
	}
	struct runtime_event ev = { .type = "stats", .id = c->args[0], .data = &d };
	return cli_print(T_runtime_event, &ev, 0, e);
}

int cmd_events(struct cli *c, struct err *e)
{
	int64_t interval = 5 * 1000000000LL;
	if (c->interval && (duration_parse(slice_of(c->interval), &interval) < 0 || interval <= 0))
		return err_set(e, EINVAL, "duration interval must be greater than 0");
	for (;;) {
		struct runtime_info i;
		int r = runtime_state(c->root, c->args[0], &c->arena, &i, e);
		if (r < 0)
			return r;
		if (i.status == RUNTIME_STOPPED)
			return c->stats ? err_set(e, ESRCH, "container with id %s is not running", c->args[0]) : 0;
		if ((r = print_stats(c, e)) < 0 || c->stats)
			return r;
		arena_release(&c->arena);
		struct timespec t = { interval / 1000000000LL, interval % 1000000000LL };
		nanosleep(&t, NULL);
	}
}
