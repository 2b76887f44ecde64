/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `coracle-runtime`: the first word picks a role of its own, or it is a
 * command of the OCI runtime. Static, one thread, no libraries.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/path.h"
#include "runtime/cli.h"
#include "runtime/runtime.h"
#include "shim/shim.h"
#include "unpack/unpack.h"

static const struct role {
	const char *name;
	int (*run)(int argc, char **argv);      /* argv[0] is the role's name */
	bool makes_containers;                  /* and so must not be writable by them */
} roles[] = {
	{ "unpack", unpack_main, false },
	{ "shim", shim_main, true },
	{ "init", shim_init_main, false },
	{ "hold", shim_hold_main, false },
};

int main(int argc, char **argv)
{
	/* bound into a container as its process 1 */
	if (argc > 0 && !strcmp(path_base(argv[0]), "docker-init"))
		return shim_init_main(argc, argv);
	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(roles); i++) {
		if (strcmp(roles[i].name, argv[1]))
			continue;
		struct err e = { 0 };
		if (roles[i].makes_containers && runtime_protect(argv, &e) < 0) {
			fprintf(stderr, "coracle-runtime: %s\n", e.text);
			return 1;
		}
		return roles[i].run(argc - 1, argv + 1);
	}
	return runtime_cli(argc, argv);
}
