// SPDX-License-Identifier: Apache-2.0
/* Keeping what decisions need: informers of roles, bindings, accounts, pods and nodes, and the default roles. */
#include <errno.h>
#include "base/auto.h"
#include "base/log.h"
#include "kube/auth/auth_int.h"

#define RBAC "rbac.authorization.k8s.io"

/* --- events ---------------------------------------------------------------------------- */

/* Every role that collects others may have to change. */
static int queue_aggregation(void *arg, struct kobject *o)
{
	struct kube_auth *x = arg;
	if (((const struct kube_cluster_role *)o->obj)->aggregation_rule)
		workqueue_add(x->aggregations, o->key);
	return 0;
}

static void on_role(struct informer_handler *h, struct kobject *old, struct kobject *now)
{
	struct auth_handler *a = container_of(h, struct auth_handler, h);
	struct kube_auth *x = a->x;
	if (!now)
		kube_rbac_remove(x->rbac, a->kind, kobject_meta(old)->namespace, kobject_meta(old)->name);
	else if (kube_rbac_put(x->rbac, a->kind, now->obj) < 0)
		log_error("a role is not in force for want of memory", "key=%s", now->key);
	if (a->kind == KUBE_CLUSTER_ROLE && x->aggregations)
		informer_each(x->roles[KUBE_CLUSTER_ROLE], NULL, queue_aggregation, x);
}

static void on_pod(struct informer_handler *h, struct kobject *old, struct kobject *now)
{
	struct kube_auth *x = container_of(h, struct auth_handler, h)->x;
	if (!now)
		kube_rbac_remove_pod(x->rbac, kobject_meta(old)->namespace, kobject_meta(old)->name);
	else if (kube_rbac_put_pod(x->rbac, now->obj) < 0)
		log_error("a pod is unknown to the node authoriser for want of memory", "key=%s", now->key);
}

static void on_request(struct informer_handler *h, struct kobject *old, struct kobject *now)
{
	struct kube_auth *x = container_of(h, struct auth_handler, h)->x;
	if (now && x->signings)
		workqueue_add(x->signings, now->key);
}

static void on_secret(struct informer_handler *h, struct kobject *old, struct kobject *now)
{
	struct kube_auth *x = container_of(h, struct auth_handler, h)->x;
	if (now && x->secret_tokens)
		workqueue_add(x->secret_tokens, now->key);
}

static int queue_secret(void *arg, struct kobject *o)
{
	workqueue_add(arg, o->key);
	return 0;
}

static void on_account(struct informer_handler *h, struct kobject *old, struct kobject *now)
{
	struct kube_auth *x = container_of(h, struct auth_handler, h)->x;
	if (x->secret_tokens && (!old || !now))
		informer_each(x->secrets, kobject_meta(now ? now : old)->namespace, queue_secret, x->secret_tokens);
}

/* --- who exists ------------------------------------------------------------------------- */

static const char *copy(struct arena *a, const char *s) { return s ? arena_strdup(a, s) : NULL; }

static int tell(const struct kube_resource *r, const void *obj, struct arena *a, struct kube_token_object *ret)
{
	ret->uid = copy(a, ((const struct kube_head *)obj)->metadata.uid);
	if (strcmp(r->plural, "pods") == 0) {
		ret->node_name = copy(a, ((const struct kube_pod *)obj)->spec.node_name);
		ret->service_account = copy(a, ((const struct kube_pod *)obj)->spec.service_account_name);
	}
	return ret->uid ? 0 : -ENOENT;
}

/* From the cache; what is not there may be new, so the server is asked before it is denied. */
static int find_wait(void *arg, const char *plural, const char *ns, const char *name, bool is_fresh, struct arena *a, struct kube_token_object *ret)
{
	struct kube_auth *x = arg;
	const struct kube_resource *r = kube_resource_find("", "v1", plural);
	struct informer *i = !strcmp(plural, "serviceaccounts") ? x->accounts : !strcmp(plural, "pods") ? x->pods : !strcmp(plural, "nodes") ? x->nodes : NULL;
	struct kobject *o = i ? informer_get(i, *ns ? ns : NULL, name) : NULL;
	struct err ignored;
	if (o && !is_fresh)
		return tell(r, o->obj, a, ret);
	if (!x->client)
		return -EAGAIN;
	AUTO(arena) struct arena own;
	arena_init(&own, 8 << 20);
	void *obj = arena_alloc(&own, schema_size(r->type));
	int rc = obj ? kclient_get_wait(x->client, r, *ns ? ns : NULL, name, &own, obj, &ignored) : -ENOMEM;
	return rc < 0 ? rc : tell(r, obj, a, ret);
}

