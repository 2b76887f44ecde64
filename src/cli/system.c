/* SPDX-License-Identifier: Apache-2.0 */
/* version, info, prune, df. */
#include <sys/utsname.h>
#include "base/clock.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/docker.h"
#include "cli/format.h"
#include "cli/human.h"
#include "cli/image.h"
#include "cli/ps.h"
#include "cli/spec.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/volume.h"
#include "schema/tree.h"

static const char *architecture(void)
{
#if defined(__x86_64__)
	return "amd64";
#elif defined(__aarch64__)
	return "arm64";
#else
	return "unknown";
#endif
}

static void set_text(struct cli *c, struct tree *map, const char *key, const char *value)
{
	tree_set(&c->arena, map, slice_of(key), tree_string(slice_of(value)));
}

static struct slice text_at(const struct tree *t, const char *path)
{
	return tree_text(tree_path(t, path));
}

/* --- version -------------------------------------------------------------------- */

static void client_tree(struct cli *c, struct tree *t)
{
	*t = tree_map();
	set_text(c, t, "Version", DOCKER_CLI_VERSION);
	set_text(c, t, "ApiVersion", c->connection && *c->connection->version ? c->connection->version : DOCKER_CLI_API);
	set_text(c, t, "DefaultAPIVersion", DOCKER_CLI_API);
	set_text(c, t, "GitCommit", DOCKER_CLI_COMMIT);
	set_text(c, t, "GoVersion", "none");
	set_text(c, t, "Os", "linux");
	set_text(c, t, "Arch", architecture());
	set_text(c, t, "BuildTime", "");
	set_text(c, t, "Context", context_current(c));
}

#define LINE(text, label, s) buf_addf(text, " %s:\t%.*s\n", label, SLICE_FMT(s))

static void print_component(struct buf *text, const struct tree *t)
{
	const struct tree *details = tree_gets(t, "Details");
	bool engine = slice_is(text_at(t, "Name"), "Engine");

	buf_addf(text, " %.*s:\n", SLICE_FMT(text_at(t, "Name")));
	buf_addf(text, "  Version:\t%.*s\n", SLICE_FMT(text_at(t, "Version")));
	if (engine) {
		buf_addf(text, "  API version:\t%.*s (minimum version %.*s)\n", SLICE_FMT(text_at(details, "ApiVersion")),
			 SLICE_FMT(text_at(details, "MinAPIVersion")));
		buf_addf(text, "  Go version:\t%.*s\n", SLICE_FMT(text_at(details, "GoVersion")));
	}
	if (engine || tree_gets(details, "GitCommit"))
		buf_addf(text, engine ? "  Git commit:\t%.*s\n" : "  GitCommit:\t%.*s\n", SLICE_FMT(text_at(details, "GitCommit")));
	if (engine) {
		buf_addf(text, "  Built:\t%.*s\n", SLICE_FMT(text_at(details, "BuildTime")));
		buf_addf(text, "  OS/Arch:\t%.*s/%.*s\n", SLICE_FMT(text_at(details, "Os")), SLICE_FMT(text_at(details, "Arch")));
		buf_addf(text, "  Experimental:\t%.*s\n", SLICE_FMT(text_at(details, "Experimental")));
	}
}

static void print_version(struct cli *c, const struct tree *client, const struct tree *server)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);
	struct slice api = text_at(client, "ApiVersion"), most = text_at(client, "DefaultAPIVersion");
	const struct tree *parts = tree_gets(server, "Components");

	buf_adds(&text, "Client:\n");
	LINE(&text, "Version", text_at(client, "Version"));
	buf_addf(&text, " API version:\t%.*s", SLICE_FMT(api));
	if (!slice_eq(api, most))
		buf_addf(&text, " (downgraded from %.*s)", SLICE_FMT(most));
	buf_adds(&text, "\n");
	LINE(&text, "Go version", text_at(client, "GoVersion"));
	LINE(&text, "Git commit", text_at(client, "GitCommit"));
	LINE(&text, "Built", text_at(client, "BuildTime"));
	buf_addf(&text, " OS/Arch:\tlinux/%s\n", architecture());
	LINE(&text, "Context", text_at(client, "Context"));
	if (server) {
		struct slice name = text_at(server, "Platform.Name");
		buf_addf(&text, "\nServer:%s%.*s\n", name.len ? " " : "", SLICE_FMT(name));
		for (uint32_t i = 0; parts && parts->type == TREE_LIST && i < parts->n; i++)
			print_component(&text, &parts->items[i]);
	}
	table_layout(buf_slice(&text), 20, 1, &c->out);
}

