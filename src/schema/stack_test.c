/* SPDX-License-Identifier: Apache-2.0 */
/* Fibers have small stacks: the deepest documents that can be read must not need more than half of one. */
#include <pthread.h>

#include "api/kube.h"
#include "base/auto.h"
#include "base/test.h"
#include "schema/apply.h"
#include "schema/cel.h"
#include "schema/crd.h"
#include "schema/crd_int.h"
#include "schema/jsonpath.h"
#include "schema/patch.h"

enum { STACK_BYTES = 128 << 10 };

static void in_small_stack(void *(*run)(void *))
{
	pthread_attr_t attr;
	pthread_t t;
	CHECK_INT(pthread_attr_init(&attr), 0);
	CHECK_INT(pthread_attr_setstacksize(&attr, STACK_BYTES), 0);
	CHECK_INT(pthread_create(&t, &attr, run, NULL), 0);
	CHECK_INT(pthread_join(t, NULL), 0);
	pthread_attr_destroy(&attr);
}

/* n times `open`, `core`, n times `close` */
static struct tree nested(struct arena *a, unsigned n, const char *open, const char *core, const char *close)
{
	struct tree t;
	struct err e;
	struct buf b = BUF_INIT(1 << 20);
	for (unsigned i = 0; i < n; i++)
		buf_adds(&b, open);
	buf_adds(&b, core);
	for (unsigned i = 0; i < n; i++)
		buf_adds(&b, close);
	CHECK_OK(tree_from_json(buf_slice(&b), 0, a, &t, &e), &e);
	buf_release(&b);
	return t;
}

static void *patches(void *arg)
{
	static struct arena a = { .max_bytes = 256 << 20 };
	static struct err e;
	static struct tree x, y, z, out;
	const unsigned n = TREE_MAX_DEPTH;
	x = nested(&a, n, "{\"a\":", "1", "}");
	y = nested(&a, n, "{\"a\":", "2", "}");
	z = nested(&a, n, "{\"a\":", "3", "}");
	CHECK_OK(tree_merge_patch(&x, &y, &a, &out, &e), &e);
	CHECK_OK(tree_merge_diff3(&x, &y, &z, &a, &out, &e), &e);
	CHECK_OK(tree_strategic_patch(T_kube_deployment, &x, &y, &a, &out, &e), &e);
	CHECK_OK(tree_strategic_diff3(T_kube_deployment, &x, &y, &z, &a, &out, &e), &e);
	return NULL;
}

static void *apply(void *arg)
{
	static struct arena a = { .max_bytes = 256 << 20 };
	static struct err e;
	static struct tree x, y, out, again, managed;
	static struct apply_who who = { .api_version = "v1", .manager = "m", .now = "2026-01-01T00:00:00Z", .is_forced = true };
	static struct fields f, g;
	bool changed;
	x = nested(&a, APPLY_MAX_DEPTH, "{\"a\":", "1", "}");
	y = nested(&a, APPLY_MAX_DEPTH - 1, "{\"a\":", "{\"b\":1}", "}");
	CHECK(tree_set(&a, &x, SLICE("apiVersion"), tree_string(SLICE("v1"))) && tree_set(&a, &y, SLICE("apiVersion"), tree_string(SLICE("v1"))));
	CHECK_OK(apply_patch(&who, NULL, &x, &a, &out, &changed, NULL, &e), &e);
	CHECK_OK(apply_patch(&who, &out, &y, &a, &again, &changed, NULL, &e), &e);
	CHECK_OK(apply_track(&who, &again, &x, &a, &out, &e), &e);
	managed = nested(&a, TREE_MAX_DEPTH - 1, "{\"f:a\":", "{}", "}");
	CHECK_OK(fields_from_tree(&managed, &a, &f, &e), &e);
	CHECK_INT(fields_union(&f, &f, &a, &g), 0);
	CHECK_INT(fields_to_tree(&f, &a, &out), 0);
	return NULL;
}

