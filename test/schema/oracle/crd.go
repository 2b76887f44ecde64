// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"math/rand"
	"sort"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// property makes a schema; nested ones may only restrict.
func property(r *rand.Rand, depth int) object {
	k := r.Intn(10)
	if depth == 0 && k > 5 {
		k = r.Intn(6)
	}
	switch k {
	case 0, 1:
		o := object{"type": "string"}
		switch r.Intn(8) {
		case 0:
			o["maxLength"] = 1 + r.Intn(3)
		case 1:
			o["minLength"] = 1 + r.Intn(3)
		case 2:
			o["pattern"] = pick(r, "^[a-z]+$", "y", "^(x|ab)?$", "^.{2}$", `^\d+$`)
		case 3:
			o["enum"] = pick(r, list{"x", "y"}, list{"ab"})
		case 4:
			o["format"] = pick(r, "date-time", "date", "ipv4", "uuid", "byte", "duration", "nonsense", "email", "uri")
		case 5:
			o["default"] = "x"
		case 6:
			o["nullable"] = true
		}
		return o
	case 2, 3:
		o := object{"type": pick(r, "integer", "number")}
		if r.Intn(3) == 0 {
			o["minimum"] = pick[any](r, 1, 1.5, 0)
			maybe(r, o, "exclusiveMinimum", true)
		}
		if r.Intn(3) == 0 {
			o["maximum"] = pick[any](r, 2, 2.5, 10)
			maybe(r, o, "exclusiveMaximum", true)
		}
		if r.Intn(4) == 0 {
			o["multipleOf"] = 2
		}
		if r.Intn(4) == 0 && o["type"] == "integer" {
			o["format"] = pick(r, "int32", "int64")
		}
		if r.Intn(6) == 0 && o["type"] == "integer" {
			o["enum"] = list{1, 2}
		}
		return o
	case 4:
		return object{"type": "boolean"}
	case 5:
		switch r.Intn(3) {
		case 0:
			return object{"x-kubernetes-int-or-string": true}
		case 1:
			return object{"x-kubernetes-preserve-unknown-fields": true}
		}
		return object{"x-kubernetes-int-or-string": true, "anyOf": list{object{"type": "integer"}, object{"type": "string"}}}
	case 6:
		o := object{"type": "array", "items": property(r, depth-1)}
		if r.Intn(3) == 0 {
			o["minItems"] = r.Intn(3)
			o["maxItems"] = 1 + r.Intn(3)
		}
		if t := o["items"].(object)["type"]; r.Intn(3) == 0 && (t == "string" || t == "integer") {
			o["x-kubernetes-list-type"] = "set"
			delete(o["items"].(object), "nullable")
		}
		return o
	case 7:
		o := object{"type": "object", "additionalProperties": property(r, depth-1)}
		if r.Intn(3) == 0 {
			o["maxProperties"] = 1 + r.Intn(2)
		}
		return o
	}
	return structure(r, depth)
}

func restriction(r *rand.Rand, props object) object {
	o := object{}
	for k, v := range props {
		if r.Intn(2) == 0 {
			continue
		}
		switch v.(object)["type"] {
		case "string":
			o[k] = pick(r, object{"minLength": 2}, object{"enum": list{"x"}}, object{"pattern": "^x"})
		case "integer", "number":
			o[k] = pick(r, object{"minimum": 1}, object{"maximum": 1})
		}
	}
	x := object{"properties": o}
	if r.Intn(2) == 0 {
		x["required"] = list{pick(r, "a", "b", "c")}
	}
	return x
}

func structure(r *rand.Rand, depth int) object {
	props := object{}
	for _, k := range some(r, "a", "b", "c", "d") {
		props[k] = property(r, depth-1)
	}
	o := object{"type": "object", "properties": props}
	if r.Intn(4) == 0 {
		o["required"] = list{pick(r, "a", "b", "c", "d")}
	}
	if r.Intn(6) == 0 {
		o["x-kubernetes-preserve-unknown-fields"] = true
	}
	if r.Intn(5) == 0 {
		o[pick(r, "anyOf", "oneOf", "allOf")] = list{restriction(r, props), restriction(r, props)}
	}
	if r.Intn(10) == 0 {
		o["not"] = restriction(r, props)
	}
	if r.Intn(10) == 0 {
		o["default"] = object{}
		delete(o, "required")
		delete(o, "anyOf")
		delete(o, "oneOf")
		delete(o, "allOf")
		delete(o, "not")
	}
	return o
}

