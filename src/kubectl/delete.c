/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl delete: asks for it, then waits until the object is gone. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/fiber.h"
#include "kubectl/commands.h"

static int on_gone(void *arg, const char *type, const struct tree *object, struct arena *a)
{
	const char *uid = arg;
	struct slice s = tree_text(tree_path(object, "metadata.uid"));
	return !strcmp(type, "DELETED") && (!*uid || slice_is(s, uid));
}

/* Until the object with this uid is no more. */
int kctl_await_gone_wait(struct kctl *k, const struct kctl_target *t, const char *uid, int64_t timeout_ns, struct err *e)
{
	int64_t end = timeout_ns > 0 ? clock_monotonic_ns() + timeout_ns : 0;
	for (;;) {
		struct tree list;
		int64_t left = end ? end - clock_monotonic_ns() : 0;
		const char *q = kctl_query(k, NULL, "fieldSelector", kctl_fmt(k, "metadata.name=%s", t->name));
		if (end && left <= 0)
			return err_set(e, ETIMEDOUT, "timed out waiting for the condition on %s/%s", t->kind.plural, t->name);
		int r = kctl_get_wait(k, kctl_path(k, &t->kind, t->ns, NULL, NULL, q), &list, e);
		if (r < 0)
			return r == -ENOENT ? (k->long_error = NULL, 0) : r;
		const struct tree *item = tree_at(tree_gets(&list, "items"), 0);
		if (!item || (*uid && strcmp(kctl_text_at(k, item, "metadata.uid"), uid)))
			return 0;
		q = kctl_query(k, q, "resourceVersion", kctl_text_at(k, &list, "metadata.resourceVersion"));
		r = kctl_watch_wait(k, kctl_path(k, &t->kind, t->ns, NULL, NULL, q), NULL, left, on_gone, (void *)uid, e);
		if (r == 1)
			return 0;
		if (r < 0 && r != -ETIMEDOUT && r != -ESTALE)
			return r;
		k->long_error = NULL;
	}
}

static int options_of(struct kctl *k, struct tree *ret, struct err *e)
{
	static const struct { const char *word, *policy; } cascades[] = {
		{ "background", "Background" }, { "true", "Background" }, { "", "Background" }, { "foreground", "Foreground" }, { "orphan", "Orphan" }, { "false", "Orphan" },
	};
	int64_t grace = flag_num(&k->f, "grace-period");
	bool force = flag_bool(&k->f, "force"), now = flag_bool(&k->f, "now");
	*ret = tree_map();
	if (now && grace >= 0)
		return err_set(e, EINVAL, "--now and --grace-period cannot be specified together");
	if (now)
		grace = 1;
	if (force && grace < 0)
		grace = 0;
	if (grace == 0 && !force)
		grace = 1; /* as kubectl: only --force removes at once */
	if (force)
		kctl_warn(k, "Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may continue to run on the cluster indefinitely.");
	kctl_set_text(k, ret, "kind", "DeleteOptions");
	kctl_set_text(k, ret, "apiVersion", "v1");
	if (grace >= 0)
		kctl_set_int(k, ret, "gracePeriodSeconds", grace);
	for (size_t i = 0; i < ARRAY_LEN(cascades); i++)
		if (!strcmp(flag_str(&k->f, "cascade"), cascades[i].word)) {
			kctl_set_text(k, ret, "propagationPolicy", cascades[i].policy);
			return 0;
		}
	return err_set(e, EINVAL, "invalid cascade value (%s). Must be \"background\", \"foreground\", or \"orphan\"", flag_str(&k->f, "cascade"));
}

static bool agreed(struct kctl *k, const struct kctl_targets *all)
{
	char line[16] = "";
	kctl_print(k, "You are about to delete the following %zu resource(s):\n", all->n);
	for (size_t i = 0; i < all->n; i++)
		kctl_print(k, "%s/%s\n", kctl_kind_text(k, &all->v[i].kind), all->v[i].name);
	kctl_print(k, "Do you want to continue? (y/N): ");
	kctl_flush(k);
	return fgets(line, sizeof line, stdin) && (line[0] == 'y' || line[0] == 'Y');
}

