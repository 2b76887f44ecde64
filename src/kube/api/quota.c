/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A quota's keys: "pods", "services", "count/deployments.apps" are numbers of
 * objects; "requests.cpu", "limits.memory" sums over pods that have not ended;
 * "requests.storage" over claims; "services.nodeports" over services.
 */
#include "kube/api/quota.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "kube/api/admit.h"
#include "schema/quantity.h"

struct api_quotas {
	struct fmutex creating;
	struct fiber *fiber;
	bool stop;
	uint64_t counted;               /* what all caches had seen when status was last brought up to date */
};

/* --- sums by key */

struct sums { struct arena *a; const struct kube_quantity_entry *keys; uint32_t n; struct quantity *v; };

static int sums_init(struct sums *s, struct arena *a, const struct kube_resource_quota *q)
{
	*s = (struct sums){ a, q->spec.hard, q->spec.n_hard, arena_array(a, q->spec.n_hard, sizeof *s->v) };
	return s->v ? 0 : -ENOMEM;
}

static void add(struct sums *s, const char *key, const char *value)
{
	struct quantity x = { 0 };
	for (uint32_t i = 0; i < s->n; i++)
		if (!strcmp(s->keys[i].key, key) && quantity_parse(slice_of(value), &x, NULL) == 0)
			quantity_add(&s->v[i], &x);
}

static void add_int(struct sums *s, const char *key, int64_t n)
{
	char text[24];
	fmt_into(text, sizeof text, "%lld", (long long)n);
	add(s, key, text);
}

/* Requests and limits of one list, under the names that quotas have for them. */
static void add_resources(struct sums *s, const struct kube_quantity_entry *v, uint32_t n, const char *prefix)
{
	for (uint32_t i = 0; i < n; i++) {
		char key[300];
		if (fmt_into(key, sizeof key, "%s.%s", prefix, v[i].key))
			add(s, key, v[i].value);
		/* "cpu" is "requests.cpu" */
		if (!strcmp(prefix, "requests"))
			add(s, v[i].key, v[i].value);
	}
}

static bool is_phase(const struct kube_pod *p, const char *phase) { return p->status.phase && !strcmp(p->status.phase, phase); }

static void count_pod(struct sums *s, const struct kube_pod *p)
{
	if (is_phase(p, "Succeeded") || is_phase(p, "Failed"))
		return;
	add_int(s, "pods", 1);
	for (uint32_t i = 0; i < p->spec.n_containers; i++) {
		const struct kube_resource_requirements *r = &p->spec.containers[i].resources;
		add_resources(s, r->requests, r->n_requests, "requests");
		add_resources(s, r->limits, r->n_limits, "limits");
	}
	add_resources(s, p->spec.overhead, p->spec.n_overhead, "requests");
}

static void count_service(struct sums *s, const struct kube_service *x)
{
	bool balanced = x->spec.type && !strcmp(x->spec.type, "LoadBalancer"), node = x->spec.type && !strcmp(x->spec.type, "NodePort");
	add_int(s, "services", 1);
	if (balanced)
		add_int(s, "services.loadbalancers", 1);
	if (node || (balanced && (!x->spec.allocate_load_balancer_node_ports || *x->spec.allocate_load_balancer_node_ports)))
		add_int(s, "services.nodeports", x->spec.n_ports);
}

static void count_claim(struct sums *s, const struct kube_persistent_volume_claim *c)
{
	const char *class = c->spec.storage_class_name;
	char key[400];
	add_int(s, "persistentvolumeclaims", 1);
	if (class && fmt_into(key, sizeof key, "%s.storageclass.storage.k8s.io/persistentvolumeclaims", class))
		add_int(s, key, 1);
	for (uint32_t i = 0; i < c->spec.resources.n_requests; i++) {
		const struct kube_quantity_entry *r = &c->spec.resources.requests[i];
		if (strcmp(r->key, "storage"))
			continue;
		add(s, "requests.storage", r->value);
		if (class && fmt_into(key, sizeof key, "%s.storageclass.storage.k8s.io/requests.storage", class))
			add(s, key, r->value);
	}
}

static bool is_counted_by_name(const char *text)
{
	static const char *const names[] = { "configmaps", "secrets", "replicationcontrollers", "resourcequotas" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(names[i], text))
			return true;
	return false;
}

