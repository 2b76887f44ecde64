// SPDX-License-Identifier: Apache-2.0
/* The client against a small server in the same loop, on simulated time. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include "codec/base64.h"
#include "kube/client/client.h"

#include <errno.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/test.h"
#include "http/server.h"
#include "io/sim.h"
#include "kube/client/client_int.h"

static struct loop *l;
static struct http_server *server;
static struct kclient *client;
static char trace[4096];

static void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *fmt, ...)
{
	size_t n = strlen(trace);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(trace + n, sizeof trace - n, fmt, ap);
	va_end(ap);
}

/* --- the server: config maps as the test scripts them */

struct version { const char *page1, *page2; const char *const *watches; };
static struct {
	unsigned lists, watches;
	const char *list[8];           /* answers in turn */
	const char *watch[8];          /* bodies in turn; "410" answers 410; the last one stays open */
	const char *body_seen;
	char method[16], target[512], body[2048], type[64], auth[64];
} srv;

static int answer(struct http_request *r, struct err *e)
{
	struct slice body = { 0 };
	const char *text;

	if (http_query_get(&r->query, "watch")) {
		note("W%s ", http_query_get(&r->query, "resourceVersion"));
		text = srv.watch[srv.watches++];
		if (text && !strcmp(text, "410"))
			return http_reply(r, 410, "application/json", SLICE("{\"kind\":\"Status\",\"reason\":\"Expired\",\"message\":\"too old\",\"code\":410}"));
		CHECK_INT(http_begin_wait(r, 200, "application/json"), 0);
		if (text)
			CHECK_INT(http_write_wait(r, text, strlen(text)), 0);
		if (!srv.watch[srv.watches])
			http_peer_gone_wait(r, -1);
		return 0;
	}
	if (slice_is(r->method, "GET") && !strcmp(r->path, "/api/v1/configmaps")) {
		note("L%s ", http_query_get(&r->query, "continue") ? http_query_get(&r->query, "continue") : "");
		return http_reply(r, 200, "application/json", slice_of(srv.list[srv.lists++]));
	}
	CHECK_INT(http_body_all_wait(r, 2000, &body, e), 0);
	fmt_into(srv.body, sizeof srv.body, "%.*s", SLICE_FMT(body));
	fmt_into(srv.method, sizeof srv.method, "%.*s", SLICE_FMT(r->method));
	fmt_into(srv.target, sizeof srv.target, "%.*s", SLICE_FMT(r->target));
	fmt_into(srv.type, sizeof srv.type, "%.*s", SLICE_FMT(http_header_get(&r->headers, "Content-Type")));
	fmt_into(srv.auth, sizeof srv.auth, "%.*s", SLICE_FMT(http_header_get(&r->headers, "Authorization")));
	if (strstr(r->path, "missing"))
		return http_reply(r, 404, "application/json",
			SLICE("{\"kind\":\"Status\",\"reason\":\"NotFound\",\"message\":\"configmaps \\\"missing\\\" not found\",\"code\":404}"));
	if (strstr(r->path, "plain"))
		return http_reply(r, 409, "text/plain", SLICE("no"));
	return http_reply(r, 200, "application/json", SLICE("{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\",\"namespace\":\"n\",\"resourceVersion\":\"7\"},\"data\":{\"k\":\"v\"}}"));
}

static const struct http_route routes[] = {
	{ "GET", "/{p:*}", answer }, { "POST", "/{p:*}", answer }, { "PUT", "/{p:*}", answer }, { "PATCH", "/{p:*}", answer }, { "DELETE", "/{p:*}", answer },
};

static int dial(void *arg, struct stream **ret, struct err *e)
{
	struct stream *theirs;

	CHECK_INT(stream_pair(l, 4096, ret, &theirs), 0);
	return http_server_serve(server, theirs);
}

static void begin(void)
{
	struct http_server_config s = { .routes = routes, .n_routes = ARRAY_LEN(routes) };
	struct kclient_config c = { .connect_wait = dial, .token = "secret" };
	struct err e;

	CHECK_OK(sim_loop_new(&l, &e), &e);
	CHECK_INT(http_server_new(l, &s, &server), 0);
	CHECK_OK(kclient_new(l, &c, &client, &e), &e);
}

static void run(void (*fn)(void *))
{
	CHECK_INT(fiber_start(l, "test", fn, NULL), 0);
	loop_run(l);
	CHECK(strstr(trace, "end"));
	loop_free(l);
}

