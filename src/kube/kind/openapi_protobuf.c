/* SPDX-License-Identifier: Apache-2.0 */
/* Version 2 on protobuf's wire: the JSON document, turned into the messages of api/openapi. */
#include "kube/kind/openapi_int.h"

#include "api/openapi.h"

struct packer {
	struct arena *a;
	int error;
};

static void *fresh(struct packer *p, size_t n, size_t size)
{
	static char nowhere[4096];
	void *v = arena_array(p->a, n ? n : 1, size);
	if (v)
		return v;
	p->error = -E2BIG;
	return n <= 1 ? nowhere : NULL;
}

/* NULL for what is not there. */
static const char *text(struct packer *p, const struct tree *t, const char *key)
{
	const struct tree *v = tree_gets(t, key);
	if (!v || v->type != TREE_STRING)
		return NULL;
	const char *s = arena_dup(p->a, tree_text(v));
	if (!s)
		p->error = -E2BIG;
	return s;
}

static const char *key_text(struct packer *p, const struct tree_member *m)
{
	const char *s = arena_dup(p->a, slice_n(m->key, m->key_len));
	if (!s)
		p->error = -E2BIG;
	return s ? s : "";
}

static void texts(struct packer *p, const struct tree *list, const char ***v, uint32_t *n)
{
	if (!list || list->type != TREE_LIST || !list->n)
		return;
	*v = fresh(p, list->n, sizeof **v);
	for (uint32_t i = 0; *v && i < list->n; i++)
		(*v)[(*n)++] = arena_dup(p->a, tree_text(&list->items[i]));
}

/* Members named x-…, whose values are YAML; JSON is YAML. */
static void extensions(struct packer *p, const struct tree *t, struct openapi_named_any **v, uint32_t *n)
{
	*v = fresh(p, t->n, sizeof **v);
	for (uint32_t i = 0; *v && i < t->n; i++) {
		const struct tree_member *m = &t->members[i];
		AUTO(buf) struct buf b = BUF_INIT(1 << 20);
		if (m->key_len < 2 || memcmp(m->key, "x-", 2))
			continue;
		if (tree_to_yaml(&m->value, SCHEMA_SORTED, &b) < 0 || buf_error(&b))
			p->error = -E2BIG;
		(*v)[*n].name = key_text(p, m);
		(*v)[(*n)++].value.yaml = arena_dup(p->a, buf_slice(&b));
	}
}

static void schema(struct packer *p, const struct tree *t, struct openapi_schema *s);

static struct openapi_schemas *schemas(struct packer *p, const struct tree *map)
{
	if (!map || map->type != TREE_MAP)
		return NULL;
	struct openapi_schemas *all = fresh(p, 1, sizeof *all);
	all->items = fresh(p, map->n, sizeof *all->items);
	for (uint32_t i = 0; all->items && i < map->n; i++) {
		all->items[all->n_items].name = key_text(p, &map->members[i]);
		schema(p, &map->members[i].value, &all->items[all->n_items++].value);
	}
	return all;
}

static struct openapi_schema_item *schema_item(struct packer *p, const struct tree *t)
{
	if (!t || t->type != TREE_MAP)
		return NULL;
	struct openapi_schema_item *item = fresh(p, 1, sizeof *item);
	schema(p, t, &item->schema);
	return item;
}

static void schema(struct packer *p, const struct tree *t, struct openapi_schema *s)
{
	if (t->type != TREE_MAP || p->error)
		return;
	const struct tree *items = tree_gets(t, "items");
	const char *type = text(p, t, "type");
	s->ref = text(p, t, "$ref");
	s->format = text(p, t, "format");
	s->description = text(p, t, "description");
	texts(p, tree_gets(t, "required"), &s->required, &s->n_required);
	s->additional = schema_item(p, tree_gets(t, "additionalProperties"));
	s->properties = schemas(p, tree_gets(t, "properties"));
	if (type) {
		s->type = fresh(p, 1, sizeof *s->type);
		s->type->value = fresh(p, 1, sizeof *s->type->value);
		s->type->value[0] = type;
		s->type->n_value = 1;
	}
	if (items && items->type == TREE_MAP) {
		s->items = fresh(p, 1, sizeof *s->items);
		s->items->schema = fresh(p, 1, sizeof *s->items->schema);
		s->items->n_schema = 1;
		schema(p, items, s->items->schema);
	}
	extensions(p, t, &s->extensions, &s->n_extensions);
}

