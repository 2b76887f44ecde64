# SPDX-License-Identifier: Apache-2.0
# The Kubernetes store by hand: test/store and its bench.
.PHONY: bench-store
test-tools: $(BIN)/store-driver
$(O)/test/store_driver.o: test/store/driver.c | $(GEN_HEADERS)
	@mkdir -p $(@D)
	$(Q)$(CCACHE) $(CC) $(CFLAGS_HOST) -c -o $@ $<
$(BIN)/store-driver: $(O)/test/store_driver.o $(O)/libdaemon.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_HOST) -o $@ $< -Wl,--start-group $(O)/libdaemon.a -Wl,--end-group $(LIBS_DAEMON)
bench-store: $(BIN)/store-driver ## puts a second, and how fast it opens
	@d=$$(mktemp -d -p $(CURDIR)/$(B)) && $(BIN)/store-driver bench $$d/store.db; rm -rf $$d

# The API server as its clients see it.
.PHONY: bench-api
$(O)/bench/api.o: test/bench/api.c | $(GEN_HEADERS)
	@mkdir -p $(@D)
	$(Q)$(CCACHE) $(CC) $(CFLAGS_HOST) -c -o $@ $<
$(BIN)/bench-api: $(O)/bench/api.o $(O)/libdaemon.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_HOST) -o $@ $< -Wl,--start-group $(O)/libdaemon.a -Wl,--end-group $(LIBS_DAEMON)
bench-api: all $(BIN)/bench-api ## creates, gets, lists and watches through HTTPS
	@test/bench/api $(BIN)
