/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/mounts.h"

#include <errno.h>
#include <linux/mount.h>

#include "base/test.h"

TEST(mountinfo_lines_are_taken_apart)
{
	struct slice text = SLICE("36 35 98:0 /mnt1 /mnt\\0402 rw,noatime shared:1 master:2 - ext3 /dev/root rw,errors=continue\n"
				  "1 0 0:2 / / rw - tmpfs none rw\n");
	struct sys_mountinfo m;
	char path[32];
	CHECK_INT(sys_mountinfo_next(&text, &m), 1);
	CHECK_INT(m.id, 36);
	CHECK_INT(m.major, 98);
	CHECK_SLICE(m.root, "/mnt1");
	CHECK(sys_mountinfo_path(m.mount_point, path, sizeof path));
	CHECK_STR(path, "/mnt 2");
	CHECK_SLICE(m.optional, "shared:1 master:2");
	CHECK_SLICE(m.super_options, "rw,errors=continue");
	CHECK_INT(sys_mountinfo_next(&text, &m), 1);
	CHECK_SLICE(m.optional, "");
	CHECK_SLICE(m.type, "tmpfs");
	CHECK_INT(sys_mountinfo_next(&text, &m), 0);
	text = SLICE("36 35 98:0 / / rw\n");
	CHECK_INT(sys_mountinfo_next(&text, &m), -EBADMSG);
}

TEST(mount_options_become_flags_and_data)
{
	static const char *const v[] = { "rbind", "ro", "nosuid", "rslave", "rro", "size=5m", "mode=755", "exec" };
	struct sys_mount_opts o;
	CHECK(sys_mount_options(v, 8, &o, NULL) == 0);
	CHECK(o.bind && o.recursive && o.n_propagation == 1);
	CHECK_INT(o.flags, 1 | 2);
	CHECK_INT(o.cleared, 8);
	CHECK_INT(o.rec_set, MOUNT_ATTR_RDONLY);
	CHECK_STR(o.data, "size=5m,mode=755");
	static const char *const back[] = { "ro", "rw" };
	CHECK(sys_mount_options(back, 2, &o, NULL) == 0);
	CHECK_INT(o.flags, 0);
}
