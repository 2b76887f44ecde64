/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl edit, replace and diff: whole objects against what is there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "kubectl/commands.h"
#include "schema/patch.h"

static int run_program(const char *command, const char *const *args, struct err *e)
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		const char *argv[16] = { "/bin/sh", "-c", command, "kubectl" };
		int n = 4;
		for (int i = 0; args[i] && n < 15; i++)
			argv[n++] = args[i];
		execv(argv[0], (char **)argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return err_sys(e, errno, "run %s", command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 127;
}

/* Without what the server alone writes. */
static int for_people(struct kctl *k, const struct tree *o, struct tree *ret, struct err *e)
{
	if (tree_copy(o, &k->arena, ret) < 0)
		return err_nomem(e);
	struct tree *meta = tree_get_mut(ret, SLICE("metadata"));
	if (meta && !flag_bool(&k->f, "show-managed-fields"))
		tree_remove(meta, SLICE("managedFields"));
	return 0;
}

static int diff_to(struct kctl *k, const struct kctl_target *t, const struct tree *from, const struct tree *to, struct tree *patch, const char **media, struct err *e)
{
	if (t->kind.type.domain) {
		*media = "application/strategic-merge-patch+json";
		return tree_strategic_diff(t->kind.type, from, to, &k->arena, patch, e);
	}
	*media = "application/merge-patch+json";
	return tree_merge_diff(from, to, &k->arena, patch, e);
}

static int edit_one(struct kctl *k, const struct kctl_target *t, struct err *e)
{
	struct tree now, shown, docs, patch, got;
	struct buf text AUTO(buf) = BUF_INIT(16 << 20), after AUTO(buf) = BUF_INIT(16 << 20);
	char path[] = "/tmp/kubectl-edit-XXXXXX.yaml";
	const char *editor = getenv("KUBE_EDITOR"), *sub = *flag_str(&k->f, "subresource") ? flag_str(&k->f, "subresource") : NULL, *media;
	if (!editor || !*editor)
		editor = getenv("EDITOR");
	if (!editor || !*editor)
		editor = "vi";
	int r = kctl_get_wait(k, kctl_path(k, &t->kind, t->ns, t->name, sub, NULL), &now, e);
	if (r == 0)
		r = for_people(k, &now, &shown, e);
	if (r < 0)
		return r;
	buf_adds(&text, "# Please edit the object below. Lines beginning with a '#' will be ignored,\n# and an empty file will abort the edit. If an error occurs while saving this file will be\n"
		"# reopened with the relevant failures.\n#\n");
	size_t head = text.len;
	tree_to_yaml(&shown, SCHEMA_SORTED, &text);
	int fd = mkstemps(path, 5);
	if (fd < 0)
		return err_sys(e, errno, "make %s", path);
	r = fd_write_all(fd, text.ptr, text.len);
	close(fd);
	const char *const args[] = { path, NULL };
	for (bool again = r == 0; again;) {
		again = false;
		buf_reset(&after);
		int code = run_program(kctl_fmt(k, "%s \"$1\"", editor), args, e);
		if (code) {
			r = code < 0 ? code : err_set(e, EIO, "there was a problem with the editor \"%s\"", editor);
			break;
		}
		if ((r = file_read(AT_FDCWD, path, &after)) < 0)
			break;
		if (after.len >= head && !strcmp(after.ptr + MIN(head, after.len), text.ptr + head)) {
			kctl_warn(k, "Edit cancelled, no changes made.");
			break;
		}
		r = tree_from_yaml(buf_slice(&after), 0, &k->arena, &docs, e);
		if (r == 0 && (!tree_at(&docs, 0) || tree_at(&docs, 0)->type != TREE_MAP)) {
			kctl_warn(k, "Edit cancelled, saved file was empty.");
			break;
		}
		if (r == 0)
			r = diff_to(k, t, &shown, tree_at(&docs, 0), &patch, &media, e);
		if (r == 0)
			r = kctl_send_wait(k, "PATCH", kctl_path(k, &t->kind, t->ns, t->name, sub, kctl_write_query(k, "kubectl-edit")), media, &patch, &got, e);
		if (r == 0)
			r = kctl_print_done(k, t, &got, "edited", e);
		else if (isatty(0)) {
			/* the reason above what was written, and once more */
			struct buf next AUTO(buf) = BUF_INIT(16 << 20);
			struct slice rest = slice_of(k->long_error ? k->long_error : e->text), line, body = buf_slice(&after);
			while (slice_next(&rest, '\n', &line))
				buf_addf(&next, "# %.*s\n", SLICE_FMT(line));
			while (slice_next(&body, '\n', &line))
				if (!line.len || *line.ptr != '#')
					buf_addf(&next, "%.*s\n", SLICE_FMT(line));
			k->long_error = NULL;
			again = file_write_atomic(AT_FDCWD, path, buf_slice(&next), 0600, NULL) == 0;
			head = 0;
			buf_reset(&text);
			buf_addslice(&text, buf_slice(&next));
		}
	}
	if (r < 0) {
		char why[400];
		fmt_into(why, sizeof why, "%s", e->text);
		kctl_warn(k, "A copy of your changes has been stored to \"%s\"", path);
		if (!k->long_error)
			err_set(e, e->code, "%s", why);
	} else {
		unlink(path);
	}
	return r;
}

int kcmd_edit(struct kctl *k, struct err *e)
{
	struct kctl_targets all = { 0 };
	int r = kctl_targets_wait(k, 0, KARGS_NAMES | KARGS_FILES, &all, e);
	for (size_t i = 0; r == 0 && i < all.n; i++)
		r = edit_one(k, &all.v[i], e);
	return r;
}

/* --- replace -------------------------------------------------------------------------------------------- */
static int replace_one(struct kctl *k, struct kctl_target *t, struct err *e)
{
	struct tree got;
	bool force = flag_bool(&k->f, "force");
	if (!t->name)
		return err_set(e, EINVAL, "%s has no name", t->source);
	if (force) {
		struct tree options = tree_map();
		kctl_set_text(k, &options, "kind", "DeleteOptions");
		kctl_set_text(k, &options, "apiVersion", "v1");
		if (flag_num(&k->f, "grace-period") >= 0)
			kctl_set_int(k, &options, "gracePeriodSeconds", flag_num(&k->f, "grace-period"));
		int r = kctl_send_wait(k, "DELETE", kctl_path(k, &t->kind, t->ns, t->name, NULL, NULL), NULL, &options, &got, e);
		if (r == 0) {
			kctl_print(k, "%s \"%s\" deleted%s%s%s\n", kctl_kind_text(k, &t->kind), t->name, t->kind.namespaced ? " from " : "", t->kind.namespaced ? t->ns : "", t->kind.namespaced ? " namespace" : "");
			kctl_flush(k);
			r = kctl_await_gone_wait(k, t, kctl_text_at(k, &got, "metadata.uid"), flag_num(&k->f, "timeout"), e);
		}
		if (r < 0 && r != -ENOENT)
			return r;
		k->long_error = NULL;
		struct tree *meta = tree_get_mut(&t->object, SLICE("metadata"));
		static const char *const gone[] = { "resourceVersion", "uid", "creationTimestamp", "generation" };
		for (size_t i = 0; meta && i < ARRAY_LEN(gone); i++)
			tree_remove(meta, slice_of(gone[i]));
		r = kctl_send_wait(k, "POST", kctl_path(k, &t->kind, t->ns, NULL, NULL, kctl_write_query(k, "kubectl-replace")), NULL, &t->object, &got, e);
		return r < 0 ? r : kctl_print_done(k, t, &got, "replaced", e);
	}
	const char *sub = *flag_str(&k->f, "subresource") ? flag_str(&k->f, "subresource") : NULL, *dry = "none";
	kctl_dry_run(k, &dry, NULL);
	if (!strcmp(dry, "client"))
		return kctl_print_done(k, t, &t->object, "replaced", e);
	int r = kctl_send_wait(k, "PUT", kctl_path(k, &t->kind, t->ns, t->name, sub, kctl_write_query(k, "kubectl-replace")), NULL, &t->object, &got, e);
	return r < 0 ? r : kctl_print_done(k, t, &got, "replaced", e);
}

int kcmd_replace(struct kctl *k, struct err *e)
{
	struct kctl_targets all = { 0 };
	int failed = 0, r = flag_list(&k->f, "filename")->n ? kctl_read_files_wait(k, &all, e) : kctl_usage(k, e, "must specify --filename to replace");
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		struct err why = { 0 };
		if (replace_one(k, &all.v[i], &why) < 0) {
			if (k->long_error && !strncmp(k->long_error, "Error from server", 17)) {
				const char *colon = strchr(k->long_error, ':');
				k->long_error = kctl_fmt(k, "%.*s: error when replacing \"%s\"%s", (int)(colon - k->long_error), k->long_error, all.v[i].source, colon);
			}
			failed = kctl_failed(k, &why);
		}
	}
	return r < 0 ? r : failed;
}

