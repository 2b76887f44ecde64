/* SPDX-License-Identifier: Apache-2.0 */
/* cluster-info, events, autoscale, top, completion. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "kube/meta/text.h"
#include "kubectl/commands.h"

int kcmd_cluster_info(struct kctl *k, struct err *e)
{
	struct kctl_kind services;
	struct tree list;
	bool tty = isatty(1);
	const char *green = tty ? "\033[0;32m" : "", *yellow = tty ? "\033[0;33m" : "", *off = tty ? "\033[0m" : "";
	int r = kctl_client(k, e);
	if (r == 0)
		r = kctl_kind_wait(k, "services", &services, e);
	if (r == 0)
		r = kctl_get_wait(k, kctl_path(k, &services, "kube-system", NULL, NULL, "labelSelector=kubernetes.io%2Fcluster-service%3Dtrue"), &list, e);
	if (r < 0)
		return r;
	kctl_print(k, "%sKubernetes control plane%s is running at %s%s%s\n", green, off, yellow, k->server, off);
	const struct tree *items = tree_gets(&list, "items");
	for (uint32_t i = 0; items && i < items->n; i++) {
		const struct tree *s = tree_at(items, i), *ports = tree_path(s, "spec.ports");
		const char *name = kctl_text_at(k, s, "metadata.name"), *shown = kctl_text(k, tree_get(tree_path(s, "metadata.labels"), SLICE("kubernetes.io/name")));
		const char *port = ports && ports->n ? kctl_text_at(k, tree_at(ports, 0), "name") : "";
		kctl_print(k, "%s%s%s is running at %s%s/api/v1/namespaces/kube-system/services/%s%s%s/proxy%s\n", green, *shown ? shown : name, off, yellow, k->server, name, *port ? ":" : "", port, off);
	}
	kctl_print(k, "\nTo further debug and diagnose cluster problems, use 'kubectl cluster-info dump'.\n");
	return 0;
}

/* Every object that helps to find out what is wrong, and the logs of all pods; one document after another. */
int kcmd_cluster_info_dump(struct kctl *k, struct err *e)
{
	static const char *const kinds[] = { "events", "replicationcontrollers", "services", "daemonsets.apps", "deployments.apps", "replicasets.apps", "pods" };
	const char *one[] = { "kube-system", NULL }, *const *namespaces = one;
	const struct flag_value *given = flag_list(&k->f, "namespaces");
	struct kctl_kind kind;
	struct tree list;
	size_t n = 1;
	int r = kctl_client(k, e);
	if (r < 0)
		return r;
	const char *two[] = { "kube-system", k->ns };
	namespaces = two;
	n = strcmp(k->ns, "kube-system") ? 2 : 1;
	if (given->n) {
		namespaces = given->v;
		n = given->n;
	}
	r = kctl_kind_wait(k, "nodes", &kind, e);
	if (r == 0)
		r = kctl_get_wait(k, kctl_path(k, &kind, NULL, NULL, NULL, NULL), &list, e);
	if (r == 0)
		r = tree_to_json(&list, SCHEMA_INDENT | SCHEMA_SORTED | SCHEMA_NEWLINE, &k->out);
	for (size_t i = 0; r == 0 && i < n; i++)
		for (size_t j = 0; r == 0 && j < ARRAY_LEN(kinds); j++) {
			r = kctl_kind_wait(k, kinds[j], &kind, e);
			if (r == 0)
				r = kctl_get_wait(k, kctl_path(k, &kind, namespaces[i], NULL, NULL, NULL), &list, e);
			if (r == 0)
				r = tree_to_json(&list, SCHEMA_INDENT | SCHEMA_SORTED | SCHEMA_NEWLINE, &k->out);
			const struct tree *items = r == 0 && !strcmp(kinds[j], "pods") ? tree_gets(&list, "items") : NULL;
			for (uint32_t p = 0; items && p < items->n; p++) {
				const struct tree *containers = tree_path(tree_at(items, p), "spec.containers");
				const char *pod = kctl_text_at(k, tree_at(items, p), "metadata.name");
				for (uint32_t c = 0; containers && c < containers->n; c++) {
					struct kctl_reply reply;
					const char *name = kctl_text_at(k, tree_at(containers, c), "name");
					kctl_print(k, "==== START logs for container %s of pod %s/%s ====\n", name, namespaces[i], pod);
					struct err ignored;
					if (kctl_request_wait(k, "GET", kctl_path(k, &kind, namespaces[i], pod, "log", kctl_query(k, NULL, "container", name)), "*/*", NULL, slice_n("", 0), &reply, &ignored) == 0 && reply.status == 200)
						buf_addslice(&k->out, buf_slice(&reply.body));
					buf_release(&reply.body);
					kctl_print(k, "==== END logs for container %s of pod %s/%s ====\n", name, namespaces[i], pod);
				}
			}
		}
	return r;
}

