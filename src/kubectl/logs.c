/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl logs: of a pod, of the pods of a workload, of those that a selector finds; of one container, or of all. */
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "http/client.h"
#include "io/fiber.h"
#include "kubectl/commands.h"

struct source { struct kctl *k; const char *pod, *ns, *container, *prefix, *target; int result; struct err e; const char *long_error; unsigned *running; struct waitq *ended; };

static const char *log_query(struct kctl *k, const char *container, bool follow)
{
	const char *q = kctl_query(k, NULL, "container", container);
	int64_t tail = flag_num(&k->f, "tail");
	if (follow)
		q = kctl_query(k, q, "follow", "true");
	if (flag_bool(&k->f, "previous"))
		q = kctl_query(k, q, "previous", "true");
	if (flag_bool(&k->f, "timestamps"))
		q = kctl_query(k, q, "timestamps", "true");
	if (flag_bool(&k->f, "insecure-skip-tls-verify-backend"))
		q = kctl_query(k, q, "insecureSkipTLSVerifyBackend", "true");
	if (*flag_str(&k->f, "selector") && !flag_changed(&k->f, "tail"))
		tail = 10;
	if (tail >= 0)
		q = kctl_query(k, q, "tailLines", kctl_fmt(k, "%lld", (long long)tail));
	if (flag_num(&k->f, "limit-bytes") > 0)
		q = kctl_query(k, q, "limitBytes", kctl_fmt(k, "%lld", (long long)flag_num(&k->f, "limit-bytes")));
	if (*flag_str(&k->f, "since-time"))
		q = kctl_query(k, q, "sinceTime", flag_str(&k->f, "since-time"));
	if (flag_num(&k->f, "since") > 0)
		q = kctl_query(k, q, "sinceSeconds", kctl_fmt(k, "%lld", (long long)((flag_num(&k->f, "since") + NS_PER_S - 1) / NS_PER_S)));
	return q;
}

/* Copies bytes to standard output as they come; with a prefix, line by line. */
static int copy(struct source *s, struct stream *in)
{
	struct kctl *k = s->k;
	struct buf line AUTO(buf) = BUF_INIT(4 << 20);
	char part[32768];
	ssize_t n;
	while ((n = stream_read_wait(in, part, sizeof part)) > 0) {
		if (!s->prefix) {
			buf_add(&k->out, part, (size_t)n);
		} else {
			buf_add(&line, part, (size_t)n);
			size_t at = 0;
			for (char *nl; (nl = memchr(line.ptr + at, '\n', line.len - at)); at = (size_t)(nl - line.ptr) + 1)
				buf_addf(&k->out, "%s%.*s\n", s->prefix, (int)(nl - line.ptr - (ptrdiff_t)at), line.ptr + at);
			buf_drop(&line, at);
		}
		int r = kctl_flush(k);
		if (r < 0)
			return r;
	}
	if (line.len)
		buf_addf(&k->out, "%s%s\n", s->prefix, line.ptr);
	kctl_flush(k);
	return (int)n;
}

static int one_log(struct source *s, struct err *e)
{
	struct kctl *k = s->k;
	struct http_header h[2] = { { SLICE("Accept"), SLICE("*/*") } };
	size_t n = 1;
	if (kclient_bearer(k->client))
		h[n++] = (struct http_header){ SLICE("Authorization"), slice_of(kclient_bearer(k->client)) };
	struct http_call call = { .method = "GET", .target = s->target, .headers = { h, n } };
	int r = http_call_wait(kclient_http(k->client), &call, e);
	if (r < 0)
		return r;
	if (call.status != 200) {
		struct buf body AUTO(buf) = BUF_INIT(1 << 20);
		r = http_call_body_wait(&call, 1 << 20, &body, e);
		http_call_release(&call);
		return r < 0 ? r : kctl_server_error(k, call.status, buf_slice(&body), e);
	}
	struct stream *in = http_call_stream(&call);
	in->timeout_ns = 0; /* a quiet program is no error */
	r = copy(s, in);
	http_call_release(&call);
	return r < 0 ? err_sys(e, -r, "read the log of %s", s->pod) : 0;
}

static void log_fiber(void *arg)
{
	struct source *s = arg;
	s->result = one_log(s, &s->e);
	s->long_error = s->k->long_error;
	s->k->long_error = NULL;
	if (!--*s->running)
		waitq_wake_all(s->ended);
}

/* Pods of a workload: by its selector. */
static int pods_of(struct kctl *k, const struct kctl_target *t, const char *selector, struct tree *list, struct err *e)
{
	struct kctl_kind pods;
	int r = kctl_kind_wait(k, "pods", &pods, e);
	return r < 0 ? r : kctl_get_wait(k, kctl_path(k, &pods, t ? t->ns : k->ns, NULL, NULL, kctl_query(k, NULL, "labelSelector", selector)), list, e);
}

