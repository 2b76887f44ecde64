/* SPDX-License-Identifier: Apache-2.0 */
/* The role `server`: flags, and the wiring of store, API server and what runs beside it. */
#include "main/server.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "kube/api/api.h"
#include "kube/auth/auth.h"
#include "main/control_plane.h"
#include "main/folders.h"
#include "main/rights.h"
#include "main/names.h"
#include "main/server_auth.h"
#include "main/version.h"

struct server {
	const char *root, *run, *config, *listen, *cert, *key, *client_ca;
	char host[256];
	unsigned port;
	struct loop *loop;
	struct store *store;
	struct kube_api *api;
	struct tls_config *tls;
	struct kube_ca *ca;
	struct tls_files files;
	struct arena arena;             /* of names */
	struct control_plane *parts;
	const char *cluster_cidr, *node_name, *user;
	char pki[600], kubelet_cert[640], kubelet_key[640];
	struct kube_auth *auth;
	struct kube_authenticator authenticator;
	struct kube_authorizer authorizer;
	struct kube_reviewer reviewer;
	struct server_auth *feeding;
	struct fiber *renewer;
	int fd, exit_code;
};

static int read_flags(int argc, char **argv, struct server *s)
{
	static const struct option rows[] = {
		{ "root", required_argument, NULL, 'r' }, { "run", required_argument, NULL, 'u' }, { "config", required_argument, NULL, 'c' },
		{ "listen", required_argument, NULL, 'l' }, { "tls-cert-file", required_argument, NULL, 't' },
		{ "tls-private-key-file", required_argument, NULL, 'k' }, { "client-ca-file", required_argument, NULL, 'a' },
		{ "cluster-cidr", required_argument, NULL, 'C' }, { "node-name", required_argument, NULL, 'N' },
		{ "user", required_argument, NULL, 'U' }, { "log-level", required_argument, NULL, 'v' }, { "help", no_argument, NULL, 'h' }, { 0 },
	};
	int c;
	optind = 1;
	while ((c = getopt_long(argc, argv, "", rows, NULL)) >= 0) {
		switch (c) {
		case 'r': s->root = optarg; break;
		case 'u': s->run = optarg; break;
		case 'c': s->config = optarg; break;
		case 'l': s->listen = optarg; break;
		case 't': s->cert = optarg; break;
		case 'k': s->key = optarg; break;
		case 'a': s->client_ca = optarg; break;
		case 'C': s->cluster_cidr = optarg; break;
		case 'N': s->node_name = optarg; break;
		case 'U': s->user = optarg; break;
		case 'v': log_setup(!strcmp(optarg, "debug") ? LOG_DEBUG_ : !strcmp(optarg, "warn") ? LOG_WARN_ : LOG_INFO_, "server"); break;
		case 'h':
			puts("usage: coracle server [--root DIR] [--run DIR] [--config DIR] [--listen HOST:PORT] [--tls-cert-file FILE --tls-private-key-file FILE]\n"
			     "                      [--client-ca-file FILE] [--cluster-cidr CIDR] [--node-name NAME] [--user NAME] [--log-level LEVEL]\n"
			     "--node-name: also write CONFIG/node.kubeconfig and proxy.kubeconfig, with which a node of this name and its service proxy sign in");
			return 1;
		default: return -EINVAL;
		}
	}
	if (optind < argc || !s->cert != !s->key) {
		fprintf(stderr, "server: %s\n", optind < argc ? "takes no arguments" : "--tls-cert-file and --tls-private-key-file go together");
		return -EINVAL;
	}
	return 0;
}

/* "fd://3": a socket that whoever started us holds */
static int take_socket(struct server *s, struct err *e)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t n = sizeof sa;
	int64_t fd;
	if (num_parse_i64(slice_of(s->listen + 5), 3, 65535, &fd) < 0 || getsockname((int)fd, (struct sockaddr *)&sa, &n) < 0)
		return err_set(e, EINVAL, "--listen %s: there is no such socket", s->listen);
	s->fd = (int)fd;
	fd_set_cloexec(s->fd, true);
	s->port = ntohs(sa.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&sa)->sin6_port : ((struct sockaddr_in *)&sa)->sin_port);
	const struct in_addr *a = &((struct sockaddr_in *)&sa)->sin_addr;
	if (sa.ss_family == AF_INET && a->s_addr)
		inet_ntop(AF_INET, a, s->host, sizeof s->host);
	return 0;
}

static int split_address(struct server *s, struct err *e)
{
	if (!strncmp(s->listen, "fd://", 5))
		return take_socket(s, e);
	int64_t port;
	ptrdiff_t colon = slice_rfind(slice_of(s->listen), ':');
	if (colon < 0 || num_parse_i64(slice_of(s->listen + colon + 1), 0, 65535, &port) < 0)
		return err_set(e, EINVAL, "--listen %s: must be HOST:PORT", s->listen);
	struct slice host = slice_n(s->listen, (size_t)colon);
	if (host.len > 2 && host.ptr[0] == '[')
		host = slice_n(host.ptr + 1, host.len - 2);
	fmt_into(s->host, sizeof s->host, "%.*s", SLICE_FMT(slice_is(host, "0.0.0.0") ? SLICE("") : host));
	s->port = (unsigned)port;
	return 0;
}

