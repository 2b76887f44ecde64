/* SPDX-License-Identifier: Apache-2.0 */
/* Sandboxes as objects: records, what is there after a restart, run, stop, remove. */
#include <errno.h>
#include <fcntl.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/rand.h"
#include "cri/cri_int.h"

#define OWNER "cri"
#define POD_NETWORK "pods"

void sandbox_unref(struct sandbox *s)
{
	if (!s || --s->refs)
		return;
	arena_release(&s->arena);
	free(s);
}

static struct sandbox *sandbox_new(void)
{
	struct sandbox *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->refs = 1;
	arena_init(&s->arena, SANDBOX_ARENA_MAX);
	list_init(&s->node);
	fmutex_init(&s->lock);
	return s;
}

int pod_sandbox_find(struct cri *x, const char *id, struct sandbox **ret, struct err *e)
{
	struct sandbox *s, *found = NULL;
	size_t n = id ? strlen(id) : 0;
	list_each(s, &x->sandboxes, node) {
		if (!n || strncmp(s->rec.id, id, n))
			continue;
		if (found)
			return err_set(e, EINVAL, "more than one sandbox has an ID that starts with \"%s\"", id);
		found = s;
	}
	if (!found)
		return err_set(e, ENOENT, "an error occurred when try to find sandbox \"%s\": not found", text_or(id, ""));
	*ret = sandbox_ref(found);
	return 0;
}

/* --- records */

static void record_key(char key[96], const char *id) { fmt_into(key, 96, "sandbox/%s", id); }

int sandbox_save_wait(struct cri *x, struct sandbox *s, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(RECORD_MAX);
	char key[96];
	int r = schema_to_json(T_cri_sandbox_record, &s->rec, 0, &text);
	if (r < 0 || (r = buf_error(&text)) < 0)
		return err_sys(e, r, "encode sandbox %s", s->rec.id);
	record_key(key, s->rec.id);
	return kv_put_wait(x->kv, key, buf_slice(&text), e);
}

static bool is_host(const struct cri_namespace_option *o, int32_t mode) { return o && mode == CRI_NAMESPACE_MODE_NODE; }

static struct pod_share share_of(struct cri *x, const struct sandbox *s)
{
	const struct cri_pod_sandbox_config *c = s->rec.config;
	const char *name = text_or(c->hostname, text_or(x->hostname, "localhost"));
	return (struct pod_share){ .id = s->rec.id, .hostname = s->rec.host_network ? NULL : name, .ipc = !s->rec.host_ipc };
}

static void address_of(struct cri *x, struct sandbox *s)
{
	size_t pos = 0;
	const struct net_endpoint *p = net_endpoint_next(x->net, s->rec.id, NULL, &pos);
	fmt_into(s->ip, sizeof s->ip, "%s", p ? p->ipv4 : "");
}

struct load { struct cri *x; struct err *e; };

static int load_one(void *arg, const char *key, struct slice value)
{
	struct load *l = arg;
	struct cri *x = l->x;
	struct sandbox *s = sandbox_new();
	struct err e = { 0 };
	if (!s)
		return -ENOMEM;
	int r = schema_from_json(T_cri_sandbox_record, value, 0, &s->arena, &s->rec, &e);
	if (r < 0 || !s->rec.id || !s->rec.config || !s->rec.config->metadata) {
		log_error("a sandbox's record is damaged and was left alone", "key=%s error=\"%s\"", key, e.text);
		sandbox_unref(s);
		return 0;
	}
	/* in order of creation */
	struct list *at = x->sandboxes.prev;
	while (at != &x->sandboxes && list_entry(at, struct sandbox, node)->rec.created > s->rec.created)
		at = at->prev;
	list_insert_(&s->node, at, at->next);
	x->n_sandboxes++;
	return name_take(x, "sandbox", pod_sandbox_name(s->rec.config->metadata, &s->arena), s->rec.id, NULL) == -ENOMEM ? -ENOMEM : 0;
}

