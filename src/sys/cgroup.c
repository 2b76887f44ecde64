/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "base/num.h"
#include "sys/mounts.h"

enum { TEXT_MAX = 1 << 20, PIDS_MAX = 1 << 20, DEPTH_MAX = 64 };
#define ROOT "/sys/fs/cgroup"

static bool has_name(const char *names, const char *one)
{
	struct slice rest = slice_of(names), s;
	while (slice_next(&rest, ',', &s))
		if (slice_is(s, one))
			return true;
	return false;
}

static int add(struct sys_cgroup_layout *l, struct slice names, const char *mount)
{
	if (l->n == SYS_CGROUP_MAX)
		return -E2BIG;
	struct sys_cgroup_hierarchy *h = &l->h[l->n];
	if (!fmt_into(h->names, sizeof h->names, "%.*s", SLICE_FMT(names)) ||
	    !fmt_into(h->mount, sizeof h->mount, "%s", mount))
		return -ENAMETOOLONG;
	l->n++;
	return 0;
}

/* The usual places: ROOT/cpu,cpuacct, or a link ROOT/cpu to it; name=systemd at ROOT/systemd. */
static int usual_v1(struct sys_cgroup_layout *l)
{
	AUTO(buf) struct buf text = BUF_INIT(TEXT_MAX);
	int r = file_read(AT_FDCWD, "/proc/self/cgroup", &text);
	if (r < 0)
		return r;
	struct slice rest = buf_slice(&text), line;
	while (slice_next(&rest, '\n', &line)) {
		struct slice id, names;
		char mount[200];
		struct statfs fs;
		if (!slice_cut(line, ':', &id, &names) || !slice_cut(names, ':', &names, &line) || names.len == 0)
			continue;
		struct slice dir = names;
		if (slice_starts(dir, "name="))
			dir = slice_n(dir.ptr + 5, dir.len - 5);
		if (!fmt_into(mount, sizeof mount, ROOT "/%.*s", SLICE_FMT(dir)) || statfs(mount, &fs) < 0 ||
		    fs.f_type != CGROUP_SUPER_MAGIC)
			return -ENOENT;
		r = add(l, names, mount);
		if (r < 0)
			return r;
	}
	return l->n ? 0 : -ENOENT;
}

static bool is_controller(struct slice s)
{
	static const char *const known[] = { "cpuset", "cpu", "cpuacct", "blkio", "memory", "devices", "freezer", "net_cls",
					     "perf_event", "net_prio", "hugetlb", "pids", "rdma", "misc" };
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (slice_is(s, known[i]))
			return true;
	return slice_starts(s, "name=");
}

static int from_mountinfo(struct sys_cgroup_layout *l)
{
	AUTO(buf) struct buf text = BUF_INIT(16 << 20);
	int r = file_read(AT_FDCWD, "/proc/self/mountinfo", &text);
	if (r < 0)
		return r;
	struct slice rest = buf_slice(&text);
	struct sys_mountinfo m;
	char unified[200] = "";
	while ((r = sys_mountinfo_next(&rest, &m)) > 0) {
		char mount[200], names[64] = "";
		if (!slice_is(m.root, "/") || !sys_mountinfo_path(m.mount_point, mount, sizeof mount))
			continue;
		if (slice_is(m.type, "cgroup2"))
			fmt_into(unified, sizeof unified, "%s", mount);
		if (!slice_is(m.type, "cgroup"))
			continue;
		struct slice options = m.super_options, one;
		while (slice_next(&options, ',', &one))
			if (is_controller(one)) {
				size_t n = strlen(names);
				fmt_into(names + n, sizeof names - n, "%s%.*s", n ? "," : "", SLICE_FMT(one));
			}
		bool twice = false;
		for (unsigned i = 0; i < l->n; i++)
			twice |= !strcmp(l->h[i].names, names);
		if (*names && !twice && (r = add(l, slice_of(names), mount)) < 0)
			return r;
	}
	if (r < 0 || l->n)
		return r;
	if (!*unified)
		return -ENOENT;
	l->is_v2 = true;
	return add(l, SLICE(""), unified);
}

