// SPDX-License-Identifier: Apache-2.0
/*
 * The process around the server: control socket, upstream connections,
 * dropping of rights. One instance a RUN folder: the second one finds the lock
 * taken and leaves.
 */
#include "dns/dns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "base/rand.h"
#include "dns/message.h"
#include "dns/server.h"
#include "io/loop.h"

enum { PACKET_MAX = 128 * 1024, LIST_AT_ONCE = 500, CONTROLS_MOST = 8, UPSTREAMS_READ = 3, DNS_PORT = 53, RESOLV_MAX_BYTES = 64 * 1024 };

struct process {
	struct loop *loop;
	struct dns_server *server;
	struct watch listener;
	unsigned n_controls;
	int64_t linger_ns;              /* how long to stay with nothing held and nobody connected; 0 for ever */
	struct timer linger;
	const char *resolv_path;
	int64_t resolv_changed;
	struct dns_upstream upstreams[UPSTREAMS_READ];
	unsigned n_upstreams;
};
struct control { struct process *process; struct watch watch; };

/* --- upstream */

static void follow_resolv_conf(struct process *p)
{
	struct stat s;
	bool there = stat(p->resolv_path, &s) == 0;
	int64_t changed = there ? s.st_mtim.tv_sec * 1000000000LL + s.st_mtim.tv_nsec : -1;
	if (changed == p->resolv_changed)
		return;
	AUTO(buf) struct buf text = BUF_INIT(RESOLV_MAX_BYTES);
	p->resolv_changed = changed;
	p->n_upstreams = there && file_read(AT_FDCWD, p->resolv_path, &text) >= 0 ? dns_upstreams(buf_slice(&text), p->upstreams, UPSTREAMS_READ) : 0;
}

static int connect_to(const char *addr, bool tcp)
{
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(DNS_PORT) };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(DNS_PORT) };
	bool is_four = inet_pton(AF_INET, addr, &four.sin_addr) == 1;
	if (!is_four && inet_pton(AF_INET6, addr, &six.sin6_addr) != 1)
		return -EINVAL;
	AUTO(close) int fd = socket(is_four ? AF_INET : AF_INET6, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	int r = is_four ? connect(fd, (struct sockaddr *)&four, sizeof four) : connect(fd, (struct sockaddr *)&six, sizeof six);
	return r < 0 && errno != EINPROGRESS ? -errno : take_fd(&fd);
}

static int connect_upstream(void *arg, const struct dns_box *box, unsigned i, bool tcp)
{
	struct process *p = arg;
	if (box->n_servers)
		return i < box->n_servers ? connect_to(box->servers[i], tcp) : -ENOENT;
	follow_resolv_conf(p);
	return i < p->n_upstreams ? connect_to(p->upstreams[i].addr, tcp) : -ENOENT;
}

static uint16_t random16(void *arg)
{
	uint16_t v;
	rand_bytes(&v, sizeof v);
	return v;
}

/* --- control */

static void answer(struct control *c, const struct dns_answer *a)
{
	AUTO(buf) struct buf out = BUF_INIT(PACKET_MAX);
	if (schema_to_json(T_dns_answer, a, 0, &out) >= 0 && buf_error(&out) == 0)
		fd_send(c->watch.fd, out.ptr, out.len, NULL, 0);
}

static void answer_list(struct control *c)
{
	size_t pos = 0;
	bool more = true;
	while (more) {
		const char *v[LIST_AT_ONCE];
		struct dns_answer a = { .containers = v };
		while (a.n_containers < LIST_AT_ONCE && (v[a.n_containers] = dns_server_next(c->process->server, &pos)))
			a.n_containers++;
		more = a.more = a.n_containers == LIST_AT_ONCE;
		answer(c, &a);
	}
}

