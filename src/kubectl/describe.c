/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl describe: one function a kind, in a table; anything else is printed field by field. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/table.h"
#include "kube/meta/text.h"
#include "kubectl/describe_int.h"
#include "schema/quantity.h"

void desc_line(struct desc *d, int level, const char *fmt, ...)
{
	va_list ap;
	for (int i = 0; i < level; i++)
		buf_adds(&d->out, "  ");
	va_start(ap, fmt);
	buf_addfv(&d->out, fmt, ap);
	va_end(ap);
	buf_addc(&d->out, '\n');
}

static int by_key(const void *a, const void *b)
{
	const struct tree_member *x = a, *y = b;
	return slice_cmp(slice_n(x->key, x->key_len), slice_n(y->key, y->key_len));
}

void desc_map(struct desc *d, int level, const char *title, const struct tree *map, const char *separator)
{
	struct tree sorted;
	unsigned said = 0;
	if (map && map->type == TREE_MAP && tree_copy(map, &d->k->arena, &sorted) == 0) {
		qsort(sorted.members, sorted.n, sizeof *sorted.members, by_key);
		for (uint32_t i = 0; i < sorted.n; i++) {
			const struct tree_member *m = &sorted.members[i];
			if (slice_is(slice_n(m->key, m->key_len), "kubectl.kubernetes.io/last-applied-configuration"))
				continue;
			const char *text = kctl_text(d->k, &m->value);
			bool lines = strchr(text, '\n') || strlen(text) > 140;
			if (!strcmp(separator, ": ") && lines) {
				/* a long annotation stands on lines of its own */
				desc_line(d, said ? 0 : level, "%s\t%.*s:", said ? "" : title, (int)m->key_len, m->key);
				said++;
				struct slice rest = slice_of(text), one;
				while (slice_next(&rest, '\n', &one))
					desc_line(d, 0, "\t  %.*s", SLICE_FMT(one));
				continue;
			}
			desc_line(d, said ? 0 : level, "%s\t%.*s%s%s", said ? "" : title, (int)m->key_len, m->key, separator, text);
			said++;
		}
	}
	if (!said)
		desc_line(d, level, "%s\t<none>", title);
}

const char *desc_time(struct desc *d, const struct tree *t)
{
	int64_t ns;
	char text[64];
	if (!t || clock_parse_rfc3339(tree_text(t), &ns) < 0)
		return "<unset>";
	time_t s = (time_t)(ns / NS_PER_S);
	struct tm tm;
	localtime_r(&s, &tm);
	strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S %z", &tm);
	return kctl_fmt(d->k, "%s", text);
}

const char *desc_age(struct desc *d, const struct tree *t)
{
	char text[KUBE_DURATION_MAX];
	return kctl_fmt(d->k, "%s", kube_age(text, t ? kctl_text(d->k, t) : NULL, clock_realtime_ns()));
}

const char *desc_or(struct desc *d, const struct tree *t, const char *otherwise)
{
	const char *s = kctl_text(d->k, t);
	return *s ? s : otherwise;
}

const struct tree *desc_list_wait(struct desc *d, const char *kind, const char *ns, const char *label_selector, const char *field_selector)
{
	struct kctl *k = d->k;
	struct kctl_kind row;
	struct err e = { 0 };
	struct tree *list = arena_new(&k->arena, struct tree);
	const char *q = kctl_query(k, kctl_query(k, NULL, "labelSelector", label_selector), "fieldSelector", field_selector);
	if (!list || kctl_kind_wait(k, kind, &row, &e) < 0 || kctl_get_wait(k, kctl_path(k, &row, ns, NULL, NULL, kctl_query(k, q, "limit", "500")), list, &e) < 0) {
		k->long_error = NULL;
		return NULL;
	}
	return tree_gets(list, "items");
}

void desc_conditions(struct desc *d, const struct tree *list, bool with_reason)
{
	if (!list || !list->n)
		return;
	desc_line(d, 0, "Conditions:");
	desc_line(d, 1, with_reason ? "Type\tStatus\tReason" : "Type\tStatus ");
	desc_line(d, 1, with_reason ? "----\t------\t------" : "----\t------ ");
	for (uint32_t i = 0; i < list->n; i++) {
		const struct tree *c = tree_at(list, i);
		if (with_reason)
			desc_line(d, 1, "%s \t%s\t%s", desc_at(d, c, "type"), desc_at(d, c, "status"), desc_at(d, c, "reason"));
		else
			desc_line(d, 1, "%s \t%s ", desc_at(d, c, "type"), desc_at(d, c, "status"));
	}
}

/* --- events ------------------------------------------------------------------------------------------ */
static const struct tree *last_time(const struct tree *e)
{
	static const char *const paths[] = { "series.lastObservedTime", "lastTimestamp", "eventTime", "firstTimestamp" };
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		const struct tree *t = tree_path(e, paths[i]);
		if (t && t->type == TREE_STRING && t->n)
			return t;
	}
	return NULL;
}

static int by_time(const void *a, const void *b)
{
	return slice_cmp(tree_text(last_time(*(const struct tree *const *)a)), tree_text(last_time(*(const struct tree *const *)b)));
}

