/* SPDX-License-Identifier: Apache-2.0 */
/* Columns of services, what stands behind them, and of the cluster's parts: nodes, namespaces, events. */
#include "kube/kind/kind_int.h"

#include <ctype.h>
#include <stdlib.h>

#include "kube/meta/text.h"

#define NAME { "Name", "string", "name", 0, "The object's name" }
#define AGE { "Age", "string", "", 0, "Time since it was created" }

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A few texts, sorted, each once. */
struct names {
	const char *v[64];
	uint32_t n;
};
static void names_add(struct names *s, const char *name)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (!strcmp(s->v[i], name))
			return;
	if (s->n < ARRAY_LEN(s->v))
		s->v[s->n++] = name;
}
static void names_join(struct names *s, struct buf *out)
{
	qsort(s->v, s->n, sizeof *s->v, by_text);
	for (uint32_t i = 0; i < s->n; i++)
		buf_addf(out, "%s%s", i ? "," : "", s->v[i]);
}

static void join(const char *const *v, uint32_t n, struct buf *out)
{
	for (uint32_t i = 0; i < n; i++)
		buf_addf(out, "%s%s", i || out->len ? "," : "", v[i]);
}

static void external_ip(const struct kube_service *o, struct buf *b)
{
	const struct kube_load_balancer_status *lb = &o->status.load_balancer;
	struct names names = { 0 };
	const char *const *ips = (const char *const *)o->spec.external_ips;
	if (is(o->spec.type, "ExternalName")) {
		buf_adds(b, or_empty(o->spec.external_name));
	} else if (is(o->spec.type, "LoadBalancer")) {
		for (uint32_t i = 0; i < lb->n_ingress; i++)
			if (is_set(lb->ingress[i].ip) || is_set(lb->ingress[i].hostname))
				names_add(&names, is_set(lb->ingress[i].ip) ? lb->ingress[i].ip : lb->ingress[i].hostname);
		names_join(&names, b);
		join(ips, o->spec.n_external_ips, b);
		if (!b->len)
			buf_adds(b, "<pending>");
	} else if (is(o->spec.type, "ClusterIP") || is(o->spec.type, "NodePort")) {
		join(ips, o->spec.n_external_ips, b);
		if (!b->len)
			buf_adds(b, "<none>");
	} else {
		buf_adds(b, "<unknown>");
	}
}

static const struct kind_column service_columns[] = { NAME, { "Type", "string", "", 0, "How it is reached" },
	{ "Cluster-IP", "string", "", 0, "Address inside the cluster" }, { "External-IP", "string", "", 0, "Addresses from outside" },
	{ "Port(s)", "string", "", 0, "Ports, and those of every machine" }, AGE, { "Selector", "string", "", 1, "Labels of the pods behind it" } };
static void service_cells(struct cells *c, const void *obj)
{
	const struct kube_service *o = obj;
	AUTO(buf) struct buf ip = BUF_INIT(1 << 16), ports = BUF_INIT(1 << 16);
	external_ip(o, &ip);
	for (uint32_t i = 0; i < o->spec.n_ports; i++) {
		const struct kube_service_port *p = &o->spec.ports[i];
		buf_addf(&ports, "%s%d", i ? "," : "", p->port);
		if (p->node_port > 0)
			buf_addf(&ports, ":%d", p->node_port);
		buf_addf(&ports, "/%s", or_empty(p->protocol));
	}
	if (!ports.len)
		buf_adds(&ports, "<none>");
	cell_text(c, o->metadata.name);
	cell_text(c, o->spec.type);
	cell_text(c, o->spec.n_cluster_ips ? o->spec.cluster_ips[0] : "<none>");
	cell_buf(c, &ip);
	cell_buf(c, &ports);
	cell_age(c, o->metadata.creation_timestamp);
	cell_labels(c, o->spec.selector, o->spec.n_selector);
}
TABLE(service);

