/* SPDX-License-Identifier: Apache-2.0 */
/* What can be refused before anything is made; wordings that callers match are runc's. */
#include "runtime/runtime_int.h"

#include <errno.h>

#include "sys/mounts.h"
#include "sys/names.h"

const struct oci_linux_namespace *spec_namespace(const struct oci_spec *s, const char *type)
{
	const struct oci_linux *l = s->linux;
	for (uint32_t i = 0; l && i < l->n_namespaces; i++)
		if (l->namespaces[i].type && !strcmp(l->namespaces[i].type, type))
			return &l->namespaces[i];
	return NULL;
}

bool spec_new_namespace(const struct oci_spec *s, const char *type)
{
	const struct oci_linux_namespace *n = spec_namespace(s, type);
	return n && (!n->path || !*n->path);
}

int spec_check_process(const struct oci_process *p, struct err *e)
{
	if (!p->args || p->n_args == 0 || !p->args[0])
		return err_set(e, EINVAL, "args must not be empty");
	if (!p->cwd || !*p->cwd)
		return err_set(e, EINVAL, "Cwd property must not be empty");
	if (p->cwd[0] != '/')
		return err_set(e, EINVAL, "Cwd must be an absolute path");
	if (p->args[0][0] == 0)
		return err_set(e, ENOENT, "exec: \"\": executable file not found in $PATH");
	for (uint32_t i = 0; i < p->n_env; i++)
		if (!p->env[i])
			return err_set(e, EINVAL, "process.env[%u] is null", i);
	for (uint32_t i = 0; i < p->n_rlimits; i++) {
		if (!p->rlimits[i].type || sys_rlimit_from_name(p->rlimits[i].type) < 0)
			return err_set(e, EINVAL, "invalid rlimit type: %s", p->rlimits[i].type ? p->rlimits[i].type : "");
		for (uint32_t k = 0; k < i; k++)
			if (!strcmp(p->rlimits[i].type, p->rlimits[k].type))
				return err_set(e, EINVAL, "rlimit %s is given twice", p->rlimits[i].type);
	}
	if (p->oom_score_adj && (*p->oom_score_adj < -1000 || *p->oom_score_adj > 1000))
		return err_set(e, EINVAL, "oomScoreAdj %lld is not within -1000 … 1000", (long long)*p->oom_score_adj);
	if (p->io_priority && !p->io_priority->class)
		return err_set(e, EINVAL, "ioPriority has no class");
	return 0;
}

/* "1.x.y" with an optional suffix. */
static int check_version(const char *v, struct err *e)
{
	if (!v || !*v)
		return err_set(e, EINVAL, "ociVersion is missing");
	struct slice major, rest;
	slice_cut(slice_of(v), '.', &major, &rest);
	if (!slice_is(major, "1") && !slice_is(major, "0"))
		return err_set(e, EINVAL, "unsupported ociVersion %s", v);
	return 0;
}

static int check_namespaces(const struct oci_spec *s, struct err *e)
{
	const struct oci_linux *l = s->linux;
	for (uint32_t i = 0; i < l->n_namespaces; i++) {
		const char *t = l->namespaces[i].type;
		if (!t || !sys_ns_from_name(t))
			return err_set(e, EINVAL, "namespace \"%s\" does not exist", t ? t : "");
		for (uint32_t k = 0; k < i; k++)
			if (!strcmp(t, l->namespaces[k].type))
				return err_set(e, EINVAL, "malformed spec file: duplicated ns \"%s\"", t);
	}
	bool userns = spec_namespace(s, "user") != NULL;
	if (spec_new_namespace(s, "user") && (!l->n_uid_mappings || !l->n_gid_mappings))
		return err_set(e, EINVAL, "user namespaces enabled, but no user mappings found");
	if (!userns && (l->n_uid_mappings || l->n_gid_mappings))
		return err_set(e, EINVAL, "user namespace mappings specified, but user namespace isn't enabled in the config");
	if (l->n_time_offsets && !spec_new_namespace(s, "time"))
		return err_set(e, EINVAL, "time namespace offsets specified, but time namespace isn't enabled in the config");
	return 0;
}

