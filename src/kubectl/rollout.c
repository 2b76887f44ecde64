/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl rollout: status, history, undo, restart, pause, resume; of deployments, daemon sets and stateful sets. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "kubectl/commands.h"

static bool is_kind(const struct kctl_kind *kind, const char *plural) { return !strcmp(kind->group, "apps") && !strcmp(kind->plural, plural); }

static int64_t number_at(const struct tree *t, const char *path, int64_t otherwise)
{
	int64_t v;
	return tree_i64(tree_path(t, path), &v) == 0 ? v : otherwise;
}

/* --- status ------------------------------------------------------------------------------------- */
/* The line to print, and whether it is over. < 0: it has failed. */
static int deployment_status(struct kctl *k, const struct tree *o, const char **line, bool *done, struct err *e)
{
	const char *name = kctl_text_at(k, o, "metadata.name");
	const struct tree *conditions = tree_path(o, "status.conditions");
	int64_t want = number_at(o, "spec.replicas", 1), updated = number_at(o, "status.updatedReplicas", 0), all = number_at(o, "status.replicas", 0),
		available = number_at(o, "status.availableReplicas", 0);
	*done = false;
	if (number_at(o, "metadata.generation", 0) > number_at(o, "status.observedGeneration", 0)) {
		*line = "Waiting for deployment spec update to be observed...\n";
		return 0;
	}
	for (uint32_t i = 0; conditions && i < conditions->n; i++) {
		const struct tree *c = tree_at(conditions, i);
		if (!strcmp(kctl_text_at(k, c, "type"), "Progressing") && !strcmp(kctl_text_at(k, c, "reason"), "ProgressDeadlineExceeded"))
			return err_set(e, ETIMEDOUT, "deployment \"%s\" exceeded its progress deadline", name);
	}
	if (updated < want)
		*line = kctl_fmt(k, "Waiting for deployment \"%s\" rollout to finish: %lld out of %lld new replicas have been updated...\n", name, (long long)updated, (long long)want);
	else if (all > updated)
		*line = kctl_fmt(k, "Waiting for deployment \"%s\" rollout to finish: %lld old replicas are pending termination...\n", name, (long long)(all - updated));
	else if (available < updated)
		*line = kctl_fmt(k, "Waiting for deployment \"%s\" rollout to finish: %lld of %lld updated replicas are available...\n", name, (long long)available, (long long)updated);
	else {
		*line = kctl_fmt(k, "deployment \"%s\" successfully rolled out\n", name);
		*done = true;
	}
	return 0;
}

static int daemonset_status(struct kctl *k, const struct tree *o, const char **line, bool *done, struct err *e)
{
	const char *name = kctl_text_at(k, o, "metadata.name");
	int64_t want = number_at(o, "status.desiredNumberScheduled", 0), updated = number_at(o, "status.updatedNumberScheduled", 0),
		available = number_at(o, "status.numberAvailable", 0);
	*done = false;
	if (strcmp(kctl_text_at(k, o, "spec.updateStrategy.type"), "RollingUpdate"))
		return err_set(e, EINVAL, "rollout status is only available for RollingUpdate strategy type");
	if (number_at(o, "metadata.generation", 0) > number_at(o, "status.observedGeneration", 0))
		*line = "Waiting for daemon set spec update to be observed...\n";
	else if (updated < want)
		*line = kctl_fmt(k, "Waiting for daemon set \"%s\" rollout to finish: %lld out of %lld new pods have been updated...\n", name, (long long)updated, (long long)want);
	else if (available < want)
		*line = kctl_fmt(k, "Waiting for daemon set \"%s\" rollout to finish: %lld of %lld updated pods are available...\n", name, (long long)available, (long long)want);
	else {
		*line = kctl_fmt(k, "daemon set \"%s\" successfully rolled out\n", name);
		*done = true;
	}
	return 0;
}

