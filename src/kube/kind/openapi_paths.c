/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths and operations. kubectl reads from them whether a kind takes
 * fieldValidation and dryRun (parameters of its patch), and which schema
 * belongs to a resource (x-kubernetes-group-version-kind and responses).
 */
#include "kube/kind/openapi_int.h"

#include <ctype.h>

#define META "io.k8s.apimachinery.pkg.apis.meta.v1."

static const struct parameter {
	const char *name, *type, *help;
} parameters[] = {
	{ "allowWatchBookmarks", "boolean", "Ask for bookmark events in a watch." },
	{ "continue", "string", "Token of the previous part of the list." },
	{ "dryRun", "string", "All: do everything but store the result." },
	{ "fieldManager", "string", "Name of who makes the change." },
	{ "fieldSelector", "string", "Only objects whose fields are so." },
	{ "fieldValidation", "string", "What happens with unknown and duplicate fields: Ignore, Warn or Strict." },
	{ "force", "boolean", "Take over fields of others in an apply." },
	{ "gracePeriodSeconds", "integer", "Time the object gets to end." },
	{ "labelSelector", "string", "Only objects whose labels are so." },
	{ "limit", "integer", "Most objects in one answer." },
	{ "orphanDependents", "boolean", "Old form of propagationPolicy." },
	{ "propagationPolicy", "string", "What happens to dependents: Orphan, Background or Foreground." },
	{ "resourceVersion", "string", "The version to read, or to watch from." },
	{ "resourceVersionMatch", "string", "How resourceVersion is meant: Exact or NotOlderThan." },
	{ "sendInitialEvents", "boolean", "Begin a watch with the objects there are." },
	{ "timeoutSeconds", "integer", "Longest time of a list or watch." },
	{ "watch", "boolean", "Go on with changes." },
	{ "command", "string", "Command and arguments." }, { "container", "string", "Which container of the pod." },
	{ "stdin", "boolean", "Connect standard input." }, { "stdout", "boolean", "Connect standard output." },
	{ "stderr", "boolean", "Connect standard error." }, { "tty", "boolean", "Give it a terminal." }, { "path", "string", "Path behind the proxy." },
	{ "ports", "integer", "Ports to forward." }, { "follow", "boolean", "Go on with what is written." },
	{ "previous", "boolean", "Of the container before the last restart." }, { "sinceSeconds", "integer", "Only lines newer than this." },
	{ "tailLines", "integer", "Only this many last lines." }, { "limitBytes", "integer", "At most this many bytes." },
	{ "timestamps", "boolean", "With the time of each line." }, { "insecureSkipTLSVerifyBackend", "boolean", "Do not check the machine's certificate." },
	{ "stream", "string", "All, Stdout or Stderr." },
};

#define LIST_PARAMETERS "continue fieldSelector labelSelector limit resourceVersion resourceVersionMatch sendInitialEvents timeoutSeconds"
#define DELETE_PARAMETERS "dryRun gracePeriodSeconds orphanDependents propagationPolicy"

static void parameter(struct openapi *o, struct tree *list, const char *name, const char *type, const char *in, const char *help)
{
	struct tree p = tree_map();
	oa_text(o, &p, "description", help);
	oa_text(o, &p, "in", in);
	oa_text(o, &p, "name", name);
	if (!strcmp(in, "path"))
		oa_set(o, &p, "required", tree_bool(true));
	if (o->v == OPENAPI_V3) {
		struct tree *s = oa_set(o, &p, "schema", tree_map());
		oa_text(o, s, "type", type);
		oa_set(o, s, "uniqueItems", tree_bool(true));
	} else {
		oa_text(o, &p, "type", type);
		oa_set(o, &p, "uniqueItems", tree_bool(true));
	}
	oa_append(o, list, p);
}

static void named_parameters(struct openapi *o, struct tree *list, const char *names)
{
	struct slice rest = slice_of(names), name;
	while (*names && slice_next(&rest, ' ', &name))
		for (size_t i = 0; i < ARRAY_LEN(parameters); i++)
			if (slice_is(name, parameters[i].name))
				parameter(o, list, parameters[i].name, parameters[i].type, "query", parameters[i].help);
}

static struct tree ref(struct openapi *o, const char *name)
{
	struct tree t;
	if (schema_openapi_ref(o->v, name, o->a, &t) < 0)
		o->error = -E2BIG;
	return t;
}

/* {"application/json": {schema}, …} */
static struct tree content(struct openapi *o, const char *schema, const char *types)
{
	struct tree t = tree_map();
	struct slice rest = slice_of(types), type;
	while (slice_next(&rest, ' ', &type)) {
		struct tree *p = tree_set(o->a, &t, type, tree_map());
		if (!p)
			o->error = -E2BIG;
		else
			oa_set(o, p, "schema", ref(o, schema));
	}
	return t;
}

