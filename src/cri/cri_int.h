/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of cri/ share. All state belongs to the engine's loop. */
#pragma once
#include "api/cri.h"
#include "api/cri/enums.h"
#include "base/list.h"
#include "base/map.h"
#include "base/vec.h"
#include "cri/cri.h"
#include "engine/pod.h"
#include "http/grpc.h"
#include "image/image.h"
#include "io/fiber.h"
#include "net/net.h"

enum { SANDBOX_ARENA_MAX = 2 << 20, SANDBOXES_MAX = 20000, RECORD_MAX = 4 << 20, CRI_EXEC_OUTPUT_MAX = 15 << 20 };

struct sandbox {
	struct arena arena;             /* of rec */
	struct cri_sandbox_record rec;
	struct list node;               /* in order of creation */
	unsigned refs;
	bool is_gone;
	char ip[46];                    /* "" on the host's network */
	struct fmutex lock;             /* stop and remove do not interleave */
};

struct cri_streams;
struct cri {
	struct loop *loop;
	struct cri_config c;
	struct engine *engine;
	struct kv *kv;
	struct net *net;
	struct image_store *images;
	struct grpc_method *rows;
	struct grpc_server *server;
	struct cri_streams *streams;
	struct list sandboxes;
	size_t n_sandboxes;
	struct map names;               /* reserved while something of this name is there or being made */
	struct fmutex network_lock;
	struct list watchers;           /* events.c */
	char pod_cidr[64], hostname[256]; /* this machine's name, for pods without one */
	int64_t oom_least;              /* what oom_score_adj this engine may set */
};

static inline struct cri *cri_of(struct grpc_call *c) { return c->user; }
static inline const char *text_or(const char *s, const char *d) { return s && *s ? s : d; }

/* --- sandbox.c */
static inline struct sandbox *sandbox_ref(struct sandbox *s)
{
	s->refs++;
	return s;
}
void sandbox_unref(struct sandbox *s);
AUTO_DEFINE(sandbox, struct sandbox *, sandbox_unref)
/* By id or unique prefix; counted. -ENOENT. */
int pod_sandbox_find(struct cri *x, const char *id, struct sandbox **ret, struct err *e);
int sandboxes_load_wait(struct cri *x, struct err *e);
void sandboxes_free(struct cri *x);
int sandbox_stop_wait(struct cri *x, struct sandbox *s, struct err *e);
int sandbox_save_wait(struct cri *x, struct sandbox *s, struct err *e);
/* The network of pods: made when first needed. */
int pod_network_wait(struct cri *x, const char **ret_id, struct err *e);

/* The process that held a shared process namespace has ended, and with it all that was in there: the sandbox is over. */
void sandbox_holder_ended(struct cri *x, const char *sandbox, const char *id);

/* --- names of things that must be there once */
int name_take(struct cri *x, const char *what, const char *name, const char *id, struct err *e);
void name_give(struct cri *x, const char *name);
const char *pod_sandbox_name(const struct cri_pod_sandbox_metadata *m, struct arena *a);
const char *container_name(const struct cri_container_metadata *m, const struct cri_pod_sandbox_metadata *pod, struct arena *a);

/* --- container.c */
int container_record(const struct pod_view *v, struct arena *a, struct cri_container_record *ret, struct err *e);
bool labels_match(const struct schema_pair *want, uint32_t n_want, const struct schema_pair *have, uint32_t n_have);
int container_status_fill(struct cri *x, const struct pod_view *v, struct arena *a, struct cri_container_status *ret, struct err *e);
/* Kills it, removes it, gives its name back; 0 also when there is none. */
int container_remove(struct cri *x, const char *id, struct err *e);
int sandbox_status_fill(struct cri *x, struct sandbox *s, struct arena *a, struct cri_pod_sandbox_status *ret, struct err *e);

/* --- spec.c: a CRI container as the engine's words. Everything in a. */
int spec_container(struct cri *x, struct sandbox *s, const struct cri_container_config *c, const char *image_id, struct arena *a,
		   struct pod_container *ret, struct err *e);
int spec_resources_of(const struct cri_linux_container_resources *r, struct arena *a, struct docker_host_config *h);

/* The process that keeps a shared process namespace. */
int spec_holder(struct cri *x, struct sandbox *s, struct arena *a, struct pod_container *ret, struct err *e);

/* --- image.c */
/* By any name of either owner, or an id. */
int cri_image_get(struct cri *x, const char *name, struct arena *a, struct image_info *ret, struct err *e);

/* The one pair "info" of a verbose answer, JSON of t. */
int info_fill(struct schema_ref t, const void *obj, struct arena *a, struct schema_pair **ret, uint32_t *n, struct err *e);

/* --- events.c */
void events_open(struct cri *x);
void sandbox_event(struct cri *x, struct sandbox *s, int32_t type);

/* --- the methods; rows in cri.c */
#define UNARY(name) int cri_##name(struct grpc_call *c, const void *request, void *reply, struct err *e)
#define STREAM(name) int cri_##name(struct grpc_call *c, const void *request, struct err *e)
UNARY(run_pod_sandbox); UNARY(stop_pod_sandbox); UNARY(remove_pod_sandbox); UNARY(pod_sandbox_status); UNARY(list_pod_sandbox);
UNARY(update_pod_sandbox_resources);
UNARY(create_container); UNARY(start_container); UNARY(stop_container); UNARY(remove_container); UNARY(container_status);
UNARY(list_containers); UNARY(update_container_resources); UNARY(reopen_container_log);
UNARY(exec_sync); UNARY(exec); UNARY(attach); UNARY(port_forward);
UNARY(container_stats); UNARY(list_container_stats); UNARY(pod_sandbox_stats); UNARY(list_pod_sandbox_stats);
UNARY(list_images); UNARY(image_status); UNARY(pull_image); UNARY(remove_image); UNARY(image_fs_info);
STREAM(stream_pod_sandboxes); STREAM(stream_containers); STREAM(stream_images); STREAM(stream_container_stats); STREAM(stream_pod_sandbox_stats);
STREAM(get_container_events);
int streams_open(struct cri *x, struct err *e);
void streams_close(struct cri *x);
