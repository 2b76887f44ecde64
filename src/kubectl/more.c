/* SPDX-License-Identifier: Apache-2.0 */
/* Smaller commands: cluster-info, events, autoscale, certificate, completion, top, set serviceaccount, selector, subject. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "codec/base64.h"
#include "kube/meta/text.h"
#include "kubectl/commands.h"

int kcmd_cluster_info(struct kctl *k, struct err *e)
{
	struct kctl_kind kind;
	struct tree list;
	int r = kctl_client(k, e);
	if (r == 0)
		r = kctl_kind_wait(k, "services", &kind, e);
	if (r == 0)
		r = kctl_get_wait(k, kctl_path(k, &kind, "kube-system", NULL, NULL, kctl_query(k, NULL, "labelSelector", "kubernetes.io/cluster-service=true")), &list, e);
	if (r < 0)
		return r;
	struct slice url = slice_of(k->server);
	kctl_print(k, "Kubernetes control plane is running at %.*s\n", SLICE_FMT(url));
	const struct tree *items = tree_gets(&list, "items");
	for (uint32_t i = 0; items && i < items->n; i++) {
		const struct tree *o = tree_at(items, i);
		const char *name = kctl_text_at(k, o, "metadata.name"), *label = kctl_text(k, tree_get(tree_path(o, "metadata.labels"), SLICE("kubernetes.io/name")));
		const char *port = kctl_text_at(k, tree_at(tree_path(o, "spec.ports"), 0), "name");
		kctl_print(k, "%s is running at %.*s/api/v1/namespaces/kube-system/services/%s%s%s/proxy\n", *label ? label : name, SLICE_FMT(url), name, *port ? ":" : "", port);
	}
	kctl_print(k, "\nTo further debug and diagnose cluster problems, use 'kubectl cluster-info dump'.\n");
	return 0;
}

/* --- events -------------------------------------------------------------------------------------- */
static const char *when(struct kctl *k, const struct tree *e)
{
	static const char *const paths[] = { "series.lastObservedTime", "lastTimestamp", "eventTime", "metadata.creationTimestamp" };
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		if (*kctl_text_at(k, e, paths[i]))
			return kctl_text_at(k, e, paths[i]);
	return "";
}

struct event { const struct tree *t; const char *at; uint32_t order; };
static int by_time(const void *a, const void *b)
{
	const struct event *x = a, *y = b;
	int c = strcmp(x->at, y->at);
	return c ? c : (int)x->order - (int)y->order;
}

int kcmd_events(struct kctl *k, struct err *e)
{
	struct kctl_kind kind;
	struct kctl_target about = { 0 };
	struct tree list;
	struct buf lines AUTO(buf) = BUF_INIT(16 << 20);
	const char *q = NULL, *of = flag_str(&k->f, "for"), *out = flag_str(&k->f, "output");
	bool all = flag_bool(&k->f, "all-namespaces");
	int r = kctl_client(k, e);
	if (r == 0)
		r = kctl_kind_wait(k, "events", &kind, e);
	if (r == 0 && *of)
		r = kctl_one_wait(k, of, "pods", &about, e);
	if (r == 0 && *of)
		q = kctl_query(k, NULL, "fieldSelector", kctl_fmt(k, "involvedObject.kind=%s,involvedObject.name=%s", about.kind.kind, about.name));
	if (r == 0)
		r = kctl_get_wait(k, kctl_path(k, &kind, all ? NULL : k->ns, NULL, NULL, q), &list, e);
	if (r < 0)
		return r;
	if (*out) {
		struct kctl_printer *p;
		r = kctl_printer_new(k, out, &p, e);
		return r < 0 ? r : kctl_print_object(k, p, &list, e);
	}
	const struct tree *items = tree_gets(&list, "items");
	struct event *v = arena_array(&k->arena, (items ? items->n : 0) + 1, sizeof *v);
	const struct flag_value *types = flag_list(&k->f, "types");
	uint32_t n = 0;
	for (uint32_t i = 0; v && items && i < items->n; i++) {
		bool wanted = !types->n;
		for (size_t j = 0; j < types->n; j++)
			wanted |= !strcmp(types->v[j], kctl_text_at(k, tree_at(items, i), "type"));
		if (wanted)
			v[n++] = (struct event){ tree_at(items, i), when(k, tree_at(items, i)), i };
	}
	if (!n) {
		kctl_warn(k, all ? "No events found." : "No events found in %s namespace.", k->ns);
		return 0;
	}
	qsort(v, n, sizeof *v, by_time);
	if (!flag_bool(&k->f, "no-headers"))
		buf_addf(&lines, "%sLAST SEEN\tTYPE\tREASON\tOBJECT\tMESSAGE\n", all ? "NAMESPACE\t" : "");
	for (uint32_t i = 0; i < n; i++) {
		const struct tree *o = v[i].t;
		char age[KUBE_DURATION_MAX], first[KUBE_DURATION_MAX];
		int64_t count = 0;
		tree_i64(tree_gets(o, "count"), &count);
		kube_age(age, v[i].at, clock_realtime_ns());
		const char *since = kctl_text_at(k, o, "firstTimestamp");
		if (all)
			buf_addf(&lines, "%s\t", kctl_text_at(k, o, "metadata.namespace"));
		if (count > 1)
			buf_addf(&lines, "%s (x%lld over %s)", age, (long long)count, kube_age(first, *since ? since : v[i].at, clock_realtime_ns()));
		else
			buf_adds(&lines, age);
		struct slice message = slice_trim(slice_of(kctl_text_at(k, o, "message")));
		buf_addf(&lines, "\t%s\t%s\t%s/%s\t%.*s\n", kctl_text_at(k, o, "type"), kctl_text_at(k, o, "reason"), kctl_text_at(k, o, "involvedObject.kind"),
			kctl_text_at(k, o, "involvedObject.name"), SLICE_FMT(message));
	}
	kctl_columns(k, buf_slice(&lines));
	return 0;
}

