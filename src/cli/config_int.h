/* SPDX-License-Identifier: Apache-2.0 */
/* Editing config.json (unknown members are kept) and the store of contexts. */
#pragma once
#include "cli/cmd.h"
#include "schema/tree.h"

int config_edit(struct cli *c, struct tree *ret, struct err *e);
int config_save(struct cli *c, const struct tree *t, struct err *e);
void context_id(const char *name, char dst[65]);
const char *context_meta_path(struct cli *c, const char *name);
const char *context_tls_dir(struct cli *c, const char *name);
