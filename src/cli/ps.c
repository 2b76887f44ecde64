/* SPDX-License-Identifier: Apache-2.0 */
/* ps: the list of containers. */
#include "base/clock.h"
#include "base/num.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/format.h"
#include "cli/human.h"
#include "cli/ps.h"
#include "cli/text.h"

/* --- ports: "0.0.0.0:8080->80/tcp, 9000-9001/tcp" ------------------------------- */

static int cmp_ports(const void *a, const void *b)
{
	const struct docker_container_port *x = a, *y = b;
	int r;

	if (x->private_port != y->private_port)
		return (int)x->private_port - (int)y->private_port;
	if ((r = strcmp(x->ip ? x->ip : "", y->ip ? y->ip : "")) != 0)
		return r;
	if (x->public_port != y->public_port)
		return (int)x->public_port - (int)y->public_port;
	return strcmp(x->type ? x->type : "", y->type ? y->type : "");
}

struct group { uint16_t first, last; };

static const char *range_text(struct cli *c, const char *key, struct group g)
{
	const char *span = g.first == g.last ? cli_fmt(c, "%u", g.first) : cli_fmt(c, "%u-%u", g.first, g.last);
	struct slice head, type;
	ptrdiff_t cut = slice_rfind(slice_of(key), '/');

	head = slice_n(key, cut >= 0 ? (size_t)cut : 0);
	type = slice_of(key + cut + 1);
	if (head.len)
		return cli_fmt(c, "%.*s:%s->%s/%.*s", SLICE_FMT(head), span, span, SLICE_FMT(type));
	return cli_fmt(c, "%s/%.*s", span, SLICE_FMT(type));
}

const char *ps_ports(struct cli *c, struct docker_container_port *v, uint32_t n)
{
	enum { KEYS_MAX = 64 };
	const char *keys[KEYS_MAX], **single = NULL, **grouped = NULL;
	struct group groups[KEYS_MAX];
	uint32_t n_keys = 0, n_single = 0, n_grouped = 0;
	AUTO(buf) struct buf out = BUF_INIT(1 << 20);

	if (n)
		qsort(v, n, sizeof *v, cmp_ports);
	for (uint32_t i = 0; i < n; i++) {
		const char *type = v[i].type ? v[i].type : "tcp", *key = type, *ip = v[i].ip ? v[i].ip : "";
		uint32_t k = 0;
		if (*ip) {
			const char *shown = strchr(ip, ':') ? cli_fmt(c, "[%s]", ip) : ip;
			if (v[i].public_port != v[i].private_port) {
				text_add(&c->arena, &single, &n_single,
					 cli_fmt(c, "%s:%u->%u/%s", shown, v[i].public_port, v[i].private_port, type));
				continue;
			}
			key = cli_fmt(c, "%s/%s", shown, type);
		}
		while (k < n_keys && strcmp(keys[k], key) != 0)
			k++;
		if (k == n_keys) {
			if (n_keys == KEYS_MAX)
				break;
			keys[n_keys] = key;
			groups[n_keys++] = (struct group){ v[i].private_port, v[i].private_port };
			continue;
		}
		if (v[i].private_port == groups[k].last + 1) {
			groups[k].last = v[i].private_port;
			continue;
		}
		text_add(&c->arena, &grouped, &n_grouped, range_text(c, key, groups[k]));
		groups[k] = (struct group){ v[i].private_port, v[i].private_port };
	}
	for (uint32_t k = 0; k < n_keys; k++)
		text_add(&c->arena, &grouped, &n_grouped, range_text(c, keys[k], groups[k]));
	for (uint32_t i = 0; i < n_grouped; i++)
		buf_addf(&out, "%s%s", out.len ? ", " : "", grouped[i]);
	for (uint32_t i = 0; i < n_single; i++)
		buf_addf(&out, "%s%s", out.len ? ", " : "", single[i]);
	const char *kept = arena_dup(&c->arena, buf_slice(&out));
	return kept ? kept : "";
}

/* --- rows ----------------------------------------------------------------------- */

