/* SPDX-License-Identifier: Apache-2.0 */
/* Commands on images but pull, push and build. */
#include <fcntl.h>
#include "base/clock.h"
#include "base/fd.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/format.h"
#include "cli/human.h"
#include "cli/image.h"
#include "cli/progress.h"
#include "cli/spec.h"
#include "cli/text.h"
#include "io/stream.h"

/* --- images --------------------------------------------------------------------- */

static struct slice repo_of(const char *ref)
{
	return spec_image(ref).repo;
}

size_t image_row(struct cli *c, const struct docker_image_summary *s, const char *repo, const char *tag, const char *digest, bool full,
		 struct val_field fields[IMAGE_FIELDS])
{
	char ago[HUMAN_MAX], created[64], size[HUMAN_MAX], shared[HUMAN_MAX] = "N/A", unique[HUMAN_MAX] = "N/A", virtual_size[HUMAN_MAX];
	size_t k = 0;

	human_ago(ago, cli_now(c), s->created * NS_PER_S);
	human_local_time(created, s->created * NS_PER_S);
	human_size(size, (double)s->size, 3);
	human_size(virtual_size, (double)s->size, 4);
	if (s->shared_size >= 0) {
		human_size(shared, (double)s->shared_size, 4);
		human_size(unique, (double)(s->size - s->shared_size), 4);
	}
#define FIELD(name, heading, value) fields[k++] = (struct val_field){ name, heading, val_str(value) }
	FIELD("Containers", "CONTAINERS", s->containers < 0 ? "N/A" : cli_fmt(c, "%lld", (long long)s->containers));
	FIELD("CreatedAt", "CREATED AT", cli_fmt(c, "%s", created));
	FIELD("CreatedSince", "CREATED", cli_fmt(c, "%s", ago));
	FIELD("Digest", "DIGEST", digest);
	FIELD("ID", "IMAGE ID", full ? s->id : human_id(&c->arena, s->id));
	FIELD("Repository", "REPOSITORY", repo);
	FIELD("SharedSize", "SHARED SIZE", cli_fmt(c, "%s", shared));
	FIELD("Size", "SIZE", cli_fmt(c, "%s", size));
	FIELD("Tag", "TAG", tag);
	FIELD("UniqueSize", "UNIQUE SIZE", cli_fmt(c, "%s", unique));
	FIELD("VirtualSize", "VIRTUAL SIZE", cli_fmt(c, "%s", virtual_size));
#undef FIELD
	return k;
}

static const char *digest_for(struct cli *c, const struct docker_image_summary *s, struct slice repo)
{
	for (uint32_t i = 0; i < s->n_repo_digests; i++)
		if (slice_eq(repo_of(s->repo_digests[i]), repo))
			return arena_dup(&c->arena, spec_image(s->repo_digests[i]).digest);
	return "<none>";
}

/* The names an image is listed under: *n of them, at least one. */
static int list_image(struct cli *c, struct listing *l, const struct docker_image_summary *s, bool full, struct err *e)
{
	struct val_field fields[IMAGE_FIELDS];
	int r = 0;
	bool any = false;

	for (uint32_t i = 0; i < s->n_repo_tags && r >= 0; i++) {
		struct image_name n = spec_image(s->repo_tags[i]);
		if (slice_is(n.repo, "<none>"))
			continue;
		any = true;
		image_row(c, s, arena_dup(&c->arena, n.repo), arena_dup(&c->arena, n.tag), digest_for(c, s, n.repo), full, fields);
		r = listing_row(l, &(struct val_row){ .fields = fields, .n = IMAGE_FIELDS }, e);
	}
	for (uint32_t i = 0; !any && i < s->n_repo_digests && r >= 0; i++) {
		struct image_name n = spec_image(s->repo_digests[i]);
		if (slice_is(n.repo, "<none>"))
			continue;
		any = true;
		image_row(c, s, arena_dup(&c->arena, n.repo), "<none>", arena_dup(&c->arena, n.digest), full, fields);
		r = listing_row(l, &(struct val_row){ .fields = fields, .n = IMAGE_FIELDS }, e);
	}
	if (!any && r >= 0) {
		image_row(c, s, "<none>", "<none>", "<none>", full, fields);
		r = listing_row(l, &(struct val_row){ .fields = fields, .n = IMAGE_FIELDS }, e);
	}
	return r;
}

