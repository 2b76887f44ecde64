/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kubelet's files share. A pod's life is worker.c; what to do next is
 * decided by plan.c and said by status.c, both pure; build.c does it.
 */
#pragma once
#include "api/kube.h"
#include "base/list.h"
#include "base/map.h"
#include "io/fiber.h"
#include "kube/client/client.h"
#include "kube/meta/resource.h"
#include "kube/node/runtime.h"

enum {
	POD_ARENA_MAX = 64 << 20,
	NODE_MAX_PODS = 110,
	NODE_MAX_CONTAINERS = 200,        /* of one pod */
};
#define NEVER INT64_MAX

struct node;
struct pod_worker;

/* --- the seam to the API server: api.c fills it with kube/client, tests with a double ---------------------- */
struct node_api {
	int (*get_wait)(struct node_api *api, const struct kube_resource *r, const char *ns, const char *name, struct arena *a, void *ret, struct err *e);
	/* Merge patch of the pod's status. */
	int (*patch_status_wait)(struct node_api *api, const struct kube_pod *pod, struct slice body, struct err *e);
	/* Grace 0, this uid only. */
	int (*delete_wait)(struct node_api *api, const struct kube_pod *pod, struct err *e);
	int (*token_wait)(struct node_api *api, const char *ns, const char *service_account, const struct kube_token_request *q, struct arena *a,
		struct kube_token_request *ret, struct err *e);
	/* Services of a namespace, from the cache; fn must not suspend. */
	int (*each_service)(struct node_api *api, const char *ns, int (*fn)(void *arg, const struct kube_service *s), void *arg);
	/* About a pod; container NULL or its field path's name. */
	/* pod NULL: about the node. */
	void (*event)(struct node_api *api, const struct kube_pod *pod, const char *field_path, const char *type, const char *reason, const char *text);
};

/* --- configuration, fixed while the node runs --------------------------------------------------------------- */
struct node_settings {
	const char *name, *ip;            /* ip: this node's address, what pods see as host IP */
	const char *hostname;
	const char *root;                 /* ROOT/node */
	const char *pods_dir;             /* ROOT/node/pods */
	const char *logs_dir;             /* …/pods: NS_NAME_UID/CONTAINER/N.log */
	const char *seccomp_dir;
	const char *cluster_dns, *cluster_domain;
	const char *resolv_conf;
	const char *cgroup_root;          /* "/kubepods" */
	int64_t memory_bytes, cpu_milli;  /* of this machine */
	bool no_cgroups;                  /* tests: make no pod cgroups */
};

/* --- containers of a pod ------------------------------------------------------------------------------------ */
enum container_kind { CONTAINER_INIT, CONTAINER_REGULAR, CONTAINER_EPHEMERAL };
enum probe_kind { PROBE_STARTUP, PROBE_LIVENESS, PROBE_READINESS, PROBE_KINDS };

struct probe_run;
/* What the node remembers of a container between turns; found by name. */
struct container_memory {
	struct list node;
	char name[64];
	int64_t backoff_ns, backoff_set_ns;            /* of crashes; 0: none yet. set: realtime of the last doubling */
	int64_t image_backoff_ns, image_retry_ns;      /* of pulls; retry: realtime, 0 none */
	char image_error[1024];
	int64_t retry_ns;                              /* realtime before which the start is not tried again; 0 now */
	unsigned retries;
	int64_t backoff_told_ns;                       /* finishedAt of the crash whose back-off was made an event */
	const char *waiting_reason;                    /* static text; NULL none */
	char waiting_message[1024];
	char running_id[80];                           /* the container that probes and flags below are about */
	bool started, ready;                           /* what probes say; startup first */
	bool is_post_starting;
	bool failed_liveness;                          /* kill it; message below */
	char failed_message[256];
	int64_t failed_grace;                          /* -1: the pod's */
	bool is_killing;
	struct probe_run *probes[PROBE_KINDS];
};
/* One container as the spec has it now. */
struct pod_container {
	enum container_kind kind;
	bool is_sidecar;                               /* init with restartPolicy Always */
	const struct kube_container *spec;
	const char *target;                            /* ephemeral: targetContainerName */
	struct container_memory *memory;
	const struct cri_container_status *now, *before;  /* newest and the one before it, NULL: never */
	bool is_current;                               /* now is in the newest sandbox */
};

