/* SPDX-License-Identifier: Apache-2.0 */
/* Where the program is and what it gets; with the sentences that Docker's client tells 126 and 127 from. */
#include "runtime/runtime_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "runtime/process_int.h"

/* 0, or why it cannot be executed. */
static int executable(const char *path)
{
	struct stat st;
	if (stat(path, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!(st.st_mode & 0111) || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
		return -EACCES;
	return 0;
}

static const char *env_get(const char *const *env, uint32_t n, const char *key)
{
	size_t k = strlen(key);
	const char *found = NULL;
	for (uint32_t i = 0; i < n; i++)
		if (!strncmp(env[i], key, k) && env[i][k] == '=')
			found = env[i] + k + 1;
	return found;
}

int find_executable(const char *name, const char *const *env, uint32_t n_env, char *dst, size_t size, struct err *e)
{
	if (strchr(name, '/')) {
		int r = executable(name);
		if (r == -ENOENT || r == -ENOTDIR)
			return err_set(e, ENOENT, "exec: \"%s\": stat %s: %s", name, name,
				       r == -ENOENT ? "no such file or directory" : "not a directory");
		if (r == -EISDIR)
			return err_set(e, EACCES, "exec: \"%s\": is a directory", name);
		if (r < 0)
			return err_set(e, EACCES, "exec: \"%s\": permission denied", name);
		return fmt_into(dst, size, "%s", name) ? 0 : err_sys(e, ENAMETOOLONG, "exec: \"%s\"", name);
	}
	const char *path = env_get(env, n_env, "PATH");
	struct slice rest = slice_of(path ? path : ""), one;
	int denied = 0;
	while (*name && slice_next(&rest, ':', &one)) {
		if (!fmt_into(dst, size, "%.*s/%s", one.len ? (int)one.len : 1, one.len ? one.ptr : ".", name))
			continue;
		int r = executable(dst);
		if (r == 0)
			return 0;
		denied |= r == -EACCES;
	}
	if (denied)
		return err_set(e, EACCES, "exec: \"%s\": permission denied", name);
	return err_set(e, ENOENT, "exec: \"%s\": executable file not found in $PATH", name);
}

/* The home folder of a uid in the root's /etc/passwd, "/" when there is none. */
static const char *home_of(struct arena *a, uint32_t uid)
{
	AUTO(buf) struct buf text = BUF_INIT(4 << 20);
	struct slice line, rest, name, field, home;
	if (file_read(AT_FDCWD, "/etc/passwd", &text) < 0)
		return "/";
	rest = buf_slice(&text);
	while (slice_next(&rest, '\n', &line)) {
		uint64_t n;
		struct slice at = line;
		if (!slice_next(&at, ':', &name) || !slice_next(&at, ':', &field) || !slice_next(&at, ':', &field) ||
		    num_parse_u64(field, UINT32_MAX, &n) < 0 || n != uid)
			continue;
		if (slice_next(&at, ':', &field) && slice_next(&at, ':', &field) && slice_next(&at, ':', &home) && home.len)
			return arena_dup(a, home);
	}
	return "/";
}

int process_home(struct job *j, struct err *e)
{
	const struct oci_process *p = j->process;
	j->argv = arena_array(j->arena, p->n_args + 1, sizeof *j->argv);
	j->envp = arena_array(j->arena, p->n_env + 2, sizeof *j->envp);
	if (!j->argv || !j->envp)
		return err_nomem(e);
	memcpy(j->argv, p->args, p->n_args * sizeof *j->argv);
	if (p->n_env)
		memcpy(j->envp, p->env, p->n_env * sizeof *j->envp);
	const char *home = env_get(p->env, p->n_env, "HOME");
	if (home && *home)
		return 0;
	home = home_of(j->arena, p->user.uid);
	char *entry = home ? arena_fmt(j->arena, "HOME=%s", home) : NULL;
	if (!entry)
		return err_nomem(e);
	/* An empty HOME= in front of it would win in getenv: put ours in its place. */
	uint32_t at = 0;
	while (at < p->n_env && strncmp(p->env[at], "HOME=", 5))
		at++;
	j->envp[at] = entry;
	return 0;
}
