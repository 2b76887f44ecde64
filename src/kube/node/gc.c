/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rotation of container logs (10 MiB, five files) through ReopenContainerLog,
 * and removal of unused images once the disk is 85 % full, until it is 80 %.
 */
#include "kube/node/gc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/vec.h"

#define LOG_MOST_BYTES (10LL << 20)
enum { LOG_FILES = 5, HIGH_PERCENT = 85, LOW_PERCENT = 80, SELDOM = 30 /* rounds of LOOK_NS */ };
#define LOOK_NS (10 * NS_PER_S)

/* --- logs ---------------------------------------------------------------------------------------------------- */

struct rotate_job { const char *path; bool rotated; int64_t now_ns; };

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Keeps the newest files that were rotated away. */
static void drop_old(const char *path)
{
	const char *base = strrchr(path, '/') + 1;
	char dir[4096];
	VEC(char *) v = { 0 };
	struct dirent *x;

	fmt_into(dir, sizeof dir, "%.*s", (int)(base - 1 - path), path);
	DIR *d = opendir(dir);
	while (d && (x = readdir(d)))
		if (!strncmp(x->d_name, base, strlen(base)) && x->d_name[strlen(base)] == '.')
			vec_push(&v, slice_dup(slice_of(x->d_name)));
	if (v.n)
		qsort(v.v, v.n, sizeof *v.v, by_text);
	for (size_t i = 0; i < v.n; i++) {
		if (d && v.v[i] && i + LOG_FILES - 1 < v.n)
			unlinkat(dirfd(d), v.v[i], 0);
		free(v.v[i]);
	}
	vec_release(&v);
	if (d)
		closedir(d);
}

