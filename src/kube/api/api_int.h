/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of kube/api/ share.
 *
 *   pipeline.c   a request: path → attributes, who, may they, which handler
 *   cache.c      watch cache: entries by key, a ring of events
 *   object.c     bytes ↔ struct ↔ tree of one object
 *   read.c watch.c create.c update.c delete.c patch.c   the verbs
 *   media.c      which encodings, in and out
 *   status.c     refusals
 */
#pragma once
#include <errno.h>
#include "api/kube.h"
#include "base/auto.h"
#include "base/map.h"
#include "base/vec.h"
#include "kube/api/api.h"
#include "kube/meta/object.h"
#include "kube/meta/resource.h"
#include "kube/meta/selector.h"
#include "schema/node.h"
#include "schema/tree.h"

enum {
	API_BODY_MAX = 3 * 1024 * 1024, API_OBJECT_MAX = 1536 * 1024, API_REPLY_MAX = 1 << 30,
	API_RING_LEAST = 64, API_RING_MOST = 16384, API_WATCHES_MAX = 20000, API_METHODS = 8, API_HISTORY = 2000,
};
#define API_REQUEST_NS (60 * NS_PER_S)

/* What stands before every object: TypeMeta and ObjectMeta; the same as the start of each built-in's struct. */
struct api_head { const char *kind, *api_version; struct kube_object_meta metadata; };

/* --- resources and their caches -------------------------------------------- */
struct api_cache;
struct api_custom;
struct api_resource {
	unsigned refs;                    /* requests hold one each; custom ones go when a definition changes */
	bool is_gone;                     /* no longer served: its watches end */
	bool is_ending;                   /* its definition is being deleted: nothing new */
	bool is_mixed;                    /* stored objects may be of another version */
	const struct kube_resource *row;
	const char *text;                 /* "deployments.apps" */
	const char *api_version;          /* "apps/v1" */
	struct api_resource *stored;      /* itself, or the resource that this is another view of */
	struct api_cache *cache;
	struct api_custom *custom;        /* NULL: built-in */
	bool has_status;
};

/* One version of one object in memory: frozen, counted. */
struct api_entry {
	unsigned refs;
	uint16_t n_labels, n_fields;
	uint32_t meta_at, rv_at;          /* in o->value: of the key "metadata"; where resourceVersion is put */
	struct store_object *o;
	const char *ns, *name;            /* ns "" for cluster-wide ones */
	struct schema_pair *labels, *fields;
};
struct api_entry *api_entry_ref(struct api_entry *x);
struct api_entry *api_entry_unref(struct api_entry *x);
/* From a stored object (its reference is taken over a new one). NULL without memory or when it is no object. */
struct api_entry *api_entry_new(const struct api_cache *c, struct store_object *o);

struct api_event { int64_t revision, at_ns; struct api_entry *now, *prev; };   /* now NULL: deleted; prev NULL: created */
struct api_cache {
	struct kube_api *api;
	const char *prefix;               /* "/pods/" */
	size_t prefix_len;
	const struct api_resource *of;    /* the resource as it is stored, whose selectable fields entries carry; NULL: not known yet */
	VEC(struct api_entry *) items;    /* by key */
	struct api_event *ring;           /* event i stands at ring[i % ring_size] */
	size_t ring_size;
	uint64_t first, next;             /* events first .. next-1 are there */
	int64_t ring_from;                /* and all after this revision are */
	struct waitq changed;
};
/* The cache of a resource's stored form; made on first use. NULL without memory. */
struct api_cache *api_cache_of(struct kube_api *a, const char *text);
void api_cache_free(struct api_cache *c);
struct api_entry *api_cache_get(const struct api_cache *c, const char *ns, const char *name);
/* The items [*from, *to) of a namespace ("" or NULL: all). */
void api_cache_range(const struct api_cache *c, const char *ns, size_t *from, size_t *to);
size_t api_cache_lower(const struct api_cache *c, const char *key);
/* The number of the first event after revision; -ESTALE when some are gone. */
int api_cache_seek(const struct api_cache *c, int64_t revision, uint64_t *ret);
static inline const struct api_event *api_cache_event(const struct api_cache *c, uint64_t i) { return &c->ring[i % c->ring_size]; }
/* Entries are decoded again, for other selectable fields. */
int api_cache_refield(struct api_cache *c, const struct api_resource *r);
int api_caches_start_wait(struct kube_api *a, struct err *e);
void api_caches_stop(struct kube_api *a);
/* Waits until the caches have seen all up to revision. 0, -ETIMEDOUT, -ECANCELED. */
int api_seen_wait(struct kube_api *a, int64_t revision, int64_t timeout_ns);
/* "/pods/default/nginx" */
const char *api_key(struct arena *a, const struct api_resource *r, const char *ns, const char *name);

