/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole requests to the Kubernetes API server. An input is "METHOD target", a
 * content type, an Accept, each a line, and then the body. Whatever comes is
 * answered, and the server still serves afterwards. One server for all inputs;
 * writes are dry runs, so that it stays as it is.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "http/client.h"
#include "kube/api/api.h"

enum { INPUT_MAX = 1 << 16 };

struct world {
	struct loop *loop;
	struct kube_api *api;
	struct store *store;
	struct http_client *client;
	struct slice in;
};

static int connect_wait(void *arg, struct stream **ret, struct err *e)
{
	static const struct kube_user user = { .name = "fuzzer" };
	return kube_api_connect(((struct world *)arg)->api, &user, ret, e);
}

static void start(void *arg)
{
	struct world *w = arg;
	struct err e = { 0 };
	must(kube_api_start_wait(w->api, &e) == 0);
	const struct http_client_config c = { .connect_wait = connect_wait, .connect_arg = w, .host_header = "api", .io_timeout_ns = 2 * NS_PER_S };
	must(http_client_new(w->loop, &c, &w->client) == 0);
	loop_stop(w->loop);
}

static char dir[] = "/tmp/fuzz-kube-api-XXXXXX";

static void remove_dir(void)
{
	dir_remove(AT_FDCWD, dir, NULL);
}

static struct world *world(void)
{
	static struct world w;
	char path[64];
	struct err e = { 0 };
	if (w.loop)
		return &w;
	must(mkdtemp(dir));
	must(atexit(remove_dir) == 0);
	fmt_into(path, sizeof path, "%s/state.db", dir);
	must(loop_new(&w.loop, &e) == 0);
	const struct store_options o = { .path = path };
	must(store_open(w.loop, &o, &w.store, &e) == 0);
	const struct kube_api_config c = { .store = w.store };
	must(kube_api_new(w.loop, &c, &w.api, &e) == 0);
	must(fiber_start(w.loop, "start", start, &w) == 0);
	must(loop_run(w.loop) == 0);
	return &w;
}

static const char *line(struct arena *a, struct slice *rest)
{
	struct slice s = { 0 };
	if (!slice_next(rest, '\n', &s))
		return "";
	char *p = arena_dup(a, s);
	for (char *c = p; *c; c++)
		if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
			*c = '_';
	return p;
}

static int ask_wait(struct world *w, const char *method, const char *target, const char *type, const char *accept, struct slice body)
{
	struct err e = { 0 };
	struct http_header h[2] = { { SLICE("Content-Type"), slice_of(type) }, { SLICE("Accept"), slice_of(accept) } };
	struct http_call call = { .method = method, .target = target, .headers = { h, *accept ? 2 : 1 }, .body = body };
	AUTO(buf) struct buf b = BUF_INIT(64 << 20);
	int r = http_call_wait(w->client, &call, &e);
	if (r == 0)
		r = http_call_body_wait(&call, 64 << 20, &b, &e);
	int status = call.status;
	http_call_release(&call);
	return r < 0 ? r : status;
}

static void one(void *arg)
{
	struct world *w = arg;
	AUTO(arena) struct arena a;
	struct slice rest = w->in;
	arena_init(&a, 16 << 20);
	const char *method = line(&a, &rest), *target = strchr(method, ' ');
	if (target) {
		static const char *const known[] = { "GET", "POST", "PUT", "PATCH", "DELETE" };
		const char *m = "GET";
		for (size_t i = 0; i < ARRAY_LEN(known); i++)
			if (!strncmp(known[i], method, strlen(known[i])))
				m = known[i];
		target = arena_fmt(&a, "%s%s%cdryRun=All&timeoutSeconds=1", target[1] == '/' ? "" : "/", target + 1, strchr(target, '?') ? '&' : '?');
		for (char *c = (char *)target; *c; c++)
			if (*c == ' ' || *c == '#')
				*c = '_';
		const char *type = line(&a, &rest), *accept = line(&a, &rest);
		if (!strstr(target, "watch"))
			ask_wait(w, m, target, type, accept, rest);
	}
	must(ask_wait(w, "GET", "/readyz", "", "", slice_of(NULL)) == 200);
	loop_stop(w->loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *w = world();
	if (size > INPUT_MAX)
		return 0;
	w->in = slice_n(data, size);
	must(fiber_start(w->loop, "one", one, w) == 0);
	must(loop_run(w->loop) == 0);
	return 0;
}
