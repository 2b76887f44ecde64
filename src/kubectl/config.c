/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl config: looking at and changing kubeconfig files. Changes go to the first file (or --kubeconfig), written whole and renamed. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "codec/base64.h"
#include "kubectl/commands.h"

static struct tree *named(struct kctl *k, struct tree *config, const char *list, const char *name)
{
	struct tree *l = kctl_list(k, config, list);
	for (uint32_t i = 0; i < l->n; i++)
		if (!strcmp(kctl_text_at(k, &l->items[i], "name"), name))
			return &l->items[i];
	return NULL;
}

static struct tree *named_or_new(struct kctl *k, struct tree *config, const char *list, const char *name, bool *made)
{
	struct tree *t = named(k, config, list, name);
	*made = !t;
	if (t)
		return t;
	t = tree_append(&k->arena, kctl_list(k, config, list), tree_map());
	if (t)
		kctl_set_text(k, t, "name", name);
	return t;
}

static bool drop(struct kctl *k, struct tree *config, const char *list, const char *name)
{
	struct tree *l = kctl_list(k, config, list);
	for (uint32_t i = 0; i < l->n; i++)
		if (!strcmp(kctl_text_at(k, &l->items[i], "name"), name)) {
			tree_remove_at(l, i);
			return true;
		}
	return false;
}

/* The one file that changes go to, as it is (names in it stay relative). */
static int own_file(struct kctl *k, struct tree *ret, const char **path, struct err *e)
{
	struct buf text AUTO(buf) = BUF_INIT(4 << 20);
	struct tree all, docs;
	int r = kctl_config(k, &all, path, e);
	if (r == -ENOENT && *flag_str(&k->f, "kubeconfig")) {
		*path = flag_str(&k->f, "kubeconfig");
		r = 0;
	}
	if (r < 0)
		return r;
	*ret = tree_map();
	r = file_read(AT_FDCWD, *path, &text);
	if (r == 0 && (r = tree_from_yaml(buf_slice(&text), 0, &k->arena, &docs, e)) == 0 && tree_at(&docs, 0) && tree_at(&docs, 0)->type == TREE_MAP)
		*ret = *tree_at(&docs, 0);
	if (r < 0 && r != -ENOENT)
		return r;
	kctl_set_text(k, ret, "apiVersion", "v1");
	kctl_set_text(k, ret, "kind", "Config");
	return 0;
}

static int save(struct kctl *k, const struct tree *config, const char *path, struct err *e)
{
	struct buf text AUTO(buf) = BUF_INIT(4 << 20);
	const char *slash = strrchr(path, '/');
	int r = tree_to_yaml(config, SCHEMA_SORTED, &text);
	if (r == 0 && slash && slash != path)
		r = dir_make(AT_FDCWD, kctl_fmt(k, "%.*s", (int)(slash - path), path), 0750);
	if (r < 0)
		return err_sys(e, -r, "write %s", path);
	return file_write_atomic(AT_FDCWD, path, buf_slice(&text), 0600, e);
}

static void redact(struct kctl *k, struct tree *config)
{
	static const struct { const char *list, *inner, *key, *shown; } secrets[] = {
		{ "clusters", "cluster", "certificate-authority-data", "DATA+OMITTED" }, { "users", "user", "client-certificate-data", "DATA+OMITTED" },
		{ "users", "user", "client-key-data", "DATA+OMITTED" }, { "users", "user", "token", "REDACTED" }, { "users", "user", "password", "REDACTED" },
	};
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
		struct tree *l = kctl_list(k, config, secrets[i].list);
		for (uint32_t j = 0; j < l->n; j++) {
			struct tree *v = tree_get_mut(tree_get_mut(&l->items[j], slice_of(secrets[i].inner)), slice_of(secrets[i].key));
			if (v && v->n)
				*v = tree_string(slice_of(secrets[i].shown));
		}
	}
}

/* What the current context does not need goes. */
static int minify(struct kctl *k, struct tree *config, struct err *e)
{
	const char *name = *flag_str(&k->f, "context") ? flag_str(&k->f, "context") : kctl_text_at(k, config, "current-context");
	struct tree *context = named(k, config, "contexts", name);
	if (!context)
		return err_set(e, EINVAL, "cannot locate context %s", name);
	const char *keep[][2] = { { "contexts", name }, { "clusters", kctl_text_at(k, context, "context.cluster") }, { "users", kctl_text_at(k, context, "context.user") } };
	for (size_t i = 0; i < ARRAY_LEN(keep); i++) {
		struct tree *l = kctl_list(k, config, keep[i][0]);
		for (uint32_t j = 0; j < l->n;)
			if (strcmp(kctl_text_at(k, &l->items[j], "name"), keep[i][1]))
				tree_remove_at(l, j);
			else
				j++;
	}
	return 0;
}

