/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images of containers: pull policies, credentials of imagePullSecrets,
 * back-off (10 s doubling to 300 s), and the reasons and events that people
 * know: ErrImagePull, ImagePullBackOff, ErrImageNeverPull, InvalidImageName.
 */
#include "kube/node/node_int.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "codec/base64.h"
#include "schema/tree.h"

#define BACKOFF_FIRST_NS (10 * NS_PER_S)
#define BACKOFF_MOST_NS (300 * NS_PER_S)

/* --- references ---------------------------------------------------------------------------------------------- */

static bool is_repo_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-' || c == '/';
}

/* Grammar as far as a typing mistake shows: the runtime knows the rest. With a tag when it has none. */
static const char *normal_image(const char *image, struct arena *a)
{
	struct slice s = slice_of(image), name, digest = { 0 };
	bool has_digest = slice_cut(s, '@', &name, &digest);
	ptrdiff_t slash = slice_rfind(name, '/');
	struct slice last = slice_n(name.ptr + slash + 1, name.len - (size_t)(slash + 1)), path, tag = { 0 };
	bool has_tag = slice_cut(last, ':', &path, &tag);
	struct slice first;
	bool has_domain = slice_cut(name, '/', &first, &(struct slice){ 0 }) && (slice_find(first, '.') >= 0 || slice_find(first, ':') >= 0 || slice_is(first, "localhost"));
	size_t from = has_domain ? first.len + 1 : 0, end = (size_t)(path.ptr + path.len - name.ptr);

	if (!s.len || !path.len || (has_tag && !tag.len) || (has_digest && digest.len < 8) || from >= end)
		return NULL;
	for (size_t i = from; i < end; i++)
		if (!is_repo_char(name.ptr[i]))
			return NULL;
	for (size_t i = 0; i < tag.len; i++)
		if (!is_repo_char(tag.ptr[i]) && !(tag.ptr[i] >= 'A' && tag.ptr[i] <= 'Z'))
			return NULL;
	return has_tag || has_digest ? arena_strdup(a, image) : arena_fmt(a, "%s:latest", image);
}

static const char *registry_of(const char *image, struct arena *a)
{
	struct slice first, rest;

	if (slice_cut(slice_of(image), '/', &first, &rest) && (slice_find(first, '.') >= 0 || slice_find(first, ':') >= 0 || slice_is(first, "localhost")))
		return arena_dup(a, first);
	return "docker.io";
}

/* --- credentials --------------------------------------------------------------------------------------------- */

/* "https://index.docker.io/v1/" and "docker.io" are one place. */
static bool is_registry(struct slice key, const char *registry)
{
	struct slice host, rest;

	if (slice_starts(key, "https://"))
		key = slice_n(key.ptr + 8, key.len - 8);
	else if (slice_starts(key, "http://"))
		key = slice_n(key.ptr + 7, key.len - 7);
	slice_cut(key, '/', &host, &rest);
	if (slice_is(host, registry))
		return true;
	return !strcmp(registry, "docker.io") && (slice_is(host, "index.docker.io") || slice_is(host, "registry-1.docker.io"));
}

static int auth_from(const struct tree *entry, const char *registry, struct arena *a, struct cri_auth_config *ret)
{
	struct slice user = tree_text(tree_gets(entry, "username")), password = tree_text(tree_gets(entry, "password")), both, token;
	struct slice coded = tree_text(tree_gets(entry, "auth"));

	*ret = (struct cri_auth_config){ .server_address = registry };
	if (!user.len && coded.len) {
		AUTO(buf) struct buf b = BUF_INIT(64 << 10);
		if (base64_decode(&b, coded) < 0)
			return -EINVAL;
		both = slice_of(arena_dup(a, buf_slice(&b)));
		slice_cut(both, ':', &user, &password);
	}
	ret->username = arena_dup(a, user);
	ret->password = arena_dup(a, password);
	token = tree_text(tree_gets(entry, "identitytoken"));
	if (token.len)
		ret->identity_token = arena_dup(a, token);
	return 0;
}

/* 1 found, 0 not. */
static int auth_in_secret(const struct kube_secret *s, const char *registry, struct arena *a, struct cri_auth_config *ret)
{
	for (uint32_t i = 0; i < s->n_data; i++) {
		bool is_new = !strcmp(s->data[i].key, ".dockerconfigjson");
		struct tree t;
		if (!is_new && strcmp(s->data[i].key, ".dockercfg"))
			continue;
		if (tree_from_json(s->data[i].value, 0, a, &t, NULL) < 0)
			continue;
		const struct tree *auths = is_new ? tree_gets(&t, "auths") : &t;
		for (uint32_t k = 0; auths && auths->type == TREE_MAP && k < auths->n; k++) {
			const struct tree_member *m = &auths->members[k];
			if (is_registry(slice_n(m->key, m->key_len), registry) && auth_from(&m->value, registry, a, ret) == 0)
				return 1;
		}
	}
	return 0;
}

