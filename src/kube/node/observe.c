/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the runtime what it has of a pod, and ending all of that. */
#include "kube/node/node_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/vec.h"

enum { MESSAGE_MAX = 4096, LOG_TAIL_BYTES = 2048, LOG_TAIL_LINES = 80 };

static int label_of_pod(const char *uid, struct schema_pair *label)
{
	*label = (struct schema_pair){ "io.kubernetes.pod.uid", uid };
	return 1;
}

static int list_sandboxes_wait(struct node_runtime *rt, const char *uid, struct arena *a, struct cri_list_pod_sandbox_response *ret, struct err *e)
{
	struct schema_pair label;
	struct cri_pod_sandbox_filter f = { .label_selector = &label, .n_label_selector = (uint32_t)label_of_pod(uid, &label) };
	struct cri_list_pod_sandbox_request q = { .filter = &f };

	*ret = (struct cri_list_pod_sandbox_response){ 0 };
	return rt->call_wait(rt, CRI_LIST_SANDBOXES, &q, a, ret, 0, e);
}

static int list_containers_wait(struct node_runtime *rt, const char *uid, struct arena *a, struct cri_list_containers_response *ret, struct err *e)
{
	struct schema_pair label;
	struct cri_container_filter f = { .label_selector = &label, .n_label_selector = (uint32_t)label_of_pod(uid, &label) };
	struct cri_list_containers_request q = { .filter = &f };

	*ret = (struct cri_list_containers_response){ 0 };
	return rt->call_wait(rt, CRI_LIST, &q, a, ret, 0, e);
}

static int newest_sandbox(const void *a, const void *b)
{
	const struct cri_pod_sandbox *x = a, *y = b;
	uint32_t ax = x->metadata ? x->metadata->attempt : 0, ay = y->metadata ? y->metadata->attempt : 0;

	if (ax != ay)
		return ax < ay ? 1 : -1;
	return (x->created_at < y->created_at) - (x->created_at > y->created_at);
}

static int newest_container(const void *a, const void *b)
{
	const struct cri_container *x = a, *y = b;
	uint32_t ax = x->metadata ? x->metadata->attempt : 0, ay = y->metadata ? y->metadata->attempt : 0;

	if (ax != ay)
		return ax < ay ? 1 : -1;
	return (x->created_at < y->created_at) - (x->created_at > y->created_at);
}

static int sandboxes_wait(struct node_runtime *rt, const char *uid, struct pod_observed *o, struct err *e)
{
	struct cri_list_pod_sandbox_response list;
	int r = list_sandboxes_wait(rt, uid, &o->arena, &list, e);

	if (r < 0 || !list.n_items)
		return r < 0 ? r : 0;
	qsort(list.items, list.n_items, sizeof *list.items, newest_sandbox);
	o->sandboxes = arena_array(&o->arena, list.n_items, sizeof *o->sandboxes);
	if (!o->sandboxes)
		return err_nomem(e);
	for (uint32_t i = 0; i < list.n_items; i++) {
		const struct cri_pod_sandbox *s = &list.items[i];
		struct cri_pod_sandbox_status_request q = { .pod_sandbox_id = s->id };
		struct cri_pod_sandbox_status_response p = { 0 };
		/* addresses matter of the newest only */
		r = i ? 0 : rt->call_wait(rt, CRI_SANDBOX_STATUS, &q, &o->arena, &p, 0, e);
		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r;
		o->sandboxes[o->n_sandboxes++] = p.status ? *p.status : (struct cri_pod_sandbox_status){ .id = s->id, .metadata = s->metadata,
			.state = s->state, .created_at = s->created_at, .labels = s->labels, .n_labels = s->n_labels,
			.annotations = s->annotations, .n_annotations = s->n_annotations };
	}
	return 0;
}

static int containers_wait(struct node_runtime *rt, const char *uid, struct pod_observed *o, struct err *e)
{
	struct cri_list_containers_response list;
	int r = list_containers_wait(rt, uid, &o->arena, &list, e);

	if (r < 0 || !list.n_containers)
		return r < 0 ? r : 0;
	qsort(list.containers, list.n_containers, sizeof *list.containers, newest_container);
	o->containers = arena_array(&o->arena, list.n_containers, sizeof *o->containers);
	o->sandbox_of = arena_array(&o->arena, list.n_containers, sizeof *o->sandbox_of);
	if (!o->containers || !o->sandbox_of)
		return err_nomem(e);
	for (uint32_t i = 0; i < list.n_containers; i++) {
		struct cri_container_status_request q = { .container_id = list.containers[i].id };
		struct cri_container_status_response p = { 0 };
		r = rt->call_wait(rt, CRI_CONTAINER_STATUS, &q, &o->arena, &p, 0, e);
		if (r == -ENOENT || (r >= 0 && !p.status))
			continue;
		if (r < 0)
			return r;
		o->sandbox_of[o->n_containers] = list.containers[i].pod_sandbox_id;
		o->containers[o->n_containers++] = *p.status;
	}
	return 0;
}

int observe_wait(struct node_runtime *rt, const char *uid, struct pod_observed *ret, struct err *e)
{
	struct pod_observed o = { 0 };

	arena_init(&o.arena, POD_ARENA_MAX);
	int r = sandboxes_wait(rt, uid, &o, e);
	if (r >= 0)
		r = containers_wait(rt, uid, &o, e);
	if (r < 0) {
		arena_release(&o.arena);
		return r;
	}
	*ret = o;
	return 0;
}

