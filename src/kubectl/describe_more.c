/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptions of what is not a workload: rights, claims, limits, scaling, ends of services. */
#include <stdlib.h>
#include <string.h>

#include "kubectl/describe_int.h"

static void names(struct desc *d, const struct tree *o, bool ns)
{
	desc_line(d, 0, "Name:\t%s", desc_at(d, o, "metadata.name"));
	if (ns)
		desc_line(d, 0, "Namespace:\t%s", desc_at(d, o, "metadata.namespace"));
}

static void labels(struct desc *d, const struct tree *o) { desc_map(d, 0, "Labels:", tree_path(o, "metadata.labels"), "="); }
static void notes(struct desc *d, const struct tree *o) { desc_map(d, 0, "Annotations:", tree_path(o, "metadata.annotations"), ": "); }

static const char *joined(struct desc *d, const struct tree *list, const char *between)
{
	struct buf b AUTO(buf) = BUF_INIT(64 << 10);
	for (uint32_t i = 0; list && list->type == TREE_LIST && i < list->n; i++)
		buf_addf(&b, "%s%s", i ? between : "", kctl_text(d->k, tree_at(list, i)));
	return kctl_fmt(d->k, "%s", b.ptr);
}

static const char *modes(struct desc *d, const struct tree *list)
{
	static const char *const shorts[][2] = { { "ReadWriteOnce", "RWO" }, { "ReadOnlyMany", "ROX" }, { "ReadWriteMany", "RWX" }, { "ReadWriteOncePod", "RWOP" } };
	struct buf b AUTO(buf) = BUF_INIT(4096);
	for (uint32_t i = 0; list && i < list->n; i++)
		for (size_t j = 0; j < ARRAY_LEN(shorts); j++)
			if (slice_is(tree_text(tree_at(list, i)), shorts[j][0]))
				buf_addf(&b, "%s%s", b.len ? "," : "", shorts[j][1]);
	return kctl_fmt(d->k, "%s", b.ptr);
}

void desc_account(struct desc *d, const struct tree *o)
{
	static const struct { const char *title, *list; } rows[] = { { "Image pull secrets:", "imagePullSecrets" }, { "Mountable secrets:", "secrets" } };
	names(d, o, true);
	labels(d, o);
	notes(d, o);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct tree *l = tree_gets(o, rows[i].list);
		for (uint32_t j = 0; l && j < l->n; j++)
			desc_line(d, 0, "%s\t%s", j ? "" : rows[i].title, desc_at(d, tree_at(l, j), "name"));
		if (!l || !l->n)
			desc_line(d, 0, "%s\t<none>", rows[i].title);
	}
	desc_line(d, 0, "Tokens:\t<none>");
}

void desc_role(struct desc *d, const struct tree *o)
{
	names(d, o, false);
	labels(d, o);
	notes(d, o);
	desc_line(d, 0, "PolicyRule:\n  Resources\tNon-Resource URLs\tResource Names\tVerbs\n  ---------\t-----------------\t--------------\t-----");
	kctl_rules(d->k, tree_gets(o, "rules"), &d->out, "  ");
}

void desc_binding(struct desc *d, const struct tree *o)
{
	const struct tree *s = tree_gets(o, "subjects");
	names(d, o, false);
	labels(d, o);
	notes(d, o);
	desc_line(d, 0, "Role:\n  Kind:\t%s\n  Name:\t%s\nSubjects:\n  Kind\tName\tNamespace\n  ----\t----\t---------", desc_at(d, o, "roleRef.kind"), desc_at(d, o, "roleRef.name"));
	for (uint32_t i = 0; s && i < s->n; i++)
		desc_line(d, 1, "%s\t%s\t%s", desc_at(d, tree_at(s, i), "kind"), desc_at(d, tree_at(s, i), "name"), desc_at(d, tree_at(s, i), "namespace"));
}

static int by_key(const void *a, const void *b)
{
	const struct tree_member *x = a, *y = b;
	return slice_cmp(slice_n(x->key, x->key_len), slice_n(y->key, y->key_len));
}

void desc_quota_lines(struct desc *d, int level, const struct tree *o)
{
	struct tree hard;
	const struct tree *h = tree_path(o, "status.hard"), *used = tree_path(o, "status.used");
	if (!h || tree_copy(h, &d->k->arena, &hard) < 0)
		return;
	qsort(hard.members, hard.n, sizeof *hard.members, by_key);
	for (uint32_t i = 0; i < hard.n; i++)
		desc_line(d, level, "%.*s\t%s\t%s", (int)hard.members[i].key_len, hard.members[i].key,
			desc_or(d, tree_get(used, slice_n(hard.members[i].key, hard.members[i].key_len)), "0"), kctl_text(d->k, &hard.members[i].value));
}

