/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl edit, diff, replace, apply view-last-applied: whole objects against what the server has. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "kubectl/commands.h"
#include "schema/patch.h"

#define LAST "kubectl.kubernetes.io/last-applied-configuration"
enum { TEXT_MAX = 16 << 20 };

/* Runs a shell command with arguments behind it, on this terminal; its exit code. The only program that kubectl runs: the loop stands still meanwhile. */
static int run_program(struct kctl *k, const char *command, const char *a, const char *b, struct err *e)
{
	int status;
	kctl_flush(k);
	pid_t pid = fork();
	if (pid < 0)
		return err_sys(e, errno, "run %s", command);
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", kctl_fmt(k, "%s \"$@\"", command), "sh", a, b, (char *)NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, errno, "wait for %s", command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int without_managed(struct kctl *k, const struct tree *o, struct tree *ret, struct err *e)
{
	if (tree_copy(o, &k->arena, ret) < 0)
		return err_nomem(e);
	struct tree *m = tree_get_mut(ret, SLICE("metadata"));
	if (m && m->type == TREE_MAP)
		tree_remove(m, SLICE("managedFields"));
	return 0;
}

static int write_text(const char *path, const struct tree *o, const char *head, struct err *e)
{
	struct buf out AUTO(buf) = BUF_INIT(TEXT_MAX);
	buf_adds(&out, head);
	int r = o ? tree_to_yaml(o, SCHEMA_SORTED, &out) : 0;
	return r < 0 ? err_sys(e, -r, "write %s", path) : file_write_atomic(AT_FDCWD, path, buf_slice(&out), 0600, e);
}

/* --- edit --------------------------------------------------------------------------------------- */
static const char edit_head[] = "# Please edit the object below. Lines beginning with a '#' will be ignored,\n"
	"# and an empty file will abort the edit. If an error occurs while saving this file will be\n# reopened with the relevant failures.\n#\n";

static const char *editor(void)
{
	const char *v = getenv("KUBE_EDITOR");
	if (!v || !*v)
		v = getenv("EDITOR");
	return v && *v ? v : "vi";
}

/* 1: changed and sent; 0: nothing to do. */
static int edit_one(struct kctl *k, struct kctl_target *t, const struct tree *now, const char *path, struct err *e)
{
	struct tree shown, docs, patch, got, none = tree_map();
	struct buf text AUTO(buf) = BUF_INIT(TEXT_MAX);
	int r = without_managed(k, now, &shown, e);
	if (r == 0)
		r = write_text(path, &shown, edit_head, e);
	if (r == 0 && (r = run_program(k, editor(), path, NULL, e)) > 0)
		return err_set(e, EIO, "there was a problem with the editor \"%s\"", editor());
	if (r == 0 && (r = file_read(AT_FDCWD, path, &text)) < 0)
		return err_sys(e, -r, "read %s", path);
	if (r == 0)
		r = tree_from_yaml(buf_slice(&text), 0, &k->arena, &docs, e);
	if (r < 0)
		return r;
	const struct tree *new = tree_at(&docs, 0);
	if (!new || new->type != TREE_MAP) {
		kctl_warn(k, "Edit cancelled, saved file was empty.");
		return 0;
	}
	if (tree_equal(&shown, new)) {
		kctl_warn(k, "Edit cancelled, no changes made.");
		return 0;
	}
	/* what the editor took away has to be said to be taken away: old text is what was applied, new is wanted */
	bool known = t->kind.type.domain;
	r = known ? tree_strategic_diff3(t->kind.type, &shown, new, &shown, &k->arena, &patch, e) : tree_merge_diff3(&shown, new, &shown, &k->arena, &patch, e);
	(void)none;
	if (r == 0)
		r = kctl_send_wait(k, "PATCH", kctl_path(k, &t->kind, t->ns, t->name, *flag_str(&k->f, "subresource") ? flag_str(&k->f, "subresource") : NULL, kctl_write_query(k, "kubectl-edit")),
			known ? "application/strategic-merge-patch+json" : "application/merge-patch+json", &patch, &got, e);
	return r < 0 ? r : kctl_print_done(k, t, &got, "edited", e) < 0 ? -EIO : 1;
}

