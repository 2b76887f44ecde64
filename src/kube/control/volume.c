// SPDX-License-Identifier: Apache-2.0
/*
 * Binding claims to volumes that are there. A claim takes the smallest volume
 * that has its class, its access modes and enough room, or the one it names;
 * a volume whose claim is gone is Released. Nobody makes volumes here, and
 * none is emptied: what stays of a policy Delete is told as Failed.
 *
 * One worker does it all, and a volume is written before its claim: whoever is
 * interrupted between the two finds the volume's claimRef and finishes.
 */
#include <errno.h>

#include "base/clock.h"
#include "kube/control/control_int.h"
#include "schema/quantity.h"

#define BIND_COMPLETED "pv.kubernetes.io/bind-completed"
#define BOUND_BY "pv.kubernetes.io/bound-by-controller"

struct state {
	struct informer *claims, *volumes, *classes;
	struct expects *claim_expects, *volume_expects;
};

static const struct kube_resource *claim_resource(void) { return kube_resource_find("", "v1", "persistentvolumeclaims"); }
static const struct kube_resource *volume_resource(void) { return kube_resource_find("", "v1", "persistentvolumes"); }

/* --- matching */

static bool has_modes(const struct kube_persistent_volume *v, const struct kube_persistent_volume_claim *c)
{
	for (uint32_t i = 0; i < c->spec.n_access_modes; i++) {
		bool found = false;

		for (uint32_t k = 0; k < v->spec.n_access_modes && !found; k++)
			found = text_eq(v->spec.access_modes[k], c->spec.access_modes[i]);
		if (!found)
			return false;
	}
	return true;
}

static int64_t storage_of(const struct kube_quantity_entry *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (!strcmp(v[i].key, "storage"))
			return quantity_text_value(v[i].value);
	return 0;
}

static bool names(const struct kube_persistent_volume *v, const struct kube_persistent_volume_claim *c)
{
	const struct kube_object_reference *r = v->spec.claim_ref;

	return r && text_eq(r->name, c->metadata.name) && text_eq(r->namespace, c->metadata.namespace) && (!r->uid || !*r->uid || text_eq(r->uid, c->metadata.uid));
}

static const char *mode_of(const char *mode) { return mode && *mode ? mode : "Filesystem"; }

static bool fits(const struct kube_persistent_volume *v, const struct kube_persistent_volume_claim *c, const struct selector *sel)
{
	return !kube_is_deleting(&v->metadata) && has_modes(v, c) && text_eq(v->spec.storage_class_name, c->spec.storage_class_name) &&
		text_eq(mode_of(v->spec.volume_mode), mode_of(c->spec.volume_mode)) &&
		storage_of(v->spec.capacity, v->spec.n_capacity) >= storage_of(c->spec.resources.requests, c->spec.resources.n_requests) &&
		selector_matches(sel, v->metadata.labels, v->metadata.n_labels);
}

/* The volume that has the claim's name in it; else the smallest free one that fits; else NULL. */
static int find_volume(struct sync *s, struct state *st, const struct kube_persistent_volume_claim *c, const struct kube_persistent_volume **ret, struct err *e)
{
	struct kube_label_selector any = { 0 };
	struct selector sel;
	struct objects all;
	int r = selector_of(&s->a, c->spec.selector ? c->spec.selector : &any, &sel, e);

	*ret = NULL;
	if (r == 0)
		r = sync_list(s, st->volumes, NULL, NULL, &all);
	for (uint32_t i = 0; r == 0 && i < all.n; i++) {
		const struct kube_persistent_volume *v = all.v[i];

		if (names(v, c)) {
			*ret = v;
			return 0;
		}
		if (v->spec.claim_ref || !text_eq(v->status.phase, "Available") || !fits(v, c, &sel))
			continue;
		if (!*ret || storage_of(v->spec.capacity, v->spec.n_capacity) < storage_of((*ret)->spec.capacity, (*ret)->spec.n_capacity))
			*ret = v;
	}
	return r;
}

/* --- writing */

