/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes of running containers, one fiber each, and the hooks that look like
 * them. Until the startup probe has succeeded the other two wait. A result
 * that changes something wakes the pod's worker.
 */
#include "kube/node/node_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/health.h"
#include "base/clock.h"
#include "http/client.h"
#include "http/grpc.h"

enum { OUTPUT_MAX = 10 << 10 };

struct probe_run {
	struct pod_worker *w;
	struct container_memory *m;
	enum probe_kind kind;
	struct kobject *pod;
	struct fiber *fiber;
	bool is_stopped;              /* m has let go of it */
	char id[80];
	int64_t started_ns;           /* of the container, realtime */
	unsigned good, bad;           /* in a row */
};

static const char *const probe_names[] = { "Startup", "Liveness", "Readiness" };

/* --- single checks ------------------------------------------------------------------------------------------- */

static int exec_wait(const struct probe_target *t, const struct kube_exec_action *x, int64_t timeout_s, struct err *e)
{
	struct cri_exec_sync_request q = { .container_id = t->container_id, .cmd = x->command, .n_cmd = x->n_command, .timeout = timeout_s };
	struct cri_exec_sync_response p = { 0 };
	struct arena a;

	arena_init(&a, 40 << 20);
	int r = t->rt->call_wait(t->rt, CRI_EXEC_SYNC, &q, &a, &p, timeout_s ? (timeout_s + 5) * NS_PER_S : 0, e);
	if (r == -ETIMEDOUT) {
		AUTO(buf) struct buf b = BUF_INIT(4096);
		for (uint32_t i = 0; i < x->n_command; i++)
			buf_addf(&b, "%s%s", i ? " " : "", x->command[i]);
		err_set(e, ETIMEDOUT, "command timed out: \"%s\" timed out after %llds", b.ptr, (long long)timeout_s);
		r = 1;
	} else if (r >= 0 && p.exit_code) {
		struct slice text = p.stdout_.len ? p.stdout_ : p.stderr_;
		err_set(e, EIO, "%.*s", (int)MIN(text.len, (size_t)400), text.len ? text.ptr : "");
		if (!text.len)
			err_set(e, EIO, "command exited with %d", p.exit_code);
		r = 1;
	}
	arena_release(&a);
	return r;
}

static int tcp_wait(const char *host, unsigned port, int64_t timeout_s, struct err *e)
{
	struct stream *s = NULL;
	struct err why = { 0 };
	int r = stream_connect_tcp_wait(host, port, timeout_s * NS_PER_S, &s, &why);

	stream_close(s);
	if (r == -ECANCELED)
		return r;
	if (r >= 0)
		return 0;
	err_set(e, EIO, "dial tcp %s:%u: %s", host, port, r == -ETIMEDOUT ? "i/o timeout" : r == -ECONNREFUSED ? "connect: connection refused" : why.text);
	return 1;
}

static int headers_of(const struct kube_http_get_action *h, struct arena *a, struct http_headers *ret, const char **host)
{
	bool has_agent = false, has_accept = false;

	ret->v = arena_array(a, h->n_http_headers + 2, sizeof *ret->v);
	if (!ret->v)
		return -ENOMEM;
	for (uint32_t i = 0; i < h->n_http_headers; i++) {
		struct slice name = slice_of(h->http_headers[i].name), value = slice_of(h->http_headers[i].value);
		if (slice_eq_nocase(name, SLICE("host"))) {
			*host = h->http_headers[i].value;
			continue;
		}
		has_agent |= slice_eq_nocase(name, SLICE("user-agent"));
		has_accept |= slice_eq_nocase(name, SLICE("accept"));
		ret->v[ret->n++] = (struct http_header){ name, value };
	}
	if (!has_agent)
		ret->v[ret->n++] = (struct http_header){ SLICE("User-Agent"), SLICE("kube-probe/1.36") };
	if (!has_accept)
		ret->v[ret->n++] = (struct http_header){ SLICE("Accept"), SLICE("*/*") };
	return 0;
}

