/* SPDX-License-Identifier: Apache-2.0 */
/* What the arguments or -f name, as a list of targets. */
#include <string.h>

#include "kubectl/kctl.h"

static int push(struct kctl *k, struct kctl_targets *t, const struct kctl_target *one, struct err *e)
{
	/* doubling at powers of two: cap is not kept */
	if ((t->n & (t->n - 1)) == 0) {
		struct kctl_target *v = arena_array(&k->arena, t->n ? t->n * 2 : 1, sizeof *v);
		if (!v)
			return err_nomem(e);
		if (t->n)
			memcpy(v, t->v, t->n * sizeof *v);
		t->v = v;
	}
	t->v[t->n++] = *one;
	return 0;
}

static const char *ns_of(struct kctl *k, const struct kctl_kind *kind)
{
	bool all = flag_known(&k->f, "all-namespaces") && flag_bool(&k->f, "all-namespaces");
	return kind->namespaced && !all ? k->ns : NULL;
}

static const char *selector_query(struct kctl *k)
{
	const char *q = NULL;
	if (flag_known(&k->f, "selector") && *flag_str(&k->f, "selector"))
		q = kctl_query(k, q, "labelSelector", flag_str(&k->f, "selector"));
	if (flag_known(&k->f, "field-selector") && *flag_str(&k->f, "field-selector"))
		q = kctl_query(k, q, "fieldSelector", flag_str(&k->f, "field-selector"));
	return q;
}

/* All objects of a kind that the selector matches, one target each. */
static int expand(struct kctl *k, const struct kctl_kind *kind, struct kctl_targets *ret, struct err *e)
{
	struct tree list;
	int r = kctl_get_wait(k, kctl_path(k, kind, ns_of(k, kind), NULL, NULL, selector_query(k)), &list, e);
	const struct tree *items = r == 0 ? tree_gets(&list, "items") : NULL;
	for (uint32_t i = 0; r == 0 && items && i < items->n; i++) {
		struct kctl_target t = { .kind = *kind, .name = kctl_text_at(k, tree_at(items, i), "metadata.name"), .object = *tree_at(items, i) };
		t.ns = kind->namespaced ? kctl_text_at(k, tree_at(items, i), "metadata.namespace") : NULL;
		kctl_set_text(k, &t.object, "apiVersion", kctl_group_version(k, kind));
		kctl_set_text(k, &t.object, "kind", kind->kind);
		r = push(k, ret, &t, e);
	}
	return r;
}

static int add_kind(struct kctl *k, const struct kctl_kind *kind, unsigned mode, struct kctl_targets *ret, struct err *e)
{
	struct kctl_target t = { .kind = *kind, .ns = ns_of(k, kind) };
	return mode & KARGS_NAMES ? expand(k, kind, ret, e) : push(k, ret, &t, e);
}

/* "all" and other categories */
static int add_category(struct kctl *k, const char *word, unsigned mode, struct kctl_targets *ret, bool *found, struct err *e)
{
	struct kctl_kinds *all;
	*found = false;
	if (strcmp(word, "all") && strcmp(word, "api-extensions"))
		return 0;
	int r = kctl_kinds_wait(k, &all, e);
	for (size_t i = 0; r == 0 && i < all->n; i++) {
		bool it = false, lists = false, again = false;
		for (size_t j = 0; all->v[i].categories && all->v[i].categories[j]; j++)
			it |= !strcmp(all->v[i].categories[j], word);
		for (size_t j = 0; all->v[i].verbs && all->v[i].verbs[j]; j++)
			lists |= !strcmp(all->v[i].verbs[j], "list");
		for (size_t j = 0; j < i; j++) /* another version of the same */
			again |= !strcmp(all->v[j].plural, all->v[i].plural) && !strcmp(all->v[j].group, all->v[i].group);
		if (!it || !lists || again)
			continue;
		*found = true;
		r = add_kind(k, &all->v[i], mode, ret, e);
	}
	return r;
}

