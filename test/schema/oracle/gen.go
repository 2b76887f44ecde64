// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math/rand"
	"sort"
)

func pick[T any](r *rand.Rand, v ...T) T { return v[r.Intn(len(v))] }

// some is a shuffled part of names.
func some(r *rand.Rand, names ...string) []string {
	r.Shuffle(len(names), func(i, k int) { names[i], names[k] = names[k], names[i] })
	return names[:r.Intn(len(names)+1)]
}

func labels(r *rand.Rand) object {
	o := object{}
	for _, k := range some(r, "a", "b", "c/d") {
		o[k] = pick(r, "1", "2")
	}
	return o
}

func maybe(r *rand.Rand, o object, key string, v any) {
	if r.Intn(3) > 0 {
		o[key] = v
	}
}

// strategic patches merge ports by number alone, and nobody relies on what they do with one that comes twice
var distinctPorts bool

func udp() string {
	if distinctPorts {
		return "53/UDP"
	}
	return "80/UDP"
}

func container(r *rand.Rand, name string) object {
	c := object{"name": name}
	maybe(r, c, "image", pick(r, "x", "y", "z:1"))
	maybe(r, c, "args", pick(r, list{"1"}, list{"1", "2"}, list{}))
	if r.Intn(2) == 0 {
		env := list{}
		for _, k := range some(r, "E", "F", "G") {
			e := object{"name": k}
			if r.Intn(4) > 0 {
				e["value"] = pick(r, "1", "2")
			} else {
				e["valueFrom"] = object{"fieldRef": object{"fieldPath": pick(r, "metadata.name", "spec.nodeName")}}
			}
			env = append(env, e)
		}
		c["env"] = env
	}
	if r.Intn(2) == 0 {
		ports := list{}
		for _, k := range some(r, "80/TCP", udp(), "443/", "9/SCTP") {
			var n int64
			var proto string
			fmt.Sscanf(k, "%d/%s", &n, &proto)
			p := object{"containerPort": n}
			if proto != "" {
				p["protocol"] = proto
			}
			maybe(r, p, "name", pick(r, "web", "api"))
			ports = append(ports, p)
		}
		c["ports"] = ports
	}
	if r.Intn(2) == 0 {
		c["resources"] = pick(r, object{}, object{"limits": object{"cpu": pick(r, "1", "2")}},
			object{"limits": object{"cpu": "1", "memory": pick(r, "1Gi", "2Gi")}, "requests": object{"cpu": "1"}})
	}
	return c
}

func volume(r *rand.Rand, name string) object {
	v := object{"name": name}
	switch r.Intn(3) {
	case 0:
		v["emptyDir"] = object{}
	case 1:
		v["hostPath"] = object{"path": pick(r, "/a", "/b")}
	case 2:
		v["configMap"] = object{"name": pick(r, "c", "d"), "optional": true}
	}
	return v
}

func deployment(r *rand.Rand) object {
	pod := object{}
	if r.Intn(8) > 0 {
		cs := list{}
		for _, n := range some(r, "a", "b", "c", "d") {
			cs = append(cs, container(r, n))
		}
		pod["containers"] = cs
	}
	if r.Intn(2) == 0 {
		vs := list{}
		for _, n := range some(r, "v", "w", "x") {
			vs = append(vs, volume(r, n))
		}
		pod["volumes"] = vs
	}
	if r.Intn(3) == 0 {
		pod["nodeSelector"] = labels(r)
	}
	if r.Intn(3) == 0 {
		pod["tolerations"] = list{object{"key": pick(r, "k", "l"), "operator": "Exists"}}
	}
	if r.Intn(3) == 0 {
		pod["securityContext"] = pick(r, object{}, object{"runAsUser": int64(r.Intn(2))})
	}
	spec := object{"template": object{"metadata": object{"labels": labels(r)}, "spec": pod}}
	maybe(r, spec, "replicas", int64(r.Intn(3)))
	maybe(r, spec, "selector", object{"matchLabels": labels(r)})
	if r.Intn(2) == 0 {
		spec["strategy"] = pick(r, object{"type": "Recreate"}, object{"type": "RollingUpdate"},
			object{"type": "RollingUpdate", "rollingUpdate": object{"maxSurge": int64(1)}})
	}
	meta := object{"name": "d", "namespace": "default"}
	maybe(r, meta, "labels", labels(r))
	if r.Intn(3) == 0 {
		meta["annotations"] = labels(r)
	}
	if r.Intn(3) == 0 {
		f := list{}
		for _, k := range some(r, "f1", "f2", "f3") {
			f = append(f, k)
		}
		if distinctPorts {
			// of lists that are not sorted Kubernetes always sends the order, changed or not
			sort.Slice(f, func(i, k int) bool { return f[i].(string) < f[k].(string) })
		}
		meta["finalizers"] = f
	}
	o := object{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta}
	if r.Intn(10) > 0 {
		o["spec"] = spec
	}
	if r.Intn(4) == 0 {
		cond := list{}
		for _, k := range some(r, "Available", "Progressing") {
			cond = append(cond, object{"type": k, "status": pick(r, "True", "False")})
		}
		o["status"] = object{"conditions": cond, "replicas": int64(r.Intn(3))}
	}
	return o
}

func service(r *rand.Rand) object {
	ports := list{}
	for _, k := range some(r, "80/TCP", udp(), "443/") {
		var n int64
		var proto string
		fmt.Sscanf(k, "%d/%s", &n, &proto)
		p := object{"port": n}
		if proto != "" {
			p["protocol"] = proto
		}
		maybe(r, p, "targetPort", pick[any](r, int64(8080), "web"))
		ports = append(ports, p)
	}
	spec := object{"ports": ports}
	maybe(r, spec, "selector", labels(r))
	maybe(r, spec, "externalIPs", pick(r, list{"1.1.1.1"}, list{"1.1.1.1", "2.2.2.2"}))
	meta := object{"name": "s", "namespace": "default"}
	maybe(r, meta, "labels", labels(r))
	return object{"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}
}

// any object, of no type
func thing(r *rand.Rand) object {
	return object{"apiVersion": "example.com/v1", "kind": "Thing", "metadata": object{"name": "t", "labels": labels(r)}, "spec": value(r, 3)}
}

func value(r *rand.Rand, depth int) any {
	k := r.Intn(8)
	if depth == 0 {
		k = r.Intn(5)
	}
	switch k {
	case 0:
		return nil
	case 1:
		return pick(r, true, false)
	case 2:
		return int64(r.Intn(3))
	case 3, 4:
		return pick(r, "x", "y")
	case 5:
		l := list{}
		for range r.Intn(4) {
			l = append(l, value(r, depth-1))
		}
		return l
	}
	o := object{}
	for _, n := range some(r, "a", "b", "c", "d") {
		o[n] = value(r, depth-1)
	}
	return o
}
