/* SPDX-License-Identifier: Apache-2.0 */
/* /containers */
#include <errno.h>

#include "base/clock.h"
#include "base/num.h"
#include "codec/base64.h"
#include "docker_api/api_int.h"
#include "http/ws.h"

static const char *id_of(const struct http_request *r)
{
	return http_param(r, "id");
}

static int list(struct http_request *r, struct err *e)
{
	struct container_list how = { .all = query_bool(r, "all"), .size = query_bool(r, "size") };
	int ret = query_i64(r, "limit", 0, &how.limit, e);
	if (ret == 0)
		ret = query_filters(r, &how.filters, e);
	struct docker_container_summaries out = { 0 };
	if (ret == 0)
		ret = container_list_wait(engine_of(r), &how, r->arena, &out, e);
	return ret < 0 ? ret : reply_json(r, 200, T_docker_container_summaries, &out);
}

static int create(struct http_request *r, struct err *e)
{
	struct docker_container_create body;
	struct docker_container_created out;
	int ret = body_json(r, T_docker_container_create, &body, false, e);
	if (ret < 0)
		return ret;
	struct container_create how = { .body = &body, .name = query(r, "name"), .platform = query(r, "platform"), .api = api_minor(r) };
	ret = container_create_wait(engine_of(r), &how, r->arena, &out, e);
	return ret < 0 ? ret : reply_json(r, 201, T_docker_container_created, &out);
}

static int inspect(struct http_request *r, struct err *e)
{
	struct docker_container_inspect out;
	int ret = container_inspect_wait(engine_of(r), id_of(r), query_bool(r, "size"), r->arena, &out, e);
	return ret < 0 ? ret : reply_json(r, 200, T_docker_container_inspect, &out);
}

static int start(struct http_request *r, struct err *e)
{
	int ret = container_start_wait(engine_of(r), id_of(r), e);
	return ret < 0 ? ret : reply_empty(r, 204);
}

/* ?t= and ?signal= */
static int timeout_of(struct http_request *r, int64_t *ret_s, const char **signal, struct err *e)
{
	*signal = api_minor(r) >= 42 ? query(r, "signal") : NULL;
	if (*signal && !**signal)
		*signal = NULL;
	return query_i64(r, "t", -2, ret_s, e);
}

static int stop(struct http_request *r, struct err *e)
{
	int64_t t;
	const char *signal;
	int ret = timeout_of(r, &t, &signal, e);
	if (ret == 0)
		ret = container_stop_wait(engine_of(r), id_of(r), signal, t, e);
	return ret < 0 ? ret : reply_empty(r, 204);
}

static int restart(struct http_request *r, struct err *e)
{
	int64_t t;
	const char *signal;
	int ret = timeout_of(r, &t, &signal, e);
	if (ret == 0)
		ret = container_restart_wait(engine_of(r), id_of(r), signal, t, e);
	return ret < 0 ? ret : reply_empty(r, 204);
}

static int kill_(struct http_request *r, struct err *e)
{
	int ret = container_kill_wait(engine_of(r), id_of(r), query(r, "signal"), e);
	return ret < 0 ? ret : reply_empty(r, 204);
}

static int pause_(struct http_request *r, struct err *e)
{
	int ret = container_pause_wait(engine_of(r), id_of(r), e);
	return ret < 0 ? ret : reply_empty(r, 204);
}

static int unpause(struct http_request *r, struct err *e)
{
	int ret = container_unpause_wait(engine_of(r), id_of(r), e);
	return ret < 0 ? ret : reply_empty(r, 204);
}

static int rename_(struct http_request *r, struct err *e)
{
	int ret = container_rename_wait(engine_of(r), id_of(r), query(r, "name"), e);
	return ret < 0 ? ret : reply_empty(r, 204);
}

static int update(struct http_request *r, struct err *e)
{
	struct docker_container_update body;
	struct docker_container_updated out;
	int ret = body_json(r, T_docker_container_update, &body, false, e);
	if (ret == 0)
		ret = container_update_wait(engine_of(r), id_of(r), &body, body.restart_policy.name && *body.restart_policy.name, r->arena, &out, e);
	return ret < 0 ? ret : reply_json(r, 200, T_docker_container_updated, &out);
}

static int remove_(struct http_request *r, struct err *e)
{
	int ret = container_remove_wait(engine_of(r), id_of(r), query_bool(r, "force"), query_bool(r, "v"), query_bool(r, "link"), e);
	return ret < 0 ? ret : reply_empty(r, 204);
}

