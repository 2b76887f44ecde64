/* SPDX-License-Identifier: Apache-2.0 */
/* The store: images and layers over restarts, names, removal by Docker's rules, crash left-overs. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "image/world_test.h"

static char one[IMAGE_ID_MAX], two[IMAGE_ID_MAX];

static void make_two(struct world *w)
{
	struct image_layer *l[2] = { world_layer(w, "base"), world_layer(w, "top") };
	world_image(w, "one", NULL, "first", l, 1, one);
	world_image(w, "reg:5000/two:v1", one, "second", l, 2, two);
	image_layer_release(l[0]);
	image_layer_release(l[1]);
}

static void see_two(struct world *w)
{
	struct image_info i, *list;
	size_t n;
	const char **dirs;
	CHECK_OK(image_get(w->s, IMAGE_DOCKER, "reg:5000/two:v1", IMAGE_SHARED_SIZE, &w->a, &i, &w->e), &w->e);
	CHECK_INT(i.n_layers, 2);
	CHECK_INT(i.size_bytes, 7);
	CHECK_INT(i.shared_bytes, 4);
	CHECK_STR(i.repo_tags[0], "reg:5000/two:v1");
	CHECK_STR(i.os, "linux");
	CHECK_INT(image_list(w->s, IMAGE_DOCKER, 0, &w->a, &list, &n, &w->e), 0);
	CHECK_INT(n, 2);
	CHECK_INT(image_list(w->s, IMAGE_CRI, 0, &w->a, &list, &n, &w->e), 0);
	CHECK_INT(n, 0);
	CHECK_INT(image_lowerdirs(w->s, i.id, &w->a, &dirs, &n, &w->e), 0);
	CHECK_INT(n, 2);
	struct stat st;
	CHECK(stat(dirs[0], &st) == 0 && stat(dirs[1], &st) == 0);
	CHECK_STR(dirs[0], i.layers[1].dir);
	CHECK_INT(image_children(w->s, i.parent, &w->a, &dirs, &n, &w->e), 0);
	CHECK_INT(n, 1);
	CHECK_STR(dirs[0], i.id);
	char id[IMAGE_ID_MAX];
	CHECK_INT(image_resolve(w->s, IMAGE_DOCKER, arena_fmt(&w->a, "%.12s", i.id + 7), id, &w->e), 0);
	CHECK_STR(id, i.id);
	CHECK_INT(image_resolve(w->s, IMAGE_DOCKER, arena_fmt(&w->a, "%.20s", i.id), id, &w->e), 0);
}

TEST(images_are_found_by_name_id_and_prefix_also_after_a_restart)
{
	world_run(make_two);
	world_run(see_two);
}

static void miss(struct world *w)
{
	char id[IMAGE_ID_MAX];
	struct err e = { 0 };
	CHECK_INT(image_resolve(w->s, IMAGE_DOCKER, "nope", id, &e), -ENOENT);
	CHECK_STR(e.text, "No such image: nope:latest");
	CHECK_INT(image_resolve(w->s, IMAGE_DOCKER, "Nope", id, &e), -EINVAL);
	CHECK_INT(image_resolve(w->s, IMAGE_DOCKER, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", id, &e), -ENOENT);
	CHECK_STR(e.text, "No such image: sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(a_missing_image_is_named_as_docker_names_it)
{
	world_run(miss);
}

static int rm(struct world *w, const char *name, const struct image_remove_options *how, struct buf *out, struct err *e)
{
	struct image_removed *v;
	size_t n;
	int r = image_remove_wait(w->s, IMAGE_DOCKER, name, how, &w->a, &v, &n, e);
	for (size_t i = 0; r == 0 && i < n; i++)
		buf_addf(out, "%c:%.20s\n", v[i].untagged ? 'U' : 'D', v[i].untagged ? v[i].untagged : "");
	return r;
}

static void removal_rules(struct world *w)
{
	AUTO(buf) struct buf out = BUF_INIT(10000);
	struct err e = { 0 };
	struct image_remove_options plain = { 0 }, force = { .force = true };
	make_two(w);
	CHECK_INT(image_tag_wait(w->s, IMAGE_DOCKER, "one", "uno:x", &e), 0);
	CHECK_INT(rm(w, one, &plain, &out, &e), -EBUSY);
	CHECK_STR(e.text, arena_fmt(&w->a, "conflict: unable to delete %.12s (cannot be forced) - image has dependent child images", one + 7));
	CHECK_INT(rm(w, "uno:x", &plain, &out, &e), 0);
	CHECK_STR(out.ptr, "U:uno:x\n");
	buf_reset(&out);

	struct image_use use = { two, "0123456789abcdef0123", false };
	struct image_remove_options used = { .uses = &use, .n_uses = 1 };
	CHECK_INT(rm(w, "reg:5000/two:v1", &used, &out, &e), -EBUSY);
	CHECK_STR(e.text, arena_fmt(&w->a, "conflict: unable to remove repository reference \"reg:5000/two:v1\" (must force) - container "
				    "0123456789ab is using its referenced image %.12s", two + 7));
	CHECK_INT(rm(w, two, &used, &out, &e), -EBUSY);
	CHECK_STR(e.text, arena_fmt(&w->a, "conflict: unable to delete %.12s (must be forced) - image is being used by stopped container "
				    "0123456789ab", two + 7));
	use.running = true;
	force.uses = &use;
	force.n_uses = 1;
	CHECK_INT(rm(w, two, &force, &out, &e), -EBUSY);
	CHECK(strstr(e.text, "(cannot be forced) - image is being used by running container 0123456789ab"));

	CHECK_INT(rm(w, "reg:5000/two:v1", &plain, &out, &e), 0);
	CHECK_STR(out.ptr, "U:reg:5000/two:v1\nD:\nD:\n");
	buf_reset(&out);
	CHECK_INT(rm(w, one, &plain, &out, &e), 0);
	CHECK_STR(out.ptr, "U:one:latest\nD:\nD:\n");
	CHECK_INT(image_layers_bytes(w->s), 0);
}

static void nothing_left(struct world *w)
{
	AUTO(free) char *layers = fmt_new("%s/layers", w->s->root), *blobs = fmt_new("%s/blobs/sha256", w->s->root);
	CHECK_INT(rmdir(layers), 0);
	CHECK_INT(rmdir(blobs), 0);
}

TEST(removal_follows_dockers_rules_and_leaves_nothing)
{
	world_run(removal_rules);
	world_run(nothing_left);
}

static void held(struct world *w)
{
	AUTO(buf) struct buf out = BUF_INIT(10000);
	const char **dirs;
	size_t n;
	struct stat st;
	make_two(w);
	CHECK_INT(image_hold(w->s, two, &w->e), 0);
	CHECK_INT(rm(w, "reg:5000/two:v1", &(struct image_remove_options){ .force = true, .noprune = true }, &out, &w->e), 0);
	char id[IMAGE_ID_MAX];
	CHECK_INT(image_resolve(w->s, IMAGE_DOCKER, two, id, NULL), -ENOENT);
	CHECK_INT(image_lowerdirs(w->s, two, &w->a, &dirs, &n, &w->e), 0);
	CHECK(stat(dirs[0], &st) == 0);
}

static void held_again(struct world *w)
{
	const char **dirs;
	size_t n;
	CHECK_INT(image_hold(w->s, two, &w->e), 0);
	CHECK_INT(image_settle_wait(w->s, &w->e), 0);
	CHECK_INT(image_lowerdirs(w->s, two, &w->a, &dirs, &n, &w->e), 0);
	image_unhold(w->s, two);
	while (w->s->removals)
		sleep_wait(1000000);
	CHECK_INT(image_lowerdirs(w->s, two, &w->a, &dirs, &n, NULL), -ENOENT);
	CHECK_INT(image_layers_bytes(w->s), 4);
}

TEST(a_removed_image_keeps_its_layers_while_held_even_over_a_restart)
{
	world_run(held);
	world_run(held_again);
}

static void unnamed_layer(struct world *w)
{
	struct image_layer *a = world_layer(w, "same"), *b = world_layer(w, "same");
	CHECK_STR(image_layer_diff_id(a), image_layer_diff_id(b));
	image_layer_release(a);
	CHECK_INT(image_layers_bytes(w->s), 4);
	image_layer_release(b);
	CHECK_INT(image_layers_bytes(w->s), 0);
	free(world_layer(w, "left by a crash"));   /* the handle only: the lease is never given back */
}