/* At most three are named, the rest is counted. */
struct few {
	struct buf text;
	uint32_t n;
};
static void few_add(struct few *f, const char *host, const char *port)
{
	if (f->n++ >= 3)
		return;
	bool is_v6 = port && strchr(host, ':');
	buf_addf(&f->text, "%s%s%s%s%s%s", f->n > 1 ? "," : "", is_v6 ? "[" : "", host, is_v6 ? "]" : "", port ? ":" : "", port ? port : "");
}
static void cell_few(struct cells *c, struct few *f, const char *none)
{
	if (f->n > 3)
		buf_addf(&f->text, " + %u more...", f->n - 3);
	if (!f->text.len)
		buf_adds(&f->text, none);
	cell_buf(c, &f->text);
	buf_release(&f->text);
}

static const struct kind_column endpoints_columns[] = { NAME, { "Endpoints", "string", "", 0, "Addresses that answer" }, AGE };
static void endpoints_cells(struct cells *c, const void *obj)
{
	const struct kube_endpoints *o = obj;
	struct few f = { BUF_INIT(1 << 16), 0 };
	for (uint32_t i = 0; i < o->n_subsets; i++) {
		const struct kube_endpoint_subset *s = &o->subsets[i];
		for (uint32_t p = 0; p < MAX(s->n_ports, 1u); p++) {
			char port[16] = "";
			if (s->n_ports)
				fmt_into(port, sizeof port, "%d", s->ports[p].port);
			for (uint32_t k = 0; k < s->n_addresses; k++)
				few_add(&f, or_empty(s->addresses[k].ip), s->n_ports ? port : NULL);
		}
	}
	cell_text(c, o->metadata.name);
	cell_few(c, &f, o->n_subsets ? "" : "<none>");
	cell_age(c, o->metadata.creation_timestamp);
}
TABLE(endpoints);

static const struct kind_column endpoint_slice_columns[] = { NAME, { "AddressType", "string", "", 0, "IPv4, IPv6 or FQDN" },
	{ "Ports", "string", "", 0, "Ports that answer" }, { "Endpoints", "string", "", 0, "Addresses that answer" }, AGE };
static void endpoint_slice_cells(struct cells *c, const void *obj)
{
	const struct kube_endpoint_slice *o = obj;
	struct few ports = { BUF_INIT(1 << 16), 0 }, addresses = { BUF_INIT(1 << 16), 0 };
	for (uint32_t i = 0; i < o->n_ports; i++) {
		char port[16];
		if (o->ports[i].port)
			fmt_into(port, sizeof port, "%d", *o->ports[i].port);
		few_add(&ports, o->ports[i].port ? port : o->ports[i].name ? o->ports[i].name : "*", NULL);
	}
	for (uint32_t i = 0; i < o->n_endpoints; i++)
		for (uint32_t k = 0; k < o->endpoints[i].n_addresses; k++)
			few_add(&addresses, o->endpoints[i].addresses[k], NULL);
	cell_text(c, o->metadata.name);
	cell_text(c, o->address_type);
	cell_few(c, &ports, "<unset>");
	cell_few(c, &addresses, "<unset>");
	cell_age(c, o->metadata.creation_timestamp);
}
TABLE(endpoint_slice);

static const struct kind_column ingress_columns[] = { NAME, { "Class", "string", "", 0, "Class that serves it" },
	{ "Hosts", "string", "", 0, "Host names that requests are matched by" }, { "Address", "string", "", 0, "Where it is reached" },
	{ "Ports", "string", "", 0, "Ports it opens" }, AGE };
static void ingress_cells(struct cells *c, const void *obj)
{
	const struct kube_ingress *o = obj;
	AUTO(buf) struct buf hosts = BUF_INIT(1 << 16), address = BUF_INIT(1 << 16);
	struct names names = { 0 };
	uint32_t n = 0;
	bool more = false;
	for (uint32_t i = 0; i < o->spec.n_rules; i++) {
		more |= n == 3;
		if (!more && is_set(o->spec.rules[i].host))
			buf_addf(&hosts, "%s%s", n++ ? "," : "", o->spec.rules[i].host);
	}
	if (more)
		buf_addf(&hosts, " + %u more...", o->spec.n_rules - 3);
	const struct kube_ingress_load_balancer_status *lb = &o->status.load_balancer;
	for (uint32_t i = 0; i < lb->n_ingress; i++)
		if (is_set(lb->ingress[i].ip) || is_set(lb->ingress[i].hostname))
			names_add(&names, is_set(lb->ingress[i].ip) ? lb->ingress[i].ip : lb->ingress[i].hostname);
	names_join(&names, &address);
	cell_text(c, o->metadata.name);
	cell_text(c, o->spec.ingress_class_name ? o->spec.ingress_class_name : "<none>");
	if (n)
		cell_buf(c, &hosts);
	else
		cell_text(c, "*");
	cell_buf(c, &address);
	cell_text(c, o->spec.n_tls ? "80, 443" : "80");
	cell_age(c, o->metadata.creation_timestamp);
}
TABLE(ingress);