int sys_cgroup_layout_read(struct sys_cgroup_layout *ret, struct err *e)
{
	struct statfs fs;
	ret->n = 0;
	ret->is_v2 = false;
	if (statfs(ROOT, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC) {
		ret->is_v2 = true;
		return add(ret, SLICE(""), ROOT);
	}
	if (usual_v1(ret) == 0)
		return 0;
	ret->n = 0;
	int r = from_mountinfo(ret);
	return r < 0 ? err_set(e, EOPNOTSUPP, "no control groups are mounted") : 0;
}

const struct sys_cgroup_hierarchy *sys_cgroup_hierarchy(const struct sys_cgroup_layout *l, const char *controller)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->is_v2 || has_name(l->h[i].names, controller))
			return &l->h[i];
	return NULL;
}

void sys_cgroup_init(struct sys_cgroup *cg)
{
	*cg = (struct sys_cgroup){ 0 };
	for (unsigned i = 0; i < SYS_CGROUP_MAX; i++)
		cg->dirs[i] = -1;
}

void sys_cgroup_release(struct sys_cgroup *cg)
{
	for (unsigned i = 0; i < SYS_CGROUP_MAX; i++)
		if (cg->dirs[i] >= 0)
			close(cg->dirs[i]);
	sys_cgroup_init(cg);
}

/* The path relative to a root: no leading slashes, "." for the root itself. -EINVAL for "..", which must not leave it. */
static int relative(const char *path, const char **ret)
{
	while (*path == '/')
		path++;
	struct slice rest = slice_of(path), one;
	while (slice_next(&rest, '/', &one))
		if (slice_is(one, ".."))
			return -EINVAL;
	*ret = *path ? path : ".";
	return 0;
}

/* A new v1 cpuset has no cpus and no memory nodes, and nothing can enter it: take the parent's. */
static int inherit_cpuset(int parent, int dir)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		AUTO(buf) struct buf own = BUF_INIT(4096), above = BUF_INIT(4096);
		int r = file_read(dir, files[i], &own);
		if (r == 0 && slice_trim(buf_slice(&own)).len)
			continue;
		if (r == 0)
			r = file_read(parent, files[i], &above);
		if (r == 0)
			r = file_poke(dir, files[i], above.ptr);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Everything that the parent has is given to its children; one at a time when all together is refused. */
static void delegate(int dir)
{
	AUTO(buf) struct buf have = BUF_INIT(4096), on = BUF_INIT(4096);
	if (file_read(dir, "cgroup.controllers", &have) < 0 || file_read(dir, "cgroup.subtree_control", &on) < 0)
		return;
	if (slice_eq(slice_trim(buf_slice(&have)), slice_trim(buf_slice(&on))))
		return;
	AUTO(buf) struct buf all = BUF_INIT(8192);
	struct slice rest = slice_trim(buf_slice(&have)), one;
	while (slice_next(&rest, ' ', &one))
		buf_addf(&all, "%s+%.*s", all.len ? " " : "", SLICE_FMT(one));
	if (buf_error(&all) < 0 || all.len == 0 || file_poke(dir, "cgroup.subtree_control", all.ptr) == 0)
		return;
	rest = slice_trim(buf_slice(&have));
	while (slice_next(&rest, ' ', &one)) {
		char name[64];
		if (fmt_into(name, sizeof name, "+%.*s", SLICE_FMT(one)))
			(void)file_poke(dir, "cgroup.subtree_control", name);
	}
}

