/* SPDX-License-Identifier: Apache-2.0 */
/* Containers: create, start, stop, remove, update. */
#include <errno.h>

#include "base/log.h"
#include "cri/cri_int.h"

int container_record(const struct pod_view *v, struct arena *a, struct cri_container_record *ret, struct err *e)
{
	int r = schema_from_json(T_cri_container_record, v->keep, 0, a, ret, e);
	if (r < 0)
		return r;
	return ret->config ? 0 : err_set(e, EIO, "the record of container \"%s\" is damaged", v->id);
}

static int keep_text(const struct cri_create_container_request *q, struct arena *a, struct pod_container *how, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(RECORD_MAX);
	struct cri_container_record rec = { .config = (struct cri_container_config *)q->config, .image = text_or(q->config->image->image, "") };
	int r = schema_to_json(T_cri_container_record, &rec, 0, &text);
	if (r < 0 || (r = buf_error(&text)) < 0)
		return err_sys(e, r, "the container's configuration cannot be kept");
	how->keep = slice_n(arena_dup(a, buf_slice(&text)), text.len);
	return how->keep.ptr ? 0 : err_nomem(e);
}

static int create_wait(struct cri *x, struct sandbox *s, const struct cri_create_container_request *q, struct arena *a, char id[65], struct err *e)
{
	struct image_info image;
	struct pod_container how;
	int r = cri_image_get(x, text_or(q->config->image->image, ""), a, &image, e);
	if (r < 0)
		return err_prefix(e, "failed to resolve image \"%s\"", text_or(q->config->image->image, "")), r;
	r = spec_container(x, s, q->config, image.id, a, &how, e);
	if (r == 0)
		r = keep_text(q, a, &how, e);
	if (r == 0 && !s->rec.ready)
		r = err_set(e, EBUSY, "sandbox \"%s\" is not ready", s->rec.id);
	if (r == 0)
		r = pod_create_wait(x->engine, &how, id, e);
	return r;
}

UNARY(create_container)
{
	const struct cri_create_container_request *q = request;
	struct cri_create_container_response *p = reply;
	struct cri *x = cri_of(c);
	AUTO(sandbox) struct sandbox *s = NULL;
	char id[65];
	if (!q->config || !q->config->metadata || !q->config->image)
		return err_set(e, EINVAL, "container config must include metadata and image");
	int r = pod_sandbox_find(x, q->pod_sandbox_id, &s, e);
	if (r < 0)
		return r;
	if (!s->rec.ready)
		return err_set(e, EBUSY, "sandbox container \"%s\" is not running", s->rec.id);
	const char *name = container_name(q->config->metadata, s->rec.config->metadata, c->arena);
	r = name ? name_take(x, "container", name, "being created", e) : err_nomem(e);
	if (r < 0)
		return r;
	r = create_wait(x, s, q, c->arena, id, e);
	name_give(x, name);
	if (r < 0)
		return r;
	if (s->is_gone || !s->rec.ready) {
		/* stopped or removed while it was made */
		pod_remove_wait(x->engine, id, NULL);
		return err_set(e, EBUSY, "sandbox \"%s\" was stopped", s->rec.id);
	}
	r = name_take(x, "container", name, id, e);
	p->container_id = arena_strdup(c->arena, id);
	return r < 0 ? r : p->container_id ? 0 : err_nomem(e);
}

UNARY(start_container)
{
	const struct cri_start_container_request *q = request;
	struct cri *x = cri_of(c);
	AUTO(sandbox) struct sandbox *s = NULL;
	struct pod_view v;
	int r = pod_get(x->engine, text_or(q->container_id, ""), &v, e);
	if (r == 0)
		r = pod_sandbox_find(x, v.sandbox, &s, e);
	if (r < 0)
		return r;
	if (!s->rec.ready)
		return err_set(e, EBUSY, "sandbox container \"%s\" is not running", s->rec.id);
	r = pod_start_wait(x->engine, v.id, e);
	return r < 0 ? err_prefix(e, "failed to start container \"%s\"", q->container_id), r : 0;
}

UNARY(stop_container)
{
	const struct cri_stop_container_request *q = request;
	int r = pod_stop_wait(cri_of(c)->engine, text_or(q->container_id, ""), q->timeout < 0 ? 0 : q->timeout, e);
	return r == -ENOENT ? 0 : r;
}

int container_remove(struct cri *x, const char *id, struct err *e)
{
	AUTO(arena) struct arena a;
	AUTO(sandbox) struct sandbox *s = NULL;
	struct pod_view v;
	struct cri_container_record rec;
	const char *name = NULL;
	arena_init(&a, RECORD_MAX);
	if (pod_get(x->engine, id, &v, NULL) < 0)
		return 0;
	if (container_record(&v, &a, &rec, NULL) == 0 && !rec.holder && rec.config->metadata && pod_sandbox_find(x, v.sandbox, &s, NULL) == 0)
		name = container_name(rec.config->metadata, s->rec.config->metadata, &a);
	const char *full = arena_strdup(&a, v.id);
	int r = full ? pod_remove_wait(x->engine, full, e) : err_nomem(e);
	if (r == 0 && name && map_gets(&x->names, name) && !strcmp(map_gets(&x->names, name), full))
		name_give(x, name);
	return r;
}

UNARY(remove_container)
{
	const struct cri_remove_container_request *q = request;
	return container_remove(cri_of(c), text_or(q->container_id, ""), e);
}

UNARY(update_container_resources)
{
	const struct cri_update_container_resources_request *q = request;
	struct docker_host_config h = { 0 };
	spec_resources_of(q->linux, c->arena, &h);
	return pod_update_wait(cri_of(c)->engine, text_or(q->container_id, ""), &h, e);
}

UNARY(reopen_container_log)
{
	const struct cri_reopen_container_log_request *q = request;
	return pod_reopen_log_wait(cri_of(c)->engine, text_or(q->container_id, ""), e);
}
