/* SPDX-License-Identifier: Apache-2.0 */
/* The role `engine`: flags, and the wiring of its parts. */
#include "main/engine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "base/vec.h"
#include "cri/cri.h"
#include "docker_api/api.h"
#include "engine/engine.h"
#include "image/image.h"
#include "image/unpacker.h"
#include "main/folders.h"
#include "net/net.h"
#include "volume/volume.h"

typedef VEC(const char *) strings;

struct options {
	const char *root, *run, *config, *bridge, *bip, *table, *hub, *runtime, *log_level, *cgroup_parent, *log_driver, *userns_remap, *cri, *pod_cidr, *cluster_cidr, *pod_bridge;
	const char *tls_ca, *tls_cert, *tls_key;
	strings hosts, insecure, mirrors, labels, dns, dns_search, dns_options, log_options;
	bool tls, tls_verify, init, debug, no_dns;
};

/* One row a flag: where its value goes. */
#define OPT(f) offsetof(struct options, f)
static const struct flag {
	const char *name;
	enum { TEXT, LIST, SWITCH, IGNORED, IGNORED_SWITCH } kind;
	size_t at;
	const char *help;
} flags[] = {
	{ "--root", TEXT, OPT(root), "folder of everything that lasts" },
	{ "--data-root", TEXT, OPT(root), "the same" },
	{ "--run", TEXT, OPT(run), "folder of what a boot does not outlive" },
	{ "--exec-root", TEXT, OPT(run), "the same" },
	{ "--config", TEXT, OPT(config), "folder of configuration" },
	{ "--host", LIST, OPT(hosts), "unix://PATH, tcp://ADDRESS:PORT or fd://N; repeatable (unix://RUN/docker.sock)" },
	{ "-H", LIST, OPT(hosts), "the same" },
	{ "--tls", SWITCH, OPT(tls), "TLS on tcp hosts" },
	{ "--tlsverify", SWITCH, OPT(tls_verify), "TLS, and clients must have a certificate" },
	{ "--tlscacert", TEXT, OPT(tls_ca), "authority of client certificates" },
	{ "--tlscert", TEXT, OPT(tls_cert), "certificate" },
	{ "--tlskey", TEXT, OPT(tls_key), "its key" },
	{ "--bridge", TEXT, OPT(bridge), "device of the default bridge (coracle0)" },
	{ "--bip", TEXT, OPT(bip), "subnet of the default bridge" },
	{ "--nft-table", TEXT, OPT(table), "nftables table, family inet (coracle_engine)" },
	{ "--insecure-registry", LIST, OPT(insecure), "registry that may be plain HTTP; repeatable" },
	{ "--registry-mirror", LIST, OPT(mirrors), "mirror of Docker Hub; repeatable" },
	{ "--hub-url", TEXT, OPT(hub), "where docker.io really is" },
	{ "--label", LIST, OPT(labels), "label of this engine; repeatable" },
	{ "--log-level", TEXT, OPT(log_level), "debug, info, warn, error" },
	{ "--debug", SWITCH, OPT(debug), "log level debug" },
	{ "-D", SWITCH, OPT(debug), "the same" },
	{ "--runtime-path", TEXT, OPT(runtime), "path of coracle-runtime" },
	{ "--userns-remap", TEXT, OPT(userns_remap), "users of containers are other users here" },
	{ "--dns", LIST, OPT(dns), "name server of containers; repeatable" },
	{ "--dns-search", LIST, OPT(dns_search), "search domain of containers; repeatable" },
	{ "--dns-opt", LIST, OPT(dns_options), "resolver option of containers; repeatable" },
	{ "--no-dns-process", SWITCH, OPT(no_dns), "do not start the dns role when nobody has" },
	{ "--cgroup-parent", TEXT, OPT(cgroup_parent), "cgroup of all containers (/docker)" },
	{ "--cri", TEXT, OPT(cri), "socket of the container runtime interface (unix://RUN/cri.sock); none" },
	{ "--pod-cidr", TEXT, OPT(pod_cidr), "subnet of the pods of this machine (10.244.0.0/24)" },
	{ "--cluster-cidr", TEXT, OPT(cluster_cidr), "where all pods of the cluster are: not masqueraded between them (10.244.0.0/16)" },
	{ "--pod-bridge", TEXT, OPT(pod_bridge), "device of their bridge (coracle-pods)" },
	{ "--init", SWITCH, OPT(init), "an init process in each container" },
	{ "--log-driver", TEXT, OPT(log_driver), "json-file, local, none" },
	{ "--log-opt", LIST, OPT(log_options), "key=value; repeatable" },
	/* of dockerd: accepted, so that suites which start one can start us */
	{ "--pidfile", IGNORED, 0, NULL }, { "-p", IGNORED, 0, NULL }, { "--containerd", IGNORED, 0, NULL }, { "--config-file", IGNORED, 0, NULL },
	{ "--storage-driver", IGNORED, 0, NULL }, { "-s", IGNORED, 0, NULL }, { "--default-runtime", IGNORED, 0, NULL },
	{ "--add-runtime", IGNORED, 0, NULL }, { "--default-cgroupns-mode", IGNORED, 0, NULL }, { "--default-ipc-mode", IGNORED, 0, NULL },
	{ "--default-address-pool", IGNORED, 0, NULL }, { "--exec-opt", IGNORED, 0, NULL }, { "--group", IGNORED, 0, NULL },
	{ "-G", IGNORED, 0, NULL }, { "--userland-proxy", IGNORED_SWITCH, 0, NULL }, { "--iptables", IGNORED_SWITCH, 0, NULL },
	{ "--ip6tables", IGNORED_SWITCH, 0, NULL }, { "--experimental", IGNORED_SWITCH, 0, NULL }, { "--live-restore", IGNORED_SWITCH, 0, NULL },
	{ "--icc", IGNORED_SWITCH, 0, NULL },
};

