/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl config: shows and changes kubeconfig files. Changes go to the first file that is named. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "codec/base64.h"
#include "kubectl/commands.h"

enum { FILE_MAX = 4 << 20 };
struct config { struct tree t; const char *file; };

/* The three lists, what an entry holds, and what it is called. */
static const struct { const char *list, *inner, *word; } lists[] = { { "clusters", "cluster", "cluster" }, { "contexts", "context", "context" }, { "users", "user", "user" } };
enum { CLUSTERS, CONTEXTS, USERS };

static int load(struct kctl *k, struct config *c, struct err *e) { return kctl_config(k, &c->t, &c->file, e); }

static int store(struct kctl *k, struct config *c, struct err *e)
{
	struct buf out AUTO(buf) = BUF_INIT(FILE_MAX);
	if (!c->file)
		return err_set(e, ENOENT, "no kubeconfig file is named, and there is no home folder");
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		kctl_list(k, &c->t, lists[i].list);
	kctl_map(k, &c->t, "preferences");
	if (!tree_gets(&c->t, "current-context"))
		kctl_set_text(k, &c->t, "current-context", "");
	int r = tree_to_yaml(&c->t, SCHEMA_SORTED, &out);
	const char *slash = strrchr(c->file, '/');
	if (r == 0 && slash && slash != c->file)
		mkdir(kctl_fmt(k, "%.*s", (int)(slash - c->file), c->file), 0700);
	return r < 0 ? err_sys(e, -r, "write %s", c->file) : file_write_atomic(AT_FDCWD, c->file, buf_slice(&out), 0600, e);
}

static struct tree *entry(struct kctl *k, struct config *c, int which, const char *name, uint32_t *ret_at)
{
	struct tree *l = kctl_list(k, &c->t, lists[which].list);
	for (uint32_t i = 0; i < l->n; i++)
		if (!strcmp(kctl_text_at(k, tree_at(l, i), "name"), name)) {
			if (ret_at)
				*ret_at = i;
			return &l->items[i];
		}
	return NULL;
}

static const char *current(struct kctl *k, const struct config *c)
{
	const char *flag = flag_str(&k->f, "context");
	return *flag ? flag : kctl_text_at(k, &c->t, "current-context");
}

/* The inner map of a named entry, made when there is none. */
static struct tree *made(struct kctl *k, struct config *c, int which, const char *name, bool *ret_new)
{
	struct tree *x = entry(k, c, which, name, NULL);
	*ret_new = !x;
	if (!x) {
		x = tree_append(&k->arena, kctl_list(k, &c->t, lists[which].list), tree_map());
		if (!x)
			return NULL;
		kctl_set_text(k, x, "name", name);
	}
	return kctl_map(k, x, lists[which].inner);
}

static void drop_others(struct kctl *k, struct config *c, int which, const char *name)
{
	struct tree *l = kctl_list(k, &c->t, lists[which].list);
	for (uint32_t i = l->n; i-- > 0;)
		if (strcmp(kctl_text_at(k, tree_at(l, i), "name"), name))
			tree_remove_at(l, i);
}

static void hide(struct kctl *k, struct tree *map, const char *key, const char *instead)
{
	struct tree *v = map ? tree_get_mut(map, slice_of(key)) : NULL;
	if (v)
		*v = tree_string(slice_of(instead));
}

int kcmd_config_view(struct kctl *k, struct err *e)
{
	struct config c;
	struct kctl_printer *p;
	int r = load(k, &c, e);
	if (r == 0 && flag_bool(&k->f, "minify")) {
		const char *name = current(k, &c);
		struct tree *x = entry(k, &c, CONTEXTS, name, NULL);
		if (!x)
			return err_set(e, EINVAL, *name ? "cannot locate context %s" : "current-context must exist in order to minify", name);
		struct tree copy = *x;
		drop_others(k, &c, CONTEXTS, name);
		drop_others(k, &c, CLUSTERS, kctl_text_at(k, &copy, "context.cluster"));
		drop_others(k, &c, USERS, kctl_text_at(k, &copy, "context.user"));
		kctl_set_text(k, &c.t, "current-context", name);
	}
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(lists); i++) {
		struct tree *l = kctl_list(k, &c.t, lists[i].list);
		for (uint32_t j = 0; j < l->n && !flag_bool(&k->f, "raw"); j++) {
			struct tree *x = tree_get_mut(&l->items[j], slice_of(lists[i].inner));
			hide(k, x, "certificate-authority-data", "DATA+OMITTED");
			hide(k, x, "client-certificate-data", "DATA+OMITTED");
			hide(k, x, "client-key-data", "DATA+OMITTED");
			hide(k, x, "token", "REDACTED");
			hide(k, x, "password", "REDACTED");
		}
	}
	if (r == 0 && !tree_gets(&c.t, "preferences"))
		kctl_map(k, &c.t, "preferences");
	if (r == 0 && !tree_gets(&c.t, "current-context"))
		kctl_set_text(k, &c.t, "current-context", "");
	if (r == 0)
		r = kctl_printer_new(k, *flag_str(&k->f, "output") ? flag_str(&k->f, "output") : "yaml", &p, e);
	return r < 0 ? r : kctl_print_object(k, p, &c.t, e);
}

