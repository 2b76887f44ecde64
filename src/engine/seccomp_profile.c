/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/seccomp_profile.h"

#include <errno.h>

#include "api/oci.h"
#include "base/auto.h"

const char *const seccomp_default_caps[SECCOMP_N_DEFAULT_CAPS] = {
	"CAP_CHOWN",  "CAP_DAC_OVERRIDE", "CAP_FSETID",		  "CAP_FOWNER",	    "CAP_MKNOD", "CAP_NET_RAW",	 "CAP_SETGID",
	"CAP_SETUID", "CAP_SETFCAP",	  "CAP_SETPCAP",	  "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
};

static const char always[] =
	"accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown chown32 "
	"clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 "
	"clock_nanosleep clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3 "
	"epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait "
	"epoll_wait_old eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 "
	"fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl "
	"fcntl64 fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 "
	"fstatfs fstatfs64 fsync ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait "
	"futex_waitv futex_wake futimesat getcpu getcwd getdents getdents64 getegid getegid32 geteuid "
	"geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid getppid "
	"getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit get_robust_list "
	"getrusage getsid getsockname getsockopt get_thread_area gettid gettimeofday getuid getuid32 getxattr "
	"getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel ioctl io_destroy "
	"io_getevents io_pgetevents io_pgetevents_time64 ioprio_get ioprio_set io_setup io_submit ipc kill "
	"landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link "
	"linkat listen listmount listxattr listxattrat llistxattr _llseek lremovexattr lseek lsetxattr lstat "
	"lstat64 madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod "
	"mknodat mlock mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open mq_timedreceive "
	"mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv "
	"msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat _newselect open openat "
	"openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll "
	"ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_mrelease pselect6 pselect6_time64 "
	"pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recv recvfrom recvmmsg "
	"recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat rename renameat renameat2 "
	"restart_syscall riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo "
	"rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo "
	"sched_getaffinity sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min "
	"sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity "
	"sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select semctl semget semop "
	"semtimedop semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto setfsgid setfsgid32 "
	"setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid setpriority setregid "
	"setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit set_robust_list "
	"setsid setsockopt set_thread_area set_tid_address setuid setuid32 setxattr setxattrat shmat shmctl "
	"shmdt shmget shutdown sigaltstack signalfd signalfd4 sigprocmask sigreturn socketcall socketpair "
	"splice stat stat64 statfs statfs64 statmount statx symlink symlinkat sync sync_file_range syncfs "
	"sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 "
	"timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime "
	"timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname unlink unlinkat uretprobe "
	"utime utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev";

/* Groups of calls, by words; allowed when every condition holds. */
static const struct group {
	const char *names;
	const char *cap;        /* the container has it */
	const char *without;    /* the container does not have it */
	uint32_t kernel;        /* at least this one */
	uint32_t errno_ret;     /* not allowed, but fails with this */
	bool by_flags;          /* only without the namespace flags in argument 0 */
} groups[] = {
	{ .names = always },
	{ .names = "process_vm_readv process_vm_writev ptrace", .kernel = 4008 },
#if defined(__x86_64__)
	{ .names = "arch_prctl modify_ldt" },
#elif defined(__aarch64__)
	{ .names = "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls" },
#endif
	{ .names = "open_by_handle_at", .cap = "CAP_DAC_READ_SEARCH" },
	{ .names = "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr "
		   "lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl "
		   "quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare",
	  .cap = "CAP_SYS_ADMIN" },
	{ .names = "clone", .without = "CAP_SYS_ADMIN", .by_flags = true },
	/* Its flags lie in memory, where a filter cannot look: programs fall back to clone. */
	{ .names = "clone3", .without = "CAP_SYS_ADMIN", .errno_ret = ENOSYS },
	{ .names = "reboot", .cap = "CAP_SYS_BOOT" },
	{ .names = "chroot", .cap = "CAP_SYS_CHROOT" },
	{ .names = "delete_module init_module finit_module", .cap = "CAP_SYS_MODULE" },
	{ .names = "acct", .cap = "CAP_SYS_PACCT" },
	{ .names = "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace", .cap = "CAP_SYS_PTRACE" },
	{ .names = "iopl ioperm", .cap = "CAP_SYS_RAWIO" },
	{ .names = "settimeofday stime clock_settime clock_settime64", .cap = "CAP_SYS_TIME" },
	{ .names = "vhangup", .cap = "CAP_SYS_TTY_CONFIG" },
	{ .names = "get_mempolicy mbind set_mempolicy set_mempolicy_home_node", .cap = "CAP_SYS_NICE" },
	{ .names = "syslog", .cap = "CAP_SYSLOG" },
	{ .names = "bpf", .cap = "CAP_BPF" },
	{ .names = "perf_event_open", .cap = "CAP_PERFMON" },
};

