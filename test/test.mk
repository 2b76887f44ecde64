# SPDX-License-Identifier: Apache-2.0
# Test targets. What each stage does: test/README.md.
VENV := $(B)/venv
.PHONY: test soak fresh fuzz-replay peers up down demo bench conform install man fix venv
venv: $(VENV)/.done
$(VENV)/.done: test/requirements.txt
	@test -d $(VENV) || python3 -m venv $(VENV)
	@$(VENV)/bin/pip install -q -r $<
	@touch $@

# cri-tools' client, for test/cri (needs Go and its proxy)
.PHONY: crictl
crictl: $(B)/crictl
$(B)/crictl:
	@if ! command -v go >/dev/null; then echo "crictl: no Go here, its tests are skipped"; exit 0; fi; \
	GOBIN=$(abspath $(B)) go install sigs.k8s.io/cri-tools/cmd/crictl@v1.34.0

# Its conformance tests, on images made of our busybox.
.PHONY: critest
critest: all venv $(B)/critest
	$(VENV)/bin/python test/cri/critest.py
$(B)/critest: $(B)/crictl
	cd $$(go env GOMODCACHE)/sigs.k8s.io/cri-tools@v1.34.0 && go test -mod=mod -c -o $(abspath $@) ./cmd/critest

# Debian's docker, containerd, runc and crun, unpacked, never installed.
peers: $(B)/peers/.done
$(B)/peers/.done: test/peers
	@test/peers $(B)/peers
	@touch $@

FUZZERS := $(patsubst test/fuzz/fuzz_%.c,%,$(wildcard test/fuzz/fuzz_*.c))
REPLAYS := $(FUZZERS:%=$(O)/fuzz/%-replay)
$(O)/fuzz/%.o: test/fuzz/%.c | $(GEN_HEADERS)
	@mkdir -p $(@D)
	$(Q)$(CCACHE) $(CC) $(CFLAGS_HOST) -c -o $@ $<
$(O)/fuzz/%-replay: $(O)/fuzz/fuzz_%.o $(O)/fuzz/replay.o $(O)/libunit.a
	$(Q)$(CC) $(LDFLAGS_HOST) -o $@ $(O)/fuzz/fuzz_$*.o $(O)/fuzz/replay.o -Wl,--start-group $(O)/libunit.a -Wl,--end-group $(UNIT_LIBS)
# with libFuzzer: make FUZZ=1 CC=clang SAN=address,undefined build/…/fuzz/NAME
$(O)/fuzz/%-fuzz: $(O)/fuzz/fuzz_%.o $(O)/libunit.a
	$(Q)$(CC) $(LDFLAGS_HOST) -fsanitize=fuzzer -o $@ $(O)/fuzz/fuzz_$*.o -Wl,--start-group $(O)/libunit.a -Wl,--end-group $(UNIT_LIBS)
.PRECIOUS: $(O)/fuzz/%.o $(O)/fuzz/%-replay
fuzz-replay: $(REPLAYS)
fuzz-build: $(FUZZERS:%=$(O)/fuzz/%-fuzz)

test:           ## every test: units, scenes, real clients, kill rounds, fuzz corpora (root)
	@tools/deps $(DEPS_BUILD) $(DEPS_RUN) $(DEPS_TEST)
	@$(MAKE) all unit test-tools fuzz-replay venv peers kube-testdata go-testdata schema-oracle crictl api-clients
	@test/run --build $(B)
soak:           ## long loops: 100 kill rounds, every fuzzer 60 s, all sanitizers
	@tools/deps $(DEPS_BUILD) $(DEPS_RUN) $(DEPS_TEST)
	@$(MAKE) all unit test-tools venv peers
	@test/soak
fresh:          ## README's commands inside a bare Debian root with only git and make
	@tools/deps mmdebstrap
	@test/fresh
bench: all peers venv ## ours and the peers in one run
	@test/bench/run
conform: all venv ## outside suites, ours beside the reference

UP_FLAGS ?=
up: all         ## install what is missing, build, start Coracle in the background
	@$(BIN)/coracle up $(UP_FLAGS)
down:           ## stop Coracle and every container
	@$(BIN)/coracle down $(UP_FLAGS)
demo: all       ## the course's example, told step by step
	@test -x $(BIN)/coracle && examples/demo
DESTDIR ?=
PREFIX ?= /usr/local
man: all        ## manual pages, from the command tables
	@mkdir -p $(B)/man
	@for c in docker kubectl; do $(BIN)/coracle $$c --generate-man >$(B)/man/coracle-$$c.1; done
install: all man ## into PREFIX (default /usr/local)
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin $(PROGRAMS)
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 $(B)/man/coracle-docker.1 $(B)/man/coracle-kubectl.1
fix:            ## format what is changed against the last commit
	@git diff --name-only --diff-filter=d HEAD -- '*.c' '*.h' | xargs -r clang-format -i

# net/ by hand, for test/net
.PHONY: test-tools
test-tools: $(BIN)/net-tool
$(O)/test/net_tool.o: test/net/net_tool.c | $(GEN_HEADERS)
	@mkdir -p $(@D)
	$(Q)$(CCACHE) $(CC) $(CFLAGS_HOST) -c -o $@ $<
$(BIN)/net-tool: $(O)/test/net_tool.o $(O)/libdaemon.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_HOST) -o $@ $< -Wl,--start-group $(O)/libdaemon.a -Wl,--end-group $(LIBS_DAEMON)
