# SPDX-License-Identifier: Apache-2.0
# Documents for src/schema/kube_test.c (Kubernetes' own, from the Go module that publishes them) and go_test.c
# (written by Go); and the interpreter's bench.
KUBE_KINDS := core.v1.Pod apps.v1.Deployment core.v1.Status
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
