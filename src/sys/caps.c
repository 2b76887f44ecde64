/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/caps.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"

static const char *const names[] = {
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
	"CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
	"CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE",
	"CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
};

int sys_cap_from_name(const char *name)
{
	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		if (!strcasecmp(name, names[i]))
			return (int)i;
	return -EINVAL;
}

const char *sys_cap_name(unsigned n)
{
	return n < ARRAY_LEN(names) ? names[n] : NULL;
}

unsigned sys_cap_last(void)
{
	/* PR_CAPBSET_READ answers EINVAL past the last one: two calls instead of a file. */
	unsigned n = ARRAY_LEN(names) - 1;
	while (n > 0 && prctl(PR_CAPBSET_READ, n, 0, 0, 0) < 0)
		n--;
	while (n < 63 && prctl(PR_CAPBSET_READ, n + 1, 0, 0, 0) >= 0)
		n++;
	return n;
}

int sys_caps_bound(uint64_t bounding, struct err *e)
{
	unsigned last = sys_cap_last();
	for (unsigned i = 0; i <= last; i++) {
		if (bounding >> i & 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0) {
			if (errno == EPERM && prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 0)
				continue;
			return err_sys(e, errno, "drop capability %s from the bounding set",
				       i < ARRAY_LEN(names) ? names[i] : "?");
		}
	}
	return 0;
}

int sys_caps_set(const struct sys_caps *c, struct err *e)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = {
		{ (uint32_t)c->effective, (uint32_t)c->permitted, (uint32_t)c->inheritable },
		{ (uint32_t)(c->effective >> 32), (uint32_t)(c->permitted >> 32), (uint32_t)(c->inheritable >> 32) },
	};
	if (syscall(SYS_capset, &h, d) < 0)
		return err_sys(e, errno, "set the capabilities");
	return 0;
}

int sys_caps_ambient(const struct sys_caps *c, struct err *e)
{
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return errno == EINVAL && !c->ambient ? 0 : err_sys(e, errno, "clear the ambient capabilities");
	for (unsigned i = 0; i < 64; i++)
		if (c->ambient >> i & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0 && errno != EPERM)
			return err_sys(e, errno, "raise ambient capability %u", i);
	return 0;
}