static void stop(void)
{
	kclient_free(client);
	http_server_free(server);
	sleep_wait(NS_PER_S);
	note("end");
	loop_stop(l);
}

static const struct kube_resource *config_maps(void) { return kube_resource_find("", "v1", "configmaps"); }

static void calls(void *arg)
{
	const struct kube_resource *r = config_maps();
	struct kube_config_map cm = { .metadata = { .name = "a", .namespace = "n" } }, got = { 0 };
	struct kube_delete_options o = { .propagation_policy = "Background" };
	struct kube_binding b = { .metadata = { .name = "p" }, .target = { .kind = "Node", .name = "node1" } };
	struct arena a;
	struct err e;

	arena_init(&a, 1 << 20);
	CHECK_OK(kclient_get_wait(client, r, "n", "a", &a, &got, &e), &e);
	CHECK_STR(srv.target, "/api/v1/namespaces/n/configmaps/a");
	CHECK_STR(srv.auth, "Bearer secret");
	CHECK_STR(got.data[0].value, "v");
	CHECK_OK(kclient_create_wait(client, r, "n", &cm, &a, &got, &e), &e);
	CHECK_STR(srv.method, "POST");
	CHECK_STR(srv.target, "/api/v1/namespaces/n/configmaps");
	CHECK(strstr(srv.body, "\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\""));
	CHECK_OK(kclient_update_wait(client, r, NULL, &got, &a, NULL, &e), &e);
	CHECK_STR(srv.method, "PUT");
	CHECK_OK(kclient_patch_wait(client, r, "n", "a", "status", KPATCH_MERGE, SLICE("{}"), &a, NULL, &e), &e);
	CHECK_STR(srv.type, "application/merge-patch+json");
	CHECK_STR(srv.target, "/api/v1/namespaces/n/configmaps/a/status");
	CHECK_OK(kclient_delete_wait(client, r, "n", "a", &o, &e), &e);
	CHECK(strstr(srv.body, "\"propagationPolicy\":\"Background\""));
	CHECK_OK(kclient_create_sub_wait(client, kube_resource_find("", "v1", "pods"), "n", "p", "binding", &b, &a, NULL, &e), &e);
	CHECK_STR(srv.target, "/api/v1/namespaces/n/pods/p/binding");
	CHECK(strstr(srv.body, "\"kind\":\"Binding\""));
	CHECK_INT(kclient_get_wait(client, r, "n", "missing", &a, &got, &e), -ENOENT);
	CHECK_STR(e.text, "configmaps \"missing\" not found");
	CHECK_INT(kclient_get_wait(client, r, "n", "plain", &a, &got, &e), -EBUSY);
	arena_release(&a);
	stop();
}

TEST(calls_say_what_they_mean_and_errors_come_back_as_errno)
{
	begin();
	run(calls);
}

/* --- informers */

static void event(struct informer_handler *h, struct kobject *old, struct kobject *now)
{
	note("%s%s ", !old ? "+" : !now ? "-" : "~", now ? now->key : old->key);
}

static unsigned by_data(const struct kobject *o, const char *ret[8])
{
	const struct kube_config_map *c = o->obj;

	for (uint32_t i = 0; i < c->n_data && i < 8; i++)
		ret[i] = c->data[i].value;
	return c->n_data;
}
static int count(void *arg, struct kobject *o)
{
	++*(int *)arg;
	return 0;
}

#define CM(name, rv, v) "{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"n\",\"uid\":\"u" name "\",\"resourceVersion\":\"" rv "\"},\"data\":{\"k\":\"" v "\"}}"
#define EV(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"

