# SPDX-License-Identifier: Apache-2.0
# Outside suites; `make conform` runs all of them. Each prints one line: ours beside the reference.
.PHONY: conform-distribution
conform-distribution: all ## the OCI distribution suite (needs Go)
	@test/conform/distribution --build $(B)
conform: conform-distribution