const char *kctl_selector_text(struct kctl *k, const struct tree *object)
{
	const struct tree *plain = tree_path(object, "spec.selector"), *labels = tree_gets(plain, "matchLabels"), *more = tree_gets(plain, "matchExpressions");
	struct buf b AUTO(buf) = BUF_INIT(64 << 10);
	const struct tree *m = labels ? labels : more ? NULL : plain;
	for (uint32_t i = 0; m && i < m->n; i++)
		buf_addf(&b, "%s%.*s=%.*s", b.len ? "," : "", (int)m->members[i].key_len, m->members[i].key, SLICE_FMT(tree_text(&m->members[i].value)));
	for (uint32_t i = 0; more && i < more->n; i++) {
		const struct tree *x = tree_at(more, i), *v = tree_gets(x, "values");
		const char *key = kctl_text_at(k, x, "key"), *op = kctl_text_at(k, x, "operator");
		buf_adds(&b, b.len ? "," : "");
		if (!strcmp(op, "Exists"))
			buf_adds(&b, key);
		else if (!strcmp(op, "DoesNotExist"))
			buf_addf(&b, "!%s", key);
		else {
			buf_addf(&b, "%s %s (", key, !strcmp(op, "In") ? "in" : "notin");
			for (uint32_t j = 0; v && j < v->n; j++)
				buf_addf(&b, "%s%.*s", j ? "," : "", SLICE_FMT(tree_text(tree_at(v, j))));
			buf_addc(&b, ')');
		}
	}
	return kctl_fmt(k, "%s", b.ptr);
}

int kctl_pod_of_wait(struct kctl *k, const struct kctl_target *t, struct tree *pod, struct err *e)
{
	struct tree o, list;
	if (!strcmp(t->kind.plural, "pods") && !*t->kind.group)
		return kctl_get_wait(k, kctl_path(k, &t->kind, t->ns, t->name, NULL, NULL), pod, e);
	int r = kctl_get_wait(k, kctl_path(k, &t->kind, t->ns, t->name, NULL, NULL), &o, e);
	const char *selector = r == 0 ? kctl_selector_text(k, &o) : "";
	if (r == 0 && !*selector)
		return err_set(e, EINVAL, "cannot attach to *%s.%s: selector for %s not implemented", t->kind.version, t->kind.kind, t->kind.kind);
	if (r == 0)
		r = pods_of(k, t, selector, &list, e);
	if (r < 0)
		return r;
	const struct tree *items = tree_gets(&list, "items"), *best = NULL;
	/* a running one before others, the first by name */
	for (uint32_t i = 0; items && i < items->n; i++) {
		const struct tree *p = tree_at(items, i);
		bool runs = !strcmp(kctl_text_at(k, p, "status.phase"), "Running");
		if (!best || (runs && strcmp(kctl_text_at(k, best, "status.phase"), "Running")))
			best = p;
	}
	if (!best)
		return err_set(e, ETIMEDOUT, "timed out waiting for the condition");
	*pod = *best;
	kctl_set_text(k, pod, "apiVersion", "v1");
	kctl_set_text(k, pod, "kind", "Pod");
	return 0;
}

const char *kctl_default_container(struct kctl *k, const struct tree *pod, bool tell)
{
	const char *noted = kctl_text(k, tree_get(tree_path(pod, "metadata.annotations"), SLICE("kubectl.kubernetes.io/default-container")));
	const struct tree *c = tree_path(pod, "spec.containers"), *init = tree_path(pod, "spec.initContainers");
	if (*noted)
		return noted;
	const char *first = kctl_text_at(k, tree_at(c, 0), "name");
	if (tell && c && c->n + (init ? init->n : 0) > 1) {
		struct buf b AUTO(buf) = BUF_INIT(64 << 10);
		for (uint32_t i = 0; i < c->n; i++)
			buf_addf(&b, "%s%s", i ? ", " : "", kctl_text_at(k, tree_at(c, i), "name"));
		for (uint32_t i = 0; init && i < init->n; i++)
			buf_addf(&b, ", %s (init)", kctl_text_at(k, tree_at(init, i), "name"));
		kctl_warn(k, "Defaulted container \"%s\" out of: %s", first, b.ptr);
	}
	return first;
}

