/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mount points of a container: --volumes-from, -v, --mount and the image's
 * volumes become one list at create; before each start their sources are made
 * available.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "engine/engine_int.h"
#include "engine/jobs.h"

#define BAD(...) return err_set(e, EINVAL, __VA_ARGS__)

struct mounts {
	struct container *c;
	VEC(struct mount_point) v;
};

static struct mount_point *find_target(struct mounts *m, const char *target)
{
	for (size_t i = 0; i < m->v.n; i++)
		if (!strcmp(m->v.v[i].target, target))
			return &m->v.v[i];
	return NULL;
}

static char *clean_in(struct arena *a, const char *p)
{
	char *out = arena_alloc(a, strlen(p) + 2);
	if (out)
		path_clean(out, p);
	return out;
}

static int push(struct mounts *m, const struct mount_point *p, bool may_replace, struct err *e)
{
	struct mount_point *old = find_target(m, p->target);
	if (old && !may_replace)
		BAD("Duplicate mount point: %s", p->target);
	if (old) {
		*old = *p;
		return 0;
	}
	return vec_push(&m->v, *p) < 0 ? err_nomem(e) : 0;
}

/* --- -v */
static bool is_propagation(struct slice s)
{
	static const char *const known[] = { "private", "rprivate", "shared", "rshared", "slave", "rslave" };
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (slice_is(s, known[i]))
			return true;
	return false;
}

static int mode_parse(struct mount_point *p, struct slice mode, struct arena *a)
{
	struct slice one, rest = mode;
	bool rw = false, propagation = false, label = false, nocopy = false, consistency = false;
	while (slice_next(&rest, ',', &one)) {
		bool *seen;
		if (slice_is(one, "ro") || slice_is(one, "rw")) {
			seen = &rw;
			p->rw = slice_is(one, "rw");
		} else if (is_propagation(one)) {
			seen = &propagation;
			p->propagation = arena_dup(a, one);
		} else if (slice_is(one, "z") || slice_is(one, "Z")) {
			seen = &label;
		} else if (slice_is(one, "nocopy")) {
			seen = &nocopy;
			p->no_copy = true;
		} else if (slice_is(one, "consistent") || slice_is(one, "cached") || slice_is(one, "delegated") || slice_is(one, "default")) {
			seen = &consistency;
		} else {
			return -EINVAL;
		}
		if (*seen)
			return -EINVAL;
		*seen = true;
	}
	return 0;
}

static int check_target(const char *spec, const char *target, struct err *e)
{
	if (*target != '/')
		BAD("invalid volume specification: '%s': invalid mount path: '%s' mount path must be absolute", spec, target);
	return 0;
}

static int bind_one(struct mounts *m, const char *spec, struct err *e)
{
	struct arena *a = &m->c->arena;
	struct slice s = slice_of(spec), part[4];
	size_t n = 0;
	while (n < 4 && slice_next(&s, ':', &part[n]))
		n++;
	if (n < 1 || n > 3 || !part[0].len || (n > 1 && !part[1].len) || (n == 3 && !part[2].len))
		BAD("invalid volume specification: '%s'", spec);
	struct mount_point p = { .type = "bind", .name = "", .source = "", .driver = "", .mode = "", .propagation = "", .rw = true, .from_binds = true };
	struct slice mode = n == 3 ? part[2] : (struct slice){ 0 }, target = n == 1 ? part[0] : part[1];
	if (n == 2 && part[1].ptr[0] != '/' && part[0].ptr[0] == '/') {
		/* "/data:ro": a volume without a name and a mode */
		struct mount_point probe = p;
		if (mode_parse(&probe, part[1], a) == 0) {
			target = part[0];
			mode = part[1];
			n = 1;
		}
	}
	if (mode.len && mode_parse(&p, mode, a) < 0)
		BAD("invalid mode: %.*s", SLICE_FMT(mode));
	p.mode = mode.len ? arena_dup(a, mode) : "";
	const char *raw = arena_dup(a, target);
	if (!raw)
		return err_nomem(e);
	int r = check_target(spec, raw, e);
	if (r < 0)
		return r;
	p.target = clean_in(a, raw);
	if (!p.target)
		return err_nomem(e);
	if (!strcmp(p.target, "/"))
		BAD("invalid volume specification: '%s': invalid specification: destination can't be '/'", spec);
	if (n == 1) {
		p.type = "volume";
		p.is_anonymous = true;
	} else if (part[0].ptr[0] == '/') {
		const char *source = arena_dup(a, part[0]);
		p.source = source ? clean_in(a, source) : NULL;
		if (!*p.propagation)
			p.propagation = "rprivate";
	} else {
		p.type = "volume";
		p.name = arena_dup(a, part[0]);
		if (strchr(p.name, '/'))
			BAD("create %s: \"%s\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path", p.name, p.name);
	}
	if (!strcmp(p.type, "volume")) {
		p.driver = str_or(m->c->host->volume_driver, "local");
		if (!*p.mode)
			p.mode = "z";
	}
	return p.source && p.name ? push(m, &p, true, e) : err_nomem(e);
}