static const char *names_text(struct cli *c, const struct docker_container_summary *s, bool full)
{
	AUTO(buf) struct buf out = BUF_INIT(1 << 20);

	for (uint32_t i = 0; i < s->n_names; i++) {
		const char *name = s->names[i] + (s->names[i][0] == '/');
		/* a name with a slash is a link's */
		if (!full && strchr(name, '/'))
			continue;
		buf_addf(&out, "%s%s", out.len ? "," : "", name);
	}
	return arena_dup(&c->arena, buf_slice(&out));
}

static const char *mounts_text(struct cli *c, const struct docker_container_summary *s, bool full)
{
	AUTO(buf) struct buf out = BUF_INIT(1 << 20);

	for (uint32_t i = 0; i < s->n_mounts; i++) {
		const char *name = s->mounts[i].name && *s->mounts[i].name ? s->mounts[i].name : s->mounts[i].source;
		buf_addf(&out, "%s%s", out.len ? "," : "", full ? name : human_cut(&c->arena, name ? name : "", 15));
	}
	return arena_dup(&c->arena, buf_slice(&out));
}

static int local_volumes(const struct docker_container_summary *s)
{
	int n = 0;
	for (uint32_t i = 0; i < s->n_mounts; i++)
		n += s->mounts[i].driver && strcmp(s->mounts[i].driver, "local") == 0;
	return n;
}

static int cmp_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char *ps_labels(struct cli *c, const struct schema_pair *v, uint32_t n)
{
	AUTO(buf) struct buf out = BUF_INIT(4 << 20);
	const char **lines = NULL;
	uint32_t k = 0;

	for (uint32_t i = 0; i < n; i++)
		text_add(&c->arena, &lines, &k, cli_fmt(c, "%s=%s", v[i].key, v[i].value ? v[i].value : ""));
	if (k)
		qsort(lines, k, sizeof *lines, cmp_text);
	for (uint32_t i = 0; i < k; i++)
		buf_addf(&out, "%s%s", i ? "," : "", lines[i]);
	return arena_dup(&c->arena, buf_slice(&out));
}

static const char *networks_text(struct cli *c, const struct docker_container_summary *s)
{
	AUTO(buf) struct buf out = BUF_INIT(1 << 20);
	const char **names = NULL;
	uint32_t n = 0;

	for (uint32_t i = 0; s->network_settings && i < s->network_settings->n_networks; i++)
		text_add(&c->arena, &names, &n, s->network_settings->networks[i].key);
	if (n)
		qsort(names, n, sizeof *names, cmp_text);
	for (uint32_t i = 0; i < n; i++)
		buf_addf(&out, "%s%s", i ? "," : "", names[i]);
	return arena_dup(&c->arena, buf_slice(&out));
}

const char *ps_size(struct cli *c, int64_t rw, int64_t root)
{
	char a[HUMAN_MAX], b[HUMAN_MAX];

	human_size(a, (double)rw, 3);
	human_size(b, (double)root, 3);
	return root > 0 ? cli_fmt(c, "%s (virtual %s)", a, b) : cli_fmt(c, "%s", a);
}

static const char *go_quote(struct cli *c, const char *s)
{
	AUTO(buf) struct buf out = BUF_INIT(1 << 20);
	struct val v = val_str(s);

	val_json(&v, &out);
	return arena_dup(&c->arena, buf_slice(&out));
}

static const char *image_text(struct cli *c, const struct docker_container_summary *s, bool full)
{
	struct slice image = slice_of(s->image);
	const char *id = s->image_id ? s->image_id : "";

	if (!image.len)
		return "<no image>";
	if (full)
		return s->image;
	/* an image that is only an id is cut like one */
	if (strcmp(human_id(&c->arena, id), human_id(&c->arena, s->image)) == 0)
		return human_id(&c->arena, s->image);
	ptrdiff_t at = slice_find(image, '@');
	return at >= 0 ? arena_dup(&c->arena, slice_n(image.ptr, (size_t)at)) : s->image;
}