/* What a boot took, or a crash. */
static bool is_there(struct cri *x, const struct sandbox *s)
{
	struct pod_share share = share_of(x, s);
	struct pod_view v;
	if (!net_sandbox_path(x->net, s->rec.id) || !pod_share_is(x->engine, &share))
		return false;
	return !s->rec.holder || (pod_get(x->engine, s->rec.holder, &v, NULL) == 0 && v.state == POD_RUNNING);
}

static void sweep_wait(struct cri *x)
{
	AUTO(arena) struct arena a;
	const char **ids;
	uint32_t n;
	char key[96];
	arena_init(&a, 1 << 20);
	if (pod_share_list(x->engine, &a, &ids, &n) < 0)
		return;
	for (uint32_t i = 0; i < n; i++) {
		record_key(key, ids[i]);
		if (!kv_get(x->kv, key).ptr)
			pod_share_close_wait(x->engine, ids[i]);
	}
}

/* Names of containers are taken again; those whose sandbox has gone go too. */
static void containers_load_wait(struct cri *x)
{
	struct pod_view v;
	size_t pos = 0;
	VEC(char *) orphans = { 0 };
	while (pod_next(x->engine, &pos, &v)) {
		AUTO(arena) struct arena a;
		AUTO(sandbox) struct sandbox *s = NULL;
		struct cri_container_record rec;
		arena_init(&a, RECORD_MAX);
		if (pod_sandbox_find(x, v.sandbox, &s, NULL) < 0) {
			char *id = strdup(v.id);
			if (id && vec_push(&orphans, id) < 0)
				free(id);
		} else if (container_record(&v, &a, &rec, NULL) == 0 && !rec.holder && rec.config->metadata) {
			name_take(x, "container", container_name(rec.config->metadata, s->rec.config->metadata, &a), v.id, NULL);
		}
	}
	for (size_t i = 0; i < orphans.n; i++) {
		pod_remove_wait(x->engine, orphans.v[i], NULL);
		free(orphans.v[i]);
	}
	vec_release(&orphans);
}

int sandboxes_load_wait(struct cri *x, struct err *e)
{
	struct load l = { x, e };
	struct sandbox *s;
	if (kv_each(x->kv, "sandbox/", load_one, &l) < 0)
		return err_nomem(e);
	list_each(s, &x->sandboxes, node) {
		if (s->rec.ready && !is_there(x, s)) {
			log_info("a sandbox did not outlive the boot", "sandbox=%.12s", s->rec.id);
			int r = sandbox_stop_wait(x, s, e);
			if (r < 0)
				return r;
		}
		address_of(x, s);
	}
	sweep_wait(x);
	containers_load_wait(x);
	return 0;
}

void cri_down_wait(struct cri *x)
{
	struct sandbox *s;
	struct err e = { 0 };
	list_each(s, &x->sandboxes, node)
		if (s->rec.ready && sandbox_stop_wait(x, s, &e) < 0)
			log_warn("a sandbox did not stop", "sandbox=%.12s error=\"%s\"", s->rec.id, e.text);
	/* the bridge of pods goes with the network's other bridges */
}

/* --- the pods' network */

int pod_network_wait(struct cri *x, const char **ret_id, struct err *e)
{
	const struct net_network *w;
	int r = fmutex_lock_wait(&x->network_lock);
	if (r < 0)
		return err_sys(e, r, "waiting for the network of pods");
	r = net_find_owned(x->net, OWNER, POD_NETWORK, &w, NULL);
	if (r == 0 && x->n_sandboxes == 0 && strcmp(w->subnet, x->pod_cidr)) {
		/* nobody uses the old subnet */
		r = net_remove_owned_wait(x->net, OWNER, POD_NETWORK, e);
		if (r == 0)
			r = -ENOENT;
	}
	if (r == -ENOENT) {
		struct schema_pair options[] = { { "com.docker.network.bridge.name", text_or(x->c.pod_bridge, "coracle-pods") } };
		struct net_create how = { .name = POD_NETWORK, .owner = OWNER, .subnet = x->pod_cidr, .options = options, .n_options = 1 };
		r = net_create_wait(x->net, &how, &w, e);
	}
	if (r == 0)
		*ret_id = w->id;
	fmutex_unlock(&x->network_lock);
	return r;
}

