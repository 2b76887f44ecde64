/* SPDX-License-Identifier: Apache-2.0 */
/* Pods and pod templates, as describe prints them. */
#include <stdlib.h>
#include <string.h>

#include "kubectl/describe_int.h"

static const struct tree *status_of(struct desc *d, const struct tree *statuses, const char *name)
{
	for (uint32_t i = 0; statuses && i < statuses->n; i++)
		if (!strcmp(desc_at(d, tree_at(statuses, i), "name"), name))
			return tree_at(statuses, i);
	return NULL;
}

static void state(struct desc *d, int level, const char *title, const struct tree *s)
{
	const struct tree *running = tree_gets(s, "running"), *waiting = tree_gets(s, "waiting"), *ended = tree_gets(s, "terminated");
	if (running) {
		desc_line(d, level, "%s:\tRunning", title);
		desc_line(d, level + 1, "Started:\t%s", desc_time(d, tree_gets(running, "startedAt")));
	} else if (ended) {
		desc_line(d, level, "%s:\tTerminated", title);
		if (*desc_at(d, ended, "reason"))
			desc_line(d, level + 1, "Reason:\t%s", desc_at(d, ended, "reason"));
		if (*desc_at(d, ended, "message"))
			desc_line(d, level + 1, "Message:\t%s", desc_at(d, ended, "message"));
		desc_line(d, level + 1, "Exit Code:\t%s", desc_or(d, tree_gets(ended, "exitCode"), "0"));
		if (*desc_at(d, ended, "signal") && strcmp(desc_at(d, ended, "signal"), "0"))
			desc_line(d, level + 1, "Signal:\t%s", desc_at(d, ended, "signal"));
		desc_line(d, level + 1, "Started:\t%s", desc_time(d, tree_gets(ended, "startedAt")));
		desc_line(d, level + 1, "Finished:\t%s", desc_time(d, tree_gets(ended, "finishedAt")));
	} else {
		desc_line(d, level, "%s:\tWaiting", title);
		if (*desc_at(d, waiting, "reason"))
			desc_line(d, level + 1, "Reason:\t%s", desc_at(d, waiting, "reason"));
	}
}

static void port_line(struct desc *d, int level, const struct tree *ports, bool host)
{
	struct buf b AUTO(buf) = BUF_INIT(64 << 10);
	for (uint32_t i = 0; ports && i < ports->n; i++) {
		const struct tree *p = tree_at(ports, i);
		const char *name = desc_at(d, p, "name"), *proto = desc_or(d, tree_gets(p, "protocol"), "TCP");
		buf_addf(&b, "%s%s/%s", i ? ", " : "", desc_or(d, tree_gets(p, host ? "hostPort" : "containerPort"), "0"), proto);
		if (*name)
			buf_addf(&b, " (%s)", name);
	}
	bool many = ports && ports->n > 1;
	desc_line(d, level, "%s%s:\t%s", host ? "Host Port" : "Port", many ? "s" : "", b.len ? b.ptr : "<none>");
}

static const char *probe_text(struct desc *d, const struct tree *p)
{
	struct kctl *k = d->k;
	const struct tree *http = tree_gets(p, "httpGet"), *tcp = tree_gets(p, "tcpSocket"), *exec = tree_path(p, "exec.command"), *grpc = tree_gets(p, "grpc");
	const char *tail = kctl_fmt(k, "delay=%ss timeout=%ss period=%ss #success=%s #failure=%s", desc_or(d, tree_gets(p, "initialDelaySeconds"), "0"), desc_or(d, tree_gets(p, "timeoutSeconds"), "0"),
		desc_or(d, tree_gets(p, "periodSeconds"), "0"), desc_or(d, tree_gets(p, "successThreshold"), "0"), desc_or(d, tree_gets(p, "failureThreshold"), "0"));
	if (http) {
		const char *scheme = desc_or(d, tree_gets(http, "scheme"), "HTTP"), *path = desc_at(d, http, "path");
		return kctl_fmt(k, "http-get %s://%s:%s%s%s %s", !strcmp(scheme, "HTTPS") ? "https" : "http", desc_at(d, http, "host"), desc_at(d, http, "port"), *path == '/' || !*path ? "" : "/", path, tail);
	}
	if (tcp)
		return kctl_fmt(k, "tcp-socket %s:%s %s", desc_at(d, tcp, "host"), desc_at(d, tcp, "port"), tail);
	if (grpc)
		return kctl_fmt(k, "grpc <pod>:%s %s %s", desc_at(d, grpc, "port"), desc_at(d, grpc, "service"), tail);
	struct buf b AUTO(buf) = BUF_INIT(64 << 10);
	for (uint32_t i = 0; exec && i < exec->n; i++)
		buf_addf(&b, "%s%s", i ? " " : "", kctl_text(k, tree_at(exec, i)));
	return exec ? kctl_fmt(k, "exec [%s] %s", b.ptr, tail) : kctl_fmt(k, "unknown %s", tail);
}

