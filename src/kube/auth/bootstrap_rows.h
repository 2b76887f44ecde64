/* SPDX-License-Identifier: Apache-2.0 */
/* The rows behind bootstrap.h. */
#pragma once
#include <stddef.h>

/*
 * A rule is "verbs|groups|resources" or "verbs|groups|resources|names" or
 * "verbs|@|urls"; lists by commas, the core group is the empty one: ",events.k8s.io" are two groups.
 */
enum { AGGREGATE_TO_ADMIN = 1, AGGREGATE_TO_EDIT = 2, AGGREGATE_TO_VIEW = 4 };
struct bootstrap_role {
	const char *ns;                /* NULL: a ClusterRole */
	const char *name;
	unsigned labels;               /* that it carries */
	unsigned collects;             /* labels that its aggregation rule selects */
	const char *const *rules;      /* NULL-terminated */
};
struct bootstrap_binding {
	const char *ns;                /* NULL: a ClusterRoleBinding */
	const char *name, *role;       /* a ClusterRole, or with ns a Role there */
	const char *const *subjects;   /* NULL-terminated: "Group NAME", "User NAME", "ServiceAccount NS NAME" */
};
extern const struct bootstrap_role bootstrap_roles[];
extern const size_t n_bootstrap_roles;
extern const struct bootstrap_binding bootstrap_bindings[];
extern const size_t n_bootstrap_bindings;
/* Controllers: the ClusterRole system:controller:NAME, bound to kube-system's account NAME. */
struct bootstrap_controller { const char *name; const char *const *rules; };
extern const struct bootstrap_controller bootstrap_controllers[];
extern const size_t n_bootstrap_controllers;