static int statefulset_status(struct kctl *k, const struct tree *o, const char **line, bool *done, struct err *e)
{
	int64_t want = number_at(o, "spec.replicas", 1), ready = number_at(o, "status.readyReplicas", 0), updated = number_at(o, "status.updatedReplicas", 0),
		partition = number_at(o, "spec.updateStrategy.rollingUpdate.partition", 0);
	const char *now = kctl_text_at(k, o, "status.currentRevision"), *next = kctl_text_at(k, o, "status.updateRevision");
	*done = false;
	if (strcmp(kctl_text_at(k, o, "spec.updateStrategy.type"), "RollingUpdate"))
		return err_set(e, EINVAL, "rollout status is only available for RollingUpdate strategy type");
	if (number_at(o, "status.observedGeneration", 0) == 0 || number_at(o, "metadata.generation", 0) > number_at(o, "status.observedGeneration", 0))
		*line = "Waiting for statefulset spec update to be observed...\n";
	else if (ready < want)
		*line = kctl_fmt(k, "Waiting for %lld pods to be ready...\n", (long long)(want - ready));
	else if (partition > 0) {
		*done = updated >= want - partition;
		*line = *done ? kctl_fmt(k, "partitioned roll out complete: %lld new pods have been updated...\n", (long long)updated) :
			kctl_fmt(k, "Waiting for partitioned roll out to finish: %lld out of %lld new pods have been updated...\n", (long long)updated, (long long)(want - partition));
	} else if (strcmp(now, next))
		*line = kctl_fmt(k, "waiting for statefulset rolling update to complete %lld pods at revision %s...\n", (long long)updated, next);
	else {
		*done = true;
		*line = kctl_fmt(k, "statefulset rolling update complete %lld pods at revision %s...\n", number_at(o, "status.currentReplicas", 0) ? (long long)number_at(o, "status.currentReplicas", 0) : (long long)updated, now);
	}
	return 0;
}

struct follow { struct kctl *k; const struct kctl_target *t; const char *said; int64_t revision; bool done; int result; struct err e; };

/* 1: over; < 0: failed; 0: go on. */
static int look(struct follow *f, const struct tree *o)
{
	struct kctl *k = f->k;
	const char *line = "";
	int r = is_kind(&f->t->kind, "deployments") ? deployment_status(k, o, &line, &f->done, &f->e) :
		is_kind(&f->t->kind, "daemonsets") ? daemonset_status(k, o, &line, &f->done, &f->e) : statefulset_status(k, o, &line, &f->done, &f->e);
	if (f->revision > 0 && r == 0 && is_kind(&f->t->kind, "deployments") &&
		strcmp(kctl_text(k, tree_get(tree_path(o, "metadata.annotations"), SLICE("deployment.kubernetes.io/revision"))), kctl_fmt(k, "%lld", (long long)f->revision)))
		r = err_set(&f->e, EINVAL, "desired revision (%lld) is different from the running revision (%s)", (long long)f->revision,
			kctl_text(k, tree_get(tree_path(o, "metadata.annotations"), SLICE("deployment.kubernetes.io/revision"))));
	if (r < 0)
		return f->result = r;
	if (!f->said || strcmp(f->said, line)) {
		kctl_print(k, "%s", line);
		kctl_flush(k);
		f->said = line;
	}
	return f->done;
}

static int on_status(void *arg, const char *type, const struct tree *object, struct arena *a)
{
	struct follow *f = arg;
	if (!strcmp(type, "BOOKMARK"))
		return 0;
	if (!strcmp(type, "DELETED"))
		return f->result = err_set(&f->e, ENOENT, "object has been deleted");
	int r = look(f, object);
	return r < 0 ? r : r;
}

static int check_kind(struct kctl *k, const struct kctl_kind *kind, struct err *e)
{
	if (is_kind(kind, "deployments") || is_kind(kind, "daemonsets") || is_kind(kind, "statefulsets"))
		return 0;
	return err_set(e, EINVAL, "no status viewer has been implemented for %s.%s", kind->kind, kind->group);
}

