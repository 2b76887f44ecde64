/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One invocation of kubectl: its command row, flags, output and connection.
 * Commands are rows (api/kubectl/commands.h); each is one function that runs in
 * a fiber and returns the exit code, or < 0 with the sentence for standard error
 * in e. Everything is worked on as trees, so that built-in and custom resources
 * are the same.
 */
#pragma once
#include <stdbool.h>
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "cli/flags.h"
#include "kube/client/client.h"
#include "schema/tree.h"

struct kctl;
struct kcmd {
	const char *path;           /* "get", "rollout status" */
	const char *usage;          /* behind the path */
	int least, most;            /* arguments; most < 0: any number */
	const struct flag *flags;
	size_t n_flags;
	unsigned bits;
	int (*run)(struct kctl *k, struct err *e);
	const char *help;
};
enum kcmd_bits { KCMD_HIDDEN = 1, KCMD_ARGS_LAST = 2 /* nothing behind the first argument is a flag */ };
extern const struct kcmd kctl_commands[];
extern const size_t kctl_n_commands;
extern const struct flag kctl_global_flags[];
extern const size_t kctl_n_global_flags;

/* What kubectl knows of a resource: from the built-in rows, or asked for (discovery). */
struct kctl_kind {
	const char *group, *version, *plural, *singular, *kind;
	bool namespaced;
	const char *const *short_names;      /* NULL-terminated or NULL */
	const char *const *categories;
	const char *const *verbs;
	struct schema_ref type;              /* domain NULL where the type is not known: custom resources */
};
struct kctl_kinds { struct kctl_kind *v; size_t n; };

struct kctl {
	struct arena arena;                  /* lives as long as the process */
	struct loop *loop;
	const struct kcmd *cmd;
	struct flags f;                      /* the command's flags and the global ones */
	struct buf out;                      /* standard output, written by kctl_flush */
	struct kclient *client;              /* made by kctl_client */
	const char *server;                  /* its address; set by kctl_client */
	const char *ns;                      /* --namespace, the context's, or "default" */
	bool ns_explicit;
	struct kctl_kinds *kinds;            /* what discovery said, once it was asked */
	const char *long_error;              /* the whole text where struct err had to cut it */
	const char *server_message;          /* what the last error of the server said, without what is put around it */
	bool skipped;                        /* some documents named kinds that the server does not have; said already */
	int exit_code;
	bool ended;
};

