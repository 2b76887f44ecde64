/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Basic authentication against an htpasswd file (bcrypt only, as Docker's
 * registry). bcrypt is slow on purpose, so it runs on a worker and what was
 * right once is remembered by the digest of the header, not by the header.
 */
#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/fd.h"
#include "codec/base64.h"
#include "registry/registry_int.h"

enum { HTPASSWD_MAX = 1 << 20, VERIFIED_MAX = 1024 };

int reg_auth_load(struct registry *g, const char *path, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(HTPASSWD_MAX);
	int r = file_read(AT_FDCWD, path, &text);
	if (r < 0)
		return err_sys(e, r, "reading %s", path);
	struct slice rest = buf_slice(&text), line, name, hash;
	while (slice_next(&rest, '\n', &line)) {
		line = slice_trim(line);
		if (line.len == 0 || line.ptr[0] == '#')
			continue;
		if (!slice_cut(line, ':', &name, &hash) || !slice_starts(hash, "$2"))
			return err_set(e, EINVAL, "%s: only bcrypt passwords are taken (htpasswd -B)", path);
		char *copy = slice_dup(hash);
		void *old = NULL;
		if (!copy || map_set(&g->users, name, copy, &old) < 0) {
			free(copy);
			return err_nomem(e);
		}
		free(old);
	}
	g->has_auth = true;
	return 0;
}

struct verify_job { const char *password, *hash; };

static int verify_job(void *arg)
{
	struct verify_job *j = arg;
	AUTO(free) struct crypt_data *d = calloc(1, sizeof *d);
	if (!d)
		return -ENOMEM;
	const char *got = crypt_rn(j->password, j->hash, d, sizeof *d);   /* crypt_r, but known to no sanitizer */
	size_t n = strlen(j->hash);
	if (!got || strlen(got) != n)
		return -EACCES;
	unsigned char diff = 0;
	for (size_t i = 0; i < n; i++)
		diff |= (unsigned char)(got[i] ^ j->hash[i]);
	return diff ? -EACCES : 0;
}

static void remember(struct registry *g, const char *key)
{
	if (g->verified.n >= VERIFIED_MAX) {
		map_release(&g->verified);
		map_init(&g->verified);
	}
	map_sets(&g->verified, key, g);
}

static int check_wait(struct registry *g, struct slice value)
{
	AUTO(buf) struct buf plain = BUF_INIT(8192);
	char key[DIGEST_MAX];
	struct slice name, password;
	if (!slice_starts(value, "Basic ") || digest_of(DIGEST_SHA256, value, key) < 0)
		return -EACCES;
	if (map_gets(&g->verified, key))
		return 0;
	if (base64_decode(&plain, slice_trim(slice_n(value.ptr + 6, value.len - 6))) < 0 || !slice_cut(buf_slice(&plain), ':', &name, &password))
		return -EACCES;
	const char *hash = map_get(&g->users, name);
	/* an unknown name takes as long as a wrong password */
	struct verify_job j = { password.ptr, hash ? hash : "$2y$05$abcdefghijklmnopqrstuuIiB2Dc8TVRHFyn5uKZjLjqsPt0cTPyG" };
	int r = job_wait(verify_job, &j);
	if (r < 0 || !hash)
		return -EACCES;
	remember(g, key);
	return 0;
}

int reg_before(struct http_request *r, const char **path, struct err *e)
{
	struct registry *g = r->user;
	http_header_add(r, "Docker-Distribution-Api-Version", "registry/2.0");
	http_header_add(r, "X-Content-Type-Options", "nosniff");
	if (!g->has_auth || check_wait(g, http_header_get(&r->headers, "Authorization")) >= 0)
		return 0;
	http_header_add(r, "WWW-Authenticate", "Basic realm=\"coracle registry\"");
	return err_set(e, EKEYREJECTED, "authentication required");
}
