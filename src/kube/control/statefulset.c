// SPDX-License-Identifier: Apache-2.0
/*
 * Stateful sets: pods with ordinals, each with a name, a host name and claims
 * of its own, that come up in order and go in reverse (or all at once, when
 * the policy is Parallel). Updates go from the highest ordinal down to the partition.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/num.h"
#include "kube/control/revisions_int.h"

#define REVISION_LABEL "controller-revision-hash"
#define HASH_LABEL "controller.kubernetes.io/hash"
#define NAME_LABEL "statefulset.kubernetes.io/pod-name"
#define INDEX_LABEL "apps.kubernetes.io/pod-index"
enum { REPLICAS_MAX = 100000 };

struct state {
	struct informer *sets, *pods, *claims, *revisions;
	struct expects *expects, *revision_expects;
};

/* One wanted ordinal. */
struct slot {
	const struct kube_pod *pod;           /* NULL: not there */
	int32_t ordinal;
};
struct work {
	struct sync *s;
	struct state *st;
	struct kube_stateful_set set;         /* own copy of the head; status is changed here */
	const struct kube_stateful_set_status *was;
	struct owner o;
	int32_t replicas, start, partition, unavailable;
	bool in_order;
	struct slot *slots;
	const struct kube_pod **condemned;    /* by ordinal, the highest first */
	uint32_t n_condemned;
	const struct kube_pod *first_unhealthy;
	struct revisions revisions;
	const struct kube_controller_revision *current, *update;
	struct kube_pod_template_spec current_template;
	const char *prefix;
	struct objects pods;
};

/* --- identity */

/* "web-3" of set "web"; -1 for another name. */
static int32_t ordinal_of(const struct kube_stateful_set *set, const struct kube_pod *p)
{
	size_t n = strlen(set->metadata.name);
	int64_t v;

	if (strncmp(p->metadata.name, set->metadata.name, n) != 0 || p->metadata.name[n] != '-' ||
	    num_parse_i64(slice_of(p->metadata.name + n + 1), 0, INT32_MAX, &v) < 0)
		return -1;
	return (int32_t)v;
}

static bool is_created(const struct kube_pod *p) { return p->status.phase && *p->status.phase; }
static bool is_running(const struct kube_pod *p) { return text_eq(p->status.phase, "Running") && kube_pod_is_ready(p); }
static bool is_healthy(const struct kube_pod *p) { return is_running(p) && !kube_is_deleting(&p->metadata); }
static const char *revision_of(const struct kube_pod *p) { return kube_label(&p->metadata, REVISION_LABEL); }

static bool is_available(struct work *w, const struct kube_pod *p)
{
	int64_t again = 0;
	bool yes = is_running(p) && kube_pod_is_available(p, w->set.spec.min_ready_seconds, w->s->now_ns, &again);

	if (again)
		ctl_add_after(w->s->k, w->o.key, again + NS_PER_MS);
	return yes;
}

static const char *claim_name(struct work *w, const struct kube_persistent_volume_claim *t, int32_t ordinal)
{
	return arena_fmt(&w->s->a, "%s-%s-%d", t->metadata.name, w->set.metadata.name, ordinal);
}

/* The volumes of the claims stand in for volumes of the same name. */
static int mount_claims(struct work *w, struct kube_pod *p, int32_t ordinal)
{
	uint32_t n_claims = w->set.spec.n_volume_claim_templates, n = 0;
	struct kube_volume *v = arena_array(&w->s->a, n_claims + p->spec.n_volumes, sizeof *v);

	if (!v)
		return -ENOMEM;
	for (uint32_t i = 0; i < n_claims; i++) {
		const struct kube_persistent_volume_claim *t = &w->set.spec.volume_claim_templates[i];
		struct kube_persistent_volume_claim_volume_source *c = arena_new(&w->s->a, struct kube_persistent_volume_claim_volume_source);

		if (!c || !(c->claim_name = claim_name(w, t, ordinal)))
			return -ENOMEM;
		v[n] = (struct kube_volume){ .name = t->metadata.name };
		v[n++].persistent_volume_claim = c;
	}
	for (uint32_t i = 0; i < p->spec.n_volumes; i++) {
		bool replaced = false;

		for (uint32_t k = 0; k < n_claims; k++)
			replaced |= text_eq(v[k].name, p->spec.volumes[i].name);
		if (!replaced)
			v[n++] = p->spec.volumes[i];
	}
	p->spec.volumes = n ? v : NULL;
	p->spec.n_volumes = n;
	return 0;
}