static int take_service(struct dns_zone *z, const char *op, const struct dns_service *s, struct err *e)
{
	if (!z)
		return err_set(e, ENOENT, "no cluster is served");
	if (!strcmp(op, "service"))
		return dns_zone_set(z, s, e);
	if (!strcmp(op, "service-remove"))
		dns_zone_remove(z, s->namespace ? s->namespace : "", s->name ? s->name : "");
	else if (!strcmp(op, "services-begin"))
		dns_zone_begin(z);
	else if (!strcmp(op, "services-end"))
		dns_zone_end(z);
	else
		return err_set(e, EINVAL, "no such request: \"%s\"", op);
	return 0;
}

static void take_request(struct control *c, struct slice text, int fds[2], size_t n_fds)
{
	AUTO(arena) struct arena a;
	arena_init(&a, 4 * PACKET_MAX);
	struct dns_request q;
	struct err e = { 0 };
	int r = schema_from_json(T_dns_request, text, 0, &a, &q, &e);
	const char *op = r < 0 || !q.op ? "" : q.op;
	if (!strcmp(op, "list"))
		return answer_list(c);
	if (!strcmp(op, "set")) {
		bool both = n_fds == 2 && q.sockets;
		r = dns_server_set(c->process->server, &q, both ? fds[0] : -1, both ? fds[1] : -1, &e);
		if (r == 0 && both)
			fds[0] = fds[1] = -1;
	} else if (!strcmp(op, "remove")) {
		dns_server_remove(c->process->server, q.container ? q.container : "");
	} else if (!strcmp(op, "cluster")) {
		bool both = n_fds == 2 && q.sockets;
		r = dns_server_cluster(c->process->server, q.domain && *q.domain ? q.domain : NULL, both ? fds[0] : -1, both ? fds[1] : -1, &e);
		if (r == 0 && both)
			fds[0] = fds[1] = -1;
	} else if (!strncmp(op, "service", 7)) {
		r = take_service(dns_server_zone(c->process->server), op, &q.service, &e);
	} else if (!strcmp(op, "stop")) {
		loop_stop(c->process->loop);
	} else {
		r = err_set(&e, EINVAL, "no such request: \"%s\"", op);
	}
	answer(c, &(struct dns_answer){ .error = r < 0 ? e.text : NULL });
}

static void linger_over(struct timer *t)
{
	struct process *p = container_of(t, struct process, linger);
	size_t pos = 0;
	if (p->n_controls == 0 && !dns_server_zone(p->server) && !dns_server_next(p->server, &pos))
		loop_stop(p->loop);
}

static void linger(struct process *p)
{
	if (p->linger_ns && p->n_controls == 0)
		timer_set(p->loop, &p->linger, p->linger_ns, linger_over);
}

static void control_free(struct control *c)
{
	struct process *p = c->process;
	watch_del(&c->watch);
	close(c->watch.fd);
	p->n_controls--;
	free(c);
	linger(p);
}

static void control_ready(struct watch *w, unsigned events)
{
	struct control *c = container_of(w, struct control, watch);
	AUTO(free) char *room = malloc(PACKET_MAX);
	int fds[2] = { -1, -1 };
	size_t n_fds = 2;
	if (!room)
		return control_free(c);
	ssize_t n = fd_recv(w->fd, room, PACKET_MAX, fds, &n_fds);
	if (n == -EAGAIN)
		return;
	if (n <= 0)
		return control_free(c);
	take_request(c, slice_n(room, (size_t)n), fds, n_fds);
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void listener_ready(struct watch *w, unsigned events)
{
	struct process *p = container_of(w, struct process, listener);
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	struct control *c = p->n_controls < CONTROLS_MOST ? calloc(1, sizeof *c) : NULL;
	if (c)
		c->process = p;
	if (!c || watch_add(p->loop, &c->watch, fd, WATCH_READ, control_ready) < 0) {
		free(c);
		close(fd);
		return;
	}
	p->n_controls++;
}

/* --- start */

static int drop_rights(const char *user, struct err *e)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (geteuid() != 0)
		return 0;
	struct passwd *p = user ? getpwnam(user) : getpwnam("coracle");
	if (!p && !user)
		p = getpwnam("nobody");
	if (!p)
		return err_set(e, ENOENT, "no user %s", user ? user : "coracle or nobody");
	gid_t gid = p->pw_gid;
	uid_t uid = p->pw_uid;
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return err_sys(e, errno, "become user %s", p->pw_name);
	return 0;
}

