/* SPDX-License-Identifier: Apache-2.0 */
/* inspect of every kind of object: indented JSON as the engine sent it, or a template. */
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/template.h"
#include "schema/tree.h"

struct object_kind {
	const char *name;
	const char *path;            /* with one %s */
	const char *query;
};
static const struct object_kind kinds[] = {
	{ "container", "/containers/%s/json", "" },
	{ "image", "/images/%s/json", "" },
	{ "network", "/networks/%s", "" },
	{ "volume", "/volumes/%s", "" },
};

static const struct object_kind *kind_by_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

static int fetch(struct cli *c, const struct object_kind *k, const char *name, const char *query, struct tree *ret, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(API_BODY_MAX);
	struct slice head, tail;
	int r;

	slice_cut(slice_of(k->path), '%', &head, &tail);
	r = api_text_wait(c, "GET", cli_fmt(c, "%.*s%s%s%s", SLICE_FMT(head), api_esc(c, name), tail.ptr + 1, query), &text, e);
	return r < 0 ? r : tree_from_json(buf_slice(&text), 0, &c->arena, ret, e);
}

/* Of whatever kind has this name. */
static int fetch_any(struct cli *c, const char *type, const char *name, const char *size, struct tree *ret, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (*type && strcmp(type, kinds[i].name) != 0)
			continue;
		int r = fetch(c, &kinds[i], name, i == 0 ? size : "", ret, e);
		if (r != -ENOENT || *type)
			return r;
	}
	c->long_error = NULL;
	return err_set(e, ENOENT, "Error: No such object: %s", name);
}

static int inspect_all(struct cli *c, const struct object_kind *k, const char *type, const char *query, struct err *e)
{
	const char *format = flag_str(&c->f, "format");
	struct template *t = NULL;
	struct tree all = tree_list();
	struct err why = { 0 };
	int failed = 0, r;

	if (*format && strcmp(format, "json") != 0 && (r = template_parse(&c->arena, format, &t, e)) < 0)
		return err_prefix(e, "template parsing error");
	for (int i = 0; i < c->f.argc; i++) {
		struct tree one;
		struct err one_why = { 0 };
		r = k ? fetch(c, k, cli_arg(c, i), query, &one, &one_why) : fetch_any(c, type, cli_arg(c, i), query, &one, &one_why);
		if (r < 0) {
			const char *text = c->long_error ? c->long_error : one_why.text;
			if (failed++)
				err_set(&why, one_why.code, "%s\n%s", why.text, text);
			else
				err_set(&why, one_why.code, "%s", text);
			continue;
		}
		if (t) {
			struct val dot = val_tree(&one);
			size_t before = c->out.len;
			if (template_run(t, &c->arena, &dot, true, &c->out, &one_why) < 0) {
				buf_truncate(&c->out, before);
				cli_print(c, "\n");
				cli_flush(c);
				return err_set(e, EINVAL, "template parsing error: %s", one_why.text);
			}
			cli_print(c, "\n");
		} else if (!tree_append(&c->arena, &all, one)) {
			return err_nomem(e);
		}
	}
	if (!t) {
		tree_to_json(&all, *format ? 0 : SCHEMA_INDENT, &c->out);
		cli_print(c, "\n");
	} else if (failed && failed == c->f.argc) {
		cli_print(c, "\n");
	}
	cli_flush(c);
	if (failed)
		cli_warn(c, "%s", why.text);
	return failed != 0;
}

int cmd_inspect(struct cli *c, struct err *e)
{
	const char *type = flag_str(&c->f, "type");
	static const char *const others[] = { "node", "service", "task", "plugin", "secret", "config" };

	if (flag_changed(&c->f, "type") && !*type)
		return err_set(e, EINVAL, "type is empty: must be one of \"config\", \"container\", \"image\", \"network\", \"node\", \"plugin\", "
					  "\"secret\", \"service\", \"task\", \"volume\"");
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (strcmp(type, others[i]) == 0)
			return err_set(e, ENOSYS, "objects of type \"%s\" do not exist here", type);
	if (*type && !kind_by_name(type))
		return err_set(e, EINVAL,
			       "unknown type: \"%s\": must be one of \"config\", \"container\", \"image\", \"network\", \"node\", \"plugin\", \"secret\", "
			       "\"service\", \"task\", \"volume\"",
			       type);
	return inspect_all(c, NULL, type, flag_bool(&c->f, "size") ? "?size=1" : "", e);
}

int cmd_inspect_container(struct cli *c, struct err *e)
{
	return inspect_all(c, &kinds[0], "", flag_bool(&c->f, "size") ? "?size=1" : "", e);
}
int cmd_inspect_image(struct cli *c, struct err *e) { return inspect_all(c, &kinds[1], "", "", e); }
int cmd_inspect_network(struct cli *c, struct err *e)
{
	return inspect_all(c, &kinds[2], "", flag_bool(&c->f, "verbose") ? "?verbose=true" : "", e);
}
int cmd_inspect_volume(struct cli *c, struct err *e) { return inspect_all(c, &kinds[3], "", "", e); }
