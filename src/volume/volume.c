/* SPDX-License-Identifier: Apache-2.0 */
#include "volume/volume.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "api/volume.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/map.h"
#include "base/path.h"
#include "base/rand.h"
#include "base/vec.h"
#include "io/fiber.h"
#include "store/kv.h"
#include "volume/volume_int.h"

static int fail_name(const char *name, struct err *e)
{
	return err_set(e, EINVAL, "create %s: \"%s\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path", name, name);
}

static int check_name(const char *name, struct err *e)
{
	if (strlen(name) < 2)
		return err_set(e, EINVAL, "create %s: volume name is too short, names should be at least two alphanumeric characters", name);
	if (!isalnum((unsigned char)*name) || strlen(name) > 255)
		return fail_name(name, e);
	for (const char *s = name; *s; s++)
		if (!isalnum((unsigned char)*s) && *s != '_' && *s != '.' && *s != '-')
			return fail_name(name, e);
	return 0;
}

static int check_options(const char *name, const struct schema_pair *o, uint32_t n, struct err *e)
{
	const char *type = NULL, *device = NULL;
	bool any = false;
	for (uint32_t i = 0; i < n; i++) {
		if (!strcmp(o[i].key, "type"))
			type = o[i].value;
		else if (!strcmp(o[i].key, "device"))
			device = o[i].value;
		else if (strcmp(o[i].key, "o") && strcmp(o[i].key, "size"))
			return err_set(e, EINVAL, "create %s: invalid option: \"%s\"", name, o[i].key);
		any = any || strcmp(o[i].key, "size");
	}
	if (schema_pair_get(o, n, "size"))
		return err_set(e, EINVAL, "create %s: quota size requested but no quota support", name);
	if (any && (!device || !*device))
		return err_set(e, EINVAL, "create %s: missing device in volume options", name);
	if (any && (!type || !*type))
		return err_set(e, EINVAL, "create %s: missing required option: \"type\"", name);
	return 0;
}

static void item_free(struct volume_item *i)
{
	if (!i)
		return;
	arena_release(&i->arena);
	free(i);
}

static struct volume_item *item_new(struct volumes *v, const struct volume_volume *rec)
{
	struct volume_item *i = calloc(1, sizeof *i);
	if (!i)
		return NULL;
	arena_init(&i->arena, 1 << 20);
	struct volume_volume c;
	if (schema_copy(T_volume_volume, rec, &i->arena, &c) < 0)
		goto fail;
	i->v = (struct volume){ .name = c.name, .driver = c.driver, .created_ns = c.created, .labels = c.labels, .n_labels = c.n_labels,
		.options = c.options, .n_options = c.n_options, .is_anonymous = c.anonymous };
	i->v.mountpoint = arena_fmt(&i->arena, "%s/volumes/%s/_data", v->root, c.name);
	if (!i->v.mountpoint || map_sets(&v->by_name, c.name, i) < 0)
		goto fail;
	return i;
fail:
	item_free(i);
	return NULL;
}

static int load_one(void *arg, const char *key, struct slice value)
{
	struct volumes *v = arg;
	AUTO(arena) struct arena a;
	arena_init(&a, 1 << 20);
	struct volume_volume rec;
	struct err e = { 0 };
	int r = schema_from_json(T_volume_volume, value, 0, &a, &rec, &e);
	if (r < 0 || !rec.name) {
		log_warn("volume record unreadable", "key=%s error=%s", key, e.text);
		return 0;
	}
	return item_new(v, &rec) ? 0 : -ENOMEM;
}

int volumes_open(struct kv *kv, const char *root, struct volumes **ret, struct err *e)
{
	struct volumes *v = calloc(1, sizeof *v);
	if (!v)
		return err_nomem(e);
	v->kv = kv;
	v->root = strdup(root);
	map_init(&v->by_name);
	char *dir = fmt_new("%s/volumes", root);
	int r = v->root && dir ? dir_make(AT_FDCWD, dir, 0711) : -ENOMEM;
	if (r < 0) {
		err_sys(e, r, "making %s", dir ? dir : "volumes");
	} else {
		r = kv_each(kv, "volume/", load_one, v);
		if (r < 0)
			err_nomem(e);
	}
	free(dir);
	if (r < 0) {
		volumes_close(v);
		return r;
	}
	*ret = v;
	return 0;
}

void volumes_close(struct volumes *v)
{
	if (!v)
		return;
	size_t pos = 0;
	for (struct map_entry *m; (m = map_next(&v->by_name, &pos));)
		item_free(m->value);
	map_release(&v->by_name);
	free(v->sorted);
	free(v->root);
	free(v);
}

