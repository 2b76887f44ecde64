// SPDX-License-Identifier: Apache-2.0
/* Endpoints, slices, mirrors; what namespaces are born with and how they end. */
#include "base/clock.h"
#include "kube/control/fake_int.h"

#define SERVICE "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: ns, labels: {a: b}}\nspec:\n  selector: {app: web}\n" \
	"  clusterIP: 10.96.0.9\n  ports: [{name: http, port: 80, targetPort: web}, {name: dns, port: 53, protocol: UDP}]\n"
#define POD(name, port, ip, ready) "---\napiVersion: v1\nkind: Pod\nmetadata: {name: " name ", namespace: ns, labels: {app: web}}\n" \
	"spec: {nodeName: n1, containers: [{name: c, image: i, ports: [{name: web, containerPort: " port "}]}]}\n" \
	"status: {phase: Running, podIP: " ip ", conditions: [{type: Ready, status: '" ready "'}]}\n"

static const char *const names[] = { "endpoint", "endpointslice", NULL };

static void service(void)
{
	struct kube_endpoints *ep;
	struct kube_endpoint_slice *x;
	unsigned before;

	fake_create("apiVersion: v1\nkind: Node\nmetadata: {name: n1, labels: {topology.kubernetes.io/zone: z}}\n");
	fake_create(SERVICE);
	fake_settle();
	ep = fake_get("endpoints", "ns", "web");
	CHECK(ep && ep->n_subsets == 0);
	CHECK_STR(kube_label(&ep->metadata, "a"), "b");
	CHECK_INT(fake_count("discovery.k8s.io/endpointslices", "ns", NULL), 1);
	x = fake_at("discovery.k8s.io/endpointslices", "ns", NULL, 0);
	CHECK(x->n_endpoints == 0 && x->n_ports == 0);
	fake_create(POD("p1", "8080", "10.0.0.1", "True") POD("p2", "8080", "10.0.0.2", "False") POD("p3", "9090", "10.0.0.3", "True"));
	fake_settle();
	ep = fake_get("endpoints", "ns", "web");
	CHECK_INT(ep->n_subsets, 2);
	CHECK_INT(ep->subsets[0].n_addresses, 1);
	CHECK_STR(ep->subsets[0].addresses[0].ip, "10.0.0.1");
	CHECK_STR(ep->subsets[0].not_ready_addresses[0].ip, "10.0.0.2");
	CHECK_INT(ep->subsets[0].n_ports, 2);
	CHECK_INT(ep->subsets[0].ports[0].port, 53);
	CHECK_INT(ep->subsets[0].ports[1].port, 8080);
	CHECK_STR(ep->subsets[0].addresses[0].target_ref->name, "p1");
	CHECK_INT(fake_count("discovery.k8s.io/endpointslices", "ns", "kubernetes.io/service-name=web"), 2);
	x = fake_at("discovery.k8s.io/endpointslices", "ns", NULL, 0);
	CHECK_INT(x->n_endpoints, 2);
	CHECK_STR(x->endpoints[0].zone, "z");
	CHECK(*x->endpoints[0].conditions.ready && !*x->endpoints[1].conditions.ready);
	CHECK_STR(x->address_type, "IPv4");
	CHECK(kube_controller_of(&x->metadata));
	before = fake_writes();
	fake_patch("pods", "ns", "p1", NULL, "metadata: {annotations: {x: z}}");
	fake_sleep(100 * NS_PER_S);
	CHECK_INT(fake_writes(), before + 1);
	fake_delete("pods", "ns", "p3", NULL);
	fake_kill("pods", "ns", "p3");
	fake_settle();
	CHECK_INT(fake_count("discovery.k8s.io/endpointslices", "ns", NULL), 1);
	ep = fake_get("endpoints", "ns", "web");
	CHECK_INT(ep->n_subsets, 1);
	fake_delete("services", "ns", "web", NULL);
	fake_settle();
	CHECK(!fake_get("endpoints", "ns", "web"));
}

TEST(a_service_has_endpoints_and_slices_of_its_pods_by_their_ports)
{
	fake_run(names, service);
}

