/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interpreter beside jansson, json-c and cJSON on the same documents, in
 * one process: `bench-schema FILE.json…` prints `measure  ours  peer  ratio  aim`.
 * Ours is the median of rounds of at least 50 ms; so is each peer.
 */
#include <cjson/cJSON.h>
#include <dlfcn.h>
#include <jansson.h>
#include <malloc.h>

#include "api/docker.h"
#include "api/kube.h"
#include "base/clock.h"
#include "base/fd.h"
#include "schema/tree.h"

struct bench {
	struct slice text;
	struct schema_ref type;
	void *obj;
	struct tree tree;
	struct buf out;
	json_t *jansson;
	void *json_c;
	cJSON *cjson;
};

/* jansson and json-c have functions of the same names, so one of them is loaded aside */
static void *(*json_tokener_parse)(const char *);
static const char *(*json_object_to_json_string_ext)(void *, int);
static int (*json_object_put)(void *);

static void fail(const char *what)
{
	fprintf(stderr, "bench-schema: %s\n", what);
	exit(1);
}

static void read_struct(struct bench *b)
{
	struct arena a;
	struct err e;
	char obj[8192] __attribute__((aligned(16)));
	arena_init(&a, 64 << 20);
	if (schema_from_json(b->type, b->text, 0, &a, obj, &e) < 0)
		fail(e.text);
	arena_release(&a);
}

static void read_tree(struct bench *b)
{
	struct arena a;
	struct err e;
	struct tree t;
	arena_init(&a, 64 << 20);
	if (tree_from_json(b->text, 0, &a, &t, &e) < 0)
		fail(e.text);
	arena_release(&a);
}

static void write_struct(struct bench *b)
{
	buf_reset(&b->out);
	schema_to_json(b->type, b->obj, 0, &b->out);
}

static void write_tree(struct bench *b)
{
	buf_reset(&b->out);
	tree_to_json(&b->tree, 0, &b->out);
}

static void write_protobuf(struct bench *b)
{
	buf_reset(&b->out);
	schema_to_protobuf(b->type, b->obj, &b->out);
}

static void jansson_read(struct bench *b)
{
	json_error_t e;
	json_t *v = json_loadb(b->text.ptr, b->text.len, 0, &e);
	if (!v)
		fail(e.text);
	json_decref(v);
}

static void jansson_write(struct bench *b)
{
	free(json_dumps(b->jansson, JSON_COMPACT));
}

static void json_c_read(struct bench *b)
{
	json_object_put(json_tokener_parse(b->text.ptr));
}

static void json_c_write(struct bench *b)
{
	json_object_to_json_string_ext(b->json_c, 0);
}

static void cjson_read(struct bench *b)
{
	cJSON_Delete(cJSON_ParseWithLength(b->text.ptr, b->text.len));
}