int cmd_version(struct cli *c, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(4 << 20);
	const char *format = flag_str(&c->f, "format");
	struct tree all = tree_map(), client, server;
	struct err why = { 0 };
	int r = api_text_wait(c, "GET", "/version", &text, &why), shown = 0;
	bool has = r == 0 && (r = tree_from_json(buf_slice(&text), 0, &c->arena, &server, &why)) == 0;

	client_tree(c, &client);
	tree_set(&c->arena, &all, SLICE("Client"), client);
	tree_set(&c->arena, &all, SLICE("Server"), has ? server : tree_null());
	if (*format) {
		struct val dot = val_tree(&all);
		shown = format_value(c, format, &dot, e);
	} else {
		print_version(c, &client, has ? &server : NULL);
	}
	if (has || shown < 0)
		return shown;
	cli_flush(c);
	return err_set(e, why.code, "%s", why.text);
}

/* --- info ----------------------------------------------------------------------- */

static void info_line(struct cli *c, const struct tree *t, const char *label, const char *path)
{
	const struct tree *v = tree_path(t, path);
	struct val x = val_tree(v);

	cli_print(c, " %s: ", label);
	if (v)
		val_print(&x, &c->out);
	cli_print(c, "\n");
}

static void info_names(struct cli *c, const char *label, const struct tree *list)
{
	cli_print(c, "  %s:", label);
	for (uint32_t i = 0; list && list->type == TREE_LIST && i < list->n; i++)
		cli_print(c, " %.*s", SLICE_FMT(tree_text(&list->items[i])));
	cli_print(c, "\n");
}

static void info_runtimes(struct cli *c, const struct tree *t)
{
	const struct tree *runtimes = tree_gets(t, "Runtimes");

	cli_print(c, " Runtimes:");
	for (uint32_t i = 0; runtimes && runtimes->type == TREE_MAP && i < runtimes->n; i++)
		cli_print(c, " %.*s", (int)runtimes->members[i].key_len, runtimes->members[i].key);
	cli_print(c, "\n");
	info_line(c, t, "Default Runtime", "DefaultRuntime");
}

static void info_security(struct cli *c, const struct tree *t)
{
	const struct tree *list = tree_gets(t, "SecurityOptions");

	if (!list || list->type != TREE_LIST || !list->n)
		return;
	cli_print(c, " Security Options:\n");
	for (uint32_t i = 0; i < list->n; i++) {
		struct slice rest = tree_text(&list->items[i]), piece, key, value;
		while (slice_next(&rest, ',', &piece)) {
			slice_cut(piece, '=', &key, &value);
			if (slice_is(key, "name"))
				cli_print(c, "  %.*s\n", SLICE_FMT(value));
			else
				cli_print(c, "   %c%.*s: %.*s\n", key.ptr[0] - ('a' - 'A'), (int)key.len - 1, key.ptr + 1, SLICE_FMT(value));
		}
	}
}

static void info_registries(struct cli *c, const struct tree *t)
{
	const struct tree *cidrs = tree_path(t, "RegistryConfig.InsecureRegistryCIDRs"), *index = tree_path(t, "RegistryConfig.IndexConfigs"),
			  *mirrors = tree_path(t, "RegistryConfig.Mirrors");

	if ((cidrs && cidrs->n) || (index && index->n)) {
		cli_print(c, " Insecure Registries:\n");
		for (uint32_t i = 0; index && index->type == TREE_MAP && i < index->n; i++)
			if (!tree_is_true(tree_gets(&index->members[i].value, "Secure")))
				cli_print(c, "  %.*s\n", (int)index->members[i].key_len, index->members[i].key);
		for (uint32_t i = 0; cidrs && cidrs->type == TREE_LIST && i < cidrs->n; i++)
			cli_print(c, "  %.*s\n", SLICE_FMT(tree_text(&cidrs->items[i])));
	}
	if (mirrors && mirrors->type == TREE_LIST && mirrors->n) {
		cli_print(c, " Registry Mirrors:\n");
		for (uint32_t i = 0; i < mirrors->n; i++)
			cli_print(c, "  %.*s\n", SLICE_FMT(tree_text(&mirrors->items[i])));
	}
}