static int add_pair(struct kctl *k, const char *arg, struct kctl_targets *ret, struct err *e)
{
	struct slice type, name;
	slice_cut(slice_of(arg), '/', &type, &name);
	if (!type.len || !name.len || slice_find(name, '/') >= 0)
		return err_set(e, EINVAL, "arguments in resource/name form must have a single resource and name");
	struct kctl_target t = { .name = kctl_fmt(k, "%.*s", SLICE_FMT(name)) };
	int r = kctl_kind_wait(k, kctl_fmt(k, "%.*s", SLICE_FMT(type)), &t.kind, e);
	t.ns = t.kind.namespaced ? k->ns : NULL;
	return r < 0 ? r : push(k, ret, &t, e);
}

static bool given(struct kctl *k, const char *flag) { return flag_known(&k->f, flag) && (*flag_str(&k->f, flag) && strcmp(flag_str(&k->f, flag), "false")); }

int kctl_targets_wait(struct kctl *k, int first, unsigned mode, struct kctl_targets *ret, struct err *e)
{
	*ret = (struct kctl_targets){ 0 };
	int r = kctl_client(k, e);
	if (r < 0)
		return r;
	if ((mode & KARGS_FILES) && (flag_list(&k->f, "filename")->n || given(k, "kustomize"))) {
		if (k->f.argc > first)
			return err_set(e, EINVAL, "when paths, URLs, or stdin is provided as resource input, you may not specify resource arguments as well");
		return kctl_read_files_wait(k, ret, e);
	}
	if (k->f.argc <= first) {
		if (!strcmp(k->cmd->path, "describe"))
			return err_set(e, EINVAL, "You must specify the type of resource to describe. Use \"kubectl api-resources\" for a complete list of supported resources.");
		if (!strcmp(k->cmd->path, "get")) {
			kctl_warn(k, "You must specify the type of resource to get. Use \"kubectl api-resources\" for a complete list of supported resources.\n");
			return err_set(e, EINVAL, "Required resource not specified.\nUse \"kubectl explain <resource>\" for a detailed description of that resource (e.g. kubectl explain pods).\n"
				"See 'kubectl get -h' for help and examples");
		}
		if (!strncmp(k->cmd->path, "rollout ", 8))
			return err_set(e, EINVAL, "required resource not specified");
		if (mode & KARGS_FILES)
			return err_set(e, EINVAL, "You must provide one or more resources by argument or filename.\nExample resource specifications include:\n"
				"   '-f rsrc.yaml'\n   '--filename=rsrc.json'\n   '<resource> <name>'\n   '<resource>'");
		return err_set(e, EINVAL, "You must specify the type of resource to get. Use \"kubectl api-resources\" for a complete list of supported resources.");
	}
	bool pairs = strchr(k->f.argv[first], '/');
	if (pairs) {
		for (int i = first; i < k->f.argc && r == 0; i++) {
			if (!strchr(k->f.argv[i], '/'))
				return err_set(e, EINVAL, "there is no need to specify a resource type as a separate argument when passing arguments in resource/name form "
					"(e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get resource resource/<resource_name>'");
			r = add_pair(k, k->f.argv[i], ret, e);
		}
	} else {
		struct slice rest = slice_of(k->f.argv[first]), word;
		bool by_name = k->f.argc > first + 1;
		if ((mode & KARGS_NAMES) && !by_name && !given(k, "all") && !selector_query(k))
			return err_set(e, EINVAL, "resource(s) were provided, but no name was specified");
		if (by_name && selector_query(k))
			return err_set(e, EINVAL, "name cannot be provided when a selector is specified");
		for (unsigned n = 0; r == 0 && slice_next(&rest, ',', &word); n++) {
			const char *type = kctl_fmt(k, "%.*s", SLICE_FMT(word));
			struct kctl_target t = { 0 };
			bool found;
			if (n)
				ret->several_kinds = true;
			r = add_category(k, type, mode, ret, &found, e);
			if (r < 0 || found) {
				ret->several_kinds = true;
				continue;
			}
			r = kctl_kind_wait(k, type, &t.kind, e);
			if (r < 0)
				break;
			if (!by_name)
				r = add_kind(k, &t.kind, mode, ret, e);
			for (int i = first + 1; i < k->f.argc && r == 0; i++) {
				if (strchr(k->f.argv[i], '/'))
					return err_set(e, EINVAL, "there is no need to specify a resource type as a separate argument when passing arguments in resource/name "
						"form (e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get resource resource/<resource_name>'");
				t.name = k->f.argv[i];
				t.ns = t.kind.namespaced ? k->ns : NULL;
				r = push(k, ret, &t, e);
			}
		}
	}
	for (size_t i = 1; i < ret->n; i++)
		ret->several_kinds |= strcmp(ret->v[i].kind.plural, ret->v[0].kind.plural) || strcmp(ret->v[i].kind.group, ret->v[0].kind.group);
	if (r == 0 && ret->n && ret->v[0].name && given(k, "all-namespaces") && !(mode & KARGS_NAMES))
		return err_set(e, EINVAL, "a resource cannot be retrieved by name across all namespaces");
	return r;
}