static void amounts(struct desc *d, int level, const char *title, const struct tree *map)
{
	struct tree sorted;
	if (!map || !map->n || tree_copy(map, &d->k->arena, &sorted) < 0)
		return;
	desc_line(d, level, "%s:", title);
	for (uint32_t i = 0; i < sorted.n; i++)
		for (uint32_t j = i; j > 0 && slice_cmp(slice_n(sorted.members[j].key, sorted.members[j].key_len), slice_n(sorted.members[j - 1].key, sorted.members[j - 1].key_len)) < 0; j--) {
			struct tree_member swap = sorted.members[j];
			sorted.members[j] = sorted.members[j - 1];
			sorted.members[j - 1] = swap;
		}
	for (uint32_t i = 0; i < sorted.n; i++)
		desc_line(d, level + 1, "%.*s:\t%s", (int)sorted.members[i].key_len, sorted.members[i].key, kctl_text(d->k, &sorted.members[i].value));
}

static void env_line(struct desc *d, int level, const struct tree *e)
{
	const char *name = desc_at(d, e, "name");
	const struct tree *from = tree_gets(e, "valueFrom"), *field = tree_gets(from, "fieldRef"), *resource = tree_gets(from, "resourceFieldRef"), *secret = tree_gets(from, "secretKeyRef"),
		*config = tree_gets(from, "configMapKeyRef");
	if (field)
		desc_line(d, level, "%s:\t%s (%s:%s)", name, d->pod && !strncmp(desc_at(d, field, "fieldPath"), "metadata.", 9) ? desc_at(d, d->pod, desc_at(d, field, "fieldPath")) : "", desc_or(d, tree_gets(field, "apiVersion"), "v1"),
			desc_at(d, field, "fieldPath"));
	else if (resource)
		desc_line(d, level, "%s:\t (%s)", name, desc_at(d, resource, "resource"));
	else if (secret || config)
		desc_line(d, level, "%s:\t<set to the key '%s' %s '%s'>\tOptional: %s", name, desc_at(d, secret ? secret : config, "key"), secret ? "in secret" : "of config map",
			desc_at(d, secret ? secret : config, "name"), tree_is_true(tree_gets(secret ? secret : config, "optional")) ? "true" : "false");
	else {
		struct slice rest = slice_of(desc_at(d, e, "value")), one;
		bool first = true;
		while (slice_next(&rest, '\n', &one)) {
			desc_line(d, first ? level : 0, "%s%s\t%.*s", first ? name : "", first ? ":" : "", SLICE_FMT(one));
			first = false;
		}
	}
}

static void words(struct desc *d, int level, const char *title, const struct tree *list)
{
	if (!list || !list->n)
		return;
	desc_line(d, level, "%s:", title);
	for (uint32_t i = 0; i < list->n; i++) {
		struct slice rest = tree_text(tree_at(list, i)), one;
		while (slice_next(&rest, '\n', &one))
			desc_line(d, level + 1, "%.*s", SLICE_FMT(one));
	}
}

