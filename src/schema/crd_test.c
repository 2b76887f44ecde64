/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/crd.h"

#include "api/kube.h"
#include "base/auto.h"
#include "base/test.h"
#include "schema/apply.h"
#include "schema/crd_int.h"

static struct arena a = { .max_bytes = 64 << 20 };
static struct err e;

/* Single quotes for double ones. */
static struct tree tree_of(const char *doc)
{
	struct tree t;
	char *s = arena_strdup(&a, doc);
	for (char *p = s; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	CHECK_OK(tree_from_json(slice_of(s), 0, &a, &t, &e), &e);
	return t;
}

static const char *json(const struct tree *t)
{
	AUTO(buf) struct buf b = BUF_INIT(16 << 20);
	CHECK_INT(tree_to_json(t, SCHEMA_SORTED, &b), 0);
	for (size_t i = 0; i < b.len; i++)
		b.ptr[i] = b.ptr[i] == '"' ? '\'' : b.ptr[i];
	return arena_dup(&a, buf_slice(&b));
}

static const char *text(const struct schema_problems *p)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	schema_problems_print(p, &b);
	return arena_dup(&a, buf_slice(&b));
}

static struct crd_schema *schema(const char *doc)
{
	struct schema_problems p = { .a = &a };
	struct crd_schema *s = NULL;
	struct tree t = tree_of(doc);
	if (crd_compile(&t, T_kube_object_meta, "schema", &p, &s) < 0)
		test_fail(__FILE__, __LINE__, "%s", text(&p));
	return s;
}

static void refuses(const char *doc, const char *why)
{
	struct schema_problems p = { .a = &a };
	struct crd_schema *s = NULL;
	struct tree t = tree_of(doc);
	CHECK_INT(crd_compile(&t, T_kube_object_meta, "schema", &p, &s), -EINVAL);
	CHECK_STR(text(&p), why);
}

static const char *problems(const struct crd_schema *s, const char *doc)
{
	struct schema_problems p = { .a = &a };
	struct tree t = tree_of(doc);
	unsigned n = crd_validate(s, &t, NULL, &p);
	CHECK_INT(n, p.n);
	return n ? text(&p) : "";
}

static const char web[] = "{'type':'object','properties':{'spec':{'type':'object','required':['image'],'properties':{"
	"'image':{'type':'string','minLength':1,'pattern':'^[a-z/]+(:[a-z0-9.]+)?$'},'replicas':{'type':'integer','format':'int32','minimum':0,'maximum':10,"
	"'default':1},'size':{'type':'string','enum':['small','large']},'port':{'x-kubernetes-int-or-string':true},"
	"'labels':{'type':'object','additionalProperties':{'type':'string'}},'tags':{'type':'array','x-kubernetes-list-type':'set','items':{'type':'string'}},"
	"'rules':{'type':'array','x-kubernetes-list-type':'map','x-kubernetes-list-map-keys':['name','proto'],'items':{'type':'object','required':['name'],"
	"'properties':{'name':{'type':'string'},'proto':{'type':'string','default':'TCP'},'n':{'type':'integer'}}}},"
	"'raw':{'type':'object','x-kubernetes-preserve-unknown-fields':true,'properties':{'known':{'type':'object','properties':{'x':{'type':'integer'}}}}}}}}}";

TEST(a_custom_resource_is_pruned_and_what_went_is_named)
{
	struct crd_schema *s = schema(web);
	struct tree t = tree_of("{'apiVersion':'e/v1','kind':'Web','metadata':{'name':'x','odd':1,'labels':{'any':'thing'},'managedFields':[{'fieldsV1':{'f:x':{}}}]},'spec':{'image':'i','nope':1,'labels':{'a':'b'},"
		"'rules':[{'name':'r','zzz':1}],'raw':{'any':{'thing':1},'known':{'x':1,'y':2}}},'status':{}}");
	AUTO(buf) struct buf unknown = BUF_INIT(4096);
	unsigned n;
	crd_prune(s, &t, &unknown, &n);
	CHECK_INT(n, 5);
	CHECK_STR(unknown.ptr, "unknown field \"metadata.odd\", unknown field \"spec.nope\", unknown field \"spec.rules[0].zzz\", unknown field \"spec.raw.known.y\", unknown field \"status\"");
	CHECK_STR(json(tree_gets(&t, "spec")), "{'image':'i','labels':{'a':'b'},'raw':{'any':{'thing':1},'known':{'x':1}},'rules':[{'name':'r'}]}");
	CHECK_STR(json(tree_gets(&t, "metadata")), "{'labels':{'any':'thing'},'managedFields':[{'fieldsV1':{'f:x':{}}}],'name':'x'}");
	CHECK(!crd_unref(s));
}

