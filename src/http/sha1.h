/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-1 (FIPS 180-4) of short input, for the WebSocket handshake and nothing that must be safe. */
#pragma once
#include <stddef.h>

void sha1(const void *p, size_t n, unsigned char ret[20]);
