// SPDX-License-Identifier: Apache-2.0
/* One sync's view, its own writes that the cache does not show yet, and writing in batches. */
#include <errno.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/num.h"
#include "kube/control/control_int.h"

enum { SYNC_ARENA_MAX = 512 * 1024 * 1024, BATCH_MAX = 64 };
static const int64_t EXPECT_NS = 300 * NS_PER_S, LOOK_AGAIN_NS = 2 * NS_PER_S;

void sync_begin(struct sync *s, struct ctl *k)
{
	*s = (struct sync){ .k = k, .c = k->c, .now_ns = loop_realtime_ns(k->c->loop) };
	arena_init(&s->a, SYNC_ARENA_MAX);
}

void sync_end(struct sync *s)
{
	for (size_t i = 0; i < s->refs.n; i++)
		kobject_unref(s->refs.v[i]);
	vec_release(&s->refs);
	arena_release(&s->a);
}

static void *keep(struct sync *s, struct kobject *o)
{
	if (!o || vec_push(&s->refs, o) < 0)
		return NULL;
	return kobject_ref(o)->obj;
}

void *sync_get(struct sync *s, struct informer *i, const char *key) { return keep(s, informer_get_key(i, key)); }
void *sync_get2(struct sync *s, struct informer *i, const char *ns, const char *name) { return keep(s, informer_get(i, ns, name)); }

struct gathering { struct sync *s; VEC(void *) v; };
static int gather_one(void *arg, struct kobject *o)
{
	struct gathering *g = arg;
	void *obj = keep(g->s, o);

	return obj ? vec_push(&g->v, obj) : -ENOMEM;
}

int sync_list(struct sync *s, struct informer *i, const char *index, const char *key, struct objects *ret)
{
	struct gathering g = { .s = s };
	int r;

	r = index ? informer_each_indexed(i, index, key, gather_one, &g) : informer_each(i, key, gather_one, &g);
	*ret = (struct objects){ arena_array(&s->a, g.v.n, sizeof(void *)), (uint32_t)g.v.n };
	if (r == 0 && !ret->v)
		r = -ENOMEM;
	if (r == 0 && ret->n)
		memcpy(ret->v, g.v.v, g.v.n * sizeof(void *));
	if (r < 0)
		ret->n = 0;
	vec_release(&g.v);
	return r;
}

const char *sync_now_text(struct sync *s) { return kube_time_text(&s->a, s->now_ns); }

/* --- expectations */

struct gone { char *key, *uid; };
struct expected {
	int64_t revision;                    /* the cache must have come so far */
	int64_t since_ns;
	VEC(struct gone) gone;               /* and must show these deleted or on their way */
};
struct expects {
	struct loop *loop;
	struct map by_key;
};

int expects_new(struct loop *l, struct expects **ret)
{
	struct expects *x = calloc(1, sizeof *x);

	if (!x)
		return -ENOMEM;
	x->loop = l;
	map_init(&x->by_key);
	*ret = x;
	return 0;
}

static void expected_free(struct expected *w)
{
	for (size_t i = 0; i < w->gone.n; i++) {
		free(w->gone.v[i].key);
		free(w->gone.v[i].uid);
	}
	vec_release(&w->gone);
	free(w);
}

void expects_free(struct expects *x)
{
	struct map_entry *m;
	size_t pos = 0;

	if (!x)
		return;
	while ((m = map_next(&x->by_key, &pos)))
		expected_free(m->value);
	map_release(&x->by_key);
	free(x);
}

static struct expected *expected_of(struct expects *x, const char *key)
{
	struct expected *w = map_gets(&x->by_key, key);

	if (w)
		return w;
	w = calloc(1, sizeof *w);
	if (w && map_sets(&x->by_key, key, w) < 0) {
		free(w);
		w = NULL;
	}
	return w;
}

void expects_wrote(struct expects *x, const char *key, const struct kube_object_meta *m)
{
	struct expected *w = expected_of(x, key);
	int64_t revision;

	if (!w || !m->resource_version || num_parse_i64(slice_of(m->resource_version), 0, INT64_MAX, &revision) < 0)
		return;
	w->revision = MAX(w->revision, revision);
	w->since_ns = loop_monotonic_ns(x->loop);
}

void expects_deleted(struct expects *x, const char *key, const struct kube_object_meta *m)
{
	struct expected *w = expected_of(x, key);
	char text[600];
	struct gone g;

	if (!w)
		return;
	g = (struct gone){ slice_dup(slice_of(kube_key(m, text, sizeof text))), slice_dup(slice_of(m->uid)) };
	if (!g.key || !g.uid || vec_push(&w->gone, g) < 0) {
		free(g.key);
		free(g.uid);
	}
	w->since_ns = loop_monotonic_ns(x->loop);
}

