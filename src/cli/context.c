/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts: named engines, kept as files; nothing here asks an engine. */
#include <dirent.h>
#include <fcntl.h>
#include <ctype.h>
#include "base/fd.h"
#include "base/path.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/config_int.h"
#include "cli/format.h"
#include "cli/mount.h"
#include "cli/text.h"

static bool name_ok(const char *s)
{
	if (!isalnum((unsigned char)*s) || !s[1])
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("_.+-", *s))
			return false;
	return true;
}

static int cmp_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names of all stored contexts, sorted. */
static void list_names(struct cli *c, const char ***v, uint32_t *n)
{
	const char *dir = cli_fmt(c, "%s/contexts/meta", config_dir(c));
	DIR *d = opendir(dir);
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		AUTO(buf) struct buf text = BUF_INIT(1 << 20);
		struct tree t;
		if (entry->d_name[0] == '.' || file_read(AT_FDCWD, cli_fmt(c, "%s/%s/meta.json", dir, entry->d_name), &text) < 0 ||
		    tree_from_json(buf_slice(&text), 0, &c->arena, &t, NULL) < 0)
			continue;
		text_add(&c->arena, v, n, arena_dup(&c->arena, tree_text(tree_gets(&t, "Name"))));
	}
	if (d)
		closedir(d);
	if (*n)
		qsort(*v, *n, sizeof **v, cmp_text);
}

static const char *default_host(struct cli *c)
{
	const char *env = getenv("DOCKER_HOST");
	if (env && *env)
		return env;
	return access("/run/coracle/docker.sock", F_OK) == 0 ? "unix:///run/coracle/docker.sock" : "unix:///var/run/docker.sock";
}

static void warn_overridden(struct cli *c)
{
	const char *env = getenv("DOCKER_HOST");
	if (env && *env && !flag_changed(&c->globals, "context"))
		cli_warn(c, "Warning: DOCKER_HOST environment variable overrides the active context. To use a context, either set the global "
			    "--context flag, or unset DOCKER_HOST environment variable.");
}

int cmd_context_ls(struct cli *c, struct err *e)
{
	struct val_field f[5] = { { "Name", "NAME" }, { "Description", "DESCRIPTION" }, { "DockerEndpoint", "DOCKER ENDPOINT" }, { "Error", "ERROR" },
				  { "Current", "" } };
	const char **names = NULL, *current = context_current(c);
	uint32_t n = 0;
	struct listing l;
	int r = listing_begin(&l, c, flag_str(&c->f, "format"), flag_bool(&c->f, "quiet"),
			      "{{.Name}}{{if .Current}} *{{end}}\t{{.Description}}\t{{.DockerEndpoint}}\t{{.Error}}", "{{.Name}}", e);
	struct val_field heads[5];

	memcpy(heads, f, sizeof heads);
	list_names(c, &names, &n);
	for (uint32_t i = 0; i <= n && r >= 0; i++) {
		struct context x = { .name = "default", .description = "Current DOCKER_HOST based configuration", .host = default_host(c) };
		struct err why = { 0 };
		if (i > 0)
			context_load(c, names[i - 1], &x, &why);
		f[0].v = val_str(x.name);
		f[1].v = val_str(x.description);
		f[2].v = val_str(x.host);
		f[3].v = val_str(why.text);
		f[4].v = val_bool(strcmp(x.name, current) == 0);
		if (i == 0) {
			heads[4].heading = "";
			l.headed = false;
		}
		r = listing_row(&l, &(struct val_row){ .fields = f, .n = 5 }, e);
	}
	if (r >= 0)
		r = listing_end(&l, heads, 5, e);
	if (r >= 0 && !flag_bool(&c->f, "quiet"))
		warn_overridden(c);
	return r;
}

int cmd_context_show(struct cli *c, struct err *e)
{
	cli_print(c, "%s\n", context_current(c));
	return 0;
}

int cmd_context_use(struct cli *c, struct err *e)
{
	const char *name = cli_arg(c, 0);
	struct context x;
	struct tree t;
	int r;

	if (strcmp(name, "default") != 0 && (r = context_load(c, name, &x, e)) < 0)
		return r;
	if ((r = config_edit(c, &t, e)) < 0)
		return r;
	if (strcmp(name, "default") == 0)
		tree_remove(&t, SLICE("currentContext"));
	else if (!tree_set(&c->arena, &t, SLICE("currentContext"), tree_string(slice_of(name))))
		return err_nomem(e);
	if ((r = config_save(c, &t, e)) < 0)
		return r;
	cli_print(c, "%s\n", name);
	cli_flush(c);
	cli_warn(c, "Current context is now \"%s\"", name);
	if (strcmp(name, "default") != 0)
		warn_overridden(c);
	return 0;
}

