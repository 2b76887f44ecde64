// SPDX-License-Identifier: Apache-2.0

package main

import "k8s.io/apimachinery/pkg/runtime/schema"

func runtimeVersion(s string) (schema.GroupVersion, error) {
	return schema.ParseGroupVersion(s)
}
