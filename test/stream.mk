# SPDX-License-Identifier: Apache-2.0
# Kubernetes' own client library against our streaming servers (test/stream).
$(O)/test/stream/driver.o: test/stream/driver.c | $(GEN_HEADERS)
	@mkdir -p $(@D)
	$(Q)$(CCACHE) $(CC) $(CFLAGS_HOST) -c -o $@ $<
$(BIN)/stream-driver: $(O)/test/stream/driver.o $(O)/libdaemon.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_HOST) -o $@ $< -Wl,--start-group $(O)/libdaemon.a -Wl,--end-group $(LIBS_DAEMON)
$(B)/stream-oracle: tools/extract/go.mod tools/extract/stream/main.go
	@cd tools/extract && go build -o $(CURDIR)/$@ ./stream
