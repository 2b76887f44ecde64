/* SPDX-License-Identifier: Apache-2.0 */
/* STATE_ROOT/ID: written and renamed, not synced, because it describes processes and dies with the machine. */
#include "runtime/runtime_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"

int runtime_check_id(const char *id, struct err *e)
{
	size_t n = id ? strlen(id) : 0;
	bool ok = n > 0 && n <= 255 && strcmp(id, ".") && strcmp(id, "..");
	for (size_t i = 0; ok && i < n; i++)
		ok = (id[i] >= 'a' && id[i] <= 'z') || (id[i] >= 'A' && id[i] <= 'Z') || (id[i] >= '0' && id[i] <= '9') ||
		     strchr("_+-.", id[i]);
	return ok ? 0 : err_set(e, EINVAL, "invalid container ID format: %s", id ? id : "");
}

int state_dir_open(const char *state_root, const char *id, struct err *e)
{
	char path[4096];
	int r = runtime_check_id(id, e);
	if (r < 0)
		return r;
	if (!fmt_into(path, sizeof path, "%s/%s", state_root, id))
		return err_set(e, ENAMETOOLONG, "state folder %s/%s is too long", state_root, id);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return err_set(e, ENOENT, "container \"%s\" does not exist", id);
	return fd < 0 ? err_sys(e, errno, "open %s", path) : fd;
}

int state_dir_make(const char *state_root, const char *id, struct err *e)
{
	char path[4096];
	int r = runtime_check_id(id, e);
	if (r < 0)
		return r;
	if (!fmt_into(path, sizeof path, "%s/%s", state_root, id))
		return err_set(e, ENAMETOOLONG, "state folder %s/%s is too long", state_root, id);
	if (mkdir(path, 0711) < 0) {
		if (errno == EEXIST)
			return err_set(e, EEXIST, "container with given ID already exists");
		r = errno == ENOENT ? dir_make(AT_FDCWD, state_root, 0700) : -errno;
		if (r < 0 || mkdir(path, 0711) < 0)
			return err_sys(e, r < 0 ? r : errno, "make the state folder %s", path);
	}
	return state_dir_open(state_root, id, e);
}

int state_write_file(int dir, const char *name, struct slice text, struct err *e)
{
	char tmp[64];
	fmt_into(tmp, sizeof tmp, "%s.tmp", name);
	AUTO(close) int fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int r = fd < 0 ? -errno : fd_write_all(fd, text.ptr, text.len);
	if (r == 0 && renameat(dir, tmp, dir, name) < 0)
		r = -errno;
	return r < 0 ? err_sys(e, r, "write the container's %s", name) : 0;
}

int state_write(int dir, const struct runtime_state *s, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(RUNTIME_SPEC_MAX);
	int r = schema_to_json(T_runtime_state, s, 0, &text);
	if (r == 0)
		r = buf_error(&text);
	return r < 0 ? err_sys(e, r, "write the container's state") : state_write_file(dir, "state.json", buf_slice(&text), e);
}

/* Reads a file whole into the arena, so that decoded strings can point into it. */
static int slurp(int dir, const char *name, struct arena *a, struct slice *ret, struct err *e)
{
	AUTO(close) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "open the container's %s", name);
	if (st.st_size > RUNTIME_SPEC_MAX)
		return err_set(e, EMSGSIZE, "the container's %s is too large", name);
	char *text = arena_alloc(a, (size_t)st.st_size + 1);
	if (!text)
		return err_nomem(e);
	int r = fd_read_all(fd, text, (size_t)st.st_size);
	*ret = slice_n(text, (size_t)st.st_size);
	return r < 0 ? err_sys(e, r, "read the container's %s", name) : 0;
}

int state_read(int dir, struct arena *a, struct runtime_state *ret, struct err *e)
{
	struct slice text;
	int r = slurp(dir, "state.json", a, &text, e);
	if (r == 0)
		r = schema_from_json(T_runtime_state, text, 0, a, ret, e);
	if (r == 0 && (ret->version != 1 || !ret->id || !ret->bundle))
		r = err_set(e, EBADMSG, "the container's state is of another version");
	return r;
}

int state_read_spec(int dir, struct arena *a, struct oci_spec *ret, struct err *e)
{
	struct slice text;
	int r = slurp(dir, "config.json", a, &text, e);
	return r < 0 ? r : schema_from_json(T_oci_spec, text, SCHEMA_FOLD_CASE, a, ret, e);
}

int state_spec_says(int dir, struct arena *a, const char *word)
{
	struct slice text;
	int r = slurp(dir, "config.json", a, &text, NULL);
	/* Go matches keys without case. */
	return r < 0 ? r : strcasestr(text.ptr, word) != NULL;
}

int proc_start(pid_t pid, uint64_t *ret_start, char *ret_state)
{
	char path[64], text[1024];
	fmt_into(path, sizeof path, "/proc/%d/stat", pid);
	AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (n <= 0)
		return -ESRCH;
	text[n] = 0;
	/* The name in parentheses may hold anything: count from its end. */
	char *p = strrchr(text, ')');
	if (!p || p[1] != ' ')
		return -ESRCH;
	*ret_state = p[2];
	struct slice rest = slice_of(p + 2), field = { 0 };
	for (int i = 3; i <= 22; i++)
		if (!slice_next(&rest, ' ', &field))
			return -ESRCH;
	return num_parse_u64(field, UINT64_MAX, ret_start) < 0 ? -ESRCH : 0;
}

