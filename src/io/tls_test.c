// SPDX-License-Identifier: Apache-2.0
/* TLS over pairs, with certificates made on the spot. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include "base/clock.h"
#include "base/test.h"
#include "io/sim.h"

static struct loop *l;
static struct tls_config *server, *client;
static struct stream *a, *b;
static char trace[256];
static const char *server_name, *client_error, *offer_client, *offer_server;

static void note(const char *s)
{
	size_t n = strlen(trace);

	fmt_into(trace + n, sizeof trace - n, "%s", s);
}

/* --- certificates */

static const char *path(const char *name)
{
	static char p[4][100];
	static unsigned i;
	char *at = p[i++ % 4];

	fmt_into(at, sizeof p[0], "%s/%s", test_dir(), name);
	return at;
}

static void extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	CHECK(ext && X509_add_ext(x, ext, -1) == 1);
	X509_EXTENSION_free(ext);
}

struct made {
	X509 *x;
	EVP_PKEY *key;
};

static struct made make(const char *file, const char *cn, const char *san, const struct made *ca)
{
	struct made m = { X509_new(), EVP_EC_gen("P-256") };
	X509_NAME *name = X509_get_subject_name(m.x);

	X509_set_version(m.x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(m.x), ca ? 2 : 1);
	X509_gmtime_adj(X509_getm_notBefore(m.x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(m.x), 3600);
	X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const unsigned char *)"first", -1, -1, 0);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const unsigned char *)"second", -1, -1, 0);
	X509_set_issuer_name(m.x, ca ? X509_get_subject_name(ca->x) : name);
	X509_set_pubkey(m.x, m.key);
	if (san)
		extension(m.x, ca->x, NID_subject_alt_name, san);
	if (!ca)
		extension(m.x, m.x, NID_basic_constraints, "critical,CA:TRUE");
	CHECK(X509_sign(m.x, ca ? ca->key : m.key, EVP_sha256()) > 0);
	FILE *f = fopen(path(file), "w");
	CHECK(f && PEM_write_X509(f, m.x) && PEM_write_PrivateKey(f, m.key, NULL, NULL, 0, NULL, NULL));
	fclose(f);
	return m;
}

static void drop(struct made m)
{
	X509_free(m.x);
	EVP_PKEY_free(m.key);
}

static void make_all(void)
{
	struct made ca = make("ca", "test ca", NULL, NULL), other = make("other", "other ca", NULL, NULL);

	drop(make("server", "server", "DNS:coracle.test,IP:127.0.0.1", &ca));
	drop(make("client", "alice", NULL, &ca));
	drop(make("stranger", "mallory", NULL, &other));
	drop(ca);
	drop(other);
}

/* --- conversations */

static void server_fiber(void *arg)
{
	struct stream *s;
	struct err e = { 0 };
	char p[100];
	ssize_t n;

	int r = tls_wrap_wait(server, b, NULL, offer_server, &s, &e);
	if (r < 0) {
		note("!");
		return;
	}
	note(tls_peer_name(s) ? tls_peer_name(s) : "-");
	for (size_t i = 0; tls_peer(s) && i < tls_peer(s)->n_organizations; i++) {
		note(",");
		note(tls_peer(s)->organizations[i]);
	}
	note("/");
	note(tls_alpn(s));
	while ((n = stream_read_wait(s, p, sizeof p)) > 0)
		CHECK_INT(stream_write_wait(s, p, (size_t)n), 0);
	note(n == 0 ? "." : "x");
	CHECK_INT(stream_write_wait(s, "bye", 3), 0);
	stream_close(s);
}

enum { MANY = 200000 };

static void write_many(void *arg)
{
	AUTO(free) char *p = malloc(MANY);

	for (int i = 0; i < MANY; i++)
		p[i] = (char)(i % 253);
	CHECK_INT(stream_write_wait(arg, p, MANY), 0);
	CHECK_INT(stream_shutdown_wait(arg), 0);
}

