/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/apply.h"

#include "api/kube.h"
#include "base/auto.h"
#include "base/test.h"

static struct arena a = { .max_bytes = 64 << 20 };
static struct err e;
static struct apply_who who;

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

static void as(const char *manager, const char *now, bool is_forced)
{
	who = (struct apply_who){ .node = schema_node_of(T_kube_deployment), .api_version = "apps/v1", .manager = manager, .now = now,
		.reset = "status", .is_forced = is_forced };
}

static struct tree apply(const struct tree *live, const char *doc)
{
	struct tree applied = tree_of(doc), out;
	bool changed;
	CHECK_OK(apply_patch(&who, live, &applied, &a, &out, &changed, NULL, &e), &e);
	return out;
}

static struct tree update(const struct tree *live, const char *doc)
{
	struct tree object = tree_of(doc), out;
	CHECK_OK(apply_track(&who, live, &object, &a, &out, &e), &e);
	return out;
}

#define HEAD "'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'d'}"
#define T1 "2026-01-01T00:00:00Z"
#define T2 "2026-01-02T00:00:00Z"

TEST(what_is_applied_is_owned_and_what_is_not_any_more_goes)
{
	as("m", T1, false);
	struct tree x = apply(NULL, "{" HEAD ",'spec':{'replicas':1,'paused':true}}");
	CHECK_STR(json(&x), "{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'managedFields':[{'apiVersion':'apps/v1','fieldsType':'FieldsV1',"
		"'fieldsV1':{'f:spec':{'f:paused':{},'f:replicas':{}}},'manager':'m','operation':'Apply','time':'" T1 "'}],'name':'d'},"
		"'spec':{'paused':true,'replicas':1}}");
	as("m", T2, false);
	x = apply(&x, "{" HEAD ",'spec':{'replicas':2}}");
	CHECK_STR(json(tree_gets(&x, "spec")), "{'replicas':2}");
	CHECK_SLICE(tree_text(tree_path(&x, "metadata.managedFields[0].time")), T2);
}

TEST(applying_the_same_again_changes_nothing)
{
	struct tree applied = tree_of("{" HEAD ",'spec':{'replicas':1}}"), out;
	bool changed;
	as("m", T1, false);
	struct tree x = apply(NULL, "{" HEAD ",'spec':{'replicas':1}}");
	as("m", T2, false);
	CHECK_OK(apply_patch(&who, &x, &applied, &a, &out, &changed, NULL, &e), &e);
	CHECK(!changed);
	CHECK_SLICE(tree_text(tree_path(&out, "metadata.managedFields[0].time")), T1);
}

TEST(a_field_of_another_manager_is_a_conflict_unless_forced)
{
	struct tree applied = tree_of("{" HEAD ",'spec':{'replicas':3,'template':{'spec':{'containers':[{'name':'a','image':'y'}]}}}}"), out;
	struct apply_conflicts c;
	bool changed;
	as("hand", T1, false);
	struct tree x = update(NULL, "{" HEAD ",'spec':{'replicas':1}}");
	as("m", T2, false);
	CHECK_INT(apply_patch(&who, &x, &applied, &a, &out, &changed, &c, &e), -EBUSY);
	CHECK_STR(e.text, "Apply failed with 1 conflict: conflict with \"hand\" using apps/v1: .spec.replicas");
	CHECK_INT(c.n, 1);
	CHECK_STR(c.v[0].field, ".spec.replicas");
	CHECK_STR(c.v[0].message, "conflict with \"hand\" using apps/v1");
	as("m", T2, true);
	CHECK_OK(apply_patch(&who, &x, &applied, &a, &out, &changed, &c, &e), &e);
	CHECK(changed);
	CHECK_SLICE(tree_text(tree_path(&out, "spec.replicas")), "3");
	/* the other one has nothing left but spec itself */
	CHECK_STR(json(tree_path(&out, "metadata.managedFields[1].fieldsV1")), "{'f:spec':{}}");
}