static int make_in(const struct sys_cgroup_hierarchy *h, bool v2, const char *path, int *ret)
{
	AUTO(close) int dir = open(h->mount, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	bool cpuset = !v2 && has_name(h->names, "cpuset");
	/* The common case: every parent is there. */
	if (!cpuset && !v2 && (mkdirat(dir, path, 0755) == 0 || errno == EEXIST)) {
		*ret = openat(dir, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		return *ret < 0 ? -errno : 0;
	}
	struct slice rest = slice_of(path), one;
	while (slice_next(&rest, '/', &one)) {
		char name[256];
		if (one.len == 0 || slice_is(one, "."))
			continue;
		if (!fmt_into(name, sizeof name, "%.*s", SLICE_FMT(one)))
			return -ENAMETOOLONG;
		if (v2)
			delegate(dir);
		if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
			return -errno;
		int next = openat(dir, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (next < 0)
			return -errno;
		int r = cpuset ? inherit_cpuset(dir, next) : 0;
		close(dir);
		dir = next;
		if (r < 0)
			return r;
	}
	*ret = take_fd(&dir);
	return 0;
}

int sys_cgroup_make(struct sys_cgroup *ret, const struct sys_cgroup_layout *l, const char *path, struct err *e)
{
	const char *rel;
	sys_cgroup_init(ret);
	if (relative(path, &rel) < 0)
		return err_set(e, EINVAL, "cgroup path %s leaves the hierarchy", path);
	ret->layout = l;
	ret->path = path;
	for (unsigned i = 0; i < l->n; i++) {
		int r = make_in(&l->h[i], l->is_v2, rel, &ret->dirs[i]);
		if (r < 0) {
			err_sys(e, r, "make the control group %s/%s", l->h[i].mount, rel);
			sys_cgroup_release(ret);
			return r;
		}
	}
	return 0;
}

int sys_cgroup_open(struct sys_cgroup *ret, const struct sys_cgroup_layout *l, const char *path, struct err *e)
{
	const char *rel;
	sys_cgroup_init(ret);
	if (relative(path, &rel) < 0)
		return err_set(e, EINVAL, "cgroup path %s leaves the hierarchy", path);
	ret->layout = l;
	ret->path = path;
	bool any = false;
	for (unsigned i = 0; i < l->n; i++) {
		char full[4200];
		if (!fmt_into(full, sizeof full, "%s/%s", l->h[i].mount, rel))
			return err_set(e, ENAMETOOLONG, "cgroup path %s is too long", path);
		ret->dirs[i] = open(full, O_PATH | O_DIRECTORY | O_CLOEXEC);
		any |= ret->dirs[i] >= 0;
	}
	return any ? 0 : err_set(e, ENOENT, "the control group %s does not exist", path);
}

int sys_cgroup_dir(const struct sys_cgroup *cg, const char *controller)
{
	for (unsigned i = 0; cg->layout && i < cg->layout->n; i++)
		if (cg->layout->is_v2 || has_name(cg->layout->h[i].names, controller))
			return cg->dirs[i];
	return -1;
}

int sys_cgroup_write(const struct sys_cgroup *cg, const char *controller, const char *file, const char *value, struct err *e)
{
	int dir = sys_cgroup_dir(cg, controller);
	int r = dir < 0 ? -ENOENT : file_poke(dir, file, value);
	return r < 0 ? err_sys(e, r, "write \"%s\" to %s of control group %s", value, file, cg->path) : 0;
}

int sys_cgroup_read(const struct sys_cgroup *cg, const char *controller, const char *file, struct buf *out)
{
	int dir = sys_cgroup_dir(cg, controller);
	return dir < 0 ? -ENOENT : file_read(dir, file, out);
}

int sys_cgroup_number(const struct sys_cgroup *cg, const char *controller, const char *file, uint64_t *ret)
{
	AUTO(buf) struct buf text = BUF_INIT(4096);
	int r = sys_cgroup_read(cg, controller, file, &text);
	if (r < 0)
		return r;
	struct slice s = slice_trim(buf_slice(&text));
	if (slice_is(s, "max")) {
		*ret = UINT64_MAX;
		return 0;
	}
	int64_t i;
	if (num_parse_u64(s, UINT64_MAX, ret) == 0)
		return 0;
	r = num_parse_i64(s, INT64_MIN, INT64_MAX, &i);
	*ret = (uint64_t)i;
	return r;
}

int sys_cgroup_keyed(const struct sys_cgroup *cg, const char *controller, const char *file, const char *key, uint64_t *ret)
{
	AUTO(buf) struct buf text = BUF_INIT(TEXT_MAX);
	int r = sys_cgroup_read(cg, controller, file, &text);
	if (r < 0)
		return r;
	struct slice rest = buf_slice(&text), line, k, v;
	while (slice_next(&rest, '\n', &line))
		if (slice_cut(line, ' ', &k, &v) && slice_is(k, key))
			return num_parse_u64(slice_trim(v), UINT64_MAX, ret);
	return -ENOENT;
}

int sys_cgroup_join_open(const struct sys_cgroup *cg, int fds[SYS_CGROUP_MAX], struct err *e)
{
	int n = 0;
	for (unsigned i = 0; cg->layout && i < cg->layout->n; i++) {
		if (cg->dirs[i] < 0)
			continue;
		const char *file = cg->layout->is_v2 ? "cgroup.procs" : "tasks";
		fds[n] = openat(cg->dirs[i], file, O_WRONLY | O_CLOEXEC);
		if (fds[n] < 0) {
			int r = errno;
			while (n)
				close(fds[--n]);
			return err_sys(e, r, "open %s of control group %s", file, cg->path);
		}
		n++;
	}
	return n;
}

int sys_cgroup_join(const int *fds, int n, struct err *e)
{
	for (int i = 0; i < n; i++)
		if (write(fds[i], "0", 1) < 0)
			return err_sys(e, errno, "enter the control group");
	return 0;
}

struct pids {
	struct arena *a;
	pid_t *v;
	uint32_t n, cap;
};

static int add_pids(struct pids *p, struct slice text)
{
	struct slice line;
	while (slice_next(&text, '\n', &line)) {
		int64_t pid;
		if (num_parse_i64(line, 1, INT32_MAX, &pid) < 0)
			continue;
		if (p->n == p->cap) {
			if (p->cap >= PIDS_MAX)
				return -E2BIG;
			uint32_t cap = p->cap ? p->cap * 2 : 64;
			pid_t *v = arena_array(p->a, cap, sizeof *v);
			if (!v)
				return -ENOMEM;
			if (p->n)
				memcpy(v, p->v, p->n * sizeof *v);
			p->v = v;
			p->cap = cap;
		}
		p->v[p->n++] = (pid_t)pid;
	}
	return 0;
}

static int walk_pids(int dir, struct pids *p, int depth)
{
	AUTO(buf) struct buf text = BUF_INIT(16 << 20);
	int r = file_read(dir, "cgroup.procs", &text);
	if (r == -EOPNOTSUPP) /* v2: a threaded group; its processes are listed at the domain's root */
		r = 0;
	if (r == -ENOENT || r == -ENODEV)
		return 0;
	if (r == 0)
		r = add_pids(p, buf_slice(&text));
	if (r < 0 || depth > DEPTH_MAX)
		return r;
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return errno == ENOENT ? 0 : -errno;
	for (struct dirent *x; r == 0 && (x = readdir(d));) {
		if (x->d_type != DT_DIR || x->d_name[0] == '.')
			continue;
		AUTO(close) int sub = openat(fd, x->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (sub >= 0)
			r = walk_pids(sub, p, depth + 1);
	}
	closedir(d);
	return r;
}

/* The hierarchy to ask who is inside: one that nobody else is likely to move processes in. */
static int main_dir(const struct sys_cgroup *cg)
{
	static const char *const order[] = { "devices", "pids", "memory", "freezer", "cpu" };
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		int d = sys_cgroup_dir(cg, order[i]);
		if (d >= 0)
			return d;
	}
	for (unsigned i = 0; cg->layout && i < cg->layout->n; i++)
		if (cg->dirs[i] >= 0)
			return cg->dirs[i];
	return -1;
}

int sys_cgroup_pids(const struct sys_cgroup *cg, struct arena *a, pid_t **ret, uint32_t *n, struct err *e)
{
	struct pids p = { .a = a };
	int dir = main_dir(cg);
	if (dir < 0)
		return err_set(e, ENOENT, "the container has no control group");
	int r = walk_pids(dir, &p, 0);
	if (r < 0)
		return err_sys(e, r, "read the processes of control group %s", cg->path);
	*ret = p.v;
	*n = p.n;
	return 0;
}

int sys_cgroup_kill(const struct sys_cgroup *cg, int sig, struct err *e)
{
	if (sig == SIGKILL && cg->layout->is_v2 && file_poke(cg->dirs[0], "cgroup.kill", "1") == 0)
		return 0;
	struct arena a;
	arena_init(&a, 64 << 20);
	pid_t *v;
	uint32_t n;
	bool held = false, stopped = sig == SIGKILL && !cg->layout->is_v2 && sys_cgroup_is_frozen(cg);
	int r = sys_cgroup_pids(cg, &a, &v, &n, e);
	/* So that nobody is born while we look. */
	if (r == 0 && n && sig == SIGKILL && !stopped && sys_cgroup_freeze(cg, true, NULL) == 0) {
		held = true;
		r = sys_cgroup_pids(cg, &a, &v, &n, e);
	}
	for (uint32_t i = 0; r == 0 && i < n; i++)
		if (kill(v[i], sig) < 0 && errno != ESRCH)
			r = err_sys(e, errno, "signal process %d", v[i]);
	arena_release(&a);
	if (held || stopped)
		(void)sys_cgroup_freeze(cg, false, NULL);
	return r;
}

static void nap_ms(long ms)
{
	struct timespec t = { 0, ms * 1000000L };
	nanosleep(&t, NULL);
}

int sys_cgroup_freeze(const struct sys_cgroup *cg, bool frozen, struct err *e)
{
	bool v2 = cg->layout->is_v2;
	const char *file = v2 ? "cgroup.freeze" : "freezer.state";
	const char *value = v2 ? (frozen ? "1" : "0") : (frozen ? "FROZEN" : "THAWED");
	if (sys_cgroup_dir(cg, "freezer") < 0)
		return err_set(e, EOPNOTSUPP, "no freezer control group");
	/* v1 may hang in FREEZING when a process is being born: write again (kernel's freezer documentation). */
	for (int i = 0; i < 2000; i++) {
		if (i == 0 || (!v2 && i % 5 == 0)) {
			int r = sys_cgroup_write(cg, "freezer", file, value, e);
			if (r < 0)
				return r;
		}
		AUTO(buf) struct buf text = BUF_INIT(4096);
		uint64_t is;
		if (v2) {
			if (sys_cgroup_keyed(cg, "", "cgroup.events", "frozen", &is) < 0 || (is != 0) == frozen)
				return 0;
		} else if (sys_cgroup_read(cg, "freezer", file, &text) == 0 &&
			   slice_is(slice_trim(buf_slice(&text)), value)) {
			return 0;
		}
		nap_ms(1);
	}
	if (frozen)
		(void)sys_cgroup_write(cg, "freezer", file, v2 ? "0" : "THAWED", NULL);
	return err_set(e, ETIMEDOUT, "control group %s does not %s", cg->path, frozen ? "freeze" : "thaw");
}

bool sys_cgroup_is_frozen(const struct sys_cgroup *cg)
{
	AUTO(buf) struct buf text = BUF_INIT(4096);
	if (cg->layout->is_v2) {
		uint64_t n;
		return sys_cgroup_number(cg, "", "cgroup.freeze", &n) == 0 && n == 1;
	}
	return sys_cgroup_read(cg, "freezer", "freezer.state", &text) == 0 &&
	       !slice_is(slice_trim(buf_slice(&text)), "THAWED");
}

static int remove_tree(int parent, const char *name, int depth)
{
	if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if ((errno != EBUSY && errno != ENOTEMPTY) || depth > DEPTH_MAX)
		return -errno;
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return errno == ENOENT ? 0 : -errno;
	for (struct dirent *x; (x = readdir(d));)
		if (x->d_type == DT_DIR && x->d_name[0] != '.')
			remove_tree(fd, x->d_name, depth + 1);
	closedir(d);
	return unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -errno;
}

int sys_cgroup_remove(const struct sys_cgroup_layout *l, const char *path, struct err *e)
{
	const char *rel;
	if (relative(path, &rel) < 0 || !strcmp(rel, "."))
		return err_set(e, EINVAL, "control group %s cannot be removed", path);
	for (unsigned i = 0; i < l->n; i++) {
		AUTO(close) int root = open(l->h[i].mount, O_PATH | O_DIRECTORY | O_CLOEXEC);
		int r = root < 0 ? -errno : -EBUSY;
		/* A process that has died leaves its group a moment later; nothing tells when. */
		for (int tries = 0; root >= 0 && tries < 60; tries++) {
			r = remove_tree(root, rel, 0);
			if (r != -EBUSY)
				break;
			nap_ms(tries < 10 ? 1 : 5);
		}
		if (r < 0)
			return err_sys(e, r, "remove the control group %s/%s", l->h[i].mount, rel);
	}
	return 0;
}
