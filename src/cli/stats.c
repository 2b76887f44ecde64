/* SPDX-License-Identifier: Apache-2.0 */
/* stats: a table of what containers use, once or redrawn as new numbers come. */
#include <math.h>
#include "base/clock.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/format.h"
#include "cli/human.h"
#include "cli/text.h"
#include "io/fiber.h"

enum { FIELDS = 10, CONTAINERS_MAX = 1024 };

struct sample {
	const char *asked, *id, *name;
	bool valid, gone;
	double cpu, memory, limit, memory_percent, rx, tx, read, write;
	uint64_t pids;
};
struct stats {
	struct cli *c;
	struct sample *v;
	size_t n, pending;
	struct waitq done;
	const char *error;
};

/* --- arithmetic ----------------------------------------------------------------- */

static uint64_t stat_of(const struct docker_stats_memory *m, const char *key)
{
	for (uint32_t i = 0; i < m->n_stats; i++)
		if (strcmp(m->stats[i].key, key) == 0)
			return m->stats[i].value;
	return 0;
}

/* Page cache that can be dropped does not count; v1 and v2 name it differently. */
static double memory_used(const struct docker_stats_memory *m)
{
	uint64_t cache = stat_of(m, "total_inactive_file");

	if (!cache || cache >= m->usage)
		cache = stat_of(m, "inactive_file");
	return (double)(cache < m->usage ? m->usage - cache : m->usage);
}

static double cpu_percent(const struct docker_container_stats *s)
{
	double cpu = (double)s->cpu_stats.cpu_usage.total_usage - (double)s->precpu_stats.cpu_usage.total_usage;
	double all = (double)s->cpu_stats.system_cpu_usage - (double)s->precpu_stats.system_cpu_usage;
	double cpus = s->cpu_stats.online_cpus ? s->cpu_stats.online_cpus : s->cpu_stats.cpu_usage.n_percpu_usage;

	return all > 0 && cpu > 0 ? cpu / all * cpus * 100 : 0;
}

static void fill_sample(struct cli *c, struct sample *x, const struct docker_container_stats *s)
{
	x->valid = true;
	x->id = arena_strdup(&c->arena, s->id ? s->id : "");
	x->name = arena_strdup(&c->arena, s->name ? s->name + (s->name[0] == '/') : "");
	x->cpu = cpu_percent(s);
	x->memory = memory_used(&s->memory_stats);
	x->limit = (double)s->memory_stats.limit;
	x->memory_percent = x->limit > 0 ? x->memory / x->limit * 100 : 0;
	x->pids = s->pids_stats.current;
	x->rx = x->tx = x->read = x->write = 0;
	for (uint32_t i = 0; i < s->n_networks; i++) {
		x->rx += (double)s->networks[i].value.rx_bytes;
		x->tx += (double)s->networks[i].value.tx_bytes;
	}
	for (uint32_t i = 0; i < s->blkio_stats.n_io_service_bytes_recursive; i++) {
		const struct docker_stats_blkio_entry *b = &s->blkio_stats.io_service_bytes_recursive[i];
		if (b->op && (b->op[0] == 'r' || b->op[0] == 'R'))
			x->read += (double)b->value;
		else if (b->op && (b->op[0] == 'w' || b->op[0] == 'W'))
			x->write += (double)b->value;
	}
}

/* --- rows ----------------------------------------------------------------------- */

static const char *two(struct cli *c, double a, double b, int binary)
{
	char x[HUMAN_MAX], y[HUMAN_MAX];

	if (binary) {
		human_binary_size(x, a);
		human_binary_size(y, b);
	} else {
		human_size(x, a, 3);
		human_size(y, b, 3);
	}
	return cli_fmt(c, "%s / %s", x, y);
}

static void sample_row(struct cli *c, const struct sample *x, bool full, struct val_field f[FIELDS])
{
	const char *none = "--";
	size_t k = 0;

#define FIELD(name, heading, value) f[k++] = (struct val_field){ name, heading, val_str(value) }
	FIELD("Container", "CONTAINER", x->asked);
	FIELD("ID", "CONTAINER ID", x->id && *x->id ? (full ? x->id : human_id(&c->arena, x->id)) : none);
	FIELD("Name", "NAME", x->name && *x->name ? x->name : none);
	FIELD("CPUPerc", "CPU %", x->valid ? cli_fmt(c, "%.2f%%", x->cpu) : none);
	FIELD("MemUsage", "MEM USAGE / LIMIT", x->valid ? two(c, x->memory, x->limit, 1) : "-- / --");
	FIELD("MemPerc", "MEM %", x->valid ? cli_fmt(c, "%.2f%%", x->memory_percent) : none);
	FIELD("NetIO", "NET I/O", x->valid ? two(c, x->rx, x->tx, 0) : none);
	FIELD("BlockIO", "BLOCK I/O", x->valid ? two(c, x->read, x->write, 0) : none);
	FIELD("PIDs", "PIDS", x->valid ? cli_fmt(c, "%llu", (unsigned long long)x->pids) : none);
#undef FIELD
}

