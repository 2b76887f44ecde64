/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about nodes: cordon, uncordon, drain, taint. */
#include <string.h>

#include "base/clock.h"
#include "io/fiber.h"
#include "kubectl/commands.h"

static int nodes_of(struct kctl *k, struct kctl_targets *ret, struct err *e)
{
	struct kctl_kind kind;
	struct tree list;
	int r = kctl_client(k, e);
	if (r == 0)
		r = kctl_kind_wait(k, "nodes", &kind, e);
	const char *selector = flag_known(&k->f, "selector") ? flag_str(&k->f, "selector") : "";
	if (r == 0 && !k->f.argc && !*selector)
		return kctl_usage(k, e, "USAGE: %s %s", k->cmd->path, k->cmd->usage);
	if (r == 0 && *selector)
		r = kctl_get_wait(k, kctl_path(k, &kind, NULL, NULL, NULL, kctl_query(k, NULL, "labelSelector", selector)), &list, e);
	if (r < 0)
		return r;
	const struct tree *items = *selector ? tree_gets(&list, "items") : NULL;
	size_t n = *selector ? (items ? items->n : 0) : (size_t)k->f.argc;
	*ret = (struct kctl_targets){ arena_array(&k->arena, n + 1, sizeof *ret->v), n, false, false };
	for (size_t i = 0; ret->v && i < n; i++)
		ret->v[i] = (struct kctl_target){ .kind = kind, .name = *selector ? kctl_text_at(k, tree_at(items, (uint32_t)i), "metadata.name") : k->f.argv[i] };
	return ret->v ? 0 : err_nomem(e);
}

static int cordon_one(struct kctl *k, const struct kctl_target *t, bool on, struct err *e)
{
	struct tree node, patch = tree_map(), got;
	int r = kctl_get_wait(k, kctl_path(k, &t->kind, NULL, t->name, NULL, NULL), &node, e);
	if (r < 0)
		return r;
	bool is = tree_is_true(tree_path(&node, "spec.unschedulable"));
	if (is != on) {
		kctl_set(k, kctl_map(k, &patch, "spec"), "unschedulable", on ? tree_bool(true) : tree_null());
		const char *dry = "none";
		kctl_dry_run(k, &dry, NULL);
		if (strcmp(dry, "client"))
			r = kctl_send_wait(k, "PATCH", kctl_path(k, &t->kind, NULL, t->name, NULL, !strcmp(dry, "server") ? "dryRun=All" : NULL), "application/strategic-merge-patch+json", &patch, &got, e);
	}
	if (r == 0)
		r = kctl_print_done(k, t, &node, is == on ? (on ? "already cordoned" : "already uncordoned") : on ? "cordoned" : "uncordoned", e);
	return r;
}

static int cordon(struct kctl *k, bool on, struct err *e)
{
	struct kctl_targets all;
	int r = nodes_of(k, &all, e), failed = 0;
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		struct err why = { 0 };
		if (cordon_one(k, &all.v[i], on, &why) < 0)
			failed = kctl_failed(k, &why);
	}
	return r < 0 ? r : failed;
}

int kcmd_cordon(struct kctl *k, struct err *e) { return cordon(k, true, e); }
int kcmd_uncordon(struct kctl *k, struct err *e) { return cordon(k, false, e); }

/* --- drain ----------------------------------------------------------------------------------------- */
struct drain { struct kctl *k; struct kctl_kind pods; struct tree list; const struct tree **v; size_t n; };

static bool owned_by(struct kctl *k, const struct tree *pod, const char *kind)
{
	const struct tree *owners = tree_path(pod, "metadata.ownerReferences");
	for (uint32_t i = 0; owners && i < owners->n; i++)
		if (tree_is_true(tree_gets(tree_at(owners, i), "controller")))
			return !kind || !strcmp(kctl_text_at(k, tree_at(owners, i), "kind"), kind);
	return false;
}

static void add_name(struct kctl *k, struct buf *b, const struct tree *pod)
{
	buf_addf(b, "%s%s/%s", b->len ? ", " : "", kctl_text_at(k, pod, "metadata.namespace"), kctl_text_at(k, pod, "metadata.name"));
}

