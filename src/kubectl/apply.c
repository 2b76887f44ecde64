/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubectl apply: the client side (a three-way patch against the annotation that
 * the last apply left) and the server side.
 */
#include <string.h>

#include "kubectl/commands.h"
#include "schema/patch.h"

#define LAST "kubectl.kubernetes.io/last-applied-configuration"

/* The object without the annotation, as compact JSON with a newline: what the annotation says. */
static int last_applied_text(struct kctl *k, const struct tree *object, const char **ret, struct err *e)
{
	struct tree copy;
	struct buf out AUTO(buf) = BUF_INIT(4 << 20);
	if (tree_copy(object, &k->arena, &copy) < 0)
		return err_nomem(e);
	struct tree *meta = kctl_map(k, &copy, "metadata"), *notes = kctl_map(k, meta, "annotations");
	tree_remove(notes, SLICE(LAST));
	int r = tree_to_json(&copy, SCHEMA_SORTED | SCHEMA_ESCAPE_HTML | SCHEMA_NEWLINE, &out);
	if (r < 0)
		return err_sys(e, -r, "write the annotation of %s", kctl_text_at(k, object, "metadata.name"));
	*ret = kctl_fmt(k, "%s", out.ptr);
	return 0;
}

static int with_annotation(struct kctl *k, const struct tree *object, struct tree *ret, struct err *e)
{
	const char *text = NULL;
	int r = last_applied_text(k, object, &text, e);
	if (r == 0 && tree_copy(object, &k->arena, ret) < 0)
		r = err_nomem(e);
	if (r == 0)
		kctl_set_text(k, kctl_map(k, kctl_map(k, ret, "metadata"), "annotations"), LAST, text);
	return r;
}

static int apply_server_side(struct kctl *k, struct kctl_target *t, struct err *e)
{
	struct tree got;
	const char *q = kctl_write_query(k, "kubectl");
	q = kctl_query(k, q, "force", flag_bool(&k->f, "force-conflicts") ? "true" : "false");
	if (!t->name)
		return err_set(e, EINVAL, "error when applying patch: an object without a name cannot be applied");
	struct tree *meta = tree_get_mut(&t->object, SLICE("metadata"));
	if (meta && meta->type == TREE_MAP)
		tree_remove(meta, SLICE("managedFields"));
	int r = kctl_send_wait(k, "PATCH", kctl_path(k, &t->kind, t->ns, t->name, NULL, q), "application/apply-patch+yaml", &t->object, &got, e);
	if (r < 0 && k->long_error && e->code == EBUSY)
		k->long_error = kctl_fmt(k, "error: %s\nPlease review the fields above--they currently have other managers. Here\nare the ways you can resolve this warning:\n"
			"* If you intend to manage all of these fields, please re-run the apply\n  command with the `--force-conflicts` flag.\n"
			"* If you do not intend to manage all of the fields, please edit your\n  manifest to remove references to the fields that should keep their\n  current managers.\n"
			"* You may co-own fields by updating your manifest to match the existing\n  value; in this case, you'll become the manager if the other manager(s)\n"
			"  stop managing the field (remove it from their configuration).\nSee https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts",
			strchr(k->long_error, ':') ? strchr(k->long_error, ':') + 2 : k->long_error);
	return r < 0 ? r : kctl_print_done(k, t, &got, "serverside-applied", e);
}

/* The patch from what was applied, what is wanted and what is there. */
static int make_patch(struct kctl *k, const struct kctl_target *t, const struct tree *modified, const struct tree *current, struct tree *ret, const char **type,
	struct err *e)
{
	struct tree original = tree_map();
	const char *last = kctl_text(k, tree_get(tree_path(current, "metadata.annotations"), SLICE(LAST)));
	if (*last) {
		int r = tree_from_json(slice_of(last), 0, &k->arena, &original, e);
		if (r < 0)
			return err_prefix(e, "the annotation %s of %s", LAST, t->name);
	} else {
		kctl_warn(k, "Warning: resource %s/%s is missing the %s annotation which is required by kubectl apply. kubectl apply should only be used on resources created "
			"declaratively by either kubectl create --save-config or kubectl apply. The missing annotation will be patched automatically.",
			t->kind.plural, t->name, LAST);
	}
	if (t->kind.type.domain) {
		*type = "application/strategic-merge-patch+json";
		return tree_strategic_diff3(t->kind.type, &original, modified, current, &k->arena, ret, e);
	}
	*type = "application/merge-patch+json";
	return tree_merge_diff3(&original, modified, current, &k->arena, ret, e);
}

