/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.resources -> a plan of files to write, for v1 and v2; pure, so that a
 * test reads the plan. runtime-spec config-linux.md "Control groups", and the
 * conversions from v1's units to v2's that runc and crun share.
 */
#include "runtime/runtime_int.h"

#include <errno.h>

enum { WRITES_MAX = 512 };

struct planning {
	struct arena *a;
	struct cgroup_plan *p;
	int failed;
};

static void add(struct planning *x, const char *controller, const char *file, const char *value, bool optional)
{
	if (!x->p->v)
		x->p->v = arena_array(x->a, WRITES_MAX, sizeof *x->p->v);
	if (!x->p->v || !file || !value)
		x->failed = -ENOMEM;
	else if (x->p->n == WRITES_MAX)
		x->failed = -E2BIG;
	else
		x->p->v[x->p->n++] = (struct cgroup_write){ controller, file, value, optional };
}

static void add_number(struct planning *x, const char *controller, const char *file, int64_t value, bool max)
{
	add(x, controller, file, max && value < 0 ? "max" : arena_fmt(x->a, "%lld", (long long)value), false);
}

static void add_unsigned(struct planning *x, const char *controller, const char *file, uint64_t value)
{
	add(x, controller, file, arena_fmt(x->a, "%llu", (unsigned long long)value), false);
}

static int memory_v1(struct planning *x, const struct oci_linux_memory *m)
{
	if (m->limit && *m->limit)
		add_number(x, "memory", "memory.limit_in_bytes", *m->limit, false);
	if (m->swap && *m->swap)
		add_number(x, "memory", "memory.memsw.limit_in_bytes", *m->swap, false);
	if (m->reservation && *m->reservation)
		add_number(x, "memory", "memory.soft_limit_in_bytes", *m->reservation, false);
	if (m->kernel_tcp && *m->kernel_tcp)
		add_number(x, "memory", "memory.kmem.tcp.limit_in_bytes", *m->kernel_tcp, false);
	if (m->swappiness && *m->swappiness <= 100)
		add_unsigned(x, "memory", "memory.swappiness", *m->swappiness);
	if (m->disable_oom_killer && *m->disable_oom_killer)
		add(x, "memory", "memory.oom_control", "1", false);
	return 0;
}

/* v1's swap limit counts memory and swap together, v2's swap alone. */
static int memory_v2(struct planning *x, const struct oci_linux_memory *m, struct err *e)
{
	int64_t limit = m->limit ? *m->limit : 0, swap = m->swap ? *m->swap : 0;
	if (swap > 0 && limit > 0 && swap < limit)
		return err_set(e, EINVAL, "memory+swap limit must be greater or equal to memory limit");
	if (swap > 0 && limit == 0)
		return err_set(e, EINVAL, "unable to set swap limit without memory limit");
	if (limit)
		add_number(x, "memory", "memory.max", limit, true);
	if (swap < 0 || (limit < 0 && swap == 0))
		add(x, "memory", "memory.swap.max", "max", true);
	else if (swap > 0)
		add_number(x, "memory", "memory.swap.max", limit < 0 ? -1 : swap - limit, true);
	if (m->reservation && *m->reservation)
		add_number(x, "memory", "memory.low", *m->reservation, true);
	return 0;
}

static void cpu_v1(struct planning *x, const struct oci_linux_cpu *c)
{
	if (c->cpus && *c->cpus)
		add(x, "cpuset", "cpuset.cpus", c->cpus, false);
	if (c->mems && *c->mems)
		add(x, "cpuset", "cpuset.mems", c->mems, false);
	if (c->idle)
		add_number(x, "cpu", "cpu.idle", *c->idle, false);
	if (c->shares && *c->shares)
		add_unsigned(x, "cpu", "cpu.shares", *c->shares);
	if (c->period && *c->period)
		add_unsigned(x, "cpu", "cpu.cfs_period_us", *c->period);
	if (c->quota && *c->quota)
		add_number(x, "cpu", "cpu.cfs_quota_us", *c->quota, false);
	if (c->burst)
		add_unsigned(x, "cpu", "cpu.cfs_burst_us", *c->burst);
	if (c->realtime_period && *c->realtime_period)
		add_unsigned(x, "cpu", "cpu.rt_period_us", *c->realtime_period);
	if (c->realtime_runtime && *c->realtime_runtime)
		add_number(x, "cpu", "cpu.rt_runtime_us", *c->realtime_runtime, false);
}

