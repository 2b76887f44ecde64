/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Use cases: containers, execs, volumes, events, and what is asked about all of
 * them. docker_api (and later cri) turn requests into these calls; no HTTP and
 * no JSON text here, but Docker's messages are the vocabulary (api/docker.h).
 *
 * Everything runs on the engine's loop; *_wait functions in a fiber. Results
 * live in the caller's arena. Errors carry Docker's words; the errno picks the
 * status (base/err.h): -EALREADY is "not modified".
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "api/docker.h"
#include "base/arena.h"
#include "io/stream.h"
#include "store/kv.h"

struct engine;
struct image_store;
struct net;
struct volumes;

struct engine_config {
	const char *root, *run;            /* ROOT, RUN */
	struct kv *kv;
	struct image_store *images;
	struct net *net;
	struct volumes *volumes;
	const char *runtime;               /* path of coracle-runtime */
	const char *hostname;              /* of this machine */
	const char *const *labels;         /* --label of the engine */
	size_t n_labels;
	const char *const *dns, *const *dns_search, *const *dns_options;   /* --dns…: for containers that say nothing */
	size_t n_dns, n_dns_search, n_dns_options;
	const char *cgroup_parent;         /* NULL: /docker */
	const char *log_driver;            /* NULL: json-file */
	const struct schema_pair *log_options;
	size_t n_log_options;
	bool use_init;                     /* --init */
	bool debug;
	const char *userns_remap;          /* NULL: containers have the host's users */
	const char *const *registry_mirrors, *const *insecure_registries;   /* told by info */
	size_t n_registry_mirrors, n_insecure_registries;
};

/* Loads what kv knows, reconnects to running containers, finishes what happened meanwhile. Suspends. */
int engine_open_wait(struct loop *l, const struct engine_config *c, struct engine **ret, struct err *e);
/* Starts what restart policies want to run, after the API listens. */
void engine_restart_all(struct engine *eng);
/* Frees memory; containers keep running. */
void engine_close(struct engine *eng);
/* Where shims are when systemd is process 1: outside of the engine's unit, whose end would take them along. */
#define SHIM_CGROUP "/coracle-shims"
/* For `down`: stops every container (their restart policy does not bring them back before the next start of the engine). */
int engine_stop_all_wait(struct engine *eng, int64_t timeout_s);

struct loop *engine_loop(struct engine *eng);
struct kv *engine_kv(struct engine *eng);
struct image_store *engine_images(struct engine *eng);
struct net *engine_net(struct engine *eng);
struct volumes *engine_volumes(struct engine *eng);
const char *engine_root(struct engine *eng);       /* ROOT */
const char *engine_runtime(struct engine *eng);    /* path of coracle-runtime */

/* --- filters: ?filters= decoded -------------------------------------------- */
struct filter { const char *key; const char **values; uint32_t n; };
struct filters { struct filter *v; uint32_t n; };
/* Either form that clients send. -EINVAL. text NULL or "": no filters. */
int filters_parse(struct arena *a, const char *text, struct filters *ret, struct err *e);
/* -EINVAL `invalid filter 'x'` when a key is not in the NULL-terminated list. */
int filters_check(const struct filters *f, const char *const *known, struct err *e);
const struct filter *filters_get(const struct filters *f, const char *key);   /* NULL when absent */
/* Labels against "label" (k or k=v, all must hold) and, with `negative`, "label!". */
bool filters_labels(const struct filters *f, const struct schema_pair *labels, uint32_t n, bool negative);
/* Exact values of a key: true when the key is absent. */
bool filters_exact(const struct filters *f, const char *key, const char *value);
/* As Docker matches names: a regular expression or part of it; true when absent. */
bool filters_match(const struct filters *f, const char *key, const char *value);
/* "dangling" and the like: 0 and *ret set when present; *ret unchanged when absent; -EINVAL. */
int filters_bool(const struct filters *f, const char *key, bool *ret, struct err *e);
/* "until": seconds, durations (ago) or times; 0 when absent. */
int filters_until(const struct filters *f, int64_t now_ns, int64_t *ret_ns, struct err *e);
/* A time as the API takes it: unix seconds with fraction, RFC 3339 forms, or a Go duration (ago). */
int api_time_parse(const char *text, int64_t now_ns, int64_t *ret_ns);

