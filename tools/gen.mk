# SPDX-License-Identifier: Apache-2.0
# api/**.kind + .over -> build/gen: rows and plain C structs (tools/gen).
GEN_SRC :=
GEN_SRC_RUNTIME :=
GEN_HEADERS :=
