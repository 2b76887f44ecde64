/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "docker_api/api_int.h"

int images_save(struct http_request *r, struct err *e);
int images_save_one(struct http_request *r, struct err *e);
int images_load(struct http_request *r, struct err *e);
int images_create(struct http_request *r, struct err *e);
int images_push(struct http_request *r, struct err *e);
int images_commit(struct http_request *r, struct err *e);
int images_distribution(struct http_request *r, struct err *e);
