/* SPDX-License-Identifier: Apache-2.0 */
/* Commands on volumes. */
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/format.h"
#include "cli/human.h"
#include "cli/ps.h"
#include "cli/text.h"
#include "cli/volume.h"

int cmd_volume_create(struct cli *c, struct err *e)
{
	struct docker_volume_create x = { .driver = flag_str(&c->f, "driver"), .name = flag_str(&c->f, "name") };
	const struct flag_value *opts = flag_list(&c->f, "opt"), *labels = flag_list(&c->f, "label");
	struct docker_volume done = { 0 };
	int r;

	if (cli_arg(c, 0)) {
		if (*x.name)
			return err_set(e, EINVAL, "conflicting options: cannot specify a volume-name through both --name and as a positional arg");
		x.name = cli_arg(c, 0);
	}
	for (size_t i = 0; i < opts->n; i++)
		pair_add(&c->arena, &x.driver_opts, &x.n_driver_opts, opts->v[i]);
	for (size_t i = 0; i < labels->n; i++)
		pair_add(&c->arena, &x.labels, &x.n_labels, labels->v[i]);
	r = api_json_wait(c, "POST", "/volumes/create", T_docker_volume_create, &x, T_docker_volume, &done, e);
	if (r >= 0)
		cli_print(c, "%s\n", done.name);
	return r;
}

int cmd_volume_rm(struct cli *c, struct err *e)
{
	int failed = 0;

	for (int i = 0; i < c->f.argc; i++) {
		struct err why = { 0 };
		if (api_do_wait(c, "DELETE", cli_fmt(c, "/volumes/%s%s", api_esc(c, cli_arg(c, i)), flag_bool(&c->f, "force") ? "?force=1" : ""),
				&why) < 0) {
			failed = cli_failed(c, &why);
			continue;
		}
		cli_print(c, "%s\n", cli_arg(c, i));
	}
	return failed;
}

void volume_row(struct cli *c, const struct docker_volume *v, struct val_field f[VOLUME_FIELDS])
{
	char size[HUMAN_MAX] = "N/A";
	size_t k = 0;

	if (v->usage_data)
		human_size(size, (double)v->usage_data->size, 4);
#define FIELD(name, heading, value) f[k++] = (struct val_field){ name, heading, val_str(value) }
	FIELD("Name", "VOLUME NAME", v->name);
	FIELD("Driver", "DRIVER", v->driver);
	FIELD("Scope", "SCOPE", v->scope);
	FIELD("Mountpoint", "MOUNTPOINT", v->mountpoint);
	FIELD("Labels", "LABELS", ps_labels(c, v->labels, v->n_labels));
	FIELD("Links", "LINKS", v->usage_data ? cli_fmt(c, "%lld", (long long)v->usage_data->ref_count) : "N/A");
	FIELD("Size", "SIZE", cli_fmt(c, "%s", size));
	FIELD("Availability", "AVAILABILITY", "N/A");
	FIELD("Group", "GROUP", "N/A");
	FIELD("Status", "STATUS", "N/A");
#undef FIELD
}

static int cmp_volumes(const void *a, const void *b)
{
	const struct docker_volume *x = a, *y = b;
	return strcmp(x->name ? x->name : "", y->name ? y->name : "");
}

int cmd_volume_ls(struct cli *c, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;
	static const struct docker_volume none;
	struct docker_volume_list list = { 0 };
	const char *format = flag_str(&c->f, "format"), *kept = config_get(c)->volumes_format;
	bool quiet = flag_bool(&c->f, "quiet");
	struct val_field f[VOLUME_FIELDS];
	struct listing l;
	int r;

	if (!*format && kept && !quiet)
		format = kept;
	buf_adds(&t.b, "/volumes");
	if ((r = listing_begin(&l, c, format, quiet, "{{.Driver}}\t{{.Name}}", "{{.Name}}", e)) < 0 ||
	    (r = target_add_filters(c, &t, flag_list(&c->f, "filter"), e)) < 0 ||
	    (r = api_get_wait(c, t.b.ptr, T_docker_volume_list, &list, e)) < 0)
		return r;
	if (list.n_volumes)
		qsort(list.volumes, list.n_volumes, sizeof *list.volumes, cmp_volumes);
	for (uint32_t i = 0; i < list.n_volumes && r >= 0; i++) {
		const struct docker_volume *v = &list.volumes[i];
		volume_row(c, v, f);
		r = listing_row(&l, &(struct val_row){ .fields = f, .n = VOLUME_FIELDS, .labels = v->labels, .n_labels = v->n_labels }, e);
	}
	volume_row(c, &none, f);
	return r < 0 ? r : listing_end(&l, f, VOLUME_FIELDS, e);
}