static struct tree inspect_tree(struct cli *c, const struct context *x)
{
	struct tree t = tree_map(), metadata = tree_map(), docker = tree_map(), endpoints = tree_map(), tls = tree_map(), storage = tree_map();
	struct arena *a = &c->arena;
	bool is_default = strcmp(x->name, "default") == 0;
	char id[65];

	context_id(x->name, id);
	if (!is_default && *x->description)
		tree_set(a, &metadata, SLICE("Description"), tree_string(slice_of(x->description)));
	tree_set(a, &docker, SLICE("Host"), tree_string(slice_of(x->host)));
	tree_set(a, &docker, SLICE("SkipTLSVerify"), tree_bool(x->skip_verify));
	tree_set(a, &endpoints, SLICE("docker"), docker);
	if (x->ca || x->cert || x->key) {
		struct tree files = tree_list();
		if (x->ca)
			tree_append(a, &files, tree_string(SLICE("ca.pem")));
		if (x->cert)
			tree_append(a, &files, tree_string(SLICE("cert.pem")));
		if (x->key)
			tree_append(a, &files, tree_string(SLICE("key.pem")));
		tree_set(a, &tls, SLICE("docker"), files);
	}
	tree_set(a, &storage, SLICE("MetadataPath"),
		 tree_string(slice_of(is_default ? "<IN MEMORY>" : cli_fmt(c, "%s/contexts/meta/%s", config_dir(c), id))));
	tree_set(a, &storage, SLICE("TLSPath"), tree_string(slice_of(is_default ? "<IN MEMORY>" : cli_fmt(c, "%s/contexts/tls/%s", config_dir(c), id))));
	tree_set(a, &t, SLICE("Name"), tree_string(slice_of(x->name)));
	tree_set(a, &t, SLICE("Metadata"), metadata);
	tree_set(a, &t, SLICE("Endpoints"), endpoints);
	tree_set(a, &t, SLICE("TLSMaterial"), tls);
	tree_set(a, &t, SLICE("Storage"), storage);
	return t;
}

int cmd_context_inspect(struct cli *c, struct err *e)
{
	const char *format = flag_str(&c->f, "format");
	struct tree all = tree_list();
	int n = c->f.argc ? c->f.argc : 1, r;

	for (int i = 0; i < n; i++) {
		struct context x = { .name = c->f.argc ? cli_arg(c, i) : context_current(c), .description = "" };
		if (strcmp(x.name, "default") == 0)
			x.host = default_host(c);
		else if ((r = context_load(c, x.name, &x, e)) < 0) {
			cli_print(c, *format ? "\n" : "[]\n");
			return r;
		}
		struct tree t = inspect_tree(c, &x);
		if (*format && strcmp(format, "json") != 0) {
			struct val dot = val_tree(&t);
			if ((r = format_value(c, format, &dot, e)) < 0)
				return r;
		} else {
			tree_append(&c->arena, &all, t);
		}
	}
	if (!*format || strcmp(format, "json") == 0) {
		tree_to_json(&all, (*format ? 0 : SCHEMA_INDENT) | SCHEMA_ESCAPE_HTML, &c->out);
		cli_print(c, "\n");
	}
	return 0;
}

/* --- create, update, rm --------------------------------------------------------- */

static int copy_file(struct cli *c, const char *from, const char *dir, const char *name, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);
	int r;

	if (!from || !*from)
		return 0;
	if ((r = file_read(AT_FDCWD, from, &text)) < 0)
		return err_set(e, -r, "open %s: %s", from, r == -ENOENT ? "no such file or directory" : strerror(-r));
	dir_make(AT_FDCWD, dir, 0700);
	return file_write_atomic(AT_FDCWD, cli_fmt(c, "%s/%s", dir, name), buf_slice(&text), 0600, e);
}

static int read_endpoint(struct cli *c, struct context *x, struct err *e)
{
	const struct flag_value *f = flag_list(&c->f, "docker");
	const char *field;
	bool b;

	for (size_t i = 0; i < f->n; i++) {
		const char *rest = f->v[i];
		while (csv_next(&c->arena, &rest, &field)) {
			char *value = strchr(field, '=');
			if (!value)
				return err_set(e, EINVAL, "%s must be formatted as key=value", field);
			*value++ = 0;
			if (!strcmp(field, "host"))
				x->host = value;
			else if (!strcmp(field, "ca"))
				x->ca = value;
			else if (!strcmp(field, "cert"))
				x->cert = value;
			else if (!strcmp(field, "key"))
				x->key = value;
			else if (!strcmp(field, "skip-tls-verify") && cli_parse_bool(value, &b) == 0)
				x->skip_verify = b;
			else if (!strcmp(field, "from")) {
				int r = strcmp(value, "default") ? context_load(c, value, x, e) : (x->host = default_host(c), 0);
				if (r < 0)
					return r;
			} else
				return err_set(e, EINVAL, "unrecognized config key: %s", field);
		}
	}
	return 0;
}