static int check_linux(const struct oci_spec *s, struct err *e)
{
	const struct oci_linux *l = s->linux;
	int r = check_namespaces(s, e);
	if (r < 0)
		return r;
	bool mnt = spec_namespace(s, "mount") != NULL;
	if (!mnt && (l->n_masked_paths || l->n_readonly_paths))
		return err_set(e, EINVAL, "unable to restrict sys entries without a private MNT namespace");
	if (l->rootfs_propagation && *l->rootfs_propagation && !sys_propagation(l->rootfs_propagation))
		return err_set(e, EINVAL, "rootfsPropagation %s is not supported", l->rootfs_propagation);
	for (uint32_t i = 0; i < l->n_sysctl; i++) {
		const char *k = l->sysctl[i].key;
		if (!l->sysctl[i].value)
			return err_set(e, EINVAL, "sysctl %s has no value", k);
		bool net = !strncmp(k, "net.", 4) || !strncmp(k, "net/", 4);
		bool ipc = !strncmp(k, "fs.mqueue.", 10) || !strncmp(k, "kernel.msg", 10) || !strncmp(k, "kernel.shm", 10) ||
			   !strcmp(k, "kernel.sem");
		bool uts = !strcmp(k, "kernel.domainname") || !strcmp(k, "kernel.hostname");
		if (!net && !ipc && !uts)
			return err_set(e, EINVAL, "sysctl \"%s\" is not in a separate kernel namespace", k);
		if (net && !spec_namespace(s, "network"))
			return err_set(e, EINVAL, "sysctl \"%s\" not allowed in host network namespace", k);
		if (ipc && !spec_namespace(s, "ipc"))
			return err_set(e, EINVAL, "sysctl \"%s\" is not allowed in the hosts ipc namespace", k);
		if (uts && !spec_namespace(s, "uts"))
			return err_set(e, EINVAL, "sysctl \"%s\" is not allowed in the hosts uts namespace", k);
	}
	for (uint32_t i = 0; i < l->n_devices; i++)
		if (!l->devices[i].path || l->devices[i].path[0] != '/' || !l->devices[i].type)
			return err_set(e, EINVAL, "linux.devices[%u] needs a type and an absolute path", i);
	if (l->intel_rdt)
		return err_set(e, EOPNOTSUPP, "intelRdt is not supported");
	if (l->n_net_devices)
		return err_set(e, EOPNOTSUPP, "netDevices are not supported");
	if (l->memory_policy)
		return err_set(e, EOPNOTSUPP, "memoryPolicy is not supported");
	return 0;
}

static int check_hooks(const struct oci_hook *h, uint32_t n, const char *kind, struct err *e)
{
	for (uint32_t i = 0; i < n; i++) {
		if (!h[i].path || h[i].path[0] != '/')
			return err_set(e, EINVAL, "hooks.%s[%u]: the path must be absolute", kind, i);
		if (h[i].timeout && *h[i].timeout <= 0)
			return err_set(e, EINVAL, "hooks.%s[%u]: the timeout must be greater than zero", kind, i);
	}
	return 0;
}

int spec_check(const struct oci_spec *s, struct err *e)
{
	int r = check_version(s->oci_version, e);
	if (r < 0)
		return r;
	if (!s->root || !s->root->path || !*s->root->path)
		return err_set(e, EINVAL, "root.path must be set");
	if (!s->process)
		return err_set(e, EINVAL, "process property must not be empty");
	if (!s->linux)
		return err_set(e, EINVAL, "linux property must not be empty");
	if ((r = spec_check_process(s->process, e)) < 0 || (r = check_linux(s, e)) < 0)
		return r;
	if (s->hostname && *s->hostname && !spec_namespace(s, "uts"))
		return err_set(e, EINVAL, "unable to set hostname without a private UTS namespace");
	if (s->domainname && *s->domainname && !spec_namespace(s, "uts"))
		return err_set(e, EINVAL, "unable to set domainname without a private UTS namespace");
	for (uint32_t i = 0; i < s->n_mounts; i++)
		if (!s->mounts[i].destination || !*s->mounts[i].destination)
			return err_set(e, EINVAL, "mounts[%u] has no destination", i);
	if (s->n_mounts && !spec_namespace(s, "mount"))
		return err_set(e, EINVAL, "mounts need a mount namespace");
	const struct oci_hooks *h = s->hooks;
	if (!h)
		return 0;
	if ((r = check_hooks(h->prestart, h->n_prestart, "prestart", e)) < 0 ||
	    (r = check_hooks(h->create_runtime, h->n_create_runtime, "createRuntime", e)) < 0 ||
	    (r = check_hooks(h->create_container, h->n_create_container, "createContainer", e)) < 0 ||
	    (r = check_hooks(h->start_container, h->n_start_container, "startContainer", e)) < 0 ||
	    (r = check_hooks(h->poststart, h->n_poststart, "poststart", e)) < 0)
		return r;
	return check_hooks(h->poststop, h->n_poststop, "poststop", e);
}
