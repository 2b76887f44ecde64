/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/patch.h"

#include "api/kube.h"
#include "base/auto.h"
#include "base/test.h"

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

static void gives(struct schema_ref t, const char *doc, const char *patch, const char *want)
{
	struct tree d = tree_of(doc), p = tree_of(patch), out;
	const char *before = json(&d);
	CHECK_OK(tree_strategic_patch(t, &d, &p, &a, &out, &e), &e);
	CHECK_STR(json(&out), want);
	CHECK_STR(json(&d), before);
}

static void refuses(struct schema_ref t, const char *doc, const char *patch, int code, const char *why)
{
	struct tree d = tree_of(doc), p = tree_of(patch), out;
	CHECK_INT(tree_strategic_patch(t, &d, &p, &a, &out, &e), code);
	CHECK_STR(e.text, why);
}

TEST(strategic_patch_merges_lists_by_their_key)
{
	gives(T_kube_pod, "{'spec':{'containers':[{'name':'a','image':'x'},{'name':'b','image':'y'}]}}",
		"{'spec':{'containers':[{'name':'b','image':'z'},{'name':'c','image':'n'}]}}",
		"{'spec':{'containers':[{'image':'x','name':'a'},{'image':'z','name':'b'},{'image':'n','name':'c'}]}}");
	gives(T_kube_pod, "{'spec':{'containers':[{'name':'a','image':'x'},{'name':'b'}]}}",
		"{'spec':{'containers':[{'$patch':'delete','name':'a'}]}}", "{'spec':{'containers':[{'name':'b'}]}}");
	gives(T_kube_pod, "{'spec':{'containers':[{'name':'a','image':'x'},{'name':'b'}]}}",
		"{'spec':{'containers':[{'$patch':'replace'},{'name':'c'}]}}", "{'spec':{'containers':[{'name':'c'}]}}");
	/* lists of no strategy are replaced */
	gives(T_kube_pod, "{'spec':{'containers':[{'name':'a','args':['1','2']}],'tolerations':[{'key':'x'}]}}",
		"{'spec':{'containers':[{'name':'a','args':['3']}],'tolerations':[{'key':'y'}]}}",
		"{'spec':{'containers':[{'args':['3'],'name':'a'}],'tolerations':[{'key':'y'}]}}");
}

TEST(strategic_patch_deletes_with_null_and_directives)
{
	gives(T_kube_pod, "{'metadata':{'labels':{'a':'1','b':'2'}},'spec':{'nodeName':'n'}}", "{'metadata':{'labels':{'a':null,'c':'3'}},'spec':{'nodeName':null}}",
		"{'metadata':{'labels':{'b':'2','c':'3'}},'spec':{}}");
	gives(T_kube_pod, "{'metadata':{'labels':{'a':'1'}}}", "{'metadata':{'labels':{'$patch':'replace','z':'1'}}}", "{'metadata':{'labels':{'z':'1'}}}");
	gives(T_kube_pod, "{'metadata':{'labels':{'a':'1'}}}", "{'metadata':{'labels':{'$patch':'delete'}}}", "{'metadata':{'labels':{}}}");
	gives(T_kube_pod, "{'metadata':{'finalizers':['a','b','c']}}", "{'metadata':{'$deleteFromPrimitiveList/finalizers':['b']}}",
		"{'metadata':{'finalizers':['a','c']}}");
	gives(T_kube_pod, "{'metadata':{'finalizers':['a','b']}}", "{'metadata':{'finalizers':['c','a']}}", "{'metadata':{'finalizers':['c','a','b']}}");
	gives(T_kube_pod, "{}", "{'spec':{'containers':[{'name':'a','$patch':'delete'},{'name':'b','image':null}]}}", "{'spec':{'containers':[{'name':'b'}]}}");
}

TEST(strategic_patch_orders_lists_as_told)
{
	gives(T_kube_pod, "{'spec':{'containers':[{'name':'a'},{'name':'b'},{'name':'s'}]}}",
		"{'spec':{'$setElementOrder/containers':[{'name':'b'},{'name':'a'}]}}", "{'spec':{'containers':[{'name':'b'},{'name':'a'},{'name':'s'}]}}");
	gives(T_kube_pod, "{'spec':{'containers':[{'name':'a'},{'name':'b'},{'name':'s'}]}}",
		"{'spec':{'$setElementOrder/containers':[{'name':'c'},{'name':'b'},{'name':'a'}],'containers':[{'name':'c','image':'i'},{'name':'a','image':'j'}]}}",
		"{'spec':{'containers':[{'image':'i','name':'c'},{'name':'b'},{'image':'j','name':'a'},{'name':'s'}]}}");
	gives(T_kube_pod, "{'metadata':{'finalizers':['a','b']}}", "{'metadata':{'$setElementOrder/finalizers':['b','c','a'],'finalizers':['c']}}",
		"{'metadata':{'finalizers':['b','c','a']}}");
	refuses(T_kube_pod, "{'spec':{'containers':[{'name':'a'}]}}",
		"{'spec':{'$setElementOrder/containers':[{'name':'b'}],'containers':[{'name':'c'}]}}", -EBADMSG,
		"The order in patch list doesn't match $setElementOrder list");
}

