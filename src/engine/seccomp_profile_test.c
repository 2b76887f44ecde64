/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/seccomp_profile.h"

#include "api/oci.h"
#include "base/test.h"

static const struct oci_linux_syscall *find(const struct oci_linux_seccomp *s, const char *name)
{
	for (uint32_t i = 0; i < s->n_syscalls; i++)
		for (uint32_t k = 0; k < s->syscalls[i].n_names; k++)
			if (!strcmp(s->syscalls[i].names[k], name))
				return &s->syscalls[i];
	return NULL;
}

TEST(default_profile_follows_the_capabilities)
{
	struct arena a;
	struct oci_linux_seccomp s;
	arena_init(&a, 1 << 20);
	CHECK(seccomp_default_profile(&a, seccomp_default_caps, SECCOMP_N_DEFAULT_CAPS, 6018, &s) == 0);
	CHECK(find(&s, "read") && find(&s, "chroot") && !find(&s, "mount") && !find(&s, "bpf") && find(&s, "ptrace"));
	CHECK_STR(find(&s, "clone3")->action, "SCMP_ACT_ERRNO");
	CHECK_INT(find(&s, "clone")->n_args, 1);
	static const char *const admin[] = { "CAP_SYS_ADMIN" };
	CHECK(seccomp_default_profile(&a, admin, 1, 4004, &s) == 0);
	CHECK(find(&s, "mount") && !find(&s, "chroot") && !find(&s, "ptrace"));
	CHECK_STR(find(&s, "clone3")->action, "SCMP_ACT_ALLOW");
	CHECK_INT(find(&s, "clone")->n_args, 0);
	arena_release(&a);
}