#define BODY_TYPES "application/json application/vnd.kubernetes.protobuf application/yaml"
#define WATCH_TYPES BODY_TYPES " application/json;stream=watch application/vnd.kubernetes.protobuf;stream=watch"
#define CUSTOM_PATCH_TYPES "application/apply-patch+yaml application/json-patch+json application/merge-patch+json"
#define PATCH_TYPES CUSTOM_PATCH_TYPES " application/strategic-merge-patch+json"

struct operation {
	const char *method, *action, *id, *help;
	const char *group, *version, *kind;
	const char *parameters;
	const char *body, *body_types;         /* NULL: none */
	const char *answer, *answer_types;     /* schema; NULL: a stream of bytes */
	const char *codes;                     /* "200 201" */
};

static void media_types(struct openapi *o, struct tree *op, const char *key, const char *types)
{
	struct tree list = tree_list();
	struct slice rest = slice_of(types), type;
	while (slice_next(&rest, ' ', &type))
		oa_append(o, &list, tree_string(type));
	oa_set(o, op, key, list);
}

static void responses(struct openapi *o, struct tree *op, const struct operation *x)
{
	struct tree all = tree_map();
	struct slice rest = slice_of(x->codes), code;
	while (slice_next(&rest, ' ', &code)) {
		struct tree r = tree_map();
		oa_text(o, &r, "description", slice_is(code, "200") ? "OK" : slice_is(code, "201") ? "Created" : "Accepted");
		if (o->v == OPENAPI_V3) {
			if (x->answer)
				oa_set(o, &r, "content", content(o, x->answer, x->answer_types));
		} else if (x->answer) {
			oa_set(o, &r, "schema", ref(o, x->answer));
		}
		if (!tree_set(o->a, &all, code, r))
			o->error = -E2BIG;
	}
	struct tree *unauthorized = oa_set(o, &all, "401", tree_map());
	oa_text(o, unauthorized, "description", "Unauthorized");
	oa_set(o, op, "responses", all);
}

static void operation(struct openapi *o, struct tree *path, const struct operation *x)
{
	struct tree op = tree_map(), list = tree_list();
	oa_text(o, &op, "description", x->help);
	oa_text(o, &op, "operationId", x->id);
	named_parameters(o, &list, x->parameters);
	if (x->body && o->v == OPENAPI_V3) {
		struct tree *body = oa_set(o, &op, "requestBody", tree_map());
		oa_set(o, body, "content", content(o, x->body, x->body_types));
		oa_set(o, body, "required", tree_bool(strcmp(x->method, "delete") != 0));
	}
	if (o->v == OPENAPI_V2) {
		if (x->body) {
			struct tree p = tree_map();
			oa_text(o, &p, "in", "body");
			oa_text(o, &p, "name", "body");
			if (strcmp(x->method, "delete"))
				oa_set(o, &p, "required", tree_bool(true));
			oa_set(o, &p, "schema", ref(o, x->body));
			oa_append(o, &list, p);
		}
		media_types(o, &op, "consumes", x->body ? x->body_types : "*/*");
		media_types(o, &op, "produces", x->answer ? x->answer_types : "*/*");
		media_types(o, &op, "schemes", "https");
	}
	if (list.n)
		oa_set(o, &op, "parameters", list);
	responses(o, &op, x);
	if (x->action)
		oa_text(o, &op, "x-kubernetes-action", x->action);
	if (x->kind)
		oa_set(o, &op, "x-kubernetes-group-version-kind", oa_gvk(o, x->group, x->version, x->kind));
	oa_set(o, path, x->method, op);
}

/* "AppsV1", "RbacAuthorizationV1", "CoreV1" */
static const char *prefix_of(struct openapi *o, const char *group, const char *version)
{
	AUTO(buf) struct buf b = BUF_INIT(1024);
	struct slice g = slice_of(*group ? group : "core"), part;
	if (slice_ends(g, ".k8s.io"))
		g.len -= 7;
	while (slice_next(&g, '.', &part)) {
		if (part.len)
			buf_addf(&b, "%c%.*s", toupper((unsigned char)part.ptr[0]), (int)part.len - 1, part.ptr + 1);
	}
	buf_addf(&b, "%c%s", toupper((unsigned char)*version), version + 1);
	const char *s = arena_dup(o->a, buf_slice(&b));
	return s ? s : "";
}

