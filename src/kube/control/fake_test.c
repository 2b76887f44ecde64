// SPDX-License-Identifier: Apache-2.0
#include "kube/control/fake_int.h"

#include <errno.h>

#include "base/clock.h"
#include "base/num.h"
#include "http/server.h"
#include "io/sim.h"

struct entry {
	char *gvr, *ns, *name;                /* "apps/v1/deployments" */
	char *json;
	int64_t revision;
};
struct change {
	const char *type;
	char *gvr, *ns, *json;
	int64_t revision;
};

struct control_config fake_config;
static struct loop *l;
static struct http_server *server;
static struct kclient *client;
static struct arena arena;
static VEC(struct entry *) entries;
static VEC(struct change) changes;
static struct waitq changed;
static int64_t revision = 100;
static unsigned uids, writes;
static bool over;
static void (*test_fn)(void);
static const char *const *wanted;

/* --- objects */

static struct tree *meta_of(struct tree *o) { return tree_get_mut(o, SLICE("metadata")); }
static const char *text_at(const struct tree *o, const char *path)
{
	const struct tree *v = tree_path(o, path);

	return v && v->type == TREE_STRING ? arena_dup(&arena, tree_text(v)) : "";
}
static void set_text(struct tree *o, const char *key, const char *value) { CHECK(tree_set(&arena, o, slice_of(key), tree_string(slice_of(value)))); }
static void set_int(struct tree *o, const char *key, int64_t v)
{
	struct tree t;

	CHECK_INT(tree_int(&arena, v, &t), 0);
	CHECK(tree_set(&arena, o, slice_of(key), t));
}

static struct tree parse(struct slice json)
{
	struct tree t;
	struct err e;

	CHECK_OK(tree_from_json(slice_of(arena_dup(&arena, json)), 0, &arena, &t, &e), &e);
	return t;
}

static char *print(const struct tree *t)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 24);

	CHECK_INT(tree_to_json(t, 0, &b), 0);
	return arena_dup(&arena, buf_slice(&b));
}

static struct entry *find(const char *gvr, const char *ns, const char *name)
{
	for (size_t i = 0; i < entries.n; i++)
		if (!strcmp(entries.v[i]->gvr, gvr) && !strcmp(entries.v[i]->ns, ns) && !strcmp(entries.v[i]->name, name))
			return entries.v[i];
	return NULL;
}

static void announce(const char *type, struct entry *x)
{
	struct change c = { type, x->gvr, x->ns, x->json, x->revision };

	CHECK_INT(vec_push(&changes, c), 0);
	waitq_wake_all(&changed);
}

static void store(struct entry *x, struct tree *o, const char *type)
{
	x->revision = ++revision;
	set_text(meta_of(o), "resourceVersion", arena_fmt(&arena, "%lld", (long long)x->revision));
	x->json = print(o);
	announce(type, x);
}

static void take_away(struct entry *x, struct tree *o)
{
	for (size_t i = 0; i < entries.n; i++)
		if (entries.v[i] == x) {
			vec_remove(&entries, i);
			break;
		}
	store(x, o, "DELETED");
}

/* Merge patch (RFC 7396). */
static void merge(struct tree *to, const struct tree *patch)
{
	for (uint32_t i = 0; i < patch->n; i++) {
		struct slice key = slice_n(patch->members[i].key, patch->members[i].key_len);
		const struct tree *v = &patch->members[i].value;
		struct tree *have = tree_get_mut(to, key);

		if (v->type == TREE_NULL)
			tree_remove(to, key);
		else if (v->type == TREE_MAP) {
			if (!have || have->type != TREE_MAP)
				have = tree_set(&arena, to, key, tree_map());
			merge(have, v);
		} else
			CHECK(tree_set(&arena, to, key, *v));
	}
}

/* --- requests */

struct target { char gvr[128], ns[64], name[300], sub[32]; };

