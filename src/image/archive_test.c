/* SPDX-License-Identifier: Apache-2.0 */
/* save, load and import through each other; archives that lie. */
#include <errno.h>

#include "base/auto.h"
#include "codec/compress.h"
#include "codec/tar.h"
#include "image/world_test.h"

/* Everything `fn` writes into a stream, collected. */
struct collect { struct stream *from; struct buf *out; bool is_ended; struct fiber *waiter; };

static void collect_fiber(void *arg)
{
	struct collect *c = arg;
	char tmp[5000];
	ssize_t n;
	while ((n = stream_read_wait(c->from, tmp, sizeof tmp)) > 0)
		buf_add(c->out, tmp, (size_t)n);
	c->is_ended = true;
	if (c->waiter)
		fiber_wake(c->waiter);
}

static void save(struct world *w, const char *const *names, size_t n, struct buf *out)
{
	struct stream *a, *b;
	CHECK_INT(stream_pair(w->loop, 10000, &a, &b), 0);
	struct collect c = { b, out, false, NULL };
	CHECK_INT(fiber_start(w->loop, "collect", collect_fiber, &c), 0);
	CHECK_OK(image_save_wait(w->s, IMAGE_DOCKER, names, n, a, &w->e), &w->e);
	stream_close(a);
	c.waiter = fiber_self();
	while (!c.is_ended)
		fiber_suspend_wait();
	stream_close(b);
}

struct give { struct stream *to; struct slice data; };

static void give_fiber(void *arg)
{
	struct give *g = arg;
	stream_write_wait(g->to, g->data.ptr, g->data.len);
	stream_close(g->to);
}

static struct buf said = BUF_INIT(100000);

static int say(void *arg, const struct image_progress *p)
{
	if (p->stream)
		buf_adds(&said, p->stream);
	return 0;
}

static int load(struct world *w, struct slice data, struct err *e)
{
	struct stream *a, *b;
	CHECK_INT(stream_pair(w->loop, 10000, &a, &b), 0);
	struct give g = { a, data };
	CHECK_INT(fiber_start(w->loop, "give", give_fiber, &g), 0);
	struct image_progress_sink sink = { say, NULL };
	buf_reset(&said);
	int r = image_load_wait(w->s, IMAGE_DOCKER, b, true, &sink, e);
	stream_close(b);
	return r;
}

static char one[IMAGE_ID_MAX], two[IMAGE_ID_MAX];
static struct buf archive = BUF_INIT(1 << 20);

static void make_two(struct world *w)
{
	struct image_layer *l[2] = { world_layer(w, "base"), world_layer(w, "top") };
	world_image(w, "one", NULL, "first", l, 1, one);
	world_image(w, "two:v1", one, "second", l, 2, two);
	image_layer_release(l[0]);
	image_layer_release(l[1]);
}

static void remove_all(struct world *w)
{
	struct image_removed *v;
	size_t n;
	struct image_remove_options how = { .force = true };
	CHECK_OK(image_remove_wait(w->s, IMAGE_DOCKER, two, &how, &w->a, &v, &n, &w->e), &w->e);
	image_remove_wait(w->s, IMAGE_DOCKER, one, &how, &w->a, &v, &n, NULL);
	CHECK_INT(image_layers_bytes(w->s), 0);
}

static void there_and_back(struct world *w)
{
	AUTO(buf) struct buf again = BUF_INIT(1 << 20), gz = BUF_INIT(1 << 20);
	const char *const names[] = { "one", "two:v1" };
	struct image_info i;
	make_two(w);
	save(w, names, 2, &archive);
	save(w, names, 2, &again);
	CHECK(slice_eq(buf_slice(&archive), buf_slice(&again)));
	remove_all(w);
	CHECK_OK(load(w, buf_slice(&archive), &w->e), &w->e);
	CHECK_STR(said.ptr, "Loaded image: one:latest\nLoaded image: two:v1\n");
	CHECK_OK(image_get(w->s, IMAGE_DOCKER, "two:v1", 0, &w->a, &i, &w->e), &w->e);
	CHECK_STR(i.id, two);
	CHECK_INT(i.size_bytes, 7);

	buf_reset(&again);
	save(w, names, 2, &again);
	CHECK(slice_eq(buf_slice(&archive), buf_slice(&again)));
	remove_all(w);
	AUTO(deflate) struct deflate *d = NULL;
	struct slice rest = buf_slice(&archive);
	CHECK_INT(deflate_new(COMPRESSION_ZSTD, 0, &d), 0);
	while (!deflate_is_done(d)) {
		char tmp[1000];
		ssize_t n = deflate_step(d, &rest, true, tmp, sizeof tmp);
		buf_add(&gz, tmp, (size_t)n);
	}
	CHECK_OK(load(w, buf_slice(&gz), &w->e), &w->e);
	CHECK_OK(image_get(w->s, IMAGE_DOCKER, one, 0, &w->a, &i, &w->e), &w->e);
}

