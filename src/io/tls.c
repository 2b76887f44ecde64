// SPDX-License-Identifier: Apache-2.0
/*
 * TLS 1.2 and 1.3 over any stream, by OpenSSL. Its reads and writes go straight
 * to the stream below, which never suspends, so OpenSSL is never left in the
 * middle of a call. A record is wholly below before a write counts as done;
 * nothing is held back.
 */
#include "io/stream.h"
#include <errno.h>
#include "base/assert.h"
#include "io/tls_lib.h"

enum { ALPN_MAX = 64, ORGANIZATIONS_MAX = 64 };

struct tls_config {
	const struct tls_lib *lib;
	SSL_CTX *ctx;
	BIO_METHOD *bio;
	bool server, verify;
	unsigned n_refs;
};
struct tls {
	struct stream s;
	struct stream *under;
	struct tls_config *c;
	SSL *ssl;
	int error;                      /* of the stream below, while OpenSSL passes it up */
	bool read_wants_write, write_wants_read, broken;
	bool wanted[STREAM_EVENTS];     /* somebody waits for it */
	unsigned char offer[ALPN_MAX];  /* ALPN names, each behind its length */
	unsigned offer_len;
	char alpn[16];
	struct tls_peer *peer;
	bool busy, closed;
};

static struct tls *of(struct stream *s) { return container_of(s, struct tls, s); }

/* --- below OpenSSL: a BIO over the stream */

