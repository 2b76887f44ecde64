/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals: Status objects in the wordings that clients match. */
#include "kube/api/api_int.h"

#include <stdio.h>
#include <string.h>

static struct kube_status_details *details(struct api_req *q, const char *group, const char *kind, const char *name)
{
	struct kube_status *s = q->refusal;
	if (!s->details)
		s->details = arena_new(q->arena, struct kube_status_details);
	if (s->details) {
		s->details->group = group;
		s->details->kind = kind;
		s->details->name = name;
	}
	return s->details;
}

static int set(struct api_req *q, int code, const char *reason, const char *message)
{
	struct kube_status *s = arena_new(q->arena, struct kube_status);
	if (!s || !message)
		return -ENOMEM;
	*s = (struct kube_status){ "Status", "v1", .status = "Failure", .message = message, .reason = reason, .code = code };
	q->refusal = s;
	return -EPROTO;
}

int api_refuse(struct api_req *q, int code, const char *reason, const char *fmt, ...)
{
	va_list ap;
	AUTO(buf) struct buf b = BUF_INIT(256 * 1024);
	va_start(ap, fmt);
	buf_addfv(&b, fmt, ap);
	va_end(ap);
	return set(q, code, reason, arena_dup(q->arena, buf_slice(&b)));
}

int api_bad_request(struct api_req *q, const char *fmt, ...)
{
	va_list ap;
	AUTO(buf) struct buf b = BUF_INIT(256 * 1024);
	va_start(ap, fmt);
	buf_addfv(&b, fmt, ap);
	va_end(ap);
	return set(q, 400, "BadRequest", arena_dup(q->arena, buf_slice(&b)));
}

int api_not_found(struct api_req *q, const struct api_resource *r, const char *name)
{
	int x = api_refuse(q, 404, "NotFound", "%s \"%s\" not found", r->text, name);
	details(q, r->row->group, r->row->plural, name);
	return x;
}

int api_exists(struct api_req *q, const struct api_resource *r, const char *name)
{
	int x = api_refuse(q, 409, "AlreadyExists", "%s \"%s\" already exists", r->text, name);
	details(q, r->row->group, r->row->plural, name);
	return x;
}

int api_conflict(struct api_req *q, const struct api_resource *r, const char *name, const char *why)
{
	int x = api_refuse(q, 409, "Conflict", "Operation cannot be fulfilled on %s \"%s\": %s", r->text, name,
		why ? why : "the object has been modified; please apply your changes to the latest version and try again");
	details(q, r->row->group, r->row->plural, name);
	return x;
}

int api_forbidden(struct api_req *q, const struct api_resource *r, const char *name, const char *why)
{
	int x = name && *name ? api_refuse(q, 403, "Forbidden", "%s \"%s\" is forbidden: %s", r->text, name, why) :
		api_refuse(q, 403, "Forbidden", "%s is forbidden: %s", r->text, why);
	details(q, r->row->group, r->row->plural, name);
	return x;
}

int api_method_refused(struct api_req *q)
{
	int x = api_refuse(q, 405, "MethodNotAllowed", "the server does not allow this method on the requested resource");
	details(q, NULL, NULL, NULL);
	return x;
}

int api_expired(struct api_req *q, const char *message) { return api_refuse(q, 410, "Expired", "%s", message); }

void api_cause(struct api_req *q, const char *reason, const char *message, const char *field)
{
	struct kube_status_details *d = q->refusal->details ? q->refusal->details : details(q, NULL, NULL, NULL);
	if (!d)
		return;
	struct kube_status_cause *v = arena_array(q->arena, d->n_causes + 1, sizeof *v);
	if (!v)
		return;
	if (d->n_causes)
		memcpy(v, d->causes, d->n_causes * sizeof *v);
	v[d->n_causes++] = (struct kube_status_cause){ reason, message, field };
	d->causes = v;
}

static const struct { const char *text, *reason; } types[] = {
	{ "Required value", "FieldValueRequired" }, { "Invalid value", "FieldValueInvalid" }, { "Duplicate value", "FieldValueDuplicate" },
	{ "Forbidden", "FieldValueForbidden" }, { "Unsupported value", "FieldValueNotSupported" }, { "Not found", "FieldValueNotFound" },
	{ "Too long", "FieldValueTooLong" }, { "Too many", "FieldValueTooMany" }, { "Internal error", "InternalError" },
};

/* "spec.x: Required value: …": the reason, by the words behind the path. */
static const char *reason_of(struct slice text, struct slice *path)
{
	struct slice head = text, rest;
	*path = SLICE("");
	for (size_t at = 0; at + 2 < text.len; at++) {
		if (text.ptr[at] != ':' || text.ptr[at + 1] != ' ')
			continue;
		head = slice_n(text.ptr, at);
		rest = slice_n(text.ptr + at + 2, text.len - at - 2);
		for (size_t i = 0; i < ARRAY_LEN(types); i++)
			if (slice_starts(rest, types[i].text)) {
				*path = head;
				return types[i].reason;
			}
	}
	return "FieldValueInvalid";
}

