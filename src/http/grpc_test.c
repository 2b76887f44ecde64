// SPDX-License-Identifier: Apache-2.0
/* gRPC: our client against our server on simulated time, with messages of the kube domain. */
#include "http/grpc.h"
#include <errno.h>
#include "api/kube.h"
#include "base/clock.h"
#include "base/test.h"
#include "http/grpc_int.h"
#include "io/sim.h"

static struct loop *l;
static struct grpc_server *server;
static struct sim_net *net;
static char trace[256];
static unsigned connects, done;

static void note(const char *s)
{
	size_t n = strlen(trace);

	fmt_into(trace + n, sizeof trace - n, "%s", s);
}

static int echo(struct grpc_call *c, const void *request, void *reply, struct err *e)
{
	const struct kube_config_map *q = request;
	struct kube_config_map *p = reply;

	*p = *q;
	return 0;
}

static int refuses(struct grpc_call *c, const void *request, void *reply, struct err *e)
{
	return err_set(e, ENOENT, "no such thing: 100%% of \"ä\"\nit");
}

static int slow(struct grpc_call *c, const void *request, void *reply, struct err *e)
{
	CHECK_INT(c->deadline_ns - loop_monotonic_ns(l), 2 * NS_PER_S);
	return sleep_wait(10 * NS_PER_S);
}

static int counts(struct grpc_call *c, const void *request, struct err *e)
{
	for (int i = 0; i < 3; i++) {
		struct kube_config_map m = { .metadata.generation = i + 1 };

		CHECK_INT(grpc_send_wait(c, &m, e), 0);
		CHECK_INT(sleep_wait(NS_PER_S), 0);
	}
	return err_set(e, ESTALE, "enough");
}

static int forever(struct grpc_call *c, const void *request, struct err *e)
{
	CHECK_INT(sleep_wait(3600 * NS_PER_S), -ECANCELED);
	note("cancelled ");
	return -ECANCELED;
}

#define CM T_kube_config_map, T_kube_config_map
static void serve(void)
{
	static struct grpc_method methods[5];
	struct grpc_server_config c = { .methods = methods, .n_methods = 5 };

	methods[0] = (struct grpc_method){ "/t.S/Echo", CM, .unary_wait = echo };
	methods[1] = (struct grpc_method){ "/t.S/Refuses", CM, .unary_wait = refuses };
	methods[2] = (struct grpc_method){ "/t.S/Slow", CM, .unary_wait = slow };
	methods[3] = (struct grpc_method){ "/t.S/Counts", CM, .stream_wait = counts };
	methods[4] = (struct grpc_method){ "/t.S/Forever", CM, .stream_wait = forever };
	CHECK_INT(grpc_server_new(l, &c, &server), 0);
}

static void accepted(void *arg, struct stream *s) { CHECK_INT(grpc_server_serve(server, s), 0); }

static int dial(void *arg, struct stream **ret, struct err *e)
{
	connects++;
	CHECK_INT(sim_net_connect(net, "s", ret), 0);
	return 0;
}

static struct grpc_client *client;

static int unary(const char *path, const struct kube_config_map *q, struct arena *a, struct kube_config_map *p, int64_t timeout, struct err *e)
{
	return grpc_unary_wait(client, path, T_kube_config_map, q, T_kube_config_map, a, p, timeout, e);
}

static void run(void (*fn)(void *))
{
	struct grpc_client_config c = { .connect_wait = dial };
	struct err e;

	CHECK_OK(sim_loop_new(&l, &e), &e);
	CHECK_INT(sim_net_new(l, 5000, &net), 0);
	serve();
	CHECK_INT(sim_net_listen(net, "s", accepted, NULL), 0);
	CHECK_INT(grpc_client_new(l, &c, &client), 0);
	CHECK_INT(fiber_start(l, "test", fn, NULL), 0);
	CHECK_INT(loop_run(l), -EDEADLK);
	grpc_client_free(client);
	CHECK_INT(loop_run(l), -EDEADLK);
	CHECK_INT(fiber_count(l), 0);
	grpc_server_free(server);
	CHECK_INT(loop_run(l), -EDEADLK);
	sim_net_free(net);
	loop_free(l);
	CHECK(strstr(trace, "end"));
}

static void one_call(void *arg)
{
	struct arena a;
	struct err e = { 0 };
	char big[200000];
	struct kube_config_map p, q = { .metadata.name = big, .metadata.generation = -7 };

	memset(big, 'x', sizeof big);
	big[sizeof big - 1] = 0;
	arena_init(&a, 4 << 20);
	CHECK_OK(unary("/t.S/Echo", &q, &a, &p, NS_PER_S, &e), &e);
	CHECK_STR(p.metadata.name, big);
	CHECK_INT(p.metadata.generation, -7);
	arena_release(&a);
	done++;
}

