/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing array of any type: VEC(struct mount) mounts = {0}; The members are
 * public: v.v[i], v.n. VEC types are anonymous, so pass &v only to the macros.
 */
#pragma once
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define VEC(T) struct { T *v; size_t n, cap; }

int vec_grow_(void **v, size_t *cap, size_t want, size_t size);

/* 0 or -ENOMEM. */
#define vec_reserve(p, more) \
	((p)->n + (more) <= (p)->cap ? 0 : vec_grow_((void **)&(p)->v, &(p)->cap, (p)->n + (more), sizeof *(p)->v))
/* Appends a value; 0 or -ENOMEM. */
#define vec_push(p, ...) ({ \
	int vec_r_ = vec_reserve(p, 1); \
	if (vec_r_ == 0) \
		(p)->v[(p)->n++] = (__VA_ARGS__); \
	vec_r_; })
/* Removes member i, keeping order. */
#define vec_remove(p, i) do { \
	size_t vec_i_ = (i); \
	memmove(&(p)->v[vec_i_], &(p)->v[vec_i_ + 1], ((p)->n - vec_i_ - 1) * sizeof *(p)->v); \
	(p)->n--; } while (0)
/* Frees the array, not what its members own. */
#define vec_release(p) do { free((p)->v); (p)->v = NULL; (p)->n = (p)->cap = 0; } while (0)
