/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl set image, env, resources: changes to the containers of a pod template. */
#include <string.h>

#include "kubectl/commands.h"
#include "schema/patch.h"

/* The pod specification inside an object, and the path to it as nested maps. */
static const struct tree *pod_spec(const struct tree *o, bool *cron)
{
	const struct tree *s = tree_path(o, "spec.jobTemplate.spec.template.spec");
	*cron = s;
	if (!s)
		s = tree_path(o, "spec.template.spec");
	return s ? s : tree_path(o, "spec.containers") ? tree_gets(o, "spec") : NULL;
}

static struct tree *patch_spec(struct kctl *k, const struct tree *o, struct tree *patch)
{
	struct tree *s = kctl_map(k, patch, "spec");
	if (tree_path(o, "spec.jobTemplate.spec.template.spec"))
		s = kctl_map(k, kctl_map(k, s, "jobTemplate"), "spec");
	else if (!tree_path(o, "spec.template.spec"))
		return s;
	return kctl_map(k, kctl_map(k, s, "template"), "spec");
}

/* The entry of a container in a patch, by name. */
static struct tree *patch_container(struct kctl *k, struct tree *spec, const char *list, const char *name)
{
	struct tree *l = kctl_list(k, spec, list);
	for (uint32_t i = 0; i < l->n; i++)
		if (!strcmp(kctl_text_at(k, &l->items[i], "name"), name))
			return &l->items[i];
	struct tree *c = tree_append(&k->arena, l, tree_map());
	if (c)
		kctl_set_text(k, c, "name", name);
	return c;
}

static const char *const lists[] = { "containers", "initContainers" };

/* Sends what change() puts into a patch for each target; change gives how many containers it touched, or < 0. */
static int change_all(struct kctl *k, int first, const char *did, int (*change)(struct kctl *k, const struct kctl_target *t, const struct tree *o, struct tree *spec, struct err *e),
	struct err *e)
{
	struct kctl_targets all = { 0 };
	const char *dry;
	int argc = k->f.argc, failed = 0, r = kctl_dry_run(k, &dry, e);
	/* what is behind the resources are changes */
	k->f.argc = first;
	if (r == 0)
		r = kctl_targets_wait(k, 0, KARGS_NAMES | KARGS_FILES, &all, e);
	k->f.argc = argc;
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		struct kctl_target *t = &all.v[i];
		struct tree o, got, patch = tree_map();
		struct err why = { 0 };
		bool cron;
		int one = kctl_get_wait(k, kctl_path(k, &t->kind, t->ns, t->name, NULL, NULL), &o, &why);
		if (one == 0 && !pod_spec(&o, &cron))
			one = err_set(&why, EINVAL, "the object %s/%s has no pod template", t->kind.singular, t->name);
		if (one == 0)
			one = change(k, t, &o, patch_spec(k, &o, &patch), &why);
		got = o;
		if (one > 0 && !strcmp(dry, "client"))
			one = t->kind.type.domain ? tree_strategic_patch(t->kind.type, &o, &patch, &k->arena, &got, &why) : tree_merge_patch(&o, &patch, &k->arena, &got, &why);
		else if (one > 0)
			one = kctl_send_wait(k, "PATCH", kctl_path(k, &t->kind, t->ns, t->name, NULL, kctl_write_query(k, "kubectl-set")), "application/strategic-merge-patch+json", &patch, &got, &why);
		if (one >= 0 && did && (strcmp(kctl_text_at(k, &o, "metadata.resourceVersion"), kctl_text_at(k, &got, "metadata.resourceVersion")) || (!strcmp(dry, "client") && !tree_equal(&o, &got))))
			one = kctl_print_done(k, t, &got, did, &why);
		if (one < 0) {
			kctl_failed(k, &why);
			failed = 1;
		}
	}
	return r < 0 ? r : failed;
}

/* Where "a=b" and "c-" begin. */
static int first_pair(struct kctl *k, bool minus)
{
	for (int i = 0; i < k->f.argc; i++) {
		const char *a = k->f.argv[i];
		size_t n = strlen(a);
		if (strchr(a, '=') || (minus && i > 0 && n > 1 && a[n - 1] == '-'))
			return i;
	}
	return k->f.argc;
}

static int change_image(struct kctl *k, const struct kctl_target *t, const struct tree *o, struct tree *spec, struct err *e)
{
	bool cron;
	const struct tree *now = pod_spec(o, &cron);
	int changed = 0;
	for (int i = first_pair(k, false); i < k->f.argc; i++) {
		struct slice name, image;
		bool found = false;
		if (!slice_cut(slice_of(k->f.argv[i]), '=', &name, &image))
			return err_set(e, EINVAL, "all resources must be specified before image changes: %s", k->f.argv[i]);
		for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
			const struct tree *list = tree_gets(now, lists[l]);
			for (uint32_t j = 0; list && j < list->n; j++) {
				const char *c = kctl_text_at(k, tree_at(list, j), "name");
				if (!slice_is(name, "*") && !slice_is(name, c))
					continue;
				struct tree *p = patch_container(k, spec, lists[l], c);
				if (!p)
					return err_nomem(e);
				kctl_set_text(k, p, "image", image.ptr);
				found = true;
				changed++;
			}
		}
		if (!found)
			return err_set(e, ENOENT, "unable to find container named \"%.*s\"", SLICE_FMT(name));
	}
	return changed;
}

