/* SPDX-License-Identifier: Apache-2.0 */
/* Seccomp, AppArmor and no-new-privileges of the specification. */
#include <errno.h>

#include "engine/spec.h"
#if __has_include("engine/seccomp_profile.h")
#include "engine/seccomp_profile.h"
#endif

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