static void count(struct sums *s, const struct api_object *o)
{
	char key[400];
	const char *text = o->res->stored->text;
	if (fmt_into(key, sizeof key, "count/%s", text))
		add_int(s, key, 1);
	if (o->res->custom)
		return;
	if (!strcmp(text, "pods"))
		count_pod(s, (const struct kube_pod *)o->head);
	else if (!strcmp(text, "services"))
		count_service(s, (const struct kube_service *)o->head);
	else if (!strcmp(text, "persistentvolumeclaims"))
		count_claim(s, (const struct kube_persistent_volume_claim *)o->head);
	else if (is_counted_by_name(text))
		add_int(s, text, 1);
}

/* --- scopes: which pods a quota looks at */

static bool is_best_effort(const struct kube_pod *p) { return p->status.qos_class && !strcmp(p->status.qos_class, "BestEffort"); }

static bool in_list(const char **v, uint32_t n, const char *s)
{
	for (uint32_t i = 0; i < n; i++)
		if (!strcmp(v[i], s))
			return true;
	return false;
}

static bool in_scope(const struct kube_pod *p, const char *scope, const char *op, const char **values, uint32_t n)
{
	const char *class = p->spec.priority_class_name;
	bool has = class && *class;
	if (!strcmp(scope, "BestEffort"))
		return is_best_effort(p);
	if (!strcmp(scope, "NotBestEffort"))
		return !is_best_effort(p);
	if (!strcmp(scope, "Terminating"))
		return p->spec.active_deadline_seconds;
	if (!strcmp(scope, "NotTerminating"))
		return !p->spec.active_deadline_seconds;
	if (strcmp(scope, "PriorityClass"))
		return true;
	if (!strcmp(op, "Exists"))
		return has;
	if (!strcmp(op, "DoesNotExist"))
		return !has;
	return (has && in_list(values, n, class)) == !strcmp(op, "In");
}

static bool concerns(const struct kube_resource_quota *q, const struct api_object *o)
{
	bool scoped = q->spec.n_scopes || (q->spec.scope_selector && q->spec.scope_selector->n_match_expressions);
	if (!scoped)
		return true;
	if (o->res->custom || strcmp(o->res->text, "pods"))
		return false;
	const struct kube_pod *p = (const struct kube_pod *)o->head;
	for (uint32_t i = 0; i < q->spec.n_scopes; i++)
		if (!in_scope(p, q->spec.scopes[i], "Exists", NULL, 0))
			return false;
	for (uint32_t i = 0; q->spec.scope_selector && i < q->spec.scope_selector->n_match_expressions; i++) {
		const struct kube_scoped_resource_selector_requirement *r = &q->spec.scope_selector->match_expressions[i];
		if (!in_scope(p, r->scope_name, r->operator, r->values, r->n_values))
			return false;
	}
	return true;
}

/* --- all that is there */

/* The resource whose objects a key counts; NULL when it is none that is served. */
static struct api_resource *resource_of_key(const struct kube_api *a, const char *key)
{
	const char *text = !strncmp(key, "count/", 6) ? key + 6 : !strncmp(key, "services", 8) ? "services" :
		strstr(key, "storage") || !strcmp(key, "persistentvolumeclaims") ? "persistentvolumeclaims" : is_counted_by_name(key) ? key : "pods";
	if (!strcmp(key, "requests.ephemeral-storage") || !strcmp(key, "limits.ephemeral-storage") || !strcmp(key, "ephemeral-storage"))
		text = "pods";
	for (size_t i = 0; i < a->resources.n; i++)
		if (!strcmp(a->resources.v[i]->text, text) && a->resources.v[i]->cache)
			return a->resources.v[i];
	return NULL;
}

static int count_all(struct api_req *q, const struct kube_resource_quota *quota, struct sums *s)
{
	const char *ns = quota->metadata.namespace;
	for (uint32_t k = 0; k < quota->spec.n_hard; k++) {
		struct api_resource *r = resource_of_key(q->api, quota->spec.hard[k].key);
		struct sums one = *s;
		size_t from, to;
		if (!r)
			continue;
		one.keys = &s->keys[k];
		one.v = &s->v[k];
		one.n = 1;
		api_cache_range(r->cache, ns, &from, &to);
		for (size_t i = from; i < to; i++) {
			struct api_object o;
			if (api_object_from_stored(r, r->cache->items.v[i]->o, q->arena, &o, NULL) == 0 && concerns(quota, &o))
				count(&one, &o);
		}
	}
	return 0;
}

