/* SPDX-License-Identifier: Apache-2.0 */
/* GET /containers/json: filters, and a line for each container. */
#include <errno.h>

#include "base/clock.h"
#include "base/num.h"
#include "engine/engine_int.h"

/* "Less than a second", "About a minute", "3 days": as go-units' HumanDuration. */
static void human_duration(char *dst, size_t size, int64_t ns)
{
	int64_t s = ns / NS_PER_S, m = s / 60, h = (int64_t)((double)s / 3600 + 0.5);
	if (s < 1)
		fmt_into(dst, size, "Less than a second");
	else if (s == 1)
		fmt_into(dst, size, "1 second");
	else if (s < 60)
		fmt_into(dst, size, "%lld seconds", (long long)s);
	else if (m == 1)
		fmt_into(dst, size, "About a minute");
	else if (m < 60)
		fmt_into(dst, size, "%lld minutes", (long long)m);
	else if (h == 1)
		fmt_into(dst, size, "About an hour");
	else if (h < 48)
		fmt_into(dst, size, "%lld hours", (long long)h);
	else if (h < 24 * 7 * 2)
		fmt_into(dst, size, "%lld days", (long long)(h / 24));
	else if (h < 24 * 30 * 2)
		fmt_into(dst, size, "%lld weeks", (long long)(h / 24 / 7));
	else if (h < 24 * 365 * 2)
		fmt_into(dst, size, "%lld months", (long long)(h / 24 / 30));
	else
		fmt_into(dst, size, "%lld years", (long long)(h / 24 / 365));
}

const char *status_line(const struct container *c, struct arena *a)
{
	char d[64];
	int64_t now = clock_realtime_ns();
	const char *health = health_status(c);
	switch (c->status) {
	case STATUS_RUNNING:
		human_duration(d, sizeof d, now - c->started_ns);
		if (health)
			return arena_fmt(a, "Up %s (%s%s)", d, !strcmp(health, "starting") ? "health: " : "", health);
		return arena_fmt(a, "Up %s", d);
	case STATUS_PAUSED:
		human_duration(d, sizeof d, now - c->started_ns);
		return arena_fmt(a, "Up %s (Paused)", d);
	case STATUS_RESTARTING:
		human_duration(d, sizeof d, now - c->finished_ns);
		return arena_fmt(a, "Restarting (%lld) %s ago", (long long)c->exit_code, d);
	case STATUS_REMOVING:
		return "Removal In Progress";
	case STATUS_DEAD:
		return "Dead";
	case STATUS_CREATED:
		return "Created";
	default:
		if (!c->finished_ns)
			return "";
		human_duration(d, sizeof d, now - c->finished_ns);
		return arena_fmt(a, "Exited (%lld) %s ago", (long long)c->exit_code, d);
	}
}

struct listing {
	struct engine *eng;
	const struct container_list *how;
	int64_t before_ns, since_ns;
	bool all, has_ancestors;
	const char **ancestors;            /* image ids */
	uint32_t n_ancestors;
	struct arena *a;
};

static const char *const known[] = { "ancestor", "before", "exited", "expose", "health", "id", "is-task", "isolation", "label", "name", "network",
	"publish", "since", "status", "volume", NULL };

static bool is_below(struct engine *eng, const char *image, const struct listing *l, unsigned depth)
{
	if (strings_have(l->ancestors, l->n_ancestors, image))
		return true;
	AUTO(arena) struct arena a;
	arena_init(&a, 4 << 20);
	struct image_info info;
	if (depth > 128 || !*image || image_get(eng->config.images, IMAGE_DOCKER, image, 0, &a, &info, NULL) < 0)
		return false;
	return *info.parent && is_below(eng, info.parent, l, depth + 1);
}

static bool volume_matches(const struct filters *f, const struct container *c)
{
	const struct filter *v = filters_get(f, "volume");
	for (uint32_t i = 0; v && i < c->n_mounts; i++)
		if (strings_have(v->values, v->n, c->mounts[i].name) || strings_have(v->values, v->n, c->mounts[i].target) ||
		    strings_have(v->values, v->n, c->mounts[i].source))
			return true;
	return !v;
}

