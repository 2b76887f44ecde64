/* SPDX-License-Identifier: Apache-2.0 */
/* What this node refuses to run, whoever has bound it here. */
#include <errno.h>
#include <unistd.h>

#include "kube/node/node_int.h"

/* Sysctls that belong to a namespace and harm nobody else. */
static const char *const safe_sysctls[] = { "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range",
	"net.ipv4.ip_unprivileged_port_start", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout",
	"net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem" };

static bool is_safe(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(safe_sysctls); i++)
		if (!strcmp(name, safe_sysctls[i]))
			return true;
	return false;
}

static bool is_profile(const struct kube_app_armor_profile *p)
{
	return p && p->type && strcmp(p->type, "Unconfined");
}

static bool asks_for_app_armor(const struct kube_pod *pod)
{
	const struct kube_pod_security_context *s = pod->spec.security_context;
	bool asks = s && is_profile(s->app_armor_profile);

	for (uint32_t i = 0; i < pod->spec.n_containers; i++)
		asks |= pod->spec.containers[i].security_context && is_profile(pod->spec.containers[i].security_context->app_armor_profile);
	for (uint32_t i = 0; i < pod->spec.n_init_containers; i++)
		asks |= pod->spec.init_containers[i].security_context && is_profile(pod->spec.init_containers[i].security_context->app_armor_profile);
	return asks;
}

int admit_pod(const struct kube_pod *pod, const char **reason, struct err *e)
{
	const struct kube_pod_security_context *s = pod->spec.security_context;

	for (uint32_t i = 0; s && i < s->n_sysctls; i++) {
		const char *name = s->sysctls[i].name ? s->sysctls[i].name : "";
		*reason = "SysctlForbidden";
		if (!is_safe(name))
			return err_set(e, EPERM, "forbidden sysctl: \"%s\" not allowlisted", name);
		if (pod->spec.host_network && !strncmp(name, "net.", 4))
			return err_set(e, EPERM, "forbidden sysctl: \"%s\" not allowed with host net enabled", name);
		if (pod->spec.host_ipc && !strncmp(name, "kernel.", 7))
			return err_set(e, EPERM, "forbidden sysctl: \"%s\" not allowed with host ipc enabled", name);
	}
	if (pod->spec.host_users && !*pod->spec.host_users) {
		*reason = "UserNamespacesNotSupported";
		return err_set(e, EPERM, "hostUsers: false asks for a user namespace, which this node does not offer");
	}
	if (asks_for_app_armor(pod) && access("/sys/module/apparmor/parameters/enabled", F_OK) < 0) {
		*reason = "AppArmor";
		return err_set(e, EPERM, "Cannot enforce AppArmor: AppArmor is not enabled on the host");
	}
	if (pod->spec.os && pod->spec.os->name && strcmp(pod->spec.os->name, "linux")) {
		*reason = "PodOSNotSupported";
		return err_set(e, EPERM, "Failed to admit pod as the OS field doesn't match node OS");
	}
	return 0;
}
