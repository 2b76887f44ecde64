/* SPDX-License-Identifier: Apache-2.0 */
/* Lists in pages: the tags of a repository, the catalogue of repositories. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "api/dist.h"
#include "base/auto.h"
#include "base/num.h"
#include "base/vec.h"
#include "registry/registry_int.h"

enum { REG_REPOS_MAX = 100000, REG_DEPTH_MAX = 64 };

int reg_base(struct http_request *r, struct err *e)
{
	return http_reply(r, 200, "application/json", SLICE("{}"));
}

/* Cuts the sorted list to what ?n= and ?last= ask for and adds the Link to the next page. 1 after an error was sent. */
static int page(struct http_request *r, const char *where, int64_t usual, const char ***v, size_t *n)
{
	const char *most = http_query_get(&r->query, "n"), *last = http_query_get(&r->query, "last");
	int64_t limit = usual;
	size_t from = 0;
	if (most && num_parse_i64(slice_of(most), 0, INT32_MAX, &limit) < 0) {
		reg_fail(r, REG_UNSUPPORTED, "n is no number");
		return 1;
	}
	if (last)
		while (from < *n && strcmp((*v)[from], last) <= 0)
			from++;
	*v += from;
	*n -= from;
	if (limit < 0 || (size_t)limit >= *n)
		return 0;
	*n = (size_t)limit;
	if (limit > 0) {
		AUTO(buf) struct buf link = BUF_INIT(4096);
		buf_addf(&link, "<%s?n=%lld&last=", where, (long long)limit);
		http_percent_encode(&link, slice_of((*v)[*n - 1]));
		buf_adds(&link, ">; rel=\"next\"");
		http_header_add(r, "Link", link.ptr);
	}
	return 0;
}

int reg_tags(struct http_request *r, struct err *e)
{
	struct registry *g = r->user;
	AUTO(buf) struct buf text = BUF_INIT(64 << 20);
	const char **v;
	size_t n;
	const char *name = reg_name(r);
	if (!name)
		return 0;
	if (!reg_has_repo(g, r->arena, name))
		return reg_fail(r, REG_NAME_UNKNOWN, name);
	const char *dir = arena_fmt(r->arena, "%s/repos/%s/_tags", g->root, name), *where = arena_fmt(r->arena, "/v2/%s/tags/list", name);
	int x = dir && where ? reg_list(r->arena, dir, &v, &n) : -ENOMEM;
	if (x < 0)
		return err_sys(e, x, "listing tags");
	if (page(r, where, -1, &v, &n))
		return 0;
	struct dist_tags t = { .name = name, .tags = v ? v : (const char *[]){ NULL }, .n_tags = (uint32_t)n };
	if (schema_to_json(T_dist_tags, &t, 0, &text) < 0 || buf_error(&text) < 0)
		return err_nomem(e);
	return http_reply(r, 200, "application/json", buf_slice(&text));
}

/* --- the catalogue ---------------------------------------------------------------------- */

struct walk {
	struct registry *g;
	struct arena a;
	VEC(const char *) found;
	int error;
};

static void walk_repos(struct walk *w, const char *dir, const char *name, int depth)
{
	DIR *d = depth < REG_DEPTH_MAX && !w->error ? opendir(dir) : NULL;
	struct dirent *x;
	bool is_repo = false;
	if (!d)
		return;
	while (!w->error && (x = readdir(d))) {
		if (x->d_name[0] == '.')
			continue;
		if (x->d_name[0] == '_') {
			is_repo |= strcmp(x->d_name, "_manifests") == 0;
			continue;
		}
		const char *path = arena_fmt(&w->a, "%s/%s", dir, x->d_name);
		const char *full = arena_fmt(&w->a, "%s%s%s", name, *name ? "/" : "", x->d_name);
		if (!path || !full)
			w->error = -ENOMEM;
		else
			walk_repos(w, path, full, depth + 1);
	}
	closedir(d);
	if (is_repo && w->found.n < REG_REPOS_MAX && vec_push(&w->found, name) < 0)
		w->error = -ENOMEM;
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int walk_job(void *arg)
{
	struct walk *w = arg;
	const char *dir = arena_fmt(&w->a, "%s/repos", w->g->root);
	if (!dir)
		return -ENOMEM;
	walk_repos(w, dir, "", 0);
	if (w->found.n > 1)
		qsort(w->found.v, w->found.n, sizeof w->found.v[0], compare_text);
	return w->error;
}

int reg_catalog(struct http_request *r, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(64 << 20);
	struct walk w = { .g = r->user };
	arena_init(&w.a, 64 << 20);
	int x = job_wait(walk_job, &w);
	const char **v = w.found.v;
	size_t n = w.found.n;
	if (x < 0) {
		x = err_sys(e, x, "listing repositories");
	} else if (page(r, "/v2/_catalog", 100, &v, &n) == 0) {
		struct dist_catalog c = { .repositories = v ? v : (const char *[]){ NULL }, .n_repositories = (uint32_t)n };
		if (schema_to_json(T_dist_catalog, &c, 0, &text) < 0 || buf_error(&text) < 0)
			x = err_nomem(e);
		else
			x = http_reply(r, 200, "application/json", buf_slice(&text));
	}
	vec_release(&w.found);
	arena_release(&w.a);
	return x;
}
