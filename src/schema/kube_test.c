/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes' own documents (k8s.io/api testdata/HEAD: every field of a kind
 * filled) in JSON, protobuf and YAML. test/schema.mk lays them out in
 * build/kube-testdata from the Go module cache; without Go the test is skipped.
 */
#include "schema/tree.h"

#include <fcntl.h>
#include <stdlib.h>

#include "api/kube.h"
#include "base/auto.h"
#include "base/fd.h"
#include "base/test.h"

static struct arena a = { .max_bytes = 256 << 20 };
static struct err e;

static struct slice document(const char *name, const char *ext)
{
	const char *dir = getenv("CORACLE_KUBE_TESTDATA");
	AUTO(buf) struct buf b = BUF_INIT(16 << 20);
	int r = file_read(AT_FDCWD, arena_fmt(&a, "%s/%s.%s", dir ? dir : "build/kube-testdata", name, ext), &b);
	if (r < 0)
		test_skip("no Kubernetes documents (make kube-testdata needs Go)");
	return slice_n(arena_dup(&a, buf_slice(&b)), b.len);
}

static const char *json(struct schema_ref t, const void *obj)
{
	AUTO(buf) struct buf b = BUF_INIT(16 << 20);
	CHECK_INT(schema_to_json(t, obj, SCHEMA_ESCAPE_HTML, &b), 0);
	return arena_dup(&a, buf_slice(&b));
}

static void round_trips(struct schema_ref t, const char *name)
{
	struct slice text = document(name, "json"), pb = document(name, "pb"), yaml = document(name, "yaml");
	void *obj = arena_alloc(&a, schema_size(t)), *from_pb = arena_alloc(&a, schema_size(t)), *from_yaml = arena_alloc(&a, schema_size(t));
	void *copy = arena_alloc(&a, schema_size(t));

	/* JSON -> struct -> JSON: the same document, nothing lost, same order */
	CHECK_OK(schema_from_json(t, text, SCHEMA_STRICT, &a, obj, &e), &e);
	struct tree tree, docs;
	CHECK_OK(tree_from_json(text, SCHEMA_STRICT, &a, &tree, &e), &e);
	AUTO(buf) struct buf compact = BUF_INIT(16 << 20);
	CHECK_INT(tree_to_json(&tree, SCHEMA_ESCAPE_HTML, &compact), 0);
	CHECK_STR(json(t, obj), compact.ptr);
	CHECK_INT(schema_copy(t, obj, &a, copy), 0);
	CHECK(schema_equal(t, obj, copy));

	/* the same bytes as Kubernetes' own protobuf writer, inside its envelope */
	CHECK(pb.len > 4 && !memcmp(pb.ptr, "k8s\0", 4));
	struct kube_unknown envelope;
	CHECK_OK(schema_from_protobuf(T_kube_unknown, slice_n(pb.ptr + 4, pb.len - 4), &a, &envelope, &e), &e);
	CHECK_SLICE(tree_text(tree_gets(&tree, "kind")), envelope.kind);
	CHECK_OK(schema_from_protobuf(t, envelope.raw, &a, from_pb, &e), &e);
	AUTO(buf) struct buf again = BUF_INIT(16 << 20);
	CHECK_INT(schema_to_protobuf(t, from_pb, &again), 0);
	CHECK(slice_eq(buf_slice(&again), envelope.raw));
	buf_reset(&again);
	CHECK_INT(schema_to_protobuf(t, obj, &again), 0);
	CHECK(slice_eq(buf_slice(&again), envelope.raw));

	/* protobuf does not carry kind and apiVersion; the envelope does */
	struct tree pb_tree;
	CHECK_OK(tree_from_struct(t, from_pb, &a, &pb_tree, &e), &e);
	CHECK(tree_set(&a, &pb_tree, SLICE("kind"), tree_string(slice_of(envelope.kind))) != NULL);
	CHECK(tree_set(&a, &pb_tree, SLICE("apiVersion"), tree_string(slice_of(envelope.api_version))) != NULL);
	CHECK(tree_equal(&tree, &pb_tree));

	/* YAML -> tree -> struct, and tree -> YAML -> tree */
	CHECK_OK(tree_from_yaml(yaml, SCHEMA_STRICT, &a, &docs, &e), &e);
	CHECK_INT(docs.n, 1);
	CHECK(tree_equal(&docs.items[0], &tree));
	CHECK_OK(tree_to_struct(&docs.items[0], t, SCHEMA_STRICT, &a, from_yaml, &e), &e);
	CHECK(schema_equal(t, obj, from_yaml));
	AUTO(buf) struct buf out = BUF_INIT(16 << 20);
	CHECK_INT(tree_to_yaml(&tree, SCHEMA_SORTED, &out), 0);
	CHECK_STR(out.ptr, arena_dup(&a, yaml));
}

TEST(kubernetes_pod_survives_json_protobuf_and_yaml)
{
	round_trips(T_kube_pod, "core.v1.Pod");
}

TEST(kubernetes_deployment_survives_json_protobuf_and_yaml)
{
	round_trips(T_kube_deployment, "apps.v1.Deployment");
}

TEST(kubernetes_status_survives_json_protobuf_and_yaml)
{
	round_trips(T_kube_status, "core.v1.Status");
}