static struct kube_pod *pod_for(struct work *w, int32_t ordinal)
{
	struct arena *a = &w->s->a;
	/* Below the partition the old template counts, also for pods that come again. */
	bool old = text_eq(w->set.spec.update_strategy.type, "OnDelete") ? false : ordinal < w->start + w->partition;
	const struct kube_pod_template_spec *t = old ? &w->current_template : &w->set.spec.template;
	const char *name = arena_fmt(a, "%s-%d", w->set.metadata.name, ordinal), *revision = (old ? w->current : w->update)->metadata.name;
	const struct schema_pair labels[] = { { REVISION_LABEL, revision }, { NAME_LABEL, name }, { INDEX_LABEL, arena_fmt(a, "%d", ordinal) } };
	struct kube_pod *p = name ? pod_of_template(w->s, &w->o, t, name) : NULL;

	for (size_t i = 0; i < ARRAY_LEN(labels) && p; i++) {
		p->metadata.labels = labels[i].value ? kube_pairs_with(a, p->metadata.labels, &p->metadata.n_labels, labels[i].key, labels[i].value) : NULL;
		if (!p->metadata.labels)
			return NULL;
	}
	if (!p || mount_claims(w, p, ordinal) < 0)
		return NULL;
	p->spec.hostname = name;
	p->spec.subdomain = w->set.spec.service_name;
	return p;
}

/* --- claims */

static bool deletes(const struct work *w, bool scaled)
{
	const struct kube_stateful_set_persistent_volume_claim_retention_policy *p = w->set.spec.persistent_volume_claim_retention_policy;

	return p && text_eq(scaled ? p->when_scaled : p->when_deleted, "Delete");
}

static int make_claim_wait(struct work *w, const struct kube_persistent_volume_claim *t, int32_t ordinal, const char *pod, struct err *e)
{
	struct arena *a = &w->s->a;
	struct kube_persistent_volume_claim c = *t;
	const struct kube_label_selector *sel = w->set.spec.selector;
	int r;

	c.metadata = (struct kube_object_meta){ .name = claim_name(w, t, ordinal), .namespace = w->set.metadata.namespace, .labels = t->metadata.labels,
		.n_labels = t->metadata.n_labels, .annotations = t->metadata.annotations, .n_annotations = t->metadata.n_annotations };
	memset(&c.status, 0, sizeof c.status);
	if (!c.metadata.name)
		return err_nomem(e);
	if (informer_get(w->st->claims, c.metadata.namespace, c.metadata.name))
		return 0;
	for (uint32_t i = 0; sel && i < sel->n_match_labels; i++) {
		c.metadata.labels = kube_pairs_with(a, c.metadata.labels, &c.metadata.n_labels, sel->match_labels[i].key, sel->match_labels[i].value);
		if (!c.metadata.labels)
			return err_nomem(e);
	}
	if (deletes(w, false)) {
		c.metadata.owner_references = kube_controller_ref(a, w->o.r, w->o.m);
		c.metadata.n_owner_references = 1;
		if (!c.metadata.owner_references)
			return err_nomem(e);
		c.metadata.owner_references->block_owner_deletion = NULL;
	}
	r = kclient_create_wait(w->s->c->client, informer_resource(w->st->claims), c.metadata.namespace, &c, a, NULL, e);
	if (r == -EEXIST)
		return 0;
	if (r == 0)
		kevents_add(w->s->k->events, w->o.r, w->o.m, NULL, "Normal", "SuccessfulCreate", "create Claim %s Pod %s in StatefulSet %s success", c.metadata.name,
			pod, w->set.metadata.name);
	else if (r != -ECANCELED && !is_namespace_ending(e))
		kevents_add(w->s->k->events, w->o.r, w->o.m, NULL, "Warning", "FailedCreate", "create Claim %s for Pod %s in StatefulSet %s failed error: %s",
			c.metadata.name, pod, w->set.metadata.name, e->text);
	return r;
}

static int make_claims_wait(struct work *w, int32_t ordinal, const char *pod, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; i < w->set.spec.n_volume_claim_templates && r == 0; i++)
		r = make_claim_wait(w, &w->set.spec.volume_claim_templates[i], ordinal, pod, e);
	return r;
}