static void follows(void *arg)
{
	struct informer_handler h = { .event = event };
	struct informers *f;
	struct informer *i;
	struct err e;
	int n = 0;

	srv.list[0] = "{\"metadata\":{\"resourceVersion\":\"5\",\"continue\":\"c1\"},\"items\":[" CM("a", "3", "x") "]}";
	srv.list[1] = "{\"metadata\":{\"resourceVersion\":\"5\"},\"items\":[" CM("b", "4", "x") "]}";
	srv.watch[0] = EV("ADDED", CM("c", "6", "y")) EV("MODIFIED", CM("a", "7", "y")) EV("DELETED", CM("b", "8", "x"))
		EV("BOOKMARK", "{\"kind\":\"ConfigMap\",\"metadata\":{\"resourceVersion\":\"20\"}}");
	srv.watch[1] = EV("ERROR", "{\"kind\":\"Status\",\"reason\":\"Expired\",\"code\":410}");
	srv.list[2] = "{\"metadata\":{\"resourceVersion\":\"30\"},\"items\":[" CM("a", "7", "y") "," CM("d", "29", "z") "]}";
	srv.watch[2] = EV("MODIFIED", CM("d", "31", "y"));
	CHECK_INT(informers_new(client, &f), 0);
	i = informers_get(f, config_maps());
	CHECK(i && informers_get(f, config_maps()) == i);
	informer_add_handler(i, &h);
	CHECK_INT(informer_add_index(i, "data", by_data), 0);
	CHECK_INT(informers_synced_wait(f, NS_PER_S), 0);
	sleep_wait(5 * NS_PER_S);
	CHECK_STR(trace, "L +n/a Lc1 +n/b W5 +n/c ~n/a -n/b W20 L +n/d -n/c W30 ~n/d ");
	CHECK(informer_get(i, "n", "a") && !informer_get(i, "n", "b") && informer_get_key(i, "n/d"));
	CHECK_OK(informer_each(i, "n", count, &n), &e);
	CHECK_INT(n, 2);
	informer_each(i, "other", count, &n);
	CHECK_INT(n, 2);
	informer_each_indexed(i, "data", "y", count, &n);
	CHECK_INT(n, 4);
	informer_each_indexed(i, "data", "x", count, &n);
	CHECK_INT(n, 4);
	informers_free(f);
	stop();
}

TEST(an_informer_lists_in_pages_follows_and_lists_again_after_410)
{
	begin();
	run(follows);
}

/* --- queues */

static struct workqueue *q;
static unsigned fails, active, most;
static int sync_one(void *arg, const char *key, struct err *e)
{
	note("%s@%lld ", key, (long long)(loop_monotonic_ns(l) / NS_PER_MS) - 1000);
	most = MAX(most, ++active);
	if (!strcmp(key, "slow"))
		sleep_wait(100 * NS_PER_MS);
	active--;
	if (!strcmp(key, "bad") && fails++ < 3)
		return err_set(e, EIO, "it is broken");
	return 0;
}

static void queues(void *arg)
{
	struct workqueue_config c = { .name = "test", .workers = 2, .sync_wait = sync_one };

	CHECK_INT(workqueue_new(l, &c, &q), 0);
	workqueue_add(q, "a");
	workqueue_add(q, "a");
	workqueue_add(q, "slow");
	workqueue_add_after(q, "later", 50 * NS_PER_MS);
	workqueue_add_after(q, "later", 20 * NS_PER_MS);
	sleep_wait(10 * NS_PER_MS);
	workqueue_add(q, "slow");
	workqueue_add(q, "slow");
	sleep_wait(NS_PER_S);
	CHECK_STR(trace, "a@0 slow@0 later@20 slow@100 ");
	trace[0] = 0;
	workqueue_add(q, "bad");
	sleep_wait(NS_PER_S);
	CHECK_STR(trace, "bad@1010 bad@1015 bad@1025 bad@1045 ");
	CHECK_INT(workqueue_length(q), 0);
	workqueue_add(q, "slow");
	workqueue_add_after(q, "never", NS_PER_S);
	sleep_wait(NS_PER_MS);
	workqueue_free(q);
	sleep_wait(5 * NS_PER_S);
	CHECK(!strstr(trace, "never"));
	stop();
}

TEST(a_queue_works_on_a_key_once_at_a_time_and_backs_off)
{
	begin();
	run(queues);
}

/* --- events */

static void events(void *arg)
{
	struct kube_object_meta about = { .name = "web", .namespace = "n", .uid = "u1" };
	struct kevents *ev;

	CHECK_INT(kevents_new(client, "test", "host", &ev), 0);
	kevents_add(ev, config_maps(), &about, NULL, "Normal", "Made", "made %d", 1);
	sleep_wait(NS_PER_S);
	CHECK_STR(srv.method, "POST");
	CHECK(strstr(srv.body, "\"message\":\"made 1\"") && strstr(srv.body, "\"count\":1") && strstr(srv.body, "\"involvedObject\":{\"kind\":\"ConfigMap\""));
	kevents_add(ev, config_maps(), &about, NULL, "Normal", "Made", "made %d", 1);
	sleep_wait(NS_PER_S);
	CHECK_STR(srv.method, "PATCH");
	CHECK_STR(srv.body, "{\"count\":2,\"lastTimestamp\":\"2020-01-01T00:00:01Z\"}");
	for (int i = 0; i < 100; i++)
		kevents_add(ev, config_maps(), &about, NULL, "Normal", "Made", "again %d", i);
	sleep_wait(10 * NS_PER_S);
	CHECK(strstr(srv.body, "again 23"));
	kevents_free(ev);
	stop();
}