static void cpu_v2(struct planning *x, const struct oci_linux_cpu *c)
{
	if (c->cpus && *c->cpus)
		add(x, "cpuset", "cpuset.cpus", c->cpus, false);
	if (c->mems && *c->mems)
		add(x, "cpuset", "cpuset.mems", c->mems, false);
	if (c->idle)
		add_number(x, "cpu", "cpu.idle", *c->idle, false);
	/* 2 … 262144 to 1 … 10000 */
	if (c->shares && *c->shares) {
		uint64_t s = MIN(MAX(*c->shares, (uint64_t)2), (uint64_t)262144);
		add_unsigned(x, "cpu", "cpu.weight", 1 + (s - 2) * 9999 / 262142);
	}
	if ((c->quota && *c->quota) || (c->period && *c->period)) {
		uint64_t period = c->period && *c->period ? *c->period : 100000;
		if (c->quota && *c->quota > 0)
			add(x, "cpu", "cpu.max", arena_fmt(x->a, "%lld %llu", (long long)*c->quota, (unsigned long long)period), false);
		else
			add(x, "cpu", "cpu.max", arena_fmt(x->a, "max %llu", (unsigned long long)period), false);
	}
	if (c->burst)
		add_unsigned(x, "cpu", "cpu.max.burst", *c->burst);
}

static void throttle(struct planning *x, bool v2, const char *v1_file, const char *v2_key,
		     const struct oci_linux_throttle_device *d, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (v2)
			add(x, "io", "io.max",
			    arena_fmt(x->a, "%lld:%lld %s=%llu", (long long)d[i].major, (long long)d[i].minor, v2_key,
				      (unsigned long long)d[i].rate),
			    false);
		else
			add(x, "blkio", v1_file,
			    arena_fmt(x->a, "%lld:%lld %llu", (long long)d[i].major, (long long)d[i].minor,
				      (unsigned long long)d[i].rate),
			    false);
	}
}

static void block_io(struct planning *x, bool v2, const struct oci_linux_block_io *b)
{
	/* Weights need the BFQ scheduler (or io.cost): where their files are missing, they have no meaning. */
	if (b->weight && *b->weight) {
		if (v2) {
			add(x, "io", "io.bfq.weight", arena_fmt(x->a, "%u", *b->weight), true);
			add(x, "io", "io.weight", arena_fmt(x->a, "%u", 1 + (*b->weight - 10) * 9999 / 990), true);
		} else {
			add(x, "blkio", "blkio.bfq.weight", arena_fmt(x->a, "%u", *b->weight), true);
			add(x, "blkio", "blkio.weight", arena_fmt(x->a, "%u", *b->weight), true);
		}
	}
	for (uint32_t i = 0; i < b->n_weight_device; i++) {
		const struct oci_linux_weight_device *d = &b->weight_device[i];
		if (d->weight)
			add(x, v2 ? "io" : "blkio", v2 ? "io.bfq.weight" : "blkio.bfq.weight_device",
			    arena_fmt(x->a, "%lld:%lld %u", (long long)d->major, (long long)d->minor, *d->weight), true);
	}
	throttle(x, v2, "blkio.throttle.read_bps_device", "rbps", b->throttle_read_bps_device, b->n_throttle_read_bps_device);
	throttle(x, v2, "blkio.throttle.write_bps_device", "wbps", b->throttle_write_bps_device, b->n_throttle_write_bps_device);
	throttle(x, v2, "blkio.throttle.read_iops_device", "riops", b->throttle_read_iops_device, b->n_throttle_read_iops_device);
	throttle(x, v2, "blkio.throttle.write_iops_device", "wiops", b->throttle_write_iops_device, b->n_throttle_write_iops_device);
}