static int secret_holds_wait(void *arg, const char *ns, const char *name, const char *token)
{
	struct kube_auth *x = arg;
	struct kobject *o = x->secrets ? informer_get(x->secrets, ns, name) : NULL;
	const struct kube_secret *s = o ? o->obj : NULL;
	for (uint32_t i = 0; s && i < s->n_data; i++)
		if (strcmp(s->data[i].key, "token") == 0)
			return slice_is(s->data[i].value, token);
	return 0;
}

/* --- the default roles --------------------------------------------------------------------- */

static struct informer *informer_of(struct kube_auth *x, const struct kube_resource *r)
{
	static const char *const plurals[KUBE_RBAC_KINDS] = { "roles", "clusterroles", "rolebindings", "clusterrolebindings" };
	for (unsigned k = 0; k < KUBE_RBAC_KINDS; k++)
		if (strcmp(plurals[k], r->plural) == 0)
			return x->roles[k];
	return NULL;
}

static int boot_get(void *arg, const struct kube_resource *r, const char *ns, const char *name, struct arena *a, void *ret, struct err *e)
{
	struct kobject *o = informer_get(informer_of(arg, r), ns, name);
	if (!o)
		return err_set(e, ENOENT, "%s \"%s\" not found", r->plural, name);
	return schema_copy(r->type, o->obj, a, ret) < 0 ? err_nomem(e) : 0;
}

static int boot_create_wait(void *arg, const struct kube_resource *r, const char *ns, const void *obj, struct arena *a, struct err *e)
{
	return kclient_create_wait(((struct kube_auth *)arg)->client, r, ns, obj, a, NULL, e);
}

static int boot_update_wait(void *arg, const struct kube_resource *r, const char *ns, const void *obj, struct arena *a, struct err *e)
{
	return kclient_update_wait(((struct kube_auth *)arg)->client, r, NULL, obj, a, NULL, e);
}

/* In force at once, not only when the watch tells. */
static int feed(void *arg, const struct kube_resource *r, const char *ns, const void *obj)
{
	struct kube_auth *x = arg;
	struct informer *i = informer_of(x, r);
	const char *name = ((const struct kube_head *)obj)->metadata.name;
	for (unsigned k = 0; k < KUBE_RBAC_KINDS; k++)
		if (x->roles[k] == i && !informer_get(i, ns, name) && kube_rbac_put(x->rbac, (enum kube_rbac_kind)k, obj) < 0)
			return -ENOMEM;
	return 0;
}

static int bootstrap_wait(struct kube_auth *x, struct err *e)
{
	AUTO(arena) struct arena a;
	const struct kube_bootstrap_store s = { boot_get, boot_create_wait, boot_update_wait, x };
	arena_init(&a, 8 << 20);
	int r = kube_bootstrap_wait(&s, e);
	return r == 0 && kube_bootstrap_each(&a, feed, x) < 0 ? err_nomem(e) : r;
}

/* --- starting and stopping ------------------------------------------------------------------- */

static struct informer *follow(struct kube_auth *x, struct informers *f, const char *group, const char *plural, struct auth_handler *h,
	void (*event)(struct informer_handler *, struct kobject *, struct kobject *))
{
	struct informer *i = informers_get(f, kube_resource_find(group, "v1", plural));
	if (!i || !h)
		return i;
	h->x = x;
	h->h.event = event;
	informer_add_handler(i, &h->h);
	return i;
}

static int queue(struct kube_auth *x, const char *name, int (*sync_wait)(void *, const char *, struct err *), struct workqueue **ret)
{
	const struct workqueue_config c = { .name = name, .workers = 2, .sync_wait = sync_wait, .arg = x };
	return workqueue_new(kclient_loop(x->client), &c, ret);
}