int kcmd_edit(struct kctl *k, struct err *e)
{
	struct kctl_targets all = { 0 };
	int failed = 0, r = kctl_targets_wait(k, 0, KARGS_NAMES | KARGS_FILES, &all, e);
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		struct kctl_target *t = &all.v[i];
		struct tree now;
		struct err why = { 0 };
		char path[64] = "/tmp/kubectl-edit-XXXXXX.yaml";
		int fd, one = kctl_get_wait(k, kctl_path(k, &t->kind, t->ns, t->name, NULL, NULL), &now, &why);
		if (one == 0 && (fd = mkstemps(path, 5)) < 0)
			one = err_sys(&why, errno, "make %s", path);
		else if (one == 0) {
			close(fd);
			one = edit_one(k, t, &now, path, &why);
			if (one < 0)
				kctl_warn(k, "A copy of your changes has been stored to \"%s\"", path);
			else
				unlink(path);
		}
		if (one < 0)
			failed = kctl_failed(k, &why);
	}
	return r < 0 ? r : failed;
}

/* --- diff ------------------------------------------------------------------------------------------ */
static void remove_folder(struct kctl *k, const char *dir, const struct kctl_targets *all, const char *const *names)
{
	for (size_t i = 0; i < all->n; i++)
		if (names[i])
			unlink(kctl_fmt(k, "%s/%s", dir, names[i]));
	rmdir(dir);
}

/* What the object would be: the server is asked, by a dry run of what apply would send. */
static int merged(struct kctl *k, struct kctl_target *t, const struct tree *live, struct tree *ret, struct err *e)
{
	struct tree patch, wanted, original = tree_map();
	const char *last = kctl_text(k, tree_get(tree_path(live, "metadata.annotations"), SLICE(LAST))), *q = kctl_query(k, NULL, "dryRun", "All");
	struct buf text AUTO(buf) = BUF_INIT(TEXT_MAX);
	int r = 0;
	if (flag_bool(&k->f, "server-side"))
		return kctl_send_wait(k, "PATCH", kctl_path(k, &t->kind, t->ns, t->name, NULL, kctl_query(k, kctl_query(k, q, "fieldManager", "kubectl"), "force", flag_bool(&k->f, "force-conflicts") ? "true" : "false")),
			"application/apply-patch+yaml", &t->object, ret, e);
	if (tree_copy(&t->object, &k->arena, &wanted) < 0)
		return err_nomem(e);
	if (!live)
		return kctl_send_wait(k, "POST", kctl_path(k, &t->kind, t->ns, NULL, NULL, q), NULL, &wanted, ret, e);
	if (*last)
		r = tree_from_json(slice_of(last), 0, &k->arena, &original, e);
	if (r == 0)
		r = t->kind.type.domain ? tree_strategic_diff3(t->kind.type, &original, &wanted, live, &k->arena, &patch, e) : tree_merge_diff3(&original, &wanted, live, &k->arena, &patch, e);
	if (r < 0)
		return r;
	/* the annotation is apply's own book-keeping: no difference that people look for */
	struct tree *meta = tree_get_mut(&patch, SLICE("metadata")), *notes = meta ? tree_get_mut(meta, SLICE("annotations")) : NULL;
	if (notes && notes->type == TREE_MAP)
		tree_remove(notes, SLICE(LAST));
	return kctl_send_wait(k, "PATCH", kctl_path(k, &t->kind, t->ns, t->name, NULL, q), t->kind.type.domain ? "application/strategic-merge-patch+json" : "application/merge-patch+json", &patch, ret, e);
}

int kcmd_diff(struct kctl *k, struct err *e)
{
	struct kctl_targets all = { 0 };
	char live_dir[] = "/tmp/LIVE-XXXXXX", new_dir[] = "/tmp/MERGED-XXXXXX";
	const char *program = getenv("KUBECTL_EXTERNAL_DIFF");
	int r = 0;
	k->exit_code = 2; /* 1 says that there are differences */
	if (!flag_list(&k->f, "filename")->n)
		return err_set(e, EINVAL, "must specify one of -f and -k");
	r = kctl_read_files_wait(k, &all, e);
	const char **names = arena_array(&k->arena, all.n + 1, sizeof *names);
	if (r == 0 && (!names || !mkdtemp(live_dir) || !mkdtemp(new_dir)))
		return err_sys(e, errno, "make a folder in /tmp");
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		struct kctl_target *t = &all.v[i];
		struct tree live, new, a, b;
		r = kctl_get_wait(k, kctl_path(k, &t->kind, t->ns, t->name, NULL, NULL), &live, e);
		bool there = r == 0;
		if (r == -ENOENT) {
			k->long_error = NULL;
			r = 0;
		}
		if (r == 0)
			r = merged(k, t, there ? &live : NULL, &new, e);
		names[i] = kctl_fmt(k, "%s%s%s.%s.%s.%s", t->kind.group, *t->kind.group ? "." : "", t->kind.version, t->kind.kind, t->ns ? t->ns : "", t->name);
		if (r == 0 && there)
			r = without_managed(k, &live, &a, e);
		if (r == 0)
			r = without_managed(k, &new, &b, e);
		if (r == 0)
			r = write_text(kctl_fmt(k, "%s/%s", live_dir, names[i]), there ? &a : NULL, "", e);
		if (r == 0)
			r = write_text(kctl_fmt(k, "%s/%s", new_dir, names[i]), &b, "", e);
	}
	if (r == 0) {
		r = run_program(k, program && *program ? program : "diff -u -N", live_dir, new_dir, e);
		k->exit_code = r;
	}
	if (names) {
		remove_folder(k, live_dir, &all, names);
		remove_folder(k, new_dir, &all, names);
	}
	return r;
}

