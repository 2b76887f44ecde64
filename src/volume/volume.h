/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Named and anonymous volumes of the local driver: a folder ROOT/volumes/NAME/_data
 * each, a record in kv, and, with options, a file system mounted there while a
 * container runs. Who uses a volume is the engine's knowledge: it asks before it
 * removes. Errors carry Docker's words.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"
#include "schema/schema.h"

struct kv;
struct volumes;

/* Valid until the volume is removed. */
struct volume {
	const char *name, *driver;
	const char *mountpoint;              /* ROOT/volumes/NAME/_data */
	int64_t created_ns;
	const struct schema_pair *labels, *options;
	uint32_t n_labels, n_options;
	bool is_anonymous;
};

/* Loads records. Blocking: at start-up. */
int volumes_open(struct kv *kv, const char *root, struct volumes **ret, struct err *e);
void volumes_close(struct volumes *v);

struct volume_create {
	const char *name;                    /* NULL or "": an anonymous one */
	const char *driver;                  /* NULL or "": local */
	const struct schema_pair *labels, *options;
	uint32_t n_labels, n_options;
	bool is_anonymous;
};
/* An existing volume of that name is given as it is (*ret_new false). -EINVAL, -ENOENT (driver), -ENOSPC. */
int volume_create_wait(struct volumes *v, const struct volume_create *how, const struct volume **ret, bool *ret_new, struct err *e);
const struct volume *volume_get(struct volumes *v, const char *name);     /* NULL when there is none */
/* In order of names; *pos starts at 0; NULL at the end. */
const struct volume *volume_next(struct volumes *v, size_t *pos);
/* Removes record and data. -ENOENT. */
int volume_remove_wait(struct volumes *v, const char *name, struct err *e);
/* Makes the data available (mounts what options say), counted; and gives it back. */
int volume_mount_wait(struct volumes *v, const char *name, struct err *e);
void volume_unmount_wait(struct volumes *v, const char *name);
/* Bytes on disk; walks the tree on a worker. -1 when it cannot be told. */
int64_t volume_size_wait(struct volumes *v, const char *name);
/* Bytes that a folder's files take (links once), blocking. */
int64_t dir_bytes(const char *path);
