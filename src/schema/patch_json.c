/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON patch. Operations edit a clone of the document in place; wordings and
 * leniency are those of the library in Kubernetes' API server.
 */
#include "base/num.h"
#include "schema/patch.h"
#include "schema/patch_int.h"
#include "schema/schema_int.h"

struct patcher {
	struct arena *a;
	struct tree doc;
	size_t copied_bytes;
	struct err *e;
};

static int no_room(struct err *e)
{
	return err_set(e, E2BIG, "the patched document is too large");
}

int tree_clone(const struct tree *v, struct arena *a, struct tree *ret)
{
	struct tree t = *v;
	if (t.type == TREE_LIST) {
		t.room = 0;
		t.items = arena_array(a, t.n, sizeof *t.items);
		if (!t.items)
			return -E2BIG;
		for (uint32_t i = 0; i < t.n; i++)
			if (tree_clone(&v->items[i], a, &t.items[i]) < 0)
				return -E2BIG;
	} else if (t.type == TREE_MAP) {
		t.room = 0;
		t.members = arena_array(a, t.n, sizeof *t.members);
		if (!t.members)
			return -E2BIG;
		for (uint32_t i = 0; i < t.n; i++) {
			t.members[i] = v->members[i];
			if (tree_clone(&v->members[i].value, a, &t.members[i].value) < 0)
				return -E2BIG;
		}
	}
	*ret = t;
	return 0;
}

unsigned tree_depth(const struct tree *v)
{
	unsigned deepest = 0;
	if (v->type != TREE_LIST && v->type != TREE_MAP)
		return 0;
	for (uint32_t i = 0; i < v->n; i++) {
		unsigned d = tree_depth(v->type == TREE_LIST ? &v->items[i] : &v->members[i].value);
		deepest = MAX(deepest, d);
	}
	return deepest + 1;
}

static size_t size_of(const struct tree *v)
{
	size_t n = sizeof *v + (v->type == TREE_STRING || v->type == TREE_NUMBER ? v->n : 0);
	if (v->type == TREE_LIST)
		for (uint32_t i = 0; i < v->n; i++)
			n += size_of(&v->items[i]);
	if (v->type == TREE_MAP)
		for (uint32_t i = 0; i < v->n; i++)
			n += v->members[i].key_len + size_of(&v->members[i].value);
	return n;
}

/* "a~1b" is "a/b", "~0" is "~". */
static int unescape(struct patcher *p, struct slice s, struct slice *ret)
{
	if (slice_find(s, '~') < 0) {
		*ret = s;
		return 0;
	}
	char *out = arena_chars(p->a, s.len + 1);
	if (!out)
		return no_room(p->e);
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++) {
		bool is_escape = s.ptr[i] == '~' && i + 1 < s.len && (s.ptr[i + 1] == '0' || s.ptr[i + 1] == '1');
		out[n++] = !is_escape ? s.ptr[i] : s.ptr[i + 1] == '0' ? '~' : '/';
		i += is_escape;
	}
	*ret = slice_n(out, n);
	return 0;
}

/* Go's strconv.Atoi: a sign is allowed, leading zeros too. */
static int parse_index(struct patcher *p, struct slice key, int64_t *ret)
{
	struct slice digits = key;
	bool is_negative = key.len && key.ptr[0] == '-';
	if (key.len && (key.ptr[0] == '-' || key.ptr[0] == '+'))
		digits = slice_n(key.ptr + 1, key.len - 1);
	uint64_t v;
	int r = num_parse_u64(digits, INT32_MAX, &v);
	if (r < 0)
		return err_set(p->e, EDOM, "strconv.Atoi: parsing \"%.*s\": %s", SLICE_FMT(key), r == -ERANGE ? "value out of range" : "invalid syntax");
	*ret = is_negative ? -(int64_t)v : (int64_t)v;
	return 0;
}

static int bad_index(struct patcher *p, int64_t i)
{
	return err_set(p->e, EDOM, "Unable to access invalid index: %lld: invalid index referenced", (long long)i);
}

