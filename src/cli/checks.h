/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of one flag value, named by flag rows. 0, or -EINVAL with docker's wording in e. */
#pragma once
#include "base/err.h"

int check_address(const char *value, struct err *e);
int check_attach(const char *value, struct err *e);
int check_device_rule(const char *value, struct err *e);
int check_dns_search(const char *value, struct err *e);
int check_env(const char *value, struct err *e);
int check_extra_host(const char *value, struct err *e);
int check_link(const char *value, struct err *e);
int check_log_level(const char *value, struct err *e);
int check_mount(const char *value, struct err *e);
int check_tag(const char *value, struct err *e);
int check_throttle_bytes(const char *value, struct err *e);
int check_throttle_ops(const char *value, struct err *e);
int check_ulimit(const char *value, struct err *e);
int check_weight_device(const char *value, struct err *e);