/* Who must go; problems are all said at once, as kubectl does. */
static int choose(struct drain *d, const char *node, struct err *e)
{
	struct kctl *k = d->k;
	struct buf unmanaged AUTO(buf) = BUF_INIT(64 << 10), daemons AUTO(buf) = BUF_INIT(64 << 10), local AUTO(buf) = BUF_INIT(64 << 10), all AUTO(buf) = BUF_INIT(256 << 10);
	bool force = flag_bool(&k->f, "force"), ignore = flag_bool(&k->f, "ignore-daemonsets"), empty = flag_bool(&k->f, "delete-emptydir-data") || flag_bool(&k->f, "delete-local-data");
	const char *q = kctl_query(k, NULL, "fieldSelector", kctl_fmt(k, "spec.nodeName=%s", node));
	if (*flag_str(&k->f, "pod-selector"))
		q = kctl_query(k, q, "labelSelector", flag_str(&k->f, "pod-selector"));
	int r = kctl_get_wait(k, kctl_path(k, &d->pods, NULL, NULL, NULL, q), &d->list, e);
	const struct tree *items = r == 0 ? tree_gets(&d->list, "items") : NULL;
	d->v = arena_array(&k->arena, items ? items->n + 1 : 1, sizeof *d->v);
	d->n = 0;
	for (uint32_t i = 0; d->v && items && i < items->n; i++) {
		const struct tree *p = tree_at(items, i), *volumes = tree_path(p, "spec.volumes");
		const char *phase = kctl_text_at(k, p, "status.phase");
		bool over = !strcmp(phase, "Succeeded") || !strcmp(phase, "Failed"), has_empty = false;
		if (tree_get(tree_path(p, "metadata.annotations"), SLICE("kubernetes.io/config.mirror")))
			continue;
		for (uint32_t j = 0; volumes && j < volumes->n; j++)
			has_empty |= tree_gets(tree_at(volumes, j), "emptyDir") != NULL;
		if (!over && owned_by(k, p, "DaemonSet")) {
			add_name(k, &daemons, p);
			continue;
		}
		if (!over && has_empty && !empty)
			add_name(k, &local, p);
		if (!over && !owned_by(k, p, NULL))
			add_name(k, &unmanaged, p);
		d->v[d->n++] = p;
	}
	if (r < 0)
		return r;
	if (unmanaged.len && !force)
		buf_addf(&all, "cannot delete cannot delete Pods that declare no controller (use --force to override): %s", unmanaged.ptr);
	if (daemons.len && !ignore)
		buf_addf(&all, "%scannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore): %s", all.len ? ", " : "", daemons.ptr);
	if (local.len)
		buf_addf(&all, "%scannot delete Pods with local storage (use --delete-emptydir-data to override): %s", all.len ? ", " : "", local.ptr);
	if (all.len) {
		k->long_error = kctl_fmt(k, "error: unable to drain node \"%s\" due to error: [%s], continuing command...\nThere are pending nodes to be drained:\n %s", node, all.ptr, node);
		return err_set(e, EINVAL, "%s", k->long_error);
	}
	if (daemons.len)
		kctl_warn(k, "Warning: ignoring DaemonSet-managed Pods: %s", daemons.ptr);
	if (unmanaged.len)
		kctl_warn(k, "Warning: deleting Pods that declare no controller: %s", unmanaged.ptr);
	return 0;
}

/* Again and again while a budget forbids it. */
static int evict_one(struct drain *d, const struct tree *pod, int64_t end, struct err *e)
{
	struct kctl *k = d->k;
	struct tree eviction = tree_map(), got;
	const char *name = kctl_text_at(k, pod, "metadata.name"), *ns = kctl_text_at(k, pod, "metadata.namespace");
	bool direct = flag_bool(&k->f, "disable-eviction");
	int64_t grace = flag_num(&k->f, "grace-period");
	struct tree *options = &eviction;
	if (!direct) {
		kctl_set_text(k, &eviction, "apiVersion", "policy/v1");
		kctl_set_text(k, &eviction, "kind", "Eviction");
		struct tree *meta = kctl_map(k, &eviction, "metadata");
		kctl_set_text(k, meta, "name", name);
		kctl_set_text(k, meta, "namespace", ns);
		if (grace >= 0)
			options = kctl_map(k, &eviction, "deleteOptions");
	}
	if (grace >= 0)
		kctl_set_int(k, options, "gracePeriodSeconds", grace);
	for (;;) {
		int r = kctl_send_wait(k, direct ? "DELETE" : "POST", kctl_path(k, &d->pods, ns, name, direct ? NULL : "eviction", NULL), NULL, &eviction, &got, e);
		if (r == 0 || r == -ENOENT) {
			k->long_error = NULL;
			return 0;
		}
		if (!k->long_error || !strstr(k->long_error, "TooManyRequests"))
			return r;
		kctl_warn(k, "error when evicting pods/\"%s\" -n \"%s\" (will retry after 5s): %s", name, ns, strchr(k->long_error, ':') ? strchr(k->long_error, ':') + 2 : k->long_error);
		k->long_error = NULL;
		if (end && clock_monotonic_ns() + 5 * NS_PER_S > end)
			return err_set(e, ETIMEDOUT, "error when waiting for pod \"%s\" in namespace \"%s\" to terminate: global timeout reached", name, ns);
		sleep_wait(5 * NS_PER_S);
	}
}

