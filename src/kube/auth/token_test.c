/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens: what is good, what is not, and for whom. */
#include "kube/auth/jwt.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/test.h"
#include "codec/base64.h"
#include "kube/auth/cert_int.h"

static int64_t now_ns = 1800000000 * NS_PER_S;
static int64_t clock_now(void) { return now_ns; }
static const char *pod_uid = "pod-uid", *account_uid = "sa-uid";
static bool account_there = true;

static int find(void *arg, const char *plural, const char *ns, const char *name, bool is_fresh, struct arena *a, struct kube_token_object *ret)
{
	if (!strcmp(plural, "serviceaccounts") && !strcmp(ns, "ns") && !strcmp(name, "sa") && account_there)
		ret->uid = account_uid;
	else if (!strcmp(plural, "pods") && !strcmp(ns, "ns") && !strcmp(name, "p"))
		ret->uid = pod_uid;
	else
		return -ENOENT;
	return 0;
}

static const char *held;
static int secret_holds(void *arg, const char *ns, const char *name, const char *token) { return held && !strcmp(name, "s") && !strcmp(held, token); }

static struct kube_tokens *open_tokens(const char *file)
{
	static const struct kube_token_lookup lookup = { find, secret_holds, NULL };
	struct kube_tokens *t;
	struct err e = { 0 };
	char path[300];
	fmt_into(path, sizeof path, "%s/%s", test_dir(), file);
	CHECK_OK(kube_tokens_open(&(struct kube_tokens_options){ .key_path = path, .now_ns = clock_now }, &t, &e), &e);
	kube_tokens_set_lookup(t, &lookup);
	struct stat st;
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_mode & 0777, 0600);
	return t;
}

static const struct kube_token_subject subject = { "ns", "sa", "sa-uid" };
static const struct kube_token_binding pod = { "Pod", "p", "pod-uid" }, node = { "Node", "n1", "node-uid" };

static const char *issue(struct kube_tokens *t, struct arena *a, const struct kube_token_binding *b, int64_t seconds)
{
	const char *token;
	int64_t expires;
	struct err e = { 0 };
	CHECK_OK(kube_token_issue(t, &subject, b, &node, NULL, 0, seconds, a, &token, &expires, &e), &e);
	CHECK_INT(expires, now_ns / NS_PER_S + seconds);
	return token;
}

static void check_rejected(struct kube_tokens *t, struct arena *a, const char *token, const char *why)
{
	struct kube_user u;
	struct err e = { 0 };
	CHECK_INT(kube_token_verify_wait(t, token, NULL, 0, a, &u, NULL, NULL, &e), -EKEYREJECTED);
	CHECK_STR(e.text, why);
}

TEST(a_service_account_token_names_its_account_groups_and_pod)
{
	AUTO(arena) struct arena a;
	struct kube_user u;
	struct err e = { 0 };
	arena_init(&a, 1 << 20);
	struct kube_tokens *t = open_tokens("sa.key");
	const char *token = issue(t, &a, &pod, 3600);
	kube_tokens_free(t);
	t = open_tokens("sa.key");          /* the key is the same after a restart */
	CHECK_OK(kube_token_verify_wait(t, token, NULL, 0, &a, &u, NULL, NULL, &e), &e);
	CHECK_STR(u.name, "system:serviceaccount:ns:sa");
	CHECK_STR(u.uid, "sa-uid");
	CHECK_INT(u.n_groups, 3);
	CHECK(kube_user_in_group(&u, "system:serviceaccounts") && kube_user_in_group(&u, "system:serviceaccounts:ns") &&
		kube_user_in_group(&u, "system:authenticated"));
	CHECK_INT(u.n_extra, 5);
	CHECK_STR(u.extra[1].key, "authentication.kubernetes.io/node-name");
	CHECK_STR(u.extra[3].key, "authentication.kubernetes.io/pod-name");
	CHECK_STR(u.extra[3].values[0], "p");
	kube_tokens_free(t);
}

