/* SPDX-License-Identifier: Apache-2.0 */
/* A bearer token's wire form: splitting, base64url, header and claims. */
#include <stdint.h>
#include "api/auth.h"
#include "base/auto.h"
#include "kube/auth/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO(arena) struct arena a;
	struct kube_jwt t;
	struct auth_header h;
	struct auth_claims c;
	struct err e;

	arena_init(&a, 1 << 20);
	if (kube_jwt_split(slice_n(data, n), &a, &t, &e) == 0) {
		schema_from_json(T_auth_header, t.header, 0, &a, &h, &e);
		schema_from_json(T_auth_claims, t.claims, 0, &a, &c, &e);
	}
	return 0;
}