const struct volume *volume_get(struct volumes *v, const char *name)
{
	struct volume_item *i = map_gets(&v->by_name, name);
	return i && !i->is_new ? &i->v : NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct volume_item *const *)a)->v.name, (*(struct volume_item *const *)b)->v.name);
}

const struct volume *volume_next(struct volumes *v, size_t *pos)
{
	if (!*pos) {
		struct volume_item **s = realloc(v->sorted, (v->by_name.n + 1) * sizeof *s);
		if (!s)
			return NULL;
		v->sorted = s;
		v->n_sorted = 0;
		size_t at = 0;
		for (struct map_entry *m; (m = map_next(&v->by_name, &at));)
			if (!((struct volume_item *)m->value)->is_new)
				s[v->n_sorted++] = m->value;
		qsort(s, v->n_sorted, sizeof *s, by_name);
	}
	if (*pos >= v->n_sorted)
		return NULL;
	return &v->sorted[(*pos)++]->v;
}

/* --- work on disk, on a worker */
struct dir_job { const char *path; bool remove; struct err e; };

static int dir_job(void *arg)
{
	struct dir_job *j = arg;
	if (j->remove)
		return dir_remove(AT_FDCWD, j->path, &j->e);
	int r = dir_make(AT_FDCWD, j->path, 0755);
	char *parent = fmt_new("%s/..", j->path);
	if (r == 0 && parent && chmod(parent, 0701) < 0)
		r = -errno;
	free(parent);
	return r < 0 ? err_sys(&j->e, r, "making %s", j->path) : 0;
}

static int dir_job_wait(const char *path, bool remove, struct err *e)
{
	struct dir_job j = { .path = path, .remove = remove };
	int r = job_wait(dir_job, &j);
	if (r < 0 && j.e.code)
		return err_set(e, r, "%s", j.e.text);
	return r < 0 ? err_sys(e, r, "working on %s", path) : 0;
}

static char *item_dir(struct volumes *v, const char *name)
{
	return fmt_new("%s/volumes/%s", v->root, name);
}

static int store_wait(struct volumes *v, const struct volume_volume *rec, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);
	int r = schema_to_json(T_volume_volume, rec, 0, &text);
	if (r < 0 || buf_error(&text))
		return err_set(e, EINVAL, "create %s: labels and options are too large", rec->name);
	char *key = fmt_new("volume/%s", rec->name);
	r = key ? kv_put_wait(v->kv, key, buf_slice(&text), e) : err_nomem(e);
	free(key);
	return r;
}

int volume_create_wait(struct volumes *v, const struct volume_create *how, const struct volume **ret, bool *ret_new, struct err *e)
{
	char random[65];
	const char *name = how->name;
	bool is_anonymous = how->is_anonymous;
	if (!name || !*name) {
		rand_hex(random, 32);
		name = random;
		is_anonymous = true;
	}
	*ret_new = false;
	const char *driver = how->driver && *how->driver ? how->driver : "local";
	struct volume_item *old = map_gets(&v->by_name, name);
	if (old) {
		if (strcmp(old->v.driver, driver))
			return err_set(e, EEXIST, "create %s: conflict: volume name must be unique", name);
		*ret = &old->v;
		return 0;
	}
	if (strcmp(driver, "local"))
		return err_set(e, ENOENT, "create %s: error looking up volume plugin %s: plugin \"%s\" not found", name, driver, driver);
	int r = check_name(name, e);
	if (r == 0)
		r = check_options(name, how->options, how->n_options, e);
	if (r < 0)
		return r;
	bool has_anonymous_label = schema_pair_get(how->labels, how->n_labels, "com.docker.volume.anonymous");
	struct schema_pair *labels = calloc(how->n_labels + 1, sizeof *labels);
	if (!labels)
		return err_nomem(e);
	uint32_t n_labels = 0;
	if (is_anonymous && !has_anonymous_label)
		labels[n_labels++] = (struct schema_pair){ "com.docker.volume.anonymous", "" };
	for (uint32_t i = 0; i < how->n_labels; i++)
		labels[n_labels++] = how->labels[i];
	struct volume_volume rec = { .name = name, .created = clock_realtime_ns(), .driver = driver, .labels = n_labels || how->labels ? labels : NULL,
		.n_labels = n_labels, .options = (struct schema_pair *)how->options, .n_options = how->n_options, .anonymous = is_anonymous };
	struct volume_item *i = item_new(v, &rec);
	if (!i) {
		free(labels);
		return err_nomem(e);
	}
	i->is_new = true;
	char *dir = fmt_new("%s", i->v.mountpoint);
	r = dir ? dir_job_wait(dir, false, e) : err_nomem(e);
	if (r == 0)
		r = store_wait(v, &rec, e);
	free(dir);
	free(labels);
	if (r < 0) {
		map_dels(&v->by_name, i->v.name);
		item_free(i);
		return r;
	}
	i->is_new = false;
	*ret_new = true;
	*ret = &i->v;
	return 0;
}