static void events(struct desc *d, const struct tree *o, const char *ns)
{
	struct kctl *k = d->k;
	const char *uid = desc_at(d, o, "metadata.uid"), *name = desc_at(d, o, "metadata.name"), *kind = desc_at(d, o, "kind");
	const char *fields = kctl_fmt(k, "involvedObject.name=%s%s%s,involvedObject.kind=%s,involvedObject.uid=%s", name, ns ? ",involvedObject.namespace=" : "", ns ? ns : "", kind,
		!strcmp(kind, "Node") ? name : uid);
	if (!flag_bool(&k->f, "show-events"))
		return;
	const struct tree *list = desc_list_wait(d, "events", ns, NULL, fields);
	if ((!list || !list->n) && !strcmp(kind, "Node"))
		list = desc_list_wait(d, "events", ns, NULL, kctl_fmt(k, "involvedObject.name=%s,involvedObject.kind=%s,involvedObject.uid=%s", name, kind, uid));
	if (!list || !list->n) {
		desc_line(d, 0, "Events:\t<none>");
		return;
	}
	const struct tree **v = arena_array(&k->arena, list->n, sizeof *v);
	if (!v)
		return;
	for (uint32_t i = 0; i < list->n; i++)
		v[i] = tree_at(list, i);
	qsort(v, list->n, sizeof *v, by_time);
	desc_line(d, 0, "Events:\n  Type\tReason\tAge\tFrom\tMessage\n  ----\t------\t----\t----\t-------");
	for (uint32_t i = 0; i < list->n; i++) {
		int64_t count = 0, series = 0;
		const char *age = desc_age(d, last_time(v[i])), *from = desc_at(d, v[i], "source.component");
		tree_i64(tree_gets(v[i], "count"), &count);
		tree_i64(tree_path(v[i], "series.count"), &series);
		if (series > 1)
			count = series;
		const struct tree *first = tree_gets(v[i], "firstTimestamp");
		if (!first || first->type != TREE_STRING)
			first = tree_gets(v[i], "eventTime");
		if (count > 1)
			age = kctl_fmt(k, "%s (x%lld over %s)", age, (long long)count, desc_age(d, first));
		struct slice message = slice_trim(slice_of(desc_at(d, v[i], "message")));
		desc_line(d, 1, "%s\t%s\t%s\t%s\t%.*s", desc_at(d, v[i], "type"), desc_at(d, v[i], "reason"), age, *from ? from : desc_at(d, v[i], "reportingComponent"), SLICE_FMT(message));
	}
}

/* --- kinds --------------------------------------------------------------------------------------------- */
static void head(struct desc *d, const struct tree *o, bool namespaced)
{
	desc_line(d, 0, "Name:\t%s", desc_at(d, o, "metadata.name"));
	if (namespaced)
		desc_line(d, 0, "Namespace:\t%s", desc_at(d, o, "metadata.namespace"));
}

static const char *number(struct desc *d, const struct tree *o, const char *path) { return desc_or(d, tree_path(o, path), "0"); }

static const char *controller(struct desc *d, const struct tree *o)
{
	const struct tree *owners = tree_path(o, "metadata.ownerReferences");
	for (uint32_t i = 0; owners && i < owners->n; i++)
		if (tree_is_true(tree_gets(tree_at(owners, i), "controller")))
			return kctl_fmt(d->k, "%s/%s", desc_at(d, tree_at(owners, i), "kind"), desc_at(d, tree_at(owners, i), "name"));
	return NULL;
}

static void pods_status(struct desc *d, const struct tree *o, const char *title)
{
	unsigned n[4] = { 0 };
	const struct tree *list = desc_list_wait(d, "pods", desc_at(d, o, "metadata.namespace"), kctl_selector_text(d->k, o), NULL);
	for (uint32_t i = 0; list && i < list->n; i++) {
		const struct tree *owners = tree_path(tree_at(list, i), "metadata.ownerReferences");
		const char *phase = desc_at(d, tree_at(list, i), "status.phase");
		if (!owners || strcmp(desc_at(d, tree_at(owners, 0), "uid"), desc_at(d, o, "metadata.uid")))
			continue;
		n[!strcmp(phase, "Running") ? 0 : !strcmp(phase, "Pending") ? 1 : !strcmp(phase, "Succeeded") ? 2 : 3]++;
	}
	desc_line(d, 0, "%s\t%u Running / %u Waiting / %u Succeeded / %u Failed", title, n[0], n[1], n[2], n[3]);
}

static const char *replicas_text(struct desc *d, const struct tree *rs)
{
	return rs ? kctl_fmt(d->k, "%s (%s/%s replicas created)", desc_at(d, rs, "metadata.name"), number(d, rs, "status.replicas"), number(d, rs, "spec.replicas")) : "<none>";
}

static void deployment(struct desc *d, const struct tree *o)
{
	struct kctl *k = d->k;
	head(d, o, true);
	desc_line(d, 0, "CreationTimestamp:\t%s", desc_time(d, tree_path(o, "metadata.creationTimestamp")));
	desc_map(d, 0, "Labels:", tree_path(o, "metadata.labels"), "=");
	desc_map(d, 0, "Annotations:", tree_path(o, "metadata.annotations"), ": ");
	const char *selector = kctl_selector_text(k, o);
	desc_line(d, 0, "Selector:\t%s", selector);
	desc_line(d, 0, "Replicas:\t%s desired | %s updated | %s total | %s available | %s unavailable", number(d, o, "spec.replicas"), number(d, o, "status.updatedReplicas"),
		number(d, o, "status.replicas"), number(d, o, "status.availableReplicas"), number(d, o, "status.unavailableReplicas"));
	desc_line(d, 0, "StrategyType:\t%s", desc_at(d, o, "spec.strategy.type"));
	desc_line(d, 0, "MinReadySeconds:\t%s", number(d, o, "spec.minReadySeconds"));
	if (tree_path(o, "spec.strategy.rollingUpdate"))
		desc_line(d, 0, "RollingUpdateStrategy:\t%s max unavailable, %s max surge", desc_at(d, o, "spec.strategy.rollingUpdate.maxUnavailable"), desc_at(d, o, "spec.strategy.rollingUpdate.maxSurge"));
	desc_template(d, 0, tree_path(o, "spec.template"));
	desc_conditions(d, tree_path(o, "status.conditions"), true);
	const struct tree *sets = desc_list_wait(d, "replicasets", desc_at(d, o, "metadata.namespace"), selector, NULL), *now = NULL;
	struct buf old AUTO(buf) = BUF_INIT(64 << 10);
	const char *revision = kctl_text(k, tree_get(tree_path(o, "metadata.annotations"), SLICE("deployment.kubernetes.io/revision")));
	for (uint32_t i = 0; sets && i < sets->n; i++) {
		const struct tree *rs = tree_at(sets, i), *owners = tree_path(rs, "metadata.ownerReferences");
		if (!owners || strcmp(desc_at(d, tree_at(owners, 0), "uid"), desc_at(d, o, "metadata.uid")))
			continue;
		if (!strcmp(kctl_text(k, tree_get(tree_path(rs, "metadata.annotations"), SLICE("deployment.kubernetes.io/revision"))), revision))
			now = rs;
		else
			buf_addf(&old, "%s%s", old.len ? ", " : "", replicas_text(d, rs));
	}
	desc_line(d, 0, "OldReplicaSets:\t%s", old.len ? old.ptr : "<none>");
	desc_line(d, 0, "NewReplicaSet:\t%s", replicas_text(d, now));
}

