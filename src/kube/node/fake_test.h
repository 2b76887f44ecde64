/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A runtime and an API server for tests: they answer at once, remember what
 * was asked of them in words, and change when the test says so. Containers run
 * as long as the test wants. Time is that of a simulated loop.
 */
#pragma once
#include "base/test.h"
#include "io/sim.h"
#include "kube/node/node_int.h"

enum { FAKE_MAX = 64 };
struct fake_container {
	char id[32], name[64], box[32], uid[64], image[64];
	uint32_t attempt;
	int state, exit_code;
	int64_t created_ns, started_ns, finished_ns;
	char hash[16], restarts[16];
	bool ignores_term;             /* stops only when its grace is over */
	struct cri_linux_container_resources r;
	struct cri_container_resources reported;
	bool exists;
};
struct fake_box {
	char id[32], uid[64], name[64], ns[64];
	uint32_t attempt;
	int state;
	bool exists;
};
struct node_fake {
	struct node_runtime rt;
	struct node_api api;
	struct loop *loop;
	struct node node;
	struct fake_box boxes[FAKE_MAX];
	struct fake_container containers[FAKE_MAX];
	unsigned n_boxes, n_containers;
	struct buf said;               /* "run-sandbox; create c0; start c0; …" */
	struct buf events;             /* "Pulled; Created; …" */
	const char *fail_create, *fail_sandbox;    /* errors of the next calls */
	bool no_image, pull_fails;
	struct arena published;        /* the last status */
	struct kube_pod_status status;
	unsigned n_patches, n_deletes;
	const char *config_map;        /* JSON of the one there is; NULL none */
	int exec_code;                 /* what commands of probes and hooks end with */
	unsigned n_execs;
	bool api_is_down;
};
void node_fake_init(struct node_fake *f);
void node_fake_release(struct node_fake *f);
/* A pod in the API server from JSON; seen by the node at once. */
struct kobject *node_fake_pod(struct node_fake *f, const char *json);
/* Runs the loop for this long (simulated). */
void node_fake_run(struct node_fake *f, int64_t ns);
struct fake_container *node_fake_find(struct node_fake *f, const char *name);     /* the newest */
/* It ends by itself. */
void node_fake_exit(struct node_fake *f, const char *name, int code);
const char *node_fake_state(struct node_fake *f, const char *name);  /* "Running", "CrashLoopBackOff", "Completed", … as published */
