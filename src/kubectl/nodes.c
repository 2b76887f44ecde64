/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl cordon, uncordon, drain, taint: who may be on a node. */
#include <string.h>

#include "base/clock.h"
#include "io/fiber.h"
#include "kubectl/commands.h"

static int nodes_of(struct kctl *k, struct kctl_targets *ret, struct err *e)
{
	struct kctl_kind kind;
	int r = kctl_client(k, e);
	if (r == 0)
		r = kctl_kind_wait(k, "nodes", &kind, e);
	if (r < 0)
		return r;
	const char **v = arena_array(&k->arena, (size_t)k->f.argc + 1, sizeof *v);
	if (!v)
		return err_nomem(e);
	v[0] = "nodes";
	for (int i = 0; i < k->f.argc; i++) {
		const char *slash = strchr(k->f.argv[i], '/');
		v[i + 1] = slash ? slash + 1 : k->f.argv[i];
	}
	k->f.argv = v;
	k->f.argc++;
	return kctl_targets_wait(k, 0, KARGS_NAMES, ret, e);
}

static int set_cordon(struct kctl *k, const struct kctl_target *t, bool off, const char *dry, struct err *e)
{
	struct tree now, got, patch = tree_map();
	int r = kctl_get_wait(k, kctl_path(k, &t->kind, NULL, t->name, NULL, NULL), &now, e);
	if (r < 0)
		return r;
	if (tree_is_true(tree_path(&now, "spec.unschedulable")) == off)
		return kctl_print_done(k, t, &now, off ? "already cordoned" : "already uncordoned", e);
	kctl_set(k, kctl_map(k, &patch, "spec"), "unschedulable", off ? tree_bool(true) : tree_null());
	if (strcmp(dry, "client"))
		r = kctl_send_wait(k, "PATCH", kctl_path(k, &t->kind, NULL, t->name, NULL, kctl_write_query(k, "kubectl-cordon")), "application/merge-patch+json", &patch, &got, e);
	return r < 0 ? r : kctl_print_done(k, t, &now, off ? "cordoned" : "uncordoned", e);
}

static int cordon_all(struct kctl *k, bool off, struct err *e)
{
	struct kctl_targets all = { 0 };
	const char *dry;
	int failed = 0, r = kctl_dry_run(k, &dry, e);
	if (r == 0 && !k->f.argc && !*flag_str(&k->f, "selector"))
		return err_set(e, EINVAL, "USAGE: %s NODE [flags]\nSee 'kubectl %s -h' for help and examples", k->cmd->path, k->cmd->path);
	if (r == 0)
		r = nodes_of(k, &all, e);
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		struct err why = { 0 };
		if (set_cordon(k, &all.v[i], off, dry, &why) < 0)
			failed = kctl_failed(k, &why);
	}
	return r < 0 ? r : failed;
}

int kcmd_cordon(struct kctl *k, struct err *e) { return cordon_all(k, true, e); }
int kcmd_uncordon(struct kctl *k, struct err *e) { return cordon_all(k, false, e); }

/* --- drain ------------------------------------------------------------------------------------ */
struct drain { struct kctl *k; const char *dry; struct buf refused; const struct tree **pods; size_t n; };

static void refuse(struct drain *d, const struct tree *pod, const char *why)
{
	buf_addf(&d->refused, "%scannot delete %s: %s/%s", d->refused.len ? ", " : "", why, kctl_text_at(d->k, pod, "metadata.namespace"), kctl_text_at(d->k, pod, "metadata.name"));
}

static bool has_empty_dir(const struct tree *pod)
{
	const struct tree *v = tree_path(pod, "spec.volumes");
	for (uint32_t i = 0; v && i < v->n; i++)
		if (tree_gets(tree_at(v, i), "emptyDir"))
			return true;
	return false;
}

