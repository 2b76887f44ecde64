/* SPDX-License-Identifier: Apache-2.0 */
/* Talking to the engine. See api.h. */
#include "cli/api.h"
#include <ctype.h>
#include <sys/stat.h>
#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "cli/config.h"
#include "cli/docker.h"
#include "io/stream.h"

#define OWN_SOCKET "/run/coracle/docker.sock"
#define DOCKER_SOCKET "/var/run/docker.sock"

/* --- which engine -------------------------------------------------------------- */

struct place {
	const char *host;
	struct context context;
};

static int find_place(struct cli *c, struct place *p, struct err *e)
{
	const struct flag_value *hosts = flag_list(&c->globals, "host");
	const char *name = context_current(c);

	if (hosts->n > 1)
		return err_set(e, EINVAL, "specify only one -H");
	if (hosts->n && flag_changed(&c->globals, "context"))
		return err_set(e, EINVAL, "conflicting options: cannot specify both --host and --context");
	if (hosts->n) {
		p->host = hosts->v[0];
		return 0;
	}
	if (strcmp(name, "default") != 0) {
		int r = context_load(c, name, &p->context, e);
		p->host = p->context.host;
		return r;
	}
	p->host = getenv("DOCKER_HOST");
	if (!p->host || !*p->host) {
		/* our own engine where it runs; else the place where everybody looks */
		struct stat st;
		p->host = stat(OWN_SOCKET, &st) == 0 ? "unix://" OWN_SOCKET : "unix://" DOCKER_SOCKET;
	}
	return 0;
}

const char *api_host(struct cli *c)
{
	struct place p = { 0 };
	return find_place(c, &p, NULL) < 0 ? "" : p.host;
}

static const char *in_dir(struct cli *c, const char *dir, const char *file)
{
	const char *path = cli_fmt(c, "%s/%s", dir, file);
	return access(path, R_OK) == 0 ? path : NULL;
}

static int make_tls(struct cli *c, const struct place *p, struct tls_config **ret, struct err *e)
{
	const char *verify_env = getenv("DOCKER_TLS_VERIFY"), *dir = getenv("DOCKER_CERT_PATH");
	bool verify = flag_bool(&c->globals, "tlsverify") || (verify_env && *verify_env);
	struct tls_files files = { p->context.ca, p->context.cert, p->context.key, !p->context.skip_verify, true };
	const char *flag;

	*ret = NULL;
	if (!p->context.ca && !p->context.cert) {
		if (!verify && !flag_bool(&c->globals, "tls"))
			return 0;
		dir = dir && *dir ? dir : config_dir(c);
		files = (struct tls_files){ in_dir(c, dir, "ca.pem"), in_dir(c, dir, "cert.pem"), in_dir(c, dir, "key.pem"), verify, true };
	}
	if (*(flag = flag_str(&c->globals, "tlscacert")))
		files.ca = flag;
	if (*(flag = flag_str(&c->globals, "tlscert")))
		files.cert = flag;
	if (*(flag = flag_str(&c->globals, "tlskey")))
		files.key = flag;
	return tls_config_new(&files, false, ret, e);
}

static int make_client(struct cli *c, const struct place *p, struct err *e)
{
	struct cli_connection *x = c->connection;
	struct http_client_config conf = { .host_header = "api.moby.localhost" };
	struct slice host = slice_of(p->host), name, port;
	int64_t number = 0;
	int r;

	if (slice_starts(host, "unix://")) {
		conf.unix_path = p->host + 7;
		return http_client_new(c->loop, &conf, &x->http);
	}
	if (!slice_starts(host, "tcp://") && !slice_starts(host, "http://") && !slice_starts(host, "https://")) {
		if (!strstr(p->host, "://"))
			return err_set(e, EINVAL, "unable to parse docker host `%s`", p->host);
		return err_set(e, EINVAL, "this way to reach an engine is not supported: %s", p->host);
	}
	host = slice_of(strstr(p->host, "://") + 3);
	slice_cut(host, '/', &host, &name);
	ptrdiff_t colon = slice_rfind(host, ':');
	if ((r = make_tls(c, p, &x->tls, e)) < 0)
		return r;
	number = x->tls ? 2376 : 2375;
	name = host;
	if (colon >= 0 && !slice_ends(host, "]")) {
		name = slice_n(host.ptr, (size_t)colon);
		port = slice_n(host.ptr + colon + 1, host.len - (size_t)colon - 1);
		if (num_parse_i64(port, 1, 65535, &number) < 0)
			return err_set(e, EINVAL, "unable to parse docker host `%s`", p->host);
	}
	if (slice_starts(name, "[") && slice_ends(name, "]"))
		name = slice_n(name.ptr + 1, name.len - 2);
	conf.host = name.len ? arena_dup(&c->arena, name) : "127.0.0.1";
	conf.port = (unsigned)number;
	conf.tls = x->tls;
	conf.host_header = NULL;
	return http_client_new(c->loop, &conf, &x->http);
}