static void client_fiber(void *arg)
{
	struct stream *s;
	struct err e = { 0 };
	char p[777];
	ssize_t n;
	size_t total = 0;

	int r = tls_wrap_wait(client, a, server_name, offer_client, &s, &e);
	if (client_error) {
		CHECK(r < 0);
		CHECK_STR(e.text, client_error);
		return;
	}
	CHECK_OK(r, &e);
	if (tls_peer_name(s))           /* only what was verified has a name */
		CHECK_STR(tls_peer_name(s), "server");
	note(tls_peer_name(s) ? "+" : "?");
	fiber_start(l, "write", write_many, s);
	while ((n = stream_read_wait(s, p, sizeof p)) > 0)
		for (ssize_t i = 0; i < n; i++, total++)
			CHECK(p[i] == (total < MANY ? (char)(total % 253) : "bye"[total - MANY]));
	CHECK_INT(n, 0);
	CHECK_INT(total, MANY + 3);
	stream_close(s);
	note("end");
}

static void talk(const struct tls_files *sf, const struct tls_files *cf, const char *name, const char *error)
{
	struct err e;

	trace[0] = 0;
	server_name = name;
	client_error = error;
	CHECK_OK(sim_loop_new(&l, &e), &e);
	CHECK_OK(tls_config_new(sf, true, &server, &e), &e);
	CHECK_OK(tls_config_new(cf, false, &client, &e), &e);
	CHECK_INT(stream_pair(l, 3000, &a, &b), 0);
	fiber_start(l, "s", server_fiber, NULL);
	fiber_start(l, "c", client_fiber, NULL);
	CHECK_INT(loop_run(l), -EDEADLK);
	CHECK_INT(fiber_count(l), 0);
	tls_config_free(client);
	tls_config_free(server);
	loop_free(l);
}

TEST(tls_carries_data_both_ways_and_half_closes)
{
	make_all();
	const struct tls_files s = { .cert = path("server") }, c = { .ca = path("ca"), .verify_peer = true };
	offer_client = "h2,http/1.1";
	offer_server = "http/1.1";
	talk(&s, &c, "coracle.test", NULL);
	CHECK_STR(trace, "+-/http/1.1.end");
	offer_server = "h2,http/1.1";
	talk(&s, &c, "127.0.0.1", NULL);
	CHECK_STR(trace, "+-/h2.end");
	offer_server = NULL;
	talk(&s, &c, "coracle.test", NULL);
	CHECK_STR(trace, "+-/.end");
}

TEST(tls_checks_authority_and_name)
{
	make_all();
	const struct tls_files s = { .cert = path("server") }, c = { .ca = path("ca"), .verify_peer = true },
		o = { .ca = path("other"), .verify_peer = true }, none = { 0 };
	talk(&s, &c, "elsewhere.test", "tls: failed to verify certificate: x509: certificate is not valid for elsewhere.test");
	talk(&s, &c, "127.0.0.2", "tls: failed to verify certificate: x509: certificate is not valid for 127.0.0.2");
	talk(&s, &o, "coracle.test", "tls: failed to verify certificate: x509: certificate signed by unknown authority");
	talk(&s, &none, "elsewhere.test", NULL);
	CHECK_STR(trace, "?-/.end");
}

TEST(tls_servers_check_client_certificates)
{
	make_all();
	const struct tls_files s = { .cert = path("server"), .ca = path("ca"), .verify_peer = true },
		c = { .ca = path("ca"), .verify_peer = true, .cert = path("client") };
	talk(&s, &c, "coracle.test", NULL);
	CHECK_STR(trace, "+alice,first,second/.end");
}

/* With TLS 1.3 a client learns only by reading that it was refused. */
static void late_client(void *arg)
{
	struct stream *s;
	struct err e = { 0 };
	char p;

	if (tls_wrap_wait(client, a, "coracle.test", NULL, &s, &e) == 0) {
		CHECK(stream_read_wait(s, &p, 1) < 0);
		stream_close(s);
	}
	note("c");
}

