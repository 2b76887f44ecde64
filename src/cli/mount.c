/* SPDX-License-Identifier: Apache-2.0 */
/* The --mount flag. See mount.h. */
#include "cli/mount.h"
#include <limits.h>
#include "base/auto.h"
#include "base/num.h"
#include "cli/text.h"

bool csv_next(struct arena *a, const char **rest, const char **ret)
{
	const char *p = *rest;
	char *out, *q;
	bool quoted;

	if (!p || !(out = q = arena_alloc(a, strlen(p) + 1)))
		return false;
	quoted = *p == '"';
	p += quoted;
	for (; *p; p++) {
		if (quoted && *p == '"') {
			if (p[1] != '"') {
				quoted = false;
				continue;
			}
			p++;
		} else if (!quoted && *p == ',') {
			break;
		}
		*q++ = *p;
	}
	*rest = *p ? p + 1 : NULL;
	*ret = out;
	return true;
}

struct mount_state {
	struct arena *a;
	struct docker_mount *m;
	struct err *e;
	const char *type_words;          /* "bind-*" and the like: what option families were used */
	bool has_bind, has_volume, has_tmpfs, has_image;
};

static struct docker_mount_bind *bind_of(struct mount_state *x)
{
	x->has_bind = true;
	if (!x->m->bind_options)
		x->m->bind_options = arena_new(x->a, struct docker_mount_bind);
	return x->m->bind_options;
}

static struct docker_mount_volume *volume_of(struct mount_state *x)
{
	x->has_volume = true;
	if (!x->m->volume_options)
		x->m->volume_options = arena_new(x->a, struct docker_mount_volume);
	return x->m->volume_options;
}

static struct docker_mount_driver *driver_of(struct mount_state *x)
{
	struct docker_mount_volume *v = volume_of(x);
	if (!v->driver_config)
		v->driver_config = arena_new(x->a, struct docker_mount_driver);
	return v->driver_config;
}

static struct docker_mount_tmpfs *tmpfs_of(struct mount_state *x)
{
	x->has_tmpfs = true;
	if (!x->m->tmpfs_options)
		x->m->tmpfs_options = arena_new(x->a, struct docker_mount_tmpfs);
	return x->m->tmpfs_options;
}

static int want_bool(struct mount_state *x, const char *key, const char *value, bool *ret)
{
	if (!value) {
		*ret = true;
		return 0;
	}
	if (cli_parse_bool(value, ret) < 0)
		return err_set(x->e, EINVAL, "invalid value for %s: %s", key, value);
	return 0;
}

static int bind_recursive(struct mount_state *x, const char *value)
{
	if (strcmp(value, "enabled") == 0)
		return 0;
	if (strcmp(value, "disabled") == 0)
		bind_of(x)->non_recursive = true;
	else if (strcmp(value, "writable") == 0)
		bind_of(x)->read_only_non_recursive = true;
	else if (strcmp(value, "readonly") == 0)
		bind_of(x)->read_only_force_recursive = true;
	else
		return err_set(x->e, EINVAL, "invalid value for bind-recursive: %s (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")",
			       value);
	return 0;
}

static int set_key(struct mount_state *x, const char *key, const char *value)
{
	struct docker_mount *m = x->m;
	uint64_t mode;
	int64_t size;
	bool b;

	if (!strcmp(key, "readonly") || !strcmp(key, "ro"))
		return want_bool(x, key, value, &m->read_only);
	if (!strcmp(key, "volume-nocopy"))
		return want_bool(x, key, value, &volume_of(x)->no_copy);
	if (!strcmp(key, "bind-nonrecursive"))
		return want_bool(x, key, value, &bind_of(x)->non_recursive);
	if (!strcmp(key, "bind-create-src"))
		return want_bool(x, key, value, &b) < 0 ? -EINVAL : (bind_of(x)->create_mountpoint = b, 0);
	if (!value)
		return err_set(x->e, EINVAL, "invalid field '%s' must be a key=value pair", key);
	if (!strcmp(key, "type")) {
		m->type = cli_lower(x->a, value);
	} else if (!strcmp(key, "source") || !strcmp(key, "src")) {
		char full[PATH_MAX];
		m->source = value[0] == '.' && realpath(value, full) ? arena_strdup(x->a, full) : value;
	} else if (!strcmp(key, "target") || !strcmp(key, "dst") || !strcmp(key, "destination")) {
		m->target = value;
	} else if (!strcmp(key, "consistency")) {
		m->consistency = cli_lower(x->a, value);
	} else if (!strcmp(key, "bind-propagation")) {
		bind_of(x)->propagation = cli_lower(x->a, value);
	} else if (!strcmp(key, "bind-recursive")) {
		return bind_recursive(x, value);
	} else if (!strcmp(key, "volume-subpath")) {
		volume_of(x)->subpath = value;
	} else if (!strcmp(key, "volume-driver")) {
		driver_of(x)->name = value;
	} else if (!strcmp(key, "volume-opt")) {
		struct docker_mount_driver *d = driver_of(x);
		return pair_add(x->a, &d->options, &d->n_options, value);
	} else if (!strcmp(key, "volume-label")) {
		struct docker_mount_volume *v = volume_of(x);
		return pair_add(x->a, &v->labels, &v->n_labels, value);
	} else if (!strcmp(key, "image-subpath")) {
		x->has_image = true;
		m->image_options = arena_new(x->a, struct docker_mount_image);
		m->image_options->subpath = value;
	} else if (!strcmp(key, "tmpfs-size")) {
		if (num_parse_bytes(slice_of(value), &size) < 0)
			return err_set(x->e, EINVAL, "invalid value for %s: %s", key, value);
		tmpfs_of(x)->size_bytes = size;
	} else if (!strcmp(key, "tmpfs-mode")) {
		if (num_parse_base(slice_of(value), 8, 07777, &mode) < 0)
			return err_set(x->e, EINVAL, "invalid value for %s: %s", key, value);
		tmpfs_of(x)->mode = (uint32_t)mode;
	} else {
		return err_set(x->e, EINVAL, "unexpected key '%s' in '%s=%s'", key, key, value);
	}
	return 0;
}

static int check_families(struct mount_state *x)
{
	const struct docker_mount *m = x->m;
	static const char text[] = "cannot mix '%s' options with mount type '%s'";

	if (!m->target)
		return err_set(x->e, EINVAL, "target is required");
	if (x->has_volume && strcmp(m->type, "volume") != 0)
		return err_set(x->e, EINVAL, text, "volume-*", m->type);
	if (x->has_bind && strcmp(m->type, "bind") != 0)
		return err_set(x->e, EINVAL, text, "bind-*", m->type);
	if (x->has_tmpfs && strcmp(m->type, "tmpfs") != 0)
		return err_set(x->e, EINVAL, text, "tmpfs-*", m->type);
	if (x->has_image && strcmp(m->type, "image") != 0)
		return err_set(x->e, EINVAL, text, "image-*", m->type);
	return 0;
}

int mount_parse(struct arena *a, const char *spec, struct docker_mount *ret, struct err *e)
{
	struct mount_state x = { .a = a, .m = ret, .e = e };
	const char *field;

	*ret = (struct docker_mount){ .type = "volume" };
	while (csv_next(a, &spec, &field)) {
		char *eq = strchr(field, '=');
		if (eq)
			*eq = 0;
		int r = set_key(&x, cli_lower(a, field), eq ? eq + 1 : NULL);
		if (r < 0)
			return r;
	}
	return check_families(&x);
}