static int http_wait(const struct probe_target *t, const struct kube_http_get_action *h, int64_t timeout_s, struct err *e)
{
	const char *host = h->host && *h->host ? h->host : t->pod_ip, *host_header = NULL;
	bool tls = h->scheme && !strcmp(h->scheme, "HTTPS");
	unsigned port = container_port(t->spec, &h->port);
	struct http_client *client = NULL;
	struct tls_config *config = NULL;
	struct http_call call = { .method = "GET" };
	struct arena a;
	struct err why = { 0 };

	arena_init(&a, 1 << 20);
	call.target = h->path && *h->path == '/' ? h->path : arena_fmt(&a, "/%s", h->path ? h->path : "");
	int r = headers_of(h, &a, &call.headers, &host_header);
	if (r == 0 && tls)
		r = tls_config_new(&(struct tls_files){ 0 }, false, &config, e);
	struct http_client_config c = { .host = host, .port = port, .tls = config, .host_header = host_header, .connect_timeout_ns = timeout_s * NS_PER_S,
		.io_timeout_ns = timeout_s * NS_PER_S };
	if (r == 0)
		r = http_client_new(t->loop, &c, &client);
	if (r == 0)
		r = http_call_wait(client, &call, &why);
	if (r >= 0 && (call.status < 200 || call.status >= 400)) {
		err_set(e, EIO, "HTTP probe failed with statuscode: %d", call.status);
		r = 1;
	} else if (r < 0 && r != -ECANCELED) {
		err_set(e, EIO, "Get \"%s://%s:%u%s\": %s", tls ? "https" : "http", host, port, call.target,
			r == -ETIMEDOUT ? "context deadline exceeded (Client.Timeout exceeded while awaiting headers)" :
			r == -ECONNREFUSED ? "dial tcp: connect: connection refused" : why.text);
		r = 1;
	}
	http_call_release(&call);
	http_client_free(client);
	tls_config_free(config);
	arena_release(&a);
	return r < 0 ? r : r > 0;
}

static int grpc_wait(const struct probe_target *t, const struct kube_grpc_action *g, int64_t timeout_s, struct err *e)
{
	struct grpc_client_config c = { .host = t->pod_ip, .port = (unsigned)g->port, .connect_timeout_ns = timeout_s * NS_PER_S };
	struct health_check_request q = { .service = g->service };
	struct health_check_response p = { 0 };
	struct grpc_client *client = NULL;
	struct err why = { 0 };
	struct arena a;

	arena_init(&a, 1 << 20);
	int r = grpc_client_new(t->loop, &c, &client);
	if (r >= 0)
		r = grpc_unary_wait(client, "/grpc.health.v1.Health/Check", T_health_check_request, &q, T_health_check_response, &a, &p,
			timeout_s * NS_PER_S, &why);
	grpc_client_free(client);
	arena_release(&a);
	if (r == -ECANCELED)
		return r;
	if (r < 0)
		err_set(e, EIO, r == -ETIMEDOUT ? "timeout: failed to connect service \"%s:%d\" within %llds: %s" :
			"error: this server does not serve the health service \"%s:%d\" (%llds): %s", t->pod_ip, g->port, (long long)timeout_s, why.text);
	else if (p.status != 1)
		err_set(e, EIO, "service unhealthy (responded with \"%s\")", p.status == 2 ? "NOT_SERVING" : p.status == 3 ? "SERVICE_UNKNOWN" : "UNKNOWN");
	return r < 0 || p.status != 1;
}

int probe_once_wait(const struct probe_target *t, const struct kube_probe *p, struct err *e)
{
	int64_t timeout_s = p->timeout_seconds > 0 ? p->timeout_seconds : 1;

	if (p->exec)
		return exec_wait(t, p->exec, timeout_s, e);
	if (p->http_get)
		return http_wait(t, p->http_get, timeout_s, e);
	if (p->tcp_socket)
		return tcp_wait(p->tcp_socket->host && *p->tcp_socket->host ? p->tcp_socket->host : t->pod_ip, container_port(t->spec, &p->tcp_socket->port),
			timeout_s, e);
	if (p->grpc)
		return grpc_wait(t, p->grpc, timeout_s, e);
	return err_set(e, EINVAL, "missing probe handler");
}

