/* SPDX-License-Identifier: Apache-2.0 */
/* CEL: running an expression. && and || forgive an error on one side when the other decides. */
#include "base/clock.h"
#include "base/num.h"
#include "codec/base64.h"
#include "schema/cel_int.h"
#include "schema/quantity.h"
#include "schema/schema_int.h"

int cel_fail(struct cel_run *x, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int r = err_setv(x->e, EINVAL, fmt, ap);
	va_end(ap);
	return r;
}

int cel_no_overload(struct cel_run *x) { return cel_fail(x, "no such overload"); }
int cel_no_room(struct cel_run *x) { return err_set(x->e, E2BIG, "the expression needs too much memory"); }

int cel_spend(struct cel_run *x, size_t n)
{
	if (*x->budget <= n) {
		*x->budget = 0;
		return err_set(x->e, E2BIG, "operation cancelled: actual cost limit exceeded");
	}
	*x->budget -= (unsigned)n;
	return 0;
}

/* --- values --- */

struct cel_value cel_string(struct slice s) { return (struct cel_value){ .type = CEL_STRING, .s = s }; }

static struct cel_value of_text(const struct tree *t, const struct crd_prop *p)
{
	struct cel_value v = cel_string(tree_text(t));
	const char *f = p ? p->format : NULL;
	if (!f)
		return v;
	if ((!strcmp(f, "date-time") || !strcmp(f, "datetime")) && clock_parse_rfc3339(v.s, &v.i) == 0)
		v.type = CEL_TIME;
	else if (!strcmp(f, "duration") && duration_parse(v.s, &v.i) == 0)
		v.type = CEL_DURATION;
	return v;
}

struct cel_value cel_of_tree(const struct tree *t, const struct crd_prop *p)
{
	struct cel_value v = { .tree = t, .prop = p };
	switch (t->type) {
	case TREE_BOOL: return cel_bool(t->is_true);
	case TREE_STRING: return of_text(t, p);
	case TREE_LIST: v.type = CEL_LIST; return v;
	case TREE_MAP: v.type = CEL_MAP; return v;
	case TREE_NUMBER:
		if (!(p && p->type == CRD_NUMBER) && (num_parse_i64(tree_text(t), INT64_MIN, INT64_MAX, &v.i) == 0 ||
		    (p && p->type == CRD_INTEGER && tree_i64(t, &v.i) == 0)))
			return cel_integer(v.i);
		AUTO(free) char *copy = slice_dup(tree_text(t));
		return cel_double(copy ? strtod(copy, NULL) : 0);
	}
	return (struct cel_value){ .type = CEL_NULL };
}

uint32_t cel_size(const struct cel_value *list) { return list->tree ? list->tree->n : list->n; }

struct cel_value cel_item(const struct cel_value *list, uint32_t i)
{
	return list->tree ? cel_of_tree(&list->tree->items[i], list->prop ? list->prop->items : NULL) : list->v[i];
}

void cel_pair(const struct cel_value *map, uint32_t i, struct cel_value *key, struct cel_value *value)
{
	if (!map->tree) {
		*key = map->v[2 * i];
		*value = map->v[2 * i + 1];
		return;
	}
	struct slice name = key_of(&map->tree->members[i]);
	*key = cel_string(name);
	*value = cel_of_tree(&map->tree->members[i].value, map->prop ? crd_member(map->prop, name) : NULL);
}

/* foo__dash__bar is foo-bar. */
static struct slice unescape(struct slice s, char *out, size_t size)
{
	static const struct { const char *from; char to; } words[] = { { "__dash__", '-' }, { "__dot__", '.' }, { "__slash__", '/' }, { "__underscores__", 0 } };
	size_t n = 0;
	for (size_t i = 0; i < s.len && n + 2 < size; i++) {
		struct slice rest = slice_n(s.ptr + i, s.len - i);
		bool is_word = false;
		for (size_t k = 0; !is_word && k < ARRAY_LEN(words); k++) {
			if (!slice_starts(rest, words[k].from))
				continue;
			is_word = true;
			i += strlen(words[k].from) - 1;
			if (words[k].to)
				out[n++] = words[k].to;
			else
				out[n++] = '_', out[n++] = '_';
		}
		if (!is_word)
			out[n++] = s.ptr[i];
	}
	/* __int__: a name that would be a keyword */
	if (n > 4 && !memcmp(out, "__", 2) && !memcmp(out + n - 2, "__", 2))
		return slice_n(out + 2, n - 4);
	return slice_n(out, n);
}

