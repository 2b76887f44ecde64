/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/test.h"
#include "runtime/runtime_int.h"

static const char *value(const struct cgroup_plan *p, const char *file)
{
	for (uint32_t i = 0; i < p->n; i++)
		if (!strcmp(p->v[i].file, file))
			return p->v[i].value;
	return NULL;
}

static int64_t limit = 64 << 20, swap = 128 << 20, quota = 50000, pids_max = -1;
static uint64_t shares = 1024, period = 100000;

static struct oci_linux_resources make(struct oci_linux_memory *m, struct oci_linux_cpu *c, struct oci_linux_pids *p)
{
	*m = (struct oci_linux_memory){ .limit = &limit, .swap = &swap };
	*c = (struct oci_linux_cpu){ .shares = &shares, .quota = &quota, .period = &period, .cpus = "0-1" };
	*p = (struct oci_linux_pids){ .limit = &pids_max };
	return (struct oci_linux_resources){ .memory = m, .cpu = c, .pids = p };
}

TEST(limits_are_planned_for_both_versions)
{
	struct arena a;
	struct cgroup_plan p;
	struct oci_linux_memory m;
	struct oci_linux_cpu c;
	struct oci_linux_pids pids;
	struct oci_linux_resources r = make(&m, &c, &pids);
	struct err e = { 0 };
	arena_init(&a, 1 << 20);
	CHECK_OK(resources_plan(&r, false, false, &a, &p, &e), &e);
	CHECK_STR(value(&p, "memory.limit_in_bytes"), "67108864");
	CHECK_STR(value(&p, "memory.memsw.limit_in_bytes"), "134217728");
	CHECK_STR(value(&p, "cpu.shares"), "1024");
	CHECK_STR(value(&p, "pids.max"), "max");
	CHECK(!value(&p, "devices.deny"));
	CHECK_OK(resources_plan(&r, true, false, &a, &p, &e), &e);
	CHECK_STR(value(&p, "memory.max"), "67108864");
	CHECK_STR(value(&p, "memory.swap.max"), "67108864");
	CHECK_STR(value(&p, "cpu.weight"), "39");
	CHECK_STR(value(&p, "cpu.max"), "50000 100000");
	CHECK_STR(value(&p, "cpuset.cpus"), "0-1");
	CHECK(!p.devices);
	m.swap = &quota; /* less than the limit */
	CHECK_INT(resources_plan(&r, true, false, &a, &p, &e), -EINVAL);
	arena_release(&a);
}

TEST(nothing_is_allowed_to_devices_but_what_is_said)
{
	struct arena a;
	struct cgroup_plan p;
	struct oci_linux_resources r = { 0 };
	struct err e = { 0 };
	arena_init(&a, 1 << 20);
	CHECK_OK(resources_plan(&r, false, true, &a, &p, &e), &e);
	CHECK_STR(p.v[0].file, "devices.deny");
	CHECK_STR(p.v[0].value, "a");
	CHECK_STR(p.v[1].value, "c *:* m");
	CHECK_OK(resources_plan(&r, true, true, &a, &p, &e), &e);
	CHECK(p.n_devices == 11 && !p.devices[0].allow && p.devices[0].type == 'a');
	struct oci_linux_device_cgroup all = { .allow = true, .access = "rwm" };
	r.devices = &all;
	r.n_devices = 1;
	CHECK_OK(resources_plan(&r, false, true, &a, &p, &e), &e);
	CHECK_INT(p.n, 1);
	CHECK_STR(p.v[0].file, "devices.allow");
	arena_release(&a);
}
