/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl run and expose: objects made from flags. */
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "kubectl/commands.h"
#include "schema/patch.h"

/* "a=b,c=d" as a map */
static int add_labels(struct kctl *k, const char *text, struct tree *map, struct err *e)
{
	struct slice rest = slice_of(text), one, key, value;
	while (slice_next(&rest, ',', &one)) {
		if (!one.len)
			continue;
		if (!slice_cut(one, '=', &key, &value))
			return err_set(e, EINVAL, "unexpected label spec: %.*s", SLICE_FMT(one));
		kctl_set_text(k, map, kctl_fmt(k, "%.*s", SLICE_FMT(key)), kctl_fmt(k, "%.*s", SLICE_FMT(value)));
	}
	return 0;
}

static int add_env(struct kctl *k, struct tree *container, struct err *e)
{
	const struct flag_value *v = flag_list(&k->f, "env");
	for (size_t i = 0; i < v->n; i++) {
		struct slice key, value;
		if (!slice_cut(slice_of(v->v[i]), '=', &key, &value) || !key.len)
			return err_set(e, EINVAL, "invalid env: %s", v->v[i]);
		struct tree *one = tree_append(&k->arena, kctl_list(k, container, "env"), tree_map());
		if (!one)
			return err_nomem(e);
		kctl_set_text(k, one, "name", kctl_fmt(k, "%.*s", SLICE_FMT(key)));
		kctl_set_text(k, one, "value", value.ptr);
	}
	return 0;
}

static int make_pod(struct kctl *k, const char *name, struct tree *ret, struct err *e)
{
	const char *image = flag_str(&k->f, "image"), *labels = flag_str(&k->f, "labels"), *restart = flag_str(&k->f, "restart");
	int64_t port = 0;
	*ret = tree_map();
	kctl_set_text(k, ret, "apiVersion", "v1");
	kctl_set_text(k, ret, "kind", "Pod");
	kctl_set_text(k, kctl_map(k, ret, "metadata"), "name", name);
	struct tree *l = kctl_map(k, kctl_map(k, ret, "metadata"), "labels");
	if (*labels) {
		int r = add_labels(k, labels, l, e);
		if (r < 0)
			return r;
	} else {
		kctl_set_text(k, l, "run", name);
	}
	const struct flag_value *notes = flag_list(&k->f, "annotations");
	for (size_t i = 0; i < notes->n; i++) {
		int r = add_labels(k, notes->v[i], kctl_map(k, kctl_map(k, ret, "metadata"), "annotations"), e);
		if (r < 0)
			return r;
	}
	struct tree *spec = kctl_map(k, ret, "spec");
	struct tree *c = tree_append(&k->arena, kctl_list(k, spec, "containers"), tree_map());
	if (!c)
		return err_nomem(e);
	kctl_set_text(k, c, "name", name);
	kctl_set_text(k, c, "image", image);
	if (*flag_str(&k->f, "image-pull-policy"))
		kctl_set_text(k, c, "imagePullPolicy", flag_str(&k->f, "image-pull-policy"));
	if (*flag_str(&k->f, "port")) {
		if (num_parse_i64(slice_of(flag_str(&k->f, "port")), 1, 65535, &port) < 0)
			return err_set(e, EINVAL, "invalid port: %s", flag_str(&k->f, "port"));
		struct tree *p = tree_append(&k->arena, kctl_list(k, c, "ports"), tree_map());
		if (p)
			kctl_set_int(k, p, "containerPort", port);
	}
	if (k->f.argc > 1) {
		struct tree *args = kctl_list(k, c, flag_bool(&k->f, "command") ? "command" : "args");
		for (int i = 1; i < k->f.argc; i++)
			tree_append(&k->arena, args, tree_string(slice_of(k->f.argv[i])));
	}
	if (flag_bool(&k->f, "stdin")) {
		kctl_set(k, c, "stdin", tree_bool(true));
		kctl_set(k, c, "stdinOnce", tree_bool(!flag_bool(&k->f, "leave-stdin-open")));
	}
	if (flag_bool(&k->f, "tty"))
		kctl_set(k, c, "tty", tree_bool(true));
	if (flag_bool(&k->f, "privileged"))
		kctl_set(k, kctl_map(k, c, "securityContext"), "privileged", tree_bool(true));
	/* the list may have moved while the container was filled: it is filled last of all */
	if (strcmp(restart, "Always") && strcmp(restart, "OnFailure") && strcmp(restart, "Never"))
		return kctl_usage(k, e, "invalid restart policy: %s", restart);
	kctl_set_text(k, spec, "restartPolicy", restart);
	kctl_set_text(k, spec, "dnsPolicy", "ClusterFirst");
	return add_env(k, (struct tree *)tree_at(tree_gets(spec, "containers"), 0), e);
}