static bool member_of(const struct cel_value *map, struct slice name, struct cel_value *ret)
{
	const struct tree *t = tree_get(map->tree, name);
	if (t)
		*ret = cel_of_tree(t, map->prop ? crd_member(map->prop, name) : NULL);
	return t;
}

bool cel_map_get(const struct cel_value *map, const struct cel_value *key, struct cel_value *ret)
{
	if (map->tree)
		return key->type == CEL_STRING && member_of(map, key->s, ret);
	for (uint32_t i = 0; i < map->n; i++)
		if (cel_equal(&map->v[2 * i], key)) {
			*ret = map->v[2 * i + 1];
			return true;
		}
	return false;
}

static bool field_of(const struct cel_value *map, struct slice name, struct cel_value *ret)
{
	char plain[300];
	struct cel_value key = cel_string(name);
	if (cel_map_get(map, &key, ret))
		return true;
	if (!map->tree || name.len >= sizeof plain || !memmem(name.ptr, name.len, "__", 2))
		return false;
	return member_of(map, unescape(name, plain, sizeof plain), ret);
}

static bool is_number(const struct cel_value *v) { return v->type >= CEL_INT && v->type <= CEL_DOUBLE; }

static double as_double(const struct cel_value *v)
{
	return v->type == CEL_INT ? (double)v->i : v->type == CEL_UINT ? (double)v->u : v->d;
}

static int compare_numbers(const struct cel_value *x, const struct cel_value *y)
{
	if (x->type == CEL_INT && y->type == CEL_INT)
		return x->i < y->i ? -1 : x->i > y->i;
	if (x->type == CEL_UINT && y->type == CEL_UINT)
		return x->u < y->u ? -1 : x->u > y->u;
	if (x->type == CEL_INT && y->type == CEL_UINT)
		return x->i < 0 ? -1 : (uint64_t)x->i < y->u ? -1 : (uint64_t)x->i > y->u;
	if (x->type == CEL_UINT && y->type == CEL_INT)
		return -compare_numbers(y, x);
	double a = as_double(x), b = as_double(y);
	return a < b ? -1 : a > b ? 1 : a == b ? 0 : 2;
}

int cel_compare(const struct cel_value *x, const struct cel_value *y)
{
	if (is_number(x) && is_number(y))
		return compare_numbers(x, y);
	if (x->type != y->type)
		return 2;
	int r;
	switch (x->type) {
	case CEL_BOOL: return x->b - y->b;
	case CEL_STRING: case CEL_BYTES:
		r = slice_cmp(x->s, y->s);
		return r < 0 ? -1 : r > 0;
	case CEL_TIME: case CEL_DURATION: return x->i < y->i ? -1 : x->i > y->i;
	case CEL_QUANTITY: return quantity_cmp(x->p, y->p);
	}
	return 2;
}

static bool contains(const struct cel_value *list, const struct cel_value *v)
{
	for (uint32_t i = 0; i < cel_size(list); i++) {
		struct cel_value item = cel_item(list, i);
		if (cel_equal(&item, v))
			return true;
	}
	return false;
}

static bool equal_lists(const struct cel_value *x, const struct cel_value *y)
{
	uint32_t n = cel_size(x);
	bool is_set = (x->prop && x->prop->list_type == 's') || (y->prop && y->prop->list_type == 's');
	if (n != cel_size(y))
		return false;
	for (uint32_t i = 0; i < n; i++) {
		struct cel_value l = cel_item(x, i), r = cel_item(y, i);
		if (is_set ? !contains(y, &l) : !cel_equal(&l, &r))
			return false;
	}
	return true;
}

static bool equal_maps(const struct cel_value *x, const struct cel_value *y)
{
	uint32_t n = cel_size(x);
	struct cel_value key, l, r;
	if (n != cel_size(y))
		return false;
	for (uint32_t i = 0; i < n; i++) {
		cel_pair(x, i, &key, &l);
		if (!cel_map_get(y, &key, &r) || !cel_equal(&l, &r))
			return false;
	}
	return true;
}

