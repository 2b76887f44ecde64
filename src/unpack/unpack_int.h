/* SPDX-License-Identifier: Apache-2.0 */
/* What the jobs share. Everything here runs after unpack_enter: "/" is the target. */
#pragma once
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include "api/unpack.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/tar.h"

enum { UNPACK_DEPTH_MAX = 1000 };  /* folders below folders; one descriptor each */

struct unpack {
	const struct unpack_job *job;
	struct arena *arena;
	struct unpack_report report;
	int report_fd;
	int root;      /* the target's "/" */
	int source;    /* copy, sum: root of the source (the same as root without one) */
	int upper;     /* changes: the upper folder; -1 otherwise */
	int helper;    /* the process that still may touch trusted.* attributes; -1 where no job needs it */
};

/* enter.c: opens and enters the target. On return this process is confined. */
int unpack_enter(struct unpack *u, struct err *e);

/* helper.c: trusted.overlay.opaque needs CAP_SYS_ADMIN, which the worker has not; its parent does just this. */
/* Forks; the child returns with *ret_sock, the parent serves until the child ends and exits as it did. */
int unpack_helper_fork(int *ret_sock, struct err *e);
int unpack_set_opaque(int sock, int dirfd);
bool unpack_is_opaque(int sock, int dirfd);

/* tree.c */
struct names { char **v; size_t n; };
/* Entries of an open folder, sorted bytewise, without . and .. */
int unpack_names_read(int dirfd, struct names *ret);
void unpack_names_release(struct names *n);
static inline void auto_names(struct names *n) { unpack_names_release(n); }
/* openat with RESOLVE_NO_MAGICLINKS; symbolic links resolve inside "/". fd or -errno. */
int unpack_open(int dirfd, const char *path, int flags, mode_t mode);
/* Same, and no link may be followed on the way inside dirfd, which is the root for absolute ones (sources that are not "/"). */
int unpack_open_in(int rootfd, const char *path, int flags);
/* Opens (making what is missing, 0755, owner) the folder `path` below dirfd. fd or -errno. */
int unpack_dirs_make(int dirfd, const char *path, uint32_t uid, uint32_t gid, mode_t mode);
/* Removes an entry with all that is below it. */
int unpack_remove(int dirfd, const char *name);
/* security.capability and user.* of an open file into an array of the arena. */
int unpack_xattrs(int fd, struct arena *a, struct tar_xattr **ret, size_t *ret_n);
/* Cleans an archive's or user's path: no leading slash, no "..": 0 or -EXDEV when it would leave. dst has room for strlen + 2; "." is the root itself. */
int unpack_path_inside(char *dst, const char *path);
bool unpack_is_whiteout(const struct stat *st);
/* path is one of job->skip or below one. Both without a leading slash. */
bool unpack_is_skipped(const struct unpack_job *job, const char *path);

/* apply.c, emit.c, … one function a job. */
int unpack_do_layer(struct unpack *u, struct err *e);
int unpack_do_extract(struct unpack *u, struct err *e);
int unpack_do_pack(struct unpack *u, struct err *e);
int unpack_do_export(struct unpack *u, struct err *e);
int unpack_do_archive(struct unpack *u, struct err *e);
int unpack_do_stat(struct unpack *u, struct err *e);
int unpack_do_changes(struct unpack *u, struct err *e);
int unpack_do_copy(struct unpack *u, struct err *e);
int unpack_do_sum(struct unpack *u, struct err *e);
int unpack_do_mkdir(struct unpack *u, struct err *e);
int unpack_do_du(struct unpack *u, struct err *e);
int unpack_do_lookup(struct unpack *u, struct err *e);

/* Sends the report as it stands as one line (archive: the stat before the data). */
int unpack_report_send(struct unpack *u, struct err *e);

/* stat.c: Go's os.FileMode of a mode. */
uint32_t unpack_go_mode(mode_t m);
/* Where an absolute clean path leads, as far as it goes; lexical behind the first thing that is not there. */
int unpack_follow(struct unpack *u, const char *path, char *dst, size_t size, struct err *e);

/* match.c: Go's filepath.Match: 1, 0, or -EINVAL for a bad pattern. */
int unpack_match(const char *pattern, const char *name);
bool unpack_has_wildcards(const char *pattern);

/* sources.c: what job->source_dir and job->paths name, in order. */
struct source {
	char *path;     /* relative to source_dir, clean; "." for itself */
	int fd;         /* O_PATH, links followed */
	struct stat st;
};
struct sources { struct source *v; size_t n; bool wildcards; };
int unpack_sources_find(struct unpack *u, struct sources *ret, struct err *e);
void unpack_sources_release(struct sources *s);
static inline void auto_sources(struct sources *s) { unpack_sources_release(s); }

/* user.c: what --chown says: "user[:group]", names of the target; a user alone means its number or name for the group too. */
struct owner { uint32_t uid, gid; };
int unpack_owner(struct unpack *u, const char *spec, struct owner *ret, struct err *e);