/* --- --mount */
#define CONF(type, ...) err_set(e, EINVAL, "invalid mount config for type \"" type "\": " __VA_ARGS__)

static int mount_bind(struct container *c, const struct docker_mount *d, struct mount_point *p, struct err *e)
{
	if (d->volume_options)
		return CONF("bind", "field VolumeOptions must not be specified");
	if (d->tmpfs_options)
		return CONF("bind", "field TmpfsOptions must not be specified");
	if (!d->source || !*d->source)
		return CONF("bind", "field Source must not be empty");
	if (*d->source != '/')
		return CONF("bind", "invalid mount path: '%s' mount path must be absolute", d->source);
	const struct docker_mount_bind *b = d->bind_options;
	p->source = clean_in(&c->arena, d->source);
	p->propagation = b && b->propagation && *b->propagation ? b->propagation : "rprivate";
	if (!is_propagation(slice_of(p->propagation)))
		return CONF("bind", "invalid propagation mode: %s", p->propagation);
	struct stat st;
	if (stat(p->source, &st) < 0) {
		if (!b || !b->create_mountpoint)
			return CONF("bind", "bind source path does not exist: %s", d->source);
		p->from_binds = true;
	}
	if (b) {
		p->non_recursive = b->non_recursive;
		p->ro_non_recursive = b->read_only_non_recursive;
		p->ro_force_recursive = b->read_only_force_recursive;
		if (b->read_only_non_recursive && b->read_only_force_recursive)
			return CONF("bind", "ReadOnlyNonRecursive and ReadOnlyForceRecursive must not be specified together");
	}
	return 0;
}

static int mount_volume(struct container *c, const struct docker_mount *d, struct mount_point *p, struct err *e)
{
	if (d->bind_options)
		return CONF("volume", "field BindOptions must not be specified");
	if (d->tmpfs_options)
		return CONF("volume", "field TmpfsOptions must not be specified");
	const struct docker_mount_volume *o = d->volume_options;
	p->name = d->source && *d->source ? d->source : "";
	p->is_anonymous = !*p->name;
	p->mode = "z";
	p->driver = o && o->driver_config && o->driver_config->name && *o->driver_config->name ? o->driver_config->name : "local";
	if (o) {
		p->no_copy = o->no_copy;
		if (o->subpath && *o->subpath) {
			if (p->is_anonymous)
				return CONF("volume", "must not set Subpath when using anonymous volumes");
			if (*o->subpath == '/' || strstr(o->subpath, ".."))
				return CONF("volume", "subpath must be a relative path within the volume");
			p->subpath = o->subpath;
		}
	}
	return 0;
}

