/* SPDX-License-Identifier: Apache-2.0 */
/* system df. */
#include "base/clock.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/human.h"
#include "cli/image.h"
#include "cli/ps.h"
#include "cli/spec.h"
#include "cli/volume.h"

struct line { const char *type; size_t total, active; double size, reclaimable; bool percent; };

static bool runs(const struct docker_container_summary *s)
{
	const char *state = s->state ? s->state : "";
	return !strcmp(state, "running") || !strcmp(state, "paused") || !strcmp(state, "restarting");
}

static void sum_up(const struct docker_disk_usage *u, struct line v[4])
{
	double used = 0;

	v[0] = (struct line){ "Images", u->n_images, 0, (double)u->layers_size, 0, true };
	for (uint32_t i = 0; i < u->n_images; i++) {
		const struct docker_image_summary *s = &u->images[i];
		if (s->containers <= 0)
			continue;
		v[0].active++;
		if (s->size != -1 && s->shared_size != -1)
			used += (double)(s->size - s->shared_size);
	}
	v[0].reclaimable = (double)u->layers_size - used;
	v[1] = (struct line){ "Containers", u->n_containers, 0, 0, 0, true };
	for (uint32_t i = 0; i < u->n_containers; i++) {
		v[1].size += (double)u->containers[i].size_rw;
		if (runs(&u->containers[i]))
			v[1].active++;
		else
			v[1].reclaimable += (double)u->containers[i].size_rw;
	}
	v[2] = (struct line){ "Local Volumes", u->n_volumes, 0, 0, 0, true };
	for (uint32_t i = 0; i < u->n_volumes; i++) {
		const struct docker_volume_usage *x = u->volumes[i].usage_data;
		if (!x)
			continue;
		v[2].active += x->ref_count > 0;
		if (x->size == -1)
			continue;
		v[2].size += (double)x->size;
		if (x->ref_count == 0)
			v[2].reclaimable += (double)x->size;
	}
	v[3] = (struct line){ "Build Cache", u->n_build_cache, 0, 0, 0, false };
	for (uint32_t i = 0; i < u->n_build_cache; i++) {
		const struct docker_build_cache *b = &u->build_cache[i];
		v[3].active += b->in_use;
		if (b->shared)
			continue;
		v[3].size += (double)b->size;
		if (!b->in_use)
			v[3].reclaimable += (double)b->size;
	}
}

static int print_sums(struct cli *c, const struct docker_disk_usage *u, struct err *e)
{
	struct val_field f[5] = { { "Type", "TYPE" }, { "TotalCount", "TOTAL" }, { "Active", "ACTIVE" }, { "Size", "SIZE" },
				  { "Reclaimable", "RECLAIMABLE" } };
	struct line v[4];
	struct listing l;
	int r = listing_begin(&l, c, flag_str(&c->f, "format"), false, "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
			      NULL, e);

	sum_up(u, v);
	for (int i = 0; i < 4 && r >= 0; i++) {
		char size[HUMAN_MAX], free_size[HUMAN_MAX];
		human_size(size, v[i].size, 4);
		human_size(free_size, v[i].reclaimable, 4);
		f[0].v = val_str(v[i].type);
		f[1].v = val_str(cli_fmt(c, "%zu", v[i].total));
		f[2].v = val_str(cli_fmt(c, "%zu", v[i].active));
		f[3].v = val_str(cli_fmt(c, "%s", size));
		f[4].v = val_str(v[i].percent && v[i].size > 0 ? cli_fmt(c, "%s (%d%%)", free_size, (int)(v[i].reclaimable * 100 / v[i].size)) :
								 cli_fmt(c, "%s", free_size));
		r = listing_row(&l, &(struct val_row){ .fields = f, .n = 5 }, e);
	}
	return r < 0 ? r : listing_end(&l, f, 5, e);
}

static int verbose_images(struct cli *c, const struct docker_disk_usage *u, struct err *e)
{
	static const struct docker_image_summary none;
	struct val_field f[IMAGE_FIELDS];
	struct listing l;
	int r = listing_begin(&l, c, "", false,
			      "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}",
			      NULL, e);

	cli_print(c, "Images space usage:\n\n");
	for (uint32_t i = 0; i < u->n_images && r >= 0; i++) {
		const struct docker_image_summary *s = &u->images[i];
		struct image_name n = { SLICE("<none>"), SLICE("<none>"), { 0 } };
		if (s->n_repo_tags)
			n = spec_image(s->repo_tags[0]);
		else if (s->n_repo_digests)
			n.repo = spec_image(s->repo_digests[0]).repo;
		image_row(c, s, arena_dup(&c->arena, n.repo), arena_dup(&c->arena, n.tag), "", false, f);
		r = listing_row(&l, &(struct val_row){ .fields = f, .n = IMAGE_FIELDS }, e);
	}
	image_row(c, &none, "", "", "", false, f);
	return r < 0 ? r : listing_end(&l, f, IMAGE_FIELDS, e);
}