int kcmd_rollout_status(struct kctl *k, struct err *e)
{
	struct kctl_targets all = { 0 };
	int64_t timeout = flag_num(&k->f, "timeout"), end = timeout > 0 ? clock_monotonic_ns() + timeout : 0;
	int r = kctl_targets_wait(k, 0, KARGS_NAMES | KARGS_FILES, &all, e);
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		struct kctl_target *t = &all.v[i];
		struct follow f = { .k = k, .t = t, .revision = flag_num(&k->f, "revision") };
		struct tree list;
		const char *q = kctl_query(k, NULL, "fieldSelector", kctl_fmt(k, "metadata.name=%s", t->name)), *version = NULL;
		r = check_kind(k, &t->kind, e);
		while (r == 0 && !f.done && !f.result) {
			if (!version) {
				r = kctl_get_wait(k, kctl_path(k, &t->kind, t->ns, NULL, NULL, q), &list, e);
				const struct tree *o = r == 0 ? tree_at(tree_gets(&list, "items"), 0) : NULL;
				if (r == 0 && !o) {
					k->long_error = kctl_fmt(k, "Error from server (NotFound): %s.%s \"%s\" not found", t->kind.plural, t->kind.group, t->name);
					return err_set(e, ENOENT, "%s", k->long_error);
				}
				if (r < 0 || look(&f, o) != 0 || !flag_bool(&k->f, "watch"))
					break;
				version = kctl_text_at(k, &list, "metadata.resourceVersion");
			}
			int64_t left = end ? end - clock_monotonic_ns() : 0;
			if (end && left <= 0) {
				r = err_set(e, ETIMEDOUT, "timed out waiting for the condition");
				break;
			}
			int w = kctl_watch_wait(k, kctl_path(k, &t->kind, t->ns, NULL, NULL, kctl_query(k, q, "resourceVersion", version)), NULL, left, on_status, &f, e);
			version = NULL; /* the stream ended: look again */
			if (w < 0 && w != -ESTALE && !f.result)
				r = w;
		}
		if (f.result < 0) {
			*e = f.e;
			r = f.result;
		}
	}
	return r;
}

/* --- restart, pause, resume ------------------------------------------------------------------------ */
enum action { RESTART, PAUSE, RESUME };

static int act(struct kctl *k, enum action what, struct err *e)
{
	static const char *const did[] = { "restarted", "paused", "resumed" }, *const verb[] = { "restarting", "pausing", "resuming" };
	struct kctl_targets all = { 0 };
	char now[CLOCK_TEXT_MAX];
	int failed = 0, r = kctl_targets_wait(k, 0, KARGS_NAMES | KARGS_FILES, &all, e);
	clock_rfc3339(now, clock_realtime_ns());
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		struct kctl_target *t = &all.v[i];
		struct tree o, got, patch = tree_map();
		struct err why = { 0 };
		int one = check_kind(k, &t->kind, &why);
		if (one == 0 && what != RESTART && !is_kind(&t->kind, "deployments"))
			one = err_set(&why, EINVAL, "%ss.%s \"%s\" %s is not supported", t->kind.singular, t->kind.group, t->name, verb[what]);
		if (one == 0)
			one = kctl_get_wait(k, kctl_path(k, &t->kind, t->ns, t->name, NULL, NULL), &o, &why);
		bool paused = one == 0 && tree_is_true(tree_path(&o, "spec.paused"));
		if (one == 0 && what == RESTART && paused)
			one = err_set(&why, EINVAL, "%ss.%s \"%s\" can't restart paused deployment (run rollout resume first)", t->kind.singular, t->kind.group, t->name);
		if (one == 0 && ((what == PAUSE && paused) || (what == RESUME && !paused)))
			one = err_set(&why, EINVAL, "%ss.%s \"%s\" %s", t->kind.singular, t->kind.group, t->name, paused ? "is already paused" : "is not paused");
		struct tree *spec = kctl_map(k, &patch, "spec");
		if (what == RESTART)
			kctl_set_text(k, kctl_map(k, kctl_map(k, kctl_map(k, spec, "template"), "metadata"), "annotations"), "kubectl.kubernetes.io/restartedAt", now);
		else
			kctl_set(k, spec, "paused", what == PAUSE ? tree_bool(true) : tree_null());
		if (one == 0)
			one = kctl_send_wait(k, "PATCH", kctl_path(k, &t->kind, t->ns, t->name, NULL, kctl_query(k, NULL, "fieldManager", "kubectl-rollout")),
				"application/strategic-merge-patch+json", &patch, &got, &why);
		if (one == 0)
			one = kctl_print_done(k, t, &got, did[what], &why);
		if (one < 0) {
			kctl_failed(k, &why);
			failed = 1;
		}
	}
	return r < 0 ? r : failed;
}

