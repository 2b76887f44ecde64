/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Health checks: a fiber per running container that has one.
 *
 *   starting ──success──▶ healthy ◀──success── unhealthy
 *       └──retries failures past the start period──▶ unhealthy
 *
 * The last five results are kept, 4096 bytes of output each.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "engine/exec.h"

enum { RESULTS = 5, OUTPUT_MAX = 4096 };

struct result { int64_t start_ns, end_ns, code; char *output; };
struct health {
	const char *status;
	int64_t streak;
	struct result results[RESULTS];
	unsigned n;
	uint64_t round;                /* a fiber of an older round ends */
};

const char *health_status(const struct container *c)
{
	return c->health ? c->health->status : NULL;
}

void health_free(struct container *c)
{
	struct health *h = take_ptr(c->health);
	if (!h)
		return;
	for (unsigned i = 0; i < h->n; i++)
		free(h->results[i].output);
	free(h);
}

static void set_status(struct container *c, const char *status)
{
	struct health *h = c->health;
	if (!strcmp(h->status, status))
		return;
	h->status = status;
	char action[64];
	fmt_into(action, sizeof action, "health_status: %s", status);
	container_event(c, action, NULL, 0);
	waitq_wake_all(&c->changed);
}

static void add_result(struct container *c, int64_t start, int64_t code, char *output)
{
	struct health *h = c->health;
	if (h->n == RESULTS) {
		free(h->results[0].output);
		memmove(h->results, h->results + 1, (RESULTS - 1) * sizeof *h->results);
		h->n--;
	}
	h->results[h->n++] = (struct result){ start, clock_realtime_ns(), code, output };
}

/* Takes the stdcopy headers out, in place. */
static size_t unframe(char *p, size_t n)
{
	size_t in = 0, out = 0;
	while (in + 8 <= n) {
		const unsigned char *h = (const unsigned char *)p + in;
		size_t len = (size_t)h[4] << 24 | (size_t)h[5] << 16 | (size_t)h[6] << 8 | h[7];
		in += 8;
		len = MIN(len, n - in);
		memmove(p + out, p + in, len);
		in += len;
		out += len;
	}
	return out;
}

struct drain { int fd; struct buf text; };

static void drain_fiber(void *arg)
{
	struct drain *d = arg;
	char chunk[2048];
	for (;;) {
		ssize_t n = read(d->fd, chunk, sizeof chunk);
		if (n < 0 && errno == EAGAIN) {
			if (fd_wait(d->fd, WATCH_READ, 60 * NS_PER_S) < 0)
				break;
			continue;
		}
		if (n <= 0)
			break;
		if (d->text.len < 2 * OUTPUT_MAX)
			buf_add(&d->text, chunk, (size_t)n);
	}
	close(d->fd);
	d->fd = -1;
}

static void probe_wait(struct container *c, const struct docker_healthcheck_config *t, int64_t timeout_ns)
{
	int ends[2];
	struct health *h = c->health;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return;
	fd_set_nonblock(ends[0], true);
	const char *shell[] = { "/bin/sh", "-c" }, **cmd = calloc(t->n_test + 8, sizeof *cmd);
	struct drain *d = calloc(1, sizeof *d);
	if (!cmd || !d) {
		free(cmd);
		free(d);
		close(ends[0]);
		close(ends[1]);
		return;
	}
	struct docker_exec_create how = { .attach_stdout = true, .attach_stderr = true, .cmd = cmd };
	if (!strcmp(t->test[0], "CMD-SHELL")) {
		if (c->config->n_shell)
			for (uint32_t i = 0; i < c->config->n_shell && i < 6; i++)
				cmd[how.n_cmd++] = c->config->shell[i];
		else
			cmd[how.n_cmd++] = shell[0], cmd[how.n_cmd++] = shell[1];
	}
	for (uint32_t i = 1; i < t->n_test; i++)
		cmd[how.n_cmd++] = t->test[i];
	d->fd = ends[0];
	buf_init(&d->text, 4 * OUTPUT_MAX);
	int64_t start = clock_realtime_ns(), code = -1;
	uint64_t round = h->round;
	struct err e = { 0 };
	bool draining = fiber_start(c->engine->loop, "health-output", drain_fiber, d) == 0;
	int64_t before = loop_monotonic_ns(c->engine->loop);
	int r = exec_probe_wait(c, &how, ends[1], timeout_ns, &code, &e);
	bool timed_out = r == -ETIMEDOUT || (r == 0 && loop_monotonic_ns(c->engine->loop) - before >= timeout_ns);
	/* the shim has closed its end, or will: what is there is enough */
	for (int i = 0; draining && d->fd >= 0 && i < 50; i++)
		sleep_wait(2 * NS_PER_MS);
	free(cmd);
	if (c->health == h && h->round == round) {
		char *output;
		if (timed_out) {
			char du[32];
			duration_format(du, timeout_ns);
			output = fmt_new("Health check exceeded timeout (%s)", du);
			code = -1;
		} else if (r < 0) {
			output = strdup(e.text);
			code = -1;
		} else {
			size_t n = unframe(d->text.ptr, d->text.len);
			output = slice_dup(slice_n(d->text.ptr, MIN(n, (size_t)OUTPUT_MAX)));
		}
		add_result(c, start, code, output);
		if (!strcmp(h->status, "healthy") && code == 0)
			h->streak = 0;
		int64_t since = clock_realtime_ns() - c->started_ns, retries = t->retries ? t->retries : 3;
		if (code == 0) {
			h->streak = 0;
			set_status(c, "healthy");
		} else if (strcmp(h->status, "starting") || since >= t->start_period) {
			h->streak++;
			if (h->streak >= retries)
				set_status(c, "unhealthy");
		}
	}
	if (draining && d->fd >= 0) {
		/* still writing somewhere: the fiber frees nothing of ours, so it must end before d goes */
		shutdown(d->fd, SHUT_RDWR);
		while (d->fd >= 0 && sleep_wait(NS_PER_MS) == 0)
			;
	} else if (!draining) {
		close(d->fd);
	}
	buf_release(&d->text);
	free(d);
}

