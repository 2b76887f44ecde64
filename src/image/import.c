/* SPDX-License-Identifier: Apache-2.0 */
/* docker import: a root file system's tar becomes an image of one layer. */
#include <errno.h>

#include "base/auto.h"
#include "base/clock.h"
#include "image/platform.h"
#include "image/store_int.h"

int image_import_wait(struct image_store *s, enum image_owner o, const struct image_import *i, char id[IMAGE_ID_MAX], struct err *e)
{
	AUTO(arena) struct arena a;
	AUTO(buf) struct buf text = BUF_INIT(IMAGE_CONFIG_MAX);
	struct image_layer *l = NULL;
	char now[CLOCK_TEXT_MAX];
	struct image_platform here = platform_here();
	struct image_image c = { .os = here.os, .architecture = here.architecture };
	arena_init(&a, IMAGE_ARENA_MAX);
	clock_rfc3339_nano(now, loop_realtime_ns(s->loop));
	if (i->platform && i->platform->os)
		c.os = i->platform->os;
	if (i->platform && i->platform->architecture) {
		c.architecture = i->platform->architecture;
		c.variant = i->platform->variant;
	}
	struct err why = { 0 };
	if (i->config.len && schema_from_json(T_image_config, i->config, SCHEMA_FOLD_CASE, &a, &c.config, &why) < 0)
		return err_set(e, EINVAL, "invalid configuration: %s", why.text);
	if (i->name && image_ref_normal(i->name, &a, NULL, NULL, e) < 0)
		return -EINVAL;
	int r = image_layer_from_tar_wait(s, i->tar, &l, e);
	if (r < 0)
		return r;
	const char *diff_id = image_layer_diff_id(l);
	struct image_history h = { .created = now, .comment = i->message ? i->message : "" };
	c.created = now;
	c.comment = i->message;
	c.rootfs = (struct image_root_fs){ .type = "layers", .diff_ids = &diff_id, .n_diff_ids = 1 };
	c.history = &h;
	c.n_history = 1;
	c.docker_version = "28.5.2";
	r = schema_to_json(T_image_image, &c, 0, &text);
	if (r < 0 || (r = buf_error(&text)) < 0) {
		err_sys(e, r, "writing the image configuration");
	} else {
		struct image_create make = { .config = buf_slice(&text), .names = &i->name, .n_names = i->name ? 1 : 0 };
		r = image_create_wait(s, o, &make, id, e);
	}
	image_layer_release(l);
	return r;
}
