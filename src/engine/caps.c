/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/caps.h"

#include <ctype.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/auto.h"
#include "base/buf.h"

/* By number. */
static const char *const names[] = {
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
	"CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK",
	"CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN",
	"CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE",
	"CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
};
#define BIT(n) (1ull << (n))
/* CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT MKNOD AUDIT_WRITE SETFCAP */
static const uint64_t defaults = BIT(0) | BIT(1) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(10) | BIT(13) | BIT(18) |
	BIT(27) | BIT(29) | BIT(31);

bool cap_normal(const char *s, char out[64])
{
	char up[64];
	size_t n = 0;
	for (; s && s[n] && n < sizeof up - 5; n++)
		up[n] = (char)toupper((unsigned char)s[n]);
	up[n] = 0;
	if (!strcmp(up, "ALL")) {
		fmt_into(out, 64, "ALL");
		return true;
	}
	fmt_into(out, 64, "%s%s", strncmp(up, "CAP_", 4) ? "CAP_" : "", up);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(names[i], out))
			return true;
	return false;
}

static uint64_t set_of(const char *const *v, uint32_t n, bool *all)
{
	uint64_t set = 0;
	*all = false;
	for (uint32_t i = 0; i < n; i++) {
		char name[64];
		cap_normal(v[i], name);
		if (!strcmp(name, "ALL"))
			*all = true;
		for (size_t k = 0; k < ARRAY_LEN(names); k++)
			if (!strcmp(names[k], name))
				set |= BIT(k);
	}
	return set;
}

/* What this process may give away: what the kernel knows and our own bounding set has. */
static uint64_t known(void)
{
	uint64_t set = 0;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (prctl(PR_CAPBSET_READ, (unsigned long)i, 0, 0, 0) == 1)
			set |= BIT(i);
	return set;
}

const char **caps_for(const char *const *add, uint32_t n_add, const char *const *drop, uint32_t n_drop, bool privileged, struct arena *a,
		      uint32_t *ret_n)
{
	bool add_all, drop_all;
	uint64_t added = set_of(add, n_add, &add_all), dropped = set_of(drop, n_drop, &drop_all), every = known(), set;
	if (privileged)
		set = every;
	else if (add_all)
		set = every & ~dropped;
	else if (drop_all)
		set = added;
	else
		set = (defaults & ~dropped) | added;
	set &= every;
	const char **out = arena_array(a, ARRAY_LEN(names), sizeof *out);
	*ret_n = 0;
	for (size_t i = 0; out && i < ARRAY_LEN(names); i++)
		if (set & BIT(i))
			out[(*ret_n)++] = names[i];
	return out;
}
