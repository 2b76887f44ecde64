/* SPDX-License-Identifier: Apache-2.0 */
/*
 * must(): what only a bug can break. Always compiled in, no side effects in
 * the argument. Input from people, disks and peers is refused, not asserted.
 */
#pragma once

_Noreturn void must_fail(const char *expr, const char *file, int line);
#define must(x) ((x) ? (void)0 : must_fail(#x, __FILE__, __LINE__))