TEST(a_token_ends_with_its_time_its_pod_and_its_account)
{
	AUTO(arena) struct arena a;
	struct kube_user u;
	struct err e = { 0 };
	arena_init(&a, 1 << 20);
	struct kube_tokens *t = open_tokens("sa.key");
	const char *token = issue(t, &a, &pod, 600), *free_one = issue(t, &a, NULL, 600);
	pod_uid = "another";
	check_rejected(t, &a, token, "pods \"p\" of the token has been replaced by another of that name");
	CHECK_OK(kube_token_verify_wait(t, free_one, NULL, 0, &a, &u, NULL, NULL, &e), &e);
	pod_uid = "pod-uid";
	account_there = false;
	check_rejected(t, &a, free_one, "serviceaccounts \"sa\" of the token no longer exists");
	account_there = true;
	account_uid = "new";
	check_rejected(t, &a, free_one, "serviceaccounts \"sa\" of the token has been replaced by another of that name");
	account_uid = "sa-uid";
	now_ns += 600 * NS_PER_S;
	check_rejected(t, &a, token, "service account token has expired");
	now_ns -= 1000 * NS_PER_S;
	check_rejected(t, &a, token, "service account token is not valid yet");
	int64_t expires;
	const char *never;
	CHECK_INT(kube_token_issue(t, &subject, NULL, NULL, NULL, 0, 599, &a, &never, &expires, &e), -EINVAL);
	kube_tokens_free(t);
}

TEST(a_token_is_good_for_its_audiences_only)
{
	AUTO(arena) struct arena a;
	struct kube_user u;
	struct err e = { 0 };
	static const char *const vault[] = { "vault", "other" }, *const both[] = { "x", "vault" };
	const char *token, **got;
	size_t n;
	int64_t expires;
	arena_init(&a, 1 << 20);
	struct kube_tokens *t = open_tokens("sa.key");
	CHECK_OK(kube_token_issue(t, &subject, NULL, NULL, vault, 2, 3600, &a, &token, &expires, &e), &e);
	check_rejected(t, &a, token, "token audiences [\"vault\" …] is invalid for the target audiences [\"https://kubernetes.default.svc.cluster.local\"]");
	CHECK_OK(kube_token_verify_wait(t, token, both, 2, &a, &u, &got, &n, &e), &e);
	CHECK_INT(n, 1);
	CHECK_STR(got[0], "vault");
	kube_tokens_free(t);
}

static const char *forge(struct arena *a, const char *header, const char *claims, const char *signature)
{
	AUTO(buf) struct buf b = BUF_INIT(65536);
	jwt_base64(slice_of(header), &b);
	buf_addc(&b, '.');
	jwt_base64(slice_of(claims), &b);
	buf_addf(&b, ".%s", signature);
	return arena_strdup(a, b.ptr);
}

TEST(forged_tokens_are_refused)
{
	AUTO(arena) struct arena a;
	arena_init(&a, 1 << 20);
	struct kube_tokens *t = open_tokens("sa.key"), *other = open_tokens("other.key");
	const char *good = issue(t, &a, NULL, 3600);
	check_rejected(t, &a, issue(other, &a, NULL, 3600), "the token is signed with an unknown key");
	static const char claims[] = "{\"iss\":\"https://kubernetes.default.svc.cluster.local\",\"exp\":9999999999,\"sub\":\"system:serviceaccount:ns:sa\"}";
	check_rejected(t, &a, forge(&a, "{\"alg\":\"none\"}", claims, ""), "the token is not signed with ES256");
	check_rejected(t, &a, forge(&a, "{\"alg\":\"HS256\"}", claims, "AAAA"), "the token is not signed with ES256");
	check_rejected(t, &a, forge(&a, "{\"alg\":\"ES256\"}", claims, "AAAA"), "the token's signature is not good");
	check_rejected(t, &a, forge(&a, "{\"alg\":\"ES256\"}", claims, strrchr(good, '.') + 1), "the token's signature is not good");
	check_rejected(t, &a, "a.b", "the token has not three parts");
	check_rejected(t, &a, "a.b.c.d", "the token has not three parts");
	check_rejected(t, &a, "a!.b.c", "the token is no base64url");
	check_rejected(t, &a, "..", "the token is not signed with ES256");
	/* any changed byte, also of one that was good a moment ago */
	struct kube_user once;
	struct err none = { 0 };
	CHECK_OK(kube_token_verify_wait(t, good, NULL, 0, &a, &once, NULL, NULL, &none), &none);
	CHECK_OK(kube_token_verify_wait(t, good, NULL, 0, &a, &once, NULL, NULL, &none), &none);
	AUTO(free) char *bent = slice_dup(slice_of(good));
	for (size_t i = 0; i < strlen(good) - 1; i += 7) {
		struct kube_user u;
		struct err e;
		char was = bent[i];
		if (was == '.')
			continue;
		bent[i] = was == 'A' ? 'B' : 'A';
		CHECK_INT(kube_token_verify_wait(t, bent, NULL, 0, &a, &u, NULL, NULL, &e), -EKEYREJECTED);
		bent[i] = was;
	}
	kube_tokens_free(t);
	kube_tokens_free(other);
}

