/* SPDX-License-Identifier: Apache-2.0 */
#include "main/control_plane.h"

#include <fcntl.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/fd.h"
#include "kube/api/api.h"
#include "kube/auth/auth.h"
#include "kube/control/control.h"
#include "kube/sched/sched.h"

static const char *const controller_groups[] = { "system:masters", "system:authenticated" };
static const char *const scheduler_groups[] = { "system:authenticated" };

struct control_plane {
	struct kube_api_door controllers_door, scheduler_door;
	struct kclient *controllers, *scheduler;
	struct control *control;
	struct sched *sched;
	struct kube_auth *auth;
	struct buf ca_pem;
};

static int client(struct loop *l, struct kube_api *api, struct kube_api_door *door, const char *name, const char *const *groups, size_t n, struct kclient **ret,
	struct err *e)
{
	*door = (struct kube_api_door){ api, { .name = name, .groups = groups, .n_groups = n } };
	const struct kclient_config c = { .connect_wait = kube_api_door_wait, .connect_arg = door, .user_agent = name };
	return kclient_new(l, &c, ret, e);
}

int control_plane_start_wait(struct loop *l, struct kube_api *api, const struct control_plane_options *o, struct control_plane **ret, struct err *e)
{
	struct control_plane *c = calloc(1, sizeof *c);
	if (!c)
		return err_nomem(e);
	buf_init(&c->ca_pem, 1 << 20);
	int r = o->ca_file ? file_read(AT_FDCWD, o->ca_file, &c->ca_pem) : 0;
	if (r < 0)
		err_sys(e, -r, "read the cluster's authority %s", o->ca_file);
	if (r == 0)
		r = client(l, api, &c->controllers_door, "system:kube-controller-manager", controller_groups, ARRAY_LEN(controller_groups), &c->controllers, e);
	if (r == 0)
		r = client(l, api, &c->scheduler_door, "system:kube-scheduler", scheduler_groups, ARRAY_LEN(scheduler_groups), &c->scheduler, e);
	const struct control_config cc = { .root_ca_pem = c->ca_pem.len ? c->ca_pem.ptr : NULL, .cluster_cidr = o->cluster_cidr };
	if (r == 0)
		r = control_start(l, c->controllers, &cc, &c->control, e);
	/* Pods and nodes are held once. */
	if (r == 0 && o->auth)
		r = kube_auth_follow_pods(c->auth = o->auth, control_informers(c->control), e);
	const struct sched_config sc = { .informers = r == 0 ? control_informers(c->control) : NULL };
	if (r == 0)
		r = sched_start(c->scheduler, &sc, &c->sched, e);
	if (r < 0) {
		control_plane_stop_wait(c);
		return r;
	}
	*ret = c;
	return 0;
}

void control_plane_stop_wait(struct control_plane *c)
{
	if (!c)
		return;
	sched_stop(c->sched);
	if (c->auth)
		kube_auth_leave_pods(c->auth);
	control_free(c->control);
	kclient_free(c->scheduler);
	kclient_free(c->controllers);
	buf_release(&c->ca_pem);
	free(c);
}