/* --- versions ------------------------------------------------------------------ */

static int version_cmp(const char *a, const char *b)
{
	unsigned a1 = 0, a2 = 0, b1 = 0, b2 = 0;

	sscanf(a, "%u.%u", &a1, &a2);
	sscanf(b, "%u.%u", &b1, &b2);
	return a1 != b1 ? (int)a1 - (int)b1 : (int)a2 - (int)b2;
}

bool api_at_least(struct cli *c, const char *version)
{
	return version_cmp(c->connection->version, version) >= 0;
}

static const char *header_text(struct cli *c, const struct http_call *call, const char *name)
{
	return arena_dup(&c->arena, http_header_get(&call->reply_headers, name));
}

static int connect_error(struct cli *c, int r, struct err *e)
{
	const char *host = c->connection->host;

	if (r == -EACCES || r == -EPERM)
		return err_set(e, EACCES, "permission denied while trying to connect to the Docker daemon socket at %s", host);
	if (r == -ENOENT || r == -ECONNREFUSED || r == -ENOTSOCK || r == -ECONNRESET)
		return err_set(e, ECONNREFUSED, "Cannot connect to the Docker daemon at %s. Is the docker daemon running?", host);
	if (!strncmp(host, "unix://", 7))
		return err_set(e, -r, "Cannot connect to the Docker daemon at %s. Is the docker daemon running?", host);
	return err_prefix(e, "error during connect");
}

int api_connect_wait(struct cli *c, struct err *e)
{
	struct place p = { 0 };
	struct http_call ping = { .method = "HEAD", .target = "/_ping" };
	const char *wanted = getenv("DOCKER_API_VERSION"), *theirs;
	int r;

	if (c->connection)
		return 0;
	if ((r = find_place(c, &p, e)) < 0)
		return r;
	c->connection = arena_new(&c->arena, struct cli_connection);
	if (!c->connection)
		return err_nomem(e);
	c->connection->host = p.host;
	c->connection->version = "";
	if ((r = make_client(c, &p, e)) < 0 || (r = http_call_wait(c->connection->http, &ping, e)) < 0) {
		if (c->connection->http)
			r = connect_error(c, r, e);
		api_close(c);
		return r;
	}
	theirs = header_text(c, &ping, "Api-Version");
	if (!*theirs)
		theirs = "1.24";
	c->connection->os_type = header_text(c, &ping, "Ostype");
	c->connection->builder = header_text(c, &ping, "Builder-Version");
	c->connection->experimental = strcmp(header_text(c, &ping, "Docker-Experimental"), "true") == 0;
	c->connection->version = wanted && *wanted ? wanted : version_cmp(theirs, DOCKER_CLI_API) < 0 ? theirs : DOCKER_CLI_API;
	http_call_release(&ping);
	return 0;
}

void api_close(struct cli *c)
{
	if (!c->connection)
		return;
	if (c->connection->http)
		http_client_free(c->connection->http);
	tls_config_free(c->connection->tls);
	c->connection = NULL;
}

/* --- calls --------------------------------------------------------------------- */

void call_header(struct cli *c, struct http_call *call, const char *name, const char *value)
{
	struct http_header *grown = arena_array(&c->arena, call->headers.n + 1, sizeof *grown);

	if (!grown)
		return;
	if (call->headers.n)
		memcpy(grown, call->headers.v, call->headers.n * sizeof *grown);
	grown[call->headers.n] = (struct http_header){ slice_of(name), slice_of(value) };
	call->headers = (struct http_headers){ grown, call->headers.n + 1 };
}

static int errno_of_status(int status)
{
	switch (status) {
	case 400: return EINVAL;
	case 401: case 403: return EACCES;
	case 404: return ENOENT;
	case 409: return EEXIST;
	case 501: return ENOSYS;
	case 503: return EAGAIN;
	default: return EIO;
	}
}

static int engine_error(struct cli *c, struct http_call *call, struct err *e)
{
	AUTO(buf) struct buf body = BUF_INIT(1 << 20);
	struct docker_error message = { 0 };
	int code = errno_of_status(call->status);

	http_call_body_wait(call, 1 << 20, &body, NULL);
	if (schema_from_json(T_docker_error, buf_slice(&body), SCHEMA_FOLD_CASE, &c->arena, &message, NULL) < 0 || !message.message) {
		struct slice text = slice_trim(buf_slice(&body));
		message.message = text.len ? arena_dup(&c->arena, text) : http_status_text(call->status);
	}
	c->long_error = cli_fmt(c, "Error response from daemon: %s", message.message);
	return err_set(e, code, "%s", c->long_error);
}