static int bio_result(struct tls *t, BIO *b, ssize_t r, int retry)
{
	t->c->lib->BIO_clear_flags(b, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
	if (r == -EAGAIN)
		t->c->lib->BIO_set_flags(b, retry | BIO_FLAGS_SHOULD_RETRY);
	else if (r < 0)
		t->error = (int)r;
	return r < 0 ? -1 : (int)r;
}

static int bio_read(BIO *b, char *p, int n)
{
	struct tls *t = tls_lib(NULL)->BIO_get_data(b);

	return bio_result(t, b, stream_read_now(t->under, p, (size_t)n), BIO_FLAGS_READ);
}

static int bio_write(BIO *b, const char *p, int n)
{
	struct tls *t = tls_lib(NULL)->BIO_get_data(b);

	return bio_result(t, b, stream_write_now(t->under, p, (size_t)n), BIO_FLAGS_WRITE);
}

static long bio_ctrl(BIO *b, int cmd, long n, void *p) { return cmd == BIO_CTRL_FLUSH || cmd == BIO_CTRL_DUP; }

/* --- configuration */

static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned in_len, void *arg)
{
	struct tls_config *c = arg;
	struct tls *t = c->lib->SSL_get_ex_data(ssl, 0);

	if (t->offer_len && c->lib->SSL_select_next_proto((unsigned char **)out, out_len, t->offer, t->offer_len, in, in_len) == OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_OK;
	return SSL_TLSEXT_ERR_NOACK;    /* go on without: HTTP/1.1 */
}

static int load_files(struct tls_config *c, const struct tls_files *f, struct err *e)
{
	const struct tls_lib *lib = c->lib;

	lib->ERR_clear_error();
	if (f->cert && lib->SSL_CTX_use_certificate_chain_file(c->ctx, f->cert) != 1)
		return err_set(e, EINVAL, "cannot load the certificate %s: %s", f->cert, tls_lib_reason(lib));
	if (f->cert && lib->SSL_CTX_use_PrivateKey_file(c->ctx, f->key ? f->key : f->cert, SSL_FILETYPE_PEM) != 1)
		return err_set(e, EINVAL, "cannot load the key %s: %s", f->key ? f->key : f->cert, tls_lib_reason(lib));
	if (f->cert && lib->SSL_CTX_check_private_key(c->ctx) != 1)
		return err_set(e, EINVAL, "the key %s does not belong to the certificate %s", f->key ? f->key : f->cert, f->cert);
	if (f->ca && lib->SSL_CTX_load_verify_locations(c->ctx, f->ca, NULL) != 1)
		return err_set(e, EINVAL, "cannot load the authorities %s: %s", f->ca, tls_lib_reason(lib));
	if (f->ca && c->server)
		lib->SSL_CTX_set_client_CA_list(c->ctx, lib->SSL_load_client_CA_file(f->ca));
	if (f->system_ca && lib->SSL_CTX_set_default_verify_paths(c->ctx) != 1)
		return err_set(e, EINVAL, "cannot load the system's authorities: %s", tls_lib_reason(lib));
	return 0;
}

static int make_ctx(struct tls_config *c, const struct tls_files *f, struct err *e)
{
	const struct tls_lib *lib = c->lib;
	int verify = SSL_VERIFY_NONE;

	c->ctx = lib->SSL_CTX_new(c->server ? lib->TLS_server_method() : lib->TLS_client_method());
	if (!c->ctx)
		return err_nomem(e);
	lib->SSL_CTX_ctrl(c->ctx, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, NULL);
	lib->SSL_CTX_ctrl(c->ctx, SSL_CTRL_MODE,
		SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS, NULL);
	lib->SSL_CTX_set_options(c->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	lib->SSL_CTX_ctrl(c->ctx, SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_OFF, NULL);
	if (c->server) {
		lib->SSL_CTX_set_num_tickets(c->ctx, 0);
		lib->SSL_CTX_set_alpn_select_cb(c->ctx, select_alpn, c);
	}
	/* A server with authorities looks at a certificate that is offered, even where none is demanded. */
	if (f->verify_peer)
		verify = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	else if (c->server && f->ca)
		verify = SSL_VERIFY_PEER;
	lib->SSL_CTX_set_verify(c->ctx, verify, NULL);
	return load_files(c, f, e);
}

static int config_setup(struct tls_config *c, const struct tls_files *f, struct err *e)
{
	const struct tls_lib *lib = c->lib;

	c->bio = lib->BIO_meth_new(BIO_TYPE_SOURCE_SINK, "coracle stream");
	if (!c->bio)
		return err_nomem(e);
	lib->BIO_meth_set_read(c->bio, bio_read);
	lib->BIO_meth_set_write(c->bio, bio_write);
	lib->BIO_meth_set_ctrl(c->bio, bio_ctrl);
	return make_ctx(c, f, e);
}

int tls_config_reload(struct tls_config *c, const struct tls_files *f, struct err *e)
{
	SSL_CTX *before = c->ctx;
	int r = make_ctx(c, f, e);

	if (r < 0) {
		c->lib->SSL_CTX_free(c->ctx);
		c->ctx = before;
		return r;
	}
	c->verify = f->verify_peer;
	c->lib->SSL_CTX_free(before);     /* streams hold it as long as they need it */
	return 0;
}

int tls_config_new(const struct tls_files *f, bool server, struct tls_config **ret, struct err *e)
{
	struct tls_config *c = calloc(1, sizeof *c);
	int r;

	if (!c)
		return err_nomem(e);
	c->n_refs = 1;
	c->server = server;
	c->verify = f->verify_peer;
	c->lib = tls_lib(e);
	r = c->lib ? config_setup(c, f, e) : -ENOSYS;
	if (r < 0)
		tls_config_free(c);
	else
		*ret = c;
	return r;
}

void tls_config_free(struct tls_config *c)
{
	if (!c || --c->n_refs)
		return;
	if (c->lib) {
		c->lib->SSL_CTX_free(c->ctx);
		c->lib->BIO_meth_free(c->bio);
	}
	free(c);
}

/* --- the stream */

/* Makes a result of OpenSSL's one of ours. */
static ssize_t result(struct tls *t, int r)
{
	const struct tls_lib *lib = t->c->lib;

	switch (lib->SSL_get_error(t->ssl, r)) {
	case SSL_ERROR_NONE:
		return r;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return -EAGAIN;
	case SSL_ERROR_SYSCALL:
		t->broken = true;
		lib->ERR_clear_error();
		return t->error ? t->error : -ECONNRESET;
	default:
		t->broken = true;
		return t->error ? t->error : -EPROTO;
	}
}

static bool wants(struct tls *t, int r, int what) { return t->c->lib->SSL_get_error(t->ssl, r) == what; }

static ssize_t tls_read_now(struct stream *s, void *p, size_t n)
{
	struct tls *t = of(s);
	int r;

	if (t->broken)
		return t->error ? t->error : -ECONNRESET;
	if (n == 0)
		return 0;
	t->c->lib->ERR_clear_error();
	r = t->c->lib->SSL_read(t->ssl, p, (int)MIN(n, (size_t)(1 << 30)));
	t->read_wants_write = r <= 0 && wants(t, r, SSL_ERROR_WANT_WRITE);
	ssize_t got = result(t, r);
	/* An end without notice may be an attacker's cut. */
	if (got == -EPROTO)
		got = -ECONNRESET;
	return got;
}

static ssize_t tls_write_now(struct stream *s, const void *p, size_t n)
{
	struct tls *t = of(s);
	int r;

	if (t->broken)
		return -EPIPE;
	if (n == 0)
		return 0;
	t->c->lib->ERR_clear_error();
	r = t->c->lib->SSL_write(t->ssl, p, (int)MIN(n, (size_t)(1 << 30)));
	t->write_wants_read = r <= 0 && wants(t, r, SSL_ERROR_WANT_READ);
	ssize_t put = result(t, r);
	return put == 0 || put == -EPROTO || put == -ECONNRESET ? -EPIPE : put;
}

static int tls_shutdown_now(struct stream *s)
{
	struct tls *t = of(s);
	int r;

	if (t->broken)
		return -EPIPE;
	t->c->lib->ERR_clear_error();
	r = t->c->lib->SSL_shutdown(t->ssl);
	return r >= 0 ? 0 : (int)result(t, r);
}

static void tls_free(struct tls *t)
{
	t->c->lib->SSL_free(t->ssl);
	tls_peer_unref(t->peer);
	tls_config_free(t->c);
	free(t);
}

static void tls_close(struct stream *s)
{
	struct tls *t = of(s);

	if (!t->broken)
		tls_shutdown_now(s);
	for (unsigned i = 0; i < STREAM_EVENTS; i++)
		stream_notify(t->under, i, NULL, NULL);
	stream_close(t->under);
	t->closed = true;
	if (!t->busy)
		tls_free(t);
}

/* Something moved below: all who wait try again; OpenSSL knows best what is possible now. */
static void moved(struct tls *t, int status, bool hangup)
{
	if (status < 0)
		return;
	t->busy = true;
	if (!hangup) {
		stream_fire(&t->s, STREAM_READABLE);
		if (!t->closed)
			stream_fire(&t->s, STREAM_WRITABLE);
	} else {
		stream_fire(&t->s, STREAM_HANGUP);
	}
	t->busy = false;
	if (t->closed)
		tls_free(t);
}

static void under_readable(void *arg, int status) { moved(arg, status, false); }
static void under_writable(void *arg, int status) { moved(arg, status, false); }
static void under_hangup(void *arg, int status) { moved(arg, status, true); }

/* Asks below for what the waiters need now; true if some of it is so already. */
static bool arm(struct tls *t)
{
	bool read = t->wanted[STREAM_READABLE] && !t->read_wants_write, write = t->wanted[STREAM_WRITABLE] && !t->write_wants_read;
	bool now = false;

	read |= t->wanted[STREAM_WRITABLE] && t->write_wants_read;
	write |= t->wanted[STREAM_READABLE] && t->read_wants_write;
	if (read != (t->under->on[STREAM_READABLE].fn != NULL))
		now |= stream_notify(t->under, STREAM_READABLE, read ? under_readable : NULL, t);
	if (write != (t->under->on[STREAM_WRITABLE].fn != NULL))
		now |= stream_notify(t->under, STREAM_WRITABLE, write ? under_writable : NULL, t);
	return now;
}

static bool tls_want(struct stream *s, unsigned what, bool on)
{
	struct tls *t = of(s);

	if (t->closed)
		return false;
	if (what == STREAM_HANGUP)
		return stream_notify(t->under, what, on ? under_hangup : NULL, t);
	t->wanted[what] = on;
	return arm(t) && on;
}

static const struct stream_ops tls_ops = {
	.name = "tls", .read_now = tls_read_now, .write_now = tls_write_now, .shutdown_now = tls_shutdown_now, .close = tls_close,
	.want = tls_want,
};

/* --- handshake */

static int set_alpn(struct tls *t, const char *alpn)
{
	struct slice rest = slice_of(alpn), name;

	while (slice_next(&rest, ',', &name)) {
		if (!name.len || t->offer_len + 1 + name.len > ALPN_MAX)
			return -EINVAL;
		t->offer[t->offer_len++] = (unsigned char)name.len;
		memcpy(t->offer + t->offer_len, name.ptr, name.len);
		t->offer_len += (unsigned)name.len;
	}
	if (!t->c->server && t->offer_len && t->c->lib->SSL_set_alpn_protos(t->ssl, t->offer, t->offer_len) != 0)
		return -ENOMEM;
	return 0;
}

/* The name to ask for and to check; an address is checked as such and not asked for. */
static int set_name(struct tls *t, const char *name)
{
	const struct tls_lib *lib = t->c->lib;

	if (lib->X509_VERIFY_PARAM_set1_ip_asc(lib->SSL_get0_param(t->ssl), name) == 1)
		return 0;
	if (lib->SSL_ctrl(t->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)name) != 1)
		return -EINVAL;
	return !t->c->verify || lib->SSL_set1_host(t->ssl, name) == 1 ? 0 : -ENOMEM;
}

static int setup(struct tls *t, const char *server_name, const char *alpn)
{
	const struct tls_lib *lib = t->c->lib;
	BIO *b;
	int r = 0;

	t->ssl = lib->SSL_new(t->c->ctx);
	b = t->ssl ? lib->BIO_new(t->c->bio) : NULL;
	if (!b)
		return -ENOMEM;
	lib->BIO_set_data(b, t);
	lib->BIO_set_init(b, 1);
	lib->SSL_set_bio(t->ssl, b, b);
	lib->SSL_set_ex_data(t->ssl, 0, t);
	if (t->c->server)
		lib->SSL_set_accept_state(t->ssl);
	else
		lib->SSL_set_connect_state(t->ssl);
	if (alpn)
		r = set_alpn(t, alpn);
	if (r == 0 && server_name && !t->c->server)
		r = set_name(t, server_name);
	return r;
}

struct tls_peer *tls_peer_ref(struct tls_peer *p)
{
	if (p)
		p->refs++;
	return p;
}

struct tls_peer *tls_peer_unref(struct tls_peer *p)
{
	if (!p || --p->refs)
		return NULL;
	for (size_t i = 0; i < p->n_organizations; i++)
		free((char *)p->organizations[i]);
	free(p->organizations);
	free((char *)p->name);
	free(p);
	return NULL;
}

/* The entry's text; NULL for one with a NUL inside, which would be somebody else's name when read in C. */
static char *entry_text(const struct tls_lib *lib, X509_NAME *subject, int at)
{
	unsigned char *p = NULL;
	int n = lib->ASN1_STRING_to_UTF8(&p, lib->X509_NAME_ENTRY_get_data(lib->X509_NAME_get_entry(subject, at)));
	char *text = n > 0 && !memchr(p, 0, (size_t)n) ? slice_dup(slice_n(p, (size_t)n)) : NULL;

	lib->CRYPTO_free(p, __FILE__, __LINE__);
	return text;
}

/* NULL without a readable name, or memory: then the peer counts as nobody. */
static struct tls_peer *peer_new(const struct tls_lib *lib, X509_NAME *subject)
{
	struct tls_peer *p = calloc(1, sizeof *p);
	int at = lib->X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	if (!p)
		return NULL;
	p->refs = 1;
	p->name = at >= 0 ? entry_text(lib, subject, at) : NULL;
	p->organizations = calloc(ORGANIZATIONS_MAX, sizeof *p->organizations);
	for (at = -1; p->organizations && p->n_organizations < ORGANIZATIONS_MAX;) {
		at = lib->X509_NAME_get_index_by_NID(subject, NID_organizationName, at);
		if (at < 0)
			break;
		char *text = entry_text(lib, subject, at);
		if (!text)
			return tls_peer_unref(p);
		p->organizations[p->n_organizations++] = text;
	}
	return p->name && p->organizations ? p : tls_peer_unref(p);
}

static void learn_peer(struct tls *t)
{
	const struct tls_lib *lib = t->c->lib;
	X509 *x = lib->SSL_get1_peer_certificate(t->ssl);
	const unsigned char *p = NULL;
	unsigned n = 0;

	lib->SSL_get0_alpn_selected(t->ssl, &p, &n);
	if (n < sizeof t->alpn) {
		memcpy(t->alpn, p ? (const char *)p : "", n);
		t->alpn[n] = 0;
	}
	if (!x)
		return;
	if (lib->SSL_get_verify_result(t->ssl) == X509_V_OK)
		t->peer = peer_new(lib, lib->X509_get_subject_name(x));
	lib->X509_free(x);
}

/* Why a handshake failed, in the words that users of Go programs know where there are some. */
static int handshake_error(struct tls *t, int r, const char *server_name, struct err *e)
{
	const struct tls_lib *lib = t->c->lib;
	long v = lib->SSL_get_verify_result(t->ssl);
	const char *name = server_name ? server_name : "the peer";

	if (r == -ETIMEDOUT || r == -ECANCELED)
		return err_sys(e, r, "TLS handshake");
	switch (v) {
	case X509_V_OK:
		break;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		return err_set(e, EPROTO, "tls: failed to verify certificate: x509: certificate signed by unknown authority");
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return err_set(e, EPROTO, "tls: failed to verify certificate: x509: certificate has expired or is not yet valid");
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return err_set(e, EPROTO, "tls: failed to verify certificate: x509: certificate is not valid for %s", name);
	default:
		return err_set(e, EPROTO, "tls: failed to verify certificate: x509: %s", lib->X509_verify_cert_error_string(v));
	}
	if (r == -EPROTO)
		return err_set(e, EPROTO, "TLS handshake: %s", tls_lib_reason(lib));
	return err_sys(e, r, "TLS handshake");
}

int tls_wrap_wait(struct tls_config *c, struct stream *under, const char *server_name, const char *alpn, struct stream **ret, struct err *e)
{
	struct tls *t = calloc(1, sizeof *t);
	int r;

	if (!t) {
		stream_close(under);
		return err_nomem(e);
	}
	t->s = (struct stream){ .ops = &tls_ops, .loop = under->loop, .timeout_ns = under->timeout_ns, .is_loopback = under->is_loopback };
	t->under = under;
	t->c = c;
	c->n_refs++;
	r = setup(t, server_name, alpn);
	while (r == 0) {
		int ok;

		c->lib->ERR_clear_error();
		ok = c->lib->SSL_do_handshake(t->ssl);
		if (ok == 1)
			break;
		bool write = wants(t, ok, SSL_ERROR_WANT_WRITE);
		r = (int)result(t, ok);
		if (r == 0)
			r = -ECONNRESET;
		if (r == -EAGAIN)
			r = stream_ready_wait(under, write ? STREAM_WRITABLE : STREAM_READABLE, t->s.timeout_ns);
	}
	if (r < 0) {
		r = handshake_error(t, r, server_name, e);
		t->broken = true;
		stream_close(&t->s);
		return r;
	}
	learn_peer(t);
	t->s.timeout_ns = 0;
	under->timeout_ns = 0;
	*ret = &t->s;
	return 0;
}

const char *tls_alpn(struct stream *s) { return s->ops == &tls_ops ? of(s)->alpn : ""; }
struct tls_peer *tls_peer(struct stream *s) { return s->ops == &tls_ops ? of(s)->peer : NULL; }
const char *tls_peer_name(struct stream *s) { return tls_peer(s) ? tls_peer(s)->name : NULL; }