static int add_sources(struct kctl *k, const struct tree *pod, struct source *v, size_t *n, size_t most, bool several, struct err *e)
{
	const char *name = kctl_text_at(k, pod, "metadata.name"), *ns = kctl_text_at(k, pod, "metadata.namespace"), *only = *flag_str(&k->f, "container") ? flag_str(&k->f, "container") : k->f.argc == 2 ? k->f.argv[1] : "";
	bool all = flag_bool(&k->f, "all-containers") || flag_bool(&k->f, "all-pods"), prefix = flag_bool(&k->f, "prefix") || (flag_bool(&k->f, "all-pods") && !flag_changed(&k->f, "prefix"));
	static const char *const lists[] = { "spec.initContainers", "spec.containers", "spec.ephemeralContainers" };
	struct kctl_kind pods;
	int r = kctl_kind_wait(k, "pods", &pods, e);
	if (r < 0)
		return r;
	const char *wanted = *only ? only : all ? NULL : kctl_default_container(k, pod, !several);
	bool found = false;
	for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
		const struct tree *list = tree_path(pod, lists[l]);
		for (uint32_t i = 0; list && i < list->n; i++) {
			const char *c = kctl_text_at(k, tree_at(list, i), "name");
			if (wanted && strcmp(c, wanted))
				continue;
			found = true;
			if (*n == most)
				return err_set(e, E2BIG, "too many containers: choose some by a narrower selector or by --container");
			v[(*n)++] = (struct source){ .k = k, .pod = name, .ns = ns, .container = c, .prefix = prefix ? kctl_fmt(k, "[pod/%s/%s] ", name, c) : NULL,
				.target = kctl_path(k, &pods, ns, name, "log", log_query(k, c, flag_bool(&k->f, "follow"))) };
		}
	}
	return found ? 0 : err_set(e, EINVAL, "container %s is not valid for pod %s", wanted ? wanted : "", name);
}

static int logs(struct kctl *k, struct err *e)
{
	enum { MOST = 256 };
	struct source *v = arena_array(&k->arena, MOST, sizeof *v);
	const char *selector = flag_str(&k->f, "selector");
	bool follow = flag_bool(&k->f, "follow");
	struct kctl_target t;
	struct tree pod, list;
	size_t n = 0;
	int r = kctl_client(k, e);
	if (r == 0 && !v)
		return err_nomem(e);
	if (r == 0 && k->f.argc == 0 && !*selector)
		return kctl_usage(k, e, "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME is a required argument for the logs command");
	if (r == 0 && *flag_str(&k->f, "since-time") && flag_num(&k->f, "since") > 0)
		return err_set(e, EINVAL, "at most one of `sinceTime` or `sinceSeconds` may be specified");
	if (r == 0 && k->f.argc && *selector)
		return kctl_usage(k, e, "only a selector (-l) or a POD name is allowed");
	if (r < 0)
		return r;
	bool many = *selector || flag_bool(&k->f, "all-pods");
	if (!*selector)
		r = kctl_one_wait(k, kctl_arg(k, 0), "pods", &t, e);
	if (r == 0 && *selector)
		r = pods_of(k, NULL, selector, &list, e);
	else if (r == 0 && many) {
		struct tree o;
		r = kctl_get_wait(k, kctl_path(k, &t.kind, t.ns, t.name, NULL, NULL), &o, e);
		if (r == 0)
			r = pods_of(k, &t, kctl_selector_text(k, &o), &list, e);
	} else if (r == 0) {
		r = kctl_pod_of_wait(k, &t, &pod, e);
		if (r == 0)
			r = add_sources(k, &pod, v, &n, MOST, false, e);
	}
	const struct tree *items = r == 0 && many ? tree_gets(&list, "items") : NULL;
	for (uint32_t i = 0; r == 0 && items && i < items->n; i++)
		r = add_sources(k, tree_at(items, i), v, &n, MOST, true, e);
	if (r == 0 && many && !n)
		kctl_warn(k, "No resources found in %s namespace.", k->ns);
	int64_t most = flag_num(&k->f, "max-log-requests");
	if (r == 0 && follow && (int64_t)n > most)
		return err_set(e, EINVAL, "you are attempting to follow %zu log streams, but maximum allowed concurrency is %lld, use --max-log-requests to increase the limit", n, (long long)most);
	if (r < 0)
		return r;
	if (!follow || n < 2) {
		for (size_t i = 0; i < n; i++)
			if ((r = one_log(&v[i], e)) < 0)
				return r;
		return 0;
	}
	unsigned running = (unsigned)n;
	struct waitq ended;
	waitq_init(&ended);
	for (size_t i = 0; i < n; i++) {
		v[i].running = &running;
		v[i].ended = &ended;
		if (fiber_start(k->loop, "log", log_fiber, &v[i]) < 0)
			running--;
	}
	while (running)
		waitq_wait(&ended, -1);
	for (size_t i = 0; i < n; i++)
		if (v[i].result < 0 && r == 0) {
			k->long_error = v[i].long_error;
			*e = v[i].e;
			r = v[i].result;
		}
	return r;
}

int kcmd_logs(struct kctl *k, struct err *e)
{
	int r = logs(k, e);
	if (r == -ENOENT && k->long_error && !strncmp(k->long_error, "Error from server (NotFound): pods ", 35))
		k->long_error = kctl_fmt(k, "error: error from server (NotFound): %s in namespace \"%s\"", k->long_error + 30, k->ns);
	return r;
}
