/* SPDX-License-Identifier: Apache-2.0 */
/* Names of signals, as clients write them: "TERM", "SIGTERM", "15", "RTMIN+3". */
#include <ctype.h>
#include <errno.h>
#include <signal.h>

#include "base/num.h"
#include "engine/engine_int.h"

static const struct { const char *name; int number; } signals[] = {
	{ "ABRT", SIGABRT }, { "ALRM", SIGALRM }, { "BUS", SIGBUS }, { "CHLD", SIGCHLD }, { "CLD", SIGCHLD }, { "CONT", SIGCONT },
	{ "FPE", SIGFPE }, { "HUP", SIGHUP }, { "ILL", SIGILL }, { "INT", SIGINT }, { "IO", SIGIO }, { "IOT", SIGIOT }, { "KILL", SIGKILL },
	{ "PIPE", SIGPIPE }, { "POLL", SIGPOLL }, { "PROF", SIGPROF }, { "PWR", SIGPWR }, { "QUIT", SIGQUIT }, { "SEGV", SIGSEGV },
	{ "STKFLT", SIGSTKFLT }, { "STOP", SIGSTOP }, { "SYS", SIGSYS }, { "TERM", SIGTERM }, { "TRAP", SIGTRAP }, { "TSTP", SIGTSTP },
	{ "TTIN", SIGTTIN }, { "TTOU", SIGTTOU }, { "URG", SIGURG }, { "USR1", SIGUSR1 }, { "USR2", SIGUSR2 }, { "VTALRM", SIGVTALRM },
	{ "WINCH", SIGWINCH }, { "XCPU", SIGXCPU }, { "XFSZ", SIGXFSZ },
};

enum { RTMIN = 34, RTMAX = 64 };

int signal_parse(const char *s, int *ret)
{
	int64_t n;
	if (num_parse_i64(slice_of(s), INT32_MIN, INT32_MAX, &n) == 0) {
		if (n < 1 || n > RTMAX)
			return -EINVAL;
		*ret = (int)n;
		return 0;
	}
	if (!strncasecmp(s, "SIG", 3))
		s += 3;
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		if (!strcasecmp(signals[i].name, s)) {
			*ret = signals[i].number;
			return 0;
		}
	}
	bool is_min = !strncasecmp(s, "RTMIN", 5), is_max = !strncasecmp(s, "RTMAX", 5);
	if (!is_min && !is_max)
		return -EINVAL;
	n = 0;
	if (s[5] && (s[5] != (is_min ? '+' : '-') || num_parse_i64(slice_of(s + 6), 0, RTMAX - RTMIN, &n) < 0))
		return -EINVAL;
	*ret = is_min ? RTMIN + (int)n : RTMAX - (int)n;
	return 0;
}

const char *signal_name(int number)
{
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		if (signals[i].number == number)
			return signals[i].name;
	return NULL;
}
