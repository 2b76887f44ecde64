/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a container runs as. Asking costs a process, so answers are remembered by
 * image while a container's own upper folder has no /etc files of its own.
 */
#include <errno.h>
#include <sys/stat.h>

#include "base/num.h"
#include "engine/jobs.h"

enum { REMEMBERED_MAX = 512 };

struct remembered { struct spec_user user; char *home; };

static bool has_own_etc(struct container *c)
{
	static const char *const files[] = { "passwd", "group" };
	AUTO(arena) struct arena a;
	arena_init(&a, 1 << 16);
	const char *dir = container_dir(c, &a);
	struct stat st;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		const char *p = arena_fmt(&a, "%s/upper/etc/%s", dir, files[i]);
		if (!p || lstat(p, &st) == 0)
			return true;
	}
	for (uint32_t i = 0; i < c->n_mounts; i++)
		if (str_is(c->mounts[i].target, "/etc") || str_is(c->mounts[i].target, "/etc/passwd") || str_is(c->mounts[i].target, "/etc/group"))
			return true;
	return false;
}

static void forget_all(struct map *m)
{
	size_t pos = 0;
	for (struct map_entry *x; (x = map_next(m, &pos));) {
		struct remembered *r = x->value;
		free(r->user.gids);
		free(r->home);
		free(r);
	}
	map_release(m);
	map_init(m);
}

void users_forget(struct engine *eng)
{
	forget_all(&eng->users);
}

static void remember(struct engine *eng, const char *key, const struct spec_user *u)
{
	if (eng->users.n >= REMEMBERED_MAX)
		forget_all(&eng->users);
	struct remembered *r = calloc(1, sizeof *r);
	if (!r)
		return;
	r->user = *u;
	r->home = strdup(u->home);
	r->user.gids = calloc(u->n_gids + 1, sizeof *r->user.gids);
	if (!r->home || !r->user.gids || map_sets(&eng->users, key, r) < 0) {
		free(r->home);
		free(r->user.gids);
		free(r);
		return;
	}
	if (u->n_gids)
		memcpy(r->user.gids, u->gids, u->n_gids * sizeof *u->gids);
}

static int lookup_wait(struct container *c, const char *user, const char *const *groups, uint32_t n_groups, struct arena *a, struct spec_user *ret,
		       struct err *e)
{
	AUTO(buf) struct buf key = BUF_INIT(4096);
	buf_addf(&key, "%s|%s", c->image_id, user ? user : "");
	for (uint32_t i = 0; i < n_groups; i++)
		buf_addf(&key, "|%s", groups[i]);
	bool cached = !buf_error(&key) && !has_own_etc(c);
	struct remembered *r = cached ? map_gets(&c->engine->users, key.ptr) : NULL;
	if (r) {
		*ret = r->user;
		ret->home = arena_strdup(a, r->home);
		ret->gids = arena_array(a, r->user.n_gids, sizeof *ret->gids);
		if (!ret->home || !ret->gids)
			return err_nomem(e);
		if (ret->n_gids)
			memcpy(ret->gids, r->user.gids, ret->n_gids * sizeof *ret->gids);
		return 0;
	}
	int x = jobs_lookup_wait(c, user, groups, n_groups, a, ret, e);
	if (x == 0 && cached)
		remember(c->engine, key.ptr, ret);
	return x;
}

/* Only the groups that were named, not those that the image's /etc/group gives the user. */
static int groups_strict(struct spec_user *u, const char *const *groups, uint32_t n_groups, struct arena *a, struct err *e)
{
	uint64_t gid;
	u->gids = arena_array(a, n_groups, sizeof *u->gids);
	u->n_gids = 0;
	if (!u->gids)
		return err_nomem(e);
	for (uint32_t i = 0; i < n_groups; i++)
		if (num_parse_u64(slice_of(groups[i]), UINT32_MAX, &gid) == 0)
			u->gids[u->n_gids++] = (uint32_t)gid;
	return 0;
}

int user_lookup_wait(struct container *c, const char *user, const char *const *groups, uint32_t n_groups, struct arena *a, struct spec_user *ret,
		     struct err *e)
{
	int r = lookup_wait(c, user, groups, n_groups, a, ret, e);
	return r == 0 && c->pod && c->pod->strict_groups ? groups_strict(ret, groups, n_groups, a, e) : r;
}
