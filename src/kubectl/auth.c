/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl auth: what one may do, and who one is; kubectl certificate: approval of signing requests. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "kubectl/commands.h"

static void join(struct kctl *k, const struct tree *list, struct buf *out)
{
	buf_addc(out, '[');
	for (uint32_t i = 0; list && i < list->n; i++)
		buf_addf(out, "%s%s", i ? " " : "", kctl_text(k, tree_at(list, i)));
	buf_addc(out, ']');
}

static int list_rules(struct kctl *k, struct err *e)
{
	struct tree review = tree_map(), got;
	struct buf lines AUTO(buf) = BUF_INIT(4 << 20);
	kctl_set_text(k, &review, "apiVersion", "authorization.k8s.io/v1");
	kctl_set_text(k, &review, "kind", "SelfSubjectRulesReview");
	kctl_set_text(k, kctl_map(k, &review, "spec"), "namespace", k->ns);
	int r = kctl_send_wait(k, "POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", NULL, &review, &got, e);
	if (r < 0)
		return r;
	const struct tree *resources = tree_path(&got, "status.resourceRules"), *paths = tree_path(&got, "status.nonResourceRules");
	if (!flag_bool(&k->f, "no-headers"))
		buf_adds(&lines, "Resources\tNon-Resource URLs\tResource Names\tVerbs\n");
	for (uint32_t i = 0; resources && i < resources->n; i++) {
		const struct tree *rule = tree_at(resources, i), *groups = tree_gets(rule, "apiGroups"), *names = tree_gets(rule, "resources");
		for (uint32_t g = 0; groups && g < groups->n; g++)
			for (uint32_t j = 0; names && j < names->n; j++) {
				const char *group = kctl_text(k, tree_at(groups, g));
				buf_addf(&lines, "%s%s%s\t[]\t", kctl_text(k, tree_at(names, j)), *group ? "." : "", group);
				join(k, tree_gets(rule, "resourceNames"), &lines);
				buf_addc(&lines, '\t');
				join(k, tree_gets(rule, "verbs"), &lines);
				buf_addc(&lines, '\n');
			}
	}
	for (uint32_t i = 0; paths && i < paths->n; i++) {
		buf_addc(&lines, '\t');
		join(k, tree_gets(tree_at(paths, i), "nonResourceURLs"), &lines);
		buf_adds(&lines, "\t[]\t");
		join(k, tree_gets(tree_at(paths, i), "verbs"), &lines);
		buf_addc(&lines, '\n');
	}
	kctl_columns(k, buf_slice(&lines));
	return 0;
}

int kcmd_auth_can_i(struct kctl *k, struct err *e)
{
	struct tree review = tree_map(), got;
	int r = kctl_client(k, e);
	if (r == 0 && flag_bool(&k->f, "list"))
		return list_rules(k, e);
	if (r == 0 && (k->f.argc < 2 || k->f.argc > 3))
		return kctl_usage(k, e, "you must specify two arguments: verb resource or verb resource/resourceName.\nSee 'kubectl auth can-i -h' for help and examples");
	if (r < 0)
		return r;
	kctl_set_text(k, &review, "apiVersion", "authorization.k8s.io/v1");
	kctl_set_text(k, &review, "kind", "SelfSubjectAccessReview");
	struct tree *spec = kctl_map(k, &review, "spec");
	const char *verb = k->f.argv[0], *what = k->f.argv[1];
	if (*what == '/') {
		struct tree *a = kctl_map(k, spec, "nonResourceAttributes");
		kctl_set_text(k, a, "path", what);
		kctl_set_text(k, a, "verb", verb);
	} else {
		struct tree *a = kctl_map(k, spec, "resourceAttributes");
		struct slice type, name;
		struct kctl_kind kind;
		struct err why = { 0 };
		slice_cut(slice_of(what), '/', &type, &name);
		const char *word = kctl_fmt(k, "%.*s", SLICE_FMT(type));
		if (!strcmp(word, "*")) {
			kind = (struct kctl_kind){ .group = "*", .plural = "*", .namespaced = true };
		} else if (kctl_kind_wait(k, word, &kind, &why) < 0) {
			k->long_error = NULL;
			kctl_warn(k, "Warning: the server doesn't have a resource type '%s'\n", word);
			kind = (struct kctl_kind){ .group = "", .plural = word, .namespaced = true };
		} else if (!kind.namespaced) {
			kctl_warn(k, "Warning: resource '%s' is not namespace scoped%s%s%s\n", kind.plural, *kind.group ? " in group '" : "", kind.group, *kind.group ? "'" : "");
		}
		if (kind.namespaced && !flag_bool(&k->f, "all-namespaces"))
			kctl_set_text(k, a, "namespace", k->ns);
		kctl_set_text(k, a, "verb", verb);
		kctl_set_text(k, a, "group", kind.group);
		kctl_set_text(k, a, "resource", kind.plural);
		if (*flag_str(&k->f, "subresource"))
			kctl_set_text(k, a, "subresource", flag_str(&k->f, "subresource"));
		const char *named = name.len ? name.ptr : k->f.argc > 2 ? k->f.argv[2] : "";
		if (*named)
			kctl_set_text(k, a, "name", named);
	}
	r = kctl_send_wait(k, "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", NULL, &review, &got, e);
	if (r < 0)
		return r;
	bool yes = tree_is_true(tree_path(&got, "status.allowed"));
	if (!flag_bool(&k->f, "quiet")) {
		const char *reason = kctl_text_at(k, &got, "status.reason"), *problem = kctl_text_at(k, &got, "status.evaluationError");
		kctl_print(k, "%s", yes ? "yes" : "no");
		if (!yes && *reason)
			kctl_print(k, " - %s", reason);
		if (!yes && *problem)
			kctl_print(k, " - %s", problem);
		kctl_print(k, "\n");
	}
	return yes ? 0 : 1;
}