static int usage(FILE *f, int code)
{
	fprintf(f, "usage: coracled engine [flags]\n\n");
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (flags[i].help)
			fprintf(f, "  %-22s %s\n", flags[i].name, flags[i].help);
	return code;
}

static int parse(int argc, char **argv, struct options *o)
{
	for (int i = 1; i < argc; i++) {
		struct slice name, value;
		bool has_value = slice_cut(slice_of(argv[i]), '=', &name, &value);
		const struct flag *f = NULL;
		for (size_t k = 0; k < ARRAY_LEN(flags) && !f; k++)
			if (slice_is(name, flags[k].name))
				f = &flags[k];
		if (slice_is(name, "--help") || slice_is(name, "-h"))
			return usage(stdout, 1000);
		if (!f) {
			fprintf(stderr, "coracled engine: unknown flag %s\n", argv[i]);
			return 2;
		}
		void *at = (char *)o + f->at;
		if (f->kind == SWITCH) {
			*(bool *)at = !has_value || !slice_is(value, "false");
			continue;
		}
		if (f->kind == IGNORED_SWITCH)
			continue;
		const char *text = has_value ? value.ptr : i + 1 < argc ? argv[++i] : NULL;
		if (!text) {
			fprintf(stderr, "coracled engine: %s needs a value\n", f->name);
			return 2;
		}
		if (f->kind == TEXT)
			*(const char **)at = text;
		else if (f->kind == LIST && vec_push((strings *)at, text) < 0)
			return 1;
		else if (f->kind == IGNORED)
			log_info("flag has no effect here", "flag=%s", f->name);
	}
	return 0;
}

struct daemon {
	struct options o;
	struct loop *loop;
	struct kv *kv;
	struct image_store *images;
	struct net *net;
	struct volumes *volumes;
	struct engine *engine;
	struct docker_api *api;
	struct cri *cri;
	struct tls_config *tls;
	char self[PATH_MAX], runtime[PATH_MAX], hostname[256];
	int lock;
	int exit_code;
	bool is_stopping;
};

static int folder(const char *path, mode_t mode, struct err *e)
{
	int r = dir_make(AT_FDCWD, path, mode);
	return r < 0 ? err_sys(e, r, "making %s", path) : 0;
}