TEST(defaults_fill_what_is_absent_or_a_null_that_may_not_be)
{
	struct crd_schema *s = schema(web);
	struct tree t = tree_of("{'spec':{'image':'i','replicas':null,'size':null,'rules':[{'name':'r'}]}}");
	CHECK_INT(crd_default(s, &t, &a), 0);
	CHECK_STR(json(&t), "{'spec':{'image':'i','replicas':1,'rules':[{'name':'r','proto':'TCP'}]}}");
	crd_unref(s);
}

TEST(custom_resources_are_checked_in_kubernetes_words)
{
	struct crd_schema *s = schema(web);
	static const char *const rows[][2] = {
		{ "{'spec':{'image':'nginx:1.2','replicas':3,'size':'small','port':'http','tags':['a','b']}}", "" },
		{ "{'spec':{'replicas':'3','image':'i'}}",
		  "spec.replicas: Invalid value: \"string\": spec.replicas in body must be of type integer: \"string\"" },
		{ "{'spec':{'replicas':11,'image':'i'}}", "spec.replicas: Invalid value: 11: spec.replicas in body should be less than or equal to 10" },
		{ "{'spec':{'replicas':-1,'image':''}}", "[spec.replicas: Invalid value: -1: spec.replicas in body should be greater than or equal to 0, "
		  "spec.image: Invalid value: \"\": spec.image in body should be at least 1 chars long]" },
		{ "{'spec':{}}", "spec.image: Required value" },
		{ "{'spec':{'image':'i','size':'huge'}}", "spec.size: Unsupported value: \"huge\": supported values: \"small\", \"large\"" },
		{ "{'spec':{'image':'UP'}}", "spec.image: Invalid value: \"UP\": spec.image in body should match '^[a-z/]+(:[a-z0-9.]+)?$'" },
		{ "{'spec':{'image':'i','port':true}}",
		  "spec.port: Invalid value: \"boolean\": spec.port in body must be of type integer,string: \"boolean\"" },
		{ "{'spec':{'image':'i','labels':{'x':1}}}",
		  "spec.labels.x: Invalid value: \"integer\": spec.labels.x in body must be of type string: \"integer\"" },
		{ "{'spec':{'image':'i','tags':['a','b','a']}}", "spec.tags[2]: Duplicate value: \"a\"" },
		{ "{'spec':{'image':'i','rules':[{'name':'a','proto':'TCP'},{'name':'a','proto':'TCP'}]}}",
		  "spec.rules[1]: Duplicate value: {\"name\":\"a\",\"proto\":\"TCP\"}" },
		{ "{'spec':null}", "spec: Invalid value: \"null\": spec in body must be of type object: \"null\"" },
		{ "[]", "<nil>: Invalid value: \"array\":  in body must be of type object: \"array\"" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_STR(problems(s, rows[i][0]), rows[i][1]);
	crd_unref(s);
}

TEST(what_did_not_change_is_not_checked_again)
{
	struct crd_schema *s = schema(web);
	struct tree old = tree_of("{'spec':{'image':'BAD','replicas':1}}"), new = tree_of("{'spec':{'image':'BAD','replicas':2}}"), worse = tree_of("{'spec':{'image':'WORSE','replicas':2}}");
	struct schema_problems p = { .a = &a };
	CHECK_INT(crd_validate(s, &new, &old, &p), 0);
	CHECK_INT(crd_validate(s, &worse, &old, &p), 1);
	crd_unref(s);
}

TEST(schemas_that_are_not_structural_are_refused)
{
	refuses("{'properties':{}}", "schema.type: Required value: must not be empty at the root");
	refuses("{'type':'object','properties':{'a':{}}}", "schema.properties[a].type: Required value: must not be empty for specified object fields");
	refuses("{'type':'object','properties':{'a':{'type':'array'}}}", "schema.properties[a].items: Required value: must be specified");
	refuses("{'type':'object','properties':{'a':{'type':'string','pattern':'('}}}",
		"schema.properties[a].pattern: Invalid value: \"(\": must be a valid regular expression, but isn't: error parsing regexp: missing closing ): `(`");
	refuses("{'type':'object','anyOf':[{'properties':{'b':{'minimum':1}}}]}",
		"schema.properties[b]: Required value: because it is defined in schema.anyOf[0].properties[b]");
	refuses("{'type':'object','properties':{'l':{'type':'array','x-kubernetes-list-type':'map','x-kubernetes-list-map-keys':['k'],'items':{'type':'object','properties':{'k':{'type':'string'}}}}}}",
		"schema.properties[l].items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property");
	refuses("{'type':'object','properties':{'a':{'type':'string','default':1}}}",
		"schema.properties[a].default: Invalid value: \"integer\": schema.properties[a].default in body must be of type string: \"integer\"");
	refuses("{'type':'object','x-kubernetes-validations':[{'rule':'self.a > nope'}]}",
		"schema.x-kubernetes-validations[0].rule: Invalid value: \"self.a > nope\": compilation failed: ERROR: <input>:1:10: undeclared reference to 'nope' (in container '')");
	refuses("{'type':'object','allOf':[{'x-kubernetes-validations':[{'rule':'true'}]}]}",
		"schema.allOf[0].x-kubernetes-validations: Forbidden: must be empty to be structural");
}

TEST(server_side_apply_knows_the_lists_of_a_custom_resource)
{
	struct crd_schema *s = schema(web);
	struct apply_who who = { .node = crd_node(s), .api_version = "e/v1", .manager = "m", .now = "2026-01-01T00:00:00Z" };
	struct tree first = tree_of("{'apiVersion':'e/v1','kind':'Web','metadata':{'name':'x','labels':{'l':'1'}},'spec':{'tags':['a'],'rules':[{'name':'r','n':1}]}}"), x, y;
	struct tree second = tree_of("{'apiVersion':'e/v1','kind':'Web','metadata':{'name':'x'},'spec':{'tags':['b'],'rules':[{'name':'q'}]}}");
	bool changed;
	CHECK_OK(apply_patch(&who, NULL, &first, &a, &x, &changed, NULL, &e), &e);
	CHECK_STR(json(tree_path(&x, "metadata.managedFields[0].fieldsV1")), "{'f:metadata':{'f:labels':{'f:l':{}}},'f:spec':{'f:rules':"
		"{'k:{\\'name\\':\\'r\\',\\'proto\\':\\'TCP\\'}':{'.':{},'f:n':{},'f:name':{}}},'f:tags':{'v:\\'a\\'':{}}}}");
	who.manager = "n";
	CHECK_OK(apply_patch(&who, &x, &second, &a, &y, &changed, NULL, &e), &e);
	CHECK_STR(json(tree_gets(&y, "spec")), "{'rules':[{'n':1,'name':'r'},{'name':'q'}],'tags':['a','b']}");
	crd_unref(s);
}

static int matches(const char *pattern, const char *s)
{
	struct crd_pattern *p = NULL;
	CHECK_OK(crd_pattern_new(pattern, NULL, &p, &e), &e);
	int r = crd_pattern_match(p, slice_of(s));
	crd_patterns_free(p);
	return r;
}

TEST(patterns_are_those_of_go)
{
	CHECK_INT(matches("b", "abc"), 1);
	CHECK_INT(matches("^b", "abc"), 0);
	CHECK_INT(matches("c$", "abc\n"), 0);
	CHECK_INT(matches("(?i)ABC", "xabcx"), 1);
	CHECK_INT(matches("^(a|b)*$", "abab"), 1);
	CHECK_INT(matches("^\\pL{2}$", "\xc3\xa4\xc3\xb6"), 1);
	CHECK_INT(matches("^[[:alpha:]]+\\d{1,3}?$", "ab12"), 1);
	CHECK_INT(matches("", ""), 1);
	CHECK_INT(matches("^[^/]+$", "a/b"), 0);
	CHECK_INT(matches("\\bfoo\\b", "a foo b"), 1);
	CHECK_INT(matches("\\bfoo\\b", "a foob"), 0);
	CHECK_INT(matches("^\\Qa.b\\E+$", "a.bbb"), 1);
	CHECK_INT(matches("(?m)^b$", "a\nb\nc"), 1);
	CHECK_INT(matches("a.c", "a\nc"), 0);
	CHECK_INT(matches("(?s)a.c", "a\nc"), 1);
	CHECK_INT(matches("^a{2,3}$", "aaaa"), 0);
	CHECK_INT(matches("^a{2,}$", "aaaa"), 1);
	CHECK_INT(matches("^{a}{b$", "{a}{b"), 1);
	CHECK_INT(matches("^[]a-]+$", "]-a"), 1);
	CHECK_INT(matches("^[^\\d\\s]+$", "ab"), 1);
	CHECK_INT(matches("^\\x41\\x{42}\\103$", "ABC"), 1);
	CHECK_INT(matches("(?i)^\xc3\x84$", "\xc3\xa4"), 1);
	CHECK_INT(matches("^\\P{Greek}$", "\xce\xb1"), 0);
	static const char *const bad[] = { "(?=x)", "(?!x)", "(?<=x)", "(a)\\1", "a**", "a{2}{3}", "(?>a)", "(?R)", "\\K", "a++", "(", "[", "\\", "(*ACCEPT)", "a)|(b", "(?#x)", "[z-a]", "a{1001}", "\\p{Nope}", "\xff", "*a", "(|*)", "a{2,1}" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct crd_pattern *p = NULL;
		if (crd_pattern_new(bad[i], NULL, &p, &e) == 0)
			test_fail(__FILE__, __LINE__, "%s is taken", bad[i]);
	}
	/* patterns that ruin others: one pass for each */
	char *long_text = arena_alloc(&a, 20001);
	memset(long_text, 'a', 20000);
	CHECK_INT(matches("(a+)+$", arena_fmt(&a, "%s!", long_text)), 0);
	CHECK_INT(matches("(a|aa)+b", long_text), 0);
	CHECK_INT(matches("a.*a.*a.*b", long_text), 0);
}

TEST(formats_hold_what_they_say)
{
	static const struct { const char *format, *text; bool ok; } rows[] = {
		{ "date-time", "2020-02-29T23:59:59.1Z", true }, { "date-time", "2021-02-29T00:00:00Z", false }, { "date-time", "2020-01-01T00:00:00+01:00", true },
		{ "date-time", "2020-01-01", false }, { "date", "2020-01-31", true }, { "date", "2020-13-01", false }, { "ipv4", "1.2.3.4", true },
		{ "ipv4", "1.2.3", false }, { "ipv6", "::1", true }, { "ipv6", "1.2.3.4", false }, { "cidr", "10.0.0.0/8", true }, { "cidr", "10.0.0.0/33", false },
		{ "uuid", "01234567-89AB-cdef-0123-456789abcdef", true }, { "uuid", "0123", false }, { "uuid4", "01234567-89ab-4def-8123-456789abcdef", true },
		{ "byte", "aGk=", true }, { "byte", "a", false }, { "hostname", "a.example.com", true }, { "hostname", "-a", false }, { "mac", "00:11:22:33:44:55", true },
		{ "duration", "1h2m3.5s", true }, { "duration", "3 days", true }, { "duration", "x", false }, { "email", "a@b.c", true }, { "email", "a", false },
		{ "uri", "https://x/y", true }, { "uri", "nope", false }, { "k8s-short-name", "a-b", true }, { "k8s-short-name", "A", false },
		{ "hexcolor", "#ffF", true }, { "creditcard", "4111 1111 1111 1111", true }, { "isbn13", "978-0321751041", true }, { "ssn", "111-22-3333", true },
		{ "rgbcolor", "rgb(1,2,300)", false }, { "nonsense", "anything", true },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (crd_format_matches(rows[i].format, slice_of(rows[i].text)) != rows[i].ok)
			test_fail(__FILE__, __LINE__, "%s %s", rows[i].format, rows[i].text);
}

TEST(compiled_schemas_without_room_fail_and_nothing_else)
{
	struct crd_schema *s = schema(web);
	struct tree t = tree_of("{'spec':{'replicas':'3','rules':[{'name':'r'}]}}"), copy;
	for (size_t max = 0; max < 64 << 10; max += 4096) {
		struct arena small;
		arena_init(&small, max);
		struct schema_problems p = { .a = &small };
		CHECK(crd_validate(s, &t, NULL, &p) > 0);
		if (tree_copy(&t, &small, &copy) == 0)
			(void)crd_default(s, &copy, &small);
		arena_release(&small);
	}
	crd_unref(s);
}