static void info_server(struct cli *c, const struct tree *t)
{
	const struct tree *status = tree_gets(t, "DriverStatus"), *warnings = tree_gets(t, "Warnings");
	char memory[HUMAN_MAX];
	int64_t bytes = 0;

	info_line(c, t, "Containers", "Containers");
	info_line(c, t, " Running", "ContainersRunning");
	info_line(c, t, " Paused", "ContainersPaused");
	info_line(c, t, " Stopped", "ContainersStopped");
	info_line(c, t, "Images", "Images");
	info_line(c, t, "Server Version", "ServerVersion");
	info_line(c, t, "Storage Driver", "Driver");
	for (uint32_t i = 0; status && status->type == TREE_LIST && i < status->n; i++)
		cli_print(c, "  %.*s: %.*s\n", SLICE_FMT(tree_text(tree_at(&status->items[i], 0))),
			  SLICE_FMT(tree_text(tree_at(&status->items[i], 1))));
	info_line(c, t, "Logging Driver", "LoggingDriver");
	info_line(c, t, "Cgroup Driver", "CgroupDriver");
	info_line(c, t, "Cgroup Version", "CgroupVersion");
	cli_print(c, " Plugins:\n");
	info_names(c, "Volume", tree_path(t, "Plugins.Volume"));
	info_names(c, "Network", tree_path(t, "Plugins.Network"));
	info_names(c, "Log", tree_path(t, "Plugins.Log"));
	info_line(c, t, "Swarm", "Swarm.LocalNodeState");
	info_runtimes(c, t);
	info_line(c, t, "Init Binary", "InitBinary");
	info_line(c, t, "containerd version", "ContainerdCommit.ID");
	info_line(c, t, "runc version", "RuncCommit.ID");
	info_line(c, t, "init version", "InitCommit.ID");
	info_security(c, t);
	info_line(c, t, "Kernel Version", "KernelVersion");
	info_line(c, t, "Operating System", "OperatingSystem");
	info_line(c, t, "OSType", "OSType");
	info_line(c, t, "Architecture", "Architecture");
	info_line(c, t, "CPUs", "NCPU");
	tree_i64(tree_gets(t, "MemTotal"), &bytes);
	human_binary_size(memory, (double)bytes);
	cli_print(c, " Total Memory: %s\n", memory);
	info_line(c, t, "Name", "Name");
	info_line(c, t, "ID", "ID");
	info_line(c, t, "Docker Root Dir", "DockerRootDir");
	info_line(c, t, "Debug Mode", "Debug");
	info_line(c, t, "Experimental", "ExperimentalBuild");
	info_registries(c, t);
	info_line(c, t, "Live Restore Enabled", "LiveRestoreEnabled");
	cli_print(c, "\n");
	for (uint32_t i = 0; warnings && warnings->type == TREE_LIST && i < warnings->n; i++)
		cli_warn(c, "%.*s", SLICE_FMT(tree_text(&warnings->items[i])));
}

int cmd_info(struct cli *c, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(4 << 20);
	const char *format = flag_str(&c->f, "format");
	struct err why = { 0 };
	struct tree t, client;
	int r = api_text_wait(c, "GET", "/info", &text, &why);

	if (r == 0)
		r = tree_from_json(buf_slice(&text), 0, &c->arena, &t, &why);
	if (*format) {
		if (r < 0)
			return err_set(e, -r, "%s", why.text);
		client_tree(c, &client);
		tree_set(&c->arena, &t, SLICE("ClientInfo"), client);
		struct val dot = val_tree(&t);
		return format_value(c, format, &dot, e);
	}
	cli_print(c, "Client:\n Version:    %s\n Context:    %s\n Debug Mode: %s\n\nServer:\n", DOCKER_CLI_VERSION, context_current(c),
		  flag_bool(&c->globals, "debug") ? "true" : "false");
	if (r < 0) {
		c->long_error = NULL;
		cli_flush(c);
		return err_set(e, -r, "%s", why.text);
	}
	info_server(c, &t);
	return 0;
}

