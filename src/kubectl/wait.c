/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl wait: until a condition holds, a JSONPath has a value, an object is there, or it is gone. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "io/fiber.h"
#include "kubectl/commands.h"
#include "schema/jsonpath.h"

enum what { WAIT_CONDITION, WAIT_JSONPATH, WAIT_DELETE, WAIT_CREATE };
struct wanted {
	struct kctl *k;
	enum what what;
	const char *condition, *value;       /* value NULL: any (jsonpath), "true" (condition) */
	struct jsonpath *path;
	const char *uid;
	bool holds, was_there;
	struct err e;
};

static int parse_for(struct kctl *k, struct wanted *w, struct err *e)
{
	const char *text = flag_str(&k->f, "for");
	struct slice key, rest, value;
	w->k = k;
	if (!strcmp(text, "delete") || !strcmp(text, "create")) {
		w->what = *text == 'd' ? WAIT_DELETE : WAIT_CREATE;
		return 0;
	}
	if (!slice_cut(slice_of(text), '=', &key, &rest))
		return err_set(e, EINVAL, "unrecognized condition: \"%s\"", text);
	if (slice_is(key, "condition")) {
		w->what = WAIT_CONDITION;
		slice_cut(rest, '=', &key, &value);
		w->condition = kctl_fmt(k, "%.*s", SLICE_FMT(key));
		w->value = value.ptr && value.len ? value.ptr : "true";
		return 0;
	}
	if (!slice_is(key, "jsonpath"))
		return err_set(e, EINVAL, "unrecognized condition: \"%s\"", text);
	w->what = WAIT_JSONPATH;
	/* the equals sign behind the closing brace divides path and value */
	ptrdiff_t brace = slice_rfind(rest, '}');
	const char *path = rest.ptr;
	size_t n = rest.len;
	if (brace >= 0 && (size_t)brace + 1 < rest.len && rest.ptr[brace + 1] == '=') {
		n = (size_t)brace + 1;
		w->value = rest.ptr + n + 1;
	} else if (brace < 0) {
		ptrdiff_t eq = slice_rfind(rest, '=');
		if (eq > 0) {
			n = (size_t)eq;
			w->value = rest.ptr + n + 1;
		}
	}
	if (n && (*path == '\'' || *path == '"')) {
		path++;
		n -= 2;
	}
	return jsonpath_parse(slice_of(kctl_fmt(k, "%.*s", (int)n, path)), JSONPATH_RELAXED, &k->arena, &w->path, e);
}

static int check(struct wanted *w, const struct tree *o, struct arena *a, struct err *e)
{
	struct kctl *k = w->k;
	if (w->what == WAIT_CREATE)
		return (w->holds = true);
	if (w->what == WAIT_CONDITION) {
		const struct tree *list = tree_path(o, "status.conditions");
		int64_t generation = 0, seen;
		tree_i64(tree_path(o, "metadata.generation"), &generation);
		for (uint32_t i = 0; list && i < list->n; i++) {
			const struct tree *c = tree_at(list, i);
			struct slice type = tree_text(tree_gets(c, "type")), status = tree_text(tree_gets(c, "status"));
			if (!slice_eq_nocase(type, slice_of(w->condition)))
				continue;
			if (tree_i64(tree_gets(c, "observedGeneration"), &seen) == 0 && seen < generation)
				return 0;
			return w->holds = slice_eq_nocase(status, slice_of(w->value));
		}
		return 0;
	}
	struct jsonpath_results found;
	struct buf text AUTO(buf) = BUF_INIT(1 << 20);
	int r = jsonpath_find(w->path, o, JSONPATH_ALLOW_MISSING, a, &found, e);
	if (r < 0)
		return r;
	if (!found.n)
		return 0;
	if (!w->value)
		return (w->holds = true);
	if (found.n > 1)
		return err_set(e, EINVAL, "given jsonpath expression matches more than one value");
	if (found.v[0]->type == TREE_LIST || found.v[0]->type == TREE_MAP)
		return err_set(e, EINVAL, "jsonpath leads to a nested object or list which is not supported");
	if (found.v[0]->type == TREE_BOOL)
		buf_adds(&text, found.v[0]->is_true ? "true" : "false");
	else
		buf_addslice(&text, tree_text(found.v[0]));
	(void)k;
	return w->holds = slice_eq(slice_trim(buf_slice(&text)), slice_trim(slice_of(w->value)));
}

