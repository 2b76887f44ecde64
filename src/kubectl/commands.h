/* SPDX-License-Identifier: Apache-2.0 */
/* The functions behind the rows of api/kubectl/commands.h, by file. */
#pragma once
#include "kubectl/kctl.h"

int kcmd_get(struct kctl *k, struct err *e);                  /* get.c */
int kcmd_create(struct kctl *k, struct err *e);               /* create.c */
int kcmd_apply(struct kctl *k, struct err *e);                /* apply.c */
int kcmd_delete(struct kctl *k, struct err *e);               /* delete.c */
int kcmd_version(struct kctl *k, struct err *e);              /* info.c */
int kcmd_api_resources(struct kctl *k, struct err *e);
int kcmd_api_versions(struct kctl *k, struct err *e);
int kcmd_label(struct kctl *k, struct err *e);                /* change.c */
int kcmd_annotate(struct kctl *k, struct err *e);
int kcmd_scale(struct kctl *k, struct err *e);
int kcmd_patch(struct kctl *k, struct err *e);
int kcmd_run(struct kctl *k, struct err *e);                  /* run.c */
int kcmd_expose(struct kctl *k, struct err *e);
int kcmd_logs(struct kctl *k, struct err *e);                 /* logs.c */
int kcmd_rollout_status(struct kctl *k, struct err *e);       /* rollout.c */
int kcmd_rollout_history(struct kctl *k, struct err *e);
int kcmd_rollout_undo(struct kctl *k, struct err *e);
int kcmd_rollout_restart(struct kctl *k, struct err *e);
int kcmd_rollout_pause(struct kctl *k, struct err *e);
int kcmd_rollout_resume(struct kctl *k, struct err *e);
int kcmd_set_image(struct kctl *k, struct err *e);            /* set.c */
int kcmd_set_env(struct kctl *k, struct err *e);
int kcmd_set_resources(struct kctl *k, struct err *e);
int kcmd_wait(struct kctl *k, struct err *e);                 /* wait.c */
int kcmd_create_configmap(struct kctl *k, struct err *e);      /* generate.c */
int kcmd_create_secret_generic(struct kctl *k, struct err *e);
int kcmd_create_secret_tls(struct kctl *k, struct err *e);
int kcmd_create_secret_registry(struct kctl *k, struct err *e);
int kcmd_create_deployment(struct kctl *k, struct err *e);
int kcmd_create_job(struct kctl *k, struct err *e);
int kcmd_create_cronjob(struct kctl *k, struct err *e);
int kcmd_create_service_clusterip(struct kctl *k, struct err *e);
int kcmd_create_service_nodeport(struct kctl *k, struct err *e);
int kcmd_create_service_loadbalancer(struct kctl *k, struct err *e);
int kcmd_create_service_externalname(struct kctl *k, struct err *e);
int kcmd_create_namespace(struct kctl *k, struct err *e);
int kcmd_create_serviceaccount(struct kctl *k, struct err *e);
int kcmd_create_role(struct kctl *k, struct err *e);
int kcmd_create_clusterrole(struct kctl *k, struct err *e);
int kcmd_create_rolebinding(struct kctl *k, struct err *e);
int kcmd_create_clusterrolebinding(struct kctl *k, struct err *e);
int kcmd_create_quota(struct kctl *k, struct err *e);
int kcmd_create_priorityclass(struct kctl *k, struct err *e);
int kcmd_create_pdb(struct kctl *k, struct err *e);
int kcmd_create_ingress(struct kctl *k, struct err *e);
int kcmd_create_token(struct kctl *k, struct err *e);
int kcmd_exec(struct kctl *k, struct err *e);                 /* exec.c */
int kcmd_attach(struct kctl *k, struct err *e);
int kcmd_cp(struct kctl *k, struct err *e);
int kcmd_port_forward(struct kctl *k, struct err *e);         /* forward.c */
int kcmd_proxy(struct kctl *k, struct err *e);
int kcmd_explain(struct kctl *k, struct err *e);              /* explain.c */
int kcmd_describe(struct kctl *k, struct err *e);             /* describe.c */

/* Shared by them. */
/* Sends (or, dry, only prints) a new object and says what was done; got is the answer. run.c */
int kctl_create_one(struct kctl *k, struct kctl_target *t, const char *manager, const char *did, struct tree *got, struct err *e);
/* --overrides onto an object. run.c */
int kctl_override(struct kctl *k, struct schema_ref type, struct tree *object, struct err *e);
/* The pod of a target: itself, or one of a workload's. logs.c */
int kctl_pod_of_wait(struct kctl *k, const struct kctl_target *t, struct tree *pod, struct err *e);
/* The container that commands take when none is named; tell: says so on standard error when there are several. logs.c */
const char *kctl_default_container(struct kctl *k, const struct tree *pod, bool tell);
/* spec.selector (either form) as a label selector's text. logs.c */
const char *kctl_selector_text(struct kctl *k, const struct tree *object);
/* run -i: waits until the pod t runs, attaches, ends with its exit code; --rm deletes it. exec.c */
int kctl_run_attached_wait(struct kctl *k, const struct kctl_target *t, struct err *e);
/* A pod template as describe prints it, indented. describe.c */
void kctl_describe_template(struct kctl *k, const struct tree *template, int indent);