int kcmd_rollout_restart(struct kctl *k, struct err *e) { return act(k, RESTART, e); }
int kcmd_rollout_pause(struct kctl *k, struct err *e) { return act(k, PAUSE, e); }
int kcmd_rollout_resume(struct kctl *k, struct err *e) { return act(k, RESUME, e); }

/* --- history and undo ---------------------------------------------------------------------------------- */
struct revision { int64_t number; const char *cause; struct tree template, data; const char *name; };
struct revisions { struct revision *v; size_t n; };

static int by_number(const void *a, const void *b)
{
	const struct revision *x = a, *y = b;
	return x->number < y->number ? -1 : x->number > y->number;
}

/* Replica sets of a deployment, controller revisions of the others. */
static int read_revisions(struct kctl *k, const struct kctl_target *t, const struct tree *o, struct revisions *ret, struct err *e)
{
	bool deployment = is_kind(&t->kind, "deployments");
	struct kctl_kind kind;
	struct tree list;
	const char *uid = kctl_text_at(k, o, "metadata.uid");
	int r = kctl_kind_wait(k, deployment ? "replicasets.apps" : "controllerrevisions.apps", &kind, e);
	if (r == 0)
		r = kctl_get_wait(k, kctl_path(k, &kind, t->ns, NULL, NULL, kctl_query(k, NULL, "labelSelector", kctl_selector_text(k, o))), &list, e);
	const struct tree *items = r == 0 ? tree_gets(&list, "items") : NULL;
	*ret = (struct revisions){ arena_array(&k->arena, items ? items->n + 1 : 1, sizeof *ret->v), 0 };
	if (!ret->v)
		return err_nomem(e);
	for (uint32_t i = 0; items && i < items->n; i++) {
		const struct tree *x = tree_at(items, i), *owners = tree_path(x, "metadata.ownerReferences");
		bool ours = false;
		for (uint32_t j = 0; owners && j < owners->n; j++)
			ours |= !strcmp(kctl_text_at(k, tree_at(owners, j), "uid"), uid);
		struct revision v = { .name = kctl_text_at(k, x, "metadata.name"), .cause = kctl_text(k, tree_get(tree_path(x, "metadata.annotations"), SLICE("kubernetes.io/change-cause"))) };
		const char *number = deployment ? kctl_text(k, tree_get(tree_path(x, "metadata.annotations"), SLICE("deployment.kubernetes.io/revision"))) : kctl_text_at(k, x, "revision");
		if (!ours || num_parse_i64(slice_of(number), 0, INT64_MAX, &v.number) < 0)
			continue;
		const struct tree *template = tree_path(x, deployment ? "spec.template" : "data.spec.template"), *data = tree_gets(x, "data");
		if (template)
			v.template = *template;
		if (data)
			v.data = *data;
		ret->v[ret->n++] = v;
	}
	if (ret->n)
		qsort(ret->v, ret->n, sizeof *ret->v, by_number);
	return r;
}

