/* SPDX-License-Identifier: Apache-2.0 */
/* Authorisation: the default roles, bindings, names, paths, escalation, aggregation, and what nodes may. */
#include "kube/auth/auth.h"

#include <errno.h>

#include "base/auto.h"
#include "base/test.h"
#include "kube/meta/resource.h"

static struct kube_rbac *x;
static struct arena a;

static int feed(void *arg, const struct kube_resource *r, const char *ns, const void *obj)
{
	enum kube_rbac_kind kind = !strcmp(r->plural, "roles") ? KUBE_ROLE : !strcmp(r->plural, "clusterroles") ? KUBE_CLUSTER_ROLE :
		!strcmp(r->plural, "rolebindings") ? KUBE_ROLE_BINDING : KUBE_CLUSTER_ROLE_BINDING;
	return kube_rbac_put(x, kind, obj);
}

/* Gives aggregated roles their rules, as the controller does, until nothing changes. */
static void aggregate_all(void)
{
	static const struct { const char *name, *label; } roles[] = { { "view", "view" }, { "edit", "edit" }, { "admin", "admin" } };
	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		char label[100];
		fmt_into(label, sizeof label, "rbac.authorization.k8s.io/aggregate-to-%s", roles[i].label);
		struct schema_pair want = { label, "true" }, own[2] = { { "rbac.authorization.k8s.io/aggregate-to-edit", "true" },
			{ "rbac.authorization.k8s.io/aggregate-to-admin", "true" } };
		struct kube_label_selector s = { .match_labels = &want, .n_match_labels = 1 };
		struct kube_aggregation_rule g = { &s, 1 };
		struct kube_cluster_role c = { .metadata = { .name = roles[i].name }, .aggregation_rule = &g };
		if (i < 2) {
			c.metadata.labels = &own[i];
			c.metadata.n_labels = 1;
		}
		bool changed;
		CHECK_INT(kube_rbac_aggregate(x, &c, &a, &c.rules, &c.n_rules, &changed), 0);
		CHECK(changed && c.n_rules > 0);
		CHECK_INT(kube_rbac_put(x, KUBE_CLUSTER_ROLE, &c), 0);
		struct kube_policy_rule *again;
		uint32_t n;
		CHECK_INT(kube_rbac_aggregate(x, &c, &a, &again, &n, &changed), 0);
		CHECK(!changed);
	}
}

static void setup(void)
{
	arena_init(&a, 64 << 20);
	CHECK_INT(kube_rbac_new(&x), 0);
	CHECK_INT(kube_bootstrap_each(&a, feed, NULL), 0);
	aggregate_all();
}

static void teardown(void)
{
	kube_rbac_free(x);
	arena_release(&a);
}

static struct kube_user user(const char *name, const char *group)
{
	static const char *groups[8][2];
	static unsigned at;
	const char **v = groups[at++ % 8];
	v[0] = group;
	v[1] = "system:authenticated";
	return (struct kube_user){ .name = name, .groups = group ? v : v + 1, .n_groups = group ? 2 : 1 };
}

/* "get apps/deployments/scale ns/name", core group empty: "list /pods ns/" */
static bool can_why(const struct kube_user *u, const char *question, const char **reason)
{
	struct slice rest = slice_of(question), verb, what, where, group, resource, sub = SLICE(""), ns, name;
	slice_cut(rest, ' ', &verb, &rest);
	slice_cut(rest, ' ', &what, &where);
	struct kube_attributes at = { .verb = arena_dup(&a, verb), .group = "", .version = "v1", .resource = "", .subresource = "", .namespace_ = "", .name = "",
		.path = "" };
	if (slice_is(where, "path")) {
		at.path = arena_dup(&a, what);
		return kube_rbac_allowed(x, u, &at, &a, reason) == 1;
	}
	slice_cut(what, '/', &group, &resource);
	slice_cut(resource, '/', &resource, &sub);
	slice_cut(where, '/', &ns, &name);
	at.is_resource = true;
	at.group = arena_dup(&a, group);
	at.resource = arena_dup(&a, resource);
	at.subresource = arena_dup(&a, sub);
	at.namespace_ = arena_dup(&a, ns);
	at.name = arena_dup(&a, name);
	return kube_rbac_allowed(x, u, &at, &a, reason) == 1;
}

