/* SPDX-License-Identifier: Apache-2.0 */
#include "main/server_auth.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "kube/api/api.h"
#include "kube/auth/auth.h"
#include "kube/client/client.h"
#include "kube/meta/object.h"

enum { FOLLOWED = 7 };
struct follow { struct informer_handler handler; struct server_auth *x; unsigned row; };
struct server_auth {
	struct kube_api_door door;
	struct kclient *client;
	struct informers *informers;
	struct kube_auth *auth;
	struct follow follow[FOLLOWED];
	struct kube_token_lookup lookup;
};

static const struct { const char *group, *plural; int kind; } rows[FOLLOWED] = {
	{ "rbac.authorization.k8s.io", "roles", KUBE_ROLE }, { "rbac.authorization.k8s.io", "clusterroles", KUBE_CLUSTER_ROLE },
	{ "rbac.authorization.k8s.io", "rolebindings", KUBE_ROLE_BINDING }, { "rbac.authorization.k8s.io", "clusterrolebindings", KUBE_CLUSTER_ROLE_BINDING },
	{ "", "pods", -1 }, { "", "serviceaccounts", -2 }, { "", "nodes", -2 },
};

static void event(struct informer_handler *h, struct kobject *old, struct kobject *now)
{
	struct follow *f = container_of(h, struct follow, handler);
	struct kube_rbac *rbac = kube_auth_rbac(f->x->auth);
	const struct kube_object_meta *m = kobject_meta(now ? now : old);
	const char *ns = m->namespace ? m->namespace : "";
	int kind = rows[f->row].kind, r = 0;
	if (kind >= 0 && now)
		r = kube_rbac_put(rbac, (enum kube_rbac_kind)kind, now->obj);
	else if (kind >= 0)
		kube_rbac_remove(rbac, (enum kube_rbac_kind)kind, ns, m->name);
	else if (kind == -1 && now)
		r = kube_rbac_put_pod(rbac, now->obj);
	else if (kind == -1)
		kube_rbac_remove_pod(rbac, ns, m->name);
	if (r < 0)
		log_error("authorisation could not take an object", "resource=%s name=%s", rows[f->row].plural, m->name);
}

/* --- who exists: the cache, and for what it has not yet the API server */

static int find_wait(void *arg, const char *plural, const char *ns, const char *name, struct arena *a, struct kube_token_object *ret)
{
	struct server_auth *x = arg;
	const struct kube_resource *r = kube_resource_find("", "v1", plural);
	if (!r)
		return -EINVAL;
	struct informer *i = strcmp(plural, "secrets") ? informers_get(x->informers, r) : NULL;
	struct kobject *o = i ? informer_get(i, ns, name) : NULL;
	const void *obj = o ? o->obj : NULL;
	if (!o) {
		struct err e = { 0 };
		void *copy = arena_alloc(a, schema_size(r->type));
		int x2 = copy ? kclient_get_wait(x->client, r, ns, name, a, copy, &e) : -ENOMEM;
		if (x2 < 0)
			return x2;
		obj = copy;
	}
	const struct kube_object_meta *m = &((const struct kube_head *)obj)->metadata;
	*ret = (struct kube_token_object){ .uid = arena_strdup(a, m->uid) };
	if (!strcmp(plural, "pods")) {
		const struct kube_pod *p = obj;
		ret->node_name = arena_strdup(a, p->spec.node_name);
		ret->service_account = arena_strdup(a, p->spec.service_account_name);
	}
	return 0;
}

static int secret_holds_wait(void *arg, const char *ns, const char *name, const char *token)
{
	struct server_auth *x = arg;
	AUTO(arena) struct arena a;
	struct kube_secret s;
	struct err e = { 0 };
	arena_init(&a, 16 << 20);
	int r = kclient_get_wait(x->client, kube_resource_find("", "v1", "secrets"), ns, name, &a, &s, &e);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (!s.type || strcmp(s.type, "kubernetes.io/service-account-token"))
		return 0;
	for (uint32_t i = 0; i < s.n_data; i++)
		if (!strcmp(s.data[i].key, "token"))
			return slice_is(s.data[i].value, token);
	return 0;
}

/* --- default roles */

static int boot_get_wait(void *arg, const struct kube_resource *r, const char *ns, const char *name, struct arena *a, void *ret, struct err *e)
{
	return kclient_get_wait(((struct server_auth *)arg)->client, r, ns, name, a, ret, e);
}

static int boot_create_wait(void *arg, const struct kube_resource *r, const char *ns, const void *obj, struct arena *a, struct err *e)
{
	return kclient_create_wait(((struct server_auth *)arg)->client, r, ns, obj, a, NULL, e);
}

static int boot_update_wait(void *arg, const struct kube_resource *r, const char *ns, const void *obj, struct arena *a, struct err *e)
{
	return kclient_update_wait(((struct server_auth *)arg)->client, r, NULL, obj, a, NULL, e);
}

static int follow_wait(struct server_auth *x, struct err *e)
{
	for (unsigned i = 0; i < FOLLOWED; i++) {
		struct informer *in = informers_get(x->informers, kube_resource_find(rows[i].group, "v1", rows[i].plural));
		if (!in)
			return err_nomem(e);
		x->follow[i] = (struct follow){ .handler.event = event, .x = x, .row = i };
		informer_add_handler(in, &x->follow[i].handler);
	}
	int r = informers_synced_wait(x->informers, 30 * NS_PER_S);
	return r < 0 ? err_sys(e, r, "reading roles and bindings") : 0;
}

int server_auth_start_wait(struct loop *l, struct kube_api *api, struct kube_auth *auth, struct server_auth **ret, struct err *e)
{
	static const char *const groups[] = { "system:masters", "system:authenticated" };
	struct server_auth *x = calloc(1, sizeof *x);
	if (!x)
		return err_nomem(e);
	x->auth = auth;
	x->door = (struct kube_api_door){ api, { .name = "system:apiserver", .groups = groups, .n_groups = ARRAY_LEN(groups) } };
	const struct kclient_config c = { .connect_wait = kube_api_door_wait, .connect_arg = &x->door, .user_agent = "coracle" };
	int r = kclient_new(l, &c, &x->client, e);
	const struct kube_bootstrap_store s = { boot_get_wait, boot_create_wait, boot_update_wait, x };
	if (r == 0)
		r = kube_bootstrap_wait(&s, e);
	if (r == 0 && (r = informers_new(x->client, &x->informers)) < 0)
		err_nomem(e);
	if (r == 0)
		r = follow_wait(x, e);
	if (r < 0) {
		server_auth_stop(x);
		return r;
	}
	x->lookup = (struct kube_token_lookup){ find_wait, secret_holds_wait, x };
	kube_tokens_set_lookup(kube_auth_tokens(auth), &x->lookup);
	*ret = x;
	return 0;
}

void server_auth_stop(struct server_auth *x)
{
	static const struct kube_token_lookup none;
	if (!x)
		return;
	kube_tokens_set_lookup(kube_auth_tokens(x->auth), &none);
	for (unsigned i = 0; i < FOLLOWED; i++)
		if (x->follow[i].x)
			informer_remove_handler(&x->follow[i].handler);
	informers_free(x->informers);
	kclient_free(x->client);
	free(x);
}
