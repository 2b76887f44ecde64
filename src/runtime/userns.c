/* SPDX-License-Identifier: Apache-2.0 */
/* uid_map and gid_map of a child: written directly, through newuidmap where we may not. user_namespaces(7). */
#include "runtime/runtime_int.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

static int helper(const char *program, pid_t pid, const struct oci_linux_id_mapping *m, uint32_t n, struct err *e)
{
	char text[64][16], *argv[64] = { (char *)program, text[1] };
	uint32_t k = 2;
	if (n > 20)
		return err_set(e, E2BIG, "%s: more than 20 mappings", program);
	fmt_into(text[1], sizeof text[1], "%d", pid);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t v[3] = { m[i].container_id, m[i].host_id, m[i].size };
		for (int x = 0; x < 3; x++, k++) {
			fmt_into(text[k], sizeof text[k], "%u", v[x]);
			argv[k] = text[k];
		}
	}
	argv[k] = NULL;
	pid_t child = fork();
	if (child == 0) {
		execvp(program, argv);
		_exit(127);
	}
	int status = 0;
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return err_sys(e, errno, "run %s", program);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return err_set(e, ENOENT, "%s is not installed", program);
	return status == 0 ? 0 : err_set(e, EPERM, "%s failed", program);
}

static int write_map(pid_t pid, const char *file, const char *program, const struct oci_linux_id_mapping *m, uint32_t n,
		     struct err *e)
{
	char path[64];
	AUTO(buf) struct buf text = BUF_INIT(4095);
	for (uint32_t i = 0; i < n; i++)
		buf_addf(&text, "%u %u %u\n", m[i].container_id, m[i].host_id, m[i].size);
	if (buf_error(&text) < 0)
		return err_set(e, E2BIG, "too many id mappings");
	fmt_into(path, sizeof path, "/proc/%d/%s", pid, file);
	int r = file_poke(AT_FDCWD, path, text.ptr);
	if (r == -EPERM && geteuid() != 0)
		return helper(program, pid, m, n, e);
	return r < 0 ? err_sys(e, r, "write %s", file) : 0;
}

int userns_map(pid_t pid, const struct oci_linux *l, struct err *e)
{
	char path[64];
	if (geteuid() != 0 && l->n_gid_mappings == 1 && l->gid_mappings[0].size == 1) {
		fmt_into(path, sizeof path, "/proc/%d/setgroups", pid);
		(void)file_poke(AT_FDCWD, path, "deny");
	}
	int r = write_map(pid, "gid_map", "newgidmap", l->gid_mappings, l->n_gid_mappings, e);
	return r < 0 ? r : write_map(pid, "uid_map", "newuidmap", l->uid_mappings, l->n_uid_mappings, e);
}
