/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a repository's registry is: docker.io means the mirrors and then the
 * hub; a loopback host or one named in insecure-registries may also be spoken
 * to without a valid certificate or without TLS, in that order, as Docker does.
 * Certificates: CONFIG/certs.d/HOST and /etc/docker/certs.d/HOST.
 */
#include "image/dist_int.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/num.h"

/* --- who may be insecure ---------------------------------------------------------- */

static bool in_cidr(const char *host, struct slice cidr)
{
	struct slice net, bits;
	unsigned char a[16], b[16];
	int64_t n;
	char text[64];
	if (!slice_cut(cidr, '/', &net, &bits) || !fmt_into(text, sizeof text, "%.*s", SLICE_FMT(net)))
		return false;
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;
	if (num_parse_i64(bits, 0, family == AF_INET ? 32 : 128, &n) < 0 || inet_pton(family, text, a) != 1 || inet_pton(family, host, b) != 1)
		return false;
	for (int64_t i = 0; i < n; i++)
		if ((a[i / 8] ^ b[i / 8]) & (0x80 >> i % 8))
			return false;
	return true;
}

static bool is_insecure(struct image_store *s, const struct url *u)
{
	if (strcmp(u->host, "localhost") == 0 || strcmp(u->host, "::1") == 0 || in_cidr(u->host, SLICE("127.0.0.0/8")))
		return true;
	for (size_t i = 0; i < s->insecure.n; i++) {
		struct slice x = slice_of(s->insecure.v[i]);
		if (slice_is(x, u->authority) || slice_is(x, u->host) || in_cidr(u->host, x))
			return true;
	}
	return false;
}

/* --- certificates ------------------------------------------------------------------- */

static const char *first_file(struct dist *d, const char *dir, const char *suffix)
{
	const char *found = NULL;
	DIR *x = opendir(dir);
	struct dirent *n;
	while (x && (n = readdir(x)))
		if (n->d_name[0] != '.' && slice_ends(slice_of(n->d_name), suffix) && (!found || strcmp(n->d_name, strrchr(found, '/') + 1) < 0))
			found = arena_fmt(&d->a, "%s/%s", dir, n->d_name);
	if (x)
		closedir(x);
	return found;
}

int dist_tls(struct dist *d, const struct url *u, bool verify, struct tls_config **ret, struct err *e)
{
	struct tls_files f = { .verify_peer = verify, .system_ca = true };
	const char *const roots[] = { d->s->config_dir, "/etc/docker" };
	for (size_t i = 0; i < ARRAY_LEN(roots) && !f.ca && !f.cert; i++) {
		const char *dir = arena_fmt(&d->a, "%s/certs.d/%s", roots[i], u->authority);
		if (!dir)
			return err_nomem(e);
		f.ca = first_file(d, dir, ".crt");
		f.cert = first_file(d, dir, ".cert");
		f.key = f.cert ? arena_fmt(&d->a, "%.*s.key", (int)(strlen(f.cert) - 5), f.cert) : NULL;
	}
	return tls_config_new(&f, false, ret, e);
}

int dist_client(struct dist *d, const struct url *u, struct tls_config *tls, struct http_client **ret, struct err *e)
{
	/* where plain HTTP comes next, a server that does not understand the TLS hello must not hold us up */
	bool is_trial = tls && d->ends[d->at].may_be_insecure;
	struct http_client_config c = { .host = u->host, .port = u->port, .tls = tls, .host_header = u->authority,
					.connect_timeout_ns = (is_trial ? 3 : 20) * NS_PER_S, .io_timeout_ns = 60 * NS_PER_S };
	int r = http_client_new(d->s->loop, &c, ret);
	return r < 0 ? err_sys(e, r, "preparing for %s", u->authority) : 0;
}

/* --- endpoints ------------------------------------------------------------------------- */

static int add_url(struct dist *d, const char *text, bool is_mirror, struct err *e)
{
	struct url u;
	int r = url_parse(slice_of(text), NULL, &d->a, &u, e);
	if (r < 0)
		return r;
	if (d->n_ends == DIST_ENDPOINTS_MAX)
		return err_set(e, E2BIG, "too many registry mirrors");
	size_t n = strlen(u.target);
	u.target = arena_fmt(&d->a, "%.*s", (int)(n && u.target[n - 1] == '/' ? n - 1 : n), u.target);
	if (!u.target)
		return err_nomem(e);
	d->ends[d->n_ends++] = (struct endpoint){ .url = u, .is_mirror = is_mirror };
	return 0;
}

static int add_endpoints(struct dist *d, struct err *e)
{
	int r = 0;
	if (strcmp(d->ref->domain, REF_HUB) == 0) {
		for (size_t i = 0; i < d->s->mirrors.n && d->access == DIST_PULL && r >= 0; i++)
			r = add_url(d, d->s->mirrors.v[i], true, e);
		return r < 0 ? r : add_url(d, d->s->hub, false, e);
	}
	const char *https = arena_fmt(&d->a, "https://%s/", d->ref->domain), *http = arena_fmt(&d->a, "http://%s/", d->ref->domain);
	if (!https || !http)
		return err_nomem(e);
	if ((r = add_url(d, https, false, e)) < 0 || !is_insecure(d->s, &d->ends[d->n_ends - 1].url))
		return r;
	d->ends[d->n_ends - 1].may_be_insecure = true;
	return add_url(d, http, false, e);
}

int dist_new(struct image_store *s, const struct ref *r, const struct image_auth *auth, enum dist_access access, struct dist **ret, struct err *e)
{
	AUTO(dist) struct dist *d = calloc(1, sizeof *d);
	if (!d)
		return err_nomem(e);
	d->s = s;
	d->ref = r;
	d->auth = auth;
	d->access = access;
	arena_init(&d->a, 4 << 20);
	fmutex_init(&d->auth_lock);
	int x = add_endpoints(d, e);
	if (x < 0)
		return x;
	*ret = take_ptr(d);
	return 0;
}

void dist_free(struct dist *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n_ends; i++) {
		http_client_free(d->ends[i].client);
		tls_config_free(d->ends[i].tls);
	}
	free(d->authorization);
	arena_release(&d->a);
	free(d);
}

const char *dist_last_code(const struct dist *d)
{
	return d->last_code;
}
