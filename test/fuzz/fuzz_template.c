/* SPDX-License-Identifier: Apache-2.0 */
/* A --format template, run on a container's description; and the same bytes as .dockerignore, port and mount. */
#include "base/auto.h"
#include "codec/ignore.h"
#include "cli/mount.h"
#include "cli/ports.h"
#include "cli/template.h"

static const char doc[] = "{\"Id\":\"abc\",\"Env\":[\"A=1\",\"B=2\"],\"Labels\":{\"a\":\"1\"},\"N\":7,\"F\":1.5,\"B\":true,\"Z\":null,"
			  "\"Ports\":{\"80/tcp\":[{\"HostIp\":\"0.0.0.0\",\"HostPort\":\"80\"}]}}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena) struct arena a = { 0 };
	AUTO(buf) struct buf out = BUF_INIT(1 << 20);
	struct docker_mount mount;
	struct ports ports = { 0 };
	struct ignore ignore;
	struct template *t;
	struct tree tree;
	struct err e;

	if (size > 4096)
		return 0;
	arena_init(&a, 64 << 20);
	const char *text = arena_dup(&a, slice_n(data, size));
	if (tree_from_json(slice_of(doc), 0, &a, &tree, &e) == 0 && template_parse(&a, text, &t, &e) == 0) {
		struct val dot = val_tree(&tree);
		template_run(t, &a, &dot, size & 1, &out, &e);
	}
	if (ignore_parse(&a, slice_n(data, size), &ignore, &e) == 0)
		ignore_matches(&ignore, "some/path/of/files.txt");
	ports_publish(&a, &ports, text, &e);
	mount_parse(&a, text, &mount, &e);
	return 0;
}