TEST(many_conflicts_are_told_by_manager)
{
	struct tree applied = tree_of("{" HEAD ",'spec':{'replicas':3,'paused':true}}"), out;
	bool changed;
	as("b", T1, false);
	struct tree x = apply(NULL, "{" HEAD ",'spec':{'replicas':1}}");
	as("a", T1, false);
	x = apply(&x, "{" HEAD ",'spec':{'replicas':1,'paused':false}}");
	as("m", T2, false);
	CHECK_INT(apply_patch(&who, &x, &applied, &a, &out, &changed, NULL, &e), -EBUSY);
	CHECK_STR(e.text, "Apply failed with 3 conflicts: conflicts with \"a\":\n- .spec.paused\n- .spec.replicas\nconflicts with \"b\":\n- .spec.replicas");
}

TEST(elements_of_lists_belong_to_whoever_applied_them)
{
	as("m", T1, false);
	struct tree x = apply(NULL, "{" HEAD ",'spec':{'template':{'spec':{'containers':[{'name':'a','ports':[{'containerPort':80}]}]}}}}");
	CHECK_STR(json(tree_path(&x, "metadata.managedFields[0].fieldsV1.f:spec.f:template.f:spec.f:containers")),
		"{'k:{\\'name\\':\\'a\\'}':{'.':{},'f:name':{},'f:ports':{'k:{\\'containerPort\\':80,\\'protocol\\':\\'TCP\\'}':{'.':{},'f:containerPort':{}}}}}");
	as("other", T2, false);
	x = apply(&x, "{" HEAD ",'spec':{'template':{'spec':{'containers':[{'name':'b','image':'i'}]}}}}");
	as("m", T2, false);
	x = apply(&x, "{" HEAD "}");
	CHECK_STR(json(tree_path(&x, "spec.template.spec.containers")), "[{'image':'i','name':'b'}]");
}

TEST(updates_book_what_they_change)
{
	as("creator", T1, false);
	struct tree x = update(NULL, "{" HEAD ",'spec':{'replicas':1,'paused':true},'status':{'replicas':1}}");
	CHECK_STR(json(tree_path(&x, "metadata.managedFields[0]")), "{'apiVersion':'apps/v1','fieldsType':'FieldsV1',"
		"'fieldsV1':{'f:spec':{'.':{},'f:paused':{},'f:replicas':{}}},'manager':'creator','operation':'Update','time':'" T1 "'}");
	as("scaler", T2, false);
	struct tree y = x;
	y = *tree_gets(&x, "spec");
	x = update(&x, "{" HEAD ",'spec':{'replicas':5},'status':{'replicas':1}}");
	CHECK_STR(json(tree_path(&x, "metadata.managedFields[0].fieldsV1")), "{'f:spec':{}}");
	CHECK_STR(json(tree_path(&x, "metadata.managedFields[1].fieldsV1")), "{'f:spec':{'f:replicas':{}}}");
	/* nothing changed: nothing is booked */
	as("idle", T2, false);
	x = update(&x, "{" HEAD ",'spec':{'replicas':5},'status':{'replicas':1}}");
	CHECK_INT(tree_path(&x, "metadata.managedFields")->n, 2);
	CHECK(y.type == TREE_MAP);
}

TEST(a_subresource_has_entries_of_its_own)
{
	as("kubelet", T1, false);
	struct tree x = update(NULL, "{" HEAD ",'spec':{'replicas':1}}");
	who.reset = "spec,metadata.labels";
	who.subresource = "status";
	x = update(&x, "{" HEAD ",'spec':{'replicas':1},'status':{'replicas':1}}");
	CHECK_SLICE(tree_text(tree_path(&x, "metadata.managedFields[1].subresource")), "status");
	CHECK_STR(json(tree_path(&x, "metadata.managedFields[1].fieldsV1")), "{'f:status':{'.':{},'f:replicas':{}}}");
}

