/* SPDX-License-Identifier: Apache-2.0 */
/* The stream of messages that pull, push, load, import and build answer with, shown to a person: lines, or redrawn on a terminal. */
#pragma once
#include "cli/api.h"

struct cli_progress {
	struct cli *c;
	int fd;                        /* where to show it; -1: nowhere */
	bool tty;
	struct buf *text;              /* gets what `stream` says, where nothing is shown; may be NULL */
	unsigned columns;
	struct buf out;
	const char *ids[256];          /* lines on the terminal by id, since the last line without one */
	unsigned n_ids;
	void (*aux)(struct cli_progress *p, struct slice json);
	void *user;
	int64_t error_code;            /* of errorDetail, 0 without */
};
void cli_progress_init(struct cli_progress *p, struct cli *c, int fd);
/* Shows one message; < 0 with the message's error. */
int cli_progress_show(struct cli_progress *p, const struct docker_message *m, struct err *e);
/* Shows all of an answer; < 0 with the stream's error in e (and c->long_error). */
int cli_progress_copy_wait(struct cli_progress *p, struct http_call *call, struct err *e);
/* "[====>   ]  1.2MB/3.4MB"; dst: 256. */
void cli_progress_bar(char *dst, const struct docker_message_progress *d, unsigned columns);
