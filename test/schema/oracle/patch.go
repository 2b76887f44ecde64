// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"math/rand"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func raw(b []byte) any {
	if b == nil {
		return nil
	}
	return json.RawMessage(b)
}

func strategic(r *rand.Rand) object {
	distinctPorts = true
	defer func() { distinctPorts = false }()
	gen, typ, kind := deployment, any(apps.Deployment{}), "Deployment"
	if r.Intn(4) == 0 {
		gen, typ, kind = service, any(core.Service{}), "Service"
	}
	original, modified, current := bytesOf(gen(r)), bytesOf(gen(r)), bytesOf(gen(r))
	meta, err := strategicpatch.NewPatchMetaFromStruct(typ)
	if err != nil {
		panic(err)
	}
	two, err := strategicpatch.CreateTwoWayMergePatch(original, modified, typ)
	if err != nil {
		return nil
	}
	back, err := strategicpatch.StrategicMergePatch(original, two, typ)
	if err != nil {
		return nil
	}
	three, err := strategicpatch.CreateThreeWayMergePatch(original, modified, current, meta, true)
	if err != nil {
		return nil
	}
	applied, err := strategicpatch.StrategicMergePatch(current, three, typ)
	if err != nil {
		return nil
	}
	/* a document as a patch is one without directives */
	laid, err := strategicpatch.StrategicMergePatch(current, original, typ)
	if err != nil {
		return nil
	}
	return object{"kind": kind, "original": raw(original), "modified": raw(modified), "current": raw(current), "two": raw(two),
		"back": raw(back), "three": raw(three), "applied": raw(applied), "laid": raw(laid)}
}

func pointers(prefix string, v any, out []string) []string {
	switch v := v.(type) {
	case object:
		for k, x := range v {
			p := prefix + "/" + strings.ReplaceAll(strings.ReplaceAll(k, "~", "~0"), "/", "~1")
			out = pointers(p, x, append(out, p))
		}
		out = append(out, prefix+"/new", prefix+"/a~1b")
	case list:
		for i, x := range v {
			p := prefix + "/" + string(rune('0'+i))
			out = pointers(p, x, append(out, p))
		}
		out = append(out, prefix+"/-", prefix+"/-1", prefix+"/9", prefix+"/x")
	}
	return out
}

func jsonPatch(r *rand.Rand) object {
	doc := object{"a": value(r, 3), "b/c": value(r, 3), "l": list{value(r, 2), value(r, 2)}}
	all := pointers("", doc, nil)
	ops := list{}
	for range 1 + r.Intn(4) {
		op := object{"op": pick(r, "add", "remove", "replace", "move", "copy", "test"), "path": pick(r, all...)}
		switch op["op"] {
		case "move", "copy":
			op["from"] = pick(r, all...)
		case "add", "replace", "test":
			op["value"] = value(r, 2)
		}
		ops = append(ops, op)
	}
	before, ps := bytesOf(doc), bytesOf(ops)
	p, err := jsonpatch.DecodePatch(ps)
	if err != nil {
		panic(err)
	}
	var after []byte
	func() {
		defer func() {
			if recover() != nil {
				ps = nil /* the library fell over */
			}
		}()
		after, err = p.Apply(before)
	}()
	if ps == nil {
		return nil
	}
	return object{"doc": raw(before), "patch": raw(ps), "after": raw(after), "error": textOf(err)}
}

func mergePatch(r *rand.Rand) object {
	doc, patch, third := bytesOf(object{"a": value(r, 3), "b": value(r, 2)}), bytesOf(object{"a": value(r, 3), "c": value(r, 2)}),
		bytesOf(object{"a": value(r, 3), "b": value(r, 2), "d": value(r, 1)})
	after, err := jsonpatch.MergePatch(doc, patch)
	if err != nil {
		panic(err)
	}
	diff, err := jsonpatch.CreateMergePatch(doc, patch)
	if err != nil {
		panic(err)
	}
	three, err := jsonmergepatch.CreateThreeWayJSONMergePatch(doc, patch, third)
	if err != nil {
		panic(err)
	}
	return object{"doc": raw(doc), "patch": raw(patch), "third": raw(third), "after": raw(after), "diff": raw(diff), "three": raw(three)}
}
