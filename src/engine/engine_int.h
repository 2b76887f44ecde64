/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's model, shared by the files of this folder. A container is held
 * by the engine (while it exists) and by every fiber that works on it
 * (container_ref); what may change across a suspend is looked at again after.
 */
#pragma once
#include "api/engine.h"
#include "base/list.h"
#include "base/map.h"
#include "base/vec.h"
#include "engine/engine.h"
#include "image/image.h"
#include "io/fiber.h"
#include "net/net.h"
#include "volume/volume.h"

enum {
	CONTAINER_ARENA_MAX = 4 << 20,     /* one container's configuration */
	RECORD_MAX = 4 << 20,              /* its text */
	ATTACHED_MAX = 64,                 /* clients attached to one container */
	EXECS_MAX = 1024,                  /* execs remembered per container */
	CONTAINERS_MAX = 100000,
	EVENTS_KEPT = 256,
};

/* lifecycle.c draws the table. */
enum container_status {
	STATUS_CREATED, STATUS_RUNNING, STATUS_PAUSED, STATUS_RESTARTING, STATUS_EXITED, STATUS_REMOVING, STATUS_DEAD,
	STATUS_N
};

/* A mount point as resolved at create: what inspect shows and the specification mounts. */
struct mount_point {
	const char *type;                  /* bind, volume, tmpfs, image */
	const char *name;                  /* volume's; "" otherwise */
	const char *source;                /* on the host */
	const char *target;                /* cleaned, absolute */
	const char *driver, *mode, *propagation;
	bool rw;
	bool no_copy, is_anonymous, non_recursive, ro_non_recursive, ro_force_recursive, from_binds, from_image;
	const char *subpath;
	const char *tmpfs_options;
	const char *image_id;              /* of an image mount */
};

struct shim;
struct health;
struct exec;
struct attached;

struct container {
	struct engine *engine;
	unsigned refs;
	bool is_gone;                      /* removed; only waiters hold it */
	bool is_image_held;                /* while it is being created */
	bool is_creating;                  /* has its name, is not to be found yet */
	char id[65];
	char *name;                        /* without slash */
	struct arena arena;                /* config, host, mounts, endpoints; replaced as a whole by update */
	VEC(struct arena) old_arenas;      /* what was replaced; somebody may still read it */
	struct docker_container_config *config;
	struct docker_host_config *host;
	struct docker_endpoint_settings_entry *endpoints;   /* wanted, by network name */
	uint32_t n_endpoints;
	struct mount_point *mounts;
	uint32_t n_mounts;
	const char *image_id;              /* "sha256:…"; "" for none */
	const char *path;                  /* program and arguments after merging */
	const char **args;
	uint32_t n_args;
	const char *platform, *apparmor;
	int64_t disk_bytes, disk_at_ns;    /* of a pod's container, as last counted (monotonic) */
	struct engine_user *pod_user;      /* of the last start; NULL before */
	struct engine_pod *pod;            /* a pod's container: owner cri. NULL: Docker's */
	int64_t created_ns;

	enum container_status status;
	bool is_starting, is_oom, manually_stopped, removal_in_progress;
	bool was_running;                  /* when the engine before this one ended */
	bool is_stopping;                  /* a stop or kill was asked for this run */
	int64_t exit_code;
	int64_t pid;
	int64_t started_ns, finished_ns;   /* 0: never */
	char *error;                       /* of the last start; never NULL after new */
	int64_t restart_count;
	uint64_t exits, starts;            /* counted for waiters */

	struct fmutex op;                  /* held by start, end, remove, rename, update: what must not interleave */
	struct waitq changed;              /* woken on every change of state */
	struct shim *shim;                 /* NULL while not running */
	struct health *health;             /* NULL without checks */
	struct list execs;                 /* struct exec.of_container */
	unsigned n_execs;
	struct list attached;              /* clients waiting for a start */
	unsigned n_attached;

	int64_t backoff_ns;                /* restart.c */
	int64_t failures;
	uint64_t restart_round;            /* a waiting restarter of an older round gives up */
	unsigned tty_h, tty_w;             /* last size told */
};