/* Where claims go with pods that are scaled away, they belong to the pod from the moment it is condemned. */
static int condemn_claims_wait(struct work *w, const struct kube_pod *p, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; i < w->set.spec.n_volume_claim_templates && r == 0 && deletes(w, true); i++) {
		const char *name = claim_name(w, &w->set.spec.volume_claim_templates[i], ordinal_of(&w->set, p));
		const struct kube_persistent_volume_claim *c = sync_get2(w->s, w->st->claims, w->set.metadata.namespace, name);
		struct kube_owner_reference *ref = kube_controller_ref(&w->s->a, kube_resource_find("", "v1", "pods"), &p->metadata);
		struct kube_object_meta m;

		if (!c || !ref)
			continue;
		m = c->metadata;
		if (m.n_owner_references == 1 && text_eq(m.owner_references[0].uid, p->metadata.uid))
			continue;
		ref->controller = NULL;
		ref->block_owner_deletion = NULL;
		m.owner_references = ref;
		m.n_owner_references = 1;
		r = update_meta_wait(w->s, informer_resource(w->st->claims), c, &m, NULL, e);
		if (r == -ENOENT)
			r = 0;
	}
	return r;
}

/* --- looking */

static int by_ordinal_down(const void *a, const void *b)
{
	const struct kube_pod *p = *(const struct kube_pod *const *)a, *q = *(const struct kube_pod *const *)b;
	size_t n = strlen(p->metadata.name), m = strlen(q->metadata.name);

	return n != m ? (n > m ? -1 : 1) : -strcmp(p->metadata.name, q->metadata.name);
}

static void count(struct work *w, const struct kube_pod *p)
{
	struct kube_stateful_set_status *t = &w->set.status;
	const char *revision = revision_of(p);

	t->replicas += is_created(p);
	t->ready_replicas += is_running(p);
	t->available_replicas += is_available(w, p);
	if (!is_created(p) || kube_is_deleting(&p->metadata))
		return;
	t->current_replicas += text_eq(revision, w->current->metadata.name);
	t->updated_replicas += text_eq(revision, w->update->metadata.name);
}

static int look(struct work *w)
{
	w->slots = arena_array(&w->s->a, (size_t)w->replicas, sizeof *w->slots);
	w->condemned = arena_array(&w->s->a, w->pods.n, sizeof *w->condemned);
	if (!w->slots || !w->condemned)
		return -ENOMEM;
	for (int32_t i = 0; i < w->replicas; i++)
		w->slots[i].ordinal = w->start + i;
	w->set.status = (struct kube_stateful_set_status){ .observed_generation = w->set.metadata.generation, .collision_count = w->was->collision_count,
		.conditions = w->was->conditions, .n_conditions = w->was->n_conditions };
	for (uint32_t i = 0; i < w->pods.n; i++) {
		const struct kube_pod *p = w->pods.v[i];
		int32_t n = ordinal_of(&w->set, p);

		if (n < 0)
			continue;
		count(w, p);
		if (n >= w->start && n - w->start < w->replicas)
			w->slots[n - w->start].pod = p;
		else
			w->condemned[w->n_condemned++] = p;
	}
	if (w->n_condemned)
		qsort(w->condemned, w->n_condemned, sizeof *w->condemned, by_ordinal_down);
	for (int32_t i = 0; i < w->replicas && !w->first_unhealthy; i++)
		if (!w->slots[i].pod || !is_healthy(w->slots[i].pod))
			w->first_unhealthy = w->slots[i].pod;
	for (uint32_t i = w->n_condemned; i-- && !w->first_unhealthy;)
		if (!is_healthy(w->condemned[i]))
			w->first_unhealthy = w->condemned[i];
	return 0;
}

static int find_revisions_wait(struct work *w, struct err *e)
{
	int32_t collisions = count_or(w->was->collision_count, 0);
	int r = revisions_wait(w->s, w->st->revisions, &w->o, &w->set.spec.template, HASH_LABEL, &collisions, w->st->revision_expects, &w->revisions, e);

	if (r == -EEXIST && collisions != count_or(w->was->collision_count, 0)) {
		struct kube_stateful_set set = w->set;
		struct err ignored;

		set.status.collision_count = &collisions;
		kclient_update_wait(w->s->c->client, w->o.r, "status", &set, &w->s->a, NULL, &ignored);
	}
	if (r < 0)
		return r;
	w->update = w->current = w->revisions.now;
	for (uint32_t i = 0; i < w->revisions.n; i++)
		if (text_eq(w->revisions.v[i]->metadata.name, w->was->current_revision))
			w->current = w->revisions.v[i];
	w->current_template = w->set.spec.template;
	return w->current == w->update ? 0 : revision_template(w->s, w->current, &w->current_template, e);
}

