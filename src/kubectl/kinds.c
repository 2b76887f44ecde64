/* SPDX-License-Identifier: Apache-2.0 */
/* Names of resources to their paths: the built-in rows first, then what the server says (custom resources). */
#include <string.h>
#include <strings.h>

#include "kubectl/kctl.h"

static const char *const *words(struct kctl *k, const struct tree *list)
{
	uint32_t n = list && list->type == TREE_LIST ? list->n : 0;
	const char **v = arena_array(&k->arena, n + 1, sizeof *v);
	for (uint32_t i = 0; v && i < n; i++)
		v[i] = kctl_text(k, tree_at(list, i));
	return v;
}

static void from_row(struct kctl *k, const struct kube_resource *r, struct kctl_kind *ret)
{
	static const char *const all[] = { "all", NULL }, *const extensions[] = { "api-extensions", NULL };
	static const struct { unsigned bit; const char *word; } verbs[] = {
		{ KV_CREATE, "create" }, { KV_DELETE, "delete" }, { KV_DELETECOLLECTION, "deletecollection" }, { KV_GET, "get" }, { KV_LIST, "list" },
		{ KV_PATCH, "patch" }, { KV_UPDATE, "update" }, { KV_WATCH, "watch" },
	};
	*ret = (struct kctl_kind){ r->group, r->version, r->plural, r->singular, r->kind, r->namespaced, r->short_names, NULL, NULL, r->type };
	if (r->category)
		ret->categories = strcmp(r->category, "all") ? extensions : all;
	const char **v = arena_array(&k->arena, ARRAY_LEN(verbs) + 1, sizeof *v);
	size_t n = 0;
	for (size_t i = 0; v && i < ARRAY_LEN(verbs); i++)
		if (r->verbs & verbs[i].bit)
			v[n++] = verbs[i].word;
	ret->verbs = v;
}

static int add_resource(struct kctl *k, struct kctl_kinds *all, size_t *cap, const char *group, const char *version, const struct tree *r)
{
	const char *plural = kctl_text_at(k, r, "resource"), *kind = kctl_text_at(k, r, "responseKind.kind");
	if (all->n == *cap) {
		size_t more = *cap ? *cap * 2 : 128;
		struct kctl_kind *v = arena_array(&k->arena, more, sizeof *v);
		if (!v)
			return -ENOMEM;
		if (all->n)
			memcpy(v, all->v, all->n * sizeof *v);
		all->v = v;
		*cap = more;
	}
	struct kctl_kind *t = &all->v[all->n++];
	const struct kube_resource *row = kube_resource_find(group, version, plural);
	*t = (struct kctl_kind){ .group = group, .version = version, .plural = plural, .singular = kctl_text_at(k, r, "singularResource"), .kind = kind };
	t->namespaced = !strcmp(kctl_text_at(k, r, "scope"), "Namespaced");
	t->short_names = words(k, tree_gets(r, "shortNames"));
	t->categories = words(k, tree_gets(r, "categories"));
	t->verbs = words(k, tree_gets(r, "verbs"));
	if (row)
		t->type = row->type;
	return 0;
}

#define AGGREGATED "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"

int kctl_kinds_wait(struct kctl *k, struct kctl_kinds **ret, struct err *e)
{
	static const char *const roots[] = { "/api", "/apis" };
	size_t cap = 0;
	if (k->kinds) {
		*ret = k->kinds;
		return 0;
	}
	struct kctl_kinds *all = arena_new(&k->arena, struct kctl_kinds);
	if (!all)
		return err_nomem(e);
	for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
		struct tree t;
		int r = kctl_call_wait(k, "GET", roots[i], AGGREGATED, NULL, slice_n("", 0), &t, e);
		if (r < 0)
			return r;
		const struct tree *groups = tree_gets(&t, "items");
		if (!groups)
			return err_set(e, EOPNOTSUPP, "the server has no aggregated discovery (Kubernetes 1.26 or newer is needed)");
		for (uint32_t g = 0; g < groups->n; g++) {
			const char *group = kctl_text_at(k, tree_at(groups, g), "metadata.name");
			const struct tree *versions = tree_gets(tree_at(groups, g), "versions");
			for (uint32_t v = 0; versions && v < versions->n; v++) {
				const char *version = kctl_text_at(k, tree_at(versions, v), "version");
				const struct tree *resources = tree_gets(tree_at(versions, v), "resources");
				for (uint32_t j = 0; resources && j < resources->n; j++)
					if (add_resource(k, all, &cap, group, version, tree_at(resources, j)) < 0)
						return err_nomem(e);
			}
		}
	}
	*ret = k->kinds = all;
	return 0;
}

/* "deployments", then what is behind the first dot: a group, or version.group */
static bool matches(const struct kctl_kind *t, struct slice name, struct slice rest)
{
	bool it = slice_eq_nocase(name, slice_of(t->plural)) || slice_eq_nocase(name, slice_of(t->singular)) || slice_eq_nocase(name, slice_of(t->kind));
	for (size_t i = 0; !it && t->short_names && t->short_names[i]; i++)
		it = slice_eq_nocase(name, slice_of(t->short_names[i]));
	if (!it || !rest.len)
		return it;
	if (slice_is(rest, t->group))
		return true;
	struct slice version, group;
	bool has_group = slice_cut(rest, '.', &version, &group);
	return slice_is(version, t->version) && (has_group ? slice_is(group, t->group) : !*t->group);
}

int kctl_kind_wait(struct kctl *k, const char *name, struct kctl_kind *ret, struct err *e)
{
	struct slice first, rest;
	struct kctl_kinds *all;
	slice_cut(slice_of(name), '.', &first, &rest);
	for (unsigned i = 0; i < n_kube_resources; i++) {
		from_row(k, &kube_resources[i], ret);
		if (matches(ret, first, rest))
			return 0;
	}
	int r = kctl_kinds_wait(k, &all, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < all->n; i++)
		if (matches(&all->v[i], first, rest)) {
			*ret = all->v[i];
			return 0;
		}
	return err_set(e, ENOENT, "the server doesn't have a resource type \"%s\"", name);
}

int kctl_kind_of_wait(struct kctl *k, const char *api_version, const char *kind, struct kctl_kind *ret, struct err *e)
{
	struct slice group, version;
	struct kctl_kinds *all;
	if (!slice_cut(slice_of(api_version), '/', &group, &version)) {
		version = group;
		group = slice_n("", 0);
	}
	for (unsigned i = 0; i < n_kube_resources; i++) {
		const struct kube_resource *row = &kube_resources[i];
		if (!strcmp(row->kind, kind) && slice_is(group, row->group) && slice_is(version, row->version)) {
			from_row(k, row, ret);
			return 0;
		}
	}
	int r = kctl_kinds_wait(k, &all, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < all->n; i++)
		if (!strcmp(all->v[i].kind, kind) && slice_is(group, all->v[i].group) && slice_is(version, all->v[i].version)) {
			*ret = all->v[i];
			return 0;
		}
	return err_set(e, ENOENT, "no matches for kind \"%s\" in version \"%s\"", kind, api_version);
}

const char *kctl_kind_text(struct kctl *k, const struct kctl_kind *kind)
{
	return *kind->group ? kctl_fmt(k, "%s.%s", kind->singular, kind->group) : kind->singular;
}

const char *kctl_group_version(struct kctl *k, const struct kctl_kind *kind)
{
	return *kind->group ? kctl_fmt(k, "%s/%s", kind->group, kind->version) : kind->version;
}
