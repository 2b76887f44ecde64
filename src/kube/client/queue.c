// SPDX-License-Identifier: Apache-2.0
/*
 * Work queues. A key is
 *
 *	idle ──add──▶ queued ──a worker──▶ active ──0──▶ idle
 *	  ▲              ▲                   │ └──add meanwhile──▶ queued again when it ends
 *	  └──timer───────┴──── delayed ◀──< 0┘
 *
 * and is forgotten when it is idle, not delayed and has not failed. Workers
 * are fibers that exist only while there is work.
 */
#include <errno.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/vec.h"
#include "kube/client/client_int.h"

static const int64_t LEAST_NS = 5 * NS_PER_MS, MOST_NS = 1000 * NS_PER_S;

struct item {
	struct list node;              /* in the queue while queued */
	struct workqueue *q;
	struct timer timer;
	int64_t due_ns;                /* while the timer is set */
	bool queued, active, again, delayed;
	unsigned failures;
	char key[];
};
struct workqueue {
	struct loop *loop;
	struct workqueue_config c;
	struct map items;
	struct list ready;
	size_t n_ready;
	struct loop_call start;
	bool start_posted, freed;
	struct timer retry;            /* when no fiber could be had */
	VEC(struct fiber *) workers;
	unsigned refs;
};

static void queue_unref(struct workqueue *q)
{
	if (--q->refs)
		return;
	vec_release(&q->workers);
	map_release(&q->items);
	free(q);
}

static void forget_if_idle(struct item *it)
{
	if (it->queued || it->active || it->delayed || it->failures)
		return;
	map_dels(&it->q->items, it->key);
	free(it);
}

static struct item *item_of(struct workqueue *q, const char *key)
{
	struct item *it = map_gets(&q->items, key);
	size_t n = strlen(key) + 1;

	if (it)
		return it;
	it = calloc(1, sizeof *it + n);
	if (!it || map_sets(&q->items, key, it) < 0) {
		free(it);
		return NULL;
	}
	memcpy(it->key, key, n);
	it->q = q;
	list_init(&it->node);
	return it;
}

/* --- workers */

static void wake_workers(struct workqueue *q);
static void delay(struct item *it, int64_t after_ns);

static void finish(struct item *it, int r, const struct err *e)
{
	struct workqueue *q = it->q;

	it->active = false;
	if (q->freed) {
		free(it);
		return;
	}
	if (r < 0) {
		int64_t ns = LEAST_NS << MIN(it->failures, 20u);

		/* A conflict is how two writers meet, and the next look settles it. */
		log_line(r == -EBUSY || r == -ECANCELED ? LOG_DEBUG_ : LOG_WARN_, "sync failed", "queue=%s key=%s error=\"%s\"", q->c.name, it->key, e->text);
		it->failures++;
		delay(it, MIN(ns, MOST_NS));
	} else {
		it->failures = 0;
	}
	if (it->again) {
		it->again = false;
		workqueue_add(q, it->key);
	}
	forget_if_idle(it);
}

static void worker_fiber(void *arg)
{
	struct workqueue *q = arg;
	struct fiber *self = fiber_self();

	vec_push(&q->workers, self);       /* reserved by the starter */
	while (!q->freed && !list_empty(&q->ready) && !fiber_cancelled(self)) {
		struct item *it = list_first(&q->ready, struct item, node);
		struct err e = { 0 };
		int r;

		list_del(&it->node);
		q->n_ready--;
		it->queued = false;
		it->active = true;
		r = q->c.sync_wait(q->c.arg, it->key, &e);
		if (r < 0 && !e.code)
			err_sys(&e, r, "sync");
		finish(it, r, &e);
	}
	for (size_t i = 0; i < q->workers.n; i++)
		if (q->workers.v[i] == self) {
			vec_remove(&q->workers, i);
			break;
		}
	queue_unref(q);
}

static void retry_fire(struct timer *t) { wake_workers(container_of(t, struct workqueue, retry)); }

static void start_workers(struct loop_call *c)
{
	struct workqueue *q = container_of(c, struct workqueue, start);

	q->start_posted = false;
	while (!q->freed && !list_empty(&q->ready) && q->workers.n < q->c.workers) {
		size_t before = q->workers.n;

		q->refs++;
		if (fiber_start(q->loop, q->c.name, worker_fiber, q) < 0) {
			q->refs--;
			timer_set(q->loop, &q->retry, 100 * NS_PER_MS, retry_fire);
			break;
		}
		if (q->workers.n == before)     /* it ended already: all is done, or another took it */
			continue;
	}
	queue_unref(q);
}

/* Later, on the loop: those who add are often in the middle of something. */
static void wake_workers(struct workqueue *q)
{
	if (q->start_posted || q->freed || q->workers.n >= q->c.workers)
		return;
	q->start_posted = true;
	q->refs++;
	q->start.fn = start_workers;
	loop_post(q->loop, &q->start);
}

/* --- adding */

static void add_item(struct item *it)
{
	if (it->queued || it->active) {
		it->again |= it->active;
		return;
	}
	it->queued = true;
	list_add_tail(&it->q->ready, &it->node);
	it->q->n_ready++;
	wake_workers(it->q);
}

void workqueue_add(struct workqueue *q, const char *key)
{
	struct item *it = q->freed ? NULL : item_of(q, key);

	if (it)
		add_item(it);
	else if (!q->freed)
		log_error("work lost for want of memory", "queue=%s key=%s", q->c.name, key);
}

static void delay_fire(struct timer *t)
{
	struct item *it = container_of(t, struct item, timer);

	it->delayed = false;
	add_item(it);
}

static void delay(struct item *it, int64_t after_ns)
{
	int64_t due = loop_monotonic_ns(it->q->loop) + after_ns;

	if (it->delayed && it->due_ns <= due)
		return;
	if (timer_set(it->q->loop, &it->timer, after_ns, delay_fire) < 0) {
		add_item(it);
		return;
	}
	it->delayed = true;
	it->due_ns = due;
}

void workqueue_add_after(struct workqueue *q, const char *key, int64_t after_ns)
{
	struct item *it;

	if (after_ns <= 0) {
		workqueue_add(q, key);
		return;
	}
	it = q->freed ? NULL : item_of(q, key);
	if (it)
		delay(it, after_ns);
}

size_t workqueue_length(const struct workqueue *q) { return q->n_ready; }

int workqueue_new(struct loop *l, const struct workqueue_config *c, struct workqueue **ret)
{
	struct workqueue *q = calloc(1, sizeof *q);

	must(c->name && c->sync_wait);
	if (!q)
		return -ENOMEM;
	q->loop = l;
	q->c = *c;
	q->c.workers = c->workers ? c->workers : 1;
	q->refs = 1;
	map_init(&q->items);
	list_init(&q->ready);
	if (vec_reserve(&q->workers, q->c.workers) < 0) {
		free(q);
		return -ENOMEM;
	}
	*ret = q;
	return 0;
}

void workqueue_free(struct workqueue *q)
{
	struct map_entry *m;
	size_t pos = 0;

	if (!q)
		return;
	q->freed = true;
	timer_cancel(&q->retry);
	while ((m = map_next(&q->items, &pos))) {
		struct item *it = m->value;

		timer_cancel(&it->timer);
		if (!it->active)
			free(it);
	}
	for (size_t i = 0; i < q->workers.n; i++)
		fiber_cancel(q->workers.v[i]);
	queue_unref(q);
}