bool cel_equal(const struct cel_value *x, const struct cel_value *y)
{
	if (is_number(x) && is_number(y))
		return compare_numbers(x, y) == 0;
	if (x->type != y->type)
		return false;
	switch (x->type) {
	case CEL_NULL: return true;
	case CEL_LIST: return equal_lists(x, y);
	case CEL_MAP: return equal_maps(x, y);
	case CEL_OPTIONAL: return !x->v == !y->v && (!x->v || cel_equal(x->v, y->v));
	case CEL_TYPE: case CEL_URL: case CEL_IP: case CEL_CIDR: return slice_eq(x->s, y->s);
	}
	return cel_compare(x, y) == 0;
}

int cel_list(struct cel_run *x, uint32_t n, struct cel_value **items, struct cel_value *ret)
{
	int r = cel_spend(x, n);
	*items = r < 0 ? NULL : arena_array(x->a, n, sizeof **items);
	if (!*items)
		return r < 0 ? r : cel_no_room(x);
	*ret = (struct cel_value){ .type = CEL_LIST, .n = n, .v = *items };
	return 0;
}

int cel_text(struct cel_run *x, struct cel_value *ret, struct slice s)
{
	int r = cel_spend(x, s.len / 16);
	char *copy = r < 0 ? NULL : arena_dup(x->a, s);
	if (!copy)
		return r < 0 ? r : cel_no_room(x);
	*ret = cel_string(slice_n(copy, s.len));
	return 0;
}

/* --- operators --- */

static int add_texts(struct cel_run *x, const struct cel_value *l, const struct cel_value *r, struct cel_value *ret)
{
	size_t n = l->s.len + r->s.len;
	int k = cel_spend(x, n / 16);
	char *p = k < 0 ? NULL : arena_alloc(x->a, n + 1);
	if (!p)
		return k < 0 ? k : cel_no_room(x);
	if (l->s.len)
		memcpy(p, l->s.ptr, l->s.len);
	if (r->s.len)
		memcpy(p + l->s.len, r->s.ptr, r->s.len);
	*ret = (struct cel_value){ .type = l->type, .s = { p, n } };
	return 0;
}

static int add_lists(struct cel_run *x, const struct cel_value *l, const struct cel_value *r, struct cel_value *ret)
{
	uint32_t a = cel_size(l), b = cel_size(r), n = a;
	bool is_set = l->prop && l->prop->list_type == 's';
	struct cel_value *items;
	int k = cel_list(x, a + b, &items, ret);
	if (k < 0)
		return k;
	for (uint32_t i = 0; i < a; i++)
		items[i] = cel_item(l, i);
	for (uint32_t i = 0; i < b; i++) {
		struct cel_value v = cel_item(r, i);
		if (!is_set || !contains(l, &v))
			items[n++] = v;
	}
	ret->n = n;
	return 0;
}

static int int_math(struct cel_run *x, enum cel_op op, int64_t a, int64_t b, struct cel_value *ret)
{
	int64_t v = 0;
	bool over = false;
	if ((op == CEL_DIV || op == CEL_MOD) && !b)
		return cel_fail(x, op == CEL_DIV ? "division by zero" : "modulus by zero");
	switch (op) {
	case CEL_ADD: over = __builtin_add_overflow(a, b, &v); break;
	case CEL_SUB: over = __builtin_sub_overflow(a, b, &v); break;
	case CEL_MUL: over = __builtin_mul_overflow(a, b, &v); break;
	default:
		over = a == INT64_MIN && b == -1;
		if (!over)
			v = op == CEL_DIV ? a / b : a % b;
	}
	if (over)
		return cel_fail(x, "integer overflow");
	*ret = cel_integer(v);
	return 0;
}

static int uint_math(struct cel_run *x, enum cel_op op, uint64_t a, uint64_t b, struct cel_value *ret)
{
	uint64_t v = 0;
	bool over = false;
	if ((op == CEL_DIV || op == CEL_MOD) && !b)
		return cel_fail(x, op == CEL_DIV ? "division by zero" : "modulus by zero");
	switch (op) {
	case CEL_ADD: over = __builtin_add_overflow(a, b, &v); break;
	case CEL_SUB: over = __builtin_sub_overflow(a, b, &v); break;
	case CEL_MUL: over = __builtin_mul_overflow(a, b, &v); break;
	default: v = op == CEL_DIV ? a / b : a % b;
	}
	if (over)
		return cel_fail(x, "unsigned integer overflow");
	*ret = (struct cel_value){ .type = CEL_UINT, .u = v };
	return 0;
}