static int ask_images(struct cli *c, struct docker_image_summaries *ret, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;
	struct flag_value filters = *flag_list(&c->f, "filter");
	const char **more = arena_array(&c->arena, filters.n + 1, sizeof *more);
	int r;

	if (!more)
		return err_nomem(e);
	for (size_t i = 0; i < filters.n; i++)
		more[i] = filters.v[i];
	if (cli_arg(c, 0))
		more[filters.n++] = cli_fmt(c, "reference=%s", cli_arg(c, 0));
	filters.v = more;
	buf_adds(&t.b, "/images/json");
	if (flag_bool(&c->f, "all"))
		target_add(&t, "all", "1");
	if ((r = target_add_filters(c, &t, &filters, e)) < 0)
		return r;
	return api_get_wait(c, t.b.ptr, T_docker_image_summaries, ret, e);
}

int cmd_images(struct cli *c, struct err *e)
{
	static const struct docker_image_summary none;
	struct docker_image_summaries list = { 0 };
	struct val_field heads[IMAGE_FIELDS];
	const char *format = flag_str(&c->f, "format"), *kept = config_get(c)->images_format, *last = NULL;
	bool full = flag_bool(&c->f, "no-trunc"), quiet = flag_bool(&c->f, "quiet");
	struct listing l;
	int r;

	if (!*format && kept && !quiet)
		format = kept;
	r = listing_begin(&l, c, format, quiet,
			  flag_bool(&c->f, "digests") ?
				  "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}" :
				  "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}",
			  "{{.ID}}", e);
	if (r < 0 || (r = ask_images(c, &list, e)) < 0)
		return r;
	for (uint32_t i = 0; i < list.n_items && r >= 0; i++)
		r = list_image(c, &l, &list.items[i], full, e);
	(void)last;
	if (r < 0)
		return r;
	image_row(c, &none, "", "", "", full, heads);
	return listing_end(&l, heads, IMAGE_FIELDS, e);
}

/* --- history -------------------------------------------------------------------- */

static void history_row(struct cli *c, const struct docker_image_history *h, bool full, bool human, struct val_field f[6])
{
	char ago[HUMAN_MAX], stamp[CLOCK_TEXT_MAX], size[HUMAN_MAX];
	const char *by = h->created_by ? h->created_by : "";
	char *flat = arena_strdup(&c->arena, by);
	size_t k = 0;

	human_ago(ago, cli_now(c), h->created * NS_PER_S);
	clock_rfc3339(stamp, h->created * NS_PER_S);
	human_size(size, (double)h->size, 3);
	for (char *p = flat; p && *p; p++)
		if (*p == '\t')
			*p = ' ';
	if (!full)
		flat = (char *)human_cut(&c->arena, flat, 45);
#define FIELD(name, heading, value) f[k++] = (struct val_field){ name, heading, val_str(value) }
	FIELD("ID", "IMAGE", full ? h->id : human_id(&c->arena, h->id));
	FIELD("CreatedAt", "CREATED AT", cli_fmt(c, "%s", stamp));
	FIELD("CreatedSince", "CREATED", human ? cli_fmt(c, "%s", h->created <= -62135596800LL ? "N/A" : ago) : cli_fmt(c, "%s", stamp));
	FIELD("CreatedBy", "CREATED BY", flat);
	FIELD("Size", "SIZE", human ? cli_fmt(c, "%s", size) : cli_fmt(c, "%lld", (long long)h->size));
	FIELD("Comment", "COMMENT", h->comment);
#undef FIELD
}

