// SPDX-License-Identifier: Apache-2.0
#include "io/tls_lib.h"
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

/*
 * Written once, under `once`, and constant from then on: OpenSSL's callbacks
 * have no parameter through which the table could reach them.
 */
static struct {
	pthread_once_t once;
	struct tls_lib lib;
	struct err err;
} loaded = { .once = PTHREAD_ONCE_INIT };

static int load(struct tls_lib *ret, struct err *e)
{
	/* Never closed again: OpenSSL runs code when the process exits. */
	void *crypto = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	void *ssl = crypto ? dlopen("libssl.so.3", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) : NULL;

	if (!ssl)
		return err_set(e, ENOSYS, "cannot use TLS: %s", dlerror());
#define FIND(from, f) if (!(ret->f = (__typeof__(ret->f))dlsym(from, #f))) return err_set(e, ENOSYS, "cannot use TLS: OpenSSL has no %s", #f);
#define FIND_SSL(f) FIND(ssl, f)
#define FIND_CRYPTO(f) FIND(crypto, f)
	TLS_SSL_FUNCTIONS(FIND_SSL)
	TLS_CRYPTO_FUNCTIONS(FIND_CRYPTO)
	return 0;
}

static void load_once(void) { load(&loaded.lib, &loaded.err); }

const struct tls_lib *tls_lib(struct err *e)
{
	pthread_once(&loaded.once, load_once);
	if (loaded.err.code) {
		err_set(e, loaded.err.code, "%s", loaded.err.text);
		return NULL;
	}
	return &loaded.lib;
}

const char *tls_lib_reason(const struct tls_lib *lib)
{
	const char *s = lib->ERR_reason_error_string(lib->ERR_get_error());

	lib->ERR_clear_error();
	return s ? s : "unknown error";
}
