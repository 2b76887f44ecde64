/* SPDX-License-Identifier: Apache-2.0 */
/* Base64, standard and URL alphabets (RFC 4648 sections 4 and 5). */
#pragma once
#include <stdbool.h>
#include "base/buf.h"

/* Appends the text of s, padded with '=' (url: the URL alphabet, padded too). */
int base64_encode(struct buf *out, struct slice s, bool url);
/* Appends the bytes of text in either alphabet; padding may be missing, white space at line ends is skipped. 0, -EINVAL or out's error. */
int base64_decode(struct buf *out, struct slice text);