static void cjson_write(struct bench *b)
{
	free(cJSON_PrintUnformatted(b->cjson));
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Nanoseconds a call. */
static double measure(struct bench *b, void (*fn)(struct bench *))
{
	double v[7];
	for (int round = 0; round < 7; round++) {
		int64_t begin = clock_monotonic_ns(), now;
		long n = 0;
		do {
			for (int i = 0; i < 20; i++)
				fn(b);
			n += 20;
			now = clock_monotonic_ns();
		} while (now - begin < 50 * NS_PER_MS);
		v[round] = (double)(now - begin) / (double)n;
	}
	qsort(v, 7, sizeof *v, by_value);
	return v[3];
}

static void row(const char *name, const char *what, size_t bytes, double ours, double peer, const char *peer_name, const char *aim)
{
	char measure_name[96], o[32], p[48];
	fmt_into(measure_name, sizeof measure_name, "%s: %s", name, what);
	fmt_into(o, sizeof o, "%.0f MB/s", (double)bytes * 1000 / ours);
	if (peer > 0)
		fmt_into(p, sizeof p, "%s %.0f MB/s", peer_name, (double)bytes * 1000 / peer);
	else
		fmt_into(p, sizeof p, "-");
	printf("%-44s %-12s %-20s ", measure_name, o, p);
	if (peer > 0)
		printf("%5.1f ", peer / ours);
	else
		printf("%5s ", "-");
	puts(aim);
}

static size_t heap(void)
{
	return mallinfo2().uordblks;
}

static void size_row(const char *name, const char *what, size_t ours, size_t peer, const char *peer_name)
{
	char measure_name[96], o[32], p[48];
	fmt_into(measure_name, sizeof measure_name, "%s: %s", name, what);
	fmt_into(o, sizeof o, "%zu B", ours);
	fmt_into(p, sizeof p, "%s %zu B", peer_name, peer);
	printf("%-44s %-12s %-20s %5.2f \n", measure_name, o, p, (double)ours / (double)peer);
}

static void document(const char *name, struct schema_ref type, struct slice text)
{
	struct bench b = { .text = text, .type = type, .out = BUF_INIT(64 << 20) };
	struct arena a, t;
	struct err e;
	json_error_t je;
	arena_init(&a, 64 << 20);
	arena_init(&t, 64 << 20);
	b.obj = malloc(schema_size(type));
	if (schema_from_json(type, text, 0, &a, b.obj, &e) < 0 || tree_from_json(text, 0, &t, &b.tree, &e) < 0)
		fail(e.text);
	size_t before = heap();
	b.jansson = json_loadb(text.ptr, text.len, 0, &je);
	size_t jansson_bytes = heap() - before;
	before = heap();
	b.json_c = json_tokener_parse(text.ptr);
	size_t json_c_bytes = heap() - before;
	b.cjson = cJSON_ParseWithLength(text.ptr, text.len);
	/* peers write compact text: speed of writing is counted in its bytes */
	write_tree(&b);
	size_t compact = b.out.len;

	double js = measure(&b, jansson_read), jc = measure(&b, json_c_read), cj = measure(&b, cjson_read);
	double s = measure(&b, read_struct), tr = measure(&b, read_tree);
	row(name, "decoded to struct", text.len, s, js, "jansson", ">= 10");
	row(name, "decoded to tree", text.len, tr, js, "jansson", ">= 10");
	row(name, "decoded to struct", text.len, s, jc, "json-c", "");
	row(name, "decoded to struct", text.len, s, cj, "cJSON", "");
	js = measure(&b, jansson_write), jc = measure(&b, json_c_write), cj = measure(&b, cjson_write);
	s = measure(&b, write_struct), tr = measure(&b, write_tree);
	row(name, "encoded from struct", compact, s, js, "jansson", ">= 10");
	row(name, "encoded from tree", compact, tr, js, "jansson", ">= 10");
	row(name, "encoded from struct", compact, s, jc, "json-c", "");
	row(name, "encoded from struct", compact, s, cj, "cJSON", "");
	if (type.domain == &schema_kube) {
		write_protobuf(&b);
		size_t n = b.out.len;
		row(name, "encoded to protobuf", n, measure(&b, write_protobuf), 0, "", "");
	}
	size_row(name, "bytes as struct", schema_size(type) + (a.used_bytes - (size_t)(a.end - a.at)), jansson_bytes, "jansson");
	size_row(name, "bytes as tree", t.used_bytes - (size_t)(t.end - t.at), json_c_bytes, "json-c");
	json_decref(b.jansson);
	json_object_put(b.json_c);
	cJSON_Delete(b.cjson);
	buf_release(&b.out);
	arena_release(&a);
	arena_release(&t);
	free(b.obj);
}

/* What kubectl get -o json shows of a small pod. */
static const char small_pod[] =
	"{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"web-6d4b75cb6d-hx7vq\",\"generateName\":\"web-6d4b75cb6d-\","
	"\"namespace\":\"default\",\"uid\":\"4a0e3ae5-5cb3-4a3c-8e43-3a0b5bd6a0b1\",\"resourceVersion\":\"118273\","
	"\"creationTimestamp\":\"2026-01-02T03:04:05Z\",\"labels\":{\"app\":\"web\",\"pod-template-hash\":\"6d4b75cb6d\"},"
	"\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":\"ReplicaSet\",\"name\":\"web-6d4b75cb6d\","
	"\"uid\":\"b5f9c6c0-53a2-4d8f-9f0a-0f2b9d1f6a11\",\"controller\":true,\"blockOwnerDeletion\":true}]},"
	"\"spec\":{\"volumes\":[{\"name\":\"kube-api-access-2x7zq\",\"projected\":{\"sources\":[{\"serviceAccountToken\":{\"expirationSeconds\":3607,"
	"\"path\":\"token\"}},{\"configMap\":{\"name\":\"kube-root-ca.crt\",\"items\":[{\"key\":\"ca.crt\",\"path\":\"ca.crt\"}]}},"
	"{\"downwardAPI\":{\"items\":[{\"path\":\"namespace\",\"fieldRef\":{\"apiVersion\":\"v1\",\"fieldPath\":\"metadata.namespace\"}}]}}],"
	"\"defaultMode\":420}}],\"containers\":[{\"name\":\"web\",\"image\":\"registry.local:5000/web:1.4.2\",\"ports\":[{\"containerPort\":8080,"
	"\"protocol\":\"TCP\"}],\"env\":[{\"name\":\"LISTEN\",\"value\":\":8080\"},{\"name\":\"NODE\",\"valueFrom\":{\"fieldRef\":{"
	"\"apiVersion\":\"v1\",\"fieldPath\":\"spec.nodeName\"}}}],\"resources\":{\"limits\":{\"cpu\":\"500m\",\"memory\":\"128Mi\"},"
	"\"requests\":{\"cpu\":\"100m\",\"memory\":\"64Mi\"}},\"volumeMounts\":[{\"name\":\"kube-api-access-2x7zq\",\"readOnly\":true,"
	"\"mountPath\":\"/var/run/secrets/kubernetes.io/serviceaccount\"}],\"livenessProbe\":{\"httpGet\":{\"path\":\"/healthz\",\"port\":8080,"
	"\"scheme\":\"HTTP\"},\"timeoutSeconds\":1,\"periodSeconds\":10,\"successThreshold\":1,\"failureThreshold\":3},"
	"\"terminationMessagePath\":\"/dev/termination-log\",\"terminationMessagePolicy\":\"File\",\"imagePullPolicy\":\"IfNotPresent\"}],"
	"\"restartPolicy\":\"Always\",\"terminationGracePeriodSeconds\":30,\"dnsPolicy\":\"ClusterFirst\",\"serviceAccountName\":\"default\","
	"\"nodeName\":\"node-1\",\"securityContext\":{},\"schedulerName\":\"default-scheduler\",\"tolerations\":[{\"key\":"
	"\"node.kubernetes.io/not-ready\",\"operator\":\"Exists\",\"effect\":\"NoExecute\",\"tolerationSeconds\":300}],\"priority\":0,"
	"\"enableServiceLinks\":true,\"preemptionPolicy\":\"PreemptLowerPriority\"},\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":"
	"\"Ready\",\"status\":\"True\",\"lastProbeTime\":null,\"lastTransitionTime\":\"2026-01-02T03:04:08Z\"}],\"hostIP\":\"192.168.1.10\","
	"\"podIP\":\"10.244.0.17\",\"podIPs\":[{\"ip\":\"10.244.0.17\"}],\"startTime\":\"2026-01-02T03:04:05Z\",\"qosClass\":\"Burstable\"}}";

int main(int argc, char **argv)
{
	void *lib = dlopen("libjson-c.so.5", RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
	if (!lib)
		fail(dlerror());
	json_tokener_parse = (void *(*)(const char *))dlsym(lib, "json_tokener_parse");
	json_object_to_json_string_ext = (const char *(*)(void *, int))dlsym(lib, "json_object_to_json_string_ext");
	json_object_put = (int (*)(void *))dlsym(lib, "json_object_put");
	document("small pod", T_kube_pod, slice_of(small_pod));
	for (int i = 1; i < argc; i++) {
		AUTO(buf) struct buf b = BUF_INIT(16 << 20);
		if (file_read(-100, argv[i], &b) < 0)
			continue;
		bool is_pod = strstr(argv[i], "Pod") != NULL;
		document(is_pod ? "pod, all fields" : "deployment, all fields", is_pod ? T_kube_pod : T_kube_deployment, buf_slice(&b));
	}
	printf("%-44s %-12s %-20s %5s %s\n", "lines of hand-written C a message", "0", "-", "-", "0");
	return 0;
}
