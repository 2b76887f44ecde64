/* SPDX-License-Identifier: Apache-2.0 */
/* What world_test.h promises. */
#include "image/world_test.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/auto.h"

struct run { struct world w; void (*body)(struct world *w); };

static void run_fiber(void *arg)
{
	struct run *r = arg;
	sleep_wait(1);   /* the loop runs first */
	r->body(&r->w);
	while (r->w.s->removals)
		sleep_wait(1000000);
	loop_stop(r->w.loop);
}

void world_run(void (*body)(struct world *w))
{
	struct run r = { .body = body };
	char path[512];
	arena_init(&r.w.a, 64 << 20);
	fmt_into(path, sizeof path, "%s/root", test_dir());
	mkdir(path, 0700);
	fmt_into(path, sizeof path, "%s/state.db", test_dir());
	CHECK_OK(loop_new(&r.w.loop, &r.w.e), &r.w.e);
	CHECK_OK(kv_open(r.w.loop, path, &r.w.kv, &r.w.e), &r.w.e);
	fmt_into(path, sizeof path, "%s/root", test_dir());
	struct image_settings c = { .root = path, .kv = r.w.kv, .unpacker = image_unpacker_double() };
	CHECK_OK(image_open(r.w.loop, &c, &r.w.s, &r.w.e), &r.w.e);
	CHECK_INT(fiber_start(r.w.loop, "test", run_fiber, &r), 0);
	CHECK_INT(loop_run(r.w.loop), 0);
	image_close(r.w.s);
	kv_close(r.w.kv);
	loop_free(r.w.loop);
	arena_release(&r.w.a);
}

struct image_layer *world_layer(struct world *w, const char *text)
{
	struct image_layer *l;
	char dir[600], path[700];
	fmt_into(dir, sizeof dir, "%s/upper", test_dir());
	fmt_into(path, sizeof path, "%s/layer.tar", dir);
	mkdir(dir, 0755);
	FILE *f = fopen(path, "w");
	CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
	CHECK_OK(image_layer_from_dir_wait(w->s, dir, true, &l, &w->e), &w->e);
	return l;
}

void world_image(struct world *w, const char *name, const char *parent, const char *comment, struct image_layer *const *layers, size_t n,
		 char id[IMAGE_ID_MAX])
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	struct image_image c = { .created = "2026-11-25T00:00:00Z", .os = "linux", .architecture = "amd64", .comment = comment,
				 .rootfs = { .type = "layers", .n_diff_ids = (uint32_t)n } };
	c.rootfs.diff_ids = arena_array(&w->a, n, sizeof(char *));
	for (size_t i = 0; i < n; i++)
		c.rootfs.diff_ids[i] = image_layer_diff_id(layers[i]);
	CHECK_INT(schema_to_json(T_image_image, &c, 0, &b), 0);
	struct image_create x = { .parent = parent, .config = buf_slice(&b), .names = &name, .n_names = name ? 1 : 0 };
	CHECK_OK(image_create_wait(w->s, IMAGE_DOCKER, &x, id, &w->e), &w->e);
}