/* --- run */

static int ports_publish_wait(struct cri *x, struct sandbox *s, struct err *e)
{
	const struct cri_pod_sandbox_config *c = s->rec.config;
	uint32_t n = 0;
	struct net_port_request *v = arena_array(&s->arena, c->n_port_mappings, sizeof *v);
	if (!v)
		return err_nomem(e);
	for (uint32_t i = 0; i < c->n_port_mappings; i++) {
		const struct cri_port_mapping *p = &c->port_mappings[i];
		if (p->host_port <= 0)
			continue;
		if (p->container_port < 1 || p->container_port > 65535 || p->host_port > 65535)
			return err_set(e, EINVAL, "port mapping %d:%d is out of range", p->host_port, p->container_port);
		v[n++] = (struct net_port_request){ .proto = p->protocol == CRI_PROTOCOL_UDP ? NET_UDP : p->protocol == CRI_PROTOCOL_SCTP ? NET_SCTP : NET_TCP,
			.container_port = (uint16_t)p->container_port, .host_ip = p->host_ip, .host_first = (uint16_t)p->host_port,
			.host_last = (uint16_t)p->host_port };
	}
	return n ? net_publish_wait(x->net, s->rec.id, v, n, e) : 0;
}

static int network_open_wait(struct cri *x, struct sandbox *s, struct err *e)
{
	const struct cri_pod_sandbox_config *c = s->rec.config;
	const char *path, *network;
	uint32_t n_sysctls = 0, all = c->linux ? c->linux->n_sysctls : 0;
	struct schema_pair *sysctls = arena_array(&s->arena, all + 2, sizeof *sysctls);
	if (!sysctls)
		return err_nomem(e);
	/* to a neighbour too a pod goes through the gateway, where services are: whatever a redirect says */
	if (!s->rec.host_network) {
		sysctls[n_sysctls++] = (struct schema_pair){ "net.ipv4.conf.all.accept_redirects", "0" };
		sysctls[n_sysctls++] = (struct schema_pair){ "net.ipv4.conf.default.accept_redirects", "0" };
	}
	for (uint32_t i = 0; i < all; i++)
		if (!strncmp(c->linux->sysctls[i].key, "net.", 4))
			sysctls[n_sysctls++] = c->linux->sysctls[i];
	if (s->rec.host_network && n_sysctls)
		return err_set(e, EINVAL, "sysctl \"%s\" is not allowed in the host's network namespace", sysctls[0].key);
	struct net_sandbox_options o = { .container = s->rec.id, .name = s->rec.id, .sysctls = sysctls, .n_sysctls = n_sysctls,
		.host = s->rec.host_network };
	int r = net_sandbox_open_wait(x->net, &o, &path, e);
	if (r < 0 || s->rec.host_network)
		return r;
	r = pod_network_wait(x, &network, e);
	if (r == 0) {
		struct net_attach how = { .container = s->rec.id, .network = network, .ifname = "eth0" };
		const struct net_endpoint *p;
		char id[65];
		fmt_into(id, sizeof id, "%s", network);
		how.network = id;
		r = net_attach_wait(x->net, &how, &p, e);
		if (r == 0)
			fmt_into(s->ip, sizeof s->ip, "%s", p->ipv4);
	}
	if (r == 0)
		r = ports_publish_wait(x, s, e);
	return r < 0 ? err_prefix(e, "failed to setup network for sandbox \"%s\"", s->rec.id), r : 0;
}

/* --- files */

static int resolv_conf(struct cri *x, const struct sandbox *s, struct buf *out)
{
	const struct cri_dns_config *d = s->rec.config->dns_config;
	if (!d || (!d->n_servers && !d->n_searches && !d->n_options))
		return buf_addslice(out, net_host_resolv_conf(x->net));
	if (d->n_searches) {
		buf_adds(out, "search");
		for (uint32_t i = 0; i < d->n_searches; i++)
			buf_addf(out, " %s", d->searches[i]);
		buf_addc(out, '\n');
	}
	for (uint32_t i = 0; i < d->n_servers; i++)
		buf_addf(out, "nameserver %s\n", d->servers[i]);
	if (d->n_options) {
		buf_adds(out, "options");
		for (uint32_t i = 0; i < d->n_options; i++)
			buf_addf(out, " %s", d->options[i]);
		buf_addc(out, '\n');
	}
	return buf_error(out);
}

