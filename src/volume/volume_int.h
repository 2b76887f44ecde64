/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/map.h"
#include "volume/volume.h"

struct volume_item {
	struct volume v;
	struct arena arena;
	unsigned n_mounted;
	bool is_new;                 /* being made or removed: not to be found */
};
struct volumes {
	struct kv *kv;
	char *root;
	struct map by_name;          /* struct volume_item */
	struct volume_item **sorted; /* of the last walk */
	size_t n_sorted;
};

/* options.c: "rw,noatime,addr=1.2.3.4" -> mount(2) flags; what is no flag goes to data. */
unsigned long volume_mount_flags(struct slice o, struct buf *data);
/* Resolves addr= of network file systems to an address, as mount(8)'s helpers do. */
int volume_mount_data(const char *type, struct buf *data, struct err *e);
bool volume_is_mounted(const char *path);