static int time_math(struct cel_run *x, enum cel_op op, const struct cel_value *l, const struct cel_value *r, struct cel_value *ret)
{
	bool both_times = l->type == CEL_TIME && r->type == CEL_TIME;
	int64_t v;
	if ((op != CEL_ADD && op != CEL_SUB) || (op == CEL_ADD && both_times) || (op == CEL_SUB && r->type == CEL_TIME && !both_times))
		return cel_no_overload(x);
	if (op == CEL_ADD ? __builtin_add_overflow(l->i, r->i, &v) : __builtin_sub_overflow(l->i, r->i, &v))
		return cel_fail(x, "%s overflow", l->type == CEL_TIME ? "timestamp" : "duration");
	*ret = (struct cel_value){ .type = !both_times && (l->type == CEL_TIME || r->type == CEL_TIME) ? CEL_TIME : CEL_DURATION, .i = v };
	return 0;
}

static int is_in(struct cel_run *x, const struct cel_value *l, const struct cel_value *r, struct cel_value *ret)
{
	struct cel_value ignored;
	if (r->type != CEL_LIST && r->type != CEL_MAP)
		return cel_no_overload(x);
	int k = cel_spend(x, cel_size(r));
	if (k == 0)
		*ret = cel_bool(r->type == CEL_LIST ? contains(r, l) : cel_map_get(r, l, &ignored));
	return k;
}

int cel_binary(struct cel_run *x, enum cel_op op, const struct cel_value *l, const struct cel_value *r, struct cel_value *ret)
{
	if (op == CEL_IN)
		return is_in(x, l, r, ret);
	if (op >= CEL_LT) {
		if (op >= CEL_EQ) {
			*ret = cel_bool(cel_equal(l, r) == (op == CEL_EQ));
			return 0;
		}
		int order = cel_compare(l, r);
		if (order == 2 && !(is_number(l) && is_number(r)))
			return cel_no_overload(x);
		*ret = cel_bool(order != 2 && (op == CEL_LT ? order < 0 : op == CEL_LE ? order <= 0 : op == CEL_GT ? order > 0 : order >= 0));
		return 0;
	}
	bool is_time = l->type == CEL_TIME || l->type == CEL_DURATION;
	if (is_time && (r->type == CEL_TIME || r->type == CEL_DURATION))
		return time_math(x, op, l, r, ret);
	if (l->type != r->type)
		return cel_no_overload(x);
	switch (l->type) {
	case CEL_INT: return int_math(x, op, l->i, r->i, ret);
	case CEL_UINT: return uint_math(x, op, l->u, r->u, ret);
	case CEL_DOUBLE:
		if (op == CEL_MOD)
			return cel_no_overload(x);
		*ret = cel_double(op == CEL_ADD ? l->d + r->d : op == CEL_SUB ? l->d - r->d : op == CEL_MUL ? l->d * r->d : l->d / r->d);
		return 0;
	case CEL_STRING: case CEL_BYTES: return op == CEL_ADD ? add_texts(x, l, r, ret) : cel_no_overload(x);
	case CEL_LIST: return op == CEL_ADD ? add_lists(x, l, r, ret) : cel_no_overload(x);
	}
	return cel_no_overload(x);
}

/* --- nodes --- */

static int eval(struct cel_run *x, const struct cel_frame *f, const struct cel_node *v, struct cel_value *ret);

static int some(struct cel_run *x, const struct cel_value *v, struct cel_value *ret)
{
	struct cel_value *copy = arena_new(x->a, struct cel_value);
	if (!copy)
		return cel_no_room(x);
	*copy = *v;
	*ret = (struct cel_value){ .type = CEL_OPTIONAL, .v = copy };
	return 0;
}

static __attribute__((noinline)) int eval_select(struct cel_run *x, const struct cel_frame *f, const struct cel_node *v, struct cel_value *ret)
{
	struct cel_value map, found;
	int r = eval(x, f, v->arg[0], &map);
	if (r < 0)
		return r;
	bool was_optional = map.type == CEL_OPTIONAL, is_optional = v->is_optional || was_optional;
	if (was_optional) {
		if (!map.v) {
			*ret = v->kind == CELN_HAS ? cel_bool(false) : map;
			return 0;
		}
		map = *map.v;
	}
	if (map.type != CEL_MAP)
		return cel_no_overload(x);
	bool is_there = field_of(&map, v->name, &found);
	if (v->kind == CELN_HAS) {
		*ret = cel_bool(is_there);
		return 0;
	}
	if (is_optional) {
		*ret = (struct cel_value){ .type = CEL_OPTIONAL };
		return is_there ? some(x, &found, ret) : 0;
	}
	if (!is_there)
		return cel_fail(x, "no such key: %.*s", SLICE_FMT(v->name));
	*ret = found;
	return 0;
}