/* --- a create */

static void add_text(struct buf *b, const char *key, const struct quantity *v)
{
	char text[QUANTITY_TEXT_MAX];
	quantity_format(text, v);
	buf_addf(b, "%s%s=%s", b->len ? "," : "", key, text);
}

/* Containers must say what a quota counts. */
static int check_said(struct api_req *q, const struct kube_resource_quota *quota, const struct api_object *o)
{
	static const struct { const char *key, *resource; bool is_limit; } rows[] = { { "limits.cpu", "cpu", true }, { "limits.memory", "memory", true },
		{ "requests.cpu", "cpu", false }, { "cpu", "cpu", false }, { "requests.memory", "memory", false }, { "memory", "memory", false } };
	AUTO(buf) struct buf b = BUF_INIT(16384);
	if (o->res->custom || strcmp(o->res->text, "pods"))
		return 0;
	const struct kube_pod *p = (const struct kube_pod *)o->head;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool counted = false, first = true;
		for (uint32_t k = 0; k < quota->spec.n_hard; k++)
			counted |= !strcmp(quota->spec.hard[k].key, rows[i].key);
		for (uint32_t c = 0; counted && c < p->spec.n_containers; c++) {
			const struct kube_resource_requirements *r = &p->spec.containers[c].resources;
			const struct kube_quantity_entry *v = rows[i].is_limit ? r->limits : r->requests;
			bool said = false;
			for (uint32_t k = 0; k < (rows[i].is_limit ? r->n_limits : r->n_requests); k++)
				said |= !strcmp(v[k].key, rows[i].resource);
			if (said)
				continue;
			buf_addf(&b, "%s%s%s", first ? b.len ? "; " : "" : ",", first ? arena_fmt(q->arena, "%s for: ", rows[i].key) : "", p->spec.containers[c].name);
			first = false;
		}
	}
	return b.len ? api_forbidden(q, o->res, o->head->metadata.name, arena_fmt(q->arena, "failed quota: %s: must specify %s", quota->metadata.name, b.ptr)) : 0;
}

static int check(struct api_req *q, const struct kube_resource_quota *quota, const struct api_object *o)
{
	struct sums used, more;
	AUTO(buf) struct buf asked = BUF_INIT(16384);
	AUTO(buf) struct buf have = BUF_INIT(16384);
	AUTO(buf) struct buf most = BUF_INIT(16384);
	if (sums_init(&used, q->arena, quota) < 0 || sums_init(&more, q->arena, quota) < 0)
		return -ENOMEM;
	count(&more, o);
	bool any = false;
	for (uint32_t i = 0; i < more.n; i++)
		any |= more.v[i].nano > 0;
	int x = any ? check_said(q, quota, o) : 0;
	if (x < 0 || !any)
		return x;
	count_all(q, quota, &used);
	for (uint32_t i = 0; i < used.n; i++) {
		struct quantity hard = { 0 }, sum = used.v[i];
		(void)quantity_parse(slice_of(quota->spec.hard[i].value), &hard, NULL);
		quantity_add(&sum, &more.v[i]);
		if (more.v[i].nano <= 0 || quantity_cmp(&sum, &hard) <= 0)
			continue;
		add_text(&asked, quota->spec.hard[i].key, &more.v[i]);
		add_text(&have, quota->spec.hard[i].key, &used.v[i]);
		add_text(&most, quota->spec.hard[i].key, &hard);
	}
	return asked.len ? api_forbidden(q, o->res, o->head->metadata.name, arena_fmt(q->arena, "exceeded quota: %s, requested: %s, used: %s, limited: %s",
		quota->metadata.name, asked.ptr, have.ptr, most.ptr)) : 0;
}

struct checking { struct api_req *q; const struct api_object *o; };

static int check_one(void *arg, void *obj)
{
	struct checking *c = arg;
	return concerns(obj, c->o) ? check(c->q, obj, c->o) : 0;
}

