/* SPDX-License-Identifier: Apache-2.0 */
/* Small changes to objects that are there: label, annotate, scale, patch, cordon, taint. */
#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "kubectl/commands.h"
#include "schema/patch.h"

/* --- label and annotate ------------------------------------------------------------------------ */
struct pairs { const char **keys, **values; size_t n; };    /* value NULL: removed */

/* "a=b" and "c-" behind the names; *ret_first is the first of them. */
static int split_pairs(struct kctl *k, const char *what, struct pairs *ret, int *ret_first, struct err *e)
{
	int first = k->f.argc;
	for (int i = 0; i < k->f.argc; i++) {
		const char *a = k->f.argv[i];
		size_t n = strlen(a);
		bool pair = strchr(a, '=') || (n > 1 && a[n - 1] == '-' && i > 0);
		if (pair && first == k->f.argc)
			first = i;
		if (!pair && first < k->f.argc)
			return err_set(e, EINVAL, "all resources must be specified before %s changes: %s", what, a);
	}
	*ret_first = first;
	ret->n = (size_t)(k->f.argc - first);
	ret->keys = arena_array(&k->arena, ret->n + 1, sizeof *ret->keys);
	ret->values = arena_array(&k->arena, ret->n + 1, sizeof *ret->values);
	if (!ret->keys || !ret->values)
		return err_nomem(e);
	for (size_t i = 0; i < ret->n; i++) {
		struct slice key, value, all = slice_of(k->f.argv[first + (int)i]);
		if (slice_cut(all, '=', &key, &value) && !strcmp(what, "label") && slice_find(value, '=') >= 0)
			return err_set(e, EINVAL, "invalid label spec: %s", all.ptr);
		if (slice_cut(all, '=', &key, &value))
			ret->values[i] = value.ptr;
		else
			key.len--;
		ret->keys[i] = kctl_fmt(k, "%.*s", SLICE_FMT(key));
		for (size_t j = 0; j < i; j++)
			if (!strcmp(ret->keys[j], ret->keys[i]) && !ret->values[j] != !ret->values[i])
				return err_set(e, EINVAL, "can not both modify and remove a%s %s in the same command", *what == 'a' ? "n" : "", what);
	}
	return 0;
}

static int change_pairs(struct kctl *k, const char *member, const char *what, const char *did, const char *undid, const char *manager, struct err *e)
{
	struct kctl_targets all = { 0 };
	struct pairs p = { 0 };
	const char *dry;
	int first = 0, failed = 0, r = kctl_dry_run(k, &dry, e);
	if (r == 0)
		r = split_pairs(k, what, &p, &first, e);
	bool list = flag_bool(&k->f, "list");
	if (r == 0 && !p.n && !list)
		return kctl_usage(k, e, "at least one %s update is required", what);
	if (r == 0) {
		k->f.argc = first;
		r = kctl_targets_wait(k, 0, KARGS_NAMES | KARGS_FILES, &all, e);
	}
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		struct kctl_target *t = &all.v[i];
		struct tree now, got, patch = tree_map();
		struct err why = { 0 };
		bool changed = false, lost = false, removed = false, set = false, refused = false;
		int one = kctl_get_wait(k, kctl_path(k, &t->kind, t->ns, t->name, NULL, NULL), &now, &why);
		const struct tree *have = one == 0 ? tree_path(&now, kctl_fmt(k, "metadata.%s", member)) : NULL;
		struct tree *meta = kctl_map(k, &patch, "metadata"), *change = kctl_map(k, meta, member);
		for (size_t j = 0; one == 0 && j < p.n; j++) {
			const struct tree *old = tree_get(have, slice_of(p.keys[j]));
			if (!p.values[j]) {
				lost |= !old;
				if (!old && !list && !strcmp(what, "label"))
					kctl_print(k, "%s \"%s\" not found.\n", what, p.keys[j]);
				removed |= old != NULL;
				changed |= old != NULL;
				if (old)
					kctl_set(k, change, p.keys[j], tree_null());
				continue;
			}
			if (old && !slice_is(tree_text(old), p.values[j]) && !flag_bool(&k->f, "overwrite")) {
				one = err_set(&why, EINVAL, strcmp(what, "label") ? "--overwrite is false but found the following declared annotation(s): '%s' already has a value (%.*s)" :
					"'%s' already has a value (%.*s), and --overwrite is false", p.keys[j], SLICE_FMT(tree_text(old)));
				refused = true;
				break;
			}
			set |= !old || !slice_is(tree_text(old), p.values[j]);
			changed |= !old || !slice_is(tree_text(old), p.values[j]);
			kctl_set_text(k, change, p.keys[j], p.values[j]);
		}
		(void)refused;
		got = now;
		if (one == 0 && changed && strcmp(dry, "client")) {
			if (*flag_str(&k->f, "resource-version"))
				kctl_set_text(k, meta, "resourceVersion", flag_str(&k->f, "resource-version"));
			one = kctl_send_wait(k, "PATCH", kctl_path(k, &t->kind, t->ns, t->name, NULL, kctl_write_query(k, manager)), "application/merge-patch+json", &patch, &got, &why);
		} else if (one == 0 && changed) {
			one = tree_merge_patch(&now, &patch, &k->arena, &got, &why);
		}
		if (one == 0 && list) {
			const struct tree *v = tree_path(&got, kctl_fmt(k, "metadata.%s", member));
			for (uint32_t j = 0; v && j < v->n; j++)
				kctl_print(k, "%.*s=%.*s\n", (int)v->members[j].key_len, v->members[j].key, SLICE_FMT(tree_text(&v->members[j].value)));
		}
		if (one == 0 && !list) {
			if (!strcmp(what, "label"))
				did = !changed && !lost ? "not labeled" : removed && !set ? undid : "labeled";
			one = kctl_print_done(k, t, &got, did, &why);
		}
		if (one < 0) {
			kctl_failed(k, &why);
			failed = 1;
		}
	}
	return r < 0 ? r : failed;
}

