// SPDX-License-Identifier: Apache-2.0

// oracle writes Docker's and OCI's messages as Go's encoding/json does, empty
// and with every field filled, for src/schema/go_test.c to compare with.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/pkg/jsonmessage"
	runtime "github.com/opencontainers/runtime-spec/specs-go"
)

func fill(v reflect.Value, depth int) {
	if depth > 9 {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.Type() == reflect.TypeOf(&registry.ServiceConfig{}) {
			return // writes itself, with fields and an order that its type does not say
		}
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth+1)
	case reflect.Struct:
		if v.Type() == reflect.TypeOf(time.Time{}) {
			v.Set(reflect.ValueOf(time.Unix(1700000000, 123000000).UTC()))
			return
		}
		for i := 0; i < v.NumField(); i++ {
			if v.Field(i).CanSet() {
				fill(v.Field(i), depth+1)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(`{"raw":[1,2]}`))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), depth+1)
		fill(v.Index(1), depth+1)
	case reflect.Array:
		for i := 0; i < v.Len(); i++ {
			fill(v.Index(i), depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for _, s := range []string{"key<b>", "a/key"} {
			k := reflect.New(v.Type().Key()).Elem()
			k.SetString(s)
			e := reflect.New(v.Type().Elem()).Elem()
			fill(e, depth+1)
			v.SetMapIndex(k, e)
		}
	case reflect.String:
		v.SetString("s\"é<&>\u2028 text that is longer than sixteen")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(-5)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(200)
	case reflect.Float64:
		v.SetFloat(1.5e-9)
	case reflect.Interface:
		v.Set(reflect.ValueOf(map[string]any{"x": 1.5}))
	}
}

func main() {
	for name, x := range map[string]any{
		"container_create": &container.CreateRequest{}, "container_inspect": &container.InspectResponse{}, "container_summary": &container.Summary{},
		"container_stats": &container.StatsResponse{}, "image_inspect": &image.InspectResponse{}, "image_summary": &image.Summary{},
		"network": &network.Inspect{}, "network_create": &network.CreateRequest{}, "volume_list": &volume.ListResponse{}, "info": &system.Info{},
		"version": &types.Version{}, "event": &events.Message{}, "message": &jsonmessage.JSONMessage{}, "disk_usage": &types.DiskUsage{},
		"container_update": &container.UpdateConfig{}, "exec_create": &container.ExecOptions{}, "oci_spec": &runtime.Spec{},
	} {
		for _, mode := range []string{"zero", "full"} {
			// "zero" of a struct that embeds a nil pointer lacks that pointer's fields; ours has no such thing
			if mode == "full" {
				fill(reflect.ValueOf(x).Elem(), 0)
			}
			var b bytes.Buffer
			e := json.NewEncoder(&b)
			e.SetEscapeHTML(false)
			if err := e.Encode(x); err != nil {
				fmt.Fprintln(os.Stderr, name, err)
				os.Exit(1)
			}
			if err := os.WriteFile(filepath.Join(os.Args[1], name+"."+mode+".json"), b.Bytes(), 0o644); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
	}
	wrong()
}

// What Go says to bodies of the wrong shape: a line each, body, tab, sentence.
func wrong() {
	var b bytes.Buffer
	for _, s := range []string{
		`{"Env":"A=1"}`,
		`{"Env":[1]}`,
		`{"Cmd":[1]}`,
		`{"Cmd":1}`,
		`{"Tty":"x"}`,
		`{"HostConfig":{"Memory":"1g"}}`,
		`{"HostConfig":{"Memory":1.5}}`,
		`{"HostConfig":{"BlkioWeight":70000}}`,
		`{"HostConfig":[]}`,
		`{"Labels":[]}`,
		`[]`,
		`{"HostConfig":{"NetworkMode":3}}`,
		`{"Labels":{"a":1}}`,
		`{"HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":8080}]}}}`,
		`{"HostConfig":{"PortBindings":{"80/tcp":1}}}`,
		`{"HostConfig":{"Mounts":[{"Type":1}]}}`,
		`{"StopTimeout":"1"}`,
		`{"HostConfig":{"RestartPolicy":{"MaximumRetryCount":"x"}}}`,
		`{"NetworkingConfig":{"EndpointsConfig":{"a":{"Aliases":3}}}}`,
		`{"HostConfig":{"ConsoleSize":"x"}}`,
		`{"ExposedPorts":[]}`,
	} {
		var w container.CreateRequest
		fmt.Fprintf(&b, "%s\t%v\n", s, json.Unmarshal([]byte(s), &w))
	}
	if err := os.WriteFile(filepath.Join(os.Args[1], "wrong.txt.json"), b.Bytes(), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