static int phase_wait(struct sync *s, struct state *st, const char *key, const struct kube_persistent_volume *v, const char *phase, const char *reason,
	const char *message, struct err *e)
{
	struct kube_persistent_volume copy = *v, *answer = arena_new(&s->a, struct kube_persistent_volume);
	int r;

	if (text_eq(v->status.phase, phase) && text_eq(v->status.message, message))
		return 0;
	if (!answer)
		return err_nomem(e);
	copy.status = (struct kube_persistent_volume_status){ .phase = phase, .reason = reason, .message = message, .last_phase_transition_time = sync_now_text(s) };
	r = kclient_update_wait(s->c->client, volume_resource(), "status", &copy, &s->a, answer, e);
	if (r == 0)
		expects_wrote(st->volume_expects, key, &answer->metadata);
	return r;
}

/* The volume's side. *ret is the volume as written. */
static int take_volume_wait(struct sync *s, struct state *st, const char *key, const struct kube_persistent_volume *v,
	const struct kube_persistent_volume_claim *c, struct kube_persistent_volume *ret, struct err *e)
{
	struct kube_persistent_volume copy = *v;
	struct kube_object_reference *ref = arena_new(&s->a, struct kube_object_reference);
	int r;

	*ret = *v;
	if (v->spec.claim_ref && text_eq(v->spec.claim_ref->uid, c->metadata.uid))
		return 0;
	if (!ref)
		return err_nomem(e);
	*ref = (struct kube_object_reference){ .kind = "PersistentVolumeClaim", .api_version = "v1", .namespace = c->metadata.namespace, .name = c->metadata.name,
		.uid = c->metadata.uid, .resource_version = c->metadata.resource_version };
	if (!v->spec.claim_ref)
		copy.metadata.annotations = kube_pairs_with(&s->a, v->metadata.annotations, &copy.metadata.n_annotations, BOUND_BY, "yes");
	copy.spec.claim_ref = ref;
	r = kclient_update_wait(s->c->client, volume_resource(), NULL, &copy, &s->a, ret, e);
	if (r == 0)
		expects_wrote(st->volume_expects, key, &ret->metadata);
	return r;
}

/* The claim's side: which volume, then that it is so. */
static int take_claim_wait(struct sync *s, struct state *st, const char *key, const struct kube_persistent_volume *v,
	const struct kube_persistent_volume_claim *c, struct err *e)
{
	struct kube_persistent_volume_claim copy = *c, *answer = arena_new(&s->a, struct kube_persistent_volume_claim);
	int r = 0;

	if (!answer)
		return err_nomem(e);
	*answer = *c;
	if (!text_eq(c->spec.volume_name, v->metadata.name) || !kube_annotation(&c->metadata, BIND_COMPLETED)) {
		if (!c->spec.volume_name || !*c->spec.volume_name)
			copy.metadata.annotations = kube_pairs_with(&s->a, copy.metadata.annotations, &copy.metadata.n_annotations, BOUND_BY, "yes");
		copy.metadata.annotations = kube_pairs_with(&s->a, copy.metadata.annotations, &copy.metadata.n_annotations, BIND_COMPLETED, "yes");
		if (!copy.metadata.annotations)
			return err_nomem(e);
		copy.spec.volume_name = v->metadata.name;
		r = kclient_update_wait(s->c->client, claim_resource(), NULL, &copy, &s->a, answer, e);
		if (r < 0)
			return r;
		expects_wrote(st->claim_expects, key, &answer->metadata);
	}
	if (text_eq(answer->status.phase, "Bound") && answer->status.n_capacity == v->spec.n_capacity)
		return 0;
	copy = *answer;
	copy.status.phase = "Bound";
	copy.status.access_modes = v->spec.access_modes;
	copy.status.n_access_modes = v->spec.n_access_modes;
	copy.status.capacity = v->spec.capacity;
	copy.status.n_capacity = v->spec.n_capacity;
	r = kclient_update_wait(s->c->client, claim_resource(), "status", &copy, &s->a, answer, e);
	if (r == 0)
		expects_wrote(st->claim_expects, key, &answer->metadata);
	return r;
}

