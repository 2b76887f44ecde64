/* SPDX-License-Identifier: Apache-2.0 */
/* The builder's seam filled with this engine: images by name, containers for RUN, commits. */
#include "engine/build.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/rand.h"
#include "engine/build_int.h"

enum { CONFIG_MAX = 8 << 20 };

/* --- images ---------------------------------------------------------------------- */

static int hold(struct engine_building *b, const char *id, struct err *e)
{
	char *copy = arena_strdup(&b->a, id);
	int r = copy ? image_hold(engine_images(b->eng), id, e) : err_nomem(e);
	if (r == 0 && vec_push(&b->held, copy) < 0) {
		image_unhold(engine_images(b->eng), id);
		r = err_nomem(e);
	}
	return r;
}

static int pull_event(void *arg, const struct image_progress *p)
{
	struct engine_building *b = arg;
	return b->how->sink.progress_wait(b->how->sink.arg, p);
}

/* The client's credentials for the registry of a full name; Docker Hub's are kept under its old address. */
static void find_auth(struct engine_building *b, const char *full, struct image_auth *ret)
{
	const struct docker_auth_configs *all = b->how->auths;
	struct slice host, rest;
	slice_cut(slice_of(full), '/', &host, &rest);
	bool hub = slice_is(host, "docker.io");
	for (uint32_t i = 0; all && i < all->n_items; i++) {
		const struct docker_auth_config *c = &all->items[i].value;
		if (slice_is(host, all->items[i].key) || (hub && !strcmp(all->items[i].key, "https://index.docker.io/v1/")))
			*ret = (struct image_auth){ c->username, c->password, c->identitytoken, c->registrytoken };
	}
}

static int from_wait(void *arg, const char *name, bool pull, char id[BUILD_ID_MAX], struct err *e)
{
	struct engine_building *b = arg;
	struct image_store *s = engine_images(b->eng);
	struct err missing;
	int r = pull ? -ENOENT : image_resolve(s, IMAGE_DOCKER, name, id, &missing);
	if (r == -ENOENT) {
		const char *full, *familiar;
		struct image_pull p = { .ref = name, .sink = { pull_event, b } };
		r = image_ref_normal(name, &b->a, &full, &familiar, e);
		if (r < 0)
			return r;
		find_auth(b, full, &p.auth);
		r = image_pull_wait(s, IMAGE_DOCKER, &p, id, e);
	} else if (r < 0) {
		*e = missing;
	}
	return r < 0 ? r : hold(b, id, e);
}

static int image_wait(void *arg, const char *id, struct arena *a, struct image_image *ret, struct err *e)
{
	struct engine_building *b = arg;
	struct image_info info;
	int r = image_get(engine_images(b->eng), IMAGE_DOCKER, id, 0, a, &info, e);
	return r < 0 ? r : schema_from_json(T_image_image, info.config, SCHEMA_FOLD_CASE, a, ret, e);
}

/* True if the image's last step is the one that is looked for; first: it is also its only one. */
static bool last_step_is(struct engine_building *b, const char *id, const char *created_by, bool first)
{
	AUTO(arena) struct arena a;
	struct image_image m;
	arena_init(&a, CONFIG_MAX);
	if (image_wait(b, id, &a, &m, NULL) < 0 || !m.n_history || (first && m.n_history != 1))
		return false;
	const char *last = m.history[m.n_history - 1].created_by;
	return last && !strcmp(last, created_by);
}

static int cached(void *arg, const char *parent, const char *created_by, char id[BUILD_ID_MAX])
{
	struct engine_building *b = arg;
	const char **ids = NULL;
	size_t n = 0;
	if (parent[0]) {
		if (image_children(engine_images(b->eng), parent, &b->a, &ids, &n, NULL) < 0)
			return 0;
	} else {
		struct image_info *all;
		if (image_list(engine_images(b->eng), IMAGE_DOCKER, 0, &b->a, &all, &n, NULL) < 0 || !(ids = arena_array(&b->a, n, sizeof *ids)))
			return 0;
		for (size_t i = 0; i < n; i++)
			ids[i] = all[i].parent[0] ? NULL : all[i].id;
	}
	for (size_t i = n; i-- > 0;)
		if (ids[i] && last_step_is(b, ids[i], created_by, !parent[0]) && hold(b, ids[i], NULL) == 0) {
			fmt_into(id, BUILD_ID_MAX, "%s", ids[i]);
			return 1;
		}
	return 0;
}

static int add_diff_id(struct engine_building *b, struct image_image *m, const char *diff_id, struct err *e)
{
	const char **ids = arena_array(&b->a, m->rootfs.n_diff_ids + 1, sizeof *ids), *copy = arena_strdup(&b->a, diff_id);
	if (!ids || !copy)
		return err_nomem(e);
	if (m->rootfs.n_diff_ids)
		memcpy(ids, m->rootfs.diff_ids, m->rootfs.n_diff_ids * sizeof *ids);
	ids[m->rootfs.n_diff_ids++] = copy;
	m->rootfs.diff_ids = ids;
	return 0;
}