/* Whether a pod has to leave; what may not is noted. */
static bool must_leave(struct drain *d, const struct tree *pod)
{
	struct kctl *k = d->k;
	const struct tree *owners = tree_path(pod, "metadata.ownerReferences"), *notes = tree_path(pod, "metadata.annotations");
	const char *owner = "", *phase = kctl_text_at(k, pod, "status.phase");
	for (uint32_t i = 0; owners && i < owners->n; i++)
		if (tree_is_true(tree_gets(tree_at(owners, i), "controller")))
			owner = kctl_text_at(k, tree_at(owners, i), "kind");
	if (tree_get(notes, SLICE("kubernetes.io/config.mirror")))
		return false;
	if (!strcmp(phase, "Succeeded") || !strcmp(phase, "Failed"))
		return true;
	if (!strcmp(owner, "DaemonSet")) {
		if (!flag_bool(&k->f, "ignore-daemonsets"))
			refuse(d, pod, "DaemonSet-managed Pods (use --ignore-daemonsets to ignore)");
		return false;
	}
	if (has_empty_dir(pod) && !flag_bool(&k->f, "delete-emptydir-data")) {
		refuse(d, pod, "Pods with local storage (use --delete-emptydir-data to override)");
		return false;
	}
	if (!*owner && !flag_bool(&k->f, "force")) {
		refuse(d, pod, "Pods that declare no controller (use --force to override)");
		return false;
	}
	return true;
}

static int evict(struct drain *d, const struct tree *pod, int64_t end, struct err *e)
{
	struct kctl *k = d->k;
	struct kctl_kind kind;
	const char *ns = kctl_text_at(k, pod, "metadata.namespace"), *name = kctl_text_at(k, pod, "metadata.name"), *uid = kctl_text_at(k, pod, "metadata.uid");
	int64_t grace = flag_num(&k->f, "grace-period");
	struct tree body = tree_map(), got;
	int r = kctl_kind_wait(k, "pods", &kind, e);
	if (r < 0)
		return r;
	bool by_delete = flag_bool(&k->f, "disable-eviction");
	kctl_print(k, "%s pod %s/%s\n", by_delete ? "deleting" : "evicting", ns, name);
	kctl_flush(k);
	kctl_set_text(k, &body, "apiVersion", by_delete ? "v1" : "policy/v1");
	kctl_set_text(k, &body, "kind", by_delete ? "DeleteOptions" : "Eviction");
	if (!by_delete) {
		kctl_set_text(k, kctl_map(k, &body, "metadata"), "name", name);
		kctl_set_text(k, kctl_map(k, &body, "metadata"), "namespace", ns);
	}
	if (grace >= 0)
		kctl_set_int(k, by_delete ? &body : kctl_map(k, &body, "deleteOptions"), "gracePeriodSeconds", grace);
	for (;;) { /* a disruption budget says no (429) until it has room */
		r = kctl_send_wait(k, by_delete ? "DELETE" : "POST", kctl_path(k, &kind, ns, name, by_delete ? NULL : "eviction", NULL), NULL, &body, &got, e);
		if (r == -ENOENT) {
			k->long_error = NULL;
			return 0;
		}
		if (r == 0 || !k->long_error || !strstr(k->long_error, "TooManyRequests"))
			break;
		kctl_warn(k, "error when evicting pods/\"%s\" -n \"%s\" (will retry after 5s): %s", name, ns, strchr(k->long_error, ':') + 2);
		k->long_error = NULL;
		if (end && clock_monotonic_ns() > end)
			return err_set(e, ETIMEDOUT, "error when evicting pods/\"%s\" -n \"%s\": global timeout reached", name, ns);
		sleep_wait(5 * NS_PER_S);
	}
	while (r == 0) {
		r = kctl_get_wait(k, kctl_path(k, &kind, ns, name, NULL, NULL), &got, e);
		if (r == -ENOENT || (r == 0 && strcmp(uid, kctl_text_at(k, &got, "metadata.uid")))) {
			k->long_error = NULL;
			kctl_print(k, "pod/%s evicted\n", name);
			return 0;
		}
		if (r == 0 && end && clock_monotonic_ns() > end)
			return err_set(e, ETIMEDOUT, "error when waiting for pod \"%s\" in namespace \"%s\" to terminate: global timeout reached", name, ns);
		if (r == 0)
			sleep_wait(200 * NS_PER_MS);
	}
	return r;
}