static int prune(struct http_request *r, struct err *e)
{
	struct filters f;
	struct docker_containers_pruned out;
	int ret = query_filters(r, &f, e);
	if (ret == 0)
		ret = container_prune_wait(engine_of(r), &f, r->arena, &out, e);
	return ret < 0 ? ret : reply_json(r, 200, T_docker_containers_pruned, &out);
}

static int size_of(struct http_request *r, unsigned *h, unsigned *w, struct err *e)
{
	const char *hs = query(r, "h"), *ws = query(r, "w");
	int64_t a, b;
	if (num_parse_i64(slice_of(hs ? hs : ""), 0, UINT16_MAX, &a) < 0)
		return err_set(e, EINVAL, "invalid resize height \"%s\": invalid syntax", hs ? hs : "");
	if (num_parse_i64(slice_of(ws ? ws : ""), 0, UINT16_MAX, &b) < 0)
		return err_set(e, EINVAL, "invalid resize width \"%s\": invalid syntax", ws ? ws : "");
	*h = (unsigned)a;
	*w = (unsigned)b;
	return 0;
}

static int resize(struct http_request *r, struct err *e)
{
	unsigned h = 0, w = 0;
	int ret = size_of(r, &h, &w, e);
	if (ret == 0)
		ret = container_resize_wait(engine_of(r), id_of(r), h, w, e);
	return ret < 0 ? ret : reply_empty(r, 200);
}

static int top(struct http_request *r, struct err *e)
{
	struct docker_container_top out;
	const char *args = query(r, "ps_args");
	int ret = container_top_wait(engine_of(r), id_of(r), args ? args : "-ef", r->arena, &out, e);
	return ret < 0 ? ret : reply_json(r, 200, T_docker_container_top, &out);
}

static int changes(struct http_request *r, struct err *e)
{
	struct docker_container_changes out;
	int ret = container_changes_wait(engine_of(r), id_of(r), r->arena, &out, e);
	return ret < 0 ? ret : reply_json(r, 200, T_docker_container_changes, &out);
}

/* The head goes out at once: clients start the container only when it is there. */
static int wait_(struct http_request *r, struct err *e)
{
	static const struct { const char *name; enum container_condition c; } conditions[] = {
		{ "", CONTAINER_NOT_RUNNING }, { "not-running", CONTAINER_NOT_RUNNING }, { "next-exit", CONTAINER_NEXT_EXIT },
		{ "removed", CONTAINER_REMOVED },
	};
	const char *name = query(r, "condition");
	size_t i = 0;
	while (i < ARRAY_LEN(conditions) && strcmp(conditions[i].name, name ? name : ""))
		i++;
	if (i == ARRAY_LEN(conditions))
		return err_set(e, EINVAL, "invalid condition: \"%s\"", name);
	struct container_waiter *w;
	int ret = container_waiter_new(engine_of(r), id_of(r), conditions[i].c, &w, e);
	if (ret < 0)
		return ret;
	ret = http_begin_wait(r, 200, "application/json");
	struct docker_wait_exit_error error = { 0 };
	struct docker_container_wait out = { 0 };
	while (ret == 0) {
		ret = container_waiter_wait(w, 5 * NS_PER_S, &out.status_code, &error.message);
		if (ret != -ETIMEDOUT)
			break;
		ret = http_peer_gone(r) ? -EPIPE : 0;
	}
	if (ret == 0) {
		out.error = error.message ? &error : NULL;
		AUTO(buf) struct buf b = BUF_INIT(64 * 1024);
		schema_to_json(T_docker_container_wait, &out, SCHEMA_NEWLINE, &b);
		ret = http_write_wait(r, b.ptr, b.len);
	}
	container_waiter_free(w);
	return ret;
}

/* --- streams */
static int attach(struct http_request *r, struct err *e)
{
	struct container_attach how = { .is_stdin = query_bool(r, "stdin"), .is_stdout = query_bool(r, "stdout"), .is_stderr = query_bool(r, "stderr"),
		.stream = query_bool(r, "stream"), .logs = query_bool(r, "logs"), .detach_keys = query(r, "detachKeys") };
	struct container_brief brief;
	int ret = container_attach_check(engine_of(r), id_of(r), &how, &brief, r->arena, e);
	if (ret < 0)
		return ret;
	struct stream *client;
	ret = hijack_wait(r, brief.tty, &client);
	if (ret < 0)
		return ret;
	container_attach_wait(engine_of(r), brief.id, &how, client, NULL);
	return 0;
}