struct engine {
	struct loop *loop;
	struct engine_config config;
	struct map by_id, by_name;         /* struct container */
	VEC(struct container *) list;      /* in order of creation */
	struct map execs;                  /* by id */
	struct map users;                  /* users.c */
	void (*pod_event)(void *arg, const char *id, const char *sandbox, const char *action);
	void *pod_event_arg;
	struct events *events;
	bool is_closing;
	bool is_cgroup_v2;
	char id[37];                       /* of this engine, stable */
};

/* --- container.c: finding and holding */
struct container *container_ref(struct container *c);
void container_unref(struct container *c);
static inline void auto_container(struct container **c)
{
	if (*c)
		container_unref(*c);
}
/* By id, name (with or without "/"), unique prefix of an id; a counted reference. -ENOENT "No such container: x". */
int container_find(struct engine *eng, const char *name, struct container **ret, struct err *e);
/* A pod's container by its id or a unique prefix of it; the one above finds only Docker's. */
int container_find_pod(struct engine *eng, const char *id, struct container **ret, struct err *e);
struct container *container_new(struct engine *eng, const char *id, const char *name);
int container_add(struct engine *eng, struct container *c);
void container_drop(struct engine *eng, struct container *c);    /* out of the maps; the caller's reference stays */
int container_take_name(struct engine *eng, struct container *c, const char *name, struct err *e);
const char *container_status_text(const struct container *c);
bool container_is_running(const struct container *c);            /* running, paused or restarting, as Docker counts */
bool container_is_alive(const struct container *c);              /* has a process: running or paused */
/* Moves the status by the table; asserts that the move is legal; wakes waiters. */
void container_move(struct container *c, enum container_status to);
void container_set_error(struct container *c, const char *text);
/* ROOT/engine/containers/ID, RUN/shim/ID */
const char *container_dir(const struct container *c, struct arena *a);
const char *container_bundle(const struct container *c, struct arena *a);
void container_event(struct container *c, const char *action, const struct schema_pair *more, uint32_t n_more);
const char *container_platform_os(void);

/* --- record.c: kv */
int record_save_wait(struct container *c, struct err *e);         /* configuration and state */
int record_save_state_wait(struct container *c, struct err *e);
int record_delete_wait(struct container *c, struct err *e);
int record_load_all(struct engine *eng, struct err *e);
int record_config_text(struct container *c, struct buf *out);
/* Decodes that into c's arena. */
int record_config_load(struct container *c, struct slice text, struct err *e);
/* Keeps a replaced arena until the container goes; few are kept, older ones are dropped when nobody else holds the container. Takes it. */
int arena_keep(struct container *c, struct arena *old);

/* --- names.c */
int name_check(const char *name, struct err *e);
int name_random(struct engine *eng, char *dst, size_t size);

/* --- create.c: the steps of a creation, for pods too */
void create_config_of(const struct docker_container_create *b, struct docker_container_config *c);
int create_defaults(struct engine *eng, struct docker_host_config *h, struct arena *a, struct err *e);
int create_image_config(struct container *c, const char *name, const char *platform, struct docker_image_config *ret, struct err *e);
int create_command(struct container *c, struct err *e);
int create_dirs_wait(struct container *c, struct arena *a, struct err *e);
int create_undo_wait(struct container *c, struct arena *a);

/* --- validate.c, merge.c, mounts.c: create */
int validate_config(struct engine *eng, struct docker_container_config *c, struct docker_host_config *h, struct arena *a, struct err *e);
int validate_host(struct engine *eng, struct docker_host_config *h, bool is_update, struct arena *a, const char ***warnings, uint32_t *n_warnings,
		  struct err *e);
int merge_image(struct docker_container_config *c, const struct docker_image_config *i, struct arena *a, struct err *e);
int mounts_resolve_wait(struct container *c, const struct docker_image_config *image, struct err *e);
/* Makes missing host folders of binds and volumes' data available; fills sources. Before each start. */
int mounts_prepare_wait(struct container *c, struct err *e);
void mounts_unuse(struct container *c);
void mounts_use(struct container *c);