/* --- claims */

static int lost_wait(struct sync *s, struct state *st, const char *key, const struct kube_persistent_volume_claim *c, struct err *e)
{
	struct kube_persistent_volume_claim copy = *c, *answer = arena_new(&s->a, struct kube_persistent_volume_claim);
	int r;

	if (text_eq(c->status.phase, "Lost"))
		return 0;
	if (!answer)
		return err_nomem(e);
	kevents_add(s->k->events, claim_resource(), &c->metadata, NULL, "Warning", "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!");
	copy.status.phase = "Lost";
	copy.status.capacity = NULL;
	copy.status.n_capacity = 0;
	r = kclient_update_wait(s->c->client, claim_resource(), "status", &copy, &s->a, answer, e);
	if (r == 0)
		expects_wrote(st->claim_expects, key, &answer->metadata);
	return r;
}

/* Why it goes on waiting. */
static void tell_pending(struct sync *s, struct state *st, const struct kube_persistent_volume_claim *c)
{
	const char *name = c->spec.storage_class_name;
	const struct kube_storage_class *class = name && *name ? sync_get(s, st->classes, name) : NULL;

	if (!name || !*name)
		kevents_add(s->k->events, claim_resource(), &c->metadata, NULL, "Normal", "FailedBinding",
			"no persistent volumes available for this claim and no storage class is set");
	else if (!class)
		kevents_add(s->k->events, claim_resource(), &c->metadata, NULL, "Warning", "ProvisioningFailed", "storageclass.storage.k8s.io \"%s\" not found", name);
	else if (!strcmp(class->provisioner ? class->provisioner : "", "kubernetes.io/no-provisioner"))
		kevents_add(s->k->events, claim_resource(), &c->metadata, NULL, "Normal", "FailedBinding", "no persistent volumes available for this claim");
	else
		kevents_add(s->k->events, claim_resource(), &c->metadata, NULL, "Normal", "ExternalProvisioning",
			"Waiting for a volume to be created either by the external provisioner '%s' or manually by the system administrator. If volume creation is "
			"delayed, please verify that the provisioner is running and correctly registered.", class->provisioner);
}

static int claim_sync_wait(struct sync *s, struct state *st, const char *key, const char *name, struct err *e)
{
	const struct kube_persistent_volume_claim *c = sync_get(s, st->claims, name);
	const struct kube_persistent_volume *v = NULL;
	struct kube_persistent_volume now;
	int r = 0;

	if (!c) {
		expects_forget(st->claim_expects, key);
		return 0;
	}
	if (kube_is_deleting(&c->metadata))
		return 0;
	if (c->spec.volume_name && *c->spec.volume_name) {
		v = sync_get(s, st->volumes, c->spec.volume_name);
		if (!v)
			return kube_annotation(&c->metadata, BIND_COMPLETED) ? lost_wait(s, st, key, c, e) : 0;
		if (v->spec.claim_ref && !names(v, c))
			return kube_annotation(&c->metadata, BIND_COMPLETED) ? lost_wait(s, st, key, c, e) : 0;
	} else {
		r = find_volume(s, st, c, &v, e);
		if (r < 0)
			return r;
		if (!v) {
			tell_pending(s, st, c);
			return 0;
		}
	}
	r = take_volume_wait(s, st, key, v, c, &now, e);
	if (r == 0)
		r = phase_wait(s, st, key, &now, "Bound", NULL, NULL, e);
	return r < 0 ? r : take_claim_wait(s, st, key, v, c, e);
}

/* --- volumes */

