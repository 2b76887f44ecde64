/* SPDX-License-Identifier: Apache-2.0 */
/* Limits and devices of the specification. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/num.h"
#include "engine/spec.h"

#define NEW(a, type, value) ({ type *new_ = arena_alloc(a, sizeof(type)); if (new_) *new_ = (value); new_; })

static int throttle(struct arena *a, const struct docker_throttle_device *v, uint32_t n, struct oci_linux_throttle_device **ret, uint32_t *ret_n,
		    struct err *e)
{
	if (!n)
		return 0;
	*ret = arena_array(a, n, sizeof **ret);
	if (!*ret)
		return err_nomem(e);
	for (uint32_t i = 0; i < n; i++) {
		struct stat st;
		if (stat(v[i].path, &st) < 0)
			return err_set(e, EINVAL, "stat %s: %s", v[i].path, strerror(errno));
		(*ret)[i] = (struct oci_linux_throttle_device){ major(st.st_rdev), minor(st.st_rdev), v[i].rate };
	}
	*ret_n = n;
	return 0;
}

static int block_io(struct arena *a, const struct docker_host_config *h, struct oci_linux_resources *ret, struct err *e)
{
	if (!h->blkio_weight && !h->n_blkio_weight_device && !h->n_blkio_device_read_bps && !h->n_blkio_device_write_bps &&
	    !h->n_blkio_device_read_iops && !h->n_blkio_device_write_iops)
		return 0;
	struct oci_linux_block_io *b = ret->block_io = arena_new(a, struct oci_linux_block_io);
	if (!b)
		return err_nomem(e);
	if (h->blkio_weight)
		b->weight = NEW(a, uint16_t, h->blkio_weight);
	if (h->n_blkio_weight_device) {
		b->weight_device = arena_array(a, h->n_blkio_weight_device, sizeof *b->weight_device);
		if (!b->weight_device)
			return err_nomem(e);
		for (uint32_t i = 0; i < h->n_blkio_weight_device; i++) {
			struct stat st;
			if (stat(h->blkio_weight_device[i].path, &st) < 0)
				return err_set(e, EINVAL, "stat %s: %s", h->blkio_weight_device[i].path, strerror(errno));
			b->weight_device[b->n_weight_device++] = (struct oci_linux_weight_device){ .major = major(st.st_rdev), .minor = minor(st.st_rdev),
				.weight = NEW(a, uint16_t, h->blkio_weight_device[i].weight) };
		}
	}
	int r = throttle(a, h->blkio_device_read_bps, h->n_blkio_device_read_bps, &b->throttle_read_bps_device, &b->n_throttle_read_bps_device, e);
	if (r == 0)
		r = throttle(a, h->blkio_device_write_bps, h->n_blkio_device_write_bps, &b->throttle_write_bps_device,
			     &b->n_throttle_write_bps_device, e);
	if (r == 0)
		r = throttle(a, h->blkio_device_read_iops, h->n_blkio_device_read_iops, &b->throttle_read_iops_device,
			     &b->n_throttle_read_iops_device, e);
	if (r == 0)
		r = throttle(a, h->blkio_device_write_iops, h->n_blkio_device_write_iops, &b->throttle_write_iops_device,
			     &b->n_throttle_write_iops_device, e);
	return r;
}

int spec_limits(struct arena *a, const struct docker_host_config *h, struct oci_linux_resources *ret, struct err *e)
{
	struct oci_linux_memory *m = ret->memory = arena_new(a, struct oci_linux_memory);
	struct oci_linux_cpu *c = ret->cpu = arena_new(a, struct oci_linux_cpu);
	if (!m || !c)
		return err_nomem(e);
	if (h->memory > 0)
		m->limit = NEW(a, int64_t, h->memory);
	if (h->memory_reservation > 0)
		m->reservation = NEW(a, int64_t, h->memory_reservation);
	if (h->memory > 0 || h->memory_swap)
		m->swap = h->memory_swap ? NEW(a, int64_t, h->memory_swap) : NULL;
	if (h->memory_swappiness && *h->memory_swappiness >= 0)
		m->swappiness = NEW(a, uint64_t, (uint64_t)*h->memory_swappiness);
	if (h->oom_kill_disable && *h->oom_kill_disable)
		m->disable_oom_killer = NEW(a, bool, true);
	if (h->cpu_shares)
		c->shares = NEW(a, uint64_t, (uint64_t)h->cpu_shares);
	if (h->nano_cpus > 0) {
		c->period = NEW(a, uint64_t, 100000);
		c->quota = NEW(a, int64_t, h->nano_cpus / 10000);
	}
	if (h->cpu_period)
		c->period = NEW(a, uint64_t, (uint64_t)h->cpu_period);
	if (h->cpu_quota)
		c->quota = NEW(a, int64_t, h->cpu_quota);
	if (h->cpu_realtime_period)
		c->realtime_period = NEW(a, uint64_t, (uint64_t)h->cpu_realtime_period);
	if (h->cpu_realtime_runtime)
		c->realtime_runtime = NEW(a, int64_t, h->cpu_realtime_runtime);
	c->cpus = h->cpuset_cpus && *h->cpuset_cpus ? h->cpuset_cpus : NULL;
	c->mems = h->cpuset_mems && *h->cpuset_mems ? h->cpuset_mems : NULL;
	if (h->pids_limit && *h->pids_limit) {
		ret->pids = arena_new(a, struct oci_linux_pids);
		if (!ret->pids)
			return err_nomem(e);
		ret->pids->limit = NEW(a, int64_t, *h->pids_limit);
	}
	return block_io(a, h, ret, e);
}

int spec_resources(struct spec_build *b, const struct docker_host_config *h, struct oci_linux_resources *ret, struct err *e)
{
	return spec_limits(b->a, h, ret, e);
}

/* --- devices */
static int rule(struct spec_build *b, bool allow, const char *type, int64_t ma, int64_t mi, const char *access)
{
	struct oci_linux_device_cgroup r = { .allow = allow, .type = type, .access = access };
	if (ma >= 0)
		r.major = NEW(b->a, int64_t, ma);
	if (mi >= 0)
		r.minor = NEW(b->a, int64_t, mi);
	return vec_push(&b->rules, r);
}

