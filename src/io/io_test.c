// SPDX-License-Identifier: Apache-2.0
/* Loop, fibers, waiting, workers, children. Time is simulated. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/fd.h"
#include "base/test.h"
#include "io/sim.h"

static struct loop *l;
static char trace[256];

static void note(const char *s)
{
	size_t n = strlen(trace);

	fmt_into(trace + n, sizeof trace - n, "%s", s);
}

static void begin(void)
{
	struct err e;

	CHECK_OK(sim_loop_new(&l, &e), &e);
}

/* Runs until nothing can happen any more. */
static void settle(void) { CHECK_INT(loop_run(l), -EDEADLK); }
static void end(void)
{
	CHECK_INT(fiber_count(l), 0);
	loop_free(l);
}

static void fire_a(struct timer *t) { note("a"); }
static void fire_b(struct timer *t) { note("b"); }
static void fire_c(struct timer *t) { note("c"); }

TEST(timers_fire_in_order_of_time_and_not_after_cancel)
{
	struct timer a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };
	int64_t t0;

	begin();
	t0 = loop_monotonic_ns(l);
	timer_set(l, &b, 20, fire_b);
	timer_set(l, &a, 10, fire_a);
	timer_set(l, &d, 15, fire_c);
	timer_set(l, &c, 5, fire_c);
	timer_set(l, &c, 30, fire_c);
	timer_cancel(&d);
	timer_cancel(&d);
	settle();
	CHECK_STR(trace, "abc");
	CHECK_INT(loop_monotonic_ns(l) - t0, 30);
	end();
}

static struct fiber *first;

static void sleeper(void *arg)
{
	first = fiber_self();
	note("1");
	CHECK_INT(sleep_wait(NS_PER_S), 0);
	note("3");
}

TEST(a_fiber_runs_at_once_and_goes_on_after_its_sleep)
{
	begin();
	CHECK_INT(fiber_start(l, "sleeper", sleeper, NULL), 0);
	note("2");
	CHECK_INT(fiber_count(l), 1);
	settle();
	CHECK_STR(trace, "123");
	end();
}

static void nested(void *arg)
{
	note("(");
	fiber_start(l, "inner", sleeper, NULL);
	note(")");
	CHECK_INT(sleep_wait(10), 0);
	note("z");
}

TEST(a_fiber_started_by_a_fiber_gives_control_back_when_it_suspends)
{
	begin();
	fiber_start(l, "outer", nested, NULL);
	settle();
	CHECK_STR(trace, "(1)z3");
	end();
}

static void early(void *arg)
{
	fiber_wake(fiber_self());
	fiber_suspend_wait();
	note("on");
}

TEST(a_wake_before_the_suspend_is_not_lost)
{
	begin();
	fiber_start(l, "early", early, NULL);
	CHECK_STR(trace, "on");
	end();
}

static void cancelled(void *arg)
{
	struct waitq q = { 0 };
	struct stream *a, *b;
	char c;

	first = fiber_self();
	CHECK_INT(sleep_wait(NS_PER_S), -ECANCELED);
	CHECK_INT(sleep_wait(NS_PER_S), -ECANCELED);
	CHECK_INT(waitq_wait(&q, -1), -ECANCELED);
	CHECK_INT(stream_pair(l, 16, &a, &b), 0);
	CHECK_INT(stream_read_wait(a, &c, 1), -ECANCELED);
	CHECK_INT(fd_wait(0, WATCH_READ, -1), -ECANCELED);
	stream_close(a);
	stream_close(b);
	note("end");
}

TEST(a_cancelled_fiber_waits_for_nothing)
{
	begin();
	fiber_start(l, "x", cancelled, NULL);
	fiber_cancel(first);
	settle();
	CHECK_STR(trace, "end");
	end();
}

static struct waitq queue;
static void queued(void *arg)
{
	int r = waitq_wait(&queue, arg ? NS_PER_S : -1);

	note(r == 0 ? "w" : r == -ETIMEDOUT ? "t" : "?");
}

TEST(waitq_wakes_one_wakes_all_and_times_out)
{
	begin();
	waitq_init(&queue);
	waitq_wake_one(&queue);
	fiber_start(l, "q", queued, NULL);
	fiber_start(l, "q", queued, NULL);
	fiber_start(l, "q", queued, NULL);
	fiber_start(l, "q", queued, l);
	settle();
	CHECK_STR(trace, "t");
	waitq_wake_one(&queue);
	settle();
	CHECK_STR(trace, "tw");
	waitq_wake_all(&queue);
	settle();
	CHECK_STR(trace, "twww");
	end();
}

static struct fmutex mutex;
static void locker(void *arg)
{
	CHECK_INT(fmutex_lock_wait(&mutex), 0);
	note(arg);
	CHECK_INT(sleep_wait(10), 0);
	note(arg);
	fmutex_unlock(&mutex);
}

static void unlucky(void *arg)
{
	first = fiber_self();
	CHECK_INT(fmutex_lock_wait(&mutex), -ECANCELED);
	note("x");
}

TEST(fmutex_keeps_sequences_apart_in_order_of_arrival)
{
	begin();
	fmutex_init(&mutex);
	fiber_start(l, "a", locker, "a");
	fiber_start(l, "u", unlucky, NULL);
	fiber_start(l, "b", locker, "b");
	fiber_start(l, "c", locker, "c");
	fiber_cancel(first);
	settle();
	CHECK_STR(trace, "axabbcc");
	end();
}