static bool can(const struct kube_user *u, const char *question)
{
	const char *reason = NULL;
	return can_why(u, question, &reason);
}

static void bind_role(const char *ns, const char *name, const char *role_kind, const char *role, const char *subject_kind, const char *subject_ns, const char *subject)
{
	struct kube_subject s = { .kind = subject_kind, .name = subject, .namespace = subject_ns };
	struct kube_role_binding b = { .metadata = { .name = name, .namespace = ns }, .subjects = &s, .n_subjects = 1,
		.role_ref = { "rbac.authorization.k8s.io", role_kind, role } };
	CHECK_INT(kube_rbac_put(x, ns ? KUBE_ROLE_BINDING : KUBE_CLUSTER_ROLE_BINDING, &b), 0);
}

TEST(masters_may_everything_and_nobody_little)
{
	setup();
	struct kube_user admin = user("kubernetes-admin", "system:masters"), bob = user("bob", NULL);
	const char *groups[] = { "system:unauthenticated" };
	struct kube_user nobody = { .name = "system:anonymous", .groups = groups, .n_groups = 1 };
	CHECK(can(&admin, "delete /nodes /n1") && can(&admin, "get /anything path"));
	CHECK(!can(&bob, "list /pods default/") && !can(&nobody, "list /pods default/"));
	CHECK(can(&bob, "create authorization.k8s.io/selfsubjectaccessreviews /") && !can(&nobody, "create authorization.k8s.io/selfsubjectaccessreviews /"));
	CHECK(can(&bob, "get /api path") && can(&bob, "get /apis/apps/v1 path") && !can(&bob, "get /metrics path"));
	CHECK(can(&nobody, "get /version path") && can(&nobody, "get /healthz path") && !can(&nobody, "get /apis path"));
	teardown();
}

TEST(view_edit_and_admin_hold_in_their_namespace_only)
{
	setup();
	struct kube_user v = user("v", NULL), e = user("e", "editors"), d = user("d", NULL);
	bind_role("ns1", "v", "ClusterRole", "view", "User", NULL, "v");
	bind_role("ns1", "e", "ClusterRole", "edit", "Group", NULL, "editors");
	bind_role("ns1", "d", "ClusterRole", "admin", "User", NULL, "d");
	CHECK(can(&v, "list /pods ns1/") && can(&v, "get apps/deployments ns1/x") && can(&v, "get /pods/log ns1/p"));
	CHECK(!can(&v, "list /pods ns2/") && !can(&v, "get /secrets ns1/s") && !can(&v, "delete /pods ns1/p") && !can(&v, "list /pods /"));
	CHECK(can(&e, "create apps/deployments ns1/") && can(&e, "get /secrets ns1/s") && can(&e, "create /pods/exec ns1/p") && can(&e, "list /pods ns1/"));
	CHECK(!can(&e, "create rbac.authorization.k8s.io/rolebindings ns1/") && !can(&e, "update /resourcequotas ns1/q"));
	CHECK(can(&d, "create rbac.authorization.k8s.io/rolebindings ns1/") && can(&d, "create /pods ns1/") && !can(&d, "create /namespaces /"));
	const char *reason = NULL;
	CHECK(can_why(&e, "create /pods ns1/", &reason));
	CHECK_STR(reason, "RBAC: allowed by RoleBinding \"e/ns1\" of ClusterRole \"edit\" to Group \"editors\"");
	kube_rbac_remove(x, KUBE_ROLE_BINDING, "ns1", "e");
	CHECK(!can(&e, "create /pods ns1/"));
	teardown();
}