/* The first secret that has something for the registry; secrets that are not there are passed over, as upstream does. */
static int auth_wait(struct node_api *api, const struct kube_pod *pod, const char *image, struct arena *a, struct cri_auth_config *ret)
{
	const struct kube_resource *secrets = kube_resource_find("", "v1", "secrets");
	const char *registry = registry_of(image, a);

	for (uint32_t i = 0; i < pod->spec.n_image_pull_secrets; i++) {
		struct kube_secret s = { 0 };
		struct err e = { 0 };
		const char *name = pod->spec.image_pull_secrets[i].name;
		if (!name || api->get_wait(api, secrets, pod->metadata.namespace, name, a, &s, &e) < 0)
			continue;
		if (auth_in_secret(&s, registry, a, ret))
			return 1;
	}
	return 0;
}

/* --- making sure --------------------------------------------------------------------------------------------- */

static int status_wait(struct node_runtime *rt, const char *image, struct arena *a, struct image_result *ret, uint64_t *size, struct err *e)
{
	struct cri_image_spec spec = { .image = image };
	struct cri_image_status_request q = { .image = &spec };
	struct cri_image_status_response p = { 0 };
	int r = rt->call_wait(rt, CRI_IMAGE_STATUS, &q, a, &p, 0, e);

	if (r == -ENOENT)
		return 0;
	if (r < 0 || !p.image || !p.image->id || !*p.image->id)
		return r < 0 ? r : 0;
	*ret = (struct image_result){ .ref = p.image->id, .uid = p.image->uid ? p.image->uid->value : -1,
		.username = p.image->username && *p.image->username ? p.image->username : NULL };
	if (!p.image->uid && !ret->username)
		ret->uid = 0;
	*size = p.image->size;
	return 1;
}

static int refuse(struct err *e, const char **reason, const char *why, const char *fmt, const char *image)
{
	*reason = why;
	return err_set(e, EINVAL, fmt, image);
}

static int pull_failed(struct pod_worker *w, struct pod_container *c, const char **reason, struct err *e)
{
	struct container_memory *m = c->memory;
	int64_t now = loop_realtime_ns(w->owner->loop);
	char text[sizeof e->text];

	fmt_into(text, sizeof text, "%s", e->text);
	worker_event(w, c, "Warning", "Failed", "Failed to pull image \"%s\": %s", c->spec->image, text);
	worker_event(w, c, "Warning", "Failed", "Error: ErrImagePull");
	m->image_backoff_ns = m->image_backoff_ns ? MIN(m->image_backoff_ns * 2, BACKOFF_MOST_NS) : BACKOFF_FIRST_NS;
	m->image_retry_ns = now + m->image_backoff_ns;
	m->retry_ns = now + 3 * NS_PER_S;             /* then it says that it backs off */
	fmt_into(m->image_error, sizeof m->image_error, "%s", text);
	*reason = "ErrImagePull";
	return err_set(e, EINVAL, "failed to pull image \"%s\": %s", c->spec->image, text);
}

static int pull_wait(struct pod_worker *w, const struct kube_pod *pod, struct pod_container *c, const char *image, struct arena *a, struct image_result *ret,
	const char **reason, struct err *e)
{
	struct node_runtime *rt = w->owner->rt;
	struct container_memory *m = c->memory;
	struct cri_auth_config auth;
	struct cri_image_spec spec = { .image = image, .user_specified_image = c->spec->image };
	struct cri_pull_image_request q = { .image = &spec };
	struct cri_pull_image_response p = { 0 };
	int64_t began = loop_monotonic_ns(w->owner->loop);
	uint64_t size = 0;
	char took[32];

	worker_event(w, c, "Normal", "Pulling", "Pulling image \"%s\"", c->spec->image);
	if (auth_wait(w->owner->api, pod, image, a, &auth) > 0)
		q.auth = &auth;
	int r = rt->call_wait(rt, CRI_PULL, &q, a, &p, 0, e);
	if (r == -ECANCELED)
		return r;
	if (r < 0)
		return pull_failed(w, c, reason, e);
	r = status_wait(rt, image, a, ret, &size, e);
	if (r <= 0) {
		*ret = (struct image_result){ .ref = p.image_ref, .uid = -1 };
		if (!p.image_ref || !*p.image_ref)
			return r < 0 ? r : pull_failed(w, c, reason, e);
	}
	int64_t ns = loop_monotonic_ns(w->owner->loop) - began;
	duration_format(took, ns / NS_PER_MS * NS_PER_MS);
	worker_event(w, c, "Normal", "Pulled", "Successfully pulled image \"%s\" in %s (%s including waiting). Image size: %llu bytes.", c->spec->image, took,
		took, (unsigned long long)size);
	m->image_backoff_ns = m->image_retry_ns = 0;
	return 0;
}