/* An index of one of n elements. */
static int index_of(struct patcher *p, uint32_t n, struct slice key, uint32_t *ret)
{
	int64_t i;
	int r = parse_index(p, key, &i);
	if (r < 0)
		return r;
	if (i >= (int64_t)n || i < -(int64_t)n)
		return bad_index(p, i);
	*ret = (uint32_t)(i < 0 ? i + n : i);
	return 0;
}

struct place {
	struct tree *in;       /* the list or map; NULL: there is none */
	struct slice key;
	unsigned depth;        /* containers around it */
};

static int find(struct patcher *p, struct slice path, struct place *ret)
{
	*ret = (struct place){ 0 };
	struct slice rest = path, part, key;
	if (!path.len || !slice_cut(rest, '/', &part, &rest))
		return 0;
	struct tree *v = &p->doc;
	for (unsigned depth = 1;; depth++) {
		struct slice tail;
		bool more = slice_cut(rest, '/', &part, &tail);
		int r = unescape(p, part, &key);
		if (r < 0)
			return r;
		if (v->type != TREE_MAP && v->type != TREE_LIST)
			return 0;
		if (!more) {
			*ret = (struct place){ v, key, depth };
			return 0;
		}
		uint32_t i;
		struct err ignored;
		struct err *e = p->e;
		p->e = &ignored;
		if (v->type == TREE_MAP)
			v = tree_get_mut(v, key);
		else
			v = index_of(p, v->n, key, &i) < 0 ? NULL : &v->items[i];
		p->e = e;
		if (!v)
			return 0;
		rest = tail;
	}
}

/* *ret NULL: a map has no such member. */
static int get(struct patcher *p, const struct place *at, struct tree **ret)
{
	if (at->in->type == TREE_MAP) {
		*ret = tree_get_mut(at->in, at->key);
		return 0;
	}
	uint32_t i;
	int r = index_of(p, at->in->n, at->key, &i);
	if (r == 0)
		*ret = &at->in->items[i];
	return r;
}

static int check_depth(struct patcher *p, const struct place *at, const struct tree *v)
{
	return at->depth + tree_depth(v) > TREE_MAX_DEPTH ? err_set(p->e, E2BIG, "the document is nested too deeply") : 0;
}

static int add(struct patcher *p, const struct place *at, struct tree v)
{
	int r = check_depth(p, at, &v);
	if (r < 0)
		return r;
	if (at->in->type == TREE_MAP)
		return tree_set(p->a, at->in, at->key, v) ? 0 : no_room(p->e);
	int64_t i = at->in->n, n = (int64_t)at->in->n + 1;
	if (!slice_is(at->key, "-")) {
		struct err why;
		struct err *e = p->e;
		p->e = &why;
		r = parse_index(p, at->key, &i);
		p->e = e;
		if (r < 0)
			return err_set(e, EDOM, "value was not a proper array index: '%.*s': %s", SLICE_FMT(at->key), why.text);
	}
	if (i >= n || i < -n)
		return bad_index(p, i);
	i += i < 0 ? n : 0;
	if (!tree_append(p->a, at->in, v))
		return no_room(p->e);
	struct tree *items = at->in->items;
	memmove(&items[i + 1], &items[i], (size_t)(at->in->n - 1 - i) * sizeof *items);
	items[i] = v;
	return 0;
}

static int drop(struct patcher *p, const struct place *at)
{
	if (at->in->type == TREE_MAP)
		return tree_remove(at->in, at->key) ? 0
			: err_set(p->e, EDOM, "Unable to remove nonexistent key: %.*s: missing value", SLICE_FMT(at->key));
	uint32_t i;
	int r = index_of(p, at->in->n, at->key, &i);
	if (r == 0)
		tree_remove_at(at->in, i);
	return r;
}

struct op {
	const struct tree *kind, *value;
	struct slice path, from;
	bool has_path, has_from;
};

static int value_of_op(struct patcher *p, const struct op *o, struct tree *ret)
{
	*ret = tree_null();
	return o->value && tree_clone(o->value, p->a, ret) < 0 ? no_room(p->e) : 0;
}