static void many(void)
{
	unsigned sum = 0;

	fake_create(SERVICE);
	for (int i = 0; i < 150; i++) {
		AUTO(free) char *yaml = fmt_new("apiVersion: v1\nkind: Pod\nmetadata: {name: p%d, namespace: ns, labels: {app: web}}\n"
			"spec: {containers: [{name: c, image: i, ports: [{name: web, containerPort: 1}]}]}\nstatus: {podIP: 10.0.1.%d}\n", i, i);

		fake_create(yaml);
	}
	fake_settle();
	CHECK(fake_count("discovery.k8s.io/endpointslices", "ns", NULL) >= 2);
	for (unsigned i = 0; i < fake_count("discovery.k8s.io/endpointslices", "ns", NULL); i++) {
		struct kube_endpoint_slice *x = fake_at("discovery.k8s.io/endpointslices", "ns", NULL, i);

		CHECK(x->n_endpoints <= 100);
		sum += x->n_endpoints;
	}
	CHECK_INT(sum, 150);
}

TEST(a_slice_holds_at_most_100_endpoints)
{
	fake_run(names, many);
}

static void mirrored(void)
{
	struct kube_endpoint_slice *x;

	fake_create("apiVersion: v1\nkind: Service\nmetadata: {name: ext, namespace: ns}\nspec: {clusterIP: 10.96.0.8, ports: [{port: 80}]}\n---\n"
		"apiVersion: v1\nkind: Endpoints\nmetadata: {name: ext, namespace: ns}\nsubsets: [{addresses: [{ip: 1.2.3.4}], ports: [{port: 81}]}]\n");
	fake_settle();
	CHECK_INT(fake_count("discovery.k8s.io/endpointslices", "ns", NULL), 1);
	x = fake_at("discovery.k8s.io/endpointslices", "ns", "endpointslice.kubernetes.io/managed-by=endpointslicemirroring-controller.k8s.io", 0);
	CHECK_STR(x->endpoints[0].addresses[0], "1.2.3.4");
	CHECK_INT(*x->ports[0].port, 81);
	fake_delete("endpoints", "ns", "ext", NULL);
	fake_settle();
	CHECK_INT(fake_count("discovery.k8s.io/endpointslices", "ns", NULL), 0);
}

TEST(endpoints_written_by_hand_are_mirrored)
{
	fake_run(names, mirrored);
}

/* --- namespaces */

static void born_and_ended(void)
{
	struct kube_namespace *ns;
	struct kube_config_map *cm;

	fake_create("apiVersion: v1\nkind: Namespace\nmetadata: {name: ns}\nspec: {finalizers: [kubernetes]}\n");
	fake_settle();
	CHECK(fake_get("serviceaccounts", "ns", "default"));
	cm = fake_get("configmaps", "ns", "kube-root-ca.crt");
	CHECK_STR(cm->data[0].value, "PEM");
	fake_delete("configmaps", "ns", "kube-root-ca.crt", NULL);
	fake_delete("serviceaccounts", "ns", "default", NULL);
	fake_settle();
	CHECK(fake_get("serviceaccounts", "ns", "default") && fake_get("configmaps", "ns", "kube-root-ca.crt"));
	fake_create("apiVersion: v1\nkind: Secret\nmetadata: {name: held, namespace: ns, finalizers: [example.com/x]}\n");
	fake_delete("namespaces", "", "ns", NULL);
	fake_sleep(5 * NS_PER_S);
	ns = fake_get("namespaces", "", "ns");
	CHECK_STR(ns->status.phase, "Terminating");
	CHECK(!fake_get("configmaps", "ns", "kube-root-ca.crt"));
	CHECK_STR(KUBE_CONDITION(ns->status.conditions, ns->status.n_conditions, "NamespaceContentRemaining")->message,
		"Some resources are remaining: secrets. has 1 resource instances");
	CHECK_STR(KUBE_CONDITION(ns->status.conditions, ns->status.n_conditions, "NamespaceFinalizersRemaining")->message,
		"Some content in the namespace has finalizers remaining: example.com/x in 1 resource instances");
	fake_patch("secrets", "ns", "held", NULL, "metadata: {finalizers: null}");
	fake_sleep(5 * NS_PER_S);
	CHECK(!fake_get("namespaces", "", "ns"));
}

