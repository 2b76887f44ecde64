/* SPDX-License-Identifier: Apache-2.0 */
/* Error bodies of the distribution specification ("Error Codes"). */
#include <errno.h>

#include "api/dist.h"
#include "base/auto.h"
#include "image/ref.h"
#include "registry/registry_int.h"

static const struct { const char *code; int status; const char *message; } codes[] = {
	[REG_BLOB_UNKNOWN] = { "BLOB_UNKNOWN", 404, "blob unknown to registry" },
	[REG_BLOB_UPLOAD_INVALID] = { "BLOB_UPLOAD_INVALID", 400, "blob upload invalid" },
	[REG_BLOB_UPLOAD_UNKNOWN] = { "BLOB_UPLOAD_UNKNOWN", 404, "blob upload unknown to registry" },
	[REG_DIGEST_INVALID] = { "DIGEST_INVALID", 400, "provided digest did not match uploaded content" },
	[REG_MANIFEST_BLOB_UNKNOWN] = { "MANIFEST_BLOB_UNKNOWN", 404, "manifest references a manifest or blob unknown to registry" },
	[REG_MANIFEST_INVALID] = { "MANIFEST_INVALID", 400, "manifest invalid" },
	[REG_MANIFEST_UNKNOWN] = { "MANIFEST_UNKNOWN", 404, "manifest unknown" },
	[REG_NAME_INVALID] = { "NAME_INVALID", 400, "invalid repository name" },
	[REG_NAME_UNKNOWN] = { "NAME_UNKNOWN", 404, "repository name not known to registry" },
	[REG_SIZE_INVALID] = { "SIZE_INVALID", 400, "provided length did not match content length" },
	[REG_UNAUTHORIZED] = { "UNAUTHORIZED", 401, "authentication required" },
	[REG_DENIED] = { "DENIED", 403, "requested access to the resource is denied" },
	[REG_UNSUPPORTED] = { "UNSUPPORTED", 405, "the operation is unsupported" },
	[REG_TOOMANYREQUESTS] = { "TOOMANYREQUESTS", 429, "too many requests" },
	[REG_RANGE_INVALID] = { "RANGE_INVALID", 416, "invalid content range" },
	[REG_TOO_LARGE] = { "SIZE_INVALID", 413, "manifest is larger than this registry takes" },
	[REG_UNKNOWN] = { "UNKNOWN", 500, "unknown error" },
};

static int send_error(struct http_request *r, const char *code, int status, const char *message, const char *detail)
{
	AUTO(buf) struct buf text = BUF_INIT(64 * 1024);
	AUTO(buf) struct buf d = BUF_INIT(16 * 1024);
	struct dist_error x = { .code = code, .message = message };
	struct dist_errors all = { .errors = &x, .n_errors = 1 };
	struct dist_detail about = { .about = detail };
	if (detail && schema_to_json(T_dist_detail, &about, 0, &d) >= 0)
		x.detail = buf_slice(&d);
	if (schema_to_json(T_dist_errors, &all, 0, &text) < 0)
		return -ENOMEM;
	return http_reply(r, status, "application/json", buf_slice(&text));
}

int reg_fail(struct http_request *r, enum reg_code code, const char *detail)
{
	int x = send_error(r, codes[code].code, codes[code].status, codes[code].message, detail);
	return x < 0 ? x : 0;
}

void reg_write_error(struct http_request *r, int status, const struct err *e)
{
	enum reg_code c = REG_UNKNOWN;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i].status == status && i != REG_TOO_LARGE) {
			c = (enum reg_code)i;
			break;
		}
	if (status == 404)
		c = REG_NAME_UNKNOWN;
	if (status == 400)
		c = REG_UNSUPPORTED;
	send_error(r, codes[c].code, status, e && e->code ? e->text : codes[c].message, NULL);
}

const char *reg_name(struct http_request *r)
{
	const char *name = http_param(r, "name");
	if (ref_is_path(slice_of(name)))
		return name;
	reg_fail(r, REG_NAME_INVALID, name);
	return NULL;
}

const char *reg_digest(struct http_request *r, const char *text)
{
	if (text && digest_is_valid(slice_of(text)))
		return text;
	reg_fail(r, REG_DIGEST_INVALID, text ? text : "");
	return NULL;
}