int kcmd_set_image(struct kctl *k, struct err *e)
{
	int first = first_pair(k, false);
	if (first == 0 && !flag_list(&k->f, "filename")->n)
		return err_set(e, EINVAL, "You must provide one or more resources by argument or filename.\nExample resource specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'\n   '<resource> <name>'\n   '<resource>'");
	if (first == k->f.argc)
		return kctl_usage(k, e, "at least one image update is required");
	return change_all(k, first, "image updated", change_image, e);
}

static bool chosen(struct kctl *k, const char *name)
{
	const char *want = *flag_str(&k->f, "containers") ? flag_str(&k->f, "containers") : "*";
	return !strcmp(want, "*") || !strcmp(want, name);
}

static int change_env(struct kctl *k, const struct kctl_target *t, const struct tree *o, struct tree *spec, struct err *e)
{
	bool cron, list_only = flag_bool(&k->f, "list");
	const struct tree *now = pod_spec(o, &cron), *list = tree_gets(now, "containers");
	const struct flag_value *more = flag_list(&k->f, "env");
	int changed = 0;
	for (uint32_t j = 0; list && j < list->n; j++) {
		const char *c = kctl_text_at(k, tree_at(list, j), "name");
		if (!chosen(k, c))
			continue;
		if (list_only) {
			const struct tree *env = tree_gets(tree_at(list, j), "env");
			kctl_print(k, "# %s %s, container %s\n", t->kind.kind, t->name, c);
			for (uint32_t i = 0; env && i < env->n; i++)
				kctl_print(k, "%s=%s\n", kctl_text_at(k, tree_at(env, i), "name"), kctl_text_at(k, tree_at(env, i), "value"));
			continue;
		}
		struct tree *p = patch_container(k, spec, "containers", c);
		if (!p)
			return err_nomem(e);
		struct tree *env = kctl_list(k, p, "env");
		int first = first_pair(k, true);
		for (int i = first; i < k->f.argc + (int)more->n; i++) {
			const char *text = i < k->f.argc ? k->f.argv[i] : more->v[i - k->f.argc];
			struct slice key, value;
			struct tree *x = tree_append(&k->arena, env, tree_map());
			if (!x)
				return err_nomem(e);
			if (slice_cut(slice_of(text), '=', &key, &value)) {
				kctl_set_text(k, x, "name", kctl_fmt(k, "%.*s", SLICE_FMT(key)));
				kctl_set_text(k, x, "value", value.ptr);
			} else {
				kctl_set_text(k, x, "$patch", "delete");
				kctl_set_text(k, x, "name", kctl_fmt(k, "%.*s", (int)strlen(text) - 1, text));
			}
			changed++;
		}
	}
	return changed;
}

int kcmd_set_env(struct kctl *k, struct err *e)
{
	int first = first_pair(k, true);
	if (first == k->f.argc && !flag_list(&k->f, "env")->n && !flag_bool(&k->f, "list"))
		return kctl_usage(k, e, "at least one environment variable must be provided");
	return change_all(k, first, flag_bool(&k->f, "list") ? NULL : "env updated", change_env, e);
}

static int add_amounts(struct kctl *k, struct tree *resources, const char *what, struct err *e)
{
	struct slice rest = slice_of(flag_str(&k->f, what)), one, key, value;
	while (rest.len && slice_next(&rest, ',', &one)) {
		if (!slice_cut(one, '=', &key, &value))
			return err_set(e, EINVAL, "Invalid argument syntax %.*s, expected <resource>=<value>", SLICE_FMT(one));
		kctl_set_text(k, kctl_map(k, resources, what), kctl_fmt(k, "%.*s", SLICE_FMT(key)), kctl_fmt(k, "%.*s", SLICE_FMT(value)));
	}
	return 0;
}

static int change_resources(struct kctl *k, const struct kctl_target *t, const struct tree *o, struct tree *spec, struct err *e)
{
	bool cron;
	const struct tree *list = tree_gets(pod_spec(o, &cron), "containers");
	int changed = 0, r = 0;
	for (uint32_t j = 0; list && j < list->n && r == 0; j++) {
		const char *c = kctl_text_at(k, tree_at(list, j), "name");
		if (!chosen(k, c))
			continue;
		struct tree *p = patch_container(k, spec, "containers", c);
		if (!p)
			return err_nomem(e);
		struct tree *resources = kctl_map(k, p, "resources");
		r = add_amounts(k, resources, "limits", e);
		if (r == 0)
			r = add_amounts(k, resources, "requests", e);
		changed++;
	}
	return r < 0 ? r : changed;
}

int kcmd_set_resources(struct kctl *k, struct err *e)
{
	if (!*flag_str(&k->f, "limits") && !*flag_str(&k->f, "requests"))
		return kctl_usage(k, e, "you must specify an update to requests or limits (in the form of --requests/--limits)");
	return change_all(k, k->f.argc, "resource requirements updated", change_resources, e);
}
