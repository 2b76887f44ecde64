/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/mounts.h"

#include <errno.h>
#include <sys/mount.h>

#include "base/auto.h"
#include "sys/kernel.h"
#include "sys/rootpath.h"

enum kind { SET, CLEAR, PROPAGATE, REC_SET, REC_CLEAR, SPECIAL };
enum special { S_BIND, S_RBIND, S_TMPCOPYUP, S_IDMAP, S_RIDMAP, S_NOTHING };

static const struct option {
	const char *name;
	enum kind kind;
	uint64_t value;
} options_known[] = {
	{ "async", CLEAR, MS_SYNCHRONOUS },
	{ "atime", CLEAR, MS_NOATIME },
	{ "bind", SPECIAL, S_BIND },
	{ "defaults", SPECIAL, S_NOTHING },
	{ "dev", CLEAR, MS_NODEV },
	{ "diratime", CLEAR, MS_NODIRATIME },
	{ "dirsync", SET, MS_DIRSYNC },
	{ "exec", CLEAR, MS_NOEXEC },
	{ "iversion", SET, 1 << 23 },
	{ "lazytime", SET, 1 << 25 },
	{ "loud", CLEAR, MS_SILENT },
	{ "mand", SET, MS_MANDLOCK },
	{ "noatime", SET, MS_NOATIME },
	{ "nodev", SET, MS_NODEV },
	{ "nodiratime", SET, MS_NODIRATIME },
	{ "noexec", SET, MS_NOEXEC },
	{ "noiversion", CLEAR, 1 << 23 },
	{ "nolazytime", CLEAR, 1 << 25 },
	{ "nomand", CLEAR, MS_MANDLOCK },
	{ "norelatime", CLEAR, MS_RELATIME },
	{ "nostrictatime", CLEAR, MS_STRICTATIME },
	{ "nosuid", SET, MS_NOSUID },
	{ "nosymfollow", SET, MS_NOSYMFOLLOW },
	{ "rbind", SPECIAL, S_RBIND },
	{ "relatime", SET, MS_RELATIME },
	{ "remount", SET, MS_REMOUNT },
	{ "ro", SET, MS_RDONLY },
	{ "rw", CLEAR, MS_RDONLY },
	{ "silent", SET, MS_SILENT },
	{ "strictatime", SET, MS_STRICTATIME },
	{ "suid", CLEAR, MS_NOSUID },
	{ "symfollow", CLEAR, MS_NOSYMFOLLOW },
	{ "sync", SET, MS_SYNCHRONOUS },
	{ "private", PROPAGATE, MS_PRIVATE },
	{ "shared", PROPAGATE, MS_SHARED },
	{ "slave", PROPAGATE, MS_SLAVE },
	{ "unbindable", PROPAGATE, MS_UNBINDABLE },
	{ "rprivate", PROPAGATE, MS_PRIVATE | MS_REC },
	{ "rshared", PROPAGATE, MS_SHARED | MS_REC },
	{ "rslave", PROPAGATE, MS_SLAVE | MS_REC },
	{ "runbindable", PROPAGATE, MS_UNBINDABLE | MS_REC },
	{ "ratime", REC_CLEAR, MOUNT_ATTR_NOATIME },
	{ "rdev", REC_CLEAR, MOUNT_ATTR_NODEV },
	{ "rdiratime", REC_CLEAR, MOUNT_ATTR_NODIRATIME },
	{ "rexec", REC_CLEAR, MOUNT_ATTR_NOEXEC },
	{ "rnoatime", REC_SET, MOUNT_ATTR_NOATIME },
	{ "rnodev", REC_SET, MOUNT_ATTR_NODEV },
	{ "rnodiratime", REC_SET, MOUNT_ATTR_NODIRATIME },
	{ "rnoexec", REC_SET, MOUNT_ATTR_NOEXEC },
	{ "rnorelatime", REC_CLEAR, MOUNT_ATTR_RELATIME },
	{ "rnostrictatime", REC_CLEAR, MOUNT_ATTR_STRICTATIME },
	{ "rnosuid", REC_SET, MOUNT_ATTR_NOSUID },
	{ "rnosymfollow", REC_SET, MOUNT_ATTR_NOSYMFOLLOW },
	{ "rrelatime", REC_SET, MOUNT_ATTR_RELATIME },
	{ "rro", REC_SET, MOUNT_ATTR_RDONLY },
	{ "rrw", REC_CLEAR, MOUNT_ATTR_RDONLY },
	{ "rstrictatime", REC_SET, MOUNT_ATTR_STRICTATIME },
	{ "rsuid", REC_CLEAR, MOUNT_ATTR_NOSUID },
	{ "rsymfollow", REC_CLEAR, MOUNT_ATTR_NOSYMFOLLOW },
	{ "tmpcopyup", SPECIAL, S_TMPCOPYUP },
	{ "idmap", SPECIAL, S_IDMAP },
	{ "ridmap", SPECIAL, S_RIDMAP },
};

const char *const sys_mount_option_names[] = {
	"acl",	       "async",	      "atime",	      "bind",	   "defaults",	"dev",	       "diratime",   "dirsync",
	"exec",	       "iversion",    "lazytime",     "loud",	   "mand",	"noatime",     "nodev",	     "nodiratime",
	"noexec",      "noiversion",  "nolazytime",   "nomand",	   "norelatime", "nostrictatime", "nosuid",  "nosymfollow",
	"private",     "ratime",      "rbind",	      "rdev",	   "rdiratime", "relatime",    "remount",    "rexec",
	"rnoatime",    "rnodev",      "rnodiratime",  "rnoexec",   "rnorelatime", "rnostrictatime", "rnosuid", "rnosymfollow",
	"ro",	       "rprivate",    "rrelatime",    "rro",	   "rrw",	"rshared",     "rslave",     "rstrictatime",
	"rsuid",       "rsymfollow",  "runbindable",  "rw",	   "shared",	"silent",      "slave",	     "strictatime",
	"suid",	       "symfollow",   "sync",	      "tmpcopyup", "unbindable", "idmap",      "ridmap",     NULL,
};