/* --overrides: a merge patch onto what was made */
int kctl_override(struct kctl *k, struct schema_ref type, struct tree *object, struct err *e)
{
	const char *text = flag_known(&k->f, "overrides") ? flag_str(&k->f, "overrides") : "", *how = flag_known(&k->f, "override-type") ? flag_str(&k->f, "override-type") : "merge";
	struct tree patch, was = *object;
	if (!*text)
		return 0;
	int r = tree_from_json(slice_of(text), 0, &k->arena, &patch, e);
	if (r < 0)
		return err_prefix(e, "Invalid JSON Patch");
	if (!strcmp(how, "merge"))
		return tree_merge_patch(&was, &patch, &k->arena, object, e);
	if (!strcmp(how, "strategic"))
		return tree_strategic_patch(type, &was, &patch, &k->arena, object, e);
	if (!strcmp(how, "json"))
		return tree_json_patch(&was, &patch, &k->arena, object, e);
	return err_set(e, EINVAL, "invalid override type: %s", how);
}

int kctl_create_one(struct kctl *k, struct kctl_target *t, const char *manager, const char *did, struct tree *got, struct err *e)
{
	const char *dry;
	int r = kctl_dry_run(k, &dry, e);
	/* through its type, so that it looks as Go would write it: status {}, resources {} */
	void *obj = r == 0 && t->kind.type.domain ? arena_alloc(&k->arena, schema_size(t->kind.type)) : NULL;
	if (obj && (r = tree_to_struct(&t->object, t->kind.type, 0, &k->arena, obj, e)) == 0)
		r = tree_from_struct(t->kind.type, obj, &k->arena, &t->object, e);
	if (r < 0)
		return r;
	*got = t->object;
	if (strcmp(dry, "client"))
		r = kctl_send_wait(k, "POST", kctl_path(k, &t->kind, t->ns, NULL, NULL, kctl_write_query(k, manager)), NULL, &t->object, got, e);
	return r < 0 ? r : kctl_print_done(k, t, got, did, e);
}

static int make_service(struct kctl *k, const char *name, const struct tree *selector, struct tree *ports, const char *type, const struct tree *labels, struct tree *ret)
{
	*ret = tree_map();
	kctl_set_text(k, ret, "apiVersion", "v1");
	kctl_set_text(k, ret, "kind", "Service");
	kctl_set_text(k, kctl_map(k, ret, "metadata"), "name", name);
	if (labels && labels->n)
		kctl_set(k, kctl_map(k, ret, "metadata"), "labels", *labels);
	struct tree *spec = kctl_map(k, ret, "spec");
	kctl_set(k, spec, "selector", *selector);
	kctl_set(k, spec, "ports", *ports);
	if (*type)
		kctl_set_text(k, spec, "type", type);
	return 0;
}

/* run --expose: a service beside the pod */
static int expose_pod(struct kctl *k, const char *name, const struct tree *pod, struct err *e)
{
	struct kctl_target t = { .name = name, .ns = k->ns };
	struct tree ports = tree_list(), got;
	int64_t port;
	if (num_parse_i64(slice_of(flag_str(&k->f, "port")), 1, 65535, &port) < 0)
		return kctl_usage(k, e, "--port must be set when exposing a service");
	struct tree *p = tree_append(&k->arena, &ports, tree_map());
	if (!p)
		return err_nomem(e);
	kctl_set_int(k, p, "port", port);
	kctl_set_text(k, p, "protocol", "TCP");
	kctl_set_int(k, p, "targetPort", port);
	make_service(k, name, tree_path(pod, "metadata.labels"), &ports, "", NULL, &t.object);
	int r = kctl_kind_wait(k, "services", &t.kind, e);
	return r < 0 ? r : kctl_create_one(k, &t, "kubectl-run", "created", &got, e);
}