/* The same over a WebSocket: raw bytes in messages, never framed. */
static int attach_ws(struct http_request *r, struct err *e)
{
	struct container_attach how = { .is_stdin = query_bool(r, "stdin"), .is_stdout = query_bool(r, "stdout"), .is_stderr = query_bool(r, "stderr"),
		.stream = query_bool(r, "stream"), .logs = query_bool(r, "logs"), .detach_keys = query(r, "detachKeys") };
	struct container_brief brief;
	int ret = container_attach_check(engine_of(r), id_of(r), &how, &brief, r->arena, e);
	if (ret < 0)
		return ret;
	if (!ws_wanted(r))
		return err_set(e, EINVAL, "websocket: the client does not ask for an upgrade");
	if (!brief.tty)
		return err_set(e, EOPNOTSUPP, "attaching over a WebSocket needs a container with a terminal");
	struct stream *client;
	ret = ws_accept_wait(r, NULL, true, &client, e);
	if (ret < 0)
		return ret;
	container_attach_wait(engine_of(r), brief.id, &how, client, NULL);
	return 0;
}

static int sink_write(void *arg, const void *p, size_t n)
{
	return http_write_wait(arg, p, n);
}

static bool sink_gone(void *arg)
{
	return http_peer_gone(arg);
}

static int logs_time(struct http_request *r, const char *name, int64_t *ret, struct err *e)
{
	const char *s = query(r, name);
	*ret = 0;
	if (!s || !*s || !strcmp(s, "0"))
		return 0;
	if (api_time_parse(s, clock_realtime_ns(), ret) < 0)
		return err_set(e, EINVAL, "invalid value for \"%s\": failed to parse value as time or duration: \"%s\"", name, s);
	return 0;
}

static int logs(struct http_request *r, struct err *e)
{
	struct container_logs how = { .follow = query_bool(r, "follow"), .is_stdout = query_bool(r, "stdout"), .is_stderr = query_bool(r, "stderr"),
		.timestamps = query_bool(r, "timestamps"), .details = query_bool(r, "details"), .tail = -1 };
	if (!how.is_stdout && !how.is_stderr)
		return err_set(e, EINVAL, "Bad parameters: you must choose at least one stream");
	const char *tail = query(r, "tail");
	int ret = logs_time(r, "since", &how.since_ns, e);
	if (ret == 0)
		ret = logs_time(r, "until", &how.until_ns, e);
	if (ret < 0)
		return ret;
	if (tail && *tail && strcmp(tail, "all") && num_parse_i64(slice_of(tail), 0, INT64_MAX, &how.tail) < 0)
		how.tail = -1;
	struct container_brief brief;
	ret = container_logs_check(engine_of(r), id_of(r), &how, r->arena, &brief, e);
	if (ret < 0)
		return ret;
	ret = http_begin_wait(r, 200, raw_content_type(r, brief.tty));
	if (ret < 0)
		return ret;
	struct byte_sink out = { sink_write, sink_gone, r };
	return container_logs_wait(engine_of(r), brief.id, &how, &out, e);
}

static int stats(struct http_request *r, struct err *e)
{
	const char *s = query(r, "stream");
	bool stream = !s || query_bool(r, "stream"), one_shot = query_bool(r, "one-shot");
	if (stream && one_shot)
		return err_set(e, EINVAL, "cannot have stream=true and one-shot=true");
	struct container_brief brief;
	int ret = container_brief(engine_of(r), id_of(r), r->arena, &brief, e);
	if (ret < 0)
		return ret;
	struct docker_container_stats was = { 0 };
	bool have_was = false;
	struct arena a[2];
	arena_init(&a[0], 4 << 20);
	arena_init(&a[1], 4 << 20);
	if (stream)
		ret = http_begin_wait(r, 200, "application/json");
	for (unsigned i = 0; ret == 0; i++) {
		struct docker_container_stats now;
		arena_release(&a[i & 1]);
		ret = container_stats_wait(engine_of(r), brief.id, &a[i & 1], &now, e);
		if (ret < 0)
			break;
		if (have_was) {
			now.precpu_stats = was.cpu_stats;
			now.preread = was.read;
		}
		if (!stream && !one_shot && !have_was) {
			/* clients compute percentages from two samples */
			was = now;
			have_was = true;
			ret = sleep_wait(NS_PER_S);
			continue;
		}
		if (!stream) {
			ret = reply_json(r, 200, T_docker_container_stats, &now);
			break;
		}
		AUTO(buf) struct buf b = BUF_INIT(4 << 20);
		schema_to_json(T_docker_container_stats, &now, SCHEMA_NEWLINE, &b);
		ret = http_write_wait(r, b.ptr, b.len);
		was = now;
		have_was = true;
		if (ret == 0 && http_peer_gone(r))
			break;
		if (ret == 0)
			ret = sleep_wait(NS_PER_S);
	}
	arena_release(&a[0]);
	arena_release(&a[1]);
	return http_begun(r) && ret < 0 ? -EPIPE : ret;
}