/* --- acting. 1: no further in this sync; 0: go on; -errno. */

static int create_wait(struct work *w, struct slot *x, struct err *e)
{
	const struct kube_resource *pods = kube_resource_find("", "v1", "pods");
	struct kube_pod *p = pod_for(w, x->ordinal), *made = arena_new(&w->s->a, struct kube_pod);
	int r;

	if (!p || !made)
		return err_nomem(e);
	r = make_claims_wait(w, x->ordinal, p->metadata.name, e);
	if (r < 0)
		return r;
	r = kclient_create_wait(w->s->c->client, pods, p->metadata.namespace, p, &w->s->a, made, e);
	if (r == -EEXIST) {
		/* Perhaps one that is on its way out under the same name. */
		ctl_add_after(w->s->k, w->o.key, NS_PER_S);
		return r;
	}
	if (r < 0) {
		if (r != -ECANCELED && !is_namespace_ending(e))
			kevents_add(w->s->k->events, w->o.r, w->o.m, NULL, "Warning", "FailedCreate", "create Pod %s in StatefulSet %s failed error: %s", p->metadata.name,
				w->set.metadata.name, e->text);
		return r;
	}
	expects_wrote(w->st->expects, w->o.key, &made->metadata);
	kevents_add(w->s->k->events, w->o.r, w->o.m, NULL, "Normal", "SuccessfulCreate", "create Pod %s in StatefulSet %s successful", p->metadata.name,
		w->set.metadata.name);
	w->set.status.replicas++;
	w->set.status.current_replicas += text_eq(revision_of(p), w->current->metadata.name);
	w->set.status.updated_replicas += text_eq(revision_of(p), w->update->metadata.name);
	return 0;
}

static int delete_wait(struct work *w, const struct kube_pod *p, struct err *e)
{
	struct kube_preconditions pre = { .uid = p->metadata.uid };
	struct kube_delete_options d = { .preconditions = &pre };
	int r = kclient_delete_wait(w->s->c->client, kube_resource_find("", "v1", "pods"), p->metadata.namespace, p->metadata.name, &d, e);

	if (r < 0 && r != -ENOENT) {
		if (r != -ECANCELED)
			kevents_add(w->s->k->events, w->o.r, w->o.m, NULL, "Warning", "FailedDelete", "delete Pod %s in StatefulSet %s failed error: %s",
				p->metadata.name, w->set.metadata.name, e->text);
		return r;
	}
	expects_deleted(w->st->expects, w->o.key, &p->metadata);
	kevents_add(w->s->k->events, w->o.r, w->o.m, NULL, "Normal", "SuccessfulDelete", "delete Pod %s in StatefulSet %s successful", p->metadata.name,
		w->set.metadata.name);
	return 0;
}

/* Labels of its identity that somebody has taken away. */
static int mend_wait(struct work *w, const struct kube_pod *p, int32_t ordinal, struct err *e)
{
	struct kube_object_meta m = p->metadata;
	const char *index = arena_fmt(&w->s->a, "%d", ordinal);

	if (text_eq(kube_label(&m, NAME_LABEL), m.name) && index && text_eq(kube_label(&m, INDEX_LABEL), index))
		return 0;
	m.labels = kube_pairs_with(&w->s->a, m.labels, &m.n_labels, NAME_LABEL, m.name);
	if (m.labels && index)
		m.labels = kube_pairs_with(&w->s->a, m.labels, &m.n_labels, INDEX_LABEL, index);
	if (!m.labels || !index)
		return err_nomem(e);
	return update_meta_wait(w->s, kube_resource_find("", "v1", "pods"), p, &m, NULL, e);
}

