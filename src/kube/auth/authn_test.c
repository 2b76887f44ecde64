/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks: certificates, tokens, nobody, and somebody in another's name. */
#include "kube/auth/authn.h"

#include <errno.h>

#include "base/auto.h"
#include "base/test.h"
#include "http/server.h"

/* May impersonate what starts with "ok", in any of the resources; notes the last question. */
static char asked[300];

static int allowed(void *arg, const struct kube_user *u, const struct kube_attributes *a, struct arena *arena, const char **reason)
{
	fmt_into(asked, sizeof asked, "%s %s %s/%s/%s ns=%s name=%s", u->name, a->verb, a->group, a->resource, a->subresource, a->namespace_, a->name);
	return strncmp(a->name, "ok", 2) == 0;
}

static struct kube_tokens *tokens;
static const char *token;

static int ask(struct arena *a, const char *peer, const char *const *orgs, size_t n_orgs, const char *headers, struct kube_user *ret, struct err *e)
{
	static struct kube_authn x;
	x = (struct kube_authn){ .tokens = tokens, .authorizer = { allowed, NULL } };
	struct http_header v[20];
	struct http_request r = { .arena = a, .peer_name = peer, .peer_organizations = orgs, .n_peer_organizations = n_orgs, .headers = { v, 0 } };
	struct slice rest = slice_of(headers), line, name, value;
	while (slice_next(&rest, '\n', &line)) {
		if (!slice_cut(line, ':', &name, &value))
			continue;
		v[r.headers.n++] = (struct http_header){ name, slice_trim(value) };
	}
	struct kube_authenticator auth = kube_authn_authenticator(&x);
	return auth.authenticate_wait(auth.arg, &r, ret, e);
}

static void open_tokens(struct arena *a)
{
	struct err e = { 0 };
	char path[300];
	fmt_into(path, sizeof path, "%s/sa.key", test_dir());
	CHECK_OK(kube_tokens_open(&(struct kube_tokens_options){ .key_path = path }, &tokens, &e), &e);
	CHECK_OK(kube_token_static(tokens, "bob", NULL, 0, a, &token, &e), &e);
}

static void check_user(const struct kube_user *u, const char *name, const char *groups)
{
	AUTO(buf) struct buf b = BUF_INIT(1000);
	for (size_t i = 0; i < u->n_groups; i++)
		buf_addf(&b, "%s%s", i ? "," : "", u->groups[i]);
	CHECK_STR(u->name, name);
	CHECK_STR(b.ptr, groups);
}

TEST(certificates_tokens_and_nobody_have_their_groups)
{
	AUTO(arena) struct arena a;
	struct kube_user u;
	struct err e = { 0 };
	char header[200];
	static const char *const orgs[] = { "dev", "ops" };
	arena_init(&a, 1 << 20);
	open_tokens(&a);
	CHECK_OK(ask(&a, "alice", orgs, 2, "", &u, &e), &e);
	check_user(&u, "alice", "dev,ops,system:authenticated");
	fmt_into(header, sizeof header, "authorization: bearer  %s", token);
	CHECK_OK(ask(&a, NULL, NULL, 0, header, &u, &e), &e);
	check_user(&u, "bob", "system:authenticated");
	CHECK_OK(ask(&a, NULL, NULL, 0, "", &u, &e), &e);
	check_user(&u, "system:anonymous", "system:unauthenticated");
	CHECK_INT(ask(&a, NULL, NULL, 0, "Authorization: Bearer wrong", &u, &e), -EKEYREJECTED);
	CHECK_STR(e.text, "Unauthorized");
	CHECK_OK(ask(&a, NULL, NULL, 0, "Authorization: Basic abc", &u, &e), &e);
	check_user(&u, "system:anonymous", "system:unauthenticated");
	kube_tokens_free(tokens);
}

TEST(impersonation_asks_for_user_groups_uid_and_extra)
{
	AUTO(arena) struct arena a;
	struct kube_user u;
	struct err e = { 0 };
	arena_init(&a, 1 << 20);
	open_tokens(&a);
	CHECK_OK(ask(&a, "alice", NULL, 0, "Impersonate-User: ok-carol\nImpersonate-Group: ok-a\nImpersonate-Group: ok-b\nImpersonate-Uid: ok-1\n"
		"Impersonate-Extra-Example.com%2fScope: ok-x\nImpersonate-Extra-example.com%2Fscope: ok-y", &u, &e), &e);
	check_user(&u, "ok-carol", "ok-a,ok-b,system:authenticated");
	CHECK_STR(u.uid, "ok-1");
	CHECK_INT(u.n_extra, 1);
	CHECK_STR(u.extra[0].key, "example.com/scope");
	CHECK_INT(u.extra[0].n_values, 2);
	CHECK_STR(asked, "alice impersonate /users/ ns= name=ok-carol");
	CHECK_OK(ask(&a, "alice", NULL, 0, "Impersonate-User: system:serviceaccount:ns:ok", &u, &e), &e);
	check_user(&u, "system:serviceaccount:ns:ok", "system:serviceaccounts,system:serviceaccounts:ns,system:authenticated");
	CHECK_STR(asked, "alice impersonate /serviceaccounts/ ns=ns name=ok");
	CHECK_INT(ask(&a, "alice", NULL, 0, "Impersonate-User: dave", &u, &e), -EACCES);
	CHECK_STR(e.text, "users \"dave\" is forbidden: User \"alice\" cannot impersonate resource \"users\" in API group \"\" at the cluster scope");
	CHECK_INT(ask(&a, "alice", NULL, 0, "Impersonate-User: ok\nImpersonate-Group: system:masters", &u, &e), -EACCES);
	CHECK_INT(ask(&a, "alice", NULL, 0, "Impersonate-Group: ok", &u, &e), -EINVAL);
	CHECK_INT(ask(&a, "alice", NULL, 0, "Impersonate-User: ok\nImpersonate-Extra-k: no", &u, &e), -EACCES);
	CHECK_STR(asked, "alice impersonate authentication.k8s.io/userextras/k ns= name=no");
	kube_tokens_free(tokens);
}
