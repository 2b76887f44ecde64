# SPDX-License-Identifier: Apache-2.0
# What the distribution must provide. `make deps` installs what is missing.
DEPS_BUILD := gcc libc6-dev musl-tools make linux-libc-dev libnghttp2-dev libssl-dev libyaml-dev libsqlite3-dev libisal-dev \
	zlib1g-dev libzstd-dev libmnl-dev libnftnl-dev libpcre2-dev
DEPS_RUN := ca-certificates curl iproute2 busybox-static
DEPS_TEST := libseccomp-dev libjansson-dev libjson-c-dev libcjson-dev nftables iptables mmdebstrap curl jq procps \
	python3 python3-venv clang strace git zstd xz-utils openssl

.PHONY: deps deps-test deps-check
deps:           ## install the packages that a build needs
	@tools/deps $(DEPS_BUILD) $(DEPS_RUN)
deps-test:      ## and those that the tests need
	@tools/deps $(DEPS_BUILD) $(DEPS_RUN) $(DEPS_TEST)
deps-check:
# An included file is made before all else and make then starts over, so that every rule and variable sees what was installed.
ifeq ($(filter clean help deps deps-test,$(MAKECMDGOALS)),)
include $(B)/.deps.mk
endif
$(B)/.deps.mk: tools/deps.mk
	@tools/deps $(DEPS_BUILD) $(DEPS_RUN)
	@mkdir -p $(B) && touch $@