/* What the runtime has of a pod, newest first. */
struct pod_observed {
	struct arena arena;
	struct cri_pod_sandbox_status *sandboxes;
	uint32_t n_sandboxes;
	struct cri_container_status *containers;
	const char **sandbox_of;                       /* of each container: its sandbox's id */
	uint32_t n_containers;
};

/* A pod as one turn sees it; everything that plan and status need. */
struct pod_view {
	const struct kube_pod *pod;
	const struct pod_observed *observed;
	struct pod_container *containers;              /* init, regular, ephemeral, each in the spec's order */
	unsigned n_containers;
	int64_t now_ns;                                /* realtime */
	bool is_terminating, is_terminated;            /* nothing is started any more; all containers have ended */
	bool is_builder_at_work;
	bool has_failed;                               /* the node ended it: */
	const char *failed_reason, *failed_message;    /* DeadlineExceeded, Evicted … */
	const char *runtime_name, *host_ip;
	const struct node_settings *set;
};

/* --- plan.c ------------------------------------------------------------------------------------------------- */
struct plan_kill {
	const char *id;
	struct pod_container *c;
	const char *message;                           /* of the event */
	int64_t grace_s;                               /* -1: the pod's */
};
struct pod_plan {
	bool replace_sandbox;                          /* stop what is there, then make one */
	uint32_t attempt;                              /* of the new one */
	unsigned *start;                               /* indices of containers to start, in order */
	unsigned n_start;
	struct plan_kill *kill;
	unsigned n_kill;
	unsigned *resize;                              /* indices of running containers whose limits have changed */
	unsigned n_resize;
	bool is_finished;                              /* nothing runs and nothing will: end the pod */
	int64_t wake_ns;                               /* realtime at which to look again; NEVER */
};
/* -ENOMEM only. */
int plan_make(struct pod_view *v, struct arena *a, struct pod_plan *ret);
/* Would it be started again after it ended like this? */
bool plan_restarts(const struct kube_pod *pod, const struct pod_container *c, int exit_code);
/* When a container that has ended may run again: realtime; 0 at once. */
int64_t plan_backoff_end(const struct container_memory *m, int64_t finished_ns);
/* It is started again: the next wait is twice as long; forgotten after ten good minutes. */
void plan_backoff_next(struct container_memory *m, int64_t finished_ns);
/* A running container whose limits are no longer those of the spec; false where the runtime does not tell. */
bool plan_is_resized(const struct node_settings *set, const struct kube_pod *pod, const struct pod_container *c);
/* Hash of what makes a running container obsolete when it changes; 9 bytes. */
void plan_hash(const struct kube_container *c, char *dst);
bool cri_is_running(const struct cri_container_status *s);
bool cri_has_ended(const struct cri_container_status *s);

/* admit.c: what this node refuses to run: *reason (static) and e's text. */
int admit_pod(const struct kube_pod *pod, const char **reason, struct err *e);

/* --- status.c ----------------------------------------------------------------------------------------------- */
/* The status to publish; old is what the API server has. In the arena. */
int status_make(const struct pod_view *v, struct arena *a, struct kube_pod_status *ret);
/* The body of the merge patch. */
int status_patch(const struct kube_pod *pod, const struct kube_pod_status *s, struct arena *a, struct buf *out, struct err *e);
const char *pod_qos(const struct kube_pod *pod);       /* "Guaranteed", "Burstable", "BestEffort" */

/* --- pod.c: helpers on specs -------------------------------------------------------------------------------- */
/* Containers of the spec with their memory (made when new) and what was observed. */
int pod_containers(const struct kube_pod *pod, const struct pod_observed *o, struct list *memories, struct arena *a, struct pod_container **ret,
	unsigned *n);