static int slot_wait(struct work *w, struct slot *x, struct err *e)
{
	const struct kube_pod *p = x->pod;
	int r;

	if (!p) {
		r = create_wait(w, x, e);
		return r < 0 ? r : w->in_order;
	}
	if (kube_pod_is_terminal(p)) {
		if (!kube_is_deleting(&p->metadata)) {
			kevents_add(w->s->k->events, w->o.r, w->o.m, NULL, "Warning", "RecreatingFailedPod", "StatefulSet %s is recreating failed Pod %s", w->o.key,
				p->metadata.name);
			r = delete_wait(w, p, e);
			if (r < 0)
				return r;
		}
		return w->in_order;
	}
	if (text_eq(p->status.phase, "Pending") || !is_created(p)) {
		r = make_claims_wait(w, x->ordinal, p->metadata.name, e);
		if (r < 0)
			return r;
	}
	if (w->in_order && (kube_is_deleting(&p->metadata) || !is_available(w, p)))
		return 1;
	return kube_is_deleting(&p->metadata) ? 0 : mend_wait(w, p, x->ordinal, e);
}

static int condemned_wait(struct work *w, const struct kube_pod *p, struct err *e)
{
	int r;

	if (kube_is_deleting(&p->metadata))
		return w->in_order;
	if (w->in_order && p != w->first_unhealthy && !is_available(w, p))
		return 1;
	r = condemn_claims_wait(w, p, e);
	if (r == 0)
		r = delete_wait(w, p, e);
	if (r < 0)
		return r;
	w->set.status.current_replicas -= text_eq(revision_of(p), w->current->metadata.name);
	w->set.status.updated_replicas -= text_eq(revision_of(p), w->update->metadata.name);
	return w->in_order;
}

static int roll_wait(struct work *w, struct err *e)
{
	int32_t down = 0;
	int r = 0;

	for (int32_t i = 0; i < w->replicas; i++)
		down += !w->slots[i].pod || !is_healthy(w->slots[i].pod);
	for (int32_t i = w->replicas; i-- > w->partition && r == 0;) {
		const struct kube_pod *p = w->slots[i].pod;

		if (!p)
			return 0;
		if (!text_eq(revision_of(p), w->update->metadata.name) && !kube_is_deleting(&p->metadata)) {
			/* A pod that does not run anyway may always go. */
			if (is_healthy(p) && down >= w->unavailable)
				return 0;
			down += is_healthy(p);
			r = delete_wait(w, p, e);
			if (r == 0)
				w->set.status.current_replicas -= text_eq(revision_of(p), w->current->metadata.name);
			if (w->unavailable <= 1)
				return r;
		} else if (!is_healthy(p) && w->unavailable <= 1) {
			return 0;
		}
	}
	return r;
}

static int act_wait(struct work *w, struct err *e)
{
	int r = 0;

	for (int32_t i = 0; i < w->replicas && r == 0; i++)
		r = slot_wait(w, &w->slots[i], e);
	for (uint32_t i = 0; i < w->n_condemned && r == 0; i++)
		r = condemned_wait(w, w->condemned[i], e);
	if (r == 0 && !text_eq(w->set.spec.update_strategy.type, "OnDelete"))
		r = roll_wait(w, e);
	return r > 0 ? 0 : r;
}

/* --- status */

static int status_wait(struct work *w, struct err *e)
{
	struct kube_stateful_set_status *t = &w->set.status;

	t->update_revision = w->update->metadata.name;
	t->current_revision = w->current->metadata.name;
	if (!text_eq(w->set.spec.update_strategy.type, "OnDelete") && t->updated_replicas == w->replicas && t->ready_replicas == w->replicas &&
	    t->replicas == w->replicas) {
		t->current_replicas = t->updated_replicas;
		t->current_revision = t->update_revision;
	}
	t->current_replicas = MAX(t->current_replicas, 0);
	t->updated_replicas = MAX(t->updated_replicas, 0);
	if (schema_equal(T_kube_stateful_set_status, t, w->was))
		return 0;
	return kclient_update_wait(w->s->c->client, w->o.r, "status", &w->set, &w->s->a, NULL, e);
}

static bool is_live(void *arg, const struct kube_controller_revision *r)
{
	struct work *w = arg;

	for (uint32_t i = 0; i < w->pods.n; i++)
		if (text_eq(revision_of(w->pods.v[i]), r->metadata.name))
			return true;
	return r == w->update || r == w->current;
}

