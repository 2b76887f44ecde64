// SPDX-License-Identifier: Apache-2.0
#include "kube/meta/user.h"
#include "base/auto.h"
#include "codec/json.h"

const char *kube_user_node(const struct kube_user *u)
{
	static const char prefix[] = "system:node:";
	if (!u->name || strncmp(u->name, prefix, sizeof prefix - 1) != 0 || !kube_user_in_group(u, "system:nodes"))
		return NULL;
	return u->name + sizeof prefix - 1;
}

static void quoted(struct buf *out, const char *before, const char *s)
{
	buf_adds(out, before);
	json_put_string(out, s, strlen(s), 0);
}

static void what(const struct kube_user *u, const struct kube_attributes *a, struct buf *out)
{
	quoted(out, "User ", u->name ? u->name : "");
	buf_addf(out, " cannot %s ", a->verb);
	if (!a->is_resource) {
		quoted(out, "path ", a->path);
		return;
	}
	AUTO(buf) struct buf resource = BUF_INIT(4096);
	buf_addf(&resource, "%s%s%s", a->resource, *a->subresource ? "/" : "", a->subresource);
	quoted(out, "resource ", resource.ptr);
	quoted(out, " in API group ", a->group);
	if (*a->namespace_)
		quoted(out, " in the namespace ", a->namespace_);
	else
		buf_adds(out, " at the cluster scope");
}

void kube_forbidden_text(const struct kube_user *u, const struct kube_attributes *a, const char *reason, struct buf *out)
{
	if (a->is_resource) {
		buf_addf(out, "%s%s%s", a->resource, *a->group ? "." : "", a->group);
		if (*a->name)
			quoted(out, " ", a->name);
		buf_adds(out, " is ");
	}
	buf_adds(out, "forbidden: ");
	what(u, a, out);
	if (reason && *reason)
		buf_addf(out, ": %s", reason);
}