const char *pod_full_name(const struct kube_pod *pod, struct arena *a);   /* "name_ns(uid)" as messages have it */
bool pod_is_host_network(const struct kube_pod *pod);
const char *container_field_path(const struct pod_container *c, struct arena *a);   /* "spec.containers{name}" */
int64_t pod_grace_s(const struct kube_pod *pod);       /* what it has to end: deletion's, else the spec's, else 30 */
const char *annotation(const struct schema_pair *v, uint32_t n, const char *key);  /* "" when absent */
bool is_true(const bool *p);
struct kube_pod_status;
const struct kube_container_status *pod_old_status(const struct kube_pod *pod, const struct pod_container *c);
/* Names are names and what must be there is there (sound.c); -EINVAL otherwise. */
int pod_is_sound(const struct kube_pod *pod, struct err *e);
/* Does it use this config map or secret (by plural), in volumes or environment? */
bool pod_refers(const struct kube_pod *pod, const char *plural, const char *name);
/* Port by number or by name of the container's ports; 0 when there is none. */
unsigned container_port(const struct kube_container *c, const struct schema_int_or_string *port);

/* --- config.c: spec → CRI ----------------------------------------------------------------------------------- */
struct config_in {
	const struct node_settings *set;
	struct node_api *api;
	const struct kube_pod *pod;
	const char *pod_ip;                            /* "" while unknown */
	const char *const *pod_ips;
	unsigned n_pod_ips;
};
/* In a. */
int config_sandbox(const struct config_in *in, uint32_t attempt, struct arena *a, struct cri_pod_sandbox_config *ret, struct err *e);
struct container_extra {
	uint32_t attempt;
	const struct cri_mount *mounts;
	uint32_t n_mounts;
	const char *image_ref;                         /* what the runtime calls the image */
	int64_t image_uid;                             /* user the image asks for; -1: a name, or unknown */
	const char *image_username;
	const char *target_id;                         /* ephemeral: container whose processes it sees */
};
/* -EINVAL and a text for CreateContainerConfigError. May suspend (reads config maps and secrets). */
int config_container_wait(const struct config_in *in, const struct pod_container *c, const struct container_extra *x, struct arena *a,
	struct cri_container_config *ret, struct err *e);
/* "/kubepods/burstable/poduid" */
const char *config_cgroup(const struct node_settings *set, const struct kube_pod *pod, struct arena *a);
void config_resources(const struct node_settings *set, const struct kube_pod *pod, const struct kube_container *c, struct cri_linux_container_resources *ret);
/* Requests and limits of all of the pod. */
void config_pod_resources(const struct kube_pod *pod, struct cri_linux_container_resources *ret);

/* --- env.c -------------------------------------------------------------------------------------------------- */
/* In a. May suspend. */
int env_make_wait(const struct config_in *in, const struct pod_container *c, struct arena *a, struct schema_pair **ret, uint32_t *n, struct err *e);
/* Expands $(NAME); "$$(" is an escape; unknown names stay. */
const char *env_expand(struct arena *a, const char *text, const struct schema_pair *env, uint32_t n);
/* metadata.name, metadata.labels['x'], spec.nodeName, status.podIP …; -EINVAL for what is none. */
int field_value(const struct config_in *in, const char *path, struct arena *a, const char **ret, struct err *e);
/* limits.cpu, requests.memory … of a container, divided. */
int resource_value(const struct config_in *in, const struct kube_container *c, const char *resource, const char *divisor, struct arena *a,
	const char **ret, struct err *e);

/* --- volumes ------------------------------------------------------------------------------------------------ */
/* Makes all volumes of the pod that are not there yet and refreshes data. May suspend. Idempotent. */
int volumes_setup_wait(const struct config_in *in, struct err *e);
/* Mounts of one container. May suspend (subPath is opened on a worker). */
int volumes_mounts_wait(const struct config_in *in, const struct pod_container *c, const struct schema_pair *env, uint32_t n_env, uint32_t attempt,
	struct arena *a, struct cri_mount **ret, uint32_t *n, struct err *e);
