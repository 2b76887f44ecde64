/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/api/world_test.h"

#include <string.h>

#include "base/clock.h"

static int connect_wait(void *arg, struct stream **ret, struct err *e)
{
	static const struct kube_user admin = { .name = "admin" };
	struct world *w = arg;
	return kube_api_connect(w->api, &admin, ret, e);
}

static void fiber(void *arg)
{
	struct world *w = arg;
	CHECK_OK(kube_api_start_wait(w->api, &w->e), &w->e);
	const struct http_client_config c = { .connect_wait = connect_wait, .connect_arg = w, .host_header = "api" };
	CHECK_INT(http_client_new(w->loop, &c, &w->client), 0);
	w->body(w);
	http_client_free(w->client);
	kube_api_stop(w->api);
	while (!kube_api_is_idle(w->api))
		sleep_wait(1000000);
	loop_stop(w->loop);
}

void api_world_run(void (*body)(struct world *w))
{
	struct world w = { .body = body };
	char path[512];
	arena_init(&w.a, 256 << 20);
	fmt_into(path, sizeof path, "%s/state.db", test_dir());
	CHECK_OK(loop_new(&w.loop, &w.e), &w.e);
	const struct store_options o = { .path = path, .keep_revisions = 1 };
	CHECK_OK(store_open(w.loop, &o, &w.store, &w.e), &w.e);
	const struct kube_api_config c = { .store = w.store, .build = "test" };
	CHECK_OK(kube_api_new(w.loop, &c, &w.api, &w.e), &w.e);
	CHECK_INT(fiber_start(w.loop, "test", fiber, &w), 0);
	CHECK_INT(loop_run(w.loop), 0);
	kube_api_free(w.api);
	store_close(w.store);
	loop_free(w.loop);
	arena_release(&w.a);
}

struct tree ask_as(struct world *w, const char *method, const char *target, struct slice body, const char *type, const char *accept)
{
	AUTO(buf) struct buf b = BUF_INIT(64 << 20);
	struct http_header h[3];
	struct http_call call = { .method = method, .target = target, .headers.v = h, .body = body };
	struct tree t = { 0 };
	if (type)
		h[call.headers.n++] = (struct http_header){ SLICE("Content-Type"), slice_of(type) };
	if (accept)
		h[call.headers.n++] = (struct http_header){ SLICE("Accept"), slice_of(accept) };
	h[call.headers.n++] = (struct http_header){ SLICE("User-Agent"), SLICE("tester/1") };
	CHECK_OK(http_call_wait(w->client, &call, &w->e), &w->e);
	CHECK_OK(http_call_body_wait(&call, 64 << 20, &b, &w->e), &w->e);
	w->status = call.status;
	w->type = arena_dup(&w->a, http_header_get(&call.reply_headers, "Content-Type"));
	w->warning = arena_dup(&w->a, http_header_get(&call.reply_headers, "Warning"));
	http_call_release(&call);
	w->text = arena_dup(&w->a, buf_slice(&b));
	if (b.len && b.ptr[0] == '{' && tree_from_json(slice_n(w->text, b.len), 0, &w->a, &t, &w->e) < 0)
		test_fail(__FILE__, __LINE__, "no JSON: %s", w->text);
	if (!(b.len && b.ptr[0] == '{'))
		t = tree_string(slice_n(w->text, b.len));
	return t;
}

struct tree ask(struct world *w, const char *method, const char *target, const char *body, const char *type)
{
	return ask_as(w, method, target, slice_of(body), body ? type ? type : "application/json" : NULL, NULL);
}

const char *at(struct world *w, const struct tree *t, const char *path)
{
	const struct tree *v = tree_path(t, path);
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	if (v && v->type != TREE_STRING && v->type != TREE_NUMBER) {
		tree_to_json(v, SCHEMA_SORTED, &b);
		return arena_dup(&w->a, buf_slice(&b));
	}
	return arena_dup(&w->a, tree_text(v));
}

/* --- watches */

struct watching { struct http_client *client; struct http_call call; struct buf have; };

struct watching *world_watch(struct world *w, const char *target)
{
	struct watching *x = calloc(1, sizeof *x);
	const struct http_client_config c = { .connect_wait = connect_wait, .connect_arg = w, .host_header = "api", .io_timeout_ns = 20 * NS_PER_S };
	CHECK(x);
	x->have = BUF_INIT(64 << 20);
	CHECK_INT(http_client_new(w->loop, &c, &x->client), 0);
	x->call = (struct http_call){ .method = "GET", .target = target };
	CHECK_OK(http_call_wait(x->client, &x->call, &w->e), &w->e);
	CHECK_INT(x->call.status, 200);
	return x;
}

struct tree world_event(struct world *w, struct watching *x)
{
	struct tree t = { 0 };
	ptrdiff_t end;
	while ((end = slice_find(buf_slice(&x->have), '\n')) < 0) {
		CHECK_INT(buf_reserve(&x->have, 65536), 0);
		ssize_t n = http_call_read_wait(&x->call, x->have.ptr + x->have.len, 65536);
		if (n <= 0)
			return t;
		x->have.len += (size_t)n;
	}
	CHECK_OK(tree_from_json(slice_n(x->have.ptr, (size_t)end), 0, &w->a, &t, &w->e), &w->e);
	buf_drop(&x->have, (size_t)end + 1);
	return t;
}

void world_unwatch(struct watching *x)
{
	http_call_release(&x->call);
	http_client_free(x->client);
	buf_release(&x->have);
	free(x);
}