TEST(roles_with_names_subresources_and_accounts)
{
	setup();
	const char *verbs[] = { "get", "update" }, *core[] = { "" }, *resources[] = { "configmaps", "*/scale" }, *names[] = { "mine" };
	struct kube_policy_rule rule = { .verbs = verbs, .n_verbs = 2, .api_groups = core, .n_api_groups = 1, .resources = resources, .n_resources = 2,
		.resource_names = names, .n_resource_names = 1 };
	struct kube_role role = { .metadata = { .name = "r", .namespace = "ns" }, .rules = &rule, .n_rules = 1 };
	struct kube_user sa = user("system:serviceaccount:ns:sa", NULL), other = user("system:serviceaccount:ns2:sa", NULL);
	CHECK_INT(kube_rbac_put(x, KUBE_ROLE, &role), 0);
	bind_role("ns", "b", "Role", "r", "ServiceAccount", NULL, "sa");
	CHECK(can(&sa, "get /configmaps ns/mine") && can(&sa, "update /replicationcontrollers/scale ns/mine"));
	CHECK(!can(&sa, "get /configmaps ns/theirs") && !can(&sa, "list /configmaps ns/") && !can(&sa, "get /configmaps/status ns/mine"));
	CHECK(!can(&other, "get /configmaps ns/mine"));
	kube_rbac_remove(x, KUBE_ROLE, "ns", "r");
	const char *reason = NULL;
	CHECK(!can_why(&sa, "get /configmaps ns/mine", &reason));
	CHECK_STR(reason, "RBAC: role.rbac.authorization.k8s.io \"r\" not found");
	teardown();
}

TEST(nobody_gives_what_they_have_not)
{
	setup();
	struct err e = { 0 };
	struct kube_user d = user("d", NULL), admin = user("root", "system:masters");
	bind_role("ns1", "d", "ClusterRole", "admin", "User", NULL, "d");
	const struct kube_resource *roles = kube_resource_find("rbac.authorization.k8s.io", "v1", "roles");
	const struct kube_resource *bindings = kube_resource_find("rbac.authorization.k8s.io", "v1", "rolebindings");
	const char *verbs[] = { "get", "delete" }, *core[] = { "" }, *resources[] = { "pods", "nodes" };
	struct kube_policy_rule rule = { .verbs = verbs, .n_verbs = 2, .api_groups = core, .n_api_groups = 1, .resources = resources, .n_resources = 1 };
	struct kube_role role = { .metadata = { .name = "r", .namespace = "ns1" }, .rules = &rule, .n_rules = 1 };
	CHECK_OK(kube_rbac_check_write(x, &d, roles, &role, NULL, &a, &e), &e);
	rule.n_resources = 2;
	CHECK_INT(kube_rbac_check_write(x, &d, roles, &role, NULL, &a, &e), -EACCES);
	CHECK_STR(e.text, "user \"d\" (groups=[\"system:authenticated\"]) is attempting to grant RBAC permissions "
		"not currently held:\n{APIGroups:[\"\"], Resources:[\"nodes\"], Verbs:[\"get\" \"delete\"]}");
	CHECK_OK(kube_rbac_check_write(x, &d, roles, &role, &role, &a, &e), &e);
	CHECK_OK(kube_rbac_check_write(x, &admin, roles, &role, NULL, &a, &e), &e);
	struct kube_subject s = { .kind = "User", .name = "v" };
	struct kube_role_binding b = { .metadata = { .name = "b", .namespace = "ns1" }, .subjects = &s, .n_subjects = 1,
		.role_ref = { "rbac.authorization.k8s.io", "ClusterRole", "view" } };
	CHECK_OK(kube_rbac_check_write(x, &d, bindings, &b, NULL, &a, &e), &e);
	b.role_ref.name = "cluster-admin";
	CHECK_INT(kube_rbac_check_write(x, &d, bindings, &b, NULL, &a, &e), -EACCES);
	CHECK(strstr(e.text, "{APIGroups:[\"*\"], Resources:[\"*\"], Verbs:[\"*\"]}\n{NonResourceURLs:[\"*\"], Verbs:[\"*\"]}"));
	b.role_ref.name = "none";
	CHECK_INT(kube_rbac_check_write(x, &d, bindings, &b, NULL, &a, &e), -ENOENT);
	teardown();
}