void desc_quota(struct desc *d, const struct tree *o)
{
	names(d, o, true);
	const struct tree *s = tree_path(o, "spec.scopes");
	if (s && s->n)
		desc_line(d, 0, "Scopes:\t%s", joined(d, s, ", "));
	desc_line(d, 0, "Resource\tUsed\tHard\n--------\t----\t----");
	desc_quota_lines(d, 0, o);
}

/* A line a resource that any bound names. */
void desc_limit_lines(struct desc *d, const char *indent, const struct tree *o)
{
	static const char *const bounds[] = { "min", "max", "defaultRequest", "default", "maxLimitRequestRatio" };
	const struct tree *l = tree_path(o, "spec.limits");
	for (uint32_t i = 0; l && i < l->n; i++) {
		const struct tree *x = tree_at(l, i);
		const char *seen[64];
		size_t n = 0;
		for (size_t b = 0; b < ARRAY_LEN(bounds); b++) {
			const struct tree *m = tree_gets(x, bounds[b]);
			for (uint32_t j = 0; m && j < m->n; j++) {
				const char *key = kctl_fmt(d->k, "%.*s", (int)m->members[j].key_len, m->members[j].key);
				bool known = false;
				for (size_t s = 0; s < n; s++)
					known |= !strcmp(seen[s], key);
				if (!known && n < ARRAY_LEN(seen))
					seen[n++] = key;
			}
		}
		for (size_t s = 0; s < n; s++) {
			buf_addf(&d->out, "%s%s\t%s", indent, desc_at(d, x, "type"), seen[s]);
			for (size_t b = 0; b < ARRAY_LEN(bounds); b++)
				buf_addf(&d->out, "\t%s", desc_or(d, tree_get(tree_gets(x, bounds[b]), slice_of(seen[s])), "-"));
			buf_addc(&d->out, '\n');
		}
	}
}

void desc_limits(struct desc *d, const struct tree *o)
{
	names(d, o, true);
	desc_line(d, 0, "Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio\n----\t--------\t---\t---\t---------------\t-------------\t-----------------------");
	desc_limit_lines(d, "", o);
}

void desc_priority(struct desc *d, const struct tree *o)
{
	names(d, o, false);
	desc_line(d, 0, "Value:\t%s", desc_or(d, tree_gets(o, "value"), "0"));
	desc_line(d, 0, "GlobalDefault:\t%s", tree_is_true(tree_gets(o, "globalDefault")) ? "true" : "false");
	desc_line(d, 0, "PreemptionPolicy:\t%s", desc_at(d, o, "preemptionPolicy"));
	desc_line(d, 0, "Description:\t%s", desc_at(d, o, "description"));
	desc_map(d, 0, "Annotations:", tree_path(o, "metadata.annotations"), "=");
}

void desc_claim(struct desc *d, const struct tree *o)
{
	const char *name = desc_at(d, o, "metadata.name"), *ns = desc_at(d, o, "metadata.namespace");
	bool bound = *desc_at(d, o, "spec.volumeName");
	unsigned used = 0;
	names(d, o, true);
	desc_line(d, 0, "StorageClass:\t%s", desc_at(d, o, "spec.storageClassName"));
	desc_line(d, 0, "Status:\t%s", *desc_at(d, o, "metadata.deletionTimestamp") ? kctl_fmt(d->k, "Terminating (lasts %s)", desc_age(d, tree_path(o, "metadata.deletionTimestamp"))) : desc_at(d, o, "status.phase"));
	desc_line(d, 0, "Volume:\t%s", desc_at(d, o, "spec.volumeName"));
	labels(d, o);
	notes(d, o);
	desc_line(d, 0, "Finalizers:\t[%s]", joined(d, tree_path(o, "metadata.finalizers"), " "));
	desc_line(d, 0, "Capacity:\t%s", bound ? desc_at(d, o, "status.capacity.storage") : "");
	desc_line(d, 0, "Access Modes:\t%s", bound ? modes(d, tree_path(o, "status.accessModes")) : "");
	desc_line(d, 0, "VolumeMode:\t%s", desc_at(d, o, "spec.volumeMode"));
	const struct tree *pods = desc_list_wait(d, "pods", ns, NULL, NULL);
	for (uint32_t i = 0; pods && i < pods->n; i++) {
		const struct tree *v = tree_path(tree_at(pods, i), "spec.volumes");
		for (uint32_t j = 0; v && j < v->n; j++)
			if (!strcmp(desc_at(d, tree_at(v, j), "persistentVolumeClaim.claimName"), name))
				desc_line(d, 0, "%s\t%s", used++ ? "" : "Used By:", desc_at(d, tree_at(pods, i), "metadata.name"));
	}
	if (!used)
		desc_line(d, 0, "Used By:\t<none>");
}

