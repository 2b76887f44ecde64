/* SPDX-License-Identifier: Apache-2.0 */
/* Pods: ServiceAccount, Priority, DefaultTolerationSeconds, RuntimeClass, LimitRanger. */
#include "kube/api/admit.h"

#include <string.h>

#include "base/rand.h"

#define TOKEN_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

static bool is_set(const char *s) { return s && *s; }

/* --- ServiceAccount */

static const char *token_volume_name(struct api_req *q, const struct kube_pod_spec *s)
{
	for (uint32_t i = 0; i < s->n_volumes; i++)
		if (!strncmp(s->volumes[i].name, "kube-api-access-", 16))
			return s->volumes[i].name;
	char tail[16];
	kube_safe_text(tail, (uint32_t)rand_u64());
	return arena_fmt(q->arena, "kube-api-access-%.5s", tail);
}

static bool is_mounted(const struct kube_container *c)
{
	for (uint32_t i = 0; i < c->n_volume_mounts; i++)
		if (!strcmp(c->volume_mounts[i].mount_path, TOKEN_DIR))
			return true;
	return false;
}

static int mount(struct api_req *q, struct kube_container *v, uint32_t n, const char *volume, bool *used)
{
	for (uint32_t i = 0; i < n; i++) {
		if (is_mounted(&v[i]))
			continue;
		struct kube_volume_mount *m = arena_array(q->arena, v[i].n_volume_mounts + 1, sizeof *m);
		if (!m)
			return -ENOMEM;
		if (v[i].n_volume_mounts)
			memcpy(m, v[i].volume_mounts, v[i].n_volume_mounts * sizeof *m);
		m[v[i].n_volume_mounts++] = (struct kube_volume_mount){ .name = volume, .read_only = true, .mount_path = TOKEN_DIR };
		v[i].volume_mounts = m;
		*used = true;
	}
	return 0;
}

struct token_volume {
	struct kube_projected_volume_source source;
	struct kube_volume_projection parts[3];
	struct kube_service_account_token_projection token;
	struct kube_config_map_projection ca;
	struct kube_key_to_path ca_item;
	struct kube_downward_api_projection down;
	struct kube_downward_api_volume_file ns;
	struct kube_object_field_selector ns_ref;
	int64_t seconds;
	int32_t mode;
};

static int add_token_volume(struct api_req *q, struct kube_pod_spec *s, const char *name)
{
	struct kube_volume *v = arena_array(q->arena, s->n_volumes + 1, sizeof *v);
	struct token_volume *t = arena_new(q->arena, struct token_volume);
	if (!v || !t)
		return -ENOMEM;
	t->seconds = 3607;
	t->mode = 0644;
	t->token = (struct kube_service_account_token_projection){ .expiration_seconds = &t->seconds, .path = "token" };
	t->ca_item = (struct kube_key_to_path){ .key = "ca.crt", .path = "ca.crt" };
	t->ca = (struct kube_config_map_projection){ .name = "kube-root-ca.crt", .items = &t->ca_item, .n_items = 1 };
	t->ns_ref = (struct kube_object_field_selector){ "v1", "metadata.namespace" };
	t->ns = (struct kube_downward_api_volume_file){ .path = "namespace", .field_ref = &t->ns_ref };
	t->down = (struct kube_downward_api_projection){ &t->ns, 1 };
	t->parts[0].service_account_token = &t->token;
	t->parts[1].config_map = &t->ca;
	t->parts[2].downward_api = &t->down;
	t->source = (struct kube_projected_volume_source){ .sources = t->parts, .n_sources = 3, .default_mode = &t->mode };
	if (s->n_volumes)
		memcpy(v, s->volumes, s->n_volumes * sizeof *v);
	v[s->n_volumes++] = (struct kube_volume){ .name = name, .projected = &t->source };
	s->volumes = v;
	return 0;
}

static int admit_account(struct api_req *q, struct api_object *o, struct kube_pod *pod)
{
	struct kube_pod_spec *s = &pod->spec;
	bool used = false;
	if (kube_annotation(&pod->metadata, "kubernetes.io/config.mirror"))
		return 0;
	if (!is_set(s->service_account_name))
		s->service_account_name = is_set(s->service_account) ? s->service_account : "default";
	s->service_account = s->service_account_name;
	const struct kube_service_account *sa = api_cached(q, "", "v1", "serviceaccounts", pod->metadata.namespace, s->service_account_name);
	if (!sa && api_fresh_wait(q, 0) == 0)
		sa = api_cached(q, "", "v1", "serviceaccounts", pod->metadata.namespace, s->service_account_name);
	if (!sa)
		return api_forbidden(q, o->res, pod->metadata.name, arena_fmt(q->arena, "error looking up service account %s/%s: serviceaccount \"%s\" not found",
			pod->metadata.namespace, s->service_account_name, s->service_account_name));
	if (!s->n_image_pull_secrets && sa->n_image_pull_secrets) {
		s->image_pull_secrets = sa->image_pull_secrets;
		s->n_image_pull_secrets = sa->n_image_pull_secrets;
	}
	bool automount = s->automount_service_account_token ? *s->automount_service_account_token :
		sa->automount_service_account_token ? *sa->automount_service_account_token : true;
	if (!automount)
		return 0;
	const char *name = token_volume_name(q, s);
	bool there = false;
	for (uint32_t i = 0; i < s->n_volumes; i++)
		there |= !strcmp(s->volumes[i].name, name);
	int x = name ? mount(q, s->init_containers, s->n_init_containers, name, &used) : -ENOMEM;
	if (x == 0)
		x = mount(q, s->containers, s->n_containers, name, &used);
	return x < 0 || !used || there ? x : add_token_volume(q, s, name);
}

