/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of the container list that system df shows too. */
#pragma once
#include "api/docker.h"
#include "cli/cmd.h"
#include "cli/value.h"

enum { PS_FIELDS = 15 };
void ps_row(struct cli *c, const struct docker_container_summary *s, bool full, struct val_field fields[PS_FIELDS]);
/* Sorts v. */
const char *ps_ports(struct cli *c, struct docker_container_port *v, uint32_t n);
const char *ps_labels(struct cli *c, const struct schema_pair *v, uint32_t n);
const char *ps_size(struct cli *c, int64_t rw, int64_t root);