void desc_volume(struct desc *d, const struct tree *o)
{
	const char *ns = desc_at(d, o, "spec.claimRef.namespace");
	names(d, o, false);
	labels(d, o);
	notes(d, o);
	desc_line(d, 0, "Finalizers:\t[%s]", joined(d, tree_path(o, "metadata.finalizers"), " "));
	desc_line(d, 0, "StorageClass:\t%s", desc_at(d, o, "spec.storageClassName"));
	desc_line(d, 0, "Status:\t%s", *desc_at(d, o, "metadata.deletionTimestamp") ? kctl_fmt(d->k, "Terminating (lasts %s)", desc_age(d, tree_path(o, "metadata.deletionTimestamp"))) : desc_at(d, o, "status.phase"));
	desc_line(d, 0, "Claim:\t%s%s%s", ns, *ns ? "/" : "", desc_at(d, o, "spec.claimRef.name"));
	desc_line(d, 0, "Reclaim Policy:\t%s", desc_at(d, o, "spec.persistentVolumeReclaimPolicy"));
	desc_line(d, 0, "Access Modes:\t%s", modes(d, tree_path(o, "spec.accessModes")));
	desc_line(d, 0, "VolumeMode:\t%s", desc_at(d, o, "spec.volumeMode"));
	desc_line(d, 0, "Capacity:\t%s", desc_at(d, o, "spec.capacity.storage"));
	desc_line(d, 0, tree_path(o, "spec.nodeAffinity.required") ? "Node Affinity:\n  Required Terms:" : "Node Affinity:\t<none>");
	const struct tree *terms = tree_path(o, "spec.nodeAffinity.required.nodeSelectorTerms");
	for (uint32_t i = 0; terms && i < terms->n; i++) {
		const struct tree *x = tree_gets(tree_at(terms, i), "matchExpressions");
		for (uint32_t j = 0; x && j < x->n; j++) {
			const char *op = desc_at(d, tree_at(x, j), "operator");
			desc_line(d, 2, "%s%s\t%s %s [%s]", j ? "" : kctl_fmt(d->k, "Term %u:", i), j ? "" : "", desc_at(d, tree_at(x, j), "key"), !strcmp(op, "In") ? "in" : op, joined(d, tree_gets(tree_at(x, j), "values"), ", "));
		}
	}
	desc_line(d, 0, "Message:\t%s", desc_at(d, o, "status.message"));
	desc_line(d, 0, "Source:");
	if (tree_path(o, "spec.hostPath"))
		desc_line(d, 2, "Type:\tHostPath (bare host directory volume)\n    Path:\t%s\n    HostPathType:\t%s", desc_at(d, o, "spec.hostPath.path"), desc_at(d, o, "spec.hostPath.type"));
	else if (tree_path(o, "spec.local"))
		desc_line(d, 2, "Type:\tLocalVolume (a persistent volume backed by local storage on a node)\n    Path:\t%s", desc_at(d, o, "spec.local.path"));
	else if (tree_path(o, "spec.nfs"))
		desc_line(d, 2, "Type:\tNFS (an NFS mount that lasts the lifetime of a pod)\n    Server:\t%s\n    Path:\t%s\n    ReadOnly:\t%s", desc_at(d, o, "spec.nfs.server"), desc_at(d, o, "spec.nfs.path"),
			tree_is_true(tree_path(o, "spec.nfs.readOnly")) ? "true" : "false");
	else
		desc_line(d, 2, "<unknown>");
}