static void idle(void *arg) { sleep_wait(1); }

TEST(more_fibers_than_the_ceiling_are_refused)
{
	begin();
	fiber_set_limit(l, 200);
	for (int i = 0; i < 200; i++)
		CHECK_INT(fiber_start(l, "idle", idle, NULL), 0);
	CHECK_INT(fiber_start(l, "idle", idle, NULL), -EAGAIN);
	settle();
	CHECK_INT(fiber_start(l, "idle", idle, NULL), 0);
	settle();
	end();
}

static int job(void *arg)
{
	*(pthread_t *)arg = pthread_self();
	return 42;
}

static void job_fiber(void *arg)
{
	pthread_t where;

	CHECK_INT(job_wait(job, &where), 42);
	CHECK(!pthread_equal(where, pthread_self()));
	note("j");
}

static pthread_t elsewhere;
static void job_done(void *arg, int result)
{
	CHECK_INT(result, 42);
	note("d");
}

TEST(jobs_run_on_workers_and_come_back_to_the_loop)
{
	begin();
	for (int i = 0; i < 20; i++)
		fiber_start(l, "j", job_fiber, NULL);
	settle();
	CHECK_STR(trace, "jjjjjjjjjjjjjjjjjjjj");
	CHECK_INT(job_start(l, job, &elsewhere, job_done), 0);
	settle();
	CHECK_STR(trace + 20, "d");
	end();
}

static struct loop_call call;
static void called(struct loop_call *c)
{
	note("p");
	loop_stop(l);
}

static void *poster(void *arg)
{
	loop_post(l, &call);
	return NULL;
}

TEST(another_thread_posts_a_call)
{
	pthread_t t;
	struct err e;

	CHECK_OK(loop_new(&l, &e), &e);
	call.fn = called;
	pthread_create(&t, NULL, poster, NULL);
	CHECK_INT(loop_run(l), 0);
	pthread_join(t, NULL);
	CHECK_STR(trace, "p");
	end();
}

static void run_children(void *arg)
{
	int pipes[2];
	struct err e = { 0 };
	char out[64];

	CHECK_INT(pipe2(pipes, O_CLOEXEC), 0);
	/* Swapped places: 0 and 1 must not overwrite each other. */
	int fds[] = { -1, pipes[1], pipes[1] };
	struct spawn how = {
		.path = "/bin/sh",
		.argv = (const char *const[]){ "sh", "-c", "pwd; ls /proc/self/fd | wc -l; exit 7", NULL },
		.fds = fds, .n_fds = 3, .cwd = "/tmp",
	};
	int status = child_run_wait(&how, &e);
	CHECK_INT(WEXITSTATUS(status), 7);
	ssize_t n = read(pipes[0], out, sizeof out);
	CHECK_SLICE(slice_n(out, (size_t)n), "/tmp\n4\n");

	how.path = "/does/not/exist";
	CHECK_INT(child_run_wait(&how, &e), -ENOENT);
	CHECK_STR(e.text, "cannot start /does/not/exist: execute: No such file or directory");
	how.path = "/bin/sh";
	how.cwd = "/does/not/exist";
	CHECK_INT(child_run_wait(&how, &e), -ENOENT);

	how.cwd = NULL;
	how.n_fds = 0;
	how.argv = (const char *const[]){ "sh", "-c", "kill -TERM $$", NULL };
	status = child_run_wait(&how, &e);
	CHECK(WIFSIGNALED(status));
	CHECK_INT(WTERMSIG(status), SIGTERM);
	note("end");
}

TEST(children_report_status_signal_and_exec_errors)
{
	begin();
	fiber_start(l, "c", run_children, NULL);
	settle();
	CHECK_STR(trace, "end");
	end();
}

static void endless_child(void *arg)
{
	struct err e = { 0 };
	struct spawn how = { .path = "/bin/sleep", .argv = (const char *const[]){ "sleep", "1000", NULL } };

	first = fiber_self();
	CHECK_INT(child_run_wait(&how, &e), -ECANCELED);
	note("end");
}

TEST(cancelling_kills_the_child)
{
	begin();
	fiber_start(l, "c", endless_child, NULL);
	fiber_cancel(first);
	settle();
	CHECK_STR(trace, "end");
	end();
}

static void got_signal(void *arg, int sig)
{
	CHECK_INT(sig, SIGUSR1);
	note(arg);
	loop_stop(l);
}

TEST(signals_are_events)
{
	begin();
	CHECK_INT(loop_signal(l, SIGUSR1, got_signal, "s"), 0);
	kill(getpid(), SIGUSR1);
	CHECK_INT(loop_run(l), 0);
	CHECK_STR(trace, "s");
	end();
}

static int sock[2];
static void waits_for_fd(void *arg)
{
	int r = fd_wait(sock[0], WATCH_READ, arg ? NS_PER_S : -1);

	note(r == WATCH_READ ? "r" : r == -ETIMEDOUT ? "t" : "?");
}

TEST(two_fibers_wait_for_one_descriptor)
{
	begin();
	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), 0);
	fiber_start(l, "f", waits_for_fd, NULL);
	fiber_start(l, "f", waits_for_fd, NULL);
	fiber_start(l, "f", waits_for_fd, l);
	settle();
	CHECK_STR(trace, "t");
	CHECK_INT(write(sock[1], "x", 1), 1);
	settle();
	CHECK_STR(trace, "trr");
	end();
}
