/* SPDX-License-Identifier: Apache-2.0 */
/* Where manifests come from: files, folders, standard input, URLs. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "http/client.h"
#include "kubectl/kctl.h"

enum { FILE_MAX = 64 << 20, REDIRECTS_MOST = 5, DEPTH_MOST = 32 };

static bool is_manifest(const char *name)
{
	struct slice s = slice_of(name);
	return slice_ends(s, ".yaml") || slice_ends(s, ".yml") || slice_ends(s, ".json");
}

static int read_file(struct kctl *k, const char *path, struct kctl_targets *ret, struct err *e)
{
	struct buf text AUTO(buf) = BUF_INIT(FILE_MAX);
	bool in = !strcmp(path, "-");
	int r = in ? fd_slurp(0, &text) : file_read(AT_FDCWD, path, &text);
	if (r < 0)
		return err_sys(e, -r, "read %s", in ? "standard input" : path);
	char *copy = arena_dup(&k->arena, buf_slice(&text));
	return copy ? kctl_read_text(k, in ? "STDIN" : path, slice_n(copy, text.len), ret, e) : err_nomem(e);
}

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static int read_folder(struct kctl *k, const char *path, bool deep, unsigned depth, struct kctl_targets *ret, struct err *e)
{
	struct dirent **v;
	int n = scandir(path, &v, NULL, by_name), r = 0;
	if (n < 0)
		return err_sys(e, errno, "read folder %s", path);
	for (int i = 0; i < n; i++) {
		const char *name = v[i]->d_name, *full = kctl_fmt(k, "%s/%s", path, name);
		struct stat st;
		if (r == 0 && strcmp(name, ".") && strcmp(name, "..") && stat(full, &st) == 0) {
			if (S_ISDIR(st.st_mode) && deep && depth < DEPTH_MOST)
				r = read_folder(k, full, deep, depth + 1, ret, e);
			else if (S_ISREG(st.st_mode) && is_manifest(name))
				r = read_file(k, full, ret, e);
		}
		free(v[i]);
	}
	free(v);
	return r;
}

/* One GET; *again gets a redirect's address. */
static int fetch_once(struct kctl *k, const char *url, struct buf *out, const char **again, struct err *e)
{
	bool tls = !strncmp(url, "https://", 8);
	struct slice rest = slice_of(url + (tls ? 8 : 7)), host = rest, port = { 0 };
	const char *slash = memchr(rest.ptr, '/', rest.len);
	int64_t number = tls ? 443 : 80;
	if (slash)
		host.len = (size_t)(slash - rest.ptr);
	struct slice whole = host;
	if (slice_cut(host, ':', &host, &port) && num_parse_i64(port, 1, 65535, &number) < 0)
		return err_set(e, EINVAL, "the URL %s has a wrong port", url);
	struct tls_files files = { .verify_peer = true, .system_ca = true };
	struct tls_config *config = NULL;
	struct http_client *c = NULL;
	int r = tls ? tls_config_new(&files, false, &config, e) : 0;
	struct http_client_config hc = {
		.host = kctl_fmt(k, "%.*s", SLICE_FMT(host)), .port = (unsigned)number, .tls = config, .host_header = kctl_fmt(k, "%.*s", SLICE_FMT(whole)),
		.io_timeout_ns = 60 * NS_PER_S,
	};
	if (r == 0)
		r = http_client_new(k->loop, &hc, &c);
	struct http_header h[] = { { SLICE("User-Agent"), SLICE("kubectl/v1.36.0 (linux) coracle") }, { SLICE("Accept"), SLICE("*/*") } };
	struct http_call call = { .method = "GET", .target = slash ? slash : "/", .headers = { h, 2 } };
	if (r == 0)
		r = http_call_wait(c, &call, e);
	if (r == 0 && call.status >= 300 && call.status < 400) {
		struct slice to = http_header_get(&call.reply_headers, "Location");
		*again = to.len && *to.ptr == '/' ? kctl_fmt(k, "%s%.*s%.*s", tls ? "https://" : "http://", SLICE_FMT(whole), SLICE_FMT(to)) : kctl_fmt(k, "%.*s", SLICE_FMT(to));
	} else if (r == 0 && call.status != 200) {
		r = err_set(e, EIO, "unable to read URL \"%s\", server reported %d, status code=%d", url, call.status, call.status);
	} else if (r == 0) {
		r = http_call_body_wait(&call, FILE_MAX, out, e);
	}
	http_call_release(&call);
	http_client_free(c);
	tls_config_free(config);
	return r;
}

static int read_url(struct kctl *k, const char *url, struct kctl_targets *ret, struct err *e)
{
	struct buf text AUTO(buf) = BUF_INIT(FILE_MAX);
	const char *at = url, *again = url;
	int r = 0;
	for (int i = 0; again && r == 0; i++) {
		if (i > REDIRECTS_MOST)
			return err_set(e, ELOOP, "unable to read URL \"%s\": too many redirects", url);
		at = again;
		again = NULL;
		if (strncmp(at, "http://", 7) && strncmp(at, "https://", 8))
			return err_set(e, EINVAL, "unable to read URL \"%s\": only http and https are known", at);
		r = fetch_once(k, at, &text, &again, e);
	}
	if (r < 0)
		return r;
	char *copy = arena_dup(&k->arena, buf_slice(&text));
	return copy ? kctl_read_text(k, url, slice_n(copy, text.len), ret, e) : err_nomem(e);
}

int kctl_read_files_wait(struct kctl *k, struct kctl_targets *ret, struct err *e)
{
	const struct flag_value *files = flag_list(&k->f, "filename");
	bool deep = flag_known(&k->f, "recursive") && flag_bool(&k->f, "recursive");
	int r = kctl_client(k, e);
	if (r == 0 && flag_known(&k->f, "kustomize") && *flag_str(&k->f, "kustomize"))
		return err_set(e, EOPNOTSUPP, "kustomize folders (-k) are not supported by this kubectl: build the manifests with kustomize and pass them by -f -");
	ret->from_files = true;
	for (size_t i = 0; r == 0 && i < files->n; i++) {
		const char *f = files->v[i];
		struct stat st;
		if (!strncmp(f, "http://", 7) || !strncmp(f, "https://", 8))
			r = read_url(k, f, ret, e);
		else if (!strcmp(f, "-"))
			r = read_file(k, f, ret, e);
		else if (stat(f, &st) < 0)
			r = errno == ENOENT ? err_set(e, ENOENT, "the path \"%s\" does not exist", f) : err_sys(e, errno, "read %s", f);
		else
			r = S_ISDIR(st.st_mode) ? read_folder(k, f, deep, 0, ret, e) : read_file(k, f, ret, e);
	}
	if (r == 0 && !ret->n)
		return k->skipped ? 0 : err_set(e, EINVAL, "no objects passed to %s", k->cmd->path);
	for (size_t i = 1; i < ret->n; i++)
		ret->several_kinds |= strcmp(ret->v[i].kind.plural, ret->v[0].kind.plural) || strcmp(ret->v[i].kind.group, ret->v[0].kind.group);
	return r;
}
