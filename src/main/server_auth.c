/* SPDX-License-Identifier: Apache-2.0 */
#include "main/server_auth.h"

#include <stdlib.h>

#include "base/auto.h"
#include "kube/api/api.h"
#include "kube/auth/auth.h"
#include "kube/client/client.h"

struct server_auth {
	struct kube_api_door door;
	struct kclient *client;
	struct kube_auth *auth;
};

static int each_pod(void *arg, const char *node, int (*fn)(void *fn_arg, const struct kube_pod *pod), void *fn_arg)
{
	return kube_api_each_pod(arg, node, fn, fn_arg);
}

int server_auth_start_wait(struct loop *l, struct kube_api *api, struct kube_auth *auth, struct kube_ca *ca, struct server_auth **ret, struct err *e)
{
	static const char *const groups[] = { "system:masters", "system:authenticated" };
	struct server_auth *x = calloc(1, sizeof *x);
	if (!x)
		return err_nomem(e);
	x->auth = auth;
	x->door = (struct kube_api_door){ api, { .name = "system:apiserver", .groups = groups, .n_groups = ARRAY_LEN(groups) } };
	const struct kclient_config c = { .connect_wait = kube_api_door_wait, .connect_arg = &x->door, .user_agent = "coracle" };
	const struct kube_pod_source pods = { each_pod, api };
	int r = kclient_new(l, &c, &x->client, e);
	kube_rbac_set_pods(kube_auth_rbac(auth), &pods);
	if (r == 0)
		r = kube_auth_start_wait(auth, &(struct kube_auth_follow){ x->client, ca }, e);
	if (r < 0) {
		server_auth_stop(x);
		return r;
	}
	*ret = x;
	return 0;
}

void server_auth_stop(struct server_auth *x)
{
	if (!x)
		return;
	kube_rbac_set_pods(kube_auth_rbac(x->auth), &(struct kube_pod_source){ 0 });
	kube_auth_stop(x->auth);
	kclient_free(x->client);
	free(x);
}