/* --- kubectl.c: output ------------------------------------------------------------ */
int kctl_flush(struct kctl *k);
void kctl_print(struct kctl *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void kctl_warn(struct kctl *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));   /* a line on standard error */
/* Prints an error as the end of a command would, for commands that go on; returns 1. */
int kctl_failed(struct kctl *k, const struct err *e);
const char *kctl_fmt(struct kctl *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));   /* arena text, never NULL */
static inline const char *kctl_arg(const struct kctl *k, int i) { return i < k->f.argc ? k->f.argv[i] : NULL; }
/* A usage error: "error: …" and where to read on; its code. */
int kctl_usage(struct kctl *k, struct err *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* --- connect.c ---------------------------------------------------------------------- */
/* Reads configuration (flags, KUBECONFIG, ~/.kube/config, /etc/coracle/kubeconfig) and sets client and ns; once. */
int kctl_client(struct kctl *k, struct err *e);
/* The merged kubeconfig as a tree (clusters, contexts, users, current-context), and the file that changes go to. */
int kctl_config(struct kctl *k, struct tree *ret, const char **ret_file, struct err *e);

/* --- api.c: requests ------------------------------------------------------------------ */
enum { KCTL_BODY_MAX = 512 << 20 };
struct kctl_reply { int status; struct buf body; };
/* Any request; accept NULL: JSON. Warning headers go to standard error. Release the body. */
int kctl_request_wait(struct kctl *k, const char *method, const char *target, const char *accept, const char *content_type, struct slice body,
	struct kctl_reply *ret, struct err *e);
/* The same with the reply as a tree in k->arena; errors of the server are "Error from server (Reason): message" with its code in e. ret may be NULL. */
int kctl_call_wait(struct kctl *k, const char *method, const char *target, const char *accept, const char *content_type, struct slice body,
	struct tree *ret, struct err *e);
/* body as JSON. */
int kctl_send_wait(struct kctl *k, const char *method, const char *target, const char *content_type, const struct tree *body, struct tree *ret, struct err *e);
int kctl_get_wait(struct kctl *k, const char *target, struct tree *ret, struct err *e);
/*
 * Calls fn for each event of a watch (target without watch=true) until it gives non-zero (returned), the stream ends (0), or an error.
 * accept NULL: JSON. timeout_ns <= 0: none; -ETIMEDOUT. event lives in a, emptied after each.
 */
int kctl_watch_wait(struct kctl *k, const char *target, const char *accept, int64_t timeout_ns,
	int (*fn)(void *arg, const char *type, const struct tree *object, struct arena *a), void *arg, struct err *e);
/* "/apis/apps/v1/namespaces/ns/deployments/name/sub?query" in k->arena; ns NULL: all namespaces; name, sub, query may be NULL. */
const char *kctl_path(struct kctl *k, const struct kctl_kind *kind, const char *ns, const char *name, const char *sub, const char *query);
/* Appends "a=b" to a query text, encoded; NULL value: nothing. */
const char *kctl_query(struct kctl *k, const char *query, const char *name, const char *value);
int kctl_server_error(struct kctl *k, int status, struct slice body, struct err *e);

/* --- kinds.c ----------------------------------------------------------------------------- */
/* "po", "deployments", "deployments.apps", "deployments.v1.apps", "Deployment". -ENOENT `the server doesn't have a resource type "x"`. May ask the server. */
int kctl_kind_wait(struct kctl *k, const char *name, struct kctl_kind *ret, struct err *e);
/* By apiVersion and kind. */
int kctl_kind_of_wait(struct kctl *k, const char *api_version, const char *kind, struct kctl_kind *ret, struct err *e);
/* All that the server has, in discovery order. */
int kctl_kinds_wait(struct kctl *k, struct kctl_kinds **ret, struct err *e);
/* "pod", "deployment.apps": how messages name an object's kind. */
const char *kctl_kind_text(struct kctl *k, const struct kctl_kind *kind);
const char *kctl_group_version(struct kctl *k, const struct kctl_kind *kind);

/* --- args.c: what the arguments or files name ------------------------------------------------ */
struct kctl_target {
	struct kctl_kind kind;
	const char *ns;                      /* NULL: not namespaced, or all namespaces */
	const char *name;                    /* NULL: all of them (lists) */
	struct tree object;                  /* from a file; TREE_NULL otherwise */
	const char *source;                  /* the file, for messages */
};
struct kctl_targets { struct kctl_target *v; size_t n; bool from_files, several_kinds; };
enum kctl_args { KARGS_NAMES = 1 /* each must be named, by arguments, --all or a selector */, KARGS_FILES = 2 /* -f, -R, -k */ };
/*
 * "TYPE NAME…", "TYPE/NAME …", "TYPE,TYPE", from argument `first` on; or -f.
 * With a selector or --all in KARGS_NAMES mode, lists are asked for and expanded.
 */
int kctl_targets_wait(struct kctl *k, int first, unsigned mode, struct kctl_targets *ret, struct err *e);
/* One object, with a default kind for a bare name ("pods"): logs, exec, port-forward. */
int kctl_one_wait(struct kctl *k, const char *arg, const char *default_kind, struct kctl_target *ret, struct err *e);
/* Documents of -f: files, folders (with -R deep), URLs, "-". Lists are taken apart. */
int kctl_read_files_wait(struct kctl *k, struct kctl_targets *ret, struct err *e);
int kctl_read_text(struct kctl *k, const char *source, struct slice text, struct kctl_targets *ret, struct err *e);

/* --- print.c ------------------------------------------------------------------------------------ */
struct kctl_printer;
/* What -o says: "", wide, name, json, yaml, jsonpath=…, jsonpath-file=…, go-template=…, custom-columns=…. -EINVAL with kubectl's sentence. */
int kctl_printer_new(struct kctl *k, const char *format, struct kctl_printer **ret, struct err *e);
bool kctl_printer_is_table(const struct kctl_printer *p);       /* the server's tables are wanted */
/* One object, or a list's items as format has it. managedFields are left out unless asked for. */
int kctl_print_object(struct kctl *k, const struct kctl_printer *p, const struct tree *object, struct err *e);
/* "deployment.apps/nginx created"; or, with -o, the object. dry run is said. */
int kctl_print_done(struct kctl *k, const struct kctl_target *t, const struct tree *object, const char *did, struct err *e);
enum kctl_table { KTABLE_WIDE = 1, KTABLE_NO_HEADERS = 2, KTABLE_NAMESPACE = 4, KTABLE_KIND = 8, KTABLE_LABELS = 16 };
/* A server's Table as lines with tabs; kind names rows as kind/name with KTABLE_KIND. label_columns: -L. Returns its rows. */
int kctl_table_lines(struct kctl *k, const struct tree *table, const struct kctl_kind *kind, unsigned flags, const struct flag_value *label_columns,
	struct buf *lines);
/* Lays lines with tabs out as kubectl does (columns three apart). */
void kctl_columns(struct kctl *k, struct slice lines);
/* The same with the columns two apart, as rollout history and describe's tables have them. */
void kctl_columns_narrow(struct kctl *k, struct slice lines);
/* A value as a table cell. */
void kctl_cell(const struct tree *v, struct buf *out);

/* --- small things on trees ------------------------------------------------------------------------ */
const char *kctl_text(struct kctl *k, const struct tree *v);     /* "" when it is none; terminated, in the arena */
const char *kctl_text_at(struct kctl *k, const struct tree *v, const char *path);
struct tree *kctl_set(struct kctl *k, struct tree *map, const char *key, struct tree v);
struct tree *kctl_set_text(struct kctl *k, struct tree *map, const char *key, const char *text);
struct tree *kctl_set_int(struct kctl *k, struct tree *map, const char *key, int64_t v);
/* The member, made a map (or list) when it is not there. */
struct tree *kctl_map(struct kctl *k, struct tree *map, const char *key);
struct tree *kctl_list(struct kctl *k, struct tree *map, const char *key);
/* "none", "client", "server" of --dry-run; -EINVAL. */
int kctl_dry_run(struct kctl *k, const char **ret, struct err *e);
/* fieldManager, fieldValidation and dryRun as the flags say. */
const char *kctl_write_query(struct kctl *k, const char *manager);
