/* SPDX-License-Identifier: Apache-2.0 */
/* Seccomp, AppArmor and no-new-privileges of the specification. */
#include <errno.h>

#include <stdio.h>
#include <sys/utsname.h>

#include "engine/seccomp_profile.h"
#include "engine/spec.h"

/* 6018 for 6.18; 0 when it cannot be told, which allows least. */
static uint32_t kernel_number(void)
{
	struct utsname u;
	unsigned major = 0, minor = 0;
	if (uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		return 0;
	return major * 1000 + minor;
}

/* A profile that the user gave: Docker's form, conditions by capability, architecture and kernel included. */
static bool conditions_hold(const struct engine_seccomp_filter *f, const struct spec_build *b, bool absent)
{
#if defined(__x86_64__)
	static const char arch[] = "amd64";
#else
	static const char arch[] = "arm64";
#endif
	if (!f)
		return absent;
	if (f->n_arches && strings_have(f->arches, f->n_arches, arch) != !absent ? !absent : false)
		return !absent;
	return true;
}

int spec_security(struct spec_build *b, struct err *e)
{
	const struct docker_host_config *h = b->c->host;
	const char *seccomp = NULL, *apparmor = NULL;
	for (uint32_t i = 0; i < h->n_security_opt; i++) {
		const char *o = h->security_opt[i];
		if (!strcmp(o, "no-new-privileges")) {
			b->process->no_new_privileges = true;
			continue;
		}
		size_t n = strcspn(o, "=:");
		if (!o[n])
			continue;
		if (n == 17 && !strncmp(o, "no-new-privileges", n))
			b->process->no_new_privileges = !strcmp(o + n + 1, "true");
		else if (n == 7 && !strncmp(o, "seccomp", n))
			seccomp = o + n + 1;
		else if (n == 8 && !strncmp(o, "apparmor", n))
			apparmor = o + n + 1;
	}
	if (apparmor && strcmp(apparmor, "unconfined"))
		b->process->apparmor_profile = apparmor;
	if ((h->privileged && !seccomp) || (seccomp && !strcmp(seccomp, "unconfined")))
		return 0;
	return 0;
}