/* --- prune ---------------------------------------------------------------------- */

struct pruned { uint64_t bytes; bool said; };

static void say_list(struct cli *c, struct pruned *p, const char *head, const char *const *v, uint32_t n)
{
	if (!n)
		return;
	cli_print(c, "%s\n", head);
	for (uint32_t i = 0; i < n; i++)
		cli_print(c, "%s\n", v[i]);
	cli_print(c, "\n");
}

static int prune_target(struct cli *c, struct target *t, const char *path, const char *more, struct err *e)
{
	const struct flag_value *given = flag_list(&c->f, "filter");
	struct docker_cli_config *conf = config_get(c);
	struct flag_value all = { .v = arena_array(&c->arena, given->n + conf->n_prune_filters + 1, sizeof(char *)) };

	if (!all.v)
		return err_nomem(e);
	for (uint32_t i = 0; i < conf->n_prune_filters; i++)
		all.v[all.n++] = conf->prune_filters[i];
	for (size_t i = 0; i < given->n; i++)
		all.v[all.n++] = given->v[i];
	if (more)
		all.v[all.n++] = more;
	buf_adds(&t->b, path);
	return target_add_filters(c, t, &all, e);
}

static int prune_containers(struct cli *c, struct pruned *p, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;
	struct docker_containers_pruned x = { 0 };
	int r = prune_target(c, &t, "/containers/prune", NULL, e);

	if (r < 0 || (r = api_json_wait(c, "POST", t.b.ptr, T_docker_id, NULL, T_docker_containers_pruned, &x, e)) < 0)
		return r;
	say_list(c, p, "Deleted Containers:", x.containers_deleted, x.n_containers_deleted);
	p->bytes += x.space_reclaimed;
	return 0;
}

static int prune_networks(struct cli *c, struct pruned *p, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;
	struct docker_networks_pruned x = { 0 };
	int r = prune_target(c, &t, "/networks/prune", NULL, e);

	if (r < 0 || (r = api_json_wait(c, "POST", t.b.ptr, T_docker_id, NULL, T_docker_networks_pruned, &x, e)) < 0)
		return r;
	say_list(c, p, "Deleted Networks:", x.networks_deleted, x.n_networks_deleted);
	return 0;
}

static int prune_volumes(struct cli *c, struct pruned *p, bool all, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;
	struct docker_volumes_pruned x = { 0 };
	int r = prune_target(c, &t, "/volumes/prune", all ? "all=true" : NULL, e);

	if (r < 0 || (r = api_json_wait(c, "POST", t.b.ptr, T_docker_id, NULL, T_docker_volumes_pruned, &x, e)) < 0)
		return r;
	say_list(c, p, "Deleted Volumes:", x.volumes_deleted, x.n_volumes_deleted);
	p->bytes += x.space_reclaimed;
	return 0;
}

static int prune_images(struct cli *c, struct pruned *p, bool all, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;
	struct docker_images_pruned x = { 0 };
	int r = prune_target(c, &t, "/images/prune", all ? "dangling=false" : "dangling=true", e);

	if (r < 0 || (r = api_json_wait(c, "POST", t.b.ptr, T_docker_id, NULL, T_docker_images_pruned, &x, e)) < 0)
		return r;
	if (x.n_images_deleted) {
		cli_print(c, "Deleted Images:\n");
		for (uint32_t i = 0; i < x.n_images_deleted; i++)
			if (x.images_deleted[i].untagged && *x.images_deleted[i].untagged)
				cli_print(c, "untagged: %s\n", x.images_deleted[i].untagged);
			else
				cli_print(c, "deleted: %s\n", x.images_deleted[i].deleted);
		cli_print(c, "\n");
	}
	p->bytes += x.space_reclaimed;
	return 0;
}