static bool network_matches(const struct filters *f, const struct container *c)
{
	const struct filter *v = filters_get(f, "network");
	for (uint32_t i = 0; v && i < c->n_endpoints; i++) {
		const struct net_network *n = NULL;
		net_find(c->engine->config.net, c->endpoints[i].key, &n, NULL);
		for (uint32_t k = 0; k < v->n; k++) {
			const struct net_network *w = NULL;
			if (!strcmp(v->values[k], c->endpoints[i].key) ||
			    (n && net_find(c->engine->config.net, v->values[k], &w, NULL) == 0 && !strcmp(w->id, n->id)))
				return true;
		}
	}
	return !v;
}

/* "80", "80/tcp", "80-90/udp" against a port. */
static bool port_in(const char *spec, unsigned port, const char *proto)
{
	struct slice range, p, a, b;
	bool has_proto = slice_cut(slice_of(spec), '/', &range, &p);
	int64_t first, last;
	bool is_range = slice_cut(range, '-', &a, &b);
	if (num_parse_i64(a, 0, 65535, &first) < 0 || (is_range && num_parse_i64(b, 0, 65535, &last) < 0))
		return false;
	if (!is_range)
		last = first;
	return port >= first && port <= last && (has_proto ? slice_is(p, proto) : !strcmp(proto, "tcp"));
}

static bool expose_matches(const struct filters *f, const struct container *c)
{
	const struct filter *v = filters_get(f, "expose");
	for (uint32_t i = 0; v && i < c->config->n_exposed_ports; i++) {
		uint16_t port;
		enum net_proto proto;
		if (port_spec_parse(c->config->exposed_ports[i].key, &port, &proto) < 0)
			continue;
		for (uint32_t k = 0; k < v->n; k++)
			if (port_in(v->values[k], port, net_proto_name(proto)))
				return true;
	}
	return !v;
}

static bool publish_matches(const struct filters *f, struct container *c)
{
	const struct filter *v = filters_get(f, "publish");
	const struct net_port *p;
	uint32_t n = v ? net_ports(c->engine->config.net, c->id, &p) : 0;
	for (uint32_t i = 0; v && i < n; i++)
		for (uint32_t k = 0; k < v->n; k++)
			if (port_in(v->values[k], p[i].container_port, net_proto_name(p[i].proto)))
				return true;
	return !v;
}

static bool name_matches(const struct filters *f, const struct container *c)
{
	char with_slash[512];
	fmt_into(with_slash, sizeof with_slash, "/%s", c->name);
	return filters_match(f, "name", with_slash) || filters_match(f, "name", c->name);
}

static bool exited_matches(const struct filters *f, const struct container *c)
{
	const struct filter *v = filters_get(f, "exited");
	for (uint32_t i = 0; v && i < v->n; i++) {
		int64_t code;
		if (num_parse_i64(slice_of(v->values[i]), INT32_MIN, INT32_MAX, &code) == 0 && code == c->exit_code && !container_is_running(c) && c->started_ns)
			return true;
	}
	return !v;
}

static bool id_matches(const struct filters *f, const struct container *c)
{
	const struct filter *v = filters_get(f, "id");
	for (uint32_t i = 0; v && i < v->n; i++)
		if (!strncmp(c->id, v->values[i], strlen(v->values[i])) || strstr(c->id, v->values[i]))
			return true;
	return !v;
}

static bool wanted(const struct listing *l, struct container *c)
{
	const struct filters *f = &l->how->filters;
	const char *health = health_status(c);
	if (!l->all && !container_is_running(c))
		return false;
	if (l->before_ns && c->created_ns >= l->before_ns)
		return false;
	if (l->since_ns && c->created_ns <= l->since_ns)
		return false;
	if (l->has_ancestors && !is_below(l->eng, c->image_id, l, 0))
		return false;
	return filters_exact(f, "status", container_status_text(c)) && filters_exact(f, "health", health ? health : "none") &&
		filters_labels(f, c->config->labels, c->config->n_labels, false) && name_matches(f, c) && id_matches(f, c) &&
		exited_matches(f, c) && volume_matches(f, c) && network_matches(f, c) && expose_matches(f, c) && publish_matches(f, c);
}

