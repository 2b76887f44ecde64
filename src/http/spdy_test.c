// SPDX-License-Identifier: Apache-2.0
/* SPDY: our client against our server, the draft's bytes, and peers that break the rules or never update a window. */
#include <errno.h>
#include "base/clock.h"
#include "base/test.h"
#include "http/spdy.h"
#include "io/sim.h"

static struct loop *l;
static struct spdy *server, *client;
static struct stream *raw;
static char trace[256];
static unsigned n_opened, gone;
static struct spdy_stream *got[8];

static void say(const char *what)
{
	size_t at = strlen(trace);

	fmt_into(trace + at, sizeof trace - at, "%s ", what);
}

static void echo(void *arg)
{
	struct spdy_stream *st = arg;

	CHECK_INT(spdy_reply(st, NULL), 0);
	stream_copy_wait(&st->s, &st->s);
	stream_close(&st->s);
}

static void opened_echo(void *arg, struct spdy_stream *st)
{
	n_opened++;
	CHECK_SLICE(http_header_get(&st->headers, "streamtype"), "data");
	fiber_start(l, "echo", echo, st);
}

static void opened_hold(void *arg, struct spdy_stream *st)
{
	got[n_opened++] = st;
	spdy_reply(st, NULL);
}

static void is_gone(void *arg) { gone++; }

static const struct spdy_events echoes = { opened_echo, is_gone }, holds = { opened_hold, is_gone }, client_events = { NULL, is_gone };
static const struct http_header data_header[] = { { SLICE("streamType"), SLICE("data") }, { SLICE("port"), SLICE("80") } };
static const struct http_headers data_headers = { (struct http_header *)data_header, 2 };

static void begin(const struct spdy_events *events, size_t bytes, bool with_client)
{
	struct stream *a;
	struct err e;

	CHECK_OK(sim_loop_new(&l, &e), &e);
	CHECK_INT(stream_pair(l, bytes, &a, &raw), 0);
	CHECK_INT(spdy_new(a, true, events, NULL, &server), 0);
	spdy_go(server);
	if (!with_client)
		return;
	CHECK_INT(spdy_new(raw, false, &client_events, NULL, &client), 0);
	spdy_go(client);
}

static void run(void)
{
	CHECK_INT(loop_run(l), -EDEADLK);
}

static void end(void)
{
	run();
	CHECK_INT(fiber_count(l), 0);
	loop_free(l);
}

enum { MANY = 3000000 };

static void writer(void *arg)
{
	AUTO(free) char *p = malloc(MANY);

	for (int i = 0; i < MANY; i++)
		p[i] = (char)(i % 241);
	CHECK_INT(stream_write_wait(arg, p, MANY), 0);
	CHECK_INT(stream_shutdown_wait(arg), 0);
}

static void conversation(void *arg)
{
	struct spdy_stream *st;
	char p[5000];
	ssize_t n;
	int total = 0;

	CHECK_INT(spdy_open_wait(client, &data_headers, &st), 0);
	CHECK_INT(fiber_start(l, "writer", writer, &st->s), 0);
	while ((n = stream_read_wait(&st->s, p, sizeof p)) > 0)
		for (ssize_t i = 0; i < n; i++, total++)
			CHECK(p[i] == (char)(total % 241));
	CHECK_INT(n, 0);
	CHECK_INT(total, MANY);
	stream_close(&st->s);
	say("done");
}

static void many(void *arg)
{
	for (int i = 0; i < 5; i++)
		fiber_start(l, "conversation", conversation, NULL);
}

static void finish(void *arg)
{
	spdy_finish_wait(client, NS_PER_S);
	say("finished");
}

TEST(spdy_streams_carry_bytes_both_ways_beside_each_other)
{
	begin(&echoes, 10000, true);
	fiber_start(l, "many", many, NULL);
	run();
	CHECK_INT(n_opened, 5);
	CHECK_STR(trace, "done done done done done ");
	CHECK_INT(fiber_count(l), 0);
	fiber_start(l, "finish", finish, NULL);
	run();
	CHECK(spdy_gone(server) && spdy_gone(client));
	CHECK_INT(gone, 2);
	spdy_free(server);
	spdy_free(client);
	end();
}

static void refused(void *arg)
{
	struct spdy_stream *st;

	CHECK_INT(spdy_open_wait(client, &data_headers, &st), -ECONNREFUSED);
	say("refused");
}