static void parse_target(const char *path, struct target *t)
{
	struct slice rest = slice_of(path + 1), p[8] = { 0 };
	size_t n = 0, at;

	while (n < 8 && slice_next(&rest, '/', &p[n]))
		n++;
	memset(t, 0, sizeof *t);
	at = slice_is(p[0], "api") ? 2 : 3;
	if (at == 2)
		fmt_into(t->gvr, sizeof t->gvr, "%.*s", SLICE_FMT(p[1]));
	else
		fmt_into(t->gvr, sizeof t->gvr, "%.*s/%.*s", SLICE_FMT(p[1]), SLICE_FMT(p[2]));
	if (slice_is(p[at], "namespaces") && n > at + 2) {
		/* /namespaces/x/finalize is of the namespace itself */
		if (slice_is(p[at + 2], "finalize") || slice_is(p[at + 2], "status")) {
			fmt_into(t->gvr + strlen(t->gvr), 64, "/namespaces");
			fmt_into(t->name, sizeof t->name, "%.*s", SLICE_FMT(p[at + 1]));
			fmt_into(t->sub, sizeof t->sub, "%.*s", SLICE_FMT(p[at + 2]));
			return;
		}
		fmt_into(t->ns, sizeof t->ns, "%.*s", SLICE_FMT(p[at + 1]));
		at += 2;
	}
	fmt_into(t->gvr + strlen(t->gvr), 64, "/%.*s", SLICE_FMT(p[at]));
	fmt_into(t->name, sizeof t->name, "%.*s", SLICE_FMT(p[at + 1]));
	fmt_into(t->sub, sizeof t->sub, "%.*s", SLICE_FMT(p[at + 2]));
}

static int refuse(struct http_request *r, int status, const char *reason, const char *message)
{
	return http_reply(r, status, "application/json",
		slice_of(arena_fmt(&arena, "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"%s\",\"message\":\"%s\",\"code\":%d}", reason, message, status)));
}

static int reply(struct http_request *r, const char *json) { return http_reply(r, 200, "application/json", slice_of(json)); }

static int list(struct http_request *r, const struct target *t)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 26);
	bool first = true;

	buf_addf(&b, "{\"metadata\":{\"resourceVersion\":\"%lld\"},\"items\":[", (long long)revision);
	for (size_t i = 0; i < entries.n; i++)
		if (!strcmp(entries.v[i]->gvr, t->gvr) && (!*t->ns || !strcmp(t->ns, entries.v[i]->ns))) {
			buf_addf(&b, "%s%s", first ? "" : ",", entries.v[i]->json);
			first = false;
		}
	buf_adds(&b, "]}");
	return reply(r, b.ptr);
}

static int watch(struct http_request *r, const struct target *t)
{
	int64_t from;
	size_t at = 0;

	CHECK_INT(num_parse_i64(slice_of(http_query_get(&r->query, "resourceVersion")), 0, INT64_MAX, &from), 0);
	CHECK_INT(http_begin_wait(r, 200, "application/json"), 0);
	while (!over) {
		for (; at < changes.n; at++) {
			struct change *c = &changes.v[at];
			char *line;
			int rc;

			if (c->revision <= from || strcmp(c->gvr, t->gvr) != 0 || (*t->ns && strcmp(t->ns, c->ns) != 0))
				continue;
			line = fmt_new("{\"type\":\"%s\",\"object\":%s}\n", c->type, c->json);
			rc = http_write_wait(r, line, strlen(line));
			free(line);
			if (rc < 0)
				return rc;
		}
		if (waitq_wait(&changed, -1) < 0)
			break;
	}
	return 0;
}