int cmd_history(struct cli *c, struct err *e)
{
	static const struct docker_image_history none;
	struct docker_image_histories list = { 0 };
	bool full = flag_bool(&c->f, "no-trunc"), human = flag_bool(&c->f, "human");
	struct val_field f[6];
	struct listing l;
	int r = listing_begin(&l, c, flag_str(&c->f, "format"), flag_bool(&c->f, "quiet"),
			      human ? "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}" :
				      "{{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
			      "{{.ID}}", e);

	if (r < 0 ||
	    (r = api_get_wait(c, cli_fmt(c, "/images/%s/history", api_esc(c, cli_arg(c, 0))), T_docker_image_histories, &list, e)) < 0)
		return r;
	for (uint32_t i = 0; i < list.n_items && r >= 0; i++) {
		history_row(c, &list.items[i], full, human, f);
		r = listing_row(&l, &(struct val_row){ .fields = f, .n = 6 }, e);
	}
	history_row(c, &none, full, human, f);
	return r < 0 ? r : listing_end(&l, f, 6, e);
}

/* --- rmi, tag, prune ------------------------------------------------------------ */

int cmd_rmi(struct cli *c, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;
	int failed = 0;
	bool force = flag_bool(&c->f, "force");

	if (force)
		target_add(&t, "force", "1");
	if (flag_bool(&c->f, "no-prune"))
		target_add(&t, "noprune", "1");
	for (int i = 0; i < c->f.argc; i++) {
		struct docker_images_deleted gone = { 0 };
		struct err why = { 0 };
		int r = api_json_wait(c, "DELETE", cli_fmt(c, "/images/%s%s", api_esc(c, cli_arg(c, i)), t.b.ptr), T_docker_images_deleted, NULL,
				      T_docker_images_deleted, &gone, &why);
		if (r < 0) {
			cli_failed(c, &why);
			failed |= !(r == -ENOENT && force);
			continue;
		}
		for (uint32_t k = 0; k < gone.n_items; k++) {
			if (gone.items[k].deleted && *gone.items[k].deleted)
				cli_print(c, "Deleted: %s\n", gone.items[k].deleted);
			else
				cli_print(c, "Untagged: %s\n", gone.items[k].untagged ? gone.items[k].untagged : "");
		}
		cli_flush(c);
	}
	return failed;
}

int cmd_tag(struct cli *c, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;
	const char *to = cli_arg(c, 1);
	struct image_name n = spec_image(to);

	if (!spec_reference_ok(to))
		return err_set(e, EINVAL, "Error parsing reference: \"%s\" is not a valid repository/tag: %s", to,
			       spec_reference_error(&c->arena, to));
	if (n.digest.len)
		return err_set(e, EINVAL, "refusing to create a tag with a digest reference");
	buf_addf(&t.b, "/images/%s/tag", api_esc(c, cli_arg(c, 0)));
	target_add(&t, "repo", spec_full_repo(&c->arena, n.repo));
	target_add(&t, "tag", n.tag.len ? arena_dup(&c->arena, n.tag) : "latest");
	return api_do_wait(c, "POST", t.b.ptr, e);
}

/* --- save, load, import --------------------------------------------------------- */

int cmd_save(struct cli *c, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;
	struct http_call call = { .method = "GET" };
	const char *path = flag_str(&c->f, "output");
	AUTO(close) int file = -1;
	int r;

	if (!*path && isatty(1))
		return err_set(e, EINVAL, "cowardly refusing to save to a terminal. Use the -o flag or redirect");
	buf_adds(&t.b, "/images/get");
	for (int i = 0; i < c->f.argc; i++)
		target_add(&t, "names", cli_arg(c, i));
	call.target = t.b.ptr;
	if ((r = api_open_wait(c, &call, e)) < 0)
		return r;
	if (*path && (file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) < 0)
		r = err_sys(e, errno, "failed to save image: open %s", path);
	else
		r = api_copy_wait(c, &call, *path ? file : 1, e);
	http_call_release(&call);
	return r;
}