static void parameters(struct packer *p, const struct tree *list, struct openapi_parameter_item **v, uint32_t *n)
{
	if (!list || list->type != TREE_LIST)
		return;
	*v = fresh(p, list->n, sizeof **v);
	for (uint32_t i = 0; *v && i < list->n; i++) {
		const struct tree *t = &list->items[i];
		struct openapi_parameter *x = &(*v)[(*n)++].parameter;
		const char *in = text(p, t, "in"), *name = text(p, t, "name"), *help = text(p, t, "description");
		if (in && !strcmp(in, "body")) {
			x->body = fresh(p, 1, sizeof *x->body);
			*x->body = (struct openapi_body_parameter){ .name = name, .in = in, .description = help, .required = tree_is_true(tree_gets(t, "required")) };
			x->body->schema = fresh(p, 1, sizeof *x->body->schema);
			schema(p, tree_gets(t, "schema"), x->body->schema);
			continue;
		}
		x->other = fresh(p, 1, sizeof *x->other);
		if (in && !strcmp(in, "path")) {
			x->other->path = fresh(p, 1, sizeof *x->other->path);
			*x->other->path = (struct openapi_path_parameter){ .required = true, .in = in, .description = help, .name = name, .type = text(p, t, "type"),
				.unique_items = true };
		} else {
			x->other->query = fresh(p, 1, sizeof *x->other->query);
			*x->other->query = (struct openapi_query_parameter){ .in = in, .description = help, .name = name, .type = text(p, t, "type"), .unique_items = true };
		}
	}
}

static struct openapi_operation *operation(struct packer *p, const struct tree *t)
{
	if (!t || t->type != TREE_MAP)
		return NULL;
	struct openapi_operation *o = fresh(p, 1, sizeof *o);
	const struct tree *all = tree_gets(t, "responses");
	o->description = text(p, t, "description");
	o->operation_id = text(p, t, "operationId");
	texts(p, tree_gets(t, "produces"), &o->produces, &o->n_produces);
	texts(p, tree_gets(t, "consumes"), &o->consumes, &o->n_consumes);
	texts(p, tree_gets(t, "schemes"), &o->schemes, &o->n_schemes);
	parameters(p, tree_gets(t, "parameters"), &o->parameters, &o->n_parameters);
	o->responses = fresh(p, 1, sizeof *o->responses);
	o->responses->code = fresh(p, all ? all->n : 0, sizeof *o->responses->code);
	for (uint32_t i = 0; all && o->responses->code && i < all->n; i++) {
		struct openapi_named_response *r = &o->responses->code[o->responses->n_code++];
		r->name = key_text(p, &all->members[i]);
		r->value.response.description = text(p, &all->members[i].value, "description");
		r->value.response.schema = schema_item(p, tree_gets(&all->members[i].value, "schema"));
	}
	extensions(p, t, &o->extensions, &o->n_extensions);
	return o;
}

static struct openapi_paths *paths(struct packer *p, const struct tree *map)
{
	struct openapi_paths *all = fresh(p, 1, sizeof *all);
	all->path = fresh(p, map ? map->n : 0, sizeof *all->path);
	for (uint32_t i = 0; map && all->path && i < map->n && !p->error; i++) {
		const struct tree *t = &map->members[i].value;
		struct openapi_named_path *x = &all->path[all->n_path++];
		x->name = key_text(p, &map->members[i]);
		x->value.get = operation(p, tree_gets(t, "get"));
		x->value.put = operation(p, tree_gets(t, "put"));
		x->value.post = operation(p, tree_gets(t, "post"));
		x->value.delete = operation(p, tree_gets(t, "delete"));
		x->value.patch = operation(p, tree_gets(t, "patch"));
		parameters(p, tree_gets(t, "parameters"), &x->value.parameters, &x->value.n_parameters);
	}
	return all;
}

int kind_openapi_v2_protobuf(const struct kind_openapi_custom *custom, size_t n, struct buf *out)
{
	AUTO(arena) struct arena a;
	AUTO(buf) struct buf json = BUF_INIT(64 << 20);
	struct tree doc;
	arena_init(&a, 512 << 20);
	int r = kind_openapi_v2(custom, n, &json);
	if (r == 0)
		r = tree_from_json(buf_slice(&json), SCHEMA_NO_COPY, &a, &doc, NULL);
	if (r < 0)
		return r;
	struct packer p = { .a = &a };
	struct openapi_document d = { .swagger = "2.0", .info = { .title = "Kubernetes", .version = "v1.36.0" } };
	d.paths = paths(&p, tree_gets(&doc, "paths"));
	d.definitions = schemas(&p, tree_gets(&doc, "definitions"));
	if (p.error)
		return p.error;
	return schema_to_protobuf(T_openapi_document, &d, out) < 0 ? -E2BIG : 0;
}
