/* SPDX-License-Identifier: Apache-2.0 */
/* /volumes */
#include <errno.h>

#include "base/clock.h"
#include "docker_api/api_int.h"
#include "engine/volumes.h"

static int list(struct http_request *r, struct err *e)
{
	struct filters f;
	struct docker_volume_list out;
	int ret = query_filters(r, &f, e);
	if (ret == 0)
		ret = engine_volume_list(engine_of(r), &f, r->arena, &out, e);
	return ret < 0 ? ret : reply_json(r, 200, T_docker_volume_list, &out);
}

static int create(struct http_request *r, struct err *e)
{
	struct docker_volume_create body;
	struct docker_volume out;
	int ret = body_json(r, T_docker_volume_create, &body, true, e);
	if (ret == 0)
		ret = engine_volume_create_wait(engine_of(r), &body, r->arena, &out, e);
	return ret < 0 ? ret : reply_json(r, 201, T_docker_volume, &out);
}

static int inspect(struct http_request *r, struct err *e)
{
	struct docker_volume out;
	int ret = engine_volume_get(engine_of(r), http_param(r, "name"), r->arena, &out, e);
	return ret < 0 ? ret : reply_json(r, 200, T_docker_volume, &out);
}

static int remove_(struct http_request *r, struct err *e)
{
	int ret = engine_volume_remove_wait(engine_of(r), http_param(r, "name"), query_bool(r, "force"), e);
	return ret < 0 ? ret : reply_empty(r, 204);
}

static int prune(struct http_request *r, struct err *e)
{
	struct filters f;
	struct docker_volumes_pruned out;
	int ret = query_filters(r, &f, e);
	if (ret == 0)
		ret = engine_volume_prune_wait(engine_of(r), &f, api_minor(r), r->arena, &out, e);
	return ret < 0 ? ret : reply_json(r, 200, T_docker_volumes_pruned, &out);
}

static int update(struct http_request *r, struct err *e)
{
	return err_set(e, EHOSTDOWN, "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again.");
}

const struct http_route routes_volumes[] = {
	{ "GET", "/volumes", list },
	{ "POST", "/volumes/create", create },
	{ "POST", "/volumes/prune", prune },
	{ "GET", "/volumes/{name}", inspect },
	{ "PUT", "/volumes/{name}", update },
	{ "DELETE", "/volumes/{name}", remove_ },
	{ 0 }
};