TEST(saved_images_load_again_as_the_same_images_also_compressed)
{
	world_run(there_and_back);
}

/* The archive without one entry. */
static void without(struct slice in, const char *name, struct buf *out)
{
	for (size_t at = 0; at + 512 <= in.len;) {
		uint64_t size = 0;
		const char *h = in.ptr + at;
		for (int i = 0; i < 11; i++)
			size = size * 8 + (uint64_t)(h[124 + i] >= '0' ? h[124 + i] - '0' : 0);
		size_t whole = 512 + (size + 511) / 512 * 512;
		if (strcmp(h, name) != 0)
			buf_add(out, h, MIN(whole, in.len - at));
		at += whole;
	}
}

static void oci_only(struct world *w)
{
	AUTO(buf) struct buf cut = BUF_INIT(1 << 20);
	const char *const names[] = { "one", "two" ":v1" };
	make_two(w);
	save(w, names, 2, &archive);
	remove_all(w);
	without(buf_slice(&archive), "manifest.json", &cut);
	CHECK_OK(load(w, buf_slice(&cut), &w->e), &w->e);
	CHECK_STR(said.ptr, "Loaded image: one:latest\nLoaded image: two:v1\n");
	remove_all(w);
	struct err e = { 0 };
	AUTO(buf) struct buf bare = BUF_INIT(1 << 20);
	without(buf_slice(&cut), "index.json", &bare);
	CHECK_INT(load(w, buf_slice(&bare), &e), -EINVAL);
	CHECK_STR(e.text, "open manifest.json: no such file or directory");
}

TEST(an_oci_layout_alone_loads_too)
{
	world_run(oci_only);
}

static void lies(struct world *w)
{
	struct err e = { 0 };
	const char *const names[] = { "two:v1" };
	make_two(w);
	save(w, names, 1, &archive);
	remove_all(w);
	for (size_t i = 0; i + 4 < archive.len; i++)
		if (memcmp(archive.ptr + i, "base", 4) == 0 && archive.ptr[i + 4] == 0) {
			archive.ptr[i] = 'B';
			break;
		}
	CHECK_INT(load(w, buf_slice(&archive), &e), -EBADMSG);
	CHECK_INT(image_layers_bytes(w->s), 0);
	CHECK(load(w, slice_n(archive.ptr, archive.len / 2), &e) < 0);
	CHECK_INT(load(w, SLICE("BZh9 and so on"), &e), -ENOTSUP);
	CHECK_STR(e.text, "bzip2 compression is not supported: use gzip, zstd or no compression");
}

TEST(an_archive_whose_bytes_do_not_fit_its_digests_is_refused)
{
	world_run(lies);
}

static void import_one(struct world *w)
{
	struct stream *a, *b;
	struct image_info i;
	char id[IMAGE_ID_MAX];
	CHECK_INT(stream_pair(w->loop, 10000, &a, &b), 0);
	struct give g = { a, SLICE("a root file system") };
	CHECK_INT(fiber_start(w->loop, "give", give_fiber, &g), 0);
	struct image_import x = { .tar = b, .config = SLICE("{\"Cmd\":[\"sh\"]}"), .message = "Imported from -", .name = "new" };
	CHECK_OK(image_import_wait(w->s, IMAGE_DOCKER, &x, id, &w->e), &w->e);
	stream_close(b);
	CHECK_OK(image_get(w->s, IMAGE_DOCKER, "new", 0, &w->a, &i, &w->e), &w->e);
	CHECK(memmem(i.config.ptr, i.config.len, "\"Cmd\":[\"sh\"]", 12) != NULL);
	CHECK_INT(i.size_bytes, 18);
}

TEST(an_imported_tar_is_an_image_of_one_layer)
{
	world_run(import_one);
}