/* expire.c: the newest revision at each of the last sixty minutes. */
enum { API_EXPIRY_NOTES = 60 };
struct api_expiry { int64_t notes[API_EXPIRY_NOTES], next_ns; uint64_t n; };

struct kube_api {
	struct loop *loop;
	struct kube_api_config c;
	struct store *store;
	VEC(struct api_resource *) resources;     /* in discovery order, custom ones behind */
	struct map by_path;                       /* "group/version/plural" → resource */
	struct map caches;                        /* "deployments.apps" → cache */
	struct store_watch watch;
	struct waitq seen;
	bool started, stopping, loading;
	struct front *fronts;                     /* servers, one for each identity; see serve.c */
	unsigned n_watches, n_requests;
	uint64_t epoch;                           /* counts changes of what is served: discovery and OpenAPI documents */
	uint64_t n_answers[API_METHODS][6];       /* by method and first digit of the status */
	struct api_openapi *openapi;
	struct api_crds *crds;
	struct api_quotas *quotas;
	struct api_expiry expiry;
	struct fiber *keeper;             /* bootstrap.c: what every cluster has, again and again */
	struct tls_config *kubelet_tls, *backend_tls;     /* to kubelets, with our certificate; to https backends of proxies, without */
};
struct api_resource *api_resource_ref(struct api_resource *r);
void api_resource_unref(struct api_resource *r);
/* Stored bytes may have to be turned into this resource's version. */
static inline bool api_needs_view(const struct api_resource *r) { return r->stored != r || r->is_mixed; }
struct api_resource *api_resource_find(const struct kube_api *a, const char *group, const char *version, const char *plural);
int api_resource_add(struct kube_api *a, struct api_resource *r);
void api_resource_remove(struct kube_api *a, struct api_resource *r);

/* --- a request ---------------------------------------------------------------- */
enum api_format { API_JSON, API_YAML, API_PROTOBUF };
enum api_shape { API_WHOLE, API_TABLE, API_PARTIAL, API_PARTIAL_LIST };
struct api_media {
	enum api_format format;
	enum api_shape shape;
	const char *meta_version;         /* of shapes: "v1", "v1beta1" */
};

/* Ends the fiber of a request that takes too long, or whose peer does not take what is sent. */
struct api_watchdog { struct timer timer; struct fiber *fiber; };
void api_watchdog_set(struct kube_api *a, struct api_watchdog *w, int64_t after_ns);    /* of this fiber; again if set */

struct api_req {
	struct api_watchdog watchdog;
	struct http_request *http;
	struct kube_api *api;
	struct arena *arena;
	struct kube_user user;
	struct kube_attributes at;
	struct api_resource *res;
	struct api_resource *held;        /* the reference behind res */
	const struct kube_subresource *sub;
	const char *rest;                 /* behind a proxy subresource: "/path" or "" */
	struct api_media media;
	bool dry_run;
	bool is_apply;                    /* managedFields are booked already */
	bool is_local;                    /* in this process */
	bool is_own;                      /* of the server itself: no HTTP behind it */
	const char *field_manager;
	enum { API_FIELDS_WARN, API_FIELDS_STRICT, API_FIELDS_IGNORE } fields;
	struct slice body;
	bool has_body;
	struct kube_status *refusal;      /* what went wrong, once something has */
	struct buf problems;              /* unknown and duplicate fields found, for Warn */
	unsigned n_warnings;
};