int kcmd_config_current(struct kctl *k, struct err *e)
{
	struct config c;
	int r = load(k, &c, e);
	const char *name = r == 0 ? current(k, &c) : "";
	if (r == 0 && !*name)
		return err_set(e, EINVAL, "current-context is not set");
	if (r == 0)
		kctl_print(k, "%s\n", name);
	return r;
}

int kcmd_config_get_contexts(struct kctl *k, struct err *e)
{
	struct config c;
	struct buf lines AUTO(buf) = BUF_INIT(FILE_MAX);
	bool names = !strcmp(flag_str(&k->f, "output"), "name");
	int r = load(k, &c, e), failed = 0;
	if (r < 0)
		return r;
	if (!names && *flag_str(&k->f, "output"))
		return err_set(e, EINVAL, "output must be one of '' or 'name'");
	if (!names && !flag_bool(&k->f, "no-headers"))
		buf_adds(&lines, "CURRENT\tNAME\tCLUSTER\tAUTHINFO\tNAMESPACE\n");
	const char *now = current(k, &c), *last = "";
	struct tree *l = kctl_list(k, &c.t, "contexts");
	for (uint32_t shown = 0; shown < l->n; shown++) { /* by name */
		const struct tree *x = NULL;
		const char *name = "";
		for (uint32_t i = 0; i < l->n; i++) {
			const char *one = kctl_text_at(k, tree_at(l, i), "name");
			if (strcmp(one, last) > 0 && (!x || strcmp(one, name) < 0)) {
				x = tree_at(l, i);
				name = one;
			}
		}
		last = name;
		bool wanted = !k->f.argc;
		for (int a = 0; a < k->f.argc; a++)
			wanted |= !strcmp(k->f.argv[a], name);
		if (!x || !wanted)
			continue;
		if (names)
			kctl_print(k, "%s\n", name);
		else
			buf_addf(&lines, "%s\t%s\t%s\t%s\t%s\n", strcmp(now, name) ? "" : "*", name, kctl_text_at(k, x, "context.cluster"), kctl_text_at(k, x, "context.user"),
				kctl_text_at(k, x, "context.namespace"));
	}
	kctl_columns(k, buf_slice(&lines));
	for (int a = 0; a < k->f.argc; a++)
		if (!entry(k, &c, CONTEXTS, k->f.argv[a], NULL)) {
			kctl_warn(k, "error: context %s not found", k->f.argv[a]);
			failed = 1;
		}
	return failed;
}

static int names_of(struct kctl *k, int which, struct err *e)
{
	struct config c;
	int r = load(k, &c, e);
	if (r < 0)
		return r;
	struct tree *l = kctl_list(k, &c.t, lists[which].list);
	kctl_print(k, "NAME\n");
	for (uint32_t i = 0; i < l->n; i++)
		kctl_print(k, "%s\n", kctl_text_at(k, tree_at(l, i), "name"));
	return 0;
}

int kcmd_config_get_clusters(struct kctl *k, struct err *e) { return names_of(k, CLUSTERS, e); }
int kcmd_config_get_users(struct kctl *k, struct err *e) { return names_of(k, USERS, e); }

int kcmd_config_use(struct kctl *k, struct err *e)
{
	struct config c;
	int r = load(k, &c, e);
	if (r == 0 && !entry(k, &c, CONTEXTS, kctl_arg(k, 0), NULL))
		return err_set(e, ENOENT, "no context exists with the name: \"%s\"", kctl_arg(k, 0));
	if (r == 0) {
		kctl_set_text(k, &c.t, "current-context", kctl_arg(k, 0));
		r = store(k, &c, e);
	}
	if (r == 0)
		kctl_print(k, "Switched to context \"%s\".\n", kctl_arg(k, 0));
	return r;
}

/* A flag's value into a field; "" takes the field away. */
static void field(struct kctl *k, struct tree *map, const char *flag, const char *key)
{
	if (!flag_known(&k->f, flag) || !flag_changed(&k->f, flag))
		return;
	const char *v = flag_str(&k->f, flag);
	if (*v)
		kctl_set_text(k, map, key, v);
	else
		tree_remove(map, slice_of(key));
}

