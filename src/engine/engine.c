/* SPDX-License-Identifier: Apache-2.0 */
/* Opening the engine: records, running containers, and what happened while nobody looked. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/rand.h"
#include "engine/exec.h"
#include "engine/shim_link.h"

struct loop *engine_loop(struct engine *eng) { return eng->loop; }
struct kv *engine_kv(struct engine *eng) { return eng->config.kv; }
struct image_store *engine_images(struct engine *eng) { return eng->config.images; }
struct net *engine_net(struct engine *eng) { return eng->config.net; }
struct volumes *engine_volumes(struct engine *eng) { return eng->config.volumes; }
const char *engine_root(struct engine *eng) { return eng->config.root; }
const char *engine_runtime(struct engine *eng) { return eng->config.runtime; }

/*
 * The layer between an image and what a container writes: mount points and the
 * marker file, so that neither diff nor commit shows them. Shared by all.
 */
static int init_layer_make(const char *root, struct err *e)
{
	static const char *const dirs[] = { "proc", "sys", "dev/pts", "dev/shm", "etc" };
	static const char *const files[] = { ".dockerenv", "dev/console", "etc/hostname", "etc/hosts", "etc/resolv.conf" };
	char *dir = fmt_new("%s/engine/init-layer", root);
	if (!dir)
		return err_nomem(e);
	int r = dir_make(AT_FDCWD, dir, 0755);
	AUTO(close) int fd = r < 0 ? -1 : open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r == 0 && fd < 0)
		r = -errno;
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(dirs); i++)
		r = dir_make(fd, dirs[i], 0755);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(files); i++) {
		AUTO(close) int f = openat(fd, files[i], O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0755);
		r = f < 0 ? -errno : 0;
	}
	if (r == 0 && symlinkat("/proc/mounts", fd, "etc/mtab") < 0 && errno != EEXIST)
		r = -errno;
	if (r < 0)
		err_sys(e, r, "making %s", dir);
	free(dir);
	return r;
}

static int folders_make(const struct engine_config *c, struct err *e)
{
	static const struct { bool run; const char *name; mode_t mode; } dirs[] = {
		{ false, "engine/containers", 0710 }, { true, "shim", 0700 }, { true, "runtime", 0700 }, { true, "shm", 0711 },
	};
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		char *p = fmt_new("%s/%s", dirs[i].run ? c->run : c->root, dirs[i].name);
		int r = p ? dir_make(AT_FDCWD, p, dirs[i].mode) : -ENOMEM;
		if (r < 0)
			err_sys(e, r, "making %s", p ? p : dirs[i].name);
		free(p);
		if (r < 0)
			return r;
	}
	return init_layer_make(c->root, e);
}

/* A stable id, made once. */
static int self_wait(struct engine *eng, struct err *e)
{
	AUTO(arena) struct arena a;
	arena_init(&a, 1 << 16);
	struct engine_self self = { 0 };
	struct slice old = kv_get(eng->config.kv, "engine/self");
	if (old.ptr && schema_from_json(T_engine_self, old, 0, &a, &self, NULL) == 0 && self.id) {
		fmt_into(eng->id, sizeof eng->id, "%s", self.id);
		return 0;
	}
	char h[33];
	rand_hex(h, 16);
	fmt_into(eng->id, sizeof eng->id, "%.8s-%.4s-4%.3s-8%.3s-%.12s", h, h + 8, h + 13, h + 17, h + 20);
	self.id = eng->id;
	AUTO(buf) struct buf text = BUF_INIT(4096);
	if (schema_to_json(T_engine_self, &self, 0, &text) < 0)
		return err_nomem(e);
	return kv_put_wait(eng->config.kv, "engine/self", buf_slice(&text), e);
}

/* --- taking up what runs */
static void readopt(struct container *c)
{
	for (uint32_t i = 0; i < c->n_mounts; i++)
		if (!strcmp(c->mounts[i].type, "volume"))
			volume_mount_wait(c->engine->config.volumes, c->mounts[i].name, NULL);
	if (c->status == STATUS_RESTARTING)
		container_move(c, STATUS_RUNNING);
	health_start(c);
}