/* --- refusals (status.c): each sets q->refusal and returns < 0 ------------------- */
int api_refuse(struct api_req *q, int code, const char *reason, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
int api_not_found(struct api_req *q, const struct api_resource *r, const char *name);
int api_exists(struct api_req *q, const struct api_resource *r, const char *name);
int api_conflict(struct api_req *q, const struct api_resource *r, const char *name, const char *why);
int api_forbidden(struct api_req *q, const struct api_resource *r, const char *name, const char *why);
int api_method_refused(struct api_req *q);
/* problems: as schema_validate writes them; become causes. */
int api_invalid(struct api_req *q, const char *kind, const char *group, const char *name, struct slice problems);
int api_invalid_one(struct api_req *q, const struct api_resource *r, const char *name, const char *field, const char *reason, const char *message);
int api_expired(struct api_req *q, const char *message);
int api_bad_request(struct api_req *q, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* From an error of a lower layer. */
int api_from_err(struct api_req *q, const struct err *e);
void api_cause(struct api_req *q, const char *reason, const char *message, const char *field);
/* Sends q->refusal. */
int api_send_status(struct api_req *q, const struct kube_status *s);
/* A "Success" Status about a deleted object. */
int api_send_success(struct api_req *q, const struct api_resource *r, const char *name, const char *uid);
void api_warn(struct api_req *q, const char *text);
void api_warn_each(struct api_req *q, const struct buf *problems);
/* A Status as the object of a watch's ERROR event. */
int api_status_json(const struct kube_status *s, struct buf *out);

/* --- objects (object.c) ----------------------------------------------------------- */
struct api_object {
	struct api_resource *res;
	struct api_head *head;            /* built-ins: the struct of res->row->type; custom ones: the head alone */
	struct tree tree;                 /* custom ones: all of it; what head says counts */
	bool is_allocated;                /* address.c took what it needs */
	const void *base;                 /* of another view: the stored object that it was or will be part of; or NULL */
};
int api_object_from_tree(struct api_resource *r, const struct tree *t, struct arena *a, struct api_object *ret, struct err *e);
int api_object_to_tree(const struct api_object *o, struct arena *a, struct tree *ret, struct err *e);
/* A stored version, as r (which may be another view of what is stored). */
int api_object_from_stored(struct api_resource *r, const struct store_object *s, struct arena *a, struct api_object *ret, struct err *e);
int api_object_copy(const struct api_object *o, struct arena *a, struct api_object *ret, struct err *e);
/* The canonical bytes: what is stored. */
int api_object_encode(const struct api_object *o, struct arena *a, struct slice *ret, struct err *e);
/* Where the key "metadata" stands and where resourceVersion is put. */
int api_splice_points(struct slice value, uint32_t *meta_at, uint32_t *rv_at);
void api_splice(struct buf *out, struct slice value, uint32_t rv_at, int64_t revision);
/* The stored bytes in another resource's view (events.k8s.io, autoscaling/v1); in the arena. */
int api_view(const struct api_resource *r, struct slice stored, struct arena *a, struct slice *ret, struct err *e);
/* base (or NULL): the stored object that obj replaces. */
int api_convert(const struct api_resource *from, const void *obj, const struct api_resource *to, const void *base, struct arena *a, struct api_head **ret,
	struct err *e);

/* --- media.c ------------------------------------------------------------------------ */
/* Chooses q->media from Accept; can_table: shapes are offered. */
int api_negotiate(struct api_req *q, bool shapes);
int api_read_body_wait(struct api_req *q);
/* The body as a struct of t; kind and apiVersion, where they are said, must be these (NULL: any version); with fieldValidation. */
int api_decode(struct api_req *q, struct schema_ref t, const char *api_version, const char *kind, void *obj);
int api_decode_object(struct api_req *q, struct api_object *ret);
/* Any message (never a table). */
int api_reply_struct(struct api_req *q, int status, struct schema_ref t, const void *obj);
/* One object, in the shape and format asked for. */
int api_reply_value(struct api_req *q, int status, struct slice value, int64_t revision);
int api_reply_object(struct api_req *q, int status, const struct store_object *o);
struct api_version;
int api_reply_version(struct api_req *q, int status, const struct api_version *v);
const char *api_content_type(const struct api_media *m, bool watch);
/* Turns JSON of an object or list into the format: appended. */
int api_transcode(const struct api_media *m, const struct api_resource *r, struct schema_ref t, struct slice json, struct arena *a, struct buf *out, struct err *e);
/* Body out, compressed where that is worth it. */
int api_reply_bytes(struct api_req *q, int status, const char *type, struct slice body);

/* --- table.c ---------------------------------------------------------------------------- */
struct api_item { struct slice value; int64_t revision; uint32_t meta_at, rv_at; };
/* A Table document of these objects; columns: with definitions. */
int api_table(struct api_req *q, const struct api_item *items, size_t n, const struct kube_list_meta *meta, bool columns, struct buf *out, struct err *e);
int api_partial(struct api_req *q, const struct api_item *item, struct buf *out, struct err *e);

/* --- selector.c ---------------------------------------------------------------------------- */
struct api_field_term { const char *key, *value; bool is_not; };
struct api_selector {
	struct selector labels;
	struct api_field_term *fields; size_t n_fields;
};
int api_selector_parse(struct api_req *q, const char *labels, const char *fields, struct api_selector *ret);
bool api_selector_matches(const struct api_selector *s, const struct api_entry *x);
bool api_selector_empty(const struct api_selector *s);
/* What objects of a resource can be selected by, besides name and namespace. */
bool api_has_field(const struct api_resource *r, const char *field);

/* --- verbs ------------------------------------------------------------------------------------ */
int api_get_wait(struct api_req *q);
int api_list_wait(struct api_req *q);
int api_watch_wait(struct api_req *q);
int api_create_wait(struct api_req *q);
int api_update_wait(struct api_req *q);
int api_patch_wait(struct api_req *q);
int api_delete_wait(struct api_req *q);
int api_delete_collection_wait(struct api_req *q);
/* Subresources that are no view of the object itself. */
int api_subresource_wait(struct api_req *q);
unsigned api_n_subresources(const struct api_resource *r);
struct kube_subresource api_subresource_at(const struct api_resource *r, unsigned i);
int api_bindings_wait(struct api_req *q);
int api_stream_wait(struct api_req *q);       /* proxy.c */
/* q->body as a patch of doc, by its content type; apply counts as merge. */
int api_patch_tree(struct api_req *q, struct schema_ref t, const struct tree *doc, struct tree *ret);
int api_apply_wait(struct api_req *q);

/* Through which door a write comes; as enum kind_write. */
enum api_what { API_SPEC, API_STATUS, API_EPHEMERAL, API_RESIZE, API_APPROVAL, API_FINALIZE };
enum api_what api_what_of(const struct api_req *q);
/*
 * One change of one stored object: change() makes *now from *old (a copy that it
 * may edit) and may be called again after a conflict. *ret is the new version.
 */
struct api_change {
	int (*make)(struct api_req *q, void *arg, const struct api_object *old, struct api_object *now);
	void *arg;
	enum api_what what;
	bool as_is;                       /* no admission, defaults or validation: what the server itself changes */
	const char *operation;            /* for managedFields: "Update" (NULL), "Apply" */
	int64_t if_revision;              /* 0: whatever is there, tried again on conflict */
};
/* A stored version, or (dry run) what would be stored: then o is NULL and the value is the request's arena's. */
struct api_version { struct store_object *o; struct slice value; int64_t revision; };
static inline void auto_api_version(struct api_version *v) { store_object_unref(v->o); }
int api_change_wait(struct api_req *q, struct api_resource *r, const char *ns, const char *name, const struct api_change *c, struct api_version *ret);
/* Stores a new object; *ret is it. Checks, defaults, admission, validation as for any client. */
int api_insert_wait(struct api_req *q, struct api_object *o, struct api_version *ret);
/* Waits until the cache is as new as `revision`; 0: as the store is now. */
int api_fresh_wait(struct api_req *q, int64_t revision);
int api_parse_rv(struct api_req *q, const char *text, int64_t *ret);
/* The newest version; refuses with NotFound. */
int api_current_wait(struct api_req *q, const struct api_resource *r, const char *ns, const char *name, struct store_object **ret);
int api_remove_wait(struct api_req *q, struct api_resource *r, const char *ns, const char *name, const struct kube_delete_options *o,
	struct api_version *ret, bool *gone);

/* --- strategy.c: what is particular to a kind ---------------------------------------------------- */
int api_default(struct api_req *q, struct api_object *o);
int api_prepare_create(struct api_req *q, struct api_object *o);
int api_prepare_update(struct api_req *q, const struct api_object *old, struct api_object *o, enum api_what what);
int api_validate(struct api_req *q, const struct api_object *old, struct api_object *o, enum api_what what);
struct api_scale_paths { const char *replicas, *status_replicas, *selector; };
struct api_scale_paths api_custom_scale_paths(const struct api_resource *r);
/* Their number; *ret (may be NULL) is number `at`. */
unsigned api_custom_subresources(const struct api_resource *r, struct kube_subresource *ret, unsigned at);
int api_custom_view(const struct api_resource *r, struct slice stored, struct arena *a, struct slice *ret, struct err *e);
bool api_custom_field(const struct api_resource *r, const char *field);
/* Selectable fields of one object; keys live as long as the resource. */
int api_custom_fields(const struct api_resource *r, struct slice value, struct arena *a, struct schema_pair *ret, unsigned most, unsigned *n);
struct schema_node api_custom_node(const struct api_resource *r);
/* Unknown fields of a tree that is to become a custom resource, and the duplicate ones found in its text (may be NULL): refused or warned of, by q->fields. */
int api_custom_check(struct api_req *q, const struct tree *t, const struct buf *duplicates);
int api_custom_default(struct api_req *q, struct api_object *o);
int api_custom_validate(struct api_req *q, const struct api_object *old, struct api_object *o);
/* --- admission.c: what the server adds to or refuses of a write; old NULL: a create. */
int api_admit_wait(struct api_req *q, const struct api_object *old, struct api_object *o);
/* NodeRestriction: a node deletes its own. */
int api_admit_delete(struct api_req *q, const struct api_object *old);
/* A stored object is gone; may suspend. */
void api_released(struct api_req *q, struct api_resource *r, const struct store_object *was);
/* managed.c: books who changed which fields. */
int api_track(struct api_req *q, const struct api_object *old, struct api_object *o, const char *operation);
/* review.c: resources that are questions, not stored. */
int api_review_wait(struct api_req *q);
/* Spec changed between the two (all but metadata and status). */
bool api_spec_differs(const struct api_object *a, const struct api_object *b, struct arena *arena);

/* --- the rest --------------------------------------------------------------------------------------- */
int api_discovery(struct api_req *q, bool *mine);
int api_openapi_wait(struct api_req *q, bool *mine);
int api_health(struct api_req *q, bool *mine);
/* bootstrap.c: requests of the server itself */
int api_own_req(struct kube_api *a, struct arena *arena, const char *group, const char *version, const char *plural, const char *ns, struct api_req *q);
int api_own_error(const struct api_req *q, int r, struct err *e);
int api_ensure_wait(struct kube_api *a, const char *group, const char *version, const char *plural, const char *ns, void *obj, struct err *e);
int api_bootstrap_wait(struct kube_api *a, struct err *e);
/* A fiber that makes it again when somebody deletes it. */
int api_keeper_start(struct kube_api *a, struct err *e);
/* Removes events of an hour ago; does something once a minute. */
void api_expire_wait(struct kube_api *a);
/* pipeline.c */
int api_handle_wait(struct http_request *r, struct err *e);
int api_authorize(struct api_req *q, const struct kube_attributes *at);
bool api_param_is(const char *value);     /* Go's strconv.ParseBool, roughly: "1", "t", "true" … */
extern const char *const api_methods[API_METHODS];
int64_t api_now_ns(struct api_req *q);
const char *api_time_text(struct api_req *q, int64_t ns);
void api_write_error(struct http_request *r, int status, const struct err *e);
struct front { struct front *next; struct kube_api *api; const struct kube_user *user; struct http_server *server; };