int images_ensure_wait(struct pod_worker *w, const struct kube_pod *pod, struct pod_container *c, struct arena *a, struct image_result *ret, const char **reason,
	struct err *e)
{
	const char *image = c->spec->image ? normal_image(c->spec->image, a) : NULL;
	struct container_memory *m = c->memory;
	int64_t now = loop_realtime_ns(w->owner->loop);
	uint64_t size;

	*reason = "ImageInspectError";
	if (!image) {
		m->retry_ns = now + 20 * NS_PER_S;
		refuse(e, reason, "InvalidImageName", "Failed to apply default image tag \"%1$s\": couldn't parse image name \"%1$s\": invalid reference format",
			c->spec->image ? c->spec->image : "");
		worker_event(w, c, "Warning", "InspectFailed", "%s", e->text);
		worker_event(w, c, "Warning", "Failed", "Error: InvalidImageName");
		return -EINVAL;
	}
	const char *policy = c->spec->image_pull_policy && *c->spec->image_pull_policy ? c->spec->image_pull_policy :
		slice_ends(slice_of(image), ":latest") ? "Always" : "IfNotPresent";
	int r = status_wait(w->owner->rt, image, a, ret, &size, e);
	if (r < 0) {
		m->retry_ns = now + 2 * NS_PER_S;
		return r;
	}
	if (r == 0 && !strcmp(policy, "Never")) {
		m->retry_ns = now + 20 * NS_PER_S;
		refuse(e, reason, "ErrImageNeverPull", "Container image \"%s\" is not present with pull policy of Never", c->spec->image);
		worker_event(w, c, "Warning", "ErrImageNeverPull", "%s", e->text);
		worker_event(w, c, "Warning", "Failed", "Error: ErrImageNeverPull");
		return -EINVAL;
	}
	if (r > 0 && strcmp(policy, "Always")) {
		worker_event(w, c, "Normal", "Pulled", "Container image \"%s\" already present on machine", c->spec->image);
		return 0;
	}
	if (m->image_retry_ns > now) {
		m->retry_ns = m->image_retry_ns;
		worker_event(w, c, "Normal", "BackOff", "Back-off pulling image \"%s\"", c->spec->image);
		worker_event(w, c, "Warning", "Failed", "Error: ImagePullBackOff");
		*reason = "ImagePullBackOff";
		return err_set(e, EINVAL, "Back-off pulling image \"%s\": ErrImagePull: %.300s", c->spec->image, m->image_error);
	}
	return pull_wait(w, pod, c, image, a, ret, reason, e);
}

static int volume_image_wait(struct pod_worker *w, const struct kube_pod *pod, const struct kube_volume *v, struct arena *a, struct err *e)
{
	const char *image = v->image->reference ? normal_image(v->image->reference, a) : NULL;
	struct node_runtime *rt = w->owner->rt;
	struct image_result got;
	struct cri_auth_config auth;
	uint64_t size;

	if (!image)
		return err_set(e, EINVAL, "couldn't parse image name \"%s\": invalid reference format", v->image->reference ? v->image->reference : "");
	const char *policy = v->image->pull_policy && *v->image->pull_policy ? v->image->pull_policy : slice_ends(slice_of(image), ":latest") ? "Always" :
		"IfNotPresent";
	int r = status_wait(rt, image, a, &got, &size, e);
	if (r < 0 || (r > 0 && strcmp(policy, "Always")))
		return r < 0 ? r : 0;
	if (!strcmp(policy, "Never"))
		return err_set(e, EINVAL, "Container image \"%s\" is not present with pull policy of Never", v->image->reference);
	struct cri_image_spec spec = { .image = image, .user_specified_image = v->image->reference };
	struct cri_pull_image_request q = { .image = &spec };
	struct cri_pull_image_response p;
	worker_event(w, NULL, "Normal", "Pulling", "Pulling image \"%s\"", v->image->reference);
	if (auth_wait(w->owner->api, pod, image, a, &auth) > 0)
		q.auth = &auth;
	r = rt->call_wait(rt, CRI_PULL, &q, a, &p, 0, e);
	if (r < 0 && r != -ECANCELED)
		worker_event(w, NULL, "Warning", "Failed", "Failed to pull image \"%s\": %s", v->image->reference, e->text);
	return r;
}

int images_volumes_wait(struct pod_worker *w, const struct kube_pod *pod, struct arena *a, struct err *e)
{
	int r = 0;

	/* at the first start only: a pull policy of Always is not for each refresh */
	if (w->has_image_volumes)
		return 0;
	for (uint32_t i = 0; i < pod->spec.n_volumes && r >= 0; i++)
		if (pod->spec.volumes[i].image)
			r = volume_image_wait(w, pod, &pod->spec.volumes[i], a, e);
	w->has_image_volumes = r >= 0;
	return r;
}
