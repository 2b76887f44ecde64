# SPDX-License-Identifier: Apache-2.0
# Kubernetes' own client library against our streaming servers (test/stream).
$(O)/test/stream/%.o: test/stream/%.c | $(GEN_HEADERS)
	@mkdir -p $(@D)
	$(Q)$(CCACHE) $(CC) $(CFLAGS_HOST) -c -o $@ $<
$(BIN)/stream-driver $(BIN)/stream-client: $(BIN)/stream-%: $(O)/test/stream/%.o $(O)/libdaemon.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_HOST) -o $@ $< -Wl,--start-group $(O)/libdaemon.a -Wl,--end-group $(LIBS_DAEMON)
$(B)/stream-oracle: tools/extract/go.mod tools/extract/stream/main.go tools/extract/stream/serve.go
	@cd tools/extract && go build -o $(CURDIR)/$@ ./stream
