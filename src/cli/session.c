/* SPDX-License-Identifier: Apache-2.0 */
/* Attached streams. See session.h. */
#include "cli/session.h"
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include "base/fd.h"
#include "cli/config.h"
#include "io/fiber.h"

enum { CHUNK = 16 << 10, FRAME_HEAD = 8 };

/* The terminal as we found it; given back at exit, whatever the way out. */
static struct termios terminal_before;
static bool terminal_is_raw;

static void terminal_restore(void)
{
	if (terminal_is_raw)
		tcsetattr(0, TCSANOW, &terminal_before);
	terminal_is_raw = false;
}

static void terminal_raw(void)
{
	struct termios raw;

	if (terminal_is_raw || tcgetattr(0, &terminal_before) < 0)
		return;
	raw = terminal_before;
	cfmakeraw(&raw);
	if (tcsetattr(0, TCSANOW, &raw) == 0) {
		terminal_is_raw = true;
		atexit(terminal_restore);
	}
}

int session_check_tty(struct cli *c, bool input, bool tty, struct err *e)
{
	return input && tty && !isatty(0) ? err_set(e, ENOTTY, "the input device is not a TTY") : 0;
}

/* --- detach keys --------------------------------------------------------------- */

int session_keys_parse(const char *keys, uint8_t bytes[16], size_t *ret_n, struct err *e)
{
	struct slice rest = slice_of(keys), key;
	static const char marks[] = "@[\\]^_";

	*ret_n = 0;
	while (slice_next(&rest, ',', &key)) {
		uint8_t b = 0;
		if (key.len == 1)
			b = (uint8_t)key.ptr[0];
		else if (slice_starts(key, "ctrl-") && key.len == 6) {
			char k = key.ptr[5];
			const char *mark = strchr(marks, k);
			b = k >= 'a' && k <= 'z' ? (uint8_t)(k - 'a' + 1) : k == '@' ? 0 : mark && k ? (uint8_t)(26 + (mark - marks)) : 255;
		} else
			b = 255;
		if (b == 255 || *ret_n == 16)
			return err_set(e, EINVAL, "invalid detach keys (%s): Unknown character: '%.*s'", keys, SLICE_FMT(key));
		bytes[(*ret_n)++] = b;
	}
	return 0;
}

const char *session_keys(struct cli *c)
{
	const char *flag = flag_known(&c->f, "detach-keys") ? flag_str(&c->f, "detach-keys") : "", *conf = config_get(c)->detach_keys;
	return *flag ? flag : conf ? conf : "";
}

/* Bytes of `p` that may go on; *ret_n of them in out. True when the keys were typed. */
static bool filter_keys(struct session *s, const uint8_t *p, size_t n, uint8_t *out, size_t *ret_n)
{
	*ret_n = 0;
	for (size_t i = 0; i < n; i++) {
		if (s->n_keys && p[i] == s->key_bytes[s->matched]) {
			if (++s->matched == s->n_keys)
				return true;
			continue;
		}
		memcpy(out + *ret_n, s->key_bytes, s->matched);
		*ret_n += s->matched;
		s->matched = s->n_keys && p[i] == s->key_bytes[0] ? 1 : 0;
		if (!s->matched)
			out[(*ret_n)++] = p[i];
	}
	return false;
}

/* --- input --------------------------------------------------------------------- */

static void copy_input(void *arg)
{
	struct session *s = arg;
	uint8_t in[CHUNK], out[CHUNK + 32];
	size_t keep;
	ssize_t n = 1;

	for (;;) {
		/* a plain file is always ready, and epoll does not take it */
		int r = fd_wait(0, WATCH_READ, -1);
		if (r < 0 && r != -EPERM)
			break;
		n = read(0, in, sizeof in);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			break;
		const uint8_t *p = in;
		keep = (size_t)n;
		if (s->tty) {
			p = out;
			s->detached = filter_keys(s, in, (size_t)n, out, &keep);
		}
		if ((keep && stream_write_wait(s->conn, p, keep) < 0) || s->detached)
			break;
	}
	if (s->detached && s->reader)
		fiber_cancel(s->reader);
	else if (n == 0)
		stream_shutdown_wait(s->conn);
}

/* --- size and signals ---------------------------------------------------------- */