TEST(legacy_tokens_live_as_long_as_their_secret_holds_them)
{
	AUTO(arena) struct arena a;
	struct kube_user u;
	struct err e = { 0 };
	const char *token;
	arena_init(&a, 1 << 20);
	struct kube_tokens *t = open_tokens("sa.key");
	CHECK_OK(kube_token_issue_legacy(t, &subject, "s", &a, &token, &e), &e);
	check_rejected(t, &a, token, "service account token has been invalidated");
	held = token;
	CHECK_OK(kube_token_verify_wait(t, token, NULL, 0, &a, &u, NULL, NULL, &e), &e);
	CHECK_STR(u.name, "system:serviceaccount:ns:sa");
	kube_tokens_free(t);
}

TEST(static_tokens_are_random_and_known_until_the_end)
{
	AUTO(arena) struct arena a;
	struct kube_user u;
	struct err e = { 0 };
	const char *one, *two;
	static const char *const groups[] = { "system:masters" };
	arena_init(&a, 1 << 20);
	struct kube_tokens *t = open_tokens("sa.key");
	CHECK_OK(kube_token_static(t, "system:kube-scheduler", NULL, 0, &a, &one, &e), &e);
	CHECK_OK(kube_token_static(t, "system:coracle", groups, 1, &a, &two, &e), &e);
	CHECK_INT(strlen(one), 43);
	CHECK(strcmp(one, two) != 0);
	CHECK_OK(kube_token_verify_wait(t, two, NULL, 0, &a, &u, NULL, NULL, &e), &e);
	CHECK_STR(u.name, "system:coracle");
	CHECK(kube_user_in_group(&u, "system:masters") && kube_user_in_group(&u, "system:authenticated"));
	check_rejected(t, &a, "something", "the token is not known");
	kube_tokens_free(t);
}

TEST(discovery_documents_carry_the_key)
{
	AUTO(buf) struct buf b = BUF_INIT(10000);
	struct kube_tokens *t = open_tokens("sa.key");
	CHECK_INT(kube_tokens_jwks(t, &b), 0);
	CHECK(strstr(b.ptr, "{\"keys\":[{\"use\":\"sig\",\"kty\":\"EC\",\"kid\":\"") && strstr(b.ptr, "\"crv\":\"P-256\",\"alg\":\"ES256\",\"x\":\""));
	buf_reset(&b);
	CHECK_INT(kube_tokens_discovery(t, &b), 0);
	CHECK_STR(b.ptr, "{\"issuer\":\"https://kubernetes.default.svc.cluster.local\",\"jwks_uri\":\"https://kubernetes.default.svc.cluster.local/openid/v1/jwks\","
		"\"response_types_supported\":[\"id_token\"],\"subject_types_supported\":[\"public\"],\"id_token_signing_alg_values_supported\":[\"ES256\"]}");
	kube_tokens_free(t);
}
