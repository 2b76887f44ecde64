/* SPDX-License-Identifier: Apache-2.0 */
/* The registry's role: flags, folders, rights, routes. */
#include "registry/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "registry/registry_int.h"

enum { UPLOAD_KEPT_S = 7 * 24 * 3600 };

const struct http_route reg_routes[] = {
	{ "GET", "/v2/", reg_base, NULL },
	{ "GET", "/v2", reg_base, NULL },
	{ "GET", "/v2/_catalog", reg_catalog, NULL },
	{ "POST", "/v2/{name:*}/blobs/uploads/", reg_start_upload, NULL },
	{ "POST", "/v2/{name:*}/blobs/uploads", reg_start_upload, NULL },
	{ "GET", "/v2/{name:*}/blobs/uploads/{uuid}", reg_upload_status, NULL },
	{ "PATCH", "/v2/{name:*}/blobs/uploads/{uuid}", reg_patch_upload, NULL },
	{ "PUT", "/v2/{name:*}/blobs/uploads/{uuid}", reg_put_upload, NULL },
	{ "DELETE", "/v2/{name:*}/blobs/uploads/{uuid}", reg_cancel_upload, NULL },
	{ "GET", "/v2/{name:*}/blobs/{digest}", reg_get_blob, NULL },
	{ "DELETE", "/v2/{name:*}/blobs/{digest}", reg_delete_blob, NULL },
	{ "GET", "/v2/{name:*}/manifests/{reference}", reg_get_manifest, NULL },
	{ "PUT", "/v2/{name:*}/manifests/{reference}", reg_put_manifest, NULL },
	{ "DELETE", "/v2/{name:*}/manifests/{reference}", reg_delete_manifest, NULL },
	{ "GET", "/v2/{name:*}/tags/list", reg_tags, NULL },
	{ "GET", "/v2/{name:*}/referrers/{digest}", reg_referrers, NULL },
};
const size_t reg_n_routes = ARRAY_LEN(reg_routes);

struct flags {
	const char *root, *addr, *cert, *key, *htpasswd;
};

static int read_flags(int argc, char **argv, struct flags *f)
{
	static const struct option rows[] = {
		{ "root", required_argument, NULL, 'r' }, { "addr", required_argument, NULL, 'a' }, { "tls-cert", required_argument, NULL, 'c' },
		{ "tls-key", required_argument, NULL, 'k' }, { "htpasswd", required_argument, NULL, 'p' }, { "run", required_argument, NULL, 'x' },
		{ "config", required_argument, NULL, 'x' }, { "help", no_argument, NULL, 'h' }, { 0 },
	};
	int c;
	optind = 1;
	while ((c = getopt_long(argc, argv, "", rows, NULL)) >= 0) {
		switch (c) {
		case 'r': f->root = optarg; break;
		case 'a': f->addr = optarg; break;
		case 'c': f->cert = optarg; break;
		case 'k': f->key = optarg; break;
		case 'p': f->htpasswd = optarg; break;
		case 'x': break;
		case 'h':
			puts("usage: coracle registry [--root DIR] [--addr HOST:PORT] [--tls-cert FILE --tls-key FILE] [--htpasswd FILE]");
			return 1;
		default:
			return -EINVAL;
		}
	}
	if (optind < argc || !f->cert != !f->key) {
		fprintf(stderr, "registry: %s\n", optind < argc ? "takes no arguments" : "--tls-cert and --tls-key go together");
		return -EINVAL;
	}
	return 0;
}

static int listen_at(const char *addr, struct err *e)
{
	int64_t port;
	ptrdiff_t colon = slice_rfind(slice_of(addr), ':');
	if (colon < 0 || num_parse_i64(slice_of(addr + colon + 1), 0, 65535, &port) < 0)
		return err_set(e, EINVAL, "--addr %s: must be HOST:PORT", addr);
	struct slice host = slice_n(addr, (size_t)colon);
	if (host.len > 2 && host.ptr[0] == '[')
		host = slice_n(host.ptr + 1, host.len - 2);
	AUTO(free) char *name = slice_dup(slice_is(host, "0.0.0.0") ? SLICE("") : host);
	return name ? listen_tcp(name, (unsigned)port, e) : err_nomem(e);
}

int reg_make_folders(struct registry *g, const char *root, struct err *e)
{
	static const char *const names[] = { "blobs", "repos", "uploads" };
	g->root = fmt_new("%s/registry", root);
	if (!g->root)
		return err_nomem(e);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		AUTO(free) char *path = fmt_new("%s/%s", g->root, names[i]);
		int r = path ? dir_make(AT_FDCWD, path, 0700) : -ENOMEM;
		if (r < 0)
			return err_sys(e, r, "making %s", path);
	}
	return 0;
}