/* Replica sets, controllers, daemon and stateful sets: much the same. */
static void workload(struct desc *d, const struct tree *o)
{
	const char *kind = desc_at(d, o, "kind"), *owner = controller(d, o);
	bool daemon = !strcmp(kind, "DaemonSet"), stateful = !strcmp(kind, "StatefulSet");
	head(d, o, true);
	if (stateful)
		desc_line(d, 0, "CreationTimestamp:\t%s", desc_time(d, tree_path(o, "metadata.creationTimestamp")));
	desc_line(d, 0, "Selector:\t%s", kctl_selector_text(d->k, o));
	if (daemon) {
		desc_map(d, 0, "Node-Selector:", tree_path(o, "spec.template.spec.nodeSelector"), "=");
	}
	desc_map(d, 0, "Labels:", tree_path(o, "metadata.labels"), "=");
	desc_map(d, 0, "Annotations:", tree_path(o, "metadata.annotations"), ": ");
	if (owner)
		desc_line(d, 0, "Controlled By:\t%s", owner);
	if (daemon) {
		desc_line(d, 0, "Desired Number of Nodes Scheduled: %s", number(d, o, "status.desiredNumberScheduled"));
		desc_line(d, 0, "Current Number of Nodes Scheduled: %s", number(d, o, "status.currentNumberScheduled"));
		desc_line(d, 0, "Number of Nodes Scheduled with Up-to-date Pods: %s", number(d, o, "status.updatedNumberScheduled"));
		desc_line(d, 0, "Number of Nodes Scheduled with Available Pods: %s", number(d, o, "status.numberAvailable"));
		desc_line(d, 0, "Number of Nodes Misscheduled: %s", number(d, o, "status.numberMisscheduled"));
	} else if (stateful) {
		desc_line(d, 0, "Replicas:\t%s desired | %s total", number(d, o, "spec.replicas"), number(d, o, "status.replicas"));
		desc_line(d, 0, "Update Strategy:\t%s", desc_at(d, o, "spec.updateStrategy.type"));
		if (tree_path(o, "spec.updateStrategy.rollingUpdate.partition"))
			desc_line(d, 1, "Partition:\t%s", desc_at(d, o, "spec.updateStrategy.rollingUpdate.partition"));
		if (tree_path(o, "spec.updateStrategy.rollingUpdate.maxUnavailable"))
			desc_line(d, 1, "MaxUnavailable:\t%s", desc_at(d, o, "spec.updateStrategy.rollingUpdate.maxUnavailable"));
	} else {
		desc_line(d, 0, "Replicas:\t%s current / %s desired", number(d, o, "status.replicas"), number(d, o, "spec.replicas"));
	}
	pods_status(d, o, "Pods Status:");
	desc_template(d, 0, tree_path(o, "spec.template"));
	desc_conditions(d, daemon ? NULL : tree_path(o, "status.conditions"), true);
	if (stateful) {
		const struct tree *claims = tree_path(o, "spec.volumeClaimTemplates");
		desc_line(d, 0, "Volume Claims:%s", claims && claims->n ? "" : "\t<none>");
		for (uint32_t i = 0; claims && i < claims->n; i++) {
			const struct tree *c = tree_at(claims, i);
			desc_line(d, 1, "Name:\t%s", desc_at(d, c, "metadata.name"));
			desc_line(d, 1, "StorageClass:\t%s", desc_at(d, c, "spec.storageClassName"));
			desc_map(d, 1, "Labels:", tree_path(c, "metadata.labels"), "=");
			desc_map(d, 1, "Annotations:", tree_path(c, "metadata.annotations"), "=");
			desc_line(d, 1, "Capacity:\t%s", desc_at(d, c, "spec.resources.requests.storage"));
			struct buf modes AUTO(buf) = BUF_INIT(4096);
			kctl_cell(tree_path(c, "spec.accessModes"), &modes);
			desc_line(d, 1, "Access Modes:\t%s", modes.ptr);
		}
	}
}

void desc_endpoints(struct desc *d, const struct tree *o, const char *port, struct buf *out)
{
	const struct tree *slices = desc_list_wait(d, "endpointslices.discovery.k8s.io", desc_at(d, o, "metadata.namespace"), kctl_fmt(d->k, "kubernetes.io/service-name=%s", desc_at(d, o, "metadata.name")), NULL);
	unsigned n = 0;
	for (uint32_t i = 0; slices && i < slices->n; i++) {
		const struct tree *ports = tree_gets(tree_at(slices, i), "ports"), *ends = tree_gets(tree_at(slices, i), "endpoints");
		for (uint32_t p = 0; ports && p < ports->n; p++) {
			if (strcmp(desc_at(d, tree_at(ports, p), "name"), port))
				continue;
			for (uint32_t e = 0; ends && e < ends->n; e++) {
				const struct tree *ready = tree_path(tree_at(ends, e), "conditions.ready"), *addrs = tree_gets(tree_at(ends, e), "addresses");
				if (ready && ready->type == TREE_BOOL && !ready->is_true)
					continue;
				for (uint32_t a = 0; addrs && a < addrs->n; a++, n++)
					if (n < 3)
						buf_addf(out, "%s%s:%s", n ? "," : "", kctl_text(d->k, tree_at(addrs, a)), desc_at(d, tree_at(ports, p), "port"));
			}
		}
	}
	if (n > 3)
		buf_addf(out, " + %u more...", n - 3);
}