static int create(struct http_request *r, const struct target *t, struct tree *o)
{
	struct entry *x;
	struct tree *m = meta_of(o);
	const char *name = text_at(o, "metadata.name");

	if (!*name) {
		static unsigned serial;

		name = arena_fmt(&arena, "%s%05u", text_at(o, "metadata.generateName"), ++serial);
		set_text(m, "name", name);
	}
	if (find(t->gvr, t->ns, name))
		return refuse(r, 409, "AlreadyExists", arena_fmt(&arena, "%s \\\"%s\\\" already exists", t->gvr, name));
	if (!strcmp(t->gvr, "v1/events")) {
		/* kept, but nobody watches them and they do not count */
	} else {
		writes++;
	}
	if (*t->ns)
		set_text(m, "namespace", t->ns);
	set_text(m, "uid", arena_fmt(&arena, "uid-%u", ++uids));
	set_text(m, "creationTimestamp", kube_time_text(&arena, loop_realtime_ns(l)));
	set_int(m, "generation", 1);
	x = arena_new(&arena, struct entry);
	*x = (struct entry){ arena_strdup(&arena, t->gvr), arena_strdup(&arena, t->ns), arena_strdup(&arena, name), NULL, 0 };
	CHECK_INT(vec_push(&entries, x), 0);
	store(x, o, "ADDED");
	return http_reply(r, 201, "application/json", slice_of(x->json));
}

static bool has_finalizers(const struct tree *o)
{
	const struct tree *f = tree_path(o, "metadata.finalizers"), *nf = tree_path(o, "spec.finalizers");

	return (f && f->n) || (nf && nf->n);
}

/* What an update or patch came to. */
static int change(struct http_request *r, struct entry *x, const struct target *t, struct tree *o)
{
	struct tree old = parse(slice_of(x->json));
	static const char *const kept[] = { "uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion" };
	const struct tree *status;

	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		const struct tree *v = tree_gets(meta_of(&old), kept[i]);

		if (v)
			CHECK(tree_set(&arena, meta_of(o), slice_of(kept[i]), *v));
		else
			tree_remove(meta_of(o), slice_of(kept[i]));
	}
	if (!strcmp(t->sub, "status")) {
		struct tree s = tree_gets(o, "status") ? *tree_gets(o, "status") : tree_map();
		struct tree notes = tree_gets(meta_of(o), "annotations") ? *tree_gets(meta_of(o), "annotations") : tree_map();

		/* annotations may be written with the status */
		*o = old;
		CHECK(tree_set(&arena, o, SLICE("status"), s));
		if (notes.n)
			CHECK(tree_set(&arena, meta_of(o), SLICE("annotations"), notes));
		old = parse(slice_of(x->json));
	} else {
		status = tree_gets(&old, "status");
		if (status)
			CHECK(tree_set(&arena, o, SLICE("status"), *status));
		else
			tree_remove(o, SLICE("status"));
		static const struct tree none;
		const struct tree *was = tree_gets(&old, "spec"), *is = tree_gets(o, "spec");

		if (!tree_equal(was ? was : &none, is ? is : &none)) {
			int64_t g = 0;

			tree_i64(tree_gets(meta_of(&old), "generation"), &g);
			set_int(meta_of(o), "generation", g + 1);
		}
	}
	if (tree_equal(&old, o))
		return reply(r, x->json);
	writes += strcmp(t->gvr, "v1/events") != 0;
	if (tree_gets(meta_of(o), "deletionTimestamp") && !has_finalizers(o) &&
	    (strcmp(t->gvr, "v1/pods") != 0 || tree_gets(meta_of(&old), "finalizers")) ) {
		int64_t grace = 0;

		if (strcmp(t->gvr, "v1/pods") != 0 || (tree_i64(tree_gets(meta_of(o), "deletionGracePeriodSeconds"), &grace) == 0 && grace == 0)) {
			take_away(x, o);
			return reply(r, x->json);
		}
	}
	store(x, o, "MODIFIED");
	return reply(r, x->json);
}

static void add_finalizer(struct tree *o, const char *name)
{
	struct tree *f = tree_get_mut(meta_of(o), SLICE("finalizers"));

	if (!f)
		f = tree_set(&arena, meta_of(o), SLICE("finalizers"), tree_list());
	CHECK(tree_append(&arena, f, tree_string(slice_of(name))));
}

