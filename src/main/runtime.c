/* SPDX-License-Identifier: Apache-2.0 */
/* coracle-runtime: the first word picks what it is; everything that is none of these is the OCI command line. */
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "main/version.h"
#include "unpack/unpack.h"

static const struct part {
	const char *name;
	int (*run)(int argc, char **argv);      /* argv[0] is the name; the process exit code */
} parts[] = {
	{ "unpack", unpack_main },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(parts); i++)
		if (!strcmp(argv[1], parts[i].name))
			return parts[i].run(argc - 1, argv + 1);
	fprintf(stderr, "coracle-runtime %s: no command \"%s\"\n", CORACLE_VERSION, argc > 1 ? argv[1] : "");
	return 2;
}