int kcmd_rollout_history(struct kctl *k, struct err *e)
{
	struct kctl_targets all = { 0 };
	int64_t wanted = flag_num(&k->f, "revision");
	int r = kctl_targets_wait(k, 0, KARGS_NAMES | KARGS_FILES, &all, e);
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		struct kctl_target *t = &all.v[i];
		struct revisions v;
		struct tree o;
		r = check_kind(k, &t->kind, e);
		if (r == 0)
			r = kctl_get_wait(k, kctl_path(k, &t->kind, t->ns, t->name, NULL, NULL), &o, e);
		if (r == 0)
			r = read_revisions(k, t, &o, &v, e);
		if (r < 0)
			break;
		const struct revision *one = NULL;
		for (size_t j = 0; j < v.n; j++)
			if (v.v[j].number == wanted)
				one = &v.v[j];
		if (wanted > 0 && !one)
			return err_set(e, ENOENT, "unable to find the specified revision");
		if (wanted > 0) {
			kctl_print(k, "%s.%s/%s with revision #%lld\n", t->kind.singular, t->kind.group, t->name, (long long)wanted);
			kctl_print(k, "Pod Template:\n");
			kctl_describe_template(k, &one->template, 2);
			continue;
		}
		struct buf lines AUTO(buf) = BUF_INIT(1 << 20);
		kctl_print(k, "%s.%s/%s \n", t->kind.singular, t->kind.group, t->name);
		buf_adds(&lines, "REVISION\tCHANGE-CAUSE\n");
		for (size_t j = 0; j < v.n; j++)
			buf_addf(&lines, "%lld\t%s\n", (long long)v.v[j].number, *v.v[j].cause ? v.v[j].cause : "<none>");
		kctl_columns_narrow(k, buf_slice(&lines));
		kctl_print(k, "\n");
	}
	return r;
}

static int undo(struct kctl *k, const struct kctl_target *t, int64_t to, struct err *e)
{
	struct revisions v;
	struct tree o, patch, got;
	const struct revision *back = NULL;
	const char *media, *dry;
	int r = kctl_get_wait(k, kctl_path(k, &t->kind, t->ns, t->name, NULL, NULL), &o, e);
	if (r == 0)
		r = kctl_dry_run(k, &dry, e);
	if (r == 0)
		r = read_revisions(k, t, &o, &v, e);
	if (r < 0)
		return r;
	if (tree_is_true(tree_path(&o, "spec.paused")))
		return err_set(e, EINVAL, "you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again");
	for (size_t i = 0; i < v.n; i++)
		if (to > 0 ? v.v[i].number == to : i + 2 == v.n)
			back = &v.v[i];
	if (!back)
		return to > 0 ? err_set(e, ENOENT, "unable to find specified revision %lld in history", (long long)to) :
			err_set(e, ENOENT, "no rollout history found for %s \"%s\"", t->kind.singular, t->name);
	patch = tree_map();
	if (is_kind(&t->kind, "deployments")) {
		struct tree template;
		if (tree_copy(&back->template, &k->arena, &template) < 0)
			return err_nomem(e);
		struct tree *labels = tree_get_mut(tree_get_mut(&template, SLICE("metadata")), SLICE("labels"));
		if (labels && labels->type == TREE_MAP)
			tree_remove(labels, SLICE("pod-template-hash"));
		bool same = tree_equal(&template, tree_path(&o, "spec.template"));
		if (same) {
			kctl_print(k, "%s.%s/%s skipped rollback (current template already matches revision %lld)\n", t->kind.singular, t->kind.group, t->name, (long long)back->number);
			return 0;
		}
		/* the template is replaced whole: a JSON patch says so */
		patch = tree_list();
		struct tree *op = tree_append(&k->arena, &patch, tree_map());
		if (!op)
			return err_nomem(e);
		kctl_set_text(k, op, "op", "replace");
		kctl_set_text(k, op, "path", "/spec/template");
		kctl_set(k, op, "value", template);
		media = "application/json-patch+json";
	} else {
		patch = back->data;
		media = "application/strategic-merge-patch+json";
	}
	got = o;
	const char *q = kctl_query(k, NULL, "fieldManager", "kubectl-rollout");
	if (!strcmp(dry, "server"))
		q = kctl_query(k, q, "dryRun", "All");
	if (strcmp(dry, "client"))
		r = kctl_send_wait(k, "PATCH", kctl_path(k, &t->kind, t->ns, t->name, NULL, q), media, &patch, &got, e);
	return r < 0 ? r : kctl_print_done(k, t, &got, "rolled back", e);
}

int kcmd_rollout_undo(struct kctl *k, struct err *e)
{
	struct kctl_targets all = { 0 };
	int64_t to = flag_num(&k->f, "to-revision");
	int r = kctl_targets_wait(k, 0, KARGS_NAMES | KARGS_FILES, &all, e);
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		r = check_kind(k, &all.v[i].kind, e);
		if (r == 0)
			r = undo(k, &all.v[i], to, e);
	}
	return r;
}