static int remove_one(struct http_request *r, struct entry *x, const struct tree *options)
{
	struct tree o = parse(slice_of(x->json));
	const char *policy = options ? text_at(options, "propagationPolicy") : "", *uid = options ? text_at(options, "preconditions.uid") : "";
	const struct tree *g = options ? tree_gets(options, "gracePeriodSeconds") : NULL;
	int64_t grace = strcmp(x->gvr, "v1/pods") == 0 && *text_at(&o, "spec.nodeName") && !strcmp(text_at(&o, "status.phase"), "Running") ? 30 : 0;

	if (*uid && strcmp(uid, text_at(&o, "metadata.uid")) != 0)
		return r ? refuse(r, 409, "Conflict", "the UID in the precondition does not match") : 0;
	if (g)
		tree_i64(g, &grace);
	writes++;
	if (!strcmp(policy, "Foreground"))
		add_finalizer(&o, "foregroundDeletion");
	if (!strcmp(policy, "Orphan"))
		add_finalizer(&o, "orphan");
	if (!has_finalizers(&o) && grace == 0) {
		take_away(x, &o);
	} else if (!tree_gets(meta_of(&o), "deletionTimestamp")) {
		set_text(meta_of(&o), "deletionTimestamp", kube_time_text(&arena, loop_realtime_ns(l) + grace * NS_PER_S));
		set_int(meta_of(&o), "deletionGracePeriodSeconds", grace);
		if (!strcmp(x->gvr, "v1/namespaces"))
			set_text(tree_set(&arena, &o, SLICE("status"), tree_map()), "phase", "Terminating");
		store(x, &o, "MODIFIED");
	}
	return r ? reply(r, x->json) : 0;
}

static int handle(struct http_request *r, struct err *e)
{
	struct slice body = { 0 };
	struct target t;
	struct entry *x;
	struct tree o = { 0 };

	parse_target(r->path, &t);
	if (slice_is(r->method, "GET") && http_query_get(&r->query, "watch"))
		return watch(r, &t);
	if (slice_is(r->method, "GET") && !*t.name)
		return list(r, &t);
	CHECK_INT(http_body_all_wait(r, 1 << 24, &body, e), 0);
	if (body.len)
		o = parse(body);
	if (slice_is(r->method, "POST") && !*t.name)
		return create(r, &t, &o);
	if (slice_is(r->method, "DELETE") && !*t.name) {
		for (size_t i = entries.n; i--;)
			if (!strcmp(entries.v[i]->gvr, t.gvr) && !strcmp(entries.v[i]->ns, t.ns))
				remove_one(NULL, entries.v[i], NULL);
		return reply(r, "{\"kind\":\"Status\",\"status\":\"Success\"}");
	}
	x = find(t.gvr, t.ns, t.name);
	if (!x)
		return refuse(r, 404, "NotFound", arena_fmt(&arena, "%s \\\"%s\\\" not found", t.gvr, t.name));
	if (slice_is(r->method, "GET"))
		return reply(r, x->json);
	if (slice_is(r->method, "DELETE"))
		return remove_one(r, x, body.len ? &o : NULL);
	if (slice_is(r->method, "PATCH")) {
		struct tree now = parse(slice_of(x->json));
		const char *want = text_at(&o, "metadata.resourceVersion");

		if (*want && strcmp(want, text_at(&now, "metadata.resourceVersion")) != 0)
			return refuse(r, 409, "Conflict", "the object has been modified");
		merge(&now, &o);
		return change(r, x, &t, &now);
	}
	if (*text_at(&o, "metadata.resourceVersion")) {
		struct tree now = parse(slice_of(x->json));

		if (strcmp(text_at(&o, "metadata.resourceVersion"), text_at(&now, "metadata.resourceVersion")) != 0)
			return refuse(r, 409, "Conflict", "the object has been modified; please apply your changes to the latest version and try again");
	}
	return change(r, x, &t, &o);
}

static const struct http_route routes[] = {
	{ "GET", "/{p:*}", handle }, { "POST", "/{p:*}", handle }, { "PUT", "/{p:*}", handle }, { "PATCH", "/{p:*}", handle }, { "DELETE", "/{p:*}", handle },
};