void observed_release(struct pod_observed *o)
{
	arena_release(&o->arena);
	*o = (struct pod_observed){ 0 };
	arena_init(&o->arena, POD_ARENA_MAX);
}

/* --- last words ---------------------------------------------------------------------------------------------- */

static void read_tail(const char *path, size_t most, struct buf *out)
{
	AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char data[8192];
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);

	most = MIN(most, sizeof data);
	if (size <= 0)
		return;
	ssize_t n = pread(fd, data, most, size > (off_t)most ? size - (off_t)most : 0);
	if (n > 0)
		buf_add(out, data, (size_t)n);
}

/* The last lines of a log in CRI's format, without times and tags. */
static void log_tail(const char *path, struct buf *out)
{
	AUTO(buf) struct buf raw = BUF_INIT(64 << 10);
	VEC(struct slice) lines = { 0 };
	struct slice rest, line, piece;
	size_t bytes = 0, from;

	read_tail(path, 8192, &raw);
	rest = buf_slice(&raw);
	while (rest.len && slice_next(&rest, '\n', &line)) {
		for (int i = 0; i < 3 && line.ptr; i++)
			slice_cut(line, ' ', &piece, &line);
		if (line.ptr && vec_push(&lines, line) < 0)
			break;
	}
	for (from = lines.n; from > 0 && lines.n - from < LOG_TAIL_LINES; from--) {
		bytes += lines.v[from - 1].len + 1;
		if (bytes > LOG_TAIL_BYTES)
			break;
	}
	for (; from < lines.n; from++) {
		buf_addslice(out, lines.v[from]);
		buf_addc(out, '\n');
	}
	vec_release(&lines);
}

void observed_messages(const struct node_settings *set, const struct kube_pod *pod, struct pod_observed *o)
{
	for (uint32_t i = 0; i < o->n_containers; i++) {
		struct cri_container_status *s = &o->containers[i];
		AUTO(buf) struct buf b = BUF_INIT(64 << 10);
		if (!cri_has_ended(s) || !s->metadata || !s->metadata->name)
			continue;
		const char *policy = annotation(s->annotations, s->n_annotations, "io.kubernetes.container.terminationMessagePolicy");
		const char *file = termination_log_path(set, pod, s->metadata->name, s->metadata->attempt, &o->arena);
		const char *log = container_log_path(set, pod, s->metadata->name, s->metadata->attempt, &o->arena);
		if (file)
			read_tail(file, MESSAGE_MAX, &b);
		if (!b.len && !strcmp(policy, "FallbackToLogsOnError") && s->exit_code && log)
			log_tail(log, &b);
		if (!b.len)
			continue;
		s->message = s->message && *s->message ? arena_fmt(&o->arena, "%s: %s", s->message, b.ptr) : arena_dup(&o->arena, buf_slice(&b));
	}
}

/* --- ending -------------------------------------------------------------------------------------------------- */

int runtime_pod_stop_wait(struct node_runtime *rt, const char *uid, int64_t grace_s, struct err *e)
{
	struct cri_list_containers_response list;
	struct cri_list_pod_sandbox_response boxes;
	struct arena a;

	arena_init(&a, POD_ARENA_MAX);
	int r = list_containers_wait(rt, uid, &a, &list, e);
	for (uint32_t i = 0; r >= 0 && i < list.n_containers; i++) {
		struct cri_stop_container_request q = { .container_id = list.containers[i].id, .timeout = grace_s };
		struct cri_stop_container_response p;
		if (list.containers[i].state != CRI_CONTAINER_RUNNING && list.containers[i].state != CRI_CONTAINER_UNKNOWN)
			continue;
		r = rt->call_wait(rt, CRI_STOP, &q, &a, &p, (grace_s + 120) * NS_PER_S, e);
		if (r == -ENOENT)
			r = 0;
	}
	if (r >= 0)
		r = list_sandboxes_wait(rt, uid, &a, &boxes, e);
	for (uint32_t i = 0; r >= 0 && i < boxes.n_items; i++) {
		struct cri_stop_pod_sandbox_request q = { .pod_sandbox_id = boxes.items[i].id };
		struct cri_stop_pod_sandbox_response p;
		r = rt->call_wait(rt, CRI_STOP_SANDBOX, &q, &a, &p, 0, e);
		if (r == -ENOENT)
			r = 0;
	}
	arena_release(&a);
	return r < 0 ? r : 0;
}

int runtime_pod_remove_wait(struct node_runtime *rt, const char *uid, struct err *e)
{
	struct cri_list_containers_response list;
	struct cri_list_pod_sandbox_response boxes;
	struct arena a;

	arena_init(&a, POD_ARENA_MAX);
	int r = list_containers_wait(rt, uid, &a, &list, e);
	for (uint32_t i = 0; r >= 0 && i < list.n_containers; i++) {
		struct cri_remove_container_request q = { .container_id = list.containers[i].id };
		struct cri_remove_container_response p;
		r = rt->call_wait(rt, CRI_REMOVE, &q, &a, &p, 0, e);
		if (r == -ENOENT)
			r = 0;
	}
	if (r >= 0)
		r = list_sandboxes_wait(rt, uid, &a, &boxes, e);
	for (uint32_t i = 0; r >= 0 && i < boxes.n_items; i++) {
		struct cri_remove_pod_sandbox_request q = { .pod_sandbox_id = boxes.items[i].id };
		struct cri_remove_pod_sandbox_response p;
		r = rt->call_wait(rt, CRI_REMOVE_SANDBOX, &q, &a, &p, 0, e);
		if (r == -ENOENT)
			r = 0;
	}
	arena_release(&a);
	return r < 0 ? r : 0;
}
