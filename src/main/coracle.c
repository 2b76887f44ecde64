/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `coracle`: the first word picks a command line, a supervisor command, or a
 * daemon role, which is then executed as `coracled ROLE`. Called by the name
 * `docker` it is `coracle docker`, by `kubectl` `coracle kubectl`.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/path.h"
#include "cli/docker.h"
#include "kubectl/kubectl.h"
#include "main/supervisor.h"
#include "main/version.h"

static int help_main(int argc, char **argv);
static int version_main(int argc, char **argv);
static int daemon_main(int argc, char **argv);

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);      /* argv[0] is the command's name */
	const char *help;                       /* NULL: not listed */
} commands[] = {
	{ "up", up_main, "start the engine on this machine in the background" },
	{ "down", down_main, "stop it" },
	{ "status", status_main, "what runs, and where" },
	{ "docker", docker_main, "the Docker command line" },
	{ "kubectl", kubectl_main, "the Kubernetes command line" },
	{ "engine", daemon_main, "run the engine in the foreground" },
	{ "registry", daemon_main, "run a registry in the foreground" },
	{ "dns", daemon_main, "run the name server in the foreground" },
	{ "server", daemon_main, "run the Kubernetes control plane in the foreground" },
	{ "node", daemon_main, "run the Kubernetes node in the foreground" },
	{ "supervise", supervise_main, NULL },
	{ "version", version_main, "print the version" },
	{ "help", help_main, "print this" },
};

static int version_main(int argc, char **argv)
{
	printf("coracle %s\n", CORACLE_VERSION);
	return 0;
}

static int help_main(int argc, char **argv)
{
	printf("usage: coracle COMMAND [flags]\n\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (commands[i].help)
			printf("  %-10s %s\n", commands[i].name, commands[i].help);
	return 0;
}

/* Becomes `coracled ROLE …`: the one beside this program, else the one in PATH. */
static int daemon_main(int argc, char **argv)
{
	char self[4096], *args[256];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 16);

	if (argc >= 250) {
		fprintf(stderr, "coracle: too many arguments\n");
		return 2;
	}
	args[0] = "coracled";
	for (int i = 0; i <= argc; i++)
		args[i + 1] = argv[i];
	if (n > 0) {
		self[n] = 0;
		char *base = (char *)path_base(self);
		fmt_into(base, sizeof self - (size_t)(base - self), "coracled");
		execv(self, args);
	}
	execvp("coracled", args);
	perror("coracle: execute coracled");
	return 1;
}

int main(int argc, char **argv)
{
	const char *called = path_base(argv[0]);

	if (strcmp(called, "docker") == 0)
		return docker_main(argc, argv);
	if (strcmp(called, "kubectl") == 0)
		return kubectl_main(argc, argv);
	if (argc < 2) {
		help_main(argc, argv);
		return 2;
	}
	if (strcmp(argv[1], "--version") == 0)
		return version_main(argc, argv);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return help_main(argc, argv);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	fprintf(stderr, "coracle: no command \"%s\"; `coracle help` lists them\n", argv[1]);
	return 2;
}