static int print_all(struct stats *s, struct err *e)
{
	static const struct sample none;
	struct cli *c = s->c;
	const char *format = flag_str(&c->f, "format"), *kept = config_get(c)->stats_format;
	bool full = flag_bool(&c->f, "no-trunc");
	struct val_field f[FIELDS];
	struct listing l;
	int r;

	r = listing_begin(&l, c, *format || !kept ? format : kept, false,
			  "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}", NULL, e);
	for (size_t i = 0; i < s->n && r >= 0; i++) {
		if (s->v[i].gone)
			continue;
		sample_row(c, &s->v[i], full, f);
		r = listing_row(&l, &(struct val_row){ .fields = f, .n = FIELDS - 1 }, e);
	}
	sample_row(c, &none, full, f);
	return r < 0 ? r : listing_end(&l, f, FIELDS - 1, e);
}

/* --- asking --------------------------------------------------------------------- */

struct asker { struct stats *s; size_t i; };

static void ask_fiber(void *arg)
{
	struct asker *x = arg;
	struct stats *s = x->s;
	struct cli *c = s->c;
	struct sample *one = &s->v[x->i];
	AUTO(arena) struct arena a = { 0 };
	AUTO(buf) struct buf text = BUF_INIT(4 << 20);
	struct docker_container_stats got = { 0 };
	struct err e = { 0 };

	arena_init(&a, 8 << 20);
	if (api_text_wait(c, "GET", cli_fmt(c, "/containers/%s/stats?stream=0", api_esc(c, one->asked)), &text, &e) < 0 ||
	    schema_from_json(T_docker_container_stats, buf_slice(&text), SCHEMA_FOLD_CASE, &a, &got, &e) < 0) {
		if (!one->valid && !s->error)
			s->error = cli_fmt(c, "%s", c->long_error ? c->long_error : e.text);
		one->gone = true;
	} else {
		fill_sample(c, one, &got);
	}
	c->long_error = NULL;
	free(x);
	s->pending--;
	waitq_wake_all(&s->done);
}

static void ask_all_wait(struct stats *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct asker *x = s->v[i].gone ? NULL : malloc(sizeof *x);
		if (!x)
			continue;
		*x = (struct asker){ s, i };
		s->pending++;
		if (fiber_start(s->c->loop, "stats", ask_fiber, x) < 0) {
			s->pending--;
			free(x);
		}
	}
	while (s->pending)
		waitq_wait(&s->done, -1);
}

/* Containers of now; those seen before keep their numbers. */
static int list_containers(struct stats *s, struct err *e)
{
	struct cli *c = s->c;
	struct docker_container_summaries list = { 0 };
	struct sample *v;
	int r = api_get_wait(c, flag_bool(&c->f, "all") ? "/containers/json?all=1" : "/containers/json", T_docker_container_summaries, &list, e);

	if (r < 0)
		return r;
	if (!(v = arena_array(&c->arena, list.n_items + 1, sizeof *v)))
		return err_nomem(e);
	for (uint32_t i = 0; i < list.n_items && i < CONTAINERS_MAX; i++) {
		v[i] = (struct sample){ .asked = human_id(&c->arena, list.items[i].id) };
		for (size_t k = 0; k < s->n; k++)
			if (strcmp(s->v[k].asked, v[i].asked) == 0)
				v[i] = s->v[k];
	}
	s->v = v;
	s->n = MIN(list.n_items, (uint32_t)CONTAINERS_MAX);
	return 0;
}

int cmd_stats(struct cli *c, struct err *e)
{
	struct stats s = { .c = c };
	bool once = flag_bool(&c->f, "no-stream"), tty = isatty(1);
	int r;

	waitq_init(&s.done);
	if (c->f.argc) {
		s.n = (size_t)c->f.argc;
		s.v = arena_array(&c->arena, s.n, sizeof *s.v);
		for (size_t i = 0; s.v && i < s.n; i++)
			s.v[i].asked = cli_arg(c, (int)i);
		if ((r = api_connect_wait(c, e)) < 0)
			return r;
	}
	for (;;) {
		if (!c->f.argc && (r = list_containers(&s, e)) < 0)
			return r;
		ask_all_wait(&s);
		if (s.error && c->f.argc)
			return err_set(e, EIO, "%s", s.error);
		if (!once && tty)
			cli_print(c, "\033[H\033[2J");
		if ((r = print_all(&s, e)) < 0)
			return r;
		if (once)
			return 0;
		if ((r = cli_flush(c)) < 0)
			return err_sys(e, r, "write the output");
		/* an engine that is asked for one answer takes about a second over it; ours may be quicker */
		sleep_wait(500 * NS_PER_MS);
	}
}