TEST(rules_that_would_take_forever_to_compare_are_refused)
{
	setup();
	enum { MANY = 20000 };
	AUTO(free) const char **many = calloc(MANY, sizeof *many);
	for (int i = 0; i < MANY; i++)
		many[i] = "x";
	struct kube_policy_rule rule = { .verbs = many, .n_verbs = MANY, .api_groups = many, .n_api_groups = MANY, .resources = many, .n_resources = MANY };
	const struct kube_policy_rule *own[] = { &rule };
	struct kube_policy_rule small = { .verbs = many, .n_verbs = 1, .api_groups = many, .n_api_groups = 1, .resources = many, .n_resources = 1 };
	own[0] = &small;
	CHECK(!kube_rules_cover(&(struct kube_rules){ own, 1, 1 }, &rule, 1, NULL));
	CHECK(kube_rules_cover(&(struct kube_rules){ own, 1, 1 }, &small, 1, NULL));
	teardown();
}

/* --- nodes ---------------------------------------------------------------------------- */

static struct kube_pod a_pod(const char *name, const char *node, struct kube_volume *v)
{
	static struct kube_secret_volume_source secret = { .secret_name = "s1" };
	*v = (struct kube_volume){ .name = "v", .secret = &secret };
	return (struct kube_pod){ .metadata = { .name = name, .namespace = "ns" }, .spec = { .node_name = node, .service_account_name = "sa", .volumes = v,
		.n_volumes = 1 } };
}

TEST(a_node_reads_what_its_pods_need_and_no_more)
{
	setup();
	struct kube_volume v;
	struct kube_pod p = a_pod("p", "n1", &v);
	struct kube_user n1 = user("system:node:n1", "system:nodes"), n2 = user("system:node:n2", "system:nodes"), fake = user("system:node:n1", NULL);
	CHECK_INT(kube_rbac_put_pod(x, &p), 0);
	CHECK(can(&n1, "get /secrets ns/s1") && can(&n1, "create /serviceaccounts/token ns/sa") && can(&n1, "watch /secrets ns/s1"));
	CHECK(!can(&n1, "get /secrets ns/s2") && !can(&n1, "get /secrets other/s1") && !can(&n1, "list /secrets ns/") && !can(&n1, "update /secrets ns/s1"));
	const char *reason = NULL;
	CHECK(!can_why(&n2, "get /secrets ns/s1", &reason));
	CHECK_STR(reason, "no relationship found between node 'n2' and this object");
	CHECK(!can(&fake, "get /secrets ns/s1"));
	struct kube_attributes list = { .verb = "list", .group = "", .version = "v1", .resource = "pods", .subresource = "", .namespace_ = "", .name = "",
		.path = "", .is_resource = true };
	CHECK_INT(kube_rbac_allowed(x, &n1, &list, &a, &reason), 0);
	list.field_selector = "status.phase!=Failed,spec.nodeName=n2";
	CHECK_INT(kube_rbac_allowed(x, &n1, &list, &a, &reason), 0);
	list.field_selector = "spec.nodeName!=n1";
	CHECK_INT(kube_rbac_allowed(x, &n1, &list, &a, &reason), 0);
	list.field_selector = "status.phase!=Failed,spec.nodeName==n1";
	CHECK_INT(kube_rbac_allowed(x, &n1, &list, &a, &reason), 1);
	CHECK(can(&n1, "watch /nodes /n1") && !can(&n1, "watch /nodes /") && !can(&n1, "list /nodes /n2"));
	CHECK(can(&n1, "update /nodes/status /n1") && !can(&n1, "update /nodes/status /n2") && can(&n1, "create /nodes /") && can(&n1, "list /services /"));
	CHECK(can(&n1, "update coordination.k8s.io/leases kube-node-lease/n1") && !can(&n1, "update coordination.k8s.io/leases kube-node-lease/n2") &&
		!can(&n1, "get coordination.k8s.io/leases kube-system/n1"));
	CHECK(can(&n1, "update /pods/status ns/p") && !can(&n1, "create apps/deployments ns/") && can(&n1, "create /events ns/"));
	kube_rbac_remove_pod(x, "ns", "p");
	CHECK(!can(&n1, "get /secrets ns/s1"));
	teardown();
}