static __attribute__((noinline)) int eval_index(struct cel_run *x, const struct cel_frame *f, const struct cel_node *v, struct cel_value *ret)
{
	struct cel_value in, key, found = { 0 };
	bool is_there = false;
	int r = eval(x, f, v->arg[0], &in);
	if (r == 0)
		r = eval(x, f, v->arg[1], &key);
	if (r < 0)
		return r;
	bool is_optional = v->is_optional || in.type == CEL_OPTIONAL;
	if (in.type == CEL_OPTIONAL) {
		if (!in.v) {
			*ret = in;
			return 0;
		}
		in = *in.v;
	}
	if (in.type == CEL_MAP) {
		is_there = cel_map_get(&in, &key, &found);
		if (!is_there && !is_optional)
			return key.type == CEL_STRING ? cel_fail(x, "no such key: %.*s", SLICE_FMT(key.s)) : cel_fail(x, "no such key");
	} else if (in.type == CEL_LIST && is_number(&key)) {
		double i = as_double(&key);
		is_there = i >= 0 && i < cel_size(&in);
		if (!is_there && !is_optional)
			return cel_fail(x, "index out of bounds: %lld", (long long)i);
		if (is_there)
			found = cel_item(&in, (uint32_t)i);
	} else {
		return cel_no_overload(x);
	}
	if (!is_optional) {
		*ret = found;
		return 0;
	}
	*ret = (struct cel_value){ .type = CEL_OPTIONAL };
	return is_there ? some(x, &found, ret) : 0;
}

/* The first of several errors is the one to be told; it waits in the arena. */
static void keep_first(struct cel_run *x, struct err **first)
{
	if (!*first && (*first = arena_new(x->a, struct err)))
		**first = *x->e;
}

static int tell_first(struct cel_run *x, const struct err *first)
{
	*x->e = *first;
	return -EINVAL;
}

static __attribute__((noinline)) int eval_logic(struct cel_run *x, const struct cel_frame *f, const struct cel_node *v, struct cel_value *ret)
{
	bool decides = v->kind == CELN_OR;
	struct err *first = NULL;
	struct cel_value one;
	for (uint32_t i = 0; i < v->n; i++) {
		int r = eval(x, f, v->arg[i], &one);
		if (r == -E2BIG)
			return r;
		if (r < 0 || one.type != CEL_BOOL) {
			if (r == 0)
				(void)cel_no_overload(x);
			keep_first(x, &first);
			if (!first)
				return cel_no_room(x);
		} else if (one.b == decides) {
			*ret = one;
			return 0;
		}
	}
	if (first)
		return tell_first(x, first);
	*ret = cel_bool(!decides);
	return 0;
}

static __attribute__((noinline)) int eval_call(struct cel_run *x, const struct cel_frame *f, const struct cel_node *v, struct cel_value *ret)
{
	struct cel_value *args = arena_array(x->a, v->n, sizeof *args);
	if (!args)
		return cel_no_room(x);
	for (uint32_t i = 0; i < v->n; i++) {
		int r = eval(x, f, v->arg[i], &args[i]);
		if (r < 0)
			return r;
	}
	if (v->pattern && args[0].type == CEL_STRING) {
		int k = cel_spend(x, args[0].s.len), m = k < 0 ? k : crd_pattern_match(v->pattern, args[0].s);
		if (m < 0)
			return k < 0 ? k : cel_no_room(x);
		*ret = cel_bool(m);
		return 0;
	}
	return v->function->run(x, args, v->n, ret);
}

static __attribute__((noinline)) int eval_many(struct cel_run *x, const struct cel_frame *f, const struct cel_node *v, struct cel_value *ret)
{
	struct cel_value *items;
	int r = cel_list(x, v->n, &items, ret);
	for (uint32_t i = 0; r == 0 && i < v->n; i++)
		r = eval(x, f, v->arg[i], &items[i]);
	if (r == 0 && v->kind == CELN_MAP)
		*ret = (struct cel_value){ .type = CEL_MAP, .n = v->n / 2, .v = items };
	return r;
}

