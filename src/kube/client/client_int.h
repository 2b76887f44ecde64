/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of kube/client share. */
#pragma once
#include <sys/types.h>
#include "base/list.h"
#include "http/client.h"
#include "io/loop.h"
#include "kube/client/client.h"

enum {
	ANSWER_MAX = 64 * 1024 * 1024,          /* one answer, or one event of a watch */
	CALL_ARENA_MAX = 256 * 1024 * 1024,
	OBJECT_ARENA_MAX = 16 * 1024 * 1024,
};

struct kclient {
	struct loop *loop;
	struct arena strings;
	struct http_client *http;               /* calls: one read or write has a time-out */
	struct http_client *watch_http;         /* watches: quiet for longer */
	struct tls_config *tls;
	const char *host, *sni;
	unsigned port;
	const char *prefix;                     /* "" or "/path" behind the server's address */
	const char *bearer, *user_agent;
	const char *kubeconfig;                 /* looked at again every ten minutes; NULL: none */
	ino_t seen_inode;
	struct timespec seen_time;
	struct timer look_timer;
	unsigned refs;                          /* its owner's, and those of fibers that are on their way out */
};
struct kclient *kclient_ref(struct kclient *c);
/* Takes certificates from a kubeconfig that has changed: 1 when it did. Connections that are there stay. */
int kclient_look_again(struct kclient *c, struct err *e);
void kclient_unref(struct kclient *c);

/* What configuration comes to, whatever it was read from. Text and bytes in the arena it was read into. */
struct kclient_target {
	const char *server, *sni;
	bool insecure;
	const char *ca_file, *cert_file, *key_file, *token;
	struct slice ca, cert, key;             /* PEM; before the files */
};
int kubeconfig_read(const char *path, struct arena *a, struct kclient_target *ret, struct err *e);

/* What all lists begin with, whatever their items are. */
struct kube_list_head {
	const char *kind, *api_version;
	struct kube_list_meta metadata;
	void *items;
	uint32_t n_items;
};

/* The error that an answer of `status` with this body means; fills e. */
int kclient_status_error(int status, struct slice body, struct err *e);
/* Appends "?a=b" or "&a=b", encoded; nothing for a NULL value. */
void kclient_param(struct buf *target, const char *name, const char *value);
/* Begins a call on http; `target` without the server's prefix. Release call->… with http_call_release, and target lives in `a`. */
int kclient_call_wait(struct kclient *c, struct http_client *http, const char *method, const char *target, const char *content_type, struct slice body,
	struct arena *a, struct http_call *call, struct err *e);

/* A kobject for obj's bytes: of JSON, or a deep copy of a struct. */
int kobject_from_json(const struct kube_resource *r, struct slice json, struct kobject **ret, struct err *e);
int kobject_from_struct(const struct kube_resource *r, const void *obj, struct kobject **ret);
