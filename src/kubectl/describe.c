/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl describe: what people want to know of an object, by kind. */
#include <string.h>

#include "kubectl/commands.h"

static void pairs(struct kctl *k, const char *title, const struct tree *map, int indent)
{
	kctl_print(k, "%*s%-12s", indent, "", title);
	if (!map || !map->n) {
		kctl_print(k, "<none>\n");
		return;
	}
	for (uint32_t i = 0; i < map->n; i++)
		kctl_print(k, "%*s%.*s=%.*s\n", i ? indent + 12 : 0, "", (int)map->members[i].key_len, map->members[i].key, SLICE_FMT(tree_text(&map->members[i].value)));
}

static void words(struct kctl *k, const char *title, const struct tree *list, int indent)
{
	if (!list || !list->n)
		return;
	kctl_print(k, "%*s%s:\n", indent, "", title);
	for (uint32_t i = 0; i < list->n; i++)
		kctl_print(k, "%*s%.*s\n", indent + 2, "", SLICE_FMT(tree_text(tree_at(list, i))));
}

static void container(struct kctl *k, const struct tree *c, int indent)
{
	const struct tree *ports = tree_gets(c, "ports"), *env = tree_gets(c, "env"), *mounts = tree_gets(c, "volumeMounts");
	kctl_print(k, "%*s%s:\n", indent, "", kctl_text_at(k, c, "name"));
	kctl_print(k, "%*sImage:\t%s\n", indent + 2, "", kctl_text_at(k, c, "image"));
	kctl_print(k, "%*s%s:\t", indent + 2, "", ports && ports->n > 1 ? "Ports" : "Port");
	for (uint32_t i = 0; ports && i < ports->n; i++)
		kctl_print(k, "%s%s/%s", i ? ", " : "", kctl_text_at(k, tree_at(ports, i), "containerPort"), *kctl_text_at(k, tree_at(ports, i), "protocol") ? kctl_text_at(k, tree_at(ports, i), "protocol") : "TCP");
	kctl_print(k, "%s\n", ports && ports->n ? "" : "<none>");
	words(k, "Command", tree_gets(c, "command"), indent + 2);
	words(k, "Args", tree_gets(c, "args"), indent + 2);
	kctl_print(k, "%*sEnvironment:\t%s\n", indent + 2, "", env && env->n ? "" : "<none>");
	for (uint32_t i = 0; env && i < env->n; i++)
		kctl_print(k, "%*s%s:\t%s\n", indent + 4, "", kctl_text_at(k, tree_at(env, i), "name"), kctl_text_at(k, tree_at(env, i), "value"));
	kctl_print(k, "%*sMounts:\t%s\n", indent + 2, "", mounts && mounts->n ? "" : "<none>");
	for (uint32_t i = 0; mounts && i < mounts->n; i++)
		kctl_print(k, "%*s%s from %s (%s)\n", indent + 4, "", kctl_text_at(k, tree_at(mounts, i), "mountPath"), kctl_text_at(k, tree_at(mounts, i), "name"),
			tree_is_true(tree_gets(tree_at(mounts, i), "readOnly")) ? "ro" : "rw");
}

void kctl_describe_template(struct kctl *k, const struct tree *template, int indent)
{
	const struct tree *c = tree_path(template, "spec.containers");
	pairs(k, "Labels:", tree_path(template, "metadata.labels"), indent);
	kctl_print(k, "%*sContainers:\n", indent, "");
	for (uint32_t i = 0; c && i < c->n; i++)
		container(k, tree_at(c, i), indent + 1);
}
