/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon that needs no rights gives them up. */
#pragma once
#include "base/err.h"

/* The number that roles take where there is no user `coracle`: from the range that systemd keeps for users without a name, which no package takes. */
enum { RIGHTS_UID = 61977 };
/*
 * Gives `folder` and all in it to the user and becomes that user for good (no supplementary groups, no new privileges). user NULL:
 * `coracle`, else RIGHTS_UID; "root": stays. Does nothing when not root. Links are not followed. Before threads are started.
 */
int rights_drop(const char *user, const char *folder, struct err *e);
