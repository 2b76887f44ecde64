// SPDX-License-Identifier: Apache-2.0

// oracle runs Kubernetes' own patch, apply, JSONPath and schema code on random
// objects and writes what comes out, a JSON document a line, for
// src/schema/oracle_test.c to compare with.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
)

type object = map[string]any
type list = []any

// writer of FILE.jsonl
func lines(name string, n int, one func(r *rand.Rand) object) {
	f, err := os.Create(filepath.Join(os.Args[1], name+".jsonl"))
	if err != nil {
		panic(err)
	}
	w := bufio.NewWriter(f)
	for i := range n {
		o := one(rand.New(rand.NewSource(int64(i))))
		if o == nil {
			continue
		}
		b, err := json.Marshal(o)
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(w, "%s\n", b)
	}
	if w.Flush() != nil || f.Close() != nil {
		panic("cannot write " + name)
	}
}

func clone(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		panic(err)
	}
	return out
}

func bytesOf(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func main() {
	lines("strategic", 2000, strategic)
	lines("apply", 1500, apply)
	lines("jsonpatch", 1500, jsonPatch)
	lines("crd", 1500, crd)
	lines("jsonpath", 3000, jsonPath)
	lines("jsonpath-doc", 1, jsonPathDoc)
	lines("regex", 20000, regexes)
	lines("cel", 1500, celCase)
	lines("mergepatch", 1000, mergePatch)
}
