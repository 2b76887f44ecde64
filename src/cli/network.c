/* SPDX-License-Identifier: Apache-2.0 */
/* Commands on networks. */
#include <arpa/inet.h>
#include "base/clock.h"
#include "base/num.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/format.h"
#include "cli/human.h"
#include "cli/ps.h"
#include "cli/spec.h"
#include "cli/text.h"

/* --- create --------------------------------------------------------------------- */

struct subnet { unsigned char net[16]; int family, bits; };

static int parse_subnet(const char *text, struct subnet *s)
{
	struct slice address, bits;
	char plain[64];
	int64_t n;

	if (!slice_cut(slice_of(text), '/', &address, &bits) || !fmt_into(plain, sizeof plain, "%.*s", SLICE_FMT(address)))
		return -EINVAL;
	s->family = strchr(plain, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(s->family, plain, s->net) != 1 || num_parse_i64(bits, 0, s->family == AF_INET ? 32 : 128, &n) < 0)
		return -EINVAL;
	s->bits = (int)n;
	return 0;
}

static bool inside(const struct subnet *s, const char *text)
{
	struct slice address, rest;
	char plain[64];
	unsigned char raw[16];
	int left = s->bits;

	slice_cut(slice_of(text), '/', &address, &rest);
	fmt_into(plain, sizeof plain, "%.*s", SLICE_FMT(address));
	if (!s->family || inet_pton(s->family, plain, raw) != 1)
		return false;
	for (int i = 0; left > 0; i++, left -= 8) {
		unsigned char mask = left >= 8 ? 0xff : (unsigned char)(0xff00 >> left);
		if ((raw[i] & mask) != (s->net[i] & mask))
			return false;
	}
	return true;
}

/* Index of the subnet that holds the address, or -1. */
static int holder(const struct subnet *v, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (inside(&v[i], text))
			return (int)i;
	return -1;
}

static int fill_ipam(struct cli *c, struct docker_ipam *ipam, struct err *e)
{
	const struct flag_value *subnets = flag_list(&c->f, "subnet"), *ranges = flag_list(&c->f, "ip-range"), *gateways = flag_list(&c->f, "gateway"),
				*aux = flag_list(&c->f, "aux-address"), *opts = flag_list(&c->f, "ipam-opt");
	struct subnet *nets = arena_array(&c->arena, subnets->n + 1, sizeof *nets);
	int at;

	if (subnets->n < ranges->n || subnets->n < gateways->n)
		return err_set(e, EINVAL, "every ip-range or gateway must have a corresponding subnet");
	ipam->driver = flag_str(&c->f, "ipam-driver");
	ipam->config = arena_array(&c->arena, subnets->n + 1, sizeof *ipam->config);
	if (!nets || !ipam->config)
		return err_nomem(e);
	for (size_t i = 0; i < opts->n; i++)
		pair_add(&c->arena, &ipam->options, &ipam->n_options, opts->v[i]);
	for (size_t i = 0; i < subnets->n; i++) {
		/* the engine judges what is no subnet at all */
		if (parse_subnet(subnets->v[i], &nets[i]) < 0)
			nets[i].family = 0;
		for (size_t k = 0; k < i; k++)
			if (nets[i].family && nets[k].family == nets[i].family && (inside(&nets[k], subnets->v[i]) || inside(&nets[i], subnets->v[k])))
				return err_set(e, EINVAL, "multiple overlapping subnet configuration is not supported");
		ipam->config[ipam->n_config++].subnet = subnets->v[i];
	}
	for (size_t i = 0; i < ranges->n; i++) {
		if ((at = holder(nets, subnets->n, ranges->v[i])) < 0)
			return err_set(e, EINVAL, "no matching subnet for range %s", ranges->v[i]);
		if (ipam->config[at].ip_range)
			return err_set(e, EINVAL, "cannot configure multiple ranges (%s, %s) on the same subnet (%s)", ranges->v[i],
				       ipam->config[at].ip_range, subnets->v[at]);
		ipam->config[at].ip_range = ranges->v[i];
	}
	for (size_t i = 0; i < gateways->n; i++) {
		if ((at = holder(nets, subnets->n, gateways->v[i])) < 0)
			return err_set(e, EINVAL, "no matching subnet for gateway %s", gateways->v[i]);
		if (ipam->config[at].gateway)
			return err_set(e, EINVAL, "cannot configure multiple gateways (%s, %s) for the same subnet (%s)", gateways->v[i],
				       ipam->config[at].gateway, subnets->v[at]);
		ipam->config[at].gateway = gateways->v[i];
	}
	for (size_t i = 0; i < aux->n; i++) {
		const char *eq = strchr(aux->v[i], '=');
		if (!eq || (at = holder(nets, subnets->n, eq + 1)) < 0)
			return err_set(e, EINVAL, "no matching subnet for aux-address %s", eq ? eq + 1 : aux->v[i]);
		pair_add(&c->arena, &ipam->config[at].auxiliary_addresses, &ipam->config[at].n_auxiliary_addresses, aux->v[i]);
	}
	return 0;
}

