/* SPDX-License-Identifier: Apache-2.0 */
/* Where a role keeps its things; every role takes these flags. */
#pragma once
#define DEFAULT_ROOT "/var/lib/coracle"
#define DEFAULT_RUN "/run/coracle"
#define DEFAULT_CONFIG "/etc/coracle"