/* --- events ------------------------------------------------------------------------------------------- */
static const char *when(struct kctl *k, const struct tree *e)
{
	static const char *const paths[] = { "series.lastObservedTime", "lastTimestamp", "eventTime", "firstTimestamp", "metadata.creationTimestamp" };
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		if (*kctl_text_at(k, e, paths[i]))
			return kctl_text_at(k, e, paths[i]);
	return "";
}

struct row { const struct tree *e; const char *when; };
static int by_when(const void *a, const void *b) { return strcmp(((const struct row *)a)->when, ((const struct row *)b)->when); }

int kcmd_events(struct kctl *k, struct err *e)
{
	struct kctl_kind kind;
	struct tree list;
	struct buf lines AUTO(buf) = BUF_INIT(64 << 20);
	const char *about = flag_str(&k->f, "for"), *types = flag_str(&k->f, "types"), *q = NULL;
	bool all = flag_bool(&k->f, "all-namespaces");
	int r = kctl_client(k, e);
	if (r == 0 && *about) {
		struct kctl_target t;
		r = kctl_one_wait(k, about, "pods", &t, e);
		if (r == 0)
			q = kctl_query(k, NULL, "fieldSelector", kctl_fmt(k, "involvedObject.kind=%s,involvedObject.name=%s", t.kind.kind, t.name));
	}
	if (r == 0)
		r = kctl_kind_wait(k, "events", &kind, e);
	if (r == 0)
		r = kctl_get_wait(k, kctl_path(k, &kind, all ? NULL : k->ns, NULL, NULL, q), &list, e);
	if (r < 0)
		return r;
	const struct tree *items = tree_gets(&list, "items");
	struct row *v = arena_array(&k->arena, items ? items->n + 1 : 1, sizeof *v);
	size_t n = 0;
	for (uint32_t i = 0; v && items && i < items->n; i++) {
		const char *type = kctl_text_at(k, tree_at(items, i), "type");
		if (*types && !strstr(types, type))
			continue;
		v[n++] = (struct row){ tree_at(items, i), when(k, tree_at(items, i)) };
	}
	if (!n) {
		kctl_warn(k, all ? "No events found." : "No events found in %s namespace.", k->ns);
		return 0;
	}
	qsort(v, n, sizeof *v, by_when);
	if (*flag_str(&k->f, "output")) {
		struct kctl_printer *p;
		r = kctl_printer_new(k, flag_str(&k->f, "output"), &p, e);
		return r < 0 ? r : kctl_print_object(k, p, &list, e);
	}
	if (!flag_bool(&k->f, "no-headers"))
		buf_addf(&lines, "%sLAST SEEN\tTYPE\tREASON\tOBJECT\tMESSAGE\n", all ? "NAMESPACE\t" : "");
	for (size_t i = 0; i < n; i++) {
		const struct tree *x = v[i].e;
		char age[KUBE_DURATION_MAX], first[KUBE_DURATION_MAX];
		int64_t count = 0;
		kube_age(age, v[i].when, clock_realtime_ns());
		tree_i64(tree_gets(x, "count"), &count);
		const char *seen = age;
		if (count > 1)
			seen = kctl_fmt(k, "%s (x%lld over %s)", age, (long long)count, kube_age(first, kctl_text_at(k, x, "firstTimestamp"), clock_realtime_ns()));
		if (all)
			buf_addf(&lines, "%s\t", kctl_text_at(k, x, "metadata.namespace"));
		buf_addf(&lines, "%s\t%s\t%s\t%s/%s\t%.*s\n", seen, kctl_text_at(k, x, "type"), kctl_text_at(k, x, "reason"), kctl_text_at(k, x, "involvedObject.kind"), kctl_text_at(k, x, "involvedObject.name"),
			SLICE_FMT(slice_trim(slice_of(kctl_text_at(k, x, "message")))));
	}
	kctl_columns(k, buf_slice(&lines));
	return 0;
}

