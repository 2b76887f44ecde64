/* SPDX-License-Identifier: Apache-2.0 */
/* Logs, exec, attach, port-forward and proxies: passed on to the kubelet. */
#include "kube/api/api_int.h"

int api_stream_wait(struct api_req *q)
{
	return api_refuse(q, 503, "ServiceUnavailable", "this server has no certificate for kubelets");
}
