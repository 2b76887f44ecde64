/* SPDX-License-Identifier: Apache-2.0 */
/* The Node object of this machine and its lease. */
#pragma once
#include "kube/node/node_int.h"

struct node_facts {
	long cpus;
	int64_t memory_bytes, memory_free, disk_bytes, disk_free, inodes, inodes_free;
	char machine_id[64], system_uuid[64], boot_id[64], os_image[128], kernel[128], arch[32];
};
struct register_config {
	struct node *node;
	struct kclient *client;
	struct informer *own;          /* of this node's object alone */
	const char *labels;
	unsigned port;
};
/* What the machine is; reads files: on a worker or at start. */
void facts_read(struct node_facts *f, const char *root);
/* Makes the object, keeps its status. Ends when the node stops. */
void register_main(void *arg);     /* struct register_config * */
void lease_main(void *arg);
/* The status from facts and the runtime's answers; pure. In a. */
struct register_in {
	const struct node_facts *facts;
	const struct node_settings *set;
	const struct kube_node *old;   /* as the API server has it; may be NULL */
	const char *runtime_name, *runtime_version;
	bool is_ready;
	const char *not_ready;         /* why */
	const struct cri_image *images;
	uint32_t n_images;
	unsigned port;
	int64_t now_ns;
};
int register_status(const struct register_in *in, struct arena *a, struct kube_node_status *ret);
/* The first address that is of use to others. dst: 64. */
void node_find_ip(char *dst);
