/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flags of `coracle kubectl`, one row each; included by kubectl/commands.c.
 * { name, letter, type, word for the value (NULL: the type's), default, help, bits, check, what it means without a value }
 */

const struct flag kctl_global_flags[] = {
	{ "as", 0, FLAG_STRING, NULL, NULL, "User to act as; a service account is system:serviceaccount:NAMESPACE:NAME" },
	{ "as-group", 0, FLAG_LIST, NULL, NULL, "Group to act as; may be given several times" },
	{ "as-uid", 0, FLAG_STRING, NULL, NULL, "UID to act as" },
	{ "cache-dir", 0, FLAG_STRING, NULL, NULL, "Accepted for compatibility; nothing is cached on disk" },
	{ "certificate-authority", 0, FLAG_STRING, NULL, NULL, "File of the authority that the server's certificate must come from" },
	{ "client-certificate", 0, FLAG_STRING, NULL, NULL, "File of the client certificate" },
	{ "client-key", 0, FLAG_STRING, NULL, NULL, "File of the client certificate's key" },
	{ "cluster", 0, FLAG_STRING, NULL, NULL, "Name of the kubeconfig's cluster to use" },
	{ "context", 0, FLAG_STRING, NULL, NULL, "Name of the kubeconfig's context to use" },
	{ "disable-compression", 0, FLAG_BOOL, NULL, NULL, "Accepted for compatibility; answers are never compressed" },
	{ "insecure-skip-tls-verify", 0, FLAG_BOOL, NULL, NULL, "Do not check the server's certificate" },
	{ "kubeconfig", 0, FLAG_STRING, NULL, NULL, "Kubeconfig file to use" },
	{ "match-server-version", 0, FLAG_BOOL, NULL, NULL, "Accepted for compatibility", FLAG_HIDDEN },
	{ "namespace", 'n', FLAG_STRING, NULL, NULL, "Namespace of the request" },
	{ "request-timeout", 0, FLAG_STRING, NULL, "0", "Time after which a request is given up (5s, 1m); 0: never" },
	{ "server", 's', FLAG_STRING, NULL, NULL, "Address of the API server" },
	{ "tls-server-name", 0, FLAG_STRING, NULL, NULL, "Name that the server's certificate must have" },
	{ "token", 0, FLAG_STRING, NULL, NULL, "Bearer token to sign in with" },
	{ "user", 0, FLAG_STRING, NULL, NULL, "Name of the kubeconfig's user to use" },
	{ "v", 'v', FLAG_INT, NULL, "0", "Accepted for compatibility; there is no request log" },
	{ "warnings-as-errors", 0, FLAG_BOOL, NULL, NULL, "Treat the server's warnings as errors" },
};

#define F_OUTPUT { "output", 'o', FLAG_STRING, NULL, NULL, "Form of the output: json, yaml, name, wide, jsonpath=…, go-template=…, custom-columns=…" }
#define F_TEMPLATE { "template", 0, FLAG_STRING, NULL, NULL, "Go template, with -o go-template" }
#define F_MANAGED { "show-managed-fields", 0, FLAG_BOOL, NULL, NULL, "Keep managedFields in JSON and YAML output" }
#define F_SELECTOR { "selector", 'l', FLAG_STRING, NULL, NULL, "Only objects whose labels match (a=b, a!=b, a in (b,c), a)" }
#define F_FIELDS { "field-selector", 0, FLAG_STRING, NULL, NULL, "Only objects whose fields match (metadata.name=x)" }
#define F_ALL_NAMESPACES { "all-namespaces", 'A', FLAG_BOOL, NULL, NULL, "In all namespaces" }
#define F_FILENAME { "filename", 'f', FLAG_CSV, NULL, NULL, "File, folder or URL of the objects; - is standard input" }, \
	{ "kustomize", 'k', FLAG_STRING, NULL, NULL, "Kustomize folder (refused: use -f)" }, \
	{ "recursive", 'R', FLAG_BOOL, NULL, NULL, "Folders of -f with all folders in them" }
#define F_DRY_RUN { "dry-run", 0, FLAG_STRING, NULL, "none", "none, server (send, but store nothing) or client (print only)", 0, NULL, "unchanged" }
#define F_MANAGER(who) { "field-manager", 0, FLAG_STRING, NULL, who, "Name that owns the fields that are written" }
#define F_VALIDATE { "validate", 0, FLAG_STRING, NULL, "strict", "Fields that are unknown or there twice: strict, warn or ignore", 0, NULL, "strict" }
#define F_CASCADE { "cascade", 0, FLAG_STRING, NULL, "background", "What becomes of dependents: background, foreground or orphan", 0, NULL, "background" }

static const struct flag get_flags[] = {
	F_ALL_NAMESPACES, { "chunk-size", 0, FLAG_INT, NULL, "500", "Objects asked for at a time; 0: all at once" }, F_FIELDS, F_FILENAME,
	{ "ignore-not-found", 0, FLAG_BOOL, NULL, NULL, "Nothing, and success, when an object does not exist" },
	{ "label-columns", 'L', FLAG_CSV, NULL, NULL, "Labels to show as columns" },
	{ "no-headers", 0, FLAG_BOOL, NULL, NULL, "Leave out the head of the table" }, F_OUTPUT,
	{ "output-watch-events", 0, FLAG_BOOL, NULL, NULL, "With -w: say what happened to each object" },
	{ "raw", 0, FLAG_STRING, NULL, NULL, "Path to GET and print as it comes" }, F_SELECTOR,
	{ "server-print", 0, FLAG_BOOL, NULL, "true", "Accepted for compatibility" },
	{ "show-kind", 0, FLAG_BOOL, NULL, NULL, "Put the kind before each name" },
	{ "show-labels", 0, FLAG_BOOL, NULL, NULL, "Show all labels as the last column" }, F_MANAGED,
	{ "sort-by", 0, FLAG_STRING, NULL, NULL, "JSONPath of the field to sort by" },
	{ "subresource", 0, FLAG_STRING, NULL, NULL, "Subresource to get: status or scale" }, F_TEMPLATE,
	{ "watch", 'w', FLAG_BOOL, NULL, NULL, "Go on printing what changes" },
	{ "watch-only", 0, FLAG_BOOL, NULL, NULL, "Print changes only" },
};
static const struct flag create_flags[] = {
	F_DRY_RUN, { "edit", 0, FLAG_BOOL, NULL, NULL, "Refused: use `kubectl edit`", FLAG_HIDDEN }, F_MANAGER("kubectl-create"), F_FILENAME, F_OUTPUT,
	{ "raw", 0, FLAG_STRING, NULL, NULL, "Path to POST the file to" },
	{ "save-config", 0, FLAG_BOOL, NULL, NULL, "Keep the configuration in an annotation, for a later apply" }, F_SELECTOR, F_MANAGED, F_TEMPLATE, F_VALIDATE,
};
static const struct flag apply_flags[] = {
	{ "all", 0, FLAG_BOOL, NULL, NULL, "With --prune: all objects" }, F_CASCADE, F_DRY_RUN,
	F_MANAGER(NULL), F_FILENAME, { "force", 0, FLAG_BOOL, NULL, NULL, "Delete and make anew where a patch is refused" },
	{ "force-conflicts", 0, FLAG_BOOL, NULL, NULL, "With --server-side: take fields from other managers" },
	{ "grace-period", 0, FLAG_INT, NULL, "-1", "Seconds that deleted objects have to end" }, F_OUTPUT,
	{ "openapi-patch", 0, FLAG_BOOL, NULL, "true", "Accepted for compatibility", FLAG_HIDDEN },
	{ "overwrite", 0, FLAG_BOOL, NULL, "true", "Resolve conflicts in favour of the file" },
	{ "prune", 0, FLAG_BOOL, NULL, NULL, "Refused: objects that left the files are not deleted by this kubectl" }, F_SELECTOR,
	{ "server-side", 0, FLAG_BOOL, NULL, NULL, "Let the server merge" }, F_MANAGED, F_TEMPLATE,
	{ "timeout", 0, FLAG_DURATION, NULL, "0s", "How long --wait waits" }, F_VALIDATE,
	{ "wait", 0, FLAG_BOOL, NULL, NULL, "Wait until deleted objects are gone" },
};
static const struct flag delete_flags[] = {
	{ "all", 0, FLAG_BOOL, NULL, NULL, "All objects of the type" }, F_ALL_NAMESPACES, F_CASCADE, F_DRY_RUN, F_FIELDS, F_FILENAME,
	{ "force", 0, FLAG_BOOL, NULL, NULL, "Remove at once; with --grace-period=0" },
	{ "grace-period", 0, FLAG_INT, NULL, "-1", "Seconds that it has to end; 0 with --force only; negative: as the object says" },
	{ "ignore-not-found", 0, FLAG_BOOL, NULL, NULL, "Success when it does not exist" },
	{ "interactive", 'i', FLAG_BOOL, NULL, NULL, "Ask before" },
	{ "now", 0, FLAG_BOOL, NULL, NULL, "One second to end" },
	{ "output", 'o', FLAG_STRING, NULL, NULL, "Form of the output: name" },
	{ "raw", 0, FLAG_STRING, NULL, NULL, "Path to DELETE" }, F_SELECTOR,
	{ "timeout", 0, FLAG_DURATION, NULL, "0s", "How long to wait; 0: as the object's own end demands" },
	{ "wait", 0, FLAG_BOOL, NULL, "true", "Return when it is gone" },
};
static const struct flag version_flags[] = {
	{ "client", 0, FLAG_BOOL, NULL, NULL, "The client's version only" }, { "output", 'o', FLAG_STRING, NULL, NULL, "json or yaml" },
};
static const struct flag api_resources_flags[] = {
	{ "api-group", 0, FLAG_STRING, NULL, NULL, "Of this group only" }, { "cached", 0, FLAG_BOOL, NULL, NULL, "Accepted for compatibility" },
	{ "categories", 0, FLAG_CSV, NULL, NULL, "In these categories only" },
	{ "namespaced", 0, FLAG_BOOL, NULL, "true", "Those in namespaces, or (false) those that are not" },
	{ "no-headers", 0, FLAG_BOOL, NULL, NULL, "Leave out the head of the table" }, { "output", 'o', FLAG_STRING, NULL, NULL, "wide, name, json or yaml" },
	{ "sort-by", 0, FLAG_STRING, NULL, NULL, "name or kind" }, { "verbs", 0, FLAG_CSV, NULL, NULL, "That have all of these verbs" },
};

#define PAIR_FLAGS(manager) \
	{ "all", 0, FLAG_BOOL, NULL, NULL, "All objects of the type" }, F_ALL_NAMESPACES, F_DRY_RUN, F_MANAGER(manager), F_FIELDS, F_FILENAME, \
	{ "list", 0, FLAG_BOOL, NULL, NULL, "Print what is there" }, { "local", 0, FLAG_BOOL, NULL, NULL, "Refused: the server is always asked", FLAG_HIDDEN }, F_OUTPUT, \
	{ "overwrite", 0, FLAG_BOOL, NULL, NULL, "Change values that are there" }, \
	{ "resource-version", 0, FLAG_STRING, NULL, NULL, "Only if the object still has this version" }, F_SELECTOR, F_MANAGED, F_TEMPLATE
static const struct flag label_flags[] = { PAIR_FLAGS("kubectl-label") };
static const struct flag annotate_flags[] = { PAIR_FLAGS("kubectl-annotate") };
static const struct flag scale_flags[] = {
	{ "all", 0, FLAG_BOOL, NULL, NULL, "All objects of the type" }, { "current-replicas", 0, FLAG_INT, NULL, "-1", "Only if it has so many now" }, F_DRY_RUN, F_FILENAME, F_OUTPUT,
	{ "replicas", 0, FLAG_INT, NULL, NULL, "How many there shall be" }, { "resource-version", 0, FLAG_STRING, NULL, NULL, "Only if the object still has this version" }, F_SELECTOR,
	F_MANAGED, F_TEMPLATE, { "timeout", 0, FLAG_DURATION, NULL, "0s", "Accepted for compatibility" },
};
static const struct flag patch_flags[] = {
	F_DRY_RUN, F_MANAGER("kubectl-patch"), F_FILENAME, { "local", 0, FLAG_BOOL, NULL, NULL, "Refused: use --dry-run=client", FLAG_HIDDEN }, F_OUTPUT,
	{ "patch", 'p', FLAG_STRING, NULL, NULL, "The patch, as JSON or YAML" }, { "patch-file", 0, FLAG_STRING, NULL, NULL, "File of the patch" }, F_MANAGED,
	{ "subresource", 0, FLAG_STRING, NULL, NULL, "Subresource to patch: status, scale, resize" }, F_TEMPLATE,
	{ "type", 0, FLAG_STRING, NULL, "strategic", "Kind of patch: json, merge or strategic" },
};
#define F_OVERRIDES { "overrides", 0, FLAG_STRING, NULL, NULL, "JSON that is laid over the object before it is sent" }, \
	{ "override-type", 0, FLAG_STRING, NULL, "merge", "How --overrides is laid over: merge, strategic or json" }
static const struct flag run_flags[] = {
	{ "annotations", 0, FLAG_LIST, NULL, NULL, "Annotation, a=b; may be given several times" }, { "attach", 0, FLAG_BOOL, NULL, NULL, "Wait until it runs, then attach" }, F_CASCADE,
	{ "command", 0, FLAG_BOOL, NULL, NULL, "The arguments are the command, not its arguments" }, F_DRY_RUN, { "env", 0, FLAG_LIST, NULL, NULL, "Variable, A=b; may be given several times" },
	{ "expose", 0, FLAG_BOOL, NULL, NULL, "Make a service for --port too" }, F_MANAGER("kubectl-run"),
	{ "force", 0, FLAG_BOOL, NULL, NULL, "With --rm: remove at once", FLAG_HIDDEN }, { "generator", 0, FLAG_STRING, NULL, NULL, "Old flag without effect; run-pod/v1 only", FLAG_HIDDEN },
	{ "grace-period", 0, FLAG_INT, NULL, "-1", "With --rm: seconds to end", FLAG_HIDDEN }, { "image", 0, FLAG_STRING, NULL, NULL, "Image of the container" },
	{ "image-pull-policy", 0, FLAG_STRING, NULL, NULL, "Always, IfNotPresent or Never" }, { "labels", 'l', FLAG_STRING, NULL, NULL, "Labels of the pod, a=b,c=d" },
	{ "leave-stdin-open", 0, FLAG_BOOL, NULL, NULL, "Keep stdin open after the first client has gone" }, F_OUTPUT, F_OVERRIDES,
	{ "pod-running-timeout", 0, FLAG_DURATION, NULL, "1m0s", "How long to wait until it runs" }, { "port", 0, FLAG_STRING, NULL, NULL, "Port that the container listens on" },
	{ "privileged", 0, FLAG_BOOL, NULL, NULL, "Privileged container" }, { "quiet", 'q', FLAG_BOOL, NULL, NULL, "No prompt messages" },
	{ "restart", 0, FLAG_STRING, NULL, "Always", "Always, OnFailure or Never" }, { "rm", 0, FLAG_BOOL, NULL, NULL, "Delete the pod when it has ended" }, F_MANAGED,
	{ "stdin", 'i', FLAG_BOOL, NULL, NULL, "Keep stdin open and attach" }, F_TEMPLATE, { "tty", 't', FLAG_BOOL, NULL, NULL, "A terminal for the container" },
};
static const struct flag expose_flags[] = {
	{ "cluster-ip", 0, FLAG_STRING, NULL, NULL, "Address of the service; None: headless" }, F_DRY_RUN, { "external-ip", 0, FLAG_STRING, NULL, NULL, "Further address to accept" },
	F_MANAGER("kubectl-expose"), F_FILENAME, { "labels", 'l', FLAG_STRING, NULL, NULL, "Labels of the service" }, { "load-balancer-ip", 0, FLAG_STRING, NULL, NULL, "Accepted for compatibility", FLAG_HIDDEN },
	{ "name", 0, FLAG_STRING, NULL, NULL, "Name of the service" }, F_OUTPUT, F_OVERRIDES, { "port", 0, FLAG_STRING, NULL, NULL, "Port of the service; those of the object without it" },
	{ "protocol", 0, FLAG_STRING, NULL, NULL, "TCP, UDP or SCTP" }, { "selector", 0, FLAG_STRING, NULL, NULL, "Labels of the pods; the object's without it" },
	{ "session-affinity", 0, FLAG_STRING, NULL, NULL, "None or ClientIP" }, F_MANAGED, { "target-port", 0, FLAG_STRING, NULL, NULL, "Port of the pods, by name or number" }, F_TEMPLATE,
	{ "type", 0, FLAG_STRING, NULL, NULL, "ClusterIP, NodePort, LoadBalancer or ExternalName" },
};
static const struct flag logs_flags[] = {
	{ "all-containers", 0, FLAG_BOOL, NULL, NULL, "Of all containers" }, { "all-pods", 0, FLAG_BOOL, NULL, NULL, "Of all pods of a workload, with a prefix" },
	{ "container", 'c', FLAG_STRING, NULL, NULL, "Of this container" }, { "follow", 'f', FLAG_BOOL, NULL, NULL, "Go on with what is written" },
	{ "ignore-errors", 0, FLAG_BOOL, NULL, NULL, "Accepted for compatibility" },
	{ "insecure-skip-tls-verify-backend", 0, FLAG_BOOL, NULL, NULL, "The server need not check the kubelet's certificate" },
	{ "limit-bytes", 0, FLAG_INT, NULL, "0", "At most so many bytes" }, { "max-log-requests", 0, FLAG_INT, NULL, "5", "Most logs followed at once" },
	{ "pod-running-timeout", 0, FLAG_DURATION, NULL, "20s", "Accepted for compatibility" }, { "prefix", 0, FLAG_BOOL, NULL, NULL, "Pod and container before each line" },
	{ "previous", 'p', FLAG_BOOL, NULL, NULL, "Of the container before the last restart" }, F_SELECTOR,
	{ "since", 0, FLAG_DURATION, NULL, "0s", "Not older than this (5s, 2m)" }, { "since-time", 0, FLAG_STRING, NULL, NULL, "Not older than this time (RFC 3339)" },
	{ "tail", 0, FLAG_INT, NULL, "-1", "The last so many lines; -1: all, or 10 with a selector" }, { "timestamps", 0, FLAG_BOOL, NULL, NULL, "Times before lines" },
};

#define ROLLOUT_FLAGS F_FILENAME, F_SELECTOR
static const struct flag rollout_status_flags[] = {
	ROLLOUT_FLAGS, { "revision", 0, FLAG_INT, NULL, "0", "Only while it runs this revision" },
	{ "timeout", 0, FLAG_DURATION, NULL, "0s", "How long to wait; 0: without end" }, { "watch", 'w', FLAG_BOOL, NULL, "true", "Wait until it is done" },
};
static const struct flag rollout_history_flags[] = {
	ROLLOUT_FLAGS, F_OUTPUT, { "revision", 0, FLAG_INT, NULL, "0", "Details of this revision" }, F_MANAGED, F_TEMPLATE,
};
static const struct flag rollout_undo_flags[] = {
	ROLLOUT_FLAGS, F_DRY_RUN, F_OUTPUT, F_MANAGED, F_TEMPLATE, { "to-revision", 0, FLAG_INT, NULL, "0", "Back to this revision; 0: the one before" },
};
static const struct flag rollout_flags[] = { ROLLOUT_FLAGS, F_MANAGER("kubectl-rollout"), F_OUTPUT, F_MANAGED, F_TEMPLATE };
#define SET_FLAGS \
	{ "all", 0, FLAG_BOOL, NULL, NULL, "All objects of the type" }, F_DRY_RUN, F_MANAGER("kubectl-set"), F_FILENAME, \
	{ "local", 0, FLAG_BOOL, NULL, NULL, "Refused: the server is always asked", FLAG_HIDDEN }, F_OUTPUT, F_SELECTOR, F_MANAGED, F_TEMPLATE
static const struct flag set_image_flags[] = { SET_FLAGS };
static const struct flag set_env_flags[] = {
	SET_FLAGS, { "containers", 'c', FLAG_STRING, NULL, "*", "Container to change; *: all" }, { "env", 'e', FLAG_LIST, NULL, NULL, "Variable, A=b; may be given several times" },
	{ "list", 0, FLAG_BOOL, NULL, NULL, "Print what is set" }, { "overwrite", 0, FLAG_BOOL, NULL, "true", "Change values that are there" },
};
static const struct flag set_resources_flags[] = {
	SET_FLAGS, { "containers", 'c', FLAG_STRING, NULL, "*", "Container to change; *: all" }, { "limits", 0, FLAG_STRING, NULL, NULL, "cpu=100m,memory=256Mi" },
	{ "requests", 0, FLAG_STRING, NULL, NULL, "cpu=100m,memory=256Mi" },
};
static const struct flag wait_flags[] = {
	{ "all", 0, FLAG_BOOL, NULL, NULL, "All objects of the type" }, F_ALL_NAMESPACES, F_FIELDS, F_FILENAME,
	{ "for", 0, FLAG_STRING, NULL, NULL, "create, delete, condition=NAME[=VALUE] or jsonpath='{PATH}'=VALUE" }, { "local", 0, FLAG_BOOL, NULL, NULL, "Refused", FLAG_HIDDEN }, F_OUTPUT,
	F_SELECTOR, F_MANAGED, F_TEMPLATE, { "timeout", 0, FLAG_DURATION, NULL, "30s", "How long to wait; 0: look once; negative: a week" },
};
static const struct flag describe_flags[] = {
	F_ALL_NAMESPACES, { "chunk-size", 0, FLAG_INT, NULL, "500", "Accepted for compatibility" }, F_FILENAME, F_SELECTOR,
	{ "show-events", 0, FLAG_BOOL, NULL, "true", "What happened to it, at the end" },
};
static const struct flag explain_flags[] = {
	{ "api-version", 0, FLAG_STRING, NULL, NULL, "Of this group and version (apps/v1)" }, { "output", 0, FLAG_STRING, NULL, "plaintext", "plaintext" },
	{ "recursive", 0, FLAG_BOOL, NULL, NULL, "All fields below, without their sentences" },
};

#define MAKE_FLAGS F_DRY_RUN, F_MANAGER("kubectl-create"), F_OUTPUT, { "save-config", 0, FLAG_BOOL, NULL, NULL, "Keep the configuration in an annotation, for a later apply" }, F_MANAGED, F_TEMPLATE, F_VALIDATE
#define SOURCE_FLAGS \
	{ "append-hash", 0, FLAG_BOOL, NULL, NULL, "Refused by this kubectl", FLAG_HIDDEN }, { "from-env-file", 0, FLAG_LIST, NULL, NULL, "File of A=b lines" }, \
	{ "from-file", 0, FLAG_LIST, NULL, NULL, "File or folder; key=file names the key" }, { "from-literal", 0, FLAG_LIST, NULL, NULL, "key=value" }
static const struct flag make_flags[] = { MAKE_FLAGS };
static const struct flag make_configmap_flags[] = { MAKE_FLAGS, SOURCE_FLAGS };
static const struct flag make_secret_flags[] = { MAKE_FLAGS, SOURCE_FLAGS, { "type", 0, FLAG_STRING, NULL, NULL, "Type of the secret" } };
static const struct flag make_tls_flags[] = { MAKE_FLAGS, { "cert", 0, FLAG_STRING, NULL, NULL, "File of the certificate" }, { "key", 0, FLAG_STRING, NULL, NULL, "File of its key" } };
static const struct flag make_registry_flags[] = {
	MAKE_FLAGS, { "docker-email", 0, FLAG_STRING, NULL, NULL, "E-mail for the registry" }, { "docker-password", 0, FLAG_STRING, NULL, NULL, "Password for the registry" },
	{ "docker-server", 0, FLAG_STRING, NULL, "https://index.docker.io/v1/", "Address of the registry" }, { "docker-username", 0, FLAG_STRING, NULL, NULL, "User of the registry" },
	{ "from-file", 0, FLAG_LIST, NULL, NULL, "A client's config.json" },
};
static const struct flag make_deployment_flags[] = {
	MAKE_FLAGS, { "image", 0, FLAG_CSV, NULL, NULL, "Image to run; several: a container each" }, { "port", 0, FLAG_INT, NULL, "-1", "Port that the containers listen on" },
	{ "replicas", 'r', FLAG_INT, NULL, "1", "How many pods" },
};
static const struct flag make_job_flags[] = { MAKE_FLAGS, { "from", 0, FLAG_STRING, NULL, NULL, "Cron job to take the template from (cronjob/NAME)" }, { "image", 0, FLAG_STRING, NULL, NULL, "Image to run" } };
static const struct flag make_cronjob_flags[] = {
	MAKE_FLAGS, { "image", 0, FLAG_STRING, NULL, NULL, "Image to run" }, { "restart", 0, FLAG_STRING, NULL, NULL, "OnFailure or Never" }, { "schedule", 0, FLAG_STRING, NULL, NULL, "When, as cron says it" },
};
static const struct flag make_service_flags[] = {
	MAKE_FLAGS, { "clusterip", 0, FLAG_STRING, NULL, NULL, "Address; None: headless" }, { "tcp", 0, FLAG_CSV, NULL, NULL, "PORT or PORT:TARGET" },
};
static const struct flag make_nodeport_flags[] = { MAKE_FLAGS, { "node-port", 0, FLAG_INT, NULL, "0", "Port of the nodes" }, { "tcp", 0, FLAG_CSV, NULL, NULL, "PORT or PORT:TARGET" } };
static const struct flag make_externalname_flags[] = { MAKE_FLAGS, { "external-name", 0, FLAG_STRING, NULL, NULL, "Name that it stands for" }, { "tcp", 0, FLAG_CSV, NULL, NULL, "PORT or PORT:TARGET" } };
#define ROLE_FLAGS MAKE_FLAGS, { "resource", 0, FLAG_CSV, NULL, NULL, "Resource that it is about; resource/sub for a subresource" }, \
	{ "resource-name", 0, FLAG_LIST, NULL, NULL, "Only objects of this name" }, { "verb", 0, FLAG_CSV, NULL, NULL, "What may be done" }
static const struct flag make_role_flags[] = { ROLE_FLAGS };
static const struct flag make_clusterrole_flags[] = {
	ROLE_FLAGS, { "aggregation-rule", 0, FLAG_STRING, NULL, NULL, "Labels of roles to gather (a=b,c=d)" }, { "non-resource-url", 0, FLAG_CSV, NULL, NULL, "Path that it is about" },
};
#define BINDING_FLAGS MAKE_FLAGS, { "clusterrole", 0, FLAG_STRING, NULL, NULL, "Cluster role to grant" }, { "group", 0, FLAG_LIST, NULL, NULL, "Group that gets it" }, \
	{ "serviceaccount", 0, FLAG_LIST, NULL, NULL, "NAMESPACE:NAME that gets it" }, { "user", 0, FLAG_LIST, NULL, NULL, "User that gets it" }
static const struct flag make_rolebinding_flags[] = { BINDING_FLAGS, { "role", 0, FLAG_STRING, NULL, NULL, "Role to grant" } };
static const struct flag make_clusterrolebinding_flags[] = { BINDING_FLAGS };
static const struct flag make_quota_flags[] = { MAKE_FLAGS, { "hard", 0, FLAG_STRING, NULL, NULL, "pods=10,cpu=2" }, { "scopes", 0, FLAG_STRING, NULL, NULL, "Scopes, with commas" } };
static const struct flag make_priorityclass_flags[] = {
	MAKE_FLAGS, { "description", 0, FLAG_STRING, NULL, NULL, "What it is for" }, { "global-default", 0, FLAG_BOOL, NULL, NULL, "For pods that name none" },
	{ "preemption-policy", 0, FLAG_STRING, NULL, "PreemptLowerPriority", "PreemptLowerPriority or Never" }, { "value", 0, FLAG_INT, NULL, "0", "How important" },
};
static const struct flag make_pdb_flags[] = {
	MAKE_FLAGS, { "max-unavailable", 0, FLAG_STRING, NULL, NULL, "Most pods that may be missing" }, { "min-available", 0, FLAG_STRING, NULL, NULL, "Fewest pods that must be there" },
	{ "selector", 0, FLAG_STRING, NULL, NULL, "Labels of the pods" },
};
static const struct flag make_ingress_flags[] = {
	MAKE_FLAGS, { "annotation", 0, FLAG_LIST, NULL, NULL, "Annotation, a=b" }, { "class", 0, FLAG_STRING, NULL, NULL, "Class of the ingress" },
	{ "default-backend", 0, FLAG_STRING, NULL, NULL, "SERVICE:PORT of everything else" }, { "rule", 0, FLAG_LIST, NULL, NULL, "host/path=service:port[,tls[=secret]]" },
};
static const struct flag make_token_flags[] = {
	{ "audience", 0, FLAG_LIST, NULL, NULL, "Who the token is for" }, { "bound-object-kind", 0, FLAG_STRING, NULL, NULL, "Not supported by this kubectl", FLAG_HIDDEN },
	{ "duration", 0, FLAG_DURATION, NULL, "0s", "How long it is valid" }, F_OUTPUT, F_MANAGED, F_TEMPLATE,
};

#define F_CONTAINER { "container", 'c', FLAG_STRING, NULL, NULL, "Container of the pod" }
#define F_POD_TIMEOUT { "pod-running-timeout", 0, FLAG_DURATION, NULL, "1m0s", "How long to wait until the pod runs" }
static const struct flag exec_flags[] = {
	F_CONTAINER, F_FILENAME, F_POD_TIMEOUT, { "quiet", 'q', FLAG_BOOL, NULL, NULL, "Only what the command writes" }, { "stdin", 'i', FLAG_BOOL, NULL, NULL, "Pass standard input" },
	{ "tty", 't', FLAG_BOOL, NULL, NULL, "A terminal" },
};
static const struct flag attach_flags[] = {
	F_CONTAINER, F_FILENAME, F_POD_TIMEOUT, { "quiet", 'q', FLAG_BOOL, NULL, NULL, "Only what the program writes" }, { "stdin", 'i', FLAG_BOOL, NULL, NULL, "Pass standard input" },
	{ "tty", 't', FLAG_BOOL, NULL, NULL, "Its terminal" },
};
static const struct flag cp_flags[] = {
	F_CONTAINER, { "no-preserve", 0, FLAG_BOOL, NULL, NULL, "Accepted for compatibility" }, { "retries", 0, FLAG_INT, NULL, "0", "Accepted for compatibility" },
};
static const struct flag port_forward_flags[] = { { "address", 0, FLAG_CSV, NULL, NULL, "Address to listen on: localhost, or one of this machine's" }, F_POD_TIMEOUT };
static const struct flag proxy_flags[] = {
	{ "accept-hosts", 0, FLAG_STRING, NULL, "^localhost$,^127\\.0\\.0\\.1$,^\\[::1\\]$", "Names by which the proxy may be called (regular expressions)" },
	{ "accept-paths", 0, FLAG_STRING, NULL, "^.*", "Paths that are passed on" }, { "address", 0, FLAG_STRING, NULL, "127.0.0.1", "Address to listen on" },
	{ "api-prefix", 0, FLAG_STRING, NULL, "/", "Prefix that is taken off" }, { "append-server-path", 0, FLAG_BOOL, NULL, NULL, "Accepted for compatibility", FLAG_HIDDEN },
	{ "disable-filter", 0, FLAG_BOOL, NULL, NULL, "Pass on everything: dangerous" }, { "keepalive", 0, FLAG_DURATION, NULL, "0s", "Accepted for compatibility" },
	{ "port", 'p', FLAG_INT, NULL, "8001", "Port to listen on; 0: any" }, { "reject-methods", 0, FLAG_STRING, NULL, "^$", "Accepted for compatibility", FLAG_HIDDEN },
	{ "reject-paths", 0, FLAG_STRING, NULL, "^/api/.*/pods/.*/exec,^/api/.*/pods/.*/attach", "Paths that are refused" },
	{ "unix-socket", 'u', FLAG_STRING, NULL, NULL, "Listen on this Unix socket" }, { "www", 'w', FLAG_STRING, NULL, NULL, "Refused by this kubectl" },
	{ "www-prefix", 'P', FLAG_STRING, NULL, "/static/", "Accepted for compatibility", FLAG_HIDDEN },
};

static const struct flag config_view_flags[] = {
	{ "flatten", 0, FLAG_BOOL, NULL, NULL, "Accepted for compatibility" }, { "merge", 0, FLAG_BOOL, NULL, "true", "Accepted for compatibility" },
	{ "minify", 0, FLAG_BOOL, NULL, NULL, "Only what the current context uses" }, F_OUTPUT, { "raw", 0, FLAG_BOOL, NULL, NULL, "With keys, certificates and tokens" }, F_TEMPLATE,
};
static const struct flag config_contexts_flags[] = { { "no-headers", 0, FLAG_BOOL, NULL, NULL, "Leave out the head of the table" }, { "output", 'o', FLAG_STRING, NULL, NULL, "name" } };
static const struct flag config_context_flags[] = { { "current", 0, FLAG_BOOL, NULL, NULL, "Change the current context" } };
static const struct flag config_cluster_flags[] = {
	{ "embed-certs", 0, FLAG_BOOL, NULL, NULL, "Keep the certificate itself instead of its file's name" }, { "proxy-url", 0, FLAG_STRING, NULL, NULL, "Proxy to reach the cluster through" },
};
static const struct flag config_user_flags[] = {
	{ "embed-certs", 0, FLAG_BOOL, NULL, NULL, "Keep certificate and key themselves instead of their files' names" }, { "password", 0, FLAG_STRING, NULL, NULL, "Password" },
	{ "username", 0, FLAG_STRING, NULL, NULL, "User name" },
};
static const struct flag can_i_flags[] = {
	F_ALL_NAMESPACES, { "list", 0, FLAG_BOOL, NULL, NULL, "Print all that is allowed" }, { "no-headers", 0, FLAG_BOOL, NULL, NULL, "Leave out the head of the table" },
	{ "quiet", 'q', FLAG_BOOL, NULL, NULL, "Only the exit code" }, { "subresource", 0, FLAG_STRING, NULL, NULL, "Subresource, such as log" },
};
static const struct flag whoami_flags[] = { F_OUTPUT, F_MANAGED, F_TEMPLATE };
static const struct flag cordon_flags[] = { F_DRY_RUN, F_SELECTOR };
static const struct flag drain_flags[] = {
	{ "chunk-size", 0, FLAG_INT, NULL, "500", "Accepted for compatibility" }, { "delete-emptydir-data", 0, FLAG_BOOL, NULL, NULL, "Also pods whose emptyDir volumes are lost" },
	{ "disable-eviction", 0, FLAG_BOOL, NULL, NULL, "Delete instead of evict: disruption budgets are not asked" }, F_DRY_RUN,
	{ "force", 0, FLAG_BOOL, NULL, NULL, "Also pods that nobody makes anew" }, { "grace-period", 0, FLAG_INT, NULL, "-1", "Seconds that pods have to end; negative: as they say" },
	{ "ignore-daemonsets", 0, FLAG_BOOL, NULL, NULL, "Leave the pods of daemon sets" }, { "pod-selector", 0, FLAG_STRING, NULL, NULL, "Only pods whose labels match" }, F_SELECTOR,
	{ "skip-wait-for-delete-timeout", 0, FLAG_INT, NULL, "0", "Accepted for compatibility" }, { "timeout", 0, FLAG_DURATION, NULL, "0s", "When to give up; 0: never" },
};
static const struct flag taint_flags[] = {
	{ "all", 0, FLAG_BOOL, NULL, NULL, "All nodes" }, F_DRY_RUN, F_MANAGER("kubectl-taint"), F_OUTPUT, { "overwrite", 0, FLAG_BOOL, NULL, NULL, "Change taints that are there" }, F_SELECTOR,
	F_MANAGED, F_TEMPLATE, F_VALIDATE,
};
static const struct flag edit_flags[] = {
	F_MANAGER("kubectl-edit"), F_FILENAME, F_OUTPUT, { "output-patch", 0, FLAG_BOOL, NULL, NULL, "Accepted for compatibility", FLAG_HIDDEN },
	{ "save-config", 0, FLAG_BOOL, NULL, NULL, "Accepted for compatibility", FLAG_HIDDEN }, F_MANAGED, { "subresource", 0, FLAG_STRING, NULL, NULL, "Subresource to edit: status" }, F_TEMPLATE, F_VALIDATE,
};
static const struct flag diff_flags[] = {
	{ "concurrency", 0, FLAG_INT, NULL, "1", "Accepted for compatibility" }, F_MANAGER("kubectl-client-side-apply"), F_FILENAME,
	{ "force-conflicts", 0, FLAG_BOOL, NULL, NULL, "With --server-side: take fields from other managers" }, F_SELECTOR, { "server-side", 0, FLAG_BOOL, NULL, NULL, "Let the server merge" }, F_MANAGED,
};
static const struct flag replace_flags[] = {
	F_CASCADE, F_DRY_RUN, F_MANAGER("kubectl-replace"), F_FILENAME, { "force", 0, FLAG_BOOL, NULL, NULL, "Delete, then make anew" }, { "grace-period", 0, FLAG_INT, NULL, "-1", "Accepted for compatibility" },
	F_OUTPUT, { "save-config", 0, FLAG_BOOL, NULL, NULL, "Accepted for compatibility" }, F_MANAGED, { "subresource", 0, FLAG_STRING, NULL, NULL, "Accepted for compatibility", FLAG_HIDDEN }, F_TEMPLATE,
	{ "timeout", 0, FLAG_DURATION, NULL, "0s", "Accepted for compatibility" }, F_VALIDATE, { "wait", 0, FLAG_BOOL, NULL, NULL, "Accepted for compatibility" },
};
static const struct flag last_applied_flags[] = { { "all", 0, FLAG_BOOL, NULL, NULL, "All objects of the type" }, F_FILENAME, F_OUTPUT, F_SELECTOR };
static const struct flag events_flags[] = {
	F_ALL_NAMESPACES, { "chunk-size", 0, FLAG_INT, NULL, "500", "Accepted for compatibility" }, { "for", 0, FLAG_STRING, NULL, NULL, "Only of this object (pod/x)" },
	{ "no-headers", 0, FLAG_BOOL, NULL, NULL, "Leave out the head of the table" }, F_OUTPUT, F_MANAGED, F_TEMPLATE, { "types", 0, FLAG_CSV, NULL, NULL, "Only these: Normal, Warning" },
};
static const struct flag autoscale_flags[] = {
	{ "all", 0, FLAG_BOOL, NULL, NULL, "All objects of the type" }, { "cpu-percent", 0, FLAG_INT, NULL, "-1", "Share of the requested CPU that pods shall use" }, F_DRY_RUN, F_MANAGER("kubectl-autoscale"), F_FILENAME,
	{ "max", 0, FLAG_INT, NULL, "-1", "Most pods" }, { "min", 0, FLAG_INT, NULL, "-1", "Fewest pods" }, { "name", 0, FLAG_STRING, NULL, NULL, "Name of the autoscaler" }, F_OUTPUT, F_SELECTOR, F_MANAGED, F_TEMPLATE,
};
static const struct flag certificate_flags[] = { F_FILENAME, { "force", 0, FLAG_BOOL, NULL, NULL, "Accepted for compatibility" }, F_OUTPUT, F_MANAGED, F_TEMPLATE };
static const struct flag top_flags[] = { F_ALL_NAMESPACES, { "containers", 0, FLAG_BOOL, NULL, NULL, "A line a container" }, { "no-headers", 0, FLAG_BOOL, NULL, NULL, "Leave out the head of the table" }, F_SELECTOR, { "sort-by", 0, FLAG_STRING, NULL, NULL, "cpu or memory" } };
static const struct flag set_subject_flags[] = {
	SET_FLAGS, { "group", 0, FLAG_LIST, NULL, NULL, "Group that gets it" }, { "serviceaccount", 0, FLAG_LIST, NULL, NULL, "NAMESPACE:NAME that gets it" }, { "user", 0, FLAG_LIST, NULL, NULL, "User that gets it" },
};
static const struct flag dump_flags[] = { { "namespaces", 0, FLAG_CSV, NULL, NULL, "Namespaces to dump; kube-system and the current one without it" } };