static const struct kind_column ingress_class_columns[] = { NAME, { "Controller", "string", "", 0, "What serves this class" },
	{ "Parameters", "string", "", 0, "Object with its settings" }, AGE };
static void ingress_class_cells(struct cells *c, const void *obj)
{
	const struct kube_ingress_class *o = obj;
	const struct kube_ingress_class_parameters_reference *p = o->spec.parameters;
	bool is_default = is(schema_pair_get(o->metadata.annotations, o->metadata.n_annotations, "ingressclass.kubernetes.io/is-default-class"), "true");
	cell_fmt(c, "%s%s", or_empty(o->metadata.name), is_default ? " (default)" : "");
	cell_text(c, o->spec.controller);
	if (p)
		cell_fmt(c, "%s%s%s/%s", or_empty(p->kind), p->api_group ? "." : "", or_empty(p->api_group), or_empty(p->name));
	else
		cell_text(c, "<none>");
	cell_age(c, o->metadata.creation_timestamp);
}
TABLE(ingress_class);

static const char *node_address(const struct kube_node *o, const char *type)
{
	for (uint32_t i = 0; i < o->status.n_addresses; i++)
		if (is(o->status.addresses[i].type, type))
			return o->status.addresses[i].address;
	return "<none>";
}

static const char *or_unknown(const char *s)
{
	return is_set(s) ? s : "<unknown>";
}

static const struct kind_column node_columns[] = { NAME, { "Status", "string", "", 0, "Whether it takes pods" }, { "Roles", "string", "", 0, "What it is for" }, AGE,
	{ "Version", "string", "", 0, "Version of its kubelet" }, { "Internal-IP", "string", "", 1, "Address inside the cluster" },
	{ "External-IP", "string", "", 1, "Address from outside" }, { "OS-Image", "string", "", 1, "Its distribution" },
	{ "Kernel-Version", "string", "", 1, "Its kernel" }, { "Container-Runtime", "string", "", 1, "What runs its containers" } };
static void node_cells(struct cells *c, const void *obj)
{
	const struct kube_node *o = obj;
	const struct kube_node_system_info *info = &o->status.node_info;
	AUTO(buf) struct buf roles = BUF_INIT(1 << 16);
	struct names names = { 0 };
	const char *ready = NULL;
	for (uint32_t i = 0; i < o->status.n_conditions; i++)
		if (is(o->status.conditions[i].type, "Ready"))
			ready = is(o->status.conditions[i].status, "True") ? "Ready" : "NotReady";
	for (uint32_t i = 0; i < o->metadata.n_labels; i++) {
		const struct schema_pair *l = &o->metadata.labels[i];
		static const char prefix[] = "node-role.kubernetes.io/";
		if (!strncmp(l->key, prefix, sizeof prefix - 1) && l->key[sizeof prefix - 1])
			names_add(&names, l->key + sizeof prefix - 1);
		else if (is(l->key, "kubernetes.io/role") && is_set(l->value))
			names_add(&names, l->value);
	}
	names_join(&names, &roles);
	cell_text(c, o->metadata.name);
	cell_fmt(c, "%s%s", ready ? ready : "Unknown", o->spec.unschedulable ? ",SchedulingDisabled" : "");
	cell_fmt(c, "%s", roles.len ? roles.ptr : "<none>");
	cell_age(c, o->metadata.creation_timestamp);
	cell_text(c, info->kubelet_version);
	cell_text(c, node_address(o, "InternalIP"));
	cell_text(c, node_address(o, "ExternalIP"));
	cell_text(c, or_unknown(info->os_image));
	if (is_set(info->architecture))
		cell_fmt(c, "%s (%s)", or_unknown(info->kernel_version), info->architecture);
	else
		cell_text(c, or_unknown(info->kernel_version));
	cell_text(c, or_unknown(info->container_runtime_version));
}
TABLE(node);