static int op_add(struct patcher *p, const struct op *o)
{
	struct place at;
	struct tree v;
	int r = find(p, o->path, &at);
	if (r < 0)
		return r;
	if (!at.in)
		return err_set(p->e, EDOM, "add operation does not apply: doc is missing path: \"%.*s\": missing value", SLICE_FMT(o->path));
	r = value_of_op(p, o, &v);
	if (r < 0)
		return r;
	r = add(p, &at, v);
	return r == -EDOM ? err_prefix(p->e, "error in add for path: '%.*s'", SLICE_FMT(o->path)) : r;
}

static int op_remove(struct patcher *p, const struct op *o)
{
	struct place at;
	int r = find(p, o->path, &at);
	if (r < 0)
		return r;
	if (!at.in)
		return err_set(p->e, EDOM, "remove operation does not apply: doc is missing path: \"%.*s\": missing value", SLICE_FMT(o->path));
	r = drop(p, &at);
	return r == -EDOM ? err_prefix(p->e, "error in remove for path: '%.*s'", SLICE_FMT(o->path)) : r;
}

static int op_replace(struct patcher *p, const struct op *o)
{
	struct place at;
	struct tree v, *old;
	int r = value_of_op(p, o, &v);
	if (r < 0)
		return r;
	if (!o->path.len) {
		if (v.type != TREE_MAP && v.type != TREE_LIST)
			return err_set(p->e, EDOM, "replace operation value must be object or array");
		p->doc = v;
		return 0;
	}
	r = find(p, o->path, &at);
	if (r < 0)
		return r;
	if (!at.in)
		return err_set(p->e, EDOM, "replace operation does not apply: doc is missing path: %.*s: missing value", SLICE_FMT(o->path));
	r = get(p, &at, &old);
	if (r < 0)
		return err_set(p->e, EDOM, "replace operation does not apply: doc is missing key: %.*s: missing value", SLICE_FMT(o->path));
	r = check_depth(p, &at, &v);
	if (r < 0)
		return r;
	if (old)
		*old = v;
	else if (!tree_set(p->a, at.in, at.key, v))
		return no_room(p->e);
	return 0;
}

static int op_test(struct patcher *p, const struct op *o)
{
	static const struct tree null;
	struct place at;
	struct tree *v = &p->doc;
	if (o->path.len) {
		int r = find(p, o->path, &at);
		if (r < 0)
			return r;
		if (!at.in)
			return err_set(p->e, EDOM, "test operation does not apply: is missing path: %.*s: missing value", SLICE_FMT(o->path));
		r = get(p, &at, &v);
		if (r < 0)
			return err_prefix(p->e, "error in test for path: '%.*s'", SLICE_FMT(o->path));
	}
	if (tree_equal(v ? v : &null, o->value ? o->value : &null))
		return 0;
	return err_set(p->e, EBADE, "testing value %.*s failed: test failed", SLICE_FMT(o->path));
}

static int op_move(struct patcher *p, const struct op *o)
{
	struct place at;
	struct tree *v, moved = { 0 };
	if (!o->has_from)
		return err_set(p->e, EDOM, "move operation failed to decode from: operation, missing from field: missing value");
	int r = find(p, o->from, &at);
	if (r < 0)
		return r;
	if (!at.in)
		return err_set(p->e, EDOM, "move operation does not apply: doc is missing from path: %.*s: missing value", SLICE_FMT(o->from));
	r = get(p, &at, &v);
	if (r == 0 && v)
		moved = *v;
	if (r == 0)
		r = drop(p, &at);
	if (r < 0)
		return err_prefix(p->e, "error in move for path: '%.*s'", SLICE_FMT(at.key));
	r = find(p, o->path, &at);
	if (r < 0)
		return r;
	if (!at.in)
		return err_set(p->e, EDOM, "move operation does not apply: doc is missing destination path: %.*s: missing value", SLICE_FMT(o->path));
	r = add(p, &at, moved);
	return r == -EDOM ? err_prefix(p->e, "error in move for path: '%.*s'", SLICE_FMT(o->path)) : r;
}

