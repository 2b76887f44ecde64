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
int kcmd_cluster_info_dump(struct kctl *k, struct err *e);    /* dump.c */
int kcmd_explain(struct kctl *k, struct err *e);              /* explain.c */
int kcmd_describe(struct kctl *k, struct err *e);             /* describe.c */
int kcmd_config_view(struct kctl *k, struct err *e);          /* config.c */
int kcmd_config_current(struct kctl *k, struct err *e);
int kcmd_config_get_contexts(struct kctl *k, struct err *e);
int kcmd_config_get_clusters(struct kctl *k, struct err *e);
int kcmd_config_get_users(struct kctl *k, struct err *e);
int kcmd_config_use(struct kctl *k, struct err *e);
int kcmd_config_set_context(struct kctl *k, struct err *e);
int kcmd_config_set_cluster(struct kctl *k, struct err *e);
int kcmd_config_set_credentials(struct kctl *k, struct err *e);
int kcmd_config_delete_context(struct kctl *k, struct err *e);
int kcmd_config_delete_cluster(struct kctl *k, struct err *e);
int kcmd_config_delete_user(struct kctl *k, struct err *e);
int kcmd_config_rename(struct kctl *k, struct err *e);
int kcmd_config_set(struct kctl *k, struct err *e);
int kcmd_config_unset(struct kctl *k, struct err *e);
int kcmd_auth_can_i(struct kctl *k, struct err *e);           /* auth.c */
int kcmd_auth_whoami(struct kctl *k, struct err *e);
int kcmd_cordon(struct kctl *k, struct err *e);               /* nodes.c */
int kcmd_uncordon(struct kctl *k, struct err *e);
int kcmd_drain(struct kctl *k, struct err *e);
int kcmd_taint(struct kctl *k, struct err *e);
int kcmd_edit(struct kctl *k, struct err *e);                 /* edit.c */
int kcmd_diff(struct kctl *k, struct err *e);
int kcmd_replace(struct kctl *k, struct err *e);
int kcmd_view_last_applied(struct kctl *k, struct err *e);
int kcmd_cluster_info(struct kctl *k, struct err *e);         /* more.c */
int kcmd_events(struct kctl *k, struct err *e);
int kcmd_autoscale(struct kctl *k, struct err *e);
int kcmd_certificate_approve(struct kctl *k, struct err *e);
int kcmd_certificate_deny(struct kctl *k, struct err *e);
int kcmd_top(struct kctl *k, struct err *e);
int kcmd_complete(struct kctl *k, struct err *e);
int kcmd_completion(struct kctl *k, struct err *e);
int kcmd_set_serviceaccount(struct kctl *k, struct err *e);
int kcmd_set_selector(struct kctl *k, struct err *e);
int kcmd_set_subject(struct kctl *k, struct err *e);

/* Shared by them. */
/* Lines "resource\t[url]\t[names]\t[verbs]" of policy rules. auth.c */
void kctl_rules(struct kctl *k, const struct tree *rules, struct buf *lines, const char *indent);
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
/* Until the object with this uid is no more; timeout_ns 0: without end. delete.c */
int kctl_await_gone_wait(struct kctl *k, const struct kctl_target *t, const char *uid, int64_t timeout_ns, struct err *e);
/* The patch that client-side apply sends. apply.c */
int kctl_apply_patch(struct kctl *k, const struct kctl_target *t, const struct tree *current, struct tree *patch, const char **type, struct err *e);