int hook_run_wait(const struct probe_target *t, const struct kube_lifecycle_handler *h, int64_t timeout_s, struct err *e)
{
	int r = 0;

	if (h->exec)
		r = exec_wait(t, h->exec, timeout_s, e);
	else if (h->http_get)
		r = http_wait(t, h->http_get, timeout_s > 0 ? timeout_s : 30, e);
	else if (h->tcp_socket)
		r = tcp_wait(t->pod_ip, container_port(t->spec, &h->tcp_socket->port), timeout_s > 0 ? timeout_s : 30, e);
	else if (h->sleep)
		r = sleep_wait((timeout_s > 0 ? MIN(h->sleep->seconds, timeout_s) : h->sleep->seconds) * NS_PER_S);
	return r > 0 ? -EIO : r;
}

/* --- the fibers ---------------------------------------------------------------------------------------------- */

static const struct kube_container *spec_of(const struct kube_pod *pod, const char *name)
{
	for (uint32_t i = 0; i < pod->spec.n_containers; i++)
		if (!strcmp(pod->spec.containers[i].name, name))
			return &pod->spec.containers[i];
	for (uint32_t i = 0; i < pod->spec.n_init_containers; i++)
		if (!strcmp(pod->spec.init_containers[i].name, name))
			return &pod->spec.init_containers[i];
	return NULL;
}

static const struct kube_probe *probe_of(const struct kube_container *c, enum probe_kind kind)
{
	return kind == PROBE_STARTUP ? c->startup_probe : kind == PROBE_LIVENESS ? c->liveness_probe : c->readiness_probe;
}

static bool is_mine(const struct probe_run *x)
{
	return !x->is_stopped && !strcmp(x->m->running_id, x->id);
}

static void failed(struct probe_run *x, const struct kube_container *c, const struct kube_probe *p)
{
	struct container_memory *m = x->m;

	if (x->kind == PROBE_READINESS) {
		m->ready = false;
		return;
	}
	m->failed_liveness = true;
	m->failed_grace = p->termination_grace_period_seconds ? *p->termination_grace_period_seconds : -1;
	fmt_into(m->failed_message, sizeof m->failed_message, "Container %s failed %s probe, will be restarted", c->name,
		x->kind == PROBE_STARTUP ? "startup" : "liveness");
}

/* One check and what it changes; false when the fiber has no more to do. */
static bool check_wait(struct probe_run *x, const struct kube_container *c, const struct kube_probe *p)
{
	struct pod_worker *w = x->w;
	struct node *n = w->owner;
	char ip[64] = "";
	struct probe_target t = { .rt = n->rt, .loop = n->loop, .container_id = x->id, .pod_ip = ip, .spec = c };
	struct err e = { 0 };
	struct pod_container pc = { .kind = CONTAINER_REGULAR, .spec = c };

	fmt_into(ip, sizeof ip, "%s", w->want && w->want->pod_ip ? w->want->pod_ip : "127.0.0.1");
	for (uint32_t i = 0; i < ((const struct kube_pod *)x->pod->obj)->spec.n_init_containers; i++)
		if (&((const struct kube_pod *)x->pod->obj)->spec.init_containers[i] == c)
			pc.kind = CONTAINER_INIT;
	int r = probe_once_wait(&t, p, &e);
	if (r == -ECANCELED || !is_mine(x))
		return false;
	if (r < 0 && (r == -EHOSTDOWN || r == -ENOENT))
		return true;              /* says nothing about the container */
	if (r) {
		x->good = 0;
		x->bad++;
		worker_event(w, &pc, "Warning", "Unhealthy", "%s probe failed: %s", probe_names[x->kind], e.text);
		if (x->bad < (unsigned)(p->failure_threshold > 0 ? p->failure_threshold : 3))
			return true;
		bool changes = x->kind != PROBE_READINESS || x->m->ready;
		failed(x, c, p);
		if (changes)
			worker_wake(w);
		return x->kind == PROBE_READINESS;
	}
	x->bad = 0;
	x->good++;
	if (x->good < (unsigned)(p->success_threshold > 0 ? p->success_threshold : 1))
		return true;
	bool *flag = x->kind == PROBE_STARTUP ? &x->m->started : x->kind == PROBE_READINESS ? &x->m->ready : NULL;
	if (flag && !*flag) {
		*flag = true;
		worker_wake(w);
	}
	return x->kind != PROBE_STARTUP;
}

