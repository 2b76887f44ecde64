/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kind/openapi.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/openapi.h"
#include "base/auto.h"
#include "base/fd.h"
#include "base/test.h"
#include "kube/meta/resource.h"

static struct arena a = { .max_bytes = 256 << 20 };

static struct tree v3(const char *group, const char *version, const struct kind_openapi_custom *c, size_t n)
{
	struct buf b = BUF_INIT(64 << 20);
	struct tree t;
	struct err e;
	CHECK_INT(kind_openapi_v3(group, version, c, n, &b), 0);
	CHECK_OK(tree_from_json(buf_slice(&b), SCHEMA_STRICT, &a, &t, &e), &e);
	return t;
}

static const char *text(const struct tree *t)
{
	struct buf b = BUF_INIT(64 << 20);
	if (!t)
		return "(none)";
	CHECK_INT(tree_to_json(t, SCHEMA_SORTED, &b), 0);
	return buf_take(&b);
}

/* Everything a document refers to is in it. */
static void check_refs(const struct tree *t, const struct tree *schemas)
{
	for (uint32_t i = 0; t->type == TREE_LIST && i < t->n; i++)
		check_refs(&t->items[i], schemas);
	for (uint32_t i = 0; t->type == TREE_MAP && i < t->n; i++) {
		const struct tree_member *m = &t->members[i];
		if (slice_is(slice_n(m->key, m->key_len), "$ref") && m->value.type == TREE_STRING) {
			struct slice name = tree_text(&m->value);
			ptrdiff_t slash = slice_rfind(name, '/');
			if (!tree_get(schemas, slice_n(name.ptr + slash + 1, name.len - (size_t)slash - 1)))
				test_fail(__FILE__, __LINE__, "%.*s is not in the document", SLICE_FMT(name));
		}
		check_refs(&m->value, schemas);
	}
}

TEST(every_openapi_document_is_closed)
{
	for (unsigned i = 0; i < n_kube_group_versions; i++) {
		struct tree t = v3(kube_group_versions[i].group, kube_group_versions[i].version, NULL, 0);
		check_refs(&t, tree_path(&t, "components.schemas"));
	}
	struct buf b = BUF_INIT(64 << 20);
	struct tree t;
	struct err e;
	CHECK_INT(kind_openapi_v2(NULL, 0, &b), 0);
	CHECK_OK(tree_from_json(buf_slice(&b), SCHEMA_STRICT, &a, &t, &e), &e);
	check_refs(&t, tree_gets(&t, "definitions"));
	CHECK_INT(kind_openapi_v3("none", "v1", NULL, 0, &b), -ENOENT);
}

TEST(the_openapi_document_says_what_kubectl_asks)
{
	struct tree t = v3("apps", "v1", NULL, 0);
	const struct tree *schemas = tree_path(&t, "components.schemas");
	const struct tree *d = tree_gets(schemas, "io.k8s.api.apps.v1.Deployment");
	CHECK_STR(text(tree_gets(d, "x-kubernetes-group-version-kind")), "[{\"group\":\"apps\",\"kind\":\"Deployment\",\"version\":\"v1\"}]");
	CHECK_STR(text(tree_path(d, "properties.spec.allOf")), "[{\"$ref\":\"#/components/schemas/io.k8s.api.apps.v1.DeploymentSpec\"}]");
	const struct tree *s = tree_gets(schemas, "io.k8s.api.apps.v1.DeploymentSpec");
	CHECK_STR(text(tree_gets(s, "required")), "[\"selector\",\"template\"]");
	const struct tree *ports = tree_path(tree_gets(schemas, "io.k8s.api.core.v1.Container"), "properties.ports");
	CHECK_STR(text(tree_gets(ports, "x-kubernetes-list-map-keys")), "[\"containerPort\",\"protocol\"]");
	CHECK_STR(text(tree_gets(ports, "x-kubernetes-patch-merge-key")), "\"containerPort\"");
	CHECK_STR(text(tree_gets(tree_path(tree_gets(schemas, "io.k8s.api.core.v1.PodSpec"), "properties.volumes"), "x-kubernetes-patch-strategy")), "\"merge,retainKeys\"");
	const struct tree *patch = tree_path(&t, "paths[\"/apis/apps/v1/namespaces/{namespace}/deployments/{name}\"].patch");
	CHECK_STR(text(tree_gets(patch, "x-kubernetes-action")), "\"patch\"");
	CHECK_STR(text(tree_path(patch, "parameters[2].name")), "\"fieldValidation\"");
	CHECK_STR(text(tree_gets(patch, "operationId")), "\"patchAppsV1NamespacedDeployment\"");
}

