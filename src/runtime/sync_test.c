/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/runtime_int.h"

#include <errno.h>
#include <unistd.h>

#include "base/test.h"

TEST(sync_last_words_are_heard_when_the_peer_left_something_unread)
{
	int pair[2];
	struct err e, said = { .code = EINVAL, .text = "why" };
	struct sync_msg m;
	CHECK_OK(sync_pair(pair, &e), &e);
	CHECK_INT(sync_send(pair[0], SYNC_GO, NULL, -1), 0);
	CHECK_INT(sync_send(pair[1], SYNC_ERROR, &said, -1), 0);
	close(pair[1]);
	CHECK_INT(sync_recv(pair[0], &m, NULL), 0);
	CHECK_INT(m.type, SYNC_ERROR);
	CHECK_STR(m.err.text, "why");
	CHECK_INT(sync_recv(pair[0], &m, NULL), 1);
	close(pair[0]);
}