static void probe_main(void *arg)
{
	struct probe_run *x = arg;
	const struct kube_container *c = spec_of(x->pod->obj, x->m->name);
	const struct kube_probe *p = c ? probe_of(c, x->kind) : NULL;
	struct pod_worker *w = x->w;
	struct loop *l = w->owner->loop;
	int64_t period = p && p->period_seconds > 0 ? p->period_seconds : 10;

	x->fiber = fiber_self();
	int64_t first = p ? x->started_ns + p->initial_delay_seconds * NS_PER_S - loop_realtime_ns(l) : 0;
	int r = p && first > 0 ? sleep_wait(first) : 0;
	while (r >= 0 && p && is_mine(x) && !w->owner->is_stopping) {
		bool waits = x->kind != PROBE_STARTUP && !x->m->started;
		if (!waits && !check_wait(x, c, p))
			break;
		/* a container that is not ready yet is looked at sooner, so that a slow period does not delay it */
		bool soon = waits || (x->kind == PROBE_READINESS && !x->m->ready && !x->good && loop_realtime_ns(l) - x->started_ns < 10 * NS_PER_S);
		r = sleep_wait(waits ? NS_PER_S / 10 : (soon ? MIN(period, 1) : period) * NS_PER_S);
	}
	if (!x->is_stopped) {
		x->fiber = NULL;          /* stays where it was hung up: this run is over */
		kobject_unref(x->pod);
		x->pod = NULL;
	} else {
		kobject_unref(x->pod);
		free(x);
	}
	worker_unref(w);
}

static void stop(struct container_memory *m, enum probe_kind kind)
{
	struct probe_run *x = m->probes[kind];

	if (!x)
		return;
	m->probes[kind] = NULL;
	x->is_stopped = true;
	if (x->fiber && x->fiber != fiber_self())
		fiber_cancel(x->fiber);
	else if (!x->fiber)
		free(x);
}

void probes_stop(struct container_memory *m)
{
	for (int i = 0; i < PROBE_KINDS; i++)
		stop(m, i);
}

static void start(struct pod_worker *w, const struct pod_container *c, enum probe_kind kind)
{
	struct container_memory *m = c->memory;
	struct probe_run *x = m->probes[kind];

	if (x && !strcmp(x->id, c->now->id))
		return;
	stop(m, kind);
	x = calloc(1, sizeof *x);
	if (!x)
		return;
	x->w = w;
	x->m = m;
	x->kind = kind;
	x->started_ns = c->now->started_at;
	fmt_into(x->id, sizeof x->id, "%s", c->now->id);
	x->pod = kobject_ref(w->pod);
	m->probes[kind] = x;
	worker_ref(w);
	if (fiber_start(w->owner->loop, "probe", probe_main, x) < 0) {
		m->probes[kind] = NULL;
		kobject_unref(x->pod);
		free(x);
		worker_unref(w);
	}
}

void probes_sync(struct pod_worker *w, const struct pod_view *v)
{
	for (unsigned i = 0; i < v->n_containers; i++) {
		const struct pod_container *c = &v->containers[i];
		bool runs = cri_is_running(c->now) && c->kind != CONTAINER_EPHEMERAL;
		for (int k = 0; k < PROBE_KINDS; k++) {
			bool wanted = runs && probe_of(c->spec, k) && (k == PROBE_READINESS ? w->state <= WORKER_TERMINATING : w->state == WORKER_SYNC);
			if (wanted)
				start(w, c, k);
			else
				stop(c->memory, k);
		}
	}
}