static int commit_wait(void *arg, const char *parent, const struct image_image *image, struct build_layer *layer, char id[BUILD_ID_MAX], struct err *e)
{
	struct engine_building *b = arg;
	struct image_layer *l = (struct image_layer *)layer;
	struct image_image m = *image;
	AUTO(buf) struct buf text = BUF_INIT(CONFIG_MAX);
	int r = l ? add_diff_id(b, &m, image_layer_diff_id(l), e) : 0;
	m.id = m.parent = m.container = NULL;
	m.container_config = NULL;
	m.size = 0;
	if (r == 0 && ((r = schema_to_json(T_image_image, &m, 0, &text)) < 0 || (r = buf_error(&text)) < 0))
		r = err_sys(e, r, "write the image's configuration");
	struct image_create c = { .parent = parent[0] ? parent : NULL, .config = buf_slice(&text) };
	if (r == 0)
		r = image_create_wait(engine_images(b->eng), IMAGE_DOCKER, &c, id, e);
	image_layer_release(l);
	return r < 0 ? r : hold(b, id, e);
}

static int tag_wait(void *arg, const char *id, const char *name, struct err *e)
{
	struct engine_building *b = arg;
	return image_tag_wait(engine_images(b->eng), IMAGE_DOCKER, id, name, e);
}

/* --- RUN ---------------------------------------------------------------------------- */

static int step_create_wait(void *arg, const char *parent, const struct image_config *c, char id[BUILD_ID_MAX], struct err *e)
{
	struct engine_building *b = arg;
	const char **none = arena_array(&b->a, 1, sizeof *none);
	struct docker_host_config host = { 0 };
	struct docker_container_created made;
	if (!parent[0])
		return err_set(e, EINVAL, "RUN needs files to run: nothing was copied into the empty image yet");
	if (b->how->host)
		host = *b->how->host;
	struct docker_container_create body = {
		.image = parent, .cmd = c->cmd, .n_cmd = c->n_cmd, .entrypoint = none, .env = c->env, .n_env = c->n_env,
		.user = c->user, .working_dir = c->working_dir, .attach_stdout = true, .attach_stderr = true, .host_config = &host,
	};
	struct container_create how = { .body = &body, .api = 51 };
	int r = none ? container_create_wait(b->eng, &how, &b->a, &made, e) : err_nomem(e);
	if (r == 0)
		fmt_into(id, BUILD_ID_MAX, "%s", made.id);
	return r;
}

struct attaching {
	struct engine *eng;
	const char *id;
	struct stream *client;
	bool done;
	struct waitq ended;
};

static void attach_fiber(void *arg)
{
	struct attaching *x = arg;
	struct container_attach how = { .is_stdout = true, .is_stderr = true, .stream = true };
	struct err e;
	container_attach_wait(x->eng, x->id, &how, x->client, &e); /* a failure shows as an early end of the output */
	x->done = true;
	waitq_wake_all(&x->ended);
}

static bool gone(struct engine_building *b)
{
	return b->how->sink.gone(b->how->sink.arg);
}

/* 1, 0 at a clean end, -errno; looks every second whether the client is still there. */
static int read_full(struct engine_building *b, struct stream *s, void *p, size_t n)
{
	size_t got = 0;
	while (got < n) {
		ssize_t r = stream_read_wait(s, (char *)p + got, n - got);
		if (r == -ETIMEDOUT && !gone(b))
			continue;
		if (r <= 0)
			return r == 0 ? (got ? -EPIPE : 0) : (int)r;
		got += (size_t)r;
	}
	return 1;
}

/* Docker's frames until the end of output. */
static int pass_output_wait(struct engine_building *b, struct stream *from)
{
	unsigned char head[8];
	char text[8192];
	int r;
	while ((r = read_full(b, from, head, sizeof head)) > 0) {
		size_t left = (size_t)head[4] << 24 | (size_t)head[5] << 16 | (size_t)head[6] << 8 | head[7];
		while (left) {
			size_t n = MIN(left, sizeof text);
			r = read_full(b, from, text, n);
			if (r <= 0)
				return r < 0 ? r : -EPIPE;
			r = b->how->sink.output_wait(b->how->sink.arg, text, n);
			if (r < 0)
				return r;
			left -= n;
		}
	}
	return r;
}

static int exit_code_wait(struct engine_building *b, const char *id, int *code, struct err *e)
{
	struct container_waiter *w;
	int64_t status = 0;
	const char *why = NULL;
	int r = container_waiter_new(b->eng, id, CONTAINER_NOT_RUNNING, &w, e);
	if (r < 0)
		return r;
	do
		r = container_waiter_wait(w, NS_PER_S, &status, &why);
	while (r == -ETIMEDOUT && !gone(b));
	container_waiter_free(w);
	*code = (int)status;
	return r < 0 ? err_set(e, r, "waiting for the step's container was interrupted") : 0;
}