static int op_copy(struct patcher *p, const struct op *o)
{
	struct place at;
	struct tree *v, copy = { 0 };
	if (!o->has_from)
		return err_set(p->e, EDOM, "copy operation failed to decode from: operation, missing from field: missing value");
	int r = find(p, o->from, &at);
	if (r < 0)
		return r;
	if (!at.in)
		return err_set(p->e, EDOM, "copy operation does not apply: doc is missing from path: %.*s: missing value", SLICE_FMT(o->from));
	r = get(p, &at, &v);
	if (r < 0)
		return err_prefix(p->e, "error in copy for from: '%.*s'", SLICE_FMT(o->from));
	if (v) {
		p->copied_bytes += size_of(v);
		if (p->copied_bytes > PATCH_MAX_COPY_BYTES)
			return err_set(p->e, E2BIG, "Unable to complete the copy, the accumulated size increase of copy is %zu, exceeding the limit %d",
				p->copied_bytes, PATCH_MAX_COPY_BYTES);
		if (tree_clone(v, p->a, &copy) < 0)
			return no_room(p->e);
	}
	r = find(p, o->path, &at);
	if (r < 0)
		return r;
	if (!at.in)
		return err_set(p->e, EDOM, "copy operation does not apply: doc is missing destination path: %.*s: missing value", SLICE_FMT(o->path));
	r = add(p, &at, copy);
	return r == -EDOM ? err_prefix(p->e, "error while adding value during copy") : r;
}

static const struct {
	const char *name;
	int (*run)(struct patcher *p, const struct op *o);
} ops[] = {
	{ "add", op_add }, { "remove", op_remove }, { "replace", op_replace },
	{ "move", op_move }, { "copy", op_copy }, { "test", op_test },
};

static int run(struct patcher *p, const struct tree *op)
{
	const struct tree *path = tree_gets(op, "path"), *from = tree_gets(op, "from");
	struct op o = { .kind = tree_gets(op, "op"), .value = tree_gets(op, "value"), .path = tree_text(path), .from = tree_text(from),
		.has_path = path && path->type == TREE_STRING, .has_from = from && from->type == TREE_STRING };
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		if (!o.kind || o.kind->type != TREE_STRING || !slice_is(tree_text(o.kind), ops[i].name))
			continue;
		if (!o.has_path)
			return err_set(p->e, EDOM, "%s operation failed to decode path: missing value", ops[i].name);
		return ops[i].run(p, &o);
	}
	struct slice name = o.kind && o.kind->type == TREE_STRING ? tree_text(o.kind) : SLICE("unknown");
	return err_set(p->e, EDOM, "Unexpected kind: %.*s", SLICE_FMT(name));
}

int tree_json_patch(const struct tree *doc, const struct tree *patch, struct arena *a, struct tree *ret, struct err *e)
{
	struct patcher p = { .a = a, .e = e };
	if (patch->type != TREE_LIST)
		return err_set(e, EBADMSG, "json: cannot unmarshal %s into Go value of type jsonpatch.Patch",
			patch->type == TREE_MAP ? "object" : patch->type == TREE_STRING ? "string" : patch->type == TREE_BOOL ? "bool" : "number");
	if (patch->n > PATCH_MAX_OPS)
		return err_set(e, E2BIG, "The allowed maximum operations in a JSON patch is %d, got %u", PATCH_MAX_OPS, patch->n);
	for (uint32_t i = 0; i < patch->n; i++)
		if (patch->items[i].type != TREE_MAP)
			return err_set(e, EBADMSG, "json: cannot unmarshal %s into Go value of type jsonpatch.Operation",
				patch->items[i].type == TREE_LIST ? "array" : patch->items[i].type == TREE_STRING ? "string" :
				patch->items[i].type == TREE_BOOL ? "bool" : "number");
	if (tree_clone(doc, a, &p.doc) < 0)
		return no_room(e);
	for (uint32_t i = 0; i < patch->n; i++) {
		int r = run(&p, &patch->items[i]);
		if (r < 0)
			return r;
	}
	*ret = p.doc;
	return 0;
}
