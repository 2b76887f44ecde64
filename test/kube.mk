# What Kubernetes' own code says to test/kube/oracle/cases.yaml; src/kube/kind/oracle_test.c compares.
.PHONY: kube-oracle
kube-oracle:    ## write test/kube/oracle/cases.jsonl anew after a change of its cases (needs Go, builds Kubernetes: minutes)
	cd test/kube/oracle && go run . cases.yaml >cases.jsonl.new && mv cases.jsonl.new cases.jsonl
