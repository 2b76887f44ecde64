/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl cluster-info dump. */
#include <string.h>

#include "kubectl/commands.h"

/* Every object that helps to find out what is wrong, and the logs of all pods; one document after another. */
int kcmd_cluster_info_dump(struct kctl *k, struct err *e)
{
	static const char *const kinds[] = { "events", "replicationcontrollers", "services", "daemonsets.apps", "deployments.apps", "replicasets.apps", "pods" };
	const char *one[] = { "kube-system", NULL }, *const *namespaces = one;
	const struct flag_value *given = flag_list(&k->f, "namespaces");
	struct kctl_kind kind;
	struct tree list;
	size_t n = 1;
	int r = kctl_client(k, e);
	if (r < 0)
		return r;
	const char *two[] = { "kube-system", k->ns };
	namespaces = two;
	n = strcmp(k->ns, "kube-system") ? 2 : 1;
	if (given->n) {
		namespaces = given->v;
		n = given->n;
	}
	r = kctl_kind_wait(k, "nodes", &kind, e);
	if (r == 0)
		r = kctl_get_wait(k, kctl_path(k, &kind, NULL, NULL, NULL, NULL), &list, e);
	if (r == 0)
		r = tree_to_json(&list, SCHEMA_INDENT | SCHEMA_SORTED | SCHEMA_NEWLINE, &k->out);
	for (size_t i = 0; r == 0 && i < n; i++)
		for (size_t j = 0; r == 0 && j < ARRAY_LEN(kinds); j++) {
			r = kctl_kind_wait(k, kinds[j], &kind, e);
			if (r == 0)
				r = kctl_get_wait(k, kctl_path(k, &kind, namespaces[i], NULL, NULL, NULL), &list, e);
			if (r == 0)
				r = tree_to_json(&list, SCHEMA_INDENT | SCHEMA_SORTED | SCHEMA_NEWLINE, &k->out);
			const struct tree *items = r == 0 && !strcmp(kinds[j], "pods") ? tree_gets(&list, "items") : NULL;
			for (uint32_t p = 0; items && p < items->n; p++) {
				const struct tree *containers = tree_path(tree_at(items, p), "spec.containers");
				const char *pod = kctl_text_at(k, tree_at(items, p), "metadata.name");
				for (uint32_t c = 0; containers && c < containers->n; c++) {
					struct kctl_reply reply;
					const char *name = kctl_text_at(k, tree_at(containers, c), "name");
					kctl_print(k, "==== START logs for container %s of pod %s/%s ====\n", name, namespaces[i], pod);
					struct err ignored;
					if (kctl_request_wait(k, "GET", kctl_path(k, &kind, namespaces[i], pod, "log", kctl_query(k, NULL, "container", name)), "*/*", NULL, slice_n("", 0), &reply, &ignored) == 0 && reply.status == 200)
						buf_addslice(&k->out, buf_slice(&reply.body));
					buf_release(&reply.body);
					kctl_print(k, "==== END logs for container %s of pod %s/%s ====\n", name, namespaces[i], pod);
				}
			}
		}
	return r;
}