struct files_job { const char *dir; struct slice text[3]; bool host; struct err e; };

static int files_job(void *arg)
{
	static const char *const names[] = { "hostname", "hosts", "resolv.conf" };
	struct files_job *j = arg;
	AUTO(close) int dir = open(j->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO(buf) struct buf hosts = BUF_INIT(1 << 20);
	if (dir < 0)
		return err_sys(&j->e, errno, "opening %s", j->dir);
	if (j->host && file_read(AT_FDCWD, "/etc/hosts", &hosts) == 0)
		j->text[1] = buf_slice(&hosts);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		AUTO(close) int fd = openat(dir, names[i], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
		int r = fd < 0 ? -errno : fd_write_all(fd, j->text[i].ptr, j->text[i].len);
		if (r < 0)
			return err_sys(&j->e, r, "writing %s/%s", j->dir, names[i]);
	}
	return 0;
}

static int files_wait(struct cri *x, struct sandbox *s, struct err *e)
{
	AUTO(arena) struct arena a;
	AUTO(buf) struct buf resolv = BUF_INIT(1 << 20);
	AUTO(buf) struct buf hosts = BUF_INIT(64 << 10);
	AUTO(buf) struct buf hostname = BUF_INIT(4096);
	arena_init(&a, 1 << 16);
	struct pod_share share = share_of(x, s);
	const char *name = text_or(share.hostname, text_or(x->hostname, "localhost"));
	buf_addf(&hostname, "%s\n", name);
	buf_addf(&hosts, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
	if (*s->ip)
		buf_addf(&hosts, "%s\t%s\n", s->ip, name);
	resolv_conf(x, s, &resolv);
	struct files_job j = { .dir = pod_share_path(x->engine, s->rec.id, "", &a),
		.text = { buf_slice(&hostname), buf_slice(&hosts), buf_slice(&resolv) }, .host = s->rec.host_network };
	int r = j.dir && buf_error(&resolv) == 0 ? job_wait(files_job, &j) : -ENOMEM;
	return r < 0 ? err_set(e, r, "%s", j.e.code ? j.e.text : "out of memory") : 0;
}

static int share_open_wait(struct cri *x, struct sandbox *s, struct err *e)
{
	const struct cri_linux_pod_sandbox_config *l = s->rec.config->linux;
	struct pod_share share = share_of(x, s);
	struct schema_pair *v = arena_array(&s->arena, l ? l->n_sysctls : 0, sizeof *v);
	if (!v)
		return err_nomem(e);
	for (uint32_t i = 0; l && i < l->n_sysctls; i++)
		if (strncmp(l->sysctls[i].key, "net.", 4))
			v[share.n_sysctls++] = l->sysctls[i];
	share.sysctls = v;
	if (share.n_sysctls && s->rec.host_ipc)
		return err_set(e, EINVAL, "sysctl \"%s\" is not allowed in the host's namespaces", v[0].key);
	return pod_share_open_wait(x->engine, &share, e);
}

/* --- a process namespace that all share needs a process 1 */

static int holder_open_wait(struct cri *x, struct sandbox *s, struct err *e)
{
	AUTO(arena) struct arena a;
	arena_init(&a, 1 << 20);
	char id[65];
	struct pod_container how;
	int r = spec_holder(x, s, &a, &how, e);
	if (r == 0)
		r = pod_create_wait(x->engine, &how, id, e);
	if (r < 0)
		return r;
	s->rec.holder = arena_strdup(&s->arena, id);
	r = s->rec.holder ? pod_start_wait(x->engine, id, e) : err_nomem(e);
	return r < 0 ? err_prefix(e, "failed to start the process that holds a shared process namespace"), r : 0;
}

static void cgroup_remove_wait(struct cri *x, struct sandbox *s)
{
	if (s->rec.cgroup_made && *s->rec.cgroup_made)
		pod_cgroup_remove_wait(x->engine, s->rec.config->linux->cgroup_parent, s->rec.cgroup_made);
}

static void undo_wait(struct cri *x, struct sandbox *s)
{
	if (s->rec.holder)
		pod_remove_wait(x->engine, s->rec.holder, NULL);
	net_sandbox_close_wait(x->net, s->rec.id);
	pod_share_close_wait(x->engine, s->rec.id);
	cgroup_remove_wait(x, s);
}

static int check(const struct cri_run_pod_sandbox_request *q, struct err *e)
{
	const struct cri_pod_sandbox_config *c = q->config;
	if (!c || !c->metadata)
		return err_set(e, EINVAL, "sandbox config must include metadata");
	if (q->runtime_handler && *q->runtime_handler)
		return err_set(e, EINVAL, "failed to get sandbox runtime: no runtime for \"%s\" is configured", q->runtime_handler);
	const struct cri_linux_sandbox_security_context *sc = c->linux ? c->linux->security_context : NULL;
	const struct cri_namespace_option *n = sc ? sc->namespace_options : NULL;
	if (n && n->userns_options && n->userns_options->mode == CRI_NAMESPACE_MODE_POD)
		return err_set(e, EOPNOTSUPP, "user namespaces of pods are not supported");
	if (n && n->network == CRI_NAMESPACE_MODE_CONTAINER)
		return err_set(e, EINVAL, "the network namespace of a pod is POD or NODE");
	if (c->hostname && strlen(c->hostname) > 64)
		return err_set(e, EINVAL, "host name \"%s\" is longer than 64 characters", c->hostname);
	return 0;
}

static int run_wait(struct cri *x, struct sandbox *s, struct err *e)
{
	const struct cri_linux_sandbox_security_context *sc = s->rec.config->linux ? s->rec.config->linux->security_context : NULL;
	const struct cri_namespace_option *n = sc ? sc->namespace_options : NULL;
	s->rec.host_network = is_host(n, n ? n->network : 0);
	s->rec.host_ipc = is_host(n, n ? n->ipc : 0);
	s->rec.ready = true;
	const char *parent = s->rec.config->linux ? s->rec.config->linux->cgroup_parent : NULL;
	if (parent && *parent)
		s->rec.cgroup_made = pod_cgroup_missing_wait(x->engine, parent, &s->arena);
	int r = share_open_wait(x, s, e);
	if (r == 0)
		r = network_open_wait(x, s, e);
	if (r == 0)
		r = files_wait(x, s, e);
	if (r == 0 && s->rec.config->log_directory && *s->rec.config->log_directory)
		dir_make(AT_FDCWD, s->rec.config->log_directory, 0755);
	if (r == 0 && n && n->pid == CRI_NAMESPACE_MODE_POD)
		r = holder_open_wait(x, s, e);
	if (r == 0)
		r = sandbox_save_wait(x, s, e);
	if (r < 0)
		undo_wait(x, s);
	return r;
}

UNARY(run_pod_sandbox)
{
	const struct cri_run_pod_sandbox_request *q = request;
	struct cri_run_pod_sandbox_response *p = reply;
	struct cri *x = cri_of(c);
	char id[65];
	int r = check(q, e);
	if (r < 0)
		return r;
	if (x->n_sandboxes >= SANDBOXES_MAX)
		return err_set(e, ENOSPC, "no more than %d sandboxes", SANDBOXES_MAX);
	struct sandbox *s = sandbox_new();
	if (!s)
		return err_nomem(e);
	rand_hex(id, 32);
	s->rec.id = arena_strdup(&s->arena, id);
	s->rec.created = clock_realtime_ns();
	s->rec.handler = arena_strdup(&s->arena, q->runtime_handler);
	s->rec.config = arena_new(&s->arena, struct cri_pod_sandbox_config);
	const char *name = s->rec.config && schema_copy(T_cri_pod_sandbox_config, q->config, &s->arena, s->rec.config) == 0 ?
		pod_sandbox_name(s->rec.config->metadata, &s->arena) : NULL;
	r = name && s->rec.id ? name_take(x, "sandbox", name, id, e) : err_nomem(e);
	if (r == 0) {
		x->n_sandboxes++;
		r = run_wait(x, s, e);
		if (r < 0) {
			x->n_sandboxes--;
			name_give(x, name);
		}
	}
	if (r < 0) {
		sandbox_unref(s);
		return r;
	}
	list_add_tail(&x->sandboxes, &s->node);
	p->pod_sandbox_id = arena_strdup(c->arena, id);
	sandbox_event(x, s, CRI_CONTAINER_STARTED_EVENT);
	return p->pod_sandbox_id ? 0 : err_nomem(e);
}

/* --- stop and remove */

/* Ids of a sandbox's containers, but its holder, in a. */
static int containers_of(struct cri *x, const struct sandbox *s, struct arena *a, const char ***ret, uint32_t *ret_n)
{
	struct pod_view v;
	size_t pos = 0;
	uint32_t n = 0;
	while (pod_next(x->engine, &pos, &v))
		n += !strcmp(v.sandbox, s->rec.id);
	*ret = arena_array(a, n, sizeof **ret);
	*ret_n = 0;
	pos = 0;
	while (*ret && pod_next(x->engine, &pos, &v))
		if (!strcmp(v.sandbox, s->rec.id) && *ret_n < n && (!s->rec.holder || strcmp(v.id, s->rec.holder)) &&
		    ((*ret)[*ret_n] = arena_strdup(a, v.id)))
			(*ret_n)++;
	return *ret ? 0 : -ENOMEM;
}

static int stop_locked_wait(struct cri *x, struct sandbox *s, struct err *e)
{
	AUTO(arena) struct arena a;
	const char **ids;
	uint32_t n;
	arena_init(&a, 1 << 20);
	bool was = s->rec.ready;
	s->rec.ready = false;           /* no container begins from here on */
	int r = containers_of(x, s, &a, &ids, &n) < 0 ? err_nomem(e) : 0;
	for (uint32_t i = 0; r == 0 && i < n; i++)
		r = pod_stop_wait(x->engine, ids[i], 0, e);
	if (r == -ENOENT)
		r = 0;
	if (r == 0 && s->rec.holder) {
		pod_remove_wait(x->engine, s->rec.holder, NULL);
		s->rec.holder = NULL;
	}
	if (r == 0)
		r = net_sandbox_close_wait(x->net, s->rec.id);
	if (r == 0) {
		pod_share_close_wait(x->engine, s->rec.id);
		r = was ? sandbox_save_wait(x, s, e) : 0;
	} else {
		s->rec.ready = was;
		if (!e->code)
			err_sys(e, r, "failed to stop sandbox \"%s\"", s->rec.id);
	}
	if (r == 0 && was)
		sandbox_event(x, s, CRI_CONTAINER_STOPPED_EVENT);
	return r;
}

int sandbox_stop_wait(struct cri *x, struct sandbox *s, struct err *e)
{
	struct err own = { 0 };
	int r = fmutex_lock_wait(&s->lock);
	if (r < 0)
		return err_sys(e, r, "waiting for sandbox %s", s->rec.id);
	r = s->is_gone ? 0 : stop_locked_wait(x, s, &own);
	fmutex_unlock(&s->lock);
	return r < 0 ? err_set(e, own.code ? own.code : r, "%s", own.text) : 0;
}

struct over { struct cri *x; struct sandbox *s; };

static void over_fiber(void *arg)
{
	struct over *o = arg;
	struct err e = { 0 };
	if (sandbox_stop_wait(o->x, o->s, &e) < 0)
		log_warn("a sandbox did not stop", "sandbox=%.12s error=\"%s\"", o->s->rec.id, e.text);
	sandbox_unref(o->s);
	free(o);
}

void sandbox_holder_ended(struct cri *x, const char *sandbox, const char *id)
{
	AUTO(sandbox) struct sandbox *s = NULL;
	struct over *o;
	if (pod_sandbox_find(x, sandbox, &s, NULL) < 0 || !s->rec.ready || !s->rec.holder || strcmp(s->rec.holder, id) || !(o = calloc(1, sizeof *o)))
		return;
	*o = (struct over){ x, sandbox_ref(s) };
	if (fiber_start(x->loop, "sandbox-over", over_fiber, o) < 0) {
		sandbox_unref(s);
		free(o);
	}
}

UNARY(stop_pod_sandbox)
{
	const struct cri_stop_pod_sandbox_request *q = request;
	AUTO(sandbox) struct sandbox *s = NULL;
	int r = pod_sandbox_find(cri_of(c), q->pod_sandbox_id, &s, e);
	return r == -ENOENT ? 0 : r < 0 ? r : sandbox_stop_wait(cri_of(c), s, e);
}

static int remove_locked_wait(struct cri *x, struct sandbox *s, struct err *e)
{
	AUTO(arena) struct arena a;
	const char **ids;
	uint32_t n;
	char key[96];
	arena_init(&a, 2 << 20);
	int r = stop_locked_wait(x, s, e);
	if (r == 0)
		r = containers_of(x, s, &a, &ids, &n) < 0 ? err_nomem(e) : 0;
	for (uint32_t i = 0; r == 0 && i < n; i++)
		r = container_remove(x, ids[i], e);
	if (r < 0)
		return r;
	record_key(key, s->rec.id);
	r = kv_delete_wait(x->kv, key, e);
	if (r < 0)
		return r;
	cgroup_remove_wait(x, s);
	name_give(x, pod_sandbox_name(s->rec.config->metadata, &a));
	s->is_gone = true;
	list_del(&s->node);
	x->n_sandboxes--;
	sandbox_event(x, s, CRI_CONTAINER_DELETED_EVENT);
	sandbox_unref(s);               /* the list's; the caller has its own */
	return 0;
}

UNARY(remove_pod_sandbox)
{
	const struct cri_remove_pod_sandbox_request *q = request;
	struct cri *x = cri_of(c);
	AUTO(sandbox) struct sandbox *s = NULL;
	struct err own = { 0 };
	int r = pod_sandbox_find(x, q->pod_sandbox_id, &s, e);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = fmutex_lock_wait(&s->lock);
	if (r < 0)
		return err_sys(e, r, "waiting for sandbox %s", s->rec.id);
	r = s->is_gone ? 0 : remove_locked_wait(x, s, &own);
	fmutex_unlock(&s->lock);
	return r < 0 ? err_set(e, own.code ? own.code : r, "%s", own.text) : 0;
}

/* The kubelet has set the pod's cgroup itself; what it tells is kept with the sandbox. */
UNARY(update_pod_sandbox_resources)
{
	const struct cri_update_pod_sandbox_resources_request *q = request;
	struct cri *x = cri_of(c);
	AUTO(sandbox) struct sandbox *s = NULL;
	int r = pod_sandbox_find(x, q->pod_sandbox_id, &s, e);
	if (r < 0)
		return r;
	struct cri_linux_pod_sandbox_config *l = s->rec.config->linux;
	if (!l && !(l = s->rec.config->linux = arena_new(&s->arena, struct cri_linux_pod_sandbox_config)))
		return err_nomem(e);
	const struct { const struct cri_linux_container_resources *from; struct cri_linux_container_resources **to; } parts[] = {
		{ q->overhead, &l->overhead }, { q->resources, &l->resources },
	};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (!parts[i].from)
			continue;
		/* in place, where there is one: a pod that is resized often must not grow */
		struct cri_linux_container_resources *to = *parts[i].to ? *parts[i].to : arena_new(&s->arena, struct cri_linux_container_resources);
		if (!to || schema_copy(T_cri_linux_container_resources, parts[i].from, &s->arena, to) < 0)
			return err_nomem(e);
		*parts[i].to = to;
	}
	return sandbox_save_wait(x, s, e);
}