static const char *text(struct openapi *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static const char *text(struct openapi *o, const char *fmt, ...)
{
	AUTO(buf) struct buf b = BUF_INIT(4096);
	va_list ap;
	va_start(ap, fmt);
	buf_addfv(&b, fmt, ap);
	va_end(ap);
	const char *s = arena_dup(o->a, buf_slice(&b));
	if (!s)
		o->error = -E2BIG;
	return s ? s : "";
}

static const char *base_of(struct openapi *o, const char *group, const char *version)
{
	return *group ? text(o, "/apis/%s/%s", group, version) : text(o, "/api/%s", version);
}

/* The place of a path, with the parameters that are in it. */
static struct tree *path_at(struct openapi *o, const char *path, const char *kind)
{
	struct tree *p = oa_set(o, &o->paths, path, tree_map()), list = tree_list();
	if (strstr(path, "{name}"))
		parameter(o, &list, "name", "string", "path", text(o, "Name of the %s.", kind));
	if (strstr(path, "{namespace}"))
		parameter(o, &list, "namespace", "string", "path", "Namespace of the object.");
	if (list.n)
		oa_set(o, p, "parameters", list);
	return p;
}

void oa_discovery_path(struct openapi *o, const char *group, const char *version)
{
	struct operation x = { .method = "get", .id = text(o, "get%sAPIResources", prefix_of(o, group, version)), .help = "Resources of this group and version.",
		.parameters = "", .answer = META "APIResourceList", .answer_types = BODY_TYPES, .codes = "200" };
	operation(o, path_at(o, text(o, "%s/", base_of(o, group, version)), ""), &x);
}

static void collection(struct openapi *o, const struct openapi_resource *r, const char *path, const char *id_tail, bool only_list)
{
	const char *prefix = prefix_of(o, r->group, r->version);
	struct tree *p = path_at(o, path, r->kind);
	struct operation base = { .group = r->group, .version = r->version, .kind = r->kind, .answer_types = BODY_TYPES, .codes = "200" }, x;
	if (r->verbs & KV_LIST && r->list_schema) {
		x = base;
		x.method = "get", x.action = "list", x.id = text(o, "list%s%s", prefix, id_tail), x.help = text(o, "List or watch objects of kind %s.", r->kind);
		x.parameters = "allowWatchBookmarks " LIST_PARAMETERS " watch", x.answer = r->list_schema, x.answer_types = WATCH_TYPES;
		operation(o, p, &x);
	}
	if (only_list)
		return;
	if (r->verbs & KV_CREATE) {
		x = base;
		x.method = "post", x.action = "post", x.id = text(o, "create%s%s", prefix, id_tail), x.help = text(o, "Create a %s.", r->kind);
		x.parameters = "dryRun fieldManager fieldValidation", x.body = x.answer = r->schema, x.body_types = BODY_TYPES, x.codes = "200 201 202";
		operation(o, p, &x);
	}
	if (r->verbs & KV_DELETECOLLECTION) {
		x = base;
		x.method = "delete", x.action = "deletecollection", x.id = text(o, "delete%sCollection%s", prefix, id_tail);
		x.help = text(o, "Delete objects of kind %s.", r->kind), x.parameters = LIST_PARAMETERS " " DELETE_PARAMETERS;
		x.body = META "DeleteOptions", x.body_types = BODY_TYPES, x.answer = META "Status";
		operation(o, p, &x);
	}
}

/* Custom resources know no strategic merge patch; kubectl apply looks here for it. */
static bool is_custom(const char *group)
{
	for (unsigned i = 0; i < n_kube_group_versions; i++)
		if (!strcmp(kube_group_versions[i].group, group))
			return false;
	return true;
}

/* get, put, patch of an object or of a part of it. */
static void read_and_write(struct openapi *o, struct tree *p, unsigned verbs, const struct operation *base, const char *prefix, const char *tail, const char *schema)
{
	struct operation x;
	if (verbs & KV_GET) {
		x = *base;
		x.method = "get", x.action = "get", x.id = text(o, "read%s%s", prefix, tail), x.help = text(o, "Read a %s.", base->kind), x.parameters = "";
		x.answer = schema;
		operation(o, p, &x);
	}
	if (verbs & KV_UPDATE) {
		x = *base;
		x.method = "put", x.action = "put", x.id = text(o, "replace%s%s", prefix, tail), x.help = text(o, "Replace a %s.", base->kind);
		x.parameters = "dryRun fieldManager fieldValidation", x.body = x.answer = schema, x.body_types = BODY_TYPES, x.codes = "200 201";
		operation(o, p, &x);
	}
	if (verbs & KV_PATCH) {
		x = *base;
		x.method = "patch", x.action = "patch", x.id = text(o, "patch%s%s", prefix, tail), x.help = text(o, "Change a %s.", base->kind);
		x.parameters = "dryRun fieldManager fieldValidation force", x.body = META "Patch", x.body_types = is_custom(base->group) ? CUSTOM_PATCH_TYPES : PATCH_TYPES, x.answer = schema, x.codes = "200 201";
		operation(o, p, &x);
	}
}

void oa_paths(struct openapi *o, const struct openapi_resource *r)
{
	const char *base = base_of(o, r->group, r->version), *prefix = prefix_of(o, r->group, r->version);
	const char *tail = text(o, "%s%s", r->namespaced ? "Namespaced" : "", r->kind);
	const char *scope = r->namespaced ? "/namespaces/{namespace}" : "";
	if (r->namespaced && r->list_schema)
		collection(o, r, text(o, "%s/%s", base, r->plural), text(o, "%sForAllNamespaces", r->kind), true);
	collection(o, r, text(o, "%s%s/%s", base, scope, r->plural), tail, false);
	if (!(r->verbs & (KV_GET | KV_UPDATE | KV_PATCH | KV_DELETE)))
		return;
	struct tree *p = path_at(o, text(o, "%s%s/%s/{name}", base, scope, r->plural), r->kind);
	struct operation x = { .group = r->group, .version = r->version, .kind = r->kind, .answer_types = BODY_TYPES, .codes = "200" };
	read_and_write(o, p, r->verbs, &x, prefix, tail, r->schema);
	if (r->verbs & KV_DELETE) {
		x.method = "delete", x.action = "delete", x.id = text(o, "delete%s%s", prefix, tail), x.help = text(o, "Delete a %s.", r->kind);
		x.parameters = DELETE_PARAMETERS, x.body = META "DeleteOptions", x.body_types = BODY_TYPES, x.answer = META "Status", x.codes = "200 202";
		operation(o, p, &x);
	}
}

static bool is_connection(const char *name)
{
	static const char *const names[] = { "attach", "exec", "portforward", "proxy" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

static const char *connection_parameters(const char *name)
{
	return !strcmp(name, "exec") ? "command container stderr stdin stdout tty" : !strcmp(name, "attach") ? "container stderr stdin stdout tty" :
		!strcmp(name, "portforward") ? "ports" : "path";
}

void oa_sub_paths(struct openapi *o, const struct openapi_resource *r, const struct openapi_sub *s)
{
	static const struct { unsigned verb; const char *method, *word; } methods[] = {
		{ KV_GET, "get", "Get" }, { KV_CREATE, "post", "Post" }, { KV_UPDATE, "put", "Put" }, { KV_PATCH, "patch", "Patch" }, { KV_DELETE, "delete", "Delete" },
	};
	const char *prefix = prefix_of(o, r->group, r->version);
	const char *tail = text(o, "%s%s%c%s", r->namespaced ? "Namespaced" : "", r->kind, toupper((unsigned char)*s->name), s->name + 1);
	struct tree *p = path_at(o, text(o, "%s%s/%s/{name}/%s", base_of(o, r->group, r->version), r->namespaced ? "/namespaces/{namespace}" : "", r->plural, s->name), s->kind);
	struct operation x = { .group = s->group, .version = s->version, .kind = s->kind, .answer_types = BODY_TYPES, .codes = "200", .parameters = "" };
	if (is_connection(s->name)) {
		for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
			if (!(s->verbs & methods[i].verb))
				continue;
			x.method = methods[i].method, x.action = "connect", x.parameters = connection_parameters(s->name);
			x.id = text(o, "connect%s%s%s", prefix, methods[i].word, tail), x.help = text(o, "Connect to %s of a %s.", s->name, r->kind);
			operation(o, p, &x);
		}
		return;
	}
	if (!strcmp(s->name, "log")) {
		x.method = "get", x.action = "get", x.id = text(o, "read%s%s", prefix, tail), x.help = "What a container has written.";
		x.parameters = "container follow insecureSkipTLSVerifyBackend limitBytes previous sinceSeconds stream tailLines timestamps";
		operation(o, p, &x);
		return;
	}
	read_and_write(o, p, s->verbs, &x, prefix, tail, s->schema);
	if (s->verbs & KV_CREATE) {
		x.method = "post", x.action = "post", x.id = text(o, "create%s%s", prefix, tail), x.help = text(o, "Create %s of a %s.", s->name, r->kind);
		x.parameters = "dryRun fieldManager fieldValidation", x.body = x.answer = s->schema, x.body_types = BODY_TYPES, x.codes = "200 201 202";
		operation(o, p, &x);
	}
}