static int await_gone(struct drain *d, const struct tree *pod, int64_t end, struct err *e)
{
	struct kctl *k = d->k;
	struct tree now;
	const char *name = kctl_text_at(k, pod, "metadata.name"), *ns = kctl_text_at(k, pod, "metadata.namespace"), *uid = kctl_text_at(k, pod, "metadata.uid");
	for (;;) {
		int r = kctl_get_wait(k, kctl_path(k, &d->pods, ns, name, NULL, NULL), &now, e);
		k->long_error = r == -ENOENT ? NULL : k->long_error;
		if (r == -ENOENT || (r == 0 && strcmp(kctl_text_at(k, &now, "metadata.uid"), uid)))
			return 0;
		if (r < 0)
			return r;
		if (end && clock_monotonic_ns() > end)
			return err_set(e, ETIMEDOUT, "error when waiting for pod \"%s\" in namespace \"%s\" to terminate: global timeout reached", name, ns);
		sleep_wait(NS_PER_S / 2);
	}
}

static int drain_one(struct kctl *k, const struct kctl_target *t, struct err *e)
{
	struct drain d = { .k = k };
	int64_t timeout = flag_num(&k->f, "timeout"), end = timeout > 0 ? clock_monotonic_ns() + timeout : 0;
	int r = kctl_kind_wait(k, "pods", &d.pods, e);
	if (r == 0)
		r = cordon_one(k, t, true, e);
	kctl_flush(k);
	if (r == 0)
		r = choose(&d, t->name, e);
	const char *dry = "none";
	kctl_dry_run(k, &dry, NULL);
	for (size_t i = 0; r == 0 && i < d.n; i++) {
		kctl_print(k, "evicting pod %s/%s%s\n", kctl_text_at(k, d.v[i], "metadata.namespace"), kctl_text_at(k, d.v[i], "metadata.name"), strcmp(dry, "none") ? " (dry run)" : "");
		kctl_flush(k);
		if (!strcmp(dry, "none"))
			r = evict_one(&d, d.v[i], end, e);
	}
	for (size_t i = 0; r == 0 && !strcmp(dry, "none") && i < d.n; i++) {
		r = await_gone(&d, d.v[i], end, e);
		if (r == 0)
			kctl_print(k, "pod/%s evicted\n", kctl_text_at(k, d.v[i], "metadata.name"));
	}
	if (r == 0)
		kctl_print(k, "node/%s drained\n", t->name);
	return r;
}

int kcmd_drain(struct kctl *k, struct err *e)
{
	struct kctl_targets all;
	int r = nodes_of(k, &all, e), failed = 0;
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		struct err why = { 0 };
		if (drain_one(k, &all.v[i], &why) < 0)
			failed = kctl_failed(k, &why);
	}
	return r < 0 ? r : failed;
}

/* --- taint -------------------------------------------------------------------------------------------- */
struct taint { const char *key, *value, *effect; bool remove; };

/* "key=value:Effect", "key:Effect", "key:Effect-", "key-" */
static int parse_taint(struct kctl *k, const char *text, struct taint *ret, struct err *e)
{
	struct slice left, effect, key, value;
	size_t n = strlen(text);
	*ret = (struct taint){ .remove = n && text[n - 1] == '-', .value = "", .effect = "" };
	bool has_effect = slice_cut(slice_n(text, n - ret->remove), ':', &left, &effect);
	if (slice_cut(left, '=', &key, &value))
		ret->value = kctl_fmt(k, "%.*s", SLICE_FMT(value));
	ret->key = kctl_fmt(k, "%.*s", SLICE_FMT(key));
	if (has_effect)
		ret->effect = kctl_fmt(k, "%.*s", SLICE_FMT(effect));
	if (!key.len || (!ret->remove && !has_effect))
		return err_set(e, EINVAL, "invalid taint spec: %s", text);
	if (*ret->effect && strcmp(ret->effect, "NoSchedule") && strcmp(ret->effect, "PreferNoSchedule") && strcmp(ret->effect, "NoExecute"))
		return err_set(e, EINVAL, "invalid taint effect: %s, unsupported taint effect", ret->effect);
	return 0;
}

