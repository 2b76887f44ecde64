# SPDX-License-Identifier: Apache-2.0
# Programs with Kubernetes' own client libraries, and helm, for test/api (need Go, npm and their registries).
.PHONY: api-clients
api-clients: $(B)/api-client $(B)/helm $(B)/js/node_modules/@kubernetes/client-node
$(B)/api-client: test/api/client/go.mod test/api/client/main.go
	@if ! command -v go >/dev/null; then echo "api-clients: no Go here, Kubernetes' Go client is skipped"; exit 0; fi; \
	cd test/api/client && go build -o $(CURDIR)/$@ .
$(B)/helm:
	@if ! command -v go >/dev/null; then echo "api-clients: no Go here, helm is skipped"; exit 0; fi; \
	GOBIN=$(abspath $(B)) go install helm.sh/helm/v3/cmd/helm@v3.19.0
$(B)/js/node_modules/@kubernetes/client-node:
	@mkdir -p $(B)/js
	@if ! command -v npm >/dev/null; then echo "api-clients: no npm here, the JavaScript client is skipped"; exit 0; fi; \
	npm install --silent --prefix $(B)/js @kubernetes/client-node@1.4.0