static int verbose_containers(struct cli *c, const struct docker_disk_usage *u, struct err *e)
{
	static const struct docker_container_summary none;
	struct val_field f[PS_FIELDS];
	struct listing l;
	int r = listing_begin(&l, c, "", false,
			      "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}", NULL, e);

	cli_print(c, "\nContainers space usage:\n\n");
	for (uint32_t i = 0; i < u->n_containers && r >= 0; i++) {
		struct docker_container_summary s = u->containers[i];
		s.size_root_fs = 0;
		ps_row(c, &s, false, f);
		r = listing_row(&l, &(struct val_row){ .fields = f, .n = PS_FIELDS }, e);
	}
	ps_row(c, &none, false, f);
	/* what RunningFor is called here */
	return r < 0 ? r : listing_end(&l, f, PS_FIELDS, e);
}

static int verbose_volumes(struct cli *c, const struct docker_disk_usage *u, struct err *e)
{
	static const struct docker_volume none;
	struct val_field f[VOLUME_FIELDS];
	struct listing l;
	int r = listing_begin(&l, c, "", false, "{{.Name}}\t{{.Links}}\t{{.Size}}", NULL, e);

	cli_print(c, "\nLocal Volumes space usage:\n\n");
	for (uint32_t i = 0; i < u->n_volumes && r >= 0; i++) {
		volume_row(c, &u->volumes[i], f);
		r = listing_row(&l, &(struct val_row){ .fields = f, .n = VOLUME_FIELDS }, e);
	}
	volume_row(c, &none, f);
	return r < 0 ? r : listing_end(&l, f, VOLUME_FIELDS, e);
}

static const char *ago(struct cli *c, const char *stamp, const char *never)
{
	char text[HUMAN_MAX];
	int64_t ns;

	if (!stamp || clock_parse_rfc3339(slice_of(stamp), &ns) < 0)
		return never;
	human_ago(text, cli_now(c), ns);
	return cli_fmt(c, "%s", text);
}

static int verbose_builds(struct cli *c, const struct docker_disk_usage *u, struct err *e)
{
	struct val_field f[7] = { { "ID", "CACHE ID" }, { "CacheType", "CACHE TYPE" }, { "Size", "SIZE" }, { "CreatedSince", "CREATED" },
				  { "LastUsedSince", "LAST USED" }, { "UsageCount", "USAGE" }, { "Shared", "SHARED" } };
	char size[HUMAN_MAX];
	struct line v[4];
	struct listing l;
	int r = listing_begin(&l, c, "", false,
			      "{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t{{.UsageCount}}\t{{.Shared}}", NULL, e);

	sum_up(u, v);
	human_size(size, v[3].size, 4);
	cli_print(c, "\nBuild cache usage: %s\n\n", size);
	for (uint32_t i = 0; i < u->n_build_cache && r >= 0; i++) {
		const struct docker_build_cache *b = &u->build_cache[i];
		human_size(size, (double)b->size, 3);
		f[0].v = val_str(cli_fmt(c, "%.12s%s", b->id ? b->id : "", b->in_use ? "*" : ""));
		f[1].v = val_str(b->type);
		f[2].v = val_str(cli_fmt(c, "%s", size));
		f[3].v = val_str(ago(c, b->created_at, ""));
		f[4].v = val_str(ago(c, b->last_used_at, ""));
		f[5].v = val_str(cli_fmt(c, "%lld", (long long)b->usage_count));
		f[6].v = val_str(b->shared ? "true" : "false");
		r = listing_row(&l, &(struct val_row){ .fields = f, .n = 7 }, e);
	}
	return r < 0 ? r : listing_end(&l, f, 7, e);
}

int cmd_system_df(struct cli *c, struct err *e)
{
	struct docker_disk_usage u = { 0 };
	const char *format = flag_str(&c->f, "format");
	int r;

	if ((r = api_get_wait(c, "/system/df", T_docker_disk_usage, &u, e)) < 0)
		return r;
	if (!flag_bool(&c->f, "verbose"))
		return print_sums(c, &u, e);
	if (*format) {
		struct tree t;
		if ((r = tree_from_struct(T_docker_disk_usage, &u, &c->arena, &t, e)) < 0)
			return r;
		struct val dot = val_tree(&t);
		return format_value(c, format, &dot, e);
	}
	if ((r = verbose_images(c, &u, e)) < 0 || (r = verbose_containers(c, &u, e)) < 0 || (r = verbose_volumes(c, &u, e)) < 0)
		return r;
	return verbose_builds(c, &u, e);
}