void desc_containers(struct desc *d, int level, const char *title, const struct tree *list, const struct tree *statuses)
{
	static const struct { const char *title, *key; } probes[] = { { "Liveness", "livenessProbe" }, { "Readiness", "readinessProbe" }, { "Startup", "startupProbe" } };
	if (!list || !list->n)
		return;
	desc_line(d, level, "%s:", title);
	for (uint32_t i = 0; i < list->n; i++) {
		const struct tree *c = tree_at(list, i), *s = status_of(d, statuses, desc_at(d, c, "name")), *env = tree_gets(c, "env"), *from = tree_gets(c, "envFrom"), *mounts = tree_gets(c, "volumeMounts"),
			*ports = tree_gets(c, "ports");
		int in = 2;
		/* in a template, names stand one space behind the title, and what is below as in a pod */
		desc_line(d, 1, "%s%s:", level ? " " : "", desc_at(d, c, "name"));
		if (s)
			desc_line(d, in, "Container ID:\t%s", desc_at(d, s, "containerID"));
		desc_line(d, in, "Image:\t%s", desc_at(d, c, "image"));
		if (s)
			desc_line(d, in, "Image ID:\t%s", desc_at(d, s, "imageID"));
		port_line(d, in, ports, false);
		port_line(d, in, ports, true);
		words(d, in, "Command", tree_gets(c, "command"));
		words(d, in, "Args", tree_gets(c, "args"));
		if (s) {
			state(d, in, "State", tree_gets(s, "state"));
			const struct tree *last = tree_gets(s, "lastState");
			if (tree_gets(last, "terminated"))
				state(d, in, "Last State", last);
			desc_line(d, in, "Ready:\t%s", tree_is_true(tree_gets(s, "ready")) ? "True" : "False");
			desc_line(d, in, "Restart Count:\t%s", desc_or(d, tree_gets(s, "restartCount"), "0"));
		}
		amounts(d, in, "Limits", tree_path(c, "resources.limits"));
		amounts(d, in, "Requests", tree_path(c, "resources.requests"));
		for (size_t p = 0; p < ARRAY_LEN(probes); p++)
			if (tree_gets(c, probes[p].key))
				desc_line(d, in, "%s:\t%s", probes[p].title, probe_text(d, tree_gets(c, probes[p].key)));
		if (from && from->n) {
			desc_line(d, in, "Environment Variables from:");
			for (uint32_t j = 0; j < from->n; j++) {
				const struct tree *x = tree_at(from, j), *config = tree_gets(x, "configMapRef"), *secret = tree_gets(x, "secretRef");
				const char *prefix = desc_at(d, x, "prefix");
				desc_line(d, in + 1, "%s\t%s%s%s%s\tOptional: %s", desc_at(d, config ? config : secret, "name"), config ? "ConfigMap" : "Secret", *prefix ? " with prefix '" : "", prefix, *prefix ? "'" : "",
					tree_is_true(tree_gets(config ? config : secret, "optional")) ? "true" : "false");
			}
		}
		desc_line(d, in, "Environment:%s", env && env->n ? "" : "\t<none>");
		for (uint32_t j = 0; env && j < env->n; j++)
			env_line(d, in + 1, tree_at(env, j));
		desc_line(d, in, "Mounts:%s", mounts && mounts->n ? "" : "\t<none>");
		/* by path */
		for (uint32_t done = 0; mounts && done < mounts->n; done++) {
			const struct tree *next = NULL;
			for (uint32_t j = 0; j < mounts->n; j++) {
				const struct tree *m = tree_at(mounts, j);
				unsigned before = 0;
				for (uint32_t q = 0; q < mounts->n; q++) {
					int cmp = strcmp(desc_at(d, tree_at(mounts, q), "mountPath"), desc_at(d, m, "mountPath"));
					before += cmp < 0 || (cmp == 0 && q < j);
				}
				if (before == done)
					next = m;
			}
			const char *sub = desc_at(next ? d : d, next, "subPath");
			desc_line(d, in + 1, "%s from %s (%s%s%s%s)", desc_at(d, next, "mountPath"), desc_at(d, next, "name"), tree_is_true(tree_gets(next, "readOnly")) ? "ro" : "rw", *sub ? ",path=\"" : "", sub, *sub ? "\"" : "");
		}
	}
}

