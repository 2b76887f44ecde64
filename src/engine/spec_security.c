/* SPDX-License-Identifier: Apache-2.0 */
/* Seccomp, AppArmor and no-new-privileges of the specification. */
#include <errno.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "engine/seccomp_profile.h"
#include "engine/spec.h"

#if defined(__x86_64__)
#define ARCH "amd64"
#define ARCH_OCI "SCMP_ARCH_X86_64"
#else
#define ARCH "arm64"
#define ARCH_OCI "SCMP_ARCH_AARCH64"
#endif

/* 6018 for 6.18; 0 when it cannot be told, which allows least. */
static uint32_t kernel_number(const char *text)
{
	unsigned major = 0, minor = 0;
	return sscanf(text, "%u.%u", &major, &minor) == 2 ? major * 1000 + minor : 0;
}

static uint32_t this_kernel(void)
{
	struct utsname u;
	return uname(&u) < 0 ? 0 : kernel_number(u.release);
}

static bool applies(const struct engine_seccomp_call *c, const struct spec_build *b)
{
	const struct engine_seccomp_filter *in = &c->includes, *out = &c->excludes;
	if (in->n_arches && !strings_have(in->arches, in->n_arches, ARCH))
		return false;
	if (out->n_arches && strings_have(out->arches, out->n_arches, ARCH))
		return false;
	for (uint32_t i = 0; i < in->n_caps; i++)
		if (!strings_have(b->caps, b->n_caps, in->caps[i]))
			return false;
	for (uint32_t i = 0; i < out->n_caps; i++)
		if (strings_have(b->caps, b->n_caps, out->caps[i]))
			return false;
	if (in->min_kernel && *in->min_kernel && this_kernel() < kernel_number(in->min_kernel))
		return false;
	return !(out->min_kernel && *out->min_kernel && this_kernel() >= kernel_number(out->min_kernel));
}

/* A profile that the user gave. */
static int custom(struct spec_build *b, const char *text, struct oci_linux_seccomp *ret, struct err *e)
{
	struct engine_seccomp_profile p;
	int r = schema_from_json(T_engine_seccomp_profile, slice_of(text), SCHEMA_FOLD_CASE, b->a, &p, e);
	if (r < 0) {
		err_prefix(e, "Decoding seccomp profile failed");
		return -(e->code = EINVAL);
	}
	*ret = (struct oci_linux_seccomp){ .default_action = p.default_action, .default_errno_ret = p.default_errno_ret, .architectures = p.architectures,
		.n_architectures = p.n_architectures, .flags = p.flags, .n_flags = p.n_flags };
	for (uint32_t i = 0; i < p.n_arch_map; i++) {
		if (!str_is(p.arch_map[i].architecture, ARCH_OCI))
			continue;
		strings_push(b->a, &ret->architectures, &ret->n_architectures, p.arch_map[i].architecture);
		for (uint32_t k = 0; k < p.arch_map[i].n_sub_architectures; k++)
			strings_push(b->a, &ret->architectures, &ret->n_architectures, p.arch_map[i].sub_architectures[k]);
	}
	ret->syscalls = arena_array(b->a, p.n_syscalls, sizeof *ret->syscalls);
	if (!ret->syscalls)
		return err_nomem(e);
	for (uint32_t i = 0; i < p.n_syscalls; i++) {
		struct engine_seccomp_call *c = &p.syscalls[i];
		if (!applies(c, b))
			continue;
		if (c->name && *c->name && strings_push(b->a, &c->names, &c->n_names, c->name) < 0)
			return err_nomem(e);
		struct oci_linux_syscall *o = &ret->syscalls[ret->n_syscalls++];
		*o = (struct oci_linux_syscall){ .names = c->names, .n_names = c->n_names, .action = c->action, .errno_ret = c->errno_ret,
			.args = arena_array(b->a, c->n_args, sizeof *o->args) };
		for (uint32_t k = 0; o->args && k < c->n_args; k++)
			o->args[o->n_args++] = (struct oci_linux_seccomp_arg){ .index = c->args[k].index, .value = c->args[k].value,
				.value_two = c->args[k].value_two, .op = c->args[k].op };
	}
	return 0;
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
	b->linux_->seccomp = arena_new(b->a, struct oci_linux_seccomp);
	if (!b->linux_->seccomp)
		return err_nomem(e);
	if (seccomp && strcmp(seccomp, "builtin"))
		return custom(b, seccomp, b->linux_->seccomp, e);
	return seccomp_default_profile(b->a, b->caps, b->n_caps, this_kernel(), b->linux_->seccomp) < 0 ? err_nomem(e) : 0;
}