static int drain_one(struct drain *d, const struct kctl_target *t, struct err *e)
{
	struct kctl *k = d->k;
	struct kctl_kind kind;
	struct tree list;
	const char *q = kctl_query(k, NULL, "fieldSelector", kctl_fmt(k, "spec.nodeName=%s", t->name));
	int r = set_cordon(k, t, true, d->dry, e);
	if (r == 0)
		r = kctl_kind_wait(k, "pods", &kind, e);
	if (*flag_str(&k->f, "pod-selector"))
		q = kctl_query(k, q, "labelSelector", flag_str(&k->f, "pod-selector"));
	if (r == 0)
		r = kctl_get_wait(k, kctl_path(k, &kind, NULL, NULL, NULL, q), &list, e);
	if (r < 0)
		return r;
	const struct tree *items = tree_gets(&list, "items");
	const struct tree **leave = arena_array(&k->arena, (items ? items->n : 0) + 1, sizeof *leave);
	size_t n = 0;
	buf_reset(&d->refused);
	for (uint32_t i = 0; leave && items && i < items->n; i++)
		if (must_leave(d, tree_at(items, i)))
			leave[n++] = tree_at(items, i);
	if (d->refused.len)
		return err_set(e, EBUSY, "unable to drain node \"%s\" due to error: %s, continuing command...", t->name, d->refused.ptr);
	int64_t timeout = flag_num(&k->f, "timeout"), end = timeout > 0 ? clock_monotonic_ns() + timeout : 0;
	for (size_t i = 0; i < n && r == 0; i++) {
		if (strcmp(d->dry, "none"))
			kctl_print(k, "evicting pod %s/%s (%s dry run)\n", kctl_text_at(k, leave[i], "metadata.namespace"), kctl_text_at(k, leave[i], "metadata.name"), d->dry);
		else
			r = evict(d, leave[i], end, e);
	}
	return r < 0 ? r : kctl_print_done(k, t, NULL, "drained", e);
}

int kcmd_drain(struct kctl *k, struct err *e)
{
	struct kctl_targets all = { 0 };
	struct drain d = { .k = k, .refused = BUF_INIT(64 << 10) };
	int failed = 0, r = kctl_dry_run(k, &d.dry, e);
	if (r == 0 && !k->f.argc && !*flag_str(&k->f, "selector"))
		return err_set(e, EINVAL, "USAGE: drain NODE [flags]\nSee 'kubectl drain -h' for help and examples");
	if (r == 0)
		r = nodes_of(k, &all, e);
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		struct err why = { 0 };
		if (drain_one(&d, &all.v[i], &why) < 0)
			failed = kctl_failed(k, &why);
	}
	buf_release(&d.refused);
	return r < 0 ? r : failed;
}

/* --- taint ----------------------------------------------------------------------------------------- */
struct change { const char *key, *value, *effect; bool remove; };

static int parse_taint(struct kctl *k, const char *text, struct change *ret, struct err *e)
{
	static const char *const effects[] = { "NoSchedule", "PreferNoSchedule", "NoExecute" };
	struct slice all = slice_of(text), left, effect = { 0 }, key, value = { 0 };
	*ret = (struct change){ 0 };
	if (all.len && all.ptr[all.len - 1] == '-') {
		ret->remove = true;
		all.len--;
	}
	slice_cut(all, ':', &left, &effect);
	slice_cut(left, '=', &key, &value);
	bool known = ret->remove && !effect.len;
	for (size_t i = 0; i < ARRAY_LEN(effects); i++)
		known |= slice_is(effect, effects[i]);
	if (!effect.len && !ret->remove)
		return err_set(e, EINVAL, "invalid taint spec: %s\nSee 'kubectl taint -h' for help and examples", text);
	if (!known)
		return err_set(e, EINVAL, "invalid taint effect: %.*s, unsupported taint effect\nSee 'kubectl taint -h' for help and examples", SLICE_FMT(effect));
	ret->key = kctl_fmt(k, "%.*s", SLICE_FMT(key));
	ret->value = kctl_fmt(k, "%.*s", SLICE_FMT(value));
	ret->effect = kctl_fmt(k, "%.*s", SLICE_FMT(effect));
	return 0;
}