/* --- autoscale -------------------------------------------------------------------------------------------- */
int kcmd_autoscale(struct kctl *k, struct err *e)
{
	struct kctl_targets all = { 0 };
	int64_t most = flag_num(&k->f, "max"), least = flag_num(&k->f, "min"), cpu = flag_num(&k->f, "cpu-percent");
	int r = kctl_targets_wait(k, 0, KARGS_NAMES | KARGS_FILES, &all, e);
	if (r == 0 && most < 1)
		return kctl_usage(k, e, "--max=MAXPODS is required and must be at least 1, max: %lld", (long long)most);
	if (r == 0 && most < least)
		return kctl_usage(k, e, "--max=MAXPODS must be larger or equal to --min=MINPODS, max: %lld, min: %lld", (long long)most, (long long)least);
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		struct kctl_target *t = &all.v[i], h = { .ns = t->ns };
		struct tree got;
		r = kctl_kind_wait(k, "horizontalpodautoscalers.v2.autoscaling", &h.kind, e);
		if (r < 0)
			break;
		h.name = *flag_str(&k->f, "name") ? flag_str(&k->f, "name") : t->name;
		h.object = tree_map();
		kctl_set_text(k, &h.object, "apiVersion", "autoscaling/v2");
		kctl_set_text(k, &h.object, "kind", "HorizontalPodAutoscaler");
		kctl_set_text(k, kctl_map(k, &h.object, "metadata"), "name", h.name);
		struct tree *spec = kctl_map(k, &h.object, "spec"), *ref = kctl_map(k, spec, "scaleTargetRef");
		kctl_set_text(k, ref, "apiVersion", kctl_group_version(k, &t->kind));
		kctl_set_text(k, ref, "kind", t->kind.kind);
		kctl_set_text(k, ref, "name", t->name);
		kctl_set_int(k, spec, "maxReplicas", most);
		if (least > 0)
			kctl_set_int(k, spec, "minReplicas", least);
		if (cpu >= 0) {
			struct tree *m = tree_append(&k->arena, kctl_list(k, spec, "metrics"), tree_map());
			if (!m)
				return err_nomem(e);
			kctl_set_text(k, m, "type", "Resource");
			struct tree *res = kctl_map(k, m, "resource");
			kctl_set_text(k, res, "name", "cpu");
			struct tree *target = kctl_map(k, res, "target");
			kctl_set_text(k, target, "type", "Utilization");
			kctl_set_int(k, target, "averageUtilization", cpu);
		}
		r = kctl_create_one(k, &h, "kubectl-autoscale", "autoscaled", &got, e);
	}
	return r;
}

int kcmd_top(struct kctl *k, struct err *e)
{
	struct kctl_kinds *all;
	int r = kctl_kinds_wait(k, &all, e);
	for (size_t i = 0; r == 0 && i < all->n; i++)
		if (!strcmp(all->v[i].group, "metrics.k8s.io"))
			return err_set(e, EOPNOTSUPP, "this kubectl does not read metrics: use kubectl get --raw /apis/metrics.k8s.io/v1beta1/nodes");
	return r < 0 ? r : err_set(e, ENOENT, "Metrics API not available");
}

/* --- completion -------------------------------------------------------------------------------------------- */
static void words_after(struct kctl *k, const char *group)
{
	size_t n = group ? strlen(group) : 0;
	const char *last = "";
	for (size_t i = 0; i < kctl_n_commands; i++) {
		const char *p = kctl_commands[i].path;
		if ((kctl_commands[i].bits & KCMD_HIDDEN) || (group && (strncmp(p, group, n) || p[n] != ' ')))
			continue;
		p += group ? n + 1 : 0;
		const char *word = kctl_fmt(k, "%.*s", (int)strcspn(p, " "), p);
		if (strcmp(word, last))
			kctl_print(k, "%s ", word);
		last = word;
	}
}

int kcmd_completion(struct kctl *k, struct err *e)
{
	const char *shell = kctl_arg(k, 0), *seen[64];
	size_t n = 0;
	if (strcmp(shell, "bash") && strcmp(shell, "zsh"))
		return err_set(e, EINVAL, "unsupported shell type \"%s\"", shell);
	if (!strcmp(shell, "zsh"))
		kctl_print(k, "#compdef kubectl\nautoload -U +X bashcompinit && bashcompinit\n");
	kctl_print(k, "_coracle_kubectl()\n{\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} words=\"\"\n\tcase ${COMP_WORDS[1]} in\n");
	for (size_t i = 0; i < kctl_n_commands; i++) {
		const char *space = strchr(kctl_commands[i].path, ' ');
		const char *group = space ? kctl_fmt(k, "%.*s", (int)(space - kctl_commands[i].path), kctl_commands[i].path) : NULL;
		bool known = !group;
		for (size_t j = 0; j < n && !known; j++)
			known = !strcmp(seen[j], group);
		if (known || n == ARRAY_LEN(seen))
			continue;
		seen[n++] = group;
		kctl_print(k, "\t%s) words=\"", group);
		words_after(k, group);
		kctl_print(k, "\" ;;\n");
	}
	kctl_print(k, "\tesac\n\tif [ \"$COMP_CWORD\" = 1 ]; then\n\t\twords=\"");
	words_after(k, NULL);
	kctl_print(k, "\"\n\telif [ \"$COMP_CWORD\" = 2 ] && [ -z \"$words\" ]; then\n\t\twords=$(\"${COMP_WORDS[0]}\" api-resources -o name 2>/dev/null | cut -d. -f1)\n"
		"\telif [ \"$COMP_CWORD\" -ge 3 ]; then\n\t\twords=$(\"${COMP_WORDS[0]}\" get \"${COMP_WORDS[2]}\" -o name 2>/dev/null | cut -d/ -f2)\n\tfi\n"
		"\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -F _coracle_kubectl kubectl\n");
	return 0;
}