/* --- autoscale -------------------------------------------------------------------------------------- */
int kcmd_autoscale(struct kctl *k, struct err *e)
{
	struct kctl_targets all = { 0 };
	int64_t most = flag_num(&k->f, "max"), least = flag_num(&k->f, "min"), percent = flag_num(&k->f, "cpu-percent");
	int failed = 0, r = 0;
	if (most < 1)
		return err_set(e, EINVAL, "--max=MAXPODS is required and must be at least 1, max: %lld", (long long)most);
	if (most < least)
		return err_set(e, EINVAL, "--max=MAXPODS must be larger or equal to --min=MINPODS, max: %lld, min: %lld", (long long)most, (long long)least);
	r = kctl_targets_wait(k, 0, KARGS_NAMES | KARGS_FILES, &all, e);
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		const struct kctl_target *of = &all.v[i];
		const char *name = *flag_str(&k->f, "name") ? flag_str(&k->f, "name") : of->name;
		struct kctl_target t = { .ns = of->ns, .name = name, .object = tree_map() };
		struct tree now, got;
		struct err why = { 0 };
		int one = kctl_get_wait(k, kctl_path(k, &of->kind, of->ns, of->name, NULL, NULL), &now, &why);
		if (one == 0)
			one = kctl_kind_wait(k, "horizontalpodautoscalers", &t.kind, &why);
		kctl_set_text(k, &t.object, "apiVersion", "autoscaling/v2");
		kctl_set_text(k, &t.object, "kind", "HorizontalPodAutoscaler");
		kctl_set_text(k, kctl_map(k, &t.object, "metadata"), "name", name);
		struct tree *spec = kctl_map(k, &t.object, "spec"), *ref = kctl_map(k, spec, "scaleTargetRef");
		kctl_set_text(k, ref, "apiVersion", kctl_group_version(k, &of->kind));
		kctl_set_text(k, ref, "kind", of->kind.kind);
		kctl_set_text(k, ref, "name", of->name);
		kctl_set_int(k, spec, "maxReplicas", most);
		if (least > 0)
			kctl_set_int(k, spec, "minReplicas", least);
		if (percent > 0) {
			struct tree *m = tree_append(&k->arena, kctl_list(k, spec, "metrics"), tree_map());
			if (!m)
				return err_nomem(e);
			kctl_set_text(k, m, "type", "Resource");
			struct tree *res = kctl_map(k, m, "resource"), *target = kctl_map(k, res, "target");
			kctl_set_text(k, res, "name", "cpu");
			kctl_set_text(k, target, "type", "Utilization");
			kctl_set_int(k, target, "averageUtilization", percent);
		}
		if (one == 0)
			one = kctl_create_one(k, &t, "kubectl-autoscale", "autoscaled", &got, &why);
		if (one < 0)
			failed = kctl_failed(k, &why);
	}
	return r < 0 ? r : failed;
}