TEST(a_namespace_is_born_with_an_account_and_ends_when_it_is_empty)
{
	static const char *const some[] = { "namespace", "serviceaccount", "root-ca-certificate-publisher", NULL };

	fake_config.root_ca_pem = "PEM";
	fake_run(some, born_and_ended);
}

/* --- garbage */

#define OWNED(name, owner, uid, blocks) "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: " name ", namespace: ns, ownerReferences: " \
	"[{apiVersion: v1, kind: ConfigMap, name: " owner ", uid: " uid ", controller: true, blockOwnerDeletion: " blocks "}]}\n"
#define PLAIN(name) "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: " name ", namespace: ns}\n"
static const char *const collector[] = { "garbage-collector", NULL };

static void background(void)
{
	struct kube_config_map *both;

	fake_create(PLAIN("a") OWNED("b", "a", "uid-1", "true") OWNED("c", "b", "uid-2", "true") OWNED("lost", "gone", "uid-99", "false") PLAIN("other"));
	fake_create("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: both, namespace: ns, ownerReferences: "
		"[{apiVersion: v1, kind: ConfigMap, name: a, uid: uid-1}, {apiVersion: v1, kind: ConfigMap, name: other, uid: uid-5}]}\n");
	fake_settle();
	CHECK(!fake_get("configmaps", "ns", "lost"));
	CHECK_INT(fake_count("configmaps", "ns", NULL), 5);
	fake_delete("configmaps", "ns", "a", "Background");
	fake_settle();
	CHECK_INT(fake_count("configmaps", "ns", NULL), 2);
	both = fake_get("configmaps", "ns", "both");
	CHECK_INT(both->metadata.n_owner_references, 1);
	CHECK_STR(both->metadata.owner_references[0].name, "other");
}

TEST(dependents_go_behind_their_last_owner)
{
	fake_run(collector, background);
}

static void foreground(void)
{
	fake_create(PLAIN("a") "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, namespace: ns, finalizers: [example.com/x], ownerReferences: "
		"[{apiVersion: v1, kind: ConfigMap, name: a, uid: uid-1, blockOwnerDeletion: true}]}\n" OWNED("c", "b", "uid-2", "true"));
	fake_settle();
	fake_delete("configmaps", "ns", "a", "Foreground");
	fake_settle();
	CHECK(!fake_get("configmaps", "ns", "c"));
	CHECK(fake_get("configmaps", "ns", "b") && fake_get("configmaps", "ns", "a"));
	fake_patch("configmaps", "ns", "b", NULL, "metadata: {finalizers: null}");
	fake_settle();
	CHECK_INT(fake_count("configmaps", "ns", NULL), 0);
}

TEST(an_owner_deleted_in_the_foreground_waits_for_what_blocks_it)
{
	fake_run(collector, foreground);
}

static void orphan(void)
{
	struct kube_config_map *b;

	fake_create(PLAIN("a") OWNED("b", "a", "uid-1", "true"));
	fake_settle();
	fake_delete("configmaps", "ns", "a", "Orphan");
	fake_settle();
	CHECK(!fake_get("configmaps", "ns", "a"));
	b = fake_get("configmaps", "ns", "b");
	CHECK(b && b->metadata.n_owner_references == 0);
}

TEST(an_owner_that_orphans_leaves_its_dependents)
{
	fake_run(collector, orphan);
}

static void circle(void)
{
	fake_create("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: ns, ownerReferences: "
		"[{apiVersion: v1, kind: ConfigMap, name: c, uid: uid-3, blockOwnerDeletion: true}]}\n" OWNED("b", "a", "uid-1", "true") OWNED("c", "b", "uid-2", "true"));
	fake_settle();
	CHECK_INT(fake_count("configmaps", "ns", NULL), 3);
	fake_delete("configmaps", "ns", "a", "Foreground");
	fake_sleep(20 * NS_PER_S);
	CHECK_INT(fake_count("configmaps", "ns", NULL), 0);
}

TEST(a_circle_of_owners_does_not_block_itself)
{
	fake_run(collector, circle);
}