// spoil makes a schema wrong somewhere.
func spoil(r *rand.Rand, s object) {
	at := s
	for range r.Intn(3) {
		p, ok := at["properties"].(object)
		if !ok {
			break
		}
		for _, k := range []string{"spec", "a", "b", "c"} {
			if x, ok := p[k].(object); ok {
				at = x
				break
			}
		}
	}
	switch r.Intn(12) {
	case 0:
		delete(at, "type")
	case 1:
		delete(at, "items")
	case 2:
		at["x-kubernetes-list-type"] = pick(r, "map", "set", "odd")
	case 3:
		at["x-kubernetes-map-type"] = pick(r, "atomic", "odd")
	case 4:
		at["anyOf"] = list{object{"type": "integer"}, object{"properties": object{"zzz": object{"minLength": 1}}}}
	case 5:
		at["allOf"] = list{object{"default": 1, "title": "x", "nullable": true}}
	case 6:
		at["pattern"] = pick(r, "(", "a**", "(?=x)", `\1`, "[")
	case 7:
		at["x-kubernetes-embedded-resource"] = true
	case 8:
		at["not"] = object{"items": object{"minLength": 1}, "additionalProperties": object{"minLength": 1}}
	case 9:
		at["x-kubernetes-list-map-keys"] = list{"k"}
	case 10:
		at["x-kubernetes-int-or-string"] = true
	case 11:
		at["properties"] = object{"metadata": object{"type": "object", "properties": object{"name": object{"type": "string"}, "labels": object{"type": "object"}}}}
	}
}

func thingValue(r *rand.Rand, s object, depth int) any {
	if depth == 0 || r.Intn(12) == 0 {
		return value(r, 2)
	}
	switch s["type"] {
	case "string":
		return pick[any](r, "x", "y", "ab", "abc", "X1", "12", "2020-01-01T00:00:00Z", "1.2.3.4", "5s")
	case "integer":
		return pick[any](r, 0, 1, 2, 3, 4294967296, 1.0)
	case "number":
		return pick[any](r, 0, 1, 2.5, 3, 1.25)
	case "boolean":
		return pick[any](r, true, false)
	case "array":
		l := list{}
		for range r.Intn(4) {
			l = append(l, thingValue(r, s["items"].(object), depth-1))
		}
		return l
	case "object":
		o := object{}
		for _, k := range []string{"a", "b", "c", "d", "e"} {
			if r.Intn(3) == 0 {
				continue
			}
			if p, ok := s["properties"].(object); ok && p[k] != nil {
				o[k] = thingValue(r, p[k].(object), depth-1)
			} else if p, ok := s["additionalProperties"].(object); ok {
				o[k] = thingValue(r, p, depth-1)
			} else if r.Intn(3) == 0 {
				o[k] = value(r, 1)
			}
		}
		return o
	}
	return value(r, 2)
}

func errorsOf(l field.ErrorList) list {
	out := list{}
	for _, e := range l {
		out = append(out, e.Error())
	}
	sort.Slice(out, func(i, k int) bool { return out[i].(string) < out[k].(string) })
	return out
}

func crd(r *rand.Rand) object {
	spec := structure(r, 3)
	s := object{"type": "object", "properties": object{"spec": spec}}
	isSpoilt := r.Intn(5) == 0
	if isSpoilt {
		spoil(r, s)
	}
	raws := bytesOf(s)
	var v1 apiextensionsv1.JSONSchemaProps
	if err := json.Unmarshal(raws, &v1); err != nil {
		return nil
	}
	var internal apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(&v1, &internal, nil); err != nil {
		return nil
	}
	structural, err := structuralschema.NewStructural(&internal)
	if err != nil {
		return nil
	}
	out := object{"schema": raw(raws)}
	if problems := structuralschema.ValidateStructural(field.NewPath("schema"), structural); len(problems) > 0 {
		out["structure"] = errorsOf(problems)
		return out
	}
	if isSpoilt {
		return nil /* what is wrong then is found elsewhere in Kubernetes */
	}
	if problems, err := defaulting.ValidateDefaults(context.Background(), field.NewPath("schema"), structural, true, true); err != nil || len(problems) > 0 {
		return nil
	}
	validator, _, err := validation.NewSchemaValidator(&internal)
	if err != nil {
		panic(err)
	}
	cases := list{}
	for range 4 {
		doc := bytesOf(object{"apiVersion": "e/v1", "kind": "T", "metadata": object{"name": "x"}, "spec": thingValue(r, spec, 4)})
		var obj object
		if err := utiljson.Unmarshal(doc, &obj); err != nil {
			panic(err)
		}
		unknown := pruning.PruneWithOptions(obj, structural, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
		pruned := bytesOf(obj)
		defaulting.PruneNonNullableNullsWithoutDefaults(obj, structural)
		defaulting.Default(obj, structural)
		filled := bytesOf(obj)
		problems := validation.ValidateCustomResource(nil, obj, validator)
		problems = append(problems, listtype.ValidateListSetsAndMaps(nil, structural, obj)...)
		cases = append(cases, object{"doc": raw(doc), "pruned": raw(pruned), "unknown": unknown, "filled": raw(filled), "problems": errorsOf(problems)})
	}
	out["cases"] = cases
	return out
}