static bool *bool_flag(struct cli *c, const char *name)
{
	bool *b = flag_changed(&c->f, name) ? arena_new(&c->arena, bool) : NULL;
	if (b)
		*b = flag_bool(&c->f, name);
	return b;
}

int cmd_network_create(struct cli *c, struct err *e)
{
	struct docker_ipam ipam = { 0 };
	struct docker_network_config_from from = { flag_str(&c->f, "config-from") };
	struct docker_network_create x = { .name = cli_arg(c, 0), .ipam = &ipam };
	const struct flag_value *opts = flag_list(&c->f, "opt"), *labels = flag_list(&c->f, "label");
	struct docker_network_created done = { 0 };
	int r = fill_ipam(c, &ipam, e);

	if (r < 0)
		return r;
	x.driver = flag_str(&c->f, "driver");
	x.scope = flag_str(&c->f, "scope");
	x.enable_ipv4 = bool_flag(c, "ipv4");
	x.enable_ipv6 = bool_flag(c, "ipv6");
	x.internal = flag_bool(&c->f, "internal");
	x.attachable = flag_bool(&c->f, "attachable");
	x.ingress = flag_bool(&c->f, "ingress");
	x.config_only = flag_bool(&c->f, "config-only");
	x.config_from = *from.network ? &from : NULL;
	for (size_t i = 0; i < opts->n; i++)
		pair_add(&c->arena, &x.options, &x.n_options, opts->v[i]);
	for (size_t i = 0; i < labels->n; i++)
		pair_add(&c->arena, &x.labels, &x.n_labels, labels->v[i]);
	if (!x.options)
		x.options = arena_new(&c->arena, struct schema_pair);
	if (!x.labels)
		x.labels = arena_new(&c->arena, struct schema_pair);
	/* before API 1.44 the engine made a second network of that name unless told not to */
	if ((r = api_connect_wait(c, e)) < 0)
		return r;
	if (!api_at_least(c, "1.44") && (x.check_duplicate = arena_new(&c->arena, bool)))
		*x.check_duplicate = true;
	r = api_json_wait(c, "POST", "/networks/create", T_docker_network_create, &x, T_docker_network_created, &done, e);
	if (r >= 0)
		cli_print(c, "%s\n", done.id);
	return r;
}

/* --- connect, rm, ls ------------------------------------------------------------ */

int cmd_network_connect(struct cli *c, struct err *e)
{
	struct docker_endpoint_settings s = { 0 };
	struct docker_endpoint_ipam ipam = { flag_str(&c->f, "ip"), flag_str(&c->f, "ip6") };
	struct docker_network_connect x = { cli_arg(c, 1), &s };
	const struct flag_value *opts = flag_list(&c->f, "driver-opt");

	text_list(flag_list(&c->f, "alias"), &s.aliases, &s.n_aliases);
	text_list(flag_list(&c->f, "link"), &s.links, &s.n_links);
	text_list(flag_list(&c->f, "link-local-ip"), &ipam.link_local_ips, &ipam.n_link_local_ips);
	for (size_t i = 0; i < opts->n; i++)
		pair_add(&c->arena, &s.driver_opts, &s.n_driver_opts, opts->v[i]);
	s.gw_priority = flag_num(&c->f, "gw-priority");
	if (*ipam.ipv4_address || *ipam.ipv6_address || ipam.n_link_local_ips)
		s.ipam_config = &ipam;
	return api_post_wait(c, cli_fmt(c, "/networks/%s/connect", api_esc(c, cli_arg(c, 0))), T_docker_network_connect, &x, e);
}

