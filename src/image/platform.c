/* SPDX-License-Identifier: Apache-2.0 */
/* Platform names and choice (OCI image specification, image-index.md). */
#include "image/platform.h"

#include <string.h>
#include <sys/utsname.h>

#include "base/auto.h"

static const struct { const char *machine, *arch, *variant; } machines[] = {
	{ "x86_64", "amd64", "" }, { "aarch64", "arm64", "v8" }, { "armv7l", "arm", "v7" }, { "armv6l", "arm", "v6" },
	{ "i386", "386", "" }, { "i686", "386", "" }, { "ppc64le", "ppc64le", "" }, { "s390x", "s390x", "" }, { "riscv64", "riscv64", "" },
	{ "loongarch64", "loong64", "" },
};

struct image_platform platform_here(void)
{
	struct image_platform p = { .os = "linux", .architecture = "unknown", .variant = "" };
	struct utsname u;
	uname(&u);
	for (size_t i = 0; i < ARRAY_LEN(machines); i++)
		if (strcmp(u.machine, machines[i].machine) == 0) {
			p.architecture = machines[i].arch;
			p.variant = machines[i].variant;
		}
	return p;
}

/* arm64's v8 and no variant are one; others count, an absent wish fits all. */
static const char *plain_variant(const char *arch, const char *variant)
{
	if (!variant || (arch && !strcmp(arch, "arm64") && !strcmp(variant, "v8")))
		return "";
	return variant;
}

static int fits(const struct image_platform *p, const struct image_platform *want)
{
	if (!p->os || !p->architecture || strcmp(p->os, want->os) != 0 || strcmp(p->architecture, want->architecture) != 0)
		return 0;
	const char *a = plain_variant(p->architecture, p->variant), *b = plain_variant(want->architecture, want->variant);
	if (strcmp(a, b) == 0)
		return 3;
	if (!*b || !*a)
		return 2;
	/* an older variant of 32-bit arm runs too */
	return strcmp(want->architecture, "arm") == 0 && strcmp(a, b) < 0 ? 1 : 0;
}

const struct image_descriptor *platform_pick(const struct image_index *index, const struct image_platform *want)
{
	struct image_platform w = platform_here();
	const struct image_descriptor *best = NULL;
	int best_fit = 0;
	if (want && want->os && *want->os)
		w.os = want->os;
	if (want && want->architecture && *want->architecture) {
		w.architecture = want->architecture;
		w.variant = want->variant ? want->variant : "";
	}
	for (uint32_t i = 0; i < index->n_manifests; i++) {
		const struct image_descriptor *d = &index->manifests[i];
		int fit = d->platform ? fits(d->platform, &w) : 0;
		if (fit > best_fit || (!best && !d->platform)) {
			best = d;
			best_fit = fit;
		}
	}
	return best;
}
