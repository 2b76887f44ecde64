/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An API server of a few pages, in memory, for tests of controllers: create,
 * get, list, watch, update (status apart), merge patch, delete with finalizers,
 * owner policies and grace. No defaults, no validation, no admission. On a simulated loop.
 */
#pragma once
#include "base/test.h"
#include "kube/control/control_int.h"
#include "schema/tree.h"

struct fake;
/* A loop, the server, a client on it, and the controllers named (NULL-terminated). fn runs in a fiber; then all ends. Checks its own end. */
void fake_run(const char *const *controllers, void (*fn)(void));
extern struct control_config fake_config;    /* set before fake_run */

/* For fn. Objects as YAML; they go through the client. */
void fake_create(const char *yaml);          /* one document or several */
/* Decoded into an arena that lives as long as the test. NULL when there is none. group/plural: "apps/deployments", "pods". */
void *fake_get(const char *resource, const char *ns, const char *name);
/* The number of objects (with this label, when not NULL: "app=web"), and one by number, oldest first. */
unsigned fake_count(const char *resource, const char *ns, const char *label);
void *fake_at(const char *resource, const char *ns, const char *label, unsigned i);
/* A merge patch written in YAML; sub NULL or "status". */
void fake_patch(const char *resource, const char *ns, const char *name, const char *sub, const char *yaml);
void fake_delete(const char *resource, const char *ns, const char *name, const char *policy);
/* Removes at once, as a kubelet does when a pod has ended. */
void fake_kill(const char *resource, const char *ns, const char *name);
/* Sleeps in simulated time until nothing more than timers happens. */
void fake_settle(void);
void fake_sleep(int64_t ns);
/* Plays the kubelet: all pods that are not ready (with this label) become so; those being deleted go. */
void fake_run_pods(const char *ns, const char *label);
unsigned fake_writes(void);                  /* since the beginning, events apart */
bool fake_has_event(const char *reason, const char *message);