static bool is_gone(const struct gone *g, const struct informer *i)
{
	struct kobject *o = informer_get_key(i, g->key);

	return !o || kube_is_deleting(kobject_meta(o)) || strcmp(kobject_meta(o)->uid, g->uid) != 0;
}

bool expects_met(struct expects *x, struct ctl *k, const char *key, const struct informer *i)
{
	struct expected *w = map_gets(&x->by_key, key);
	bool met;

	if (!w)
		return true;
	if (k->c->freed)
		return false;
	met = informer_revision(i) >= w->revision;
	for (size_t n = 0; n < w->gone.n && met; n++)
		met = is_gone(&w->gone.v[n], i);
	if (!met && loop_monotonic_ns(x->loop) - w->since_ns < EXPECT_NS) {
		ctl_add_after(k, key, LOOK_AGAIN_NS);
		return false;
	}
	expects_forget(x, key);
	return true;
}

void expects_forget(struct expects *x, const char *key)
{
	struct expected *w = map_dels(&x->by_key, key);

	if (w)
		expected_free(w);
}

/* --- batches */

struct batch {
	struct fiber *parent;
	int (*one_wait)(void *arg, unsigned i, struct err *e);
	void *arg;
	unsigned running, done;
	int error;
	struct err err;
	struct fiber *fibers[BATCH_MAX];
};
struct member { struct batch *b; unsigned i, slot; };

static void member_fiber(void *arg)
{
	struct member *m = arg;
	struct batch *b = m->b;
	struct err e = { 0 };
	int r;

	b->fibers[m->slot] = fiber_self();
	r = b->one_wait(b->arg, m->i, &e);
	b->fibers[m->slot] = NULL;
	if (r == 0)
		b->done++;
	else if (!b->error) {
		b->error = r;
		b->err = e;
	}
	b->running--;
	fiber_wake(b->parent);
}

int batch_wait(struct control *c, unsigned n, int (*one_wait)(void *arg, unsigned i, struct err *e), void *arg, unsigned *done, struct err *e)
{
	struct batch b = { .parent = fiber_self(), .one_wait = one_wait, .arg = arg };
	struct member members[BATCH_MAX];
	unsigned at = 0, size = 1;

	while (at < n && !b.error) {
		unsigned most = MIN(size, n - at);
		bool told = false;

		for (unsigned i = 0; i < most && !b.error; i++) {
			int r;

			members[i] = (struct member){ &b, at + i, i };
			b.running++;
			r = fiber_start(c->loop, "batch", member_fiber, &members[i]);
			if (r < 0) {
				b.running--;
				b.error = err_sys(&b.err, r, "starting a fiber");
			}
		}
		while (b.running) {
			fiber_suspend_wait();
			if (fiber_cancelled(b.parent) && !told) {
				told = true;
				for (unsigned i = 0; i < BATCH_MAX; i++)
					if (b.fibers[i])
						fiber_cancel(b.fibers[i]);
			}
		}
		at += most;
		size = MIN(size * 2, (unsigned)BATCH_MAX);
	}
	if (done)
		*done = b.done;
	if (b.error && e)
		*e = b.err;
	return b.error;
}

/* --- writing */

int update_meta_wait(struct sync *s, const struct kube_resource *r, const void *obj, const struct kube_object_meta *m, void *ret_obj, struct err *e)
{
	struct kube_head *copy = arena_alloc(&s->a, schema_size(r->type));

	if (!copy)
		return err_nomem(e);
	memcpy(copy, obj, schema_size(r->type));
	copy->metadata = *m;
	return kclient_update_wait(s->c->client, r, NULL, copy, &s->a, ret_obj, e);
}

bool is_namespace_ending(const struct err *e) { return e->code == EACCES && strstr(e->text, "because it is being terminated"); }

int int_or_percent(const struct schema_int_or_string *v, int32_t total, bool round_up, int32_t *ret)
{
	struct slice s = slice_of(v ? v->string : NULL);
	int64_t n = v ? v->number : 0;

	if (s.ptr) {
		if (!slice_ends(s, "%"))
			return -EINVAL;
		s.len--;
		if (num_parse_i64(s, 0, 1000000, &n) < 0)
			return -EINVAL;
		n = (n * total + (round_up ? 99 : 0)) / 100;
	}
	*ret = (int32_t)MIN(MAX(n, (int64_t)INT32_MIN), (int64_t)INT32_MAX);
	return 0;
}
