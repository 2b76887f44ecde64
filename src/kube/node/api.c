/* SPDX-License-Identifier: Apache-2.0 */
/* The seam to the API server filled with kube/client; tokens are kept until four fifths of their life are over. */
#include "kube/node/api.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "kube/meta/object.h"

enum { TOKENS_MAX = 2000 };

struct token {
	char *token, *expires;
	int64_t renew_ns;
};
struct client_api {
	struct node_api api;
	struct kclient *c;
	struct informer *services;
	struct kevents *events;
	const char *node_name;
	struct objects *objects;
	const struct kube_resource *pods, *accounts;
	struct map tokens;            /* "uid/ns/account/audience/seconds" → struct token */
};

static struct client_api *of(struct node_api *api)
{
	return container_of(api, struct client_api, api);
}

static int get_wait(struct node_api *api, const struct kube_resource *r, const char *ns, const char *name, struct arena *a, void *ret, struct err *e)
{
	struct client_api *x = of(api);

	if (ns && (!strcmp(r->plural, "configmaps") || !strcmp(r->plural, "secrets")))
		return objects_get_wait(x->objects, r, ns, name, a, ret, e);
	return kclient_get_wait(x->c, r, ns, name, a, ret, e);
}

static int patch_status_wait(struct node_api *api, const struct kube_pod *pod, struct slice body, struct err *e)
{
	struct arena a;

	arena_init(&a, POD_ARENA_MAX);
	int r = kclient_patch_wait(of(api)->c, of(api)->pods, pod->metadata.namespace, pod->metadata.name, "status", KPATCH_MERGE, body, &a, NULL, e);
	arena_release(&a);
	return r;
}

static int delete_wait(struct node_api *api, const struct kube_pod *pod, struct err *e)
{
	int64_t none = 0;
	struct kube_preconditions p = { .uid = pod->metadata.uid };
	struct kube_delete_options o = { .grace_period_seconds = &none, .preconditions = &p };

	return kclient_delete_wait(of(api)->c, of(api)->pods, pod->metadata.namespace, pod->metadata.name, &o, e);
}

static void token_free(struct token *t)
{
	if (!t)
		return;
	free(t->token);
	free(t->expires);
	free(t);
}

static void forget_old(struct client_api *x, int64_t now)
{
	size_t pos = 0;
	struct map_entry *m;

	while ((m = map_next(&x->tokens, &pos))) {
		struct token *t = m->value;
		if (t->renew_ns < now) {
			map_del(&x->tokens, slice_n(m->key, m->key_len));
			token_free(t);
		}
	}
}

static int keep(struct client_api *x, const char *key, const struct kube_token_request *got, int64_t now)
{
	int64_t expires;
	void *old = NULL;

	if (!got->status.token || clock_parse_rfc3339(slice_of(got->status.expiration_timestamp ? got->status.expiration_timestamp : ""), &expires) < 0)
		return 0;
	forget_old(x, now);
	struct token *t = x->tokens.n < TOKENS_MAX ? calloc(1, sizeof *t) : NULL;
	if (!t)
		return 0;
	t->token = slice_dup(slice_of(got->status.token));
	t->expires = slice_dup(slice_of(got->status.expiration_timestamp));
	t->renew_ns = now + MIN((expires - now) / 5 * 4, 24 * 3600 * NS_PER_S);
	if (!t->token || !t->expires || map_set(&x->tokens, slice_of(key), t, &old) < 0) {
		token_free(t);
		return -ENOMEM;
	}
	token_free(old);
	return 0;
}

static int token_wait(struct node_api *api, const char *ns, const char *account, const struct kube_token_request *q, struct arena *a,
	struct kube_token_request *ret, struct err *e)
{
	struct client_api *x = of(api);
	const char *key = arena_fmt(a, "%s/%s/%s/%s/%lld", q->spec.bound_object_ref ? q->spec.bound_object_ref->uid : "", ns, account,
		q->spec.n_audiences ? q->spec.audiences[0] : "", (long long)(q->spec.expiration_seconds ? *q->spec.expiration_seconds : 0));
	struct token *t = key ? map_gets(&x->tokens, key) : NULL;
	int64_t now = loop_realtime_ns(kclient_loop(x->c));

	if (!key)
		return err_nomem(e);
	if (t && t->renew_ns > now) {
		*ret = *q;
		ret->status = (struct kube_token_request_status){ .token = arena_strdup(a, t->token), .expiration_timestamp = arena_strdup(a, t->expires) };
		return ret->status.token ? 0 : err_nomem(e);
	}
	int r = kclient_create_sub_wait(x->c, x->accounts, ns, account, "token", q, a, ret, e);
	return r < 0 ? r : keep(x, key, ret, now);
}

struct each { int (*fn)(void *arg, const struct kube_service *s); void *arg; };

static int one_service(void *arg, struct kobject *o)
{
	struct each *x = arg;
	return x->fn(x->arg, o->obj);
}

static int each_service(struct node_api *api, const char *ns, int (*fn)(void *arg, const struct kube_service *s), void *arg)
{
	struct each x = { fn, arg };
	return informer_each(of(api)->services, ns, one_service, &x);
}

static void event(struct node_api *api, const struct kube_pod *pod, const char *field_path, const char *type, const char *reason, const char *text)
{
	struct client_api *x = of(api);
	if (!pod) {
		struct kube_object_meta m = { .name = x->node_name, .uid = x->node_name };
		kevents_add(x->events, kube_resource_find("", "v1", "nodes"), &m, NULL, type, reason, "%s", text);
		return;
	}
	kevents_add(of(api)->events, of(api)->pods, &pod->metadata, field_path, type, reason, "%s", text);
}

int node_api_new(struct kclient *c, const char *node_name, struct node_api **ret, struct err *e)
{
	struct client_api *x = calloc(1, sizeof *x);

	if (!x)
		return err_nomem(e);
	x->c = c;
	x->node_name = node_name;
	x->pods = kube_resource_find("", "v1", "pods");
	x->accounts = kube_resource_find("", "v1", "serviceaccounts");
	map_init(&x->tokens);
	x->api = (struct node_api){ get_wait, patch_status_wait, delete_wait, token_wait, each_service, event };
	int r = informer_new(c, kube_resource_find("", "v1", "services"), NULL, NULL, NULL, &x->services, e);
	if (r >= 0)
		r = kevents_new(c, "kubelet", node_name, &x->events);
	if (r >= 0)
		r = objects_new(c, &x->objects);
	if (r < 0) {
		node_api_free(&x->api);
		return r;
	}
	*ret = &x->api;
	return 0;
}

void node_api_on_change(struct node_api *api, void (*changed)(void *arg, const char *plural, const char *ns, const char *name), void *arg)
{
	objects_on_change(of(api)->objects, changed, arg);
}

int node_api_synced_wait(struct node_api *api, int64_t timeout_ns)
{
	return informer_synced_wait(of(api)->services, timeout_ns);
}

void node_api_free(struct node_api *api)
{
	struct map_entry *m;
	size_t pos = 0;

	if (!api)
		return;
	struct client_api *x = of(api);
	while ((m = map_next(&x->tokens, &pos)))
		token_free(m->value);
	map_release(&x->tokens);
	objects_free(x->objects);
	if (x->services)
		informer_free(x->services);
	if (x->events)
		kevents_free(x->events);
	free(x);
}