/* A file's bytes instead of its name. */
static int embed(struct kctl *k, struct tree *map, const char *key, struct err *e)
{
	const char *path = kctl_text(k, tree_gets(map, key));
	struct buf bytes AUTO(buf) = BUF_INIT(FILE_MAX), text AUTO(buf) = BUF_INIT(FILE_MAX * 2);
	if (!*path)
		return 0;
	int r = file_read(AT_FDCWD, path, &bytes);
	if (r < 0)
		return err_sys(e, -r, "could not read %s data from %s", key, path);
	base64_encode(&text, buf_slice(&bytes), false);
	kctl_set_text(k, map, kctl_fmt(k, "%s-data", key), kctl_fmt(k, "%s", text.ptr));
	tree_remove(map, slice_of(key));
	return 0;
}

int kcmd_config_set_context(struct kctl *k, struct err *e)
{
	struct config c;
	bool is_new, now = flag_bool(&k->f, "current");
	int r = load(k, &c, e);
	if (r < 0)
		return r;
	if (now == (k->f.argc == 1))
		return err_set(e, EINVAL, now ? "cannot specify both --current and a context name" : "you must specify a non-empty context name or --current");
	const char *name = now ? kctl_text_at(k, &c.t, "current-context") : kctl_arg(k, 0);
	if (!*name)
		return err_set(e, EINVAL, "no current context is set");
	struct tree *x = made(k, &c, CONTEXTS, name, &is_new);
	if (!x)
		return err_nomem(e);
	field(k, x, "cluster", "cluster");
	field(k, x, "user", "user");
	field(k, x, "namespace", "namespace");
	r = store(k, &c, e);
	if (r == 0)
		kctl_print(k, "Context \"%s\" %s.\n", name, is_new ? "created" : "modified");
	return r;
}

int kcmd_config_set_cluster(struct kctl *k, struct err *e)
{
	struct config c;
	bool is_new;
	int r = load(k, &c, e);
	struct tree *x = r == 0 ? made(k, &c, CLUSTERS, kctl_arg(k, 0), &is_new) : NULL;
	if (!x)
		return r < 0 ? r : err_nomem(e);
	field(k, x, "server", "server");
	field(k, x, "certificate-authority", "certificate-authority");
	field(k, x, "tls-server-name", "tls-server-name");
	field(k, x, "proxy-url", "proxy-url");
	if (flag_changed(&k->f, "insecure-skip-tls-verify"))
		kctl_set(k, x, "insecure-skip-tls-verify", tree_bool(flag_bool(&k->f, "insecure-skip-tls-verify")));
	if (flag_bool(&k->f, "embed-certs"))
		r = embed(k, x, "certificate-authority", e);
	if (r == 0)
		r = store(k, &c, e);
	if (r == 0)
		kctl_print(k, "Cluster \"%s\" set.\n", kctl_arg(k, 0));
	return r;
}

int kcmd_config_set_credentials(struct kctl *k, struct err *e)
{
	static const char *const fields[] = { "client-certificate", "client-key", "token", "username", "password" };
	struct config c;
	bool is_new;
	int r = load(k, &c, e);
	struct tree *x = r == 0 ? made(k, &c, USERS, kctl_arg(k, 0), &is_new) : NULL;
	if (!x)
		return r < 0 ? r : err_nomem(e);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		field(k, x, fields[i], fields[i]);
	for (size_t i = 0; r == 0 && i < 2 && flag_bool(&k->f, "embed-certs"); i++)
		r = embed(k, x, fields[i], e);
	if (r == 0)
		r = store(k, &c, e);
	if (r == 0)
		kctl_print(k, "User \"%s\" set.\n", kctl_arg(k, 0));
	return r;
}

static int delete_entry(struct kctl *k, int which, struct err *e)
{
	struct config c;
	uint32_t at;
	const char *name = kctl_arg(k, 0);
	int r = load(k, &c, e);
	if (r == 0 && !entry(k, &c, which, name, &at))
		return err_set(e, ENOENT, "cannot delete %s %s, not in %s", lists[which].word, name, c.file ? c.file : "any file");
	if (r == 0 && which == CONTEXTS && !strcmp(kctl_text_at(k, &c.t, "current-context"), name))
		kctl_warn(k, "warning: this removed your active context, use \"kubectl config use-context\" to select a different one");
	if (r == 0) {
		tree_remove_at(kctl_list(k, &c.t, lists[which].list), at);
		r = store(k, &c, e);
	}
	if (r == 0)
		kctl_print(k, "deleted %s %s from %s\n", lists[which].word, name, c.file);
	return r;
}

