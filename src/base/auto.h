/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ownership in the declaration. AUTO(close) int fd = -1; closes on every way
 * out of the scope; take_fd() and take_ptr() give the thing away instead.
 * A type offers AUTO(x) by defining `static inline void auto_x(T *)` beside
 * its destructor, or with AUTO_DEFINE.
 */
#pragma once
#include <stdlib.h>
#include <unistd.h>
#include <errno.h>

#define AUTO(f) __attribute__((cleanup(auto_##f)))

/* Defines auto_NAME for pointers whose destructor FN accepts NULL. */
#define AUTO_DEFINE(NAME, TYPE, FN) \
	static inline void auto_##NAME(TYPE *p) { FN(*p); }

static inline void auto_free(void *p) { free(*(void **)p); }

/* Closes a descriptor if it is open; keeps errno. */
static inline void auto_close(int *fd)
{
	if (*fd >= 0) {
		int saved = errno;
		close(*fd);
		errno = saved;
	}
}

/* Returns the descriptor and leaves -1 behind. */
static inline int take_fd(int *fd)
{
	int r = *fd;
	*fd = -1;
	return r;
}

/* Returns the pointer and leaves NULL behind. */
#define take_ptr(p) ({ __typeof__(p) take_tmp_ = (p); (p) = NULL; take_tmp_; })

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - __builtin_offsetof(type, member)))
#define MIN(a, b) ({ __typeof__(a) min_a_ = (a); __typeof__(b) min_b_ = (b); min_a_ < min_b_ ? min_a_ : min_b_; })
#define MAX(a, b) ({ __typeof__(a) max_a_ = (a); __typeof__(b) max_b_ = (b); max_a_ > max_b_ ? max_a_ : max_b_; })
