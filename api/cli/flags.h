/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flags of `coracle docker`, one row each; included by cli/commands.c.
 * { name, letter, type, word for the value (NULL: the type's), default, help, bits, check }
 */

const struct flag cli_global_flags[] = {
	{ "config", 0, FLAG_STRING, NULL, NULL, "Folder of the client's config.json" },
	{ "context", 'c', FLAG_STRING, NULL, NULL, "Context that says which engine to talk to; wins over DOCKER_HOST" },
	{ "debug", 'D', FLAG_BOOL, NULL, NULL, "Debug mode" },
	{ "host", 'H', FLAG_LIST, NULL, NULL, "Engine to connect to (unix://, tcp://, fd://, ssh://)" },
	{ "log-level", 'l', FLAG_STRING, NULL, "info", "How much is logged: debug, info, warn, error, fatal", 0, check_log_level },
	{ "tls", 0, FLAG_BOOL, NULL, NULL, "Use TLS; --tlsverify implies it" },
	{ "tlscacert", 0, FLAG_STRING, NULL, NULL, "Authority that the engine's certificate must come from" },
	{ "tlscert", 0, FLAG_STRING, NULL, NULL, "Client certificate" },
	{ "tlskey", 0, FLAG_STRING, NULL, NULL, "Key of the client certificate" },
	{ "tlsverify", 0, FLAG_BOOL, NULL, NULL, "Use TLS and check the engine's certificate" },
	{ "version", 'v', FLAG_BOOL, NULL, NULL, "Print the version and quit" },
};

#define FORMAT_HELP "Output form: json or a Go template"
#define FORMAT_TABLE_HELP "Output form: table, table TEMPLATE, json or a Go template"
#define F_FORMAT { "format", 'f', FLAG_STRING, NULL, NULL, FORMAT_HELP }
#define F_FORMAT_TABLE { "format", 0, FLAG_STRING, NULL, NULL, FORMAT_TABLE_HELP }
#define F_FILTER { "filter", 'f', FLAG_FILTER, NULL, NULL, "Only what matches, as key=value" }
#define F_PRUNE_FILTER { "filter", 0, FLAG_FILTER, NULL, NULL, "Only what matches, as key=value (until=24h, label=…)" }
#define F_NO_TRUNC { "no-trunc", 0, FLAG_BOOL, NULL, NULL, "Print ids and texts in full" }
#define F_QUIET(text) { "quiet", 'q', FLAG_BOOL, NULL, NULL, text }
#define F_FORCE(text) { "force", 'f', FLAG_BOOL, NULL, NULL, text }
#define F_DETACH_KEYS { "detach-keys", 0, FLAG_STRING, NULL, NULL, "Keys that detach from the container (ctrl-p,ctrl-q)" }
#define F_PLATFORM { "platform", 0, FLAG_STRING, NULL, NULL, "Platform as os[/arch[/variant]]" }
#define F_TRUST { "disable-content-trust", 0, FLAG_BOOL, NULL, "true", "Accepted for compatibility; images are not signed here", FLAG_HIDDEN }
#define F_SIGNAL { "signal", 's', FLAG_STRING, NULL, NULL, "Signal to send" }
#define F_TIMEOUT { "timeout", 't', FLAG_INT, NULL, NULL, "Seconds until the container is killed" }, \
	{ "time", 0, FLAG_INT, NULL, NULL, "The old name of --timeout", FLAG_HIDDEN }

/* Limits that build, run and update share */
#define F_CPU_LIMITS \
	{ "cpu-period", 0, FLAG_INT, NULL, NULL, "Length of a scheduling period in microseconds" }, \
	{ "cpu-quota", 0, FLAG_INT, NULL, NULL, "CPU time in a period, in microseconds" }, \
	{ "cpu-shares", 'c', FLAG_INT, NULL, NULL, "Relative CPU weight" }, \
	{ "cpuset-cpus", 0, FLAG_STRING, NULL, NULL, "CPUs it may run on (0-3, 0,1)" }, \
	{ "cpuset-mems", 0, FLAG_STRING, NULL, NULL, "Memory nodes it may use (0-3, 0,1)" }
#define F_MEMORY_LIMITS \
	{ "memory", 'm', FLAG_BYTES, NULL, NULL, "Memory limit" }, \
	{ "memory-swap", 0, FLAG_SWAP, NULL, NULL, "Memory and swap together; -1: no limit on swap" }

#define CREATE_FLAGS \
	{ "add-host", 0, FLAG_LIST, NULL, NULL, "Line for /etc/hosts (name:address, or name:host-gateway)", 0, check_extra_host }, \
	{ "annotation", 0, FLAG_MAP, NULL, NULL, "Annotation handed to the OCI runtime" }, \
	{ "attach", 'a', FLAG_LIST, NULL, NULL, "Attach to stdin, stdout or stderr", 0, check_attach }, \
	{ "blkio-weight", 0, FLAG_UINT16, NULL, NULL, "Relative block IO weight, 10 to 1000; 0: off" }, \
	{ "blkio-weight-device", 0, FLAG_LIST, NULL, NULL, "Block IO weight of one device (path:weight)", 0, check_weight_device }, \
	{ "cap-add", 0, FLAG_LIST, NULL, NULL, "Add a capability" }, \
	{ "cap-drop", 0, FLAG_LIST, NULL, NULL, "Take a capability away" }, \
	{ "cgroup-parent", 0, FLAG_STRING, NULL, NULL, "Control group to put the container in" }, \
	{ "cgroupns", 0, FLAG_STRING, NULL, NULL, "Control group namespace: host or private; default as the engine says" }, \
	{ "cidfile", 0, FLAG_STRING, NULL, NULL, "File that gets the container's id" }, \
	{ "cpu-count", 0, FLAG_INT, NULL, NULL, "Windows only", FLAG_HIDDEN }, \
	{ "cpu-percent", 0, FLAG_INT, NULL, NULL, "Windows only", FLAG_HIDDEN }, \
	{ "cpu-rt-period", 0, FLAG_INT, NULL, NULL, "Real-time scheduling period in microseconds" }, \
	{ "cpu-rt-runtime", 0, FLAG_INT, NULL, NULL, "Real-time CPU time in a period, in microseconds" }, \
	F_CPU_LIMITS, \
	{ "cpus", 0, FLAG_DECIMAL, NULL, NULL, "Number of CPUs, with a fraction" }, \
	{ "device", 0, FLAG_LIST, NULL, NULL, "Host device to add (path[:path[:rwm]])" }, \
	{ "device-cgroup-rule", 0, FLAG_LIST, NULL, NULL, "Rule for the devices controller", 0, check_device_rule }, \
	{ "device-read-bps", 0, FLAG_LIST, NULL, NULL, "Bytes a second that may be read from a device", 0, check_throttle_bytes }, \
	{ "device-read-iops", 0, FLAG_LIST, NULL, NULL, "Reads a second from a device", 0, check_throttle_ops }, \
	{ "device-write-bps", 0, FLAG_LIST, NULL, NULL, "Bytes a second that may be written to a device", 0, check_throttle_bytes }, \
	{ "device-write-iops", 0, FLAG_LIST, NULL, NULL, "Writes a second to a device", 0, check_throttle_ops }, \
	F_TRUST, \
	{ "dns", 0, FLAG_LIST, NULL, NULL, "Name server", 0, check_address }, \
	{ "dns-opt", 0, FLAG_LIST, NULL, NULL, "The old name of --dns-option", FLAG_HIDDEN }, \
	{ "dns-option", 0, FLAG_LIST, NULL, NULL, "Resolver option" }, \
	{ "dns-search", 0, FLAG_LIST, NULL, NULL, "Search domain", 0, check_dns_search }, \
	{ "domainname", 0, FLAG_STRING, NULL, NULL, "NIS domain name" }, \
	{ "entrypoint", 0, FLAG_STRING, NULL, NULL, "Replaces the image's ENTRYPOINT" }, \
	{ "env", 'e', FLAG_LIST, NULL, NULL, "Environment variable, NAME=value or NAME to pass ours on", 0, check_env }, \
	{ "env-file", 0, FLAG_LIST, NULL, NULL, "File of environment variables" }, \
	{ "expose", 0, FLAG_LIST, NULL, NULL, "Port or range that the container listens on" }, \
	{ "gpus", 0, FLAG_LIST, "gpu-request", NULL, "GPUs to add; all: every one" }, \
	{ "group-add", 0, FLAG_LIST, NULL, NULL, "Further group of the process" }, \
	{ "health-cmd", 0, FLAG_STRING, NULL, NULL, "Command that tells whether the container is healthy" }, \
	{ "health-interval", 0, FLAG_DURATION, NULL, "0s", "Time between two checks" }, \
	{ "health-retries", 0, FLAG_INT, NULL, "0", "Failures in a row until it is unhealthy" }, \
	{ "health-start-interval", 0, FLAG_DURATION, NULL, "0s", "Time between two checks while it starts" }, \
	{ "health-start-period", 0, FLAG_DURATION, NULL, "0s", "Time to start, in which failures do not count" }, \
	{ "health-timeout", 0, FLAG_DURATION, NULL, "0s", "Longest time of one check" }, \
	{ "help", 0, FLAG_BOOL, NULL, NULL, "Print this" }, \
	{ "hostname", 'h', FLAG_STRING, NULL, NULL, "Host name in the container" }, \
	{ "init", 0, FLAG_BOOL, NULL, NULL, "Run an init that passes signals on and reaps" }, \
	{ "interactive", 'i', FLAG_BOOL, NULL, NULL, "Keep standard input open" }, \
	{ "io-maxbandwidth", 0, FLAG_BYTES, NULL, NULL, "Windows only", FLAG_HIDDEN }, \
	{ "io-maxiops", 0, FLAG_UINT, NULL, NULL, "Windows only", FLAG_HIDDEN }, \
	{ "ip", 0, FLAG_STRING, NULL, NULL, "IPv4 address", 0, check_address }, \
	{ "ip6", 0, FLAG_STRING, NULL, NULL, "IPv6 address", 0, check_address }, \
	{ "ipc", 0, FLAG_STRING, NULL, NULL, "IPC namespace: none, private, shareable, host or container:NAME" }, \
	{ "isolation", 0, FLAG_STRING, NULL, NULL, "Isolation technology" }, \
	{ "kernel-memory", 0, FLAG_BYTES, NULL, NULL, "Kernel memory limit; no longer has an effect", FLAG_HIDDEN }, \
	{ "label", 'l', FLAG_LIST, NULL, NULL, "Label, key=value" }, \
	{ "label-file", 0, FLAG_LIST, NULL, NULL, "File of labels" }, \
	{ "link", 0, FLAG_LIST, NULL, NULL, "Link to another container (name[:alias])", 0, check_link }, \
	{ "link-local-ip", 0, FLAG_LIST, NULL, NULL, "Link-local address", 0, check_address }, \
	{ "log-driver", 0, FLAG_STRING, NULL, NULL, "Log driver" }, \
	{ "log-opt", 0, FLAG_LIST, NULL, NULL, "Option of the log driver" }, \
	{ "mac-address", 0, FLAG_STRING, NULL, NULL, "MAC address" }, \
	F_MEMORY_LIMITS, \
	{ "memory-reservation", 0, FLAG_BYTES, NULL, NULL, "Soft memory limit" }, \
	{ "memory-swappiness", 0, FLAG_INT, NULL, "-1", "Eagerness to swap, 0 to 100" }, \
	{ "mount", 0, FLAG_LIST, "mount", NULL, "Mount as type=…,source=…,target=…", 0, check_mount }, \
	{ "name", 0, FLAG_STRING, NULL, NULL, "Name of the container" }, \
	{ "net", 0, FLAG_LIST, "network", NULL, "The old name of --network", FLAG_HIDDEN }, \
	{ "net-alias", 0, FLAG_LIST, NULL, NULL, "The old name of --network-alias", FLAG_HIDDEN }, \
	{ "network", 0, FLAG_LIST, "network", NULL, "Network: a name, or name=…,alias=…,ip=…; bridge, host, none, container:NAME" }, \
	{ "network-alias", 0, FLAG_LIST, NULL, NULL, "Further name in the network" }, \
	{ "no-healthcheck", 0, FLAG_BOOL, NULL, NULL, "Switch the image's health check off" }, \
	{ "oom-kill-disable", 0, FLAG_BOOL, NULL, NULL, "Do not kill when memory runs out" }, \
	{ "oom-score-adj", 0, FLAG_INT, NULL, NULL, "How readily the kernel kills it, -1000 to 1000" }, \
	{ "pid", 0, FLAG_STRING, NULL, NULL, "PID namespace: host or container:NAME" }, \
	{ "pids-limit", 0, FLAG_INT, NULL, NULL, "Most processes; -1: no limit" }, \
	F_PLATFORM, \
	{ "privileged", 0, FLAG_BOOL, NULL, NULL, "All rights on the host" }, \
	{ "publish", 'p', FLAG_LIST, NULL, NULL, "Publish a port: [[address:]host:]container[/protocol]" }, \
	{ "publish-all", 'P', FLAG_BOOL, NULL, NULL, "Publish every exposed port at a free one" }, \
	{ "pull", 0, FLAG_STRING, NULL, "missing", "When to pull the image: always, missing, never" }, \
	{ "quiet", 'q', FLAG_BOOL, NULL, NULL, "No output while pulling" }, \
	{ "read-only", 0, FLAG_BOOL, NULL, NULL, "Root file system cannot be written" }, \
	{ "restart", 0, FLAG_STRING, NULL, "no", "When to start it again: no, on-failure[:n], always, unless-stopped" }, \
	{ "rm", 0, FLAG_BOOL, NULL, NULL, "Remove the container and its anonymous volumes when it ends" }, \
	{ "runtime", 0, FLAG_STRING, NULL, NULL, "OCI runtime" }, \
	{ "security-opt", 0, FLAG_LIST, NULL, NULL, "Security option" }, \
	{ "shm-size", 0, FLAG_BYTES, NULL, NULL, "Size of /dev/shm" }, \
	{ "stop-signal", 0, FLAG_STRING, NULL, NULL, "Signal that stops the container" }, \
	{ "stop-timeout", 0, FLAG_INT, NULL, NULL, "Seconds between that signal and a kill" }, \
	{ "storage-opt", 0, FLAG_LIST, NULL, NULL, "Option of the storage driver" }, \
	{ "sysctl", 0, FLAG_MAP, NULL, NULL, "Kernel setting in the container's namespaces" }, \
	{ "tmpfs", 0, FLAG_LIST, NULL, NULL, "Mount a tmpfs (path[:options])" }, \
	{ "tty", 't', FLAG_BOOL, NULL, NULL, "Give it a terminal" }, \
	{ "ulimit", 0, FLAG_LIST, "ulimit", NULL, "Resource limit, name=soft[:hard]", 0, check_ulimit }, \
	{ "use-api-socket", 0, FLAG_BOOL, NULL, NULL, "Give it the engine's socket and our credentials" }, \
	{ "user", 'u', FLAG_STRING, NULL, NULL, "User and group: name or number[:group]" }, \
	{ "userns", 0, FLAG_STRING, NULL, NULL, "User namespace" }, \
	{ "uts", 0, FLAG_STRING, NULL, NULL, "UTS namespace" }, \
	{ "volume", 'v', FLAG_LIST, NULL, NULL, "Mount a folder or a volume: source:target[:options]" }, \
	{ "volume-driver", 0, FLAG_STRING, NULL, NULL, "Volume driver" }, \
	{ "volumes-from", 0, FLAG_LIST, NULL, NULL, "Mount another container's volumes" }, \
	{ "workdir", 'w', FLAG_STRING, NULL, NULL, "Working directory" }

static const struct flag run_flags[] = {
	CREATE_FLAGS,
	{ "detach", 'd', FLAG_BOOL, NULL, NULL, "Run in the background and print the id" },
	F_DETACH_KEYS,
	{ "sig-proxy", 0, FLAG_BOOL, NULL, "true", "Pass signals on to the process" },
};
static const struct flag create_flags[] = { CREATE_FLAGS };

static const struct flag attach_flags[] = {
	F_DETACH_KEYS,
	{ "no-stdin", 0, FLAG_BOOL, NULL, NULL, "Do not attach standard input" },
	{ "sig-proxy", 0, FLAG_BOOL, NULL, "true", "Pass signals on to the process" },
};
static const struct flag exec_flags[] = {
	{ "detach", 'd', FLAG_BOOL, NULL, NULL, "Run in the background" },
	F_DETACH_KEYS,
	{ "env", 'e', FLAG_LIST, NULL, NULL, "Environment variable", 0, check_env },
	{ "env-file", 0, FLAG_LIST, NULL, NULL, "File of environment variables" },
	{ "interactive", 'i', FLAG_BOOL, NULL, NULL, "Keep standard input open" },
	{ "privileged", 0, FLAG_BOOL, NULL, NULL, "All rights on the host" },
	{ "tty", 't', FLAG_BOOL, NULL, NULL, "Give it a terminal" },
	{ "user", 'u', FLAG_STRING, NULL, NULL, "User and group: name or number[:group]" },
	{ "workdir", 'w', FLAG_STRING, NULL, NULL, "Working directory" },
};
static const struct flag ps_flags[] = {
	{ "all", 'a', FLAG_BOOL, NULL, NULL, "Stopped containers too" },
	F_FILTER,
	F_FORMAT_TABLE,
	{ "last", 'n', FLAG_INT, NULL, "-1", "The n containers created last, stopped ones too" },
	{ "latest", 'l', FLAG_BOOL, NULL, NULL, "The container created last, stopped or not" },
	F_NO_TRUNC,
	F_QUIET("Ids only"),
	{ "size", 's', FLAG_BOOL, NULL, NULL, "Sizes on disk too" },
};
static const struct flag logs_flags[] = {
	{ "details", 0, FLAG_BOOL, NULL, NULL, "Attributes that the log driver keeps too" },
	{ "follow", 'f', FLAG_BOOL, NULL, NULL, "Go on with what is written from now on" },
	{ "since", 0, FLAG_STRING, NULL, NULL, "From this time on (2013-01-02T13:23:37Z, or 42m for 42 minutes ago)" },
	{ "tail", 'n', FLAG_STRING, NULL, "all", "So many lines from the end" },
	{ "timestamps", 't', FLAG_BOOL, NULL, NULL, "With the time of each line" },
	{ "until", 0, FLAG_STRING, NULL, NULL, "Up to this time" },
};
static const struct flag start_flags[] = {
	{ "attach", 'a', FLAG_BOOL, NULL, NULL, "Attach to its output and pass signals on" },
	{ "checkpoint", 0, FLAG_STRING, NULL, NULL, "Restore this checkpoint", FLAG_HIDDEN },
	{ "checkpoint-dir", 0, FLAG_STRING, NULL, NULL, "Folder of checkpoints", FLAG_HIDDEN },
	F_DETACH_KEYS,
	{ "interactive", 'i', FLAG_BOOL, NULL, NULL, "Attach its standard input" },
};
static const struct flag stop_flags[] = { F_SIGNAL, F_TIMEOUT };
static const struct flag kill_flags[] = { F_SIGNAL };
static const struct flag rm_flags[] = {
	F_FORCE("Kill it first if it runs"),
	{ "link", 'l', FLAG_BOOL, NULL, NULL, "Remove a link, not a container" },
	{ "volumes", 'v', FLAG_BOOL, NULL, NULL, "Remove its anonymous volumes too" },
};
static const struct flag inspect_flags[] = {
	F_FORMAT,
	{ "size", 's', FLAG_BOOL, NULL, NULL, "Sizes on disk too, for containers" },
	{ "type", 0, FLAG_STRING, NULL, NULL, "Only objects of this type" },
};
static const struct flag container_inspect_flags[] = {
	F_FORMAT,
	{ "size", 's', FLAG_BOOL, NULL, NULL, "Sizes on disk too" },
};
static const struct flag image_inspect_flags[] = { F_FORMAT, F_PLATFORM };
static const struct flag network_inspect_flags[] = {
	F_FORMAT,
	{ "verbose", 'v', FLAG_BOOL, NULL, NULL, "More, for finding faults" },
};
static const struct flag format_flags[] = { F_FORMAT };
static const struct flag cp_flags[] = {
	{ "archive", 'a', FLAG_BOOL, NULL, NULL, "Keep owners" },
	{ "follow-link", 'L', FLAG_BOOL, NULL, NULL, "Follow a link at the source" },
	F_QUIET("No progress"),
};
static const struct flag stats_flags[] = {
	{ "all", 'a', FLAG_BOOL, NULL, NULL, "Stopped containers too" },
	F_FORMAT_TABLE,
	{ "no-stream", 0, FLAG_BOOL, NULL, NULL, "Print once and end" },
	F_NO_TRUNC,
};
static const struct flag events_flags[] = {
	F_FILTER,
	{ "format", 0, FLAG_STRING, NULL, NULL, FORMAT_HELP },
	{ "since", 0, FLAG_STRING, NULL, NULL, "From this time on" },
	{ "until", 0, FLAG_STRING, NULL, NULL, "Up to this time" },
};
static const struct flag update_flags[] = {
	{ "blkio-weight", 0, FLAG_UINT16, NULL, NULL, "Relative block IO weight, 10 to 1000; 0: off" },
	{ "cpu-rt-period", 0, FLAG_INT, NULL, NULL, "Real-time scheduling period in microseconds" },
	{ "cpu-rt-runtime", 0, FLAG_INT, NULL, NULL, "Real-time CPU time in a period, in microseconds" },
	F_CPU_LIMITS,
	{ "cpus", 0, FLAG_DECIMAL, NULL, NULL, "Number of CPUs, with a fraction" },
	F_MEMORY_LIMITS,
	{ "memory-reservation", 0, FLAG_BYTES, NULL, NULL, "Soft memory limit" },
	{ "pids-limit", 0, FLAG_INT, NULL, NULL, "Most processes; -1: no limit" },
	{ "restart", 0, FLAG_STRING, NULL, NULL, "When to start it again: no, on-failure[:n], always, unless-stopped" },
};
static const struct flag prune_flags[] = { F_PRUNE_FILTER, F_FORCE("Do not ask") };
static const struct flag prune_all_flags[] = {
	{ "all", 'a', FLAG_BOOL, NULL, NULL, "Everything unused, not only what has no name" },
	F_PRUNE_FILTER,
	F_FORCE("Do not ask"),
};
static const struct flag system_prune_flags[] = {
	{ "all", 'a', FLAG_BOOL, NULL, NULL, "All unused images, not only those without a name" },
	F_PRUNE_FILTER,
	F_FORCE("Do not ask"),
	{ "volumes", 0, FLAG_BOOL, NULL, NULL, "Anonymous volumes too" },
};
static const struct flag builder_prune_flags[] = {
	{ "all", 'a', FLAG_BOOL, NULL, NULL, "All unused build cache" },
	F_PRUNE_FILTER,
	F_FORCE("Do not ask"),
	{ "keep-storage", 0, FLAG_BYTES, NULL, NULL, "How much cache to keep" },
};
static const struct flag commit_flags[] = {
	{ "author", 'a', FLAG_STRING, NULL, NULL, "Author" },
	{ "change", 'c', FLAG_LIST, NULL, NULL, "Dockerfile instruction to apply" },
	{ "message", 'm', FLAG_STRING, NULL, NULL, "What the change is" },
	{ "pause", 'p', FLAG_BOOL, NULL, "true", "Pause the container meanwhile" },
};
static const struct flag export_flags[] = { { "output", 'o', FLAG_STRING, NULL, NULL, "File to write, instead of standard output" } };
static const struct flag save_flags[] = {
	{ "output", 'o', FLAG_STRING, NULL, NULL, "File to write, instead of standard output" },
	F_PLATFORM,
};
static const struct flag load_flags[] = {
	{ "input", 'i', FLAG_STRING, NULL, NULL, "Archive to read, instead of standard input" },
	F_PLATFORM,
	F_QUIET("No progress"),
};
static const struct flag import_flags[] = {
	{ "change", 'c', FLAG_LIST, NULL, NULL, "Dockerfile instruction to apply" },
	{ "message", 'm', FLAG_STRING, NULL, NULL, "Comment on the image" },
	F_PLATFORM,
};
static const struct flag pull_flags[] = {
	{ "all-tags", 'a', FLAG_BOOL, NULL, NULL, "Every tag of the repository" },
	F_TRUST, F_PLATFORM,
	F_QUIET("Only the image's name at the end"),
};
static const struct flag images_flags[] = {
	{ "all", 'a', FLAG_BOOL, NULL, NULL, "Intermediate images too" },
	{ "digests", 0, FLAG_BOOL, NULL, NULL, "Digests too" },
	F_FILTER,
	F_FORMAT_TABLE,
	F_NO_TRUNC,
	F_QUIET("Ids only"),
	{ "tree", 0, FLAG_BOOL, NULL, NULL, "Platforms of an image as a tree", FLAG_HIDDEN },
};
static const struct flag rmi_flags[] = {
	F_FORCE("Even if several names or a stopped container use it"),
	{ "no-prune", 0, FLAG_BOOL, NULL, NULL, "Keep parents without a name" },
	{ "platform", 0, FLAG_CSV, NULL, NULL, "Only this platform" },
};
static const struct flag history_flags[] = {
	F_FORMAT_TABLE,
	{ "human", 'H', FLAG_BOOL, NULL, "true", "Sizes and dates for people" },
	F_NO_TRUNC, F_PLATFORM,
	F_QUIET("Ids only"),
};
static const struct flag search_flags[] = {
	F_FILTER,
	{ "format", 0, FLAG_STRING, NULL, NULL, FORMAT_TABLE_HELP },
	{ "limit", 0, FLAG_INT, NULL, NULL, "Most results" },
	F_NO_TRUNC,
};
static const struct flag build_flags[] = {
	{ "add-host", 0, FLAG_LIST, NULL, NULL, "Line for /etc/hosts (name:address)", 0, check_extra_host },
	{ "build-arg", 0, FLAG_LIST, NULL, NULL, "Value for an ARG", 0, check_env },
	{ "cache-from", 0, FLAG_CSV, NULL, NULL, "Images that may serve as cache" },
	{ "cgroup-parent", 0, FLAG_STRING, NULL, NULL, "Control group for RUN" },
	{ "compress", 0, FLAG_BOOL, NULL, NULL, "Send the context compressed" },
	F_CPU_LIMITS, F_TRUST,
	{ "file", 'f', FLAG_STRING, NULL, NULL, "The Dockerfile (PATH/Dockerfile)" },
	{ "force-rm", 0, FLAG_BOOL, NULL, NULL, "Remove intermediate containers even after a failure" },
	{ "iidfile", 0, FLAG_STRING, NULL, NULL, "File that gets the image's id" },
	{ "isolation", 0, FLAG_STRING, NULL, NULL, "Isolation technology" },
	{ "label", 0, FLAG_LIST, NULL, NULL, "Label for the image" },
	F_MEMORY_LIMITS,
	{ "network", 0, FLAG_STRING, NULL, "default", "Network for RUN" },
	{ "no-cache", 0, FLAG_BOOL, NULL, NULL, "Do every step anew" },
	F_PLATFORM,
	{ "pull", 0, FLAG_BOOL, NULL, NULL, "Ask the registry for newer base images" },
	F_QUIET("Only the image's id at the end"),
	{ "rm", 0, FLAG_BOOL, NULL, "true", "Remove intermediate containers" },
	{ "security-opt", 0, FLAG_CSV, NULL, NULL, "Security option" },
	{ "shm-size", 0, FLAG_BYTES, NULL, NULL, "Size of /dev/shm" },
	{ "squash", 0, FLAG_BOOL, NULL, NULL, "One layer for all new ones" },
	{ "tag", 't', FLAG_LIST, NULL, NULL, "Name, and tag if wanted, of the image", 0, check_tag },
	{ "target", 0, FLAG_STRING, NULL, NULL, "Stage to end with" },
	{ "ulimit", 0, FLAG_LIST, "ulimit", NULL, "Resource limit, name=soft[:hard]", 0, check_ulimit },
};
static const struct flag network_create_flags[] = {
	{ "attachable", 0, FLAG_BOOL, NULL, NULL, "Containers may be attached by hand" },
	{ "aux-address", 0, FLAG_MAP, NULL, NULL, "Further address that the driver uses" },
	{ "config-from", 0, FLAG_STRING, NULL, NULL, "Network to copy the configuration from" },
	{ "config-only", 0, FLAG_BOOL, NULL, NULL, "A configuration, not a network" },
	{ "driver", 'd', FLAG_STRING, NULL, "bridge", "Driver" },
	{ "gateway", 0, FLAG_CSV, NULL, NULL, "Gateway of the subnet" },
	{ "ingress", 0, FLAG_BOOL, NULL, NULL, "The swarm's routing mesh", FLAG_HIDDEN },
	{ "internal", 0, FLAG_BOOL, NULL, NULL, "No way out" },
	{ "ip-range", 0, FLAG_CSV, NULL, NULL, "Part of the subnet for containers" },
	{ "ipam-driver", 0, FLAG_STRING, NULL, "default", "Driver that hands out addresses" },
	{ "ipam-opt", 0, FLAG_MAP, NULL, NULL, "Option for it" },
	{ "ipv4", 0, FLAG_BOOL, NULL, "true", "Give IPv4 addresses" },
	{ "ipv6", 0, FLAG_BOOL, NULL, NULL, "Give IPv6 addresses" },
	{ "label", 0, FLAG_LIST, NULL, NULL, "Label" },
	{ "opt", 'o', FLAG_MAP, NULL, NULL, "Option of the driver" },
	{ "scope", 0, FLAG_STRING, NULL, NULL, "Scope", FLAG_HIDDEN },
	{ "subnet", 0, FLAG_CSV, NULL, NULL, "Subnet in CIDR form" },
};
static const struct flag network_connect_flags[] = {
	{ "alias", 0, FLAG_CSV, NULL, NULL, "Further name in the network" },
	{ "driver-opt", 0, FLAG_CSV, NULL, NULL, "Option of the driver" },
	{ "gw-priority", 0, FLAG_INT, NULL, NULL, "The highest one gives the default gateway" },
	{ "ip", 0, FLAG_STRING, NULL, NULL, "IPv4 address" },
	{ "ip6", 0, FLAG_STRING, NULL, NULL, "IPv6 address" },
	{ "link", 0, FLAG_LIST, NULL, NULL, "Link to another container", 0, check_link },
	{ "link-local-ip", 0, FLAG_CSV, NULL, NULL, "Link-local address" },
};
static const struct flag network_disconnect_flags[] = { F_FORCE("Even if the container is stuck") };
static const struct flag network_ls_flags[] = { F_FILTER, F_FORMAT_TABLE, F_NO_TRUNC, F_QUIET("Ids only") };
static const struct flag network_rm_flags[] = { F_FORCE("No error if it does not exist") };
static const struct flag volume_create_flags[] = {
	{ "driver", 'd', FLAG_STRING, NULL, "local", "Driver" },
	{ "label", 0, FLAG_LIST, NULL, NULL, "Label" },
	{ "name", 0, FLAG_STRING, NULL, NULL, "The old way to name it", FLAG_HIDDEN },
	{ "opt", 'o', FLAG_MAP, NULL, NULL, "Option of the driver" },
};
static const struct flag volume_ls_flags[] = {
	{ "cluster", 0, FLAG_BOOL, NULL, NULL, "Cluster volumes only", FLAG_HIDDEN },
	F_FILTER, F_FORMAT_TABLE,
	F_QUIET("Names only"),
};
static const struct flag volume_rm_flags[] = { F_FORCE("No error if it does not exist") };
static const struct flag df_flags[] = {
	F_FORMAT_TABLE,
	{ "verbose", 'v', FLAG_BOOL, NULL, NULL, "Each image, container and volume" },
};
static const struct flag login_flags[] = {
	{ "password", 'p', FLAG_STRING, NULL, NULL, "Password or access token" },
	{ "password-stdin", 0, FLAG_BOOL, NULL, NULL, "Read the password from standard input" },
	{ "username", 'u', FLAG_STRING, NULL, NULL, "User name" },
};
static const struct flag context_create_flags[] = {
	{ "description", 0, FLAG_STRING, NULL, NULL, "What it is" },
	{ "docker", 0, FLAG_LIST, "stringToString", "[]", "Endpoint: host=…,ca=…,cert=…,key=…,skip-tls-verify=…, or from=CONTEXT" },
	{ "from", 0, FLAG_STRING, NULL, NULL, "Context to copy" },
};
static const struct flag context_update_flags[] = {
	{ "description", 0, FLAG_STRING, NULL, NULL, "What it is" },
	{ "docker", 0, FLAG_LIST, "stringToString", "[]", "Endpoint: host=…,ca=…,cert=…,key=…,skip-tls-verify=…" },
};
static const struct flag context_ls_flags[] = { F_FORMAT_TABLE, F_QUIET("Names only") };
static const struct flag context_rm_flags[] = { F_FORCE("Even if it is in use") };