/* One engine a ROOT. */
static int lock_root(struct daemon *d, struct err *e)
{
	char path[PATH_MAX];
	int r = folder(d->o.root, 0711, e);
	if (r == 0)
		r = folder(d->o.run, 0711, e);
	if (r < 0)
		return r;
	fmt_into(path, sizeof path, "%s/engine", d->o.root);
	r = folder(path, 0711, e);
	fmt_into(path, sizeof path, "%s/engine/lock", d->o.root);
	d->lock = r < 0 ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (r == 0 && d->lock < 0)
		r = err_sys(e, errno, "opening %s", path);
	for (int i = 0; r == 0 && flock(d->lock, LOCK_EX | LOCK_NB) < 0; i++) {
		/* the one before may be about to end */
		if (i == 100)
			r = err_set(e, EBUSY, "another engine uses %s", d->o.root);
		usleep(20000);
	}
	return r;
}

static void find_programs(struct daemon *d)
{
	ssize_t n = readlink("/proc/self/exe", d->self, sizeof d->self - 1);
	d->self[n > 0 ? n : 0] = 0;
	if (d->o.runtime) {
		fmt_into(d->runtime, sizeof d->runtime, "%s", d->o.runtime);
		return;
	}
	const char *slash = strrchr(d->self, '/');
	fmt_into(d->runtime, sizeof d->runtime, "%.*s/coracle-runtime", slash ? (int)(slash - d->self) : 0, d->self);
}

/* --- listening */
static int listen_one(struct daemon *d, const char *host, struct err *e)
{
	int fd;
	struct tls_config *tls = NULL;
	if (!strncmp(host, "unix://", 7)) {
		fd = unix_listen(host + 7, 0660, SOCK_STREAM, e);
	} else if (!strncmp(host, "fd://", 5)) {
		int64_t n = 3;
		if (host[5] && num_parse_i64(slice_of(host + 5), 0, 1 << 20, &n) < 0)
			return err_set(e, EINVAL, "%s names no descriptor", host);
		fd = (int)n;
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			return err_sys(e, errno, "%s", host);
	} else if (!strncmp(host, "tcp://", 6)) {
		char name[256];
		const char *colon = strrchr(host + 6, ':');
		int64_t port = d->tls ? 2376 : 2375;
		if (colon && num_parse_i64(slice_of(colon + 1), 1, 65535, &port) < 0)
			return err_set(e, EINVAL, "%s has no valid port", host);
		fmt_into(name, sizeof name, "%.*s", colon ? (int)(colon - host - 6) : (int)strlen(host + 6), host + 6);
		fd = listen_tcp(name, (unsigned)port, e);
		tls = d->tls;
		if (!tls)
			log_warn("the API is reachable over TCP without TLS: whoever reaches it is root", "host=%s", host);
	} else {
		return err_set(e, EINVAL, "%s is neither unix:// nor tcp:// nor fd://", host);
	}
	return fd < 0 ? fd : docker_api_listen(d->api, fd, tls, e);
}

static int listen_all(struct daemon *d, struct err *e)
{
	if (d->o.tls || d->o.tls_verify) {
		char ca[PATH_MAX], cert[PATH_MAX], key[PATH_MAX];
		fmt_into(ca, sizeof ca, "%s/ca.pem", d->o.config);
		fmt_into(cert, sizeof cert, "%s/cert.pem", d->o.config);
		fmt_into(key, sizeof key, "%s/key.pem", d->o.config);
		struct tls_files f = { .ca = d->o.tls_verify ? d->o.tls_ca ? d->o.tls_ca : ca : NULL, .cert = d->o.tls_cert ? d->o.tls_cert : cert,
			.key = d->o.tls_key ? d->o.tls_key : key, .verify_peer = d->o.tls_verify };
		int r = tls_config_new(&f, true, &d->tls, e);
		if (r < 0)
			return r;
	}
	char fallback[PATH_MAX];
	if (!d->o.hosts.n) {
		fmt_into(fallback, sizeof fallback, "unix://%s/docker.sock", d->o.run);
		return listen_one(d, fallback, e);
	}
	int r = 0;
	for (size_t i = 0; r >= 0 && i < d->o.hosts.n; i++)
		r = listen_one(d, d->o.hosts.v[i], e);
	return r;
}