static int taint_one(struct kctl *k, const struct kctl_target *t, const struct change *v, int n, const char *dry, struct err *e)
{
	struct tree now, got, patch = tree_map(), list = tree_list();
	bool added = false, removed = false;
	int r = kctl_get_wait(k, kctl_path(k, &t->kind, NULL, t->name, NULL, NULL), &now, e);
	const struct tree *old = r == 0 ? tree_path(&now, "spec.taints") : NULL;
	for (uint32_t i = 0; old && i < old->n; i++) {
		bool keep = true;
		for (int j = 0; j < n; j++) {
			if (strcmp(v[j].key, kctl_text_at(k, tree_at(old, i), "key")) || (*v[j].effect && strcmp(v[j].effect, kctl_text_at(k, tree_at(old, i), "effect"))))
				continue;
			if (!v[j].remove && !flag_bool(&k->f, "overwrite"))
				return err_set(e, EEXIST, "node %s already has %s taint(s) with same effect(s) and --overwrite is false", t->name, v[j].key);
			keep = false;
			removed |= v[j].remove;
		}
		if (keep)
			tree_append(&k->arena, &list, *tree_at(old, i));
	}
	for (int j = 0; r == 0 && j < n; j++) {
		if (v[j].remove) {
			if (!removed)
				return err_set(e, ENOENT, "taint \"%s%s%s\" not found", v[j].key, *v[j].effect ? ":" : "", v[j].effect);
			continue;
		}
		struct tree *x = tree_append(&k->arena, &list, tree_map());
		if (!x)
			return err_nomem(e);
		kctl_set_text(k, x, "key", v[j].key);
		if (*v[j].value)
			kctl_set_text(k, x, "value", v[j].value);
		kctl_set_text(k, x, "effect", v[j].effect);
		added = true;
	}
	kctl_set(k, kctl_map(k, &patch, "spec"), "taints", list);
	if (r == 0 && strcmp(dry, "client"))
		r = kctl_send_wait(k, "PATCH", kctl_path(k, &t->kind, NULL, t->name, NULL, kctl_write_query(k, "kubectl-taint")), "application/merge-patch+json", &patch, &got, e);
	if (r == 0) /* a dry run is not said, as in kubectl */
		kctl_print(k, "node/%s %s\n", t->name, added && removed ? "modified" : removed ? "untainted" : "tainted");
	return r;
}

int kcmd_taint(struct kctl *k, struct err *e)
{
	struct kctl_targets all = { 0 };
	const char *dry;
	int first = 0, failed = 0, r = kctl_dry_run(k, &dry, e);
	while (first < k->f.argc && (first == 0 || (!strchr(k->f.argv[first], ':') && !strchr(k->f.argv[first], '=') && k->f.argv[first][strlen(k->f.argv[first]) - 1] != '-')))
		first++;
	int n = k->f.argc - first;
	struct change *v = arena_array(&k->arena, (size_t)n + 1, sizeof *v);
	if (!v)
		return err_nomem(e);
	if (r == 0 && k->f.argc < 1)
		return err_set(e, EINVAL, "one or more resources must be specified as <resource> <name>");
	if (r == 0 && !n)
		return err_set(e, EINVAL, "at least one taint update is required");
	for (int i = 0; r == 0 && i < n; i++)
		r = parse_taint(k, k->f.argv[first + i], &v[i], e);
	k->f.argc = first;
	if (r == 0)
		r = kctl_targets_wait(k, 0, KARGS_NAMES, &all, e);
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		struct err why = { 0 };
		if (taint_one(k, &all.v[i], v, n, dry, &why) < 0)
			failed = kctl_failed(k, &why);
	}
	return r < 0 ? r : failed;
}
