/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl auth: can-i (one question, or the list of rules) and whoami. */
#include <string.h>

#include "kubectl/commands.h"

#define AUTHZ "/apis/authorization.k8s.io/v1/"

static void words(struct kctl *k, const struct tree *list, struct buf *out)
{
	buf_addc(out, '[');
	for (uint32_t i = 0; list && list->type == TREE_LIST && i < list->n; i++)
		buf_addf(out, "%s%s", i ? " " : "", kctl_text(k, tree_at(list, i)));
	buf_addc(out, ']');
}

/* Rules as kubectl shows them: a line a resource (with its group) or path. headers: describe's or can-i's. */
void kctl_rules(struct kctl *k, const struct tree *rules, struct buf *lines, const char *indent)
{
	for (uint32_t i = 0; rules && i < rules->n; i++) {
		const struct tree *r = tree_at(rules, i), *groups = tree_gets(r, "apiGroups"), *resources = tree_gets(r, "resources"), *urls = tree_gets(r, "nonResourceURLs");
		struct buf names AUTO(buf) = BUF_INIT(64 << 10), verbs AUTO(buf) = BUF_INIT(4096);
		words(k, tree_gets(r, "resourceNames"), &names);
		words(k, tree_gets(r, "verbs"), &verbs);
		for (uint32_t g = 0; groups && g < groups->n; g++)
			for (uint32_t j = 0; resources && j < resources->n; j++) {
				const char *group = kctl_text(k, tree_at(groups, g)), *name = kctl_text(k, tree_at(resources, j)), *slash = strchr(name, '/');
				if (*group && slash)
					buf_addf(lines, "%s%.*s.%s%s\t[]\t%s\t%s\n", indent, (int)(slash - name), name, group, slash, names.ptr, verbs.ptr);
				else
					buf_addf(lines, "%s%s%s%s\t[]\t%s\t%s\n", indent, name, *group ? "." : "", group, names.ptr, verbs.ptr);
			}
		for (uint32_t j = 0; urls && j < urls->n; j++)
			buf_addf(lines, "%s\t[%s]\t%s\t%s\n", indent, kctl_text(k, tree_at(urls, j)), names.ptr, verbs.ptr);
	}
}

static int list_rules(struct kctl *k, struct err *e)
{
	struct tree ask = tree_map(), got;
	struct buf lines AUTO(buf) = BUF_INIT(8 << 20);
	kctl_set_text(k, &ask, "apiVersion", "authorization.k8s.io/v1");
	kctl_set_text(k, &ask, "kind", "SelfSubjectRulesReview");
	kctl_set_text(k, kctl_map(k, &ask, "spec"), "namespace", k->ns);
	int r = kctl_send_wait(k, "POST", AUTHZ "selfsubjectrulesreviews", NULL, &ask, &got, e);
	if (r < 0)
		return r;
	if (tree_is_true(tree_path(&got, "status.incomplete")))
		kctl_warn(k, "warning: the list may be incomplete: %s", kctl_text_at(k, &got, "status.evaluationError"));
	if (!flag_bool(&k->f, "no-headers"))
		buf_adds(&lines, "Resources\tNon-Resource URLs\tResource Names\tVerbs\n");
	kctl_rules(k, tree_path(&got, "status.resourceRules"), &lines, "");
	kctl_rules(k, tree_path(&got, "status.nonResourceRules"), &lines, "");
	kctl_columns(k, buf_slice(&lines));
	return 0;
}