/* optMap and optFlatMap */
static int eval_optional(struct cel_run *x, const struct cel_frame *f, const struct cel_node *v, const struct cel_value *in, struct cel_value *ret)
{
	struct cel_value made;
	if (in->type != CEL_OPTIONAL)
		return cel_no_overload(x);
	*ret = *in;
	if (!in->v)
		return 0;
	struct cel_frame frame = { v->name, in->v, f };
	int r = eval(x, &frame, v->arg[1], &made);
	if (r < 0)
		return r;
	if (v->op == CEL_FILTER_TRANSFORM + 1)
		return some(x, &made, ret);
	*ret = made;
	return made.type == CEL_OPTIONAL ? 0 : cel_no_overload(x);
}

struct looping {
	const struct cel_node *v;
	struct cel_value *items;
	uint32_t n, hits;
	struct err *first;        /* that all() and exists() have forgiven so far */
};

/* One element: 1 ends the loop. */
static __attribute__((noinline)) int loop_one(struct cel_run *x, const struct cel_frame *f, struct looping *l, const struct cel_value *item)
{
	struct cel_frame frame = { l->v->name, item, f };
	struct cel_value got;
	uint8_t op = l->v->op;
	int r = eval(x, &frame, l->v->arg[1], &got);
	if (op == CEL_TRANSFORM) {
		if (r == 0)
			l->items[l->n++] = got;
		return r;
	}
	if (r == 0 && got.type != CEL_BOOL)
		r = cel_no_overload(x);
	if (r == -EINVAL && (op == CEL_ALL || op == CEL_EXISTS)) {
		keep_first(x, &l->first);
		return l->first ? 0 : cel_no_room(x);
	}
	if (r < 0)
		return r;
	l->hits += got.b;
	if ((op == CEL_ALL && !got.b) || (op == CEL_EXISTS && got.b))
		return 1;
	if (op == CEL_FILTER && got.b)
		l->items[l->n++] = *item;
	if (op == CEL_FILTER_TRANSFORM && got.b)
		return eval(x, &frame, l->v->arg[2], &l->items[l->n++]);
	return 0;
}

static __attribute__((noinline)) int eval_loop(struct cel_run *x, const struct cel_frame *f, const struct cel_node *v, struct cel_value *ret)
{
	struct cel_value in, list, item, ignored;
	struct looping l = { .v = v };
	int r = eval(x, f, v->arg[0], &in);
	if (r < 0)
		return r;
	if (v->op > CEL_FILTER_TRANSFORM)
		return eval_optional(x, f, v, &in, ret);
	if (in.type != CEL_LIST && in.type != CEL_MAP)
		return cel_no_overload(x);
	uint32_t n = cel_size(&in);
	r = v->op >= CEL_FILTER ? cel_list(x, n, &l.items, &list) : 0;
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		if (in.type == CEL_LIST)
			item = cel_item(&in, i);
		else
			cel_pair(&in, i, &item, &ignored);
		r = loop_one(x, f, &l, &item);
	}
	if (r < 0)
		return r;
	if (r == 0 && l.first)
		return tell_first(x, l.first);
	switch (v->op) {
	case CEL_ALL: *ret = cel_bool(r == 0); break;
	case CEL_EXISTS: *ret = cel_bool(r == 1); break;
	case CEL_EXISTS_ONE: *ret = cel_bool(l.hits == 1); break;
	default:
		*ret = list;
		ret->n = l.n;
	}
	return 0;
}

static __attribute__((noinline)) int eval_bind(struct cel_run *x, const struct cel_frame *f, const struct cel_node *v, struct cel_value *ret)
{
	struct cel_value bound;
	int r = eval(x, f, v->arg[0], &bound);
	struct cel_frame frame = { v->name, &bound, f };
	return r < 0 ? r : eval(x, &frame, v->arg[1], ret);
}

static __attribute__((noinline)) int eval_binary(struct cel_run *x, const struct cel_frame *f, const struct cel_node *v, struct cel_value *ret)
{
	struct cel_value l, r;
	int k = eval(x, f, v->arg[0], &l);
	if (k == 0)
		k = eval(x, f, v->arg[1], &r);
	if (k == 0 && (v->op == CEL_EQ || v->op == CEL_NE) && (l.type == CEL_LIST || l.type == CEL_MAP))
		k = cel_spend(x, cel_size(&l));
	return k < 0 ? k : cel_binary(x, v->op, &l, &r, ret);
}