static int rotate(void *arg)
{
	struct rotate_job *j = arg;
	struct stat st;
	char text[CLOCK_TEXT_MAX], to[4200];

	if (lstat(j->path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < LOG_MOST_BYTES)
		return 0;
	clock_rfc3339(text, j->now_ns);
	fmt_into(to, sizeof to, "%s.%.4s%.2s%.2s-%.2s%.2s%.2s", j->path, text, text + 5, text + 8, text + 11, text + 14, text + 17);
	if (rename(j->path, to) < 0)
		return -errno;
	j->rotated = true;
	drop_old(j->path);
	return 0;
}

struct running_log { char *path, *id; };
typedef VEC(struct running_log) running_logs;

static void find_logs(struct node *n, running_logs *v)
{
	struct pod_worker *w;

	list_each(w, &n->workers, node)
		for (uint32_t i = 0; i < w->observed.n_containers; i++) {
			const struct cri_container_status *s = &w->observed.containers[i];
			struct arena a;
			if (!cri_is_running(s) || !s->metadata)
				continue;
			arena_init(&a, 64 << 10);
			const char *path = s->log_path && *s->log_path == '/' ? s->log_path :
				container_log_path(&n->set, worker_pod(w), s->metadata->name, s->metadata->attempt, &a);
			if (path)
				vec_push(v, (struct running_log){ slice_dup(slice_of(path)), slice_dup(slice_of(s->id)) });
			arena_release(&a);
		}
}

static void rotate_all_wait(struct node *n)
{
	running_logs v = { 0 };

	find_logs(n, &v);
	for (size_t i = 0; i < v.n; i++) {
		struct rotate_job j = { .path = v.v[i].path, .now_ns = loop_realtime_ns(n->loop) };
		if (v.v[i].path && v.v[i].id && job_wait(rotate, &j) == 0 && j.rotated) {
			struct cri_reopen_container_log_request q = { .container_id = v.v[i].id };
			struct cri_reopen_container_log_response p;
			struct err e = { 0 };
			struct arena a;
			arena_init(&a, 1 << 20);
			if (n->rt->call_wait(n->rt, CRI_REOPEN_LOG, &q, &a, &p, 0, &e) < 0)
				log_warn("log cannot be reopened", "id=%s error=%s", v.v[i].id, e.text);
			arena_release(&a);
		}
		free(v.v[i].path);
		free(v.v[i].id);
	}
	vec_release(&v);
}

/* --- images -------------------------------------------------------------------------------------------------- */

struct disk_job { const char *path; unsigned used_percent; };

static int disk(void *arg)
{
	struct disk_job *j = arg;
	struct statvfs v;

	if (statvfs(j->path, &v) < 0 || !v.f_blocks)
		return -errno;
	j->used_percent = (unsigned)(100 - v.f_bavail * 100 / v.f_blocks);
	return 0;
}

static bool is_used(const struct cri_list_containers_response *c, const struct cri_image *m)
{
	for (uint32_t i = 0; i < c->n_containers; i++) {
		const struct cri_container *x = &c->containers[i];
		const char *names[] = { x->image_ref, x->image_id, x->image ? x->image->image : NULL };
		for (size_t k = 0; k < ARRAY_LEN(names); k++) {
			if (!names[k] || !*names[k])
				continue;
			if (!strcmp(names[k], m->id))
				return true;
			for (uint32_t t = 0; t < m->n_repo_tags; t++)
				if (!strcmp(names[k], m->repo_tags[t]))
					return true;
			for (uint32_t t = 0; t < m->n_repo_digests; t++)
				if (!strcmp(names[k], m->repo_digests[t]))
					return true;
		}
	}
	return false;
}

static int bigger(const void *a, const void *b)
{
	const struct cri_image *x = a, *y = b;
	return (x->size < y->size) - (x->size > y->size);
}

static void images_wait(struct node *n)
{
	struct disk_job j = { .path = n->set.root };
	struct cri_list_images_request q = { 0 };
	struct cri_list_images_response p = { 0 };
	struct cri_list_containers_request cq = { 0 };
	struct cri_list_containers_response cp = { 0 };
	struct err e = { 0 };
	struct arena a;

	if (job_wait(disk, &j) < 0 || j.used_percent < HIGH_PERCENT)
		return;
	arena_init(&a, POD_ARENA_MAX);
	if (n->rt->call_wait(n->rt, CRI_LIST_IMAGES, &q, &a, &p, 0, &e) >= 0 && n->rt->call_wait(n->rt, CRI_LIST, &cq, &a, &cp, 0, &e) >= 0 && p.n_images) {
		qsort(p.images, p.n_images, sizeof *p.images, bigger);
		for (uint32_t i = 0; i < p.n_images && j.used_percent > LOW_PERCENT; i++) {
			struct cri_image_spec spec = { .image = p.images[i].id };
			struct cri_remove_image_request rq = { .image = &spec };
			struct cri_remove_image_response rp;
			if (p.images[i].pinned || is_used(&cp, &p.images[i]))
				continue;
			if (n->rt->call_wait(n->rt, CRI_REMOVE_IMAGE, &rq, &a, &rp, 0, &e) >= 0)
				log_info("unused image removed: the disk is full", "image=%s used=%u%%", p.images[i].n_repo_tags ? p.images[i].repo_tags[0] : p.images[i].id,
					j.used_percent);
			job_wait(disk, &j);
		}
	}
	arena_release(&a);
}

void gc_main(void *arg)
{
	struct node *n = arg;

	unsigned memory_rounds = 0;

	for (unsigned round = 1; !n->is_stopping && sleep_wait(LOOK_NS) >= 0; round++) {
		rotate_all_wait(n);
		evict_wait(n, &memory_rounds);
		if (round % SELDOM)
			continue;
		struct err e = { 0 };
		images_wait(n);
		log_links_clean_wait(&n->set);
		if (node_adopt_wait(n, &e) < 0)
			log_debug("leftovers cannot be found", "error=%s", e.text);
		workers_stale(n, NULL);          /* in case the runtime forgot to tell something */
	}
}
