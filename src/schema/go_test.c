/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Go as the oracle: tools/extract/oracle writes messages with every field
 * filled, and with none; ours must read them strictly and write the same
 * bytes. test/schema.mk makes them; without Go the test is skipped.
 */
#include "schema/schema.h"

#include <fcntl.h>

#include "api/docker.h"
#include "api/oci.h"
#include "base/fd.h"
#include "base/test.h"

static struct arena a = { .max_bytes = 64 << 20 };

static struct slice document(const char *name, const char *mode)
{
	AUTO(buf) struct buf b = BUF_INIT(16 << 20);
	const char *dir = getenv("CORACLE_GO_TESTDATA");
	if (file_read(AT_FDCWD, arena_fmt(&a, "%s/%s.%s.json", dir ? dir : "build/go-testdata", name, mode), &b) < 0)
		test_skip("no documents written by Go (make go-testdata needs Go)");
	return slice_n(arena_dup(&a, buf_slice(&b)), b.len);
}

/* The documents are long: shows where they part. */
static void check_same(const char *name, struct slice want, const struct buf *got)
{
	size_t i = 0;
	while (i < want.len && i < got->len && want.ptr[i] == got->ptr[i])
		i++;
	if (i == want.len && i == got->len)
		return;
	size_t from = i > 60 ? i - 60 : 0;
	test_fail(__FILE__, __LINE__, "%s differs at %zu:\n  go   %.160s\n  ours %.160s", name, i, want.ptr + from, got->ptr + from);
}

static void same(const char *name, struct schema_ref t, bool has_zero)
{
	struct err e;
	void *obj = arena_alloc(&a, schema_size(t));
	AUTO(buf) struct buf out = BUF_INIT(16 << 20);
	if (has_zero) {
		CHECK_INT(schema_to_json(t, obj, SCHEMA_NEWLINE, &out), 0);
		check_same(name, document(name, "zero"), &out);
	}
	struct slice full = document(name, "full");
	CHECK_OK(schema_from_json(t, full, SCHEMA_STRICT, &a, obj, &e), &e);
	buf_reset(&out);
	CHECK_INT(schema_to_json(t, obj, SCHEMA_NEWLINE, &out), 0);
	check_same(name, full, &out);
}

TEST(messages_are_written_as_go_writes_them)
{
#define SAME(type, has_zero) same(#type, T_docker_##type, has_zero)
	/* those that embed a pointer in Go have no comparable empty form */
	SAME(container_create, false);
	SAME(container_inspect, false);
	SAME(container_summary, true);
	SAME(container_stats, true);
	SAME(container_update, true);
	SAME(exec_create, true);
	SAME(image_inspect, true);
	SAME(image_summary, true);
	SAME(network, true);
	SAME(network_create, true);
	SAME(volume_list, true);
	SAME(version, true);
	SAME(event, true);
	SAME(message, true);
	SAME(disk_usage, true);
	same("info", T_docker_info, true);
	same("oci_spec", T_oci_spec, true);
}

TEST(wrong_types_are_refused_in_the_words_of_go)
{
	struct slice rest = document("wrong", "txt"), line, body, why;
	unsigned n = 0;
	while (slice_next(&rest, '\n', &line)) {
		struct docker_container_create c;
		struct err e = { 0 };
		if (!slice_cut(line, '\t', &body, &why))
			continue;
		CHECK_INT(schema_from_json(T_docker_container_create, body, SCHEMA_FOLD_CASE, &a, &c, &e), -EINVAL);
		CHECK_SLICE(why, e.text);
		n++;
	}
	CHECK(n > 15);
}