struct gone { const struct kctl_target *t; const char *uid; };

int kcmd_delete(struct kctl *k, struct err *e)
{
	struct kctl_targets all = { 0 };
	struct tree options;
	const char *dry;
	int r = kctl_dry_run(k, &dry, e), failed = 0;
	if (r == 0)
		r = options_of(k, &options, e);
	if (r == 0 && *flag_str(&k->f, "raw"))
		return kctl_call_wait(k, "DELETE", flag_str(&k->f, "raw"), NULL, NULL, slice_n("", 0), NULL, e);
	if (r == 0)
		r = kctl_targets_wait(k, 0, KARGS_NAMES | KARGS_FILES, &all, e);
	if (r < 0)
		return r;
	if (flag_bool(&k->f, "interactive") && all.n && !agreed(k, &all)) {
		kctl_print(k, "deletion is cancelled\n");
		return 0;
	}
	struct gone *gone = arena_array(&k->arena, all.n + 1, sizeof *gone);
	size_t n_gone = 0;
	if (!gone)
		return err_nomem(e);
	if (!strcmp(dry, "server"))
		kctl_set(k, &options, "dryRun", tree_list());
	if (!strcmp(dry, "server"))
		tree_append(&k->arena, kctl_list(k, &options, "dryRun"), tree_string(SLICE("All")));
	for (size_t i = 0; i < all.n; i++) {
		struct kctl_target *t = &all.v[i];
		struct err why = { 0 };
		struct tree got = tree_null();
		if (strcmp(dry, "client")) {
			int one = kctl_send_wait(k, "DELETE", kctl_path(k, &t->kind, t->ns, t->name, NULL, NULL), NULL, &options, &got, &why);
			if (one == -ENOENT && (flag_bool(&k->f, "ignore-not-found") || (!all.from_files && flag_bool(&k->f, "all")))) {
				k->long_error = NULL;
				continue;
			}
			if (one < 0) {
				if (k->long_error && all.from_files && !strncmp(k->long_error, "Error from server", 17)) {
					const char *colon = strchr(k->long_error, ':');
					k->long_error = kctl_fmt(k, "%.*s: error when deleting \"%s\"%s", (int)(colon - k->long_error), k->long_error, t->source, colon);
				}
				kctl_failed(k, &why);
				failed = 1;
				continue;
			}
		}
		const char *suffix = !strcmp(dry, "client") ? " (dry run)" : !strcmp(dry, "server") ? " (server dry run)" : "";
		if (!strcmp(flag_str(&k->f, "output"), "name"))
			kctl_print(k, "%s/%s\n", kctl_kind_text(k, &t->kind), t->name);
		else
			kctl_print(k, "%s \"%s\" %sdeleted%s%s%s\n", kctl_kind_text(k, &t->kind), t->name, flag_bool(&k->f, "force") ? "force " : "",
				t->kind.namespaced ? " from " : "", t->kind.namespaced ? kctl_fmt(k, "%s namespace", t->ns ? t->ns : k->ns) : "", suffix);
		kctl_flush(k);
		const char *uid = kctl_text_at(k, &got, "details.uid");
		if (!*uid)
			uid = kctl_text_at(k, &got, "metadata.uid");
		gone[n_gone++] = (struct gone){ t, uid };
	}
	if (!all.n)
		kctl_print(k, "No resources found\n");
	if (!flag_bool(&k->f, "wait") || strcmp(dry, "none") || failed)
		return failed;
	for (size_t i = 0; i < n_gone; i++)
		if ((r = kctl_await_gone_wait(k, gone[i].t, gone[i].uid, flag_num(&k->f, "timeout"), e)) < 0)
			return r;
	return failed;
}
