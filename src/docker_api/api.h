/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Docker Engine API over HTTP: tables of routes, each row a function that
 * turns a request into one use case of engine/. Version prefixes, common
 * headers and the form of errors are in api.c.
 */
#pragma once
#include "base/err.h"

struct engine;
struct loop;
struct tls_config;
struct docker_api;

enum { DOCKER_API_MINOR = 51, DOCKER_API_LEAST = 24 };
#define DOCKER_API_VERSION "1.51"
#define DOCKER_API_LEAST_VERSION "1.24"
#define DOCKER_VERSION "28.5.2"

int docker_api_new(struct loop *l, struct engine *eng, struct docker_api **ret, struct err *e);
/* Serves a listening socket (taken); tls may be NULL. */
int docker_api_listen(struct docker_api *api, int fd, struct tls_config *tls, struct err *e);
void docker_api_free(struct docker_api *api);
