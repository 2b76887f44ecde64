// SPDX-License-Identifier: Apache-2.0
/* One informer a resource, shared by all who ask. */
#include <errno.h>

#include "base/clock.h"
#include "base/vec.h"
#include "kube/client/client_int.h"

struct informers {
	struct kclient *c;
	VEC(struct informer *) all;
};

int informers_new(struct kclient *c, struct informers **ret)
{
	struct informers *f = calloc(1, sizeof *f);

	if (!f)
		return -ENOMEM;
	f->c = kclient_ref(c);
	*ret = f;
	return 0;
}

void informers_free(struct informers *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->all.n; i++)
		informer_free(f->all.v[i]);
	vec_release(&f->all);
	kclient_unref(f->c);
	free(f);
}

struct informer *informers_find(struct informers *f, const struct kube_resource *r)
{
	for (size_t k = 0; k < f->all.n; k++)
		if (informer_resource(f->all.v[k]) == r)
			return f->all.v[k];
	return NULL;
}

struct informer *informers_get(struct informers *f, const struct kube_resource *r)
{
	struct informer *i = informers_find(f, r);

	if (i)
		return i;
	if (vec_reserve(&f->all, 1) < 0 || informer_new(f->c, r, NULL, NULL, NULL, &i, NULL) < 0)
		return NULL;
	vec_push(&f->all, i);
	return i;
}

int informers_synced_wait(struct informers *f, int64_t timeout_ns)
{
	int64_t end = loop_monotonic_ns(f->c->loop) + timeout_ns;

	for (size_t k = 0; k < f->all.n; k++) {
		int64_t left = timeout_ns < 0 ? -1 : MAX(end - loop_monotonic_ns(f->c->loop), (int64_t)0);
		int r = informer_synced_wait(f->all.v[k], left);

		if (r < 0)
			return r;
	}
	return 0;
}
