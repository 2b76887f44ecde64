/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Go's text/template as --format needs it: pipelines, if, else, range, with,
 * break, continue, variables, comments, trim markers, the built-in functions,
 * and docker's own (json, join, split, title, lower, upper, pad, truncate,
 * println …). Nested templates (define, block, template) are not there.
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "cli/value.h"

struct template;
/* Parses text (which must outlive it). -EINVAL with "template: :1: …" in e. */
int template_parse(struct arena *a, const char *text, struct template **ret, struct err *e);
/* Runs it on dot. strict: a member that is not there is an error, instead of "<no value>". */
int template_run(const struct template *t, struct arena *a, const struct val *dot, bool strict, struct buf *out, struct err *e);
