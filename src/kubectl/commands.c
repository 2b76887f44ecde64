/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of api/kubectl as tables. */
#include "kubectl/commands.h"

#include "../../api/kubectl/flags.h"

#define F(rows) rows, ARRAY_LEN(rows)
#define NF NULL, 0
#include "../../api/kubectl/commands.h"

const size_t kctl_n_commands = ARRAY_LEN(kctl_commands);
const size_t kctl_n_global_flags = ARRAY_LEN(kctl_global_flags);