/* --- lifecycle.c */
int lifecycle_start_wait(struct container *c, bool is_restart, struct err *e);   /* op is held */
/* The shim told (or exit.json says) how it ended. Takes op itself. */
/* What an API's start and stop do with a container found. */
int lifecycle_start_found_wait(struct container *c, struct err *e);
int lifecycle_stop_found_wait(struct container *c, const char *signal, int64_t timeout_s, struct err *e);
void lifecycle_ended_wait(struct container *c, int64_t code, bool oom, int64_t finished_ns);
int lifecycle_kill(struct container *c, int signal, struct err *e);
int lifecycle_stop_wait(struct container *c, int signal, int64_t timeout_ns, struct err *e);
int lifecycle_remove_wait(struct container *c, bool force, bool volumes, struct err *e);
int signal_parse(const char *s, int *ret);
const char *signal_name(int s);

/* --- restart.c */
bool restart_wanted(struct container *c, bool is_engine_start);
void restart_later(struct container *c);
void restart_cancel(struct container *c);

/* --- health.c */
void health_start(struct container *c);
void health_stop(struct container *c);
void health_free(struct container *c);
const char *health_status(const struct container *c);             /* NULL without checks */
int health_fill(const struct container *c, struct arena *a, struct docker_health **ret);

/* --- net of a container: netting.c */
int netting_open_wait(struct container *c, const char **ret_path, struct err *e);
void netting_close_wait(struct container *c);
int netting_files_wait(struct container *c, struct err *e);       /* hostname, hosts, resolv.conf */
bool netting_is(const char *mode, const char *what);               /* "container:" prefix, "host", … */
int netting_fill(struct container *c, struct arena *a, struct docker_network_settings *ret, struct err *e);
/* Ports wanted by the container; the array lives in a. */
int netting_ports(struct container *c, struct arena *a, struct net_port_request **ret, uint32_t *n_ret, struct err *e);
int netting_validate(struct engine *eng, struct docker_container_create *b, unsigned api, struct arena *a, struct err *e);
int port_spec_parse(const char *key, uint16_t *ret_port, enum net_proto *ret_proto);
struct container *netting_joined(struct container *c);             /* container:ID, or NULL */

/* --- spec*.c: the OCI specification. Values live in a. */
struct oci_spec;
struct spec_user { uint32_t uid, gid; uint32_t *gids; uint32_t n_gids; const char *home; };
int spec_build(struct container *c, const char *netns, const struct spec_user *user, struct arena *a, struct oci_spec *ret, struct err *e);

/* --- small things used everywhere: text.c */
const char **strings_copy(struct arena *a, const char *const *v, uint32_t n);
int strings_push(struct arena *a, const char ***v, uint32_t *n, const char *s);
bool strings_have(const char *const *v, uint32_t n, const char *s);
bool str_is(const char *a, const char *b);                        /* NULL is "" */
static inline const char *str_or(const char *s, const char *d) { return s && *s ? s : d; }
const char *time_text(struct arena *a, int64_t ns);               /* RFC 3339 nano; Go's zero time for 0 */

/* --- events.c */
struct events *events_new(void);
void events_free(struct events *x);
unsigned events_readers(struct events *x);
bool event_matches(const struct filters *f, const struct docker_event *m);
int netting_attach_wait(struct container *c, const char *network, const struct docker_endpoint_settings *s, struct err *e);
/* users.c: remembered per image where the container has not changed /etc. */
int user_lookup_wait(struct container *c, const char *user, const char *const *groups, uint32_t n_groups, struct arena *a, struct spec_user *ret,
		     struct err *e);
/* sizes.c: bytes of what the container wrote; -1. */
int64_t container_size_wait(struct container *c);
void users_forget(struct engine *eng);
struct docker_mount_point *mounts_view(const struct container *c, struct arena *a);
int summary_fill_wait(struct container *c, bool with_size, struct arena *a, struct docker_container_summary *s, struct err *e);
/* shm.c: nothing for containers whose /dev/shm is their own */
int shm_mount_wait(struct container *c, struct err *e);
void shm_unmount_wait(struct container *c);
