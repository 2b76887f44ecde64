/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Process 1 of a container that asks for one (--init): starts the program in
 * a group of its own with the terminal, passes signals on to it, reaps what
 * is left to it, ends as the program ends.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/shim.h"

static void start_child(char **argv, const sigset_t *before)
{
	setpgid(0, 0);
	/* the terminal, if there is one, follows the program */
	struct sigaction ignore = { .sa_handler = SIG_IGN }, was;
	sigaction(SIGTTOU, &ignore, &was);
	tcsetpgrp(0, getpgrp());
	sigaction(SIGTTOU, &was, NULL);
	sigprocmask(SIG_SETMASK, before, NULL);
	execvp(argv[0], argv);
	int code = errno == ENOENT ? 127 : 126;
	fprintf(stderr, "[FATAL] exec %s failed: %s\n", argv[0], strerror(errno));
	_exit(code);
}

int shim_init_main(int argc, char **argv)
{
	char **program = argv + 1;
	sigset_t all, before;
	int code = 1;
	if (*program && !strcmp(*program, "--"))
		program++;
	if (!*program) {
		fprintf(stderr, "usage: init [--] PROGRAM [ARGUMENTS]\n");
		return 2;
	}
	sigfillset(&all);
	/* what a fault raises must not be held back */
	static const int faults[] = { SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS, SIGTTIN, SIGTTOU };
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
		sigdelset(&all, faults[i]);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid_t child = fork();
	if (child < 0) {
		fprintf(stderr, "[FATAL] fork failed: %s\n", strerror(errno));
		return 1;
	}
	if (child == 0)
		start_child(program, &before);
	for (;;) {
		int sig;
		if (sigwait(&all, &sig) != 0)
			continue;
		if (sig != SIGCHLD) {
			kill(child, sig);
			continue;
		}
		int status;
		bool ended = false;
		for (pid_t p; (p = waitpid(-1, &status, WNOHANG)) > 0;)
			if (p == child) {
				ended = true;
				code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
			}
		if (ended)
			return code;
	}
}

int shim_hold_main(int argc, char **argv)
{
	sigset_t all;
	int sig;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	while (sigwait(&all, &sig) == 0) {
		if (sig == SIGTERM || sig == SIGINT)
			return 0;
		while (sig == SIGCHLD && waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	return 1;
}