static int taint_one(struct kctl *k, const struct kctl_target *t, const struct taint *v, size_t n, struct err *e)
{
	struct tree node, patch = tree_map(), got, kept = tree_list();
	unsigned added = 0, removed = 0, changed = 0;
	int r = kctl_get_wait(k, kctl_path(k, &t->kind, NULL, t->name, NULL, NULL), &node, e);
	if (r < 0)
		return r;
	const struct tree *now = tree_path(&node, "spec.taints");
	for (size_t i = 0; i < n; i++) {
		bool found = false;
		for (uint32_t j = 0; now && j < now->n; j++)
			found |= !strcmp(kctl_text_at(k, tree_at(now, j), "key"), v[i].key) && (!*v[i].effect || !strcmp(kctl_text_at(k, tree_at(now, j), "effect"), v[i].effect));
		if (v[i].remove && !found)
			return err_set(e, ENOENT, "taint \"%s%s%s\" not found", v[i].key, *v[i].effect ? ":" : "", v[i].effect);
		if (!v[i].remove && found && !flag_bool(&k->f, "overwrite"))
			return err_set(e, EEXIST, "node %s already has %s taint(s) with same effect(s) and --overwrite is false", t->name, v[i].key);
	}
	for (uint32_t j = 0; now && j < now->n; j++) {
		const struct tree *x = tree_at(now, j);
		bool drop = false;
		for (size_t i = 0; i < n; i++) {
			bool same = !strcmp(kctl_text_at(k, x, "key"), v[i].key) && (!*v[i].effect || !strcmp(kctl_text_at(k, x, "effect"), v[i].effect));
			drop |= same;
			removed += same && v[i].remove;
			changed += same && !v[i].remove;
		}
		if (!drop)
			tree_append(&k->arena, &kept, *x);
	}
	for (size_t i = 0; i < n; i++) {
		if (v[i].remove)
			continue;
		struct tree x = tree_map();
		kctl_set_text(k, &x, "effect", v[i].effect);
		kctl_set_text(k, &x, "key", v[i].key);
		if (*v[i].value)
			kctl_set_text(k, &x, "value", v[i].value);
		tree_append(&k->arena, &kept, x);
		added++;
	}
	kctl_set(k, kctl_map(k, &patch, "spec"), "taints", kept);
	const char *dry = "none";
	kctl_dry_run(k, &dry, NULL);
	got = node;
	if (strcmp(dry, "client"))
		r = kctl_send_wait(k, "PATCH", kctl_path(k, &t->kind, NULL, t->name, NULL, kctl_write_query(k, "kubectl-taint")), "application/merge-patch+json", &patch, &got, e);
	const char *did = added && !removed ? (changed ? "modified" : "tainted") : removed && !added ? "untainted" : "modified";
	return r < 0 ? r : kctl_print_done(k, t, &got, did, e);
}

int kcmd_taint(struct kctl *k, struct err *e)
{
	struct taint v[64];
	size_t n = 0;
	struct kctl_targets all = { 0 };
	int first = k->f.argc, r = kctl_client(k, e), failed = 0;
	for (int i = 1; r == 0 && i < k->f.argc; i++) {
		const char *a = k->f.argv[i];
		bool is = strchr(a, '=') || strchr(a, ':') || a[strlen(a) - 1] == '-';
		if (!is && first < k->f.argc)
			return err_set(e, EINVAL, "all resources must be specified before taint changes: %s", a);
		if (!is)
			continue;
		if (first == k->f.argc)
			first = i;
		if (n == ARRAY_LEN(v))
			return err_set(e, E2BIG, "too many taints at once");
		r = parse_taint(k, a, &v[n++], e);
	}
	if (r == 0 && !n)
		return kctl_usage(k, e, "at least one taint update is required");
	if (r == 0) {
		k->f.argc = first;
		r = kctl_targets_wait(k, 0, KARGS_NAMES, &all, e);
	}
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		struct err why = { 0 };
		if (taint_one(k, &all.v[i], v, n, &why) < 0)
			failed = kctl_failed(k, &why);
	}
	return r < 0 ? r : failed;
}