/* --- files */
static int stat_header(struct http_request *r, const struct docker_path_stat *st)
{
	AUTO(buf) struct buf json = BUF_INIT(16 * 1024);
	AUTO(buf) struct buf b64 = BUF_INIT(32 * 1024);
	int ret = schema_to_json(T_docker_path_stat, st, 0, &json);
	if (ret == 0)
		ret = base64_encode(&b64, buf_slice(&json), false);
	return ret < 0 ? ret : http_header_add(r, "X-Docker-Container-Path-Stat", b64.ptr);
}

static int path_of(struct http_request *r, const char **ret, struct err *e)
{
	*ret = query(r, "path");
	if (!*ret || !**ret)
		return err_set(e, EINVAL, "bad parameter: 'path' cannot be empty");
	return 0;
}

static int archive_head(struct http_request *r, struct err *e)
{
	const char *path;
	struct docker_path_stat st;
	int ret = path_of(r, &path, e);
	if (ret == 0)
		ret = container_path_stat_wait(engine_of(r), id_of(r), path, r->arena, &st, e);
	if (ret == 0)
		ret = stat_header(r, &st);
	return ret < 0 ? ret : reply_empty(r, 200);
}

static int send_tar(struct http_request *r, struct tar_job *job, const char *type)
{
	int ret = http_begin_wait(r, 200, type);
	enum { CHUNK = 32 * 1024 };
	AUTO(free) char *chunk = malloc(CHUNK);
	while (ret == 0 && chunk) {
		ssize_t n = stream_read_wait(tar_job_stream(job), chunk, CHUNK);
		if (n <= 0) {
			ret = (int)n;
			break;
		}
		ret = http_write_wait(r, chunk, (size_t)n);
	}
	int end = tar_job_end_wait(job, NULL);
	return ret < 0 ? ret : end < 0 ? -EPIPE : 0;
}

static int archive_get(struct http_request *r, struct err *e)
{
	const char *path;
	struct docker_path_stat st;
	struct tar_job *job;
	int ret = path_of(r, &path, e);
	if (ret == 0)
		ret = container_archive_get_wait(engine_of(r), id_of(r), path, r->arena, &st, &job, e);
	if (ret < 0)
		return ret;
	stat_header(r, &st);
	return send_tar(r, job, "application/x-tar");
}

static int archive_put(struct http_request *r, struct err *e)
{
	const char *path;
	int ret = path_of(r, &path, e);
	if (ret == 0)
		ret = container_archive_put_wait(engine_of(r), id_of(r), path, http_body_stream(r), query_bool(r, "noOverwriteDirNonDir"),
						 query_bool(r, "copyUIDGID"), e);
	return ret < 0 ? ret : reply_empty(r, 200);
}

static int export_(struct http_request *r, struct err *e)
{
	struct tar_job *job;
	int ret = container_export_wait(engine_of(r), id_of(r), &job, e);
	return ret < 0 ? ret : send_tar(r, job, "application/octet-stream");
}

const struct http_route routes_containers[] = {
	{ "GET", "/containers/json", list },
	{ "POST", "/containers/create", create },
	{ "POST", "/containers/prune", prune },
	{ "GET", "/containers/{id}/json", inspect },
	{ "GET", "/containers/{id}/top", top },
	{ "GET", "/containers/{id}/logs", logs },
	{ "GET", "/containers/{id}/stats", stats },
	{ "GET", "/containers/{id}/changes", changes },
	{ "GET", "/containers/{id}/export", export_ },
	{ "HEAD", "/containers/{id}/archive", archive_head },
	{ "GET", "/containers/{id}/archive", archive_get },
	{ "PUT", "/containers/{id}/archive", archive_put },
	{ "POST", "/containers/{id}/start", start },
	{ "POST", "/containers/{id}/stop", stop },
	{ "POST", "/containers/{id}/restart", restart },
	{ "POST", "/containers/{id}/kill", kill_ },
	{ "POST", "/containers/{id}/pause", pause_ },
	{ "POST", "/containers/{id}/unpause", unpause },
	{ "POST", "/containers/{id}/rename", rename_ },
	{ "POST", "/containers/{id}/update", update },
	{ "POST", "/containers/{id}/resize", resize },
	{ "POST", "/containers/{id}/attach", attach },
	{ "GET", "/containers/{id}/attach/ws", attach_ws },
	{ "POST", "/containers/{id}/wait", wait_ },
	{ "DELETE", "/containers/{id}", remove_ },
	{ 0 }
};