/* --- diff ------------------------------------------------------------------------------------------------ */
static int write_side(struct kctl *k, const char *folder, const struct kctl_target *t, const struct tree *o, struct err *e)
{
	struct buf text AUTO(buf) = BUF_INIT(16 << 20);
	struct tree shown;
	const char *path = kctl_fmt(k, "%s/%s%s%s.%s.%s.%s", folder, t->kind.group, *t->kind.group ? "." : "", t->kind.version, t->kind.kind, t->ns ? t->ns : "", t->name);
	int r = 0;
	if (o->type == TREE_MAP) {
		r = for_people(k, o, &shown, e);
		if (r == 0)
			r = tree_to_yaml(&shown, SCHEMA_SORTED, &text);
	}
	return r < 0 ? r : file_write_atomic(AT_FDCWD, path, buf_slice(&text), 0600, e);
}

int kcmd_diff(struct kctl *k, struct err *e)
{
	struct kctl_targets all = { 0 };
	char live[] = "/tmp/LIVE-XXXXXX", merged[] = "/tmp/MERGED-XXXXXX";
	const char *program = getenv("KUBECTL_EXTERNAL_DIFF");
	k->exit_code = 2;
	int r = flag_list(&k->f, "filename")->n ? kctl_read_files_wait(k, &all, e) : kctl_usage(k, e, "must specify one of -f and -k");
	if (r < 0)
		return r;
	if (!mkdtemp(live) || !mkdtemp(merged))
		return err_sys(e, errno, "make a folder in /tmp");
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		struct kctl_target *t = &all.v[i];
		struct tree now = tree_null(), then, patch;
		const char *q = "dryRun=All", *type = NULL;
		if (flag_bool(&k->f, "server-side")) {
			q = kctl_query(k, q, "fieldManager", *flag_str(&k->f, "field-manager") ? flag_str(&k->f, "field-manager") : "kubectl");
			q = kctl_query(k, q, "force", flag_bool(&k->f, "force-conflicts") ? "true" : "false");
		}
		r = kctl_get_wait(k, kctl_path(k, &t->kind, t->ns, t->name, NULL, NULL), &now, e);
		bool there = r == 0;
		if (r == -ENOENT) {
			k->long_error = NULL;
			r = 0;
			now = tree_null();
		}
		if (r == 0 && flag_bool(&k->f, "server-side"))
			r = kctl_send_wait(k, "PATCH", kctl_path(k, &t->kind, t->ns, t->name, NULL, q), "application/apply-patch+yaml", &t->object, &then, e);
		else if (r == 0 && !there)
			r = kctl_send_wait(k, "POST", kctl_path(k, &t->kind, t->ns, NULL, NULL, q), NULL, &t->object, &then, e);
		else if (r == 0) {
			r = kctl_apply_patch(k, t, &now, &patch, &type, e);
			if (r == 0)
				r = kctl_send_wait(k, "PATCH", kctl_path(k, &t->kind, t->ns, t->name, NULL, q), type, &patch, &then, e);
		}
		if (r == 0)
			r = write_side(k, live, t, &now, e);
		if (r == 0)
			r = write_side(k, merged, t, &then, e);
	}
	if (r == 0) {
		const char *const args[] = { live, merged, NULL };
		kctl_flush(k);
		r = run_program(program && *program ? kctl_fmt(k, "%s \"$@\"", program) : "diff -u -N \"$@\"", args, e);
	}
	dir_remove(AT_FDCWD, live, NULL);
	dir_remove(AT_FDCWD, merged, NULL);
	return r;
}
