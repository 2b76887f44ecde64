/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl create TYPE NAME: objects made from flags. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "codec/base64.h"
#include "kubectl/commands.h"

struct make { struct kctl *k; struct kctl_target t; };

static int begin(struct kctl *k, struct make *m, const char *type, const char *api_version, const char *kind, const char *name, struct err *e)
{
	int r = kctl_client(k, e);
	*m = (struct make){ .k = k, .t.name = name };
	if (r == 0)
		r = kctl_kind_wait(k, type, &m->t.kind, e);
	if (r < 0)
		return r;
	m->t.ns = m->t.kind.namespaced ? k->ns : NULL;
	m->t.object = tree_map();
	kctl_set_text(k, &m->t.object, "apiVersion", api_version);
	kctl_set_text(k, &m->t.object, "kind", kind);
	struct tree *meta = kctl_map(k, &m->t.object, "metadata");
	kctl_set_text(k, meta, "name", name);
	if (m->t.ns && k->ns_explicit)
		kctl_set_text(k, meta, "namespace", m->t.ns);
	return 0;
}

/* What kubectl puts before a refusal of the server; roles and namespaces have none. */
static const char *failed_to(const char *plural)
{
	static const char *const rows[][2] = {
		{ "configmaps", "configmap" }, { "secrets", "secret" }, { "deployments", "deployment" }, { "cronjobs", "cronjob" }, { "jobs", "job" }, { "resourcequotas", "quota" },
		{ "serviceaccounts", "serviceaccount" }, { "rolebindings", "rolebinding" }, { "clusterrolebindings", "clusterrolebinding" }, { "priorityclasses", "priorityclass" },
		{ "poddisruptionbudgets", "poddisruptionbudgets" }, { "ingresses", "ingress" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!strcmp(rows[i][0], plural))
			return rows[i][1];
	return NULL;
}

static int finish(struct make *m, struct err *e)
{
	struct tree got;
	struct kctl *k = m->k;
	const char *what = failed_to(m->t.kind.plural);
	int r = kctl_create_one(k, &m->t, "kubectl-create", "created", &got, e);
	if (r < 0 && what && k->long_error && k->server_message && *k->server_message)
		k->long_error = kctl_fmt(k, "error: failed to create %s: %s", what, k->server_message);
	return r;
}

static struct tree *spec_of(struct make *m) { return kctl_map(m->k, &m->t.object, "spec"); }

static struct tree *append(struct kctl *k, struct tree *list, struct tree v)
{
	static _Thread_local struct tree nowhere;
	struct tree *t = tree_append(&k->arena, list, v);
	return t ? t : &nowhere;
}

static const char *base64_text(struct kctl *k, struct slice bytes)
{
	struct buf b AUTO(buf) = BUF_INIT(8 << 20);
	base64_encode(&b, bytes, false);
	return kctl_fmt(k, "%s", b.ptr);
}

/* --- config maps and secrets --------------------------------------------------------------------- */
static bool is_utf8(struct slice s)
{
	for (size_t i = 0; i < s.len;) {
		unsigned char c = (unsigned char)s.ptr[i];
		size_t n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
		if (!n || i + n > s.len || c == 0)
			return false;
		for (size_t j = 1; j < n; j++)
			if (((unsigned char)s.ptr[i + j] & 0xc0) != 0x80)
				return false;
		i += n;
	}
	return true;
}

static bool key_is_valid(const char *key)
{
	size_t n = strlen(key);
	for (const char *p = key; *p; p++)
		if (!((*p | 32) >= 'a' && (*p | 32) <= 'z') && !(*p >= '0' && *p <= '9') && !strchr("-_.", *p))
			return false;
	return n > 0 && n <= 253 && strcmp(key, ".") && strcmp(key, "..");
}

static int put(struct make *m, bool secret, const char *key, struct slice value, struct err *e)
{
	struct kctl *k = m->k;
	bool text = is_utf8(value);
	struct tree *data = kctl_map(k, &m->t.object, secret || text ? "data" : "binaryData");
	if (!key_is_valid(key))
		return err_set(e, EINVAL, "\"%s\" is not a valid key name for a %s: a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', "
			"regex used for validation is '[-._a-zA-Z0-9]+')", key, secret ? "Secret" : "ConfigMap");
	if (tree_get(data, slice_of(key)))
		return err_set(e, EEXIST, "cannot add key \"%s\", another key by that name already exists in Data for %s \"%s\"", key, secret ? "Secret" : "ConfigMap", m->t.name);
	kctl_set_text(k, data, kctl_fmt(k, "%s", key), secret || !text ? base64_text(k, value) : kctl_fmt(k, "%.*s", SLICE_FMT(value)));
	return 0;
}

static int put_file(struct make *m, bool secret, const char *key, const char *path, struct err *e)
{
	struct buf b AUTO(buf) = BUF_INIT(4 << 20);
	int r = file_read(AT_FDCWD, path, &b);
	if (r < 0)
		return r == -ENOENT ? err_set(e, -r, "Cannot read file %s, open %s: no such file or directory", path, path) : err_sys(e, -r, "error reading %s", path);
	return put(m, secret, key, buf_slice(&b), e);
}

static int put_folder(struct make *m, bool secret, const char *path, struct err *e)
{
	DIR *d = opendir(path);
	int r = d ? 0 : err_sys(e, errno, "error listing files in %s", path);
	for (struct dirent *x; r == 0 && d && (x = readdir(d));) {
		struct stat st;
		const char *full = kctl_fmt(m->k, "%s/%s", path, x->d_name);
		if (stat(full, &st) == 0 && S_ISREG(st.st_mode))
			r = put_file(m, secret, x->d_name, full, e);
	}
	if (d)
		closedir(d);
	return r;
}

static int put_sources(struct make *m, bool secret, struct err *e)
{
	struct kctl *k = m->k;
	const struct flag_value *files = flag_list(&k->f, "from-file"), *literals = flag_list(&k->f, "from-literal"), *envs = flag_list(&k->f, "from-env-file");
	int r = 0;
	if (envs->n && (files->n || literals->n))
		return err_set(e, EINVAL, "from-env-file cannot be combined with from-file or from-literal");
	for (size_t i = 0; r == 0 && i < literals->n; i++) {
		struct slice key, value;
		if (!slice_cut(slice_of(literals->v[i]), '=', &key, &value) || !key.len)
			return err_set(e, EINVAL, "invalid literal source %s, expected key=value", literals->v[i]);
		r = put(m, secret, kctl_fmt(k, "%.*s", SLICE_FMT(key)), value, e);
	}
	for (size_t i = 0; r == 0 && i < files->n; i++) {
		struct slice key, path;
		struct stat st;
		if (slice_cut(slice_of(files->v[i]), '=', &key, &path)) {
			r = put_file(m, secret, kctl_fmt(k, "%.*s", SLICE_FMT(key)), path.ptr, e);
			continue;
		}
		const char *slash = strrchr(files->v[i], '/');
		if (stat(files->v[i], &st) < 0)
			return err_set(e, errno, "error reading %s: no such file or directory", files->v[i]);
		r = S_ISDIR(st.st_mode) ? put_folder(m, secret, files->v[i], e) : put_file(m, secret, slash ? slash + 1 : files->v[i], files->v[i], e);
	}
	for (size_t i = 0; r == 0 && i < envs->n; i++) {
		struct buf b AUTO(buf) = BUF_INIT(4 << 20);
		struct slice rest, line, key, value;
		if ((r = file_read(AT_FDCWD, envs->v[i], &b)) < 0)
			return err_sys(e, -r, "env file %s", envs->v[i]);
		rest = buf_slice(&b);
		while (r == 0 && slice_next(&rest, '\n', &line)) {
			line = slice_trim(line);
			if (!line.len || *line.ptr == '#')
				continue;
			bool has = slice_cut(line, '=', &key, &value);
			const char *name = kctl_fmt(k, "%.*s", SLICE_FMT(key));
			r = put(m, secret, name, has ? value : slice_of(getenv(name) ? getenv(name) : ""), e);
		}
	}
	return r;
}

int kcmd_create_configmap(struct kctl *k, struct err *e)
{
	struct make m;
	int r = begin(k, &m, "configmaps", "v1", "ConfigMap", kctl_arg(k, 0), e);
	if (r == 0)
		r = put_sources(&m, false, e);
	return r < 0 ? r : finish(&m, e);
}

int kcmd_create_secret_generic(struct kctl *k, struct err *e)
{
	struct make m;
	int r = begin(k, &m, "secrets", "v1", "Secret", kctl_arg(k, 0), e);
	if (r == 0 && *flag_str(&k->f, "type"))
		kctl_set_text(k, &m.t.object, "type", flag_str(&k->f, "type"));
	if (r == 0)
		r = put_sources(&m, true, e);
	return r < 0 ? r : finish(&m, e);
}

int kcmd_create_secret_tls(struct kctl *k, struct err *e)
{
	struct make m;
	int r = begin(k, &m, "secrets", "v1", "Secret", kctl_arg(k, 0), e);
	if (r == 0 && (!*flag_str(&k->f, "cert") || !*flag_str(&k->f, "key")))
		return kctl_usage(k, e, "key and cert must be specified");
	if (r == 0) {
		kctl_set_text(k, &m.t.object, "type", "kubernetes.io/tls");
		r = put_file(&m, true, "tls.crt", flag_str(&k->f, "cert"), e);
	}
	if (r == 0)
		r = put_file(&m, true, "tls.key", flag_str(&k->f, "key"), e);
	return r < 0 ? r : finish(&m, e);
}

int kcmd_create_secret_registry(struct kctl *k, struct err *e)
{
	struct make m;
	struct buf json AUTO(buf) = BUF_INIT(64 << 10);
	int r = begin(k, &m, "secrets", "v1", "Secret", kctl_arg(k, 0), e);
	if (r < 0)
		return r;
	kctl_set_text(k, &m.t.object, "type", "kubernetes.io/dockerconfigjson");
	if (flag_list(&k->f, "from-file")->n) {
		r = put_file(&m, true, ".dockerconfigjson", flag_list(&k->f, "from-file")->v[0], e);
		return r < 0 ? r : finish(&m, e);
	}
	const char *user = flag_str(&k->f, "docker-username"), *password = flag_str(&k->f, "docker-password"), *email = flag_str(&k->f, "docker-email");
	if (!*user || !*password)
		return kctl_usage(k, e, "either --from-file or the combination of --docker-username, --docker-password and --docker-server is required");
	struct tree all = tree_map();
	struct tree *auth = kctl_map(k, kctl_map(k, &all, "auths"), flag_str(&k->f, "docker-server"));
	kctl_set_text(k, auth, "username", user);
	kctl_set_text(k, auth, "password", password);
	if (*email)
		kctl_set_text(k, auth, "email", email);
	const char *both = kctl_fmt(k, "%s:%s", user, password);
	kctl_set_text(k, auth, "auth", base64_text(k, slice_of(both)));
	tree_to_json(&all, SCHEMA_ESCAPE_HTML, &json);
	r = put(&m, true, ".dockerconfigjson", buf_slice(&json), e);
	return r < 0 ? r : finish(&m, e);
}

/* --- workloads -------------------------------------------------------------------------------------------- */
/* "registry/app:v1" is called app */
static const char *name_of_image(struct kctl *k, const char *image)
{
	const char *slash = strrchr(image, '/'), *base = slash ? slash + 1 : image;
	char *name = arena_dup(&k->arena, slice_n(base, strcspn(base, ":@")));
	for (char *p = name; p && *p; p++)
		*p = *p == '_' || *p == '.' ? '-' : *p;
	return name ? name : "";
}

int kcmd_create_deployment(struct kctl *k, struct err *e)
{
	const struct flag_value *images = flag_list(&k->f, "image");
	const char *name = kctl_arg(k, 0);
	struct make m;
	int64_t port = flag_num(&k->f, "port"), replicas = flag_num(&k->f, "replicas");
	int r = begin(k, &m, "deployments.apps", "apps/v1", "Deployment", name, e);
	if (r == 0 && !images->n)
		return kctl_usage(k, e, "required flag(s) \"image\" not set");
	bool command = k->f.dash >= 0 && k->f.dash < k->f.argc;
	if (r == 0 && command && images->n > 1)
		return kctl_usage(k, e, "cannot specify multiple --image options and command");
	if (r == 0 && replicas < 0)
		return err_set(e, EINVAL, "negative replicas not allowed, currently is %lld", (long long)replicas);
	if (r < 0)
		return r;
	kctl_set_text(k, kctl_map(k, kctl_map(k, &m.t.object, "metadata"), "labels"), "app", name);
	struct tree *spec = spec_of(&m);
	kctl_set_int(k, spec, "replicas", replicas);
	kctl_set_text(k, kctl_map(k, kctl_map(k, spec, "selector"), "matchLabels"), "app", name);
	kctl_set(k, spec, "strategy", tree_map());
	struct tree *template = kctl_map(k, spec, "template");
	kctl_set_text(k, kctl_map(k, kctl_map(k, template, "metadata"), "labels"), "app", name);
	struct tree *containers = kctl_list(k, kctl_map(k, template, "spec"), "containers");
	for (size_t i = 0; i < images->n; i++) {
		struct tree c = tree_map();
		kctl_set_text(k, &c, "name", name_of_image(k, images->v[i]));
		kctl_set_text(k, &c, "image", images->v[i]);
		if (port > 0 && i == 0)
			kctl_set_int(k, append(k, kctl_list(k, &c, "ports"), tree_map()), "containerPort", port);
		for (int j = k->f.dash; command && j < k->f.argc; j++)
			append(k, kctl_list(k, &c, "command"), tree_string(slice_of(k->f.argv[j])));
		kctl_set(k, &c, "resources", tree_map());
		append(k, containers, c);
	}
	return finish(&m, e);
}

static struct tree *job_spec(struct kctl *k, struct tree *spec, const char *name, const char *image, const char *restart)
{
	struct tree *pod = kctl_map(k, kctl_map(k, spec, "template"), "spec"), c = tree_map();
	kctl_set_text(k, &c, "name", name);
	kctl_set_text(k, &c, "image", image);
	for (int i = k->f.dash >= 0 ? MAX(k->f.dash, 1) : k->f.argc; i < k->f.argc; i++)
		append(k, kctl_list(k, &c, "command"), tree_string(slice_of(k->f.argv[i])));
	append(k, kctl_list(k, pod, "containers"), c);
	kctl_set_text(k, pod, "restartPolicy", restart);
	return pod;
}

int kcmd_create_job(struct kctl *k, struct err *e)
{
	const char *image = flag_str(&k->f, "image"), *from = flag_str(&k->f, "from"), *name = kctl_arg(k, 0);
	struct make m;
	int r = begin(k, &m, "jobs.batch", "batch/v1", "Job", name, e);
	if (r == 0 && !*image == !*from)
		return kctl_usage(k, e, "either --image or --from must be specified");
	if (r < 0)
		return r;
	if (*image) {
		job_spec(k, spec_of(&m), name, image, "Never");
		return finish(&m, e);
	}
	struct kctl_target t;
	struct tree o;
	r = kctl_one_wait(k, from, "cronjobs.batch", &t, e);
	if (r == 0 && strcmp(t.kind.plural, "cronjobs"))
		return err_set(e, EINVAL, "from must be an existing cronjob");
	if (r == 0)
		r = kctl_get_wait(k, kctl_path(k, &t.kind, t.ns, t.name, NULL, NULL), &o, e);
	if (r < 0)
		return r;
	const struct tree *template = tree_path(&o, "spec.jobTemplate.spec"), *labels = tree_path(&o, "spec.jobTemplate.metadata.labels"), *notes = tree_path(&o, "spec.jobTemplate.metadata.annotations");
	struct tree *meta = kctl_map(k, &m.t.object, "metadata");
	if (labels)
		kctl_set(k, meta, "labels", *labels);
	if (notes)
		kctl_set(k, meta, "annotations", *notes);
	kctl_set_text(k, kctl_map(k, meta, "annotations"), "cronjob.kubernetes.io/instantiate", "manual");
	struct tree owner = tree_map();
	kctl_set_text(k, &owner, "apiVersion", "batch/v1");
	kctl_set_text(k, &owner, "kind", "CronJob");
	kctl_set_text(k, &owner, "name", t.name);
	kctl_set_text(k, &owner, "uid", kctl_text_at(k, &o, "metadata.uid"));
	kctl_set(k, &owner, "controller", tree_bool(true));
	append(k, kctl_list(k, meta, "ownerReferences"), owner);
	if (template)
		kctl_set(k, &m.t.object, "spec", *template);
	return finish(&m, e);
}

int kcmd_create_cronjob(struct kctl *k, struct err *e)
{
	const char *image = flag_str(&k->f, "image"), *name = kctl_arg(k, 0);
	struct make m;
	int r = begin(k, &m, "cronjobs.batch", "batch/v1", "CronJob", name, e);
	if (r == 0 && !*image)
		return kctl_usage(k, e, "required flag(s) \"image\" not set");
	if (r == 0 && !*flag_str(&k->f, "schedule"))
		return kctl_usage(k, e, "required flag(s) \"schedule\" not set");
	if (r < 0)
		return r;
	struct tree *spec = spec_of(&m);
	kctl_set_text(k, spec, "schedule", flag_str(&k->f, "schedule"));
	struct tree *template = kctl_map(k, spec, "jobTemplate");
	kctl_set_text(k, kctl_map(k, template, "metadata"), "name", name);
	job_spec(k, kctl_map(k, template, "spec"), name, image, *flag_str(&k->f, "restart") ? flag_str(&k->f, "restart") : "OnFailure");
	return finish(&m, e);
}

/* --- services ------------------------------------------------------------------------------------------------ */
static int create_service(struct kctl *k, const char *type, struct err *e)
{
	const char *name = kctl_arg(k, 0), *ip = flag_known(&k->f, "clusterip") ? flag_str(&k->f, "clusterip") : "";
	const struct flag_value *tcp = flag_list(&k->f, "tcp");
	struct make m;
	int r = begin(k, &m, "services", "v1", "Service", name, e);
	if (r < 0)
		return r;
	struct tree *spec = spec_of(&m);
	kctl_set_text(k, kctl_map(k, kctl_map(k, &m.t.object, "metadata"), "labels"), "app", name);
	kctl_set_text(k, kctl_map(k, spec, "selector"), "app", name);
	kctl_set_text(k, spec, "type", type);
	if (*ip)
		kctl_set_text(k, spec, "clusterIP", ip);
	if (!strcmp(type, "ExternalName")) {
		if (!*flag_str(&k->f, "external-name"))
			return kctl_usage(k, e, "required flag(s) \"external-name\" not set");
		kctl_set_text(k, spec, "externalName", flag_str(&k->f, "external-name"));
	}
	if (!tcp->n && strcmp(ip, "None") && strcmp(type, "ExternalName"))
		return kctl_usage(k, e, "at least one tcp port specifier must be provided");
	for (size_t i = 0; i < tcp->n; i++) {
		struct slice port, target;
		int64_t n, to;
		bool has = slice_cut(slice_of(tcp->v[i]), ':', &port, &target);
		if (num_parse_i64(port, 1, 65535, &n) < 0)
			return err_set(e, EINVAL, "invalid port: %s", tcp->v[i]);
		struct tree *p = append(k, kctl_list(k, spec, "ports"), tree_map());
		kctl_set_text(k, p, "name", has ? kctl_fmt(k, "%.*s-%.*s", SLICE_FMT(port), SLICE_FMT(target)) : tcp->v[i]);
		kctl_set_int(k, p, "port", n);
		kctl_set_text(k, p, "protocol", "TCP");
		if (!has || num_parse_i64(target, 1, 65535, &to) == 0)
			kctl_set_int(k, p, "targetPort", has ? to : n);
		else
			kctl_set_text(k, p, "targetPort", target.ptr);
		if (flag_known(&k->f, "node-port") && flag_num(&k->f, "node-port") > 0)
			kctl_set_int(k, p, "nodePort", flag_num(&k->f, "node-port"));
	}
	return finish(&m, e);
}

int kcmd_create_service_clusterip(struct kctl *k, struct err *e) { return create_service(k, "ClusterIP", e); }
int kcmd_create_service_nodeport(struct kctl *k, struct err *e) { return create_service(k, "NodePort", e); }
int kcmd_create_service_loadbalancer(struct kctl *k, struct err *e) { return create_service(k, "LoadBalancer", e); }
int kcmd_create_service_externalname(struct kctl *k, struct err *e) { return create_service(k, "ExternalName", e); }

/* --- the small ones ---------------------------------------------------------------------------------------------- */
int kcmd_create_namespace(struct kctl *k, struct err *e)
{
	struct make m;
	int r = begin(k, &m, "namespaces", "v1", "Namespace", kctl_arg(k, 0), e);
	return r < 0 ? r : finish(&m, e);
}

int kcmd_create_serviceaccount(struct kctl *k, struct err *e)
{
	struct make m;
	int r = begin(k, &m, "serviceaccounts", "v1", "ServiceAccount", kctl_arg(k, 0), e);
	return r < 0 ? r : finish(&m, e);
}

static void add_words(struct kctl *k, struct tree *map, const char *key, const struct flag_value *v)
{
	for (size_t i = 0; i < v->n; i++)
		append(k, kctl_list(k, map, key), tree_string(slice_of(v->v[i])));
}

static int create_role(struct kctl *k, bool cluster, struct err *e)
{
	const struct flag_value *verbs = flag_list(&k->f, "verb"), *resources = flag_list(&k->f, "resource"), *names = flag_list(&k->f, "resource-name");
	const struct flag_value *urls = cluster ? flag_list(&k->f, "non-resource-url") : NULL;
	struct make m;
	int r = begin(k, &m, cluster ? "clusterroles" : "roles", "rbac.authorization.k8s.io/v1", cluster ? "ClusterRole" : "Role", kctl_arg(k, 0), e);
	if (r == 0 && cluster && *flag_str(&k->f, "aggregation-rule")) {
		struct slice rest = slice_of(flag_str(&k->f, "aggregation-rule")), one, key, value;
		struct tree *s = append(k, kctl_list(k, kctl_map(k, &m.t.object, "aggregationRule"), "clusterRoleSelectors"), tree_map());
		while (slice_next(&rest, ',', &one))
			if (slice_cut(one, '=', &key, &value))
				kctl_set_text(k, kctl_map(k, s, "matchLabels"), kctl_fmt(k, "%.*s", SLICE_FMT(key)), kctl_fmt(k, "%.*s", SLICE_FMT(value)));
		kctl_list(k, &m.t.object, "rules");
		return finish(&m, e);
	}
	static const char *const known[] = { "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "use", "bind", "escalate", "impersonate", "approve", "sign", "attest", "*" };
	for (size_t v = 0; v < verbs->n; v++) {
		bool usual = false;
		for (size_t i = 0; i < ARRAY_LEN(known); i++)
			usual |= !strcmp(known[i], verbs->v[v]);
		if (!usual)
			kctl_warn(k, "Warning: '%s' is not a standard resource verb", verbs->v[v]);
	}
	if (r == 0 && !verbs->n)
		return kctl_usage(k, e, "at least one verb must be specified");
	if (r == 0 && !resources->n && !(urls && urls->n))
		return kctl_usage(k, e, "at least one resource must be specified");
	if (r < 0)
		return r;
	struct tree *rules = kctl_list(k, &m.t.object, "rules");
	/* one rule a group */
	for (size_t i = 0; r == 0 && i < resources->n; i++) {
		struct kctl_kind kind;
		struct slice name, sub;
		slice_cut(slice_of(resources->v[i]), '/', &name, &sub);
		const char *shown;
		struct tree *rule = NULL;
		if (slice_is(name, "*")) {
			kind = (struct kctl_kind){ .group = "*", .plural = "*" };
		} else if ((r = kctl_kind_wait(k, kctl_fmt(k, "%.*s", SLICE_FMT(name)), &kind, e)) < 0) {
			return r;
		}
		shown = sub.len ? kctl_fmt(k, "%s/%.*s", kind.plural, SLICE_FMT(sub)) : kind.plural;
		for (uint32_t j = 0; j < rules->n; j++)
			if (!strcmp(kctl_text_at(k, &rules->items[j], "apiGroups[0]"), kind.group))
				rule = &rules->items[j];
		if (!rule) {
			rule = append(k, rules, tree_map());
			append(k, kctl_list(k, rule, "apiGroups"), tree_string(slice_of(kind.group)));
			kctl_list(k, rule, "resources");
			add_words(k, rule, "resourceNames", names);
			add_words(k, rule, "verbs", verbs);
		}
		append(k, kctl_list(k, rule, "resources"), tree_string(slice_of(shown)));
	}
	if (urls && urls->n) {
		struct tree *rule = append(k, rules, tree_map());
		add_words(k, rule, "nonResourceURLs", urls);
		add_words(k, rule, "verbs", verbs);
	}
	return finish(&m, e);
}

int kcmd_create_role(struct kctl *k, struct err *e) { return create_role(k, false, e); }
int kcmd_create_clusterrole(struct kctl *k, struct err *e) { return create_role(k, true, e); }

static int create_binding(struct kctl *k, bool cluster, struct err *e)
{
	const struct flag_value *users = flag_list(&k->f, "user"), *groups = flag_list(&k->f, "group"), *accounts = flag_list(&k->f, "serviceaccount");
	const char *cluster_role = flag_str(&k->f, "clusterrole"), *role = cluster ? "" : flag_str(&k->f, "role");
	struct make m;
	int r = begin(k, &m, cluster ? "clusterrolebindings" : "rolebindings", "rbac.authorization.k8s.io/v1", cluster ? "ClusterRoleBinding" : "RoleBinding", kctl_arg(k, 0), e);
	if (r == 0 && !*cluster_role == !*role)
		return cluster ? kctl_usage(k, e, "required flag(s) \"clusterrole\" not set") : kctl_usage(k, e, "exactly one of clusterrole or role must be specified");
	if (r < 0)
		return r;
	struct tree *ref = kctl_map(k, &m.t.object, "roleRef");
	kctl_set_text(k, ref, "apiGroup", "rbac.authorization.k8s.io");
	kctl_set_text(k, ref, "kind", *role ? "Role" : "ClusterRole");
	kctl_set_text(k, ref, "name", *role ? role : cluster_role);
	struct tree *subjects = kctl_list(k, &m.t.object, "subjects");
	for (int g = 0; g < 2; g++)
		for (size_t i = 0; i < (g ? groups : users)->n; i++) {
			struct tree *s = append(k, subjects, tree_map());
			kctl_set_text(k, s, "apiGroup", "rbac.authorization.k8s.io");
			kctl_set_text(k, s, "kind", g ? "Group" : "User");
			kctl_set_text(k, s, "name", (g ? groups : users)->v[i]);
		}
	for (size_t i = 0; i < accounts->n; i++) {
		struct slice ns, name;
		if (!slice_cut(slice_of(accounts->v[i]), ':', &ns, &name) || !ns.len || !name.len)
			return err_set(e, EINVAL, "serviceaccount must be <namespace>:<name>");
		struct tree *s = append(k, subjects, tree_map());
		kctl_set_text(k, s, "kind", "ServiceAccount");
		kctl_set_text(k, s, "name", name.ptr);
		kctl_set_text(k, s, "namespace", kctl_fmt(k, "%.*s", SLICE_FMT(ns)));
	}
	return finish(&m, e);
}

int kcmd_create_rolebinding(struct kctl *k, struct err *e) { return create_binding(k, false, e); }
int kcmd_create_clusterrolebinding(struct kctl *k, struct err *e) { return create_binding(k, true, e); }

int kcmd_create_quota(struct kctl *k, struct err *e)
{
	struct slice rest, one, key, value;
	struct make m;
	int r = begin(k, &m, "resourcequotas", "v1", "ResourceQuota", kctl_arg(k, 0), e);
	if (r < 0)
		return r;
	struct tree *spec = spec_of(&m);
	rest = slice_of(flag_str(&k->f, "hard"));
	while (rest.len && slice_next(&rest, ',', &one)) {
		if (!slice_cut(one, '=', &key, &value))
			return err_set(e, EINVAL, "Invalid argument syntax %.*s, expected <resource>=<value>", SLICE_FMT(one));
		kctl_set_text(k, kctl_map(k, spec, "hard"), kctl_fmt(k, "%.*s", SLICE_FMT(key)), kctl_fmt(k, "%.*s", SLICE_FMT(value)));
	}
	rest = slice_of(flag_str(&k->f, "scopes"));
	while (rest.len && slice_next(&rest, ',', &one))
		append(k, kctl_list(k, spec, "scopes"), tree_string(slice_of(kctl_fmt(k, "%.*s", SLICE_FMT(one)))));
	return finish(&m, e);
}

int kcmd_create_priorityclass(struct kctl *k, struct err *e)
{
	struct make m;
	int r = begin(k, &m, "priorityclasses", "scheduling.k8s.io/v1", "PriorityClass", kctl_arg(k, 0), e);
	if (r < 0)
		return r;
	kctl_set_int(k, &m.t.object, "value", flag_num(&k->f, "value"));
	kctl_set(k, &m.t.object, "globalDefault", tree_bool(flag_bool(&k->f, "global-default")));
	if (*flag_str(&k->f, "description"))
		kctl_set_text(k, &m.t.object, "description", flag_str(&k->f, "description"));
	kctl_set_text(k, &m.t.object, "preemptionPolicy", flag_str(&k->f, "preemption-policy"));
	return finish(&m, e);
}

int kcmd_create_pdb(struct kctl *k, struct err *e)
{
	const char *least = flag_str(&k->f, "min-available"), *most = flag_str(&k->f, "max-unavailable");
	struct slice rest = slice_of(flag_str(&k->f, "selector")), one, key, value;
	struct make m;
	int64_t n;
	int r = begin(k, &m, "poddisruptionbudgets.policy", "policy/v1", "PodDisruptionBudget", kctl_arg(k, 0), e);
	if (r == 0 && !rest.len)
		return kctl_usage(k, e, "a selector must be specified");
	if (r == 0 && !*least == !*most)
		return kctl_usage(k, e, "%s", *least ? "min-available and max-unavailable cannot be both specified" : "one of min-available or max-unavailable must be specified");
	if (r < 0)
		return r;
	struct tree *spec = spec_of(&m);
	const char *text = *least ? least : most, *field = *least ? "minAvailable" : "maxUnavailable";
	if (num_parse_i64(slice_of(text), 0, INT32_MAX, &n) == 0)
		kctl_set_int(k, spec, field, n);
	else
		kctl_set_text(k, spec, field, text);
	while (slice_next(&rest, ',', &one))
		if (slice_cut(one, '=', &key, &value))
			kctl_set_text(k, kctl_map(k, kctl_map(k, spec, "selector"), "matchLabels"), kctl_fmt(k, "%.*s", SLICE_FMT(key)), kctl_fmt(k, "%.*s", SLICE_FMT(value)));
	return finish(&m, e);
}

/* host/path=service:port[,tls[=secret]] */
static int add_rule(struct kctl *k, struct tree *spec, const char *text, struct err *e)
{
	struct slice rule, tls, where, backend, host, path, service, port;
	bool has_tls = slice_cut(slice_of(text), ',', &rule, &tls);
	int64_t n;
	if (!slice_cut(rule, '=', &where, &backend) || !slice_cut(backend, ':', &service, &port) || !slice_cut(where, '/', &host, &path))
		return err_set(e, EINVAL, "rule %s is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]", text);
	const char *name = kctl_fmt(k, "%.*s", SLICE_FMT(host)), *full = kctl_fmt(k, "/%.*s", SLICE_FMT(path));
	bool prefix = full[strlen(full) - 1] == '*';
	struct tree *rules = kctl_list(k, spec, "rules"), *one = NULL;
	for (uint32_t i = 0; i < rules->n; i++)
		if (!strcmp(kctl_text_at(k, &rules->items[i], "host"), name))
			one = &rules->items[i];
	if (!one) {
		one = append(k, rules, tree_map());
		if (*name)
			kctl_set_text(k, one, "host", name);
	}
	struct tree *p = append(k, kctl_list(k, kctl_map(k, one, "http"), "paths"), tree_map());
	kctl_set_text(k, p, "path", prefix ? kctl_fmt(k, "%.*s", (int)strlen(full) - 1, full) : full);
	kctl_set_text(k, p, "pathType", prefix ? "Prefix" : "Exact");
	struct tree *s = kctl_map(k, kctl_map(k, p, "backend"), "service");
	kctl_set_text(k, s, "name", kctl_fmt(k, "%.*s", SLICE_FMT(service)));
	if (num_parse_i64(port, 1, 65535, &n) == 0)
		kctl_set_int(k, kctl_map(k, s, "port"), "number", n);
	else
		kctl_set_text(k, kctl_map(k, s, "port"), "name", kctl_fmt(k, "%.*s", SLICE_FMT(port)));
	if (has_tls) {
		struct slice word, secret;
		struct tree *t = append(k, kctl_list(k, spec, "tls"), tree_map());
		slice_cut(tls, '=', &word, &secret);
		if (*name)
			append(k, kctl_list(k, t, "hosts"), tree_string(slice_of(name)));
		if (secret.len)
			kctl_set_text(k, t, "secretName", kctl_fmt(k, "%.*s", SLICE_FMT(secret)));
	}
	return 0;
}

int kcmd_create_ingress(struct kctl *k, struct err *e)
{
	const struct flag_value *rules = flag_list(&k->f, "rule"), *notes = flag_list(&k->f, "annotation");
	struct make m;
	int r = begin(k, &m, "ingresses.networking.k8s.io", "networking.k8s.io/v1", "Ingress", kctl_arg(k, 0), e);
	if (r == 0 && !rules->n && !*flag_str(&k->f, "default-backend"))
		return kctl_usage(k, e, "not enough information provided: every ingress has to either specify a default-backend (which catches all traffic) or a list of rules (which catch specific paths)");
	if (r < 0)
		return r;
	struct tree *spec = spec_of(&m);
	for (size_t i = 0; i < notes->n; i++) {
		struct slice key, value;
		if (slice_cut(slice_of(notes->v[i]), '=', &key, &value))
			kctl_set_text(k, kctl_map(k, kctl_map(k, &m.t.object, "metadata"), "annotations"), kctl_fmt(k, "%.*s", SLICE_FMT(key)), value.ptr);
	}
	if (*flag_str(&k->f, "class"))
		kctl_set_text(k, spec, "ingressClassName", flag_str(&k->f, "class"));
	if (*flag_str(&k->f, "default-backend")) {
		struct slice service, port;
		int64_t n;
		if (!slice_cut(slice_of(flag_str(&k->f, "default-backend")), ':', &service, &port))
			return err_set(e, EINVAL, "default-backend should be in format servicename:serviceport");
		struct tree *s = kctl_map(k, kctl_map(k, spec, "defaultBackend"), "service");
		kctl_set_text(k, s, "name", kctl_fmt(k, "%.*s", SLICE_FMT(service)));
		if (num_parse_i64(port, 1, 65535, &n) == 0)
			kctl_set_int(k, kctl_map(k, s, "port"), "number", n);
		else
			kctl_set_text(k, kctl_map(k, s, "port"), "name", port.ptr);
	}
	for (size_t i = 0; r == 0 && i < rules->n; i++)
		r = add_rule(k, spec, rules->v[i], e);
	return r < 0 ? r : finish(&m, e);
}

int kcmd_create_token(struct kctl *k, struct err *e)
{
	struct kctl_kind kind;
	struct tree request = tree_map(), got;
	const struct flag_value *audiences = flag_list(&k->f, "audience");
	int r = kctl_client(k, e);
	if (r == 0)
		r = kctl_kind_wait(k, "serviceaccounts", &kind, e);
	kctl_set_text(k, &request, "apiVersion", "authentication.k8s.io/v1");
	kctl_set_text(k, &request, "kind", "TokenRequest");
	struct tree *spec = kctl_map(k, &request, "spec");
	kctl_list(k, spec, "audiences");
	add_words(k, spec, "audiences", audiences);
	if (flag_num(&k->f, "duration") > 0)
		kctl_set_int(k, spec, "expirationSeconds", flag_num(&k->f, "duration") / NS_PER_S);
	if (r == 0)
		r = kctl_send_wait(k, "POST", kctl_path(k, &kind, k->ns, kctl_arg(k, 0), "token", NULL), NULL, &request, &got, e);
	if (r < 0 && k->long_error && k->server_message && *k->server_message)
		k->long_error = kctl_fmt(k, "error: failed to create token: %s", k->server_message);
	if (r < 0)
		return r;
	if (*flag_str(&k->f, "output")) {
		struct kctl_printer *p;
		r = kctl_printer_new(k, flag_str(&k->f, "output"), &p, e);
		return r < 0 ? r : kctl_print_object(k, p, &got, e);
	}
	kctl_print(k, "%s\n", kctl_text_at(k, &got, "status.token"));
	return 0;
}