TEST(a_custom_resource_is_in_the_documents)
{
	struct tree schema;
	struct err e;
	CHECK_OK(tree_from_json(SLICE("{\"type\":\"object\",\"properties\":{\"spec\":{\"type\":\"object\",\"nullable\":true,\"properties\":{\"n\":{\"type\":\"integer\","
		"\"default\":1}}},\"any\":{\"x-kubernetes-int-or-string\":true,\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"string\"}]}}}"), 0, &a, &schema, &e), &e);
	struct kind_openapi_custom c = { .group = "stable.example.com", .version = "v1", .plural = "crontabs", .kind = "CronTab", .list_kind = "CronTabList",
		.namespaced = true, .has_status = true, .has_scale = true, .schema = &schema };
	struct tree t = v3("stable.example.com", "v1", &c, 1);
	const struct tree *schemas = tree_path(&t, "components.schemas");
	check_refs(&t, schemas);
	const struct tree *s = tree_gets(schemas, "com.example.stable.v1.CronTab");
	CHECK_STR(text(tree_path(s, "properties.spec.properties.n")), "{\"default\":1,\"type\":\"integer\"}");
	CHECK(tree_path(s, "properties.metadata"));
	CHECK(tree_path(&t, "paths[\"/apis/stable.example.com/v1/namespaces/{namespace}/crontabs/{name}/status\"].put"));
	struct buf b = BUF_INIT(64 << 20);
	CHECK_INT(kind_openapi_v2(&c, 1, &b), 0);
	CHECK_OK(tree_from_json(buf_slice(&b), SCHEMA_STRICT, &a, &t, &e), &e);
	s = tree_gets(tree_gets(&t, "definitions"), "com.example.stable.v1.CronTab");
	CHECK_STR(text(tree_path(s, "properties.spec")), "{}");
	CHECK_STR(text(tree_path(s, "properties.any")), "{\"x-kubernetes-int-or-string\":true}");
}

/* For comparison by hand: the documents go to the folder that CORACLE_OPENAPI_OUT names. */
TEST(the_openapi_documents_can_be_written_out)
{
	const char *dir = getenv("CORACLE_OPENAPI_OUT");
	if (!dir)
		return;
	for (unsigned i = 0; i <= n_kube_group_versions; i++) {
		AUTO(buf) struct buf b = BUF_INIT(64 << 20);
		const struct kube_group_version *gv = &kube_group_versions[i];
		bool is_v2 = i == n_kube_group_versions;
		CHECK_INT(is_v2 ? kind_openapi_v2(NULL, 0, &b) : kind_openapi_v3(gv->group, gv->version, NULL, 0, &b), 0);
		FILE *f = fopen(is_v2 ? arena_fmt(&a, "%s/v2.json", dir) : arena_fmt(&a, "%s/%s_%s.json", dir, gv->group, gv->version), "we");
		CHECK(f && fwrite(b.ptr, 1, b.len, f) == b.len && fclose(f) == 0);
	}
}

TEST(the_document_of_version_2_can_be_read_as_protobuf)
{
	struct buf b = BUF_INIT(64 << 20);
	struct openapi_document d;
	struct err e;
	CHECK_INT(kind_openapi_v2_protobuf(NULL, 0, &b), 0);
	CHECK_OK(schema_from_protobuf(T_openapi_document, buf_slice(&b), &a, &d, &e), &e);
	CHECK_STR(d.swagger, "2.0");
	bool found = false;
	for (uint32_t i = 0; i < d.definitions->n_items; i++) {
		const struct openapi_named_schema *s = &d.definitions->items[i];
		if (strcmp(s->name, "io.k8s.api.core.v1.Pod"))
			continue;
		found = true;
		CHECK_STR(s->value.extensions[0].name, "x-kubernetes-group-version-kind");
		CHECK_STR(s->value.extensions[0].value.yaml, "- group: \"\"\n  kind: Pod\n  version: v1\n");
	}
	CHECK(found);
}

TEST(every_field_of_every_served_kind_is_explained)
{
	for (unsigned i = 0; i < n_kube_resources; i++) {
		unsigned with, without;
		struct buf missing = BUF_INIT(1 << 20);
		schema_help_share(kube_resources[i].type, &with, &without, &missing);
		CHECK_STR(missing.ptr, "");
	}
}