int cmd_load(struct cli *c, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;
	const char *path = flag_str(&c->f, "input");
	struct http_call call = { .method = "POST", .body_length = -1 };
	bool quiet = flag_bool(&c->f, "quiet") || !isatty(1);
	struct cli_progress p;
	int fd = 0, r;

	if (*path && (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return err_set(e, errno, "open %s: %s", path, errno == ENOENT ? "no such file or directory" : strerror(errno));
	if (!*path && isatty(0))
		return err_set(e, EINVAL, "requested load from stdin, but stdin is empty");
	if ((r = image_input_stream(c, fd, &call.body_stream, e)) < 0)
		return r;
	buf_adds(&t.b, "/images/load");
	target_add(&t, "quiet", quiet ? "1" : "0");
	call.target = t.b.ptr;
	call_header(c, &call, "Content-Type", "application/x-tar");
	if ((r = api_open_wait(c, &call, e)) < 0)
		return r;
	cli_progress_init(&p, c, 1);
	if (slice_starts(http_header_get(&call.reply_headers, "Content-Type"), "application/json"))
		r = cli_progress_copy_wait(&p, &call, e);
	else
		r = api_copy_wait(c, &call, 1, e);
	http_call_release(&call);
	return r;
}

int cmd_import(struct cli *c, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;
	const char *from = cli_arg(c, 0), *to = cli_arg(c, 1);
	const struct flag_value *changes = flag_list(&c->f, "change");
	struct http_call call = { .method = "POST", .body_length = -1 };
	bool remote = strstr(from, "://") != NULL;
	struct cli_progress p;
	int fd = 0, r;

	if (to && !spec_reference_ok(to))
		return err_set(e, EINVAL, "%s", spec_reference_error(&c->arena, to));
	if (!remote && strcmp(from, "-") != 0 && (fd = open(from, O_RDONLY | O_CLOEXEC)) < 0)
		return err_set(e, errno, "open %s: %s", from, errno == ENOENT ? "no such file or directory" : strerror(errno));
	buf_adds(&t.b, "/images/create");
	for (size_t i = 0; i < changes->n; i++)
		target_add(&t, "changes", changes->v[i]);
	target_add(&t, "fromSrc", remote ? from : "-");
	target_add(&t, "message", flag_str(&c->f, "message"));
	if (*flag_str(&c->f, "platform"))
		target_add(&t, "platform", flag_str(&c->f, "platform"));
	target_add(&t, "repo", to ? to : "");
	call.target = t.b.ptr;
	if (!remote && (r = image_input_stream(c, fd, &call.body_stream, e)) < 0)
		return r;
	if ((r = api_open_wait(c, &call, e)) < 0)
		return r;
	cli_progress_init(&p, c, 1);
	r = cli_progress_copy_wait(&p, &call, e);
	http_call_release(&call);
	return r;
}

int cmd_search(struct cli *c, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;
	struct docker_search_results list = { 0 };
	struct val_field f[4] = { { "Name", "NAME" }, { "Description", "DESCRIPTION" }, { "StarCount", "STARS" }, { "IsOfficial", "OFFICIAL" } };
	struct listing l;
	int r = listing_begin(&l, c, flag_str(&c->f, "format"), false, "{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}", NULL, e);

	buf_adds(&t.b, "/images/search");
	target_add(&t, "term", cli_arg(c, 0));
	if (flag_changed(&c->f, "limit"))
		target_add(&t, "limit", flag_str(&c->f, "limit"));
	if (r < 0 || (r = target_add_filters(c, &t, flag_list(&c->f, "filter"), e)) < 0 ||
	    (r = api_get_wait(c, t.b.ptr, T_docker_search_results, &list, e)) < 0)
		return r;
	for (uint32_t i = 0; i < list.n_items && r >= 0; i++) {
		const struct docker_search_result *s = &list.items[i];
		f[0].v = val_str(s->name);
		f[1].v = val_str(flag_bool(&c->f, "no-trunc") ? s->description : human_cut(&c->arena, s->description ? s->description : "", 45));
		f[2].v = val_str(cli_fmt(c, "%lld", (long long)s->star_count));
		f[3].v = val_str(s->is_official ? "[OK]" : "");
		r = listing_row(&l, &(struct val_row){ .fields = f, .n = 4 }, e);
	}
	return r < 0 ? r : listing_end(&l, f, 4, e);
}
