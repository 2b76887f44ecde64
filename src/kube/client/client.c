// SPDX-License-Identifier: Apache-2.0
/* A client's life: where it connects to, and how it shows who it is. */
#include "kube/client/client.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "io/stream.h"
#include "kube/client/client_int.h"

/* Watches speak about once a minute (bookmarks); one that is quiet for longer has lost its peer. */
static const int64_t CALL_IO_NS = 70 * NS_PER_S, WATCH_IO_NS = 150 * NS_PER_S, CONNECT_NS = 10 * NS_PER_S;

/* OpenSSL reads files; bytes that are in memory get a name for as long as that takes. */
static int pem_path(struct slice pem, int *fd, char path[40], const char **ret)
{
	if (!pem.len)
		return 0;
	*fd = memfd_create("pem", MFD_CLOEXEC);
	if (*fd < 0)
		return -errno;
	fmt_into(path, 40, "/proc/self/fd/%d", *fd);
	*ret = path;
	return fd_write_all(*fd, pem.ptr, pem.len);
}

/* Makes *tls, or gives the one that is there its certificates anew. */
static int make_tls(const struct kclient_target *t, struct tls_config **tls, struct err *e)
{
	AUTO(close) int ca = -1;
	AUTO(close) int cert = -1;
	AUTO(close) int key = -1;
	char ca_path[40], cert_path[40], key_path[40];
	struct tls_files f = { .ca = t->ca_file, .cert = t->cert_file, .key = t->key_file, .verify_peer = !t->insecure };
	int r = pem_path(t->ca, &ca, ca_path, &f.ca);

	if (r == 0)
		r = pem_path(t->cert, &cert, cert_path, &f.cert);
	if (r == 0)
		r = pem_path(t->key, &key, key_path, &f.key);
	if (r < 0)
		return err_sys(e, r, "preparing certificates for %s", t->server);
	f.system_ca = !f.ca && !t->insecure;
	return *tls ? tls_config_reload(*tls, &f, e) : tls_config_new(&f, false, tls, e);
}

/* "https://host:port/prefix" */
static int parse_server(struct kclient *c, const char *server, bool *tls, struct err *e)
{
	struct slice s = slice_of(server), host, port = { 0 }, rest = { 0 };
	int64_t n;

	*tls = slice_starts(s, "https://");
	if (!*tls && !slice_starts(s, "http://"))
		return err_set(e, EINVAL, "server address \"%s\" does not begin with https:// or http://", server);
	s = slice_of(server + (*tls ? 8 : 7));
	n = slice_find(s, '/');
	if (n >= 0) {
		rest = slice_n(s.ptr + n, s.len - (size_t)n);
		s.len = (size_t)n;
	}
	while (rest.len && rest.ptr[rest.len - 1] == '/')
		rest.len--;
	host = s;
	if (s.len && *s.ptr == '[') {
		n = slice_find(s, ']');
		if (n < 0)
			return err_set(e, EINVAL, "server address \"%s\": there is no ]", server);
		host = slice_n(s.ptr + 1, (size_t)n - 1);
		if ((size_t)n + 1 < s.len && s.ptr[n + 1] == ':')
			port = slice_n(s.ptr + n + 2, s.len - (size_t)n - 2);
	} else {
		slice_cut(s, ':', &host, &port);
	}
	n = *tls ? 443 : 80;
	if (!host.len || (port.len && num_parse_i64(port, 1, 65535, &n) < 0))
		return err_set(e, EINVAL, "server address \"%s\" has no host or a wrong port", server);
	c->port = (unsigned)n;
	c->host = arena_dup(&c->strings, host);
	c->prefix = arena_dup(&c->strings, rest);
	return c->host && c->prefix ? 0 : err_nomem(e);
}

/* With a name of its own for the certificate, the stream is made here. */
static int connect_named_wait(void *arg, struct stream **ret, struct err *e)
{
	struct kclient *c = arg;
	struct stream *s;
	int r = stream_connect_tcp_wait(c->host, c->port, CONNECT_NS, &s, e);

	if (r < 0)
		return r;
	s->timeout_ns = CONNECT_NS;
	r = tls_wrap_wait(c->tls, s, c->sni, "http/1.1", &s, e);
	if (r < 0)
		return r;
	s->timeout_ns = CALL_IO_NS;
	*ret = s;
	return 0;
}

static int make_http(struct kclient *c, const struct kclient_config *f, int64_t io_ns, struct http_client **ret)
{
	struct http_client_config h = { .connect_timeout_ns = CONNECT_NS, .io_timeout_ns = io_ns };

	if (f->connect_wait) {
		h.connect_wait = f->connect_wait;
		h.connect_arg = f->connect_arg;
		h.io_timeout_ns = 0;
	} else if (c->sni) {
		h.connect_wait = connect_named_wait;
		h.connect_arg = c;
		h.host_header = c->host;
	} else {
		h.host = c->host;
		h.port = c->port;
		h.tls = c->tls;
	}
	return http_client_new(c->loop, &h, ret);
}

