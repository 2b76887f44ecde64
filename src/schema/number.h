/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of trees as Go prints them. */
#pragma once
#include "schema/tree.h"

/* %v of a float64. dst: 32. */
void go_double(char *dst, double v);
/* Integers as they are, others as a float64. */
void go_number(const struct tree *v, struct buf *out);
