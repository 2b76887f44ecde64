/* SPDX-License-Identifier: Apache-2.0 */
/* Between nft.c (batches, objects) and nft_rule.c (expressions). */
#pragma once
#include <linux/netlink.h>
#include "sys/nft.h"

enum { NFT_MESSAGE_MAX = 3072 };   /* room that a started message has; our longest rule is below 1 KB */
struct nlmsghdr *nft_message(struct nft_batch *b, uint16_t type, enum nft_family f, uint16_t flags);
void nft_message_end(struct nft_batch *b, struct nlmsghdr *h);
void nft_trace(struct nft_batch *b, const char *what, const char *text);
