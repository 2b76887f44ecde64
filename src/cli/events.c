/* SPDX-License-Identifier: Apache-2.0 */
/* events: one line each. */
#include "base/clock.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/human.h"
#include "cli/ps.h"

static int cmp_pairs(const void *a, const void *b)
{
	const struct schema_pair *x = a, *y = b;
	return strcmp(x->key, y->key);
}

/* "2026-11-25T04:14:43.123456789Z container start ID (image=x, name=y)", in local time */
static void print_event(struct cli *c, struct docker_event *ev)
{
	time_t s = (time_t)(ev->time_nano ? ev->time_nano / NS_PER_S : ev->time);
	long long fraction = ev->time_nano ? (long long)(ev->time_nano % NS_PER_S) : 0;
	char stamp[32], zone[16];
	struct tm tm;

	localtime_r(&s, &tm);
	strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
	strftime(zone, sizeof zone, "%z", &tm);
	if (tm.tm_gmtoff == 0)
		fmt_into(zone, sizeof zone, "Z");
	else
		fmt_into(zone, sizeof zone, "%c%02ld:%02ld", tm.tm_gmtoff < 0 ? '-' : '+', labs(tm.tm_gmtoff) / 3600, labs(tm.tm_gmtoff) / 60 % 60);
	cli_print(c, "%s.%09lld%s %s %s %s", stamp, fraction, zone, ev->type, ev->action, ev->actor.id ? ev->actor.id : "");
	if (ev->actor.n_attributes) {
		qsort(ev->actor.attributes, ev->actor.n_attributes, sizeof *ev->actor.attributes, cmp_pairs);
		for (uint32_t i = 0; i < ev->actor.n_attributes; i++)
			cli_print(c, "%s%s=%s", i ? ", " : " (", ev->actor.attributes[i].key,
				  ev->actor.attributes[i].value ? ev->actor.attributes[i].value : "");
		cli_print(c, ")");
	}
	cli_print(c, "\n");
}

static int one_line(struct cli *c, const char *format, struct slice line, struct arena *a, struct err *e)
{
	struct docker_event ev = { 0 };
	struct tree t;
	int r;

	if (!*format) {
		if ((r = schema_from_json(T_docker_event, line, SCHEMA_FOLD_CASE, a, &ev, e)) < 0)
			return r;
		print_event(c, &ev);
		return cli_flush(c);
	}
	if ((r = tree_from_json(line, 0, a, &t, e)) < 0)
		return r;
	struct val dot = val_tree(&t);
	r = format_value(c, format, &dot, e);
	return r < 0 ? r : cli_flush(c);
}

int cmd_events(struct cli *c, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;
	AUTO(arena) struct arena a = { 0 };
	struct http_call call = { .method = "GET" };
	struct api_lines lines;
	struct slice line;
	const char *since = flag_str(&c->f, "since"), *until = flag_str(&c->f, "until");
	int r;

	arena_init(&a, 16 << 20);
	buf_adds(&t.b, "/events");
	if ((r = target_add_filters(c, &t, flag_list(&c->f, "filter"), e)) < 0)
		return r;
	if (*since)
		target_add(&t, "since", human_timestamp(&c->arena, since, cli_now(c)));
	if (*until)
		target_add(&t, "until", human_timestamp(&c->arena, until, cli_now(c)));
	call.target = t.b.ptr;
	if ((r = api_open_wait(c, &call, e)) < 0)
		return r;
	api_lines_init(&lines, &call);
	while ((r = api_line_wait(&lines, &line, e)) > 0) {
		arena_release(&a);
		if ((r = one_line(c, flag_str(&c->f, "format"), line, &a, e)) < 0)
			break;
	}
	auto_api_lines(&lines);
	http_call_release(&call);
	return r;
}