static int save_context(struct cli *c, const char *name, const struct context *x, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);
	struct tree all = inspect_tree(c, x), t = tree_map();
	const char *path = context_meta_path(c, name);
	int r;

	tree_set(&c->arena, &t, SLICE("Name"), tree_string(slice_of(name)));
	tree_set(&c->arena, &t, SLICE("Metadata"), *tree_gets(&all, "Metadata"));
	tree_set(&c->arena, &t, SLICE("Endpoints"), *tree_gets(&all, "Endpoints"));
	tree_to_json(&t, 0, &text);
	dir_make(AT_FDCWD, arena_dup(&c->arena, slice_n(path, (size_t)(strrchr(path, '/') - path))), 0755);
	if ((r = file_write_atomic(AT_FDCWD, path, buf_slice(&text), 0644, e)) < 0 ||
	    (r = copy_file(c, x->ca, context_tls_dir(c, name), "ca.pem", e)) < 0 ||
	    (r = copy_file(c, x->cert, context_tls_dir(c, name), "cert.pem", e)) < 0 ||
	    (r = copy_file(c, x->key, context_tls_dir(c, name), "key.pem", e)) < 0)
		return r;
	cli_print(c, "%s\n", name);
	cli_flush(c);
	return 0;
}

int cmd_context_create(struct cli *c, struct err *e)
{
	const char *name = cli_arg(c, 0), *from = flag_str(&c->f, "from");
	struct context x = { 0 };
	int r;

	if (strcmp(name, "default") == 0)
		return err_set(e, EINVAL, "\"default\" is a reserved context name");
	if (!name_ok(name))
		return err_set(e, EINVAL,
			       "context name \"%s\" is invalid, names are validated against regexp \"^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$\"", name);
	if (access(context_meta_path(c, name), F_OK) == 0)
		return err_set(e, EEXIST, "context \"%s\" already exists", name);
	if (*from && (r = strcmp(from, "default") ? context_load(c, from, &x, e) : (x.host = default_host(c), 0)) < 0)
		return r;
	if (!*from && !flag_list(&c->f, "docker")->n)
		return err_set(e, EINVAL, "docker endpoint configuration is required");
	if ((r = read_endpoint(c, &x, e)) < 0)
		return r;
	x.name = name;
	if (!*from || *flag_str(&c->f, "description"))
		x.description = flag_str(&c->f, "description");
	if (!x.description)
		x.description = "";
	if (!x.host)
		x.host = default_host(c);
	if ((r = save_context(c, name, &x, e)) < 0)
		return r;
	cli_warn(c, "Successfully created context \"%s\"", name);
	return 0;
}

int cmd_context_update(struct cli *c, struct err *e)
{
	const char *name = cli_arg(c, 0);
	struct context x;
	int r = context_load(c, name, &x, e);

	if (r < 0 || (r = read_endpoint(c, &x, e)) < 0)
		return r;
	x.name = name;
	if (flag_changed(&c->f, "description"))
		x.description = flag_str(&c->f, "description");
	if ((r = save_context(c, name, &x, e)) < 0)
		return r;
	cli_warn(c, "Successfully updated context \"%s\"", name);
	return 0;
}

int cmd_context_rm(struct cli *c, struct err *e)
{
	int failed = 0, r;

	for (int i = 0; i < c->f.argc; i++) {
		const char *name = cli_arg(c, i), *path = context_meta_path(c, name), *tls = context_tls_dir(c, name);
		struct err why = { 0 };
		struct context x;
		if (strcmp(name, "default") == 0) {
			failed = 1;
			cli_warn(c, "context \"default\" cannot be removed");
			continue;
		}
		if (context_load(c, name, &x, &why) < 0) {
			if (!flag_bool(&c->f, "force")) {
				failed = 1;
				cli_warn(c, "context \"%s\" does not exist", name);
			}
			continue;
		}
		if (strcmp(name, context_current(c)) == 0) {
			struct tree t;
			if (!flag_bool(&c->f, "force")) {
				failed = 1;
				cli_warn(c, "context \"%s\" is in use, set -f flag to force remove", name);
				continue;
			}
			if ((r = config_edit(c, &t, e)) < 0)
				return r;
			tree_remove(&t, SLICE("currentContext"));
			if ((r = config_save(c, &t, e)) < 0)
				return r;
		}
		dir_remove(AT_FDCWD, arena_dup(&c->arena, slice_n(path, (size_t)(strrchr(path, '/') - path))), NULL);
		dir_remove(AT_FDCWD, arena_dup(&c->arena, slice_n(tls, (size_t)(strrchr(tls, '/') - tls))), NULL);
		cli_print(c, "%s\n", name);
	}
	return failed;
}