TEST(the_oldest_of_many_updaters_become_ancient_changes)
{
	as("m0", "2026-01-01T00:00:00Z", false);
	struct tree x = update(NULL, "{" HEAD ",'spec':{'replicas':0}}");
	for (int i = 1; i < 14; i++) {
		char manager[8], now[32], doc[512];
		CHECK(fmt_into(manager, sizeof manager, "m%d", i));
		CHECK(fmt_into(now, sizeof now, "2026-01-01T00:00:%02dZ", i));
		CHECK(fmt_into(doc, sizeof doc, "{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'d','labels':{'l%d':'x'}},'spec':{'replicas':0}}", i));
		as(manager, now, false);
		x = update(&x, doc);
	}
	CHECK(tree_path(&x, "metadata.managedFields")->n <= APPLY_MAX_UPDATE_MANAGERS);
}

TEST(managed_fields_are_kept_and_reset_on_request)
{
	as("m", T1, false);
	struct tree x = update(NULL, "{" HEAD ",'spec':{'replicas':1}}");
	/* a client that does not send them keeps them */
	struct tree kept = update(&x, "{" HEAD ",'spec':{'replicas':1}}");
	CHECK_INT(tree_path(&kept, "metadata.managedFields")->n, 1);
	struct tree gone = update(&x, "{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'d','managedFields':[]},'spec':{'replicas':1}}");
	CHECK(!tree_path(&gone, "metadata.managedFields"));
	/* an object without any is tracked from the first apply on */
	as("m2", T2, false);
	struct tree y = apply(&gone, "{" HEAD ",'spec':{'replicas':1}}");
	CHECK_SLICE(tree_text(tree_path(&y, "metadata.managedFields[0].manager")), "m2");
	CHECK_SLICE(tree_text(tree_path(&y, "metadata.managedFields[1].manager")), "before-first-apply");
}

TEST(client_side_apply_becomes_server_side_apply_without_conflicts)
{
	as("kubectl-client-side-apply", T1, false);
	struct tree x = update(NULL, "{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'d','annotations':{"
		"'kubectl.kubernetes.io/last-applied-configuration':'{\\\"apiVersion\\\":\\\"apps/v1\\\",\\\"spec\\\":{\\\"replicas\\\":1}}'}},'spec':{'replicas':1}}");
	as("kubectl", T2, false);
	x = apply(&x, "{" HEAD ",'spec':{'replicas':4}}");
	CHECK_SLICE(tree_text(tree_path(&x, "spec.replicas")), "4");
	CHECK(strstr(json(tree_path(&x, "metadata.annotations")), "\\'replicas\\':4"));
}

TEST(configurations_that_cannot_be_applied_are_refused)
{
	struct tree out, twice = tree_of("{" HEAD ",'spec':{'template':{'spec':{'containers':[{'name':'a'},{'name':'a'}]}}}}");
	struct tree unknown = tree_of("{" HEAD ",'spec':{'nope':1}}"), keyless = tree_of("{" HEAD ",'spec':{'template':{'spec':{'containers':[{'image':'a'}]}}}}");
	struct tree managed = tree_of("{'apiVersion':'apps/v1','metadata':{'managedFields':[]}}"), version = tree_of("{'apiVersion':'apps/v2'}");
	bool changed;
	as("m", T1, false);
	CHECK_INT(apply_patch(&who, NULL, &twice, &a, &out, &changed, NULL, &e), -EINVAL);
	CHECK(strstr(e.text, "duplicate entries for key"));
	CHECK_INT(apply_patch(&who, NULL, &unknown, &a, &out, &changed, NULL, &e), -EINVAL);
	CHECK_STR(e.text, "failed to create typed patch object (/d; apps/v1, Kind=Deployment): .spec.nope: field not declared in schema");
	CHECK_INT(apply_patch(&who, NULL, &keyless, &a, &out, &changed, NULL, &e), -EINVAL);
	CHECK_INT(apply_patch(&who, NULL, &managed, &a, &out, &changed, NULL, &e), -EINVAL);
	CHECK_STR(e.text, "metadata.managedFields must be nil");
	CHECK_INT(apply_patch(&who, NULL, &version, &a, &out, &changed, NULL, &e), -EINVAL);
	CHECK_STR(e.text, "Incorrect version specified in apply patch. Specified patch version: apps/v2, expected: apps/v1");
}