static int dial(void *arg, struct stream **ret, struct err *e)
{
	struct stream *theirs;

	CHECK_INT(stream_pair(l, 65536, ret, &theirs), 0);
	return http_server_serve(server, theirs);
}

static void test_fiber(void *arg)
{
	struct control *control;
	struct err e;

	fake_config.only = wanted;
	CHECK_OK(control_start(l, client, &fake_config, &control, &e), &e);
	test_fn();
	control_free(control);
	kclient_free(client);
	sleep_wait(NS_PER_S);
	over = true;
	waitq_wake_all(&changed);
	http_server_free(server);
	sleep_wait(NS_PER_S);
	CHECK_INT(fiber_count(l), 1);
	loop_stop(l);
}

void fake_run(const char *const *controllers, void (*fn)(void))
{
	struct http_server_config s = { .routes = routes, .n_routes = ARRAY_LEN(routes) };
	struct kclient_config c = { .connect_wait = dial };
	struct err e;

	arena_init(&arena, (size_t)1 << 30);
	waitq_init(&changed);
	wanted = controllers;
	test_fn = fn;
	CHECK_OK(sim_loop_new(&l, &e), &e);
	CHECK_INT(http_server_new(l, &s, &server), 0);
	CHECK_OK(kclient_new(l, &c, &client, &e), &e);
	CHECK_INT(fiber_start(l, "test", test_fiber, NULL), 0);
	CHECK_INT(loop_run(l), 0);
	CHECK(over);
	loop_free(l);
	vec_release(&entries);
	vec_release(&changes);
	arena_release(&arena);
}

/* --- for tests */

static const struct kube_resource *resource(const char *text)
{
	struct slice group, plural;
	char g[64];
	const struct kube_resource *r;

	if (slice_cut(slice_of(text), '/', &group, &plural)) {
		fmt_into(g, sizeof g, "%.*s", SLICE_FMT(group));
		r = kube_resource_find(g, "v1", plural.ptr);
	} else {
		r = kube_resource_find("", "v1", text);
	}
	CHECK(r);
	return r;
}

static void gvr_of(const struct kube_resource *r, char *dst, size_t n) { fmt_into(dst, n, "%s%s%s/%s", r->group, *r->group ? "/" : "", r->version, r->plural); }

void fake_create(const char *yaml)
{
	struct tree docs;
	struct err e;

	CHECK_OK(tree_from_yaml(slice_of(yaml), 0, &arena, &docs, &e), &e);
	for (uint32_t i = 0; i < docs.n; i++) {
		const struct tree *d = tree_at(&docs, i);
		struct slice group, version;
		const struct kube_resource *r;
		void *obj;

		if (!slice_cut(slice_of(text_at(d, "apiVersion")), '/', &group, &version)) {
			version = group;
			group = SLICE("");
		}
		r = kube_resource_of_kind(arena_dup(&arena, group), arena_dup(&arena, version), text_at(d, "kind"));
		CHECK(r);
		obj = arena_alloc(&arena, schema_size(r->type));
		CHECK_OK(tree_to_struct(d, r->type, SCHEMA_STRICT, &arena, obj, &e), &e);
		CHECK_OK(kclient_create_wait(client, r, ((struct kube_head *)obj)->metadata.namespace, obj, &arena, NULL, &e), &e);
	}
}

static void *decode(const struct kube_resource *r, struct entry *x)
{
	void *obj = arena_alloc(&arena, schema_size(r->type));
	struct err e;

	CHECK_OK(schema_from_json(r->type, slice_of(x->json), 0, &arena, obj, &e), &e);
	return obj;
}

void *fake_get(const char *text, const char *ns, const char *name)
{
	const struct kube_resource *r = resource(text);
	struct entry *x;
	char gvr[128];

	gvr_of(r, gvr, sizeof gvr);
	x = find(gvr, ns, name);
	return x ? decode(r, x) : NULL;
}

