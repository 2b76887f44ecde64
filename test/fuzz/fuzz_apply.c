/* SPDX-License-Identifier: Apache-2.0 */
/* Two documents as a live object (with its managedFields) and a configuration: applied, tracked, and applied once more. */
#include "api/kube.h"
#include "base/assert.h"
#include "schema/apply.h"
#include "split.h"

static void run(struct schema_node node, const struct tree *live, const struct tree *config, struct arena *a)
{
	struct apply_who who = { .node = node, .api_version = "apps/v1", .manager = "kubectl", .now = "2026-01-01T00:00:00Z", .is_forced = true,
		.reset = "status" };
	struct tree out, again;
	struct apply_conflicts c;
	struct err e;
	bool changed;
	if (apply_patch(&who, live, config, a, &out, &changed, &c, &e) == 0 && apply_patch(&who, &out, config, a, &again, &changed, &c, &e) == 0)
		must(!changed || tree_equal(&out, &again) || live->type != TREE_MAP || tree_path(live, "metadata.managedFields"));
	(void)apply_track(&who, live, config, a, &out, &e);
	(void)apply_track(&who, NULL, config, a, &out, &e);
	(void)apply_check_managed(live, &e);
	who.is_forced = false;
	(void)apply_patch(&who, live, config, a, &out, &changed, &c, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = slice_n(data, size);
	struct arena a;
	struct err e;
	if (size > 1 << 13)
		return 0;
	arena_init(&a, 64 << 20);
	struct tree x = next_tree(&rest, &a), y = next_tree(&rest, &a), back;
	struct fields f, g;
	run(schema_node_of(T_kube_deployment), &x, &y, &a);
	run(schema_node_any(), &x, &y, &a);
	if (fields_from_tree(&x, &a, &f, &e) == 0) {
		must(fields_to_tree(&f, &a, &back) == 0 && fields_from_tree(&back, &a, &g, &e) == 0);
		must(fields_equal(&f, &g));
	}
	arena_release(&a);
	return 0;
}
