// SPDX-License-Identifier: Apache-2.0
#include "kube/stream/refusal.h"
#include <errno.h>
#include "api/kube.h"
#include "http/http.h"
#include "schema/schema.h"

static int code_of(int status)
{
	switch (status) {
	case 400: return EINVAL;
	case 401: return EKEYREJECTED;
	case 403: return EACCES;
	case 404: return ENOENT;
	case 409: return EBUSY;
	case 410: return ESTALE;
	case 429: return EAGAIN;
	case 503: return EHOSTDOWN;
	case 504: return ETIMEDOUT;
	}
	return EPROTO;
}

int stream_refusal(int status, struct slice body, struct err *e)
{
	struct kube_status s = { 0 };
	struct arena a;
	int r;

	arena_init(&a, 1024 * 1024);
	if (body.len && body.ptr[0] == '{' && schema_from_json(T_kube_status, body, 0, &a, &s, NULL) == 0 && s.message && s.message[0])
		r = err_set(e, code_of(status), "%s", s.message);
	else if (slice_trim(body).len)
		r = err_set(e, code_of(status), "unable to upgrade connection: %.*s", SLICE_FMT(slice_trim(body)));
	else
		r = err_set(e, code_of(status), "unable to upgrade connection: %d %s", status, http_status_text(status));
	arena_release(&a);
	return r;
}
