/* SPDX-License-Identifier: Apache-2.0 */
/* The daemons: the first word picks the role. */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/log.h"
#include "dns/dns.h"
#include "main/engine.h"
#include "main/node.h"
#include "main/server.h"
#include "main/version.h"
#include "registry/registry.h"

static int version_main(int argc, char **argv)
{
	printf("coracled %s\n", CORACLE_VERSION);
	return 0;
}

static const struct role {
	const char *name;
	int (*run)(int argc, char **argv);      /* argv[0] is the role's name; the process exit code */
	const char *help;
} roles[] = {
	{ "engine", engine_main, "the container engine and its Docker API" },
	{ "registry", registry_main, "OCI distribution server" },
	{ "server", server_main, "the Kubernetes control plane" },
	{ "node", node_main, "the kubelet: runs pods of a cluster on this machine" },
	{ "dns", dns_main, "names of containers, at 127.0.0.11 in each" },
	{ "version", version_main, "print the version" },
};

int main(int argc, char **argv)
{
	if (argc > 1) {
		for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
			if (strcmp(argv[1], roles[i].name))
				continue;
			mallopt(M_ARENA_MAX, 2); /* workers are few; more arenas only keep memory */
			mallopt(M_TRIM_THRESHOLD, 256 << 10);
			mallopt(M_MMAP_THRESHOLD, 256 << 10);
			log_setup(LOG_INFO_, roles[i].name);
			signal(SIGPIPE, SIG_IGN);
			return roles[i].run(argc - 1, argv + 1);
		}
		fprintf(stderr, "coracled: no role \"%s\"\n", argv[1]);
	}
	fprintf(stderr, "usage: coracled ROLE [flags]\n\n");
	for (size_t i = 0; i < ARRAY_LEN(roles); i++)
		fprintf(stderr, "  %-10s %s\n", roles[i].name, roles[i].help);
	return 2;
}