static void projected(struct desc *d, int level, const struct tree *sources)
{
	desc_line(d, level, "Type:\tProjected (a volume that contains injected data from multiple sources)");
	for (uint32_t i = 0; sources && i < sources->n; i++) {
		const struct tree *s = tree_at(sources, i), *secret = tree_gets(s, "secret"), *config = tree_gets(s, "configMap"), *token = tree_gets(s, "serviceAccountToken");
		if (secret) {
			desc_line(d, level, "SecretName:\t%s", desc_at(d, secret, "name"));
			desc_line(d, level, "SecretOptionalName:\t%s", desc_or(d, tree_gets(secret, "optional"), "<nil>"));
		} else if (tree_gets(s, "downwardAPI")) {
			desc_line(d, level, "DownwardAPI:\ttrue");
		} else if (config) {
			desc_line(d, level, "ConfigMapName:\t%s", desc_at(d, config, "name"));
			desc_line(d, level, "Optional:\t%s", tree_is_true(tree_gets(config, "optional")) ? "true" : "false");
		} else if (token) {
			desc_line(d, level, "TokenExpirationSeconds:\t%s", desc_at(d, token, "expirationSeconds"));
		}
	}
}

void desc_volumes(struct desc *d, int level, const struct tree *list)
{
	if (!list || !list->n) {
		desc_line(d, level, "Volumes:\t<none>");
		return;
	}
	desc_line(d, level, "Volumes:");
	for (uint32_t i = 0; i < list->n; i++) {
		const struct tree *v = tree_at(list, i), *host = tree_gets(v, "hostPath"), *empty = tree_gets(v, "emptyDir"), *secret = tree_gets(v, "secret"), *config = tree_gets(v, "configMap"),
			*claim = tree_gets(v, "persistentVolumeClaim"), *down = tree_gets(v, "downwardAPI");
		int in = 2;
		desc_line(d, 1, "%s%s:", level ? " " : "", desc_at(d, v, "name"));
		if (host) {
			desc_line(d, in, "Type:\tHostPath (bare host directory volume)");
			desc_line(d, in, "Path:\t%s", desc_at(d, host, "path"));
			desc_line(d, in, "HostPathType:\t%s", desc_at(d, host, "type"));
		} else if (empty) {
			desc_line(d, in, "Type:\tEmptyDir (a temporary directory that shares a pod's lifetime)");
			desc_line(d, in, "Medium:\t%s", desc_at(d, empty, "medium"));
			desc_line(d, in, "SizeLimit:\t%s", desc_or(d, tree_gets(empty, "sizeLimit"), "<unset>"));
		} else if (secret) {
			desc_line(d, in, "Type:\tSecret (a volume populated by a Secret)");
			desc_line(d, in, "SecretName:\t%s", desc_at(d, secret, "secretName"));
			desc_line(d, in, "Optional:\t%s", tree_is_true(tree_gets(secret, "optional")) ? "true" : "false");
		} else if (config) {
			desc_line(d, in, "Type:\tConfigMap (a volume populated by a ConfigMap)");
			desc_line(d, in, "Name:\t%s", desc_at(d, config, "name"));
			desc_line(d, in, "Optional:\t%s", tree_is_true(tree_gets(config, "optional")) ? "true" : "false");
		} else if (claim) {
			desc_line(d, in, "Type:\tPersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)");
			desc_line(d, in, "ClaimName:\t%s", desc_at(d, claim, "claimName"));
			desc_line(d, in, "ReadOnly:\t%s", tree_is_true(tree_gets(claim, "readOnly")) ? "true" : "false");
		} else if (down) {
			const struct tree *items = tree_gets(down, "items");
			desc_line(d, in, "Type:\tDownwardAPI (a volume populated by information about the pod)");
			desc_line(d, in, "Items:");
			for (uint32_t j = 0; items && j < items->n; j++)
				desc_line(d, in + 1, "%s -> %s", desc_at(d, tree_at(items, j), *desc_at(d, tree_at(items, j), "fieldRef.fieldPath") ? "fieldRef.fieldPath" : "resourceFieldRef.resource"), desc_at(d, tree_at(items, j), "path"));
		} else if (tree_gets(v, "projected")) {
			projected(d, in, tree_path(v, "projected.sources"));
		} else {
			desc_line(d, in, "<unknown>");
		}
	}
}

