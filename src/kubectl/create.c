/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl create -f. The generators (`create deployment` …) are in generate.c. */
#include <string.h>

#include "kubectl/commands.h"

int kcmd_create(struct kctl *k, struct err *e)
{
	struct kctl_targets all = { 0 };
	const char *dry;
	int r = kctl_dry_run(k, &dry, e), failed = 0;
	if (r == 0 && !flag_list(&k->f, "filename")->n)
		return kctl_usage(k, e, "must specify one of -f and -k");
	if (r == 0)
		r = kctl_read_files_wait(k, &all, e);
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		struct kctl_target *t = &all.v[i];
		struct tree got;
		struct err why = { 0 };
		if (!strcmp(dry, "client")) {
			r = kctl_print_done(k, t, &t->object, "created", e);
			continue;
		}
		int one = kctl_send_wait(k, "POST", kctl_path(k, &t->kind, t->ns, NULL, NULL, kctl_write_query(k, "kubectl-create")), NULL, &t->object, &got, &why);
		if (one == 0)
			one = kctl_print_done(k, t, &got, "created", &why);
		if (one < 0) {
			if (k->long_error && !strncmp(k->long_error, "Error from server", 17) && all.from_files) {
				const char *colon = strchr(k->long_error, ':');
				k->long_error = kctl_fmt(k, "%.*s: error when creating \"%s\"%s", (int)(colon - k->long_error), k->long_error, t->source, colon);
			}
			kctl_failed(k, &why);
			failed = 1;
		}
	}
	return r < 0 ? r : failed;
}