/* --- certificate --------------------------------------------------------------------------------------- */
static int decide(struct kctl *k, const char *type, const char *did, struct err *e)
{
	struct kctl_kind kind;
	int failed = 0, r = kctl_client(k, e);
	if (r == 0)
		r = kctl_kind_wait(k, "certificatesigningrequests", &kind, e);
	for (int i = 0; r == 0 && i < k->f.argc; i++) {
		const char *slash = strchr(k->f.argv[i], '/');
		struct kctl_target t = { .kind = kind, .name = slash ? slash + 1 : k->f.argv[i] };
		struct tree now, got;
		struct err why = { 0 };
		int one = kctl_get_wait(k, kctl_path(k, &kind, NULL, t.name, NULL, NULL), &now, &why);
		if (one == 0) {
			struct tree *c = tree_append(&k->arena, kctl_list(k, kctl_map(k, &now, "status"), "conditions"), tree_map());
			if (!c)
				return err_nomem(e);
			kctl_set_text(k, c, "type", type);
			kctl_set_text(k, c, "status", "True");
			kctl_set_text(k, c, "reason", kctl_fmt(k, "Kubectl%s", !strcmp(type, "Approved") ? "Approve" : "Deny"));
			kctl_set_text(k, c, "message", kctl_fmt(k, "This CSR was %s by kubectl certificate %s.", did, !strcmp(type, "Approved") ? "approve" : "deny"));
			one = kctl_send_wait(k, "PUT", kctl_path(k, &kind, NULL, t.name, "approval", NULL), NULL, &now, &got, &why);
		}
		if (one == 0)
			one = kctl_print_done(k, &t, &got, did, &why);
		if (one < 0)
			failed = kctl_failed(k, &why);
	}
	return r < 0 ? r : failed;
}

int kcmd_certificate_approve(struct kctl *k, struct err *e) { return decide(k, "Approved", "approved", e); }
int kcmd_certificate_deny(struct kctl *k, struct err *e) { return decide(k, "Denied", "denied", e); }

int kcmd_top(struct kctl *k, struct err *e)
{
	struct tree t;
	int r = kctl_get_wait(k, "/apis/metrics.k8s.io/v1beta1", &t, e);
	if (r < 0 && r != -ENOENT)
		return r;
	k->long_error = NULL;
	return err_set(e, EOPNOTSUPP, "Metrics API not available");
}

/* --- completion -------------------------------------------------------------------------------------------- */
/* What may stand behind the words so far: commands, types, names; one a line. */
int kcmd_complete(struct kctl *k, struct err *e)
{
	char path[256] = "";
	struct kctl_kinds *all;
	struct kctl_kind kind;
	struct tree list;
	struct err none = { 0 };
	size_t n = 0;
	const struct kcmd *cmd = NULL;
	int words = k->f.argc - 1, first = 0; /* the last is under way */
	for (int i = 0; i < words; i++) {
		size_t len = strlen(path);
		fmt_into(path + len, sizeof path - len, "%s%s", len ? " " : "", k->f.argv[i]);
		for (size_t j = 0; j < kctl_n_commands; j++)
			if (!strcmp(kctl_commands[j].path, path)) {
				cmd = &kctl_commands[j];
				first = i + 1;
			}
	}
	n = strlen(path);
	for (size_t i = 0; i < kctl_n_commands; i++) {
		const char *p = kctl_commands[i].path;
		if (kctl_commands[i].bits & KCMD_HIDDEN || strncmp(p, path, n) || (n && p[n] != ' '))
			continue;
		const char *word = p + n + (n ? 1 : 0), *end = strchr(word, ' ');
		kctl_print(k, "%.*s\n", end ? (int)(end - word) : (int)strlen(word), word);
	}
	if (!cmd)
		return 0;
	if (words == first) {
		bool pods = !strcmp(cmd->path, "logs") || !strcmp(cmd->path, "exec") || !strcmp(cmd->path, "attach") || !strcmp(cmd->path, "port-forward");
		if (!pods && strstr(cmd->usage, "TYPE") && kctl_kinds_wait(k, &all, &none) == 0)
			for (size_t i = 0; i < all->n; i++)
				kctl_print(k, "%s\n", all->v[i].plural);
		if (!pods || kctl_client(k, &none) < 0 || kctl_kind_wait(k, "pods", &kind, &none) < 0)
			return 0;
	} else if (kctl_client(k, &none) < 0 || kctl_kind_wait(k, k->f.argv[first], &kind, &none) < 0) {
		return 0;
	}
	if (kctl_get_wait(k, kctl_path(k, &kind, kind.namespaced ? k->ns : NULL, NULL, NULL, NULL), &list, &none) == 0) {
		const struct tree *items = tree_gets(&list, "items");
		for (uint32_t i = 0; items && i < items->n; i++)
			kctl_print(k, "%s\n", kctl_text_at(k, tree_at(items, i), "metadata.name"));
	}
	k->long_error = NULL;
	return 0;
}

