/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal: made from the container's own devpts, so that its name is
 * right inside; the master goes up to whoever asked for it. The slave is used
 * by descriptor only: what /dev/console or /dev/pts is by then does not matter.
 */
#include "runtime/runtime_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "sys/mounts.h"
#include "sys/rootpath.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

int console_send(int sock, int master, struct err *e)
{
	/* The payload is the terminal's name, as runc sends it. */
	static const char name[] = "/dev/ptmx";
	ssize_t r = fd_send(sock, name, sizeof name - 1, &master, 1);
	return r < 0 ? err_sys(e, (int)r, "send the terminal over the console socket") : 0;
}

static int open_pair(int rootfd, int *ret_master, struct err *e)
{
	struct stat st;
	int unlock = 0;
	AUTO(close) int master = path_open_in_root(rootfd, "/dev/pts/ptmx", O_RDWR | O_NOCTTY, 0);
	if (master < 0)
		master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0 || fstat(master, &st) < 0)
		return err_sys(e, errno, "open a new terminal");
	if (!S_ISCHR(st.st_mode) || ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return err_sys(e, S_ISCHR(st.st_mode) ? errno : ENOTTY, "unlock the new terminal");
	int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return err_sys(e, errno, "open the new terminal's other side");
	*ret_master = take_fd(&master);
	return slave;
}

/* /dev/console shows the terminal. */
static int mount_console(int rootfd, int slave, struct err *e)
{
	AUTO(close) int mnt = sys_bind_open(slave, "", false);
	if (mnt < 0)
		return err_sys(e, mnt, "open the terminal for /dev/console");
	AUTO(close) int target = sys_root_make(rootfd, "/dev/console", false, 0666, e);
	if (target < 0)
		return target;
	int r = sys_mount_attach(mnt, target);
	return r < 0 ? err_sys(e, r, "mount the terminal on /dev/console") : 0;
}

int process_terminal(struct job *j, int rootfd, int is_init, struct err *e)
{
	const struct oci_process *p = j->process;
	AUTO(close) int master = -1;
	AUTO(close) int slave = open_pair(rootfd, &master, e);
	if (slave < 0)
		return slave;
	if (p->console_size && (p->console_size->width || p->console_size->height)) {
		struct winsize w = { .ws_row = (unsigned short)p->console_size->height,
				     .ws_col = (unsigned short)p->console_size->width };
		if (ioctl(slave, TIOCSWINSZ, &w) < 0)
			return err_sys(e, errno, "set the terminal's size");
	}
	int r = is_init ? mount_console(rootfd, slave, e) : 0;
	if (r < 0)
		return r;
	r = sync_send(j->sync, SYNC_MASTER, NULL, master);
	if (r < 0)
		return err_sys(e, r, "hand the terminal up");
	for (int fd = 0; fd < 3; fd++)
		if (dup2(slave, fd) < 0)
			return err_sys(e, errno, "set up descriptor %d", fd);
	if (ioctl(0, TIOCSCTTY, 0) < 0)
		return err_sys(e, errno, "make the terminal the controlling one");
	return 0;
}