int api_open_wait(struct cli *c, struct http_call *call, struct err *e)
{
	struct docker_cli_config *conf = config_get(c);
	int r = api_connect_wait(c, e);

	if (r < 0)
		return r;
	c->long_error = NULL;
	call->target = cli_fmt(c, "/v%s%s", c->connection->version, call->target);
	for (uint32_t i = 0; i < conf->n_http_headers; i++)
		call_header(c, call, conf->http_headers[i].key, conf->http_headers[i].value);
	call_header(c, call, "User-Agent", "Docker-Client/" DOCKER_CLI_VERSION " (linux)");
	if ((r = http_call_wait(c->connection->http, call, e)) < 0) {
		http_call_release(call);
		return connect_error(c, r, e);
	}
	c->connection->status = call->status;
	if (call->status < 400)
		return 0;
	r = engine_error(c, call, e);
	http_call_release(call);
	return r;
}

int api_text_wait(struct cli *c, const char *method, const char *target, struct buf *out, struct err *e)
{
	struct http_call call = { .method = method, .target = target };
	int r = api_open_wait(c, &call, e);

	if (r < 0)
		return r;
	r = http_call_body_wait(&call, API_BODY_MAX, out, e);
	http_call_release(&call);
	return r;
}

int api_do_wait(struct cli *c, const char *method, const char *target, struct err *e)
{
	AUTO(buf) struct buf body = BUF_INIT(API_BODY_MAX);
	return api_text_wait(c, method, target, &body, e);
}

int api_json_wait(struct cli *c, const char *method, const char *target, struct schema_ref t, const void *body, struct schema_ref reply_t,
		  void *reply, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(16 << 20);
	AUTO(buf) struct buf answer = BUF_INIT(API_BODY_MAX);
	struct http_call call = { .method = method, .target = target };
	int r;

	if (body) {
		if ((r = schema_to_json(t, body, 0, &text)) < 0 || (r = buf_error(&text)) < 0)
			return err_set(e, -r, "encode the request");
		call.body = buf_slice(&text);
		call_header(c, &call, "Content-Type", "application/json");
	}
	if ((r = api_open_wait(c, &call, e)) < 0)
		return r;
	r = http_call_body_wait(&call, API_BODY_MAX, &answer, e);
	http_call_release(&call);
	if (r < 0 || !reply)
		return r;
	/* strings are copied out of the answer */
	r = schema_from_json(reply_t, buf_slice(&answer), SCHEMA_FOLD_CASE, &c->arena, reply, e);
	return r < 0 ? err_prefix(e, "Error reading remote info") : 0;
}

int api_get_wait(struct cli *c, const char *target, struct schema_ref t, void *reply, struct err *e)
{
	return api_json_wait(c, "GET", target, t, NULL, t, reply, e);
}

int api_post_wait(struct cli *c, const char *target, struct schema_ref t, const void *body, struct err *e)
{
	return api_json_wait(c, "POST", target, t, body, t, NULL, e);
}

int api_hijack_wait(struct cli *c, const char *target, struct slice body, struct stream **ret, const char **ret_type, struct err *e)
{
	struct http_call call = { .method = "POST", .target = target, .body = body };
	int r;

	if (body.ptr)
		call_header(c, &call, "Content-Type", "application/json");
	else
		call_header(c, &call, "Content-Type", "text/plain");
	call_header(c, &call, "Connection", "Upgrade");
	call_header(c, &call, "Upgrade", "tcp");
	if ((r = api_open_wait(c, &call, e)) < 0)
		return r;
	if (ret_type)
		*ret_type = header_text(c, &call, "Content-Type");
	r = http_call_hijack(&call, ret);
	http_call_release(&call);
	return r < 0 ? err_set(e, -r, "unable to upgrade to tcp, received %d", c->connection->status) : 0;
}

int api_copy_wait(struct cli *c, struct http_call *call, int fd, struct err *e)
{
	enum { CHUNK = 256 << 10 };
	AUTO(free) char *p = malloc(CHUNK);
	ssize_t n;
	int r;

	if (!p)
		return err_nomem(e);
	while ((n = http_call_read_wait(call, p, CHUNK)) > 0)
		if ((r = fd_write_all(fd, p, (size_t)n)) < 0)
			return err_sys(e, r, "write the output");
	return n < 0 ? err_sys(e, (int)n, "read the engine's answer") : 0;
}

/* --- lines --------------------------------------------------------------------- */

void api_lines_init(struct api_lines *l, struct http_call *call)
{
	*l = (struct api_lines){ call, BUF_INIT(64 << 20), 0 };
}