static void list_line(struct desc *d, const char *title, const struct tree *list, const char *otherwise)
{
	struct buf b AUTO(buf) = BUF_INIT(64 << 10);
	for (uint32_t i = 0; list && list->type == TREE_LIST && i < list->n; i++)
		buf_addf(&b, "%s%s", i ? "," : "", kctl_text(d->k, tree_at(list, i)));
	if (b.len || otherwise)
		desc_line(d, 0, "%s\t%s", title, b.len ? b.ptr : otherwise);
}

static void service(struct desc *d, const struct tree *o)
{
	struct kctl *k = d->k;
	const struct tree *ports = tree_path(o, "spec.ports"), *ingress = tree_path(o, "status.loadBalancer.ingress");
	head(d, o, true);
	desc_map(d, 0, "Labels:", tree_path(o, "metadata.labels"), "=");
	desc_map(d, 0, "Annotations:", tree_path(o, "metadata.annotations"), ": ");
	const char *selector = kctl_selector_text(k, o);
	desc_line(d, 0, "Selector:\t%s", *selector ? selector : "<none>");
	desc_line(d, 0, "Type:\t%s", desc_at(d, o, "spec.type"));
	if (*desc_at(d, o, "spec.ipFamilyPolicy"))
		desc_line(d, 0, "IP Family Policy:\t%s", desc_at(d, o, "spec.ipFamilyPolicy"));
	list_line(d, "IP Families:", tree_path(o, "spec.ipFamilies"), "<none>");
	desc_line(d, 0, "IP:\t%s", desc_at(d, o, "spec.clusterIP"));
	list_line(d, "IPs:", tree_path(o, "spec.clusterIPs"), "<none>");
	list_line(d, "External IPs:", tree_path(o, "spec.externalIPs"), NULL);
	if (*desc_at(d, o, "spec.externalName"))
		desc_line(d, 0, "External Name:\t%s", desc_at(d, o, "spec.externalName"));
	for (uint32_t i = 0; ingress && i < ingress->n; i++)
		desc_line(d, 0, "LoadBalancer Ingress:\t%s", desc_or(d, tree_gets(tree_at(ingress, i), "ip"), desc_at(d, tree_at(ingress, i), "hostname")));
	for (uint32_t i = 0; ports && i < ports->n; i++) {
		const struct tree *p = tree_at(ports, i);
		const char *name = desc_at(d, p, "name"), *shown = *name ? name : "<unset>", *proto = desc_at(d, p, "protocol");
		struct buf ends AUTO(buf) = BUF_INIT(64 << 10);
		desc_line(d, 0, "Port:\t%s  %s/%s", shown, desc_at(d, p, "port"), proto);
		desc_line(d, 0, "TargetPort:\t%s/%s", desc_at(d, p, "targetPort"), proto);
		if (*desc_at(d, p, "nodePort") && strcmp(desc_at(d, p, "nodePort"), "0"))
			desc_line(d, 0, "NodePort:\t%s  %s/%s", shown, desc_at(d, p, "nodePort"), proto);
		desc_endpoints(d, o, name, &ends);
		desc_line(d, 0, "Endpoints:\t%s", ends.ptr);
	}
	desc_line(d, 0, "Session Affinity:\t%s", desc_at(d, o, "spec.sessionAffinity"));
	if (*desc_at(d, o, "spec.externalTrafficPolicy"))
		desc_line(d, 0, "External Traffic Policy:\t%s", desc_at(d, o, "spec.externalTrafficPolicy"));
	if (*desc_at(d, o, "spec.internalTrafficPolicy"))
		desc_line(d, 0, "Internal Traffic Policy:\t%s", desc_at(d, o, "spec.internalTrafficPolicy"));
}

static void secret(struct desc *d, const struct tree *o)
{
	const struct tree *data = tree_gets(o, "data");
	head(d, o, true);
	desc_map(d, 0, "Labels:", tree_path(o, "metadata.labels"), "=");
	desc_map(d, 0, "Annotations:", tree_path(o, "metadata.annotations"), ": ");
	desc_line(d, 0, "\nType:\t%s\n\nData\n====", desc_at(d, o, "type"));
	for (uint32_t i = 0; data && i < data->n; i++) {
		size_t n = tree_text(&data->members[i].value).len, pad = 0;
		const char *text = tree_text(&data->members[i].value).ptr;
		while (pad < 2 && n > pad && text[n - 1 - pad] == '=')
			pad++;
		desc_line(d, 0, "%.*s:\t%zu bytes", (int)data->members[i].key_len, data->members[i].key, n / 4 * 3 - pad);
	}
}

static void configmap(struct desc *d, const struct tree *o)
{
	const struct tree *data = tree_gets(o, "data"), *binary = tree_gets(o, "binaryData");
	head(d, o, true);
	desc_map(d, 0, "Labels:", tree_path(o, "metadata.labels"), "=");
	desc_map(d, 0, "Annotations:", tree_path(o, "metadata.annotations"), ": ");
	desc_line(d, 0, "\nData\n====");
	for (uint32_t i = 0; data && i < data->n; i++)
		desc_line(d, 0, "%.*s:\n----\n%s\n", (int)data->members[i].key_len, data->members[i].key, kctl_text(d->k, &data->members[i].value));
	desc_line(d, 0, "\nBinaryData\n====");
	for (uint32_t i = 0; binary && i < binary->n; i++)
		desc_line(d, 0, "%.*s: %zu bytes", (int)binary->members[i].key_len, binary->members[i].key, tree_text(&binary->members[i].value).len / 4 * 3);
	buf_addc(&d->out, '\n');
}

static void amounts(struct desc *d, const char *title, const struct tree *map)
{
	struct tree sorted;
	if (!map || tree_copy(map, &d->k->arena, &sorted) < 0)
		return;
	qsort(sorted.members, sorted.n, sizeof *sorted.members, by_key);
	desc_line(d, 0, "%s:", title);
	for (uint32_t i = 0; i < sorted.n; i++)
		desc_line(d, 1, "%.*s:\t%s", (int)sorted.members[i].key_len, sorted.members[i].key, kctl_text(d->k, &sorted.members[i].value));
}