int kctl_apply_patch(struct kctl *k, const struct kctl_target *t, const struct tree *current, struct tree *patch, const char **type, struct err *e)
{
	struct tree modified;
	int r = with_annotation(k, &t->object, &modified, e);
	return r < 0 ? r : make_patch(k, t, &modified, current, patch, type, e);
}

static int apply_one(struct kctl *k, struct kctl_target *t, const char *dry, struct err *e)
{
	struct tree current, modified, patch, got;
	const char *type = NULL;
	if (!t->name)
		return err_set(e, EINVAL, "error when retrieving current configuration of %s: resource name may not be empty", t->kind.kind);
	int r = with_annotation(k, &t->object, &modified, e);
	if (r < 0)
		return r;
	r = kctl_get_wait(k, kctl_path(k, &t->kind, t->ns, t->name, NULL, NULL), &current, e);
	if (r == -ENOENT) {
		k->long_error = NULL;
		*e = (struct err){ 0 };
		if (!strcmp(dry, "client"))
			return kctl_print_done(k, t, &modified, "created", e);
		r = kctl_send_wait(k, "POST", kctl_path(k, &t->kind, t->ns, NULL, NULL, kctl_write_query(k, "kubectl-client-side-apply")), NULL, &modified, &got, e);
		if (r < 0 && k->long_error && !strncmp(k->long_error, "Error from server", 17) && strchr(k->long_error, ':'))
			k->long_error = kctl_fmt(k, "%.*s: error when creating \"%s\"%s", (int)strcspn(k->long_error, ":"), k->long_error, t->source, strchr(k->long_error, ':'));
		return r < 0 ? r : kctl_print_done(k, t, &got, "created", e);
	}
	for (int tries = 0; r == 0; tries++) {
		r = make_patch(k, t, &modified, &current, &patch, &type, e);
		if (r < 0)
			return r;
		if (patch.type == TREE_MAP && !patch.n)
			return kctl_print_done(k, t, &current, "unchanged", e);
		if (!strcmp(dry, "client"))
			return kctl_print_done(k, t, &current, "configured", e);
		r = kctl_send_wait(k, "PATCH", kctl_path(k, &t->kind, t->ns, t->name, NULL, kctl_write_query(k, "kubectl-client-side-apply")), type, &patch, &got, e);
		if (r == 0) {
			bool same = strcmp(dry, "server") && !strcmp(kctl_text_at(k, &got, "metadata.resourceVersion"), kctl_text_at(k, &current, "metadata.resourceVersion"));
			return kctl_print_done(k, t, &got, same ? "unchanged" : "configured", e);
		}
		if (r != -EBUSY || tries == 5)
			break;
		k->long_error = NULL;
		r = kctl_get_wait(k, kctl_path(k, &t->kind, t->ns, t->name, NULL, NULL), &current, e);
	}
	return r;
}

int kcmd_apply(struct kctl *k, struct err *e)
{
	struct kctl_targets all = { 0 };
	const char *dry;
	int r = kctl_dry_run(k, &dry, e), failed = 0;
	bool server = flag_bool(&k->f, "server-side");
	if (r < 0)
		return r;
	if (flag_bool(&k->f, "prune"))
		return err_set(e, EOPNOTSUPP, "--prune is not supported by this kubectl: delete what left the files by `kubectl delete`");
	if (!server && flag_bool(&k->f, "force-conflicts"))
		return err_set(e, EINVAL, "--force-conflicts only works with --server-side");
	if (server && !strcmp(dry, "client"))
		return err_set(e, EINVAL, "--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)");
	if (!flag_list(&k->f, "filename")->n)
		return kctl_usage(k, e, "must specify one of -f and -k");
	r = kctl_read_files_wait(k, &all, e);
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		struct err why = { 0 };
		struct kctl_target *t = &all.v[i];
		int one = server ? apply_server_side(k, t, &why) : apply_one(k, t, dry, &why);
		if (one < 0) {
			if (k->long_error && !strncmp(k->long_error, "Error from server", 17) && !strstr(k->long_error, "error when creating")) {
				const char *colon = strchr(k->long_error, ':');
				k->long_error = kctl_fmt(k, "%.*s: error when applying \"%s\"%s", (int)(colon - k->long_error), k->long_error, t->source, colon);
			}
			kctl_failed(k, &why);
			failed = 1;
		}
	}
	return r < 0 ? r : failed;
}