int kcmd_auth_can_i(struct kctl *k, struct err *e)
{
	struct tree ask = tree_map(), got;
	bool quiet = flag_bool(&k->f, "quiet");
	int r = kctl_client(k, e);
	if (r == 0 && flag_bool(&k->f, "list"))
		return k->f.argc ? err_set(e, EINVAL, "list option must be specified with no arguments") : list_rules(k, e);
	if (r == 0 && k->f.argc != 2)
		return err_set(e, EINVAL, "you must specify two arguments: verb resource or verb resource/resourceName.\nSee 'kubectl auth can-i -h' for help and examples.");
	if (r < 0)
		return r;
	const char *verb = kctl_arg(k, 0), *what = kctl_arg(k, 1);
	kctl_set_text(k, &ask, "apiVersion", "authorization.k8s.io/v1");
	kctl_set_text(k, &ask, "kind", "SelfSubjectAccessReview");
	struct tree *spec = kctl_map(k, &ask, "spec");
	if (*what == '/') {
		struct tree *a = kctl_map(k, spec, "nonResourceAttributes");
		kctl_set_text(k, a, "verb", verb);
		kctl_set_text(k, a, "path", what);
	} else {
		struct tree *a = kctl_map(k, spec, "resourceAttributes");
		struct kctl_kind kind;
		struct slice type, name;
		bool named = slice_cut(slice_of(what), '/', &type, &name), all = flag_bool(&k->f, "all-namespaces");
		struct err why = { 0 };
		const char *word = kctl_fmt(k, "%.*s", SLICE_FMT(type)), *group = NULL;
		if (!strcmp(word, "*")) {
			kctl_set_text(k, a, "resource", "*");
			kctl_set_text(k, a, "group", "*");
		} else if (kctl_kind_wait(k, word, &kind, &why) == 0) {
			kctl_set_text(k, a, "resource", kind.plural);
			group = kind.group;
			if (!kind.namespaced && !all)
				kctl_warn(k, "Warning: resource '%s' is not namespace scoped%s%s%s\n", kind.plural, *group ? " in group '" : "", group, *group ? "'" : "");
		} else {
			struct slice plain, rest;
			k->long_error = NULL;
			slice_cut(slice_of(word), '.', &plain, &rest);
			kctl_set_text(k, a, "resource", kctl_fmt(k, "%.*s", SLICE_FMT(plain)));
			group = rest.len ? kctl_fmt(k, "%.*s", SLICE_FMT(rest)) : "";
			if (*group)
				kctl_warn(k, "Warning: the server doesn't have a resource type '%.*s' in group '%s'\n", SLICE_FMT(plain), group);
			else
				kctl_warn(k, "Warning: the server doesn't have a resource type '%.*s'\n", SLICE_FMT(plain));
		}
		if (group && *group)
			kctl_set_text(k, a, "group", group);
		kctl_set_text(k, a, "verb", verb);
		if (!all)
			kctl_set_text(k, a, "namespace", k->ns);
		if (named)
			kctl_set_text(k, a, "name", name.ptr);
		if (*flag_str(&k->f, "subresource"))
			kctl_set_text(k, a, "subresource", flag_str(&k->f, "subresource"));
	}
	r = kctl_send_wait(k, "POST", AUTHZ "selfsubjectaccessreviews", NULL, &ask, &got, e);
	if (r < 0)
		return r;
	bool yes = tree_is_true(tree_path(&got, "status.allowed"));
	const char *reason = kctl_text_at(k, &got, "status.reason"), *wrong = kctl_text_at(k, &got, "status.evaluationError");
	if (!quiet)
		kctl_print(k, "%s%s%s%s%s\n", yes ? "yes" : "no", !yes && *reason ? " - " : "", yes ? "" : reason, !yes && *wrong ? " - " : "", yes ? "" : wrong);
	return yes ? 0 : 1;
}

int kcmd_auth_whoami(struct kctl *k, struct err *e)
{
	struct tree ask = tree_map(), got;
	struct buf lines AUTO(buf) = BUF_INIT(1 << 20);
	struct kctl_printer *p;
	kctl_set_text(k, &ask, "apiVersion", "authentication.k8s.io/v1");
	kctl_set_text(k, &ask, "kind", "SelfSubjectReview");
	int r = kctl_printer_new(k, flag_str(&k->f, "output"), &p, e);
	if (r == 0)
		r = kctl_send_wait(k, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", NULL, &ask, &got, e);
	if (r < 0)
		return r;
	if (!kctl_printer_is_table(p))
		return kctl_print_object(k, p, &got, e);
	const struct tree *user = tree_path(&got, "status.userInfo"), *extra = tree_gets(user, "extra"), *groups = tree_gets(user, "groups");
	buf_addf(&lines, "ATTRIBUTE\tVALUE\nUsername\t%s\n", kctl_text_at(k, user, "username"));
	if (*kctl_text_at(k, user, "uid"))
		buf_addf(&lines, "UID\t%s\n", kctl_text_at(k, user, "uid"));
	if (groups && groups->n) {
		buf_adds(&lines, "Groups\t");
		words(k, groups, &lines);
		buf_addc(&lines, '\n');
	}
	for (uint32_t i = 0; extra && i < extra->n; i++) {
		buf_addf(&lines, "Extra: %.*s\t", (int)extra->members[i].key_len, extra->members[i].key);
		words(k, &extra->members[i].value, &lines);
		buf_addc(&lines, '\n');
	}
	kctl_columns(k, buf_slice(&lines));
	return 0;
}