/* --- Priority */

static int global_default(void *arg, void *obj)
{
	const struct kube_priority_class **best = arg;
	const struct kube_priority_class *c = obj;
	if (c->global_default && (!*best || c->value < (*best)->value))
		*best = c;
	return 0;
}

static int admit_priority(struct api_req *q, struct api_object *o, struct kube_pod *pod)
{
	struct kube_pod_spec *s = &pod->spec;
	const struct kube_priority_class *c = NULL;
	int32_t *value = arena_new(q->arena, int32_t);
	if (!value)
		return -ENOMEM;
	if (is_set(s->priority_class_name)) {
		c = api_cached(q, "scheduling.k8s.io", "v1", "priorityclasses", "", s->priority_class_name);
		if (!c)
			return api_forbidden(q, o->res, pod->metadata.name, arena_fmt(q->arena, "no PriorityClass with name %s was found", s->priority_class_name));
	} else {
		api_cached_each(q, "scheduling.k8s.io", "v1", "priorityclasses", NULL, global_default, &c);
		if (c)
			s->priority_class_name = c->metadata.name;
	}
	*value = c ? c->value : 0;
	if (s->priority && *s->priority != *value)
		return api_forbidden(q, o->res, pod->metadata.name, arena_fmt(q->arena, "the integer value of priority (%d) must not be provided in pod spec; priority "
			"admission controller computed %d from the given PriorityClass name", *s->priority, *value));
	s->priority = value;
	const char *policy = c && is_set(c->preemption_policy) ? c->preemption_policy : "PreemptLowerPriority";
	if (is_set(s->preemption_policy) && strcmp(s->preemption_policy, policy))
		return api_forbidden(q, o->res, pod->metadata.name, arena_fmt(q->arena, "the string value of PreemptionPolicy (%s) must not be provided in pod spec; "
			"priority admission controller computed %s from the given PriorityClass name", s->preemption_policy, policy));
	s->preemption_policy = policy;
	return 0;
}

/* --- DefaultTolerationSeconds */

static bool tolerates(const struct kube_pod_spec *s, const char *key)
{
	for (uint32_t i = 0; i < s->n_tolerations; i++) {
		const struct kube_toleration *t = &s->tolerations[i];
		if ((!is_set(t->key) || !strcmp(t->key, key)) && (!is_set(t->effect) || !strcmp(t->effect, "NoExecute")))
			return true;
	}
	return false;
}

static int admit_tolerations(struct api_req *q, struct kube_pod *pod)
{
	static const char *const keys[] = { "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable" };
	struct kube_pod_spec *s = &pod->spec;
	struct kube_toleration *v = arena_array(q->arena, s->n_tolerations + 2, sizeof *v);
	int64_t *seconds = arena_new(q->arena, int64_t);
	uint32_t n = s->n_tolerations;
	if (!v || !seconds)
		return -ENOMEM;
	*seconds = 300;
	if (n)
		memcpy(v, s->tolerations, n * sizeof *v);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (!tolerates(s, keys[i]))
			v[n++] = (struct kube_toleration){ .key = keys[i], .operator = "Exists", .effect = "NoExecute", .toleration_seconds = seconds };
	s->tolerations = v;
	s->n_tolerations = n;
	return 0;
}

/* --- RuntimeClass */

static int admit_runtime_class(struct api_req *q, struct api_object *o, struct kube_pod *pod)
{
	struct kube_pod_spec *s = &pod->spec;
	if (!is_set(s->runtime_class_name))
		return 0;
	const struct kube_runtime_class *c = api_cached(q, "node.k8s.io", "v1", "runtimeclasses", "", s->runtime_class_name);
	if (!c)
		return api_forbidden(q, o->res, pod->metadata.name, arena_fmt(q->arena, "pod rejected: RuntimeClass \"%s\" not found", s->runtime_class_name));
	if (c->overhead && !s->n_overhead) {
		s->overhead = c->overhead->pod_fixed;
		s->n_overhead = c->overhead->n_pod_fixed;
	}
	if (!c->scheduling)
		return 0;
	for (uint32_t i = 0; i < c->scheduling->n_node_selector; i++) {
		s->node_selector = kube_pairs_with(q->arena, s->node_selector, &s->n_node_selector, c->scheduling->node_selector[i].key,
			c->scheduling->node_selector[i].value);
		if (!s->node_selector)
			return -ENOMEM;
	}
	return 0;
}

int api_admit_pod(struct api_req *q, struct api_object *o)
{
	struct kube_pod *pod = (struct kube_pod *)o->head;
	int x = api_limit(q, o);
	if (x == 0)
		x = admit_account(q, o, pod);
	if (x == 0)
		x = admit_priority(q, o, pod);
	if (x == 0)
		x = admit_tolerations(q, pod);
	if (x == 0)
		x = admit_runtime_class(q, o, pod);
	return x;
}
