/* SPDX-License-Identifier: Apache-2.0 */
/* Every way of decoding with every ceiling on memory: an error or the whole value, never a part of one. */
#include "schema/tree.h"

#include "api/kube.h"
#include "base/auto.h"
#include "base/test.h"

static const char pod[] =
	"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\\u0062\",\"labels\":{\"k\":\"v\",\"l\":\"w\"},\"creationTimestamp\":\"2026-01-01T00:00:00Z\","
	"\"managedFields\":[{\"fieldsV1\":{\"f:a\":{}}}]},\"spec\":{\"containers\":[{\"name\":\"c\",\"args\":[\"1\",\"2\"],\"ports\":[{\"containerPort\":80}],"
	"\"resources\":{\"limits\":{\"cpu\":\"1\"}},\"livenessProbe\":{\"httpGet\":{\"port\":\"web\"}}},{\"name\":\"d\"}]}}";

enum { STEP = 48 };

TEST(any_ceiling_on_memory_is_an_error_or_harmless)
{
	struct arena whole;
	struct err e;
	struct kube_pod want, got, copy;
	struct tree tree;
	arena_init(&whole, 1 << 20);
	CHECK_OK(schema_from_json(T_kube_pod, slice_of(pod), 0, &whole, &want, &e), &e);
	AUTO(buf) struct buf pb = BUF_INIT(1 << 20);
	CHECK_INT(schema_to_protobuf(T_kube_pod, &want, &pb), 0);
	unsigned good = 0;
	for (size_t max = 0; max < 16384; max += STEP) {
		struct arena a;
		arena_init(&a, max);
		int r = schema_from_json(T_kube_pod, slice_of(pod), 0, &a, &got, &e);
		CHECK(r == -E2BIG || (r == 0 && schema_equal(T_kube_pod, &want, &got)));
		arena_release(&a);
		r = schema_copy(T_kube_pod, &want, &a, &copy);
		CHECK(r == -ENOMEM || (r == 0 && schema_equal(T_kube_pod, &want, &copy)));
		arena_release(&a);
		r = schema_from_protobuf(T_kube_pod, buf_slice(&pb), &a, &got, &e);
		CHECK(r == -E2BIG || r == 0);
		good += r == 0;
		arena_release(&a);
		r = tree_from_json(slice_of(pod), 0, &a, &tree, &e);
		CHECK(r == -E2BIG || r == 0);
		arena_release(&a);
		r = tree_from_yaml(slice_of(pod), 0, &a, &tree, &e);
		CHECK(r == -E2BIG || r == 0);
		arena_release(&a);
		/* and on what is written */
		AUTO(buf) struct buf out = BUF_INIT(max / 8);
		r = schema_to_json(T_kube_pod, &want, 0, &out);
		CHECK(r == -EMSGSIZE || r == 0);
		AUTO(buf) struct buf wire = BUF_INIT(max / 8);
		r = schema_to_protobuf(T_kube_pod, &want, &wire);
		CHECK(r == -EMSGSIZE || (r == 0 && slice_eq(buf_slice(&wire), buf_slice(&pb))));
	}
	CHECK(good > 100);
	arena_release(&whole);
}