/* Unmounts and removes the pod's volumes; with all, all of its folder, and its cgroup. */
int volumes_teardown_wait(const struct node_settings *set, const char *uid, bool all, struct err *e);
/* The folders of a pod and of its logs. */
int volumes_folders_wait(const struct node_settings *set, const struct kube_pod *pod, struct err *e);
int logs_remove_wait(const struct node_settings *set, const char *ns, const char *name, const char *uid, struct err *e);
/* /var/log/containers/POD_NS_CONTAINER-ID.log, where programs that ship logs look; only with logs in /var/log/pods. */
void log_link_wait(const struct node_settings *set, const struct kube_pod *pod, const char *container, uint32_t attempt, const char *id);
/* Takes away links to logs that are gone. */
void log_links_clean_wait(const struct node_settings *set);
/* cgroup.c: the pod's cgroup with its limits; and away again. On a worker. */
int cgroup_make_wait(const struct node_settings *set, const struct kube_pod *pod, struct err *e);
void cgroup_remove_wait(const struct node_settings *set, const char *uid);
/* "foo" and "foo.sub.ns.svc.cluster.local"; domain is "" without a subdomain. */
void pod_hostname(const struct config_in *in, struct arena *a, const char **name, const char **domain);
/* Where a volume is on this machine. May suspend (claims are read). */
int volume_path_wait(const struct config_in *in, const struct kube_volume *v, struct arena *a, const char **ret, bool *read_only, struct err *e);
/* data.c: the files of config map, secret, downward API and projected volumes. 0 files of an optional source are none. */
struct data_files { struct atomic_file *v; unsigned n, cap; };
int data_files_wait(const struct config_in *in, const struct kube_volume *v, struct arena *a, struct data_files *ret, struct err *e);
/* Has any volume whose contents may change (config map, secret, downward API, token)? */
bool volumes_are_live(const struct kube_pod *pod);
/* /etc/hosts of the pod, written to path. On a worker. */
int volumes_hosts_wait(const struct config_in *in, struct err *e);
const char *termination_log_path(const struct node_settings *set, const struct kube_pod *pod, const char *container, uint32_t attempt, struct arena *a);
const char *container_log_path(const struct node_settings *set, const struct kube_pod *pod, const char *container, uint32_t attempt, struct arena *a);
const char *pod_log_dir(const struct node_settings *set, const char *ns, const char *name, const char *uid, struct arena *a);

/* atomic.c: files that appear together (..data). Blocking. */
struct atomic_file { const char *path; struct slice data; unsigned mode; int64_t uid; /* -1 keep */ };
int atomic_write(const char *dir, const struct atomic_file *files, unsigned n, int64_t gid, struct err *e);

/* --- images.c ----------------------------------------------------------------------------------------------- */
struct image_result {
	const char *ref;                               /* what CRI wants in CreateContainer; in a */
	int64_t uid;
	const char *username;
};
/* Makes sure that the container's image is there, by its pull policy, with events and back-off. *reason is static text for the waiting state. */
int images_ensure_wait(struct pod_worker *w, const struct kube_pod *pod, struct pod_container *c, struct arena *a, struct image_result *ret, const char **reason,
	struct err *e);

/* --- probes.c ----------------------------------------------------------------------------------------------- */
/* Starts, keeps and ends the probes of a turn's containers. */
void probes_sync(struct pod_worker *w, const struct pod_view *v);
void probes_stop(struct container_memory *m);          /* all of them; harmless twice */
/* One exec, HTTP, TCP or gRPC check. 0 good, 1 bad with text, < 0 could not be tried. */
struct probe_target { struct node_runtime *rt; struct loop *loop; const char *container_id, *pod_ip; const struct kube_container *spec; };
int probe_once_wait(const struct probe_target *t, const struct kube_probe *p, struct err *e);
int hook_run_wait(const struct probe_target *t, const struct kube_lifecycle_handler *h, int64_t timeout_s, struct err *e);

/* --- worker.c ----------------------------------------------------------------------------------------------- */
enum worker_state { WORKER_SYNC, WORKER_TERMINATING, WORKER_TERMINATED, WORKER_GONE };