TEST(events_that_repeat_are_counted_and_talkers_are_cut_off)
{
	begin();
	run(events);
}

/* --- configuration */

TEST(a_kubeconfig_is_read_by_its_current_context)
{
	AUTO(arena) struct arena a;
	AUTO(free) char *path = fmt_new("%s/config", test_dir());
	struct kclient_target t = { 0 };
	struct err e;

	arena_init(&a, 1 << 20);
	CHECK_OK(file_write_atomic(-100, path, SLICE("apiVersion: v1\nkind: Config\ncurrent-context: two\n"
		"contexts:\n- name: one\n  context: {cluster: c, user: x}\n- name: two\n  context: {cluster: c, user: u}\n"
		"clusters:\n- name: c\n  cluster:\n    server: https://10.0.0.1:6443\n    certificate-authority-data: UEVN\n"
		"users:\n- name: u\n  user:\n    client-certificate: certs/u.crt\n    client-key: /k/u.key\n"), 0600, &e), &e);
	CHECK_OK(kubeconfig_read(path, &a, &t, &e), &e);
	CHECK_STR(t.server, "https://10.0.0.1:6443");
	CHECK_SLICE(t.ca, "PEM");
	CHECK(strstr(t.cert_file, "/certs/u.crt") && t.cert_file[0] == '/');
	CHECK_STR(t.key_file, "/k/u.key");
}

static void write_kubeconfig(const char *path, const char *cn)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);
	X509 *x = X509_new();
	EVP_PKEY *key = EVP_EC_gen("P-256");
	BIO *b = BIO_new(BIO_s_mem());
	char *pem;
	struct err e;

	X509_set_version(x, 2);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, key);
	CHECK(X509_sign(x, key, EVP_sha256()) > 0 && PEM_write_bio_X509(b, x));
	long n = BIO_get_mem_data(b, &pem);
	buf_adds(&text, "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts:\n- name: c\n  context: {cluster: c, user: u}\nusers: []\n"
		"clusters:\n- name: c\n  cluster:\n    server: https://127.0.0.1:1\n    certificate-authority-data: ");
	base64_encode(&text, slice_n(pem, (size_t)n), false);
	buf_addc(&text, '\n');
	CHECK_OK(file_write_atomic(-100, path, buf_slice(&text), 0600, &e), &e);
	BIO_free(b);
	X509_free(x);
	EVP_PKEY_free(key);
}

TEST(certificates_of_a_changed_kubeconfig_are_taken_anew)
{
	AUTO(free) char *path = fmt_new("%s/config", test_dir());
	struct kclient *c;
	struct err e = { 0 };

	CHECK_OK(sim_loop_new(&l, &e), &e);
	write_kubeconfig(path, "one");
	CHECK_OK(kclient_new(l, &(struct kclient_config){ .kubeconfig = path }, &c, &e), &e);
	CHECK_INT(kclient_look_again(c, &e), 0);
	write_kubeconfig(path, "two");
	CHECK_INT(kclient_look_again(c, &e), 1);
	CHECK_INT(kclient_look_again(c, &e), 0);
	CHECK_OK(file_write_atomic(-100, path, SLICE("nonsense: ["), 0600, &e), &e);
	CHECK(kclient_look_again(c, &e) < 0);
	CHECK_INT(kclient_look_again(c, &e), 0);
	kclient_free(c);
	loop_free(l);
}

TEST(all_lists_begin_alike)
{
	for (unsigned i = 0; i < n_kube_resources; i++) {
		const struct kube_resource *r = &kube_resources[i];
		AUTO(arena) struct arena a;
		struct kube_list_head *h;
		struct err e;

		if (!r->list.domain)
			continue;
		arena_init(&a, 1 << 20);
		CHECK(schema_size(r->list) >= sizeof *h);
		h = arena_alloc(&a, schema_size(r->list));
		CHECK_OK(schema_from_json(r->list, SLICE("{\"metadata\":{\"resourceVersion\":\"9\"},\"items\":[{\"metadata\":{\"name\":\"x\"}},{\"metadata\":{\"name\":\"y\"}}]}"), 0, &a, h, &e), &e);
		CHECK_INT(h->n_items, 2);
		CHECK_STR(h->metadata.resource_version, "9");
		CHECK_STR(((struct kube_head *)((char *)h->items + schema_size(r->type)))->metadata.name, "y");
	}
}
