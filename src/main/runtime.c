/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `coracle-runtime`: the first word picks a role of its own, or it is a
 * command of the OCI runtime. Static, one thread, no libraries.
 */
#include <string.h>

#include "base/auto.h"
#include "runtime/cli.h"

static const struct role {
	const char *name;
	int (*run)(int argc, char **argv);      /* argv[0] is the role's name */
} roles[] = {
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(roles); i++)
		if (roles[i].name && !strcmp(roles[i].name, argv[1]))
			return roles[i].run(argc - 1, argv + 1);
	return runtime_cli(argc, argv);
}