static int device_add(struct spec_build *b, const char *host, const char *inside, const struct stat *st, const char *access, bool with_rule)
{
	const char *type = S_ISBLK(st->st_mode) ? "b" : "c";
	struct oci_linux_device d = { .path = arena_strdup(b->a, inside), .type = type, .major = major(st->st_rdev), .minor = minor(st->st_rdev),
		.file_mode = NEW(b->a, uint32_t, st->st_mode & 07777), .uid = NEW(b->a, uint32_t, st->st_uid), .gid = NEW(b->a, uint32_t, st->st_gid) };
	if (!d.path || !d.file_mode || vec_push(&b->devices, d) < 0)
		return -ENOMEM;
	return with_rule ? rule(b, true, type, d.major, d.minor, access) : 0;
}

/* Every device below a folder of the host. */
static int device_tree(struct spec_build *b, const char *host, const char *inside, const char *access, bool with_rule, unsigned depth)
{
	static const char *const skipped[] = { "pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev", "console", "ptmx" };
	DIR *d = depth < 8 ? opendir(host) : NULL;
	int r = 0;
	if (!d)
		return depth < 8 ? -errno : 0;
	for (struct dirent *de; r == 0 && (de = readdir(d));) {
		struct stat st;
		if (de->d_name[0] == '.' || strings_have(skipped, ARRAY_LEN(skipped), de->d_name))
			continue;
		AUTO(free) char *h = fmt_new("%s/%s", host, de->d_name);
		AUTO(free) char *i = fmt_new("%s/%s", inside, de->d_name);
		if (!h || !i || lstat(h, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode))
			r = device_tree(b, h, i, access, with_rule, depth + 1);
		else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
			r = device_add(b, h, i, &st, access, with_rule);
		if (r == -EACCES || r == -ENOENT)
			r = 0;
	}
	closedir(d);
	return r;
}