int api_line_wait(struct api_lines *l, struct slice *ret, struct err *e)
{
	ssize_t n = 1;

	for (;;) {
		struct slice rest = slice_n(l->buf.ptr + l->at, l->buf.len - l->at);
		ptrdiff_t end = slice_find(rest, '\n');
		if (end >= 0 || (n == 0 && rest.len)) {
			size_t len = end >= 0 ? (size_t)end : rest.len;
			l->at += len + (end >= 0);
			*ret = slice_trim(slice_n(rest.ptr, len));
			if (ret->len)
				return 1;
			continue;
		}
		if (n == 0)
			return 0;
		buf_drop(&l->buf, l->at);
		l->at = 0;
		if (buf_reserve(&l->buf, 16384) < 0)
			return err_set(e, EMSGSIZE, "a line of the engine's answer is too long");
		n = http_call_read_wait(l->call, l->buf.ptr + l->buf.len, 16384);
		if (n < 0)
			return err_sys(e, (int)n, "read the engine's answer");
		l->buf.len += (size_t)n;
		l->buf.ptr[l->buf.len] = 0;
	}
}

/* --- targets ------------------------------------------------------------------- */

static void escape(struct buf *b, const char *s, const char *keep)
{
	for (; *s; s++) {
		unsigned char ch = (unsigned char)*s;
		if (isalnum(ch) || strchr("-._~", ch) || strchr(keep, ch))
			buf_addc(b, (char)ch);
		else
			buf_addf(b, "%%%02X", ch);
	}
}

const char *api_esc(struct cli *c, const char *s)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);

	escape(&b, s, "/:@$&+=,;!'()*");
	const char *kept = arena_dup(&c->arena, buf_slice(&b));
	return kept ? kept : "";
}

void target_add(struct target *t, const char *name, const char *value)
{
	buf_addf(&t->b, "%c%s=", t->any ? '&' : '?', name);
	escape(&t->b, value, "/:");
	t->any = true;
}

/* {"name":{"value":true}}, as the definition Filters says it */
int target_add_filters(struct cli *c, struct target *t, const struct flag_value *filters, struct err *e)
{
	struct docker_filters f = { 0 };
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);

	f.items = arena_array(&c->arena, filters->n + 1, sizeof *f.items);
	for (size_t i = 0; i < filters->n; i++) {
		struct slice key, value;
		uint32_t k = 0;
		if (!slice_cut(slice_of(filters->v[i]), '=', &key, &value))
			continue;
		key = slice_trim(key);
		const char *name = arena_dup(&c->arena, key);
		for (char *p = (char *)name; *p; p++)
			*p = (char)tolower((unsigned char)*p);
		while (k < f.n_items && strcmp(f.items[k].key, name) != 0)
			k++;
		if (k == f.n_items) {
			f.items[k].key = name;
			f.items[k].value = arena_array(&c->arena, filters->n, sizeof *f.items[k].value);
			f.n_items++;
		}
		f.items[k].value[f.items[k].n_value].key = arena_dup(&c->arena, slice_trim(value));
		f.items[k].value[f.items[k].n_value++].value = true;
	}
	if (!f.n_items)
		return 0;
	if (schema_to_json(T_docker_filters, &f, 0, &text) < 0)
		return err_nomem(e);
	target_add(t, "filters", text.ptr);
	return 0;
}

/* --- plugins ------------------------------------------------------------------- */

int api_plugin(struct cli *c, int argc, const char *const *argv)
{
	static const char *const dirs[] = { "/usr/local/lib/docker/cli-plugins", "/usr/local/libexec/docker/cli-plugins",
					    "/usr/lib/docker/cli-plugins", "/usr/libexec/docker/cli-plugins" };
	struct docker_cli_config *conf = config_get(c);
	const char **args = arena_array(&c->arena, (size_t)argc + c->globals.n * 2 + 4, sizeof *args), *path = NULL;

	if (!path_is_name(slice_of(argv[0])) || !args)
		return cli_no_command(c, argv[0]);
	for (uint32_t i = 0; i < conf->n_cli_plugins_extra_dirs && !path; i++)
		path = in_dir(c, conf->cli_plugins_extra_dirs[i], cli_fmt(c, "docker-%s", argv[0]));
	if (!path)
		path = in_dir(c, cli_fmt(c, "%s/cli-plugins", config_dir(c)), cli_fmt(c, "docker-%s", argv[0]));
	for (size_t i = 0; i < ARRAY_LEN(dirs) && !path; i++)
		path = in_dir(c, dirs[i], cli_fmt(c, "docker-%s", argv[0]));
	if (!path)
		return cli_no_command(c, argv[0]);
	args[0] = path;
	for (int i = 0; i < argc; i++)
		args[i + 1] = argv[i];
	const char *host = api_host(c);
	if (*host && !flag_changed(&c->globals, "context"))
		setenv("DOCKER_HOST", host, 0);
	execv(path, (char *const *)args);
	cli_warn(c, "docker: cannot execute %s: %s", path, strerror(errno));
	return 126;
}