static int fresh_pods(void *arg, const char *node, int (*fn)(void *, const struct kube_pod *), void *fn_arg)
{
	struct kube_volume v;
	struct kube_pod p = a_pod("late", node, &v);
	return strcmp(node, "n1") == 0 ? fn(fn_arg, &p) : 0;
}

TEST(a_node_that_is_faster_than_our_watch_is_not_refused)
{
	setup();
	struct kube_user n1 = user("system:node:n1", "system:nodes"), n2 = user("system:node:n2", "system:nodes");
	CHECK(!can(&n1, "get /secrets ns/s1"));
	kube_rbac_set_pods(x, &(struct kube_pod_source){ fresh_pods, NULL });
	CHECK(can(&n1, "get /secrets ns/s1") && kube_rbac_pod_is_on(x, "ns", "late", "n1"));
	CHECK(!can(&n2, "get /secrets ns/s1") && !can(&n1, "get /secrets ns/s2"));
	teardown();
}

TEST(a_node_writes_itself_and_its_pods_only)
{
	setup();
	struct err e = { 0 };
	struct kube_volume v;
	struct kube_pod mine = a_pod("p", "n1", &v), theirs = a_pod("q", "n2", &v);
	struct kube_user n1 = user("system:node:n1", "system:nodes"), bob = user("bob", NULL);
	struct kube_attributes at = { .verb = "update", .group = "", .version = "v1", .resource = "pods", .subresource = "status", .namespace_ = "ns", .name = "p",
		.path = "", .is_resource = true };
	CHECK_OK(kube_rbac_check_node_write(x, &n1, &at, &mine, &mine, &e), &e);
	CHECK_INT(kube_rbac_check_node_write(x, &n1, &at, &theirs, &theirs, &e), -EACCES);
	CHECK_STR(e.text, "node \"n1\" can only update pod status for pods with spec.nodeName set to itself");
	CHECK_OK(kube_rbac_check_node_write(x, &bob, &at, &theirs, &theirs, &e), &e);
	at.verb = "create";
	at.subresource = "";
	CHECK_INT(kube_rbac_check_node_write(x, &n1, &at, &mine, NULL, &e), -EACCES);
	struct schema_pair mirror = { "kubernetes.io/config.mirror", "x" };
	mine.metadata.annotations = &mirror;
	mine.metadata.n_annotations = 1;
	CHECK_INT(kube_rbac_check_node_write(x, &n1, &at, &mine, NULL, &e), -EACCES);
	CHECK(strstr(e.text, "can not create pods that reference a service account"));
	mine.spec.service_account_name = NULL;
	mine.spec.n_volumes = 0;
	CHECK_OK(kube_rbac_check_node_write(x, &n1, &at, &mine, NULL, &e), &e);
	struct schema_pair label = { "node-restriction.kubernetes.io/x", "y" };
	struct kube_node n = { .metadata = { .name = "n1" } }, old = n;
	at = (struct kube_attributes){ .verb = "update", .group = "", .version = "v1", .resource = "nodes", .subresource = "", .namespace_ = "", .name = "n1",
		.path = "", .is_resource = true };
	CHECK_OK(kube_rbac_check_node_write(x, &n1, &at, &n, &old, &e), &e);
	n.metadata.labels = &label;
	n.metadata.n_labels = 1;
	CHECK_INT(kube_rbac_check_node_write(x, &n1, &at, &n, &old, &e), -EACCES);
	at.name = "n2";
	CHECK_INT(kube_rbac_check_node_write(x, &n1, &at, &n, &old, &e), -EACCES);
	CHECK_STR(e.text, "node \"n1\" is not allowed to modify node \"n2\"");
	teardown();
}

/* --- reviews ---------------------------------------------------------------------------- */

static int find(void *arg, const char *plural, const char *ns, const char *name, bool is_fresh, struct arena *ar, struct kube_token_object *ret)
{
	if (strcmp(name, "none") == 0)
		return -ENOENT;
	*ret = (struct kube_token_object){ .uid = "u1", .node_name = "n1", .service_account = "sa" };
	return 0;
}