static int make_folder(const char *fmt, const char *dir, mode_t mode, struct err *e)
{
	AUTO(free) char *path = fmt_new("%s%s", dir, fmt);
	int r = path ? dir_make(AT_FDCWD, path, mode) : -ENOMEM;
	return r < 0 ? err_sys(e, r, "making %s%s", dir, fmt) : 0;
}

/* Certificates for whoever comes as a client, where they are missing or due. > 0: some are new. */
static int write_identities(struct server *s, struct err *e)
{
	static const char *const masters[] = { "system:masters" };
	static const struct kube_cert client = { .common_name = "kube-apiserver-kubelet-client", .organizations = masters, .n_organizations = 1, .is_client = true };
	static const struct kube_cert proxy = { .common_name = "system:kube-proxy", .is_client = true };
	char path[600], url[300];
	int n = kube_ca_ensure(s->ca, s->pki, "apiserver-kubelet-client", &client, e), r = 0;
	if (n < 0)
		return n;
	fmt_into(url, sizeof url, "https://%s:%u", s->host[0] ? s->host : "127.0.0.1", s->port);
	fmt_into(path, sizeof path, "%s/kubeconfig", s->config);
	r = kube_ca_kubeconfig(s->ca, path, url, "coracle", &kube_cert_admin, e);
	if (r < 0 || !s->node_name)
		return r < 0 ? r : n + r;
	n += r;
	fmt_into(path, sizeof path, "%s/node.kubeconfig", s->config);
	r = kube_ca_node_kubeconfig(s->ca, path, url, s->node_name, e);
	if (r < 0)
		return r;
	n += r;
	fmt_into(path, sizeof path, "%s/proxy.kubeconfig", s->config);
	r = kube_ca_kubeconfig(s->ca, path, url, "coracle", &proxy, e);
	return r < 0 ? r : n + r;
}

static int prepare(struct server *s, struct err *e)
{
	int r = make_folder("", s->root, 0711, e);     /* others pass through it to what is theirs */
	if (r == 0)
		r = make_folder("/server", s->root, 0700, e);
	if (r == 0)
		r = make_folder("", s->config, 0700, e);
	if (r < 0)
		return r;
	size_t n_names;
	const char *const *names = host_names(&s->arena, s->host, &n_names);
	fmt_into(s->pki, sizeof s->pki, "%s/server/pki", s->root);
	const struct kube_ca_options co = { .dir = s->pki, .names = names, .n_names = n_names };
	r = kube_ca_open(&co, &s->ca, e);
	if (r < 0)
		return r;
	fmt_into(s->kubelet_cert, sizeof s->kubelet_cert, "%s/apiserver-kubelet-client.crt", s->pki);
	fmt_into(s->kubelet_key, sizeof s->kubelet_key, "%s/apiserver-kubelet-client.key", s->pki);
	kube_ca_serving_files(s->ca, &s->files);
	if (s->cert) {
		s->files.cert = s->cert;
		s->files.key = s->key;
	}
	if (s->client_ca)
		s->files.ca = s->client_ca;
	r = tls_config_new(&s->files, true, &s->tls, e);
	if (r == 0 && s->fd < 0)
		r = s->fd = listen_tcp(s->host, s->port, e);
	if (r < 0)
		return r;
	struct sockaddr_storage sa;
	socklen_t n = sizeof sa;
	if (!s->port && getsockname(s->fd, (struct sockaddr *)&sa, &n) == 0)
		s->port = ntohs(sa.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&sa)->sin6_port : ((struct sockaddr_in *)&sa)->sin_port);
	r = write_identities(s, e);
	return r < 0 ? r : 0;
}

static int renew_job(void *arg)
{
	struct server *s = arg;
	struct err e = { 0 };
	int serving = kube_ca_renew(s->ca, &e), others = serving < 0 ? 0 : write_identities(s, &e);
	if (others < 0 && (e.code == EACCES || e.code == EPERM)) {
		/* kubeconfigs lie where this user may not write: the next start renews them, and there are months for it */
		log_warn("kubeconfigs are due to be renewed: restart the server", "folder=%s", s->config);
		others = 0;
	}
	if (serving < 0 || others < 0)
		log_error("certificates cannot be renewed", "error=%s", e.text);
	return serving > 0 || others > 0;
}

/* Certificates that have used up two thirds of their life are replaced while the server runs. */
static void renew_fiber(void *arg)
{
	struct server *s = arg;
	const struct tls_files kubelet = { .cert = s->kubelet_cert, .key = s->kubelet_key };
	s->renewer = fiber_self();
	while (sleep_wait(3600 * 1000000000LL) == 0) {
		struct err e = { 0 };
		if (job_wait(renew_job, s) == 1 && (tls_config_reload(s->tls, &s->files, &e) < 0 || kube_api_reload(s->api, &kubelet, &e) < 0))
			log_error("a new certificate cannot be used", "error=%s", e.text);
	}
	s->renewer = NULL;
}

