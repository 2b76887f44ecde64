/* SPDX-License-Identifier: Apache-2.0 */
/* Which fields kubectl explain has a sentence for. */
#include "schema/openapi.h"

#include <stdio.h>

#include "api/kube.h"
#include "base/test.h"

TEST(every_field_of_the_everyday_kinds_is_explained)
{
	const struct schema_ref kinds[] = { T_kube_pod, T_kube_deployment, T_kube_service, T_kube_config_map, T_kube_secret };
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		unsigned with, without;
		struct buf missing = BUF_INIT(1 << 20);
		schema_help_share(kinds[i], &with, &without, &missing);
		CHECK_STR(missing.ptr, "");
	}
}
