/* SPDX-License-Identifier: Apache-2.0 */
/* Defaults of pods and of templates that depend on more than one field. */
#include "kube/kind/kind_int.h"

#include "schema/quantity.h"

struct kube_pod_spec *kind_pod_spec(struct schema_ref ref, void *obj)
{
	if (ref.domain != &schema_kube)
		return NULL;
	if (ref.type == T_kube_pod.type)
		return &((struct kube_pod *)obj)->spec;
	struct kube_pod_template_spec *t = kind_template(ref, obj);
	return t ? &t->spec : NULL;
}

struct kube_pod_template_spec *kind_template(struct schema_ref ref, void *obj)
{
	if (ref.domain != &schema_kube)
		return NULL;
	if (ref.type == T_kube_deployment.type)
		return &((struct kube_deployment *)obj)->spec.template;
	if (ref.type == T_kube_replica_set.type)
		return &((struct kube_replica_set *)obj)->spec.template;
	if (ref.type == T_kube_daemon_set.type)
		return &((struct kube_daemon_set *)obj)->spec.template;
	if (ref.type == T_kube_stateful_set.type)
		return &((struct kube_stateful_set *)obj)->spec.template;
	if (ref.type == T_kube_job.type)
		return &((struct kube_job *)obj)->spec.template;
	if (ref.type == T_kube_cron_job.type)
		return &((struct kube_cron_job *)obj)->spec.job_template.spec.template;
	if (ref.type == T_kube_replication_controller.type)
		return ((struct kube_replication_controller *)obj)->spec.template;
	if (ref.type == T_kube_pod_template.type)
		return &((struct kube_pod_template *)obj)->template;
	return NULL;
}