int kctl_one_wait(struct kctl *k, const char *arg, const char *default_kind, struct kctl_target *ret, struct err *e)
{
	struct kctl_targets all = { 0 };
	int r = kctl_client(k, e);
	if (r < 0)
		return r;
	if (strchr(arg, '/')) {
		r = add_pair(k, arg, &all, e);
		if (r == 0)
			*ret = all.v[0];
		return r;
	}
	*ret = (struct kctl_target){ .name = arg };
	r = kctl_kind_wait(k, default_kind, &ret->kind, e);
	ret->ns = ret->kind.namespaced ? k->ns : NULL;
	return r;
}

/* One document, or the items of a list. */
static int add_document(struct kctl *k, const struct tree *doc, const char *source, struct kctl_targets *ret, struct err *e)
{
	const char *version = kctl_text_at(k, doc, "apiVersion"), *kind = kctl_text_at(k, doc, "kind");
	int r = 0;
	if (!doc || doc->type == TREE_NULL || (doc->type == TREE_MAP && doc->n == 0))
		return 0;
	if (!*kind)
		return err_set(e, EINVAL, "error validating \"%s\": error validating data: kind not set; if you choose to ignore these errors, turn validation off with --validate=false", source);
	if (!*version)
		return err_set(e, EINVAL, "error validating \"%s\": error validating data: apiVersion not set; if you choose to ignore these errors, turn validation off with --validate=false", source);
	const struct tree *items = tree_gets(doc, "items");
	size_t n = strlen(kind);
	if (items && items->type == TREE_LIST && n >= 4 && !strcmp(kind + n - 4, "List")) {
		for (uint32_t i = 0; i < items->n && r == 0; i++)
			r = add_document(k, tree_at(items, i), source, ret, e);
		return r;
	}
	if (!strcmp(kind, "List"))
		return 0;
	struct kctl_target t = { .object = *doc, .source = source };
	r = kctl_kind_of_wait(k, version, kind, &t.kind, e);
	if (r == -ENOENT) {
		char why[300];
		fmt_into(why, sizeof why, "%s", e->text);
		/* the others of the file are still done */
		kctl_warn(k, "error: resource mapping not found for name: \"%s\" namespace: \"%s\" from \"%s\": %s\nensure CRDs are installed first",
			kctl_text_at(k, doc, "metadata.name"), kctl_text_at(k, doc, "metadata.namespace"), source, why);
		k->skipped = true;
		return 0;
	}
	if (r < 0)
		return r;
	const char *name = kctl_text_at(k, doc, "metadata.name"), *ns = kctl_text_at(k, doc, "metadata.namespace");
	t.name = *name ? name : NULL;
	if (t.kind.namespaced) {
		if (*ns && k->ns_explicit && strcmp(ns, k->ns))
			return err_set(e, EINVAL, "the namespace from the provided object \"%s\" does not match the namespace \"%s\". You must pass '--namespace=%s' to perform this operation.",
				ns, k->ns, ns);
		t.ns = *ns ? ns : k->ns;
		if (!*ns)
			kctl_set_text(k, kctl_map(k, &t.object, "metadata"), "namespace", k->ns);
	}
	return push(k, ret, &t, e);
}

int kctl_read_text(struct kctl *k, const char *source, struct slice text, struct kctl_targets *ret, struct err *e)
{
	struct tree docs;
	int r = tree_from_yaml(text, 0, &k->arena, &docs, e);
	if (r < 0)
		return err_prefix(e, "error parsing %s: error converting YAML to JSON", source);
	for (uint32_t i = 0; i < docs.n && r == 0; i++)
		r = add_document(k, tree_at(&docs, i), source, ret, e);
	return r;
}
