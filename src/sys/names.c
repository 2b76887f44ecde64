/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/names.h"

#include <errno.h>
#include <linux/personality.h>
#include <linux/sched.h>
#include <signal.h>
#include <strings.h>
#include <sys/resource.h>

#include "base/auto.h"
#include "base/num.h"
#include "sys/kernel.h"

struct row {
	const char *name;
	int value;
};

static int find(const struct row *r, size_t n, const char *s)
{
	for (size_t i = 0; i < n; i++)
		if (!strcasecmp(r[i].name, s))
			return r[i].value;
	return -EINVAL;
}

#define S(x) { #x, SIG##x }
static const struct row signals[] = {
	S(HUP), S(INT), S(QUIT), S(ILL), S(TRAP), S(ABRT), S(BUS), S(FPE), S(KILL), S(USR1), S(SEGV), S(USR2), S(PIPE),
	S(ALRM), S(TERM), { "STKFLT", 16 }, S(CHLD), S(CONT), S(STOP), S(TSTP), S(TTIN), S(TTOU), S(URG), S(XCPU),
	S(XFSZ), S(VTALRM), S(PROF), S(WINCH), S(IO), S(PWR), S(SYS), { "IOT", SIGABRT }, { "CLD", SIGCHLD },
	{ "POLL", SIGIO }, { "RTMIN", 34 }, { "RTMAX", 64 },
};

int sys_signal_from_name(const char *s)
{
	int64_t n;
	if (num_parse_i64(slice_of(s), 1, 64, &n) == 0)
		return (int)n;
	if (!strncasecmp(s, "SIG", 3))
		s += 3;
	if (!strncasecmp(s, "RTMIN+", 6) && num_parse_i64(slice_of(s + 6), 0, 30, &n) == 0)
		return 34 + (int)n;
	if (!strncasecmp(s, "RTMAX-", 6) && num_parse_i64(slice_of(s + 6), 0, 30, &n) == 0)
		return 64 - (int)n;
	return find(signals, ARRAY_LEN(signals), s);
}

const char *sys_signal_name(int sig)
{
	static const char *const full[] = {
		NULL, "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL",
		"SIGUSR1", "SIGSEGV", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT",
		"SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF",
		"SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS",
	};
	return sig > 0 && sig < (int)ARRAY_LEN(full) ? full[sig] : NULL;
}

int sys_rlimit_from_name(const char *s)
{
	static const struct row rows[] = {
		{ "RLIMIT_AS", RLIMIT_AS }, { "RLIMIT_CORE", RLIMIT_CORE }, { "RLIMIT_CPU", RLIMIT_CPU },
		{ "RLIMIT_DATA", RLIMIT_DATA }, { "RLIMIT_FSIZE", RLIMIT_FSIZE }, { "RLIMIT_LOCKS", RLIMIT_LOCKS },
		{ "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK }, { "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE },
		{ "RLIMIT_NICE", RLIMIT_NICE }, { "RLIMIT_NOFILE", RLIMIT_NOFILE }, { "RLIMIT_NPROC", RLIMIT_NPROC },
		{ "RLIMIT_RSS", RLIMIT_RSS }, { "RLIMIT_RTPRIO", RLIMIT_RTPRIO }, { "RLIMIT_RTTIME", RLIMIT_RTTIME },
		{ "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING }, { "RLIMIT_STACK", RLIMIT_STACK },
	};
	return find(rows, ARRAY_LEN(rows), s);
}

int sys_sched_policy_from_name(const char *s)
{
	static const struct row rows[] = {
		{ "SCHED_OTHER", 0 }, { "SCHED_FIFO", 1 }, { "SCHED_RR", 2 }, { "SCHED_BATCH", 3 }, { "SCHED_ISO", 4 },
		{ "SCHED_IDLE", 5 }, { "SCHED_DEADLINE", 6 },
	};
	return find(rows, ARRAY_LEN(rows), s);
}

int sys_sched_flag_from_name(const char *s)
{
	static const struct row rows[] = {
		{ "SCHED_FLAG_RESET_ON_FORK", 0x01 }, { "SCHED_FLAG_RECLAIM", 0x02 }, { "SCHED_FLAG_DL_OVERRUN", 0x04 },
		{ "SCHED_FLAG_KEEP_POLICY", 0x08 }, { "SCHED_FLAG_KEEP_PARAMS", 0x10 },
		{ "SCHED_FLAG_UTIL_CLAMP_MIN", 0x20 }, { "SCHED_FLAG_UTIL_CLAMP_MAX", 0x40 },
	};
	return find(rows, ARRAY_LEN(rows), s);
}

int sys_ioprio_class_from_name(const char *s)
{
	static const struct row rows[] = {
		{ "IOPRIO_CLASS_NONE", 0 }, { "IOPRIO_CLASS_RT", 1 }, { "IOPRIO_CLASS_BE", 2 }, { "IOPRIO_CLASS_IDLE", 3 },
	};
	return find(rows, ARRAY_LEN(rows), s);
}

int sys_personality_from_name(const char *s)
{
	static const struct row rows[] = { { "LINUX", PER_LINUX }, { "LINUX32", PER_LINUX32 } };
	return find(rows, ARRAY_LEN(rows), s);
}

const struct sys_ns sys_namespaces[] = {
	{ "user", "user", CLONE_NEWUSER },
	{ "cgroup", "cgroup", CLONE_NEWCGROUP },
	{ "ipc", "ipc", CLONE_NEWIPC },
	{ "uts", "uts", CLONE_NEWUTS },
	{ "network", "net", CLONE_NEWNET },
	{ "pid", "pid", CLONE_NEWPID },
	{ "mount", "mnt", CLONE_NEWNS },
	{ "time", "time", CLONE_NEWTIME },
	{ NULL, NULL, 0 },
};

const struct sys_ns *sys_ns_from_name(const char *name)
{
	for (const struct sys_ns *n = sys_namespaces; n->name; n++)
		if (!strcmp(n->name, name))
			return n;
	return NULL;
}
