// SPDX-License-Identifier: Apache-2.0
#include "kube/meta/object.h"

#include <errno.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/rand.h"

static const char safe_alphabet[] = "bcdfghjklmnpqrstvwxz2456789";

int64_t kube_time_ns(const char *text)
{
	int64_t ns;

	return text && *text && clock_parse_rfc3339(slice_of(text), &ns) == 0 && ns > 0 ? ns : 0;
}

const char *kube_time_text(struct arena *a, int64_t realtime_ns)
{
	char text[CLOCK_TEXT_MAX];

	clock_rfc3339(text, realtime_ns);
	return arena_strdup(a, text);
}

const char *kube_microtime_text(struct arena *a, int64_t realtime_ns)
{
	char text[CLOCK_TEXT_MAX];

	clock_rfc3339(text, realtime_ns);
	text[strlen(text) - 1] = 0;
	return arena_fmt(a, "%s.%06lldZ", text, (long long)(realtime_ns % NS_PER_S / NS_PER_US));
}

const struct kube_owner_reference *kube_controller_of(const struct kube_object_meta *m)
{
	for (uint32_t i = 0; i < m->n_owner_references; i++)
		if (m->owner_references[i].controller && *m->owner_references[i].controller)
			return &m->owner_references[i];
	return NULL;
}

bool kube_controlled_by(const struct kube_object_meta *m, const char *uid)
{
	const struct kube_owner_reference *o = kube_controller_of(m);

	return o && o->uid && uid && !strcmp(o->uid, uid);
}

struct kube_owner_reference *kube_controller_ref(struct arena *a, const struct kube_resource *r, const struct kube_object_meta *owner)
{
	struct kube_owner_reference *o = arena_new(a, struct kube_owner_reference);
	bool *yes = arena_new(a, bool);
	char gv[128];

	if (!o || !yes)
		return NULL;
	*yes = true;
	o->api_version = arena_strdup(a, kube_group_version_text(r->group, r->version, gv, sizeof gv));
	o->kind = r->kind;
	o->name = owner->name;
	o->uid = owner->uid;
	o->controller = o->block_owner_deletion = yes;
	return o->api_version ? o : NULL;
}

bool kube_has_finalizer(const struct kube_object_meta *m, const char *name)
{
	for (uint32_t i = 0; i < m->n_finalizers; i++)
		if (!strcmp(m->finalizers[i], name))
			return true;
	return false;
}

const char *kube_label(const struct kube_object_meta *m, const char *key) { return schema_pair_get(m->labels, m->n_labels, key); }
const char *kube_annotation(const struct kube_object_meta *m, const char *key) { return schema_pair_get(m->annotations, m->n_annotations, key); }

struct schema_pair *kube_pairs_with(struct arena *a, const struct schema_pair *v, uint32_t *n, const char *key, const char *value)
{
	struct schema_pair *to = arena_array(a, *n + 1, sizeof *to);
	uint32_t k = 0;

	if (!to)
		return NULL;
	for (uint32_t i = 0; i < *n; i++)
		if (strcmp(v[i].key, key) != 0)
			to[k++] = v[i];
	if (value)
		to[k++] = (struct schema_pair){ key, value };
	*n = k;
	return to;
}

const char *kube_key(const struct kube_object_meta *m, char *buf, size_t n)
{
	if (m->namespace && *m->namespace)
		fmt_into(buf, n, "%s/%s", m->namespace, m->name);
	else
		fmt_into(buf, n, "%s", m->name);
	return buf;
}

int kube_key_split(struct arena *a, const char *key, const char **ns, const char **name)
{
	struct slice first, second;

	if (slice_cut(slice_of(key), '/', &first, &second)) {
		*ns = arena_dup(a, first);
		*name = arena_dup(a, second);
	} else {
		*ns = "";
		*name = arena_strdup(a, key);
	}
	return *ns && *name ? 0 : -ENOMEM;
}

const struct kube_pod_condition *kube_pod_condition(const struct kube_pod *p, const char *type)
{
	return KUBE_CONDITION(p->status.conditions, p->status.n_conditions, type);
}

bool kube_pod_is_ready(const struct kube_pod *p)
{
	const struct kube_pod_condition *c = kube_pod_condition(p, "Ready");

	return c && c->status && !strcmp(c->status, "True");
}

bool kube_pod_is_available(const struct kube_pod *p, int32_t min_ready_seconds, int64_t now_ns, int64_t *again_ns)
{
	const struct kube_pod_condition *c;
	int64_t since;

	if (again_ns)
		*again_ns = 0;
	if (!kube_pod_is_ready(p))
		return false;
	if (min_ready_seconds <= 0)
		return true;
	c = kube_pod_condition(p, "Ready");
	since = kube_time_ns(c->last_transition_time);
	if (since && since + min_ready_seconds * NS_PER_S <= now_ns)
		return true;
	if (again_ns && since)
		*again_ns = since + min_ready_seconds * NS_PER_S - now_ns;
	return false;
}

bool kube_pod_is_terminal(const struct kube_pod *p)
{
	return p->status.phase && (!strcmp(p->status.phase, "Succeeded") || !strcmp(p->status.phase, "Failed"));
}

bool kube_pod_is_active(const struct kube_pod *p) { return !kube_pod_is_terminal(p) && !kube_is_deleting(&p->metadata); }

uint32_t kube_fnv32(uint32_t seed, struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		seed = (seed ^ (uint8_t)s.ptr[i]) * 16777619u;
	return seed;
}

void kube_safe_text(char *dst, uint32_t v)
{
	char digits[16];

	fmt_into(digits, sizeof digits, "%u", v);
	for (size_t i = 0; digits[i]; i++)
		dst[i] = safe_alphabet[(unsigned char)digits[i] % (sizeof safe_alphabet - 1)];
	dst[strlen(digits)] = 0;
}

int kube_template_hash(const struct kube_pod_template_spec *t, const int32_t *collisions, char *dst)
{
	AUTO(arena) struct arena a;
	AUTO(buf) struct buf text = BUF_INIT(16 * 1024 * 1024);
	struct kube_pod_template_spec plain = *t;
	uint32_t h;
	int r;

	arena_init(&a, 1024 * 1024);
	plain.metadata.labels = kube_pairs_with(&a, t->metadata.labels, &plain.metadata.n_labels, "pod-template-hash", NULL);
	if (!plain.metadata.labels)
		return -ENOMEM;
	r = schema_to_json(T_kube_pod_template_spec, &plain, 0, &text);
	if (r < 0)
		return r;
	h = kube_fnv32(KUBE_FNV32, buf_slice(&text));
	if (collisions && *collisions) {
		char more[16];

		fmt_into(more, sizeof more, "/%d", *collisions);
		h = kube_fnv32(h, slice_of(more));
	}
	kube_safe_text(dst, h);
	return 0;
}

void kube_random_name(char *dst, size_t n, const char *base)
{
	char suffix[6] = "";

	for (int i = 0; i < 5; i++)
		suffix[i] = safe_alphabet[rand_u64() % (sizeof safe_alphabet - 1)];
	fmt_into(dst, n, "%.57s%s", base, suffix);
}
