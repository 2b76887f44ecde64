/* SPDX-License-Identifier: Apache-2.0 */
/* LimitRanger: what a namespace's LimitRanges give to containers that ask for nothing, and the bounds they set. */
#include "kube/api/admit.h"

#include <string.h>

#include "schema/quantity.h"

static const char *get(const struct kube_quantity_entry *v, uint32_t n, const char *key)
{
	for (uint32_t i = 0; i < n; i++)
		if (!strcmp(v[i].key, key))
			return v[i].value;
	return NULL;
}

static int fill(struct arena *a, struct kube_quantity_entry **v, uint32_t *n, const struct kube_quantity_entry *from, uint32_t n_from)
{
	for (uint32_t i = 0; i < n_from; i++) {
		if (get(*v, *n, from[i].key))
			continue;
		struct kube_quantity_entry *w = arena_array(a, *n + 1, sizeof *w);
		if (!w)
			return -ENOMEM;
		if (*n)
			memcpy(w, *v, *n * sizeof *w);
		w[(*n)++] = from[i];
		*v = w;
	}
	return 0;
}

struct limits { struct api_req *q; struct kube_pod *pod; struct buf problems; int error; };

static void problem(struct limits *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void problem(struct limits *l, const char *fmt, ...)
{
	va_list ap;
	if (l->problems.len)
		buf_adds(&l->problems, ", ");
	va_start(ap, fmt);
	buf_addfv(&l->problems, fmt, ap);
	va_end(ap);
}

static int cmp(const char *a, const char *b)
{
	struct quantity x = { 0 }, y = { 0 };
	if (quantity_parse(slice_of(a), &x, NULL) < 0 || quantity_parse(slice_of(b), &y, NULL) < 0)
		return 0;
	return quantity_cmp(&x, &y);
}

static void check_bounds(struct limits *l, const struct kube_limit_range_item *item, const struct kube_resource_requirements *r)
{
	for (uint32_t i = 0; i < item->n_min; i++) {
		const char *key = item->min[i].key, *want = item->min[i].value;
		const char *request = get(r->requests, r->n_requests, key), *limit = get(r->limits, r->n_limits, key);
		if (!request)
			problem(l, "minimum %s usage per %s is %s.  No request is specified", key, item->type, want);
		else if (cmp(request, want) < 0)
			problem(l, "minimum %s usage per %s is %s, but request is %s", key, item->type, want, request);
		else if (limit && cmp(limit, want) < 0)
			problem(l, "minimum %s usage per %s is %s, but limit is %s", key, item->type, want, limit);
	}
	for (uint32_t i = 0; i < item->n_max; i++) {
		const char *key = item->max[i].key, *want = item->max[i].value;
		const char *request = get(r->requests, r->n_requests, key), *limit = get(r->limits, r->n_limits, key);
		if (!limit)
			problem(l, "maximum %s usage per %s is %s.  No limit is specified", key, item->type, want);
		else if (cmp(limit, want) > 0)
			problem(l, "maximum %s usage per %s is %s, but limit is %s", key, item->type, want, limit);
		else if (request && cmp(request, want) > 0)
			problem(l, "maximum %s usage per %s is %s, but request is %s", key, item->type, want, request);
	}
}

static void add_up(struct arena *a, struct kube_quantity_entry **v, uint32_t *n, const struct kube_quantity_entry *from, uint32_t n_from)
{
	for (uint32_t i = 0; i < n_from; i++) {
		struct quantity sum = { 0 }, x = { 0 };
		const char *have = get(*v, *n, from[i].key);
		if (have)
			(void)quantity_parse(slice_of(have), &sum, NULL);
		(void)quantity_parse(slice_of(from[i].value), &x, NULL);
		quantity_add(&sum, &x);
		const char *text = quantity_text(a, &sum);
		if (!have) {
			struct kube_quantity_entry one = { from[i].key, text };
			fill(a, v, n, &one, 1);
			continue;
		}
		for (uint32_t k = 0; k < *n; k++)
			if (!strcmp((*v)[k].key, from[i].key))
				(*v)[k].value = text;
	}
}

static void limit_containers(struct limits *l, const struct kube_limit_range_item *item, struct kube_container *v, uint32_t n)
{
	struct arena *a = l->q->arena;
	for (uint32_t i = 0; i < n && l->error == 0; i++) {
		struct kube_resource_requirements *r = &v[i].resources;
		if (fill(a, &r->limits, &r->n_limits, item->default_, item->n_default_) < 0 ||
		    fill(a, &r->requests, &r->n_requests, item->default_request, item->n_default_request) < 0)
			l->error = -ENOMEM;
		/* a limit without a request is the request as well */
		if (l->error == 0 && fill(a, &r->requests, &r->n_requests, r->limits, r->n_limits) < 0)
			l->error = -ENOMEM;
		check_bounds(l, item, r);
	}
}

static int one_range(void *arg, void *obj)
{
	struct limits *l = arg;
	const struct kube_limit_range *range = obj;
	for (uint32_t i = 0; i < range->spec.n_limits; i++) {
		const struct kube_limit_range_item *item = &range->spec.limits[i];
		if (!strcmp(item->type, "Container")) {
			limit_containers(l, item, l->pod->spec.init_containers, l->pod->spec.n_init_containers);
			limit_containers(l, item, l->pod->spec.containers, l->pod->spec.n_containers);
		} else if (!strcmp(item->type, "Pod")) {
			struct kube_resource_requirements all = { 0 };
			for (uint32_t k = 0; k < l->pod->spec.n_containers; k++) {
				const struct kube_resource_requirements *r = &l->pod->spec.containers[k].resources;
				add_up(l->q->arena, &all.requests, &all.n_requests, r->requests, r->n_requests);
				add_up(l->q->arena, &all.limits, &all.n_limits, r->limits, r->n_limits);
			}
			check_bounds(l, item, &all);
		}
	}
	return l->error;
}

int api_limit(struct api_req *q, struct api_object *o)
{
	struct limits l = { .q = q, .pod = (struct kube_pod *)o->head, .problems = BUF_INIT(64 * 1024) };
	int x = api_cached_each(q, "", "v1", "limitranges", o->head->metadata.namespace, one_range, &l);
	if (x == 0 && l.problems.len)
		x = api_forbidden(q, o->res, o->head->metadata.name, arena_fmt(q->arena, strstr(l.problems.ptr, ", m") ? "[%s]" : "%s", l.problems.ptr));
	buf_release(&l.problems);
	return x;
}
