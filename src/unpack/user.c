/* SPDX-License-Identifier: Apache-2.0 */
/* Users and groups of the target, from its /etc/passwd and /etc/group, by Docker's rules and with its wording. */
#include <errno.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "base/vec.h"
#include "unpack/unpack_int.h"

enum { DB_MAX = 16 << 20, ID_MAX = 0x7fffffff, FIELDS = 7 };

static int db_read(struct unpack *u, const char *path, struct buf *out, struct err *e)
{
	struct stat st;
	AUTO(close) int fd = unpack_open(u->root, path, O_RDONLY | O_NONBLOCK, 0);
	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, fd < 0 ? fd : errno, "open %s", path);
	if (!S_ISREG(st.st_mode))
		return 0;
	int r = fd_slurp(fd, out);
	return r < 0 ? err_sys(e, r, "read %s", path) : 0;
}

/* The next line's fields; missing ones are empty. */
static bool db_next(struct slice *rest, struct slice f[FIELDS])
{
	struct slice line;
	while (slice_next(rest, '\n', &line)) {
		line = slice_trim(line);
		if (!line.len || line.ptr[0] == '#')
			continue;
		for (int i = 0; i < FIELDS; i++)
			if (!slice_next(&line, ':', &f[i]))
				f[i] = slice_n("", 0);
		return true;
	}
	return false;
}

static bool is_id(struct slice s, uint64_t *ret)
{
	return num_parse_u64(s, UINT64_MAX, ret) == 0;
}

struct found {
	bool hit;
	uint32_t uid, gid;
	struct slice name, home, shell;
};

/* First entry with that name or, when numeric, that number; the name wins as in Docker. */
static void find_user(struct slice db, struct slice who, struct found *ret)
{
	struct slice f[FIELDS];
	uint64_t want, uid, gid;
	bool numeric = is_id(who, &want);
	while (!ret->hit && db_next(&db, f))
		if ((slice_eq(f[0], who) || (numeric && is_id(f[2], &uid) && uid == want)) && is_id(f[2], &uid) && is_id(f[3], &gid))
			*ret = (struct found){ true, (uint32_t)uid, (uint32_t)gid, f[0], f[5], f[6] };
}

static bool find_group(struct slice db, struct slice who, uint32_t *ret)
{
	struct slice f[FIELDS];
	uint64_t want, gid;
	bool numeric = is_id(who, &want);
	while (db_next(&db, f))
		if (is_id(f[2], &gid) && (slice_eq(f[0], who) || (numeric && gid == want))) {
			*ret = (uint32_t)gid;
			return true;
		}
	return false;
}

/* A number is good without an entry, too; a name is not. */
static int group_id(struct slice db, struct slice who, uint32_t *ret, struct err *e)
{
	uint64_t n;
	if (find_group(db, who, ret))
		return 0;
	if (!is_id(who, &n))
		return err_set(e, EINVAL, "unable to find group %.*s: no matching entries in group file", SLICE_FMT(who));
	if (n > ID_MAX)
		return err_set(e, EINVAL, "uids and gids must be in range 0-%d", ID_MAX);
	*ret = (uint32_t)n;
	return 0;
}

static bool lists(struct slice members, struct slice name)
{
	struct slice one;
	while (slice_next(&members, ',', &one))
		if (slice_eq(one, name))
			return true;
	return false;
}

static int add_gid(struct unpack *u, struct unpack_user *out, uint32_t gid, struct err *e)
{
	for (uint32_t i = 0; i < out->n_gids; i++)
		if (out->gids[i] == gid)
			return 0;
	if ((out->n_gids & (out->n_gids - 1)) == 0) {
		uint32_t *v = arena_array(u->arena, out->n_gids ? out->n_gids * 2 : 1, sizeof *v);
		if (!v)
			return err_nomem(e);
		if (out->n_gids)
			memcpy(v, out->gids, out->n_gids * sizeof *v);
		out->gids = v;
	}
	out->gids[out->n_gids++] = gid;
	return 0;
}