static int follow_all(struct kube_auth *x, struct err *e)
{
	static const char *const plurals[KUBE_RBAC_KINDS] = { "roles", "clusterroles", "rolebindings", "clusterrolebindings" };
	if (informers_new(x->client, &x->own) < 0)
		return err_nomem(e);
	for (unsigned k = 0; k < KUBE_RBAC_KINDS; k++) {
		x->role_handlers[k].kind = (enum kube_rbac_kind)k;
		if (!(x->roles[k] = follow(x, x->own, RBAC, plurals[k], &x->role_handlers[k], on_role)))
			return err_nomem(e);
	}
	x->accounts = follow(x, x->own, "", "serviceaccounts", &x->account_handler, on_account);
	x->requests = x->ca ? follow(x, x->own, "certificates.k8s.io", "certificatesigningrequests", &x->request_handler, on_request) : NULL;
	if (!x->accounts || (x->ca && !x->requests))
		return err_nomem(e);
	/* of all secrets only these: nobody else's are kept in memory for this */
	int r = informer_new(x->client, kube_resource_find("", "v1", "secrets"), NULL, NULL, "type=kubernetes.io/service-account-token", &x->secrets, e);
	if (r < 0)
		return r;
	x->secret_handler.x = x;
	x->secret_handler.h.event = on_secret;
	informer_add_handler(x->secrets, &x->secret_handler.h);
	return 0;
}

static int queue_role(void *arg, struct kobject *o) { return queue_aggregation(arg, o); }

int kube_auth_start_wait(struct kube_auth *x, const struct kube_auth_follow *f, struct err *e)
{
	const struct kube_token_lookup lookup = { find_wait, secret_holds_wait, x };
	x->client = f->client;
	x->ca = f->ca;
	kube_tokens_set_lookup(x->tokens, &lookup);
	int r = follow_all(x, e);
	for (unsigned k = 0; k < KUBE_RBAC_KINDS && r == 0; k++)
		r = informer_synced_wait(x->roles[k], -1);
	if (r == 0)
		r = bootstrap_wait(x, e);
	if (r == 0 && ((x->ca && queue(x, "csr-signing", auth_sign_wait, &x->signings) < 0) ||
		queue(x, "clusterrole-aggregation", auth_aggregate_wait, &x->aggregations) < 0 ||
		queue(x, "secret-tokens", auth_secret_token_wait, &x->secret_tokens) < 0))
		r = err_nomem(e);
	if (r < 0) {
		kube_auth_stop(x);
		return r;
	}
	/* what came before the queues were there */
	informer_each(x->roles[KUBE_CLUSTER_ROLE], NULL, queue_role, x);
	informer_each(x->secrets, NULL, queue_secret, x->secret_tokens);
	if (x->requests)
		informer_each(x->requests, NULL, queue_secret, x->signings);
	return 0;
}

int kube_auth_follow_pods(struct kube_auth *x, struct informers *shared, struct err *e)
{
	x->nodes = follow(x, shared, "", "nodes", NULL, NULL);
	x->pods = follow(x, shared, "", "pods", &x->pod_handler, on_pod);
	return x->nodes && x->pods ? 0 : err_nomem(e);
}

void kube_auth_leave_pods(struct kube_auth *x)
{
	if (x->pods)
		informer_remove_handler(&x->pod_handler.h);
	x->pods = x->nodes = NULL;
}

void kube_auth_stop(struct kube_auth *x)
{
	static const struct kube_token_lookup none;
	workqueue_free(x->aggregations);
	workqueue_free(x->signings);
	workqueue_free(x->secret_tokens);
	x->aggregations = x->signings = x->secret_tokens = NULL;
	kube_auth_leave_pods(x);
	x->accounts = x->requests = NULL;
	if (x->secrets)
		informer_free(x->secrets);
	x->secrets = NULL;
	informers_free(x->own);
	x->own = NULL;
	memset(x->roles, 0, sizeof x->roles);
	kube_tokens_set_lookup(x->tokens, &none);
	x->client = NULL;
}