/* --- containers -------------------------------------------------------------- */
struct container_create {
	const struct docker_container_create *body;
	const char *name;                  /* NULL or "": a random one */
	const char *platform;              /* NULL or "os[/arch[/variant]]" */
	unsigned api;                      /* minor of the request's API version */
};
int container_create_wait(struct engine *eng, const struct container_create *how, struct arena *a, struct docker_container_created *ret,
			  struct err *e);
int container_start_wait(struct engine *eng, const char *name, struct err *e);          /* -EALREADY: runs already */
/* timeout_s: -1 for ever, -2 the container's own; signal NULL: its own. -EALREADY when it does not run. */
int container_stop_wait(struct engine *eng, const char *name, const char *signal, int64_t timeout_s, struct err *e);
int container_restart_wait(struct engine *eng, const char *name, const char *signal, int64_t timeout_s, struct err *e);
int container_kill_wait(struct engine *eng, const char *name, const char *signal, struct err *e);
int container_pause_wait(struct engine *eng, const char *name, struct err *e);
int container_unpause_wait(struct engine *eng, const char *name, struct err *e);
int container_rename_wait(struct engine *eng, const char *name, const char *new_name, struct err *e);
int container_update_wait(struct engine *eng, const char *name, const struct docker_container_update *how, bool has_restart_policy,
			  struct arena *a, struct docker_container_updated *ret, struct err *e);
int container_remove_wait(struct engine *eng, const char *name, bool force, bool volumes, bool link, struct err *e);
int container_resize_wait(struct engine *eng, const char *name, unsigned h, unsigned w, struct err *e);
int container_prune_wait(struct engine *eng, const struct filters *f, struct arena *a, struct docker_containers_pruned *ret, struct err *e);

int container_inspect_wait(struct engine *eng, const char *name, bool with_size, struct arena *a, struct docker_container_inspect *ret,
			   struct err *e);
struct container_list { bool all, size; int64_t limit; struct filters filters; };
int container_list_wait(struct engine *eng, const struct container_list *how, struct arena *a, struct docker_container_summaries *ret,
			struct err *e);
int container_top_wait(struct engine *eng, const char *name, const char *ps_args, struct arena *a, struct docker_container_top *ret,
		       struct err *e);
int container_changes_wait(struct engine *eng, const char *name, struct arena *a, struct docker_container_changes *ret, struct err *e);

/* Full id, and whether it has a terminal: what a stream's framing depends on. */
struct container_brief { char id[65]; const char *name; bool tty, running; };
int container_brief(struct engine *eng, const char *name, struct arena *a, struct container_brief *ret, struct err *e);

/* Waiting for an end. Begin checks the name; the answer's head can then be sent. */
enum container_condition { CONTAINER_NOT_RUNNING, CONTAINER_NEXT_EXIT, CONTAINER_REMOVED };
struct container_waiter;
int container_waiter_new(struct engine *eng, const char *name, enum container_condition c, struct container_waiter **ret, struct err *e);
/* 0 and the code, -ETIMEDOUT (look whether the client is still there, call again), -ECANCELED. */
int container_waiter_wait(struct container_waiter *w, int64_t timeout_ns, int64_t *ret_code, const char **ret_error);
void container_waiter_free(struct container_waiter *w);

/* --- streams of containers ----------------------------------------------------- */
struct container_attach {
	bool is_stdin, is_stdout, is_stderr, stream, logs;
	const char *detach_keys;           /* NULL or "": ctrl-p,ctrl-q */
};
/*
 * Checks first (may be refused before the connection is taken), then works on the taken connection until it ends (it is closed).
 */
int container_attach_check(struct engine *eng, const char *name, const struct container_attach *how, struct container_brief *ret, struct arena *a,
			   struct err *e);
int container_attach_wait(struct engine *eng, const char *name, const struct container_attach *how, struct stream *client, struct err *e);

struct container_logs {
	bool follow, is_stdout, is_stderr, timestamps, details;
	int64_t since_ns, until_ns;        /* 0: none */
	int64_t tail;                      /* lines; -1: all */
};
/* Where log bytes go: framed already; < 0 ends it. gone: true when the reader left. */
struct byte_sink {
	int (*write)(void *arg, const void *p, size_t n);
	bool (*gone)(void *arg);
	void *arg;
};
int container_logs_check(struct engine *eng, const char *name, const struct container_logs *how, struct arena *a, struct container_brief *ret,
			 struct err *e);