static int moment(struct listing *l, const char *key, int64_t *ret, struct err *e)
{
	const struct filter *v = filters_get(&l->how->filters, key);
	for (uint32_t i = 0; v && i < v->n; i++) {
		AUTO(container) struct container *c = NULL;
		int r = container_find(l->eng, v->values[i], &c, e);
		if (r < 0)
			return r;
		*ret = c->created_ns;
		l->all = true;
	}
	return 0;
}

static int prepare(struct listing *l, struct err *e)
{
	static const char *const statuses[] = { "created", "running", "paused", "restarting", "removing", "exited", "dead" };
	static const char *const healths[] = { "starting", "healthy", "unhealthy", "none" };
	const struct filters *f = &l->how->filters;
	int r = filters_check(f, known, e);
	if (r < 0)
		return r;
	l->all = l->how->all || l->how->limit > 0;
	const struct filter *v = filters_get(f, "status");
	for (uint32_t i = 0; v && i < v->n; i++) {
		if (!strings_have(statuses, ARRAY_LEN(statuses), v->values[i]))
			return err_set(e, EINVAL, "invalid filter 'status=%s'", v->values[i]);
		l->all = true;
	}
	v = filters_get(f, "exited");
	for (uint32_t i = 0; v && i < v->n; i++) {
		int64_t code;
		if (num_parse_i64(slice_of(v->values[i]), INT32_MIN, INT32_MAX, &code) < 0)
			return err_set(e, EINVAL, "invalid filter 'exited=%s'", v->values[i]);
		l->all = true;
	}
	v = filters_get(f, "health");
	for (uint32_t i = 0; v && i < v->n; i++)
		if (!strings_have(healths, ARRAY_LEN(healths), v->values[i]))
			return err_set(e, EINVAL, "invalid filter 'health=%s'", v->values[i]);
	v = filters_get(f, "isolation");
	v = filters_get(f, "ancestor");
	l->has_ancestors = v != NULL;
	for (uint32_t i = 0; v && i < v->n; i++) {
		char id[IMAGE_ID_MAX];
		if (image_resolve(l->eng->config.images, IMAGE_DOCKER, v->values[i], id, NULL) == 0)
			strings_push(l->a, &l->ancestors, &l->n_ancestors, arena_strdup(l->a, id));
	}
	r = moment(l, "before", &l->before_ns, e);
	return r < 0 ? r : moment(l, "since", &l->since_ns, e);
}

/* --- a line */
static const char *command_text(const struct container *c, struct arena *a)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	buf_adds(&b, c->path);
	for (uint32_t i = 0; i < c->n_args; i++) {
		bool quote = strpbrk(c->args[i], " \t\n\"'") != NULL;
		buf_addf(&b, quote ? " '%s'" : " %s", c->args[i]);
	}
	return arena_dup(a, buf_slice(&b));
}

static int ports_line(struct container *c, struct arena *a, struct docker_container_summary *s)
{
	const struct net_port *live;
	bool alive = container_is_alive(c);
	uint32_t n_live = alive ? net_ports(c->engine->config.net, c->id, &live) : 0;
	s->ports = arena_array(a, n_live + c->config->n_exposed_ports, sizeof *s->ports);
	if (!s->ports)
		return -ENOMEM;
	for (uint32_t i = 0; i < n_live; i++)
		s->ports[s->n_ports++] = (struct docker_container_port){ .ip = arena_strdup(a, live[i].host_ip), .private_port = live[i].container_port,
			.public_port = live[i].host_port, .type = net_proto_name(live[i].proto) };
	for (uint32_t i = 0; alive && i < c->config->n_exposed_ports; i++) {
		uint16_t port;
		enum net_proto proto;
		if (port_spec_parse(c->config->exposed_ports[i].key, &port, &proto) < 0)
			continue;
		bool have = false;
		for (uint32_t k = 0; k < n_live; k++)
			have = have || (live[k].container_port == port && live[k].proto == proto);
		if (!have)
			s->ports[s->n_ports++] = (struct docker_container_port){ .private_port = port, .type = net_proto_name(proto) };
	}
	return 0;
}