static void adopt_one(struct container *c)
{
	int64_t code = 137, at = 0;
	bool oom = false;
	/* a start may have been cut short before its record: the shim tells */
	if (shim_connect_wait(c, NULL) == 0) {
		if (c->status != STATUS_RUNNING && c->status != STATUS_PAUSED) {
			c->status = STATUS_RUNNING;
			c->started_ns = c->started_ns ? c->started_ns : clock_realtime_ns();
			record_save_state_wait(c, NULL);
		}
		c->starts++;
		readopt(c);
		return;
	}
	if (c->status == STATUS_RUNNING || c->status == STATUS_PAUSED) {
		bool known = shim_last_exit(c, &code, &oom, &at) == 0;
		if (!known)
			shim_sweep_wait(c);
		shm_unmount_wait(c);
		c->exit_code = code;
		c->is_oom = c->is_oom || oom;
		c->finished_ns = at ? at : clock_realtime_ns();
		c->pid = 0;
		c->was_running = true;
		c->status = STATUS_EXITED;
		char num[24];
		fmt_into(num, sizeof num, "%lld", (long long)code);
		container_event(c, "die", (struct schema_pair[]){ { "exitCode", num } }, 1);
		record_save_state_wait(c, NULL);
	} else if (c->status == STATUS_RESTARTING) {
		c->was_running = true;
		c->status = STATUS_EXITED;
	} else if (c->status == STATUS_REMOVING) {
		c->status = STATUS_DEAD;
	} else {
		/* a shim that was made but never recorded */
		AUTO(arena) struct arena a;
		arena_init(&a, 1 << 16);
		struct stat st;
		if (stat(container_bundle(c, &a), &st) == 0)
			shim_sweep_wait(c);
	}
}

static bool is_alive(void *arg, const char *id)
{
	struct engine *eng = arg;
	struct container *c = map_gets(&eng->by_id, id);
	char sandbox[96];
	/* a pod's namespace lives without a process; its record is the CRI server's */
	fmt_into(sandbox, sizeof sandbox, "sandbox/%s", id);
	return c ? container_is_alive(c) : kv_get(eng->config.kv, sandbox).ptr != NULL;
}

/* Folders of containers that no record names. */
struct sweep { struct engine *eng; VEC(char *) ids; };

#include <dirent.h>
static void find_strangers(struct engine *eng, const char *dir, struct sweep *s)
{
	DIR *d = opendir(dir);
	if (!d)
		return;
	for (struct dirent *de; (de = readdir(d));) {
		if (strlen(de->d_name) != 64 || map_gets(&eng->by_id, de->d_name))
			continue;
		char *id = strdup(de->d_name);
		if (!id || vec_push(&s->ids, id) < 0)
			free(id);
	}
	closedir(d);
}

struct remove_job { char *path; };
static int remove_tree(void *arg)
{
	return dir_remove(AT_FDCWD, arg, NULL);
}

static void sweep_strangers_wait(struct engine *eng)
{
	struct sweep s = { .eng = eng };
	char *containers = fmt_new("%s/engine/containers", eng->config.root), *shims = fmt_new("%s/shim", eng->config.run);
	if (shims)
		find_strangers(eng, shims, &s);
	for (size_t i = 0; i < s.ids.n; i++) {
		struct container *c = container_new(eng, s.ids.v[i], s.ids.v[i]);
		if (c) {
			log_info("sweeping a container without a record", "id=%s", c->id);
			shim_sweep_wait(c);
			container_unref(c);
		}
		free(s.ids.v[i]);
	}
	vec_release(&s.ids);
	s = (struct sweep){ .eng = eng };
	if (containers)
		find_strangers(eng, containers, &s);
	for (size_t i = 0; i < s.ids.n; i++) {
		char *p = fmt_new("%s/%s", containers, s.ids.v[i]);
		if (p)
			job_wait(remove_tree, p);
		free(p);
		free(s.ids.v[i]);
	}
	vec_release(&s.ids);
	free(containers);
	free(shims);
}