int kcmd_run(struct kctl *k, struct err *e)
{
	const char *name = kctl_arg(k, 0), *generator = flag_str(&k->f, "generator");
	struct kctl_target t = { .name = name };
	struct tree got;
	int r = kctl_client(k, e);
	bool interactive = flag_bool(&k->f, "stdin") || flag_bool(&k->f, "attach");
	if (r == 0 && *generator && strcmp(generator, "run-pod/v1"))
		return err_set(e, EINVAL, "Generator: %s not supported: kubectl run makes a pod; for a deployment: kubectl create deployment", generator);
	if (r == 0 && *generator)
		kctl_warn(k, "Flag --generator has been deprecated, has no effect and will be removed in the future.");
	if (r == 0 && !*flag_str(&k->f, "image"))
		return err_set(e, EINVAL, "--image is required");
	if (r == 0 && flag_bool(&k->f, "expose") && !*flag_str(&k->f, "port"))
		return kctl_usage(k, e, "--port must be set when exposing a service");
	if (r == 0 && flag_bool(&k->f, "tty") && !flag_bool(&k->f, "stdin"))
		return kctl_usage(k, e, "stdin is required for containers with -t/--tty");
	if (r == 0 && flag_bool(&k->f, "rm") && !interactive)
		return kctl_usage(k, e, "--rm should only be used for attached containers");
	if (r == 0)
		r = kctl_kind_wait(k, "pods", &t.kind, e);
	if (r == 0)
		r = make_pod(k, name, &t.object, e);
	if (r == 0)
		r = kctl_override(k, t.kind.type, &t.object, e);
	if (r < 0)
		return r;
	t.ns = k->ns;
	struct tree made = t.object;
	if (interactive && strcmp(flag_str(&k->f, "dry-run"), "none") == 0) {
		r = kctl_send_wait(k, "POST", kctl_path(k, &t.kind, t.ns, NULL, NULL, kctl_write_query(k, "kubectl-run")), NULL, &t.object, &got, e);
		return r < 0 ? r : kctl_run_attached_wait(k, &t, e);
	}
	r = kctl_create_one(k, &t, "kubectl-run", "created", &got, e);
	if (r == 0 && flag_bool(&k->f, "expose"))
		r = expose_pod(k, name, &made, e);
	return r;
}

/* --- expose --------------------------------------------------------------------------------------------- */
static int selector_for(struct kctl *k, const struct kctl_target *t, const struct tree *o, struct tree *ret, struct err *e)
{
	const char *given = flag_str(&k->f, "selector");
	const struct tree *s = NULL;
	if (*given) {
		*ret = tree_map();
		return add_labels(k, given, ret, e);
	}
	if (!strcmp(t->kind.plural, "pods")) {
		s = tree_path(o, "metadata.labels");
		if (!s || !s->n)
			return err_set(e, EINVAL, "couldn't retrieve selectors via --selector flag or introspection: the pod has no labels and cannot be exposed");
	} else if (!strcmp(t->kind.plural, "services") || !strcmp(t->kind.plural, "replicationcontrollers")) {
		s = tree_path(o, "spec.selector");
	} else if (!strcmp(t->kind.plural, "deployments") || !strcmp(t->kind.plural, "replicasets")) {
		const struct tree *more = tree_path(o, "spec.selector.matchExpressions");
		if (more && more->n)
			return err_set(e, EINVAL, "couldn't retrieve selectors via --selector flag or introspection: couldn't convert expressions - \"%s\" to map-based selector format",
				kctl_text_at(k, tree_at(more, 0), "key"));
		s = tree_path(o, "spec.selector.matchLabels");
	} else {
		return err_set(e, EINVAL, "cannot expose a %s", t->kind.kind);
	}
	if (!s || !s->n)
		return err_set(e, EINVAL, "couldn't retrieve selectors via --selector flag or introspection: invalid %s: no selectors, therefore cannot be exposed", t->kind.singular);
	*ret = *s;
	return 0;
}

static void add_port(struct kctl *k, struct tree *list, int64_t port, const char *protocol, const char *target, bool several)
{
	int64_t number;
	struct tree *p = tree_append(&k->arena, list, tree_map());
	if (!p)
		return;
	if (several)
		kctl_set_text(k, p, "name", kctl_fmt(k, "port-%u", list->n));
	kctl_set_int(k, p, "port", port);
	kctl_set_text(k, p, "protocol", protocol);
	if (!*target)
		kctl_set_int(k, p, "targetPort", port);
	else if (num_parse_i64(slice_of(target), 1, 65535, &number) == 0)
		kctl_set_int(k, p, "targetPort", number);
	else
		kctl_set_text(k, p, "targetPort", target);
}

