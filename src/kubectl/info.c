/* SPDX-License-Identifier: Apache-2.0 */
/* Facts about client and server: version, api-resources, api-versions. */
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "kubectl/commands.h"

static void version_map(struct kctl *k, struct tree *ret)
{
	*ret = tree_map();
	kctl_set_text(k, ret, "major", "1");
	kctl_set_text(k, ret, "minor", "36");
	kctl_set_text(k, ret, "gitVersion", "v1.36.0");
	kctl_set_text(k, ret, "gitCommit", "");
	kctl_set_text(k, ret, "gitTreeState", "clean");
	kctl_set_text(k, ret, "buildDate", "");
	kctl_set_text(k, ret, "goVersion", "");
	kctl_set_text(k, ret, "compiler", "cc");
	struct utsname u = { 0 };
	uname(&u);
	kctl_set_text(k, ret, "platform", kctl_fmt(k, "linux/%s", !strcmp(u.machine, "x86_64") ? "amd64" : !strcmp(u.machine, "aarch64") ? "arm64" : u.machine));
}

int kcmd_version(struct kctl *k, struct err *e)
{
	const char *format = flag_str(&k->f, "output");
	struct tree all = tree_map(), server, client;
	bool ours = flag_bool(&k->f, "client");
	int r = 0;
	if (*format && strcmp(format, "json") && strcmp(format, "yaml"))
		return err_set(e, EINVAL, "--output must be 'yaml' or 'json'");
	version_map(k, &client);
	kctl_set(k, &all, "clientVersion", client);
	kctl_set_text(k, &all, "kustomizeVersion", "none");
	if (!*format)
		kctl_print(k, "Client Version: v1.36.0\nKustomize Version: none\n");
	if (!ours) {
		r = kctl_get_wait(k, "/version", &server, e);
		if (r == 0)
			kctl_set(k, &all, "serverVersion", server);
		if (r == 0 && !*format)
			kctl_print(k, "Server Version: %s\n", kctl_text_at(k, &server, "gitVersion"));
	}
	if (!strcmp(format, "json"))
		tree_to_json(&all, SCHEMA_INDENT | SCHEMA_SORTED | SCHEMA_NEWLINE, &k->out);
	else if (*format)
		tree_to_yaml(&all, SCHEMA_SORTED, &k->out);
	return r;
}

int kcmd_api_versions(struct kctl *k, struct err *e)
{
	struct kctl_kinds *all;
	const char *seen[512];
	size_t n = 0;
	int r = kctl_kinds_wait(k, &all, e);
	for (size_t i = 0; r == 0 && i < all->n; i++) {
		const char *gv = kctl_group_version(k, &all->v[i]);
		bool known = false;
		for (size_t j = 0; j < n && !known; j++)
			known = !strcmp(seen[j], gv);
		if (!known && n < ARRAY_LEN(seen))
			seen[n++] = gv;
	}
	for (size_t i = 1; i < n; i++)
		for (size_t j = i; j > 0 && strcmp(seen[j], seen[j - 1]) < 0; j--) {
			const char *swap = seen[j];
			seen[j] = seen[j - 1];
			seen[j - 1] = swap;
		}
	for (size_t i = 0; i < n; i++)
		kctl_print(k, "%s\n", seen[i]);
	return r;
}

static const char *joined(struct kctl *k, const char *const *words)
{
	struct buf b AUTO(buf) = BUF_INIT(4096);
	for (size_t i = 0; words && words[i]; i++)
		buf_addf(&b, "%s%s", i ? "," : "", words[i]);
	return kctl_fmt(k, "%s", b.ptr);
}

static bool has_all(const char *const *words, const struct flag_value *wanted)
{
	for (size_t i = 0; i < wanted->n; i++) {
		bool found = false;
		for (size_t j = 0; words && words[j] && !found; j++)
			found = !strcmp(words[j], wanted->v[i]);
		if (!found)
			return false;
	}
	return true;
}

static const struct kctl_kind *key_of(const void *p) { return *(const struct kctl_kind *const *)p; }
static int by_group_name(const void *a, const void *b)
{
	const struct kctl_kind *x = key_of(a), *y = key_of(b);
	int c = strcmp(x->group, y->group);
	return c ? c : strcmp(x->plural, y->plural);
}
static int by_plural(const void *a, const void *b) { return strcmp(key_of(a)->plural, key_of(b)->plural); }
static int by_kind(const void *a, const void *b) { return strcmp(key_of(a)->kind, key_of(b)->kind); }

int kcmd_api_resources(struct kctl *k, struct err *e)
{
	const char *format = flag_str(&k->f, "output"), *sort = flag_str(&k->f, "sort-by");
	struct buf lines AUTO(buf) = BUF_INIT(8 << 20);
	struct kctl_kinds *all;
	bool wide = !strcmp(format, "wide"), names = !strcmp(format, "name");
	int r = kctl_kinds_wait(k, &all, e);
	if (r == 0 && *format && !wide && !names)
		return err_set(e, EINVAL, "--output %s is not available", format);
	if (r == 0 && *sort && strcmp(sort, "name") && strcmp(sort, "kind"))
		return err_set(e, EINVAL, "--sort-by accepts only name or kind");
	if (r < 0)
		return r;
	const struct kctl_kind **v = arena_array(&k->arena, all->n + 1, sizeof *v);
	size_t n = 0;
	for (size_t i = 0; v && i < all->n; i++) {
		const struct kctl_kind *t = &all->v[i];
		if (flag_changed(&k->f, "api-group") && strcmp(flag_str(&k->f, "api-group"), t->group))
			continue;
		if (flag_changed(&k->f, "namespaced") && flag_bool(&k->f, "namespaced") != t->namespaced)
			continue;
		bool again = false;
		for (size_t j = 0; j < i && !again; j++) /* an older version of the same */
			again = !strcmp(all->v[j].plural, t->plural) && !strcmp(all->v[j].group, t->group);
		if (again || !t->verbs || !t->verbs[0] || !has_all(t->verbs, flag_list(&k->f, "verbs")) || !has_all(t->categories, flag_list(&k->f, "categories")))
			continue;
		v[n++] = t;
	}
	if (n)
		qsort(v, n, sizeof *v, !strcmp(sort, "name") ? by_plural : !strcmp(sort, "kind") ? by_kind : by_group_name);
	if (!names && !flag_bool(&k->f, "no-headers"))
		buf_addf(&lines, "NAME\tSHORTNAMES\tAPIVERSION\tNAMESPACED\tKIND%s\n", wide ? "\tVERBS\tCATEGORIES" : "");
	for (size_t i = 0; i < n; i++) {
		const struct kctl_kind *t = v[i];
		if (names) {
			kctl_print(k, "%s%s%s\n", t->plural, *t->group ? "." : "", t->group);
			continue;
		}
		buf_addf(&lines, "%s\t%s\t%s\t%s\t%s", t->plural, joined(k, t->short_names), kctl_group_version(k, t), t->namespaced ? "true" : "false", t->kind);
		if (wide)
			buf_addf(&lines, "\t%s\t%s", joined(k, t->verbs), joined(k, t->categories));
		buf_addc(&lines, '\n');
	}
	kctl_columns(k, buf_slice(&lines));
	return 0;
}
