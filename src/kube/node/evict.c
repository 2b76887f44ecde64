/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ending pods to save the node or to keep a promise: when less than 100 MiB of
 * memory are left, the pod that uses most beyond what it asked for, lowest
 * priority first; and a pod whose emptyDir has outgrown its sizeLimit.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "kube/node/gc.h"
#include "kube/node/register.h"
#include "schema/quantity.h"

#define MEMORY_LEAST (100LL << 20)
enum { DEPTH_MAX = 64, ENTRIES_MAX = 200000 };

/* --- memory ---------------------------------------------------------------------------------------------------- */

struct facts_job { struct node_facts f; const char *root; };

static int read_facts(void *arg)
{
	struct facts_job *j = arg;
	facts_read(&j->f, j->root);
	return 0;
}

static int64_t request_of(const struct kube_pod *pod)
{
	int64_t sum = 0;

	for (uint32_t i = 0; i < pod->spec.n_containers; i++) {
		const struct kube_resource_requirements *r = &pod->spec.containers[i].resources;
		for (uint32_t k = 0; k < r->n_requests; k++)
			if (!strcmp(r->requests[k].key, "memory"))
				sum += quantity_text_value(r->requests[k].value);
	}
	return sum;
}

static int64_t usage_of(const struct cri_list_container_stats_response *s, const char *uid)
{
	int64_t sum = 0;

	for (uint32_t i = 0; i < s->n_stats; i++) {
		const struct cri_container_stats *c = &s->stats[i];
		if (c->attributes && c->memory && c->memory->working_set_bytes &&
			!strcmp(annotation(c->attributes->labels, c->attributes->n_labels, "io.kubernetes.pod.uid"), uid))
			sum += (int64_t)c->memory->working_set_bytes->value;
	}
	return sum;
}

static int32_t priority_of(const struct kube_pod *pod)
{
	return pod->spec.priority ? *pod->spec.priority : 0;
}

/* Is a to go before b? */
static bool goes_first(const struct evict_candidate *a, const struct evict_candidate *b)
{
	if ((a->usage > a->request) != (b->usage > b->request))
		return a->usage > a->request;
	if (a->priority != b->priority)
		return a->priority < b->priority;
	return a->usage - a->request > b->usage - b->request;
}

int evict_pick(const struct evict_candidate *v, unsigned n)
{
	int best = -1;

	for (unsigned i = 0; i < n; i++)
		if (v[i].priority < 2000000000 && (best < 0 || goes_first(&v[i], &v[best])))
			best = (int)i;
	return best;
}

static void memory_wait(struct node *n, unsigned *rounds)
{
	struct facts_job j = { .root = n->set.root };
	struct cri_list_container_stats_request q = { 0 };
	struct cri_list_container_stats_response p = { 0 };
	struct pod_worker *w, **workers;
	struct evict_candidate *v;
	unsigned count = 0, most = (unsigned)n->by_uid.n;
	struct err e = { 0 };
	struct arena a;

	job_wait(read_facts, &j);
	*rounds = j.f.memory_free < MEMORY_LEAST ? *rounds + 1 : 0;
	if (*rounds < 2)                  /* a moment's need is not worth a pod */
		return;
	arena_init(&a, POD_ARENA_MAX);
	int r = n->rt->call_wait(n->rt, CRI_LIST_STATS, &q, &a, &p, 0, &e);
	v = arena_array(&a, most + 1, sizeof *v);
	workers = arena_array(&a, most + 1, sizeof *workers);
	if (r >= 0 && v && workers) {
		list_each(w, &n->workers, node)
			if (w->state == WORKER_SYNC && !w->has_failed && count < most) {
				v[count] = (struct evict_candidate){ usage_of(&p, w->uid), request_of(worker_pod(w)), priority_of(worker_pod(w)) };
				workers[count++] = w;
			}
		int best = evict_pick(v, count);
		if (best >= 0) {
			log_warn("memory is low: a pod is evicted", "pod=%s available=%lld", workers[best]->key, (long long)j.f.memory_free);
			worker_fail(workers[best], "Evicted", "The node was low on resource: memory. Threshold quantity: 100Mi, available: %lldKi. "
				"The pod was using %lldKi, request is %lldKi, has larger consumption of memory. ", (long long)j.f.memory_free / 1024,
				(long long)v[best].usage / 1024, (long long)v[best].request / 1024);
		}
	}
	arena_release(&a);
}

/* --- emptyDir ---------------------------------------------------------------------------------------------------- */

struct size_job { char path[1024]; int64_t bytes; unsigned left; };

static void add_up(int dirfd, struct size_job *j, int depth)
{
	int fd = dup(dirfd);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *x;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while (j->left && (x = readdir(d))) {
		struct stat st;
		if (!strcmp(x->d_name, ".") || !strcmp(x->d_name, "..") || fstatat(dirfd, x->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		j->left--;
		j->bytes += (int64_t)st.st_blocks * 512;
		if (!S_ISDIR(st.st_mode) || depth <= 0)
			continue;
		AUTO(close) int sub = openat(dirfd, x->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (sub >= 0)
			add_up(sub, j, depth - 1);
	}
	closedir(d);
}

static int measure(void *arg)
{
	struct size_job *j = arg;
	AUTO(close) int fd = open(j->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	add_up(fd, j, DEPTH_MAX);
	return 0;
}

static void sizes_of_wait(struct node *n, struct pod_worker *w)
{
	struct kobject *o = kobject_ref(w->pod);
	const struct kube_pod *pod = o->obj;

	for (uint32_t i = 0; i < pod->spec.n_volumes && !w->has_failed; i++) {
		const struct kube_volume *v = &pod->spec.volumes[i];
		int64_t limit = v->empty_dir ? quantity_text_value(v->empty_dir->size_limit) : 0;
		struct size_job j = { .left = ENTRIES_MAX };
		if (limit <= 0 || (v->empty_dir->medium && *v->empty_dir->medium))
			continue;
		fmt_into(j.path, sizeof j.path, "%s/%s/volumes/kubernetes.io~empty-dir/%s", n->set.pods_dir, pod->metadata.uid, v->name);
		if (job_wait(measure, &j) == 0 && j.bytes > limit && w->state == WORKER_SYNC)
			worker_fail(w, "Evicted", "Usage of EmptyDir volume \"%s\" exceeds the limit \"%s\". ", v->name, v->empty_dir->size_limit);
	}
	kobject_unref(o);
}

static bool has_sized_dir(const struct kube_pod *pod)
{
	for (uint32_t i = 0; i < pod->spec.n_volumes; i++)
		if (pod->spec.volumes[i].empty_dir && pod->spec.volumes[i].empty_dir->size_limit)
			return true;
	return false;
}

static void sizes_wait(struct node *n)
{
	struct pod_worker *w, **v;
	unsigned count = 0, most = (unsigned)n->by_uid.n;
	struct arena a;

	arena_init(&a, 1 << 20);
	v = arena_array(&a, most + 1, sizeof *v);
	list_each(w, &n->workers, node)
		if (v && count < most && w->state == WORKER_SYNC && has_sized_dir(worker_pod(w))) {
			worker_ref(w);
			v[count++] = w;
		}
	for (unsigned i = 0; i < count; i++) {
		if (v[i]->state == WORKER_SYNC)
			sizes_of_wait(n, v[i]);
		worker_unref(v[i]);
	}
	arena_release(&a);
}

void evict_wait(struct node *n, unsigned *memory_rounds)
{
	memory_wait(n, memory_rounds);
	sizes_wait(n);
}