int kcmd_config_view(struct kctl *k, struct err *e)
{
	struct tree config;
	const char *format = *flag_str(&k->f, "output") ? flag_str(&k->f, "output") : "yaml";
	struct kctl_printer *p;
	int r = kctl_config(k, &config, NULL, e);
	if (r == 0 && flag_bool(&k->f, "minify"))
		r = minify(k, &config, e);
	if (r == 0 && !flag_bool(&k->f, "raw"))
		redact(k, &config);
	if (r == 0 && !tree_gets(&config, "current-context"))
		kctl_set_text(k, &config, "current-context", "");
	if (r == 0)
		r = kctl_printer_new(k, format, &p, e);
	return r < 0 ? r : kctl_print_object(k, p, &config, e);
}

int kcmd_config_current_context(struct kctl *k, struct err *e)
{
	struct tree config;
	int r = kctl_config(k, &config, NULL, e);
	if (r < 0)
		return r;
	if (!*kctl_text_at(k, &config, "current-context"))
		return err_set(e, ENOENT, "current-context is not set");
	kctl_print(k, "%s\n", kctl_text_at(k, &config, "current-context"));
	return 0;
}

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static const char **names(struct kctl *k, struct tree *config, const char *list, size_t *n)
{
	struct tree *l = kctl_list(k, config, list);
	const char **v = arena_array(&k->arena, l->n + 1, sizeof *v);
	*n = 0;
	for (uint32_t i = 0; v && i < l->n; i++)
		v[(*n)++] = kctl_text_at(k, &l->items[i], "name");
	if (*n)
		qsort(v, *n, sizeof *v, by_name);
	return v;
}

int kcmd_config_get_contexts(struct kctl *k, struct err *e)
{
	struct tree config;
	struct buf lines AUTO(buf) = BUF_INIT(1 << 20);
	size_t n;
	int r = kctl_config(k, &config, NULL, e), failed = 0;
	if (r < 0)
		return r;
	const char *current = kctl_text_at(k, &config, "current-context");
	bool only_names = !strcmp(flag_str(&k->f, "output"), "name");
	const char **v = names(k, &config, "contexts", &n);
	if (!only_names && !flag_bool(&k->f, "no-headers"))
		buf_adds(&lines, "CURRENT\tNAME\tCLUSTER\tAUTHINFO\tNAMESPACE\n");
	if (k->f.argc)
		n = (size_t)k->f.argc;
	for (size_t i = 0; i < n; i++) {
		const char *name = k->f.argc ? k->f.argv[i] : v[i];
		const struct tree *c = named(k, &config, "contexts", name);
		if (!c) {
			kctl_warn(k, "error: context %s not found", name);
			failed = 1;
		} else if (only_names) {
			buf_addf(&lines, "%s\n", name);
		} else {
			buf_addf(&lines, "%s\t%s\t%s\t%s\t%s\n", strcmp(name, current) ? "" : "*", name, kctl_text_at(k, c, "context.cluster"), kctl_text_at(k, c, "context.user"), kctl_text_at(k, c, "context.namespace"));
		}
	}
	kctl_columns(k, buf_slice(&lines));
	return failed;
}

static int list_names(struct kctl *k, const char *list, struct err *e)
{
	struct tree config;
	size_t n;
	int r = kctl_config(k, &config, NULL, e);
	if (r < 0)
		return r;
	const char **v = names(k, &config, list, &n);
	kctl_print(k, "NAME\n");
	for (size_t i = 0; i < n; i++)
		kctl_print(k, "%s\n", v[i]);
	return 0;
}

int kcmd_config_get_clusters(struct kctl *k, struct err *e) { return list_names(k, "clusters", e); }
int kcmd_config_get_users(struct kctl *k, struct err *e) { return list_names(k, "users", e); }

int kcmd_config_use_context(struct kctl *k, struct err *e)
{
	const char *path, *name = kctl_arg(k, 0);
	struct tree config, all;
	int r = kctl_config(k, &all, NULL, e);
	if (r == 0 && !named(k, &all, "contexts", name))
		return err_set(e, ENOENT, "no context exists with the name: \"%s\"", name);
	if (r == 0)
		r = own_file(k, &config, &path, e);
	if (r == 0) {
		kctl_set_text(k, &config, "current-context", name);
		r = save(k, &config, path, e);
	}
	if (r == 0)
		kctl_print(k, "Switched to context \"%s\".\n", name);
	return r;
}

