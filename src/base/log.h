/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logging for edges (a request, a sync, a command); libraries return errors.
 * One line: time, level, fixed message, then key=value pairs, to stderr.
 *   log_info("container started", "id=%s ports=%d", id, n);
 */
#pragma once

enum log_level { LOG_DEBUG_, LOG_INFO_, LOG_WARN_, LOG_ERROR_ };

/* Process-wide: the least level that is printed (default info) and a role name put on each line. */
void log_setup(enum log_level least, const char *role);
void log_line(enum log_level level, const char *message, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
#define log_debug(msg, ...) log_line(LOG_DEBUG_, msg, __VA_ARGS__)
#define log_info(msg, ...) log_line(LOG_INFO_, msg, __VA_ARGS__)
#define log_warn(msg, ...) log_line(LOG_WARN_, msg, __VA_ARGS__)
#define log_error(msg, ...) log_line(LOG_ERROR_, msg, __VA_ARGS__)