TEST(a_side_without_a_handler_refuses_streams)
{
	static const struct spdy_events none = { NULL, NULL };

	begin(&none, 10000, true);
	fiber_start(l, "refused", refused, NULL);
	run();
	CHECK_STR(trace, "refused ");
	spdy_free(client);
	spdy_free(server);
	end();
}

static void stalled(void *arg)
{
	struct spdy_stream *st;
	char p[1000] = { 0 };
	int r;

	CHECK_INT(spdy_open_wait(client, &data_headers, &st), 0);
	st->s.timeout_ns = NS_PER_S;
	for (r = 0; r == 0;)
		r = stream_write_wait(&st->s, p, sizeof p);
	CHECK_INT(r, -ETIMEDOUT);
	say("stalled");
	/* another one is not held back by it */
	struct spdy_stream *other;

	CHECK_INT(spdy_open_wait(client, &data_headers, &other), 0);
	CHECK_INT(stream_write_wait(&other->s, "abc", 3), 0);
	CHECK_INT(stream_read_wait(&got[1]->s, p, 10), 3);
	/* and the first goes on when somebody reads */
	for (int i = 0; i < 200; i++)
		CHECK(stream_read_wait(&got[0]->s, p, sizeof p) > 0);
	CHECK_INT(stream_write_wait(&st->s, p, 10), 0);
	stream_close(&st->s);
	stream_close(&other->s);
	stream_close(&got[0]->s);
	stream_close(&got[1]->s);
	say("over");
}

TEST(a_window_that_is_full_stalls_its_stream_only)
{
	begin(&holds, 10000, true);
	fiber_start(l, "stalled", stalled, NULL);
	run();
	CHECK_STR(trace, "stalled over ");
	spdy_free(client);
	spdy_free(server);
	end();
}

/* --- a peer written by hand */

static struct spdy_block *block;

static void word(struct buf *b, uint32_t w)
{
	char p[4] = { (char)(w >> 24), (char)(w >> 16), (char)(w >> 8), (char)w };

	buf_add(b, p, 4);
}

static void control(struct buf *b, unsigned type, unsigned flags, struct slice payload)
{
	word(b, 0x80030000u | type);
	word(b, flags << 24 | (uint32_t)payload.len);
	buf_addslice(b, payload);
}

static void syn(struct buf *b, uint32_t id, unsigned flags, const struct http_headers *h)
{
	AUTO(buf) struct buf p = BUF_INIT(10000);

	word(&p, id);
	buf_add(&p, "\0\0\0\0\0\0", 6);
	CHECK_INT(spdy_block_encode(&block, h, &p), 0);
	control(b, 1, flags, buf_slice(&p));
}

static void data(struct buf *b, uint32_t id, bool fin, size_t n)
{
	word(b, id);
	word(b, (fin ? 1u << 24 : 0) | (uint32_t)n);
	while (n--)
		buf_addc(b, (char)('a' + n % 26));
}

static struct buf sends;

static void send_all(void *arg)
{
	/* byte by byte where it is little, so that every state of the parser is left and entered again */
	for (size_t i = 0; i < sends.len && sends.len < 2000; i++)
		if (stream_write_wait(raw, sends.ptr + i, 1) < 0 || sleep_wait(1) < 0)
			return;
	if (sends.len >= 2000 && stream_write_wait(raw, sends.ptr, sends.len) < 0)
		return;
	say("sent");
}

static struct buf receives;

static void receive_all(void *arg)
{
	char p[4096];
	ssize_t n;

	while ((n = stream_read_wait(raw, p, sizeof p)) > 0)
		buf_add(&receives, p, (size_t)n);
	say(n == 0 ? "eof" : "error");
}

static void begin_raw(const struct spdy_events *events)
{
	begin(events, 5000, false);
	sends = BUF_INIT(4000000);
	receives = BUF_INIT(4000000);
	block = NULL;
}

static void end_raw(void)
{
	spdy_free(server);
	run();
	stream_close(raw);
	buf_release(&sends);
	buf_release(&receives);
	spdy_block_free(block);
	end();
}

/* The payload of the n-th frame of this kind (data: 0) that came, NULL without one. */
static const char *frame(unsigned type, unsigned n, size_t *len)
{
	const unsigned char *p = (const unsigned char *)receives.ptr, *e = p + receives.len;

	while (p + 8 <= e) {
		bool is_control = p[0] & 0x80;
		size_t k = (size_t)p[5] << 16 | (size_t)p[6] << 8 | p[7];

		if ((is_control ? (unsigned)p[2] << 8 | p[3] : 0) == type && n-- == 0) {
			*len = k;
			return (const char *)p + 8;
		}
		p += 8 + k;
	}
	return NULL;
}