int kcmd_completion(struct kctl *k, struct err *e)
{
	const char *shell = kctl_arg(k, 0);
	if (!shell)
		return err_set(e, EINVAL, "Shell not specified.\nSee 'kubectl completion -h' for help and examples");
	if (k->f.argc > 1)
		return err_set(e, EINVAL, "Too many arguments. Expected only the shell type.\nSee 'kubectl completion -h' for help and examples");
	if (!strcmp(shell, "bash"))
		kctl_print(k, "# bash completion for kubectl\n_coracle_kubectl()\n{\n\tlocal cur=${COMP_WORDS[COMP_CWORD]}\n"
			"\tCOMPREPLY=($(compgen -W \"$(\"${COMP_WORDS[0]}\" __complete \"${COMP_WORDS[@]:1:COMP_CWORD-1}\" \"$cur\" 2>/dev/null)\" -- \"$cur\"))\n}\n"
			"complete -o default -F _coracle_kubectl kubectl\n");
	else if (!strcmp(shell, "zsh"))
		kctl_print(k, "#compdef kubectl\n_kubectl()\n{\n\tcompadd -- ${(f)\"$($words[1] __complete ${words[2,CURRENT-1]} \"\" 2>/dev/null)\"}\n}\ncompdef _kubectl kubectl\n");
	else if (!strcmp(shell, "fish"))
		kctl_print(k, "complete -c kubectl -f -a '(set -l w (commandline -opc); kubectl __complete $w[2..-1] \"\" 2>/dev/null)'\n");
	else
		return err_set(e, EINVAL, "Unsupported shell type \"%s\".\nSee 'kubectl completion -h' for help and examples", shell);
	return 0;
}

/* --- set serviceaccount, selector, subject ---------------------------------------------------------------------- */
static int patch_each(struct kctl *k, const char *did, int (*change)(struct kctl *k, const struct tree *now, struct tree *patch, struct err *e), struct err *e)
{
	struct kctl_targets all = { 0 };
	const char *dry;
	int failed = 0, r = kctl_dry_run(k, &dry, e);
	if (r == 0)
		r = kctl_targets_wait(k, 0, KARGS_NAMES | KARGS_FILES, &all, e);
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		struct kctl_target *t = &all.v[i];
		struct tree now, got, patch = tree_map();
		struct err why = { 0 };
		int one = kctl_get_wait(k, kctl_path(k, &t->kind, t->ns, t->name, NULL, NULL), &now, &why);
		if (one == 0)
			one = change(k, &now, &patch, &why);
		got = now;
		if (one == 0 && strcmp(dry, "client"))
			one = kctl_send_wait(k, "PATCH", kctl_path(k, &t->kind, t->ns, t->name, NULL, kctl_write_query(k, "kubectl-set")), "application/merge-patch+json", &patch, &got, &why);
		if (one == 0)
			one = kctl_print_done(k, t, &got, did, &why);
		if (one < 0)
			failed = kctl_failed(k, &why);
	}
	return r < 0 ? r : failed;
}