void desc_class(struct desc *d, const struct tree *o)
{
	const struct tree *p = tree_gets(o, "parameters"), *m = tree_gets(o, "mountOptions"), *a = tree_path(o, "metadata.annotations");
	struct buf text AUTO(buf) = BUF_INIT(1 << 20);
	const char *is = kctl_text(d->k, tree_get(a, SLICE("storageclass.kubernetes.io/is-default-class"))), *grow = desc_at(d, o, "allowVolumeExpansion");
	names(d, o, false);
	desc_line(d, 0, "IsDefaultClass:\t%s", !strcmp(is, "true") ? "Yes" : "No");
	for (uint32_t i = 0; a && i < a->n; i++)
		buf_addf(&text, "%s%.*s=%s", i ? "," : "", (int)a->members[i].key_len, a->members[i].key, kctl_text(d->k, &a->members[i].value));
	desc_line(d, 0, "Annotations:\t%s", text.len ? text.ptr : "<none>");
	desc_line(d, 0, "Provisioner:\t%s", desc_at(d, o, "provisioner"));
	buf_reset(&text);
	for (uint32_t i = 0; p && i < p->n; i++)
		buf_addf(&text, "%s%.*s=%s", i ? "," : "", (int)p->members[i].key_len, p->members[i].key, kctl_text(d->k, &p->members[i].value));
	desc_line(d, 0, "Parameters:\t%s", text.len ? text.ptr : "<none>");
	desc_line(d, 0, "AllowVolumeExpansion:\t%s", !*grow ? "<unset>" : !strcmp(grow, "true") ? "True" : "False");
	if (m && m->n)
		desc_line(d, 0, "MountOptions:\n  %s", joined(d, m, "\n  "));
	else
		desc_line(d, 0, "MountOptions:\t<none>");
	desc_line(d, 0, "ReclaimPolicy:\t%s", desc_at(d, o, "reclaimPolicy"));
	desc_line(d, 0, "VolumeBindingMode:\t%s", desc_at(d, o, "volumeBindingMode"));
}

void desc_ingress_class(struct desc *d, const struct tree *o)
{
	names(d, o, false);
	labels(d, o);
	notes(d, o);
	desc_line(d, 0, "Controller:\t%s", desc_at(d, o, "spec.controller"));
	if (tree_path(o, "spec.parameters"))
		desc_line(d, 0, "Parameters:\n  Kind:\t%s\n  Name:\t%s", desc_at(d, o, "spec.parameters.kind"), desc_at(d, o, "spec.parameters.name"));
}

static const char *backend(struct desc *d, const struct tree *o, const struct tree *b)
{
	const char *service = desc_at(d, b, "service.name"), *port = desc_at(d, b, "service.port.name");
	struct buf ends AUTO(buf) = BUF_INIT(64 << 10);
	if (!*service)
		return kctl_fmt(d->k, "APIGroup: %s, Kind: %s, Name: %s", desc_at(d, b, "resource.apiGroup"), desc_at(d, b, "resource.kind"), desc_at(d, b, "resource.name"));
	const char *ns = desc_at(d, o, "metadata.namespace");
	const struct tree *found = desc_list_wait(d, "services", ns, NULL, kctl_fmt(d->k, "metadata.name=%s", service)), *s = found ? tree_at(found, 0) : NULL, *ports = tree_path(s, "spec.ports");
	const char *number = desc_at(d, b, "service.port.number"), *shown = *port ? port : number;
	if (!s)
		return kctl_fmt(d->k, "%s:%s (<error: services \"%s\" not found>)", service, shown, service);
	for (uint32_t i = 0; ports && i < ports->n; i++)
		if (*port ? !strcmp(desc_at(d, tree_at(ports, i), "name"), port) : !strcmp(desc_at(d, tree_at(ports, i), "port"), number))
			desc_endpoints(d, s, desc_at(d, tree_at(ports, i), "name"), &ends);
	return kctl_fmt(d->k, "%s:%s (%s)", service, shown, ends.ptr ? ends.ptr : "");
}

