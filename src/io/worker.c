// SPDX-License-Identifier: Apache-2.0
/*
 * Worker threads of a loop, for what blocks. They start when a job finds
 * nobody idle, and end after some seconds without one. A job carries its own
 * data; nothing else of the loop is touched from here but loop_post.
 */
#include "io/loop_int.h"
#include <errno.h>
#include <time.h>
#include "base/assert.h"

enum { IDLE_S = 10, WORKER_STACK_BYTES = 1024 * 1024 };

struct job {
	struct loop_call call;        /* its node is in the queue first, then in loop->posted */
	struct loop *loop;
	int (*fn)(void *arg);
	void *arg;
	int result;
	void (*done)(void *arg, int result);
	struct fiber *fiber;
	bool finished;
};

void workers_init(struct loop *l)
{
	struct workers *w = &l->workers;
	pthread_condattr_t a;

	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_cond_init(&w->work, &a);
	pthread_cond_init(&w->ended, &a);
	pthread_condattr_destroy(&a);
	list_init(&w->queue);
	w->most = 4;
}

void workers_release(struct loop *l)
{
	struct workers *w = &l->workers;

	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_broadcast(&w->work);
	while (w->n_threads)
		pthread_cond_wait(&w->ended, &w->lock);
	pthread_mutex_unlock(&w->lock);
	pthread_cond_destroy(&w->work);
	pthread_cond_destroy(&w->ended);
	pthread_mutex_destroy(&w->lock);
}

/* The next job, or NULL when this thread shall end. Called and returns under the lock. */
static struct job *next_job(struct workers *w)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += IDLE_S;
	w->n_idle++;
	while (list_empty(&w->queue) && !w->stop && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&w->work, &w->lock, &until);
	w->n_idle--;
	if (list_empty(&w->queue))
		return NULL;
	struct job *j = list_first(&w->queue, struct job, call.node);
	list_del(&j->call.node);
	w->n_queued--;
	return j;
}

static void *worker_main(void *arg)
{
	struct loop *l = arg;
	struct workers *w = &l->workers;
	struct job *j;

	pthread_mutex_lock(&w->lock);
	while ((j = next_job(w))) {
		pthread_mutex_unlock(&w->lock);
		j->result = j->fn(j->arg);
		loop_post(l, &j->call);
		pthread_mutex_lock(&w->lock);
	}
	w->n_threads--;
	pthread_cond_signal(&w->ended);
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static int thread_start(struct loop *l)
{
	pthread_attr_t a;
	pthread_t t;
	sigset_t all, before;
	int r;

	pthread_attr_init(&a);
	pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&a, WORKER_STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);       /* signals are the loop's */
	r = pthread_create(&t, &a, worker_main, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&a);
	return -r;
}

static void job_finished(struct loop_call *c)
{
	struct job *j = container_of(c, struct job, call);

	j->loop->n_jobs--;
	j->finished = true;
	if (j->fiber) {
		fiber_wake(j->fiber);
		return;
	}
	void (*done)(void *, int) = j->done;
	void *arg = j->arg;
	int result = j->result;

	free(j);
	if (done)
		done(arg, result);
}

static int job_queue(struct loop *l, struct job *j)
{
	struct workers *w = &l->workers;
	int r = 0;

	j->loop = l;
	loop_call_init(&j->call, job_finished);
	pthread_mutex_lock(&w->lock);
	if (w->n_queued >= w->n_idle && w->n_threads < w->most) {
		r = thread_start(l);
		if (r == 0)
			w->n_threads++;
		else if (w->n_threads)
			r = 0;          /* those that run will get to it */
	}
	if (r == 0) {
		list_add_tail(&w->queue, &j->call.node);
		w->n_queued++;
		l->n_jobs++;
		pthread_cond_signal(&w->work);
	}
	pthread_mutex_unlock(&w->lock);
	return r;
}

int job_wait(int (*fn)(void *arg), void *arg)
{
	struct job j = { .fn = fn, .arg = arg, .fiber = fiber_self() };
	int r;

	must(j.fiber);
	r = job_queue(fiber_loop(j.fiber), &j);
	if (r < 0)
		return r;
	while (!j.finished)
		fiber_suspend_wait();
	return j.result;
}

int job_start(struct loop *l, int (*fn)(void *arg), void *arg, void (*done)(void *arg, int result))
{
	struct job *j = calloc(1, sizeof *j);
	int r;

	if (!j)
		return -ENOMEM;
	j->fn = fn;
	j->arg = arg;
	j->done = done;
	r = job_queue(l, j);
	if (r < 0)
		free(j);
	return r;
}

void job_set_threads(struct loop *l, unsigned most)
{
	pthread_mutex_lock(&l->workers.lock);
	l->workers.most = most ? most : 1;
	pthread_mutex_unlock(&l->workers.lock);
}
