# SPDX-License-Identifier: Apache-2.0
# The image store without an engine (test/image/driver.c), for tests on the real kernel.
$(O)/test/image/driver.o: test/image/driver.c | $(GEN_HEADERS)
	@mkdir -p $(@D)
	$(Q)$(CCACHE) $(CC) $(CFLAGS_HOST) -c -o $@ $<
$(BIN)/image-driver: $(O)/test/image/driver.o $(O)/libdaemon.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_HOST) -o $@ $< -Wl,--start-group $(O)/libdaemon.a -Wl,--end-group $(LIBS_DAEMON)