/* 1 when another instance serves this folder. */
static int take_lock(const char *run, struct err *e)
{
	char path[4096];
	if (!fmt_into(path, sizeof path, "%s/dns.lock", run))
		return err_set(e, ENAMETOOLONG, "folder %s", run);
	int r = dir_make(AT_FDCWD, run, 0755);
	int fd = r < 0 ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, r < 0 ? r : errno, "open %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;       /* kept open until the process ends */
	close(fd);
	return 1;
}

static int serve(struct process *p, const char *run, const char *user, struct err *e)
{
	char path[4096];
	if (!fmt_into(path, sizeof path, "%s/dns.sock", run))
		return err_set(e, ENAMETOOLONG, "folder %s", run);
	int r = loop_new(&p->loop, e);
	if (r < 0)
		return r;
	struct dns_seams seams = { connect_upstream, random16, p };
	if ((r = dns_server_new(p->loop, &seams, &p->server)) < 0)
		return err_nomem(e);
	unlink(path);
	int fd = unix_listen(path, 0600, SOCK_SEQPACKET, e);
	if (fd < 0)
		return fd;
	fd_set_nonblock(fd, true);
	if ((r = drop_rights(user, e)) < 0)
		return r;
	if ((r = watch_add(p->loop, &p->listener, fd, WATCH_READ, listener_ready)) < 0)
		return err_sys(e, r, "listen on %s", path);
	linger(p);
	log_info("serving names of containers", "socket=%s uid=%u", path, (unsigned)geteuid());
	r = loop_run(p->loop);
	unlink(path);           /* in vain without rights; the next instance does it */
	return r;
}

int dns_main(int argc, char **argv)
{
	struct process p = { .resolv_path = "/etc/resolv.conf", .resolv_changed = INT64_MIN };
	const char *run = "/run/coracle", *user = NULL, *seconds = "0";
	uint64_t n_seconds;
	struct { const char *flag; const char **to; } flags[] = { { "--run", &run }, { "--user", &user }, { "--resolv-conf", &p.resolv_path },
		{ "--linger", &seconds } };
	for (int i = 1; i < argc; i++) {
		size_t k = 0, n = 0;
		while (k < ARRAY_LEN(flags) && (n = strlen(flags[k].flag), strncmp(argv[i], flags[k].flag, n) || (argv[i][n] && argv[i][n] != '=')))
			k++;
		if (k == ARRAY_LEN(flags) || (!argv[i][n] && i + 1 == argc)) {
			fprintf(stderr, "coracled dns: unknown flag or missing value: %s\nusage: coracled dns [--run DIR] [--user NAME] [--resolv-conf FILE] [--linger SECONDS]\n", argv[i]);
			return 2;
		}
		*flags[k].to = argv[i][n] ? argv[i] + n + 1 : argv[++i];
	}
	if (num_parse_u64(slice_of(seconds), 1000000, &n_seconds) < 0) {
		fprintf(stderr, "coracled dns: --linger wants a number of seconds, not %s\n", seconds);
		return 2;
	}
	p.linger_ns = (int64_t)n_seconds * NS_PER_S;
	signal(SIGPIPE, SIG_IGN);
	struct err e = { 0 };
	int r = take_lock(run, &e);
	if (r > 0)
		return 0;
	if (r == 0)
		r = serve(&p, run, user, &e);
	if (r < 0) {
		log_error("the dns process ends", "error=\"%s\"", e.text[0] ? e.text : err_name(-r));
		return 1;
	}
	return 0;
}