static int to_account(struct kctl *k, const struct tree *now, struct tree *patch, struct err *e)
{
	struct tree *spec = kctl_map(k, patch, "spec");
	if (tree_path(now, "spec.jobTemplate"))
		spec = kctl_map(k, kctl_map(k, spec, "jobTemplate"), "spec");
	else if (!tree_path(now, "spec.template"))
		return err_set(e, EINVAL, "%s has no pod template", kctl_text_at(k, now, "metadata.name"));
	kctl_set_text(k, kctl_map(k, kctl_map(k, spec, "template"), "spec"), "serviceAccountName", k->cmd ? k->f.argv[k->f.argc] : "");
	return 0;
}

int kcmd_set_serviceaccount(struct kctl *k, struct err *e)
{
	if (k->f.argc < 2)
		return err_set(e, EINVAL, "serviceaccount is required");
	k->f.argc--; /* the last word is the account; what is before names the objects */
	return patch_each(k, "serviceaccount updated", to_account, e);
}

static int to_selector(struct kctl *k, const struct tree *now, struct tree *patch, struct err *e)
{
	struct tree *s = kctl_map(k, kctl_map(k, patch, "spec"), "selector");
	const struct tree *old = tree_path(now, "spec.selector");
	struct slice rest = slice_of(k->f.argv[k->f.argc]), one, key, value;
	for (uint32_t i = 0; old && i < old->n; i++)
		kctl_set(k, s, kctl_fmt(k, "%.*s", (int)old->members[i].key_len, old->members[i].key), tree_null());
	while (slice_next(&rest, ',', &one)) {
		if (!slice_cut(one, '=', &key, &value))
			return err_set(e, EINVAL, "invalid selector: %.*s", SLICE_FMT(one));
		kctl_set_text(k, s, kctl_fmt(k, "%.*s", SLICE_FMT(key)), kctl_fmt(k, "%.*s", SLICE_FMT(value)));
	}
	return 0;
}

int kcmd_set_selector(struct kctl *k, struct err *e)
{
	if (k->f.argc < 2)
		return err_set(e, EINVAL, "one or more resources must be specified as <resource> <name> or <resource>/<name>");
	k->f.argc--;
	return patch_each(k, "selector updated", to_selector, e);
}

static int to_subjects(struct kctl *k, const struct tree *now, struct tree *patch, struct err *e)
{
	static const struct { const char *flag, *kind; } kinds[] = { { "user", "User" }, { "group", "Group" }, { "serviceaccount", "ServiceAccount" } };
	struct tree list = tree_list();
	const struct tree *old = tree_gets(now, "subjects");
	for (uint32_t i = 0; old && i < old->n; i++)
		tree_append(&k->arena, &list, *tree_at(old, i));
	for (size_t f = 0; f < ARRAY_LEN(kinds); f++) {
		const struct flag_value *v = flag_list(&k->f, kinds[f].flag);
		for (size_t i = 0; i < v->n; i++) {
			struct slice ns = { 0 }, name = slice_of(v->v[i]);
			if (f == 2 && !slice_cut(slice_of(v->v[i]), ':', &ns, &name))
				return err_set(e, EINVAL, "serviceaccount must be <namespace>:<name>");
			bool known = false;
			for (uint32_t j = 0; j < list.n; j++)
				known |= !strcmp(kctl_text_at(k, tree_at(&list, j), "kind"), kinds[f].kind) && slice_is(name, kctl_text_at(k, tree_at(&list, j), "name"));
			struct tree *x = known ? NULL : tree_append(&k->arena, &list, tree_map());
			if (!x)
				continue;
			if (f < 2)
				kctl_set_text(k, x, "apiGroup", "rbac.authorization.k8s.io");
			kctl_set_text(k, x, "kind", kinds[f].kind);
			kctl_set_text(k, x, "name", kctl_fmt(k, "%.*s", SLICE_FMT(name)));
			if (f == 2)
				kctl_set_text(k, x, "namespace", kctl_fmt(k, "%.*s", SLICE_FMT(ns)));
		}
	}
	kctl_set(k, patch, "subjects", list);
	return 0;
}

int kcmd_set_subject(struct kctl *k, struct err *e)
{
	if (!flag_list(&k->f, "user")->n && !flag_list(&k->f, "group")->n && !flag_list(&k->f, "serviceaccount")->n)
		return err_set(e, EINVAL, "you must specify at least one value of user, group or serviceaccount");
	return patch_each(k, "subjects updated", to_subjects, e);
}
