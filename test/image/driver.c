/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image store without an engine, for tests and measurements:
 *   image-driver ROOT RUNTIME COMMAND [ARG…]
 *   load FILE | save FILE NAME… | import FILE NAME | pull REF [HUB] | push REF [HUB] | tag IMAGE NAME | rm NAME | list | dirs NAME | commit DIR PARENT NAME
 * Progress goes to standard output, one line each; errors to standard error.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "image/image.h"
#include "image/unpacker.h"

struct driver {
	struct loop *loop;
	struct image_store *s;
	int argc;
	char **argv;
	int result;
	struct err e;
	struct arena a;
};

static int say(void *arg, const struct image_progress *p)
{
	if (p->stream)
		printf("%s", p->stream);
	else if (p->aux.len)
		printf("aux %.*s\n", SLICE_FMT(p->aux));
	else if (!p->current && !p->total)
		printf("%s%s%s\n", p->id ? p->id : "", p->id ? ": " : "", p->status);
	return 0;
}

static const struct image_progress_sink sink = { say, NULL };

static struct image_auth auth_here(void)
{
	return (struct image_auth){ .username = getenv("IMAGE_USER"), .password = getenv("IMAGE_PASSWORD"), .identity_token = getenv("IMAGE_TOKEN") };
}

static void cat_ended(struct child *c, int status)
{
}

static int open_stream(struct driver *d, const char *path, int flags, struct stream **ret)
{
	int fd = open(path, flags | O_CLOEXEC, 0644);
	/* a file is always ready, and epoll will not have it: cat through a pipe */
	int p[2];
	if (fd < 0 || pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	bool out = flags & O_WRONLY;
	const int fds[] = { out ? p[0] : fd, out ? fd : p[1], 2 };
	static struct child child;
	struct spawn how = { .path = "/bin/cat", .argv = (const char *const[]){ "cat", NULL }, .fds = fds, .n_fds = 3 };
	int r = child_spawn(d->loop, &child, &how, cat_ended, &d->e);
	if (r < 0)
		return r;
	close(fd);
	close(out ? p[0] : p[1]);
	return stream_from_fd(d->loop, out ? p[1] : p[0], ret);
}

static int cmd_list(struct driver *d)
{
	struct image_info *v;
	size_t n;
	int r = image_list(d->s, IMAGE_DOCKER, IMAGE_SHARED_SIZE, &d->a, &v, &n, &d->e);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		printf("%s size=%lld shared=%lld layers=%u", v[i].id, (long long)v[i].size_bytes, (long long)v[i].shared_bytes, v[i].n_layers);
		for (uint32_t k = 0; k < v[i].n_repo_tags; k++)
			printf(" %s", v[i].repo_tags[k]);
		for (uint32_t k = 0; k < v[i].n_repo_digests; k++)
			printf(" %s", v[i].repo_digests[k]);
		printf("\n");
	}
	return r;
}

static int cmd_remove(struct driver *d)
{
	struct image_removed *v;
	size_t n;
	int r = image_remove_wait(d->s, IMAGE_DOCKER, d->argv[0], &(struct image_remove_options){ 0 }, &d->a, &v, &n, &d->e);
	for (size_t i = 0; r >= 0 && i < n; i++)
		printf("%s: %s\n", v[i].untagged ? "Untagged" : "Deleted", v[i].untagged ? v[i].untagged : v[i].deleted);
	return r;
}

static int cmd_dirs(struct driver *d)
{
	char id[IMAGE_ID_MAX];
	const char **v;
	size_t n;
	int r = image_resolve(d->s, IMAGE_DOCKER, d->argv[0], id, &d->e);
	if (r < 0 || (r = image_lowerdirs(d->s, id, &d->a, &v, &n, &d->e)) < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		puts(v[i]);
	return 0;
}

/* A container's upper on top of an image. */
static int cmd_commit(struct driver *d)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);
	struct image_info i;
	struct image_image c;
	struct image_layer *l;
	char id[IMAGE_ID_MAX];
	int r = image_get(d->s, IMAGE_DOCKER, d->argv[1], 0, &d->a, &i, &d->e);
	if (r < 0 || (r = schema_from_json(T_image_image, i.config, SCHEMA_FOLD_CASE, &d->a, &c, &d->e)) < 0 ||
	    (r = image_layer_from_dir_wait(d->s, d->argv[0], true, &l, &d->e)) < 0)
		return r;
	const char **ids = arena_array(&d->a, c.rootfs.n_diff_ids + 1, sizeof *ids);
	for (uint32_t k = 0; k < c.rootfs.n_diff_ids; k++)
		ids[k] = c.rootfs.diff_ids[k];
	ids[c.rootfs.n_diff_ids++] = image_layer_diff_id(l);
	c.rootfs.diff_ids = ids;
	schema_to_json(T_image_image, &c, 0, &text);
	struct image_create make = { .parent = i.id, .config = buf_slice(&text), .names = (const char *const *)&d->argv[2], .n_names = 1 };
	r = image_create_wait(d->s, IMAGE_DOCKER, &make, id, &d->e);
	image_layer_release(l);
	if (r >= 0)
		puts(id);
	return r;
}