int kcmd_auth_whoami(struct kctl *k, struct err *e)
{
	struct tree review = tree_map(), got;
	struct buf lines AUTO(buf) = BUF_INIT(1 << 20);
	kctl_set_text(k, &review, "apiVersion", "authentication.k8s.io/v1");
	kctl_set_text(k, &review, "kind", "SelfSubjectReview");
	int r = kctl_send_wait(k, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", NULL, &review, &got, e);
	if (r < 0)
		return r;
	if (*flag_str(&k->f, "output")) {
		struct kctl_printer *p;
		r = kctl_printer_new(k, flag_str(&k->f, "output"), &p, e);
		return r < 0 ? r : kctl_print_object(k, p, &got, e);
	}
	const struct tree *u = tree_path(&got, "status.userInfo"), *extra = tree_gets(u, "extra");
	buf_addf(&lines, "ATTRIBUTE\tVALUE\nUsername\t%s\n", kctl_text_at(k, u, "username"));
	if (*kctl_text_at(k, u, "uid"))
		buf_addf(&lines, "UID\t%s\n", kctl_text_at(k, u, "uid"));
	if (tree_gets(u, "groups")) {
		buf_adds(&lines, "Groups\t");
		join(k, tree_gets(u, "groups"), &lines);
		buf_addc(&lines, '\n');
	}
	for (uint32_t i = 0; extra && i < extra->n; i++) {
		buf_addf(&lines, "Extra: %.*s\t", (int)extra->members[i].key_len, extra->members[i].key);
		join(k, &extra->members[i].value, &lines);
		buf_addc(&lines, '\n');
	}
	kctl_columns(k, buf_slice(&lines));
	return 0;
}

static int judge(struct kctl *k, bool yes, struct err *e)
{
	struct kctl_kind kind;
	char now[CLOCK_TEXT_MAX];
	int r = kctl_client(k, e), failed = 0;
	if (r == 0)
		r = kctl_kind_wait(k, "certificatesigningrequests", &kind, e);
	clock_rfc3339(now, clock_realtime_ns());
	for (int i = 0; r == 0 && i < k->f.argc; i++) {
		struct tree csr, got;
		struct err why = { 0 };
		int one = kctl_get_wait(k, kctl_path(k, &kind, NULL, k->f.argv[i], NULL, NULL), &csr, &why);
		if (one == 0) {
			struct tree c = tree_map();
			kctl_set_text(k, &c, "type", yes ? "Approved" : "Denied");
			kctl_set_text(k, &c, "status", "True");
			kctl_set_text(k, &c, "reason", yes ? "KubectlApprove" : "KubectlDeny");
			kctl_set_text(k, &c, "message", yes ? "This CSR was approved by kubectl certificate approve." : "This CSR was denied by kubectl certificate deny.");
			kctl_set_text(k, &c, "lastUpdateTime", now);
			tree_append(&k->arena, kctl_list(k, kctl_map(k, &csr, "status"), "conditions"), c);
			one = kctl_send_wait(k, "PUT", kctl_path(k, &kind, NULL, k->f.argv[i], "approval", NULL), NULL, &csr, &got, &why);
		}
		if (one < 0)
			failed = kctl_failed(k, &why);
		else
			kctl_print(k, "certificatesigningrequest.certificates.k8s.io/%s %s\n", k->f.argv[i], yes ? "approved" : "denied");
	}
	return r < 0 ? r : failed;
}

int kcmd_certificate_approve(struct kctl *k, struct err *e) { return judge(k, true, e); }
int kcmd_certificate_deny(struct kctl *k, struct err *e) { return judge(k, false, e); }