static int mount_tmpfs(struct container *c, const struct docker_mount *d, struct mount_point *p, struct err *e)
{
	if (d->bind_options)
		return CONF("tmpfs", "field BindOptions must not be specified");
	if (d->volume_options)
		return CONF("tmpfs", "field VolumeOptions must not be specified");
	if (d->source && *d->source)
		return CONF("tmpfs", "field Source must not be specified");
	AUTO(buf) struct buf o = BUF_INIT(4096);
	const struct docker_mount_tmpfs *t = d->tmpfs_options;
	if (d->read_only)
		buf_adds(&o, "ro");
	if (t && t->mode)
		buf_addf(&o, "%smode=%o", o.len ? "," : "", t->mode);
	if (t && t->size_bytes)
		buf_addf(&o, "%ssize=%lld", o.len ? "," : "", (long long)t->size_bytes);
	for (uint32_t i = 0; t && i < t->n_options; i++) {
		buf_adds(&o, o.len ? "," : "");
		for (uint32_t k = 0; k < t->options[i].n_items; k++)
			buf_addf(&o, "%s%s", k ? "=" : "", t->options[i].items[k]);
	}
	p->tmpfs_options = arena_dup(&c->arena, buf_slice(&o));
	return p->tmpfs_options ? 0 : err_nomem(e);
}

static int mount_image(struct container *c, const struct docker_mount *d, struct mount_point *p, struct err *e)
{
	if (!d->source || !*d->source)
		return CONF("image", "field Source must not be empty");
	char id[IMAGE_ID_MAX];
	int r = image_resolve(c->engine->config.images, IMAGE_DOCKER, d->source, id, e);
	if (r < 0)
		return r;
	p->image_id = arena_strdup(&c->arena, id);
	p->source = d->source;
	p->rw = false;
	if (d->image_options && d->image_options->subpath)
		p->subpath = d->image_options->subpath;
	return p->image_id ? 0 : err_nomem(e);
}

static int mount_one(struct mounts *m, const struct docker_mount *d, struct err *e)
{
	static const struct {
		const char *type;
		int (*make)(struct container *c, const struct docker_mount *d, struct mount_point *p, struct err *e);
	} kinds[] = { { "bind", mount_bind }, { "volume", mount_volume }, { "tmpfs", mount_tmpfs }, { "image", mount_image } };
	const char *type = d->type ? d->type : "";
	size_t k = 0;
	while (k < ARRAY_LEN(kinds) && strcmp(kinds[k].type, type))
		k++;
	if (k == ARRAY_LEN(kinds))
		BAD("invalid mount config for type \"%s\": mount type unknown", type);
	if (!d->target || !*d->target)
		BAD("invalid mount config for type \"%s\": field Target must not be empty", type);
	if (*d->target != '/')
		BAD("invalid mount config for type \"%s\": invalid mount path: '%s' mount path must be absolute", type, d->target);
	struct mount_point p = { .type = kinds[k].type, .name = "", .source = "", .driver = "", .mode = "", .propagation = "", .rw = !d->read_only };
	p.target = clean_in(&m->c->arena, d->target);
	if (!p.target)
		return err_nomem(e);
	if (!strcmp(p.target, "/"))
		BAD("invalid mount config for type \"%s\": invalid specification: destination can't be '/'", type);
	int r = kinds[k].make(m->c, d, &p, e);
	if (r < 0)
		return r;
	struct mount_point *old = find_target(m, p.target);
	if (old && old->from_binds)
		BAD("Duplicate mount point: %s", p.target);
	return push(m, &p, old && !old->from_binds && old->from_image, e);
}