TEST(apply_without_room_fails_and_nothing_else)
{
	as("m", T1, false);
	struct tree x = update(NULL, "{" HEAD ",'spec':{'replicas':1,'template':{'spec':{'containers':[{'name':'a','ports':[{'containerPort':80}]}]}}}}");
	struct tree applied = tree_of("{" HEAD ",'spec':{'template':{'spec':{'containers':[{'name':'b','image':'i'},{'name':'a'}]}}}}"), out;
	bool changed;
	int r = -1;
	as("n", T1, false);
	for (size_t max = 0; r < 0 && max < 4 << 20; max += 1024) {
		struct arena small;
		arena_init(&small, max);
		r = apply_patch(&who, &x, &applied, &small, &out, &changed, NULL, &e);
		CHECK(r == 0 || r == -E2BIG);
		int k = apply_track(&who, &x, &applied, &small, &out, &e);
		CHECK(k == 0 || k == -E2BIG);
		arena_release(&small);
	}
	CHECK_INT(r, 0);
}

static int count(void *arg, const char *path)
{
	struct buf *b = arg;
	return buf_addf(b, "%s ", path);
}

TEST(field_sets_are_read_written_and_reckoned_with)
{
	struct tree doc = tree_of("{'f:b':{'.':{},'f:c':{}},'f:a':{'k:{\\'y\\':1, \\'x\\':\\'z\\'}':{},'v:\\'s\\'':{},'i:0':{}}}"), back;
	struct tree other = tree_of("{'f:b':{'f:c':{}},'f:z':{}}");
	struct fields x, y, out;
	AUTO(buf) struct buf b = BUF_INIT(4096);
	CHECK_OK(fields_from_tree(&doc, &a, &x, &e), &e);
	CHECK_OK(fields_from_tree(&other, &a, &y, &e), &e);
	CHECK_INT(fields_to_tree(&x, &a, &back), 0);
	CHECK_STR(json(&back), "{'f:a':{'i:0':{},'k:{\\'x\\':\\'z\\',\\'y\\':1}':{},'v:\\'s\\'':{}},'f:b':{'.':{},'f:c':{}}}");
	CHECK_INT(fields_each(&x, count, &b), 0);
	CHECK_STR(b.ptr, ".b .a[x=\"z\",y=1] .a[=\"s\"] .a[0] .b.c ");
	CHECK_INT(fields_minus(&x, &y, &a, &out), 0);
	CHECK_INT(fields_to_tree(&out, &a, &back), 0);
	CHECK_STR(json(tree_gets(&back, "f:b")), "{}");
	CHECK_INT(fields_and(&x, &y, &a, &out), 0);
	CHECK_INT(fields_to_tree(&out, &a, &back), 0);
	CHECK_STR(json(&back), "{'f:b':{'f:c':{}}}");
	CHECK_INT(fields_union(&x, &y, &a, &out), 0);
	CHECK_INT(fields_to_tree(&out, &a, &back), 0);
	CHECK_STR(json(tree_gets(&back, "f:z")), "{}");
	struct fields meta = { 0 };
	CHECK_INT(fields_add_names(&meta, "b,a.q", &a), 0);
	CHECK_INT(fields_minus_below(&x, &meta, &a, &out), 0);
	CHECK_INT(fields_to_tree(&out, &a, &back), 0);
	CHECK(!tree_gets(&back, "f:b") && tree_gets(&back, "f:a"));
	struct tree bad = tree_of("{'q:b':{}}"), worse = tree_of("{'k:[1]':{}}");
	CHECK_INT(fields_from_tree(&bad, &a, &x, &e), -EBADMSG);
	CHECK_INT(fields_from_tree(&worse, &a, &x, &e), -EBADMSG);
}