/* Of an image without tag and digest, and of :latest, the newest is fetched each time. */
/* May it name an image? Capital letters are for a host or a tag. */
static bool is_reference(const char *image)
{
	const char *slash = strchr(image, '/'), *path = slash ? slash + 1 : image, *last = strrchr(image, '/');
	const char *tag = strpbrk(last ? last : image, ":@");
	for (const char *p = image; *p; p++) {
		bool is_upper = *p >= 'A' && *p <= 'Z', is_plain = (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || strchr("._-/:@+", *p);
		if (!is_plain && !(is_upper && (p < path || (tag && p > tag))))
			return false;
	}
	return *image;
}

static const char *pull_policy(const char *image)
{
	if (!is_reference(or_empty(image)))
		return "IfNotPresent";
	const char *name = strrchr(or_empty(image), '/');
	name = name ? name + 1 : or_empty(image);
	const char *digest = strchr(name, '@'), *tag = strchr(name, ':');
	if (digest && tag && tag > digest)
		tag = NULL;
	if (!tag)
		return digest ? "IfNotPresent" : "Always";
	return !strncmp(tag + 1, "latest", 6) && (!tag[7] || tag[7] == '@') ? "Always" : "IfNotPresent";
}

/* Is no source said? The members behind the name are all pointers. */
static bool has_source(const struct kube_volume *v)
{
	_Static_assert(offsetof(struct kube_volume, host_path) == sizeof(void *), "name comes first");
	void *const *p = (void *const *)v;
	for (size_t i = 1; i < sizeof *v / sizeof *p; i++)
		if (p[i])
			return true;
	return false;
}

static int default_volume(struct arena *a, struct kube_volume *v)
{
	if (!has_source(v)) {
		v->empty_dir = arena_new(a, struct kube_empty_dir_volume_source);
		if (!v->empty_dir)
			return -E2BIG;
	}
	if (v->image && !is_set(v->image->pull_policy))
		v->image->pull_policy = pull_policy(v->image->reference);
	return 0;
}

/* Amounts are in thousandths; what is finer is rounded up. */
static int round_up(struct arena *a, struct kube_quantity_entry *v, uint32_t n)
{
	const __int128 thousandth = 1000000;
	struct quantity q;
	for (uint32_t i = 0; i < n; i++) {
		size_t len = strlen(or_empty(v[i].value));
		bool is_whole = !len || !strchr("un69", v[i].value[len - 1]);
		if (is_whole || quantity_parse(slice_of(v[i].value), &q, NULL) < 0 || q.nano % thousandth == 0)
			continue;
		q.nano = (q.nano / thousandth + (q.nano > 0 ? 1 : -1)) * thousandth;
		if (!(v[i].value = quantity_text(a, &q)))
			return -E2BIG;
	}
	return 0;
}

static int default_container(struct arena *a, struct kube_container *c)
{
	if (!is_set(c->image_pull_policy))
		c->image_pull_policy = pull_policy(c->image);
	int r = round_up(a, c->resources.limits, c->resources.n_limits);
	return r < 0 ? r : round_up(a, c->resources.requests, c->resources.n_requests);
}

/* The beginning of an ephemeral container is a container's. */
_Static_assert(offsetof(struct kube_ephemeral_container, target_container_name) == sizeof(struct kube_container), "same members");
struct kube_container *kind_container_of(struct kube_ephemeral_container *c)
{
	return (struct kube_container *)c;
}

int kind_default_pod_spec(struct arena *a, struct kube_pod_spec *s)
{
	int r = 0;
	for (uint32_t i = 0; i < s->n_volumes && r == 0; i++)
		r = default_volume(a, &s->volumes[i]);
	for (uint32_t i = 0; i < s->n_containers && r == 0; i++)
		r = default_container(a, &s->containers[i]);
	for (uint32_t i = 0; i < s->n_init_containers && r == 0; i++)
		r = default_container(a, &s->init_containers[i]);
	for (uint32_t i = 0; i < s->n_ephemeral_containers && r == 0; i++)
		r = default_container(a, kind_container_of(&s->ephemeral_containers[i]));
	if (!is_set(s->service_account_name))
		s->service_account_name = s->service_account;
	s->service_account = s->service_account_name;
	return r;
}

const char *kind_quantity_of(const struct kube_quantity_entry *v, uint32_t n, const char *key)
{
	for (uint32_t i = 0; i < n; i++)
		if (is(v[i].key, key))
			return v[i].value;
	return NULL;
}

int kind_quantity_add(struct arena *a, struct kube_quantity_entry **v, uint32_t *n, const char *key, const char *value)
{
	struct kube_quantity_entry *w = arena_array(a, *n + 1, sizeof *w);
	if (!w)
		return -E2BIG;
	if (*n)
		memcpy(w, *v, *n * sizeof *w);
	w[*n] = (struct kube_quantity_entry){ key, value };
	*v = w;
	++*n;
	return 0;
}

/* What is limited and not requested is requested as it is limited. */
static int requests_from_limits(struct arena *a, struct kube_container *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct kube_resource_requirements *r = &v[i].resources;
		for (uint32_t k = 0; k < r->n_limits; k++)
			if (!kind_quantity_of(r->requests, r->n_requests, r->limits[k].key) &&
				kind_quantity_add(a, &r->requests, &r->n_requests, r->limits[k].key, r->limits[k].value) < 0)
				return -E2BIG;
	}
	return 0;
}

/* What all containers request together: their sum, or what the largest init container needs beside the sidecars before it. */
static bool requested_together(const struct kube_pod_spec *s, const char *key, struct quantity *ret)
{
	struct quantity sum = { 0 }, sidecars = { 0 }, largest = { 0 }, q;
	bool found = false;
	const char *t;
	for (uint32_t i = 0; i < s->n_containers; i++) {
		t = kind_quantity_of(s->containers[i].resources.requests, s->containers[i].resources.n_requests, key);
		if (t && quantity_parse(slice_of(t), &q, NULL) == 0) {
			quantity_add(&sum, &q);
			found = true;
		}
	}
	for (uint32_t i = 0; i < s->n_init_containers; i++) {
		t = kind_quantity_of(s->init_containers[i].resources.requests, s->init_containers[i].resources.n_requests, key);
		if (!t || quantity_parse(slice_of(t), &q, NULL) < 0)
			continue;
		found = true;
		if (is(s->init_containers[i].restart_policy, "Always")) {
			quantity_add(&sidecars, &q);
			continue;
		}
		quantity_add(&q, &sidecars);
		if (quantity_cmp(&q, &largest) > 0)
			largest = q;
	}
	quantity_add(&sum, &sidecars);
	*ret = quantity_cmp(&largest, &sum) > 0 ? largest : sum;
	return found;
}