void session_resize_wait(struct session *s)
{
	struct winsize ws;

	if (!s->resize_path || ioctl(1, TIOCGWINSZ, &ws) < 0 || !ws.ws_row || !ws.ws_col)
		return;
	api_do_wait(s->c, "POST", cli_fmt(s->c, "%s/resize?h=%u&w=%u", s->resize_path, ws.ws_row, ws.ws_col), NULL);
}

static void resize_fiber(void *arg)
{
	session_resize_wait(arg);
}

struct passed_signal { struct session *s; int signal; };

static void kill_fiber(void *arg)
{
	struct passed_signal *x = arg;
	api_do_wait(x->s->c, "POST", cli_fmt(x->s->c, "%s/kill?signal=%s", x->s->kill_path, sigabbrev_np(x->signal)), NULL);
	free(x);
}

static void on_signal(void *arg, int signal)
{
	struct session *s = arg;

	if (signal == SIGWINCH) {
		if (s->tty)
			fiber_start(s->c->loop, "resize", resize_fiber, s);
		return;
	}
	struct passed_signal *x = malloc(sizeof *x);
	if (!x)
		return;
	*x = (struct passed_signal){ s, signal };
	if (fiber_start(s->c->loop, "kill", kill_fiber, x) < 0)
		free(x);
}

void session_begin(struct session *s)
{
	static const int passed[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGCONT };

	s->c->long_error = NULL;
	session_keys_parse(*s->keys ? s->keys : "ctrl-p,ctrl-q", s->key_bytes, &s->n_keys, NULL);
	if (s->kill_path)
		for (size_t i = 0; i < ARRAY_LEN(passed); i++)
			loop_signal(s->c->loop, passed[i], on_signal, s);
	if (s->tty && s->resize_path)
		loop_signal(s->c->loop, SIGWINCH, on_signal, s);
	if (s->tty && s->input)
		terminal_raw();
}

/* --- output -------------------------------------------------------------------- */

static ssize_t read_stream(void *arg, void *p, size_t n)
{
	return stream_read_wait(arg, p, n);
}

static int write_out(int fd, const void *p, size_t n, struct err *e)
{
	int r = fd_write_all(fd, p, n);
	return r < 0 ? err_sys(e, r, "write the output") : 0;
}

int session_demux_wait(session_read_fn rd, void *arg, bool raw, struct err *e)
{
	AUTO(buf) struct buf in = BUF_INIT(4 << 20);
	char chunk[CHUNK];
	uint32_t left = 0;
	int fd = 1, r;
	ssize_t n;

	while ((n = rd(arg, chunk, sizeof chunk)) > 0) {
		if (raw) {
			if ((r = write_out(1, chunk, (size_t)n, e)) < 0)
				return r;
			continue;
		}
		buf_add(&in, chunk, (size_t)n);
		size_t at = 0;
		for (;;) {
			size_t have = in.len - at;
			if (left) {
				size_t take = MIN((size_t)left, have);
				if (!take)
					break;
				if ((r = write_out(fd, in.ptr + at, take, e)) < 0)
					return r;
				at += take;
				left -= (uint32_t)take;
				continue;
			}
			if (have < FRAME_HEAD)
				break;
			const uint8_t *h = (const uint8_t *)in.ptr + at;
			if (h[0] > 3)
				return err_set(e, EBADMSG, "Unrecognized input header: %d", h[0]);
			fd = h[0] == 2 || h[0] == 3 ? 2 : 1;
			left = (uint32_t)h[4] << 24 | (uint32_t)h[5] << 16 | (uint32_t)h[6] << 8 | h[7];
			at += FRAME_HEAD;
		}
		buf_drop(&in, at);
	}
	return n == 0 || n == -ECONNRESET ? 0 : (int)n;
}

int session_run_wait(struct session *s, struct err *e)
{
	int r;

	s->reader = fiber_self();
	if (s->input && fiber_start(s->c->loop, "input", copy_input, s) < 0)
		return err_nomem(e);
	r = session_demux_wait(read_stream, s->conn, s->tty, e);
	s->reader = NULL;
	if (s->detached)
		return 0;
	return r < 0 && !e->code ? err_sys(e, r, "read the container's output") : r;
}

void session_end(struct session *s)
{
	terminal_restore();
}