int container_logs_wait(struct engine *eng, const char *name, const struct container_logs *how, const struct byte_sink *out, struct err *e);

/* --- numbers -------------------------------------------------------------------- */
/* One sample. one_shot: without the sample before. */
int container_stats_wait(struct engine *eng, const char *name, struct arena *a, struct docker_container_stats *ret, struct err *e);

/* --- files in containers ---------------------------------------------------------- */
int container_path_stat_wait(struct engine *eng, const char *name, const char *path, struct arena *a, struct docker_path_stat *ret, struct err *e);
/* *ret is a tar stream; the caller reads to its end, then asks for the result and closes. */
struct tar_job;
int container_archive_get_wait(struct engine *eng, const char *name, const char *path, struct arena *a, struct docker_path_stat *ret_stat,
			       struct tar_job **ret, struct err *e);
int container_export_wait(struct engine *eng, const char *name, struct tar_job **ret, struct err *e);
struct stream *tar_job_stream(struct tar_job *j);
int tar_job_end_wait(struct tar_job *j, struct err *e);      /* frees it */
int container_archive_put_wait(struct engine *eng, const char *name, const char *path, struct stream *tar, bool no_overwrite, bool copy_ids,
			       struct err *e);
struct container_commit {
	const char *container, *repo, *tag, *comment, *author;
	bool pause;
	const char *const *changes;        /* Dockerfile lines */
	size_t n_changes;
	const struct docker_container_config *config;   /* or NULL */
};
int container_commit_wait(struct engine *eng, const struct container_commit *how, char ret_id[72], struct err *e);

/* --- exec -------------------------------------------------------------------------- */
int exec_create_wait(struct engine *eng, const char *container, const struct docker_exec_create *how, char ret_id[65], struct err *e);
struct exec_brief { bool tty, is_stdin; };
int exec_start_check(struct engine *eng, const char *id, const struct docker_exec_start *how, struct exec_brief *ret, struct err *e);
/* client NULL: detached, returns when started. Otherwise the connection is used until the end and closed. */
int exec_start_wait(struct engine *eng, const char *id, const struct docker_exec_start *how, struct stream *client, struct err *e);
int exec_inspect(struct engine *eng, const char *id, struct arena *a, struct docker_exec_inspect *ret, struct err *e);
int exec_resize_wait(struct engine *eng, const char *id, unsigned h, unsigned w, struct err *e);

/* --- who uses what (image removal, volumes, df) ---------------------------------------- */
struct image_use;
int engine_image_uses(struct engine *eng, struct arena *a, struct image_use **ret, size_t *ret_n);
int engine_networks_disconnect_wait(struct engine *eng, const char *network, const char *container, bool force, struct err *e);
int engine_networks_connect_wait(struct engine *eng, const char *network, const char *container, const struct docker_endpoint_settings *s,
				 struct err *e);
/* Name of a container by its id (network inspect); NULL when unknown. */
const char *engine_container_name(struct engine *eng, const char *id);
/* Containers, running or not, whose configuration names this network (by id or name). */
unsigned engine_network_users(struct engine *eng, const char *id, const char *name);

/* --- system ------------------------------------------------------------------------------ */
int engine_info_wait(struct engine *eng, struct arena *a, struct docker_info *ret, struct err *e);
int engine_df_wait(struct engine *eng, bool containers, bool volumes, struct arena *a, struct docker_disk_usage *ret, struct err *e);

/* --- events --------------------------------------------------------------------------------- */
/* Records one and tells subscribers. attributes may be NULL. */
void engine_event(struct engine *eng, const char *type, const char *action, const char *id, const struct schema_pair *attributes,
		  uint32_t n_attributes);
struct event_reader;
/* since_ns 0: nothing of the past. until_ns 0: no end. The filters must outlive the reader. */
int event_reader_new(struct engine *eng, int64_t since_ns, int64_t until_ns, const struct filters *f, struct event_reader **ret, struct err *e);
/* 1 and the event (valid until the next call), 0 at the end (until), -ETIMEDOUT, -EOVERFLOW when the reader was too slow. */
int event_reader_next_wait(struct event_reader *r, int64_t timeout_ns, const struct docker_event **ret);
void event_reader_free(struct event_reader *r);