static int64_t asked(const struct tree *pod, const char *what, const char *resource, bool milli)
{
	const struct tree *c = tree_path(pod, "spec.containers");
	int64_t sum = 0;
	for (uint32_t i = 0; c && i < c->n; i++) {
		char text[64];
		struct slice s = tree_text(tree_get(tree_gets(tree_gets(tree_at(c, i), "resources"), what), slice_of(resource)));
		if (fmt_into(text, sizeof text, "%.*s", SLICE_FMT(s)))
			sum += milli ? quantity_text_milli(text) : quantity_text_value(text);
	}
	return sum;
}

static const char *amount_text(struct kctl *k, int64_t v, bool milli)
{
	if (milli)
		return v % 1000 || !v ? (v ? kctl_fmt(k, "%lldm", (long long)v) : "0") : kctl_fmt(k, "%lld", (long long)(v / 1000));
	static const char *const units[] = { "", "Ki", "Mi", "Gi", "Ti" };
	unsigned u = 0;
	while (v && v % 1024 == 0 && u < 4) {
		v /= 1024;
		u++;
	}
	return kctl_fmt(k, "%lld%s", (long long)v, units[u]);
}

static const char *percent(struct kctl *k, int64_t v, int64_t of) { return kctl_fmt(k, "%lld%%", (long long)(of > 0 ? v * 100 / of : 0)); }

static void node_pods(struct desc *d, const struct tree *o)
{
	static const struct { const char *resource; bool milli; } rows[] = { { "cpu", true }, { "memory", false }, { "ephemeral-storage", false } };
	struct kctl *k = d->k;
	const struct tree *pods = desc_list_wait(d, "pods", NULL, NULL, kctl_fmt(k, "spec.nodeName=%s,status.phase!=Succeeded,status.phase!=Failed", desc_at(d, o, "metadata.name")));
	int64_t has[3], sum[3][2] = { 0 };
	for (int i = 0; i < 3; i++) {
		const char *text = kctl_text(k, tree_get(tree_path(o, "status.allocatable"), slice_of(rows[i].resource)));
		has[i] = rows[i].milli ? quantity_text_milli(text) : quantity_text_value(text);
	}
	desc_line(d, 0, "Non-terminated Pods:\t(%u in total)", pods ? pods->n : 0);
	desc_line(d, 1, "Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge");
	desc_line(d, 1, "---------\t----\t\t------------\t----------\t---------------\t-------------\t---");
	for (uint32_t i = 0; pods && i < pods->n; i++) {
		const struct tree *p = tree_at(pods, i);
		int64_t v[4];
		for (int r = 0; r < 3; r++) {
			int64_t request = asked(p, "requests", rows[r].resource, rows[r].milli), limit = asked(p, "limits", rows[r].resource, rows[r].milli);
			sum[r][0] += request;
			sum[r][1] += limit;
			if (r < 2) {
				v[2 * r] = request;
				v[2 * r + 1] = limit;
			}
		}
		desc_line(d, 1, "%s\t%s\t\t%s (%s)\t%s (%s)\t%s (%s)\t%s (%s)\t%s", desc_at(d, p, "metadata.namespace"), desc_at(d, p, "metadata.name"), amount_text(k, v[0], true),
			percent(k, v[0], has[0]), amount_text(k, v[1], true), percent(k, v[1], has[0]), amount_text(k, v[2], false), percent(k, v[2], has[1]), amount_text(k, v[3], false),
			percent(k, v[3], has[1]), desc_age(d, tree_path(p, "metadata.creationTimestamp")));
	}
	desc_line(d, 0, "Allocated resources:\n  (Total limits may be over 100 percent, i.e., overcommitted.)\n  Resource\tRequests\tLimits\n  --------\t--------\t------");
	for (int r = 0; r < 3; r++)
		desc_line(d, 1, "%s\t%s (%s)\t%s (%s)", rows[r].resource, amount_text(k, sum[r][0], rows[r].milli), percent(k, sum[r][0], has[r]), amount_text(k, sum[r][1], rows[r].milli),
			percent(k, sum[r][1], has[r]));
	/* what else the node has, by name */
	const struct tree *all = tree_path(o, "status.allocatable");
	for (uint32_t i = 0; all && i < all->n; i++) {
		struct slice key = slice_n(all->members[i].key, all->members[i].key_len);
		if (slice_starts(key, "hugepages-") || slice_find(key, '/') >= 0)
			desc_line(d, 1, "%.*s\t0 (0%%)\t0 (0%%)", SLICE_FMT(key));
	}
}