static int on_event(void *arg, const char *type, const struct tree *object, struct arena *a)
{
	struct wanted *w = arg;
	if (!strcmp(type, "BOOKMARK"))
		return 0;
	if (w->what == WAIT_DELETE)
		return w->holds = !strcmp(type, "DELETED") && slice_is(tree_text(tree_path(object, "metadata.uid")), w->uid);
	if (!strcmp(type, "DELETED"))
		return 0;
	return check(w, object, a, &w->e);
}

static int wait_one(struct kctl *k, struct wanted *w, const struct kctl_target *t, int64_t end, struct err *e)
{
	struct arena a AUTO(arena);
	const char *q = kctl_query(k, NULL, "fieldSelector", kctl_fmt(k, "metadata.name=%s", t->name));
	arena_init(&a, 64 << 20);
	w->holds = false;
	w->uid = NULL;
	w->was_there = false;
	for (;;) {
		struct tree list;
		int r = kctl_get_wait(k, kctl_path(k, &t->kind, t->ns, NULL, NULL, q), &list, e);
		if (r < 0)
			return r;
		const struct tree *o = tree_at(tree_gets(&list, "items"), 0);
		if (w->what == WAIT_DELETE) {
			const char *uid = kctl_text_at(k, o, "metadata.uid");
			if (!o || (w->uid && strcmp(uid, w->uid)))
				return 0;
			w->uid = uid;
			w->was_there = true;
		} else if (!o && w->what != WAIT_CREATE) {
			k->long_error = kctl_fmt(k, "Error from server (NotFound): %s%s%s \"%s\" not found", t->kind.plural, *t->kind.group ? "." : "", t->kind.group, t->name);
			return err_set(e, ENOENT, "%s", k->long_error);
		} else if (o && (r = check(w, o, &a, e)) != 0) {
			return r < 0 ? r : 0;
		}
		int64_t left = end - clock_monotonic_ns();
		r = left <= 0 ? -ETIMEDOUT : kctl_watch_wait(k, kctl_path(k, &t->kind, t->ns, NULL, NULL, kctl_query(k, q, "resourceVersion", kctl_text_at(k, &list, "metadata.resourceVersion"))),
			NULL, left, on_event, w, e);
		if (w->holds)
			return 0;
		if (r == -ETIMEDOUT && flag_num(&k->f, "timeout") == 0)
			return err_set(e, ETIMEDOUT, "condition not met for %s/%s", t->kind.plural, t->name);
		if (r == -ETIMEDOUT)
			return err_set(e, ETIMEDOUT, "timed out waiting for the condition on %s/%s", t->kind.plural, t->name);
		if (r < 0 && r != -ESTALE) {
			if (w->e.code)
				*e = w->e;
			return r;
		}
		k->long_error = NULL;
	}
}

int kcmd_wait(struct kctl *k, struct err *e)
{
	struct wanted w = { 0 };
	struct kctl_targets all = { 0 };
	int64_t timeout = flag_num(&k->f, "timeout"), end;
	int failed = 0, r = *flag_str(&k->f, "for") ? parse_for(k, &w, e) : err_set(e, EINVAL, "unrecognized condition: \"\"");
	/* 0: look once; negative: a week */
	end = clock_monotonic_ns() + (timeout < 0 ? 7 * 24 * 3600 * NS_PER_S : timeout);
	while (r == 0) {
		r = kctl_targets_wait(k, 0, KARGS_NAMES | KARGS_FILES, &all, e);
		if (r == 0 && !all.n && w.what == WAIT_CREATE && clock_monotonic_ns() < end) {
			sleep_wait(200 * NS_PER_MS); /* nothing has a name yet that could be watched */
			continue;
		}
		break;
	}
	if (r == 0 && !all.n) {
		if (w.what == WAIT_DELETE)
			return 0;
		return err_set(e, ENOENT, "no matching resources found");
	}
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		struct err why = { 0 };
		int one = wait_one(k, &w, &all.v[i], end, &why);
		if (one < 0) {
			kctl_failed(k, &why);
			failed = 1;
			continue;
		}
		if (w.what == WAIT_DELETE && !w.was_there)
			continue;
		const char *kind = kctl_kind_text(k, &all.v[i].kind);
		kctl_print(k, "%s/%s %s\n", kind, all.v[i].name, w.what == WAIT_DELETE ? "deleted" : "condition met");
		kctl_flush(k);
	}
	return r < 0 ? r : failed;
}