static void exchange(void)
{
	fiber_start(l, "send", send_all, NULL);
	fiber_start(l, "receive", receive_all, NULL);
	run();
}

TEST(the_first_thing_said_is_settings_and_a_ping_comes_back)
{
	size_t n;
	const char *p;

	begin_raw(&echoes);
	control(&sends, 6, 0, SLICE("\0\0\0\7"));
	control(&sends, 6, 0, SLICE("\0\0\0\10"));       /* an answer to nothing */
	control(&sends, 77, 5, SLICE("whatever"));       /* unknown kinds are skipped */
	exchange();
	CHECK(!memcmp(receives.ptr, "\x80\x03\0\4\0\0\0\x14\0\0\0\2\0\0\0\4\0\0\4\0\0\0\0\7\0\4\0\0", 28));
	p = frame(6, 0, &n);
	CHECK(p && n == 4 && !memcmp(p, "\0\0\0\7", 4) && !frame(6, 1, &n));
	CHECK_STR(trace, "sent ");
	end_raw();
}

/* What a peer that breaks a rule gets: GOAWAY with PROTOCOL_ERROR, and the end. */
static void breaks(void)
{
	size_t n;
	const char *p;

	exchange();
	p = frame(7, 0, &n);
	CHECK(p && n == 8 && p[7] == 1);
	CHECK(strstr(trace, "eof"));
	CHECK_INT(gone, 1);
	end_raw();
}

TEST(another_version_of_spdy_is_a_broken_rule)
{
	begin_raw(&echoes);
	buf_add(&sends, "\x80\2\0\6\0\0\0\4\0\0\0\1", 12);
	breaks();
}

TEST(an_even_number_from_a_client_is_a_broken_rule)
{
	begin_raw(&echoes);
	syn(&sends, 2, 0, &data_headers);
	breaks();
}

TEST(a_number_that_goes_back_is_a_broken_rule)
{
	begin_raw(&echoes);
	syn(&sends, 5, 0, &data_headers);
	syn(&sends, 3, 0, &data_headers);
	breaks();
}

TEST(a_control_frame_without_end_is_a_broken_rule)
{
	begin_raw(&echoes);
	buf_add(&sends, "\x80\3\0\1\0\xff\xff\xff", 8);
	breaks();
}

TEST(a_control_frame_that_is_too_short_is_a_broken_rule)
{
	begin_raw(&echoes);
	control(&sends, 9, 0, SLICE("\0\0\0\1\0"));
	breaks();
}

TEST(headers_that_do_not_inflate_are_a_broken_rule)
{
	begin_raw(&echoes);
	control(&sends, 1, 0, SLICE("\0\0\0\1\0\0\0\0\0\0not zlib at all"));
	breaks();
}

TEST(data_on_stream_zero_is_a_broken_rule)
{
	begin_raw(&echoes);
	data(&sends, 0, false, 3);
	breaks();
}

TEST(settings_that_lie_about_their_number_are_a_broken_rule)
{
	begin_raw(&echoes);
	control(&sends, 4, 0, SLICE("\0\0\0\3\0\0\0\7\0\1\0\0"));
	breaks();
}

TEST(data_for_a_stream_that_never_was_resets_it)
{
	size_t n;
	const char *p;

	begin_raw(&echoes);
	data(&sends, 7, false, 3);
	exchange();
	p = frame(3, 0, &n);
	CHECK(p && n == 8 && !memcmp(p, "\0\0\0\7\0\0\0\2", 8));
	end_raw();
}

TEST(a_peer_without_flow_control_is_read_no_further_than_its_slowest_stream)
{
	char p[8192];
	size_t n, total = 0;

	begin_raw(&holds);
	syn(&sends, 1, 0, &data_headers);
	for (int i = 0; i < 60; i++)
		data(&sends, 1, i == 59, 40000);
	exchange();
	CHECK_STR(trace, "");                   /* still sending: what was read is bounded */
	CHECK(got[0]->in.len < 300000);
	while (total < 2400000) {
		ssize_t k = stream_read_now(&got[0]->s, p, sizeof p);

		if (k == -EAGAIN)
			run();
		else if (k > 0)
			total += (size_t)k;
		else
			break;
	}
	run();
	CHECK_INT(total, 2400000);
	CHECK_STR(trace, "sent ");
	CHECK_INT(stream_read_now(&got[0]->s, p, 1), 0);
	CHECK(frame(2, 0, &n));
	stream_close(&got[0]->s);
	end_raw();
}