void ps_row(struct cli *c, const struct docker_container_summary *s, bool full, struct val_field fields[PS_FIELDS])
{
	char ago[HUMAN_MAX], created[64];

	human_ago(ago, cli_now(c), s->created * NS_PER_S);
	human_local_time(created, s->created * NS_PER_S);
	size_t k = 0;
#define FIELD(name, heading, value) fields[k++] = (struct val_field){ name, heading, val_str(value) }
	FIELD("ID", "CONTAINER ID", full ? s->id : human_id(&c->arena, s->id));
	FIELD("Image", "IMAGE", image_text(c, s, full));
	FIELD("Command", "COMMAND", go_quote(c, full || !s->command ? (s->command ? s->command : "") : human_cut(&c->arena, s->command, 20)));
	FIELD("CreatedAt", "CREATED AT", cli_fmt(c, "%s", created));
	FIELD("RunningFor", "CREATED", cli_fmt(c, "%s", ago));
	FIELD("Ports", "PORTS", ps_ports(c, s->ports, s->n_ports));
	FIELD("State", "STATE", s->state);
	FIELD("Status", "STATUS", s->status);
	FIELD("Size", "SIZE", ps_size(c, s->size_rw, s->size_root_fs));
	FIELD("Names", "NAMES", names_text(c, s, full));
	FIELD("Labels", "LABELS", ps_labels(c, s->labels, s->n_labels));
	FIELD("Mounts", "MOUNTS", mounts_text(c, s, full));
	FIELD("LocalVolumes", "LOCAL VOLUMES", cli_fmt(c, "%d", local_volumes(s)));
	FIELD("Networks", "NETWORKS", networks_text(c, s));
	fields[k++] = (struct val_field){ "Platform", "PLATFORM", { .kind = VAL_NIL } };
#undef FIELD
}

#define PS_TABLE "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}"

static int ask(struct cli *c, struct listing *l, struct docker_container_summaries *ret, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;
	int64_t last = flag_num(&c->f, "last");
	bool size = flag_bool(&c->f, "size") || listing_uses(l, ".Size");
	int r;

	buf_adds(&t.b, "/containers/json");
	if (flag_bool(&c->f, "latest") && last == -1)
		last = 1;
	if (flag_bool(&c->f, "all") || last > 0)
		target_add(&t, "all", "1");
	if (last > 0)
		target_add(&t, "limit", cli_fmt(c, "%lld", (long long)last));
	if (size && !flag_bool(&c->f, "quiet"))
		target_add(&t, "size", "1");
	if ((r = target_add_filters(c, &t, flag_list(&c->f, "filter"), e)) < 0)
		return r;
	return api_get_wait(c, t.b.ptr, T_docker_container_summaries, ret, e);
}

int cmd_ps(struct cli *c, struct err *e)
{
	static const struct docker_container_summary none;
	struct docker_container_summaries list = { 0 };
	struct val_field fields[PS_FIELDS];
	const char *format = flag_str(&c->f, "format"), *kept = config_get(c)->ps_format;
	bool full = flag_bool(&c->f, "no-trunc"), quiet = flag_bool(&c->f, "quiet");
	struct listing l;
	int r;

	if (!*format && kept && !quiet)
		format = kept;
	r = listing_begin(&l, c, format, quiet,
			  flag_bool(&c->f, "size") ? PS_TABLE "\t{{.Size}}" : PS_TABLE, "{{.ID}}", e);
	if (r < 0 || (r = ask(c, &l, &list, e)) < 0)
		return r;
	for (uint32_t i = 0; i < list.n_items && r >= 0; i++) {
		const struct docker_container_summary *s = &list.items[i];
		ps_row(c, s, full, fields);
		r = listing_row(&l, &(struct val_row){ .fields = fields, .n = PS_FIELDS, .labels = s->labels, .n_labels = s->n_labels }, e);
	}
	if (r < 0)
		return r;
	ps_row(c, &none, full, fields);
	return listing_end(&l, fields, PS_FIELDS, e);
}