/* --- replace --------------------------------------------------------------------------------------------- */
int kcmd_replace(struct kctl *k, struct err *e)
{
	struct kctl_targets all = { 0 };
	const char *dry;
	bool force = flag_bool(&k->f, "force");
	int failed = 0, r = kctl_dry_run(k, &dry, e);
	if (r == 0 && !flag_list(&k->f, "filename")->n)
		return err_set(e, EINVAL, "must specify one of -f and -k");
	if (r == 0)
		r = kctl_read_files_wait(k, &all, e);
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		struct kctl_target *t = &all.v[i];
		struct tree got = t->object;
		struct err why = { 0 };
		const char *path = kctl_path(k, &t->kind, t->ns, t->name, NULL, kctl_write_query(k, "kubectl-replace"));
		int one = 0;
		if (!strcmp(dry, "client")) {
			kctl_print_done(k, t, &got, "replaced", &why);
			continue;
		}
		if (force) {
			struct tree options = tree_map();
			kctl_set_int(k, &options, "gracePeriodSeconds", 0);
			one = kctl_send_wait(k, "DELETE", kctl_path(k, &t->kind, t->ns, t->name, NULL, NULL), NULL, &options, NULL, &why);
			if (one == 0)
				kctl_print(k, "%s \"%s\" deleted\n", kctl_kind_text(k, &t->kind), t->name);
			if (one == 0 || one == -ENOENT) {
				k->long_error = NULL;
				one = kctl_send_wait(k, "POST", kctl_path(k, &t->kind, t->ns, NULL, NULL, kctl_write_query(k, "kubectl-replace")), NULL, &t->object, &got, &why);
			}
		} else {
			one = kctl_send_wait(k, "PUT", path, NULL, &t->object, &got, &why);
		}
		if (one == 0)
			one = kctl_print_done(k, t, &got, "replaced", &why);
		if (one < 0) {
			if (k->long_error && !strncmp(k->long_error, "Error from server", 17)) {
				const char *colon = strchr(k->long_error, ':');
				k->long_error = kctl_fmt(k, "%.*s: error when replacing \"%s\"%s", (int)(colon - k->long_error), k->long_error, t->source, colon);
			}
			failed = kctl_failed(k, &why);
		}
	}
	return r < 0 ? r : failed;
}

/* --- apply view-last-applied ------------------------------------------------------------------------------ */
int kcmd_view_last_applied(struct kctl *k, struct err *e)
{
	struct kctl_targets all = { 0 };
	const char *format = *flag_str(&k->f, "output") ? flag_str(&k->f, "output") : "yaml";
	int r = kctl_targets_wait(k, 0, KARGS_NAMES | KARGS_FILES, &all, e);
	if (r == 0 && strcmp(format, "yaml") && strcmp(format, "json"))
		return err_set(e, EINVAL, "Unexpected -o output mode: %s, the flag 'output' must be one of yaml|json", format);
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		struct tree now, last;
		r = kctl_get_wait(k, kctl_path(k, &all.v[i].kind, all.v[i].ns, all.v[i].name, NULL, NULL), &now, e);
		const char *text = r == 0 ? kctl_text(k, tree_get(tree_path(&now, "metadata.annotations"), SLICE(LAST))) : "";
		if (r == 0 && !*text)
			continue; /* as kubectl: nothing, and success */
		if (r == 0)
			r = tree_from_json(slice_of(text), 0, &k->arena, &last, e);
		if (r < 0)
			return r;
		struct tree *meta = tree_get_mut(&last, SLICE("metadata")), *notes = meta ? tree_get_mut(meta, SLICE("annotations")) : NULL;
		if (notes && notes->type == TREE_MAP && !notes->n)
			tree_remove(meta, SLICE("annotations"));
		if (!strcmp(format, "json")) {
			r = tree_to_json(&last, SCHEMA_INDENT | SCHEMA_SORTED | SCHEMA_ESCAPE_HTML, &k->out);
			buf_addc(&k->out, '\n');
		} else {
			r = tree_to_yaml(&last, SCHEMA_SORTED, &k->out);
		}
	}
	return r;
}