static void many(void *arg)
{
	for (int i = 0; i < 50; i++)
		CHECK_INT(fiber_start(l, "call", one_call, NULL), 0);
	CHECK_INT(sleep_wait(NS_PER_S), 0);
	CHECK_INT(done, 50);
	CHECK_INT(connects, 1);
	note("end");
}
TEST(grpc_calls_share_one_connection) { run(many); }

static void errors(void *arg)
{
	struct arena a;
	struct err e = { 0 };
	struct kube_config_map p, q = { 0 };

	arena_init(&a, 1 << 20);
	CHECK_INT(unary("/t.S/Refuses", &q, &a, &p, 0, &e), -ENOENT);
	CHECK_STR(e.text, "no such thing: 100% of \"ä\"\nit");
	CHECK_INT(unary("/t.S/Nothing", &q, &a, &p, 0, &e), -EOPNOTSUPP);
	CHECK_INT(unary("/t.S/Slow", &q, &a, &p, 2 * NS_PER_S, &e), -ETIMEDOUT);
	CHECK_INT(connects, 1);
	arena_release(&a);
	CHECK_INT(sleep_wait(20 * NS_PER_S), 0);
	note("end");
}
TEST(grpc_errors_and_deadlines_reach_the_caller) { run(errors); }

static void streams(void *arg)
{
	struct arena a;
	struct err e = { 0 };
	struct kube_config_map p, q = { 0 };
	struct grpc_stream *s;

	arena_init(&a, 1 << 20);
	CHECK_OK(grpc_stream_call_wait(client, "/t.S/Counts", T_kube_config_map, &q, 0, &s, &e), &e);
	for (int i = 0; i < 3; i++) {
		CHECK_INT(grpc_stream_next_wait(s, T_kube_config_map, &a, &p, &e), 1);
		CHECK_INT(p.metadata.generation, i + 1);
	}
	CHECK_INT(grpc_stream_next_wait(s, T_kube_config_map, &a, &p, &e), -ESTALE);
	CHECK_STR(e.text, "enough");
	grpc_stream_free(s);
	CHECK_OK(grpc_stream_call_wait(client, "/t.S/Forever", T_kube_config_map, &q, 0, &s, &e), &e);
	CHECK_INT(sleep_wait(NS_PER_S), 0);
	grpc_stream_free(s);
	CHECK_INT(sleep_wait(NS_PER_S), 0);
	CHECK_STR(trace, "cancelled ");
	arena_release(&a);
	note("end");
}
TEST(grpc_streams_end_with_a_status_and_cancel_when_left) { run(streams); }

static void breaks(void *arg)
{
	struct arena a;
	struct err e = { 0 };
	struct kube_config_map p, q = { 0 };
	struct grpc_stream *s;

	arena_init(&a, 1 << 20);
	CHECK_OK(grpc_stream_call_wait(client, "/t.S/Forever", T_kube_config_map, &q, 0, &s, &e), &e);
	CHECK_INT(sleep_wait(NS_PER_S), 0);
	grpc_server_free(server);
	CHECK_INT(grpc_stream_next_wait(s, T_kube_config_map, &a, &p, &e), -EHOSTDOWN);
	grpc_stream_free(s);
	serve();
	CHECK_OK(unary("/t.S/Echo", &q, &a, &p, 0, &e), &e);
	CHECK_INT(connects, 2);
	arena_release(&a);
	note("end");
}
TEST(grpc_connects_again_after_the_server_went) { run(breaks); }

TEST(grpc_timeouts_are_eight_digits_and_a_unit)
{
	char text[16];
	int64_t ns;

	grpc_timeout_format(text, 1);
	CHECK_STR(text, "1n");
	grpc_timeout_format(text, 120 * NS_PER_S);
	CHECK_STR(text, "120000m");
	grpc_timeout_format(text, INT64_MAX);
	CHECK_INT(grpc_timeout_parse(slice_of(text), &ns), 0);
	CHECK_INT(grpc_timeout_parse(SLICE("5S"), &ns), 0);
	CHECK_INT(ns, 5 * NS_PER_S);
	CHECK_INT(grpc_timeout_parse(SLICE("123456789S"), &ns), -EINVAL);
	CHECK_INT(grpc_timeout_parse(SLICE("S"), &ns), -EINVAL);
	CHECK_INT(grpc_timeout_parse(SLICE("5s"), &ns), -EINVAL);
}