/* --- a kubeconfig that is written again: whoever issued the certificate in it renews it before it ends */

static const int64_t LOOK_NS = 600 * NS_PER_S;

static bool is_new(struct kclient *c)
{
	struct stat st;

	if (stat(c->kubeconfig, &st) < 0 || (st.st_ino == c->seen_inode && st.st_mtim.tv_sec == c->seen_time.tv_sec && st.st_mtim.tv_nsec == c->seen_time.tv_nsec))
		return false;
	c->seen_inode = st.st_ino;
	c->seen_time = st.st_mtim;
	return true;
}

int kclient_look_again(struct kclient *c, struct err *e)
{
	struct kclient_target t = { 0 };
	AUTO(arena) struct arena a;

	arena_init(&a, 16 * 1024 * 1024);
	if (!c->kubeconfig || !c->tls || !is_new(c))
		return 0;
	int r = kubeconfig_read(c->kubeconfig, &a, &t, e);
	if (r == 0)
		r = make_tls(&t, &c->tls, e);
	return r < 0 ? r : 1;
}

static void look(struct timer *t)
{
	struct kclient *c = container_of(t, struct kclient, look_timer);
	struct err e = { 0 };

	if (kclient_look_again(c, &e) < 0)
		log_warn("a changed kubeconfig cannot be used, the client goes on with the old one", "path=%s error=\"%s\"", c->kubeconfig, e.text);
	timer_set(c->loop, t, LOOK_NS, look);
}

static int follow_kubeconfig(struct kclient *c, const char *path)
{
	c->kubeconfig = arena_strdup(&c->strings, path);
	if (!c->kubeconfig)
		return -ENOMEM;
	is_new(c);
	return timer_set(c->loop, &c->look_timer, LOOK_NS, look);
}

static int set_up(struct kclient *c, const struct kclient_config *f, struct arena *a, struct err *e)
{
	struct kclient_target t = { .server = f->server, .ca_file = f->ca_file, .cert_file = f->cert_file, .key_file = f->key_file, .token = f->token,
		.ca = f->ca, .cert = f->cert, .key = f->key, .sni = f->sni, .insecure = f->insecure };
	bool tls = false;
	int r = 0;

	if (!f->connect_wait) {
		if (f->kubeconfig)
			r = kubeconfig_read(f->kubeconfig, a, &t, e);
		else if (!t.server)
			r = err_set(e, EINVAL, "no kubeconfig and no server address");
		if (r == 0)
			r = parse_server(c, t.server, &tls, e);
		if (r == 0 && tls)
			r = make_tls(&t, &c->tls, e);
		if (r == 0 && tls && f->kubeconfig && follow_kubeconfig(c, f->kubeconfig) < 0)
			r = err_nomem(e);
		if (r < 0)
			return r;
		c->sni = tls ? arena_strdup(&c->strings, t.sni) : NULL;
	}
	if (t.token)
		c->bearer = arena_fmt(&c->strings, "Bearer %s", t.token);
	c->user_agent = arena_strdup(&c->strings, f->user_agent ? f->user_agent : "coracle");
	r = make_http(c, f, CALL_IO_NS, &c->http);
	if (r == 0)
		r = make_http(c, f, WATCH_IO_NS, &c->watch_http);
	if (r < 0 || !c->user_agent || (t.token && !c->bearer))
		return err_nomem(e);
	return 0;
}

int kclient_new(struct loop *l, const struct kclient_config *f, struct kclient **ret, struct err *e)
{
	struct kclient *c = calloc(1, sizeof *c);
	struct arena a;
	int r;

	if (!c)
		return err_nomem(e);
	c->loop = l;
	c->refs = 1;
	c->prefix = "";
	arena_init(&c->strings, 256 * 1024);
	arena_init(&a, 16 * 1024 * 1024);
	r = set_up(c, f, &a, e);
	arena_release(&a);
	if (r < 0) {
		kclient_unref(c);
		return r;
	}
	*ret = c;
	return 0;
}

struct kclient *kclient_ref(struct kclient *c)
{
	c->refs++;
	return c;
}

void kclient_unref(struct kclient *c)
{
	if (!c || --c->refs)
		return;
	timer_cancel(&c->look_timer);
	http_client_free(c->http);
	http_client_free(c->watch_http);
	tls_config_free(c->tls);
	arena_release(&c->strings);
	free(c);
}

void kclient_free(struct kclient *c) { kclient_unref(c); }
struct loop *kclient_loop(struct kclient *c) { return c->loop; }
struct http_client *kclient_http(struct kclient *c) { return c->http; }
const char *kclient_bearer(struct kclient *c) { return c->bearer; }