int kcmd_config_set_context(struct kctl *k, struct err *e)
{
	static const char *const fields[] = { "cluster", "namespace", "user" };
	const char *path, *name = kctl_arg(k, 0);
	struct tree config;
	bool made;
	int r = own_file(k, &config, &path, e);
	if (r == 0 && flag_bool(&k->f, "current"))
		name = kctl_text_at(k, &config, "current-context");
	if (r == 0 && (!name || !*name))
		return kctl_usage(k, e, flag_bool(&k->f, "current") ? "no current context is set" : "you must specify a non-empty context name or --current");
	if (r < 0)
		return r;
	struct tree *c = named_or_new(k, &config, "contexts", name, &made);
	for (size_t i = 0; c && i < ARRAY_LEN(fields); i++)
		if (flag_changed(&k->f, fields[i]))
			kctl_set_text(k, kctl_map(k, c, "context"), fields[i], flag_str(&k->f, fields[i]));
	r = save(k, &config, path, e);
	if (r == 0)
		kctl_print(k, "Context \"%s\" %s.\n", name, made ? "created" : "modified");
	return r;
}

/* A file's name, or with --embed-certs its bytes. */
static int set_file(struct kctl *k, struct tree *map, const char *flag, const char *data_key, struct err *e)
{
	const char *path = flag_str(&k->f, flag);
	struct buf bytes AUTO(buf) = BUF_INIT(1 << 20), text AUTO(buf) = BUF_INIT(2 << 20);
	if (!flag_changed(&k->f, flag))
		return 0;
	if (!flag_known(&k->f, "embed-certs") || !flag_bool(&k->f, "embed-certs")) {
		char full[4096];
		kctl_set_text(k, map, flag, *path && realpath(path, full) ? kctl_fmt(k, "%s", full) : path);
		tree_remove(map, slice_of(data_key));
		return 0;
	}
	int r = file_read(AT_FDCWD, path, &bytes);
	if (r < 0)
		return err_sys(e, -r, "could not read %s data from %s", data_key, path);
	base64_encode(&text, buf_slice(&bytes), false);
	kctl_set_text(k, map, data_key, kctl_fmt(k, "%s", text.ptr));
	tree_remove(map, slice_of(flag));
	return 0;
}

int kcmd_config_set_cluster(struct kctl *k, struct err *e)
{
	const char *path, *name = kctl_arg(k, 0);
	struct tree config;
	bool made;
	int r = own_file(k, &config, &path, e);
	if (r < 0)
		return r;
	struct tree *t = named_or_new(k, &config, "clusters", name, &made), *c = t ? kctl_map(k, t, "cluster") : NULL;
	if (!c)
		return err_nomem(e);
	if (flag_changed(&k->f, "server"))
		kctl_set_text(k, c, "server", flag_str(&k->f, "server"));
	if (flag_changed(&k->f, "tls-server-name"))
		kctl_set_text(k, c, "tls-server-name", flag_str(&k->f, "tls-server-name"));
	if (flag_changed(&k->f, "insecure-skip-tls-verify")) {
		kctl_set(k, c, "insecure-skip-tls-verify", tree_bool(flag_bool(&k->f, "insecure-skip-tls-verify")));
		if (flag_bool(&k->f, "insecure-skip-tls-verify")) {
			tree_remove(c, SLICE("certificate-authority"));
			tree_remove(c, SLICE("certificate-authority-data"));
		}
	}
	r = set_file(k, c, "certificate-authority", "certificate-authority-data", e);
	if (r == 0)
		r = save(k, &config, path, e);
	if (r == 0)
		kctl_print(k, "Cluster \"%s\" set.\n", name);
	return r;
}

int kcmd_config_set_credentials(struct kctl *k, struct err *e)
{
	const char *path, *name = kctl_arg(k, 0);
	struct tree config;
	bool made;
	int r = own_file(k, &config, &path, e);
	if (r < 0)
		return r;
	struct tree *t = named_or_new(k, &config, "users", name, &made), *u = t ? kctl_map(k, t, "user") : NULL;
	if (!u)
		return err_nomem(e);
	if (flag_changed(&k->f, "token"))
		kctl_set_text(k, u, "token", flag_str(&k->f, "token"));
	r = set_file(k, u, "client-certificate", "client-certificate-data", e);
	if (r == 0)
		r = set_file(k, u, "client-key", "client-key-data", e);
	if (r == 0)
		r = save(k, &config, path, e);
	if (r == 0)
		kctl_print(k, "User \"%s\" set.\n", name);
	return r;
}