static void node(struct desc *d, const struct tree *o)
{
	static const char *const facts[][2] = {
		{ "Machine ID", "machineID" }, { "System UUID", "systemUUID" }, { "Boot ID", "bootID" }, { "Kernel Version", "kernelVersion" }, { "OS Image", "osImage" },
		{ "Operating System", "operatingSystem" }, { "Architecture", "architecture" }, { "Container Runtime Version", "containerRuntimeVersion" },
		{ "Kubelet Version", "kubeletVersion" }, { "Kube-Proxy Version", "kubeProxyVersion" },
	};
	struct kctl *k = d->k;
	const struct tree *labels = tree_path(o, "metadata.labels"), *taints = tree_path(o, "spec.taints"), *conditions = tree_path(o, "status.conditions"), *addresses = tree_path(o, "status.addresses");
	struct buf roles AUTO(buf) = BUF_INIT(4096);
	for (uint32_t i = 0; labels && i < labels->n; i++)
		if (labels->members[i].key_len > 24 && !memcmp(labels->members[i].key, "node-role.kubernetes.io/", 24))
			buf_addf(&roles, "%s%.*s", roles.len ? "," : "", (int)labels->members[i].key_len - 24, labels->members[i].key + 24);
	head(d, o, false);
	desc_line(d, 0, "Roles:\t%s", roles.len ? roles.ptr : "<none>");
	desc_map(d, 0, "Labels:", labels, "=");
	desc_map(d, 0, "Annotations:", tree_path(o, "metadata.annotations"), ": ");
	desc_line(d, 0, "CreationTimestamp:\t%s", desc_time(d, tree_path(o, "metadata.creationTimestamp")));
	for (uint32_t i = 0; taints && i < taints->n; i++) {
		const struct tree *t = tree_at(taints, i);
		const char *v = desc_at(d, t, "value");
		desc_line(d, 0, "%s\t%s%s%s:%s", i ? "" : "Taints:", desc_at(d, t, "key"), *v ? "=" : "", v, desc_at(d, t, "effect"));
	}
	if (!taints || !taints->n)
		desc_line(d, 0, "Taints:\t<none>");
	desc_line(d, 0, "Unschedulable:\t%s", tree_is_true(tree_path(o, "spec.unschedulable")) ? "true" : "false");
	const struct tree *lease = desc_list_wait(d, "leases.coordination.k8s.io", "kube-node-lease", NULL, kctl_fmt(k, "metadata.name=%s", desc_at(d, o, "metadata.name"))), *l = tree_at(lease, 0);
	desc_line(d, 0, "Lease:");
	desc_line(d, 1, "HolderIdentity:\t%s", l ? desc_or(d, tree_path(l, "spec.holderIdentity"), "<unset>") : "<unset>");
	desc_line(d, 1, "AcquireTime:\t%s", desc_time(d, tree_path(l, "spec.acquireTime")));
	desc_line(d, 1, "RenewTime:\t%s", desc_time(d, tree_path(l, "spec.renewTime")));
	if (conditions && conditions->n) {
		desc_line(d, 0, "Conditions:\n  Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage\n  ----\t------\t-----------------\t------------------\t------\t-------");
		for (uint32_t i = 0; i < conditions->n; i++) {
			const struct tree *c = tree_at(conditions, i);
			desc_line(d, 1, "%s \t%s \t%s \t%s \t%s \t%s", desc_at(d, c, "type"), desc_at(d, c, "status"), desc_time(d, tree_gets(c, "lastHeartbeatTime")),
				desc_time(d, tree_gets(c, "lastTransitionTime")), desc_at(d, c, "reason"), desc_at(d, c, "message"));
		}
	}
	desc_line(d, 0, "Addresses:");
	for (uint32_t i = 0; addresses && i < addresses->n; i++)
		desc_line(d, 1, "%s:\t%s", desc_at(d, tree_at(addresses, i), "type"), desc_at(d, tree_at(addresses, i), "address"));
	amounts(d, "Capacity", tree_path(o, "status.capacity"));
	amounts(d, "Allocatable", tree_path(o, "status.allocatable"));
	desc_line(d, 0, "System Info:");
	for (size_t i = 0; i < ARRAY_LEN(facts); i++)
		desc_line(d, 1, "%s:\t%s", facts[i][0], desc_at(d, o, kctl_fmt(k, "status.nodeInfo.%s", facts[i][1])));
	if (*desc_at(d, o, "spec.podCIDR"))
		desc_line(d, 0, "PodCIDR:\t%s", desc_at(d, o, "spec.podCIDR"));
	list_line(d, "PodCIDRs:", tree_path(o, "spec.podCIDRs"), NULL);
	if (*desc_at(d, o, "spec.providerID"))
		desc_line(d, 0, "ProviderID:\t%s", desc_at(d, o, "spec.providerID"));
	node_pods(d, o);
}

static void namespace_(struct desc *d, const struct tree *o)
{
	const char *name = desc_at(d, o, "metadata.name");
	head(d, o, false);
	desc_map(d, 0, "Labels:", tree_path(o, "metadata.labels"), "=");
	desc_map(d, 0, "Annotations:", tree_path(o, "metadata.annotations"), ": ");
	desc_line(d, 0, "Status:\t%s", desc_at(d, o, "status.phase"));
	const struct tree *quota = desc_list_wait(d, "resourcequotas", name, NULL, NULL), *limits = desc_list_wait(d, "limitranges", name, NULL, NULL);
	if (!quota || !quota->n)
		desc_line(d, 0, "\nNo resource quota.");
	for (uint32_t i = 0; quota && i < quota->n; i++) {
		if (!i)
			desc_line(d, 0, "\nResource Quotas");
		desc_line(d, 1, "Name:\t%s\n  Resource\tUsed\tHard\n  --------\t---\t---", desc_at(d, tree_at(quota, i), "metadata.name"));
		desc_quota_lines(d, 1, tree_at(quota, i));
	}
	if (!limits || !limits->n)
		desc_line(d, 0, "\nNo LimitRange resource.");
	for (uint32_t i = 0; limits && i < limits->n; i++) {
		if (!i)
			desc_line(d, 0, "\nResource Limits\n Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio\n ----\t--------\t---\t---\t---------------\t-------------\t-----------------------");
		desc_limit_lines(d, " ", tree_at(limits, i));
	}
}