static void write_much(void *arg)
{
	AUTO(free) char *p = calloc(1, 1000000);

	say(stream_write_wait(arg, p, 1000000) == 0 ? "written" : "failed");
}

TEST(a_peer_that_never_updates_a_window_still_gets_everything)
{
	begin_raw(&holds);
	syn(&sends, 1, 1, &data_headers);
	exchange();
	fiber_start(l, "write", write_much, &got[0]->s);
	run();
	CHECK_STR(trace, "sent written ");
	CHECK(receives.len > 1000000);
	stream_close(&got[0]->s);
	end_raw();
}

TEST(a_peer_that_has_said_settings_is_held_to_its_windows)
{
	size_t n;

	begin_raw(&holds);
	control(&sends, 4, 0, SLICE("\0\0\0\1\0\0\0\7\0\0\0\5"));
	syn(&sends, 1, 0, &data_headers);
	exchange();
	fiber_start(l, "write", write_much, &got[0]->s);
	run();
	CHECK(frame(0, 0, &n) && n == 5);
	CHECK(!frame(0, 1, &n));
	buf_reset(&sends);
	control(&sends, 9, 0, SLICE("\0\0\0\1\0\0\0\3"));
	fiber_start(l, "send", send_all, NULL);
	run();
	CHECK(frame(0, 1, &n) && n == 3);
	buf_reset(&sends);
	control(&sends, 3, 0, SLICE("\0\0\0\1\0\0\0\5"));
	fiber_start(l, "send", send_all, NULL);
	run();
	CHECK_STR(trace, "sent sent failed sent ");
	stream_close(&got[0]->s);
	end_raw();
}

TEST(a_stream_that_was_reset_ends_its_users)
{
	char p[10];

	begin_raw(&holds);
	syn(&sends, 1, 0, &data_headers);
	data(&sends, 1, false, 5);
	control(&sends, 3, 0, SLICE("\0\0\0\1\0\0\0\5"));       /* CANCEL */
	syn(&sends, 3, 0, &data_headers);
	control(&sends, 3, 0, SLICE("\0\0\0\3\0\0\0\6"));       /* INTERNAL_ERROR */
	exchange();
	CHECK_INT(n_opened, 2);
	CHECK_INT(stream_read_now(&got[0]->s, p, 10), 5);
	CHECK_INT(stream_read_now(&got[0]->s, p, 10), 0);
	CHECK_INT(stream_write_now(&got[0]->s, p, 1), -EPIPE);
	CHECK_INT(stream_read_now(&got[1]->s, p, 10), -ECONNRESET);
	stream_close(&got[0]->s);
	stream_close(&got[1]->s);
	end_raw();
}

TEST(streams_outlive_their_connection)
{
	char p[10];

	begin_raw(&holds);
	syn(&sends, 1, 0, &data_headers);
	data(&sends, 1, false, 5);
	exchange();
	spdy_free(server);
	server = NULL;
	CHECK_INT(stream_read_now(&got[0]->s, p, 10), 5);
	CHECK_INT(stream_read_now(&got[0]->s, p, 10), 0);
	CHECK_INT(stream_write_now(&got[0]->s, p, 1), -EPIPE);
	stream_close(&got[0]->s);
	end_raw();
}

TEST(header_blocks_are_checked_and_share_one_compressor)
{
	static const struct http_header v[] = { { SLICE("Port"), SLICE("80") }, { SLICE("x"), SLICE("1") }, { SLICE("X"), SLICE("2") } };
	const struct http_headers h = { (struct http_header *)v, 3 };
	AUTO(buf) struct buf b = BUF_INIT(10000);
	struct spdy_block *in = NULL, *out = NULL;
	struct http_headers back;
	struct arena a;

	arena_init(&a, 1 << 20);
	for (int i = 0; i < 3; i++) {
		buf_reset(&b);
		CHECK_INT(spdy_block_encode(&out, &h, &b), 0);
		CHECK(i == 0 || b.len < 30);
		CHECK_INT(spdy_block_decode(&in, buf_slice(&b), &a, &back), 0);
		CHECK_INT(back.n, 3);
		CHECK_SLICE(back.v[0].name, "port");
		CHECK_SLICE(back.v[2].value, "2");
	}
	buf_drop(&b, 1);
	CHECK_INT(spdy_block_decode(&in, buf_slice(&b), &a, &back), -EBADMSG);
	spdy_block_free(in);
	spdy_block_free(out);
	arena_release(&a);
}