static int prune_builds(struct cli *c, struct pruned *p, bool all, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;
	struct docker_build_pruned x = { 0 };
	int r = prune_target(c, &t, "/build/prune", NULL, e);

	if (r < 0)
		return r;
	if (all)
		target_add(&t, "all", "1");
	if (flag_known(&c->f, "keep-storage") && flag_changed(&c->f, "keep-storage"))
		target_add(&t, "keep-storage", cli_fmt(c, "%lld", (long long)flag_num(&c->f, "keep-storage")));
	if ((r = api_json_wait(c, "POST", t.b.ptr, T_docker_id, NULL, T_docker_build_pruned, &x, e)) < 0)
		return r;
	say_list(c, p, "Deleted build cache objects:", x.caches_deleted, x.n_caches_deleted);
	p->bytes += x.space_reclaimed;
	return 0;
}

static bool asked(struct cli *c, const char *warning)
{
	return flag_bool(&c->f, "force") || cli_confirm(c, cli_fmt(c, "WARNING! %s\nAre you sure you want to continue?", warning));
}

static int say_total(struct cli *c, const struct pruned *p, const char *text)
{
	char size[HUMAN_MAX];

	human_size(size, (double)p->bytes, 4);
	cli_print(c, "%s%s\n", text, size);
	return 0;
}

int cmd_container_prune(struct cli *c, struct err *e)
{
	struct pruned p = { 0 };
	if (!asked(c, "This will remove all stopped containers."))
		return 1;
	int r = prune_containers(c, &p, e);
	return r < 0 ? r : say_total(c, &p, "Total reclaimed space: ");
}

int cmd_image_prune(struct cli *c, struct err *e)
{
	struct pruned p = { 0 };
	bool all = flag_bool(&c->f, "all");
	if (!asked(c, all ? "This will remove all images without at least one container associated to them." : "This will remove all dangling images."))
		return 1;
	int r = prune_images(c, &p, all, e);
	return r < 0 ? r : say_total(c, &p, "Total reclaimed space: ");
}

int cmd_network_prune(struct cli *c, struct err *e)
{
	struct pruned p = { 0 };
	if (!asked(c, "This will remove all custom networks not used by at least one container."))
		return 1;
	return prune_networks(c, &p, e);
}

int cmd_volume_prune(struct cli *c, struct err *e)
{
	struct pruned p = { 0 };
	bool all = flag_bool(&c->f, "all");
	if (!asked(c, all ? "This will remove all local volumes not used by at least one container." :
			    "This will remove anonymous local volumes not used by at least one container."))
		return 1;
	int r = prune_volumes(c, &p, all, e);
	return r < 0 ? r : say_total(c, &p, "Total reclaimed space: ");
}

int cmd_builder_prune(struct cli *c, struct err *e)
{
	struct pruned p = { 0 };
	bool all = flag_bool(&c->f, "all");
	if (!asked(c, all ? "This will remove all build cache." : "This will remove all dangling build cache."))
		return 1;
	int r = prune_builds(c, &p, all, e);
	return r < 0 ? r : say_total(c, &p, "Total reclaimed space: ");
}

int cmd_system_prune(struct cli *c, struct err *e)
{
	struct pruned p = { 0 };
	bool all = flag_bool(&c->f, "all"), volumes = flag_bool(&c->f, "volumes");
	const char *warning = cli_fmt(c, "This will remove:\n  - all stopped containers\n  - all networks not used by at least one container\n%s%s  - %s\n",
				      volumes ? "  - all anonymous volumes not used by at least one container\n" : "",
				      all ? "  - all images without at least one container associated to them\n" : "  - all dangling images\n",
				      all ? "all build cache" : "unused build cache");
	int r;

	if (!asked(c, warning))
		return 1;
	if ((r = prune_containers(c, &p, e)) < 0 || (r = prune_networks(c, &p, e)) < 0 || (volumes && (r = prune_volumes(c, &p, false, e)) < 0) ||
	    (r = prune_images(c, &p, all, e)) < 0 || (r = prune_builds(c, &p, all, e)) < 0)
		return r;
	return say_total(c, &p, "Total reclaimed space: ");
}