int engine_open_wait(struct loop *l, const struct engine_config *c, struct engine **ret, struct err *e)
{
	struct engine *eng = calloc(1, sizeof *eng);
	if (!eng)
		return err_nomem(e);
	eng->loop = l;
	eng->config = *c;
	map_init(&eng->by_id);
	map_init(&eng->by_name);
	map_init(&eng->execs);
	map_init(&eng->users);
	eng->events = events_new();
	struct statfs fs;
	eng->is_cgroup_v2 = statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == 0x63677270;
	int r = eng->events ? folders_make(c, e) : err_nomem(e);
	if (r == 0)
		r = self_wait(eng, e);
	if (r == 0)
		r = record_load_all(eng, e);
	if (r < 0) {
		engine_close(eng);
		return r;
	}
	for (size_t i = 0; i < eng->list.n; i++) {
		struct container *k = container_ref(eng->list.v[i]);
		adopt_one(k);
		container_unref(k);
	}
	sweep_strangers_wait(eng);
	net_collect_wait(c->net, is_alive, eng);
	*ret = eng;
	return 0;
}

static void restart_all_fiber(void *arg)
{
	struct engine *eng = arg;
	VEC(struct container *) v = { 0 };
	for (size_t i = 0; i < eng->list.n; i++)
		if (vec_push(&v, eng->list.v[i]) == 0)
			container_ref(eng->list.v[i]);
	for (size_t i = 0; i < v.n; i++) {
		struct container *c = v.v[i];
		struct err e = { 0 };
		bool wanted = !container_is_running(c) && !c->is_gone && (c->was_running || c->started_ns) && restart_wanted(c, true);
		/* unless-stopped and always come back only if they ran when the engine or the machine went down, or were never stopped by hand */
		if (wanted && (c->was_running || !c->manually_stopped)) {
			if (container_start_wait(eng, c->id, &e) < 0)
				log_warn("container did not start again", "container=%s error=%s", c->id, e.text);
		} else if (c->was_running && restart_wanted(c, false) && !container_is_running(c)) {
			if (container_start_wait(eng, c->id, &e) < 0)
				log_warn("container did not start again", "container=%s error=%s", c->id, e.text);
		} else if (!container_is_running(c) && c->was_running && c->host->auto_remove) {
			lifecycle_remove_wait(c, false, true, NULL);
		} else if (c->status == STATUS_DEAD) {
			lifecycle_remove_wait(c, false, false, NULL);
		}
		c->was_running = false;
		container_unref(c);
	}
	vec_release(&v);
}

void engine_restart_all(struct engine *eng)
{
	if (fiber_start(eng->loop, "restart-all", restart_all_fiber, eng) < 0)
		log_error("no fiber to restart containers", "containers=%zu", eng->list.n);
}

void engine_close(struct engine *eng)
{
	if (!eng)
		return;
	eng->is_closing = true;
	/* containers are left to the process's end: fibers may still hold them */
	for (size_t i = 0; i < eng->list.n; i++)
		shim_close(eng->list.v[i]);
}

/* --- who uses what */
int engine_image_uses(struct engine *eng, struct arena *a, struct image_use **ret, size_t *ret_n)
{
	struct image_use *v = arena_array(a, eng->list.n, sizeof *v);
	*ret = v;
	*ret_n = 0;
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < eng->list.n; i++) {
		const struct container *c = eng->list.v[i];
		if (*c->image_id)
			v[(*ret_n)++] = (struct image_use){ arena_strdup(a, c->image_id), arena_strdup(a, c->id), container_is_running(c) };
	}
	return 0;
}

const char *engine_container_name(struct engine *eng, const char *id)
{
	struct container *c = map_gets(&eng->by_id, id);
	return c ? c->name : NULL;
}

unsigned engine_network_users(struct engine *eng, const char *id, const char *name)
{
	unsigned n = 0;
	for (size_t i = 0; i < eng->list.n; i++)
		for (uint32_t k = 0; k < eng->list.v[i]->n_endpoints; k++)
			n += !strcmp(eng->list.v[i]->endpoints[k].key, id) || !strcmp(eng->list.v[i]->endpoints[k].key, name);
	return n;
}