void desc_ingress(struct desc *d, const struct tree *o)
{
	const struct tree *tls = tree_path(o, "spec.tls"), *rules = tree_path(o, "spec.rules"), *lb = tree_path(o, "status.loadBalancer.ingress");
	struct buf address AUTO(buf) = BUF_INIT(64 << 10);
	names(d, o, false);
	labels(d, o);
	desc_line(d, 0, "Namespace:\t%s", desc_at(d, o, "metadata.namespace"));
	for (uint32_t i = 0; lb && i < lb->n; i++)
		buf_addf(&address, "%s%s", i ? "," : "", desc_or(d, tree_gets(tree_at(lb, i), "ip"), desc_at(d, tree_at(lb, i), "hostname")));
	desc_line(d, 0, "Address:\t%s", address.ptr ? address.ptr : "");
	desc_line(d, 0, "Ingress Class:\t%s", desc_or(d, tree_path(o, "spec.ingressClassName"), "<none>"));
	desc_line(d, 0, "Default backend:\t%s", tree_path(o, "spec.defaultBackend") ? backend(d, o, tree_path(o, "spec.defaultBackend")) : "<default>");
	if (tls && tls->n)
		desc_line(d, 0, "TLS:");
	for (uint32_t i = 0; tls && i < tls->n; i++) {
		const char *secret = desc_at(d, tree_at(tls, i), "secretName");
		desc_line(d, 1, "%s %s", *secret ? kctl_fmt(d->k, "%s terminates", secret) : "SNI routes", joined(d, tree_gets(tree_at(tls, i), "hosts"), ","));
	}
	desc_line(d, 0, "Rules:\n  Host\tPath\tBackends\n  ----\t----\t--------");
	for (uint32_t i = 0; rules && i < rules->n; i++) {
		const struct tree *paths = tree_path(tree_at(rules, i), "http.paths");
		desc_line(d, 1, "%s\t", desc_or(d, tree_gets(tree_at(rules, i), "host"), "*"));
		for (uint32_t j = 0; paths && j < paths->n; j++)
			desc_line(d, 1, "  \t%s \t%s", desc_at(d, tree_at(paths, j), "path"), backend(d, o, tree_gets(tree_at(paths, j), "backend")));
	}
	if (!rules || !rules->n)
		desc_line(d, 1, "*\t*\t%s", tree_path(o, "spec.defaultBackend") ? backend(d, o, tree_path(o, "spec.defaultBackend")) : "<default>");
	notes(d, o);
}

void desc_hpa(struct desc *d, const struct tree *o)
{
	const struct tree *m = tree_path(o, "spec.metrics"), *now = tree_path(o, "status.currentMetrics"), *c = tree_path(o, "status.conditions");
	names(d, o, true);
	labels(d, o);
	notes(d, o);
	desc_line(d, 0, "CreationTimestamp:\t%s", desc_time(d, tree_path(o, "metadata.creationTimestamp")));
	desc_line(d, 0, "Reference:\t%s/%s", desc_at(d, o, "spec.scaleTargetRef.kind"), desc_at(d, o, "spec.scaleTargetRef.name"));
	desc_line(d, 0, "Metrics:\t( current / target )");
	for (uint32_t i = 0; m && i < m->n; i++) {
		const struct tree *x = tree_at(m, i), *have = now && i < now->n ? tree_at(now, i) : NULL;
		const char *type = desc_at(d, x, "type"), *percent = desc_at(d, x, "resource.target.averageUtilization"), *is = desc_at(d, have, "resource.current.averageUtilization");
		if (!strcmp(type, "Resource") && *percent)
			desc_line(d, 1, "resource %s on pods  (as a percentage of request):\t%s / %s%%", desc_at(d, x, "resource.name"),
				*is ? kctl_fmt(d->k, "%s%% (%s)", is, desc_at(d, have, "resource.current.averageValue")) : "<unknown>", percent);
		else if (!strcmp(type, "Resource"))
			desc_line(d, 1, "resource %s on pods:\t%s / %s", desc_at(d, x, "resource.name"), desc_or(d, tree_path(have, "resource.current.averageValue"), "<unknown>"), desc_at(d, x, "resource.target.averageValue"));
		else
			desc_line(d, 1, "%s metric", type);
	}
	desc_line(d, 0, "Min replicas:\t%s", desc_or(d, tree_path(o, "spec.minReplicas"), "<unset>"));
	desc_line(d, 0, "Max replicas:\t%s", desc_at(d, o, "spec.maxReplicas"));
	desc_line(d, 0, "%s pods:\t%s current / %s desired", desc_at(d, o, "spec.scaleTargetRef.kind"), desc_or(d, tree_path(o, "status.currentReplicas"), "0"), desc_or(d, tree_path(o, "status.desiredReplicas"), "0"));
	if (c && c->n)
		desc_line(d, 0, "Conditions:\n  Type\tStatus\tReason\tMessage\n  ----\t------\t------\t-------");
	for (uint32_t i = 0; c && i < c->n; i++)
		desc_line(d, 1, "%s\t%s\t%s\t%s", desc_at(d, tree_at(c, i), "type"), desc_at(d, tree_at(c, i), "status"), desc_at(d, tree_at(c, i), "reason"), desc_at(d, tree_at(c, i), "message"));
}

