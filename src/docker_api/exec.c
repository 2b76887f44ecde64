/* SPDX-License-Identifier: Apache-2.0 */
/* /exec */
#include <errno.h>

#include "base/num.h"
#include "docker_api/api_int.h"

static int create(struct http_request *r, struct err *e)
{
	struct docker_exec_create body;
	char id[65];
	int ret = body_json(r, T_docker_exec_create, &body, false, e);
	if (ret == 0)
		ret = exec_create_wait(engine_of(r), http_param(r, "id"), &body, id, e);
	struct docker_id out = { .id = id };
	return ret < 0 ? ret : reply_json(r, 201, T_docker_id, &out);
}

static int start(struct http_request *r, struct err *e)
{
	struct docker_exec_start body;
	struct exec_brief brief;
	const char *id = http_param(r, "id");
	int ret = body_json(r, T_docker_exec_start, &body, true, e);
	if (ret == 0)
		ret = exec_start_check(engine_of(r), id, &body, &brief, e);
	if (ret < 0)
		return ret;
	if (body.detach) {
		ret = exec_start_wait(engine_of(r), id, &body, NULL, e);
		return ret < 0 ? ret : reply_empty(r, 200);
	}
	struct stream *client;
	ret = hijack_wait(r, brief.tty, &client);
	if (ret < 0)
		return ret;
	exec_start_wait(engine_of(r), id, &body, client, NULL);
	return 0;
}

static int inspect(struct http_request *r, struct err *e)
{
	struct docker_exec_inspect out;
	int ret = exec_inspect(engine_of(r), http_param(r, "id"), r->arena, &out, e);
	return ret < 0 ? ret : reply_json(r, 200, T_docker_exec_inspect, &out);
}

static int resize(struct http_request *r, struct err *e)
{
	const char *hs = query(r, "h"), *ws = query(r, "w");
	int64_t h, w;
	if (num_parse_i64(slice_of(hs ? hs : ""), 0, UINT16_MAX, &h) < 0)
		return err_set(e, EINVAL, "invalid resize height \"%s\": invalid syntax", hs ? hs : "");
	if (num_parse_i64(slice_of(ws ? ws : ""), 0, UINT16_MAX, &w) < 0)
		return err_set(e, EINVAL, "invalid resize width \"%s\": invalid syntax", ws ? ws : "");
	int ret = exec_resize_wait(engine_of(r), http_param(r, "id"), (unsigned)h, (unsigned)w, e);
	return ret < 0 ? ret : reply_empty(r, 200);
}

const struct http_route routes_exec[] = {
	{ "POST", "/containers/{id}/exec", create },
	{ "POST", "/exec/{id}/start", start },
	{ "POST", "/exec/{id}/resize", resize },
	{ "GET", "/exec/{id}/json", inspect },
	{ 0 }
};
