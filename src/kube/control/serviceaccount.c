// SPDX-License-Identifier: Apache-2.0
/* What every namespace has from birth: the service account `default`, and the cluster's authority as kube-root-ca.crt. Made again when removed. */
#include <errno.h>

#include "kube/control/control_int.h"

#define ACCOUNT "default"
#define ROOT_CA "kube-root-ca.crt"
#define DESCRIPTION "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or " \
	"kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."

struct state { struct informer *namespaces, *written; };

static bool lives(const struct kube_namespace *ns) { return ns && !kube_is_deleting(&ns->metadata) && !text_eq(ns->status.phase, "Terminating"); }

static int made(int r, const struct err *e) { return r == -EEXIST || (r < 0 && is_namespace_ending(e)) || r == -ENOENT ? 0 : r; }

static int account_sync_wait(struct ctl *k, const char *key, struct err *e)
{
	struct state *st = k->own;
	AUTO(sync) struct sync s;
	struct kube_service_account sa = { .metadata = { .name = ACCOUNT, .namespace = key } };

	sync_begin(&s, k);
	if (!lives(sync_get(&s, st->namespaces, key)) || informer_get(st->written, key, ACCOUNT))
		return 0;
	return made(kclient_create_wait(k->c->client, informer_resource(st->written), key, &sa, &s.a, NULL, e), e);
}

static int root_ca_sync_wait(struct ctl *k, const char *key, struct err *e)
{
	struct state *st = k->own;
	AUTO(sync) struct sync s;
	struct schema_pair data = { "ca.crt", k->c->cfg.root_ca_pem }, note = { "kubernetes.io/description", DESCRIPTION };
	struct kube_config_map cm = { .metadata = { .name = ROOT_CA, .namespace = key, .annotations = &note, .n_annotations = 1 } };
	const struct kube_config_map *old;

	sync_begin(&s, k);
	if (!lives(sync_get(&s, st->namespaces, key)))
		return 0;
	old = sync_get2(&s, st->written, key, ROOT_CA);
	if (old && old->n_data == 1 && text_eq(schema_pair_get(old->data, 1, "ca.crt"), data.value))
		return 0;
	if (old)
		cm = *old;
	cm.data = &data;
	cm.n_data = 1;
	if (old)
		return made(kclient_update_wait(k->c->client, informer_resource(st->written), NULL, &cm, &s.a, NULL, e), e);
	return made(kclient_create_wait(k->c->client, informer_resource(st->written), key, &cm, &s.a, NULL, e), e);
}

static void on_written(struct ctl *k, const char *name, struct kobject *now, const struct kube_object_meta *m)
{
	if (text_eq(m->name, name))
		ctl_add(k, m->namespace);
}
static void on_account(struct ctl *k, struct kobject *old, struct kobject *now)
{
	if (!now)
		on_written(k, ACCOUNT, now, kobject_meta(old));
}
static void on_config_map(struct ctl *k, struct kobject *old, struct kobject *now) { on_written(k, ROOT_CA, now, kobject_meta(now ? now : old)); }

static int start(struct control *c, const char *name, const char *plural, int (*sync_wait)(struct ctl *k, const char *key, struct err *e),
	void (*on)(struct ctl *k, struct kobject *old, struct kobject *now))
{
	struct ctl *k = ctl_new(c, name, NULL, 2, sync_wait, sizeof(struct state));
	struct state *st;
	int r;

	if (!k)
		return -ENOMEM;
	st = k->own;
	st->namespaces = ctl_need(k, "", "namespaces");
	st->written = ctl_need(k, "", plural);
	r = ctl_on(k, st->namespaces, ctl_enqueue);
	return r == 0 ? ctl_on(k, st->written, on) : r;
}

int serviceaccount_start(struct control *c, struct err *e) { return start(c, "serviceaccount", "serviceaccounts", account_sync_wait, on_account); }

int root_ca_start(struct control *c, struct err *e)
{
	return c->cfg.root_ca_pem ? start(c, "root-ca-certificate-publisher", "configmaps", root_ca_sync_wait, on_config_map) : 0;
}