/* Every CLONE_NEW* flag but CLONE_NEWTIME, which clone does not take. */
enum { NAMESPACE_FLAGS = 0x7e020000 };
static const uint8_t families[] = { 13, 14, 15, 16, 17, 18, 21, 22, 24, 26, 27, 28, 29, 30, 31, 32, 33, 35, 36, 39, 41, 42, 43, 44, 45 };
enum { FAMILIES_BELOW = 12 };
static const uint64_t personalities[] = { 0, 8, 0x20000, 0x20008, 0xffffffff };

static bool has(const char *const *caps, uint32_t n, const char *cap)
{
	for (uint32_t i = 0; i < n; i++)
		if (!strcmp(caps[i], cap))
			return true;
	return false;
}

static int split(struct arena *a, const char *words, struct oci_linux_syscall *s)
{
	struct slice rest = slice_of(words), one;
	uint32_t n = 1;
	for (const char *p = words; *p; p++)
		n += *p == ' ';
	s->names = arena_array(a, n, sizeof *s->names);
	if (!s->names)
		return -ENOMEM;
	while (slice_next(&rest, ' ', &one)) {
		char *name = arena_dup(a, one);
		if (!name)
			return -ENOMEM;
		s->names[s->n_names++] = name;
	}
	return 0;
}

/* One rule with one comparison of argument 0. */
static int compare(struct arena *a, const char *name, const char *op, uint64_t value, struct oci_linux_syscall *s)
{
	struct oci_linux_seccomp_arg *arg = arena_new(a, struct oci_linux_seccomp_arg);
	if (!arg)
		return -ENOMEM;
	*arg = (struct oci_linux_seccomp_arg){ .index = 0, .value = value, .op = op };
	*s = (struct oci_linux_syscall){ .action = "SCMP_ACT_ALLOW", .args = arg, .n_args = 1 };
	return split(a, name, s);
}

static int add_group(struct arena *a, const struct group *g, struct oci_linux_syscall *s)
{
	if (g->by_flags)
		return compare(a, g->names, "SCMP_CMP_MASKED_EQ", NAMESPACE_FLAGS, s);
	*s = (struct oci_linux_syscall){ .action = g->errno_ret ? "SCMP_ACT_ERRNO" : "SCMP_ACT_ALLOW" };
	if (g->errno_ret) {
		s->errno_ret = arena_new(a, uint64_t);
		if (!s->errno_ret)
			return -ENOMEM;
		*s->errno_ret = g->errno_ret;
	}
	return split(a, g->names, s);
}

int seccomp_default_profile(struct arena *a, const char *const *caps, uint32_t n_caps, uint32_t kernel,
			    struct oci_linux_seccomp *ret)
{
#if defined(__x86_64__)
	static const char *archs[] = { "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32" };
#else
	static const char *archs[] = { "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM" };
#endif
	struct oci_linux_syscall *v =
		arena_array(a, ARRAY_LEN(groups) + ARRAY_LEN(families) + ARRAY_LEN(personalities) + 1, sizeof *v);
	uint64_t *eperm = arena_new(a, uint64_t);
	uint32_t n = 0;
	if (!v || !eperm)
		return -ENOMEM;
	*eperm = EPERM;
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		const struct group *g = &groups[i];
		if ((g->cap && !has(caps, n_caps, g->cap)) || (g->without && has(caps, n_caps, g->without)) || kernel < g->kernel)
			continue;
		if (add_group(a, g, &v[n++]) < 0)
			return -ENOMEM;
	}
	if (compare(a, "socket", "SCMP_CMP_LT", FAMILIES_BELOW, &v[n++]) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if (compare(a, "socket", "SCMP_CMP_EQ", families[i], &v[n++]) < 0)
			return -ENOMEM;
	for (size_t i = 0; i < ARRAY_LEN(personalities); i++)
		if (compare(a, "personality", "SCMP_CMP_EQ", personalities[i], &v[n++]) < 0)
			return -ENOMEM;
	*ret = (struct oci_linux_seccomp){ .default_action = "SCMP_ACT_ERRNO", .default_errno_ret = eperm, .architectures = archs,
					   .n_architectures = ARRAY_LEN(archs), .syscalls = v, .n_syscalls = n };
	return 0;
}
