/* SPDX-License-Identifier: Apache-2.0 */
/* The distribution client against our own registry, both on one loop, over loopback sockets. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/test.h"
#include "image/double.h"
#include "registry/registry_int.h"

struct world {
	struct loop *loop;
	struct kv *kv;
	struct image_store *s;
	struct registry g;
	struct http_server *server;
	unsigned port;
	struct arena a;
	struct err e;
	struct buf said;
	void (*body)(struct world *w);
};

static unsigned requests;

static void count(struct http_request *r, int status, int64_t ns)
{
	requests++;
}

static void world_fiber(void *arg)
{
	struct world *w = arg;
	sleep_wait(1);
	w->body(w);
	while (!image_is_idle(w->s))
		sleep_wait(1000000);
	loop_stop(w->loop);
}

static void run(void (*body)(struct world *w), const char *htpasswd)
{
	struct world w = { .body = body, .said = BUF_INIT(1 << 20) };
	char path[512], root[512];
	arena_init(&w.a, 64 << 20);
	fmt_into(root, sizeof root, "%s/root", test_dir());
	mkdir(root, 0700);
	fmt_into(path, sizeof path, "%s/state.db", test_dir());
	CHECK_OK(loop_new(&w.loop, &w.e), &w.e);
	CHECK_OK(kv_open(w.loop, path, &w.kv, &w.e), &w.e);
	int fd = listen_tcp("127.0.0.1", 0, &w.e);
	CHECK_OK(fd, &w.e);
	struct sockaddr_in sa;
	socklen_t n = sizeof sa;
	CHECK(getsockname(fd, (struct sockaddr *)&sa, &n) == 0);
	w.port = ntohs(sa.sin_port);
	char hub[64];
	fmt_into(hub, sizeof hub, "http://127.0.0.1:%u", w.port);
	struct image_settings c = { .root = root, .kv = w.kv, .unpacker = image_unpacker_double(), .hub = hub, .config_dir = root };
	CHECK_OK(image_open(w.loop, &c, &w.s, &w.e), &w.e);
	w.g.loop = w.loop;
	map_init(&w.g.uploads);
	map_init(&w.g.users);
	map_init(&w.g.verified);
	CHECK_OK(reg_make_folders(&w.g, root, &w.e), &w.e);
	if (htpasswd) {
		fmt_into(path, sizeof path, "%s/htpasswd", test_dir());
		FILE *f = fopen(path, "w");
		CHECK(f && fputs(htpasswd, f) >= 0 && fclose(f) == 0);
		CHECK_OK(reg_auth_load(&w.g, path, &w.e), &w.e);
	}
	struct http_server_config hc = { .routes = reg_routes, .n_routes = reg_n_routes, .user = &w.g, .before = reg_before,
					 .write_error = reg_write_error, .done = count };
	CHECK_INT(http_server_new(w.loop, &hc, &w.server), 0);
	CHECK_OK(http_server_listen(w.server, fd, NULL, &w.e), &w.e);
	CHECK_INT(fiber_start(w.loop, "test", world_fiber, &w), 0);
	CHECK_INT(loop_run(w.loop), 0);
	http_server_free(w.server);
	image_close(w.s);
	kv_close(w.kv);
	reg_uploads_release(&w.g);
	size_t at = 0;
	struct map_entry *m;
	while ((m = map_next(&w.g.users, &at)))
		free(m->value);
	map_release(&w.g.users);
	map_release(&w.g.verified);
	free(w.g.root);
	loop_free(w.loop);
	buf_release(&w.said);
	arena_release(&w.a);
}

static int say(void *arg, const struct image_progress *p)
{
	struct world *w = arg;
	bool counts = p->current || p->total;
	if (p->aux.len)
		buf_addf(&w->said, "aux %.*s\n", SLICE_FMT(p->aux));
	else if (!counts)
		buf_addf(&w->said, "%s%s%s\n", p->id ? p->id : "", p->id ? ": " : "", p->status);
	return 0;
}

static char made[IMAGE_ID_MAX];

static void make_image(struct world *w, const char *name, const char *const *texts, size_t n)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	struct image_layer *l[8];
	struct image_image c = { .created = "2026-11-25T00:00:00Z", .os = "linux", .architecture = "amd64", .rootfs = { .type = "layers" } };
	c.rootfs.diff_ids = arena_array(&w->a, n, sizeof(char *));
	c.rootfs.n_diff_ids = (uint32_t)n;
	for (size_t i = 0; i < n; i++) {
		char dir[600], path[700];
		fmt_into(dir, sizeof dir, "%s/upper", test_dir());
		fmt_into(path, sizeof path, "%s/layer.tar", dir);
		mkdir(dir, 0755);
		FILE *f = fopen(path, "w");
		CHECK(f && fputs(texts[i], f) >= 0 && fclose(f) == 0);
		CHECK_OK(image_layer_from_dir_wait(w->s, dir, true, &l[i], &w->e), &w->e);
		c.rootfs.diff_ids[i] = image_layer_diff_id(l[i]);
	}
	CHECK_INT(schema_to_json(T_image_image, &c, 0, &b), 0);
	struct image_create x = { .config = buf_slice(&b), .names = &name, .n_names = 1 };
	CHECK_OK(image_create_wait(w->s, IMAGE_DOCKER, &x, made, &w->e), &w->e);
	for (size_t i = 0; i < n; i++)
		image_layer_release(l[i]);
}

static int push(struct world *w, const char *name, const struct image_auth *auth, struct err *e)
{
	struct image_push q = { .ref = name, .sink = { say, w } };
	if (auth)
		q.auth = *auth;
	buf_reset(&w->said);
	return image_push_wait(w->s, IMAGE_DOCKER, &q, e);
}

static int pull(struct world *w, const char *name, const struct image_auth *auth, struct err *e)
{
	struct image_pull q = { .ref = name, .sink = { say, w } };
	if (auth)
		q.auth = *auth;
	buf_reset(&w->said);
	return image_pull_wait(w->s, IMAGE_DOCKER, &q, NULL, e);
}

static void forget(struct world *w, const char *name)
{
	struct image_removed *v;
	size_t n;
	CHECK_OK(image_remove_wait(w->s, IMAGE_DOCKER, name, &(struct image_remove_options){ .force = true }, &w->a, &v, &n, &w->e), &w->e);
}

static void round_trip(struct world *w)
{
	const char *name = arena_fmt(&w->a, "127.0.0.1:%u/hello:v1", w->port), *other = arena_fmt(&w->a, "127.0.0.1:%u/a/other:x", w->port);
	const char *const texts[] = { "first", "second", "first" };
	make_image(w, name, texts, 3);
	CHECK_OK(push(w, name, NULL, &w->e), &w->e);
	CHECK(slice_starts(buf_slice(&w->said), arena_fmt(&w->a, "The push refers to repository [127.0.0.1:%u/hello]\n", w->port)));
	CHECK(strstr(w->said.ptr, ": Preparing\n") && strstr(w->said.ptr, ": Pushed\n"));
	CHECK(strstr(w->said.ptr, "\nv1: digest: sha256:") && strstr(w->said.ptr, "aux {\"Tag\":\"v1\",\"Digest\":\"sha256:"));

	CHECK_OK(push(w, name, NULL, &w->e), &w->e);
	CHECK(strstr(w->said.ptr, ": Layer already exists\n") && !strstr(w->said.ptr, ": Pushed\n"));

	CHECK_OK(image_tag_wait(w->s, IMAGE_DOCKER, name, other, &w->e), &w->e);
	CHECK_OK(push(w, other, NULL, &w->e), &w->e);
	CHECK(strstr(w->said.ptr, ": Mounted from hello\n") && !strstr(w->said.ptr, ": Pushed\n"));

	forget(w, name);
	forget(w, other);
	CHECK_INT(image_layers_bytes(w->s), 0);
	CHECK_OK(pull(w, name, NULL, &w->e), &w->e);
	CHECK(slice_starts(buf_slice(&w->said), "v1: Pulling from hello\n"));
	CHECK(strstr(w->said.ptr, ": Pulling fs layer\n") && strstr(w->said.ptr, ": Pull complete\n"));
	CHECK(strstr(w->said.ptr, "\nDigest: sha256:"));
	CHECK(slice_ends(buf_slice(&w->said), arena_fmt(&w->a, "Status: Downloaded newer image for %s\n", name)));
	char id[IMAGE_ID_MAX];
	CHECK_INT(image_resolve(w->s, IMAGE_DOCKER, name, id, &w->e), 0);
	CHECK_STR(id, made);
	CHECK_OK(pull(w, name, NULL, &w->e), &w->e);
	CHECK(strstr(w->said.ptr, ": Already exists\n"));
	CHECK(strstr(w->said.ptr, "Status: Image is up to date for "));
	forget(w, name);
}

TEST(an_image_goes_to_the_registry_and_comes_back)
{
	run(round_trip, NULL);
}

static void missing(struct world *w)
{
	struct err e = { 0 };
	const char *name = arena_fmt(&w->a, "127.0.0.1:%u/nope:x", w->port);
	CHECK_INT(pull(w, name, NULL, &e), -ENOENT);
	CHECK_STR(e.text, arena_fmt(&w->a, "repository 127.0.0.1:%u/nope not found: name unknown: repository name not known to registry", w->port));
	CHECK_INT(push(w, name, NULL, &e), -ENOENT);
	CHECK_STR(e.text, arena_fmt(&w->a, "An image does not exist locally with the tag: 127.0.0.1:%u/nope", w->port));
	const char *there = arena_fmt(&w->a, "127.0.0.1:%u/there:x", w->port);
	const char *const texts[] = { "one" };
	make_image(w, there, texts, 1);
	CHECK_OK(push(w, there, NULL, &w->e), &w->e);
	CHECK_INT(pull(w, arena_fmt(&w->a, "127.0.0.1:%u/there:y", w->port), NULL, &e), -ENOENT);
	CHECK_STR(e.text, arena_fmt(&w->a, "manifest for 127.0.0.1:%u/there:y not found: manifest unknown: manifest unknown", w->port));
	CHECK_INT(pull(w, "127.0.0.1:1/x", NULL, &e), -ECONNREFUSED);
	CHECK_STR(e.text, "Get \"http://127.0.0.1:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused");
}

TEST(what_the_registry_does_not_have_is_said_as_docker_says_it)
{
	run(missing, NULL);
}

static void hub(struct world *w)
{
	const char *const texts[] = { "hello from the hub" };
	make_image(w, "hello-world", texts, 1);
	CHECK_OK(push(w, "hello-world", NULL, &w->e), &w->e);
	forget(w, "hello-world");
	CHECK_OK(pull(w, "hello-world", NULL, &w->e), &w->e);
	CHECK(slice_starts(buf_slice(&w->said), "latest: Pulling from library/hello-world\n"));
	CHECK(slice_ends(buf_slice(&w->said), "Status: Downloaded newer image for hello-world:latest\n"));
}

TEST(a_stand_in_can_play_the_hub)
{
	run(hub, NULL);
}

static void locked(struct world *w)
{
	struct err e = { 0 };
	const char *token;
	const char *name = arena_fmt(&w->a, "127.0.0.1:%u/private:v1", w->port), *host = arena_fmt(&w->a, "127.0.0.1:%u", w->port);
	const char *const texts[] = { "secret" };
	struct image_auth good = { .username = "user", .password = "pass" }, bad = { .username = "user", .password = "wrong" };
	make_image(w, name, texts, 1);
	CHECK(push(w, name, NULL, &e) < 0);
	CHECK(strstr(e.text, "no basic auth credentials") != NULL);
	CHECK(push(w, name, &bad, &e) < 0);
	CHECK_STR(e.text, "unauthorized: authentication required");
	CHECK_OK(push(w, name, &good, &w->e), &w->e);
	CHECK_INT(image_login_wait(w->s, host, &bad, &w->a, &token, &e), -EKEYREJECTED);
	CHECK_STR(e.text, arena_fmt(&w->a, "login attempt to http://127.0.0.1:%u/v2/ failed with status: 401 Unauthorized", w->port));
	CHECK_OK(image_login_wait(w->s, host, &good, &w->a, &token, &w->e), &w->e);
}

TEST(a_registry_with_passwords_takes_only_the_right_one)
{
	run(locked, "user:$2y$05$6AZSUFpdEBCh5XAG5JHjUuiGj70UV2TnnKkjoID0MfXOSnGgKdpQu\n");
}