static int from_one(struct mounts *m, const char *spec, struct err *e)
{
	struct slice name, mode;
	bool has_mode = slice_cut(slice_of(spec), ':', &name, &mode);
	struct arena *a = &m->c->arena;
	char *n = arena_dup(a, name);
	if (!n)
		return err_nomem(e);
	if (!*n)
		BAD("invalid volumes-from specification: '%s'", spec);
	struct mount_point probe = { 0 };
	if (has_mode && mode_parse(&probe, mode, a) < 0)
		BAD("invalid mode for volumes-from: %.*s", SLICE_FMT(mode));
	AUTO(container) struct container *o = NULL;
	int r = container_find(m->c->engine, n, &o, e);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < o->n_mounts; i++) {
		const struct mount_point *f = &o->mounts[i];
		struct mount_point p = *f;
		p.type = f->type;
		p.name = arena_strdup(a, f->name);
		p.source = arena_strdup(a, f->source);
		p.target = arena_strdup(a, f->target);
		p.driver = arena_strdup(a, f->driver);
		p.mode = has_mode ? arena_dup(a, mode) : arena_strdup(a, f->mode);
		p.propagation = arena_strdup(a, f->propagation);
		p.subpath = arena_strdup(a, f->subpath);
		p.tmpfs_options = arena_strdup(a, f->tmpfs_options);
		p.image_id = arena_strdup(a, f->image_id);
		p.type = !strcmp(f->type, "bind") ? "bind" : !strcmp(f->type, "volume") ? "volume" : !strcmp(f->type, "tmpfs") ? "tmpfs" : "image";
		p.from_binds = false;
		p.from_image = true;      /* gives way to what this container says itself */
		p.is_anonymous = false;
		if (has_mode)
			p.rw = f->rw && !slice_is(mode, "ro");
		r = push(m, &p, true, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Creates (or finds) the volume behind a mount point; content of the image is copied into a new, empty one. */
static int volume_for(struct container *c, struct mount_point *p, const struct docker_mount *d, struct err *e)
{
	struct volume_create how = { .name = p->name, .driver = p->driver, .is_anonymous = p->is_anonymous };
	if (d && d->volume_options) {
		how.labels = d->volume_options->labels;
		how.n_labels = d->volume_options->n_labels;
		if (d->volume_options->driver_config) {
			how.options = d->volume_options->driver_config->options;
			how.n_options = d->volume_options->driver_config->n_options;
		}
	}
	const struct volume *v;
	bool is_new;
	int r = volume_create_wait(c->engine->config.volumes, &how, &v, &is_new, e);
	if (r < 0)
		return r;
	p->name = arena_strdup(&c->arena, v->name);
	p->source = arena_strdup(&c->arena, v->mountpoint);
	if (!p->name || !p->source)
		return err_nomem(e);
	if (is_new)
		engine_event(c->engine, "volume", "create", v->name, (struct schema_pair[]){ { "driver", "local" } }, 1);
	if (p->no_copy || p->subpath || v->n_options || !*c->image_id)
		return 0;
	return jobs_copy_up_wait(c, p->target, p->source, e);
}

static int volumes_make_wait(struct mounts *m, struct err *e)
{
	struct container *c = m->c;
	for (size_t i = 0; i < m->v.n; i++) {
		struct mount_point *p = &m->v.v[i];
		if (strcmp(p->type, "volume"))
			continue;
		const struct docker_mount *d = NULL;
		for (uint32_t k = 0; k < c->host->n_mounts && !d; k++) {
			AUTO(free) char *clean = malloc(strlen(c->host->mounts[k].target ? c->host->mounts[k].target : "") + 2);
			if (!clean)
				return err_nomem(e);
			path_clean(clean, c->host->mounts[k].target ? c->host->mounts[k].target : "");
			if (!strcmp(clean, p->target))
				d = &c->host->mounts[k];
		}
		int r = volume_for(c, p, d, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int resolve_wait(struct mounts *m, struct err *e)
{
	struct container *c = m->c;
	int r = 0;
	for (uint32_t i = 0; r == 0 && i < c->host->n_volumes_from; i++)
		r = from_one(m, c->host->volumes_from[i], e);
	for (uint32_t i = 0; r == 0 && i < c->host->n_binds; i++) {
		size_t before = m->v.n;
		r = bind_one(m, c->host->binds[i], e);
		/* two -v for one place */
		for (size_t k = 0; r == 0 && m->v.n == before && k < i; k++) {
			const char *t = strrchr(c->host->binds[k], ':'), *s = strchr(c->host->binds[k], ':');
			struct mount_point *p = m->v.n ? &m->v.v[m->v.n - 1] : NULL;
			if (p && t && s && !strncmp(s + 1, p->target, strlen(p->target)) && strchr(":", s[1 + strlen(p->target)]))
				return err_set(e, EINVAL, "Duplicate mount point: %s", p->target);
		}
	}
	for (uint32_t i = 0; r == 0 && i < c->host->n_mounts; i++)
		r = mount_one(m, &c->host->mounts[i], e);
	for (uint32_t i = 0; r == 0 && i < c->host->n_tmpfs; i++) {
		const char *t = c->host->tmpfs[i].key;
		if (*t != '/')
			return err_set(e, EINVAL, "invalid mount path: '%s' mount path must be absolute", t);
		if (!strcmp(t, "/"))
			return err_set(e, EINVAL, "invalid specification: destination can't be '/'");
		const char *clean = clean_in(&c->arena, t);
		if (!clean)
			return err_nomem(e);
		struct mount_point *old = find_target(m, clean);
		if (old && !old->from_image)
			return err_set(e, EINVAL, "Duplicate mount point: %s", clean);
	}
	for (uint32_t i = 0; r == 0 && i < c->config->n_volumes; i++) {
		const char *t = clean_in(&c->arena, c->config->volumes[i].key);
		if (!t)
			return err_nomem(e);
		if (*t != '/' || !strcmp(t, "/"))
			return err_set(e, EINVAL, "invalid volume specification: '%s'", c->config->volumes[i].key);
		bool is_tmpfs = schema_pair_get(c->host->tmpfs, c->host->n_tmpfs, t) != NULL;
		if (find_target(m, t) || is_tmpfs)
			continue;
		struct mount_point p = { .type = "volume", .name = "", .source = "", .target = t, .driver = "local", .mode = "", .propagation = "",
			.rw = true, .is_anonymous = true, .from_image = true };
		r = push(m, &p, false, e);
	}
	return r == 0 ? volumes_make_wait(m, e) : r;
}

int mounts_resolve_wait(struct container *c, const struct docker_image_config *image, struct err *e)
{
	struct mounts m = { .c = c };
	int r = resolve_wait(&m, e);
	if (r == 0) {
		c->mounts = arena_array(&c->arena, m.v.n, sizeof *c->mounts);
		if (c->mounts && m.v.n)
			memcpy(c->mounts, m.v.v, m.v.n * sizeof *c->mounts);
		c->n_mounts = c->mounts ? (uint32_t)m.v.n : 0;
		r = c->mounts ? 0 : err_nomem(e);
	}
	vec_release(&m.v);
	return r;
}

static int make_source(void *arg)
{
	const struct mount_point *p = arg;
	struct stat st;
	if (stat(p->source, &st) == 0)
		return 0;
	return dir_make(AT_FDCWD, p->source, 0755);
}

int mounts_prepare_wait(struct container *c, struct err *e)
{
	for (uint32_t i = 0; i < c->n_mounts; i++) {
		struct mount_point *p = &c->mounts[i];
		if (!strcmp(p->type, "volume")) {
			int r = volume_mount_wait(c->engine->config.volumes, p->name, e);
			if (r < 0) {
				while (i--)
					if (!strcmp(c->mounts[i].type, "volume"))
						volume_unmount_wait(c->engine->config.volumes, c->mounts[i].name);
				return r;
			}
		} else if (!strcmp(p->type, "bind") && p->from_binds) {
			struct stat st;
			int r = stat(p->source, &st) == 0 ? 0 : job_wait(make_source, p);
			if (r < 0)
				return err_set(e, EINVAL, "error while creating mount source path '%s': mkdir %s: %s", p->source, p->source, strerror(-r));
		} else if (!strcmp(p->type, "bind")) {
			struct stat st;
			if (stat(p->source, &st) < 0)
				return err_set(e, EINVAL, "invalid mount config for type \"bind\": bind source path does not exist: %s", p->source);
		}
	}
	return 0;
}

void mounts_unuse(struct container *c)
{
	for (uint32_t i = 0; i < c->n_mounts; i++)
		if (!strcmp(c->mounts[i].type, "volume"))
			volume_unmount_wait(c->engine->config.volumes, c->mounts[i].name);
}
