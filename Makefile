# SPDX-License-Identifier: Apache-2.0
# `make` builds the three executables into build/; `make help` lists the rest.
# SAN=address,undefined or SAN=thread and CC=clang choose other builds, each in
# a folder of its own.

.DEFAULT_GOAL := all
SHELL := /bin/bash
JOBS ?= $(shell nproc)
ifeq ($(filter -j% --jobserver%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(JOBS)
endif
MAKEFLAGS += --no-builtin-rules

CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
MUSL_CC ?= musl-gcc
CCACHE := $(shell command -v ccache 2>/dev/null)
SAN ?=
FUZZ ?=
empty :=
comma := ,
VARIANT := $(CC)$(if $(SAN),-$(subst $(comma),-,$(SAN)))$(if $(FUZZ),-fuzz)
B := build
O := $(B)/$(VARIANT)
Q := $(if $(V),,@)
WERROR ?= $(if $(SAN),,-Werror)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wvla -Wno-unused-parameter -Wno-missing-field-initializers $(WERROR)
CFLAGS_ALL := -std=gnu17 -O2 -g -fno-strict-aliasing -fstack-protector-strong -ffunction-sections -fdata-sections \
	-D_GNU_SOURCE -Isrc -I$(B)/gen -I. -include base/banned.h $(WARN) -MMD -MP
CFLAGS_HOST := $(CFLAGS_ALL) -fPIE $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer $(if $(findstring undefined,$(SAN)),-fno-sanitize-recover=undefined)) $(if $(FUZZ),-fsanitize=fuzzer-no-link) $(CFLAGS)
CFLAGS_MUSL := $(CFLAGS_ALL) -fno-pie -DCORACLE_MUSL -idirafter /usr/include -idirafter /usr/include/$(shell gcc -print-multiarch) $(CFLAGS)
LDFLAGS_HOST := -pie -Wl,--gc-sections,--as-needed,-z,relro,-z,now -rdynamic $(if $(SAN),-fsanitize=$(SAN))
LDFLAGS_MUSL := -static -no-pie -Wl,--gc-sections,-z,relro,-z,now -s

include tools/deps.mk
include tools/gen.mk

# --- what is linked into what ----------------------------------------------
# Folders in src/; each becomes an archive, and the linker takes what is used.
FOLDERS := $(patsubst src/%/,%,$(sort $(dir $(wildcard src/*/*.c src/kube/*/*.c))))
# coracle-runtime is compiled with musl from these folders, without the files that need libraries.
RUNTIME_FOLDERS := base codec sys schema runtime shim unpack
RUNTIME_WITHOUT := src/base/test_runner.c $(wildcard src/schema/crd*.c src/schema/cel*.c src/codec/gzip.c src/codec/zstd.c src/schema/yaml*.c src/sys/netlink*.c src/sys/nft*.c)
# Folders that never enter a client or a daemon.
CORACLE_FOLDERS := base codec sys io http schema cli kube/meta kube/client kube/stream kubectl
DAEMON_WITHOUT := main cli kubectl
LIBS_DAEMON := -lnghttp2 -lssl -lcrypto -lsqlite3 -lyaml -lisal -lz -lzstd -lmnl -lnftnl -lpcre2-8 -lcrypt -ldl -lpthread
# Static, where the package has an archive: each shared library would cost a command line 0.2 ms at start.
LIBS_CORACLE := -l:libnghttp2.a -l:libpcre2-8.a -l:libyaml.a -l:libz.a -ldl -lpthread

SRC := $(filter-out %_test.c %/test_runner.c,$(wildcard src/*/*.c src/kube/*/*.c))
ASM := $(wildcard src/*/*.S)
TESTS := $(wildcard src/*/*_test.c src/kube/*/*_test.c)
GEN_OBJ_HOST := $(GEN_SRC:$(B)/gen/%.c=$(O)/gen/%.o)
GEN_OBJ_MUSL := $(GEN_SRC_RUNTIME:$(B)/gen/%.c=$(B)/musl/gen/%.o)

host_objs = $(patsubst src/%.c,$(O)/%.o,$(filter $(foreach f,$(1),src/$(f)/%.c),$(SRC))) \
	$(patsubst src/%.S,$(O)/%.S.o,$(filter $(foreach f,$(1),src/$(f)/%.S),$(ASM)))
DAEMON_OBJS := $(call host_objs,$(filter-out $(DAEMON_WITHOUT),$(FOLDERS)))
CORACLE_OBJS := $(call host_objs,$(CORACLE_FOLDERS))
RUNTIME_SRC := $(filter-out $(RUNTIME_WITHOUT),$(filter $(foreach f,$(RUNTIME_FOLDERS),src/$(f)/%.c),$(SRC)))
RUNTIME_OBJS := $(RUNTIME_SRC:src/%.c=$(B)/musl/%.o)

BIN := $(O)/bin
PROGRAMS := $(BIN)/coracle $(BIN)/coracled $(BIN)/coracle-runtime

.PHONY: all
all: deps-check $(PROGRAMS) layers
	@ln -sfn $(VARIANT)/bin $(B)/bin

$(O)/libdaemon.a: $(DAEMON_OBJS) $(GEN_OBJ_HOST)
$(O)/libcoracle.a: $(CORACLE_OBJS) $(GEN_OBJ_HOST)
$(B)/musl/libruntime.a: $(RUNTIME_OBJS) $(GEN_OBJ_MUSL)
%.a:
	@rm -f $@
	@ar rcsT $@ $^

DAEMON_MAIN := $(addprefix $(O)/main/,coracled.o engine.o server.o server_auth.o names.o control_plane.o node.o node_services.o node_cleanup.o rights.o)
$(BIN)/coracled: $(DAEMON_MAIN) $(O)/libdaemon.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_HOST) -o $@ $(filter %.o,$^) -Wl,--start-group $(O)/libdaemon.a -Wl,--end-group $(LIBS_DAEMON)
$(BIN)/coracle: $(addprefix $(O)/main/,coracle.o supervisor.o supervise.o cluster.o) $(O)/libcoracle.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_HOST) -o $@ $(filter %.o,$^) -Wl,--start-group $(O)/libcoracle.a -Wl,--end-group $(LIBS_CORACLE)
$(BIN)/coracle-runtime: $(B)/musl/main/runtime.o $(B)/musl/libruntime.a
	@mkdir -p $(@D)
	$(Q)$(MUSL_CC) $(LDFLAGS_MUSL) -o $@ $< -Wl,--start-group $(B)/musl/libruntime.a -Wl,--end-group

# --- compiling ---------------------------------------------------------------
$(O)/%.o: src/%.c | $(GEN_HEADERS)
	@mkdir -p $(@D)
	$(Q)$(CCACHE) $(CC) $(CFLAGS_HOST) -c -o $@ $<
$(O)/%.S.o: src/%.S
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_HOST) -c -o $@ $<
$(O)/gen/%.o: $(B)/gen/%.c | $(GEN_HEADERS)
	@mkdir -p $(@D)
	$(Q)$(CCACHE) $(CC) $(CFLAGS_HOST) -c -o $@ $<
$(B)/musl/%.o: src/%.c | $(GEN_HEADERS)
	@mkdir -p $(@D)
	$(Q)$(CCACHE) $(MUSL_CC) $(CFLAGS_MUSL) -c -o $@ $<
$(B)/musl/gen/%.o: $(B)/gen/%.c | $(GEN_HEADERS)
	@mkdir -p $(@D)
	$(Q)$(CCACHE) $(MUSL_CC) $(CFLAGS_MUSL) -c -o $@ $<

# --- unit tests ----------------------------------------------------------------
UNIT_OBJS := $(TESTS:src/%.c=$(O)/%.o)
UNIT_LIBS := $(LIBS_DAEMON) -lseccomp
$(O)/libunit.a: $(filter-out $(O)/main/%,$(call host_objs,$(FOLDERS))) $(GEN_OBJ_HOST)
$(BIN)/unit: $(UNIT_OBJS) $(O)/base/test_runner.o $(O)/libunit.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_HOST) -o $@ $(UNIT_OBJS) $(O)/base/test_runner.o -Wl,--start-group $(O)/libunit.a -Wl,--end-group $(UNIT_LIBS)

.PHONY: unit quick layers help clean
unit: deps-check $(BIN)/unit
quick: unit layers       ## unit tests: no root, no network, seconds
	$(BIN)/unit
layers:
	@tools/layers
help:
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12
clean:
	rm -rf $(B)

include $(wildcard test/*.mk)

-include $(shell find $(B) -path $(B)/peers -prune -o -name '*.d' -type f -print 2>/dev/null)
