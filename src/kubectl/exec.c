/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that connect to a running container. */
#include "kubectl/commands.h"

int kctl_run_attached_wait(struct kctl *k, const struct kctl_target *t, struct err *e)
{
	return err_set(e, EOPNOTSUPP, "pod %s was made, but this kubectl cannot attach to it", t->name);
}
