/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

/* The one writable state outside main/. Set once at start-up. */
static enum log_level least_level = LOG_INFO_;
static char role_name[32] = "coracle";

void log_setup(enum log_level least, const char *role)
{
	least_level = least;
	fmt_into(role_name, sizeof role_name, "%s", role);
}

void log_line(enum log_level level, const char *message, const char *fmt, ...)
{
	static const char *const names[] = { "debug", "info", "warn", "error" };
	if (level < least_level)
		return;
	char line[2048], when[CLOCK_TEXT_MAX];
	clock_rfc3339_nano(when, clock_realtime_ns());
	int n = snprintf(line, sizeof line, "%s %s %s: %s ", when, names[level], role_name, message);
	va_list ap;
	va_start(ap, fmt);
	int k = vsnprintf(line + n, sizeof line - (size_t)n - 1, fmt, ap);
	va_end(ap);
	n += k < 0 ? 0 : k;
	if (n > (int)sizeof line - 2)
		n = (int)sizeof line - 2;
	for (int i = 0; i < n; i++)
		if (line[i] == '\n')
			line[i] = ' ';
	line[n++] = '\n';
	if (write(2, line, (size_t)n) < 0)
		return; /* nowhere to say it */
}