static int device_rule(const struct oci_linux_device_cgroup *d, struct sys_device_rule *r, struct err *e)
{
	const char *access = d->access && *d->access ? d->access : "rwm";
	*r = (struct sys_device_rule){ .allow = d->allow, .type = d->type && *d->type ? d->type[0] : 'a', .major = d->major ? *d->major : -1,
				       .minor = d->minor ? *d->minor : -1, .r = strchr(access, 'r'), .w = strchr(access, 'w'),
				       .m = strchr(access, 'm') };
	if (r->type != 'a' && r->type != 'b' && r->type != 'c')
		return err_set(e, EINVAL, "invalid type of a device rule: %s", d->type);
	if (strspn(access, "rwm") != strlen(access))
		return err_set(e, EINVAL, "invalid access of a device rule: %s", access);
	return 0;
}

/* What every container may use: runtime-spec's default devices, terminals, and making nodes (which then cannot be opened). */
static const struct sys_device_rule always[] = {
	{ true, 'c', -1, -1, false, false, true }, { true, 'b', -1, -1, false, false, true },
	{ true, 'c', 1, 3, true, true, true },	   { true, 'c', 1, 8, true, true, true },
	{ true, 'c', 1, 7, true, true, true },	   { true, 'c', 5, 0, true, true, true },
	{ true, 'c', 1, 5, true, true, true },	   { true, 'c', 1, 9, true, true, true },
	{ true, 'c', 136, -1, true, true, true },  { true, 'c', 5, 2, true, true, true },
};

static const char *number_or_star(struct arena *a, int64_t n)
{
	return n < 0 ? "*" : arena_fmt(a, "%lld", (long long)n);
}

static void device_v1(struct planning *x, const struct sys_device_rule *r)
{
	const char *file = r->allow ? "devices.allow" : "devices.deny";
	if (r->type == 'a')
		add(x, "devices", file, "a", false);
	else
		add(x, "devices", file,
		    arena_fmt(x->a, "%c %s:%s %s%s%s", r->type, number_or_star(x->a, r->major), number_or_star(x->a, r->minor),
			      r->r ? "r" : "", r->w ? "w" : "", r->m ? "m" : ""),
		    false);
}

static int devices(struct planning *x, const struct oci_linux_resources *r, bool v2, bool create, struct err *e)
{
	if (!create && r->n_devices == 0)
		return 0;
	uint32_t n = 0;
	struct sys_device_rule *v = arena_array(x->a, r->n_devices + ARRAY_LEN(always) + 1, sizeof *v);
	if (!v)
		return err_nomem(e);
	/* Nothing is allowed to begin with. */
	v[n++] = (struct sys_device_rule){ false, 'a', -1, -1, true, true, true };
	bool everything = false;
	for (uint32_t i = 0; i < r->n_devices; i++) {
		int k = device_rule(&r->devices[i], &v[n], e);
		if (k < 0)
			return k;
		/* A rule for all devices makes those before it void. */
		if (v[n].type == 'a' && v[n].major < 0 && v[n].minor < 0 && v[n].r && v[n].w && v[n].m) {
			v[0] = v[n];
			n = 0;
			everything = v[0].allow;
		}
		n++;
	}
	if (!(everything && n == 1))
		for (size_t i = 0; i < ARRAY_LEN(always); i++)
			v[n++] = always[i];
	if (v2) {
		x->p->devices = v;
		x->p->n_devices = n;
	}
	for (uint32_t i = 0; !v2 && i < n; i++)
		device_v1(x, &v[i]);
	return 0;
}