static const struct kind_column namespace_columns[] = { NAME, { "Status", "string", "", 0, "Active or Terminating" }, AGE };
static void namespace_cells(struct cells *c, const void *obj)
{
	const struct kube_namespace *o = obj;
	cell_text(c, o->metadata.name);
	cell_text(c, o->status.phase);
	cell_age(c, o->metadata.creation_timestamp);
}
TABLE(namespace);

/* Both groups' events, as one. */
struct event_view {
	const struct kube_object_meta *meta;
	const struct kube_object_reference *object;
	const struct kube_event_source *source;
	const char *event_time, *first, *last, *series_last, *type, *reason, *message, *controller, *instance;
	int32_t count, series_count;
};

#define EVENT_COLUMNS { { "Last Seen", "string", "", 0, "Time since it happened last" }, { "Type", "string", "", 0, "Normal or Warning" }, \
	{ "Reason", "string", "", 0, "What happened, in one word" }, { "Object", "string", "", 0, "What it happened to" }, \
	{ "Subobject", "string", "", 1, "Part of the object" }, { "Source", "string", "", 1, "Who reports it" }, \
	{ "Message", "string", "", 0, "What happened, in words" }, { "First Seen", "string", "", 1, "Time since it happened first" }, \
	{ "Count", "string", "", 1, "How often it happened" }, { "Name", "string", "name", 1, "The object's name" } }

static void event_view_cells(struct cells *c, const struct event_view *v)
{
	char first[KUBE_DURATION_MAX], last[KUBE_DURATION_MAX];
	AUTO(buf) struct buf kind = BUF_INIT(1024);
	kube_age(first, v->first ? v->first : v->event_time, c->now_ns);
	if (v->last)
		kube_age(last, v->last, c->now_ns);
	else
		memcpy(last, first, sizeof last);
	int32_t count = v->count ? v->count : 1;
	if (v->series_count || v->series_last) {
		kube_age(last, v->series_last, c->now_ns);
		count = v->series_count;
	}
	buf_adds(&kind, or_empty(v->object->kind));
	for (size_t i = 0; i < kind.len; i++)
		kind.ptr[i] = (char)tolower((unsigned char)kind.ptr[i]);
	const char *component = is_set(v->source->component) ? v->source->component : or_empty(v->controller);
	const char *host = is_set(v->source->host) ? v->source->host : or_empty(v->instance);
	cell_fmt(c, "%s", last);
	cell_text(c, v->type);
	cell_text(c, v->reason);
	cell_fmt(c, "%s%s%s", kind.ptr, is_set(v->object->name) ? "/" : "", or_empty(v->object->name));
	cell_text(c, v->object->field_path);
	cell_fmt(c, "%s%s%s", component, *host ? ", " : "", host);
	struct slice message = slice_trim(slice_of(or_empty(v->message)));
	cell_fmt(c, "%.*s", SLICE_FMT(message));
	cell_fmt(c, "%s", first);
	cell_int(c, count);
	cell_text(c, v->meta->name);
}

static const struct kind_column event_columns[] = EVENT_COLUMNS;
static void event_cells(struct cells *c, const void *obj)
{
	const struct kube_event *o = obj;
	struct event_view v = { &o->metadata, &o->involved_object, &o->source, o->event_time, o->first_timestamp, o->last_timestamp,
		o->series ? o->series->last_observed_time : NULL, o->type, o->reason, o->message, o->reporting_component, o->reporting_instance,
		o->count, o->series ? o->series->count : 0 };
	event_view_cells(c, &v);
}
TABLE(event);

static const struct kind_column events_event_columns[] = EVENT_COLUMNS;
static void events_event_cells(struct cells *c, const void *obj)
{
	const struct kube_events_event *o = obj;
	struct event_view v = { &o->metadata, &o->regarding, &o->deprecated_source, o->event_time, o->deprecated_first_timestamp,
		o->deprecated_last_timestamp, o->series ? o->series->last_observed_time : NULL, o->type, o->reason, o->note, o->reporting_controller,
		o->reporting_instance, o->deprecated_count, o->series ? o->series->count : 0 };
	event_view_cells(c, &v);
}
TABLE(events_event);
