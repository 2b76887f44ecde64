/* SPDX-License-Identifier: Apache-2.0 */
/* The pieces of an OCI specification, one file each; everything made lives in the arena. */
#pragma once
#include "api/oci.h"
#include "engine/engine_int.h"

struct spec_build {
	struct container *c;
	struct arena *a;
	struct oci_spec *spec;
	struct oci_process *process;
	struct oci_linux *linux_;
	struct oci_linux_resources *resources;
	const struct spec_user *user;
	const char *netns;
	const char **caps;
	uint32_t n_caps;
	VEC(struct oci_mount) mounts;
	VEC(struct oci_linux_device) devices;
	VEC(struct oci_linux_device_cgroup) rules;
	VEC(struct oci_linux_namespace) namespaces;
};

int spec_mounts(struct spec_build *b, struct err *e);
int spec_namespaces(struct spec_build *b, struct err *e);
int spec_devices(struct spec_build *b, struct err *e);
int spec_resources(struct spec_build *b, const struct docker_host_config *h, struct oci_linux_resources *ret, struct err *e);
int spec_security(struct spec_build *b, struct err *e);
/* Also used by update: only the limits. */
int spec_limits(struct arena *a, const struct docker_host_config *h, struct oci_linux_resources *ret, struct err *e);
/* The process of an exec: the container's with these changes. */
int spec_exec_process(struct container *c, const struct docker_exec_create *how, const struct spec_user *user, struct arena *a,
		      struct oci_process *ret, struct err *e);