static int ports_for(struct kctl *k, const struct kctl_target *t, const struct tree *o, struct tree *ret, struct err *e)
{
	const char *given = flag_str(&k->f, "port"), *protocol = *flag_str(&k->f, "protocol") ? flag_str(&k->f, "protocol") : "TCP", *target = flag_str(&k->f, "target-port");
	int64_t port;
	*ret = tree_list();
	if (*given) {
		struct slice rest = slice_of(given), one;
		bool several = strchr(given, ',');
		while (slice_next(&rest, ',', &one)) {
			if (num_parse_i64(one, 1, 65535, &port) < 0)
				return err_set(e, EINVAL, "invalid port: %.*s", SLICE_FMT(one));
			add_port(k, ret, port, protocol, target, several);
		}
		return 0;
	}
	const struct tree *lists[64];
	size_t n = 0;
	if (!strcmp(t->kind.plural, "services")) {
		lists[n++] = tree_path(o, "spec.ports");
	} else {
		const struct tree *containers = tree_path(o, !strcmp(t->kind.plural, "pods") ? "spec.containers" : "spec.template.spec.containers");
		for (uint32_t i = 0; containers && i < containers->n && n < ARRAY_LEN(lists); i++)
			lists[n++] = tree_gets(tree_at(containers, i), "ports");
	}
	unsigned all = 0;
	for (size_t i = 0; i < n; i++)
		all += lists[i] ? lists[i]->n : 0;
	for (size_t i = 0; i < n; i++)
		for (uint32_t j = 0; lists[i] && j < lists[i]->n; j++) {
			const struct tree *p = tree_at(lists[i], j);
			const char *proto = kctl_text_at(k, p, "protocol");
			if (tree_i64(tree_gets(p, tree_gets(p, "containerPort") ? "containerPort" : "port"), &port) == 0)
				add_port(k, ret, port, *flag_str(&k->f, "protocol") ? protocol : *proto ? proto : "TCP", target, all > 1);
		}
	return ret->n ? 0 : err_set(e, EINVAL, "couldn't find port via --port flag or introspection");
}

int kcmd_expose(struct kctl *k, struct err *e)
{
	struct kctl_targets all = { 0 };
	int r = kctl_targets_wait(k, 0, KARGS_NAMES | KARGS_FILES, &all, e);
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		struct kctl_target *t = &all.v[i], s = { .ns = t->ns };
		struct tree o, selector, ports, got, labels = tree_map();
		r = kctl_get_wait(k, kctl_path(k, &t->kind, t->ns, t->name, NULL, NULL), &o, e);
		if (r == 0)
			r = selector_for(k, t, &o, &selector, e);
		if (r == 0)
			r = ports_for(k, t, &o, &ports, e);
		if (r == 0 && *flag_str(&k->f, "labels"))
			r = add_labels(k, flag_str(&k->f, "labels"), &labels, e);
		else if (r == 0 && tree_path(&o, "metadata.labels"))
			labels = *tree_path(&o, "metadata.labels");
		if (r == 0)
			r = kctl_kind_wait(k, "services", &s.kind, e);
		if (r < 0)
			break;
		s.name = *flag_str(&k->f, "name") ? flag_str(&k->f, "name") : t->name;
		make_service(k, s.name, &selector, &ports, flag_str(&k->f, "type"), &labels, &s.object);
		struct tree *spec = kctl_map(k, &s.object, "spec");
		if (flag_changed(&k->f, "cluster-ip"))
			kctl_set_text(k, spec, "clusterIP", flag_str(&k->f, "cluster-ip"));
		if (*flag_str(&k->f, "external-ip"))
			tree_append(&k->arena, kctl_list(k, spec, "externalIPs"), tree_string(slice_of(flag_str(&k->f, "external-ip"))));
		if (*flag_str(&k->f, "session-affinity"))
			kctl_set_text(k, spec, "sessionAffinity", flag_str(&k->f, "session-affinity"));
		r = kctl_override(k, s.kind.type, &s.object, e);
		if (r == 0)
			r = kctl_create_one(k, &s, "kubectl-expose", "exposed", &got, e);
	}
	return r;
}