TEST(reviews_answer_who_may_what_and_who_one_is)
{
	struct kube_auth *auth;
	struct err e = { 0 };
	char path[300];
	static const struct kube_token_lookup lookup = { find, NULL, NULL };
	arena_init(&a, 64 << 20);
	fmt_into(path, sizeof path, "%s/sa.key", test_dir());
	CHECK_OK(kube_auth_open(&(struct kube_auth_options){ .tokens = { .key_path = path } }, &auth, &e), &e);
	kube_tokens_set_lookup(kube_auth_tokens(auth), &lookup);
	x = kube_auth_rbac(auth);
	CHECK_INT(kube_bootstrap_each(&a, feed, NULL), 0);
	struct kube_reviewer r = kube_auth_reviewer(auth);
	struct kube_user bob = user("bob", NULL), admin = user("root", "system:masters");

	struct kube_resource_attributes ra = { .namespace = "default", .verb = "list", .resource = "pods" };
	struct kube_self_subject_access_review self = { .spec = { .resource_attributes = &ra } };
	const struct kube_resource *sar = kube_resource_find("authorization.k8s.io", "v1", "selfsubjectaccessreviews");
	CHECK_OK(r.review_wait(r.arg, &bob, sar, "", &self, &a, &e), &e);
	CHECK(!self.status.allowed);
	CHECK_OK(r.review_wait(r.arg, &admin, sar, "", &self, &a, &e), &e);
	CHECK(self.status.allowed);
	self.spec.resource_attributes = NULL;
	CHECK_INT(r.review_wait(r.arg, &admin, sar, "", &self, &a, &e), -EINVAL);

	struct kube_self_subject_rules_review rules = { .spec = { .namespace = "default" } };
	CHECK_OK(r.review_wait(r.arg, &bob, kube_resource_find("authorization.k8s.io", "v1", "selfsubjectrulesreviews"), "", &rules, &a, &e), &e);
	CHECK_INT(rules.status.n_resource_rules, 2);
	CHECK_INT(rules.status.n_non_resource_rules, 2);

	const char *groups[] = { "system:masters" };
	struct kube_subject_access_review other = { .spec = { .resource_attributes = &ra, .user = "carol", .groups = groups, .n_groups = 1 } };
	CHECK_OK(r.review_wait(r.arg, &bob, kube_resource_find("authorization.k8s.io", "v1", "subjectaccessreviews"), "", &other, &a, &e), &e);
	CHECK(other.status.allowed);

	struct kube_self_subject_review who = { 0 };
	CHECK_OK(r.review_wait(r.arg, &bob, kube_resource_find("authentication.k8s.io", "v1", "selfsubjectreviews"), "", &who, &a, &e), &e);
	CHECK_STR(who.status.user_info.username, "bob");

	struct kube_service_account sa = { .metadata = { .name = "sa", .namespace = "ns", .uid = "u1" } };
	struct kube_bound_object_reference ref = { .kind = "Pod", .api_version = "v1", .name = "p", .uid = "u1" };
	struct kube_token_request q = { .spec = { .bound_object_ref = &ref } };
	CHECK_OK(r.token_wait(r.arg, &admin, &sa, &q, &a, &e), &e);
	CHECK_INT(*q.spec.expiration_seconds, 3600);
	CHECK(q.status.token && q.status.expiration_timestamp);
	struct kube_token_review tr = { .spec = { .token = q.status.token } };
	const struct kube_resource *trr = kube_resource_find("authentication.k8s.io", "v1", "tokenreviews");
	CHECK_OK(r.review_wait(r.arg, &bob, trr, "", &tr, &a, &e), &e);
	CHECK(tr.status.authenticated);
	CHECK_STR(tr.status.user.username, "system:serviceaccount:ns:sa");
	tr.spec.token = "nonsense";
	CHECK_OK(r.review_wait(r.arg, &bob, trr, "", &tr, &a, &e), &e);
	CHECK(!tr.status.authenticated);
	CHECK_STR(tr.status.error, "[invalid bearer token, the token is not known]");
	ref.uid = "u2";
	CHECK_INT(r.token_wait(r.arg, &admin, &sa, &q, &a, &e), -EBUSY);
	ref.uid = "u1";
	struct kube_user node = user("system:node:n1", "system:nodes");
	CHECK_INT(r.token_wait(r.arg, &node, &sa, &q, &a, &e), -EACCES);
	struct kube_pod p = { .metadata = { .name = "p", .namespace = "ns" }, .spec = { .node_name = "n1" } };
	CHECK_INT(kube_rbac_put_pod(x, &p), 0);
	CHECK_OK(r.token_wait(r.arg, &node, &sa, &q, &a, &e), &e);
	AUTO(buf) struct buf doc = BUF_INIT(10000);
	const char *type;
	CHECK_OK(r.document(r.arg, "/openid/v1/jwks", &doc, &type, &e), &e);
	CHECK_STR(type, "application/jwk-set+json");
	kube_auth_free(auth);
	arena_release(&a);
}

