/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Docker's default seccomp profile and capabilities, as data. Which calls are
 * allowed, under which capability, and since which kernel are facts of the
 * published profile (moby/profiles, seccomp/default.json of 2025, which also
 * closes the socket families that earlier ones left open: AF_ALG, AF_VSOCK and
 * the unassigned ones); the form is ours. Everything else fails with EPERM;
 * what is newer than the newest call listed fails with ENOSYS (the runtime's
 * doing, see sys/seccomp.h).
 */
#pragma once
#include <stdint.h>
#include "base/arena.h"

struct oci_linux_seccomp;

/* The fourteen that a container has without --cap-add and --cap-drop. */
enum { SECCOMP_N_DEFAULT_CAPS = 14 };
extern const char *const seccomp_default_caps[SECCOMP_N_DEFAULT_CAPS];

/*
 * The profile for a container with these capabilities ("CAP_SYS_ADMIN" …; the
 * bounding set) on this kernel (major * 1000 + minor: 6018 for 6.18). The
 * result lives in the arena and in constant memory. 0 or -ENOMEM.
 */
int seccomp_default_profile(struct arena *a, const char *const *caps, uint32_t n_caps, uint32_t kernel,
			    struct oci_linux_seccomp *ret);