static int lookup(struct unpack *u, const char *spec, struct unpack_user *out, struct err *e)
{
	AUTO(buf) struct buf passwd = BUF_INIT(DB_MAX), group = BUF_INIT(DB_MAX);
	int r = db_read(u, "/etc/passwd", &passwd, e);
	if (r == 0)
		r = db_read(u, "/etc/group", &group, e);
	if (r < 0)
		goto out;
	struct slice who, grp, f[FIELDS], rest = buf_slice(&group);
	struct found x = { 0 };
	uint64_t n;
	slice_cut(slice_of(spec), ':', &who, &grp);
	bool unnamed = !who.len;
	find_user(buf_slice(&passwd), unnamed ? SLICE("0") : who, &x);
	if (!x.hit && !unnamed && !is_id(who, &n)) {
		r = err_set(e, EINVAL, "unable to find user %.*s: no matching entries in passwd file", SLICE_FMT(who));
		goto out;
	}
	if (!x.hit && !unnamed && n > ID_MAX) {
		r = err_set(e, EINVAL, "uids and gids must be in range 0-%d", ID_MAX);
		goto out;
	}
	out->uid = x.hit ? x.uid : unnamed ? 0 : (uint32_t)n;
	out->gid = x.hit ? x.gid : 0;
	out->name = arena_dup(u->arena, x.name);
	out->home = x.home.len ? arena_dup(u->arena, x.home) : "/";
	out->shell = arena_dup(u->arena, x.shell);
	if (!out->name || !out->home || !out->shell) {
		r = err_nomem(e);
		goto out;
	}
	if (grp.len)
		r = group_id(buf_slice(&group), grp, &out->gid, e);
	else
		while (r == 0 && x.hit && db_next(&rest, f))
			if (lists(f[3], x.name) && is_id(f[2], &n) && n <= ID_MAX)
				r = add_gid(u, out, (uint32_t)n, e);
	for (uint32_t i = 0; r == 0 && i < u->job->n_groups; i++) {
		uint32_t gid;
		if ((r = group_id(buf_slice(&group), slice_of(u->job->groups[i]), &gid, e)) == 0)
			r = add_gid(u, out, gid, e);
	}
out:
	buf_release(&group);
	return r;
}

int unpack_do_lookup(struct unpack *u, struct err *e)
{
	struct unpack_user *out = arena_new(u->arena, struct unpack_user);
	if (!out)
		return err_nomem(e);
	int r = lookup(u, u->job->user ? u->job->user : "", out, e);
	if (r == 0)
		u->report.user = out;
	return r;
}

int unpack_owner(struct unpack *u, const char *spec, struct owner *ret, struct err *e)
{
	AUTO(buf) struct buf passwd = BUF_INIT(DB_MAX), group = BUF_INIT(DB_MAX);
	struct slice who, grp;
	struct found x = { 0 };
	uint64_t n;
	int r = db_read(u, "/etc/passwd", &passwd, e);
	if (r == 0)
		r = db_read(u, "/etc/group", &group, e);
	bool alone = !slice_cut(slice_of(spec), ':', &who, &grp) || !grp.len;
	if (r == 0) {
		if (is_id(who, &n) && n <= ID_MAX) {
			ret->uid = (uint32_t)n;
		} else {
			find_user(buf_slice(&passwd), who, &x);
			ret->uid = x.uid;
			if (!x.hit)
				r = err_set(e, EINVAL, "unable to convert uid/gid chown string to host mapping: can't find uid for user %.*s: no such user: %.*s",
					    SLICE_FMT(who), SLICE_FMT(who));
		}
	}
	if (alone)
		grp = who;
	if (r == 0) {
		if (is_id(grp, &n) && n <= ID_MAX)
			ret->gid = (uint32_t)n;
		else if (!find_group(buf_slice(&group), grp, &ret->gid)) {
			if (alone && x.hit)
				ret->gid = x.gid;
			else
				r = err_set(e, EINVAL, "unable to convert uid/gid chown string to host mapping: can't find gid for group %.*s: no such group: %.*s",
					    SLICE_FMT(grp), SLICE_FMT(grp));
		}
	}
	buf_release(&group);
	return r;
}