static int cri_start_wait(struct daemon *d, struct err *e)
{
	char path[PATH_MAX];
	const char *at = d->o.cri;
	if (at && !strcmp(at, "none"))
		return 0;
	if (at && strncmp(at, "unix://", 7))
		return err_set(e, EINVAL, "--cri %s is neither unix://PATH nor none", at);
	fmt_into(path, sizeof path, "%s/cri.sock", d->o.run);
	struct cri_config c = { .engine = d->engine, .run = d->o.run, .pod_cidr = d->o.pod_cidr, .pod_bridge = d->o.pod_bridge, .debug = d->o.debug };
	int r = cri_open_wait(d->loop, &c, &d->cri, e);
	if (r < 0)
		return err_prefix(e, "opening the container runtime interface"), r;
	int fd = unix_listen(at ? at + 7 : path, 0660, SOCK_STREAM, e);
	return fd < 0 ? fd : cri_listen(d->cri, fd, e);
}

/* --- opening, in the order of who needs whom */
static int open_stores(struct daemon *d, struct err *e)
{
	char path[PATH_MAX];
	fmt_into(path, sizeof path, "%s/engine/state.db", d->o.root);
	int r = kv_open(d->loop, path, &d->kv, e);
	struct image_settings s = { .root = d->o.root, .config_dir = d->o.config, .kv = d->kv, .unpacker = image_unpacker_runtime(d->runtime),
		.hub = d->o.hub, .mirrors = d->o.mirrors.v, .n_mirrors = d->o.mirrors.n, .insecure = d->o.insecure.v, .n_insecure = d->o.insecure.n };
	if (r == 0)
		r = image_open(d->loop, &s, &d->images, e);
	return r == 0 ? volumes_open(d->kv, d->o.root, &d->volumes, e) : r;
}

static struct schema_pair *log_options(const strings *v)
{
	struct schema_pair *p = calloc(v->n + 1, sizeof *p);
	for (size_t i = 0; p && i < v->n; i++) {
		struct slice k, x;
		slice_cut(slice_of(v->v[i]), '=', &k, &x);
		p[i] = (struct schema_pair){ slice_dup(k), slice_dup(x) };
	}
	return p;
}

static int open_wait(struct daemon *d, struct err *e)
{
	struct net_options n = { .run = d->o.run, .bridge = d->o.bridge, .subnet = d->o.bip, .table = d->o.table,
		.no_default_bridge = d->o.bridge && !strcmp(d->o.bridge, "none"), .dns_program = d->o.no_dns ? NULL : d->self };
	const char *cluster = d->o.cluster_cidr ? d->o.cluster_cidr : "10.244.0.0/16";
	if (net_cidr_read(cluster, &n.pods) < 0)
		return err_set(e, EINVAL, "--cluster-cidr %s is no subnet", cluster);
	int r = net_open_wait(d->loop, d->kv, &n, &d->net, e);
	struct engine_config c = { .root = d->o.root, .run = d->o.run, .kv = d->kv, .images = d->images, .net = d->net, .volumes = d->volumes,
		.runtime = d->runtime, .hostname = d->hostname, .labels = d->o.labels.v, .n_labels = d->o.labels.n, .dns = d->o.dns.v,
		.n_dns = d->o.dns.n, .dns_search = d->o.dns_search.v, .n_dns_search = d->o.dns_search.n, .dns_options = d->o.dns_options.v,
		.n_dns_options = d->o.dns_options.n, .cgroup_parent = d->o.cgroup_parent, .log_driver = d->o.log_driver,
		.log_options = log_options(&d->o.log_options), .n_log_options = d->o.log_options.n, .use_init = d->o.init, .debug = d->o.debug,
		.userns_remap = d->o.userns_remap, .registry_mirrors = d->o.mirrors.v, .n_registry_mirrors = d->o.mirrors.n,
		.insecure_registries = d->o.insecure.v, .n_insecure_registries = d->o.insecure.n };
	if (r == 0)
		r = engine_open_wait(d->loop, &c, &d->engine, e);
	if (r == 0)
		r = docker_api_new(d->loop, d->engine, &d->api, e);
	if (r == 0)
		r = cri_start_wait(d, e);
	return r == 0 ? listen_all(d, e) : r;
}