void desc_budget(struct desc *d, const struct tree *o)
{
	const char *selector = kctl_selector_text(d->k, o);
	names(d, o, true);
	if (tree_path(o, "spec.minAvailable"))
		desc_line(d, 0, "Min available:\t%s", desc_at(d, o, "spec.minAvailable"));
	else if (tree_path(o, "spec.maxUnavailable"))
		desc_line(d, 0, "Max unavailable:\t%s", desc_at(d, o, "spec.maxUnavailable"));
	desc_line(d, 0, "Selector:\t%s", *selector ? selector : "<unset>");
	desc_line(d, 0, "Status:");
	desc_line(d, 2, "Allowed disruptions:\t%s", desc_or(d, tree_path(o, "status.disruptionsAllowed"), "0"));
	desc_line(d, 2, "Current:\t%s", desc_or(d, tree_path(o, "status.currentHealthy"), "0"));
	desc_line(d, 2, "Desired:\t%s", desc_or(d, tree_path(o, "status.desiredHealthy"), "0"));
	desc_line(d, 2, "Total:\t%s", desc_or(d, tree_path(o, "status.expectedPods"), "0"));
}

static const char *addresses(struct desc *d, const struct tree *list)
{
	struct buf b AUTO(buf) = BUF_INIT(64 << 10);
	for (uint32_t i = 0; list && i < list->n; i++)
		buf_addf(&b, "%s%s", i ? "," : "", desc_at(d, tree_at(list, i), "ip"));
	return b.len ? kctl_fmt(d->k, "%s", b.ptr) : "<none>";
}

static void ports(struct desc *d, int level, const struct tree *p)
{
	desc_line(d, level, "Name\tPort\tProtocol");
	desc_line(d, level, "----\t----\t--------");
	for (uint32_t i = 0; p && i < p->n; i++)
		desc_line(d, level, "%s\t%s\t%s", desc_or(d, tree_gets(tree_at(p, i), "name"), "<unset>"), desc_at(d, tree_at(p, i), "port"), desc_at(d, tree_at(p, i), "protocol"));
}

void desc_ends(struct desc *d, const struct tree *o)
{
	const struct tree *s = tree_gets(o, "subsets");
	names(d, o, true);
	labels(d, o);
	notes(d, o);
	desc_line(d, 0, "Subsets:");
	for (uint32_t i = 0; s && i < s->n; i++) {
		const struct tree *p = tree_gets(tree_at(s, i), "ports");
		desc_line(d, 1, "Addresses:\t%s", addresses(d, tree_gets(tree_at(s, i), "addresses")));
		desc_line(d, 1, "NotReadyAddresses:\t%s", addresses(d, tree_gets(tree_at(s, i), "notReadyAddresses")));
		if (p && p->n) {
			desc_line(d, 1, "Ports:");
			ports(d, 2, p);
		}
		buf_addc(&d->out, '\n');
	}
}

void desc_slice(struct desc *d, const struct tree *o)
{
	const struct tree *e = tree_gets(o, "endpoints"), *p = tree_gets(o, "ports");
	names(d, o, true);
	labels(d, o);
	notes(d, o);
	desc_line(d, 0, "AddressType:\t%s", desc_at(d, o, "addressType"));
	if (p && p->n) {
		desc_line(d, 0, "Ports:");
		ports(d, 1, p);
	} else {
		desc_line(d, 0, "Ports: <unset>");
	}
	desc_line(d, 0, e && e->n ? "Endpoints:" : "Endpoints: <none>");
	for (uint32_t i = 0; e && i < e->n; i++) {
		const struct tree *x = tree_at(e, i), *t = tree_gets(x, "topology");
		desc_line(d, 1, "- Addresses:\t%s", joined(d, tree_gets(x, "addresses"), ", "));
		desc_line(d, 1, "  Conditions:\n      Ready:\t%s", desc_or(d, tree_path(x, "conditions.ready"), "<unset>"));
		desc_line(d, 1, "  Hostname:\t%s", desc_or(d, tree_gets(x, "hostname"), "<unset>"));
		if (tree_gets(x, "targetRef"))
			desc_line(d, 1, "  TargetRef:\t%s/%s", desc_at(d, x, "targetRef.kind"), desc_at(d, x, "targetRef.name"));
		desc_line(d, 1, "  NodeName:\t%s", desc_or(d, tree_gets(x, "nodeName"), "<unset>"));
		desc_line(d, 1, "  Zone:\t%s", desc_or(d, tree_gets(x, "zone"), "<unset>"));
		(void)t;
	}
}