static int limits(struct work *w, struct err *e)
{
	const struct kube_rolling_update_stateful_set_strategy *u = w->set.spec.update_strategy.rolling_update;
	struct schema_int_or_string one = { .number = 1 };

	w->replicas = count_or(w->set.spec.replicas, 1);
	w->start = w->set.spec.ordinals ? w->set.spec.ordinals->start : 0;
	w->partition = u ? count_or(u->partition, 0) : 0;
	w->partition = MIN(MAX(w->partition, 0), w->replicas);
	w->in_order = !text_eq(w->set.spec.pod_management_policy, "Parallel");
	if (w->replicas < 0 || w->replicas > REPLICAS_MAX)
		return err_set(e, EINVAL, "stateful set %s wants more than %d pods", w->o.key, REPLICAS_MAX);
	if (int_or_percent(u && u->max_unavailable ? u->max_unavailable : &one, w->replicas, false, &w->unavailable) < 0)
		return err_set(e, EINVAL, "stateful set %s: maxUnavailable is neither a number nor a percentage", w->o.key);
	w->unavailable = MAX(w->unavailable, 1);
	return 0;
}

static int work_wait(struct work *w, struct err *e)
{
	struct err mine;
	int r = limits(w, e), rc;

	if (r == 0)
		r = claim_wait(w->s, w->st->pods, &w->o, &w->pods, e);
	if (r == 0)
		r = find_revisions_wait(w, e);
	if (r < 0)
		return r;
	if (look(w) < 0)
		return err_nomem(e);
	if (!kube_is_deleting(w->o.m))
		r = act_wait(w, e);
	if (r == -ECANCELED)
		return r;
	rc = status_wait(w, r < 0 ? &mine : e);
	if (r == 0 && rc == 0)
		rc = revisions_trim_wait(w->s, &w->revisions, count_or(w->set.spec.revision_history_limit, 10), is_live, w, e);
	return r < 0 ? r : rc;
}

static int sync_wait(struct ctl *k, const char *key, struct err *e)
{
	struct state *st = k->own;
	AUTO(sync) struct sync s;
	struct work w = { .s = &s, .st = st };
	const struct kube_stateful_set *cached;
	int r;

	sync_begin(&s, k);
	cached = sync_get(&s, st->sets, key);
	if (!cached) {
		expects_forget(st->expects, key);
		expects_forget(st->revision_expects, key);
		return 0;
	}
	if (!expects_met(st->expects, k, key, st->pods) || !expects_met(st->revision_expects, k, key, st->revisions))
		return 0;
	w.set = *cached;
	w.was = &cached->status;
	w.o = (struct owner){ .r = informer_resource(st->sets), .m = &w.set.metadata, .key = key };
	r = selector_of(&s.a, w.set.spec.selector, &w.o.selector, e);
	if (r == 0)
		r = work_wait(&w, e);
	return r == -ENOENT || (r < 0 && is_namespace_ending(e)) ? 0 : r;
}

static int selector_of_set(struct arena *a, const void *o, struct selector *ret)
{
	return selector_of(a, ((const struct kube_stateful_set *)o)->spec.selector, ret, NULL);
}

static void on_child(struct ctl *k, struct kobject *old, struct kobject *now)
{
	ctl_enqueue_owner(k, "StatefulSet", old, now);
	if (now)
		ctl_enqueue_selecting(k, ((struct state *)k->own)->sets, now, selector_of_set);
}

static void release(struct ctl *k)
{
	expects_free(((struct state *)k->own)->expects);
	expects_free(((struct state *)k->own)->revision_expects);
}

int statefulset_start(struct control *c, struct err *e)
{
	struct ctl *k = ctl_new(c, "statefulset", "statefulset-controller", 4, sync_wait, sizeof(struct state));
	struct state *st;
	int r;

	if (!k)
		return -ENOMEM;
	st = k->own;
	k->release = release;
	st->sets = ctl_need(k, "apps", "statefulsets");
	st->pods = ctl_need(k, "", "pods");
	st->claims = ctl_need(k, "", "persistentvolumeclaims");
	st->revisions = ctl_need(k, "apps", "controllerrevisions");
	r = expects_new(c->loop, &st->expects);
	if (r == 0)
		r = expects_new(c->loop, &st->revision_expects);
	if (r == 0)
		r = ctl_index_controller(st->pods);
	if (r == 0)
		r = ctl_index_controller(st->revisions);
	if (r == 0)
		r = ctl_on(k, st->sets, ctl_enqueue);
	if (r == 0)
		r = ctl_on(k, st->pods, on_child);
	return r == 0 ? ctl_on(k, st->revisions, on_child) : r;
}
