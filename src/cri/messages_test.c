/* SPDX-License-Identifier: Apache-2.0 */
/* CRI's messages on the wire: proto3 as other implementations write it (the bytes are those of Google's), and ours read back. */
#include "api/cri.h"
#include "api/cri/enums.h"
#include "base/auto.h"
#include "base/num.h"
#include "base/auto.h"
#include "base/test.h"

static struct arena a;

static struct slice bytes(const char *hex)
{
	size_t n = strlen(hex) / 2;
	char *p = arena_alloc(&a, n + 1);
	for (size_t i = 0; i < n; i++) {
		uint64_t v = 0;
		CHECK_INT(num_parse_base(slice_n(hex + 2 * i, 2), 16, 255, &v), 0);
		p[i] = (char)v;
	}
	return slice_n(p, n);
}

TEST(cri_maps_enums_and_nested_messages_are_read)
{
	/* metadata{name "p" attempt 3} labels{"a":"1","":""} linux{security_context{namespace_options{network NODE pid TARGET target_id "t"}}} */
	struct cri_pod_sandbox_config c;
	struct err e = { 0 };
	arena_init(&a, 1 << 20);
	struct slice text = bytes("0a050a01702003" "32060a0161120131" "32040a001200" "420b12090a0708021003220174");
	CHECK_OK(schema_from_protobuf(T_cri_pod_sandbox_config, text, &a, &c, &e), &e);
	CHECK_STR(c.metadata->name, "p");
	CHECK_INT(c.metadata->attempt, 3);
	CHECK_INT(c.n_labels, 2);
	CHECK_STR(schema_pair_get(c.labels, c.n_labels, "a"), "1");
	CHECK_STR(schema_pair_get(c.labels, c.n_labels, ""), "");
	const struct cri_namespace_option *n = c.linux->security_context->namespace_options;
	CHECK_INT(n->network, CRI_NAMESPACE_MODE_NODE);
	CHECK_INT(n->pid, CRI_NAMESPACE_MODE_TARGET);
	CHECK_INT(n->ipc, CRI_NAMESPACE_MODE_POD);
	CHECK_STR(n->target_id, "t");
	CHECK(!c.dns_config && !c.hostname);
}

TEST(cri_packed_lists_negative_numbers_and_unknown_fields_are_read)
{
	struct cri_linux_container_security_context c;
	struct cri_linux_container_resources r;
	struct err e = { 0 };
	arena_init(&a, 1 << 20);
	/* run_as_user{} (0), supplemental_groups packed 1,300, unknown field 99 (varint, bytes, fixed) */
	CHECK_OK(schema_from_protobuf(T_cri_linux_container_security_context, bytes("2a00" "420301ac02" "980607" "9a060178" "9d0600000000"), &a, &c, &e), &e);
	CHECK(c.run_as_user && c.run_as_user->value == 0 && !c.run_as_group);
	CHECK_INT(c.n_supplemental_groups, 2);
	CHECK_INT(c.supplemental_groups[1], 300);
	/* cpu_quota -1, oom_score_adj -997 */
	CHECK_OK(schema_from_protobuf(T_cri_linux_container_resources, bytes("10ffffffffffffffffff01" "289bf8ffffffffffffff01"), &a, &r, &e), &e);
	CHECK_INT(r.cpu_quota, -1);
	CHECK_INT(r.oom_score_adj, -997);
}

TEST(cri_bytes_and_presence_survive_our_own_writer)
{
	AUTO(buf) struct buf out = BUF_INIT(4096);
	struct cri_exec_sync_response p = { .stdout_ = { "a\0b", 3 }, .exit_code = -1 }, q;
	struct cri_image_status_response none = { 0 }, back;
	struct err e = { 0 };
	arena_init(&a, 1 << 20);
	CHECK_INT(schema_to_protobuf(T_cri_exec_sync_response, &p, &out), 0);
	CHECK_OK(schema_from_protobuf(T_cri_exec_sync_response, buf_slice(&out), &a, &q, &e), &e);
	CHECK(q.stdout_.len == 3 && !memcmp(q.stdout_.ptr, "a\0b", 3));
	CHECK_INT(q.exit_code, -1);
	buf_reset(&out);
	/* no image in the answer is how ImageStatus says that there is none */
	CHECK_INT(schema_to_protobuf(T_cri_image_status_response, &none, &out), 0);
	CHECK_INT(out.len, 0);
	CHECK_OK(schema_from_protobuf(T_cri_image_status_response, buf_slice(&out), &a, &back, &e), &e);
	CHECK(!back.image);
}
