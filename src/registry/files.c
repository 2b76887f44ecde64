/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry's folders:
 *
 *   blobs/ALG/HEX                          content; its link count says how many repositories have it
 *   repos/NAME/_blobs/ALG/HEX              hard link to it
 *   repos/NAME/_manifests/ALG/HEX          manifest as sent; HEX.type beside it: its media type
 *   repos/NAME/_tags/TAG                   digest
 *   repos/NAME/_referrers/ALG/HEX/ALG-HEX  descriptor of a manifest whose subject is the folder's digest
 *   uploads/UUID                           bytes so far; UUID.repo beside it: the repository's name
 *
 * Pieces of a repository name never begin with '_', so the two cannot meet.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "base/vec.h"
#include "registry/registry_int.h"

/* "ALG/HEX" */
static const char *two(struct arena *a, const char *digest)
{
	struct slice alg, hex;
	slice_cut(slice_of(digest), ':', &alg, &hex);
	return arena_fmt(a, "%.*s/%.*s", SLICE_FMT(alg), SLICE_FMT(hex));
}

const char *reg_blob_path(struct registry *g, struct arena *a, const char *digest)
{
	return arena_fmt(a, "%s/blobs/%s", g->root, two(a, digest));
}

const char *reg_repo_blob_path(struct registry *g, struct arena *a, const char *repo, const char *digest)
{
	return arena_fmt(a, "%s/repos/%s/_blobs/%s", g->root, repo, two(a, digest));
}

const char *reg_manifest_path(struct registry *g, struct arena *a, const char *repo, const char *digest)
{
	return arena_fmt(a, "%s/repos/%s/_manifests/%s", g->root, repo, two(a, digest));
}

const char *reg_tag_path(struct registry *g, struct arena *a, const char *repo, const char *tag)
{
	return arena_fmt(a, "%s/repos/%s/_tags/%s", g->root, repo, tag);
}

const char *reg_referrers_dir(struct registry *g, struct arena *a, const char *repo, const char *subject)
{
	return arena_fmt(a, "%s/repos/%s/_referrers/%s", g->root, repo, two(a, subject));
}

const char *reg_upload_path(struct registry *g, struct arena *a, const char *uuid)
{
	return arena_fmt(a, "%s/uploads/%s", g->root, uuid);
}

bool reg_exists(const char *path, int64_t *size)
{
	struct stat st;
	if (!path || stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	if (size)
		*size = st.st_size;
	return true;
}

bool reg_has_repo(struct registry *g, struct arena *a, const char *repo)
{
	static const char *const parts[] = { "_manifests", "_blobs", "_tags" };
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		struct stat st;
		const char *p = arena_fmt(a, "%s/repos/%s/%s", g->root, repo, parts[i]);
		if (p && stat(p, &st) == 0)
			return true;
	}
	return false;
}

int reg_make_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	AUTO(free) char *dir = slice_dup(slice_n(path, (size_t)(slash - path)));
	return dir ? dir_make(AT_FDCWD, dir, 0700) : -ENOMEM;
}

int reg_sync_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	AUTO(free) char *dir = slice_dup(slice_n(path, (size_t)(slash - path)));
	AUTO(close) int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int reg_write_file(const char *path, struct slice data, struct err *e)
{
	int r = reg_make_parent(path);
	return r < 0 ? err_sys(e, r, "making the folder of %s", path) : file_write_atomic(AT_FDCWD, path, data, 0600, e);
}

int reg_read_file(struct arena *a, const char *path, size_t max, struct slice *ret, struct err *e)
{
	AUTO(buf) struct buf b = BUF_INIT(max);
	int r = file_read(AT_FDCWD, path, &b);
	if (r < 0)
		return err_sys(e, r, "reading %s", path);
	*ret = slice_n(arena_dup(a, buf_slice(&b)), b.len);
	return ret->ptr ? 0 : err_nomem(e);
}

int reg_link(const char *from, const char *to, struct err *e)
{
	int r = reg_make_parent(to);
	if (r < 0)
		return err_sys(e, r, "making the folder of %s", to);
	if (link(from, to) < 0 && errno != EEXIST)
		return err_sys(e, errno, "linking %s", to);
	r = reg_sync_parent(to);
	return r < 0 ? err_sys(e, r, "syncing the folder of %s", to) : 0;
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int reg_list(struct arena *a, const char *dir, const char ***ret, size_t *ret_n)
{
	VEC(const char *) v = { 0 };
	int r = 0;
	DIR *d = opendir(dir);
	struct dirent *x;
	*ret = NULL;
	*ret_n = 0;
	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while (r == 0 && (x = readdir(d))) {
		if (x->d_name[0] == '.')
			continue;
		const char *name = arena_strdup(a, x->d_name);
		r = name ? vec_push(&v, name) : -ENOMEM;
	}
	closedir(d);
	if (r == 0 && v.n) {
		qsort(v.v, v.n, sizeof v.v[0], compare_text);
		*ret = arena_array(a, v.n, sizeof v.v[0]);
		if (*ret)
			memcpy(*ret, v.v, v.n * sizeof v.v[0]);
		*ret_n = v.n;
		r = *ret ? 0 : -ENOMEM;
	}
	vec_release(&v);
	return r;
}
