# SPDX-License-Identifier: Apache-2.0
# A program with Kubernetes' own client library, and helm, for test/api (need Go and its proxy).
.PHONY: api-clients
api-clients: $(B)/api-client $(B)/helm
$(B)/api-client: test/api/client/go.mod test/api/client/main.go
	@cd test/api/client && go build -o $(CURDIR)/$@ .
$(B)/helm:
	GOBIN=$(abspath $(B)) go install helm.sh/helm/v3/cmd/helm@v3.19.0
