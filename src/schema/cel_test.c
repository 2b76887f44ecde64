/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/cel.h"

#include "api/kube.h"
#include "base/auto.h"
#include "base/test.h"
#include "schema/crd.h"

static struct arena a = { .max_bytes = 64 << 20 };
static struct err e;
static const char *const vars[] = { "self", "oldSelf", NULL };

static struct tree tree_of(const char *doc)
{
	struct tree t;
	char *s = arena_strdup(&a, doc);
	for (char *p = s; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	CHECK_OK(tree_from_json(slice_of(s), 0, &a, &t, &e), &e);
	return t;
}

/* 1, 0, or the error's text in e */
static int evaluate(const char *text)
{
	struct tree self = tree_of("{'n':3,'d':1.5,'s':'hello','t':true,'l':[1,2,3],'names':['a','b'],'m':{'k':'v','x-y':'z'},'o':{'a':{'b':1}},'nul':null,"
		"'rules':[{'name':'r','port':80},{'name':'q','port':443}]}");
	struct cel_input in[] = { { "self", &self, NULL, false }, { "oldSelf", NULL, NULL, true } };
	struct cel_program *p;
	unsigned budget = CEL_BUDGET;
	bool got = false;
	int r = cel_compile(slice_of(text), vars, &a, &p, &e);
	if (r < 0)
		return r;
	r = cel_eval_bool(p, in, 2, &budget, &a, &got, &e);
	cel_release(p);
	return r < 0 ? r : got;
}

TEST(expressions_that_hold)
{
	static const char *const rows[] = {
		"true", "!false", "1 + 2 * 3 == 7", "(1 + 2) * 3 == 9", "7 / 2 == 3", "-7 % 3 == -1", "7.0 / 2.0 == 3.5", "self.n == 3", "self.n >= 3.0", "self.d > 1",
		"self.s == 'hello'", "self.s.startsWith(\"he\") && self.s.endsWith('lo')", "self.s.contains('ell')", "self.s.matches('^h.*o$')", "matches(self.s, '[a-z]+')",
		"size(self.s) == 5", "self.l.size() == 3", "2 in self.l", "!(9 in self.l)", "'k' in self.m", "self.m['k'] == 'v'", "self.m.x__dash__y == 'z'",
		"has(self.o.a.b) && !has(self.o.c)", "self.l.all(x, x > 0)", "self.l.exists(x, x == 2)", "self.l.exists_one(x, x > 2)", "self.l.map(x, x * 2) == [2, 4, 6]",
		"self.l.filter(x, x > 1).size() == 2", "self.l.map(x, x > 1, x * x) == [4, 9]", "self.rules.all(r, r.port < 1000 && r.name != '')",
		"self.rules.map(r, r.name).join(',') == 'r,q'", "self.n > 2 ? self.t : false", "self.m.all(k, self.m[k] != '')", "self.nul == null", "type(1) == int",
		"string(1.5) == '1.5' && string(42) == '42'", "int('12') + 1 == 13", "double('1.5') == self.d", "'a-b-c'.split('-') == ['a','b','c']",
		"'Hello'.lowerAscii() == 'hello'", "'abc'.substring(1) == 'bc' && 'abc'.substring(0, 2) == 'ab'", "'aXbX'.replace('X', '-') == 'a-b-'",
		"' x '.trim() == 'x'", "'abcb'.indexOf('b') == 1 && 'abcb'.lastIndexOf('b') == 3", "[1,2,3].sum() == 6 && [3,1].max() == 3 && [3,1].min() == 1",
		"[1,2,2].isSorted()", "sets.contains([1,2,3], [2]) && sets.equivalent([1,2], [2,1,1])", "math.greatest(1, 5, 3) == 5 && math.least([4, 2]) == 2",
		"duration('1h') > duration('59m')", "duration('90m').getHours() == 1", "timestamp('2020-01-02T03:04:05Z').getFullYear() == 2020",
		"timestamp('2020-01-02T00:00:00Z') - timestamp('2020-01-01T00:00:00Z') == duration('24h')", "quantity('1Gi').isGreaterThan(quantity('1G'))",
		"quantity('500m').add(quantity('500m')).compareTo(quantity('1')) == 0", "isQuantity('1Ki') && !isQuantity('x')", "ip('10.0.0.1').family() == 4",
		"cidr('10.0.0.0/8').containsIP('10.1.2.3')", "isCIDR('10.0.0.0/8') && !isIP('10.0.0')", "url('https://h:80/p').getHost() == 'h:80'", "isURL('https://x')",
		"!oldSelf.hasValue()", "self.?o.?a.?b.orValue(0) == 1", "self.?nope.orValue('d') == 'd'", "optional.of(1).hasValue()", "self.l[0] == 1", "{'a': 1}.a == 1",
		"[1, 2] + [3] == [1, 2, 3]", "'x' + 'y' == 'xy'", "1 == 1.0 && 1u == 1", "'\\u00e4'.size() == 1", "r'\\d' == '\\\\d'", "\"\"\"a\nb\"\"\".size() == 3",
		"false && self.nope.x || true", "self.nope.x || true", "cel.bind(x, self.n + 1, x * x == 16)", "self.n in [1, 2, 3] // a comment", "0x10 == 16",
		"self.names.exists(n, n == 'b')", "dyn(self.n) == 3", "'b' < 'c'", "!self.l.exists(x, x > 5)", "self.s.charAt(1) == 'e'", "1e3 == 1000.0",
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int r = evaluate(rows[i]);
		if (r != 1)
			test_fail(__FILE__, __LINE__, "%s: %d %s", rows[i], r, r < 0 ? e.text : "");
	}
}

TEST(expressions_that_fail_say_why)
{
	static const char *const rows[][2] = {
		{ "self.nope == 1", "no such key: nope" }, { "self.l[7] == 1", "index out of bounds: 7" }, { "1 / 0 == 1", "division by zero" },
		{ "self.s > 1", "no such overload" }, { "self.s + 1 == 'x'", "no such overload" }, { "9223372036854775807 + 1 > 0", "integer overflow" },
		{ "self.l.all(x, x.y)", "no such overload" }, { "int('x') == 1", "type conversion error from 'string' to 'int'" },
		{ "self.nope.x && true", "no such key: nope" }, { "'abc'.substring(5) == ''", "index out of range: 5" }, { "self.n", "no such overload" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int r = evaluate(rows[i][0]);
		if (r != -EINVAL || strcmp(e.text, rows[i][1]))
			test_fail(__FILE__, __LINE__, "%s: %d %s", rows[i][0], r, e.text);
	}
}

TEST(expressions_that_are_none_are_refused)
{
	static const char *const rows[] = { "", "1 +", "foo", "foo(1)", "self.", "self.a(", "[1", "{1}", "'x", "1 = 2", "self.all(1, true)", "has(self)", "size()", "a b", "1..2",
		"self.matches('(')", "for", "true ? 1", "self.l.all(x, y)", "find('x')" };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cel_program *p;
		int r = cel_compile(slice_of(rows[i]), vars, &a, &p, &e);
		if (r != -EINVAL || strncmp(e.text, "compilation failed: ", 20))
			test_fail(__FILE__, __LINE__, "%s: %d %s", rows[i], r, e.text);
	}
	char deep[500];
	memset(deep, '(', sizeof deep - 1);
	deep[sizeof deep - 1] = 0;
	struct cel_program *p;
	CHECK_INT(cel_compile(slice_of(deep), vars, &a, &p, &e), -EINVAL);
}

TEST(expressions_that_run_too_long_are_stopped)
{
	struct cel_program *p;
	unsigned budget = CEL_BUDGET;
	bool got;
	struct tree self = tree_of("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]");
	struct cel_input in = { "self", &self, NULL, false };
	CHECK_OK(cel_compile(SLICE("self.all(a, self.all(b, self.all(c, self.all(d, self.all(e, self.all(f, a > 0))))))"), vars, &a, &p, &e), &e);
	CHECK_INT(cel_eval_bool(p, &in, 1, &budget, &a, &got, &e), -E2BIG);
	CHECK_STR(e.text, "operation cancelled: actual cost limit exceeded");
}

static const char *check(const char *schema, const char *obj, const char *old)
{
	struct tree s = tree_of(schema), o = tree_of(obj), was;
	struct schema_problems p = { .a = &a };
	struct crd_schema *c = NULL;
	AUTO(buf) struct buf b = BUF_INIT(1 << 16);
	if (old)
		was = tree_of(old);
	CHECK_INT(crd_compile(&s, T_kube_object_meta, "schema", &p, &c), 0);
	unsigned n = crd_validate(c, &o, old ? &was : NULL, &p);
	if (n)
		schema_problems_print(&p, &b);
	crd_unref(c);
	return arena_dup(&a, buf_slice(&b));
}

TEST(rules_of_a_schema_are_run_on_objects)
{
	static const char schema[] = "{'type':'object','properties':{'spec':{'type':'object','x-kubernetes-validations':["
		"{'rule':'self.min <= self.max','message':'min is above max'},{'rule':'!has(self.name) || self.name.size() < 4'}],"
		"'properties':{'min':{'type':'integer'},'max':{'type':'integer','x-kubernetes-validations':[{'rule':'self >= oldSelf','message':'may not shrink'},"
		"{'rule':'self < 100','messageExpression':'\\\"too large: \\\" + string(self)','reason':'FieldValueForbidden'}]},'name':{'type':'string'}}}}}";
	CHECK_STR(check(schema, "{'spec':{'min':1,'max':2}}", NULL), "");
	CHECK_STR(check(schema, "{'spec':{'min':3,'max':2}}", NULL), "spec: Invalid value: min is above max");
	CHECK_STR(check(schema, "{'spec':{'min':1,'max':2,'name':'long'}}", NULL), "spec: Invalid value: failed rule: !has(self.name) || self.name.size() < 4");
	CHECK_STR(check(schema, "{'spec':{'min':1,'max':2}}", "{'spec':{'min':1,'max':3}}"), "spec.max: Invalid value: 2: may not shrink");
	CHECK_STR(check(schema, "{'spec':{'min':1,'max':200}}", NULL), "spec.max: Forbidden: too large: 200");
	CHECK_STR(check(schema, "{'spec':{'min':1}}", NULL), "spec: Invalid value: \"object\": no such key: max evaluating rule: min is above max");
	CHECK_STR(check(schema, "{'spec':{'min':'x','max':1}}", NULL), "[spec.min: Invalid value: \"string\": spec.min in body must be of type integer: \"string\", "
		"<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation]");
}