static int volume_sync_wait(struct sync *s, struct state *st, const char *key, const char *name, struct err *e)
{
	const struct kube_persistent_volume *v = sync_get(s, st->volumes, name);
	const struct kube_object_reference *ref = v ? v->spec.claim_ref : NULL;
	const struct kube_persistent_volume_claim *c;

	if (!v) {
		expects_forget(st->volume_expects, key);
		return 0;
	}
	if (kube_is_deleting(&v->metadata))
		return 0;
	if (!ref || !ref->uid || !*ref->uid)
		return phase_wait(s, st, key, v, "Available", NULL, NULL, e);
	c = sync_get2(s, st->claims, ref->namespace, ref->name);
	if (c && text_eq(c->metadata.uid, ref->uid))
		return phase_wait(s, st, key, v, "Bound", NULL, NULL, e);
	if (text_eq(v->spec.persistent_volume_reclaim_policy, "Delete") && (v->spec.host_path || v->spec.local))
		return phase_wait(s, st, key, v, "Failed", "VolumeFailedDelete", "volumes of this kind are not deleted; remove the volume and what is in it by hand", e);
	return phase_wait(s, st, key, v, "Released", NULL, NULL, e);
}

static int sync_wait(struct ctl *k, const char *key, struct err *e)
{
	struct state *st = k->own;
	AUTO(sync) struct sync s;
	bool is_claim = !strncmp(key, "claim|", 6);
	int r;

	sync_begin(&s, k);
	if (!expects_met(st->claim_expects, k, key, st->claims) || !expects_met(st->volume_expects, k, key, st->volumes))
		return 0;
	r = is_claim ? claim_sync_wait(&s, st, key, key + 6, e) : volume_sync_wait(&s, st, key, key + 7, e);
	return r == -ENOENT ? 0 : r;
}

/* --- what wakes it */

static void enqueue(struct ctl *k, const char *kind, const char *name)
{
	char key[700];

	if (fmt_into(key, sizeof key, "%s|%s", kind, name))
		ctl_add(k, key);
}

static void on_claim(struct ctl *k, struct kobject *old, struct kobject *now)
{
	const struct kube_persistent_volume_claim *c = (now ? now : old)->obj;

	enqueue(k, "claim", (now ? now : old)->key);
	if (c->spec.volume_name && *c->spec.volume_name)
		enqueue(k, "volume", c->spec.volume_name);
}

static int want_one(void *arg, struct kobject *o)
{
	const struct kube_persistent_volume_claim *c = o->obj;

	if (!c->spec.volume_name || !*c->spec.volume_name)
		enqueue(arg, "claim", o->key);
	return 0;
}

static void on_volume(struct ctl *k, struct kobject *old, struct kobject *now)
{
	const struct kube_persistent_volume *v = (now ? now : old)->obj;
	const struct kube_object_reference *ref = v->spec.claim_ref;
	char key[600];

	enqueue(k, "volume", (now ? now : old)->key);
	if (ref && fmt_into(key, sizeof key, "%s/%s", ref->namespace ? ref->namespace : "", ref->name ? ref->name : ""))
		enqueue(k, "claim", key);
	else if (now && text_eq(v->status.phase, "Available"))
		informer_each(((struct state *)k->own)->claims, NULL, want_one, k);
}

static void release(struct ctl *k)
{
	expects_free(((struct state *)k->own)->claim_expects);
	expects_free(((struct state *)k->own)->volume_expects);
}

int volume_start(struct control *c, struct err *e)
{
	struct ctl *k = ctl_new(c, "persistentvolume-binder", "persistentvolume-controller", 1, sync_wait, sizeof(struct state));
	struct state *st;
	int r;

	if (!k)
		return -ENOMEM;
	st = k->own;
	k->release = release;
	st->claims = ctl_need(k, "", "persistentvolumeclaims");
	st->volumes = ctl_need(k, "", "persistentvolumes");
	st->classes = ctl_need(k, "storage.k8s.io", "storageclasses");
	if (!st->classes)
		return -ENOMEM;
	r = expects_new(c->loop, &st->claim_expects);
	if (r == 0)
		r = expects_new(c->loop, &st->volume_expects);
	if (r == 0)
		r = ctl_on(k, st->claims, on_claim);
	return r == 0 ? ctl_on(k, st->volumes, on_volume) : r;
}