int volume_remove_wait(struct volumes *v, const char *name, struct err *e)
{
	struct volume_item *i = map_gets(&v->by_name, name);
	if (!i || i->is_new)
		return err_set(e, ENOENT, "get %s: no such volume", name);
	i->is_new = true;       /* nobody finds it from now on */
	char *key = fmt_new("volume/%s", i->v.name), *dir = item_dir(v, i->v.name);
	int r = key && dir ? kv_delete_wait(v->kv, key, e) : err_nomem(e);
	if (r == 0) {
		map_dels(&v->by_name, i->v.name);
		item_free(i);
		struct err ignored = { 0 };
		if (dir_job_wait(dir, true, &ignored) < 0)
			log_warn("volume data stayed behind", "dir=%s error=%s", dir, ignored.text);
	} else {
		i->is_new = false;
	}
	free(key);
	free(dir);
	return r;
}

/* --- volumes with options: a mount while somebody runs with it */
struct mount_job { const struct volume *v; bool off; struct err e; };

static int mount_job(void *arg)
{
	struct mount_job *j = arg;
	if (j->off)
		return umount2(j->v->mountpoint, MNT_DETACH) < 0 && errno != EINVAL ? -errno : 0;
	const char *type = schema_pair_get(j->v->options, j->v->n_options, "type");
	const char *device = schema_pair_get(j->v->options, j->v->n_options, "device");
	const char *o = schema_pair_get(j->v->options, j->v->n_options, "o");
	AUTO(buf) struct buf data = BUF_INIT(4096);
	unsigned long flags = volume_mount_flags(slice_of(o ? o : ""), &data);
	if (buf_error(&data))
		return err_set(&j->e, EINVAL, "error while mounting volume '%s': options are too long", j->v->mountpoint);
	int r = volume_mount_data(type, &data, &j->e);
	if (r < 0)
		return r;
	const char *fs = !strcmp(type, "none") || (flags & MS_BIND) ? NULL : type;
	if (mount(device, j->v->mountpoint, fs, flags, fs ? data.ptr : NULL) < 0)
		return err_set(&j->e, errno, "error while mounting volume '%s': failed to mount local volume: mount %s:%s, flags: 0x%lx%s%s: %s",
			       j->v->mountpoint, device, j->v->mountpoint, flags, data.len ? ", data: " : "", data.ptr, strerror(errno));
	if ((flags & MS_BIND) && (flags & MS_RDONLY))
		mount(NULL, j->v->mountpoint, NULL, MS_REMOUNT | flags, NULL);
	return 0;
}

int volume_mount_wait(struct volumes *v, const char *name, struct err *e)
{
	struct volume_item *i = map_gets(&v->by_name, name);
	if (!i)
		return err_set(e, ENOENT, "get %s: no such volume", name);
	if (!i->v.n_options || i->n_mounted++)
		return 0;
	if (volume_is_mounted(i->v.mountpoint))
		return 0;
	struct mount_job j = { .v = &i->v };
	int r = job_wait(mount_job, &j);
	if (r < 0) {
		i->n_mounted--;
		return err_set(e, r, "%s", j.e.text);
	}
	return 0;
}

void volume_unmount_wait(struct volumes *v, const char *name)
{
	struct volume_item *i = map_gets(&v->by_name, name);
	if (!i || !i->n_mounted || --i->n_mounted)
		return;
	struct mount_job j = { .v = &i->v, .off = true };
	job_wait(mount_job, &j);
}

struct size_job { const char *path; int64_t bytes; };

static int size_job(void *arg)
{
	struct size_job *j = arg;
	j->bytes = dir_bytes(j->path);
	return 0;
}

int64_t volume_size_wait(struct volumes *v, const char *name)
{
	struct volume_item *i = map_gets(&v->by_name, name);
	if (!i)
		return -1;
	char *path = strdup(i->v.mountpoint);
	struct size_job j = { .path = path, .bytes = -1 };
	if (path)
		job_wait(size_job, &j);
	free(path);
	return j.bytes;
}
