/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of progress.h. */
#include "image/progress.h"

#include <errno.h>
#include <stdlib.h>

#include "base/auto.h"

enum { LINES_MAX = 10000 };

void progress_init(struct progress *p, const struct image_progress_sink *sink)
{
	*p = (struct progress){ .sink = sink };
	waitq_init(&p->q);
}

static void line_free(struct progress_line *l)
{
	free(l->id);
	free(l->status);
	free(l->aux);
}

void progress_release(struct progress *p)
{
	for (size_t i = 0; i < p->lines.n; i++)
		line_free(&p->lines.v[i]);
	vec_release(&p->lines);
}

void progress_wake(struct progress *p)
{
	p->woken = true;
	waitq_wake_all(&p->q);
	if (p->waiter)
		fiber_wake(p->waiter);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static void add(struct progress *p, struct progress_line l)
{
	if (p->lines.n >= LINES_MAX || vec_push(&p->lines, l) < 0)
		line_free(&l);
	progress_wake(p);
}

void progress_say(struct progress *p, const char *id, const char *status, int64_t current, int64_t total)
{
	for (size_t i = p->lines.n; id && i-- > 0;) {
		struct progress_line *l = &p->lines.v[i];
		if (!same_text(l->id, id))
			continue;
		if (same_text(l->status, status)) {
			l->current = current;
			l->total = total;
			progress_wake(p);
			return;
		}
		break;
	}
	struct progress_line l = { .id = id ? slice_dup(slice_of(id)) : NULL, .status = slice_dup(slice_of(status)), .current = current, .total = total };
	if ((id && !l.id) || !l.status)
		line_free(&l);
	else
		add(p, l);
}

void progress_aux(struct progress *p, struct slice json)
{
	struct progress_line l = { .aux = slice_dup(json) };
	if (l.aux)
		add(p, l);
}

int progress_flush_wait(struct progress *p)
{
	while (p->lines.n && !p->failed) {
		struct progress_line l = p->lines.v[0];
		vec_remove(&p->lines, 0);
		struct image_progress x = { .id = l.id, .status = l.status, .current = l.current, .total = l.total,
					    .aux = l.aux ? slice_of(l.aux) : (struct slice){ NULL, 0 } };
		int r = p->sink && p->sink->event ? p->sink->event(p->sink->arg, &x) : 0;
		line_free(&l);
		if (r < 0)
			p->failed = r;
	}
	return p->failed;
}

int progress_drain_wait(struct progress *p)
{
	if (p->lines.n && !p->failed) {
		p->woken = false;
		return progress_flush_wait(p);
	}
	while (!p->woken && !p->waiter)
		if (waitq_wait(&p->q, -1) == -ECANCELED) {
			p->failed = -ECANCELED;
			p->waiter = fiber_self();
			return p->failed;
		}
	while (!p->woken)
		fiber_suspend_wait();
	p->woken = false;
	return 0;
}