/* --- the default roles ------------------------------------------------------------------- */

static struct { void *obj; const struct kube_resource *r; const char *ns, *name; } kept[300];
static size_t n_kept;
static unsigned n_created, n_updated;

static size_t place(const struct kube_resource *r, const char *ns, const char *name)
{
	size_t i = 0;
	while (i < n_kept && !(kept[i].r == r && strcmp(kept[i].ns, ns ? ns : "") == 0 && strcmp(kept[i].name, name) == 0))
		i++;
	return i;
}

static int get(void *arg, const struct kube_resource *r, const char *ns, const char *name, struct arena *ar, void *ret, struct err *e)
{
	size_t i = place(r, ns, name);
	return i == n_kept ? err_set(e, ENOENT, "not found") : schema_copy(r->type, kept[i].obj, ar, ret);
}

static int put(const struct kube_resource *r, const char *ns, const void *obj)
{
	const struct kube_object_meta *m = &((const struct kube_role *)obj)->metadata;
	size_t i = place(r, ns, m->name);
	kept[i].obj = arena_alloc(&a, schema_size(r->type));
	kept[i].r = r;
	kept[i].ns = ns ? ns : "";
	kept[i].name = arena_strdup(&a, m->name);
	n_kept = MAX(n_kept, i + 1);
	return schema_copy(r->type, obj, &a, kept[i].obj);
}

static int do_create(void *arg, const struct kube_resource *r, const char *ns, const void *obj, struct arena *ar, struct err *e)
{
	n_created++;
	return put(r, ns, obj);
}

static int do_update(void *arg, const struct kube_resource *r, const char *ns, const void *obj, struct arena *ar, struct err *e)
{
	n_updated++;
	return put(r, ns, obj);
}

TEST(default_roles_are_made_once_and_mended_unless_told_not_to)
{
	static const struct kube_bootstrap_store s = { get, do_create, do_update, NULL };
	struct err e = { 0 };
	arena_init(&a, 64 << 20);
	CHECK_OK(kube_bootstrap_wait(&s, &e), &e);
	CHECK(n_created > 100);
	CHECK_INT(n_created, n_kept);
	n_created = 0;
	CHECK_OK(kube_bootstrap_wait(&s, &e), &e);
	CHECK_INT(n_created + n_updated, 0);
	const struct kube_resource *roles = kube_resource_find("rbac.authorization.k8s.io", "v1", "clusterroles");
	const struct kube_resource *bindings = kube_resource_find("rbac.authorization.k8s.io", "v1", "clusterrolebindings");
	struct kube_cluster_role *c = kept[place(roles, NULL, "system:basic-user")].obj;
	c->n_rules = 1;
	struct kube_cluster_role_binding *b = kept[place(bindings, NULL, "system:discovery")].obj;
	b->n_subjects = 0;
	CHECK_OK(kube_bootstrap_wait(&s, &e), &e);
	CHECK_INT(n_updated, 2);
	c = kept[place(roles, NULL, "system:basic-user")].obj;
	CHECK_INT(c->n_rules, 2);
	c->n_rules = 1;
	c->metadata.annotations[0].value = "false";
	CHECK_OK(kube_bootstrap_wait(&s, &e), &e);
	CHECK_INT(n_updated, 2);
	arena_release(&a);
}
