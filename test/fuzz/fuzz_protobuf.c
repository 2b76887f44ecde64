/* SPDX-License-Identifier: Apache-2.0 */
/* Protobuf as Kubernetes messages: what is read is written and read again as the same value. */
#include "api/cri.h"
#include "api/kube.h"
#include "base/assert.h"

static void as_struct(struct schema_ref t, struct slice bytes)
{
	struct arena a;
	struct err e;
	arena_init(&a, 32 << 20);
	void *x = arena_alloc(&a, schema_size(t)), *y = arena_alloc(&a, schema_size(t));
	if (schema_from_protobuf(t, bytes, &a, x, &e) == 0) {
		struct buf b = BUF_INIT(64 << 20), c = BUF_INIT(64 << 20);
		if (schema_to_protobuf(t, x, &b) == 0) {
			/* the second writing is the fixed point: a time may lose what the wire does not carry */
			must(schema_from_protobuf(t, buf_slice(&b), &a, y, &e) == 0);
			must(schema_to_protobuf(t, y, &c) == 0 && slice_eq(buf_slice(&b), buf_slice(&c)));
		}
		buf_release(&b);
		buf_release(&c);
	}
	arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 1 << 14)
		return 0;
	as_struct(T_kube_pod, slice_n(data, size));
	as_struct(T_kube_deployment, slice_n(data, size));
	as_struct(T_kube_status, slice_n(data, size));
	as_struct(T_kube_unknown, slice_n(data, size));
	as_struct(T_cri_create_container_request, slice_n(data, size));
	as_struct(T_cri_list_containers_response, slice_n(data, size));
	return 0;
}
