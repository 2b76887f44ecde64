/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tar archive of files of this machine, made while it is read: the build
 * context, and cp into a container. The walk comes first (names and stat), the
 * contents are read as they are sent.
 */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "codec/ignore.h"
#include "io/stream.h"

struct pack;
int pack_new(struct loop *l, struct pack **ret);
/* Adds everything below root under names starting with prefix ("" for the context itself), in the order of names.
 * root itself is an entry if prefix is not "". ignore may be NULL. owner: keep owners, else root's. */
int pack_add(struct pack *p, const char *root, const char *prefix, const struct ignore *ignore, bool owner, struct err *e);
/* Adds a file from memory (copied). */
int pack_add_text(struct pack *p, const char *name, struct slice text);
/* The stream to send; it stays the pack's. progress(arg, bytes so far) is called now and then. */
struct stream *pack_stream(struct pack *p);
void pack_on_progress(struct pack *p, void (*fn)(void *arg, int64_t bytes), void *arg);
int64_t pack_bytes(const struct pack *p);
/* The error that ended the stream early, if one did. */
const struct err *pack_error(const struct pack *p);
void pack_free(struct pack *p);