int kcmd_config_delete_context(struct kctl *k, struct err *e) { return delete_entry(k, CONTEXTS, e); }
int kcmd_config_delete_cluster(struct kctl *k, struct err *e) { return delete_entry(k, CLUSTERS, e); }
int kcmd_config_delete_user(struct kctl *k, struct err *e) { return delete_entry(k, USERS, e); }

int kcmd_config_rename(struct kctl *k, struct err *e)
{
	struct config c;
	const char *old = kctl_arg(k, 0), *name = kctl_arg(k, 1);
	int r = load(k, &c, e);
	struct tree *x = r == 0 ? entry(k, &c, CONTEXTS, old, NULL) : NULL;
	if (r < 0)
		return r;
	if (!x)
		return err_set(e, ENOENT, "cannot rename the context \"%s\", it's not in %s", old, c.file ? c.file : "any file");
	if (entry(k, &c, CONTEXTS, name, NULL))
		return err_set(e, EEXIST, "cannot rename the context \"%s\", the context \"%s\" already exists in %s", old, name, c.file);
	kctl_set_text(k, x, "name", name);
	if (!strcmp(kctl_text_at(k, &c.t, "current-context"), old))
		kctl_set_text(k, &c.t, "current-context", name);
	r = store(k, &c, e);
	if (r == 0)
		kctl_print(k, "Context \"%s\" renamed to \"%s\".\n", old, name);
	return r;
}

/* "contexts.NAME.namespace": the map that holds the last word, and that word; maps and entries are made with make. NULL: there is none. */
static struct tree *walk(struct kctl *k, struct config *c, const char *path, bool make, const char **ret_last, int *ret_list, uint32_t *ret_at)
{
	struct tree *at = &c->t;
	struct slice rest = slice_of(path), word;
	*ret_list = -1;
	for (unsigned n = 0; slice_next(&rest, '.', &word); n++) {
		const char *name = kctl_fmt(k, "%.*s", SLICE_FMT(word));
		if (!rest.len) {
			*ret_last = name;
			return at;
		}
		int which = -1;
		for (size_t i = 0; n == 0 && i < ARRAY_LEN(lists); i++)
			if (!strcmp(lists[i].list, name))
				which = (int)i;
		if (which >= 0) {
			bool is_new;
			slice_next(&rest, '.', &word);
			const char *entry_name = kctl_fmt(k, "%.*s", SLICE_FMT(word));
			struct tree *x = entry(k, c, which, entry_name, ret_at);
			if (!x && !make)
				return NULL;
			if (!rest.len) {
				*ret_list = which;
				*ret_last = entry_name;
				return &c->t;
			}
			at = made(k, c, which, entry_name, &is_new);
		} else {
			at = make ? kctl_map(k, at, name) : tree_get_mut(at, slice_of(name));
		}
		if (!at)
			return NULL;
	}
	return NULL;
}

int kcmd_config_set(struct kctl *k, struct err *e)
{
	struct config c;
	const char *last = NULL, *v = kctl_arg(k, 1);
	int which, r = load(k, &c, e);
	uint32_t at;
	if (r < 0)
		return r;
	struct tree *map = walk(k, &c, kctl_arg(k, 0), true, &last, &which, &at);
	if (!map || which >= 0)
		return err_set(e, EINVAL, "unable to set %s: it is no single value", kctl_arg(k, 0));
	bool flag = !strcmp(v, "true") || !strcmp(v, "false");
	kctl_set(k, map, last, flag ? tree_bool(!strcmp(v, "true")) : tree_string(slice_of(v)));
	r = store(k, &c, e);
	if (r == 0)
		kctl_print(k, "Property \"%s\" set.\n", kctl_arg(k, 0));
	return r;
}

int kcmd_config_unset(struct kctl *k, struct err *e)
{
	struct config c;
	const char *last = NULL;
	int which, r = load(k, &c, e);
	uint32_t at = 0;
	if (r < 0)
		return r;
	struct tree *map = walk(k, &c, kctl_arg(k, 0), false, &last, &which, &at);
	if (!map)
		return err_set(e, ENOENT, "current map key `%s` is invalid", kctl_arg(k, 0));
	if (which >= 0)
		tree_remove_at(kctl_list(k, &c.t, lists[which].list), at);
	else
		tree_remove(map, slice_of(last));
	r = store(k, &c, e);
	if (r == 0)
		kctl_print(k, "Property \"%s\" unset.\n", kctl_arg(k, 0));
	return r;
}
