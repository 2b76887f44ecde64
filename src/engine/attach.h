/* SPDX-License-Identifier: Apache-2.0 */
/* Clients attached to a container: handed to its shim, or kept until it starts. */
#pragma once
#include "engine/engine_int.h"
#include "engine/shim_link.h"

/* Hands those who wait to the shim that is being started. */
void attach_give_waiting(struct container *c);
/* Ends those who wait: the start failed, or the container goes. */
void attach_drop_all(struct container *c);
/*
 * A descriptor for the shim that stands for this connection. The client's own
 * where its bytes pass through unchanged; otherwise one end of a socket pair that
 * fibers copy from and to. Takes client.
 */
int attach_descriptor(struct engine *eng, struct stream *client, int *ret_fd, struct err *e);