int api_quota_wait(struct api_req *q, const struct api_object *o)
{
	struct api_cache *c = api_cache_of(q->api, "resourcequotas");
	size_t from, to;
	if (!o->res->row->namespaced || q->is_own || !q->api->quotas || !c)
		return 0;
	api_cache_range(c, o->head->metadata.namespace, &from, &to);
	if (from == to)
		return 0;
	int x = fmutex_lock_wait(&q->api->quotas->creating);
	if (x < 0)
		return x;
	struct checking s = { q, o };
	x = api_fresh_wait(q, 0);
	if (x == 0)
		x = api_cached_each(q, "", "v1", "resourcequotas", o->head->metadata.namespace, check_one, &s);
	if (x < 0 || q->dry_run) {
		fmutex_unlock(&q->api->quotas->creating);
		return x;
	}
	return 1;
}

void api_quota_done_wait(struct api_req *q, int64_t revision)
{
	(void)api_seen_wait(q->api, revision, NS_PER_S);
	fmutex_unlock(&q->api->quotas->creating);
}

/* --- status */

static int make_status(struct api_req *q, void *arg, const struct api_object *old, struct api_object *now)
{
	struct kube_resource_quota *x = (struct kube_resource_quota *)now->head;
	struct sums s;
	if (sums_init(&s, q->arena, x) < 0)
		return -ENOMEM;
	count_all(q, x, &s);
	x->status.hard = x->spec.hard;
	x->status.n_hard = x->spec.n_hard;
	x->status.used = arena_array(q->arena, x->spec.n_hard, sizeof *x->status.used);
	if (!x->status.used)
		return -ENOMEM;
	x->status.n_used = x->spec.n_hard;
	for (uint32_t i = 0; i < x->spec.n_hard; i++) {
		x->status.used[i] = (struct kube_quantity_entry){ x->spec.hard[i].key, quantity_text(q->arena, &s.v[i]) };
		if (!x->status.used[i].value)
			return -ENOMEM;
	}
	return 0;
}

static int update_one_wait(struct kube_api *a, const char *ns, const char *name)
{
	AUTO(arena) struct arena arena;
	AUTO(api_version) struct api_version v = { 0 };
	struct api_req q;
	arena_init(&arena, 256 << 20);
	int x = api_own_req(a, &arena, "", "v1", "resourcequotas", ns, &q);
	const struct api_change c = { .make = make_status, .what = API_STATUS, .as_is = true };
	return x < 0 ? x : api_change_wait(&q, q.res, ns, name, &c, &v);
}

static uint64_t seen_by_caches(const struct kube_api *a)
{
	uint64_t n = 0;
	size_t at = 0;
	for (struct map_entry *m; (m = map_next(&a->caches, &at));)
		if (strcmp(m->key, "leases.coordination.k8s.io") && strcmp(m->key, "events") && strcmp(m->key, "nodes"))
			n += ((struct api_cache *)m->value)->next;
	return n;
}

static void keep(void *arg)
{
	struct kube_api *a = arg;
	struct api_cache *c = api_cache_of(a, "resourcequotas");
	a->quotas->fiber = fiber_self();
	while (!a->quotas->stop) {
		uint64_t seen = seen_by_caches(a);
		for (size_t i = 0; seen != a->quotas->counted && i < c->items.n && !a->quotas->stop; i++) {
			struct api_entry *x = api_entry_ref(c->items.v[i]);
			update_one_wait(a, x->ns, x->name);
			api_entry_unref(x);
		}
		a->quotas->counted = seen;
		if (!a->quotas->stop && (c->items.n ? sleep_wait(NS_PER_S / 2) : waitq_wait(&c->changed, -1)) == -ECANCELED)
			break;
	}
	a->quotas->fiber = NULL;
}

int api_quotas_start(struct kube_api *a, struct err *e)
{
	a->quotas = calloc(1, sizeof *a->quotas);
	if (!a->quotas)
		return err_nomem(e);
	fmutex_init(&a->quotas->creating);
	int r = fiber_start(a->loop, "quotas", keep, a);
	return r < 0 ? err_sys(e, r, "keeping quotas") : 0;
}

void api_quotas_stop(struct kube_api *a)
{
	if (!a->quotas)
		return;
	a->quotas->stop = true;
	if (a->quotas->fiber)
		fiber_cancel(a->quotas->fiber);
}

bool api_quotas_is_idle(const struct kube_api *a) { return !a->quotas || !a->quotas->fiber; }
void api_quotas_free(struct kube_api *a)
{
	free(a->quotas);
	a->quotas = NULL;
}