static int add_data(struct sys_mount_opts *m, const char *option)
{
	size_t have = strlen(m->data);
	return fmt_into(m->data + have, sizeof m->data - have, "%s%s", have ? "," : "", option) ? 0 : -EMSGSIZE;
}

static void apply(struct sys_mount_opts *m, const struct option *o)
{
	switch (o->kind) {
	case SET:
		m->flags |= (unsigned long)o->value;
		m->cleared &= ~(unsigned long)o->value;
		break;
	case CLEAR:
		m->flags &= ~(unsigned long)o->value;
		m->cleared |= (unsigned long)o->value;
		break;
	case PROPAGATE:
		if (m->n_propagation < ARRAY_LEN(m->propagation))
			m->propagation[m->n_propagation++] = o->value;
		break;
	case REC_SET:
		m->rec_set |= o->value;
		m->rec_clr &= ~o->value;
		break;
	case REC_CLEAR:
		m->rec_clr |= o->value;
		m->rec_set &= ~o->value;
		break;
	case SPECIAL:
		m->bind |= o->value == S_BIND || o->value == S_RBIND;
		m->recursive |= o->value == S_RBIND;
		m->tmpcopyup |= o->value == S_TMPCOPYUP;
		m->idmap |= o->value == S_IDMAP || o->value == S_RIDMAP;
		m->ridmap |= o->value == S_RIDMAP;
		break;
	}
}

int sys_mount_options(const char *const *options, uint32_t n, struct sys_mount_opts *ret, struct err *e)
{
	memset(ret, 0, offsetof(struct sys_mount_opts, data) + 1);
	for (uint32_t i = 0; i < n; i++) {
		const struct option *o = NULL;
		for (size_t k = 0; k < ARRAY_LEN(options_known) && !o; k++)
			if (!strcmp(options_known[k].name, options[i]))
				o = &options_known[k];
		if (o)
			apply(ret, o);
		else if (add_data(ret, options[i]) < 0)
			return err_set(e, EMSGSIZE, "mount options are longer than %d bytes", SYS_MOUNT_DATA_MAX);
	}
	return 0;
}

uint64_t sys_propagation(const char *name)
{
	for (size_t k = 0; k < ARRAY_LEN(options_known); k++)
		if (options_known[k].kind == PROPAGATE && !strcmp(options_known[k].name, name))
			return options_known[k].value;
	return 0;
}

uint64_t sys_mount_attrs(unsigned long f)
{
	static const struct {
		unsigned long ms;
		uint64_t attr;
	} rows[] = {
		{ MS_RDONLY, MOUNT_ATTR_RDONLY },     { MS_NOSUID, MOUNT_ATTR_NOSUID },
		{ MS_NODEV, MOUNT_ATTR_NODEV },	      { MS_NOEXEC, MOUNT_ATTR_NOEXEC },
		{ MS_NOATIME, MOUNT_ATTR_NOATIME },   { MS_STRICTATIME, MOUNT_ATTR_STRICTATIME },
		{ MS_NODIRATIME, MOUNT_ATTR_NODIRATIME }, { MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW },
	};
	uint64_t a = 0;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (f & rows[i].ms)
			a |= rows[i].attr;
	return a;
}

int sys_mount_fs(const char *source, int target, const char *type, unsigned long flags, const char *data, struct err *e)
{
	char path[32];
	sys_fd_path(path, target);
	if (mount(source, path, type, flags, data) < 0)
		return err_sys(e, errno, "mount %s", type ? type : source ? source : "");
	return 0;
}

int sys_mount_propagation(int target, uint64_t propagation)
{
	char path[32];
	sys_fd_path(path, target);
	return mount(NULL, path, NULL, (unsigned long)propagation, NULL) < 0 ? -errno : 0;
}

int sys_bind_open(int dir, const char *path, bool recursive)
{
	return k_open_tree(dir, path,
			   OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0) |
				   (*path ? 0 : AT_EMPTY_PATH));
}

int sys_mount_setattr(int mount_fd, uint64_t set, uint64_t clr, bool recursive)
{
	/* The access time modes are one field: setting any first clears it. */
	uint64_t atime = MOUNT_ATTR_NOATIME | MOUNT_ATTR_STRICTATIME;
	if ((set | clr) & atime)
		clr = (clr & ~atime) | MOUNT_ATTR__ATIME;
	struct k_mount_attr a = { .attr_set = set, .attr_clr = clr };
	return k_mount_setattr(mount_fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &a);
}

int sys_mount_attach(int mount_fd, int target)
{
	return k_move_mount(mount_fd, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

int sys_tmpfs_open(const char *data, uint64_t attrs)
{
	AUTO(close) int fs = k_fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (fs < 0)
		return fs;
	struct slice rest = slice_of(data), one;
	while (slice_next(&rest, ',', &one)) {
		char key[64], value[256];
		struct slice k, v;
		bool has = slice_cut(one, '=', &k, &v);
		if (k.len == 0)
			continue;
		if (!fmt_into(key, sizeof key, "%.*s", SLICE_FMT(k)) || !fmt_into(value, sizeof value, "%.*s", SLICE_FMT(v)))
			return -EMSGSIZE;
		int r = k_fsconfig(fs, has ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, has ? value : NULL, 0);
		if (r < 0)
			return r;
	}
	int r = k_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	return r < 0 ? r : k_fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)attrs);
}