static void job(struct desc *d, const struct tree *o)
{
	const char *owner = controller(d, o), *active = number(d, o, "status.active"), *good = number(d, o, "status.succeeded"), *bad = number(d, o, "status.failed");
	int64_t ready = 0, start, end;
	head(d, o, true);
	desc_line(d, 0, "Selector:\t%s", kctl_selector_text(d->k, o));
	desc_map(d, 0, "Labels:", tree_path(o, "metadata.labels"), "=");
	desc_map(d, 0, "Annotations:", tree_path(o, "metadata.annotations"), ": ");
	if (owner)
		desc_line(d, 0, "Controlled By:\t%s", owner);
	desc_line(d, 0, "Parallelism:\t%s", desc_or(d, tree_path(o, "spec.parallelism"), "<unset>"));
	desc_line(d, 0, "Completions:\t%s", desc_or(d, tree_path(o, "spec.completions"), "<unset>"));
	desc_line(d, 0, "Completion Mode:\t%s", desc_at(d, o, "spec.completionMode"));
	desc_line(d, 0, "Suspend:\t%s", tree_is_true(tree_path(o, "spec.suspend")) ? "true" : "false");
	desc_line(d, 0, "Backoff Limit:\t%s", desc_at(d, o, "spec.backoffLimit"));
	if (*desc_at(d, o, "status.startTime"))
		desc_line(d, 0, "Start Time:\t%s", desc_time(d, tree_path(o, "status.startTime")));
	if (*desc_at(d, o, "status.completionTime")) {
		desc_line(d, 0, "Completed At:\t%s", desc_time(d, tree_path(o, "status.completionTime")));
		if (clock_parse_rfc3339(tree_text(tree_path(o, "status.startTime")), &start) == 0 && clock_parse_rfc3339(tree_text(tree_path(o, "status.completionTime")), &end) == 0) {
			char text[KUBE_DURATION_MAX];
			desc_line(d, 0, "Duration:\t%s", kube_human_duration(text, end - start));
		}
	}
	if (*desc_at(d, o, "spec.activeDeadlineSeconds"))
		desc_line(d, 0, "Active Deadline Seconds:\t%ss", desc_at(d, o, "spec.activeDeadlineSeconds"));
	tree_i64(tree_path(o, "status.ready"), &ready);
	desc_line(d, 0, "Pods Statuses:\t%s Active (%lld Ready) / %s Succeeded / %s Failed", active, (long long)ready, good, bad);
	desc_template(d, 0, tree_path(o, "spec.template"));
}

static void cronjob(struct desc *d, const struct tree *o)
{
	const struct tree *active = tree_path(o, "status.active");
	head(d, o, true);
	desc_map(d, 0, "Labels:", tree_path(o, "metadata.labels"), "=");
	desc_map(d, 0, "Annotations:", tree_path(o, "metadata.annotations"), ": ");
	desc_line(d, 0, "Schedule:\t%s", desc_at(d, o, "spec.schedule"));
	if (*desc_at(d, o, "spec.timeZone"))
		desc_line(d, 0, "TimeZone:\t%s", desc_at(d, o, "spec.timeZone"));
	desc_line(d, 0, "Concurrency Policy:\t%s", desc_at(d, o, "spec.concurrencyPolicy"));
	desc_line(d, 0, "Suspend:\t%s", tree_is_true(tree_path(o, "spec.suspend")) ? "True" : "False");
	desc_line(d, 0, "Successful Job History Limit:\t%s", desc_or(d, tree_path(o, "spec.successfulJobsHistoryLimit"), "<unset>"));
	desc_line(d, 0, "Failed Job History Limit:\t%s", desc_or(d, tree_path(o, "spec.failedJobsHistoryLimit"), "<unset>"));
	desc_line(d, 0, "Starting Deadline Seconds:\t%s%s", desc_or(d, tree_path(o, "spec.startingDeadlineSeconds"), "<unset>"), *desc_at(d, o, "spec.startingDeadlineSeconds") ? "s" : "");
	desc_line(d, 0, "Selector:\t<unset>");
	desc_line(d, 0, "Parallelism:\t%s", desc_or(d, tree_path(o, "spec.jobTemplate.spec.parallelism"), "<unset>"));
	desc_line(d, 0, "Completions:\t%s", desc_or(d, tree_path(o, "spec.jobTemplate.spec.completions"), "<unset>"));
	desc_template(d, 0, tree_path(o, "spec.jobTemplate.spec.template"));
	desc_line(d, 0, "Last Schedule Time:\t%s", *desc_at(d, o, "status.lastScheduleTime") ? desc_time(d, tree_path(o, "status.lastScheduleTime")) : "<unset>");
	struct buf jobs AUTO(buf) = BUF_INIT(64 << 10);
	for (uint32_t i = 0; active && i < active->n; i++)
		buf_addf(&jobs, "%s%s", i ? ", " : "", desc_at(d, tree_at(active, i), "name"));
	desc_line(d, 0, "Active Jobs:\t%s", jobs.len ? jobs.ptr : "<none>");
}

/* --- anything else: field by field, names spelled out ----------------------------------------------------------- */
static const char *spelled(struct kctl *k, const char *name, size_t n)
{
	struct buf b AUTO(buf) = BUF_INIT(1024);
	for (size_t i = 0; i < n; i++) {
		bool up = name[i] >= 'A' && name[i] <= 'Z';
		if (i && up && !(name[i - 1] >= 'A' && name[i - 1] <= 'Z'))
			buf_addc(&b, ' ');
		buf_addc(&b, i ? name[i] : (char)toupper((unsigned char)name[i]));
	}
	return kctl_fmt(k, "%s", b.ptr);
}

static void anything(struct desc *d, int level, const struct tree *map, bool top)
{
	struct tree sorted;
	if (tree_copy(map, &d->k->arena, &sorted) < 0)
		return;
	qsort(sorted.members, sorted.n, sizeof *sorted.members, by_key);
	for (uint32_t i = 0; i < sorted.n; i++) {
		const struct tree_member *m = &sorted.members[i];
		struct slice key = slice_n(m->key, m->key_len);
		const char *name = spelled(d->k, m->key, m->key_len);
		if (slice_is(key, "managedFields") && !top)
			continue;
		if (m->value.type == TREE_MAP) {
			desc_line(d, level, "%s:", name);
			anything(d, level + 1, &m->value, false);
		} else if (m->value.type == TREE_LIST) {
			desc_line(d, level, "%s:", name);
			for (uint32_t j = 0; j < m->value.n; j++)
				if (m->value.items[j].type == TREE_MAP)
					anything(d, level + 1, &m->value.items[j], false);
				else
					desc_line(d, level + 1, "%s", kctl_text(d->k, &m->value.items[j]));
		} else {
			desc_line(d, level, "%s:\t%s", name, m->value.type == TREE_NULL ? "<nil>" : kctl_text(d->k, &m->value));
		}
	}
}

