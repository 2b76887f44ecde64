// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"sort"
	"strings"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Every message that a method of the two services takes or gives is a root.
func criDomain() *domain {
	d := &domain{name: "cri", files: map[string]string{"runtime_v1": "runtime"}}
	for _, s := range []any{(*cri.RuntimeServiceServer)(nil), (*cri.ImageServiceServer)(nil)} {
		t := reflect.TypeOf(s).Elem()
		for i := 0; i < t.NumMethod(); i++ {
			m := t.Method(i).Type
			for k := 0; k < m.NumIn(); k++ {
				d.addMessage(m.In(k))
			}
			for k := 0; k < m.NumOut(); k++ {
				d.addMessage(m.Out(k))
			}
		}
	}
	// what a server stream gives
	for _, x := range []any{cri.ContainerEventResponse{}, cri.StreamPodSandboxesResponse{}, cri.StreamContainersResponse{},
		cri.StreamContainerStatsResponse{}, cri.StreamPodSandboxStatsResponse{}, cri.StreamPodSandboxMetricsResponse{},
		cri.StreamImagesResponse{}} {
		d.addMessage(reflect.TypeOf(x))
	}
	return d
}

func (d *domain) addMessage(t reflect.Type) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || !strings.Contains(t.PkgPath(), "cri-api") {
		return
	}
	for _, r := range d.roots {
		if reflect.TypeOf(r.value) == t {
			return
		}
	}
	d.roots = append(d.roots, root{"", "", reflect.New(t).Elem().Interface()})
}

var criEnums = map[string]map[int32]string{
	"Protocol": cri.Protocol_name, "MountPropagation": cri.MountPropagation_name, "NamespaceMode": cri.NamespaceMode_name,
	"SupplementalGroupsPolicy": cri.SupplementalGroupsPolicy_name, "PodSandboxState": cri.PodSandboxState_name,
	"ContainerState": cri.ContainerState_name, "ContainerEventType": cri.ContainerEventType_name, "MetricType": cri.MetricType_name,
	"CgroupDriver": cri.CgroupDriver_name, "SecurityProfile_ProfileType": cri.SecurityProfile_ProfileType_name, "Signal": cri.Signal_name,
}

var wordStart = regexp.MustCompile(`([a-z0-9])([A-Z])`)

// A protobuf enum is an int32 in messages; its names are constants of a header beside them.
func writeCriEnums(api string) {
	var b strings.Builder
	b.WriteString("/* SPDX-License-Identifier: Apache-2.0 */\n/* Written by tools/extract from public Go types; not edited by hand. The enums of CRI v1, which messages hold as int32_t. */\n#pragma once\n")
	var names []string
	for n := range criEnums {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		word := strings.ToLower(wordStart.ReplaceAllString(strings.ReplaceAll(n, "SecurityProfile_", ""), "${1}_${2}"))
		fmt.Fprintf(&b, "\nenum cri_%s {\n", word)
		var keys []int
		for k := range criEnums[n] {
			keys = append(keys, int(k))
		}
		sort.Ints(keys)
		for _, k := range keys {
			v := strings.ToUpper(wordStart.ReplaceAllString(criEnums[n][int32(k)], "${1}_${2}"))
			v = strings.TrimPrefix(v, "PROPAGATION_")
			if p := strings.ToUpper(word); !strings.HasPrefix(v, p) && !strings.HasPrefix(v, "SANDBOX_") && !strings.HasPrefix(v, "CONTAINER_") {
				v = p + "_" + v
			}
			fmt.Fprintf(&b, "\tCRI_%s = %d,\n", v, k)
		}
		b.WriteString("};\n")
	}
	if err := os.WriteFile(filepath.Join(api, "cri", "enums.h"), []byte(b.String()), 0o644); err != nil {
		die("%v", err)
	}
}