TEST(a_layer_without_an_image_goes_with_its_last_lease_or_the_next_start)
{
	world_run(unnamed_layer);
	world_run(nothing_left);
}

static void layer_blob(struct world *w)
{
	struct image_layer *l = world_layer(w, "some bytes");
	struct image_blob *b, *again;
	CHECK_OK(image_layer_blob_wait(w->s, l->rec, &b, &w->e), &w->e);
	CHECK_OK(image_layer_blob_wait(w->s, l->rec, &again, &w->e), &w->e);
	CHECK(b == again);
	const char *path = image_blob_path(w->s, &w->a, b->digest);
	int fd = open(path, 0);
	CHECK(fd >= 0);
	struct layer_source from = { .fd = fd, .len = -1, .keep = true };
	struct image_layer *m;
	CHECK_INT(image_layer_apply_wait(w->s, &from, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", &m, &w->e), -EBADMSG);
	CHECK_OK(image_layer_apply_wait(w->s, &from, NULL, &m, &w->e), &w->e);
	CHECK_STR(image_layer_diff_id(m), image_layer_diff_id(l));
	from.len = 12;
	CHECK_INT(image_layer_apply_wait(w->s, &from, NULL, &m, &w->e), -EPIPE);
	CHECK_STR(w->e.text, "unexpected EOF");
	close(fd);
	image_layer_release(m);
	image_layer_release(l);
}

TEST(a_layers_compressed_form_is_made_once_and_unpacks_to_the_same)
{
	world_run(layer_blob);
}
