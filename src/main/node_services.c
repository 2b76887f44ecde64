/* SPDX-License-Identifier: Apache-2.0 */
#include "main/node_services.h"

#include <stdlib.h>

#include "kube/client/client.h"
#include "kube/proxy/names.h"
#include "kube/proxy/proxy.h"

struct node_services {
	struct kclient *client;
	struct informers *informers;
	struct proxy *proxy;
	struct names *names;
};

int node_services_start(struct loop *l, const struct node_services_options *o, struct node_services **ret, struct err *e)
{
	struct node_services *s = calloc(1, sizeof *s);
	if (!s)
		return err_nomem(e);
	const struct kclient_config c = { .kubeconfig = o->kubeconfig, .user_agent = "coracle-proxy" };
	int r = kclient_new(l, &c, &s->client, e);
	if (r == 0 && (r = informers_new(s->client, &s->informers)) < 0)
		err_nomem(e);
	const struct proxy_config p = { .node_name = o->node_name, .table = o->table, .informers = s->informers };
	if (r == 0)
		r = proxy_start(s->client, &p, &s->proxy, e);
	const struct names_config n = { .run = o->run, .address = o->dns, .domain = o->domain, .link = o->dns_link, .informers = s->informers };
	if (r == 0 && o->dns)
		r = names_start(s->client, &n, &s->names, e);
	if (r < 0) {
		node_services_stop_wait(s);
		return r;
	}
	*ret = s;
	return 0;
}

void node_services_stop_wait(struct node_services *s)
{
	if (!s)
		return;
	names_stop_wait(s->names);
	proxy_stop(s->proxy);
	informers_free(s->informers);
	kclient_free(s->client);
	free(s);
}
