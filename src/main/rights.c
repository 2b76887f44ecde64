/* SPDX-License-Identifier: Apache-2.0 */
#include "main/rights.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"

static uid_t new_uid;           /* for nftw, which hands nothing through; set once, before threads */
static gid_t new_gid;

static int give(const char *path, const struct stat *st, int type, struct FTW *f)
{
	return st->st_uid == new_uid && st->st_gid == new_gid ? 0 : lchown(path, new_uid, new_gid);
}

/* Would the user get to the folder? Those above it may be closed to others, as in tests and home folders. */
static bool can_reach(const char *folder)
{
	if (setegid(new_gid) < 0 || seteuid(new_uid) < 0)
		return false;
	bool ok = faccessat(AT_FDCWD, folder, R_OK | W_OK | X_OK, AT_EACCESS) == 0;
	return seteuid(0) == 0 && setegid(0) == 0 && ok;
}

int rights_drop(const char *user, const char *folder, struct err *e)
{
	struct rlimit files;
	if (geteuid() != 0 || (user && !strcmp(user, "root")))
		return 0;
	struct passwd *p = getpwnam(user ? user : "coracle");
	if (!p && user)
		return err_set(e, ENOENT, "no user %s", user);
	new_uid = p ? p->pw_uid : RIGHTS_UID;
	new_gid = p ? p->pw_gid : RIGHTS_UID;
	if (nftw(folder, give, 32, FTW_PHYS) < 0)
		return err_sys(e, errno, "give %s to user %u", folder, (unsigned)new_uid);
	if (!can_reach(folder)) {
		log_warn("the unprivileged user cannot reach the folder, so the role runs as root", "user=%u folder=%s", (unsigned)new_uid, folder);
		new_uid = 0;
		new_gid = 0;
		return nftw(folder, give, 32, FTW_PHYS) < 0 ? err_sys(e, errno, "give %s back", folder) : 0;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (setgroups(0, NULL) < 0 || setresgid(new_gid, new_gid, new_gid) < 0 || setresuid(new_uid, new_uid, new_uid) < 0)
		return err_sys(e, errno, "become user %u", (unsigned)new_uid);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return 0;
}
