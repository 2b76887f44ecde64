/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Restart policies. The pause between runs starts at 100 ms and doubles to a
 * minute; a run of ten seconds resets it. The waiting fiber is the only one that
 * moves a container out of "restarting", unless a stop or removal cancels it.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/engine_int.h"

#define BACKOFF_FIRST (100 * NS_PER_MS)
#define BACKOFF_MOST (60 * NS_PER_S)
#define GOOD_RUN (10 * NS_PER_S)

bool restart_wanted(struct container *c, bool is_engine_start)
{
	const struct docker_restart_policy *p = &c->host->restart_policy;
	const char *n = str_or(p->name, "no");
	if (c->engine->is_closing || c->removal_in_progress || c->is_gone)
		return false;
	if (!strcmp(n, "always"))
		return is_engine_start || !c->manually_stopped;
	if (c->manually_stopped)
		return false;
	if (!strcmp(n, "unless-stopped"))
		return true;
	if (!strcmp(n, "on-failure"))
		return c->exit_code != 0 && !is_engine_start && (!p->maximum_retry_count || c->restart_count < p->maximum_retry_count);
	return false;
}

static void restarter(void *arg)
{
	struct container *c = arg;
	uint64_t me = c->restart_round;
	int64_t end = loop_monotonic_ns(c->engine->loop) + c->backoff_ns;
	while (c->restart_round == me) {
		int64_t left = end - loop_monotonic_ns(c->engine->loop);
		if (left <= 0 || waitq_wait(&c->changed, left) == -ECANCELED)
			break;
	}
	if (c->restart_round == me && !c->is_gone && fmutex_lock_wait(&c->op) == 0) {
		if (c->restart_round == me && c->status == STATUS_RESTARTING) {
			struct err e = { 0 };
			c->restart_count++;
			if (lifecycle_start_wait(c, true, &e) < 0) {
				log_warn("restart failed", "container=%s error=%s", c->id, e.text);
				if (restart_wanted(c, false) && c->status == STATUS_EXITED) {
					container_move(c, STATUS_RESTARTING);
					restart_later(c);
				}
			}
		}
		fmutex_unlock(&c->op);
	}
	container_unref(c);
}

void restart_later(struct container *c)
{
	int64_t ran = c->finished_ns - c->started_ns;
	if (!c->backoff_ns || ran >= GOOD_RUN)
		c->backoff_ns = BACKOFF_FIRST;
	else
		c->backoff_ns = MIN(c->backoff_ns * 2, BACKOFF_MOST);
	c->restart_round++;
	if (fiber_start(c->engine->loop, "restart", restarter, container_ref(c)) < 0) {
		container_unref(c);
		log_error("no fiber for a restart", "container=%s", c->id);
	}
}

void restart_cancel(struct container *c)
{
	c->restart_round++;
	c->backoff_ns = 0;
	waitq_wake_all(&c->changed);
}