static int eval_unary(struct cel_run *x, const struct cel_frame *f, const struct cel_node *v, struct cel_value *ret)
{
	int r = eval(x, f, v->arg[0], ret);
	if (r < 0)
		return r;
	if (v->kind == CELN_NOT && ret->type == CEL_BOOL)
		ret->b = !ret->b;
	else if (v->kind == CELN_NEG && ret->type == CEL_DOUBLE)
		ret->d = -ret->d;
	else if (v->kind == CELN_NEG && ret->type == CEL_INT && ret->i != INT64_MIN)
		ret->i = -ret->i;
	else
		return cel_no_overload(x);
	return 0;
}

static int eval(struct cel_run *x, const struct cel_frame *f, const struct cel_node *v, struct cel_value *ret)
{
	int r = cel_spend(x, 1);
	if (r < 0)
		return r;
	switch (v->kind) {
	case CELN_CONST: *ret = v->value; return 0;
	case CELN_IDENT:
		for (; f; f = f->up)
			if (slice_eq(f->name, v->name)) {
				*ret = *f->value;
				return 0;
			}
		return cel_fail(x, "no such attribute(s): %.*s", SLICE_FMT(v->name));
	case CELN_SELECT: case CELN_HAS: return eval_select(x, f, v, ret);
	case CELN_INDEX: return eval_index(x, f, v, ret);
	case CELN_CALL: return eval_call(x, f, v, ret);
	case CELN_LIST: case CELN_MAP: return eval_many(x, f, v, ret);
	case CELN_AND: case CELN_OR: return eval_logic(x, f, v, ret);
	case CELN_NOT: case CELN_NEG: return eval_unary(x, f, v, ret);
	case CELN_BINARY: return eval_binary(x, f, v, ret);
	case CELN_LOOP: return eval_loop(x, f, v, ret);
	case CELN_BIND: return eval_bind(x, f, v, ret);
	case CELN_COND:
		r = eval(x, f, v->arg[0], ret);
		if (r == 0 && ret->type != CEL_BOOL)
			r = cel_no_overload(x);
		return r < 0 ? r : eval(x, f, v->arg[ret->b ? 1 : 2], ret);
	}
	return cel_no_overload(x);
}

static int run(const struct cel_program *p, const struct cel_input *in, uint32_t n, unsigned *budget, struct arena *a, struct cel_value *ret,
	struct err *e)
{
	struct cel_run x = { a, e, budget };
	struct cel_frame *frames = arena_array(a, n, sizeof *frames);
	struct cel_value *values = arena_array(a, n, sizeof *values);
	if (!frames || !values)
		return cel_no_room(&x);
	for (uint32_t i = 0; i < n; i++) {
		if (in[i].value)
			values[i] = cel_of_tree(in[i].value, in[i].prop);
		if (in[i].is_optional) {
			struct cel_value inner = values[i];
			values[i] = (struct cel_value){ .type = CEL_OPTIONAL };
			if (in[i].value && some(&x, &inner, &values[i]) < 0)
				return -E2BIG;
		}
		frames[i] = (struct cel_frame){ slice_of(in[i].name), &values[i], i ? &frames[i - 1] : NULL };
	}
	return eval(&x, n ? &frames[n - 1] : NULL, p->root, ret);
}

int cel_eval_bool(const struct cel_program *p, const struct cel_input *in, uint32_t n, unsigned *budget, struct arena *a, bool *ret, struct err *e)
{
	struct cel_value v;
	int r = run(p, in, n, budget, a, &v, e);
	if (r < 0)
		return r;
	if (v.type != CEL_BOOL)
		return err_set(e, EINVAL, "no such overload");
	*ret = v.b;
	return 0;
}

int cel_eval_string(const struct cel_program *p, const struct cel_input *in, uint32_t n, unsigned *budget, struct arena *a, struct slice *ret,
	struct err *e)
{
	struct cel_value v;
	int r = run(p, in, n, budget, a, &v, e);
	if (r < 0)
		return r;
	if (v.type != CEL_STRING)
		return err_set(e, EINVAL, "no such overload");
	*ret = v.s;
	return 0;
}