static void open_fiber(void *arg)
{
	struct daemon *d = arg;
	struct err e = { 0 };
	if (open_wait(d, &e) < 0) {
		log_error("the engine cannot start", "error=%s", e.text);
		d->exit_code = 1;
		loop_stop(d->loop);
		return;
	}
	log_info("engine ready", "root=%s run=%s", d->o.root, d->o.run);
	engine_restart_all(d->engine);
}

/* --- ending */
/* The group above all containers' groups (or their shims), in each hierarchy; one that holds somebody else's groups stays (rmdir
 * refuses). False when a process is still in one. */
static bool remove_parent_groups(const char *parent)
{
	char path[PATH_MAX];
	bool is_busy = false;
	DIR *d = opendir("/sys/fs/cgroup");
	if (!parent || parent[0] != '/' || strstr(parent, "..") || !parent[1])
		parent = "/docker";
	fmt_into(path, sizeof path, "/sys/fs/cgroup%s", parent);
	is_busy |= rmdir(path) < 0 && errno == EBUSY;
	for (struct dirent *x; d && (x = readdir(d));)
		if (x->d_name[0] != '.' && fmt_into(path, sizeof path, "/sys/fs/cgroup/%s%s", x->d_name, parent))
			is_busy |= rmdir(path) < 0 && errno == EBUSY;
	if (d)
		closedir(d);
	return !is_busy;
}

static void down_fiber(void *arg)
{
	struct daemon *d = arg;
	struct err e = { 0 };
	engine_stop_all_wait(d->engine, 10);
	if (d->cri)
		cri_down_wait(d->cri);
	if (net_down_wait(d->net, &e) < 0)
		log_warn("the network did not go down", "error=%s", e.text);
	remove_parent_groups(d->o.cgroup_parent);
	for (int i = 0; !remove_parent_groups(SHIM_CGROUP) && i < 20; i++)
		sleep_wait(50 * NS_PER_MS); /* the last shims are on their way out */
	loop_stop(d->loop);
}

static void on_signal(void *arg, int sig)
{
	struct daemon *d = arg;
	if (sig == SIGPWR && d->engine && !d->is_stopping) {
		d->is_stopping = true;
		log_info("stopping containers", "signal=%d", sig);
		if (fiber_start(d->loop, "down", down_fiber, d) == 0)
			return;
	}
	loop_stop(d->loop);
}

static void close_all(struct daemon *d)
{
	docker_api_free(d->api);
	if (d->engine)
		cri_free(d->cri);
	engine_close(d->engine);
	/* net and images end with the process: containers keep what they have */
	if (d->kv)
		kv_close(d->kv);
}

int engine_main(int argc, char **argv)
{
	static struct daemon d = { .lock = -1 };
	struct err e = { 0 };
	d.o = (struct options){ .root = DEFAULT_ROOT, .run = DEFAULT_RUN, .config = DEFAULT_CONFIG };
	int r = parse(argc, argv, &d.o);
	if (r)
		return r == 1000 ? 0 : r;
	static const char *const levels[] = { "debug", "info", "warn", "error" };
	enum log_level level = d.o.debug ? LOG_DEBUG_ : LOG_INFO_;
	for (size_t i = 0; d.o.log_level && i < ARRAY_LEN(levels); i++)
		if (!strcmp(levels[i], d.o.log_level))
			level = (enum log_level)i;
	log_setup(level, "engine");
	umask(022);
	if (d.o.userns_remap && *d.o.userns_remap) {
		fprintf(stderr, "coracled engine: --userns-remap is not supported yet\n");
		return 2;
	}
	gethostname(d.hostname, sizeof d.hostname - 1);
	find_programs(&d);
	r = lock_root(&d, &e);
	if (r == 0)
		r = loop_new(&d.loop, &e);
	if (r == 0)
		r = open_stores(&d, &e);
	static const int signals[] = { SIGTERM, SIGINT, SIGPWR };
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(signals); i++)
		r = loop_signal(d.loop, signals[i], on_signal, &d);
	if (r == 0)
		r = fiber_start(d.loop, "open", open_fiber, &d);
	if (r == 0)
		r = loop_run(d.loop);
	if (r < 0) {
		log_error("the engine ended", "error=%s", e.code ? e.text : strerror(-r));
		return 1;
	}
	close_all(&d);
	return d.exit_code;
}