static void rejected(const struct tls_files *cf)
{
	const struct tls_files s = { .cert = path("server"), .ca = path("ca"), .verify_peer = true };
	struct err e;

	trace[0] = 0;
	CHECK_OK(sim_loop_new(&l, &e), &e);
	CHECK_OK(tls_config_new(&s, true, &server, &e), &e);
	CHECK_OK(tls_config_new(cf, false, &client, &e), &e);
	CHECK_INT(stream_pair(l, 3000, &a, &b), 0);
	fiber_start(l, "s", server_fiber, NULL);
	fiber_start(l, "c", late_client, NULL);
	CHECK_INT(loop_run(l), -EDEADLK);
	CHECK_STR(trace, "!c");
	tls_config_free(client);
	tls_config_free(server);
	loop_free(l);
}

TEST(tls_servers_refuse_strangers)
{
	make_all();
	const struct tls_files none = { .ca = path("ca"), .verify_peer = true };
	rejected(&none);
	const struct tls_files stranger = { .ca = path("ca"), .verify_peer = true, .cert = path("stranger") };
	rejected(&stranger);
}

static void silent(void *arg)
{
	struct stream *s;
	struct err e = { 0 };

	b->timeout_ns = NS_PER_S;
	CHECK_INT(tls_wrap_wait(server, b, NULL, NULL, &s, &e), -ETIMEDOUT);
	note("t");
}

static void babbling(void *arg)
{
	struct stream *s;
	struct err e = { 0 };

	CHECK(tls_wrap_wait(client, a, "x", NULL, &s, &e) < 0);
	note("b");
}

TEST(tls_handshakes_end_with_silent_and_senseless_peers)
{
	struct err e;
	const struct tls_files none = { 0 };

	make_all();
	const struct tls_files s = { .cert = path("server") };
	CHECK_OK(sim_loop_new(&l, &e), &e);
	CHECK_OK(tls_config_new(&s, true, &server, &e), &e);
	CHECK_OK(tls_config_new(&none, false, &client, &e), &e);
	CHECK_INT(stream_pair(l, 3000, &a, &b), 0);
	fiber_start(l, "s", silent, NULL);
	CHECK_INT(loop_run(l), -EDEADLK);
	CHECK_STR(trace, "t");
	stream_close(a);
	CHECK_INT(stream_pair(l, 3000, &a, &b), 0);
	CHECK_INT(stream_write_now(b, "HTTP/1.1 400 Bad Request\r\n\r\n", 28), 28);
	fiber_start(l, "c", babbling, NULL);
	CHECK_INT(loop_run(l), -EDEADLK);
	CHECK_STR(trace, "tb");
	stream_close(b);
	tls_config_free(client);
	tls_config_free(server);
	loop_free(l);
}

TEST(tls_configurations_say_what_is_wrong)
{
	struct err e;
	const struct tls_files f = { .cert = "/does/not/exist" };

	CHECK_INT(tls_config_new(&f, true, &server, &e), -EINVAL);
	CHECK(strstr(e.text, "cannot load the certificate /does/not/exist: "));
	make_all();
	const struct tls_files mixed = { .cert = path("server"), .key = path("client") };
	CHECK_INT(tls_config_new(&mixed, true, &server, &e), -EINVAL);
}

TEST(tls_configurations_are_reloaded_and_keep_what_they_had_on_failure)
{
	struct err e;

	make_all();
	const struct tls_files s = { .cert = path("server") }, missing = { .cert = "/does/not/exist" };
	CHECK_OK(tls_config_new(&s, true, &server, &e), &e);
	CHECK_INT(tls_config_reload(server, &missing, &e), -EINVAL);
	CHECK_OK(tls_config_reload(server, &s, &e), &e);
	const struct tls_files c = { .ca = path("ca"), .verify_peer = true };
	offer_client = offer_server = NULL;
	server_name = "coracle.test";
	client_error = NULL;
	trace[0] = 0;
	CHECK_OK(sim_loop_new(&l, &e), &e);
	CHECK_OK(tls_config_new(&c, false, &client, &e), &e);
	CHECK_INT(stream_pair(l, 3000, &a, &b), 0);
	fiber_start(l, "s", server_fiber, NULL);
	fiber_start(l, "c", client_fiber, NULL);
	CHECK_INT(loop_run(l), -EDEADLK);
	CHECK_STR(trace, "+-/.end");
	tls_config_free(client);
	tls_config_free(server);
	loop_free(l);
}
