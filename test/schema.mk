# SPDX-License-Identifier: Apache-2.0
# Documents for src/schema/kube_test.c (Kubernetes' own, from the Go module that publishes them) and go_test.c
# (written by Go); and the interpreter's bench.
KUBE_KINDS := core.v1.Pod core.v1.PodTemplate core.v1.ReplicationController core.v1.Service core.v1.Endpoints core.v1.Secret \
	core.v1.ConfigMap core.v1.Namespace core.v1.Node core.v1.Event core.v1.ServiceAccount core.v1.PersistentVolume \
	core.v1.PersistentVolumeClaim core.v1.ResourceQuota core.v1.LimitRange core.v1.ComponentStatus core.v1.Binding \
	core.v1.PodLogOptions core.v1.PodExecOptions core.v1.PodAttachOptions core.v1.PodPortForwardOptions \
	core.v1.PodProxyOptions core.v1.ServiceProxyOptions core.v1.NodeProxyOptions core.v1.SerializedReference \
	core.v1.RangeAllocation core.v1.Status core.v1.APIGroup core.v1.APIVersions core.v1.DeleteOptions core.v1.ListOptions \
	core.v1.GetOptions core.v1.CreateOptions core.v1.UpdateOptions core.v1.PatchOptions apps.v1.Deployment \
	apps.v1.ReplicaSet apps.v1.StatefulSet apps.v1.DaemonSet apps.v1.ControllerRevision batch.v1.Job batch.v1.CronJob \
	events.k8s.io.v1.Event discovery.k8s.io.v1.EndpointSlice networking.k8s.io.v1.Ingress networking.k8s.io.v1.IngressClass \
	storage.k8s.io.v1.StorageClass coordination.k8s.io.v1.Lease rbac.authorization.k8s.io.v1.Role \
	rbac.authorization.k8s.io.v1.RoleBinding rbac.authorization.k8s.io.v1.ClusterRole \
	rbac.authorization.k8s.io.v1.ClusterRoleBinding authorization.k8s.io.v1.SubjectAccessReview \
	authorization.k8s.io.v1.SelfSubjectAccessReview authorization.k8s.io.v1.LocalSubjectAccessReview \
	authorization.k8s.io.v1.SelfSubjectRulesReview authentication.k8s.io.v1.TokenReview \
	authentication.k8s.io.v1.TokenRequest authentication.k8s.io.v1.SelfSubjectReview scheduling.k8s.io.v1.PriorityClass \
	policy.v1.PodDisruptionBudget policy.v1.Eviction autoscaling.v1.Scale autoscaling.v1.HorizontalPodAutoscaler \
	autoscaling.v2.HorizontalPodAutoscaler certificates.k8s.io.v1.CertificateSigningRequest node.k8s.io.v1.RuntimeClass \
	apidiscovery.k8s.io.v2.APIGroupDiscovery admission.k8s.io.v1.AdmissionReview
.PHONY: kube-testdata go-testdata bench-schema
go-testdata: $(B)/go-testdata/.done
$(B)/go-testdata/.done: tools/extract/go.mod tools/extract/oracle/main.go
	@mkdir -p $(@D)
	@if ! command -v go >/dev/null; then echo "go-testdata: no Go here, the comparison with Go is skipped"; exit 0; fi; \
	cd tools/extract && go run ./oracle $(CURDIR)/$(@D) && touch $(CURDIR)/$@
kube-testdata: $(B)/kube-testdata/.done
$(B)/kube-testdata/.done: tools/extract/go.mod test/schema.mk
	@mkdir -p $(@D)
	@if ! command -v go >/dev/null; then echo "kube-testdata: no Go here, the Kubernetes documents are skipped"; exit 0; fi; \
	cd tools/extract && go mod download k8s.io/api && dir=$$(go list -m -f '{{.Dir}}' k8s.io/api) && \
	for k in $(KUBE_KINDS); do install -m 644 "$$dir"/testdata/HEAD/$$k.json "$$dir"/testdata/HEAD/$$k.pb "$$dir"/testdata/HEAD/$$k.yaml $(CURDIR)/$(@D) || exit 1; done && \
	touch $(CURDIR)/$@

$(O)/bench/schema.o: test/bench/schema.c | $(GEN_HEADERS)
	@mkdir -p $(@D)
	$(Q)$(CCACHE) $(CC) $(CFLAGS_HOST) -c -o $@ $<
$(BIN)/bench-schema: $(O)/bench/schema.o $(O)/libunit.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_HOST) -o $@ $< -Wl,--start-group $(O)/libunit.a -Wl,--end-group $(UNIT_LIBS) -ljansson -lcjson -ldl
bench-schema: $(BIN)/bench-schema kube-testdata ## the interpreter beside jansson, json-c and cJSON
	@$(BIN)/bench-schema $(wildcard $(B)/kube-testdata/*Pod.json $(B)/kube-testdata/*Deployment.json)

# Documents for src/schema/oracle_test.c, by Kubernetes' own patch and apply code.
.PHONY: schema-oracle
schema-oracle: $(B)/schema-oracle/.done
$(B)/schema-oracle/.done: $(wildcard test/schema/oracle/*.go) test/schema/oracle/go.mod
	@mkdir -p $(@D)
	@if ! command -v go >/dev/null; then echo "schema-oracle: no Go here, the comparison with Kubernetes is skipped"; exit 0; fi; \
	cd test/schema/oracle && go run . $(CURDIR)/$(@D) && touch $(CURDIR)/$@

.PHONY: help-share
help-share:     ## for how many fields of each Kubernetes kind kubectl explain has a sentence
	@test/schema/help-share
