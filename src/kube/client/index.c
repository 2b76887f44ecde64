// SPDX-License-Identifier: Apache-2.0
#include "kube/client/index_int.h"

#include <errno.h>

#include "base/assert.h"
#include "base/vec.h"

struct bucket { VEC(struct kobject *) objects; };
struct kindex {
	struct kindex *next;
	char *name;
	unsigned (*keys)(const struct kobject *o, const char *ret[8]);
	struct map buckets;
};

int kindex_add(struct kindex **list, const char *name, unsigned (*keys)(const struct kobject *o, const char *ret[8]), struct kindex **ret)
{
	struct kindex *x = calloc(1, sizeof *x);

	if (x)
		x->name = slice_dup(slice_of(name));
	if (!x || !x->name) {
		free(x);
		return -ENOMEM;
	}
	x->keys = keys;
	map_init(&x->buckets);
	x->next = *list;
	*list = *ret = x;
	return 0;
}

struct kindex *kindex_find(struct kindex *list, const char *name)
{
	while (list && strcmp(list->name, name) != 0)
		list = list->next;
	return list;
}

void kindex_free_all(struct kindex *x)
{
	while (x) {
		struct kindex *next = x->next;
		struct map_entry *m;
		size_t pos = 0;

		while ((m = map_next(&x->buckets, &pos))) {
			vec_release(&((struct bucket *)m->value)->objects);
			free(m->value);
		}
		map_release(&x->buckets);
		free(x->name);
		free(x);
		x = next;
	}
}

static void leave(struct kindex *x, const char *key, const struct kobject *o)
{
	struct bucket *b = map_gets(&x->buckets, key);

	for (size_t i = 0; b && i < b->objects.n; i++)
		if (b->objects.v[i] == o) {
			vec_remove(&b->objects, i);
			break;
		}
	if (b && b->objects.n == 0) {
		map_dels(&x->buckets, key);
		vec_release(&b->objects);
		free(b);
	}
}

static int enter(struct kindex *x, const char *key, struct kobject *o)
{
	struct bucket *b = map_gets(&x->buckets, key);

	if (!b) {
		b = calloc(1, sizeof *b);
		if (!b || map_sets(&x->buckets, key, b) < 0) {
			free(b);
			return -ENOMEM;
		}
	}
	return vec_push(&b->objects, o);
}

int kindex_change_one(struct kindex *x, struct kobject *old, struct kobject *now)
{
	const char *was[8], *is[8];
	unsigned n_was = old ? x->keys(old, was) : 0, n_is = now ? x->keys(now, is) : 0;

	must(n_was <= 8 && n_is <= 8);
	for (unsigned i = 0; i < n_was; i++)
		leave(x, was[i], old);
	for (unsigned i = 0; i < n_is; i++)
		if (enter(x, is[i], now) < 0) {
			while (i--)
				leave(x, is[i], now);
			return -ENOMEM;
		}
	return 0;
}

int kindex_change(struct kindex *list, struct kobject *old, struct kobject *now)
{
	int r = 0;

	for (struct kindex *x = list; x; x = x->next) {
		int one = kindex_change_one(x, old, r < 0 ? NULL : now);

		if (one < 0) {
			for (struct kindex *y = list; y != x; y = y->next)
				kindex_change_one(y, now, NULL);
			r = one;
		}
	}
	return r;
}

int kindex_each(const struct kindex *x, const char *key, int (*fn)(void *arg, struct kobject *o), void *arg)
{
	struct bucket *b = key ? map_gets(&x->buckets, key) : NULL;

	for (size_t i = 0; b && i < b->objects.n; i++) {
		int r = fn(arg, b->objects.v[i]);

		if (r)
			return r;
	}
	return 0;
}