static enum runtime_status status_of(const struct container *c)
{
	uint64_t start;
	char letter;
	if (c->state.pid == 0)
		return RUNTIME_CREATING;
	if (proc_start((pid_t)c->state.pid, &start, &letter) < 0 || start != c->state.pid_start || letter == 'Z' || letter == 'X')
		return RUNTIME_STOPPED;
	if (faccessat(c->dir, START_SOCKET, F_OK, 0) == 0)
		return RUNTIME_CREATED;
	return c->cgroup.layout && sys_cgroup_is_frozen(&c->cgroup) ? RUNTIME_PAUSED : RUNTIME_RUNNING;
}

int container_open(struct container *c, const char *state_root, const char *id, bool half_made, struct err *e)
{
	memset(c, 0, sizeof *c);
	arena_init(&c->arena, RUNTIME_ARENA_MAX);
	sys_cgroup_init(&c->cgroup);
	c->dir = state_dir_open(state_root, id, e);
	int r = c->dir;
	if (r >= 0) {
		r = state_read(c->dir, &c->arena, &c->state, half_made ? NULL : e);
		if (r < 0 && half_made) {
			c->state = (struct runtime_state){ .id = arena_strdup(&c->arena, id) };
			r = 0;
		} else if (r == -ENOENT) {
			r = err_set(e, EBUSY, "container \"%s\" is being made", id);
		}
	}
	if (r >= 0 && c->state.cgroup && sys_cgroup_layout_read(&c->layout, NULL) == 0) {
		if (sys_cgroup_open(&c->cgroup, &c->layout, c->state.cgroup, NULL) < 0)
			c->cgroup.layout = NULL;
	}
	if (r < 0) {
		container_release(c);
		return r;
	}
	c->status = status_of(c);
	return 0;
}

void container_release(struct container *c)
{
	sys_cgroup_release(&c->cgroup);
	if (c->dir >= 0)
		close(c->dir);
	c->dir = -1;
	arena_release(&c->arena);
}

const char *runtime_status_text(enum runtime_status s)
{
	static const char *const text[] = { "creating", "created", "running", "paused", "stopped" };
	return text[s];
}

static int info_of(const struct container *c, struct arena *a, struct runtime_info *ret)
{
	const struct runtime_state *s = &c->state;
	*ret = (struct runtime_info){
		.id = arena_strdup(a, s->id),
		.bundle = arena_strdup(a, s->bundle),
		.rootfs = arena_strdup(a, s->rootfs),
		.created = arena_strdup(a, s->created),
		.owner = arena_strdup(a, s->owner),
		.status = c->status,
		.pid = c->status == RUNTIME_STOPPED ? 0 : (pid_t)s->pid,
		.pid_start = s->pid_start,
		.cgroup_manager = (enum runtime_cgroup_manager)s->cgroup_manager,
		.cgroup = arena_strdup(a, s->cgroup),
		.scope = arena_strdup(a, s->scope),
		.n_annotations = s->n_annotations,
	};
	struct schema_pair *v = arena_array(a, s->n_annotations, sizeof *v);
	if (!ret->id || !v)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->n_annotations; i++)
		v[i] = (struct schema_pair){ arena_strdup(a, s->annotations[i].key), arena_strdup(a, s->annotations[i].value) };
	ret->annotations = v;
	return 0;
}

int runtime_state(const char *state_root, const char *id, struct arena *a, struct runtime_info *ret, struct err *e)
{
	AUTO(container) struct container c;
	int r = container_open(&c, state_root, id, false, e);
	if (r == 0 && info_of(&c, a, ret) < 0)
		r = err_nomem(e);
	return r;
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct runtime_info *)a)->id, ((const struct runtime_info *)b)->id);
}

int runtime_list(const char *state_root, struct arena *a, struct runtime_info **ret, uint32_t *n_ret, struct err *e)
{
	struct runtime_info *v = NULL;
	uint32_t n = 0, cap = 0;
	DIR *d = opendir(state_root);
	if (!d && errno != ENOENT)
		return err_sys(e, errno, "open %s", state_root);
	for (struct dirent *x; d && (x = readdir(d));) {
		struct runtime_info one;
		if (x->d_name[0] == '.' || runtime_state(state_root, x->d_name, a, &one, NULL) < 0)
			continue;
		if (n == cap) {
			cap = cap ? cap * 2 : 32;
			struct runtime_info *more = arena_array(a, cap, sizeof *more);
			if (!more) {
				closedir(d);
				return err_nomem(e);
			}
			if (n)
				memcpy(more, v, n * sizeof *v);
			v = more;
		}
		v[n++] = one;
	}
	if (d)
		closedir(d);
	if (n)
		qsort(v, n, sizeof *v, by_id);
	*ret = v;
	*n_ret = n;
	return 0;
}