static int by_toleration_key(const void *a, const void *b)
{
	return slice_cmp(tree_text(tree_gets(*(const struct tree *const *)a, "key")), tree_text(tree_gets(*(const struct tree *const *)b, "key")));
}

void desc_selector_tail(struct desc *d, const struct tree *spec)
{
	const struct tree *tolerations = tree_gets(spec, "tolerations");
	desc_map(d, 0, "Node-Selectors:", tree_gets(spec, "nodeSelector"), "=");
	unsigned n = tolerations ? tolerations->n : 0;
	const struct tree **v = arena_array(&d->k->arena, n + 1, sizeof *v);
	for (unsigned i = 0; v && i < n; i++)
		v[i] = tree_at(tolerations, i);
	if (v && n)
		qsort(v, n, sizeof *v, by_toleration_key);
	for (unsigned i = 0; v && i < n; i++) {
		const struct tree *t = v[i];
		const char *key = desc_at(d, t, "key"), *value = desc_at(d, t, "value"), *effect = desc_at(d, t, "effect"), *op = desc_at(d, t, "operator"), *seconds = desc_at(d, t, "tolerationSeconds");
		struct buf b AUTO(buf) = BUF_INIT(4096);
		buf_addf(&b, "%s%s%s%s%s", key, *value ? "=" : "", value, *effect ? ":" : "", effect);
		if (!strcmp(op, "Exists") && !*value) {
			if (*key || *effect)
				buf_adds(&b, " op=Exists");
			else
				buf_adds(&b, "op=Exists");
		}
		if (*seconds)
			buf_addf(&b, " for %ss", seconds);
		desc_line(d, 0, "%s\t%s", i ? "" : "Tolerations:", b.ptr);
	}
	if (!n)
		desc_line(d, 0, "Tolerations:\t<none>");
}

void desc_template(struct desc *d, int level, const struct tree *t)
{
	const struct tree *spec = tree_gets(t, "spec");
	if (level >= 0)
		desc_line(d, level, "Pod Template:");
	level = level < 0 ? 0 : level;
	desc_map(d, level + 1, "Labels:", tree_path(t, "metadata.labels"), "=");
	if (tree_path(t, "metadata.annotations"))
		desc_map(d, level + 1, "Annotations:", tree_path(t, "metadata.annotations"), ": ");
	if (*desc_at(d, spec, "serviceAccountName"))
		desc_line(d, level + 1, "Service Account:\t%s", desc_at(d, spec, "serviceAccountName"));
	desc_containers(d, level + 1, "Init Containers", tree_gets(spec, "initContainers"), NULL);
	desc_containers(d, level + 1, "Containers", tree_gets(spec, "containers"), NULL);
	desc_volumes(d, level + 1, tree_gets(spec, "volumes"));
	if (*desc_at(d, spec, "priorityClassName"))
		desc_line(d, level + 1, "Priority Class Name:\t%s", desc_at(d, spec, "priorityClassName"));
	/* the lines of selectors and tolerations stand one level in */
	struct desc tail = { .k = d->k, .out = BUF_INIT(64 << 10) };
	desc_selector_tail(&tail, spec);
	struct slice rest = buf_slice(&tail.out), one;
	while (slice_next(&rest, '\n', &one))
		if (one.len)
			desc_line(d, *one.ptr == '\t' ? 0 : level + 1, "%.*s", SLICE_FMT(one));
	buf_release(&tail.out);
}

