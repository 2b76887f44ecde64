/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The unit runner: unit [-v] [PATTERN]. Forks for each test, a few at a time;
 * the last line is "N passed, N failed, N skipped". Not linked into products.
 */
#include "base/test.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fcntl.h>
#include <signal.h>

#include "base/fd.h"

enum { SKIPPED = 77, PARALLEL = 4 };
static struct test *tests;
static char dir[64];

void test_register(struct test *t)
{
	t->next = tests;
	tests = t;
}

static void clean(void)
{
	if (dir[0])
		dir_remove(AT_FDCWD, dir, NULL);
}

void test_fail(const char *file, int line, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fprintf(stderr, "%s:%d: ", file, line);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	clean();
	_exit(1);
}

void test_skip(const char *reason)
{
	fprintf(stderr, "skipped: %s\n", reason);
	clean();
	_exit(SKIPPED);
}

void test_check_str(const char *file, int line, const char *got, const char *want)
{
	if (!got || strcmp(got, want))
		test_fail(file, line, "got  \"%s\"\n  not  \"%s\"", got ? got : "(null)", want);
}

void test_check_slice(const char *file, int line, struct slice got, const char *want)
{
	if (!slice_is(got, want))
		test_fail(file, line, "got  \"%.*s\"\n  not  \"%s\"", SLICE_FMT(got), want);
}

const char *test_dir(void)
{
	if (!dir[0]) {
		fmt_into(dir, sizeof dir, "/tmp/coracle-unit-XXXXXX");
		if (!mkdtemp(dir))
			test_fail(__FILE__, __LINE__, "cannot make a folder in /tmp");
	}
	return dir;
}

struct running {
	pid_t pid;
	struct test *test;
};

/* Waits for one child and books its result. */
static void reap(struct running *slots, unsigned *counts, bool verbose)
{
	int status;
	pid_t pid = waitpid(-1, &status, 0);
	for (unsigned i = 0; i < PARALLEL; i++) {
		if (slots[i].pid != pid)
			continue;
		struct test *t = slots[i].test;
		slots[i].pid = 0;
		unsigned k = status == 0 ? 0 : WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED ? 2 : 1;
		counts[k]++;
		if (k == 1 && WIFSIGNALED(status))
			fprintf(stderr, "%s: ended by signal %d\n", t->file, WTERMSIG(status));
		if (k || verbose)
			printf("%s %s (%s)\n", k == 0 ? "ok  " : k == 1 ? "FAIL" : "skip", t->name, t->file);
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	bool verbose = argc > 1 && !strcmp(argv[1], "-v");
	const char *pattern = argc > 1 + verbose ? argv[1 + verbose] : "";
	struct running slots[PARALLEL] = { 0 };
	unsigned counts[3] = { 0 }, busy = 0;
	signal(SIGPIPE, SIG_IGN);
	for (struct test *t = tests; t; t = t->next) {
		if (!strstr(t->name, pattern) && !strstr(t->file, pattern))
			continue;
		if (busy == PARALLEL) {
			reap(slots, counts, verbose);
			busy--;
		}
		unsigned i = 0;
		while (slots[i].pid)
			i++;
		fflush(stdout);
		pid_t pid = fork();
		if (pid == 0) {
			alarm(60);
			t->run();
			clean();
			exit(0);
		}
		slots[i] = (struct running){ pid, t };
		busy++;
	}
	while (busy--)
		reap(slots, counts, verbose);
	printf("%u passed, %u failed, %u skipped\n", counts[0], counts[1], counts[2]);
	return counts[1] != 0;
}