int kcmd_label(struct kctl *k, struct err *e) { return change_pairs(k, "labels", "label", "labeled", "unlabeled", "kubectl-label", e); }
int kcmd_annotate(struct kctl *k, struct err *e) { return change_pairs(k, "annotations", "annotation", "annotated", "annotated", "kubectl-annotate", e); }

/* --- scale ------------------------------------------------------------------------------------------- */
int kcmd_scale(struct kctl *k, struct err *e)
{
	struct kctl_targets all = { 0 };
	const char *dry;
	int failed = 0, r = kctl_dry_run(k, &dry, e);
	int64_t replicas = flag_num(&k->f, "replicas"), current = flag_num(&k->f, "current-replicas");
	if (r == 0 && (!flag_changed(&k->f, "replicas") || replicas < 0))
		return err_set(e, EINVAL, "The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0");
	if (r == 0)
		r = kctl_targets_wait(k, 0, KARGS_NAMES | KARGS_FILES, &all, e);
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		struct kctl_target *t = &all.v[i];
		struct tree scale, got, patch = tree_map();
		struct err why = { 0 };
		int64_t is = 0;
		int one = kctl_get_wait(k, kctl_path(k, &t->kind, t->ns, t->name, NULL, NULL), &scale, &why);
		if (one == -ENOENT && k->long_error && strchr(k->long_error, ':')) {
			k->long_error = kctl_fmt(k, "error: no objects passed to scale %s", strchr(k->long_error, ':') + 2);
			failed = kctl_failed(k, &why);
			continue;
		}
		if (one == 0 && (one = kctl_get_wait(k, kctl_path(k, &t->kind, t->ns, t->name, "scale", NULL), &scale, &why)) == -ENOENT)
			k->long_error = kctl_fmt(k, "Error from server (NotFound): the server could not find the requested resource (patch %s %s)", t->kind.plural, t->name);
		if (one == 0)
			tree_i64(tree_path(&scale, "spec.replicas"), &is);
		if (one == 0 && current >= 0 && is != current)
			one = err_set(&why, EBUSY, "Expected replicas to be %lld, was %lld", (long long)current, (long long)is);
		const char *version = flag_str(&k->f, "resource-version");
		if (one == 0 && *version && strcmp(version, kctl_text_at(k, &scale, "metadata.resourceVersion")))
			one = err_set(&why, EBUSY, "Expected resource version to be %s, was %s", version, kctl_text_at(k, &scale, "metadata.resourceVersion"));
		kctl_set_int(k, kctl_map(k, &patch, "spec"), "replicas", replicas);
		got = scale;
		if (one == 0 && strcmp(dry, "client"))
			one = kctl_send_wait(k, "PATCH", kctl_path(k, &t->kind, t->ns, t->name, "scale", kctl_write_query(k, "kubectl")), "application/merge-patch+json", &patch, &got, &why);
		if (one == 0)
			one = kctl_print_done(k, t, &got, "scaled", &why);
		if (one < 0) {
			kctl_failed(k, &why);
			failed = 1;
		}
	}
	return r < 0 ? r : failed;
}

