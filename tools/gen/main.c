/* SPDX-License-Identifier: Apache-2.0 */
/* gen OUTPUT-FOLDER DOMAIN FILE.kind... FILE.over... */
#include "gen.h"

static void write_file(const char *dir, const char *domain, const char *ext, const struct buf *b)
{
	char path[512];
	if (buf_error(b) || !fmt_into(path, sizeof path, "%s/%s.%s", dir, domain, ext))
		die(domain, "too large");
	FILE *f = fopen(path, "we");
	if (!f || fwrite(b->ptr, 1, b->len, f) != b->len || fclose(f))
		die(path, "cannot be written");
}

int main(int argc, char **argv)
{
	if (argc < 4)
		die("gen", "usage: gen OUTPUT-FOLDER DOMAIN FILE...");
	struct gen g = { .domain = argv[2] };
	arena_init(&g.a, 256 << 20);
	map_init(&g.by_name);
	for (int i = 3; i < argc; i++)
		if (slice_ends(slice_of(argv[i]), ".kind"))
			parse_kind_file(&g, argv[i]);
	parse_check(&g);
	for (int i = 3; i < argc; i++)
		if (slice_ends(slice_of(argv[i]), ".over"))
			parse_over_file(&g, argv[i]);
	struct buf h = BUF_INIT(64 << 20), c = BUF_INIT(256 << 20);
	emit_header(&g, &h);
	emit_rows(&g, &c);
	write_file(argv[1], g.domain, "h", &h);
	write_file(argv[1], g.domain, "c", &c);
	return 0;
}
