/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of `coracle kubectl`, one row each; included by kubectl/commands.c.
 * { path, usage behind it, least and most arguments, flags, bits, function, help }
 */

const struct kcmd kctl_commands[] = {
	{ "get", "(TYPE[.VERSION][.GROUP] [NAME | -l label] | TYPE[.VERSION][.GROUP]/NAME ...) [flags]", 0, -1, F(get_flags), 0, kcmd_get, "Display one or many resources" },
	{ "describe", "(-f FILENAME | TYPE [NAME_PREFIX | -l label] | TYPE/NAME)", 0, -1, F(describe_flags), 0, kcmd_describe, "Show details of a specific resource or group of resources" },
	{ "create", "-f FILENAME", 0, 0, F(create_flags), 0, kcmd_create, "Create a resource from a file or from stdin" },
	{ "apply", "(-f FILENAME | -k DIRECTORY)", 0, 0, F(apply_flags), 0, kcmd_apply, "Apply a configuration to a resource by file name or stdin" },
	{ "delete", "([-f FILENAME] | TYPE [(NAME | -l label | --all)])", 0, -1, F(delete_flags), 0, kcmd_delete, "Delete resources by file names, stdin, resources and names" },
	{ "run", "NAME --image=image [--env=\"key=value\"] [--port=port] [--dry-run=server|client] [--overrides=inline-json] [--command] -- [COMMAND] [args...]", 1, -1, F(run_flags), 0, kcmd_run, "Run a particular image on the cluster" },
	{ "expose", "(-f FILENAME | TYPE NAME) [--port=port] [--protocol=TCP|UDP|SCTP] [--target-port=number-or-name] [--name=name] [--external-ip=external-ip-of-service] [--type=type]", 0, -1, F(expose_flags), 0, kcmd_expose, "Take a replication controller, service, deployment or pod and expose it as a new Kubernetes service" },
	{ "logs", "[-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]", 0, 2, F(logs_flags), 0, kcmd_logs, "Print the logs for a container in a pod" },
	{ "scale", "[--resource-version=version] [--current-replicas=count] --replicas=COUNT (-f FILENAME | TYPE NAME)", 0, -1, F(scale_flags), 0, kcmd_scale, "Set a new size for a deployment, replica set, or replication controller" },
	{ "label", "[--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N [--resource-version=version]", 1, -1, F(label_flags), 0, kcmd_label, "Update the labels on a resource" },
	{ "annotate", "[--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N [--resource-version=version]", 1, -1, F(annotate_flags), 0, kcmd_annotate, "Update the annotations on a resource" },
	{ "patch", "(-f FILENAME | TYPE NAME) [-p PATCH|--patch-file FILE]", 0, -1, F(patch_flags), 0, kcmd_patch, "Update fields of a resource" },
	{ "rollout status", "(TYPE NAME | TYPE/NAME) [flags]", 0, -1, F(rollout_status_flags), 0, kcmd_rollout_status, "Show the status of the rollout" },
	{ "rollout history", "(TYPE NAME | TYPE/NAME) [flags]", 0, -1, F(rollout_history_flags), 0, kcmd_rollout_history, "View rollout history" },
	{ "rollout undo", "(TYPE NAME | TYPE/NAME) [flags]", 0, -1, F(rollout_undo_flags), 0, kcmd_rollout_undo, "Undo a previous rollout" },
	{ "rollout restart", "RESOURCE", 0, -1, F(rollout_flags), 0, kcmd_rollout_restart, "Restart a resource" },
	{ "rollout pause", "RESOURCE", 0, -1, F(rollout_flags), 0, kcmd_rollout_pause, "Mark the provided resource as paused" },
	{ "rollout resume", "RESOURCE", 0, -1, F(rollout_flags), 0, kcmd_rollout_resume, "Resume a paused resource" },
	{ "set image", "(-f FILENAME | TYPE NAME) CONTAINER_NAME_1=CONTAINER_IMAGE_1 ... CONTAINER_NAME_N=CONTAINER_IMAGE_N", 0, -1, F(set_image_flags), 0, kcmd_set_image, "Update the image of a pod template" },
	{ "set env", "RESOURCE/NAME KEY_1=VAL_1 ... KEY_N=VAL_N", 0, -1, F(set_env_flags), 0, kcmd_set_env, "Update environment variables on a pod template" },
	{ "set resources", "(-f FILENAME | TYPE NAME)  ([--limits=LIMITS & --requests=REQUESTS]", 0, -1, F(set_resources_flags), 0, kcmd_set_resources, "Update resource requests/limits on objects with pod templates" },
	{ "wait", "([-f FILENAME] | resource.group/resource.name | resource.group [(-l label | --all)]) [--for=create|--for=delete|--for condition=available|--for=jsonpath='{}'[=value]]", 0, -1, F(wait_flags), 0, kcmd_wait, "Wait for a specific condition on one or many resources" },
	{ "version", "", 0, 0, F(version_flags), 0, kcmd_version, "Print the client and server version information" },
	{ "api-resources", "", 0, 0, F(api_resources_flags), 0, kcmd_api_resources, "Print the supported API resources on the server" },
	{ "api-versions", "", 0, 0, NF, 0, kcmd_api_versions, "Print the supported API versions on the server, in the form of \"group/version\"" },
};