struct pod_worker {
	struct list node;                              /* of the node's workers */
	struct node *owner;
	unsigned refs;                                 /* its fibers */
	char *key, *uid;
	enum worker_state state;
	struct kobject *pod;                           /* as last seen */
	bool is_deleted;                               /* the API server has it no more */
	bool is_delete_sent, is_admitted, has_image_volumes;
	struct list memories;                          /* container_memory */
	struct pod_observed observed;
	bool is_observed_stale, is_dirty;
	struct waitq wake;
	struct fiber *fiber, *builder, *publisher;
	bool build_is_unwanted, build_must_finish;     /* the builder is to end; but not in the middle of what leaves things behind */
	struct list kills;                             /* of kill.c, one a container that is being stopped */
	int64_t grace_s, grace_began_ns;               /* of the termination; shrinks only. realtime */
	bool sandbox_stopped, volumes_gone, sandbox_is_new;
	bool has_failed;
	char failed_reason[32], failed_message[256];
	int64_t setup_retry_ns;                        /* realtime; 0 */
	unsigned setup_retries;
	int64_t refresh_ns;                            /* realtime of the next refresh of live volumes; 0: none yet */
	struct arena want_arena;                       /* the status to be published, */
	struct kube_pod_status *want;
	bool is_published;                             /* and whether the API server has it */
	int64_t first_seen_ns;
};
/* The fiber of a worker. */
void worker_main(void *arg);
/* Computes the status and has it written if it is new. */
int worker_publish(struct pod_worker *w, struct pod_view *v);
/* The node ends this pod: phase Failed with this reason, an event, no grace. */
void worker_fail(struct pod_worker *w, const char *reason, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void worker_ref(struct pod_worker *w);
void worker_unref(struct pod_worker *w);
/* The pod as it is now; starts its worker when new. */
int workers_update(struct node *n, struct kobject *pod);
void workers_deleted(struct node *n, struct kobject *pod);
/* Something happened to a container of this pod (uid); NULL: to all. */
void workers_stale(struct node *n, const char *uid);
void worker_wake(struct pod_worker *w);
/* A config map or secret has changed: who uses it looks again now. */
void workers_refresh(struct node *n, const char *plural, const char *ns, const char *name);
struct pod_worker *worker_find(struct node *n, const char *ns, const char *name);
struct pod_worker *worker_find_uid(struct node *n, const char *uid);
/* Fresh view for other files (server): containers with what is observed. In a. */
int worker_view(struct pod_worker *w, struct arena *a, struct pod_view *ret);
static inline const struct kube_pod *worker_pod(const struct pod_worker *w) { return w->pod->obj; }
/* Images of image volumes, by their pull policy; */
int images_volumes_wait(struct pod_worker *w, const struct kube_pod *pod, struct arena *a, struct err *e);
void worker_event(struct pod_worker *w, const struct pod_container *c, const char *type, const char *reason, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* Asks the runtime about one pod. */
int observe_wait(struct node_runtime *rt, const char *uid, struct pod_observed *ret, struct err *e);
void observed_release(struct pod_observed *o);

/* What a container left behind in its termination message file, or in its log: into status->message. Reads small local files. */
void observed_messages(const struct node_settings *set, const struct kube_pod *pod, struct pod_observed *o);
/* build.c: the fiber that sets up, makes the sandbox and starts containers, as planned. */
int build_start(struct pod_worker *w, const struct pod_plan *plan);
/* kill.c: stops one container, in a fiber; nothing when one does already, unless with less grace. */
void kill_start(struct pod_worker *w, struct container_memory *m, const char *id, int64_t grace_s, const char *message);
/* Cancels what is under way; for a node that stops. */
void kills_cancel(struct pod_worker *w);
/* Stops what runs of a pod, without hooks, then its sandboxes. In the runtime only. */
int runtime_pod_stop_wait(struct node_runtime *rt, const char *uid, int64_t grace_s, struct err *e);
/* Removes all containers and sandboxes of a pod from the runtime. */
int runtime_pod_remove_wait(struct node_runtime *rt, const char *uid, struct err *e);

/* --- node.c ------------------------------------------------------------------------------------------------- */
struct node {
	struct loop *loop;
	struct node_settings set;
	struct node_runtime *rt;
	struct node_api *api;
	struct list workers;
	struct map by_uid;                             /* → pod_worker */
	char runtime_name[64], runtime_version[64];
	bool is_stopping;
	bool has_no_events;                            /* of the runtime: a fiber looks each second instead */
};
void node_init(struct node *n, struct loop *l, const struct node_settings *s, struct node_runtime *rt, struct node_api *api);
/* Cancels all workers; they end at their next wait. */
void node_stop(struct node *n);
/* The fiber that listens to the runtime; arg is the node. */
void node_events_main(void *arg);
/* What runs in the runtime and no known pod owns is ended. */
int node_adopt_wait(struct node *n, struct err *e);
