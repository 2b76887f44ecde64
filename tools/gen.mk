# SPDX-License-Identifier: Apache-2.0
# api/DOMAIN/*.kind + *.over -> build/gen/api/DOMAIN.{h,c}: rows and plain C structs (tools/gen).
GEN_DOMAINS := $(sort $(notdir $(patsubst %/,%,$(dir $(wildcard api/*/*.kind)))))
# The only tables that coracle-runtime carries.
GEN_DOMAINS_RUNTIME := $(filter oci runtime shim unpack,$(GEN_DOMAINS))
GEN_SRC := $(GEN_DOMAINS:%=$(B)/gen/api/%.c)
GEN_SRC_RUNTIME := $(GEN_DOMAINS_RUNTIME:%=$(B)/gen/api/%.c)
GEN_HEADERS := $(GEN_DOMAINS:%=$(B)/gen/api/%.h)

GEN_TOOL_SRC := $(wildcard tools/gen/*.c) $(addprefix src/base/,arena.c buf.c map.c num.c vec.c rand.c err.c)
GEN_TOOL_SRC := $(wildcard $(GEN_TOOL_SRC))
$(B)/tools/gen: $(GEN_TOOL_SRC) tools/gen/gen.h src/schema/rows.h
	@mkdir -p $(@D)
	$(Q)gcc -std=gnu17 -O2 -fno-strict-aliasing -D_GNU_SOURCE -Isrc -Itools/gen -include base/banned.h $(WARN) -Wno-format-truncation -ffunction-sections -Wl,--gc-sections -o $@ $(GEN_TOOL_SRC)

define gen_domain
$(B)/gen/api/$(1).h $(B)/gen/api/$(1).c &: $(wildcard api/$(1)/*.kind api/$(1)/*.over) api/$(1) $(B)/tools/gen
	@mkdir -p $$(@D)
	$$(Q)$(B)/tools/gen $(B)/gen/api $(1) $(sort $(wildcard api/$(1)/*.kind)) $(sort $(wildcard api/$(1)/*.over))
endef
$(foreach d,$(GEN_DOMAINS),$(eval $(call gen_domain,$(d))))

.PHONY: gen extract
gen: $(GEN_HEADERS)
extract:        ## rewrite api/*/*.kind from public Go types (needs Go and its proxy)
	cd tools/extract && go run . ../../api
