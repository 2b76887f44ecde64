// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math/rand"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apimachinery/pkg/util/managedfields/managedfieldstest"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
)

var typed = applyconfigurations.NewTypeConverter(scheme.Scheme)
var untyped = managedfields.NewDeducedTypeConverter()

func apply(r *rand.Rand) object {
	gen, conv := deployment, managedfields.TypeConverter(typed)
	gvk := schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}
	switch r.Intn(5) {
	case 0:
		gen, gvk = service, schema.GroupVersionKind{Version: "v1", Kind: "Service"}
	case 1:
		gen, conv, gvk = thing, untyped, schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Thing"}
	}
	fm := managedfieldstest.NewFakeFieldManager(conv, gvk)
	empty := &unstructured.Unstructured{Object: object{}}
	empty.SetGroupVersionKind(gvk)
	var live runtime.Object = empty
	steps := list{}
	for i := range 2 + r.Intn(6) {
		o := &unstructured.Unstructured{Object: clone(gen(r)).(object)}
		manager, force := pick(r, "m1", "m2", "m3", "kubectl"), r.Intn(2) == 0
		op := pick(r, "apply", "apply", "update")
		before := live.DeepCopyObject()
		var out runtime.Object
		var err error
		if op == "apply" {
			o.SetUID("")
			out, err = fm.Apply(before, o.DeepCopy(), manager, force)
		} else {
			if r.Intn(2) == 0 && i > 0 {
				/* a change of part of the live object */
				n := live.(*unstructured.Unstructured).DeepCopy()
				if r.Intn(2) == 0 {
					n.Object["metadata"].(object)["labels"] = labels(r)
				} else if s, ok := o.Object["spec"]; ok {
					n.Object["spec"] = s
				}
				o = n
				o.SetManagedFields(nil)
			}
			if r.Intn(4) == 0 {
				/* as kubectl's client-side apply leaves it */
				o.SetAnnotations(nil)
				o.SetUID("")
				o.SetAnnotations(map[string]string{"kubectl.kubernetes.io/last-applied-configuration": string(bytesOf(o.Object))})
			}
			o.SetUID("u")
			out, err = fm.Update(before, o.DeepCopy(), manager)
		}
		step := object{"op": op, "manager": manager, "force": force, "object": clone(o.Object), "error": textOf(err)}
		if err == nil {
			u := out.(*unstructured.Unstructured)
			mf := u.GetManagedFields()
			for k := range mf {
				mf[k].Time = &metav1.Time{}
			}
			u.SetManagedFields(mf)
			u.SetUID("u")
			live = u
			step["live"] = clone(u.Object)
		}
		steps = append(steps, step)
	}
	return object{"kind": gvk.Kind, "apiVersion": gvk.GroupVersion().String(), "steps": steps}
}
