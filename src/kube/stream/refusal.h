/* SPDX-License-Identifier: Apache-2.0 */
/* What a server said instead of 101. Private to kube/stream. */
#pragma once
#include "base/buf.h"
#include "base/err.h"

/* Fills e with the Status' message, or the text, and an errno that stands for the HTTP status; returns -errno. */
int stream_refusal(int status, struct slice body, struct err *e);