void desc_pod(struct desc *d, const struct tree *o)
{
	const struct tree *spec = tree_gets(o, "spec"), *status = tree_gets(o, "status"), *ips = tree_gets(status, "podIPs"), *owners = tree_path(o, "metadata.ownerReferences"),
		*conditions = tree_gets(status, "conditions");
	const char *node = desc_at(d, spec, "nodeName");
	d->pod = o;
	desc_line(d, 0, "Name:\t%s", desc_at(d, o, "metadata.name"));
	desc_line(d, 0, "Namespace:\t%s", desc_at(d, o, "metadata.namespace"));
	if (*desc_at(d, spec, "priority"))
		desc_line(d, 0, "Priority:\t%s", desc_at(d, spec, "priority"));
	if (*desc_at(d, spec, "priorityClassName"))
		desc_line(d, 0, "Priority Class Name:\t%s", desc_at(d, spec, "priorityClassName"));
	if (*desc_at(d, spec, "runtimeClassName"))
		desc_line(d, 0, "Runtime Class Name:\t%s", desc_at(d, spec, "runtimeClassName"));
	if (*desc_at(d, spec, "serviceAccountName"))
		desc_line(d, 0, "Service Account:\t%s", desc_at(d, spec, "serviceAccountName"));
	if (*node)
		desc_line(d, 0, "Node:\t%s/%s", node, desc_at(d, status, "hostIP"));
	else
		desc_line(d, 0, "Node:\t<none>");
	if (*desc_at(d, status, "startTime"))
		desc_line(d, 0, "Start Time:\t%s", desc_time(d, tree_gets(status, "startTime")));
	desc_map(d, 0, "Labels:", tree_path(o, "metadata.labels"), "=");
	desc_map(d, 0, "Annotations:", tree_path(o, "metadata.annotations"), ": ");
	if (*desc_at(d, o, "metadata.deletionTimestamp")) {
		desc_line(d, 0, "Status:\tTerminating (lasts %s)", desc_age(d, tree_path(o, "metadata.deletionTimestamp")));
		desc_line(d, 0, "Termination Grace Period:\t%ss", desc_at(d, o, "metadata.deletionGracePeriodSeconds"));
	} else {
		desc_line(d, 0, "Status:\t%s", desc_at(d, status, "phase"));
	}
	if (*desc_at(d, status, "reason"))
		desc_line(d, 0, "Reason:\t%s", desc_at(d, status, "reason"));
	if (*desc_at(d, status, "message"))
		desc_line(d, 0, "Message:\t%s", desc_at(d, status, "message"));
	desc_line(d, 0, "IP:\t%s", desc_at(d, status, "podIP"));
	desc_line(d, 0, "IPs:%s", ips && ips->n ? "" : "\t<none>");
	for (uint32_t i = 0; ips && i < ips->n; i++)
		desc_line(d, 1, "IP:\t%s", desc_at(d, tree_at(ips, i), "ip"));
	for (uint32_t i = 0; owners && i < owners->n; i++)
		if (tree_is_true(tree_gets(tree_at(owners, i), "controller")))
			desc_line(d, 0, "Controlled By:\t%s/%s", desc_at(d, tree_at(owners, i), "kind"), desc_at(d, tree_at(owners, i), "name"));
	desc_containers(d, 0, "Init Containers", tree_gets(spec, "initContainers"), tree_gets(status, "initContainerStatuses"));
	desc_containers(d, 0, "Containers", tree_gets(spec, "containers"), tree_gets(status, "containerStatuses"));
	desc_containers(d, 0, "Ephemeral Containers", tree_gets(spec, "ephemeralContainers"), tree_gets(status, "ephemeralContainerStatuses"));
	if (conditions && conditions->n) {
		desc_line(d, 0, "Conditions:\n  Type\tStatus");
		for (uint32_t i = 0; i < conditions->n; i++)
			desc_line(d, 1, "%s \t%s ", desc_at(d, tree_at(conditions, i), "type"), desc_at(d, tree_at(conditions, i), "status"));
	}
	desc_volumes(d, 0, tree_gets(spec, "volumes"));
	if (*desc_at(d, status, "qosClass"))
		desc_line(d, 0, "QoS Class:\t%s", desc_at(d, status, "qosClass"));
	desc_selector_tail(d, spec);
}
