/* SPDX-License-Identifier: Apache-2.0 */
/* The command: reads the job, enters the target, does it, reports. */
#include "unpack/unpack.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/num.h"
#include "schema/schema.h"
#include "unpack/unpack_int.h"

enum { JOB_MAX = 16 << 20, REPORT_MAX = 256 << 20, ARENA_MAX = 512 << 20, REPORT_FD = 3, JOB_FD = 4 };

static const struct row {
	const char *op;
	int (*run)(struct unpack *u, struct err *e);
} rows[] = {
	{ "layer", unpack_do_layer }, { "pack", unpack_do_pack }, { "export", unpack_do_export }, { "archive", unpack_do_archive }, { "stat", unpack_do_stat },
	{ "extract", unpack_do_extract }, { "changes", unpack_do_changes }, { "copy", unpack_do_copy }, { "sum", unpack_do_sum }, { "mkdir", unpack_do_mkdir },
	{ "du", unpack_do_du }, { "lookup", unpack_do_lookup },
};

int unpack_report_send(struct unpack *u, struct err *e)
{
	AUTO(buf) struct buf b = BUF_INIT(REPORT_MAX);
	int r = schema_to_json(T_unpack_report, &u->report, SCHEMA_NEWLINE, &b);
	if (r == 0)
		r = buf_error(&b);
	if (r == 0)
		r = fd_write_all(u->report_fd, b.ptr, b.len);
	return r < 0 ? err_sys(e, r, "send the report") : 0;
}

static int fd_option(const char *text)
{
	int64_t n;
	return num_parse_i64(slice_of(text), 0, 1 << 20, &n) < 0 ? -1 : (int)n;
}

static int run(struct unpack *u, int job_fd, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(JOB_MAX);
	struct unpack_job job;
	int r = fd_slurp(job_fd, &text);
	close(job_fd);
	if (r < 0)
		return err_sys(e, r, "read the job");
	if ((r = schema_from_json(T_unpack_job, buf_slice(&text), SCHEMA_STRICT, u->arena, &job, e)) < 0)
		return err_prefix(e, "unpack job");
	u->job = &job;
	const struct row *row = NULL;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (job.op && !strcmp(rows[i].op, job.op))
			row = &rows[i];
	if (!row)
		return err_set(e, EINVAL, "unpack job: no operation \"%s\"", job.op ? job.op : "");
	if ((r = unpack_enter(u, e)) < 0)
		return r;
	return row->run(u, e);
}

int unpack_main(int argc, char **argv)
{
	struct arena arena;
	struct unpack u = { .arena = &arena, .report_fd = REPORT_FD, .root = -1, .source = -1, .upper = -1, .helper = -1 };
	struct err e = { 0 };
	int job_fd = JOB_FD;
	for (int i = 1; i < argc; i++) {
		int *to = !strcmp(argv[i], "--job") ? &job_fd : !strcmp(argv[i], "--report") ? &u.report_fd : NULL;
		if (!to || i + 1 == argc || (*to = fd_option(argv[++i])) < 0) {
			fprintf(stderr, "usage: coracle-runtime unpack [--job FD] [--report FD]\n");
			return 2;
		}
	}
	signal(SIGPIPE, SIG_IGN);
	fd_set_cloexec(u.report_fd, true);
	arena_init(&arena, ARENA_MAX);
	int r = run(&u, job_fd, &e);
	u.report.done = true;
	if (r < 0) {
		u.report.code = e.code ? e.code : -r;
		u.report.error = e.text[0] ? e.text : err_name(-r);
	}
	struct err unsent = { 0 };
	if (unpack_report_send(&u, &unsent) < 0)
		fprintf(stderr, "coracle-runtime: unpack: %s\n", unsent.text);
	return r < 0 ? 1 : 0;
}
