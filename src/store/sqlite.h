/* SPDX-License-Identifier: Apache-2.0 */
/* What both stores say the same way to SQLite. */
#pragma once
#include <sqlite3.h>
#include "base/err.h"

/* -errno of a SQLite result. */
int sqlite_errno(int rc);
/* Sets e to "what: SQLite's words" and returns -errno. db may be NULL. */
int sqlite_fail(sqlite3 *db, int rc, struct err *e, const char *what);
int sqlite_run(sqlite3 *db, const char *sql, struct err *e);