/* Requests of the pod as a whole, where it has limits as a whole. */
static int default_pod_requests(struct arena *a, struct kube_pod_spec *s)
{
	static const char *const shared[] = { "cpu", "memory" };
	struct kube_resource_requirements *r = s->resources;
	struct quantity q;
	if (!r || !r->n_limits)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(shared); i++) {
		if (kind_quantity_of(r->requests, r->n_requests, shared[i]) || !requested_together(s, shared[i], &q))
			continue;
		const char *t = quantity_text(a, &q);
		if (!t || kind_quantity_add(a, &r->requests, &r->n_requests, shared[i], t) < 0)
			return -E2BIG;
	}
	for (uint32_t i = 0; i < r->n_limits; i++)
		if (!kind_quantity_of(r->requests, r->n_requests, r->limits[i].key) &&
			kind_quantity_add(a, &r->requests, &r->n_requests, r->limits[i].key, r->limits[i].value) < 0)
			return -E2BIG;
	return 0;
}

static void host_ports(struct kube_container *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < v[i].n_ports; k++)
			if (!v[i].ports[k].host_port)
				v[i].ports[k].host_port = v[i].ports[k].container_port;
}

/* Those of pods alone: a template stays as it was written. */
int kind_default_pod(struct arena *a, void *obj)
{
	struct kube_pod_spec *s = &((struct kube_pod *)obj)->spec;
	int r = requests_from_limits(a, s->containers, s->n_containers);
	if (r == 0)
		r = requests_from_limits(a, s->init_containers, s->n_init_containers);
	if (r == 0)
		r = default_pod_requests(a, s);
	if (s->termination_grace_period_seconds && *s->termination_grace_period_seconds < 0)
		*s->termination_grace_period_seconds = 1;
	if (!s->enable_service_links) {
		s->enable_service_links = arena_new(a, bool);
		if (!s->enable_service_links)
			return -E2BIG;
		*s->enable_service_links = true;
	}
	if (s->host_network) {
		host_ports(s->containers, s->n_containers);
		host_ports(s->init_containers, s->n_init_containers);
	}
	return r;
}

/* --- quality of service --- */

struct qos {
	struct quantity requests[2], limits[2];   /* cpu, memory */
	bool has_request[2], has_limit[2], is_guaranteed;
};

static void qos_add(struct qos *q, const struct kube_resource_requirements *r)
{
	static const char *const names[] = { "cpu", "memory" };
	bool limited[2] = { false, false };
	struct quantity v;
	for (unsigned i = 0; i < 2; i++) {
		const char *request = kind_quantity_of(r->requests, r->n_requests, names[i]), *limit = kind_quantity_of(r->limits, r->n_limits, names[i]);
		if (request && quantity_parse(slice_of(request), &v, NULL) == 0 && v.nano > 0) {
			quantity_add(&q->requests[i], &v);
			q->has_request[i] = true;
		}
		if (limit && quantity_parse(slice_of(limit), &v, NULL) == 0 && v.nano > 0) {
			quantity_add(&q->limits[i], &v);
			q->has_limit[i] = limited[i] = true;
		}
	}
	if (!limited[0] || !limited[1])
		q->is_guaranteed = false;
}

const char *kind_pod_qos(const struct kube_pod_spec *s)
{
	struct qos q = { .is_guaranteed = true };
	if (s->resources && (s->resources->n_limits || s->resources->n_requests)) {
		qos_add(&q, s->resources);
	} else {
		for (uint32_t i = 0; i < s->n_containers; i++)
			qos_add(&q, &s->containers[i].resources);
		for (uint32_t i = 0; i < s->n_init_containers; i++)
			qos_add(&q, &s->init_containers[i].resources);
	}
	bool any = false;
	for (unsigned i = 0; i < 2; i++) {
		any |= q.has_request[i] || q.has_limit[i];
		if (q.has_request[i] != q.has_limit[i] || quantity_cmp(&q.requests[i], &q.limits[i]))
			q.is_guaranteed = false;
	}
	return !any ? "BestEffort" : q.is_guaranteed ? "Guaranteed" : "Burstable";
}
