/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL 3, loaded when the first TLS configuration is made: a command line
 * that speaks over a Unix socket never pays for it, and needs not link it.
 * The table's types come from OpenSSL's own headers.
 */
#pragma once
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include "base/err.h"

#define TLS_SSL_FUNCTIONS(X) \
	X(TLS_client_method) X(TLS_server_method) X(SSL_CTX_new) X(SSL_CTX_free) X(SSL_CTX_ctrl) X(SSL_CTX_set_options) \
	X(SSL_CTX_use_certificate_chain_file) X(SSL_CTX_use_PrivateKey_file) X(SSL_CTX_check_private_key) \
	X(SSL_CTX_load_verify_locations) X(SSL_CTX_set_default_verify_paths) X(SSL_CTX_set_verify) X(SSL_CTX_set_num_tickets) \
	X(SSL_CTX_set_alpn_select_cb) X(SSL_load_client_CA_file) X(SSL_CTX_set_client_CA_list) X(SSL_new) X(SSL_free) X(SSL_ctrl) \
	X(SSL_set_alpn_protos) X(SSL_get0_alpn_selected) X(SSL_select_next_proto) X(SSL_set1_host) X(SSL_get0_param) X(SSL_set_bio) \
	X(SSL_set_accept_state) X(SSL_set_connect_state) X(SSL_do_handshake) X(SSL_read) X(SSL_write) X(SSL_shutdown) \
	X(SSL_get_error) X(SSL_get1_peer_certificate) X(SSL_get_verify_result) X(SSL_set_ex_data) X(SSL_get_ex_data)
#define TLS_CRYPTO_FUNCTIONS(X) \
	X(BIO_meth_new) X(BIO_meth_free) X(BIO_meth_set_read) X(BIO_meth_set_write) X(BIO_meth_set_ctrl) X(BIO_new) X(BIO_set_data) \
	X(BIO_get_data) X(BIO_set_init) X(BIO_set_flags) X(BIO_clear_flags) X(ERR_get_error) X(ERR_clear_error) X(ERR_reason_error_string) \
	X(X509_get_subject_name) X(X509_NAME_get_index_by_NID) X(X509_NAME_get_entry) X(X509_NAME_ENTRY_get_data) \
	X(ASN1_STRING_to_UTF8) X(CRYPTO_free) X(X509_free) X(X509_verify_cert_error_string) X(X509_VERIFY_PARAM_set1_ip_asc)

struct tls_lib {
#define TLS_MEMBER(f) __typeof__(f) *f;
	TLS_SSL_FUNCTIONS(TLS_MEMBER)
	TLS_CRYPTO_FUNCTIONS(TLS_MEMBER)
#undef TLS_MEMBER
};

/* The table, loaded by the first call of the process; NULL with e filled if that is impossible. Any thread. */
const struct tls_lib *tls_lib(struct err *e);
/* OpenSSL's first queued reason, "unknown error" without one; empties the queue. */
const char *tls_lib_reason(const struct tls_lib *lib);
