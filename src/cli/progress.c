/* SPDX-License-Identifier: Apache-2.0 */
/* Progress messages. See progress.h. */
#include "cli/progress.h"
#include <sys/ioctl.h>
#include "base/clock.h"
#include "base/fd.h"
#include "cli/human.h"

void cli_progress_init(struct cli_progress *p, struct cli *c, int fd)
{
	struct winsize ws;

	*p = (struct cli_progress){ .c = c, .fd = fd, .out = BUF_INIT(64 << 20), .columns = 80 };
	p->tty = fd >= 0 && isatty(fd);
	if (p->tty && ioctl(fd, TIOCGWINSZ, &ws) == 0 && ws.ws_col)
		p->columns = ws.ws_col;
}

void cli_progress_bar(char *dst, const struct docker_message_progress *d, unsigned columns)
{
	char now[HUMAN_MAX], all[HUMAN_MAX], box[64] = "", numbers[112] = "";

	dst[0] = 0;
	if (!d || (d->current <= 0 && d->total <= 0))
		return;
	human_size(now, (double)d->current, 4);
	human_size(all, (double)d->total, 4);
	if (d->total <= 0) {
		if (d->units && *d->units)
			fmt_into(dst, 256, "%lld %s", (long long)d->current, d->units);
		else
			fmt_into(dst, 256, "%8s", now);
		return;
	}
	int half = (int)((double)d->current / (double)d->total * 100) / 2;
	half = MIN(half, 50);
	if (columns > 110)
		fmt_into(box, sizeof box, "[%.*s>%*s] ", half, "==================================================", 50 - half, "");
	if (!d->hidecounts && d->units && *d->units)
		fmt_into(numbers, sizeof numbers, "%lld/%lld %.40s", (long long)d->current, (long long)d->total, d->units);
	else if (!d->hidecounts && d->current > d->total)
		fmt_into(numbers, sizeof numbers, "%8s", now);
	else if (!d->hidecounts)
		fmt_into(numbers, sizeof numbers, "%8s/%s", now, all);
	fmt_into(dst, 256, "%s%s", box, numbers);
}

static void print_message(struct cli_progress *p, const struct docker_message *m)
{
	char bar[256];
	const char *end = "";

	cli_progress_bar(bar, m->progress_detail, p->columns);
	if (p->tty && !m->stream && m->progress_detail) {
		end = "\r";
		buf_adds(&p->out, "\033[2K\r");
	} else if (!p->tty && m->progress_detail && *bar) {
		return;
	}
	if (m->id && *m->id)
		buf_addf(&p->out, "%s: ", m->id);
	if (m->from && *m->from)
		buf_addf(&p->out, "(from %s) ", m->from);
	if (m->progress_detail && p->tty)
		buf_addf(&p->out, "%s %s%s", m->status ? m->status : "", bar, end);
	else if (m->progress && *m->progress)
		buf_addf(&p->out, "%s %s%s", m->status ? m->status : "", m->progress, end);
	else if (m->stream)
		buf_addf(&p->out, "%s%s", m->stream, end);
	else
		buf_addf(&p->out, "%s%s\n", m->status ? m->status : "", end);
}

static unsigned line_of(struct cli_progress *p, const char *id)
{
	for (unsigned i = 0; i < p->n_ids; i++)
		if (strcmp(p->ids[i], id) == 0)
			return p->n_ids - i;
	if (p->n_ids == ARRAY_LEN(p->ids))
		return 1;
	p->ids[p->n_ids++] = arena_strdup(&p->c->arena, id);
	if (p->tty)
		buf_adds(&p->out, "\n");
	return 1;
}

int cli_progress_show(struct cli_progress *p, const struct docker_message *m, struct err *e)
{
	bool has_id = m->id && *m->id;
	unsigned up = 0;

	if (m->error_detail || (m->error && *m->error)) {
		const char *text = m->error_detail && m->error_detail->message ? m->error_detail->message : m->error;
		p->error_code = m->error_detail ? m->error_detail->code : 0;
		p->c->long_error = arena_strdup(&p->c->arena, text ? text : "");
		return err_set(e, EIO, "%s", text ? text : "");
	}
	if (p->text && m->stream)
		buf_adds(p->text, m->stream);
	if (has_id && (m->progress_detail || (m->progress && *m->progress)))
		up = line_of(p, m->id);
	else
		p->n_ids = 0;
	if (p->tty && up)
		buf_addf(&p->out, "\033[%uA", up);
	print_message(p, m);
	if (p->tty && has_id && up)
		buf_addf(&p->out, "\033[%uB", up);
	return 0;
}

static int flush(struct cli_progress *p, struct err *e)
{
	int r = p->fd >= 0 && p->out.len ? fd_write_all(p->fd, p->out.ptr, p->out.len) : 0;

	buf_reset(&p->out);
	return r < 0 ? err_sys(e, r, "write the output") : 0;
}

int cli_progress_copy_wait(struct cli_progress *p, struct http_call *call, struct err *e)
{
	AUTO(api_lines) struct api_lines lines;
	AUTO(arena) struct arena a = { 0 };
	struct slice line;
	int r;

	arena_init(&a, 64 << 20);
	api_lines_init(&lines, call);
	while ((r = api_line_wait(&lines, &line, e)) > 0) {
		struct docker_message m = { 0 };
		arena_release(&a);
		if ((r = schema_from_json(T_docker_message, line, SCHEMA_FOLD_CASE, &a, &m, e)) < 0)
			break;
		if (m.aux.ptr && m.aux.len && !slice_is(m.aux, "null")) {
			if (p->aux)
				p->aux(p, m.aux);
			continue;
		}
		if ((r = cli_progress_show(p, &m, e)) < 0)
			break;
		/* show what there is before waiting for more */
		if (lines.at >= lines.buf.len && (r = flush(p, e)) < 0)
			break;
	}
	flush(p, NULL);
	buf_release(&p->out);
	return r;
}