int cmd_network_disconnect(struct cli *c, struct err *e)
{
	struct docker_network_disconnect x = { cli_arg(c, 1), flag_bool(&c->f, "force") };
	return api_post_wait(c, cli_fmt(c, "/networks/%s/disconnect", api_esc(c, cli_arg(c, 0))), T_docker_network_disconnect, &x, e);
}

int cmd_network_rm(struct cli *c, struct err *e)
{
	int failed = 0;

	for (int i = 0; i < c->f.argc; i++) {
		struct err why = { 0 };
		int r = api_do_wait(c, "DELETE", cli_fmt(c, "/networks/%s", api_esc(c, cli_arg(c, i))), &why);
		if (r == -ENOENT && flag_bool(&c->f, "force"))
			continue;
		if (r < 0) {
			failed = cli_failed(c, &why);
			continue;
		}
		cli_print(c, "%s\n", cli_arg(c, i));
	}
	if (failed)
		cli_warn(c, "exit status 1");
	return failed;
}

static int cmp_networks(const void *a, const void *b)
{
	const struct docker_network *x = a, *y = b;
	return strcmp(x->name ? x->name : "", y->name ? y->name : "");
}

static void network_row(struct cli *c, const struct docker_network *n, bool full, struct val_field f[9])
{
	char created[80] = "";
	int64_t ns;
	size_t k = 0;

	if (n->created && clock_parse_rfc3339(slice_of(n->created), &ns) == 0) {
		char text[64];
		human_local_time(text, ns);
		/* the fraction stands behind the seconds, as Go prints a time */
		fmt_into(created, sizeof created, "%.19s", text);
		if (ns % NS_PER_S) {
			char digits[16];
			fmt_into(digits, sizeof digits, "%09lld", (long long)(ns % NS_PER_S));
			for (int i = 8; i > 0 && digits[i] == '0'; i--)
				digits[i] = 0;
			fmt_into(created, sizeof created, "%.19s.%s%s", text, digits, text + 19);
		} else {
			fmt_into(created, sizeof created, "%s", text);
		}
	}
#define FIELD(name, heading, value) f[k++] = (struct val_field){ name, heading, val_str(value) }
	FIELD("ID", "NETWORK ID", full ? n->id : human_id(&c->arena, n->id));
	FIELD("Name", "NAME", n->name);
	FIELD("Driver", "DRIVER", n->driver);
	FIELD("Scope", "SCOPE", n->scope);
	FIELD("IPv4", "IPV4", n->enable_ipv4 ? "true" : "false");
	FIELD("IPv6", "IPV6", n->enable_ipv6 ? "true" : "false");
	FIELD("Internal", "INTERNAL", n->internal ? "true" : "false");
	FIELD("Labels", "LABELS", ps_labels(c, n->labels, n->n_labels));
	FIELD("CreatedAt", "CREATED AT", cli_fmt(c, "%s", created));
#undef FIELD
}

int cmd_network_ls(struct cli *c, struct err *e)
{
	AUTO(target) struct target t = TARGET_INIT;
	static const struct docker_network none;
	struct docker_networks list = { 0 };
	const char *format = flag_str(&c->f, "format"), *kept = config_get(c)->networks_format;
	bool full = flag_bool(&c->f, "no-trunc"), quiet = flag_bool(&c->f, "quiet");
	struct val_field f[9];
	struct listing l;
	int r;

	if (!*format && kept && !quiet)
		format = kept;
	buf_adds(&t.b, "/networks");
	if ((r = listing_begin(&l, c, format, quiet, "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}", "{{.ID}}", e)) < 0 ||
	    (r = target_add_filters(c, &t, flag_list(&c->f, "filter"), e)) < 0 || (r = api_get_wait(c, t.b.ptr, T_docker_networks, &list, e)) < 0)
		return r;
	if (list.n_items)
		qsort(list.items, list.n_items, sizeof *list.items, cmp_networks);
	for (uint32_t i = 0; i < list.n_items && r >= 0; i++) {
		const struct docker_network *n = &list.items[i];
		network_row(c, n, full, f);
		r = listing_row(&l, &(struct val_row){ .fields = f, .n = 9, .labels = n->labels, .n_labels = n->n_labels }, e);
	}
	network_row(c, &none, full, f);
	return r < 0 ? r : listing_end(&l, f, 9, e);
}
