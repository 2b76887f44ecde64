// SPDX-License-Identifier: Apache-2.0
#include "io/stream.h"
#include <errno.h>

int tls_config_new(const struct tls_files *f, bool server, struct tls_config **ret, struct err *e)
{
	return err_set(e, ENOSYS, "TLS is not supported by this build");
}
void tls_config_free(struct tls_config *c) { }
int tls_wrap_wait(struct tls_config *c, struct stream *under, const char *server_name, const char *alpn, struct stream **ret, struct err *e)
{
	stream_close(under);
	return err_set(e, ENOSYS, "TLS is not supported by this build");
}
const char *tls_alpn(struct stream *s) { return ""; }
const char *tls_peer_name(struct stream *s) { return NULL; }