static void *custom(void *arg)
{
	static struct arena a = { .max_bytes = 256 << 20 };
	static struct tree schema, obj;
	static struct schema_problems p = { .a = &a };
	struct crd_schema *s = NULL;
	schema = nested(&a, 126, "{\"type\":\"object\",\"properties\":{\"a\":", "{\"type\":\"string\",\"minLength\":3}", "}}");
	obj = nested(&a, 126, "{\"a\":", "\"x\"", "}");
	CHECK_INT(crd_compile(&schema, T_kube_object_meta, "schema", &p, &s), 0);
	crd_prune(s, &obj, NULL, NULL);
	CHECK_INT(crd_default(s, &obj, &a), 0);
	CHECK_INT(crd_validate(s, &obj, NULL, &p), 1);
	crd_unref(s);
	schema = nested(&a, 80, "{\"type\":\"object\",\"allOf\":[", "{}", "]}");
	CHECK_INT(crd_compile(&schema, T_kube_object_meta, "schema", &p, &s), -EINVAL);
	return NULL;
}

static void *templates(void *arg)
{
	static struct arena a = { .max_bytes = 256 << 20 };
	static struct err e;
	static struct tree x;
	static struct jsonpath_results found;
	struct jsonpath *j;
	struct crd_pattern *p;
	struct buf b = BUF_INIT(1 << 20);
	x = nested(&a, TREE_MAX_DEPTH, "[", "", "]");
	CHECK_OK(jsonpath_parse(SLICE("{..x}"), 0, &a, &j, &e), &e);
	CHECK_OK(jsonpath_find(j, &x, JSONPATH_ALLOW_MISSING, &a, &found, &e), &e);
	for (int i = 0; i < 40; i++)
		buf_adds(&b, "[?(@");
	CHECK(jsonpath_parse(slice_of(arena_fmt(&a, "{%s}", b.ptr)), 0, &a, &j, &e) < 0);
	buf_reset(&b);
	for (int i = 0; i < 2000; i++)
		buf_adds(&b, "(");
	CHECK_INT(crd_pattern_new(b.ptr, NULL, &p, &e), -EINVAL);
	buf_release(&b);
	return NULL;
}

/* The deepest expressions that are taken, of each kind. */
static void *expressions(void *arg)
{
	static const char *const vars[] = { "self", NULL };
	static const char *const kinds[][3] = { { "(", "1 == 1", ")" }, { "[", "1", "]" }, { "size([", "1", "])" }, { "{1:", "1", "}" }, { "-", "self.n", "" },
		{ "self.l.all(x, ", "true", ")" }, { "false ? false : ", "true", "" }, { "cel.bind(x, 1, ", "x", ")" }, { "!", "true", "" }, { "self.l.map(x, ", "x", ")" } };
	static struct arena a = { .max_bytes = 256 << 20 };
	static struct err e;
	static struct tree self;
	CHECK_OK(tree_from_json(SLICE("{\"n\":1,\"l\":[1]}"), 0, &a, &self, &e), &e);
	struct cel_input in = { "self", &self, NULL, false };
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		unsigned taken = 0;
		for (unsigned n = 10; n < 80; n++) {
			struct cel_program *p;
			unsigned budget = CEL_BUDGET;
			bool b;
			struct buf text = BUF_INIT(1 << 16);
			for (unsigned i = 0; i < n; i++)
				buf_adds(&text, kinds[k][0]);
			buf_adds(&text, kinds[k][1]);
			for (unsigned i = 0; i < n; i++)
				buf_adds(&text, kinds[k][2]);
			int r = cel_compile(buf_slice(&text), vars, &a, &p, &e);
			buf_release(&text);
			if (r < 0)
				continue;
			taken = n;
			(void)cel_eval_bool(p, &in, 1, &budget, &a, &b, &e);
			cel_release(p);
		}
		CHECK(taken >= 10 && taken < 79);
	}
	return NULL;
}

TEST(patches_of_the_deepest_documents_fit_a_fiber) { in_small_stack(patches); }
TEST(apply_of_the_deepest_documents_fits_a_fiber) { in_small_stack(apply); }
TEST(the_deepest_schemas_fit_a_fiber) { in_small_stack(custom); }
TEST(templates_and_patterns_fit_a_fiber) { in_small_stack(templates); }
TEST(the_deepest_expressions_fit_a_fiber) { in_small_stack(expressions); }