static struct entry *nth(const char *text, const char *ns, const char *label, unsigned i, unsigned *n)
{
	const struct kube_resource *r = resource(text);
	struct selector s;
	char gvr[128];
	struct err e;

	gvr_of(r, gvr, sizeof gvr);
	CHECK_OK(selector_parse(&arena, label, &s, &e), &e);
	*n = 0;
	for (size_t k = 0; k < entries.n; k++) {
		struct kube_head *h;

		if (strcmp(entries.v[k]->gvr, gvr) != 0 || strcmp(entries.v[k]->ns, ns) != 0)
			continue;
		h = decode(r, entries.v[k]);
		if (selector_matches(&s, h->metadata.labels, h->metadata.n_labels) && (*n)++ == i)
			return entries.v[k];
	}
	return NULL;
}

unsigned fake_count(const char *text, const char *ns, const char *label)
{
	unsigned n;

	nth(text, ns, label, UINT32_MAX, &n);
	return n;
}

void *fake_at(const char *text, const char *ns, const char *label, unsigned i)
{
	unsigned n;
	struct entry *x = nth(text, ns, label, i, &n);

	return x ? decode(resource(text), x) : NULL;
}

void fake_patch(const char *text, const char *ns, const char *name, const char *sub, const char *yaml)
{
	struct tree docs;
	struct err e;
	char *json;

	CHECK_OK(tree_from_yaml(slice_of(yaml), 0, &arena, &docs, &e), &e);
	json = print(tree_at(&docs, 0));
	CHECK_OK(kclient_patch_wait(client, resource(text), ns, name, sub, KPATCH_MERGE, slice_of(json), &arena, NULL, &e), &e);
}

void fake_delete(const char *text, const char *ns, const char *name, const char *policy)
{
	struct kube_delete_options o = { .propagation_policy = policy };
	struct err e;

	CHECK_OK(kclient_delete_wait(client, resource(text), ns, name, &o, &e), &e);
}

void fake_kill(const char *text, const char *ns, const char *name)
{
	int64_t none = 0;
	struct kube_delete_options o = { .grace_period_seconds = &none };
	struct err e;

	CHECK_OK(kclient_delete_wait(client, resource(text), ns, name, &o, &e), &e);
}

void fake_sleep(int64_t ns) { CHECK_INT(sleep_wait(ns), 0); }

void fake_settle(void)
{
	unsigned before;

	do {
		before = writes;
		fake_sleep(100 * NS_PER_MS);
	} while (writes != before);
}

void fake_run_pods(const char *ns, const char *label)
{
	for (unsigned i = 0; i < fake_count("pods", ns, label);) {
		struct kube_pod *p = fake_at("pods", ns, label, i);

		if (kube_is_deleting(&p->metadata)) {
			fake_kill("pods", ns, p->metadata.name);
			continue;
		}
		if (!kube_pod_is_ready(p) && !kube_pod_is_terminal(p)) {
			if (!p->spec.node_name)
				fake_patch("pods", ns, p->metadata.name, NULL, "spec: {nodeName: n1}");
			fake_patch("pods", ns, p->metadata.name, "status", arena_fmt(&arena,
				"status: {phase: Running, podIP: 10.0.0.%u, conditions: [{type: Ready, status: 'True', lastTransitionTime: '%s'}]}", i + 1,
				kube_time_text(&arena, loop_realtime_ns(l))));
		}
		i++;
	}
}

unsigned fake_writes(void) { return writes; }

bool fake_has_event(const char *reason, const char *message)
{
	fake_sleep(3 * NS_PER_S);
	for (size_t i = 0; i < entries.n; i++) {
		struct tree o;

		if (strcmp(entries.v[i]->gvr, "v1/events") != 0)
			continue;
		o = parse(slice_of(entries.v[i]->json));
		if (!strcmp(text_at(&o, "reason"), reason) && (!message || !strcmp(text_at(&o, "message"), message)))
			return true;
	}
	return false;
}