static void generic(struct desc *d, const struct tree *o)
{
	struct tree rest;
	desc_line(d, 0, "Name:\t%s", desc_at(d, o, "metadata.name"));
	desc_line(d, 0, "Namespace:\t%s", desc_at(d, o, "metadata.namespace"));
	desc_map(d, 0, "Labels:", tree_path(o, "metadata.labels"), "=");
	desc_map(d, 0, "Annotations:", tree_path(o, "metadata.annotations"), ": ");
	if (tree_copy(o, &d->k->arena, &rest) < 0)
		return;
	struct tree *meta = tree_get_mut(&rest, SLICE("metadata"));
	static const char *const said[] = { "name", "namespace", "labels", "annotations", "managedFields" };
	for (size_t i = 0; meta && i < ARRAY_LEN(said); i++)
		tree_remove(meta, slice_of(said[i]));
	anything(d, 0, &rest, false);
}

static const struct { const char *kind; void (*print)(struct desc *d, const struct tree *o); bool no_events; } rows[] = {
	{ "Pod", desc_pod }, { "Deployment", deployment }, { "ReplicaSet", workload }, { "ReplicationController", workload }, { "DaemonSet", workload }, { "StatefulSet", workload },
	{ "Service", service }, { "Secret", secret, true }, { "ConfigMap", configmap }, { "Node", node }, { "Namespace", namespace_, true }, { "Job", job }, { "CronJob", cronjob },
	{ "ServiceAccount", desc_account }, { "Role", desc_role, true }, { "ClusterRole", desc_role, true }, { "RoleBinding", desc_binding, true }, { "ClusterRoleBinding", desc_binding, true },
	{ "ResourceQuota", desc_quota, true }, { "LimitRange", desc_limits, true }, { "PriorityClass", desc_priority }, { "PersistentVolumeClaim", desc_claim }, { "PersistentVolume", desc_volume },
	{ "StorageClass", desc_class }, { "IngressClass", desc_ingress_class }, { "Ingress", desc_ingress }, { "HorizontalPodAutoscaler", desc_hpa }, { "PodDisruptionBudget", desc_budget },
	{ "Endpoints", desc_ends }, { "EndpointSlice", desc_slice },
};

static int describe_one(struct kctl *k, const struct kctl_target *t, const struct tree *o, bool first, struct err *e)
{
	struct desc d = { .k = k, .out = BUF_INIT(64 << 20) };
	size_t i = 0;
	if (!first)
		kctl_print(k, "\n\n");
	while (i < ARRAY_LEN(rows) && (!t->kind.type.domain || strcmp(rows[i].kind, t->kind.kind)))
		i++;
	if (i < ARRAY_LEN(rows))
		rows[i].print(&d, o);
	else
		generic(&d, o);
	if (i == ARRAY_LEN(rows) || !rows[i].no_events)
		events(&d, o, t->kind.namespaced ? t->ns : NULL);
	int r = buf_error(&d.out) ? err_nomem(e) : table_layout(buf_slice(&d.out), 0, 2, &k->out);
	buf_release(&d.out);
	return r;
}

int kcmd_describe(struct kctl *k, struct err *e)
{
	struct kctl_targets all = { 0 };
	int r = kctl_targets_wait(k, 0, KARGS_FILES, &all, e), failed = 0;
	bool first = true;
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		struct kctl_target *t = &all.v[i];
		struct tree got;
		struct err why = { 0 };
		if (!t->name) {
			const char *q = *flag_str(&k->f, "selector") ? kctl_query(k, NULL, "labelSelector", flag_str(&k->f, "selector")) : NULL;
			r = kctl_get_wait(k, kctl_path(k, &t->kind, t->ns, NULL, NULL, q), &got, e);
			const struct tree *items = r == 0 ? tree_gets(&got, "items") : NULL;
			for (uint32_t j = 0; items && j < items->n && r == 0; j++) {
				struct kctl_target one = *t;
				struct tree o = *tree_at(items, j);
				kctl_set_text(k, &o, "kind", t->kind.kind);
				kctl_set_text(k, &o, "apiVersion", kctl_group_version(k, &t->kind));
				one.name = kctl_text_at(k, &o, "metadata.name");
				one.ns = kctl_text_at(k, &o, "metadata.namespace");
				r = describe_one(k, &one, &o, first, e);
				first = false;
			}
			if (r == 0 && items && !items->n)
				kctl_warn(k, t->kind.namespaced && t->ns ? "No resources found in %s namespace." : "No resources found", t->ns);
			continue;
		}
		int one = kctl_get_wait(k, kctl_path(k, &t->kind, t->ns, t->name, NULL, NULL), &got, &why);
		if (one == 0) {
			one = describe_one(k, t, &got, first, &why);
			first = false;
		} else if (one == -ENOENT && !all.from_files) {
			/* no object of that name: those whose names begin with it */
			const char *text = k->long_error;
			struct tree list;
			bool any = false;
			k->long_error = NULL;
			if (kctl_get_wait(k, kctl_path(k, &t->kind, t->ns, NULL, NULL, NULL), &list, &why) == 0) {
				const struct tree *items = tree_gets(&list, "items");
				for (uint32_t j = 0; items && j < items->n; j++) {
					struct kctl_target x = *t;
					struct tree o = *tree_at(items, j);
					x.name = kctl_text_at(k, &o, "metadata.name");
					if (strncmp(x.name, t->name, strlen(t->name)))
						continue;
					kctl_set_text(k, &o, "kind", t->kind.kind);
					describe_one(k, &x, &o, first, &why);
					first = false;
					any = true;
				}
			}
			if (any)
				continue;
			k->long_error = text;
			err_set(&why, ENOENT, "%s", text ? text : "not found");
		}
		if (one < 0) {
			kctl_failed(k, &why);
			failed = 1;
		}
	}
	return r < 0 ? r : failed;
}

void kctl_describe_template(struct kctl *k, const struct tree *template, int indent)
{
	struct desc d = { .k = k, .out = BUF_INIT(8 << 20) };
	desc_template(&d, indent / 2 - 1, template);
	table_layout(buf_slice(&d.out), 0, 2, &k->out);
	buf_release(&d.out);
}