/* Uploads that nobody went on with for a week. */
static void sweep_uploads(struct registry *g)
{
	AUTO(arena) struct arena a;
	const char **names;
	size_t n;
	arena_init(&a, 16 << 20);
	const char *dir = arena_fmt(&a, "%s/uploads", g->root);
	if (!dir || reg_list(&a, dir, &names, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		struct stat st;
		const char *path = arena_fmt(&a, "%s/%s", dir, names[i]);
		if (path && stat(path, &st) == 0 && time(NULL) - st.st_mtime > UPLOAD_KEPT_S)
			unlink(path);
	}
}

static int give_folders(const char *root, uid_t uid, gid_t gid)
{
	static const char *const names[] = { "", "blobs", "repos", "uploads" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		AUTO(free) char *path = fmt_new("%s/%s", root, names[i]);
		if (!path || chown(path, uid, gid) < 0)
			return -errno;
	}
	return 0;
}

/* Root becomes the user `coracle` where there is one that can reach the folder. */
static void drop_rights(struct registry *g)
{
	struct passwd *p = geteuid() == 0 ? getpwnam("coracle") : NULL;
	if (!p || give_folders(g->root, p->pw_uid, p->pw_gid) < 0)
		return;
	if (setegid(p->pw_gid) < 0 || seteuid(p->pw_uid) < 0)
		return;
	int ok = faccessat(AT_FDCWD, g->root, R_OK | W_OK | X_OK, AT_EACCESS);
	if (seteuid(0) < 0 || setegid(0) < 0)
		exit(1);
	if (ok < 0) {
		log_warn("the user coracle cannot reach the registry's folder, so it runs as root", "root=%s", g->root);
		if (give_folders(g->root, 0, 0) < 0)
			exit(1);
		return;
	}
	if (setgroups(0, NULL) < 0 || setresgid(p->pw_gid, p->pw_gid, p->pw_gid) < 0 || setresuid(p->pw_uid, p->pw_uid, p->pw_uid) < 0)
		exit(1);
}

static void on_signal(void *arg, int signal)
{
	loop_stop(arg);
}

static void log_request(struct http_request *r, int status, int64_t duration_ns)
{
	log_debug("request", "method=%.*s target=%.*s status=%d us=%lld", SLICE_FMT(r->method), SLICE_FMT(r->target), status,
		  (long long)(duration_ns / 1000));
}

static int serve(struct registry *g, const struct flags *f, int *fd, struct err *e)
{
	struct tls_config *tls = NULL;
	struct http_server *server = NULL;
	const struct http_server_config c = { .routes = reg_routes, .n_routes = ARRAY_LEN(reg_routes), .user = g, .before = reg_before,
					      .write_error = reg_write_error, .done = log_request };
	int r = 0;
	if (f->cert) {
		struct tls_files files = { .cert = f->cert, .key = f->key };
		if ((r = tls_config_new(&files, true, &tls, e)) < 0)
			return r;
	}
	if ((r = http_server_new(g->loop, &c, &server)) < 0)
		return err_sys(e, r, "starting the server");
	if ((r = http_server_listen(server, take_fd(fd), tls, e)) >= 0) {
		log_info("registry serves", "addr=%s root=%s tls=%s auth=%s", f->addr, g->root, f->cert ? "yes" : "no", g->has_auth ? "yes" : "no");
		r = loop_run(g->loop);
		if (r < 0)
			err_sys(e, r, "running");
	}
	http_server_free(server);
	tls_config_free(tls);
	return r;
}

int registry_main(int argc, char **argv)
{
	struct flags f = { .root = "/var/lib/coracle", .addr = "0.0.0.0:5000" };
	struct registry g = { 0 };
	struct err e = { 0 };
	AUTO(close) int fd = -1;
	int r = read_flags(argc, argv, &f);
	if (r != 0)
		return r < 0 ? 2 : 0;
	map_init(&g.uploads);
	map_init(&g.users);
	map_init(&g.verified);
	r = loop_new(&g.loop, &e);
	if (r >= 0 && f.htpasswd)
		r = reg_auth_load(&g, f.htpasswd, &e);
	if (r >= 0 && (r = reg_make_folders(&g, f.root, &e)) >= 0 && (r = fd = listen_at(f.addr, &e)) >= 0) {
		drop_rights(&g);
		sweep_uploads(&g);
		loop_signal(g.loop, SIGTERM, on_signal, g.loop);
		loop_signal(g.loop, SIGINT, on_signal, g.loop);
		r = serve(&g, &f, &fd, &e);
	}
	if (r < 0)
		log_error("registry cannot run", "error=%s", e.text);
	reg_uploads_release(&g);
	loop_free(g.loop);
	size_t at = 0;
	struct map_entry *m;
	while ((m = map_next(&g.users, &at)))
		free(m->value);
	map_release(&g.users);
	map_release(&g.verified);
	free(g.root);
	return r < 0 ? 1 : 0;
}