static void start_fiber(void *arg)
{
	struct server *s = arg;
	struct err e = { 0 };
	int r = kube_api_start_wait(s->api, &e);
	if (r == 0)
		r = server_auth_start_wait(s->loop, s->api, s->auth, s->ca, &s->feeding, &e);
	if (r == 0)
		r = kube_api_listen(s->api, take_fd(&s->fd), s->tls, &e);
	struct tls_files files = { 0 };
	kube_ca_serving_files(s->ca, &files);
	const struct control_plane_options o = { .ca_file = files.ca, .cluster_cidr = s->cluster_cidr, .auth = s->auth };
	if (r == 0)
		r = control_plane_start_wait(s->loop, s->api, &o, &s->parts, &e);
	if (r == 0)
		r = fiber_start(s->loop, "renew", renew_fiber, s);
	if (r < 0) {
		log_error("the server cannot start", "error=%s", e.text);
		s->exit_code = 1;
		loop_stop(s->loop);
		return;
	}
	log_info("server serves", "listen=%s:%u root=%s", s->host, s->port, s->root);
}

static void stop_fiber(void *arg)
{
	struct server *s = arg;
	control_plane_stop_wait(s->parts);
	server_auth_stop(s->feeding);
	kube_api_stop(s->api);
	if (s->renewer)
		fiber_cancel(s->renewer);
	/* all that was started ends: this fiber is the last */
	for (int i = 0; i < 300 && (!kube_api_is_idle(s->api) || fiber_count(s->loop) > 1); i++)
		sleep_wait(10000000);
	loop_stop(s->loop);
}

static void on_signal(void *arg, int signal)
{
	struct server *s = arg;
	if (fiber_start(s->loop, "stop", stop_fiber, s) < 0)
		loop_stop(s->loop);
}

/* Certificates, tokens, roles. */
static int open_auth(struct server *s, struct err *e)
{
	char key[640];
	fmt_into(key, sizeof key, "%s/sa.key", s->pki);
	const struct kube_auth_options o = { .tokens.key_path = key };
	int r = kube_auth_open(&o, &s->auth, e);
	if (r < 0)
		return r;
	s->authenticator = kube_auth_authenticator(s->auth);
	s->authorizer = kube_auth_authorizer(s->auth);
	s->reviewer = kube_auth_reviewer(s->auth);
	return 0;
}

static int open_store(struct server *s, struct err *e)
{
	char path[600];
	fmt_into(path, sizeof path, "%s/server/state.db", s->root);
	const struct store_options o = { .path = path };
	return store_open(s->loop, &o, &s->store, e);
}

int server_main(int argc, char **argv)
{
	struct server s = { .root = DEFAULT_ROOT, .run = DEFAULT_RUN, .config = DEFAULT_CONFIG, .listen = "0.0.0.0:6443", .cluster_cidr = "10.244.0.0/16", .fd = -1 };
	struct err e = { 0 };
	int r = read_flags(argc, argv, &s);
	if (r != 0)
		return r < 0 ? 2 : 0;
	arena_init(&s.arena, 1 << 20);
	r = loop_new(&s.loop, &e);
	if (r >= 0)
		r = split_address(&s, &e);
	if (r >= 0)
		r = prepare(&s, &e);
	if (r >= 0)
		r = open_auth(&s, &e);
	char folder[600];
	fmt_into(folder, sizeof folder, "%s/server", s.root);
	if (r >= 0)
		r = rights_drop(s.user, folder, &e);
	if (r >= 0)
		r = open_store(&s, &e);
	if (r >= 0) {
		const struct tls_files kubelet = { .cert = s.kubelet_cert, .key = s.kubelet_key };
		const struct kube_api_config c = { .kubelet_tls = &kubelet, .authenticator = &s.authenticator, .authorizer = &s.authorizer, .reviewer = &s.reviewer,
			.store = s.store, .build = CORACLE_VERSION, .advertise_host = s.host[0] ? s.host : NULL, .advertise_port = s.port };
		fiber_set_limit(s.loop, 40000);
		r = kube_api_new(s.loop, &c, &s.api, &e);
	}
	if (r >= 0) {
		loop_signal(s.loop, SIGTERM, on_signal, &s);
		loop_signal(s.loop, SIGINT, on_signal, &s);
		r = fiber_start(s.loop, "start", start_fiber, &s);
		if (r >= 0)
			r = loop_run(s.loop);
	}
	if (r < 0)
		log_error("server cannot run", "error=%s", e.text);
	kube_api_free(s.api);
	if (s.store)
		store_close(s.store);
	tls_config_free(s.tls);
	kube_auth_free(s.auth);
	kube_ca_free(s.ca);
	arena_release(&s.arena);
	loop_free(s.loop);
	return r < 0 ? 1 : s.exit_code;
}