static int run_wait(struct driver *d, const char *command)
{
	struct stream *s = NULL;
	char id[IMAGE_ID_MAX];
	int r = -EINVAL;
	if (!strcmp(command, "list"))
		return cmd_list(d);
	if (d->argc < 1)
		return r;
	if (!strcmp(command, "rm"))
		return cmd_remove(d);
	if (!strcmp(command, "dirs"))
		return cmd_dirs(d);
	if (!strcmp(command, "commit") && d->argc == 3)
		return cmd_commit(d);
	if (!strcmp(command, "tag") && d->argc == 2)
		return image_tag_wait(d->s, IMAGE_DOCKER, d->argv[0], d->argv[1], &d->e);
	if (!strcmp(command, "pull")) {
		struct image_pull q = { .ref = d->argv[0], .auth = auth_here(), .sink = sink };
		return image_pull_wait(d->s, IMAGE_DOCKER, &q, id, &d->e);
	}
	if (!strcmp(command, "push")) {
		struct image_push q = { .ref = d->argv[0], .auth = auth_here(), .sink = sink };
		return image_push_wait(d->s, IMAGE_DOCKER, &q, &d->e);
	}
	if (!strcmp(command, "load") && (r = open_stream(d, d->argv[0], O_RDONLY, &s)) >= 0)
		r = image_load_wait(d->s, IMAGE_DOCKER, s, true, &sink, &d->e);
	else if (!strcmp(command, "save") && (r = open_stream(d, d->argv[0], O_WRONLY | O_CREAT | O_TRUNC, &s)) >= 0)
		r = image_save_wait(d->s, IMAGE_DOCKER, (const char *const *)d->argv + 1, (size_t)d->argc - 1, s, &d->e);
	else if (!strcmp(command, "import") && d->argc == 2 && (r = open_stream(d, d->argv[0], O_RDONLY, &s)) >= 0) {
		struct image_import i = { .tar = s, .name = d->argv[1], .config = SLICE("{\"Cmd\":[\"sh\"]}") };
		r = image_import_wait(d->s, IMAGE_DOCKER, &i, id, &d->e);
	}
	stream_close(s);
	return r;
}

static void driver_fiber(void *arg)
{
	struct driver *d = arg;
	sleep_wait(1);
	d->result = run_wait(d, d->argv[-1]);
	while (!image_is_idle(d->s))
		sleep_wait(1000000);
	loop_stop(d->loop);
}

int main(int argc, char **argv)
{
	struct driver d = { .argc = argc - 4, .argv = argv + 4 };
	struct kv *kv;
	if (argc < 4)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	arena_init(&d.a, 256u << 20);
	AUTO(free) char *db = fmt_new("%s/state.db", argv[1]);
	const char *hub = getenv("IMAGE_HUB"), *config = getenv("IMAGE_CONFIG");
	struct image_settings c = { .root = argv[1], .unpacker = image_unpacker_runtime(argv[2]), .hub = hub, .config_dir = config };
	dir_make(AT_FDCWD, argv[1], 0711);
	int r = loop_new(&d.loop, &d.e);
	if (r >= 0 && (r = kv_open(d.loop, db, &kv, &d.e)) >= 0) {
		c.kv = kv;
		if ((r = image_open(d.loop, &c, &d.s, &d.e)) >= 0 && (r = fiber_start(d.loop, "driver", driver_fiber, &d)) >= 0) {
			loop_run(d.loop);
			r = d.result;
		}
		image_close(d.s);
		kv_close(kv);
	}
	if (r < 0)
		fprintf(stderr, "%s\n", d.e.code ? d.e.text : strerror(-r));
	return r < 0 ? 1 : 0;
}
