/* SPDX-License-Identifier: Apache-2.0 */
/* What grows: logs are rotated, images that nobody uses go when the disk is full. */
#pragma once
#include "kube/node/node_int.h"

void gc_main(void *arg);           /* struct node * */