static void health_fiber(void *arg)
{
	struct container *c = arg;
	struct health *h = c->health;
	uint64_t round = h->round;
	const struct docker_healthcheck_config *t = c->config->healthcheck;
	int64_t interval = t->interval ? t->interval : 30 * NS_PER_S, timeout = t->timeout ? t->timeout : 30 * NS_PER_S,
		start_interval = t->start_interval ? t->start_interval : 5 * NS_PER_S;
	for (;;) {
		bool starting = !strcmp(h->status, "starting") && clock_realtime_ns() - c->started_ns < t->start_period;
		int64_t end = loop_monotonic_ns(c->engine->loop) + (starting ? start_interval : interval);
		for (;;) {
			int64_t left = end - loop_monotonic_ns(c->engine->loop);
			if (c->health != h || h->round != round || left <= 0 || waitq_wait(&c->changed, left) == -ECANCELED)
				break;
		}
		if (c->health != h || h->round != round || !container_is_alive(c) || c->engine->is_closing)
			break;
		if (c->status == STATUS_PAUSED)
			continue;
		t = c->config->healthcheck;
		probe_wait(c, t, timeout);
		if (c->health != h || h->round != round)
			break;
	}
	container_unref(c);
}

static bool has_check(const struct container *c)
{
	const struct docker_healthcheck_config *t = c->config->healthcheck;
	return t && t->n_test > 1 && (!strcmp(t->test[0], "CMD") || !strcmp(t->test[0], "CMD-SHELL"));
}

void health_start(struct container *c)
{
	if (!has_check(c))
		return;
	if (!c->health)
		c->health = calloc(1, sizeof *c->health);
	if (!c->health)
		return;
	c->health->status = "starting";
	c->health->streak = 0;
	c->health->round++;
	if (fiber_start(c->engine->loop, "health", health_fiber, container_ref(c)) < 0) {
		container_unref(c);
		log_error("no fiber for health checks", "container=%s", c->id);
	}
}

void health_stop(struct container *c)
{
	if (!c->health)
		return;
	c->health->round++;
	/* as Docker: a container that does not run is unhealthy from now on */
	if (strcmp(c->health->status, "unhealthy"))
		c->health->status = "unhealthy";
	waitq_wake_all(&c->changed);
}

int health_fill(const struct container *c, struct arena *a, struct docker_health **ret)
{
	const struct health *h = c->health;
	*ret = NULL;
	if (!h)
		return 0;
	struct docker_health *o = *ret = arena_new(a, struct docker_health);
	struct docker_healthcheck_result *v = arena_array(a, RESULTS, sizeof *v);
	if (!o || !v)
		return -ENOMEM;
	for (unsigned i = 0; i < h->n; i++)
		v[i] = (struct docker_healthcheck_result){ .start = time_text(a, h->results[i].start_ns), .end = time_text(a, h->results[i].end_ns),
			.exit_code = h->results[i].code, .output = arena_strdup(a, h->results[i].output ? h->results[i].output : "") };
	*o = (struct docker_health){ .status = h->status, .failing_streak = h->streak, .log = v, .n_log = h->n };
	return 0;
}