TEST(strategic_patch_retains_keys)
{
	gives(T_kube_deployment, "{'spec':{'strategy':{'type':'RollingUpdate','rollingUpdate':{'maxSurge':1}}}}",
		"{'spec':{'strategy':{'$retainKeys':['type'],'type':'Recreate'}}}", "{'spec':{'strategy':{'type':'Recreate'}}}");
	gives(T_kube_pod, "{'spec':{'volumes':[{'name':'v','emptyDir':{}}]}}",
		"{'spec':{'volumes':[{'$retainKeys':['name','hostPath'],'name':'v','hostPath':{'path':'/x'}}]}}",
		"{'spec':{'volumes':[{'hostPath':{'path':'/x'},'name':'v'}]}}");
	refuses(T_kube_deployment, "{'spec':{'strategy':{'type':'RollingUpdate'}}}", "{'spec':{'strategy':{'$retainKeys':[],'type':'Recreate'}}}", -EBADMSG,
		"invalid patch format of retainKeys");
}

TEST(strategic_patches_that_cannot_be_are_refused)
{
	refuses(T_kube_pod, "{'spec':{'containers':[{'name':'a'}]}}", "{'spec':{'containers':[{'image':'a'}]}}", -EBADMSG,
		"map: {\"image\":\"a\"} does not contain declared merge key: name");
	refuses(T_kube_pod, "{'spec':{'containers':[{'name':'a'}]}}", "{'spec':{'containers':['x']}}", -EBADMSG, "list element types are not identical");
	refuses(T_kube_pod, "{'spec':{'containers':[{'name':'a'}]}}", "{'spec':{'containers':[[1]]}}", -EDOM, "lists of lists are not supported");
	refuses(T_kube_pod, "{'spec':{}}", "{'spec':{'$patch':'frob'}}", -EBADMSG, "unknown patch type: frob in map");
	refuses(T_kube_pod, "{}", "[]", -EBADMSG, "invalid JSON document");
}

static const char *diff(struct schema_ref t, const char *original, const char *modified)
{
	struct tree o = tree_of(original), m = tree_of(modified), out, back;
	CHECK_OK(tree_strategic_diff(t, &o, &m, &a, &out, &e), &e);
	CHECK_OK(tree_strategic_patch(t, &o, &out, &a, &back, &e), &e);
	CHECK_STR(json(&back), json(&m));
	return json(&out);
}

TEST(a_strategic_diff_leads_from_one_document_to_the_other)
{
	CHECK_STR(diff(T_kube_pod, "{'spec':{'containers':[{'name':'a','image':'x'},{'name':'b'}]}}", "{'spec':{'containers':[{'name':'a','image':'y'},{'name':'c'}]}}"),
		"{'spec':{'$setElementOrder/containers':[{'name':'a'},{'name':'c'}],'containers':[{'image':'y','name':'a'},{'name':'c'},{'$patch':'delete','name':'b'}]}}");
	CHECK_STR(diff(T_kube_pod, "{'spec':{'containers':[{'name':'a'},{'name':'b'}]}}", "{'spec':{'containers':[{'name':'b'},{'name':'a'}]}}"),
		"{'spec':{'$setElementOrder/containers':[{'name':'b'},{'name':'a'}]}}");
	CHECK_STR(diff(T_kube_pod, "{'metadata':{'finalizers':['a','b'],'labels':{'x':'1'}}}", "{'metadata':{'finalizers':['c','b'],'labels':{}}}"),
		"{'metadata':{'$deleteFromPrimitiveList/finalizers':['a'],'$setElementOrder/finalizers':['c','b'],'finalizers':['c'],'labels':{'x':null}}}");
	CHECK_STR(diff(T_kube_deployment, "{'spec':{'strategy':{'type':'RollingUpdate','rollingUpdate':{'maxSurge':1}}}}", "{'spec':{'strategy':{'type':'Recreate'}}}"),
		"{'spec':{'strategy':{'$retainKeys':['type'],'rollingUpdate':null,'type':'Recreate'}}}");
	CHECK_STR(diff(T_kube_pod, "{'spec':{'containers':[{'name':'a'}]}}", "{'spec':{'containers':[{'name':'a'}]}}"), "{}");
}

TEST(apply_keeps_what_others_added_and_deletes_what_was_applied)
{
	struct tree o = tree_of("{'metadata':{'labels':{'mine':'1','gone':'1'}},'spec':{'containers':[{'name':'a','image':'x'},{'name':'gone'}]}}");
	struct tree m = tree_of("{'metadata':{'labels':{'mine':'2'}},'spec':{'containers':[{'name':'a','image':'y'}]}}");
	struct tree c = tree_of("{'metadata':{'labels':{'mine':'1','gone':'1','theirs':'1'}},'spec':{'nodeName':'n','containers':[{'name':'a','image':'x',"
		"'imagePullPolicy':'Always'},{'name':'gone'},{'name':'injected'}]}}"), out, after;
	CHECK_OK(tree_strategic_diff3(T_kube_pod, &o, &m, &c, &a, &out, &e), &e);
	CHECK_STR(json(&out), "{'metadata':{'labels':{'gone':null,'mine':'2'}},'spec':{'$setElementOrder/containers':[{'name':'a'}],"
		"'containers':[{'image':'y','name':'a'},{'$patch':'delete','name':'gone'}]}}");
	CHECK_OK(tree_strategic_patch(T_kube_pod, &c, &out, &a, &after, &e), &e);
	CHECK_STR(json(&after), "{'metadata':{'labels':{'mine':'2','theirs':'1'}},'spec':{'containers':[{'image':'y','imagePullPolicy':'Always','name':'a'},"
		"{'name':'injected'}],'nodeName':'n'}}");
}