/* Both ends of a connection to attach with: ours to read from, the container's to hand over. */
static int attach_pair(struct engine_building *b, struct stream **ours, struct stream **theirs)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	int r = stream_from_fd(b->eng->loop, ends[0], ours);
	if (r < 0) {
		close(ends[0]);
		close(ends[1]);
		return r;
	}
	r = stream_from_fd(b->eng->loop, ends[1], theirs);
	if (r < 0) {
		close(ends[1]);
		stream_close(*ours);
		return r;
	}
	(*ours)->timeout_ns = NS_PER_S;
	return 0;
}

static int step_run_wait(void *arg, const char *id, int *exit_code, struct err *e)
{
	struct engine_building *b = arg;
	struct stream *ours;
	struct attaching x = { .eng = b->eng, .id = id };
	waitq_init(&x.ended);
	int r = attach_pair(b, &ours, &x.client);
	if (r < 0)
		return err_sys(e, r, "attach to the step's container");
	r = fiber_start(b->eng->loop, "build attach", attach_fiber, &x);
	if (r < 0) {
		stream_close(ours);
		stream_close(x.client);
		return err_sys(e, r, "attach to the step's container");
	}
	r = container_start_wait(b->eng, id, e);
	int passed = r == 0 ? pass_output_wait(b, ours) : 0;
	stream_close(ours);
	if (r == 0 && passed < 0) { /* the client has gone: the step ends with it */
		container_kill_wait(b->eng, id, "KILL", NULL);
		r = err_set(e, ECANCELED, "the build was cancelled");
	}
	if (r == 0)
		r = exit_code_wait(b, id, exit_code, e);
	if (r < 0)
		container_remove_wait(b->eng, id, true, true, false, NULL);
	while (!x.done)
		waitq_wait(&x.ended, NS_PER_S);
	return r;
}

static int step_layer_wait(void *arg, const char *id, struct build_layer **ret, struct err *e)
{
	struct engine_building *b = arg;
	AUTO(container) struct container *c = NULL;
	struct image_layer *l;
	int r = container_find(b->eng, id, &c, e);
	if (r < 0)
		return r;
	const char *dir = container_dir(c, &b->a), *upper = dir ? arena_fmt(&b->a, "%s/upper", dir) : NULL;
	if (!upper)
		return err_nomem(e);
	r = image_layer_from_dir_wait(engine_images(b->eng), upper, !b->how->options.keep_containers, &l, e);
	if (r == 0)
		*ret = (struct build_layer *)l;
	return r;
}

static void step_remove_wait(void *arg, const char *id)
{
	struct engine_building *b = arg;
	container_remove_wait(b->eng, id, true, true, false, NULL);
}

/* --- one build ------------------------------------------------------------------------- */

static int remove_dir(void *arg)
{
	return dir_remove(AT_FDCWD, ((struct engine_building *)arg)->dir, NULL);
}

static int prepare_wait(struct engine_building *b, struct err *e)
{
	char hex[17];
	rand_hex(hex, 8);
	if (!fmt_into(b->dir, sizeof b->dir, "%s/engine/build/%s", b->eng->config.root, hex) ||
	    !fmt_into(b->context, sizeof b->context, "%s/context", b->dir))
		return err_set(e, ENAMETOOLONG, "the root folder's name is too long");
	int r = dir_make(AT_FDCWD, b->dir, 0700);
	return r < 0 ? err_sys(e, r, "make a folder for the build") : building_context_wait(b, e);
}

static int observe(void *arg, const struct build_event *ev)
{
	struct engine_building *b = arg;
	return b->how->sink.event_wait(b->how->sink.arg, ev);
}

int engine_build_wait(struct engine *eng, const struct engine_build *how, char id[BUILD_ID_MAX], int *exit_code, struct err *e)
{
	struct engine_building b = { .eng = eng, .how = how };
	struct build_ops ops = {
		.from_wait = from_wait, .image_wait = image_wait, .cached = cached, .commit_wait = commit_wait,
		.container_create_wait = step_create_wait, .container_run_wait = step_run_wait, .container_layer_wait = step_layer_wait,
		.container_remove_wait = step_remove_wait, .copy_sum_wait = building_copy_sum_wait, .copy_wait = building_copy_wait,
		.mkdir_wait = building_mkdir_wait, .tag_wait = tag_wait, .arg = &b,
	};
	struct build_observer observer = { observe, &b };
	struct build_options o = how->options;
	arena_init(&b.a, 256 << 20);
	*exit_code = 0;
	int r = prepare_wait(&b, e);
	if (r == 0)
		r = building_dockerfile(&b, &o.dockerfile, e);
	if (r == 0)
		r = build_wait(&o, &ops, &observer, id, exit_code, e);
	for (size_t i = 0; i < b.held.n; i++)
		image_unhold(engine_images(eng), b.held.v[i]);
	vec_release(&b.held);
	if (b.dir[0])
		job_wait(remove_dir, &b);
	arena_release(&b.a);
	return r;
}