static int user_device(struct spec_build *b, const struct docker_device_mapping *d, struct err *e)
{
	struct stat st;
	const char *host = str_or(d->path_on_host, ""), *inside = str_or(d->path_in_container, host), *access = str_or(d->cgroup_permissions, "rwm");
	if (stat(host, &st) < 0)
		return err_set(e, EINVAL, "error gathering device information while adding custom device \"%s\": %s", host,
			       errno == ENOENT ? "no such file or directory" : strerror(errno));
	int r;
	if (S_ISDIR(st.st_mode))
		r = device_tree(b, host, inside, access, true, 0);
	else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		r = device_add(b, host, inside, &st, access, true);
	else
		return err_set(e, EINVAL, "error gathering device information while adding custom device \"%s\": not a device node", host);
	return r < 0 ? err_sys(e, r, "adding device %s", host) : 0;
}

/* "c 42:* rmw" */
static int user_rule(struct spec_build *b, const char *text, struct err *e)
{
	struct slice rest = slice_of(text), type = { 0 }, numbers = { 0 }, access = { 0 }, ma, mi;
	int64_t a = -1, i = -1;
	bool ok = slice_next(&rest, ' ', &type) && slice_next(&rest, ' ', &numbers) && slice_next(&rest, ' ', &access) && !rest.len;
	ok = ok && type.len == 1 && strchr("acb", type.ptr[0]) && slice_cut(numbers, ':', &ma, &mi) && access.len >= 1 && access.len <= 3;
	for (size_t k = 0; ok && k < access.len; k++)
		ok = strchr("rwm", access.ptr[k]) != NULL;
	ok = ok && (slice_is(ma, "*") || num_parse_i64(ma, 0, UINT32_MAX, &a) == 0) && (slice_is(mi, "*") || num_parse_i64(mi, 0, UINT32_MAX, &i) == 0);
	if (!ok)
		return err_set(e, EINVAL, "invalid device cgroup rule format: '%s'", text);
	return rule(b, true, arena_dup(b->a, type), a, i, arena_dup(b->a, access)) < 0 ? err_nomem(e) : 0;
}

int spec_devices(struct spec_build *b, struct err *e)
{
	static const struct { const char *type; int major, minor; } allowed[] = {
		{ "c", 1, 3 }, { "c", 1, 5 }, { "c", 1, 7 }, { "c", 1, 8 }, { "c", 1, 9 }, { "c", 5, 0 }, { "c", 5, 1 }, { "c", 5, 2 },
	};
	const struct docker_host_config *h = b->c->host;
	int r;
	if (h->privileged) {
		r = device_tree(b, "/dev", "/dev", "rwm", false, 0);
		if (r == 0)
			r = rule(b, true, NULL, -1, -1, "rwm");
	} else {
		r = rule(b, false, NULL, -1, -1, "rwm");
		r = r ? r : rule(b, true, "c", -1, -1, "m");
		r = r ? r : rule(b, true, "b", -1, -1, "m");
		for (size_t i = 0; r == 0 && i < ARRAY_LEN(allowed); i++)
			r = rule(b, true, allowed[i].type, allowed[i].major, allowed[i].minor, "rwm");
		r = r ? r : rule(b, true, "c", 136, -1, "rwm");
	}
	if (r < 0)
		return err_sys(e, r, "listing devices");
	for (uint32_t i = 0; r == 0 && !h->privileged && i < h->n_devices; i++)
		r = user_device(b, &h->devices[i], e);
	for (uint32_t i = 0; r == 0 && i < h->n_device_cgroup_rules; i++)
		r = user_rule(b, h->device_cgroup_rules[i], e);
	return r;
}