static int unified(struct planning *x, const struct oci_linux_resources *r, bool v2, struct err *e)
{
	if (r->n_unified && !v2)
		return err_set(e, EINVAL, "invalid configuration: unified cgroup resources need cgroup v2");
	for (uint32_t i = 0; i < r->n_unified; i++) {
		const char *k = r->unified[i].key;
		if (!*k || strchr(k, '/') || !strchr(k, '.') || !strncmp(k, "cgroup.", 7) || !r->unified[i].value)
			return err_set(e, EINVAL, "unified resource \"%s\" must be a file name of a controller", k);
		add(x, "", k, r->unified[i].value, false);
	}
	return 0;
}

int resources_plan(const struct oci_linux_resources *r, bool v2, bool create, struct arena *a, struct cgroup_plan *ret, struct err *e)
{
	struct planning x = { .a = a, .p = ret };
	int k = 0;
	*ret = (struct cgroup_plan){ 0 };
	if ((k = devices(&x, r, v2, create, e)) < 0)
		return k;
	if (r->memory && (k = v2 ? memory_v2(&x, r->memory, e) : memory_v1(&x, r->memory)) < 0)
		return k;
	if (r->cpu && v2)
		cpu_v2(&x, r->cpu);
	else if (r->cpu)
		cpu_v1(&x, r->cpu);
	if (r->pids && r->pids->limit && *r->pids->limit)
		add_number(&x, "pids", "pids.max", *r->pids->limit, true);
	if (r->block_io)
		block_io(&x, v2, r->block_io);
	for (uint32_t i = 0; i < r->n_hugepage_limits; i++)
		add_unsigned(&x, "hugetlb",
			     arena_fmt(a, "hugetlb.%s.%s", r->hugepage_limits[i].page_size, v2 ? "max" : "limit_in_bytes"),
			     r->hugepage_limits[i].limit);
	if (r->network && !v2) {
		if (r->network->class_id)
			add_unsigned(&x, "net_cls", "net_cls.classid", *r->network->class_id);
		for (uint32_t i = 0; i < r->network->n_priorities; i++)
			add(&x, "net_prio", "net_prio.ifpriomap",
			    arena_fmt(a, "%s %u", r->network->priorities[i].name, r->network->priorities[i].priority), false);
	}
	for (uint32_t i = 0; i < r->n_rdma; i++) {
		const struct oci_linux_rdma *d = &r->rdma[i].value;
		const char *handles = d->hca_handles ? arena_fmt(a, " hca_handle=%u", *d->hca_handles) : "";
		const char *objects = d->hca_objects ? arena_fmt(a, " hca_object=%u", *d->hca_objects) : "";
		add(&x, "rdma", "rdma.max", arena_fmt(a, "%s%s%s", r->rdma[i].key, handles ? handles : "", objects ? objects : ""), false);
	}
	if ((k = unified(&x, r, v2, e)) < 0)
		return k;
	return x.failed ? err_sys(e, x.failed, "plan the control group's limits") : 0;
}

static int write_one(const struct sys_cgroup *cg, const struct cgroup_write *w, struct err *e)
{
	int r = sys_cgroup_write(cg, w->controller, w->file, w->value, e);
	return r == -ENOENT && w->optional ? 0 : r;
}

int resources_apply(const struct cgroup_plan *p, const struct sys_cgroup *cg, struct err *e)
{
	int r = 0;
	for (uint32_t i = 0; r == 0 && i < p->n; i++) {
		const struct cgroup_write *w = &p->v[i], *next = i + 1 < p->n ? &p->v[i + 1] : NULL;
		bool pair = next && !strcmp(w->file, "memory.limit_in_bytes") && !strcmp(next->file, "memory.memsw.limit_in_bytes");
		r = write_one(cg, w, pair ? NULL : e);
		/* The sum may never be the smaller one: raising a limit, the sum goes first. */
		if (r < 0 && pair) {
			r = write_one(cg, next, e);
			if (r == 0)
				r = write_one(cg, w, e);
			i++;
		}
	}
	if (r == 0 && p->devices)
		r = sys_cgroup_devices_v2(sys_cgroup_dir(cg, "devices"), p->devices, p->n_devices, e);
	return r;
}