/* --- patch -------------------------------------------------------------------------------------------- */
static int patch_body(struct kctl *k, struct tree *ret, struct err *e)
{
	const char *text = flag_str(&k->f, "patch"), *file = flag_str(&k->f, "patch-file");
	struct buf b AUTO(buf) = BUF_INIT(8 << 20);
	struct tree docs;
	if (*file) {
		int r = file_read(AT_FDCWD, file, &b);
		if (r < 0)
			return err_sys(e, -r, "unable to read patch file %s", file);
		text = kctl_fmt(k, "%s", b.ptr);
	}
	if (!*text)
		return kctl_usage(k, e, "must specify --patch or --patch-file containing the contents of the patch");
	int r = tree_from_yaml(slice_of(text), 0, &k->arena, &docs, e);
	if (r < 0)
		return err_prefix(e, "unable to parse \"%s\"", text);
	if (!tree_at(&docs, 0))
		return err_set(e, EINVAL, "unable to parse \"%s\": it is empty", text);
	*ret = *tree_at(&docs, 0);
	return 0;
}

int kcmd_patch(struct kctl *k, struct err *e)
{
	static const struct { const char *name, *media; } types[] = {
		{ "strategic", "application/strategic-merge-patch+json" }, { "merge", "application/merge-patch+json" }, { "json", "application/json-patch+json" },
	};
	struct kctl_targets all = { 0 };
	struct tree patch;
	const char *dry, *type = flag_str(&k->f, "type"), *media = NULL, *sub = *flag_str(&k->f, "subresource") ? flag_str(&k->f, "subresource") : NULL;
	int failed = 0, r = kctl_dry_run(k, &dry, e);
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (!strcmp(types[i].name, type))
			media = types[i].media;
	if (r == 0 && !media)
		return kctl_usage(k, e, "--type must be one of [json merge strategic], not \"%s\"", type);
	if (r == 0)
		r = patch_body(k, &patch, e);
	if (r == 0)
		r = kctl_targets_wait(k, 0, KARGS_NAMES | KARGS_FILES, &all, e);
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		struct kctl_target *t = &all.v[i];
		struct tree now, got;
		struct err why = { 0 };
		bool local = !strcmp(dry, "client");
		const char *m = !t->kind.type.domain && !strcmp(type, "strategic") ? types[1].media : media;
		int one = kctl_get_wait(k, kctl_path(k, &t->kind, t->ns, t->name, sub, NULL), &now, &why);
		if (one == 0 && local)
			one = !strcmp(type, "json") ? tree_json_patch(&now, &patch, &k->arena, &got, &why) :
				!strcmp(type, "merge") || !t->kind.type.domain ? tree_merge_patch(&now, &patch, &k->arena, &got, &why) :
				tree_strategic_patch(t->kind.type, &now, &patch, &k->arena, &got, &why);
		else if (one == 0)
			one = kctl_send_wait(k, "PATCH", kctl_path(k, &t->kind, t->ns, t->name, sub, kctl_write_query(k, "kubectl-patch")), m, &patch, &got, &why);
		if (one == 0) {
			bool same = local ? tree_equal(&now, &got) : !strcmp(kctl_text_at(k, &now, "metadata.resourceVersion"), kctl_text_at(k, &got, "metadata.resourceVersion"));
			one = kctl_print_done(k, t, &got, same ? "patched (no change)" : "patched", &why);
		}
		if (one < 0) {
			kctl_failed(k, &why);
			failed = 1;
		}
	}
	return r < 0 ? r : failed;
}
