/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts: what options mean, and the calls. Targets are descriptors
 * (sys/rootpath.h), so that nothing a root file system contains can redirect
 * them. Sources: mount(2), mount_setattr(2), runtime-spec config.md "Mounts".
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"

#define SYS_MOUNT_DATA_MAX 4095

struct sys_mount_opts {
	unsigned long flags;        /* MS_* to set */
	unsigned long cleared;      /* MS_* that an option says must be off ("exec", "dev", "suid", "rw") */
	uint64_t propagation[4];    /* MS_SHARED …, with MS_REC, in the order given */
	unsigned n_propagation;
	uint64_t rec_set, rec_clr;  /* MOUNT_ATTR_* for the whole tree ("rro", "rnosuid") */
	bool bind, recursive;       /* "bind", "rbind" */
	bool tmpcopyup;
	bool idmap, ridmap;
	char data[SYS_MOUNT_DATA_MAX + 1]; /* what is left for the file system */
};
/* Reads options. -EMSGSIZE when the file system's own do not fit a page. */
int sys_mount_options(const char *const *options, uint32_t n, struct sys_mount_opts *ret, struct err *e);
/* "rslave" … -> MS_SLAVE|MS_REC, or 0 when it is none of the eight. */
uint64_t sys_propagation(const char *name);
/* MS_* of one mount as MOUNT_ATTR_* (without propagation). */
uint64_t sys_mount_attrs(unsigned long ms_flags);
/* Every option name there is, for `features`; terminated by NULL. */
extern const char *const sys_mount_option_names[];

/* Mounts a file system on a descriptor. */
int sys_mount_fs(const char *source, int target, const char *type, unsigned long flags, const char *data, struct err *e);
/* Mount propagation of what is mounted at a descriptor. */
int sys_mount_propagation(int target, uint64_t propagation);
/*
 * A detached copy of what is at `path` (below dir; "" with AT_EMPTY_PATH semantics for dir itself). fd or -errno.
 */
int sys_bind_open(int dir, const char *path, bool recursive);
/* Attributes of a detached or attached mount: all of the tree with recursive. */
int sys_mount_setattr(int mount, uint64_t set, uint64_t clr, bool recursive);
/* Attaches a detached mount onto a descriptor. 0 or -errno. */
int sys_mount_attach(int mount, int target);
/* A fresh tmpfs as a detached mount; options like "size=65536k,mode=755" as data. fd or -errno. */
int sys_tmpfs_open(const char *data, uint64_t attrs);

/* One line of /proc/PID/mountinfo; slices point into the text, with octal escapes still in. */
struct sys_mountinfo {
	uint32_t id, parent, major, minor;
	struct slice root, mount_point, options, optional, type, source, super_options;
};
/* Takes the next line off *text. 1, 0 at the end, or -EBADMSG for a line that is none. */
int sys_mountinfo_next(struct slice *text, struct sys_mountinfo *ret);
/* Copies a path with octal escapes (\040) undone; false if it does not fit. */
bool sys_mountinfo_path(struct slice s, char *dst, size_t size);