/* Where the next problem begins in "a: Required value, b: Invalid value: …": behind ", " and before "path: Type". */
static size_t problem_end(struct slice all)
{
	for (size_t i = 0; i + 2 < all.len; i++) {
		if (all.ptr[i] != ',' || all.ptr[i + 1] != ' ')
			continue;
		size_t k = i + 2;
		while (k < all.len && !strchr(": ,\"", all.ptr[k]))
			k++;
		if (k + 2 >= all.len || all.ptr[k] != ':' || all.ptr[k + 1] != ' ')
			continue;
		struct slice rest = slice_n(all.ptr + k + 2, all.len - k - 2);
		for (size_t t = 0; t < ARRAY_LEN(types); t++)
			if (slice_starts(rest, types[t].text))
				return i;
	}
	return all.len;
}

int api_invalid(struct api_req *q, const char *kind, const char *group, const char *name, struct slice problems)
{
	size_t n = 0;
	struct slice rest = problems;
	bool many = problem_end(problems) < problems.len;
	int x = api_refuse(q, 422, "Invalid", "%s%s%s \"%s\" is invalid: %s%.*s%s", kind, *group ? "." : "", group, name, many ? "[" : "",
		SLICE_FMT(problems), many ? "]" : "");
	if (!details(q, group, kind, name))
		return x;
	while (rest.len && n++ < 100) {
		size_t end = problem_end(rest);
		struct slice one = slice_n(rest.ptr, end), path, message;
		const char *reason = reason_of(one, &path);
		message = path.len ? slice_n(one.ptr + path.len + 2, one.len - path.len - 2) : one;
		api_cause(q, reason, arena_dup(q->arena, message), arena_dup(q->arena, path));
		rest = end + 2 <= rest.len ? slice_n(rest.ptr + end + 2, rest.len - end - 2) : SLICE("");
	}
	return x;
}

int api_invalid_one(struct api_req *q, const struct api_resource *r, const char *name, const char *field, const char *reason, const char *message)
{
	int x = api_refuse(q, 422, "Invalid", "%s%s%s \"%s\" is invalid: %s: %s", r->row->kind, *r->row->group ? "." : "", r->row->group, name, field, message);
	details(q, r->row->group, r->row->kind, name);
	api_cause(q, reason, message, field);
	return x;
}

int api_from_err(struct api_req *q, const struct err *e)
{
	if (e->code == ECANCELED)
		return -ECANCELED;
	if (e->code == ENOSPC || e->code == EIO || e->code == ENOMEM)
		return api_refuse(q, 500, "InternalError", "Internal error occurred: %s", e->text);
	if (e->code == E2BIG || e->code == EMSGSIZE)
		return api_refuse(q, 413, "RequestEntityTooLarge", "%s", e->text);
	return api_refuse(q, err_http_status(e->code), err_reason(e->code), "%s", e->text);
}

int api_status_json(const struct kube_status *s, struct buf *out) { return schema_to_json(T_kube_status, s, SCHEMA_ESCAPE_HTML, out); }

int api_send_status(struct api_req *q, const struct kube_status *s)
{
	if (s->details && s->details->retry_after_seconds) {
		char text[16];
		fmt_into(text, sizeof text, "%d", s->details->retry_after_seconds);
		http_header_add(q->http, "Retry-After", text);
	}
	return api_reply_struct(q, s->code, T_kube_status, s);
}

int api_send_success(struct api_req *q, const struct api_resource *r, const char *name, const char *uid)
{
	struct kube_status_details d = { .name = name, .group = r->row->group, .kind = r->row->plural, .uid = uid };
	struct kube_status s = { "Status", "v1", .status = "Success", .details = &d };
	return api_reply_struct(q, 200, T_kube_status, &s);
}

void api_warn(struct api_req *q, const char *text)
{
	AUTO(buf) struct buf b = BUF_INIT(8192);
	if (q->is_own || q->n_warnings++ >= 20)
		return;
	buf_adds(&b, "299 - \"");
	for (const char *p = text; *p && b.len < 4000; p++) {
		if (*p == '"' || *p == '\\')
			buf_addc(&b, '\\');
		buf_addc(&b, *p == '\n' || *p == '\r' || *p == '\t' ? ' ' : *p);
	}
	buf_addc(&b, '"');
	if (!buf_error(&b))
		http_header_add(q->http, "Warning", b.ptr);
}

/* The HTTP layer's own refusals (no route, bad target): not part of the API's vocabulary. */
void api_write_error(struct http_request *r, int status, const struct err *e)
{
	AUTO(buf) struct buf b = BUF_INIT(64 * 1024);
	struct kube_status s = { "Status", "v1", .status = "Failure", .message = e->text, .reason = err_reason(e->code), .code = status };
	if (schema_to_json(T_kube_status, &s, SCHEMA_ESCAPE_HTML, &b) == 0)
		http_reply(r, status, "application/json", buf_slice(&b));
}
