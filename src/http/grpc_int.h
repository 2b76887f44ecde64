/* SPDX-License-Identifier: Apache-2.0 */
/* What gRPC's two sides share: the prefix of a message, the text of a status, the time of a deadline. */
#pragma once
#include "http/grpc.h"

enum { GRPC_PREFIX = 5 };
/* Appends prefix and message. */
int grpc_frame(struct schema_ref t, const void *obj, struct buf *out, struct err *e);
/* Length from a prefix; -EOPNOTSUPP (compressed), -E2BIG. */
int64_t grpc_prefix_length(const unsigned char p[GRPC_PREFIX], struct err *e);
/* grpc-message: percent-encoding of everything but printable ASCII. */
void grpc_message_encode(struct buf *out, const char *text);
void grpc_message_decode(char *dst, size_t size, struct slice s);
/* grpc-timeout: at most eight digits and a unit; 0 or -EINVAL. */
int grpc_timeout_parse(struct slice s, int64_t *ret_ns);
void grpc_timeout_format(char dst[16], int64_t ns);
