// SPDX-License-Identifier: Apache-2.0
#include "kube/control/revisions_int.h"

#include <errno.h>

#include "schema/tree.h"

static const struct kube_resource *resource(void) { return kube_resource_find("apps", "v1", "controllerrevisions"); }

static int by_number(const void *a, const void *b)
{
	const struct kube_controller_revision *p = *(struct kube_controller_revision *const *)a, *q = *(struct kube_controller_revision *const *)b;

	return p->revision != q->revision ? (p->revision < q->revision ? -1 : 1) : strcmp(p->metadata.name, q->metadata.name);
}

/* {"spec":{"template":{…,"$patch":"replace"}}} */
static int patch_of(struct sync *s, const struct kube_pod_template_spec *t, struct tree *ret, struct buf *text, struct err *e)
{
	struct tree template, spec = tree_map();
	int r = tree_from_struct(T_kube_pod_template_spec, t, &s->a, &template, e);

	if (r < 0)
		return r;
	*ret = tree_map();
	if (!tree_set(&s->a, &template, SLICE("$patch"), tree_string(SLICE("replace"))) || !tree_set(&s->a, &spec, SLICE("template"), template) ||
	    !tree_set(&s->a, ret, SLICE("spec"), spec) || tree_to_json(ret, SCHEMA_SORTED, text) < 0)
		return err_nomem(e);
	return 0;
}

static bool holds(struct sync *s, const struct kube_controller_revision *r, const struct tree *patch)
{
	struct tree data;

	return tree_from_json(r->data, SCHEMA_NO_COPY, &s->a, &data, NULL) == 0 && tree_equal(&data, patch);
}

static int renumber_wait(struct sync *s, const struct owner *o, struct kube_controller_revision *r, int64_t number, struct expects *x, struct err *e)
{
	struct kube_controller_revision copy = *r;
	int rc;

	copy.revision = number;
	rc = kclient_update_wait(s->c->client, resource(), NULL, &copy, &s->a, r, e);
	if (rc == 0)
		expects_wrote(x, o->key, &r->metadata);
	return rc;
}

static int make_wait(struct sync *s, const struct owner *o, const struct kube_pod_template_spec *t, struct slice data, const struct tree *patch, int64_t number,
	const char *hash, const char *hash_label, int32_t *collisions, struct expects *x, struct kube_controller_revision **ret, struct err *e)
{
	struct kube_controller_revision want = { .revision = number, .data = data }, *made = arena_new(&s->a, struct kube_controller_revision);
	int r;

	want.metadata.name = arena_fmt(&s->a, "%.220s-%s", o->m->name, hash);
	want.metadata.namespace = o->m->namespace;
	want.metadata.n_labels = t->metadata.n_labels;
	want.metadata.labels = kube_pairs_with(&s->a, t->metadata.labels, &want.metadata.n_labels, hash_label, hash);
	want.metadata.owner_references = kube_controller_ref(&s->a, o->r, o->m);
	want.metadata.n_owner_references = 1;
	if (!made || !want.metadata.name || !want.metadata.labels || !want.metadata.owner_references)
		return err_nomem(e);
	r = kclient_create_wait(s->c->client, resource(), want.metadata.namespace, &want, &s->a, made, e);
	if (r == -EEXIST) {
		r = kclient_get_wait(s->c->client, resource(), want.metadata.namespace, want.metadata.name, &s->a, made, e);
		if (r == 0 && !(kube_controlled_by(&made->metadata, o->m->uid) && holds(s, made, patch))) {
			++*collisions;
			r = err_set(e, EEXIST, "controller revision %s is another's", want.metadata.name);
		}
	} else if (r == 0) {
		expects_wrote(x, o->key, &made->metadata);
	}
	*ret = made;
	return r;
}

int revisions_wait(struct sync *s, struct informer *i, const struct owner *o, const struct kube_pod_template_spec *t, const char *hash_label,
	int32_t *collisions, struct expects *x, struct revisions *ret, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(16 * 1024 * 1024);
	struct objects own;
	struct tree patch;
	char more[16] = "", hash[16];
	int64_t last;
	int r = claim_wait(s, i, o, &own, e);

	if (r == 0)
		r = patch_of(s, t, &patch, &text, e);
	if (r < 0)
		return r;
	*ret = (struct revisions){ .v = arena_array(&s->a, own.n + 1, sizeof *ret->v) };
	if (!ret->v)
		return err_nomem(e);
	for (uint32_t k = 0; k < own.n; k++) {
		struct kube_controller_revision *copy = arena_new(&s->a, struct kube_controller_revision);

		if (!copy)
			return err_nomem(e);
		*copy = *(const struct kube_controller_revision *)own.v[k];
		ret->v[ret->n++] = copy;
	}
	if (ret->n)
		qsort(ret->v, ret->n, sizeof *ret->v, by_number);
	last = ret->n ? ret->v[ret->n - 1]->revision : 0;
	for (uint32_t k = ret->n; k-- && !ret->now;)
		if (holds(s, ret->v[k], &patch))
			ret->now = ret->v[k];
	if (*collisions)
		fmt_into(more, sizeof more, "%d", *collisions);
	kube_safe_text(hash, kube_fnv32(kube_fnv32(KUBE_FNV32, buf_slice(&text)), slice_of(more)));
	if (!ret->now) {
		r = make_wait(s, o, t, buf_slice(&text), &patch, last + 1, hash, hash_label, collisions, x, &ret->now, e);
		if (r == 0)
			ret->v[ret->n++] = ret->now;
	} else if (ret->now->revision != last) {
		r = renumber_wait(s, o, ret->now, last + 1, x, e);
		if (r == 0)
			qsort(ret->v, ret->n, sizeof *ret->v, by_number);
	}
	if (r < 0)
		return r;
	ret->hash = kube_label(&ret->now->metadata, hash_label);
	return ret->hash ? 0 : err_set(e, EINVAL, "controller revision %s has no label %s", ret->now->metadata.name, hash_label);
}

int revision_template(struct sync *s, const struct kube_controller_revision *r, struct kube_pod_template_spec *ret, struct err *e)
{
	struct tree data, *template;
	int rc = tree_from_json(r->data, 0, &s->a, &data, e);

	if (rc < 0)
		return rc;
	template = (struct tree *)tree_path(&data, "spec.template");
	if (!template || template->type != TREE_MAP)
		return err_set(e, EINVAL, "controller revision %s holds no template", r->metadata.name);
	tree_remove(template, SLICE("$patch"));
	return tree_to_struct(template, T_kube_pod_template_spec, 0, &s->a, ret, e);
}

int revisions_trim_wait(struct sync *s, const struct revisions *r, int32_t limit, bool (*is_live)(void *arg, const struct kube_controller_revision *r), void *arg,
	struct err *e)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->n; i++)
		n += !is_live(arg, r->v[i]);
	for (uint32_t i = 0; i < r->n && n > (uint32_t)MAX(limit, 0); i++) {
		int rc;

		if (is_live(arg, r->v[i]))
			continue;
		rc = kclient_delete_wait(s->c->client, resource(), r->v[i]->metadata.namespace, r->v[i]->metadata.name, NULL, e);
		if (rc < 0 && rc != -ENOENT)
			return rc;
		n--;
	}
	return 0;
}