static int delete_named(struct kctl *k, const char *list, const char *what, struct err *e)
{
	const char *path, *name = kctl_arg(k, 0);
	struct tree config;
	int r = own_file(k, &config, &path, e);
	if (r == 0 && !drop(k, &config, list, name))
		return err_set(e, ENOENT, "cannot delete %s %s, not in %s", what, name, path);
	if (r == 0 && !strcmp(what, "context") && !strcmp(kctl_text_at(k, &config, "current-context"), name))
		kctl_warn(k, "warning: this removed your active context, use \"kubectl config use-context\" to select a different one");
	if (r == 0)
		r = save(k, &config, path, e);
	if (r == 0)
		kctl_print(k, "deleted %s %s from %s\n", what, name, path);
	return r;
}

int kcmd_config_delete_context(struct kctl *k, struct err *e) { return delete_named(k, "contexts", "context", e); }
int kcmd_config_delete_cluster(struct kctl *k, struct err *e) { return delete_named(k, "clusters", "cluster", e); }
int kcmd_config_delete_user(struct kctl *k, struct err *e) { return delete_named(k, "users", "user", e); }

int kcmd_config_rename_context(struct kctl *k, struct err *e)
{
	const char *path, *from = kctl_arg(k, 0), *to = kctl_arg(k, 1);
	struct tree config;
	int r = own_file(k, &config, &path, e);
	struct tree *c = r == 0 ? named(k, &config, "contexts", from) : NULL;
	if (r == 0 && !c)
		return err_set(e, ENOENT, "cannot rename the context \"%s\", it's not in %s", from, path);
	if (r == 0 && named(k, &config, "contexts", to))
		return err_set(e, EEXIST, "cannot rename the context \"%s\", the context \"%s\" already exists in %s", from, to, path);
	if (r < 0)
		return r;
	kctl_set_text(k, c, "name", to);
	if (!strcmp(kctl_text_at(k, &config, "current-context"), from))
		kctl_set_text(k, &config, "current-context", to);
	r = save(k, &config, path, e);
	if (r == 0)
		kctl_print(k, "Context \"%s\" renamed to \"%s\".\n", from, to);
	return r;
}

/* "contexts.NAME.namespace", "current-context": a name may have dots, the last word is the field. */
static int walk(struct kctl *k, struct tree *config, const char *path, struct tree **ret, const char **key, struct err *e)
{
	static const char *const lists[][2] = { { "contexts.", "context" }, { "clusters.", "cluster" }, { "users.", "user" } };
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		size_t n = strlen(lists[i][0]);
		if (strncmp(path, lists[i][0], n))
			continue;
		const char *last = strrchr(path + n, '.');
		if (!last)
			break;
		bool made;
		struct tree *t = named_or_new(k, config, kctl_fmt(k, "%.*s", (int)n - 1, path), kctl_fmt(k, "%.*s", (int)(last - path - (ptrdiff_t)n), path + n), &made);
		*ret = t ? kctl_map(k, t, lists[i][1]) : NULL;
		*key = last + 1;
		return t ? 0 : err_nomem(e);
	}
	if (strchr(path, '.'))
		return err_set(e, EINVAL, "unable to use the property name \"%s\": contexts.NAME.FIELD, clusters.NAME.FIELD, users.NAME.FIELD or current-context is wanted", path);
	*ret = config;
	*key = path;
	return 0;
}

int kcmd_config_set(struct kctl *k, struct err *e)
{
	const char *path, *key;
	struct tree config, *map;
	int r = own_file(k, &config, &path, e);
	if (r == 0)
		r = walk(k, &config, kctl_arg(k, 0), &map, &key, e);
	if (r == 0) {
		const char *v = kctl_arg(k, 1);
		kctl_set(k, map, key, !strcmp(v, "true") || !strcmp(v, "false") ? tree_bool(!strcmp(v, "true")) : tree_string(slice_of(v)));
		r = save(k, &config, path, e);
	}
	if (r == 0)
		kctl_print(k, "Property \"%s\" set.\n", kctl_arg(k, 0));
	return r;
}

int kcmd_config_unset(struct kctl *k, struct err *e)
{
	const char *path, *key, *arg = kctl_arg(k, 0);
	struct tree config, *map;
	int r = own_file(k, &config, &path, e);
	static const char *const lists[] = { "contexts", "clusters", "users" };
	bool whole = false;
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(lists); i++) {
		size_t n = strlen(lists[i]);
		if (!strncmp(arg, lists[i], n) && arg[n] == '.' && drop(k, &config, lists[i], arg + n + 1))
			whole = true;
	}
	if (r == 0 && !whole) {
		r = walk(k, &config, arg, &map, &key, e);
		if (r == 0)
			tree_remove(map, slice_of(key));
	}
	if (r == 0)
		r = save(k, &config, path, e);
	if (r == 0)
		kctl_print(k, "Property \"%s\" unset.\n", arg);
	return r;
}