static const char *image_text(struct container *c, struct arena *a)
{
	/* the name it was made from, as long as that still means this image */
	char id[IMAGE_ID_MAX];
	const char *name = str_or(c->config->image, "");
	if (*name && *c->image_id && (image_resolve(c->engine->config.images, IMAGE_DOCKER, name, id, NULL) < 0 || strcmp(id, c->image_id)))
		return arena_strdup(a, c->image_id);
	return arena_strdup(a, name);
}

int summary_fill_wait(struct container *c, bool with_size, struct arena *a, struct docker_container_summary *s, struct err *e)
{
	*s = (struct docker_container_summary){ .id = arena_strdup(a, c->id), .image = image_text(c, a), .image_id = arena_strdup(a, c->image_id),
		.command = command_text(c, a), .created = c->created_ns / NS_PER_S, .state = container_status_text(c), .status = status_line(c, a) };
	const char *name = arena_fmt(a, "/%s", c->name);
	s->names = arena_array(a, 1, sizeof *s->names);
	s->labels = arena_array(a, c->config->n_labels, sizeof *s->labels);
	s->network_settings = arena_new(a, struct docker_summary_networks);
	if (!name || !s->names || !s->labels || !s->network_settings || ports_line(c, a, s) < 0)
		return err_nomem(e);
	s->names[s->n_names++] = name;
	for (uint32_t i = 0; i < c->config->n_labels; i++)
		s->labels[s->n_labels++] = (struct schema_pair){ arena_strdup(a, c->config->labels[i].key), arena_strdup(a, c->config->labels[i].value) };
	s->host_config.network_mode = arena_strdup(a, c->host->network_mode);
	struct docker_network_settings net;
	int r = netting_fill(c, a, &net, e);
	if (r < 0)
		return r;
	s->network_settings->networks = net.networks;
	s->network_settings->n_networks = net.n_networks;
	s->mounts = mounts_view(c, a);
	s->n_mounts = s->mounts ? c->n_mounts : 0;
	if (with_size) {
		int64_t rw = container_size_wait(c);
		struct image_info info;
		s->size_rw = MAX(rw, (int64_t)0);
		s->size_root_fs = s->size_rw;
		if (*c->image_id && image_get(c->engine->config.images, IMAGE_DOCKER, c->image_id, 0, a, &info, NULL) == 0)
			s->size_root_fs += info.size_bytes;
	}
	return 0;
}

int container_list_wait(struct engine *eng, const struct container_list *how, struct arena *a, struct docker_container_summaries *ret,
			struct err *e)
{
	struct listing l = { .eng = eng, .how = how, .a = a };
	int r = prepare(&l, e);
	if (r < 0)
		return r;
	/* newest first; held, since sizes are waited for */
	struct container **v = arena_array(a, eng->list.n, sizeof *v);
	size_t n = 0;
	if (!v)
		return err_nomem(e);
	for (size_t i = eng->list.n; i-- && (how->limit <= 0 || n < (size_t)how->limit);)
		if (!eng->list.v[i]->pod && wanted(&l, eng->list.v[i]))
			v[n++] = container_ref(eng->list.v[i]);
	ret->items = arena_array(a, n, sizeof *ret->items);
	ret->n_items = 0;
	if (!ret->items)
		r = err_nomem(e);
	for (size_t i = 0; i < n; i++) {
		if (r == 0)
			r = summary_fill_wait(v[i], how->size, a, &ret->items[ret->n_items], e);
		if (r == 0)
			ret->n_items++;
		container_unref(v[i]);
	}
	return r;
}
